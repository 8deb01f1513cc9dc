// SPDX-License-Identifier: BSD-2-Clause
/*
 * sctp, judged: associations played by hand, each packet through our programs and through nf_conntrack. Both say the same
 * of it, or differ as docs/CONNTRACK.md says.
 */
#include "selftests/unit/sctp_plays.h"

static bool seen[SCTP_DIFFERENCE_COUNT] = { true };
static uint16_t next_port = 20000;
static int wrong;

static struct packet packet_of(const struct bout *b, const struct step *s)
{
	bool from_a = s->from == A;

	return (struct packet){ .from = s->from,
				.to = from_a ? B : A,
				.family = b->family,
				.protocol = SCTP,
				.sport = from_a ? b->port : 80,
				.dport = from_a ? 80 : b->port,
				.seq = s->tag,
				.options = s->chunks };
}

/* False ends the play. */
static bool one_step(const struct play *play, const struct bout *b, int i)
{
	const struct step *step = &play->steps[i];
	struct frame f = packet_frame(packet_of(b, step));
	enum drop_reason reason = duel_ours_of(b->flavour, step->from, &f);
	bool kernel = judge_passes(duel_judge(), step->from == A, &f);
	bool wanted = !step->reason == (step->difference == NO_DIFFERENCE);

	if (reason == step->reason && kernel == wanted) {
		seen[step->difference] = true;
		return true;
	}
	wrong++;
	print_error("%s, IPv%d (%s), packet %d: reason %d instead of %d; nf_conntrack %s it, instead of %s\n",
		    play->name, b->family, b->flavour == IN_XDP ? "xdp" : "tc", i + 1, reason, step->reason,
		    duel_said(kernel), duel_said(wanted));
	return false;
}

static void by_hand(void **state)
{
	for (size_t i = 0; i < sizeof(plays) / sizeof(*plays); i++)
		for (int n = 0; n < 4; n++) {
			struct bout b = { n & 1 ? 6 : 4, n & 2 ? IN_XDP : IN_TC, next_port++ };

			world_reset(state);
			acl_allow_all();
			for (int k = 0; plays[i].steps[k].from; k++)
				if (!one_step(&plays[i], &b, k))
					break;
		}
	assert_int_equal(wrong, 0);
}

/* ---- ICMP errors about an association ---- */

static const struct quote {
	const char *name;
	bool open; /* else only the INIT was sent */
	enum who from; /* of what is quoted */
	uint32_t tag;
	enum drop_reason reason;
	enum sctp_difference difference;
} quotes[] = {
	{ "the INIT", false, A, 0 },
	{ "a guess at a handshake", false, A, TB },
	{ "a packet of A", true, A, TB },
	{ "a packet of B", true, B, TA },
	{ "a guess", true, A, TC, DROP_ICMP_UNRELATED, ICMP_TAG },
	{ "an INIT of long ago", true, A, 0, DROP_ICMP_UNRELATED, ICMP_TAG },
	{ "the other end's tag", true, A, TA, DROP_ICMP_UNRELATED, ICMP_TAG },
};

static const struct step handshake[] = { HANDSHAKE };

static void one_quote(const struct quote *q, const struct bout *b)
{
	struct step quoted = { q->from, q->tag, DATA };
	struct packet inner = packet_of(b, &quoted);
	struct frame f = packet_frame((struct packet){ .from = inner.to,
						       .to = inner.from,
						       .family = b->family,
						       .protocol = b->family == 4 ? ICMP4 : ICMP6,
						       .sport = b->family == 4 ? 0x0301 : 0x0103,
						       .quote = &inner });
	bool kernel;

	for (int i = 0; i < (q->open ? 4 : 1); i++) {
		struct frame before = packet_frame(packet_of(b, &handshake[i]));

		if (duel_ours_of(b->flavour, handshake[i].from, &before) ||
		    !judge_passes(duel_judge(), handshake[i].from == A, &before))
			fail_msg("%s: packet %d does not pass", q->name, i + 1);
	}
	world_case(q->name, b->flavour);
	expect(HOOK_PORT, b->flavour, inner.to == A ? DEVICE_A : DEVICE_B, &f, q->reason ? DROPPED : SENT, q->reason);
	kernel = judge_passes(duel_judge(), inner.to == A, &f);
	seen[q->difference] = true;
	if (kernel != (!q->reason == (q->difference == NO_DIFFERENCE)))
		fail_msg("%s, IPv%d: nf_conntrack %s it", q->name, b->family, duel_said(kernel));
}

static void errors_by_hand(void **state)
{
	for (size_t i = 0; i < sizeof(quotes) / sizeof(*quotes); i++)
		for (int n = 0; n < 4; n++) {
			struct bout b = { n & 1 ? 6 : 4, n & 2 ? IN_XDP : IN_TC, next_port++ };

			world_reset(state);
			acl_allow_all();
			one_quote(&quotes[i], &b);
		}
}

static const char *name_of(int d)
{
	return names[d];
}

static void documented(void **state)
{
	(void)state;
	duel_documented(true, name_of, seen, SCTP_DIFFERENCE_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(errors_by_hand),
		cmocka_unit_test(documented),
	};

	return cmocka_run_group_tests(tests, duel_open, world_close);
}

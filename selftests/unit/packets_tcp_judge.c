// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcp, judged: connections played by hand, each segment through our programs and through
 * nf_conntrack. Both say the same of it, or differ as docs/CONNTRACK.md says. A is the client.
 */
#include "selftests/unit/tcp_plays.h"

static bool seen[DIFFERENCE_COUNT];
static uint16_t next_port = 20000;

static int wrong;

/* False ends the play. */
static bool one_step(const struct play *play, const struct bout *b, int i)
{
	const struct step *step = &play->steps[i];
	enum drop_reason reason = duel_ours(b, &step->s);
	bool kernel = duel_kernel_passes(b, &step->s);
	bool wanted = !step->reason == (step->difference == SAME);

	if (reason == step->reason && kernel == wanted) {
		seen[step->difference] = true;
		return true;
	}
	wrong++;
	print_error("%s, IPv%d (%s), segment %d: reason %d instead of %d; nf_conntrack %s it, instead of %s\n",
		 play->name, b->family, b->flavour == IN_XDP ? "xdp" : "tc", i + 1, reason,
		 step->reason, duel_said(kernel), duel_said(wanted));
	return false;
}

static void by_hand(void **state)
{
	bool loose = false;

	for (size_t i = 0; i < sizeof(plays) / sizeof(*plays); i++)
		for (int n = 0; n < 4; n++) {
			struct bout b = { n & 1 ? 6 : 4, n & 2 ? IN_XDP : IN_TC, next_port++ };
			struct tenant t;

			world_reset(state);
			acl_allow_all();
			t = world_tenant();
			t.flags |= plays[i].loose ? TENANT_LOOSE : 0;
			tenant_put(&t);
			if (loose != plays[i].loose)
				judge_set_loose(duel_judge(), plays[i].loose);
			loose = plays[i].loose;
			for (int k = 0; plays[i].steps[k].s.from; k++)
				if (!one_step(&plays[i], &b, k))
					break;
		}
	if (loose)
		judge_set_loose(duel_judge(), false);
	assert_int_equal(wrong, 0);
}

/* ---- ICMP errors about a connection ---- */

struct quote {
	const char *name;
	bool open; /* else only the SYN was sent */
	struct segment quoted;
	uint16_t shift; /* of A's port: another connection */
	const char *edit4, *edit6; /* of the error */
	enum drop_reason reason;
	enum difference difference;
};

#define UNRELATED DROP_ICMP_UNRELATED

/* A has sent 101 to 1101 and B has acknowledged 601; B has sent 501 to 701, and A has acknowledged none of it. */
static const struct segment so_far[] = {
	{ A, SYN, 100 },
	{ B, SYN | ACK, 500, 101 },
	{ A, ACK, 101, 501 },
	{ A, ACK, 101, 501, 1000 },
	{ B, ACK, 501, 601 },
	{ B, ACK, 501, 601, 200 },
};

/* clang-format off */
static const struct quote quotes[] = {
	{"the SYN", false, {A, SYN, 100}},
	{"a SYN of somebody who guesses", false, {A, SYN, 70000}, .reason = UNRELATED, .difference = ICMP_NUMBER},
	{"what was not acknowledged yet", true, {A, ACK, 601, 501}},
	{"the last byte", true, {A, ACK, 1100, 501}},
	{"the next number", true, {A, ACK, 1101, 501}},
	{"what was not sent yet", true, {A, ACK, 1102, 501}, .reason = UNRELATED, .difference = ICMP_NUMBER},
	{"what was acknowledged", true, {A, ACK, 101, 501}, .reason = UNRELATED, .difference = ICMP_NUMBER},
	{"a keep-alive", true, {A, ACK, 600, 501}},
	{"half a round away", true, {A, ACK, 601 + 0x80000000, 501}, .reason = UNRELATED, .difference = ICMP_NUMBER},
	{"the other direction", true, {B, ACK, 501, 601}},
	{"the other direction, not sent yet", true, {B, ACK, 702, 601}, .reason = UNRELATED, .difference = ICMP_NUMBER},
	{"another connection", true, {A, ACK, 601, 501}, .shift = 1, .reason = UNRELATED},
	{"seven bytes of TCP", true, {A, ACK, 601, 501}, .edit4 = "16=0037 len=69", .edit6 = "18=0037 len=109", .reason = DROP_BAD_L4},
	{"a header length that lies", true, {A, ACK, 601, 501}, .edit4 = "42=4f", .reason = DROP_BAD_L4},
	{"a fragment that is not the first", true, {A, ACK, 601, 501}, .edit4 = "48=0001", .reason = DROP_BAD_L4},
	{"of another version", true, {A, ACK, 601, 501}, .edit4 = "42=65", .edit6 = "62=40", .reason = DROP_BAD_L4},
};
/* clang-format on */

/* "Host unreachable" by who did not get it. A wrong checksum is the kernel's to see, so edits have none to set right. */
static struct frame error_frame(const struct bout *b, const struct quote *q)
{
	bool from_a = q->quoted.from == A;
	uint16_t port = b->port + q->shift;
	struct packet quoted = { .from = q->quoted.from,
				 .to = from_a ? B : A,
				 .family = b->family,
				 .protocol = TCP,
				 .sport = from_a ? port : 80,
				 .dport = from_a ? 80 : port,
				 .flags = q->quoted.flags,
				 .seq = q->quoted.seq,
				 .ack = q->quoted.ack };

	return packet_frame((struct packet){ .from = quoted.to,
					     .to = quoted.from,
					     .family = b->family,
					     .protocol = b->family == 4 ? ICMP4 : ICMP6,
					     .sport = b->family == 4 ? 0x0301 : 0x0103,
					     .quote = &quoted,
					     .edit = b->family == 4 ? q->edit4 : q->edit6 });
}

static void one_quote(const struct quote *q, const struct bout *b)
{
	bool from_a = q->quoted.from == B, kernel, edited = b->family == 4 ? q->edit4 : q->edit6;
	struct frame f = error_frame(b, q);
	struct result r;

	for (int i = 0; i < (q->open ? 6 : 1); i++)
		if (duel_ours(b, &so_far[i]) || !duel_kernel_passes(b, &so_far[i]))
			fail_msg("%s: segment %d does not pass", q->name, i + 1);
	world_case(q->name, b->flavour);
	r = expect(HOOK_PORT, b->flavour, from_a ? DEVICE_A : DEVICE_B, &f, q->reason ? DROPPED : SENT, q->reason);
	if (!q->reason)
		expect_frame(&r.out, &f);
	if (edited)
		return;
	kernel = judge_passes(duel_judge(), from_a, &f);
	seen[q->difference] = true;
	if (kernel != (!q->reason == (q->difference == SAME)))
		fail_msg("%s, IPv%d: nf_conntrack %s it", q->name, b->family, duel_said(kernel));
}

static void errors_by_hand(void **state)
{
	for (size_t i = 0; i < sizeof(quotes) / sizeof(*quotes); i++)
		for (int n = 0; n < 4; n++) {
			struct bout b = { n & 1 ? 6 : 4, n & 2 ? IN_XDP : IN_TC, next_port += 2 };
			bool only4 = quotes[i].edit4 && !quotes[i].edit6;
			bool only6 = quotes[i].edit6 && !quotes[i].edit4;

			if ((only4 && b.family == 6) || (only6 && b.family == 4))
				continue;
			world_reset(state);
			acl_allow_all();
			one_quote(&quotes[i], &b);
		}
}

/* ---- the list of differences ---- */

static const char *name_of(int d)
{
	return difference_name((enum difference)d);
}

static void documented(void **state)
{
	(void)state;
	duel_documented(false, name_of, seen, DIFFERENCE_COUNT);
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

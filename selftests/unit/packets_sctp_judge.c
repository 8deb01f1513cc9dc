// SPDX-License-Identifier: BSD-2-Clause
/*
 * sctp, judged: associations played by hand, each packet through our programs and through nf_conntrack. Both say the same
 * of it, or differ as docs/CONNTRACK.md says. A begins. Packets from A carry B's tag, and the other way round.
 */
#include "selftests/unit/lib/duel.h"

#define SCTP_DIFFERENCES(X)                        \
	X(STRAY, "sctp-stray")                     \
	X(TAG_ZERO, "sctp-tag-zero")               \
	X(CHUNK_LENGTH, "sctp-chunk-length")       \
	X(AUTH_FIRST, "sctp-auth-first")           \
	X(EARLY, "sctp-early")                     \
	X(INIT_AGAIN, "sctp-init-again")           \
	X(INIT_BACK, "sctp-init-back")             \
	X(SHUTDOWN_ACK_TAG, "sctp-shutdown-ack-tag") \
	X(HEARTBEAT_TAG, "sctp-heartbeat-tag")     \
	X(HEARTBEAT_REFUSED, "sctp-heartbeat-refused") \
	X(SCTP_AFTER_ABORT, "sctp-after-abort")    \
	X(ICMP_TAG, "sctp-icmp-tag")

enum sctp_difference {
	NO_DIFFERENCE = 0,
#define X(id, name) id,
	SCTP_DIFFERENCES(X)
#undef X
	SCTP_DIFFERENCE_COUNT
};

static const char *const names[] = {
	"none",
#define X(id, name) name,
	SCTP_DIFFERENCES(X)
#undef X
};

struct step {
	enum who from;
	uint32_t tag;
	const char *chunks;
	enum drop_reason reason;
	enum sctp_difference difference;
};

struct play {
	const char *name;
	struct step steps[24];
};

#define TAG   DROP_CT_SCTP_TAG
#define STATE DROP_CT_SCTP_STATE
#define NEW   DROP_CT_INVALID
#define BAD   DROP_BAD_L4

/* Tags, as numbers and as they stand in an INIT: those of A, of B, and others. */
#define TA 0xa1a1a1a1
#define TB 0xb2b2b2b2
#define TC 0xc3c3c3c3
#define TD 0xd4d4d4d4
#define HTA "a1a1a1a1"
#define HTB "b2b2b2b2"
#define HTC "c3c3c3c3"
#define HTD "d4d4d4d4"

#define INIT(tag)     "01000014" tag "00010000 000a000a 00000001"
#define INIT_ACK(tag) "02000014" tag "00010000 000a000a 00000001"
#define COOKIE_ECHO   "0a000008 c00c1e00"
#define COOKIE_ACK    "0b000004"
#define DATA	      "00030014 00000001 00000000 00000000 64617461"
#define SACK	      "03000010 00000001 00010000 00000000"
#define HEARTBEAT     "0400000c 00010008 12345678"
#define HEARTBEAT_ACK "0500000c 00010008 12345678"
#define ABORT	      "06000004"
#define ABORT_T	      "06010004"
#define SHUTDOWN      "07000008 00000001"
#define SHUTDOWN_ACK  "08000004"
#define STALE_COOKIE  "0900000c 00030008 00000000"
#define COMPLETE      "0e000004"
#define COMPLETE_T    "0e010004"
#define AUTH	      "0f000008 00000001"
#define UNKNOWN	      "c1000008 00000000"

/* clang-format off */
#define HANDSHAKE \
	{A, 0, INIT(HTA)}, \
	{B, TA, INIT_ACK(HTB)}, \
	{A, TB, COOKIE_ECHO}, \
	{B, TA, COOKIE_ACK}

static const struct play plays[] = {
	{"a whole association", {HANDSHAKE,
		{A, TB, DATA},
		{B, TA, SACK},
		{B, TA, SACK DATA},
		{A, TB, SACK},
		{A, TB, HEARTBEAT},
		{B, TA, HEARTBEAT_ACK},
		{A, TB, UNKNOWN},
		{A, TB, SHUTDOWN},
		{B, TA, DATA},
		{A, TB, SACK SHUTDOWN},
		{B, TA, SHUTDOWN_ACK},
		{A, TB, COMPLETE},
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTD)},
		{A, TD, COOKIE_ECHO DATA},
		{B, TC, COOKIE_ACK SACK}}},
	{"shut down by the other end", {HANDSHAKE,
		{B, TA, SHUTDOWN},
		{A, TB, SHUTDOWN_ACK},
		{B, TA, COMPLETE},
		{A, TB, SHUTDOWN_ACK},
		{B, TB, COMPLETE_T}}},
	{"both ends shut down", {HANDSHAKE,
		{A, TB, SHUTDOWN},
		{B, TA, SHUTDOWN},
		{A, TB, SHUTDOWN_ACK},
		{B, TA, SHUTDOWN_ACK},
		{A, TB, COMPLETE},
		{B, TA, COMPLETE}}},
	{"all of a handshake sent again", {
		{A, 0, INIT(HTA)},
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, DATA},
		{B, TA, SACK}}},
	{"the first of two INIT ACKs is taken", {
		{A, 0, INIT(HTA)},
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{B, TA, INIT_ACK(HTC)},
		{A, TB, COOKIE_ECHO, DROP_NONE, INIT_AGAIN},
		{B, TA, COOKIE_ACK},
		{A, TB, DATA, DROP_NONE, INIT_AGAIN},
		{A, TC, DATA, TAG, INIT_AGAIN}}},
	{"the second of two INIT ACKs is taken", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{B, TA, INIT_ACK(HTC)},
		{A, TC, COOKIE_ECHO},
		{B, TA, COOKIE_ACK},
		{A, TB, DATA, TAG},
		{A, TC, DATA}}},
	{"a forged INIT ends no handshake", {
		{A, 0, INIT(HTA)},
		{A, 0, INIT(HTC)},
		{B, TA, INIT_ACK(HTB), DROP_NONE, INIT_AGAIN},
		{A, TB, COOKIE_ECHO, DROP_NONE, INIT_AGAIN},
		{B, TA, COOKIE_ACK, DROP_NONE, INIT_AGAIN},
		{A, TB, DATA, DROP_NONE, INIT_AGAIN},
		{B, TC, SACK, TAG, INIT_AGAIN}}},
	{"opened from both sides", {
		{A, 0, INIT(HTA)},
		{B, 0, INIT(HTB)},
		{A, TB, INIT_ACK(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ECHO},
		{B, TA, COOKIE_ACK},
		{A, TB, COOKIE_ACK},
		{A, TB, DATA},
		{B, TA, SACK}}},
	{"data with the cookie", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO DATA},
		{B, TA, COOKIE_ACK SACK DATA},
		{A, TB, SACK}}},
	{"a stale cookie", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TA, STALE_COOKIE},
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK}}},
	{"refused", {
		{A, 0, INIT(HTA)},
		{B, TA, ABORT},
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TC, COOKIE_ACK}}},
	{"aborted", {HANDSHAKE,
		{A, TB, DATA},
		{A, TB, ABORT},
		{B, TA, SACK},
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTD)}}},
	{"aborted by who has forgotten it", {HANDSHAKE,
		{A, TB, DATA},
		{B, TB, ABORT_T}}},
	{"a handshake that was aborted goes no further", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, ABORT},
		{A, TB, COOKIE_ECHO, STATE, SCTP_AFTER_ABORT},
		{B, TA, COOKIE_ACK, STATE, SCTP_AFTER_ABORT}}},
	{"a forged ABORT", {HANDSHAKE,
		{B, TC, ABORT, TAG},
		{B, TB, ABORT, TAG},
		{B, TA, ABORT_T, TAG},
		{B, TC, ABORT_T, TAG},
		{A, TC, ABORT, TAG},
		{A, TA, ABORT, TAG},
		{A, TB, DATA},
		{B, TA, SACK}}},
	{"a forged ABORT of a handshake", {
		{A, 0, INIT(HTA)},
		{B, TC, ABORT, TAG},
		{B, TB, ABORT_T, TAG},
		{A, TB, ABORT, TAG},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK}}},
	{"forged chunks of all kinds", {HANDSHAKE,
		{B, TC, DATA, TAG},
		{B, TC, SACK, TAG},
		{B, TC, SHUTDOWN, TAG},
		{B, TC, COOKIE_ACK, TAG},
		{A, TC, COOKIE_ECHO, TAG},
		{B, TC, COMPLETE, TAG},
		{B, TC, STALE_COOKIE, TAG},
		{B, TC, INIT_ACK(HTD), TAG},
		{B, TC, SHUTDOWN_ACK, TAG, SHUTDOWN_ACK_TAG},
		{B, TC, HEARTBEAT, TAG, HEARTBEAT_TAG},
		{B, TC, HEARTBEAT DATA, TAG},
		{A, TB, DATA},
		{B, TA, SACK}}},
	{"an INIT of who began takes nothing from an association", {HANDSHAKE,
		{A, 0, INIT(HTC)},
		{B, TA, DATA, DROP_NONE, INIT_AGAIN},
		{A, TB, SACK}}},
	{"who began has forgotten it", {HANDSHAKE,
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTD)},
		{A, TD, COOKIE_ECHO},
		{B, TC, COOKIE_ACK},
		{A, TD, DATA},
		{B, TC, SACK},
		{A, TB, DATA, TAG},
		{B, TA, DATA, TAG}}},
	{"an INIT of the other end", {HANDSHAKE,
		{B, 0, INIT(HTC), STATE, INIT_BACK},
		{A, TB, DATA, DROP_NONE, INIT_BACK},
		{B, TA, SACK}}},
	{"what belongs to nothing", {
		{A, TB, DATA, NEW},
		{A, TB, SACK, NEW},
		{A, TB, INIT_ACK(HTB), NEW},
		{A, TB, COOKIE_ECHO, NEW},
		{A, TB, COOKIE_ACK, NEW},
		{A, TB, ABORT, NEW},
		{A, TB, ABORT_T, NEW},
		{A, TB, SHUTDOWN, NEW},
		{A, TB, COMPLETE, NEW},
		{A, TB, STALE_COOKIE, NEW},
		{A, TB, UNKNOWN, NEW},
		{A, TB, HEARTBEAT DATA, NEW},
		{A, TB, HEARTBEAT ABORT, NEW}}},
	{"a SHUTDOWN ACK of nothing", {
		{A, TB, SHUTDOWN_ACK, NEW, STRAY}}},
	{"a HEARTBEAT ACK of nothing", {
		{A, TB, HEARTBEAT_ACK, NEW, STRAY}}},
	{"data before the cookie", {
		{A, 0, INIT(HTA)},
		{A, TB, DATA, STATE},
		{B, TA, DATA, STATE, EARLY},
		{B, TA, COOKIE_ACK, STATE, EARLY},
		{B, TC, INIT_ACK(HTB), TAG},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, DATA, STATE, EARLY},
		{A, TC, COOKIE_ECHO, TAG},
		{B, TA, COOKIE_ACK, STATE, EARLY},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK}}},
	{"another path", {
		{A, TB, HEARTBEAT},
		{A, TB, HEARTBEAT},
		{B, TA, HEARTBEAT_ACK},
		{A, TB, DATA},
		{B, TA, SACK},
		{A, TC, DATA, TAG},
		{B, TC, DATA, TAG}}},
	{"another path, tried from both sides", {
		{A, TB, HEARTBEAT},
		{B, TA, HEARTBEAT},
		{A, TB, HEARTBEAT_ACK},
		{B, TA, HEARTBEAT_ACK},
		{A, TB, DATA}}},
	{"data on another path, too early", {
		{A, TB, HEARTBEAT},
		{A, TB, DATA, STATE, EARLY},
		{B, TA, DATA, STATE}}},
	{"another path, refused", {
		{A, TB, HEARTBEAT},
		{B, TC, ABORT_T, TAG},
		{B, TB, ABORT_T, DROP_NONE, HEARTBEAT_REFUSED}}},
	{"another path, then an INIT", {
		{A, TB, HEARTBEAT},
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTD)},
		{A, TD, COOKIE_ECHO},
		{B, TC, COOKIE_ACK}}},
	{"a path of an association that has begun anew", {
		{A, TB, HEARTBEAT},
		{B, TA, HEARTBEAT_ACK},
		{A, TD, HEARTBEAT},
		{B, TC, HEARTBEAT_ACK},
		{A, TD, DATA, DROP_NONE, HEARTBEAT_TAG},
		{B, TC, SACK},
		{A, TB, DATA, TAG},
		{B, TA, SACK, TAG}}},
	{"a forged HEARTBEAT changes no path", {HANDSHAKE,
		{A, TD, HEARTBEAT},
		{B, TA, HEARTBEAT_ACK},
		{A, TB, DATA},
		{B, TA, SACK},
		{A, TD, DATA, TAG}}},
	{"an INIT with a tag, and others without", {
		{A, TB, INIT(HTA), BAD},
		{A, 0, HEARTBEAT, BAD, TAG_ZERO},
		{A, 0, INIT("00000000"), BAD, TAG_ZERO}}},
	{"an INIT ACK that gives no tag", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK("00000000"), BAD, TAG_ZERO}}},
	{"chunks that stand alone", {
		{A, 0, INIT(HTA) DATA, BAD},
		{A, 0, INIT(HTA) INIT(HTA), BAD},
		{A, TB, DATA INIT(HTA), BAD},
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB) DATA, BAD},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, DATA COOKIE_ECHO, BAD},
		{A, TB, COOKIE_ECHO},
		{B, TA, SACK COOKIE_ACK, BAD},
		{B, TA, COOKIE_ACK},
		{A, TB, SHUTDOWN},
		{B, TA, SHUTDOWN_ACK},
		{A, TB, SACK COMPLETE, BAD},
		{A, TB, COMPLETE SACK, BAD},
		{A, TB, COMPLETE}}},
	{"an authenticated cookie", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, AUTH COOKIE_ECHO, DROP_NONE, AUTH_FIRST}}},
	{"no chunk at all", {
		{A, 0, " ", BAD},
		{A, TB, " ", BAD}}},
	{"lengths that lie", {HANDSHAKE,
		{A, TB, "00030000 00000001", BAD},
		{A, TB, SACK "00030000 00000001", BAD},
		{A, TB, "00030003", BAD, CHUNK_LENGTH},
		{A, TB, "00030018 00000001 00000000 00000000 64617461", BAD, CHUNK_LENGTH},
		{A, TB, "0003ffff 00000001 00000000 00000000 64617461", BAD, CHUNK_LENGTH},
		{A, TB, DATA "0003fff0", BAD, CHUNK_LENGTH},
		{A, TB, DATA "00"},
		{A, TB, "00030011 00000001 00000000 00000000 64000000"},
		{A, TB, "00030011 00000001 00000000 00000000 64"}}},
	{"an INIT cut off", {
		{A, 0, "01000014" HTA "00010000 000a000a", BAD},
		{A, 0, "01000008" HTA, BAD},
		{A, 0, "01000010" HTA "00010000 000a000a", BAD},
		{A, 0, "01000004", BAD},
		{A, 0, "01000008" HTA "00010000 000a000a 00000001", BAD}}},
};
/* clang-format on */

static bool seen[SCTP_DIFFERENCE_COUNT] = { true };
static uint16_t next_port = 20000;
static int wrong;

static const char *said(bool passes)
{
	return passes ? "passes" : "drops";
}

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
		    said(kernel), said(wanted));
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
		fail_msg("%s, IPv%d: nf_conntrack %s it", q->name, b->family, said(kernel));
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

/* docs/CONNTRACK.md has a heading for each difference, and no other; and each was seen above. */
static void documented(void **state)
{
	FILE *doc = fopen("docs/CONNTRACK.md", "r");
	bool told[SCTP_DIFFERENCE_COUNT] = { true };
	char line[256];

	(void)state;
	if (!doc)
		fail_msg("docs/CONNTRACK.md cannot be opened (run in the top directory)");
	while (fgets(line, sizeof(line), doc)) {
		int d = 1;

		if (strncmp(line, "### sctp-", 9))
			continue;
		line[strcspn(line, "\n")] = 0;
		while (d < SCTP_DIFFERENCE_COUNT && strcmp(names[d], line + 4))
			d++;
		if (d == SCTP_DIFFERENCE_COUNT)
			fail_msg("docs/CONNTRACK.md: %s is no difference", line + 4);
		told[d] = true;
	}
	fclose(doc);
	for (int d = 1; d < SCTP_DIFFERENCE_COUNT; d++)
		if (!told[d] || !seen[d])
			fail_msg("%s is %s", names[d], told[d] ? "never seen" : "not in docs/CONNTRACK.md");
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

// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcp, judged: connections played by hand, each segment through our programs and through
 * nf_conntrack. Both say the same of it, or differ as docs/CONNTRACK.md says. A is the client.
 */
#include "selftests/unit/lib/duel.h"

struct step {
	struct segment s;
	enum drop_reason reason;
	enum difference difference;
};

struct play {
	const char *name;
	bool loose;
	struct step steps[20];
};

#define OUT   DROP_CT_TCP_WINDOW
#define STATE DROP_CT_TCP_STATE
#define NEW   DROP_CT_INVALID

#define NO_SCALE "02040578"
#define SCALE_7	 "02040578 01030307"
#define SCALE_2	 "02040578 01030302"

/* clang-format off */
#define HANDSHAKE \
	{{A, SYN, 100}}, \
	{{B, SYN | ACK, 500, 101}}, \
	{{A, ACK, 101, 501}}

static const struct play plays[] = {
	{"a whole connection", .steps = {HANDSHAKE,
		{{A, ACK | PSH, 101, 501, 50}},
		{{B, ACK, 501, 151}},
		{{B, ACK | PSH, 501, 151, 1000}},
		{{A, ACK, 151, 1501}},
		{{A, FIN | ACK, 151, 1501}},
		{{B, ACK, 1501, 152}},
		{{B, ACK, 1501, 152, 500}},
		{{A, ACK, 152, 2001}},
		{{B, FIN | ACK, 2001, 152}},
		{{A, ACK, 152, 2002}},
		{{A, SYN, 70000}}}},
	{"SYN and SYN-ACK sent again", .steps = {
		{{A, SYN, 100}},
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}}}},
	{"opened from both sides", .steps = {
		{{A, SYN, 100}},
		{{B, SYN, 500}},
		{{A, SYN | ACK, 100, 501}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}},
		{{B, ACK, 501, 101}},
		{{A, SYN | ACK, 100, 501}, DROP_NONE, CROSSED_SYN_ACK},
		{{A, ACK, 101, 501, 100}},
		{{B, ACK, 501, 201, 100}}}},
	{"data on the SYN, taken", .steps = {
		{{A, SYN, 100, 0, 400}},
		{{B, SYN | ACK, 500, 501}},
		{{B, ACK, 501, 501, 1000}},
		{{B, ACK, 1501, 501, 1000}},
		{{A, ACK, 501, 2501}},
		{{A, ACK, 501, 2501, 100}}}},
	{"data on the SYN, not taken", .steps = {
		{{A, SYN, 100, 0, 400}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501, 400}},
		{{B, ACK, 501, 501}}}},
	{"refused", .steps = {
		{{A, SYN, 100}},
		{{B, RST | ACK, 0, 101}}}},
	{"refused, with data on the SYN", .steps = {
		{{A, SYN, 100, 0, 400}},
		{{B, RST | ACK, 0, 501}}}},
	{"numbers that wrap", .steps = {
		{{A, SYN, 0xfffffff0}},
		{{B, SYN | ACK, 0xffffff00, 0xfffffff1}},
		{{A, ACK, 0xfffffff1, 0xffffff01, 100}},
		{{B, ACK, 0xffffff01, 0x00000055, 1000}},
		{{A, FIN | ACK, 0x00000055, 0x000002e9}},
		{{B, FIN | ACK, 0x000002e9, 0x00000056}},
		{{A, ACK, 0x00000056, 0x000002ea}}}},
	{"keep-alives and a closed window", .steps = {HANDSHAKE,
		{{A, ACK, 100, 501}},
		{{B, ACK, 501, 101}},
		{{A, ACK, 100, 501, 1}},
		{{B, ACK, 501, 101, 0, NO_WINDOW}},
		{{A, ACK, 101, 501, 1}},
		{{B, ACK, 501, 101, 0, NO_WINDOW}},
		{{A, ACK, 101, 501, 1}},
		{{B, ACK, 501, 102}},
		{{A, ACK, 102, 501, 1000}}}},
	{"windows are scaled if both ends offer it", .steps = {
		{{A, SYN, 100, 0, 0, 1000, SCALE_7}},
		{{B, SYN | ACK, 500, 101, 0, 1000, SCALE_2}},
		{{A, ACK, 101, 501, 0, 1000}},
		{{B, ACK, 501, 101, 0, 1000}},
		{{A, ACK, 4101, 501, 1, 1000}},
		{{A, ACK, 4102, 501, 1, 1000}, OUT, BEYOND_WINDOW},
		{{B, ACK, 128501, 101, 1}},
		{{B, ACK, 256505, 101, 1}, OUT}}},
	{"a window that was closed from the beginning", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101, 0, NO_WINDOW}},
		{{A, ACK, 101, 501, 1}},
		{{B, ACK, 501, 102, 0, NO_WINDOW}},
		{{A, ACK, 103, 501, 1}},
		{{A, ACK, 104, 501, 1}, OUT}}},
	{"the window of a SYN is never scaled", .steps = {
		{{A, SYN, 100, 0, 0, 1000, SCALE_7}},
		{{B, SYN | ACK, 500, 101, 0, 1000, SCALE_7}},
		{{A, ACK, 101, 501, 0, 8}},
		{{B, ACK, 501, 101, 1000}},
		{{A, ACK, 101, 1501, 0, 8}},
		{{B, ACK, 470, 101, 8}},
		{{B, ACK, 468, 101, 8}, OUT, OLD_SEGMENT}}},
	{"windows are not scaled if one does not", .steps = {
		{{A, SYN, 100, 0, 0, 1000, SCALE_7}},
		{{B, SYN | ACK, 500, 101, 0, 1000, NO_SCALE}},
		{{A, ACK, 101, 501, 0, 1000}},
		{{B, ACK, 501, 101, 0, 1000}},
		{{A, ACK, 1101, 501, 1, 1000}},
		{{B, ACK, 1501, 101, 1, 1000}},
		{{A, ACK, 4101, 501, 1}, OUT},
		{{B, ACK, 4501, 101, 1}, OUT}}},
	{"a scale beyond the largest is the largest", .steps = {
		{{A, SYN, 100, 0, 0, 1000, "030340 01"}},
		{{B, SYN | ACK, 500, 101, 0, 1000, "030300 01"}},
		{{A, ACK, 101, 501, 0, 1000}},
		{{B, ACK, 16000000, 101, 1}},
		{{B, ACK, 36000000, 101, 1}, OUT}}},
	{"options that lie about their length", .steps = {
		{{A, SYN, 100, 0, 0, 1000, "03000303 03070000"}},
		{{B, SYN | ACK, 500, 101, 0, 1000, SCALE_7}},
		{{A, ACK, 101, 501, 0, 1000}},
		{{B, ACK, 10501, 101, 1}, OUT}}},
	{"beyond the window", .steps = {HANDSHAKE,
		{{A, ACK, 8293, 501, 1}},
		{{A, ACK, 8294, 501, 1}, OUT, BEYOND_WINDOW},
		{{A, ACK, 30000, 501, 1}, OUT},
		{{A, ACK, 0x80000000, 501, 1}, OUT},
		{{B, ACK, 30000, 101, 1}, OUT}}},
	{"before the window", .steps = {HANDSHAKE,
		{{A, ACK, 101, 501, 1000}},
		{{B, ACK, 501, 1101}},
		{{A, ACK, 101, 501, 1000}},
		{{A, ACK, (uint32_t)-8000, 501, 1}, OUT, OLD_SEGMENT},
		{{A, ACK, (uint32_t)-70000, 501, 1}, OUT, OLD_SEGMENT}}},
	{"acknowledgements of what was not sent, and of long ago", .steps = {HANDSHAKE,
		{{A, ACK, 101, 502}, OUT},
		{{A, ACK, 101, 0x40000000}, OUT},
		{{A, ACK, 101, (uint32_t)(501 - 66000)}},
		{{A, ACK, 101, (uint32_t)(500 - 66000)}, OUT, OLD_SEGMENT},
		{{A, ACK, 101, 501 + 0x80000001}, OUT, OLD_SEGMENT}}},
	{"a blind RST", .steps = {HANDSHAKE,
		{{B, RST, 500}, OUT},
		{{B, RST, 30000}, OUT},
		{{B, RST, 0x90000000}, OUT},
		{{A, RST, 30000}, OUT},
		{{A, ACK, 101, 501, 10}}}},
	{"a RST in the window ends nothing", .steps = {HANDSHAKE,
		{{B, RST, 2000}},
		{{A, ACK, 101, 501, 10}},
		{{B, ACK, 501, 111, 10}},
		{{B, RST, 511}},
		{{A, SYN, 0x10000000}}}},
	{"a RST after data that was not acknowledged yet", .steps = {HANDSHAKE,
		{{A, ACK, 101, 501, 1000}},
		{{A, RST | ACK, 1101, 501}}}},
	{"a RST that acknowledges what was not sent", .steps = {HANDSHAKE,
		{{A, RST | ACK, 101, 502}, OUT},
		{{A, RST | ACK, 101, 0}}}},
	{"a blind SYN", .steps = {HANDSHAKE,
		{{A, SYN, 5000}},
		{{A, SYN, 0x90000000}},
		{{B, SYN, 501}, STATE},
		{{B, SYN, 0x90000000}, STATE},
		{{A, ACK, 101, 501, 10}},
		{{B, ACK, 501, 111, 10}}}},
	{"a SYN is answered with a challenge, and that with a RST", .steps = {HANDSHAKE,
		{{A, SYN, 7000}},
		{{B, ACK, 501, 101}},
		{{A, RST, 101}},
		{{A, SYN, 7000}},
		{{B, SYN | ACK, 90000, 7001}},
		{{A, ACK, 7001, 90001}}}},
	{"both ends have forgotten the connection", .steps = {HANDSHAKE,
		{{A, ACK, 101, 501, 1000}},
		{{B, ACK, 501, 1101}},
		{{A, SYN, 0x70000000, 0, 0, 1000, SCALE_7}},
		{{B, SYN | ACK, 0x30000000, 0x70000001, 0, 1000, SCALE_7}},
		{{A, ACK, 0x70000001, 0x30000001}},
		{{B, ACK, 0x30000001, 0x70000001, 1000}},
		{{A, ACK, 0x70000001, 0x300003e9, 1000}},
		{{A, ACK, 1101, 501, 1}, OUT, OLD_SEGMENT}}},
	{"the server believes in an older connection", .steps = {
		{{A, SYN, 100}},
		{{B, ACK, 77777, 88888}},
		{{A, RST, 88888}},
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}}}},
	{"a blind SYN-ACK", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 102}, OUT},
		{{B, SYN | ACK, 500, 100}, OUT, HANDSHAKE_NUMBER},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}},
		{{A, SYN | ACK, 9000, 501}, OUT},
		{{B, SYN | ACK, 0x70000000, 101}, OUT, SYN_ACK_AGAIN}}},
	{"the ACK of a handshake must hit its number", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 502}, OUT},
		{{A, ACK, 101, 500}, OUT, HANDSHAKE_NUMBER},
		{{A, ACK, 101, 501}}}},
	{"nobody speaks before it", .steps = {
		{{A, ACK, 101, 501}, NEW},
		{{A, ACK, 101, 501, 10}, NEW},
		{{A, RST, 101}, NEW},
		{{A, FIN | ACK, 101, 501}, NEW},
		{{B, SYN | ACK, 500, 101}, NEW},
		{{A, SYN, 100}},
		{{A, ACK, 101, 501}, STATE},
		{{A, FIN | ACK, 101, 501}, STATE},
		{{B, FIN | ACK, 500, 101}, STATE},
		{{B, ACK, 500, 101, 10}, STATE, EARLY_DATA},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}}}},
	{"flags that cannot be", .steps = {HANDSHAKE,
		{{A, 0, 101, 501}, DROP_BAD_L4},
		{{A, FIN, 101, 501}, DROP_BAD_L4},
		{{A, PSH, 101, 501, 1}, DROP_BAD_L4},
		{{A, SYN | FIN, 101, 501}, DROP_BAD_L4},
		{{A, SYN | RST, 101, 501}, DROP_BAD_L4},
		{{A, RST | FIN | ACK, 101, 501}, DROP_BAD_L4},
		{{A, SYN | FIN | RST | ACK | PSH | 32, 101, 501}, DROP_BAD_L4},
		{{A, RST | 32, 101, 501}, DROP_BAD_L4},
		{{A, SYN | ACK | 32, 101, 501}, DROP_BAD_L4},
		{{A, ACK | 32 | PSH, 101, 501, 1}},
		{{A, FIN | ACK | 32, 102, 501}}}},
	{"a RST of a closing connection must hit the window", .steps = {HANDSHAKE,
		{{A, FIN | ACK, 101, 501}},
		{{B, ACK, 501, 102}},
		{{B, RST, 40000}, OUT, RST_NUMBER},
		{{B, RST, 501}}}},
	{"closed by numbers, not by flags", .steps = {HANDSHAKE,
		{{A, FIN | ACK, 101, 501}},
		{{B, FIN | ACK, 501, 101}},
		{{A, ACK, 102, 501}},
		{{B, SYN, 9000}, STATE, CLOSED_BY_NUMBER}}},
	{"the opener's RST", .steps = {
		{{A, SYN, 100}},
		{{A, RST, 50}, OUT, RST_NUMBER}}},
	{"a refusal that refuses another SYN", .steps = {
		{{A, SYN, 100}},
		{{B, RST | ACK, 0, 102}, OUT, RST_NUMBER}}},
	{"a blind refusal is not learned from", .steps = {
		{{A, SYN, 100}},
		{{B, RST | ACK, 0x10000000, 1100000}, OUT},
		{{B, SYN | ACK, 0x90000001, 101}, DROP_NONE, RST_NUMBER}}},
	{"a refusal of an older SYN", .steps = {
		{{A, SYN, 100}},
		{{B, RST | ACK, 0, 99}, OUT, RST_NUMBER}}},
	{"a refusal that acknowledges nothing", .steps = {
		{{A, SYN, 100}},
		{{B, RST, 0}, OUT, RST_NUMBER}}},
	{"a SYN again, with a lower number", .steps = {
		{{A, SYN, 0x20000000}},
		{{A, SYN, 0x10000000}},
		{{B, SYN | ACK, 500, 0x10000001}},
		{{A, ACK, 0x10000001, 501}, DROP_NONE, SYN_RENEWED}}},
	{"a SYN-ACK again, with another number, as from a cookie", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{B, SYN | ACK, 90000, 101}},
		{{A, ACK, 101, 90001}, DROP_NONE, SYN_RENEWED}}},
	{"selective acknowledgement of what was not sent", .steps = {
		{{A, SYN, 100, 0, 0, 8192, "0402 0101"}},
		{{B, SYN | ACK, 500, 101, 0, 8192, "0402 0101"}},
		{{A, ACK, 101, 501}},
		{{A, ACK, 101, 501, 0, 8192, "0101 050a 00001000 00002000"}, DROP_NONE, SACK_UNREAD}}},
	{"selective acknowledgement", .steps = {
		{{A, SYN, 100, 0, 0, 8192, "0402 0101"}},
		{{B, SYN | ACK, 500, 101, 0, 8192, "0402 0101"}},
		{{A, ACK, 101, 501}},
		{{B, ACK, 501, 101, 1000}},
		{{B, ACK, 1501, 101, 1000}},
		{{A, ACK, 101, 501, 0, 8192, "0101 050a 000005dd 000009c5"}},
		{{B, ACK, 501, 101, 1000}},
		{{A, ACK, 101, 2501}}}},
	{"after a reset the other end may begin", .steps = {HANDSHAKE,
		{{A, RST, 101}},
		{{B, SYN, 9000}, DROP_NONE, AFTER_RESET}}},
	{"a SYN-ACK that crosses the opener's RST", .steps = {
		{{A, SYN, 100}},
		{{A, RST, 101}},
		{{B, SYN | ACK, 500, 101}, STATE}}},
	{"a handshake that was reset goes no further", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, RST, 101}},
		{{B, SYN | ACK, 500, 101}, STATE, AFTER_RESET},
		{{A, ACK, 101, 501}, STATE, AFTER_RESET},
		{{A, SYN, 9000}},
		{{B, SYN | ACK, 7000, 9001}},
		{{A, ACK, 9001, 7001}}}},
	{"the opener's RST has no acknowledgement", .steps = {
		{{A, SYN, 100}},
		{{A, RST | ACK, 101, 66001}, OUT}}},
	{"after the close the other end may begin", .steps = {HANDSHAKE,
		{{A, FIN | ACK, 101, 501}},
		{{B, FIN | ACK, 501, 102}},
		{{A, ACK, 102, 502}},
		{{B, SYN, 9000}},
		{{A, SYN | ACK, 700, 9001}},
		{{B, ACK, 9001, 701}}}},
	{"loose: picked up in the middle", true, {
		{{A, ACK, 1000, 5000, 10}},
		{{B, ACK, 5000, 1010, 1000}},
		{{A, ACK, 1010, 6000}},
		{{B, ACK, 4000, 1010, 1000}},
		{{A, ACK, 1010, 9000}},
		{{A, FIN | ACK, 1010, 9000}},
		{{B, FIN | ACK, 9000, 1011}},
		{{A, ACK, 1011, 9001}}}},
	{"loose: never by FIN, RST or SYN-ACK", true, {
		{{A, FIN | ACK, 1000, 5000}, NEW},
		{{A, RST, 1000, 5000}, NEW},
		{{A, RST | ACK, 1000, 5000}, NEW},
		{{B, SYN | ACK, 1000, 5000}, NEW}}},
};
/* clang-format on */

static bool seen[DIFFERENCE_COUNT];
static uint16_t next_port = 20000;

static const char *said(bool passes)
{
	return passes ? "passes" : "drops";
}

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
		 step->reason, said(kernel), said(wanted));
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
		fail_msg("%s, IPv%d: nf_conntrack %s it", q->name, b->family, said(kernel));
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

/* docs/CONNTRACK.md has a heading for each difference, and no other; and each was seen above. */
static void documented(void **state)
{
	FILE *doc = fopen("docs/CONNTRACK.md", "r");
	char line[256];
	bool told[DIFFERENCE_COUNT] = { true };

	(void)state;
	if (!doc)
		fail_msg("docs/CONNTRACK.md cannot be opened (run in the top directory)");
	while (fgets(line, sizeof(line), doc)) {
		enum difference d = 1;

		/* Those of SCTP are another test's. */
		if (strncmp(line, "### ", 4) || !strncmp(line, "### sctp-", 9))
			continue;
		line[strcspn(line, "\n")] = 0;
		while (d < DIFFERENCE_COUNT && strcmp(difference_name(d), line + 4))
			d++;
		if (d == DIFFERENCE_COUNT)
			fail_msg("docs/CONNTRACK.md: %s is no difference", line + 4);
		told[d] = true;
	}
	fclose(doc);
	for (enum difference d = 1; d < DIFFERENCE_COUNT; d++)
		if (!told[d] || !seen[d])
			fail_msg("%s is %s", difference_name(d), told[d] ? "never seen" : "not in docs/CONNTRACK.md");
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

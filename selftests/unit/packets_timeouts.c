// SPDX-License-Identifier: BSD-2-Clause
/*
 * Idle times, judged by the clock: flows of each protocol and state are left alone for a while, here and in nf_conntrack, once
 * with a short time for that state and long ones for all others, and once the other way round. Then B speaks, who may begin
 * nothing: it passes if the flow is known. So the state is the same on both sides, and what it is called.
 */
#include <time.h>
#include <unistd.h>

#include "selftests/unit/lib/duel.h"

#define SHORT	1 /* seconds */
#define LONG	60
#define WAIT_US 2300000 /* more than SHORT, and more than the two seconds after which UDP is assured */

struct one {
	enum who from;
	uint32_t seq, ack; /* SCTP: the tag */
	uint8_t flags;
	uint16_t payload;
	const char *chunks;
	uint8_t icmp; /* type; of IPv6 */
};

/* Each idle time, and what nf_conntrack calls it. */
static const struct timeout {
	enum ct_timeout ours;
	const char *theirs;
} timeouts[] = {
	{ CT_TCP_SYN, "tcp_timeout_syn_sent" },
	{ CT_TCP_SYN_RECV, "tcp_timeout_syn_recv" },
	{ CT_TCP_ESTABLISHED, "tcp_timeout_established" },
	{ CT_TCP_UNACKNOWLEDGED, "tcp_timeout_unacknowledged" },
	{ CT_TCP_FIN, "tcp_timeout_fin_wait" },
	{ CT_TCP_CLOSE_WAIT, "tcp_timeout_close_wait" },
	{ CT_TCP_LAST_ACK, "tcp_timeout_last_ack" },
	{ CT_TCP_TIME_WAIT, "tcp_timeout_time_wait" },
	{ CT_TCP_CLOSED, "tcp_timeout_close" },
	{ CT_UDP, "udp_timeout" },
	{ CT_UDP_REPLIED, "udp_timeout_stream" },
	/* Here an INIT has a time of its own; there it has that of what is closed. */
	{ CT_SCTP_INIT, "sctp_timeout_closed" },
	{ CT_SCTP_COOKIE_WAIT, "sctp_timeout_cookie_wait" },
	{ CT_SCTP_COOKIE_ECHOED, "sctp_timeout_cookie_echoed" },
	{ CT_SCTP_ESTABLISHED, "sctp_timeout_established" },
	{ CT_SCTP_SHUTDOWN_SENT, "sctp_timeout_shutdown_sent" },
	{ CT_SCTP_SHUTDOWN_RECEIVED, "sctp_timeout_shutdown_recd" },
	{ CT_SCTP_SHUTDOWN_ACK_SENT, "sctp_timeout_shutdown_ack_sent" },
	{ CT_SCTP_HEARTBEAT_SENT, "sctp_timeout_heartbeat_sent" },
	{ CT_SCTP_CLOSED, "sctp_timeout_closed" },
	{ CT_ICMP, "icmp_timeout" },
	{ CT_ICMPV6, "icmpv6_timeout" },
	{ CT_GRE, "gre_timeout" },
	{ CT_GRE_REPLIED, "gre_timeout_stream" },
	{ CT_OTHER, "generic_timeout" },
};

#define TIMEOUTS (sizeof(timeouts) / sizeof(timeouts[0]))

static const struct play {
	const char *name;
	enum ct_timeout timeout;
	uint8_t protocol;
	struct one early[3]; /* two seconds before the rest */
	struct one begin[10], last; /* `last`: what B says at the end */
} plays[] = {
/* clang-format off */
#define T_SYN	  {A, 100, 0, SYN}
#define T_SYN_ACK {B, 500, 101, SYN | ACK}
#define T_OPEN	  T_SYN, T_SYN_ACK, {A, 101, 501, ACK}
	{"SYN", CT_TCP_SYN, TCP, {}, {T_SYN}, T_SYN_ACK},
	{"SYN-ACK", CT_TCP_SYN_RECV, TCP, {}, {T_SYN, T_SYN_ACK}, T_SYN_ACK},
	{"open", CT_TCP_ESTABLISHED, TCP, {}, {T_OPEN}, {B, 501, 101, ACK}},
	{"open, data acknowledged", CT_TCP_ESTABLISHED, TCP, {},
		{T_OPEN, {A, 101, 501, ACK, 10}, {B, 501, 111, ACK}}, {B, 501, 111, ACK}},
	{"data not acknowledged", CT_TCP_UNACKNOWLEDGED, TCP, {}, {T_OPEN, {A, 101, 501, ACK, 10}}, {B, 501, 111, ACK}},
	{"FIN", CT_TCP_FIN, TCP, {}, {T_OPEN, {A, 101, 501, FIN | ACK}}, {B, 501, 102, ACK}},
	{"FIN, acknowledged", CT_TCP_CLOSE_WAIT, TCP, {},
		{T_OPEN, {A, 101, 501, FIN | ACK}, {B, 501, 102, ACK}}, {B, 501, 102, ACK, 10}},
	{"both FIN", CT_TCP_LAST_ACK, TCP, {},
		{T_OPEN, {A, 101, 501, FIN | ACK}, {B, 501, 102, FIN | ACK}}, {B, 501, 102, FIN | ACK}},
	{"both FIN, acknowledged", CT_TCP_TIME_WAIT, TCP, {},
		{T_OPEN, {A, 101, 501, FIN | ACK}, {B, 501, 102, FIN | ACK}, {A, 102, 502, ACK}}, {B, 501, 102, FIN | ACK}},
	{"reset", CT_TCP_CLOSED, TCP, {}, {T_OPEN, {A, 101, 0, RST}}, {B, 501, 101, ACK}},

	{"a question", CT_UDP, UDP, {}, {{A}}, {B}},
	{"a question and its answer", CT_UDP, UDP, {}, {{A}, {B}}, {B}},
	{"many answers at once", CT_UDP, UDP, {}, {{A}, {B}, {A}, {B}, {B}, {A}}, {B}},
	{"a late answer", CT_UDP, UDP, {{A}}, {{B}}, {B}},
	{"a stream of one end", CT_UDP, UDP, {{A}, {A}}, {{A}, {A}}, {B}},
	{"a stream", CT_UDP_REPLIED, UDP, {{A}, {B}}, {{A}}, {B}},
	{"a stream of the other end", CT_UDP_REPLIED, UDP, {{A}, {B}}, {{B}}, {B}},
	{"a late answer, and more", CT_UDP_REPLIED, UDP, {{A}}, {{B}, {A}}, {B}},

#define TAG_A 0xa1a1a1a1
#define TAG_B 0xb2b2b2b2
#define S_INIT	   {A, 0, .chunks = "01000014 a1a1a1a1 00010000 000a000a 00000001"}
#define S_INIT_ACK {B, TAG_A, .chunks = "02000014 b2b2b2b2 00010000 000a000a 00000001"}
#define S_ECHO	   {A, TAG_B, .chunks = "0a000008 c00c1e00"}
#define S_ACK	   {B, TAG_A, .chunks = "0b000004"}
#define S_OPEN	   S_INIT, S_INIT_ACK, S_ECHO, S_ACK
#define S_DATA	   {B, TAG_A, .chunks = "00030014 00000001 00000000 00000000 64617461"}
#define S_SHUT	   "07000008 00000001"
#define S_SHUT_ACK "08000004"
	{"INIT", CT_SCTP_INIT, SCTP, {}, {S_INIT}, S_INIT_ACK},
	{"INIT ACK", CT_SCTP_COOKIE_WAIT, SCTP, {}, {S_INIT, S_INIT_ACK}, S_INIT_ACK},
	{"COOKIE ECHO", CT_SCTP_COOKIE_ECHOED, SCTP, {}, {S_INIT, S_INIT_ACK, S_ECHO}, S_ACK},
	{"an association", CT_SCTP_ESTABLISHED, SCTP, {}, {S_OPEN}, S_DATA},
	{"an association with data", CT_SCTP_ESTABLISHED, SCTP, {}, {S_OPEN, S_DATA}, S_DATA},
	{"SHUTDOWN", CT_SCTP_SHUTDOWN_SENT, SCTP, {}, {S_OPEN, {A, TAG_B, .chunks = S_SHUT}}, S_DATA},
	{"SHUTDOWN of the other end", CT_SCTP_SHUTDOWN_RECEIVED, SCTP, {}, {S_OPEN, {B, TAG_A, .chunks = S_SHUT}},
		{B, TAG_A, .chunks = S_SHUT}},
	{"SHUTDOWN ACK", CT_SCTP_SHUTDOWN_ACK_SENT, SCTP, {},
		{S_OPEN, {A, TAG_B, .chunks = S_SHUT}, {B, TAG_A, .chunks = S_SHUT_ACK}}, {B, TAG_A, .chunks = S_SHUT}},
	{"SHUTDOWN COMPLETE", CT_SCTP_CLOSED, SCTP, {},
		{S_OPEN, {A, TAG_B, .chunks = S_SHUT}, {B, TAG_A, .chunks = S_SHUT_ACK}, {A, TAG_B, .chunks = "0e000004"}},
		S_DATA},
	{"ABORT", CT_SCTP_CLOSED, SCTP, {}, {S_OPEN, {A, TAG_B, .chunks = "06000004"}}, S_DATA},
	{"HEARTBEAT", CT_SCTP_HEARTBEAT_SENT, SCTP, {}, {{A, TAG_B, .chunks = "0400000c 00010008 12345678"}},
		{B, TAG_A, .chunks = "0500000c 00010008 12345678"}},
	{"another path", CT_SCTP_ESTABLISHED, SCTP, {},
		{{A, TAG_B, .chunks = "0400000c 00010008 12345678"}, {B, TAG_A, .chunks = "0500000c 00010008 12345678"}}, S_DATA},

	{"ping", CT_ICMP, ICMP4, {}, {{A, .icmp = 8}}, {B, .icmp = 0}},
	{"ping, answered for long", CT_ICMP, ICMP4, {{A, .icmp = 8}, {B, .icmp = 0}}, {{A, .icmp = 8}, {B, .icmp = 0}, {A, .icmp = 8}},
		{B, .icmp = 0}},
	{"ping6", CT_ICMPV6, ICMP6, {}, {{A, .icmp = 128}}, {B, .icmp = 129}},
	{"GRE", CT_GRE, 47, {}, {{A}}, {B}},
	{"GRE, answered", CT_GRE_REPLIED, 47, {}, {{A}, {B}, {A}}, {B}},
	{"ESP", CT_OTHER, 50, {}, {{A}}, {B}},
	{"ESP, answered", CT_OTHER, 50, {{A}, {B}}, {{A}, {B}, {A}}, {B}},
/* clang-format on */
};

#define PLAYS (sizeof(plays) / sizeof(plays[0]))

/* A flow of that play on its way: `brief` says for whose time it waits too long. */
struct flow_at {
	const struct play *play;
	bool brief;
	uint8_t family;
	enum flavour flavour;
	uint16_t id; /* A's port, or a ping's id */
	uint8_t protocol;
};

static struct frame frame_of(const struct flow_at *at, const struct one *one)
{
	bool from_a = one->from == A, icmp = at->play->protocol == ICMP4 || at->play->protocol == ICMP6;
	struct packet p = { .from = one->from,
			    .to = from_a ? B : A,
			    .family = at->family,
			    .protocol = at->protocol,
			    .sport = from_a ? at->id : 80,
			    .dport = from_a ? 80 : at->id,
			    .flags = one->flags,
			    .seq = one->seq,
			    .ack = one->ack,
			    .payload = at->play->protocol == TCP || at->play->protocol == SCTP ? one->payload : 8,
			    .options = one->chunks };

	if (icmp) {
		p.sport = one->icmp << 8;
		p.dport = at->id;
	}
	return packet_frame(p);
}

static uint32_t hz; /* the kernel's, not that of the tests' world */

static void use_the_clock(void)
{
	static const uint32_t known[] = { 100, 250, 300, 1000 };
	uint32_t zero = 0, began = jiffies_now();
	struct timespec from, to;
	struct host_config host;
	double second;

	clock_gettime(CLOCK_MONOTONIC, &from);
	/* So long that it makes no difference if somebody else has the processor for a while. */
	usleep(1000000);
	clock_gettime(CLOCK_MONOTONIC, &to);
	second = (jiffies_now() - began) / ((double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	for (int i = 0; i < 4 && (!hz || known[i] <= second * 1.1); i++)
		hz = known[i];
	map_get("host", &zero, &host);
	host.hz = hz;
	map_put("host", &zero, &host);
}

/* That of unacknowledged data bounds others, and so is long among them. */
static uint32_t time_of(enum ct_timeout timeout, enum ct_timeout only, bool brief)
{
	if (timeout == CT_TCP_UNACKNOWLEDGED && only != timeout)
		return LONG;
	return (timeout == only) == brief ? SHORT : LONG;
}

static void ours_time(enum ct_timeout only, bool brief)
{
	struct tenant t = world_tenant();

	t.shortest = SHORT * hz;
	for (int i = 0; i < CT_TIMEOUT_COUNT; i++)
		t.timeout[i] = time_of(i, only, brief) * hz;
	tenant_put(&t);
}

static void theirs_time(enum ct_timeout only, bool brief)
{
	for (size_t i = 0; i < TIMEOUTS; i++)
		judge_set(duel_judge(), timeouts[i].theirs, time_of(timeouts[i].ours, only, brief));
	/* Two of ours have one name there: the later of the list counts. */
	if (only == CT_SCTP_INIT)
		judge_set(duel_judge(), "sctp_timeout_closed", brief ? SHORT : LONG);
}

static void everything_long(void)
{
	ours_time(CT_TIMEOUT_COUNT, true);
	theirs_time(CT_TIMEOUT_COUNT, true);
}

static void say(const struct flow_at *at, const struct one *list)
{
	for (int i = 0; list[i].from; i++) {
		struct frame f = frame_of(at, &list[i]);
		enum drop_reason reason = duel_ours_of(at->flavour, list[i].from, &f);
		bool kernel = judge_passes(duel_judge(), list[i].from == A, &f);

		if (reason || !kernel)
			fail_msg("%s, IPv%d: packet %d: our reason %d; nf_conntrack %s it", at->play->name, at->family,
				 i + 1, reason, kernel ? "passes" : "drops");
	}
}

static int wrong;

static void last_word(const struct flow_at *at)
{
	struct frame f = frame_of(at, &at->play->last);
	/* The bound of what is not acknowledged makes no time longer. */
	bool known = !at->brief && at->play->timeout != CT_TCP_UNACKNOWLEDGED, ours, theirs;

	ours_time(at->play->timeout, at->brief);
	ours = !duel_ours_of(at->flavour, B, &f);
	theirs = judge_passes(duel_judge(), false, &f);
	if (ours == known && theirs == known)
		return;
	wrong++;
	print_error("%s, IPv%d, %s: it is %s here, %s in nf_conntrack\n", at->play->name, at->family,
		    at->brief ? "too late" : "in time", ours ? "known" : "not known", theirs ? "known" : "not known");
}

/*
 * GRE has one flow a family between A and B, so each round has one of its states in each; all else is in the first. Other
 * protocols without ports are told apart by their number.
 */
static bool is_dealt(struct flow_at *at, int round, size_t n)
{
	uint8_t protocol = at->play->protocol;

	at->id = 30000 + n;
	at->protocol = protocol == 50 ? 100 + n : protocol;
	if (protocol == 47)
		return at->brief != round && (at->family == 6) == (at->play->timeout == CT_GRE_REPLIED);
	if ((protocol == ICMP4 && at->family == 6) || (protocol == ICMP6 && at->family == 4))
		return false;
	return !round;
}

static size_t deal(struct flow_at *all, int round)
{
	size_t n = 0;

	for (size_t i = 0; i < PLAYS; i++)
		for (int v = 0; v < 4; v++) {
			all[n] = (struct flow_at){ &plays[i], v & 1, v & 2 ? 6 : 4, (i + v / 2) & 1 };
			n += is_dealt(&all[n], round, i * 4 + v);
		}
	return n;
}

static void play_round(void **state, int round)
{
	static struct flow_at all[PLAYS * 4 + 1];
	size_t n = deal(all, round);

	world_reset(state);
	acl_put(&(struct acl_entry){ .direction = TO_WORKLOAD, .action = ACL_ALLOW, .port = 2 + 1, ACL_ALL }, 1);
	use_the_clock();
	everything_long();
	for (size_t i = 0; i < n; i++)
		say(&all[i], all[i].play->early);
	usleep(WAIT_US);
	for (size_t i = 0; i < n; i++) {
		theirs_time(all[i].play->timeout, all[i].brief);
		say(&all[i], all[i].play->begin);
	}
	usleep(WAIT_US);
	for (size_t i = 0; i < n; i++)
		last_word(&all[i]);
}

static void every_state(void **state)
{
	judge_let_a_begin(duel_judge());
	for (int round = 0; round < 2; round++)
		play_round(state, round);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state),
	};

	return cmocka_run_group_tests(tests, duel_open, world_close);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcp: connections played segment by segment; after each, the states of both halves, the table that
 * holds the flow, and the verdict. A is the client (10.0.1.1:1000, the low end, dir[0]), B the
 * server.
 */
#include "include/flow_table.h"
#include "selftests/unit/lib/world.h"

enum { NO_FLOW = 0, HALF = 1, FULL = 2, BOTH = HALF | FULL };
enum {
	NONE = TCP_HALF_NONE,
	SYN_SENT = TCP_HALF_SYN,
	OPEN = TCP_HALF_ESTABLISHED,
	FIN_SENT = TCP_HALF_FIN,
	CLOSED = TCP_HALF_FIN_ACKED,
	GONE = TCP_HALF_RESET
};

struct segment {
	enum who from; /* NOBODY ends the play */
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t payload;
	enum drop_reason reason;
	uint8_t table, client, server; /* afterwards */
};

struct play {
	const char *name;
	bool loose;
	struct segment segments[12];
};

/* clang-format off */
#define HANDSHAKE \
	{A, SYN, 100, 0, 0, 0, HALF, SYN_SENT, NONE}, \
	{B, SYN | ACK, 500, 101, 0, 0, HALF, OPEN, SYN_SENT}, \
	{A, ACK, 101, 501, 0, 0, FULL, OPEN, OPEN}

static const struct play plays[] = {
	{"handshake and data", .segments = {HANDSHAKE,
		{A, ACK | PSH, 101, 501, 50, 0, FULL, OPEN, OPEN},
		{B, ACK, 501, 151, 0, 0, FULL, OPEN, OPEN},
		{B, ACK, 501, 151, 1000, 0, FULL, OPEN, OPEN}}},
	{"repeated SYN and SYN-ACK", .segments = {
		{A, SYN, 100, 0, 0, 0, HALF, SYN_SENT, NONE},
		{A, SYN, 100, 0, 0, 0, HALF, SYN_SENT, NONE},
		{B, SYN | ACK, 500, 101, 0, 0, HALF, OPEN, SYN_SENT},
		{B, SYN | ACK, 500, 101, 0, 0, HALF, OPEN, SYN_SENT},
		{A, SYN, 100, 0, 0, 0, HALF, OPEN, SYN_SENT},
		{A, ACK, 101, 501, 0, 0, FULL, OPEN, OPEN}}},
	{"opened from both sides", .segments = {
		{A, SYN, 100, 0, 0, 0, HALF, SYN_SENT, NONE},
		{B, SYN, 500, 0, 0, 0, HALF, SYN_SENT, SYN_SENT},
		{A, SYN | ACK, 100, 501, 0, 0, HALF, SYN_SENT, OPEN},
		{B, SYN | ACK, 500, 101, 0, 0, FULL, OPEN, OPEN}}},
	{"refused by RST", .segments = {
		{A, SYN, 100, 0, 0, 0, HALF, SYN_SENT, NONE},
		{B, RST | ACK, 0, 101, 0, 0, HALF, GONE, GONE},
		{A, SYN, 900, 0, 0, 0, HALF, SYN_SENT, NONE}}},
	{"closed by the client first", .segments = {HANDSHAKE,
		{A, FIN | ACK, 101, 501, 0, 0, FULL, FIN_SENT, OPEN},
		{B, ACK, 501, 102, 0, 0, FULL, CLOSED, OPEN},
		{B, ACK, 501, 102, 77, 0, FULL, CLOSED, OPEN},
		{B, FIN | ACK, 578, 102, 0, 0, FULL, CLOSED, FIN_SENT},
		{A, ACK, 102, 579, 0, 0, FULL, CLOSED, CLOSED},
		{A, ACK, 102, 579, 0, 0, FULL, CLOSED, CLOSED}}},
	{"closed by the server first", .segments = {HANDSHAKE,
		{B, FIN | ACK, 501, 101, 10, 0, FULL, OPEN, FIN_SENT},
		{A, ACK, 101, 501, 0, 0, FULL, OPEN, FIN_SENT},
		{A, FIN | ACK, 101, 512, 0, 0, FULL, FIN_SENT, CLOSED},
		{B, ACK, 512, 102, 0, 0, FULL, CLOSED, CLOSED}}},
	{"closed by both at once", .segments = {HANDSHAKE,
		{A, FIN | ACK, 101, 501, 0, 0, FULL, FIN_SENT, OPEN},
		{B, FIN | ACK, 501, 101, 0, 0, FULL, FIN_SENT, FIN_SENT},
		{A, ACK, 102, 502, 0, 0, FULL, FIN_SENT, CLOSED},
		{B, ACK, 502, 102, 0, 0, FULL, CLOSED, CLOSED}}},
	{"ports used anew after the close", .segments = {HANDSHAKE,
		{A, FIN | ACK, 101, 501, 0, 0, FULL, FIN_SENT, OPEN},
		{B, FIN | ACK, 501, 102, 0, 0, FULL, CLOSED, FIN_SENT},
		{A, ACK, 102, 502, 0, 0, FULL, CLOSED, CLOSED},
		{A, SYN, 9000, 0, 0, 0, HALF, SYN_SENT, NONE}}},
	{"reset by the server", .segments = {HANDSHAKE,
		{B, RST, 501, 0, 0, 0, FULL, GONE, GONE},
		{A, ACK, 101, 501, 0, 0, FULL, GONE, GONE},
		{A, SYN, 9000, 0, 0, 0, HALF, SYN_SENT, NONE}}},
	{"reset by the client", .segments = {HANDSHAKE,
		{A, RST | ACK, 101, 501, 0, 0, FULL, GONE, GONE}}},
	{"a SYN in an open connection changes nothing", .segments = {HANDSHAKE,
		{A, SYN, 5000, 0, 0, 0, BOTH, OPEN, OPEN},
		{B, ACK, 501, 101, 0, 0, BOTH, OPEN, OPEN}}},
	{"both ends begin anew, and only we remember", .segments = {HANDSHAKE,
		{A, SYN, 5000, 0, 0, 0, BOTH, OPEN, OPEN},
		{B, SYN | ACK, 9000, 5002, 0, DROP_CT_TCP_WINDOW, BOTH, OPEN, OPEN},
		{B, SYN | ACK, 90000, 5001, 0, 0, BOTH, OPEN, OPEN},
		{A, ACK, 101, 501, 10, 0, BOTH, OPEN, OPEN},
		{A, ACK, 5001, 90001, 0, 0, FULL, OPEN, OPEN},
		{B, ACK, 90001, 5001, 100, 0, FULL, OPEN, OPEN},
		{B, ACK, 501, 111, 0, DROP_CT_TCP_WINDOW, FULL, OPEN, OPEN}}},
	{"sequence numbers that wrap", .segments = {
		{A, SYN, 0xffffffff, 0, 0, 0, HALF, SYN_SENT, NONE},
		{B, SYN | ACK, 0xfffffff0, 0, 0, 0, HALF, OPEN, SYN_SENT},
		{A, ACK, 0, 0xfffffff1, 0, 0, FULL, OPEN, OPEN},
		{B, FIN | ACK, 0xfffffff1, 0, 30, 0, FULL, OPEN, FIN_SENT},
		{A, ACK, 0, 0x0000000f, 0, 0, FULL, OPEN, FIN_SENT},
		{A, ACK, 0, 0x00000010, 0, 0, FULL, OPEN, CLOSED}}},
	{"data before the handshake", .segments = {
		{A, ACK | PSH, 101, 501, 5, DROP_CT_INVALID, NO_FLOW},
		{B, SYN | ACK, 500, 101, 0, DROP_CT_INVALID, NO_FLOW},
		{A, RST, 101, 0, 0, DROP_CT_INVALID, NO_FLOW},
		{A, FIN | ACK, 101, 0, 0, DROP_CT_INVALID, NO_FLOW}}},
	{"a server that talks before its SYN-ACK", .segments = {
		{A, SYN, 100, 0, 0, 0, HALF, SYN_SENT, NONE},
		{B, ACK | PSH, 500, 101, 10, DROP_CT_TCP_STATE, HALF, SYN_SENT, NONE},
		{B, FIN | ACK, 500, 101, 0, DROP_CT_TCP_STATE, HALF, SYN_SENT, NONE},
		{B, SYN | ACK, 500, 101, 0, 0, HALF, OPEN, SYN_SENT}}},
	{"a FIN without ACK", .segments = {HANDSHAKE,
		{A, FIN, 101, 0, 0, DROP_BAD_L4, FULL, OPEN, OPEN}}},
	{"loose: picked up in the middle", true, {
		{A, ACK, 101, 501, 10, 0, FULL, OPEN, OPEN},
		{B, ACK, 501, 111, 0, 0, FULL, OPEN, OPEN},
		{A, FIN | ACK, 111, 501, 0, 0, FULL, FIN_SENT, OPEN}}},
	{"loose: never by RST or SYN-ACK", true, {
		{A, RST, 101, 0, 0, DROP_CT_INVALID, NO_FLOW},
		{A, SYN | ACK, 101, 5, 0, DROP_CT_INVALID, NO_FLOW}}},
};
/* clang-format on */

static void check_after(const struct segment *s, uint8_t family)
{
	const char *half = family == 4 ? "half4" : "half6", *full = family == 4 ? "ct4" : "ct6";
	struct flow f;

	case_assert(flow_count(half) == !!(s->table & HALF) && flow_count(full) == !!(s->table & FULL));
	if (s->table == NO_FLOW)
		return;
	f = flow_only(s->table & FULL ? full : half, NULL);
	case_assert(FLOW_TCP_HALF(f.path[0].tcp) == s->client && FLOW_TCP_HALF(f.path[1].tcp) == s->server);
}

static void one_play(const struct play *play, uint8_t family, enum flavour flavour)
{
	char name[128];

	for (int i = 0; play->segments[i].from; i++) {
		const struct segment *s = &play->segments[i];
		struct packet p = { s->from,
				    s->from == A ? B : A,
				    family,
				    TCP,
				    s->from == A ? 1000 : 80,
				    s->from == A ? 80 : 1000,
				    s->flags,
				    s->seq,
				    s->ack,
				    s->payload };
		struct frame f = packet_frame(p);

		snprintf(name, sizeof(name), "%s, IPv%d, segment %d", play->name, family, i + 1);
		world_case(name, flavour);
		expect(HOOK_PORT, flavour, s->from == A ? DEVICE_A : DEVICE_B, &f,
		       s->reason ? DROPPED : SENT, s->reason);
		check_after(s, family);
	}
}

static void every_play(void **state)
{
	struct acl_entry into_b = {
		.direction = TO_WORKLOAD, .action = ACL_ALLOW, .port = 2 + 1, ACL_ALL
	};

	for (size_t i = 0; i < sizeof(plays) / sizeof(*plays); i++)
		for (int family = 4; family <= 6; family += 2)
			for_each_flavour(flavour)
			{
				struct tenant t;

				world_reset(state);
				acl_put(&into_b, 1);
				t = world_tenant();
				t.flags |= plays[i].loose ? TENANT_LOOSE : 0;
				tenant_put(&t);
				one_play(&plays[i], family, flavour);
			}
}

/* The states' own idle times: a connection is over when its time is, and only then. */
static void idle_times(void **state)
{
	static const struct {
		const char *name;
		uint8_t client, server;
		enum ct_timeout timeout;
	} cases[] = {
		{ "established", OPEN, OPEN, CT_TCP_ESTABLISHED },
		{ "half open", SYN_SENT, NONE, CT_TCP_SYN },
		{ "SYN-ACK sent", OPEN, SYN_SENT, CT_TCP_SYN },
		{ "closing", FIN_SENT, OPEN, CT_TCP_FIN },
		{ "half closed", OPEN, CLOSED, CT_TCP_FIN },
		{ "closing both ways", CLOSED, FIN_SENT, CT_TCP_FIN },
		{ "time wait", CLOSED, CLOSED, CT_TCP_TIME_WAIT },
		{ "reset", GONE, GONE, CT_TCP_CLOSED },
	};
	static const struct play open = { "opening", .segments = { HANDSHAKE } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(
				(struct packet){ B, A, 4, TCP, 80, 1000, ACK, 501, 101, 1 });
			uint32_t limit = 10000 * (cases[i].timeout + 1);
			struct flow flow;

			world_reset(state);
			acl_allow_all();
			one_play(&open, 4, flavour);
			world_case(cases[i].name, flavour);
			flow = flow_only("ct4", NULL);
			flow.path[0].tcp = cases[i].client;
			flow.path[1].tcp = cases[i].server;
			flow.path[0].flags |= FLOW_CLOSING;
			flow.path[1].flags |= FLOW_CLOSING;
			flow.dir[0].last_seen = flow.dir[1].last_seen =
				jiffies_now() - limit + 1000;
			flow_change("ct4", &flow);
			/* Alive: it is the state machine, if anything, that says no. */
			expect(HOOK_PORT, flavour, DEVICE_B, &f,
			       cases[i].server == NONE ? DROPPED : SENT,
			       cases[i].server == NONE ? DROP_CT_TCP_STATE : DROP_NONE);
			flow.dir[0].last_seen = flow.dir[1].last_seen =
				jiffies_now() - limit - 1000;
			flow_change("ct4", &flow);
			expect(HOOK_PORT, flavour, DEVICE_B, &f, DROPPED, DROP_CT_INVALID);
			case_assert(!flow_count("ct4"));
		}
}

/*
 * A denied SYN leaves nothing behind; no room for the connection that is done shaking hands is
 * ct_full.
 */
static void no_flow(void **state)
{
	static const struct packet syn = { A, B, 4, TCP, 1000, 80, SYN, 100 };
	static const struct packet syn_ack = { B, A, 4, TCP, 80, 1000, SYN | ACK, 500, 101 };
	static const struct packet ack = { A, B, 4, TCP, 1000, 80, ACK, 101, 501 };

	for_each_flavour(flavour)
	{
		struct frame f = packet_frame(syn), other;

		world_reset(state);
		world_case("a SYN that is denied", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_ACL_IN);
		case_assert(!flow_count("half4") && !flow_count("ct4"));

		world_case("no room for the connection", flavour);
		acl_allow_all();
		inner_resize("ct4", 1);
		for (int i = 0; i < FLOW_PLACES; i++) {
			other = packet_frame((struct packet){ A, B, 4, UDP, 1 + i, 2 });
			expect(HOOK_PORT, flavour, DEVICE_A, &other, SENT, DROP_NONE);
			other = packet_frame((struct packet){ B, A, 4, UDP, 2, 1 + i });
			expect(HOOK_PORT, flavour, DEVICE_B, &other, SENT, DROP_NONE);
		}
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		f = packet_frame(syn_ack);
		expect(HOOK_PORT, flavour, DEVICE_B, &f, SENT, DROP_NONE);
		f = packet_frame(ack);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_CT_FULL);
		case_assert(flow_count("half4") == 1 && flow_count("ct4") == FLOW_PLACES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_play, world_reset),
		cmocka_unit_test_setup(idle_times, world_reset),
		cmocka_unit_test_setup(no_flow, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

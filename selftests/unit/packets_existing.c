// SPDX-License-Identifier: BSD-2-Clause
/*
 * existing: flows that are older than the chain on a wire. `keep`: they go on without it until they
 * end, whichever direction, family and protocol; `reset`: they are ended. Whatever begins anew is
 * new, and what is judged again stays as old as it was.
 */
#include "selftests/unit/lib/world.h"

/* The chain comes onto this wire; the epoch follows, unless `early`. */
static void chain_comes_onto(enum who w, uint8_t flags, bool early)
{
	struct chain chain;
	struct port port;

	chain_protect(w, false);
	chain = chain_now();
	chain.flags = flags;
	chain_put(&chain);
	port = port_get(w);
	port.chain_since = world_tenant().epoch + 1;
	port_put(w, &port);
	if (!early)
		tenant_bump();
}

static struct result send_frame(enum flavour flavour, struct packet p, enum outcome outcome,
				enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	if (p.from == R)
		frame_wrap(&f, &(struct tunnelled){ 0 });
	return expect(p.from == R ? HOOK_UNDERLAY : HOOK_PORT, flavour,
		      p.from == R ? DEVICE_U : p.from == A ? DEVICE_A : DEVICE_B, &f, outcome, reason);
}

/* Sent, and how often to the function or round it for the flow's age. */
static void passes(enum flavour flavour, struct packet p, int inspected, int kept)
{
	struct chain_traffic before = step_traffic(0), after;

	send_frame(flavour, p, SENT, DROP_NONE);
	after = step_traffic(0);
	case_assert((int)(after.sent - before.sent) == inspected);
	case_assert((int)(after.kept - before.kept) == kept);
	case_assert(after.bypassed == before.bypassed);
}

/* A kind of flow between two ends, of which the first is A. */
static const struct kind {
	const char *name;
	struct packet there, back, other; /* `other` begins another flow */
	const char *table;
} kinds[] = {
	{ "UDP", { A, B, 4, UDP, 1000, 53 }, { B, A, 4, UDP, 53, 1000 }, { A, B, 4, UDP, 1001, 53 },
	  "ct4" },
	{ "UDP6", { A, B, 6, UDP, 1000, 53 }, { B, A, 6, UDP, 53, 1000 }, { A, B, 6, UDP, 1001, 53 },
	  "ct6" },
	{ "ping", { A, B, 4, ICMP4, 0x0800, 7 }, { B, A, 4, ICMP4, 0, 7 },
	  { A, B, 4, ICMP4, 0x0800, 8 }, "ct4" },
	{ "ping6", { A, B, 6, ICMP6, 0x8000, 7 }, { B, A, 6, ICMP6, 0x8100, 7 },
	  { A, B, 6, ICMP6, 0x8000, 8 }, "ct6" },
	{ "TCP", { A, B, 4, TCP, 1000, 80, ACK, 101, 501 }, { B, A, 4, TCP, 80, 1000, ACK, 501, 101 },
	  { A, B, 4, TCP, 1001, 80, SYN, 7 }, "ct4" },
	{ "TCP6", { A, B, 6, TCP, 1000, 80, ACK, 101, 501 }, { B, A, 6, TCP, 80, 1000, ACK, 501, 101 },
	  { A, B, 6, TCP, 1001, 80, SYN, 7 }, "ct6" },
	{ "UDP with another host", { A, R, 4, UDP, 1000, 53 }, { R, A, 4, UDP, 53, 1000 },
	  { A, R, 4, UDP, 1001, 53 }, "ct4" },
	{ "TCP6 with another host", { A, R, 6, TCP, 1000, 80, ACK, 101, 501 },
	  { R, A, 6, TCP, 80, 1000, ACK, 501, 101 }, { A, R, 6, TCP, 1001, 80, SYN, 7 }, "ct6" },
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

static void begin(enum flavour flavour, const struct kind *k)
{
	struct packet p = k->there;

	if (p.protocol != TCP) {
		send_frame(flavour, k->there, SENT, DROP_NONE);
		send_frame(flavour, k->back, SENT, DROP_NONE);
		return;
	}
	p.flags = SYN, p.seq = 100, p.ack = 0;
	send_frame(flavour, p, SENT, DROP_NONE);
	p = k->back;
	p.flags = SYN | ACK, p.seq = 500;
	send_frame(flavour, p, SENT, DROP_NONE);
	send_frame(flavour, k->there, SENT, DROP_NONE);
}

/* Before the chain, then with it, in all combinations; each in a world of its own. */
#define for_each_kind(k, flavour)                                                                  \
	for (const struct kind *k = kinds; k < kinds + KINDS; k++)                                 \
		for_each_flavour(flavour)

static void setup(void **state, const struct kind *k, enum flavour flavour)
{
	world_reset(state);
	acl_allow_all();
	world_case(k->name, flavour);
	begin(flavour, k);
}

static void keep(void **state)
{
	for_each_kind(k, flavour)
	{
		bool here = k->there.to == B;

		setup(state, k, flavour);
		chain_comes_onto(A, CHAIN_KEEP, false);
		for (int i = 0; i < 3; i++) {
			passes(flavour, k->there, 0, 1);
			passes(flavour, k->back, 0, 1);
			/* Judged again, and as old as before. */
			tenant_bump();
		}
		/* A new flow leaves A through the function. */
		passes(flavour, k->other, 1, 0);
		/* The other end's wire, if it is on this host. */
		if (!here)
			continue;
		setup(state, k, flavour);
		chain_comes_onto(B, CHAIN_KEEP, false);
		passes(flavour, k->there, 0, 1);
		passes(flavour, k->back, 0, 1);
		passes(flavour, k->other, 1, 0);
	}
}

/* One chain at both ends: a frame goes round it twice. */
static void keep_at_both_ends(void **state)
{
	setup(state, &kinds[0], IN_TC);
	chain_comes_onto(A, CHAIN_KEEP, false);
	chain_comes_onto(B, CHAIN_KEEP, false);
	passes(IN_TC, kinds[0].there, 0, 2);
	passes(IN_TC, kinds[0].back, 0, 2);

	/* At B it came later, and a flow began in between: B alone keeps it. */
	setup(state, &kinds[0], IN_TC);
	chain_protect(A, false);
	tenant_bump();
	chain_comes_onto(B, CHAIN_KEEP, false);
	passes(IN_TC, kinds[0].there, 1, 0);
}

/* `insert`, or a chain that was there before: no flow is older than it. */
static void insert(void **state)
{
	for_each_kind(k, flavour)
	{
		struct port port;

		setup(state, k, flavour);
		chain_comes_onto(A, 0, false);
		passes(flavour, k->there, 1, 0);
		passes(flavour, k->back, 1, 0);

		setup(state, k, flavour);
		chain_comes_onto(A, CHAIN_KEEP, false);
		port = port_get(A);
		port.chain_since = 0;
		port_put(A, &port);
		passes(flavour, k->there, 1, 0);
		passes(flavour, k->back, 1, 0);
	}
}

/* What begins when the chain is on the wire, and the epoch not yet up, is not older than it. */
static void begins_in_between(void **state)
{
	for_each_flavour(flavour)
	{
		struct frame back = packet_frame((struct packet){
			A, B, 4, UDP, 1000, 53, .tag = PCP_LEAVING << 13 | CHAIN_TAG });

		world_reset(state);
		acl_allow_all();
		world_case("between chain and epoch", flavour);
		chain_comes_onto(A, CHAIN_KEEP, true);
		passes(flavour, kinds[0].there, 1, 0);
		expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
		case_assert(flow_count("ct4") == 1);
		passes(flavour, kinds[0].there, 1, 0);
		tenant_bump();
		passes(flavour, kinds[0].there, 1, 0);
		passes(flavour, kinds[0].back, 1, 0);
	}
}

static void idle_for(const char *table, uint32_t jiffies)
{
	struct flow f = flow_only(table, NULL);

	f.dir[0].last_seen = f.dir[1].last_seen = jiffies_now() - jiffies;
	flow_change(table, &f);
}

static void set_tcp(const char *table, uint8_t state)
{
	struct flow f = flow_only(table, NULL);

	f.path[0].tcp = f.path[1].tcp = FLOW_TCP(state, 0);
	f.path[0].flags |= FLOW_CLOSING;
	f.path[1].flags |= FLOW_CLOSING;
	flow_change(table, &f);
}

/* An exemption ends with its flow: nobody takes it over by using its addresses and ports anew. */
static void ends(void **state)
{
	for_each_kind(k, flavour)
	{
		struct packet syn = k->there;

		setup(state, k, flavour);
		chain_comes_onto(A, CHAIN_KEEP, false);
		passes(flavour, k->there, 0, 1);
		idle_for(k->table, 10000 * (CT_TIMEOUT_COUNT + 1));
		passes(flavour, k->there, 1, 0);
		if (k->there.protocol != TCP)
			continue;
		for (uint8_t end = TCP_HALF_FIN_ACKED; end <= TCP_HALF_RESET; end++) {
			setup(state, k, flavour);
			chain_comes_onto(A, CHAIN_KEEP, false);
			set_tcp(k->table, TCP_HALF_FIN);
			passes(flavour, k->there, 0, 1);
			set_tcp(k->table, end);
			syn.flags = SYN;
			passes(flavour, syn, 1, 0);
			/* Nor do segments of it, for all that they may still pass. */
			passes(flavour, k->there, 1, 0);
			passes(flavour, k->back, 1, 0);
		}
	}
}

/* The tuple of an old flow, towards another's MAC: not the flow that was there. */
static void turns_away(void **state)
{
	struct packet away = { A, R, 4, UDP, 1000, 53, .edit = "30=0a000102" };

	for_each_flavour(flavour)
	{
		struct packet tagged;
		struct frame back;

		setup(state, &kinds[0], flavour);
		chain_comes_onto(A, CHAIN_KEEP, false);
		passes(flavour, kinds[0].there, 0, 1);
		passes(flavour, away, 1, 0);
		tagged = away;
		tagged.tag = PCP_LEAVING << 13 | CHAIN_TAG;
		tagged.edit = "34=0a000102";
		back = packet_frame(tagged);
		expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
		/* Now it is a flow of its own time, wherever it goes. */
		passes(flavour, away, 1, 0);
		passes(flavour, kinds[0].there, 1, 0);
	}
}

/* An error goes the way of the flow that it quotes. */
static void errors(void **state)
{
	static const struct packet old = { B, A, 4, UDP, 53, 1000 }, new = { B, A, 4, UDP, 53, 1001 };
	struct packet error = { A, B, 4, ICMP4, 0x0303, 0, .quote = &old };

	for_each_flavour(flavour)
	{
		setup(state, &kinds[0], flavour);
		chain_comes_onto(A, CHAIN_KEEP, false);
		error.quote = &old;
		passes(flavour, error, 0, 1);
		error.quote = &new;
		passes(flavour, error, 1, 0);

		setup(state, &kinds[0], flavour);
		chain_comes_onto(A, CHAIN_RESET, false);
		error.quote = &old;
		if (flavour == IN_XDP) {
			send_frame(flavour, error, UP, DROP_NONE);
			continue;
		}
		send_frame(flavour, error, DROPPED, DROP_CHAIN_RESET);
		case_assert(flow_count("ct4") == 1);
	}
}

/* The operator's bypass comes first: nothing is reset, and nothing kept, while it is on. */
static void bypass(void **state)
{
	for_each_kind(k, flavour)
		for (uint8_t flag = CHAIN_KEEP; flag <= CHAIN_RESET; flag <<= 1) {
			setup(state, k, flavour);
			chain_comes_onto(A, CHAIN_BYPASS | flag, false);
			send_frame(flavour, k->there, SENT, DROP_NONE);
			send_frame(flavour, k->back, SENT, DROP_NONE);
			case_assert(step_traffic(0).bypassed == 2 && !step_traffic(0).kept &&
				    !step_traffic(0).sent);
		}
}

/* XDP writes nothing before it passes up, no verdict either. */
static void left_to_tc(const char *table, struct packet p)
{
	struct flow before = flow_only(table, NULL), after;

	send_frame(IN_XDP, p, UP, DROP_NONE);
	after = flow_only(table, NULL);
	case_assert(!memcmp(&before, &after, sizeof(after)));
}

/* All but TCP: one packet is dropped, whichever direction it has, and the flow begins anew. */
static void reset_forgets(void **state)
{
	for_each_kind(k, flavour)
		for (int back = 0; back <= 1; back++) {
			struct packet p = back ? k->back : k->there;

			if (p.protocol == TCP)
				continue;
			setup(state, k, flavour);
			chain_comes_onto(A, CHAIN_RESET, false);
			if (flavour == IN_XDP) {
				left_to_tc(k->table, p);
				continue;
			}
			send_frame(flavour, p, DROPPED, DROP_CHAIN_RESET);
			case_assert(!flow_count(k->table));
			passes(flavour, k->there, 1, 0);
			passes(flavour, k->other, 1, 0);
		}
}

/* What a receiver of this RST would see, at the end that the test run shows: the one that is not a copy. */
static void expect_rst(const struct frame *got, uint32_t l2, struct packet p)
{
	struct frame wanted;

	p.flags = RST;
	p.payload = 0;
	wanted = packet_frame(p);
	case_assert(got->len == l2 + wanted.len);
	case_assert(!memcmp(got->data + l2, wanted.data, 12));
	case_assert(frame_sums_right(got, l2));
	case_assert(!memcmp(got->data + l2 + (p.family == 4 ? 34 : 54),
			    wanted.data + (p.family == 4 ? 34 : 54), 14));
}

static void reset_answers(void **state)
{
	for_each_kind(k, flavour)
		for (int back = 0; back <= 1; back++) {
			struct packet p = back ? k->back : k->there, syn = k->there, last;
			bool remote = k->there.to == R;
			struct result r;
			struct flow f;

			if (p.protocol != TCP)
				continue;
			setup(state, k, flavour);
			chain_comes_onto(A, CHAIN_RESET, false);
			if (flavour == IN_XDP) {
				left_to_tc(k->table, p);
				continue;
			}
			p.payload = 9;
			r = send_frame(flavour, p, SENT, DROP_CHAIN_RESET);
			/*
			 * The copy goes to the port that the segment is from, or to A from another host. The
			 * other RST has that segment's numbers, in the one way or the other.
			 */
			last = p;
			if (back && remote) {
				last = k->there;
				last.seq = p.ack;
			}
			last.ack = 0;
			expect_rst(&r.out, remote ? 50 : 0, last);
			f = flow_only(k->table, NULL);
			case_assert(FLOW_TCP_HALF(f.path[0].tcp) == TCP_HALF_RESET &&
				    FLOW_TCP_HALF(f.path[1].tcp) == TCP_HALF_RESET);
			/* Each further segment too; only a SYN is new. */
			send_frame(flavour, k->back, SENT, DROP_CHAIN_RESET);
			send_frame(flavour, k->there, SENT, DROP_CHAIN_RESET);
			case_assert(!step_traffic(0).sent);
			syn.flags = SYN;
			passes(flavour, syn, 1, 0);
			passes(flavour, k->other, 1, 0);
		}
}

/* A RST is never answered; a SYN that is repeated begins anew through the function. */
static void reset_half_open(void **state)
{
	struct packet syn = { A, B, 4, TCP, 1000, 80, SYN, 100 }, rst = syn;

	rst.flags = RST;
	world_reset(state);
	acl_allow_all();
	world_case("half-open", IN_TC);
	send_frame(IN_TC, syn, SENT, DROP_NONE);
	chain_comes_onto(A, CHAIN_RESET, false);
	send_frame(IN_TC, syn, DROPPED, DROP_CHAIN_RESET);
	case_assert(!flow_count("half4"));
	passes(IN_TC, syn, 1, 0);

	setup(state, &kinds[4], IN_TC);
	chain_comes_onto(A, CHAIN_RESET, false);
	send_frame(IN_TC, rst, DROPPED, DROP_CHAIN_RESET);
}

/* An entry that was left behind leads to a port that is in another network by now: no RST of ours goes there. */
static void reset_stays_in_network(void **state)
{
	const struct kind *k = &kinds[4];
	struct frame f = packet_frame(k->there);
	struct port b = port_get(B);
	struct result r;

	setup(state, k, IN_TC);
	chain_comes_onto(A, CHAIN_RESET, false);
	b.network++;
	port_put(B, &b);
	r = world_run(HOOK_PORT, IN_TC, DEVICE_A, &f);
	case_assert(r.outcome == DROPPED && r.drops[DROP_CHAIN_RESET] == 1 &&
		    r.drops[DROP_REJECTED] == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keep),
		cmocka_unit_test(keep_at_both_ends),
		cmocka_unit_test(insert),
		cmocka_unit_test(begins_in_between),
		cmocka_unit_test(ends),
		cmocka_unit_test(turns_away),
		cmocka_unit_test(errors),
		cmocka_unit_test(bypass),
		cmocka_unit_test(reset_forgets),
		cmocka_unit_test(reset_answers),
		cmocka_unit_test(reset_half_open),
		cmocka_unit_test(reset_stays_in_network),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

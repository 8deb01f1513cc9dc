// SPDX-License-Identifier: BSD-2-Clause
/*
 * flow: how a flow begins, what its record holds, who may use it, when it is judged again, and when
 * it ends.
 */
#include "selftests/unit/lib/world.h"

#define OUT_4  A, B, 4, UDP, 1000, 53
#define BACK_4 B, A, 4, UDP, 53, 1000

/* In to B, to UDP port 53 and to pings: the rule by which the flows of these tests begin. */
static const struct acl_entry dns_to_b = { .direction = TO_WORKLOAD,
					   .action = ACL_ALLOW,
					   .rule = 31,
					   .port = 2 + 1,
					   .flags = ENTRY_PROTOCOL,
					   .protocol = UDP,
					   .source_last = 65535,
					   .destination_first = 53,
					   .destination_last = 53 };

static void send_one(enum flavour flavour, struct packet p, enum outcome outcome,
		     enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	expect(HOOK_PORT, flavour, p.from == A ? DEVICE_A : DEVICE_B, &f, outcome, reason);
}

/* ---- how it begins ---- */

static const struct begin_case {
	const char *name;
	struct packet packet;
	const char *table, *key;
	uint8_t original; /* index of the direction that began it */
	uint8_t first, first_code;
} begins[] = {
	{ "UDP, from the low end",
	  { OUT_4, .payload = 20 },
	  "ct4",
	  "0a000101 0a000102 03e8 0035 11 01 0500",
	  0 },
	{ "UDP, from the high end",
	  { BACK_4 },
	  "ct4",
	  "0a000101 0a000102 03e8 0035 11 01 0500",
	  1 },
	{ "UDP6",
	  { A, B, 6, UDP, 1000, 53 },
	  "ct6",
	  "fd000001000000000000000000000001 fd000001000000000000000000000002 03e8 0035 11 01 0500",
	  0 },
	{ "UDP6, from the high end",
	  { B, A, 6, UDP, 1, 2 },
	  "ct6",
	  "fd000001000000000000000000000001 fd000001000000000000000000000002 0002 0001 11 01 0500",
	  1 },
	{ "ping",
	  { A, B, 4, ICMP4, 0x0800, 7 },
	  "ct4",
	  "0a000101 0a000102 0007 0000 01 01 0500",
	  0,
	  8 },
	{ "ping, from the high end",
	  { B, A, 4, ICMP4, 0x0800, 7 },
	  "ct4",
	  "0a000101 0a000102 0000 0007 01 01 0500",
	  1,
	  8 },
	{ "ping6",
	  { A, B, 6, ICMP6, 0x8000, 7 },
	  "ct6",
	  "fd000001000000000000000000000001 fd000001000000000000000000000002 0007 0000 3a 01 0500",
	  0,
	  128 },
	{ "TCP",
	  { A, B, 4, TCP, 1000, 80, SYN },
	  "half4",
	  "0a000101 0a000102 03e8 0050 06 01 0500",
	  0,
	  SYN },
	{ "TCP6",
	  { B, A, 6, TCP, 80, 1000, SYN },
	  "half6",
	  "fd000001000000000000000000000001 fd000001000000000000000000000002 03e8 0050 06 01 0500",
	  1,
	  SYN },
	{ "SCTP", { A, B, 4, SCTP, 1000, 80 }, "ct4", "0a000101 0a000102 03e8 0050 84 01 0500", 0 },
	{ "another protocol",
	  { A, B, 4, 47, .payload = 8 },
	  "ct4",
	  "0a000101 0a000102 0000 0000 2f 01 0500",
	  0 },
};

static void beginning(void **state)
{
	(void)state;
	acl_allow_all();
	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		for_each_flavour(flavour)
		{
			const struct begin_case *c = &begins[i];
			struct frame f = packet_frame(c->packet);
			uint8_t key[40], wanted[40];
			uint32_t n = hex_bytes(c->key, wanted, sizeof(wanted));
			const struct flow_path *us, *them;
			struct flow flow;

			flows_clear();
			world_case(c->name, flavour);
			send_one(flavour, c->packet, SENT, DROP_NONE);
			flow = flow_only(c->table, key);
			us = &flow.path[c->original];
			them = &flow.path[!c->original];
			case_assert(!memcmp(key, wanted, n));
			case_assert(us->flags == FLOW_ORIGINAL && !them->flags);
			case_assert(us->epoch == 1 && them->epoch == 1 && flow.rule == 77);
			case_assert(us->target ==
				    FLOW_TARGET(TARGET_PORT, c->packet.to == A ? 1 : 2));
			case_assert(!memcmp(us->mac, people[c->packet.to].mac, 6));
			case_assert(flow.dir[c->original].packets == 1 && flow.dir[c->original].bytes == f.len &&
				    !flow.dir[!c->original].packets && !flow.dir[!c->original].bytes);
			case_assert(flow.first == c->first && flow.first_code == c->first_code);
			case_assert(jiffies_now() - flow.dir[c->original].last_seen < 1000);
		}
}

/*
 * Endpoints are ordered jointly: swapped ports are another flow, and another zone or protocol is
 * one too.
 */
static void keys_differ(void **state)
{
	static const struct packet packets[] = {
		{ A, B, 4, UDP, 1000, 2000 },  { A, B, 4, UDP, 2000, 1000 },
		{ A, B, 4, SCTP, 1000, 2000 }, { A, B, 4, ICMP4, 0x0800, 9 },
		{ B, A, 4, ICMP4, 0x0800, 9 },
	};

	(void)state;
	acl_allow_all();
	world_case("different flows", IN_TC);
	for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++)
		send_one(i & 1, packets[i], SENT, DROP_NONE);
	case_assert(flow_count("ct4") == sizeof(packets) / sizeof(*packets));
}

/* ---- who may use it ---- */

static void replies(void **state)
{
	static const struct packet begin[] = { { OUT_4 }, { A, B, 6, UDP, 1000, 53 } };
	static const struct packet quoted[] = { { OUT_4 }, { A, B, 6, UDP, 1000, 53 } };
	static const struct packet answers[][3] = {
		{ { BACK_4 },
		  { B, A, 4, ICMP4, 0x0303, .quote = &quoted[0] },
		  { BACK_4, .payload = 500 } },
		{ { B, A, 6, UDP, 53, 1000 },
		  { B, A, 6, ICMP6, 0x0104, .quote = &quoted[1] },
		  { B, A, 6, UDP, 53, 1000 } },
	};
	static const struct packet others[] = {
		{ B, A, 4, UDP, 53, 1001 }, { B, A, 4, UDP, 54, 1000 }, { B, A, 4, SCTP, 53, 1000 },
		{ B, A, 6, UDP, 53, 1001 }, { B, A, 6, UDP, 54, 1000 }, { B, A, 6, SCTP, 53, 1000 },
	};

	(void)state;
	acl_put(&dns_to_b, 1);
	for (int family = 0; family < 2; family++)
		for_each_flavour(flavour)
		{
			struct flow f;

			flows_clear();
			world_case("before there is a flow", flavour);
			send_one(flavour, answers[family][0], DROPPED, DROP_ACL_IN);
			send_one(flavour, answers[family][1], DROPPED, DROP_ICMP_UNRELATED);
			world_case("replies", flavour);
			send_one(flavour, begin[family], SENT, DROP_NONE);
			for (int i = 0; i < 3; i++)
				send_one(flavour, answers[family][i], SENT, DROP_NONE);
			f = flow_only(family ? "ct6" : "ct4", NULL);
			/* An error is no packet of the flow's own. */
			case_assert(f.dir[0].packets == 1 && f.dir[1].packets == 2);
			case_assert(f.path[1].target == FLOW_TARGET(TARGET_PORT, 1) &&
				    f.rule == 31);
			world_case("what is like a reply", flavour);
			for (int i = 0; i < 6; i++)
				send_one(flavour, others[i], DROPPED, DROP_ACL_IN);
		}
}

/*
 * The verdict is for the ends that it was found for: a flow to another host, where ACL in is not
 * asked here, is no pass to a port of this host for the same addresses under another MAC.
 */
static void another_mac(void **state)
{
	static const uint8_t far[] = "0=02000000000c";

	(void)state;
	for_each_flavour(flavour)
	{
		flows_clear();
		world_case("a flow to another host", flavour);
		send_one(flavour, (struct packet){ OUT_4, .edit = (const char *)far }, SENT,
			 DROP_NONE);
		world_case("the same flow to a port here", flavour);
		send_one(flavour, (struct packet){ OUT_4 }, DROPPED, DROP_ACL_IN);
		send_one(flavour, (struct packet){ OUT_4 }, DROPPED, DROP_ACL_IN);
		world_case("and back to the host", flavour);
		send_one(flavour, (struct packet){ OUT_4, .edit = (const char *)far }, SENT,
			 DROP_NONE);
	}
}

/* ---- when it is judged again ---- */

/*
 * The question is always whether its first packet would pass, whichever direction the packet has.
 */
static void judged_again(void **state)
{
	/* Would let the replies in if they were asked about, and not what began the flow. */
	struct acl_entry from_53 = dns_to_b;

	from_53.port = 0;
	from_53.source_first = from_53.source_last = 53;
	from_53.destination_first = 0;
	from_53.destination_last = 65535;
	for_each_flavour(flavour)
	{
		struct flow f;

		world_reset(state);
		acl_put(&dns_to_b, 1);
		world_case("before", flavour);
		send_one(flavour, (struct packet){ OUT_4 }, SENT, DROP_NONE);
		send_one(flavour, (struct packet){ BACK_4 }, SENT, DROP_NONE);

		world_case("a change that lets it be, reply first", flavour);
		tenant_bump();
		send_one(flavour, (struct packet){ BACK_4 }, SENT, DROP_NONE);
		f = flow_only("ct4", NULL);
		case_assert(f.path[1].epoch == 2 && f.path[0].epoch == 1 &&
			    f.path[0].flags == FLOW_ORIGINAL);
		send_one(flavour, (struct packet){ OUT_4 }, SENT, DROP_NONE);
		f = flow_only("ct4", NULL);
		case_assert(f.path[1].epoch == 2 && f.path[0].epoch == 2 && f.dir[0].packets == 2 &&
			    f.dir[1].packets == 2);

		world_case("a change that ends it, reply first", flavour);
		acl_put(&from_53, 1);
		tenant_bump();
		send_one(flavour, (struct packet){ BACK_4 }, DROPPED, DROP_ACL_IN);
		f = flow_only("ct4", NULL);
		case_assert(f.path[1].flags == FLOW_DENIED && f.path[1].target == DROP_ACL_IN &&
			    f.path[1].epoch == 3);
		case_assert(f.path[0].flags == FLOW_ORIGINAL && f.path[0].epoch == 2);
		send_one(flavour, (struct packet){ BACK_4 }, DROPPED, DROP_ACL_IN);
		send_one(flavour, (struct packet){ OUT_4 }, DROPPED, DROP_ACL_IN);
		send_one(flavour, (struct packet){ OUT_4 }, DROPPED, DROP_ACL_IN);
		f = flow_only("ct4", NULL);
		case_assert(f.path[0].flags == (FLOW_ORIGINAL | FLOW_DENIED));
		/* What is denied moves nothing. */
		case_assert(f.dir[0].packets == 2 && f.dir[1].packets == 2);

		world_case("a change that lets it live again", flavour);
		acl_put(&dns_to_b, 1);
		send_one(flavour, (struct packet){ OUT_4 }, DROPPED,
			 DROP_ACL_IN); /* not before the epoch says so */
		tenant_bump();
		send_one(flavour, (struct packet){ BACK_4 }, SENT, DROP_NONE);
		send_one(flavour, (struct packet){ OUT_4 }, SENT, DROP_NONE);

		world_case("an edit without a new epoch", flavour);
		acl_put(NULL, 0);
		send_one(flavour, (struct packet){ OUT_4 }, SENT, DROP_NONE);
		world_case("epoch 0", flavour);
		f = flow_only("ct4", NULL);
		f.path[0].epoch = f.path[1].epoch = 0;
		flow_change("ct4", &f);
		send_one(flavour, (struct packet){ OUT_4 }, DROPPED, DROP_ACL_IN);
	}
}

/*
 * The first packet's TCP flags and ICMP type are what the rules are asked about, not those of the
 * packet at hand.
 */
static void judged_by_first_packet(void **state)
{
	static const struct {
		const char *name;
		struct packet begin, reply;
		struct acl_entry rule;
	} cases[] = {
		{ "SYN",
		  { A, B, 4, TCP, 1000, 80, SYN },
		  { B, A, 4, TCP, 80, 1000, SYN | ACK, 0, 1 },
		  { .direction = TO_WORKLOAD,
		    .action = ACL_ALLOW,
		    .port = 3,
		    .flags = ENTRY_PROTOCOL,
		    .protocol = TCP,
		    .tcp_mask = SYN | ACK,
		    .tcp_flags = SYN,
		    .source_last = 65535,
		    .destination_first = 80,
		    .destination_last = 80 } },
		{ "echo",
		  { A, B, 4, ICMP4, 0x0800, 7 },
		  { B, A, 4, ICMP4, 0x0000, 7 },
		  { .direction = TO_WORKLOAD,
		    .action = ACL_ALLOW,
		    .port = 3,
		    .flags = ENTRY_PROTOCOL | ENTRY_ICMP_TYPE,
		    .protocol = ICMP4,
		    .icmp_type = 8,
		    ACL_ALL } },
		{ "echo6",
		  { A, B, 6, ICMP6, 0x8000, 7 },
		  { B, A, 6, ICMP6, 0x8100, 7 },
		  { .direction = TO_WORKLOAD,
		    .action = ACL_ALLOW,
		    .port = 3,
		    .flags = ENTRY_PROTOCOL | ENTRY_ICMP_TYPE,
		    .protocol = ICMP6,
		    .icmp_type = 128,
		    ACL_ALL } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			world_reset(state);
			acl_put(&cases[i].rule, 1);
			world_case(cases[i].name, flavour);
			send_one(flavour, cases[i].reply, DROPPED, DROP_CT_INVALID);
			send_one(flavour, cases[i].begin, SENT, DROP_NONE);
			tenant_bump();
			send_one(flavour, cases[i].reply, SENT, DROP_NONE);
			tenant_bump();
			send_one(flavour, cases[i].begin, SENT, DROP_NONE);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(beginning, world_reset),
		cmocka_unit_test_setup(keys_differ, world_reset),
		cmocka_unit_test_setup(replies, world_reset),
		cmocka_unit_test_setup(another_mac, world_reset),
		cmocka_unit_test_setup(judged_again, world_reset),
		cmocka_unit_test_setup(judged_by_first_packet, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * A function of this host in the wire of workload R, which lives behind another host: what comes for it in NSH, with R's
 * MAC and from R's host alone, goes in with the chain's tag; what it gives back goes home, one index further.
 */
#include <bpf/bpf.h>

#include "selftests/unit/lib/nsh.h"

#define LEAVING (PCP_LEAVING << 13 | CHAIN_TAG)
#define TOWARDS (PCP_TOWARDS << 13 | CHAIN_TAG)

static const enum device_name arms[] = { DEVICE_S, DEVICE_T };

#define FOR_US	.source = THEIRS, .judge = THEIRS, .si = 255, .ttl = 63
#define HOME	.destination = THEIRS, .judge = THEIRS, .ttl = 62

static const struct service leaving = { FOR_US }, left = { HOME, .si = 254 };
static const struct service towards = { FOR_US, .spi = PATH << 1 | 1, .tci = TOWARDS };
static const struct service came = { HOME, .si = 254, .spi = PATH << 1 | 1, .tci = TOWARDS };

static void serving(void **state, uint8_t steps)
{
	world_reset(state);
	nsh_serve(R, THEIR_HOST, arms, steps);
}

/* Tests run programs without devices, so that TC's tag stands beside the frame and is not seen in it. */
static void expect_in(const struct result *r, enum flavour flavour, const struct frame *plain,
		      const struct frame *tagged)
{
	expect_frame(&r->out, flavour == IN_XDP ? tagged : plain);
	if (flavour == IN_TC)
		case_assert(r->mark == MARK);
}

struct passing {
	const char *name;
	struct packet packet;
	uint16_t tci;
	const struct service *in, *out;
	bool tc_only, tc_in_only; /* on the way home; and in */
};

static const struct service made_towards = { FOR_US, .spi = PATH << 1 | 1, .tci = CHAIN_TAG };
static const struct service made_home = { HOME, .si = 254, .spi = PATH << 1 | 1, .tci = CHAIN_TAG };

static const struct passing passings[] = {
	{ "leaving", { R, A, 4, UDP, 1000, 53 }, LEAVING, &leaving, &left },
	{ "leaving, IPv6", { R, STRANGER, 6, TCP, 1000, 80, .flags = SYN }, LEAVING, &leaving, &left },
	{ "leaving, neither", { R, A, 4, UDP, 1, 2, .edit = "12=9000" }, LEAVING, &leaving, &left },
	{ "leaving, a broadcast", { R, ALL, 4, UDP, 1, 2 }, LEAVING, &leaving, &left, true },
	{ "towards", { STRANGER, R, 4, UDP, 53, 1000 }, TOWARDS, &towards, &came },
	{ "towards, a fragment", { A, R, 4, UDP, 1, 2, .payload = 40, .edit = "20=2000" }, TOWARDS,
	  &towards, &came, true, true },
	{ "a RST that another function has made",
	  { A, R, 4, TCP, 80, 1000, .flags = RST },
	  CHAIN_TAG,
	  &made_towards,
	  &made_home },
};

/* Into the function and home. Nothing is judged here: no flow, no port, and no rule that lets anything pass. */
static void passes(void **state)
{
	for (size_t i = 0; i < sizeof(passings) / sizeof(*passings); i++)
		for_each_flavour(flavour)
		{
			const struct passing *c = &passings[i];
			struct packet with_tag = c->packet;
			struct frame plain = packet_frame(c->packet), in = plain, tagged;
			char edit[64] = "";
			struct result r;

			serving(state, 1);
			with_tag.tag = c->tci;
			/* Behind the tag all stands four bytes further. */
			if (with_tag.edit && !strncmp(with_tag.edit, "12=", 3))
				snprintf(edit, sizeof(edit), "16=%s", with_tag.edit + 3);
			else if (with_tag.edit)
				snprintf(edit, sizeof(edit), "24=%s", with_tag.edit + 3);
			with_tag.edit = edit;
			tagged = packet_frame(with_tag);
			nsh_wrap(&in, c->in);
			world_case(c->name, flavour);
			r = (c->tc_in_only ? expect_tc : expect)(HOOK_UNDERLAY, flavour, DEVICE_U,
								 &in, SENT, DROP_NONE);
			if (c->tc_in_only && flavour == IN_XDP)
				continue;
			expect_in(&r, flavour, &plain, &tagged);
			case_assert(step_traffic(0).sent == 1 && instance_traffic(0, 0).sent == 1);
			if (c->tc_only) {
				r = expect_tc(HOOK_SF, flavour, DEVICE_S, &tagged, SENT, DROP_NONE);
				if (flavour == IN_XDP)
					continue;
			} else {
				r = expect(HOOK_SF, flavour, DEVICE_S, &tagged, SENT, DROP_NONE);
			}
			nsh_expect(&r, &plain, c->out);
			case_assert(step_traffic(0).returned == 1 &&
				    instance_traffic(0, 0).returned == 1);
			case_assert(!flow_count("ct4") && !flow_count("ct6"));
		}
}

/* Two functions of this host, each its own index; neither speaks for the other. */
static void two_steps(void **state)
{
	struct frame plain = packet_frame((struct packet){ R, A, 4, UDP, 1000, 53 }), in = plain;
	struct frame tagged = packet_frame((struct packet){ R, A, 4, UDP, 1000, 53, .tag = LEAVING });
	struct result r;

	for_each_flavour(flavour)
	{
		serving(state, 2);
		world_case("the second", flavour);
		in = plain;
		nsh_wrap(&in, &(struct service){ FOR_US, .instance = FAR_INSTANCE + 1 });
		frame_edit(&in, "57=fe");
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		case_assert(step_traffic(1).sent == 1 && !step_traffic(0).sent);
		r = expect(HOOK_SF, flavour, DEVICE_T, &tagged, SENT, DROP_NONE);
		nsh_expect(&r, &plain,
			   &(struct service){ HOME, .si = 253, .instance = FAR_INSTANCE + 1 });
		world_case("the first goes home as the first", flavour);
		r = expect(HOOK_SF, flavour, DEVICE_S, &tagged, SENT, DROP_NONE);
		nsh_expect(&r, &plain, &left);
		world_case("the first's instance at the second's index", flavour);
		frame_edit(&in, "62=00007007");
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, DROPPED, DROP_NSH_INDEX);
	}
}

struct attack {
	const char *name;
	struct packet packet;
	struct service service;
	enum drop_reason reason;
};

#define OUT R, A, 4, UDP, 1000, 53

static const struct attack attacks[] = {
	{ "a path of no chain", { OUT }, { FOR_US, .spi = (PATH + 1) << 1 }, DROP_NSH_PATH },
	{ "another network", { OUT }, { FOR_US, .vni = VNI + 1 }, DROP_NSH_PATH },
	{ "from a host that has no port on the path",
	  { OUT },
	  { .source = FARS, .judge = FARS, .si = 255, .ttl = 63 },
	  DROP_NSH_PATH },
	{ "in another host's name",
	  { OUT },
	  { .source = FARS, .judge = THEIRS, .si = 255, .ttl = 63 },
	  DROP_NSH_PATH },
	{ "as if we judged", { OUT }, { .source = THEIRS, .judge = OURS }, DROP_NSH_PATH },
	{ "another tag", { OUT }, { FOR_US, .tci = LEAVING + 1 }, DROP_NSH_PATH },
	{ "the other pass's tag", { OUT }, { FOR_US, .tci = TOWARDS }, DROP_NSH_PATH },
	{ "an index below the path's end", { OUT }, { FOR_US, .edit = "57=fe" }, DROP_NSH_INDEX },
	{ "index 0", { OUT }, { FOR_US, .edit = "57=00" }, DROP_NSH_INDEX },
	{ "an instance that is not here",
	  { OUT },
	  { FOR_US, .instance = FAR_INSTANCE + 5 },
	  DROP_NSH_INDEX },
	{ "of a workload of ours", { A, B, 4, UDP, 1, 2 }, { FOR_US }, DROP_NSH_MAC },
	{ "of a workload that the path does not protect",
	  { STRANGER, A, 4, UDP, 1, 2 },
	  { FOR_US },
	  DROP_NSH_MAC },
	{ "towards one that it does not protect",
	  { R, A, 4, UDP, 1, 2 },
	  { FOR_US, .spi = PATH << 1 | 1, .tci = TOWARDS },
	  DROP_NSH_MAC },
	{ "PCP 0 leaving, of a workload that it does not protect",
	  { A, R, 4, TCP, 80, 1000, .flags = RST },
	  { FOR_US, .tci = CHAIN_TAG },
	  DROP_NSH_MAC },
	{ "MD type 2", { OUT }, { FOR_US, .edit = "52=02" }, DROP_NSH_BAD },
	{ "cut within NSH", { OUT }, { FOR_US, .edit = "len=60" }, DROP_NSH_BAD },
	{ "a tag inside", { OUT, .tag = LEAVING }, { FOR_US }, DROP_BAD_VLAN },
};

static void not_believed(void **state)
{
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(attacks[i].packet);

			serving(state, 1);
			nsh_wrap(&f, &attacks[i].service);
			world_case(attacks[i].name, flavour);
			expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, DROPPED, attacks[i].reason);
			case_assert(!step_traffic(0).sent);
		}
}

/* The function itself: what it gives back for others than those that it got something of. */
static void hostile_function(void **state)
{
	static const struct {
		const char *name;
		struct packet packet;
	} cases[] = {
		{ "another tag", { OUT, .tag = LEAVING + 1 } },
		{ "PCP 3", { OUT, .tag = 3 << 13 | CHAIN_TAG } },
		{ "DEI", { OUT, .tag = LEAVING | 1 << 12 } },
		{ "PCP 0, and no RST", { OUT, .tag = CHAIN_TAG } },
		{ "from another workload", { A, R, 4, UDP, 1, 2, .tag = LEAVING } },
		{ "towards another one", { R, A, 4, UDP, 1, 2, .tag = TOWARDS } },
		{ "two tags", { OUT, .tag = LEAVING, .inner_tag = 7 } },
		{ "ARP", { R, A, 0, 1, .tag = LEAVING } },
		{ "a broadcast that nobody sent it", { STRANGER, ALL, 4, UDP, 1, 2, .tag = TOWARDS } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frame f = packet_frame(cases[i].packet);

		serving(state, 1);
		world_case(cases[i].name, IN_TC);
		expect(HOOK_SF, IN_TC, DEVICE_S, &f, DROPPED, DROP_SF_UNKNOWN);
	}
}

/* Down, draining, without devices: the instance's own host knows best. */
static void instance_states(void **state)
{
	struct frame in = packet_frame((struct packet){ OUT });
	struct function f;

	nsh_wrap(&in, &leaving);
	for_each_flavour(flavour)
	{
		serving(state, 1);
		f = function_now(0);
		f.fresh = 0;
		f.instance[0].flags = INSTANCE_DRAIN;
		function_put(0, &f);
		world_case("draining", flavour);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		f.present = 0;
		function_put(0, &f);
		world_case("down", flavour);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, DROPPED, DROP_SF_DOWN);
		serving(state, 1);
		nsh_remote(0, 0, FAR_INSTANCE, FAR_HOST);
		world_case("moved to another host", flavour);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, DROPPED, DROP_NSH_INDEX);
	}
}

/* XDP leaves to TC what it cannot send, and has counted nothing. */
static void left_to_tc(void **state)
{
	struct frame in = packet_frame((struct packet){ OUT });
	struct frame tagged = packet_frame((struct packet){ OUT, .tag = LEAVING });
	struct frame all = packet_frame((struct packet){ A, ALL, 4, UDP, 1, 2 });
	uint32_t slot = THEIR_HOST;
	struct next_hop hop;
	struct chain chain;

	nsh_wrap(&in, &leaving);
	nsh_wrap(&all, &towards);
	for_each_flavour(flavour)
	{
		serving(state, 1);
		chain = chain_now();
		chain.step[0].flags = 0;
		chain_put(&chain);
		world_case("a function that does not take XDP's", flavour);
		expect_tc(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		case_assert(step_traffic(0).sent == (flavour == IN_TC));

		serving(state, 1);
		map_get("next_hops", &slot, &hop);
		hop.xdp_mtu = in.len - 14 - 1;
		map_put("next_hops", &slot, &hop);
		world_case("an underlay that does not", flavour);
		expect_tc(HOOK_SF, flavour, DEVICE_S, &tagged, SENT, DROP_NONE);
		case_assert(step_traffic(0).returned == (flavour == IN_TC));

		serving(state, 1);
		world_case("a broadcast towards", flavour);
		expect_tc(HOOK_UNDERLAY, flavour, DEVICE_U, &all, SENT, DROP_NONE);
	}
}

/* ---- broadcasts towards workloads of several hosts ---- */

static struct frame cast(uint8_t n, uint16_t tag)
{
	return packet_frame((struct packet){ STRANGER, ALL, 4, UDP, 1, n, .payload = 30, .tag = tag });
}

/* STRANGER's broadcast comes from a host that protects R, or TAGGED's twin behind FAR_HOST. */
static void comes(const char *host, uint8_t n)
{
	struct frame in = cast(n, 0);

	nsh_wrap(&in, &(struct service){ .source = host,
					 .judge = host,
					 .si = 255,
					 .ttl = 63,
					 .spi = PATH << 1 | 1,
					 .tci = TOWARDS });
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
}

/* It is back, and goes to one of them: the last byte of whose address is returned; 0: nobody's. */
static uint8_t goes(uint8_t n)
{
	struct frame back = cast(n, TOWARDS), plain = cast(n, 0);
	struct result r = world_run(HOOK_SF, IN_TC, DEVICE_S, &back);
	const char *host;

	if (r.outcome != SENT) {
		case_assert(r.all_drops == 1 && r.drops[DROP_SF_UNKNOWN] == 1);
		return 0;
	}
	case_assert(!r.all_drops);
	host = r.out.data[33] == 3 ? FARS : THEIRS;
	nsh_expect(&r, &plain,
		   &(struct service){ .destination = host,
				      .judge = host,
				      .si = 254,
				      .ttl = 62,
				      .spi = PATH << 1 | 1,
				      .tci = TOWARDS });
	return r.out.data[33];
}

static void everybody(void **state)
{
	struct nsh_copy_key key;
	struct nsh_copy copy;
	uint8_t first;

	serving(state, 1);
	nsh_path(FAR_HOST);
	world_case("each gets its own", IN_TC);
	comes(THEIRS, 1);
	comes(FARS, 1);
	first = goes(1);
	case_assert(first == 2 || first == 3);
	case_assert(goes(1) == (first ^ 1));
	case_assert(!goes(1));
	world_case("one after the other, in any order", IN_TC);
	comes(THEIRS, 1);
	comes(FARS, 2);
	comes(THEIRS, 2);
	case_assert(goes(2) + goes(2) == 5 && goes(1) == 2 && !goes(2));
	world_case("a host that sent it twice gets it twice", IN_TC);
	comes(FARS, 3);
	comes(FARS, 3);
	case_assert(goes(3) == 3 && goes(3) == 3 && !goes(3));
	world_case("another frame than was sent is nobody's", IN_TC);
	comes(FARS, 4);
	case_assert(!goes(5) && goes(4) == 3);

	world_case("what is not back in time is nobody's", IN_TC);
	comes(FARS, 6);
	if (bpf_map_get_next_key(map_fd("nsh_copies"), NULL, &key))
		fail_msg("no copy");
	map_get("nsh_copies", &key, &copy);
	copy.since -= 2 * HZ;
	map_put("nsh_copies", &key, &copy);
	case_assert(!goes(6));
	comes(THEIRS, 6);
	case_assert(goes(6) == 2);

	/* Over veth or virtio it comes unfinished, and the function gets it finished. */
	world_case("a checksum that is finished on its way", IN_TC);
	{
		struct frame in = cast(8, 0), home = cast(8, TOWARDS);

		frame_edit(&in, "40=1234");
		nsh_wrap(&in, &towards);
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
		expect(HOOK_SF, IN_TC, DEVICE_S, &home, SENT, DROP_NONE);
		expect(HOOK_SF, IN_TC, DEVICE_S, &home, DROPPED, DROP_SF_UNKNOWN);
	}

	world_case("too many at once", IN_TC);
	for (int i = 0; i < NSH_COPIES; i++)
		comes(FARS, 7);
	{
		struct frame in = cast(7, 0);

		nsh_wrap(&in, &towards);
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, DROPPED, DROP_NSH_COPIES);
	}
	for (int i = 0; i < NSH_COPIES; i++)
		case_assert(goes(7) == 3);
	case_assert(!goes(7));
}

/* This host's ports and another's, behind one function: to both what is theirs. */
static void ours_and_theirs(void **state)
{
	struct frame all = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2 });
	struct frame home = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2, .tag = TOWARDS });
	struct frame in = all, plain = all, back;
	struct sf_return away = { .port = SF_AWAY(0, 0), .chain = CHAIN };
	struct sf_key key = { .ifindex = device(DEVICE_S), .tci = TOWARDS };
	struct result r;

	world_reset(state);
	acl_allow_all();
	nsh_serve(R, THEIR_HOST, arms, 1);
	put_returns(A, device(DEVICE_S), device(DEVICE_S), 0, 0);
	memcpy(key.mac, people[ALL].mac, 6);
	map_put("sf", &key, &away);
	{
		struct port port = port_get(A);

		port.chain = CHAIN;
		port_put(A, &port);
	}
	flood_to((enum who[]){ A }, 1);
	world_case("ours alone", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, SPENT, DROP_NONE);
	expect(HOOK_SF, IN_TC, DEVICE_S, &home, SPENT, DROP_NONE);
	case_assert(port_traffic(A).to_packets == 1);
	world_case("both", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, SPENT, DROP_NONE);
	nsh_wrap(&in, &towards);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
	r = expect(HOOK_SF, IN_TC, DEVICE_S, &home, SENT, DROP_NONE);
	nsh_expect(&r, &plain, &came);
	expect(HOOK_SF, IN_TC, DEVICE_S, &home, SPENT, DROP_NONE);
	case_assert(port_traffic(A).to_packets == 2);

	for_each_flavour(flavour)
	{
		world_case("R's leaves for its host, A's for its flow", flavour);
		back = packet_frame((struct packet){ R, A, 4, UDP, 5, 6, .tag = LEAVING });
		r = expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
		plain = packet_frame((struct packet){ R, A, 4, UDP, 5, 6 });
		nsh_expect(&r, &plain, &left);
		back = packet_frame((struct packet){ A, B, 4, UDP, 5, 6, .tag = LEAVING });
		plain = packet_frame((struct packet){ A, B, 4, UDP, 5, 6 });
		r = expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
		expect_frame(&r.out, &plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(passes, world_reset),
		cmocka_unit_test_setup(two_steps, world_reset),
		cmocka_unit_test_setup(not_believed, world_reset),
		cmocka_unit_test_setup(hostile_function, world_reset),
		cmocka_unit_test_setup(instance_states, world_reset),
		cmocka_unit_test_setup(left_to_tc, world_reset),
		cmocka_unit_test_setup(everybody, world_reset),
		cmocka_unit_test_setup(ours_and_theirs, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

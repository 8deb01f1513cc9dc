// SPDX-License-Identifier: BSD-2-Clause
/*
 * A function on another host, seen from the one that judges: A's frames go there in NSH, and what comes back is taken as
 * from a function of this host: from that host alone, at that place of that path, and no further believed.
 */
#include "selftests/unit/lib/nsh.h"
#include "selftests/unit/rule_chains.h"

#define OUTWARD (PCP_LEAVING << 13 | CHAIN_TAG)
#define INWARD (PCP_TOWARDS << 13 | CHAIN_TAG)

static const struct service to_far = { .destination = FARS, .si = 255, .ttl = 63 };
static const struct service to_far_towards = {
	.destination = FARS, .si = 255, .ttl = 63, .spi = PATH << 1 | 1, .tci = INWARD
};
static const struct service back = { 0 };
static const struct service back_towards = { .spi = PATH << 1 | 1, .tci = INWARD };

static void protected(void **state)
{
	world_reset(state);
	acl_allow_all();
	nsh_protect(A, 0, NULL, 0);
}

static struct frame udp(enum who from, enum who to, uint8_t family)
{
	return packet_frame((struct packet){ from, to, family, UDP, from == A ? 1000 : 53,
					     from == A ? 53 : 1000, .payload = 20 });
}

/* What A sends; XDP leaves it to TC, and has done nothing. */
static void leaves(void **state)
{
	struct frame frames[] = {
		udp(A, B, 4),
		udp(A, R, 6),
		packet_frame((struct packet){ A, B, 4, TCP, 1000, 80, .flags = SYN }),
		packet_frame((struct packet){ A, B, 4, UDP, 1, 2, .edit = "12=9000" }),
		packet_frame((struct packet){ A, B, 4, UDP, 1, 2, .edit = "12=9000 len=20" }),
		packet_frame((struct packet){ A, ALL, 4, UDP, 1, 2 }),
	};

	for (size_t i = 0; i < sizeof(frames) / sizeof(*frames); i++)
		for_each_flavour(flavour)
		{
			struct result r;

			protected(state);
			world_case("leaving", flavour);
			r = expect_tc(HOOK_PORT, flavour, DEVICE_A, &frames[i], SENT, DROP_NONE);
			case_assert(step_traffic(0).sent == (flavour == IN_TC) &&
				    watch_now(0, 0).outstanding == (flavour == IN_TC) &&
				    instance_traffic(0, 0).sent == (flavour == IN_TC));
			case_assert(!flow_count("ct4") && !flow_count("ct6"));
			if (flavour == IN_TC)
				nsh_expect(&r, &frames[i], &to_far);
		}
}

/* And what is back: judged, and on its way. */
static void comes_back(void **state)
{
	for_each_flavour(flavour)
	{
		struct frame plain = udp(A, B, 4), in = plain;
		struct result r;

		protected(state);
		world_case("to a port of this host", flavour);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
		case_assert(outstanding(0, 0) == 1);
		nsh_wrap(&in, &back);
		r = expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		expect_frame(&r.out, &plain);
		case_assert(flow_count("ct4") == 1 && port_traffic(B).to_packets == 1);
		case_assert(step_traffic(0).returned == 1 && instance_traffic(0, 0).returned == 1);
		case_assert(!outstanding(0, 0));

		protected(state);
		world_case("to another host", flavour);
		plain = in = udp(A, R, 6);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
		nsh_wrap(&in, &back);
		r = expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		case_assert(r.out.len == plain.len + 50 && flow_count("ct6") == 1);
		case_assert(!memcmp(r.out.data + 50, plain.data, plain.len));
		case_assert(r.out.data[37] == 0xb5); /* UDP 4789 */
	}
}

/* From another host to A: judged, to the function, back, and delivered; a flow begins before, and no function begins one. */
static void arrives(void **state)
{
	for_each_flavour(flavour)
	{
		struct frame plain = udp(R, A, 4), in = plain, home = plain;
		struct result r;

		protected(state);
		world_case("towards", flavour);
		frame_wrap(&in, &(struct tunnelled){ 0 });
		r = expect_tc(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		case_assert(!port_traffic(A).to_packets);
		if (flavour == IN_TC)
			nsh_expect(&r, &plain, &to_far_towards);
		nsh_wrap(&home, &back_towards);
		if (flavour == IN_XDP)
			/* Of a flow that it knows; and A's chain is TC's. */
			expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
		r = expect_tc(HOOK_UNDERLAY, flavour, DEVICE_U, &home, SENT, DROP_NONE);
		if (flavour == IN_TC) {
			expect_frame(&r.out, &plain);
			case_assert(port_traffic(A).to_packets == 1);
		}

		protected(state);
		world_case("towards, of no flow", flavour);
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, DROPPED, DROP_SF_NO_FLOW);
	}
}

/* Steps here and there, in both orders: each index once. */
static void several_steps(void **state)
{
	static const enum device_name more[] = { DEVICE_T, DEVICE_V };
	struct frame plain = udp(A, B, 4), in = plain, again, tagged;
	struct result r;

	world_reset(state);
	acl_allow_all();
	nsh_protect(A, 0, more, 2);
	nsh_remote(2, 0, 0x7009, FAR_HOST);
	world_case("far, near, far", IN_TC);
	r = expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
	nsh_expect(&r, &plain, &to_far);
	nsh_wrap(&in, &back);
	r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
	tagged = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53, .payload = 20, .tag = OUTWARD });
	case_assert(step_traffic(1).sent == 1 && step_traffic(0).returned == 1);
	expect_frame(&r.out, &plain); /* the tag is beside it */
	r = expect(HOOK_SF, IN_TC, DEVICE_T, &tagged, SENT, DROP_NONE);
	nsh_expect(&r, &plain,
		   &(struct service){
			   .destination = FARS, .si = 253, .ttl = 63, .instance = 0x7009 });
	case_assert(step_traffic(2).sent == 1 && !flow_count("ct4"));
	again = plain;
	nsh_wrap(&again, &(struct service){ .si = 252, .instance = 0x7009 });
	r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &again, SENT, DROP_NONE);
	expect_frame(&r.out, &plain);
	case_assert(flow_count("ct4") == 1 && port_traffic(B).to_packets == 1);

	world_reset(state);
	acl_allow_all();
	nsh_protect(A, CHAIN_MIRROR, more, 2);
	nsh_remote(2, 0, 0x7009, FAR_HOST);
	world_case("mirrored", IN_TC);
	plain = in = udp(B, A, 4);
	r = expect(HOOK_PORT, IN_TC, DEVICE_B, &plain, SENT, DROP_NONE);
	nsh_expect(&r, &plain,
		   &(struct service){ .destination = FARS,
				      .si = 255,
				      .ttl = 63,
				      .spi = PATH << 1 | 1,
				      .tci = INWARD,
				      .instance = 0x7009 });
	nsh_wrap(&in, &(struct service){ .spi = PATH << 1 | 1, .tci = INWARD, .instance = 0x7009 });
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
	case_assert(step_traffic(1).sent == 1 && step_traffic(2).returned == 1);

	/* From one far function to the next, a decapsulated frame goes into a tunnel again. */
	world_reset(state);
	acl_allow_all();
	nsh_protect(A, 0, more, 1);
	nsh_remote(1, 0, 0x7008, FAR_HOST);
	world_case("far, far", IN_TC);
	plain = in = udp(A, B, 4);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
	nsh_wrap(&in, &back);
	r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
	nsh_expect(&r, &plain,
		   &(struct service){ .destination = FARS, .si = 254, .ttl = 63, .instance = 0x7008 });
}

/* ---- what is not believed ---- */

struct attack {
	const char *name;
	struct packet packet;
	struct service service;
	enum drop_reason reason;
	bool tc_only;
};

#define OUT A, B, 4, UDP, 1000, 53
#define IN  B, A, 4, UDP, 53, 1000

static const struct attack attacks[] = {
	{ "another path", { OUT }, { .spi = (PATH + 1) << 1 }, DROP_NSH_PATH },
	{ "no path", { OUT }, { .edit = "54=000000" }, DROP_NSH_PATH },
	{ "another network", { OUT }, { .vni = VNI + 1 }, DROP_NSH_PATH },
	{ "network 0", { OUT }, { .edit = "46=000000" }, DROP_NSH_PATH },
	{ "judged by a third host", { OUT }, { .judge = THEIRS }, DROP_NSH_PATH },
	{ "judged by nobody", { OUT }, { .judge = "0.0.0.0" }, DROP_NSH_PATH },
	{ "for a function here, of a path that none here is on",
	  { OUT },
	  { .judge = FARS, .si = 255 },
	  DROP_NSH_PATH },
	{ "another tag", { OUT }, { .tci = OUTWARD + 1 }, DROP_NSH_PATH },
	{ "the other pass's tag", { OUT }, { .tci = INWARD }, DROP_NSH_PATH },
	{ "the other pass's path", { OUT }, { .spi = PATH << 1 | 1 }, DROP_NSH_PATH },
	{ "PCP 7", { OUT }, { .tci = 7 << 13 | CHAIN_TAG }, DROP_NSH_PATH },
	{ "DEI", { OUT }, { .tci = OUTWARD | 1 << 12 }, DROP_NSH_PATH },

	{ "the index that it went with", { OUT }, { .si = 255 }, DROP_NSH_INDEX },
	{ "an index further", { OUT }, { .si = 253 }, DROP_NSH_INDEX },
	{ "index 1", { OUT }, { .si = 1 }, DROP_NSH_INDEX },
	{ "index 0", { OUT }, { .si = NO_SI }, DROP_NSH_INDEX },
	{ "another instance", { OUT }, { .instance = FAR_INSTANCE + 1 }, DROP_NSH_INDEX },
	{ "no instance", { OUT }, { .edit = "62=00000000" }, DROP_NSH_INDEX },
	{ "from a host that has no instance", { OUT }, { .source = THEIRS }, DROP_NSH_INDEX },

	{ "from an address that is no host", { OUT }, { .source = "192.168.50.9" }, DROP_VTEP_UNKNOWN },
	{ "from ourselves", { OUT }, { .source = OURS }, DROP_VTEP_UNKNOWN },

	{ "version 1", { OUT }, { .edit = "50=4f" }, DROP_NSH_BAD },
	{ "OAM", { OUT }, { .edit = "50=2f" }, DROP_NSH_BAD },
	{ "TTL 0", { OUT }, { .edit = "50=0006" }, DROP_NSH_BAD },
	{ "length 5", { OUT }, { .edit = "51=85" }, DROP_NSH_BAD },
	{ "length 7", { OUT }, { .edit = "51=87" }, DROP_NSH_BAD },
	{ "length 0", { OUT }, { .edit = "51=80" }, DROP_NSH_BAD },
	{ "MD type 2", { OUT }, { .edit = "52=02" }, DROP_NSH_BAD },
	{ "MD type 0", { OUT }, { .edit = "52=00" }, DROP_NSH_BAD },
	{ "IPv4 in it", { OUT }, { .edit = "53=01" }, DROP_NSH_BAD },
	{ "NSH in it", { OUT }, { .edit = "53=04" }, DROP_NSH_BAD },
	{ "no VNI", { OUT }, { .edit = "42=04" }, DROP_NSH_BAD },
	{ "no next protocol", { OUT }, { .edit = "42=08" }, DROP_NSH_BAD },
	{ "VXLAN-GPE's version 1", { OUT }, { .edit = "42=1c" }, DROP_NSH_BAD },
	{ "VXLAN-GPE's OAM", { OUT }, { .edit = "42=0d" }, DROP_NSH_BAD },
	{ "an Ethernet frame at once", { OUT }, { .edit = "45=03" }, DROP_NSH_BAD },
	{ "cut within NSH", { OUT }, { .edit = "len=73" }, DROP_NSH_BAD },
	{ "cut within VXLAN-GPE", { OUT }, { .edit = "len=49" }, DROP_NSH_BAD },
	{ "nothing inside", { OUT }, { .edit = "len=74" }, DROP_SHORT_FRAME },
	{ "a first fragment of the underlay", { OUT }, { .edit = "20=2000" }, DROP_OUTER_FRAGMENT },
	{ "a tag inside", { OUT, .tag = OUTWARD }, {}, DROP_BAD_VLAN },
	{ "IPv4 cut off", { OUT, .edit = "len=30" }, {}, DROP_BAD_IPV4 },

	{ "from a workload that the chain does not protect", { IN }, {}, DROP_SF_NO_FLOW },
	{ "from one that is not here", { R, B, 4, UDP, 1, 2 }, {}, DROP_NSH_MAC },
	{ "from nobody", { STRANGER, B, 4, UDP, 1, 2 }, {}, DROP_NSH_MAC },
	{ "with another's address",
	  { OUT, .edit = "26=0a000104" },
	  {},
	  DROP_SPOOFED_IPV4 },
	{ "ARP, which never went there", { A, B, 0, 1 }, {}, DROP_SF_UNKNOWN },
	{ "ND, which never went there", { A, B, 6, ICMP6, 136 << 8 }, {}, DROP_SF_UNKNOWN },
	{ "no RST or error, and PCP 0", { OUT }, { .tci = CHAIN_TAG }, DROP_SF_UNKNOWN },
	{ "a RST of no flow",
	  { A, B, 4, TCP, 1000, 80, .flags = RST },
	  { .tci = CHAIN_TAG },
	  DROP_SF_NO_FLOW },

	{ "towards one that is not here",
	  { B, R, 4, UDP, 1, 2 },
	  { .spi = PATH << 1 | 1, .tci = INWARD },
	  DROP_NSH_MAC },
	{ "towards one that the chain does not protect",
	  { R, B, 4, UDP, 1, 2 },
	  { .spi = PATH << 1 | 1, .tci = INWARD },
	  DROP_SF_NO_FLOW },
	{ "towards, from nobody",
	  { STRANGER, A, 4, UDP, 1, 2 },
	  { .spi = PATH << 1 | 1, .tci = INWARD },
	  DROP_SF_UNKNOWN },
	{ "a router advertisement towards",
	  { B, ALL, 6, ICMP6, 134 << 8 },
	  { .spi = PATH << 1 | 1, .tci = INWARD },
	  DROP_SF_UNKNOWN },
	{ "a broadcast from nobody",
	  { STRANGER, ALL, 4, UDP, 1, 2 },
	  { .spi = PATH << 1 | 1, .tci = INWARD },
	  DROP_SF_UNKNOWN },
};

/* The allowed twin of each is in comes_back() and arrives(); the counter that moves is the one reason. */
static void not_believed(void **state)
{
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(attacks[i].packet);

			protected(state);
			nsh_wrap(&f, &attacks[i].service);
			world_case(attacks[i].name, flavour);
			expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, DROPPED, attacks[i].reason);
			case_assert(!flow_count("ct4") && !port_traffic(A).to_packets &&
				    !port_traffic(B).to_packets);
		}
}

/* Any length, and a frame of any bytes behind the tunnel's: nothing of it gets anywhere. */
static void cut_anywhere(void **state)
{
	struct frame whole = udp(A, B, 4);

	protected(state);
	nsh_wrap(&whole, &back);
	for (uint32_t len = 34; len < whole.len; len++)
		for_each_flavour(flavour)
		{
			struct frame f = whole;
			struct result r;

			f.len = len;
			world_case("cut", flavour);
			r = world_run(HOOK_UNDERLAY, flavour, DEVICE_U, &f);
			case_assert(len < 42 ? !r.all_drops : r.outcome == DROPPED && r.all_drops == 1);
		}
	case_assert(!flow_count("ct4") && !port_traffic(B).to_packets);
}

static void any_bytes(void **state)
{
	protected(state);
	srandom(4790);
	for (int i = 0; i < 20000; i++) {
		enum flavour flavour = i & 1 ? IN_XDP : IN_TC;
		struct frame f = udp(A, B, 4);
		int n = 1 + (int)(random() % 4);

		nsh_wrap(&f, &back);
		/* Bits of the service path header, contexts or what is inside; never none. */
		while (n--)
			f.data[42 + random() % (f.len - 42)] ^= (uint8_t)(1 << random() % 8);
		world_run_uncounted(HOOK_UNDERLAY, flavour, DEVICE_U, &f);
	}
	case_assert(port_traffic(R).to_packets == 0 && port_traffic(A).to_packets == 0);
}

/* The path, the chain or the function has changed meanwhile. */
static void changed(void **state)
{
	struct nsh_path_key key = { .path = PATH, .host = OUR_HOST };
	struct nsh_chain other = { .id = 9, .path = PATH };
	struct frame plain = udp(A, B, 4), in = plain;
	uint32_t slot = CHAIN;
	struct function f;

	nsh_wrap(&in, &back);
	protected(state);
	world_case("the path is gone", IN_TC);
	map_delete("nsh_paths", &key);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, DROPPED, DROP_NSH_PATH);

	protected(state);
	world_case("the slot has another chain's path", IN_TC);
	map_put("nsh_chains", &slot, &other);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, DROPPED, DROP_NSH_PATH);

	protected(state);
	world_case("the instance is on this host now", IN_TC);
	f = function_now(0);
	f.instance[0].flags = 0;
	function_put(0, &f);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, DROPPED, DROP_NSH_INDEX);

	protected(state);
	world_case("the host is unknown", IN_TC);
	slot = FAR_HOST;
	map_put("hosts", &slot, &(struct host){ 0 });
	expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, DROPPED, DROP_HOST_UNKNOWN);
}

/* 24 bytes more than to a workload. */
static void too_big(void **state)
{
	uint32_t slot = FAR_HOST;
	struct frame fits = udp(A, B, 4);
	struct next_hop hop;

	protected(state);
	map_get("next_hops", &slot, &hop);
	hop.mtu = fits.len - 14 + 74;
	map_put("next_hops", &slot, &hop);
	world_case("fits", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &fits, SENT, DROP_NONE);
	hop.mtu--;
	map_put("next_hops", &slot, &hop);
	world_case("too big", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &fits, DROPPED, DROP_TOO_BIG);
}

/* Towards everybody: one copy, and what comes back goes to all that the chain protects. */
static void broadcast(void **state)
{
	struct frame all = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2 }), home = all;
	struct frame plain = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2, .edit = "12=9000" });

	protected(state);
	flood_to((enum who[]){ A, TAGGED }, 2);
	world_case("a broadcast towards", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, SPENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &plain, SPENT, DROP_NONE);
	case_assert(step_traffic(0).sent == 2 && !port_traffic(A).to_packets &&
		    port_traffic(TAGGED).to_packets == 2);
	nsh_wrap(&home, &back_towards);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, SPENT, DROP_NONE);
	case_assert(port_traffic(A).to_packets == 1 && port_traffic(TAGGED).to_packets == 2);
	case_assert(step_traffic(0).returned == 1);
	world_case("a broadcast towards, in XDP", IN_XDP);
	expect(HOOK_UNDERLAY, IN_XDP, DEVICE_U, &home, UP, DROP_NONE);
}

/* A rule's chain, whose function is on another host. */
static void chosen_far(void **state)
{
	static const enum device_name on_s = DEVICE_S;
	struct chain chain;

	world_reset(state);
	chain_offer(CHAIN, A, 0, &on_s, 1);
	chain = chain_now();
	chain.flags |= CHAIN_AWAY;
	chain.step[0].flags = 0;
	chain.vnis[0] = VNI;
	chain.id = 6;
	chain_put(&chain);
	nsh_far_host();
	nsh_remote(0, 0, FAR_INSTANCE, FAR_HOST);
	nsh_path(OUR_HOST);
	put_rules(&(struct rules){ .in = CHAIN, .at = A });
}

static void fragments_of_chosen(void **state)
{
	static const uint32_t cuts[] = { 0, 48, 88, 108 };
	struct frame whole = packet_frame((struct packet){ R, A, 4, UDP, 5353, 53, .payload = 100 });
	struct frame answer = packet_frame((struct packet){ A, R, 4, UDP, 53, 5353, .payload = 100 });

	chosen_far(state);
	for (uint32_t i = 0; i + 1 < sizeof(cuts) / sizeof(*cuts); i++) {
		struct frame piece = frame_fragment(&whole, cuts[i], cuts[i + 1], 77), in = piece, home = piece;
		struct result r;

		world_case("a fragment towards", IN_TC);
		frame_wrap(&in, &(struct tunnelled){ 0 });
		r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
		nsh_expect(&r, &piece, &to_far_towards);
		nsh_wrap(&home, &back_towards);
		r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, SENT, DROP_NONE);
		expect_frame(&r.out, &piece);
		case_assert(port_traffic(A).to_packets == i + 1);
	}
	for (uint32_t i = 0; i + 1 < sizeof(cuts) / sizeof(*cuts); i++) {
		struct frame piece = frame_fragment(&answer, cuts[i], cuts[i + 1], 78), home = piece;
		struct result r;

		world_case("a fragment leaving", IN_TC);
		r = expect(HOOK_PORT, IN_TC, DEVICE_A, &piece, SENT, DROP_NONE);
		nsh_expect(&r, &piece, &to_far);
		nsh_wrap(&home, &back);
		r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, SENT, DROP_NONE);
		case_assert(r.out.len == piece.len + 50 && !memcmp(r.out.data + 50, piece.data, piece.len));
	}
	case_assert(step_traffic(0).sent == 6 && step_traffic(0).returned == 6 && flow_count("ct4") == 1);
	world_case("of a flow that does not name the chain", IN_TC);
	{
		struct frame other = packet_frame((struct packet){ R, A, 4, UDP, 5353, 2000 }), in = other;

		frame_wrap(&in, &(struct tunnelled){ 0 });
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
		nsh_wrap(&other, &back_towards);
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &other, DROPPED, DROP_SF_NO_FLOW);
	}
}

/* One frame for ports behind more chains than it can pass on one host: those behind the others get none, and that counts. */
static void broadcast_of_many(void **state)
{
	struct frame all = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2 });
	uint32_t vni = VNI, s = device(DEVICE_S);
	struct network network;

	protected(state);
	instance_put(0, 0, FAR_INSTANCE, s, s);
	map_get("networks", &vni, &network);
	network.flood = 5;
	map_put("networks", &vni, &network);
	for (uint32_t i = 0; i < 5; i++) {
		struct flood_key key = { .vni = VNI, .n = i };
		struct flood_target target = { TARGET_PORT, 20 + i };
		struct chain chain = chain_now();
		struct port port = port_get(A);
		uint32_t slot = 40 + i;

		port.chain = (uint16_t)slot;
		port.mac[5] = (uint8_t)(0x60 + i);
		map_put("chains", &slot, &chain);
		map_put("port_slots", &target.index, &port);
		map_put("flood", &key, &target);
	}
	world_case("five chains", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, DROPPED, DROP_FLOOD_FAILED);
	case_assert(instance_traffic(0, 0).sent == 4);
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t slot = 20 + i;

		map_put("port_slots", &slot, &(struct port){ 0 });
	}
}

/* One of this host is preferred, as long as it answers; a flow stays where it is. */
static void rather_local(void **state)
{
	struct frame f = udp(A, B, 4), other = packet_frame((struct packet){ A, B, 4, UDP, 1001, 53 });
	uint32_t s = device(DEVICE_S);

	protected(state);
	instance_put(0, 1, 55, s, s);
	put_returns(A, s, s, 0, 1);
	world_case("the local one", IN_TC);
	for (uint16_t i = 0; i < 50; i++) {
		struct frame one = packet_frame((struct packet){ A, B, 4, UDP, 2000 + i, 53 });

		expect(HOOK_PORT, IN_TC, DEVICE_A, &one, SENT, DROP_NONE);
	}
	case_assert(instance_traffic(0, 1).sent == 50 && !instance_traffic(0, 0).sent);
	world_case("it is silent", IN_TC);
	watch_put(0, 1,
		  &(struct sf_state){ .waiting_since = jiffies_now() - HZ / 2,
				      .outstanding = 100,
				      .last_try = jiffies_now() });
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	case_assert(instance_traffic(0, 0).sent == 1 && instance_traffic(0, 0).flows == 1);
	world_case("it is back", IN_TC);
	watch_put(0, 1, &(struct sf_state){ 0 });
	watch_put(0, 0, &(struct sf_state){ 0 });
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &other, SENT, DROP_NONE);
	case_assert(instance_traffic(0, 0).sent == 2 && instance_traffic(0, 1).sent == 51);
}

/* XDP leads a chain's frames to instances of this host, and leaves to TC the flows that have gone elsewhere. */
static void xdp_near(void **state)
{
	struct frame leaving = udp(A, B, 4), towards = udp(B, A, 4), wrapped = udp(R, A, 4);
	uint32_t s = device(DEVICE_S);
	struct chain chain;

	protected(state);
	instance_put(0, 1, 55, s, s);
	put_returns(A, s, s, 0, 1);
	chain = chain_now();
	chain.flags |= CHAIN_AWAY;
	chain.step[0].flags = STEP_XDP_DELIVER;
	chain_put(&chain);
	frame_wrap(&wrapped, &(struct tunnelled){ 0 });
	world_case("the local one, in XDP", IN_XDP);
	expect(HOOK_PORT, IN_XDP, DEVICE_A, &leaving, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_XDP, DEVICE_B, &towards, SENT, DROP_NONE);
	expect(HOOK_UNDERLAY, IN_XDP, DEVICE_U, &wrapped, SENT, DROP_NONE);
	case_assert(instance_traffic(0, 1).sent == 3 && outstanding(0, 1) == 3 && !outstanding(0, 0));
	world_case("it is silent, in XDP", IN_XDP);
	watch_put(0, 1,
		  &(struct sf_state){ .waiting_since = jiffies_now() - 2 * HZ,
				      .outstanding = 100,
				      .last_try = jiffies_now() });
	expect(HOOK_PORT, IN_XDP, DEVICE_A, &leaving, UP, DROP_NONE);
	expect(HOOK_PORT, IN_XDP, DEVICE_B, &towards, UP, DROP_NONE);
	expect(HOOK_UNDERLAY, IN_XDP, DEVICE_U, &wrapped, UP, DROP_NONE);
	case_assert(!outstanding(0, 0) && !instance_traffic(0, 0).sent);
	/* Of two flows. */
	case_assert(instance_traffic(0, 0).moved == 2 && !instance_traffic(0, 0).flows);
	world_case("and TC sends it", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &leaving, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &towards, SENT, DROP_NONE);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &wrapped, SENT, DROP_NONE);
	case_assert(outstanding(0, 0) == 3 && instance_traffic(0, 0).sent == 3 && instance_traffic(0, 0).moved == 2);
}

/* What is of no flow is judged again by TC: XDP leaves it before a rule has counted it. */
static void xdp_stateless(void **state)
{
	struct frame f = packet_frame((struct packet){ B, A, 4, UDP, 1, 2, .edit = "12=9000" });
	uint32_t s = device(DEVICE_S);
	struct chain chain;

	protected(state);
	hits_clear();
	instance_put(0, 1, 55, s, s);
	put_returns(A, s, s, 0, 1);
	chain = chain_now();
	chain.flags |= CHAIN_AWAY;
	chain.step[0].flags = STEP_XDP_DELIVER;
	chain_put(&chain);
	watch_put(0, 1,
		  &(struct sf_state){ .waiting_since = jiffies_now() - 2 * HZ,
				      .outstanding = 100,
				      .last_try = jiffies_now() });
	world_case("of no flow, in XDP", IN_XDP);
	expect(HOOK_PORT, IN_XDP, DEVICE_B, &f, UP, DROP_NONE);
	case_assert(!rule_counted(77).packets);
	world_case("and TC sends it", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &f, SENT, DROP_NONE);
	case_assert(rule_counted(77).packets == 1);
	world_case("dropped, in XDP", IN_XDP);
	acl_put(NULL, 0);
	expect(HOOK_PORT, IN_XDP, DEVICE_B, &f, DROPPED, DROP_ACL_IN);
}

/* The remote one drains, is dead, or down. */
static void remote_fails(void **state)
{
	struct frame f = udp(A, B, 4), other = packet_frame((struct packet){ A, B, 4, UDP, 1001, 53 });
	struct function function;

	protected(state);
	nsh_remote(0, 1, FAR_INSTANCE + 1, THEIR_HOST);
	function = function_now(0);
	function.instance[0].flags |= INSTANCE_DRAIN;
	function.fresh &= (uint16_t)~1;
	function_put(0, &function);
	world_case("one of two drains", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &other, SENT, DROP_NONE);
	case_assert(instance_traffic(0, 1).flows == 2);

	protected(state);
	function = function_now(0);
	function.instance[0].flags |= INSTANCE_DRAIN;
	function.fresh &= (uint16_t)~1;
	function_put(0, &function);
	world_case("the only one drains", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);

	protected(state);
	function.instance[0].flags |= INSTANCE_DOWN;
	function.remote = 0;
	function_put(0, &function);
	world_case("the only one is down", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_SF_DOWN);

	protected(state);
	watch_put(0, 0,
		  &(struct sf_state){ .waiting_since = jiffies_now() - 2 * HZ,
				      .outstanding = 100,
				      .last_try = jiffies_now() });
	world_case("the only one is silent", IN_TC);
	for (int i = 0, dropped = 0; i < 20; i++) {
		struct result r = world_run(HOOK_PORT, IN_TC, DEVICE_A, &f);

		dropped += r.outcome == DROPPED && r.drops[DROP_SF_DOWN];
		if (i == 19)
			case_assert(dropped > 10);
	}
}

/* A segment to the function, and home. */
static void through(struct packet packet)
{
	bool leaving = packet.from == A;
	struct frame plain = packet_frame(packet), home = plain;

	expect(HOOK_PORT, IN_TC, leaving ? DEVICE_A : DEVICE_B, &plain, SENT, DROP_NONE);
	nsh_wrap(&home, leaving ? &back : &back_towards);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, SENT, DROP_NONE);
}

/* What the function has made itself, for either end of a flow that there is. A is the server. */
static void made(void **state)
{
	static const struct service towards = { .spi = PATH << 1 | 1, .tci = CHAIN_TAG },
				    leaving = { .tci = CHAIN_TAG };
	static const struct packet quoted = { B, A, 4, TCP, 1000, 80, .seq = 101 };
	static const struct {
		const char *name;
		struct packet packet;
		const struct service *service;
		enum drop_reason reason;
	} cases[] = {
		{ "a RST to the client",
		  { A, B, 4, TCP, 80, 1000, RST | ACK, .seq = 501, .ack = 101 },
		  &leaving,
		  DROP_NONE },
		{ "a RST to the server",
		  { B, A, 4, TCP, 1000, 80, RST | ACK, .seq = 101, .ack = 501 },
		  &towards,
		  DROP_NONE },
		{ "an error to the client",
		  { A, B, 4, ICMP4, 0x030a, .quote = &quoted },
		  &leaving,
		  DROP_NONE },
		{ "a RST with a number of no window",
		  { A, B, 4, TCP, 80, 1000, RST | ACK, .seq = 90000, .ack = 101 },
		  &leaving,
		  DROP_CT_TCP_WINDOW },
		{ "a RST on the path of the other pass",
		  { B, A, 4, TCP, 1000, 80, RST | ACK, .seq = 101, .ack = 501 },
		  &leaving,
		  DROP_SF_NO_FLOW },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frame f = packet_frame(cases[i].packet);

		protected(state);
		world_case(cases[i].name, IN_TC);
		through((struct packet){ B, A, 4, TCP, 1000, 80, SYN, .seq = 100 });
		through((struct packet){ A, B, 4, TCP, 80, 1000, SYN | ACK, .seq = 500, .ack = 101 });
		through((struct packet){ B, A, 4, TCP, 1000, 80, ACK, .seq = 101, .ack = 501 });
		nsh_wrap(&f, cases[i].service);
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &f, cases[i].reason ? DROPPED : SENT,
		       cases[i].reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(leaves, world_reset),
		cmocka_unit_test_setup(comes_back, world_reset),
		cmocka_unit_test_setup(arrives, world_reset),
		cmocka_unit_test_setup(several_steps, world_reset),
		cmocka_unit_test_setup(not_believed, world_reset),
		cmocka_unit_test_setup(cut_anywhere, world_reset),
		cmocka_unit_test_setup(any_bytes, world_reset),
		cmocka_unit_test_setup(changed, world_reset),
		cmocka_unit_test_setup(too_big, world_reset),
		cmocka_unit_test_setup(broadcast, world_reset),
		cmocka_unit_test_setup(fragments_of_chosen, world_reset),
		cmocka_unit_test_setup(broadcast_of_many, world_reset),
		cmocka_unit_test_setup(rather_local, world_reset),
		cmocka_unit_test_setup(xdp_near, world_reset),
		cmocka_unit_test_setup(xdp_stateless, world_reset),
		cmocka_unit_test_setup(remote_fails, world_reset),
		cmocka_unit_test_setup(made, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is not believed when it comes in NSH as if it were back from a function: another host's, another place of the path or
 * another path, cut or garbled, of other workloads, or of a chain that has changed meanwhile.
 */
#include "selftests/unit/nsh_judge.h"

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

/* The allowed twin of each is in packets_nsh_judge.c; the counter that moves is the one reason. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(not_believed, world_reset),
		cmocka_unit_test_setup(cut_anywhere, world_reset),
		cmocka_unit_test_setup(any_bytes, world_reset),
		cmocka_unit_test_setup(changed, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

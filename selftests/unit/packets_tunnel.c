// SPDX-License-Identifier: BSD-2-Clause
/*
 * tunnel: what comes in on the underlay: ours and believed, ours and refused under its reason, or
 * not ours at all.
 */
#include "selftests/unit/lib/world.h"

struct tunnel_case {
	const char *name;
	struct packet inner;
	struct tunnelled outer;
	enum outcome outcome;
	enum drop_reason reason;
	bool tc_only;
};

#define UDP_4 R, A, 4, UDP, 1000, 53
#define UDP_6 R, A, 6, UDP, 1000, 53

/* Outer: Ethernet type at 12, IPv4 at 14, UDP at 34, VXLAN at 42, the inner frame at 50. */
static const struct tunnel_case cases[] = {
	{ "IPv4", { UDP_4 }, {}, SENT },
	{ "IPv6", { UDP_6 }, {}, SENT },
	{ "TCP", { R, A, 4, TCP, 1000, 80, .flags = SYN }, {}, SENT },
	{ "neither", { UDP_4, .edit = "12=9000" }, {}, SENT },
	{ "neither, and shorter than any IP", { UDP_4, .edit = "12=9000 len=33" }, {}, SENT },
	{ "neither, and nothing", { UDP_4, .edit = "12=9000 len=14" }, {}, SENT },
	{ "reserved bits, which a receiver ignores (RFC 7348)",
	  { UDP_4 },
	  { .edit = "42=fb 43=ffffff 49=ff" },
	  SENT },
	{ "any source port", { UDP_4 }, { .edit = "34=0001" }, SENT },
	{ "a checksum that the sender had no need to fill",
	  { UDP_4 },
	  { .edit = "40=1234" },
	  SENT },

	{ "no VNI flag", { UDP_4 }, { .edit = "42=00" }, DROPPED, DROP_OUTER_BAD },
	{ "cut within VXLAN", { UDP_4 }, { .edit = "len=49" }, DROPPED, DROP_OUTER_BAD },
	{ "nothing inside", { UDP_4 }, { .edit = "len=50" }, DROPPED, DROP_SHORT_FRAME },
	{ "from an address that is no host",
	  { UDP_4 },
	  { .source = "192.168.50.3" },
	  DROPPED,
	  DROP_VTEP_UNKNOWN },
	{ "from 0.0.0.0", { UDP_4 }, { .source = "0.0.0.0" }, DROPPED, DROP_VTEP_UNKNOWN },
	{ "from ourselves", { UDP_4 }, { .source = "192.168.50.1" }, DROPPED, DROP_VTEP_UNKNOWN },
	{ "a VNI that is not here", { UDP_4 }, { .vni = VNI + 1 }, DROPPED, DROP_VNI_UNKNOWN },
	{ "a VNI with a bit above ours",
	  { UDP_4 },
	  { .vni = 0x800000 | VNI },
	  DROPPED,
	  DROP_VNI_UNKNOWN },
	{ "VNI 0", { UDP_4 }, { .edit = "46=000000" }, DROPPED, DROP_VNI_UNKNOWN },
	{ "inner source that lives here",
	  { B, A, 4, UDP, 1000, 53 },
	  {},
	  DROPPED,
	  DROP_WRONG_HOST },
	{ "inner source that nobody has",
	  { STRANGER, A, 4, UDP, 1000, 53 },
	  {},
	  DROPPED,
	  DROP_WRONG_HOST },
	{ "for a workload of the host that it is from",
	  { A, R, 4, UDP, 1000, 53 },
	  {},
	  DROPPED,
	  DROP_NOT_HERE },
	{ "broadcast from a source that lives here",
	  { A, ALL, 4, UDP, 1000, 53 },
	  {},
	  DROPPED,
	  DROP_WRONG_HOST,
	  true },
	{ "broadcast", { R, ALL, 4, UDP, 1000, 53 }, {}, SPENT, DROP_NONE, true },
	{ "a MAC that nobody has", { R, STRANGER, 4, UDP, 1000, 53 }, {}, SPENT, DROP_NONE, true },
	{ "a link-local multicast (802.1D)",
	  { R, ALL, 4, UDP, 1, 2, .edit = "0=0180c2000000" },
	  {},
	  DROPPED,
	  DROP_LINK_LOCAL,
	  true },

	{ "ARP of the underlay", { UDP_4 }, { .edit = "12=0806" }, PASSED },
	{ "IPv6 of the underlay", { UDP_4 }, { .edit = "12=86dd" }, PASSED },
	{ "a tagged frame of the underlay", { UDP_4 }, { .edit = "12=8100" }, PASSED },
	{ "TCP to port 4789", { UDP_4 }, { .edit = "23=06" }, PASSED },
	{ "UDP to another port", { UDP_4 }, { .edit = "36=12b7" }, PASSED },
	{ "to another address of this host", { UDP_4 }, { .destination = "192.168.50.9" }, PASSED },
	{ "broadcast of the underlay", { UDP_4 }, { .destination = "192.168.50.255" }, PASSED },
	{ "IPv4 options outside", { UDP_4 }, { .edit = "14=46" }, PASSED },
	{ "a first fragment outside",
	  { UDP_4 },
	  { .edit = "20=2000" },
	  DROPPED,
	  DROP_OUTER_FRAGMENT },
	{ "a later fragment outside", { UDP_4 }, { .edit = "20=0001" }, PASSED },
	{ "UDP cut off outside", { UDP_4 }, { .edit = "len=41" }, PASSED },
};

static void every_packet(void **state)
{
	(void)state;
	acl_allow_all();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct tunnel_case *c = &cases[i];
		struct frame inner = packet_frame(c->inner), f = inner;

		frame_wrap(&f, &c->outer);
		for_each_flavour(flavour)
		{
			struct result r;

			world_case(c->name, flavour);
			flows_clear();
			r = (c->tc_only ? expect_tc : expect)(HOOK_UNDERLAY, flavour, DEVICE_U, &f,
							      c->outcome, c->reason);
			if (c->outcome != SENT)
				continue;
			/* What was inside comes out, every byte of it. */
			expect_frame(&r.out, &inner);
			if (flavour == IN_TC)
				case_assert(r.mark == MARK);
		}
	}
}

/* The receiver's counters rise by the inner frame; nobody's "from" does. */
static void counters(void **state)
{
	struct frame f = packet_frame((struct packet){ UDP_4 });
	uint32_t inner = f.len;
	struct traffic t;

	(void)state;
	acl_allow_all();
	frame_wrap(&f, &(struct tunnelled){ 0 });
	for_each_flavour(flavour)
	{
		world_case("counters", flavour);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, SENT, DROP_NONE);
	}
	t = port_traffic(A);
	case_assert(t.to_packets == 2 && t.to_bytes == 2 * inner && !t.from_packets && !t.drops);
	per_cpu_sum("network_stats", NETWORK, (uint64_t *)&t, sizeof(t) / 8);
	case_assert(t.to_packets == 2 && t.to_bytes == 2 * inner && !t.from_packets);
}

/* The ACL towards the workload is this host's to judge. */
static void acl_in(void **state)
{
	struct frame f = packet_frame((struct packet){ UDP_4 });

	(void)state;
	frame_wrap(&f, &(struct tunnelled){ 0 });
	for_each_flavour(flavour)
	{
		world_case("nothing allows it in", flavour);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, DROPPED, DROP_ACL_IN);
	}
}

/* Without an address of our own nothing on the underlay is ours. */
static void no_tunnel_yet(void **state)
{
	struct frame f = packet_frame((struct packet){ UDP_4 });
	struct host_config us;
	uint32_t zero = 0;

	(void)state;
	map_get("host", &zero, &us);
	memset(us.vtep4, 0, 4);
	map_put("host", &zero, &us);
	frame_wrap(&f, &(struct tunnelled){ 0 });
	for_each_flavour(flavour)
	{
		world_case("a host without a tunnel address", flavour);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, PASSED, DROP_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_packet, world_reset),
		cmocka_unit_test_setup(counters, world_reset),
		cmocka_unit_test_setup(acl_in, world_reset),
		cmocka_unit_test_setup(no_tunnel_yet, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * parse: a good frame passes; the same frame with one thing wrong is dropped under the reason of
 * that thing, and counted there and nowhere else. Offsets in the edits: IPv4 at 14, its L4 at 34;
 * IPv6 at 14, its L4 at 54.
 */
#include "selftests/unit/lib/world.h"

struct parse_case {
	const char *name;
	struct packet packet;
	enum drop_reason reason; /* DROP_NONE: it passes */
	bool tc_only; /* XDP leaves it to TC */
};

static const struct packet quoted_udp4 = { B, A, 4, UDP, 9, 9 },
			   quoted_udp6 = { B, A, 6, UDP, 9, 9 };
static const struct packet not_ours = { B, R, 4, UDP, 9, 9 }, not_ours6 = { B, R, 6, UDP, 9, 9 };

#define UDP_4  A, B, 4, UDP, 1000, 53
#define TCP_4  A, B, 4, TCP, 1000, 80, .flags = SYN
#define PING_4 A, B, 4, ICMP4, 0x0800, 1
#define UDP_6  A, B, 6, UDP, 1000, 53
#define TCP_6  A, B, 6, TCP, 1000, 80, .flags = SYN
#define PING_6 A, B, 6, ICMP6, 0x8000, 1

static const struct parse_case cases[] = {
	{ "UDP", { UDP_4 } },
	{ "UDP, 1000 bytes", { UDP_4, .payload = 1000 } },
	{ "UDP, Ethernet padding behind it", { UDP_4, .edit = "len=60" } },
	{ "TCP", { TCP_4 } },
	{ "ping", { PING_4 } },
	{ "SCTP", { A, B, 4, SCTP, 1000, 80 } },
	{ "a protocol by its number", { A, B, 4, 47, .payload = 8 } },
	{ "IPv4 with options",
	  { UDP_4, .payload = 4, .edit = "14=46 34=01010101 38=03e8003500080000" } },
	{ "IPv4 version 6", { UDP_4, .edit = "14=65" }, DROP_BAD_IPV4 },
	{ "IPv4 header of 16 bytes", { UDP_4, .edit = "14=44" }, DROP_BAD_IPV4 },
	{ "IPv4 header longer than the packet", { UDP_4, .edit = "14=4f" }, DROP_BAD_IPV4 },
	{ "IPv4 total length beyond the frame", { UDP_4, .edit = "16=001d" }, DROP_BAD_IPV4 },
	{ "IPv4 total length within its header", { UDP_4, .edit = "16=0013" }, DROP_BAD_IPV4 },
	{ "IPv4 total length 0", { UDP_4, .edit = "16=0000" }, DROP_BAD_IPV4 },
	{ "UDP cut off", { UDP_4, .edit = "16=001b" }, DROP_BAD_L4 },
	{ "UDP length below its header", { UDP_4, .edit = "38=0007" }, DROP_BAD_L4 },
	{ "UDP length beyond the packet", { UDP_4, .edit = "38=0009" }, DROP_BAD_L4 },
	{ "SCTP cut off", { A, B, 4, SCTP, 1, 2, .edit = "16=001f len=45" }, DROP_BAD_L4 },
	{ "TCP cut off", { TCP_4, .edit = "16=0027 len=53" }, DROP_BAD_L4 },
	{ "TCP header of 16 bytes", { TCP_4, .edit = "46=40" }, DROP_BAD_L4 },
	{ "TCP options beyond the packet", { TCP_4, .edit = "46=60" }, DROP_BAD_L4 },
	{ "TCP with no flags", { TCP_4, .edit = "47=00" }, DROP_BAD_L4 },
	{ "TCP SYN and FIN", { TCP_4, .edit = "47=03" }, DROP_BAD_L4 },
	{ "TCP SYN and RST", { TCP_4, .edit = "47=06" }, DROP_BAD_L4 },
	{ "TCP Christmas tree", { TCP_4, .edit = "47=ff" }, DROP_BAD_L4 },
	{ "TCP PSH and URG alone", { TCP_4, .edit = "47=28" }, DROP_BAD_L4 },
	{ "ICMP cut off", { PING_4, .edit = "16=001b" }, DROP_BAD_L4 },
	{ "ICMPv6 over IPv4", { PING_4, .edit = "23=3a" }, DROP_BAD_L4 },
	{ "ICMP error that quotes nothing", { A, B, 4, ICMP4, 0x0301 }, DROP_BAD_L4 },
	{ "ICMP error, quote cut off",
	  { A, B, 4, ICMP4, 0x0301, .quote = &quoted_udp4, .edit = "16=0037" },
	  DROP_BAD_L4 },
	{ "ICMP error, quote is a late fragment",
	  { A, B, 4, ICMP4, 0x0301, .quote = &quoted_udp4, .edit = "48=0010" },
	  DROP_BAD_L4 },
	{ "ICMP error, bad header in the quote",
	  { A, B, 4, ICMP4, 0x0301, .quote = &quoted_udp4, .edit = "42=41" },
	  DROP_BAD_L4 },
	{ "ICMP error of no flow",
	  { A, B, 4, ICMP4, 0x0301, .quote = &quoted_udp4 },
	  DROP_ICMP_UNRELATED },
	{ "ICMP error that quotes others",
	  { A, B, 4, ICMP4, 0x0301, .quote = &not_ours },
	  DROP_ICMP_UNRELATED },

	{ "UDP6", { UDP_6 } },
	{ "TCP6", { TCP_6 } },
	{ "ping6", { PING_6 } },
	{ "IPv6 version 4", { UDP_6, .edit = "14=40" }, DROP_BAD_IPV6 },
	{ "IPv6 payload beyond the frame", { UDP_6, .edit = "18=0009" }, DROP_BAD_IPV6 },
	{ "IPv6 payload shorter than UDP", { UDP_6, .edit = "18=0007" }, DROP_BAD_L4 },
	{ "TCP6 SYN and FIN", { TCP_6, .edit = "67=03" }, DROP_BAD_L4 },
	{ "ICMP over IPv6", { PING_6, .edit = "20=01" }, DROP_BAD_L4 },
	{ "ICMPv6 error of no flow",
	  { A, B, 6, ICMP6, 0x0100, .quote = &quoted_udp6 },
	  DROP_ICMP_UNRELATED },
	{ "ICMPv6 error that quotes others",
	  { A, B, 6, ICMP6, 0x0100, .quote = &not_ours6 },
	  DROP_ICMP_UNRELATED },
	{ "ICMPv6 error that quotes nothing", { A, B, 6, ICMP6, 0x0100 }, DROP_BAD_L4 },
	{ "hop-by-hop", { UDP_6, .extensions = "1100 0104 00000000" } },
	{ "hop-by-hop, destination, routing",
	  { UDP_6, .extensions = "3c00 0104 00000000  2b00 0104 00000000  1100 0000 00000000" } },
	{ "authentication header",
	  { UDP_6, .first_extension = 51, .extensions = "1101 0000 00000001 00000001" } },
	{ "five headers",
	  { TCP_6, .extensions = "3c00 010400000000 3c00 010400000000 3c00 010400000000"
				 "3c00 010400000000 0600 010400000000" } },
	{ "six headers",
	  { UDP_6, .extensions = "3c00 010400000000 3c00 010400000000 3c00 010400000000"
				 "3c00 010400000000 3c00 010400000000 1100 010400000000" },
	  DROP_BAD_EXTENSION },
	{ "hop-by-hop in second place",
	  { UDP_6, .first_extension = 60, .extensions = "0000 010400000000 1100 010400000000" },
	  DROP_BAD_EXTENSION },
	{ "a header longer than the packet",
	  { UDP_6, .extensions = "1102 0104 00000000" },
	  DROP_BAD_EXTENSION },
	{ "headers longer than we look",
	  { UDP_6, .payload = 200, .extensions = "1110 0104 00000000" },
	  DROP_BAD_EXTENSION },
	{ "a header cut off", { UDP_6, .edit = "20=3c 18=0000 len=54" }, DROP_BAD_EXTENSION },

	{ "ARP for IPX", { A, B, 0, 1, .edit = "16=8137" }, DROP_BAD_ARP },
	{ "ARP over Token Ring", { A, B, 0, 1, .edit = "14=0006" }, DROP_BAD_ARP },
	{ "ARP with short MACs", { A, B, 0, 1, .edit = "18=05" }, DROP_BAD_ARP },
	{ "ARP with long addresses", { A, B, 0, 1, .edit = "19=10" }, DROP_BAD_ARP },
	{ "ARP cut off", { A, B, 0, 1, .edit = "len=41" }, DROP_BAD_ARP },
	{ "ARP of an operation of its own", { A, B, 0, 8 }, DROP_BAD_ARP, .tc_only = true },

	{ "802.3 with LLC", { UDP_4, .edit = "12=0020 14=fefe03" } },
	{ "802.3 with nothing", { UDP_4, .edit = "12=0000 len=14" } },
	{ "802.3 with SNAP", { UDP_4, .edit = "12=0020 14=aaaa03 17=000000 20=0800" }, DROP_HIDDEN_IP },
	{ "802.3 with IP's SAP", { UDP_4, .edit = "12=0020 14=060603" }, DROP_HIDDEN_IP },
	{ "802.3 with IP's SAP, to a group", { UDP_4, .edit = "12=0020 14=070603" }, DROP_HIDDEN_IP },

	{ "the VLAN of another port's",
	  { UDP_4, .tag = 21 },
	  DROP_VLAN_NOT_ALLOWED,
	  .tc_only = true },
	{ "priority tag", { UDP_4, .tag = 5 << 13 }, DROP_VLAN_NOT_ALLOWED, .tc_only = true },
	{ "a function's tag, forged",
	  { UDP_4, .tag = PCP_TOWARDS << 13 | CHAIN_TAG },
	  DROP_VLAN_NOT_ALLOWED,
	  .tc_only = true },
	{ "the port's VLAN", { TAGGED, B, 4, UDP, 1000, 53, .tag = PORT_VLAN }, .tc_only = true },
	{ "the port's VLAN with a priority",
	  { TAGGED, B, 6, UDP, 1000, 53, .tag = 7 << 13 | PORT_VLAN },
	  .tc_only = true },
	{ "the port's VLAN and one inside",
	  { TAGGED, B, 4, UDP, 1, 2, .tag = PORT_VLAN, .inner_tag = 9 },
	  DROP_VLAN_NOT_ALLOWED,
	  .tc_only = true },
	{ "a tag cut off", { UDP_4, .tag = PORT_VLAN, .edit = "len=16" }, DROP_SHORT_FRAME },
	{ "three tags",
	  { TAGGED, B, 4, UDP, 1, 2, .tag = PORT_VLAN, .inner_tag = 9, .edit = "20=8100" },
	  DROP_BAD_VLAN,
	  .tc_only = true },
	{ "provider tag with the port's VLAN",
	  { TAGGED, B, 4, UDP, 1, 2, .tag = PORT_VLAN, .edit = "12=88a8" },
	  DROP_VLAN_NOT_ALLOWED,
	  .tc_only = true },
};

static void every_frame(void **state)
{
	(void)state;
	acl_allow_all();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct parse_case *c = &cases[i];
		struct frame f = packet_frame(c->packet);

		for_each_flavour(flavour)
		{
			uint64_t dropped = port_traffic(A).drops + port_traffic(TAGGED).drops;

			world_case(c->name, flavour);
			flows_clear();
			(c->tc_only ? expect_tc : expect)(HOOK_PORT, flavour, DEVICE_A, &f,
							  c->reason ? DROPPED : SENT, c->reason);
			/* A drop is the port's too; what no port is for is the untagged port's. */
			dropped = port_traffic(A).drops + port_traffic(TAGGED).drops - dropped;
			case_assert(dropped == (c->reason && (!c->tc_only || flavour == IN_TC)));
		}
	}
}

/* No port on this device at all: in XDP there may be a tag that it does not see. */
static void unknown_port(void **state)
{
	struct frame f = packet_frame((struct packet){ UDP_4 });

	(void)state;
	for_each_flavour(flavour)
	{
		world_case("device without a port", flavour);
		expect_tc(HOOK_PORT, flavour, DEVICE_U, &f, DROPPED, DROP_UNKNOWN_PORT);
	}
}

/* A binding to a slot that has been given to another port since is no binding. */
static void stale_binding(void **state)
{
	struct frame f = packet_frame((struct packet){ UDP_4 });
	struct port port = port_get(A);

	(void)state;
	port.generation++;
	port_put(A, &port);
	for_each_flavour(flavour)
	{
		world_case("slot of another generation", flavour);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_UNKNOWN_PORT);
	}
}

/* Inside the tunnel: no tags, and headers are looked at as at the port. */
static void inner_frames(void **state)
{
	static const struct parse_case inner[] = {
		{ "UDP", { R, A, 4, UDP, 1, 2 } },
		{ "UDP6 behind hop-by-hop",
		  { R, A, 6, UDP, 1, 2, .extensions = "1100 0104 00000000" } },
		{ "tagged", { R, A, 4, UDP, 1, 2, .tag = PORT_VLAN }, DROP_BAD_VLAN },
		{ "IPv4 longer than the inner frame",
		  { R, A, 4, UDP, 1, 2, .edit = "16=0020" },
		  DROP_BAD_IPV4 },
		{ "IPv6 longer than the inner frame",
		  { R, A, 6, UDP, 1, 2, .edit = "18=0009" },
		  DROP_BAD_IPV6 },
		{ "TCP SYN and FIN", { R, A, 4, TCP, 1, 2, .flags = SYN | FIN }, DROP_BAD_L4 },
		/* The kernel runs no test on an untunnelled frame as short as these. */
		{ "IPv4 cut in its header",
		  { R, A, 4, UDP, 1, 2, .edit = "len=33" },
		  DROP_BAD_IPV4 },
		{ "IPv6 cut in its header",
		  { R, A, 6, UDP, 1, 2, .edit = "len=53" },
		  DROP_BAD_IPV6 },
		{ "no Ethernet header",
		  { R, A, 4, UDP, 1, 2, .edit = "len=13" },
		  DROP_SHORT_FRAME },
	};

	(void)state;
	acl_allow_all();
	for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(inner[i].packet);

			world_case(inner[i].name, flavour);
			flows_clear();
			frame_wrap(&f, &(struct tunnelled){ 0 });
			expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f,
			       inner[i].reason ? DROPPED : SENT, inner[i].reason);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_frame, world_reset),
		cmocka_unit_test_setup(unknown_port, world_reset),
		cmocka_unit_test_setup(stale_binding, world_reset),
		cmocka_unit_test_setup(inner_frames, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

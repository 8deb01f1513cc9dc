// SPDX-License-Identifier: BSD-2-Clause
/*
 * output: to a port of this host unchanged, to another host inside 50 bytes that are told here one
 * by one.
 */
#include "selftests/unit/lib/world.h"

#define UDP_4    A, R, 4, UDP, 1000, 53
#define ETHERNET "02 00 00 00 00 52  02 00 00 00 00 51  0800"

/*
 * The outer header of each flow: total length, checksum, source port and UDP length are the
 * packet's own.
 */
static const struct {
	const char *name;
	struct packet inner;
	const char *outer;
} encapsulated[] = {
	{ "UDP",
	  { UDP_4 },
	  ETHERNET
	  "45 00 004e 0000 4000 40 11 554b c0a83201 c0a83202  ???? 12b5 003a 0000  08 000000 000065 00" },
	{ "UDP of 1000 bytes",
	  { UDP_4, .payload = 1000 },
	  ETHERNET
	  "45 00 0436 0000 4000 40 11 5163 c0a83201 c0a83202  ???? 12b5 0422 0000  08 000000 000065 00" },
	{ "the largest that fits",
	  { UDP_4, .payload = 1472 },
	  ETHERNET
	  "45 00 060e 0000 4000 40 11 4f8b c0a83201 c0a83202  ???? 12b5 05fa 0000  08 000000 000065 00" },
	{ "TCP over IPv6",
	  { A, R, 6, TCP, 1000, 80, .flags = SYN },
	  ETHERNET
	  "45 00 006e 0000 4000 40 11 552b c0a83201 c0a83202  ???? 12b5 005a 0000  08 000000 000065 00" },
	{ "neither IPv4 nor IPv6",
	  { UDP_4, .edit = "12=9000" },
	  ETHERNET
	  "45 00 004e 0000 4000 40 11 554b c0a83201 c0a83202  ???? 12b5 003a 0000  08 000000 000065 00" },
};

static uint16_t source_port(const struct frame *f)
{
	return f->data[34] << 8 | f->data[35];
}

/*
 * The 50 bytes as told, with the source port (told as ????) in its range, and the frame behind
 * them.
 */
static void expect_encapsulated(const struct frame *got, const char *outer,
				const struct frame *inner)
{
	struct frame wanted = { .len = 50 + inner->len };
	char hex[256];

	snprintf(hex, sizeof(hex), "%s", outer);
	memcpy(strstr(hex, "????"), "0000", 4);
	case_assert(hex_bytes(hex, wanted.data, 50) == 50);
	memcpy(wanted.data + 50, inner->data, inner->len);
	memcpy(wanted.data + 34, got->data + 34, 2);
	expect_frame(got, &wanted);
	case_assert(source_port(got) >= 49152);
	case_assert(!sum_fold(sum_bytes(got->data + 14, 20, 0)));
}

static void encapsulation(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(encapsulated) / sizeof(*encapsulated); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(encapsulated[i].inner);
			struct result r;

			world_case(encapsulated[i].name, flavour);
			flows_clear();
			r = expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			expect_encapsulated(&r.out, encapsulated[i].outer, &f);
			/* The mark is for devices that have the guard. */
			case_assert(!r.mark);
		}
}

/* A workload's tag tells its port and goes no further. */
static void tag_stays(void **state)
{
	struct frame tagged =
		packet_frame((struct packet){ TAGGED, R, 4, UDP, 1000, 53, .tag = PORT_VLAN });
	struct frame plain = packet_frame((struct packet){ TAGGED, R, 4, UDP, 1000, 53 });
	struct result r;

	(void)state;
	world_case("from a port with a VLAN", IN_XDP);
	expect(HOOK_PORT, IN_XDP, DEVICE_A, &tagged, UP, DROP_NONE);
	world_case("from a port with a VLAN", IN_TC);
	r = expect(HOOK_PORT, IN_TC, DEVICE_A, &tagged, SENT, DROP_NONE);
	expect_encapsulated(&r.out, encapsulated[0].outer, &plain);
}

/* Source ports: one a flow, the same from either flavour, and spread over flows. */
static void source_ports(void **state)
{
	uint32_t different = 0;
	uint16_t last = 0;

	(void)state;
	for (uint16_t i = 0; i < 32; i++) {
		struct frame f =
			packet_frame((struct packet){ A, R, i & 1 ? 4 : 6, UDP, 1000 + i, 53 });
		uint16_t port[FLAVOURS];

		for_each_flavour(flavour)
		{
			struct result r;

			world_case("source port of a flow", flavour);
			r = expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			port[flavour] = source_port(&r.out);
		}
		case_assert(port[IN_TC] == port[IN_XDP]);
		different += port[IN_TC] != last;
		last = port[IN_TC];
	}
	case_assert(different > 28);
}

static void local_delivery(void **state)
{
	static const struct packet packets[] = {
		{ A, B, 4, UDP, 1, 2, .payload = 10 },
		{ A, B, 6, UDP, 1, 2 },
		{ A, B, 4, 47 },
		{ A, B, 4, UDP, 1, 2, .edit = "12=9000" },
	};

	(void)state;
	acl_allow_all();
	for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(packets[i]);
			struct traffic from = port_traffic(A), to = port_traffic(B);
			struct result r;

			world_case("to a port of this host", flavour);
			flows_clear();
			r = expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			expect_frame(&r.out, &f);
			if (flavour == IN_TC)
				case_assert(r.mark == MARK);
			case_assert(port_traffic(A).from_packets == from.from_packets + 1);
			case_assert(port_traffic(A).from_bytes == from.from_bytes + f.len);
			case_assert(port_traffic(B).to_packets == to.to_packets + 1);
			case_assert(port_traffic(B).to_bytes == to.to_bytes + f.len);
		}
}

/* What is wrong with the way: each row damages one thing, which world_reset mends. */
enum damage { NO_DEVICE, NO_XDP, NO_XDP_UNDERLAY, NO_HOST, MOVED_HOST, NO_HOP, OLD_HOP, NARROW, NOTHING };

static void damage(enum damage what)
{
	uint32_t zero = 0, slot = THEIR_HOST;
	struct port port = port_get(B);
	struct host_config us;
	struct next_hop hop;

	map_get("next_hops", &slot, &hop);
	map_get("host", &zero, &us);
	switch (what) {
	case NO_DEVICE:
		port.ifindex = 0;
		break;
	case NO_XDP:
		port.flags &= ~PORT_XDP_DELIVER;
		break;
	case NO_XDP_UNDERLAY:
		hop.xdp_mtu = 0;
		break;
	case NO_HOST:
		map_put("hosts", &slot, &(struct host){ 0 });
		break;
	case MOVED_HOST:
		us.fib_ifindex = device(DEVICE_A);
		map_put("hosts", &slot, &(struct host){ .id = 2, .vtep4 = { 192, 168, 50, 3 } });
		break;
	case NO_HOP:
		/* The kernel has no answer for a device that does not forward. */
		us.fib_ifindex = device(DEVICE_A);
		hop.ifindex = 0;
		break;
	case OLD_HOP:
		us.fib_ifindex = device(DEVICE_A);
		hop.refreshed -= 2 * HZ;
		break;
	case NARROW:
		hop.mtu = hop.xdp_mtu = 1400;
		break;
	case NOTHING:
		break;
	}
	port_put(B, &port);
	map_put("host", &zero, &us);
	map_put("next_hops", &slot, &hop);
}

static void no_way(void **state)
{
	static const struct {
		const char *name;
		enum damage damage;
		struct packet packet;
		enum outcome outcome;
		enum drop_reason reason;
		bool tc_only;
	} cases[] = {
		{ "the port has no device yet",
		  NO_DEVICE,
		  { A, B, 4, UDP, 1, 2 },
		  DROPPED,
		  DROP_PORT_UNBOUND },
		{ "the port's device takes no XDP",
		  NO_XDP,
		  { A, B, 4, UDP, 1, 2 },
		  SENT,
		  DROP_NONE,
		  true },
		{ "the underlay would lose what XDP sends",
		  NO_XDP_UNDERLAY,
		  { UDP_4 },
		  SENT,
		  DROP_NONE,
		  true },
		{ "to a port with a VLAN",
		  NOTHING,
		  { A, TAGGED, 4, UDP, 1, 2 },
		  SENT,
		  DROP_NONE,
		  true },
		{ "the host is gone", NO_HOST, { UDP_4 }, DROPPED, DROP_HOST_UNKNOWN, true },
		/* The headers that were made for its former address are not used again; and there is no way to the new one. */
		{ "the host has another address", MOVED_HOST, { UDP_4 }, DROPPED, DROP_NO_ROUTE, true },
		{ "no route to the host", NO_HOP, { UDP_4 }, DROPPED, DROP_NO_ROUTE, true },
		{ "the route is old, and gone", OLD_HOP, { UDP_4 }, DROPPED, DROP_NO_ROUTE, true },
		{ "as long as the receiver's device takes", NOTHING, { A, B, 4, UDP, 1, 2, .payload = 1472 }, SENT, DROP_NONE },
		{ "longer than it takes", NOTHING, { A, B, 4, UDP, 1, 2, .payload = 1473 }, DROPPED, DROP_TOO_BIG },
		{ "larger than the underlay carries",
		  NOTHING,
		  { UDP_4, .payload = 1473 },
		  DROPPED,
		  DROP_TOO_BIG,
		  true },
		{ "larger than a narrow underlay carries",
		  NARROW,
		  { UDP_4, .payload = 1323 },
		  DROPPED,
		  DROP_TOO_BIG,
		  true },
		{ "the largest for a narrow underlay",
		  NARROW,
		  { UDP_4, .payload = 1322 },
		  SENT,
		  DROP_NONE },
		{ "to itself", NOTHING, { A, A, 4, UDP, 1, 2 }, DROPPED, DROP_SAME_PORT },
		{ "to nobody", NOTHING, { A, STRANGER, 4, UDP, 1, 2 }, SPENT, DROP_NONE, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(cases[i].packet);

			world_reset(state);
			acl_allow_all();
			damage(cases[i].damage);
			world_case(cases[i].name, flavour);
			(cases[i].tc_only ? expect_tc : expect)(HOOK_PORT, flavour, DEVICE_A, &f,
								cases[i].outcome, cases[i].reason);
			/* What XDP leaves to TC has had no effect at all. */
			if (cases[i].tc_only && flavour == IN_XDP)
				case_assert(!flow_count("ct4") && !port_traffic(A).from_packets);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(encapsulation, world_reset),
		cmocka_unit_test_setup(tag_stays, world_reset),
		cmocka_unit_test_setup(source_ports, world_reset),
		cmocka_unit_test_setup(local_delivery, world_reset),
		cmocka_unit_test_setup(no_way, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

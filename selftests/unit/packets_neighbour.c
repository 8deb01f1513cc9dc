// SPDX-License-Identifier: BSD-2-Clause
/*
 * neighbour: ARP and ND are answered at the port, byte for byte; what needs no answer goes nowhere.
 */
#include "selftests/unit/lib/world.h"

struct neighbour_case {
	const char *name;
	struct packet packet;
	enum drop_reason reason;
	const char *answer; /* if there is no reason */
};

/* ND: destination address at 38, target at 62, option at 78. */
#define ASK_FOR(last)                                                                              \
	"0=3333ff0000" last " 38=ff0200000000000000000001ff0000" last                              \
	" 62=fd0000010000000000000000000000" last " 78=010102000000000a"

/* clang-format off */
static const struct neighbour_case cases[] = {
	{"ARP for a port of this host", {A, B, 0, 1}, .answer =
		"02000000000a 02000000000b 0806  0001 0800 06 04 0002"
		"02000000000b 0a000102  02000000000a 0a000101"},
	{"ARP for a workload of another host", {A, R, 0, 1}, .answer =
		"02000000000a 02000000000c 0806  0001 0800 06 04 0002"
		"02000000000c 0a000103  02000000000a 0a000101"},
	{"ARP to one MAC", {A, B, 0, 1, .edit = "0=02000000000b"}, .answer =
		"02000000000a 02000000000b 0806  0001 0800 06 04 0002"
		"02000000000b 0a000102  02000000000a 0a000101"},
	{"ARP probe (RFC 5227)", {A, B, 0, 1, .edit = "28=00000000"}, .answer =
		"02000000000a 02000000000b 0806  0001 0800 06 04 0002"
		"02000000000b 0a000102  02000000000a 00000000"},
	{"ARP with Ethernet padding", {A, B, 0, 1, .edit = "len=60"}, .answer =
		"02000000000a 02000000000b 0806  0001 0800 06 04 0002"
		"02000000000b 0a000102  02000000000a 0a000101 0000 0000000000000000 0000000000000000"},
	{"ARP for nobody", {A, STRANGER, 0, 1}, DROP_NEIGH_UNKNOWN},
	{"gratuitous ARP", {A, A, 0, 1}, DROP_NEIGH_CONSUMED},
	{"ARP reply", {A, B, 0, 2}, DROP_NEIGH_CONSUMED},
	{"ND for a port of this host", {A, B, 6, ICMP6, 0x8700, .payload = 24, .edit = ASK_FOR("02")}, .answer =
		"02000000000a 02000000000b 86dd  60000000 0020 3a ff"
		"fd000001000000000000000000000002 fd000001000000000000000000000001"
		"88 00 1c8e 60000000  fd000001000000000000000000000002  02 01 02000000000b"},
	{"ND for a workload of another host", {A, R, 6, ICMP6, 0x8700, .payload = 24, .edit = ASK_FOR("03")}, .answer =
		"02000000000a 02000000000c 86dd  60000000 0020 3a ff"
		"fd000001000000000000000000000003 fd000001000000000000000000000001"
		"88 00 1c8b 60000000  fd000001000000000000000000000003  02 01 02000000000c"},
	{"ND without its option", {A, B, 6, ICMP6, 0x8700, .payload = 16, .edit = ASK_FOR("02")}, .answer =
		"02000000000a 02000000000b 86dd  60000000 0020 3a ff"
		"fd000001000000000000000000000002 fd000001000000000000000000000001"
		"88 00 1c8e 60000000  fd000001000000000000000000000002  02 01 02000000000b"},
	{"address detection of another's address (RFC 4862)", {A, B, 6, ICMP6, 0x8700, .payload = 16,
		.edit = ASK_FOR("02") " 22=00000000000000000000000000000000"}, .answer =
		"02000000000a 02000000000b 86dd  60000000 0020 3a ff"
		"fd000001000000000000000000000002 ff020000000000000000000000000001"
		"88 00 5a8d 20000000  fd000001000000000000000000000002  02 01 02000000000b"},
	{"ND for nobody", {A, STRANGER, 6, ICMP6, 0x8700, .payload = 24, .edit = ASK_FOR("ee")}, DROP_NEIGH_UNKNOWN},
	{"address detection of its own", {A, A, 6, ICMP6, 0x8700, .payload = 24, .edit = ASK_FOR("01")},
	 DROP_NEIGH_CONSUMED},
	{"advertisement of its own", {A, ALL, 6, ICMP6, 0x8800, .payload = 24, .edit = ASK_FOR("01")},
	 DROP_NEIGH_CONSUMED},
};
/* clang-format on */

static void every_question(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct neighbour_case *c = &cases[i];
		struct frame f = packet_frame(c->packet);

		for_each_flavour(flavour)
		{
			struct result r;

			world_case(c->name, flavour);
			r = expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, c->reason ? DROPPED : SENT,
				      c->reason);
			if (flavour == IN_XDP || c->reason)
				continue;
			expect_bytes(&r.out, c->answer);
			case_assert(r.mark == MARK);
			if (c->packet.family == 6)
				case_assert(frame_sums_right(&r.out, 0));
		}
	}
	case_assert(!flow_count("ct4") && !flow_count("ct6"));
}

/* An address of another network is not known here, whatever its MAC. */
static void another_network(void **state)
{
	struct neigh_key key = { .vni = VNI + 1,
				 .family = FAMILY_IPV4,
				 .address = { 10, 0, 1, 238 } };
	struct neigh_entry entry = { .mac = { 2, 0, 0, 0, 0, 0xee } };
	struct frame f = packet_frame((struct packet){ A, STRANGER, 0, 1 });

	(void)state;
	map_put("neigh", &key, &entry);
	world_case("ARP for an address of another network", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_NEIGH_UNKNOWN);
	map_delete("neigh", &key);
}

/* Answers come before the ACL, and are the port's traffic. */
static void before_the_acl(void **state)
{
	struct acl_entry nothing = { .direction = FROM_WORKLOAD, .action = ACL_DENY, ACL_ALL };
	struct frame f = packet_frame((struct packet){ A, B, 0, 1 });

	(void)state;
	acl_put(&nothing, 1);
	world_case("ARP under an ACL that denies all", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	case_assert(port_traffic(A).from_packets == 1 && port_traffic(A).from_bytes == f.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_question, world_reset),
		cmocka_unit_test_setup(another_network, world_reset),
		cmocka_unit_test_setup(before_the_acl, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

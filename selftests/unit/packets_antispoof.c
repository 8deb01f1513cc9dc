// SPDX-License-Identifier: BSD-2-Clause
/* antispoof: a workload speaks for its own MAC and addresses; each lie has its reason. */
#include "selftests/unit/lib/world.h"

struct spoof_case {
	const char *name;
	struct packet packet;
	enum drop_reason reason;
	bool tc_only;
};

#define UDP_4 A, B, 4, UDP, 1000, 53
#define UDP_6 A, B, 6, UDP, 1000, 53
/* Source address at 22, source MAC at 6. ND: target at 62, option at 78. */
#define LINK_LOCAL     "22=fe800000000000000000000000000000"
#define OWN_LINK_LOCAL "22=fe80000000000000000000fffe00000a"
#define UNSPECIFIED    "22=00000000000000000000000000000000"
#define TO_SOLICITED   "0=3333ff000002 38=ff0200000000000000000001ff000002"

static const struct spoof_case cases[] = {
	{ "its own IPv4", { UDP_4 } },
	{ "its own IPv6", { UDP_6 } },
	{ "its own link-local address", { UDP_6, .edit = OWN_LINK_LOCAL } },
	{ "another's MAC", { UDP_4, .edit = "6=02000000000b" }, DROP_SPOOFED_MAC },
	{ "another's MAC, IPv6", { UDP_6, .edit = "6=02000000000b" }, DROP_SPOOFED_MAC },
	{ "a MAC that differs in the last bit", { UDP_4, .edit = "11=0b" }, DROP_SPOOFED_MAC },
	{ "a MAC that differs in the first bit", { UDP_4, .edit = "6=82" }, DROP_SPOOFED_MAC },
	{ "zero MAC", { UDP_4, .edit = "6=000000000000" }, DROP_SPOOFED_MAC },
	{ "another's MAC in a frame of no known protocol",
	  { UDP_4, .edit = "11=0b 12=9000" },
	  DROP_SPOOFED_MAC },
	{ "a frame of no known protocol", { UDP_4, .edit = "12=9000" } },
	{ "another's IPv4", { UDP_4, .edit = "26=0a000102" }, DROP_SPOOFED_IPV4 },
	{ "an IPv4 that nobody has", { UDP_4, .edit = "26=0a0001ff" }, DROP_SPOOFED_IPV4 },
	{ "0.0.0.0", { UDP_4, .edit = "26=00000000" }, DROP_SPOOFED_IPV4 },
	{ "0.0.0.0 as a DHCP client", { A, B, 4, UDP, 68, 67, .edit = "26=00000000" } },
	{ "0.0.0.0 as a DHCP server",
	  { A, B, 4, UDP, 67, 68, .edit = "26=00000000" },
	  DROP_SPOOFED_IPV4 },
	{ "0.0.0.0 in TCP to the DHCP port",
	  { A, B, 4, TCP, 68, 67, .flags = SYN, .edit = "26=00000000" },
	  DROP_SPOOFED_IPV4 },
	{ "another's IPv4 as a DHCP client",
	  { A, B, 4, UDP, 68, 67, .edit = "26=0a000102" },
	  DROP_SPOOFED_IPV4 },
	{ "broadcast as a source", { UDP_4, .edit = "26=ffffffff" }, DROP_SPOOFED_IPV4 },
	{ "another's IPv6", { UDP_6, .edit = "37=02" }, DROP_SPOOFED_IPV6 },
	{ "an IPv6 that differs in the first half", { UDP_6, .edit = "22=fc" }, DROP_SPOOFED_IPV6 },
	{ "another's link-local address",
	  { UDP_6, .edit = "22=fe80000000000000000000fffe00000b" },
	  DROP_SPOOFED_IPV6 },
	{ "a link-local address of no MAC", { UDP_6, .edit = LINK_LOCAL }, DROP_SPOOFED_IPV6 },
	{ "a link-local address outside fe80::/64",
	  { UDP_6, .edit = "22=fe80000000000001000000fffe00000a" },
	  DROP_SPOOFED_IPV6 },
	{ "::", { UDP_6, .edit = UNSPECIFIED }, DROP_SPOOFED_IPV6 },
	{ ":: in TCP",
	  { A, B, 6, TCP, 1, 2, .flags = SYN, .edit = UNSPECIFIED },
	  DROP_SPOOFED_IPV6 },
	{ ":: in a ping", { A, B, 6, ICMP6, 0x8000, 1, .edit = UNSPECIFIED }, DROP_SPOOFED_IPV6 },
	{ "router advertisement", { A, B, 6, ICMP6, 0x8600, .payload = 8 }, DROP_ROUTER_ADVERT },
	{ "redirect of IPv4", { A, B, 4, ICMP4, 0x0500, .payload = 28 }, DROP_ROUTER_ADVERT },
	{ "router advertisement of IPv4", { A, B, 4, ICMP4, 0x0900, .payload = 8 }, DROP_ROUTER_ADVERT },
	{ "redirect", { A, B, 6, ICMP6, 0x8900, .payload = 32 }, DROP_ROUTER_ADVERT },
	{ "router advertisement behind hop-by-hop",
	  { A, B, 6, ICMP6, 0x8600, .payload = 8, .extensions = "3a00 0104 00000000" },
	  DROP_ROUTER_ADVERT },
	{ "router advertisement behind a destination header",
	  { A, B, 6, ICMP6, 0x8600, .payload = 8, .first_extension = 60,
	    .extensions = "3a00 0104 00000000" },
	  DROP_ROUTER_ADVERT },
	{ "router solicitation", { A, B, 6, ICMP6, 0x8500, .payload = 8 } },
	{ "router solicitation from ::", { A, B, 6, ICMP6, 0x8500, .edit = UNSPECIFIED } },
	{ "MLD report from ::", { A, B, 6, ICMP6, 0x8f00, .edit = UNSPECIFIED } },
	{ "ARP for another's IPv4", { A, B, 0, 1, .edit = "28=0a000102" }, DROP_SPOOFED_ARP },
	{ "ARP reply in another's name", { A, B, 0, 2, .edit = "28=0a000102" }, DROP_SPOOFED_ARP },
	{ "ARP that names another MAC",
	  { A, B, 0, 1, .edit = "22=02000000000b" },
	  DROP_SPOOFED_ARP,
	  .tc_only = true },
	{ "ARP from another MAC", { A, B, 0, 1, .edit = "6=02000000000b" }, DROP_SPOOFED_MAC },
	{ "ND that offers another MAC",
	  { A, B, 6, ICMP6, 0x8700, .payload = 24,
	    .edit = TO_SOLICITED " 62=fd000001000000000000000000000002 78=010102000000000b" },
	  DROP_SPOOFED_ND,
	  .tc_only = true },
	{ "ND in another's name",
	  { A, B, 6, ICMP6, 0x8800, .payload = 24,
	    .edit = "62=fd000001000000000000000000000002 78=020102000000000a" },
	  DROP_SPOOFED_ND,
	  .tc_only = true },
	{ "ND from beyond a router",
	  { A, B, 6, ICMP6, 0x8700, .payload = 24,
	    .edit = TO_SOLICITED " 21=fe 62=fd000001000000000000000000000002 78=010102000000000a" },
	  DROP_SPOOFED_ND,
	  .tc_only = true },
	{ "ND with an option of length 0",
	  { A, B, 6, ICMP6, 0x8700, .payload = 24,
	    .edit = TO_SOLICITED " 62=fd000001000000000000000000000002 78=010002000000000a" },
	  DROP_SPOOFED_ND,
	  .tc_only = true },
	{ "ND whose second option lies",
	  { A, B, 6, ICMP6, 0x8700, .payload = 32,
	    .edit = TO_SOLICITED
	    " 62=fd000001000000000000000000000002 78=010102000000000a010102000000000b" },
	  DROP_SPOOFED_ND,
	  .tc_only = true },
	{ "ND with a code",
	  { A, B, 6, ICMP6, 0x8701, .payload = 24,
	    .edit = TO_SOLICITED " 62=fd000001000000000000000000000002 78=010102000000000a" },
	  DROP_SPOOFED_ND,
	  .tc_only = true },
	{ "ND cut off",
	  { A, B, 6, ICMP6, 0x8700, .payload = 8, .edit = TO_SOLICITED },
	  DROP_SPOOFED_ND,
	  .tc_only = true },
};

static void every_lie(void **state)
{
	(void)state;
	acl_allow_all();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct spoof_case *c = &cases[i];
		struct frame f = packet_frame(c->packet);

		for_each_flavour(flavour)
		{
			world_case(c->name, flavour);
			flows_clear();
			(c->tc_only ? expect_tc : expect)(HOOK_PORT, flavour, DEVICE_A, &f,
							  c->reason ? DROPPED : SENT, c->reason);
			/* A liar makes no flow. */
			if (c->reason)
				case_assert(!flow_count("ct4") && !flow_count("ct6") &&
					    !flow_count("half4") && !flow_count("half6"));
		}
	}
}

/* Several addresses: each is the port's, up to the last place, and none beyond the count. */
static void many_addresses(void **state)
{
	struct port port = port_get(A);

	(void)state;
	acl_allow_all();
	port.addresses4 = port.addresses6 = PORT_ADDRESSES;
	for (int i = 0; i < PORT_ADDRESSES; i++) {
		memcpy(port.address4[i], (uint8_t[]){ 10, 0, 2, i }, 4);
		memcpy(port.address6[i], people[A].ip6, 16);
		port.address6[i][14] = 7;
		port.address6[i][15] = i;
	}
	port_put(A, &port);
	for (int n = 0; n <= PORT_ADDRESSES; n++)
		for_each_flavour(flavour)
		{
			struct frame f4 = packet_frame((struct packet){ UDP_4 }),
				     f6 = packet_frame((struct packet){ UDP_6 });
			bool own = n < PORT_ADDRESSES;

			world_case("one of many addresses", flavour);
			flows_clear();
			memcpy(f4.data + 26, (uint8_t[]){ 10, 0, 2, n }, 4);
			f6.data[36] = 7;
			f6.data[37] = n;
			expect(HOOK_PORT, flavour, DEVICE_A, &f4, own ? SENT : DROPPED,
			       own ? 0 : DROP_SPOOFED_IPV4);
			expect(HOOK_PORT, flavour, DEVICE_A, &f6, own ? SENT : DROPPED,
			       own ? 0 : DROP_SPOOFED_IPV6);
		}
	port.addresses4 = port.addresses6 = 1;
	port_put(A, &port);
	for_each_flavour(flavour)
	{
		struct frame f = packet_frame((struct packet){ UDP_4, .edit = "26=0a000201" });

		world_case("an address beyond the count", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_SPOOFED_IPV4);
	}
}

/*
 * A port without IPv6 addresses sends no IPv6 at all, its link-local address and address detection
 * included.
 */
static void without_ipv6(void **state)
{
	static const char *const sources[] = { "", OWN_LINK_LOCAL, UNSPECIFIED };
	struct port port = port_get(A);

	(void)state;
	port.addresses6 = 0;
	port_put(A, &port);
	for (int i = 0; i < 3; i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame((struct packet){
				A, B, 6, ICMP6, 0x8700, .payload = 24, .edit = sources[i] });

			world_case("IPv6 of a port without it", flavour);
			expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_SPOOFED_IPV6);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_lie, world_reset),
		cmocka_unit_test_setup(many_addresses, world_reset),
		cmocka_unit_test_setup(without_ipv6, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

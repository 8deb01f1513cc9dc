// SPDX-License-Identifier: BSD-2-Clause
/*
 * reject: the answer that takes a refused packet's place, byte for byte or by its checksums; and
 * when none is due.
 */
#include "selftests/unit/lib/world.h"

static const struct acl_entry reject_out = { .direction = FROM_WORKLOAD,
					     .action = ACL_REJECT,
					     .rule = 8,
					     .flags = ENTRY_STATELESS,
					     ACL_ALL };
static const struct acl_entry reject_in = {
	.direction = TO_WORKLOAD, .action = ACL_REJECT, .rule = 9, .flags = ENTRY_STATELESS, ACL_ALL
};

struct reject_case {
	const char *name;
	struct packet packet;
	const char *answer; /* hex; NULL: none is due */
};

static const struct packet quoted4 = { B, A, 4, UDP, 1, 2 }, quoted6 = { B, A, 6, UDP, 1, 2 };

static const struct reject_case cases[] = {
	{ "SYN",
	  { A, B, 4, TCP, 1000, 80, SYN, .seq = 0x11223344 },
	  "02000000000a 02000000000b 0800  4500 0028 0000 4000 40 06 24ce 0a000102 0a000101"
	  "0050 03e8 00000000 11223345 50 14 0000 #### 0000" },
	{ "SYN with data",
	  { A, B, 4, TCP, 1000, 80, SYN, .seq = 0xffffffff, .payload = 100 },
	  "02000000000a 02000000000b 0800  4500 0028 0000 4000 40 06 24ce 0a000102 0a000101"
	  "0050 03e8 00000000 00000064 50 14 0000 #### 0000" },
	{ "segment with ACK",
	  { A, B, 4, TCP, 1000, 80, ACK | PSH, .seq = 5, .ack = 0xcafe0001, .payload = 9 },
	  "02000000000a 02000000000b 0800  4500 0028 0000 4000 40 06 24ce 0a000102 0a000101"
	  "0050 03e8 cafe0001 00000000 50 04 0000 #### 0000" },
	{ "SYN over IPv6",
	  { A, B, 6, TCP, 1000, 80, SYN, .seq = 0x11223344 },
	  "02000000000a 02000000000b 86dd  60000000 0014 06 40"
	  "fd000001000000000000000000000002 fd000001000000000000000000000001"
	  "0050 03e8 00000000 11223345 50 14 0000 #### 0000" },
	{ "UDP",
	  { A, B, 4, UDP, 1000, 53, .payload = 4 },
	  "02000000000a 02000000000b 0800  4500 0038 0000 4000 40 01 24c3 0a000102 0a000101"
	  "03 0d #### 00000000  4500 0020 0000 4000 40 11 24cb 0a000101 0a000102  03e8 0035 000c ####" },
	{ "UDP over IPv6",
	  { A, B, 6, UDP, 1000, 53, .payload = 4 },
	  "02000000000a 02000000000b 86dd  60000000 0038 3a 40"
	  "fd000001000000000000000000000002 fd000001000000000000000000000001"
	  "01 01 #### 00000000  60000000 000c 11 ff"
	  "fd000001000000000000000000000001 fd000001000000000000000000000002  03e8 0035 000c ####" },
	{ "ping",
	  { A, B, 4, ICMP4, 0x0800, 7 },
	  "02000000000a 02000000000b 0800  4500 0038 0000 4000 40 01 24c3 0a000102 0a000101"
	  "03 0d #### 00000000  4500 001c 0000 4000 40 01 24df 0a000101 0a000102  0800 #### 0007 0000" },
	{ "RST", { A, B, 4, TCP, 1000, 80, RST } },
	{ "RST and ACK over IPv6", { A, B, 6, TCP, 1000, 80, RST | ACK } },
	{ "IPv4 with options",
	  { A, B, 4, UDP, 1000, 53, .payload = 4,
	    .edit = "14=46 34=01010101 38=03e8003500080000" } },
	{ "IPv6 with an extension header",
	  { A, B, 6, UDP, 1000, 53, .extensions = "1100 0104 00000000" } },
	{ "to IPv4 multicast", { A, B, 4, UDP, 1000, 53, .edit = "30=e0000001" } },
	{ "to the limited broadcast", { A, B, 4, UDP, 1000, 53, .edit = "30=ffffffff" } },
	{ "to loopback", { A, B, 4, UDP, 1000, 53, .edit = "30=7f000001" } },
	{ "to IPv6 multicast", { A, B, 6, UDP, 1000, 53, .edit = "38=ff02" } },
	{ "to nobody in IPv6", { A, B, 6, UDP, 1000, 53, .edit = "38=00000000000000000000000000000001" } },
	{ "neither IPv4 nor IPv6", { A, B, 4, UDP, 1, 2, .edit = "12=9000" } },
};

/* Hex with #### where the bytes may be anything: checksums, which are checked as such. */
static void expect_answer(const struct frame *got, const char *hex)
{
	struct frame wanted = *got;
	uint8_t zeros[FRAME_MAX], ones[FRAME_MAX];
	char text[1024];
	uint32_t n;

	/* Read it twice, with 0 and f for #: where the two differ, anything goes. */
	snprintf(text, sizeof(text), "%s", hex);
	for (char *c = text; *c; c++)
		*c = *c == '#' ? 'f' : *c;
	n = hex_bytes(text, ones, FRAME_MAX);
	snprintf(text, sizeof(text), "%s", hex);
	for (char *c = text; *c; c++)
		*c = *c == '#' ? '0' : *c;
	hex_bytes(text, zeros, FRAME_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (zeros[i] == ones[i])
			wanted.data[i] = zeros[i];
	wanted.len = n;
	expect_frame(got, &wanted);
	case_assert(frame_sums_right(got, 0));
}

static void every_answer(void **state)
{
	(void)state;
	acl_put(&reject_out, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(cases[i].packet);
			uint64_t drops = port_traffic(A).drops;
			struct result r;

			world_case(cases[i].name, flavour);
			r = expect_tc(HOOK_PORT, flavour, DEVICE_A, &f,
				      cases[i].answer ? SENT : DROPPED,
				      cases[i].answer ? DROP_REJECTED : DROP_REJECT_SILENT);
			case_assert(port_traffic(A).drops == drops + (flavour == IN_TC));
			case_assert(!port_traffic(A).from_packets);
			case_assert(!flow_count("ct4") && !flow_count("half4") &&
				    !flow_count("ct6"));
			if (flavour == IN_TC && cases[i].answer) {
				expect_answer(&r.out, cases[i].answer);
				case_assert(r.mark == MARK);
			}
		}
}

/*
 * Never an error about an error: the flow is rejected under way, and then an ICMP error of it
 * comes.
 */
static void no_error_about_errors(void **state)
{
	static const struct packet begins[] = { { B, A, 4, UDP, 1, 2 }, { B, A, 6, UDP, 1, 2 } };
	static const struct packet errors[] = { { A, B, 4, ICMP4, 0x0303, .quote = &quoted4 },
						{ A, B, 6, ICMP6, 0x0104, .quote = &quoted6 } };
	struct frame f;

	(void)state;
	for (int i = 0; i < 2; i++) {
		acl_allow_all();
		world_case("ICMP error of a flow", IN_TC);
		f = packet_frame(begins[i]);
		expect(HOOK_PORT, IN_TC, DEVICE_B, &f, SENT, DROP_NONE);
		f = packet_frame(errors[i]);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
		acl_put(&reject_in, 1);
		tenant_bump();
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_REJECT_SILENT);
	}
}

/* A broadcast is never answered. */
static void no_answer_to_broadcast(void **state)
{
	struct frame f = packet_frame((struct packet){ A, ALL, 4, UDP, 1, 2 });

	(void)state;
	acl_put(&reject_out, 1);
	world_case("broadcast", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_REJECT_SILENT);
}

/*
 * Refused on the receiver's host: the answer goes back through the tunnel, in the receiver's name.
 */
static void through_the_tunnel(void **state)
{
	static const struct packet packets[] = {
		{ R, A, 4, TCP, 1000, 80, SYN },
		{ R, A, 6, TCP, 1000, 80, SYN },
		{ R, A, 4, UDP, 1, 2 },
		{ R, A, 6, UDP, 1, 2 },
	};

	(void)state;
	acl_put(&reject_in, 1);
	for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(packets[i]);
			struct result r;

			world_case("refused here, sent there", flavour);
			frame_wrap(&f, &(struct tunnelled){ 0 });
			r = expect_tc(HOOK_UNDERLAY, flavour, DEVICE_U, &f, SENT, DROP_REJECTED);
			if (flavour == IN_XDP)
				continue;
			case_assert(!memcmp(r.out.data + 30, "\xc0\xa8\x32\x02", 4));
			case_assert(!memcmp(r.out.data + 50, people[R].mac, 6));
			case_assert(!memcmp(r.out.data + 56, people[A].mac, 6));
			case_assert(frame_sums_right(&r.out, 50));
			case_assert((r.out.data[16] << 8 | r.out.data[17]) == (int)r.out.len - 14);
		}
}

/*
 * A local sender leaves its checksum unfinished, the sum of the pseudo header alone, and what is told of that beside
 * the data stays with the answer. A frame that only looks so gets an answer whose checksum is whole.
 */
static void seemingly_unfinished(void **state)
{
	(void)state;
	acl_put(&reject_out, 1);
	for (int family = 4; family <= 6; family += 2) {
		struct frame f = packet_frame((struct packet){ A, B, family, TCP, 1000, 80, SYN });
		uint32_t l4 = family == 4 ? 34 : 54, addresses = family == 4 ? 26 : 22, sum;
		struct result r;

		world_case("seemingly unfinished checksum", IN_TC);
		sum = sum_bytes(f.data + addresses, l4 - addresses, TCP + 20);
		f.data[l4 + 16] = (uint16_t)~sum_fold(sum) >> 8;
		f.data[l4 + 17] = ~sum_fold(sum);
		r = expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_REJECTED);
		case_assert(r.out.len == l4 + 20 && frame_sums_right(&r.out, 0));
	}
}

/* Under `monitor` a reject is counted and the packet passes, without an answer. */
static void monitored(void **state)
{
	struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1, 2 });
	struct tenant t = world_tenant();

	(void)state;
	t.flags = TENANT_MONITOR | TENANT_ALLOW_IN;
	tenant_put(&t);
	acl_put(&reject_out, 1);
	for_each_flavour(flavour)
	{
		struct result r;

		world_case("monitor", flavour);
		r = expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		expect_frame(&r.out, &f);
	}
	case_assert(!tenant_counted().would_drop_in && tenant_counted().would_drop_out == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_answer, world_reset),
		cmocka_unit_test_setup(no_error_about_errors, world_reset),
		cmocka_unit_test_setup(no_answer_to_broadcast, world_reset),
		cmocka_unit_test_setup(through_the_tunnel, world_reset),
		cmocka_unit_test_setup(seemingly_unfinished, world_reset),
		cmocka_unit_test_setup(monitored, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

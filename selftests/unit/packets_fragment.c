// SPDX-License-Identifier: BSD-2-Clause
/*
 * fragment: datagrams in pieces, honest and crooked, a piece after the other through the port's program, of both
 * families. Offsets are those of the fragmented part: UDP's header is its bytes 0 to 8. XDP leaves all of it to TC.
 */
#include "selftests/unit/lib/world.h"

#define PIECES 8

struct piece {
	uint32_t first, end;
	enum outcome outcome;
	enum drop_reason reason;
};

struct sequence {
	const char *name;
	uint8_t protocol; /* UDP if none is said; 1000 -> 53; ICMP is of the family, a ping */
	uint32_t len; /* of the whole, header included; 0: 1000 */
	struct piece piece[PIECES];
};

#define LOST(reason) DROPPED, DROP_FRAGMENT_##reason
#define DEAD	     DROPPED, DROP_FRAGMENT

static const struct sequence sequences[] = {
	{ "in order", 0, 0, { { 0, 400, SENT }, { 400, 800, SENT }, { 800, 1000, SENT } } },
	{ "TCP", TCP, 0, { { 0, 400, SENT }, { 400, 800, SENT }, { 800, 1000, SENT } } },
	{ "SCTP", SCTP, 0, { { 0, 400, SENT }, { 400, 800, SENT }, { 800, 1000, SENT } } },
	{ "a protocol by its number", 47, 0, { { 0, 400, SENT }, { 400, 1000, SENT } } },
	{ "ping", ICMP4, 0, { { 0, 400, SENT }, { 400, 1000, SENT } } },
	{ "the last before the middle", 0, 0, { { 0, 400, SENT }, { 800, 1000, SENT }, { 400, 800, SENT } } },
	{ "the header alone comes first", 0, 0, { { 0, 8, SENT }, { 8, 1000, SENT } } },
	{ "a duplicate is dropped alone",
	  0,
	  0,
	  { { 0, 400, SENT }, { 0, 400, LOST(DUPLICATE) }, { 400, 800, SENT }, { 400, 800, LOST(DUPLICATE) },
	    { 800, 1000, SENT }, { 800, 1000, LOST(DUPLICATE) }, { 0, 400, LOST(DUPLICATE) } } },
	{ "within what is there",
	  0,
	  0,
	  { { 0, 400, SENT }, { 8, 80, LOST(DUPLICATE) }, { 400, 1000, SENT } } },
	{ "an overlap ends all of it",
	  0,
	  0,
	  { { 0, 400, SENT }, { 392, 800, LOST(OVERLAP) }, { 400, 800, DEAD }, { 800, 1000, DEAD }, { 0, 400, DEAD } } },
	{ "an overlap from behind",
	  0,
	  0,
	  { { 0, 400, SENT }, { 800, 1000, SENT }, { 400, 808, LOST(OVERLAP) }, { 400, 800, DEAD } } },
	{ "over all that is there",
	  0,
	  0,
	  { { 0, 80, SENT }, { 160, 240, SENT }, { 80, 320, LOST(OVERLAP) }, { 80, 160, DEAD } } },
	{ "a longer first one", 0, 0, { { 0, 400, SENT }, { 0, 480, LOST(OVERLAP) }, { 400, 1000, DEAD } } },
	{ "a later one over the ports", 0, 0, { { 0, 80, SENT }, { 8, 160, LOST(OVERLAP) } } },
	{ "beyond the end", 0, 400, { { 0, 80, SENT }, { 80, 400, SENT }, { 400, 480, LOST(BAD) }, { 80, 400, DEAD } } },
	{ "two ends", 0, 0, { { 0, 80, SENT }, { 800, 1000, SENT }, { 800, 1004, LOST(BAD) }, { 80, 800, DEAD } } },
	{ "an end before the end",
	  0,
	  0,
	  { { 0, 80, SENT }, { 400, 800, SENT }, { 392, 1000, LOST(OVERLAP) }, { 800, 1000, DEAD } } },
	{ "four pieces apart, and one between",
	  0,
	  0,
	  { { 0, 80, SENT }, { 160, 240, SENT }, { 320, 400, SENT }, { 480, 560, SENT }, { 80, 160, SENT },
	    { 640, 720, SENT }, { 240, 320, SENT } } },
	{ "five pieces apart",
	  0,
	  0,
	  { { 0, 80, SENT }, { 160, 240, SENT }, { 320, 400, SENT }, { 480, 560, SENT },
	    { 640, 720, LOST(SCATTERED) }, { 80, 160, DEAD } } },
	{ "no multiple of eight", 0, 0, { { 0, 396, LOST(BAD) }, { 0, 400, SENT }, { 400, 796, LOST(BAD) } } },
	{ "nothing in it", 0, 0, { { 0, 0, LOST(BAD) }, { 0, 80, SENT }, { 80, 80, LOST(BAD) } } },
	{ "nothing at the end", 0, 80, { { 0, 72, SENT }, { 80, 80, LOST(BAD) } } },
	{ "longer than a packet", 0, 0, { { 0, 80, SENT }, { 65528, 65536, LOST(BAD) }, { 65520, 66520, LOST(BAD) } } },
	{ "TCP, eight bytes of it", TCP, 0, { { 0, 8, LOST(TINY) }, { 0, 16, LOST(TINY) } } },
	{ "TCP, flags in a later one", TCP, 0, { { 8, 400, LOST(TINY) }, { 16, 400, LOST(TINY) } } },
	{ "SCTP, ports alone", SCTP, 0, { { 0, 8, LOST(TINY) } } },
};

static struct frame whole(const struct sequence *s, int family, enum who to)
{
	uint8_t protocol = s->protocol ? s->protocol : UDP;
	uint32_t header = protocol == TCP ? 20 : protocol == SCTP ? 12 : protocol == 47 ? 0 : 8;
	struct packet p = { A, to, family, protocol, 1000, 53, .flags = SYN,
			    .payload = (s->len ? s->len : 1000) - header };

	if (protocol == ICMP4) {
		p.protocol = family == 4 ? ICMP4 : ICMP6;
		p.sport = family == 4 ? 0x0800 : 0x8000;
	}
	return packet_frame(p);
}

/* What lies far beyond the frame is so by its offset alone. */
static struct frame piece_of(const struct frame *f, const struct piece *p, uint32_t id)
{
	bool ipv4 = f->data[14] >> 4 == 4;
	struct frame piece;

	if (p->end < FRAME_MAX)
		return frame_fragment(f, p->first, p->end, id);
	piece = frame_fragment(f, 0, p->end - p->first, id);
	if (ipv4) {
		piece.data[20] = 0x20 | p->first >> 11;
		piece.data[21] = p->first >> 3;
	} else {
		piece.data[56] = p->first >> 8;
		piece.data[57] = (p->first & 0xff) | 1;
	}
	return piece;
}

static void every_sequence(void **state)
{
	for (int family = 4; family <= 6; family += 2)
		for (size_t i = 0; i < sizeof(sequences) / sizeof(*sequences); i++) {
			const struct sequence *s = &sequences[i];
			struct frame all = whole(s, family, B);
			uint32_t sent = 0, bytes = 0;
			struct traffic t;

			world_reset(state);
			acl_allow_all();
			world_case(s->name, IN_TC);
			for (int n = 0; n < PIECES && (s->piece[n].reason || s->piece[n].end); n++) {
				const struct piece *p = &s->piece[n];
				struct frame f = piece_of(&all, p, 7);
				char name[64];
				struct result r;

				snprintf(name, sizeof(name), "%s, IPv%d, piece %d", s->name, family, n + 1);
				world_case(name, IN_XDP);
				expect(HOOK_PORT, IN_XDP, DEVICE_A, &f, UP, DROP_NONE);
				world_case(name, IN_TC);
				r = expect(HOOK_PORT, IN_TC, DEVICE_A, &f, p->outcome, p->reason);
				if (p->outcome != SENT)
					continue;
				expect_frame(&r.out, &f);
				sent++;
				bytes += f.len;
			}
			t = port_traffic(B);
			case_assert(t.to_packets == sent && t.to_bytes == bytes);
			case_assert(port_traffic(A).from_packets == sent);
		}
}

/* XDP touches no fragment. */
static void xdp_hands_up(void **state)
{
	(void)state;
	acl_allow_all();
	for (int family = 4; family <= 6; family += 2) {
		struct frame all = whole(&sequences[0], family, B);

		for (uint32_t first = 0; first < 1000; first += 400) {
			struct frame f = frame_fragment(&all, first, first + 400 > 1000 ? 1000 : first + 400, 7);

			world_case("a fragment", IN_XDP);
			expect(HOOK_PORT, IN_XDP, DEVICE_A, &f, UP, DROP_NONE);
			frame_wrap(&f, &(struct tunnelled){ 0 });
			expect(HOOK_UNDERLAY, IN_XDP, DEVICE_U, &f, UP, DROP_NONE);
		}
	}
	case_assert(!flow_count("ct4") && !flow_count("ct6"));
}

/* Ports are the rules' business for each piece: what is denied is denied whole, and no piece gets round. */
static void ports_hold(void **state)
{
	struct acl_entry dns = { .direction = TO_WORKLOAD, .action = ACL_ALLOW, .rule = 5, ACL_ALL };
	struct acl_entry refuse[2] = { dns, { .direction = TO_WORKLOAD, .action = ACL_REJECT, .rule = 6, ACL_ALL } };

	dns.flags = ENTRY_PROTOCOL;
	dns.protocol = UDP;
	dns.destination_first = dns.destination_last = 53;
	refuse[0] = dns;
	for (int family = 4; family <= 6; family += 2) {
		struct frame good = whole(&sequences[0], family, B);
		struct frame bad = packet_frame((struct packet){ A, B, family, UDP, 1000, 54, .payload = 992 });
		struct frame f;
		struct flow flow;

		world_reset(state);
		acl_put(&dns, 1);
		for (uint32_t first = 0; first < 1000; first += 200) {
			world_case("an allowed port", IN_TC);
			f = frame_fragment(&good, first, first + 200, 7);
			expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
			world_case("a denied port", IN_TC);
			f = frame_fragment(&bad, first, first + 200, 8);
			expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_ACL_IN);
		}
		flow = flow_only(family == 4 ? "ct4" : "ct6", NULL);
		case_assert(flow.dir[0].packets + flow.dir[1].packets == 5);

		/* The first of an allowed datagram lets no other datagram's pieces through. */
		world_case("another id", IN_TC);
		f = frame_fragment(&bad, 200, 400, 9);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SPENT, DROP_NONE);

		acl_put(refuse, 2);
		tenant_bump();
		world_case("rejected: the first is answered", IN_TC);
		f = frame_fragment(&bad, 0, 200, 10);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, family == 4 ? SENT : DROPPED,
		       family == 4 ? DROP_REJECTED : DROP_REJECT_SILENT);
		world_case("rejected: a later one is not", IN_TC);
		f = frame_fragment(&bad, 200, 400, 10);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_REJECT_SILENT);
	}
}

/* Policy that changes between two pieces holds for the second. */
static void judged_again(void **state)
{
	struct frame all = whole(&sequences[0], 4, B), f = frame_fragment(&all, 0, 400, 7);

	(void)state;
	acl_allow_all();
	world_case("allowed", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	acl_put(NULL, 0);
	tenant_bump();
	world_case("denied since", IN_TC);
	f = frame_fragment(&all, 400, 800, 7);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_ACL_IN);
}

/* The bytes of later pieces count as sent, or the window would refuse their acknowledgement. */
static void tcp_bytes(void **state)
{
	struct frame all = packet_frame((struct packet){ A, B, 4, TCP, 1000, 53, .flags = SYN, .seq = 5000, .payload = 980 });
	struct frame f;
	struct flow flow;

	(void)state;
	acl_allow_all();
	for (uint32_t first = 0; first < 1000; first += 200) {
		world_case("a SYN with data in pieces", IN_TC);
		f = frame_fragment(&all, first, first + 200, 7);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
		flow = flow_only("half4", NULL);
		case_assert(flow.dir[0].tcp_end == 5000 + 1 + first + 180 || first);
		case_assert(FLOW_TCP_HALF(flow.path[0].tcp) == TCP_HALF_SYN && flow.dir[0].packets == first / 200 + 1);
	}
	case_assert(flow.dir[0].tcp_end == 5000 + 980 + 1);
}

/* Odd things that only IPv6 has. */
static const struct {
	const char *name;
	struct packet packet;
	enum outcome outcome;
	enum drop_reason reason;
} ipv6_cases[] = {
#define UDP_6 A, B, 6, UDP, 1000, 53
	{ "a fragment header and no fragments",
	  { UDP_6, .first_extension = 44, .extensions = "1100 0000 00000007" }, SENT },
	{ "the same twice, since it is none",
	  { UDP_6, .first_extension = 44, .extensions = "1100 0000 00000007" }, SENT },
	{ "behind hop-by-hop", { UDP_6, .extensions = "2c00 010400000000 1100 0000 00000007" }, SENT },
	{ "a fragment of a fragment",
	  { UDP_6, .first_extension = 44, .extensions = "2c00 0000 00000007 1100 0000 00000007" },
	  DROPPED, DROP_BAD_EXTENSION },
	{ "a first fragment of a fragment",
	  { UDP_6, .first_extension = 44, .extensions = "2c00 0001 00000007 1100 0001 00000007" },
	  DROPPED, DROP_FRAGMENT_TINY },
	{ "a first fragment, its options cut",
	  { UDP_6, .first_extension = 44, .extensions = "3c00 0001 00000017 1102 010400000000" },
	  DROPPED, DROP_FRAGMENT_TINY },
	{ "a first fragment that ends with its options",
	  { UDP_6, .first_extension = 44, .extensions = "3c00 0001 00000018 1100 010400000000", .edit = "18=0010 len=70" },
	  DROPPED, DROP_FRAGMENT_TINY },
	{ "a first fragment with options", 
	  { UDP_6, .first_extension = 44, .extensions = "3c00 0001 00000019 1100 010400000000" }, SENT },
	{ "ND with a fragment header (RFC 6980)",
	  { A, B, 6, ICMP6, 135 << 8, .payload = 16, .first_extension = 44, .extensions = "3a00 0000 00000007" },
	  DROPPED, DROP_FRAGMENT_BAD },
	{ "ND in a first fragment",
	  { A, B, 6, ICMP6, 136 << 8, .payload = 16, .first_extension = 44, .extensions = "3a00 0001 00000007" },
	  DROPPED, DROP_FRAGMENT_BAD },
	{ "a router advertisement with one",
	  { A, B, 6, ICMP6, 134 << 8, .payload = 16, .first_extension = 44, .extensions = "3a00 0000 00000007" },
	  DROPPED, DROP_FRAGMENT_BAD },
	{ "from an address that is not the port's",
	  { UDP_6, .payload = 8, .first_extension = 44, .extensions = "1100 0008 00000007", .edit = "37=09" },
	  DROPPED, DROP_SPOOFED_IPV6 },
};

static void ipv6_headers(void **state)
{
	(void)state;
	acl_allow_all();
	for (size_t i = 0; i < sizeof(ipv6_cases) / sizeof(*ipv6_cases); i++) {
		struct frame f = packet_frame(ipv6_cases[i].packet);

		world_case(ipv6_cases[i].name, IN_TC);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, ipv6_cases[i].outcome, ipv6_cases[i].reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_sequence, world_reset),
		cmocka_unit_test_setup(xdp_hands_up, world_reset),
		cmocka_unit_test_setup(ports_hold, world_reset),
		cmocka_unit_test_setup(judged_again, world_reset),
		cmocka_unit_test_setup(tcp_bytes, world_reset),
		cmocka_unit_test_setup(ipv6_headers, world_reset),
	};

	return cmocka_run_group_tests_name("fragment", tests, world_open, world_close);
}

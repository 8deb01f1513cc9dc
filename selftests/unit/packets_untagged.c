// SPDX-License-Identifier: BSD-2-Clause
/*
 * A chain without a tag: its functions get frames as they are, and what comes back is told by device and MACs alone. The
 * function has one arm, "s", or two, "s" and "t". XDP cannot tell an untagged frame from one whose tag is kept beside it.
 */
#include "include/probe.h"
#include "selftests/unit/lib/world.h"

#define OUT A, B, 4, UDP, 1000, 53
#define IN  B, A, 4, UDP, 53, 1000

static void believe(enum who w, const uint8_t mac[6], int pcp, uint32_t ifindex)
{
	struct sf_return back = { .port = w == A ? 1 : w == B ? 2 : 4, .chain = CHAIN };
	struct sf_key key = { .ifindex = ifindex, .tci = (uint16_t)(pcp << 13) };

	memcpy(key.mac, mac, 6);
	map_put("sf", &key, &back);
}

/* As chain_protect(), without a tag. */
static void protect(enum who w, bool two_arms)
{
	uint32_t s = device(DEVICE_S), t = device(two_arms ? DEVICE_T : DEVICE_S);
	struct chain chain;

	chain_protect(w, two_arms);
	clear_returns(DEVICE_S);
	if (two_arms)
		clear_returns(DEVICE_T);
	believe(w, people[w].mac, PCP_LEAVING, t);
	believe(w, people[w].mac, PCP_TOWARDS, s);
	believe(w, people[ALL].mac, PCP_TOWARDS, s);
	believe(w, people[w].mac, PCP_MADE, s);
	believe(w, people[w].mac, PCP_MADE, t);
	chain = chain_now();
	chain.tag = 0;
	chain_put(&chain);
}

/* Again for one more, which protect() would make forget the first. */
static void protect_both(bool two_arms)
{
	uint32_t s = device(DEVICE_S), t = device(two_arms ? DEVICE_T : DEVICE_S);
	struct port port = port_get(B);

	protect(A, two_arms);
	port.chain = CHAIN;
	port_put(B, &port);
	believe(B, people[B].mac, PCP_LEAVING, t);
	believe(B, people[B].mac, PCP_TOWARDS, s);
	believe(B, people[B].mac, PCP_MADE, s);
	believe(B, people[B].mac, PCP_MADE, t);
}

static void begin(void **state, const char *name, bool two_arms, enum flavour flavour)
{
	world_reset(state);
	acl_allow_all();
	protect(A, two_arms);
	world_case(name, flavour);
}

/* ---- there and back ---- */

static void passes(void **state)
{
	static const struct packet packets[] = {
		{ OUT, .payload = 20 },
		{ IN, .payload = 20 },
		{ A, B, 6, UDP, 1000, 53 },
		{ B, A, 6, UDP, 53, 1000 },
		{ A, B, 4, TCP, 1000, 80, SYN },
		{ B, A, 4, ICMP4, 0x0800, 7 },
	};

	for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++)
		for (int two_arms = 0; two_arms <= 1; two_arms++)
			for_each_flavour(flavour)
			{
				struct frame f = packet_frame(packets[i]);
				bool leaving = packets[i].from == A;
				struct result r;

				begin(state, "there and back", two_arms, flavour);
				r = expect(HOOK_PORT, flavour, leaving ? DEVICE_A : DEVICE_B, &f, SENT, DROP_NONE);
				expect_frame(&r.out, &f);
				case_assert(step_traffic(0).sent == 1 && !port_traffic(leaving ? B : A).to_packets);
				r = expect_tc(HOOK_SF, flavour, leaving && two_arms ? DEVICE_T : DEVICE_S, &f, SENT,
					      DROP_NONE);
				case_assert(step_traffic(0).returned == (flavour == IN_TC));
				expect_frame(&r.out, &f);
				case_assert(port_traffic(leaving ? B : A).to_packets == (flavour == IN_TC));
			}
}

static void through_the_tunnel(void **state)
{
	struct frame in = packet_frame((struct packet){ R, A, 4, UDP, 53, 1000 }), plain = in;
	struct frame out = packet_frame((struct packet){ A, R, 4, UDP, 53, 1000 });
	struct result r;

	frame_wrap(&in, &(struct tunnelled){ 0 });
	for_each_flavour(flavour)
	{
		begin(state, "through the tunnel", false, flavour);
		r = expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		expect_frame(&r.out, &plain);
		r = expect_tc(HOOK_SF, flavour, DEVICE_S, &plain, SENT, DROP_NONE);
		expect_frame(&r.out, &plain);
		r = expect_tc(HOOK_SF, flavour, DEVICE_S, &out, SENT, DROP_NONE);
		case_assert(flavour == IN_XDP || r.out.len == out.len + 50);
	}
}

/* One after the other, and the frame is never touched. */
static void steps(void **state)
{
	static const enum device_name two[] = { DEVICE_S, DEVICE_T };
	struct frame f = packet_frame((struct packet){ OUT });
	struct chain chain;
	struct result r;

	world_reset(state);
	acl_allow_all();
	world_case("two steps", IN_TC);
	chain_protect_steps(A, 0, two, 2);
	clear_returns(DEVICE_S);
	clear_returns(DEVICE_T);
	chain = chain_now();
	chain.tag = 0;
	chain_put(&chain);
	for (uint8_t n = 0; n < 2; n++) {
		struct sf_return back = { .port = 1, .chain = CHAIN, .step = n };
		struct sf_key key = { .ifindex = device(two[n]), .tci = PCP_LEAVING << 13 };

		memcpy(key.mac, people[A].mac, 6);
		map_put("sf", &key, &back);
	}
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	r = expect(HOOK_SF, IN_TC, DEVICE_S, &f, SENT, DROP_NONE);
	expect_frame(&r.out, &f);
	case_assert(step_traffic(1).sent == 1 && !port_traffic(B).to_packets);
	r = expect(HOOK_SF, IN_TC, DEVICE_T, &f, SENT, DROP_NONE);
	expect_frame(&r.out, &f);
	case_assert(port_traffic(B).to_packets == 1);
}

/* Behind two arms both ends may be: the arm tells the pass. */
static void both_ends(void **state)
{
	struct frame f = packet_frame((struct packet){ OUT });

	begin(state, "both ends", true, IN_TC);
	protect_both(true);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	expect(HOOK_SF, IN_TC, DEVICE_T, &f, SENT, DROP_NONE);
	case_assert(step_traffic(0).sent == 2 && !port_traffic(B).to_packets);
	expect(HOOK_SF, IN_TC, DEVICE_S, &f, SENT, DROP_NONE);
	case_assert(port_traffic(B).to_packets == 1);
}

static void broadcasts(void **state)
{
	struct frame leaving = packet_frame((struct packet){ A, ALL, 4, UDP, 1, 2 });
	struct frame towards = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2 });

	for (int two_arms = 0; two_arms <= 1; two_arms++)
		for_each_flavour(flavour)
		{
			begin(state, "a broadcast", two_arms, flavour);
			flood_to((enum who[]){ A, B }, 2);
			expect_tc(HOOK_PORT, flavour, DEVICE_B, &towards, SPENT, DROP_NONE);
			case_assert(flavour == IN_XDP || step_traffic(0).sent == 1);
			case_assert(!port_traffic(A).to_packets);
			expect_tc(HOOK_SF, flavour, DEVICE_S, &towards, SPENT, DROP_NONE);
			case_assert(port_traffic(A).to_packets == (flavour == IN_TC) && !port_traffic(B).to_packets);
			expect_tc(HOOK_SF, flavour, two_arms ? DEVICE_T : DEVICE_S, &leaving, SPENT, DROP_NONE);
			case_assert(port_traffic(B).to_packets == (flavour == IN_TC));
		}
}

/* ---- what is not believed ---- */

struct lie {
	const char *name;
	struct packet packet;
	enum drop_reason reason;
	enum device_name device;
	bool two_arms;
};

static const struct packet quoted = { A, B, 4, UDP, 9, 9 };

static const struct lie lies[] = {
	{ "from nobody to nobody", { R, B, 4, UDP, 1, 2 }, DROP_SF_UNTAGGED, DEVICE_S },
	{ "by the arm that it entered", { OUT }, DROP_SF_UNTAGGED, DEVICE_S, true },
	{ "towards, by the arm that it entered", { IN }, DROP_SF_UNTAGGED, DEVICE_T, true },
	{ "a broadcast by the wrong arm", { B, ALL, 4, UDP, 1, 2 }, DROP_SF_UNTAGGED, DEVICE_T, true },
	{ "from a device of no function", { OUT }, DROP_SF_UNTAGGED, DEVICE_V },
	{ "a priority tag, leaving", { OUT, .tag = PCP_LEAVING << 13 }, DROP_SF_UNKNOWN, DEVICE_S },
	{ "a priority tag, towards", { IN, .tag = PCP_TOWARDS << 13 }, DROP_SF_UNKNOWN, DEVICE_S },
	{ "a tag of no chain", { OUT, .tag = PCP_LEAVING << 13 | CHAIN_TAG }, DROP_SF_UNKNOWN, DEVICE_S },
	{ "a priority tag over another",
	  { OUT, .tag = PCP_LEAVING << 13, .inner_tag = 9 },
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "a RST with a priority tag",
	  { B, A, 4, TCP, 80, 1, RST, .tag = 1 << 12 },
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "ARP, which never went there", { A, B, 0, 1 }, DROP_SF_UNKNOWN, DEVICE_S },
	{ "ARP of its own", { B, ALL, 0, 1 }, DROP_SF_UNKNOWN, DEVICE_S },
	{ "ND towards", { B, A, 6, ICMP6, 136 << 8 }, DROP_SF_UNKNOWN, DEVICE_S },
	{ "router advertisement towards", { B, ALL, 6, ICMP6, 134 << 8 }, DROP_SF_UNKNOWN, DEVICE_S },
	{ "in another's name", { OUT, .edit = "26=0a0001ee" }, DROP_SPOOFED_IPV4, DEVICE_S },
	{ "towards, of no flow", { IN }, DROP_SF_NO_FLOW, DEVICE_S },
	{ "towards, from nobody", { STRANGER, A, 4, UDP, 1, 2 }, DROP_SF_UNKNOWN, DEVICE_S },
	{ "a RST of no flow", { B, A, 4, TCP, 80, 1000, RST | ACK }, DROP_CT_INVALID, DEVICE_S },
	{ "a RST of no flow by the other arm", { B, A, 4, TCP, 80, 1000, RST }, DROP_CT_INVALID, DEVICE_T, true },
	{ "an error of no flow",
	  { B, A, 4, ICMP4, 0x0303, .quote = &quoted },
	  DROP_ICMP_UNRELATED,
	  DEVICE_S },
	{ "a RST between others", { R, B, 4, TCP, 80, 1, RST }, DROP_SF_UNTAGGED, DEVICE_S },
};

static void not_believed(void **state)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		for_each_flavour(flavour)
		{
			const struct lie *l = &lies[i];
			struct frame f = packet_frame(l->packet);

			begin(state, l->name, l->two_arms, flavour);
			flood_to((enum who[]){ A, B }, 2);
			/* What has a tag XDP sees. */
			(l->packet.tag ? expect : expect_tc)(HOOK_SF, flavour, l->device, &f, DROPPED, l->reason);
			case_assert(!flow_count("ct4") && !flow_count("half4"));
			case_assert(!port_traffic(A).to_packets && !port_traffic(B).to_packets);
		}
}

/* A function whose chains all have tags gives nothing back without one. */
static void only_tagged_chains(void **state)
{
	struct frame out = packet_frame((struct packet){ OUT }), rst = packet_frame((struct packet){ B, A, 4, TCP, 80, 1, RST });

	for_each_flavour(flavour)
	{
		world_reset(state);
		acl_allow_all();
		chain_protect(A, false);
		world_case("only tagged chains", flavour);
		expect_tc(HOOK_SF, flavour, DEVICE_S, &out, DROPPED, DROP_SF_UNTAGGED);
		expect_tc(HOOK_SF, flavour, DEVICE_S, &rst, DROPPED, DROP_SF_UNTAGGED);
	}
}

/* ---- what the function makes itself ---- */

/* B is A's client, and sends a request that the function keeps. */
static void request_kept(void **state, const char *name)
{
	static const struct packet handshake[] = {
		{ B, A, 4, TCP, 1000, 80, SYN, .seq = 100 },
		{ A, B, 4, TCP, 80, 1000, SYN | ACK, .seq = 500, .ack = 101 },
		{ B, A, 4, TCP, 1000, 80, ACK, .seq = 101, .ack = 501 },
		{ B, A, 4, TCP, 1000, 80, ACK | PSH, .seq = 101, .ack = 501, .payload = 50 },
	};

	begin(state, name, true, IN_TC);
	for (int i = 0; i < 4; i++) {
		struct frame f = packet_frame(handshake[i]);
		bool leaving = handshake[i].from == A;

		expect(HOOK_PORT, IN_TC, leaving ? DEVICE_A : DEVICE_B, &f, SENT, DROP_NONE);
		if (i < 3)
			expect(HOOK_SF, IN_TC, leaving ? DEVICE_T : DEVICE_S, &f, SENT, DROP_NONE);
	}
}

static void made(void **state)
{
	static const struct packet request = { B, A, 4, TCP, 1000, 80, .seq = 101 };
	static const struct {
		const char *name;
		struct packet packet;
		enum drop_reason reason;
	} cases[] = {
		{ "a RST to the client, which acknowledges what the function has kept",
		  { A, B, 4, TCP, 80, 1000, RST | ACK, .seq = 501, .ack = 151 },
		  DROP_NONE },
		{ "a RST to the server", { B, A, 4, TCP, 1000, 80, RST | ACK, .seq = 101, .ack = 501 }, DROP_NONE },
		{ "an error to the client",
		  { A, B, 4, ICMP4, 0x030a, .quote = &request },
		  DROP_NONE },
		{ "a RST with a number of no window",
		  { A, B, 4, TCP, 80, 1000, RST | ACK, .seq = 90000, .ack = 151 },
		  DROP_CT_TCP_WINDOW },
		{ "a RST of another flow", { A, B, 4, TCP, 80, 1001, RST, .seq = 501 }, DROP_CT_INVALID },
		{ "a RST in another's name",
		  { A, B, 4, TCP, 80, 1000, RST, .seq = 501, .edit = "26=0a0001ee" },
		  DROP_SPOOFED_IPV4 },
		{ "data that acknowledges what was kept",
		  { A, B, 4, TCP, 80, 1000, ACK, .seq = 501, .ack = 151, .payload = 9 },
		  DROP_CT_TCP_WINDOW },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int other_arm = 0; other_arm <= 1; other_arm++) {
			struct frame f = packet_frame(cases[i].packet);
			bool leaving = cases[i].packet.from == A, ends;
			enum drop_reason reason = cases[i].reason;

			/* Only what the function has made itself comes by the arm of the other pass. */
			if (other_arm && !(cases[i].packet.flags & RST) && cases[i].packet.protocol == TCP)
				reason = DROP_SF_UNTAGGED;
			request_kept(state, cases[i].name);
			expect(HOOK_SF, IN_TC, leaving == !other_arm ? DEVICE_T : DEVICE_S, &f,
			       reason ? DROPPED : SENT, reason);
			ends = !reason && cases[i].packet.flags & RST;
			case_assert(!!(flow_only("ct4", NULL).path[0].flags & FLOW_CLOSING) == ends);
		}
}

/* ---- weft's own probe ---- */

static struct frame probe_frame(uint8_t pcp)
{
	static const uint8_t workload[6] = PROBE_MAC_WORKLOAD, network[6] = PROBE_MAC_NETWORK;
	struct probe_body body = { .magic = PROBE_MAGIC, .chain = CHAIN, .nonce = { 9 }, .pcp = pcp };
	struct frame f = { .len = 64 };

	memcpy(f.data, pcp == PCP_LEAVING ? network : workload, 6);
	memcpy(f.data + 6, pcp == PCP_LEAVING ? workload : network, 6);
	f.data[12] = PROBE_ETHERTYPE >> 8;
	f.data[13] = PROBE_ETHERTYPE & 0xff;
	memcpy(f.data + 14, &body, sizeof(body));
	return f;
}

static void probes(void **state)
{
	struct probe_key key = { .nonce = 9 };

	for (uint8_t pcp = PCP_LEAVING; pcp <= PCP_TOWARDS; pcp++)
		for (int right = 0; right <= 1; right++)
			for_each_flavour(flavour)
			{
				struct probe probe = { .asked = 1, .chain = CHAIN, .pcp = pcp };
				enum device_name out = pcp == PCP_LEAVING ? DEVICE_T : DEVICE_S;
				struct frame f = probe_frame(pcp), tagged = f;

				begin(state, "a probe", true, flavour);
				map_put("probes", &key, &probe);
				/* With a tag, be it 0, it is not what was sent. */
				memmove(tagged.data + 16, tagged.data + 12, 48);
				memcpy(tagged.data + 12, (uint8_t[]){ 0x81, 0, (uint8_t)(pcp << 5), 0 }, 4);
				expect(HOOK_SF, flavour, out, &tagged, DROPPED, DROP_SF_PROBE);
				expect_tc(HOOK_SF, flavour,
					  right ? out : out == DEVICE_S ? DEVICE_T : DEVICE_S, &f,
					  right ? SPENT : DROPPED, right ? DROP_NONE : DROP_SF_PROBE);
				map_get("probes", &key, &probe);
				case_assert(!!probe.answered == (right && flavour == IN_TC));
				map_delete("probes", &key);
			}
}

/* A tap of such a chain gets copies without a tag. */
static void tap(void **state)
{
	struct frame f = packet_frame((struct packet){ OUT }), copy;
	int wire = copies_open(DEVICE_S);
	struct chain chain;
	struct result r;

	begin(state, "a tap", false, IN_TC);
	chain = chain_now();
	chain.step[0].flags = STEP_TAP | STEP_OPEN;
	chain_put(&chain);
	r = expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	expect_frame(&r.out, &f);
	case_assert(copies_read(wire, &copy));
	expect_frame(&copy, &f);
	case_assert(!copies_read(wire, &copy) && port_traffic(B).to_packets == 1);
	expect(HOOK_SF, IN_TC, DEVICE_S, &f, DROPPED, DROP_SF_UNKNOWN);
	clear_returns(DEVICE_S);
	expect(HOOK_SF, IN_TC, DEVICE_S, &f, DROPPED, DROP_SF_UNTAGGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(passes, world_reset),
		cmocka_unit_test_setup(through_the_tunnel, world_reset),
		cmocka_unit_test_setup(steps, world_reset),
		cmocka_unit_test_setup(both_ends, world_reset),
		cmocka_unit_test_setup(broadcasts, world_reset),
		cmocka_unit_test_setup(not_believed, world_reset),
		cmocka_unit_test_setup(only_tagged_chains, world_reset),
		cmocka_unit_test_setup(made, world_reset),
		cmocka_unit_test_setup(probes, world_reset),
		cmocka_unit_test_setup(tap, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

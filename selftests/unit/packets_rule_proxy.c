// SPDX-License-Identifier: BSD-2-Clause
/*
 * A connection that the SYN proxy answers, and a chain that the workload's rule chose: the function sees the workload's
 * handshake and the workload's numbers, both ways. Where the client's rule has a chain the proxy does not answer. TC alone:
 * but for what an established connection says, XDP leaves all of it to that.
 */
#include "rule_chains.h"

enum { ISN = 100, OURS = 0x70000000 };

static const uint8_t *tcp_of(const struct frame *f)
{
	return f->data + 14 + (f->data[12] == 0x08 ? 20 : 40);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static uint32_t seq_of(const struct frame *f) { return get32(tcp_of(f) + 4); }
static uint32_t ack_of(const struct frame *f) { return get32(tcp_of(f) + 8); }

static void expect_segment(const struct frame *f, uint8_t flags, uint32_t seq, uint32_t ack)
{
	case_assert(tcp_of(f)[13] == flags && seq_of(f) == seq && ack_of(f) == ack && frame_sums_right(f, 0));
}

/* What TC has sent to the function, which has the tag beside it. */
static struct frame given_back(const struct frame *f, enum chain_pcp pcp)
{
	struct frame back = *f;
	uint16_t tci = pcp << 13 | CHAIN_TAG;

	memmove(back.data + 16, f->data + 12, f->len - 12);
	back.len += 4;
	back.data[12] = 0x81, back.data[13] = 0;
	back.data[14] = tci >> 8, back.data[15] = tci & 0xff;
	return back;
}

static struct result through(enum flavour flavour, const struct frame *f, enum chain_pcp pcp)
{
	struct frame back = flavour == IN_TC ? given_back(f, pcp) : *f;

	return expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
}

static void begin(void **state, const struct rules *rules, const char *name, enum flavour flavour)
{
	struct tenant t;

	world_reset(state);
	offer_all(0);
	put_rules(rules);
	t = world_tenant();
	t.flags |= TENANT_SYN_ALWAYS;
	tenant_put(&t);
	world_case(name, flavour);
}

static uint64_t sent(void)
{
	return chain_traffic_of(CHAIN, 0).sent;
}

/* Up to the workload's answer; returns the first number that the client knows of the workload. */
static uint32_t connect_both(int family)
{
	const struct packet syn = { A, B, family, TCP, 1000, 80, SYN, ISN, .options = "020405b4" };
	struct packet ack = { A, B, family, TCP, 1000, 80, ACK, ISN + 1 };
	const struct packet answer = { B, A, family, TCP, 80, 1000, SYN | ACK, OURS, ISN + 1, .options = "020405b4" };
	struct result r = send_in(IN_TC, syn, SENT, DROP_NONE);
	uint32_t cookie = seq_of(&r.out);

	expect_segment(&r.out, SYN | ACK, cookie, ISN + 1);
	case_assert(!sent());
	/* The cookie is back: the workload gets the client's SYN, by way of the function. */
	ack.ack = cookie + 1;
	r = send_in(IN_TC, ack, SENT, DROP_NONE);
	expect_segment(&r.out, SYN, ISN, 0);
	case_assert(sent() == 1 && !port_traffic(B).to_packets);
	r = through(IN_TC, &r.out, PCP_TOWARDS);
	expect_segment(&r.out, SYN, ISN, 0);
	case_assert(port_traffic(B).to_packets == 1);
	/* Its answer goes through, then the workload's ACK does, and the client hears of its window. */
	r = send_in(IN_TC, answer, SENT, DROP_NONE);
	expect_segment(&r.out, SYN | ACK, OURS, ISN + 1);
	case_assert(sent() == 2);
	r = through(IN_TC, &r.out, PCP_LEAVING);
	case_assert(sent() == 3 && port_traffic(B).to_packets == 1);
	expect_segment(&r.out, ACK, cookie + 1, ISN + 1);
	return cookie;
}

static void at_workload(void **state)
{
	static const struct rules rules = { .in = CHAIN, .at = B };

	for_each_flavour(flavour)
		for (int family = 4; family <= 6; family += 2) {
			struct packet ours = { A, B, family, TCP, 1000, 80, ACK, ISN + 1, OURS + 1 };
			struct packet theirs = { A, B, family, TCP, 1000, 80, ACK | PSH, ISN + 1, .payload = 10 };
			struct packet reply = { B, A, family, TCP, 80, 1000, ACK | PSH, OURS + 1, ISN + 11, 20 };
			struct frame ack = packet_frame(tagged(ours, (struct stop)TOWARDS(CHAIN)));
			struct result r;

			begin(state, &rules, "a chain at the workload", flavour);
			theirs.ack = connect_both(family) + 1;
			/* The workload's ACK comes back from the function. */
			expect(HOOK_SF, IN_TC, DEVICE_S, &ack, SENT, DROP_NONE);
			case_assert(port_traffic(B).to_packets == 2);
			case_assert(flow_count(family == 4 ? "ct4" : "ct6") == 1);
			/* From then on each end reads its own numbers, and the function the workload's. */
			r = send_in(flavour, theirs, SENT, DROP_NONE);
			case_assert(sent() == 4);
			if (flavour == IN_TC)
				expect_segment(&r.out, ACK | PSH, ISN + 1, OURS + 1);
			r = through(flavour, &r.out, PCP_TOWARDS);
			expect_segment(&r.out, ACK | PSH, ISN + 1, OURS + 1);
			case_assert(port_traffic(B).to_packets == 3);
			r = send_in(flavour, reply, SENT, DROP_NONE);
			case_assert(sent() == 5);
			if (flavour == IN_TC)
				expect_segment(&r.out, ACK | PSH, OURS + 1, ISN + 11);
			r = through(flavour, &r.out, PCP_LEAVING);
			expect_segment(&r.out, ACK | PSH, theirs.ack, ISN + 11);
		}
}

/* Its function would be shown an answer to what it has not seen go anywhere. */
static void at_client(void **state)
{
	static const struct rules rules = { .out = CHAIN, .at = A };
	const struct packet syn = { A, B, 4, TCP, 1000, 80, SYN, ISN };

	for_each_flavour(flavour)
	{
		begin(state, &rules, "a chain at the client", flavour);
		BY(flavour, syn, LEAVING(CHAIN));
		case_assert(flow_count("half4") == 1 && !tenant_traffic().syn_cookies_sent);
	}
}

/* The chain came to the client's rule while the cookie was on its way: that opens nothing, and no function sees half of it. */
static void chain_in_between(void **state)
{
	static const struct rules without = { .at = A }, with = { .out = CHAIN, .at = A };
	const struct packet syn = { A, B, 4, TCP, 1000, 80, SYN, ISN };
	struct packet ack = { A, B, 4, TCP, 1000, 80, ACK, ISN + 1 };
	struct result r;

	begin(state, &without, "a cookie, then a chain", IN_TC);
	r = send_in(IN_TC, syn, SENT, DROP_NONE);
	ack.ack = seq_of(&r.out) + 1;
	put_rules(&with);
	tenant_bump();
	send_in(IN_TC, ack, DROPPED, DROP_SYN_COOKIE);
	case_assert(!sent() && !flow_count("half4") && !flow_count("ct4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(at_workload, world_reset),
		cmocka_unit_test_setup(at_client, world_reset),
		cmocka_unit_test_setup(chain_in_between, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * syn_proxy: a SYN is answered with a cookie that a second implementation of SipHash knows too; only the cookie's own tuple,
 * tenant and time open a connection; from then on each end reads its own numbers, and checksums are right.
 */
#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "include/flow_table.h"
#include "include/syn_proxy.h"
#include "selftests/unit/lib/nsh.h"
#include "selftests/unit/siphash.h"

enum { ISN = 0x1000, SERVER = 0x70000000, SCALE = 3, SERVER_SCALE = 9 };

#define SYN_OPTIONS "020405b4 0402 080a0000000100000000 01 030303" /* MSS 1460, SACK, time stamps, scale 3 */

/* The vector of the paper: bytes 00, 01, … as key and as message, here its first eight. */
static void vector(void **state)
{
	const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 }, word = 0x0706050403020100;

	(void)state;
	assert_true(siphash(key, &word, 1) == 0x93f5f5799a932462);
}

static uint32_t tick_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec) >> COOKIE_TICK_NS_SHIFT & 0xffffff;
}

/* Of a SYN from A, port `sport`, to B, port 80; A is the low end. */
static uint32_t cookie_of(int family, uint16_t sport, uint32_t isn, uint32_t options, uint32_t tick)
{
	struct tenant t = world_tenant();
	uint64_t key[2] = { t.seed, (uint64_t)MARK << 32 | (uint32_t)t.id }, words[6] = { 0 };
	struct ct4_key four = { .low_port = htons(sport), .high_port = htons(80), .protocol = TCP, .used = FLOW_USED,
				.zone = NETWORK };
	struct ct6_key six = { .low_port = htons(sport), .high_port = htons(80), .protocol = TCP, .used = FLOW_USED,
			       .zone = NETWORK };

	memcpy(&four.low_address, people[A].ip4, 4);
	memcpy(&four.high_address, people[B].ip4, 4);
	memcpy(&six.low_address, people[A].ip6, 16);
	memcpy(&six.high_address, people[B].ip6, 16);
	if (family == 4)
		memcpy(words, &four, sizeof(four));
	else
		memcpy(words, &six, sizeof(six));
	words[5] = isn | (uint64_t)(options | tick << 8) << 32;
	return tick << COOKIE_TICK_BIT | options << COOKIE_OPTIONS_BIT | (siphash(key, words, 6) & COOKIE_MAC_MASK);
}

static void proxy(uint32_t flags)
{
	struct tenant t = world_tenant();

	acl_allow_all();
	t.flags |= flags;
	tenant_put(&t);
}

/* ---- what is in a frame ---- */

static const uint8_t *tcp_of(const struct frame *f)
{
	return f->data + 14 + (f->data[12] == 0x08 ? 20 : 40);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static uint32_t seq_of(const struct frame *f)
{
	return get32(tcp_of(f) + 4);
}

static uint32_t ack_of(const struct frame *f)
{
	return get32(tcp_of(f) + 8);
}

static uint32_t window_of(const struct frame *f)
{
	return tcp_of(f)[14] << 8 | tcp_of(f)[15];
}

static bool has_flags(const struct frame *f, uint8_t flags)
{
	return tcp_of(f)[13] == flags && frame_sums_right(f, 0);
}

static struct result send_from(enum flavour flavour, struct packet p, enum outcome outcome, enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	return expect(HOOK_PORT, flavour, p.from == A ? DEVICE_A : DEVICE_B, &f, outcome, reason);
}

static struct packet to_b(int family, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t payload)
{
	return (struct packet){ A, B, family, TCP, 1000, 80, flags, seq, ack, payload };
}

static struct packet to_a(int family, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t payload)
{
	return (struct packet){ B, A, family, TCP, 80, 1000, flags, seq, ack, payload };
}

static struct packet first_syn(int family)
{
	struct packet p = to_b(family, SYN, ISN, 0, 0);

	p.options = SYN_OPTIONS;
	return p;
}

static uint32_t half_flows(int family)
{
	return flow_count(family == 4 ? "half4" : "half6");
}

/* The options as the cookie remembers them: 1460 is the largest MSS of IPv4, and above IPv6's largest. */
#define OPTIONS COOKIE_OPTIONS_OF(SCALE, 1, 3)

static uint32_t get_cookie(enum flavour flavour, int family)
{
	struct result r = send_from(flavour, first_syn(family), SENT, DROP_NONE);

	case_assert(has_flags(&r.out, SYN | ACK));
	case_assert(ack_of(&r.out) == ISN + 1 && !window_of(&r.out));
	return seq_of(&r.out);
}

static void cookies(void **state)
{
	for_each_flavour(flavour)
		for (int family = 4; family <= 6; family += 2) {
			uint32_t cookie, tick;

			world_reset(state);
			proxy(TENANT_SYN_ALWAYS);
			world_case("a SYN", flavour);
			do {
				tick = tick_now();
				cookie = get_cookie(flavour, family);
			} while (tick != tick_now());
			case_assert(cookie == cookie_of(family, 1000, ISN, OPTIONS, tick));
			case_assert(!half_flows(family));
			case_assert(tenant_counted().syn_cookies_sent);
		}
}

/* From the other host the answer goes back through the tunnel. */
static void from_afar(void **state)
{
	for_each_flavour(flavour)
	{
		struct packet p = { R, B, 4, TCP, 1000, 80, SYN, .seq = ISN };
		struct frame f = packet_frame(p);
		struct result r;

		world_reset(state);
		proxy(TENANT_SYN_ALWAYS);
		world_case("through the tunnel", flavour);
		frame_wrap(&f, &(struct tunnelled){ .vni = VNI });
		r = expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, SENT, DROP_NONE);
		case_assert(frame_sums_right(&r.out, 50) && r.out.len == 50 + 54);
		case_assert(!half_flows(4));
	}
}

static void opens(void **state)
{
	for_each_flavour(flavour)
		for (int family = 4; family <= 6; family += 2)
			for (uint32_t probe = 0; probe <= 1; probe++) {
				struct packet ack;
				struct result r;
				struct frame f;

				world_reset(state);
				proxy(TENANT_SYN_ALWAYS);
				world_case(probe ? "a window probe" : "an ACK", flavour);
				ack = to_b(family, ACK, ISN + !probe, get_cookie(flavour, family) + 1, 0);
				f = packet_frame(ack);
				r = expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
				if (flavour == IN_XDP)
					continue;
				case_assert(has_flags(&r.out, SYN) && seq_of(&r.out) == ISN && !ack_of(&r.out));
				case_assert(half_flows(family) == 1 && tenant_counted().syn_cookies_valid == 1);
			}
}

/* What is next to a cookie, of another time, tuple or tenant, is nobody's. */
static void forgeries(void **state)
{
	for_each_flavour(flavour)
		for (int family = 4; family <= 6; family += 2) {
			uint32_t cookie, old, n = 0;
			struct packet p;
			struct tenant t;

			world_reset(state);
			proxy(TENANT_SYN_ALWAYS);
			cookie = get_cookie(flavour, family);
			world_case("a bit", flavour);
			for (int bit = 0; bit < 32; bit++, n++)
				send_from(flavour, to_b(family, ACK, ISN + 1, (cookie ^ 1u << bit) + 1, 0), DROPPED,
					  DROP_SYN_COOKIE);
			world_case("another number", flavour);
			send_from(flavour, to_b(family, ACK, ISN + 2, cookie + 1, 0), DROPPED, DROP_SYN_COOKIE);
			world_case("another port", flavour);
			p = to_b(family, ACK, ISN + 1, cookie + 1, 0);
			p.sport = 1001;
			send_from(flavour, p, DROPPED, DROP_SYN_COOKIE);
			world_case("the other way", flavour);
			p = to_a(family, ACK, ISN + 1, cookie + 1, 0);
			send_from(flavour, p, DROPPED, DROP_SYN_COOKIE);
			world_case("old", flavour);
			old = cookie_of(family, 1000, ISN, OPTIONS, tick_now() - 3);
			send_from(flavour, to_b(family, ACK, ISN + 1, old + 1, 0), DROPPED, DROP_SYN_COOKIE);
			old = cookie_of(family, 1000, ISN, OPTIONS, tick_now() + 1);
			send_from(flavour, to_b(family, ACK, ISN + 1, old + 1, 0), DROPPED, DROP_SYN_COOKIE);
			world_case("another tenant's", flavour);
			t = world_tenant();
			t.id++;
			tenant_put(&t);
			send_from(flavour, to_b(family, ACK, ISN + 1, cookie + 1, 0), DROPPED, DROP_SYN_COOKIE);
			n += 6;
			case_assert(tenant_counted().syn_cookies_invalid == n && !half_flows(family));
			world_case("without the proxy", flavour);
			t.flags &= ~TENANT_SYN_ALWAYS;
			tenant_put(&t);
			send_from(flavour, to_b(family, ACK, ISN + 1, cookie + 1, 0), DROPPED, DROP_CT_INVALID);
		}
}

/* ---- a connection ---- */

/* TC alone makes one. Returns the cookie. */
static uint32_t connect_to_b(int family, const char *options)
{
	uint32_t cookie = get_cookie(IN_TC, family);
	struct packet p = to_a(family, SYN | ACK, SERVER, ISN + 1, 0);
	struct result r;

	send_from(IN_TC, to_b(family, ACK, ISN + 1, cookie + 1, 0), SENT, DROP_NONE);
	/* Until the workload answers. */
	send_from(IN_TC, to_a(family, ACK, SERVER, ISN + 1, 0), DROPPED, DROP_SYN_PROXY);
	send_from(IN_TC, to_a(family, SYN | ACK, SERVER, ISN + 9, 0), DROPPED, DROP_CT_TCP_WINDOW);
	p.options = options;
	p.window = 8192;
	r = send_from(IN_TC, p, SENT, DROP_NONE);
	case_assert(has_flags(&r.out, ACK) && seq_of(&r.out) == cookie + 1 && ack_of(&r.out) == ISN + 1);
	case_assert(window_of(&r.out) == 8192 >> SYN_PROXY_SCALE);
	case_assert(flow_count(family == 4 ? "ct4" : "ct6") == 1 && !half_flows(family));
	return cookie;
}

static void numbers(enum flavour flavour, int family, uint32_t cookie, uint32_t client, uint32_t server)
{
	struct packet p = to_b(family, ACK, ISN + 1, cookie + 1, 100);
	uint32_t delta = SERVER - cookie;
	struct result r;

	world_case("to the workload", flavour);
	p.window = 1000;
	r = send_from(flavour, p, SENT, DROP_NONE);
	case_assert(has_flags(&r.out, ACK) && seq_of(&r.out) == ISN + 1 && ack_of(&r.out) == SERVER + 1);
	case_assert(window_of(&r.out) == client);
	world_case("to the client", flavour);
	p = to_a(family, ACK, SERVER + 1, ISN + 101, 500);
	p.window = 128;
	r = send_from(flavour, p, SENT, DROP_NONE);
	case_assert(has_flags(&r.out, ACK) && seq_of(&r.out) == cookie + 1 && ack_of(&r.out) == ISN + 101);
	case_assert(window_of(&r.out) == server);
	world_case("selective acknowledgements", flavour);
	p = to_b(family, ACK, ISN + 101, cookie + 1, 0);
	p.options = "0101 0512 00000010 00000020 00000030 00000040";
	r = send_from(flavour, p, SENT, DROP_NONE);
	case_assert(has_flags(&r.out, ACK));
	for (uint32_t i = 0; i < 4; i++)
		case_assert(get32(tcp_of(&r.out) + 24 + 4 * i) == 0x10 * (i + 1) + delta);
	world_case("the same at an odd place", flavour);
	p.options = "01 050a 00000010 00000020 00";
	r = send_from(flavour, p, SENT, DROP_NONE);
	case_assert(has_flags(&r.out, ACK) && get32(tcp_of(&r.out) + 23) == 0x10 + delta);
	world_case("not of the connection", flavour);
	send_from(flavour, to_b(family, ACK, ISN + 101, SERVER + 1, 0), DROPPED, DROP_CT_TCP_WINDOW);
	send_from(flavour, to_a(family, ACK, cookie + 501, ISN + 101, 0), DROPPED, DROP_CT_TCP_WINDOW);
	world_case("a RST", flavour);
	r = send_from(flavour, to_a(family, RST | ACK, SERVER + 501, ISN + 101, 0), SENT, DROP_NONE);
	case_assert(has_flags(&r.out, RST | ACK) && seq_of(&r.out) == cookie + 501);
}

static void connections(void **state)
{
	for_each_flavour(flavour)
		for (int family = 4; family <= 6; family += 2) {
			world_reset(state);
			proxy(TENANT_SYN_ALWAYS);
			world_case("the workload scales windows", IN_TC);
			numbers(flavour, family, connect_to_b(family, "020405b4 0402 01 030309 0101"), 1000,
				128 << SERVER_SCALE >> SYN_PROXY_SCALE);
			world_reset(state);
			proxy(TENANT_SYN_ALWAYS);
			world_case("it does not", IN_TC);
			numbers(flavour, family, connect_to_b(family, "020405b4"), 1000 << SCALE, 128 >> SYN_PROXY_SCALE);
		}
}

/* What an ICMP error quotes is the workload's own again when it gets there; so a path's MTU is found. */
static void icmp_errors(void **state)
{
	for_each_flavour(flavour)
		for (int family = 4; family <= 6; family += 2) {
			struct packet quoted = to_a(family, ACK, 0, ISN + 1, 500);
			struct packet error = { A, B, family, family == 4 ? ICMP4 : ICMP6, family == 4 ? 0x0304 : 0x0200,
						.quote = &quoted };
			struct result r;
			uint32_t cookie;

			world_reset(state);
			proxy(TENANT_SYN_ALWAYS);
			world_case("connection", IN_TC);
			cookie = connect_to_b(family, "020405b4");
			send_from(IN_TC, to_a(family, ACK, SERVER + 1, ISN + 1, 500), SENT, DROP_NONE);
			world_case("in the client's numbers", flavour);
			quoted.seq = cookie + 1;
			r = send_from(flavour, error, SENT, DROP_NONE);
			case_assert(frame_sums_right(&r.out, 0));
			case_assert(get32(tcp_of(&r.out) + 8 + (family == 4 ? 20 : 40) + 4) == SERVER + 1);
			world_case("in the workload's", flavour);
			quoted.seq = SERVER + 1;
			send_from(flavour, error, DROPPED, DROP_ICMP_UNRELATED);
		}
}

/* Where every record is in use a connection finds no place, until one is not needed any more. */
static void records(void **state)
{
	struct proxied_bucket full = { 0 };
	struct tenant t;
	uint32_t cookie;

	world_reset(state);
	proxy(TENANT_SYN_ALWAYS);
	world_case("no record is free", IN_TC);
	t = world_tenant();
	for (int i = 0; i < PROXIED_PLACES; i++)
		full.place[i] = (struct proxied){ .key = { 1 }, .used = PROXIED_USED, .seen = jiffies_now(),
						  .timeout = CT_TCP_ESTABLISHED };
	for (uint32_t i = 0; i < FLOWS_MAX / PROXIED_PLACES; i++)
		assert_false(bpf_map_update_elem(inner_fd("proxied"), &i, &full, BPF_ANY));
	cookie = get_cookie(IN_TC, 4);
	send_from(IN_TC, to_b(4, ACK, ISN + 1, cookie + 1, 0), DROPPED, DROP_CT_FULL);
	world_case("old ones are", IN_TC);
	for (int i = 0; i < PROXIED_PLACES; i++)
		full.place[i].seen -= t.timeout[CT_TCP_ESTABLISHED] + 10;
	for (uint32_t i = 0; i < FLOWS_MAX / PROXIED_PLACES; i++)
		assert_false(bpf_map_update_elem(inner_fd("proxied"), &i, &full, BPF_ANY));
	send_from(IN_TC, to_b(4, ACK, ISN + 1, cookie + 1, 0), SENT, DROP_NONE);
}

/* Half closed is any of several states: a record waits as long as the longest of them. */
static void half_closed(void **state)
{
	struct proxied_bucket full = { 0 };
	struct tenant t;
	uint32_t cookie;

	world_reset(state);
	proxy(TENANT_SYN_ALWAYS);
	t = world_tenant();
	t.timeout[CT_TCP_CLOSE_WAIT] = 10 * t.timeout[CT_TCP_FIN];
	tenant_put(&t);
	for (int i = 0; i < PROXIED_PLACES; i++)
		full.place[i] = (struct proxied){ .key = { 1 }, .used = PROXIED_USED, .timeout = CT_TCP_FIN,
						  .seen = jiffies_now() - t.timeout[CT_TCP_FIN] - 10 };
	for (uint32_t i = 0; i < FLOWS_MAX / PROXIED_PLACES; i++)
		assert_false(bpf_map_update_elem(inner_fd("proxied"), &i, &full, BPF_ANY));
	world_case("half closed, for longer than the FIN's time", IN_TC);
	cookie = get_cookie(IN_TC, 4);
	send_from(IN_TC, to_b(4, ACK, ISN + 1, cookie + 1, 0), DROPPED, DROP_CT_FULL);
	world_case("its own time is over", IN_TC);
	for (int i = 0; i < PROXIED_PLACES; i++)
		full.place[i].seen = jiffies_now() - t.timeout[CT_TCP_CLOSE_WAIT] - 10;
	for (uint32_t i = 0; i < FLOWS_MAX / PROXIED_PLACES; i++)
		assert_false(bpf_map_update_elem(inner_fd("proxied"), &i, &full, BPF_ANY));
	send_from(IN_TC, to_b(4, ACK, ISN + 1, cookie + 1, 0), SENT, DROP_NONE);
}

/* A chain comes that ends older connections: the client gets a RST with its own number. */
static void chain_resets(void **state)
{
	uint32_t slot = CHAIN, cookie;
	struct chain chain;
	struct result r;
	struct port port;

	world_reset(state);
	proxy(TENANT_SYN_ALWAYS);
	world_case("a chain that resets", IN_TC);
	cookie = connect_to_b(4, "020405b4");
	chain_protect(B, false);
	map_get("chains", &slot, &chain);
	chain.flags = CHAIN_RESET;
	map_put("chains", &slot, &chain);
	port = port_get(B);
	port.chain_since = world_tenant().epoch + 1;
	port_put(B, &port);
	tenant_bump();
	r = send_from(IN_TC, to_a(4, ACK, SERVER + 1, ISN + 1, 0), SENT, DROP_CHAIN_RESET);
	case_assert(has_flags(&r.out, RST) && seq_of(&r.out) == cookie + 1);
}

/* ---- the workload's function is on another host ---- */

/* The frame in NSH within `f`, whose lengths are those of what it carries. */
static struct frame in_nsh(const struct frame *f)
{
	struct frame inner = { .len = f->len - NSH_HEADERS };

	case_assert(f->len > NSH_HEADERS && f->data[37] == 0xb6);
	case_assert((uint32_t)(f->data[16] << 8 | f->data[17]) == f->len - 14);
	case_assert((uint32_t)(f->data[38] << 8 | f->data[39]) == f->len - 34);
	memcpy(inner.data, f->data + NSH_HEADERS, inner.len);
	return inner;
}

/* It comes back as it went. */
static struct result back_from_far(struct frame f, uint8_t pcp)
{
	nsh_wrap(&f, &(struct service){ .spi = PATH << 1 | (pcp == PCP_TOWARDS), .tci = pcp << 13 | CHAIN_TAG });
	return expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &f, SENT, DROP_NONE);
}

static void through_far(void **state)
{
	for (int family = 4; family <= 6; family += 2) {
		int wire = copies_open(DEVICE_U);
		struct packet answer = to_a(family, SYN | ACK, SERVER, ISN + 1, 0), data;
		struct frame f, copy;
		struct result r;
		uint32_t cookie;

		world_reset(state);
		proxy(TENANT_SYN_ALWAYS);
		nsh_protect(B, 0, NULL, 0);
		world_case("a function on another host: the SYN", IN_TC);
		cookie = get_cookie(IN_TC, family);
		r = send_from(IN_TC, to_b(family, ACK, ISN + 1, cookie + 1, 0), SENT, DROP_NONE);
		f = in_nsh(&r.out);
		case_assert(has_flags(&f, SYN) && seq_of(&f) == ISN);
		r = back_from_far(f, PCP_TOWARDS);
		case_assert(has_flags(&r.out, SYN) && r.out.len == f.len);

		world_case("the answer", IN_TC);
		answer.options = "020405b4";
		answer.window = 8192;
		r = send_from(IN_TC, answer, SENT, DROP_NONE);
		f = in_nsh(&r.out);
		case_assert(has_flags(&f, SYN | ACK));
		r = back_from_far(f, PCP_LEAVING);
		case_assert(has_flags(&r.out, ACK) && seq_of(&r.out) == cookie + 1 && ack_of(&r.out) == ISN + 1);
		case_assert(!memcmp(r.out.data, people[A].mac, 6) && !memcmp(r.out.data + 6, people[B].mac, 6));
		case_assert(r.out.len == 14 + (family == 4 ? 20 : 40) + r.out.data[14 + (family == 4 ? 20 : 40) + 12] / 16 * 4u);

		world_case("the workload's ACK", IN_TC);
		case_assert(copies_read(wire, &copy) && !copies_read(wire, &f));
		f = in_nsh(&copy);
		case_assert(has_flags(&f, ACK) && seq_of(&f) == ISN + 1 && ack_of(&f) == SERVER + 1);
		r = back_from_far(f, PCP_TOWARDS);
		case_assert(has_flags(&r.out, ACK) && seq_of(&r.out) == ISN + 1);
		case_assert(flow_count(family == 4 ? "ct4" : "ct6") == 1 && !half_flows(family));

		world_case("data", IN_TC);
		data = to_b(family, ACK, ISN + 1, cookie + 1, 100);
		r = send_from(IN_TC, data, SENT, DROP_NONE);
		f = in_nsh(&r.out);
		case_assert(has_flags(&f, ACK) && ack_of(&f) == SERVER + 1);
		r = back_from_far(f, PCP_TOWARDS);
		case_assert(has_flags(&r.out, ACK) && ack_of(&r.out) == SERVER + 1);
		close(wire);
	}
}

/* Nobody listens: the client believes in a connection, and its RST has the number that it waits for. */
static void refused(void **state)
{
	struct result r;
	uint32_t cookie;

	world_reset(state);
	proxy(TENANT_SYN_ALWAYS);
	world_case("refused", IN_TC);
	cookie = get_cookie(IN_TC, 4);
	send_from(IN_TC, to_b(4, ACK, ISN + 1, cookie + 1, 0), SENT, DROP_NONE);
	r = send_from(IN_TC, to_a(4, RST | ACK, 0, ISN + 1, 0), SENT, DROP_NONE);
	case_assert(has_flags(&r.out, RST | ACK) && seq_of(&r.out) == cookie + 1);
}

/* Half the places' worth of handshakes that nobody ends, then cookies; one that is done gives its token back. */
static void pressure(void **state)
{
	for_each_flavour(flavour)
	{
		struct packet p = to_b(4, SYN, ISN, 0, 0);

		world_reset(state);
		proxy(TENANT_SYN_AUTO);
		world_case("handshakes that are done", flavour);
		for (int i = 0; i < 40; i++) {
			struct packet answer = to_a(4, SYN | ACK, SERVER, ISN + 1, 0), ack = to_b(4, ACK, ISN + 1, SERVER + 1, 0);

			p.sport = answer.dport = ack.sport = 5000 + i;
			send_from(flavour, p, SENT, DROP_NONE);
			send_from(flavour, answer, SENT, DROP_NONE);
			send_from(flavour, ack, SENT, DROP_NONE);
		}
		case_assert(!tenant_counted().syn_cookies_sent);
		world_case("a flood", flavour);
		for (int i = 0; i < 200; i++) {
			p.sport = 6000 + i;
			send_from(flavour, p, SENT, DROP_NONE);
		}
		case_assert(tenant_counted().syn_cookies_sent >= 160 && tenant_counted().syn_cookies_sent <= 170);
		case_assert(half_flows(4) >= 30 && half_flows(4) <= 40 && flow_count("ct4") == 40);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vector),
		cmocka_unit_test(cookies),
		cmocka_unit_test(from_afar),
		cmocka_unit_test(opens),
		cmocka_unit_test(forgeries),
		cmocka_unit_test(connections),
		cmocka_unit_test(icmp_errors),
		cmocka_unit_test(records),
		cmocka_unit_test(half_closed),
		cmocka_unit_test(chain_resets),
		cmocka_unit_test(through_far),
		cmocka_unit_test(refused),
		cmocka_unit_test(pressure),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

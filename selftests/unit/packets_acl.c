// SPDX-License-Identifier: BSD-2-Clause
/*
 * judge and acl against an oracle: random rule sets and packets, IPv4 and IPv6, both flavours; the
 * oracle scans the rules in plain C, written from what the fields mean. The verdict, the deciding
 * rule and the counters must agree.
 */
#include "selftests/unit/lib/world.h"

enum { RULE_SETS = 50, PACKETS = 256 }; /* 2 families: 25,600 packets in each flavour */

/* ---- a random generator of our own, so that every run is the same ---- */

static uint64_t seed = 42;

static uint32_t below(uint32_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % n;
}

#define one_of(...)                                                                                \
	((const uint32_t[]){ __VA_ARGS__ })[below(sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)]

/* ---- the questions ---- */

/* The ways that a packet goes, and who judges it there. */
enum way { INTO_A, OUT_OF_A, FROM_A_TO_B, WAYS };

struct question {
	enum way way;
	uint8_t family, protocol, icmp_type, icmp_code, tcp_flags;
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port; /* 0 where there are none */
	uint8_t state;
};

static const struct {
	enum who from, to;
	enum hook hook;
	enum device_name device;
} ways[WAYS] = {
	{ R, A, HOOK_UNDERLAY, DEVICE_U },
	{ A, R, HOOK_PORT, DEVICE_A },
	{ A, B, HOOK_PORT, DEVICE_A },
};

/*
 * Few addresses, so that rules meet packets: 10.0.a.b and fd00::a:b, of which A has 10.0.1.x and
 * fd00::1:x.
 */
static void pick_address(uint8_t family, uint32_t a, uint32_t b, uint8_t out[16])
{
	memset(out, 0, 16);
	if (family == 4) {
		memcpy(out, (uint8_t[]){ 10, 0, a, b }, 4);
	} else {
		out[0] = 0xfd;
		out[13] = a;
		out[15] = b;
	}
}

static struct question pick_question(uint8_t family)
{
	struct question q = { .way = below(WAYS), .family = family, .state = CT_STATE_NEW };

	q.protocol = one_of(TCP, TCP, UDP, UDP, SCTP, 47, family == 4 ? ICMP4 : ICMP6);
	pick_address(family, q.way == INTO_A ? below(4) : 1, below(8), q.source);
	pick_address(family, below(4), below(8), q.destination);
	if (q.protocol == TCP || q.protocol == UDP || q.protocol == SCTP) {
		q.source_port = one_of(1, 1000, 1023, 1024, 40000, 65535);
		q.destination_port = one_of(22, 53, 79, 80, 81, 443, 8080, 65535);
	}
	if (q.protocol == TCP) {
		q.tcp_flags = one_of(SYN, SYN, SYN, ACK, ACK | PSH, RST, FIN | ACK, SYN | ACK);
		/* What is no lone SYN belongs to a flow or is invalid. */
		q.state = q.tcp_flags == SYN ? CT_STATE_NEW : CT_STATE_INVALID;
	}
	if (q.protocol == ICMP4 || q.protocol == ICMP6) {
		/*
		 * An echo, its answer (invalid without one), and a query that weft keeps no state
		 * of.
		 */
		q.icmp_type = family == 4 ? one_of(8, 0, 10) : one_of(128, 129, 130);
		q.icmp_code = below(2);
		q.state = q.icmp_type == 0 || q.icmp_type == 129 ? CT_STATE_INVALID : CT_STATE_NEW;
	}
	return q;
}

static bool is_kept(const struct question *q)
{
	return q->icmp_type != 10 && q->icmp_type != 130;
}

static struct frame frame_of(const struct question *q)
{
	bool icmp = q->protocol == ICMP4 || q->protocol == ICMP6;
	struct frame f = packet_frame((struct packet){
		ways[q->way].from, ways[q->way].to, q->family, q->protocol,
		icmp ? q->icmp_type << 8 | q->icmp_code : q->source_port,
		icmp ? 7 : q->destination_port, .flags = q->tcp_flags, .payload = 8 });

	memcpy(f.data + (q->family == 4 ? 26 : 22), q->source, q->family == 4 ? 4 : 16);
	memcpy(f.data + (q->family == 4 ? 30 : 38), q->destination, q->family == 4 ? 4 : 16);
	if (q->way == INTO_A)
		frame_wrap(&f, &(struct tunnelled){ 0 });
	return f;
}

/* ---- the rules ---- */

static void pick_prefix(uint8_t family, union weft_addr *address, uint8_t *bits)
{
	*bits = family == 4 ? one_of(0, 8, 16, 22, 23, 24, 29, 30, 31, 32)
			    : one_of(0, 8, 64, 96, 109, 110, 111, 112, 125, 126, 127, 128);
	pick_address(family, below(4), below(8), address->bytes);
	/* The compiler of rules writes prefixes without host bits, and so does this. */
	for (uint32_t bit = *bits; bit < 128; bit++)
		address->bytes[bit / 8] &= ~(0x80 >> bit % 8);
}

static void pick_range(uint16_t *first, uint16_t *last)
{
	*first = one_of(0, 0, 0, 22, 53, 80, 1000, 1024);
	*last = *first ? one_of(*first, *first, *first + 1, 8080 + *first, 65535) : 65535;
}

static struct acl_entry pick_rule(uint32_t id)
{
	uint8_t family = one_of(0, 4, 4, 6, 6);
	struct acl_entry e = { .family = family,
			       .rule = id,
			       .action = below(3),
			       .direction = below(2),
			       .port = one_of(0, 0, 2, 3, 99),
			       ACL_ALL };

	if (family) {
		e.ethertype = below(4) ? 0 : family == 4 ? 0x0800 : 0x86dd;
		pick_prefix(family, &e.source, &e.source_bits);
		pick_prefix(family, &e.destination, &e.destination_bits);
	}
	e.ct_states = one_of(0, 0, 0, CT_STATE_NEW, CT_STATE_ESTABLISHED, CT_STATE_INVALID,
			     CT_STATE_NEW | CT_STATE_INVALID, CT_STATE_RELATED);
	if (!below(8))
		e.flags |= ENTRY_STATELESS;
	if (!below(3))
		return e;
	e.flags |= ENTRY_PROTOCOL;
	e.protocol = one_of(TCP, TCP, UDP, SCTP, 47, ICMP4, ICMP6);
	if (e.protocol == ICMP4 || e.protocol == ICMP6) {
		e.flags |= one_of(0, ENTRY_ICMP_TYPE, ENTRY_ICMP_TYPE | ENTRY_ICMP_CODE);
		e.icmp_type = one_of(8, 0, 10, 128, 129, 130);
		e.icmp_code = below(2);
	} else {
		pick_range(&e.source_first, &e.source_last);
		pick_range(&e.destination_first, &e.destination_last);
	}
	if (e.protocol == TCP && !below(3)) {
		e.tcp_mask = one_of(SYN | ACK, SYN | ACK | RST | FIN, ACK);
		e.tcp_flags = e.tcp_mask & one_of(SYN, ACK, RST);
	}
	return e;
}

/* ---- the oracle ---- */

static bool in_prefix(const uint8_t *address, const union weft_addr *prefix, uint32_t bits)
{
	for (uint32_t bit = 0; bit < bits; bit++) {
		uint8_t mask = 0x80 >> bit % 8;

		if ((address[bit / 8] & mask) != (prefix->bytes[bit / 8] & mask))
			return false;
	}
	return true;
}

static bool rule_matches(const struct acl_entry *e, const struct question *q, uint8_t direction,
			 uint32_t port)
{
	if (e->direction != direction)
		return false;
	if (e->port != 0 && e->port != port + 1)
		return false;
	if (e->family != 0 && e->family != q->family)
		return false;
	if (e->ethertype != 0 && e->ethertype != (q->family == 4 ? 0x0800 : 0x86dd))
		return false;
	if ((e->flags & ENTRY_PROTOCOL) && e->protocol != q->protocol)
		return false;
	if ((e->flags & ENTRY_ICMP_TYPE) && e->icmp_type != q->icmp_type)
		return false;
	if ((e->flags & ENTRY_ICMP_CODE) && e->icmp_code != q->icmp_code)
		return false;
	if (q->source_port < e->source_first || q->source_port > e->source_last)
		return false;
	if (q->destination_port < e->destination_first || q->destination_port > e->destination_last)
		return false;
	if (e->tcp_mask && (q->tcp_flags & e->tcp_mask) != e->tcp_flags)
		return false;
	if (e->ct_states && !(e->ct_states & q->state))
		return false;
	/* A packet of no flow is for rules that say so, or that know no flows. */
	if (q->state == CT_STATE_INVALID && !e->ct_states && !(e->flags & ENTRY_STATELESS))
		return false;
	return in_prefix(q->source, &e->source, e->source_bits) &&
	       in_prefix(q->destination, &e->destination, e->destination_bits);
}

struct answer {
	enum drop_reason reason;
	uint32_t rule; /* the last that was asked */
	uint32_t asked[2], n_asked;
	bool stateless;
	uint32_t would_drop[2]; /* by direction */
};

static void judge(struct answer *a, const struct acl_entry *rules, uint32_t n,
		  const struct question *q, uint32_t flags, uint8_t direction, uint32_t port)
{
	bool allowed = flags & (direction == TO_WORKLOAD ? TENANT_ALLOW_IN : TENANT_ALLOW_OUT);
	const struct acl_entry *e = rules;

	while (e < rules + n && !rule_matches(e, q, direction, port))
		e++;
	if (e == rules + n)
		e = NULL;
	a->rule = e ? e->rule : 0;
	a->asked[a->n_asked++] = a->rule;
	if (e && e->flags & ENTRY_STATELESS)
		a->stateless = true;
	if (e)
		allowed = e->action == ACL_ALLOW;
	else if (q->state == CT_STATE_INVALID)
		allowed = false;
	if (allowed)
		return;
	if (flags & TENANT_MONITOR)
		a->would_drop[direction]++;
	else if (e && e->action == ACL_REJECT)
		a->reason = DROP_REJECTED;
	else if (!e && q->state == CT_STATE_INVALID)
		a->reason = DROP_CT_INVALID;
	else
		a->reason = direction == TO_WORKLOAD ? DROP_ACL_IN : DROP_ACL_OUT;
}

static struct answer oracle(const struct acl_entry *rules, uint32_t n, const struct question *q,
			    uint32_t flags)
{
	struct answer a = { .stateless = q->state == CT_STATE_INVALID || !is_kept(q) };

	if (q->way != INTO_A)
		judge(&a, rules, n, q, flags, FROM_WORKLOAD, 1);
	if (q->way != OUT_OF_A && !a.reason)
		judge(&a, rules, n, q, flags, TO_WORKLOAD, q->way == INTO_A ? 1 : 2);
	return a;
}

/* ---- both, side by side ---- */

static void check_verdict(enum flavour flavour, const struct answer *a, int action)
{
	enum { TC_SHOT = 2, TC_REDIRECT = 7, X_DROP = 1, X_PASS = 2, X_REDIRECT = 4 };

	if (a->reason ==
	    DROP_REJECTED) /* answered, where an answer is due; XDP leaves that to TC */
		case_assert(flavour == IN_XDP ? action == X_PASS
					      : action == TC_REDIRECT || action == TC_SHOT);
	else if (a->reason)
		case_assert(action == (flavour == IN_XDP ? X_DROP : TC_SHOT));
	else
		case_assert(action == (flavour == IN_XDP ? X_REDIRECT : TC_REDIRECT));
}

static void check_flow(const struct question *q, const struct answer *a)
{
	const char *table = q->protocol == TCP ? q->family == 4 ? "half4" : "half6"
			    : q->family == 4   ? "ct4"
					       : "ct6";
	struct flow f;
	int original;

	if (a->reason || a->stateless) {
		case_assert(!flow_count("ct4") && !flow_count("ct6") && !flow_count("half4") &&
			    !flow_count("half6"));
		return;
	}
	f = flow_only(table, NULL);
	original = !(f.path[0].flags & FLOW_ORIGINAL);
	case_assert(f.path[original].flags == FLOW_ORIGINAL && f.rule == a->rule);
	case_assert(f.dir[original].packets == 1);
}

enum { RULES_MAX = 300 };

struct tally {
	uint64_t hits[RULES_MAX + 1]; /* by id; 0: the defaults */
	uint64_t drops[DROP_REASONS];
	uint64_t would_drop[2];
	uint64_t passed;
};

static void ask(const struct acl_entry *rules, uint32_t n, uint8_t family, uint32_t flags,
		struct tally *tally)
{
	struct question q = pick_question(family);
	struct answer a = oracle(rules, n, &q, flags);
	struct frame f = frame_of(&q);
	char name[96];

	for_each_flavour(flavour)
	{
		struct result r;

		snprintf(name, sizeof(name),
			 "%u rules, way %d, family %d, protocol %d, expecting reason %d by rule %u",
			 n, q.way, q.family, q.protocol, a.reason, a.rule);
		world_case(name, flavour);
		r = world_run_uncounted(ways[q.way].hook, flavour, ways[q.way].device, &f);
		check_verdict(flavour, &a, r.action);
		check_flow(&q, &a);
		flows_clear();
		/* XDP leaves those to TC before it counts anything. */
		if (a.reason == DROP_REJECTED && flavour == IN_XDP)
			continue;
		for (uint32_t i = 0; i < a.n_asked; i++)
			tally->hits[a.asked[i]]++;
		if (a.reason)
			tally->drops[a.reason]++;
		tally->passed += !a.reason;
		tally->would_drop[0] += a.would_drop[0];
		tally->would_drop[1] += a.would_drop[1];
	}
}

static void own_addresses(void)
{
	struct port port = port_get(A);

	port.addresses4 = port.addresses6 = PORT_ADDRESSES;
	for (int i = 0; i < PORT_ADDRESSES; i++) {
		uint8_t address[16];

		pick_address(4, 1, i, address);
		memcpy(port.address4[i], address, 4);
		pick_address(6, 1, i, port.address6[i]);
	}
	port_put(A, &port);
}

/* Each rule has counted the packets that it decided, and no other; then they begin anew. */
static void check_hits(struct tally *tally)
{
	uint32_t none = 0;

	world_case("hits of the rules", IN_TC);
	for (uint32_t id = 1; id <= RULES_MAX; id++) {
		case_assert(rule_counted(id).packets == tally->hits[id]);
		none += !tally->hits[id];
		tally->hits[id] = 0;
	}
	case_assert(flow_count("rule_hits") == RULES_MAX - none);
	hits_clear();
}

static void against_the_oracle(void **state)
{
	static struct acl_entry rules[RULES_MAX];
	uint64_t before[DROP_REASONS], after[DROP_REASONS];
	struct tenant_traffic counted;
	struct tally tally = { 0 };

	(void)state;
	own_addresses();
	drops_read(before);
	for (int set = 0; set < RULE_SETS; set++) {
		uint32_t n = set ? one_of(1, 3, 10, 30, 100, 300) : 0;
		struct tenant t = world_tenant();

		t.flags = below(4) | (below(8) ? 0 : TENANT_MONITOR);
		tenant_put(&t);
		for (uint32_t i = 0; i < n; i++)
			rules[i] = pick_rule(i + 1);
		acl_put(rules, n);
		for (int i = 0; i < PACKETS; i++) {
			ask(rules, n, 4, t.flags, &tally);
			ask(rules, n, 6, t.flags, &tally);
		}
		check_hits(&tally);
	}
	drops_read(after);
	/* Which reject gets an answer is for packets_reject.c. */
	after[DROP_REJECTED] += after[DROP_REJECT_LIMITED] + after[DROP_REJECT_SILENT];
	after[DROP_REJECT_LIMITED] = before[DROP_REJECT_LIMITED];
	after[DROP_REJECT_SILENT] = before[DROP_REJECT_SILENT];
	world_case("the sums", IN_TC);
	for (int i = 0; i < DROP_REASONS; i++)
		case_assert(after[i] - before[i] == tally.drops[i]);
	counted = tenant_counted();
	case_assert(counted.would_drop_in == tally.would_drop[TO_WORKLOAD] &&
		    counted.would_drop_out == tally.would_drop[FROM_WORKLOAD]);
	case_assert(counted.default_in + counted.default_out == tally.hits[0] && !counted.hits_lost);
	/* A test that meets one outcome only proves little. */
	case_assert(tally.passed > 5000 && tally.drops[DROP_ACL_IN] > 1000 &&
		    tally.drops[DROP_ACL_OUT] > 1000);
	case_assert(tally.drops[DROP_REJECTED] > 1000 && tally.drops[DROP_CT_INVALID] > 1000);
	case_assert(counted.would_drop_in > 100 && counted.would_drop_out > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(against_the_oracle, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

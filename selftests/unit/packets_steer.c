// SPDX-License-Identifier: BSD-2-Clause
/*
 * A judge of the choice among instances: it makes the hash of each flow and the ranks of all instances by itself, with
 * floating point and by the definitions alone, and looks up what packets have chosen (sf_flows). Many flows, of both families,
 * ICMP and fragments; how they spread, and what moves when instances come and go.
 */
#include <bpf/bpf.h>
#include <math.h>
#include <string.h>

#include "selftests/unit/lib/world.h"

#define MANY   10000
#define SOME   400
#define PLACES 10
/* What the programs' logarithm to the base of 2 may be wrong by. */
#define WRONG 0.01

enum shape { BY_PORT4, BY_ADDRESS4, BY_PORT6, BY_ADDRESS6, PING4, PING6, FRAGMENT4, FRAGMENT6, SHAPES };

static const char *const names[SHAPES] = {
	"IPv4, by port", "IPv4, by address", "IPv6, by port", "IPv6, by address",
	"ICMP, by id",   "ICMPv6, by id",    "fragments",     "IPv6 fragments",
};

static const uint16_t weights[PLACES] = { 1, 1, 2, 3, 1, 8, 1, 1, 4, 2 };

static uint32_t id_of(uint8_t place)
{
	char name[32];

	snprintf(name, sizeof(name), "ips/ips%u", place);
	return instance_id(name);
}

static void put(uint8_t place, uint16_t weight)
{
	struct function f;

	instance_put(0, place, id_of(place), device(DEVICE_S), device(DEVICE_S));
	f = function_now(0);
	f.instance[place].weight = weight;
	function_put(0, &f);
}

static void take_away(uint8_t place)
{
	instance_put(0, place, 0, 0, 0);
}

static void forget_flows(void)
{
	struct sf_flow_key key;

	while (!bpf_map_get_next_key(map_fd("sf_flows"), NULL, &key))
		map_delete("sf_flows", &key);
	/* Nothing comes back here, and nobody shall be thought dead. */
	for (uint8_t i = 0; i < FUNCTION_INSTANCES; i++)
		watch_put(0, i, &(struct sf_state){ 0 });
}

static void start(void **state, bool weighted)
{
	world_reset(state);
	acl_allow_all();
	chain_protect(A, false);
	for (uint8_t i = 0; i < PLACES; i++)
		put(i, weighted ? weights[i] : 1);
	forget_flows();
}

/* ---- flows ---- */

static bool is_six(enum shape shape)
{
	return shape == BY_PORT6 || shape == BY_ADDRESS6 || shape == PING6 || shape == FRAGMENT6;
}

static void set16(uint8_t *at, uint32_t n)
{
	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
}

/* The nth packet of a kind, leaving A. Behind an IPv6 fragment header stands another one before UDP. */
static struct frame packet_of(enum shape shape, uint32_t n)
{
	static struct frame made[SHAPES];
	struct frame f = made[shape];
	bool six = is_six(shape);

	if (!f.len) {
		bool ping = shape == PING4 || shape == PING6;

		f = made[shape] = packet_frame((struct packet){
			A, B, six ? 6 : 4, !ping ? UDP : six ? ICMP6 : ICMP4,
			!ping ? 1000 : six ? 128 << 8 : 8 << 8, !ping ? 53 : 0, .payload = 64,
			.extensions = shape == FRAGMENT6 ? "11 00 01 04 00 00 00 00" : NULL,
			.first_extension = 60 });
	}
	if (shape == BY_PORT4 || shape == BY_PORT6)
		set16(f.data + (six ? 54 : 34), 1000 + n);
	else if (shape == PING4 || shape == PING6)
		set16(f.data + (six ? 58 : 38), n);
	else
		set16(f.data + (six ? 52 : 32), n);
	return f;
}

/* What it is called: a number for each end, from the bytes of its address and port. */
static uint64_t little(const uint8_t *bytes, int n)
{
	uint64_t word = 0;

	while (n-- > 0)
		word = word << 8 | bytes[n];
	return word;
}

static uint64_t end_of(const struct frame *f, enum shape shape, int end)
{
	const uint8_t *address = f->data + (is_six(shape) ? 22 + 16 * end : 26 + 4 * end);
	const uint8_t *l4 = f->data + (is_six(shape) ? 54 : 34);
	uint64_t port = 0;

	/* An id stands on the asker's side. */
	if (shape <= BY_ADDRESS6)
		port = little(l4 + 2 * end, 2);
	else if (shape <= PING6 && !end)
		port = little(l4 + 4, 2);
	if (!is_six(shape))
		return little(address, 4) * 65536 + port;
	return (little(address, 8) * 0x9e3779b97f4a7c15ull ^ little(address + 8, 8)) *
		       0xff51afd7ed558ccdull +
	       port;
}

static uint64_t hash_of(const struct frame *f, enum shape shape)
{
	uint64_t a = end_of(f, shape, 0), b = end_of(f, shape, 1), words[3], h;
	uint64_t protocol = shape <= BY_ADDRESS6 ? UDP : shape == PING4 ? ICMP4 : ICMP6;

	words[0] = a < b ? a : b;
	words[1] = a < b ? b : a;
	words[2] = (uint64_t)NETWORK << 16 | (shape <= PING6 ? protocol : 0);
	h = world_tenant().seed;
	for (int i = 0; i < 3; i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ull;
		h = h ^ h >> 32;
	}
	return h | 1;
}

/* ---- the judge ---- */

/* A random number of the flow and the instance, out of (0, 1): how long the instance takes, by its weight. */
static double rank_of(uint64_t flow, const struct sf_instance *one)
{
	uint64_t h = flow ^ one->id * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h = (uint32_t)(h ^ h >> 32) | 1;
	return (32 - log2((double)h)) / one->weight;
}

struct judged {
	int best;
	bool close; /* so close that the programs may well see another one ahead */
};

static struct judged judge(const struct function *f, uint64_t flow, int chosen)
{
	struct judged j = { .best = -1 };
	double least = INFINITY;

	for (int i = 0; i < FUNCTION_INSTANCES; i++) {
		double rank;

		if (!(f->fresh >> i & 1))
			continue;
		rank = rank_of(flow, &f->instance[i]);
		if (rank < least) {
			least = rank;
			j.best = i;
		}
	}
	j.close = chosen >= 0 &&
		  rank_of(flow, &f->instance[chosen]) - least <
			  WRONG / f->instance[chosen].weight + WRONG / f->instance[j.best].weight;
	return j;
}

static int known(uint64_t flow)
{
	struct sf_flow_key key = { .flow = flow, .function = FUNCTION, .tenant = TENANT };
	struct sf_flow known;

	return bpf_map_lookup_elem(map_fd("sf_flows"), &key, &known) ? -1 : known.place;
}

/* Where the nth flow of a kind goes; its packets leave A. */
static int sent_to(enum flavour flavour, enum shape shape, uint32_t n)
{
	struct frame f = packet_of(shape, n);
	uint64_t flow = hash_of(&f, shape);

	if (shape < FRAGMENT4) {
		world_run_uncounted(HOOK_PORT, flavour, DEVICE_A, &f);
		return known(flow);
	}
	/* Of one datagram the last one first. */
	for (int later = 1; later >= 0; later--) {
		struct frame part = frame_fragment(&f, later ? 40 : 0, later ? 80 : 40, n);

		world_run_uncounted(HOOK_PORT, flavour, DEVICE_A, &part);
		case_assert(known(flow) >= 0);
		if (later)
			case_assert(instance_traffic(0, (uint8_t)known(flow)).flows > 0);
	}
	return known(flow);
}

/* All of a kind, where the judge wants them; `got` may be NULL. */
static void judge_all(enum flavour flavour, enum shape shape, uint32_t flows, uint8_t *got)
{
	struct function f = function_now(0);
	uint32_t close = 0;

	world_case(names[shape], flavour);
	for (uint32_t n = 0; n < flows; n++) {
		struct frame packet = packet_of(shape, n);
		int chosen = sent_to(flavour, shape, n);
		struct judged j = judge(&f, hash_of(&packet, shape), chosen);

		case_assert(chosen >= 0);
		case_assert(chosen == j.best || j.close);
		close += chosen != j.best;
		if (got)
			got[n] = (uint8_t)chosen;
	}
	case_assert(close <= flows / 25 + 1);
}

static void choice(void **state)
{
	for_each_flavour(flavour)
		for (int shape = 0; shape < SHAPES; shape++) {
			/* XDP hands fragments up. */
			if (flavour == IN_XDP && shape >= FRAGMENT4)
				continue;
			start(state, true);
			judge_all(flavour, (enum shape)shape, SOME, NULL);
		}
}

/* No fragment goes elsewhere than the others of its datagram, whatever headers stand before its ports. */
static void fragments_meet(void **state)
{
	for (int shape = FRAGMENT4; shape <= FRAGMENT6; shape++) {
		uint64_t given = 0, sent = 0;

		start(state, true);
		judge_all(IN_TC, (enum shape)shape, SOME, NULL);
		for (uint8_t i = 0; i < PLACES; i++) {
			given += instance_traffic(0, i).flows;
			sent += instance_traffic(0, i).sent;
		}
		case_assert(given == SOME && sent == 2 * SOME);
	}
}

/* ---- how they spread ---- */

static double chi_square(const uint8_t *got, const uint16_t *weight)
{
	double sum = 0, chi = 0;

	for (int i = 0; i < PLACES; i++)
		sum += weight[i];
	for (int i = 0; i < PLACES; i++) {
		double expected = MANY * weight[i] / sum, n = 0;

		for (int k = 0; k < MANY; k++)
			n += got[k] == i;
		chi += (n - expected) * (n - expected) / expected;
	}
	return chi;
}

/* By weight: no more uneven than one of a thousand honest draws (27.9 with nine degrees of freedom). */
static void spread(void **state)
{
	static const uint16_t even[PLACES] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	static uint8_t got[MANY];

	for (int shape = 0; shape <= BY_ADDRESS6; shape++)
		for (int weighted = 0; weighted <= 1; weighted++) {
			double chi;

			start(state, weighted);
			judge_all(IN_TC, (enum shape)shape, MANY, got);
			chi = chi_square(got, weighted ? weights : even);
			if (chi > 27.9)
				fail_msg("%s, %s: chi-square is %.1f", names[shape],
					 weighted ? "weighted" : "even", chi);
		}
}

/* ---- who moves ---- */

static uint32_t moved(const uint8_t *before, const uint8_t *after, int from, int to)
{
	uint32_t n = 0;

	for (int i = 0; i < MANY; i++)
		n += before[i] != after[i] && (from < 0 || before[i] == from) &&
		     (to < 0 || after[i] == to);
	return n;
}

static uint32_t count(const uint8_t *got, int place)
{
	uint32_t n = 0;

	for (int i = 0; i < MANY; i++)
		n += got[i] == place;
	return n;
}

/* One of ten goes: its flows go, and no other, be they known or not. */
static void one_goes(void **state)
{
	static uint8_t before[MANY], after[MANY];

	for (int forgotten = 0; forgotten <= 1; forgotten++) {
		start(state, false);
		judge_all(IN_TC, BY_PORT4, MANY, before);
		take_away(4);
		if (forgotten)
			forget_flows();
		judge_all(IN_TC, BY_PORT4, MANY, after);
		world_case(forgotten ? "one goes, all new" : "one goes", IN_TC);
		case_assert(count(before, 4) > MANY / 10 * 9 / 10);
		case_assert(moved(before, after, 4, -1) == count(before, 4));
		case_assert(moved(before, after, -1, -1) == count(before, 4));
	}
}

/* One comes: what is known stays, and of what is new it wins its share, from whoever had it. */
static void one_comes(void **state)
{
	static uint8_t before[MANY], after[MANY], later[MANY];

	start(state, false);
	judge_all(IN_TC, BY_PORT6, MANY, before);
	put(12, 2);
	world_case("one comes", IN_TC);
	for (uint32_t n = 0; n < MANY; n++)
		after[n] = (uint8_t)sent_to(IN_TC, BY_PORT6, n);
	case_assert(!memcmp(before, after, sizeof(after)));
	forget_flows();
	judge_all(IN_TC, BY_PORT6, MANY, later);
	case_assert(moved(before, later, -1, -1) == moved(before, later, -1, 12));
	case_assert(count(later, 12) > MANY / 12 * 2 * 97 / 100 && count(later, 12) < MANY / 12 * 2 * 103 / 100);
}

/* Another weight changes only who wins what is new; and more of it takes from all, and gives to none. */
static void one_grows(void **state)
{
	static uint8_t before[MANY], after[MANY];

	start(state, false);
	judge_all(IN_TC, BY_ADDRESS4, MANY, before);
	put(7, 9);
	for (uint32_t n = 0; n < MANY; n++)
		after[n] = (uint8_t)sent_to(IN_TC, BY_ADDRESS4, n);
	case_assert(!memcmp(before, after, sizeof(after)));
	forget_flows();
	judge_all(IN_TC, BY_ADDRESS4, MANY, after);
	case_assert(moved(before, after, -1, -1) == moved(before, after, -1, 7));
	case_assert(count(after, 7) > MANY / 2 * 97 / 100 && count(after, 7) < MANY / 2 * 103 / 100);
}

/* ---- both directions ---- */

static struct frame turned(const struct frame *f, enum shape shape)
{
	int address = is_six(shape) ? 22 : 26, size = is_six(shape) ? 16 : 4;
	int l4 = is_six(shape) ? 54 : 34;
	struct frame back = *f;

	memcpy(back.data, f->data + 6, 6);
	memcpy(back.data + 6, f->data, 6);
	memcpy(back.data + address, f->data + address + size, size);
	memcpy(back.data + address + size, f->data + address, size);
	if (shape == PING4 || shape == PING6) {
		back.data[l4] = shape == PING4 ? 0 : 129;
	} else {
		memcpy(back.data + l4, f->data + l4 + 2, 2);
		memcpy(back.data + l4 + 2, f->data + l4, 2);
	}
	return back;
}

static struct frame tagged(const struct frame *f, uint16_t tci)
{
	struct frame t = *f;

	memmove(t.data + 16, f->data + 12, f->len - 12);
	set16(t.data + 12, 0x8100);
	set16(t.data + 14, tci);
	t.len += 4;
	return t;
}

/* The answer meets the instance that the question met, though nobody remembers it. */
static void both_directions(void **state)
{
	static const enum shape shapes[] = { BY_PORT4, BY_PORT6, PING4, PING6 };

	for_each_flavour(flavour)
		for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
			start(state, true);
			inner_resize("ct4", 4 * SOME);
			inner_resize("ct6", 4 * SOME);
			world_case(names[shapes[s]], flavour);
			for (uint32_t n = 0; n < SOME; n++) {
				struct frame out = packet_of(shapes[s], n), in = turned(&out, shapes[s]);
				struct frame back = tagged(&out, PCP_LEAVING << 13 | CHAIN_TAG);
				uint64_t flow = hash_of(&out, shapes[s]);
				int leaving = sent_to(flavour, shapes[s], n);

				put_returns(A, device(DEVICE_S), device(DEVICE_S), 0,
					    (uint8_t)leaving);
				world_run_uncounted(HOOK_SF, flavour, DEVICE_S, &back);
				forget_flows();
				world_run_uncounted(HOOK_PORT, flavour, DEVICE_B, &in);
				case_assert(leaving >= 0 && known(flow) == leaving);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(choice, world_reset),
		cmocka_unit_test_setup(fragments_meet, world_reset),
		cmocka_unit_test_setup(spread, world_reset),
		cmocka_unit_test_setup(one_goes, world_reset),
		cmocka_unit_test_setup(one_comes, world_reset),
		cmocka_unit_test_setup(one_grows, world_reset),
		cmocka_unit_test_setup(both_directions, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

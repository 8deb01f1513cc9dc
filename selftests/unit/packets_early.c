// SPDX-License-Identifier: BSD-2-Clause
/*
 * early: fragments that come before the first of their datagram wait for it and come in again behind it; what of it is
 * bounded; whose fragments are whose; and fragments on their way through a function.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "selftests/unit/lib/world.h"

enum { LEN = 1000, CUT = 200 };

static struct frame whole(enum who from, enum who to, int family)
{
	return packet_frame((struct packet){ from, to, family, UDP, 1000, 53, .payload = LEN - 8 });
}

static struct frame cut(enum who from, enum who to, int family, uint32_t first, uint32_t id)
{
	struct frame all = whole(from, to, family);

	return frame_fragment(&all, first, first + CUT, id);
}

static uint32_t waiting(void)
{
	struct early_key key, *last = NULL;
	uint32_t n = 0;

	while (!bpf_map_get_next_key(map_fd("early"), last, &key)) {
		last = &key;
		n++;
	}
	return n;
}

/* The state of the only datagram that is known, and of its place; fails if there is another. */
static struct fragment_entry entry_only(uint32_t *set_at)
{
	struct fragment_entry found = { 0 };
	struct fragment_set set;
	uint32_t n = 0;

	for (uint32_t i = 0; i < FRAGMENT_SETS; i++) {
		bpf_map_lookup_elem(inner_fd("fragments"), &i, &set);
		for (int way = 0; way < FRAGMENT_WAYS; way++)
			if (set.way[way].state != FRAGMENT_FREE) {
				found = set.way[way];
				*set_at = i;
				n++;
			}
	}
	case_assert(n == 1);
	return found;
}

static void entries_age(uint32_t jiffies)
{
	struct fragment_set set;

	for (uint32_t i = 0; i < FRAGMENT_SETS; i++) {
		bpf_map_lookup_elem(inner_fd("fragments"), &i, &set);
		for (int way = 0; way < FRAGMENT_WAYS; way++)
			set.way[way].since -= jiffies;
		bpf_map_update_elem(inner_fd("fragments"), &i, &set, BPF_ANY);
	}
}

/* From the last to the first: all of them go their way once the first has come, and each is counted once. */
static void backwards(void **state)
{
	static const struct {
		enum hook hook;
		enum device_name device;
		enum who from, to;
	} ways[] = { { HOOK_PORT, DEVICE_A, A, B }, { HOOK_UNDERLAY, DEVICE_U, R, A } };

	for (int family = 4; family <= 6; family += 2)
		for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
			struct frame f, came[LEN / CUT];
			uint32_t got = 0;
			int again;

			world_reset(state);
			acl_allow_all();
			world_case(w ? "backwards, through the tunnel" : "backwards", IN_TC);
			again = again_open(ways[w].device);
			for (int first = LEN - CUT; first >= 0; first -= CUT) {
				f = cut(ways[w].from, ways[w].to, family, first, 7);
				if (ways[w].hook == HOOK_UNDERLAY)
					frame_wrap(&f, &(struct tunnelled){ 0 });
				expect(ways[w].hook, IN_TC, ways[w].device, &f, SPENT, DROP_NONE);
				case_assert(waiting() == (first ? (uint32_t)(LEN - first) / CUT : 0));
			}
			case_assert(!port_traffic(ways[w].to).to_packets && !port_traffic(A).from_packets);
			while (got < LEN / CUT && again_read(again, &came[got])) {
				/* IPv6 of the devices' own. */
				if (came[got].len > 150)
					got++;
			}
			case_assert(got == LEN / CUT);
			/* The first is in front. */
			expect_frame(&came[0], &f);
			for (uint32_t i = 0; i < got; i++)
				expect(ways[w].hook, IN_TC, ways[w].device, &came[i], SENT, DROP_NONE);
			case_assert(port_traffic(ways[w].to).to_packets == LEN / CUT);
			close(again);
		}
}

/* A tenant has eight places: more push out the oldest, which counts then. */
static void places(void **state)
{
	struct frame f;

	(void)state;
	acl_allow_all();
	for (uint32_t id = 1; id <= EARLY_FRAMES; id++) {
		world_case("a place for each", IN_TC);
		f = cut(A, B, 4, CUT, id);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SPENT, DROP_NONE);
	}
	for (uint32_t id = 100; id < 120; id++) {
		world_case("none left", IN_TC);
		f = cut(A, B, 4, CUT, id);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_FRAGMENT_EARLY);
		case_assert(waiting() == EARLY_FRAMES);
	}
	world_case("larger than a place", IN_TC);
	f = packet_frame((struct packet){ A, B, 4, UDP, 1, 2, .payload = EARLY_BYTES + 8 });
	f = frame_fragment(&f, 8, 8 + EARLY_BYTES, 200);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_FRAGMENT_EARLY);
}

/* Many datagrams that never end: each takes the place of the oldest, and what is there stays bounded. */
static void flood_of_firsts(void **state)
{
	uint32_t known = 0;
	struct frame f;

	(void)state;
	acl_allow_all();
	for (uint32_t id = 1; id <= 100; id++) {
		world_case("a first fragment of many", IN_TC);
		f = cut(A, B, 4, 0, id);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	}
	for (uint32_t id = 1; id <= 100; id++) {
		struct result r;

		f = cut(A, B, 4, CUT, id);
		r = world_run(HOOK_PORT, IN_TC, DEVICE_A, &f);
		known += r.outcome == SENT;
	}
	/* Those whose first is not known any more push out none of the others. */
	case_assert(known == FRAGMENT_SETS * FRAGMENT_WAYS);
	/* Unless these have waited for long, for something that was lost. */
	entries_age(HZ);
	for (uint32_t id = 201; id <= 300; id++) {
		f = cut(A, B, 4, CUT, id);
		world_run(HOOK_PORT, IN_TC, DEVICE_A, &f);
	}
	world_case("pushed out", IN_TC);
	f = cut(A, B, 4, 2 * CUT, 100);
	case_assert(world_run(HOOK_PORT, IN_TC, DEVICE_A, &f).outcome != SENT);
	case_assert(tenant_counted().fragments_evicted >= 100 - FRAGMENT_SETS * FRAGMENT_WAYS);
	world_case("the latest", IN_TC);
	f = cut(A, B, 4, 0, 101);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	f = cut(A, B, 4, CUT, 101);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	/* Datagrams that are complete make room first. */
	flows_clear();
	fragments_clear(FRAGMENT_SETS);
	for (uint32_t id = 1; id <= 500; id++)
		for (uint32_t first = 0; first < LEN; first += CUT) {
			world_case("complete ones", IN_TC);
			f = cut(A, B, 6, first, id);
			expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
		}
}

/* 30 s for IPv4, 60 for IPv6, a second once all has come: then it is another datagram. */
static void time_is_bounded(void **state)
{
	for (int family = 4; family <= 6; family += 2) {
		uint32_t life = (family == 4 ? 30 : 60) * HZ, set;
		struct frame first = cut(A, B, family, 0, 7), later = cut(A, B, family, CUT, 7);

		world_reset(state);
		acl_allow_all();
		world_case("in time", IN_TC);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &first, SENT, DROP_NONE);
		entries_age(life - HZ);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &later, SENT, DROP_NONE);
		entries_age(2 * HZ);
		world_case("too late", IN_TC);
		later = cut(A, B, family, 2 * CUT, 7);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &later, SPENT, DROP_NONE);
		case_assert(entry_only(&set).state == FRAGMENT_WAITING);
		case_assert(!tenant_counted().fragments_evicted);

		fragments_clear(FRAGMENT_SETS);
		world_case("the same id again, a second later", IN_TC);
		for (int times = 0; times < 2; times++) {
			for (uint32_t at = 0; at < LEN; at += CUT) {
				struct frame f = cut(A, B, family, at, 7);

				expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
			}
			case_assert(entry_only(&set).state == FRAGMENT_COMPLETE);
			entries_age(HZ + 1000);
		}
	}
}

/* What another host, another zone's or another sender's fragments say is not believed of this datagram. */
static void poison(void **state)
{
	struct frame first = cut(A, B, 4, 0, 7), later = cut(A, B, 4, CUT, 7), f;

	(void)state;
	acl_allow_all();
	world_case("the workload's own", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &first, SENT, DROP_NONE);
	/* R's host says that R, by its MAC, has A's address. */
	f = cut(R, B, 4, CUT, 7);
	memcpy(f.data + 26, people[A].ip4, 4);
	frame_wrap(&f, &(struct tunnelled){ 0 });
	world_case("another host's", IN_TC);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &f, SPENT, DROP_NONE);
	world_case("with the address of another", IN_TC);
	f = cut(A, B, 4, 2 * CUT, 7);
	memcpy(f.data + 26, people[R].ip4, 4);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_SPOOFED_IPV4);
	world_case("another protocol", IN_TC);
	f = later;
	f.data[23] = 47;
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SPENT, DROP_NONE);
	world_case("the workload's own, still", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &later, SENT, DROP_NONE);
}

/* No table, or one that is not let go: the fragment is dropped, and nothing waits. */
static void no_table(void **state)
{
	struct frame f = cut(A, B, 4, 0, 7);
	struct fragment_set set = { .lock = 1, .sets = 1 };
	uint32_t zero = 0;

	(void)state;
	acl_allow_all();
	fragments_clear(1);
	bpf_map_update_elem(inner_fd("fragments"), &zero, &set, BPF_ANY);
	world_case("locked for ever", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_FRAGMENT_TABLE);
	set = (struct fragment_set){ 0 };
	bpf_map_update_elem(inner_fd("fragments"), &zero, &set, BPF_ANY);
	world_case("of no size", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_FRAGMENT_TABLE);
	inner_remove("fragments");
	world_case("none", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_FRAGMENT_TABLE);
	inner_resize("fragments", FRAGMENT_SETS);
}

static struct frame tagged(const struct frame *plain, enum chain_pcp pcp)
{
	struct frame f = *plain;

	memmove(f.data + 16, plain->data + 12, plain->len - 12);
	f.data[12] = 0x81;
	f.data[13] = 0;
	f.data[14] = (pcp << 13 | CHAIN_TAG) >> 8;
	f.data[15] = (pcp << 13 | CHAIN_TAG) & 0xff;
	f.len += 4;
	return f;
}

/*
 * Leaving, the function gets all that the workload sends, in its order; what it gives back is looked at then. Towards the
 * workload it gets what was let in, and each piece that it gives back is known again.
 */
static void through_a_function(void **state)
{
	static const uint32_t order[] = { 0, 2, 4, 1, 3 };
	struct frame plain, back, first;

	for (int family = 4; family <= 6; family += 2)
		for (int pcp = PCP_LEAVING; pcp <= PCP_TOWARDS; pcp++) {
			uint32_t to = 0;

			world_reset(state);
			acl_allow_all();
			chain_protect(pcp == PCP_LEAVING ? A : B, false);
			for (int i = 0; i < LEN / CUT; i++) {
				plain = cut(A, B, family, order[i] * CUT, 7);
				back = tagged(&plain, pcp);
				world_case(pcp == PCP_LEAVING ? "to the function, leaving" : "to the function, towards",
					   IN_TC);
				expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
				case_assert(!port_traffic(B).to_packets == !to);
				world_case("back", IN_TC);
				expect(HOOK_SF, IN_TC, DEVICE_S, &back, SENT, DROP_NONE);
				case_assert(port_traffic(B).to_packets == ++to);
			}
			world_case("a duplicate of the function's", IN_TC);
			expect(HOOK_SF, IN_TC, DEVICE_S, &back, DROPPED, DROP_FRAGMENT_DUPLICATE);

			/* What waits, or is dropped, has come back all the same: the function lives. */
			first = cut(A, B, family, CUT, 8);
			world_case("one that comes early, again and again", IN_TC);
			for (int i = 0; i < SILENT_FRAMES + 2; i++) {
				back = tagged(&first, pcp);
				if (pcp == PCP_LEAVING)
					expect(HOOK_PORT, IN_TC, DEVICE_A, &first, SENT, DROP_NONE);
				world_run(HOOK_SF, IN_TC, DEVICE_S, &back);
				case_assert(!outstanding(0, 0));
			}
		}
}

/* To everybody in the network: each receiver's rules are asked, with the ports. */
static void everybody(void **state)
{
	struct acl_entry dns = { .direction = TO_WORKLOAD, .action = ACL_ALLOW, .rule = 5, ACL_ALL };

	(void)state;
	dns.destination_first = dns.destination_last = 53;
	acl_put(&dns, 1);
	flood_to((enum who[]){ B }, 1);
	for (uint16_t port = 53; port <= 54; port++) {
		struct frame all = packet_frame((struct packet){ A, ALL, 4, UDP, 1000, port, .payload = LEN - 8 });

		for (uint32_t first = 0; first < LEN; first += CUT) {
			struct frame f = frame_fragment(&all, first, first + CUT, port);

			world_case("to everybody", IN_TC);
			if (port == 53)
				expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SPENT, DROP_NONE);
			else
				expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_ACL_IN);
		}
	}
	case_assert(port_traffic(B).to_packets == LEN / CUT);
}

/* ---- two CPUs at the same datagrams ---- */

enum { DATAGRAMS = 200 };

struct hasty {
	pthread_t thread;
	int cpu;
	uint32_t first; /* CUT and every other piece from here on */
	atomic_uint *met;
	int again; /* what comes in again, for one of the two to take up, as the device would at once; else -1 */
};

static void meet(struct hasty *h, uint32_t times)
{
	atomic_fetch_add(h->met, 1);
	while (atomic_load(h->met) < 2 * times)
		;
}

static void take_up(int again)
{
	struct frame f;

	while (again >= 0 && again_read(again, &f))
		if (f.len > 150 && f.data[12] == 8)
			world_run_uncounted(HOOK_PORT, IN_TC, DEVICE_A, &f);
}

static void *send_every_other(void *arg)
{
	struct hasty *h = arg;
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(h->cpu, &here);
	sched_setaffinity(0, sizeof(here), &here);
	for (uint32_t id = 1; id <= DATAGRAMS; id++) {
		struct frame pieces[LEN / CUT];

		for (uint32_t i = h->first; i < LEN / CUT; i += 2)
			pieces[i] = cut(A, B, 4, i * CUT, id);
		meet(h, 2 * id - 1);
		/* The highest first, so that each datagram has early ones. */
		for (uint32_t i = LEN / CUT; i-- > 0;)
			if (i % 2 == h->first)
				world_run_uncounted(HOOK_PORT, IN_TC, DEVICE_A, &pieces[i]);
		meet(h, 2 * id);
		take_up(h->again);
	}
	return NULL;
}

/* Returns how often no CPU got at the table in time; fails for what was dropped else. */
static unsigned int race(int again)
{
	uint64_t before[DROP_REASONS], after[DROP_REASONS];
	atomic_uint met = 0;
	struct hasty hasty[2] = { { .cpu = 0, .first = 0, .met = &met, .again = again },
				  { .cpu = 1, .first = 1, .met = &met, .again = -1 } };

	drops_read(before);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&hasty[i].thread, NULL, send_every_other, &hasty[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(hasty[i].thread, NULL);
	drops_read(after);
	for (int reason = 0; reason < DROP_REASONS; reason++)
		if (before[reason] != after[reason] && after[DROP_FRAGMENT_TABLE] == before[DROP_FRAGMENT_TABLE])
			fail_msg("dropped: reason %d, %d times", reason, (int)(after[reason] - before[reason]));
	return (unsigned int)(after[DROP_FRAGMENT_TABLE] - before[DROP_FRAGMENT_TABLE]);
}

/*
 * Whatever meets whatever: each piece goes its way once, and none is lost. Unlike a hook a test can be interrupted where it holds
 * a set's lock, by another task or by others' packets, for longer than who waits for it waits: then the race is run again.
 */
static void two_cpus(void **state)
{
	int again = again_open(DEVICE_A);
	unsigned int late = 1;
	struct frame f;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	fcntl(again, F_SETFL, O_NONBLOCK);
	for (int round = 0; round < 10 && late; round++) {
		while (again_read(again, &f))
			;
		world_reset(state);
		acl_allow_all();
		fragments_clear(512);
		/* Loads the program here, not in a thread. */
		f = cut(A, B, 4, 0, DATAGRAMS + 1);
		world_run(HOOK_PORT, IN_TC, DEVICE_A, &f);
		late = race(again);
	}
	close(again);
	world_case("two CPUs", IN_TC);
	case_assert(!late);
	case_assert(!waiting());
	assert_int_equal(port_traffic(B).to_packets, DATAGRAMS * (LEN / CUT) + 1);
	fragments_clear(FRAGMENT_SETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(backwards, world_reset),
		cmocka_unit_test_setup(places, world_reset),
		cmocka_unit_test_setup(flood_of_firsts, world_reset),
		cmocka_unit_test_setup(time_is_bounded, world_reset),
		cmocka_unit_test_setup(poison, world_reset),
		cmocka_unit_test_setup(no_table, world_reset),
		cmocka_unit_test_setup(through_a_function, world_reset),
		cmocka_unit_test_setup(everybody, world_reset),
		cmocka_unit_test_setup(two_cpus, world_reset),
	};

	return cmocka_run_group_tests_name("early", tests, world_open, world_close);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * The userspace half of the protocol in include/flow_table.h; bpf/lib/flow_table.h is the other. Atomic operations are
 * sequentially consistent where two writers must see each other, as those of programs are.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "include/flow_state.h"
#include "loader/flow_table.h"

#define KEY_WORDS_MAX CT6_KEY_WORDS
/* A place whose key changes while it is read is one in which flows come and go: it may be left out. */
#define READ_TRIES 8

static int words_of(const struct flow_table *t)
{
	return t->family == FAMILY_IPV4 ? CT4_KEY_WORDS : CT6_KEY_WORDS;
}

static size_t place_size(const struct flow_table *t)
{
	return flow_bucket_size(t->family) / FLOW_PLACES;
}

/* Places as numbered through all buckets. */
static __u64 *place_at(const struct flow_table *t, size_t place)
{
	return (__u64 *)(t->places + place * place_size(t));
}

static struct flow *flow_in(const struct flow_table *t, __u64 *place)
{
	return (struct flow *)((unsigned char *)place +
			       (t->family == FAMILY_IPV4 ? offsetof(struct ct4_place, flow)
							 : offsetof(struct ct6_place, flow)));
}

static __u64 *key_end(const struct flow_table *t, __u64 *place)
{
	return &place[words_of(t) - 1];
}

/* ---- opening ---- */

size_t flow_bucket_size(int family)
{
	return family == FAMILY_IPV4 ? sizeof(struct ct4_bucket) : sizeof(struct ct6_bucket);
}

/* A load that changes the version may have put another kind of map there since the root was looked at. */
int flow_table_info(int fd, int family, uint32_t *buckets, const char *name, struct error *e)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_map_get_info_by_fd(fd, &info, &size))
		return error_set(e, EXIT_REFUSED, "map %s: cannot be looked at: %s", name,
				 strerror(errno));
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != flow_bucket_size(family))
		return error_set(e, EXIT_REFUSED, "map %s: is no table of flows of this version",
				 name);
	*buckets = info.max_entries;
	return 0;
}

int flow_table_open(struct flow_table *t, int fd, int family, uint64_t seed, const char *name,
		    struct error *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint32_t buckets;

	*t = (struct flow_table){ .family = family, .seed = seed };
	if (flow_table_info(fd, family, &buckets, name, e))
		return -1;
	t->buckets = buckets;
	t->length = (buckets * flow_bucket_size(family) + page - 1) / page * page;
	t->places = mmap(NULL, t->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (t->places != MAP_FAILED)
		return 0;
	t->places = NULL;
	return error_set(e, EXIT_REFUSED, "map %s: cannot be mapped into memory: %s", name,
			 strerror(errno));
}

void flow_table_close(struct flow_table *t)
{
	if (t->places)
		munmap(t->places, t->length);
	*t = (struct flow_table){ 0 };
}

/* ---- reading ---- */

/* The key as the table has it. */
static void key_words(const struct flow_table *t, const void *key, __u64 *words)
{
	int end = words_of(t) - 1;

	memcpy(words, key, (size_t)words_of(t) * sizeof(*words));
	words[end] = (words[end] & ~FLOW_KEY_USED(0xff)) | FLOW_KEY_USED(FLOW_USED);
}

/* All but `spill`, which is the table's. */
static void copy_flow(struct flow *to, const struct flow *from)
{
	to->first = from->first;
	to->first_code = from->first_code;
	to->rule = from->rule;
	memcpy(to->path, from->path, sizeof(to->path));
	to->born = from->born;
	memcpy(to->tcp_max_window, from->tcp_max_window, sizeof(to->tcp_max_window));
	memcpy(to->dir, from->dir, sizeof(to->dir));
}

static bool has_key(const struct flow_table *t, __u64 *place, const __u64 *words)
{
	int end = words_of(t) - 1;

	if (__atomic_load_n(&place[end], __ATOMIC_SEQ_CST) != words[end])
		return false;
	for (int i = 0; i < end; i++)
		if (__atomic_load_n(&place[i], __ATOMIC_RELAXED) != words[i])
			return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&place[end], __ATOMIC_RELAXED) == words[end];
}

/* Key and flow of a place that is in use, in one piece: the key is the same before and after. */
static bool copy_place(const struct flow_table *t, __u64 *place, __u64 *words, struct flow *flow)
{
	int end = words_of(t) - 1;

	for (int try = 0; try < READ_TRIES; try++) {
		words[end] = __atomic_load_n(&place[end], __ATOMIC_ACQUIRE);
		if (FLOW_KEY_STATE(words[end]) != FLOW_USED)
			return false;
		for (int i = 0; i < end; i++)
			words[i] = __atomic_load_n(&place[i], __ATOMIC_RELAXED);
		memset(flow, 0, sizeof(*flow));
		copy_flow(flow, flow_in(t, place));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (has_key(t, place, words))
			return true;
	}
	return false;
}

bool flow_table_next(const struct flow_table *t, size_t *place, void *key, struct flow *flow)
{
	__u64 words[KEY_WORDS_MAX];

	while (*place < (size_t)t->buckets * FLOW_PLACES)
		if (copy_place(t, place_at(t, (*place)++), words, flow)) {
			memcpy(key, words, (size_t)words_of(t) * sizeof(*words));
			return true;
		}
	return false;
}

/* ---- a flow's way ---- */

/* Where the k-th look at a table leads, in the order that programs keep, too. */
struct way {
	__u64 words[KEY_WORDS_MAX], hash;
	__u64 *home; /* the first place of the home bucket, whose flow has the spill bits */
};

static int way_length(const struct flow_table *t)
{
	return (int)flow_steps(t->buckets) * FLOW_PLACES;
}

static void way_of(const struct flow_table *t, const void *key, struct way *way)
{
	key_words(t, key, way->words);
	way->hash = flow_hash(way->words, words_of(t), t->seed);
	way->home = place_at(t, (size_t)flow_bucket(way->hash, 0, t->buckets) * FLOW_PLACES);
}

static __u64 *way_place(const struct flow_table *t, const struct way *way, int k)
{
	size_t bucket = flow_bucket(way->hash, (uint32_t)k / FLOW_PLACES, t->buckets);

	return place_at(t, bucket * FLOW_PLACES +
				   ((flow_place(way->hash) + (uint32_t)k) & (FLOW_PLACES - 1)));
}

/* The next place on the way from *k on that has the key, or NULL. */
static __u64 *way_find(const struct flow_table *t, const struct way *way, int *k)
{
	unsigned int spill = __atomic_load_n(&flow_in(t, way->home)->spill, __ATOMIC_SEQ_CST) | 1;

	for (; *k < way_length(t); (*k)++) {
		__u64 *place;

		if (!(spill >> *k / FLOW_PLACES & 1))
			continue;
		place = way_place(t, way, *k);
		if (has_key(t, place, way->words))
			return place;
	}
	return NULL;
}

bool flow_table_get(const struct flow_table *t, const void *key, struct flow *flow)
{
	__u64 words[KEY_WORDS_MAX];
	struct way way;
	__u64 *place;

	way_of(t, key, &way);
	for (int k = 0; (place = way_find(t, &way, &k)); k++)
		if (copy_place(t, place, words, flow) &&
		    !memcmp(words, way.words, (size_t)words_of(t) * sizeof(*words)))
			return true;
	return false;
}

/* ---- changing ---- */

static bool claim(const struct flow_table *t, __u64 *place, __u64 end)
{
	return __atomic_compare_exchange_n(key_end(t, place), &end, FLOW_KEY_USED(FLOW_CLAIMED),
					   false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void publish(const struct flow_table *t, __u64 *place, __u64 end)
{
	__atomic_store_n(key_end(t, place), end, __ATOMIC_SEQ_CST);
}

/* What is claimed nobody else changes: so it is the key's flow, or another that came in its place, and stays. */
static bool free_place(const struct flow_table *t, __u64 *place, const __u64 *words)
{
	int end = words_of(t) - 1;

	if (!claim(t, place, words[end]))
		return false;
	if (memcmp(place, words, (size_t)end * sizeof(*words))) {
		publish(t, place, words[end]);
		return false;
	}
	publish(t, place, 0);
	return true;
}

/* A place that is free, or whose flow has expired, and is claimed now. */
static bool take(const struct flow_table *t, __u64 *place, flow_expired_fn *expired, void *arg)
{
	__u64 words[KEY_WORDS_MAX], end = __atomic_load_n(key_end(t, place), __ATOMIC_ACQUIRE);
	struct flow flow;

	if (FLOW_KEY_STATE(end) == FLOW_FREE)
		return claim(t, place, end);
	if (!expired || !copy_place(t, place, words, &flow) || !expired(words, &flow, arg))
		return false;
	end = words[words_of(t) - 1];
	if (!claim(t, place, end))
		return false;
	/* Looked at again, now that it can be no other: a packet may have come. */
	copy_flow(&flow, flow_in(t, place));
	memcpy(words, place, (size_t)(words_of(t) - 1) * sizeof(*words));
	if (expired(words, &flow, arg))
		return true;
	publish(t, place, end);
	return false;
}

static void fill(const struct flow_table *t, const struct way *way, int k, __u64 *place,
		 const struct flow *flow)
{
	int end = words_of(t) - 1;

	copy_flow(flow_in(t, place), flow);
	memcpy(place, way->words, (size_t)end * sizeof(*way->words));
	if (k >= FLOW_PLACES)
		__atomic_fetch_or(&flow_in(t, way->home)->spill, (uint16_t)(1u << k / FLOW_PLACES),
				  __ATOMIC_SEQ_CST);
	publish(t, place, way->words[end]);
}

/* Of several with one key the first stays. Is that `mine`? If all are gone, somebody has removed it: it was in. */
static bool settle(const struct flow_table *t, const struct way *way, const __u64 *mine)
{
	__u64 *first = NULL, *place;

	for (int k = 0; (place = way_find(t, way, &k)); k++)
		if (!first)
			first = place;
		else
			free_place(t, place, way->words);
	return !first || first == mine;
}

enum flow_put flow_table_put(struct flow_table *t, const void *key, const struct flow *flow,
			     flow_expired_fn *expired, void *arg)
{
	struct way way;
	int at = 0;

	way_of(t, key, &way);
	if (way_find(t, &way, &at))
		return FLOW_PUT_THERE;
	for (int k = 0; k < way_length(t); k++) {
		__u64 *place = way_place(t, &way, k);

		if (!take(t, place, expired, arg))
			continue;
		fill(t, &way, k, place, flow);
		return settle(t, &way, place) ? FLOW_PUT : FLOW_PUT_THERE;
	}
	return FLOW_PUT_FULL;
}

static void later(__u32 *to, __u32 from)
{
	if ((__s32)(from - *to) > 0)
		*to = from;
}

static void catch_up_windows(struct flow *to, const struct flow *from, int end)
{
	later(&to->dir[end].tcp_end, from->dir[end].tcp_end);
	later(&to->dir[end].tcp_max_end, from->dir[end].tcp_max_end);
	later(&to->dir[end].tcp_max_ack, from->dir[end].tcp_max_ack);
	if (to->tcp_max_window[end] < from->tcp_max_window[end])
		to->tcp_max_window[end] = from->tcp_max_window[end];
}

static void catch_up_state(struct flow *to, const struct flow *from, int end)
{
	/* Halves only go on, and so do the states of what is in this table. */
	if (FLOW_TCP_HALF(to->path[end].tcp) < FLOW_TCP_HALF(from->path[end].tcp))
		to->path[end].tcp = from->path[end].tcp;
	to->path[end].flags |= from->path[end].flags & FLOW_CLOSING;
	if (!(from->path[end].flags & FLOW_LIBERAL))
		to->path[end].flags &= ~FLOW_LIBERAL;
}

static void catch_up_end(struct flow *to, const struct flow *from, int end, uint8_t protocol)
{
	if (protocol == FLOW_PROTOCOL_TCP)
		catch_up_windows(to, from, end);
	catch_up_state(to, from, end);
}

void flow_table_catch_up(struct flow_table *t, const void *key, const struct flow *from)
{
	struct way way;
	__u64 *place;
	int k = 0;

	way_of(t, key, &way);
	place = way_find(t, &way, &k);
	for (int end = 0; place && end < 2; end++)
		catch_up_end(flow_in(t, place), from, end, (uint8_t)(way.words[words_of(t) - 1] >> 32));
}

bool flow_table_remove(struct flow_table *t, const void *key)
{
	bool removed = false;
	struct way way;
	__u64 *place;

	way_of(t, key, &way);
	for (int k = 0; (place = way_find(t, &way, &k)); k++)
		removed |= free_place(t, place, way.words);
	return removed;
}

/* ---- what nobody asks for any more ---- */

/* A first look at what may be changing; what looks expired is claimed, and looked at again. */
static bool give_up(const struct flow_table *t, __u64 *place, const struct flow_sweep *sweep)
{
	__u64 end = __atomic_load_n(key_end(t, place), __ATOMIC_ACQUIRE);
	__u64 words[KEY_WORDS_MAX];
	const struct flow *flow = flow_in(t, place);
	uint8_t protocol = FLOW_KEY_PROTOCOL(end);

	if (FLOW_KEY_STATE(end) != FLOW_USED || !sweep->expired(protocol, flow, sweep->arg) ||
	    !claim(t, place, end))
		return false;
	if (!sweep->expired(protocol, flow, sweep->arg)) {
		publish(t, place, end);
		return false;
	}
	if (sweep->gone) {
		memcpy(words, place, (size_t)(words_of(t) - 1) * sizeof(*words));
		words[words_of(t) - 1] = end;
		sweep->gone(words, flow, sweep->arg);
	}
	publish(t, place, 0);
	return true;
}

size_t flow_table_sweep(struct flow_table *t, size_t *place, size_t n,
			const struct flow_sweep *sweep)
{
	size_t places = (size_t)t->buckets * FLOW_PLACES, given = 0;

	for (; n && *place < places; n--)
		given += give_up(t, place_at(t, (*place)++), sweep);
	return given;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tenant's conntrack tables: established flows in ct4/ct6 (include/flow_table.h), handshakes of TCP and SCTP in
 * half4/half6 (least recently used first out, so that a flood of SYN or INIT fills only that).
 */
#ifndef WEFT_BPF_FLOW_TABLE_H
#define WEFT_BPF_FLOW_TABLE_H

#include "include/flow_state.h"
#include "lib/count.h"
#include "lib/flow_event.h"
#include "lib/flow_key.h"
#include "lib/scratch.h"
#include "stages/sctp.h"
#include "stages/tcp.h"

#define ENOENT 2
#define E2BIG 7
#define EEXIST 17

/* What the kernel knows of a map that lies in another. */
struct bpf_map {
	__u32 max_entries;
} __attribute__((preserve_access_index));

/*
 * The packet's key, on the stack: until 6.2 or so the verifier takes no key or value from memory that a function
 * was handed. The IPv4 key is the first 16 of the 40 bytes.
 */
union flow_key {
	struct ct4_key v4;
	struct ct6_key v6;
};

static __always_inline union flow_key key_of(const struct pkt *p)
{
	return (union flow_key){ .v6 = p->key6 };
}

static __always_inline void *tenant_table(void *outer, const struct pkt *p)
{
	__u32 tenant = p->tenant;

	return bpf_map_lookup_elem(outer, &tenant);
}

/* ---- half-open TCP and SCTP ---- */

static __always_inline bool shakes_hands(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_SCTP;
}


static __always_inline void *half_table(const struct pkt *p)
{
	return p->family == FAMILY_IPV4 ? tenant_table(&half4, p) : tenant_table(&half6, p);
}

static __always_inline struct flow *half_find(const struct pkt *p)
{
	union flow_key key = key_of(p);
	void *table = half_table(p);

	return table ? bpf_map_lookup_elem(table, &key) : NULL;
}

/* ---- established: the shape of both families' tables; constants wherever it is used ---- */

struct shape {
	int words;		/* of a key */
	int size;		/* of a place */
	int flow;		/* where the flow is in it */
};

static __always_inline struct shape shape_of(bool ipv4)
{
	return ipv4 ? (struct shape){ CT4_KEY_WORDS, sizeof(struct ct4_place), offsetof(struct ct4_place, flow) } :
		      (struct shape){ CT6_KEY_WORDS, sizeof(struct ct6_place), offsetof(struct ct6_place, flow) };
}

static __always_inline void *ct_table(const struct pkt *p, bool ipv4)
{
	return ipv4 ? tenant_table(&ct4, p) : tenant_table(&ct6, p);
}

static __always_inline __u64 *place_at(void *bucket, struct shape shape, __u32 place)
{
	return bucket + (place & (FLOW_PLACES - 1)) * shape.size;
}

static __always_inline __u64 *key_end_of(__u64 *place, struct shape shape)
{
	return &place[shape.words - 1];
}

/* Its end before and after the rest: see include/flow_table.h. */
static __always_inline bool place_has(const volatile __u64 *place, const __u64 *key, struct shape shape)
{
	int end = shape.words - 1;

	if (place[end] != key[end])
		return false;
	weft_unroll
	for (int i = 0; i < end; i++)
		if (place[i] != key[i])
			return false;
	return place[end] == key[end];
}

static __always_inline __u32 spill_of(void *bucket, struct shape shape)
{
	return ((struct flow *)(bucket + shape.flow))->spill;
}

/* ---- a look at all places where a flow may be ---- */

/* Small, since it lies deep in the stack: the verifier of older kernels counts each call's share in steps of 32 bytes. */
struct search {
	void *table;
	struct pkt *p;
	__u32 buckets;
	__u32 spill;		/* of the home bucket */
	__s32 found;		/* bucket * FLOW_PLACES + place, or -1 */
	__u8 settle;		/* remove all but the first */
};

static __always_inline void search_bucket(struct search *s, __u32 bucket, struct shape shape)
{
	void *b = bpf_map_lookup_elem(s->table, &bucket);
	__u32 first = flow_place(s->p->place_hash);

	if (!b)
		return;
	for (__u32 i = 0; i < FLOW_PLACES; i++) {
		__u64 *place = place_at(b, shape, first + i);

		if (!place_has(place, s->p->key_words, shape))
			continue;
		if (s->found < 0)
			s->found = bucket * FLOW_PLACES + ((first + i) & (FLOW_PLACES - 1));
		else
			__sync_val_compare_and_swap(key_end_of(place, shape), s->p->key_words[shape.words - 1], 0);
		if (!s->settle)
			return;
	}
}

static __always_inline long search_spill(__u32 i, struct search *s, struct shape shape)
{
	if (i && !(s->spill >> i & 1))
		return 0;
	search_bucket(s, flow_bucket(s->p->place_hash, i, s->buckets), shape);
	return s->found >= 0 && !s->settle;
}

/* A function a family, since the verifier must know whose table it is in. */
static long search_spill4(__u32 i, struct search *s)
{
	return search_spill(i, s, shape_of(true));
}

static long search_spill6(__u32 i, struct search *s)
{
	return search_spill(i, s, shape_of(false));
}

static __always_inline int search_run(struct search *s, bool ipv4)
{
	__u32 home = flow_bucket(s->p->place_hash, 0, s->buckets);
	void *b = bpf_map_lookup_elem(s->table, &home);

	s->found = -1;
	if (!b)
		return -1;
	s->spill = spill_of(b, shape_of(ipv4));
	if (ipv4)
		bpf_loop(flow_steps(s->buckets), search_spill4, s, 0);
	else
		bpf_loop(flow_steps(s->buckets), search_spill6, s, 0);
	return s->found;
}

static __always_inline int locate(struct pkt *p, bool ipv4)
{
	struct bpf_map *table = ct_table(p, ipv4);
	struct search s = { .table = table, .p = p };

	if (!table)
		return -1;
	s.buckets = table->max_entries;
	return search_run(&s, ipv4);
}

/* Where the packet's flow is, or -1. Verified once for all that call it. */
__noinline int flow_locate(struct pkt *p)
{
	if (!p)
		return -1;
	return p->family == FAMILY_IPV4 ? locate(p, true) : locate(p, false);
}

static __always_inline struct flow *flow_at(void *table, int found, struct shape shape)
{
	__u32 bucket = (__u32)found / FLOW_PLACES;
	void *b = bpf_map_lookup_elem(table, &bucket);

	if (!b)
		return NULL;
	/* Else clang reckons with `b` before it is known not to be NULL. */
	asm volatile("" : "+r"(b));
	return (void *)place_at(b, shape, found) + shape.flow;
}

/* The packet's flow, wherever it is: the hash of its key is known. */
static __always_inline struct flow *flow_anywhere(struct pkt *p, bool ipv4)
{
	void *table = ct_table(p, ipv4);
	int found = flow_locate(p);

	return table && found >= 0 ? flow_at(table, found, shape_of(ipv4)) : NULL;
}

/* Mostly it is at home, and few buckets have ever spilt: the rest is a function's call away. */
static __always_inline struct flow *ct_find(struct pkt *p, const struct tenant *t, bool ipv4)
{
	struct bpf_map *table = ct_table(p, ipv4);
	struct shape shape = shape_of(ipv4);
	__u32 bucket, first;
	void *b;

	if (!table)
		return NULL;
	p->place_hash = flow_hash(p->key_words, shape.words, t->seed);
	bucket = flow_bucket(p->place_hash, 0, table->max_entries);
	b = bpf_map_lookup_elem(table, &bucket);
	if (!b)
		return NULL;
	first = flow_place(p->place_hash);
	for (__u32 i = 0; i < FLOW_PLACES; i++) {
		__u64 *place = place_at(b, shape, first + i);

		if (place_has(place, p->key_words, shape))
			return (void *)place + shape.flow;
	}
	return spill_of(b, shape) ? flow_anywhere(p, ipv4) : NULL;
}

/* The flow of the packet, or NULL. Sets PKT_HALF_OPEN where it is a handshake. */
static __always_inline struct flow *flow_find(struct pkt *p, const struct tenant *t)
{
	struct flow *f;

	p->flags &= ~PKT_HALF_OPEN;
	f = p->family == FAMILY_IPV4 ? ct_find(p, t, true) : ct_find(p, t, false);
	if (f || !shakes_hands(p->flow_protocol))
		return f;
	f = half_find(p);
	if (f)
		p->flags |= PKT_HALF_OPEN;
	return f;
}

/* ---- idle times ---- */

static __always_inline __u32 jiffies32(void)
{
	return bpf_jiffies64();
}

static __always_inline bool flow_has_expired(const struct flow *f, __u8 protocol, const struct tenant *t)
{
	__u32 now = jiffies32();
	__u32 idle0 = flow_idle_since(f->dir[0].last_seen, now), idle1 = flow_idle_since(f->dir[1].last_seen, now);

	return (idle0 < idle1 ? idle0 : idle1) > flow_idle_limit(f, protocol, t->timeout);
}

/* Verified once, since it has many outcomes. */
__noinline int flow_expired(const struct flow *f, __u8 protocol, const struct tenant *t)
{
	return !f || !t || flow_has_expired(f, protocol, t);
}

/* ---- a new flow ---- */

struct claim {
	struct search search;
	const struct tenant *tenant;
	const struct flow *flow;
	__u8 displace;		/* enum displaces */
	__u8 way;		/* enum gives_way, of whose place it was */
};

static __always_inline void set_spill(struct claim *c, __u32 i, struct shape shape)
{
	__u32 home = flow_bucket(c->search.p->place_hash, 0, c->search.buckets);
	void *b = bpf_map_lookup_elem(c->search.table, &home);

	if (b)
		__sync_fetch_and_or(&((struct flow *)(b + shape.flow))->spill_word, 1U << i);
}

/* All but `spill`, which is the table's. */
static __always_inline void place_fill(struct flow *to, const struct flow *from)
{
	to->first = from->first;
	to->first_code = from->first_code;
	to->rule = from->rule;
	__builtin_memcpy(to->path, from->path, sizeof(to->path));
	to->born = from->born;
	__builtin_memcpy(to->tcp_max_window, from->tcp_max_window, sizeof(to->tcp_max_window));
	__builtin_memcpy(to->dir, from->dir, sizeof(to->dir));
}

/*
 * May a new flow have this one's place? In the first round if it has expired. When the table is full, then also if nobody
 * has replied to it: a flood of one-way packets, which costs its sender nothing, keeps nobody out; and at last if it was
 * answered, but is not assured: neither does a flood that somebody answers. Who is pushed out and goes on begins a new flow;
 * what is assured is never pushed out. (TCP and SCTP are not in this table before their handshake is done.)
 */
enum gives_way { STAYS = 0, HAS_EXPIRED, IS_DISPLACED };
enum displaces { DISPLACES_NONE = 0, DISPLACES_UNREPLIED, DISPLACES_UNASSURED, DISPLACE_ROUNDS };

__noinline int flow_gives_way(const struct flow *f, __u8 protocol, const struct tenant *t, __u8 displace)
{
	if (!f || !t)
		return STAYS;
	if (flow_has_expired(f, protocol, t))
		return HAS_EXPIRED;
	if (displace == DISPLACES_NONE || flow_is_assured(f, protocol))
		return STAYS;
	return displace == DISPLACES_UNASSURED || !flow_replied(f) ? IS_DISPLACED : STAYS;
}

/* `word`: the end of its key as it was when it was looked at. */
static __always_inline bool place_claim(struct claim *c, __u64 *place, __u64 word, struct shape shape)
{
	if (FLOW_KEY_STATE(word) == FLOW_CLAIMED)
		return false;
	c->way = STAYS;
	if (FLOW_KEY_STATE(word) == FLOW_USED)
		c->way = flow_gives_way((void *)place + shape.flow, word >> 32, c->tenant, c->displace);
	if (FLOW_KEY_STATE(word) == FLOW_USED && !c->way)
		return false;
	return __sync_val_compare_and_swap(key_end_of(place, shape), word, FLOW_KEY_USED(FLOW_CLAIMED)) == word;
}

/* A place is given up by who has just taken its key's end. `gone`: enum flow_gone. */
static __always_inline void tell_place(__u64 *place, __u64 end, __u32 tenant, __u32 gone, struct shape shape)
{
	if (shape.words == CT4_KEY_WORDS)
		flow_tell_place4((const void *)place, end, tenant, gone);
	else
		flow_tell_place6((const void *)place, end, tenant, gone);
}

static __always_inline long claim_bucket(struct claim *c, __u32 i, struct shape shape)
{
	const struct pkt *p = c->search.p;
	__u32 bucket, first = flow_place(p->place_hash), steps = flow_steps(c->search.buckets);
	void *b;

	c->displace = i / steps;
	i %= steps;
	bucket = flow_bucket(p->place_hash, i, c->search.buckets);
	b = bpf_map_lookup_elem(c->search.table, &bucket);
	if (!b)
		return 1;
	for (__u32 k = 0; k < FLOW_PLACES; k++) {
		__u64 *place = place_at(b, shape, first + k), end;

		end = *(volatile __u64 *)key_end_of(place, shape);
		if (!place_claim(c, place, end, shape))
			continue;
		if (c->way)
			tell_place(place, end, p->tenant, c->way == HAS_EXPIRED ? FLOW_EXPIRED : FLOW_DISPLACED, shape);
		place_fill((void *)place + shape.flow, c->flow);
		for (int w = 0; w < shape.words - 1; w++)
			place[w] = p->key_words[w];
		if (i)
			set_spill(c, i, shape);
		/* Last, and atomically, so that nothing before is seen after it. */
		__sync_lock_test_and_set(key_end_of(place, shape), p->key_words[shape.words - 1]);
		c->search.found = bucket * FLOW_PLACES + ((first + k) & (FLOW_PLACES - 1));
		return 1;
	}
	return 0;
}

static long claim_bucket4(__u32 i, struct claim *c)
{
	return claim_bucket(c, i, shape_of(true));
}

static long claim_bucket6(__u32 i, struct claim *c)
{
	return claim_bucket(c, i, shape_of(false));
}

static __always_inline int claim_run(struct claim *c, bool ipv4)
{
	struct bpf_map *table = ct_table(c->search.p, ipv4);
	__s32 mine;

	if (!table)
		return -ENOENT;
	c->search.table = table;
	c->search.buckets = table->max_entries;
	c->search.found = -1;
	if (ipv4)
		bpf_loop(DISPLACE_ROUNDS * flow_steps(c->search.buckets), claim_bucket4, c, 0);
	else
		bpf_loop(DISPLACE_ROUNDS * flow_steps(c->search.buckets), claim_bucket6, c, 0);
	mine = c->search.found;
	if (mine < 0)
		return -E2BIG;
	c->search.settle = 1;
	return search_run(&c->search, ipv4) == mine ? 0 : -EEXIST;
}

/*
 * Puts the flow that lies in scratch into the tenant's table, under the packet's key, whose hash flow_find() has left;
 * into the first place that it may have. 0, -ENOENT (no table), -EEXIST or -E2BIG. Verified once
 * for all that call it.
 */
__noinline int flow_insert(struct pkt *p)
{
	struct scratch *room = scratch_here();
	struct tenant_traffic *stats;
	struct claim c = {};
	int error;

	if (!p || !room)
		return -ENOENT;
	c.search.p = p;
	c.flow = &room->flow;
	c.tenant = tenant_at(p->tenant);
	if (!c.tenant)
		return -ENOENT;
	error = p->family == FAMILY_IPV4 ? claim_run(&c, true) : claim_run(&c, false);
	stats = c.way && error != -E2BIG ? tenant_counters(p->tenant) : NULL;
	if (stats && c.way == HAS_EXPIRED)
		stats->reclaimed++;
	else if (stats)
		stats->displaced++;
	return error;
}

static __always_inline void ct_remove(struct pkt *p, __u32 gone, bool ipv4)
{
	struct shape shape = shape_of(ipv4);
	void *table = ct_table(p, ipv4), *b;
	int found = flow_locate(p);
	__u32 bucket;
	__u64 *place, end = p->key_words[shape.words - 1];

	if (found < 0 || !table)
		return;
	bucket = (__u32)found / FLOW_PLACES;
	b = bpf_map_lookup_elem(table, &bucket);
	if (!b)
		return;
	place = place_at(b, shape, found);
	if (place_has(place, p->key_words, shape) && __sync_val_compare_and_swap(key_end_of(place, shape), end, 0) == end &&
	    gone)
		tell_place(place, end, p->tenant, gone, shape);
}

/* `gone`: enum flow_gone. Not inlined: see resolve(). */
static __noinline void flow_remove(struct pkt *p, __u32 gone)
{
	struct flow *f;
	union flow_key key;
	void *table;

	if (!(p->flags & PKT_HALF_OPEN)) {
		if (p->family == FAMILY_IPV4)
			ct_remove(p, gone, true);
		else
			ct_remove(p, gone, false);
		return;
	}
	key = key_of(p);
	table = half_table(p);
	if (table) {
		f = gone ? bpf_map_lookup_elem(table, &key) : NULL;
		if (f)
			flow_tell(p, f, FLOW_EVENT_DESTROYED, gone);
		bpf_map_delete_elem(table, &key);
	}
	p->flags &= ~PKT_HALF_OPEN;
}

#endif

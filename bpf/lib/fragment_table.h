/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tenant's table of datagrams in fragments: sets of a few places each. A new datagram takes a free place of its set,
 * else that of one that is over or done, else the oldest's of those that wait, be it for their first fragment or for long,
 * else, if it has its own first, that of the oldest: a flood pushes out fragments of its own tenant, and what it has pushed
 * out is dropped. TC alone.
 */
#ifndef WEFT_BPF_FRAGMENT_TABLE_H
#define WEFT_BPF_FRAGMENT_TABLE_H

#include "lib/flow_key.h"

#define LOCK_TRIES 200	/* each some ten nanoseconds; a holder needs some hundred */

static __always_inline struct fragment_set *fragment_set_of(const struct pkt *p)
{
	__u32 tenant = p->tenant, at = 0;
	void *table = bpf_map_lookup_elem(&fragments, &tenant);
	struct fragment_set *first;
	__u64 words;

	first = table ? bpf_map_lookup_elem(table, &at) : NULL;
	if (!first || !first->sets)
		return NULL;
	words = p->source.halves[0] ^ p->source.halves[1] * 0x9e3779b97f4a7c15ULL ^
		(p->destination.halves[0] ^ p->destination.halves[1] * 0xc2b2ae3d27d4eb4fULL) * 0x165667b19e3779f9ULL;
	words = flow_mix(words) ^ (__u64)p->fragment_id << 32;
	at = flow_mix(words * 0x9e3779b97f4a7c15ULL ^ p->from) % first->sets;
	return bpf_map_lookup_elem(table, &at);
}

/* Bounded: who does not get it drops its packet. */
static __always_inline bool set_lock(struct fragment_set *set)
{
	for (int i = 0; i < LOCK_TRIES; i++)
		if (!__sync_lock_test_and_set(&set->lock, 1))
			return true;
	return false;
}

static __always_inline void set_unlock(struct fragment_set *set)
{
	/* An exchange, since it is a barrier too. */
	__sync_lock_test_and_set(&set->lock, 0);
}

static __always_inline bool is_datagram(const struct fragment_entry *e, const struct pkt *p, __u32 pass)
{
	return e->state != FRAGMENT_FREE && e->id == p->fragment_id && e->from == p->from && e->zone == p->zone &&
	       e->family == p->family && e->pass == pass &&
	       e->protocol == (p->family == FAMILY_IPV4 ? p->protocol : 0) &&
	       addr6_equal(&p->source, e->source.bytes) && addr6_equal(&p->destination, e->destination.bytes);
}

/* What time it is, and how long datagrams are known, in jiffies: from their first fragment on, whichever that was. */
struct fragment_clock {
	__u32 now, hz;
	const struct tenant *tenant;
};

static __always_inline __u32 fragment_lives(const struct fragment_entry *e, const struct fragment_clock *c)
{
	if (e->state == FRAGMENT_COMPLETE)
		return FRAGMENT_SECONDS_COMPLETE * c->hz;
	return c->tenant->timeout[e->family == FAMILY_IPV4 ? CT_FRAGMENT : CT_FRAGMENT_IPV6];
}

static __always_inline bool fragment_over(const struct fragment_entry *e, const struct fragment_clock *c)
{
	return c->now - e->since > fragment_lives(e, c);
}

#define WORTH_WAITS 2
#define WORTH_JUDGED 3
#define IN_FLIGHT(hz) ((hz) / 20)	/* jiffies that the fragments of one datagram are apart, if none is lost */

/* Has nothing of it passed, so that what is not its first has to wait? */
static __always_inline bool fragment_waits(const struct fragment_entry *e)
{
	return e->state == FRAGMENT_WAITING || e->state == FRAGMENT_COMING;
}

/* The lowest goes first: by what it is, then by age. */
static __always_inline __u64 fragment_worth(const struct fragment_entry *e, const struct fragment_clock *c)
{
	__u64 kind = e->state == FRAGMENT_COMPLETE ? 1 : WORTH_WAITS;

	if (e->state == FRAGMENT_FREE || fragment_over(e, c))
		return 0;
	if ((e->state == FRAGMENT_JUDGED || e->state == FRAGMENT_COMING) && c->now - e->since <= IN_FLIGHT(c->hz))
		kind = WORTH_JUDGED;
	return kind << 32 | (__u32)(~0U - (c->now - e->since));
}

static __always_inline void fragment_begin(struct fragment_entry *e, const struct pkt *p, __u32 pass, __u32 now)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->source = p->source;
	e->destination = p->destination;
	e->id = p->fragment_id;
	e->from = p->from;
	e->zone = p->zone;
	e->family = p->family;
	e->protocol = p->family == FAMILY_IPV4 ? p->protocol : 0;
	e->pass = pass;
	e->state = FRAGMENT_WAITING;
	e->stamp = bpf_get_prandom_u32();
	e->since = now;
}

/* The datagram of the fragment in its locked set; a new one if it is not there; NULL if there is no place for that. */
static __always_inline struct fragment_entry *fragment_find(struct fragment_set *set, const struct pkt *p, __u32 pass,
							    const struct fragment_clock *c, bool *evicted)
{
	struct fragment_entry *e, *worst = &set->way[0];
	__u64 least = ~0ULL;

	for (int i = 0; i < FRAGMENT_WAYS; i++) {
		__u64 worth;

		e = &set->way[i];
		if (is_datagram(e, p, pass)) {
			if (!fragment_over(e, c))
				return e;
			worst = e;
			least = 0;
			break;
		}
		worth = fragment_worth(e, c);
		if (worth < least) {
			least = worth;
			worst = e;
		}
	}
	if (least >> 32 == WORTH_JUDGED && p->fragment == FRAGMENT_LATER)
		return NULL;
	*evicted = least >> 32 >= WORTH_WAITS;
	fragment_begin(worst, p, pass, c->now);
	return worst;
}

/* ---- what has come of it ---- */

/* As Linux does: bytes that are all there already are dropped alone; an overlap is the datagram's end (RFC 5722). */
static __always_inline enum drop_reason range_add(struct fragment_entry *e, __u32 first, __u32 end)
{
	struct fragment_range *before = NULL, *behind = NULL, *unused = NULL;

	for (int i = 0; i < FRAGMENT_RANGES; i++) {
		struct fragment_range *r = &e->range[i];

		if (r->first == r->end) {
			unused = r;
			continue;
		}
		if (first >= r->first && end <= r->end)
			return DROP_FRAGMENT_DUPLICATE;
		if (first < r->end && end > r->first)
			return DROP_FRAGMENT_OVERLAP;
		if (r->end == first)
			before = r;
		if (r->first == end)
			behind = r;
	}
	if (before && behind) {
		before->end = behind->end;
		behind->first = behind->end = 0;
	} else if (before) {
		before->end = end;
	} else if (behind) {
		behind->first = first;
	} else if (unused) {
		unused->first = first;
		unused->end = end;
	} else {
		return DROP_FRAGMENT_SCATTERED;
	}
	return DROP_NONE;
}

static __always_inline bool range_beyond(const struct fragment_entry *e, __u32 end)
{
	for (int i = 0; i < FRAGMENT_RANGES; i++)
		if (e->range[i].end > end)
			return true;
	return false;
}

/* Does the fragment fit what has come before? */
__noinline int fragment_add(struct fragment_entry *e, const struct pkt *p)
{
	enum drop_reason reason;
	bool last;

	if (!e || !p)
		return DROP_INTERNAL;
	last = !p->fragment_more;
	if (e->end && (p->fragment_end > e->end || (last && p->fragment_end != e->end)))
		return DROP_FRAGMENT_BAD;
	if (last && range_beyond(e, p->fragment_end))
		return DROP_FRAGMENT_BAD;
	reason = range_add(e, p->fragment_first, p->fragment_end);
	if (!reason && last)
		e->end = p->fragment_end;
	return reason;
}

/* One piece, from the beginning to the end. */
static __always_inline bool fragment_is_whole(const struct fragment_entry *e)
{
	if (!e->end)
		return false;
	for (int i = 0; i < FRAGMENT_RANGES; i++)
		if (e->range[i].first != e->range[i].end && !e->range[i].first && e->range[i].end == e->end)
			return true;
	return false;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * early: a fragment that comes before the first of its datagram is kept, as bytes, and let go when that comes. All of
 * them, the first in front, then come in again at the device where the first came in, and are judged as if they had just
 * arrived: nothing is remembered of a frame but its bytes, and it is believed no more than at its first coming. TC alone.
 * reads:  struct pkt, the packet
 * writes: early, the bit of the place in the datagram's entry; frames into the device's own way in
 * maps:   early fragments
 * drops:  fragment_early fragment_table
 */
#ifndef WEFT_STAGE_EARLY_H
#define WEFT_STAGE_EARLY_H

#include "lib/count.h"
#include "lib/fragment_table.h"
#include "lib/ops.h"
#include "lib/scratch.h"

#if !WEFT_XDP

#define FRAME_MIN ETH_HLEN
#define PLACE_FREE 0x100
#define EARLY_PLACES ((1 << EARLY_FRAMES) - 1)

/* Once more through this hook, after this program has ended. */
static __always_inline enum verdict come_again(ctx_t *ctx, struct pkt *p)
{
	ctx->mark = 0;
	return bpf_clone_redirect(ctx, p->ifindex, BPF_F_INGRESS) ? drop(p, DROP_FRAGMENT_EARLY) : V_HELD;
}

/* ---- in ---- */

/* Which of these places has the frame that came first; a free one before all. Verified once, since it has many outcomes. */
__noinline int early_first(__u32 tenant, __u32 places)
{
	struct early_key key = { .tenant = tenant };
	const struct early_frame *there;
	__u64 least = ~0ULL, time;
	__u32 first = 0;

	for (__u32 i = 0; i < EARLY_FRAMES; i++) {
		if (!(places & 1 << i))
			continue;
		key.place = i;
		there = bpf_map_lookup_elem(&early, &key);
		time = there ? there->time : 0;
		if (time >= least)
			continue;
		least = time;
		first = i;
	}
	return least ? first : first | PLACE_FREE;
}

#define PLACE_TRIES 4	/* other CPUs look for one too */

/* Into a place of the tenant's: a free one, else the oldest's, whose frame is lost. */
static __always_inline bool early_put(const struct early_frame *frame, struct early_key *key)
{
	__u32 places = EARLY_PLACES, place;

	for (int i = 0; i < PLACE_TRIES; i++) {
		place = early_first(key->tenant, places);
		key->place = place & (EARLY_FRAMES - 1);
		if (!(place & PLACE_FREE))
			break;
		if (!bpf_map_update_elem(&early, key, frame, BPF_NOEXIST))
			return true;
		places &= ~(1 << key->place);
	}
	key->place = early_first(key->tenant, EARLY_PLACES) & (EARLY_FRAMES - 1);
	if (!bpf_map_delete_elem(&early, key))
		count_drop(DROP_FRAGMENT_EARLY);
	return !bpf_map_update_elem(&early, key, frame, BPF_NOEXIST);
}

static __always_inline bool early_store(ctx_t *ctx, __u32 stamp, struct early_key *key)
{
	struct scratch *scratch = scratch_here();
	struct early_frame *room;
	__u32 len = ctx->len;

	if (!scratch || len < FRAME_MIN || len > EARLY_BYTES)
		return false;
	room = &scratch->early;
	asm volatile("" : "+r"(len));
	if (len < FRAME_MIN || len > EARLY_BYTES || bpf_skb_load_bytes(ctx, 0, room->bytes, len))
		return false;
	room->stamp = stamp;
	room->nonce = bpf_get_prandom_u32();
	room->time = bpf_ktime_get_ns();
	room->len = len;
	return early_put(room, key);
}

/* Notes the place, unless the first fragment has passed meanwhile on another CPU. */
static __always_inline bool early_note(const struct pkt *p, __u32 pass, __u32 stamp, __u32 place)
{
	struct fragment_set *set = fragment_set_of(p);
	bool noted = false;

	if (!set || !set_lock(set))
		return false;
	for (int i = 0; i < FRAGMENT_WAYS; i++) {
		struct fragment_entry *e = &set->way[i];

		if (!is_datagram(e, p, pass) || e->stamp != stamp || !fragment_waits(e))
			continue;
		e->early |= 1 << (place & (EARLY_FRAMES - 1));
		noted = true;
	}
	set_unlock(set);
	return noted;
}

__noinline int early_hold(ctx_t *ctx, struct pkt *p, __u32 pass, __u32 stamp)
{
	struct early_key key = {};

	if (!p)
		return V_DROP;
	key.tenant = p->tenant;
	if (!early_store(ctx, stamp, &key))
		return drop(p, DROP_FRAGMENT_EARLY);
	if (early_note(p, pass, stamp, key.place))
		return V_HELD;
	bpf_map_delete_elem(&early, &key);
	return come_again(ctx, p);
}

/* ---- out ---- */

/*
 * The element's memory may become another frame's at any moment: what is in the table under our stamp and nonce
 * before the copy and after it, was so meanwhile.
 */
static __always_inline bool early_take(struct early_frame *room, const struct early_key *at_key, __u32 stamp)
{
	struct early_key key = *at_key;
	const struct early_frame *there = bpf_map_lookup_elem(&early, &key);

	if (!there || there->stamp != stamp ||
	    bpf_probe_read_kernel(room, sizeof(*room), there) || room->stamp != stamp)
		return false;
	there = bpf_map_lookup_elem(&early, &key);
	if (!there || there->stamp != stamp || there->nonce != room->nonce)
		return false;
	return !bpf_map_delete_elem(&early, &key);
}

/* The frame, which has gone on its way as a copy, becomes the one that waited. */
__noinline int early_turn(ctx_t *ctx, struct pkt *p, __u32 stamp, __u32 place)
{
	struct early_key key = { .place = place };
	struct scratch *scratch = scratch_here();
	struct early_frame *room;
	__u32 len;

	if (!p || !scratch)
		return V_DROP;
	room = &scratch->early;
	key.tenant = p->tenant;
	if (!early_take(room, &key, stamp))
		return V_HELD;
	len = room->len;
	asm volatile("" : "+r"(len));
	if (len < FRAME_MIN || len > EARLY_BYTES || op_resize(ctx, len) ||
	    bpf_skb_store_bytes(ctx, 0, room->bytes, len, BPF_F_RECOMPUTE_CSUM))
		return drop(p, DROP_FRAGMENT_EARLY);
	return come_again(ctx, p);
}

/* In the order in which they came: what of pieces that overlap is dropped may depend on it. */
static __always_inline enum verdict early_release(ctx_t *ctx, struct pkt *p, __u32 stamp, __u32 waiting)
{
	enum verdict v = come_again(ctx, p);
	__u32 place;

	for (__u32 i = 0; i < EARLY_FRAMES && v == V_HELD; i++) {
		if (!(waiting & EARLY_PLACES))
			break;
		place = early_first(p->tenant, waiting) & (EARLY_FRAMES - 1);
		waiting &= ~(1 << place);
		if (early_turn(ctx, p, stamp, place) == V_DROP)
			count_drop(DROP_FRAGMENT_EARLY);
	}
	return v;
}

#endif

#endif

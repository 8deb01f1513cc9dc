/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * No hook of its own: what stands in the hooks' places while `weft load` changes the layout of flows under traffic. It
 * hands each packet to the old build's program, and from the moment that the loader turns `turned` to the new one's, on
 * all devices at once. From then on a flow that only the old tables know is taken over when a packet of it comes; the
 * loader carries the idle ones over meanwhile, and then puts the new programs in the places.
 */
#include "lib/weft.h"
#include "lib/flow_key.h"
#include "lib/scratch.h"
#include "stages/parse.h"
#include "stages/tunnel.h"
#include "include/flow_versions.h"

/* Which way: from version 1 to 2, or back. */
const volatile bool backward = false;

/* The new build's tables, and the old one's; the loader puts in those that there are. */
TENANT_TABLE(near_ct4, BPF_MAP_TYPE_HASH, struct ct4_key, struct flow, BPF_F_NO_PREALLOC);
TENANT_TABLE(near_ct6, BPF_MAP_TYPE_HASH, struct ct6_key, struct flow, BPF_F_NO_PREALLOC);
TENANT_TABLE(near_half4, BPF_MAP_TYPE_LRU_HASH, struct ct4_key, struct flow, 0);
TENANT_TABLE(near_half6, BPF_MAP_TYPE_LRU_HASH, struct ct6_key, struct flow, 0);
TENANT_QUEUE(near_recent4, struct ct4_key);
TENANT_QUEUE(near_recent6, struct ct6_key);
TENANT_TABLE(far_ct4, BPF_MAP_TYPE_HASH, struct ct4_key, struct flow, BPF_F_NO_PREALLOC);
TENANT_TABLE(far_ct6, BPF_MAP_TYPE_HASH, struct ct6_key, struct flow, BPF_F_NO_PREALLOC);
TENANT_TABLE(far_half4, BPF_MAP_TYPE_LRU_HASH, struct ct4_key, struct flow, 0);
TENANT_TABLE(far_half6, BPF_MAP_TYPE_LRU_HASH, struct ct6_key, struct flow, 0);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} turned SEC(".maps");

/* The old build's programs, then the new one's. */
enum place { PLACE_PORT, PLACE_UNDERLAY, PLACE_SF, PLACES };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2 * PLACES);
	__type(key, __u32);
	__type(value, __u32);
} sides SEC(".maps");

/* So that this object's BTF knows them, and the test of layouts compares them. */
const struct flow_1 *show_flow_1 __attribute__((unused));
const struct flow_2 *show_flow_2 __attribute__((unused));

/* The tables are declared with, and flows are put together in, a struct flow: whatever its layout. */
_Static_assert(sizeof(struct flow_1) == sizeof(struct flow) && sizeof(struct flow_2) == sizeof(struct flow),
	       "flows of all versions have one size");

union flow_key {
	struct ct4_key v4;
	struct ct6_key v6;
};

struct tables {
	void *ct, *half, *recent;
};

static __always_inline void *table_of(void *outer, const struct pkt *p)
{
	__u32 tenant = p->tenant;

	return bpf_map_lookup_elem(outer, &tenant);
}

static __always_inline void near_tables(const struct pkt *p, struct tables *t)
{
	if (p->family == FAMILY_IPV4) {
		t->ct = table_of(&near_ct4, p);
		t->half = table_of(&near_half4, p);
		t->recent = table_of(&near_recent4, p);
	} else {
		t->ct = table_of(&near_ct6, p);
		t->half = table_of(&near_half6, p);
		t->recent = table_of(&near_recent6, p);
	}
}

static __always_inline void far_tables(const struct pkt *p, struct tables *t)
{
	t->ct = p->family == FAMILY_IPV4 ? table_of(&far_ct4, p) : table_of(&far_ct6, p);
	t->half = p->family == FAMILY_IPV4 ? table_of(&far_half4, p) : table_of(&far_half6, p);
}

/* In the queue a key of version 2 has its flow's stamp, one of version 1 nothing. */
static __always_inline void queue(void *recent, union flow_key key, bool ipv4, __u8 stamp)
{
	if (ipv4)
		key.v4.pad = stamp;
	else
		key.v6.pad = stamp;
	bpf_map_push_elem(recent, &key, BPF_EXIST);
}

/* If only the old tables know the packet's flow, the new ones get it. Verified once for all hooks. */
__noinline int take_over(struct pkt *p)
{
	struct scratch *room = scratch_here();
	struct tables near, far;
	union flow_key key;
	bool half = false;
	void *old;
	__u8 stamp;

	if (!p || !room)
		return 0;
	flow_key(p);
	key.v6 = p->key6;
	near_tables(p, &near);
	far_tables(p, &far);
	if (!near.ct || !near.half || !near.recent || !far.ct || !far.half)
		return 0;
	if (bpf_map_lookup_elem(near.ct, &key) || bpf_map_lookup_elem(near.half, &key))
		return 0;
	old = bpf_map_lookup_elem(far.ct, &key);
	if (!old) {
		old = bpf_map_lookup_elem(far.half, &key);
		half = true;
	}
	if (!old)
		return 0;
	stamp = backward ? 0 : bpf_get_prandom_u32();
	if (backward)
		flow_2_to_1(old, (struct flow_1 *)&room->flow);
	else
		flow_1_to_2(old, (struct flow_2 *)&room->flow, stamp);
	if (half)
		bpf_map_update_elem(near.half, &key, &room->flow, BPF_NOEXIST);
	else if (!bpf_map_update_elem(near.ct, &key, &room->flow, BPF_NOEXIST))
		queue(near.recent, key, p->family == FAMILY_IPV4, stamp);
	return 0;
}

static __always_inline bool whose(struct pkt *p, const struct port *port)
{
	if (!port)
		return false;
	p->tenant = port->tenant;
	p->zone = port->network;
	return true;
}

/* Which tenant and network the frame is of; the program after this one finds out for itself, and judges. */
static __always_inline bool at_port(ctx_t *ctx, struct pkt *p)
{
	if (parse(ctx, p, 0))
		return false;
	return whose(p, port_bound_to(p->ifindex, p->tags ? p->tci & VID_MASK : 0, &p->port));
}

static __always_inline bool at_underlay(ctx_t *ctx, struct pkt *p)
{
	return !tunnel(ctx, p) && !parse(ctx, p, OUTER_LEN);
}

static __always_inline bool at_sf(ctx_t *ctx, struct pkt *p)
{
	struct sf_key key = {};
	const struct sf_return *found;

	if (parse(ctx, p, 0))
		return false;
	key.ifindex = p->ifindex;
	key.tci = p->tci;
	__builtin_memcpy(key.mac, p->tci >> PCP_SHIFT == PCP_LEAVING ? p->source_mac : p->destination_mac, ETH_ALEN);
	found = bpf_map_lookup_elem(&sf, &key);
	return found && whose(p, port_at(found->port));
}

static __always_inline bool has_turned(void)
{
	__u32 zero = 0, *value = bpf_map_lookup_elem(&turned, &zero);

	return value && *value;
}

#define HANDOVER(name, place)                                                       \
	HOOK(name)                                                                  \
	{                                                                           \
		__u32 next = place;                                                 \
		struct pkt *p;                                                      \
                                                                                    \
		if (has_turned()) {                                                 \
			next += PLACES;                                             \
			p = pkt_new();                                              \
			if (p) {                                                    \
				p->ifindex = ctx_ifindex(ctx);                      \
				if (at_##name(ctx, p) && p->family &&               \
				    !(p->flags & PKT_MULTICAST))                    \
					take_over(p);                               \
			}                                                           \
		}                                                                   \
		bpf_tail_call(ctx, &sides, next);                                   \
		return verdict_to_action(V_DROP, NULL);                             \
	}

HANDOVER(port, PLACE_PORT)
HANDOVER(underlay, PLACE_UNDERLAY)
HANDOVER(sf, PLACE_SF)

char _license[] SEC("license") = "Dual BSD/GPL";

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * No hook of its own: what stands in the hooks' places while `weft load` changes the layout of flows under traffic. It
 * hands each packet to the old build's program, and from the moment that the loader turns `turned` to the new one's, on
 * all devices at once. From then on a flow that only the old tables know is taken over when a packet of it comes; the
 * loader carries the idle ones over meanwhile, and then puts the new programs in the places.
 *
 * Tables stand here by their version: those of version 2 have its number, those of version 4, the present one, have the
 * names that all programs know. The loader puts in what is the old build's or the new one's.
 */
#include "lib/weft.h"
#include "lib/flow_key.h"
#include "lib/flow_table.h"
#include "lib/scratch.h"
#include "stages/parse.h"
#include "stages/tunnel.h"
#include "include/flow_versions.h"

/* Which way: from version 2 to 4, or back. */
const volatile bool backward = false;

TENANT_TABLE(ct4_2, BPF_MAP_TYPE_HASH, struct ct4_key, struct flow_2, BPF_F_NO_PREALLOC);
TENANT_TABLE(ct6_2, BPF_MAP_TYPE_HASH, struct ct6_key, struct flow_2, BPF_F_NO_PREALLOC);
TENANT_TABLE(half4_2, BPF_MAP_TYPE_LRU_HASH, struct ct4_key, struct flow_2, 0);
TENANT_TABLE(half6_2, BPF_MAP_TYPE_LRU_HASH, struct ct6_key, struct flow_2, 0);

/* A queue has no key: the ring in which programs of version 2 look for expired flows when a table is full. */
#define TENANT_QUEUE(name, inner_value)                                             \
	struct name##_inner {                                                       \
		__uint(type, BPF_MAP_TYPE_QUEUE);                                   \
		__uint(max_entries, 64);                                            \
		__uint(value_size, sizeof(inner_value));                            \
	};                                                                          \
	struct {                                                                    \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                           \
		__uint(max_entries, WEFT_TENANTS_MAX);                              \
		__type(key, __u32);                                                 \
		__array(values, struct name##_inner);                               \
	} name SEC(".maps")

TENANT_QUEUE(recent4_2, struct ct4_key);
TENANT_QUEUE(recent6_2, struct ct6_key);

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

/* Room for a flow of version 2 on its way into a table; for one of version 4, struct scratch has it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_2);
} room_2 SEC(".maps");

/* So that this object's BTF knows them, and the test of layouts compares them. */
const struct flow_2 *show_flow_2 __attribute__((unused));
const struct tenant_2 *show_tenant_2 __attribute__((unused));
const struct flow_4 *show_flow_4 __attribute__((unused));

_Static_assert(sizeof(struct flow_4) == sizeof(struct flow), "the present version is 4");

/* ---- tables of version 2 ---- */

struct tables_2 {
	void *ct, *half, *recent;
};

static __always_inline void tables_2(const struct pkt *p, struct tables_2 *t)
{
	if (p->family == FAMILY_IPV4) {
		t->ct = tenant_table(&ct4_2, p);
		t->half = tenant_table(&half4_2, p);
	} else {
		t->ct = tenant_table(&ct6_2, p);
		t->half = tenant_table(&half6_2, p);
	}
}

static __always_inline union flow_key key_2(const struct pkt *p)
{
	union flow_key key = key_of(p);

	if (p->family == FAMILY_IPV4)
		key.v4.used = FLOW_FREE;
	else
		key.v6.used = FLOW_FREE;
	return key;
}

/* The packet's flow, or NULL; *half: where from. */
static __always_inline struct flow_2 *find_2(const struct pkt *p, bool *half)
{
	union flow_key key = key_2(p);
	struct flow_2 *found;
	struct tables_2 t;

	tables_2(p, &t);
	found = t.ct ? bpf_map_lookup_elem(t.ct, &key) : NULL;
	*half = !found;
	return found || !t.half ? found : bpf_map_lookup_elem(t.half, &key);
}

/* In the queue a key has its flow's stamp. */
static __always_inline void queue_2(const struct pkt *p, union flow_key key, __u8 stamp)
{
	void *recent;

	if (p->family == FAMILY_IPV4) {
		recent = tenant_table(&recent4_2, p);
		key.v4.used = stamp;
	} else {
		recent = tenant_table(&recent6_2, p);
		key.v6.used = stamp;
	}
	if (recent)
		bpf_map_push_elem(recent, &key, BPF_EXIST);
}

static __always_inline void put_2(const struct pkt *p, const struct flow *flow, bool half)
{
	union flow_key key = key_2(p);
	__u32 zero = 0;
	struct flow_2 *room = bpf_map_lookup_elem(&room_2, &zero);
	struct tables_2 t;

	tables_2(p, &t);
	if (!room || !t.ct || !t.half)
		return;
	flow_4_to_2((const struct flow_4 *)flow, room, bpf_get_prandom_u32());
	if (half)
		bpf_map_update_elem(t.half, &key, room, BPF_NOEXIST);
	else if (!bpf_map_update_elem(t.ct, &key, room, BPF_NOEXIST))
		queue_2(p, key, room->stamp);
}

/* ---- tables of version 4 ---- */

/* flow_find() was here, and has found nothing. */
static __always_inline void put_4(struct pkt *p, const struct flow_2 *flow, bool half)
{
	struct scratch *room = scratch_here();
	union flow_key key;
	void *table;

	if (!room)
		return;
	flow_2_to_4(flow, (struct flow_4 *)&room->flow, p->flow_protocol);
	if (!half) {
		flow_insert(p);
		return;
	}
	key = key_of(p);
	table = half_table(p);
	if (table)
		bpf_map_update_elem(table, &key, &room->flow, BPF_NOEXIST);
}

/* ---- */

/* If only the old tables know the packet's flow, the new ones get it. Verified once for all hooks. */
__noinline int take_over(struct pkt *p)
{
	const struct tenant *t;
	struct flow_2 *two;
	struct flow *three;
	bool half;

	if (!p)
		return 0;
	t = tenant_at(p->tenant);
	if (!t)
		return 0;
	flow_key(p);
	two = find_2(p, &half);
	three = flow_find(p, t);
	if (backward && three && !two)
		put_2(p, three, p->flags & PKT_HALF_OPEN);
	else if (!backward && two && !three)
		put_4(p, two, half);
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
	/* Builds of version 2 know no NSH. */
	return !tunnel(ctx, p) && p->l2 == OUTER_LEN && !parse(ctx, p, OUTER_LEN);
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

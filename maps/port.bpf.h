/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ports, networks and who is where (include/port.h). */
#ifndef WEFT_MAPS_PORT_BPF_H
#define WEFT_MAPS_PORT_BPF_H

#include "include/port.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEFT_PORTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct port_key);
	__type(value, struct port_binding);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct port);
} port_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEFT_NETWORKS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct network);
} networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fdb_key);
	__type(value, struct fdb_entry);
} fdb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct neigh_key);
	__type(value, struct neigh_entry);
} neigh SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flood_key);
	__type(value, struct flood_target);
} flood SEC(".maps");

static __always_inline const struct port *port_at(__u32 slot)
{
	return bpf_map_lookup_elem(&port_slots, &slot);
}

/* The port that is bound to the device for frames with this tag, or NULL. *slot tells which. */
static __always_inline const struct port *port_bound_to(__u32 ifindex, __u16 vid, __u32 *slot)
{
	/* In one word, as in vtep_of(). */
	union {
		__u64 word;
		struct port_key key;
	} k = { .word = ifindex | (__u64)vid << 32 };
	const struct port_binding *binding = bpf_map_lookup_elem(&ports, &k.key);
	const struct port *port;

	if (!binding)
		return NULL;
	port = port_at(binding->port);
	if (!port || port->generation != binding->generation)
		return NULL;
	*slot = binding->port;
	return port;
}

static __always_inline const struct network *network_of(__u32 vni)
{
	return bpf_map_lookup_elem(&networks, &vni);
}

static __always_inline const struct fdb_entry *fdb_find(__u32 vni, const __u8 mac[6])
{
	struct fdb_key key = { .vni = vni };

	__builtin_memcpy(key.mac, mac, 6);
	return bpf_map_lookup_elem(&fdb, &key);
}

#endif

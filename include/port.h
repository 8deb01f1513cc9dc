/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ports, networks, and who is where. */
#ifndef WEFT_PORT_H
#define WEFT_PORT_H

#include "base.h"

/* ports: device and VLAN -> slot in port_slots */
struct port_key {
	__u32 ifindex;
	__u16 vid;		/* 0: untagged */
	__u16 pad;
};

struct port_binding {
	__u32 port;		/* slot in port_slots */
	__u32 generation;	/* must equal the slot's: a slot that was given away is not ours */
};

#define PORT_ADDRESSES 8	/* of each family */

enum port_flags {
	PORT_XDP_DELIVER = 1 << 0,	/* XDP may redirect to the device: its peer was seen to take frames */
	PORT_PEER = 1 << 1,		/* veth whose peer is in another namespace: bpf_redirect_peer works */
};

/* port_slots[slot] */
struct port {
	__u64 id;
	__u32 generation;	/* counts the slot's owners; 0: free */
	__u32 ifindex;		/* 0: pending, no device yet */
	__u32 tenant;		/* slot in tenants */
	__u32 network;		/* slot of the network; the conntrack zone too */
	__u32 vni;
	__u16 vid;		/* tag of the workload's frames; 0: untagged */
	__u16 chain;		/* slot in chains of the chain on this port's wire; 0: none */
	__u8 mac[6];
	__u8 flags;		/* enum port_flags */
	__u8 addresses4;	/* how many are used */
	__u8 addresses6;
	__u8 pad[3];
	__u32 chain_since;	/* epoch in which `chain` came, if it keeps or resets older flows; 0: none is older */
	__u8 address4[PORT_ADDRESSES][4];
	__u8 address6[PORT_ADDRESSES][16];
};

/* networks: VNI -> network */
struct network {
	__u64 id;
	__u32 tenant;		/* slot in tenants */
	__u32 slot;		/* of the network: index of network_stats, and the conntrack zone */
	__u32 mtu;		/* of the workloads, bytes; 0: not told */
	__u32 flood;		/* number of entries in `flood` for this VNI */
};

/* Where frames go: a port of this host, another host, or (fdb misses) all of the network. */
enum target_kind { TARGET_NONE = 0, TARGET_PORT = 1, TARGET_HOST = 2, TARGET_FLOOD = 3 };

enum origin { ORIGIN_MANUAL = 0, ORIGIN_WEFT = 1 };	/* weft never removes what was put in by hand */

/* fdb: VNI and MAC -> target */
struct fdb_key {
	__u32 vni;
	__u8 mac[6];
	__u8 pad[2];
};

struct fdb_entry {
	__u8 kind;		/* TARGET_PORT or TARGET_HOST */
	__u8 origin;		/* enum origin */
	__u8 pad[2];
	__u32 index;		/* slot in port_slots or in hosts */
};

/* neigh: VNI and address -> MAC; ARP and ND are answered from it */
struct neigh_key {
	__u32 vni;
	__u8 family;		/* enum weft_family */
	__u8 pad[3];
	__u8 address[16];	/* IPv4 in the first four bytes */
};

struct neigh_entry {
	__u8 mac[6];
	__u8 origin;		/* enum origin */
	__u8 pad;
};

/* flood: VNI and 0, 1, 2, … -> who gets broadcast, multicast and unknown unicast; local ports first */
struct flood_key {
	__u32 vni;
	__u32 n;
};

struct flood_target {
	__u32 kind;		/* TARGET_PORT or TARGET_HOST */
	__u32 index;
};

#define FLOOD_MAX 512		/* targets a network: ports of this host and hosts that have ports in it */

/* port_stats[slot of the port], per CPU; network_stats[slot of the network] alike */
struct traffic {
	__u64 from_packets;	/* accepted from the workload; a super-packet counts once */
	__u64 from_bytes;	/* of Ethernet frames, without encapsulation */
	__u64 to_packets;	/* delivered to the workload */
	__u64 to_bytes;
	__u64 drops;		/* dropped on the way from or to it */
};

weft_static_assert(sizeof(struct port_key) == 8);
weft_static_assert(sizeof(struct port) == 208);
weft_static_assert(sizeof(struct network) == 24);
weft_static_assert(sizeof(struct fdb_key) == 12);
weft_static_assert(sizeof(struct neigh_key) == 24);

#endif

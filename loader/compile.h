/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the configuration to what the maps must hold on this host. A pure function: the same tree,
 * identities, host and devices give the same contents. Conntrack tables and ACLs are the tenants'
 * own: see tables.h.
 */
#ifndef WEFT_COMPILE_H
#define WEFT_COMPILE_H

#include "loader/entries.h"
#include "loader/facts.h"
#include "loader/model.h"

enum sync_map {
	MAP_HOSTS,
	MAP_VTEPS,
	MAP_TENANTS,
	MAP_NETWORKS,
	MAP_FUNCTIONS,
	MAP_CHAINS,
	MAP_NSH_CHAINS,
	MAP_NSH_PATHS,
	MAP_PORT_SLOTS,
	MAP_FDB,
	MAP_NEIGH,
	MAP_FLOOD,
	MAP_SF,
	MAP_PORTS,
	SYNC_MAPS
};

struct sync_map_type {
	const char *name;
	size_t key_size, value_size;
	bool array; /* the key is a slot, and an absent slot is all zeroes */
};

extern const struct sync_map_type sync_maps[SYNC_MAPS];

struct desired {
	struct entries map[SYNC_MAPS]; /* sorted by key */
};

/* `hz`: jiffies per second. The epochs and seeds of `tenants` are left 0: they are state. */
int compile(const struct model *m, const struct facts *facts, uint32_t hz, struct desired *d,
	    struct error *e);
void desired_init(struct desired *d);
void desired_free(struct desired *d);

/* The part of compile() that is about chains. */
int compile_chains(const struct model *m, const struct facts *facts, struct desired *d,
		   struct error *e);

/* A chain at work. */
struct chain_work {
	const struct model *m;
	const struct model_chain *c;
	const struct facts *facts;
	struct desired *d;
	struct chain chain; /* its record */
	bool sends, serves; /* its ports' frames go to other hosts; those of other hosts' ports come here */
};

/* The part of that which is about ports and functions on different hosts. */
void compile_away(struct chain_work *w);

/* What comes back for the port from an instance on this host as step n; `whose`: the port's slot, or SF_AWAY. */
void compile_returns(struct chain_work *w, const struct model_port *p, uint8_t n,
		     const struct model_instance *one, uint32_t whose);

/* Notes a network of ports that the chain protects; refuses more than CHAIN_NETWORKS. */
int compile_add_vni(const struct model_chain *c, uint32_t vnis[CHAIN_NETWORKS], uint32_t vni,
		    struct error *e);

/* Of a chain without a tag: can frames that come back be told apart by device and MACs? */
int untagged_check(const struct model *m, const struct model_chain *c, struct error *e);

/* The part that is about functions; before the chains. */
void compile_functions(const struct model *m, const struct facts *facts, struct desired *d);

/*
 * Ones' complement sum, not folded, of the outer IPv4 header from one host to another: its 16-bit
 * words in host order, with total length, identification and checksum 0, DF set, TTL 64, protocol
 * UDP. The datapath adds the length.
 */
uint32_t outer_ip_sum(const uint8_t source[4], const uint8_t destination[4]);

/* Milliseconds as jiffies; at least 1, at most what a 32-bit difference can tell. */
uint32_t to_jiffies(uint64_t ms, uint32_t hz);

#endif

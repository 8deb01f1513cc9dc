/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A canonical tree with its references followed: what the compilers read. It points into the tree
 * and the identities that it was made from, and lives no longer than they do.
 */
#ifndef WEFT_MODEL_H
#define WEFT_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "include/acl.h"
#include "include/chain.h"
#include "include/config.h"
#include "include/flow.h"
#include "include/function.h"
#include "include/host.h"
#include "include/nsh.h"
#include "include/port.h"
#include "loader/attach.h"
#include "loader/identity.h"

struct model_host {
	const char *name;
	uint64_t id;
	uint32_t slot;
	uint8_t vtep4[4];
	enum device_mode mode;
	const json_t *underlay; /* names of devices */
};

struct model_address {
	uint8_t family; /* enum weft_family */
	uint8_t bits; /* of a prefix */
	union weft_addr addr;
};

struct model_instance {
	const char *function, *name;
	const struct model_host *host;
	const char *leaving, *towards; /* devices that frames enter; equal: one-arm */
	bool finish; /* offloads */
	bool here;
	bool away; /* on another host, and flows of ports here may be given to it: see loader/away.h */
	uint8_t flags; /* enum instance_flags */
	uint8_t place; /* in struct function, if it is here or away: see loader/instances.h */
	uint16_t weight;
	uint32_t id;
};

struct model_health {
	bool probes; /* else the link alone is looked at */
	uint32_t interval_ms, down_after, up_after;
};

struct model_function {
	const char *name;
	uint64_t id;
	uint32_t slot;
	uint32_t flags; /* enum function_flags */
	bool rewrites; /* alters streams */
	bool used; /* ports here are behind it */
	bool near; /* serves ports of its own host alone: see loader/away.h */
	uint64_t drain_ms;
	struct model_health health;
	struct model_instance *instances;
	size_t n_instances;
};

struct model_step {
	const char *function;
	struct model_function *sf;
	bool open; /* on_failure */
	bool tap; /* mode */
};

struct model_chain {
	const char *tenant, *name;
	uint64_t id;
	uint32_t slot;
	uint32_t path; /* nsh_path_of() */
	uint16_t tag; /* 0: none */
	uint8_t flags; /* enum chain_flags */
	struct model_step step[CHAIN_STEPS]; /* in the order of leaving */
	uint8_t steps;
};

struct model_tenant {
	const char *name;
	uint64_t id;
	uint32_t slot;
	uint32_t flags; /* enum tenant_flags */
	uint32_t max_flows, max_half_open, max_fragments;
	uint64_t timeout_ms[CT_TIMEOUT_COUNT];
	const json_t *body; /* networks, ports, groups, acl… */
	bool here, here6; /* a port of it is on this host; one with an IPv6 address */
};

struct model_network {
	const struct model_tenant *tenant;
	const char *name;
	uint64_t id;
	uint32_t slot, vni, mtu;
	const json_t *subnets;
	struct model_port **ports;
	size_t n_ports;
	bool here; /* a port of it is on this host */
};

struct model_port {
	const struct model_tenant *tenant;
	struct model_network *network;
	const struct model_host *host;
	const struct model_chain *chain; /* on its wire; NULL: none */
	const struct model_chain **chosen; /* that rules which apply to it have */
	size_t n_chosen, chosen_room;
	const char *name, *device;
	enum device_mode mode;
	uint64_t id;
	uint32_t slot;
	uint16_t vid;
	uint8_t mac[6];
	bool here;
	struct model_address *addresses;
	size_t n_addresses;
};

struct model {
	const json_t *tree;
	const struct identities *ids;
	const struct model_host *self; /* this host; NULL: it is not in the configuration */
	struct model_host *hosts;
	struct model_instance *instances;
	struct model_function *functions;
	struct model_tenant *tenants;
	struct model_network *networks;
	struct model_port *ports;
	struct model_chain *chains;
	size_t n_hosts, n_instances, n_functions, n_tenants, n_networks, n_ports, n_chains;
	struct model_name *names; /* path -> object */
};

/* `self` is the name of this host; "" or one that the tree does not have makes all remote. */
void model_make(struct model *m, const json_t *tree, const struct identities *ids,
		const char *self);
void model_free(struct model *m);

/* By names; NULL if there is none. */
struct model_host *model_host(const struct model *m, const char *name);
struct model_function *model_function(const struct model *m, const char *name);
struct model_tenant *model_tenant(const struct model *m, const char *name);
struct model_network *model_network(const struct model *m, const char *tenant, const char *name);
struct model_port *model_port(const struct model *m, const char *tenant, const char *name);
struct model_chain *model_chain(const struct model *m, const char *tenant, const char *name);

/* Has the instance a place in the maps of this host? */
static inline bool model_instance_is_used(const struct model_instance *one)
{
	return one->here || one->away;
}

/* Has the step's function an instance on this host? */
bool model_step_is_here(const struct model_step *step);
/* May frames of the port go through the chain, be it on its wire or chosen by a rule? */
bool model_protects(const struct model_chain *c, const struct model_port *p);
/* Has any rule of a tenant that is here a chain? The first that has, in `rule`, if so. */
bool model_rule_chains(const struct model *m, const char **tenant, const char **rule);

/* "10.0.0.0/8" or a lone address; returns 0, or -1 when it is neither. */
int model_prefix(const char *text, struct model_address *prefix);
int model_mac(const char *text, uint8_t mac[6]);

#endif

// SPDX-License-Identifier: BSD-2-Clause
/* Flows that no packet has, from the tables of one version to those of the other. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/flow_versions.h"
#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/flow_table.h"
#include "loader/flows.h"
#include "loader/handover.h"
#include "loader/handover_pins.h"
#include "loader/handover_tables.h"
#include "loader/pins.h"
#include "loader/programs.h"
#include "loader/table_copy.h"

_Static_assert(sizeof(struct flow_4) == sizeof(struct flow),
	       "lists hold flows as version 4 has them");

/* A family's tables; those of a slot at a time. */
struct carrying {
	struct handover_outers outers;
	uint32_t slot;
	int old[FLOW_ROLES], new[FLOW_ROLES]; /* -1: none */
	int tenants; /* tenant_slots of version 4: the seeds */
	struct handover_names *names;
	struct flow_table table; /* new[ROLE_CT], if that is of version 4 */
	size_t lost;
};

union any_key {
	unsigned char bytes[sizeof(struct ct6_key)];
	__u64 words[CT6_KEY_WORDS];
};

static enum inner table_4(const struct carrying *c, enum flow_role role)
{
	if (c->outers.family)
		return role == ROLE_CT ? INNER_CT6 : INNER_HALF6;
	return role == ROLE_CT ? INNER_CT4 : INNER_HALF4;
}

static size_t key_size(const struct carrying *c)
{
	return flow_key_size(table_4(c, ROLE_CT));
}

static const char *new_name(const struct carrying *c, enum flow_role role)
{
	return handover_kind(c->outers.to, c->outers.family, role)->name;
}

static union any_key key_for(const struct carrying *c, unsigned int version, const void *key)
{
	size_t end = key_size(c) / sizeof(__u64) - 1;
	union any_key made = { { 0 } };

	memcpy(made.bytes, key, key_size(c));
	made.words[end] =
		version == 2 ? FLOW_KEY_END_2(made.words[end]) : FLOW_KEY_END_4(made.words[end]);
	return made;
}

/* ---- what is read and written is as version 4 has it: that is what this command can read ---- */

static int read_2(const struct carrying *c, enum flow_role role, struct entries *list,
		  struct error *e)
{
	struct entries raw;
	int err;

	entries_init(&raw, key_size(c), sizeof(struct flow_2));
	err = map_read(c->old[role], handover_kind(c->outers.from, c->outers.family, role)->name,
		       &raw, e);
	for (size_t i = 0; i < raw.n && !err; i++) {
		union any_key key = key_for(c, 4, entries_key(&raw, i));
		struct flow_2 old;
		struct flow_4 flow;

		memcpy(&old, entries_value(&raw, i), sizeof(old));
		flow_2_to_4(&old, &flow);
		entries_add(list, &key, &flow);
	}
	entries_free(&raw);
	return err;
}

static int read_flows(const struct carrying *c, enum flow_role role, struct entries *list,
		      struct error *e)
{
	return c->outers.from == 2 ? read_2(c, role, list, e)
				   : flows_read_table(c->old[role], table_4(c, role), list, e);
}

static bool is_table_4(const struct carrying *c, enum flow_role role)
{
	return c->outers.to == 4 && role == ROLE_CT;
}

static bool has_flow(const struct carrying *c, enum flow_role role, const union any_key *key)
{
	union {
		struct flow now;
		struct flow_2 two;
	} found;

	if (c->new[role] < 0)
		return false;
	if (is_table_4(c, role))
		return flow_table_get(&c->table, key, &found.now);
	return !bpf_map_lookup_elem(c->new[role], key, &found);
}

/* 1: there is no room; 0: it is in, or was there already. */
static int put_flow(struct carrying *c, enum flow_role role, const void *of,
		    const struct flow *flow, __u8 stamp, struct error *e)
{
	union any_key key = key_for(c, c->outers.to, of);
	struct flow_2 two;
	const void *value = flow;

	/* The packets' own hand may have taken it over, and led it on into the other table. */
	if (has_flow(c, role == ROLE_CT ? ROLE_HALF : ROLE_CT, &key))
		return 0;
	if (is_table_4(c, role))
		return flow_table_put(&c->table, &key, flow, NULL, NULL) == FLOW_PUT_FULL;
	if (c->outers.to == 2) {
		flow_4_to_2((const struct flow_4 *)flow, &two, stamp);
		value = &two;
	}
	if (!bpf_map_update_elem(c->new[role], &key, value, BPF_NOEXIST) || errno == EEXIST)
		return 0;
	if (errno == E2BIG)
		return 1;
	return error_set(e, EXIT_PARTLY, "map %s: a flow cannot be carried over: %s",
			 new_name(c, role), strerror(errno));
}

/* In the queue of version 2 a key has its flow's stamp. One that is in twice is met twice: no harm. */
static void queue_flow(const struct carrying *c, const void *of, __u8 stamp)
{
	union any_key key = key_for(c, 2, of);

	key.words[key_size(c) / sizeof(__u64) - 1] |= FLOW_KEY_USED(stamp);
	bpf_map_update_elem(c->new[ROLE_RECENT], NULL, &key, BPF_EXIST);
}

static int carry_list(struct carrying *c, enum flow_role role, struct entries *list,
		      struct error *e)
{
	size_t *order = table_order(list);
	unsigned char *stamps = alloc_zero(list->n + 1, 1);
	int err = 0;

	(void)!getrandom(stamps, list->n, GRND_NONBLOCK);
	/* The latest first: if there is no room for all, those that nobody has used for longest stay behind. */
	for (size_t i = list->n; err >= 0 && i-- > 0;) {
		err = put_flow(c, role, entries_key(list, order[i]), entries_value(list, order[i]),
			       stamps[i], e);
		c->lost += err > 0;
	}
	if (role == ROLE_CT && c->new[ROLE_RECENT] >= 0)
		for (size_t i = 0; err >= 0 && i < list->n; i++)
			queue_flow(c, entries_key(list, order[i]), stamps[i]);
	free(stamps);
	free(order);
	return err < 0 ? -1 : 0;
}

static int carry_table(struct carrying *c, enum flow_role role, struct error *e)
{
	struct entries list;
	int err;

	if (c->old[role] < 0 || c->new[role] < 0)
		return 0;
	entries_init(&list, key_size(c), sizeof(struct flow));
	err = read_flows(c, role, &list, e);
	if (!err)
		err = carry_list(c, role, &list, e);
	entries_free(&list);
	return err;
}

/* ---- */

static int open_table_4(struct carrying *c, struct error *e)
{
	struct tenant tenant;

	if (c->outers.to != 4 || c->new[ROLE_CT] < 0)
		return 0;
	if (bpf_map_lookup_elem(c->tenants, &c->slot, &tenant))
		return error_set(e, EXIT_PARTLY, "map tenant_slots: slot %u cannot be read: %s",
				 c->slot, strerror(errno));
	return flow_table_open(&c->table, c->new[ROLE_CT],
			       c->outers.family ? FAMILY_IPV6 : FAMILY_IPV4, tenant.seed, true,
			       new_name(c, ROLE_CT), e);
}

static void close_slot(struct carrying *c)
{
	flow_table_close(&c->table);
	for (int role = 0; role < FLOW_ROLES; role++) {
		if (c->old[role] >= 0)
			close(c->old[role]);
		if (c->new[role] >= 0)
			close(c->new[role]);
		c->old[role] = c->new[role] = -1;
	}
}

static int carry_slot(const struct root *root, struct carrying *c, struct error *e)
{
	int err = 0;

	for (int role = 0; role < FLOW_ROLES && !err; role++)
		err = handover_outers_table(&c->outers, role, true, c->slot, &c->old[role], e) ||
		      handover_outers_table(&c->outers, role, false, c->slot, &c->new[role], e);
	err = err || open_table_4(c, e) || carry_table(c, ROLE_CT, e) ||
	      carry_table(c, ROLE_HALF, e) ||
	      handover_pin(root, &c->outers, c->names, c->old[ROLE_CT], c->new[ROLE_CT], c->new, e);
	close_slot(c);
	return err ? -1 : 0;
}

/* Until every packet is done that met the old programs. */
static void wait_for_packets(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(100000);
}

static int carry_family(const struct root *root, int family, const struct abi *from,
			const struct abi *to, const bool *slots, size_t *lost, struct error *e)
{
	struct carrying c = { .old = { -1, -1, -1 }, .new = { -1, -1, -1 } };
	int err = handover_outers_open(&c.outers, root, family, from->version, to->version, e);

	c.names = handover_names(root, family);
	c.tenants = root_map(root, NEXT_MAPS "/tenant_slots", NULL);
	if (c.tenants < 0)
		c.tenants = root_map(root, "tenant_slots", e);
	if (c.tenants < 0)
		err = -1;
	for (c.slot = 0; c.slot < WEFT_TENANTS_MAX && !err; c.slot++)
		err = slots[c.slot] ? carry_slot(root, &c, e) : 0;
	if (!err)
		handover_unpin(root, &c.outers, c.names);
	handover_names_free(c.names);
	handover_outers_close(&c.outers);
	if (c.tenants >= 0)
		close(c.tenants);
	*lost += c.lost;
	return err;
}

int handover_carry(const struct root *root, struct error *e)
{
	struct abi old, new;
	size_t lost = 0;
	bool *slots;
	int err = 0;

	if (programs_label(root, NEXT_PREVIOUS, &old, e) || programs_label(root, NEXT, &new, e))
		return -1;
	slots = handover_slots(root, NEXT_PREVIOUS "/maps", e);
	if (!slots)
		return -1;
	wait_for_packets();
	for (int family = 0; family < FAMILIES && !err; family++)
		err = carry_family(root, family, &old, &new, slots, &lost, e);
	free(slots);
	if (err)
		return -1;
	if (lost)
		fprintf(stderr,
			"weft: %zu flows that were idle for longest found no room in the full tables\n",
			lost);
	return 0;
}

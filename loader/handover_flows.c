// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/base.h"
#include "include/flow_versions.h"
#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/handover.h"
#include "loader/handover_flows.h"
#include "loader/pins.h"
#include "loader/programs.h"
#include "loader/table_copy.h"

/* Old and new outer maps of a kind; before or after the new ones took their places. */
struct outers {
	int old, new;
};

static int outers_open(const struct root *root, enum inner kind, struct outers *o, struct error *e)
{
	o->old = handover_outer(root, NEXT_PREVIOUS "/maps", kind, e);
	o->new = handover_outer(root, NEXT_MAPS, kind, NULL);
	if (o->new < 0)
		o->new = handover_outer(root, "", kind, e);
	return o->old < 0 || o->new < 0 ? -1 : 0;
}

static void outers_close(struct outers *o)
{
	if (o->old >= 0)
		close(o->old);
	if (o->new >= 0)
		close(o->new);
}

static bool is_half(enum inner kind)
{
	return kind == INNER_HALF4 || kind == INNER_HALF6;
}

static bool is_six(enum inner kind)
{
	return kind == INNER_CT6 || kind == INNER_HALF6;
}

struct carrying {
	enum inner kind;
	bool backward;
	int to, queue,
		full; /* the table; its queue, or -1; of a half-open table, the table of the same tenant */
	size_t lost;
};

/* As they are in version 2, whatever they are in: that is what this command can read. */
static void read_as_2(struct entries *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct flow_1 old;
		__u8 stamp = 0;

		memcpy(&old, entries_value(list, i), sizeof(old));
		(void)!getrandom(&stamp, sizeof(stamp), GRND_NONBLOCK);
		flow_1_to_2(&old, (struct flow_2 *)entries_value(list, i), stamp);
	}
}

/* 1: the table is full; 0: it is in, or was there already. */
static int put_flow(const struct carrying *c, const void *key, const struct flow_2 *flow,
		    struct error *e)
{
	struct flow_1 old;
	unsigned char at[sizeof(struct flow_2)];

	/* The packets' own hand may have taken it over, and led it on. */
	if (c->full >= 0 && !bpf_map_lookup_elem(c->full, key, at))
		return 0;
	if (c->backward)
		flow_2_to_1(flow, &old);
	if (!bpf_map_update_elem(c->to, key, c->backward ? (const void *)&old : flow,
				 BPF_NOEXIST) ||
	    errno == EEXIST)
		return 0;
	if (errno == E2BIG)
		return 1;
	return error_set(e, EXIT_PARTLY, "map %s: a flow cannot be carried over: %s",
			 inner_kinds[c->kind].name, strerror(errno));
}

static int queue_flow(const struct carrying *c, const void *key, const struct flow_2 *flow)
{
	struct ct6_key queued = { 0 };

	memcpy(&queued, key, inner_kinds[c->kind].key_size);
	if (!c->backward && is_six(c->kind))
		queued.pad = flow->stamp;
	else if (!c->backward)
		((struct ct4_key *)&queued)->pad = flow->stamp;
	return bpf_map_update_elem(c->queue, NULL, &queued, BPF_EXIST);
}

static int carry_table(int from, struct carrying *c, struct error *e)
{
	struct entries list;
	size_t *order;
	int err;

	entries_init(&list, inner_kinds[c->kind].key_size, sizeof(struct flow_2));
	err = map_read(from, inner_kinds[c->kind].name, &list, e);
	if (!c->backward)
		read_as_2(&list);
	order = table_order(&list);
	/* The latest first: if there is no room for all, those that nobody has used for longest stay behind. */
	for (size_t i = list.n; !err && i-- > 0;) {
		err = put_flow(c, entries_key(&list, order[i]), entries_value(&list, order[i]), e);
		if (err > 0) {
			c->lost += i + 1;
			break;
		}
	}
	/* A key that is in twice is met twice: no harm. */
	for (size_t i = 0; err >= 0 && c->queue >= 0 && i < list.n; i++)
		queue_flow(c, entries_key(&list, order[i]), entries_value(&list, order[i]));
	free(order);
	entries_free(&list);
	return err < 0 ? -1 : 0;
}

struct tenant_maps {
	struct outers table, queue, full;
};

static int carry_slot(const struct tenant_maps *m, __u32 slot, struct carrying *c, struct error *e)
{
	enum inner queue = is_six(c->kind) ? INNER_RECENT6 : INNER_RECENT4;
	enum inner full = is_six(c->kind) ? INNER_CT6 : INNER_CT4;
	uint32_t entries;
	int from, err;

	c->to = c->queue = c->full = -1;
	if (handover_inner(m->table.old, c->kind, slot, &from, &entries, e))
		return -1;
	if (from < 0)
		return 0;
	err = handover_inner(m->table.new, c->kind, slot, &c->to, &entries, e) ||
			      handover_inner(m->queue.new, queue, slot, &c->queue, &entries, e) ||
			      handover_inner(m->full.new, full, slot, &c->full, &entries, e)
		      ? -1
		      : 0;
	if (!err && c->to >= 0)
		err = carry_table(from, c, e);
	close(from);
	if (c->to >= 0)
		close(c->to);
	if (c->queue >= 0)
		close(c->queue);
	if (c->full >= 0)
		close(c->full);
	return err;
}

static int carry_kind(const struct root *root, enum inner kind, bool backward, size_t *lost,
		      struct error *e)
{
	struct tenant_maps m = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct carrying c = { .kind = kind, .backward = backward };
	enum inner queue = is_six(kind) ? INNER_RECENT6 : INNER_RECENT4;
	enum inner full = is_six(kind) ? INNER_CT6 : INNER_CT4;
	int err = outers_open(root, kind, &m.table, e);

	if (!err)
		err = is_half(kind) ? outers_open(root, full, &m.full, e)
				    : outers_open(root, queue, &m.queue, e);
	for (__u32 slot = 0; slot < WEFT_TENANTS_MAX && !err; slot++)
		err = carry_slot(&m, slot, &c, e);
	outers_close(&m.table);
	outers_close(&m.queue);
	outers_close(&m.full);
	*lost += c.lost;
	return err;
}

/* The pins of tenants go over to what packets use now; which tenant has which slot, the old pin tells. */
static int pin_tenant(const struct root *root, const char *tenant, enum inner kind,
		      const struct outers *o, const uint32_t *ids, struct error *e)
{
	uint32_t id = 0, entries;
	int fd = inner_open(root, tenant, kind), err = 0;

	if (fd < 0)
		return 0;
	if (inner_info(fd, &id, &entries))
		id = 0;
	close(fd);
	for (__u32 slot = 0; id && slot < WEFT_TENANTS_MAX; slot++) {
		if (ids[slot] != id)
			continue;
		err = handover_inner(o->new, kind, slot, &fd, &entries, e);
		if (err || fd < 0)
			break;
		err = inner_pin(root, tenant, kind, fd, e);
		close(fd);
		break;
	}
	return err;
}

static int pin_kind(const struct root *root, enum inner kind, struct error *e)
{
	uint32_t *ids = alloc_zero(WEFT_TENANTS_MAX, sizeof(*ids));
	struct outers o;
	char path[512];
	struct dirent *entry;
	int err = outers_open(root, kind, &o, e);
	DIR *dir;

	for (__u32 slot = 0; !err && slot < WEFT_TENANTS_MAX; slot++)
		if (bpf_map_lookup_elem(o.old, &slot, &ids[slot]))
			ids[slot] = 0;
	snprintf(path, sizeof(path), "%s/tenants", root->path);
	dir = opendir(path);
	while (dir && !err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			err = pin_tenant(root, entry->d_name, kind, &o, ids, e);
	if (dir)
		closedir(dir);
	outers_close(&o);
	free(ids);
	return err;
}

/* Until every packet is done that met the old programs. */
static void wait_for_packets(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(100000);
}

static int carry_all(const struct root *root, bool backward, size_t *lost, struct error *e)
{
	static const enum inner kinds[] = { INNER_CT4, INNER_HALF4, INNER_CT6, INNER_HALF6 };
	int err = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !err; i++)
		err = carry_kind(root, kinds[i], backward, lost, e);
	for (int kind = 0; kind < HANDOVER_KINDS && !err; kind++)
		err = pin_kind(root, kind, e);
	return err;
}

int handover_carry(const struct root *root, struct error *e)
{
	struct abi old, new;
	size_t lost = 0;

	if (programs_label(root, NEXT_PREVIOUS, &old, e) || programs_label(root, NEXT, &new, e))
		return -1;
	wait_for_packets();
	if (carry_all(root, new.version < old.version, &lost, e))
		return -1;
	if (lost)
		fprintf(stderr,
			"weft: %zu flows that were idle for longest found no room in the full tables\n",
			lost);
	return 0;
}

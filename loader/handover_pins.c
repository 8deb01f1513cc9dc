// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/base.h"
#include "loader/alloc.h"
#include "loader/handover_pins.h"
#include "loader/handover_tables.h"
#include "loader/pins.h"
#include "loader/programs.h"

static int open_old(const struct root *root, const char *name, struct error *e)
{
	return handover_outer(root, NEXT_PREVIOUS "/maps", name, e);
}

static int open_new(const struct root *root, const char *name, struct error *e)
{
	int fd = handover_outer(root, NEXT_MAPS, name, NULL);

	return fd >= 0 ? fd : handover_outer(root, "", name, e);
}

int handover_outers_open(struct handover_outers *o, const struct root *root, int family,
			 unsigned int from, unsigned int to, struct error *e)
{
	int err = 0;

	*o = (struct handover_outers){ .from = from, .to = to, .family = family };
	for (int role = 0; role < FLOW_ROLES; role++) {
		const struct inner_kind *old = handover_kind(from, family, role);
		const struct inner_kind *new = handover_kind(to, family, role);

		o->old[role] = old ? open_old(root, old->name, e) : -1;
		o->new[role] = new ? open_new(root, new->name, e) : -1;
		if ((old && o->old[role] < 0) || (new && o->new[role] < 0))
			err = -1;
	}
	return err;
}

void handover_outers_close(struct handover_outers *o)
{
	for (int role = 0; role < FLOW_ROLES; role++) {
		if (o->old[role] >= 0)
			close(o->old[role]);
		if (o->new[role] >= 0)
			close(o->new[role]);
	}
}

int handover_outers_table(const struct handover_outers *o, enum flow_role role, bool old,
			  uint32_t slot, int *fd, struct error *e)
{
	const struct inner_kind *kind = handover_kind(old ? o->from : o->to, o->family, role);
	uint32_t entries;

	*fd = -1;
	return kind ? handover_inner(old ? o->old[role] : o->new[role], kind->name, slot, fd,
				     &entries, e)
		    : 0;
}

/* ---- tenants' pins ---- */

struct pinning {
	const struct root *root;
	const struct handover_outers *o;
	uint32_t *old, *new; /* ids of the tables of established flows, by slot */
	struct error *e;
};

static uint32_t *ids_of(int outer)
{
	uint32_t *ids = alloc_zero(WEFT_TENANTS_MAX, sizeof(*ids));

	for (uint32_t slot = 0; slot < WEFT_TENANTS_MAX; slot++)
		if (bpf_map_lookup_elem(outer, &slot, &ids[slot]))
			ids[slot] = 0;
	return ids;
}

/* Which tenant has which slot, its pin tells, whether it has gone over already or not. WEFT_TENANTS_MAX: none. */
static uint32_t slot_of(const struct pinning *p, const char *tenant)
{
	int fd = inner_open(p->root, tenant, p->o->family ? INNER_CT6 : INNER_CT4);
	uint32_t id = 0, entries, slot = 0;

	if (fd < 0)
		return WEFT_TENANTS_MAX;
	if (inner_info(fd, &id, &entries))
		id = 0;
	close(fd);
	while (slot < WEFT_TENANTS_MAX && (!id || (p->old[slot] != id && p->new[slot] != id)))
		slot++;
	return slot;
}

static int pin_role(const struct pinning *p, const char *tenant, uint32_t slot, enum flow_role role)
{
	const struct inner_kind *kind = handover_kind(p->o->to, p->o->family, role);
	int fd, err;

	if (!kind) {
		inner_unpin_as(p->root, tenant,
			       handover_kind(p->o->from, p->o->family, role)->name);
		return 0;
	}
	if (slot == WEFT_TENANTS_MAX)
		return 0;
	err = handover_outers_table(p->o, role, false, slot, &fd, p->e);
	if (err || fd < 0)
		return err;
	err = inner_pin_as(p->root, tenant, kind->name, fd, p->e);
	close(fd);
	return err;
}

static int pin_tenant(const struct pinning *p, const char *tenant)
{
	uint32_t slot;
	int err = 0;

	/* It will be made again where it is needed. */
	if (!strcmp(tenant, INNER_NOBODY)) {
		for (int role = 0; role < FLOW_ROLES; role++) {
			const struct inner_kind *kind =
				handover_kind(p->o->from, p->o->family, role);

			if (kind)
				inner_unpin_as(p->root, tenant, kind->name);
		}
		return 0;
	}
	slot = slot_of(p, tenant);
	for (int role = 0; role < FLOW_ROLES && !err; role++)
		err = pin_role(p, tenant, slot, role);
	return err;
}

int handover_pin(const struct root *root, const struct handover_outers *o, struct error *e)
{
	struct pinning p = { root, o, ids_of(o->old[ROLE_CT]), ids_of(o->new[ROLE_CT]), e };
	char path[512];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/tenants", root->path);
	dir = opendir(path);
	while (dir && !err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			err = pin_tenant(&p, entry->d_name);
	if (dir)
		closedir(dir);
	free(p.old);
	free(p.new);
	return err;
}

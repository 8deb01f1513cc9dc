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

struct handover_names {
	size_t n, room;
	struct named {
		uint32_t id; /* of the table of established flows; 0: it has no pin */
		char tenant[WEFT_NAME_LEN + 1]; /* as its directory is called */
	} * of;
};

static uint32_t id_of(int fd)
{
	uint32_t id = 0, entries;

	return fd < 0 || inner_info(fd, &id, &entries) ? 0 : id;
}

static void add_name(struct handover_names *names, const struct root *root, const char *tenant,
		     int family)
{
	struct named *named;
	int fd;

	names->of = alloc_grow(names->of, &names->room, names->n + 1, sizeof(*names->of));
	named = &names->of[names->n++];
	snprintf(named->tenant, sizeof(named->tenant), "%.*s", WEFT_NAME_LEN, tenant);
	fd = inner_open(root, tenant, family ? INNER_CT6 : INNER_CT4);
	named->id = id_of(fd);
	if (fd >= 0)
		close(fd);
}

struct handover_names *handover_names(const struct root *root, int family)
{
	struct handover_names *names = alloc_zero(1, sizeof(*names));
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/tenants", root->path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			add_name(names, root, entry->d_name, family);
	if (dir)
		closedir(dir);
	return names;
}

void handover_names_free(struct handover_names *names)
{
	free(names->of);
	free(names);
}

static const char *name_of(const struct handover_names *names, uint32_t id)
{
	for (size_t i = 0; id && i < names->n; i++)
		if (names->of[i].id == id)
			return names->of[i].tenant;
	return NULL;
}

int handover_pin(const struct root *root, const struct handover_outers *o,
		 const struct handover_names *names, int old, int new, const int *fds,
		 struct error *e)
{
	const char *tenant = name_of(names, id_of(old));

	/* Its pin may have gone over already. */
	if (!tenant)
		tenant = name_of(names, id_of(new));
	for (int role = 0; tenant && role < FLOW_ROLES; role++)
		if (fds[role] >= 0 &&
		    inner_pin_as(root, tenant, handover_kind(o->to, o->family, role)->name,
				 fds[role], e))
			return -1;
	return 0;
}

void handover_unpin(const struct root *root, const struct handover_outers *o,
		    const struct handover_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		bool nobody = !strcmp(names->of[i].tenant, INNER_NOBODY);

		for (int role = 0; role < FLOW_ROLES; role++) {
			const struct inner_kind *old = handover_kind(o->from, o->family, role);

			if (old && (nobody || !handover_kind(o->to, o->family, role)))
				inner_unpin_as(root, names->of[i].tenant, old->name);
		}
	}
}

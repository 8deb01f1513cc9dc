// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "include/base.h"
#include "loader/handover.h"
#include "loader/inner.h"
#include "loader/map_fit.h"

#define REMEDY "save, unload, load and apply"

struct search {
	const struct root *root;
	bool converts;
	struct misfits *misfits;
	struct error *e;
};

bool map_misfits(const char *name, void *arg)
{
	const struct misfits *m = arg;

	for (int i = 0; i < m->n; i++)
		if (!strcmp(m->name[i], name))
			return true;
	return false;
}

static int add(struct misfits *m, const char *name, struct error *e)
{
	if (map_misfits(name, m))
		return 0;
	if (m->n == MAPS_MAX)
		return error_set(e, EXIT_REFUSED,
				 "map %s: more than %d maps differ from the root's: " REMEDY, name,
				 MAPS_MAX);
	snprintf(m->name[m->n++], sizeof(m->name[0]), "%s", name);
	return 0;
}

static bool info_of(int fd, struct bpf_map_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return fd >= 0 && !bpf_map_get_info_by_fd(fd, info, &size);
}

static int refuse_sizes(const char *name, __u32 key, __u32 value, const struct bpf_map_info *had,
			struct error *e)
{
	return error_set(
		e, EXIT_REFUSED,
		"map %s: this weft's has keys of %u bytes and values of %u, the root's %u and %u, and no way from one to the other is known: use the weft that the root was loaded with, or " REMEDY,
		name, key, value, had->key_size, had->value_size);
}

/* Of whichever tenant comes first: all have the same. By its pin, since by its slot few may have it. */
static int fits_tenants(const struct root *root, enum inner kind, struct error *e)
{
	const struct inner_kind *want = &inner_kinds[kind];
	struct bpf_map_info had;
	char path[512];
	struct dirent *entry;
	int fd = -1, err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/tenants", root->path);
	dir = opendir(path);
	while (dir && fd < 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			fd = inner_open(root, entry->d_name, kind);
	if (info_of(fd, &had) &&
	    (had.key_size != want->key_size || had.value_size != want->value_size))
		err = refuse_sizes(want->name, want->key_size, want->value_size, &had, e);
	if (fd >= 0)
		close(fd);
	if (dir)
		closedir(dir);
	return err;
}

/* What packets find out again: no loss if such a map begins empty, whatever is in it. */
bool map_is_transient(const char *name)
{
	return !strcmp(name, "next_hops") || !strcmp(name, "sf_state") ||
	       !strcmp(name, "sf_flows") || !strcmp(name, "nsh_copies");
}

/* Kinds of which carry.c knows how to fill one from another. */
static bool can_be_filled(__u32 type)
{
	return type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_RINGBUF;
}

static int fits(struct bpf_map *map, void *arg)
{
	struct search *s = arg;
	const char *name = bpf_map__name(map);
	struct bpf_map_info had;
	bool same_size;
	int fd;

	if (s->converts && handover_converts(name))
		return add(s->misfits, name, s->e);
	fd = root_map(s->root, name, NULL);
	if (fd < 0)
		return 0; /* new with this build */
	if (!info_of(fd, &had)) {
		close(fd);
		return error_set(s->e, EXIT_REFUSED, "map %s: cannot be looked at", name);
	}
	close(fd);
	same_size = had.key_size == bpf_map__key_size(map) &&
		    had.value_size == bpf_map__value_size(map);
	if (map_is_transient(name) && !(same_size && had.max_entries == bpf_map__max_entries(map)))
		return add(s->misfits, name, s->e);
	if (had.type != bpf_map__type(map))
		return error_set(
			s->e, EXIT_REFUSED,
			"map %s: this weft's is of another kind than the root's: use the weft that the root was loaded with, or " REMEDY,
			name);
	/* Counters are only ever added at the end. */
	if (had.type == BPF_MAP_TYPE_PERCPU_ARRAY && had.key_size == bpf_map__key_size(map) &&
	    had.value_size < bpf_map__value_size(map) &&
	    had.max_entries <= bpf_map__max_entries(map))
		return add(s->misfits, name, s->e);
	if (!same_size)
		return refuse_sizes(name, bpf_map__key_size(map), bpf_map__value_size(map), &had,
				    s->e);
	if (had.map_flags == bpf_map__map_flags(map) &&
	    had.max_entries == bpf_map__max_entries(map))
		return 0;
	if (!can_be_filled(had.type) || had.max_entries > bpf_map__max_entries(map))
		return error_set(
			s->e, EXIT_REFUSED,
			"map %s: this weft's has room for %u entries, the root's for %u, and they cannot be moved: use the weft that the root was loaded with, or " REMEDY,
			name, bpf_map__max_entries(map), had.max_entries);
	return add(s->misfits, name, s->e);
}

/* Tenants' own maps, which no program names. */
static int fits_inner(const struct root *root, bool converts, struct error *e)
{
	for (int kind = 0; kind < INNERS; kind++)
		if (!(converts && handover_converts(inner_kinds[kind].name)) &&
		    fits_tenants(root, kind, e))
			return -1;
	return 0;
}

int map_fit(const struct root *root, const struct objects *o, bool converts,
	    struct misfits *misfits, struct error *e)
{
	struct search s = { root, converts, misfits, e };

	misfits->n = 0;
	return objects_each_map(o, fits, &s) || fits_inner(root, converts, e) ? -1 : 0;
}

int map_fit_own(const struct root *root, const char *name, unsigned int key_size,
		unsigned int value_size, unsigned int entries, struct error *e)
{
	int fd = root_map(root, name, NULL), err = 0;
	struct bpf_map_info had;

	if (info_of(fd, &had) && (had.key_size != key_size || had.value_size != value_size))
		err = refuse_sizes(name, key_size, value_size, &had, e);
	else if (fd >= 0 && had.max_entries != entries)
		err = error_set(
			e, EXIT_REFUSED,
			"map %s: this weft's has room for %u entries, the root's for %u: use the weft that the root was loaded with, or " REMEDY,
			name, entries, had.max_entries);
	if (fd >= 0)
		close(fd);
	return err;
}

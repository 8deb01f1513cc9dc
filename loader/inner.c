// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/acl.h"
#include "include/flow_table.h"
#include "include/fragment.h"
#include "include/syn_proxy.h"
#include "loader/inner.h"
#include "loader/rights.h"
#include "loader/share.h"
#include "loader/types.h"

/* Mapped into memory by who reads them (loader/flow_table.h). */
#define CT_TABLE(name, bucket)                                                                     \
	{                                                                                          \
		name, BPF_MAP_TYPE_ARRAY, 4, sizeof(struct bucket),                                \
			BPF_F_MMAPABLE | BPF_F_INNER_MAP, "__u32", #bucket                         \
	}
#define HALF_TABLE(name, key)                                                                      \
	{                                                                                          \
		name, BPF_MAP_TYPE_LRU_HASH, sizeof(struct key), sizeof(struct flow), 0, #key,     \
			"flow"                                                                     \
	}

const struct inner_kind inner_kinds[INNERS] = {
	[INNER_CT4] = CT_TABLE("ct4", ct4_bucket),
	[INNER_HALF4] = HALF_TABLE("half4", ct4_key),
	[INNER_CT6] = CT_TABLE("ct6", ct6_bucket),
	[INNER_HALF6] = HALF_TABLE("half6", ct6_key),
	[INNER_FRAGMENTS] = { "fragments", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct fragment_set),
			      BPF_F_INNER_MAP, "__u32", "fragment_set" },
	[INNER_PROXIED] = { "proxied", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct proxied_bucket),
			    BPF_F_INNER_MAP, "__u32", "proxied_bucket" },
	[INNER_ACL] = { "acl", BPF_MAP_TYPE_ARRAY, 4, sizeof(union acl_slot), BPF_F_INNER_MAP,
			"__u32", "acl_slot" },
	[INNER_RULE_HITS] = { "rule_hits", BPF_MAP_TYPE_PERCPU_HASH, sizeof(struct rule_hits_key),
			      sizeof(struct rule_hits), BPF_F_NO_PREALLOC, "rule_hits_key",
			      "rule_hits" },
	[INNER_RULES] = { "rules", BPF_MAP_TYPE_HASH, sizeof(struct rule_key), sizeof(struct rule),
			  BPF_F_NO_PREALLOC, "rule_key", "rule" },
	[INNER_TREE] = { "acl_tree", BPF_MAP_TYPE_ARRAY, 4, sizeof(union acl_cell),
			 BPF_F_INNER_MAP | BPF_F_MMAPABLE, "__u32", "acl_cell" },
	[INNER_INDEX] = { "acl_index", BPF_MAP_TYPE_ARRAY, 4, sizeof(union acl_cell), BPF_F_INNER_MAP,
			  "__u32", "acl_cell" },
};

/* The pin of a map that is about to take another's place. */
#define FRESH ",new"

/* Programs whose types together cover all kinds. */
static const char *const typed_programs[] = { "port_tc", "clock" };

static uint32_t find_type(const struct btf *btf, const char *name, uint32_t size)
{
	static const uint32_t kinds[] = { BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_TYPEDEF };

	for (int i = 0; i < 3; i++) {
		int id = btf__find_by_name_kind(btf, name, kinds[i]);

		if (id > 0 && btf__resolve_size(btf, (uint32_t)id) == size)
			return (uint32_t)id;
	}
	return 0;
}

static void type_from(struct inner_type *type, const struct inner_kind *kind, const struct btf *btf,
		      int fd)
{
	if (type->fd >= 0 || !kind->key_type)
		return;
	type->key = find_type(btf, kind->key_type, kind->key_size);
	type->value = find_type(btf, kind->value_type, kind->value_size);
	if (type->key && type->value)
		type->fd = dup(fd);
}

void inner_types_find(struct inner_type *types, const struct inner_kind *const *kinds, size_t n,
		      const struct root *root)
{
	for (size_t i = 0; i < n; i++)
		types[i] = (struct inner_type){ .fd = -1 };
	for (size_t i = 0; i < sizeof(typed_programs) / sizeof(typed_programs[0]); i++) {
		int fd;
		struct btf *btf = types_of(root, typed_programs[i], &fd);

		if (!btf)
			continue;
		for (size_t k = 0; k < n; k++)
			type_from(&types[k], kinds[k], btf, fd);
		btf__free(btf);
		close(fd);
	}
}

void inner_type_close(struct inner_type *type)
{
	if (type->fd >= 0)
		close(type->fd);
	type->fd = -1;
}

void inner_types_open(struct inner_types *types, const struct root *root)
{
	const struct inner_kind *kinds[INNERS];

	for (int i = 0; i < INNERS; i++)
		kinds[i] = &inner_kinds[i];
	inner_types_find(types->of, kinds, INNERS, root);
}

void inner_types_close(struct inner_types *types)
{
	for (int i = 0; i < INNERS; i++)
		inner_type_close(&types->of[i]);
}

int inner_create_as(const struct inner_kind *k, const struct inner_type *type, uint32_t entries,
		    struct error *e)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = k->flags);
	int fd;

	if (type->fd >= 0) {
		options.btf_fd = (uint32_t)type->fd;
		options.btf_key_type_id = type->key;
		options.btf_value_type_id = type->value;
	}
	fd = bpf_map_create((enum bpf_map_type)k->type, k->name, k->key_size, k->value_size,
			    entries, &options);
	if (fd < 0)
		return error_set(e, EXIT_REFUSED, "map %s of %u entries cannot be made: %s%s",
				 k->name, entries, strerror(errno),
				 errno == EPERM
					 ? rights_bpf_hint()
					 : ": lower max_flows, or give the machine more memory");
	return fd;
}

int inner_create(const struct inner_types *types, enum inner kind, uint32_t entries,
		 struct error *e)
{
	return inner_create_as(&inner_kinds[kind], &types->of[kind], entries, e);
}

/* "<root>/tenants/<tenant>/<suffix>" */
static void pin_path(char *path, size_t size, const struct root *root, const char *tenant,
		     const char *name, const char *suffix)
{
	char safe[64];

	snprintf(path, size, "%s/tenants/%s/%s%s", root->path,
		 root_name(safe, sizeof(safe), tenant), name, suffix);
}

static int make_directories(const struct root *root, const char *tenant)
{
	char path[512];
	char *last;

	pin_path(path, sizeof(path), root, tenant, "", "");
	last = strrchr(path, '/');
	*last = '\0'; /* the tenant's directory, without the slash */
	if (!mkdir(path, 0711) || errno == EEXIST)
		return 0;
	last = strrchr(path, '/');
	*last = '\0';
	if (mkdir(path, 0711) && errno != EEXIST)
		return -1;
	*last = '/';
	return mkdir(path, 0711);
}

static int stage(const struct root *root, const char *tenant, const char *name, int fd,
		 struct error *e)
{
	char path[512], fresh[512];
	struct stat had;

	pin_path(path, sizeof(path), root, tenant, name, "");
	pin_path(fresh, sizeof(fresh), root, tenant, name, FRESH);
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh) &&
	    (errno != ENOENT || make_directories(root, tenant) || bpf_obj_pin(fd, fresh)))
		return error_set(e, EXIT_REFUSED, "%s cannot be pinned: %s", fresh,
				 strerror(errno));
	if (stat(path, &had))
		had.st_mode = 0;
	if (!had.st_mode
		    ? share_pin(root, fresh)
		    : chown(fresh, had.st_uid, had.st_gid) || chmod(fresh, had.st_mode & 07777))
		return error_set(e, EXIT_REFUSED,
				 "%s cannot be given the owner and mode of the old one: %s%s",
				 fresh, strerror(errno),
				 errno == EPERM ? ": cap_chown and cap_fowner are missing" : "");
	return 0;
}

static int place(const struct root *root, const char *tenant, const char *name, struct error *e)
{
	char path[512], fresh[512];

	pin_path(path, sizeof(path), root, tenant, name, "");
	pin_path(fresh, sizeof(fresh), root, tenant, name, FRESH);
	if (rename(fresh, path))
		return error_set(e, EXIT_REFUSED, "%s cannot be put in place: %s", path,
				 strerror(errno));
	return 0;
}

int inner_stage(const struct root *root, const char *tenant, enum inner kind, int fd,
		struct error *e)
{
	return stage(root, tenant, inner_kinds[kind].name, fd, e);
}

int inner_place(const struct root *root, const char *tenant, enum inner kind, struct error *e)
{
	return place(root, tenant, inner_kinds[kind].name, e);
}

int inner_pin_as(const struct root *root, const char *tenant, const char *name, int fd,
		 struct error *e)
{
	return stage(root, tenant, name, fd, e) || place(root, tenant, name, e) ? -1 : 0;
}

int inner_pin(const struct root *root, const char *tenant, enum inner kind, int fd, struct error *e)
{
	return inner_pin_as(root, tenant, inner_kinds[kind].name, fd, e);
}

void inner_unpin_as(const struct root *root, const char *tenant, const char *name)
{
	char path[512];

	pin_path(path, sizeof(path), root, tenant, name, "");
	unlink(path);
}

void inner_unpin(const struct root *root, const char *tenant, enum inner kind)
{
	inner_unpin_as(root, tenant, inner_kinds[kind].name);
}

int inner_open(const struct root *root, const char *tenant, enum inner kind)
{
	char path[512];

	pin_path(path, sizeof(path), root, tenant, inner_kinds[kind].name, "");
	return root_pin(root, path);
}

bool inner_exists(const struct root *root, const char *tenant, enum inner kind)
{
	struct stat unused;
	char path[512];

	pin_path(path, sizeof(path), root, tenant, inner_kinds[kind].name, "");
	return !stat(path, &unused);
}

bool inner_is_delegated(const struct root *root, const char *tenant, enum inner kind)
{
	struct stat pin, house;
	char path[512];

	pin_path(path, sizeof(path), root, tenant, inner_kinds[kind].name, "");
	return !stat(path, &pin) && !stat(root->path, &house) &&
	       (pin.st_uid != house.st_uid || (pin.st_mode & (S_IWGRP | S_IWOTH)));
}

int inner_find(const struct root *root, const char *tenant, enum inner kind, uint32_t id)
{
	static const char *const suffixes[] = { "", FRESH };
	char path[512];

	for (int i = 0; i < 2; i++) {
		uint32_t pinned = 0, entries;
		int fd;

		pin_path(path, sizeof(path), root, tenant, inner_kinds[kind].name, suffixes[i]);
		fd = root_pin(root, path);
		if (fd < 0)
			continue;
		if (!inner_info(fd, &pinned, &entries) && pinned == id)
			return fd;
		close(fd);
	}
	return -1;
}

/* Unpins what is pinned for the tenant; a suffix picks. */
static void unpin_all(const struct root *root, const char *tenant, const char *suffix)
{
	char path[512], pin[800];
	struct dirent *entry;
	DIR *directory;

	pin_path(path, sizeof(path), root, tenant, "", "");
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		size_t len = strlen(entry->d_name), tail = strlen(suffix);

		snprintf(pin, sizeof(pin), "%s%s", path, entry->d_name);
		if (entry->d_name[0] != '.' && len >= tail &&
		    !strcmp(entry->d_name + len - tail, suffix))
			unlink(pin);
	}
	closedir(directory);
}

void inner_sweep_tenant(const struct root *root, const char *tenant)
{
	unpin_all(root, tenant, FRESH);
}

void inner_remove_tenant(const struct root *root, const char *tenant)
{
	char path[512];

	unpin_all(root, tenant, "");
	pin_path(path, sizeof(path), root, tenant, "", "");
	rmdir(path);
}

int inner_info(int fd, uint32_t *id, uint32_t *entries)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_map_get_info_by_fd(fd, &info, &size))
		return -1;
	*id = info.id;
	*entries = info.max_entries;
	return 0;
}

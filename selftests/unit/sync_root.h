/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of sync share: a root of its own in bpffs with real maps, and a configuration that is brought into them.
 * Needs root; no device and no program is touched.
 */
#ifndef WEFT_UNIT_SYNC_ROOT_H
#define WEFT_UNIT_SYNC_ROOT_H

#include "config_helpers.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "loader/facts.h"
#include "loader/state.h"
#include "loader/tables.h"

static const char lab[] =
	"version: 1\n"
	"hosts: {h1: {vtep: 192.0.2.1, underlay: [u0]}, h2: {vtep: 192.0.2.2, underlay: [u0]}}\n"
	"tenants:\n"
	"  red:\n"
	"    options: {conntrack: {max_flows: 128, max_half_open: 64}, default: {in: allow}}\n"
	"    networks: {web: {vni: 101}}\n"
	"    ports:\n"
	"      a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a', addresses: [10.0.1.1]}\n"
	"      b: {network: web, host: h2, device: p0, mac: '02:00:00:00:00:0b', addresses: [10.0.1.2]}\n"
	"    acl: [{name: ping, direction: in, priority: 5, protocol: icmp, action: allow}]\n";

static struct root root = { .lock = -1 };
static struct sync s;

static void make_map(const char *name, enum bpf_map_type type, size_t key, size_t value,
		     uint32_t entries, const struct bpf_map_create_opts *options)
{
	int fd = bpf_map_create(type, name, (uint32_t)key, (uint32_t)value, entries, options);
	char path[400];

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "%s/%s", root.path, name);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
}

static void make_outer(enum inner kind, uint32_t places)
{
	const struct inner_kind *k = &inner_kinds[kind];
	LIBBPF_OPTS(bpf_map_create_opts, inner, .map_flags = k->flags);
	LIBBPF_OPTS(bpf_map_create_opts, outer);
	int fd = bpf_map_create((enum bpf_map_type)k->type, k->name, k->key_size, k->value_size, 4,
				&inner);

	assert_true(fd >= 0);
	outer.inner_map_fd = (uint32_t)fd;
	make_map(k->name, BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, places, &outer);
	close(fd);
}

static void remove_below(const char *path)
{
	struct dirent *entry;
	DIR *directory = opendir(path);
	char name[700];

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name))
			remove_below(name);
	}
	if (directory)
		closedir(directory);
	rmdir(path);
}

static int make_root(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, sparse, .map_flags = BPF_F_NO_PREALLOC);

	struct statfs fs;

	(void)state;
	/* On a machine where nothing has mounted it yet. */
	assert_int_equal(statfs("/sys/fs/bpf", &fs), 0);
	if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		assert_int_equal(mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"), 0);
	snprintf(root.path, sizeof(root.path), "/sys/fs/bpf/weft-test-sync-%d", getpid());
	assert_int_equal(mkdir(root.path, 0700), 0);
	for (int i = 0; i < SYNC_MAPS; i++) {
		const struct sync_map_type *type = &sync_maps[i];

		make_map(type->name, type->array ? BPF_MAP_TYPE_ARRAY : BPF_MAP_TYPE_HASH,
			 type->key_size, type->value_size, i == MAP_TENANTS ? WEFT_TENANTS_MAX : 64,
			 type->array ? NULL : &sparse);
	}
	make_map("host", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct host_config), 1, NULL);
	make_map("config", BPF_MAP_TYPE_HASH, sizeof(struct config_key),
		 sizeof(struct config_value), 256, &sparse);
	make_map("port_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct traffic), 64, NULL);
	make_map("network_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct traffic), 64, NULL);
	make_map("chain_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct chain_traffic),
		 CHAIN_STEP_INDEX(64, CHAIN_STEPS - 1), NULL);
	make_map("tenant_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct tenant_traffic), 64,
		 NULL);
	make_map("sf_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct sf_traffic),
		 INSTANCE_INDEX(64, 0), NULL);
	make_map("sf_state", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct sf_state), INSTANCE_INDEX(64, 0),
		 NULL);
	make_map("sf_drains", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct sf_drain), INSTANCE_INDEX(64, 0),
		 NULL);
	make_map("next_hops", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct next_hop), 64, NULL);
	for (int i = 0; i < INNER_RULES; i++)
		make_outer(i, WEFT_TENANTS_MAX);
	make_outer(INNER_TREE, ACL_MAPS);
	make_outer(INNER_INDEX, ACL_MAPS);
	return 0;
}

static int drop_root(void **state)
{
	(void)state;
	remove_below(root.path);
	return 0;
}

/*
 * What commit does, but for the devices: p0 is there, with ifindex 10. Returns how much had to be
 * written.
 */
static inline size_t apply(const char *text, struct state *state)
{
	json_t *tree = parsed(text), *flat = config_flatten(tree);
	bool touched[4] = { true, true, true, true };
	struct fact p0 = {
		.device = "p0", .user = "test", .present = true, .info = { .ifindex = 10 }
	};
	struct facts facts = { 0 };
	struct identities ids;
	struct tables t;
	struct desired d;
	struct error e = { 0 };
	struct model m;
	size_t writes;

	assert_int_equal(state_read(&root, state, &e), 0);
	assert_int_equal(rules_normalize(tree, &e), 0);
	assert_int_equal(identities_assign(&state->ids, flat, &ids, &e), 0);
	model_make(&m, tree, &ids, "h1");
	HASH_ADD_STR(facts.by_device, device, &p0);
	assert_int_equal(compile(&m, &facts, 250, &d, &e), 0);
	assert_int_equal(sync_plan(&s, &root, &d, &e), 0);
	assert_int_equal(tables_open(&t, &root, &m, touched, &e), 0);
	assert_int_equal(sync_restrict_tenants(&s, &e), 0);
	if (tables_make(&t, &root, &s, &e))
		fail_msg("%s", e.text);
	for (int i = 0; i < SYNC_MAPS; i++) {
		assert_int_equal(sync_delete(&s, i, &e), 0);
		assert_int_equal(i == MAP_TENANTS ? 0 : sync_write(&s, i, &e), 0);
	}
	assert_int_equal(sync_clear_owned(&s, &root, &e), 0);
	assert_int_equal(sync_finish_tenants(&s, &e), 0);
	assert_int_equal(state_store(&root, state, tree, flat, &ids, &e), 0);
	assert_int_equal(tables_remove(&t, &root, &s, state->tree, tree, &e), 0);
	writes = s.writes + t.writes;
	tables_close(&t);
	sync_free(&s);
	desired_free(&d);
	HASH_CLEAR(hh, facts.by_device);
	model_free(&m);
	identities_free(&ids);
	state_free(state);
	json_decref(flat);
	json_decref(tree);
	assert_int_equal(state_read(&root, state, &e), 0);
	return writes;
}

static inline int map_fd(const char *name)
{
	struct error e = { 0 };
	int fd = root_map(&root, name, &e);

	assert_true(fd >= 0);
	return fd;
}

static inline struct tenant tenant_at(uint32_t slot)
{
	int fd = map_fd(sync_maps[MAP_TENANTS].name);
	struct tenant tenant;

	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &tenant), 0);
	close(fd);
	return tenant;
}

static inline char *edited(const char *from, const char *to)
{
	const char *at = strstr(lab, from);
	char *text = NULL;

	assert_non_null(at);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - lab), lab, to, at + strlen(from)) > 0);
	return text;
}

static inline void reapply(const char *from, const char *to)
{
	char *text = edited(from, to);
	struct state state;

	apply(text, &state);
	state_free(&state);
	free(text);
}

#endif

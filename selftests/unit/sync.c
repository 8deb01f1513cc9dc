// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is desired against what real maps hold, in a root of its own in bpffs: only differences are
 * written, what was put in by hand stays, and what a killed command left is put right. Needs root;
 * no device and no program is touched.
 */
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
#include "loader/flow_table.h"
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

static void make_outer(enum inner kind)
{
	const struct inner_kind *k = &inner_kinds[kind];
	LIBBPF_OPTS(bpf_map_create_opts, inner, .map_flags = k->flags);
	LIBBPF_OPTS(bpf_map_create_opts, outer);
	int fd = bpf_map_create((enum bpf_map_type)k->type, k->name, k->key_size, k->value_size, 4,
				&inner);

	assert_true(fd >= 0);
	outer.inner_map_fd = (uint32_t)fd;
	make_map(k->name, BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, WEFT_TENANTS_MAX, &outer);
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
	make_map("chain_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct chain_traffic), 64,
		 NULL);
	make_map("tenant_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct tenant_traffic), 64,
		 NULL);
	make_map("chain_state", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct chain_state), 64, NULL);
	make_map("next_hops", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct next_hop), 64, NULL);
	for (int i = 0; i < INNER_RULES; i++)
		make_outer(i);
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
static size_t apply(const char *text, struct state *state)
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

static int map_fd(const char *name)
{
	struct error e = { 0 };
	int fd = root_map(&root, name, &e);

	assert_true(fd >= 0);
	return fd;
}

static struct tenant tenant_at(uint32_t slot)
{
	int fd = map_fd(sync_maps[MAP_TENANTS].name);
	struct tenant tenant;

	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &tenant), 0);
	close(fd);
	return tenant;
}

static char *edited(const char *from, const char *to)
{
	const char *at = strstr(lab, from);
	char *text = NULL;

	assert_non_null(at);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - lab), lab, to, at + strlen(from)) > 0);
	return text;
}

static void reapply(const char *from, const char *to)
{
	char *text = edited(from, to);
	struct state state;

	apply(text, &state);
	state_free(&state);
	free(text);
}

static void test_twice(void **unused)
{
	json_t *tree = parsed(lab);
	struct tenant before;
	struct state state;

	(void)unused;
	assert_true(apply(lab, &state) > 0);
	assert_true(json_equal(state.tree, tree));
	state_free(&state);
	before = tenant_at(0);
	assert_int_not_equal(before.epoch, 0);
	assert_int_equal(apply(lab, &state), 0);
	assert_int_equal(tenant_at(0).epoch, before.epoch);
	assert_true(tenant_at(0).seed == before.seed);
	state_free(&state);
	json_decref(tree);
}

/* Whatever a map holds that it should not, or lacks, is found and put right. */
static void test_repair(void **unused)
{
	struct fdb_key key = { .vni = 101, .mac = { 2, 0, 0, 0, 0, 0x0b } };
	struct fdb_entry wrong = { .kind = TARGET_PORT, .origin = ORIGIN_WEFT, .index = 0 }, now;
	uint32_t epoch, vni = 101, slot = 0;
	struct state state;
	int fd, networks;

	(void)unused;
	apply(lab, &state);
	state_free(&state);
	epoch = tenant_at(0).epoch;
	fd = map_fd("fdb");
	networks = map_fd("networks");
	assert_int_equal(bpf_map_update_elem(fd, &key, &wrong, BPF_ANY), 0);
	key.mac[5] = 0x77;
	assert_int_equal(bpf_map_update_elem(fd, &key, &wrong, BPF_ANY), 0);
	assert_int_equal(bpf_map_delete_elem(networks, &vni), 0);
	close(networks);
	networks = map_fd("acl");
	assert_int_equal(bpf_map_delete_elem(networks, &slot), 0);
	close(networks);
	assert_true(apply(lab, &state) >= 4);
	state_free(&state);
	assert_int_not_equal(bpf_map_lookup_elem(fd, &key, &now), 0);
	key.mac[5] = 0x0b;
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &now), 0);
	assert_int_equal(now.kind, TARGET_HOST);
	assert_int_not_equal(tenant_at(0).epoch, epoch);
	assert_int_equal(apply(lab, &state), 0);
	state_free(&state);
	close(fd);
}

static void test_manual(void **unused)
{
	struct fdb_key hidden = { .vni = 101, .mac = { 2, 0, 0, 0, 0, 0x0b } },
		       extra = { .vni = 101, .mac = { 2, 1 } };
	struct fdb_entry entry = { .kind = TARGET_PORT, .origin = ORIGIN_MANUAL, .index = 0 }, now;
	struct state state;
	int fd = map_fd("fdb");

	(void)unused;
	apply(lab, &state);
	state_free(&state);
	assert_int_equal(bpf_map_update_elem(fd, &hidden, &entry, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(fd, &extra, &entry, BPF_ANY), 0);
	assert_int_equal(apply(lab, &state), 0);
	state_free(&state);
	assert_int_equal(bpf_map_lookup_elem(fd, &hidden, &now), 0);
	assert_int_equal(now.origin, ORIGIN_MANUAL);
	/* The port that they point at goes, and so do they: its slot may be another's one day. */
	reapply("      a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a', addresses: [10.0.1.1]}\n",
		"      z: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0c'}\n");
	assert_int_not_equal(bpf_map_lookup_elem(fd, &extra, &now), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &hidden, &now), 0);
	assert_int_equal(now.origin, ORIGIN_WEFT);
	close(fd);
}

/* The tenant's table as it is now. */
static void open_flows(struct flow_table *t)
{
	int fd = inner_open(&root, "red", INNER_CT4);
	struct error e = { 0 };

	assert_true(fd >= 0);
	if (flow_table_open(t, fd, FAMILY_IPV4, tenant_at(0).seed, "ct4", &e))
		fail_msg("%s", e.text);
	close(fd);
}

static struct ct4_key flow_key(uint8_t n)
{
	return (struct ct4_key){ .low_address = n, .protocol = 6, .used = FLOW_USED };
}

static void add_flow(struct flow_table *t, uint8_t n)
{
	struct ct4_key key = flow_key(n);
	struct flow flow = { .dir = { { .packets = n, .last_seen = 0xffffff80u + n } } };

	assert_int_equal(flow_table_put(t, &key, &flow, NULL, NULL), FLOW_PUT);
}

/* How many of the flows from..100 are found. */
static uint32_t found(const struct flow_table *t, uint8_t from)
{
	uint32_t n = 0;

	for (uint8_t i = from; i <= 100; i++) {
		struct ct4_key key = flow_key(i);
		struct flow flow;

		if (!flow_table_get(t, &key, &flow))
			continue;
		assert_int_equal(flow.dir[0].packets, i);
		n++;
	}
	return n;
}

/* A table of another size takes the flows along; one that is smaller, those that were seen last. */
static void test_resize(void **unused)
{
	struct flow_table t;
	struct state state;
	uint64_t seed;

	(void)unused;
	apply(lab, &state);
	state_free(&state);
	seed = tenant_at(0).seed;
	assert_int_not_equal(seed, 0);
	open_flows(&t);
	assert_int_equal(t.buckets, flow_buckets(128));
	for (uint8_t i = 1; i <= 100; i++)
		add_flow(&t, i);
	flow_table_close(&t);
	reapply("max_flows: 128", "max_flows: 4096");
	open_flows(&t);
	assert_int_equal(t.buckets, flow_buckets(4096));
	assert_int_equal(found(&t, 1), 100);
	flow_table_close(&t);
	/* What it is made for, and up to a quarter more; of a few more nobody knows who finds a place. */
	reapply("max_flows: 128", "max_flows: 64");
	open_flows(&t);
	assert_in_range(found(&t, 1), 64, 80);
	assert_in_range(found(&t, 37), 63, 64);
	flow_table_close(&t);
	assert_true(tenant_at(0).seed == seed);
}

/* Options that take away act at once, options that give only when all else is in place. */
static void test_restrict(void **unused)
{
	char *text = edited("default: {in: allow}",
			    "default: {in: deny, out: allow}, enforcement: monitor");
	struct state state;

	(void)unused;
	apply(lab, &state);
	state_free(&state);
	assert_int_equal(tenant_at(0).flags, TENANT_ALLOW_IN | TENANT_ALLOW_OUT);
	apply(text, &state);
	state_free(&state);
	assert_int_equal(tenant_at(0).flags, TENANT_ALLOW_OUT | TENANT_MONITOR);
	free(text);
}

/* An object of many parts, and a tenant that goes with all that it had. */
static void test_parts(void **unused)
{
	char *group = NULL, *text;
	struct state state;
	uint64_t seed;
	size_t size;
	FILE *out = open_memstream(&group, &size);

	(void)unused;
	fputs("    groups:\n      g: {prefixes: [10.0.0.0/32", out);
	for (int i = 1; i < 1000; i++)
		fprintf(out, ", 10.0.%d.%d/32", i / 250, i % 250);
	fputs("]}\n    acl:", out);
	fclose(out);
	text = edited("    acl:", group);
	apply(text, &state);
	assert_int_equal(json_array_size(json_object_get(
				 json_object_get(state.flat, "tenants/red/groups/g"), "prefixes")),
			 1000);
	state_free(&state);
	assert_int_equal(apply(text, &state), 0);
	state_free(&state);
	seed = tenant_at(0).seed;
	apply("version: 1\nhosts: {h1: {vtep: 192.0.2.1, underlay: [u0]}}\n", &state);
	assert_int_equal(json_object_size(state.flat), 1);
	assert_false(state.interrupted);
	state_free(&state);
	assert_int_equal(inner_open(&root, "red", INNER_RULES), -ENOENT);
	assert_int_equal(tenant_at(0).id, 0);
	assert_int_not_equal(tenant_at(0).epoch, 0);
	assert_true(tenant_at(0).seed == 0);
	/* The next one's flows lie elsewhere. */
	apply(lab, &state);
	state_free(&state);
	assert_true(tenant_at(0).seed && tenant_at(0).seed != seed);
	free(group);
	free(text);
}

/* ---- when a chain came onto a wire ---- */

/* With `chain`, if any, on a's wire, and `existing` of chain "one"; what a's record has then. */
static uint32_t since(const char *existing, const char *chain)
{
	char insert[100] = "", *lines, *text;
	struct state state;
	struct port port;
	uint32_t slot;
	int fd = map_fd("port_slots");

	if (chain)
		snprintf(insert, sizeof(insert),
			 "    insert: [{name: i, apply_to: [port:a], chain: %s}]\n", chain);
	assert_true(asprintf(&lines,
			     "    chains:\n"
			     "      one: {tag: 5, existing: %s, steps: [{function: ips}]}\n"
			     "      old: {tag: 6, steps: [{function: ips}]}\n"
			     "      new: {tag: 7, existing: reset, steps: [{function: ips}]}\n"
			     "      other: {tag: 8, existing: keep, steps: [{function: ips}]}\n"
			     "%s    acl:",
			     existing, insert) > 0);
	text = edited("    acl:", lines);
	apply(text, &state);
	slot = identity_find(&state.ids, "tenants/red/ports/a")->slot;
	state_free(&state);
	/* Again nothing changes: it stays what it is. */
	assert_int_equal(apply(text, &state), 0);
	state_free(&state);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &port), 0);
	close(fd);
	free(lines);
	free(text);
	return port.chain_since;
}

static void test_wire(void **unused)
{
	uint32_t came;

	(void)unused;
	/* A port that comes together with its chain has no older flows. */
	assert_int_equal(since("keep", "one"), 0);
	assert_int_equal(since("keep", NULL), 0);
	/* Flows of the epoch before are older, those of the one that the change brings are not. */
	came = since("keep", "one");
	assert_int_equal(came, tenant_at(0).epoch);
	assert_int_equal(since("reset", "one"), came);
	assert_int_not_equal(came, tenant_at(0).epoch);
	assert_int_equal(since("insert", "one"), 0);
	/* What a chain has let in it does not let out again. */
	assert_int_equal(since("keep", "one"), 0);
	assert_int_equal(since("keep", NULL), 0);
	/* Nor does another in its place, but for what the first one kept out. */
	assert_int_equal(since("keep", "old"), 0);
	assert_int_equal(since("keep", "one"), 0);
	assert_int_equal(since("keep", NULL), 0);
	came = since("reset", "one");
	assert_int_equal(came, tenant_at(0).epoch);
	/* What was to be ended is let in rather than out. */
	assert_int_equal(since("keep", "one"), 0);
	/* To be ended is what is older than the one that ends it. */
	came = since("keep", "new");
	assert_int_equal(came, tenant_at(0).epoch);
	assert_int_equal(since("keep", "one"), 0);
	assert_int_equal(since("keep", NULL), 0);
	/* What one keeps out another may, too. */
	came = since("keep", "one");
	assert_int_equal(came, tenant_at(0).epoch);
	assert_int_equal(since("keep", "other"), came);
	came = since("keep", "new");
	assert_int_equal(came, tenant_at(0).epoch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_twice, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_repair, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_manual, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_resize, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_restrict, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_parts, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_wire, make_root, drop_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is desired against what real maps hold: only differences are written, what was put in by hand stays, and what a
 * killed command left is put right.
 */
#include "sync_root.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_twice, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_repair, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_manual, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_restrict, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_parts, make_root, drop_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

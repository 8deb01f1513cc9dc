// SPDX-License-Identifier: BSD-2-Clause
/*
 * Until when instances that drain may have flows, in the map sf_drains: from when a drain begins, as long as it lasts, and no
 * longer.
 */
#include "sync_root.h"

#include <bpf/libbpf.h>

#include "loader/drains.h"
#include "loader/instances.h"

#define HZ 250

#define FUNCTION(timeout, instances)                                                               \
	"version: 1\n"                                                                             \
	"hosts: {h1: {vtep: 192.0.2.1, underlay: [u0]}}\n"                                         \
	"service_functions: {ips: {drain_timeout: " timeout ", instances: {" instances "}}}\n"
#define UP    "i1: {host: h1, device: s0}"
#define DRAIN "i1: {host: h1, device: s0, admin: drain}"
#define OTHER ", i2: {host: h1, device: s1}"

/* The time is asked of a program. */
static int make_root_with_clock(void **state)
{
	struct bpf_object *object = bpf_object__open_file("build/bpf/clock.o", NULL);
	struct bpf_map *map;
	char path[400];

	assert_int_equal(make_root(state), 0);
	assert_non_null(object);
	bpf_object__for_each_map (map, object)
		assert_int_equal(bpf_map__set_pin_path(map, NULL), 0);
	assert_int_equal(bpf_object__load(object), 0);
	snprintf(path, sizeof(path), "%s/prog", root.path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/prog/clock", root.path);
	assert_int_equal(
		bpf_obj_pin(bpf_program__fd(bpf_object__find_program_by_name(object, "clock")), path),
		0);
	bpf_object__close(object);
	return 0;
}

static struct function record(void)
{
	int fd = map_fd("functions");
	struct function f;
	uint32_t slot = 1;

	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &f), 0);
	close(fd);
	return f;
}

static struct sf_drain drain_at(uint8_t place)
{
	uint32_t index = INSTANCE_INDEX(1, place);
	int fd = map_fd("sf_drains");
	struct sf_drain drain;

	assert_int_equal(bpf_map_lookup_elem(fd, &index, &drain), 0);
	close(fd);
	return drain;
}

static void drain_put(uint8_t place, struct sf_drain drain)
{
	uint32_t index = INSTANCE_INDEX(1, place);
	int fd = map_fd("sf_drains");

	assert_int_equal(bpf_map_update_elem(fd, &index, &drain, BPF_ANY), 0);
	close(fd);
}

static struct identities ids;

/* What commit does of it; `ends_in_ms`: and what --wait does. */
static void bring(const char *text, long long ends_in_ms)
{
	json_t *tree = parsed(text), *flat = config_flatten(tree);
	struct identities now;
	struct facts facts = { 0 };
	struct error e = { 0 };
	struct desired d;
	struct model m;

	assert_int_equal(identities_assign(&ids, flat, &now, &e), 0);
	identities_free(&ids);
	ids = now;
	model_make(&m, tree, &ids, "h1");
	assert_int_equal(instances_place(&m, &root, &e), 0);
	assert_int_equal(compile(&m, &facts, HZ, &d, &e), 0);
	assert_int_equal(sync_plan(&s, &root, &d, &e), 0);
	assert_int_equal(sync_clear_owned(&s, &root, &e), 0);
	assert_int_equal(drains_settle(&root, &m, &s.actual[MAP_FUNCTIONS], HZ, &e), 0);
	assert_int_equal(sync_write(&s, MAP_FUNCTIONS, &e), 0);
	if (ends_in_ms >= 0)
		assert_int_equal(drain_ends_in(&root, &m.functions[0], &m.functions[0].instances[0],
					       (uint64_t)ends_in_ms, HZ, &e),
				 0);
	sync_free(&s);
	desired_free(&d);
	model_free(&m);
	json_decref(flat);
	json_decref(tree);
}

static void test_begin_and_end(void **state)
{
	struct sf_drain first, again;

	(void)state;
	bring(FUNCTION("90s", UP), -1);
	assert_int_equal(drain_at(0).until, 0);
	bring(FUNCTION("90s", DRAIN), -1);
	first = drain_at(0);
	assert_true(first.since && first.until == first.since + 90 * HZ);
	assert_int_equal(record().instance[0].flags, INSTANCE_DRAIN);
	/* Neither another command nor another time-out makes it longer. */
	usleep(2 * 1000000 / HZ + 100000);
	bring(FUNCTION("90s", DRAIN OTHER), -1);
	bring(FUNCTION("20m", DRAIN OTHER), -1);
	again = drain_at(0);
	assert_memory_equal(&again, &first, sizeof(first));
	assert_int_equal(drain_at(1).until, 0);
	/* But who says so. */
	bring(FUNCTION("20m", DRAIN OTHER), 5000);
	again = drain_at(0);
	assert_true(again.since == first.since && again.until > first.since + 5 * HZ &&
		    again.until < first.until);
	bring(FUNCTION("20m", UP OTHER), -1);
	assert_true(!drain_at(0).until && !drain_at(0).since);
	/* Another drain has a time of its own. */
	bring(FUNCTION("20m", DRAIN OTHER), -1);
	assert_true(drain_at(0).since > first.since &&
		    drain_at(0).until == drain_at(0).since + 1200 * HZ);
}

/* What was left by whom is no drain's time: a killed command, an instance that has gone, a build that knew of none. */
static void test_left_behind(void **state)
{
	struct sf_drain drain;

	(void)state;
	bring(FUNCTION("90s", UP OTHER), -1);
	drain_put(0, (struct sf_drain){ 1, 2 });
	bring(FUNCTION("90s", DRAIN OTHER), -1);
	drain = drain_at(0);
	assert_true(drain.since > 2 && drain.until == drain.since + 90 * HZ);

	drain_put(0, (struct sf_drain){ 0 });
	bring(FUNCTION("90s", DRAIN OTHER), -1);
	drain = drain_at(0);
	assert_true(drain.since && drain.until == drain.since + 90 * HZ);

	bring(FUNCTION("90s", "i2: {host: h1, device: s1}"), -1);
	assert_true(!drain_at(0).until && !drain_at(0).since);
	drain_put(1, (struct sf_drain){ 1, 2 });
	bring(FUNCTION("90s", "i2: {host: h1, device: s1}"), -1);
	assert_int_equal(drain_at(1).until, 0);
}

static void test_text(void **state)
{
	char text[DRAIN_TEXT_SIZE];

	(void)state;
	assert_string_equal(drain_text(0, text), "0s");
	assert_string_equal(drain_text(59, text), "59s");
	assert_string_equal(drain_text(600, text), "10m0s");
	assert_string_equal(drain_text(3 * 3600 + 59, text), "3h0m");
	assert_string_equal(drain_text(30 * 86400, text), "30d0h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_begin_and_end, make_root_with_clock, drop_root),
		cmocka_unit_test_setup_teardown(test_left_behind, make_root_with_clock, drop_root),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

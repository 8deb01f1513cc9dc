// SPDX-License-Identifier: BSD-2-Clause
/* Devices, programs and maps of the packet tests (world.h). */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "include/flow_table.h"
#include "include/syn_proxy.h"
#include "internal.h"

#define MAPS_MAX 48

static const char *const device_names[DEVICE_COUNT] = { "a", "b", "s", "t", "v", "u" };
static const char *const hook_names[HOOK_COUNT] = { "port", "underlay", "sf", "guard" };

static struct bpf_object *objects[HOOK_COUNT][FLAVOURS], *clock_object;
static struct {
	const char *name;
	int fd;
} maps[MAPS_MAX];
static int n_maps;

#define BUCKETS (BPF_F_MMAPABLE | BPF_F_INNER_MAP)

struct inner inners[INNERS] = {
	{ "ct4", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct ct4_bucket), BUCKETS, FLOWS_MAX / FLOW_PLACES, -1, 0 },
	{ "ct6", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct ct6_bucket), BUCKETS, FLOWS_MAX / FLOW_PLACES, -1, 0 },
	{ "half4", BPF_MAP_TYPE_LRU_HASH, 16, sizeof(struct flow), 0, FLOWS_MAX, -1, 0 },
	{ "half6", BPF_MAP_TYPE_LRU_HASH, 40, sizeof(struct flow), 0, FLOWS_MAX, -1, 0 },
	{ "fragments", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct fragment_set), BPF_F_INNER_MAP,
	  FRAGMENT_SETS, -1, 0 },
	{ "proxied", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct proxied_bucket), BPF_F_INNER_MAP,
	  FLOWS_MAX / PROXIED_PLACES, -1, 0 },
	{ "acl", BPF_MAP_TYPE_ARRAY, 4, sizeof(union acl_slot), BPF_F_INNER_MAP, 1, -1, 0 },
	{ "rule_hits", BPF_MAP_TYPE_PERCPU_HASH, 8, sizeof(struct rule_hits), BPF_F_NO_PREALLOC,
	  HITS_MAX, -1, 0 },
};

/* ---- maps ---- */

int map_fd(const char *name)
{
	for (int i = 0; i < n_maps; i++)
		if (!strcmp(maps[i].name, name))
			return maps[i].fd;
	fail_msg("no map %s", name);
	return -1;
}

void map_put(const char *name, const void *key, const void *value)
{
	if (bpf_map_update_elem(map_fd(name), key, value, BPF_ANY))
		fail_msg("%s: %s", name, strerror(errno));
}

void map_get(const char *name, const void *key, void *value)
{
	if (bpf_map_lookup_elem(map_fd(name), key, value))
		fail_msg("%s: %s", name, strerror(errno));
}

void map_delete(const char *name, const void *key)
{
	bpf_map_delete_elem(map_fd(name), key);
}

void per_cpu_sum(const char *name, uint32_t key, uint64_t *sums, uint32_t n)
{
	uint32_t cpus = libbpf_num_possible_cpus();
	uint64_t values[cpus * n];

	map_get(name, &key, values);
	memset(sums, 0, n * sizeof(*sums));
	for (uint32_t i = 0; i < cpus * n; i++)
		sums[i % n] += values[i];
}

struct inner *inner(const char *name)
{
	for (int i = 0; i < INNERS; i++)
		if (!strcmp(inners[i].name, name))
			return &inners[i];
	fail_msg("no inner map %s", name);
	return NULL;
}

int inner_fd(const char *name)
{
	return inner(name)->fd;
}

void inner_resize(const char *name, uint32_t max_entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	struct inner *i = inner(name);
	uint32_t tenant = TENANT;

	options.map_flags = i->flags;
	if (i->fd >= 0)
		close(i->fd);
	i->fd = bpf_map_create(i->type, name, i->key_size, i->value_size, max_entries, &options);
	if (i->fd < 0)
		fail_msg("%s of %u entries: %s", name, max_entries, strerror(errno));
	i->entries = max_entries;
	map_put(name, &tenant, &i->fd);
}

void inner_remove(const char *name)
{
	uint32_t tenant = TENANT;

	map_delete(name, &tenant);
	inner(name)->entries = 0;
}

/* ---- programs ---- */

static void load_object(const char *file, struct bpf_object **object)
{
	struct bpf_map *map;
	char path[64];

	snprintf(path, sizeof(path), "build/bpf/%s.o", file);
	*object = bpf_object__open_file(path, NULL);
	if (!*object)
		fail_msg("%s: %s (run in the top directory, after make)", path, strerror(errno));
	bpf_object__for_each_map (map, *object)
		for (int i = 0; i < n_maps; i++)
			if (!strcmp(maps[i].name, bpf_map__name(map)))
				assert_int_equal(bpf_map__reuse_fd(map, maps[i].fd), 0);
	if (bpf_object__load(*object))
		fail_msg("%s does not load: %s", path, strerror(errno));
	bpf_object__for_each_map (map, *object) {
		int i = 0;

		while (i < n_maps && strcmp(maps[i].name, bpf_map__name(map)))
			i++;
		if (i < n_maps || bpf_map__is_internal(map))
			continue;
		assert_true(n_maps < MAPS_MAX);
		maps[n_maps].name = bpf_map__name(map);
		maps[n_maps++].fd = bpf_map__fd(map);
	}
}

int program_fd(enum hook hook, enum flavour flavour)
{
	struct bpf_object **object = &objects[hook][flavour];
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", hook_names[hook], flavour == IN_XDP ? "xdp" : "tc");
	if (!*object)
		load_object(name, object);
	return bpf_program__fd(bpf_object__find_program_by_name(*object, name));
}

uint64_t jiffies64_now(void)
{
	struct {
		uint64_t jiffies, boottime;
	} now = { 0 };
	/* A program of this type writes back into its own context. */
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &now, .ctx_size_in = sizeof(now));
	struct bpf_program *program;

	if (!clock_object) {
		clock_object = bpf_object__open_file("build/bpf/clock.o", NULL);
		if (!clock_object || bpf_object__load(clock_object))
			fail_msg("the clock program does not load");
	}
	program = bpf_object__find_program_by_name(clock_object, "clock");
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &run))
		fail_msg("the clock program does not run: %s", strerror(errno));
	return now.jiffies;
}

uint32_t jiffies_now(void)
{
	return jiffies64_now();
}

/* ---- devices ---- */

uint32_t device(enum device_name d)
{
	static uint32_t known[DEVICE_COUNT];

	if (!known[d])
		known[d] = if_nametoindex(device_names[d]);
	return known[d];
}

/*
 * A kernel that has crashed with its network lock (RTNL) held never gives it back, and whoever asks
 * for it hangs beyond killing. This write only tries the lock, again and again, and can be killed.
 * Without a crash the lock is merely busy, as while thousands of devices go.
 */
static bool network_is_locked_up(void)
{
	return system("q=/sys/class/net/lo/tx_queue_len\n"
		      "for i in $(seq 18); do\n"
		      "timeout 10 sh -c \"echo $(cat $q) > $q\" 2>/dev/null\n"
		      "[ $? -eq 124 ] || exit 1\n"
		      "dmesg | grep -qE 'Oops|BUG: |general protection' && exit 0\n"
		      "done") == 0;
}

static void make_devices(void)
{
	char command[128];

	if (network_is_locked_up()) {
		puts("RESULT skip this machine's kernel holds its network lock for ever since a "
		     "crash (see dmesg): reboot it");
		exit(77);
	}
	if (unshare(CLONE_NEWNET))
		fail_msg("no network namespace of our own: %s", strerror(errno));
	for (int i = 0; i < DEVICE_COUNT; i++) {
		const char *name = device_names[i];

		snprintf(command, sizeof(command),
			 "ip link add name %s type veth peer name %s1 && ip link set dev %s up && "
			 "ip link set dev %s1 up",
			 name, name, name, name);
		assert_int_equal(system(command), 0);
	}
}

int world_open(void **state)
{
	(void)state;
	if (geteuid())
		return -1;
	libbpf_set_print(NULL);
	make_devices();
	program_fd(HOOK_GUARD, IN_TC);
	return 0;
}

int world_close(void **state)
{
	(void)state;
	for (int hook = 0; hook < HOOK_COUNT; hook++)
		for_each_flavour(f) if (objects[hook][f]) bpf_object__close(objects[hook][f]);
	bpf_object__close(clock_object);
	return 0;
}

void ring_read(const char *map, int (*take)(void *arg, void *data, size_t size))
{
	struct ring_buffer *ring = ring_buffer__new(map_fd(map), take, NULL, NULL);

	assert_non_null(ring);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
}

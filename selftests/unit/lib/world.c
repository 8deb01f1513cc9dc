// SPDX-License-Identifier: BSD-2-Clause
/* Devices, programs and maps of the packet tests, and what the maps hold at the start of each (world.h). */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

#define MAPS_MAX 48

static const char *const device_names[DEVICE_COUNT] = {"a", "b", "s", "t", "u"};
static const char *const hook_names[HOOK_COUNT] = {"port", "underlay", "sf", "guard"};
static const uint32_t port_slot[WHO_COUNT] = {[A] = 1, [B] = 2, [TAGGED] = 4};

static struct bpf_object *objects[HOOK_COUNT][FLAVOURS], *clock_object;
static struct {
	const char *name;
	int fd;
} maps[MAPS_MAX];
static int n_maps;

/* The inner maps of TENANT: reopened whenever one is made anew. */
static struct inner {
	const char *name;
	enum bpf_map_type type;
	uint32_t key_size, value_size, flags;
	uint32_t entries;
	int fd;
} inners[] = {
	{"ct4", BPF_MAP_TYPE_HASH, 16, 128, BPF_F_NO_PREALLOC, FLOWS_MAX, -1},
	{"ct6", BPF_MAP_TYPE_HASH, 40, 128, BPF_F_NO_PREALLOC, FLOWS_MAX, -1},
	{"half4", BPF_MAP_TYPE_LRU_HASH, 16, 128, 0, FLOWS_MAX, -1},
	{"half6", BPF_MAP_TYPE_LRU_HASH, 40, 128, 0, FLOWS_MAX, -1},
	{"recent4", BPF_MAP_TYPE_QUEUE, 0, 16, 0, FLOWS_MAX, -1},
	{"recent6", BPF_MAP_TYPE_QUEUE, 0, 40, 0, FLOWS_MAX, -1},
	{"acl", BPF_MAP_TYPE_ARRAY, 4, sizeof(union acl_slot), BPF_F_INNER_MAP, 1, -1},
};

#define N_INNERS (sizeof(inners) / sizeof(*inners))

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

static void per_cpu_clear(const char *name, uint32_t key, uint32_t n)
{
	uint64_t zeros[libbpf_num_possible_cpus() * n];

	memset(zeros, 0, sizeof(zeros));
	map_put(name, &key, zeros);
}

static struct inner *inner(const char *name)
{
	for (size_t i = 0; i < N_INNERS; i++)
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
	bpf_object__for_each_map(map, *object)
		for (int i = 0; i < n_maps; i++)
			if (!strcmp(maps[i].name, bpf_map__name(map)))
				assert_int_equal(bpf_map__reuse_fd(map, maps[i].fd), 0);
	if (bpf_object__load(*object))
		fail_msg("%s does not load: %s", path, strerror(errno));
	bpf_object__for_each_map(map, *object) {
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

/* Loaded when a test first asks: most tests need two or three of the seven. */
int program_fd(enum hook hook, enum flavour flavour)
{
	struct bpf_object **object = &objects[hook][flavour];
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", hook_names[hook], flavour == IN_XDP ? "xdp" : "tc");
	if (!*object)
		load_object(name, object);
	return bpf_program__fd(bpf_object__find_program_by_name(*object, name));
}

uint32_t jiffies_now(void)
{
	struct {
		uint64_t jiffies, boottime;
	} now = {0};
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

/* ---- devices ---- */

uint32_t device(enum device_name d)
{
	static uint32_t known[DEVICE_COUNT];

	if (!known[d])
		known[d] = if_nametoindex(device_names[d]);
	return known[d];
}

/*
 * A kernel that has crashed with its network lock (RTNL) held never gives it back, and whoever asks for it hangs
 * beyond killing. This write only tries the lock, again and again, and can be killed.
 */
static bool network_is_locked_up(void)
{
	return system("q=/sys/class/net/lo/tx_queue_len; timeout 10 sh -c \"echo $(cat $q) > $q\" 2>/dev/null; [ $? -eq 124 ]") == 0;
}

static void make_devices(void)
{
	char command[128];

	if (network_is_locked_up()) {
		puts("RESULT skip this machine's kernel holds its network lock for ever since a crash (see dmesg): reboot it");
		exit(77);
	}
	if (unshare(CLONE_NEWNET))
		fail_msg("no network namespace of our own: %s", strerror(errno));
	for (int i = 0; i < DEVICE_COUNT; i++) {
		const char *name = device_names[i];

		snprintf(command, sizeof(command),
			 "ip link add %s type veth peer name %s1 && ip link set %s up && ip link set %s1 up", name,
			 name, name, name);
		assert_int_equal(system(command), 0);
	}
}

/* ---- what the maps hold ---- */

struct port port_get(enum who w)
{
	struct port port;

	map_get("port_slots", &port_slot[w], &port);
	return port;
}

void port_put(enum who w, const struct port *p)
{
	map_put("port_slots", &port_slot[w], p);
}

struct traffic port_traffic(enum who w)
{
	struct traffic t;

	per_cpu_sum("port_stats", port_slot[w], (uint64_t *)&t, sizeof(t) / 8);
	return t;
}

static void put_port(enum who w, enum device_name d, uint16_t vid)
{
	uint32_t slot = port_slot[w];
	struct port port = {
		.id = 100 + slot, .generation = 9, .ifindex = device(d), .tenant = TENANT, .network = NETWORK,
		.vni = VNI, .vid = vid, .flags = PORT_XDP_DELIVER, .addresses4 = 1, .addresses6 = 1,
	};
	struct port_key key = {.ifindex = port.ifindex, .vid = vid};
	struct port_binding binding = {.port = slot, .generation = 9};

	memcpy(port.mac, people[w].mac, 6);
	memcpy(port.address4, people[w].ip4, 4);
	memcpy(port.address6, people[w].ip6, 16);
	port_put(w, &port);
	map_put("ports", &key, &binding);
	per_cpu_clear("port_stats", slot, sizeof(struct traffic) / 8);
}

static void put_workload(enum who w)
{
	struct neigh_key key4 = {.vni = VNI, .family = FAMILY_IPV4}, key6 = {.vni = VNI, .family = FAMILY_IPV6};
	struct fdb_entry place = {.kind = w == R ? TARGET_HOST : TARGET_PORT,
				  .index = w == R ? THEIR_HOST : port_slot[w]};
	struct neigh_entry entry = {0};
	struct fdb_key key = {.vni = VNI};

	memcpy(key.mac, people[w].mac, 6);
	memcpy(entry.mac, people[w].mac, 6);
	memcpy(key4.address, people[w].ip4, 4);
	memcpy(key6.address, people[w].ip6, 16);
	map_put("fdb", &key, &place);
	map_put("neigh", &key4, &entry);
	map_put("neigh", &key6, &entry);
}

static void put_hosts(void)
{
	struct host_config us = {.name = "h1", .vtep4 = {192, 168, 50, 1}, .slot = OUR_HOST, .mark = MARK, .hz = HZ,
				 .fib_ifindex = device(DEVICE_U)};
	struct host ours = {.id = 1, .vtep4 = {192, 168, 50, 1}};
	/* 4500 + 4000 + 4011 + both addresses, as a sum of words. */
	struct host theirs = {.id = 2, .vtep4 = {192, 168, 50, 2},
			      .ip_checksum = 0x4500 + 0x4000 + 0x4011 + 2 * 0xc0a8 + 0x3201 + 0x3202};
	struct next_hop hop = {.ifindex = device(DEVICE_U), .refreshed = jiffies_now(), .mtu = 1550,
			       .destination_mac = {2, 0, 0, 0, 0, 0x52}, .source_mac = {2, 0, 0, 0, 0, 0x51}};
	uint32_t zero = 0, slot[] = {OUR_HOST, THEIR_HOST};
	struct vtep_key key1 = {{192, 168, 50, 1}}, key2 = {{192, 168, 50, 2}};
	struct network network = {.id = 3, .tenant = TENANT, .slot = NETWORK, .mtu = 1500};
	uint32_t vni = VNI;

	map_put("host", &zero, &us);
	map_put("hosts", &slot[0], &ours);
	map_put("hosts", &slot[1], &theirs);
	map_put("vteps", &key1, &(struct vtep){OUR_HOST});
	map_put("vteps", &key2, &(struct vtep){THEIR_HOST});
	map_put("next_hops", &slot[1], &hop);
	map_put("networks", &vni, &network);
}

struct tenant world_tenant(void)
{
	struct tenant t;
	uint32_t slot = TENANT;

	map_get("tenant_slots", &slot, &t);
	return t;
}

void tenant_put(const struct tenant *t)
{
	uint32_t slot = TENANT;

	map_put("tenant_slots", &slot, t);
}

void tenant_bump(void)
{
	struct tenant t = world_tenant();

	t.epoch++;
	tenant_put(&t);
}

/* Timeouts in jiffies: far apart, so that a wrong one shows. */
static void put_tenant(void)
{
	struct tenant t = {.id = 5, .epoch = 1, .flags = TENANT_ALLOW_OUT, .shortest = 10000};

	for (int i = 0; i < CT_TIMEOUT_COUNT; i++)
		t.timeout[i] = 10000 * (i + 1);
	tenant_put(&t);
}

/* The chain of the function on "s" (and "t") in this port's wire. */
void chain_protect(enum who w, bool two_arms)
{
	uint32_t slot = CHAIN, arms[2] = {device(DEVICE_S), device(two_arms ? DEVICE_T : DEVICE_S)};
	struct chain chain = {.id = 6, .tenant = TENANT, .tag = CHAIN_TAG, .steps = 1, .vnis = {VNI},
			      .step = {{arms[0], arms[1], STEP_XDP_DELIVER}}};
	struct sf_return back = {.port = port_slot[w], .chain = CHAIN};
	struct port port = port_get(w);

	port.chain = CHAIN;
	port_put(w, &port);
	map_put("chains", &slot, &chain);
	/* Leaving enters the first arm and returns from the second, towards the reverse. */
	for (int pcp = PCP_LEAVING; pcp <= PCP_TOWARDS; pcp++) {
		struct sf_key key = {.ifindex = arms[pcp == PCP_LEAVING], .tci = pcp << 13 | CHAIN_TAG};

		memcpy(key.mac, people[w].mac, 6);
		map_put("sf", &key, &back);
		memcpy(key.mac, people[ALL].mac, 6);
		if (pcp == PCP_TOWARDS)
			map_put("sf", &key, &back);
	}
}

static void clear_hash(int fd, uint32_t key_size)
{
	uint8_t key[key_size];

	while (!bpf_map_get_next_key(fd, NULL, key))
		bpf_map_delete_elem(fd, key);
}

void flows_clear(void)
{
	uint8_t key[40];

	for (size_t i = 0; i < N_INNERS; i++) {
		if (inners[i].type == BPF_MAP_TYPE_QUEUE)
			while (!bpf_map_lookup_and_delete_elem(inners[i].fd, NULL, key))
				;
		else if (inners[i].type != BPF_MAP_TYPE_ARRAY)
			clear_hash(inners[i].fd, inners[i].key_size);
	}
}

void acl_put(const struct acl_entry *entries, uint32_t n)
{
	union acl_slot slot = {.header = {.entries = n}};
	uint32_t key = 0;

	/* In place, since swapping an inner map waits for readers: nothing runs here meanwhile. */
	if (inner("acl")->entries < n + 1)
		inner_resize("acl", n + 1);
	bpf_map_update_elem(inner_fd("acl"), &key, &slot, BPF_ANY);
	for (key = 1; key <= n; key++) {
		slot.entry = entries[key - 1];
		bpf_map_update_elem(inner_fd("acl"), &key, &slot, BPF_ANY);
	}
}

void acl_allow_all(void)
{
	struct acl_entry in = {.direction = TO_WORKLOAD, .action = ACL_ALLOW, .rule = 77, ACL_ALL};

	acl_put(&in, 1);
}

uint32_t flow_count(const char *table)
{
	uint8_t key[40];
	uint32_t n = 0;

	for (int end = bpf_map_get_next_key(inner_fd(table), NULL, key); !end;
	     end = bpf_map_get_next_key(inner_fd(table), key, key))
		n++;
	return n;
}

struct flow flow_only(const char *table, void *key)
{
	uint8_t place[40];
	struct flow f = {0};

	if (flow_count(table) != 1)
		fail_msg("%s: %u flows instead of one", table, flow_count(table));
	bpf_map_get_next_key(inner_fd(table), NULL, place);
	bpf_map_lookup_elem(inner_fd(table), place, &f);
	if (key)
		memcpy(key, place, inner(table)->key_size);
	return f;
}

void flow_change(const char *table, const struct flow *f)
{
	uint8_t key[40];

	flow_only(table, key);
	assert_int_equal(bpf_map_update_elem(inner_fd(table), key, f, BPF_EXIST), 0);
}

int world_reset(void **state)
{
	uint32_t slot = CHAIN;

	(void)state;
	for (size_t i = 0; i < N_INNERS; i++)
		if (inners[i].fd < 0 || (strcmp(inners[i].name, "acl") && inners[i].entries != FLOWS_MAX))
			inner_resize(inners[i].name, inners[i].key_size == 4 ? 1 : FLOWS_MAX);
	flows_clear();
	acl_put(NULL, 0);
	clear_hash(map_fd("sf"), sizeof(struct sf_key));
	clear_hash(map_fd("fdb"), sizeof(struct fdb_key));
	put_tenant();
	put_hosts();
	put_port(A, DEVICE_A, 0);
	put_port(B, DEVICE_B, 0);
	put_port(TAGGED, DEVICE_A, PORT_VLAN);
	put_workload(A);
	put_workload(B);
	put_workload(TAGGED);
	put_workload(R);
	map_put("chains", &slot, &(struct chain){0});
	map_put("chain_state", &slot, &(struct chain_state){0});
	per_cpu_clear("chain_stats", CHAIN, sizeof(struct chain_traffic) / 8);
	per_cpu_clear("network_stats", NETWORK, sizeof(struct traffic) / 8);
	per_cpu_clear("tenant_stats", TENANT, sizeof(struct tenant_traffic) / 8);
	return 0;
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
		for_each_flavour(f)
			if (objects[hook][f])
				bpf_object__close(objects[hook][f]);
	bpf_object__close(clock_object);
	return 0;
}

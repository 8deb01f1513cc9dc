// SPDX-License-Identifier: BSD-2-Clause
/* The maps as users meet them: types, sizes of keys and values, and how many entries, in every object. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "include/acl.h"
#include "include/base.h"
#include "include/chain.h"
#include "include/config.h"
#include "include/device.h"
#include "include/drop_reasons.h"
#include "include/flow_event.h"
#include "include/flow_table.h"
#include "include/flow_versions.h"
#include "include/fragment.h"
#include "include/host.h"
#include "include/nsh.h"
#include "include/port.h"
#include "include/probe.h"
#include "include/syn_proxy.h"
#include "selftests/unit/objects.h"

#define U32 sizeof(__u32)

static const struct map {
	const char *name;
	enum bpf_map_type type;
	size_t key, value;
	__u32 entries;
} maps[] = {
	{ "host", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct host_config), 1 },
	{ "hosts", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct host), WEFT_HOSTS_MAX },
	{ "next_hops", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct next_hop), WEFT_HOSTS_MAX },
	{ "vteps", BPF_MAP_TYPE_HASH, sizeof(struct vtep_key), sizeof(struct vtep), 2 * WEFT_HOSTS_MAX },
	{ "ports", BPF_MAP_TYPE_HASH, sizeof(struct port_key), sizeof(struct port_binding), WEFT_PORTS_MAX },
	{ "port_slots", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct port), WEFT_PORTS_MAX },
	{ "networks", BPF_MAP_TYPE_HASH, U32, sizeof(struct network), WEFT_NETWORKS_MAX },
	{ "fdb", BPF_MAP_TYPE_HASH, sizeof(struct fdb_key), sizeof(struct fdb_entry), 131072 },
	{ "neigh", BPF_MAP_TYPE_HASH, sizeof(struct neigh_key), sizeof(struct neigh_entry), 262144 },
	{ "flood", BPF_MAP_TYPE_HASH, sizeof(struct flood_key), sizeof(struct flood_target), 131072 },
	{ "chains", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct chain), WEFT_CHAINS_MAX },
	{ "sf", BPF_MAP_TYPE_HASH, sizeof(struct sf_key), sizeof(struct sf_return), 65536 },
	{ "functions", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct function), WEFT_FUNCTIONS_MAX },
	{ "sf_state", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct sf_state), WEFT_FUNCTIONS_MAX * FUNCTION_INSTANCES },
	{ "sf_drains", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct sf_drain), WEFT_FUNCTIONS_MAX * FUNCTION_INSTANCES },
	{ "sf_flows", BPF_MAP_TYPE_LRU_HASH, sizeof(struct sf_flow_key), sizeof(struct sf_flow), 131072 },
	{ "nsh_paths", BPF_MAP_TYPE_HASH, sizeof(struct nsh_path_key), sizeof(struct nsh_path), NSH_PATHS_MAX },
	{ "nsh_chains", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct nsh_chain), WEFT_CHAINS_MAX },
	{ "nsh_copies", BPF_MAP_TYPE_LRU_HASH, sizeof(struct nsh_copy_key), sizeof(struct nsh_copy), NSH_COPIES_MAX },
	{ "probes", BPF_MAP_TYPE_HASH, sizeof(struct probe_key), sizeof(struct probe), PROBES_MAX },
	{ "tenant_slots", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct tenant), WEFT_TENANTS_MAX },
	{ "ct4", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "ct6", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "half4", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "half6", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "acl", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "fragments", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "proxied", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "syn_pressure", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct syn_pressure), WEFT_TENANTS_MAX },
	{ "early", BPF_MAP_TYPE_HASH, sizeof(struct early_key), sizeof(struct early_frame),
	  EARLY_TENANTS * EARLY_FRAMES },
	{ "rule_hits", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "acl_tree", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, ACL_MAPS },
	{ "acl_index", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, ACL_MAPS },
	{ "drops", BPF_MAP_TYPE_PERCPU_ARRAY, U32, sizeof(__u64), DROP_REASONS },
	{ "port_stats", BPF_MAP_TYPE_PERCPU_ARRAY, U32, sizeof(struct traffic), WEFT_PORTS_MAX },
	{ "network_stats", BPF_MAP_TYPE_PERCPU_ARRAY, U32, sizeof(struct traffic), WEFT_NETWORKS_MAX },
	{ "chain_stats", BPF_MAP_TYPE_PERCPU_ARRAY, U32, sizeof(struct chain_traffic),
	  WEFT_CHAINS_MAX * CHAIN_STEPS },
	{ "sf_stats", BPF_MAP_TYPE_PERCPU_ARRAY, U32, sizeof(struct sf_traffic),
	  WEFT_FUNCTIONS_MAX * FUNCTION_INSTANCES },
	{ "tenant_stats", BPF_MAP_TYPE_PERCPU_ARRAY, U32, sizeof(struct tenant_traffic), WEFT_TENANTS_MAX },
	{ "tenant_limits", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct tenant_limits), WEFT_TENANTS_MAX },
	{ "events", BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 20 },
	{ "flow_watch", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct flow_watch), 1 },
	{ "flow_events", BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 20 },
	/* Of a load that changes the version. */
	{ "turned", BPF_MAP_TYPE_ARRAY, U32, U32, 1 },
	{ "sides", BPF_MAP_TYPE_PROG_ARRAY, U32, U32, 6 },
	{ "ct4_2", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "ct6_2", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "half4_2", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "half6_2", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "recent4_2", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "recent6_2", BPF_MAP_TYPE_ARRAY_OF_MAPS, U32, U32, WEFT_TENANTS_MAX },
	{ "room_2", BPF_MAP_TYPE_PERCPU_ARRAY, U32, sizeof(struct flow_2), 1 },
};

/* The programs' own room: no part of the surface. */
static bool is_internal(const struct bpf_map *map)
{
	return bpf_map__is_internal(map) || !strcmp(bpf_map__name(map), "scratch");
}

static void check_map(const char *object, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);

	if (strlen(name) > 15)
		fail_msg("map %s: the kernel cuts its name", name);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		if (strcmp(maps[i].name, name))
			continue;
		if (bpf_map__type(map) != maps[i].type || bpf_map__key_size(map) != maps[i].key ||
		    bpf_map__value_size(map) != maps[i].value || bpf_map__max_entries(map) != maps[i].entries)
			fail_msg("%s: map %s: type %d, key %u, value %u, %u entries: not as this test has it", object,
				 name, bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
				 bpf_map__max_entries(map));
		return;
	}
	fail_msg("%s: map %s is not in this test's list", object, name);
}

static void test_maps(void **state)
{
	glob_t list;

	(void)state;
	for (size_t o = 0, n = objects(&list); o < n; o++) {
		struct bpf_object *obj = bpf_object__open(list.gl_pathv[o]);
		struct bpf_map *map;

		assert_non_null(obj);
		bpf_object__for_each_map(map, obj)
			if (!is_internal(map))
				check_map(list.gl_pathv[o], map);
		bpf_object__close(obj);
	}
	globfree(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps),
	};

	return cmocka_run_group_tests_name("abi_maps", tests, find_top, NULL);
}

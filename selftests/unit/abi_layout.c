// SPDX-License-Identifier: BSD-2-Clause
/*
 * The shared headers mean the same on both sides: every struct as the host compiler lays it out against the BTF
 * of every object; the maps' keys and values; limits that fit their fields; drop reasons that keep their numbers.
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <glob.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

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
#include "include/port.h"
#include "include/probe.h"
#include "include/syn_proxy.h"

/* ---- every shared struct, every member ---- */

struct member {
	const char *name;
	size_t offset, size;
};

struct layout {
	const char *name;
	size_t size;
	const struct member *members;
	size_t n;
};

/* X(member) for each struct; TYPE is what the members are of. */
#define ABI(X) X(version) X(pad) X(build)
#define CONFIG_KEY(X) X(path) X(part)
#define CONFIG_VALUE(X) X(id) X(slot) X(parts) X(length) X(text)
#define DEVICE_KEY(X) X(name)
#define DEVICE(X) X(netns) X(ifindex) X(role) X(mode) X(flags) X(pad) X(features)
#define HOST_CONFIG(X) X(name) X(vtep4) X(slot) X(mark) X(hz) X(fib_ifindex) X(pad) X(next_id) X(xdp_underlay)
#define HOST(X) X(id) X(vtep4) X(ip_checksum)
#define NEXT_HOP(X) X(ifindex) X(refreshed) X(mtu) X(xdp_mtu) X(outer)
#define VTEP_KEY(X) X(address)
#define VTEP(X) X(host)
#define PORT_KEY(X) X(ifindex) X(vid) X(pad)
#define PORT_BINDING(X) X(port) X(generation)
#define PORT(X) X(id) X(generation) X(ifindex) X(tenant) X(network) X(vni) X(vid) X(chain) X(mac) X(flags) \
	X(addresses4) X(addresses6) X(pad) X(chain_since) X(address4) X(address6)
#define NETWORK(X) X(id) X(tenant) X(slot) X(mtu) X(flood)
#define FDB_KEY(X) X(vni) X(mac) X(pad)
#define FDB_ENTRY(X) X(kind) X(origin) X(pad) X(index)
#define NEIGH_KEY(X) X(vni) X(family) X(pad) X(address)
#define NEIGH_ENTRY(X) X(mac) X(origin) X(pad)
#define FLOOD_KEY(X) X(vni) X(n)
#define FLOOD_TARGET(X) X(kind) X(index)
#define TRAFFIC(X) X(from_packets) X(from_bytes) X(to_packets) X(to_bytes) X(drops)
#define TENANT(X) X(id) X(epoch) X(flags) X(seed) X(shortest) X(timeout)
#define TENANT_2(X) X(id) X(epoch) X(flags) X(timeout) X(shortest)
#define TENANT_TRAFFIC(X) X(flows) X(would_drop_in) X(would_drop_out) X(reclaimed) X(displaced) X(fragments_evicted) \
	X(default_in) X(default_out) X(logs_suppressed) X(logs_lost) X(hits_lost) X(tcp_outside) X(full) X(events_lost) \
	X(syn_cookies_sent) X(syn_cookies_valid) X(syn_cookies_invalid)
#define CT_KEY(X) X(low_address) X(high_address) X(low_port) X(high_port) X(protocol) X(used) X(zone)
#define FLOW_PATH(X) X(epoch) X(source) X(target) X(mac) X(flags) X(tcp)
#define FLOW_DIR(X) X(packets) X(bytes) X(packets_high) X(bytes_high) X(last_seen) X(tcp_end) X(tcp_max_end) X(tcp_max_ack)
#define FLOW(X) X(spill_word) X(rule) X(path) X(born) X(tcp_max_window) X(dir)
#define CT4_PLACE(X) X(key) X(flow)
#define CT6_PLACE(X) X(key) X(pad) X(flow)
#define CT_BUCKET(X) X(place)
#define FLOW_DIR_2(X) X(packets) X(bytes) X(last_seen) X(epoch) X(target) X(rule) X(tcp_end) X(tcp_max_end) \
	X(tcp_max_window) X(tcp_scale) X(tcp_state) X(mac) X(flags) X(reason) X(source)
#define FLOW_4(X) X(spill) X(first) X(first_code) X(rule) X(path) X(born) X(tcp_max_window) X(dir)
#define FLOW_2(X) X(dir) X(first) X(first_code) X(stamp) X(pad) X(nat) X(born) X(spare)
#define CHAIN_STEP(X) X(leaving_ifindex) X(towards_ifindex) X(flags)
#define CHAIN(X) X(id) X(tenant) X(tag) X(steps) X(flags) X(vnis) X(step)
#define SF_KEY(X) X(ifindex) X(tci) X(mac)
#define SF_RETURN(X) X(port) X(chain) X(step) X(pad)
#define CHAIN_STATE(X) X(waiting_since) X(outstanding) X(last_try) X(pad)
#define CHAIN_TRAFFIC(X) X(sent) X(returned) X(bypassed) X(kept) X(skipped)
#define PROBE_KEY(X) X(nonce)
#define PROBE(X) X(asked) X(answered) X(chain) X(step) X(pcp) X(pad)
#define PROBE_BODY(X) X(magic) X(chain) X(nonce) X(step) X(pcp) X(pad)
#define FRAGMENT_RANGE(X) X(first) X(end)
#define FRAGMENT_ENTRY(X) X(source) X(destination) X(id) X(from) X(zone) X(family) X(protocol) X(pass) X(state) \
	X(early) X(flags) X(stamp) X(since) X(tcp_seq) X(source_port) X(destination_port) X(upper) X(flow_protocol) \
	X(icmp_type) X(icmp_code) X(tcp_flags) X(header) X(end) X(range)
#define FRAGMENT_SET(X) X(lock) X(sets) X(way)
#define SYN_PRESSURE(X) X(until) X(pressed_until)
#define PROXIED(X) X(key) X(used) X(isn) X(cookie) X(delta) X(seen) X(timeout) X(scale) X(ready) X(pad)
#define PROXIED_BUCKET(X) X(place)
#define EARLY_KEY(X) X(tenant) X(place)
#define EARLY_FRAME(X) X(time) X(stamp) X(nonce) X(len) X(pad) X(bytes)
#define RULE_KEY(X) X(name)
#define PORT_RANGE(X) X(first) X(last)
#define RULE(X) X(id) X(direction) X(action) X(priority) X(ethertype) X(has_protocol) X(protocol) \
	X(has_icmp_type) X(icmp_type) X(has_icmp_code) X(icmp_code) X(tcp_mask) X(tcp_flags) X(ct_states) X(log) \
	X(stateless) X(pad) X(source_ports) X(destination_ports) X(source_port) X(destination_port) X(apply_to) \
	X(source) X(destination)
#define ACL_HEADER(X) X(entries) X(voids) X(tree) X(index) X(root) X(addresses4) X(addresses6) X(ports) \
	X(beside) X(rules) X(pad)
#define ACL_ENTRY(X) X(source) X(destination) X(source_bits) X(destination_bits) X(family) X(direction) \
	X(action) X(flags) X(ethertype) X(source_first) X(source_last) X(destination_first) X(destination_last) \
	X(port) X(rank_high) X(rule) X(protocol) X(icmp_type) X(icmp_code) X(tcp_mask) X(tcp_flags) X(ct_states) \
	X(rank_low)
#define ACL_NODE(X) X(kind) X(value) X(pad) X(child) X(aside) X(aside_rank) X(cut)
#define ACL_MATCH(X) X(kind) X(sets) X(ethertype) X(rank) X(rule) X(next) X(first) X(last) X(source_port) \
	X(destination_port) X(protocol) X(icmp_type) X(icmp_code) X(tcp_mask) X(tcp_flags) X(ct_states) X(action) \
	X(flags) X(ranges) X(pad)
#define ACL_RANGES(X) X(source) X(destination)
#define ACL_BRANCH(X) X(child) X(key)
#define ACL_WORDS(X) X(key) X(value)
#define ACL_REST_OF(X) X(first) X(last) X(before) X(within) X(after) X(pad)
#define ACL_BASE(X) X(kind) X(cells) X(items) X(classes) X(key) X(seal) X(pad)
#define ACL_KNOWN(X) X(name) X(digest) X(rank) X(hides) X(order) X(by_name) X(pad)
#define ACL_NAMED(X) X(key) X(digest) X(pad)
#define ACL_QUERY(X) X(source) X(destination) X(tenant) X(port) X(ethertype) X(source_port) X(destination_port) \
	X(direction) X(family) X(protocol) X(icmp_type) X(icmp_code) X(tcp_flags) X(ct_state) X(action) X(entry_flags) \
	X(found) X(rule) X(pad)
#define RULE_HITS_KEY(X) X(rule) X(carried)
#define RULE_HITS(X) X(packets) X(bytes)
#define TENANT_LIMITS(X) X(rejects_until) X(logs_until) X(full_until)
#define FLOW_WATCH(X) X(until) X(tenant) X(pad)
#define FLOW_EVENT(X) X(kind) X(reason) X(family) X(pad) X(tenant) X(time) X(key_words) X(flow)
#define FLOW_TOLD(X) X(events) X(n) X(pad)
#define EVENT(X) X(kind) X(tenant) X(time) X(rule) X(port) X(direction) X(action) X(family) X(protocol) \
	X(source_port) X(destination_port) X(source) X(destination)

#define STRUCTS(S)                                                                                            \
	S(abi, ABI) S(config_key, CONFIG_KEY) S(config_value, CONFIG_VALUE) S(device_key, DEVICE_KEY)         \
	S(device, DEVICE) S(host_config, HOST_CONFIG) S(host, HOST) S(next_hop, NEXT_HOP)                     \
	S(vtep_key, VTEP_KEY) S(vtep, VTEP) S(port_key, PORT_KEY) S(port_binding, PORT_BINDING) S(port, PORT) \
	S(network, NETWORK) S(fdb_key, FDB_KEY) S(fdb_entry, FDB_ENTRY) S(neigh_key, NEIGH_KEY)               \
	S(neigh_entry, NEIGH_ENTRY) S(flood_key, FLOOD_KEY) S(flood_target, FLOOD_TARGET)                     \
	S(traffic, TRAFFIC) S(tenant, TENANT) S(tenant_traffic, TENANT_TRAFFIC) S(ct4_key, CT_KEY)            \
	S(ct6_key, CT_KEY) S(flow_path, FLOW_PATH) S(flow_dir, FLOW_DIR) S(flow, FLOW) S(ct4_place, CT4_PLACE) S(ct6_place, CT6_PLACE)               \
	S(ct4_bucket, CT_BUCKET) S(ct6_bucket, CT_BUCKET) S(chain_step, CHAIN_STEP) S(chain, CHAIN)      \
	S(sf_key, SF_KEY) S(sf_return, SF_RETURN) S(chain_state, CHAIN_STATE)                                 \
	S(chain_traffic, CHAIN_TRAFFIC) S(rule_key, RULE_KEY) S(port_range, PORT_RANGE) S(rule, RULE)         \
	S(acl_header, ACL_HEADER) S(acl_entry, ACL_ENTRY) S(event, EVENT)                         \
	S(rule_hits_key, RULE_HITS_KEY) S(rule_hits, RULE_HITS) S(tenant_limits, TENANT_LIMITS)   \
	S(acl_node, ACL_NODE) S(acl_match, ACL_MATCH) S(acl_ranges, ACL_RANGES) S(acl_branch, ACL_BRANCH) \
	S(acl_words, ACL_WORDS) S(acl_base, ACL_BASE) S(acl_known, ACL_KNOWN) S(acl_named, ACL_NAMED) \
	S(acl_query, ACL_QUERY) S(acl_rest, ACL_REST_OF)                                                                   \
	S(flow_watch, FLOW_WATCH) S(flow_event, FLOW_EVENT) S(flow_told, FLOW_TOLD)               \
	S(probe_key, PROBE_KEY) S(probe, PROBE) S(probe_body, PROBE_BODY)                         \
	S(fragment_range, FRAGMENT_RANGE) S(fragment_entry, FRAGMENT_ENTRY) S(fragment_set, FRAGMENT_SET)     \
	S(syn_pressure, SYN_PRESSURE) S(proxied, PROXIED) S(proxied_bucket, PROXIED_BUCKET) \
	S(early_key, EARLY_KEY) S(early_frame, EARLY_FRAME)                                                   \
	S(tenant_2, TENANT_2) S(flow_dir_2, FLOW_DIR_2) S(flow_2, FLOW_2) S(flow_path_4, FLOW_PATH) S(flow_dir_4, FLOW_DIR) S(flow_4, FLOW_4)

#define MEMBER(member) { #member, offsetof(TYPE, member), sizeof(((TYPE *)0)->member) },

/* TYPE cannot be an argument of MEMBER, so each struct has its list in a function where TYPE is a typedef. */
#define LIST(type, LIST_OF)                                                                                   \
	static struct layout layout_of_##type(void)                                                           \
	{                                                                                                     \
		typedef struct type TYPE;                                                                     \
		static const struct member members[] = { LIST_OF(MEMBER) };                                   \
		return (struct layout){ #type, sizeof(TYPE), members, sizeof(members) / sizeof(members[0]) }; \
	}
STRUCTS(LIST)

#define CALL(type, LIST_OF) layout_of_##type,
static struct layout (*const layouts[])(void) = { STRUCTS(CALL) };
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

/* ---- the objects ---- */

static char top[PATH_MAX];

static const char *object_path(const char *name)
{
	static char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/build/bpf/%s", top, name);
	return path;
}

static int find_top(void **state)
{
	ssize_t n = readlink("/proc/self/exe", top, sizeof(top) - 1);

	(void)state;
	if (n < 0)
		return -1;
	top[n] = '\0';
	for (int up = 0; up < 3; up++)	/* build/tests/abi_layout */
		*strrchr(top, '/') = '\0';
	return 0;
}

/* What the sources make today: the build directory may have what they made once. */
static bool is_made(const char *path)
{
	static const char *const flavours[] = { "_tc.o", "_xdp.o", ".o" };
	const char *name = strrchr(path, '/') + 1;

	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(name), tail = strlen(flavours[i]);
		char source[2 * PATH_MAX];

		if (len <= tail || strcmp(name + len - tail, flavours[i]))
			continue;
		snprintf(source, sizeof(source), "%s/bpf/%.*s.bpf.c", top, (int)(len - tail), name);
		if (!access(source, F_OK))
			return true;
	}
	return false;
}

static size_t objects(glob_t *list)
{
	size_t n = 0;

	assert_int_equal(glob(object_path("*.o"), 0, NULL, list), 0);
	for (size_t i = 0; i < list->gl_pathc; i++) {
		char *path = list->gl_pathv[i];

		/* Sorted to the front; all stay in the list, to be freed. */
		if (is_made(path)) {
			list->gl_pathv[i] = list->gl_pathv[n];
			list->gl_pathv[n++] = path;
		}
	}
	assert_true(n >= 8);
	return n;
}

static void compare(const struct btf *btf, const struct btf_type *type, const struct layout *l)
{
	const struct btf_member *m = btf_members(type);

	if (type->size != l->size)
		fail_msg("struct %s: %zu bytes here, %u in BPF", l->name, l->size, type->size);
	if (btf_vlen(type) != l->n)
		fail_msg("struct %s: this test lists %zu members, it has %d", l->name, l->n, btf_vlen(type));
	for (size_t i = 0; i < l->n; i++) {
		const char *name = btf__name_by_offset(btf, m[i].name_off);

		/* A union without a name goes by its widest member. */
		if (*name && strcmp(name, l->members[i].name))
			fail_msg("struct %s: member %zu is %s here, %s in BPF", l->name, i, l->members[i].name, name);
		if (btf_member_bit_offset(type, i) != l->members[i].offset * 8)
			fail_msg("struct %s.%s: at %zu here, at %u in BPF", l->name, name, l->members[i].offset,
				 btf_member_bit_offset(type, i) / 8);
		if (btf__resolve_size(btf, m[i].type) != (__s64)l->members[i].size)
			fail_msg("struct %s.%s: %zu bytes here, %lld in BPF", l->name, name, l->members[i].size,
				 (long long)btf__resolve_size(btf, m[i].type));
	}
}

static void test_layout(void **state)
{
	size_t seen[LAYOUTS] = { 0 };
	glob_t list;

	(void)state;
	for (size_t o = 0, n = objects(&list); o < n; o++) {
		struct btf *btf = btf__parse(list.gl_pathv[o], NULL);

		assert_non_null(btf);
		for (size_t i = 0; i < LAYOUTS; i++) {
			struct layout l = layouts[i]();
			int id = btf__find_by_name_kind(btf, l.name, BTF_KIND_STRUCT);

			if (id < 0)
				continue;
			seen[i]++;
			compare(btf, btf__type_by_id(btf, (__u32)id), &l);
		}
		btf__free(btf);
	}
	globfree(&list);
	for (size_t i = 0; i < LAYOUTS; i++)
		if (!seen[i])
			fail_msg("struct %s is in no object's BTF", layouts[i]().name);
}

/* Padding has a name, so that a key written member by member, or read back, has no bytes of chance in it. */
static void test_no_holes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LAYOUTS; i++) {
		struct layout l = layouts[i]();
		size_t end = 0;

		for (size_t m = 0; m < l.n; m++) {
			if (l.members[m].offset != end)
				fail_msg("struct %s: a hole before %s", l.name, l.members[m].name);
			end += l.members[m].size;
		}
		if (end != l.size)
			fail_msg("struct %s: %zu bytes at its end have no name", l.name, l.size - end);
	}
}

/* Every struct whose name is in a header's definitions is listed above. */
static void test_all_listed(void **state)
{
	char line[512], name[64], path[PATH_MAX + 64];
	glob_t list;

	(void)state;
	snprintf(path, sizeof(path), "%s/include/*.h", top);
	assert_int_equal(glob(path, 0, NULL, &list), 0);
	for (size_t h = 0; h < list.gl_pathc; h++) {
		FILE *in = fopen(list.gl_pathv[h], "re");

		assert_non_null(in);
		while (fgets(line, sizeof(line), in)) {
			bool found = false;
			char brace;

			if (sscanf(line, "struct %63[a-z0-9_] %c", name, &brace) != 2 || brace != '{')
				continue;
			for (size_t i = 0; i < LAYOUTS; i++)
				found |= !strcmp(layouts[i]().name, name);
			if (!found)
				fail_msg("%s: struct %s is not in this test's list", list.gl_pathv[h], name);
		}
		fclose(in);
	}
	globfree(&list);
}

/* ---- maps ---- */

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
	{ "chain_state", BPF_MAP_TYPE_ARRAY, U32, sizeof(struct chain_state), WEFT_CHAINS_MAX * CHAIN_STEPS },
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

/* ---- limits ---- */

#define BITS_OF(type, member) (8 * sizeof(((struct type *)0)->member))
#define FITS(max, type, member) assert_true((__u64)(max) <= 1ULL << BITS_OF(type, member))

static void test_limits(void **state)
{
	(void)state;
	FITS(WEFT_NETWORKS_MAX, ct4_key, zone);
	FITS(WEFT_NETWORKS_MAX, ct6_key, zone);
	FITS(WEFT_NETWORKS_MAX, fragment_entry, zone);
	assert_true(EARLY_FRAMES <= BITS_OF(fragment_entry, early));
	FITS(WEFT_CHAINS_MAX, port, chain);
	FITS(WEFT_CHAINS_MAX, sf_return, chain);
	FITS(CHAIN_STEPS, sf_return, step);
	FITS(DROP_REASONS, flow_path, target);
	FITS(WEFT_PORTS_MAX, acl_entry, port);
	assert_true(WEFT_PORTS_MAX <= FLOW_TARGET_INDEX(~0u));
	assert_true(WEFT_HOSTS_MAX <= FLOW_TARGET_INDEX(~0u));
	assert_int_equal(FLOW_TARGET_KIND(FLOW_TARGET(TARGET_FLOOD, WEFT_PORTS_MAX - 1)), TARGET_FLOOD);
	assert_int_equal(FLOW_TARGET_INDEX(FLOW_TARGET(TARGET_FLOOD, WEFT_PORTS_MAX - 1)), WEFT_PORTS_MAX - 1);
	/* "network:" and a name, or the longest IPv6 prefix, NUL included */
	assert_true(RULE_REF_LEN > strlen("network:") + WEFT_NAME_LEN);
	assert_true(RULE_REF_LEN > strlen("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128"));
	/* "tenants/", a name, the longest kind of object, a name */
	assert_true(CONFIG_PATH_LEN > strlen("tenants//networks/") + 2 * WEFT_NAME_LEN);
	/* An IPv4 flow and its key have cache lines of their own: what is mapped into memory begins with a page. */
	assert_int_equal(sizeof(struct ct4_place) % 64, 0);
	assert_int_equal(FLOW_SPILLS + 1, BITS_OF(flow, spill));
}

/* ---- drop reasons ---- */

/*
 * As they were released: a number is never given to another reason, since history refers to it. New ones are
 * added here at the end.
 */
static const char *const released[] = {
	"none", "short_frame", "bad_vlan", "bad_arp", "bad_ipv4", "bad_ipv6", "bad_extension", "bad_l4",
	"fragment", "unknown_port", "vlan_not_allowed", "spoofed_mac", "spoofed_ipv4", "spoofed_ipv6",
	"spoofed_arp", "spoofed_nd", "router_advert", "neigh_unknown", "neigh_consumed", "network_unknown",
	"acl_in", "acl_out", "rejected", "ct_invalid", "ct_full", "ct_missing", "ct_tcp_state",
	"icmp_unrelated", "outer_bad", "vtep_unknown", "vni_unknown", "wrong_host", "not_here", "host_unknown",
	"no_route", "encap_failed", "decap_failed", "too_big", "port_unbound", "sf_unknown", "sf_untagged",
	"sf_no_flow", "sf_down", "guard", "same_port", "flood_failed", "link_local",
	"internal", "chain_reset", "sf_probe", "bad_checksum", "hidden_ip",
	"fragment_bad", "fragment_tiny", "fragment_overlap", "fragment_duplicate", "fragment_scattered",
	"fragment_early", "fragment_table", "outer_fragment",
	"reject_limited", "reject_silent",
	"ct_tcp_window", "ct_sctp_state", "ct_sctp_tag", "syn_cookie", "syn_proxy",
};

static const struct {
	const char *id, *name, *text;
} reasons[] = {
#define X(id, name, text) { #id, name, text },
	WEFT_DROP_REASONS(X)
#undef X
};

static void test_drop_reasons(void **state)
{
	size_t n = sizeof(reasons) / sizeof(reasons[0]);

	(void)state;
	assert_int_equal(n, DROP_REASONS);
	if (n != sizeof(released) / sizeof(released[0]))
		fail_msg("%zu drop reasons, and %zu released: add new ones at the end of both lists", n,
			 sizeof(released) / sizeof(released[0]));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(reasons[i].name, released[i]);
		assert_true(reasons[i].text[0] != '\0');
		/* The name is the identifier in small letters. */
		assert_int_equal(strcasecmp(reasons[i].id, reasons[i].name), 0);
		for (const char *p = reasons[i].name; *p; p++)
			assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(reasons[i].name, reasons[j].name);
	}
}

/* ---- each header alone ---- */

/* Headers with map definitions are for programs alone, and stand on what every hook includes first. */
static void compile_alone(const char *pattern, const char *format)
{
	char path[PATH_MAX + 64], command[4 * PATH_MAX];
	glob_t list;

	snprintf(path, sizeof(path), "%s/%s", top, pattern);
	assert_int_equal(glob(path, 0, NULL, &list), 0);
	for (size_t i = 0; i < list.gl_pathc; i++) {
		snprintf(command, sizeof(command), format, top, list.gl_pathv[i]);
		if (system(command))
			fail_msg("does not compile alone: %s", command);
	}
	globfree(&list);
}

static void test_headers_on_the_host(void **state)
{
	(void)state;
	compile_alone("include/*.h", "cd '%s' && gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -x c '%s'");
}

#define BPF_COMPILE "cd '%s' && clang-19 -target bpf -O2 -Wall -Wextra -Werror -Wno-unused-parameter " \
		    "-Wno-unused-function -I. -Ibpf -fsyntax-only "

static void test_headers_for_bpf(void **state)
{
	(void)state;
	compile_alone("include/*.h", BPF_COMPILE "-include vmlinux.h -x c '%s'");
	compile_alone("maps/*.bpf.h", BPF_COMPILE "-include vmlinux.h -include bpf/bpf_helpers.h -x c '%s'");
}

/* Stages and libraries bring all that they use, in both flavours. */
static void test_stages_alone(void **state)
{
	(void)state;
	compile_alone("bpf/stages/*.h", BPF_COMPILE "-include bpf/lib/weft.h -x c '%s'");
	compile_alone("bpf/stages/*.h", BPF_COMPILE "-DFLAVOUR_XDP -include bpf/lib/weft.h -x c '%s'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_no_holes),
		cmocka_unit_test(test_all_listed),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_drop_reasons),
		cmocka_unit_test(test_headers_on_the_host),
		cmocka_unit_test(test_headers_for_bpf),
		cmocka_unit_test(test_stages_alone),
	};

	return cmocka_run_group_tests_name("abi_layout", tests, find_top, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the maps hold at the start of each packet test, and how a test changes and reads them
 * (world.h).
 */
#include <errno.h>

#include "include/nsh.h"
#include "include/syn_proxy.h"
#include "internal.h"

static const uint32_t port_slot[WHO_COUNT] = { [A] = 1, [B] = 2, [TAGGED] = 4 };

uint32_t slot_of(enum who w)
{
	return port_slot[w];
}

void per_cpu_clear(const char *name, uint32_t key, uint32_t n)
{
	uint64_t zeros[libbpf_num_possible_cpus() * n];

	memset(zeros, 0, sizeof(zeros));
	map_put(name, &key, zeros);
}

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

struct tenant_traffic tenant_traffic(void)
{
	struct tenant_traffic t;

	per_cpu_sum("tenant_stats", TENANT, (uint64_t *)&t, sizeof(t) / 8);
	return t;
}

static void put_port(enum who w, enum device_name d, uint16_t vid)
{
	uint32_t slot = port_slot[w];
	struct port port = {
		.id = 100 + slot,
		.generation = 9,
		.ifindex = device(d),
		.tenant = TENANT,
		.network = NETWORK,
		.vni = VNI,
		.vid = vid,
		.flags = PORT_XDP_DELIVER,
		.addresses4 = 1,
		.addresses6 = 1,
	};
	struct port_key key = { .ifindex = port.ifindex, .vid = vid };
	struct port_binding binding = { .port = slot, .generation = 9 };

	memcpy(port.mac, people[w].mac, 6);
	memcpy(port.address4, people[w].ip4, 4);
	memcpy(port.address6, people[w].ip6, 16);
	port_put(w, &port);
	map_put("ports", &key, &binding);
	per_cpu_clear("port_stats", slot, sizeof(struct traffic) / 8);
}

static void put_workload(enum who w)
{
	struct neigh_key key4 = { .vni = VNI, .family = FAMILY_IPV4 },
			 key6 = { .vni = VNI, .family = FAMILY_IPV6 };
	struct fdb_entry place = { .kind = w == R ? TARGET_HOST : TARGET_PORT,
				   .index = w == R ? THEIR_HOST : port_slot[w] };
	struct neigh_entry entry = { 0 };
	struct fdb_key key = { .vni = VNI };

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
	struct host_config us = { .name = "h1",
				  .vtep4 = { 192, 168, 50, 1 },
				  .slot = OUR_HOST,
				  .mark = MARK,
				  .hz = HZ,
				  .fib_ifindex = device(DEVICE_U) };
	struct host ours = { .id = 1, .vtep4 = { 192, 168, 50, 1 } };
	/* 4500 + 4000 + 4011 + both addresses, as a sum of words. */
	struct host theirs = { .id = 2,
			       .vtep4 = { 192, 168, 50, 2 },
			       .ip_checksum =
				       0x4500 + 0x4000 + 0x4011 + 2 * 0xc0a8 + 0x3201 + 0x3202 };
	struct next_hop hop = { .ifindex = device(DEVICE_U),
				.refreshed = jiffies_now(),
				.mtu = 1550,
				.xdp_mtu = 1550 };
	/* As the programs prepare it: no length, port or VNI, and the header's sum in host order. */
	static const uint8_t outer[sizeof(hop.outer)] = {
		2, 0, 0, 0, 0, 0x52, 2, 0, 0, 0, 0, 0x51, 8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17,
		0x66, 0xaa, 192, 168, 50, 1, 192, 168, 50, 2, 0, 0, 0x12, 0xb5, 0, 0, 0, 0, 8 };
	uint32_t zero = 0, slot[] = { OUR_HOST, THEIR_HOST };
	struct vtep_key key1 = { { 192, 168, 50, 1 } }, key2 = { { 192, 168, 50, 2 } };
	struct network network = { .id = 3, .tenant = TENANT, .slot = NETWORK, .mtu = 1500 };
	uint32_t vni = VNI;

	map_put("host", &zero, &us);
	map_put("hosts", &slot[0], &ours);
	map_put("hosts", &slot[1], &theirs);
	map_put("vteps", &key1, &(struct vtep){ OUR_HOST });
	map_put("vteps", &key2, &(struct vtep){ THEIR_HOST });
	memcpy(hop.outer, outer, sizeof(outer));
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

struct tenant_traffic tenant_counted(void)
{
	struct tenant_traffic t;

	per_cpu_sum("tenant_stats", TENANT, (uint64_t *)&t, sizeof(t) / 8);
	return t;
}

struct rule_hits rule_counted(uint32_t rule)
{
	struct rule_hits values[libbpf_num_possible_cpus()], sum = { 0 };
	struct rule_hits_key key = { .rule = rule };

	if (bpf_map_lookup_elem(inner_fd("rule_hits"), &key, values))
		return sum;
	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		sum.packets += values[i].packets;
		sum.bytes += values[i].bytes;
	}
	return sum;
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
	struct tenant t = { .id = 5, .epoch = 1, .flags = TENANT_ALLOW_OUT, .shortest = 10000 };

	for (int i = 0; i < CT_TIMEOUT_COUNT; i++)
		t.timeout[i] = 10000 * (i + 1);
	t.timeout[CT_FRAGMENT] = 30 * HZ;
	t.timeout[CT_FRAGMENT_IPV6] = 60 * HZ;
	t.seed = 0x5eed5eed5eed5eedull;
	tenant_put(&t);
}

void flood_to(const enum who *whom, uint32_t n)
{
	struct network network;
	uint32_t vni = VNI;

	map_get("networks", &vni, &network);
	network.flood = n;
	map_put("networks", &vni, &network);
	for (uint32_t i = 0; i < n; i++) {
		struct flood_key key = { .vni = VNI, .n = i };
		struct flood_target target = { TARGET_PORT, port_slot[whom[i]] };

		map_put("flood", &key, &target);
	}
}

/* What comes back leaves the workload's step by one device, and towards it by the other. */
void put_returns(enum who w, uint32_t leaving, uint32_t towards, uint8_t step, uint8_t place)
{
	struct sf_return back = {
		.port = port_slot[w], .chain = CHAIN, .step = step, .instance = place
	};

	for (int pcp = PCP_LEAVING; pcp <= PCP_TOWARDS; pcp++) {
		struct sf_key key = { .ifindex = pcp == PCP_LEAVING ? leaving : towards,
				      .tci = pcp << 13 | CHAIN_TAG };

		memcpy(key.mac, people[w].mac, 6);
		map_put("sf", &key, &back);
		memcpy(key.mac, people[ALL].mac, 6);
		if (pcp == PCP_TOWARDS)
			map_put("sf", &key, &back);
	}
	/* What the function makes itself comes by either. */
	for (int i = 0; i < 2; i++) {
		struct sf_key key = { .ifindex = i ? leaving : towards,
				      .tci = PCP_MADE << 13 | CHAIN_TAG };

		memcpy(key.mac, people[w].mac, 6);
		map_put("sf", &key, &back);
	}
}

void clear_returns(enum device_name d)
{
	struct sf_key key, *last = NULL, gone[64];
	int n = 0;

	while (n < 64 && !bpf_map_get_next_key(map_fd("sf"), last, &key)) {
		last = &key;
		if (key.ifindex == device(d))
			gone[n++] = key;
	}
	while (n)
		map_delete("sf", &gone[--n]);
}

struct chain chain_now(void)
{
	uint32_t slot = CHAIN;
	struct chain chain;

	map_get("chains", &slot, &chain);
	return chain;
}

void chain_put(const struct chain *chain)
{
	uint32_t slot = CHAIN;

	map_put("chains", &slot, chain);
}

struct function function_now(uint8_t step)
{
	uint32_t slot = FUNCTION + (uint32_t)step;
	struct function function;

	map_get("functions", &slot, &function);
	return function;
}

void function_put(uint8_t step, const struct function *function)
{
	uint32_t slot = FUNCTION + (uint32_t)step;

	map_put("functions", &slot, function);
}

void instance_put(uint8_t step, uint8_t place, uint32_t id, uint32_t leaving, uint32_t towards)
{
	struct function f = function_now(step);
	uint16_t bit = (uint16_t)(1 << place);

	f.id = 60 + (uint64_t)step;
	f.instance[place] = (struct sf_instance){
		.id = id, .leaving_ifindex = leaving, .towards_ifindex = towards, .weight = 1
	};
	f.present = (uint16_t)(id && leaving && towards ? f.present | bit : f.present & ~bit);
	f.fresh = (uint16_t)(f.present & bit ? f.fresh | bit : f.fresh & ~bit);
	function_put(step, &f);
}

struct sf_state watch_now(uint8_t step, uint8_t place)
{
	uint32_t index = INSTANCE_INDEX(FUNCTION + (uint32_t)step, place);
	struct sf_state state;

	map_get("sf_state", &index, &state);
	return state;
}

uint32_t outstanding(uint8_t step, uint8_t place)
{
	struct sf_state state = watch_now(step, place);

	return instance_outstanding(&state);
}

void watch_put(uint8_t step, uint8_t place, const struct sf_state *state)
{
	uint32_t index = INSTANCE_INDEX(FUNCTION + (uint32_t)step, place);

	map_put("sf_state", &index, state);
}

void drain_put(uint8_t step, uint8_t place, uint64_t until)
{
	uint32_t index = INSTANCE_INDEX(FUNCTION + (uint32_t)step, place);

	map_put("sf_drains", &index, &(struct sf_drain){ .since = until != 0, .until = until });
}

struct sf_traffic instance_traffic(uint8_t step, uint8_t place)
{
	struct sf_traffic t;

	per_cpu_sum("sf_stats", INSTANCE_INDEX(FUNCTION + (uint32_t)step, place), (uint64_t *)&t,
		    sizeof(t) / 8);
	return t;
}

static void put_chain(enum who w, const struct chain *chain)
{
	struct port port = port_get(w);

	port.chain = CHAIN;
	port_put(w, &port);
	chain_put(chain);
}

/* The chain of the function on "s" (and "t") in this port's wire. Leaving enters the first arm, towards the second. */
void chain_protect(enum who w, bool two_arms)
{
	uint32_t arms[2] = { device(DEVICE_S), device(two_arms ? DEVICE_T : DEVICE_S) };
	struct chain chain = { .id = 6,
			       .tenant = TENANT,
			       .tag = CHAIN_TAG,
			       .steps = 1,
			       .vnis = { VNI },
			       .step = { { arms[0], arms[1], STEP_XDP_DELIVER, FUNCTION } } };

	instance_put(0, 0, 1, arms[0], arms[1]);
	put_chain(w, &chain);
	put_returns(w, arms[1], arms[0], 0, 0);
}

void chain_protect_steps(enum who w, uint8_t flags, const enum device_name *functions, uint8_t n)
{
	struct chain chain = { .id = 6,
			       .tenant = TENANT,
			       .tag = CHAIN_TAG,
			       .steps = n,
			       .flags = flags,
			       .vnis = { VNI } };

	for (uint8_t i = 0; i < n; i++) {
		uint32_t ifindex = device(functions[i]);

		chain.step[i] = (struct chain_step){ ifindex, ifindex, STEP_XDP_DELIVER,
						     (uint16_t)(FUNCTION + i) };
		instance_put(i, 0, i + 1u, ifindex, ifindex);
		put_returns(w, ifindex, ifindex, i, 0);
	}
	put_chain(w, &chain);
}

struct chain_traffic step_traffic(uint8_t step)
{
	return chain_traffic_of(CHAIN, step);
}

void steering_forget(void)
{
	clear_hash(map_fd("sf_flows"), sizeof(struct sf_flow_key));
}

void clear_hash(int fd, uint32_t key_size)
{
	uint8_t key[key_size];

	while (!bpf_map_get_next_key(fd, NULL, key))
		bpf_map_delete_elem(fd, key);
}

void fragments_clear(uint32_t sets)
{
	struct fragment_set set = { .sets = sets };

	if (inner("fragments")->entries != sets)
		inner_resize("fragments", sets);
	for (uint32_t i = 0; i < sets; i++) {
		bpf_map_update_elem(inner_fd("fragments"), &i, &set, BPF_ANY);
		set.sets = 0;
	}
	clear_hash(map_fd("early"), sizeof(struct early_key));
}

void hits_clear(void)
{
	clear_hash(inner_fd("rule_hits"), sizeof(struct rule_hits_key));
}

void acl_put(const struct acl_entry *entries, uint32_t n)
{
	union acl_slot slot = { .header = { .entries = n } };
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
	struct acl_entry in = {
		.direction = TO_WORKLOAD, .action = ACL_ALLOW, .rule = 77, ACL_ALL
	};

	acl_put(&in, 1);
}

static void proxied_clear(void)
{
	const struct proxied_bucket bucket = { 0 };

	for (uint32_t i = 0; i < inner("proxied")->entries; i++)
		bpf_map_update_elem(inner_fd("proxied"), &i, &bucket, BPF_ANY);
}

int world_reset(void **state)
{
	uint32_t tenant = TENANT, slot = CHAIN;

	(void)state;
	world_gives(true);
	map_put("tenant_limits", &tenant, &(struct tenant_limits){ 0 });
	for (int i = 0; i < INNERS; i++)
		if (inners[i].fd < 0 ||
		    (strcmp(inners[i].name, "acl") && inners[i].entries != inners[i].usual))
			inner_resize(inners[i].name, inners[i].usual);
	flows_clear();
	hits_clear();
	fragments_clear(FRAGMENT_SETS);
	proxied_clear();
	map_put("syn_pressure", &tenant, &(struct syn_pressure){ 0 });
	acl_put(NULL, 0);
	clear_hash(map_fd("sf"), sizeof(struct sf_key));
	steering_forget();
	clear_hash(map_fd("fdb"), sizeof(struct fdb_key));
	clear_hash(map_fd("nsh_paths"), sizeof(struct nsh_path_key));
	clear_hash(map_fd("nsh_copies"), sizeof(struct nsh_copy_key));
	map_put("nsh_chains", &slot, &(struct nsh_chain){ 0 });
	put_tenant();
	put_hosts();
	put_port(A, DEVICE_A, 0);
	put_port(B, DEVICE_B, 0);
	put_port(TAGGED, DEVICE_A, PORT_VLAN);
	put_workload(A);
	put_workload(B);
	put_workload(TAGGED);
	put_workload(R);
	chains_clear();
	per_cpu_clear("network_stats", NETWORK, sizeof(struct traffic) / 8);
	per_cpu_clear("tenant_stats", TENANT, sizeof(struct tenant_traffic) / 8);
	return 0;
}

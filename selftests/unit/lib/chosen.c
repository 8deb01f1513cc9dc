// SPDX-License-Identifier: BSD-2-Clause
/* Chains that rules choose, and rules that do (world.h). */
#include "internal.h"

static void put_return(uint32_t device, enum chain_pcp pcp, uint16_t tag, enum who w, const struct sf_return *back)
{
	struct sf_key key = { .ifindex = device, .tci = pcp << 13 | tag };

	memcpy(key.mac, people[w].mac, 6);
	map_put("sf", &key, back);
}

void chain_offer(uint32_t slot, enum who w, uint8_t flags, const enum device_name *functions, uint8_t n)
{
	struct chain chain = { .id = slot, .tenant = TENANT, .tag = CHAIN_TAG + slot - CHAIN, .steps = n, .flags = flags };

	for (uint8_t i = 0; i < n; i++) {
		struct sf_return back = { .port = slot_of(w), .chain = slot, .step = i };
		uint32_t ifindex = device(functions[i]);

		uint8_t function = (uint8_t)((slot - CHAIN) * CHAIN_STEPS + i);

		chain.step[i] = (struct chain_step){ ifindex, ifindex, STEP_XDP_DELIVER,
						     (uint16_t)(FUNCTION + function) };
		instance_put(function, 0, function + 1u, ifindex, ifindex);
		for (int pcp = PCP_MADE; pcp <= PCP_TOWARDS; pcp++)
			put_return(ifindex, pcp, chain.tag, w, &back);
	}
	map_put("chains", &slot, &chain);
}

struct chain_traffic chain_traffic_of(uint32_t slot, uint8_t step)
{
	struct chain_traffic t;

	per_cpu_sum("chain_stats", CHAIN_STEP_INDEX(slot, (uint32_t)step), (uint64_t *)&t, sizeof(t) / 8);
	return t;
}

void chains_clear(void)
{
	for (uint32_t slot = CHAIN; slot <= CHAIN_2; slot++) {
		map_put("chains", &slot, &(struct chain){ 0 });
		for (uint32_t i = 0; i < CHAIN_STEPS; i++) {
			uint32_t index = CHAIN_STEP_INDEX(slot, i);

			per_cpu_clear("chain_stats", index, sizeof(struct chain_traffic) / 8);
		}
	}
	for (uint8_t i = 0; i < 2 * CHAIN_STEPS; i++) {
		function_put(i, &(struct function){ 0 });
		for (uint8_t k = 0; k < FUNCTION_INSTANCES; k++) {
			watch_put(i, k, &(struct sf_state){ 0 });
			per_cpu_clear("sf_stats", INSTANCE_INDEX(FUNCTION + (uint32_t)i, k),
				      sizeof(struct sf_traffic) / 8);
		}
	}
}

void acl_put_chains(const struct acl_entry *entries, const uint16_t *chains, uint32_t n)
{
	union acl_slot header = { .header = { .entries = n, .inspect = 1 } }, behind = { 0 };
	uint32_t key = 0;

	if (inner("acl")->entries < n + 2)
		inner_resize("acl", n + 2);
	acl_put(entries, n);
	bpf_map_update_elem(inner_fd("acl"), &key, &header, BPF_ANY);
	memcpy(behind.chains, chains, n * sizeof(*chains));
	key = n + 1;
	bpf_map_update_elem(inner_fd("acl"), &key, &behind, BPF_ANY);
}

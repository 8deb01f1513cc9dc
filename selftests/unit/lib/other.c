// SPDX-License-Identifier: BSD-2-Clause
/*
 * A second tenant, with the first one's MACs and addresses: its A is behind "t", its B behind "v". All that it may it allows.
 * A's wire goes through the very function of the first tenant's chain, under another tag.
 */
#include <errno.h>
#include <unistd.h>

#include "internal.h"

enum { OTHER_NETWORK = NETWORK + 1, OTHER_VNI = VNI + 1, OTHER_PORT_A = 11, OTHER_PORT_B = 12 };

static int own[INNERS];

/* Its own inner maps, as large as the first one's; empty. */
static void make_tables(void)
{
	uint32_t tenant = OTHER_TENANT;

	for (int i = 0; i < INNERS; i++) {
		LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = inners[i].flags);
		bool acl = !strcmp(inners[i].name, "acl");

		if (own[i] > 0)
			close(own[i]);
		own[i] = bpf_map_create(inners[i].type, inners[i].name, inners[i].key_size, inners[i].value_size,
					acl ? 2 : inners[i].usual, &options);
		if (own[i] < 0)
			fail_msg("%s of the other tenant: %s", inners[i].name, strerror(errno));
		if (acl) {
			union acl_slot head = { .header = { .entries = 1 } };
			union acl_slot all = {
				.entry = { .direction = TO_WORKLOAD, .action = ACL_ALLOW, ACL_ALL }
			};

			bpf_map_update_elem(own[i], &(uint32_t){ 0 }, &head, BPF_ANY);
			bpf_map_update_elem(own[i], &(uint32_t){ 1 }, &all, BPF_ANY);
		}
		map_put(inners[i].name, &tenant, &own[i]);
	}
}

static void put_port(enum who w, uint32_t slot, enum device_name d, uint16_t chain)
{
	struct port port = port_get(w);
	struct port_key key = { .ifindex = device(d) };
	struct port_binding binding = { .port = slot, .generation = 9 };
	struct fdb_entry place = { .kind = TARGET_PORT, .index = slot };
	struct fdb_key mac = { .vni = OTHER_VNI };

	port.id = 200 + slot;
	port.ifindex = device(d);
	port.tenant = OTHER_TENANT;
	port.network = OTHER_NETWORK;
	port.vni = OTHER_VNI;
	port.chain = chain;
	map_put("port_slots", &slot, &port);
	map_put("ports", &key, &binding);
	memcpy(mac.mac, people[w].mac, 6);
	map_put("fdb", &mac, &place);
}

static void put_returns_there(uint32_t ifindex)
{
	struct sf_return back = { .port = OTHER_PORT_A, .chain = OTHER_CHAIN };

	for (int pcp = PCP_MADE; pcp <= PCP_TOWARDS; pcp++) {
		struct sf_key key = { .ifindex = ifindex, .tci = (uint16_t)(pcp << 13 | OTHER_TAG) };

		memcpy(key.mac, people[A].mac, 6);
		map_put("sf", &key, &back);
		memcpy(key.mac, people[ALL].mac, 6);
		if (pcp == PCP_TOWARDS)
			map_put("sf", &key, &back);
	}
}

static void flood_there(void)
{
	uint32_t slots[2] = { OTHER_PORT_A, OTHER_PORT_B };

	for (uint32_t i = 0; i < 2; i++) {
		struct flood_key key = { .vni = OTHER_VNI, .n = i };
		struct flood_target target = { TARGET_PORT, slots[i] };

		map_put("flood", &key, &target);
	}
}

void other_tenant(void)
{
	struct tenant t = world_tenant();
	struct network network = { .id = 4, .tenant = OTHER_TENANT, .slot = OTHER_NETWORK, .mtu = 1500, .flood = 2 };
	struct chain chain = chain_now();
	uint32_t tenant = OTHER_TENANT, vni = OTHER_VNI, slot = OTHER_CHAIN;

	make_tables();
	t.id++;
	t.seed ^= 0x1234567812345678ull;
	map_put("tenant_slots", &tenant, &t);
	map_put("networks", &vni, &network);
	put_port(A, OTHER_PORT_A, DEVICE_T, OTHER_CHAIN);
	put_port(B, OTHER_PORT_B, DEVICE_V, 0);
	chain.id++;
	chain.tenant = OTHER_TENANT;
	chain.tag = OTHER_TAG;
	chain.vnis[0] = OTHER_VNI;
	map_put("chains", &slot, &chain);
	put_returns_there(device(DEVICE_S));
	flood_there();
}

uint64_t other_delivered(void)
{
	struct traffic t;
	uint64_t n = 0;

	for (uint32_t slot = OTHER_PORT_A; slot <= OTHER_PORT_B; slot++) {
		per_cpu_sum("port_stats", slot, (uint64_t *)&t, sizeof(t) / 8);
		n += t.to_packets;
	}
	return n;
}

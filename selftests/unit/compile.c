// SPDX-License-Identifier: BSD-2-Clause
/* From the configuration to the contents of the maps, and who gets which id and slot. */
#include <arpa/inet.h>
#include <netinet/ip.h>

#include "compile_world.h"
#include "loader/sync.h"

static const char lab[] =
	"version: 1\n"
	"hosts:\n"
	"  h1: {vtep: 192.168.50.1, underlay: [u0]}\n"
	"  h2: {vtep: 192.168.50.2, underlay: [u0]}\n"
	"  h3: {vtep: 192.168.50.3, underlay: [u0]}\n"
	"service_functions: {ips: {instances: {i1: {host: h1, devices: [s0, s1]}}}}\n"
	"tenants:\n"
	"  red:\n"
	"    options: {conntrack: {timeouts: {udp: 30s}}, default: {in: allow, out: deny}, enforcement: monitor}\n"
	"    networks:\n"
	"      web: {vni: 101, mtu: 1400}\n"
	"      far: {vni: 102}\n"
	"    ports:\n"
	"      a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a', addresses: [10.0.1.1, 'fd00:1::1']}\n"
	"      b: {network: web, host: h2, device: p0, mac: '02:00:00:00:00:0b', addresses: [10.0.1.2]}\n"
	"      c: {network: web, host: h2, device: p1, mac: '02:00:00:00:00:0c'}\n"
	"      d: {network: web, host: h1, device: p9, mac: '02:00:00:00:00:0d', vlan: 7}\n"
	"      e: {network: far, host: h3, device: p0, mac: '02:00:00:00:00:0e'}\n"
	"    chains: {inspect: {tag: 301, steps: [{function: ips}]}}\n"
	"    insert: [{name: all, apply_to: [port:a], chain: inspect}]\n";

static const struct fdb_entry *fdb(const struct world *w, uint32_t vni, uint8_t last)
{
	struct fdb_key key = { .vni = vni, .mac = { 2, 0, 0, 0, 0, last } };

	return get(w, MAP_FDB, &key);
}

static void test_hosts(void **state)
{
	struct vtep_key key = { .address = { 192, 168, 50, 2 } };
	const struct vtep *vtep;
	const struct host *host;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h1"), 0);
	assert_int_equal(w.d.map[MAP_HOSTS].n, 3);
	vtep = get(&w, MAP_VTEPS, &key);
	assert_int_equal(vtep->host, model_host(&w.m, "h2")->slot);
	host = get(&w, MAP_HOSTS, &vtep->host);
	assert_memory_equal(host->vtep4, key.address, 4);
	unmake(&w);
}

/*
 * The sum with the length added, folded and inverted, is the checksum of the header as the datapath
 * sends it.
 */
static void test_checksum(void **state)
{
	static const uint8_t from[4] = { 192, 168, 50, 1 }, to[4] = { 10, 255, 0, 254 };

	(void)state;
	for (unsigned int length = 50; length < 65536; length += 977) {
		struct iphdr header = { .version = 4,
					.ihl = 5,
					.tot_len = htons((uint16_t)length),
					.frag_off = htons(IP_DF),
					.ttl = 64,
					.protocol = 17 };
		uint32_t sum = outer_ip_sum(from, to) + length, all = 0;
		uint16_t words[10];

		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		header.check = htons((uint16_t)~sum);
		memcpy(&header.saddr, from, 4);
		memcpy(&header.daddr, to, 4);
		memcpy(words, &header, sizeof(words));
		for (int i = 0; i < 10; i++)
			all += ntohs(words[i]);
		all = (all & 0xffff) + (all >> 16);
		all = (all & 0xffff) + (all >> 16);
		assert_int_equal(all, 0xffff);
	}
}

static void test_networks(void **state)
{
	struct flood_key key = { .vni = 101 };
	uint32_t web = 101, far = 102;
	const struct flood_target *target;
	const struct network *network;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h1"), 0);
	network = get(&w, MAP_NETWORKS, &web);
	assert_int_equal(network->mtu, 1400);
	assert_int_equal(network->id, model_network(&w.m, "red", "web")->id);
	/* No port of it is here, so it is not here. */
	assert_null(get(&w, MAP_NETWORKS, &far));
	assert_null(fdb(&w, 102, 0x0e));
	/*
	 * The port with a device, then the one host of two ports; never this host, and no port
	 * without a device.
	 */
	assert_int_equal(network->flood, 2);
	assert_int_equal(w.d.map[MAP_FLOOD].n, 2);
	target = get(&w, MAP_FLOOD, &key);
	assert_int_equal(target->kind, TARGET_PORT);
	assert_int_equal(target->index, model_port(&w.m, "red", "a")->slot);
	key.n = 1;
	target = get(&w, MAP_FLOOD, &key);
	assert_int_equal(target->kind, TARGET_HOST);
	assert_int_equal(target->index, model_host(&w.m, "h2")->slot);
	unmake(&w);
}

static void test_whereabouts(void **state)
{
	struct neigh_key key = { .vni = 101,
				 .family = FAMILY_IPV6,
				 .address = { 0xfd, 0, 0, 1, [15] = 1 } };
	const struct neigh_entry *who;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h1"), 0);
	assert_int_equal(fdb(&w, 101, 0x0a)->kind, TARGET_PORT);
	assert_int_equal(fdb(&w, 101, 0x0a)->index, model_port(&w.m, "red", "a")->slot);
	assert_int_equal(fdb(&w, 101, 0x0b)->kind, TARGET_HOST);
	assert_int_equal(fdb(&w, 101, 0x0b)->origin, ORIGIN_WEFT);
	assert_int_equal(w.d.map[MAP_FDB].n, 4);
	assert_int_equal(w.d.map[MAP_NEIGH].n, 3);
	who = get(&w, MAP_NEIGH, &key);
	assert_int_equal(who->mac[5], 0x0a);
	unmake(&w);
	assert_int_equal(make(&w, lab, "h3"), 0);
	assert_int_equal(w.d.map[MAP_FDB].n, 1);
	unmake(&w);
}

static void test_ports(void **state)
{
	struct port_key key = { .ifindex = 10 };
	const struct port_binding *binding;
	const struct port *port;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h1"), 0);
	assert_int_equal(w.d.map[MAP_PORT_SLOTS].n, 2);
	assert_int_equal(w.d.map[MAP_PORTS].n, 1);
	binding = get(&w, MAP_PORTS, &key);
	port = get(&w, MAP_PORT_SLOTS, &binding->port);
	assert_int_equal(port->generation, binding->generation);
	assert_int_not_equal(port->generation, 0);
	assert_int_equal(port->ifindex, 10);
	assert_int_equal(port->vni, 101);
	assert_int_equal(port->chain, model_chain(&w.m, "red", "inspect")->slot);
	assert_int_not_equal(port->chain, 0);
	assert_int_equal(port->addresses4, 1);
	assert_int_equal(port->addresses6, 1);
	/* Pending: it has its slot, and no binding. */
	port = get(&w, MAP_PORT_SLOTS, &model_port(&w.m, "red", "d")->slot);
	assert_int_equal(port->ifindex, 0);
	assert_int_equal(port->vid, 7);
	unmake(&w);
}

/*
 * Two arms: what leaves the workload enters s0 and returns from s1, what goes to it the other way
 * round.
 */
static void test_chain(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x0a },
			     everybody[6] = { 255, 255, 255, 255, 255, 255 };
	const struct chain *chain;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h1"), 0);
	chain = get(&w, MAP_CHAINS, &model_chain(&w.m, "red", "inspect")->slot);
	assert_int_equal(chain->tag, 301);
	assert_int_equal(chain->vnis[0], 101);
	assert_int_equal(chain->vnis[1], 0);
	assert_int_equal(chain->step[0].leaving_ifindex, 20);
	assert_int_equal(chain->step[0].towards_ifindex, 21);
	assert_int_equal(w.d.map[MAP_SF].n, 5);
	assert_non_null(comes_back(&w, 301, 20, PCP_MADE, mac));
	assert_non_null(comes_back(&w, 301, 21, PCP_MADE, mac));
	assert_non_null(comes_back(&w, 301, 21, PCP_LEAVING, mac));
	assert_non_null(comes_back(&w, 301, 20, PCP_TOWARDS, mac));
	assert_non_null(comes_back(&w, 301, 20, PCP_TOWARDS, everybody));
	assert_null(comes_back(&w, 301, 20, PCP_LEAVING, mac));
	assert_int_equal(comes_back(&w, 301, 21, PCP_LEAVING, mac)->port,
			 model_port(&w.m, "red", "a")->slot);
	unmake(&w);
}

static const char steps[] =
	"version: 1\n"
	"hosts: {h1: {vtep: 192.168.50.1, underlay: [u0]}}\n"
	"service_functions:\n"
	"  fw: {instances: {i1: {host: h1, device: p8}}}\n"
	"  ips: {instances: {i1: {host: h1, devices: [s0, s1]}}}\n"
	"  waf: {instances: {i1: {host: h1, device: p9}}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks: {web: {vni: 101}}\n"
	"    ports: {a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a'}}\n"
	"    chains:\n"
	"      inspect:\n"
	"        tag: 301\n"
	"        mirror_order: true\n"
	"        steps: [{function: fw, on_failure: open}, {function: ips}, {function: waf, on_failure: open}]\n"
	"    insert: [{name: all, apply_to: [port:a], chain: inspect}]\n";

/* Each step's device is believed its own step; XDP serves all that are there, or none. waf's device is not there. */
static void test_steps(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x0a };
	const struct chain *chain;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, steps, "h1"), 0);
	desired_free(&w.d);
	add_fact(&w.facts, "p8", ROLE_SF, 30);
	take_xdp(&w, "p8");
	for (int all = 0; all <= 1; all++) {
		uint32_t xdp = all ? STEP_XDP_DELIVER : 0;

		if (all) {
			desired_free(&w.d);
			take_xdp(&w, "s0");
			take_xdp(&w, "s1");
		}
		assert_int_equal(compile(&w.m, &w.facts, 250, &w.d, &w.e), 0);
		chain = get(&w, MAP_CHAINS, &model_chain(&w.m, "red", "inspect")->slot);
		assert_int_equal(chain->steps, 3);
		assert_int_equal(chain->flags, CHAIN_MIRROR);
		assert_int_equal(chain->step[0].leaving_ifindex, 30);
		assert_int_equal(chain->step[0].towards_ifindex, 30);
		assert_int_equal(chain->step[0].flags, STEP_OPEN | xdp);
		assert_int_equal(chain->step[1].leaving_ifindex, 20);
		assert_int_equal(chain->step[1].towards_ifindex, 21);
		assert_int_equal(chain->step[1].flags, xdp);
		assert_int_equal(chain->step[2].leaving_ifindex, 0);
		assert_int_equal(chain->step[2].flags, STEP_OPEN | xdp);
	}
	assert_int_equal(w.d.map[MAP_SF].n, 9);
	assert_int_equal(comes_back(&w, 301, 30, PCP_MADE, mac)->step, 0);
	assert_int_equal(comes_back(&w, 301, 21, PCP_MADE, mac)->step, 1);
	assert_int_equal(comes_back(&w, 301, 30, PCP_LEAVING, mac)->step, 0);
	assert_int_equal(comes_back(&w, 301, 30, PCP_TOWARDS, mac)->step, 0);
	assert_int_equal(comes_back(&w, 301, 21, PCP_LEAVING, mac)->step, 1);
	assert_int_equal(comes_back(&w, 301, 20, PCP_TOWARDS, mac)->step, 1);
	assert_null(comes_back(&w, 301, 20, PCP_LEAVING, mac));
	unmake(&w);
}

static const char chosen[] =
	"version: 1\n"
	"hosts: {h1: {vtep: 192.168.50.1, underlay: [u0]}}\n"
	"service_functions:\n"
	"  ips: {instances: {i1: {host: h1, devices: [s0, s1]}}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks: {web: {vni: 101}, db: {vni: 102}}\n"
	"    ports:\n"
	"      a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a'}\n"
	"      b: {network: db, host: h1, device: p1, mac: '02:00:00:00:00:0b'}\n"
	"    groups: {g: {ports: [b]}, own: {ports: [a]}, none: {ports: []}}\n"
	"    chains: {inspect: {tag: 301, steps: [{function: ips}]}}\n"
	"    acl:\n"
	"      - {name: r, direction: in, priority: 1, action: allow, chain: inspect%s}\n"
	"%s";

/* Which ports' MACs are believed, of a and b of this host, as a rule applies to. */
static void test_chosen(void **state)
{
	static const uint8_t mac[2][6] = { { 2, 0, 0, 0, 0, 0x0a }, { 2, 0, 0, 0, 0, 0x0b } },
			     everybody[6] = { 255, 255, 255, 255, 255, 255 };
	static const struct {
		const char *apply_to, *more;
		bool protects[2], wire;
	} cases[] = {
		{ "", "", { true, true }, false },
		{ ", apply_to: [port:a]", "", { true, false }, false },
		{ ", apply_to: [group:g]", "", { false, true }, false },
		{ ", apply_to: [network:db]", "", { false, true }, false },
		{ ", apply_to: [group:none]", "", { false, false }, false },
		{ ", apply_to: [group:g, port:b]", "    insert: [{name: i, apply_to: [port:a], chain: inspect}]\n",
		  { true, true }, true },
		{ ", apply_to: [port:a]", "    insert: [{name: i, apply_to: [port:a], chain: inspect}]\n",
		  { true, false }, true },
		{ ", apply_to: [group:none]", "    insert: [{name: i, apply_to: [group:own, port:a], chain: inspect}]\n",
		  { true, false }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct model_chain *chain;
		char text[2048];
		struct world w;

		snprintf(text, sizeof(text), chosen, cases[i].apply_to, cases[i].more);
		assert_int_equal(make(&w, text, "h1"), 0);
		chain = model_chain(&w.m, "red", "inspect");
		for (int k = 0; k < 2; k++) {
			const struct model_port *port = model_port(&w.m, "red", k ? "b" : "a");

			assert_int_equal(!!comes_back(&w, 301, 21, PCP_LEAVING, mac[k]), cases[i].protects[k]);
			assert_int_equal(!!comes_back(&w, 301, 20, PCP_TOWARDS, mac[k]), cases[i].protects[k]);
			assert_int_equal(!!comes_back(&w, 301, 20, PCP_MADE, mac[k]), cases[i].protects[k]);
			assert_int_equal(model_protects(chain, port), cases[i].protects[k]);
			if (cases[i].protects[k])
				assert_int_equal(comes_back(&w, 301, 21, PCP_LEAVING, mac[k])->port, port->slot);
		}
		/* No broadcast comes back by a rule, so its network need not be known. */
		assert_int_equal(!!comes_back(&w, 301, 20, PCP_TOWARDS, everybody), cases[i].wire);
		assert_int_equal(((const struct chain *)get(&w, MAP_CHAINS, &chain->slot))->vnis[0],
				 cases[i].wire ? 101 : 0);
		assert_int_equal(((const struct port *)get(&w, MAP_PORT_SLOTS, &model_port(&w.m, "red", "a")->slot))->chain,
				 cases[i].wire ? chain->slot : 0);
		unmake(&w);
	}
}

static void test_tenant(void **state)
{
	const struct tenant *tenant;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h1"), 0);
	tenant = get(&w, MAP_TENANTS, &model_tenant(&w.m, "red")->slot);
	assert_int_equal(tenant->flags, TENANT_ALLOW_IN | TENANT_MONITOR);
	assert_int_equal(tenant->timeout[CT_UDP], 30 * 250);
	assert_int_equal(tenant->epoch, 0);
	unmake(&w);
	assert_int_equal(to_jiffies(1, 250), 1);
	assert_int_equal(to_jiffies(30ull * 86400 * 1000, 1000), INT32_MAX);
	assert_int_equal(next_epoch(1), 2);
	assert_int_equal(next_epoch(UINT32_MAX), 1);
}

/* A network with `n` ports on this host, and one more. */
static char *many_ports(int n)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs("version: 1\nhosts:\n  h1: {vtep: 192.0.2.1, underlay: [u0]}\n", out);
	fputs("tenants:\n  red:\n    networks: {web: {vni: 101}}\n    ports:\n", out);
	fputs("      p: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:01'}\n", out);
	for (int i = 0; i < n; i++)
		fprintf(out,
			"      p%d: {network: web, host: h1, device: d%d, mac: '02:00:00:01:%02x:%02x'}\n",
			i, i, i >> 8, i & 255);
	fclose(out);
	return text;
}

static void test_flood_bound(void **state)
{
	char *text = many_ports(FLOOD_MAX + 1);
	struct world w;

	(void)state;
	/* Ports whose device is not there get nothing. */
	assert_int_equal(make(&w, text, "h1"), 0);
	for (int i = 0; i < FLOOD_MAX + 1; i++) {
		char device[16];

		snprintf(device, sizeof(device), "d%d", i);
		add_fact(&w.facts, device, ROLE_PORT, 1000 + (unsigned int)i);
	}
	desired_free(&w.d);
	assert_int_equal(compile(&w.m, &w.facts, 250, &w.d, &w.e), -1);
	assert_contains(w.e.text, "network red/web");
	assert_contains(w.e.text, "512");
	unmake(&w);
	free(text);
}

/*
 * What stays keeps its id and slot; what comes gets a slot that was free before, not one that has
 * just become so.
 */
static void test_identities(void **state)
{
	json_t *first = json_pack("{s:{}, s:{}, s:{}, s:{}}", "tenants/red", "tenants/red/ports/a",
				  "tenants/red/ports/b", "tenants/red/chains/c");
	json_t *second = json_pack("{s:{}, s:{}, s:{}}", "tenants/red", "tenants/red/ports/b",
				   "tenants/red/ports/n");
	struct identities none = { 0 }, a, b, c;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(identities_assign(&none, first, &a, &e), 0);
	assert_int_equal(identity_find(&a, "tenants/red/chains/c")->slot, 1);
	assert_int_equal(identities_assign(&a, second, &b, &e), 0);
	assert_int_equal(identity_find(&b, "tenants/red/ports/b")->id,
			 identity_find(&a, "tenants/red/ports/b")->id);
	assert_int_equal(identity_find(&b, "tenants/red/ports/b")->slot, 1);
	assert_int_equal(identity_find(&b, "tenants/red/ports/n")->slot, 2);
	assert_true(identity_find(&b, "tenants/red/ports/n")->id >
		    identity_find(&a, "tenants/red/chains/c")->id);
	/* One change later the slot is free. */
	assert_int_equal(identities_assign(&b, first, &c, &e), 0);
	assert_int_equal(identity_find(&c, "tenants/red/ports/a")->slot, 0);
	assert_true(identity_find(&c, "tenants/red/ports/a")->id >
		    identity_find(&b, "tenants/red/ports/n")->id);
	identities_free(&a);
	identities_free(&b);
	identities_free(&c);
	json_decref(first);
	json_decref(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),       cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_networks),    cmocka_unit_test(test_whereabouts),
		cmocka_unit_test(test_ports),       cmocka_unit_test(test_chain),
		cmocka_unit_test(test_steps),       cmocka_unit_test(test_tenant),
		cmocka_unit_test(test_flood_bound), cmocka_unit_test(test_identities),
		cmocka_unit_test(test_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-2-Clause
/* Functions on other hosts: what each host's maps have of them. */
#include "compile_world.h"

#include "loader/away.h"

/* One function on h3, in the wires of ports on h1 and h2; another on h1, for both; h4 has to do with neither. */
static const char lab[] =
	"version: 1\n"
	"hosts:\n"
	"  h1: {vtep: 192.168.50.1, underlay: [u0]}\n"
	"  h2: {vtep: 192.168.50.2, underlay: [u0]}\n"
	"  h3: {vtep: 192.168.50.3, underlay: [u0]}\n"
	"  h4: {vtep: 192.168.50.4, underlay: [u0]}\n"
	"service_functions:\n"
	"  far: {instances: {f1: {host: h3, devices: [s0, s1]}}}\n"
	"  near: {instances: {n1: {host: h1, device: s0, weight: 5}, n3: {host: h4, device: s0, admin: drain}}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks:\n"
	"      web: {vni: 101, mtu: 1400}\n"
	"      db: {vni: 102, mtu: 1400}\n"
	"    ports:\n"
	"      a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a'}\n"
	"      b: {network: db, host: h2, device: p0, mac: '02:00:00:00:00:0b'}\n"
	"      c: {network: web, host: h1, device: p9, mac: '02:00:00:00:00:0c'}\n"
	"    chains: {inspect: {tag: 301, steps: [{function: far}]}, own: {tag: 302, steps: [{function: near}]}}\n"
	"    insert: [{name: all, apply_to: [port:a, port:b], chain: inspect}, {name: c, apply_to: [port:c], chain: own}]\n";

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0x0a }, mac_b[6] = { 2, 0, 0, 0, 0, 0x0b },
		     everybody[6] = { 255, 255, 255, 255, 255, 255 };

static const struct nsh_path *path(const struct world *w, const char *chain, const char *judge)
{
	struct nsh_path_key key = { .path = nsh_path_of(chain),
				    .host = model_host(&w->m, judge)->slot };

	return get(w, MAP_NSH_PATHS, &key);
}

static uint32_t slot(const struct world *w, const char *host)
{
	return model_host(&w->m, host)->slot;
}

static const struct function *function(const struct world *w, const char *name)
{
	return get(w, MAP_FUNCTIONS, &model_function(&w->m, name)->slot);
}

/* h1: its ports' frames go to h3. */
static void test_judge(void **state)
{
	const struct nsh_chain *chain;
	const struct function *f;
	const struct chain *record;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h1"), 0);
	f = function(&w, "far");
	assert_int_equal(f->remote, 1);
	/* What programs that know no other hosts would send to: in its place stand no devices. */
	assert_int_equal(f->present, 0);
	assert_int_equal(f->fresh, 1);
	assert_int_equal(f->instance[0].id, instance_id("far/f1"));
	assert_int_equal(f->instance[0].flags, INSTANCE_REMOTE);
	assert_int_equal(f->instance[0].leaving_ifindex, slot(&w, "h3"));
	/* One here, and one that drains elsewhere. */
	f = function(&w, "near");
	assert_int_equal(f->present, 1);
	assert_int_equal(f->fresh, 1);
	assert_int_equal(f->remote, 2);
	assert_int_equal(f->instance[0].weight, 5);
	assert_int_equal(f->instance[1].flags, INSTANCE_REMOTE | INSTANCE_DRAIN);
	chain = get(&w, MAP_NSH_CHAINS, &model_chain(&w.m, "red", "inspect")->slot);
	assert_int_equal(chain->path, nsh_path_of("red/inspect"));
	assert_int_equal(chain->id, model_chain(&w.m, "red", "inspect")->id);
	assert_int_equal(path(&w, "red/inspect", "h1")->vnis[0], 101);
	assert_int_equal(path(&w, "red/inspect", "h1")->vnis[1], 0);
	assert_null(path(&w, "red/inspect", "h2"));
	assert_non_null(path(&w, "red/own", "h1"));
	assert_int_equal(w.d.map[MAP_NSH_PATHS].n, 2);
	/* What comes back from h3 is told by what it is, not by a device. */
	assert_null(comes_back(&w, 301, 20, PCP_LEAVING, mac_a));
	record = get(&w, MAP_CHAINS, &model_chain(&w.m, "red", "inspect")->slot);
	assert_int_equal(record->vnis[0], 101);
	assert_int_equal(record->step[0].leaving_ifindex, 0);
	assert_int_equal(record->step[0].flags, 0);
	unmake(&w);
}

/* h3: gets them, and gives them back; the tenant has no port there. */
static void test_function(void **state)
{
	const struct sf_return *back;
	const struct chain *record;
	const struct function *f;
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h3"), 0);
	f = function(&w, "far");
	assert_int_equal(f->present, 1);
	assert_int_equal(f->remote, 0);
	assert_null(function(&w, "near"));
	assert_int_equal(path(&w, "red/inspect", "h1")->vnis[0], 101);
	assert_int_equal(path(&w, "red/inspect", "h2")->vnis[0], 102);
	assert_null(path(&w, "red/inspect", "h3"));
	assert_null(path(&w, "red/own", "h1"));
	record = get(&w, MAP_CHAINS, &model_chain(&w.m, "red", "inspect")->slot);
	assert_int_equal(record->vnis[0], 101);
	assert_int_equal(record->vnis[1], 102);
	assert_int_equal(record->step[0].leaving_ifindex, 20);
	back = comes_back(&w, 301, 21, PCP_LEAVING, mac_a);
	assert_int_equal(back->port, SF_AWAY(slot(&w, "h1"), 0));
	assert_int_equal(back->chain, model_chain(&w.m, "red", "inspect")->slot);
	assert_int_equal(comes_back(&w, 301, 20, PCP_TOWARDS, mac_b)->port, SF_AWAY(slot(&w, "h2"), 1));
	assert_int_equal(comes_back(&w, 301, 20, PCP_MADE, mac_b)->port, SF_AWAY(slot(&w, "h2"), 1));
	assert_int_equal(comes_back(&w, 301, 20, PCP_TOWARDS, everybody)->port, SF_AWAY(0, 0));
	assert_int_equal(w.d.map[MAP_SF].n, 9);
	assert_int_equal(w.d.map[MAP_NETWORKS].n, 0);
	unmake(&w);
}

/* h4 runs one that h1 may fall back upon; h1 alone. And who has to do with none has nothing of them. */
static void test_others(void **state)
{
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h4"), 0);
	assert_non_null(path(&w, "red/own", "h1"));
	assert_int_equal(w.d.map[MAP_NSH_PATHS].n, 1);
	assert_int_equal(w.d.map[MAP_CHAINS].n, 1);
	unmake(&w);
	assert_int_equal(make(&w, lab, "h9"), 0);
	assert_int_equal(w.d.map[MAP_NSH_PATHS].n + w.d.map[MAP_NSH_CHAINS].n + w.d.map[MAP_SF].n +
				 w.d.map[MAP_FUNCTIONS].n,
			 0);
	unmake(&w);
}

/* 1400 + 74 fit 1500; 1427 + 74 do not, and what is not here is not used then. */
static void test_mtu(void **state)
{
	struct model_function *f;
	struct error e = { 0 };
	struct world w;

	(void)state;
	assert_int_equal(make(&w, lab, "h1"), 0);
	f = model_function(&w.m, "near");
	assert_int_equal(facts_check(&w.facts, &w.m, &e), 0);
	assert_null(away_misfit(&w.facts, &w.m, f));
	model_network(&w.m, "red", "web")->mtu = 1427;
	assert_string_equal(away_misfit(&w.facts, &w.m, f)->name, "web");
	assert_int_equal(facts_check(&w.facts, &w.m, &e), -1);
	assert_non_null(strstr(e.text, "mtu 1427 and 74 bytes"));
	assert_non_null(strstr(e.text, "function far on other hosts"));
	/* With an instance here nothing is refused. */
	model_port(&w.m, "red", "a")->chain = NULL;
	assert_int_equal(facts_check(&w.facts, &w.m, &e), 0);
	desired_free(&w.d);
	assert_int_equal(compile(&w.m, &w.facts, 250, &w.d, &w.e), 0);
	assert_int_equal(function(&w, "near")->remote, 0);
	assert_int_equal(function(&w, "near")->instance[1].id, 0);
	assert_int_equal(function(&w, "near")->present, 1);
	unmake(&w);
}

/* 40 instances, one a host: each host uses 16, its own among them, and all agree on which. */
static void test_many(void **state)
{
	enum { HOSTS = 40 };
	char text[16384], *end = text;
	int used[HOSTS] = { 0 };

	(void)state;
	end += sprintf(end, "version: 1\nhosts:\n");
	for (int i = 0; i < HOSTS; i++)
		end += sprintf(end, "  h%d: {vtep: 192.168.50.%d, underlay: [u0]}\n", i, i + 1);
	end += sprintf(end, "service_functions:\n  f:\n    instances:\n");
	for (int i = 0; i < HOSTS; i++)
		end += sprintf(end, "      i%d: {host: h%d, device: s0}\n", i, i);
	end += sprintf(end, "tenants:\n  red:\n    networks: {web: {vni: 101}}\n    ports:\n");
	for (int i = 0; i < HOSTS; i++)
		end += sprintf(end, "      p%d: {network: web, host: h%d, device: p0, mac: '02:00:00:00:01:%02x'}\n",
			       i, i, i);
	end += sprintf(end, "    chains: {c: {tag: 1, steps: [{function: f}]}}\n    insert:\n");
	for (int i = 0; i < HOSTS; i++)
		end += sprintf(end, "      - {name: i%d, apply_to: [port:p%d], chain: c}\n", i, i);
	for (int host = 0; host < HOSTS; host++) {
		const struct model_function *f;
		char name[8];
		struct world w;
		int n = 0;

		sprintf(name, "h%d", host);
		assert_int_equal(make(&w, text, name), 0);
		f = model_function(&w.m, "f");
		for (int i = 0; i < HOSTS; i++) {
			const struct model_instance *one = &f->instances[i];

			assert_false(one->here && one->away);
			n += one->here || one->away;
			used[i] += one->away;
			/* The host of the instance thinks so, too. */
			assert_int_equal(one->away, away_uses(f, one, w.m.self));
		}
		assert_int_equal(n, FUNCTION_INSTANCES);
		unmake(&w);
	}
	for (int i = 0; i < HOSTS; i++)
		assert_in_range(used[i], 4, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge), cmocka_unit_test(test_function),
		cmocka_unit_test(test_others), cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

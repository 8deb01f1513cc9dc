// SPDX-License-Identifier: BSD-2-Clause
/* Functions with several instances: what the maps get of them, who has which place and slot, and who may not go. */
#include "compile_world.h"

#include "loader/instances.h"

#define SEVERAL(instances)                                                                         \
	"version: 1\n"                                                                             \
	"hosts: {h1: {vtep: 192.168.50.1, underlay: [u0]}, h2: {vtep: 192.168.50.2, underlay: [u0]}}\n" \
	"service_functions:\n"                                                                     \
	"  ips: {rebalance: true, drain_timeout: 90s, instances: {" instances "}}\n"               \
	"tenants:\n"                                                                               \
	"  red:\n"                                                                                 \
	"    networks: {web: {vni: 101}}\n"                                                        \
	"    ports: {a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a'}}\n"         \
	"    chains: {inspect: {tag: 301, steps: ips}}\n"                                          \
	"    insert: [{name: all, apply_to: [port:a], chain: inspect}]\n"

#define I1 "i1: {host: h1, devices: [s0, s1]}"
#define I2 "i2: {host: h1, device: p8, weight: 3}"
#define I3 "i3: {host: h1, device: p7, admin: drain}"
#define I4 "i4: {host: h1, device: p6, admin: down}"
#define I5 "i5: {host: h1, device: p5}" /* whose device is not there */
#define FAR "far: {host: h2, device: p8}"

/* As commit does it, with what the map has. */
static void make_several(struct world *w, const char *text, const struct function *had)
{
	assert_int_equal(make(w, text, "h1"), 0);
	desired_free(&w->d);
	add_fact(&w->facts, "p8", ROLE_SF, 30);
	add_fact(&w->facts, "p7", ROLE_SF, 31);
	add_fact(&w->facts, "p6", ROLE_SF, 32);
	add_fact(&w->facts, "p5", ROLE_SF, 0);
	assert_int_equal(instances_place_in(&w->m.functions[0], had, &w->e), 0);
	assert_int_equal(compile(&w->m, &w->facts, 250, &w->d, &w->e), 0);
}

static const struct function *function_of(const struct world *w)
{
	return get(w, MAP_FUNCTIONS, &w->m.functions[0].slot);
}

static uint8_t place_of(const struct function *f, const char *name)
{
	uint8_t place = 0;

	while (place < FUNCTION_INSTANCES && f->instance[place].id != instance_id(name))
		place++;
	return place;
}

static const struct sf_instance *instance_of(const struct function *f, const char *name)
{
	uint8_t place = place_of(f, name);

	assert_true(place < FUNCTION_INSTANCES);
	return &f->instance[place];
}

static bool is_in(uint16_t places, const struct function *f, const char *name)
{
	return places >> place_of(f, name) & 1;
}

/* Who is there, and who may get what is new; each is believed at its own device, and answers for its own place. */
static void test_instances(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x0a };
	const struct function none = { 0 }, *f;
	const struct chain *chain;
	struct world w;

	(void)state;
	make_several(&w, SEVERAL(I4 ", " I1 ", " I2 ", " I3 ", " I5 ", " FAR), &none);
	f = function_of(&w);
	assert_int_equal(f->id, w.m.functions[0].id);
	assert_int_equal(f->flags, FUNCTION_REBALANCE);
	assert_int_equal(w.m.functions[0].drain_ms, 90000);
	assert_int_equal(place_of(f, "ips/far"), FUNCTION_INSTANCES);
	assert_int_equal(instance_of(f, "ips/i1")->leaving_ifindex, 20);
	assert_int_equal(instance_of(f, "ips/i1")->towards_ifindex, 21);
	assert_int_equal(instance_of(f, "ips/i1")->weight, 1);
	assert_int_equal(instance_of(f, "ips/i2")->weight, 3);
	assert_int_equal(instance_of(f, "ips/i3")->flags, INSTANCE_DRAIN);
	assert_int_equal(instance_of(f, "ips/i4")->flags, INSTANCE_DOWN);
	assert_int_equal(instance_of(f, "ips/i5")->leaving_ifindex, 0);
	assert_true(is_in(f->present, f, "ips/i1") && is_in(f->fresh, f, "ips/i1"));
	assert_true(is_in(f->present, f, "ips/i2") && is_in(f->fresh, f, "ips/i2"));
	assert_true(is_in(f->present, f, "ips/i3") && !is_in(f->fresh, f, "ips/i3"));
	assert_false(is_in(f->present, f, "ips/i4") || is_in(f->fresh, f, "ips/i4"));
	assert_false(is_in(f->present, f, "ips/i5") || is_in(f->fresh, f, "ips/i5"));
	assert_int_equal(__builtin_popcount(f->present), 3);
	/* For programs that know of one alone: the first that is there and not down. */
	chain = get(&w, MAP_CHAINS, &model_chain(&w.m, "red", "inspect")->slot);
	assert_int_equal(chain->step[0].function, w.m.functions[0].slot);
	assert_int_equal(chain->step[0].leaving_ifindex, 20);
	/* What an instance was sent before it went down comes back yet. */
	assert_int_equal(w.d.map[MAP_SF].n, 5 + 3 * 4);
	assert_int_equal(comes_back(&w, 301, 21, PCP_LEAVING, mac)->instance, place_of(f, "ips/i1"));
	assert_int_equal(comes_back(&w, 301, 30, PCP_LEAVING, mac)->instance, place_of(f, "ips/i2"));
	assert_int_equal(comes_back(&w, 301, 31, PCP_TOWARDS, mac)->instance, place_of(f, "ips/i3"));
	assert_int_equal(comes_back(&w, 301, 32, PCP_TOWARDS, mac)->instance, place_of(f, "ips/i4"));
	unmake(&w);
}

/* Whoever comes or goes, who stays has its place; and who comes rather gets one that nobody has just left. */
static void test_places(void **state)
{
	const struct function none = { 0 };
	struct function had, now;
	struct world w;

	(void)state;
	make_several(&w, SEVERAL(I1 ", " I2 ", " I3), &none);
	had = *function_of(&w);
	unmake(&w);
	make_several(&w, SEVERAL(I4 ", " I3 ", " I1), &had);
	now = *function_of(&w);
	assert_int_equal(place_of(&now, "ips/i1"), place_of(&had, "ips/i1"));
	assert_int_equal(place_of(&now, "ips/i3"), place_of(&had, "ips/i3"));
	assert_int_not_equal(place_of(&now, "ips/i4"), place_of(&had, "ips/i2"));
	assert_int_equal(place_of(&now, "ips/i2"), FUNCTION_INSTANCES);
	unmake(&w);
	/* Its record and nothing else says so: of another function's slot nothing is kept. */
	make_several(&w, SEVERAL(I2), &none);
	assert_int_equal(place_of(function_of(&w), "ips/i2"), 0);
	unmake(&w);
}

/* XDP may send to each of them, or to none. */
static void test_instances_xdp(void **state)
{
	static const char *const devices[] = { "s0", "s1", "p8", "p7" };
	const struct function none = { 0 };
	const struct chain *chain;
	struct world w;

	(void)state;
	make_several(&w, SEVERAL(I1 ", " I2 ", " I3 ", " FAR), &none);
	for (size_t i = 0; i <= 4; i++) {
		chain = get(&w, MAP_CHAINS, &model_chain(&w.m, "red", "inspect")->slot);
		assert_int_equal(chain->step[0].flags, i == 4 ? STEP_XDP_DELIVER : 0);
		desired_free(&w.d);
		if (i < 4)
			take_xdp(&w, devices[i]);
		assert_int_equal(compile(&w.m, &w.facts, 250, &w.d, &w.e), 0);
	}
	unmake(&w);
}

/* An older build gave functions no slot: they get one now, and keep it. */
static void test_function_slots(void **state)
{
	json_t *flat = json_pack("{s:{}, s:{}}", "service_functions/fw", "service_functions/ips");
	struct identities older = { 0 }, now, later;
	struct error e = { 0 };

	(void)state;
	identity_set(&older, "service_functions/fw", 7, 0);
	identity_set(&older, "service_functions/ips", 8, 0);
	assert_true(identity_slot_fits("service_functions/fw", 0));
	assert_int_equal(identities_assign(&older, flat, &now, &e), 0);
	assert_int_not_equal(identity_find(&now, "service_functions/fw")->slot, 0);
	assert_int_not_equal(identity_find(&now, "service_functions/ips")->slot, 0);
	assert_int_not_equal(identity_find(&now, "service_functions/ips")->slot,
			     identity_find(&now, "service_functions/fw")->slot);
	assert_true(identity_find(&now, "service_functions/fw")->id > 8);
	assert_int_equal(identities_assign(&now, flat, &later, &e), 0);
	assert_int_equal(identity_find(&later, "service_functions/ips")->slot,
			 identity_find(&now, "service_functions/ips")->slot);
	assert_int_equal(identity_find(&later, "service_functions/ips")->id,
			 identity_find(&now, "service_functions/ips")->id);
	identities_free(&older);
	identities_free(&now);
	identities_free(&later);
	json_decref(flat);
}

static int check_loss(const char *stored, const char *wanted, struct error *e)
{
	json_t *before = parsed(stored), *after = parsed(wanted);
	int refused = config_check_instances(before, after, e);

	json_decref(before);
	json_decref(after);
	return refused;
}

/* The last one that is up does not go by itself. */
static void test_last_instance(void **state)
{
#define HERE(first, second) "i1: {host: h1, device: s0" first "}, i2: {host: h1, device: p8" second "}"
#define ELSEWHERE	    "far: {host: h2, device: p8, admin: down}"
	static const char up[] = SEVERAL(HERE("", "") ", " ELSEWHERE),
			  one[] = SEVERAL(HERE("", ", admin: down") ", " ELSEWHERE),
			  none[] = SEVERAL(HERE(", admin: drain", ", admin: down") ", " ELSEWHERE),
			  far[] = SEVERAL(HERE(", admin: drain", ", admin: down") ", " FAR),
			  away[] = SEVERAL("i2: {host: h1, device: p8, admin: down}");
	struct error e = { 0 };

	(void)state;
	assert_int_equal(check_loss(up, one, &e), 0);
	assert_int_equal(check_loss(one, up, &e), 0);
	assert_int_equal(check_loss(one, none, &e), -1);
	assert_contains(e.text, "service_functions/ips: no instance on host h1 would be up");
	assert_contains(e.text, "chain red/inspect needs one there");
	assert_contains(e.text, "is dropped (on_failure: closed)");
	assert_int_equal(check_loss(up, away, &e), -1);
	/* That of another host does, and is the last one then. */
	assert_int_equal(check_loss(up, far, &e), 0);
	assert_int_equal(check_loss(far, none, &e), -1);
	/* Who has been there already may change what he likes. */
	assert_int_equal(check_loss(none, away, &e), 0);
	assert_int_equal(check_loss(none, none, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instances),     cmocka_unit_test(test_places),
		cmocka_unit_test(test_instances_xdp), cmocka_unit_test(test_function_slots),
		cmocka_unit_test(test_last_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the compilers share: a configuration, its model, devices that are said to be there, and what comes of it. */
#ifndef WEFT_UNIT_COMPILE_WORLD_H
#define WEFT_UNIT_COMPILE_WORLD_H

#include "config_helpers.h"

#include "loader/compile.h"
#include "loader/instances.h"
#include "loader/sync.h"

struct world {
	json_t *tree, *flat;
	struct identities ids;
	struct model m;
	struct facts facts;
	struct desired d;
	struct error e;
};

static inline void add_fact(struct facts *facts, const char *device, enum role role, unsigned int ifindex)
{
	struct fact *fact = calloc(1, sizeof(*fact));

	snprintf(fact->device, sizeof(fact->device), "%s", device);
	fact->user = strdup("test");
	fact->role = role;
	fact->present = ifindex != 0;
	fact->info.ifindex = ifindex;
	fact->info.mtu = 1500;
	HASH_ADD_STR(facts->by_device, device, fact);
}

static inline int make(struct world *w, const char *text, const char *self)
{
	struct identities none = { 0 };

	*w = (struct world){ .tree = parsed(text) };
	assert_int_equal(config_check(w->tree, NULL, &w->e), 0);
	w->flat = config_flatten(w->tree);
	assert_int_equal(identities_assign(&none, w->flat, &w->ids, &w->e), 0);
	model_make(&w->m, w->tree, &w->ids, self);
	for (size_t i = 0; i < w->m.n_functions; i++)
		assert_int_equal(instances_place_in(&w->m.functions[i], &(struct function){ 0 }, &w->e), 0);
	add_fact(&w->facts, "u0", ROLE_UNDERLAY, 2);
	add_fact(&w->facts, "p0", ROLE_PORT, 10);
	add_fact(&w->facts, "p9", ROLE_PORT, 0);
	add_fact(&w->facts, "s0", ROLE_SF, 20);
	add_fact(&w->facts, "s1", ROLE_SF, 21);
	return compile(&w->m, &w->facts, 250, &w->d, &w->e);
}

static inline void unmake(struct world *w)
{
	desired_free(&w->d);
	facts_free(&w->facts);
	model_free(&w->m);
	identities_free(&w->ids);
	json_decref(w->flat);
	json_decref(w->tree);
}

static inline const void *get(const struct world *w, enum sync_map map, const void *key)
{
	return entries_find(&w->d.map[map], key);
}

static inline const struct sf_return *comes_back(const struct world *w, uint16_t tag, uint32_t ifindex, int pcp,
					  const uint8_t mac[6])
{
	struct sf_key key = { .ifindex = ifindex, .tci = (uint16_t)(pcp << 13 | tag) };

	memcpy(key.mac, mac, 6);
	return get(w, MAP_SF, &key);
}

static inline void take_xdp(struct world *w, const char *device)
{
	facts_find(&w->facts, device)->takes_xdp = true;
}

#endif

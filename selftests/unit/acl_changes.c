// SPDX-License-Identifier: BSD-2-Clause
/*
 * Changes, one after the other, of rules and of groups: after each, what is in use (the tree that was kept, what goes
 * beside it, what is void in it, the index) must answer as the oracle does, which asks the rules as they are written.
 */
#include "acl_world.h"

#define STEPS	600
#define PACKETS 60

/* What the maps of the tenant would hold. */
struct live {
	union acl_slot *slot;
	size_t slots;
	struct acl_cells tree, index;
};

struct tally {
	int all, index, beside, same, edits, back;
};

static void take_cells(struct acl_cells *to, struct acl_cells *from)
{
	if (!from->n)
		return;
	free(to->cell);
	*to = *from;
	*from = (struct acl_cells){ 0 };
}

/* As an installation does. */
static void install(struct live *live, struct acl_program *p, struct tally *t)
{
	bool made = p->base.tree.n > 0;

	t->all += made;
	t->index += !p->base.tree.n && p->base.index.n;
	t->same += p->same;
	t->beside += !p->same && !p->base.tree.n && !p->base.index.n;
	take_cells(&live->tree, &p->base.tree);
	take_cells(&live->index, &p->base.index);
	free(live->slot);
	live->slot = p->slot;
	live->slots = p->slots;
	p->slot = NULL;
	if (made)
		live->slot[0].header.tree = live->slot[0].header.index = 1;
}

static union acl_cell *behind(const struct acl_cells *cells)
{
	size_t at = cells->n ? cells->cell[0].base.cells : 0, n = cells->n - at;
	union acl_cell *copy;

	if (!cells->n)
		return NULL;
	assert_true(acl_seal(cells->cell, cells->n) == cells->cell[0].base.seal);
	copy = calloc(n + 1, sizeof(*copy));
	copy[0] = cells->cell[0];
	memcpy(copy + 1, cells->cell + at, n * sizeof(*copy));
	return copy;
}

static struct acl_in_use in_use_of(const struct live *live)
{
	struct acl_in_use u = { .slots = live->slots, .sealed = true };

	if (!live->slot)
		return u;
	u.slot = calloc(live->slots, sizeof(*u.slot));
	memcpy(u.slot, live->slot, live->slots * sizeof(*u.slot));
	u.tree = behind(&live->tree);
	u.index = behind(&live->index);
	return u;
}

/* Only the rules beside the tree, and the one that has changed: all that an edit sees. */
static json_t *few_rules(const struct acl_kept *k, const json_t *acl, const char *changed)
{
	json_t *few = json_object();
	const struct acl_known *beside;
	char name[WEFT_NAME_LEN + 1] = "";

	for (uint32_t i = 0; (beside = acl_kept_beside(k, i)); i++) {
		memcpy(name, beside->name, WEFT_NAME_LEN);
		if (strcmp(name, changed))
			json_object_set(few, name, json_object_get(acl, name));
	}
	if (json_object_get(acl, changed))
		json_object_set(few, changed, json_object_get(acl, changed));
	return few;
}

/* One rule has changed: what is made of it alone must be what is made of all rules, byte by byte. */
static void compare_edit(const struct model *m, const struct live *live, const char *changed,
			 const struct acl_program *whole, struct tally *t)
{
	struct acl_kept k = { live->slot, live->slots, live->tree.cell, live->tree.n };
	const struct model_tenant *red = model_tenant(m, "red");
	const json_t *acl = json_object_get(red->body, "acl");
	bool beside = !whole->base.tree.n && !whole->base.index.n && whole->slot[0].header.tree;
	struct acl_program p;
	struct acl_rules r;
	struct model_tenant few = *red;
	uint64_t key[2];
	json_t *body;
	struct error e = { 0 };

	/* A rule that gets a chain, or loses it, is no matter of its own: rule_edit.c leaves it to who looks at all. */
	if (!live->slot || !acl_kept_fits(&k) || live->slot[0].header.inspect != whole->slot[0].header.inspect)
		return;
	body = json_copy((json_t *)red->body);
	json_object_set_new(body, "acl", few_rules(&k, acl, changed));
	few.body = body;
	memcpy(key, live->tree.cell[0].base.key, sizeof(key));
	assert_int_equal(acl_rules_gather(m, &few, key, &r, &e), 0);
	/* A set that has become small is none of an edit's business. */
	if (acl_program_edit(&k, &r, changed, (uint32_t)json_object_size(acl), &p) &&
	    (beside || whole->base.tree.n)) {
		assert_true(beside);
		assert_int_equal(p.slots, whole->slots);
		assert_memory_equal(p.slot, whole->slot, p.slots * sizeof(*p.slot));
		t->edits++;
	} else {
		/* That a rule is again what the tree has is left to who looks at all. */
		t->back += beside;
	}
	acl_program_free(&p);
	acl_rules_free(&r);
	json_decref(body);
}

static void compare(const json_t *tree, const struct model *m, struct live *live, const char *changed, struct tally *t)
{
	struct model_tenant *red = model_tenant(m, "red");
	struct acl_in_use u = in_use_of(live);
	struct acl_compiled base = { 0 };
	struct acl_program program;
	struct error e = { 0 };

	if (acl_program_make(m, red, &u, &program, &e))
		fail_msg("%s", e.text);
	if (changed[0])
		compare_edit(m, live, changed, &program, t);
	acl_in_use_free(&u);
	install(live, &program, t);
	acl_program_free(&program);
	base.tree = live->tree;
	base.index = live->index;
	for (int i = 0; i < PACKETS; i++) {
		struct packet p = random_packet();
		const char *expected = oracle(tree, json_object_get(red->body, "acl"), &p);
		struct acl_query q = query_of(m, &p);
		char path[CONFIG_PATH_LEN];
		struct acl_said said;

		snprintf(path, sizeof(path), "tenants/red/acl/%s", expected ? expected : "");
		assert_int_equal(acl_slots_ask(live->slot, &base, &q, &said),
				 expected ? identity_find(m->ids, path)->id : 0);
		if (expected)
			assert_said(m, json_object_get(json_object_get(red->body, "acl"), expected), &said);
	}
}

/* The oracle asks in the order of names: so they are put in it. */
static void put_rule(json_t *red, const char *name, json_t *rule)
{
	json_t *acl = json_object_get(red, "acl"), *sorted = json_object();
	char other[16];

	if (rule)
		json_object_set_new(acl, name, rule);
	else
		json_object_del(acl, name);
	for (int i = 0; i < 64; i++) {
		snprintf(other, sizeof(other), "r%02d", i);
		if (json_object_get(acl, other))
			json_object_set(sorted, other, json_object_get(acl, other));
	}
	json_object_set_new(red, "acl", sorted);
}

static void change_group(json_t *red)
{
	static const char *const ports[] = { "p0", "p1", "p2", "p3", "p4" };
	static const char *const prefixes[] = { "10.0.2.0/31", "10.9.0.0/16", "fd00:2::/64", "10.0.1.2/32", "10.0.0.0/8" };
	char name[4];

	snprintf(name, sizeof(name), "g%u", dice(3));
	json_object_set_new(json_object_get(red, "groups"), name,
			    name[1] == '1' ? json_pack("{s:o}", "prefixes", some(prefixes, COUNT(prefixes), 3)) :
					     json_pack("{s:o}", "ports", some(ports, COUNT(ports), 3)));
}

/* `changed` becomes the name of the one rule that has. */
static void change(json_t *red, char changed[16])
{
	char name[16];

	snprintf(name, sizeof(name), "r%02u", dice(64));
	changed[0] = '\0';
	if (!dice(4)) {
		change_group(red);
	} else if (dice(8)) {
		put_rule(red, name, dice(3) ? random_rule() : NULL);
		memcpy(changed, name, sizeof(name));
	}
	/* or nothing, or what makes a small set of it */
	else if (!dice(6))
		for (int i = 4; i < 64; i++) {
			snprintf(name, sizeof(name), "r%02d", i);
			put_rule(red, name, NULL);
		}
	else if (dice(2))
		for (int i = 0; i < 64; i += 2) {
			snprintf(name, sizeof(name), "r%02d", i);
			put_rule(red, name, random_rule());
		}
}

static void test_changes(void **state)
{
	json_t *tree = parsed(world_text), *red = json_object_get(json_object_get(tree, "tenants"), "red");
	struct identities ids = { 0 };
	struct live live = { 0 };
	struct tally t = { 0 };
	struct error e = { 0 };

	(void)state;
	json_object_set_new(red, "acl", json_object());
	for (int i = 0; i < STEPS; i++) {
		struct identities next;
		char changed[16];
		json_t *flat;
		struct model m;

		change(red, changed);
		flat = config_flatten(tree);
		assert_int_equal(identities_assign(&ids, flat, &next, &e), 0);
		identities_free(&ids);
		ids = next;
		model_make(&m, tree, &ids, "h1");
		compare(tree, &m, &live, changed, &t);
		model_free(&m);
		json_decref(flat);
	}
	print_message("of %d changes: %d made all anew, %d the index, %d went beside (%d by an edit too), %d changed nothing\n",
		      STEPS, t.all, t.index, t.beside, t.edits, t.same);
	/* Each way has been gone. */
	assert_true(t.all > 20 && t.index > 3 && t.beside > 50 && t.same > 20 && t.edits > 50 && t.back < 10);
	identities_free(&ids);
	json_decref(tree);
	free(live.slot);
	free(live.tree.cell);
	free(live.index.cell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

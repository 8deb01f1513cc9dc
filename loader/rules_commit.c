// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tree in use has a keyed hash of each rule that it was made from. What has its hash was checked then; what has
 * another, or none, is checked now. All of them then go to the compiler as they lie in the map `rules`.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/acl/hash.h"
#include "loader/alloc.h"
#include "loader/apply.h"
#include "loader/audit.h"
#include "loader/config/check.h"
#include "loader/config/tree.h"
#include "loader/confirm.h"
#include "loader/devices.h"
#include "loader/history.h"
#include "loader/rule_edit.h"
#include "loader/rule_hits.h"
#include "loader/rule_place.h"
#include "loader/rules_commit.h"
#include "loader/tables.h"

struct work {
	struct batch *b;
	struct rule_place place;
	const char *tenant;
	struct acl_in_use in_use;
	uint32_t all; /* rules that were compiled last */
	struct entries rules; /* all of the map, by name */
	struct entries changed; /* of these, as they are after the check */
	struct entries gone; /* names that are compiled and lie there no more */
	json_t *diff;
	struct commit c;
	struct identities ids;
	struct model model;
	size_t at; /* of the tenant in the model */
	struct tables tables;
};

/* ---- what has changed ---- */

static const struct acl_known *known_beside(const struct work *w, const char *name)
{
	const struct acl_header *h = &w->in_use.slot[0].header;
	size_t at = 1 + h->entries + (h->voids + ACL_VOIDS - 1) / ACL_VOIDS;

	for (uint32_t i = 0; i < h->beside; i++)
		if (!strncmp(w->in_use.slot[at + i].known.name, name, WEFT_NAME_LEN))
			return &w->in_use.slot[at + i].known;
	return NULL;
}

static bool is_void(const struct work *w, uint32_t rank)
{
	const struct acl_header *h = &w->in_use.slot[0].header;

	for (uint32_t i = 0; i < h->voids; i++)
		if (w->in_use.slot[1 + h->entries + i / ACL_VOIDS].voids[i % ACL_VOIDS] == rank)
			return true;
	return false;
}

static void note_change(struct work *w, const char *name, bool known, bool there)
{
	char path[CONFIG_PATH_LEN];

	snprintf(path, sizeof(path), "tenants/%s/acl/%s", w->tenant, name);
	json_array_append_new(w->diff, json_pack("{s:s, s:s}", "op", !there ? "delete" : known ? "change" : "add",
						 "path", path));
}

/* Is each rule that counts among those that are known? Not where some apply to other hosts' ports alone. */
static bool knows_all(const struct work *w)
{
	const struct acl_header *h = &w->in_use.slot[0].header;

	return w->all == w->in_use.tree[0].base.items - h->voids + h->beside;
}

static void find_changes(struct work *w)
{
	const union acl_cell *tree = w->in_use.tree + 1;
	uint32_t items = w->in_use.tree[0].base.items, seen = 0;
	const uint64_t key[2] = { w->in_use.tree[0].base.key[0], w->in_use.tree[0].base.key[1] };
	bool *live = alloc_zero(items + 1, sizeof(*live));

	for (size_t i = 0; i < w->rules.n; i++) {
		char name[WEFT_NAME_LEN + 1] = "";
		const struct acl_known *known;

		memcpy(name, entries_key(&w->rules, i), WEFT_NAME_LEN);
		known = known_beside(w, name);
		if (!known) {
			uint32_t at = acl_known_find(tree, items, name);

			if (at && !is_void(w, tree[at - 1].known.rank)) {
				known = &tree[at - 1].known;
				live[at - 1] = true;
			}
		}
		seen += known != NULL;
		if (known && known->digest == keyed_hash(key, entries_value(&w->rules, i), sizeof(struct rule)))
			continue;
		entries_add(&w->changed, entries_key(&w->rules, i), entries_value(&w->rules, i));
		note_change(w, name, known != NULL, true);
	}
	/* Usually none is gone. */
	for (uint32_t i = 0; seen < w->all && i < items; i++) {
		char name[WEFT_NAME_LEN + 1] = "";

		memcpy(name, tree[i].known.name, WEFT_NAME_LEN);
		if (live[i] || is_void(w, tree[i].known.rank) || known_beside(w, name))
			continue;
		entries_add(&w->gone, tree[i].known.name, NULL);
		note_change(w, name, true, false);
		seen++;
	}
	free(live);
}

/* Has a rule that has changed a chain, or may it have had one? With it changes what functions are believed. */
static bool concerns_chains(const struct work *w)
{
	for (size_t i = 0; i < w->changed.n; i++)
		if (((const struct rule *)entries_value(&w->changed, i))->action == ACL_INSPECT)
			return true;
	return w->in_use.slot[0].header.inspect && w->changed.n + w->gone.n;
}

static int open_all(struct work *w, struct error *e)
{
	struct tables t = { 0 };
	uint32_t id;
	int fd = -1;

	t.outer[INNER_ACL] = root_map(&w->b->root, inner_kinds[INNER_ACL].name, e);
	t.outer[INNER_TREE] = root_map(&w->b->root, inner_kinds[INNER_TREE].name, e);
	t.outer[INNER_INDEX] = root_map(&w->b->root, inner_kinds[INNER_INDEX].name, e);
	if (!bpf_map_lookup_elem(t.outer[INNER_ACL], &w->place.slot, &id))
		fd = inner_find(&w->b->root, w->tenant, INNER_ACL, id);
	if (fd >= 0) {
		const struct model_tenant tenant = { .name = w->tenant };

		acl_in_use_read(&t, &w->b->root, &tenant, fd, &w->in_use);
		close(fd);
	}
	close(t.outer[INNER_ACL]);
	close(t.outer[INNER_TREE]);
	close(t.outer[INNER_INDEX]);
	if (!w->in_use.slot || !w->in_use.sealed || !w->in_use.tree || !w->in_use.index)
		return RULES_COMMIT_OTHER;
	w->all = w->in_use.slot[0].header.rules;
	if (!knows_all(w) || map_read(w->place.rules, "rules", &w->rules, e))
		return RULES_COMMIT_OTHER;
	entries_sort(&w->rules);
	find_changes(w);
	/* A rule beside the tree that is gone, or whatever else does not add up, is left to who looks at all. */
	if (w->rules.n + w->gone.n < w->all || concerns_chains(w))
		return RULES_COMMIT_OTHER;
	return 0;
}

/* ---- is it right? ---- */

/* In the form that a rule has when weft writes it, with its id. */
static int settle_rules(struct work *w, struct error *e)
{
	for (size_t i = 0; i < w->changed.n; i++) {
		char name[WEFT_NAME_LEN + 1] = "", path[CONFIG_PATH_LEN];
		struct rule *mine = entries_value(&w->changed, i), *rule;
		json_t *object, *entry = json_array_get(w->diff, i);

		memcpy(name, entries_key(&w->changed, i), WEFT_NAME_LEN);
		snprintf(path, sizeof(path), "tenants/%s/acl/%s", w->tenant, name);
		object = json_object_get(w->b->state.flat, path);
		if (rule_encode(w->tenant, name, object, identity_find(&w->ids, path)->id, mine, e))
			return -1;
		rule = entries_find(&w->rules, entries_key(&w->changed, i));
		*rule = *mine;
		json_object_set(entry, "new", object);
	}
	return 0;
}

static int check(struct work *w, struct error *e)
{
	struct batch *b = w->b;
	char self[WEFT_NAME_LEN + 1];
	struct error unused;
	struct entries copy;
	json_t *flat;
	int result = -1;

	entries_init(&copy, sizeof(struct rule_key), sizeof(struct rule));
	for (size_t i = 0; i < w->changed.n; i++)
		entries_add(&copy, entries_key(&w->changed, i), entries_value(&w->changed, i));
	state_take_rules(&b->state, w->tenant, &copy);
	entries_free(&copy);
	/* The other way says what is wrong with it. */
	if (b->state.rejected)
		return RULES_COMMIT_OTHER;
	w->c.wanted = config_unflatten(b->state.flat);
	flat = config_flatten(w->c.wanted);
	if (!config_check(w->c.wanted, NULL, &unused) && !identities_assign(&b->state.ids, flat, &w->ids, &unused) &&
	    !commit_pick_host(&b->state, w->c.wanted, self, &unused))
		result = 0;
	json_decref(flat);
	if (result)
		return RULES_COMMIT_OTHER;
	model_make(&w->model, w->c.wanted, &w->ids, self);
	return settle_rules(w, e);
}

static int compile_rules(struct work *w, struct error *e)
{
	bool *touched = alloc_zero(w->model.n_tenants + 1, sizeof(*touched));
	const struct model_tenant *tenant = model_tenant(&w->model, w->tenant);
	uint64_t key[2] = { w->in_use.tree[0].base.key[0], w->in_use.tree[0].base.key[1] };
	struct acl_rules r;
	int failed;

	w->at = (size_t)(tenant - w->model.tenants);
	failed = tables_open(&w->tables, &w->b->root, &w->model, touched, e);
	free(touched);
	if (failed || acl_rules_gather_map(&w->model, tenant, key, &w->rules, &r, e))
		return -1;
	failed = acl_program_of(&r, (uint32_t)w->rules.n, &w->in_use, &w->tables.program[w->at], e);
	acl_rules_free(&r);
	if (failed)
		return -1;
	return rule_place_has_room(&w->place, &w->b->root, w->tenant, (uint32_t)w->rules.n) ? 0 : RULES_COMMIT_OTHER;
}

/* ---- doing it ---- */

static int swap(struct work *w, struct error *e)
{
	const struct acl_program *p = &w->tables.program[w->at];
	const struct root *root = &w->b->root;
	int fd, failed;

	if (p->same)
		return 0;
	fd = inner_create(&w->tables.types, INNER_ACL, (uint32_t)p->slots, e);
	failed = fd < 0 || acl_fill(&w->tables, root, w->at, fd, e) || inner_stage(root, w->tenant, INNER_ACL, fd, e);
	if (!failed && bpf_map_update_elem(w->tables.outer[INNER_ACL], &w->place.slot, &fd, BPF_ANY))
		failed = error_set(e, EXIT_REFUSED, "map acl: place %u cannot be written: %s", w->place.slot,
				   strerror(errno));
	if (fd >= 0)
		close(fd);
	return failed || inner_place(root, w->tenant, INNER_ACL, e) || acl_settle(&w->tables, root, w->at, e) ? -1 : 0;
}

static int sweep_hits(struct work *w, struct error *e)
{
	struct entries ids;
	int failed;

	entries_init(&ids, sizeof(uint32_t), 1);
	for (size_t i = 0; i < w->rules.n; i++) {
		uint32_t id = (uint32_t)((const struct rule *)entries_value(&w->rules, i))->id;

		entries_add(&ids, &id, NULL);
	}
	entries_sort(&ids);
	failed = rule_hits_sweep_but(&w->b->root, w->tenant, &ids, e);
	entries_free(&ids);
	return failed;
}

static int run(struct work *w, struct error *e)
{
	if (rule_place_begin(w->b, w->ids.next_id, e) || swap(w, e) || rule_place_judge_again(&w->place, e) ||
	    map_write(w->place.rules, "rules", &w->changed, e) || sweep_hits(w, e) ||
	    state_set_interrupted(&w->b->root, false, e))
		return rule_place_partly(e);
	w->c.writes = w->tables.program[w->at].same ? 0 : 1;
	return 0;
}

static int run_recorded(struct work *w, struct error *e)
{
	struct audit a = { .root = &w->b->root, .origin = w->b->origin, .outcome = "done" };
	struct history history = { 0 };
	bool found = json_array_size(w->diff) > 0;
	struct error unused;
	int failed;

	if (devices_check_netns(&w->b->root, e) || (found && confirm_refuse(&w->b->root, e)))
		return -1;
	if (found && history_begin_found(&history, &w->b->root, w->diff, w->b->origin))
		return RULES_COMMIT_OTHER;
	if (found && history_write(&history, &unused)) {
		history_end(&history, HISTORY_NEVER);
		return RULES_COMMIT_OTHER;
	}
	if (found)
		a.state = w->c.number = history_number(&history);
	failed = run(w, e);
	if (failed)
		a.outcome = "partly";
	history_end(&history, failed ? HISTORY_LEFT : HISTORY_DONE);
	audit_change(&a, "sync", "maps", NULL,
		     json_pack("{s:I, s:i, s:i, s:{s:b}}", "writes", (json_int_t)w->c.writes, "attached", 0, "detached",
			       0, "judged", w->tenant, 1));
	return failed;
}

static void end(struct work *w)
{
	tables_close(&w->tables);
	model_free(&w->model);
	identities_free(&w->ids);
	commit_free(&w->c);
	json_decref(w->c.wanted);
	json_decref(w->diff);
	acl_in_use_free(&w->in_use);
	entries_free(&w->rules);
	entries_free(&w->changed);
	entries_free(&w->gone);
	rule_place_close(&w->place);
	batch_end(w->b);
}

int rules_commit(struct command_line *cl, struct error *e)
{
	struct work w = { .tenant = cl->argv[0], .diff = json_array() };
	int result = RULES_COMMIT_OTHER;
	struct error unused;

	entries_init(&w.rules, sizeof(struct rule_key), sizeof(struct rule));
	entries_init(&w.changed, sizeof(struct rule_key), sizeof(struct rule));
	entries_init(&w.gone, sizeof(struct rule_key), 0);
	if (batch_begin_objects(cl, &w.b, &unused)) {
		json_decref(w.diff);
		return result;
	}
	if (rule_place_open(&w.place, w.b, w.tenant))
		result = open_all(&w, &unused);
	if (!result)
		result = check(&w, e);
	if (!result)
		result = compile_rules(&w, e);
	if (!result)
		result = run_recorded(&w, e);
	if (!result)
		result = rule_place_tell(&w.c, w.b, cl, e);
	end(&w);
	return result;
}

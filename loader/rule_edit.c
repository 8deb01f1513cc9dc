// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loader/acl/hash.h"
#include "loader/apply.h"
#include "loader/audit.h"
#include "loader/config/check.h"
#include "loader/config/tree.h"
#include "loader/confirm.h"
#include "loader/devices.h"
#include "loader/history.h"
#include "loader/rule_edit.h"
#include "loader/rule_place.h"
#include "loader/tables.h"

struct work {
	struct batch *b;
	struct target t;
	struct rule_place place;
	int outer; /* the map of maps acl */
	struct acl_kept kept;
	uint64_t key[2]; /* the tree's */
	struct rule rule; /* as it was; later as it shall be */
	bool had, has;
	struct commit c;
	struct identities ids;
	struct acl_program program;
};

/* ---- what is in use ---- */

/* The map at a place of the outer map `kind`, or -1. */
static int map_at(const struct work *w, enum inner kind, uint32_t place, int *outer)
{
	const struct root *root = &w->b->root;
	uint32_t id;
	int fd = -1;

	*outer = root_map(root, inner_kinds[kind].name, NULL);
	if (*outer >= 0 && !bpf_map_lookup_elem(*outer, &place, &id))
		fd = inner_find(root, w->t.tenant, kind, id);
	return fd;
}

/* The tree is mapped, not read: of its megabytes a few pages are looked at. */
static bool map_tree(struct work *w)
{
	int outer, fd = map_at(w, INNER_TREE, w->kept.slot[0].header.tree - 1, &outer);
	uint32_t id, cells = 0;
	void *mapped = MAP_FAILED;

	if (fd >= 0 && !inner_info(fd, &id, &cells))
		mapped = mmap(NULL, (size_t)cells * sizeof(*w->kept.cell), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (outer >= 0)
		close(outer);
	if (mapped == MAP_FAILED)
		return false;
	w->kept.cell = mapped;
	w->kept.cells = cells;
	return true;
}

static bool read_kept(struct work *w)
{
	int fd = map_at(w, INNER_ACL, w->place.slot, &w->outer);

	if (fd < 0)
		return false;
	w->kept.slot = (union acl_slot *)acl_cells_read(fd, inner_kinds[INNER_ACL].name, &w->kept.slots);
	close(fd);
	if (!w->kept.slot || !w->kept.slot[0].header.tree || !map_tree(w) || !acl_kept_fits(&w->kept))
		return false;
	memcpy(w->key, w->kept.cell[0].base.key, sizeof(w->key));
	return true;
}

/* ---- the rules that are needed ---- */

/* What is compiled under a name is what lies in `rules`: else other hands were there. `known` NULL: neither has it. */
static bool take_rule(struct work *w, const char *name, const struct acl_known *known, bool *had)
{
	struct rule_key key = { 0 };
	struct entries list;
	struct rule rule;

	memcpy(key.name, name, strnlen(name, WEFT_NAME_LEN));
	*had = !bpf_map_lookup_elem(w->place.rules, &key, &rule);
	if (!*had || !known)
		return *had == (known != NULL) && (*had || errno == ENOENT);
	if (keyed_hash(w->key, &rule, sizeof(rule)) != known->digest)
		return false;
	entries_init(&list, sizeof(key), sizeof(rule));
	entries_add(&list, &key, &rule);
	state_take_rules(&w->b->state, w->t.tenant, &list);
	entries_free(&list);
	w->rule = rule;
	return !w->b->state.rejected;
}

static bool take_rules(struct work *w)
{
	struct batch *b = w->b;
	const struct acl_known *beside;
	bool there;

	for (uint32_t i = 0; (beside = acl_kept_beside(&w->kept, i)); i++) {
		char name[WEFT_NAME_LEN + 1] = "";

		memcpy(name, beside->name, WEFT_NAME_LEN);
		if (strcmp(name, w->t.name) && !take_rule(w, name, beside, &there))
			return false;
	}
	if (!take_rule(w, w->t.name, acl_kept_find(&w->kept, w->t.name), &w->had))
		return false;
	json_decref(b->flat);
	json_decref(b->state.tree);
	b->flat = json_copy(b->state.flat);
	b->state.tree = config_unflatten(b->state.flat);
	return true;
}

/* ---- what becomes of it ---- */

/* 0, -1, or RULE_EDIT_OTHER. */
static int make_program(struct work *w, const struct model *m, struct error *e)
{
	uint32_t all = w->kept.slot[0].header.rules + w->has - w->had;
	const struct model_tenant *tenant = model_tenant(m, w->t.tenant);
	struct acl_rules r;
	bool fits;

	if (acl_rules_gather(m, tenant, w->key, &r, e))
		return -1;
	fits = rule_place_has_room(&w->place, &w->b->root, w->t.tenant, all) && acl_program_edit(&w->kept, &r, w->t.name, all, &w->program);
	acl_rules_free(&r);
	return fits ? 0 : RULE_EDIT_OTHER;
}

static int check(struct work *w, struct error *e)
{
	struct batch *b = w->b;
	json_t *object = json_object_get(b->flat, w->t.path), *flat;
	const struct identity *identity;
	char self[WEFT_NAME_LEN + 1];
	struct model model;
	int result;

	/* What its function is believed changes with it. */
	if (json_object_get(object, "chain") || (w->had && w->rule.action == ACL_INSPECT))
		return RULE_EDIT_OTHER;
	w->has = object != NULL;
	w->c.wanted = config_unflatten(b->flat);
	w->c.diff = config_diff(b->state.tree, w->c.wanted);
	if (json_array_size(w->c.diff) != 1)
		return RULE_EDIT_OTHER;
	flat = config_flatten(w->c.wanted);
	result = config_check(w->c.wanted, NULL, e) || identities_assign(&b->state.ids, flat, &w->ids, e) ||
				 commit_pick_host(&b->state, w->c.wanted, self, e) ?
			 -1 :
			 0;
	json_decref(flat);
	if (result)
		return -1;
	identity = identity_find(&w->ids, w->t.path);
	if (object && rule_encode(w->t.tenant, w->t.name, object, identity->id, &w->rule, e))
		return -1;
	model_make(&model, w->c.wanted, &w->ids, self);
	result = make_program(w, &model, e);
	model_free(&model);
	return result;
}

/* ---- doing it ---- */

static int swap(struct work *w, struct error *e)
{
	const struct root *root = &w->b->root;
	struct inner_types types;
	int fd, failed;

	inner_types_open(&types, root);
	fd = inner_create(&types, INNER_ACL, (uint32_t)w->program.slots, e);
	inner_types_close(&types);
	failed = fd < 0 || acl_cells_write(fd, inner_kinds[INNER_ACL].name, w->program.slot, w->program.slots, e) ||
		 inner_stage(root, w->t.tenant, INNER_ACL, fd, e);
	if (!failed && bpf_map_update_elem(w->outer, &w->place.slot, &fd, BPF_ANY))
		failed = error_set(e, EXIT_REFUSED, "map acl: place %u cannot be written: %s", w->place.slot,
				   strerror(errno));
	if (fd >= 0)
		close(fd);
	return failed || inner_place(root, w->t.tenant, INNER_ACL, e) ? -1 : 0;
}

static void forget_hits(const struct work *w)
{
	int hits = inner_open(&w->b->root, w->t.tenant, INNER_RULE_HITS);
	struct rule_hits_key key = { .rule = (__u32)w->rule.id };

	for (; hits >= 0 && key.carried < 2; key.carried++)
		bpf_map_delete_elem(hits, &key);
	if (hits >= 0)
		close(hits);
}

/* One entry, so that a reader meets the old rule or the new one. */
static int store(struct work *w, struct error *e)
{
	struct rule_key key = { 0 };

	memcpy(key.name, w->t.name, strnlen(w->t.name, WEFT_NAME_LEN));
	if (w->has ? bpf_map_update_elem(w->place.rules, &key, &w->rule, BPF_ANY) : bpf_map_delete_elem(w->place.rules, &key))
		return error_set(e, EXIT_REFUSED, "map rules: %s cannot be written: %s", w->t.name,
				 strerror(errno));
	if (!w->has)
		forget_hits(w);
	return 0;
}

static int run(struct work *w, struct error *e)
{
	if (rule_place_begin(w->b, w->ids.next_id, e) || swap(w, e) || rule_place_judge_again(&w->place, e) ||
	    store(w, e) || state_set_interrupted(&w->b->root, false, e))
		return rule_place_partly(e);
	w->c.writes = 1;
	return 0;
}

static int run_recorded(struct work *w, struct error *e)
{
	struct audit a = { .root = &w->b->root, .origin = w->b->origin, .outcome = "done" };
	struct history history;
	struct error unused;
	int failed;

	if (devices_check_netns(&w->b->root, e) || confirm_refuse(&w->b->root, e))
		return -1;
	if (history_begin_change(&history, &w->b->root, w->c.diff, w->b->origin))
		return RULE_EDIT_OTHER;
	if (history_write(&history, &unused)) {
		history_end(&history, HISTORY_NEVER);
		return RULE_EDIT_OTHER;
	}
	a.state = w->c.number = history_number(&history);
	failed = run(w, e);
	if (failed)
		a.outcome = "partly";
	history_end(&history, failed ? HISTORY_LEFT : HISTORY_DONE);
	audit_diff(&a, w->c.diff);
	return failed;
}

static void end(struct work *w)
{
	acl_program_free(&w->program);
	identities_free(&w->ids);
	commit_free(&w->c);
	json_decref(w->c.wanted);
	if (w->kept.cell)
		munmap((void *)(uintptr_t)w->kept.cell, w->kept.cells * sizeof(*w->kept.cell));
	free((void *)(uintptr_t)w->kept.slot);
	if (w->outer >= 0)
		close(w->outer);
	rule_place_close(&w->place);
	batch_end(w->b);
}

int rule_edit(struct command_line *cl,
	      int (*edit)(struct command_line *cl, struct batch *b, struct error *e), struct error *e)
{
	struct work w = { .outer = -1 };
	int result = RULE_EDIT_OTHER;
	struct error unused;

	if (!cl->command->verb || strcmp(cl->command->object, "acl") ||
	    target_parse(&w.t, "acl", cl->argv[0], &unused) || batch_begin_objects(cl, &w.b, &unused))
		return RULE_EDIT_OTHER;
	if (rule_place_open(&w.place, w.b, w.t.tenant) && read_kept(&w) && take_rules(&w))
		result = edit(cl, w.b, e);
	if (result == EXIT_DONE)
		result = check(&w, e);
	if (!result)
		result = run_recorded(&w, e);
	if (!result)
		result = rule_place_tell(&w.c, w.b, cl, e);
	end(&w);
	return result;
}

// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/away.h"
#include "loader/commit.h"
#include "loader/devices.h"
#include "loader/drains.h"
#include "loader/config/check.h"
#include "loader/config/tree.h"
#include "loader/facts.h"
#include "loader/flow_moves.h"
#include "loader/instances.h"
#include "loader/lockout.h"
#include "loader/programs.h"
#include "loader/record.h"
#include "loader/rule_hits.h"
#include "loader/tables.h"

/* All that stands between the wish and the maps. */
struct work {
	struct commit *c;
	json_t *flat;
	struct identities ids;
	char self[WEFT_NAME_LEN + 1];
	struct model model;
	struct facts facts;
	bool *touched;
	struct tables tables;
	struct desired desired;
	struct sync *sync;
	bool has_facts, has_desired, has_sync;
};

static void note(struct commit *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(struct commit *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	json_array_append_new(c->notes, json_vsprintf(fmt, args));
	va_end(args);
}

static bool is_named(const struct commit *c, const char *tenant)
{
	return json_object_get(c->named, tenant) != NULL;
}

json_t *commit_tenants(const json_t *diff)
{
	json_t *tenants = json_object(), *entry;
	size_t i;

	json_array_foreach ((json_t *)diff, i, entry) {
		const char *path = json_string_value(json_object_get(entry, "path"));
		char name[WEFT_NAME_LEN + 1];

		if (strncmp(path, "tenants/", 8))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(path + 8, "/"), path + 8);
		json_object_set_new(tenants, name, json_true());
	}
	return tenants;
}

/*
 * Whose own maps are made anew. A tenant whose `rules` hold rubbish keeps its live ACL, unless this
 * command brings all its rules; what would change anything else of it is refused.
 */
static int find_touched(struct work *w, struct error *e)
{
	struct commit *c = w->c;
	json_t *changed = commit_tenants(c->diff);

	w->touched = alloc_zero(w->model.n_tenants, sizeof(*w->touched));
	for (size_t i = 0; i < w->model.n_tenants; i++) {
		const char *name = w->model.tenants[i].name;
		bool meant = is_named(c, name) || json_object_get(changed, name);
		struct rejected *r = (struct rejected *)state_rejected(c->state, name);

		w->touched[i] = meant || c->state->interrupted;
		if (!r)
			continue;
		r->replace = c->own_rules && is_named(c, name);
		if (r->replace)
			continue;
		w->touched[i] = false;
		if (meant) {
			json_decref(changed);
			*e = r->why;
			return -1;
		}
		note(c, "%s; until then the tenant's live ACL stays as it is", r->why.text);
	}
	json_decref(changed);
	return 0;
}

/*
 * Rules that are too many are their own tenant's trouble, whoever wrote them: they refuse what is about that tenant,
 * and nothing else.
 */
static int find_refused(struct work *w, struct error *e)
{
	struct commit *c = w->c;
	json_t *changed = commit_tenants(c->diff);
	int failed = 0;

	for (size_t i = 0; i < w->model.n_tenants && !failed; i++) {
		const struct error *why = w->tables.refused[i];
		const char *name = w->model.tenants[i].name;

		if (!why)
			continue;
		if ((is_named(c, name) && !c->each_alone) || json_object_get(changed, name)) {
			*e = *why;
			failed = -1;
			continue;
		}
		c->left_out++;
		note(c, "%s; until then the tenant's live ACL stays as it is", why->text);
	}
	json_decref(changed);
	return failed;
}

static bool changes(const struct commit *c, const char *path)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (c->diff, i, entry)
		if (!strcmp(json_string_value(json_object_get(entry, "path")), path))
			return true;
	return false;
}

static void find_pending(struct work *w)
{
	for (const struct fact *f = w->facts.by_device; f; f = f->hh.next)
		if (!f->present && (!w->c->changed_only || changes(w->c, f->path)))
			note(w->c, "%s: device %s is not there: pending", f->user, f->device);
}

/* What an operator might count on, and does not work. */
static void find_unused(struct work *w)
{
	for (size_t i = 0; i < w->model.n_functions; i++) {
		const struct model_function *f = &w->model.functions[i];
		const struct model_network *n =
			f->used && away_any(f) ? away_misfit(&w->facts, &w->model, f) : NULL;

		if (n)
			note(w->c,
			     "function %s: its instances on other hosts are not used for ports here: network %s/%s has mtu %u, and with %d bytes of tunnel and NSH that does not fit the underlay",
			     f->name, n->tenant->name, n->name, n->mtu, AWAY_BYTES);
	}
}

/* Known only once all is attached. */
static void find_odd(struct work *w)
{
	for (const struct fact *f = w->facts.by_device; f; f = f->hh.next) {
		if (f->refusal)
			note(w->c, "%s: pending: %s", f->user, f->refusal);
		else if (f->note[0])
			note(w->c, "%s: device %s: %s", f->user, f->device, f->note);
	}
	w->c->refused = w->facts.refused;
}

static void drop_plan(struct work *w)
{
	if (w->has_sync)
		sync_free(w->sync);
	if (w->has_desired)
		desired_free(&w->desired);
	w->has_sync = w->has_desired = false;
}

/* 250 is what most kernels are built with; a root that load has completed says better. */
static uint32_t hz_of(const struct work *w)
{
	return w->c->state->host.hz ? w->c->state->host.hz : 250;
}

static int plan(struct work *w, struct error *e)
{
	drop_plan(w);
	if (compile(&w->model, &w->facts, hz_of(w), &w->desired, e))
		return -1;
	w->has_desired = true;
	if (sync_plan(w->sync, w->c->root, &w->desired, e))
		return -1;
	w->has_sync = true;
	tables_mark_policy(&w->tables, w->c->root, w->sync);
	sync_plan_strict(w->sync, &w->desired, w->c->state->interrupted || w->ids.crowded);
	return 0;
}

/* Programs that do not know them would drop what rules with a chain let pass. */
static int check_programs(const struct work *w, struct error *e)
{
	const char *tenant, *rule;
	struct abi abi;

	if (!model_rule_chains(&w->model, &tenant, &rule))
		return 0;
	if (programs_label(w->c->root, "", &abi, e))
		return -1;
	if (abi.knows & ABI_RULE_CHAINS)
		return 0;
	return error_set(
		e, EXIT_REFUSED,
		"acl %s/%s: has a chain, and the programs that are loaded, of build %.32s, know no chains of rules: run `weft load`",
		tenant, rule, abi.build);
}

/* All that can be refused without touching anything. */
static int check(struct work *w, struct error *e)
{
	struct commit *c = w->c;

	if (config_check(c->wanted, c->marks, e) ||
	    (!c->force && config_check_losses(c->state->tree, c->wanted, e)) ||
	    (!c->strand && config_check_instances(c->state->tree, c->wanted, e)))
		return -1;
	w->flat = config_flatten(c->wanted);
	c->diff = config_diff(c->state->tree, c->wanted);
	if (identities_assign(&c->state->ids, w->flat, &w->ids, e) ||
	    commit_pick_host(c->state, c->wanted, w->self, e))
		return -1;
	model_make(&w->model, c->wanted, &w->ids, w->self);
	if (instances_place(&w->model, c->root, e))
		return -1;
	if (w->self[0] && !w->model.self)
		note(c,
		     "this host is %s, and the configuration has no host of that name: nothing is bound here",
		     w->self);
	if (check_programs(w, e) || find_touched(w, e) || facts_gather(&w->facts, c->root, &w->model, e))
		return -1;
	w->has_facts = true;
	w->facts.lenient = c->lenient;
	w->facts.beside = c->any_device;
	facts_accept(&w->facts, c->accepted);
	if (!c->any_device && lockout_check(&w->facts, e))
		return -1;
	find_pending(w);
	if (facts_check(&w->facts, &w->model, e) ||
	    tables_open(&w->tables, c->root, &w->model, w->touched, e) || find_refused(w, e))
		return -1;
	w->tables.everything = c->state->interrupted;
	if (plan(w, e))
		return -1;
	return c->count_flows ? flow_moves(c->root, c->state, &w->model, c->diff, c->moves, e) : 0;
}

static int write_host(struct work *w, bool place, struct error *e)
{
	struct host_config host = w->c->state->host, old = host;

	host.next_id = w->ids.next_id;
	if (place) {
		memset(host.name, 0, sizeof(host.name));
		memcpy(host.name, w->self, strnlen(w->self, sizeof(host.name)));
		memset(host.vtep4, 0, sizeof(host.vtep4));
		host.slot = 0;
		if (w->model.self) {
			memcpy(host.vtep4, w->model.self->vtep4, 4);
			host.slot = w->model.self->slot;
		}
		facts_xdp_underlays(&w->facts, host.xdp_underlay);
	}
	if (!memcmp(&host, &old, sizeof(host)))
		return 0;
	w->c->state->host = host;
	return state_write_host(w->c->root, &host, e);
}

/* Who is to be judged again besides those whose maps differ. */
static void mark_tenants(struct work *w)
{
	struct commit *c = w->c;
	json_t *changed = commit_tenants(c->diff);

	for (size_t i = 0; i < w->model.n_tenants; i++) {
		const struct model_tenant *t = &w->model.tenants[i];

		if (json_object_get(changed, t->name) || json_object_get(c->judged, t->name))
			w->sync->changed[t->slot] = true;
	}
	json_decref(changed);
	if (c->state->interrupted)
		sync_mark_all(w->sync);
}

/* Packets remember for a jiffy what these maps said: no new record is written while a CPU may still go by what is gone. */
static void let_packets_forget(const struct work *w)
{
	const struct sync *s = w->sync;
	uint32_t hz = w->c->state->host.hz;

	if (s->gone[MAP_PORTS].n || s->gone[MAP_NETWORKS].n || s->gone[MAP_VTEPS].n)
		usleep(2 * 1000000 / (hz ? hz : 100));
}

/*
 * Unbind and detach what goes, and be strict about what changes; then policy; then all that leads
 * traffic to it; then bindings and epochs.
 */
static int run(struct work *w, struct error *e)
{
	const struct root *root = w->c->root;
	struct sync *s = w->sync;

	if (write_host(w, false, e) || state_set_interrupted(root, true, e) ||
	    sync_delete(s, MAP_PORTS, e) || facts_detach(&w->facts, root, &w->c->detached, e) ||
	    sync_restrict_ports(s, e) || sync_restrict_chains(s, e) ||
	    sync_delete(s, MAP_NETWORKS, e) || sync_restrict_tenants(s, e) ||
	    sync_write_new_chains(s, root, e) || tables_make(&w->tables, root, s, e) ||
	    sync_delete(s, MAP_FDB, e) || sync_delete(s, MAP_NEIGH, e) ||
	    sync_delete(s, MAP_VTEPS, e) || sync_delete(s, MAP_NSH_PATHS, e) || sync_judge_early(s, e))
		return -1;
	let_packets_forget(w);
	if (sync_clear_owned(s, root, e) || write_host(w, true, e) || sync_write(s, MAP_HOSTS, e) ||
	    drains_settle(root, &w->model, &s->actual[MAP_FUNCTIONS], hz_of(w), e) ||
	    sync_write(s, MAP_VTEPS, e) || sync_write(s, MAP_NSH_CHAINS, e) ||
	    sync_write(s, MAP_NSH_PATHS, e) || sync_write(s, MAP_SF, e) ||
	    sync_write_owned(s, MAP_FUNCTIONS, e) || sync_write_owned(s, MAP_CHAINS, e) ||
	    sync_write(s, MAP_PORT_SLOTS, e) || sync_write_free(s, MAP_CHAINS, e) ||
	    sync_write_free(s, MAP_FUNCTIONS, e) || sync_write(s, MAP_FDB, e) ||
	    sync_write(s, MAP_NEIGH, e) || sync_write(s, MAP_FLOOD, e) ||
	    sync_write(s, MAP_NETWORKS, e) || sync_delete(s, MAP_FLOOD, e) ||
	    sync_delete(s, MAP_SF, e) || sync_write(s, MAP_PORTS, e))
		return -1;
	mark_tenants(w);
	if (sync_finish_tenants(s, e) ||
	    state_store(root, w->c->state, w->c->wanted, w->flat, &w->ids, e) ||
	    tables_remove(&w->tables, root, s, w->c->state->tree, w->c->wanted, e))
		return -1;
	for (size_t i = 0; i < w->model.n_tenants; i++)
		if (w->touched[i] && rule_hits_sweep(root, &w->model.tenants[i], &w->ids, e))
			return -1;
	return state_set_interrupted(root, false, e);
}

/*
 * A binding of a device that has gone means nothing, until another one gets the same index: then
 * what is behind that would be taken for the old port from the moment of its attachment.
 */
static int drop_void_bindings(struct work *w, struct error *e)
{
	const struct entries *gone = &w->sync->gone[MAP_PORTS];
	struct entries bare, list;
	int failed;

	entries_init(&bare, sizeof(uint32_t), 1);
	entries_init(&list, sizeof(struct port_key), 0);
	for (const struct fact *f = w->facts.by_device; f; f = f->hh.next)
		if (f->present && !f->attached)
			entries_add(&bare, &f->info.ifindex, NULL);
	entries_sort(&bare);
	for (size_t i = 0; i < gone->n; i++) {
		const struct port_key *key = entries_key(gone, i);

		if (entries_find(&bare, &key->ifindex))
			entries_add(&list, key, NULL);
	}
	failed = map_delete(w->sync->fd[MAP_PORTS], "ports", &list, e);
	entries_free(&bare);
	entries_free(&list);
	return failed;
}

/* Is there anything to do for who changes no policy? */
static bool is_due(const struct work *w)
{
	return w->c->state->interrupted || json_array_size(w->c->diff) || w->sync->writes ||
	       facts_to_attach(&w->facts);
}

static int execute(struct work *w, struct error *e)
{
	struct commit *c = w->c;
	char why[sizeof(e->text)];

	/*
	 * A fresh attachment drops everything until its binding is written; one that fails refuses
	 * all.
	 */
	if (drop_void_bindings(w, e) || facts_attach(&w->facts, c->root, &c->attached, e))
		return -1;
	if ((c->attached || w->facts.refused) && plan(w, e)) {
		facts_undo_attach(&w->facts, c->root);
		return -1;
	}
	/* What could not be attached is all that there was to do. */
	if (c->lenient && !c->attached && !is_due(w))
		return EXIT_DONE;
	find_odd(w);
	if (!c->changed_only)
		find_unused(w);
	if (c->announce)
		c->announce(c);
	if (run(w, e)) {
		snprintf(why, sizeof(why), "%s", e->text);
		return error_set(e, EXIT_PARTLY,
				 "%.900s (partly done: run the same command, or apply, again)",
				 why);
	}
	c->writes = w->sync->writes + w->tables.writes;
	return EXIT_DONE;
}

static int execute_recorded(struct work *w, struct error *e)
{
	struct record record;

	if (record_begin(&record, w->c, e))
		return -1;
	return record_end(&record, w->c, execute(w, e), e);
}

int commit_run(struct commit *c, struct error *e)
{
	struct work w = { .c = c, .sync = alloc_zero(1, sizeof(struct sync)) };
	int result;

	c->notes = json_array();
	c->moves = json_array();
	/* Elsewhere the devices of this root are not to be seen, and all would be taken for gone. */
	result = devices_check_netns(c->root, e);
	if (!result)
		result = check(&w, e);
	/* A real one finds out as it attaches, before it has changed anything. */
	if (!result && c->dry_run)
		result = facts_check_foreign(&w.facts, c->root, e);
	if (!result && c->dry_run) {
		c->writes = w.sync->writes + tables_due(&w.tables, c->root, w.sync);
		c->attached = facts_to_attach(&w.facts);
		c->detached = facts_to_detach(&w.facts);
		if (c->announce)
			c->announce(c);
	} else if (!result && (!c->lenient || is_due(&w))) {
		result = execute_recorded(&w, e);
	}
	if (result >= 0 && c->learn)
		c->learn(c, &w.model, &w.facts);
	drop_plan(&w);
	free(w.sync);
	tables_close(&w.tables);
	if (w.has_facts)
		facts_free(&w.facts);
	free(w.touched);
	model_free(&w.model);
	identities_free(&w.ids);
	json_decref(w.flat);
	return result;
}

bool commit_was_idle(const struct commit *c)
{
	return !json_array_size(c->diff) && !c->writes && !c->attached && !c->detached;
}

void commit_free(struct commit *c)
{
	json_decref(c->diff);
	json_decref(c->notes);
	json_decref(c->moves);
	c->diff = c->notes = c->moves = NULL;
}

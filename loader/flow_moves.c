// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/commit.h"
#include "loader/config/tree.h"
#include "loader/flow_moves.h"
#include "loader/flows.h"
#include "loader/show.h"
#include "loader/wire.h"

/* A chain, and what moves at its wires. */
struct tally {
	char path[CONFIG_PATH_LEN];
	char functions[CHAIN_STEPS * (WEFT_NAME_LEN + 2)]; /* "a, b" */
	const char *existing; /* NULL: it goes from all wires that change */
	size_t enter, stay, reset, leave;
	UT_hash_handle hh;
};

/* A port of this host whose wire changes. */
struct changed {
	struct wire before, after;
	struct tally *old, *new; /* of the chains; NULL: none */
};

enum move_map { MOVE_PORT_SLOTS, MOVE_CHAINS, MOVE_TENANT_SLOTS, MOVE_MAPS };

struct moves {
	const struct root *root;
	const struct state *state;
	const struct model *m;
	int fd[MOVE_MAPS];
	uint64_t now;
	const char **chain_paths; /* of the chains that are there now, by slot */
	size_t n_chain_paths;
	struct tally *tallies;
	struct changed **by_slot; /* of port_slots */
};

static struct tally *tally_of(struct moves *v, const char *path)
{
	struct tally *t;

	HASH_FIND_STR(v->tallies, path, t);
	if (!t) {
		t = alloc_zero(1, sizeof(*t));
		snprintf(t->path, sizeof(t->path), "%s", path);
		HASH_ADD_STR(v->tallies, path, t);
	}
	return t;
}

static void add_function(struct tally *t, const char *name)
{
	size_t used = strlen(t->functions);

	snprintf(t->functions + used, sizeof(t->functions) - used, "%s%s", used ? ", " : "",
		 name ? name : "?");
}

static struct tally *tally_after(struct moves *v, const struct model_chain *c)
{
	char path[CONFIG_PATH_LEN];
	struct tally *t;

	snprintf(path, sizeof(path), "tenants/%s/chains/%s", c->tenant, c->name);
	t = tally_of(v, path);
	t->functions[0] = '\0';
	for (uint8_t i = 0; i < c->steps; i++)
		add_function(t, c->step[i].function);
	t->existing = c->flags & CHAIN_RESET ? "reset" : c->flags & CHAIN_KEEP ? "keep" : "insert";
	return t;
}

static struct tally *tally_before(struct moves *v, uint32_t slot)
{
	const char *path = slot < v->n_chain_paths ? v->chain_paths[slot] : NULL;
	const json_t *step;
	struct tally *t;
	size_t i;

	if (!path)
		return NULL;
	t = tally_of(v, path);
	if (t->functions[0])
		return t;
	json_array_foreach (json_object_get(json_object_get(v->state->flat, path), "steps"), i,
			    step)
		add_function(t, json_string_value(json_object_get(step, "function")));
	return t;
}

/* Notes the port if its wire changes. One that is new on this host has no flows yet. */
static bool note_port(struct moves *v, const struct model_port *p, uint32_t epoch)
{
	struct changed c = { 0 };
	struct chain chain = { 0 };
	struct port port;
	uint32_t slot;

	if (bpf_map_lookup_elem(v->fd[MOVE_PORT_SLOTS], &p->slot, &port) || port.id != p->id)
		return false;
	slot = port.chain;
	if (slot && bpf_map_lookup_elem(v->fd[MOVE_CHAINS], &slot, &chain))
		return false;
	c.before = wire_of(&port, &chain);
	if (p->chain) {
		c.after.chain = p->chain->id;
		c.after.flags = wire_flags(p->chain->flags);
		c.after.since = wire_since(&c.before, &c.after, epoch);
	}
	if (c.before.chain == c.after.chain && c.before.flags == c.after.flags)
		return false;
	if (c.before.chain)
		c.old = tally_before(v, slot);
	if (p->chain)
		c.new = tally_after(v, p->chain);
	v->by_slot[p->slot] = alloc_zero(1, sizeof(c));
	*v->by_slot[p->slot] = c;
	return true;
}

/* A flow whose both ends are behind one chain is one flow: `last` is what the other end moved. */
static void move(size_t *count, size_t **last)
{
	if (!count || count == *last)
		return;
	++*count;
	*last = count;
}

static void count_end(const struct moves *v, uint32_t end, uint32_t born, size_t **in, size_t **out)
{
	const struct changed *c = NULL;
	enum wire_pass before, after;
	bool same;

	if (FLOW_TARGET_KIND(end) == TARGET_PORT && FLOW_TARGET_INDEX(end) < WEFT_PORTS_MAX)
		c = v->by_slot[FLOW_TARGET_INDEX(end)];
	if (!c)
		return;
	before = wire_pass(&c->before, born);
	after = wire_pass(&c->after, born);
	same = c->before.chain == c->after.chain;
	if (c->old && before == WIRE_INSPECTED && !(same && after == WIRE_INSPECTED))
		move(&c->old->leave, out);
	if (!c->new || (same && after == before))
		return;
	if (after == WIRE_INSPECTED)
		move(&c->new->enter, in);
	else if (after == WIRE_KEPT)
		move(&c->new->stay, in);
	else if (after == WIRE_RESET)
		move(&c->new->reset, in);
}

struct counting {
	const struct moves *v;
	const struct tenant *record;
	enum inner kind;
};

static int count_flow(const void *key, const struct flow *f, void *arg)
{
	const struct counting *c = arg;
	size_t *in = NULL, *out = NULL;
	uint8_t protocol = flow_protocol_of(key, c->kind);

	if (flow_idle(f, c->v->now) > flow_may_idle(f, protocol, c->record))
		return 0;
	for (int end = 0; end < 2; end++)
		count_end(c->v, f->path[end].source, f->born, &in, &out);
	return 0;
}

static int count_table(const struct moves *v, const char *tenant, const struct tenant *record,
		       enum inner kind, struct error *e)
{
	struct counting c = { v, record, kind };

	return flows_each(v->root, tenant, kind, count_flow, &c, e);
}

static int read_tenant(const struct moves *v, const struct model_tenant *t, struct tenant *record)
{
	return bpf_map_lookup_elem(v->fd[MOVE_TENANT_SLOTS], &t->slot, record) ||
	       record->id != t->id;
}

/* Tenants, as keys, whose chains differ, or the places of those. */
static json_t *tenants_of(const json_t *diff)
{
	json_t *tenants = json_object(), *entry;
	size_t i;

	json_array_foreach ((json_t *)diff, i, entry) {
		const char *path = json_string_value(json_object_get(entry, "path"));
		const char *name = strncmp(path, "tenants/", 8) ? "" : path + 8;
		size_t len = strcspn(name, "/");

		if (!strncmp(name + len, "/chains/", 8) || !strncmp(name + len, "/insert/", 8))
			json_object_setn_new(tenants, name, len, json_true());
	}
	return tenants;
}

/* Leaves in `tenants` only those that have ports here whose wires change. */
static void note_ports(struct moves *v, json_t *tenants)
{
	json_t *hit = json_object();
	const struct model_tenant *t = NULL;
	struct tenant record = { 0 };

	for (size_t i = 0; i < v->m->n_ports; i++) {
		const struct model_port *p = &v->m->ports[i];

		if (!p->here || !json_object_get(tenants, p->tenant->name))
			continue;
		if (p->tenant != t && read_tenant(v, p->tenant, &record))
			continue;
		t = p->tenant;
		/* Any epoch after all that there were. */
		if (note_port(v, p, record.epoch + 1))
			json_object_set_new(hit, t->name, json_true());
	}
	json_object_clear(tenants);
	json_object_update(tenants, hit);
	json_decref(hit);
}

static int count_tenants(const struct moves *v, const json_t *tenants, struct error *e)
{
	for (size_t i = 0; i < v->m->n_tenants; i++) {
		const struct model_tenant *t = &v->m->tenants[i];
		struct tenant record;

		if (!json_object_get(tenants, t->name) || read_tenant(v, t, &record))
			continue;
		for (size_t k = 0; k < FLOW_TABLES; k++)
			if (count_table(v, t->name, &record, flow_tables[k], e))
				return -1;
	}
	return 0;
}

static void report(const struct moves *v, json_t *moves)
{
	for (const struct tally *t = v->tallies; t; t = t->hh.next) {
		char name[SHOW_NAME_SIZE];

		json_array_append_new(
			moves, json_pack("{s:s, s:s, s:s?, s:I, s:I, s:I, s:I}", "chain",
					 show_name(t->path, name, sizeof(name)), "function",
					 t->functions, "existing", t->existing, "enter",
					 (json_int_t)t->enter, "stay", (json_int_t)t->stay, "reset",
					 (json_int_t)t->reset, "leave", (json_int_t)t->leave));
	}
}

static void forget(struct moves *v)
{
	struct tally *t, *next;

	HASH_ITER (hh, v->tallies, t, next) {
		HASH_DEL(v->tallies, t);
		free(t);
	}
	for (size_t i = 0; i < WEFT_PORTS_MAX; i++)
		free(v->by_slot[i]);
	free(v->by_slot);
	free(v->chain_paths);
	for (int i = 0; i < MOVE_MAPS; i++)
		if (v->fd[i] >= 0)
			close(v->fd[i]);
}

static int open_maps(struct moves *v, struct error *e)
{
	static const char *const names[MOVE_MAPS] = { "port_slots", "chains", "tenant_slots" };

	for (int i = 0; i < MOVE_MAPS; i++)
		v->fd[i] = -1;
	for (int i = 0; i < MOVE_MAPS; i++) {
		v->fd[i] = root_map(v->root, names[i], e);
		if (v->fd[i] < 0)
			return -1;
	}
	return flows_now(v->root, &v->now, e);
}

int flow_moves(const struct root *root, const struct state *state, const struct model *m,
	       const json_t *diff, json_t *moves, struct error *e)
{
	struct moves v = { .root = root, .state = state, .m = m };
	json_t *tenants = tenants_of(diff);
	int failed = 0;

	if (json_object_size(tenants)) {
		v.by_slot = alloc_zero(WEFT_PORTS_MAX, sizeof(*v.by_slot));
		v.chain_paths = identities_by_slot(&state->ids, "chains", &v.n_chain_paths);
		failed = open_maps(&v, e);
		if (!failed) {
			note_ports(&v, tenants);
			failed = count_tenants(&v, tenants, e);
		}
		if (!failed)
			report(&v, moves);
		forget(&v);
	}
	json_decref(tenants);
	return failed ? -1 : 0;
}

int flow_moves_wished(const struct root *root, const struct state *state, const json_t *wanted,
		      const json_t *diff, json_t *moves, struct error *e)
{
	json_t *flat = config_flatten(wanted);
	char self[WEFT_NAME_LEN + 1] = "";
	struct identities ids = { 0 };
	struct error ignored = { 0 };
	struct model m;
	int failed;

	failed = identities_assign(&state->ids, flat, &ids, e);
	/* Where it is not known which host this is nothing is bound, and nothing moves. */
	if (!failed && !commit_pick_host(state, wanted, self, &ignored)) {
		model_make(&m, wanted, &ids, self);
		failed = flow_moves(root, state, &m, diff, moves, e);
		model_free(&m);
	}
	identities_free(&ids);
	json_decref(flat);
	return failed;
}

static void print_count(FILE *out, const json_t *move, const char *key, const char *one,
			const char *many)
{
	long long n = json_integer_value(json_object_get(move, key));

	if (n)
		fprintf(out, ", %lld %s", n, n == 1 ? one : many);
}

void flow_moves_print(FILE *out, const json_t *moves)
{
	const json_t *move;
	size_t i;

	json_array_foreach ((json_t *)moves, i, move) {
		const char *existing = json_string_value(json_object_get(move, "existing"));
		const char *function = json_string_value(json_object_get(move, "function"));
		const char *noun = strchr(function, ',') ? "functions" : "function";
		long long enter = json_integer_value(json_object_get(move, "enter"));
		long long leave = json_integer_value(json_object_get(move, "leave"));

		fprintf(out, "chain %s: ", json_string_value(json_object_get(move, "chain")));
		if (!existing) {
			fprintf(out, "%lld live %s %s %s\n", leave,
				leave == 1 ? "flow leaves" : "flows leave", noun, function);
			continue;
		}
		fprintf(out, "%lld live %s %s %s (existing: %s)", enter,
			enter == 1 ? "flow enters" : "flows enter", noun, function, existing);
		print_count(out, move, "stay", "stays outside", "stay outside");
		print_count(out, move, "reset", "is reset", "are reset");
		print_count(out, move, "leave", "leaves", "leave");
		fputc('\n', out);
	}
}

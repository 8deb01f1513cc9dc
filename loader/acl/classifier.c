// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "loader/acl/classifier.h"
#include "loader/alloc.h"

/* Steps that compiling may take: some for each rule, at each level of the tree; and members of what rules name. */
#define STEPS_OF_RULE 256
#define STEPS_MIN     (UINT64_C(1) << 20)
#define MEMBERS_MAX   (UINT64_C(1) << 24)

#define ALL_STATES    (CT_STATE_NEW | CT_STATE_ESTABLISHED | CT_STATE_RELATED | CT_STATE_INVALID)

/* Sets that rules have asked for, by the terms that they name: most name the same few, or one term. */
struct known {
	const uint32_t *name;
	size_t n;
	struct acl_set set;
};

struct known_sets {
	struct known **slot;
	size_t mask;
};

struct family {
	enum acl_family family;
	enum acl_space_kind kind; /* of its addresses */
	struct known_sets sets; /* of addresses */
};

struct work {
	const struct acl_source *s;
	struct acl_compiled *c;
	struct acl_space space[SPACES];
	struct known_sets ports;
	uint32_t *range_cell;
	struct acl_box *box;
	struct acl_set **port_set;
	size_t port_sets, port_set_room;
	uint64_t members;
	struct error *e;
};

static size_t hash_names(const uint32_t *name, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i++)
		h = (h ^ name[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(h >> 24);
}

static void known_open(struct known_sets *k, size_t rules)
{
	size_t slots = 16;

	while (slots < 4 * rules)
		slots *= 2;
	*k = (struct known_sets){ alloc_zero(slots, sizeof(*k->slot)), slots - 1 };
}

static void known_free(struct known_sets *k)
{
	for (size_t i = 0; k->slot && i <= k->mask; i++) {
		if (k->slot[i])
			free(k->slot[i]->set.range);
		free(k->slot[i]);
	}
	free(k->slot);
	*k = (struct known_sets){ 0 };
}

static int count_members(struct work *w, const uint32_t *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		w->members += 1 + w->s->term[name[i]].prefixes + w->s->term[name[i]].slots;
	if (w->members <= MEMBERS_MAX)
		return 0;
	return error_set(
		w->e, EXIT_REFUSED,
		"%s: its rules name too much to be compiled in reasonable time, more than %llu "
		"members of groups in different combinations: use prefixes or networks in place of "
		"large groups",
		w->s->who, (unsigned long long)MEMBERS_MAX);
}

/* NULL: refused. */
static struct acl_set *set_of(struct work *w, struct known_sets *known, enum acl_space_kind kind,
			      const uint32_t *name, size_t n)
{
	size_t at = hash_names(name, n) & known->mask;
	struct known *one;

	for (; (one = known->slot[at]); at = (at + 1) & known->mask)
		if (one->n == n && !memcmp(one->name, name, n * sizeof(*name)))
			return &one->set;
	if (count_members(w, name, n))
		return NULL;
	one = known->slot[at] = alloc_zero(1, sizeof(*one));
	one->name = name;
	one->n = n;
	acl_space_set(&w->space[kind], w->s, kind, name, n, &one->set);
	return &one->set;
}

static bool asks_family(const struct acl_rule *r, enum acl_family family)
{
	__u16 ethertype = r->match.ethertype;

	if (ethertype == 0x0800)
		return family == ACL_IPV4;
	if (ethertype == 0x86dd)
		return family == ACL_IPV6;
	if (ethertype)
		return family == ACL_OTHER;
	if (r->match.flags & ENTRY_PROTOCOL && r->match.protocol == 1)
		return family == ACL_IPV4;
	if (r->match.flags & ENTRY_PROTOCOL && r->match.protocol == 58)
		return family == ACL_IPV6;
	/* What is not IP has protocol 0. */
	if (r->match.flags & ENTRY_PROTOCOL && r->match.protocol && family == ACL_OTHER)
		return false;
	return family != ACL_OTHER || (!r->terms[SIDE_SOURCE] && !r->terms[SIDE_DESTINATION]);
}

/* Sets of ports of a rule's own, for those that have more than one range. */
static void put_ports(struct work *w, struct acl_box *box, enum acl_value value,
		      const struct port_range *range, unsigned int n)
{
	struct acl_set *set;
	size_t room = 0;

	box->hull[value] = n ? (struct acl_range){ range->first, range->last }
			     : (struct acl_range){ 0, UINT16_MAX };
	if (n < 2)
		return;
	w->port_set =
		alloc_grow(w->port_set, &w->port_set_room, w->port_sets + 1, sizeof(*w->port_set));
	set = w->port_set[w->port_sets++] = alloc_zero(1, sizeof(*set));
	set->range = alloc_grow(NULL, &room, n, sizeof(*set->range));
	for (; set->n < n; set->n++)
		set->range[set->n] = (struct acl_range){ range[set->n].first, range[set->n].last };
	acl_set_order(set);
	box->hull[value] = (struct acl_range){ set->range[0].first, set->range[set->n - 1].last };
	box->set[value] = set->n > 1 ? set : NULL;
}

static void port_sets_free(struct work *w)
{
	while (w->port_sets)
		free(w->port_set[--w->port_sets]->range), free(w->port_set[w->port_sets]);
	free(w->port_set);
	w->port_set = NULL;
	w->port_set_room = 0;
}

static void other_hulls(struct work *w, struct acl_box *box, const struct acl_rule *r)
{
	const struct acl_match *m = &r->match;
	bool icmp = m->flags & ENTRY_PROTOCOL && (m->protocol == 1 || m->protocol == 58);

	put_ports(w, box, ACL_SOURCE_PORT, r->source_port, r->source_ports);
	put_ports(w, box, ACL_DESTINATION_PORT, r->destination_port, r->destination_ports);
	box->hull[ACL_PROTOCOL] = (struct acl_range){ 0, 255 };
	box->hull[ACL_ICMP] = (struct acl_range){ 0, UINT16_MAX };
	if (m->flags & ENTRY_PROTOCOL)
		box->hull[ACL_PROTOCOL] = (struct acl_range){ m->protocol, m->protocol };
	if (icmp && m->flags & ENTRY_ICMP_TYPE) {
		bool code = m->flags & ENTRY_ICMP_CODE;
		uint32_t first = (uint32_t)m->icmp_type << 8 | (code ? m->icmp_code : 0);

		box->hull[ACL_ICMP] = (struct acl_range){ first, code ? first : first | 255 };
	}
	/* A packet of no flow is for those that say so, or that know no flows. */
	box->states = m->ct_states                 ? m->ct_states
		      : m->flags & ENTRY_STATELESS ? ALL_STATES
						   : ALL_STATES & ~CT_STATE_INVALID;
	box->plain = !m->ethertype && !m->tcp_mask &&
		     (icmp || !(m->flags & (ENTRY_ICMP_TYPE | ENTRY_ICMP_CODE)));
}

/* Returns 1 with a box, 0 if the rule matches nothing of this family, -1 if it is refused. */
static int make_box(struct work *w, struct family *f, uint32_t index, struct acl_box *box)
{
	const struct acl_rule *r = &w->s->rule[index];

	if (!asks_family(r, f->family))
		return 0;
	*box = (struct acl_box){ .rule = index };
	for (int side = 0; side < SIDES; side++) {
		bool port = side == SIDE_PORT;
		struct acl_set *set;

		if (!r->terms[side]) {
			box->hull[side] = (struct acl_range){ 0, UINT32_MAX };
			continue;
		}
		if (!port && f->family == ACL_OTHER)
			return 0;
		set = set_of(w, port ? &w->ports : &f->sets, port ? SPACE_PORTS : f->kind,
			     w->s->name + r->term[side], r->terms[side]);
		if (!set)
			return -1;
		if (!set->n)
			return 0;
		box->hull[side] =
			(struct acl_range){ set->range[0].first, set->range[set->n - 1].last };
		box->set[side] = set->n > 1 ? set : NULL;
	}
	other_hulls(w, box, r);
	return 1;
}

static int check_cost(struct work *w, const struct acl_cost *cost, uint8_t direction,
		      enum acl_family family)
{
	static const char *const families[] = { "packets that are not IP", "IPv4 packets",
						"IPv6 packets" };

	w->c->visits = cost->visits > w->c->visits ? cost->visits : w->c->visits;
	w->c->waiting = cost->waiting > w->c->waiting ? cost->waiting : w->c->waiting;
	if (cost->visits <= ACL_VISITS_MAX && cost->waiting <= ACL_ASIDE_MAX)
		return 0;
	return error_set(
		w->e, EXIT_REFUSED,
		"%s: some %s would have to be compared in %u places with its rules of direction %s, and "
		"the bound is %d: rules overlap too much, make them differ more in addresses, ports or "
		"apply_to",
		w->s->who, families[family], cost->visits,
		direction == FROM_WORKLOAD ? "out" : "in", ACL_VISITS_MAX);
}

/* What two boxes have in common that ask for the very same. */
#define ASKS offsetof(struct acl_box, rule)

static bool asks_same(const struct acl_box *a, const struct acl_box *b)
{
	return !memcmp(a, b, ASKS) && !(b->states & ~a->states);
}

/* What comes behind another that asks for the very same is met by no packet. */
static size_t drop_repeats(struct work *w, size_t n)
{
	size_t slots = 16, kept = 0;
	uint32_t *seen; /* box, plus 1 */

	while (slots < 2 * n)
		slots *= 2;
	seen = alloc_zero(slots, sizeof(*seen));
	for (size_t i = 0; i < n; i++) {
		const struct acl_box *box = &w->box[i];
		size_t at =
			hash_names((const uint32_t *)box, ASKS / sizeof(uint32_t)) & (slots - 1);

		while (seen[at] && !asks_same(&w->box[seen[at] - 1], box))
			at = (at + 1) & (slots - 1);
		if (seen[at]) {
			w->c->hides[w->box[seen[at] - 1].rule] = true;
			continue;
		}
		if (box->plain)
			seen[at] = (uint32_t)kept + 1;
		w->box[kept++] = *box;
	}
	free(seen);
	return kept;
}

static uint32_t last_class(const struct acl_space *space)
{
	return space->classes - 1;
}

static int build_tree(struct work *w, struct family *f, uint8_t direction)
{
	struct acl_tree_job job = {
		.cells = &w->c->tree,
		.rule = w->s->rule,
		.box = w->box,
		.who = w->s->who,
		.range_cell = w->range_cell,
		.hides = w->c->hides,
		.last = { 0, 0, 0, UINT16_MAX, UINT16_MAX, UINT8_MAX, UINT16_MAX },
	};
	struct acl_cost cost;

	for (uint32_t i = 0; i < w->s->rules; i++) {
		int made = w->s->rule[i].direction == direction
				   ? make_box(w, f, i, &w->box[job.boxes])
				   : 0;

		if (made < 0)
			return -1;
		job.boxes += (size_t)made;
	}
	job.boxes = drop_repeats(w, job.boxes);
	if (f->family != ACL_OTHER)
		job.last[ACL_SOURCE] = job.last[ACL_DESTINATION] = last_class(&w->space[f->kind]);
	job.last[ACL_PORT] = last_class(&w->space[SPACE_PORTS]);
	job.steps_max = STEPS_MIN + STEPS_OF_RULE * job.boxes;
	job.cells_max = w->c->tree.n + 4096 + 6 * job.boxes;
	if (acl_tree_build(&job, &w->c->header.root[direction][f->family], &cost, w->e))
		return -1;
	return check_cost(w, &cost, direction, f->family);
}

static int build_family(struct work *w, enum acl_family family)
{
	struct family f = { .family = family,
			    .kind = family == ACL_IPV6 ? SPACE_IPV6 : SPACE_IPV4 };
	int failed;

	known_open(&f.sets, w->s->rules);
	failed = build_tree(w, &f, FROM_WORKLOAD) || build_tree(w, &f, TO_WORKLOAD) ? -1 : 0;
	known_free(&f.sets);
	return failed;
}

static int check_index(const struct work *w)
{
	if (w->c->index.n <= ACL_CELLS_MAX)
		return 0;
	return error_set(
		w->e, EXIT_REFUSED,
		"%s: what its rules name compiles to more than the %u cells that a tenant may have: use "
		"fewer or larger prefixes",
		w->s->who, ACL_CELLS_MAX);
}

static void make_index(struct work *w, bool expect)
{
	struct acl_compiled *c = w->c;
	__u32 *root[SPACES] = { &c->header.addresses4, &c->header.addresses6, &c->header.ports };

	for (enum acl_space_kind kind = 0; kind < SPACES; kind++) {
		acl_space_make(&w->space[kind], w->s, kind, c->sum[kind], c->classes[kind]);
		if (expect)
			acl_space_expect(&w->space[kind], w->s, kind);
		free(c->sum[kind]);
		c->sum[kind] = w->space[kind].sum;
		c->classes[kind] = w->space[kind].classes;
		w->space[kind].sum = NULL;
		*root[kind] = acl_index_space(&c->index, &w->space[kind]);
	}
}

static void free_spaces(struct work *w)
{
	for (int i = 0; i < SPACES; i++)
		acl_space_free(&w->space[i]);
}

int acl_build_index(const struct acl_source *source, struct acl_compiled *c, struct error *e)
{
	struct work w = { .s = source, .c = c, .e = e };
	uint32_t had[SPACES];
	bool same;

	memcpy(had, c->classes, sizeof(had));
	acl_cells_add(&c->index, 1);
	make_index(&w, false);
	free_spaces(&w);
	same = !memcmp(had, c->classes, sizeof(had));
	return check_index(&w) ? -1 : same;
}

int acl_build(const struct acl_source *source, struct acl_compiled *c, struct error *e)
{
	struct work w = { .s = source, .c = c, .e = e };
	int failed = 0;

	*c = (struct acl_compiled){ 0 };
	acl_cells_add(&c->tree, 1);
	acl_cells_add(&c->index, 1);
	make_index(&w, true);
	known_open(&w.ports, source->rules);
	w.range_cell = alloc_zero(source->rules + 1, sizeof(*w.range_cell));
	w.box = alloc_zero(source->rules + 1, sizeof(*w.box));
	c->hides = alloc_zero(source->rules + 1, sizeof(*c->hides));
	failed = check_index(&w);
	for (enum acl_family family = 0; family < ACL_FAMILIES && !failed; family++)
		failed = build_family(&w, family);
	free_spaces(&w);
	known_free(&w.ports);
	free(w.range_cell);
	free(w.box);
	port_sets_free(&w);
	if (failed)
		acl_compiled_free(c);
	return failed;
}

void acl_compiled_free(struct acl_compiled *c)
{
	free(c->tree.cell);
	free(c->index.cell);
	free(c->hides);
	for (int i = 0; i < SPACES; i++)
		free(c->sum[i]);
	*c = (struct acl_compiled){ 0 };
}

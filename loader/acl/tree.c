// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tree. A node cuts one value into up to 13 parts; each rule goes to the part that it is in. One that the cuts would
 * divide stands in two parts at most: else it goes aside, into a tree of its own at this node, which is searched as
 * well. So no rule is copied often, whatever the rules are, and what a search costs at worst is known here, exactly:
 * the way down, and at each node the way aside.
 */
#include <stdlib.h>
#include <string.h>

#include "loader/acl/tree.h"
#include "loader/alloc.h"

/* The boxes of a node, shared out among its children and what goes aside. */
struct parts {
	uint32_t *box[ACL_CUTS + 2]; /* the last: aside */
	size_t n[ACL_CUTS + 2];
};

#define ASIDE (ACL_CUTS + 1)

static int build(struct acl_tree_job *job, uint32_t at, uint32_t *box, size_t n,
		 struct acl_range place[ACL_VALUES], struct acl_cost *cost, struct error *e);

static int take_steps(struct acl_tree_job *job, uint64_t n, struct error *e)
{
	job->steps += n;
	if (job->cells->n > ACL_CELLS_MAX)
		return error_set(
			e, EXIT_REFUSED,
			"%s: its rules compile to more than the %u cells that a tenant may have: use "
			"fewer rules, or groups that overlap less",
			job->who, ACL_CELLS_MAX);
	if (job->steps <= job->steps_max)
		return 0;
	return error_set(
		e, EXIT_REFUSED,
		"%s: its rules take more than the %llu steps to compile that so many may take: use "
		"fewer rules of overlapping ranges",
		job->who, (unsigned long long)job->steps_max);
}

static uint32_t set_root(struct acl_tree_job *job, struct acl_set *set)
{
	/* Rules stand in several places, and share sets; each is written once. */
	if (!set->root)
		set->root = acl_index_set(job->cells, set);
	return set->root;
}

static uint32_t range_cell(struct acl_tree_job *job, const struct acl_rule *r, uint32_t rule)
{
	struct acl_ranges *ranges;

	if (r->source_ports < 2 && r->destination_ports < 2)
		return 0;
	if (job->range_cell[rule])
		return job->range_cell[rule];
	job->range_cell[rule] = acl_cells_add(job->cells, 1);
	ranges = &job->cells->cell[job->range_cell[rule]].ranges;
	for (int i = 0; i < RULE_RANGES; i++) {
		ranges->source[i] = ranges->destination[i] = (struct port_range){ 1, 0 };
		if (i < r->source_ports)
			ranges->source[i] = r->source_port[i];
		if (i < r->destination_ports)
			ranges->destination[i] = r->destination_port[i];
	}
	if (!r->source_ports)
		ranges->source[0] = (struct port_range){ 0, UINT16_MAX };
	if (!r->destination_ports)
		ranges->destination[0] = (struct port_range){ 0, UINT16_MAX };
	return job->range_cell[rule];
}

static void write_match(struct acl_tree_job *job, uint32_t at, uint32_t index, uint32_t next)
{
	const struct acl_box *box = &job->box[index];
	const struct acl_rule *rule = &job->rule[box->rule];
	struct acl_match match = rule->match;

	match.kind = ACL_MATCH;
	match.next = next;
	for (int side = 0; side < SIDES; side++) {
		match.first[side] = box->hull[side].first;
		match.last[side] = box->hull[side].last;
		if (!box->set[side])
			continue;
		match.sets |= (uint8_t)(1 << side);
		match.first[side] = set_root(job, box->set[side]);
	}
	match.source_port = (struct port_range){ (__u16)box->hull[ACL_SOURCE_PORT].first,
						 (__u16)box->hull[ACL_SOURCE_PORT].last };
	match.destination_port = (struct port_range){ (__u16)box->hull[ACL_DESTINATION_PORT].first,
						      (__u16)box->hull[ACL_DESTINATION_PORT].last };
	match.ranges = range_cell(job, rule, box->rule);
	job->cells->cell[at].match = match;
}

/* The first in the cell that the node above points at, the others behind each other elsewhere. */
static int leaf(struct acl_tree_job *job, uint32_t at, const uint32_t *box, size_t n,
		struct acl_cost *cost, struct error *e)
{
	uint32_t rest = n > 1 ? acl_cells_add(job->cells, n - 1) : 0;

	*cost = (struct acl_cost){ .visits = n ? (unsigned int)n : 1 };
	for (size_t i = 0; i < n; i++)
		write_match(job, i ? rest + (uint32_t)i - 1 : at, box[i],
			    i + 1 < n ? rest + (uint32_t)i : 0);
	return take_steps(job, n, e);
}

static void put(struct parts *p, int part, uint32_t box)
{
	p->box[part][p->n[part]++] = box;
}

/* Counts first, then fills: each list is as long as it has to be. */
static void share_out(const struct acl_tree_job *job, const uint32_t *box, size_t n,
		      const struct acl_cut *c, enum acl_spread spread, struct parts *p, bool count)
{
	for (size_t i = 0; i < n; i++) {
		const struct acl_box *b = &job->box[box[i]];
		int first, last, children = acl_children(b, c->value, c, &first, &last);

		if (acl_is_aside(c, children, spread)) {
			first = last = ASIDE;
			children = 1;
		}
		for (int k = first; k <= last; k++) {
			if (k < ASIDE && children != last - first + 1 &&
			    !acl_box_meets(b, c->value, k ? c->cut[k - 1] : 0,
					   k < c->cuts ? c->cut[k] - 1 : UINT32_MAX))
				continue;
			if (count)
				p->n[k]++;
			else
				put(p, k, box[i]);
		}
	}
}

static void make_parts(const struct acl_tree_job *job, const uint32_t *box, size_t n,
		       const struct acl_cut *c, struct parts *p)
{
	enum acl_spread spread = job->cells->n > job->cells_max ? SPREAD_NONE : SPREAD_SOME;
	size_t all = 0, at = 0;

	*p = (struct parts){ 0 };
	share_out(job, box, n, c, spread, p, true);
	if (spread == SPREAD_SOME && p->n[ASIDE] &&
	    acl_may_spread((double)p->n[ASIDE], (double)n, c->cuts)) {
		spread = SPREAD_ALL;
		*p = (struct parts){ 0 };
		share_out(job, box, n, c, spread, p, true);
	}
	for (int i = 0; i <= ASIDE; i++)
		all += p->n[i];
	p->box[0] = alloc_zero(all + 1, sizeof(uint32_t));
	for (int i = 0; i <= ASIDE; i++) {
		p->box[i] = p->box[0] + at;
		at += p->n[i];
		p->n[i] = 0;
	}
	share_out(job, box, n, c, spread, p, false);
}

static bool divides(const struct parts *p, size_t n)
{
	for (int i = 0; i <= ASIDE; i++)
		if (p->n[i] + n / 32 >= n)
			return false;
	return true;
}

static int build_children(struct acl_tree_job *job, uint32_t child, const struct parts *p,
			  const struct acl_cut *c, struct acl_range place[ACL_VALUES],
			  struct acl_cost *worst, struct error *e)
{
	struct acl_range whole = place[c->value];

	*worst = (struct acl_cost){ 0 };
	for (int i = 0; i <= c->cuts; i++) {
		struct acl_cost cost;

		if (i)
			place[c->value].first = c->cut[i - 1];
		place[c->value].last = i < c->cuts ? c->cut[i] - 1 : whole.last;
		if (build(job, child + (uint32_t)i, p->box[i], p->n[i], place, &cost, e))
			return -1;
		worst->visits = cost.visits > worst->visits ? cost.visits : worst->visits;
		worst->waiting = cost.waiting > worst->waiting ? cost.waiting : worst->waiting;
	}
	place[c->value] = whole;
	return 0;
}

static int build_node(struct acl_tree_job *job, uint32_t at, const struct parts *p,
		      const struct acl_cut *c, struct acl_range place[ACL_VALUES],
		      struct acl_cost *cost, struct error *e)
{
	uint32_t child = acl_cells_add(job->cells, (size_t)c->cuts + 1), aside = 0;
	struct acl_cost other = { 0 };
	struct acl_node *node;

	if (p->n[ASIDE])
		aside = acl_cells_add(job->cells, 1);
	if (build_children(job, child, p, c, place, cost, e) ||
	    (aside && build(job, aside, p->box[ASIDE], p->n[ASIDE], place, &other, e)))
		return -1;
	cost->visits += 1 + other.visits;
	/* It waits while a child is searched, and its own wait when that is done. */
	cost->waiting =
		cost->waiting + !!aside > other.waiting ? cost->waiting + !!aside : other.waiting;
	node = &job->cells->cell[at].node;
	*node = (struct acl_node){
		.kind = ACL_NODE, .value = (__u8)c->value, .child = child, .aside = aside
	};
	if (aside)
		node->aside_rank = job->rule[job->box[p->box[ASIDE][0]].rule].match.rank;
	for (int i = 0; i < ACL_CUTS; i++)
		node->cut[i] = i < c->cuts ? c->cut[i] : UINT32_MAX;
	return 0;
}

static bool covers(const struct acl_box *box, const struct acl_range place[ACL_VALUES])
{
	if (!box->plain)
		return false;
	for (int i = 0; i < ACL_VALUES; i++)
		if ((i < ACL_SETS && box->set[i]) || box->hull[i].first > place[i].first ||
		    box->hull[i].last < place[i].last)
			return false;
	return true;
}

/* Leaves out what no packet of this place can come to, for others decide before. Returns how many stay. */
static size_t leave_out(struct acl_tree_job *job, uint32_t *box, size_t n,
			const struct acl_range place[ACL_VALUES])
{
	uint8_t covered = 0;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct acl_box *b = &job->box[box[i]];

		if (!(b->states & ~covered))
			continue;
		box[kept++] = box[i];
		if (covers(b, place)) {
			covered |= b->states;
			job->hides[b->rule] |= i + 1 < n;
		}
	}
	return kept;
}

static int build(struct acl_tree_job *job, uint32_t at, uint32_t *box, size_t n,
		 struct acl_range place[ACL_VALUES], struct acl_cost *cost, struct error *e)
{
	struct acl_cut c;
	struct parts p;
	int failed;

	if (take_steps(job, n, e))
		return -1;
	n = leave_out(job, box, n, place);
	if (n <= ACL_LEAF || !acl_pick_cut(job, box, n, place, &c))
		return leaf(job, at, box, n, cost, e);
	make_parts(job, box, n, &c, &p);
	failed = divides(&p, n) ? build_node(job, at, &p, &c, place, cost, e)
				: leaf(job, at, box, n, cost, e);
	free(p.box[0]);
	return failed;
}

int acl_tree_build(struct acl_tree_job *job, uint32_t *root, struct acl_cost *cost, struct error *e)
{
	struct acl_range place[ACL_VALUES];
	uint32_t *all = alloc_zero(job->boxes + 1, sizeof(*all));
	int failed;

	for (int i = 0; i < ACL_VALUES; i++)
		place[i] = (struct acl_range){ 0, job->last[i] };
	for (size_t i = 0; i < job->boxes; i++)
		all[i] = (uint32_t)i;
	*root = job->boxes ? acl_cells_add(job->cells, 1) : 0;
	*cost = (struct acl_cost){ 0 };
	failed = job->boxes ? build(job, *root, all, job->boxes, place, cost, e) : 0;
	free(all);
	return failed;
}

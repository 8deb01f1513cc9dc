// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/lint.h"
#include "loader/lint_space.h"

/*
 * The rules may be a hostile tenant's: some seconds and some hundred megabytes, whatever they are. Of more than 20,000
 * rules each is compared with its neighbours in the order alone.
 */
#define PAIRS_MAX (UINT64_C(1) << 28)
#define STEPS_MAX (UINT64_C(1) << 28)
#define MADE_MAX  (UINT64_C(1) << 21)
#define UNION_STEPS                                                                                \
	(UINT64_C(1) << 18) /* that one rule may cost when others are put together to cover it */
#define OVERLAPS_MAX 64 /* rules that are put together to cover another */
#define NAMES_MAX    8 /* that a finding lists */

const char *const lint_kinds[] = {
	[LINT_NEVER] = "never",
	[LINT_SHADOWED] = "shadowed",
	[LINT_REDUNDANT] = "redundant",
	[LINT_CONTRADICTION] = "contradiction",
};

struct lint {
	const struct policy *p;
	struct space *spaces; /* of the rules, in their order */
	struct arena arena; /* of the spaces */
	struct arena scratch; /* of differences: emptied again and again */
	struct remains *remains;
	size_t window; /* how far each rule looks */
	size_t overlaps[OVERLAPS_MAX], n_overlaps;
	struct lint_report *report;
};

static const struct rule *rule_at(const struct lint *l, size_t i)
{
	return &l->p->rules[i].rule;
}

static const char *name_at(const struct lint *l, size_t i)
{
	return l->p->rules[i].name;
}

/* The same verdict, and the same chain if there is one. */
static bool same_action(const struct rule *a, const struct rule *b)
{
	return a->action == b->action &&
	       (a->action != ACL_INSPECT || !strcmp(a->apply_to[RULE_CHAIN], b->apply_to[RULE_CHAIN]));
}

static bool same_effect(const struct rule *a, const struct rule *b)
{
	return same_action(a, b) && a->log == b->log &&
	       (a->stateless == b->stateless || a->action != ACL_ALLOW);
}

static bool both_matter(const struct lint *l, size_t i, size_t j)
{
	return rule_at(l, i)->direction == rule_at(l, j)->direction && !l->spaces[i].empty;
}

/* ---- findings ---- */

static json_t *names_of(const struct lint *l, const size_t *list, size_t n)
{
	json_t *names = json_array();

	for (size_t i = 0; i < n && i < NAMES_MAX; i++)
		json_array_append_new(names, json_string(name_at(l, list[i])));
	return names;
}

/* Takes over `text` and `by`. */
static void find(struct lint *l, size_t rule, enum lint_kind kind, json_t *by, json_t *text)
{
	json_array_append_new(l->report->findings,
			      json_pack("{s:s, s:s, s:s, s:o, s:o}", "tenant", l->p->tenant->name,
					"rule", name_at(l, rule), "kind", lint_kinds[kind], "by",
					by ? by : json_array(), "text", text));
}

static void find_covered(struct lint *l, size_t j, const size_t *by, size_t n)
{
	bool same = true;

	for (size_t i = 0; i < n; i++)
		same = same && same_effect(rule_at(l, by[i]), rule_at(l, j));
	if (n == 1)
		find(l, j, same ? LINT_REDUNDANT : LINT_SHADOWED, names_of(l, by, n),
		     json_sprintf("never decides: %s, asked before it, matches all that it does%s",
				  name_at(l, by[0]), same ? ", and does the same" : ""));
	else
		find(l, j, same ? LINT_REDUNDANT : LINT_SHADOWED, names_of(l, by, n),
		     json_sprintf(
			     "never decides: %zu rules asked before it together match all that it does%s",
			     n, same ? ", and do the same" : ""));
}

/* ---- rules before it ---- */

/* Is what j matches all matched by those that overlap it? Who took part is left in `overlaps`. */
static bool covered_together(struct lint *l, size_t j)
{
	size_t n = 0;

	l->scratch.steps_max = l->scratch.steps + UNION_STEPS;
	remains_begin(l->remains, &l->spaces[j]);
	for (size_t i = 0; i < l->n_overlaps && l->remains->n && !l->remains->too_many; i++)
		if (remains_take(&l->scratch, l->remains, &l->spaces[l->overlaps[i]]))
			l->overlaps[n++] = l->overlaps[i];
	arena_free(&l->scratch);
	l->n_overlaps = n;
	return !l->remains->n && !l->remains->too_many;
}

/* Deny wins over reject, and that over allow; of those that allow, with different chains, the first by name. */
static void look_for_contradiction(struct lint *l, size_t i, size_t j, bool *told)
{
	const struct rule *a = rule_at(l, i), *b = rule_at(l, j);

	if (*told || a->priority != b->priority || same_action(a, b))
		return;
	*told = true;
	find(l, j, LINT_CONTRADICTION, json_pack("[s]", name_at(l, i)),
	     json_sprintf(
		     "has the priority of %s, %u, and matches some of the same packets: of equal ones %s wins",
		     name_at(l, i), a->priority, name_at(l, i)));
}

/* True if rules before it leave nothing to it. */
static bool look_before(struct lint *l, size_t j)
{
	size_t first = j > l->window ? j - l->window : 0;
	bool told = false, many = false;

	if (first)
		l->report->complete = false;
	l->n_overlaps = 0;
	for (size_t i = first; i < j; i++) {
		if (!both_matter(l, i, j) ||
		    !space_overlaps(&l->arena, &l->spaces[i], &l->spaces[j]))
			continue;
		look_for_contradiction(l, i, j, &told);
		if (space_contains(&l->arena, &l->spaces[i], &l->spaces[j])) {
			find_covered(l, j, &i, 1);
			return true;
		}
		if (l->n_overlaps < OVERLAPS_MAX)
			l->overlaps[l->n_overlaps++] = i;
		else
			many = true;
	}
	/* With more of them it cannot be told, which is no finding. */
	if (many || l->n_overlaps < 2 || !covered_together(l, j))
		return false;
	find_covered(l, j, l->overlaps, l->n_overlaps);
	return true;
}

/* ---- rules after it ---- */

static bool default_does_the_same(const struct lint *l, size_t i)
{
	const struct rule *rule = rule_at(l, i);
	uint32_t allows = rule->direction == FROM_WORKLOAD ? TENANT_ALLOW_OUT : TENANT_ALLOW_IN;
	uint8_t action = l->p->tenant->flags & allows ? ACL_ALLOW : ACL_DENY;

	/* What belongs to no flow is never let in by default. */
	return rule->action == action && !rule->log &&
	       (action == ACL_DENY ? !(rule->ct_states & CT_STATE_INVALID || rule->stateless)
				   : !rule->stateless && !(rule->ct_states & CT_STATE_INVALID));
}

/* Would a rule after it, or the default, do the same to all that it decides? */
static void look_after(struct lint *l, size_t i)
{
	size_t last = l->p->n - i > l->window ? i + l->window : l->p->n;

	for (size_t k = i + 1; k < last; k++) {
		if (!both_matter(l, k, i) ||
		    !space_overlaps(&l->arena, &l->spaces[k], &l->spaces[i]))
			continue;
		if (!same_effect(rule_at(l, k), rule_at(l, i)))
			return;
		if (!space_contains(&l->arena, &l->spaces[k], &l->spaces[i]))
			continue;
		find(l, i, LINT_REDUNDANT, json_pack("[s]", name_at(l, k)),
		     json_sprintf(
			     "changes nothing: without it %s does the same to all that it matches",
			     name_at(l, k)));
		return;
	}
	if (last == l->p->n && default_does_the_same(l, i))
		find(l, i, LINT_REDUNDANT, NULL,
		     json_sprintf("changes nothing: without it the default does the same"));
}

/* ---- all of them ---- */

static bool within_bounds(const struct lint *l)
{
	return arena_holds(&l->arena) && l->scratch.steps <= STEPS_MAX;
}

/* How many rules are taken in; the last may be of a list that was not followed to its end. */
static size_t make_spaces(struct lint *l, struct space_maker *maker)
{
	size_t n = 0;

	while (n < l->p->n && arena_holds(&l->arena)) {
		space_make(maker, rule_at(l, n), &l->spaces[n]);
		n++;
	}
	return arena_holds(&l->arena) ? n : 0;
}

void lint_rules(const struct policy *p, struct lint_report *report)
{
	struct lint l = { .p = p, .report = report };
	struct space_maker maker;
	size_t n;

	l.spaces = alloc_zero(p->n, sizeof(*l.spaces));
	l.remains = alloc_zero(1, sizeof(*l.remains));
	l.arena = (struct arena){ .steps_max = STEPS_MAX, .made_max = MADE_MAX };
	l.scratch = l.arena;
	l.window = p->n ? (size_t)(PAIRS_MAX / p->n) : 0;
	space_maker_open(&maker, p, &l.arena);
	n = make_spaces(&l, &maker);
	for (size_t i = 0; i < n && within_bounds(&l); i++) {
		if (l.spaces[i].empty)
			find(&l, i, LINT_NEVER, NULL,
			     json_sprintf("never decides: %s", l.spaces[i].empty));
		else if (!look_before(&l, i))
			look_after(&l, i);
	}
	report->rules += p->n;
	if (n < p->n || !within_bounds(&l))
		report->complete = false;
	space_maker_close(&maker);
	arena_free(&l.arena);
	arena_free(&l.scratch);
	free(l.spaces);
	free(l.remains);
}

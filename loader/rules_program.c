// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a tenant's maps shall be, seen from what they are. A small set needs no tree. Else: is the tree in use made from
 * these rules, but for a few? Then those few go beside it, and what they replace is void in it. Have only groups got
 * other members? Then the index alone is made anew. Else everything is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "loader/acl/hash.h"
#include "loader/alloc.h"
#include "loader/rules.h"

struct make {
	struct acl_rules r;
	const struct acl_in_use *in_use;
	struct acl_program *p;
	struct acl_beside beside;
	uint32_t all; /* rules that the tenant has */
	struct error *e;
};

uint64_t acl_seal(const union acl_cell *cell, size_t n)
{
	union acl_cell first = cell[0];
	uint64_t key[2], two[2];

	memcpy(key, first.base.key, sizeof(key));
	first.base.seal = 0;
	two[0] = keyed_hash(key, &first, sizeof(first));
	two[1] = keyed_hash(key, cell + 1, (n - 1) * sizeof(*cell));
	return keyed_hash(key, two, sizeof(two));
}

static void random_key(uint64_t key[2])
{
	while (getrandom(key, 16, 0) != 16)
		;
}

/* ---- the map acl ---- */

void acl_program_slots(struct acl_program *p, const struct acl_header *h, const struct acl_beside *b)
{
	size_t cells = (b->n_voids + ACL_VOIDS - 1) / ACL_VOIDS, at = 1 + b->list.n;
	size_t chains = at + cells + b->n; /* where they begin */

	p->slots = chains + (h->inspect ? (b->list.n + ACL_CHAINS - 1) / ACL_CHAINS : 0);
	/* Two at least: one is what a placeholder has. */
	if (p->slots < 2)
		p->slots = 2;
	p->slot = alloc_zero(p->slots, sizeof(*p->slot));
	p->slot[0].header = *h;
	p->slot[0].header.entries = (__u32)b->list.n;
	p->slot[0].header.voids = b->n_voids;
	p->slot[0].header.beside = (__u32)b->n;
	for (size_t i = 0; i < b->list.n; i++)
		p->slot[1 + i].entry = b->list.entries[i];
	for (size_t i = 0; i < cells * ACL_VOIDS; i++)
		p->slot[at + i / ACL_VOIDS].voids[i % ACL_VOIDS] = i < b->n_voids ? b->voids[i] :
										    UINT32_MAX;
	for (size_t i = 0; i < b->n; i++)
		p->slot[at + cells + i].known = b->known[i];
	for (size_t i = 0; h->inspect && i < b->list.n; i++)
		p->slot[chains + i / ACL_CHAINS].chains[i % ACL_CHAINS] = b->list.chains[i];
}

uint32_t acl_rules_inspect(const struct acl_rules *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < r->rules; i++)
		n += r->rule[i].match.action == ACL_INSPECT;
	return n;
}

static void known_of(const struct acl_rules *r, size_t i, struct acl_known *known)
{
	*known = (struct acl_known){ .digest = r->digest[i], .order = r->order[i] };
	memcpy(known->name, r->name[i], strnlen(r->name[i], WEFT_NAME_LEN));
}

bool acl_beside_add(struct acl_beside *b, const struct acl_rules *r, const struct acl_change *change, size_t n)
{
	for (size_t i = 0, end; i < n; i = end) {
		uint32_t below = change[i].below, room = change[i].above - below, step;

		for (end = i + 1; end < n && change[end].below == below; end++)
			;
		if (end - i > ACL_DELTA_MAX || b->n + end - i > ACL_DELTA_MAX || room <= end - i + 1)
			return false;
		step = room / (uint32_t)(end - i + 1);
		for (size_t one = i; one < end; one++) {
			struct acl_known *known = &b->known[b->n++];

			known_of(r, change[one].rule, known);
			known->rank = below += step;
			if (!acl_list_add(&b->list, r, change[one].rule, below, ACL_DELTA_MAX))
				return false;
		}
	}
	return true;
}

static bool same_slots(const struct make *k)
{
	const struct acl_in_use *u = k->in_use;

	return u && u->sealed && u->slots == k->p->slots &&
	       !memcmp(u->slot, k->p->slot, u->slots * sizeof(*u->slot));
}

/* ---- a small set ---- */

static bool is_small(struct make *k)
{
	for (size_t i = 0; i < k->r.rules; i++)
		/* No tree, no rank: so it is what earlier versions of the maps know, too. */
		if (!acl_list_add(&k->beside.list, &k->r, i, 0, ACL_LINEAR_MAX)) {
			k->beside.list.n = 0;
			return false;
		}
	return true;
}

/* ---- a new tree ---- */

static int compare_by_name(const void *a, const void *b, void *arg)
{
	const struct acl_rules *r = arg;

	return strcmp(r->name[*(const uint32_t *)a], r->name[*(const uint32_t *)b]);
}

static uint32_t *sort_names(const struct acl_rules *r)
{
	uint32_t *by_name = alloc_zero(r->rules + 1, sizeof(*by_name));

	for (uint32_t i = 0; i < r->rules; i++)
		by_name[i] = i;
	qsort_r(by_name, r->rules, sizeof(*by_name), compare_by_name, (void *)(uintptr_t)r);
	return by_name;
}

static void append_rules(struct make *k, struct acl_compiled *c)
{
	uint32_t looked_at = (uint32_t)c->tree.n, at = acl_cells_add(&c->tree, k->r.rules);
	uint32_t *by_name = sort_names(&k->r);
	struct acl_base *base;

	for (size_t i = 0; i < k->r.rules; i++) {
		struct acl_known *known = &c->tree.cell[at + i].known;

		known_of(&k->r, i, known);
		known->rank = k->r.rule[i].match.rank;
		known->hides = c->hides[i];
		known->by_name = by_name[i];
	}
	free(by_name);
	base = &c->tree.cell[0].base;
	base->cells = looked_at;
	base->items = (__u32)k->r.rules;
	memcpy(base->key, k->r.key, sizeof(base->key));
	base->seal = acl_seal(c->tree.cell, c->tree.n);
}

static void append_terms(struct make *k, struct acl_compiled *c)
{
	uint32_t looked_at = (uint32_t)c->index.n, classes = 0,
		 at = acl_cells_add(&c->index, k->r.n_named);
	struct acl_base *base;
	__u64 *sum;

	for (size_t i = 0; i < k->r.n_named; i++)
		c->index.cell[at + i].named = k->r.named[i];
	for (int kind = 0; kind < SPACES; kind++)
		classes += c->classes[kind];
	at = acl_cells_add(&c->index, (classes + 7) / 8);
	sum = c->index.cell[at].sum;
	for (int kind = 0; kind < SPACES; kind++) {
		memcpy(sum, c->sum[kind], c->classes[kind] * sizeof(*sum));
		sum += c->classes[kind];
	}
	base = &c->index.cell[0].base;
	base->cells = looked_at;
	base->items = (__u32)k->r.n_named;
	memcpy(base->classes, c->classes, sizeof(base->classes));
	memcpy(base->key, k->r.key, sizeof(base->key));
	base->seal = acl_seal(c->index.cell, c->index.n);
}

static int make_all(struct make *k)
{
	struct acl_compiled *c = &k->p->base;

	k->beside.list.n = 0;
	k->beside.n = k->beside.n_voids = 0;
	if (acl_build(&k->r.source, c, k->e))
		return -1;
	k->p->visits = c->visits;
	append_rules(k, c);
	append_terms(k, c);
	c->header.rules = k->all;
	c->header.inspect = acl_rules_inspect(&k->r);
	acl_program_slots(k->p, &c->header, &k->beside);
	return 0;
}

/* ---- the one in use, with a few changes ---- */

struct match {
	uint32_t known; /* of the tree's rules, plus 1; 0: not in it, or not as it is now */
};

static const struct acl_known *known_at(const struct make *k, uint32_t i)
{
	return &k->in_use->tree[1 + i].known;
}

uint32_t acl_known_find(const union acl_cell *known, uint32_t n, const char *name)
{
	uint32_t low = 0, high = n;
	char padded[WEFT_NAME_LEN] = "";

	memcpy(padded, name, strnlen(name, WEFT_NAME_LEN));
	while (low < high) {
		uint32_t middle = (low + high) / 2, at = known[middle].known.by_name;
		int order = at < n ? memcmp(known[at].known.name, padded, WEFT_NAME_LEN) : 0;

		if (!order)
			return at < n ? at + 1 : 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

static uint32_t find_known(const struct make *k, uint32_t n, size_t rule)
{
	uint32_t at = acl_known_find(k->in_use->tree + 1, n, k->r.name[rule]);

	return at && known_at(k, at - 1)->digest == k->r.digest[rule] ? at : 0;
}

/* What the tree has and the rules do not. False: too many, or such as hide others. */
static bool find_voids(struct make *k, const struct match *match, uint32_t n)
{
	bool *live = alloc_zero(n + 1, sizeof(*live));
	bool fits = true;

	for (size_t i = 0; i < k->r.rules; i++)
		if (match[i].known)
			live[match[i].known - 1] = true;
	for (uint32_t i = 0; i < n && fits; i++) {
		if (live[i])
			continue;
		fits = k->beside.n_voids < ACL_VOID_MAX && !known_at(k, i)->hides;
		if (fits)
			k->beside.voids[k->beside.n_voids++] = known_at(k, i)->rank;
	}
	free(live);
	return fits;
}

/* The rules that are not in the tree, with ranks between those of their neighbours that are. */
static bool list_changes(struct make *k, const struct match *match)
{
	struct acl_change change[ACL_DELTA_MAX + 1] = { 0 };
	uint32_t below = 0;
	size_t n = 0, open = 0; /* those from `open` on have met nobody above them yet */

	for (size_t i = 0; i < k->r.rules && n <= ACL_DELTA_MAX; i++) {
		if (!match[i].known) {
			change[n++] = (struct acl_change){ (uint32_t)i, below, UINT32_MAX };
			continue;
		}
		below = known_at(k, match[i].known - 1)->rank;
		while (open < n)
			change[open++].above = below;
	}
	return n <= ACL_DELTA_MAX && acl_beside_add(&k->beside, &k->r, change, n);
}

/* The source without what only rules beside the tree name: the tree has no classes for that. */
static struct acl_term *terms_of_tree(const struct make *k, const struct match *match)
{
	struct acl_term *term = alloc_zero(k->r.terms + 1, sizeof(*term));

	for (size_t i = 0; i < k->r.rules; i++)
		for (int side = 0; match[i].known && side < SIDES; side++)
			for (uint32_t n = 0; n < k->r.rule[i].terms[side]; n++) {
				uint32_t name = k->r.name_of[k->r.rule[i].term[side] + n];

				term[name] = k->r.term[name];
			}
	return term;
}

/* Do the terms that the tree's own rules name hold what they held? `term` is terms_of_tree(). */
static bool same_members(const struct make *k, const struct acl_term *term)
{
	const struct acl_base *base = &k->in_use->index[0].base;

	/* Named terms stand in the order of terms. */
	for (size_t i = 0, t = 0; i < k->r.n_named; i++) {
		while (k->r.term[t].key != k->r.named[i].key)
			t++;
		for (uint32_t had = 0; term[t].key && had < base->items; had++) {
			const struct acl_named *named = &k->in_use->index[1 + had].named;

			if (named->key == k->r.named[i].key && named->digest != k->r.named[i].digest)
				return false;
		}
	}
	return true;
}

/* 1: done; 0: it takes a new tree; -1: refused. */
static int make_index(struct make *k, const struct acl_term *term)
{
	struct acl_source source = k->r.source;
	const struct acl_base *base = &k->in_use->index[0].base;
	const __u64 *sum = k->in_use->index[1 + base->items].sum;
	struct acl_compiled *c = &k->p->base;
	int made;

	for (int kind = 0; kind < SPACES; kind++) {
		c->classes[kind] = base->classes[kind];
		c->sum[kind] = alloc_zero(c->classes[kind] + 1, sizeof(*sum));
		memcpy(c->sum[kind], sum, c->classes[kind] * sizeof(*sum));
		sum += c->classes[kind];
	}
	source.term = term;
	made = acl_build_index(&source, c, k->e);
	if (made <= 0) {
		acl_compiled_free(c);
		return made;
	}
	append_terms(k, c);
	return 1;
}

static int keep_tree(struct make *k)
{
	uint32_t n = k->in_use->tree[0].base.items;
	struct match *match = alloc_zero(k->r.rules + 1, sizeof(*match));
	struct acl_header h = k->in_use->slot[0].header;
	struct acl_term *term;
	int made;

	for (size_t i = 0; i < k->r.rules; i++)
		match[i].known = find_known(k, n, i);
	term = terms_of_tree(k, match);
	made = find_voids(k, match, n) && list_changes(k, match);
	if (made && !same_members(k, term)) {
		made = make_index(k, term);
		h.addresses4 = k->p->base.header.addresses4;
		h.addresses6 = k->p->base.header.addresses6;
		h.ports = k->p->base.header.ports;
	}
	h.rules = k->all;
	h.inspect = acl_rules_inspect(&k->r);
	if (made > 0)
		acl_program_slots(k->p, &h, &k->beside);
	free(term);
	free(match);
	return made;
}

static bool may_keep(const struct acl_in_use *u)
{
	return u && u->sealed && u->slot && u->slot[0].header.tree && u->slot[0].header.index &&
	       u->tree && u->index;
}

static int make(struct make *k)
{
	const struct acl_header none = { .inspect = acl_rules_inspect(&k->r) };
	int made;

	if (is_small(k)) {
		acl_program_slots(k->p, &none, &k->beside);
		return 0;
	}
	made = may_keep(k->in_use) ? keep_tree(k) : 0;
	return made ? (made < 0 ? -1 : 0) : make_all(k);
}

int acl_program_of(const struct acl_rules *r, uint32_t all, const struct acl_in_use *in_use,
		   struct acl_program *p, struct error *e)
{
	struct make k = { .r = *r, .in_use = in_use, .p = p, .all = all, .e = e };
	int failed;

	*p = (struct acl_program){ 0 };
	if (in_use && in_use->slot) {
		p->tree_in_use = in_use->slot[0].header.tree;
		p->index_in_use = in_use->slot[0].header.index;
	}
	failed = make(&k);
	p->same = !failed && !p->base.tree.n && !p->base.index.n && same_slots(&k);
	acl_list_free(&k.beside.list);
	if (failed)
		acl_program_free(p);
	return failed;
}

int acl_program_make(const struct model *m, const struct model_tenant *t,
		     const struct acl_in_use *in_use, struct acl_program *p, struct error *e)
{
	struct acl_rules r;
	uint64_t key[2];
	int failed;

	*p = (struct acl_program){ 0 };
	random_key(key);
	if (may_keep(in_use))
		memcpy(key, in_use->tree[0].base.key, sizeof(key));
	if (acl_rules_gather(m, t, key, &r, e))
		return -1;
	failed = acl_program_of(&r, (uint32_t)json_object_size(json_object_get(t->body, "acl")), in_use, p,
				e);
	acl_rules_free(&r);
	return failed;
}

void acl_program_free(struct acl_program *p)
{
	free(p->slot);
	acl_compiled_free(&p->base);
	*p = (struct acl_program){ 0 };
}

void acl_in_use_free(struct acl_in_use *in_use)
{
	free(in_use->slot);
	free(in_use->tree);
	free(in_use->index);
	*in_use = (struct acl_in_use){ 0 };
}

/* ---- asked in userspace ---- */

static bool in_prefix(const union weft_addr *a, const union weft_addr *prefix, unsigned int bits)
{
	for (unsigned int bit = 0; bit < bits; bit++)
		if ((a->bytes[bit / 8] ^ prefix->bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static bool entry_matches(const struct acl_entry *e, const struct acl_query *q)
{
	if (e->direction != q->direction || (e->port && e->port - 1u != q->port) ||
	    (e->ethertype && e->ethertype != q->ethertype) ||
	    (e->family && e->family != q->family) ||
	    (e->flags & ENTRY_PROTOCOL && e->protocol != q->protocol))
		return false;
	if (q->source_port < e->source_first || q->source_port > e->source_last ||
	    q->destination_port < e->destination_first || q->destination_port > e->destination_last)
		return false;
	if ((e->flags & ENTRY_ICMP_TYPE && e->icmp_type != q->icmp_type) ||
	    (e->flags & ENTRY_ICMP_CODE && e->icmp_code != q->icmp_code) ||
	    (q->tcp_flags & e->tcp_mask) != e->tcp_flags ||
	    (e->ct_states && !(e->ct_states & q->ct_state)))
		return false;
	if (q->ct_state == CT_STATE_INVALID && !e->ct_states && !(e->flags & ENTRY_STATELESS))
		return false;
	return in_prefix(&q->source, &e->source, e->source_bits) &&
	       in_prefix(&q->destination, &e->destination, e->destination_bits);
}

/* Of the i-th entry. */
static uint32_t chain_of(const union acl_slot *slot, uint32_t i)
{
	const struct acl_header *h = &slot[0].header;
	size_t at = 1 + h->entries + (h->voids + ACL_VOIDS - 1) / ACL_VOIDS + h->beside;

	return h->inspect ? slot[at + i / ACL_CHAINS].chains[i % ACL_CHAINS] : 0;
}

uint32_t acl_slots_ask(const union acl_slot *slot, const struct acl_compiled *base,
		       const struct acl_query *q, struct acl_said *said)
{
	const struct acl_header *h = &slot[0].header;
	struct acl_compiled c = *base;
	uint32_t limit = UINT32_MAX, rule = 0;
	const struct acl_match *m;

	for (uint32_t i = 0; i < h->entries && !rule; i++) {
		const struct acl_entry *e = &slot[1 + i].entry;

		if (!entry_matches(e, q))
			continue;
		limit = (uint32_t)e->rank_high << 16 | e->rank_low;
		rule = e->rule;
		*said = (struct acl_said){ e->action, chain_of(slot, i) };
	}
	if (!c.tree.n || !c.index.n)
		return rule;
	c.header = *h;
	c.voids = slot[1 + h->entries].voids;
	c.n_voids = h->voids;
	m = acl_ask(&c, q, limit, NULL);
	if (!m)
		return rule;
	*said = (struct acl_said){ m->action, m->chain };
	return m->rule;
}

uint32_t acl_program_ask(const struct acl_program *p, const struct acl_query *q, struct acl_said *said)
{
	return acl_slots_ask(p->slot, &p->base, q, said);
}

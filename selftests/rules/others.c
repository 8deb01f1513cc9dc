// SPDX-License-Identifier: BSD-2-Clause
/*
 * others KIND FAMILY SIZE: what the same rules would cost in other schemes, counted rather than run: for
 * docs/CLASSIFIER.md. Tuple-space search: tables, each asked for each packet. TupleMerge (Daly and others, 2019): the
 * same with tuples relaxed to multiples of 8 bits and at most 10 rules in a place. Cross-producting: cells of the table
 * of pairs of address classes. Bit vectors: bytes stored, and read for a packet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/acl/hash.h"
#include "loader/alloc.h"
#include "selftests/rules/ruleset.h"

#define PLACE_MAX 10

struct tuple {
	uint8_t source, destination; /* bits */
	uint8_t protocol, source_port, destination_port; /* asked for exactly */
};

struct place {
	uint64_t key;
	unsigned int n;
};

static const uint64_t key[2] = { 1, 2 };

static const struct acl_prefix *prefix_of(const struct ruleset *r, const struct acl_rule *rule, int side)
{
	return rule->terms[side] ? r->term[r->name[rule->term[side]]].prefix : NULL;
}

static bool is_exact(const struct port_range *range, unsigned int n)
{
	return n == 1 && range->first == range->last;
}

static struct tuple tuple_of(const struct ruleset *r, const struct acl_rule *rule)
{
	const struct acl_prefix *s = prefix_of(r, rule, SIDE_SOURCE), *d = prefix_of(r, rule, SIDE_DESTINATION);

	return (struct tuple){ .source = s ? s->bits : 0,
			       .destination = d ? d->bits : 0,
			       .protocol = rule->match.flags & ENTRY_PROTOCOL,
			       .source_port = is_exact(rule->source_port, rule->source_ports),
			       .destination_port = is_exact(rule->destination_port, rule->destination_ports) };
}

static size_t find_tuple(struct tuple *list, size_t *n, const struct tuple *t)
{
	size_t i = 0;

	while (i < *n && memcmp(&list[i], t, sizeof(*t)))
		i++;
	if (i == *n)
		list[(*n)++] = *t;
	return i;
}

static size_t count_tuples(const struct ruleset *r)
{
	struct tuple *list = alloc_zero(r->source.rules, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < r->source.rules; i++) {
		struct tuple t = tuple_of(r, &r->rule[i]);

		find_tuple(list, &n, &t);
	}
	free(list);
	return n;
}

static void mask(uint8_t out[16], const struct acl_prefix *p, unsigned int bits)
{
	memset(out, 0, 16);
	for (unsigned int bit = 0; p && bit < bits; bit++)
		out[bit / 8] |= (uint8_t)(p->addr.bytes[bit / 8] & 0x80 >> bit % 8);
}

/* Where the rule stands in a table of that tuple. */
static uint64_t place_key(const struct ruleset *r, const struct acl_rule *rule, const struct tuple *t, size_t table)
{
	struct {
		uint8_t source[16], destination[16];
		uint64_t table, protocol, source_port, destination_port;
	} k = { .table = table };

	mask(k.source, prefix_of(r, rule, SIDE_SOURCE), t->source);
	mask(k.destination, prefix_of(r, rule, SIDE_DESTINATION), t->destination);
	k.protocol = t->protocol ? rule->match.protocol : 0;
	k.source_port = t->source_port ? rule->source_port[0].first : 0;
	k.destination_port = t->destination_port ? rule->destination_port[0].first : 0;
	return keyed_hash(key, &k, sizeof(k)) | 1;
}

static struct place *find_place(struct place *places, size_t all, uint64_t k)
{
	size_t at = (size_t)k & (all - 1);

	while (places[at].key && places[at].key != k)
		at = (at + 1) & (all - 1);
	places[at].key = k;
	return &places[at];
}

static bool takes(const struct tuple *table, const struct tuple *rule)
{
	return table->source <= rule->source && table->destination <= rule->destination &&
	       table->protocol <= rule->protocol && table->source_port <= rule->source_port &&
	       table->destination_port <= rule->destination_port;
}

static size_t count_merged(const struct ruleset *r)
{
	size_t all = 1, n = 0;
	struct tuple *list = alloc_zero(r->source.rules, sizeof(*list));
	struct place *places;

	while (all < 256 * r->source.rules)
		all *= 2;
	places = alloc_zero(all, sizeof(*places));
	for (size_t i = 0; i < r->source.rules; i++) {
		const struct acl_rule *rule = &r->rule[i];
		struct tuple t = tuple_of(r, rule);
		size_t table = 0;

		for (; table < n; table++) {
			struct place *p;

			if (!takes(&list[table], &t))
				continue;
			p = find_place(places, all, place_key(r, rule, &list[table], table));
			if (p->n < PLACE_MAX) {
				p->n++;
				break;
			}
		}
		if (table < n)
			continue;
		/* Relaxed; but where that place was full already, as it is. */
		list[n] = t;
		list[n].source = (uint8_t)(t.source & ~7);
		list[n].destination = (uint8_t)(t.destination & ~7);
		for (size_t k = 0; k < n; k++)
			if (!memcmp(&list[k], &list[n], sizeof(t)))
				list[n] = t;
		find_place(places, all, place_key(r, rule, &list[n], n))->n++;
		n++;
	}
	free(places);
	free(list);
	return n;
}

static int compare_words(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Intervals of a port. */
static size_t port_classes(const struct ruleset *r, bool source)
{
	int *end = alloc_zero(2 * r->source.rules + 1, sizeof(*end));
	size_t n = 0, different = 0;

	end[n++] = 0;
	for (size_t i = 0; i < r->source.rules; i++) {
		const struct acl_rule *rule = &r->rule[i];
		const struct port_range *range = source ? rule->source_port : rule->destination_port;

		if (!(source ? rule->source_ports : rule->destination_ports))
			continue;
		end[n++] = range->first;
		end[n++] = range->last + 1;
	}
	qsort(end, n, sizeof(*end), compare_words);
	for (size_t i = 0; i < n; i++)
		different += !i || end[i] != end[i - 1];
	free(end);
	return different;
}

static size_t address_classes(const struct ruleset *r, int side)
{
	struct acl_source s = r->source;
	struct acl_term *term = alloc_zero(s.terms, sizeof(*term));
	struct acl_space space;
	size_t n;

	for (size_t i = 0; i < s.rules; i++)
		if (r->rule[i].terms[side])
			term[r->name[r->rule[i].term[side]]] = s.term[r->name[r->rule[i].term[side]]];
	s.term = term;
	acl_space_make(&space, &s, r->family == FAMILY_IPV4 ? SPACE_IPV4 : SPACE_IPV6, NULL, 0);
	n = space.classes;
	acl_space_free(&space);
	free(term);
	return n;
}

int main(int argc, char **argv)
{
	enum ruleset_kind kind = 0;
	size_t sources, destinations, classes, vector;
	struct acl_compiled c;
	struct error e = { 0 };
	struct ruleset r;

	while (argc == 4 && kind < RULES_KINDS && strcmp(ruleset_names[kind], argv[1]))
		kind++;
	if (argc != 4 || kind == RULES_KINDS || kind == RULES_WEFT) {
		fprintf(stderr, "usage: others acl|fw|ipc|nested|lengths|ranges FAMILY SIZE\n");
		return 2;
	}
	ruleset_make(&r, kind, (uint8_t)atoi(argv[2]), strtoul(argv[3], NULL, 10), 7);
	sources = address_classes(&r, SIDE_SOURCE);
	destinations = address_classes(&r, SIDE_DESTINATION);
	classes = sources + destinations + port_classes(&r, true) + port_classes(&r, false) + 256;
	vector = (r.source.rules + 7) / 8;
	printf("tuples=%zu merged=%zu product_mb=%.1f vectors_mb=%.1f vectors_read=%zu ", count_tuples(&r), count_merged(&r),
	       (double)sources * (double)destinations * 4 / 1e6, (double)classes * (double)vector / 1e6, 5 * vector);
	if (acl_build(&r.source, &c, &e))
		printf("tree=refused\n");
	else
		printf("tree_mb=%.1f worst=%u\n", (double)(c.tree.n + c.index.n) * 64 / 1e6, c.visits);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules to what packets ask: a search tree over classes (the map acl_tree), and an index from addresses and ports to
 * their classes (acl_index). Knows nothing of names, JSON or maps. docs/CLASSIFIER.md says why it is so.
 */
#ifndef WEFT_ACL_CLASSIFIER_H
#define WEFT_ACL_CLASSIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/acl.h"
#include "loader/error.h"

struct acl_prefix {
	uint8_t family; /* enum weft_family */
	uint8_t bits;
	union weft_addr addr; /* the bits behind the prefix do not count */
};

/* One thing that rules may name: a prefix, a group, a network, a port. An address or a port is in it, or is not. */
struct acl_term {
	uint64_t key; /* random, of its own: classes are told apart by the exclusive or of these */
	const struct acl_prefix *prefix;
	size_t prefixes;
	const uint32_t *slot; /* of ports */
	size_t slots;
	bool changes; /* may get other members, and the tree shall not be made anew for it */
};

enum acl_side { SIDE_SOURCE, SIDE_DESTINATION, SIDE_PORT, SIDES }; /* as in enum acl_value */

struct acl_rule {
	struct acl_match match; /* all but classes, ranges and what binds it to the tree */
	uint8_t direction; /* enum weft_direction */
	uint8_t has_icmp; /* asks for ICMP's type */
	uint16_t source_ports, destination_ports; /* ranges; 0: any */
	struct port_range source_port[RULE_RANGES], destination_port[RULE_RANGES];
	uint32_t term[SIDES]; /* where its terms begin, in acl_source.names */
	uint16_t terms[SIDES]; /* how many; 0: any */
};

/* What is compiled. Rules stand in the order of their ranks. */
struct acl_source {
	const struct acl_term *term;
	const struct acl_rule *rule;
	const uint32_t *name; /* indices of terms */
	size_t terms, rules;
	/* Addresses and ports that may come to be in another term that changes, or leave it. */
	const struct acl_prefix *mover;
	const uint32_t *moving_slot;
	size_t movers, moving_slots;
	const char *who; /* in messages: "tenant red" */
};

struct acl_cells {
	union acl_cell *cell;
	size_t n, room;
};

struct acl_compiled {
	struct acl_cells tree, index; /* cell 0 of both is unused */
	struct acl_header header; /* roots */
	const uint32_t *voids; /* ranks of rules that are void; not its own */
	uint32_t n_voids;
	unsigned int visits; /* the most cells of the tree that any packet looks at */
	unsigned int waiting; /* the most branches that wait meanwhile */
	uint64_t *sum[3]; /* of IPv4, IPv6, ports: of each class */
	uint32_t classes[3];
	bool *hides; /* by rule: it cannot become void without another build, since another is left out for it */
};

/* Refuses, and names the bound, what would cost packets or this command too much. */
int acl_build(const struct acl_source *source, struct acl_compiled *c, struct error *e);
/*
 * The index alone, for the classes that a tree knows: c->sum and c->classes. Returns 1, or 0 if there are others now;
 * -1 if it is refused.
 */
int acl_build_index(const struct acl_source *source, struct acl_compiled *c, struct error *e);
void acl_compiled_free(struct acl_compiled *c);

/*
 * What packets do, over the same cells: of the rules with a rank below `limit` the one that decides, or NULL. `visits`
 * counts, if not NULL.
 */
const struct acl_match *acl_ask(const struct acl_compiled *c, const struct acl_query *q,
				uint32_t limit, unsigned int *visits);

/* ---- between the parts of it ---- */

#define ACL_CELLS_MAX (1u << 21) /* of a tree, or of an index: 128 MB */

/* Appends n empty cells; returns the first one's index. */
uint32_t acl_cells_add(struct acl_cells *cells, size_t n);

typedef unsigned __int128
	acl_position; /* an address from its first bit; a slot or a class in the first 32 */

/* An ordered space cut into intervals, each of one class. */
struct acl_space {
	acl_position *from; /* where intervals begin; the first at 0 */
	uint32_t *class;
	uint32_t *born; /* classes that there were before each interval; one more at the end: all */
	uint64_t *sum; /* by class: exclusive or of the keys of its terms */
	uint32_t classes; /* all, those of expected.c too */
	uint32_t *
		expected; /* by term, its classes that nothing is of yet: those from expected_at[term] on */
	uint32_t *expected_at;
	size_t n, room;
};

/* Classes, each the same for all that is in the same terms. */
struct acl_range {
	uint32_t first, last;
};

struct acl_set {
	struct acl_range *range; /* ascending, not touching */
	size_t n;
	uint32_t root; /* of its search tree in the tree's cells, once it is written */
};

enum acl_space_kind { SPACE_IPV4, SPACE_IPV6, SPACE_PORTS, SPACES };

/* `known`: sums of the first `n` classes, in order. */
void acl_space_make(struct acl_space *space, const struct acl_source *s, enum acl_space_kind kind,
		    const uint64_t *known, uint32_t n);
/*
 * Gives numbers to classes that nothing is of yet: of each mover in one more or one less of the terms that change. Then
 * such a change takes a new index and no new tree.
 */
void acl_space_expect(struct acl_space *space, const struct acl_source *s,
		      enum acl_space_kind kind);
void acl_space_free(struct acl_space *space);
/* The classes of a rule's side; `set->range` is to be freed. Any: one range of all. */
void acl_space_set(const struct acl_space *space, const struct acl_source *s,
		   enum acl_space_kind kind, const uint32_t *name, size_t n, struct acl_set *set);

/* The root of a new search tree over the space. */
uint32_t acl_index_space(struct acl_cells *cells, const struct acl_space *space);
/* In ascending order, and joined where they touch. */
void acl_set_order(struct acl_set *set);
/* Likewise over a set: value 1 for what is in it. */
uint32_t acl_index_set(struct acl_cells *cells, const struct acl_set *set);
uint32_t acl_index_find(const struct acl_cells *cells, uint32_t root, const uint32_t words[4]);

#define ACL_SETS (ACL_DESTINATION_PORT + 1) /* values of which a rule may have more than a range */

/* The rules of one family as the tree has them: a hull for each value, and sets where that is not all. */
struct acl_box {
	struct acl_set *set[ACL_SETS]; /* NULL: the hull is all */
	struct acl_range hull[ACL_VALUES];
	uint32_t rule; /* in acl_source.rule */
	uint8_t states; /* enum acl_ct_state: of the packets that it is for */
	bool plain; /* asks for nothing but the hulls and the state */
};

struct acl_tree_job {
	struct acl_cells *cells;
	const struct acl_rule *rule;
	const struct acl_box *box; /* in order of rank */
	size_t boxes;
	const char *who;
	uint64_t steps, steps_max;
	size_t cells_max; /* beyond it rules are put aside rather than stand in several places */
	uint32_t *range_cell; /* by rule */
	bool *hides; /* by rule: another rule is left out somewhere, since this one comes before it */
	uint32_t last[ACL_VALUES]; /* the largest of each value */
};

struct acl_cost {
	unsigned int visits, waiting;
};

/* Returns the root's cell, 0 if there is no box, and what it costs; -1 and an error. */
int acl_tree_build(struct acl_tree_job *job, uint32_t *root, struct acl_cost *cost,
		   struct error *e);

#endif

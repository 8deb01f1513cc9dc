/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules as the operator wrote them, and the compiled form that packets meet. */
#ifndef WEFT_ACL_H
#define WEFT_ACL_H

#include "base.h"

/* ACL_INSPECT allows, and leads the flow through a chain. To programs that do not know it it is no ACL_ALLOW: they deny. */
enum acl_action { ACL_DENY = 0, ACL_ALLOW = 1, ACL_REJECT = 2, ACL_INSPECT = 3 };

enum acl_ct_state {		/* bits */
	CT_STATE_NEW = 1 << 0,
	CT_STATE_ESTABLISHED = 1 << 1,
	CT_STATE_RELATED = 1 << 2,
	CT_STATE_INVALID = 1 << 3,
};

/* ---- tenants/<tenant>/rules: name -> rule, the source of truth; may be delegated to its owner ---- */

#define RULE_REFS 8
#define RULE_RANGES 8
#define RULE_REF_LEN 52

struct rule_key {
	char name[WEFT_NAME_LEN];
};

struct port_range {
	__u16 first;
	__u16 last;
};

struct rule {
	__u64 id;		/* given by weft; 0 in a rule put in by hand until `acl commit` */
	__u8 direction;		/* enum weft_direction */
	__u8 action;		/* enum acl_action */
	__u16 priority;		/* the higher wins; equal: deny wins */
	__u16 ethertype;	/* host order; 0: any */
	__u8 has_protocol;
	__u8 protocol;
	__u8 has_icmp_type;
	__u8 icmp_type;
	__u8 has_icmp_code;
	__u8 icmp_code;
	__u8 tcp_mask;		/* TCP flags that are looked at */
	__u8 tcp_flags;		/* their values */
	__u8 ct_states;		/* enum acl_ct_state; 0: any */
	__u8 log;
	__u8 stateless;
	__u8 pad[3];
	__u16 source_ports;	/* how many ranges; 0: any */
	__u16 destination_ports;
	struct port_range source_port[RULE_RANGES];
	struct port_range destination_port[RULE_RANGES];
	char apply_to[RULE_REFS][RULE_REF_LEN];		/* "port:web1", "group:web"; "" ends the list; none: every port */
	char source[RULE_REFS][RULE_REF_LEN];		/* "10.0.0.0/8", "group:web", "port:web1", "network:web" */
	char destination[RULE_REFS][RULE_REF_LEN];
};

/* With ACL_INSPECT the last place of apply_to is not that list's: it has the chain, "chain:inspect". */
#define RULE_CHAIN (RULE_REFS - 1)
#define RULE_APPLY_TO(rule) ((rule)->action == ACL_INSPECT ? RULE_CHAIN : RULE_REFS)

/*
 * ---- tenants/<tenant>/{acl,acl_tree,acl_index}: compiled for this host ----
 *
 * All three are arrays of 64-byte cells. `acl` is what is swapped: [0] is the header, then come the entries that are
 * tried one after the other, then the ranks of rules of the tree that are void, then what weft knows of those beside it,
 * then, if any rule has one, the chains of the entries. A larger set stands in `acl_tree`, which asks for classes of
 * addresses and ports, not for addresses: `acl_index` tells the class of an address or a port. The header says which of the
 * two maps of each kind, of the tenant's two places in the outer map, belong to it: they never change while a header names
 * them. docs/CLASSIFIER.md says why it is so.
 */

#define ACL_ENTRIES_MAX 4096	/* that the programs try one after the other, at most */
#define ACL_VOID_MAX 64		/* rules of the tree that are void */
#define ACL_VOIDS 16		/* ranks in a cell of such */
#define ACL_CHAINS 32		/* chains of entries in a cell of such */
#define ACL_VISITS_MAX 256	/* cells of the tree that a packet may have to look at; more is refused */
#define ACL_ASIDE_MAX 24	/* branches that may wait while another one is searched */
#define ACL_INDEX_STEPS 32	/* cells of the index that it takes to find a class, at most */
#define ACL_MAPS (2 * WEFT_TENANTS_MAX)	/* places in the outer maps of trees and indices: two a tenant */

enum acl_family { ACL_OTHER, ACL_IPV4, ACL_IPV6, ACL_FAMILIES };	/* of roots: neither, IPv4, IPv6 */

/* A root of the index: cell | levels above the leaves << ACL_ROOT_SHIFT; ACL_DEEPER: of the next word. 0: class 0. */
#define ACL_ROOT_SHIFT 26
#define ACL_ROOT_CELL ((1u << ACL_ROOT_SHIFT) - 1)
#define ACL_ROOT_LEVELS 31
#define ACL_REST 31		/* levels of a struct acl_rest */
#define ACL_DEEPER (1u << 31)

struct acl_header {
	__u32 entries;		/* that are tried one after the other */
	__u32 voids;		/* ranks behind them, ACL_VOIDS in a cell */
	__u32 tree;		/* its place in the outer map, plus 1; 0: there is none */
	__u32 index;		/* likewise */
	__u32 root[2][ACL_FAMILIES];	/* cells of the tree, by enum weft_direction; 0: no rule */
	__u32 addresses4;	/* roots of the index */
	__u32 addresses6;
	__u32 ports;
	__u32 beside;		/* with a tree: rules beside it, a struct acl_known each behind the ranks */
	__u32 rules;		/* with a tree: all that the tenant has, those included that match nothing here */
	__u32 inspect;		/* rules with a chain; 0: no chains of entries stand behind the rest */
};

enum acl_entry_flags {
	ENTRY_PROTOCOL = 1 << 0,	/* protocol is matched */
	ENTRY_ICMP_TYPE = 1 << 1,
	ENTRY_ICMP_CODE = 1 << 2,
	ENTRY_LOG = 1 << 3,
	ENTRY_STATELESS = 1 << 4,
};

/* One of those that are tried in turn: the first that matches is their answer. */
struct acl_entry {
	union weft_addr source;
	union weft_addr destination;
	__u8 source_bits;	/* prefix length; 0: any */
	__u8 destination_bits;
	__u8 family;		/* enum weft_family; FAMILY_NONE: any */
	__u8 direction;		/* enum weft_direction */
	__u8 action;		/* enum acl_action */
	__u8 flags;		/* enum acl_entry_flags */
	__u16 ethertype;	/* 0: any */
	__u16 source_first;	/* port ranges, host order; 0–65535: any */
	__u16 source_last;
	__u16 destination_first;
	__u16 destination_last;
	__u16 port;		/* slot of the port it applies to, plus 1; 0: every port */
	__u16 rank_high;	/* of its rank among the rules of the tree: the lower one decides */
	__u32 rule;		/* id, low 32 bits */
	__u8 protocol;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 tcp_mask;
	__u8 tcp_flags;
	__u8 ct_states;		/* 0: any */
	__u16 rank_low;
};

/* A rule as weft knows it again, in a map's part that packets do not look at. */
struct acl_known {
	char name[WEFT_NAME_LEN];
	__u64 digest;		/* of all that it says; keyed by the tree's key */
	__u32 rank;
	__u32 hides;		/* 1: others are left out for it, so it cannot become void alone */
	__u32 order;		/* of precedence, by priority and action: the smaller comes first, then the name */
	__u32 by_name;		/* in a tree, of the i-th: which of them is the i-th by name */
	__u64 pad;
};

union acl_slot {
	struct acl_header header;
	struct acl_entry entry;
	struct acl_known known;
	__u32 voids[ACL_VOIDS];
	__u16 chains[ACL_CHAINS];	/* slots, entry by entry; of one without a chain 0 */
};

/* What a node of the tree may ask for. Classes are numbers that mean something to one tree and index alone. */
enum acl_value {
	ACL_SOURCE,		/* class of the address */
	ACL_DESTINATION,
	ACL_PORT,		/* class of the port whose rules are asked */
	ACL_SOURCE_PORT,
	ACL_DESTINATION_PORT,
	ACL_PROTOCOL,
	ACL_ICMP,		/* type << 8 | code; 0 for others */
	ACL_VALUES
};

enum acl_kind { ACL_NOTHING, ACL_NODE, ACL_MATCH };

#define ACL_CUTS 12

/* A value below cut[0] goes to the child cell, one below cut[1] to the cell after it, and so on. */
struct acl_node {
	__u8 kind;		/* enum acl_kind */
	__u8 value;		/* enum acl_value */
	__u16 pad;
	__u32 child;
	__u32 aside;		/* cell of what the cuts would divide: to be searched too; 0: none */
	__u32 aside_rank;	/* the best in it */
	__u32 cut[ACL_CUTS];	/* ascending; ~0: none */
};

/* A rule at a place of the tree; with the others there in order of rank, the first one in the tree's own cell. */
struct acl_match {
	__u8 kind;
	__u8 sets;		/* bits by enum acl_value, of the first three: not a range but a set */
	__u16 ethertype;	/* 0: any */
	__u32 rank;		/* the lower one decides */
	__u32 rule;		/* id, low 32 bits */
	__u32 next;		/* cell of the next one; 0: the last */
	__u32 first[3];		/* classes by enum acl_value; of a set its root in the tree: 1 is in it */
	__u32 last[3];
	struct port_range source_port;
	struct port_range destination_port;
	__u8 protocol;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 tcp_mask;
	__u8 tcp_flags;
	__u8 ct_states;		/* 0: any */
	__u8 action;
	__u8 flags;		/* enum acl_entry_flags */
	__u32 ranges;		/* cell with more than one range of ports; 0: the two above are all */
	__u32 chain;		/* slot, with ACL_INSPECT */
};

/* Unused ones are 1–0. */
struct acl_ranges {
	struct port_range source[RULE_RANGES];
	struct port_range destination[RULE_RANGES];
};

/* A search tree over words: of an address in host order, a port's slot, a class. */
struct acl_branch {
	__u32 child;		/* | the number of keys << 28; of a number of children, the first */
	__u32 key[15];		/* the least of the second child, of the third … */
};

struct acl_words {
	__u32 key[8];		/* ascending; the last that is not above the word counts */
	__u32 value[8];		/* a class, or ACL_DEEPER and the root for the next word */
};

/*
 * Cell 0 of a tree and of an index says what else is in the map, behind the cells that packets look at: for weft alone,
 * which knows by it what the map was made from. Keyed hashes; the key is the map's own, and random.
 */
struct acl_base {
	__u32 kind;		/* ACL_NOTHING */
	__u32 cells;		/* that packets look at, this one included */
	__u32 items;		/* of a tree: rules, a struct acl_known each; of an index: terms, a struct acl_named each */
	__u32 classes[3];	/* of an index: of IPv4, IPv6, ports; their sums are behind the terms, 8 in a cell */
	__u64 key[2];
	__u64 seal;		/* hash of all cells, this one with a seal of 0 */
	__u64 pad[2];
};

struct acl_named {
	__u64 key;		/* of "group:web" */
	__u64 digest;		/* of what is in it */
	__u64 pad[6];
};

/* Where what is left of an address meets one interval alone: no tree, its levels being ACL_REST. */
struct acl_rest {
	__u32 first[3];		/* the words that are left, the others 0 */
	__u32 last[3];
	__u32 before;		/* classes */
	__u32 within;
	__u32 after;
	__u32 pad[7];
};

union acl_cell {
	struct acl_rest rest;
	struct acl_base base;
	struct acl_known known;
	struct acl_named named;
	__u64 sum[8];
	struct acl_node node;
	struct acl_match match;
	struct acl_ranges ranges;
	struct acl_branch branch;
	struct acl_words words;
	__u32 word[16];
};

/* What is asked of a tenant's rules, and the answer. Ports and ethertype in host order. */
struct acl_query {
	union weft_addr source;
	union weft_addr destination;
	__u32 tenant;		/* slot */
	__u32 port;		/* slot of the port whose rules are asked */
	__u16 ethertype;
	__u16 source_port;
	__u16 destination_port;
	__u8 direction;		/* enum weft_direction */
	__u8 family;
	__u8 protocol;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 tcp_flags;
	__u8 ct_state;		/* one bit of enum acl_ct_state */

	__u8 action;		/* answer: enum acl_action */
	__u8 entry_flags;	/* answer: enum acl_entry_flags */
	__u8 found;		/* answer: a rule decided, not the default */
	__u32 rule;		/* answer: its id */
	__u32 chain;		/* answer: slot of the chain that it chose; 0: none. `action` is ACL_ALLOW then. */
};

/* ---- tenants/<tenant>/rule_hits: what the rules decided here; made by packets, deleted with the rule ---- */

struct rule_hits_key {
	__u32 rule;		/* id, low 32 bits */
	__u32 carried;		/* 1: what packets counted in the map that this one took the place of; written by weft */
};

/* Of one CPU. Packets that were judged: the first of a flow, and each that was denied or has no flow. */
struct rule_hits {
	__u64 packets;
	__u64 bytes;		/* of Ethernet frames */
};

/* ---- tenant_limits[slot]: what one tenant may make this host send or tell, a second, and at once ---- */

#define REJECTS_PER_S 1000
#define REJECTS_AT_ONCE 250
#define LOGS_PER_S 100
#define LOGS_AT_ONCE 200

/* Times (CLOCK_MONOTONIC, ns) until which what was granted has used up the rate (generic cell rate algorithm). */
struct tenant_limits {
	__u64 rejects_until;
	__u64 logs_until;
	__u64 full_until;	/* of events that a flow found no room (include/flow_event.h) */
};

/* An event of a rule with `log`, in the ring buffer `events`. */
enum event_kind { EVENT_ACL_LOG = 1 };

struct event {
	__u32 kind;		/* enum event_kind */
	__u32 tenant;		/* slot */
	__u64 time;		/* CLOCK_TAI, ns */
	__u32 rule;
	__u32 port;		/* slot */
	__u8 direction;
	__u8 action;
	__u8 family;
	__u8 protocol;
	__u16 source_port;	/* host order */
	__u16 destination_port;
	union weft_addr source;
	union weft_addr destination;
};

weft_static_assert(sizeof(struct acl_entry) == 64);
weft_static_assert(sizeof(union acl_slot) == 64);
weft_static_assert(sizeof(union acl_cell) == 64);
weft_static_assert(sizeof(struct rule) == 1340 + 4);
weft_static_assert(sizeof(struct event) == 64);

#endif

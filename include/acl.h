/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules as the operator wrote them, and the compiled form that packets meet. */
#ifndef WEFT_ACL_H
#define WEFT_ACL_H

#include "base.h"

enum acl_action { ACL_DENY = 0, ACL_ALLOW = 1, ACL_REJECT = 2 };

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

/* ---- tenants/<tenant>/acl: compiled for this host; [0] is the header, [1…] the entries in order ---- */

#define ACL_ENTRIES_MAX 4096

struct acl_header {
	__u32 entries;
	__u32 pad;
};

enum acl_entry_flags {
	ENTRY_PROTOCOL = 1 << 0,	/* protocol is matched */
	ENTRY_ICMP_TYPE = 1 << 1,
	ENTRY_ICMP_CODE = 1 << 2,
	ENTRY_LOG = 1 << 3,
	ENTRY_STATELESS = 1 << 4,
};

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
	__u32 port;		/* slot of the port it applies to, plus 1; 0: every port */
	__u32 rule;		/* id, low 32 bits */
	__u8 protocol;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 tcp_mask;
	__u8 tcp_flags;
	__u8 ct_states;		/* 0: any */
	__u8 pad[2];
};

union acl_slot {
	struct acl_header header;
	struct acl_entry entry;
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
weft_static_assert(sizeof(struct rule) == 1340 + 4);
weft_static_assert(sizeof(struct event) == 64);

#endif

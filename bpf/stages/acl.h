/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * acl: the classifier, behind one narrow interface: acl_classify(tenant, query) -> action. This one scans
 * the tenant's compiled entries in order of precedence, so its cost grows with their number.
 * reads:  struct acl_query
 * writes: struct acl_query's answer
 * maps:   acl, tenants
 * drops:  none (the caller knows the direction)
 */
#ifndef WEFT_STAGE_ACL_H
#define WEFT_STAGE_ACL_H

#include "lib/weft.h"

/* What a rule can match, and the answer. Ports and ethertype in host order. */
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
};

static __always_inline bool prefix_matches(const union weft_addr *a, const union weft_addr *prefix,
					   __u32 bits)
{
	/* 32 bits at a time; a shift by 32 is never asked for. */
	for (int i = 0; i < 4; i++) {
		__u32 difference = bpf_ntohl(a->v6[i] ^ prefix->v6[i]);

		if (bits < 32)
			return !bits || !(difference >> (32 - bits));
		if (difference)
			return false;
		bits -= 32;
	}
	return true;
}

/* Separately verified, so that the scan's verification does not multiply with it. */
__noinline int acl_entry_matches(const struct acl_entry *e, const struct acl_query *q)
{
	if (!e || !q)
		return 0;
	if (e->direction != q->direction || (e->port && e->port - 1 != q->port) ||
	    (e->ethertype && e->ethertype != q->ethertype) || (e->family && e->family != q->family))
		return 0;
	if (e->flags & ENTRY_PROTOCOL && e->protocol != q->protocol)
		return 0;
	if (q->source_port < e->source_first || q->source_port > e->source_last ||
	    q->destination_port < e->destination_first || q->destination_port > e->destination_last)
		return 0;
	if ((e->flags & ENTRY_ICMP_TYPE && e->icmp_type != q->icmp_type) ||
	    (e->flags & ENTRY_ICMP_CODE && e->icmp_code != q->icmp_code))
		return 0;
	if ((q->tcp_flags & e->tcp_mask) != e->tcp_flags || (e->ct_states && !(e->ct_states & q->ct_state)))
		return 0;
	/* A packet of no flow meets only the rules that speak of such, or that know no flows. */
	if (q->ct_state == CT_STATE_INVALID && !e->ct_states && !(e->flags & ENTRY_STATELESS))
		return 0;
	return prefix_matches(&q->source, &e->source, e->source_bits) &&
	       prefix_matches(&q->destination, &e->destination, e->destination_bits);
}

struct acl_scan {
	void *rules;		/* the inner map: held for the whole scan, so that no packet sees half a change */
	struct acl_query *query;
};

static long acl_scan_step(__u32 i, struct acl_scan *scan)
{
	__u32 key = i + 1;
	const union acl_slot *slot = bpf_map_lookup_elem(scan->rules, &key);

	if (!slot)
		return 1;
	if (!acl_entry_matches(&slot->entry, scan->query))
		return 0;
	scan->query->action = slot->entry.action;
	scan->query->entry_flags = slot->entry.flags;
	scan->query->rule = slot->entry.rule;
	scan->query->found = 1;
	return 1;
}

static __always_inline void acl_classify(struct acl_query *q, const struct tenant *t)
{
	struct acl_scan scan = { .query = q };
	const union acl_slot *header;
	__u32 tenant = q->tenant, zero = 0, entries;

	q->found = 0;
	q->rule = 0;
	q->entry_flags = 0;
	q->action = t->flags & (q->direction == FROM_WORKLOAD ? TENANT_ALLOW_OUT : TENANT_ALLOW_IN) ?
			    ACL_ALLOW : ACL_DENY;
	if (q->ct_state == CT_STATE_INVALID)
		q->action = ACL_DENY;
	scan.rules = bpf_map_lookup_elem(&acl, &tenant);
	if (!scan.rules)
		return;
	header = bpf_map_lookup_elem(scan.rules, &zero);
	if (!header)
		return;
	entries = header->header.entries;
	if (entries > ACL_ENTRIES_MAX)
		entries = ACL_ENTRIES_MAX;
	bpf_loop(entries, acl_scan_step, &scan, 0);
}

#endif

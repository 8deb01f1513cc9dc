/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * judge: does the tenant's policy let the packet's flow be? ACL out where its sender is a port of this
 * host, ACL in where its receiver is.
 * reads:  struct pkt (from, to, the tuple), the flow if it is judged again
 * writes: pkt.rule, PKT_STATELESS
 * maps:   acl, tenants, and those of account
 * drops:  acl_out acl_in rejected
 */
#ifndef WEFT_STAGE_JUDGE_H
#define WEFT_STAGE_JUDGE_H

#include "lib/flow_key.h"
#include "lib/scratch.h"
#include "stages/account.h"

/*
 * Asks the rules of one port, and says no more than that: account() is to follow. The query's tuple is in the direction
 * in which the flow began.
 */
static __always_inline enum verdict judge_port(struct pkt *p, struct acl_query *q, const struct tenant *t,
					       __u32 port, enum weft_direction direction)
{
	q->port = port;
	q->direction = direction;
	acl_classify(q, t);
	p->rule = q->rule;
	if (q->entry_flags & ENTRY_STATELESS)
		p->flags |= PKT_STATELESS;
	/* What belongs to no flow passes only by a rule that says so, and then alone. */
	if (q->ct_state == CT_STATE_INVALID)
		p->flags |= PKT_STATELESS;
	if (q->action == ACL_ALLOW || t->flags & TENANT_MONITOR)
		return V_NEXT;
	if (q->action == ACL_REJECT) {
		p->reason = DROP_REJECTED;
		return V_REJECT;
	}
	if (q->ct_state == CT_STATE_INVALID && !q->found)
		return drop(p, DROP_CT_INVALID);
	return drop(p, direction == FROM_WORKLOAD ? DROP_ACL_OUT : DROP_ACL_IN);
}

static __always_inline struct answer answer_of(const struct acl_query *q)
{
	return (struct answer){ q->rule, q->chain, q->action, q->entry_flags, q->found };
}

static __always_inline void set_answer(struct acl_query *q, __u32 port, enum weft_direction direction,
				       const struct answer *a)
{
	q->port = port;
	q->direction = direction;
	q->rule = a->rule;
	q->action = a->action;
	q->entry_flags = a->entry_flags;
	q->found = a->found;
}

/* The question that the packet, or the packet that an ICMP error quotes, puts to the rules. */
static __always_inline void query_from(struct acl_query *q, const struct pkt *p)
{
	q->tenant = p->tenant;
	q->ethertype = p->ethertype;
	q->family = p->family;
	q->protocol = p->flow_protocol;
	q->icmp_type = p->icmp_type;
	q->icmp_code = p->icmp_code;
	q->tcp_flags = p->tcp_flags;
	q->ct_state = CT_STATE_NEW;
	q->source = p->source;
	q->destination = p->destination;
	/* The id of an ICMP query is no port. */
	if (p->flow_protocol != IPPROTO_ICMP && p->flow_protocol != IPPROTO_ICMPV6) {
		q->source_port = bpf_ntohs(p->source_port);
		q->destination_port = bpf_ntohs(p->destination_port);
	}
}

/*
 * A flow that is judged again: the question is whether its *first* packet would be let through, whichever
 * direction this one has.
 */
static __always_inline void query_again(struct acl_query *q, const struct pkt *p, const struct flow *f,
					bool original)
{
	__u16 port = q->source_port;

	q->tcp_flags = q->icmp_type = f->first;
	q->icmp_code = f->first_code;
	if (original)
		return;
	q->source = p->destination;
	q->destination = p->source;
	q->source_port = q->destination_port;
	q->destination_port = port;
}

#endif

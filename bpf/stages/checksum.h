/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * checksum: a workload says itself where its unfinished checksum goes, and a NIC or the kernel writes it there after
 * all else has been judged. So it may go to the packet's own L4 checksum, or to what nobody here reads. TC alone.
 * reads:  struct pkt, what the kernel keeps beside the data
 * writes: nothing
 * maps:   none
 * drops:  bad_checksum
 */
#ifndef WEFT_STAGE_CHECKSUM_H
#define WEFT_STAGE_CHECKSUM_H

#include "lib/unfinished.h"

#if !WEFT_XDP
/*
 * The end of what was judged: behind it is payload, a workload's own tunnel for instance, whose inner checksum may be
 * unfinished. What an ICMP error quotes was judged to its end, and so were the chunks of SCTP.
 */
static __always_inline __s32 judged_end(const struct pkt *p)
{
	if (p->flags & PKT_ICMP_ERROR || (p->family && p->protocol == IPPROTO_SCTP))
		return p->l2 + p->len;
	return p->family ? p->l4 + p->l4_len : p->l3;
}

__noinline int unfinished_in_place(ctx_t *ctx, struct pkt *p)
{
	struct unfinished u;

	if (!p)
		return V_DROP;
	if (!find_unfinished(ctx, &u))
		return V_NEXT;
	/* The sum of one fragment would be nobody's; whoever cuts a packet finishes its checksum before. */
	if (p->fragment)
		return drop(p, DROP_BAD_CHECKSUM);
	if (u.start >= judged_end(p))
		return V_NEXT;
	return is_in_place(&u, p) ? V_NEXT : drop(p, DROP_BAD_CHECKSUM);
}
#endif

static __always_inline enum verdict checksum(ctx_t *ctx, struct pkt *p)
{
#if WEFT_XDP
	return V_NEXT;
#else
	return unfinished_in_place(ctx, p);
#endif
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Room that the 512 bytes of stack do not give: the packet at work, a new flow on its way into a table, a frame on its
 * way into `early` or out of it, a question to the rules, its answer, the search for one, a segment of the SYN proxy, the search
 * for an instance, a header, copies of a broadcast, and what was looked up a moment ago.
 * One a CPU is enough: a hook runs to its end before another begins on that CPU (the guard, which copies
 * sent by a hook may meet while that hook still runs, uses none of it).
 */
#ifndef WEFT_BPF_SCRATCH_H
#define WEFT_BPF_SCRATCH_H

#include "lib/nsh.h"

/* What the rules answered. */
struct answer {
	__u32 rule, chain;
	__u8 action, entry_flags, found;
};

/* A search through a tenant's rules (stages/acl.h). */
struct acl_walk {
	__u32 value[8];			/* by enum acl_value */
	__u32 words[4];			/* of what the index is asked for */
	__u32 word;			/* which of them is looked at */
	__u32 index_at;			/* a root; in the end, what was found */
	__u32 waiting[ACL_ASIDE_MAX];	/* cells that are to be searched yet */
	__u32 waiting_rank[ACL_ASIDE_MAX];
	__u32 n;			/* how many */
	__u32 at;			/* the cell to look at */
	__u32 best;			/* rank of the rule that decides so far */
};

#define SEGMENT_OPTIONS 3	/* words of options that are ours; up to the header's end no-operation options follow */

/* A TCP segment that is written anew (stages/segment.h). */
struct segment {
	__be16 source, destination;
	__be32 seq, ack;
	__u8 offset, flags;
	__be16 window, checksum, urgent;
	__be32 option[SEGMENT_OPTIONS];
};

/* See recent.h. Powers of two. */
#define RECENT_PORTS 32
#define RECENT_SENDERS 32

struct recent_port {
	__u64 jiffies;			/* when `ports` said so */
	struct port_binding binding;
};

struct recent_sender {
	__u64 jiffies;			/* when `vteps` and `networks` said so */
	__u32 address;
	__u32 vni;
	__u32 from;			/* as in struct pkt */
	__u32 tenant;
	__u32 zone;
	__u32 pad;
};

struct recent {
	struct recent_port port[RECENT_PORTS];
	struct recent_sender sender[RECENT_SENDERS];
};

/* A search for the instance that a flow goes to (stages/steer.h). */
struct steering {
	struct sf_flow_key key;
	struct sf_flow given;
	__u64 least;			/* rank of the best so far */
	__u32 best;			/* its place */
	__u32 mask;			/* of places to look at */
	__u32 answers, doubted, tries;	/* alive_instances() */
	__u32 usable;			/* usable_instances() */
};

#define FLOOD_CHAINS 4		/* chains that one flooded frame passes on one host */

/* A frame on its way to everybody (stages/flood.h). */
struct flooding {
	__u32 chains[FLOOD_CHAINS];	/* have been asked already */
	__u32 round;		/* a bit for each of these that had no function to take it: each port gets its own */
	__u32 away;		/* a bit for each whose function is on another host, which gets its copy in the end */
	__u8 step[FLOOD_CHAINS];	/* of these */
	__u8 instance[FLOOD_CHAINS];
	__u32 encapsulated;	/* bytes before the frame */
};

#define COPY_WORDS 10

/* The beginning of a broadcast, by which it is known again (stages/copies.h). */
struct copying {
	__u64 words[COPY_WORDS];
	struct nsh_copy_key key;
	struct nsh_copy copy;
};

struct scratch {
	struct pkt pkt;
	struct recent recent;
	struct flow flow;
	struct early_frame early;
	struct acl_query query;	/* of a packet that is admitted, or of a copy of one for everybody */
	struct answer out;	/* of the sender's port, while the receiver's is asked */
	__u32 chosen[2];	/* chains that the rules chose: for the end that began the flow, and for the other */
	struct acl_walk acl;
	struct segment segment;
	struct steering steering;
	struct nsh nsh;			/* of a frame that goes to another host because of a function, */
	__u32 away;			/* and that host's slot */
	struct flooding flooding;
	struct copying copying;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline struct scratch *scratch_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* A fresh struct pkt. Never NULL, but the verifier cannot know. */
static __always_inline struct pkt *pkt_new(void)
{
	struct scratch *s = scratch_here();

	if (!s)
		return NULL;
	__builtin_memset(&s->pkt, 0, sizeof(s->pkt));
	return &s->pkt;
}

#endif

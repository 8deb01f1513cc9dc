/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse_sctp: the common header, and which chunks are in the packet (RFC 9260, 3). Of an INIT or INIT ACK also the tag that it
 * gives. What is behind the 128th chunk is not looked at: those that matter stand in front of DATA.
 * reads:  the packet, pkt.l4, pkt.fragment
 * writes: ports, pkt.sctp_*, pkt.l4_len
 * maps:   none
 * drops:  bad_l4 fragment_tiny
 */
#ifndef WEFT_STAGE_PARSE_SCTP_H
#define WEFT_STAGE_PARSE_SCTP_H

#include "lib/weft.h"

#define SCTP_HEADER 12
#define SCTP_CHUNKS_MAX 128
#define SCTP_INIT_LEAST 20	/* bytes of an INIT or INIT ACK without parameters */
#define SCTP_REFLECTED 1	/* flag T */
#define SCTP_AUTH 15		/* may stand before any other (RFC 4895) */

struct sctp_header {
	__be16 source, destination;
	__u32 tag;
	__u32 checksum;
};

struct sctp_chunk {
	__u8 type, flags;
	__be16 length;
};

struct chunk_walk {
	ctx_t *ctx;
	struct pkt *p;
	__u32 offset, end;
	__u16 count;		/* of chunks, AUTH left out */
	__u8 reason;		/* enum drop_reason */
};

static __always_inline long chunk_bad(struct chunk_walk *w, enum drop_reason reason)
{
	w->reason = reason;
	return 1;
}

/* The tag, without which an INIT says nothing: a first fragment must have it too. */
static __always_inline bool init_tag(struct chunk_walk *w, __u32 length)
{
	struct pkt *p = w->p;
	__u32 tag = 0;

	if (length < SCTP_INIT_LEAST)
		return false;
	if (w->offset + sizeof(struct sctp_chunk) + sizeof(tag) > w->end) {
		w->reason = DROP_FRAGMENT_TINY;
		return false;
	}
	if (ctx_load(w->ctx, w->offset + sizeof(struct sctp_chunk), &tag, sizeof(tag)))
		return false;
	p->sctp_init_tag = tag;
	/* RFC 9260, 3.3.2: such a one is not even answered. */
	return tag;
}

static long chunk_step(__u32 i, struct chunk_walk *w)
{
	struct sctp_chunk chunk = {};
	struct pkt *p = w->p;
	__u32 length, bit;

	/* Less than a header is padding. */
	if (w->offset + sizeof(chunk) > w->end)
		return 1;
	if (ctx_load(w->ctx, w->offset, &chunk, sizeof(chunk)))
		return chunk_bad(w, DROP_BAD_L4);
	length = bpf_ntohs(chunk.length);
	if (length < sizeof(chunk) || (w->offset + length > w->end && !p->fragment))
		return chunk_bad(w, DROP_BAD_L4);
	bit = chunk.type < 16 ? 1U << (chunk.type & 15) : 0;
	if (bit & (SCTP_CHUNK(INIT) | SCTP_CHUNK(INIT_ACK))) {
		w->reason = DROP_BAD_L4;
		if (!init_tag(w, length))
			return 1;
		w->reason = DROP_NONE;
	}
	if (bit & (SCTP_CHUNK(COOKIE_ECHO) | SCTP_CHUNK(COOKIE_ACK)) && w->count)
		return chunk_bad(w, DROP_BAD_L4);
	if (bit & (SCTP_CHUNK(ABORT) | SCTP_CHUNK(SHUTDOWN_COMPLETE)) && chunk.flags & SCTP_REFLECTED)
		p->sctp_reflected = 1;
	p->sctp_chunks |= bit;
	w->count += chunk.type != SCTP_AUTH;
	w->offset += (length + 3) & ~3U;
	return 0;
}

/* Of those that stand alone, and of a tag of 0, which an INIT has and nothing else (8.5). */
static __always_inline bool chunks_can_be(const struct pkt *p, __u32 count)
{
	const __u16 alone = SCTP_CHUNK(INIT) | SCTP_CHUNK(INIT_ACK) | SCTP_CHUNK(SHUTDOWN_COMPLETE);

	if (!count || (p->sctp_chunks & alone && count != 1))
		return false;
	return !p->sctp_tag == !!(p->sctp_chunks & SCTP_CHUNK(INIT));
}

/* Verified once for all that parse. */
__noinline int parse_sctp(ctx_t *ctx, struct pkt *p, __u32 len)
{
	struct sctp_header header;
	struct chunk_walk w = {};
	__u32 l4;

	if (!p)
		return V_DROP;
	l4 = p->l4;
	if (len < SCTP_HEADER || ctx_load(ctx, l4, &header, sizeof(header)))
		return drop(p, DROP_BAD_L4);
	p->source_port = header.source;
	p->destination_port = header.destination;
	p->sctp_tag = header.tag;
	p->l4_len = SCTP_HEADER;
	if (p->fragment && len < SCTP_HEADER + sizeof(struct sctp_chunk))
		return drop(p, DROP_FRAGMENT_TINY);
	w.ctx = ctx;
	w.p = p;
	w.offset = l4 + SCTP_HEADER;
	w.end = l4 + len;
	bpf_loop(SCTP_CHUNKS_MAX, chunk_step, &w, 0);
	if (w.reason)
		return drop(p, w.reason);
	return chunks_can_be(p, w.count) ? V_NEXT : drop(p, DROP_BAD_L4);
}

#endif

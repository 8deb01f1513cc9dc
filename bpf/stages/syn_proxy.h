/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * syn_proxy: the frames of the SYN proxy: the cookie for a client, the SYN for the workload when the cookie is back, what
 * both get when the workload has answered, and from then on the numbers of one in place of the other's. docs/CONNTRACK.md
 * tells the whole way.
 * reads:  struct pkt, the flow, its record
 * writes: the frame; the record; at the workload's answer the flow's state
 * maps:   proxied networks tenant_stats, and those of output, flood and answer
 * drops:  syn_cookie syn_proxy
 */
#ifndef WEFT_STAGE_SYN_PROXY_H
#define WEFT_STAGE_SYN_PROXY_H

#include "stages/flood.h"
#include "stages/proxied.h"
#include "stages/segment.h"

#define MTU_OF_NETWORK 1450	/* if it is not told: the schema's default */
#define SYN_LEN (20 + 4 * SEGMENT_OPTIONS)

/* ---- a SYN is answered with a cookie ---- */

/* What the workload would offer, as far as we know it. */
static __always_inline __u32 mss_of(const struct pkt *p)
{
	const struct network *network = network_of(p->vni);
	__u32 mtu = network && network->mtu ? network->mtu : MTU_OF_NETWORK;

	return mtu - ip_header_len(p) - 20;
}

/* Options that the client has offered too, so there is room for them in its header. */
static __always_inline void cookie_answer(struct segment *s, const struct pkt *p)
{
	__u32 mss = mss_of(p), n = 1;

	s->option[0] = TCP_OPTION(TCP_OPTION_MSS, 4, mss >> 8 & 0xff, mss & 0xff);
	if (p->tcp_scale != FLOW_TCP_UNSCALED)
		s->option[n++] = TCP_OPTION(TCP_OPTION_NOP, TCP_OPTION_SCALE, 3, SYN_PROXY_SCALE);
	if (p->tcp_sack)
		s->option[n] = TCP_OPTION(TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_SACK_PERMITTED, 2);
}

/*
 * No options that do not fit: the cookie remembers what is offered, so nothing else is. The window is closed: what the client
 * would send before the workload has answered would be lost.
 */
__noinline int syn_cookie(ctx_t *ctx, struct pkt *p)
{
	struct tenant_traffic *stats;
	__u32 options, cookie, room;
	struct segment *s;

	if (!p)
		return V_DROP;
	if (unwrap(ctx, p) || !is_plain_ip(p))
		return drop(p, DROP_SYN_COOKIE);
	room = p->l4_len < 20 ? 0 : p->l4_len - 20;
	if (room < 12 && p->tcp_scale != FLOW_TCP_UNSCALED && p->tcp_sack)
		p->tcp_sack = 0;
	if (room < 8) {
		p->tcp_scale = FLOW_TCP_UNSCALED;
		p->tcp_sack = 0;
	}
	options = cookie_options(p);
	cookie = cookie_make(p, p->tcp_seq, options, cookie_tick(bpf_ktime_get_ns()));
	s = segment_begin(p, TCP_SYN | TCP_ACK, cookie, p->tcp_seq + 1, 0);
	if (!s)
		return drop(p, DROP_INTERNAL);
	cookie_answer(s, p);
	if (segment_write(ctx, p, p->payload))
		return drop(p, DROP_SYN_COOKIE);
	stats = tenant_counters(p->tenant);
	if (stats)
		stats->syn_cookies_sent++;
	return answer_sender(ctx, p);
}

/* ---- the numbers of one end in place of the other's ---- */

struct sack_walk {
	ctx_t *ctx;
	struct pkt *p;
	__u32 offset, end;	/* in the TCP header */
	__s32 error;
};

static __always_inline __u32 header_byte(const struct sack_walk *w, __u32 i)
{
	__u8 byte = TCP_OPTION_END;

	if (w->offset + i >= w->end || ctx_load(w->ctx, w->p->l4 + w->offset + i, &byte, 1))
		return TCP_OPTION_END;
	return byte;
}

/* One option; of SACK (RFC 2018) every edge is a number of the workload's. */
static long sack_step(__u32 unused, struct sack_walk *w)
{
	__u32 kind = header_byte(w, 0), len;
	__be32 edge;

	if (kind == TCP_OPTION_END)
		return 1;
	if (kind == TCP_OPTION_NOP) {
		w->offset++;
		return 0;
	}
	len = header_byte(w, 1);
	if (len < 2 || w->offset + len > w->end)
		return 1;
	for (__u32 i = 2; kind == TCP_OPTION_SACK && i < 34 && i + 4 <= len; i += 4) {
		if (ctx_load(w->ctx, w->p->l4 + w->offset + i, &edge, 4) ||
		    op_patch(w->ctx, w->p->l4, 16, w->offset + i,
			     bpf_htonl(bpf_ntohl(edge) + w->p->proxy_delta))) {
			w->error = -1;
			return 1;
		}
	}
	w->offset += len;
	return 0;
}

static __noinline int patch_sack(ctx_t *ctx, struct pkt *p)
{
	struct sack_walk w = { .ctx = ctx, .p = p, .offset = 20, .end = p->l4_len };

	if (w.end > 60)
		return -1;
	bpf_loop(TCP_OPTIONS_MAX, sack_step, &w, 0);
	return w.error;
}

static __always_inline int patch_window(ctx_t *ctx, const struct pkt *p)
{
	__be32 word;

	if (ctx_load(ctx, p->l4 + 12, &word, 4))
		return -1;
	if (word >> 16 == bpf_htons(p->proxy_window))
		return 0;
	return op_patch(ctx, p->l4, 16, 12, (word & 0xffff) | (__u32)bpf_htons(p->proxy_window) << 16);
}

/* A segment to the workload: what it acknowledges. Of an ICMP error what the workload's segment, which it quotes, began with. */
static __always_inline int patch_towards(ctx_t *ctx, struct pkt *p)
{
	__u8 first;

	if (p->flags & PKT_ICMP_ERROR) {
		if (ctx_load(ctx, p->l4 + 8, &first, 1))
			return -1;
		/* The quoted IP header, the ports, the number. */
		return op_patch(ctx, p->l4, 2, 8 + (p->family == FAMILY_IPV4 ? (first & 0xf) * 4 : 40) + 4,
				bpf_htonl(p->tcp_seq));
	}
	if (p->tcp_flags & TCP_ACK && op_patch(ctx, p->l4, 16, 8, bpf_htonl(p->tcp_ack)))
		return -1;
	if (p->l4_len > 20 && patch_sack(ctx, p))
		return -1;
	return patch_window(ctx, p);
}

static __always_inline int patch_back(ctx_t *ctx, struct pkt *p)
{
	if (op_patch(ctx, p->l4, 16, 4, bpf_htonl(p->tcp_seq - p->proxy_delta)))
		return -1;
	return patch_window(ctx, p);
}

/* An end that closes or resets: the record is needed no longer than the flow. */
static __always_inline void record_closes(const struct pkt *p)
{
	const struct tenant *t = tenant_at(p->tenant);
	struct proxied *r;

	if (!(p->tcp_flags & (TCP_FIN | TCP_RST)) || p->tcp_fit || p->flags & PKT_ICMP_ERROR || !t)
		return;
	r = proxied_find(p, t);
	if (r)
		r->timeout = p->tcp_flags & TCP_RST ? CT_TCP_CLOSED : CT_TCP_FIN;
}

#if !WEFT_XDP

/* ---- the cookie is back: the workload gets the client's SYN ---- */

/*
 * Room for the SYN's options, more than the ACK had. Where only op_resize makes room, a checksum that is yet to be finished
 * would be finished 12 bytes behind its place. The workload itself, on this machine, does not look at it; who has a function
 * before it gets a SYN without options.
 */
static __always_inline bool takes_options(ctx_t *ctx, const struct pkt *p)
{
	const struct port *port = port_at(FLOW_TARGET_INDEX(p->to));
	struct unfinished u;

	return !op_cut(ctx, ETH_HLEN + ip_header_len(p) + SYN_LEN) || !port ||
	       !(port->chain | p->chosen[TO_WORKLOAD]) || !find_unfinished(ctx, &u);
}

static __noinline int open_workload(ctx_t *ctx, struct pkt *p)
{
	__u32 options = COOKIE_OPTIONS(p->proxy_cookie), mss = cookie_mss(p, COOKIE_MSS(options));
	struct segment *s;
	int error;

	if (unwrap(ctx, p) || !is_plain_ip(p))
		return -1;
	p->l4_len = SYN_LEN;
	if (!takes_options(ctx, p)) {
		p->l4_len = 20;
		p->tcp_scale = FLOW_TCP_UNSCALED;
	}
	exchange_ends(p);
	s = segment_begin(p, TCP_SYN, p->tcp_seq, 0, p->tcp_window);
	if (!s)
		return -1;
	s->option[0] = TCP_OPTION(TCP_OPTION_MSS, 4, mss >> 8, mss & 0xff);
	if (p->tcp_scale != FLOW_TCP_UNSCALED)
		s->option[1] = TCP_OPTION(TCP_OPTION_NOP, TCP_OPTION_SCALE, 3, p->tcp_scale);
	if (COOKIE_SACK(options))
		s->option[2] = TCP_OPTION(TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_SACK_PERMITTED, 2);
	error = segment_write(ctx, p, true);
	exchange_ends(p);
	return error;
}

/* ---- the workload has answered: it gets the client's ACK, and the client its window ---- */

/* As if the ACK had come from the client. */
static __always_inline void client_acks(struct pkt *p, struct flow *f, __u32 seq, __u32 ack, __u16 window)
{
	p->dir ^= 1;
	p->tcp_flags = TCP_ACK;
	p->tcp_seq = seq;
	p->tcp_ack = ack;
	p->tcp_window = window;
	tcp_advance_slowly(p, f);
	p->dir ^= 1;
}

/* Off with the headers of a copy that went to another host: of what is IP no more stays than the kernel's mark. */
static __always_inline enum verdict undo_away(ctx_t *ctx, struct pkt *p, enum verdict v)
{
	p->l2 = AWAY_LEN;
	if (op_decap(ctx, p))
		return drop(p, DROP_SYN_PROXY);
	p->l2 = 0;
	return v;
}

/*
 * On the workload's wire, through the functions that are in it: of the chain that its rule chose, or else of the one that
 * stands there. V_SENT: one has it, or will. V_NEXT: it has gone to the workload. The frame is as before after it.
 */
__noinline int copy_to_workload(ctx_t *ctx, struct pkt *p, __u32 chosen)
{
	struct flooding *state = new_flooding();
	const struct port *port;
	enum verdict v = V_NEXT;
	__u32 chain;

	if (!p || !state)
		return V_DROP;
	port = port_at(FLOW_TARGET_INDEX(p->from));
	if (!port)
		return drop(p, DROP_INTERNAL);
	chain = chain_on_wire(p, port, TO_WORKLOAD);
	for (int i = 0; i < 2 && !v; i++) {
		state->chains[0] = i ? chain : chosen;
		if (state->chains[0])
			v = flood_to_step(ctx, p, state, state->chains[0], 0);
	}
	if (!v)
		return copy_to_port(ctx, port) ? drop(p, DROP_SYN_PROXY) : V_NEXT;
	if (v == V_SENT && state->away)
		v = flood_away(ctx, p, state, 0) ? V_DROP : V_SENT;
	return state->encapsulated ? undo_away(ctx, p, v) : v;
}

/*
 * And becomes the ACK that tells the client the window. Apart, since the functions' choice needs much of the stack.
 * `arrived`: the workload has the client's ACK; what goes through a function counts when it comes back.
 */
static __noinline int tell_client(ctx_t *ctx, struct pkt *p, struct flow *f, bool arrived)
{
	const struct tenant *t = tenant_at(p->tenant);
	const struct proxied *r = t ? proxied_find(p, t) : NULL;
	__u32 seq = p->tcp_seq, ack = p->tcp_ack;
	__u16 window = p->tcp_window;
	struct scales scales;

	if (!r)
		return drop(p, DROP_SYN_PROXY);
	scales = scales_of(r);
	if (arrived)
		client_acks(p, f, ack, seq + 1, *flow_window(f, p->dir ^ 1));
	exchange_ends(p);
	if (!segment_begin(p, TCP_ACK, r->cookie + 1, ack, rescaled(window, 0, scales.workload_read)) ||
	    segment_write(ctx, p, false))
		return drop(p, DROP_SYN_PROXY);
	exchange_ends(p);
	ctx->mark = 0;
	p->tcp_flags = TCP_ACK;
	p->tcp_seq = seq + 1;
	p->tcp_ack = ack;
	p->tcp_window = rescaled(window, 0, scales.workload);
	return V_NEXT;
}

/* What the answer leads to is three functions, one after the other, and not within each other: the stack is short. */
static __noinline int answer_workload(ctx_t *ctx, struct pkt *p, struct flow *f)
{
	const struct port *port = port_at(FLOW_TARGET_INDEX(p->from));
	const struct tenant *t = tenant_at(p->tenant);
	struct proxied *r = t ? proxied_find(p, t) : NULL;

	if (!r || !port || FLOW_TARGET_KIND(p->from) != TARGET_PORT || !port->ifindex || unwrap(ctx, p) ||
	    !is_plain_ip(p))
		return drop(p, DROP_SYN_PROXY);
	r->delta = p->tcp_seq - r->cookie;
	r->scale = p->tcp_scale;
	r->timeout = CT_TCP_ESTABLISHED;
	barrier();
	r->ready = 1;
	tcp_advance_slowly(p, f);
	if (!segment_begin(p, TCP_ACK, p->tcp_ack, p->tcp_seq + 1, *flow_window(f, p->dir ^ 1)) ||
	    segment_write(ctx, p, p->payload))
		return drop(p, DROP_SYN_PROXY);
	p->payload = 0;
	return V_NEXT;
}

static __always_inline enum verdict workload_answered(ctx_t *ctx, struct pkt *p, struct flow *f)
{
	enum verdict v = answer_workload(ctx, p, f);

	if (v)
		return v;
	v = copy_to_workload(ctx, p, chosen_by_sender(p, f));
	return v == V_DROP ? V_DROP : tell_client(ctx, p, f, !v);
}

#endif

static __always_inline int proxy_frame(ctx_t *ctx, struct pkt *p)
{
	if (!WEFT_XDP && p->fragment == FRAGMENT_LATER)
		return 0;
	if (p->proxy == PROXY_TOWARDS)
		return patch_towards(ctx, p);
	if (p->proxy == PROXY_BACK)
		return patch_back(ctx, p);
#if !WEFT_XDP
	/* A RST to a client that believes in a connection must have the number that it waits for (RFC 5961, 3.2). */
	if (p->proxy == PROXY_REFUSED)
		return op_patch(ctx, p->l4, 16, 4, bpf_htonl(p->proxy_cookie + 1));
	if (p->proxy == PROXY_OPENS)
		return open_workload(ctx, p);
#endif
	return -1;
}

/* May the receiver's functions be on other hosts? What XDP has rewritten it cannot pass up to TC any more. */
static __always_inline bool may_go_away(const struct pkt *p)
{
	const struct chain *chosen = p->chosen[TO_WORKLOAD] ? chain_at(p->chosen[TO_WORKLOAD]) : NULL;

	return wire_goes_away(p->to) || (chosen && chosen->flags & CHAIN_AWAY);
}

/* Of a packet that may pass, before it goes on. */
__noinline int syn_proxy(ctx_t *ctx, struct pkt *p, struct flow *f)
{
	if (!p)
		return V_DROP;
	/* A stateless rule lets the SYN pass, which was made into a cookie when another did. */
	if (!f)
		return drop(p, DROP_SYN_PROXY);
#if !WEFT_XDP
	if (p->proxy == PROXY_ANSWERED)
		return workload_answered(ctx, p, f);
#else
	if (may_go_away(p))
		return V_UP;
#endif
	if (proxy_frame(ctx, p))
		return drop(p, DROP_SYN_PROXY);
	record_closes(p);
	return V_NEXT;
}

#endif

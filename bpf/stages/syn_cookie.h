/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * syn_cookie: is the tenant's half-open table under pressure, so that a SYN gets a cookie instead of a flow, and does an ACK
 * without a flow bring one back (RFC 4987, 3.6)? What is sent is in syn_proxy.h.
 * reads:  struct pkt
 * writes: the packet's numbers, if it does: from then on it is the client's SYN; syn_pressure
 * maps:   syn_pressure tenants host half4 half6 port_slots
 * drops:  none
 */
#ifndef WEFT_STAGE_SYN_COOKIE_H
#define WEFT_STAGE_SYN_COOKIE_H

#include "lib/flow_table.h"
#include "lib/limit.h"
#include "lib/siphash.h"

static const __u16 cookie_mss4[] = COOKIE_MSS4;
static const __u16 cookie_mss6[] = COOKIE_MSS6;

static __always_inline bool has_syn_proxy(const struct tenant *t)
{
	return t->flags & (TENANT_SYN_AUTO | TENANT_SYN_ALWAYS);
}

static __always_inline bool is_syn(const struct pkt *p)
{
	return p->protocol == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/*
 * The proxy stands before workloads of this host. Not where the client has a chain on its own wire here: its function would
 * be shown an answer to what it has not seen go anywhere.
 */
static __always_inline bool may_be_proxied(const struct pkt *p)
{
	const struct port *sender = NULL;

	if (FLOW_TARGET_KIND(p->to) != TARGET_PORT || p->flags & PKT_NO_CREATE)
		return false;
	if (FLOW_TARGET_KIND(p->from) == TARGET_PORT)
		sender = port_at(FLOW_TARGET_INDEX(p->from));
	return !sender || !sender->chain;
}

/* ---- pressure ---- */

static __always_inline struct syn_pressure *pressure_of(const struct pkt *p)
{
	__u32 tenant = p->tenant;

	return bpf_map_lookup_elem(&syn_pressure, &tenant);
}

/* How many handshakes the tenant's table holds. */
static __always_inline __u32 half_open_places(const struct pkt *p)
{
	const struct bpf_map *table = half_table(p);

	return table ? table->max_entries : 0;
}

/*
 * A SYN that the rules allow, and that would begin a flow. What is refused a token, or comes while there is pressure, writes
 * nothing that other CPUs read.
 */
__noinline int wants_cookie(struct pkt *p)
{
	struct syn_pressure *s;
	const struct tenant *t;
	__u64 now;
	__u32 places;

	if (!p)
		return false;
	t = tenant_at(p->tenant);
	s = pressure_of(p);
	if (!t || !s || !has_syn_proxy(t) || !is_syn(p) || p->proxy || !may_be_proxied(p))
		return false;
	if (t->flags & TENANT_SYN_ALWAYS)
		return true;
	now = bpf_ktime_get_ns();
	if (*(volatile __u64 *)&s->pressed_until > now)
		return true;
	places = half_open_places(p);
	if (places < 8 || grant(&s->until, SYN_TOKENS_PER_S(places), SYN_TOKENS(places)))
		return false;
	s->pressed_until = now + SYN_PRESSURE_NS;
	return true;
}

/* A handshake that had a token is done. */
static __always_inline void handshake_relieves(const struct pkt *p, const struct tenant *t)
{
	struct syn_pressure *s = t->flags & TENANT_SYN_AUTO ? pressure_of(p) : NULL;
	__u32 places = s ? half_open_places(p) : 0;

	if (s && places >= 8)
		grant_back(&s->until, SYN_TOKENS_PER_S(places));
}

/* ---- cookies ---- */

static __always_inline __u32 cookie_tick(__u64 now)
{
	return now >> COOKIE_TICK_NS_SHIFT & 0xffffff;
}

/*
 * Ours, and not the kernel's (bpf_tcp_raw_gen_syncookie_*): that knows addresses and ports alone, so that a cookie of one
 * tenant would do in another with the same addresses; and keeps window scale and SACK only where both ends have timestamps.
 */
__noinline int cookie_make(const struct pkt *p, __u32 isn, __u32 options, __u32 tick)
{
	const struct host_config *us = this_host();
	const struct tenant *t;
	struct sip s;

	if (!p)
		return 0;
	t = tenant_at(p->tenant);
	if (!t || !us)
		return 0;
	sip_begin(&s, t->seed, (__u64)us->mark << 32 | (__u32)t->id);
	for (int i = 0; i < 5; i++)
		sip_word(&s, p->key_words[i]);
	sip_word(&s, isn | (__u64)(options | (p->dir & 1) << 7 | tick << 8) << 32);
	return tick << COOKIE_TICK_BIT | options << COOKIE_OPTIONS_BIT | (sip_end(&s, 48) & COOKIE_MAC_MASK);
}

static __always_inline __u32 cookie_mss(const struct pkt *p, __u32 i)
{
	return p->family == FAMILY_IPV4 ? cookie_mss4[i & 3] : cookie_mss6[i & 3];
}

/* The options of a SYN. */
static __always_inline __u32 cookie_options(const struct pkt *p)
{
	__u32 mss = 0;

	for (__u32 i = 1; i < 4; i++)
		if (p->tcp_mss >= cookie_mss(p, i))
			mss = i;
	return COOKIE_OPTIONS_OF(p->tcp_scale, p->tcp_sack & 1, mss);
}

/* Made in this tick or the one before. */
static __always_inline bool cookie_is_ours(const struct pkt *p, __u32 cookie, __u32 isn, __u64 now)
{
	__u32 tick = cookie_tick(now);

	if ((tick & 3) != COOKIE_TICK(cookie))
		tick = cookie_tick(now - (1ULL << COOKIE_TICK_NS_SHIFT));
	if ((tick & 3) != COOKIE_TICK(cookie))
		return false;
	return cookie == (__u32)cookie_make(p, isn, COOKIE_OPTIONS(cookie), tick);
}

/* The packet becomes the client's SYN, as far as `pkt` tells; the frame follows in syn_proxy.h. */
static __always_inline void become_syn(struct pkt *p, __u32 isn, __u32 cookie)
{
	__u32 scale = COOKIE_SCALE(COOKIE_OPTIONS(cookie));
	__u32 window = (__u32)p->tcp_window << (scale == FLOW_TCP_UNSCALED ? 0 : scale);

	p->tcp_flags = TCP_SYN;
	p->tcp_seq = isn;
	p->tcp_ack = 0;
	p->payload = 0;
	p->tcp_scale = scale;
	p->tcp_window = window > 0xffff ? 0xffff : window;
	p->proxy = PROXY_OPENS;
	p->proxy_cookie = cookie;
}

/* Has the tenant given cookies that may still come back? */
static __always_inline bool gives_cookies(const struct pkt *p, const struct tenant *t, __u64 now)
{
	const struct syn_pressure *s = pressure_of(p);

	return t->flags & TENANT_SYN_ALWAYS ||
	       (s && s->pressed_until && now < s->pressed_until + COOKIE_LIFE_NS);
}

/*
 * A segment without a flow: does it open a connection? The ACK's number is the client's first one and one more; if that ACK was
 * lost, and the client has data, it tries our closed window with the number before that.
 */
__noinline int cookie_opens(struct pkt *p)
{
	const struct tenant *t;
	__u32 cookie, isn;
	__u64 now;

	if (!p)
		return false;
	t = tenant_at(p->tenant);
	if (!t || !has_syn_proxy(t) || p->protocol != IPPROTO_TCP || p->fragment || !may_be_proxied(p) ||
	    (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_ACK)
		return false;
	now = bpf_ktime_get_ns();
	if (!gives_cookies(p, t, now))
		return false;
	cookie = p->tcp_ack - 1;
	isn = p->tcp_seq - 1;
	if (!cookie_is_ours(p, cookie, isn, now)) {
		isn = p->tcp_seq;
		if (p->payload > 1 || !cookie_is_ours(p, cookie, isn, now)) {
			p->proxy = PROXY_FORGED;
			return false;
		}
	}
	become_syn(p, isn, cookie);
	return true;
}

#endif

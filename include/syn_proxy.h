/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The SYN proxy of a tenant (`conntrack.syn_proxy`): when it is on a SYN is answered with a cookie and leaves nothing
 * behind; the connection begins with the ACK that brings the cookie back. docs/CONNTRACK.md tells the whole of it.
 */
#ifndef WEFT_SYN_PROXY_H
#define WEFT_SYN_PROXY_H

#include "flow.h"

/*
 * A cookie is the sequence number of the proxy's SYN-ACK, and tells all that is to be known when it comes back: when it
 * was made, the client's options, and that we made it.
 *
 *    31 30 | 29 .. 26 | 25   | 24 23 | 22 .. 0
 *    tick  | scale    | SACK | MSS   | MAC: SipHash-2-4 with the tenant's key
 *
 * The MAC is of the flow's key (addresses, ports, network), the direction, the client's first number, the options, and the
 * whole of the tick, of which the cookie has the lowest bits.
 */
#define COOKIE_TICK_NS_SHIFT 35	/* a tick is 34 s of CLOCK_MONOTONIC; a cookie holds for this one and the next */
#define COOKIE_TICK_BIT 30
#define COOKIE_OPTIONS_BIT 23
#define COOKIE_MAC_MASK 0x7fffff
#define COOKIE_TICK(cookie) ((cookie) >> COOKIE_TICK_BIT)
#define COOKIE_OPTIONS(cookie) ((cookie) >> COOKIE_OPTIONS_BIT & 0x7f)

/* The options as they stand in the cookie: an index of the MSS, SACK, and the window scale or FLOW_TCP_UNSCALED. */
#define COOKIE_OPTIONS_OF(scale, sack, mss) ((scale) << 3 | (sack) << 2 | (mss))
#define COOKIE_SCALE(options) ((options) >> 3)
#define COOKIE_SACK(options) ((options) >> 2 & 1)
#define COOKIE_MSS(options) ((options) & 3)

/* The largest of these that the client's is not below. 1410 and 1390: Ethernet less the tunnel. */
#define COOKIE_MSS4 { 536, 1220, 1410, 1460 }
#define COOKIE_MSS6 { 1220, 1340, 1390, 1440 }

#define SYN_PROXY_SCALE 7	/* what the proxy offers the client: windows up to 8 MB, in steps of 128 bytes */

/*
 * A handshake that is begun takes a token, and gives it back when it is done. There are half as many as the half-open table
 * has places, and an eighth comes back each second. Without one the table is under pressure for SYN_PRESSURE_NS: an entry
 * that pushes another out of the table pushes out one that is 8 seconds old.
 */
#define SYN_TOKENS(places) ((places) / 2)
#define SYN_TOKENS_PER_S(places) ((places) / 8)
#define SYN_PRESSURE_NS 4000000000ULL
#define COOKIE_LIFE_NS (2ULL << COOKIE_TICK_NS_SHIFT)

/* syn_pressure[slot]; times are CLOCK_MONOTONIC, ns */
struct syn_pressure {
	__u64 until;		/* of the tokens: generic cell rate algorithm (bpf/lib/limit.h) */
	__u64 pressed_until;	/* SYNs get cookies until then; cookies are believed COOKIE_LIFE_NS longer */
};

/* ---- tenants/<tenant>/proxied: what the flows with FLOW_PROXIED need beside struct flow ---- */

enum proxied_used { PROXIED_FREE = 0, PROXIED_USED, PROXIED_CLAIMED };

struct proxied {
	__u64 key[5];		/* of the flow (IPv4: two words, and zeroes) */
	__u32 used;		/* enum proxied_used */
	__u32 isn;		/* the client's first number */
	__u32 cookie;		/* the first number that the client knows of the workload */
	__u32 delta;		/* the workload's own, less the cookie */
	__u32 seen;		/* jiffies of the last packet, low 32 bits */
	__u8 timeout;		/* enum ct_timeout: how long after that it may be another's */
	__u8 scale;		/* the workload's window scale, or FLOW_TCP_UNSCALED */
	__u8 ready;		/* the workload has answered: delta and scale are known */
	__u8 pad;
};

/* Found by the key's hash: in one of two buckets. */
#define PROXIED_PLACES 4

struct proxied_bucket {
	struct proxied place[PROXIED_PLACES];
};

static inline __attribute__((always_inline)) __u32 proxied_buckets(__u32 max_flows)
{
	return (max_flows + PROXIED_PLACES - 1) / PROXIED_PLACES;
}

/*
 * How long a record may be idle: never less than its flow, whatever a tenant's idle times are. An end that has sent FIN leads
 * to any of four states. Only these are ever in a record.
 */
static inline __attribute__((always_inline)) __u32 proxied_idle_limit(const struct proxied *r, const __u32 *timeouts)
{
	__u32 closing = timeouts[CT_TCP_FIN];

	if (timeouts[CT_TCP_CLOSE_WAIT] > closing)
		closing = timeouts[CT_TCP_CLOSE_WAIT];
	if (timeouts[CT_TCP_LAST_ACK] > closing)
		closing = timeouts[CT_TCP_LAST_ACK];
	if (timeouts[CT_TCP_TIME_WAIT] > closing)
		closing = timeouts[CT_TCP_TIME_WAIT];
	if (r->timeout == CT_TCP_SYN)
		return timeouts[CT_TCP_SYN];
	if (r->timeout == CT_TCP_FIN)
		return closing;
	if (r->timeout == CT_TCP_CLOSED)
		return timeouts[CT_TCP_CLOSED];
	return timeouts[CT_TCP_ESTABLISHED];
}

/* May the record be another's? */
static inline __attribute__((always_inline)) int proxied_is_over(const struct proxied *r, const __u32 *timeouts, __u32 now)
{
	return flow_idle_since(r->seen, now) > proxied_idle_limit(r, timeouts);
}

/* The two buckets, of a table with so many; `hash` is flow_hash() of all five words. */
static inline __attribute__((always_inline)) __u32 proxied_bucket(__u64 hash, __u32 i, __u32 buckets)
{
	return (i ? hash >> 32 : hash & 0xffffffff) * buckets >> 32;
}

weft_static_assert(sizeof(struct syn_pressure) == 16);
weft_static_assert(sizeof(struct proxied) == 64);

#endif

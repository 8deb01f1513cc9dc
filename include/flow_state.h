/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What state a flow is in, and which idle time that gives it: rules that programs and command both need. */
#ifndef WEFT_FLOW_STATE_H
#define WEFT_FLOW_STATE_H

#include "flow.h"

#define FLOW_PROTOCOL_ICMP 1
#define FLOW_PROTOCOL_TCP 6
#define FLOW_PROTOCOL_UDP 17
#define FLOW_PROTOCOL_GRE 47
#define FLOW_PROTOCOL_ICMPV6 58
#define FLOW_PROTOCOL_SCTP 132

/* Where flows of protocols other than TCP have their state: both directions have the same. */
#define FLOW_STATE(f) FLOW_TCP_HALF((f)->path[0].tcp)

/*
 * Of a flow that is none of TCP, SCTP or ICMP: it is no probe. UDP: answered, and still in use two seconds after it
 * began; others: answered.
 */
#define FLOW_ASSURED 1

/*
 * Of an SCTP association, or one of its paths, as nf_conntrack has it: both ends in one, INIT and shutdown as seen from
 * the end that began.
 */
enum sctp_state {
	SCTP_NONE = 0,		/* no packet of it has gone on its way yet */
	SCTP_ESTABLISHED = FLOW_ASSURED,
	SCTP_INIT,		/* INIT was sent */
	SCTP_COOKIE_WAIT,	/* INIT ACK was */
	SCTP_COOKIE_ECHOED,
	SCTP_HEARTBEAT_SENT,	/* another path of an association, and nobody has answered there */
	SCTP_SHUTDOWN_SENT,	/* by the end that began */
	SCTP_SHUTDOWN_RECEIVED,	/* by the other */
	SCTP_SHUTDOWN_ACK_SENT,
	SCTP_CLOSED,		/* shut down, or aborted */
};

/* The order of a connection's ends is all one. */
static inline __attribute__((always_inline)) __u32 tcp_timeout(__u8 a, __u8 b)
{
	if (a == TCP_HALF_RESET || b == TCP_HALF_RESET)
		return CT_TCP_CLOSED;
	if (a == TCP_HALF_FIN_ACKED && b == TCP_HALF_FIN_ACKED)
		return CT_TCP_TIME_WAIT;
	if (a >= TCP_HALF_FIN && b >= TCP_HALF_FIN)
		return CT_TCP_LAST_ACK;
	if (a == TCP_HALF_FIN_ACKED || b == TCP_HALF_FIN_ACKED)
		return CT_TCP_CLOSE_WAIT;
	if (a == TCP_HALF_FIN || b == TCP_HALF_FIN)
		return CT_TCP_FIN;
	if (a == TCP_HALF_ESTABLISHED && b == TCP_HALF_ESTABLISHED)
		return CT_TCP_ESTABLISHED;
	return a == TCP_HALF_ESTABLISHED || b == TCP_HALF_ESTABLISHED ? CT_TCP_SYN_RECV : CT_TCP_SYN;
}

/* Has one end sent what the other has not acknowledged? Not told of a connection whose windows are not known. */
static inline __attribute__((always_inline)) int tcp_unacknowledged(const struct flow *f)
{
	if (f->path[0].flags & FLOW_LIBERAL)
		return 0;
	return (__s32)(f->dir[1].tcp_max_ack - f->dir[0].tcp_end) < 0 ||
	       (__s32)(f->dir[0].tcp_max_ack - f->dir[1].tcp_end) < 0;
}

static inline __attribute__((always_inline)) __u32 sctp_timeout(__u8 state)
{
	switch (state) {
	case SCTP_ESTABLISHED:
		return CT_SCTP_ESTABLISHED;
	case SCTP_COOKIE_WAIT:
		return CT_SCTP_COOKIE_WAIT;
	case SCTP_COOKIE_ECHOED:
		return CT_SCTP_COOKIE_ECHOED;
	case SCTP_HEARTBEAT_SENT:
		return CT_SCTP_HEARTBEAT_SENT;
	case SCTP_SHUTDOWN_SENT:
		return CT_SCTP_SHUTDOWN_SENT;
	case SCTP_SHUTDOWN_RECEIVED:
		return CT_SCTP_SHUTDOWN_RECEIVED;
	case SCTP_SHUTDOWN_ACK_SENT:
		return CT_SCTP_SHUTDOWN_ACK_SENT;
	case SCTP_CLOSED:
		return CT_SCTP_CLOSED;
	}
	return CT_SCTP_INIT;
}

static inline __attribute__((always_inline)) __u32 flow_timeout_kind(const struct flow *f, __u8 protocol)
{
	switch (protocol) {
	case FLOW_PROTOCOL_TCP:
		return tcp_timeout(FLOW_TCP_HALF(f->path[0].tcp), FLOW_TCP_HALF(f->path[1].tcp));
	case FLOW_PROTOCOL_UDP:
		return FLOW_STATE(f) ? CT_UDP_REPLIED : CT_UDP;
	case FLOW_PROTOCOL_SCTP:
		return sctp_timeout(FLOW_STATE(f));
	case FLOW_PROTOCOL_ICMP:
		return CT_ICMP;
	case FLOW_PROTOCOL_ICMPV6:
		return CT_ICMPV6;
	case FLOW_PROTOCOL_GRE:
		return FLOW_STATE(f) ? CT_GRE_REPLIED : CT_GRE;
	}
	return CT_OTHER;
}

/* A connection that both ends have done with. */
static inline __attribute__((always_inline)) int flow_is_closed(const struct flow *f, __u8 protocol)
{
	__u32 kind = flow_timeout_kind(f, protocol);

	return kind == CT_TCP_CLOSED || kind == CT_TCP_TIME_WAIT || kind == CT_SCTP_CLOSED;
}

/* How long the flow may be idle. What is not acknowledged bounds the time of an open connection, and of one that closes. */
static inline __attribute__((always_inline)) __u32 flow_idle_limit(const struct flow *f, __u8 protocol, const __u32 *timeouts)
{
	__u32 kind = flow_timeout_kind(f, protocol), limit = timeouts[kind];

	if (kind >= CT_TCP_ESTABLISHED && kind <= CT_TCP_LAST_ACK && timeouts[CT_TCP_UNACKNOWLEDGED] < limit &&
	    tcp_unacknowledged(f))
		return timeouts[CT_TCP_UNACKNOWLEDGED];
	return limit;
}

static inline __attribute__((always_inline)) int flow_replied(const struct flow *f)
{
	return (f->dir[0].packets || f->dir[0].packets_high) && (f->dir[1].packets || f->dir[1].packets_high);
}

/* A full table keeps it until it has expired: a connection, or a flow that is no probe. */
static inline __attribute__((always_inline)) int flow_is_assured(const struct flow *f, __u8 protocol)
{
	return protocol == FLOW_PROTOCOL_TCP || FLOW_STATE(f);
}

#endif

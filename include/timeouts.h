/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Idle times after which a flow is gone; each tenant has its own. What stands here is in seconds and nf_conntrack's
 * (nf_defrag's for fragments), but for sctp_init: there an INIT alone counts as closed, with the same ten seconds.
 */
#ifndef WEFT_TIMEOUTS_H
#define WEFT_TIMEOUTS_H

#include "base.h"

#define CT_TIMEOUTS(X)                                          \
	X(TCP_SYN, "tcp_syn", 120)                              \
	X(TCP_SYN_RECV, "tcp_syn_recv", 60)                     \
	X(TCP_UNACKNOWLEDGED, "tcp_unacknowledged", 300)        \
	X(TCP_ESTABLISHED, "tcp_established", 432000)           \
	X(TCP_FIN, "tcp_fin", 120)                              \
	X(TCP_CLOSE_WAIT, "tcp_close_wait", 60)                 \
	X(TCP_LAST_ACK, "tcp_last_ack", 30)                     \
	X(TCP_TIME_WAIT, "tcp_time_wait", 120)                  \
	X(TCP_CLOSED, "tcp_closed", 10)                         \
	X(UDP, "udp", 30)                                       \
	X(UDP_REPLIED, "udp_replied", 120)                      \
	X(SCTP_INIT, "sctp_init", 10)                           \
	X(SCTP_COOKIE_WAIT, "sctp_cookie_wait", 3)              \
	X(SCTP_COOKIE_ECHOED, "sctp_cookie_echoed", 3)          \
	X(SCTP_ESTABLISHED, "sctp_established", 210)            \
	X(SCTP_SHUTDOWN_SENT, "sctp_shutdown_sent", 3)          \
	X(SCTP_SHUTDOWN_RECEIVED, "sctp_shutdown_received", 3)  \
	X(SCTP_SHUTDOWN_ACK_SENT, "sctp_shutdown_ack_sent", 3)  \
	X(SCTP_HEARTBEAT_SENT, "sctp_heartbeat_sent", 30)       \
	X(SCTP_CLOSED, "sctp_closed", 10)                       \
	X(ICMP, "icmp", 30)                                     \
	X(ICMPV6, "icmpv6", 30)                                 \
	X(GRE, "gre", 30)                                       \
	X(GRE_REPLIED, "gre_replied", 180)                      \
	X(OTHER, "other", 600)                                  \
	X(FRAGMENT, "fragment", 30)                             \
	X(FRAGMENT_IPV6, "fragment_ipv6", 60)

enum ct_timeout {
#define X(id, name, seconds) CT_##id,
	CT_TIMEOUTS(X)
#undef X
	CT_TIMEOUT_COUNT
};

#endif

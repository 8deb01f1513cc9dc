/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tenants' options and their conntrack tables. */
#ifndef WEFT_FLOW_H
#define WEFT_FLOW_H

#include "timeouts.h"

enum tenant_flags {
	TENANT_ALLOW_IN = 1 << 0,	/* no rule matches: allow (else deny) */
	TENANT_ALLOW_OUT = 1 << 1,
	TENANT_MONITOR = 1 << 2,	/* ACL denies are counted as would_drop and passed */
	TENANT_LOOSE = 1 << 3,		/* a TCP segment without SYN may start a flow */
	TENANT_LIBERAL = 1 << 4,	/* TCP segments outside their window are counted and passed */
	TENANT_SYN_AUTO = 1 << 5,	/* SYNs get cookies while the half-open table is under pressure */
	TENANT_SYN_ALWAYS = 1 << 6,	/* they always do */
};

/* tenant_slots[slot] */
struct tenant {
	__u64 id;		/* 0: the slot is free */
	__u32 epoch;		/* of the policy; a flow judged in another is judged again. Never 0. */
	__u32 flags;		/* enum tenant_flags */
	__u64 seed;		/* of the hash that places flows: random, kept as long as the tenant */
	__u32 shortest;		/* the least of `timeout`: a flow seen more recently is alive without a closer look */
	__u32 timeout[CT_TIMEOUT_COUNT];	/* jiffies */
};

/* tenant_stats[slot], per CPU */
struct tenant_traffic {
	__u64 flows;		/* flows made */
	__u64 would_drop_in;	/* passed only since enforcement is `monitor` */
	__u64 would_drop_out;
	__u64 reclaimed;	/* expired flows whose place a new one took */
	__u64 displaced;	/* the same of flows that were not assured (flow_state.h), when the table was full */
	__u64 fragments_evicted;	/* datagrams in fragments that were not complete when another took their place */
	__u64 default_in;	/* packets that no rule decided, but the default; counted as struct rule_hits does */
	__u64 default_out;
	__u64 logs_suppressed;	/* events of rules with `log` beyond LOGS_PER_S */
	__u64 logs_lost;	/* and ones that found no room in `events` */
	__u64 hits_lost;	/* judgements that rule_hits could not take */
	__u64 tcp_outside;	/* TCP segments outside their window that `liberal` passed */
	__u64 full;		/* packets of flows that found no room: dropped as ct_full */
	__u64 events_lost;	/* events of flows that found no room in `flow_events` */
	__u64 syn_cookies_sent;		/* SYNs that the SYN proxy has answered */
	__u64 syn_cookies_valid;	/* ACKs that have brought a cookie back and began a connection */
	__u64 syn_cookies_invalid;	/* ACKs that might have, and had none or an old one */
};

/* In `used` of a key. */
enum flow_used {
	FLOW_FREE = 0,		/* no flow: the place in the table may be taken */
	FLOW_USED,		/* every key that is asked for has it */
	FLOW_CLAIMED,		/* taken, and about to be filled */
};

/*
 * A flow's key: its endpoints ordered jointly by (address, port), so that both directions have one key.
 * Ports are as on the wire. ICMP queries carry their id as the asker's port and 0 as the other's: two
 * hosts that ping each other with one id are two flows. A table's places are claimed and given up by their key's last
 * eight bytes alone, atomically.
 */
struct ct4_key {
	__be32 low_address;
	__be32 high_address;
	__be16 low_port;
	__be16 high_port;
	__u8 protocol;
	__u8 used;		/* enum flow_used */
	__u16 zone;
};

struct ct6_key {
	__be32 low_address[4];
	__be32 high_address[4];
	__be16 low_port;
	__be16 high_port;
	__u8 protocol;
	__u8 used;		/* enum flow_used */
	__u16 zone;
};

enum flow_flags {
	FLOW_ORIGINAL = 1 << 0,	/* this direction began the flow */
	FLOW_DENIED = 1 << 1,	/* the verdict of `epoch` */
	FLOW_REJECT = 1 << 2,	/* denied, with an answer */
	FLOW_CLOSING = 1 << 3,	/* TCP: a FIN or RST was seen, from either end; SCTP: closed */
	FLOW_LIBERAL = 1 << 4,	/* TCP: its windows are not known well enough to drop by them; in both directions */
	FLOW_PROXIED = 1 << 5,	/* TCP: the SYN proxy answered the client (include/syn_proxy.h); in both directions */
};

/*
 * What one end of a TCP connection has done (as in pf). FLOW_CLOSING, in both directions, tells that an end has sent FIN or RST.
 */
enum tcp_half {
	TCP_HALF_NONE = 0,
	TCP_HALF_SYN,		/* sent SYN */
	TCP_HALF_ESTABLISHED,	/* its SYN was acknowledged */
	TCP_HALF_FIN,		/* sent FIN */
	TCP_HALF_FIN_ACKED,	/* its FIN was acknowledged */
	TCP_HALF_RESET,		/* the connection was reset */
};

/*
 * An end of a flow: a port of this host, or the host behind which it is. With a port stands the chain that its rule has
 * chosen for the flow, if it has; and whether the flow is older than that, as its rule chose it when it was there already.
 */
#define FLOW_TARGET(kind, index) ((__u32)(kind) << 28 | (index))
#define FLOW_TARGET_KIND(target) ((target) >> 28 & 7)
#define FLOW_TARGET_INDEX(target) ((target) & 0xffff)
#define FLOW_TARGET_CHAIN(target) ((target) >> 16 & 0xfff)	/* slot in chains; 0: none */
#define FLOW_TARGET_OLDER (1u << 31)
#define FLOW_TARGET_PLACE(target) ((target) & 0x7000ffff)	/* without what is of the chain */
#define FLOW_TARGET_CHOSEN(target) ((target) & 0x8fff0000)	/* what is of it */

/* What was decided for one direction, and how far its end is: read by each packet, written by few. */
struct flow_path {
	__u32 epoch;		/* tenant epoch of the verdict; 0 is always stale */
	__u32 source;		/* FLOW_TARGET: where packets of this direction come from */
	__u32 target;		/* FLOW_TARGET: where they go; if FLOW_DENIED, the enum drop_reason in place of where */
	__u8 mac[6];		/* destination MAC that `target` was found for */
	__u8 flags;		/* enum flow_flags */
	__u8 tcp;		/* FLOW_TCP of the end that sends */
};

/*
 * What one direction's packets alone write, each of them. Packets and bytes have 48 bits (281 TB), in two parts: 64
 * would not fit.
 */
struct flow_dir {
	__u32 packets;
	__u32 bytes;		/* of Ethernet frames */
	__u16 packets_high;
	__u16 bytes_high;
	__u32 last_seen;	/* jiffies, low 32 bits */
	union {
		__u32 tcp_end;		/* highest sequence number sent, plus one; before its SYN: see bpf/stages/tcp_check.h */
		__u32 sctp_tag;		/* that its packets must carry, as on the wire; 0: not known */
		__u32 began;		/* other protocols: jiffies */
	};
	union {
		__u32 tcp_max_end;	/* highest sequence number that it allows the other end, plus one */
		__u32 sctp_first_tag;	/* while an association is opened: that was given before, and still counts; or 0 */
	};
	__u32 tcp_max_ack;	/* highest acknowledgement sent; before one was, the lowest that may be */
};

/*
 * What is known of a connection. It stands in a place of a table behind its key (include/flow_table.h). An IPv4 flow and its
 * key fill the two cache lines of a flow: what packets read stands in the first, beside the key, what they write in the
 * second; so two CPUs with a direction each take turns with one line, not with both.
 */
struct flow {
	/*
	 * Four bytes that are changed as one: `spill` is the table's, not the flow's (include/flow_table.h); flags of the
	 * first packet are written once, when the flow begins.
	 */
	union {
		struct {
			__u16 spill;
			__u8 first;		/* TCP flags or ICMP type of the first packet */
			__u8 first_code;	/* ICMP code of the first packet */
		};
		__u32 spill_word;
	};
	__u32 rule;		/* id of the deciding rule, low 32 bits; 0: the default */
	struct flow_path path[2];	/* [0]: from the low endpoint, [1]: from the high one */
	__u32 born;		/* the tenant's epoch when it began; anew if it turns to another MAC */
	__u16 tcp_max_window[2];	/* largest that each end announced, to be scaled; of a SYN before the answer: bytes */
	struct flow_dir dir[2];	/* as `path` */
};

/*
 * One end of a TCP connection: enum tcp_half, and its window scale (RFC 7323). Until both ends have sent their SYN it is
 * what the SYN offers, FLOW_TCP_UNSCALED if nothing; then 0 for both unless both offered.
 */
#define FLOW_TCP(half, scale) ((half) | (scale) << 4)
#define FLOW_TCP_HALF(tcp) ((tcp) & 0xf)
#define FLOW_TCP_SCALE(tcp) ((tcp) >> 4)
#define FLOW_TCP_UNSCALED 15
#define FLOW_TCP_SCALE_MAX 14

static inline __attribute__((always_inline)) __u64 flow_packets(const struct flow_dir *dir)
{
	return dir->packets | (__u64)dir->packets_high << 32;
}

static inline __attribute__((always_inline)) __u64 flow_bytes(const struct flow_dir *dir)
{
	return dir->bytes | (__u64)dir->bytes_high << 32;
}

static inline __attribute__((always_inline)) void flow_add_packet(struct flow_dir *dir, __u32 bytes)
{
	if (!++dir->packets)
		dir->packets_high++;
	dir->bytes += bytes;
	if (dir->bytes < bytes)
		dir->bytes_high++;
}

/* How long ago, in jiffies. What has just been seen by another processor may have been so a little after `now` was read. */
#define FLOW_JUST_NOW 0x10000

static inline __attribute__((always_inline)) __u32 flow_idle_since(__u32 last_seen, __u32 now)
{
	__u32 idle = now - last_seen;

	return -idle < FLOW_JUST_NOW ? 0 : idle;
}

/*
 * Is the flow older than the chain on a wire, which came in epoch `since` (0: no flow counts as older)? Epochs grow, and
 * wrap as sequence numbers do. A rule that programs and command both need.
 */
static inline __attribute__((always_inline)) int flow_is_older(__u32 born, __u32 since)
{
	return since && (__s32)(born - since) < 0;
}

weft_static_assert(WEFT_PORTS_MAX <= FLOW_TARGET_INDEX(~0u) + 1 && WEFT_HOSTS_MAX <= FLOW_TARGET_INDEX(~0u) + 1);
weft_static_assert(WEFT_CHAINS_MAX <= FLOW_TARGET_CHAIN(~0u) + 1);
weft_static_assert(sizeof(struct ct4_key) == 16);
weft_static_assert(sizeof(struct ct6_key) == 40);
weft_static_assert(sizeof(struct flow_path) == 20);
weft_static_assert(sizeof(struct flow_dir) == 28);
weft_static_assert(sizeof(struct flow) == 112);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet is, once parsed: stages judge on this and never on the packet's bytes. Each field says
 * which stage writes it; until then it is zero.
 */
#ifndef WEFT_BPF_PKT_H
#define WEFT_BPF_PKT_H

#include "include/base.h"
#include "include/drop_reasons.h"
#include "include/flow.h"
#include "lib/verdict.h"

#define ETH_ALEN 6
#define ETH_HLEN 14
#define ETH_FRAME_LEN 1514
#define VLAN_HLEN 4
#define VID_MASK 0x0fff
#define PCP_SHIFT 13

#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_P_IPV6 0x86dd

#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_GRE 47
#define IPPROTO_ICMPV6 58
#define IPPROTO_SCTP 132

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

/* Chunks of SCTP that matter here, by their types. */
enum sctp_type {
	SCTP_TYPE_DATA = 0,
	SCTP_TYPE_INIT = 1,
	SCTP_TYPE_INIT_ACK = 2,
	SCTP_TYPE_HEARTBEAT = 4,
	SCTP_TYPE_HEARTBEAT_ACK = 5,
	SCTP_TYPE_ABORT = 6,
	SCTP_TYPE_SHUTDOWN = 7,
	SCTP_TYPE_SHUTDOWN_ACK = 8,
	SCTP_TYPE_ERROR = 9,
	SCTP_TYPE_COOKIE_ECHO = 10,
	SCTP_TYPE_COOKIE_ACK = 11,
	SCTP_TYPE_SHUTDOWN_COMPLETE = 14,
};

#define SCTP_CHUNK(type) (1 << SCTP_TYPE_##type)

/* Of TCP and SCTP. */
enum tcp_fit {
	TCP_STAYS = 1 << 0,	/* passes, and the flow does not move with it */
	TCP_OUTSIDE = 1 << 1,	/* outside its window, passed by `liberal` */
	TCP_BESIDE = 1 << 2,	/* of a handshake beside an established flow (reopen.h) */
};

enum pkt_flags {
	PKT_MULTICAST = 1 << 0,		/* parse: group bit of the destination MAC (broadcast too) */
	PKT_ICMP_ERROR = 1 << 1,	/* parse: the ports and protocol are those of the quoted packet, reversed */
	PKT_ICMP_QUERY = 1 << 2,	/* parse: asks, and may begin a flow */
	PKT_ICMP_REPLY = 1 << 3,	/* parse: answers a query */
	PKT_STATELESS = 1 << 4,		/* flow: judged without a flow */
	PKT_NO_CREATE = 1 << 5,		/* hook: came back from a function: it may not begin a flow */
	PKT_HALF_OPEN = 1 << 6,		/* flow: the flow is in the half-open table */
	PKT_MADE = 1 << 7,		/* hook: a RST or ICMP error that a function has made itself */
};

/* What the SYN proxy has to do with the packet (stages/proxied.h, syn_proxy.h). */
enum proxy_part {
	PROXY_NONE = 0,
	PROXY_FORGED,	/* an ACK that might have been a cookie's, and is not */
	PROXY_OPENS,	/* becomes the client's SYN: all fields tell of that already */
	PROXY_ANSWERED,	/* the workload's SYN-ACK, of which the client must not know */
	PROXY_REFUSED,	/* the workload's RST in its place */
	PROXY_TOWARDS,	/* to the workload, with the client's numbers in the frame; the fields have the workload's */
	PROXY_BACK,	/* to the client, with the workload's numbers in both */
};

/*
 * Which of the chains on its way are behind a frame, once its flow is asked for: the hook tells, and of what a function
 * gave back stage returned. A chain that stands on the sender's wire by itself always is.
 */
enum behind {
	BEHIND_NONE = 0,
	BEHIND_CHOSEN_LEAVING,	/* what the sender's rule chose */
	BEHIND_CHOSEN_TOWARDS,	/* and what the receiver's did */
	BEHIND_ALL,		/* and what stands on the receiver's wire */
};

/* Chains that a frame may go round: those that stand on a wire, and those that rules chose, by enum weft_direction. */
#define ROUND_CHOSEN 2
#define ROUNDS 4

/* Is the packet a whole datagram, and if not, which part? XDP hands fragments up. */
enum fragment_kind { FRAGMENT_NONE = 0, FRAGMENT_FIRST, FRAGMENT_LATER };

struct pkt {
	/* hook */
	__u32 ifindex;
	__u32 len;		/* bytes of the (inner) frame, tags in the data included */
	__u32 from;		/* FLOW_TARGET of the sender: a port here, or a host */
	__u32 port;		/* slot of the port that the frame is from (port, sf) */

	/* parse */
	__u16 l2, l3, l4;	/* offsets in the data */
	__u16 l4_len;		/* header bytes of L4 */
	__u16 ethertype;	/* after the tags */
	__u16 tci;		/* of the outer tag */
	__u8 tags;		/* 0–2 */
	__u8 tag_in_data;	/* the outer tag is in the data, not beside it */
	__u8 service_tag;	/* the outer tag is 802.1ad's, which is nobody's here */
	__u8 family;		/* enum weft_family */
	__u8 protocol;		/* of the packet */
	__u8 flow_protocol;	/* of its flow: differs for ICMP errors */
	__u8 icmp_type;		/* ARP: the operation */
	__u8 icmp_code;
	__u8 tcp_flags;
	__u8 flags;		/* enum pkt_flags */
	__u8 reason;		/* enum drop_reason, with V_DROP and V_REJECT */
	__be16 source_port;	/* ICMP query: the id on the asker's side */
	__be16 destination_port;
	union {
		__u32 tcp_seq;
		__u32 sctp_tag;		/* verification tag, as on the wire */
	};
	union {
		__u32 tcp_ack;
		__u32 sctp_init_tag;	/* that an INIT or INIT ACK gives */
	};
	__u16 payload;		/* TCP payload bytes; of a super-packet at most 65,515, since an IP header says how many */
	union {
		__u16 tcp_window;	/* as it stands in the segment, unscaled */
		__u16 sctp_chunks;	/* SCTP_CHUNK of all that are in it, of types below 16 */
	};
	union {
		__u8 tcp_scale;		/* SYN: the window scale it offers, or FLOW_TCP_UNSCALED */
		__u8 sctp_reflected;	/* ABORT or SHUTDOWN COMPLETE: the tag is the other end's (flag T) */
	};
	__u8 tcp_fit;		/* flow: enum tcp_fit */
	__u16 tcp_mss;		/* SYN: that it offers, or 0 */
	__u8 tcp_sack;		/* SYN: SACK permitted */
	__u8 proxy;		/* flow: enum proxy_part */
	__u16 proxy_window;	/* the window that goes into the frame */
	__u32 proxy_cookie;	/* the first number that the client knows of the workload */
	__u32 proxy_delta;	/* the workload's numbers less the client's notion of them */
	__u8 ttl;
	__u8 behind;		/* hook, returned: enum behind */
	__u8 by_rule;		/* insert: the chain that it is about was chosen by a rule */
	__u8 keeps_pcp;		/* resume: a function made it (PKT_MADE), and further on in the chain it has PCP 0 as it came */
	__u8 kept;		/* existing: a bit for each of `round` in which it is for the flow's age */
	__u8 skipped[ROUNDS];	/* insert: of these chains, a bit for each step that is dead and open */
	union {
		__u16 round[ROUNDS];	/* insert: slots of chains that the frame goes round */
		__u64 rounds;
	};
	__u16 back_chain;	/* returned: the chain that gave it back, if only a rule can have chosen that; 0: no such */
	__u16 back_port;	/* returned: the slot of the port on whose wire it came back, if it did on one's */
	__u16 giver;		/* resume: slot of the function that gave it back; 0: none did */
	__u16 chosen[2];	/* chosen: slots of the chains ahead that the rules chose for the flow, by enum weft_direction */
	__u8 source_mac[6] __attribute__((aligned(8)));	/* compared as 4 + 2 bytes */
	__u8 destination_mac[6] __attribute__((aligned(8)));
	union weft_addr source;	/* ARP: sender and target */
	union weft_addr destination;
	__u32 fragment_id;	/* as on the wire */
	__u16 fragment_first;	/* bytes of the datagram's fragmented part that are here: from, to */
	__u16 fragment_end;
	__u16 fragment_at;	/* offset in the data where that part begins */
	__u8 fragment;		/* enum fragment_kind; the fields of L4 are the first's, once stage fragment has seen a later one */
	__u8 fragment_more;	/* not the last */
	__u8 instance;		/* insert: place of the instance that the frame goes to, in its step's function */
	__u8 taps;		/* insert: a bit for each step that is to get a copy yet, of the chain in `tapped` */
	__u8 rewritten;		/* resume: came back from a chain that alters streams */
	__u8 on_wire;		/* returned: from the chain that stands on the wire of back_port by itself */
	__u16 tapped;		/* insert: slot */

	/* network: whose it is */
	__u32 tenant;		/* slot */
	__u32 vni;
	__u32 zone;		/* slot of the network */

	/* flow */
	__u32 to;		/* FLOW_TARGET of the receiver */
	__u32 hash;		/* of the flow's key, both directions alike: seen on the wire */
	__u64 place_hash;	/* of the same, keyed: where the flow is in its table */
	__u64 steer;		/* steer: hash of what is one flow to functions; 0: not known yet */
	__u32 rule;		/* id of the rule that decided */
	__u32 dir;		/* index in flow.dir of this packet's direction */
	union {
		struct ct4_key key4;
		struct ct6_key key6;
		__u64 key_words[5];
	};

	int action;		/* with V_SENT: TC_ACT_* or XDP_* as the redirect helper gave it */
};

static __always_inline enum verdict drop(struct pkt *p, enum drop_reason reason)
{
	p->reason = reason;
	return V_DROP;
}

static __always_inline bool mac_equal(const __u8 *a, const __u8 *b)
{
	return *(const __u32 *)a == *(const __u32 *)b && *(const __u16 *)(a + 4) == *(const __u16 *)(b + 4);
}

/* In words that mac_equal() reads again: what is stored in smaller parts stalls the processor there. */
static __always_inline void mac_copy(__u8 *to, const __u8 *from)
{
	*(__u32 *)to = *(const __u32 *)from;
	*(__u16 *)(to + 4) = *(const __u16 *)(from + 4);
}

static __always_inline bool addr6_equal(const union weft_addr *a, const __u8 *b)
{
	return a->halves[0] == *(const __u64 *)b && a->halves[1] == *(const __u64 *)(b + 8);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one verdict currency: stages return it, hooks translate it once (ctx_tc.h, ctx_xdp.h).
 */
#ifndef WEFT_BPF_VERDICT_H
#define WEFT_BPF_VERDICT_H

enum verdict {
	V_NEXT = 0,	/* go on with the next stage */
	V_DROP,		/* drop; pkt.reason says why */
	V_REJECT,	/* drop, and tell the sender (TC alone can) */
	V_RESET,	/* drop, and end the TCP connection for both its ends (TC alone can) */
	V_COOKIE,	/* a SYN that the rules allow, to be answered by the SYN proxy */
	V_SENT,		/* on its way; pkt.action is what the kernel is to be told */
	V_CONSUMED,	/* nothing is left to send: copies went out, or the frame was for us */
	V_FLOOD,	/* the destination is not known: everybody in the network */
	V_UP,		/* XDP only: TC is to do it. Given before any side effect, but that a flow and its instance are known. */
	V_HELD,		/* TC only: kept, and comes again through this hook; nothing is counted until then */
	V_AWAY,		/* to another host in NSH, whose header lies in scratch: the hook's last act (away.h), as the stack is short */
	V_PASS,		/* not ours: the host's own stack gets it untouched */
};

#endif

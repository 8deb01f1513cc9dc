/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sctp_check: may the packet pass, and does the association move with it when it really goes on its way (sctp.h)? The tag
 * decides (RFC 9260, 8.5): each end has given the other one, with INIT or INIT ACK, that all later packets to it must carry.
 * reads:  pkt.sctp_*, both directions of the flow
 * writes: pkt.tcp_fit
 * maps:   none
 * drops:  ct_sctp_state ct_sctp_tag icmp_unrelated
 */
#ifndef WEFT_STAGE_SCTP_CHECK_H
#define WEFT_STAGE_SCTP_CHECK_H

#include "include/flow_state.h"
#include "lib/flow_key.h"
#include "stages/tcp_check.h"

static __always_inline __u8 sctp_state(const struct flow *f)
{
	return FLOW_STATE(f);
}

static __always_inline bool sctp_begins(const struct pkt *p)
{
	return p->sctp_chunks == SCTP_CHUNK(INIT) || p->sctp_chunks == SCTP_CHUNK(HEARTBEAT);
}

/* What an association in use sends, and neither its beginning nor its end. */
static __always_inline bool sctp_goes_on(const struct pkt *p)
{
	const __u16 other = SCTP_CHUNK(INIT) | SCTP_CHUNK(INIT_ACK) | SCTP_CHUNK(COOKIE_ECHO) | SCTP_CHUNK(COOKIE_ACK) |
			    SCTP_CHUNK(ABORT) | SCTP_CHUNK(ERROR) | SCTP_CHUNK(SHUTDOWN) | SCTP_CHUNK(SHUTDOWN_ACK) |
			    SCTP_CHUNK(SHUTDOWN_COMPLETE);

	return !(p->sctp_chunks & other);
}

/* While an association is opened, the first tag that was given counts as well as the latest: see sctp.h. */
static __always_inline bool is_tag(const struct flow_dir *dir, __u32 tag)
{
	return tag && (tag == dir->sctp_tag || tag == dir->sctp_first_tag);
}

/* Who gets a packet of no association that he knows sends its tag back, and says so (flag T). */
static __always_inline bool has_tag(const struct pkt *p, const struct flow *f)
{
	return is_tag(p->sctp_reflected ? flow_them(f, p) : flow_us(f, p), p->sctp_tag);
}

static __always_inline enum verdict with_tag(struct pkt *p, const struct flow *f)
{
	return has_tag(p, f) ? V_NEXT : drop(p, DROP_CT_SCTP_TAG);
}

static __always_inline enum verdict check_init(struct pkt *p, const struct flow *f, __u8 state)
{
	if (!(p->flags & PKT_HALF_OPEN))
		/* Who began may have forgotten: the new association is followed beside this one (reopen.h). */
		return is_original(p, f) ? stays(p) : drop(p, DROP_CT_SCTP_STATE);
	if (state == SCTP_INIT || state == SCTP_COOKIE_WAIT || state == SCTP_COOKIE_ECHOED)
		return V_NEXT;
	return is_original(p, f) && state != SCTP_CLOSED ? V_NEXT : drop(p, DROP_CT_SCTP_STATE);
}

/* Another path: nothing but heartbeats, until both ends have been heard there (RFC 9260, 5.4). */
static __always_inline enum verdict check_heartbeat(struct pkt *p, const struct flow *f)
{
	const __u16 both = SCTP_CHUNK(HEARTBEAT) | SCTP_CHUNK(HEARTBEAT_ACK);

	if (p->sctp_chunks & ~(both | SCTP_CHUNK(ABORT)))
		return drop(p, DROP_CT_SCTP_STATE);
	if (!(p->sctp_chunks & SCTP_CHUNK(ABORT)) && !flow_us(f, p)->sctp_tag)
		return V_NEXT;
	return with_tag(p, f);
}

/* Not INIT. */
static __always_inline enum verdict check_opening(struct pkt *p, const struct flow *f, __u8 state)
{
	__u16 may = SCTP_CHUNK(INIT_ACK) | SCTP_CHUNK(ABORT);

	switch (state) {
	case SCTP_NONE:
		return is_original(p, f) && sctp_begins(p) ? V_NEXT : drop(p, DROP_CT_SCTP_STATE);
	case SCTP_HEARTBEAT_SENT:
		return check_heartbeat(p, f);
	case SCTP_CLOSED:
		return drop(p, DROP_CT_SCTP_STATE);
	case SCTP_COOKIE_WAIT:
		may |= SCTP_CHUNK(COOKIE_ECHO);
		break;
	case SCTP_COOKIE_ECHOED:
		return with_tag(p, f);
	}
	return p->sctp_chunks & may ? with_tag(p, f) : drop(p, DROP_CT_SCTP_STATE);
}

static __always_inline enum verdict check_open(struct pkt *p, const struct flow *f)
{
	if (has_tag(p, f))
		return V_NEXT;
	/* Taken up in the middle: what nobody has heard yet is learned, but ends nothing. */
	if (!flow_us(f, p)->sctp_tag)
		return p->sctp_reflected || p->sctp_chunks & SCTP_CHUNK(ABORT) ? stays(p) : V_NEXT;
	/* A path of an association that has begun anew elsewhere; followed beside this one as INIT is. */
	if (p->sctp_chunks == SCTP_CHUNK(HEARTBEAT) && is_original(p, f))
		return stays(p);
	return drop(p, DROP_CT_SCTP_TAG);
}

/* Verified once for all hooks. */
__noinline int sctp_check(struct pkt *p, const struct flow *f)
{
	__u8 state;

	if (!p || !f)
		return V_DROP;
	state = sctp_state(f);
	if (p->sctp_chunks & SCTP_CHUNK(INIT))
		return check_init(p, f, state);
	return p->flags & PKT_HALF_OPEN ? check_opening(p, f, state) : check_open(p, f);
}

/* An ICMP error quotes the tag of a packet of the other direction (RFC 9260, 10): 0 for an INIT that has no answer yet. */
static __always_inline enum verdict sctp_icmp_check(struct pkt *p, const struct flow *f)
{
	const struct flow_dir *them = flow_them(f, p);

	if (is_tag(them, p->sctp_tag) || !them->sctp_tag)
		return V_NEXT;
	if (!p->sctp_tag && p->flags & PKT_HALF_OPEN && sctp_state(f) == SCTP_INIT)
		return V_NEXT;
	return drop(p, DROP_ICMP_UNRELATED);
}

#endif

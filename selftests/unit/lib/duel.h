/* SPDX-License-Identifier: BSD-2-Clause */
/* The same segment through a program of ours and through nf_conntrack (judge.h), and what may differ. */
#ifndef WEFT_UNIT_DUEL_H
#define WEFT_UNIT_DUEL_H

#include "judge.h"
#include "world.h"

/* Every difference of TCP that we mean; docs/CONNTRACK.md has the same names, with the reasons, and no others. */
#define DIFFERENCES(X)                               \
	X(OLD_SEGMENT, "old-segment") \
	X(BEYOND_WINDOW, "beyond-window") \
	X(HANDSHAKE_NUMBER, "handshake-number") \
	X(EARLY_DATA, "early-data") \
	X(RST_NUMBER, "rst-number") \
	X(SYN_ACK_AGAIN, "syn-ack-again") \
	X(CLOSED_BY_NUMBER, "closed-by-number") \
	X(ICMP_NUMBER, "icmp-number") \
	X(SYN_RENEWED, "syn-renewed") \
	X(CROSSED_SYN_ACK, "crossed-syn-ack") \
	X(SACK_UNREAD, "sack-unread") \
	X(AFTER_RESET, "after-reset") 

enum difference {
	SAME = 0,
#define X(id, name) id,
	DIFFERENCES(X)
#undef X
	DIFFERENCE_COUNT
};

struct segment {
	enum who from; /* A or B */
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t payload;
	int32_t window; /* as in struct packet */
	const char *options;
};

struct bout {
	uint8_t family;
	enum flavour flavour;
	uint16_t port; /* A's; B's is 80 */
};

/* Group set-up: the world and the judge; the tests are skipped, and say why, without one. */
int duel_open(void **state);
struct judge *duel_judge(void);
struct frame duel_frame(const struct bout *b, const struct segment *s);
/* What we say of it: DROP_NONE if it passes. */
enum drop_reason duel_ours(const struct bout *b, const struct segment *s);
enum drop_reason duel_ours_of(enum flavour flavour, enum who from, const struct frame *f);
bool duel_kernel_passes(const struct bout *b, const struct segment *s);
/* Our flow: false if there is none; *half tells in which table. */
bool duel_flow(const struct bout *b, struct flow *f, bool *half);
const char *difference_name(enum difference d);
/* "passes", "drops" */
const char *duel_said(bool passes);
/*
 * docs/CONNTRACK.md has a heading for each of the n differences of this protocol ("sctp-…", or TCP's), the first of which is
 * none, and no other; and each was seen.
 */
void duel_documented(bool sctp, const char *(*name)(int d), const bool *seen, int n);

#endif

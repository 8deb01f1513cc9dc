/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Associations played by hand: each packet, and what becomes of it. A begins. Packets from A carry B's tag, and the other way
 * round.
 */
#ifndef WEFT_UNIT_SCTP_PLAYS_H
#define WEFT_UNIT_SCTP_PLAYS_H

#include "selftests/unit/lib/duel.h"

#define SCTP_DIFFERENCES(X)                        \
	X(STRAY, "sctp-stray")                     \
	X(TAG_ZERO, "sctp-tag-zero")               \
	X(CHUNK_LENGTH, "sctp-chunk-length")       \
	X(AUTH_FIRST, "sctp-auth-first")           \
	X(EARLY, "sctp-early")                     \
	X(INIT_AGAIN, "sctp-init-again")           \
	X(INIT_BACK, "sctp-init-back")             \
	X(SHUTDOWN_ACK_TAG, "sctp-shutdown-ack-tag") \
	X(HEARTBEAT_TAG, "sctp-heartbeat-tag")     \
	X(HEARTBEAT_REFUSED, "sctp-heartbeat-refused") \
	X(SCTP_AFTER_ABORT, "sctp-after-abort")    \
	X(ICMP_TAG, "sctp-icmp-tag")

enum sctp_difference {
	NO_DIFFERENCE = 0,
#define X(id, name) id,
	SCTP_DIFFERENCES(X)
#undef X
	SCTP_DIFFERENCE_COUNT
};

static const char *const names[] = {
	"none",
#define X(id, name) name,
	SCTP_DIFFERENCES(X)
#undef X
};

struct step {
	enum who from;
	uint32_t tag;
	const char *chunks;
	enum drop_reason reason;
	enum sctp_difference difference;
};

struct play {
	const char *name;
	struct step steps[24];
};

#define TAG   DROP_CT_SCTP_TAG
#define STATE DROP_CT_SCTP_STATE
#define NEW   DROP_CT_INVALID
#define BAD   DROP_BAD_L4

/* Tags, as numbers and as they stand in an INIT: those of A, of B, and others. */
#define TA 0xa1a1a1a1
#define TB 0xb2b2b2b2
#define TC 0xc3c3c3c3
#define TD 0xd4d4d4d4
#define HTA "a1a1a1a1"
#define HTB "b2b2b2b2"
#define HTC "c3c3c3c3"
#define HTD "d4d4d4d4"

#define INIT(tag)     "01000014" tag "00010000 000a000a 00000001"
#define INIT_ACK(tag) "02000014" tag "00010000 000a000a 00000001"
#define COOKIE_ECHO   "0a000008 c00c1e00"
#define COOKIE_ACK    "0b000004"
#define DATA	      "00030014 00000001 00000000 00000000 64617461"
#define SACK	      "03000010 00000001 00010000 00000000"
#define HEARTBEAT     "0400000c 00010008 12345678"
#define HEARTBEAT_ACK "0500000c 00010008 12345678"
#define ABORT	      "06000004"
#define ABORT_T	      "06010004"
#define SHUTDOWN      "07000008 00000001"
#define SHUTDOWN_ACK  "08000004"
#define STALE_COOKIE  "0900000c 00030008 00000000"
#define COMPLETE      "0e000004"
#define COMPLETE_T    "0e010004"
#define AUTH	      "0f000008 00000001"
#define UNKNOWN	      "c1000008 00000000"

/* clang-format off */
#define HANDSHAKE \
	{A, 0, INIT(HTA)}, \
	{B, TA, INIT_ACK(HTB)}, \
	{A, TB, COOKIE_ECHO}, \
	{B, TA, COOKIE_ACK}

static const struct play plays[] = {
	{"a whole association", {HANDSHAKE,
		{A, TB, DATA},
		{B, TA, SACK},
		{B, TA, SACK DATA},
		{A, TB, SACK},
		{A, TB, HEARTBEAT},
		{B, TA, HEARTBEAT_ACK},
		{A, TB, UNKNOWN},
		{A, TB, SHUTDOWN},
		{B, TA, DATA},
		{A, TB, SACK SHUTDOWN},
		{B, TA, SHUTDOWN_ACK},
		{A, TB, COMPLETE},
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTD)},
		{A, TD, COOKIE_ECHO DATA},
		{B, TC, COOKIE_ACK SACK}}},
	{"shut down by the other end", {HANDSHAKE,
		{B, TA, SHUTDOWN},
		{A, TB, SHUTDOWN_ACK},
		{B, TA, COMPLETE},
		{A, TB, SHUTDOWN_ACK},
		{B, TB, COMPLETE_T}}},
	{"both ends shut down", {HANDSHAKE,
		{A, TB, SHUTDOWN},
		{B, TA, SHUTDOWN},
		{A, TB, SHUTDOWN_ACK},
		{B, TA, SHUTDOWN_ACK},
		{A, TB, COMPLETE},
		{B, TA, COMPLETE}}},
	{"all of a handshake sent again", {
		{A, 0, INIT(HTA)},
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, DATA},
		{B, TA, SACK}}},
	{"the first of two INIT ACKs is taken", {
		{A, 0, INIT(HTA)},
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{B, TA, INIT_ACK(HTC)},
		{A, TB, COOKIE_ECHO, DROP_NONE, INIT_AGAIN},
		{B, TA, COOKIE_ACK},
		{A, TB, DATA, DROP_NONE, INIT_AGAIN},
		{A, TC, DATA, TAG, INIT_AGAIN}}},
	{"the second of two INIT ACKs is taken", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{B, TA, INIT_ACK(HTC)},
		{A, TC, COOKIE_ECHO},
		{B, TA, COOKIE_ACK},
		{A, TB, DATA, TAG},
		{A, TC, DATA}}},
	{"a forged INIT ends no handshake", {
		{A, 0, INIT(HTA)},
		{A, 0, INIT(HTC)},
		{B, TA, INIT_ACK(HTB), DROP_NONE, INIT_AGAIN},
		{A, TB, COOKIE_ECHO, DROP_NONE, INIT_AGAIN},
		{B, TA, COOKIE_ACK, DROP_NONE, INIT_AGAIN},
		{A, TB, DATA, DROP_NONE, INIT_AGAIN},
		{B, TC, SACK, TAG, INIT_AGAIN}}},
	{"opened from both sides", {
		{A, 0, INIT(HTA)},
		{B, 0, INIT(HTB)},
		{A, TB, INIT_ACK(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ECHO},
		{B, TA, COOKIE_ACK},
		{A, TB, COOKIE_ACK},
		{A, TB, DATA},
		{B, TA, SACK}}},
	{"data with the cookie", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO DATA},
		{B, TA, COOKIE_ACK SACK DATA},
		{A, TB, SACK}}},
	{"a stale cookie", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TA, STALE_COOKIE},
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK}}},
	{"refused", {
		{A, 0, INIT(HTA)},
		{B, TA, ABORT},
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TC, COOKIE_ACK}}},
	{"aborted", {HANDSHAKE,
		{A, TB, DATA},
		{A, TB, ABORT},
		{B, TA, SACK},
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTD)}}},
	{"aborted by who has forgotten it", {HANDSHAKE,
		{A, TB, DATA},
		{B, TB, ABORT_T}}},
	{"a handshake that was aborted goes no further", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, ABORT},
		{A, TB, COOKIE_ECHO, STATE, SCTP_AFTER_ABORT},
		{B, TA, COOKIE_ACK, STATE, SCTP_AFTER_ABORT}}},
	{"a forged ABORT", {HANDSHAKE,
		{B, TC, ABORT, TAG},
		{B, TB, ABORT, TAG},
		{B, TA, ABORT_T, TAG},
		{B, TC, ABORT_T, TAG},
		{A, TC, ABORT, TAG},
		{A, TA, ABORT, TAG},
		{A, TB, DATA},
		{B, TA, SACK}}},
	{"a forged ABORT of a handshake", {
		{A, 0, INIT(HTA)},
		{B, TC, ABORT, TAG},
		{B, TB, ABORT_T, TAG},
		{A, TB, ABORT, TAG},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK}}},
	{"forged chunks of all kinds", {HANDSHAKE,
		{B, TC, DATA, TAG},
		{B, TC, SACK, TAG},
		{B, TC, SHUTDOWN, TAG},
		{B, TC, COOKIE_ACK, TAG},
		{A, TC, COOKIE_ECHO, TAG},
		{B, TC, COMPLETE, TAG},
		{B, TC, STALE_COOKIE, TAG},
		{B, TC, INIT_ACK(HTD), TAG},
		{B, TC, SHUTDOWN_ACK, TAG, SHUTDOWN_ACK_TAG},
		{B, TC, HEARTBEAT, TAG, HEARTBEAT_TAG},
		{B, TC, HEARTBEAT DATA, TAG},
		{A, TB, DATA},
		{B, TA, SACK}}},
	{"an INIT of who began takes nothing from an association", {HANDSHAKE,
		{A, 0, INIT(HTC)},
		{B, TA, DATA, DROP_NONE, INIT_AGAIN},
		{A, TB, SACK}}},
	{"who began has forgotten it", {HANDSHAKE,
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTD)},
		{A, TD, COOKIE_ECHO},
		{B, TC, COOKIE_ACK},
		{A, TD, DATA},
		{B, TC, SACK},
		{A, TB, DATA, TAG},
		{B, TA, DATA, TAG}}},
	{"an INIT of the other end", {HANDSHAKE,
		{B, 0, INIT(HTC), STATE, INIT_BACK},
		{A, TB, DATA, DROP_NONE, INIT_BACK},
		{B, TA, SACK}}},
	{"what belongs to nothing", {
		{A, TB, DATA, NEW},
		{A, TB, SACK, NEW},
		{A, TB, INIT_ACK(HTB), NEW},
		{A, TB, COOKIE_ECHO, NEW},
		{A, TB, COOKIE_ACK, NEW},
		{A, TB, ABORT, NEW},
		{A, TB, ABORT_T, NEW},
		{A, TB, SHUTDOWN, NEW},
		{A, TB, COMPLETE, NEW},
		{A, TB, STALE_COOKIE, NEW},
		{A, TB, UNKNOWN, NEW},
		{A, TB, HEARTBEAT DATA, NEW},
		{A, TB, HEARTBEAT ABORT, NEW}}},
	{"a SHUTDOWN ACK of nothing", {
		{A, TB, SHUTDOWN_ACK, NEW, STRAY}}},
	{"a HEARTBEAT ACK of nothing", {
		{A, TB, HEARTBEAT_ACK, NEW, STRAY}}},
	{"data before the cookie", {
		{A, 0, INIT(HTA)},
		{A, TB, DATA, STATE},
		{B, TA, DATA, STATE, EARLY},
		{B, TA, COOKIE_ACK, STATE, EARLY},
		{B, TC, INIT_ACK(HTB), TAG},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, DATA, STATE, EARLY},
		{A, TC, COOKIE_ECHO, TAG},
		{B, TA, COOKIE_ACK, STATE, EARLY},
		{A, TB, COOKIE_ECHO},
		{B, TA, COOKIE_ACK}}},
	{"another path", {
		{A, TB, HEARTBEAT},
		{A, TB, HEARTBEAT},
		{B, TA, HEARTBEAT_ACK},
		{A, TB, DATA},
		{B, TA, SACK},
		{A, TC, DATA, TAG},
		{B, TC, DATA, TAG}}},
	{"another path, tried from both sides", {
		{A, TB, HEARTBEAT},
		{B, TA, HEARTBEAT},
		{A, TB, HEARTBEAT_ACK},
		{B, TA, HEARTBEAT_ACK},
		{A, TB, DATA}}},
	{"data on another path, too early", {
		{A, TB, HEARTBEAT},
		{A, TB, DATA, STATE, EARLY},
		{B, TA, DATA, STATE}}},
	{"another path, refused", {
		{A, TB, HEARTBEAT},
		{B, TC, ABORT_T, TAG},
		{B, TB, ABORT_T, DROP_NONE, HEARTBEAT_REFUSED}}},
	{"another path, then an INIT", {
		{A, TB, HEARTBEAT},
		{A, 0, INIT(HTC)},
		{B, TC, INIT_ACK(HTD)},
		{A, TD, COOKIE_ECHO},
		{B, TC, COOKIE_ACK}}},
	{"a path of an association that has begun anew", {
		{A, TB, HEARTBEAT},
		{B, TA, HEARTBEAT_ACK},
		{A, TD, HEARTBEAT},
		{B, TC, HEARTBEAT_ACK},
		{A, TD, DATA, DROP_NONE, HEARTBEAT_TAG},
		{B, TC, SACK},
		{A, TB, DATA, TAG},
		{B, TA, SACK, TAG}}},
	{"a forged HEARTBEAT changes no path", {HANDSHAKE,
		{A, TD, HEARTBEAT},
		{B, TA, HEARTBEAT_ACK},
		{A, TB, DATA},
		{B, TA, SACK},
		{A, TD, DATA, TAG}}},
	{"an INIT with a tag, and others without", {
		{A, TB, INIT(HTA), BAD},
		{A, 0, HEARTBEAT, BAD, TAG_ZERO},
		{A, 0, INIT("00000000"), BAD, TAG_ZERO}}},
	{"an INIT ACK that gives no tag", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK("00000000"), BAD, TAG_ZERO}}},
	{"chunks that stand alone", {
		{A, 0, INIT(HTA) DATA, BAD},
		{A, 0, INIT(HTA) INIT(HTA), BAD},
		{A, TB, DATA INIT(HTA), BAD},
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB) DATA, BAD},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, DATA COOKIE_ECHO, BAD},
		{A, TB, COOKIE_ECHO},
		{B, TA, SACK COOKIE_ACK, BAD},
		{B, TA, COOKIE_ACK},
		{A, TB, SHUTDOWN},
		{B, TA, SHUTDOWN_ACK},
		{A, TB, SACK COMPLETE, BAD},
		{A, TB, COMPLETE SACK, BAD},
		{A, TB, COMPLETE}}},
	{"an authenticated cookie", {
		{A, 0, INIT(HTA)},
		{B, TA, INIT_ACK(HTB)},
		{A, TB, AUTH COOKIE_ECHO, DROP_NONE, AUTH_FIRST}}},
	{"no chunk at all", {
		{A, 0, " ", BAD},
		{A, TB, " ", BAD}}},
	{"lengths that lie", {HANDSHAKE,
		{A, TB, "00030000 00000001", BAD},
		{A, TB, SACK "00030000 00000001", BAD},
		{A, TB, "00030003", BAD, CHUNK_LENGTH},
		{A, TB, "00030018 00000001 00000000 00000000 64617461", BAD, CHUNK_LENGTH},
		{A, TB, "0003ffff 00000001 00000000 00000000 64617461", BAD, CHUNK_LENGTH},
		{A, TB, DATA "0003fff0", BAD, CHUNK_LENGTH},
		{A, TB, DATA "00"},
		{A, TB, "00030011 00000001 00000000 00000000 64000000"},
		{A, TB, "00030011 00000001 00000000 00000000 64"}}},
	{"an INIT cut off", {
		{A, 0, "01000014" HTA "00010000 000a000a", BAD},
		{A, 0, "01000008" HTA, BAD},
		{A, 0, "01000010" HTA "00010000 000a000a", BAD},
		{A, 0, "01000004", BAD},
		{A, 0, "01000008" HTA "00010000 000a000a 00000001", BAD}}},
};
/* clang-format on */

#endif

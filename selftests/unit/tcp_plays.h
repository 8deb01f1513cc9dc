/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections played by hand: each segment, and what becomes of it. A is the client.
 */
#ifndef WEFT_UNIT_TCP_PLAYS_H
#define WEFT_UNIT_TCP_PLAYS_H

#include "selftests/unit/lib/duel.h"

struct step {
	struct segment s;
	enum drop_reason reason;
	enum difference difference;
};

struct play {
	const char *name;
	bool loose;
	struct step steps[20];
};

#define OUT   DROP_CT_TCP_WINDOW
#define STATE DROP_CT_TCP_STATE
#define NEW   DROP_CT_INVALID

#define NO_SCALE "02040578"
#define SCALE_7	 "02040578 01030307"
#define SCALE_2	 "02040578 01030302"

/* clang-format off */
#define HANDSHAKE \
	{{A, SYN, 100}}, \
	{{B, SYN | ACK, 500, 101}}, \
	{{A, ACK, 101, 501}}

static const struct play plays[] = {
	{"a whole connection", .steps = {HANDSHAKE,
		{{A, ACK | PSH, 101, 501, 50}},
		{{B, ACK, 501, 151}},
		{{B, ACK | PSH, 501, 151, 1000}},
		{{A, ACK, 151, 1501}},
		{{A, FIN | ACK, 151, 1501}},
		{{B, ACK, 1501, 152}},
		{{B, ACK, 1501, 152, 500}},
		{{A, ACK, 152, 2001}},
		{{B, FIN | ACK, 2001, 152}},
		{{A, ACK, 152, 2002}},
		{{A, SYN, 70000}}}},
	{"SYN and SYN-ACK sent again", .steps = {
		{{A, SYN, 100}},
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}}}},
	{"opened from both sides", .steps = {
		{{A, SYN, 100}},
		{{B, SYN, 500}},
		{{A, SYN | ACK, 100, 501}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}},
		{{B, ACK, 501, 101}},
		{{A, SYN | ACK, 100, 501}, DROP_NONE, CROSSED_SYN_ACK},
		{{A, ACK, 101, 501, 100}},
		{{B, ACK, 501, 201, 100}}}},
	{"data on the SYN, taken", .steps = {
		{{A, SYN, 100, 0, 400}},
		{{B, SYN | ACK, 500, 501}},
		{{B, ACK, 501, 501, 1000}},
		{{B, ACK, 1501, 501, 1000}},
		{{A, ACK, 501, 2501}},
		{{A, ACK, 501, 2501, 100}}}},
	{"data on the SYN, not taken", .steps = {
		{{A, SYN, 100, 0, 400}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501, 400}},
		{{B, ACK, 501, 501}}}},
	{"refused", .steps = {
		{{A, SYN, 100}},
		{{B, RST | ACK, 0, 101}}}},
	{"refused, with data on the SYN", .steps = {
		{{A, SYN, 100, 0, 400}},
		{{B, RST | ACK, 0, 501}}}},
	{"numbers that wrap", .steps = {
		{{A, SYN, 0xfffffff0}},
		{{B, SYN | ACK, 0xffffff00, 0xfffffff1}},
		{{A, ACK, 0xfffffff1, 0xffffff01, 100}},
		{{B, ACK, 0xffffff01, 0x00000055, 1000}},
		{{A, FIN | ACK, 0x00000055, 0x000002e9}},
		{{B, FIN | ACK, 0x000002e9, 0x00000056}},
		{{A, ACK, 0x00000056, 0x000002ea}}}},
	{"keep-alives and a closed window", .steps = {HANDSHAKE,
		{{A, ACK, 100, 501}},
		{{B, ACK, 501, 101}},
		{{A, ACK, 100, 501, 1}},
		{{B, ACK, 501, 101, 0, NO_WINDOW}},
		{{A, ACK, 101, 501, 1}},
		{{B, ACK, 501, 101, 0, NO_WINDOW}},
		{{A, ACK, 101, 501, 1}},
		{{B, ACK, 501, 102}},
		{{A, ACK, 102, 501, 1000}}}},
	{"windows are scaled if both ends offer it", .steps = {
		{{A, SYN, 100, 0, 0, 1000, SCALE_7}},
		{{B, SYN | ACK, 500, 101, 0, 1000, SCALE_2}},
		{{A, ACK, 101, 501, 0, 1000}},
		{{B, ACK, 501, 101, 0, 1000}},
		{{A, ACK, 4101, 501, 1, 1000}},
		{{A, ACK, 4102, 501, 1, 1000}, OUT, BEYOND_WINDOW},
		{{B, ACK, 128501, 101, 1}},
		{{B, ACK, 256505, 101, 1}, OUT}}},
	{"a window that was closed from the beginning", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101, 0, NO_WINDOW}},
		{{A, ACK, 101, 501, 1}},
		{{B, ACK, 501, 102, 0, NO_WINDOW}},
		{{A, ACK, 103, 501, 1}},
		{{A, ACK, 104, 501, 1}, OUT}}},
	{"the window of a SYN is never scaled", .steps = {
		{{A, SYN, 100, 0, 0, 1000, SCALE_7}},
		{{B, SYN | ACK, 500, 101, 0, 1000, SCALE_7}},
		{{A, ACK, 101, 501, 0, 8}},
		{{B, ACK, 501, 101, 1000}},
		{{A, ACK, 101, 1501, 0, 8}},
		{{B, ACK, 470, 101, 8}},
		{{B, ACK, 468, 101, 8}, OUT, OLD_SEGMENT}}},
	{"windows are not scaled if one does not", .steps = {
		{{A, SYN, 100, 0, 0, 1000, SCALE_7}},
		{{B, SYN | ACK, 500, 101, 0, 1000, NO_SCALE}},
		{{A, ACK, 101, 501, 0, 1000}},
		{{B, ACK, 501, 101, 0, 1000}},
		{{A, ACK, 1101, 501, 1, 1000}},
		{{B, ACK, 1501, 101, 1, 1000}},
		{{A, ACK, 4101, 501, 1}, OUT},
		{{B, ACK, 4501, 101, 1}, OUT}}},
	{"a scale beyond the largest is the largest", .steps = {
		{{A, SYN, 100, 0, 0, 1000, "030340 01"}},
		{{B, SYN | ACK, 500, 101, 0, 1000, "030300 01"}},
		{{A, ACK, 101, 501, 0, 1000}},
		{{B, ACK, 16000000, 101, 1}},
		{{B, ACK, 36000000, 101, 1}, OUT}}},
	{"options that lie about their length", .steps = {
		{{A, SYN, 100, 0, 0, 1000, "03000303 03070000"}},
		{{B, SYN | ACK, 500, 101, 0, 1000, SCALE_7}},
		{{A, ACK, 101, 501, 0, 1000}},
		{{B, ACK, 10501, 101, 1}, OUT}}},
	{"beyond the window", .steps = {HANDSHAKE,
		{{A, ACK, 8293, 501, 1}},
		{{A, ACK, 8294, 501, 1}, OUT, BEYOND_WINDOW},
		{{A, ACK, 30000, 501, 1}, OUT},
		{{A, ACK, 0x80000000, 501, 1}, OUT},
		{{B, ACK, 30000, 101, 1}, OUT}}},
	{"before the window", .steps = {HANDSHAKE,
		{{A, ACK, 101, 501, 1000}},
		{{B, ACK, 501, 1101}},
		{{A, ACK, 101, 501, 1000}},
		{{A, ACK, (uint32_t)-8000, 501, 1}, OUT, OLD_SEGMENT},
		{{A, ACK, (uint32_t)-70000, 501, 1}, OUT, OLD_SEGMENT}}},
	{"acknowledgements of what was not sent, and of long ago", .steps = {HANDSHAKE,
		{{A, ACK, 101, 502}, OUT},
		{{A, ACK, 101, 0x40000000}, OUT},
		{{A, ACK, 101, (uint32_t)(501 - 66000)}},
		{{A, ACK, 101, (uint32_t)(500 - 66000)}, OUT, OLD_SEGMENT},
		{{A, ACK, 101, 501 + 0x80000001}, OUT, OLD_SEGMENT}}},
	{"a blind RST", .steps = {HANDSHAKE,
		{{B, RST, 500}, OUT},
		{{B, RST, 30000}, OUT},
		{{B, RST, 0x90000000}, OUT},
		{{A, RST, 30000}, OUT},
		{{A, ACK, 101, 501, 10}}}},
	{"a RST in the window ends nothing", .steps = {HANDSHAKE,
		{{B, RST, 2000}},
		{{A, ACK, 101, 501, 10}},
		{{B, ACK, 501, 111, 10}},
		{{B, RST, 511}},
		{{A, SYN, 0x10000000}}}},
	{"a RST after data that was not acknowledged yet", .steps = {HANDSHAKE,
		{{A, ACK, 101, 501, 1000}},
		{{A, RST | ACK, 1101, 501}}}},
	{"a RST that acknowledges what was not sent", .steps = {HANDSHAKE,
		{{A, RST | ACK, 101, 502}, OUT},
		{{A, RST | ACK, 101, 0}}}},
	{"a blind SYN", .steps = {HANDSHAKE,
		{{A, SYN, 5000}},
		{{A, SYN, 0x90000000}},
		{{B, SYN, 501}, STATE},
		{{B, SYN, 0x90000000}, STATE},
		{{A, ACK, 101, 501, 10}},
		{{B, ACK, 501, 111, 10}}}},
	{"a SYN is answered with a challenge, and that with a RST", .steps = {HANDSHAKE,
		{{A, SYN, 7000}},
		{{B, ACK, 501, 101}},
		{{A, RST, 101}},
		{{A, SYN, 7000}},
		{{B, SYN | ACK, 90000, 7001}},
		{{A, ACK, 7001, 90001}}}},
	{"both ends have forgotten the connection", .steps = {HANDSHAKE,
		{{A, ACK, 101, 501, 1000}},
		{{B, ACK, 501, 1101}},
		{{A, SYN, 0x70000000, 0, 0, 1000, SCALE_7}},
		{{B, SYN | ACK, 0x30000000, 0x70000001, 0, 1000, SCALE_7}},
		{{A, ACK, 0x70000001, 0x30000001}},
		{{B, ACK, 0x30000001, 0x70000001, 1000}},
		{{A, ACK, 0x70000001, 0x300003e9, 1000}},
		{{A, ACK, 1101, 501, 1}, OUT, OLD_SEGMENT}}},
	{"the server believes in an older connection", .steps = {
		{{A, SYN, 100}},
		{{B, ACK, 77777, 88888}},
		{{A, RST, 88888}},
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}}}},
	{"a blind SYN-ACK", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 102}, OUT},
		{{B, SYN | ACK, 500, 100}, OUT, HANDSHAKE_NUMBER},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}},
		{{A, SYN | ACK, 9000, 501}, OUT},
		{{B, SYN | ACK, 0x70000000, 101}, OUT, SYN_ACK_AGAIN}}},
	{"the ACK of a handshake must hit its number", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 502}, OUT},
		{{A, ACK, 101, 500}, OUT, HANDSHAKE_NUMBER},
		{{A, ACK, 101, 501}}}},
	{"nobody speaks before it", .steps = {
		{{A, ACK, 101, 501}, NEW},
		{{A, ACK, 101, 501, 10}, NEW},
		{{A, RST, 101}, NEW},
		{{A, FIN | ACK, 101, 501}, NEW},
		{{B, SYN | ACK, 500, 101}, NEW},
		{{A, SYN, 100}},
		{{A, ACK, 101, 501}, STATE},
		{{A, FIN | ACK, 101, 501}, STATE},
		{{B, FIN | ACK, 500, 101}, STATE},
		{{B, ACK, 500, 101, 10}, STATE, EARLY_DATA},
		{{B, SYN | ACK, 500, 101}},
		{{A, ACK, 101, 501}}}},
	{"flags that cannot be", .steps = {HANDSHAKE,
		{{A, 0, 101, 501}, DROP_BAD_L4},
		{{A, FIN, 101, 501}, DROP_BAD_L4},
		{{A, PSH, 101, 501, 1}, DROP_BAD_L4},
		{{A, SYN | FIN, 101, 501}, DROP_BAD_L4},
		{{A, SYN | RST, 101, 501}, DROP_BAD_L4},
		{{A, RST | FIN | ACK, 101, 501}, DROP_BAD_L4},
		{{A, SYN | FIN | RST | ACK | PSH | 32, 101, 501}, DROP_BAD_L4},
		{{A, RST | 32, 101, 501}, DROP_BAD_L4},
		{{A, SYN | ACK | 32, 101, 501}, DROP_BAD_L4},
		{{A, ACK | 32 | PSH, 101, 501, 1}},
		{{A, FIN | ACK | 32, 102, 501}}}},
	{"a RST of a closing connection must hit the window", .steps = {HANDSHAKE,
		{{A, FIN | ACK, 101, 501}},
		{{B, ACK, 501, 102}},
		{{B, RST, 40000}, OUT, RST_NUMBER},
		{{B, RST, 501}}}},
	{"closed by numbers, not by flags", .steps = {HANDSHAKE,
		{{A, FIN | ACK, 101, 501}},
		{{B, FIN | ACK, 501, 101}},
		{{A, ACK, 102, 501}},
		{{B, SYN, 9000}, STATE, CLOSED_BY_NUMBER}}},
	{"the opener's RST", .steps = {
		{{A, SYN, 100}},
		{{A, RST, 50}, OUT, RST_NUMBER}}},
	{"a refusal that refuses another SYN", .steps = {
		{{A, SYN, 100}},
		{{B, RST | ACK, 0, 102}, OUT, RST_NUMBER}}},
	{"a blind refusal is not learned from", .steps = {
		{{A, SYN, 100}},
		{{B, RST | ACK, 0x10000000, 1100000}, OUT},
		{{B, SYN | ACK, 0x90000001, 101}, DROP_NONE, RST_NUMBER}}},
	{"a refusal of an older SYN", .steps = {
		{{A, SYN, 100}},
		{{B, RST | ACK, 0, 99}, OUT, RST_NUMBER}}},
	{"a refusal that acknowledges nothing", .steps = {
		{{A, SYN, 100}},
		{{B, RST, 0}, OUT, RST_NUMBER}}},
	{"a SYN again, with a lower number", .steps = {
		{{A, SYN, 0x20000000}},
		{{A, SYN, 0x10000000}},
		{{B, SYN | ACK, 500, 0x10000001}},
		{{A, ACK, 0x10000001, 501}, DROP_NONE, SYN_RENEWED}}},
	{"a SYN-ACK again, with another number, as from a cookie", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{B, SYN | ACK, 90000, 101}},
		{{A, ACK, 101, 90001}, DROP_NONE, SYN_RENEWED}}},
	{"selective acknowledgement of what was not sent", .steps = {
		{{A, SYN, 100, 0, 0, 8192, "0402 0101"}},
		{{B, SYN | ACK, 500, 101, 0, 8192, "0402 0101"}},
		{{A, ACK, 101, 501}},
		{{A, ACK, 101, 501, 0, 8192, "0101 050a 00001000 00002000"}, DROP_NONE, SACK_UNREAD}}},
	{"selective acknowledgement", .steps = {
		{{A, SYN, 100, 0, 0, 8192, "0402 0101"}},
		{{B, SYN | ACK, 500, 101, 0, 8192, "0402 0101"}},
		{{A, ACK, 101, 501}},
		{{B, ACK, 501, 101, 1000}},
		{{B, ACK, 1501, 101, 1000}},
		{{A, ACK, 101, 501, 0, 8192, "0101 050a 000005dd 000009c5"}},
		{{B, ACK, 501, 101, 1000}},
		{{A, ACK, 101, 2501}}}},
	{"after a reset the other end may begin", .steps = {HANDSHAKE,
		{{A, RST, 101}},
		{{B, SYN, 9000}, DROP_NONE, AFTER_RESET}}},
	{"a SYN-ACK that crosses the opener's RST", .steps = {
		{{A, SYN, 100}},
		{{A, RST, 101}},
		{{B, SYN | ACK, 500, 101}, STATE}}},
	{"a handshake that was reset goes no further", .steps = {
		{{A, SYN, 100}},
		{{B, SYN | ACK, 500, 101}},
		{{A, RST, 101}},
		{{B, SYN | ACK, 500, 101}, STATE, AFTER_RESET},
		{{A, ACK, 101, 501}, STATE, AFTER_RESET},
		{{A, SYN, 9000}},
		{{B, SYN | ACK, 7000, 9001}},
		{{A, ACK, 9001, 7001}}}},
	{"the opener's RST has no acknowledgement", .steps = {
		{{A, SYN, 100}},
		{{A, RST | ACK, 101, 66001}, OUT}}},
	{"after the close the other end may begin", .steps = {HANDSHAKE,
		{{A, FIN | ACK, 101, 501}},
		{{B, FIN | ACK, 501, 102}},
		{{A, ACK, 102, 502}},
		{{B, SYN, 9000}},
		{{A, SYN | ACK, 700, 9001}},
		{{B, ACK, 9001, 701}}}},
	{"loose: picked up in the middle", true, {
		{{A, ACK, 1000, 5000, 10}},
		{{B, ACK, 5000, 1010, 1000}},
		{{A, ACK, 1010, 6000}},
		{{B, ACK, 4000, 1010, 1000}},
		{{A, ACK, 1010, 9000}},
		{{A, FIN | ACK, 1010, 9000}},
		{{B, FIN | ACK, 9000, 1011}},
		{{A, ACK, 1011, 9001}}}},
	{"loose: never by FIN, RST or SYN-ACK", true, {
		{{A, FIN | ACK, 1000, 5000}, NEW},
		{{A, RST, 1000, 5000}, NEW},
		{{A, RST | ACK, 1000, 5000}, NEW},
		{{B, SYN | ACK, 1000, 5000}, NEW}}},
};
/* clang-format on */

#endif

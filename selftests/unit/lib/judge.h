/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An independent judge of connections: a network namespace that forwards between two devices, A and
 * B behind one each, and drops what nf_conntrack calls invalid.
 */
#ifndef WEFT_UNIT_JUDGE_H
#define WEFT_UNIT_JUDGE_H

#include "frame.h"

struct judge;

/* NULL, and *why says so, where this machine has no nf_conntrack or nftables. Ends with the process. */
struct judge *judge_open(const char **why);
/* Does a frame from A (else from B) come out on the other side? */
bool judge_passes(struct judge *j, bool from_a, const struct frame *f);
/* nf_conntrack_tcp_loose, for connections that begin from now on. */
void judge_set_loose(struct judge *j, bool loose);

/* nf_conntrack's setting of that name, for what comes from now on. */
void judge_set(struct judge *j, const char *name, uint32_t value);
/* From now on B begins nothing: what it sends passes only in a flow. */
void judge_let_a_begin(struct judge *j);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sink.h: what sink.c tells sink.bpf.c. */
#ifndef WEFT_SINK_H
#define WEFT_SINK_H

struct sink_options {
	__u64 turn_ns; /* counted apart in every second turn; 0: never */
	__u8 protocol;
};

#endif

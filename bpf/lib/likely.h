/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which way most packets go: those of a settled flow without a chain. The compiler puts their instructions beside
 * each other and all else behind. A hook's code is mostly not in the processor's first cache, since a whole network stack
 * has run since the last packet, so each of its lines that a packet's way touches costs; half of them held what it jumped over.
 * Verdicts are the same without.
 */
#ifndef WEFT_BPF_LIKELY_H
#define WEFT_BPF_LIKELY_H

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif

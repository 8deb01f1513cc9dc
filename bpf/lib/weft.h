/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every hook begins with. The Makefile compiles a hook twice; FLAVOUR_XDP chooses which primitives the
 * stages stand on, and is asked nowhere else.
 */
#ifndef WEFT_BPF_WEFT_H
#define WEFT_BPF_WEFT_H

#include "vmlinux.h"
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/pkt.h"
#include "maps/chain.bpf.h"
#include "maps/flow.bpf.h"
#include "maps/flow_event.bpf.h"
#include "maps/fragment.bpf.h"
#include "maps/host.bpf.h"
#include "maps/port.bpf.h"
#include "maps/syn_proxy.bpf.h"
#include "maps/stats.bpf.h"

#ifdef FLAVOUR_XDP
#include "lib/ctx_xdp.h"
#else
#include "lib/ctx_tc.h"
#endif

/*
 * The one place where packet pointers are made. NULL if [offset, offset + len) is not all there. The
 * barrier keeps clang from bounding one copy of the offset and adding another, which the verifier does not
 * believe (clang 14–19).
 */
#define OFFSET_MAX 1024

static __always_inline void *at(ctx_t *ctx, __u64 offset, __u32 len)
{
	/* volatile: two loads that clang merges across a helper call become a number, not a pointer. */
	void *data = (void *)(long)*(const volatile __u32 *)&ctx->data;
	void *end = (void *)(long)*(const volatile __u32 *)&ctx->data_end;

	asm volatile("" : "+r"(offset));
	if (offset > OFFSET_MAX)
		return NULL;
	data += offset;
	if (data + len > end)
		return NULL;
	return data;
}

#endif

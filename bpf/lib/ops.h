/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef WEFT_BPF_OPS_H
#define WEFT_BPF_OPS_H

#if WEFT_XDP
#include "lib/ops_xdp.h"
#else
#include "lib/ops_tc.h"
#endif

#endif

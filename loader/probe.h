/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel can do. Each answer is found once by trying and then remembered. */
#ifndef WEFT_PROBE_H
#define WEFT_PROBE_H

#include <stdbool.h>

#include "loader/error.h"

bool probe_tcx(void);		/* TC programs by links (6.6) */
bool probe_read_in_place(void);	/* bpf_rdonly_cast() (6.2) */
bool probe_decap_l3(void);	/* bpf_skb_adjust_room() can tell the decapsulated family (6.3) */

/* Can programs be loaded at all? Refuses with cause and remedy. */
int probe_bpf(struct error *e);

#endif

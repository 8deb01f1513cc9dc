/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Weft's own tunnel device: an idle VXLAN device without an address. Its socket makes the kernel coalesce (GRO) what
 * arrives on the tunnel's UDP port, and its forwarding flag lets bpf_fib_lookup() answer without making the host a router.
 */
#ifndef WEFT_TUNNEL_H
#define WEFT_TUNNEL_H

#include "loader/root.h"

#define TUNNEL_DEVICE "weft-vxlan"
#define TUNNEL_PORT 4789

/* Makes the device, or finds ours, and sees that it is up; fills its ifindex. */
int tunnel_up(const struct root *root, unsigned int *ifindex, struct error *e);
/* Removes the device if this root made it. */
int tunnel_down(const struct root *root, struct error *e);

#endif

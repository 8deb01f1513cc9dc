/* SPDX-License-Identifier: BSD-2-Clause */
/* A device's offloads, turned off with memory. */
#ifndef WEFT_OFFLOADS_H
#define WEFT_OFFLOADS_H

#include "device.h"

enum offload_set {
	OFFLOAD_TRANSMIT = 1 << 0,	/* unfinished checksums, super-packets, tags beside frames: the kernel finishes, cuts, inserts */
	OFFLOAD_VLAN_RECEIVE = 1 << 1,	/* VLAN tags taken out of received frames */
};

/*
 * Makes `sets`, and only them, be off: what is on is turned off and remembered in `off`, what `off` remembers
 * beyond them is turned on again. Fills `off` (features that were on) before it changes the device if `plan`, and
 * then changes nothing. Returns 0 or -errno.
 */
int offloads_off(const char *device, unsigned int sets, __u32 off[DEVICE_FEATURE_BLOCKS], int plan);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What weft did to devices, so that it can be undone. Not read by packets. */
#ifndef WEFT_DEVICE_H
#define WEFT_DEVICE_H

#include "base.h"

#define DEVICES_MAX 32768

enum device_role {
	DEVICE_PORT = 0,	/* enum role of the loader */
	DEVICE_UNDERLAY = 1,
	DEVICE_SF = 2,
	DEVICE_TUNNEL = 3,	/* weft's own tunnel device */
};

enum device_flags {
	DEVICE_TC = 1 << 0,		/* the role's program at TC ingress */
	DEVICE_GUARD = 1 << 1,		/* the guard at TC egress */
	DEVICE_XDP = 1 << 2,		/* the role's program at XDP */
	DEVICE_CLSACT = 1 << 3,		/* the TC hooks are clsact filters, not TCX links */
	DEVICE_QDISC = 1 << 4,		/* the clsact qdisc is weft's too */
	DEVICE_FINISH = 1 << 5,		/* offloads: finish */
	DEVICE_UNFINISHED = 1 << 6,	/* what is written here was begun, and may not be done */
	DEVICE_BESIDE = 1 << 7,		/* the operator wants it so although others have TC programs there */
};

/* devices: name -> record. Written before the device is touched, deleted after all is undone. */
struct device_key {
	char name[16];
};

#define DEVICE_FEATURE_BLOCKS 4

struct device {
	__u64 netns;		/* cookie of the network namespace */
	__u32 ifindex;		/* a device of the same name with another ifindex is another device */
	__u8 role;		/* enum device_role */
	__u8 mode;		/* as asked for */
	__u8 flags;		/* enum device_flags */
	__u8 pad;
	__u32 features[DEVICE_FEATURE_BLOCKS];	/* ethtool features that weft turned off */
};

weft_static_assert(sizeof(struct device) == 32);

#endif

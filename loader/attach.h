/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs on devices. A hook is attached with TCX links where the kernel has them (6.6), else with
 * clsact filters; XDP with links. Links are pinned as <root>/link/<device>:<hook>, a second attach
 * updates the link in place and never stacks. Foreign programs on a device are never replaced.
 * Devices are those of the current network namespace.
 */
#ifndef WEFT_ATTACH_H
#define WEFT_ATTACH_H

#include <net/if.h>
#include "root.h"

enum role { ROLE_PORT, ROLE_UNDERLAY, ROLE_SF };	/* programs port, underlay, sf */
enum device_mode { MODE_AUTO, MODE_TC, MODE_XDP };

#define ATTACH_NOTE_SIZE 160

struct attachment {
	char device[IFNAMSIZ];
	unsigned int ifindex;	/* 0: not all of it is there; attach it again */
	enum role role;
	bool xdp;		/* XDP is attached besides TC */
	bool xdp_unfit;		/* and must not be any more: attach the device again */
	bool guard;		/* the egress guard is attached (ports and functions) */
	bool clsact;		/* the TC hooks are clsact filters, not TCX links */
	bool present;		/* the device still exists, with this ifindex */
	bool hidden;		/* its links are not this user's to look at: nothing is known of its hooks */
	bool finish;		/* offloads: finish */
	enum device_mode mode;	/* as asked for */
	char note[ATTACH_NOTE_SIZE];	/* why XDP does not do all that it was asked for; "" else */
};

/*
 * Attaches what `role` needs to the device: TC ingress always, the egress guard on ports and functions,
 * XDP when mode says so. `offloads_finish`: what is sent to the device has finished checksums and is cut
 * (its offloads are turned off, and on again at detach). Fills `got`. Refuses (exit code 2) foreign XDP or TC
 * programs by name and id (with `beside` TC programs of others may stay where ours can be ahead of them, and the device's
 * record says so; never XDP), a device that holds another role, and XDP where it is not possible; an absent
 * device is -1 with exit code 0. A repeated call changes only what differs.
 *
 * MODE_AUTO of an underlay looks at the ports that are attached by then: attach it again after them.
 */
int attach_device(const struct root *root, const char *device, enum role role, enum device_mode mode,
		  bool offloads_finish, bool beside, struct attachment *got, struct error *error);
/* What attach_device() would refuse the device for, without touching it: foreign programs, another role. */
int attach_check(const struct root *root, const char *device, enum role role, bool beside,
		 struct error *error);
/*
 * A port's device becomes a function's, or the reverse: attach_device() then changes its programs in place, so that
 * at no moment the host's own stack may speak to what is behind it.
 */
int attach_switch_role(const struct root *root, const char *device, enum role role, struct error *error);
/* After a load: puts the present programs on all devices that have weft's. Exit code 4 if one cannot be renewed. */
int attach_renew(const struct root *root, struct error *error);
/* Detaches and unpins everything of weft's on the device; the device may be gone. */
int detach_device(const struct root *root, const char *device, struct error *error);
/* What is attached now, from the pins and the kernel; *list is malloc'ed. Returns how many, or -1. */
int attachments(const struct root *root, struct attachment **list, struct error *error);

/* Properties of a device that the port record tells the datapath. */
struct device_info {
	unsigned int ifindex;
	unsigned int mtu;
	char kind[16];		/* "veth", "tun", "vxlan", …; "" for hardware */
	bool peer_elsewhere;	/* a veth whose peer is in another network namespace: PORT_PEER */
	bool up;
	bool loopback;
};

struct nl_link;
void device_info_of(const struct nl_link *link, struct device_info *info);
int device_info(const char *device, struct device_info *info, struct error *error);	/* -1 and exit_code 0 if absent */
/* True if a frame redirected by XDP was seen to reach the veth's peer (NAPI there): PORT_XDP_DELIVER. */
bool device_takes_xdp(const struct root *root, const char *device);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices, qdiscs and filters of the current network namespace, over rtnetlink and generic netlink. */
#ifndef WEFT_NETLINK_H
#define WEFT_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nl_link {
	char name[IFNAMSIZ];
	unsigned int ifindex;
	unsigned int mtu;
	unsigned int peer;	/* ifindex of a veth's peer, or of the lower device; 0: none */
	unsigned int master;	/* of the bridge or bond that it is in; 0: none */
	bool peer_elsewhere;	/* `peer` is of another network namespace */
	int32_t peer_netns;	/* its id in this namespace, or -1 */
	bool up;
	bool loopback;
	bool vnet_hdr;		/* a tap whose user may leave checksums and segmentation to others */
	bool vnifilter;		/* a VXLAN device that takes only the VNIs that it was told */
	char kind[16];		/* "veth", "tun", …; "" for hardware */
	uint8_t mac[6];
	uint32_t xdp_program;	/* id of the XDP program on it, in whatever mode; 0: none */
};

/* By name. Returns 0 or -errno; -ENODEV if there is none. */
int nl_link_get(const char *name, struct nl_link *link);
/* By index. */
int nl_link_by_index(unsigned int ifindex, struct nl_link *link);

/* All of them at once, to be looked up by name: much cheaper than a question each. */
struct nl_links {
	struct nl_link *list; /* by name */
	size_t n, room;
};

/* Returns 0 or -errno. */
int nl_links_read(struct nl_links *links);
/* NULL if there is none. */
const struct nl_link *nl_links_find(const struct nl_links *links, const char *name);
void nl_links_free(struct nl_links *links);

/* `vxlan external dstport PORT nolearning`, down. Returns 0 or -errno. */
int nl_vxlan_create(const char *name, const uint8_t mac[6], uint16_t port);
/* A pair of veth devices, down. */
int nl_veth_create(const char *name, const char *peer);
int nl_link_up(unsigned int ifindex);
int nl_link_delete(unsigned int ifindex);

struct nl_filter {
	uint32_t handle;
	uint32_t priority;
	uint32_t program;	/* id; 0: not a BPF filter */
	char kind[16];
	char name[64];
};

/*
 * The filters at a device's clsact (or ingress) qdisc. Returns how many there are, of which the first `room` are
 * stored; 0 also without such a qdisc; or -errno.
 */
int nl_filters(unsigned int ifindex, bool egress, struct nl_filter *list, int room);

/* Is there a qdisc of ingress kind, and which: "clsact", "ingress" or "". Returns 0 or -errno. */
int nl_ingress_qdisc(unsigned int ifindex, char kind[16]);
int nl_clsact_add(unsigned int ifindex);
int nl_clsact_delete(unsigned int ifindex);

/* Devices that a default route leads to, of either family. Returns how many there are, of which `room` are stored, or -errno. */
int nl_default_routes(unsigned int *devices, int room);
/* The device by which an address is reached, "192.0.2.1" or "2001:db8::1"; 0: by none. */
unsigned int nl_route_to(const char *address);

/* What the kernel says that a device's driver can do for XDP (6.3 and later). Returns 0 or -errno. */
struct nl_xdp_features {
	uint64_t actions;	/* NETDEV_XDP_ACT_* */
	uint64_t metadata;	/* NETDEV_XDP_RX_METADATA_* */
};

int nl_xdp_features(unsigned int ifindex, struct nl_xdp_features *features);

#define NL_XDP_BASIC 1u			/* NETDEV_XDP_ACT_BASIC */
#define NL_XDP_NDO_XMIT 4u		/* NETDEV_XDP_ACT_NDO_XMIT */
#define NL_XDP_METADATA_VLAN 4u		/* NETDEV_XDP_RX_METADATA_VLAN_TAG */

#endif

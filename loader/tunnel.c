// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "loader/netlink.h"
#include "loader/system.h"
#include "loader/tunnel.h"

/*
 * The device's MAC tells whose it is: it is made of the root's path and given in the very request that creates the
 * device, so that also a device whose creator was killed right then is known again.
 */
static void own_mac(const struct root *root, uint8_t mac[6])
{
	uint32_t hash = 2166136261u;

	for (const char *p = root->path; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	mac[0] = 0x02;
	mac[1] = 'w';
	memcpy(mac + 2, &hash, 4);
}

static bool is_own(const struct root *root, const struct nl_link *link)
{
	uint8_t mac[6];

	own_mac(root, mac);
	return !strcmp(link->kind, "vxlan") && !memcmp(link->mac, mac, sizeof(mac));
}

static int create(const struct root *root, struct error *e)
{
	uint8_t mac[6];
	int err;

	own_mac(root, mac);
	err = nl_vxlan_create(TUNNEL_DEVICE, mac, TUNNEL_PORT);
	if (err == -EOPNOTSUPP)
		return error_set(
			e, EXIT_REFUSED,
			"tunnel device " TUNNEL_DEVICE
			": this kernel has no VXLAN devices: load the module vxlan, or use a kernel with CONFIG_VXLAN");
	if (err == -EEXIST)
		return error_set(
			e, EXIT_REFUSED,
			"tunnel device " TUNNEL_DEVICE
			": another VXLAN device uses UDP port %d in this network namespace (`ip -d link show type vxlan`): remove it",
			TUNNEL_PORT);
	if (err)
		return error_set(e, EXIT_REFUSED,
				 "tunnel device " TUNNEL_DEVICE ": cannot be made: %s",
				 strerror(-err));
	return 0;
}

static int set_up(unsigned int ifindex, struct error *e)
{
	int err;

	/* It shall never say anything: no link-local address, no router solicitation. */
	sysctl_write("net/ipv6/conf/" TUNNEL_DEVICE "/disable_ipv6", "1");
	err = sysctl_write("net/ipv4/conf/" TUNNEL_DEVICE "/forwarding", "1");
	if (err)
		return error_set(e, EXIT_REFUSED,
				 "tunnel device " TUNNEL_DEVICE
				 ": cannot set its forwarding flag in /proc/sys: %s",
				 strerror(-err));
	err = nl_link_up(ifindex);
	if (err == -EADDRINUSE)
		return error_set(
			e, EXIT_REFUSED,
			"tunnel device " TUNNEL_DEVICE
			": UDP port %d is in use in this network namespace (`ss -ulnp`): stop that program",
			TUNNEL_PORT);
	if (err)
		return error_set(e, EXIT_REFUSED,
				 "tunnel device " TUNNEL_DEVICE ": cannot be set up: %s",
				 strerror(-err));
	return 0;
}

/*
 * Builds before the VNI filter made a device that decapsulates what is passed up. It goes for a new one: it sends nothing
 * itself, and while it is not there the programs send by the next hops that they know (next_hop_refresh).
 */
static int remove_outdated(const struct nl_link *link, struct error *e)
{
	int err = nl_link_delete(link->ifindex);

	if (err && err != -ENODEV)
		return error_set(e, EXIT_REFUSED,
				 "tunnel device " TUNNEL_DEVICE
				 ": it was made by an older weft, and cannot be replaced: %s",
				 strerror(-err));
	return 0;
}

int tunnel_up(const struct root *root, unsigned int *ifindex, struct error *e)
{
	struct nl_link link;
	int err = nl_link_get(TUNNEL_DEVICE, &link);

	if (err && err != -ENODEV)
		return error_set(e, EXIT_REFUSED, "tunnel device " TUNNEL_DEVICE ": %s",
				 strerror(-err));
	if (!err && !is_own(root, &link))
		return error_set(
			e, EXIT_REFUSED,
			"device " TUNNEL_DEVICE
			" exists and is not of root %s: unload the other root, or remove the device",
			root->path);
	if (!err && !link.vnifilter) {
		if (remove_outdated(&link, e))
			return -1;
		err = -ENODEV;
	}
	if (err) {
		if (create(root, e))
			return -1;
		err = nl_link_get(TUNNEL_DEVICE, &link);
		if (err)
			return error_set(e, EXIT_REFUSED, "tunnel device " TUNNEL_DEVICE ": %s",
					 strerror(-err));
	}
	*ifindex = link.ifindex;
	return set_up(link.ifindex, e);
}

int tunnel_down(const struct root *root, struct error *e)
{
	struct nl_link link;
	int err = nl_link_get(TUNNEL_DEVICE, &link);

	if (err || !is_own(root, &link))
		return 0;
	err = nl_link_delete(link.ifindex);
	if (err && err != -ENODEV)
		return error_set(e, EXIT_PARTLY,
				 "tunnel device " TUNNEL_DEVICE ": cannot be removed: %s",
				 strerror(-err));
	return 0;
}

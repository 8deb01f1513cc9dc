// SPDX-License-Identifier: BSD-2-Clause
/* What the kernel says of devices: of one, or of all at once. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/netlink.h"
#include "loader/netlink_talk.h"

static bool flag_in(const struct nlattr *nested, unsigned int type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nested) if (mnl_attr_get_type(attr) == type)
		return mnl_attr_get_u8(attr);
	return false;
}

static void link_info(const struct nlattr *nested, struct nl_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nested)
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_INFO_KIND:
			snprintf(link->kind, sizeof(link->kind), "%s", mnl_attr_get_str(attr));
			break;
		case IFLA_INFO_DATA: /* comes after the kind */
			link->vnet_hdr = !strcmp(link->kind, "tun") && flag_in(attr, IFLA_TUN_VNET_HDR);
			link->vnifilter = !strcmp(link->kind, "vxlan") &&
					  flag_in(attr, IFLA_VXLAN_VNIFILTER);
			break;
		}
	}
}

/* With programs in several modes at once there is no common id, and any of them will do. */
static void link_xdp(const struct nlattr *nested, struct nl_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nested)
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_XDP_PROG_ID:
		case IFLA_XDP_DRV_PROG_ID:
		case IFLA_XDP_SKB_PROG_ID:
		case IFLA_XDP_HW_PROG_ID:
			if (!link->xdp_program)
				link->xdp_program = mnl_attr_get_u32(attr);
			break;
		}
	}
}

static int on_link(const struct nlmsghdr *h, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	struct nl_link *link = data;

	memset(link, 0, sizeof(*link));
	link->ifindex = (unsigned int)info->ifi_index;
	link->up = info->ifi_flags & IFF_UP;
	link->loopback = info->ifi_flags & IFF_LOOPBACK;
	link->peer_netns = -1;
	mnl_attr_for_each(attr, h, sizeof(*info))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
			break;
		case IFLA_MTU:
			link->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK:
			link->peer = mnl_attr_get_u32(attr);
			break;
		case IFLA_MASTER:
			link->master = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK_NETNSID:
			link->peer_elsewhere = true;
			link->peer_netns = (int32_t)mnl_attr_get_u32(attr);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attr) == sizeof(link->mac))
				memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
			break;
		case IFLA_LINKINFO:
			link_info(attr, link);
			break;
		case IFLA_XDP:
			link_xdp(attr, link);
			break;
		}
	}
	return MNL_CB_OK;
}

static int link_get(unsigned int ifindex, const char *name, struct nl_link *link)
{
	char buf[512];
	struct nlmsghdr *h = nl_message(buf, RTM_GETLINK, NLM_F_ACK);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));

	info->ifi_index = (int)ifindex;
	if (name)
		mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nl_talk(NETLINK_ROUTE, h, on_link, link);
}

int nl_link_get(const char *name, struct nl_link *link)
{
	size_t len = strlen(name);

	if (!len || len >= IFNAMSIZ)
		return -ENODEV;
	return link_get(0, name, link);
}

int nl_link_by_index(unsigned int ifindex, struct nl_link *link)
{
	return ifindex ? link_get(ifindex, NULL, link) : -ENODEV;
}

static int on_links(const struct nlmsghdr *h, void *data)
{
	struct nl_links *links = data;

	links->list = alloc_grow(links->list, &links->room, links->n + 1, sizeof(*links->list));
	return on_link(h, &links->list[links->n++]);
}

static int by_name(const void *a, const void *b)
{
	const struct nl_link *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int nl_links_read(struct nl_links *links)
{
	char buf[512];
	struct nlmsghdr *h = nl_message(buf, RTM_GETLINK, NLM_F_DUMP);
	int err;

	*links = (struct nl_links){ 0 };
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	err = nl_talk(NETLINK_ROUTE, h, on_links, links);
	if (err)
		nl_links_free(links);
	else if (links->n)
		qsort(links->list, links->n, sizeof(*links->list), by_name);
	return err;
}

const struct nl_link *nl_links_find(const struct nl_links *links, const char *name)
{
	struct nl_link wanted;

	if (!links->n || strlen(name) >= sizeof(wanted.name))
		return NULL;
	snprintf(wanted.name, sizeof(wanted.name), "%s", name);
	return bsearch(&wanted, links->list, links->n, sizeof(wanted), by_name);
}

void nl_links_free(struct nl_links *links)
{
	free(links->list);
	*links = (struct nl_links){ 0 };
}

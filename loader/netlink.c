// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/netlink.h"
#include "loader/netlink_talk.h"

/* One request at a time; larger than any answer's datagram. */
#define BUFFER_SIZE    32768

#define CLSACT_INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
#define CLSACT_EGRESS  TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)

/* Sends `request` and gives each answer to `cb`. Returns 0 or -errno. */
int nl_talk(int protocol, struct nlmsghdr *request, mnl_cb_t cb, void *data)
{
	static unsigned int sequence;
	static char answer[BUFFER_SIZE];
	struct mnl_socket *sock = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	int ret = -1, one = 1;
	ssize_t n;

	if (!sock)
		return -errno;
	/* Without it the kernel copies the whole request into an error's answer. */
	mnl_socket_setsockopt(sock, NETLINK_CAP_ACK, &one, sizeof(one));
	request->nlmsg_seq = ++sequence;
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(sock, request, request->nlmsg_len) < 0)
		goto out;
	do {
		n = mnl_socket_recvfrom(sock, answer, sizeof(answer));
		if (n < 0)
			break;
		ret = mnl_cb_run(answer, (size_t)n, request->nlmsg_seq, mnl_socket_get_portid(sock),
				 cb, data);
	} while (ret > 0);
	if (n < 0)
		ret = -1;
out:
	ret = ret < 0 ? -errno : 0;
	mnl_socket_close(sock);
	return ret;
}

struct nlmsghdr *nl_message(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	return h;
}

/* ---- making links ---- */

int nl_vxlan_create(const char *name, const uint8_t mac[6], uint16_t port)
{
	char buf[1024];
	struct nlmsghdr *h = nl_message(buf, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data;

	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "vxlan");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u8(h, IFLA_VXLAN_COLLECT_METADATA, 1);
	mnl_attr_put_u8(h, IFLA_VXLAN_LEARNING, 0);
	/* It has no VNI, so the kernel itself decapsulates nothing: what our programs pass up ends there. */
	mnl_attr_put_u8(h, IFLA_VXLAN_VNIFILTER, 1);
	mnl_attr_put_u16(h, IFLA_VXLAN_PORT, htons(port));
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return nl_talk(NETLINK_ROUTE, h, NULL, NULL);
}

int nl_veth_create(const char *name, const char *peer)
{
	char buf[1024];
	struct nlmsghdr *h = nl_message(buf, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *other;

	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(h, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, peer);
	mnl_attr_nest_end(h, other);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return nl_talk(NETLINK_ROUTE, h, NULL, NULL);
}

int nl_link_up(unsigned int ifindex)
{
	char buf[256];
	struct nlmsghdr *h = nl_message(buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));

	info->ifi_index = (int)ifindex;
	info->ifi_flags = info->ifi_change = IFF_UP;
	return nl_talk(NETLINK_ROUTE, h, NULL, NULL);
}

int nl_link_delete(unsigned int ifindex)
{
	char buf[256];
	struct nlmsghdr *h = nl_message(buf, RTM_DELLINK, NLM_F_ACK);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));

	info->ifi_index = (int)ifindex;
	return nl_talk(NETLINK_ROUTE, h, NULL, NULL);
}

/* ---- qdiscs and filters ---- */

struct filter_list {
	struct nl_filter *list;
	int n, room;
};

static int on_filter(const struct nlmsghdr *h, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *option;
	struct filter_list *all = data;
	struct nl_filter f = { 0 };

	/* Each classifier is announced once by itself, with handle 0. */
	if (h->nlmsg_type != RTM_NEWTFILTER || !tc->tcm_handle)
		return MNL_CB_OK;
	f.handle = tc->tcm_handle;
	f.priority = tc->tcm_info >> 16;
	mnl_attr_for_each(attr, h, sizeof(*tc))
	{
		if (mnl_attr_get_type(attr) == TCA_KIND)
			snprintf(f.kind, sizeof(f.kind), "%s", mnl_attr_get_str(attr));
		if (mnl_attr_get_type(attr) != TCA_OPTIONS || strcmp(f.kind, "bpf"))
			continue;
		mnl_attr_for_each_nested(option, attr)
		{
			if (mnl_attr_get_type(option) == TCA_BPF_ID)
				f.program = mnl_attr_get_u32(option);
			if (mnl_attr_get_type(option) == TCA_BPF_NAME)
				snprintf(f.name, sizeof(f.name), "%s", mnl_attr_get_str(option));
		}
	}
	if (all->n < all->room)
		all->list[all->n] = f;
	all->n++;
	return MNL_CB_OK;
}

int nl_filters(unsigned int ifindex, bool egress, struct nl_filter *list, int room)
{
	char buf[256], kind[16];
	struct nlmsghdr *h = nl_message(buf, RTM_GETTFILTER, NLM_F_DUMP);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(h, sizeof(*tc));
	struct filter_list all = { list, 0, room };
	int err = nl_ingress_qdisc(ifindex, kind);

	if (err || !kind[0] || (egress && strcmp(kind, "clsact")))
		return err;
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = egress ? CLSACT_EGRESS : CLSACT_INGRESS;
	err = nl_talk(NETLINK_ROUTE, h, on_filter, &all);
	return err ? err : all.n;
}

static int on_qdisc(const struct nlmsghdr *h, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct tcmsg)) if (mnl_attr_get_type(attr) == TCA_KIND)
		snprintf(data, 16, "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

int nl_ingress_qdisc(unsigned int ifindex, char kind[16])
{
	char buf[256];
	/* Without ECHO the answer goes only to those who listen to changes. */
	struct nlmsghdr *h = nl_message(buf, RTM_GETQDISC, NLM_F_ACK | NLM_F_ECHO);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(h, sizeof(*tc));
	int err;

	kind[0] = '\0';
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_CLSACT; /* the same for an ingress qdisc */
	err = nl_talk(NETLINK_ROUTE, h, on_qdisc, kind);
	return err == -ENOENT ? 0 : err;
}

static int clsact(unsigned int ifindex, uint16_t type, uint16_t flags)
{
	char buf[256];
	struct nlmsghdr *h = nl_message(buf, type, NLM_F_ACK | flags);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(h, sizeof(*tc));

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_CLSACT;
	tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(h, TCA_KIND, "clsact");
	return nl_talk(NETLINK_ROUTE, h, NULL, NULL);
}

int nl_clsact_add(unsigned int ifindex)
{
	return clsact(ifindex, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
}

int nl_clsact_delete(unsigned int ifindex)
{
	return clsact(ifindex, RTM_DELQDISC, 0);
}

/* ---- the "netdev" family ---- */

/* linux/netdev.h of older build machines lacks what is asked here. */
#define NETDEV_DEV_GET             1
#define NETDEV_DEV_IFINDEX         1
#define NETDEV_DEV_XDP_FEATURES    3
#define NETDEV_DEV_XDP_RX_METADATA 5

static int on_family(const struct nlmsghdr *h, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct genlmsghdr)) if (mnl_attr_get_type(attr) ==
								  CTRL_ATTR_FAMILY_ID) *
		(uint16_t *)data = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int on_features(const struct nlmsghdr *h, void *data)
{
	struct nl_xdp_features *features = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == NETDEV_DEV_XDP_FEATURES)
			features->actions = mnl_attr_get_u64(attr);
		if (mnl_attr_get_type(attr) == NETDEV_DEV_XDP_RX_METADATA)
			features->metadata = mnl_attr_get_u64(attr);
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *generic(char *buf, uint16_t family, uint8_t command)
{
	struct nlmsghdr *h = nl_message(buf, family, NLM_F_ACK);
	struct genlmsghdr *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	g->cmd = command;
	g->version = 1;
	return h;
}

int nl_xdp_features(unsigned int ifindex, struct nl_xdp_features *features)
{
	uint16_t family = 0;
	struct nlmsghdr *h;
	char buf[256];
	int err;

	memset(features, 0, sizeof(*features));
	h = generic(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, "netdev");
	err = nl_talk(NETLINK_GENERIC, h, on_family, &family);
	if (err || !family)
		return err ? err : -ENOENT;
	h = generic(buf, family, NETDEV_DEV_GET);
	mnl_attr_put_u32(h, NETDEV_DEV_IFINDEX, ifindex);
	return nl_talk(NETLINK_GENERIC, h, on_features, features);
}

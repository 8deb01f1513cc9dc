// SPDX-License-Identifier: BSD-2-Clause
/* Which devices the host itself is reached by. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "loader/netlink.h"
#include "loader/netlink_talk.h"

struct devices {
	unsigned int *list;
	int n, room;
};

static void add(struct devices *d, unsigned int ifindex)
{
	if (d->n < d->room)
		d->list[d->n] = ifindex;
	d->n++;
}

static void add_hops(struct devices *d, const struct nlattr *attr)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(attr);
	int left = mnl_attr_get_payload_len(attr);

	for (; RTNH_OK(hop, left); left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
		add(d, (unsigned int)hop->rtnh_ifindex);
}

static void add_devices(struct devices *d, const struct nlmsghdr *h)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF)
			add(d, mnl_attr_get_u32(attr));
		else if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			add_hops(d, attr);
	}
}

static int on_default(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == RTM_NEWROUTE && !route->rtm_dst_len && route->rtm_type == RTN_UNICAST)
		add_devices(data, h);
	return MNL_CB_OK;
}

int nl_default_routes(unsigned int *devices, int room)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	struct devices d = { devices, 0, room };

	for (size_t i = 0; i < sizeof(families); i++) {
		char buf[256];
		struct nlmsghdr *h = nl_message(buf, RTM_GETROUTE, NLM_F_DUMP);
		struct rtmsg *route = mnl_nlmsg_put_extra_header(h, sizeof(*route));
		int err;

		route->rtm_family = families[i];
		err = nl_talk(NETLINK_ROUTE, h, on_default, &d);
		if (err && err != -EOPNOTSUPP)
			return err;
	}
	return d.n;
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == RTM_NEWROUTE && route->rtm_type == RTN_UNICAST)
		add_devices(data, h);
	return MNL_CB_OK;
}

unsigned int nl_route_to(const char *address)
{
	unsigned char bytes[16], family = strchr(address, ':') ? AF_INET6 : AF_INET;
	char buf[256];
	struct nlmsghdr *h = nl_message(buf, RTM_GETROUTE, NLM_F_ACK);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(h, sizeof(*route));
	unsigned int ifindex = 0;
	struct devices d = { &ifindex, 0, 1 };
	size_t len = family == AF_INET ? 4 : 16;

	if (inet_pton(family, address, bytes) != 1)
		return 0;
	route->rtm_family = family;
	route->rtm_dst_len = (unsigned char)(8 * len);
	mnl_attr_put(h, RTA_DST, len, bytes);
	return nl_talk(NETLINK_ROUTE, h, on_route, &d) ? 0 : ifindex;
}

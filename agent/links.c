// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/links.h"
#include "loader/alloc.h"

/* Thousands of devices may come while a pass is under way; what does not fit is asked for anew. */
#define RECEIVE_BUFFER (8 << 20)
#define DATAGRAM_SIZE  32768

/* What was heard last, to tell a new name from all else that a device's event may be about. */
struct link_name {
	int ifindex;
	char name[IFNAMSIZ];
	UT_hash_handle hh;
};

static void forget(struct links *l, struct link_name *known)
{
	HASH_DEL(l->by_ifindex, known);
	free(known);
}

static void changed(struct links *l, const char *name)
{
	if (l->changed)
		l->changed(l, name);
}

static void heard(struct links *l, int ifindex, const char *name, bool gone)
{
	struct link_name *known;
	char old[IFNAMSIZ] = "";

	HASH_FIND_INT(l->by_ifindex, &ifindex, known);
	if (known && !gone && !strcmp(known->name, name))
		return;
	if (known)
		memcpy(old, known->name, sizeof(old));
	if (known && gone)
		forget(l, known);
	if (!gone && !known) {
		known = alloc_zero(1, sizeof(*known));
		known->ifindex = ifindex;
		HASH_ADD_INT(l->by_ifindex, ifindex, known);
	}
	if (!gone)
		strncpy(known->name, name, sizeof(known->name) - 1);
	if (*old)
		changed(l, old);
	if (!gone)
		changed(l, name);
}

static int on_message(const struct nlmsghdr *h, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	struct links *l = data;

	if (h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK)
		return MNL_CB_OK;
	/* A bridge tells in the same words that a device is no longer its port. */
	if (info->ifi_family != AF_UNSPEC)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*info)) if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
						      mnl_attr_get_payload_len(attr) <= IFNAMSIZ)
		heard(l, info->ifi_index, mnl_attr_get_str(attr), h->nlmsg_type == RTM_DELLINK);
	if (l->touched)
		l->touched(l, (unsigned int)info->ifi_index);
	return MNL_CB_OK;
}

/* The answer comes in among the events, and reads the same. */
static int ask_for_all(struct links *l)
{
	char buf[512];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++l->sequence;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return mnl_socket_sendto(l->socket, h, h->nlmsg_len) < 0 ? -1 : 0;
}

/* The table begins anew, since nobody knows what was missed. */
static int catch_up(struct links *l, struct error *e)
{
	struct link_name *one, *next;

	HASH_ITER (hh, l->by_ifindex, one, next)
		forget(l, one);
	changed(l, NULL);
	if (l->touched)
		l->touched(l, 0);
	if (ask_for_all(l))
		return error_set(e, EXIT_REFUSED, "agent: link events: %s", strerror(errno));
	return 0;
}

static int ready(struct source *s, struct error *e)
{
	/* On the stack: each thread of the agent has links of its own. */
	char buf[DATAGRAM_SIZE];
	struct links *l = s->data;
	bool lost = false;

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(l->socket, buf, sizeof(buf));

		/* A list that devices came into while it was made is as good as lost (NLM_F_DUMP_INTR). */
		if (n > 0)
			lost |= mnl_cb_run(buf, (size_t)n, 0, 0, on_message, l) < 0;
		else if (n < 0 && errno == ENOBUFS)
			lost = true;
		else if (n == 0 || errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return error_set(e, EXIT_REFUSED, "agent: link events: %s",
					 strerror(errno));
	}
	return lost ? catch_up(l, e) : 0;
}

int links_open(struct links *l, struct loop *loop, struct error *e)
{
	int room = RECEIVE_BUFFER, fd;

	l->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!l->socket || mnl_socket_bind(l->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return error_set(e, EXIT_REFUSED, "agent: link events: %s", strerror(errno));
	fd = mnl_socket_get_fd(l->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	l->source = (struct source){ .fd = fd, .ready = ready, .data = l };
	if (ask_for_all(l))
		return error_set(e, EXIT_REFUSED, "agent: link events: %s", strerror(errno));
	return loop_add(loop, &l->source, e);
}

void links_close(struct links *l)
{
	struct link_name *one, *next;

	HASH_ITER (hh, l->by_ifindex, one, next)
		forget(l, one);
	if (l->socket)
		mnl_socket_close(l->socket);
	l->socket = NULL;
	l->source.fd = -1;
}

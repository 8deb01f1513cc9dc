/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of netlink*.c have in common: one request, and its answers. */
#ifndef WEFT_NETLINK_TALK_H
#define WEFT_NETLINK_TALK_H

#include <libmnl/libmnl.h>

/* Begins a request in `buf`. */
struct nlmsghdr *nl_message(char *buf, uint16_t type, uint16_t flags);
/* Sends it and gives each answer to `cb`. Returns 0 or -errno. */
int nl_talk(int protocol, struct nlmsghdr *request, mnl_cb_t cb, void *data);

#endif

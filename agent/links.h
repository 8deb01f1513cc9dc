/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices that come, go, or get another name: link events of the current network namespace. */
#ifndef WEFT_AGENT_LINKS_H
#define WEFT_AGENT_LINKS_H

#include <uthash.h>

#include "agent/loop.h"

struct mnl_socket;
struct link_name;

struct links {
	struct source source;
	struct mnl_socket *socket;
	struct link_name *by_ifindex;
	unsigned int sequence;
	/* A device of this name has come or gone; NULL: events were lost, any may have. May itself be NULL. */
	void (*changed)(struct links *l, const char *name);
	/* Something has become of this device, its carrier for one; 0: of any. May be NULL. */
	void (*touched)(struct links *l, unsigned int ifindex);
	void *data;
};

/* Events are heard from here on; what is there already is told as having come. */
int links_open(struct links *l, struct loop *loop, struct error *e);
void links_close(struct links *l);

#endif

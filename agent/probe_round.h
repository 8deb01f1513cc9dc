/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rounds of probes: at each, of whom it is time, what became of the last probe is looked at, what that says of the
 * instance is written to its record and told, and the next one is sent.
 */
#ifndef WEFT_AGENT_PROBE_ROUND_H
#define WEFT_AGENT_PROBE_ROUND_H

#include <linux/if_packet.h>
#include <sys/socket.h>

#include "agent/probe_set.h"
#include "agent/witness.h"
#include "loader/cli.h"

#define PROBE_BATCH 128 /* frames of one system call */

struct probe_round {
	const struct command_line *cl;
	struct probe_set *set; /* NULL: nobody */
	struct witness witness; /* of looks at which an answer is missing */
	int control; /* a socket to ask devices by */
	int64_t beat; /* when all records are to say again that the agent lives */
	/* Frames that wait to be sent. */
	struct mmsghdr message[PROBE_BATCH];
	struct iovec part[PROBE_BATCH];
	struct sockaddr_ll to[PROBE_BATCH];
	unsigned int waiting;
};

int probe_round_open(struct probe_round *r, const struct command_line *cl, struct error *e);
void probe_round_close(struct probe_round *r);

/* From now on these; takes `set` over, may be NULL. What is known of who stays is kept. */
void probe_round_take(struct probe_round *r, struct probe_set *set);
/* Something has become of a device; 0: of any. */
void probe_round_link(struct probe_round *r, unsigned int ifindex);
/* Does what is due, and returns when to come again, by the clock below; 0: never. */
int64_t probe_round_run(struct probe_round *r);

int64_t probe_clock(void); /* ns, monotonic */

#endif

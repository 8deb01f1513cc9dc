/* SPDX-License-Identifier: BSD-2-Clause */
/* The agent: its parts, and what one look at the root does. */
#ifndef WEFT_AGENT_AGENT_H
#define WEFT_AGENT_AGENT_H

#include "agent/home.h"
#include "agent/links.h"
#include "agent/notify.h"
#include "agent/pace.h"
#include "agent/probes.h"
#include "agent/signals.h"
#include "agent/sweep.h"
#include "agent/wanted.h"

struct agent {
	const struct command_line *cl;
	struct loop loop;
	struct signals signals;
	struct notify notify;
	struct links links;
	struct home home;
	struct source timer; /* of the next look */
	struct pace pace;
	struct wanted wanted;
	struct sweep sweep;
	struct probes probes;
	bool waiting; /* the root is not there, and that was said */
	char complaint[sizeof(((struct error *)0)->text)]; /* what was said last; "" if all is well */
};

/*
 * One look: takes the root's lock if nobody has it, attaches what has come and unbinds what has gone, the same way as
 * `apply` would for the configuration that is stored; then says when to look again.
 */
void agent_look(struct agent *a);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices that the configuration wants on this host, and how they were at the last look. */
#ifndef WEFT_AGENT_WANTED_H
#define WEFT_AGENT_WANTED_H

#include "loader/cli.h"
#include "loader/facts.h"

struct wanted_device;

struct wanted {
	struct wanted_device *by_name;
	size_t attached, pending, refused;
};

/*
 * Takes in what a commit has found and done, and logs what is new; not that a device is attached which another command
 * has attached (`ours`: this one changed something).
 */
void wanted_learn(struct wanted *w, const struct command_line *cl, const struct facts *facts,
		  bool ours);
bool wanted_has(const struct wanted *w, const char *device);
void wanted_free(struct wanted *w);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a change comes from: who asks for it, and in which words. Made once a command, and kept by the history, the
 * log and a pending confirmation as it is:
 *	{"user": "alice", "uid": 0, "login": "alice", "sudo": "alice", "command": "apply lab.yaml",
 *	 "files": [{"name": "lab.yaml", "sha256": "…"}]}
 */
#ifndef WEFT_ORIGIN_H
#define WEFT_ORIGIN_H

#include <jansson.h>

#include "loader/cli.h"

json_t *origin_make(const struct command_line *cl);
/* A file that the command took its words from. */
void origin_file(json_t *origin, const char *name, const char *sha256);

const char *origin_user(const json_t *origin);
const char *origin_command(const json_t *origin);

/* Any bytes as a JSON string: what is no printable ASCII is written \xNN. */
json_t *origin_text(const char *text);

#endif

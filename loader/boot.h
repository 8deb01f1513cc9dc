/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weft apply --at-boot`: a host comes up, whatever is wrong with the files. What is refused of a device keeps no other
 * waiting, and where the files are refused, the state that was in force last is applied: it has been confirmed.
 */
#ifndef WEFT_BOOT_H
#define WEFT_BOOT_H

#include <jansson.h>

#include "loader/cli.h"
#include "loader/root.h"

/* The newest state of the history, or NULL: a new reference. */
json_t *boot_state(const struct root *root);

/* `load` has set off to take back what nobody confirmed before the machine went down: waits until that is done. */
void boot_wait(const char *path);

/*
 * After files that were refused for `e`: a root with nothing in it gets its last state. Returns -1, with EXIT_PARTLY in
 * `e` if the host is up all the same.
 */
int boot_fall_back(const struct command_line *cl, const struct root *root, struct error *e);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this process may do. A command gives up at its start every capability that it has no use for; what is left is
 * in effect, but for CAP_SYS_ADMIN and CAP_SYS_PTRACE, which are put into effect for a single call.
 */
#ifndef WEFT_RIGHTS_H
#define WEFT_RIGHTS_H

#include <linux/capability.h>
#include <stdbool.h>

#include "loader/error.h"

/*
 * Keeps what a command with these flags (enum command_flags) may need. `begins`: it is still to enter a network
 * namespace, and to see that somebody waits for a confirmation that is due, who will have to change things; a second
 * call, without, gives that up too. Refuses if the command cannot work with what there is: the error names what is
 * missing.
 */
int rights_narrow(const char *command, unsigned int flags, bool begins, struct error *e);

/*
 * Puts a kept capability into effect. True if it was not before: then rights_lower() takes it out of effect again, and
 * leaves errno alone. A process that does not have it goes on without: the call that follows will say so.
 */
bool rights_raise(unsigned int capability);
void rights_lower(unsigned int capability);

/* The fd of a map by its id, for who has CAP_SYS_ADMIN; else -1 with EPERM. */
int rights_map(unsigned int id);

/* What to add to an EPERM of bpf(): ": cap_bpf is missing…", or "". */
const char *rights_bpf_hint(void);

#endif

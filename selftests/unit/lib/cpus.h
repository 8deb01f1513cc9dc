/* SPDX-License-Identifier: BSD-2-Clause */
/* The same at once on two CPUs. */
#ifndef WEFT_UNIT_CPUS_H
#define WEFT_UNIT_CPUS_H

#include <stdbool.h>

/* Runs `side` on two CPUs, as 0 and 1, and waits for both. False: there are no two. */
bool cpus_run(void (*side)(int which));
/* Of a side: waits until the other has come to here too. */
void cpus_meet(void);

#endif

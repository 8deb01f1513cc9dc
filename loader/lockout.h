/* SPDX-License-Identifier: BSD-2-Clause */
/* Nobody shall lose the host by giving a workload or a function the device by which the host itself is reached. */
#ifndef WEFT_LOCKOUT_H
#define WEFT_LOCKOUT_H

#include "loader/facts.h"

/*
 * Refuses a port's or function's device that is about to be attached if it is `lo`, or if the default route or the way
 * to the peer of this SSH session leads over it, or over a bridge, bond or VLAN that it is a part of. Devices of the
 * underlay are never refused: all that is not our tunnel passes there.
 */
int lockout_check(struct facts *facts, struct error *e);

#endif

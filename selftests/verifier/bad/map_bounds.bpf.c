/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Refused: an index out of a port's record that nobody bounded. */
// expect: invalid access to map value
#include "lib/weft.h"

HOOK(map_bounds)
{
	const struct port *port = port_at(0);

	if (!port)
		return TC_ACT_SHOT;
	return port->address6[port->addresses6][0] ? TC_ACT_SHOT : TCX_NEXT;
}

char _license[] SEC("license") = "Dual BSD/GPL";

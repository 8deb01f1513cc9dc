// SPDX-License-Identifier: BSD-2-Clause
#include "loader/instance_health.h"

const char *instance_health(const struct sf_state *state, bool others, uint32_t now, uint32_t hz)
{
	return instance_is_dead(state, others, now, hz) ? "silent" : "up";
}

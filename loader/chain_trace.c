// SPDX-License-Identifier: BSD-2-Clause
#include "loader/commands.h"
int cmd_chain_trace(struct command_line *cl, struct error *e)
{
	(void)cl;
	return error_set(e, EXIT_REFUSED, "todo");
}

// SPDX-License-Identifier: BSD-2-Clause
/* `weft save`: what is stored, as apply takes it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loader/commands.h"
#include "loader/config/emit.h"
#include "loader/state.h"

int cmd_save(struct command_line *cl, struct error *e)
{
	struct state state;
	struct root root;
	int result = -1;

	if (root_open(&root, cl->root, false, e))
		return -1;
	if (!state_read(&root, &state, e)) {
		/* What is left out must not go unseen: a file without it would delete it. */
		state_print_rejected(&state);
		if (cl->json)
			result = cli_json(cl, json_incref(state.tree), e);
		else if (!config_emit(stdout, state.tree) && !fflush(stdout))
			result = EXIT_DONE;
		else
			error_set(e, EXIT_REFUSED, "save: cannot write: %s", strerror(errno));
		if (!result && state.rejected)
			result = EXIT_PARTLY;
		state_free(&state);
	}
	root_close(&root);
	return result;
}

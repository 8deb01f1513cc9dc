// SPDX-License-Identifier: BSD-2-Clause
/* `weft rollback [N]`: the state N before this one, as a new state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/apply.h"
#include "loader/commands.h"
#include "loader/config/tree.h"
#include "loader/confirm.h"
#include "loader/history.h"
#include "loader/history_show.h"
#include "loader/origin.h"
#include "loader/programs.h"

/* Those of the build before are kept. Of older ones nothing is left, and the configuration goes back alone. */
static int restore_programs(const struct root *root, const char *build, const char *loaded,
			    struct error *e)
{
	char kept[BUILD_SIZE];
	unsigned int version;

	if (!programs_kept(root, kept, &version, NULL) && !strcmp(kept, build))
		return programs_restore(root, build, e);
	fprintf(stderr,
		"weft: note: that state had programs %s, which are not kept; those of %s stay loaded\n",
		build, loaded);
	return 0;
}

/* With programs that have gone back, nothing of the configuration should be left to refuse. */
static int check_first(const struct command_line *cl, const struct commit *c, struct error *e)
{
	struct commit trial = *c;
	int failed;

	trial.dry_run = true;
	trial.force = trial.strand = cli_option(cl, "force") != NULL;
	failed = commit_run(&trial, e) < 0;
	commit_free(&trial);
	return failed ? -1 : 0;
}

static int go_back_programs(const struct command_line *cl, const struct commit *c,
			    const json_t *target, struct error *e)
{
	const char *build = json_string_value(json_object_get(target, "build"));
	char loaded[BUILD_SIZE];

	if (programs_build(c->root, loaded, e))
		return -1;
	if (!build || !strcmp(build, loaded))
		return 0;
	if (!cli_option(cl, "dry-run"))
		return check_first(cl, c, e) ? -1 : restore_programs(c->root, build, loaded, e);
	if (!cl->json)
		printf("~ programs: %s -> %s\n", loaded, build);
	return 0;
}

static int go_back(struct command_line *cl, const struct root *root, struct state *now,
		   const json_t *target, struct error *e)
{
	json_t *tree = json_object_get(target, "tree");
	json_t *diff = config_diff(now->tree, tree);
	struct commit c = {
		.root = root,
		.state = now,
		.wanted = tree,
		.named = commit_tenants(diff),
		.own_rules = true,
		.origin = origin_make(cl),
		.ends_confirmation = !cli_option(cl, "confirm"),
	};
	int result = go_back_programs(cl, &c, target, e);

	if (!result)
		result = apply_commit(cl, &c, e);
	/* Whoever goes back has decided. */
	if (result >= 0 && !c.dry_run && !c.confirm_ms)
		confirm_end(root);
	json_decref(diff);
	json_decref(c.named);
	json_decref(c.origin);
	commit_free(&c);
	return result;
}

int cmd_rollback(struct command_line *cl, struct error *e)
{
	long back = cl->argc ? history_steps(cl->argv[0], 1, e) : 1;
	struct state state;
	struct root root;
	json_t *target;
	int result = -1;

	if (back < 0 || root_open(&root, cl->root, true, e))
		return -1;
	if (!state_read(&root, &state, e)) {
		target = history_back(&root, state.tree, back, e);
		result = target ? go_back(cl, &root, &state, target, e) : -1;
		json_decref(target);
		state_free(&state);
	}
	root_close(&root);
	return result;
}

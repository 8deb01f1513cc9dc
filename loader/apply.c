// SPDX-License-Identifier: BSD-2-Clause
/* `weft apply FILE...` and `weft diff FILE...` */
#include <string.h>

#include "loader/applied.h"
#include "loader/apply.h"
#include "loader/boot.h"
#include "loader/commands.h"
#include "loader/config/check.h"
#include "loader/config/tree.h"
#include "loader/confirm.h"
#include "loader/files.h"
#include "loader/flow_moves.h"
#include "loader/history.h"
#include "loader/origin.h"
#include "loader/progress.h"
#include "loader/rules.h"
#include "loader/verify.h"

int apply_read(const struct command_line *cl, const struct state *state, struct wish *wish,
	       struct error *e)
{
	int prune = cli_option(cl, "prune") != NULL;
	json_t *desired, *whole;
	int failed;

	*wish = (struct wish){ 0 };
	desired = config_read((const char *const *)cl->argv, (size_t)cl->argc, &wish->marks, e);
	if (!desired)
		return -1;
	/*
	 * First as it was written, since the marks tell where; then in the form that rules have
	 * when read back.
	 */
	whole = config_own(state->tree, desired, prune);
	failed = config_check(whole, wish->marks, e) || rules_normalize(desired, e) ? -1 : 0;
	json_decref(whole);
	if (!failed) {
		wish->wanted = config_own(state->tree, desired, prune);
		wish->named = json_copy(json_object_get(desired, "tenants"));
	}
	json_decref(desired);
	if (failed)
		apply_forget(wish);
	return failed;
}

void apply_forget(struct wish *wish)
{
	json_decref(wish->wanted);
	json_decref(wish->named);
	marks_free(wish->marks);
	*wish = (struct wish){ 0 };
}

/* Notes beyond these are counted only: thousands of ports may wait for their devices. */
#define NOTES_SHOWN 10

void apply_print_notes(FILE *out, const struct commit *c)
{
	size_t n = json_array_size(c->notes);

	for (size_t i = 0; i < n && (i < NOTES_SHOWN || n == NOTES_SHOWN + 1); i++)
		fprintf(out, "note: %s\n", json_string_value(json_array_get(c->notes, i)));
	if (n > NOTES_SHOWN + 1)
		fprintf(out, "note: and %zu more: see `weft status`\n", n - NOTES_SHOWN);
}

static void print_changes(const struct commit *c)
{
	progress_end();
	config_diff_print(stdout, c->diff);
	flow_moves_print(stdout, c->moves);
	fflush(stdout);
}

static void print_summary(const struct commit *c)
{
	if (!json_array_size(c->diff) && c->writes)
		printf(c->dry_run ? "maps: %zu entries to bring up to date\n" :
				    "maps: %zu entries brought up to date\n",
		       c->writes);
	if (c->attached || c->detached)
		printf(c->dry_run ? "devices: %d to attach, %d to detach\n" :
				    "devices: %d attached, %d detached\n",
		       c->attached, c->detached);
	if (commit_was_idle(c))
		puts("nothing to change");
	else if (c->dry_run)
		puts("dry run: nothing was changed");
	apply_print_notes(stdout, c);
}

json_t *apply_report(const struct commit *c)
{
	json_t *report =
		json_pack("{s:O, s:O, s:O, s:I, s:i, s:i, s:b}", "changes", c->diff, "flows",
			  c->moves, "notes", c->notes, "writes", (json_int_t)c->writes, "attached",
			  c->attached, "detached", c->detached, "dry_run", c->dry_run);

	if (c->number)
		json_object_set_new(report, "state", json_integer((json_int_t)c->number));
	if (c->confirm_ms && !c->dry_run)
		json_object_set_new(report, "unconfirmed", confirm_status(c->root));
	return report;
}

static void print_unconfirmed(const struct commit *c)
{
	json_t *status = c->confirm_ms && !c->dry_run ? confirm_status(c->root) : NULL;

	if (status)
		confirm_print(stdout, status);
	json_decref(status);
}

/* The change is made: what was applied is noted, and what packets meet now is looked at. Returns an exit code, or -1. */
static int conclude(const struct command_line *cl, const struct commit *c, json_t **verified,
		    struct error *e)
{
	struct error why = { 0 };

	if (applied_write(c->root, &c->state->host, c->origin, c->wanted, &why))
		json_array_append_new(c->notes, json_string(why.text));
	return cli_option(cl, "no-verify") ? EXIT_DONE : verify_after(c->root, c->named, verified, e);
}

static int tell(const struct command_line *cl, const struct commit *c, json_t *verified,
		struct error *e)
{
	json_t *report;

	if (!cl->json) {
		print_summary(c);
		print_unconfirmed(c);
		fflush(stdout);
		findings_print(stderr, "not verified:", json_object_get(verified, "findings"));
		return 0;
	}
	report = apply_report(c);
	if (verified)
		json_object_set(report, "verify", verified);
	return cli_json(cl, report, e);
}

int apply_commit(const struct command_line *cl, struct commit *c, struct error *e)
{
	const char *confirm = cli_option(cl, "confirm");
	json_t *verified = NULL;
	int result;

	c->force = c->strand = c->any_device = cli_option(cl, "force") != NULL;
	c->dry_run = cli_option(cl, "dry-run") != NULL;
	c->announce = cl->json ? NULL : print_changes;
	c->count_flows = true;
	c->confirm_ms = confirm ? confirm_time(confirm, e) : 0;
	if (c->confirm_ms < 0)
		return -1;
	/* Who reads JSON may read both streams together. */
	if (!cl->json)
		progress_show(cli_option(cl, "progress") != NULL);
	result = commit_run(c, e);
	progress_end();
	if (result < 0) {
		if (e->exit_code == EXIT_PARTLY && c->confirm_ms)
			error_set(e, EXIT_PARTLY,
				  "%.850s; first `weft rollback`, or wait until it is taken back",
				  e->text);
		return -1;
	}
	if (!c->dry_run)
		result = conclude(cl, c, &verified, e);
	if (!result && c->refused)
		result = EXIT_PARTLY;
	if (tell(cl, c, verified, e))
		result = -1;
	json_decref(verified);
	return result;
}

/* What was taken back since nobody confirmed it does not slip in again, as by the files that a boot applies. */
static int check_reverted(const struct command_line *cl, const struct commit *c, struct error *e)
{
	if (cli_option(cl, "force") || cli_option(cl, "confirm") || cli_option(cl, "dry-run"))
		return 0;
	return history_refuse_reverted(c->root, c->wanted, c->origin, e);
}

static int apply(struct command_line *cl, const struct root *root, struct state *state,
		 struct error *e)
{
	json_t *newest = cli_option(cl, "at-boot") ? boot_state(root) : NULL;
	struct wish wish;
	int result = -1;

	if (apply_read(cl, state, &wish, e)) {
		json_decref(newest);
		return -1;
	}

	struct commit c = {
		.root = root,
		.state = state,
		.wanted = wish.wanted,
		.marks = wish.marks,
		.named = wish.named,
		.own_rules = true,
		.lenient = cli_option(cl, "at-boot") != NULL,
		.accepted = json_object_get(newest, "tree"),
		.origin = origin_make(cl),
	};

	for (unsigned int i = 0; i < marks_files(wish.marks); i++)
		origin_file(c.origin, marks_file_name(wish.marks, i),
			    marks_file_digest(wish.marks, i));
	if (!check_reverted(cl, &c, e))
		result = apply_commit(cl, &c, e);
	json_decref(c.origin);
	json_decref(newest);
	commit_free(&c);
	apply_forget(&wish);
	return result;
}

/* Directories without files: at the first boot of a host, say. That is no wish for nothing, whatever --prune says. */
static int no_files(const struct command_line *cl, struct error *e)
{
	struct commit nothing = {
		.diff = json_array(),
		.moves = json_array(),
		.notes = json_pack("[s]", "there is no *.yaml in what was given: nothing to do"),
		.dry_run = cli_option(cl, "dry-run") != NULL,
	};
	int result = EXIT_DONE;

	if (cl->json)
		result = cli_json(cl, apply_report(&nothing), e);
	else
		apply_print_notes(stdout, &nothing);
	commit_free(&nothing);
	return result;
}

static int apply_files(struct command_line *cl, struct error *e)
{
	struct state state;
	struct root root;
	int result = -1;

	if (!cl->argc)
		return no_files(cl, e);
	if (cli_option(cl, "at-boot"))
		boot_wait(cl->root);
	if (root_open(&root, cl->root, true, e))
		return -1;
	if (!state_read(&root, &state, e)) {
		result = apply(cl, &root, &state, e);
		state_free(&state);
	}
	if (result < 0 && cli_option(cl, "at-boot") && e->exit_code != EXIT_PARTLY)
		result = boot_fall_back(cl, &root, e);
	root_close(&root);
	return result;
}

/* In JSON the flows that move follow the changes, each as an entry of its own kind. */
static int print_diff(const struct command_line *cl, const json_t *diff, const json_t *moves,
		      struct error *e)
{
	json_t *all, *move;
	size_t i;

	if (!cl->json) {
		config_diff_print(stdout, diff);
		flow_moves_print(stdout, moves);
		return 0;
	}
	all = json_copy((json_t *)diff);
	json_array_foreach ((json_t *)moves, i, move) {
		json_object_set_new(move, "op", json_string("flows"));
		json_array_append(all, move);
	}
	return cli_json(cl, all, e);
}

static int diff(const struct command_line *cl, const struct root *root, const struct state *state,
		const json_t *wanted, struct error *e)
{
	json_t *changes = config_diff(state->tree, wanted), *moves = json_array();
	int result = json_array_size(changes) ? EXIT_DIFFERS : EXIT_DONE;

	if (flow_moves_wished(root, state, wanted, changes, moves, e) ||
	    print_diff(cl, changes, moves, e))
		result = -1;
	json_decref(changes);
	json_decref(moves);
	return result;
}

static int diff_files(struct command_line *cl, struct error *e)
{
	struct state state;
	struct wish wish;
	struct root root;
	int result = -1;

	if (!cl->argc)
		return cl->json ? cli_json(cl, json_array(), e) : EXIT_DONE;
	if (root_open(&root, cl->root, false, e))
		return -1;
	if (!state_read(&root, &state, e)) {
		state_print_rejected(&state);
		if (!apply_read(cl, &state, &wish, e)) {
			result = diff(cl, &root, &state, wish.wanted, e);
			apply_forget(&wish);
		}
		state_free(&state);
	}
	root_close(&root);
	return result;
}

/* The command sees files only: directories among its operands are what is in them. */
static int with_files(struct command_line *cl, int (*run)(struct command_line *cl, struct error *e),
		      struct error *e)
{
	struct command_line expanded = *cl;
	struct files files;
	int result;

	if (files_expand(&files, cl->argc, cl->argv, e))
		return -1;
	expanded.argc = files.n;
	expanded.argv = files.names;
	result = run(&expanded, e);
	files_free(&files);
	return result;
}

int cmd_apply(struct command_line *cl, struct error *e)
{
	return with_files(cl, apply_files, e);
}

int cmd_diff(struct command_line *cl, struct error *e)
{
	return with_files(cl, diff_files, e);
}

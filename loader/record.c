// SPDX-License-Identifier: BSD-2-Clause
#include "loader/audit.h"
#include "loader/confirm.h"
#include "loader/record.h"

static void note(struct commit *c, const char *fmt, const char *why)
{
	json_array_append_new(c->notes, json_sprintf(fmt, why));
}

/* What a command did that did not live to tell. */
static void log_killed(const struct record *r, const struct commit *c)
{
	const json_t *state = r->history.killed;
	struct audit a = { .root = c->root,
			   .origin = json_object_get(state, "origin"),
			   .outcome = r->history.reached ? "done, then killed" : "killed half-way",
			   .state = (unsigned long)json_integer_value(
				   json_object_get(state, "state")) };

	if (state)
		audit_diff(&a, json_object_get(state, "diff"));
}

static int arm(struct record *r, const struct commit *c, struct error *e)
{
	if (!c->confirm_ms || !json_array_size(c->diff))
		return 0;
	if (confirm_arm(c->root, c->state->tree, history_number(&r->history), c->confirm_ms,
			c->origin, e)) {
		history_end(&r->history, HISTORY_NEVER);
		return -1;
	}
	r->armed = true;
	return 0;
}

int record_begin(struct record *r, struct commit *c, struct error *e)
{
	struct error why = { 0 };
	int failed;

	*r = (struct record){ 0 };
	failed = history_begin(&r->history, c->root, c->state, c->wanted, c->origin, &why);
	if (!failed && r->history.fresh && c->reverts)
		json_object_set_new(r->history.fresh, "reverts",
				    json_integer((json_int_t)c->reverts));
	if ((failed || r->history.fresh || r->history.found) && !c->ends_confirmation &&
	    confirm_refuse(c->root, e)) {
		history_end(&r->history, HISTORY_NEVER);
		return -1;
	}
	log_killed(r, c);
	failed = failed || history_write(&r->history, &why);
	/* A full disk must not keep anybody from a bypass; but who wants a way back needs one. */
	if (failed && c->confirm_ms) {
		history_end(&r->history, HISTORY_NEVER);
		*e = why;
		return -1;
	}
	if (failed)
		note(c, "this change will not be in the history: %s", why.text);
	c->number = r->history.written ? history_number(&r->history) : 0;
	return arm(r, c, e);
}

static void log_change(const struct commit *c, const char *outcome)
{
	struct audit a = {
		.root = c->root, .origin = c->origin, .outcome = outcome, .state = c->number
	};
	json_t *work;

	audit_diff(&a, c->diff);
	if (json_array_size(c->diff) || (commit_was_idle(c) && !json_object_size(c->judged)))
		return;
	/* Nothing of the configuration: maps or devices were brought to what it says, or flows are judged again. */
	work = json_pack("{s:I, s:i, s:i, s:O*}", "writes", (json_int_t)c->writes, "attached",
			 c->attached, "detached", c->detached, "judged", c->judged);
	audit_change(&a, "sync", "maps", NULL, work);
	json_decref(work);
}

int record_end(struct record *r, struct commit *c, int result, const struct error *e)
{
	bool partly = result < 0 && e->exit_code == EXIT_PARTLY;
	struct error why;

	history_end(&r->history, result >= 0 ? HISTORY_DONE
				 : partly    ? HISTORY_LEFT
					     : HISTORY_NEVER);
	if (r->armed && result < 0 && !partly)
		confirm_end(c->root);
	else if (r->armed && confirm_extend(c->root, c->confirm_ms, &why))
		note(c, "the time to confirm counts from the beginning of the change: %s",
		     why.text);
	if (result >= 0 || partly)
		log_change(c, partly ? "partly" : "done");
	return result;
}

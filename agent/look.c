// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/log.h"
#include "loader/commit.h"
#include "loader/confirm.h"
#include "loader/confirm_timer.h"
#include "loader/origin.h"

#define BUSY_MS   100 /* until another command may be done */
#define ABSENT_MS 500 /* until `weft load` may have come */
#define IDLE_MS   30000 /* between looks that nobody has asked for */

static void complain(struct agent *a, const struct error *e)
{
	if (!strcmp(a->complaint, e->text))
		return;
	snprintf(a->complaint, sizeof(a->complaint), "%s", e->text);
	log_event(a->cl, LOG_ERR, "failed", NULL, "%s", e->text);
	notify_status(&a->notify, e->text);
}

static void learn(const struct commit *c, const struct model *model, const struct facts *facts)
{
	struct agent *a = c->data;
	struct error e = { 0 };

	wanted_learn(&a->wanted, a->cl, facts, c->writes || c->attached);
	probes_give(&a->probes, probe_set_make(&a->home.root, model, facts, &e));
	if (e.text[0])
		log_event(a->cl, LOG_ERR, "failed", NULL, "%s", e.text);
}

/* With the root locked. */
static int work(struct agent *a, struct error *e)
{
	/* Whatever awaits confirmation: what comes is bound to the configuration of now. */
	struct commit c = { .root = &a->home.root,
			    .ends_confirmation = true,
			    .lenient = true,
			    .learn = learn,
			    .data = a };
	struct state state;
	bool interrupted;
	int result;

	if (state_read(&a->home.root, &state, e))
		return -1;
	interrupted = state.interrupted;
	sweep_learn(&a->sweep, &state.ids);
	c.state = &state;
	c.wanted = state.tree;
	c.origin = origin_make(a->cl);
	result = commit_run(&c, e);
	json_decref(c.origin);
	commit_free(&c);
	state_free(&state);
	if (result < 0)
		return -1;
	if (interrupted)
		log_event(
			a->cl, LOG_NOTICE, "repaired", NULL,
			"a change that was cut off is repaired: the configuration is the one before it");
	return 0;
}

/*
 * The process that waits for a confirmation may have been killed. Not confirm_resume(), which every command calls: that
 * opens the root's directory, which would be heard as another command's work.
 */
static void watch_confirmation(struct agent *a)
{
	json_t *record = confirm_read(&a->home.root);
	struct error e = { 0 };

	if (record && confirm_timer_start(&a->home.root, &e))
		log_event(a->cl, LOG_ERR, "failed", NULL, "%s", e.text);
	json_decref(record);
}

static void say_absent(struct agent *a)
{
	char status[sizeof(a->notify.status)];

	if (a->waiting)
		return;
	a->waiting = true;
	a->complaint[0] = '\0';
	wanted_free(&a->wanted);
	probes_give(&a->probes, NULL);
	log_event(a->cl, LOG_NOTICE, "waiting", json_pack("{s:s}", "root", a->home.root.path),
		  "root %s is not loaded: waiting for `weft load`", a->home.root.path);
	snprintf(status, sizeof(status), "waiting for `weft load` of %.100s", a->home.root.path);
	notify_status(&a->notify, status);
}

static void say_present(struct agent *a)
{
	if (a->waiting)
		log_event(a->cl, LOG_NOTICE, "loaded",
			  json_pack("{s:s}", "root", a->home.root.path), "root %s is loaded",
			  a->home.root.path);
	a->waiting = false;
}

static void say_done(struct agent *a)
{
	char status[sizeof(a->notify.status)];

	a->complaint[0] = '\0';
	snprintf(status, sizeof(status), "%zu devices attached, %zu pending, %zu of them refused",
		 a->wanted.attached, a->wanted.pending, a->wanted.refused);
	notify_status(&a->notify, status);
}

static void look(struct agent *a)
{
	struct error e = { 0 };
	int failed;

	switch (home_enter(&a->home, &e)) {
	case HOME_ABSENT:
		say_absent(a);
		pace_again(&a->pace, clock_ms(), ABSENT_MS);
		return;
	case HOME_BUSY:
		pace_again(&a->pace, clock_ms(), BUSY_MS);
		return;
	case HOME_REFUSED:
		complain(a, &e);
		pace_retry(&a->pace, clock_ms());
		return;
	case HOME_ENTERED:
		break;
	}
	say_present(a);
	failed = work(a, &e);
	home_leave(&a->home);
	watch_confirmation(a);
	if (failed) {
		complain(a, &e);
		pace_retry(&a->pace, clock_ms());
		return;
	}
	say_done(a);
	/* What a device was refused for may go without any event of the device. */
	if (a->wanted.refused) {
		pace_retry(&a->pace, clock_ms());
		return;
	}
	pace_recovered(&a->pace);
	pace_again(&a->pace, clock_ms(), IDLE_MS);
}

void agent_look(struct agent *a)
{
	int64_t began = clock_ms();

	pace_begin(&a->pace);
	look(a);
	pace_end(&a->pace, began, clock_ms());
}

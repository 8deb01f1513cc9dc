// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loader/audit.h"
#include "loader/commands.h"
#include "loader/config/schema_types.h"
#include "loader/confirm.h"
#include "loader/confirm_timer.h"
#include "loader/devices.h"
#include "loader/history.h"
#include "loader/origin.h"
#include "loader/statedir.h"

#define RECORD "confirm.json"

/* Shorter is no time to look, longer no watch. */
#define LEAST_MS 1000
#define MOST_MS  (7LL * 86400 * 1000)

long long confirm_time(const char *text, struct error *e)
{
	const struct schema_key key = { .min = LEAST_MS, .max = MOST_MS };
	char why[256], quoted[ERROR_QUOTE_SIZE];
	json_t *ms = schema_type_duration.parse(&key, text, why, sizeof(why));
	long long value = json_integer_value(ms);

	json_decref(ms);
	return ms ? value
		  : error_set(e, EXIT_USAGE, "--confirm: %s %s",
			      error_quote(quoted, sizeof(quoted), text), why);
}

static long long clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static json_t *this_boot(void)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char id[64] = "";

	if (file && fscanf(file, "%63s", id) != 1)
		id[0] = '\0';
	if (file)
		fclose(file);
	return json_string(id);
}

/* For people the time of day; for the process a clock that nobody sets, good for this boot. */
void confirm_set_deadline(json_t *record, long long ms)
{
	json_object_set_new(record, "deadline_ms", json_integer(clock_ms(CLOCK_REALTIME) + ms));
	json_object_set_new(record, "boot_ms", json_integer(clock_ms(CLOCK_BOOTTIME) + ms));
	json_object_set_new(record, "boot_id", this_boot());
}

long long confirm_remaining(const json_t *record)
{
	json_t *boot = this_boot();
	/* A machine that went down in between was not confirmed by anybody. */
	bool same = json_equal(boot, json_object_get(record, "boot_id"));

	json_decref(boot);
	return same ? json_integer_value(json_object_get(record, "boot_ms")) -
			       clock_ms(CLOCK_BOOTTIME)
		    : 0;
}

json_t *confirm_read(const struct root *root)
{
	char path[PATH_MAX];
	json_t *record;

	if (statedir_path(root, RECORD, path, sizeof(path), NULL))
		return NULL;
	record = json_load_file(path, 0, NULL);
	if (!history_is_tree(json_object_get(record, "tree"))) {
		json_decref(record);
		return NULL;
	}
	return record;
}

int confirm_write(const struct root *root, const json_t *record, struct error *e)
{
	char path[PATH_MAX], *text;
	int failed;

	if (statedir_path(root, RECORD, path, sizeof(path), e))
		return -1;
	text = json_dumps(record, JSON_COMPACT);
	if (!text)
		return error_set(e, EXIT_REFUSED, "confirm: out of memory");
	failed = statedir_write(path, text, strlen(text), e);
	free(text);
	return failed;
}

static void clock_text(long long ms, char *buf, size_t size)
{
	time_t seconds = ms / 1000;
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
}

int confirm_refuse(const struct root *root, struct error *e)
{
	json_t *record = confirm_read(root);
	const json_t *origin = json_object_get(record, "origin");
	char until[32];

	if (!record)
		return 0;
	clock_text(json_integer_value(json_object_get(record, "deadline_ms")), until,
		   sizeof(until));
	if (confirm_remaining(record) > 0)
		error_set(
			e, EXIT_REFUSED,
			"`%.200s` of %.64s awaits confirmation until %s: `weft confirm` keeps it, `weft rollback` takes it back; no other change before that",
			origin_command(origin), origin_user(origin), until);
	else
		error_set(
			e, EXIT_REFUSED,
			"`%.200s` of %.64s was not confirmed by %s and is being taken back: look at `weft status`, then repeat this",
			origin_command(origin), origin_user(origin), until);
	json_decref(record);
	return -1;
}

int confirm_arm(const struct root *root, const json_t *tree, unsigned long state, long long ms,
		const json_t *origin, struct error *e)
{
	json_t *record = json_pack("{s:I, s:O, s:O}", "state", (json_int_t)state, "origin", origin,
				   "tree", tree);
	int failed;

	confirm_set_deadline(record, ms);
	failed = confirm_write(root, record, e);
	if (!failed && confirm_timer_start(root, e)) {
		confirm_end(root);
		failed = -1;
	}
	json_decref(record);
	return failed;
}

int confirm_extend(const struct root *root, long long ms, struct error *e)
{
	json_t *record = confirm_read(root);
	int failed;

	if (!record)
		return 0;
	confirm_set_deadline(record, ms);
	failed = confirm_write(root, record, e);
	json_decref(record);
	return failed;
}

void confirm_end(const struct root *root)
{
	char path[PATH_MAX];

	if (statedir_path(root, RECORD, path, sizeof(path), NULL) ||
	    (unlink(path) && errno == ENOENT))
		return;
	confirm_timer_stop(root);
}

void confirm_resume(const char *path)
{
	struct root root;
	json_t *record;

	if (root_open(&root, path, false, NULL))
		return;
	record = confirm_read(&root);
	/* In another network namespace the devices are not to be seen, and nothing can be taken back. */
	if (record && !devices_check_netns(&root, NULL))
		confirm_timer_start(&root, NULL);
	json_decref(record);
	root_close(&root);
}

json_t *confirm_status(const struct root *root)
{
	json_t *record = confirm_read(root), *status, *origin;
	char until[32];

	if (!record)
		return NULL;
	origin = json_object_get(record, "origin");
	clock_text(json_integer_value(json_object_get(record, "deadline_ms")), until,
		   sizeof(until));
	status = json_pack("{s:O, s:s, s:s, s:s, s:O, s:I}", "state",
			   json_object_get(record, "state"), "user", origin_user(origin), "command",
			   origin_command(origin), "deadline", until, "deadline_ms",
			   json_object_get(record, "deadline_ms"), "remaining_ms",
			   (json_int_t)confirm_remaining(record));
	if (json_object_get(record, "failure"))
		json_object_set(status, "failure", json_object_get(record, "failure"));
	json_decref(record);
	return status;
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

void confirm_print(FILE *out, const json_t *status)
{
	long long left = json_integer_value(json_object_get(status, "remaining_ms"));

	fprintf(out, "unconfirmed: `%s` of %s ", text(status, "command"), text(status, "user"));
	if (*text(status, "failure"))
		fprintf(out, "cannot be taken back: %s; `weft confirm` keeps it\n",
			text(status, "failure"));
	else if (left > 0)
		fprintf(out, "is taken back at %s, in %lld s, unless `weft confirm` comes\n",
			text(status, "deadline"), (left + 999) / 1000);
	else
		fprintf(out, "was to be confirmed by %s: is being taken back\n",
			text(status, "deadline"));
}

static int keep(struct command_line *cl, const struct root *root, struct error *e)
{
	json_t *record = confirm_read(root), *state;

	if (!record)
		return error_set(
			e, EXIT_REFUSED,
			"confirm: nothing awaits confirmation: `weft history` shows what was done and taken back");
	if (confirm_remaining(record) <= 0 && !json_object_get(record, "failure")) {
		json_decref(record);
		return confirm_refuse(root, e);
	}
	state = json_incref(json_object_get(record, "state"));
	json_decref(record);
	confirm_end(root);
	audit_command(cl, root, "confirm", "state", NULL, json_incref(state));
	if (cl->json)
		return cli_json(cl, json_pack("{s:o}", "confirmed", state), e);
	printf("confirmed: state %lld stays\n", (long long)json_integer_value(state));
	json_decref(state);
	return EXIT_DONE;
}

int cmd_confirm(struct command_line *cl, struct error *e)
{
	struct root root;
	int result;

	if (root_open(&root, cl->root, true, e))
		return -1;
	result = keep(cl, &root, e);
	root_close(&root);
	return result;
}

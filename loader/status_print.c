// SPDX-License-Identifier: BSD-2-Clause
/* The tree that `weft status` makes, as text. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/base.h"
#include "loader/config/tree.h"
#include "loader/confirm.h"
#include "loader/findings.h"
#include "loader/status_health.h"

#define BYPASS_REMEDY "`weft chain set NAME bypass off` ends it"

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static void print_devices(const json_t *devices)
{
	const json_t *d, *hook;
	size_t i, j;

	json_array_foreach (devices, i, d) {
		printf("device %-15s %-9s mode %-5s %s", text(d, "device"), text(d, "role"),
		       text(d, "mode"), text(d, "state"));
		json_array_foreach (json_object_get(d, "hooks"), j, hook)
			printf("%s%s", j ? "+" : " ", json_string_value(hook));
		printf("%s%s\n", *text(d, "note") ? "; " : "", text(d, "note"));
	}
}

static void print_time(json_int_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char buf[32];

	if (localtime_r(&when, &parts) && strftime(buf, sizeof(buf), "%F %T", &parts))
		printf(", %s", buf);
}

/* Enough of a hash to tell two files apart. */
#define HASH_SHOWN 12

/* A rollback has no files, but a name. */
static void print_applied(const json_t *applied, size_t changes)
{
	const json_t *files = json_object_get(applied, "files"), *file;
	size_t i;

	printf("applied");
	json_array_foreach ((json_t *)files, i, file)
		printf(" %s", text(file, "name"));
	if (json_array_size(files))
		printf(" (sha256 %.*s)", HASH_SHOWN, text(applied, "hash"));
	else
		printf(" a former state (%s)", text(applied, "command"));
	printf(" by %s", text(applied, "user"));
	print_time(json_integer_value(json_object_get(applied, "time")));
	printf("; %zu local changes since\n", changes);
}

static void print_origin(const json_t *s, bool details)
{
	const json_t *loaded = json_object_get(s, "loaded"),
		     *applied = json_object_get(s, "applied"),
		     *changes = json_object_get(applied, "changes");
	json_int_t by_hand = json_integer_value(json_object_get(s, "by_hand"));

	printf("loaded by weft %s, programs %s", text(loaded, "version"), text(loaded, "build"));
	print_time(json_integer_value(json_object_get(loaded, "time")));
	putchar('\n');
	if (json_is_object(applied))
		print_applied(applied, json_array_size(changes));
	else
		puts("applied nothing since the load");
	if (details && json_array_size(changes))
		config_diff_print(stdout, changes);
	if (by_hand)
		printf("by hand %lld entries of fdb and neigh\n", (long long)by_hand);
}

static void print_trouble(const json_t *s, const char *red, const char *plain)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(s, "pending"), i, item)
		printf("pending %s: device %s is not attached: %s\n", text(item, "object"),
		       text(item, "device"), text(item, "remedy"));
	json_array_foreach (json_object_get(s, "bypassed"), i, item)
		printf("%sbypass chain %s: its functions are not asked%s: " BYPASS_REMEDY "\n", red,
		       json_string_value(item), plain);
	if (json_is_true(json_object_get(s, "interrupted")))
		printf("%sinterrupted: a change was cut off%s: apply again\n", red, plain);
	printf("%s", red);
	if (json_object_get(s, "unconfirmed"))
		confirm_print(stdout, json_object_get(s, "unconfirmed"));
	findings_print(stdout, "degraded", json_object_get(s, "degraded"));
	printf("%s", plain);
	if (json_is_null(json_object_get(s, "degraded")))
		puts("whether all is well is not known: only root may look");
}

void status_print(const json_t *s, bool details)
{
	const char *red = isatty(STDOUT_FILENO) ? "\033[31m" : "", *plain = *red ? "\033[0m" : "";
	const json_t *tunnel = json_object_get(s, "tunnel");
	const char *name;
	json_t *program;

	printf("weft %s, maps %d, root %s\n", text(s, "version"), WEFT_ABI, text(s, "root"));
	print_origin(s, details);
	printf("host %s%s%s\n",
	       *text(s, "host") ? text(s, "host") : "(not known yet: apply a configuration)",
	       *text(s, "vtep") ? ", vtep " : "", text(s, "vtep"));
	printf("tunnel %s %s\n", text(tunnel, "device"), text(tunnel, "state"));
	print_devices(json_object_get(s, "devices"));
	print_trouble(s, red, plain);
	if (!details)
		return;
	json_object_foreach (json_object_get(s, "programs"), name, program)
		printf("program %-12s id %d%s\n", name,
		       (int)json_integer_value(json_object_get(program, "id")),
		       json_is_true(json_object_get(program, "jited")) ? ""
								       : ", not compiled by a JIT");
}

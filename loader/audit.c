// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>

#include "loader/audit.h"
#include "loader/origin.h"

/* Longer datagrams are thrown away on the way; the history has the values. */
#define SYSLOG_LINE_MAX 8000

static enum { LOG_TO_NONE, LOG_TO_SYSLOG, LOG_TO_STDERR } target;
static bool as_json;

static bool has_syslog(void)
{
	struct stat st;

	return !stat("/dev/log", &st) && S_ISSOCK(st.st_mode);
}

int audit_setup(bool json, struct error *e)
{
	const char *to = getenv("WEFT_LOG");
	char quoted[ERROR_QUOTE_SIZE];

	as_json = json;
	if (!to || !*to)
		target = has_syslog() ? LOG_TO_SYSLOG : LOG_TO_NONE;
	else if (!strcmp(to, "syslog"))
		target = LOG_TO_SYSLOG;
	else if (!strcmp(to, "stderr"))
		target = LOG_TO_STDERR;
	else if (!strcmp(to, "none"))
		target = LOG_TO_NONE;
	else
		return error_set(e, EXIT_USAGE,
				 "WEFT_LOG: %s is no place for a log: write syslog, stderr or none",
				 error_quote(quoted, sizeof(quoted), to));
	return 0;
}

void audit_detach(void)
{
	if (target == LOG_TO_STDERR)
		target = has_syslog() ? LOG_TO_SYSLOG : LOG_TO_NONE;
}

static json_t *time_text(void)
{
	struct timespec now;
	struct tm tm;
	char text[40];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
	return json_string(text);
}

static json_t *make_line(const struct audit *a, const char *verb, const char *object,
			 const json_t *before, const json_t *after)
{
	json_t *line = json_object();

	json_object_set_new(line, "time", time_text());
	json_object_set_new(line, "user", json_string(origin_user(a->origin)));
	json_object_set_new(line, "verb", json_string(verb));
	json_object_set_new(line, "object", json_string(object));
	json_object_set_new(line, "before", before ? json_incref((json_t *)before) : json_null());
	json_object_set_new(line, "after", after ? json_incref((json_t *)after) : json_null());
	json_object_set_new(line, "outcome", json_string(a->outcome));
	json_object_set_new(line, "command", json_string(origin_command(a->origin)));
	json_object_set(line, "uid", json_object_get(a->origin, "uid"));
	json_object_set_new(line, "root", json_string(a->root->path));
	if (a->state)
		json_object_set_new(line, "state", json_integer((json_int_t)a->state));
	return line;
}

/* user=alice verb=add object=tenants/red/acl/pg before=null after={"action":"allow"} ... */
static char *as_text(const json_t *line)
{
	char *text = NULL, *encoded;
	const char *key, *plain;
	json_t *value;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return NULL;
	json_object_foreach ((json_t *)line, key, value) {
		plain = json_string_value(value);
		/* The log has a time of its own; and what could break out of its word is quoted. */
		if (!strcmp(key, "time"))
			continue;
		encoded = plain && *plain && !strpbrk(plain, " \"\\=")
				  ? strdup(plain)
				  : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		fprintf(memory, "%s%s=%s", ftell(memory) ? " " : "", key, encoded ? encoded : "");
		free(encoded);
	}
	fclose(memory);
	return text;
}

static char *encode(const json_t *line)
{
	return as_json ? json_dumps(line, JSON_COMPACT) : as_text(line);
}

static void send(json_t *line)
{
	char *text = encode(line);

	if (target == LOG_TO_SYSLOG && text && strlen(text) > SYSLOG_LINE_MAX) {
		json_object_del(line, "before");
		json_object_del(line, "after");
		json_object_set_new(line, "omitted",
				    json_string("before and after are too long: see weft history"));
		free(text);
		text = encode(line);
	}
	if (text && target == LOG_TO_SYSLOG)
		syslog(LOG_AUTHPRIV | LOG_NOTICE, "%s", text);
	else if (text)
		fprintf(stderr, as_json ? "%s\n" : "weft: log: %s\n", text);
	free(text);
}

void audit_change(const struct audit *a, const char *verb, const char *object, const json_t *before,
		  const json_t *after)
{
	json_t *line;

	if (target == LOG_TO_NONE)
		return;
	if (target == LOG_TO_SYSLOG)
		openlog("weft", LOG_PID, LOG_AUTHPRIV);
	line = make_line(a, verb, object, before, after);
	send(line);
	json_decref(line);
}

void audit_diff(const struct audit *a, const json_t *diff)
{
	const json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)diff, i, entry)
		audit_change(a, json_string_value(json_object_get(entry, "op")),
			     json_string_value(json_object_get(entry, "path")),
			     json_object_get(entry, "old"), json_object_get(entry, "new"));
}

void audit_command(const struct command_line *cl, const struct root *root, const char *verb,
		   const char *object, json_t *before, json_t *after)
{
	json_t *origin = origin_make(cl);
	struct audit a = { .root = root, .origin = origin, .outcome = "done" };

	audit_change(&a, verb, object, before, after);
	json_decref(origin);
	json_decref(before);
	json_decref(after);
}

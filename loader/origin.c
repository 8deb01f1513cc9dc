// SPDX-License-Identifier: BSD-2-Clause
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/origin.h"

json_t *origin_text(const char *text)
{
	char *clean = alloc_zero(4 * strlen(text) + 1, 1), *to = clean;
	json_t *out;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		to += *p < 0x20 || *p >= 0x7f ? sprintf(to, "\\x%02x", *p) : sprintf(to, "%c", *p);
	out = json_string(clean);
	free(clean);
	return out;
}

static json_t *user_name(uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);
	char number[16];

	if (entry)
		return origin_text(entry->pw_name);
	snprintf(number, sizeof(number), "%u", (unsigned int)uid);
	return json_string(number);
}

/* Set at login, and passed on by su and sudo; the kernel lets nobody take another's. NULL: not from a login. */
static json_t *login_name(void)
{
	FILE *file = fopen("/proc/self/loginuid", "re");
	unsigned int uid = (unsigned int)-1;

	if (file && fscanf(file, "%u", &uid) != 1)
		uid = (unsigned int)-1;
	if (file)
		fclose(file);
	return uid == (unsigned int)-1 ? NULL : user_name(uid);
}

static void add_word(FILE *out, const char *word)
{
	const char *quote = *word && !strpbrk(word, " \t\n\"'#") ? ""
			    : strchr(word, '"')                  ? "'"
								 : "\"";

	fprintf(out, " %s%s%s", quote, word, quote);
}

static json_t *command_text(const struct command_line *cl)
{
	const struct command *c = cl->command;
	char *text = NULL;
	json_t *out;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return json_string("");
	if (cl->batch_file)
		fprintf(memory, "-b %s", cl->batch_file);
	else if (c)
		fprintf(memory, "%s%s%s", c->object, c->verb ? " " : "", c->verb ? c->verb : "");
	for (int i = 0; i < cl->argc && !cl->batch_file; i++)
		add_word(memory, cl->argv[i]);
	for (int i = 0; i < cl->options && !cl->batch_file; i++) {
		size_t len = strcspn(cl->option[i].name, "=");

		fprintf(memory, " --%.*s", (int)len, cl->option[i].name);
		if (*cl->option[i].value)
			add_word(memory, cl->option[i].value);
	}
	fclose(memory);
	out = origin_text(text);
	free(text);
	return out;
}

json_t *origin_make(const struct command_line *cl)
{
	json_t *origin = json_object(), *login = login_name();
	const char *sudo = getenv("SUDO_USER");

	/* The login is what nobody can make up; then what sudo says; then who runs this. */
	if (login)
		json_object_set(origin, "user", login);
	else if (sudo && *sudo)
		json_object_set_new(origin, "user", origin_text(sudo));
	else
		json_object_set_new(origin, "user", user_name(getuid()));
	json_object_set_new(origin, "uid", json_integer(getuid()));
	if (login)
		json_object_set_new(origin, "login", login);
	if (sudo && *sudo)
		json_object_set_new(origin, "sudo", origin_text(sudo));
	json_object_set_new(origin, "command", command_text(cl));
	return origin;
}

void origin_file(json_t *origin, const char *name, const char *sha256)
{
	json_t *files = json_object_get(origin, "files");

	if (!files) {
		files = json_array();
		json_object_set_new(origin, "files", files);
	}
	json_array_append_new(files,
			      json_pack("{s:o, s:s}", "name", origin_text(name), "sha256", sha256));
}

static const char *text(const json_t *origin, const char *key)
{
	const char *value = json_string_value(json_object_get(origin, key));

	return value ? value : "";
}

const char *origin_user(const json_t *origin)
{
	return text(origin, "user");
}

const char *origin_command(const json_t *origin)
{
	return text(origin, "command");
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * Command lines, one a line of the input: cut into words, parsed by the table of commands, and the keys and values of
 * what adds or sets an object made into one. What is accepted is accepted again as it is printed.
 */
#include "fuzz.h"

#include "loader/batch.h"
#include "loader/words.h"

#define WORDS 64

/* The object as YAML, as one value: `{network: web, …}`. */
static void must_print(const char *kind, const json_t *object)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	must(out && !config_emit_object(out, kind, object) && !fclose(out) && len);
	free(text);
}

static void try_object(const struct command_line *cl, const char *kind)
{
	struct error e = { 0 };
	json_t *object = schema_object_from_pairs(kind, cl->argc - 1, cl->argv + 1, &e), *same;

	if (!object) {
		must_say(&e);
		return;
	}
	must_print(kind, object);
	same = schema_object_set(kind, object, 0, NULL, &e);
	must(same && json_equal(same, object));
	json_decref(same);
	json_decref(object);
}

static void try_line(char *line)
{
	struct command_line cl = { .root = "/" };
	struct error e = { 0 };
	struct target target;
	char *words[WORDS];
	int n = words_split(line, words, WORDS, &e);

	if (n < 0 || cli_parse(&cl, n, words, &e)) {
		must_say(&e);
		return;
	}
	must(cl.argc <= n && cl.options <= CLI_OPTIONS_MAX);
	if (!cl.command || !(cl.command->flags & COMMAND_BATCH) || cl.argc < 1)
		return;
	if (target_parse(&target, cl.command->object, cl.argv[0], &e)) {
		must_say(&e);
		return;
	}
	must(strlen(target.path) < CONFIG_PATH_LEN && !strstr(target.path, "/../"));
	try_object(&cl, target.part[0] ? "instance" : cl.command->object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *line;

	must(text);
	memcpy(text, data, size);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n")))
		try_line(line);
	free(text);
	return 0;
}

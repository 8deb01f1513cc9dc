// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "loader/config/yaml.h"

struct reader {
	const char *name;
	yaml_parser_t parser;
	struct marks *marks;
	struct error *err;
	size_t nodes;
};

/* libyaml counts from 0, editors from 1. */
static struct mark mark_at(yaml_mark_t at)
{
	return (struct mark){ .line = (unsigned int)at.line + 1,
			      .column = (unsigned int)at.column + 1 };
}

#define refuse(r, at, fmt, ...)                                                                    \
	error_set((r)->err, EXIT_REFUSED, "%s:%zu:%zu: " fmt, (r)->name, (at).line + 1,            \
		  (at).column + 1, ##__VA_ARGS__)

static int refuse_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "not YAML";

	switch (p->error) {
	case YAML_MEMORY_ERROR:
		return error_set(r->err, EXIT_REFUSED, "%s: out of memory", r->name);
	case YAML_READER_ERROR:
		return error_set(r->err, EXIT_REFUSED,
				 "%s: byte %zu: %s: save the file as UTF-8 text", r->name,
				 p->problem_offset, problem);
	default:
		return refuse(r, p->problem_mark, "%s%s%s: %s", p->context ? p->context : "",
			      p->context ? ", " : "", problem,
			      p->context && strstr(p->context, "tag")
				      ? "put a text that begins with ! in quotes"
				      : "correct the YAML here or just above");
	}
}

/* Events that carry names or types that the grammar has no use for. */
static int refuse_decoration(struct reader *r, const yaml_event_t *event, const char *anchor,
			     const char *tag)
{
	char quoted[ERROR_QUOTE_SIZE];

	if (anchor)
		return refuse(r, event->start_mark,
			      "anchor &%s is refused: write the value out, and remove the anchor",
			      anchor);
	if (tag)
		return refuse(
			r, event->start_mark,
			"tag %s is refused: a text that begins with ! needs quotes, and types "
			"are not written",
			error_quote(quoted, sizeof(quoted), tag));
	return 0;
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	char quoted[ERROR_QUOTE_SIZE];

	if (!yaml_parser_parse(&r->parser, event)) {
		event->type = YAML_NO_EVENT;
		return refuse_syntax(r);
	}
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return refuse(r, event->start_mark, "alias %s is refused: write the value out",
			      error_quote(quoted, sizeof(quoted),
					  (const char *)event->data.alias.anchor));
	case YAML_SCALAR_EVENT:
		return refuse_decoration(r, event, (const char *)event->data.scalar.anchor,
					 (const char *)event->data.scalar.tag);
	case YAML_SEQUENCE_START_EVENT:
		return refuse_decoration(r, event, (const char *)event->data.sequence_start.anchor,
					 (const char *)event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return refuse_decoration(r, event, (const char *)event->data.mapping_start.anchor,
					 (const char *)event->data.mapping_start.tag);
	default:
		return 0;
	}
}

static int count_node(struct reader *r, yaml_mark_t at, json_t *node)
{
	struct mark mark = mark_at(at);

	if (++r->nodes > YAML_MAX_NODES)
		return refuse(r, at, "more than %u values: split the configuration",
			      YAML_MAX_NODES);
	if (!node || marks_set(r->marks, node, &mark))
		return error_set(r->err, EXIT_REFUSED, "%s: out of memory", r->name);
	return 0;
}

static json_t *read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (memchr(text, 0, len)) {
		refuse(r, event->start_mark, "a NUL character is refused: remove the \\0");
		return NULL;
	}

	json_t *node = json_stringn(text, len);

	if (!node) {
		refuse(r, event->start_mark, "a text is not UTF-8: save the file as UTF-8");
		return NULL;
	}
	if (count_node(r, event->start_mark, node)) {
		json_decref(node);
		return NULL;
	}
	return node;
}

static json_t *read_node(struct reader *r, const yaml_event_t *event, unsigned int depth);

static int read_items(struct reader *r, json_t *list, unsigned int depth)
{
	for (;;) {
		yaml_event_t event;
		json_t *item = NULL;
		int failed = next_event(r, &event);
		int end = !failed && event.type == YAML_SEQUENCE_END_EVENT;

		if (!failed && !end)
			item = read_node(r, &event, depth);
		yaml_event_delete(&event);
		if (end)
			return 0;
		if (!item || json_array_append_new(list, item))
			return -1;
	}
}

static int refuse_duplicate(struct reader *r, yaml_mark_t at, const char *key, const json_t *first)
{
	struct mark mark = marks_get(r->marks, first);
	char quoted[ERROR_QUOTE_SIZE];

	error_quote(quoted, sizeof(quoted), key);
	if (!mark.key_line)
		return refuse(r, at, "key %s is written twice: keep one", quoted);
	return refuse(r, at, "key %s is written twice, first in line %u: keep one", quoted,
		      mark.key_line);
}

static int read_pair(struct reader *r, json_t *map, const yaml_event_t *key_event,
		     unsigned int depth)
{
	const char *key = (const char *)key_event->data.scalar.value;
	yaml_mark_t at = key_event->start_mark;
	yaml_event_t event;
	json_t *value = NULL;

	if (key_event->type != YAML_SCALAR_EVENT)
		return refuse(r, at,
			      "a key is a list or a map: write a plain word before the colon");
	if (memchr(key, 0, key_event->data.scalar.length))
		return refuse(r, at, "a NUL character is refused: remove the \\0");
	if (json_object_get(map, key))
		return refuse_duplicate(r, at, key, json_object_get(map, key));

	if (!next_event(r, &event))
		value = read_node(r, &event, depth);
	yaml_event_delete(&event);
	if (!value)
		return -1;

	struct mark mark = marks_get(r->marks, value);

	mark.key_line = (unsigned int)at.line + 1;
	mark.key_column = (unsigned int)at.column + 1;
	if (marks_set(r->marks, value, &mark)) {
		json_decref(value);
		return error_set(r->err, EXIT_REFUSED, "%s: out of memory", r->name);
	}
	if (json_object_set_new(map, key, value))
		return refuse(r, at, "the key is not UTF-8, or memory ran out");
	return 0;
}

static int read_pairs(struct reader *r, json_t *map, unsigned int depth)
{
	for (;;) {
		yaml_event_t event;
		int failed = next_event(r, &event);
		int end = !failed && event.type == YAML_MAPPING_END_EVENT;

		if (!failed && !end)
			failed = read_pair(r, map, &event, depth);
		yaml_event_delete(&event);
		if (end)
			return 0;
		if (failed)
			return -1;
	}
}

static json_t *read_node(struct reader *r, const yaml_event_t *event, unsigned int depth)
{
	int is_list = event->type == YAML_SEQUENCE_START_EVENT;
	json_t *node;
	int failed;

	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(r, event);
	if (depth >= YAML_MAX_DEPTH) {
		refuse(r, event->start_mark, "nested deeper than %d: nothing in the grammar is",
		       YAML_MAX_DEPTH);
		return NULL;
	}
	node = is_list ? json_array() : json_object();
	failed = count_node(r, event->start_mark, node);
	if (!failed)
		failed = is_list ? read_items(r, node, depth + 1) : read_pairs(r, node, depth + 1);
	if (failed) {
		json_decref(node);
		return NULL;
	}
	return node;
}

/* The one document between the start and the end of the stream. */
static json_t *read_document(struct reader *r)
{
	json_t *tree = NULL;

	for (;;) {
		yaml_event_t event;
		int failed = next_event(r, &event);
		int type = event.type;

		if (!failed && tree && type == YAML_DOCUMENT_START_EVENT)
			failed =
				refuse(r, event.start_mark,
				       "a second document is refused: put it in a file of its own");
		else if (!failed &&
			 (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
			  type == YAML_MAPPING_START_EVENT))
			failed = !(tree = read_node(r, &event, 0));
		yaml_event_delete(&event);
		if (failed) {
			json_decref(tree);
			return NULL;
		}
		if (type == YAML_STREAM_END_EVENT)
			break;
	}
	if (!tree)
		error_set(r->err, EXIT_REFUSED,
			  "%s: the file is empty: it needs at least `version: 1`", r->name);
	return tree;
}

json_t *yaml_parse(const char *name, const char *text, size_t len, struct marks *marks,
		   struct error *err)
{
	struct reader r = { .name = name, .marks = marks, .err = err };

	if (len > YAML_MAX_BYTES) {
		error_set(err, EXIT_REFUSED, "%s: larger than %u MB: split the configuration", name,
			  YAML_MAX_BYTES >> 20);
		return NULL;
	}
	if (marks_file(marks, name, text, len) || !yaml_parser_initialize(&r.parser)) {
		error_set(err, EXIT_REFUSED, "%s: out of memory", name);
		return NULL;
	}
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);

	json_t *tree = read_document(&r);

	yaml_parser_delete(&r.parser);
	return tree;
}

/* The whole file, bounded, since its size is not known of a pipe and may lie of a file that grows.
 */
static char *slurp(int fd, size_t *len)
{
	size_t room = 1 << 16;
	char *text = malloc(room);

	for (*len = 0; text && *len <= YAML_MAX_BYTES;) {
		ssize_t n = read(fd, text + *len, room - *len);

		if (n == 0)
			return text;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(text);
			return NULL;
		}
		*len += (size_t)n;
		if (*len == room) {
			char *more = realloc(text, room * 2);

			if (!more)
				free(text);
			text = more;
			room *= 2;
		}
	}
	return text;
}

json_t *yaml_read(const char *file, struct marks *marks, struct error *err)
{
	int is_stdin = !strcmp(file, "-");
	const char *name = is_stdin ? "standard input" : file;
	int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	json_t *tree = NULL;
	size_t len;

	if (fd < 0) {
		error_set(err, EXIT_REFUSED,
			  "%s: cannot be opened: %s: check the path and its mode", name,
			  strerror(errno));
		return NULL;
	}

	char *text = slurp(fd, &len);

	if (text)
		tree = yaml_parse(name, text, len, marks, err);
	else
		error_set(err, EXIT_REFUSED, "%s: cannot be read: %s: check that it is a file",
			  name, strerror(errno));
	free(text);
	if (!is_stdin)
		close(fd);
	return tree;
}

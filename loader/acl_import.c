// SPDX-License-Identifier: BSD-2-Clause
/* `weft acl import TENANT FILE format classbench|yaml`: many rules at once, all of them or none. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/batch.h"
#include "loader/classbench.h"
#include "loader/config/check.h"
#include "loader/config/schema.h"
#include "loader/config/tree.h"
#include "loader/config/yaml.h"
#include "loader/rules.h"

#define FILE_MAX (64u << 20)

struct import {
	const char *tenant, *file;
	bool yaml;
	json_t *with; /* keys for all rules, as text; NULL: none */
	struct marks *marks;
};

/* ---- the operands ---- */

/* What a filter of ClassBench does not say. */
static const char *const with_keys[] = { "direction", "action", "apply_to", "log",
					 "stateless", "chain" };

static bool is_with_key(const char *key)
{
	for (size_t i = 0; i < sizeof(with_keys) / sizeof(with_keys[0]); i++)
		if (!strcmp(with_keys[i], key))
			return true;
	return false;
}

/* "port:a,port:b" is a list. */
static json_t *value_of(const char *key, const char *text)
{
	json_t *list;

	if (strcmp(key, "apply_to"))
		return json_string(text);
	list = json_array();
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, ",");

		json_array_append_new(list, json_stringn(at, n));
		at += n + (at[n] == ',');
	}
	return list;
}

/* The schema's own parser says what is wrong with a value, before it is repeated for each line. */
static int check_with(const struct command_line *cl, struct error *e)
{
	json_t *base =
		json_pack("{s:s, s:i, s:s}", "direction", "in", "priority", 0, "action", "allow");
	json_t *whole = schema_object_set("acl", base, cl->argc - 4, cl->argv + 4, e);

	json_decref(base);
	json_decref(whole);
	return whole ? 0 : -1;
}

static int read_with(const struct command_line *cl, struct import *im, struct error *e)
{
	char quoted[ERROR_QUOTE_SIZE];

	if (im->yaml && cl->argc > 4)
		return error_set(
			e, EXIT_USAGE,
			"acl import: rules in YAML say all their keys themselves: leave out %s",
			error_quote(quoted, sizeof(quoted), cl->argv[4]));
	im->with = json_pack("{s:s, s:s}", "direction", "in", "action", "allow");
	for (int i = 4; i + 1 < cl->argc; i += 2) {
		if (!is_with_key(cl->argv[i]))
			return error_set(
				e, EXIT_USAGE,
				"acl import: %s is for each line of the file to say: only direction, "
				"action, apply_to, log, stateless and chain may be given for all",
				error_quote(quoted, sizeof(quoted), cl->argv[i]));
		json_object_set_new(im->with, cl->argv[i], value_of(cl->argv[i], cl->argv[i + 1]));
	}
	return check_with(cl, e);
}

static int read_operands(const struct command_line *cl, struct import *im, struct error *e)
{
	char quoted[ERROR_QUOTE_SIZE];

	im->tenant = cl->argv[0];
	im->file = cl->argv[1];
	if (schema_check_name("tenant", im->tenant, e))
		return -1;
	if (strcmp(cl->argv[2], "format"))
		return error_set(e, EXIT_USAGE,
				 "acl import: %s: write: format classbench or format yaml",
				 error_quote(quoted, sizeof(quoted), cl->argv[2]));
	im->yaml = !strcmp(cl->argv[3], "yaml");
	if (!im->yaml && strcmp(cl->argv[3], "classbench"))
		return error_set(e, EXIT_USAGE,
				 "acl import: format %s is not known: classbench or yaml",
				 error_quote(quoted, sizeof(quoted), cl->argv[3]));
	return read_with(cl, im, e);
}

/* ---- the file ---- */

static char *slurp(FILE *in, size_t *len)
{
	char *text = NULL;
	size_t room = 0, n;

	*len = 0;
	do {
		text = alloc_grow(text, &room, *len + 65536, 1);
		n = fread(text + *len, 1, 65536, in);
		*len += n;
	} while (n && *len <= FILE_MAX);
	return text;
}

static json_t *read_classbench(struct import *im, struct error *e)
{
	bool is_stdin = !strcmp(im->file, "-");
	const char *name = is_stdin ? "standard input" : im->file;
	FILE *in = is_stdin ? stdin : fopen(im->file, "re");
	json_t *rules = NULL;
	char *text;
	size_t len;

	if (!in) {
		error_set(e, EXIT_REFUSED, "%s: cannot be opened: %s: check the path and its mode",
			  name, strerror(errno));
		return NULL;
	}
	text = slurp(in, &len);
	if (ferror(in))
		error_set(e, EXIT_REFUSED, "%s: cannot be read: %s", name, strerror(errno));
	else if (len > FILE_MAX)
		error_set(e, EXIT_REFUSED, "%s: is larger than %u MB", name, FILE_MAX >> 20);
	else
		rules = classbench_parse(name, text, len, im->with, im->marks, e);
	free(text);
	if (!is_stdin)
		fclose(in);
	return rules;
}

/* A list of rules, or the `acl:` of a tenant. */
static json_t *read_yaml(struct import *im, struct error *e)
{
	json_t *raw = yaml_read(im->file, im->marks, e), *rules;
	char place[MARKS_PLACE_SIZE];

	if (!raw || json_is_array(raw))
		return raw;
	rules = json_object_get(raw, "acl");
	if (!json_is_array(rules) || json_object_size(raw) != 1) {
		error_set(
			e, EXIT_REFUSED,
			"%sis not a list of rules: write `- {name: …}` for each, or `acl:` and the list",
			marks_place(im->marks, raw, 0, place, sizeof(place)));
		rules = NULL;
	}
	json_incref(rules);
	json_decref(raw);
	return rules;
}

/* The rules as the schema has them, by name: a new reference, or NULL. */
static json_t *read_rules(struct import *im, struct error *e)
{
	json_t *raw = im->yaml ? read_yaml(im, e) : read_classbench(im, e), *whole, *tree, *rules;

	if (!raw)
		return NULL;
	whole = json_pack("{s:s, s:{s:{s:O}}}", "version", "1", "tenants", im->tenant, "acl", raw);
	tree = schema_tree(whole, im->marks, e);
	rules = json_object_get(json_object_get(json_object_get(tree, "tenants"), im->tenant),
				"acl");
	if (tree && !rules)
		rules = json_object();
	else
		json_incref(rules);
	json_decref(tree);
	json_decref(whole);
	json_decref(raw);
	return rules;
}

/* ---- the change ---- */

static void drop_rules(struct batch *b, const char *tenant)
{
	char prefix[CONFIG_PATH_LEN];
	const char *path;
	json_t *object;
	void *next;
	int len = snprintf(prefix, sizeof(prefix), "tenants/%s/acl/", tenant);

	json_object_foreach_safe(b->flat, next, path,
				 object) if (!strncmp(path, prefix, (size_t)len))
		json_object_del(b->flat, path);
}

/*
 * First as they were written, since the marks tell where; in the form that rules have when read back they are put in
 * place.
 */
static int put_rules(struct batch *b, const struct import *im, json_t *rules, bool normal,
		     struct error *e)
{
	char path[CONFIG_PATH_LEN];
	json_t *object, *form;
	const char *name;

	json_object_foreach (rules, name, object) {
		form = normal ? rule_normalize(im->tenant, name, object, e) : json_incref(object);
		if (!form)
			return -1;
		snprintf(path, sizeof(path), "tenants/%s/acl/%s", im->tenant, name);
		batch_put(b, path, form);
		json_decref(form);
	}
	return 0;
}

static int check_new(const struct batch *b, const struct import *im, const json_t *rules,
		     struct error *e)
{
	char path[CONFIG_PATH_LEN], place[MARKS_PLACE_SIZE];
	const char *name;
	json_t *object;

	snprintf(path, sizeof(path), "tenants/%s", im->tenant);
	if (!json_object_get(b->flat, path))
		return error_set(e, EXIT_REFUSED,
				 "tenant %s does not exist: see `weft tenant show`", im->tenant);
	json_object_foreach ((json_t *)rules, name, object) {
		snprintf(path, sizeof(path), "tenants/%s/acl/%s", im->tenant, name);
		if (json_object_get(b->flat, path))
			return error_set(
				e, EXIT_REFUSED,
				"%sacl %s/%s exists already: with --replace the file's rules take "
				"the place of all that the tenant has",
				marks_place(im->marks, object, 0, place, sizeof(place)), im->tenant,
				name);
	}
	return 0;
}

static int check_whole(const struct batch *b, const struct import *im, struct error *e)
{
	json_t *wanted = config_unflatten(b->flat);
	int failed = config_check(wanted, im->marks, e);

	json_decref(wanted);
	return failed;
}

static int import_rules(struct batch *b, struct import *im, bool replace, struct error *e)
{
	json_t *rules = read_rules(im, e);
	int failed;

	if (!rules)
		return -1;
	if (replace)
		drop_rules(b, im->tenant);
	failed = check_new(b, im, rules, e) || put_rules(b, im, rules, false, e) ||
		 check_whole(b, im, e) || put_rules(b, im, rules, true, e);
	if (!failed) {
		batch_name(b, im->tenant);
		for (unsigned int i = 0; i < marks_files(im->marks); i++)
			batch_file(b, marks_file_name(im->marks, i),
				   marks_file_digest(im->marks, i));
	}
	json_decref(rules);
	return failed ? -1 : EXIT_DONE;
}

static int edit(struct command_line *cl, struct batch *b, struct error *e)
{
	struct import im = { 0 };
	int result = read_operands(cl, &im, e);

	if (!result) {
		im.marks = marks_new();
		result = import_rules(b, &im, cli_option(cl, "replace") != NULL, e);
		marks_free(im.marks);
	}
	json_decref(im.with);
	return result;
}

int cmd_acl_import(struct command_line *cl, struct error *e)
{
	return batch_edit(cl, edit, e);
}

// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/apply.h"
#include "loader/batch.h"
#include "loader/config/schema.h"
#include "loader/config/tree.h"
#include "loader/origin.h"
#include "loader/rule_edit.h"

static int begin(const struct command_line *cl,
		 int (*read)(const struct root *root, struct state *state, struct error *e),
		 struct batch **batch, struct error *e)
{
	struct batch *b = alloc_zero(1, sizeof(*b));

	b->cl = cl;
	if (root_open(&b->root, cl->root, true, e)) {
		free(b);
		return -1;
	}
	if (read(&b->root, &b->state, e)) {
		root_close(&b->root);
		free(b);
		return -1;
	}
	b->flat = json_copy(b->state.flat);
	b->named = json_object();
	b->judged = json_object();
	b->origin = origin_make(cl);
	*batch = b;
	return 0;
}

int batch_begin(const struct command_line *cl, struct batch **batch, struct error *e)
{
	return begin(cl, state_read, batch, e);
}

int batch_begin_objects(const struct command_line *cl, struct batch **batch, struct error *e)
{
	return begin(cl, state_read_objects, batch, e);
}

int batch_commit(struct batch *b, struct error *e)
{
	json_t *wanted = config_unflatten(b->flat);
	/* Who deletes a port by its name means it. */
	struct commit c = {
		.root = &b->root,
		.state = &b->state,
		.wanted = wanted,
		.named = b->named,
		.judged = b->judged,
		.force = true,
		.strand = b->force,
		.any_device = b->force,
		.changed_only = true,
		.each_alone = b->each_alone,
		.origin = b->origin,
	};
	int result = commit_run(&c, e);

	if (result >= 0 && b->cl->json)
		result = cli_json(b->cl, apply_report(&c), e) ? -1 : result;
	else if (result >= 0)
		apply_print_notes(stderr, &c);
	b->left_out = c.left_out;
	commit_free(&c);
	json_decref(wanted);
	return result;
}

void batch_file(struct batch *b, const char *name, const char *sha256)
{
	origin_file(b->origin, name, sha256);
}

void batch_end(struct batch *b)
{
	if (!b)
		return;
	json_decref(b->flat);
	json_decref(b->named);
	json_decref(b->judged);
	json_decref(b->origin);
	state_free(&b->state);
	root_close(&b->root);
	free(b);
}

int batch_edit(struct command_line *cl,
	       int (*edit)(struct command_line *cl, struct batch *b, struct error *e),
	       struct error *e)
{
	struct batch *b;
	int result;

	if (cl->batch) {
		cl->batch->force |= cli_option(cl, "force") != NULL;
		return edit(cl, cl->batch, e);
	}
	result = rule_edit(cl, edit, e);
	if (result != RULE_EDIT_OTHER)
		return result;
	if (batch_begin(cl, &b, e))
		return -1;
	b->force = cli_option(cl, "force") != NULL;
	result = edit(cl, b, e);
	if (result == EXIT_DONE)
		result = batch_commit(b, e);
	batch_end(b);
	return result;
}

void batch_put(struct batch *b, const char *path, json_t *object)
{
	if (object)
		json_object_set(b->flat, path, object);
	else
		json_object_del(b->flat, path);
}

void batch_name(struct batch *b, const char *tenant)
{
	json_object_set_new(b->named, tenant, json_true());
}

void batch_judge(struct batch *b, const char *tenant)
{
	json_object_set_new(b->judged, tenant, json_true());
}

/* The next part of "a/b" into `name`; false if it does not fit. */
static bool take_part(const char **rest, char name[WEFT_NAME_LEN + 1])
{
	size_t len = strcspn(*rest, "/");

	if (len > WEFT_NAME_LEN)
		return false;
	memcpy(name, *rest, len);
	name[len] = '\0';
	*rest += len;
	if (**rest)
		(*rest)++;
	return true;
}

int target_parse(struct target *t, const char *kind_name, const char *operand, struct error *e)
{
	const struct schema_kind *kind = schema_kind(kind_name);
	bool is_sf = !strcmp(kind_name, "sf");
	char quoted[ERROR_QUOTE_SIZE];
	const char *rest = operand;
	size_t slashes = 0;

	*t = (struct target){ .kind = kind_name };
	for (const char *p = operand; *p; p++)
		slashes += *p == '/';
	if ((kind->of_tenant ? slashes != 1 : slashes > is_sf) ||
	    (kind->of_tenant && !take_part(&rest, t->tenant)) || !take_part(&rest, t->name) ||
	    !take_part(&rest, t->part))
		return error_set(e, EXIT_USAGE, "%s %s: write %s", kind_name,
				 error_quote(quoted, sizeof(quoted), operand),
				 kind->of_tenant ? "TENANT/NAME"
				 : is_sf         ? "NAME or NAME/INSTANCE"
						 : "NAME");
	if ((kind->of_tenant && schema_check_name("tenant", t->tenant, e)) ||
	    schema_check_name(kind_name, t->name, e) ||
	    (slashes && is_sf && schema_check_name("instance", t->part, e)))
		return -1;
	if (kind->of_tenant)
		snprintf(t->path, sizeof(t->path), "tenants/%s/%s/%s", t->tenant, kind->path,
			 t->name);
	else
		snprintf(t->path, sizeof(t->path), "%s/%s", kind->path, t->name);
	return 0;
}

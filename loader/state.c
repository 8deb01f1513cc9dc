// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/acl.h"
#include "loader/alloc.h"
#include "loader/config/schema.h"
#include "loader/config/tree.h"
#include "loader/entries.h"
#include "loader/inner.h"
#include "loader/rules.h"
#include "loader/state.h"

/* No object's path begins with a dot. */
#define INTERRUPTED_PATH ".interrupted"

static void reject(struct state *state, const char *tenant, const struct error *why)
{
	struct rejected *r;

	if (state_rejected(state, tenant))
		return;
	r = alloc_zero(1, sizeof(*r));
	snprintf(r->tenant, sizeof(r->tenant), "%s", tenant);
	r->why = *why;
	r->next = state->rejected;
	state->rejected = r;
}

void state_print_rejected(const struct state *state)
{
	for (const struct rejected *r = state->rejected; r; r = r->next)
		fprintf(stderr, "weft: %s (left out)\n", r->why.text);
}

const struct rejected *state_rejected(const struct state *state, const char *tenant)
{
	const struct rejected *r = state->rejected;

	while (r && strcmp(r->tenant, tenant))
		r = r->next;
	return r;
}

/*
 * The parts of one object, entries [first, end) of the sorted list, as its text. Parts beyond the
 * first one's count are left-overs of an interrupted command.
 */
static json_t *join_parts(const struct entries *list, size_t first, size_t end, uint64_t *id,
			  uint32_t *slot)
{
	char *text = alloc_zero(end - first, CONFIG_TEXT_LEN);
	const struct config_value *head = NULL;
	size_t length = 0;
	json_t *object;

	for (size_t i = first; i < end; i++) {
		const struct config_key *key = entries_key(list, i);
		const struct config_value *value = entries_value(list, i);

		if (key->part >= end - first || value->length > CONFIG_TEXT_LEN)
			continue;
		if (!key->part)
			head = value;
		memcpy(text + (size_t)key->part * CONFIG_TEXT_LEN, value->text, value->length);
		/* Only the last part is not full. */
		if ((size_t)key->part * CONFIG_TEXT_LEN + value->length > length)
			length = (size_t)key->part * CONFIG_TEXT_LEN + value->length;
	}
	if (head && length > (size_t)head->parts * CONFIG_TEXT_LEN)
		length = (size_t)head->parts * CONFIG_TEXT_LEN;
	object = head ? json_loadb(text, length, 0, NULL) : NULL;
	if (object) {
		*id = head->id;
		*slot = head->slot;
	}
	free(text);
	return object;
}

static int refuse_object(const char *path, struct error *e)
{
	char quoted[ERROR_QUOTE_SIZE];

	return error_set(
		e, EXIT_REFUSED,
		"map config: %s is stored in a form that this weft does not know: delete that entry, or use the weft that wrote it, or unload, load and apply",
		error_quote(quoted, sizeof(quoted), path));
}

static int read_object(struct state *state, const struct entries *list, size_t first, size_t end,
		       struct error *e)
{
	const struct config_key *key = entries_key(list, first);
	char path[CONFIG_PATH_LEN + 1] = "";
	json_t *object;
	uint32_t slot;
	uint64_t id;

	memcpy(path, key->path, CONFIG_PATH_LEN);
	if (!strcmp(path, INTERRUPTED_PATH)) {
		state->interrupted = true;
		return 0;
	}
	object = join_parts(list, first, end, &id, &slot);
	if (!object) {
		/* Half of an object is none: apply will see it missing and store it again. */
		state->interrupted = true;
		return 0;
	}
	/* Only root could have written it; but whoever goes by it must be able to. */
	if (!schema_path_fits(path) || !schema_object_fits(schema_kind_at(path), object) ||
	    !identity_slot_fits(path, slot) || id == UINT64_MAX) {
		json_decref(object);
		return refuse_object(path, e);
	}
	json_object_set_new(state->flat, path, object);
	identity_set(&state->ids, path, id, slot);
	return 0;
}

int state_take_objects(struct state *state, struct entries *list, struct error *e)
{
	entries_sort(list);
	for (size_t i = 0, end; i < list->n; i = end) {
		for (end = i + 1; end < list->n; end++)
			if (memcmp(entries_key(list, i), entries_key(list, end), CONFIG_PATH_LEN))
				break;
		if (read_object(state, list, i, end, e))
			return -1;
	}
	return 0;
}

static int read_objects(struct state *state, const struct root *root, struct error *e)
{
	int fd = root_map(root, "config", e);
	struct entries list;
	int failed;

	if (fd < 0)
		return -1;
	entries_init(&list, sizeof(struct config_key), sizeof(struct config_value));
	failed = map_read(fd, "config", &list, e);
	close(fd);
	failed = failed || state_take_objects(state, &list, e) ? -1 : 0;
	entries_free(&list);
	return failed;
}

/* The id of a rule is its writer's word: an id that was never given is none. */
static uint64_t believable_id(const struct state *state, uint64_t id)
{
	return id < state->host.next_id ? id : 0;
}

static void read_rule(struct state *state, const char *tenant, const struct rule_key *key,
		      const struct rule *rule)
{
	char name[WEFT_NAME_LEN + 1], path[CONFIG_PATH_LEN];
	struct error why = { 0 };
	json_t *object = NULL;

	if (!rule_key_name(tenant, key, name, &why))
		object = rule_decode(tenant, name, rule, &why);
	if (object && rule_check_names(tenant, name, object, state->flat, &why)) {
		json_decref(object);
		object = NULL;
	}
	if (!object) {
		reject(state, tenant, &why);
		return;
	}
	snprintf(path, sizeof(path), "tenants/%s/acl/%s", tenant, name);
	json_object_set_new(state->flat, path, object);
	identity_set(&state->ids, path, believable_id(state, rule->id), 0);
}

void state_take_rules(struct state *state, const char *tenant, struct entries *list)
{
	entries_sort(list);
	for (size_t i = 0; i < list->n; i++)
		read_rule(state, tenant, entries_key(list, i), entries_value(list, i));
}

static int read_rules(struct state *state, const struct root *root, const char *tenant,
		      struct error *e)
{
	int fd = inner_open(root, tenant, INNER_RULES);
	struct entries list;
	int failed;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_set(e, EXIT_REFUSED, "tenant %s: its rules cannot be read: %s%s",
				 tenant, strerror(errno),
				 errno == EACCES
					 ? ": their owner lets you not (group and mode of the pin)"
					 : "");
	entries_init(&list, sizeof(struct rule_key), sizeof(struct rule));
	failed = map_read(fd, "rules", &list, e);
	close(fd);
	if (!failed)
		state_take_rules(state, tenant, &list);
	entries_free(&list);
	return failed;
}

struct claim {
	struct identity *of;
	int doubt; /* 0: an object of weft's own; 1: a rule; 2: a rule that somebody else may have written */
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->of->id != y->of->id)
		return x->of->id < y->of->id ? -1 : 1;
	return x->doubt != y->doubt ? x->doubt - y->doubt : strcmp(x->of->path, y->of->path);
}

static int doubt(const struct state *state, const char *path)
{
	const char *end = strncmp(path, "tenants/", 8) ? NULL : strchr(path + 8, '/');
	char tenant[WEFT_NAME_LEN + 1];

	if (!end || strncmp(end, "/acl/", 5))
		return 0;
	snprintf(tenant, sizeof(tenant), "%.*s", (int)(end - path - 8), path + 8);
	return json_object_get(state->delegated, tenant) ? 2 : 1;
}

/* An id has one owner: a delegated rule that claims another's gets one of its own, so it logs as itself. */
static void settle_ids(struct state *state)
{
	struct claim *claims = alloc_zero(HASH_COUNT(state->ids.by_path), sizeof(*claims));
	size_t n = 0;

	for (struct identity *one = state->ids.by_path; one; one = one->hh.next)
		if (one->id)
			claims[n++] = (struct claim){ one, doubt(state, one->path) };
	qsort(claims, n, sizeof(*claims), compare_claims);
	for (size_t i = n; i-- > 1;)
		if (claims[i].of->id == claims[i - 1].of->id && claims[i].doubt)
			claims[i].of->id = 0;
	free(claims);
}

static int read_all_rules(struct state *state, const struct root *root, struct error *e)
{
	json_t *names = json_array(), *object, *name;
	const char *path;
	int failed = 0;
	size_t i;

	json_object_foreach (state->flat, path, object)
		if (!strncmp(path, "tenants/", 8) && !strchr(path + 8, '/'))
			json_array_append_new(names, json_string(path + 8));
	json_array_foreach (names, i, name) {
		const char *tenant = json_string_value(name);

		if (inner_is_delegated(root, tenant, INNER_RULES))
			json_object_set_new(state->delegated, tenant, json_true());
		if ((failed = read_rules(state, root, tenant, e)))
			break;
	}
	json_decref(names);
	if (json_object_size(state->delegated))
		settle_ids(state);
	return failed;
}

static int read_host(struct state *state, const struct root *root, struct error *e)
{
	int fd = root_map(root, "host", e);
	uint32_t zero = 0;
	int failed;

	if (fd < 0)
		return -1;
	failed = bpf_map_lookup_elem(fd, &zero, &state->host);
	if (failed)
		error_set(e, EXIT_REFUSED, "map host: cannot be read: %s", strerror(errno));
	close(fd);
	return failed;
}

static int read_parts(const struct root *root, struct state *state, bool rules, struct error *e)
{
	*state = (struct state){ .flat = json_object(), .delegated = json_object() };
	if (read_host(state, root, e) || read_objects(state, root, e))
		goto failed;
	if (state->host.next_id < state->ids.next_id)
		state->host.next_id = state->ids.next_id;
	if (rules && read_all_rules(state, root, e))
		goto failed;
	if (state->ids.next_id < state->host.next_id)
		state->ids.next_id = state->host.next_id;
	state->tree = config_unflatten(state->flat);
	return 0;
failed:
	state_free(state);
	return -1;
}

int state_read(const struct root *root, struct state *state, struct error *e)
{
	return read_parts(root, state, true, e);
}

int state_read_objects(const struct root *root, struct state *state, struct error *e)
{
	return read_parts(root, state, false, e);
}

void state_free(struct state *state)
{
	json_decref(state->tree);
	json_decref(state->flat);
	json_decref(state->delegated);
	identities_free(&state->ids);
	for (struct rejected *r = state->rejected, *next; r; r = next) {
		next = r->next;
		free(r);
	}
	*state = (struct state){ 0 };
}

int state_write_host(const struct root *root, const struct host_config *host, struct error *e)
{
	int fd = root_map(root, "host", e);
	uint32_t zero = 0;
	int failed;

	if (fd < 0)
		return -1;
	failed = bpf_map_update_elem(fd, &zero, host, BPF_ANY);
	if (failed)
		error_set(e, EXIT_REFUSED, "map host: cannot be written: %s", strerror(errno));
	close(fd);
	return failed;
}

int state_set_interrupted(const struct root *root, bool interrupted, struct error *e)
{
	struct config_key key = { .path = INTERRUPTED_PATH };
	struct config_value value = { .parts = 1 };
	int fd = root_map(root, "config", e), failed;

	if (fd < 0)
		return -1;
	failed = interrupted ? bpf_map_update_elem(fd, &key, &value, BPF_ANY)
			     : bpf_map_delete_elem(fd, &key);
	if (failed && !(errno == ENOENT && !interrupted))
		error_set(e, EXIT_REFUSED, "map config: cannot be written: %s", strerror(errno));
	else
		failed = 0;
	close(fd);
	return failed;
}

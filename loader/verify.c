// SPDX-License-Identifier: BSD-2-Clause
/* weft verify */
#include <string.h>

#include "loader/commands.h"
#include "loader/devices.h"
#include "loader/instances.h"
#include "loader/verify.h"

int verify_open(struct verify *v, const struct root *root, const struct state *state,
		struct error *e)
{
	char self[WEFT_NAME_LEN + 1];

	*v = (struct verify){ .root = root, .state = state };
	snprintf(self, sizeof(self), "%.*s", WEFT_NAME_LEN, state->host.name);
	model_make(&v->model, state->tree, &state->ids, self);
	if (instances_place(&v->model, root, e) || facts_gather(&v->facts, root, &v->model, e)) {
		model_free(&v->model);
		return -1;
	}
	v->findings = json_array();
	v->notes = json_array();
	v->chains = json_array();
	return 0;
}

void verify_close(struct verify *v)
{
	facts_free(&v->facts);
	model_free(&v->model);
	json_decref(v->findings);
	json_decref(v->notes);
	json_decref(v->chains);
}

json_t *verify_rules_list(const struct verify *v, const char *tenant)
{
	bool others = v->answers_for && !json_object_get(v->answers_for, tenant);

	return others && json_object_get(v->state->delegated, tenant) ? v->notes : v->findings;
}

void verify_rules(struct verify *v)
{
	char object[FINDING_OBJECT_SIZE];

	for (const struct rejected *r = v->state->rejected; r; r = r->next) {
		snprintf(object, sizeof(object), "tenant %s", r->tenant);
		finding_add(verify_rules_list(v, r->tenant), object,
			    "put its rules right, or apply a file that brings them all", "%s",
			    r->why.text);
	}
}

static json_t *report_of(const struct verify *v)
{
	return json_pack("{s:b, s:O, s:O, s:O, s:{s:I, s:I, s:I, s:I}}", "verified",
			 !json_array_size(v->findings), "findings", v->findings, "notes", v->notes,
			 "chains", v->chains, "checked", "devices", (json_int_t)v->devices,
			 "entries", (json_int_t)v->entries, "tables", (json_int_t)v->tables,
			 "forbidden", (json_int_t)v->forbidden);
}

int verify_run(const struct root *root, const struct state *state, const json_t *answers_for,
	       json_t **report, struct error *e)
{
	struct verify v;
	int result = -1;

	if (devices_check_netns(root, e) || verify_open(&v, root, state, e))
		return -1;
	v.answers_for = answers_for;
	if (state->interrupted)
		finding_add(v.findings, "configuration", "apply it again",
			    "a change was cut off half-way");
	verify_rules(&v);
	verify_underlay(&v);
	if (!verify_devices(&v, e) && !verify_maps(&v, e) && !verify_forbidden(&v, e) &&
	    !verify_chains(&v, e) && !verify_health(&v, v.notes, e)) {
		*report = report_of(&v);
		result = json_array_size(v.findings) ? EXIT_PARTLY : EXIT_DONE;
	}
	verify_close(&v);
	return result;
}

int verify_after(const struct root *root, const json_t *answers_for, json_t **report,
		 struct error *e)
{
	struct state state;
	int result = -1;

	if (!state_read(root, &state, e)) {
		result = verify_run(root, &state, answers_for, report, e);
		state_free(&state);
	}
	/* Done it is, whatever has kept us from looking. */
	if (result < 0 && e->exit_code)
		e->exit_code = EXIT_PARTLY;
	return result;
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_report(const json_t *report)
{
	const json_t *checked = json_object_get(report, "checked"), *one;
	size_t i;

	findings_print(stdout, "wrong", json_object_get(report, "findings"));
	findings_print(stdout, "note", json_object_get(report, "notes"));
	json_array_foreach (json_object_get(report, "chains"), i, one)
		printf("probe chain %s, function %s, %s: back after %lld us\n",
		       json_string_value(json_object_get(one, "chain")),
		       json_string_value(json_object_get(one, "function")),
		       json_string_value(json_object_get(one, "way")), number(one, "us"));
	printf("%s: %lld devices, %lld map entries, %lld tables of tenants, %zu probes through chains, %lld forbidden frames\n",
	       json_is_true(json_object_get(report, "verified")) ? "verified" : "not verified",
	       number(checked, "devices"), number(checked, "entries"), number(checked, "tables"),
	       json_array_size(json_object_get(report, "chains")), number(checked, "forbidden"));
}

static int verify(struct command_line *cl, const struct root *root, struct error *e)
{
	json_t *report = NULL;
	struct state state;
	int result;

	if (state_read(root, &state, e))
		return -1;
	result = verify_run(root, &state, NULL, &report, e);
	state_free(&state);
	if (result < 0)
		return -1;
	if (cl->json)
		return cli_json(cl, report, e) ? -1 : result;
	print_report(report);
	json_decref(report);
	return result;
}

int cmd_verify(struct command_line *cl, struct error *e)
{
	struct root root;
	int result;

	/* In the midst of somebody's change the maps are not what any configuration says: wait for its end. */
	if (root_open(&root, cl->root, true, e))
		return -1;
	result = verify(cl, &root, e);
	root_close(&root);
	return result;
}

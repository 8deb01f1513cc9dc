// SPDX-License-Identifier: BSD-2-Clause
/* `weft acl lint [TENANT]` */
#include <stdio.h>
#include <string.h>

#include "loader/commands.h"
#include "loader/lint.h"
#include "loader/show.h"

static int lint_tenants(const struct show *s, struct lint_report *report, struct error *e)
{
	struct scope scope = { 0 };
	struct policy policy;

	if (s->cl->argc && show_scope(s, s->cl->argv[0], false, &scope, e))
		return -1;
	if (scope.network)
		return error_set(e, EXIT_USAGE, "acl lint %s: write a TENANT", s->cl->argv[0]);
	for (size_t i = 0; i < s->model.n_tenants; i++) {
		const struct model_tenant *t = &s->model.tenants[i];

		if (scope.tenant && scope.tenant != t)
			continue;
		if (policy_open(&policy, &s->model, t, e))
			return -1;
		lint_rules(&policy, report);
		policy_close(&policy);
	}
	return 0;
}

static void print_findings(const struct lint_report *report)
{
	const json_t *one, *name;
	size_t i, k;

	json_array_foreach (report->findings, i, one) {
		const json_t *by = json_object_get(one, "by");

		printf("%s/%s %s: %s", json_string_value(json_object_get(one, "tenant")),
		       json_string_value(json_object_get(one, "rule")),
		       json_string_value(json_object_get(one, "kind")),
		       json_string_value(json_object_get(one, "text")));
		json_array_foreach (by, k, name)
			if (json_array_size(by) > 1)
				printf("%s%s", k ? ", " : ": ", json_string_value(name));
		putchar('\n');
	}
	printf("%zu rules, %zu findings\n", report->rules, json_array_size(report->findings));
	if (!report->complete)
		puts("not all was compared: the rules are too many, or name too much");
}

int cmd_acl_lint(struct command_line *cl, struct error *e)
{
	struct lint_report report = { .findings = json_array(), .complete = true };
	struct show s;
	int result;

	result = show_open(&s, cl, e);
	if (!result) {
		result = lint_tenants(&s, &report, e);
		if (!result && cl->json)
			result = cli_json(cl,
					  json_pack("{s:O, s:I, s:b}", "findings", report.findings,
						    "rules", (json_int_t)report.rules, "complete",
						    report.complete),
					  e);
		else if (!result)
			print_findings(&report);
		show_close(&s);
	}
	if (!result)
		result = !report.complete                   ? EXIT_PARTLY
			 : json_array_size(report.findings) ? EXIT_DIFFERS
							    : EXIT_DONE;
	json_decref(report.findings);
	return result;
}

// SPDX-License-Identifier: BSD-2-Clause
/* `weft acl check TENANT KEY VALUE...`: which rule decides a packet, and why not another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/acl_packet.h"
#include "loader/alloc.h"
#include "loader/commands.h"
#include "loader/config/schema.h"
#include "loader/show.h"

#define NEAREST 5

static const char *const actions[] = { ACTION_NAMES };

/* A rule that was asked before the one that decides. */
struct miss {
	const struct policy_rule *rule;
	unsigned int keys; /* by which it does not match */
	size_t place;
};

struct check {
	const struct show *s;
	const struct policy *policy;
	const struct acl_packet *packet;
	json_t *steps; /* what each port says */
	bool passes;
	bool chain, stateless; /* a rule that decided has one; or knows no flows */
};

/* The nearest first: those that fail by the fewest keys, and of those the first asked. */
static int compare_misses(const void *a, const void *b)
{
	const struct miss *x = a, *y = b;
	int order = __builtin_popcount(x->keys) - __builtin_popcount(y->keys);

	return order ? order : x->place < y->place ? -1 : 1;
}

static const json_t *rule_object(const struct check *c, const struct policy_rule *rule)
{
	return json_object_get(json_object_get(c->policy->tenant->body, "acl"), rule->name);
}

/* "destination_port is 22", or what the rule does not say in a key. */
static json_t *say_key(const struct check *c, const struct policy_rule *rule, enum policy_key key)
{
	const json_t *value = json_object_get(rule_object(c, rule), policy_keys[key]);
	char text[256];

	if (!value)
		return json_string(key == KEY_CONNTRACK_STATE
					   ? "it is for packets that may begin a flow"
					   : policy_keys[key]);
	schema_format(schema_key(schema_kind("acl"), policy_keys[key]), value, text, sizeof(text));
	/* A list of one without its brackets. */
	if (json_array_size(value) == 1 && text[0] == '[')
		return json_sprintf("%s is %.*s", policy_keys[key], (int)strlen(text) - 2,
				    text + 1);
	return json_sprintf("%s is %s", policy_keys[key], text);
}

static json_t *say_miss(const struct check *c, const struct miss *miss)
{
	json_t *keys = json_array(), *why = json_array();

	for (int key = 0; key < POLICY_KEYS; key++) {
		if (!(miss->keys & 1u << key))
			continue;
		json_array_append_new(keys, json_string(policy_keys[key]));
		json_array_append_new(why, say_key(c, miss->rule, (enum policy_key)key));
	}
	return json_pack("{s:s, s:i, s:s, s:o, s:o}", "rule", miss->rule->name, "priority",
			 miss->rule->rule.priority, "action", actions[miss->rule->rule.action],
			 "differs", keys, "why", why);
}

/* Rules of the other direction and of other ports are not of interest, unless all are asked for. */
static json_t *say_misses(const struct check *c, const struct policy_question *q,
			  const struct policy_rule *end)
{
	unsigned int beside = 1u << KEY_DIRECTION | 1u << KEY_APPLY_TO;
	struct miss *misses = alloc_zero(c->policy->n, sizeof(*misses));
	json_t *list = json_array();
	size_t n = 0;

	for (const struct policy_rule *r = c->policy->rules; r < end; r++) {
		unsigned int keys = policy_misses(c->policy, r, q);

		if (!(keys & beside) || c->s->cl->details)
			misses[n++] = (struct miss){ r, keys, (size_t)(r - c->policy->rules) };
	}
	qsort(misses, n, sizeof(*misses), compare_misses);
	for (size_t i = 0; i < n && (i < NEAREST || c->s->cl->details); i++)
		json_array_append_new(list, say_miss(c, &misses[i]));
	free(misses);
	return list;
}

/* Who decides at one port. */
static void ask(struct check *c, const struct model_port *port, uint8_t direction)
{
	uint32_t flags = c->policy->tenant->flags;
	struct policy_question q = c->packet->question;
	const struct policy_rule *rule;
	uint8_t action;
	json_t *step;
	bool denied;

	q.port = port;
	q.direction = direction;
	rule = policy_decide(c->policy, &q);
	action = flags & (direction == FROM_WORKLOAD ? TENANT_ALLOW_OUT : TENANT_ALLOW_IN)
			 ? ACL_ALLOW
			 : ACL_DENY;
	/* What belongs to no flow passes only by a rule that says so. */
	if (q.ct_state == CT_STATE_INVALID)
		action = ACL_DENY;
	if (rule)
		action = rule->rule.action;
	denied = action != ACL_ALLOW && action != ACL_INSPECT;
	step = json_pack("{s:s, s:s, s:s, s:b}", "port", port->name, "direction",
			 direction == FROM_WORKLOAD ? "out" : "in", "action", actions[action],
			 "passes", !denied || flags & TENANT_MONITOR);
	if (rule)
		json_object_update_new(step, json_pack("{s:s, s:i, s:b, s:b}", "rule", rule->name,
						       "priority", rule->rule.priority, "log",
						       rule->rule.log, "stateless",
						       rule->rule.stateless));
	if (action == ACL_INSPECT)
		json_object_set_new(step, "chain", json_string(rule->rule.apply_to[RULE_CHAIN] + strlen(CHAIN_REF)));
	c->chain = c->chain || action == ACL_INSPECT;
	c->stateless = c->stateless || (rule && rule->rule.stateless);
	json_object_set_new(step, "before",
			    say_misses(c, &q, rule ? rule : c->policy->rules + c->policy->n));
	json_array_append_new(c->steps, step);
	if (denied && !(flags & TENANT_MONITOR))
		c->passes = false;
}

/* What no flow is remembered of passes no chain, and does not pass without it. */
static bool chain_misses(const struct check *c)
{
	return c->chain && (c->stateless || !c->packet->has_flow);
}

static void run(struct check *c)
{
	const struct acl_packet *p = c->packet;

	c->passes = !p->is_error;
	if (p->is_error)
		return;
	if (p->sender)
		ask(c, p->sender, FROM_WORKLOAD);
	/* The receiver's host is asked only about what arrives. */
	if (p->receiver && c->passes)
		ask(c, p->receiver, TO_WORKLOAD);
	if (chain_misses(c))
		c->passes = false;
}

/* ---- what it says ---- */

static void print_before(const json_t *step, bool details)
{
	const json_t *list = json_object_get(step, "before"), *miss, *why;
	size_t i, k;

	if (json_array_size(list))
		printf("  asked before%s:\n", details ? "" : ", the nearest first");
	json_array_foreach (list, i, miss) {
		printf("    %s (priority %d, %s):",
		       json_string_value(json_object_get(miss, "rule")),
		       (int)json_integer_value(json_object_get(miss, "priority")),
		       json_string_value(json_object_get(miss, "action")));
		json_array_foreach (json_object_get(miss, "why"), k, why)
			printf("%s %s", k ? "," : "", json_string_value(why));
		putchar('\n');
	}
}

static const char *text(const json_t *step, const char *key)
{
	return json_string_value(json_object_get(step, key));
}

static void print_step(const struct check *c, const json_t *step)
{
	bool denied = strcmp(text(step, "action"), "allow") != 0;

	printf("%s at port:%s: %s, ", text(step, "direction"), text(step, "port"),
	       text(step, "action"));
	if (text(step, "rule"))
		printf("by rule %s (priority %d)", text(step, "rule"),
		       (int)json_integer_value(json_object_get(step, "priority")));
	else if (c->packet->question.ct_state == CT_STATE_INVALID)
		fputs("since it belongs to no flow and no rule is for such", stdout);
	else
		fputs("by default: no rule matches", stdout);
	if (denied && json_is_true(json_object_get(step, "passes")))
		fputs("; it passes, and is counted: enforcement is monitor", stdout);
	if (json_is_true(json_object_get(step, "stateless")))
		fputs("; stateless: its answers need a rule of their own", stdout);
	if (text(step, "chain"))
		printf("; through chain %s, and its answers too", text(step, "chain"));
	putchar('\n');
	print_before(step, c->s->cl->details);
}

static json_t *notes_of(const struct check *c)
{
	const struct acl_packet *p = c->packet;
	json_t *notes = json_array();

	if (p->is_error)
		json_array_append_new(
			notes,
			json_string(
				"an ICMP error asks no rules: it follows the flow that it quotes"));
	if (chain_misses(c))
		json_array_append_new(
			notes,
			json_string(
				"it belongs to no flow, so it cannot pass the chain, and is dropped (chain_no_flow)"));
	if (!p->alone && !p->sender)
		json_array_append_new(
			notes, json_string("source is no port of the tenant: out is not asked"));
	if (!p->alone && !p->receiver && p->question.family)
		json_array_append_new(
			notes,
			json_string("destination is no port of the tenant: in is not asked"));
	if (p->sender && p->receiver && p->sender->network != p->receiver->network)
		json_array_append_new(
			notes, json_sprintf("%s and %s are in different networks: the rules would "
					    "judge it so, but nothing routes it",
					    p->sender->name, p->receiver->name));
	return notes;
}

static int tell(const struct check *c, struct error *e)
{
	json_t *notes = notes_of(c), *note, *step;
	char line[256];
	size_t i;
	int failed = 0;

	acl_packet_text(c->packet, line, sizeof(line));
	if (c->s->cl->json) {
		failed = cli_json(c->s->cl,
				  json_pack("{s:s, s:s, s:O, s:O, s:b}", "tenant",
					    c->policy->tenant->name, "packet", line, "judged",
					    c->steps, "notes", notes, "passes", c->passes),
				  e);
	} else {
		puts(line);
		json_array_foreach (c->steps, i, step)
			print_step(c, step);
		json_array_foreach (notes, i, note)
			printf("note: %s\n", json_string_value(note));
		puts(c->passes ? "passes" : "does not pass");
	}
	json_decref(notes);
	return failed ? -1 : c->passes ? EXIT_DONE : EXIT_DIFFERS;
}

static int check_packet(const struct show *s, const json_t *object, struct error *e)
{
	struct acl_packet packet;
	struct policy policy;
	struct check c = { .s = s, .policy = &policy, .packet = &packet, .steps = json_array() };
	struct scope scope;
	int result = -1;

	if (!show_scope(s, s->cl->argv[0], false, &scope, e) &&
	    !acl_packet_read(&s->model, scope.tenant, object, &packet, e) &&
	    !policy_open(&policy, &s->model, scope.tenant, e)) {
		run(&c);
		result = tell(&c, e);
		policy_close(&policy);
	}
	json_decref(c.steps);
	return result;
}

int cmd_acl_check(struct command_line *cl, struct error *e)
{
	json_t *object = schema_object_from_pairs("packet", cl->argc - 1, cl->argv + 1, e);
	struct show s;
	int result;

	if (!object)
		return -1;
	result = show_open(&s, cl, e);
	if (!result) {
		result = check_packet(&s, object, e);
		show_close(&s);
	}
	json_decref(object);
	return result;
}

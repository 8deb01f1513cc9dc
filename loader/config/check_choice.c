// SPDX-License-Identifier: BSD-2-Clause
/* Chains that rules choose: each port that such a rule applies to, or may come to by its group, has to be one for them. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "loader/config/checker.h"

struct choice {
	struct checker *c;
	const char *tenant, *path; /* of the rule */
	const json_t *body; /* the tenant's */
	const json_t *at; /* the rule's word for its ports, or its chain if it applies to all */
	const char *chain;
	json_t *known; /* chains and ports, or words for them, that have been looked at */
};

static bool is_new(struct choice *choice, const char *word)
{
	char key[CHECK_TEXT];

	snprintf(key, sizeof(key), "%s %s %s", choice->tenant, choice->chain, word);
	if (json_object_get(choice->known, key))
		return false;
	json_object_set_new(choice->known, key, json_true());
	return true;
}

static int check_chosen_port(struct choice *choice, const char *name)
{
	char word[CHECK_TEXT];

	snprintf(word, sizeof(word), "port:%s", name);
	if (!is_new(choice, word))
		return 0;
	return check_protected(choice->c, choice->path, choice->at, choice->tenant, choice->chain, name,
			       ", or let the rule apply to no port there");
}

/* All of the tenant's ports, or of one network's. */
static int check_chosen_ports(struct choice *choice, const char *network)
{
	const char *name;
	json_t *port;

	json_object_foreach (json_object_get(choice->body, "ports"), name, port) {
		const char *of = json_string_value(json_object_get(port, "network"));

		if ((!network || !strcmp(of, network)) && check_chosen_port(choice, name))
			return -1;
	}
	return 0;
}

/* One word of apply_to. */
static int check_chosen_by(struct choice *choice, const char *word)
{
	const char *name = strchr(word, ':') + 1;
	const json_t *item;
	size_t i;

	if (!strncmp(word, "port:", 5))
		return check_chosen_port(choice, name);
	if (!is_new(choice, word))
		return 0;
	if (!strncmp(word, "network:", 8))
		return check_chosen_ports(choice, name);
	json_array_foreach (json_object_get(checker_find(choice->c, choice->path, "group", name), "ports"), i, item)
		if (check_chosen_port(choice, json_string_value(item)))
			return -1;
	return 0;
}

static int check_choice(struct choice *choice, const json_t *rule)
{
	const json_t *apply_to = json_object_get(rule, "apply_to"), *item;
	size_t i;

	choice->at = json_object_get(rule, "chain");
	choice->chain = json_string_value(choice->at);
	if (!apply_to)
		return is_new(choice, "") ? check_chosen_ports(choice, NULL) : 0;
	json_array_foreach ((json_t *)apply_to, i, item) {
		choice->at = item;
		if (check_chosen_by(choice, json_string_value(item)))
			return -1;
	}
	return 0;
}

int check_choices(struct checker *c)
{
	struct choice choice = { .c = c, .known = json_object() };
	char path[CHECK_TEXT];
	int failed = 0;
	const char *name;
	json_t *body, *rule;

	choice.path = path;
	json_object_foreach (json_object_get(c->tree, "tenants"), choice.tenant, body) {
		choice.body = body;
		json_object_foreach (json_object_get(body, "acl"), name, rule) {
			snprintf(path, sizeof(path), "tenants/%s/acl/%s", choice.tenant, name);
			if (!failed && json_object_get(rule, "chain"))
				failed = check_choice(&choice, rule);
		}
	}
	json_decref(choice.known);
	return failed;
}

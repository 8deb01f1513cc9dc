// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "loader/config/schema.h"
#include "loader/rules.h"

#define REF_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789._:/-"

static const char *const actions[] = { ACTION_NAMES };
static const char *const directions[] = { [FROM_WORKLOAD] = "out", [TO_WORKLOAD] = "in" };
static const char *const states[] = { "new", "established", "related", "invalid" };
static const char *const flags[] = { "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr" };

static int word_index(const char *const *words, size_t n, const char *text)
{
	for (size_t i = 0; text && i < n; i++)
		if (!strcmp(words[i], text))
			return (int)i;
	return -1;
}

#define WORD_INDEX(words, text) word_index(words, sizeof(words) / sizeof((words)[0]), text)

/* `room`: how many of them there is room for. */
static int encode_refs(const char *who, const json_t *object, const char *key,
		       char refs[RULE_REFS][RULE_REF_LEN], int room, struct error *e)
{
	const json_t *list = json_object_get(object, key), *item;
	size_t i;

	if (json_array_size(list) > (size_t)room)
		return error_set(e, EXIT_REFUSED,
				 "%s: %s names %zu, and a rule%s has room for %d: make a group "
				 "of them",
				 who, key, json_array_size(list), room < RULE_REFS ? " with a chain" : "",
				 room);
	json_array_foreach ((json_t *)list, i, item) {
		const char *text = json_string_value(item);

		if (!text || strlen(text) >= RULE_REF_LEN)
			return error_set(e, EXIT_REFUSED,
					 "%s: %s: \"%s\" is longer than the %d characters that "
					 "a rule has room for: use a shorter name",
					 who, key, text ? text : "", RULE_REF_LEN - 1);
		memcpy(refs[i], text, strlen(text));
	}
	return 0;
}

static int encode_ranges(const char *who, const json_t *object, const char *key, __u16 *n,
			 struct port_range ranges[RULE_RANGES], struct error *e)
{
	const json_t *list = json_object_get(object, key), *item;
	size_t i;

	if (json_array_size(list) > RULE_RANGES)
		return error_set(e, EXIT_REFUSED,
				 "%s: %s lists %zu ranges, and a rule has room for %d: make two "
				 "rules of it",
				 who, key, json_array_size(list), RULE_RANGES);
	json_array_foreach ((json_t *)list, i, item) {
		ranges[i].first = (__u16)json_integer_value(json_array_get(item, 0));
		ranges[i].last = (__u16)json_integer_value(json_array_get(item, 1));
	}
	*n = (__u16)json_array_size(list);
	return 0;
}

static void encode_scalars(const json_t *object, struct rule *rule)
{
	const json_t *item, *type = json_object_get(object, "icmp_type");
	const char *chain = json_string_value(json_object_get(object, "chain"));
	const json_t *code = json_object_get(object, "icmp_code");
	int protocol = schema_protocol_number(json_object_get(object, "protocol"));
	int ethertype = schema_ethertype_number(json_object_get(object, "ethertype"));
	size_t i;

	rule->direction = (__u8)WORD_INDEX(directions, schema_text("acl", object, "direction"));
	rule->action = (__u8)WORD_INDEX(actions, schema_text("acl", object, "action"));
	if (chain) {
		rule->action = ACL_INSPECT;
		snprintf(rule->apply_to[RULE_CHAIN], RULE_REF_LEN, CHAIN_REF "%s", chain);
	}
	rule->priority = (__u16)schema_number("acl", object, "priority");
	rule->ethertype = ethertype < 0 ? 0 : (__u16)ethertype;
	rule->has_protocol = protocol >= 0;
	rule->protocol = protocol < 0 ? 0 : (__u8)protocol;
	rule->has_icmp_type = type != NULL;
	rule->icmp_type = (__u8)json_integer_value(type);
	rule->has_icmp_code = code != NULL;
	rule->icmp_code = (__u8)json_integer_value(code);
	schema_tcp_flags(json_object_get(object, "tcp_flags"), &rule->tcp_mask, &rule->tcp_flags);
	json_array_foreach (json_object_get(object, "conntrack_state"), i, item) {
		int state = WORD_INDEX(states, json_string_value(item));

		if (state >= 0)
			rule->ct_states |= (__u8)(1 << state);
	}
	rule->log = schema_flag("acl", object, "log");
	rule->stateless = schema_flag("acl", object, "stateless");
}

int rule_encode(const char *tenant, const char *name, const json_t *object, uint64_t id,
		struct rule *rule, struct error *e)
{
	char who[2 * WEFT_NAME_LEN + 16];

	memset(rule, 0, sizeof(*rule));
	snprintf(who, sizeof(who), "acl %s/%s", tenant, name);
	rule->id = id;
	encode_scalars(object, rule);
	if (encode_refs(who, object, "apply_to", rule->apply_to, RULE_APPLY_TO(rule), e) ||
	    encode_refs(who, object, "source", rule->source, RULE_REFS, e) ||
	    encode_refs(who, object, "destination", rule->destination, RULE_REFS, e) ||
	    encode_ranges(who, object, "source_port", &rule->source_ports, rule->source_port, e) ||
	    encode_ranges(who, object, "destination_port", &rule->destination_ports,
			  rule->destination_port, e))
		return -1;
	return 0;
}

/*
 * The KEY VALUE pairs that the rule would be written with, as the schema's own parser reads them.
 */
#define PAIRS     17
#define PAIR_TEXT (RULE_REFS * RULE_REF_LEN)

struct pairs {
	int n;
	char *argv[2 * PAIRS];
	char text[PAIRS][PAIR_TEXT];
};

static char *pair(struct pairs *p, const char *key)
{
	char *text = p->text[p->n];

	p->argv[2 * p->n] = (char *)key;
	p->argv[2 * p->n + 1] = text;
	p->n++;
	text[0] = '\0';
	return text;
}

static void pair_number(struct pairs *p, const char *key, const char *format, unsigned int value)
{
	snprintf(pair(p, key), PAIR_TEXT, format, value);
}

static void append(char *list, const char *before, const char *item)
{
	size_t len = strlen(list);

	snprintf(list + len, PAIR_TEXT - len, "%s%s%s", len ? "," : "", before, item);
}

/* A comma or a bracket would be read as more than one item. */
static int check_ref(const char *key, const char ref[RULE_REF_LEN], int i, struct error *e)
{
	char quoted[ERROR_QUOTE_SIZE];

	if (!memchr(ref, '\0', RULE_REF_LEN))
		return error_set(e, EXIT_REFUSED, "%s %d has no zero at its end", key, i + 1);
	if (!ref[strspn(ref, REF_CHARACTERS)])
		return 0;
	return error_set(e, EXIT_REFUSED, "%s %s is not a prefix or KIND:NAME", key,
			 error_quote(quoted, sizeof(quoted), ref));
}

static int decode_refs(struct pairs *p, const char *key, const char refs[RULE_REFS][RULE_REF_LEN],
		       int n, struct error *e)
{
	char *list;

	if (!refs[0][0])
		return 0;
	list = pair(p, key);
	for (int i = 0; i < n && refs[i][0]; i++) {
		if (check_ref(key, refs[i], i, e))
			return -1;
		append(list, "", refs[i]);
	}
	return 0;
}

/* Where there is a chain the action says so: whoever does not know of chains has to stumble over that. */
static int decode_chain(struct pairs *p, const struct rule *rule, struct error *e)
{
	const char *ref = rule->apply_to[RULE_CHAIN];

	if (rule->action != ACL_INSPECT)
		return 0;
	if (check_ref("chain", ref, RULE_CHAIN, e))
		return -1;
	if (strncmp(ref, CHAIN_REF, strlen(CHAIN_REF)) || !ref[strlen(CHAIN_REF)])
		return error_set(e, EXIT_REFUSED,
				 "action %d is allow, through a chain, and the last place of apply_to does not name "
				 "one: write " CHAIN_REF "NAME there, or action %d",
				 ACL_INSPECT, ACL_ALLOW);
	append(pair(p, "chain"), "", ref + strlen(CHAIN_REF));
	return 0;
}

static int decode_ranges(struct pairs *p, const char *key, unsigned int n,
			 const struct port_range ranges[RULE_RANGES], struct error *e)
{
	char *list, text[16];

	if (!n)
		return 0;
	if (n > RULE_RANGES)
		return error_set(e, EXIT_REFUSED,
				 "%s says that it has %u ranges, and there is room for %d", key, n,
				 RULE_RANGES);
	list = pair(p, key);
	for (unsigned int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%u-%u", ranges[i].first, ranges[i].last);
		append(list, "", text);
	}
	return 0;
}

static int decode_scalars(struct pairs *p, const struct rule *rule, struct error *e)
{
	if (rule->direction > TO_WORKLOAD)
		return error_set(e, EXIT_REFUSED, "direction %u is neither out (%d) nor in (%d)",
				 rule->direction, FROM_WORKLOAD, TO_WORKLOAD);
	if (rule->action > ACL_INSPECT)
		return error_set(e, EXIT_REFUSED,
				 "action %u is not deny (%d), allow (%d), reject (%d) or allow through a chain (%d)",
				 rule->action, ACL_DENY, ACL_ALLOW, ACL_REJECT, ACL_INSPECT);
	if (rule->tcp_flags & ~rule->tcp_mask)
		return error_set(e, EXIT_REFUSED,
				 "tcp_flags 0x%02x has flags that tcp_mask 0x%02x leaves out",
				 rule->tcp_flags, rule->tcp_mask);
	if (rule->ct_states >> (sizeof(states) / sizeof(states[0])))
		return error_set(e, EXIT_REFUSED, "ct_states 0x%02x has unknown bits",
				 rule->ct_states);
	strcpy(pair(p, "direction"), directions[rule->direction]);
	strcpy(pair(p, "action"), actions[rule->action]);
	pair_number(p, "priority", "%u", rule->priority);
	if (rule->ethertype)
		pair_number(p, "ethertype", "0x%04x", rule->ethertype);
	if (rule->has_protocol)
		pair_number(p, "protocol", "%u", rule->protocol);
	if (rule->has_icmp_type)
		pair_number(p, "icmp_type", "%u", rule->icmp_type);
	if (rule->has_icmp_code)
		pair_number(p, "icmp_code", "%u", rule->icmp_code);
	if (rule->log)
		strcpy(pair(p, "log"), "true");
	if (rule->stateless)
		strcpy(pair(p, "stateless"), "true");
	return 0;
}

static void decode_sets(struct pairs *p, const struct rule *rule)
{
	char *list;

	if (rule->tcp_mask) {
		list = pair(p, "tcp_flags");
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (rule->tcp_mask & 1 << i)
				append(list, rule->tcp_flags & 1 << i ? "" : "!", flags[i]);
	}
	if (rule->ct_states) {
		list = pair(p, "conntrack_state");
		for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
			if (rule->ct_states & 1 << i)
				append(list, "", states[i]);
	}
}

json_t *rule_decode(const char *tenant, const char *name, const struct rule *rule, struct error *e)
{
	struct pairs pairs = { 0 };
	struct error why = { 0 };
	json_t *object = NULL;

	if (!decode_scalars(&pairs, rule, &why) &&
	    !decode_chain(&pairs, rule, &why) &&
	    !decode_refs(&pairs, "apply_to", rule->apply_to, RULE_APPLY_TO(rule), &why) &&
	    !decode_refs(&pairs, "source", rule->source, RULE_REFS, &why) &&
	    !decode_refs(&pairs, "destination", rule->destination, RULE_REFS, &why) &&
	    !decode_ranges(&pairs, "source_port", rule->source_ports, rule->source_port, &why) &&
	    !decode_ranges(&pairs, "destination_port", rule->destination_ports,
			   rule->destination_port, &why)) {
		decode_sets(&pairs, rule);
		object = schema_object_from_pairs("acl", 2 * pairs.n, pairs.argv, &why);
	}
	if (!object)
		error_set(e, EXIT_REFUSED,
			  "acl %s/%s: the map rules holds what is no rule: %s: correct or delete "
			  "that entry",
			  tenant, name, why.text);
	return object;
}

int rule_key_name(const char *tenant, const struct rule_key *key, char name[WEFT_NAME_LEN + 1],
		  struct error *e)
{
	char quoted[ERROR_QUOTE_SIZE];
	struct error why = { 0 };
	size_t len = strnlen(key->name, WEFT_NAME_LEN);

	memcpy(name, key->name, WEFT_NAME_LEN);
	name[WEFT_NAME_LEN] = '\0';
	for (size_t i = len; i < WEFT_NAME_LEN; i++)
		if (key->name[i])
			len = 0; /* two keys that differ behind the zero would be one name */
	if (!len || schema_check_name("acl", name, &why))
		return error_set(e, EXIT_REFUSED,
				 "tenant %s: the map rules has the key %s, which is no name: "
				 "delete that entry",
				 tenant, error_quote(quoted, sizeof(quoted), name));
	return 0;
}

/* The path of what "group:web" names; false for a prefix. */
static bool named_path(const char *tenant, const char *ref, char *path, size_t size)
{
	static const char *const kinds[] = { "port", "group", "network" };

	for (int i = 0; i < 3; i++) {
		size_t len = strlen(kinds[i]);

		if (strncmp(ref, kinds[i], len) || ref[len] != ':')
			continue;
		snprintf(path, size, "tenants/%s/%ss/%s", tenant, kinds[i], ref + len + 1);
		return true;
	}
	return false;
}

int rule_check_names(const char *tenant, const char *name, const json_t *object, const json_t *flat,
		     struct error *e)
{
	static const char *const keys[] = { "apply_to", "source", "destination" };
	const char *chain = json_string_value(json_object_get(object, "chain"));
	const json_t *item, *found;
	char path[256];
	size_t i;

	snprintf(path, sizeof(path), "tenants/%s/chains/%s", tenant, chain ? chain : "");
	if (chain && !json_object_get(flat, path))
		return error_set(e, EXIT_REFUSED,
				 "acl %s/%s: the map rules holds chain %s, which the tenant does not have: correct or "
				 "delete that entry",
				 tenant, name, chain);
	for (int k = 0; k < 3; k++) {
		json_array_foreach (json_object_get(object, keys[k]), i, item) {
			const char *ref = json_string_value(item);

			if (!named_path(tenant, ref, path, sizeof(path)))
				continue;
			found = json_object_get(flat, path);
			if (found && (k || !json_object_get(found, "prefixes")))
				continue;
			return error_set(e, EXIT_REFUSED,
					 "acl %s/%s: the map rules holds %s %s, %s: correct or "
					 "delete that entry",
					 tenant, name, keys[k], ref,
					 found ? "a group of prefixes"
					       : "which the tenant does not have");
		}
	}
	return 0;
}

json_t *rule_normalize(const char *tenant, const char *name, const json_t *object, struct error *e)
{
	struct rule rule;

	return rule_encode(tenant, name, object, 0, &rule, e) ? NULL
							      : rule_decode(tenant, name, &rule, e);
}

static int normalize_tenant(const char *tenant, json_t *body, json_t *tenants, struct error *e)
{
	json_t *acl = json_object_get(body, "acl"), *object, *rules, *copy;
	const char *name;

	if (!acl)
		return 0;
	rules = json_object();
	json_object_foreach (acl, name, object) {
		json_t *normal = rule_normalize(tenant, name, object, e);

		if (!normal) {
			json_decref(rules);
			return -1;
		}
		json_object_set_new(rules, name, normal);
	}
	/* Trees share what they are made of: change a copy. */
	copy = json_copy(body);
	json_object_set_new(copy, "acl", rules);
	return json_object_set_new(tenants, tenant, copy);
}

int rules_normalize(json_t *tree, struct error *e)
{
	json_t *tenants = json_object_get(tree, "tenants"), *body, *copy;
	const char *name;

	if (!tenants)
		return 0;
	copy = json_copy(tenants);
	json_object_foreach (tenants, name, body) {
		if (normalize_tenant(name, body, copy, e)) {
			json_decref(copy);
			return -1;
		}
	}
	return json_object_set_new(tree, "tenants", copy);
}

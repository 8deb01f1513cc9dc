// SPDX-License-Identifier: BSD-2-Clause
/*
 * A tenant's `rules` in the hands of somebody who may write them: records of the input patch entries of a good map.
 * Whatever is read, red's tree stays one that can be checked and compiled, blue's is not touched by it, and an entry
 * applies to red's own ports.
 *
 * A record: bytes [which rule (high bit: its key), offset / 6, length], then as many bytes to put there.
 */
#include "fuzz.h"

#include "loader/lint.h"
#include "loader/model.h"
#include "loader/state.h"

static const char world[] =
	"version: 1\n"
	"hosts: {h1: {vtep: 192.0.2.1, underlay: [u0]}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks: {web: {vni: 101, subnets: [10.0.1.0/24, 'fd00:1::/64']}, db: {vni: 102}}\n"
	"    ports:\n"
	"      a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a', addresses: [10.0.1.1]}\n"
	"      b: {network: db, host: h1, device: p1, mac: '02:00:00:00:00:0b', addresses: [10.0.2.1, 'fd00:2::1']}\n"
	"    groups: {all: {ports: [a, b]}, office: {prefixes: [198.51.100.0/24]}}\n"
	"    acl:\n"
	"      - {name: r0, direction: in, priority: 1, action: allow}\n"
	"      - {name: r1, apply_to: [group:all], direction: in, priority: 2, protocol: tcp, source: [group:office],\n"
	"         destination: [port:a, 10.0.0.0/8], source_port: 1-9, destination_port: [80, 443], tcp_flags: [syn],\n"
	"         conntrack_state: [new], action: reject, log: true}\n"
	"      - {name: r2, direction: out, priority: 3, protocol: icmpv6, icmp_type: 128, icmp_code: 0, action: deny}\n"
	"      - {name: r3, apply_to: [network:db], direction: out, priority: 4, ethertype: 0x88b5, action: allow, stateless: true}\n"
	"  blue:\n"
	"    networks: {web: {vni: 201}}\n"
	"    ports: {x: {network: web, host: h1, device: p2, mac: '02:00:00:00:00:0a'}}\n"
	"    groups: {his: {ports: [x]}}\n"
	"    acl: [{name: r0, direction: in, priority: 1, action: allow}]\n";

#define RULES 4

static json_t *clean_flat, *blue;
static struct identities clean_ids;
static struct rule_key keys[RULES];
static struct rule rules[RULES];

static void make_world(void)
{
	json_t *tree = must_parse(world, sizeof(world) - 1);
	struct identities none = { 0 };
	struct error e = { 0 };
	char path[CONFIG_PATH_LEN];

	clean_flat = config_flatten(tree);
	must(!identities_assign(&none, clean_flat, &clean_ids, &e));
	for (int i = 0; i < RULES; i++) {
		snprintf(keys[i].name, sizeof(keys[i].name), "r%d", i);
		snprintf(path, sizeof(path), "tenants/red/acl/r%d", i);
		must(!rule_encode("red", keys[i].name, json_object_get(clean_flat, path), (uint64_t)i + 3,
				  &rules[i], &e));
		json_object_del(clean_flat, path);
	}
	blue = json_incref(json_object_get(json_object_get(tree, "tenants"), "blue"));
	json_decref(tree);
}

static void patch(const uint8_t *data, size_t size, struct rule_key *k, struct rule *r)
{
	while (size > 3) {
		int i = data[0] % RULES;
		bool key = data[0] & 0x80;
		unsigned char *at = key ? (unsigned char *)&k[i] : (unsigned char *)&r[i];
		size_t room = key ? sizeof(k[i]) : sizeof(r[i]), from = (size_t)data[1] * 6 % room, n = data[2];

		data += 3;
		size -= 3;
		n = n < size ? n : size;
		memcpy(at + from, data, n < room - from ? n : room - from);
		data += n;
		size -= n;
	}
}

/* Rules that were taken can be looked at too. */
static void must_lint(const struct model *m)
{
	struct lint_report report = { .findings = json_array(), .complete = true };
	struct error e = { 0 };
	struct policy policy;

	must(!policy_open(&policy, m, model_tenant(m, "red"), &e));
	lint_rules(&policy, &report);
	must(report.complete && report.rules == policy.n);
	policy_close(&policy);
	json_decref(report.findings);
}

static void must_stay_inside(const struct state *state)
{
	struct acl_program program = { 0 };
	struct error e = { 0 };
	struct model m;

	model_make(&m, state->tree, &state->ids, "h1");
	if (acl_program_make(&m, model_tenant(&m, "red"), NULL, &program, &e))
		must_say(&e);
	for (size_t i = 0; program.slot && i < program.slot[0].header.entries; i++) {
		uint32_t slot = program.slot[1 + i].entry.port;

		must(!slot || slot == model_port(&m, "red", "a")->slot + 1 ||
		     slot == model_port(&m, "red", "b")->slot + 1);
	}
	acl_program_free(&program);
	must_lint(&m);
	model_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state state = { .host = { .next_id = 100 }, .delegated = json_object() };
	struct rule_key k[RULES];
	struct rule r[RULES];
	struct error e = { 0 };
	struct entries list;

	if (!clean_flat)
		make_world();
	state.flat = json_copy(clean_flat);
	for (struct identity *one = clean_ids.by_path; one; one = one->hh.next)
		identity_set(&state.ids, one->path, one->id, one->slot);
	memcpy(k, keys, sizeof(k));
	memcpy(r, rules, sizeof(r));
	patch(data, size, k, r);
	entries_init(&list, sizeof(*k), sizeof(*r));
	for (int i = 0; i < RULES; i++)
		entries_add(&list, &k[i], &r[i]);
	state_take_rules(&state, "red", &list);
	for (const struct rejected *one = state.rejected; one; one = one->next)
		must_say(&one->why);
	state.tree = config_unflatten(state.flat);
	if (config_check(state.tree, NULL, &e))
		fprintf(stderr, "%s\n", e.text);
	must(!e.exit_code);
	must(json_equal(json_object_get(json_object_get(state.tree, "tenants"), "blue"), blue));
	must_round_trip(state.tree);
	must_stay_inside(&state);
	entries_free(&list);
	state_free(&state);
	return 0;
}

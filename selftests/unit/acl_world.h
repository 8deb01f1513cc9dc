/* SPDX-License-Identifier: BSD-2-Clause */
/* A tenant of a few networks, ports and groups; random rules for it, and packets that meet them. */
#ifndef WEFT_ACL_WORLD_H
#define WEFT_ACL_WORLD_H

#include "acl_oracle.h"
#include "acl_dice.h"

#include "loader/rules.h"

static const char world_text[] =
	"version: 1\n"
	"hosts: {h1: {vtep: 192.0.2.1, underlay: [u0]}, h2: {vtep: 192.0.2.2, underlay: [u0]}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks:\n"
	"      a: {vni: 1, subnets: [10.0.1.0/30, 'fd00:1::/126']}\n"
	"      b: {vni: 2}\n"
	"    ports:\n"
	"      p0: {network: a, host: h1, device: d0, mac: '02:00:00:00:00:00', addresses: [10.0.1.1, 'fd00:1::1']}\n"
	"      p1: {network: a, host: h1, device: d1, mac: '02:00:00:00:00:01', addresses: [10.0.1.2]}\n"
	"      p2: {network: b, host: h1, device: d2, mac: '02:00:00:00:00:02', addresses: [10.0.2.1, 'fd00:2::1']}\n"
	"      p3: {network: b, host: h2, device: d0, mac: '02:00:00:00:00:03', addresses: [10.0.2.2]}\n"
	"      p4: {network: b, host: h1, device: d3, mac: '02:00:00:00:00:04'}\n"
	"    groups:\n"
	"      g0: {ports: [p0, p3]}\n"
	"      g1: {prefixes: [10.0.2.0/31, 10.9.0.0/16, 'fd00:2::/64']}\n"
	"      g2: {ports: [p4]}\n"
	"    chains:\n"
	"      c0: {tag: 1, steps: [{function: f}]}\n"
	"      c1: {tag: 2, steps: [{function: f}]}\n";

static const char *const here[] = { "p0", "p1", "p2", "p4" };
static const char *const addresses[] = { "10.0.1.0",  "10.0.1.1",  "10.0.1.2", "10.0.2.0",
					 "10.0.2.1",  "10.0.2.2",  "10.9.1.1", "fd00:1::1",
					 "fd00:1::9", "fd00:2::1", "fd00:3::1" };
static const char *const ends[] = { "group:g0",   "group:g1",    "group:g2",  "port:p0",
				    "port:p2",    "port:p3",     "network:a", "network:b",
				    "10.0.0.0/8", "10.0.1.1/32", "0.0.0.0/0", "fd00:1::/64",
				    "::/0" };
static const char *const places[] = { "port:p0",  "port:p1",   "port:p3",  "group:g0",
				      "group:g2", "network:a", "network:b" };

static json_t *some_ranges(void)
{
	json_t *list = json_array();

	for (unsigned int i = dice(3) + 1; i > 0; i--) {
		unsigned int low = dice(8), high = low + dice(3);

		json_array_append_new(list, json_pack("[i, i]", low, high));
	}
	return list;
}

static json_t *random_rule(void)
{
	json_t *rule = rule_that(dice(2) ? "in" : "out");

	maybe_words(rule, "apply_to", places, COUNT(places), 2);
	maybe_words(rule, "source", ends, COUNT(ends), 3);
	maybe_words(rule, "destination", ends, COUNT(ends), 3);
	if (dice(2))
		json_object_set_new(rule, "protocol", json_string(dice(2) ? "tcp" : "udp"));
	if (json_object_get(rule, "protocol") && dice(2))
		json_object_set_new(rule, "destination_port", some_ranges());
	if (json_object_get(rule, "protocol") && !dice(3))
		json_object_set_new(rule, "source_port", some_ranges());
	maybe_ethertype(rule);
	if (!strcmp(json_string_value(json_object_get(rule, "action")), "allow") && !dice(3))
		json_object_set_new(rule, "chain", json_string(dice(2) ? "c0" : "c1"));
	return rule;
}

/* As it was written, and the chain where it has one. */
static void assert_said(const struct model *m, const json_t *rule, const struct acl_said *said)
{
	const char *chain = json_string_value(json_object_get(rule, "chain"));
	const char *action = json_string_value(json_object_get(rule, "action"));
	uint8_t expected = !strcmp(action, "deny") ? ACL_DENY : !strcmp(action, "reject") ? ACL_REJECT : ACL_ALLOW;

	assert_int_equal(said->action, chain ? ACL_INSPECT : expected);
	assert_int_equal(said->chain, chain ? model_chain(m, "red", chain)->slot : 0);
	assert_true(!chain || said->chain);
}

static struct packet random_packet(void)
{
	struct packet p = { .direction = (int)dice(2),
			    .port = here[dice(COUNT(here))],
			    .protocol = dice(2) ? 6 : 17,
			    .source_port = dice(10),
			    .destination_port = dice(10) };

	do {
		assert_int_equal(model_prefix(addresses[dice(COUNT(addresses))], &p.source), 0);
		assert_int_equal(model_prefix(addresses[dice(COUNT(addresses))], &p.destination),
				 0);
	} while (p.source.family != p.destination.family);
	return p;
}

static struct acl_query query_of(const struct model *m, const struct packet *p)
{
	return (struct acl_query){ .source = p->source.addr,
			       .destination = p->destination.addr,
			       .port = model_port(m, "red", p->port)->slot,
			       .family = p->source.family,
			       .ethertype = p->source.family == FAMILY_IPV4 ? 0x0800 : 0x86dd,
			       .direction = (uint8_t)p->direction,
			       .protocol = (uint8_t)p->protocol,
			       .source_port = (uint16_t)p->source_port,
			       .destination_port = (uint16_t)p->destination_port,
			       .ct_state = CT_STATE_NEW };
}

#endif

// SPDX-License-Identifier: BSD-2-Clause
/*
 * `weft chain trace TENANT/CHAIN PORT [KEY VALUE...]`: the way of a packet of the port, and of its answer, by what the maps
 * hold now. Nothing is sent, and nothing changes.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/acl_packet.h"
#include "loader/alloc.h"
#include "loader/batch.h"
#include "loader/chain_path.h"
#include "loader/commands.h"
#include "loader/config/schema.h"
#include "loader/instances.h"
#include "loader/show.h"

#define ICMP_REPLY   0
#define ICMP6_REPLY  129
#define ICMP_QUERY   8
#define ICMP6_QUERY  128
#define ICMP_TIME    13
#define ICMP_TIME_OF 14

struct trace {
	struct command_line *cl;
	struct show s;
	struct steering steering;
	const struct model_chain *chain;
	const struct model_port *port;
	struct acl_packet packet; /* is_packet */
	uint16_t icmp_id;
	bool is_packet;
};

/* ---- which packet ---- */

static bool is_given(const struct command_line *cl, const char *key)
{
	for (int i = 2; i < cl->argc; i += 2)
		if (!strcmp(cl->argv[i], key))
			return true;
	return false;
}

/* The end that is not given is the port. */
static json_t *read_pairs(const struct trace *t, struct error *e)
{
	static const char *const ends[] = { "source", "destination" };
	char self[WEFT_NAME_LEN + 6], key[16];
	char **argv = alloc_zero((size_t)t->cl->argc + 2, sizeof(*argv));
	int argc = t->cl->argc - 2;
	json_t *object;

	memcpy(argv, t->cl->argv + 2, (size_t)argc * sizeof(*argv));
	snprintf(self, sizeof(self), "port:%s", t->port->name);
	for (int i = 0; i < 2; i++) {
		if (is_given(t->cl, ends[i]) || !is_given(t->cl, ends[!i]))
			continue;
		snprintf(key, sizeof(key), "%s", ends[i]);
		argv[argc++] = key;
		argv[argc++] = self;
	}
	object = schema_object_from_pairs("packet", argc, argv, e);
	free(argv);
	return object;
}

static int refuse(const char *why, struct error *e)
{
	return error_set(e, EXIT_REFUSED, "packet: %s", why);
}

static int check_packet(const struct trace *t, const json_t *object, struct error *e)
{
	const struct acl_packet *p = &t->packet;

	if (json_object_get(object, "port"))
		return refuse("port and direction are of `acl check`: which port is said already", e);
	if (!p->question.family)
		return refuse("what is no IP finds its instance by its MACs, and is not traced", e);
	if (p->is_error)
		return refuse("an ICMP error goes the way of the flow that it quotes: trace that", e);
	if (p->sender == t->port || p->receiver == t->port)
		return 0;
	return error_set(e, EXIT_REFUSED,
			 "packet: neither its source nor its destination is port %s: leave one of them out",
			 t->port->name);
}

static int read_packet(struct trace *t, struct error *e)
{
	json_t *object;
	int failed;

	if (t->cl->argc == 2)
		return 0;
	object = read_pairs(t, e);
	if (!object)
		return -1;
	failed = acl_packet_read(&t->s.model, t->port->tenant, object, &t->packet, e) ||
		 check_packet(t, object, e);
	t->icmp_id = (uint16_t)json_integer_value(json_object_get(object, "icmp_id"));
	t->is_packet = true;
	json_decref(object);
	return failed ? -1 : 0;
}

/* ---- its flow, as the datapath sees it ---- */

/* What stands in the place of ports in a flow's key, as on the wire. */
static void ports_of(const struct trace *t, uint16_t ports[2])
{
	const struct policy_question *q = &t->packet.question;
	bool six = q->protocol == IPPROTO_ICMPV6;

	ports[0] = ports[1] = 0;
	switch (q->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		ports[0] = htons(q->source_port);
		ports[1] = htons(q->destination_port);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (q->icmp_type == (six ? ICMP6_QUERY : ICMP_QUERY) ||
		    (!six && q->icmp_type == ICMP_TIME))
			ports[0] = htons(t->icmp_id);
		else if (q->icmp_type == (six ? ICMP6_REPLY : ICMP_REPLY) ||
			 (!six && q->icmp_type == ICMP_TIME_OF))
			ports[1] = htons(t->icmp_id);
		break;
	}
}

static uint64_t end_of(const struct model_address *a, uint16_t port)
{
	return a->family == FAMILY_IPV4
		       ? steer_end4(a->addr.v4, port)
		       : steer_end6(a->addr.halves[0], a->addr.halves[1], port);
}

static int read_flow(const struct trace *t, struct path_flow *flow, struct error *e)
{
	const struct policy_question *q = &t->packet.question;
	uint16_t ports[2], zone = (uint16_t)t->port->network->slot;
	int slots = root_map(&t->s.root, "tenant_slots", e);
	struct tenant record;
	bool there;

	if (slots < 0)
		return -1;
	there = !bpf_map_lookup_elem(slots, &t->port->tenant->slot, &record) &&
		record.id == t->port->tenant->id;
	close(slots);
	if (!there)
		return error_set(e, EXIT_REFUSED,
				 "tenant %s: is not in the maps: `weft verify` tells more",
				 t->port->tenant->name);
	ports_of(t, ports);
	flow->flow = steer_flow(end_of(&q->source, ports[0]), end_of(&q->destination, ports[1]), zone,
				q->protocol, record.seed);
	flow->fragments = steer_flow(end_of(&q->source, 0), end_of(&q->destination, 0), zone, 0,
				     record.seed);
	return 0;
}

/* ---- what it says ---- */

static json_t *notes_of(const struct trace *t)
{
	const struct acl_packet *p = &t->packet;
	json_t *notes = json_array();

	if (t->port->host != t->s.model.self)
		json_array_append_new(
			notes, json_sprintf("port %s is on host %s: ask there which instances its flows have",
					    t->port->name, t->port->host->name));
	if (t->chain->flags & (CHAIN_KEEP | CHAIN_RESET))
		json_array_append_new(
			notes,
			json_sprintf("a flow that is older than the chain on its wire %s (existing: %s)",
				     t->chain->flags & CHAIN_KEEP ? "goes on without it" : "is ended",
				     t->chain->flags & CHAIN_KEEP ? "keep" : "reset"));
	if (!t->is_packet)
		return notes;
	if (!p->sender || !p->receiver)
		json_array_append_new(notes,
				      json_sprintf("no port of tenant %s has the other address",
						   t->port->tenant->name));
	else if (p->sender->network != p->receiver->network)
		json_array_append_new(notes, json_sprintf("%s and %s are in different networks, and "
							  "nothing routes between them",
							  p->sender->name, p->receiver->name));
	return notes;
}

static int tell(const struct trace *t, json_t *way, json_t *answer, struct error *e)
{
	json_t *notes = notes_of(t), *note;
	char line[256] = "any packet", name[2 * WEFT_NAME_LEN + 2];
	size_t i;
	int failed = 0;

	snprintf(name, sizeof(name), "%s/%s", t->chain->tenant, t->chain->name);
	if (t->is_packet)
		acl_packet_text(&t->packet, line, sizeof(line));
	if (t->cl->json) {
		failed = cli_json(t->cl,
				  json_pack("{s:s, s:s, s:s, s:O, s:O, s:O}", "chain", name, "port",
					    t->port->name, "packet", line, "way", way, "answer",
					    answer, "notes", notes),
				  e);
	} else {
		puts(line);
		chain_path_print(way);
		puts(t->is_packet ? "its answer" : "the other way");
		chain_path_print(answer);
		json_array_foreach (notes, i, note)
			printf("note: %s\n", json_string_value(note));
	}
	json_decref(notes);
	return failed ? -1 : EXIT_DONE;
}

static int trace(const struct trace *t, struct error *e)
{
	struct path_question way = { .m = &t->s.model,
				     .steering = &t->steering,
				     .from = t->port },
			     answer = way;
	json_t *there, *back = NULL;
	int result = -1;

	answer.from = NULL;
	answer.to = t->port;
	if (t->is_packet) {
		if (read_flow(t, &way.flow, e))
			return -1;
		way.from = answer.to = t->packet.sender;
		way.to = answer.from = t->packet.receiver;
		answer.flow = way.flow;
	}
	there = chain_path(&way, e);
	if (there)
		back = chain_path(&answer, e);
	if (back)
		result = tell(t, there, back, e);
	json_decref(there);
	json_decref(back);
	return result;
}

/* ---- what is asked ---- */

static int find(struct trace *t, const struct target *target, struct error *e)
{
	const char *text = t->cl->argv[1], *slash = strchr(text, '/');
	const char *name = slash ? slash + 1 : text;
	char quoted[ERROR_QUOTE_SIZE];

	error_quote(quoted, sizeof(quoted), text);
	t->chain = model_chain(&t->s.model, target->tenant, target->name);
	if (!t->chain)
		return error_set(e, EXIT_REFUSED, "chain %s/%s does not exist: see `weft chain show`",
				 target->tenant, target->name);
	if (slash && (strncmp(text, target->tenant, (size_t)(slash - text)) != 0 ||
		      target->tenant[slash - text]))
		return error_set(e, EXIT_USAGE, "port %s: is not of tenant %s, whose the chain is",
				 quoted, target->tenant);
	t->port = model_port(&t->s.model, target->tenant, name);
	if (!t->port)
		return error_set(e, EXIT_REFUSED,
				 "port %s: tenant %s has none of this name: see `weft port show %s`",
				 quoted, target->tenant, target->tenant);
	if (t->port->chain == t->chain)
		return 0;
	return error_set(e, EXIT_REFUSED,
			 "port %s: chain %s/%s is not on its wire, %s%s is: see `weft insert show %s`",
			 quoted, target->tenant, target->name,
			 t->port->chain ? "chain " : "none",
			 t->port->chain ? t->port->chain->name : "", target->tenant);
}

int cmd_chain_trace(struct command_line *cl, struct error *e)
{
	struct trace t = { .cl = cl };
	struct target target;
	int result = -1;

	if (target_parse(&target, "chain", cl->argv[0], e) || show_open(&t.s, cl, e))
		return -1;
	if (!find(&t, &target, e) && !read_packet(&t, e) &&
	    !instances_place(&t.s.model, &t.s.root, e) &&
	    !steering_open(&t.steering, &t.s.root, t.s.state.host.hz, e)) {
		result = trace(&t, e);
		steering_close(&t.steering);
	}
	show_close(&t.s);
	return result;
}

// SPDX-License-Identifier: BSD-2-Clause
/* What the keys of one object demand of each other. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/config/address.h"
#include "loader/config/schema_types.h"

static int misfit(struct schema_fault *fault, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int misfit(struct schema_fault *fault, const char *key, const char *fmt, ...)
{
	va_list args;

	fault->key = key;
	va_start(args, fmt);
	vsnprintf(fault->why, sizeof(fault->why), fmt, args);
	va_end(args);
	return -1;
}

int schema_check_network(const json_t *object, struct schema_fault *fault)
{
	const json_t *subnets = json_object_get(object, "subnets");
	size_t n = json_array_size(subnets);
	long long mtu = schema_number("network", object, "mtu");

	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(subnets, i));
		struct address a, b;

		prefix_parse(text, &a);
		if (a.family == AF_INET6 && mtu < 1280)
			return misfit(
				fault, "mtu",
				"mtu %lld is too small for the IPv6 subnet %s: write at least 1280",
				mtu, text);
		for (size_t j = 0; j < i; j++) {
			const char *other = json_string_value(json_array_get(subnets, j));

			prefix_parse(other, &b);
			if (prefix_contains(&a, &b) || prefix_contains(&b, &a))
				return misfit(fault, "subnets",
					      "subnets %s and %s overlap: keep the larger", other,
					      text);
		}
	}
	return 0;
}

int schema_check_group(const json_t *object, struct schema_fault *fault)
{
	if (json_object_get(object, "ports") && json_object_get(object, "prefixes"))
		return misfit(fault, "prefixes",
			      "a group has ports or prefixes, not both: make two groups of it");
	return 0;
}

int schema_check_instance(const json_t *object, struct schema_fault *fault)
{
	bool one = json_object_get(object, "device"), two = json_object_get(object, "devices");

	if (one == two)
		return misfit(fault, two ? "devices" : NULL,
			      "an instance has %s: write device: D for one arm or devices: [D, E] "
			      "for two",
			      two ? "both device and devices" : "no device");
	return 0;
}

int schema_check_step(const json_t *object, struct schema_fault *fault)
{
	const char *mode = json_string_value(json_object_get(object, "mode"));

	if (mode && !strcmp(mode, "tap") && json_object_get(object, "on_failure"))
		return misfit(fault, "on_failure",
			      "no frame waits for a tap, so nothing depends on its failure: remove "
			      "on_failure, or mode: tap");
	return 0;
}

/* What answers in less time cannot be told from what is dead; and who is back does not wait for ever. */
#define HEALTH_DOWN_MIN_MS 5
#define HEALTH_UP_MAX_MS   600000

int schema_check_sf(const json_t *object, struct schema_fault *fault)
{
	long long interval = schema_number("sf", object, "health.interval");
	long long down = interval * schema_number("sf", object, "health.down_after");
	long long up = interval * schema_number("sf", object, "health.up_after");

	if (down < HEALTH_DOWN_MIN_MS)
		return misfit(fault, "health",
			      "interval times down_after is %lld ms, and that is too soon to call "
			      "anything dead: at least %d ms",
			      down, HEALTH_DOWN_MIN_MS);
	if (up > HEALTH_UP_MAX_MS)
		return misfit(fault, "health",
			      "interval times up_after is %lld s, for which an instance that is "
			      "back would get nothing: at most %d s",
			      up / 1000, HEALTH_UP_MAX_MS / 1000);
	return 0;
}

int schema_check_conntrack(const json_t *object, struct schema_fault *fault)
{
	const json_t *half = json_object_get(object, "max_half_open");
	const json_t *flows = json_object_get(object, "max_flows");

	/* A table that nobody has sized is as large as it must be (loader/model.c). */
	if (half && flows && json_integer_value(half) > json_integer_value(flows))
		return misfit(fault, "max_half_open",
			      "max_half_open %lld is more than the %lld of max_flows: lower it",
			      (long long)json_integer_value(half),
			      (long long)json_integer_value(flows));
	return 0;
}

enum families { V4 = 1, V6 = 2, BOTH = V4 | V6 };

/* Which families the items of a source or destination can have; a group or a port may have either.
 */
static int families_of(const json_t *ends)
{
	int families = ends ? 0 : BOTH;
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)ends, i, item) {
		struct address a;

		if (prefix_parse(json_string_value(item), &a))
			return BOTH;
		families |= a.family == AF_INET ? V4 : V6;
	}
	return families;
}

static int check_families(const json_t *rule, struct schema_fault *fault)
{
	const json_t *source = json_object_get(rule, "source");
	const json_t *destination = json_object_get(rule, "destination");
	int ethertype = schema_ethertype_number(json_object_get(rule, "ethertype"));
	int protocol = schema_protocol_number(json_object_get(rule, "protocol"));
	int left = ethertype == 0x0800 ? V4 : ethertype == 0x86dd ? V6 : BOTH;
	int needed = protocol == 1 ? V4 : protocol == 58 ? V6 : BOTH;

	if (ethertype >= 0 && left == BOTH && (protocol >= 0 || source || destination))
		return misfit(
			fault, "ethertype",
			"ethertype is not IP, yet protocol, source or destination is given: use "
			"ipv4 or ipv6, or remove them");
	if (!(left & needed))
		return misfit(
			fault, "protocol",
			"protocol %s never comes with ethertype %s: use icmp with ipv4 and icmpv6 "
			"with ipv6",
			needed == V4 ? "icmp" : "icmpv6", left == V4 ? "ipv4" : "ipv6");
	left &= needed;
	if (!(left & families_of(source)))
		return misfit(
			fault, "source",
			"source is all %s, but ethertype or protocol says %s: make them agree",
			left == V4 ? "IPv6" : "IPv4", left == V4 ? "IPv4" : "IPv6");
	left &= families_of(source);
	if (!(left & families_of(destination)))
		return misfit(fault, "destination",
			      "destination is all %s, but source, ethertype or protocol says %s: "
			      "make them "
			      "agree",
			      left == V4 ? "IPv6" : "IPv4", left == V4 ? "IPv4" : "IPv6");
	return 0;
}

static int check_l4(const json_t *rule, struct schema_fault *fault)
{
	int protocol = schema_protocol_number(json_object_get(rule, "protocol"));
	bool has_ports = protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136;
	bool is_icmp = protocol == 1 || protocol == 58;

	if (json_object_get(rule, "source_port") && !has_ports)
		return misfit(
			fault, "source_port",
			"source_port needs a protocol with ports: add protocol tcp, udp or sctp");
	if (json_object_get(rule, "destination_port") && !has_ports)
		return misfit(fault, "destination_port",
			      "destination_port needs a protocol with ports: add protocol tcp, udp "
			      "or sctp");
	if (json_object_get(rule, "icmp_type") && !is_icmp)
		return misfit(fault, "icmp_type",
			      "icmp_type needs ICMP: add protocol icmp or icmpv6");
	if (json_object_get(rule, "icmp_code") && !json_object_get(rule, "icmp_type"))
		return misfit(fault, "icmp_code",
			      "icmp_code means nothing without a type: add icmp_type");
	if (json_object_get(rule, "tcp_flags") && protocol != 6)
		return misfit(fault, "tcp_flags", "tcp_flags needs TCP: add protocol tcp");
	return 0;
}

/* A flag both set and not set: the list itself only knows that no text stands in it twice. */
static int check_flags(const json_t *rule, struct schema_fault *fault)
{
	const json_t *flags = json_object_get(rule, "tcp_flags");

	for (size_t i = 0; i < json_array_size(flags); i++) {
		const char *a = json_string_value(json_array_get(flags, i));

		for (size_t j = 0; j < i; j++) {
			const char *b = json_string_value(json_array_get(flags, j));

			if (!strcmp(a + (a[0] == '!'), b + (b[0] == '!')))
				return misfit(
					fault, "tcp_flags",
					"tcp_flags asks for %s and %s, which never hold at once: "
					"keep one",
					b, a);
		}
	}
	return 0;
}

static int check_state(const json_t *rule, struct schema_fault *fault)
{
	const json_t *states = json_object_get(rule, "conntrack_state"), *item;
	bool judged = false;
	size_t i;

	if (!states)
		return 0;
	if (json_is_true(json_object_get(rule, "stateless")))
		return misfit(
			fault, "conntrack_state",
			"conntrack_state means nothing to a stateless rule: remove one of them");
	json_array_foreach ((json_t *)states, i, item) {
		const char *state = json_string_value(item);

		judged |= !strcmp(state, "new") || !strcmp(state, "invalid");
	}
	if (judged)
		return 0;
	return misfit(
		fault, "conntrack_state",
		"conntrack_state names neither new nor invalid, and packets of a known flow follow "
		"that flow's verdict without asking the rules: add new, or remove the rule");
}

/* A chain is passed by flows alone, both ways: what a function gives back is told by its flow. */
static int check_chain(const json_t *rule, struct schema_fault *fault)
{
	const json_t *chain = json_object_get(rule, "chain"), *item;
	const char *action = json_string_value(json_object_get(rule, "action"));
	size_t i;

	if (!chain)
		return 0;
	if (action && strcmp(action, "allow"))
		return misfit(fault, "chain",
			      "chain means nothing with action %s, which lets no flow pass: use action "
			      "allow, or remove the chain",
			      action);
	if (json_is_true(json_object_get(rule, "stateless")))
		return misfit(fault, "chain",
			      "chain needs a flow, and a stateless rule remembers none: remove one of "
			      "them, or bind the chain to the ports' wires with insert");
	json_array_foreach (json_object_get(rule, "conntrack_state"), i, item)
		if (!strcmp(json_string_value(item), "invalid"))
			return misfit(fault, "chain",
				      "chain needs a flow, and what conntrack_state calls invalid belongs "
				      "to none: remove one of them");
	return 0;
}

int schema_check_acl(const json_t *object, struct schema_fault *fault)
{
	if (check_families(object, fault) || check_l4(object, fault) ||
	    check_flags(object, fault) || check_state(object, fault) || check_chain(object, fault))
		return -1;
	return 0;
}

/* A packet that `acl check` asks about: whole addresses, and all that rules may ask of its protocol. */
int schema_check_packet(const json_t *object, struct schema_fault *fault)
{
	static const char *const ends[] = { "source", "destination" };
	int protocol = schema_protocol_number(json_object_get(object, "protocol"));
	bool has_ports = protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136;
	bool is_ip = !json_object_get(object, "ethertype");
	struct address a;

	if (!json_object_get(object, "port") != !json_object_get(object, "direction"))
		return misfit(fault, "port", "port and direction are given together or not at all");
	for (int i = 0; i < 2; i++) {
		const char *text = json_string_value(json_object_get(object, ends[i]));

		if (!text && is_ip)
			return misfit(fault, ends[i], "%s is missing: give an address or port:NAME",
				      ends[i]);
		if (text && !prefix_parse(text, &a) && a.bits != (a.family == AF_INET ? 32 : 128))
			return misfit(fault, ends[i], "%s %s is a prefix, and a packet has one address",
				      ends[i], text);
	}
	if (!is_ip && protocol >= 0)
		return misfit(fault, "ethertype",
			      "a frame with an ethertype of its own has no protocol: remove one of them");
	if (is_ip && protocol < 0)
		return misfit(fault, "protocol", "protocol is missing: give tcp, udp, icmp …");
	if (json_object_get(object, "icmp_id") && protocol != 1 && protocol != 58)
		return misfit(fault, "icmp_id", "icmp_id needs ICMP: add protocol icmp or icmpv6");
	if (has_ports && !json_object_get(object, "destination_port"))
		return misfit(fault, "destination_port", "destination_port is missing");
	return check_l4(object, fault);
}

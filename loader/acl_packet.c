// SPDX-License-Identifier: BSD-2-Clause
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "loader/acl_packet.h"
#include "loader/config/schema.h"
#include "loader/show.h"

#define TCP_SYN        2
#define TCP_RST        4
#define TCP_ACK        16
#define EPHEMERAL_PORT 49152 /* where RFC 6335 has clients choose from */

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_UDPLITE;
}

/* ---- addresses and ports ---- */

struct ends {
	const struct model *m;
	const struct model_tenant *tenant;
	const char *text[2]; /* source and destination, as given */
	const struct model_port *port[2]; /* where one was named */
};

static int port_named(struct ends *ends, int i, struct error *e)
{
	const char *text = ends->text[i];

	if (!text || strncmp(text, "port:", 5))
		return 0;
	ends->port[i] = model_port(ends->m, ends->tenant->name, text + 5);
	return ends->port[i] ? 0
			     : error_set(e, EXIT_REFUSED,
					 "packet: tenant %s has no %s: see `weft port show %s`",
					 ends->tenant->name, text, ends->tenant->name);
}

static const struct model_address *address_of(const struct model_port *port, uint8_t family)
{
	for (size_t i = 0; i < port->n_addresses; i++)
		if (port->addresses[i].family == family)
			return &port->addresses[i];
	return NULL;
}

/* The families that an end may have, as bits of 4 and 6. */
static unsigned int families_of(const struct ends *ends, int i)
{
	struct model_address a;

	if (ends->port[i])
		return (address_of(ends->port[i], FAMILY_IPV4) ? 4u : 0) |
		       (address_of(ends->port[i], FAMILY_IPV6) ? 2u : 0);
	if (!ends->text[i] || model_prefix(ends->text[i], &a))
		return 0;
	return a.family == FAMILY_IPV4 ? 4 : 2;
}

static int find_family(const struct ends *ends, uint8_t protocol, uint8_t *family, struct error *e)
{
	unsigned int left = families_of(ends, 0) & families_of(ends, 1);

	if (protocol == IPPROTO_ICMP)
		left &= 4;
	if (protocol == IPPROTO_ICMPV6)
		left &= 2;
	*family = left & 4 ? FAMILY_IPV4 : FAMILY_IPV6;
	if (left)
		return 0;
	return error_set(e, EXIT_REFUSED,
			 "packet: source %s, destination %s and protocol have no address family in "
			 "common: make them agree",
			 ends->text[0], ends->text[1]);
}

static void put_address(const struct ends *ends, int i, uint8_t family, struct model_address *a)
{
	if (ends->port[i])
		*a = *address_of(ends->port[i], family);
	else
		model_prefix(ends->text[i], a);
}

static bool has_address(const struct model_port *port, const struct model_address *a)
{
	for (size_t i = 0; i < port->n_addresses; i++)
		if (port->addresses[i].family == a->family &&
		    !memcmp(&port->addresses[i].addr, &a->addr, sizeof(a->addr)))
			return true;
	return false;
}

/* Which port has the address; in two networks of a tenant there may be one each. */
static int port_having(const struct ends *ends, const struct model_address *a, const char *text,
		       const struct model_port **port, struct error *e)
{
	for (size_t i = 0; i < ends->m->n_ports; i++) {
		const struct model_port *one = &ends->m->ports[i];

		if (one->tenant != ends->tenant || !has_address(one, a))
			continue;
		if (*port)
			return error_set(e, EXIT_REFUSED,
					 "packet: ports %s and %s both have %s: write port:NAME",
					 (*port)->name, one->name, text);
		*port = one;
	}
	return 0;
}

static int find_ends(const struct model *m, const struct model_tenant *tenant, const json_t *object,
		     struct acl_packet *packet, struct error *e)
{
	struct ends ends = { .m = m,
			     .tenant = tenant,
			     .text = {
				     json_string_value(json_object_get(object, "source")),
				     json_string_value(json_object_get(object, "destination")) } };
	struct policy_question *q = &packet->question;

	if (port_named(&ends, 0, e) || port_named(&ends, 1, e) ||
	    find_family(&ends, q->protocol, &q->family, e))
		return -1;
	put_address(&ends, 0, q->family, &q->source);
	put_address(&ends, 1, q->family, &q->destination);
	q->ethertype = q->family == FAMILY_IPV4 ? 0x0800 : 0x86dd;
	packet->sender = ends.port[0];
	packet->receiver = ends.port[1];
	if (packet->alone)
		return 0;
	return (!packet->sender &&
		port_having(&ends, &q->source, ends.text[0], &packet->sender, e)) ||
			       (!packet->receiver &&
				port_having(&ends, &q->destination, ends.text[1], &packet->receiver,
					    e))
		       ? -1
		       : 0;
}

/* The one port that is to be asked. */
static int find_port(const struct model *m, const struct model_tenant *tenant, const json_t *object,
		     struct acl_packet *packet, struct error *e)
{
	const char *name = json_string_value(json_object_get(object, "port"));
	bool out = !strcmp(schema_text("packet", object, "direction"), "out");
	const struct model_port *port = model_port(m, tenant->name, name);

	if (!port)
		return error_set(e, EXIT_REFUSED,
				 "packet: tenant %s has no port %s: see `weft port show %s`",
				 tenant->name, name, tenant->name);
	packet->sender = out ? port : NULL;
	packet->receiver = out ? NULL : port;
	return 0;
}

/* ---- the rest ---- */

static int number(const json_t *object, const char *key, int otherwise)
{
	const json_t *value = json_object_get(object, key);

	return value ? (int)json_integer_value(value) : otherwise;
}

/* May it begin a flow? The same as flow.h of the stages asks, which also knows what it must be where it begins none. */
static bool may_begin(const struct acl_packet *packet, const struct model_tenant *tenant)
{
	const struct policy_question *q = &packet->question;
	uint8_t flags = q->tcp_flags;

	if (q->protocol == IPPROTO_TCP)
		return !(flags & TCP_RST) && ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN ||
					      (tenant->flags & TENANT_LOOSE && !(flags & TCP_SYN)));
	/* Answers to queries; other types are judged one by one. */
	if (q->protocol == IPPROTO_ICMP)
		return q->icmp_type != 0 && q->icmp_type != 14;
	return q->protocol != IPPROTO_ICMPV6 || q->icmp_type != 129;
}

static bool is_error(const struct policy_question *q)
{
	if (q->protocol == IPPROTO_ICMP)
		return q->icmp_type == 3 || q->icmp_type == 4 || q->icmp_type == 11 ||
		       q->icmp_type == 12;
	return q->protocol == IPPROTO_ICMPV6 && q->icmp_type < 128;
}

static bool is_to_many(const struct policy_question *q)
{
	const uint8_t *bytes = q->destination.addr.bytes;

	if (q->family == FAMILY_IPV6)
		return bytes[0] == 0xff;
	return (bytes[0] & 0xf0) == 0xe0 || !memcmp(bytes, "\xff\xff\xff\xff", 4);
}

static bool has_flow(const struct policy_question *q)
{
	if (q->family == FAMILY_NONE || is_to_many(q))
		return false;
	if (q->protocol == IPPROTO_ICMP)
		return q->icmp_type == 8 || q->icmp_type == 13;
	return q->protocol != IPPROTO_ICMPV6 || q->icmp_type == 128;
}

static void read_l4(const json_t *object, struct policy_question *q)
{
	const json_t *flags = json_object_get(object, "tcp_flags");
	uint8_t mask;

	if (has_ports(q->protocol)) {
		q->source_port = (uint16_t)number(object, "source_port", EPHEMERAL_PORT);
		q->destination_port = (uint16_t)number(object, "destination_port", 0);
	}
	if (q->protocol == IPPROTO_ICMP)
		q->icmp_type = (uint8_t)number(object, "icmp_type", 8);
	if (q->protocol == IPPROTO_ICMPV6)
		q->icmp_type = (uint8_t)number(object, "icmp_type", 128);
	q->icmp_code = (uint8_t)number(object, "icmp_code", 0);
	if (q->protocol == IPPROTO_TCP && flags)
		schema_tcp_flags(flags, &mask, &q->tcp_flags);
	else if (q->protocol == IPPROTO_TCP)
		q->tcp_flags = TCP_SYN;
}

static int no_port(const struct model_tenant *tenant, struct error *e)
{
	return error_set(
		e, EXIT_REFUSED,
		"packet: neither source nor destination is an address of a port of tenant %s: "
		"say whose rules are to be asked, with port and direction",
		tenant->name);
}

int acl_packet_read(const struct model *m, const struct model_tenant *tenant, const json_t *object,
		    struct acl_packet *packet, struct error *e)
{
	int ethertype = schema_ethertype_number(json_object_get(object, "ethertype"));
	int protocol = schema_protocol_number(json_object_get(object, "protocol"));
	const char *state = json_string_value(json_object_get(object, "conntrack_state"));
	struct policy_question *q = &packet->question;

	*packet = (struct acl_packet){ .alone = json_object_get(object, "port") != NULL };
	q->protocol = protocol < 0 ? 0 : (uint8_t)protocol;
	read_l4(object, q);
	if (ethertype >= 0)
		q->ethertype = (uint16_t)ethertype;
	else if (find_ends(m, tenant, object, packet, e))
		return -1;
	if (packet->alone && find_port(m, tenant, object, packet, e))
		return -1;
	if (!packet->sender && !packet->receiver)
		return no_port(tenant, e);
	packet->is_error = is_error(q);
	packet->has_flow = has_flow(q);
	if (state)
		q->ct_state = !strcmp(state, "new") ? CT_STATE_NEW : CT_STATE_INVALID;
	else
		q->ct_state = may_begin(packet, tenant) ? CT_STATE_NEW : CT_STATE_INVALID;
	return 0;
}

/* ---- as text ---- */

static void append(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void append(char *buf, size_t size, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf + len, size - len, fmt, args);
	va_end(args);
}

static void append_flags(char *buf, size_t size, uint8_t flags)
{
	static const char *const names[] = {
		"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"
	};
	const char *comma = "";

	append(buf, size, " flags ");
	for (int i = 0; i < 8; i++) {
		if (!(flags & 1 << i))
			continue;
		append(buf, size, "%s%s", comma, names[i]);
		comma = ",";
	}
	if (!flags)
		append(buf, size, "none");
}

static void append_end(char *buf, size_t size, const struct model_address *a, bool port,
		       uint16_t number)
{
	char text[64];

	show_address(a->family, &a->addr, text, sizeof(text));
	if (!port)
		append(buf, size, "%s", text);
	else
		append(buf, size, a->family == FAMILY_IPV6 ? "[%s]:%u" : "%s:%u", text, number);
}

const char *acl_packet_text(const struct acl_packet *packet, char *buf, size_t size)
{
	const struct policy_question *q = &packet->question;
	bool ports = has_ports(q->protocol);
	char name[16];

	buf[0] = '\0';
	if (q->family == FAMILY_NONE) {
		append(buf, size, "ethertype 0x%04x", q->ethertype);
		return buf;
	}
	append(buf, size, "%s ", schema_protocol_name(q->protocol, name, sizeof(name)));
	append_end(buf, size, &q->source, ports, q->source_port);
	append(buf, size, " > ");
	append_end(buf, size, &q->destination, ports, q->destination_port);
	if (q->protocol == IPPROTO_ICMP || q->protocol == IPPROTO_ICMPV6)
		append(buf, size, " type %u code %u", q->icmp_type, q->icmp_code);
	if (q->protocol == IPPROTO_TCP)
		append_flags(buf, size, q->tcp_flags);
	append(buf, size, ", conntrack_state %s", q->ct_state == CT_STATE_NEW ? "new" : "invalid");
	return buf;
}

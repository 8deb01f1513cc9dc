// SPDX-License-Identifier: BSD-2-Clause
/* Types of what stands in a packet: addresses, protocols, L4 ports, TCP flags. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/config/address.h"
#include "loader/config/schema_types.h"

const struct schema_word schema_protocols[] = {
	{ "icmp", 1, false },   { "igmp", 2, false },      { "ipip", 4, false },
	{ "tcp", 6, false },    { "udp", 17, false },      { "gre", 47, false },
	{ "esp", 50, false },   { "ah", 51, false },       { "icmpv6", 58, false },
	{ "ospf", 89, false },  { "pim", 103, false },     { "vrrp", 112, false },
	{ "sctp", 132, false }, { "udplite", 136, false }, { NULL, 0, false },
};

const struct schema_word schema_ethertypes[] = {
	{ "ipv4", 0x0800, false },
	{ "arp", 0x0806, false },
	{ "ipv6", 0x86dd, false },
	{ NULL, 0, false },
};

const struct schema_word schema_flags[] = {
	{ "fin", 0x01, false }, { "syn", 0x02, false }, { "rst", 0x04, false },
	{ "psh", 0x08, false }, { "ack", 0x10, false }, { "urg", 0x20, false },
	{ "ece", 0x40, false }, { "cwr", 0x80, false }, { NULL, 0, false },
};

static json_t *parse_mac(const struct schema_key *key, const char *text, char *why, size_t size)
{
	unsigned int b[6];
	char normal[18];
	int end = 0;

	(void)key;
	/* %x would also take blanks and 0x, hence the look at the characters. */
	if (strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 ||
	    end != 17) {
		snprintf(why, size,
			 "is not a MAC address: write six pairs of hexadecimal digits, as in "
			 "02:00:00:00:00:0a");
		return NULL;
	}
	snprintf(normal, sizeof(normal), "%02x:%02x:%02x:%02x:%02x:%02x", b[0] & 0xff, b[1] & 0xff,
		 b[2] & 0xff, b[3] & 0xff, b[4] & 0xff, b[5] & 0xff);
	if (b[0] & 1)
		snprintf(why, size, "is a multicast MAC address: write the workload's own address");
	else if (!strcmp(normal, "00:00:00:00:00:00"))
		snprintf(why, size,
			 "is no workload's MAC address: write the workload's own address");
	else
		return json_string(normal);
	return NULL;
}

const struct schema_type schema_type_mac = { "a MAC address", parse_mac, schema_format_text };

/* Why a well-formed address cannot be that of a machine; NULL if it can. */
static const char *not_a_machine(const struct address *a)
{
	if (address_is_multicast(a))
		return "is a multicast or reserved address: write the address of one machine";
	if (address_is_zero(a))
		return "is the unspecified address: write the address of one machine";
	if (address_is_loopback(a))
		return "is a loopback address: write the address on the wire";
	if (address_is_mapped(a))
		return "is an IPv4 address in IPv6 clothes: write it as IPv4";
	return NULL;
}

static json_t *parse_address(const struct schema_key *key, const char *text, char *why, size_t size)
{
	char normal[ADDRESS_TEXT_SIZE];
	const char *misfit;
	struct address a;

	(void)key;
	if (address_parse(text, &a)) {
		snprintf(why, size,
			 "is not an address: write IPv4 as 10.0.1.1 or IPv6 as fd00:1::1%s",
			 strchr(text, '/') ? ", without a prefix length" : "");
		return NULL;
	}
	misfit = not_a_machine(&a);
	if (misfit) {
		snprintf(why, size, "%s", misfit);
		return NULL;
	}
	return json_string(address_text(&a, normal, sizeof(normal)));
}

const struct schema_type schema_type_address = { "an IPv4 or IPv6 address", parse_address,
						 schema_format_text };

static json_t *parse_vtep(const struct schema_key *key, const char *text, char *why, size_t size)
{
	struct address a;

	if (!address_parse(text, &a) && a.family == AF_INET6) {
		snprintf(why, size,
			 "is an IPv6 tunnel endpoint, which is not supported yet: write an IPv4 "
			 "address");
		return NULL;
	}
	return parse_address(key, text, why, size);
}

const struct schema_type schema_type_vtep = { "an IPv4 address", parse_vtep, schema_format_text };

static json_t *parse_prefix(const struct schema_key *key, const char *text, char *why, size_t size)
{
	char normal[ADDRESS_TEXT_SIZE];
	struct address a;

	(void)key;
	if (prefix_parse(text, &a)) {
		snprintf(why, size,
			 "is not a prefix: write IPv4 as 10.0.1.0/24 or IPv6 as fd00:1::/64");
		return NULL;
	}
	if (address_is_mapped(&a)) {
		snprintf(why, size, "is IPv4 in IPv6 clothes: write it as IPv4");
		return NULL;
	}
	if (address_mask(&a)) {
		snprintf(why, size, "has bits set beyond its length: write %s",
			 prefix_text(&a, normal, sizeof(normal)));
		return NULL;
	}
	return json_string(prefix_text(&a, normal, sizeof(normal)));
}

const struct schema_type schema_type_prefix = { "a prefix, as 10.0.1.0/24", parse_prefix,
						schema_format_text };

static json_t *parse_endpoint(const struct schema_key *key, const char *text, char *why,
			      size_t size)
{
	const char *colon = strchr(text, ':');
	char list[80];
	struct address a;

	/* No kind is a hexadecimal number, so that a text is a reference or a prefix, never both.
	 */
	if (!prefix_parse(text, &a) || strchr(text, '/') || !colon) {
		json_t *prefix = parse_prefix(key, text, why, size);
		size_t at = prefix ? 0 : strlen(why);

		if (!prefix && !strncmp(why, "is not", 6))
			snprintf(why + at, size - at, ", or KIND:NAME, where KIND is %s",
				 schema_word_list(key->words, list, sizeof(list)));
		return prefix;
	}
	json_t *ref = schema_type_ref.parse(key, text, why, size);

	if (!ref && !strncmp(why, "does not", 8))
		snprintf(why + strlen(why), size - strlen(why), "; or a prefix");
	return ref;
}

const struct schema_type schema_type_endpoint = { "a prefix or KIND:NAME", parse_endpoint,
						  schema_format_text };

static json_t *named_number(const struct schema_word *words, long long value)
{
	for (; words->text; words++)
		if (words->value == value)
			return json_string(words->text);
	return json_integer(value);
}

static json_t *parse_protocol(const struct schema_key *key, const char *text, char *why,
			      size_t size)
{
	char list[160];
	long long value;

	(void)key;
	if (schema_find_word(schema_protocols, text))
		return json_string(text);
	if (!schema_parse_number(text, &value) && value <= 255)
		return named_number(schema_protocols, value);
	snprintf(why, size, "is not an IP protocol: write %s, or its number from 0 to 255",
		 schema_word_list(schema_protocols, list, sizeof(list)));
	return NULL;
}

static void format_named(const struct schema_key *key, const json_t *value, char *buf, size_t size)
{
	if (json_is_string(value))
		schema_format_text(key, value, buf, size);
	else
		snprintf(buf, size, key->type == &schema_type_ethertype ? "0x%04llx" : "%lld",
			 (long long)json_integer_value(value));
}

const struct schema_type schema_type_protocol = { "an IP protocol", parse_protocol, format_named };

static json_t *parse_ethertype(const struct schema_key *key, const char *text, char *why,
			       size_t size)
{
	char list[80];

	(void)key;
	if (schema_find_word(schema_ethertypes, text))
		return json_string(text);
	if (!strncmp(text, "0x", 2) && strlen(text) >= 3 && strlen(text) <= 6 &&
	    strspn(text + 2, "0123456789abcdefABCDEF") == strlen(text + 2)) {
		long long value = strtoll(text + 2, NULL, 16);

		/* Smaller ones are the length field of an IEEE 802.3 frame. */
		if (value >= 0x600)
			return named_number(schema_ethertypes, value);
	}
	snprintf(why, size, "is not an ethertype: write %s, or its number from 0x0600 to 0xffff",
		 schema_word_list(schema_ethertypes, list, sizeof(list)));
	return NULL;
}

const struct schema_type schema_type_ethertype = { "an ethertype", parse_ethertype, format_named };

static json_t *parse_l4_ports(const struct schema_key *key, const char *text, char *why,
			      size_t size)
{
	const char *dash = strchr(text, '-');
	char low_text[8] = "";
	long long low, high;

	(void)key;
	if (dash && (size_t)(dash - text) < sizeof(low_text))
		memcpy(low_text, text, (size_t)(dash - text));
	if (schema_parse_number(dash ? low_text : text, &low) ||
	    schema_parse_number(dash ? dash + 1 : text, &high) || high > 65535) {
		snprintf(
			why, size,
			"is not a port number: write one from 0 to 65535, or a range as 8000-8099");
		return NULL;
	}
	if (low > high) {
		snprintf(why, size, "is a range that ends before it begins: write %lld-%lld", high,
			 low);
		return NULL;
	}
	return json_pack("[I, I]", (json_int_t)low, (json_int_t)high);
}

static void format_l4_ports(const struct schema_key *key, const json_t *value, char *buf,
			    size_t size)
{
	long long low = json_integer_value(json_array_get(value, 0));
	long long high = json_integer_value(json_array_get(value, 1));

	(void)key;
	if (low == high)
		snprintf(buf, size, "%lld", low);
	else
		snprintf(buf, size, "%lld-%lld", low, high);
}

const struct schema_type schema_type_l4_ports = { "a port number or a range", parse_l4_ports,
						  format_l4_ports };

static json_t *parse_tcp_flag(const struct schema_key *key, const char *text, char *why,
			      size_t size)
{
	char list[80];

	(void)key;
	if (schema_find_word(schema_flags, text + (text[0] == '!')))
		return json_string(text);
	snprintf(why, size,
		 "is not a TCP flag: write %s, with ! before it for a flag that is not set",
		 schema_word_list(schema_flags, list, sizeof(list)));
	return NULL;
}

const struct schema_type schema_type_tcp_flag = { "a TCP flag, as syn or !ack", parse_tcp_flag,
						  schema_format_text };

static int number_of(const struct schema_word *words, const json_t *value)
{
	const struct schema_word *word;

	if (json_is_integer(value))
		return (int)json_integer_value(value);
	if (!json_is_string(value))
		return -1;
	word = schema_find_word(words, json_string_value(value));
	return word ? (int)word->value : -1;
}

int schema_protocol_number(const json_t *protocol)
{
	return number_of(schema_protocols, protocol);
}

const char *schema_protocol_name(uint8_t protocol, char *buf, size_t size)
{
	for (const struct schema_word *w = schema_protocols; w->text; w++) {
		if (w->value != protocol)
			continue;
		snprintf(buf, size, "%s", w->text);
		return buf;
	}
	snprintf(buf, size, "%u", protocol);
	return buf;
}

int schema_ethertype_number(const json_t *ethertype)
{
	return number_of(schema_ethertypes, ethertype);
}

void schema_tcp_flags(const json_t *flags, uint8_t *mask, uint8_t *value)
{
	const json_t *item;
	size_t i;

	*mask = *value = 0;
	json_array_foreach (flags, i, item) {
		const char *text = json_string_value(item);
		int negated = text && text[0] == '!';
		const struct schema_word *word =
			text ? schema_find_word(schema_flags, text + negated) : NULL;

		if (!word)
			continue;
		*mask |= (uint8_t)word->value;
		if (!negated)
			*value |= (uint8_t)word->value;
	}
}

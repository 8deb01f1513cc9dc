// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/classbench.h"
#include "loader/config/address.h"

#define PRIORITY_FIRST 60000
#define LINE_MAX_LEN   512

/* A line at work. */
struct line {
	const char *file;
	unsigned int number;
	const char *begin, *at; /* of a copy that ends with a zero */
	struct marks *marks;
	struct error *e;
};

struct filter {
	struct address source, destination;
	unsigned int source_port[2], destination_port[2];
	unsigned int protocol, mask;
};

static unsigned int column(const struct line *l)
{
	return (unsigned int)(l->at - l->begin) + 1;
}

static int refuse(struct line *l, const char *wanted)
{
	char quoted[ERROR_QUOTE_SIZE], word[64];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(l->at, " \t\r"), l->at);
	return error_set(l->e, EXIT_REFUSED, "%s:%u:%u: %s: %s", l->file, l->number, column(l),
			 *word ? error_quote(quoted, sizeof(quoted), word) : "the line ends",
			 wanted);
}

static void skip_blanks(struct line *l)
{
	l->at += strspn(l->at, " \t\r");
}

static int read_prefix(struct line *l, struct address *a)
{
	char text[ADDRESS_TEXT_SIZE];
	size_t n;

	skip_blanks(l);
	n = strcspn(l->at, " \t\r");
	snprintf(text, sizeof(text), "%.*s", (int)n, l->at);
	if (n >= sizeof(text) || prefix_parse(text, a))
		return refuse(l, "not an IPv4 or IPv6 prefix");
	/* Generators leave host bits behind the prefix. */
	address_mask(a);
	l->at += n;
	return 0;
}

static int read_number(struct line *l, int base, unsigned int max, unsigned int *n,
		       const char *wanted)
{
	unsigned long value;
	char *end;

	skip_blanks(l);
	if (*l->at < '0' || *l->at > '9')
		return refuse(l, wanted);
	value = strtoul(l->at, &end, base);
	if (value > max)
		return refuse(l, wanted);
	*n = (unsigned int)value;
	l->at = end;
	return 0;
}

static int read_mark(struct line *l, char mark, const char *wanted)
{
	skip_blanks(l);
	if (*l->at != mark)
		return refuse(l, wanted);
	l->at++;
	return 0;
}

static int read_range(struct line *l, unsigned int range[2])
{
	static const char wanted[] = "not a range of ports, as 0 : 65535";

	if (read_number(l, 10, 65535, &range[0], wanted) || read_mark(l, ':', wanted) ||
	    read_number(l, 10, 65535, &range[1], wanted))
		return -1;
	return range[0] <= range[1] ? 0 : refuse(l, "the range ends before it begins");
}

static int read_filter(struct line *l, struct filter *f)
{
	static const char wanted[] = "not a protocol with its mask, as 0x06/0xFF or 0x00/0x00";

	if (read_mark(l, '@', "a filter begins with @") || read_prefix(l, &f->source) ||
	    read_prefix(l, &f->destination) || read_range(l, f->source_port) ||
	    read_range(l, f->destination_port) || read_number(l, 16, 255, &f->protocol, wanted) ||
	    read_mark(l, '/', wanted) || read_number(l, 16, 255, &f->mask, wanted))
		return -1;
	return f->mask == 0 || f->mask == 255 ? 0 : refuse(l, "a protocol's mask is 0x00 or 0xFF");
}

/* ---- a filter as rules ---- */

/* Rules alone, not their keys: there are ten times as many of those, and a rule's name tells its line. */
static void mark(const struct line *l, const json_t *node)
{
	struct mark place = { .line = l->number, .column = 1 };

	marks_set(l->marks, node, &place);
}

static void put_prefix(json_t *rule, const char *key, const struct address *a)
{
	char text[ADDRESS_TEXT_SIZE];

	if (a->bits)
		json_object_set_new(rule, key, json_string(prefix_text(a, text, sizeof(text))));
}

static bool is_any(const unsigned int range[2])
{
	return range[0] == 0 && range[1] == 65535;
}

static void put_range(json_t *rule, const char *key, const unsigned int range[2])
{
	if (!is_any(range))
		json_object_set_new(rule, key, json_sprintf("%u-%u", range[0], range[1]));
}

/* `protocol` -1: any. */
static json_t *rule_of(const struct line *l, const struct filter *f, int protocol,
		       const char *suffix, const json_t *with)
{
	bool v4 = f->source.family == f->destination.family && address_width(&f->source) == 32;
	json_t *rule = json_object(), *value;
	const char *key;

	mark(l, rule);
	json_object_set_new(rule, "name", json_sprintf("line-%06u%s", l->number, suffix));
	/* Of the priority there is more to say when all have been read. */
	json_object_foreach ((json_t *)with, key, value)
		json_object_set_new(rule, key, json_deep_copy(value));
	/* A whole family is no prefix here. */
	if (!f->source.bits && !f->destination.bits)
		json_object_set_new(rule, "ethertype", json_string(v4 ? "ipv4" : "ipv6"));
	put_prefix(rule, "source", &f->source);
	put_prefix(rule, "destination", &f->destination);
	if (protocol >= 0)
		json_object_set_new(rule, "protocol", json_sprintf("%d", protocol));
	put_range(rule, "source_port", f->source_port);
	put_range(rule, "destination_port", f->destination_port);
	return rule;
}

/* Ports of whatever protocol are those of each that has ports. */
static void add_rules(const struct line *l, const struct filter *f, const json_t *with,
		      json_t *rules)
{
	static const struct {
		int number;
		const char *suffix;
	} with_ports[] = { { 6, "-tcp" }, { 17, "-udp" }, { 132, "-sctp" }, { 136, "-udplite" } };

	if (f->mask || (is_any(f->source_port) && is_any(f->destination_port))) {
		json_array_append_new(rules,
				      rule_of(l, f, f->mask ? (int)f->protocol : -1, "", with));
		return;
	}
	for (size_t i = 0; i < sizeof(with_ports) / sizeof(with_ports[0]); i++)
		json_array_append_new(
			rules, rule_of(l, f, with_ports[i].number, with_ports[i].suffix, with));
}

static int take_line(struct line *l, const json_t *with, json_t *rules)
{
	struct filter f;

	skip_blanks(l);
	if (!*l->at || *l->at == '#')
		return 0;
	if (read_filter(l, &f))
		return -1;
	if (f.source.family != f.destination.family)
		return error_set(l->e, EXIT_REFUSED,
				 "%s:%u: source and destination are of different address families",
				 l->file, l->number);
	add_rules(l, &f, with, rules);
	return 0;
}

/*
 * The first is the highest. Beyond so many, neighbours have the same one: then their names decide, which are in the
 * order of lines too, since all have one action.
 */
static void set_priorities(json_t *rules)
{
	size_t n = json_array_size(rules), i;
	json_t *rule;

	json_array_foreach (rules, i, rule) {
		unsigned long long down =
			n <= PRIORITY_FIRST ? i : i * (unsigned long long)PRIORITY_FIRST / n;

		json_object_set_new(rule, "priority", json_sprintf("%llu", PRIORITY_FIRST - down));
	}
}

json_t *classbench_parse(const char *name, const char *text, size_t len, const json_t *with,
			 struct marks *marks, struct error *e)
{
	struct line line = { .file = name, .marks = marks, .e = e };
	const char *end = text + len, *next;
	json_t *rules = json_array();
	char copy[LINE_MAX_LEN];

	marks_file(marks, name, text, len);
	mark(&line, rules);
	for (const char *at = text; at < end; at = next) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);

		next = newline ? newline + 1 : end;
		line.number++;
		snprintf(copy, sizeof(copy), "%.*s", (int)(n < sizeof(copy) ? n : sizeof(copy) - 1),
			 at);
		line.begin = line.at = copy;
		if (n >= sizeof(copy) || memchr(at, '\0', n)
			    ? error_set(e, EXIT_REFUSED,
					"%s:%u: the line is longer than any filter, or no text",
					name, line.number)
			    : take_line(&line, with, rules)) {
			json_decref(rules);
			return NULL;
		}
	}
	set_priorities(rules);
	return rules;
}

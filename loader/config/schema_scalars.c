// SPDX-License-Identifier: BSD-2-Clause
/* Types that any configuration has: names, words, numbers, durations. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "loader/config/schema_types.h"

#define NAME_FORM "a to z, 0 to 9, and inside also . _ -, at most 32 characters"

int schema_name_fits(const char *name, char *why, size_t size)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	if (!name[0] || name[len] || len > SCHEMA_NAME_MAX || strchr("._-", name[0])) {
		snprintf(why, size, "is not a name: use " NAME_FORM);
		return -1;
	}
	return 0;
}

int schema_check_name(const char *what, const char *name, struct error *err)
{
	char quoted[ERROR_QUOTE_SIZE], why[160];

	if (!schema_name_fits(name, why, sizeof(why)))
		return 0;
	return error_set(err, EXIT_USAGE, "%s %s %s", what,
			 error_quote(quoted, sizeof(quoted), name), why);
}

const struct schema_word *schema_find_word(const struct schema_word *words, const char *text)
{
	for (; words->text; words++)
		if (!strcmp(words->text, text))
			return words;
	return NULL;
}

const char *schema_word_list(const struct schema_word *words, char *buf, size_t size)
{
	const struct schema_word *last = NULL;
	size_t at = 0;

	buf[0] = '\0';
	for (const struct schema_word *w = words; w->text; w++)
		if (!w->later)
			last = w;
	for (const struct schema_word *w = words; w->text && at < size; w++)
		if (!w->later)
			at += (size_t)snprintf(buf + at, size - at, "%s%s",
					       !at         ? ""
					       : w == last ? " or "
							   : ", ",
					       w->text);
	return buf;
}

int schema_parse_number(const char *text, long long *value)
{
	size_t len = strspn(text, "0123456789");

	/* 18 digits always fit a long long; none of our numbers comes near. */
	if (!len || text[len] || len > 18)
		return -1;
	*value = 0;
	for (; *text; text++)
		*value = *value * 10 + (*text - '0');
	return 0;
}

void schema_format_text(const struct schema_key *key, const json_t *value, char *buf, size_t size)
{
	(void)key;
	snprintf(buf, size, "%s", json_is_string(value) ? json_string_value(value) : "");
}

static json_t *parse_name(const struct schema_key *key, const char *text, char *why, size_t size)
{
	(void)key;
	return schema_name_fits(text, why, size) ? NULL : json_string(text);
}

const struct schema_type schema_type_name = { "a name", parse_name, schema_format_text };

static json_t *parse_ref(const struct schema_key *key, const char *text, char *why, size_t size)
{
	const char *colon = strchr(text, ':');
	char kind[16] = "", list[80];
	const struct schema_word *word = NULL;

	if (colon && (size_t)(colon - text) < sizeof(kind)) {
		memcpy(kind, text, (size_t)(colon - text));
		word = schema_find_word(key->words, kind);
	}
	schema_word_list(key->words, list, sizeof(list));
	if (word && word->later)
		snprintf(why, size, "is not supported yet: a %s cannot be named here, use %s", kind,
			 list);
	else if (!word)
		snprintf(why, size, "does not say what it names: write KIND:NAME, where KIND is %s",
			 list);
	else if (!schema_name_fits(colon + 1, why, size))
		return json_string(text);
	return NULL;
}

const struct schema_type schema_type_ref = { "KIND:NAME", parse_ref, schema_format_text };

static json_t *parse_word(const struct schema_key *key, const char *text, char *why, size_t size)
{
	const struct schema_word *word = schema_find_word(key->words, text);
	char list[160];

	if (word && !word->later)
		return json_string(text);
	schema_word_list(key->words, list, sizeof(list));
	if (word)
		snprintf(why, size, "is not supported yet: write %s", list);
	else
		snprintf(why, size, "is not known here: write %s", list);
	return NULL;
}

const struct schema_type schema_type_word = { "a word", parse_word, schema_format_text };

static json_t *parse_bool(const struct schema_key *key, const char *text, char *why, size_t size)
{
	(void)key;
	if (!strcmp(text, "true") || !strcmp(text, "on") || !strcmp(text, "yes"))
		return json_true();
	if (!strcmp(text, "false") || !strcmp(text, "off") || !strcmp(text, "no"))
		return json_false();
	snprintf(why, size, "is neither true nor false: write one of them (or on, off)");
	return NULL;
}

static void format_bool(const struct schema_key *key, const json_t *value, char *buf, size_t size)
{
	(void)key;
	snprintf(buf, size, "%s", json_is_true(value) ? "true" : "false");
}

const struct schema_type schema_type_bool = { "true or false", parse_bool, format_bool };

static json_t *parse_uint(const struct schema_key *key, const char *text, char *why, size_t size)
{
	long long value;

	if (!schema_parse_number(text, &value) && value >= key->min && value <= key->max)
		return json_integer(value);
	if (key->min == key->max)
		snprintf(why, size, "is not known: write %lld", key->min);
	else
		snprintf(why, size, "is not a number from %lld to %lld: write one in that range",
			 key->min, key->max);
	return NULL;
}

static void format_uint(const struct schema_key *key, const json_t *value, char *buf, size_t size)
{
	(void)key;
	snprintf(buf, size, "%lld", (long long)json_integer_value(value));
}

const struct schema_type schema_type_uint = { "a number", parse_uint, format_uint };

static const struct schema_word units[] = {
	{ "ms", 1, false },      { "s", 1000, false },     { "m", 60000, false },
	{ "h", 3600000, false }, { "d", 86400000, false }, { NULL, 0, false },
};

/* In the largest unit that leaves no remainder. */
static void duration_text(long long ms, char *buf, size_t size)
{
	const struct schema_word *best = units;

	for (const struct schema_word *u = units; u->text && ms; u++)
		if (ms % u->value == 0)
			best = u;
	snprintf(buf, size, "%lld%s", ms / best->value, best->text);
}

static json_t *parse_duration(const struct schema_key *key, const char *text, char *why,
			      size_t size)
{
	size_t len = strspn(text, "0123456789");
	const struct schema_word *unit = schema_find_word(units, text + len);
	char digits[16], least[32], most[32];
	long long value;

	if (len && len < sizeof(digits) && unit) {
		memcpy(digits, text, len);
		digits[len] = '\0';
		if (!schema_parse_number(digits, &value) && value <= key->max / unit->value &&
		    value * unit->value >= key->min)
			return json_integer(value * unit->value);
	}
	duration_text(key->min, least, sizeof(least));
	duration_text(key->max, most, sizeof(most));
	snprintf(why, size,
		 "is not a time from %s to %s: write a number and its unit, ms, s, m, h or d",
		 least, most);
	return NULL;
}

static void format_duration(const struct schema_key *key, const json_t *value, char *buf,
			    size_t size)
{
	(void)key;
	duration_text(json_integer_value(value), buf, size);
}

const struct schema_type schema_type_duration = { "a time, as 30s", parse_duration,
						  format_duration };

static json_t *parse_device(const struct schema_key *key, const char *text, char *why, size_t size)
{
	size_t len = strlen(text);
	bool fits = len >= 1 && len <= 15 && strcmp(text, ".") && strcmp(text, "..");

	(void)key;
	for (const char *p = text; *p; p++)
		fits = fits && isgraph((unsigned char)*p) && !strchr("/:,", *p);
	if (fits)
		return json_string(text);
	snprintf(why, size,
		 "is not a device name: write it as `ip link` shows it, 1 to 15 characters, no "
		 "blank, no / : or ,");
	return NULL;
}

const struct schema_type schema_type_device = { "a network device", parse_device,
						schema_format_text };

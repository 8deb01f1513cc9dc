/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of weft's configuration, in one table (schema_table.c), and what is derived from it:
 * validation and typing of YAML, `KEY VALUE` pairs of the command line, defaults, printing, and
 * help.
 *
 * The canonical tree has the shape of the YAML, but
 * - acl and insert are objects by name;
 * - a list is an array even where the YAML had a lone scalar;
 * - counts and numbers are JSON integers, durations are milliseconds, booleans are JSON booleans;
 * - MACs, addresses and prefixes are in their one normal form;
 * - a list of port numbers is a list of [low, high];
 * - a protocol or an ethertype is its name where it has one, else the integer.
 *
 * Defaults are not filled in; schema_number() and its like answer with the default when a key is
 * absent.
 */
#ifndef WEFT_CONFIG_SCHEMA_H
#define WEFT_CONFIG_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "loader/config/marks.h"
#include "loader/error.h"

#define SCHEMA_NAME_MAX 32 /* characters of a name, without the terminating zero */

struct schema_key;

/* A word that a value may be, or the kind before the colon of a reference. */
struct schema_word {
	const char *text;
	long long value;
	bool later; /* in the grammar, not supported yet */
};

/*
 * A scalar type: text to JSON and back. `parse` returns NULL and says in `why` what is wrong and
 * what would do.
 */
struct schema_type {
	const char *doc;
	json_t *(*parse)(const struct schema_key *key, const char *text, char *why, size_t size);
	void (*format)(const struct schema_key *key, const json_t *value, char *buf, size_t size);
};

enum schema_shape {
	SCHEMA_SCALAR,
	SCHEMA_LIST,	    /* of scalars; a lone scalar is a list, commas separate */
	SCHEMA_OBJECT,	    /* fixed keys */
	SCHEMA_MAP,	    /* NAME: object */
	SCHEMA_NAMED_LIST,  /* - {name: NAME, ...}, in the canonical tree the same as a map */
	SCHEMA_OBJECT_LIST, /* - {...}, ordered, no name */
};

struct schema_key {
	const char *name;
	enum schema_shape shape;
	bool required;
	bool later;			  /* in the grammar, not supported yet */
	const struct schema_type *type;	  /* of a scalar or of the items of a list */
	const struct schema_kind *object; /* of an object or of the items */
	const struct schema_word *words;  /* ends with a NULL text */
	const char *ref;		  /* kind of the object that a plain name refers to */
	long long min, max;		  /* of a number; both 0: no limit but the type's own */
	size_t items_min, items_max;	  /* of a list, map or list of objects; 0: no limit */
	const char *fallback; /* the default, as one would write it */
	const char *doc;
};

/* What a check of a whole object found wrong: at which key, and why. */
struct schema_fault {
	const char *key;
	char why[512];
};

struct schema_kind {
	const char *name; /* the word used on the command line */
	const char *path; /* what stands before its name: "hosts", "ports"; or NULL */
	bool of_tenant;	  /* its path is below tenants/NAME */
	bool block;	  /* printed in block style */
	const char *lone; /* the key that a scalar in the place of the object stands for */
	const struct schema_key *keys; /* ends with a NULL name */
	int (*check)(const json_t *object, struct schema_fault *fault);
	const char *doc;
};

/*
 * "host", "sf", "instance", "tenant" (its options), "network", "port", "group", "acl", "chain",
 * "insert"; or NULL.
 */
const struct schema_kind *schema_kind(const char *name);

/* The kind of the object at a path of config_flatten(), e.g. tenants/red/ports/web1; or NULL. */
const struct schema_kind *schema_kind_at(const char *path);
const struct schema_kind *schema_root(void);
const struct schema_key *schema_key(const struct schema_kind *kind, const char *name);

/* Is the object in canonical form, and complete? Is the path one that such an object may have? */
bool schema_object_fits(const struct schema_kind *kind, const json_t *object);
bool schema_path_fits(const char *path);

/* A whole document as yaml_read() gave it, to the canonical tree: a new reference, or NULL. */
json_t *schema_tree(const json_t *raw, struct marks *marks, struct error *err);

/*
 * `KEY VALUE` pairs to a canonical object. Lists by comma; a dot reaches into an object
 * (`default.in deny`); a value that begins with { or [ is YAML. schema_object_set() changes a copy
 * of `base`, where an empty value removes the key.
 */
json_t *schema_object_from_pairs(const char *kind, int argc, char **argv, struct error *err);
json_t *schema_object_set(const char *kind, const json_t *base, int argc, char **argv,
			  struct error *err);

/* Is `name` fit to be a name? Says why not. */
int schema_check_name(const char *what, const char *name, struct error *err);

/*
 * What a key of a canonical object says, or else its default; a dot reaches into an object. NULL or
 * 0 without any.
 */
long long schema_number(const char *kind, const json_t *object, const char *key);
bool schema_flag(const char *kind, const json_t *object, const char *key);
const char *schema_text(const char *kind, const json_t *object, const char *key);

/* From canonical values to what goes into a packet. */
int schema_protocol_number(const json_t *protocol);   /* 0..255, or -1 when absent */
/* "tcp", or "47" for one without a name; returns buf. */
const char *schema_protocol_name(uint8_t protocol, char *buf, size_t size);
int schema_ethertype_number(const json_t *ethertype); /* host order, or -1 when absent */
void schema_tcp_flags(const json_t *flags, uint8_t *mask, uint8_t *value);

/*
 * A canonical value as one would write it in YAML without its quotes; `buf` is shortened if need
 * be.
 */
void schema_format(const struct schema_key *key, const json_t *value, char *buf, size_t size);

/* The keys of a kind, one a line, with type, default and meaning. */
void schema_help(FILE *out, const struct schema_kind *kind);

/* The same as JSON: [{name, shape, doc, type, default, min, max, words, kinds, ref, required, later, keys}]. */
json_t *schema_describe(const struct schema_kind *kind);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The scalar types of the grammar, and what the parts of the schema share among themselves. */
#ifndef WEFT_CONFIG_SCHEMA_TYPES_H
#define WEFT_CONFIG_SCHEMA_TYPES_H

#include "loader/config/schema.h"

extern const struct schema_type schema_type_name;      /* web1 */
extern const struct schema_type schema_type_ref;       /* port:web1; key->words: the kinds */
extern const struct schema_type schema_type_word;      /* one of key->words */
extern const struct schema_type schema_type_bool;      /* true */
extern const struct schema_type schema_type_uint;      /* 101, from key->min to key->max */
extern const struct schema_type schema_type_duration;  /* 10m; key->min and max in ms */
extern const struct schema_type schema_type_device;    /* eth0 */
extern const struct schema_type schema_type_mac;       /* 02:00:00:00:00:0a */
extern const struct schema_type schema_type_vtep;      /* 192.168.50.1 */
extern const struct schema_type schema_type_address;   /* 10.0.1.1 or fd00:1::1 */
extern const struct schema_type schema_type_prefix;    /* 10.0.1.0/24 */
extern const struct schema_type schema_type_endpoint;  /* a prefix, or group:web */
extern const struct schema_type schema_type_protocol;  /* tcp or 47 */
extern const struct schema_type schema_type_ethertype; /* ipv6 or 0x88cc */
extern const struct schema_type schema_type_l4_ports;  /* 443 or 8000-8099 */
extern const struct schema_type schema_type_tcp_flag;  /* syn or !ack */

void schema_format_text(const struct schema_key *key, const json_t *value, char *buf, size_t size);

/* 0, or -1 and in `why` what follows the quoted name in a message. */
int schema_name_fits(const char *name, char *why, size_t size);

/* The word of that text, NULL if there is none; "a, b or c" of those supported now. */
const struct schema_word *schema_find_word(const struct schema_word *words, const char *text);
const char *schema_word_list(const struct schema_word *words, char *buf, size_t size);

/* Unsigned decimal, no sign, no blanks: 0, or -1. */
int schema_parse_number(const char *text, long long *value);

/* The words that have numbers, for protocols, ethertypes and flags. */
extern const struct schema_word schema_protocols[];
extern const struct schema_word schema_ethertypes[];
extern const struct schema_word schema_flags[];

/* Checks of whole objects (schema_rules.c), named in the table. */
int schema_check_network(const json_t *object, struct schema_fault *fault);
int schema_check_group(const json_t *object, struct schema_fault *fault);
int schema_check_instance(const json_t *object, struct schema_fault *fault);
int schema_check_step(const json_t *object, struct schema_fault *fault);
int schema_check_sf(const json_t *object, struct schema_fault *fault);
int schema_check_conntrack(const json_t *object, struct schema_fault *fault);
int schema_check_acl(const json_t *object, struct schema_fault *fault);
int schema_check_packet(const json_t *object, struct schema_fault *fault);

extern const struct schema_kind *const schema_kinds[]; /* those with a name on the command line */

/* Where one is while walking down a document: for messages. */
struct schema_walk {
	struct marks *marks;
	struct error *err;
	int exit_code;
	char path[320];
	size_t len;
};

size_t schema_walk_down(struct schema_walk *w, const char *name); /* returns what up() takes */
void schema_walk_up(struct schema_walk *w, size_t len);
int schema_refuse(struct schema_walk *w, const json_t *at, int at_key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Raw to canonical, key by key; then, once all keys are there, what only the whole object can tell.
 */
json_t *schema_walk_object(struct schema_walk *w, const struct schema_kind *kind,
			   const json_t *raw);
int schema_walk_complete(struct schema_walk *w, const struct schema_kind *kind,
			 const json_t *object);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of config_check() share. */
#ifndef WEFT_CONFIG_CHECKER_H
#define WEFT_CONFIG_CHECKER_H

#include <jansson.h>
#include <stdbool.h>

#include "loader/config/marks.h"
#include "loader/error.h"

#define CHECK_TEXT 160 /* a path, or the key of a claim */

struct checker {
	const json_t *tree;
	const json_t *flat; /* path to object */
	const struct marks *marks;
	struct error *err;
	json_t *claims; /* what may be had once to the path of who has it */
};

/* A message about the object at `path`, placed at `at` if that has a place, else at the object. */
int checker_refuse(const struct checker *c, const char *path, const json_t *at, const char *fmt,
		   ...) __attribute__((format(printf, 4, 5)));

/* Takes `what` for `path`; returns who has it already, or NULL. */
const char *checker_claim(struct checker *c, const char *what, const char *path);

/* Does a function that stands so serve ports of its own host alone? Why, loader/away.h tells. (check_chain.c) */
bool check_is_near(const json_t *chain, const json_t *step);
bool check_is_tap(const json_t *step);

/* Who has it; NULL: nobody yet. */
const char *checker_owner(const struct checker *c, const char *what);

/* The object of a kind by name, in the tenant of `path` or at the top. */
const json_t *checker_find(const struct checker *c, const char *path, const char *kind,
			   const char *name);

int check_references(struct checker *c);
int check_hosts(struct checker *c);
int check_functions(struct checker *c);
int check_networks(struct checker *c);
int check_ports(struct checker *c);
int check_chains(struct checker *c);
int check_inserts(struct checker *c);
/*
 * May the chain lead frames of this port: can it tell its workload, and do its functions run where its frames can go? `or_else`
 * ends the remedy of a refusal. (check_chain.c)
 */
int check_protected(struct checker *c, const char *path, const json_t *at, const char *tenant,
		    const char *chain, const char *port_name, const char *or_else);
int check_choices(struct checker *c);

#endif

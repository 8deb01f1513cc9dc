/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all shows have in common: the state, read without the lock, and names for what the maps call
 * by number.
 */
#ifndef WEFT_SHOW_H
#define WEFT_SHOW_H

#include "loader/cli.h"
#include "loader/model.h"
#include "loader/state.h"

struct show {
	const struct command_line *cl;
	struct root root;
	struct state state;
	struct model model; /* this host is that of host[0] */
};

int show_open(struct show *s, const struct command_line *cl, struct error *e);
void show_close(struct show *s);

/*
 * "TENANT", "TENANT/NETWORK", or "TENANT/NETWORK/REST": which tenant and network an operand means.
 * Those that it leaves out are NULL. `rest` may be NULL: then there must be none.
 */
struct scope {
	const struct model_tenant *tenant;
	const struct model_network *network;
	const char *rest;
};

int show_scope(const struct show *s, const char *operand, bool with_rest, struct scope *scope,
	       struct error *e);

/* "red/web1" of "tenants/red/ports/web1", "h1" of "hosts/h1"; returns buf. */
const char *show_name(const char *path, char *buf, size_t size);

#define SHOW_NAME_SIZE 80

/* Addresses and MACs as text; each returns buf. */
const char *show_address(int family, const void *bytes, char *buf, size_t size);
const char *show_mac(const unsigned char mac[6], char *buf, size_t size);

#endif

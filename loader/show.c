// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "loader/config/schema.h"
#include "loader/show.h"

int show_open(struct show *s, const struct command_line *cl, struct error *e)
{
	char self[WEFT_NAME_LEN + 1];

	*s = (struct show){ .cl = cl };
	if (root_open(&s->root, cl->root, cl->command->flags & COMMAND_WRITES, e))
		return -1;
	if (state_read(&s->root, &s->state, e)) {
		root_close(&s->root);
		return -1;
	}
	snprintf(self, sizeof(self), "%.*s", WEFT_NAME_LEN, s->state.host.name);
	model_make(&s->model, s->state.tree, &s->state.ids, self);
	return 0;
}

void show_close(struct show *s)
{
	model_free(&s->model);
	state_free(&s->state);
	root_close(&s->root);
}

/* Up to the next slash. */
static bool take_name(const char **rest, char name[WEFT_NAME_LEN + 1])
{
	size_t len = strcspn(*rest, "/");

	if (!len || len > WEFT_NAME_LEN)
		return false;
	memcpy(name, *rest, len);
	name[len] = '\0';
	*rest += len + ((*rest)[len] == '/');
	return true;
}

int show_scope(const struct show *s, const char *operand, bool with_rest, struct scope *scope,
	       struct error *e)
{
	char tenant[WEFT_NAME_LEN + 1], network[WEFT_NAME_LEN + 1], quoted[ERROR_QUOTE_SIZE];
	const char *rest = operand,
		   *form = with_rest ? "TENANT/NETWORK/WHAT" : "TENANT or TENANT/NETWORK";

	*scope = (struct scope){ 0 };
	error_quote(quoted, sizeof(quoted), operand);
	if (!take_name(&rest, tenant))
		return error_set(e, EXIT_USAGE, "%s: write %s", quoted, form);
	scope->tenant = model_tenant(&s->model, tenant);
	if (!scope->tenant)
		return error_set(e, EXIT_REFUSED,
				 "%s: there is no such tenant: see `weft tenant show`", quoted);
	if (!*rest && !with_rest)
		return 0;
	if (!take_name(&rest, network) || (with_rest ? !*rest : *rest))
		return error_set(e, EXIT_USAGE, "%s: write %s", quoted, form);
	scope->network = model_network(&s->model, tenant, network);
	if (!scope->network)
		return error_set(e, EXIT_REFUSED,
				 "%s: tenant %s has no such network: see `weft network show`",
				 quoted, tenant);
	scope->rest = rest;
	return 0;
}

const char *show_name(const char *path, char *buf, size_t size)
{
	const char *tenant = strncmp(path, "tenants/", 8) ? NULL : path + 8;
	const char *last = strrchr(path, '/');
	size_t len = tenant ? strcspn(tenant, "/") : 0;

	if (tenant && tenant[len])
		snprintf(buf, size, "%.*s/%s", (int)len, tenant, last + 1);
	else
		snprintf(buf, size, "%s", last ? last + 1 : path);
	return buf;
}

const char *show_address(int family, const void *bytes, char *buf, size_t size)
{
	if (!inet_ntop(family == FAMILY_IPV6 ? AF_INET6 : AF_INET, bytes, buf, (socklen_t)size))
		snprintf(buf, size, "?");
	return buf;
}

const char *show_mac(const unsigned char mac[6], char *buf, size_t size)
{
	snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return buf;
}

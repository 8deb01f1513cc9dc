// SPDX-License-Identifier: BSD-2-Clause
/* Which maps differ between versions. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

#include "include/flow.h"
#include "loader/handover.h"
#include "loader/handover_kinds.h"

#define TENANTS "tenant_slots"

/* The ways there are, each of which is one back too. */
static const struct {
	unsigned int old, new;
} ways[] = {
	{ 2, 4 },
};

bool handover_known(unsigned int from, unsigned int to)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if ((ways[i].old == from && ways[i].new == to) ||
		    (ways[i].old == to && ways[i].new == from))
			return true;
	return false;
}

/* Until `fn` returns other than 0. */
static int each_kind(unsigned int version, int (*fn)(const char *name, void *arg), void *arg)
{
	int ret = 0;

	for (int family = 0; family < FAMILIES; family++)
		for (int role = 0; role < FLOW_ROLES && !ret; role++) {
			const struct inner_kind *kind = handover_kind(version, family, role);

			ret = kind ? fn(kind->name, arg) : 0;
		}
	return ret;
}

static int is_named(const char *name, void *arg)
{
	return !strcmp(name, arg);
}

bool handover_carries(const char *map)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (each_kind(ways[i].old, is_named, (void *)map) ||
		    each_kind(ways[i].new, is_named, (void *)map))
			return true;
	return false;
}

bool handover_converts(const char *map)
{
	return handover_carries(map) || !strcmp(map, TENANTS);
}

int handover_complete(const char *map, void *value, size_t old_size, size_t size, struct error *e)
{
	struct tenant *tenant = value;

	/* Version 2 had no seed. */
	if (strcmp(map, TENANTS) || old_size > offsetof(struct tenant, seed) ||
	    size < sizeof(*tenant) || !tenant->id)
		return 0;
	if (getrandom(&tenant->seed, sizeof(tenant->seed), 0) != sizeof(tenant->seed))
		return error_set(e, EXIT_REFUSED, "no random numbers: %s", strerror(errno));
	return 0;
}

struct gone {
	unsigned int to;
	int (*fn)(const char *name, void *arg);
	void *arg;
};

static int gone_one(const char *name, void *arg)
{
	const struct gone *g = arg;

	return each_kind(g->to, is_named, (void *)name) ? 0 : g->fn(name, g->arg);
}

int handover_each_gone(unsigned int from, unsigned int to, int (*fn)(const char *name, void *arg),
		       void *arg)
{
	struct gone g = { to, fn, arg };

	return each_kind(from, gone_one, &g);
}

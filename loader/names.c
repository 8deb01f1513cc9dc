// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loader/alloc.h"
#include "loader/names.h"

#define REFRESH_MS 1000

int64_t names_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int compare_rules(const void *a, const void *b)
{
	const struct rule_name *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void index_names(struct names *n)
{
	const struct identities *ids = &n->s->state.ids;

	n->tenants = identities_by_slot(ids, "tenants", &n->n_tenants);
	n->ports = identities_by_slot(ids, "ports", &n->n_ports);
	n->networks = identities_by_slot(ids, "networks", &n->n_networks);
	n->chains = identities_by_slot(ids, "chains", &n->n_chains);
	n->rules = alloc_zero(HASH_COUNT(ids->by_path), sizeof(*n->rules));
	for (const struct identity *one = ids->by_path; one; one = one->hh.next) {
		const char *kind =
			strncmp(one->path, "tenants/", 8) ? NULL : strchr(one->path + 8, '/');

		if (kind && !strncmp(kind, "/acl/", 5) && one->id)
			n->rules[n->n_rules++] = (struct rule_name){ (uint32_t)one->id, one->path };
	}
	qsort(n->rules, n->n_rules, sizeof(*n->rules), compare_rules);
	n->read_ms = names_now_ms();
}

static void forget(struct names *n)
{
	free(n->tenants);
	free(n->ports);
	free(n->networks);
	free(n->chains);
	free(n->rules);
	*n = (struct names){ .s = n->s };
}

void names_open(struct names *n, struct show *s)
{
	*n = (struct names){ .s = s };
	index_names(n);
}

void names_close(struct names *n)
{
	forget(n);
}

static const char *rule_path(const struct names *n, uint32_t id)
{
	struct rule_name key = { .id = id };
	const struct rule_name *found =
		n->n_rules ? bsearch(&key, n->rules, n->n_rules, sizeof(key), compare_rules) : NULL;

	return found ? found->path : NULL;
}

static const char *slot_path(const char **paths, size_t n, uint32_t slot)
{
	return slot < n ? paths[slot] : NULL;
}

static bool knows(const struct names *n, const struct named *named)
{
	return (!named->rule || rule_path(n, named->rule)) &&
	       slot_path(n->tenants, n->n_tenants, named->tenant) &&
	       (named->port == NAMED_NONE || slot_path(n->ports, n->n_ports, named->port)) &&
	       (named->network == NAMED_NONE ||
		slot_path(n->networks, n->n_networks, named->network));
}

int names_refresh(struct names *n, const struct named *named, struct error *e)
{
	const struct command_line *cl = n->s->cl;
	struct show fresh;

	if (knows(n, named) || names_now_ms() - n->read_ms < REFRESH_MS)
		return 0;
	if (show_open(&fresh, cl, e))
		return -1;
	forget(n);
	show_close(n->s);
	*n->s = fresh;
	index_names(n);
	return 1;
}

/* The last part of a path, or what stands for it. */
static const char *last_part(const char *path, const char *otherwise, uint32_t number, char *buf,
			     size_t size)
{
	if (path)
		snprintf(buf, size, "%s", strrchr(path, '/') + 1);
	else
		snprintf(buf, size, "%s %u", otherwise, number);
	return buf;
}

const char *names_tenant(const struct names *n, uint32_t slot, char *buf, size_t size)
{
	return last_part(slot_path(n->tenants, n->n_tenants, slot), "slot", slot, buf, size);
}

const char *names_port(const struct names *n, uint32_t slot, char *buf, size_t size)
{
	return last_part(slot_path(n->ports, n->n_ports, slot), "slot", slot, buf, size);
}

const char *names_network(const struct names *n, uint32_t slot, char *buf, size_t size)
{
	return last_part(slot_path(n->networks, n->n_networks, slot), "slot", slot, buf, size);
}

const char *names_chain(const struct names *n, uint32_t slot, char *buf, size_t size)
{
	return last_part(slot_path(n->chains, n->n_chains, slot), "slot", slot, buf, size);
}

const char *names_rule(const struct names *n, uint32_t id, char *buf, size_t size)
{
	return last_part(rule_path(n, id), "id", id, buf, size);
}

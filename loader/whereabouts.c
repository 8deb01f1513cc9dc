// SPDX-License-Identifier: BSD-2-Clause
/*
 * `weft fdb …` and `weft neigh …`: who is where. Entries put in by hand are weft's to show, never
 * to change.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/batch.h"
#include "loader/entries.h"
#include "loader/show.h"
#include "loader/sync.h"

struct table {
	const struct show *s;
	struct scope scope; /* what is asked for; nothing: all */
	const char **ports, **hosts;
	size_t n_ports, n_hosts;
	json_t *rows;
};

static const struct model_network *network_of_vni(const struct model *m, uint32_t vni)
{
	for (size_t i = 0; i < m->n_networks; i++)
		if (m->networks[i].vni == vni)
			return &m->networks[i];
	return NULL;
}

/* "red/web", or "vni 77" for an entry of no network; false if it was not asked for. */
static bool name_network(const struct table *t, uint32_t vni, char *buf, size_t size)
{
	const struct model_network *n = network_of_vni(&t->s->model, vni);

	if (t->scope.tenant && (!n || n->tenant != t->scope.tenant))
		return false;
	if (t->scope.network && n != t->scope.network)
		return false;
	if (n)
		snprintf(buf, size, "%s/%s", n->tenant->name, n->name);
	else
		snprintf(buf, size, "vni %u", vni);
	return true;
}

static const char *origin_name(uint8_t origin)
{
	return origin == ORIGIN_MANUAL ? "manual" : "weft";
}

static void add_fdb(struct table *t, const void *k, const void *v)
{
	const struct fdb_entry *entry = v;
	const struct fdb_key *key = k;
	const char **names = entry->kind == TARGET_PORT ? t->ports : t->hosts;
	size_t n = entry->kind == TARGET_PORT ? t->n_ports : t->n_hosts;
	const char *kind = entry->kind == TARGET_PORT   ? "port"
			   : entry->kind == TARGET_HOST ? "host"
							: "nowhere";
	char network[SHOW_NAME_SIZE], target[SHOW_NAME_SIZE] = "?", mac[20];

	if (!name_network(t, key->vni, network, sizeof(network)))
		return;
	if (entry->index < n && names[entry->index])
		show_name(names[entry->index], target, sizeof(target));
	json_array_append_new(t->rows,
			      json_pack("{s:s, s:s, s:s, s:s, s:s}", "network", network, "mac",
					show_mac(key->mac, mac, sizeof(mac)), "kind", kind,
					"target", target, "origin", origin_name(entry->origin)));
}

static void add_neigh(struct table *t, const void *k, const void *v)
{
	const struct neigh_entry *entry = v;
	const struct neigh_key *key = k;
	char network[SHOW_NAME_SIZE], address[64], mac[20];

	if (!name_network(t, key->vni, network, sizeof(network)))
		return;
	json_array_append_new(
		t->rows,
		json_pack("{s:s, s:s, s:s, s:s}", "network", network, "address",
			  show_address(key->family, key->address, address, sizeof(address)), "mac",
			  show_mac(entry->mac, mac, sizeof(mac)), "origin",
			  origin_name(entry->origin)));
}

/* The values of each row, in their order. */
static void print_rows(const json_t *rows)
{
	json_t *row, *value;
	const char *key;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row) {
		const char *before = "";

		json_object_foreach (row, key, value) {
			printf("%s%s", before, json_string_value(value));
			before = " ";
		}
		putchar('\n');
	}
}

static int list_rows(struct table *t, enum sync_map map, struct error *e)
{
	const struct sync_map_type *type = &sync_maps[map];
	int fd = root_map(&t->s->root, type->name, e), failed;
	struct entries list;

	if (fd < 0)
		return -1;
	entries_init(&list, type->key_size, type->value_size);
	failed = map_read(fd, type->name, &list, e);
	close(fd);
	entries_sort(&list);
	for (size_t i = 0; i < list.n && !failed; i++)
		(map == MAP_FDB ? add_fdb : add_neigh)(t, entries_key(&list, i),
						       entries_value(&list, i));
	entries_free(&list);
	if (failed)
		return -1;
	if (t->s->cl->json)
		return cli_json(t->s->cl, json_incref(t->rows), e);
	print_rows(t->rows);
	return EXIT_DONE;
}

static int show(struct command_line *cl, enum sync_map map, struct error *e)
{
	struct show s;
	struct table t = { .s = &s };
	int result = -1;

	if (show_open(&s, cl, e))
		return -1;
	t.rows = json_array();
	t.ports = identities_by_slot(&s.state.ids, "ports", &t.n_ports);
	t.hosts = identities_by_slot(&s.state.ids, "hosts", &t.n_hosts);
	if (!cl->argc || !show_scope(&s, cl->argv[0], false, &t.scope, e))
		result = list_rows(&t, map, e);
	json_decref(t.rows);
	free(t.ports);
	free(t.hosts);
	show_close(&s);
	return result;
}

int cmd_fdb_show(struct command_line *cl, struct error *e)
{
	return show(cl, MAP_FDB, e);
}

int cmd_neigh_show(struct command_line *cl, struct error *e)
{
	return show(cl, MAP_NEIGH, e);
}

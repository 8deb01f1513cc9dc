// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/apply.h"
#include "loader/inner.h"
#include "loader/rule_hits.h"
#include "loader/rule_place.h"
#include "loader/sync.h"

bool rule_place_open(struct rule_place *p, const struct batch *b, const char *tenant)
{
	const struct state *state = &b->state;
	const struct identity *identity;
	struct tenant record;
	char path[CONFIG_PATH_LEN];

	*p = (struct rule_place){ .open = true, .tenants = -1, .rules = -1 };
	snprintf(path, sizeof(path), "tenants/%s", tenant);
	identity = identity_find(&state->ids, path);
	if (!identity || !json_object_get(state->flat, path) || state->interrupted ||
	    inner_is_delegated(&b->root, tenant, INNER_RULES))
		return false;
	p->slot = identity->slot;
	p->tenants = root_map(&b->root, sync_maps[MAP_TENANTS].name, NULL);
	p->rules = inner_open(&b->root, tenant, INNER_RULES);
	return p->tenants >= 0 && p->rules >= 0 && !bpf_map_lookup_elem(p->tenants, &p->slot, &record) &&
	       record.id == identity->id;
}

void rule_place_close(struct rule_place *p)
{
	if (p->open && p->tenants >= 0)
		close(p->tenants);
	if (p->open && p->rules >= 0)
		close(p->rules);
	*p = (struct rule_place){ 0 };
}

bool rule_place_has_room(const struct rule_place *p, const struct root *root, const char *tenant, uint32_t rules)
{
	int hits = inner_open(root, tenant, INNER_RULE_HITS);
	uint32_t id, entries;
	bool fits;

	fits = hits >= 0 && !inner_info(hits, &id, &entries) && rule_hits_fits(entries, rule_hits_room(rules)) &&
	       !inner_info(p->rules, &id, &entries) && rules < entries;
	if (hits >= 0)
		close(hits);
	return fits;
}

int rule_place_judge_again(const struct rule_place *p, struct error *e)
{
	struct tenant tenant;

	if (bpf_map_lookup_elem(p->tenants, &p->slot, &tenant))
		return error_set(e, EXIT_REFUSED, "map tenants: cannot be read: %s", strerror(errno));
	tenant.epoch = next_epoch(tenant.epoch);
	if (bpf_map_update_elem(p->tenants, &p->slot, &tenant, BPF_ANY))
		return error_set(e, EXIT_REFUSED, "map tenants: cannot be written: %s", strerror(errno));
	return 0;
}

int rule_place_begin(const struct batch *b, uint64_t next_id, struct error *e)
{
	struct host_config host = b->state.host;
	bool given = host.next_id != next_id;

	host.next_id = next_id;
	return (given && state_write_host(&b->root, &host, e)) || state_set_interrupted(&b->root, true, e) ? -1 : 0;
}

int rule_place_partly(struct error *e)
{
	char why[sizeof(e->text)];

	snprintf(why, sizeof(why), "%s", e->text);
	return error_set(e, EXIT_PARTLY, "%.900s (partly done: run the same command, or apply, again)", why);
}

int rule_place_tell(struct commit *c, const struct batch *b, const struct command_line *cl, struct error *e)
{
	if (!cl->json)
		return EXIT_DONE;
	c->root = &b->root;
	if (!c->diff)
		c->diff = json_array();
	c->moves = json_array();
	c->notes = json_array();
	return cli_json(cl, apply_report(c), e) ? -1 : EXIT_DONE;
}

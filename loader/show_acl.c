// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/flows.h"
#include "loader/rule_hits.h"
#include "loader/show_acl.h"

/* What lives by one rule. */
struct living {
	uint32_t rule;
	uint64_t flows, packets, bytes;
	UT_hash_handle hh;
};

struct acl_stats {
	const struct show *s;
	char tenant[WEFT_NAME_LEN + 1]; /* whose the rest is; "": nobody's yet */
	struct rule_hits_list hits;
	struct living *living;
	uint64_t now;
	struct tenant record;
	enum inner table; /* that is read */
};

struct acl_stats *acl_stats_open(const struct show *s)
{
	struct acl_stats *stats = alloc_zero(1, sizeof(*stats));

	stats->s = s;
	return stats;
}

static void forget(struct acl_stats *stats)
{
	struct living *one, *next;

	HASH_ITER (hh, stats->living, one, next) {
		HASH_DEL(stats->living, one);
		free(one);
	}
	free(stats->hits.sums);
	stats->hits = (struct rule_hits_list){ 0 };
	stats->tenant[0] = '\0';
}

void acl_stats_close(struct acl_stats *stats)
{
	forget(stats);
	free(stats);
}

static int add_flow(const void *key, const struct flow *flow, void *arg)
{
	struct acl_stats *stats = arg;
	uint8_t protocol = flow_protocol_of(key, stats->table);
	uint32_t rule = flow->rule;
	struct living *one;

	if (flow_idle(flow, stats->now) > flow_may_idle(flow, protocol, &stats->record))
		return 0;
	HASH_FIND(hh, stats->living, &rule, sizeof(rule), one);
	if (!one) {
		one = alloc_zero(1, sizeof(*one));
		one->rule = rule;
		HASH_ADD(hh, stats->living, rule, sizeof(one->rule), one);
	}
	one->flows++;
	one->packets += flow_packets(&flow->dir[0]) + flow_packets(&flow->dir[1]);
	one->bytes += flow_bytes(&flow->dir[0]) + flow_bytes(&flow->dir[1]);
	return 0;
}

static int read_flows(struct acl_stats *stats, const struct model_tenant *t, struct error *e)
{
	int slots = root_map(&stats->s->root, "tenant_slots", e), failed;

	if (slots < 0)
		return -1;
	failed = bpf_map_lookup_elem(slots, &t->slot, &stats->record)
			 ? error_set(e, EXIT_REFUSED, "tenant %s: its slot cannot be read: %s",
				     t->name, strerror(errno))
			 : 0;
	close(slots);
	for (size_t i = 0; i < FLOW_TABLES && !failed; i++) {
		stats->table = flow_tables[i];
		failed = flows_each(&stats->s->root, t->name, flow_tables[i], add_flow, stats, e);
	}
	return failed;
}

static int turn_to(struct acl_stats *stats, const char *tenant, struct error *e)
{
	const struct model_tenant *t = model_tenant(&stats->s->model, tenant);

	if (!strcmp(stats->tenant, tenant))
		return 0;
	forget(stats);
	/* A tenant without a port here has nothing here. */
	if (t && t->here &&
	    (flows_now(&stats->s->root, &stats->now, e) || read_flows(stats, t, e) ||
	     rule_hits_read(&stats->s->root, tenant, &stats->hits, e)))
		return -1;
	snprintf(stats->tenant, sizeof(stats->tenant), "%s", tenant);
	return 0;
}

json_t *acl_stats_of(struct acl_stats *stats, const char *path, struct error *e)
{
	const struct identity *id = identity_find(&stats->s->state.ids, path);
	uint32_t rule = id ? (uint32_t)id->id : 0;
	const struct rule_hits_sum *sum;
	const struct living *living;
	char tenant[WEFT_NAME_LEN + 1];

	snprintf(tenant, sizeof(tenant), "%.*s", (int)strcspn(path + 8, "/"), path + 8);
	if (turn_to(stats, tenant, e))
		return NULL;
	/* A rule that was put in by hand and is not committed has no id, and decides nothing. */
	sum = rule ? rule_hits_find(&stats->hits, rule) : NULL;
	HASH_FIND(hh, stats->living, &rule, sizeof(rule), living);
	if (!rule)
		living = NULL;
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "packets",
			 (json_int_t)(sum ? sum->packets : 0), "bytes",
			 (json_int_t)(sum ? sum->bytes : 0), "flows",
			 (json_int_t)(living ? living->flows : 0), "flow_packets",
			 (json_int_t)(living ? living->packets : 0), "flow_bytes",
			 (json_int_t)(living ? living->bytes : 0));
}

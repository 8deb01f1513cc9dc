// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/flow_table.h"
#include "include/fragment.h"
#include "include/syn_proxy.h"
#include "loader/alloc.h"
#include "loader/flows.h"
#include "loader/progress.h"
#include "loader/proxied.h"
#include "loader/rights.h"
#include "loader/rule_hits.h"
#include "loader/table_copy.h"
#include "loader/tables.h"

/*
 * New maps that wait for one common update of the outer map, which waits for all readers, whatever
 * its size.
 */
#define FLUSH_AT 400

struct job {
	size_t tenant; /* in m->tenants */
	int fd, old; /* the new map and the one that it replaces, or -1 */
};

struct jobs {
	enum inner kind;
	size_t n;
	struct job job[FLUSH_AT];
};

int acl_in_use_open(const struct tables *t, const struct root *root, const struct model_tenant *tenant)
{
	int fd = root_map(root, "tenant_slots", NULL);
	struct tenant owner = { 0 };
	uint32_t id;

	if (fd >= 0 && bpf_map_lookup_elem(fd, &tenant->slot, &owner))
		owner.id = 0;
	if (fd >= 0)
		close(fd);
	if (!owner.id || owner.id != tenant->id || bpf_map_lookup_elem(t->outer[INNER_ACL], &tenant->slot, &id))
		return -1;
	fd = inner_find(root, tenant->name, INNER_ACL, id);
	return fd >= 0 ? fd : rights_map(id);
}

static void compile_acl(struct tables *t, const struct root *root, size_t i)
{
	const struct model_tenant *tenant = &t->m->tenants[i];
	int fd = acl_in_use_open(t, root, tenant), failed;
	struct acl_in_use in_use = { 0 };
	struct error why = { 0 };

	if (fd >= 0) {
		acl_in_use_read(t, root, tenant, fd, &in_use);
		close(fd);
	}
	failed = acl_program_make(t->m, tenant, &in_use, &t->program[i], &why);
	acl_in_use_free(&in_use);
	if (!failed)
		return;
	t->refused[i] = alloc_zero(1, sizeof(why));
	*t->refused[i] = why;
	t->touched[i] = false;
}

int tables_open(struct tables *t, const struct root *root, const struct model *m,
		const bool *touched, struct error *e)
{
	*t = (struct tables){ .m = m };
	t->touched = alloc_zero(m->n_tenants, sizeof(*t->touched));
	t->program = alloc_zero(m->n_tenants, sizeof(*t->program));
	t->refused = alloc_zero(m->n_tenants, sizeof(*t->refused));
	memcpy(t->touched, touched, m->n_tenants * sizeof(*t->touched));
	for (int i = 0; i < INNERS; i++)
		t->outer[i] = -1;
	inner_types_open(&t->types, root);
	for (int i = 0; i < INNERS; i++) {
		if (i == INNER_RULES)
			continue;
		t->outer[i] = root_map(root, inner_kinds[i].name, e);
		if (t->outer[i] < 0)
			goto failed;
	}
	for (size_t i = 0; i < m->n_tenants; i++)
		if (touched[i] && m->tenants[i].here)
			compile_acl(t, root, i);
	return 0;
failed:
	tables_close(t);
	return -1;
}

void tables_close(struct tables *t)
{
	for (size_t i = 0; t->m && i < t->m->n_tenants; i++) {
		acl_program_free(&t->program[i]);
		free(t->refused[i]);
	}
	free(t->program);
	free(t->refused);
	free(t->touched);
	for (int i = 0; t->m && i < INNERS; i++)
		if (t->outer[i] >= 0)
			close(t->outer[i]);
	if (t->m)
		inner_types_close(&t->types);
	*t = (struct tables){ 0 };
}

bool tables_wants(const struct model_tenant *tenant, enum inner kind)
{
	if (kind == INNER_RULE_HITS)
		return tenant->here && json_object_size(json_object_get(tenant->body, "acl"));
	if (kind == INNER_CT6 || kind == INNER_HALF6)
		return tenant->here6;
	if (kind == INNER_PROXIED)
		return tenant->here && tenant->flags & (TENANT_SYN_AUTO | TENANT_SYN_ALWAYS);
	return tenant->here;
}

static uint32_t size_wanted(const struct tables *t, size_t i, enum inner kind)
{
	if (kind == INNER_ACL)
		return (uint32_t)t->program[i].slots;
	if (kind == INNER_RULE_HITS)
		return rule_hits_room(
			json_object_size(json_object_get(t->m->tenants[i].body, "acl")));
	if (kind == INNER_HALF4 || kind == INNER_HALF6)
		return t->m->tenants[i].max_half_open;
	/* Two at least, as of the ACL; max_fragments has a minimum that sees to it. */
	if (kind == INNER_FRAGMENTS)
		return (t->m->tenants[i].max_fragments + FRAGMENT_WAYS - 1) / FRAGMENT_WAYS;
	if (kind == INNER_PROXIED)
		return proxied_buckets(t->m->tenants[i].max_flows);
	return flow_buckets(t->m->tenants[i].max_flows);
}

/* The map that packets of the tenant use now: the outer map says so, not the pin. -1: none. */
static int map_in_use(const struct tables *t, const struct root *root, const struct sync *s,
		      size_t i, enum inner kind)
{
	const struct model_tenant *tenant = &t->m->tenants[i];
	const struct tenant *owner = entries_value(&s->actual[MAP_TENANTS], tenant->slot);
	uint32_t id;
	int fd;

	/* What a former owner of the slot has left is nobody's. */
	if (owner->id != tenant->id || bpf_map_lookup_elem(t->outer[kind], &tenant->slot, &id))
		return -1;
	fd = inner_find(root, tenant->name, kind, id);
	if (fd >= 0)
		return fd;
	/* Somebody has taken its pin away: who may ask the kernel keeps its flows all the same. */
	return rights_map(id);
}

bool tables_keeps(const struct tables *t, const struct root *root, const struct sync *s, size_t i,
		  enum inner kind)
{
	const struct model_tenant *tenant = &t->m->tenants[i];
	struct error unused = { 0 };
	uint64_t now;
	bool keeps;
	int fd;

	if (kind != INNER_PROXIED || !tenant->here || flows_now(root, &now, &unused))
		return false;
	fd = map_in_use(t, root, s, i, kind);
	if (fd < 0)
		return false;
	keeps = proxied_in_use(fd, &s->wanted[tenant->slot], (uint32_t)now);
	close(fd);
	return keeps;
}

void tables_mark_policy(struct tables *t, const struct root *root, struct sync *s)
{
	for (size_t i = 0; i < t->m->n_tenants; i++) {
		int fd = t->touched[i] && t->m->tenants[i].here
				 ? map_in_use(t, root, s, i, INNER_ACL)
				 : -1;

		if (fd < 0)
			continue;
		if (!t->program[i].same)
			s->policy[t->m->tenants[i].slot] = true;
		close(fd);
	}
}

static bool pin_is_right(const struct root *root, const char *tenant, enum inner kind, uint32_t id)
{
	int fd = inner_open(root, tenant, kind);
	uint32_t pinned = 0, entries;

	if (fd < 0)
		return false;
	if (inner_info(fd, &pinned, &entries))
		pinned = 0;
	close(fd);
	return pinned == id;
}

/* `fd` is of what is in use, or -1. */
static enum table_fault fault_of(struct tables *t, const struct root *root, size_t i,
				 enum inner kind, int fd)
{
	uint32_t id, entries;

	if (fd < 0 || inner_info(fd, &id, &entries))
		return TABLE_MISSING;
	if (kind == INNER_RULE_HITS && !rule_hits_fits(entries, size_wanted(t, i, kind)))
		return TABLE_SIZE;
	/* What the rules compile to is compared as a whole. */
	if (kind != INNER_RULE_HITS && kind != INNER_ACL && entries != size_wanted(t, i, kind))
		return TABLE_SIZE;
	if (kind == INNER_ACL && !t->program[i].same)
		return TABLE_CONTENT;
	return pin_is_right(root, t->m->tenants[i].name, kind, id) ? TABLE_RIGHT : TABLE_PIN;
}

enum table_fault tables_check(struct tables *t, const struct root *root, const struct sync *s,
			      size_t i, enum inner kind)
{
	int fd = map_in_use(t, root, s, i, kind);
	enum table_fault fault = fault_of(t, root, i, kind, fd);

	if (fd >= 0)
		close(fd);
	return fault;
}

size_t tables_due(struct tables *t, const struct root *root, const struct sync *s)
{
	size_t due = 0;

	for (size_t i = 0; i < t->m->n_tenants; i++)
		for (enum inner kind = 0; kind < INNER_RULES && t->touched[i]; kind++)
			due += tables_wants(&t->m->tenants[i], kind) &&
			       tables_check(t, root, s, i, kind) != TABLE_RIGHT;
	return due;
}

/* Is what is in use as it should be? Then its pin is all that can be missing. */
static int keep(struct tables *t, const struct root *root, size_t i, enum inner kind, int fd,
		bool *kept, struct error *e)
{
	enum table_fault fault = fault_of(t, root, i, kind, fd);

	*kept = fault == TABLE_RIGHT || fault == TABLE_PIN;
	if (fault != TABLE_PIN)
		return 0;
	t->writes++;
	return inner_pin(root, t->m->tenants[i].name, kind, fd, e);
}

/* What carries flows over from one table to a larger or smaller one. Fragments are seconds old at most, and few. */
static bool keeps_flows(enum inner kind)
{
	return kind == INNER_CT4 || kind == INNER_CT6 || kind == INNER_HALF4 || kind == INNER_HALF6;
}

/* Programs cannot ask how large it is. */
static int fill_fragments(int fd, uint32_t sets, struct error *e)
{
	struct fragment_set set = { .sets = sets };
	uint32_t zero = 0;

	if (!bpf_map_update_elem(fd, &zero, &set, BPF_ANY))
		return 0;
	return error_set(e, EXIT_REFUSED, "map fragments cannot be written: %s", strerror(errno));
}

/* A tenant that had a table keeps the seed that places its flows. */
static int copy_flows(const struct tables *t, const struct root *root, const struct sync *s,
		      const struct jobs *jobs, const struct job *job, bool swapped, struct error *e)
{
	const struct tenant *tenant = &s->wanted[t->m->tenants[job->tenant].slot];
	uint64_t now;

	if (job->old >= 0 && jobs->kind == INNER_PROXIED)
		return flows_now(root, &now, e) ||
		       proxied_copy(job->old, job->fd, tenant, (uint32_t)now, e);
	if (job->old < 0 || !keeps_flows(jobs->kind))
		return 0;
	return table_copy(job->old, job->fd, jobs->kind, tenant->seed, swapped, e);
}

static int fill(const struct tables *t, const struct root *root, const struct sync *s,
		const struct jobs *jobs, const struct job *job, struct error *e)
{
	if (jobs->kind == INNER_ACL)
		return acl_fill(t, root, job->tenant, job->fd, e);
	if (jobs->kind == INNER_FRAGMENTS)
		return fill_fragments(job->fd, size_wanted(t, job->tenant, INNER_FRAGMENTS), e);
	if (jobs->kind == INNER_RULE_HITS)
		return job->old < 0 ? 0 : rule_hits_carry(job->old, job->fd, e);
	return copy_flows(t, root, s, jobs, job, false, e);
}

static void forget(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->n; i++) {
		close(jobs->job[i].fd);
		if (jobs->job[i].old >= 0)
			close(jobs->job[i].old);
	}
	jobs->n = 0;
}

/* Swaps all new maps in at once; before that they are pinned beside the old ones, after it in their place. */
static int flush(struct tables *t, const struct root *root, struct sync *s, struct jobs *jobs,
		 struct error *e)
{
	const char *name = inner_kinds[jobs->kind].name;
	struct entries list;
	int failed = 0;

	entries_init(&list, sizeof(uint32_t), sizeof(uint32_t));
	for (size_t i = 0; i < jobs->n && !failed; i++) {
		const struct job *job = &jobs->job[i];
		uint32_t fd = (uint32_t)job->fd;

		failed = fill(t, root, s, jobs, job, e) ||
			 inner_stage(root, t->m->tenants[job->tenant].name, jobs->kind, job->fd, e);
		entries_add(&list, &t->m->tenants[job->tenant].slot, &fd);
	}
	failed = failed || map_write(t->outer[jobs->kind], name, &list, e);
	for (size_t i = 0; i < jobs->n && !failed; i++) {
		const struct job *job = &jobs->job[i];
		const struct model_tenant *tenant = &t->m->tenants[job->tenant];

		/* Hits and flows of between the copy and the swap. */
		if (job->old >= 0 && jobs->kind == INNER_RULE_HITS)
			failed = rule_hits_carry(job->old, job->fd, e);
		else
			failed = copy_flows(t, root, s, jobs, job, true, e);
		failed = failed || inner_place(root, tenant->name, jobs->kind, e);
		if (jobs->kind == INNER_ACL)
			failed = failed || acl_settle(t, root, job->tenant, e);
		s->changed[tenant->slot] = true;
	}
	t->writes += jobs->n;
	entries_free(&list);
	forget(jobs);
	return failed ? -1 : 0;
}

static const char *const phases[INNER_RULES] = {
	[INNER_CT4] = "making flow tables",
	[INNER_HALF4] = "making half-open tables",
	[INNER_CT6] = "making IPv6 flow tables",
	[INNER_HALF6] = "making IPv6 half-open tables",
	[INNER_FRAGMENTS] = "making fragment tables",
	[INNER_PROXIED] = "making tables of the SYN proxy",
	[INNER_ACL] = "making rules",
	[INNER_RULE_HITS] = "making counters of rules",
};

static int make_kind(struct tables *t, const struct root *root, struct sync *s, struct jobs *jobs,
		     struct error *e)
{
	for (size_t i = 0; i < t->m->n_tenants; i++) {
		struct job job = { .tenant = i };
		bool kept;

		if (!t->touched[i] || !tables_wants(&t->m->tenants[i], jobs->kind))
			continue;
		job.old = map_in_use(t, root, s, i, jobs->kind);
		if (keep(t, root, i, jobs->kind, job.old, &kept, e))
			return -1;
		if (kept) {
			close(job.old);
			continue;
		}
		job.fd = inner_create(&t->types, jobs->kind, size_wanted(t, i, jobs->kind), e);
		if (job.fd < 0) {
			if (job.old >= 0)
				close(job.old);
			return -1;
		}
		jobs->job[jobs->n++] = job;
		if (jobs->n == FLUSH_AT && flush(t, root, s, jobs, e))
			return -1;
		progress(phases[jobs->kind], i + 1, t->m->n_tenants);
	}
	return jobs->n ? flush(t, root, s, jobs, e) : 0;
}

int tables_make(struct tables *t, const struct root *root, struct sync *s, struct error *e)
{
	struct jobs *jobs = alloc_zero(1, sizeof(*jobs));
	int failed = 0;

	for (int kind = 0; kind < INNER_RULES && !failed; kind++) {
		jobs->kind = kind;
		failed = make_kind(t, root, s, jobs, e);
		forget(jobs);
	}
	free(jobs);
	return failed;
}

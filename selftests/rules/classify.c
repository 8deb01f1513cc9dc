// SPDX-License-Identifier: BSD-2-Clause
/*
 * classify judge KINDS SIZES LOOKUPS: the BPF classifier and its twin in userspace against the judge, over sets of both
 * families; exits 1 at a difference.
 * classify time KIND FAMILY SIZE: nanoseconds a look-up, and what the set compiles to.
 * classify admit KIND FAMILY SIZE: nanoseconds of a flow's first packet, the rules being such as let it through.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/flow.h"
#include "include/flow_table.h"
#include "include/port.h"
#include "selftests/rules/ruleset.h"

#define QUERIES 65536
#define ROUNDS	8 /* of timing, of which the least counts */

struct bench {
	struct bpf_object *object;
	bool admits;
	int classify, nothing, queries, acl, acl_tree, acl_index;
};

static void die(const char *what)
{
	fprintf(stderr, "classify: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int map_fd(const struct bench *b, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(b->object, name);

	if (fd < 0)
		die(name);
	return fd;
}

/* Empty tables of flows. */
static void put_tables(struct bench *b)
{
	static const struct {
		const char *name;
		enum bpf_map_type type;
		uint32_t key, value, flags;
	} tables[] = {
		{ "ct4", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct ct4_bucket), BPF_F_MMAPABLE | BPF_F_INNER_MAP },
		{ "ct6", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct ct6_bucket), BPF_F_MMAPABLE | BPF_F_INNER_MAP },
		{ "half4", BPF_MAP_TYPE_LRU_HASH, sizeof(struct ct4_key), sizeof(struct flow), 0 },
		{ "half6", BPF_MAP_TYPE_LRU_HASH, sizeof(struct ct6_key), sizeof(struct flow), 0 },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = tables[i].flags);
		int fd = bpf_map_create(tables[i].type, tables[i].name, tables[i].key, tables[i].value,
					i < 2 ? flow_buckets(4 * QUERIES) : 4 * QUERIES, &options);
		uint32_t zero = 0;

		if (fd < 0 || bpf_map_update_elem(map_fd(b, tables[i].name), &zero, &fd, BPF_ANY))
			die(tables[i].name);
		close(fd);
	}
}

/* A port in slot 0, and a workload on host 1. */
static void put_ends(struct bench *b)
{
	struct port port = { .id = 1, .ifindex = 1, .vni = 1, .mac = { 2, 0, 0, 0, 0, 2 } };
	struct fdb_key here = { .vni = 1, .mac = { 2, 0, 0, 0, 0, 2 } }, there = { .vni = 1, .mac = { 2, 0, 0, 0, 0, 1 } };
	struct fdb_entry local = { .kind = TARGET_PORT }, remote = { .kind = TARGET_HOST, .index = 1 };
	uint32_t zero = 0;

	bpf_map_update_elem(map_fd(b, "port_slots"), &zero, &port, BPF_ANY);
	bpf_map_update_elem(map_fd(b, "fdb"), &here, &local, BPF_ANY);
	bpf_map_update_elem(map_fd(b, "fdb"), &there, &remote, BPF_ANY);
}

static void open_bench(struct bench *b, bool admits)
{
	struct tenant tenant = { .id = 1, .epoch = 1, .flags = TENANT_ALLOW_IN, .shortest = 1u << 30 };
	uint32_t zero = 0;

	b->admits = admits;
	for (int i = 0; i < CT_TIMEOUT_COUNT; i++)
		tenant.timeout[i] = 1u << 30;

	libbpf_set_print(NULL);
	b->object = bpf_object__open_file(admits ? "build/tools/admit.bpf.o" : "build/tools/classify.bpf.o", NULL);
	if (!b->object || bpf_object__load(b->object))
		die("classify.bpf.o");
	b->classify = bpf_program__fd(bpf_object__find_program_by_name(b->object, "classify"));
	b->nothing = bpf_program__fd(bpf_object__find_program_by_name(b->object, "nothing"));
	b->queries = map_fd(b, "queries");
	b->acl = map_fd(b, "acl");
	b->acl_tree = map_fd(b, "acl_tree");
	b->acl_index = map_fd(b, "acl_index");
	if (!admits)
		tenant.flags = 0;
	else
		put_ends(b);
	bpf_map_update_elem(map_fd(b, "tenant_slots"), &zero, &tenant, BPF_ANY);
}

/* Fills a new inner map and puts it in its place. */
static void put_map(int outer, const char *name, const void *cells, uint32_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		    .map_flags = BPF_F_INNER_MAP | (strcmp(name, "acl_tree") ? 0 : BPF_F_MMAPABLE));
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, 64, n, &options);
	uint32_t *keys = malloc(n * sizeof(*keys)), count = n, zero = 0;

	for (uint32_t i = 0; i < n; i++)
		keys[i] = i;
	if (fd < 0 || bpf_map_update_batch(fd, keys, cells, &count, NULL) ||
	    bpf_map_update_elem(outer, &zero, &fd, BPF_ANY))
		die(name);
	free(keys);
	close(fd);
}

static void put_rules(struct bench *b, const struct acl_compiled *c)
{
	union acl_slot slots[2] = { { .header = c->header } };

	slots[0].header.tree = slots[0].header.index = 1;
	put_map(b->acl_tree, "acl_tree", c->tree.cell, (uint32_t)c->tree.n);
	put_map(b->acl_index, "acl_index", c->index.cell, (uint32_t)c->index.n);
	put_map(b->acl, "acl", slots, 2);
}

static double run(int program, uint32_t n)
{
	struct __sk_buff context = { .mark = n };
	unsigned char frame[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame), .repeat = 1,
		    .ctx_in = &context, .ctx_size_in = sizeof(context));

	if (bpf_prog_test_run_opts(program, &options))
		die("test run");
	return options.duration;
}

static void put_queries(struct bench *b, const struct acl_query *q, uint32_t n)
{
	uint32_t keys[1024];

	for (uint32_t at = 0, count; at < n; at += count) {
		count = n - at < 1024 ? n - at : 1024;
		for (uint32_t i = 0; i < count; i++)
			keys[i] = at + i;
		if (bpf_map_update_batch(b->queries, keys, q + at, &count, NULL))
			die("queries");
	}
}

static void get_queries(struct bench *b, struct acl_query *q, uint32_t n)
{
	uint32_t *keys = malloc(QUERIES * sizeof(*keys)), cursor = 0, count = n;

	if (bpf_map_lookup_batch(b->queries, NULL, &cursor, keys, q, &count, NULL) && errno != ENOENT)
		die("queries");
	free(keys);
}

struct tally {
	unsigned long asked, met, differ;
};

static void report(const struct ruleset *r, const struct acl_query *q, long wanted, long got, const char *who)
{
	fprintf(stderr, "classify: %s: rule %ld instead of %ld: family %u protocol %u ports %u %u of %zu rules\n",
		who, got, wanted, q->family, q->protocol, q->source_port, q->destination_port, r->source.rules);
}

/* A rule with a chain allows, and names that. */
static bool says(const struct acl_query *told, const struct acl_match *m)
{
	if (m->action == ACL_INSPECT)
		return told->action == ACL_ALLOW && told->chain == m->chain;
	return told->action == m->action && !told->chain;
}

static void compare(struct bench *b, struct ruleset *r, const struct acl_compiled *c, uint32_t n, struct tally *t)
{
	struct acl_query *asked = calloc(n, sizeof(*asked)), *told = calloc(n, sizeof(*told));

	for (uint32_t i = 0; i < n; i++)
		asked[i] = ruleset_packet(r);
	put_queries(b, asked, n);
	run(b->classify, n);
	get_queries(b, told, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct acl_match *m = acl_ask(c, &asked[i], UINT32_MAX, NULL);
		long wanted = ruleset_judge(r, &asked[i]), twin = m ? (long)m->rule - 1 : -1;
		long got = told[i].found ? (long)told[i].rule - 1 : -1;

		t->asked++;
		t->met += wanted >= 0;
		if (got != wanted || twin != wanted ||
		    (wanted >= 0 && !says(&told[i], &r->rule[wanted].match))) {
			if (!t->differ++)
				report(r, &asked[i], wanted, got != wanted ? got : twin, got != wanted ? "packets" : "twin");
		}
	}
	free(asked);
	free(told);
}

static int judge_set(struct bench *b, enum ruleset_kind kind, uint8_t family, uint32_t size, uint32_t lookups,
		     uint64_t seed)
{
	struct tally t = { 0 };
	struct acl_compiled c;
	struct error e = { 0 };
	struct ruleset r;

	ruleset_make(&r, kind, family, size, seed);
	if (acl_build(&r.source, &c, &e)) {
		printf("# %s, IPv%u, %u rules: refused: %s\n", ruleset_names[kind], family, size, e.text);
		ruleset_free(&r);
		return kind <= RULES_IPC;
	}
	put_rules(b, &c);
	while (t.asked < lookups)
		compare(b, &r, &c, lookups - t.asked < QUERIES ? (uint32_t)(lookups - t.asked) : QUERIES, &t);
	printf("# %s, IPv%u, %u rules: %lu look-ups, %lu met a rule, %lu differ; %zu + %zu cells, at most %u looked at\n",
	       ruleset_names[kind], family, size, t.asked, t.met, t.differ, c.tree.n, c.index.n, c.visits);
	acl_compiled_free(&c);
	ruleset_free(&r);
	return t.differ || (size > 10 && !t.met);
}

static enum ruleset_kind kind_of(const char *name)
{
	for (int i = 0; i < RULES_KINDS; i++)
		if (!strcmp(ruleset_names[i], name))
			return i;
	errno = EINVAL;
	die(name);
	return RULES_KINDS;
}

static int judge(struct bench *b, char *kinds, const char *sizes, uint32_t lookups)
{
	int failed = 0;

	for (char *kind = strtok(kinds, ","); kind; kind = strtok(NULL, ",")) {
		const char *size = sizes;

		for (int i = 0; size; i++) {
			uint32_t n = (uint32_t)strtoul(size, NULL, 10);

			failed |= judge_set(b, kind_of(kind), 4, n, lookups, 1000 + (uint64_t)i);
			failed |= judge_set(b, kind_of(kind), 6, n, lookups, 2000 + (uint64_t)i);
			size = strchr(size, ',');
			size += size != NULL;
		}
	}
	return failed;
}

/* What may begin a flow: an ICMP error, say, may not. */
static void make_beginning(struct acl_query *q)
{
	if (q->protocol != 6 && q->protocol != 17 && q->protocol != 132)
		q->protocol = 17;
	q->icmp_type = q->icmp_code = 0;
	q->tcp_flags = q->protocol == 6 ? 2 : 0;
	q->ct_state = CT_STATE_NEW;
	q->port = 0;
}

/* Most of the packets have become flows: else something else was measured. */
static void check_passed(struct bench *b)
{
	struct bpf_map *bss = bpf_object__find_map_by_name(b->object, ".bss");
	uint32_t zero = 0;
	uint64_t passed = 0;

	if (!bss || bpf_map_lookup_elem(bpf_map__fd(bss), &zero, &passed) || passed < QUERIES / 2) {
		fprintf(stderr, "classify: only %lu of %d passed\n", (unsigned long)passed, QUERIES);
		exit(2);
	}
}

static int time_set(struct bench *b, enum ruleset_kind kind, uint8_t family, uint32_t size)
{
	struct acl_query *q = calloc(QUERIES, sizeof(*q));
	double least = 1e18, loop = 1e18;
	unsigned long visits = 0;
	struct acl_compiled c;
	struct error e = { 0 };
	struct ruleset r;

	ruleset_make(&r, kind, family, size, 7);
	for (uint32_t i = 0; b->admits && i < size; i++) {
		r.rule[i].match.action = ACL_ALLOW;
		r.rule[i].match.flags &= (__u8)~ENTRY_STATELESS;
	}
	if (acl_build(&r.source, &c, &e)) {
		printf("refused: %s\n", e.text);
		return 0;
	}
	put_rules(b, &c);
	for (int i = 0; i < QUERIES; i++) {
		unsigned int n;

		q[i] = ruleset_packet(&r);
		if (b->admits)
			make_beginning(&q[i]);
		acl_ask(&c, &q[i], UINT32_MAX, &n);
		visits += n;
	}
	put_queries(b, q, QUERIES);
	for (int i = 0; i < ROUNDS; i++) {
		if (b->admits)
			put_tables(b);
		double ns = run(b->classify, QUERIES), bare = run(b->nothing, QUERIES);

		least = ns < least ? ns : least;
		loop = bare < loop ? bare : loop;
	}
	if (b->admits)
		check_passed(b);
	printf("ns=%.1f visits=%.1f worst=%u cells=%zu bytes=%zu\n", (least - loop) / QUERIES,
	       (double)visits / QUERIES, c.visits, c.tree.n + c.index.n, (c.tree.n + c.index.n) * 64);
	free(q);
	acl_compiled_free(&c);
	ruleset_free(&r);
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b;

	if (argc == 5 && !strcmp(argv[1], "judge")) {
		open_bench(&b, false);
		return judge(&b, argv[2], argv[3], (uint32_t)strtoul(argv[4], NULL, 10));
	}
	if (argc == 5 && (!strcmp(argv[1], "time") || !strcmp(argv[1], "admit"))) {
		open_bench(&b, !strcmp(argv[1], "admit"));
		return time_set(&b, kind_of(argv[2]), (uint8_t)atoi(argv[3]), (uint32_t)strtoul(argv[4], NULL, 10));
	}
	fprintf(stderr, "usage: classify judge KINDS SIZES LOOKUPS | classify time|admit KIND FAMILY SIZE\n");
	return 2;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * classify judge KINDS SIZES LOOKUPS: the BPF classifier and its twin in userspace against the judge, over sets of both
 * families; exits 1 at a difference.
 * classify time KIND FAMILY SIZE: nanoseconds a look-up, and what the set compiles to.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/flow.h"
#include "selftests/rules/ruleset.h"

#define QUERIES 65536
#define ROUNDS	8 /* of timing, of which the least counts */

struct bench {
	struct bpf_object *object;
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

static void open_bench(struct bench *b)
{
	struct tenant tenant = { .id = 1, .epoch = 1 };
	uint32_t zero = 0;

	libbpf_set_print(NULL);
	b->object = bpf_object__open_file("build/tools/classify.bpf.o", NULL);
	if (!b->object || bpf_object__load(b->object))
		die("classify.bpf.o");
	b->classify = bpf_program__fd(bpf_object__find_program_by_name(b->object, "classify"));
	b->nothing = bpf_program__fd(bpf_object__find_program_by_name(b->object, "nothing"));
	b->queries = map_fd(b, "queries");
	b->acl = map_fd(b, "acl");
	b->acl_tree = map_fd(b, "acl_tree");
	b->acl_index = map_fd(b, "acl_index");
	bpf_map_update_elem(map_fd(b, "tenant_slots"), &zero, &tenant, BPF_ANY);
}

/* Fills a new inner map and puts it in its place. */
static void put_map(int outer, const char *name, const void *cells, uint32_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP);
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
		    (wanted >= 0 && told[i].action != r->rule[wanted].match.action)) {
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

static int time_set(struct bench *b, enum ruleset_kind kind, uint8_t family, uint32_t size)
{
	struct acl_query *q = calloc(QUERIES, sizeof(*q));
	double least = 1e18, loop = 1e18;
	unsigned long visits = 0;
	struct acl_compiled c;
	struct error e = { 0 };
	struct ruleset r;

	ruleset_make(&r, kind, family, size, 7);
	if (acl_build(&r.source, &c, &e)) {
		printf("refused: %s\n", e.text);
		return 0;
	}
	put_rules(b, &c);
	for (int i = 0; i < QUERIES; i++) {
		unsigned int n;

		q[i] = ruleset_packet(&r);
		acl_ask(&c, &q[i], UINT32_MAX, &n);
		visits += n;
	}
	put_queries(b, q, QUERIES);
	for (int i = 0; i < ROUNDS; i++) {
		double ns = run(b->classify, QUERIES), bare = run(b->nothing, QUERIES);

		least = ns < least ? ns : least;
		loop = bare < loop ? bare : loop;
	}
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
		open_bench(&b);
		return judge(&b, argv[2], argv[3], (uint32_t)strtoul(argv[4], NULL, 10));
	}
	if (argc == 5 && !strcmp(argv[1], "time")) {
		open_bench(&b);
		return time_set(&b, kind_of(argv[2]), (uint8_t)atoi(argv[3]), (uint32_t)strtoul(argv[4], NULL, 10));
	}
	fprintf(stderr, "usage: classify judge KINDS SIZES LOOKUPS | classify time KIND FAMILY SIZE\n");
	return 2;
}

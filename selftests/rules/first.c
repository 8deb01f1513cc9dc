// SPDX-License-Identifier: BSD-2-Clause
/*
 * first KIND FAMILY SIZE: nanoseconds that the program at the underlay takes for a flow's first packet, from the tunnel's
 * header to the redirection, the rules being such as let it through. A run of the program a packet; the mean of them,
 * but for the longest in a hundred, which met an interrupt.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/flow_table.h"
#include "loader/rules.h"
#include "selftests/rules/ruleset.h"
#include "selftests/unit/lib/internal.h"

#define PACKETS 30000
#define WARM	2000

static void put_cells(const char *outer, uint32_t place, const void *cells, size_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		    .map_flags = BPF_F_INNER_MAP | (strcmp(outer, "acl_tree") ? 0 : BPF_F_MMAPABLE));
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, outer, 4, 64, (uint32_t)n, &options);
	uint32_t *keys = calloc(n, sizeof(*keys)), count = (uint32_t)n;

	for (size_t i = 0; i < n; i++)
		keys[i] = (uint32_t)i;
	if (fd < 0 || bpf_map_update_batch(fd, keys, cells, &count, NULL))
		fail_msg("%s: %s", outer, strerror(errno));
	map_put(outer, &place, &fd);
	free(keys);
	close(fd);
}

/* As the command would: a few one after the other, more as a tree. False, and why, if they are refused. */
static bool put_rules(struct ruleset *s, unsigned int *worst)
{
	struct acl_rules r = { .term = s->term, .rule = s->rule, .name_of = s->name };
	union acl_slot slots[2 + ACL_LINEAR_MAX] = { 0 };
	struct acl_list list = { 0 };
	struct acl_compiled c;
	struct error e = { 0 };
	bool small = true;

	for (size_t i = 0; i < s->source.rules && small; i++)
		small = acl_list_add(&list, &r, i, s->rule[i].match.rank, ACL_LINEAR_MAX);
	if (small) {
		slots[0].header.entries = (uint32_t)list.n;
		for (size_t i = 0; i < list.n; i++)
			slots[1 + i].entry = list.entries[i];
		*worst = (unsigned int)list.n;
	} else {
		if (acl_build(&s->source, &c, &e)) {
			printf("refused: %s\n", e.text);
			return false;
		}
		slots[0].header = c.header;
		slots[0].header.tree = slots[0].header.index = 2 * TENANT + 1;
		put_cells("acl_tree", 2 * TENANT, c.tree.cell, c.tree.n);
		put_cells("acl_index", 2 * TENANT, c.index.cell, c.index.n);
		*worst = c.visits;
		acl_compiled_free(&c);
	}
	put_cells("acl", TENANT, slots, sizeof(slots) / sizeof(slots[0]));
	free(list.entries);
	return true;
}

static struct frame frame_of(const struct acl_query *q)
{
	uint8_t protocol = q->protocol == TCP ? TCP : UDP;
	struct frame f = packet_frame((struct packet){ R, A, q->family, protocol, q->source_port, q->destination_port,
						       .flags = protocol == TCP ? SYN : 0, .payload = 8 });

	memcpy(f.data + (q->family == 4 ? 26 : 22), q->source.bytes, q->family == 4 ? 4 : 16);
	memcpy(f.data + (q->family == 4 ? 30 : 38), q->destination.bytes, q->family == 4 ? 4 : 16);
	frame_wrap(&f, &(struct tunnelled){ 0 });
	return f;
}

static uint32_t run(struct frame *f)
{
	static uint8_t out[FRAME_MAX];
	struct xdp_md context = { .data_end = f->len, .ingress_ifindex = device(DEVICE_U) };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = f->data, .data_size_in = f->len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1, .ctx_in = &context, .ctx_size_in = sizeof(context));

	if (bpf_prog_test_run_opts(program_fd(HOOK_UNDERLAY, IN_XDP), &options))
		fail_msg("test run: %s", strerror(errno));
	return options.duration;
}

static int compare_times(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double mean(uint32_t *ns, size_t n)
{
	size_t kept = n - n / 100;
	double sum = 0;

	qsort(ns, n, sizeof(*ns), compare_times);
	for (size_t i = 0; i < kept; i++)
		sum += ns[i];
	return sum / (double)kept;
}

static void measure(struct ruleset *s, unsigned int worst)
{
	static uint32_t ns[PACKETS];
	struct tenant t = world_tenant();

	t.flags |= TENANT_ALLOW_IN;
	tenant_put(&t);
	inner_resize("ct4", flow_buckets(4 * PACKETS));
	inner_resize("ct6", flow_buckets(4 * PACKETS));
	inner_resize("half4", 4 * PACKETS);
	inner_resize("half6", 4 * PACKETS);
	for (int i = -WARM; i < PACKETS; i++) {
		struct acl_query q = ruleset_packet(s);
		struct frame f = frame_of(&q);
		uint32_t took = run(&f);

		if (i >= 0)
			ns[i] = took;
	}
	if (flow_count(s->family == 4 ? "ct4" : "ct6") + flow_count(s->family == 4 ? "half4" : "half6") < PACKETS / 2)
		fail_msg("most packets made no flow");
	printf("ns=%.1f worst=%u\n", mean(ns, PACKETS), worst);
}

static char **arguments;

static void first(void **state)
{
	uint32_t size = (uint32_t)strtoul(arguments[2], NULL, 10);
	enum ruleset_kind kind = 0;
	struct ruleset s;
	unsigned int worst;

	(void)state;
	while (kind < RULES_KINDS && strcmp(ruleset_names[kind], arguments[0]))
		kind++;
	assert_true(kind < RULES_KINDS);
	ruleset_make(&s, kind, (uint8_t)atoi(arguments[1]), size, 7);
	for (uint32_t i = 0; i < size; i++) {
		s.rule[i].match.action = ACL_ALLOW;
		s.rule[i].match.flags &= (__u8)~ENTRY_STATELESS;
	}
	if (put_rules(&s, &worst))
		measure(&s, worst);
	ruleset_free(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(first, world_reset),
	};

	if (argc != 4) {
		fprintf(stderr, "usage: first KIND FAMILY SIZE\n");
		return 2;
	}
	arguments = argv + 1;
	cmocka_set_message_output(CM_OUTPUT_XML);
	return cmocka_run_group_tests(tests, world_open, world_close);
}

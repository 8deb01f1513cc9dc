// SPDX-License-Identifier: BSD-2-Clause
/*
 * owner: what somebody may do who was given the pin of a tenant's `rules`, friendly or not. By bare system calls, so
 * that nothing but the kernel judges.
 *
 *	owner PIN read | write             can it be opened so? 0 yes, 1 no
 *	owner PIN put NAME PORT [SOURCE]   a rule: in, allow tcp to PORT, from SOURCE
 *	owner PIN fill N                   rules like that, f0, f1, …, until N are in or the map is full; prints how many
 *	owner PIN explode N                rules whose ranges of ports overlap in every way, and nothing else tells apart
 *	owner PIN random N SEED            keys and values of random bytes
 *	owner PIN ones N                   of 0xff
 *	owner PIN counts NAME              a rule that claims 65535 port ranges
 *	owner PIN id NAME ID               gives a rule that is there another id
 *	owner PIN inspect NAME CHAIN       or a chain
 *	owner PIN del NAME | clear | freeze
 *	owner PIN race SECONDS             rewrites rules as fast as it can, right and wrong ones in turn
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../include/acl.h"

static int map;

static long call(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof(*attr)); }

static int open_pin(const char *path, unsigned int flags)
{
	union bpf_attr attr = { .pathname = (__u64)(unsigned long)path, .file_flags = flags };

	return (int)call(BPF_OBJ_GET, &attr);
}

static int element(int command, const void *key, void *value)
{
	union bpf_attr attr = { .map_fd = (__u32)map };

	attr.key = (__u64)(unsigned long)key;
	attr.value = (__u64)(unsigned long)value;
	return (int)call(command, &attr);
}

static struct rule_key key_of(const char *name)
{
	struct rule_key key = { 0 };

	memcpy(key.name, name, strnlen(name, sizeof(key.name)));
	return key;
}

static int put(const char *name, int port, const char *source)
{
	struct rule rule = { .direction = TO_WORKLOAD,
			     .action = ACL_ALLOW,
			     .priority = 100,
			     .has_protocol = 1,
			     .protocol = 6,
			     .destination_ports = 1,
			     .destination_port = { { (__u16)port, (__u16)port } } };
	struct rule_key key = key_of(name);

	if (source)
		snprintf(rule.source[0], sizeof(rule.source[0]), "%s", source);
	return element(BPF_MAP_UPDATE_ELEM, &key, &rule);
}

static int fill(int n)
{
	char name[WEFT_NAME_LEN];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		if (put(name, i % 65536, NULL))
			break;
	}
	printf("%d\n", i);
	return i ? 0 : -1;
}

static int explode(int n)
{
	char name[WEFT_NAME_LEN];

	for (int i = 0; i < n; i++) {
		struct rule rule = { .direction = TO_WORKLOAD, .action = ACL_ALLOW, .has_protocol = 1, .protocol = 6 };
		struct rule_key key;

		snprintf(name, sizeof(name), "f%d", i);
		key = key_of(name);
		rule.priority = (__u16)i;
		rule.source_ports = rule.destination_ports = 1;
		rule.source_port[0].first = (__u16)(rand() % 30000);
		rule.source_port[0].last = (__u16)(rule.source_port[0].first + 30000);
		rule.destination_port[0].first = (__u16)(rand() % 30000);
		rule.destination_port[0].last = (__u16)(rule.destination_port[0].first + 30000);
		if (element(BPF_MAP_UPDATE_ELEM, &key, &rule))
			return -1;
	}
	return 0;
}

static int scribble(int n, int byte)
{
	struct rule_key key;
	struct rule rule;

	for (int i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(key); k++)
			((unsigned char *)&key)[k] = (unsigned char)(byte < 0 ? rand() : byte);
		for (size_t k = 0; k < sizeof(rule); k++)
			((unsigned char *)&rule)[k] = (unsigned char)(byte < 0 ? rand() : byte);
		if (element(BPF_MAP_UPDATE_ELEM, &key, &rule))
			return -1;
	}
	return 0;
}

static int edit(const char *name, void (*change)(struct rule *rule, const char *with), const char *with)
{
	struct rule_key key = key_of(name);
	struct rule rule;

	if (element(BPF_MAP_LOOKUP_ELEM, &key, &rule))
		return -1;
	change(&rule, with);
	return element(BPF_MAP_UPDATE_ELEM, &key, &rule);
}

static void claim_ranges(struct rule *rule, const char *with)
{
	(void)with;
	rule->source_ports = rule->destination_ports = 65535;
}

static void claim_id(struct rule *rule, const char *with) { rule->id = strtoull(with, NULL, 0); }

static void claim_chain(struct rule *rule, const char *with)
{
	rule->action = ACL_INSPECT;
	snprintf(rule->apply_to[RULE_CHAIN], RULE_REF_LEN, "chain:%s", with);
}

static int clear(void)
{
	struct rule_key key;
	union bpf_attr attr = { .map_fd = (__u32)map };

	attr.next_key = (__u64)(unsigned long)&key;
	while (!call(BPF_MAP_GET_NEXT_KEY, &attr))
		if (element(BPF_MAP_DELETE_ELEM, &key, NULL))
			return -1;
	return errno == ENOENT ? 0 : -1;
}

static int race(int seconds)
{
	struct rule_key key = key_of("racing");
	time_t end = time(NULL) + seconds;
	struct rule wrong;

	memset(&wrong, 0xff, sizeof(wrong));
	for (int i = 0; time(NULL) < end; i++) {
		put("racing", i % 65536, i & 1 ? "group:all" : NULL);
		if (i % 3 == 0)
			element(BPF_MAP_UPDATE_ELEM, &key, &wrong);
		if (i % 5 == 0)
			element(BPF_MAP_DELETE_ELEM, &key, NULL);
	}
	element(BPF_MAP_DELETE_ELEM, &key, NULL);
	return 0;
}

static int act(int argc, char **argv)
{
	const char *verb = argv[2], *first = argc > 3 ? argv[3] : "", *second = argc > 4 ? argv[4] : "0";

	if (!strcmp(verb, "put"))
		return put(first, atoi(second), argc > 5 ? argv[5] : NULL);
	if (!strcmp(verb, "fill"))
		return fill(atoi(first));
	if (!strcmp(verb, "explode"))
		return explode(atoi(first));
	if (!strcmp(verb, "random")) {
		srand((unsigned int)atoi(second));
		return scribble(atoi(first), -1);
	}
	if (!strcmp(verb, "ones"))
		return scribble(atoi(first), 0xff);
	if (!strcmp(verb, "counts"))
		return edit(first, claim_ranges, NULL);
	if (!strcmp(verb, "id"))
		return edit(first, claim_id, second);
	if (!strcmp(verb, "inspect"))
		return edit(first, claim_chain, second);
	if (!strcmp(verb, "clear"))
		return clear();
	if (!strcmp(verb, "race"))
		return race(atoi(first));
	if (!strcmp(verb, "freeze")) {
		union bpf_attr attr = { .map_fd = (__u32)map };

		return (int)call(BPF_MAP_FREEZE, &attr);
	}
	if (!strcmp(verb, "del")) {
		struct rule_key key = key_of(first);

		return element(BPF_MAP_DELETE_ELEM, &key, NULL);
	}
	errno = EINVAL;
	return strcmp(verb, "read") && strcmp(verb, "write") ? -1 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: owner PIN VERB [NAME|N] [VALUE] [SOURCE]\n");
		return 2;
	}
	map = open_pin(argv[1], strcmp(argv[2], "read") ? 0 : BPF_F_RDONLY);
	if (map < 0 || act(argc, argv)) {
		fprintf(stderr, "owner: %s: %s: %s\n", argv[1], argv[2], strerror(errno));
		return 1;
	}
	return 0;
}

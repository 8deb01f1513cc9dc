// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The classifier alone: answers queries from a map, so that nothing else is in what is compared and measured. */
#include "lib/weft.h"
#include "stages/acl.h"

#define QUERIES 65536

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, QUERIES);
	__type(key, __u32);
	__type(value, struct acl_query);
} queries SEC(".maps");

static long answer(__u32 i, const struct tenant **t)
{
	__u32 key = i;
	struct acl_query *q = bpf_map_lookup_elem(&queries, &key);

	if (!q || !*t)
		return 1;
	acl_classify(q, *t);
	return 0;
}

static long pass_over(__u32 i, const struct tenant **t)
{
	__u32 key = i;
	struct acl_query *q = bpf_map_lookup_elem(&queries, &key);

	if (!q || !*t)
		return 1;
	q->rule = q->source.v4;
	return 0;
}

/* mark: how many queries. */
SEC("tc")
int classify(struct __sk_buff *skb)
{
	const struct tenant *t = tenant_at(0);

	bpf_loop(skb->mark, answer, &t, 0);
	return 0;
}

/* The same without the classifier, for what the loop costs itself. */
SEC("tc")
int nothing(struct __sk_buff *skb)
{
	const struct tenant *t = tenant_at(0);

	bpf_loop(skb->mark, pass_over, &t, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

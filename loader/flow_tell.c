// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/flow_tell.h"

void flow_tell_open(struct flow_tell *t, const struct root *root, uint64_t now)
{
	struct error unused = { 0 };
	__u32 zero = 0;
	int watch;

	*t = (struct flow_tell){ .root = root, .now = now, .program = -1 };
	watch = root_map(root, "flow_watch", &unused);
	if (watch < 0)
		return;
	if (!bpf_map_lookup_elem(watch, &zero, &t->watch) && t->watch.until > now)
		t->program = root_prog(root, "tell", &unused);
	close(watch);
	if (t->program >= 0)
		t->events = alloc_zero(FLOW_TELL_AT_ONCE, sizeof(*t->events));
}

static void send_all(struct flow_tell *t)
{
	struct flow_told told = { .events = (__u64)(uintptr_t)t->events, .n = (__u32)t->n };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &told, .ctx_size_in = sizeof(told));

	/* What cannot be told is not worth ending for. */
	if (t->n)
		bpf_prog_test_run_opts(t->program, &run);
	t->n = 0;
}

void flow_tell_gone(struct flow_tell *t, uint32_t tenant, const void *key, int family,
		    const struct flow *flow, enum flow_gone why)
{
	struct flow_event *e;

	if (t->program < 0 || (t->watch.tenant && t->watch.tenant != tenant + 1))
		return;
	if (t->n == FLOW_TELL_AT_ONCE)
		send_all(t);
	e = &t->events[t->n++];
	*e = (struct flow_event){ .kind = FLOW_EVENT_DESTROYED,
				  .reason = (__u8)why,
				  .family = (__u8)family,
				  .tenant = tenant,
				  .flow = *flow };
	e->flow.spill = 0;
	memcpy(e->key_words, key,
	       family == FAMILY_IPV4 ? sizeof(struct ct4_key) : sizeof(struct ct6_key));
}

void flow_tell_close(struct flow_tell *t)
{
	send_all(t);
	free(t->events);
	if (t->program >= 0)
		close(t->program);
}

// SPDX-License-Identifier: BSD-2-Clause
/* TC programs as filters of a clsact qdisc, for kernels without TCX. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "loader/attach_hooks.h"

/* Ours, among whatever filters others have: "weft", and before priorities that tc gives by itself. */
#define HANDLE      0x77656674
#define PRIORITY    17

#define FILTERS_MAX 64

static enum bpf_tc_attach_point point(enum hook hook)
{
	return hook == HOOK_GUARD ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

int clsact_check(const struct nl_link *link, enum hook hook, bool own_filter, bool beside,
		 bool clsact, struct error *e)
{
	struct nl_filter list[FILTERS_MAX];
	int n = nl_filters(link->ifindex, hook == HOOK_GUARD, list, FILTERS_MAX);
	char text[PROGRAM_TEXT_SIZE];

	if (n < 0)
		return error_set(e, EXIT_REFUSED, "device %s: cannot ask for its filters: %s",
				 link->name, strerror(-n));
	for (int i = 0; i < n && i < FILTERS_MAX; i++) {
		if (strcmp(list[i].kind, "bpf"))
			continue;
		if (own_filter && list[i].handle == HANDLE && list[i].priority == PRIORITY)
			continue;
		if (beside && (!clsact || list[i].priority > PRIORITY))
			continue;
		return error_set(
			e, EXIT_REFUSED,
			"device %s: foreign TC program %s at %s (filter, pref %u): weft replaces no program of others; detach it first%s",
			link->name, program_text(list[i].program, text, sizeof(text)),
			hook == HOOK_GUARD ? "egress" : "ingress", list[i].priority,
			!clsact || list[i].priority > PRIORITY ? OR_FORCE : "");
	}
	return 0;
}

bool clsact_qdisc_missing(const struct nl_link *link)
{
	char kind[16];

	return !nl_ingress_qdisc(link->ifindex, kind) && !kind[0];
}

int clsact_qdisc(const struct nl_link *link, bool *made, struct error *e)
{
	char kind[16];
	int err = nl_ingress_qdisc(link->ifindex, kind);

	*made = false;
	if (!err && !strcmp(kind, "clsact"))
		return 0;
	if (!err && kind[0])
		return error_set(
			e, EXIT_REFUSED,
			"device %s has a qdisc of kind %s where weft needs clsact: remove it (`tc qdisc del dev %s ingress`)",
			link->name, kind, link->name);
	err = nl_clsact_add(link->ifindex);
	if (err && err != -EEXIST)
		return error_set(
			e, EXIT_REFUSED, "device %s: cannot add a clsact qdisc: %s%s", link->name,
			strerror(-err),
			err == -ENOENT
				? ": the kernel needs CONFIG_NET_SCH_INGRESS (module sch_ingress)"
				: "");
	*made = !err;
	return 0;
}

int clsact_set(const struct nl_link *link, enum hook hook, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, at, .ifindex = (int)link->ifindex, .attach_point = point(hook));
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program, .handle = HANDLE, .priority = PRIORITY,
		    .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&at, &opts);
}

/* The kernel lists filters in the order in which it asks them. */
int clsact_order(const struct nl_link *link, enum hook hook, struct nl_filter *own,
		 struct nl_filter *first)
{
	struct nl_filter list[FILTERS_MAX];
	int n = nl_filters(link->ifindex, hook == HOOK_GUARD, list, FILTERS_MAX);

	for (int i = 0; i < n && i < FILTERS_MAX; i++)
		if (list[i].handle == HANDLE && list[i].priority == PRIORITY &&
		    !strcmp(list[i].kind, "bpf")) {
			*own = list[i];
			*first = list[0];
			return i + 1;
		}
	return n < 0 ? n : 0;
}

bool clsact_live(const struct nl_link *link, enum hook hook)
{
	struct nl_filter own, first;

	return clsact_order(link, hook, &own, &first) > 0;
}

void clsact_drop(const struct nl_link *link, enum hook hook)
{
	LIBBPF_OPTS(bpf_tc_hook, at, .ifindex = (int)link->ifindex, .attach_point = point(hook));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);

	bpf_tc_detach(&at, &opts);
}

void clsact_qdisc_drop(const struct nl_link *link)
{
	struct nl_filter one;
	char kind[16];

	if (nl_ingress_qdisc(link->ifindex, kind) || strcmp(kind, "clsact"))
		return;
	if (nl_filters(link->ifindex, false, &one, 1) == 0 &&
	    nl_filters(link->ifindex, true, &one, 1) == 0)
		nl_clsact_delete(link->ifindex);
}

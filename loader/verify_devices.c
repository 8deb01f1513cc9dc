// SPDX-License-Identifier: BSD-2-Clause
/* Every device runs our pinned programs, by our pinned links, with nothing ahead of them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/devices.h"
#include "loader/probe.h"
#include "loader/verify.h"

#define PROGRAMS_MAX 64 /* the kernel's own bound of a TCX hook */

/* One device, as it is recorded and as it is there. */
struct look {
	struct verify *v;
	char object[FINDING_OBJECT_SIZE];
	struct device record;
	struct nl_link link;
	enum role role;
};

#define AGAIN "apply again"

static const char *direction(enum hook hook)
{
	return hook == HOOK_GUARD ? "egress" : hook == HOOK_TC ? "ingress" : "XDP";
}

/* Id of the program that is pinned for a hook; 0: none is. Asked once for all devices. */
static __u32 pinned_program(const struct root *root, enum role role, enum hook hook)
{
	static __u32 known[ROLE_SF + 1][HOOKS];
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd;

	if (known[role][hook])
		return known[role][hook];
	fd = root_prog(root, hook_program(role, hook), NULL);
	if (fd < 0)
		return 0;
	if (!bpf_prog_get_info_by_fd(fd, &info, &len))
		known[role][hook] = info.id;
	close(fd);
	return known[role][hook];
}

static void check_program(const struct look *l, enum hook hook, __u32 program)
{
	char text[PROGRAM_TEXT_SIZE];

	if (!pinned_program(l->v->root, l->role, hook))
		finding_add(l->v->findings, l->object, "run `weft load`",
			    "the pin of %s, its program at %s, is gone or unreadable",
			    hook_program(l->role, hook), direction(hook));
	else if (program != pinned_program(l->v->root, l->role, hook))
		finding_add(l->v->findings, l->object, "run `weft load`",
			    "runs program %s at %s, not the pinned %s",
			    program_text(program, text, sizeof(text)), direction(hook),
			    hook_program(l->role, hook));
}

static void foreign(const struct look *l, enum hook hook, __u32 program)
{
	char text[PROGRAM_TEXT_SIZE];

	finding_add(l->v->findings, l->object, "detach it",
		    "foreign program %s is ahead of weft's at %s",
		    program_text(program, text, sizeof(text)), direction(hook));
}

static void missing(const struct look *l, enum hook hook)
{
	finding_add(l->v->findings, l->object, AGAIN, "weft's program is not attached at %s",
		    direction(hook));
}

/* What TCX runs at the hook: ours is to be the first. */
static int check_tcx(const struct look *l, enum hook hook, bool ours, struct error *e)
{
	__u32 programs[PROGRAMS_MAX] = { 0 }, links[PROGRAMS_MAX] = { 0 }, own, i = 0;
	LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = programs, .link_ids = links,
		    .count = PROGRAMS_MAX);

	if (bpf_prog_query_opts((int)l->link.ifindex,
				hook == HOOK_TC ? BPF_TCX_INGRESS : BPF_TCX_EGRESS, &opts))
		return error_set(e, EXIT_REFUSED, "device %s: cannot ask for its TCX programs: %s",
				 l->link.name, strerror(errno));
	if (!ours) {
		if (opts.count)
			foreign(l, hook, programs[0]);
		return 0;
	}
	own = link_live(l->v->root, l->link.name, l->link.ifindex, hook);
	while (i < opts.count && links[i] != own)
		i++;
	if (!own || i == opts.count) {
		missing(l, hook);
		return 0;
	}
	if (i)
		foreign(l, hook, programs[0]);
	check_program(l, hook, programs[i]);
	return 0;
}

static int check_clsact(const struct look *l, enum hook hook, struct error *e)
{
	struct nl_filter own, first;
	int n = clsact_order(&l->link, hook, &own, &first);

	if (n < 0)
		return error_set(e, EXIT_REFUSED, "device %s: cannot ask for its filters: %s",
				 l->link.name, strerror(-n));
	if (!n) {
		missing(l, hook);
		return 0;
	}
	if (n > 1)
		finding_add(l->v->findings, l->object, "remove it",
			    "a foreign filter (%s, pref %u) is ahead of weft's at %s", first.kind,
			    first.priority, direction(hook));
	check_program(l, hook, own.program);
	return 0;
}

static int check_tc(const struct look *l, enum hook hook, struct error *e)
{
	bool clsact = l->record.flags & DEVICE_CLSACT;

	/* Where both are, TCX comes first. */
	if (probe_tcx() && check_tcx(l, hook, !clsact, e))
		return -1;
	return clsact ? check_clsact(l, hook, e) : 0;
}

static void check_xdp(const struct look *l)
{
	char text[PROGRAM_TEXT_SIZE];

	if (!(l->record.flags & DEVICE_XDP)) {
		if (l->link.xdp_program)
			finding_add(l->v->findings, l->object,
				    "detach it (`ip link set dev DEVICE xdp off`)",
				    "foreign XDP program %s is ahead of weft's",
				    program_text(l->link.xdp_program, text, sizeof(text)));
		return;
	}
	if (!link_live(l->v->root, l->link.name, l->link.ifindex, HOOK_XDP))
		missing(l, HOOK_XDP);
	else
		check_program(l, HOOK_XDP, l->link.xdp_program);
}

static int check_device(struct verify *v, const struct device_item *item, const struct fact *fact,
			struct error *e)
{
	struct look l = { .v = v, .record = item->record, .role = item->record.role };

	snprintf(l.object, sizeof(l.object), "device %s", item->name);
	if (!fact) {
		finding_add(v->findings, l.object, AGAIN,
			    "weft is attached to it, and nothing in the configuration names it");
		return 0;
	}
	/* Gone since, or another one by now: check_wanted() speaks of it. */
	if (nl_link_get(item->name, &l.link) || l.link.ifindex != item->record.ifindex)
		return 0;
	v->devices++;
	if (check_tc(&l, HOOK_TC, e) || (l.role != ROLE_UNDERLAY && check_tc(&l, HOOK_GUARD, e)))
		return -1;
	check_xdp(&l);
	return 0;
}

/* Whoever wants a device has it, unless it is not there. */
static void check_wanted(struct verify *v)
{
	char object[FINDING_OBJECT_SIZE];

	for (const struct fact *f = v->facts.by_device; f; f = f->hh.next) {
		snprintf(object, sizeof(object), "device %s", f->device);
		if (!f->present)
			finding_add(v->notes, f->user,
				    "apply again once the device is there, or `weft port bind`",
				    "device %s is not there: pending", f->device);
		else if (!f->attached)
			finding_add(v->findings, object, AGAIN, "is not attached as %s wants it",
				    f->user);
	}
}

int verify_devices(struct verify *v, struct error *e)
{
	struct device_item *list;
	int n = device_records(v->root, &list, e), err = n < 0 ? -1 : 0;

	for (int i = 0; i < n && !err; i++)
		if (list[i].record.role != DEVICE_TUNNEL)
			err = check_device(v, &list[i], facts_find(&v->facts, list[i].name), e);
	free(list);
	if (!err)
		check_wanted(v);
	return err;
}

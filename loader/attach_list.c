// SPDX-License-Identifier: BSD-2-Clause
/* What is attached. The record of a device tells what was begun; the kernel, what is there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/attach_hooks.h"
#include "loader/devices.h"
#include "loader/system.h"

bool device_record_stale(const struct device *record, const struct nl_link *link, uint64_t netns)
{
	return record->ifindex != link->ifindex || record->netns != netns;
}

void attachment_fill(struct attachment *got, const char *device, const struct device *record,
		 const char *note)
{
	memset(got, 0, sizeof(*got));
	snprintf(got->device, sizeof(got->device), "%s", device);
	got->ifindex = record->ifindex;
	got->role = record->role;
	got->mode = record->mode;
	got->xdp = record->flags & DEVICE_XDP;
	got->guard = record->flags & DEVICE_GUARD;
	got->clsact = record->flags & DEVICE_CLSACT;
	got->finish = record->flags & DEVICE_FINISH;
	got->present = true;
	snprintf(got->note, sizeof(got->note), "%s", note);
}

void attachment_note_lost(const struct root *root, struct attachment *a)
{
	if (a->role == ROLE_UNDERLAY && a->xdp && !device_takes_xdp(root, a->device))
		snprintf(
			a->note, sizeof(a->note),
			"TC sends, since what XDP sends here would be lost (a veth: `ethtool -K DEVICE gro on` at its other end, then apply)");
}

static void look(const struct root *root, const struct nl_link *link, struct attachment *a)
{
	struct xdp_plan plan;
	bool tc;

	a->hidden = links_hidden(root, a->device);
	if (a->hidden)
		return;
	if (a->clsact) {
		tc = clsact_live(link, HOOK_TC);
		a->guard = a->guard && clsact_live(link, HOOK_GUARD);
	} else {
		tc = link_live(root, a->device, a->ifindex, HOOK_TC);
		a->guard = a->guard && link_live(root, a->device, a->ifindex, HOOK_GUARD);
	}
	a->xdp = a->xdp && link_live(root, a->device, a->ifindex, HOOK_XDP);
	if (!tc || (a->role != ROLE_UNDERLAY && !a->guard))
		a->ifindex = 0;
	attachment_note_lost(root, a);
	if (a->mode == MODE_XDP && !xdp_decide(root, link, a->role, a->mode, &plan, NULL) &&
	    (!a->xdp || !plan.attach)) {
		memcpy(a->note, plan.note, sizeof(a->note));
		/* What opened the tap since has made it one that XDP is not for. */
		a->xdp_unfit = a->xdp;
	}
}

static void fill_present(const struct root *root, const struct nl_links *links, uint64_t netns,
			 const struct device_item *item, struct attachment *a)
{
	const struct nl_link *link = nl_links_find(links, item->name);

	attachment_fill(a, item->name, &item->record, "");
	a->present = link && !device_record_stale(&item->record, link, netns);
	if (a->present)
		look(root, link, a);
	if (item->record.flags & DEVICE_UNFINISHED)
		a->ifindex = 0;
}

int attachments(const struct root *root, struct attachment **list, struct error *e)
{
	const uint64_t netns = netns_cookie();
	struct nl_links links = { 0 };
	struct device_item *items;
	int n = device_records(root, &items, e), got = 0, err;

	*list = NULL;
	if (n < 0)
		return -1;
	err = nl_links_read(&links);
	if (err) {
		free(items);
		return error_set(e, EXIT_REFUSED, "this host's devices cannot be listed: %s",
				 strerror(-err));
	}
	if (n)
		*list = alloc_zero((size_t)n, sizeof(**list));
	for (int i = 0; i < n; i++)
		if (items[i].record.role != DEVICE_TUNNEL)
			fill_present(root, &links, netns, &items[i], &(*list)[got++]);
	nl_links_free(&links);
	free(items);
	return got;
}

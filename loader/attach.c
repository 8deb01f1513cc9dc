// SPDX-License-Identifier: BSD-2-Clause
/*
 * Attaching and detaching a device as a whole. The record in `devices` is written before the device is touched and
 * deleted after all is undone, so that a weft killed in between leaves nothing that the next one does not know of.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach_hooks.h"
#include "loader/devices.h"
#include "loader/grace.h"
#include "loader/offloads.h"
#include "loader/probe.h"
#include "loader/system.h"
#include "loader/tunnel.h"

static const char *const role_names[] = { "port", "underlay", "function" };

/* One device on its way to be attached. */
struct work {
	const struct root *root;
	struct nl_link link;
	enum role role;
	struct device record;
	struct xdp_plan plan;
};

static int find_link(const char *device, struct nl_link *link, struct error *e)
{
	int err = nl_link_get(device, link);

	if (err == -ENODEV)
		return error_set(e, 0, "device %s does not exist", device);
	return err ? error_set(e, EXIT_REFUSED, "device %s: %s", device, strerror(-err)) : 0;
}

static int check_role(const struct work *w, struct error *e)
{
	if (w->record.role == DEVICE_TUNNEL)
		return error_set(e, EXIT_REFUSED, "device %s is weft's own tunnel device",
				 w->link.name);
	if (w->record.role != (unsigned int)w->role)
		return error_set(e, EXIT_REFUSED,
				 "device %s is bound already, as %s: it cannot be %s too",
				 w->link.name, role_names[w->record.role], role_names[w->role]);
	return 0;
}

/* The record to begin with: the device's own, or a new one. Refuses a device with another role. */
static int begin(struct work *w, struct error *e)
{
	int found = device_record_get(w->root, w->link.name, &w->record, e);
	struct device tunnel;

	if (found < 0)
		return -1;
	if (found && device_record_stale(&w->record, &w->link, netns_cookie())) {
		if (detach_device(w->root, w->link.name, e))
			return -1;
		found = 0;
	}
	if (found)
		return check_role(w, e) ? -1 : 1;
	memset(&w->record, 0, sizeof(w->record));
	w->record.netns = netns_cookie();
	w->record.ifindex = w->link.ifindex;
	w->record.role = (__u8)w->role;
	found = device_record_get(w->root, TUNNEL_DEVICE, &tunnel, e);
	if (found < 0)
		return -1;
	if (!probe_tcx() || (found && tunnel.flags & DEVICE_CLSACT))
		w->record.flags |= DEVICE_CLSACT;
	return 0;
}

static int check_foreign(const struct work *w, bool beside, struct error *e)
{
	return foreign_check(w->root, &w->link, w->role, w->record.flags, beside, e);
}

/* A device that was renamed while attached has its record and pins under the old name: those go. */
static int detach_renamed(const struct work *w, bool *any, struct error *e)
{
	struct device_item *list;
	int n = device_records(w->root, &list, e), err = n < 0 ? -1 : 0;
	const uint64_t netns = netns_cookie();

	*any = false;
	for (int i = 0; i < n && !err; i++) {
		if (device_record_stale(&list[i].record, &w->link, netns) || !strcmp(list[i].name, w->link.name))
			continue;
		*any = true;
		err = detach_device(w->root, list[i].name, e);
	}
	free(list);
	return err;
}

/* What the device will have, before it has it. */
static int announce(struct work *w, enum device_mode mode, unsigned int offloads, struct error *e)
{
	__u32 off[DEVICE_FEATURE_BLOCKS];

	memcpy(off, w->record.features, sizeof(off));
	if (offloads)
		offloads_off(w->link.name, offloads, off, true);
	for (int i = 0; i < DEVICE_FEATURE_BLOCKS; i++)
		w->record.features[i] |= off[i];
	w->record.mode = (__u8)mode;
	w->record.flags |= DEVICE_UNFINISHED | DEVICE_TC | (w->role == ROLE_UNDERLAY ? 0 : DEVICE_GUARD) |
			   (w->plan.attach ? DEVICE_XDP : 0);
	if (w->record.flags & DEVICE_CLSACT && clsact_qdisc_missing(&w->link))
		w->record.flags |= DEVICE_QDISC;
	return device_record_put(w->root, w->link.name, &w->record, e);
}

static int set_tc(struct work *w, enum hook hook, struct error *e)
{
	const char *name = hook_program(w->role, hook);
	int fd = root_prog(w->root, name, e), err;

	if (fd < 0)
		return -1;
	if (w->record.flags & DEVICE_CLSACT)
		err = clsact_set(&w->link, hook, fd);
	else
		err = link_set(w->root, w->link.name, w->link.ifindex, hook, fd);
	close(fd);
	if (err)
		return error_set(e, EXIT_REFUSED, "device %s: cannot attach %s: %s", w->link.name,
				 name, strerror(-err));
	return 0;
}

/* The guard first: what weft vetted must be all that a workload ever gets. */
static int set_hooks(struct work *w, struct error *e)
{
	bool made;

	if (w->record.flags & DEVICE_CLSACT && clsact_qdisc(&w->link, &made, e))
		return -1;
	if (w->role != ROLE_UNDERLAY && set_tc(w, HOOK_GUARD, e))
		return -1;
	return set_tc(w, HOOK_TC, e);
}

static int set_xdp(struct work *w, struct error *e)
{
	if (!w->plan.attach) {
		xdp_drop(w->root, w->link.name);
		w->record.flags &= (__u8)~DEVICE_XDP;
		return 0;
	}
	if (!xdp_set(w->root, &w->link, w->role, e))
		return 0;
	if (w->record.mode != MODE_AUTO)
		return -1;
	/* auto takes what it can get. */
	w->plan.attach = false;
	return set_xdp(w, NULL);
}

static int set_all(struct work *w, enum device_mode mode, bool finish, struct error *e)
{
	unsigned int offloads =
		(finish ? OFFLOAD_TRANSMIT : 0) |
		(w->plan.attach && w->plan.tags_in_frame ? OFFLOAD_VLAN_RECEIVE : 0);
	int err;

	if (announce(w, mode, offloads, e) || set_hooks(w, e) || set_xdp(w, e))
		return -1;
	err = offloads_off(w->link.name, offloads, w->record.features, false);
	if (err && offloads)
		return error_set(e, EXIT_REFUSED, "device %s: cannot turn its offloads off: %s%s",
				 w->link.name, strerror(-err),
				 finish ? ": use `offloads: keep`" : "");
	w->record.flags &= (__u8) ~(DEVICE_FINISH | DEVICE_UNFINISHED);
	w->record.flags |= finish ? DEVICE_FINISH : 0;
	return device_record_put(w->root, w->link.name, &w->record, e);
}

/* Refuses what is to be refused. What the operator lets stay is noted in the record, for every later attach. */
static int admit(struct work *w, bool known, bool beside, struct error *e)
{
	bool renamed;

	if (!check_foreign(w, w->record.flags & DEVICE_BESIDE, e))
		return 0;
	if (!known) {
		if (detach_renamed(w, &renamed, e))
			return -1;
		if (renamed && !check_foreign(w, false, e))
			return 0;
	}
	if (!beside || check_foreign(w, true, e))
		return -1;
	w->record.flags |= DEVICE_BESIDE;
	return 0;
}

static int attach(const struct root *root, const char *device, enum role role,
		  enum device_mode mode, bool finish, bool beside, struct attachment *got,
		  struct error *e)
{
	struct work w = { .root = root, .role = role };
	int known;

	if (find_link(device, &w.link, e))
		return -1;
	known = begin(&w, e);
	if (known < 0)
		return -1;
	if (admit(&w, known, beside, e))
		return -1;
	if (xdp_decide(root, &w.link, role, mode, &w.plan, e))
		return -1;
	if (set_all(&w, mode, finish, e)) {
		if (!known)
			detach_device(root, device, NULL);
		return -1;
	}
	if (got) {
		attachment_fill(got, device, &w.record, w.plan.note);
		attachment_note_lost(root, got);
	}
	return 0;
}

int attach_device(const struct root *root, const char *device, enum role role,
		  enum device_mode mode, bool offloads_finish, bool beside,
		  struct attachment *got, struct error *e)
{
	if (devices_check_netns(root, e))
		return -1;
	return attach(root, device, role, mode, offloads_finish, beside, got, e);
}

int attach_switch_role(const struct root *root, const char *device, enum role role, struct error *e)
{
	struct device record;
	int found = device_record_get(root, device, &record, e);

	if (found <= 0)
		return found;
	record.role = (__u8)role;
	/* Killed before the programs follow, it is attached again by the next apply. */
	record.flags |= DEVICE_UNFINISHED;
	return device_record_put(root, device, &record, e);
}

int attach_check(const struct root *root, const char *device, enum role role, bool beside,
		 struct error *e)
{
	struct work w = { .root = root, .role = role };
	const uint64_t netns = netns_cookie();
	struct device_item *list;
	bool ours = false;
	int n;

	if (find_link(device, &w.link, e))
		return -1;
	n = device_records(root, &list, e);
	if (n < 0)
		return -1;
	/* By ifindex: a device that was renamed has its record under the old name, and weft's programs. */
	for (int i = 0; i < n; i++)
		if (!device_record_stale(&list[i].record, &w.link, netns)) {
			ours = true;
			w.record = list[i].record;
		}
	free(list);
	return ours ? check_role(&w, e) : check_foreign(&w, beside, e);
}

int attach_renew(const struct root *root, struct error *e)
{
	struct device_item *list;
	int n = device_records(root, &list, e), err = 0;

	grace_hurry(n);
	/* One that cannot be renewed keeps what it has; the others do not wait for it. */
	for (int i = 0; i < n; i++) {
		const struct device *r = &list[i].record;
		struct error why = { 0 };

		if (r->role == DEVICE_TUNNEL)
			continue;
		/* An absent device is the next apply's business. */
		if (attach(root, list[i].name, r->role, r->mode, r->flags & DEVICE_FINISH,
			   false, NULL,
			   &why) &&
		    why.exit_code && !err)
			err = error_set(e, EXIT_PARTLY, "%s", why.text);
	}
	grace_relax();
	free(list);
	return n < 0 || err ? -1 : 0;
}

static bool any_feature(const struct device *record)
{
	__u32 all = 0;

	for (int i = 0; i < DEVICE_FEATURE_BLOCKS; i++)
		all |= record->features[i];
	return all;
}

int detach_device(const struct root *root, const char *device, struct error *e)
{
	struct device record;
	struct nl_link link;
	int found = device_record_get(root, device, &record, e), err;

	if (found <= 0)
		return found;
	link_drop(root, device, HOOK_TC);
	link_drop(root, device, HOOK_GUARD);
	if (record.role <= ROLE_SF)
		xdp_drop(root, device);
	/* It may have another name by now. */
	if (record.netns == netns_cookie() && !nl_link_by_index(record.ifindex, &link)) {
		if (record.flags & DEVICE_CLSACT) {
			clsact_drop(&link, HOOK_TC);
			clsact_drop(&link, HOOK_GUARD);
		}
		if (record.flags & DEVICE_QDISC)
			clsact_qdisc_drop(&link);
		err = any_feature(&record) ? offloads_off(link.name, 0, record.features, false) : 0;
		if (err)
			error_set(e, EXIT_PARTLY,
				  "device %s: cannot turn its offloads on again: %s", link.name,
				  strerror(-err));
	}
	return device_record_delete(root, device, e);
}

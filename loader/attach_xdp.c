// SPDX-License-Identifier: BSD-2-Clause
/* XDP on devices: whether, with which program, and by whom it is taken already. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach_hooks.h"
#include "loader/bpf_log.h"
#include "loader/devices.h"
#include "loader/objects.h"
#include "loader/probe.h"

int xdp_check(const struct root *root, const struct nl_link *link, struct error *e)
{
	char text[PROGRAM_TEXT_SIZE];

	/* libbpf's own question makes the kernel list all devices, for each device anew. */
	if (!link->xdp_program || link_live(root, link->name, link->ifindex, HOOK_XDP))
		return 0;
	return error_set(
		e, EXIT_REFUSED,
		"device %s: foreign XDP program %s: weft replaces no program of others; detach it first (`ip link set dev %s xdp off`, or `xdpgeneric off`)",
		link->name, program_text(link->xdp_program, text, sizeof(text)), link->name);
}

/* Does any port or function use XDP? Then it pays on an underlay too. */
static bool xdp_in_use(const struct root *root)
{
	struct device_item *list;
	int n = device_records(root, &list, NULL);
	bool found = false;

	for (int i = 0; i < n; i++)
		found |=
			list[i].record.role != DEVICE_UNDERLAY && list[i].record.flags & DEVICE_XDP;
	free(list);
	return found;
}

/*
 * Hardware can be told to leave a received tag in the frame. A veth keeps it beside the frame, where XDP does not
 * see it: a tagged frame counts as untagged there, and loses the tag as it is sent on. The kernel would tell a
 * program that is loaded for its device alone (6.8), but oopses with the RTNL lock held if the device goes away
 * under such a program after the verifier had to move it (seen on 6.18), so weft has none.
 */
static bool tags_can_be_in_frame(const struct nl_link *link)
{
	return strcmp(link->kind, "veth");
}

int xdp_decide(const struct root *root, const struct nl_link *link, enum role role,
	       enum device_mode mode, struct xdp_plan *plan, struct error *e)
{
	struct nl_xdp_features features;
	bool known = !nl_xdp_features(link->ifindex, &features);

	memset(plan, 0, sizeof(*plan));
	if (mode == MODE_TC)
		return 0;
	if (mode == MODE_AUTO && (link->kind[0] || (role == ROLE_UNDERLAY && !xdp_in_use(root))))
		return 0;
	if (known && !(features.actions & NL_XDP_BASIC)) {
		if (mode == MODE_AUTO)
			return 0;
		return error_set(
			e, EXIT_REFUSED,
			"device %s: mode xdp: its driver (%s) has no native XDP: use mode tc or auto",
			link->name, link->kind[0] ? link->kind : "hardware");
	}
	if (link->vnet_hdr) {
		snprintf(
			plan->note, sizeof(plan->note),
			"TC alone: XDP loses the unfinished checksums of a guest with offloads; for XDP give it a tap without vnet_hdr (qemu: vnet_hdr=off)");
		return 0;
	}
	plan->attach = true;
	plan->tags_in_frame = role != ROLE_UNDERLAY && tags_can_be_in_frame(link);
	if (role != ROLE_UNDERLAY && link->kind[0])
		snprintf(
			plan->note, sizeof(plan->note),
			"XDP never finishes checksums: the other end must have its offload off (`ethtool -K DEVICE tx off gro on` there)");
	return 0;
}

static int refuse_attach(const struct nl_link *link, int err, struct error *e)
{
	const char *remedy = "use mode tc or auto";

	if (err == -EOPNOTSUPP)
		remedy = "its driver has no native XDP: use mode tc or auto";
	else if (err == -ERANGE || err == -EINVAL)
		remedy =
			"the driver refuses; a large MTU (also that of a veth's peer), LRO or too few queues may be why: change them, or use mode tc";
	else if (err == -EBUSY || err == -EEXIST)
		remedy = "another XDP program was attached meanwhile: detach it";
	return error_set(e, EXIT_REFUSED, "device %s: XDP cannot be attached: %s: %s", link->name,
			 strerror(-err), remedy);
}

int xdp_set(const struct root *root, const struct nl_link *link, enum role role, struct error *e)
{
	const char *name = hook_program(role, HOOK_XDP);
	int fd = root_prog(root, name, e);
	int err;

	if (fd < 0)
		return -1;
	err = link_set(root, link->name, link->ifindex, HOOK_XDP, fd);
	close(fd);
	return err ? refuse_attach(link, err, e) : 0;
}

void xdp_drop(const struct root *root, const char *device)
{
	link_drop(root, device, HOOK_XDP);
}

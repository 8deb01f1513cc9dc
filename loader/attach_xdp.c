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
#include "loader/system.h"

int xdp_check(const struct root *root, const struct nl_link *link, struct error *e)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	char text[PROGRAM_TEXT_SIZE];
	__u32 id;
	int err;

	if (link_live(root, link->name, link->ifindex, HOOK_XDP))
		return 0;
	err = bpf_xdp_query((int)link->ifindex, 0, &opts);
	if (err)
		return error_set(e, EXIT_REFUSED, "device %s: cannot ask for its XDP program: %s",
				 link->name, strerror(-err));
	id = opts.prog_id       ? opts.prog_id
	     : opts.drv_prog_id ? opts.drv_prog_id
	     : opts.skb_prog_id ? opts.skb_prog_id
				: opts.hw_prog_id;
	if (!id)
		return 0;
	return error_set(
		e, EXIT_REFUSED,
		"device %s: foreign XDP program %s: weft replaces no program of others; detach it first (`ip link set dev %s xdp off`)",
		link->name, program_text(id, text, sizeof(text)), link->name);
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

/* Blinding constants moves a program, and a bound one must not be moved: see objects.c. Mended in some kernels. */
static bool jit_blinds(void)
{
	char value[8];

	return !sysctl_read("net/core/bpf_jit_harden", value, sizeof(value)) && value[0] == '2';
}

/* How the role's program gets to see VLAN tags; false if it cannot. */
static bool see_tags(const struct nl_link *link, enum role role,
		     const struct nl_xdp_features *features, struct xdp_plan *plan)
{
	if (role == ROLE_UNDERLAY)
		return true;
	if (features->metadata & NL_XDP_METADATA_VLAN && probe_vlan_metadata() && !jit_blinds()) {
		plan->metadata = true;
		return true;
	}
	if (features->metadata & NL_XDP_METADATA_VLAN && jit_blinds()) {
		snprintf(
			plan->note, sizeof(plan->note),
			"TC instead of XDP: with net.core.bpf_jit_harden=2, kernels crash when a device with such a program goes");
		return false;
	}
	/* veth keeps tags beside the frame, whatever its settings say. */
	if (!strcmp(link->kind, "veth")) {
		snprintf(
			plan->note, sizeof(plan->note),
			"TC instead of XDP: this kernel does not show XDP the VLAN tags of a veth (6.8 and later do)");
		return false;
	}
	plan->tags_in_frame = true;
	return true;
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
	plan->attach = see_tags(link, role, &features, plan);
	if (plan->attach && role != ROLE_UNDERLAY && link->kind[0])
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

int xdp_set(const struct root *root, const struct nl_link *link, enum role role,
	    const struct xdp_plan *plan, struct error *e)
{
	const char *name = hook_program(role, HOOK_XDP);
	int fd = plan->metadata ? objects_load_bound(root, name, link->name, link->ifindex, e)
				: root_prog(root, name, e);
	int err;

	if (fd < 0)
		return -1;
	err = link_set(root, link->name, link->ifindex, HOOK_XDP, fd);
	close(fd);
	if (!err && !plan->metadata)
		objects_drop_bound(root, name, link->name);
	return err ? refuse_attach(link, err, e) : 0;
}

void xdp_drop(const struct root *root, const char *device, enum role role)
{
	link_drop(root, device, HOOK_XDP);
	objects_drop_bound(root, hook_program(role, HOOK_XDP), device);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways to attach, behind attach.c: pinned links (TCX, XDP) and clsact filters. */
#ifndef WEFT_ATTACH_HOOKS_H
#define WEFT_ATTACH_HOOKS_H

#include "device.h"
#include "loader/attach.h"
#include "loader/netlink.h"

enum hook { HOOK_TC, HOOK_GUARD, HOOK_XDP, HOOKS };

/* "tc", "guard", "xdp": the last part of a link's pin. */
const char *hook_name(enum hook hook);

/* The name of the program of a role at a hook: "port_tc", "guard_tc", "sf_xdp". */
const char *hook_program(enum role role, enum hook hook);

/*
 * Pinned links, attach_link.c. link_set() updates the link that is pinned, if it is still of this device, or makes
 * one. Returns 0 or -errno.
 */
int link_set(const struct root *root, const char *device, unsigned int ifindex, enum hook hook, int program);
/* Detaches at once, then unpins; fine if there is none. */
void link_drop(const struct root *root, const char *device, enum hook hook);
/* Id of the link if it is pinned and attached to this device, else 0. */
__u32 link_live(const struct root *root, const char *device, unsigned int ifindex, enum hook hook);
/* May this user not look at the device's links? A link is opened for writing or not at all. */
bool links_hidden(const struct root *root, const char *device);

/* Each refuses with its name and id a program at the hook that is not weft's. */
int tcx_check(const struct root *root, const struct nl_link *link, enum hook hook, struct error *e);
/* `beside`: not one that stays behind weft's, which is a filter too if `clsact`. */
int clsact_check(const struct nl_link *link, enum hook hook, bool own_filter, bool beside, bool clsact,
		 struct error *e);
int xdp_check(const struct root *root, const struct nl_link *link, struct error *e);

/* A record of a device that is gone, or that came back as another one, or of another namespace than this one. */
bool device_record_stale(const struct device *record, const struct nl_link *link, uint64_t netns);
void attachment_fill(struct attachment *got, const char *device, const struct device *record, const char *note);
/* Says in the note if what XDP sends by the device would be lost. */
void attachment_note_lost(const struct root *root, struct attachment *a);

/*
 * All of these, for a device with `flags` (enum device_flags) in its record. `beside`: the operator lets those stay that
 * come after weft's.
 */
int foreign_check(const struct root *root, const struct nl_link *link, enum role role, unsigned int flags, bool beside,
		  struct error *e);

/* Where weft's can go ahead of it. */
#define OR_FORCE ", or let it stay behind weft's with --force"

/* "foo" (id 12) for messages. */
const char *program_text(__u32 id, char *buf, size_t size);
#define PROGRAM_TEXT_SIZE 64

/* clsact filters. `made` tells whether the qdisc was missing. Returns 0 or -errno. */
int clsact_set(const struct nl_link *link, enum hook hook, int program);
int clsact_qdisc(const struct nl_link *link, bool *made, struct error *e);
bool clsact_qdisc_missing(const struct nl_link *link);
bool clsact_live(const struct nl_link *link, enum hook hook);
/* At which place among the filters ours is, from 1, and the first of all; 0: it is not there; or -errno. */
int clsact_order(const struct nl_link *link, enum hook hook, struct nl_filter *own, struct nl_filter *first);
void clsact_drop(const struct nl_link *link, enum hook hook);
/* Removes the qdisc if there is nothing in it. */
void clsact_qdisc_drop(const struct nl_link *link);

/*
 * XDP. xdp_decide() tells whether the device gets XDP; if not though it was asked for and that is no error, `note`
 * says why. Returns 0, or -1 when `mode` cannot be had.
 */
struct xdp_plan {
	bool attach;
	bool tags_in_frame;	/* the device must leave VLAN tags in frames */
	char note[ATTACH_NOTE_SIZE];
};

int xdp_decide(const struct root *root, const struct nl_link *link, enum role role, enum device_mode mode,
	       struct xdp_plan *plan, struct error *e);
int xdp_set(const struct root *root, const struct nl_link *link, enum role role, struct error *e);
void xdp_drop(const struct root *root, const char *device);

#endif

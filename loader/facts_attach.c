// SPDX-License-Identifier: BSD-2-Clause
/* Making devices what the configuration wants them to be. */
#include <string.h>

#include "loader/config/tree.h"
#include "loader/facts.h"
#include "loader/grace.h"
#include "loader/progress.h"

static bool names(const json_t *object, const char *device)
{
	bool found = json_is_string(object) && !strcmp(json_string_value(object), device);
	const json_t *part;
	const char *key;
	size_t i;

	json_object_foreach ((json_t *)object, key, part)
		found |= names(part, device);
	json_array_foreach ((json_t *)object, i, part)
		found |= names(part, device);
	return found;
}

void facts_accept(struct facts *facts, const json_t *tree)
{
	json_t *flat = tree ? config_flatten(tree) : NULL;

	for (struct fact *f = facts->by_device; flat && f; f = f->hh.next)
		f->accepted = names(json_object_get(flat, f->path), f->device);
	json_decref(flat);
}

/* Ports and functions have the same hooks: one becomes the other without a moment without programs. */
static bool can_switch(const struct attachment *had, const struct fact *f)
{
	return had->role != f->role && had->ifindex == f->info.ifindex &&
	       had->role != ROLE_UNDERLAY && f->role != ROLE_UNDERLAY;
}

static int attach(struct facts *facts, const struct root *root, struct fact *f, int *changed,
		  struct error *e)
{
	const struct attachment *had = facts_attachment(facts, f->device);
	struct attachment got = { 0 };

	if (had && can_switch(had, f)) {
		f->switched = true;
		if (attach_switch_role(root, f->device, f->role, e))
			return -1;
	} else if (had && (had->role != f->role || had->ifindex != f->info.ifindex)) {
		/* Another device of this name has to go first, and what changes places with the underlay. */
		if (detach_device(root, f->device, e))
			return -1;
		had = NULL;
	}
	f->fresh = !had;
	if (attach_device(root, f->device, f->role, f->mode, f->finish,
			  facts->beside || f->accepted, &got, e)) {
		/* It was there a moment ago. */
		if (!e->exit_code)
			error_set(e, EXIT_REFUSED, "%s: device %s has just gone: apply again",
				  f->user, f->device);
		return -1;
	}
	*changed += !f->attached;
	f->attached = true;
	f->xdp = got.xdp;
	f->takes_xdp = facts_takes_xdp(root, f);
	memcpy(f->note, got.note, sizeof(f->note));
	return 0;
}

void facts_undo_attach(struct facts *facts, const struct root *root)
{
	struct error unused = { 0 };
	int due = 0;

	for (struct fact *f = facts->by_device; f; f = f->hh.next)
		due += f->fresh;
	grace_hurry(due);
	for (struct fact *f = facts->by_device; f; f = f->hh.next) {
		const struct attachment *had = facts_attachment(facts, f->device);

		if (f->fresh)
			detach_device(root, f->device, &unused);
		else if (f->switched && !attach_switch_role(root, f->device, had->role, &unused))
			attach_device(root, f->device, had->role, had->mode, had->finish,
				      facts->beside || f->accepted, NULL, &unused);
		f->fresh = f->switched = false;
	}
	grace_relax();
}

static int attach_all(struct facts *facts, const struct root *root, int due, int *changed,
		      struct error *e)
{
	/*
	 * The underlay's mode may follow from its ports', so it comes after them, and again
	 * whenever they change.
	 */
	for (int underlay = 0; underlay <= 1; underlay++) {
		for (struct fact *f = facts->by_device; f; f = f->hh.next) {
			if (!f->present || (f->role == ROLE_UNDERLAY) != underlay ||
			    (f->attached && f->role == ROLE_PORT))
				continue;
			if (attach(facts, root, f, changed, e) && !facts_excuse(facts, f, e)) {
				facts_undo_attach(facts, root);
				return -1;
			}
			progress("attaching devices", (size_t)*changed, (size_t)due);
		}
	}
	return 0;
}

int facts_to_attach(const struct facts *facts)
{
	int due = 0;

	for (const struct fact *f = facts->by_device; f; f = f->hh.next)
		due += f->present && !f->attached;
	return due;
}

int facts_to_detach(const struct facts *facts)
{
	int due = 0;

	for (int i = 0; i < facts->n_attachments; i++)
		due += !facts_find(facts, facts->attachments[i].device);
	return due;
}

int facts_attach(struct facts *facts, const struct root *root, int *changed, struct error *e)
{
	int due = facts_to_attach(facts), err;

	grace_hurry(due);
	err = attach_all(facts, root, due, changed, e);
	grace_relax();
	return err;
}

static int detach_all(struct facts *facts, const struct root *root, int due, int *changed,
		      struct error *e)
{
	for (int i = 0; i < facts->n_attachments; i++) {
		const char *device = facts->attachments[i].device;

		if (facts_find(facts, device))
			continue;
		if (detach_device(root, device, e))
			return -1;
		(*changed)++;
		progress("detaching devices", (size_t)*changed, (size_t)due);
	}
	return 0;
}

int facts_detach(struct facts *facts, const struct root *root, int *changed, struct error *e)
{
	int due = facts_to_detach(facts), err;

	grace_hurry(due);
	err = detach_all(facts, root, due, changed, e);
	grace_relax();
	return err;
}

// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"
#include "agent/wanted.h"
#include "loader/alloc.h"

struct wanted_device {
	char device[IFNAMSIZ];
	unsigned int ifindex; /* 0: pending */
	char *user;
	char *refusal; /* why it is not taken although it is there; NULL: it is, or is not there */
	bool kept; /* the configuration still has it */
	UT_hash_handle hh;
};

static json_t *details(const struct wanted_device *d, unsigned int ifindex)
{
	json_t *all = json_pack("{s:s, s:s}", "device", d->device, "object", d->user);

	if (ifindex)
		json_object_set_new(all, "ifindex", json_integer(ifindex));
	return all;
}

static void tell(const struct command_line *cl, const struct wanted_device *d, const struct fact *f,
		 unsigned int ifindex, bool ours)
{
	if (ifindex && ifindex != d->ifindex && ours)
		log_event(cl, LOG_INFO, "attached", details(d, ifindex),
			  "%s: device %s (ifindex %u) has come: attached", d->user, d->device,
			  ifindex);
	else if (!ifindex && d->ifindex)
		log_event(cl, LOG_NOTICE, "gone", details(d, d->ifindex),
			  "%s: device %s (ifindex %u) has gone: pending", d->user, d->device,
			  d->ifindex);
	if (f->refusal && (!d->refusal || strcmp(f->refusal, d->refusal)))
		log_event(cl, LOG_WARNING, "refused", details(d, f->info.ifindex), "%s",
			  f->refusal);
}

static struct wanted_device *find(const struct wanted *w, const char *device)
{
	struct wanted_device *d;

	HASH_FIND_STR(w->by_name, device, d);
	return d;
}

static void set_text(char **to, const char *text)
{
	char *copy = text ? alloc_text(text) : NULL;

	free(*to);
	*to = copy;
}

static void learn_one(struct wanted *w, const struct command_line *cl, const struct fact *f,
		      bool ours)
{
	unsigned int ifindex = f->present && f->attached ? f->info.ifindex : 0;
	struct wanted_device *d = find(w, f->device);

	if (!d) {
		d = alloc_zero(1, sizeof(*d));
		memcpy(d->device, f->device, sizeof(d->device));
		HASH_ADD_STR(w->by_name, device, d);
	}
	set_text(&d->user, f->user);
	tell(cl, d, f, ifindex, ours);
	set_text(&d->refusal, f->refusal);
	d->ifindex = ifindex;
	d->kept = true;
	w->attached += ifindex != 0;
	w->pending += ifindex == 0;
	w->refused += f->refusal != NULL;
}

static void drop(struct wanted *w, struct wanted_device *d)
{
	HASH_DEL(w->by_name, d);
	free(d->user);
	free(d->refusal);
	free(d);
}

void wanted_learn(struct wanted *w, const struct command_line *cl, const struct facts *facts,
		  bool ours)
{
	struct wanted_device *d, *next;

	w->attached = w->pending = w->refused = 0;
	for (const struct fact *f = facts->by_device; f; f = f->hh.next)
		learn_one(w, cl, f, ours);
	HASH_ITER (hh, w->by_name, d, next) {
		if (!d->kept)
			drop(w, d);
		else
			d->kept = false;
	}
}

bool wanted_has(const struct wanted *w, const char *device)
{
	return find(w, device) != NULL;
}

void wanted_free(struct wanted *w)
{
	struct wanted_device *d, *next;

	HASH_ITER (hh, w->by_name, d, next)
		drop(w, d);
	*w = (struct wanted){ 0 };
}

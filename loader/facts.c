// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/facts.h"

struct fact *facts_find(const struct facts *facts, const char *device)
{
	struct fact *fact;

	HASH_FIND_STR(facts->by_device, device, fact);
	return fact;
}

unsigned int facts_ifindex(const struct facts *facts, const char *device)
{
	const struct fact *fact = facts_find(facts, device);

	return fact && fact->present ? fact->info.ifindex : 0;
}

void facts_xdp_underlays(const struct facts *facts, uint32_t list[WEFT_UNDERLAYS_MAX])
{
	int n = 0;

	memset(list, 0, WEFT_UNDERLAYS_MAX * sizeof(*list));
	for (const struct fact *f = facts->by_device; f; f = f->hh.next)
		if (f->role == ROLE_UNDERLAY && f->present && f->takes_xdp &&
		    n < WEFT_UNDERLAYS_MAX)
			list[n++] = f->info.ifindex;
}

static int by_device(const void *a, const void *b)
{
	const struct attachment *x = a, *y = b;

	return strcmp(x->device, y->device);
}

static int is_of_device(const void *device, const void *attachment)
{
	return strcmp(device, ((const struct attachment *)attachment)->device);
}

const struct attachment *facts_attachment(const struct facts *facts, const char *device)
{
	if (!facts->n_attachments)
		return NULL;
	return bsearch(device, facts->attachments, (size_t)facts->n_attachments,
		       sizeof(*facts->attachments), is_of_device);
}

bool facts_takes_xdp(const struct root *root, const struct fact *fact)
{
	/* An underlay device may have to send what came in by XDP elsewhere. */
	return (fact->xdp || fact->role == ROLE_UNDERLAY) && device_takes_xdp(root, fact->device);
}

static void note_attachment(struct fact *fact, const struct root *root, const struct attachment *a)
{
	bool guarded = fact->role == ROLE_UNDERLAY || a->guard;

	/* The same name may be another device by now. */
	fact->attached = fact->present && a->ifindex == fact->info.ifindex &&
			 a->role == fact->role && a->mode == fact->mode && guarded && !a->xdp_unfit;
	fact->xdp = fact->attached && a->xdp;
	fact->takes_xdp = facts_takes_xdp(root, fact);
	memcpy(fact->note, a->note, sizeof(fact->note));
}

static int look(struct facts *facts, const struct root *root, struct fact *fact, struct error *e)
{
	const struct attachment *a = facts_attachment(facts, fact->device);
	const struct nl_link *link = nl_links_find(&facts->links, fact->device);

	if (!link)
		return 0; /* not there: pending */
	device_info_of(link, &fact->info);
	if (fact->info.loopback)
		return error_set(e, EXIT_REFUSED,
				 "%s: device %s is the host's loopback device, which leads to no "
				 "other machine: give it another device",
				 fact->user, fact->device);
	fact->present = true;
	if (a)
		note_attachment(fact, root, a);
	return 0;
}

static const char *const role_names[] = {
	[ROLE_PORT] = "a port",
	[ROLE_UNDERLAY] = "the underlay",
	[ROLE_SF] = "a function",
};

/* Who wants a device, and for what. */
struct user {
	char name[160], path[CONFIG_PATH_LEN];
	enum role role;
	enum device_mode mode;
};

static int want(struct facts *facts, const struct root *root, const char *device,
		const struct user *user, struct error *e)
{
	struct fact *fact = facts_find(facts, device);

	if (fact) {
		if (fact->role != user->role)
			return error_set(e, EXIT_REFUSED,
					 "%s: device %s is bound already, by %s as the device of "
					 "%s: give it another device",
					 user->name, device, fact->user, role_names[fact->role]);
		/* One port that needs TC decides for all on the device. */
		if (user->mode == MODE_TC || (user->mode == MODE_XDP && fact->mode == MODE_AUTO))
			fact->mode = user->mode;
		return 0;
	}
	fact = alloc_zero(1, sizeof(*fact));
	snprintf(fact->device, sizeof(fact->device), "%s", device);
	memcpy(fact->path, user->path, sizeof(fact->path));
	fact->user = alloc_text(user->name);
	fact->role = user->role;
	fact->mode = user->mode;
	HASH_ADD_STR(facts->by_device, device, fact);
	return look(facts, root, fact, e);
}

static int want_instance(struct facts *facts, const struct root *root, const struct model *m,
			 const struct model_instance *i, struct error *e)
{
	struct user user = { .role = ROLE_SF, .mode = m->self->mode };

	snprintf(user.name, sizeof(user.name), "sf %s/%s", i->function, i->name);
	snprintf(user.path, sizeof(user.path), "service_functions/%s", i->function);
	if (want(facts, root, i->leaving, &user, e) || want(facts, root, i->towards, &user, e))
		return -1;
	facts_find(facts, i->leaving)->finish = i->finish;
	facts_find(facts, i->towards)->finish = i->finish;
	return 0;
}

static int want_underlay(struct facts *facts, const struct root *root, const struct model_host *h,
			 struct error *e)
{
	struct user user = { .role = ROLE_UNDERLAY, .mode = h->mode };
	const json_t *item;
	size_t i;

	snprintf(user.name, sizeof(user.name), "host %s", h->name);
	snprintf(user.path, sizeof(user.path), "hosts/%s", h->name);
	json_array_foreach ((json_t *)h->underlay, i, item)
		if (want(facts, root, json_string_value(item), &user, e))
			return -1;
	return 0;
}

static int want_port(struct facts *facts, const struct root *root, const struct model_port *p,
		     struct error *e)
{
	/* XDP may not see the tag that tells such a port (bpf/lib/ctx_xdp.h). */
	struct user user = { .role = ROLE_PORT, .mode = p->vid ? MODE_TC : p->mode };

	snprintf(user.name, sizeof(user.name), "port %s/%s", p->tenant->name, p->name);
	snprintf(user.path, sizeof(user.path), "tenants/%s/ports/%s", p->tenant->name, p->name);
	return want(facts, root, p->device, &user, e);
}

static int want_all(struct facts *facts, const struct root *root, const struct model *m,
		    struct error *e)
{
	if (want_underlay(facts, root, m->self, e))
		return -1;
	for (size_t i = 0; i < m->n_instances; i++)
		if (m->instances[i].here &&
		    want_instance(facts, root, m, &m->instances[i], e))
			return -1;
	for (size_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].here && want_port(facts, root, &m->ports[i], e))
			return -1;
	return 0;
}

int facts_gather(struct facts *facts, const struct root *root, const struct model *m,
		 struct error *e)
{
	int failed;

	*facts = (struct facts){ 0 };
	facts->n_attachments = attachments(root, &facts->attachments, e);
	if (facts->n_attachments < 0)
		return -1;
	if (facts->n_attachments)
		qsort(facts->attachments, (size_t)facts->n_attachments,
		      sizeof(*facts->attachments), by_device);
	failed = nl_links_read(&facts->links);
	if (failed)
		error_set(e, EXIT_REFUSED, "this host's devices cannot be listed: %s",
			  strerror(-failed));
	else if (m->self)
		failed = want_all(facts, root, m, e);
	nl_links_free(&facts->links);
	if (failed)
		facts_free(facts);
	return failed ? -1 : 0;
}

void facts_free(struct facts *facts)
{
	struct fact *fact, *next;

	HASH_ITER (hh, facts->by_device, fact, next) {
		HASH_DEL(facts->by_device, fact);
		free(fact->user);
		free(fact->refusal);
		free(fact);
	}
	free(facts->attachments);
	*facts = (struct facts){ 0 };
}

bool facts_excuse(struct facts *facts, struct fact *fact, const struct error *e)
{
	if (!facts->lenient)
		return false;
	free(fact->refusal);
	fact->refusal = alloc_text(e->text);
	fact->present &= fact->attached;
	facts->refused++;
	return true;
}

int facts_check_foreign(const struct facts *facts, const struct root *root, struct error *e)
{
	for (const struct fact *f = facts->by_device; f; f = f->hh.next) {
		const struct attachment *had = facts_attachment(facts, f->device);

		/* What is there in another role is detached first. */
		if (f->present && !f->attached && !had &&
		    attach_check(root, f->device, f->role, facts->beside || f->accepted, e) &&
		    e->exit_code)
			return -1;
	}
	return 0;
}

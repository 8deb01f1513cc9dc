// SPDX-License-Identifier: BSD-2-Clause
/* Do packets of the configured size get to other hosts, and answers back? */
#include <arpa/inet.h>

#include "loader/commit.h"
#include "loader/devices.h"
#include "loader/tunnel.h"
#include "loader/verify.h"

static void check_tunnel(struct verify *v)
{
	struct device_info info;

	if (!device_info(TUNNEL_DEVICE, &info, NULL) && info.up)
		return;
	finding_add(v->findings, "device " TUNNEL_DEVICE, "run `weft load`",
		    "weft's tunnel device is missing or down: routes to other hosts are not found");
}

/* Is there any device of the underlay, and one that is `up`? */
static bool underlay_is(const struct verify *v, bool up)
{
	bool is = false;

	for (const struct fact *f = v->facts.by_device; f; f = f->hh.next)
		is |= f->role == ROLE_UNDERLAY && f->present && (!up || f->info.up);
	return is;
}

static void check_endpoint(struct verify *v, const struct model_host *self)
{
	char object[FINDING_OBJECT_SIZE], address[INET_ADDRSTRLEN] = "";

	inet_ntop(AF_INET, self->vtep4, address, sizeof(address));
	if (host_is_local(address))
		return;
	snprintf(object, sizeof(object), "host %s", self->name);
	finding_add(v->findings, object, "give it back to the underlay, or change `vtep`",
		    "its tunnel endpoint %s is no address of this machine: other hosts do not reach it",
		    address);
}

/* One that is down beside others may be meant so. */
static void check_down(struct verify *v)
{
	bool up = underlay_is(v, true);
	char object[FINDING_OBJECT_SIZE];
	const struct fact *f;

	for (f = v->facts.by_device; f; f = f->hh.next) {
		if (f->role == ROLE_SF || !f->present || f->info.up)
			continue;
		snprintf(object, sizeof(object), "device %s", f->device);
		if (f->role == ROLE_PORT)
			finding_add(v->notes, object, "set it up once its workload is there",
				    "is down: nothing reaches %s", f->user);
		else
			finding_add(up ? v->notes : v->findings, object, "set it up",
				    "is down: nothing reaches other hosts by it");
	}
}

void verify_underlay(struct verify *v)
{
	struct error why = { 0 };

	check_tunnel(v);
	check_down(v);
	/* Without a device it is pending, with all that comes of that. */
	if (v->model.self && v->model.n_hosts > 1 && underlay_is(v, false))
		check_endpoint(v, v->model.self);
	if (facts_check(&v->facts, &v->model, &why))
		finding_add(v->findings, "configuration", "then apply again", "%s", why.text);
}

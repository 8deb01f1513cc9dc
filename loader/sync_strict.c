// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ports in the meantime. Rules change in one write, the records of ports in another, and flows keep
 * their verdicts until the epoch changes. A port that gets new rules and loses the function that
 * came with the old ones would for a moment, or until a killed command is repaired, have neither.
 * So the records of such ports are made strict first, and get their new contents when rules and
 * flows are new. Likewise of chains: rules name them by their places, and what a rule leads to an
 * empty one is dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/sync.h"

static bool way_changes(const struct chain *was, const struct chain *is)
{
	return was->id != is->id || was->tag != is->tag || was->steps != is->steps ||
	       was->flags != is->flags || memcmp(was->step, is->step, sizeof(was->step));
}

/* What its wire leads through. A chain that is given another slot has become another chain. */
static bool wire_changes(const struct sync *s, const struct desired *d, const struct port *old,
			 const struct port *new)
{
	const uint32_t slot = old->chain;
	const struct chain *was, *is;

	if (old->chain != new->chain)
		return true;
	if (!slot || slot >= s->actual[MAP_CHAINS].n)
		return false;
	was = entries_value(&s->actual[MAP_CHAINS], slot);
	is = entries_find(&d->map[MAP_CHAINS], &slot);
	return !is || way_changes(was, is);
}

/* Will somebody else's chain stand where the port's has stood? */
static bool chain_changes_hands(const struct sync *s, const struct desired *d,
				const struct port *old)
{
	const uint32_t slot = old->chain;
	const struct chain *was, *is;

	if (!slot || slot >= s->actual[MAP_CHAINS].n)
		return false;
	was = entries_value(&s->actual[MAP_CHAINS], slot);
	is = entries_find(&d->map[MAP_CHAINS], &slot);
	return is && is->id != was->id;
}

/* Of another owner or in another network, or where new rules and new ways would not come at once. */
static bool is_cut_off(const struct sync *s, const struct desired *d, const struct port *old,
		       const struct port *new)
{
	if (old->id != new->id || old->tenant != new->tenant || old->network != new->network ||
	    old->vni != new->vni)
		return true;
	if (chain_changes_hands(s, d, old))
		return true;
	return old->tenant < WEFT_TENANTS_MAX && s->policy[old->tenant] &&
	       (old->ifindex != new->ifindex || wire_changes(s, d, old, new));
}

static uint8_t common(uint8_t *list, uint8_t n, const uint8_t *other, uint8_t others, size_t size)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < n && i < PORT_ADDRESSES; i++)
		for (uint8_t k = 0; k < others && k < PORT_ADDRESSES; k++)
			if (!memcmp(list + i * size, other + k * size, size)) {
				memmove(list + kept++ * size, list + i * size, size);
				break;
			}
	memset(list + kept * size, 0, (PORT_ADDRESSES - kept) * size);
	return kept;
}

/* The record with the addresses that it keeps: another port may get the others before it loses them. */
static struct port with_common_addresses(const struct port *old, const struct port *new)
{
	struct port port = *old;

	port.addresses4 = common(port.address4[0], old->addresses4, new->address4[0],
				 new->addresses4, sizeof(port.address4[0]));
	port.addresses6 = common(port.address6[0], old->addresses6, new->address6[0],
				 new->addresses6, sizeof(port.address6[0]));
	return port;
}

/* Bindings that stay as they are, of ports that are cut off, go and come back at the end. */
static void rebind(struct sync *s, const struct desired *d, const bool *cut_off)
{
	const struct entries *actual = &s->actual[MAP_PORTS];

	for (size_t i = 0; i < actual->n; i++) {
		const struct port_binding *old = entries_value(actual, i);
		const void *key = entries_key(actual, i);
		const void *new = entries_find(&d->map[MAP_PORTS], key);

		if (old->port >= s->actual[MAP_PORT_SLOTS].n || !cut_off[old->port] || !new ||
		    memcmp(old, new, sizeof(*old)))
			continue;
		entries_add(&s->gone[MAP_PORTS], key, NULL);
		entries_add(&s->fresh[MAP_PORTS], key, new);
		s->writes++;
	}
}

static void mark_policy(struct sync *s)
{
	for (uint32_t slot = 0; slot < WEFT_TENANTS_MAX && slot < s->actual[MAP_TENANTS].n;
	     slot++) {
		const struct tenant *old = entries_value(&s->actual[MAP_TENANTS], slot);

		if (old->id != s->wanted[slot].id || old->flags != s->wanted[slot].flags)
			s->policy[slot] = true;
	}
}

/* Unbound, without a device, and with a MAC that nobody has; what was on its wire is remembered. */
static struct port cut_off_record(const struct port *old, const struct port *new)
{
	struct port port = { 0 };

	if (old->id != new->id)
		return port;
	port.id = old->id;
	port.tenant = old->tenant;
	port.chain = old->chain;
	port.chain_since = old->chain_since;
	return port;
}

/* `new`: the record as it shall be, all zeroes if the port goes. */
static void plan_port(struct sync *s, const struct desired *d, uint32_t slot,
		      const struct port *new, bool *cut_off)
{
	const struct port *old = entries_value(&s->actual[MAP_PORT_SLOTS], slot);
	struct port strict;

	if (!old->id)
		return;
	*cut_off = is_cut_off(s, d, old, new);
	strict = *cut_off ? cut_off_record(old, new) : with_common_addresses(old, new);
	if (memcmp(old, &strict, sizeof(strict)))
		entries_add(&s->strict, &slot, &strict);
	if (old->id != new->id)
		return;
	if (*cut_off && !memcmp(old, new, sizeof(*old))) {
		entries_add(&s->fresh[MAP_PORT_SLOTS], &slot, new);
		s->writes++;
	}
	/* Flows with verdicts of the old rules must not go where the new record leads. */
	if (new->tenant < WEFT_TENANTS_MAX && s->policy[new->tenant] &&
	    (*cut_off || memcmp(old, new, sizeof(*old))))
		s->early[new->tenant] = true;
}

static bool has_new_policy(const struct sync *s, uint32_t tenant)
{
	return tenant < WEFT_TENANTS_MAX && s->policy[tenant];
}

/*
 * The chain's place is emptied where its rules and its way would not come at once, or another's; ports with it on their wires
 * are cut off then. And flows are judged again in the midst, so that none is led by the old rules where the new way goes.
 */
static void plan_chain(struct sync *s, uint32_t slot, const struct chain *was, const struct chain *is)
{
	static const struct chain empty;

	if (is && (was->id != is->id || (has_new_policy(s, was->tenant) && way_changes(was, is))))
		entries_add(&s->emptied, &slot, &empty);
	if ((!is || way_changes(was, is)) && has_new_policy(s, was->tenant))
		s->early[was->tenant] = true;
}

static void plan_chains(struct sync *s, const struct desired *d)
{
	const struct entries *actual = &s->actual[MAP_CHAINS], *gone = &s->gone[MAP_SF];

	for (uint32_t slot = 0; slot < actual->n; slot++) {
		const struct chain *was = entries_value(actual, slot);

		if (was->id)
			plan_chain(s, slot, was, entries_find(&d->map[MAP_CHAINS], &slot));
	}
	/* A port that no rule leads into the chain any more: its flows leave before what they give back is believed no longer. */
	for (size_t i = 0; i < gone->n; i++) {
		const struct sf_return *back = entries_find(&s->actual[MAP_SF], entries_key(gone, i));
		const struct chain *was = back && back->chain < actual->n ? entries_value(actual, back->chain) : NULL;

		if (was && has_new_policy(s, was->tenant))
			s->early[was->tenant] = true;
	}
}

void sync_plan_strict(struct sync *s, const struct desired *d, bool everybody)
{
	const struct entries *actual = &s->actual[MAP_PORT_SLOTS],
			     *fresh = &s->fresh[MAP_PORT_SLOTS];
	const size_t planned = fresh->n;
	bool *cut_off = alloc_zero(actual->n, sizeof(*cut_off));

	mark_policy(s);
	/* The fresh records are in the order of slots; a slot without one keeps what it has. */
	for (uint32_t slot = 0, next = 0; slot < actual->n; slot++) {
		struct port new;

		if (next < planned && *(const uint32_t *)entries_key(fresh, next) == slot)
			memcpy(&new, entries_value(fresh, next++), sizeof(new));
		else
			memcpy(&new, entries_value(actual, slot), sizeof(new));
		plan_port(s, d, slot, &new, &cut_off[slot]);
	}
	rebind(s, d, cut_off);
	plan_chains(s, d);
	for (size_t i = 0; everybody && i < WEFT_TENANTS_MAX; i++)
		s->early[i] = s->wanted[i].id != 0;
	free(cut_off);
}

// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <unistd.h>

#include "include/port.h"
#include "loader/alloc.h"
#include "loader/attach_hooks.h"
#include "loader/compile.h"
#include "loader/live.h"

/* Both ways, in packets: what a policy has let through. */
static uint64_t carried(int stats, uint32_t slot, struct traffic *room, int cpus)
{
	uint64_t packets = 0;

	if (bpf_map_lookup_elem(stats, &slot, room))
		return 0;
	for (int cpu = 0; cpu < cpus; cpu++)
		packets += room[cpu].from_packets + room[cpu].to_packets;
	return packets;
}

/* The device of a binding, if weft's program is on it now. */
static const struct device_item *device_of(const struct root *root, const struct device_item *list,
					   int n, uint32_t ifindex)
{
	for (int i = 0; i < n; i++)
		if (list[i].record.ifindex == ifindex && list[i].record.role == DEVICE_PORT)
			return list[i].record.flags & DEVICE_CLSACT ||
					       link_live(root, list[i].name, ifindex, HOOK_TC)
				       ? &list[i]
				       : NULL;
	return NULL;
}

static int refuse(size_t ports, const struct device_item *one, struct error *e)
{
	return error_set(
		e, EXIT_REFUSED,
		"unload: %zu port%s in use (%sdevice %s): %s traffic would end: stop the workload%s, or unload --force",
		ports, ports == 1 ? " is" : "s are", ports == 1 ? "" : "one of them on ", one->name,
		ports == 1 ? "its" : "their", ports == 1 ? "" : "s");
}

int live_check(const struct root *root, const struct device_item *list, int n, struct error *e)
{
	const struct device_item *one = NULL, *device;
	int ports = root_map(root, "ports", NULL), stats = root_map(root, "port_stats", NULL);
	int cpus = libbpf_num_possible_cpus();
	struct traffic *room = alloc_zero((size_t)cpus, sizeof(*room));
	struct entries bound;
	size_t live = 0;

	entries_init(&bound, sizeof(struct port_key), sizeof(struct port_binding));
	/* A root that is half made or half removed has no traffic. */
	if (ports >= 0 && stats >= 0 && !map_read(ports, "ports", &bound, NULL))
		for (size_t i = 0; i < bound.n; i++) {
			const struct port_key *key = entries_key(&bound, i);
			const struct port_binding *binding = entries_value(&bound, i);

			device = carried(stats, binding->port, room, cpus)
					 ? device_of(root, list, n, key->ifindex)
					 : NULL;
			one = device ? device : one;
			live += device != NULL;
		}
	entries_free(&bound);
	free(room);
	if (ports >= 0)
		close(ports);
	if (stats >= 0)
		close(stats);
	return live ? refuse(live, one, e) : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `ports`, `vteps` and `networks` answered a moment ago, on this CPU. Each is a hash table, whose look-up reads several
 * lines of memory that are in no near cache by then; most packets ask what the one before asked. An answer holds within one
 * jiffy (normally 1 to 10 ms), and apply waits for that after it has deleted any. A port is only remembered as what its record
 * says now: that slot, on that device, with that tag. Of a VNI that changes hands, the former tenant's rules may be asked for a
 * jiffy, and count; but no port gets a frame that was judged for another tenant or network than its own (is_of_network()).
 */
#ifndef WEFT_BPF_RECENT_H
#define WEFT_BPF_RECENT_H

#include "lib/scratch.h"

/* The hook's own packet is the first in its scratch room. */
static __always_inline struct recent *recent_of(struct pkt *p)
{
	return &((struct scratch *)p)->recent;
}

_Static_assert(offsetof(struct scratch, pkt) == 0, "recent_of()");

/* As port_bound_to(). */
static __always_inline const struct port *recent_port(struct pkt *p, __u16 vid, __u32 *slot)
{
	struct recent_port *r = &recent_of(p)->port[p->ifindex & (RECENT_PORTS - 1)];
	__u64 now = bpf_jiffies64();
	const struct port *port;

	if (r->jiffies == now) {
		port = port_at(r->binding.port);
		if (port && port->generation == r->binding.generation && port->ifindex == p->ifindex &&
			   port->vid == vid) {
			*slot = r->binding.port;
			return port;
		}
	}
	port = port_bound_to(p->ifindex, vid, slot);
	if (port) {
		r->binding.port = *slot;
		r->binding.generation = port->generation;
		r->jiffies = now;
	}
	return port;
}

/* Who sends, and for which network: writes pkt.from, tenant and zone. */
static __always_inline enum verdict recent_sender(struct pkt *p, __u32 address, const struct host_config *us)
{
	__u32 at = address ^ p->vni;
	const struct network *network;
	__u64 now = bpf_jiffies64();
	const struct vtep *vtep;
	struct recent_sender *r;

	at ^= at >> 16;
	r = &recent_of(p)->sender[(at ^ at >> 8) & (RECENT_SENDERS - 1)];
	if (r->jiffies == now && r->address == address && r->vni == p->vni) {
		p->from = r->from;
		p->tenant = r->tenant;
		p->zone = r->zone;
		return V_NEXT;
	}
	vtep = vtep_of((const __u8 *)&address);
	if (!vtep || vtep->host == us->slot)
		return drop(p, DROP_VTEP_UNKNOWN);
	network = network_of(p->vni);
	if (!network)
		return drop(p, DROP_VNI_UNKNOWN);
	r->address = address;
	r->vni = p->vni;
	r->from = p->from = FLOW_TARGET(TARGET_HOST, vtep->host);
	r->tenant = p->tenant = network->tenant;
	r->zone = p->zone = network->slot;
	r->jiffies = now;
	return V_NEXT;
}

#endif

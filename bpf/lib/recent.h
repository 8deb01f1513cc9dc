/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `ports` and `vteps` answered a moment ago, on this CPU. Each is a hash table, whose look-up reads several lines of memory
 * that are in no near cache by then; most packets ask what the one before asked. An answer holds within one jiffy, so a
 * change of these maps is seen a jiffy later at most (1 to 10 ms), and a slot that was given away is never taken for another's:
 * its generation is compared each time. (`networks` is asked each time: in a jiffy a VNI can change its tenant.)
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
	__u64 key = p->ifindex | (__u64)vid << 32, now = bpf_jiffies64();
	const struct port *port;

	if (likely(r->jiffies == now && r->key == key)) {
		port = port_at(r->binding.port);
		if (likely(port && port->generation == r->binding.generation)) {
			*slot = r->binding.port;
			return port;
		}
	}
	port = port_bound_to(p->ifindex, vid, slot);
	if (port) {
		r->key = key;
		r->binding.port = *slot;
		r->binding.generation = port->generation;
		r->jiffies = now;
	}
	return port;
}

#define NO_HOST 0xffffffff

/* The slot of the host with this tunnel address, or NO_HOST. */
static __always_inline __u32 recent_host(struct pkt *p, const __u8 address4[4])
{
	__u32 address = *(const __u32 *)address4, at = address ^ address >> 16;
	struct recent_host *r;
	__u64 now = bpf_jiffies64();
	const struct vtep *vtep;

	r = &recent_of(p)->host[(at ^ at >> 8) & (RECENT_HOSTS - 1)];
	if (likely(r->jiffies == now && r->address == address))
		return r->host;
	vtep = vtep_of((const __u8 *)&address);
	if (!vtep)
		return NO_HOST;
	r->address = address;
	r->host = vtep->host;
	r->jiffies = now;
	return r->host;
}

#endif

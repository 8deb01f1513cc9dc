/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * antispoof: a workload speaks for itself alone: its MAC and its addresses. Comes before all else.
 * reads:  struct pkt, the port's record
 * writes: nothing
 * maps:   none (the hook found the port)
 * drops:  spoofed_mac spoofed_ipv4 spoofed_ipv6 spoofed_arp router_advert
 */
#ifndef WEFT_STAGE_ANTISPOOF_H
#define WEFT_STAGE_ANTISPOOF_H

#include "lib/weft.h"

#define ICMP_REDIRECT 5
#define ICMP_ROUTER_ADVERT 9
#define ND_ROUTER_SOLICIT 133
#define ND_ROUTER_ADVERT 134
#define ND_NEIGHBOR_SOLICIT 135
#define ND_NEIGHBOR_ADVERT 136
#define ND_REDIRECT 137
#define MLD2_REPORT 143

static __always_inline bool owns_ipv4(const struct port *port, __be32 address)
{
	for (int i = 0; i < PORT_ADDRESSES; i++) {
		if (i >= port->addresses4)
			return false;
		if (*(const __be32 *)port->address4[i] == address)
			return true;
	}
	return false;
}

/* The link-local address that RFC 4291 appendix A makes from the MAC. */
static __always_inline bool is_link_local_of(const union weft_addr *a, const __u8 mac[6])
{
	const __u8 *b = a->bytes;

	return a->halves[0] == bpf_cpu_to_be64(0xfe80000000000000ULL) && b[8] == (mac[0] ^ 2) &&
	       b[9] == mac[1] && b[10] == mac[2] && b[11] == 0xff && b[12] == 0xfe && b[13] == mac[3] &&
	       b[14] == mac[4] && b[15] == mac[5];
}

static __always_inline bool owns_ipv6(const struct port *port, const union weft_addr *address)
{
	for (int i = 0; i < PORT_ADDRESSES; i++) {
		if (i >= port->addresses6)
			break;
		if (addr6_equal(address, port->address6[i]))
			return true;
	}
	/* A port without IPv6 addresses has no link-local one either: IPv6 is off there. */
	return port->addresses6 && is_link_local_of(address, port->mac);
}

static __always_inline bool is_nd(const struct pkt *p)
{
	return p->protocol == IPPROTO_ICMPV6 && p->family == FAMILY_IPV6 &&
	       (p->icmp_type == ND_NEIGHBOR_SOLICIT || p->icmp_type == ND_NEIGHBOR_ADVERT);
}

/* Who advertises routes or redirects is a router, and that is weft (RFC 6105); IPv4 has both too (RFC 792, RFC 1256). */
static __always_inline bool speaks_as_router(const struct pkt *p)
{
	if (p->family == FAMILY_IPV4)
		return p->protocol == IPPROTO_ICMP && (p->icmp_type == ICMP_REDIRECT || p->icmp_type == ICMP_ROUTER_ADVERT);
	return p->family == FAMILY_IPV6 && p->protocol == IPPROTO_ICMPV6 &&
	       (p->icmp_type == ND_ROUTER_ADVERT || p->icmp_type == ND_REDIRECT);
}

static __always_inline bool is_unspecified(const union weft_addr *a)
{
	return !a->halves[0] && !a->halves[1];
}

static __always_inline enum verdict antispoof_ipv4(struct pkt *p, const struct port *port)
{
	if (owns_ipv4(port, p->source.v4))
		return V_NEXT;
	/* A DHCP client has no address yet. */
	if (!p->source.v4 && p->protocol == IPPROTO_UDP && p->source_port == bpf_htons(68) &&
	    p->destination_port == bpf_htons(67))
		return V_NEXT;
	return drop(p, DROP_SPOOFED_IPV4);
}

static __always_inline enum verdict antispoof_ipv6(struct pkt *p, const struct port *port)
{
	bool icmp = p->protocol == IPPROTO_ICMPV6;

	if (owns_ipv6(port, &p->source))
		return V_NEXT;
	/* Duplicate address detection, and the multicast reports that go with it (RFC 4862, RFC 3590). */
	if (port->addresses6 && icmp && is_unspecified(&p->source) &&
	    (p->icmp_type == ND_NEIGHBOR_SOLICIT || p->icmp_type == MLD2_REPORT ||
	     p->icmp_type == ND_ROUTER_SOLICIT))
		return V_NEXT;
	return drop(p, DROP_SPOOFED_IPV6);
}

__noinline int antispoof(struct pkt *p, const struct port *port)
{
	if (!p || !port)
		return V_DROP;
	if (!mac_equal(p->source_mac, port->mac))
		return drop(p, DROP_SPOOFED_MAC);
	if (speaks_as_router(p))
		return drop(p, DROP_ROUTER_ADVERT);
	if (p->family == FAMILY_IPV4)
		return antispoof_ipv4(p, port);
	if (p->family == FAMILY_IPV6)
		return antispoof_ipv6(p, port);
	/* An ARP probe has no sender address (RFC 5227). */
	if (p->ethertype == ETH_P_ARP && p->source.v4 && !owns_ipv4(port, p->source.v4))
		return drop(p, DROP_SPOOFED_ARP);
	return V_NEXT;
}

#endif

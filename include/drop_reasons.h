/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a packet was dropped. Append only: a number is never reused, since history refers to it.
 * X(NAME, "name in the command's output", "what happened")
 */
#ifndef WEFT_DROP_REASONS_H
#define WEFT_DROP_REASONS_H

#define WEFT_DROP_REASONS(X)                                                                        \
	X(NONE, "none", "not dropped")                                                              \
	X(SHORT_FRAME, "short_frame", "shorter than its headers say")                               \
	X(BAD_VLAN, "bad_vlan", "more than two VLAN tags, or a priority tag in the wrong place")    \
	X(BAD_ARP, "bad_arp", "ARP that is not Ethernet and IPv4, or of a wrong length")            \
	X(BAD_IPV4, "bad_ipv4", "IPv4 version, header length or total length is wrong")             \
	X(BAD_IPV6, "bad_ipv6", "IPv6 version or payload length is wrong")                          \
	X(BAD_EXTENSION, "bad_extension", "IPv6 extension headers too many, too long or out of order") \
	X(BAD_L4, "bad_l4", "TCP, UDP, SCTP or ICMP header or chunk cut off, or lengths or flags that cannot be")  \
	X(FRAGMENT, "fragment", "an IP fragment of a datagram that is refused as a whole")          \
	X(UNKNOWN_PORT, "unknown_port", "no port is bound to this device and VLAN")                 \
	X(VLAN_NOT_ALLOWED, "vlan_not_allowed", "a VLAN tag that the port does not have")           \
	X(SPOOFED_MAC, "spoofed_mac", "source MAC is not the port's")                               \
	X(SPOOFED_IPV4, "spoofed_ipv4", "source IPv4 address is not the port's")                    \
	X(SPOOFED_IPV6, "spoofed_ipv6", "source IPv6 address is not the port's")                    \
	X(SPOOFED_ARP, "spoofed_arp", "ARP sender is not the port")                                 \
	X(SPOOFED_ND, "spoofed_nd", "neighbour discovery speaks for another than the port")         \
	X(ROUTER_ADVERT, "router_advert", "router advertisement or redirect from a workload")       \
	X(NEIGH_UNKNOWN, "neigh_unknown", "ARP or ND asks for an address that no port has")         \
	X(NEIGH_CONSUMED, "neigh_consumed", "gratuitous ARP or ND that needs no answer")            \
	X(NETWORK_UNKNOWN, "network_unknown", "the port's network is not configured")               \
	X(ACL_IN, "acl_in", "ACL towards the workload")                                             \
	X(ACL_OUT, "acl_out", "ACL leaving the workload")                                           \
	X(REJECTED, "rejected", "ACL reject: answered with RST or ICMP")                            \
	X(CT_INVALID, "ct_invalid", "belongs to no flow and cannot start one")                      \
	X(CT_FULL, "ct_full", "the tenant's conntrack table is full")                               \
	X(CT_MISSING, "ct_missing", "the tenant has no conntrack table for this address family")    \
	X(CT_TCP_STATE, "ct_tcp_state", "TCP flags that do not fit the flow's state")               \
	X(ICMP_UNRELATED, "icmp_unrelated", "ICMP error that quotes no live flow, or a segment outside its window")                  \
	X(OUTER_BAD, "outer_bad", "VXLAN header without a VNI, or cut off")                         \
	X(VTEP_UNKNOWN, "vtep_unknown", "tunnel packet from an address that is no host")            \
	X(VNI_UNKNOWN, "vni_unknown", "tunnel packet for a VNI that is not here")                   \
	X(WRONG_HOST, "wrong_host", "inner source MAC does not live at the sending host")           \
	X(NOT_HERE, "not_here", "tunnel packet for a MAC that is not on this host")                 \
	X(HOST_UNKNOWN, "host_unknown", "the flow's host is gone")                                  \
	X(NO_ROUTE, "no_route", "the underlay has no route to the host")                            \
	X(ENCAP_FAILED, "encap_failed", "the frame could not be encapsulated")                      \
	X(DECAP_FAILED, "decap_failed", "the frame could not be decapsulated")                      \
	X(TOO_BIG, "too_big", "larger than the underlay carries, or the receiver's device takes")   \
	X(PORT_UNBOUND, "port_unbound", "the destination port has no device yet")                   \
	X(SF_UNKNOWN, "sf_unknown", "from a function's device, but of no chain, MAC or PCP that goes there") \
	X(SF_UNTAGGED, "sf_untagged", "an untagged frame from a function's device, of no chain without a tag there")                 \
	X(SF_NO_FLOW, "sf_no_flow", "a function returned a frame of no admitted flow, or of none that it had been given")              \
	X(SF_DOWN, "sf_down", "the chain's function does not answer, and the chain is closed")      \
	X(GUARD, "guard", "sent to a port or a function's device by another than weft")             \
	X(SAME_PORT, "same_port", "the destination is the port that the frame came from")           \
	X(FLOOD_FAILED, "flood_failed", "a copy of a flooded frame could not be sent")              \
	X(LINK_LOCAL, "link_local", "a link-local multicast (802.1D) that no bridge hands on")          \
	X(INTERNAL, "internal", "a look-up failed that cannot fail: please report it")                \
	X(CHAIN_RESET, "chain_reset", "of a flow that is older than the chain on its wire, which resets such") \
	X(SF_PROBE, "sf_probe", "a probe from a function's device that nobody waits for, or that was changed") \
	X(BAD_CHECKSUM, "bad_checksum", "an unfinished checksum that is not at the L4 header's own place") \
	X(HIDDEN_IP, "hidden_ip", "IP or ARP behind an LLC header, where it is not looked at") \
	X(FRAGMENT_BAD, "fragment_bad", "an IP fragment of a length or to an end that cannot be, or of what is never fragmented") \
	X(FRAGMENT_TINY, "fragment_tiny", "a first IP fragment without all headers, or a later one that would lie in them") \
	X(FRAGMENT_OVERLAP, "fragment_overlap", "an IP fragment that overlaps another one of its datagram") \
	X(FRAGMENT_DUPLICATE, "fragment_duplicate", "an IP fragment whose bytes have all come before")  \
	X(FRAGMENT_SCATTERED, "fragment_scattered", "an IP fragment of a datagram in too many pieces with gaps") \
	X(FRAGMENT_EARLY, "fragment_early", "an IP fragment whose first did not come before it, nor soon after") \
	X(FRAGMENT_TABLE, "fragment_table", "the tenant has no fragment table, or no CPU gets at it") \
	X(OUTER_FRAGMENT, "outer_fragment", "the first fragment of a tunnel packet: hosts never fragment them") \
	X(REJECT_LIMITED, "reject_limited", "ACL reject, not answered: the tenant's answers of this second are spent") \
	X(REJECT_SILENT, "reject_silent", "ACL reject that gets no answer: of a RST, an ICMP error, a broadcast …") \
	X(CT_TCP_WINDOW, "ct_tcp_window", "TCP segment or RST outside the window of its connection") \
	X(CT_SCTP_STATE, "ct_sctp_state", "SCTP chunks that do not fit the flow's state") \
	X(CT_SCTP_TAG, "ct_sctp_tag", "SCTP packet with another verification tag than its association's") \
	X(SYN_COOKIE, "syn_cookie", "SYN proxy: an ACK without a flow and without a valid cookie, or a SYN that none could be made for") \
	X(SYN_PROXY, "syn_proxy", "SYN proxy: of a connection that its workload has not answered yet, or whose record is gone") \
	X(CHAIN_NO_FLOW, "chain_no_flow", "of no flow (a broadcast, say), where the rule that lets it pass has a chain") \
	X(TAP_FAILED, "tap_failed", "a copy for a tap, which is not there or whose device takes nothing; the frame itself went on") \
	X(NSH_BAD, "nsh_bad", "VXLAN-GPE or NSH as weft does not send it, or cut off") \
	X(NSH_PATH, "nsh_path", "NSH: a path, network or tag that is none between the sender and this host") \
	X(NSH_INDEX, "nsh_index", "NSH: a service index whose function is not at this end of the path, or another instance") \
	X(NSH_MAC, "nsh_mac", "NSH: of a workload that the path does not protect") \
	X(NSH_COPIES, "nsh_copies", "NSH: too many copies of one broadcast are in a function")

enum drop_reason {
#define X(id, name, text) DROP_##id,
	WEFT_DROP_REASONS(X)
#undef X
	DROP_REASONS
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Every struct that loader and programs share, with every member, as the host's compiler lays it out. */
#ifndef WEFT_UNIT_ABI_STRUCTS_H
#define WEFT_UNIT_ABI_STRUCTS_H

#include <stddef.h>

#include "include/acl.h"
#include "include/base.h"
#include "include/chain.h"
#include "include/config.h"
#include "include/device.h"
#include "include/drop_reasons.h"
#include "include/flow_event.h"
#include "include/flow_table.h"
#include "include/flow_versions.h"
#include "include/fragment.h"
#include "include/host.h"
#include "include/nsh.h"
#include "include/port.h"
#include "include/probe.h"
#include "include/syn_proxy.h"

struct member {
	const char *name;
	size_t offset, size;
};

struct layout {
	const char *name;
	size_t size;
	const struct member *members;
	size_t n;
};

/* X(member) for each struct; TYPE is what the members are of. */
#define ABI(X) X(version) X(knows) X(build)
#define CONFIG_KEY(X) X(path) X(part)
#define CONFIG_VALUE(X) X(id) X(slot) X(parts) X(length) X(text)
#define DEVICE_KEY(X) X(name)
#define DEVICE(X) X(netns) X(ifindex) X(role) X(mode) X(flags) X(pad) X(features)
#define HOST_CONFIG(X) X(name) X(vtep4) X(slot) X(mark) X(hz) X(fib_ifindex) X(pad) X(next_id) X(xdp_underlay)
#define HOST(X) X(id) X(vtep4) X(ip_checksum)
#define NEXT_HOP(X) X(ifindex) X(refreshed) X(mtu) X(xdp_mtu) X(outer)
#define VTEP_KEY(X) X(address)
#define VTEP(X) X(host)
#define PORT_KEY(X) X(ifindex) X(vid) X(pad)
#define PORT_BINDING(X) X(port) X(generation)
#define PORT(X) X(id) X(generation) X(ifindex) X(tenant) X(network) X(vni) X(vid) X(chain) X(mac) X(flags) \
	X(addresses4) X(addresses6) X(pad) X(chain_since) X(address4) X(address6)
#define NETWORK(X) X(id) X(tenant) X(slot) X(mtu) X(flood)
#define FDB_KEY(X) X(vni) X(mac) X(pad)
#define FDB_ENTRY(X) X(kind) X(origin) X(pad) X(index)
#define NEIGH_KEY(X) X(vni) X(family) X(pad) X(address)
#define NEIGH_ENTRY(X) X(mac) X(origin) X(pad)
#define FLOOD_KEY(X) X(vni) X(n)
#define FLOOD_TARGET(X) X(kind) X(index)
#define TRAFFIC(X) X(from_packets) X(from_bytes) X(to_packets) X(to_bytes) X(drops)
#define TENANT(X) X(id) X(epoch) X(flags) X(seed) X(shortest) X(timeout)
#define TENANT_2(X) X(id) X(epoch) X(flags) X(timeout) X(shortest)
#define TENANT_TRAFFIC(X) X(flows) X(would_drop_in) X(would_drop_out) X(reclaimed) X(displaced) X(fragments_evicted) \
	X(default_in) X(default_out) X(logs_suppressed) X(logs_lost) X(hits_lost) X(tcp_outside) X(full) X(events_lost) \
	X(syn_cookies_sent) X(syn_cookies_valid) X(syn_cookies_invalid)
#define CT_KEY(X) X(low_address) X(high_address) X(low_port) X(high_port) X(protocol) X(used) X(zone)
#define FLOW_PATH(X) X(epoch) X(source) X(target) X(mac) X(flags) X(tcp)
#define FLOW_DIR(X) X(packets) X(bytes) X(packets_high) X(bytes_high) X(last_seen) X(tcp_end) X(tcp_max_end) X(tcp_max_ack)
#define FLOW(X) X(spill_word) X(rule) X(path) X(born) X(tcp_max_window) X(dir)
#define CT4_PLACE(X) X(key) X(flow)
#define CT6_PLACE(X) X(key) X(pad) X(flow)
#define CT_BUCKET(X) X(place)
#define FLOW_DIR_2(X) X(packets) X(bytes) X(last_seen) X(epoch) X(target) X(rule) X(tcp_end) X(tcp_max_end) \
	X(tcp_max_window) X(tcp_scale) X(tcp_state) X(mac) X(flags) X(reason) X(source)
#define FLOW_4(X) X(spill) X(first) X(first_code) X(rule) X(path) X(born) X(tcp_max_window) X(dir)
#define FLOW_2(X) X(dir) X(first) X(first_code) X(stamp) X(pad) X(nat) X(born) X(spare)
#define CHAIN_STEP(X) X(leaving_ifindex) X(towards_ifindex) X(flags) X(function)
#define SF_INSTANCE(X) X(id) X(leaving_ifindex) X(towards_ifindex) X(weight) X(flags) X(pad)
#define FUNCTION(X) X(id) X(flags) X(remote) X(present) X(fresh) X(instance)
#define SF_FLOW_KEY(X) X(flow) X(function) X(tenant)
#define SF_FLOW(X) X(instance) X(preferred) X(seen) X(place) X(pad)
#define SF_STATE(X) X(waiting_since) X(outstanding) X(flow) X(last_try) X(noticed) X(returned) X(answered) X(answers) X(looked) \
	X(down) X(degraded) X(since) X(nonce) X(patience) X(spare)
#define SF_DRAIN(X) X(since) X(until)
#define SF_TRAFFIC(X) X(flows) X(moved) X(sent) X(returned)
#define NSH_PATH_KEY(X) X(path) X(host)
#define NSH_PATH(X) X(chain) X(vnis)
#define NSH_CHAIN(X) X(id) X(path) X(pad)
#define NSH_COPY_KEY(X) X(frame) X(chain) X(step) X(instance) X(n)
#define NSH_COPY(X) X(since) X(away)
#define CHAIN(X) X(id) X(tenant) X(tag) X(steps) X(flags) X(vnis) X(step)
#define SF_KEY(X) X(ifindex) X(tci) X(mac)
#define SF_RETURN(X) X(port) X(chain) X(step) X(instance)
#define CHAIN_TRAFFIC(X) X(sent) X(returned) X(bypassed) X(kept) X(skipped)
#define PROBE_KEY(X) X(nonce)
#define PROBE(X) X(asked) X(answered) X(chain) X(step) X(pcp) X(instance) X(pad)
#define PROBE_BODY(X) X(magic) X(chain) X(nonce) X(step) X(pcp) X(instance) X(pad) X(number)
#define FRAGMENT_RANGE(X) X(first) X(end)
#define FRAGMENT_ENTRY(X) X(source) X(destination) X(id) X(from) X(zone) X(family) X(protocol) X(pass) X(state) \
	X(early) X(flags) X(stamp) X(since) X(tcp_seq) X(source_port) X(destination_port) X(upper) X(flow_protocol) \
	X(icmp_type) X(icmp_code) X(tcp_flags) X(header) X(end) X(range)
#define FRAGMENT_SET(X) X(lock) X(sets) X(way)
#define SYN_PRESSURE(X) X(until) X(pressed_until)
#define PROXIED(X) X(key) X(used) X(isn) X(cookie) X(delta) X(seen) X(timeout) X(scale) X(ready) X(pad)
#define PROXIED_BUCKET(X) X(place)
#define EARLY_KEY(X) X(tenant) X(place)
#define EARLY_FRAME(X) X(time) X(stamp) X(nonce) X(len) X(pad) X(bytes)
#define RULE_KEY(X) X(name)
#define PORT_RANGE(X) X(first) X(last)
#define RULE(X) X(id) X(direction) X(action) X(priority) X(ethertype) X(has_protocol) X(protocol) \
	X(has_icmp_type) X(icmp_type) X(has_icmp_code) X(icmp_code) X(tcp_mask) X(tcp_flags) X(ct_states) X(log) \
	X(stateless) X(pad) X(source_ports) X(destination_ports) X(source_port) X(destination_port) X(apply_to) \
	X(source) X(destination)
#define ACL_HEADER(X) X(entries) X(voids) X(tree) X(index) X(root) X(addresses4) X(addresses6) X(ports) \
	X(beside) X(rules) X(inspect)
#define ACL_ENTRY(X) X(source) X(destination) X(source_bits) X(destination_bits) X(family) X(direction) \
	X(action) X(flags) X(ethertype) X(source_first) X(source_last) X(destination_first) X(destination_last) \
	X(port) X(rank_high) X(rule) X(protocol) X(icmp_type) X(icmp_code) X(tcp_mask) X(tcp_flags) X(ct_states) \
	X(rank_low)
#define ACL_NODE(X) X(kind) X(value) X(pad) X(child) X(aside) X(aside_rank) X(cut)
#define ACL_MATCH(X) X(kind) X(sets) X(ethertype) X(rank) X(rule) X(next) X(first) X(last) X(source_port) \
	X(destination_port) X(protocol) X(icmp_type) X(icmp_code) X(tcp_mask) X(tcp_flags) X(ct_states) X(action) \
	X(flags) X(ranges) X(chain)
#define ACL_RANGES(X) X(source) X(destination)
#define ACL_BRANCH(X) X(child) X(key)
#define ACL_WORDS(X) X(key) X(value)
#define ACL_REST_OF(X) X(first) X(last) X(before) X(within) X(after) X(pad)
#define ACL_BASE(X) X(kind) X(cells) X(items) X(classes) X(key) X(seal) X(pad)
#define ACL_KNOWN(X) X(name) X(digest) X(rank) X(hides) X(order) X(by_name) X(pad)
#define ACL_NAMED(X) X(key) X(digest) X(pad)
#define ACL_QUERY(X) X(source) X(destination) X(tenant) X(port) X(ethertype) X(source_port) X(destination_port) \
	X(direction) X(family) X(protocol) X(icmp_type) X(icmp_code) X(tcp_flags) X(ct_state) X(action) X(entry_flags) \
	X(found) X(rule) X(chain)
#define RULE_HITS_KEY(X) X(rule) X(carried)
#define RULE_HITS(X) X(packets) X(bytes)
#define TENANT_LIMITS(X) X(rejects_until) X(logs_until) X(full_until)
#define FLOW_WATCH(X) X(until) X(tenant) X(pad)
#define FLOW_EVENT(X) X(kind) X(reason) X(family) X(pad) X(tenant) X(time) X(key_words) X(flow)
#define FLOW_TOLD(X) X(events) X(n) X(pad)
#define EVENT(X) X(kind) X(tenant) X(time) X(rule) X(port) X(direction) X(action) X(family) X(protocol) \
	X(source_port) X(destination_port) X(source) X(destination)

#define STRUCTS(S)                                                                                            \
	S(abi, ABI) S(config_key, CONFIG_KEY) S(config_value, CONFIG_VALUE) S(device_key, DEVICE_KEY)         \
	S(device, DEVICE) S(host_config, HOST_CONFIG) S(host, HOST) S(next_hop, NEXT_HOP)                     \
	S(vtep_key, VTEP_KEY) S(vtep, VTEP) S(port_key, PORT_KEY) S(port_binding, PORT_BINDING) S(port, PORT) \
	S(network, NETWORK) S(fdb_key, FDB_KEY) S(fdb_entry, FDB_ENTRY) S(neigh_key, NEIGH_KEY)               \
	S(neigh_entry, NEIGH_ENTRY) S(flood_key, FLOOD_KEY) S(flood_target, FLOOD_TARGET)                     \
	S(traffic, TRAFFIC) S(tenant, TENANT) S(tenant_traffic, TENANT_TRAFFIC) S(ct4_key, CT_KEY)            \
	S(ct6_key, CT_KEY) S(flow_path, FLOW_PATH) S(flow_dir, FLOW_DIR) S(flow, FLOW) S(ct4_place, CT4_PLACE) S(ct6_place, CT6_PLACE)               \
	S(ct4_bucket, CT_BUCKET) S(ct6_bucket, CT_BUCKET) S(chain_step, CHAIN_STEP) S(chain, CHAIN)      \
	S(sf_key, SF_KEY) S(sf_return, SF_RETURN) S(sf_instance, SF_INSTANCE) S(function, FUNCTION)             \
	S(sf_flow_key, SF_FLOW_KEY) S(sf_flow, SF_FLOW) S(sf_state, SF_STATE) S(sf_drain, SF_DRAIN)           \
	S(sf_traffic, SF_TRAFFIC)                                                                             \
	S(nsh_path_key, NSH_PATH_KEY) S(nsh_path, NSH_PATH) S(nsh_chain, NSH_CHAIN) S(nsh_copy_key, NSH_COPY_KEY)   \
	S(nsh_copy, NSH_COPY)                                                                                  \
	S(chain_traffic, CHAIN_TRAFFIC) S(rule_key, RULE_KEY) S(port_range, PORT_RANGE) S(rule, RULE)         \
	S(acl_header, ACL_HEADER) S(acl_entry, ACL_ENTRY) S(event, EVENT)                         \
	S(rule_hits_key, RULE_HITS_KEY) S(rule_hits, RULE_HITS) S(tenant_limits, TENANT_LIMITS)   \
	S(acl_node, ACL_NODE) S(acl_match, ACL_MATCH) S(acl_ranges, ACL_RANGES) S(acl_branch, ACL_BRANCH) \
	S(acl_words, ACL_WORDS) S(acl_base, ACL_BASE) S(acl_known, ACL_KNOWN) S(acl_named, ACL_NAMED) \
	S(acl_query, ACL_QUERY) S(acl_rest, ACL_REST_OF)                                                                   \
	S(flow_watch, FLOW_WATCH) S(flow_event, FLOW_EVENT) S(flow_told, FLOW_TOLD)               \
	S(probe_key, PROBE_KEY) S(probe, PROBE) S(probe_body, PROBE_BODY)                         \
	S(fragment_range, FRAGMENT_RANGE) S(fragment_entry, FRAGMENT_ENTRY) S(fragment_set, FRAGMENT_SET)     \
	S(syn_pressure, SYN_PRESSURE) S(proxied, PROXIED) S(proxied_bucket, PROXIED_BUCKET) \
	S(early_key, EARLY_KEY) S(early_frame, EARLY_FRAME)                                                   \
	S(tenant_2, TENANT_2) S(flow_dir_2, FLOW_DIR_2) S(flow_2, FLOW_2) S(flow_path_4, FLOW_PATH) S(flow_dir_4, FLOW_DIR) S(flow_4, FLOW_4)

#define MEMBER(member) { #member, offsetof(TYPE, member), sizeof(((TYPE *)0)->member) },

/* TYPE cannot be an argument of MEMBER, so each struct has its list in a function where TYPE is a typedef. */
#define LIST(type, LIST_OF)                                                                                   \
	static struct layout layout_of_##type(void)                                                           \
	{                                                                                                     \
		typedef struct type TYPE;                                                                     \
		static const struct member members[] = { LIST_OF(MEMBER) };                                   \
		return (struct layout){ #type, sizeof(TYPE), members, sizeof(members) / sizeof(members[0]) }; \
	}
STRUCTS(LIST)

#define CALL(type, LIST_OF) layout_of_##type,
static struct layout (*const layouts[])(void) = { STRUCTS(CALL) };
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

#endif

// SPDX-License-Identifier: BSD-2-Clause
/*
 * The grammar. To support a key: take its LATER away and give it a type; nothing else needs to
 * know. The order of keys is the order in which they are printed.
 */
#include "include/chain.h"
#include "loader/config/schema_types.h"

/* Of one function, on all hosts together: a thousand hosts with one each. */
#define INSTANCES_MAX 4096

/* clang-format off */
#define LATER(key, text) {.name = (key), .later = true, .doc = (text)}
#define KEYS(...) ((const struct schema_key[]){__VA_ARGS__, {.name = NULL}})
#define WORDS(...) ((const struct schema_word[]){__VA_ARGS__, {NULL, 0, false}})
#define WORD(text) {(text), 0, false}
#define WORD_LATER(text) {(text), 0, true}
#define SCALAR(name_, type_, ...)                                                                  \
	{.name = (name_), .shape = SCHEMA_SCALAR, .type = &schema_type_##type_, __VA_ARGS__}
#define LIST(name_, type_, ...)                                                                    \
	{.name = (name_), .shape = SCHEMA_LIST, .type = &schema_type_##type_, __VA_ARGS__}
#define OBJECT(name_, kind_, ...)                                                                  \
	{.name = (name_), .shape = SCHEMA_OBJECT, .object = &(kind_), __VA_ARGS__}
#define MAP(name_, kind_, ...)                                                                     \
	{.name = (name_), .shape = SCHEMA_MAP, .object = &(kind_), __VA_ARGS__}
#define NAMED_LIST(name_, kind_, ...)                                                              \
	{.name = (name_), .shape = SCHEMA_NAMED_LIST, .object = &(kind_), __VA_ARGS__}

/* A time-out below a second would expire between two packets, and nobody waits for a month. */
#define TIMEOUT(name_, default_, doc_)                                                             \
	SCALAR(name_, duration, .min = 1000, .max = 30LL * 86400 * 1000, .fallback = (default_),   \
	       .doc = (doc_))

#define MODES WORDS(WORD("auto"), WORD("tc"), WORD("xdp"))

static const struct schema_kind host_kind = {
	.name = "host", .path = "hosts", .doc = "a machine with a tunnel endpoint",
	.keys = KEYS(
		LIST("vtep", vtep, .required = true, .items_min = 1, .items_max = 1,
		     .doc = "its tunnel endpoint address"),
		LIST("underlay", device, .required = true, .items_min = 1, .items_max = WEFT_UNDERLAYS_MAX,
		     .doc = "the devices that face the other hosts"),
		SCALAR("mode", word, .words = MODES, .fallback = "auto",
		       .doc = "where programs are attached: xdp for packets, tc for streams")),
};

static const struct schema_kind instance_kind = {
	.name = "instance", .doc = "one inspection device of a service function",
	.check = schema_check_instance,
	.keys = KEYS(
		SCALAR("host", name, .required = true, .ref = "host", .doc = "where it runs"),
		SCALAR("device", device, .doc = "one-arm: frames go in and come back here"),
		LIST("devices", device, .items_min = 2, .items_max = 2,
		     .doc = "two-arm: leaving frames enter the first and return from the second"),
		SCALAR("offloads", word, .words = WORDS(WORD("finish"), WORD("keep")),
		       .fallback = "finish",
		       .doc = "finish checksums and cut super-packets first, or keep them"),
		SCALAR("weight", uint, .min = 1, .max = INSTANCE_WEIGHT_MAX, .fallback = "1",
		       .doc = "its share of new flows, in proportion to the others'"),
		SCALAR("admin", word, .words = WORDS(WORD("up"), WORD("drain"), WORD("down")),
		       .fallback = "up", .doc = "drain: no new flow; down: nothing at all"),
		LATER("management", "the port by which it is managed")),
};

static const struct schema_kind health_kind = {
	.name = "health", .doc = "how its instances are watched",
	.keys = KEYS(
		SCALAR("probe", word, .words = WORDS(WORD("l2"), WORD("none")), .fallback = "l2",
		       .doc = "l2: the agent sends frames of its own through each, both ways; none: it looks at links alone"),
		SCALAR("interval", duration, .min = 1, .max = 10000, .fallback = "2ms",
		       .doc = "between two probes"),
		SCALAR("down_after", uint, .min = 2, .max = 100, .fallback = "3",
		       .doc = "so many in a row did not come back, either way: the instance is down"),
		SCALAR("up_after", uint, .min = 1, .max = 100000, .fallback = "100",
		       .doc = "so many in a row did: it is up again")),
};

static const struct schema_kind sf_kind = {
	.name = "sf", .path = "service_functions", .block = true, .check = schema_check_sf,
	.doc = "a service function: a bump in the wire that inspects",
	.keys = KEYS(
		OBJECT("health", health_kind, .doc = "how its instances are watched"),
		SCALAR("drain_timeout", duration, .min = 1000, .max = 30LL * 86400 * 1000,
		       .fallback = "10m", .doc = "how long an instance that drains keeps its flows"),
		SCALAR("rewrites", bool, .fallback = "false",
		       .doc = "whether it alters streams: their TCP windows then drop nothing"),
		SCALAR("rebalance", bool, .fallback = "false",
		       .doc = "whether flows return to an instance that was dead"),
		MAP("instances", instance_kind, .required = true, .items_min = 1,
		    .items_max = INSTANCES_MAX, .doc = "where it runs")),
};

static const struct schema_kind default_kind = {
	.name = "default", .doc = "what happens to a new flow that no rule matches",
	.keys = KEYS(
		SCALAR("in", word, .words = WORDS(WORD("allow"), WORD("deny")),
		       .fallback = "deny", .doc = "to a workload"),
		SCALAR("out", word, .words = WORDS(WORD("allow"), WORD("deny")),
		       .fallback = "allow", .doc = "from a workload")),
};

static const struct schema_kind timeouts_kind = {
	.name = "timeouts", .doc = "how long an idle flow is remembered",
	.keys = KEYS(
		TIMEOUT("tcp_syn", "2m", "TCP, after a SYN"),
		TIMEOUT("tcp_syn_recv", "1m", "TCP, after the SYN-ACK"),
		TIMEOUT("tcp_established", "5d", "TCP, open"),
		TIMEOUT("tcp_unacknowledged", "5m", "TCP, at most, while data waits for its acknowledgement"),
		TIMEOUT("tcp_fin", "2m", "TCP, after the first FIN"),
		TIMEOUT("tcp_close_wait", "1m", "TCP, after the acknowledgement of one FIN"),
		TIMEOUT("tcp_last_ack", "30s", "TCP, after both FINs"),
		TIMEOUT("tcp_time_wait", "2m", "TCP, after the acknowledgement of both FINs"),
		TIMEOUT("tcp_closed", "10s", "TCP, after a RST"),
		TIMEOUT("udp", "30s", "UDP, not answered, or for less than two seconds"),
		TIMEOUT("udp_replied", "2m", "UDP, assured: answered, and in use for two seconds"),
		TIMEOUT("sctp_init", "10s", "SCTP, after an INIT"),
		TIMEOUT("sctp_cookie_wait", "3s", "SCTP, after the INIT ACK"),
		TIMEOUT("sctp_cookie_echoed", "3s", "SCTP, after the COOKIE ECHO"),
		TIMEOUT("sctp_established", "210s", "SCTP, open"),
		TIMEOUT("sctp_shutdown_sent", "3s", "SCTP, after a SHUTDOWN of the end that began"),
		TIMEOUT("sctp_shutdown_received", "3s", "SCTP, after a SHUTDOWN of the other end"),
		TIMEOUT("sctp_shutdown_ack_sent", "3s", "SCTP, after the SHUTDOWN ACK"),
		TIMEOUT("sctp_heartbeat_sent", "30s", "SCTP, after a HEARTBEAT on another path"),
		TIMEOUT("sctp_closed", "10s", "SCTP, shut down or aborted"),
		TIMEOUT("icmp", "30s", "ICMP queries"),
		TIMEOUT("icmpv6", "30s", "ICMPv6 queries"),
		TIMEOUT("gre", "30s", "GRE, not answered"),
		TIMEOUT("gre_replied", "3m", "GRE, answered"),
		TIMEOUT("other", "10m", "every other protocol"),
		TIMEOUT("fragment", "30s", "an IPv4 datagram in fragments, from the first that came"),
		TIMEOUT("fragment_ipv6", "1m", "the same of IPv6")),
};

/* The defaults cost an idle tenant some 57 KB; who has more than a few workloads asks for more. */
static const struct schema_kind conntrack_kind = {
	.name = "conntrack", .doc = "the tenant's flow table", .check = schema_check_conntrack,
	.keys = KEYS(
		SCALAR("max_flows", uint, .min = 64, .max = 4194304, .fallback = "192",
		       .doc = "how many flows it has room for; what finds none is dropped"),
		SCALAR("max_half_open", uint, .min = 64, .max = 4194304, .fallback = "64",
		       .doc = "how many TCP and SCTP handshakes may be under way"),
		SCALAR("max_fragments", uint, .min = 8, .max = 65536, .fallback = "40",
		       .doc = "how many datagrams may be on their way in fragments"),
		SCALAR("loose", bool, .fallback = "false",
		       .doc = "take up TCP connections whose beginning was not seen"),
		SCALAR("liberal", bool, .fallback = "false",
		       .doc = "count and pass TCP segments outside their window"),
		SCALAR("syn_proxy", word, .words = WORDS(WORD("off"), WORD("auto"), WORD("always")),
		       .fallback = "off",
		       .doc = "answer SYNs with cookies: while the table of handshakes is under pressure, or always"),
		OBJECT("timeouts", timeouts_kind, .doc = "by protocol and state")),
};

static const struct schema_kind tenant_kind = {
	.name = "tenant", .path = "tenants", .block = true, .doc = "options of a tenant",
	.keys = KEYS(
		SCALAR("enforcement", word, .words = WORDS(WORD("enforce"), WORD("monitor")),
		       .fallback = "enforce",
		       .doc = "monitor: what rules deny is counted and passed"),
		OBJECT("default", default_kind, .doc = "when no rule matches"),
		OBJECT("conntrack", conntrack_kind, .doc = "the flow table")),
};

static const struct schema_kind network_kind = {
	.name = "network", .path = "networks", .of_tenant = true, .check = schema_check_network,
	.doc = "an L2 segment of a tenant",
	.keys = KEYS(
		SCALAR("vni", uint, .required = true, .min = 1, .max = 16777215,
		       .doc = "its number on the wire, one network's alone"),
		LIST("subnets", prefix, .items_max = 64,
		     .doc = "where its addresses lie; none: anywhere"),
		SCALAR("mtu", uint, .min = 576, .max = 9216, .fallback = "1450",
		       .doc = "the largest packet of a workload"),
		LATER("dhcp", "what DHCP hands out")),
};

static const struct schema_kind port_kind = {
	.name = "port", .path = "ports", .of_tenant = true,
	.doc = "where a workload meets a network",
	.keys = KEYS(
		SCALAR("network", name, .required = true, .ref = "network", .doc = "its network"),
		SCALAR("host", name, .required = true, .ref = "host", .doc = "where it is"),
		SCALAR("device", device, .required = true, .doc = "the host's end of the wire"),
		SCALAR("vlan", uint, .min = 1, .max = 4094,
		       .doc = "the workload's frames carry this tag; without, they carry none"),
		SCALAR("mac", mac, .required = true, .doc = "the workload's MAC address"),
		LIST("addresses", address, .items_max = 64,
		     .doc = "the workload's addresses; it may send from no other"),
		SCALAR("mode", word, .words = MODES, .doc = "in place of the host's mode"),
		LATER("qos", "its rate limits")),
};

static const struct schema_kind group_kind = {
	.name = "group", .path = "groups", .of_tenant = true, .check = schema_check_group,
	.doc = "ports or prefixes that rules may name",
	.keys = KEYS(
		LIST("ports", name, .ref = "port", .doc = "its ports"),
		LIST("prefixes", prefix, .doc = "or its prefixes")),
};

#define ENDS WORDS(WORD("group"), WORD("port"), WORD("network"), WORD_LATER("peering"))

static const struct schema_kind acl_kind = {
	.name = "acl", .path = "acl", .of_tenant = true, .check = schema_check_acl, .doc = "a rule",
	.keys = KEYS(
		LIST("apply_to", ref, .items_min = 1,
		     .words = WORDS(WORD("port"), WORD("group"), WORD("network")),
		     .doc = "whose traffic it judges; without: every port of the tenant"),
		SCALAR("direction", word, .required = true, .words = WORDS(WORD("in"), WORD("out")),
		       .doc = "to the workload or from it"),
		SCALAR("priority", uint, .required = true, .min = 0, .max = 65535,
		       .doc = "the higher number wins; of equals, deny wins"),
		SCALAR("ethertype", ethertype, .doc = "the frame's"),
		SCALAR("protocol", protocol, .doc = "the packet's"),
		LIST("source", endpoint, .items_min = 1, .words = ENDS,
		     .doc = "where the flow comes from"),
		LIST("destination", endpoint, .items_min = 1, .words = ENDS,
		     .doc = "where it goes"),
		LIST("source_port", l4_ports, .items_min = 1, .doc = "of tcp, udp or sctp"),
		LIST("destination_port", l4_ports, .items_min = 1, .doc = "of tcp, udp or sctp"),
		SCALAR("icmp_type", uint, .min = 0, .max = 255, .doc = "of icmp or icmpv6"),
		SCALAR("icmp_code", uint, .min = 0, .max = 255, .doc = "of icmp or icmpv6"),
		LIST("tcp_flags", tcp_flag, .items_min = 1, .doc = "all of these must hold"),
		LIST("conntrack_state", word, .items_min = 1,
		     .words = WORDS(WORD("new"), WORD("established"), WORD("related"),
				    WORD("invalid")),
		     .doc = "any of these must hold"),
		SCALAR("action", word, .required = true,
		       .words = WORDS(WORD("allow"), WORD("deny"), WORD("reject")),
		       .doc = "reject answers with a RST or an ICMP error"),
		SCALAR("log", bool, .fallback = "false", .doc = "report each new flow"),
		SCALAR("stateless", bool, .fallback = "false",
		       .doc = "judge every packet, remember no flow"),
		SCALAR("chain", name, .ref = "chain",
		       .doc = "with allow: the chain that its flows take; no others do")),
};

/* Not configuration: what `acl check` asks about, in the words of rules. */
#define NUMBER(name_, max_, doc_) SCALAR(name_, uint, .min = 0, .max = (max_), .doc = (doc_))

static const struct schema_kind packet_kind = {
	.name = "packet", .check = schema_check_packet, .doc = "the first packet of a flow",
	.keys = KEYS(
		SCALAR("port", name, .ref = "port",
		       .doc = "ask the rules of this port alone; without, those of the ports that have source and destination"),
		SCALAR("direction", word, .words = WORDS(WORD("in"), WORD("out")),
		       .doc = "with port: to it or from it"),
		SCALAR("ethertype", ethertype, .doc = "of a frame that is not IP"),
		SCALAR("protocol", protocol, .doc = "of an IP packet"),
		SCALAR("source", endpoint, .words = WORDS(WORD("port")),
		       .doc = "an address, or a port that has one of the family"),
		SCALAR("destination", endpoint, .words = WORDS(WORD("port")), .doc = "likewise"),
		NUMBER("source_port", 65535, "without: 49152"),
		NUMBER("destination_port", 65535, "of tcp, udp or sctp"),
		NUMBER("icmp_type", 255, "without: an echo request"),
		NUMBER("icmp_code", 255, "without: 0"),
		NUMBER("icmp_id", 65535, "of a query or its answer, without: 0; rules do not ask for it"),
		LIST("tcp_flags", tcp_flag, .items_min = 1, .doc = "those that are set; without: syn"),
		SCALAR("conntrack_state", word, .words = WORDS(WORD("new"), WORD("invalid")),
		       .doc = "without: what the packet would have if it belonged to no flow")),
};

/* Not configuration either: which flows `ct` is about, in the words of rules. */
static const struct schema_kind ct_kind = {
	.name = "ct", .doc = "which flows: those that fit all that is given",
	.keys = KEYS(
		SCALAR("network", name, .ref = "network", .doc = "of this network"),
		SCALAR("port", name, .ref = "port", .doc = "from or to this port of this host"),
		SCALAR("direction", word, .words = WORDS(WORD("in"), WORD("out")),
		       .doc = "begun towards a port of this host, or by one; with port: by that one"),
		SCALAR("protocol", protocol, .doc = "of this protocol"),
		LIST("source", prefix, .items_min = 1, .doc = "begun from one of these addresses or prefixes"),
		LIST("destination", prefix, .items_min = 1, .doc = "begun towards one of these"),
		LIST("address", prefix, .items_min = 1, .doc = "with either end there"),
		LIST("source_port", l4_ports, .items_min = 1, .doc = "of the end that began it; of an ICMP query its id"),
		LIST("destination_port", l4_ports, .items_min = 1, .doc = "of the other end"),
		LIST("either_port", l4_ports, .items_min = 1, .doc = "of either end"),
		LIST("state", word, .items_min = 1,
		     .words = WORDS(WORD("syn_sent"), WORD("syn_recv"), WORD("established"),
				    WORD("fin_wait"), WORD("close_wait"), WORD("last_ack"),
				    WORD("time_wait"), WORD("closed"), WORD("init_sent"),
				    WORD("cookie_wait"), WORD("cookie_echoed"),
				    WORD("heartbeat_sent"), WORD("shutdown_sent"),
				    WORD("shutdown_received"), WORD("shutdown_ack_sent"),
				    WORD("new"), WORD("replied"), WORD("assured")),
		     .doc = "in one of these states"),
		SCALAR("half_open", bool, .doc = "handshakes that are not done, or all others"),
		SCALAR("proxied", bool, .doc = "connections that the SYN proxy carries, or all others"),
		LIST("verdict", word, .items_min = 1,
		     .words = WORDS(WORD("allow"), WORD("deny"), WORD("reject"), WORD("stale")),
		     .doc = "what was decided on the direction that began it; stale: is to be decided anew")),
};

static const struct schema_kind step_kind = {
	.name = "step", .lone = "function", .check = schema_check_step, .doc = "one function of a chain",
	.keys = KEYS(
		SCALAR("function", name, .required = true, .ref = "sf",
		       .doc = "the service function"),
		SCALAR("mode", word, .words = WORDS(WORD("inline"), WORD("tap")),
		       .fallback = "inline", .doc = "in the wire, or beside it: gets copies"),
		SCALAR("on_failure", word, .words = WORDS(WORD("closed"), WORD("open")),
		       .fallback = "closed", .doc = "drop while the function is dead, or skip it")),
};

static const struct schema_kind chain_kind = {
	.name = "chain", .path = "chains", .of_tenant = true,
	.doc = "the functions that inspected traffic passes",
	.keys = KEYS(
		SCALAR("tag", uint, .required = true, .min = 0, .max = 4094,
		       .doc = "the VLAN ID at the function, 0: no tag; with the function, this chain's alone"),
		SCALAR("existing", word,
		       .words = WORDS(WORD("insert"), WORD("keep"), WORD("reset")), .fallback = "insert",
		       .doc = "flows older than the chain on their wire: through it, without it, or ended"),
		{.name = "steps", .shape = SCHEMA_OBJECT_LIST, .object = &step_kind,
		 .required = true, .items_min = 1, .items_max = CHAIN_STEPS,
		 .doc = "in the order of leaving"},
		SCALAR("bypass", bool, .fallback = "false",
		       .doc = "pass by all functions, in an emergency"),
		SCALAR("mirror_order", bool, .fallback = "false",
		       .doc = "reverse the steps towards the workload")),
};

static const struct schema_kind insert_kind = {
	.name = "insert", .path = "insert", .of_tenant = true, .doc = "puts a chain into wires",
	.keys = KEYS(
		LIST("apply_to", ref, .required = true, .items_min = 1,
		     .words = WORDS(WORD("port"), WORD("group")), .doc = "whose wires"),
		SCALAR("chain", name, .required = true, .ref = "chain", .doc = "which chain")),
};

static const struct schema_kind tenant_body_kind = {
	.name = "tenant body", .block = true, .doc = "all that a tenant has",
	.keys = KEYS(
		OBJECT("options", tenant_kind, .doc = "of the whole tenant"),
		MAP("networks", network_kind, .doc = "L2 segments"),
		MAP("ports", port_kind, .doc = "workloads"),
		MAP("groups", group_kind, .doc = "names for rules"),
		MAP("chains", chain_kind, .doc = "functions to pass"),
		NAMED_LIST("acl", acl_kind, .doc = "rules"),
		NAMED_LIST("insert", insert_kind, .doc = "chains in wires"),
		LATER("routers", "L3 between networks"),
		LATER("nat", "address translation"),
		LATER("floating_ips", "outside addresses of workloads"),
		LATER("load_balancers", "L4 load balancing"),
		LATER("qos", "rate limits"),
		LATER("peerings", "traffic between tenants")),
};

static const struct schema_kind root_kind = {
	.name = "configuration", .block = true, .doc = "a whole configuration",
	.keys = KEYS(
		SCALAR("version", uint, .required = true, .min = 1, .max = 1,
		       .doc = "the version of this grammar: 1"),
		MAP("hosts", host_kind, .doc = "machines"),
		LATER("uplinks", "devices that face the outside"),
		MAP("service_functions", sf_kind, .doc = "inspection"),
		MAP("tenants", tenant_body_kind, .doc = "islands")),
};

const struct schema_kind *const schema_kinds[] = {
	&host_kind,  &sf_kind,	  &instance_kind, &tenant_kind, &network_kind, &port_kind,
	&group_kind, &chain_kind, &acl_kind,	  &insert_kind,
	&packet_kind, &ct_kind,	  NULL,
};

const struct schema_kind *schema_root(void)
{
	return &root_kind;
}

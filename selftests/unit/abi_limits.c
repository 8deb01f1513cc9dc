// SPDX-License-Identifier: BSD-2-Clause
/* Limits fit the fields that hold them, and drop reasons keep the numbers and names that they were released with. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "include/acl.h"
#include "include/base.h"
#include "include/chain.h"
#include "include/config.h"
#include "include/drop_reasons.h"
#include "include/flow.h"
#include "include/flow_table.h"
#include "include/fragment.h"
#include "include/port.h"

#define BITS_OF(type, member) (8 * sizeof(((struct type *)0)->member))
#define FITS(max, type, member) assert_true((__u64)(max) <= 1ULL << BITS_OF(type, member))

static void test_limits(void **state)
{
	(void)state;
	FITS(WEFT_NETWORKS_MAX, ct4_key, zone);
	FITS(WEFT_NETWORKS_MAX, ct6_key, zone);
	FITS(WEFT_NETWORKS_MAX, fragment_entry, zone);
	assert_true(EARLY_FRAMES <= BITS_OF(fragment_entry, early));
	FITS(WEFT_CHAINS_MAX, port, chain);
	FITS(WEFT_CHAINS_MAX, sf_return, chain);
	FITS(CHAIN_STEPS, sf_return, step);
	FITS(DROP_REASONS, flow_path, target);
	FITS(WEFT_PORTS_MAX, acl_entry, port);
	assert_true(WEFT_PORTS_MAX <= FLOW_TARGET_INDEX(~0u));
	assert_true(WEFT_HOSTS_MAX <= FLOW_TARGET_INDEX(~0u));
	assert_int_equal(FLOW_TARGET_KIND(FLOW_TARGET(TARGET_FLOOD, WEFT_PORTS_MAX - 1)), TARGET_FLOOD);
	assert_int_equal(FLOW_TARGET_INDEX(FLOW_TARGET(TARGET_FLOOD, WEFT_PORTS_MAX - 1)), WEFT_PORTS_MAX - 1);
	/* "network:" and a name, or the longest IPv6 prefix, NUL included */
	assert_true(RULE_REF_LEN > strlen("network:") + WEFT_NAME_LEN);
	assert_true(RULE_REF_LEN > strlen("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128"));
	/* "tenants/", a name, the longest kind of object, a name */
	assert_true(CONFIG_PATH_LEN > strlen("tenants//networks/") + 2 * WEFT_NAME_LEN);
	/* An IPv4 flow and its key have cache lines of their own: what is mapped into memory begins with a page. */
	assert_int_equal(sizeof(struct ct4_place) % 64, 0);
	assert_int_equal(FLOW_SPILLS + 1, BITS_OF(flow, spill));
}

/* ---- drop reasons ---- */

/*
 * As they were released: a number is never given to another reason, since history refers to it. New ones are
 * added here at the end.
 */
static const char *const released[] = {
	"none", "short_frame", "bad_vlan", "bad_arp", "bad_ipv4", "bad_ipv6", "bad_extension", "bad_l4",
	"fragment", "unknown_port", "vlan_not_allowed", "spoofed_mac", "spoofed_ipv4", "spoofed_ipv6",
	"spoofed_arp", "spoofed_nd", "router_advert", "neigh_unknown", "neigh_consumed", "network_unknown",
	"acl_in", "acl_out", "rejected", "ct_invalid", "ct_full", "ct_missing", "ct_tcp_state",
	"icmp_unrelated", "outer_bad", "vtep_unknown", "vni_unknown", "wrong_host", "not_here", "host_unknown",
	"no_route", "encap_failed", "decap_failed", "too_big", "port_unbound", "sf_unknown", "sf_untagged",
	"sf_no_flow", "sf_down", "guard", "same_port", "flood_failed", "link_local",
	"internal", "chain_reset", "sf_probe", "bad_checksum", "hidden_ip",
	"fragment_bad", "fragment_tiny", "fragment_overlap", "fragment_duplicate", "fragment_scattered",
	"fragment_early", "fragment_table", "outer_fragment",
	"reject_limited", "reject_silent",
	"ct_tcp_window", "ct_sctp_state", "ct_sctp_tag", "syn_cookie", "syn_proxy", "chain_no_flow",
	"tap_failed", "nsh_bad", "nsh_path", "nsh_index", "nsh_mac", "nsh_copies",
};

static const struct {
	const char *id, *name, *text;
} reasons[] = {
#define X(id, name, text) { #id, name, text },
	WEFT_DROP_REASONS(X)
#undef X
};

static void test_drop_reasons(void **state)
{
	size_t n = sizeof(reasons) / sizeof(reasons[0]);

	(void)state;
	assert_int_equal(n, DROP_REASONS);
	if (n != sizeof(released) / sizeof(released[0]))
		fail_msg("%zu drop reasons, and %zu released: add new ones at the end of both lists", n,
			 sizeof(released) / sizeof(released[0]));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(reasons[i].name, released[i]);
		assert_true(reasons[i].text[0] != '\0');
		/* The name is the identifier in small letters. */
		assert_int_equal(strcasecmp(reasons[i].id, reasons[i].name), 0);
		for (const char *p = reasons[i].name; *p; p++)
			assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(reasons[i].name, reasons[j].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_drop_reasons),
	};

	return cmocka_run_group_tests_name("abi_limits", tests, NULL, NULL);
}

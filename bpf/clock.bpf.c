/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Not a hook: what time it is for flows, asked by the command with BPF_PROG_TEST_RUN. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "include/acl.h"
#include "include/chain.h"
#include "include/config.h"
#include "include/device.h"
#include "include/flow_event.h"
#include "include/fragment.h"
#include "include/host.h"
#include "include/port.h"
#include "include/probe.h"

/*
 * The maps that the loader makes itself take the types of their keys and values from this object's BTF, so
 * that `bpftool map dump` shows names. clang writes only types that something refers to.
 */
#define SHOW(type) const struct type *show_##type __attribute__((unused))
SHOW(abi);
SHOW(config_key);
SHOW(config_value);
SHOW(ct4_bucket);
SHOW(ct6_bucket);
SHOW(ct4_key);
SHOW(ct6_key);
SHOW(flow);
SHOW(rule_key);
SHOW(rule);
SHOW(device_key);
SHOW(device);
SHOW(fragment_set);
SHOW(early_key);
SHOW(early_frame);
SHOW(event);	/* for readers of the ring buffers, which have no types of their own */
SHOW(flow_event);
SHOW(probe_body);	/* on the wire alone */
const union acl_slot *show_acl_slot __attribute__((unused));
const union acl_cell *show_acl_cell __attribute__((unused));

struct clock_reading {
	__u64 jiffies;
	__u64 boottime_ns;
};

SEC("syscall") int clock(struct clock_reading *now)
{
	now->jiffies = bpf_jiffies64();
	now->boottime_ns = bpf_ktime_get_boot_ns();
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";

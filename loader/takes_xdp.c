// SPDX-License-Identifier: BSD-2-Clause
/*
 * Does a frame that XDP redirects to a device arrive? On a veth only if the peer has NAPI (GRO on, or an XDP program
 * on it); else the kernel drops the frame without a word to the sender. So one frame is sent and the driver's count
 * of frames handed to the peer is read before and after.
 */
#include <bpf/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "include/probe.h"
#include "loader/attach.h"
#include "loader/netlink.h"

/* Of an ethertype for local experiments (IEEE 802), from and to made-up local MACs: any stack ignores it. */
static const struct {
	__u8 to[ETH_ALEN], from[ETH_ALEN], type[2];
	struct probe_body body;
	__u8 rest[64 - 2 * ETH_ALEN - 2 - sizeof(struct probe_body)];
} __attribute__((packed)) frame = {
	.to = PROBE_MAC_WORKLOAD,
	.from = PROBE_MAC_NETWORK,
	.type = { PROBE_ETHERTYPE >> 8, PROBE_ETHERTYPE & 0xff },
	.body = { .magic = PROBE_MAGIC },
};

/* return bpf_redirect(ifindex, 0) */
static int load_redirect(unsigned int ifindex)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = (int)ifindex },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "weft_probe", "GPL", program,
			     sizeof(program) / sizeof(program[0]), NULL);
}

static bool send_frame(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame, .data_size_in = sizeof(frame),
		    .repeat = 1, .batch_size = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int fd = load_redirect(ifindex);
	bool sent;

	if (fd < 0)
		return false;
	sent = !bpf_prog_test_run_opts(fd, &opts);
	close(fd);
	return sent;
}

static int ethtool(const char *device, void *command)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;
	struct ifreq request = { .ifr_data = command };

	memcpy(request.ifr_name, device, strnlen(device, IFNAMSIZ - 1));
	err = fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0;
	if (fd >= 0)
		close(fd);
	return err;
}

/* "tx_queue_0_xdp_xmit" and its like: frames that the peer's queues took from this device. */
static bool counts_taken(const char *name)
{
	static const char tail[] = "_xdp_xmit";
	size_t len = strnlen(name, ETH_GSTRING_LEN);

	return !strncmp(name, "tx_queue_", 9) && len > sizeof(tail) &&
	       !strncmp(name + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
}

static bool count_taken(const char *device, unsigned long long *taken)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_gstrings *names = NULL;
	struct ethtool_stats *values = NULL;
	bool found = false;

	*taken = 0;
	if (ethtool(device, &driver) || !driver.n_stats)
		return false;
	names = calloc(1, sizeof(*names) + driver.n_stats * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + driver.n_stats * sizeof(__u64));
	if (names && values) {
		*names =
			(struct ethtool_gstrings){ ETHTOOL_GSTRINGS, ETH_SS_STATS, driver.n_stats };
		*values = (struct ethtool_stats){ ETHTOOL_GSTATS, driver.n_stats };
		found = !ethtool(device, names) && !ethtool(device, values);
	}
	for (__u32 i = 0; found && i < driver.n_stats; i++)
		if (counts_taken((char *)names->data + i * ETH_GSTRING_LEN))
			*taken += values->data[i];
	free(names);
	free(values);
	return found;
}

bool device_takes_xdp(const struct root *root, const char *device)
{
	unsigned long long before, after;
	struct nl_xdp_features features;
	struct nl_link link;

	(void)root;
	if (nl_link_get(device, &link) || !link.up)
		return false;
	/* Other drivers say themselves whether they send what XDP redirects; kernels before 6.3 do not tell. */
	if (strcmp(link.kind, "veth"))
		return !nl_xdp_features(link.ifindex, &features) &&
		       features.actions & NL_XDP_NDO_XMIT;
	return count_taken(device, &before) && send_frame(link.ifindex) &&
	       count_taken(device, &after) && after > before;
}

// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "judge.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define SYSCTL_CONNTRACK "/proc/sys/net/netfilter/nf_conntrack_"
#define PATIENCE_MS      2000

struct judge {
	int space; /* its network namespace */
	int socket[2]; /* A's and B's device */
	uint32_t frames;
};

/* "a" and "b" are where A and B are; "ja" and "jb" the forwarder's ends. */
static const char set_up[] =
	"for d in a b; do\n"
	"	ip link add name $d type veth peer name j$d || exit 1\n"
	"	ip link set dev j$d address 02:00:00:00:01:0$d || exit 1\n"
	"	ip link set dev j$d up && ip link set dev $d up || exit 1\n"
	"done\n"
	"cd /proc/sys/net || exit 1\n"
	"echo 1 > ipv4/ip_forward && echo 1 > ipv6/conf/all/forwarding || exit 1\n"
	"for d in all ja jb; do echo 0 > ipv4/conf/$d/rp_filter; done\n"
	"ip route add 10.0.1.1/32 dev ja && ip route add 10.0.1.2/32 dev jb || exit 1\n"
	"ip route add fd00:1::1/128 dev ja && ip route add fd00:1::2/128 dev jb || exit 1\n"
	"for a in 10.0.1 fd00:1:; do\n"
	"	s=.; [ $a = 10.0.1 ] || s=:\n"
	"	ip neigh add $a${s}1 lladdr 02:00:00:00:00:0a dev ja nud permanent || exit 1\n"
	"	ip neigh add $a${s}2 lladdr 02:00:00:00:00:0b dev jb nud permanent || exit 1\n"
	"done\n"
	"nft 'table inet judge { chain f { type filter hook forward priority 0; ct state invalid drop; }; }'";

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), failed;

	if (fd < 0)
		return -1;
	failed = write(fd, text, strlen(text)) < 0;
	close(fd);
	return failed ? -1 : 0;
}

static int listen_on(const char *device)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = if_nametoindex(device) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)), on = 1;

	if (fd < 0 || !address.sll_ifindex ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		fail_msg("no packet socket on %s: %s", device, strerror(errno));
	return fd;
}

static const char *enter_and_set_up(struct judge *j)
{
	if (unshare(CLONE_NEWNET))
		fail_msg("no network namespace for the judge: %s", strerror(errno));
	j->space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (system("command -v nft > /dev/null"))
		return "nftables is not installed";
	if (access(SYSCTL_CONNTRACK "tcp_loose", F_OK))
		return "this kernel has no nf_conntrack";
	if (system(set_up))
		return "this kernel's nftables has no ct";
	if (write_text(SYSCTL_CONNTRACK "tcp_loose", "0") ||
	    write_text(SYSCTL_CONNTRACK "tcp_be_liberal", "0"))
		return "nf_conntrack cannot be set";
	j->socket[0] = listen_on("a");
	j->socket[1] = listen_on("b");
	return NULL;
}

struct judge *judge_open(const char **why)
{
	static struct judge judge;
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	*why = enter_and_set_up(&judge);
	if (home < 0 || setns(home, CLONE_NEWNET))
		fail_msg("no way back from the judge: %s", strerror(errno));
	close(home);
	return *why ? NULL : &judge;
}

static void in_judge(struct judge *j, void (*act)(const void *), const void *arg)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (setns(j->space, CLONE_NEWNET))
		fail_msg("the judge's namespace: %s", strerror(errno));
	act(arg);
	if (setns(home, CLONE_NEWNET))
		fail_msg("no way back from the judge: %s", strerror(errno));
	close(home);
}

struct setting {
	const char *name;
	uint32_t value;
};

static void set(const void *arg)
{
	const struct setting *s = arg;
	char path[128], text[16];

	snprintf(path, sizeof(path), SYSCTL_CONNTRACK "%s", s->name);
	snprintf(text, sizeof(text), "%u", s->value);
	if (write_text(path, text))
		fail_msg("%s: %s", path, strerror(errno));
}

void judge_set(struct judge *j, const char *name, uint32_t value)
{
	in_judge(j, set, &(struct setting){ name, value });
}

void judge_set_loose(struct judge *j, bool loose)
{
	judge_set(j, "tcp_loose", loose);
}

static void let_a_begin(const void *arg)
{
	(void)arg;
	/* But for the marker. */
	if (system("nft add rule inet judge f iifname jb ct state new meta l4proto != udp drop &&"
		   "nft add rule inet judge f iifname jb ct state new udp dport != 9 drop"))
		fail_msg("nft does not take a rule");
}

void judge_let_a_begin(struct judge *j)
{
	in_judge(j, let_a_begin, NULL);
}

static void send_frame(struct judge *j, bool from_a, const struct frame *f)
{
	struct frame to_forwarder = *f;

	memcpy(to_forwarder.data, "\2\0\0\0\1", 5);
	to_forwarder.data[5] = from_a ? 0xa : 0xb;
	if (send(j->socket[from_a ? 0 : 1], to_forwarder.data, f->len, 0) != (ssize_t)f->len)
		fail_msg("a frame to the judge: %s", strerror(errno));
}

/* Comes after the frame on the same way, and always arrives. */
static struct frame marker(struct judge *j, bool from_a)
{
	struct frame f = packet_frame((struct packet){ from_a ? 1 : 2, from_a ? 2 : 1, 4, UDP, 9, 9, .payload = 18 });

	memcpy(f.data + 42, &j->frames, sizeof(j->frames));
	/* Its checksum is none. */
	f.data[40] = f.data[41] = 0;
	return f;
}

static bool same_l4(const struct frame *f, const uint8_t *got, ssize_t len)
{
	uint32_t l4 = f->data[12] == 0x08 ? 34 : 54;

	return len >= (ssize_t)f->len && !memcmp(got + 12, f->data + 12, 3) &&
	       !memcmp(got + l4, f->data + l4, f->len - l4);
}

bool judge_passes(struct judge *j, bool from_a, const struct frame *f)
{
	struct pollfd other = { .fd = j->socket[from_a ? 1 : 0], .events = POLLIN };
	struct frame end;
	uint8_t got[FRAME_MAX];
	bool passed = false;

	j->frames++;
	send_frame(j, from_a, f);
	end = marker(j, from_a);
	send_frame(j, from_a, &end);
	for (;;) {
		ssize_t len;

		if (poll(&other, 1, PATIENCE_MS) <= 0)
			fail_msg("the judge does not forward");
		len = recv(other.fd, got, sizeof(got), 0);
		if (same_l4(&end, got, len))
			return passed;
		passed |= same_l4(f, got, len);
	}
}

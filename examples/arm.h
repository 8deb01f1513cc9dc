/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An arm of a small service function: a packet socket on a device, by which frames come in and go out as they are, VLAN tag and PCP
 * included. The kernel hands a tag over beside the frame (PACKET_AUXDATA), so it is put back in place before the frame goes
 * out. PACKET_VNET_HDR carries unfinished checksums and super-packets through as they are.
 */
#ifndef EXAMPLES_ARM_H
#define EXAMPLES_ARM_H

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ARMS 2
#define MAX_FRAME (128 * 1024)
#define TAG_AT 12 /* behind the two MAC addresses */
#define TAG_BYTES 4
#define BURST 64 /* frames of one arm before the other has its turn */
#define UNTAGGED 0x10000

struct arm {
	int fd, out_ifindex;
};

struct frame {
	struct virtio_net_hdr hdr;
	size_t len;
	unsigned int tci; /* or UNTAGGED */
	__u8 bytes[MAX_FRAME];
};

static const char *program; /* its name, for messages */
static volatile sig_atomic_t stop, report;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		report = 1;
	else
		stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program, what, strerror(errno));
	exit(1);
}

static void on_option(int fd, int option, const char *name)
{
	int one = 1;

	if (setsockopt(fd, SOL_PACKET, option, &one, sizeof(one)))
		die(name);
}

static void be_promiscuous(int fd, int ifindex)
{
	struct packet_mreq all = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };

	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)))
		die("promiscuous mode");
}

static int open_device(const char *device, int *ifindex)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), room = 16 << 20;

	if (fd < 0)
		die("socket");
	*ifindex = at.sll_ifindex = if_nametoindex(device);
	if (!*ifindex)
		die(device);
	on_option(fd, PACKET_VNET_HDR, "PACKET_VNET_HDR");
	on_option(fd, PACKET_AUXDATA, "PACKET_AUXDATA");
	on_option(fd, PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (bind(fd, (void *)&at, sizeof(at)))
		die(device);
	be_promiscuous(fd, *ifindex);
	return fd;
}

static void restore_tag(struct frame *f, const struct tpacket_auxdata *aux)
{
	bool named = aux->tp_status & TP_STATUS_VLAN_TPID_VALID;
	__be16 tag[2] = { htons(named ? aux->tp_vlan_tpid : ETH_P_8021Q), htons(aux->tp_vlan_tci) };

	memmove(f->bytes + TAG_AT + TAG_BYTES, f->bytes + TAG_AT, f->len - TAG_AT);
	memcpy(f->bytes + TAG_AT, tag, TAG_BYTES);
	f->len += TAG_BYTES;
	f->tci = aux->tp_vlan_tci;
	if (f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		f->hdr.csum_start += TAG_BYTES;
	if (f->hdr.gso_type)
		f->hdr.hdr_len += TAG_BYTES;
}

static bool receive(int fd, struct frame *f)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov[] = { { &f->hdr, sizeof(f->hdr) }, { f->bytes, MAX_FRAME - TAG_BYTES } };
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, 0);
	struct tpacket_auxdata aux;
	struct cmsghdr *c;

	if (n < (ssize_t)(sizeof(f->hdr) + ETH_HLEN))
		return false;
	f->len = n - sizeof(f->hdr);
	f->tci = UNTAGGED;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (aux.tp_status & TP_STATUS_VLAN_VALID)
			restore_tag(f, &aux);
	}
	return true;
}

struct tcp_place {
	size_t ip, l4, payload; /* offsets; payload is that of the frame's end if there is none */
	bool six;
};

/* Where the frame's TCP segment is; false: it is none, or only a part of one. */
static bool find_tcp(const struct frame *f, struct tcp_place *t)
{
	const __u8 *b = f->bytes;
	size_t at = TAG_AT;
	int type, protocol;

	while (at + 2 <= f->len && ((type = b[at] << 8 | b[at + 1]) == ETH_P_8021Q || type == ETH_P_8021AD))
		at += TAG_BYTES;
	at += 2;
	if (at + 40 > f->len || (type != ETH_P_IP && type != ETH_P_IPV6))
		return false;
	t->ip = at;
	t->six = type == ETH_P_IPV6;
	t->l4 = at + (t->six ? 40 : (b[at] & 0xf) * 4);
	protocol = t->six ? b[at + 6] : b[at + 9];
	if (protocol != IPPROTO_TCP || t->l4 + 20 > f->len || (!t->six && ((b[at + 6] & 0x3f) || b[at + 7])))
		return false;
	t->payload = t->l4 + (b[t->l4 + 12] >> 4) * 4;
	return t->payload <= f->len;
}

static bool transmit(const struct arm *arm, struct frame *f)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = arm->out_ifindex };
	struct iovec iov[] = { { &f->hdr, sizeof(f->hdr) }, { f->bytes, f->len } };
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = iov,
		.msg_iovlen = 2,
	};
	struct pollfd room = { .fd = arm->fd, .events = POLLOUT };

	f->hdr.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM; /* "data valid" is the receiver's word only */
	while (sendmsg(arm->fd, &msg, 0) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS)
			return false;
		if (stop || poll(&room, 1, 10) < 0)
			return false;
	}
	return true;
}

/* Opens the devices, says so, and gives each frame to `work`, with the number of the arm that it came in by, until it is stopped. */
static void run_arms(char *const *devices, int n, void (*work)(const struct arm *arm, int number, struct frame *f),
		     void (*print)(void))
{
	struct sigaction act = { .sa_handler = on_signal };
	struct pollfd ready[ARMS];
	struct arm arms[ARMS];
	static struct frame f;
	int ifindex[ARMS], i, k;

	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	for (i = 0; i < n; i++)
		arms[i].fd = open_device(devices[i], &ifindex[i]);
	for (i = 0; i < n; i++) {
		arms[i].out_ifindex = ifindex[n - 1 - i];
		ready[i] = (struct pollfd){ .fd = arms[i].fd, .events = POLLIN };
	}
	puts("ready");
	fflush(stdout);
	while (!stop) {
		if (report) {
			report = 0;
			print();
		}
		if (poll(ready, n, 1000) <= 0)
			continue;
		for (i = 0; i < n; i++)
			for (k = 0; ready[i].revents && k < BURST && receive(arms[i].fd, &f); k++)
				work(&arms[i], i, &f);
	}
	print();
}

#endif

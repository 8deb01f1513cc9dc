// SPDX-License-Identifier: BSD-2-Clause
/*
 * capture DEVICE FILE: writes every frame of a device to a pcap file, both directions, until
 * SIGTERM or SIGINT.
 *
 * Unlike tcpdump it finishes the checksums that the kernel itself says are unfinished
 * (PACKET_VNET_HDR gives their place), as a NIC would, and puts an out-of-band VLAN tag back. So
 * whatever is still wrong in the file would have been wrong on the wire. A super-packet is finished
 * as the one large frame that it is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define UDP_CHECKSUM 6 /* its offset in the header (RFC 768) */
#define SNAP (256 * 1024)
#define VLAN_AT 12

static volatile sig_atomic_t stop;

struct pcap_file {
	__u32 magic;
	__u16 major, minor;
	__u32 zone, sigfigs, snap, link;
};

struct pcap_frame {
	__u32 seconds, nanoseconds, captured, length;
};

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "capture: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_device(const char *device)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct timeval patience = { .tv_usec = 100000 };
	int one = 1, room = 64 << 20, fd;

	at.sll_ifindex = if_nametoindex(device);
	if (!at.sll_ifindex)
		die(device);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("setsockopt");
	if (bind(fd, (void *)&at, sizeof(at)))
		die("bind");
	return fd;
}

static void finish_checksum(__u8 *frame, size_t len, const struct virtio_net_hdr *hdr)
{
	size_t at = hdr->csum_start, field = at + hdr->csum_offset;
	__u32 sum = 0;

	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || field + 2 > len)
		return;
	for (; at + 1 < len; at += 2)
		sum += frame[at] << 8 | frame[at + 1];
	if (at < len)
		sum += frame[at] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	if (!sum && hdr->csum_offset == UDP_CHECKSUM)
		sum = 0xffff; /* zero means "none" there */
	frame[field] = sum >> 8;
	frame[field + 1] = sum;
}

static size_t restore_tag(__u8 *frame, size_t len, struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;
		__be16 tag[2];

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID) || len < VLAN_AT)
			continue;
		tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid
									 : ETH_P_8021Q);
		tag[1] = htons(aux.tp_vlan_tci);
		memmove(frame + VLAN_AT + 4, frame + VLAN_AT, len - VLAN_AT);
		memcpy(frame + VLAN_AT, tag, 4);
		len += 4;
	}
	return len;
}

/* When the kernel got it: by this, files of several devices tell in which order a frame passed them. */
static struct timespec arrival(struct msghdr *msg)
{
	struct timespec at = { 0 };
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&at, CMSG_DATA(c), sizeof(at));
	return at;
}

static void write_frame(FILE *out, struct timespec at, const __u8 *frame, size_t len)
{
	struct pcap_frame head = { at.tv_sec, at.tv_nsec, len, len };

	fwrite(&head, sizeof(head), 1, out);
	fwrite(frame, len, 1, out);
}

static int receive(int fd, FILE *out, struct timespec *at)
{
	static __u8 frame[SNAP + 4];
	char control[256];
	struct virtio_net_hdr hdr;
	struct iovec iov[] = { { &hdr, sizeof(hdr) }, { frame, SNAP } };
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = 2,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, 0);
	size_t len;

	if (n < (ssize_t)sizeof(hdr))
		return 0;
	len = n - sizeof(hdr);
	finish_checksum(frame, len, &hdr);
	len = restore_tag(frame, len, &msg);
	*at = arrival(&msg);
	write_frame(out, *at, frame, len);
	return 1;
}

static int is_before(const struct timespec *at, const struct timespec *end)
{
	return at->tv_sec < end->tv_sec || (at->tv_sec == end->tv_sec && at->tv_nsec < end->tv_nsec);
}

int main(int argc, char **argv)
{
	struct pcap_file head = {
		.magic = 0xa1b23c4d, .major = 2, .minor = 4, .snap = SNAP, .link = 1
	};
	struct sigaction act = { .sa_handler = on_signal };
	struct timespec at, end;
	FILE *out;
	int fd;

	if (argc != 3) {
		fputs("usage: capture DEVICE FILE\n", stderr);
		return 1;
	}
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	fd = open_device(argv[1]);
	out = fopen(argv[2], "w");
	if (!out)
		die(argv[2]);
	fwrite(&head, sizeof(head), 1, out);
	puts("ready");
	fflush(stdout);
	while (!stop)
		receive(fd, out, &at);
	/* What had arrived before the signal, however late we get the processor. */
	clock_gettime(CLOCK_REALTIME, &end);
	while (receive(fd, out, &at) && is_before(&at, &end))
		;
	return fclose(out) ? 1 : 0;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * content_filter: a small service function. Drops TCP segments whose payload contains one of its
 * patterns, and lets all else pass untouched, VLAN tag and PCP included.
 *
 *   content_filter [-p PATTERN]... DEVICE            one arm: what enters leaves by the same device
 *   content_filter [-p PATTERN]... DEVICE DEVICE2    two arms: what enters one leaves by the other
 *
 * Prints a line for each VLAN ID and PCP that it has seen, on SIGUSR1 and at its end.
 *
 * How it keeps frames intact: the kernel hands a VLAN tag over beside the frame (PACKET_AUXDATA),
 * so it is put back in place before the frame goes out. PACKET_VNET_HDR carries unfinished checksums
 * and super-packets through as they are. It reads segments, not streams: a pattern cut in two by a
 * segment's end passes.
 */
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
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ARMS 2
#define PATTERNS 16
#define MAX_FRAME (128 * 1024)
#define TAG_AT 12 /* behind the two MAC addresses */
#define TAG_BYTES 4
#define BURST 64 /* frames of one arm before the other has its turn */
#define UNTAGGED 0x10000

struct counters {
	unsigned long frames, dropped, lost;
};

struct arm {
	int fd, out_ifindex;
};

struct frame {
	struct virtio_net_hdr hdr;
	size_t len;
	unsigned int tci; /* or UNTAGGED */
	__u8 bytes[MAX_FRAME];
};

static const char *patterns[PATTERNS];
static int n_patterns;
static struct counters seen[UNTAGGED + 1]; /* by tag control information */
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
	fprintf(stderr, "content_filter: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void print_counters(void)
{
	unsigned int tci;

	for (tci = 0; tci <= UNTAGGED; tci++) {
		const struct counters *c = &seen[tci];

		if (!c->frames)
			continue;
		if (tci == UNTAGGED)
			printf("untagged frames=%lu dropped=%lu lost=%lu\n", c->frames, c->dropped,
			       c->lost);
		else
			printf("vid=%u pcp=%u dei=%u frames=%lu dropped=%lu lost=%lu\n",
			       tci & 0xfff, tci >> 13, tci >> 12 & 1, c->frames, c->dropped,
			       c->lost);
	}
	fflush(stdout);
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

/* The offset of the TCP payload, or 0. */
static size_t tcp_payload(const struct frame *f)
{
	const __u8 *b = f->bytes;
	size_t at = TAG_AT, l4;
	int type, protocol;

	while (at + 2 <= f->len &&
	       ((type = b[at] << 8 | b[at + 1]) == ETH_P_8021Q || type == ETH_P_8021AD))
		at += TAG_BYTES;
	at += 2;
	if (at + 40 > f->len)
		return 0;
	if (type == ETH_P_IP) {
		l4 = at + (b[at] & 0xf) * 4;
		protocol = b[at + 9];
	} else if (type == ETH_P_IPV6) {
		l4 = at + 40;
		protocol = b[at + 6];
	} else {
		return 0;
	}
	if (protocol != IPPROTO_TCP || l4 + 20 > f->len)
		return 0;
	l4 += (b[l4 + 12] >> 4) * 4;
	return l4 < f->len ? l4 : 0;
}

static bool forbidden(const struct frame *f)
{
	size_t payload = tcp_payload(f);
	int i;

	for (i = 0; payload && i < n_patterns; i++)
		if (memmem(f->bytes + payload, f->len - payload, patterns[i], strlen(patterns[i])))
			return true;
	return false;
}

static bool transmit(int fd, int ifindex, struct frame *f)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	struct iovec iov[] = { { &f->hdr, sizeof(f->hdr) }, { f->bytes, f->len } };
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = iov,
		.msg_iovlen = 2,
	};
	struct pollfd room = { .fd = fd, .events = POLLOUT };

	f->hdr.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM; /* "data valid" is the receiver's word only */
	while (sendmsg(fd, &msg, 0) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS)
			return false;
		if (stop || poll(&room, 1, 10) < 0)
			return false;
	}
	return true;
}

static void pass_frames(const struct arm *arm)
{
	static struct frame f;
	int i;

	for (i = 0; i < BURST && receive(arm->fd, &f); i++) {
		struct counters *c = &seen[f.tci];

		c->frames++;
		if (forbidden(&f))
			c->dropped++;
		else if (!transmit(arm->fd, arm->out_ifindex, &f))
			c->lost++;
	}
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:")) != -1) {
		if (c != 'p' || n_patterns == PATTERNS)
			break;
		patterns[n_patterns++] = optarg;
	}
	if (c != -1 || argc - optind < 1 || argc - optind > ARMS) {
		fputs("usage: content_filter [-p PATTERN]... DEVICE [DEVICE2]\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct pollfd ready[ARMS];
	struct arm arms[ARMS];
	int ifindex[ARMS], n, i;

	parse(argc, argv);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	n = argc - optind;
	for (i = 0; i < n; i++)
		arms[i].fd = open_device(argv[optind + i], &ifindex[i]);
	for (i = 0; i < n; i++) {
		arms[i].out_ifindex = ifindex[n - 1 - i];
		ready[i] = (struct pollfd){ .fd = arms[i].fd, .events = POLLIN };
	}
	puts("ready");
	fflush(stdout);
	while (!stop) {
		if (report) {
			report = 0;
			print_counters();
		}
		if (poll(ready, n, 1000) <= 0)
			continue;
		for (i = 0; i < n; i++)
			if (ready[i].revents)
				pass_frames(&arms[i]);
	}
	print_counters();
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * xsk_echo: a small service function by AF_XDP sockets (docs.kernel.org/networking/af_xdp.html): lets everything pass, frames go
 * through this process. By hand, without libxdp, in copy mode, which every device has.
 *
 *   xsk_echo DEVICE             one arm: every frame goes back out of the device it came in by
 *   xsk_echo DEVICE DEVICE2     two arms: what enters one leaves by the other
 *
 * Prints a line for each VLAN ID and PCP that it has seen, and how many frames it lost, on SIGUSR1 and at its end. It needs tags in
 * the frame, as on a wire; a veth keeps them beside it, unless the other end cannot, which `offloads: finish` sees to. The first
 * receive queue is the only one that it reads.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "examples/tags.h"

#define ARMS 2
#define FRAMES 2048 /* of one arm's memory, a power of two */
#define FRAME_SIZE 4096
#define BURST 64

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

/* One of the four rings of a socket, mapped; the kernel is at its other end. */
struct ring {
	__u32 *producer, *consumer;
	void *entries; /* addresses, or descriptors */
	__u32 cached;
};

struct arm {
	int fd, ifindex;
	__u8 *memory;
	struct ring fill, completed, received, sent;
	__u64 spare[FRAMES]; /* frames that nobody has at the moment */
	__u32 n_spare;
};

static volatile sig_atomic_t stop, report;
static unsigned long lost;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		report = 1;
	else
		stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "xsk_echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void print_counters(void)
{
	tags_print();
	printf("lost=%lu\n", lost);
	fflush(stdout);
}

/* ---- the program: to the socket of the queue, else to the stack ---- */

static int load_program(int sockets)
{
	const struct bpf_insn program[] = {
		/* bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS) */
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1, .off = 16 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = sockets },
		{ .code = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "xsk_echo", "GPL", program, sizeof(program) / sizeof(program[0]), NULL);
}

static void attach(const struct arm *arm)
{
	int sockets = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "xsk_echo", 4, 4, 64, NULL), zero = 0;
	int program = sockets < 0 ? -1 : load_program(sockets);
	LIBBPF_OPTS(bpf_link_create_opts, options);

	if (program < 0 || bpf_map_update_elem(sockets, &zero, &arm->fd, BPF_ANY))
		die("the program");
	/* The link goes with this process. */
	if (bpf_link_create(program, arm->ifindex, BPF_XDP, &options) < 0)
		die("attach");
}

/* ---- rings ---- */

static void map_ring(int fd, struct ring *r, __u64 page, const struct xdp_ring_offset *at, size_t entry)
{
	size_t size = at->desc + FRAMES * entry;
	__u8 *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)page);

	if (start == MAP_FAILED)
		die("a ring");
	r->producer = (__u32 *)(start + at->producer);
	r->consumer = (__u32 *)(start + at->consumer);
	r->entries = start + at->desc;
}

static bool take(struct ring *r, __u32 *at)
{
	if (r->cached == __atomic_load_n(r->producer, __ATOMIC_ACQUIRE))
		return false;
	*at = r->cached++ & (FRAMES - 1);
	return true;
}

static void taken(struct ring *r)
{
	__atomic_store_n(r->consumer, r->cached, __ATOMIC_RELEASE);
}

/* Where the next entry goes; a ring has room for all frames that there are. */
static __u32 give(struct ring *r)
{
	return r->cached++ & (FRAMES - 1);
}

static void given(struct ring *r)
{
	__atomic_store_n(r->producer, r->cached, __ATOMIC_RELEASE);
}

static void option(int fd, int name, const void *value, socklen_t size, const char *what)
{
	if (setsockopt(fd, SOL_XDP, name, value, size))
		die(what);
}

/* Half of the frames wait for what comes in, the other half carries what goes out. */
static void open_arm(struct arm *arm, const char *device)
{
	struct xdp_umem_reg memory = { .len = (__u64)FRAMES * FRAME_SIZE, .chunk_size = FRAME_SIZE };
	struct sockaddr_xdp there = { .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY };
	struct xdp_mmap_offsets at;
	socklen_t size = sizeof(at);
	int room = FRAMES;

	there.sxdp_ifindex = if_nametoindex(device);
	arm->ifindex = (int)there.sxdp_ifindex;
	arm->fd = socket(AF_XDP, SOCK_RAW, 0);
	if (!arm->ifindex || arm->fd < 0)
		die(device);
	arm->memory = mmap(NULL, memory.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arm->memory == MAP_FAILED)
		die("memory");
	memory.addr = (__u64)(unsigned long)arm->memory;
	option(arm->fd, XDP_UMEM_REG, &memory, sizeof(memory), "XDP_UMEM_REG");
	option(arm->fd, XDP_UMEM_FILL_RING, &room, sizeof(room), "XDP_UMEM_FILL_RING");
	option(arm->fd, XDP_UMEM_COMPLETION_RING, &room, sizeof(room), "XDP_UMEM_COMPLETION_RING");
	option(arm->fd, XDP_RX_RING, &room, sizeof(room), "XDP_RX_RING");
	option(arm->fd, XDP_TX_RING, &room, sizeof(room), "XDP_TX_RING");
	if (getsockopt(arm->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size))
		die("XDP_MMAP_OFFSETS");
	map_ring(arm->fd, &arm->fill, XDP_UMEM_PGOFF_FILL_RING, &at.fr, sizeof(__u64));
	map_ring(arm->fd, &arm->completed, XDP_UMEM_PGOFF_COMPLETION_RING, &at.cr, sizeof(__u64));
	map_ring(arm->fd, &arm->received, XDP_PGOFF_RX_RING, &at.rx, sizeof(struct xdp_desc));
	map_ring(arm->fd, &arm->sent, XDP_PGOFF_TX_RING, &at.tx, sizeof(struct xdp_desc));
	for (__u64 i = 0; i < FRAMES / 2; i++) {
		((__u64 *)arm->fill.entries)[give(&arm->fill)] = i * FRAME_SIZE;
		arm->spare[arm->n_spare++] = (FRAMES / 2 + i) * FRAME_SIZE;
	}
	given(&arm->fill);
	if (bind(arm->fd, (struct sockaddr *)&there, sizeof(there)))
		die("bind");
	attach(arm);
}

/* ---- from one arm to the other ---- */

static void collect_sent(struct arm *arm)
{
	__u32 at;

	while (take(&arm->completed, &at))
		arm->spare[arm->n_spare++] = ((__u64 *)arm->completed.entries)[at];
	taken(&arm->completed);
}

static void send_frame(struct arm *arm, const __u8 *bytes, __u32 len)
{
	struct xdp_desc *d;
	__u64 at;

	if (!arm->n_spare) {
		lost++;
		return;
	}
	at = arm->spare[--arm->n_spare];
	memcpy(arm->memory + at, bytes, len);
	d = &((struct xdp_desc *)arm->sent.entries)[give(&arm->sent)];
	*d = (struct xdp_desc){ .addr = at, .len = len };
}

static void pass(struct arm *in, struct arm *out)
{
	__u32 at;

	collect_sent(out);
	for (int i = 0; i < BURST && take(&in->received, &at); i++) {
		const struct xdp_desc *d = &((struct xdp_desc *)in->received.entries)[at];

		tag_count(in->memory + d->addr, d->len);
		send_frame(out, in->memory + d->addr, d->len);
		((__u64 *)in->fill.entries)[give(&in->fill)] = d->addr & ~(__u64)(FRAME_SIZE - 1);
	}
	taken(&in->received);
	given(&in->fill);
	given(&out->sent);
	/* In copy mode the kernel sends in this call, a few frames each time. */
	while (*(volatile __u32 *)out->sent.consumer != out->sent.cached && !stop)
		if (sendto(out->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EBUSY &&
		    errno != ENOBUFS)
			break;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct pollfd ready[ARMS];
	static struct arm arms[ARMS];
	int n = argc - 1;

	if (n < 1 || n > ARMS) {
		fputs("usage: xsk_echo DEVICE [DEVICE2]\n", stderr);
		return 2;
	}
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	for (int i = 0; i < n; i++) {
		open_arm(&arms[i], argv[1 + i]);
		ready[i] = (struct pollfd){ .fd = arms[i].fd, .events = POLLIN };
	}
	puts("ready");
	fflush(stdout);
	while (!stop) {
		if (report) {
			report = 0;
			print_counters();
		}
		if (poll(ready, (nfds_t)n, 1000) <= 0)
			continue;
		for (int i = 0; i < n; i++)
			if (ready[i].revents)
				pass(&arms[i], &arms[n - 1 - i]);
	}
	print_counters();
	return 0;
}

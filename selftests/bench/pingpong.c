// SPDX-License-Identifier: BSD-2-Clause
/*
 * pingpong: round-trip times of one byte over TCP between two network namespaces, both ends on one
 * core; with --dev those of such a segment to who reflects it at the device's other end.
 * Prints "p50_us=N p99_us=N mean_us=N".
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "bench.h"

static const char help[] =
	"pingpong --server-ns NETNS --client-ns NETNS --addr IP [--port N] [--cpu C]\n"
	"                [--count N] [--size BYTES]\n"
	"       pingpong --client-ns NETNS --dev DEV [--cpu C] [--count N] [--size BYTES]";

#define HEADERS (ETH_HLEN + 20 + 32) /* IPv4, and TCP with time stamps */

struct options {
	const char *server_ns, *client_ns, *addr, *dev;
	long port, cpu, count, size;
};

static void whole(int fd, char *buf, size_t size, ssize_t (*io)(int, void *, size_t))
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = io(fd, buf + done, size - done);

		if (n <= 0)
			exit(n < 0);
		done += n;
	}
}

static ssize_t send_some(int fd, void *buf, size_t size)
{
	return send(fd, buf, size, MSG_NOSIGNAL);
}

/* A packet socket knows no MSG_NOSIGNAL here. */
static ssize_t receive_some(int fd, void *buf, size_t size)
{
	return recv(fd, buf, size, 0);
}

static void serve(const struct options *o, int listener)
{
	char buf[o->size];
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		die("accept");
	send_at_once(fd);
	for (;;) {
		whole(fd, buf, o->size, receive_some);
		whole(fd, buf, o->size, send_some);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(uint32_t *took, long count)
{
	double sum = 0;
	long i;

	for (i = 0; i < count; i++)
		sum += took[i];
	qsort(took, count, sizeof(*took), by_value);
	printf("p50_us=%.2f p99_us=%.2f mean_us=%.2f\n", took[count / 2] / 1e3,
	       took[count * 99 / 100] / 1e3, sum / count / 1e3);
}

static void ask(const struct options *o, int fd, char *buf, size_t size)
{
	uint32_t *took = calloc(o->count, sizeof(*took));
	long i, warmup = o->count / 10;
	uint64_t start;

	for (i = -warmup; i < o->count; i++) {
		start = now_ns();
		whole(fd, buf, size, send_some);
		whole(fd, buf, size, receive_some);
		if (i >= 0)
			took[i] = now_ns() - start;
	}
	report(took, o->count);
}

static void ask_server(const struct options *o)
{
	int fd = connect_in(o->client_ns, o->addr, o->port);
	char buf[o->size];

	send_at_once(fd);
	memset(buf, 'p', sizeof(buf));
	ask(o, fd, buf, sizeof(buf));
}

/* Data on a connection of others: to nobody on this machine, and with right checksums. */
static void build_segment(uint8_t *frame, int size)
{
	static const uint8_t head[HEADERS] = {
		2, 0, 0, 0, 0, 11, 2, 0, 0, 0, 0, 10, 8, 0,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, IPPROTO_TCP, 0, 0, 10, 0, 1, 1, 10, 0, 1, 2,
		0x80, 0, 0x1b, 0x59, 0, 0, 0, 1, 0, 0, 0, 1, 0x80, 0x18, 1, 0, 0, 0, 0, 0,
		1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1,
	};
	uint8_t *ip = frame + ETH_HLEN, *tcp = ip + 20;
	int bytes = HEADERS - ETH_HLEN - 20 + size;

	memset(frame + HEADERS, 'p', size);
	memcpy(frame, head, HEADERS);
	put16(ip + 2, 20 + bytes);
	put16(ip + 10, ~sum16(0, ip, 20));
	put16(tcp + 16, ~sum16(IPPROTO_TCP + bytes + sum16(0, ip + 12, 8), tcp, bytes));
}

static void ask_reflector(const struct options *o)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	struct timeval patience = { .tv_sec = 2 };
	uint8_t frame[HEADERS + o->size];
	int fd;

	enter_netns(o->client_ns);
	at.sll_ifindex = if_nametoindex(o->dev);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (void *)&at, sizeof(at)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die(o->dev);
	build_segment(frame, o->size);
	ask(o, fd, (char *)frame, sizeof(frame));
}

int main(int argc, char **argv)
{
	struct options o = { .port = 7001, .cpu = 0, .count = 20000, .size = 1 };
	const struct flag flags[] = {
		{ "server-ns", TEXT, &o.server_ns, 0, 0 },
		{ "client-ns", TEXT, &o.client_ns, 0, 0 },
		{ "addr", TEXT, &o.addr, 0, 0 },
		{ "dev", TEXT, &o.dev, 0, 0 },
		{ "port", NUMBER, &o.port, 1, 65535 },
		{ "cpu", NUMBER, &o.cpu, 0, 1023 },
		{ "count", NUMBER, &o.count, 10, 100000000 },
		{ "size", NUMBER, &o.size, 1, 65536 },
		{},
	};
	int listener;
	pid_t server;

	parse_flags(argc, argv, flags, help);
	if (!o.addr == !o.dev)
		usage(help);
	pin_to(o.cpu);
	if (o.dev) {
		ask_reflector(&o);
		return 0;
	}
	listener = listen_in(o.server_ns, o.port);
	server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(&o, listener);
	}
	ask_server(&o);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}

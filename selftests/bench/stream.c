// SPDX-License-Identifier: BSD-2-Clause
/*
 * stream: what one TCP connection carries between two network namespaces, as read by the receiver.
 * Prints "gbps=N" of --seconds, after a warm-up.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "bench.h"

#define CHUNK (128 * 1024)
/*
 * The receiver sleeps until a whole chunk has come. In a virtual machine, to wake another processor costs more than
 * to carry a packet; a receiver that keeps up would be woken for each, and the figure would be about that.
 */
#define LOW_WATER CHUNK
static const char help[] =
	"stream --server-ns NETNS --client-ns NETNS --addr IP [--port N]\n"
	"              [--seconds S] [--warmup S] [--server-cpu C] [--client-cpu C]";

struct options {
	const char *server_ns, *client_ns, *addr;
	long port, server_cpu, client_cpu;
	double seconds, warmup;
};

static char buf[CHUNK];

static void pour(const struct options *o)
{
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin_to(o->client_cpu);
	fd = connect_in(o->client_ns, o->addr, o->port);
	while (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) > 0)
		;
	exit(0);
}

static void count(const struct options *o, int listener)
{
	uint64_t start, from = 0, end, now, bytes = 0;
	struct timeval patience = { .tv_sec = 10 };
	int fd, low = LOW_WATER;
	ssize_t n;

	pin_to(o->server_cpu);
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("no connection");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
	start = now_ns();
	end = start + (o->warmup + o->seconds) * NSEC;
	do {
		n = recv(fd, buf, sizeof(buf), 0);
		now = now_ns();
		if (n <= 0)
			die("the stream stopped");
		if (from)
			bytes += n;
		else if (now >= start + o->warmup * NSEC)
			from = now;
	} while (now < end);
	printf("gbps=%.3f\n", from && now > from ? bytes * 8.0 / (now - from) : 0.0);
}

int main(int argc, char **argv)
{
	struct options o = {
		.port = 7002, .server_cpu = -1, .client_cpu = -1, .seconds = 2, .warmup = 0.5
	};
	const struct flag flags[] = {
		{ "server-ns", TEXT, &o.server_ns, 0, 0 },
		{ "client-ns", TEXT, &o.client_ns, 0, 0 },
		{ "addr", TEXT, &o.addr, 0, 0 },
		{ "port", NUMBER, &o.port, 1, 65535 },
		{ "seconds", SECONDS, &o.seconds, 0, 0 },
		{ "warmup", SECONDS, &o.warmup, 0, 0 },
		{ "server-cpu", NUMBER, &o.server_cpu, 0, 1023 },
		{ "client-cpu", NUMBER, &o.client_cpu, 0, 1023 },
		{},
	};
	int listener;
	pid_t client;

	parse_flags(argc, argv, flags, help);
	if (!o.addr)
		usage(help);
	listener = listen_in(o.server_ns, o.port);
	client = fork();
	if (!client)
		pour(&o);
	count(&o, listener);
	kill(client, SIGKILL);
	waitpid(client, NULL, 0);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * pingpong: round-trip times of one byte over TCP between two network namespaces, both ends on one
 * core. Prints "p50_us=N p99_us=N mean_us=N".
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "bench.h"

static const char help[] =
	"pingpong --server-ns NETNS --client-ns NETNS --addr IP [--port N] [--cpu C]\n"
	"                [--count N] [--size BYTES]";

struct options {
	const char *server_ns, *client_ns, *addr;
	long port, cpu, count, size;
};

static void whole(int fd, char *buf, size_t size, ssize_t (*io)(int, void *, size_t, int))
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = io(fd, buf + done, size - done, MSG_NOSIGNAL);

		if (n <= 0)
			exit(n < 0);
		done += n;
	}
}

static ssize_t send_some(int fd, void *buf, size_t size, int flags)
{
	return send(fd, buf, size, flags);
}

static void serve(const struct options *o, int listener)
{
	char buf[o->size];
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		die("accept");
	send_at_once(fd);
	for (;;) {
		whole(fd, buf, o->size, recv);
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

static void ask(const struct options *o)
{
	uint32_t *took = calloc(o->count, sizeof(*took));
	int fd = connect_in(o->client_ns, o->addr, o->port);
	long i, warmup = o->count / 10;
	char buf[o->size];
	uint64_t start;

	send_at_once(fd);
	memset(buf, 'p', sizeof(buf));
	for (i = -warmup; i < o->count; i++) {
		start = now_ns();
		whole(fd, buf, o->size, send_some);
		whole(fd, buf, o->size, recv);
		if (i >= 0)
			took[i] = now_ns() - start;
	}
	report(took, o->count);
}

int main(int argc, char **argv)
{
	struct options o = { .port = 7001, .cpu = 0, .count = 20000, .size = 1 };
	const struct flag flags[] = {
		{ "server-ns", TEXT, &o.server_ns, 0, 0 },
		{ "client-ns", TEXT, &o.client_ns, 0, 0 },
		{ "addr", TEXT, &o.addr, 0, 0 },
		{ "port", NUMBER, &o.port, 1, 65535 },
		{ "cpu", NUMBER, &o.cpu, 0, 1023 },
		{ "count", NUMBER, &o.count, 10, 100000000 },
		{ "size", NUMBER, &o.size, 1, 65536 },
		{},
	};
	int listener;
	pid_t server;

	parse_flags(argc, argv, flags, help);
	if (!o.addr)
		usage(help);
	pin_to(o.cpu);
	listener = listen_in(o.server_ns, o.port);
	server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(&o, listener);
	}
	ask(&o);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * echo: the two ends of a reachability test.
 *
 *   echo serve PORT...      prints "ready", answers on TCP and UDP, IPv4 and IPv6, until killed
 *   echo tcp|udp ADDRESS PORT [--sport N] [--size BYTES] [--timeout MS] [--count N] [--gap MS]
 *
 * A client sends and wants the same bytes back, COUNT times over one socket. Its status: 0 it got
 * them, 1 silence, 2 refused (a RST or an ICMP error), 3 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWERED, SILENT, REFUSED, USAGE };
enum kind { TCP_LISTEN, TCP_PEER, UDP_PEER };

#define MAX_SIZE 65536

static char buf[MAX_SIZE], sent[MAX_SIZE];

static int die(const char *what)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
	exit(USAGE);
}

static void watch(int epfd, int fd, enum kind kind)
{
	struct epoll_event ev = { .events = EPOLLIN,
				  .data.u64 = (uint64_t)kind << 32 | (unsigned int)fd };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev))
		die("epoll");
}

static void serve_port(int epfd, unsigned short port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int one = 1, room = 8 << 20, type;

	for (type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int fd = socket(AF_INET6, type, 0);

		if (fd < 0)
			die("socket");
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		/* While others have the CPU, nothing is lost here. */
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
		if (bind(fd, (void *)&any, sizeof(any)))
			die("bind");
		if (type == SOCK_STREAM && listen(fd, 1024))
			die("listen");
		watch(epfd, fd, type == SOCK_STREAM ? TCP_LISTEN : UDP_PEER);
	}
}

static void answer_tcp(int fd)
{
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n <= 0 || send(fd, buf, n, MSG_NOSIGNAL) < 0)
		close(fd);
}

/* The answer leaves from the address that was asked as long as the namespace has only one. */
static void answer_udp(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&peer, &len);

	if (n >= 0)
		sendto(fd, buf, n, 0, (void *)&peer, len);
}

static int serve(int argc, char **argv)
{
	struct epoll_event ev;
	int epfd = epoll_create1(0), i;

	for (i = 0; i < argc; i++)
		serve_port(epfd, atoi(argv[i]));
	puts("ready");
	fflush(stdout);
	while (epoll_wait(epfd, &ev, 1, -1) >= 0 || errno == EINTR) {
		int fd = (int)(unsigned int)ev.data.u64, peer;

		switch (ev.data.u64 >> 32) {
		case TCP_LISTEN:
			peer = accept(fd, NULL, NULL);
			if (peer >= 0)
				watch(epfd, peer, TCP_PEER);
			break;
		case TCP_PEER: answer_tcp(fd); break;
		case UDP_PEER: answer_udp(fd); break;
		}
	}
	return die("epoll_wait");
}

struct client {
	int type;
	struct sockaddr_storage to;
	socklen_t to_len;
	int sport, size, timeout_ms, count, gap_ms;
};

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_refusal(int err)
{
	return err == ECONNREFUSED || err == ECONNRESET || err == EHOSTUNREACH ||
	       err == ENETUNREACH || err == EACCES || err == EPIPE || err == EPROTO;
}

static int wait_for(int fd, short events, long deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	long left = deadline - now_ms();

	if (left <= 0 || poll(&p, 1, left) <= 0)
		return SILENT;
	return ANSWERED;
}

static int open_socket(const struct client *c)
{
	struct sockaddr_in6 from = { .sin6_family = c->to.ss_family, .sin6_port = htons(c->sport) };
	int fd = socket(c->to.ss_family, c->type | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* sin_port and sin6_port sit at the same place, and all else is zero in both families */
	if (c->sport && bind(fd, (void *)&from, c->to_len))
		die("bind");
	if (connect(fd, (void *)&c->to, c->to_len) && errno != EINPROGRESS)
		return is_refusal(errno) ? -REFUSED : -SILENT;
	return fd;
}

static int socket_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (!err)
		return ANSWERED;
	return is_refusal(err) ? REFUSED : SILENT;
}

static int send_all(int fd, const struct client *c, long deadline)
{
	int done = 0;

	while (done < c->size) {
		ssize_t n = send(fd, sent + done, c->size - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return is_refusal(errno) ? REFUSED : SILENT;
		if (n < 0 && wait_for(fd, POLLOUT, deadline))
			return SILENT;
		if (n > 0)
			done += n;
	}
	return ANSWERED;
}

static int receive_all(int fd, const struct client *c, long deadline)
{
	int done = 0;

	while (done < c->size) {
		ssize_t n;

		if (wait_for(fd, POLLIN, deadline))
			return SILENT;
		n = recv(fd, buf + done, sizeof(buf) - done, 0);
		if (n < 0 && errno != EAGAIN)
			return is_refusal(errno) ? REFUSED : SILENT;
		if (n == 0 && c->type == SOCK_STREAM)
			return REFUSED;
		if (n > 0)
			done += n;
	}
	return memcmp(buf, sent, c->size) ? SILENT : ANSWERED;
}

static int exchange(const struct client *c)
{
	long deadline = now_ms() + c->timeout_ms;
	int fd = open_socket(c), i, status;

	if (fd < 0)
		return -fd;
	if (c->type == SOCK_STREAM && wait_for(fd, POLLOUT, deadline))
		return SILENT;
	status = socket_error(fd);
	for (i = 0; i < c->count && !status; i++) {
		if (i && c->gap_ms)
			usleep(c->gap_ms * 1000);
		deadline = now_ms() + c->timeout_ms;
		status = send_all(fd, c, deadline);
		if (!status)
			status = receive_all(fd, c, deadline);
	}
	close(fd);
	return status;
}

static bool parse_address(struct client *c, const char *text, int port)
{
	struct sockaddr_in *v4 = (void *)&c->to;
	struct sockaddr_in6 *v6 = (void *)&c->to;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		c->to_len = sizeof(*v4);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	c->to_len = sizeof(*v6);
	return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
}

static bool parse_options(struct client *c, int argc, char **argv)
{
	struct {
		const char *name;
		int *value;
	} options[] = {
		{ "--sport", &c->sport }, { "--size", &c->size },  { "--timeout", &c->timeout_ms },
		{ "--count", &c->count }, { "--gap", &c->gap_ms },
	};
	size_t o;
	int i;

	for (i = 0; i + 1 < argc; i += 2) {
		for (o = 0; o < sizeof(options) / sizeof(*options); o++)
			if (!strcmp(argv[i], options[o].name))
				break;
		if (o == sizeof(options) / sizeof(*options))
			return false;
		*options[o].value = atoi(argv[i + 1]);
	}
	return i == argc && c->size > 0 && c->size <= MAX_SIZE;
}

int main(int argc, char **argv)
{
	struct client c = { .size = 64, .timeout_ms = 2000, .count = 1 };
	int i;

	if (argc > 2 && !strcmp(argv[1], "serve"))
		return serve(argc - 2, argv + 2);
	if (argc < 4 || (strcmp(argv[1], "tcp") && strcmp(argv[1], "udp")) ||
	    !parse_address(&c, argv[2], atoi(argv[3])) || !parse_options(&c, argc - 4, argv + 4)) {
		fputs("usage: echo serve PORT... | tcp|udp ADDRESS PORT [--sport N] [--size BYTES] "
		      "[--timeout MS] [--count N] [--gap MS]\n",
		      stderr);
		return USAGE;
	}
	c.type = strcmp(argv[1], "tcp") ? SOCK_DGRAM : SOCK_STREAM;
	for (i = 0; i < c.size; i++)
		sent[i] = 'a' + i % 23;
	return exchange(&c);
}

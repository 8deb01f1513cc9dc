// SPDX-License-Identifier: BSD-2-Clause
/* bench.h: what the traffic tools share. */
#ifndef WEFT_BENCH_H
#define WEFT_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NSEC 1000000000ULL

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void usage(const char *text)
{
	fprintf(stderr, "usage: %s\n", text);
	exit(2);
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NSEC + t.tv_nsec;
}

/* NETNS is a name under /run/netns, or a path. NULL stays where it is. */
static inline void enter_netns(const char *netns)
{
	char path[256];
	int fd;

	if (!netns)
		return;
	snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static inline void pin_to(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* The object file lies beside the tool. */
static inline const char *beside(const char *name)
{
	static char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n < 0)
		die("/proc/self/exe");
	path[n] = 0;
	slash = strrchr(path, '/');
	snprintf(slash + 1, sizeof(path) - (slash + 1 - path), "%s", name);
	return path;
}

/* A number that is a whole argument and in range, or the end. */
static inline long number(const char *text, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 0);
	if (errno || *end || end == text || n < min || n > max) {
		fprintf(stderr, "'%s' is not a number from %ld to %ld\n", text, min, max);
		exit(2);
	}
	return n;
}

enum flag_kind { TEXT, NUMBER, SECONDS, SWITCH };

struct flag {
	const char *name;
	enum flag_kind kind;
	void *to; /* const char *, long, double, int */
	long min, max;
};

static inline const struct flag *find_flag(const struct flag *flags, const char *arg)
{
	for (; flags->name; flags++)
		if (!strncmp(arg, "--", 2) && !strcmp(arg + 2, flags->name))
			return flags;
	return NULL;
}

/* --name VALUE, or --name alone for a SWITCH. A flag without a name ends the table. */
static inline void parse_flags(int argc, char **argv, const struct flag *flags, const char *help)
{
	const struct flag *f;
	int i;

	for (i = 1; i < argc; i++) {
		f = find_flag(flags, argv[i]);
		if (!f || (f->kind != SWITCH && i + 1 == argc))
			usage(help);
		switch (f->kind) {
		case TEXT: *(const char **)f->to = argv[++i]; break;
		case NUMBER: *(long *)f->to = number(argv[++i], f->min, f->max); break;
		case SECONDS: *(double *)f->to = atof(argv[++i]); break;
		case SWITCH: *(int *)f->to = 1; break;
		}
	}
}

/* Either family; the length that connect wants. */
static inline socklen_t parse_address(const char *text, int port, struct sockaddr_in6 *to)
{
	struct sockaddr_in *v4 = (void *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	to->sin6_family = AF_INET6;
	to->sin6_port = htons(port);
	if (inet_pton(AF_INET6, text, &to->sin6_addr) != 1) {
		fprintf(stderr, "'%s' is not an address\n", text);
		exit(2);
	}
	return sizeof(*to);
}

/* What goes into frames. */
static inline void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline void put_mac(uint8_t *at, const char *text)
{
	struct ether_addr *mac = text ? ether_aton(text) : NULL;

	if (!mac) {
		fprintf(stderr, "'%s' is not a MAC address\n", text ?: "");
		exit(2);
	}
	memcpy(at, mac, 6);
}

/* The sum of 16-bit words that Internet checksums are of (RFC 1071), with what is there already. */
static inline uint16_t sum16(uint32_t sum, const uint8_t *p, int bytes)
{
	int i;

	for (i = 0; i < bytes; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/*
 * CUBIC, Linux's default: it fills the path, where one that paces (BBR) measures its own timers. A listener's connections
 * have it too.
 */
static inline void use_cubic(int fd)
{
	static const char name[] = "cubic";

	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name) - 1))
		die(name);
}

/* Each write goes out at once: for who waits for an answer. */
static inline void send_at_once(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Enters the namespace and connects from there. */
static inline int connect_in(const char *netns, const char *address, int port)
{
	struct sockaddr_in6 to;
	socklen_t len = parse_address(address, port, &to);
	int fd;

	enter_netns(netns);
	fd = socket(to.sin6_family, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	use_cubic(fd);
	if (connect(fd, (void *)&to, len))
		die("connect");
	return fd;
}

/* Enters the namespace and listens there. */
static inline int listen_in(const char *netns, int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int one = 1, fd;

	enter_netns(netns);
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0)
		die("socket");
	use_cubic(fd);
	if (bind(fd, (void *)&any, sizeof(any)) || listen(fd, 1))
		die("server");
	return fd;
}

#endif

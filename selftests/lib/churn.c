// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn: flows that live and flows that come and go, towards an echo server, and what became of each.
 *
 *   churn ADDRESS PORT KEPT        prints "ready" when KEPT TCP connections and as many UDP flows stand
 *
 * Every millisecond it speaks on one flow of each kind, asks one question over UDP from a port of its own, and every
 * fourth time over a TCP connection of its own. On SIGTERM it waits for what is under way, prints a line, and ends:
 *
 *   kept=N broken=N asked=N answered=N retransmitted=N
 *
 * broken: kept connections that were reset or closed. asked and answered: datagrams and bytes. retransmitted: TCP segments
 * of all connections that the kernel had to send twice, because one was lost on either way (and not because the other end
 * got no CPU: then it says that it has the segment twice).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEPT_MAX 256
#define ASKING_MAX 4096
#define PATIENCE_MS 1500
#define TCP_EVERY 4

struct question {
	int fd;		/* -1: none */
	bool tcp, sent;
	long since;
};

static struct sockaddr_storage to;
static socklen_t to_len;
static int kept_tcp[KEPT_MAX], kept_udp[KEPT_MAX], kept;
static struct question asking[ASKING_MAX];
static unsigned long broken, asked, answered, retransmitted;
static volatile sig_atomic_t stop;

static void die(const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_flow(int type)
{
	int fd = socket(to.ss_family, type | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		die("socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (void *)&to, to_len) && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void count_retransmits(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_total_retrans > info.tcpi_dsack_dups)
		retransmitted += info.tcpi_total_retrans - info.tcpi_dsack_dups;
}

/* A byte; false if it cannot go yet. */
static bool say(int fd)
{
	if (send(fd, "?", 1, MSG_NOSIGNAL) != 1)
		return false;
	asked++;
	return true;
}

/* How many bytes or datagrams have come; -1: the connection is no more. */
static int hear(int fd, bool tcp)
{
	char buf[256];
	int n = 0;

	for (;;) {
		ssize_t got = recv(fd, buf, sizeof(buf), 0);

		if (got < 0 && errno == EAGAIN)
			break;
		if (got <= 0)
			return n ? n : -1;
		n += tcp ? (int)got : 1;
	}
	answered += (unsigned int)n;
	return n;
}

static void keep_all(int n)
{
	long end;

	kept = n;
	for (int i = 0; i < kept; i++) {
		kept_tcp[i] = open_flow(SOCK_STREAM);
		kept_udp[i] = open_flow(SOCK_DGRAM);
	}
	for (int i = 0; i < kept; i++)
		for (end = now_ms() + 3000; !say(kept_tcp[i]) || !say(kept_udp[i]); usleep(1000))
			if (now_ms() > end)
				die("no connection");
}

static void hear_kept(void)
{
	for (int i = 0; i < kept; i++) {
		if (kept_tcp[i] >= 0 && hear(kept_tcp[i], true) < 0) {
			broken++;
			count_retransmits(kept_tcp[i]);
			close(kept_tcp[i]);
			kept_tcp[i] = -1;
		}
		hear(kept_udp[i], false);
	}
}

static void close_question(struct question *q)
{
	if (q->tcp)
		count_retransmits(q->fd);
	close(q->fd);
	q->fd = -1;
}

/* True while some are open. */
static bool hear_questions(long now)
{
	bool any = false;

	for (int i = 0; i < ASKING_MAX; i++) {
		struct question *q = &asking[i];

		if (q->fd < 0)
			continue;
		if (!q->sent)
			q->sent = say(q->fd);
		if ((q->sent && hear(q->fd, q->tcp)) || now - q->since > PATIENCE_MS) {
			asked += !q->sent;
			close_question(q);
		} else {
			any = true;
		}
	}
	return any;
}

static void ask(bool tcp, long now)
{
	for (int i = 0; i < ASKING_MAX; i++) {
		struct question *q = &asking[i];

		if (q->fd >= 0)
			continue;
		*q = (struct question){ .fd = open_flow(tcp ? SOCK_STREAM : SOCK_DGRAM), .tcp = tcp, .since = now };
		q->sent = say(q->fd);
		return;
	}
}

static void run(void)
{
	for (unsigned int round = 0; !stop; round++) {
		long now = now_ms();

		if (kept && kept_tcp[round % kept] >= 0)
			say(kept_tcp[round % kept]);
		if (kept)
			say(kept_udp[round % kept]);
		ask(false, now);
		if (round % TCP_EVERY == 0)
			ask(true, now);
		hear_kept();
		hear_questions(now);
		usleep(1000);
	}
}

static void finish(void)
{
	long end = now_ms() + PATIENCE_MS;
	bool more;

	do {
		usleep(2000);
		hear_kept();
		more = hear_questions(now_ms());
	} while ((more || answered < asked) && now_ms() < end);
	for (int i = 0; i < kept; i++)
		if (kept_tcp[i] >= 0)
			count_retransmits(kept_tcp[i]);
	printf("kept=%d broken=%lu asked=%lu answered=%lu retransmitted=%lu\n", 2 * kept, broken, asked, answered,
	       retransmitted);
}

int main(int argc, char **argv)
{
	struct sockaddr_in *v4 = (void *)&to;
	struct sockaddr_in6 *v6 = (void *)&to;
	struct sigaction act = { .sa_handler = on_signal };

	if (argc != 4 || atoi(argv[3]) < 0 || atoi(argv[3]) > KEPT_MAX) {
		fputs("usage: churn ADDRESS PORT KEPT\n", stderr);
		return 3;
	}
	if (inet_pton(AF_INET, argv[1], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		to_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, argv[1], &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		to_len = sizeof(*v6);
	}
	/* Both have the port at the same place. */
	v4->sin_port = htons(atoi(argv[2]));
	for (int i = 0; i < ASKING_MAX; i++)
		asking[i].fd = -1;
	sigaction(SIGTERM, &act, NULL);
	keep_all(atoi(argv[3]));
	puts("ready");
	fflush(stdout);
	run();
	finish();
	return 0;
}

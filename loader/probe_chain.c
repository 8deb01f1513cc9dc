// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "include/host.h"
#include "loader/probe_chain.h"

#define AGAIN_NS   50000000u /* a frame may be lost where the function is busy; then twice as long */
#define STALE_NS   10000000000u /* nobody waits so long: its asker was killed */
#define LOOK_NS    1000000

static const uint8_t workload[ETH_ALEN] = PROBE_MAC_WORKLOAD, network[ETH_ALEN] = PROBE_MAC_NETWORK;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* what bpf_ktime_get_ns() reads */
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int probe_socket(uint32_t mark, struct error *e)
{
	/* Protocol 0: it receives nothing. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0 && (!mark || !setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark))))
		return fd;
	error_set(
		e, EXIT_REFUSED,
		"probe: a packet socket cannot be had: %s: run as root (CAP_NET_RAW, CAP_NET_ADMIN)",
		strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int send_frame(int socket, unsigned int ifindex, const uint8_t *frame)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex };

	if (sendto(socket, frame, PROBE_FRAME_SIZE, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

int probe_unmarked(int socket, unsigned int ifindex)
{
	uint8_t frame[PROBE_FRAME_SIZE] = { 0 };

	memcpy(frame, workload, ETH_ALEN);
	memcpy(frame + ETH_ALEN, network, ETH_ALEN);
	frame[2 * ETH_ALEN] = PROBE_ETHERTYPE >> 8;
	frame[2 * ETH_ALEN + 1] = PROBE_ETHERTYPE & 0xff;
	return send_frame(socket, ifindex, frame);
}

/* What askers that were killed have left. */
static void sweep(int probes)
{
	struct probe_key stale[64], key, *previous = NULL;
	uint64_t now = now_ns();
	struct probe probe;
	size_t n = 0;

	while (n < sizeof(stale) / sizeof(stale[0]) &&
	       !bpf_map_get_next_key(probes, previous, &key)) {
		previous = &key;
		if (!bpf_map_lookup_elem(probes, &key, &probe) && now - probe.asked > STALE_NS)
			stale[n++] = key;
	}
	while (n)
		bpf_map_delete_elem(probes, &stale[--n]);
}

int chain_prober_open(struct chain_prober *prober, const struct root *root, struct error *e)
{
	struct host_config host = { 0 };
	int fd = root_map(root, "host", e), failed;
	uint32_t zero = 0;

	*prober = (struct chain_prober){ .probes = -1, .socket = -1 };
	if (fd < 0)
		return -1;
	failed = bpf_map_lookup_elem(fd, &zero, &host);
	close(fd);
	if (failed)
		return error_set(e, EXIT_REFUSED, "map host: cannot be read: %s", strerror(errno));
	prober->mark = host.mark;
	prober->probes = root_map(root, "probes", e);
	if (prober->probes >= 0)
		prober->socket = probe_socket(prober->mark, e);
	if (prober->socket < 0) {
		chain_prober_close(prober);
		return -1;
	}
	sweep(prober->probes);
	return 0;
}

void chain_prober_close(struct chain_prober *prober)
{
	if (prober->probes >= 0)
		close(prober->probes);
	if (prober->socket >= 0)
		close(prober->socket);
	prober->probes = prober->socket = -1;
}

/* The question goes into the map before the frame goes out. */
static int ask(const struct chain_prober *prober, struct chain_probe *p)
{
	struct probe asked = { .chain = p->chain, .step = p->step, .pcp = p->pcp, .instance = p->instance };
	struct probe_key key;

	if (p->nonce)
		return 0;
	if (getrandom(&key.nonce, sizeof(key.nonce), 0) != sizeof(key.nonce))
		return -EAGAIN;
	p->asked = asked.asked = now_ns();
	if (bpf_map_update_elem(prober->probes, &key, &asked, BPF_NOEXIST))
		return -errno;
	p->nonce = key.nonce;
	return 0;
}

void chain_probe_frame(uint8_t frame[PROBE_FRAME_SIZE], const struct chain_probe *p,
		       uint32_t number)
{
	uint16_t tag[3] = { htons(ETHERTYPE_VLAN), htons((uint16_t)(p->pcp << 13 | p->tag)),
			    htons(PROBE_ETHERTYPE) };
	struct probe_body body = {
		.magic = PROBE_MAGIC,
		.chain = p->chain,
		.step = p->step,
		.pcp = p->pcp,
		.instance = p->instance,
		.number = number,
	};
	/* Without a tag there is the ethertype alone. */
	size_t len = p->tag ? sizeof(tag) : sizeof(tag[0]);
	bool leaving = p->pcp == PCP_LEAVING;

	memset(frame, 0, PROBE_FRAME_SIZE);
	memcpy(body.nonce, &p->nonce, sizeof(body.nonce));
	memcpy(frame, leaving ? network : workload, ETH_ALEN);
	memcpy(frame + ETH_ALEN, leaving ? workload : network, ETH_ALEN);
	memcpy(frame + 2 * ETH_ALEN, tag + (p->tag ? 0 : 2), len);
	memcpy(frame + 2 * ETH_ALEN + len, &body, sizeof(body));
}

int chain_probe_send(const struct chain_prober *prober, struct chain_probe *p)
{
	uint8_t frame[PROBE_FRAME_SIZE];
	int err = ask(prober, p);

	if (err)
		return err;
	chain_probe_frame(frame, p, 0);
	return send_frame(prober->socket, p->ifindex, frame);
}

bool chain_probe_answered(const struct chain_prober *prober, struct chain_probe *p)
{
	struct probe_key key = { .nonce = p->nonce };
	struct probe probe;

	if (!p->answered && p->nonce && !bpf_map_lookup_elem(prober->probes, &key, &probe))
		p->answered = probe.answered;
	return p->answered;
}

void chain_probe_end(const struct chain_prober *prober, struct chain_probe *p)
{
	struct probe_key key = { .nonce = p->nonce };

	if (p->nonce)
		bpf_map_delete_elem(prober->probes, &key);
	p->nonce = 0;
}

static size_t unanswered(const struct chain_prober *prober, struct chain_probe *list, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += !chain_probe_answered(prober, &list[i]);
	return count;
}

static void ask_again(const struct chain_prober *prober, struct chain_probe *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!list[i].answered)
			chain_probe_send(prober, &list[i]);
}

/*
 * On a busy machine any line here may take long. So what has come while nobody looked is seen before it would be asked again,
 * and before the time is up; which begins when all have been asked.
 */
size_t chain_probes_ask(const struct chain_prober *prober, struct chain_probe *list, size_t n,
			unsigned int ms)
{
	uint64_t end = UINT64_MAX, next = 0, again = AGAIN_NS;
	struct timespec pause = { .tv_nsec = LOOK_NS };
	size_t left = n;
	bool over = !n;

	while (!over) {
		if (now_ns() >= next) {
			ask_again(prober, list, n);
			if (!next)
				end = now_ns() + ms * 1000000ull;
			next = now_ns() + again;
			again *= 2;
		} else {
			nanosleep(&pause, NULL);
		}
		over = now_ns() >= end;
		left = unanswered(prober, list, n);
		over = over || !left;
	}
	for (size_t i = 0; i < n; i++)
		chain_probe_end(prober, &list[i]);
	return left;
}

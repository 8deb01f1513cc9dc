// SPDX-License-Identifier: BSD-2-Clause
/*
 * flood: sends frames of N flows out of a device as fast as one core can, by BPF_PROG_TEST_RUN
 * with live frames, or --pps of them a second. The device's other end needs NAPI: an XDP program, or GRO.
 * With --turns the source is --turn-src in every second of them, by the monotonic clock.
 * Prints "sent=N pps=N", also when SIGTERM ends it before its time.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <signal.h>
#include <sys/time.h>
#include "bench.h"
#include "flood.h"

static const char help[] =
	"flood --dev DEV --src-mac MAC --dst-mac MAC --src-ip IP --dst-ip IP [--netns NETNS]\n"
	"             [--flows N] [--size BYTES] [--count N | --seconds S [--pps N]] [--cpu C]\n"
	"             [--sport PORT] [--dport PORT] [--swap] [--random] [--srcs N] [--dsts N]\n"
	"             [--udp-check] [--tcp-syn | --proto N]\n"
	"             [--turns MS --turn-src IP]\n"
	"       flood --empty    prints empty_ns=: what an empty program costs with bpf_stats on\n"
	"       flood --stats    keeps bpf_stats on until it is killed";

struct options {
	const char *netns, *dev, *src_mac, *dst_mac, *src_ip, *dst_ip;
	long flows, size, cpu, sport, dport, srcs, dsts, proto, count, pps;
	const char *turn_src;
	long turns;
	double seconds;
	int swap, random, udp_check, tcp_syn, empty, stats;
};

struct frame {
	__u8 bytes[9216];
	int size;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static __u16 get16(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

/* The address goes in without its low 16 bits, which the program adds. */
static __u16 put_address(__u8 *at, const char *text, int v6)
{
	int len = v6 ? 16 : 4;
	__u16 low;

	if (!text || inet_pton(v6 ? AF_INET6 : AF_INET, text, at) != 1) {
		fprintf(stderr, "'%s' is not an address of the right family\n", text ?: "");
		exit(2);
	}
	low = get16(at + len - 2);
	put16(at + len - 2, 0);
	return low;
}

static int l4_head(int l4)
{
	return l4 == IPPROTO_UDP ? 8 : l4 == IPPROTO_TCP ? 20 : 0;
}

static void put_l4(__u8 *at, int l4, int bytes)
{
	if (l4 == IPPROTO_UDP)
		put16(at + 4, bytes);
	if (l4 == IPPROTO_TCP) {
		put16(at + 6, 1); /* sequence */
		at[12] = 5 << 4;
		at[13] = 0x02; /* SYN */
		put16(at + 14, 0xffff);
	}
}

static void put_ipv4(__u8 *ip, int l4, int bytes)
{
	ip[0] = 0x45;
	put16(ip + 2, 20 + bytes);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = l4;
}

static void put_ipv6(__u8 *ip, int l4, int bytes)
{
	ip[0] = 0x60;
	put16(ip + 4, bytes);
	ip[6] = l4;
	ip[7] = 64;
}

static void build(const struct options *o, struct flood_config *c, struct frame *f)
{
	__u8 *ip = f->bytes + 14;
	int l3, bytes, least;

	c->v6 = strchr(o->src_ip ?: "", ':') != NULL;
	c->l4 = o->tcp_syn ? IPPROTO_TCP : o->proto;
	l3 = c->v6 ? 40 : 20;
	least = 14 + l3 + l4_head(c->l4);
	f->size = o->size < least ? least : o->size;
	bytes = f->size - 14 - l3;
	put_mac(f->bytes, o->dst_mac);
	put_mac(f->bytes + 6, o->src_mac);
	put16(f->bytes + 12, c->v6 ? 0x86dd : 0x0800);
	if (c->v6)
		put_ipv6(ip, c->l4, bytes);
	else
		put_ipv4(ip, c->l4, bytes);
	c->src_low = put_address(ip + (c->v6 ? 8 : 12), o->src_ip, c->v6);
	c->dst_low = put_address(ip + (c->v6 ? 24 : 16), o->dst_ip, c->v6);
	c->turn_ns = o->turns * 1000000UL;
	c->turn_low = o->turns ? put_address((__u8[16]){}, o->turn_src, c->v6) : 0;
	put_l4(ip + l3, c->l4, bytes);
	c->ip_sum = sum16(0, ip, 20);
	c->l4_sum = sum16(0, ip + (c->v6 ? 8 : 12), c->v6 ? 32 : 8) + c->l4 + bytes +
		    sum16(0, ip + l3, bytes);
	c->l4_check = c->l4 == IPPROTO_TCP || c->v6 || o->udp_check;
	memcpy(c->head, f->bytes, FLOOD_HEAD);
	c->cut = f->size < FLOOD_MIN ? FLOOD_MIN - f->size : 0;
	f->size += c->cut;
}

/* N flows are about sqrt(N) source ports times as many destination ports. */
static void spread(const struct options *o, struct flood_config *c)
{
	__u32 side = 1;

	while ((__u64)side * side < (__u64)o->flows)
		side++;
	c->n_sport = side;
	c->n_dport = (o->flows + side - 1) / side;
	c->sport = o->sport;
	c->dport = o->dport;
	c->swap = o->swap;
	c->random = o->random;
	c->n_src = o->srcs;
	c->n_dst = o->dsts;
	if (o->sport + c->n_sport > 65536 || o->dport + c->n_dport > 65536)
		usage("flood: the ports exceed 65535: fewer flows, or lower first ports");
}

static struct bpf_map *state_map(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
		if (strstr(bpf_map__name(map), ".bss"))
			return map;
	die("flood.bpf.o: no state");
	return NULL;
}

static struct bpf_object *load(const struct flood_state *state)
{
	struct bpf_object *obj = bpf_object__open(beside("flood.bpf.o"));

	if (!obj || bpf_map__set_initial_value(state_map(obj), state, sizeof(*state)) ||
	    bpf_object__load(obj))
		die("flood.bpf.o");
	return obj;
}

static __u64 frames_sent(struct bpf_object *obj)
{
	struct flood_state state;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(state_map(obj)), &zero, &state))
		die("state");
	return state.sent;
}

static int program(struct bpf_object *obj, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(obj, name));
}

/* By a descriptor and not by sysctl: they go off with the process, however it ends. */
static void enable_stats(void)
{
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		die("bpf_enable_stats");
}

static int hold_stats(void)
{
	enable_stats();
	puts("ready");
	fflush(stdout);
	return pause();
}

static int measure_empty(void)
{
	struct flood_state state = {};
	struct bpf_object *obj = load(&state);
	int fd = program(obj, "empty");
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	__u8 frame[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 2000000);

	enable_stats();
	if (bpf_prog_test_run_opts(fd, &run))
		die("test run");
	if (bpf_prog_get_info_by_fd(fd, &info, &len))
		die("program info");
	printf("empty_ns=%.1f\n", (double)info.run_time_ns / info.run_cnt);
	return 0;
}

static void set_alarm(double seconds)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct itimerval timer = { .it_value = { seconds, (seconds - (long)seconds) * 1e6 } };

	sigaction(SIGALRM, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static uint64_t send_frames(int fd, const struct options *o, struct frame *f)
{
	struct xdp_md ctx = { .data_end = f->size };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = f->bytes, .data_size_in = f->size,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = 64, .repeat = o->count ?: 1 << 30);
	uint64_t start = now_ns();

	if (!o->count)
		set_alarm(o->seconds);
	do {
		if (bpf_prog_test_run_opts(fd, &run) && errno != EINTR)
			die("test run with live frames");
	} while (!o->count && !stop);
	return now_ns() - start;
}

static void parse(int argc, char **argv, struct options *o)
{
	const struct flag flags[] = {
		{ "netns", TEXT, &o->netns, 0, 0 },
		{ "dev", TEXT, &o->dev, 0, 0 },
		{ "src-mac", TEXT, &o->src_mac, 0, 0 },
		{ "dst-mac", TEXT, &o->dst_mac, 0, 0 },
		{ "src-ip", TEXT, &o->src_ip, 0, 0 },
		{ "dst-ip", TEXT, &o->dst_ip, 0, 0 },
		{ "flows", NUMBER, &o->flows, 1, 1 << 30 },
		{ "size", NUMBER, &o->size, 54, 3500 },
		{ "seconds", SECONDS, &o->seconds, 0, 0 },
		{ "count", NUMBER, &o->count, 1, 1 << 30 },
		{ "pps", NUMBER, &o->pps, 1, 100000000 },
		{ "cpu", NUMBER, &o->cpu, 0, 1023 },
		{ "sport", NUMBER, &o->sport, 0, 65535 },
		{ "dport", NUMBER, &o->dport, 0, 65535 },
		{ "srcs", NUMBER, &o->srcs, 1, 65536 },
		{ "dsts", NUMBER, &o->dsts, 1, 65536 },
		{ "proto", NUMBER, &o->proto, 0, 255 },
		{ "turns", NUMBER, &o->turns, 1, 60000 },
		{ "turn-src", TEXT, &o->turn_src, 0, 0 },
		{ "swap", SWITCH, &o->swap, 0, 0 },
		{ "random", SWITCH, &o->random, 0, 0 },
		{ "udp-check", SWITCH, &o->udp_check, 0, 0 },
		{ "tcp-syn", SWITCH, &o->tcp_syn, 0, 0 },
		{ "empty", SWITCH, &o->empty, 0, 0 },
		{ "stats", SWITCH, &o->stats, 0, 0 },
		{},
	};

	parse_flags(argc, argv, flags, help);
	if ((!o->empty && !o->stats && !o->dev) || (o->count && o->pps))
		usage(help);
}

int main(int argc, char **argv)
{
	struct options o = {
		.flows = 1, .size = 64, .seconds = 1, .cpu = -1, .sport = 10000, .dport = 20000,
		.srcs = 1, .dsts = 1, .proto = IPPROTO_UDP,
	};
	struct flood_state state = { .dice = 0x9e3779b97f4a7c15ULL };
	struct frame frame = {};
	struct bpf_object *obj;
	uint64_t took, sent;

	parse(argc, argv, &o);
	pin_to(o.cpu);
	if (o.empty)
		return measure_empty();
	if (o.stats)
		return hold_stats();
	enter_netns(o.netns);
	build(&o, &state.config, &frame);
	spread(&o, &state.config);
	state.config.gap_ns = o.pps ? NSEC / o.pps : 0;
	state.config.ifindex = if_nametoindex(o.dev);
	if (!state.config.ifindex)
		die(o.dev);
	obj = load(&state);
	took = send_frames(program(obj, "flood"), &o, &frame);
	sent = frames_sent(obj);
	printf("sent=%lu pps=%.0f\n", sent, sent * 1e9 / took);
	return 0;
}

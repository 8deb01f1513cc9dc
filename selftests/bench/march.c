// SPDX-License-Identifier: BSD-2-Clause
/*
 * march: numbered frames from one network namespace to another, --pps of them a second, and what becomes of them while
 * a function in their way (victim) dies.
 *
 *   --deaths N --victim PID --name NAME    kills that function N times, and revives it. A line each time:
 *       "gap_ms=N lost=N pps=N". The gap is from the last frame that came through it to the first one, of a flow that went
 *       through it, that came another way; what was lost is of all flows; so many were sent a second. Each time begins with
 *       new flows, once all pass, and some by the victim.
 *   --seconds S | --count N [--flow-file FILE]     "sent=N received=N moves=N": how often a frame came through another
 *       function than the one before of its flow. The file has a line for each flow: the name that its last frame had.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include "bench.h"
#include "march.h"

static const char help[] =
	"march --from-ns NETNS --to-ns NETNS --dev DEV --src-mac MAC --dst-mac MAC --src-ip IP --dst-ip IP\n"
	"             [--pps N] [--flows N] [--cpu C] [--patience S]\n"
	"             --deaths N --victim PID --name NAME | (--seconds S | --count N) [--flow-file FILE]";

#define MSEC (NSEC / 1000)
#define WINDOW (40 * MSEC)	/* in which is seen whether all is well */
#define SETTLE (50 * MSEC)	/* that frames have to arrive */
#define FIRST_PORT 10000

struct options {
	const char *from_ns, *to_ns, *dev, *src_mac, *dst_mac, *src_ip, *dst_ip, *flow_file;
	long pps, flows, cpu, deaths, victim, name, count;
	double seconds, patience;
};

static struct options o = { .pps = 100000, .flows = 64, .cpu = -1, .patience = 3 };
static struct march_config config;
static struct march_record *records;
static struct march_flow *flows;
static int state_fd, program_fd;

/* ---- sending ---- */

static pthread_t sender;
static volatile sig_atomic_t sending;

static void on_signal(int sig)
{
	(void)sig;
}

/* In the kernel until a signal comes. */
static void *send_frames(void *unused)
{
	__u8 frame[MARCH_BYTES] = {};
	struct xdp_md ctx = { .data_end = sizeof(frame) };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64,
		    .repeat = 1 << 30);

	pin_to(o.cpu);
	enter_netns(o.from_ns);
	while (sending)
		if (bpf_prog_test_run_opts(program_fd, &run) && errno != EINTR)
			die("test run with live frames");
	return unused;
}

static void start_sending(void)
{
	struct march_state state = { .config = config };
	__u32 zero = 0;

	memset(records, 0, sizeof(*records) * MARCH_RECORDS);
	memset(flows, 0, sizeof(*flows) * MARCH_FLOWS);
	if (bpf_map_update_elem(state_fd, &zero, &state, 0))
		die("state");
	sending = 1;
	errno = pthread_create(&sender, NULL, send_frames, NULL);
	if (errno)
		die("thread");
}

static void stop_sending(void)
{
	sending = 0;
	while (pthread_tryjoin_np(sender, NULL)) {
		pthread_kill(sender, SIGALRM);
		usleep(500);
	}
}

/* Each time other flows, since one goes the way that it went. */
static void new_flows(void)
{
	config.sport = config.sport + 2 * o.flows > 65535 ? FIRST_PORT : config.sport + o.flows;
}

static __u64 frames_sent(void)
{
	struct march_state state;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(state_fd, &zero, &state))
		die("state");
	return state.sent;
}

/* ---- looking ---- */

static struct march_record *record_of(__u64 number)
{
	return &records[number % MARCH_RECORDS];
}

/* The number of the first frame sent at a time or after it. */
static __u64 first_since(__u64 time)
{
	__u64 number = frames_sent(), oldest = number > MARCH_RECORDS ? number - MARCH_RECORDS : 0;

	while (number > oldest && record_of(number - 1)->sent >= time)
		number--;
	return number;
}

/*
 * All that was sent in the window has arrived, but for a few; some of it by the victim; and no flow moved. `through`: which
 * flows went through it.
 */
static bool is_well(bool *through)
{
	__u64 now = now_ns(), number = first_since(now - WINDOW - SETTLE), end = first_since(now - SETTLE);
	__u64 sent = end - number, received = 0, by_victim = 0;
	struct march_record *r;

	memset(through, 0, MARCH_FLOWS);
	for (; number < end; number++) {
		r = record_of(number);
		received += r->received != 0;
		by_victim += r->received && r->name == o.name;
		if (r->received && r->name == o.name)
			through[number % o.flows] = true;
		else if (r->received && through[number % o.flows])
			return false;
	}
	return sent > 100 && received * 100 >= sent * 95 && by_victim * 10 >= received;
}

static void begin(bool *through)
{
	__u64 end = now_ns() + 30 * NSEC;

	for (;;) {
		new_flows();
		start_sending();
		usleep((WINDOW + 2 * SETTLE) / 1000);
		if (is_well(through))
			return;
		stop_sending();
		if (now_ns() > end) {
			fputs("march: the function does not come back to life\n", stderr);
			exit(1);
		}
	}
}

/* ---- deaths ---- */

struct death {
	__u64 last;  /* when the last frame came through it */
	__u64 first; /* when the first came another way, 0: not yet */
};

/* Of what was sent since, that number. */
static struct death look(__u64 since, const bool *through)
{
	__u64 number, end = frames_sent();
	struct march_record *r;
	struct death d = {};

	for (number = since; number < end; number++) {
		r = record_of(number);
		if (r->received > d.last && r->name == o.name)
			d.last = r->received;
	}
	for (number = since; number < end; number++) {
		r = record_of(number);
		if (r->received > d.last && r->name != o.name && through[number % o.flows] &&
		    (!d.first || r->received < d.first))
			d.first = r->received;
	}
	return d;
}

static __u64 lost(__u64 number, __u64 end)
{
	__u64 n = 0;

	for (; number < end; number++)
		n += !record_of(number)->received;
	return n;
}

static void one_death(void)
{
	static bool through[MARCH_FLOWS];
	__u64 since, start, end, last;
	struct death d;

	begin(through);
	start = now_ns();
	since = first_since(start - WINDOW);
	if (kill(o.victim, SIGUSR1))
		die("victim");
	end = start + o.patience * NSEC;
	do {
		usleep(SETTLE / 1000);
		d = look(since, through);
	} while (now_ns() < end && (!d.first || now_ns() < d.first + SETTLE));
	stop_sending();
	d = look(since, through);
	last = frames_sent() - 1;
	end = record_of(last)->sent;
	printf("gap_ms=%.3f lost=%llu pps=%.0f\n", ((d.first ?: end) - d.last) / 1e6,
	       lost(since, first_since(end - SETTLE)),
	       (double)(last - since) * NSEC / (end - record_of(since)->sent));
	fflush(stdout);
	if (kill(o.victim, SIGUSR2))
		die("victim");
}

/* ---- counting ---- */

static void count(void)
{
	__u64 received = 0, moves = 0, sent, end = now_ns() + o.seconds * NSEC;
	FILE *file = o.flow_file ? fopen(o.flow_file, "w") : NULL;
	long i;

	if (o.flow_file && !file)
		die(o.flow_file);
	start_sending();
	while (o.count ? frames_sent() < (__u64)o.count : now_ns() < end)
		usleep(1000);
	stop_sending();
	usleep(SETTLE / 1000);
	sent = frames_sent();
	for (i = 0; i < o.flows; i++) {
		received += flows[i].received;
		moves += flows[i].moves;
		if (file)
			fprintf(file, "%u\n", flows[i].name);
	}
	if (file)
		fclose(file);
	printf("sent=%llu received=%llu moves=%llu\n", sent, received, moves);
}

/* ---- the frame, the programs ---- */

static void put_address(__u8 *at, const char *text)
{
	if (!text || inet_pton(AF_INET, text, at) != 1)
		usage(help);
}

static void build(void)
{
	__u8 *frame = (void *)config.head, *ip = frame + MARCH_IP_AT, *udp = frame + MARCH_UDP_AT;

	put_mac(frame, o.dst_mac);
	put_mac(frame + 6, o.src_mac);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, MARCH_BYTES - MARCH_IP_AT);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	put_address(ip + 12, o.src_ip);
	put_address(ip + 16, o.dst_ip);
	put16(ip + 10, ~sum16(0, ip, 20));
	put16(udp + 2, MARCH_PORT);
	put16(udp + 4, MARCH_BYTES - MARCH_UDP_AT);
	config.gap_ns = o.pps ? NSEC / o.pps : 0;
	config.flows = o.flows;
	config.sport = FIRST_PORT;
}

static void *mapped(struct bpf_object *obj, const char *name, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_object__find_map_fd_by_name(obj, name), 0);

	if (at == MAP_FAILED)
		die(name);
	return at;
}

static void attach(struct bpf_object *obj)
{
	LIBBPF_OPTS(bpf_tcx_opts, first, .flags = BPF_F_BEFORE);
	int ifindex = if_nametoindex(o.dev);

	if (!ifindex)
		die(o.dev);
	if (!bpf_program__attach_xdp(bpf_object__find_program_by_name(obj, "arrived_xdp"), ifindex) ||
	    !bpf_program__attach_tcx(bpf_object__find_program_by_name(obj, "arrived_tc"), ifindex, &first))
		die("attach");
}

static void load(void)
{
	struct bpf_object *obj = bpf_object__open(beside("march.bpf.o"));
	struct bpf_map *map;

	if (!obj || bpf_object__load(obj))
		die("march.bpf.o");
	bpf_object__for_each_map(map, obj)
		if (strstr(bpf_map__name(map), ".bss"))
			state_fd = bpf_map__fd(map);
	program_fd = bpf_program__fd(bpf_object__find_program_by_name(obj, "march"));
	records = mapped(obj, "records", sizeof(*records) * MARCH_RECORDS);
	flows = mapped(obj, "flows", sizeof(*flows) * MARCH_FLOWS);
	enter_netns(o.from_ns);
	config.ifindex = if_nametoindex(o.dev);
	if (!config.ifindex)
		die(o.dev);
	enter_netns(o.to_ns);
	attach(obj);
}

static void parse(int argc, char **argv)
{
	const struct flag table[] = {
		{ "from-ns", TEXT, &o.from_ns, 0, 0 },
		{ "to-ns", TEXT, &o.to_ns, 0, 0 },
		{ "dev", TEXT, &o.dev, 0, 0 },
		{ "src-mac", TEXT, &o.src_mac, 0, 0 },
		{ "dst-mac", TEXT, &o.dst_mac, 0, 0 },
		{ "src-ip", TEXT, &o.src_ip, 0, 0 },
		{ "dst-ip", TEXT, &o.dst_ip, 0, 0 },
		{ "flow-file", TEXT, &o.flow_file, 0, 0 },
		{ "pps", NUMBER, &o.pps, 0, 10000000 },
		{ "flows", NUMBER, &o.flows, 1, MARCH_FLOWS },
		{ "cpu", NUMBER, &o.cpu, 0, 1023 },
		{ "deaths", NUMBER, &o.deaths, 1, 1000000 },
		{ "count", NUMBER, &o.count, 1, 1 << 30 },
		{ "victim", NUMBER, &o.victim, 1, 1 << 30 },
		{ "name", NUMBER, &o.name, 1, 255 },
		{ "seconds", SECONDS, &o.seconds, 0, 0 },
		{ "patience", SECONDS, &o.patience, 0, 0 },
		{},
	};

	parse_flags(argc, argv, table, help);
	if (!o.dev || !o.from_ns || !o.to_ns || (o.deaths ? !o.victim || !o.name : !o.seconds == !o.count))
		usage(help);
}

int main(int argc, char **argv)
{
	const struct sigaction act = { .sa_handler = on_signal };
	long i;

	parse(argc, argv);
	sigaction(SIGALRM, &act, NULL);
	build();
	load();
	for (i = 0; i < o.deaths; i++)
		one_death();
	if (!o.deaths)
		count();
	return 0;
}

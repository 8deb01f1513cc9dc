// SPDX-License-Identifier: BSD-2-Clause
/*
 * sink: counts and drops UDP on a device, in native XDP (which also gives the device NAPI) and at
 * TC.
 * Prints "ready", and after --warmup and --seconds "received=N pps=N" of those seconds.
 * With --seconds 0 it counts until SIGTERM ends it. With --turns it also prints "even_pps=N odd_pps=N" of
 * every other turn, by the clock that flood has.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <signal.h>
#include "bench.h"
#include "sink.h"

static const char help[] =
	"sink --dev DEV [--netns NETNS] [--seconds S] [--warmup S] [--proto N] [--tc-only] [--turns MS]";

struct options {
	const char *netns, *dev;
	double seconds, warmup;
	long proto, turns;
	int tc_only;
};

static void on_signal(int sig)
{
	(void)sig;
}

static uint64_t total(int map, int cpus, uint32_t turn)
{
	uint64_t values[cpus], sum = 0;
	int i;

	if (bpf_map_lookup_elem(map, &turn, values))
		die("counter");
	for (i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

static void pause_for(double seconds)
{
	struct timespec t = { seconds, (seconds - (long)seconds) * 1e9 };

	nanosleep(&t, NULL);
}

static struct bpf_object *load(const struct options *o)
{
	struct bpf_object *obj = bpf_object__open(beside("sink.bpf.o"));
	struct bpf_map *map;
	size_t size;

	if (!obj)
		die("sink.bpf.o");
	bpf_object__for_each_map(map, obj)
		if (strstr(bpf_map__name(map), ".rodata"))
			*(struct sink_options *)bpf_map__initial_value(map, &size) =
				(struct sink_options){ o->turns * 1000000UL, o->proto };
	if (bpf_object__load(obj))
		die("sink.bpf.o");
	return obj;
}

static void attach(struct bpf_object *obj, const struct options *o)
{
	int ifindex = if_nametoindex(o->dev);
	LIBBPF_OPTS(bpf_tcx_opts, first, .flags = BPF_F_BEFORE);

	if (!ifindex)
		die(o->dev);
	if (!o->tc_only &&
	    !bpf_program__attach_xdp(bpf_object__find_program_by_name(obj, "sink_xdp"), ifindex))
		die("attach XDP");
	if (!bpf_program__attach_tcx(bpf_object__find_program_by_name(obj, "sink_tc"), ifindex,
				     &first))
		die("attach TCX");
}

static void parse(int argc, char **argv, struct options *o)
{
	const struct flag flags[] = {
		{ "netns", TEXT, &o->netns, 0, 0 },
		{ "dev", TEXT, &o->dev, 0, 0 },
		{ "seconds", SECONDS, &o->seconds, 0, 0 },
		{ "warmup", SECONDS, &o->warmup, 0, 0 },
		{ "proto", NUMBER, &o->proto, 0, 255 },
		{ "turns", NUMBER, &o->turns, 1, 60000 },
		{ "tc-only", SWITCH, &o->tc_only, 0, 0 },
		{},
	};

	parse_flags(argc, argv, flags, help);
	if (!o->dev)
		usage(help);
}

int main(int argc, char **argv)
{
	struct options o = { .proto = 17 };
	const struct sigaction act = { .sa_handler = on_signal };
	uint64_t before[2] = {}, start, count[2], took;
	int map, cpus = libbpf_num_possible_cpus();
	struct bpf_object *obj;

	parse(argc, argv, &o);
	enter_netns(o.netns);
	obj = load(&o);
	map = bpf_object__find_map_fd_by_name(obj, "received");
	attach(obj, &o);
	if (!o.seconds)
		sigaction(SIGTERM, &act, NULL);
	puts("ready");
	fflush(stdout);
	pause_for(o.warmup);
	for (int i = 0; i < 2 && o.seconds; i++)
		before[i] = total(map, cpus, i);
	start = now_ns();
	if (o.seconds)
		pause_for(o.seconds);
	else
		pause();
	for (int i = 0; i < 2; i++)
		count[i] = total(map, cpus, i) - before[i];
	took = now_ns() - start;
	printf("received=%lu pps=%.0f\n", count[0] + count[1], (count[0] + count[1]) * 1e9 / took);
	if (o.turns)
		printf("even_pps=%.0f odd_pps=%.0f\n", count[0] * 2e9 / took, count[1] * 2e9 / took);
	return 0;
}

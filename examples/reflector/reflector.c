// SPDX-License-Identifier: BSD-2-Clause
/*
 * reflector: the smallest service function: lets everything pass.
 *
 *   reflector [-x] DEVICE             one arm: every frame goes back out of the device it came in by
 *   reflector [-x] DEVICE DEVICE2     two arms: what enters one leaves by the other
 *
 * -x: in native XDP, for frames that come by XDP. Prints a line for each VLAN ID and PCP that it has seen, on SIGUSR1 and at its end.
 * Turns GRO on for its devices, so that frames redirected to them by XDP arrive.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARMS 2
#define UNTAGGED 0x10000

static void die(const char *what)
{
	fprintf(stderr, "reflector: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The object file lies beside this program. */
static const char *object_path(void)
{
	static char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(".bpf.o"));

	if (n < 0)
		die("/proc/self/exe");
	strcpy(path + n, ".bpf.o");
	return path;
}

static void gro_on(const char *device)
{
	struct ethtool_value on = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ifreq request = { .ifr_data = (void *)&on };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, SIOCETHTOOL, &request))
		fprintf(stderr, "reflector: no GRO on %s: %s\n", device, strerror(errno));
	close(fd);
}

static struct bpf_object *load(const __u32 *arms)
{
	struct bpf_object *obj = bpf_object__open(object_path());
	struct bpf_map *map;

	if (!obj)
		die(object_path());
	bpf_object__for_each_map(map, obj)
		if (strstr(bpf_map__name(map), ".rodata"))
			bpf_map__set_initial_value(map, arms, ARMS * sizeof(*arms));
	if (bpf_object__load(obj))
		die("load");
	return obj;
}

static void print_counters(int map)
{
	__u32 tci;
	__u64 n;

	for (tci = 0; tci <= UNTAGGED; tci++) {
		if (bpf_map_lookup_elem(map, &tci, &n) || !n)
			continue;
		if (tci == UNTAGGED)
			printf("untagged frames=%llu\n", n);
		else
			printf("vid=%u pcp=%u dei=%u frames=%llu\n", tci & 0xfff, tci >> 13,
			       tci >> 12 & 1, n);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct bpf_program *program;
	__u32 arms[ARMS] = {};
	struct bpf_object *obj;
	sigset_t set;
	int i, sig, xdp = argc > 1 && !strcmp(argv[1], "-x"), n = argc - 1 - xdp;

	if (n < 1 || n > ARMS) {
		fputs("usage: reflector [-x] DEVICE [DEVICE2]\n", stderr);
		return 2;
	}
	for (i = 0; i < ARMS; i++) {
		const char *device = argv[1 + xdp + (i < n ? i : 0)];

		arms[i] = if_nametoindex(device);
		if (!arms[i])
			die(device);
		gro_on(device);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	obj = load(arms);
	program = bpf_object__find_program_by_name(obj, xdp ? "reflect_xdp" : "reflect");
	for (i = 0; i < n; i++)
		if (xdp ? !bpf_program__attach_xdp(program, arms[i]) :
			  !bpf_program__attach_tcx(program, arms[i], NULL))
			die("attach");
	puts("ready");
	fflush(stdout);
	do {
		sigwait(&set, &sig);
		print_counters(bpf_object__find_map_fd_by_name(obj, "frames"));
	} while (sig == SIGUSR1);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * tap_echo: a virtual machine's stand-in as a service function: makes a tap device, holds it, and gives each frame back.
 *
 *   tap_echo [-v] DEVICE
 *
 * With -v it has what virtio has: a header before each frame (vnet_hdr), and takes and gives back unfinished checksums and
 * super-packets. Prints "ready", and on SIGUSR1 and at its end a line for each VLAN ID and PCP that it has seen, and how many frames
 * it lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "examples/tags.h"

#define VNET_HDR 10 /* bytes of struct virtio_net_hdr */

static volatile sig_atomic_t stop, report;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		report = 1;
	else
		stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "tap_echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_up(struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, request))
		die("flags");
	request->ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, request))
		die("up");
	close(fd);
}

static void print_counters(unsigned long lost)
{
	report = 0;
	tags_print();
	printf("lost=%lu\n", lost);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	static unsigned char frame[128 * 1024];
	int vnet_hdr = argc == 3 && !strcmp(argv[1], "-v");
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	unsigned long lost = 0;
	ssize_t len, head = vnet_hdr ? VNET_HDR : 0;
	int fd;

	if (argc != 2 + vnet_hdr) {
		fputs("usage: tap_echo [-v] DEVICE\n", stderr);
		return 2;
	}
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	if (vnet_hdr)
		request.ifr_flags |= IFF_VNET_HDR;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", argv[1 + vnet_hdr]);
	fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		die("/dev/net/tun");
	if (vnet_hdr && ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
		die("TUNSETOFFLOAD");
	set_up(&request);
	puts("ready");
	fflush(stdout);
	while (!stop) {
		len = read(fd, frame, sizeof(frame));
		if (len > head)
			tag_count(frame + head, (size_t)(len - head));
		if (len > 0 && write(fd, frame, (size_t)len) != len)
			lost++;
		if (report)
			print_counters(lost);
	}
	print_counters(lost);
	return 0;
}

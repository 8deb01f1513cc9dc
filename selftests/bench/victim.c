// SPDX-License-Identifier: BSD-2-Clause
/*
 * victim: a one-armed function that dies when it is told so, and comes back. It reflects, and writes its name into
 * frames of march, so that who gets them knows which way they came.
 *
 *   --kind hole      a BPF reflector, which turns into a black hole by a value in a map: nobody is told
 *   --kind link      the same, whose device goes down
 *   --kind process   a process with a packet socket, which is killed
 *
 * SIGUSR1 kills it, SIGUSR2 revives it. Prints "ready".
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "bench.h"
#include "march.h"

static const char help[] =
	"victim --netns NETNS --dev DEV --name N --kind hole|link|process [--xdp] [--cpu C]";

#define ROOM (16 << 20)
#define MAX_FRAME 65536

struct options {
	const char *netns, *dev, *kind;
	long name, cpu;
	int xdp;
};

/* ---- the reflectors ---- */

static int state_map;

static void set_dead(const struct options *o, int dead)
{
	struct victim_state state = { .dead = dead, .name = o->name };
	__u32 zero = 0;

	if (bpf_map_update_elem(state_map, &zero, &state, 0))
		die("state");
}

static void reflect(const struct options *o)
{
	struct bpf_object *obj = bpf_object__open(beside("victim.bpf.o"));
	int ifindex = if_nametoindex(o->dev);
	struct bpf_program *program;
	struct bpf_map *map;

	if (!obj || bpf_object__load(obj))
		die("victim.bpf.o");
	bpf_object__for_each_map(map, obj)
		if (strstr(bpf_map__name(map), ".bss"))
			state_map = bpf_map__fd(map);
	set_dead(o, 0);
	program = bpf_object__find_program_by_name(obj, o->xdp ? "victim_xdp" : "victim_tc");
	if (o->xdp ? !bpf_program__attach_xdp(program, ifindex) :
		     !bpf_program__attach_tcx(program, ifindex, NULL))
		die("attach");
}

static void set_link(const struct options *o, int up)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = {};

	strncpy(request.ifr_name, o->dev, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		die(o->dev);
	request.ifr_flags = up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die(o->dev);
	close(fd);
}

/* ---- the process ---- */

static int packet_socket(const struct options *o)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = if_nametoindex(o->dev) };
	struct packet_mreq all = { .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1, room = ROOM;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (void *)&at, sizeof(at)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)))
		die(o->dev);
	return fd;
}

/* The kernel hands a tag over beside the frame. A length of 0: none came. */
static size_t receive(int fd, __u8 *frame, int *tag)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = { frame + TAG_BYTES, MAX_FRAME };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, 0);
	struct tpacket_auxdata *aux;
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	*tag = -1;
	if (c && c->cmsg_type == PACKET_AUXDATA) {
		aux = (void *)CMSG_DATA(c);
		if (aux->tp_status & TP_STATUS_VLAN_VALID)
			*tag = aux->tp_vlan_tci;
	}
	return n > 0 ? n : 0;
}

static void pass_frames(const struct options *o)
{
	static __u8 frame[TAG_BYTES + MAX_FRAME];
	int fd = packet_socket(o), tag;
	__u8 *data = frame + TAG_BYTES;
	size_t n;

	while ((n = receive(fd, frame, &tag))) {
		if (n >= MARCH_BYTES && data[MARCH_UDP_AT + 2] == MARCH_PORT >> 8 &&
		    data[MARCH_UDP_AT + 3] == (MARCH_PORT & 0xff))
			data[MARCH_NAME_AT] = o->name;
		if (tag < 0) {
			send(fd, data, n, 0);
			continue;
		}
		memmove(frame, data, 2 * ETH_ALEN);
		put16(frame + 2 * ETH_ALEN, ETH_P_8021Q);
		put16(frame + 2 * ETH_ALEN + 2, tag);
		send(fd, frame, n + TAG_BYTES, 0);
	}
	exit(1);
}

/* ---- life and death ---- */

static pid_t child;

static void start_process(const struct options *o)
{
	child = fork();
	if (child < 0)
		die("fork");
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pass_frames(o);
}

static void change(const struct options *o, int dead)
{
	if (!strcmp(o->kind, "hole")) {
		set_dead(o, dead);
	} else if (!strcmp(o->kind, "link")) {
		set_link(o, !dead);
	} else if (dead) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	} else {
		start_process(o);
	}
}

int main(int argc, char **argv)
{
	struct options o = { .cpu = -1 };
	const struct flag flags[] = {
		{ "netns", TEXT, &o.netns, 0, 0 },
		{ "dev", TEXT, &o.dev, 0, 0 },
		{ "kind", TEXT, &o.kind, 0, 0 },
		{ "name", NUMBER, &o.name, 1, 255 },
		{ "cpu", NUMBER, &o.cpu, 0, 1023 },
		{ "xdp", SWITCH, &o.xdp, 0, 0 },
		{},
	};
	int sig, dead = 0;
	sigset_t set;

	parse_flags(argc, argv, flags, help);
	if (!o.dev || !o.name || !o.kind ||
	    (strcmp(o.kind, "hole") && strcmp(o.kind, "link") && strcmp(o.kind, "process")))
		usage(help);
	pin_to(o.cpu);
	enter_netns(o.netns);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (strcmp(o.kind, "process"))
		reflect(&o);
	else
		start_process(&o);
	puts("ready");
	fflush(stdout);
	for (;;) {
		sigwait(&set, &sig);
		if (dead == (sig == SIGUSR1))
			continue;
		dead = sig == SIGUSR1;
		change(&o, dead);
	}
}

// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/lockout.h"
#include "loader/netlink.h"
#include "loader/system.h"

#define WAYS_MAX  64
#define DEPTH_MAX 8 /* bridges on bonds on VLANs… */
#define ENVIRON   65536
#define SSH       "SSH_CONNECTION="

/* A device that the host is reached by, and why it is thought so. */
struct way {
	unsigned int ifindex;
	const char *what;
};

struct ways {
	struct way list[WAYS_MAX];
	int n;
};

/* With what it stands on: the device below a VLAN or a macvlan carries all of it. */
static void add_way(struct ways *ways, unsigned int ifindex, const char *what)
{
	struct nl_link link;

	for (int depth = 0; ifindex && depth < DEPTH_MAX && ways->n < WAYS_MAX; depth++) {
		ways->list[ways->n++] = (struct way){ ifindex, what };
		if (nl_link_by_index(ifindex, &link) || link.peer_elsewhere ||
		    !strcmp(link.kind, "veth"))
			break;
		ifindex = link.peer;
	}
}

/* The variable in a process's first environment; sudo takes it from those that it starts, not from itself. */
static const char *ssh_of(pid_t pid, char *buf, size_t size)
{
	const char *found = NULL;
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	n = read(fd, buf, size - 1);
	close(fd);
	for (ssize_t at = 0; at < n && !found; at += (ssize_t)strlen(buf + at) + 1) {
		buf[n] = '\0';
		if (!strncmp(buf + at, SSH, strlen(SSH)))
			found = buf + at + strlen(SSH);
	}
	return found;
}

/* The address of who sits at the other end of this session; "" if it is none of SSH's. */
static void ssh_peer(char *address, size_t size)
{
	char *buf = malloc(ENVIRON);
	const char *found = getenv("SSH_CONNECTION");

	for (pid_t pid = getppid(); buf && !found && pid > 1; pid = process_parent(pid))
		found = ssh_of(pid, buf, ENVIRON);
	snprintf(address, size, "%.*s", found ? (int)strcspn(found, " %") : 0, found ? found : "");
	free(buf);
}

static void find_ways(struct ways *ways)
{
	unsigned int devices[WAYS_MAX / 2];
	int n = nl_default_routes(devices, WAYS_MAX / 2);
	char peer[64];

	ways->n = 0;
	ssh_peer(peer, sizeof(peer));
	if (*peer)
		add_way(ways, nl_route_to(peer), "the way to the other end of this SSH session");
	for (int i = 0; i < n && i < WAYS_MAX / 2; i++)
		add_way(ways, devices[i], "this host's default route");
}

/* What would be lost with the device, or NULL. A tap in a bridge is one of many ports of it, and no way of the host's. */
static const char *way_over(const struct ways *ways, unsigned int ifindex)
{
	struct nl_link link;

	for (int depth = 0; ifindex && depth < DEPTH_MAX; depth++) {
		for (int i = 0; i < ways->n; i++)
			if (ways->list[i].ifindex == ifindex)
				return ways->list[i].what;
		if (nl_link_by_index(ifindex, &link) || !strcmp(link.kind, "tun"))
			break;
		ifindex = link.master;
	}
	return NULL;
}

/* What has weft's programs already loses nothing. */
static bool is_new(const struct facts *facts, const struct fact *f)
{
	if (!f->present || f->attached || f->role == ROLE_UNDERLAY)
		return false;
	for (int i = 0; i < facts->n_attachments; i++) {
		const struct attachment *a = &facts->attachments[i];

		if (a->present && a->role != ROLE_UNDERLAY && !strcmp(a->device, f->device))
			return false;
	}
	return true;
}

int lockout_check(struct facts *facts, struct error *e)
{
	struct ways ways = { .n = -1 };
	const char *what;

	for (struct fact *f = facts->by_device; f; f = f->hh.next) {
		if (!is_new(facts, f))
			continue;
		if (ways.n < 0)
			find_ways(&ways);
		what = way_over(&ways, f->info.ifindex);
		if (!what)
			continue;
		error_set(
			e, EXIT_REFUSED,
			"%s: device %s carries %s, which would be lost: give it another device, or --force",
			f->user, f->device, what);
		if (!facts_excuse(facts, f, e))
			return -1;
	}
	return 0;
}

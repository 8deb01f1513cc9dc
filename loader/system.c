// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "loader/rights.h"
#include "loader/system.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define NETNS_DIR "/run/netns"

int netns_enter(const char *name, struct error *e)
{
	char path[4096], quoted[ERROR_QUOTE_SIZE];
	bool raised;
	int fd, err;

	error_quote(quoted, sizeof(quoted), name);
	snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : NETNS_DIR "/", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(e, EXIT_REFUSED,
				 "network namespace %s: %s: `ip netns list` shows those there are",
				 quoted, strerror(errno));
	raised = rights_raise(CAP_SYS_ADMIN);
	err = setns(fd, CLONE_NEWNET) ? errno : 0;
	if (raised)
		rights_lower(CAP_SYS_ADMIN);
	close(fd);
	if (err == EINVAL)
		return error_set(e, EXIT_REFUSED, "%s is not a network namespace", quoted);
	if (err)
		return error_set(
			e, EXIT_REFUSED, "cannot enter network namespace %s: %s%s", quoted,
			strerror(err),
			err == EPERM
				? ": cap_sys_admin is missing: run as root, or without -n inside of it"
				: "");
	return 0;
}

uint64_t netns_cookie(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	close(fd);
	return cookie;
}

bool netns_find(uint64_t cookie, char *name, size_t size)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	bool found = false, raised = rights_raise(CAP_SYS_ADMIN);
	DIR *dir = opendir(NETNS_DIR);
	struct dirent *entry;

	while (home >= 0 && dir && !found && (entry = readdir(dir))) {
		int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (!setns(fd, CLONE_NEWNET)) {
			found = netns_cookie() == cookie;
			if (found)
				snprintf(name, size, "%s", entry->d_name);
			if (setns(home, CLONE_NEWNET))
				abort(); /* nothing may go on in a namespace that nobody asked for */
		}
		close(fd);
	}
	if (raised)
		rights_lower(CAP_SYS_ADMIN);
	if (dir)
		closedir(dir);
	if (home >= 0)
		close(home);
	return found;
}

pid_t process_parent(pid_t pid)
{
	char path[64];
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* A program whose name has a bracket ends the search. */
	if (fscanf(file, "%*d (%*16[^\n)]%*[)] %*c %d", &parent) != 1)
		parent = 0;
	fclose(file);
	return parent;
}

uint32_t kernel_version(void)
{
	unsigned int major = 0, minor = 0, patch = 0;
	struct utsname uts;

	if (uname(&uts) || sscanf(uts.release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return 0;
	return major << 16 | minor << 8 | (patch > 255 ? 255 : patch);
}

uint32_t kernel_hz(void)
{
	struct timespec tick;

	/* The coarse clocks advance once a tick, and say so. */
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_nsec <= 0)
		return 250;
	return (uint32_t)((1000000000L + tick.tv_nsec / 2) / tick.tv_nsec);
}

void raise_memlock(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (kernel_version() < (5u << 16 | 11u << 8))
		setrlimit(RLIMIT_MEMLOCK, &all);
}

int sysctl_write(const char *path, const char *value)
{
	char full[512];
	int fd, err = 0;

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loader/audit.h"
#include "loader/commit.h"
#include "loader/confirm.h"
#include "loader/confirm_timer.h"
#include "loader/config/tree.h"
#include "loader/grace.h"
#include "loader/origin.h"
#include "loader/statedir.h"

/* The process holds a lock on this file while it lives; who asks for the lock is told its pid. */
#define LOCK "confirm.lock"

/* After a revert that was refused, say by a device that has another program now. */
#define RETRY_MS        2000

#define REVERT_PRIORITY -15

#define STOP_TRIES      400
#define STOP_PAUSE_US   5000

static int lock_file(const struct root *root, struct error *e)
{
	char path[PATH_MAX];
	int fd;

	if (statedir_path(root, LOCK, path, sizeof(path), e))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? error_set(e, EXIT_REFUSED, "file %s: %s", path, strerror(errno)) : fd;
}

/* The pid of the process that waits, 0 if none does. */
static pid_t holder(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

/*
 * The end of a session may kill all that is in its control group (KillUserProcesses= of logind), sudo's root processes
 * included. Where there is no such hierarchy, or it may not be written, one stays where one is.
 */
static void leave_control_group(void)
{
	static const char *const roots[] = { "/sys/fs/cgroup/cgroup.procs",
					     "/sys/fs/cgroup/unified/cgroup.procs",
					     "/sys/fs/cgroup/systemd/cgroup.procs" };

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		int fd = open(roots[i], O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "0", 1) < 0)
			errno = 0;
		if (fd >= 0)
			close(fd);
	}
}

/* A state directory that is named from the working directory stays the same one. */
static void leave_directory(void)
{
	const char *base = getenv("WEFT_STATE_DIR");
	char *whole = base && *base ? realpath(base, NULL) : NULL;

	if (whole && !setenv("WEFT_STATE_DIR", whole, 1))
		base = whole;
	if ((!base || !*base || *base == '/') && chdir("/"))
		errno = 0;
	free(whole);
}

/* Nothing of the caller's stays: its terminal, its files, its locks, its directory. `keep` is above 2. */
static void detach(int keep)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	/* The agent has them blocked. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "weft-confirm");
	leave_control_group();
	leave_directory();
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (keep > 3)
		close_range(3, (unsigned int)keep - 1, 0);
	close_range((unsigned int)keep + 1, ~0u, 0);
	audit_detach();
}

static void pause_for(long long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	clock_nanosleep(CLOCK_BOOTTIME, 0, &t, NULL);
}

/* Tenants that the way back is about: all that they have is in the tree, whatever lies in their `rules` meanwhile. */
static json_t *tenants_between(const json_t *from, const json_t *to)
{
	json_t *diff = config_diff(from, to), *named = commit_tenants(diff);

	json_decref(diff);
	return named;
}

/* It is done in the name of who asked for the change. */
static json_t *origin_of(const json_t *record)
{
	json_t *origin = json_copy(json_object_get(record, "origin"));

	json_object_set_new(
		origin, "command",
		json_sprintf("(not confirmed: `%s` is taken back)", origin_command(origin)));
	json_object_del(origin, "files");
	return origin;
}

static int go_back(const struct root *root, json_t *record, struct error *e)
{
	json_t *tree = json_object_get(record, "tree"), *named;
	struct state state;
	int result;

	if (state_read(root, &state, e))
		return -1;
	named = tenants_between(state.tree, tree);

	struct commit c = {
		.root = root,
		.state = &state,
		.wanted = tree,
		.named = named,
		.own_rules = true,
		.force = true,
		.strand = true,
		.accepted = tree,
		.origin = origin_of(record),
		.ends_confirmation = true,
		.reverts = (unsigned long)json_integer_value(json_object_get(record, "state")),
	};

	/* There is half a second, also on a machine that has much else to do. */
	setpriority(PRIO_PROCESS, 0, REVERT_PRIORITY);
	grace_hurry(GRACE_AT_ONCE);
	result = commit_run(&c, e);
	grace_relax();
	commit_free(&c);
	json_decref(c.origin);
	json_decref(named);
	state_free(&state);
	return result;
}

/* 0: done, or nothing is to be done any more; 1: look again after *wait ms. */
static int look(const struct root *place, long long *wait)
{
	struct error e = { 0 };
	struct root root;
	json_t *record;
	int again = 1;

	*wait = RETRY_MS;
	/* An unload took everything with it. */
	if (access(place->path, F_OK))
		return 0;
	if (root_open(&root, place->path, true, &e))
		return 1;
	record = confirm_read(&root);
	if (!record || (*wait = confirm_remaining(record)) > 0) {
		again = record != NULL;
	} else if (go_back(&root, record, &e) == EXIT_DONE) {
		confirm_end(&root);
		again = 0;
	} else {
		*wait = RETRY_MS;
		json_object_set_new(record, "failure", json_string(e.text));
		confirm_write(&root, record, NULL);
	}
	json_decref(record);
	root_close(&root);
	return again;
}

static void run(const struct root *root, int ready)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	json_t *record;
	long long wait;
	bool other;
	int fd;

	ready = fcntl(ready, F_DUPFD_CLOEXEC, 3);
	if (ready < 0)
		_exit(1);
	detach(ready);
	fd = lock_file(root, NULL);
	record = confirm_read(root);
	if (fd < 0 || !record)
		_exit(1);
	other = fcntl(fd, F_SETLK, &lock);
	if (other && errno != EAGAIN && errno != EACCES)
		_exit(1);
	if (write(ready, "", 1) != 1 || other)
		_exit(0);
	close(ready);
	wait = confirm_remaining(record);
	json_decref(record);
	do
		pause_for(wait > 0 ? wait : 0);
	while (look(root, &wait));
	_exit(0);
}

int confirm_timer_start(const struct root *root, struct error *e)
{
	bool started;
	int ends[2];
	char byte;
	pid_t child;

	fflush(NULL);
	if (pipe2(ends, O_CLOEXEC))
		return error_set(e, EXIT_REFUSED, "confirm: no pipe: %s", strerror(errno));
	child = fork();
	if (!child) {
		setsid();
		child = fork();
		if (!child)
			run(root, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	/* It writes when it waits; if it cannot, nobody has the other end open any more. */
	started = child > 0 && read(ends[0], &byte, 1) == 1;
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return started ? 0
		       : error_set(
				 e, EXIT_REFUSED,
				 "confirm: no process can be started that would take the change back");
}

void confirm_timer_stop(const struct root *root)
{
	int fd = lock_file(root, NULL);
	pid_t pid;

	if (fd < 0)
		return;
	/* It waits for the root's lock at most, which is ours. The next one must not take it for alive. */
	for (int i = 0; i < STOP_TRIES && (pid = holder(fd)) > 0; i++) {
		kill(pid, SIGTERM);
		usleep(STOP_PAUSE_US);
	}
	close(fd);
}

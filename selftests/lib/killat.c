// SPDX-License-Identifier: BSD-2-Clause
/*
 * killat: runs a command and kills it (SIGKILL) at one of the system calls by which it changes something: maps,
 * programs, links and pins of BPF, names in file systems, requests to netlink that are no questions, and settings of
 * devices by ethtool.
 *
 *   killat [-o FILE] count CMD...       prints how many such calls there are; its status is the command's
 *   killat [-o FILE] list CMD...        prints each, numbered from 1
 *   killat [-o FILE] before N CMD...    kills before the Nth takes place, and prints which that is
 *   killat [-o FILE] after N CMD...     kills as soon as the Nth is done
 *   killat [-o FILE] step CMD...        prints each and waits for a line on standard input before it takes place;
 *                                       "end STATUS" at the end. Between two calls the world is as after a kill.
 *
 * What the command prints goes to FILE, or nowhere. Status of before and after: 0 killed, 3 it ended before.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* linux/ptrace.h and sys/ptrace.h do not go together. */
struct syscall_info {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t instruction_pointer, stack_pointer;
	struct {
		uint64_t number, argument[6];
	} entry;
};

#define GET_SYSCALL_INFO 0x420e
#define OP_ENTRY 1
#define OP_EXIT 2

enum { KILLED = 0, USAGE = 1, FAILED = 2, ENDED = 3 };
enum mode { COUNT, LIST, BEFORE, AFTER, STEP };

static int die(const char *what)
{
	fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
	exit(FAILED);
}

static bool fetch(pid_t pid, uint64_t from, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)(uintptr_t)from, size };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* The names of the bpf() commands that change something; NULL for those that ask. */
static const char *bpf_change(uint64_t command)
{
	switch (command) {
	case BPF_MAP_UPDATE_ELEM:
		return "bpf map update";
	case BPF_MAP_DELETE_ELEM:
		return "bpf map delete";
	case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
		return "bpf map take";
	case BPF_MAP_UPDATE_BATCH:
		return "bpf map update batch";
	case BPF_MAP_DELETE_BATCH:
		return "bpf map delete batch";
	case BPF_MAP_FREEZE:
		return "bpf map freeze";
	case BPF_PROG_ATTACH:
		return "bpf program attach";
	case BPF_PROG_DETACH:
		return "bpf program detach";
	case BPF_LINK_CREATE:
		return "bpf link create";
	case BPF_LINK_UPDATE:
		return "bpf link update";
	case BPF_LINK_DETACH:
		return "bpf link detach";
	case BPF_OBJ_PIN:
		return "bpf pin";
	}
	return NULL;
}

static int domain_of(pid_t pid, uint64_t fd)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0), copy, domain = -1;
	socklen_t len = sizeof(domain);

	if (process < 0)
		return -1;
	copy = (int)syscall(SYS_pidfd_getfd, process, (int)fd, 0);
	if (copy >= 0) {
		getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &len);
		close(copy);
	}
	close(process);
	return domain;
}

/* RTM_GET* are questions, and so is all that weft asks of generic netlink, whose families' numbers are dynamic. */
static bool netlink_changes(pid_t pid, uint64_t fd, uint64_t message)
{
	struct nlmsghdr h;

	if (domain_of(pid, fd) != AF_NETLINK || !fetch(pid, message, &h, sizeof(h)))
		return false;
	return h.nlmsg_type >= RTM_BASE && h.nlmsg_type < RTM_MAX && (h.nlmsg_type - RTM_BASE) % 4 != 2 &&
	       h.nlmsg_flags & NLM_F_REQUEST && !(h.nlmsg_flags & NLM_F_ECHO);
}

static bool message_changes(pid_t pid, uint64_t fd, uint64_t header)
{
	struct msghdr m;
	struct iovec first;

	return fetch(pid, header, &m, sizeof(m)) && m.msg_iovlen &&
	       fetch(pid, (uint64_t)(uintptr_t)m.msg_iov, &first, sizeof(first)) &&
	       netlink_changes(pid, fd, (uint64_t)(uintptr_t)first.iov_base);
}

static bool ethtool_changes(pid_t pid, uint64_t request)
{
	struct ifreq r;
	uint32_t command;

	if (!fetch(pid, request, &r, sizeof(r)) ||
	    !fetch(pid, (uint64_t)(uintptr_t)r.ifr_data, &command, sizeof(command)))
		return false;
	return command == ETHTOOL_SFEATURES;
}

static const char *name_change(uint64_t number)
{
	switch (number) {
#ifdef SYS_unlink
	case SYS_unlink:
	case SYS_rename:
	case SYS_mkdir:
	case SYS_rmdir:
	case SYS_chmod:
	case SYS_chown:
#endif
	case SYS_unlinkat:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_mkdirat:
	case SYS_fchmodat:
	case SYS_fchownat:
		return "name or mode of a file";
	}
	return NULL;
}

/* What a system call changes, or NULL. */
static const char *change(pid_t pid, const struct syscall_info *call)
{
	const uint64_t *a = call->entry.argument;

	switch (call->entry.number) {
	case SYS_bpf:
		return bpf_change(a[0]);
	case SYS_sendto:
		return netlink_changes(pid, a[0], a[1]) ? "netlink" : NULL;
	case SYS_sendmsg:
		return message_changes(pid, a[0], a[1]) ? "netlink" : NULL;
	case SYS_ioctl:
		return a[1] == SIOCETHTOOL && ethtool_changes(pid, a[2]) ? "ethtool" : NULL;
	}
	return name_change(call->entry.number);
}

static pid_t start(char **command, const char *output)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || ptrace(PTRACE_TRACEME, 0, 0, 0))
		_exit(127);
	close(fd);
	raise(SIGSTOP);
	execvp(command[0], command);
	_exit(127);
}

static int finish_off(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == pid && !WIFSIGNALED(status) && !WIFEXITED(status))
		ptrace(PTRACE_CONT, pid, 0, 0);
	return KILLED;
}

/* The end of the command without a kill. */
static int ended(enum mode mode, unsigned int n, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	if (mode == COUNT)
		printf("%u\n", n);
	if (mode == STEP)
		printf("end %d\n", code);
	return mode == BEFORE || mode == AFTER ? ENDED : code;
}

static int follow(pid_t pid, enum mode mode, unsigned int at)
{
	struct syscall_info call;
	bool last = false;
	unsigned int n = 0;
	int status, pass = 0;
	char line[64];

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, pass) || waitpid(pid, &status, 0) != pid)
			die("the command cannot be followed");
		if (WIFEXITED(status) || WIFSIGNALED(status))
			return ended(mode, n, status);
		pass = WSTOPSIG(status);
		if (pass != (SIGTRAP | 0x80)) {
			pass = pass == SIGTRAP ? 0 : pass; /* SIGTRAP: its execve is done */
			continue;
		}
		pass = 0;
		if (ptrace((enum __ptrace_request)GET_SYSCALL_INFO, pid, sizeof(call), &call) < 0)
			die("PTRACE_GET_SYSCALL_INFO");
		if (call.op == OP_EXIT && last)
			return finish_off(pid);

		const char *what = call.op == OP_ENTRY ? change(pid, &call) : NULL;

		if (!what)
			continue;
		n++;
		if (mode == LIST || mode == STEP || ((mode == BEFORE || mode == AFTER) && n == at))
			printf("%u %s\n", n, what);
		if (mode == BEFORE && n == at)
			return finish_off(pid);
		last = mode == AFTER && n == at;
		if (mode == STEP && !fgets(line, sizeof(line), stdin))
			return finish_off(pid);
	}
}

static int usage(void)
{
	fputs("usage: killat [-o FILE] count|list|step|before N|after N CMD...\n", stderr);
	return USAGE;
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "count", "list", "before", "after", "step" };
	const char *output = "/dev/null";
	unsigned int mode = 0, at = 0;
	int status, i = 1;
	char *end;
	pid_t pid;

	if (i + 1 < argc && !strcmp(argv[i], "-o")) {
		output = argv[i + 1];
		i += 2;
	}
	while (i < argc && mode < 5 && strcmp(argv[i], modes[mode]))
		mode++;
	if (i++ >= argc || mode == 5)
		return usage();
	if (mode == BEFORE || mode == AFTER) {
		at = i < argc ? (unsigned int)strtoul(argv[i], &end, 10) : 0;
		if (!at || *end)
			return usage();
		i++;
	}
	if (i >= argc)
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	pid = start(argv + i, output);
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		die(argv[i]);
	return follow(pid, mode, at);
}

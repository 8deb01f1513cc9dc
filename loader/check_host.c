// SPDX-License-Identifier: BSD-2-Clause
/* weft check-host: can this machine run weft, and how well? Tries things, and leaves nothing behind. */
#define _GNU_SOURCE 1
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loader/bpf_log.h"
#include "loader/commands.h"
#include "loader/netlink.h"
#include "loader/probe.h"
#include "loader/system.h"

enum grade { GOOD, LESS, BAD };

struct finding {
	enum grade grade;
	char text[256];
};

static struct finding found(enum grade grade, const char *text)
{
	struct finding f = { .grade = grade };

	snprintf(f.text, sizeof(f.text), "%s", text);
	return f;
}

/* ---- what is looked at ---- */

static struct finding check_kernel(void)
{
	struct finding f = { GOOD, "" };
	struct error e = { 0 };
	uint32_t v = kernel_version();

	if (probe_bpf(&e)) {
		f.grade = BAD;
		snprintf(f.text, sizeof(f.text), "%.250s", e.text);
	} else {
		snprintf(f.text, sizeof(f.text), "%u.%u, BPF programs load, with type information",
			 v >> 16, v >> 8 & 255);
	}
	return f;
}

static struct finding check_jit(void)
{
	int fd = open("/proc/sys/net/core/bpf_jit_enable", O_RDONLY | O_CLOEXEC);
	char value = '1';

	/* The file is missing where the JIT cannot be turned off. */
	if (fd >= 0) {
		if (read(fd, &value, 1) != 1)
			value = '1';
		close(fd);
	}
	return value == '0'
		       ? found(LESS,
			       "off: programs are interpreted, several times slower; sysctl net.core.bpf_jit_enable=1")
		       : found(GOOD, "on");
}

static struct finding check_bpffs(void)
{
	struct statfs fs;

	if (!statfs("/sys/fs/bpf", &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC)
		return found(GOOD, "mounted at /sys/fs/bpf");
	return found(LESS, "not mounted at /sys/fs/bpf: `weft load` mounts it");
}

static struct finding check_tc(void)
{
	struct nl_link lo;

	if (probe_tcx())
		return found(GOOD, "TCX links");
	/* In a namespace of our own, so the qdisc goes with it. */
	if (nl_link_get("lo", &lo) || nl_clsact_add(lo.ifindex))
		return found(
			BAD,
			"neither TCX (6.6) nor a clsact qdisc: the kernel needs CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF");
	return found(GOOD, "clsact filters (TCX needs 6.6)");
}

static struct finding check_maps(void)
{
	static const struct {
		enum bpf_map_type type;
		const char *name;
	} types[] = {
		{ BPF_MAP_TYPE_HASH, "hash" },
		{ BPF_MAP_TYPE_LRU_HASH, "lru_hash" },
		{ BPF_MAP_TYPE_PERCPU_ARRAY, "percpu_array" },
		{ BPF_MAP_TYPE_QUEUE, "queue" },
		{ BPF_MAP_TYPE_RINGBUF, "ringbuf" },
		{ BPF_MAP_TYPE_ARRAY_OF_MAPS, "array_of_maps" },
	};
	struct finding f = { GOOD, "all kinds that weft uses" };
	size_t at = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (libbpf_probe_bpf_map_type(types[i].type, NULL) != 1) {
			f.grade = BAD;
			at += (size_t)snprintf(f.text + at, sizeof(f.text) - at, "%s%s",
					       at ? ", " : "missing: ", types[i].name);
		}
	return f;
}

static struct finding check_helpers(void)
{
	static const struct {
		enum bpf_prog_type type;
		enum bpf_func_id id;
		const char *name;
	} helpers[] = {
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_adjust_room, "skb_adjust_room" },
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_change_head, "skb_change_head" },
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_clone_redirect, "clone_redirect" },
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_redirect_peer, "redirect_peer" },
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_fib_lookup, "fib_lookup" },
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_probe_read_kernel,
		  "probe_read_kernel (lockdown=confidentiality forbids it)" },
		{ BPF_PROG_TYPE_XDP, BPF_FUNC_fib_lookup, "fib_lookup in XDP" },
		{ BPF_PROG_TYPE_XDP, BPF_FUNC_loop, "loop" },
	};
	struct finding f = { GOOD, "all that weft calls" };
	size_t at = 0;

	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (libbpf_probe_bpf_helper(helpers[i].type, helpers[i].id, NULL) != 1) {
			f.grade = BAD;
			at += (size_t)snprintf(f.text + at, sizeof(f.text) - at, "%s%s",
					       at ? ", " : "missing: ", helpers[i].name);
		}
	return f;
}

static struct finding check_vxlan(void)
{
	static const uint8_t mac[6] = { 0x02, 'w', 'e', 'f', 't', 0 };
	int err = nl_vxlan_create("weft-check", mac, 4789);

	if (!err)
		return found(GOOD, "devices can be made");
	return found(BAD,
		     "no VXLAN devices: load the module vxlan, or use a kernel with CONFIG_VXLAN");
}

static struct finding check_xdp(void)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 2 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "weft_probe", "GPL", pass, 2, NULL), err;
	struct nl_link link;

	if (fd < 0)
		return found(LESS, "XDP programs do not load: mode tc only");
	err = nl_veth_create("weft-check0", "weft-check1");
	if (!err)
		err = nl_link_get("weft-check0", &link);
	if (!err)
		err = bpf_xdp_attach((int)link.ifindex, fd, XDP_FLAGS_DRV_MODE, NULL);
	close(fd);
	if (err)
		return found(LESS, "no native XDP on veth: mode tc only there");
	return found(GOOD, "native XDP on veth");
}

static struct finding check_decap(void)
{
	return probe_decap_l3()
		       ? found(GOOD, "the inner family can be told")
		       : found(LESS,
			       "the inner family cannot be told (6.3): IPv6 in IPv4 tunnels takes a slower way");
}

static const struct check {
	const char *name;
	struct finding (*look)(void);
} checks[] = {
	{ "kernel", check_kernel }, { "jit", check_jit },         { "bpffs", check_bpffs },
	{ "maps", check_maps },     { "helpers", check_helpers }, { "tc", check_tc },
	{ "xdp", check_xdp },       { "decap", check_decap },     { "vxlan", check_vxlan },
};

#define CHECKS (sizeof(checks) / sizeof(checks[0]))

/* ---- how ---- */

/* In a child with a network namespace of its own: whatever is made there goes with it. */
static int look_all(struct finding *findings, struct error *e)
{
	int fds[2], status;
	pid_t child;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) || (child = fork()) < 0)
		return error_set(e, EXIT_REFUSED, "check-host: %s", strerror(errno));
	if (!child) {
		struct finding results[CHECKS];

		bpf_log_capture();
		raise_memlock();
		if (unshare(CLONE_NEWNET))
			_exit(1);
		for (size_t i = 0; i < CHECKS; i++)
			results[i] = checks[i].look();
		_exit(write(fds[1], results, sizeof(results)) != (ssize_t)sizeof(results));
	}
	close(fds[1]);
	n = read(fds[0], findings, sizeof(*findings) * CHECKS);
	close(fds[0]);
	waitpid(child, &status, 0);
	if (n != (ssize_t)(sizeof(*findings) * CHECKS))
		return error_set(e, EXIT_REFUSED,
				 "check-host: cannot make a network namespace to try things in");
	return 0;
}

int cmd_check_host(struct command_line *cl, struct error *e)
{
	static const char *const grades[] = { "ok", "less", "bad" };
	struct finding findings[CHECKS];
	json_t *out = json_object();
	enum grade worst = GOOD;

	if (look_all(findings, e)) {
		json_decref(out);
		return -1;
	}
	for (size_t i = 0; i < CHECKS; i++) {
		const struct finding *f = &findings[i];

		worst = f->grade > worst ? f->grade : worst;
		if (!cl->json)
			printf("%-4s %-8s %s\n", grades[f->grade], checks[i].name, f->text);
		json_object_set_new(
			out, checks[i].name,
			json_pack("{s:s, s:s}", "grade", grades[f->grade], "text", f->text));
	}
	if (cl->json && cli_json(cl, json_incref(out), e))
		worst = BAD;
	json_decref(out);
	if (worst == BAD)
		return error_set(e, EXIT_REFUSED,
				 "check-host: this host cannot run weft: see the lines marked bad");
	return EXIT_DONE;
}

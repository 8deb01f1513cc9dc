// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loader/probe.h"
#include "loader/system.h"

#define KERNEL_MIN_MAJOR 6
#define KERNEL_MIN_MINOR 1

/* Asked of the kernel's own type information, since a distribution may have backported it. */
static struct btf *kernel_btf(void)
{
	static struct btf *btf;
	static bool tried;

	if (!tried)
		btf = btf__load_vmlinux_btf();
	tried = true;
	return btf;
}

bool probe_tcx(void)
{
	static int known = -1;
	LIBBPF_OPTS(bpf_prog_query_opts, opts);

	/* Index 1 is the loopback device of every namespace. A kernel without TCX does not know the attach type. */
	if (known < 0)
		known = bpf_prog_query_opts(1, BPF_TCX_INGRESS, &opts) == 0;
	return known;
}

bool probe_decap_l3(void)
{
	const struct btf *btf = kernel_btf();
	static int known = -1;

	if (known >= 0 || !btf)
		return known > 0;
	known = 0;
	for (__u32 id = 1; id < btf__type_cnt(btf) && !known; id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const struct btf_enum *values = btf_enum(t);

		/* An enum of flags with 64-bit values would be BTF_KIND_ENUM64; this one is plain. */
		for (int i = 0; btf_is_enum(t) && i < btf_vlen(t); i++)
			if (!strcmp(btf__name_by_offset(btf, values[i].name_off),
				    "BPF_F_ADJ_ROOM_DECAP_L3_IPV4"))
				known = 1;
	}
	return known;
}

/* Not every architecture's JIT lets a program call it. */
bool probe_read_in_place(void)
{
	const struct btf *btf = kernel_btf();
	__s32 function = btf ? btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) : -1;
	__s32 type = btf ? btf__find_by_name_kind(btf, "sk_buff", BTF_KIND_STRUCT) : -1;
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = type },
		{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL, .imm = function },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static int known = -1;
	int fd;

	if (known >= 0)
		return known;
	fd = function > 0 && type > 0 ? bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "weft_probe", "GPL", program, 4, NULL) : -1;
	if (fd >= 0)
		close(fd);
	known = fd >= 0;
	return known;
}

int probe_bpf(struct error *e)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	uint32_t version = kernel_version();
	int fd;

	if (version < (KERNEL_MIN_MAJOR << 16 | KERNEL_MIN_MINOR << 8))
		return error_set(
			e, EXIT_REFUSED, "kernel %u.%u is too old: weft needs %d.%d or newer",
			version >> 16, version >> 8 & 255, KERNEL_MIN_MAJOR, KERNEL_MIN_MINOR);
	fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "weft_probe", "GPL", program, 2, NULL);
	if (fd < 0 && errno == ENOSYS)
		return error_set(
			e, EXIT_REFUSED,
			"this kernel has no BPF (CONFIG_BPF_SYSCALL): use a kernel that has");
	if (fd < 0 && errno == EPERM)
		return error_set(
			e, EXIT_REFUSED,
			"not allowed to load BPF programs: run as root of the machine: a container's capabilities do not count (cap_bpf, cap_net_admin, cap_perfmon)");
	if (fd < 0)
		return error_set(e, EXIT_REFUSED, "this kernel does not take a BPF program: %s",
				 strerror(errno));
	close(fd);
	if (!kernel_btf())
		return error_set(
			e, EXIT_REFUSED,
			"this kernel has no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF): use a kernel that has");
	return 0;
}

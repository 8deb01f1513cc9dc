// SPDX-License-Identifier: BSD-2-Clause
/*
 * verify: loads the programs of one object into the kernel, as a test wants them, and says what the verifier did.
 *
 *	verify switches OBJECT                                   names of its load-time switches
 *	verify load OBJECT [bound=DEVICE] [attach=DEVICE] [SWITCH=0|1]...
 *
 * `load` prints a line a program: name, instructions that the verifier went through, bytes of machine code.
 * `bound` loads for that device alone; `attach` then attaches, XDP only, and detaches again.
 * Exit status: 0 loaded, 1 usage, 2 refused; what the kernel says is on stderr.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RODATA ".rodata"

struct request {
	const char *object;
	unsigned int bound, attach;
	int assignments;
	char **assignment;	/* "decap_l3=0" */
};

typedef int (*switch_fn)(const char *name, char *at, void *arg);

/* Calls `fn` for each variable of .rodata that has a name of its own (strings and tables of the compiler's have none). */
static int each_switch(struct bpf_object *obj, switch_fn fn, void *arg)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, RODATA);
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_var_secinfo *info;
	const struct btf_type *section;
	size_t size;
	char *data;
	int id;

	if (!map || !btf)
		return 0;
	data = bpf_map__initial_value(map, &size);
	id = btf__find_by_name_kind(btf, RODATA, BTF_KIND_DATASEC);
	if (!data || id < 0)
		return 0;
	section = btf__type_by_id(btf, (__u32)id);
	info = btf_var_secinfos(section);
	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *var = btf__type_by_id(btf, info[i].type);

		/* A switch is a global variable; `static const` data are not for the loader. */
		if (btf_var(var)->linkage != BTF_VAR_GLOBAL_ALLOCATED || info[i].size != 1)
			continue;
		if (fn(btf__name_by_offset(btf, var->name_off), data + info[i].offset, arg))
			return 1;
	}
	return 0;
}

static int print_switch(const char *name, char *at, void *arg)
{
	(void)at;
	(void)arg;
	puts(name);
	return 0;
}

static int set_switch(const char *name, char *at, void *arg)
{
	const char *assignment = arg;
	size_t len = strlen(name);

	if (strncmp(assignment, name, len) || assignment[len] != '=')
		return 0;
	*at = assignment[len + 1] == '1';
	return 1;
}

static unsigned int device(const char *name)
{
	unsigned int index = if_nametoindex(name);

	if (!index) {
		fprintf(stderr, "verify: no device %s\n", name);
		exit(1);
	}
	return index;
}

static int report(struct bpf_object *obj)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, obj) {
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);

		if (bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &len))
			return 2;
		printf("%s %u instructions verified, %u bytes of machine code\n", bpf_program__name(program),
		       info.verified_insns, info.jited_prog_len);
	}
	return 0;
}

static int attach(struct bpf_object *obj, unsigned int ifindex)
{
	struct bpf_program *program = bpf_object__next_program(obj, NULL);
	int err = bpf_xdp_attach((int)ifindex, bpf_program__fd(program), 0, NULL);

	if (err) {
		fprintf(stderr, "verify: attach: %s\n", strerror(-err));
		return 2;
	}
	return bpf_xdp_detach((int)ifindex, 0, NULL) ? 2 : 0;
}

static int load(struct bpf_object *obj, const struct request *r)
{
	struct bpf_program *program;
	int err;

	for (int i = 0; i < r->assignments; i++)
		if (!each_switch(obj, set_switch, r->assignment[i])) {
			fprintf(stderr, "verify: %s has no switch for %s\n", r->object, r->assignment[i]);
			return 1;
		}
	bpf_object__for_each_program(program, obj) {
		if (!r->bound)
			continue;
		bpf_program__set_ifindex(program, r->bound);
		bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_XDP_DEV_BOUND_ONLY);
	}
	err = bpf_object__load(obj);
	if (err) {
		fprintf(stderr, "verify: %s: %s\n", r->object, strerror(-err));
		return 2;
	}
	err = report(obj);
	return !err && r->attach ? attach(obj, r->attach) : err;
}

static int usage(void)
{
	fputs("usage: verify switches OBJECT | verify load OBJECT [bound=DEVICE] [attach=DEVICE] [SWITCH=0|1]...\n", stderr);
	return 1;
}

int main(int argc, char **argv)
{
	struct request r = { 0 };
	struct bpf_object *obj;
	int status;

	if (argc < 3)
		return usage();
	r.object = argv[2];
	r.assignment = argv + 3;
	for (int i = 3; i < argc; i++) {
		if (!strncmp(argv[i], "bound=", 6))
			r.bound = device(argv[i] + 6);
		else if (!strncmp(argv[i], "attach=", 7))
			r.attach = device(argv[i] + 7);
		else
			r.assignment[r.assignments++] = argv[i];
	}
	obj = bpf_object__open(r.object);
	if (!obj) {
		fprintf(stderr, "verify: %s: %s\n", r.object, strerror(errno));
		return 1;
	}
	if (!strcmp(argv[1], "switches"))
		status = each_switch(obj, print_switch, NULL);
	else
		status = !strcmp(argv[1], "load") ? load(obj, &r) : usage();
	bpf_object__close(obj);
	return status;
}

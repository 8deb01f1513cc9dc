// SPDX-License-Identifier: BSD-2-Clause
/*
 * verify: loads the programs of one object into the kernel, as a test wants them, and says what the verifier did.
 *
 *	verify switches OBJECT                   names of its load-time switches
 *	verify load OBJECT [SWITCH=0|1]...
 *
 * `load` prints a line a program: name, instructions that the verifier went through, bytes of machine code.
 * Exit status: 0 loaded, 1 usage, 2 refused; what the kernel says is on stderr.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RODATA ".rodata"

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

static int load(struct bpf_object *obj, const char *path, char **assignments)
{
	int err;

	for (char **a = assignments; *a; a++)
		if (!each_switch(obj, set_switch, *a)) {
			fprintf(stderr, "verify: %s has no switch for %s\n", path, *a);
			return 1;
		}
	err = bpf_object__load(obj);
	if (err) {
		fprintf(stderr, "verify: %s: %s\n", path, strerror(-err));
		return 2;
	}
	return report(obj);
}

static int usage(void)
{
	fputs("usage: verify switches OBJECT | verify load OBJECT [SWITCH=0|1]...\n", stderr);
	return 1;
}

int main(int argc, char **argv)
{
	struct bpf_object *obj;
	int status;

	if (argc < 3)
		return usage();
	obj = bpf_object__open(argv[2]);
	if (!obj) {
		fprintf(stderr, "verify: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	if (!strcmp(argv[1], "switches"))
		status = each_switch(obj, print_switch, NULL);
	else
		status = !strcmp(argv[1], "load") ? load(obj, argv[2], argv + 3) : usage();
	bpf_object__close(obj);
	return status;
}

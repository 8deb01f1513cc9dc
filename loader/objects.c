// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/bpf_log.h"
#include "loader/objects.h"
#include "loader/probe.h"

#include "clock.skel.h"
#include "guard_tc.skel.h"
#include "port_tc.skel.h"
#include "port_xdp.skel.h"
#include "sf_tc.skel.h"
#include "sf_xdp.skel.h"
#include "underlay_tc.skel.h"
#include "underlay_xdp.skel.h"

/* The program in an object has the object's name. */
struct object {
	const char *name;
	const void *(*elf)(size_t *size);
};

static const struct object objects[] = {
	{ "port_tc", port_tc__elf_bytes },
	{ "port_xdp", port_xdp__elf_bytes },
	{ "underlay_tc", underlay_tc__elf_bytes },
	{ "underlay_xdp", underlay_xdp__elf_bytes },
	{ "sf_tc", sf_tc__elf_bytes },
	{ "sf_xdp", sf_xdp__elf_bytes },
	{ "guard_tc", guard_tc__elf_bytes },
	{ "clock", clock__elf_bytes },
};

#define OBJECTS (sizeof(objects) / sizeof(objects[0]))

static struct bpf_object *open_object(const struct object *o, struct error *e)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = o->name);
	struct bpf_object *obj;
	size_t size;
	const void *elf = o->elf(&size);

	obj = bpf_object__open_mem(elf, size, &opts);
	if (!obj)
		error_set(e, EXIT_REFUSED, "object %s: cannot be read: %s", o->name,
			  strerror(errno));
	return obj;
}

/* Where a `const volatile` variable lies in the object's .rodata, or NULL. */
static bool *find_switch(struct bpf_object *obj, const char *variable)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".rodata");
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_var_secinfo *info;
	const struct btf_type *section;
	char *data;
	size_t size;
	int id;

	if (!map || !btf)
		return NULL;
	data = bpf_map__initial_value(map, &size);
	id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	if (!data || id < 0)
		return NULL;
	section = btf__type_by_id(btf, (__u32)id);
	info = btf_var_secinfos(section);
	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *var = btf__type_by_id(btf, info[i].type);

		if (!strcmp(btf__name_by_offset(btf, var->name_off), variable) &&
		    info[i].offset < size)
			return (bool *)(data + info[i].offset);
	}
	return NULL;
}

static void set_switch(struct bpf_object *obj, const char *variable, bool value)
{
	bool *at = find_switch(obj, variable);

	if (at)
		*at = value;
}

/* Maps with a pin path are shared with what is pinned there, and pinned there by libbpf if nothing is. */
static int share_maps(const struct root *root, struct bpf_object *obj, struct error *e)
{
	char path[512], safe[64];
	struct bpf_map *map;

	bpf_object__for_each_map (map, obj) {
		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", root->path,
			 root_name(safe, sizeof(safe), bpf_map__name(map)));
		if (bpf_map__set_pin_path(map, path))
			return error_set(e, EXIT_REFUSED, "map %s: out of memory",
					 bpf_map__name(map));
	}
	return 0;
}

static int prepare(const struct root *root, struct bpf_object *obj, struct error *e)
{
	set_switch(obj, "decap_l3", probe_decap_l3());
	return share_maps(root, obj, e);
}

static int load_object(const char *name, struct bpf_object *obj, struct error *e)
{
	char reason[512];
	int err;

	bpf_log_clear();
	err = bpf_object__load(obj);
	if (!err)
		return 0;
	bpf_log_reason(reason, sizeof(reason));
	if (strstr(reason, "parameter mismatch"))
		return error_set(
			e, EXIT_REFUSED,
			"program %s: %s: the root has maps of another build: save, unload, load and apply",
			name, reason);
	return error_set(
		e, EXIT_REFUSED,
		"program %s: the kernel refuses it: %s%s%s (`weft load -d` prints all that it says)",
		name, strerror(-err), reason[0] ? ": " : "", reason);
}

/* Puts a program in its place in one step, so that the pin is never missing. */
static int pin_program(const struct root *root, const char *pin, int fd, struct error *e)
{
	char fresh[512], place[512], safe[128];

	root_name(safe, sizeof(safe), pin);
	snprintf(fresh, sizeof(fresh), "%s/prog/new:%s", root->path, safe);
	snprintf(place, sizeof(place), "%s/prog/%s", root->path, safe);
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh))
		return error_set(e, EXIT_REFUSED, "program %s: cannot be pinned: %s", pin,
				 strerror(errno));
	if (rename(fresh, place)) {
		error_set(e, EXIT_REFUSED, "program %s: cannot be pinned: %s", pin,
			  strerror(errno));
		unlink(fresh);
		return -1;
	}
	return 0;
}

static int program_fd(struct bpf_object *obj, const char *name, struct error *e)
{
	struct bpf_program *program = bpf_object__find_program_by_name(obj, name);

	if (program)
		return bpf_program__fd(program);
	return error_set(e, EXIT_REFUSED,
			 "object %s has no program of this name: the build is broken", name);
}

int objects_load(const struct root *root, struct error *e)
{
	struct bpf_object *open[OBJECTS] = { 0 };
	int err = 0;

	for (size_t i = 0; i < OBJECTS && !err; i++) {
		open[i] = open_object(&objects[i], e);
		err = !open[i] || prepare(root, open[i], e) ||
		      load_object(objects[i].name, open[i], e);
	}
	for (size_t i = 0; i < OBJECTS && !err; i++) {
		int fd = program_fd(open[i], objects[i].name, e);

		err = fd < 0 || pin_program(root, objects[i].name, fd, e);
	}
	for (size_t i = 0; i < OBJECTS; i++)
		bpf_object__close(open[i]);
	return err ? -1 : 0;
}

struct btf *objects_types(const char *name)
{
	struct btf *copy = NULL;
	size_t i = 0;

	while (i < OBJECTS && strcmp(objects[i].name, name))
		i++;
	if (i < OBJECTS) {
		struct bpf_object *obj = open_object(&objects[i], NULL);
		const void *data;
		__u32 size;

		/* The object's own goes with it. */
		data = obj ? btf__raw_data(bpf_object__btf(obj), &size) : NULL;
		copy = data ? btf__new(data, size) : NULL;
		bpf_object__close(obj);
	}
	return copy;
}

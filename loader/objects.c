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
#include "loader/pins.h"
#include "loader/probe.h"
#include "loader/programs.h"

#include "clock.skel.h"
#include "guard_tc.skel.h"
#include "port_tc.skel.h"
#include "port_xdp.skel.h"
#include "sf_tc.skel.h"
#include "sf_xdp.skel.h"
#include "tell.skel.h"
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
	{ "tell", tell__elf_bytes },
};

#define OBJECTS (sizeof(objects) / sizeof(objects[0]))

_Static_assert(OBJECTS <= OBJECTS_MAX, "OBJECTS_MAX");

/* The programs' own room, which each build lays out as it likes. Left alone by a loader that shared it. */
#define PRIVATE_MAP "scratch"

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

void object_set_switch(struct bpf_object *obj, const char *variable, bool value)
{
	bool *at = find_switch(obj, variable);

	if (at)
		*at = value;
}

static bool is_shared(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) && strcmp(bpf_map__name(map), PRIVATE_MAP);
}

int objects_each_map(const struct objects *o, int (*fn)(struct bpf_map *map, void *arg), void *arg)
{
	struct bpf_map *map;
	int ret = 0;

	for (size_t i = 0; i < OBJECTS && !ret; i++)
		bpf_object__for_each_map (map, o->open[i]) {
			ret = is_shared(map) ? fn(map, arg) : 0;
			if (ret)
				break;
		}
	return ret;
}

struct place {
	const struct root *root;
	bool (*aside)(const char *name, void *arg);
	void *arg;
	struct error *e;
};

/* Maps with a pin path are shared with what is pinned there, and pinned there by libbpf if nothing is. */
static int place_map(struct bpf_map *map, void *arg)
{
	const struct place *p = arg;
	const char *name = bpf_map__name(map);
	char path[512], safe[64];

	snprintf(path, sizeof(path), "%s/%s%s", p->root->path,
		 p->aside(name, p->arg) ? NEXT_MAPS "/" : "", root_name(safe, sizeof(safe), name));
	if (bpf_map__set_pin_path(map, path))
		return error_set(p->e, EXIT_REFUSED, "map %s: out of memory", name);
	return 0;
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
	return error_set(
		e, EXIT_REFUSED,
		"program %s: the kernel refuses it: %s%s%s (`weft load -d` prints all that it says)",
		name, strerror(-err), reason[0] ? ": " : "", reason);
}

static int program_fd(struct bpf_object *obj, const char *name, struct error *e)
{
	struct bpf_program *program = bpf_object__find_program_by_name(obj, name);

	if (program)
		return bpf_program__fd(program);
	return error_set(e, EXIT_REFUSED,
			 "object %s has no program of this name: the build is broken", name);
}

static int pin_program(const struct root *root, struct bpf_object *obj, const char *name,
		       struct error *e)
{
	int fd = program_fd(obj, name, e);
	char path[64];

	snprintf(path, sizeof(path), NEXT_PROG "/%s", name);
	return fd < 0 ? -1 : pins_put(root, path, fd, e);
}

int objects_open(struct objects *o, struct error *e)
{
	*o = (struct objects){ 0 };
	for (size_t i = 0; i < OBJECTS; i++) {
		o->open[i] = open_object(&objects[i], e);
		if (!o->open[i]) {
			objects_close(o);
			return -1;
		}
		object_set_switch(o->open[i], "decap_l3", probe_decap_l3());
		object_set_switch(o->open[i], "read_in_place", probe_read_in_place());
	}
	return 0;
}

void objects_close(struct objects *o)
{
	for (size_t i = 0; i < OBJECTS; i++)
		bpf_object__close(o->open[i]);
	*o = (struct objects){ 0 };
}

int objects_load(struct objects *o, const struct root *root,
		 bool (*aside)(const char *name, void *arg), void *arg, struct error *e)
{
	struct place place = { root, aside, arg, e };
	int err = objects_each_map(o, place_map, &place);

	for (size_t i = 0; i < OBJECTS && !err; i++)
		err = load_object(objects[i].name, o->open[i], e);
	for (size_t i = 0; i < OBJECTS && !err; i++)
		err = pin_program(root, o->open[i], objects[i].name, e);
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

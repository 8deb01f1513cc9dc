// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "include/flow.h"
#include "loader/attach.h"
#include "loader/bpf_log.h"
#include "loader/entries.h"
#include "loader/handover.h"
#include "loader/handover_tables.h"
#include "loader/objects.h"
#include "loader/pins.h"
#include "loader/programs.h"

#include "handover_tc.skel.h"
#include "handover_xdp.skel.h"

#define HANDOVER NEXT "/handover"
#define TENANTS  "tenant_slots"

/* The ways there are, each of which is one back too. */
static const struct {
	unsigned int old, new;
} ways[] = {
	{ 2, 3 },
};

/* As in bpf/handover.bpf.c. */
static const char *const places[] = { "port", "underlay", "sf" };

#define PLACES (sizeof(places) / sizeof(places[0]))

bool handover_known(unsigned int from, unsigned int to)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if ((ways[i].old == from && ways[i].new == to) ||
		    (ways[i].old == to && ways[i].new == from))
			return true;
	return false;
}

/* Until `fn` returns other than 0. */
static int each_kind(unsigned int version, int (*fn)(const char *name, void *arg), void *arg)
{
	int ret = 0;

	for (int family = 0; family < FAMILIES; family++)
		for (int role = 0; role < FLOW_ROLES && !ret; role++) {
			const struct inner_kind *kind = handover_kind(version, family, role);

			ret = kind ? fn(kind->name, arg) : 0;
		}
	return ret;
}

static int is_named(const char *name, void *arg)
{
	return !strcmp(name, arg);
}

bool handover_carries(const char *map)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (each_kind(ways[i].old, is_named, (void *)map) ||
		    each_kind(ways[i].new, is_named, (void *)map))
			return true;
	return false;
}

bool handover_converts(const char *map)
{
	return handover_carries(map) || !strcmp(map, TENANTS);
}

int handover_complete(const char *map, void *value, size_t old_size, size_t size, struct error *e)
{
	struct tenant *tenant = value;

	/* Version 2 had no seed. */
	if (strcmp(map, TENANTS) || old_size > offsetof(struct tenant, seed) ||
	    size < sizeof(*tenant) || !tenant->id)
		return 0;
	if (getrandom(&tenant->seed, sizeof(tenant->seed), 0) != sizeof(tenant->seed))
		return error_set(e, EXIT_REFUSED, "no random numbers: %s", strerror(errno));
	return 0;
}

struct gone {
	unsigned int to;
	int (*fn)(const char *name, void *arg);
	void *arg;
};

static int gone_one(const char *name, void *arg)
{
	const struct gone *g = arg;

	return each_kind(g->to, is_named, (void *)name) ? 0 : g->fn(name, g->arg);
}

int handover_each_gone(unsigned int from, unsigned int to, int (*fn)(const char *name, void *arg),
		       void *arg)
{
	struct gone g = { to, fn, arg };

	return each_kind(from, gone_one, &g);
}

bool handover_begun(const struct root *root)
{
	return pins_have(root, HANDOVER);
}

int handover_turn(const struct root *root, struct error *e)
{
	__u32 zero = 0, one = 1;
	int fd = root_map(root, TURNED, e), err;

	if (fd < 0)
		return -1;
	err = bpf_map_update_elem(fd, &zero, &one, BPF_ANY) ? errno : 0;
	close(fd);
	return err ? error_set(e, EXIT_REFUSED, "map " TURNED ": %s", strerror(err)) : 0;
}

bool handover_turned(const struct root *root)
{
	__u32 zero = 0, value = 0;
	int fd = root_map(root, TURNED, NULL);

	if (fd >= 0) {
		if (bpf_map_lookup_elem(fd, &zero, &value))
			value = 0;
		close(fd);
	}
	return value;
}

/* Maps that the third program has for itself alone. */
static bool is_own(const char *name)
{
	return !strcmp(name, "scratch") || !strcmp(name, "sides") || !strcmp(name, "room_2");
}

/*
 * The fd of the root's map that one of the third program's stands for, or -1: it makes its own. Those of version 2 have its
 * number at their end there.
 */
static int map_behind(const struct root *root, const char *name, bool backward)
{
	size_t length = strlen(name);
	bool two = length > 2 && !strcmp(name + length - 2, "_2");
	char path[64], plain[32];
	int fd;

	if (!strcmp(name, "turned"))
		return root_map(root, TURNED, NULL);
	if (is_own(name))
		return -1;
	snprintf(plain, sizeof(plain), "%.*s", (int)(two ? length - 2 : length), name);
	snprintf(path, sizeof(path), NEXT_MAPS "/%s", plain);
	if (handover_converts(plain))
		return root_map(root, two == backward ? path : plain, NULL);
	fd = root_map(root, path, NULL);
	return fd < 0 ? root_map(root, plain, NULL) : fd;
}

static int share_maps(const struct root *root, struct bpf_object *obj, bool backward,
		      struct error *e)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, obj) {
		const char *name = bpf_map__name(map);
		int fd = bpf_map__is_internal(map) ? -1 : map_behind(root, name, backward), err;

		if (fd < 0)
			continue;
		err = bpf_map__reuse_fd(map, fd);
		close(fd);
		if (err)
			return error_set(e, EXIT_REFUSED, "map %s: cannot be shared: %s", name,
					 strerror(-err));
	}
	return 0;
}

/* A program of the old build and of the new one into the table that the third one calls by. */
static int put_sides(const struct root *root, int sides, const char *flavour, struct error *e)
{
	for (__u32 i = 0; i < 2 * PLACES; i++) {
		struct root where = *root;
		char name[32];
		int fd, err;

		where.programs = i < PLACES ? NULL : NEXT_PROG "/";
		snprintf(name, sizeof(name), "%s_%s", places[i % PLACES], flavour);
		fd = root_prog(&where, name, e);
		if (fd < 0)
			return -1;
		err = bpf_map_update_elem(sides, &i, &fd, BPF_ANY) ? errno : 0;
		close(fd);
		if (err)
			return error_set(e, EXIT_REFUSED,
					 "program %s: cannot be called by another: %s", name,
					 strerror(err));
	}
	return 0;
}

static int pin_object(const struct root *root, struct bpf_object *obj, const char *flavour,
		      struct error *e)
{
	int sides = bpf_object__find_map_fd_by_name(obj, "sides");
	char path[64];

	/* Without a pin of its own the kernel would empty the table as this command ends. */
	snprintf(path, sizeof(path), NEXT "/sides_%s", flavour);
	if (put_sides(root, sides, flavour, e) || pins_put(root, path, sides, e))
		return -1;
	for (size_t i = 0; i < PLACES; i++) {
		struct bpf_program *program;
		char name[32];

		snprintf(name, sizeof(name), "%s_%s", places[i], flavour);
		snprintf(path, sizeof(path), HANDOVER "/%s", name);
		program = bpf_object__find_program_by_name(obj, name);
		if (!program || pins_put(root, path, bpf_program__fd(program), e))
			return -1;
	}
	return 0;
}

static int load_object(const struct root *root, const char *flavour, const void *elf, size_t size,
		       bool backward, struct error *e)
{
	struct bpf_object *obj = bpf_object__open_mem(elf, size, NULL);
	char reason[512];
	int err;

	if (!obj)
		return error_set(e, EXIT_REFUSED, "object handover_%s: cannot be read: %s", flavour,
				 strerror(errno));
	object_set_switch(obj, "backward", backward);
	err = share_maps(root, obj, backward, e);
	if (!err && bpf_object__load(obj)) {
		bpf_log_reason(reason, sizeof(reason));
		err = error_set(e, EXIT_REFUSED, "program handover_%s: the kernel refuses it: %s",
				flavour, reason);
	}
	if (!err)
		err = pin_object(root, obj, flavour, e);
	bpf_object__close(obj);
	return err;
}

static int load_programs(const struct root *root, bool backward, struct error *e)
{
	size_t size;
	const void *elf = handover_tc__elf_bytes(&size);

	if (load_object(root, "tc", elf, size, backward, e))
		return -1;
	elf = handover_xdp__elf_bytes(&size);
	return load_object(root, "xdp", elf, size, backward, e);
}

/* The guard knows nothing of flows: the old one stays until the end. */
static int keep_guard(const struct root *root, struct error *e)
{
	int fd = root_prog(root, "guard_tc", e), err;

	if (fd < 0)
		return -1;
	err = pins_put(root, HANDOVER "/guard_tc", fd, e);
	close(fd);
	return err;
}

int handover_begin(const struct root *root, unsigned int from, unsigned int to, struct error *e)
{
	struct root bridged = *root;

	bridged.programs = HANDOVER "/";
	if (handover_tables(root, from, to, e) || pins_make(root, HANDOVER, e) ||
	    load_programs(root, to < from, e) || keep_guard(root, e))
		return -1;
	return attach_renew(&bridged, e);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF objects inside the command: opening, loading with shared pinned maps, pinning programs. */
#ifndef WEFT_OBJECTS_H
#define WEFT_OBJECTS_H

#include "loader/root.h"

struct bpf_map;
struct bpf_object;

#define OBJECTS_MAX 9

struct objects {
	struct bpf_object *open[OBJECTS_MAX];
};

/* Sets a `const volatile bool` of the object, if it has it, before it is loaded. */
void object_set_switch(struct bpf_object *obj, const char *variable, bool value);

int objects_open(struct objects *o, struct error *e);
void objects_close(struct objects *o);

/*
 * Every map that the root has a pin for, or will have: not .rodata and the like, nor what is the room of the programs
 * of one build alone. Stops when `fn` returns other than 0, and returns that.
 */
int objects_each_map(const struct objects *o, int (*fn)(struct bpf_map *map, void *arg), void *arg);

/*
 * Loads every object. Maps that are pinned under the root are shared; missing ones are made and pinned there, but those
 * that `aside` names below next/maps. Programs are pinned below next/prog: nothing of what runs is touched.
 */
int objects_load(struct objects *o, const struct root *root, bool (*aside)(const char *name, void *arg), void *arg,
		 struct error *e);

struct btf;

/* The types in an object, for the kernel to take; to be freed. NULL if there is no such object. */
struct btf *objects_types(const char *name);

#endif

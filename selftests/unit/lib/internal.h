/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the packet tests' library know of each other (world.c, contents.c, run.c). */
#ifndef WEFT_UNIT_INTERNAL_H
#define WEFT_UNIT_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "world.h"

/* An inner map of TENANT; opened anew whenever it is made anew. */
struct inner {
	const char *name;
	enum bpf_map_type type;
	uint32_t key_size, value_size, flags;
	uint32_t usual; /* entries that world_reset() gives it */
	int fd;
	uint32_t entries;
};

enum { INNERS = 8 };
extern struct inner inners[INNERS];
struct inner *inner(const char *name);
void clear_hash(int fd, uint32_t key_size);
uint32_t slot_of(enum who w);
void chains_clear(void);
void per_cpu_clear(const char *name, uint32_t key, uint32_t n);

/* Loaded when a test first asks: most tests need two or three of the seven. */
int program_fd(enum hook hook, enum flavour flavour);

#endif

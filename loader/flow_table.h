/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tenant's table of established flows (include/flow_table.h), mapped into memory, where it is read and changed while
 * packets do the same, under the same protocol.
 */
#ifndef WEFT_LOADER_FLOW_TABLE_H
#define WEFT_LOADER_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/flow_table.h"
#include "loader/error.h"

struct flow_table {
	int family; /* enum weft_family */
	uint32_t buckets;
	uint64_t seed; /* the tenant's */
	unsigned char *places;
	size_t length;
};

/* Of what the map is of: how many buckets. Refuses what is no table of flows. `name` is for messages. */
int flow_table_info(int fd, int family, uint32_t *buckets, const char *name, struct error *e);
size_t flow_bucket_size(int family);

/*
 * Maps what `fd` is of, which may then be closed. It needs no seed as long as no key is looked for. Who may only read
 * cannot have it, since the kernel maps nothing for him: see flow_scan.h.
 */
int flow_table_open(struct flow_table *t, int fd, int family, uint64_t seed, const char *name,
		    struct error *e);
void flow_table_close(struct flow_table *t);

/*
 * The next flow from *place on, and its key; *place, 0 at first, then is the one after it. False: there is none. A flow
 * that comes or goes meanwhile may be left out; none is ever given under another's key. Its `spill` is 0.
 */
bool flow_table_next(const struct flow_table *t, size_t *place, void *key, struct flow *flow);
bool flow_table_get(const struct flow_table *t, const void *key, struct flow *flow);

/* Whether a flow's place may be taken. */
typedef bool flow_expired_fn(const void *key, const struct flow *flow, void *arg);

enum flow_put {
	FLOW_PUT, /* it is in */
	FLOW_PUT_THERE, /* one with its key was there, or came at the same time: that one stays */
	FLOW_PUT_FULL, /* no place where it may be is free */
};

/* `expired` may be NULL: then only free places are taken. */
enum flow_put flow_table_put(struct flow_table *t, const void *key, const struct flow *flow,
			     flow_expired_fn *expired, void *arg);
/*
 * A flow that is in, and that was led on elsewhere meanwhile: its state there, and what its TCP ends have said, are taken
 * over if they are later, since without them the windows would be too low for all that comes, an association open that was
 * shut down, and no probe taken for one. What packets say at the same time is as late.
 */
void flow_table_catch_up(struct flow_table *t, const void *key, const struct flow *from);
/* False: there was none. */
bool flow_table_remove(struct flow_table *t, const void *key);

struct flow_sweep {
	bool (*expired)(uint8_t protocol, const struct flow *flow, void *arg);
	/* of each that goes, before its place is free; may be NULL */
	void (*gone)(const void *key, const struct flow *flow, void *arg);
	void *arg;
};

/* Gives up the expired flows of `n` places from *place on, which it moves on; returns how many they were. */
size_t flow_table_sweep(struct flow_table *t, size_t *place, size_t n,
			const struct flow_sweep *sweep);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The root: a directory in bpffs that holds everything weft knows (maps/README.md). One writer at a
 * time holds its lock; a reader never waits.
 */
#ifndef WEFT_ROOT_H
#define WEFT_ROOT_H

#include <stdbool.h>
#include "error.h"

#define ROOT_DEFAULT "/sys/fs/bpf/weft"

struct root {
	char path[256];
	const char *programs;	/* where root_prog() looks; NULL: "prog/". Else a load's, that are not in place yet. */
	int lock;		/* fd of the locked directory; -1: none */
	bool reads;		/* opened for reading: its pins are too, so that their readers may */
};

/* Opens a root that `load` made. Fails, with the remedy, if it is missing or of another ABI version. */
int root_open(struct root *root, const char *path, bool write, struct error *error);
/* The path alone, of a root that need not be there: what is kept elsewhere goes by it. */
int root_locate(struct root *root, const char *path, struct error *error);
/* For `load`: makes the directory (mounts bpffs if need be) and locks it. */
int root_create(struct root *root, const char *path, struct error *error);
void root_close(struct root *root);

/* Is what is open whole, and of this version? For who keeps it open; root_open() asks by itself. */
int root_check(const struct root *root, struct error *error);

/* fd of a pinned map, or -1. `name` is relative to the root: "ports", "tenants/red/ct4". The caller closes it. */
int root_map(const struct root *root, const char *name, struct error *error);
/* fd of a pinned program, "port_tc". */
int root_prog(const struct root *root, const char *name, struct error *error);
/* fd of what is pinned at a path within the root, or -1 with errno. */
int root_pin(const struct root *root, const char *path);

/*
 * bpffs refuses names with a dot, but devices (eth0.100) and tenants may have one: a dot is written
 * as a comma in every name under the root. Returns buf.
 */
const char *root_name(char *buf, size_t size, const char *name);

#endif

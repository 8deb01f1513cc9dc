/* SPDX-License-Identifier: BSD-2-Clause */
/* The way to the root, for those who may read there and are not root themselves. */
#ifndef WEFT_PASSAGE_H
#define WEFT_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

bool in_bpffs(const char *path);

/*
 * Lets a group pass to a root. systemd mounts bpffs for root alone, anew at each boot: there the group may pass, and
 * nobody else who could not before. Where that cannot be, or is somebody else's to decide, a note has the remedy.
 * Unload leaves it as it is: another root may stand on it.
 */
void passage_open(const char *root, gid_t gid);

/* After EACCES of something at `path`, in `root` or (NULL) on the way to one: who stopped us, and the remedy. Returns buf. */
const char *passage_hint(const char *path, const char *root, char *buf, size_t size);

#define PASSAGE_HINT_SIZE 512

#endif

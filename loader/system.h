/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader asks of the machine: network namespaces, kernel, limits, sysctls. */
#ifndef WEFT_SYSTEM_H
#define WEFT_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "loader/error.h"

/* Enters a network namespace, and nothing else: a name of /run/netns, or a path. */
int netns_enter(const char *name, struct error *e);

/* A number that tells the current network namespace from every other since boot; 0: the kernel does not say. */
uint64_t netns_cookie(void);

/* The name in /run/netns of the namespace with this cookie; false if none has it. */
bool netns_find(uint64_t cookie, char *name, size_t size);

/* The parent of any process; 0: there is none, or it has gone. */
pid_t process_parent(pid_t pid);

/* major << 16 | minor << 8 | patch, patch at most 255; what KERNEL_VERSION() of the headers makes. */
uint32_t kernel_version(void);

/* Ticks of jiffies in a second. */
uint32_t kernel_hz(void);

/* Kernels before 5.11 count maps against RLIMIT_MEMLOCK. */
void raise_memlock(void);

/* Writes /proc/sys/PATH; returns 0 or -errno. Paths below net/ are those of the current network namespace. */
int sysctl_write(const char *path, const char *value);

#endif

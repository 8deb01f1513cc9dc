/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions on other hosts in the tests' world: a third host, a path for the world's chain, and frames in VXLAN-GPE and
 * NSH, built on their own (docs/NSH.md).
 */
#ifndef WEFT_UNIT_NSH_H
#define WEFT_UNIT_NSH_H

#include "include/nsh.h"
#include "selftests/unit/lib/world.h"

enum { FAR_HOST = 4, PATH = 0x12345, FAR_INSTANCE = 0x7007, NSH_HEADERS = 50 + 24 };

#define OURS   "192.168.50.1"
#define THEIRS "192.168.50.2"
#define FARS   "192.168.50.3"

/* Zeroes: towards us from FAR_HOST, of a frame that leaves a workload of ours and is back from the first step. */
struct service {
	const char *source, *destination, *judge;
	uint32_t spi, vni, instance;
	int si; /* NO_SI: 0 */
	uint16_t tci;
	uint8_t ttl;
	const char *edit; /* of the whole frame: NSH begins at 50, the inner frame at 74 */
};

enum { NO_SI = -1 };

void nsh_wrap(struct frame *f, const struct service *s);
/* What was sent is `inner` behind these headers; the tunnel's source port alone is free, within its range. */
void nsh_expect(const struct result *r, const struct frame *inner, const struct service *s);

/* FAR_HOST is known, and there is a way to it. Until the world is reset, as all that follows. */
void nsh_far_host(void);
/* The world's chain in w's wire: the function of step 0 is at FAR_HOST alone; more steps on `functions` of this host. */
void nsh_protect(enum who w, uint8_t flags, const enum device_name *functions, uint8_t more);
/* The instance at a place of a step's function is at that host. */
void nsh_remote(uint8_t step, uint8_t place, uint32_t id, uint32_t host);
/* Functions on these devices, one a step, get frames of w, a workload of `host`. */
void nsh_serve(enum who w, uint32_t host, const enum device_name *functions, uint8_t n);
void nsh_path(uint32_t host);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the judging host share: A behind a function that is on another host alone, and frames of it. */
#ifndef WEFT_UNIT_NSH_JUDGE_H
#define WEFT_UNIT_NSH_JUDGE_H

#include "selftests/unit/lib/nsh.h"

#define OUTWARD (PCP_LEAVING << 13 | CHAIN_TAG)
#define INWARD (PCP_TOWARDS << 13 | CHAIN_TAG)

static const struct service to_far = { .destination = FARS, .si = 255, .ttl = 63 };
static const struct service to_far_towards = {
	.destination = FARS, .si = 255, .ttl = 63, .spi = PATH << 1 | 1, .tci = INWARD
};
static const struct service back = { 0 };
static const struct service back_towards = { .spi = PATH << 1 | 1, .tci = INWARD };

static inline void protected(void **state)
{
	world_reset(state);
	acl_allow_all();
	nsh_protect(A, 0, NULL, 0);
}

static inline struct frame udp(enum who from, enum who to, uint8_t family)
{
	return packet_frame((struct packet){ from, to, family, UDP, from == A ? 1000 : 53,
					     from == A ? 53 : 1000, .payload = 20 });
}

#endif

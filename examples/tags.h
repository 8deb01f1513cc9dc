/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VLAN tags a small service function has seen, of frames that carry them in their bytes. */
#ifndef EXAMPLES_TAGS_H
#define EXAMPLES_TAGS_H

#include <linux/if_ether.h>
#include <stddef.h>
#include <stdio.h>

#define NO_TAG 0x10000

static unsigned long tags_seen[NO_TAG + 1]; /* by tag control information */

static inline void tag_count(const unsigned char *frame, size_t len)
{
	if (len >= ETH_HLEN + 4 && frame[12] == ETH_P_8021Q >> 8 && frame[13] == (ETH_P_8021Q & 0xff))
		tags_seen[frame[14] << 8 | frame[15]]++;
	else
		tags_seen[NO_TAG]++;
}

/* A line for each VLAN ID and PCP. */
static inline void tags_print(void)
{
	for (unsigned int tci = 0; tci < NO_TAG; tci++)
		if (tags_seen[tci])
			printf("vid=%u pcp=%u dei=%u frames=%lu\n", tci & 0xfff, tci >> 13, tci >> 12 & 1,
			       tags_seen[tci]);
	if (tags_seen[NO_TAG])
		printf("untagged frames=%lu\n", tags_seen[NO_TAG]);
}

#endif

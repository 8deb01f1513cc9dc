// SPDX-License-Identifier: BSD-2-Clause
/* Chains that programs of an older version would not lead traffic through as they are. */
#include <bpf/bpf.h>
#include <unistd.h>

#include "include/chain.h"
#include "loader/handover.h"

#define FIRST_WITH_STEPS 4 /* of the maps' versions */

/* Programs of version 2 know the first step alone, and would leave the others out. */
int handover_chains(const struct root *root, unsigned int to, const char *build, struct error *e)
{
	int fd = to < FIRST_WITH_STEPS ? root_map(root, "chains", e) : -1, err = 0;
	struct chain chain;

	if (to >= FIRST_WITH_STEPS)
		return 0;
	if (fd < 0)
		return -1;
	for (uint32_t slot = 1; slot < WEFT_CHAINS_MAX && !err; slot++)
		if (!bpf_map_lookup_elem(fd, &slot, &chain) && chain.steps > 1)
			err = error_set(
				e, EXIT_REFUSED,
				"the chain with tag %u has %u steps, and the programs of build %.32s would leave out all but the first: give it one step, or take it out of the wires, before",
				chain.tag, chain.steps, build);
	close(fd);
	return err;
}

// SPDX-License-Identifier: BSD-2-Clause
/* Chains that programs of an older build would not lead traffic through as they are. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <unistd.h>

#include "include/chain.h"
#include "include/config.h"
#include "loader/handover.h"
#include "loader/model.h"
#include "loader/state.h"

#define FIRST_WITH_STEPS 4 /* of the maps' versions */

/* Programs of version 2 know the first step alone, and would leave the others out. */
static int check_steps(const struct root *root, const struct abi *to, struct error *e)
{
	int fd = to->version < FIRST_WITH_STEPS ? root_map(root, "chains", e) : -1, err = 0;
	struct chain chain;

	if (to->version >= FIRST_WITH_STEPS)
		return 0;
	if (fd < 0)
		return -1;
	for (uint32_t slot = 1; slot < WEFT_CHAINS_MAX && !err; slot++)
		if (!bpf_map_lookup_elem(fd, &slot, &chain) && chain.steps > 1)
			err = error_set(
				e, EXIT_REFUSED,
				"the chain with tag %u has %u steps, and the programs of build %.32s would leave out all but the first: give it one step, or take it out of the wires, before",
				chain.tag, chain.steps, to->build);
	close(fd);
	return err;
}

/* Those that do not know ACL_INSPECT deny where a rule has a chain. Which rules lie there says the map `rules`, committed or not. */
static int check_rules(const struct root *root, const struct abi *to, struct error *e)
{
	char self[WEFT_NAME_LEN + 1];
	const char *tenant, *rule;
	struct state state;
	struct model m;
	int err = 0;

	if (to->knows & ABI_RULE_CHAINS)
		return 0;
	if (state_read(root, &state, e))
		return -1;
	snprintf(self, sizeof(self), "%.*s", WEFT_NAME_LEN, state.host.name);
	model_make(&m, state.tree, &state.ids, self);
	if (model_rule_chains(&m, &tenant, &rule))
		err = error_set(
			e, EXIT_REFUSED,
			"acl %s/%s: has a chain, and the programs of build %.32s know no chains of rules, and would drop what it lets pass: take the chain off the rule (`weft acl replace`), before",
			tenant, rule, to->build);
	model_free(&m);
	state_free(&state);
	return err;
}

int handover_chains(const struct root *root, const struct abi *to, struct error *e)
{
	return check_steps(root, to, e) || check_rules(root, to, e) ? -1 : 0;
}

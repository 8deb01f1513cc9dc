// SPDX-License-Identifier: BSD-2-Clause
/* Programs of others on a device: which of them keep weft away. */
#include "loader/attach_hooks.h"
#include "loader/probe.h"

int foreign_check(const struct root *root, const struct nl_link *link, enum role role,
		  unsigned int flags, bool beside, struct error *e)
{
	bool clsact = flags & DEVICE_CLSACT, own = clsact && flags & (DEVICE_TC | DEVICE_GUARD);

	for (enum hook hook = HOOK_TC; hook <= HOOK_GUARD; hook++) {
		if (hook == HOOK_GUARD && role == ROLE_UNDERLAY)
			continue;
		if (clsact_check(link, hook, own, beside, clsact, e))
			return -1;
		/* Our link goes to the head; a filter of ours would come after all of TCX. */
		if (probe_tcx() && (clsact || !beside) && tcx_check(root, link, hook, e))
			return -1;
	}
	return xdp_check(root, link, e);
}

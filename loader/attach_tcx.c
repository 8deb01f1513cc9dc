// SPDX-License-Identifier: BSD-2-Clause
/* Who else is at a TCX hook. Attaching itself is attach_link.c. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "loader/attach_hooks.h"

#define PROGRAMS_MAX 64 /* the kernel's own bound of a TCX hook */

int tcx_check(const struct root *root, const struct nl_link *link, enum hook hook, struct error *e)
{
	__u32 programs[PROGRAMS_MAX] = { 0 }, links[PROGRAMS_MAX] = { 0 };
	__u32 own = link_live(root, link->name, link->ifindex, hook);
	LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = programs, .link_ids = links,
		    .count = PROGRAMS_MAX);
	char text[PROGRAM_TEXT_SIZE];

	if (bpf_prog_query_opts((int)link->ifindex,
				hook == HOOK_TC ? BPF_TCX_INGRESS : BPF_TCX_EGRESS, &opts))
		return error_set(e, EXIT_REFUSED, "device %s: cannot ask for its TCX programs: %s",
				 link->name, strerror(errno));
	for (__u32 i = 0; i < opts.count; i++)
		if (!own || links[i] != own)
			return error_set(
				e, EXIT_REFUSED,
				"device %s: foreign TC program %s at %s (TCX): weft replaces no program of others; detach it first" OR_FORCE,
				link->name, program_text(programs[i], text, sizeof(text)),
				hook == HOOK_TC ? "ingress" : "egress");
	return 0;
}

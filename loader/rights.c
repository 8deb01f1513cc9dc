// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/commands.h"
#include "loader/rights.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* To open pins that have got another owner, for reading and for writing. */
#define READS_ANY  BIT(CAP_DAC_READ_SEARCH)
#define WRITES_ANY (READS_ANY | BIT(CAP_DAC_OVERRIDE))

/* A new map in place of a delegated one gets the owner and mode of that. */
#define GIVES (BIT(CAP_CHOWN) | BIT(CAP_FOWNER))

/* A revert may have to load older programs again, and shall not wait for others. */
#define REVERTS (BIT(CAP_PERFMON) | BIT(CAP_SYS_NICE))
/* A frame of a made-up workload goes through each chain, when all is done. */
#define PROBES	BIT(CAP_NET_RAW)
#define CHANGES (WRITES_ANY | GIVES | REVERTS | PROBES)

struct need {
	unsigned int flag; /* of the command; 0: any */
	uint64_t must; /* it is refused without */
	uint64_t may; /* kept if it is there */
	uint64_t aside; /* kept, but in effect only while rights_raise() says so */
};

/*
 * The verifier lets a program compare and add to pointers freely only with CAP_PERFMON. CAP_SYS_ADMIN mounts bpffs,
 * enters network namespaces, and tells by what name a foreign program or namespace is known; CAP_SYS_PTRACE looks
 * whether our mount namespace is an ancestor's.
 */
static const struct need needs[] = {
	{ 0, 0, BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | READS_ANY, 0 },
	{ COMMAND_WRITES, BIT(CAP_BPF) | BIT(CAP_NET_ADMIN), CHANGES,
	  BIT(CAP_SYS_ADMIN) },
	{ COMMAND_LOADS, BIT(CAP_PERFMON), 0, BIT(CAP_SYS_PTRACE) },
	{ COMMAND_TRIES, BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_ADMIN), BIT(CAP_PERFMON),
	  0 },
};

static struct need need_of(unsigned int flags, bool begins)
{
	struct need sum = { .may = begins ? CHANGES : 0, .aside = begins ? BIT(CAP_SYS_ADMIN) : 0 };

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (needs[i].flag && !(flags & needs[i].flag))
			continue;
		sum.must |= needs[i].must;
		sum.may |= needs[i].may;
		sum.aside |= needs[i].aside;
	}
	return sum;
}

static bool have(capng_type_t set, unsigned int capability)
{
	/* Asks the kernel only if it has not yet: nobody but us changes them. */
	return capng_have_capability(set, capability) == 1;
}

/* "cap_bpf,cap_perfmon" */
static const char *names_of(uint64_t capabilities, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned int c = 0; c <= CAP_LAST_CAP; c++) {
		const char *name = capabilities & BIT(c) ? capng_capability_to_name(c) : NULL;

		if (name && at < size)
			at += (size_t)snprintf(buf + at, size - at, "%scap_%s", at ? "," : "",
					       name);
	}
	return buf;
}

static int refuse(const char *command, uint64_t missing, uint64_t must, struct error *e)
{
	char lacks[128], needed[128];

	return error_set(
		e, EXIT_REFUSED,
		"weft %s: user %u lacks %s: run as root (sudo), or with the capabilities %s, as by setpriv --ambient-caps",
		command, (unsigned int)geteuid(), names_of(missing, lacks, sizeof(lacks)),
		names_of(must, needed, sizeof(needed)));
}

int rights_narrow(const char *command, unsigned int flags, bool begins, struct error *e)
{
	struct need need = need_of(flags, begins);
	uint64_t effective = need.must | need.may, missing = 0, permitted = 0, inheritable = 0;

	if (capng_get_caps_process())
		return error_set(e, EXIT_REFUSED,
				 "weft %s: the process's capabilities cannot be read", command);
	for (unsigned int c = 0; c <= CAP_LAST_CAP; c++) {
		if (have(CAPNG_PERMITTED, c))
			permitted |= BIT(c) & (effective | need.aside);
		else
			missing |= BIT(c) & need.must;
		/* What was given as ambient stays so: a child gets what we keep. */
		if (have(CAPNG_INHERITABLE, c))
			inheritable |= BIT(c) & (effective | need.aside);
	}
	if (missing)
		return refuse(command, missing, need.must, e);
	capng_clear(CAPNG_SELECT_CAPS);
	for (unsigned int c = 0; c <= CAP_LAST_CAP; c++) {
		if (permitted & BIT(c))
			capng_update(CAPNG_ADD, CAPNG_PERMITTED, c);
		if (permitted & effective & BIT(c))
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, c);
		if (inheritable & BIT(c))
			capng_update(CAPNG_ADD, CAPNG_INHERITABLE, c);
	}
	if (capng_apply(CAPNG_SELECT_CAPS))
		return error_set(e, EXIT_REFUSED,
				 "weft %s: cannot give up what it does not need: %s", command,
				 strerror(errno));
	return 0;
}

bool rights_raise(unsigned int capability)
{
	if (have(CAPNG_EFFECTIVE, capability) || !have(CAPNG_PERMITTED, capability))
		return false;
	return !capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, capability) &&
	       !capng_apply(CAPNG_SELECT_CAPS);
}

void rights_lower(unsigned int capability)
{
	int saved = errno;

	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, capability);
	capng_apply(CAPNG_SELECT_CAPS);
	errno = saved;
}

int rights_map(unsigned int id)
{
	bool raised = rights_raise(CAP_SYS_ADMIN);
	int fd = bpf_map_get_fd_by_id(id);

	if (raised)
		rights_lower(CAP_SYS_ADMIN);
	return fd;
}

const char *rights_bpf_hint(void)
{
	return have(CAPNG_EFFECTIVE, CAP_BPF)
		       ? ""
		       : ": cap_bpf is missing: run as root, or with that capability";
}

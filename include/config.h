/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Configuration objects as the operator wrote them: what `weft save` prints. All else in the maps
 * that is not state follows from these and from the tenants' rules.
 */
#ifndef WEFT_CONFIG_H
#define WEFT_CONFIG_H

#include "base.h"

#define CONFIG_PATH_LEN 92
#define CONFIG_TEXT_LEN 840

/* An object that needs more text than one value holds goes on in part 1, 2, …; part 0 comes first. */
struct config_key {
	char path[CONFIG_PATH_LEN];	/* "tenants/red/ports/web1", NUL-padded */
	__u32 part;
};

struct config_value {
	__u64 id;		/* never reused */
	__u32 slot;		/* place in the array of its kind on this host; meaningful in part 0 */
	__u16 parts;		/* how many parts the object has */
	__u16 length;		/* bytes of text used in this part */
	char text[CONFIG_TEXT_LEN];	/* JSON, NUL-padded */
};

weft_static_assert(sizeof(struct config_key) == 96);
weft_static_assert(sizeof(struct config_value) == 856);

/* What programs know beyond the least that those of their version do. */
enum abi_knows { ABI_RULE_CHAINS = 1 << 0 /* chains that rules choose */ };

/* abi[0]: written by load; whoever has another version leaves the root alone, but for `load`, which may know a way. */
struct abi {
	__u32 version;		/* WEFT_ABI */
	__u32 knows;		/* enum abi_knows */
	char build[32];		/* the programs that are loaded: version of the command, and a hash of its objects */
};

#endif

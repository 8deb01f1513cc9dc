// SPDX-License-Identifier: BSD-2-Clause
/* The table of all commands: the only registry. */
#include "loader/commands.h"

#define WRITES COMMAND_WRITES
#define BATCH  (COMMAND_WRITES | COMMAND_BATCH)

/* clang-format off */
/* The verbs that every kind of configuration object has. */
#define EDITS(kind, name, options, del_options)                                                    \
	{ kind, "add", name " KEY VALUE...", options, 1, -1, BATCH, cmd_object_add, "make one" },  \
	{ kind, "set", name " KEY VALUE...", options, 1, -1, BATCH, cmd_object_set,                \
	  "change some keys; an empty value removes a key" },                                      \
	{ kind, "replace", name " KEY VALUE...", options, 1, -1, BATCH, cmd_object_replace,        \
	  "make one, or make it new" },                                                            \
	{ kind, "del", name, del_options, 1, 1, BATCH, cmd_object_del, "remove one" }
#define OBJECT_WITH(kind, name, options)                                                           \
	EDITS(kind, name, options, ""),                                                            \
	{ kind, "show", "[" name "]", "", 0, 1, 0, cmd_object_show, "show one, or all" }
#define OBJECT(kind, name) OBJECT_WITH(kind, name, "")
/* --force: take a device that the host itself is reached by, or that others have TC programs on. */
#define DEVICE_OBJECT(kind, name) OBJECT_WITH(kind, name, "force")
/* clang-format on */

const struct command commands[] = {
	{ "load", NULL, "", "host= clsact previous build=", 0, 0, WRITES | COMMAND_LOADS,
	  cmd_load,
	  "load the programs and make the maps, or renew the programs in place" },
	{ "unload", NULL, "", "force", 0, 0, WRITES, cmd_unload, "take everything away again" },
	{ "apply", NULL, "FILE...", "prune force dry-run confirm= no-verify progress at-boot", 1, -1, WRITES, cmd_apply,
	  "make the configuration what the files say; a directory is its *.yaml, - standard input" },
	{ "confirm", NULL, "", "", 0, 0, WRITES, cmd_confirm,
	  "keep what was applied with --confirm, which else takes itself back" },
	{ "history", NULL, "[N]", "", 0, 1, 0, cmd_history,
	  "the last states, or all about the one N states back" },
	{ "rollback", NULL, "[N]", "dry-run force no-verify confirm=", 0, 1, WRITES, cmd_rollback,
	  "go back N states, one if N is not given" },
	{ "diff", NULL, "FILE...", "prune", 1, -1, 0, cmd_diff,
	  "what apply would change; exit code 3 if anything" },
	{ "save", NULL, "", "", 0, 0, 0, cmd_save, "print the configuration as apply takes it" },
	{ "status", NULL, "", "", 0, 0, 0, cmd_status, "what is loaded, applied, pending and not well; exit code 4 if the last" },
	{ "verify", NULL, "", "", 0, 0, WRITES, cmd_verify,
	  "does what packets meet hold to the configuration? exit code 4 if not" },
	{ "check-host", NULL, "", "", 0, 0, COMMAND_TRIES, cmd_check_host,
	  "can this machine run weft?" },
	{ "counters", NULL, "", "", 0, 0, 0, cmd_counters, "drops by reason, and totals" },
	{ "version", NULL, "", "", 0, 0, 0, cmd_version, "version of the command and of the maps" },

	DEVICE_OBJECT("host", "NAME"),
	OBJECT("tenant", "NAME"),
	OBJECT("network", "TENANT/NAME"),
	DEVICE_OBJECT("port", "TENANT/NAME"),
	{ "port", "bind", "TENANT/NAME [device DEVICE]", "force", 1, 3, WRITES, cmd_port_bind,
	  "attach a pending port whose device has come" },
	OBJECT("group", "TENANT/NAME"),
	OBJECT("acl", "TENANT/NAME"),
	{ "acl", "commit", "[TENANT]", "", 0, 1, WRITES, cmd_acl_commit,
	  "compile the rules after edits with other tools" },
	{ "acl", "import", "TENANT FILE format classbench|yaml [KEY VALUE...]", "replace", 4, -1, BATCH,
	  cmd_acl_import, "make rules of a file's, all or none" },
	{ "acl", "check", "TENANT KEY VALUE...", "", 3, -1, 0, cmd_acl_check,
	  "which rule decides a packet, and why; exit code 3 if it does not pass" },
	{ "acl", "lint", "[TENANT]", "", 0, 1, 0, cmd_acl_lint,
	  "rules that never decide, change nothing or contradict others; exit code 3 if any" },
	/* --force: also whatever leaves chains without an instance. */
	EDITS("sf", "NAME[/INSTANCE]", "force", "force"),
	{ "sf", "show", "[NAME[/INSTANCE]]", "", 0, 1, 0, cmd_sf_show,
	  "functions and their instances, and how they are; -s: what they get" },
	{ "sf", "drain", "NAME/INSTANCE", "wait= force", 1, 1, WRITES, cmd_sf_drain,
	  "no new flow; wait until it has none, or, at most, as long as it may have them" },
	{ "sf", "undrain", "NAME/INSTANCE", "", 1, 1, BATCH, cmd_sf_undrain,
	  "an instance that drains, has been drained or is down is up again" },
	OBJECT("chain", "TENANT/NAME"),
	{ "chain", "trace", "TENANT/NAME PORT [KEY VALUE...]", "", 2, -1, 0, cmd_chain_trace,
	  "the way of a packet of PORT and of its answer; nothing is sent" },
	OBJECT("insert", "TENANT/NAME"),

	{ "ct", "show", "[TENANT] [KEY VALUE...]", "follow count= for= buffered", 0, -1, 0, cmd_ct_show,
	  "the flows; --follow: what becomes of them, as it happens" },
	{ "ct", "flush", "[TENANT] [KEY VALUE...]", "", 0, -1, WRITES, cmd_ct_flush,
	  "forget flows: all, or those that fit" },
	{ "ct", "stat", "[TENANT]", "", 0, 1, 0, cmd_ct_stat, "how full the flow tables are, and of what" },
	{ "fdb", "show", "[TENANT[/NETWORK]]", "", 0, 1, 0, cmd_fdb_show, "which MAC is where" },
	{ "fdb", "add", "TENANT/NETWORK/MAC port NAME | host NAME", "", 3, 3, WRITES, cmd_fdb_add,
	  "put an entry in by hand" },
	{ "fdb", "del", "TENANT/NETWORK/MAC", "", 1, 1, WRITES, cmd_fdb_del, "remove an entry" },
	{ "neigh", "show", "[TENANT[/NETWORK]]", "", 0, 1, 0, cmd_neigh_show,
	  "which address has which MAC" },
	{ "neigh", "add", "TENANT/NETWORK/ADDRESS mac MAC", "", 3, 3, WRITES, cmd_neigh_add,
	  "put an entry in by hand" },
	{ "neigh", "del", "TENANT/NETWORK/ADDRESS", "", 1, 1, WRITES, cmd_neigh_del,
	  "remove an entry" },
	{ "epoch", "bump", "TENANT", "", 1, 1, WRITES, cmd_epoch_bump,
	  "judge the tenant's flows again" },

	{ "monitor", "acl", "[TENANT]", "count= for= buffered", 0, 1, 0, cmd_monitor_acl,
	  "what rules with log decide, as it happens" },

	{ "agent", "run", "", "", 0, 0, WRITES, cmd_agent_run,
	  "attach devices when they come, end expired flows, until it is stopped" },

	{ "help", NULL, "[OBJECT]", "completion", 0, 1, 0, cmd_help,
	  "this, or all about one object; --completion: as the shell's completion reads it" },
	{ 0 },
};

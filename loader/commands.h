/* SPDX-License-Identifier: BSD-2-Clause */
/* The handlers named by the table in commands.c. Each returns an exit code >= 0, or -1 with `e` set. */
#ifndef WEFT_COMMANDS_H
#define WEFT_COMMANDS_H

#include "loader/cli.h"

/* The programs, and the host they run on. */
int cmd_load(struct command_line *cl, struct error *e);
int cmd_unload(struct command_line *cl, struct error *e);
int cmd_status(struct command_line *cl, struct error *e);
int cmd_verify(struct command_line *cl, struct error *e);	/* 0 or EXIT_PARTLY */
int cmd_check_host(struct command_line *cl, struct error *e);
int cmd_version(struct command_line *cl, struct error *e);
int cmd_help(struct command_line *cl, struct error *e);

/* The whole configuration. */
int cmd_apply(struct command_line *cl, struct error *e);	/* --prune --force --dry-run --confirm */
int cmd_diff(struct command_line *cl, struct error *e);		/* --prune; 0 or EXIT_DIFFERS */
int cmd_confirm(struct command_line *cl, struct error *e);
int cmd_history(struct command_line *cl, struct error *e);	/* [N] */
int cmd_rollback(struct command_line *cl, struct error *e);	/* [N]; --dry-run --force --confirm */
int cmd_save(struct command_line *cl, struct error *e);
int cmd_counters(struct command_line *cl, struct error *e);

/*
 * host, tenant, network, port, group, acl, sf, chain, insert: cl->command->object is the kind of the schema.
 * `sf add ips/ips1` is about an instance. `show` without a name is about all.
 */
int cmd_object_add(struct command_line *cl, struct error *e);
int cmd_object_set(struct command_line *cl, struct error *e);
int cmd_object_replace(struct command_line *cl, struct error *e);
int cmd_object_del(struct command_line *cl, struct error *e);
int cmd_object_show(struct command_line *cl, struct error *e);

int cmd_sf_show(struct command_line *cl, struct error *e);	/* [NAME[/INSTANCE]] */
int cmd_sf_drain(struct command_line *cl, struct error *e);	/* NAME/INSTANCE; --wait --force */
int cmd_sf_undrain(struct command_line *cl, struct error *e);	/* NAME/INSTANCE */
int cmd_chain_trace(struct command_line *cl, struct error *e);	/* TENANT/NAME PORT [KEY VALUE...] */
int cmd_port_bind(struct command_line *cl, struct error *e);	/* TENANT/NAME [device DEVICE] */
int cmd_acl_commit(struct command_line *cl, struct error *e);	/* [TENANT] */
int cmd_acl_import(struct command_line *cl, struct error *e);	/* TENANT FILE format F [KEY VALUE...]; --replace */
int cmd_acl_check(struct command_line *cl, struct error *e);	/* TENANT KEY VALUE...; 0 or EXIT_DIFFERS */
int cmd_acl_lint(struct command_line *cl, struct error *e);	/* [TENANT]; 0, EXIT_DIFFERS or EXIT_PARTLY */
int cmd_epoch_bump(struct command_line *cl, struct error *e);	/* TENANT */

/* State. */
int cmd_ct_show(struct command_line *cl, struct error *e);	/* [TENANT] [KEY VALUE...]; --follow */
int cmd_ct_follow(struct command_line *cl, struct error *e);	/* the same with --follow; --count --for --buffered */
int cmd_ct_flush(struct command_line *cl, struct error *e);	/* [TENANT] [KEY VALUE...] */
int cmd_ct_stat(struct command_line *cl, struct error *e);	/* [TENANT] */
int cmd_fdb_show(struct command_line *cl, struct error *e);	/* [TENANT/NETWORK] */
int cmd_fdb_add(struct command_line *cl, struct error *e);	/* TENANT/NETWORK/MAC port NAME | host NAME */
int cmd_fdb_del(struct command_line *cl, struct error *e);	/* TENANT/NETWORK/MAC */
int cmd_neigh_show(struct command_line *cl, struct error *e);	/* [TENANT/NETWORK] */
int cmd_neigh_add(struct command_line *cl, struct error *e);	/* TENANT/NETWORK/ADDRESS mac MAC */
int cmd_neigh_del(struct command_line *cl, struct error *e);	/* TENANT/NETWORK/ADDRESS */

int cmd_monitor_acl(struct command_line *cl, struct error *e);	/* [TENANT]; --count --for --buffered */

int cmd_agent_run(struct command_line *cl, struct error *e);

/*
 * `-b FILE`: main opens one batch, runs each line with cl->batch set (handlers with COMMAND_BATCH change the batch's
 * tree and commit nothing), then commits all in one swap, or drops all at the first error.
 */
int batch_begin(const struct command_line *cl, struct batch **batch, struct error *e);
/* The same without anybody's rules, for who brings those that are needed. */
int batch_begin_objects(const struct command_line *cl, struct batch **batch, struct error *e);
void batch_file(struct batch *batch, const char *name, const char *sha256);	/* where the lines are from */
int batch_commit(struct batch *batch, struct error *e);	/* an exit code, or -1 */
void batch_end(struct batch *batch);			/* frees; without a commit nothing was changed */

#endif

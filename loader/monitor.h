/* SPDX-License-Identifier: BSD-2-Clause */
/* What commands that print events as they come have in common: the ring buffer, options, names, and what was not told. */
#ifndef WEFT_MONITOR_H
#define WEFT_MONITOR_H

#include <jansson.h>

#include "loader/names.h"

struct monitor;

/* A counter of struct tenant_traffic of events that were not told. */
struct monitor_loss {
	size_t offset;
	const char *event; /* what it is called in JSON */
	const char *why;
};

struct monitor_kind {
	const char *map; /* the ring buffer */
	const char *lock; /* one reader a root: single.h */
	const struct monitor_loss *losses;
	size_t n_losses;
	/* One event. Returns 1 if it was printed, 0 if not, or -1. */
	int (*take)(struct monitor *m, const void *event, size_t size);
	/* Called before anything is read but old events, and then several times a second; may be NULL. Returns 0 or -1. */
	int (*tick)(struct monitor *m, struct error *e);
};

struct monitor {
	const struct monitor_kind *kind;
	struct command_line *cl;
	struct show s;
	struct names names;
	const char *tenant; /* NULL: all */
	void *arg; /* the command's own */
	uint64_t since; /* events before it are old; TAI, ns */
	int64_t tai_ahead; /* of UTC, ns */
	long long left; /* events to come; -1: any number */
	long long for_ms; /* -1: until it is stopped */
	int stats; /* fd of tenant_stats */
	uint64_t *told; /* losses by slot and kind */
	int failed;
	struct error *e;
};

/* Reads the options and what is configured. `tenant` is an operand, or NULL. monitor_close() also if it fails. */
int monitor_open(struct monitor *m, const struct monitor_kind *kind, struct command_line *cl,
		 const char *tenant, struct error *e);
void monitor_close(struct monitor *m);
/* Until the options say that it is over. Returns 0 or -1. */
int monitor_run(struct monitor *m, struct error *e);

/* "2026-11-26T12:00:00.123456Z"; returns buf. */
#define MONITOR_TIME_SIZE 40
const char *monitor_time(const struct monitor *m, uint64_t tai, char *buf, size_t size);
/* One object a line, whatever -p says. Takes it over. */
void monitor_tell_json(json_t *one);

#endif

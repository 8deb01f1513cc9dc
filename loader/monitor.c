// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/flow.h"
#include "loader/alloc.h"
#include "loader/config/schema_types.h"
#include "loader/monitor.h"
#include "loader/single.h"

#define POLL_MS       200
#define LOSS_EVERY_MS 1000

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

const char *monitor_time(const struct monitor *m, uint64_t tai, char *buf, size_t size)
{
	int64_t ns = (int64_t)tai - m->tai_ahead;
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, size - len, ".%06dZ", (int)(ns % 1000000000 / 1000));
	return buf;
}

void monitor_tell_json(json_t *one)
{
	json_dumpf(one, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(one);
}

/* ---- what was not told ---- */

static uint64_t lost_at(const struct monitor *m, uint32_t slot, size_t offset)
{
	int cpus = libbpf_num_possible_cpus();
	struct tenant_traffic values[cpus > 0 ? cpus : 1];
	uint64_t sum = 0;

	if (cpus <= 0 || bpf_map_lookup_elem(m->stats, &slot, values))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += *(const uint64_t *)((const char *)&values[i] + offset);
	return sum;
}

static void tell_loss(const struct monitor *m, const char *tenant, const struct monitor_loss *loss,
		      uint64_t n)
{
	if (m->cl->json)
		monitor_tell_json(json_pack("{s:s, s:s, s:I}", "event", loss->event, "tenant",
					    tenant, "count", (json_int_t)n));
	else
		printf("%s: %llu events not told: %s\n", tenant, (unsigned long long)n, loss->why);
}

/* `first`: only learns what was not told before. */
static void look_for_losses(struct monitor *m, bool first)
{
	for (size_t i = 0; i < m->s.model.n_tenants; i++) {
		const struct model_tenant *t = &m->s.model.tenants[i];

		if (!t->here || (m->tenant && strcmp(t->name, m->tenant)))
			continue;
		for (size_t k = 0; k < m->kind->n_losses; k++) {
			uint64_t *told = &m->told[t->slot * m->kind->n_losses + k];
			uint64_t now = lost_at(m, t->slot, m->kind->losses[k].offset);

			/* Another tenant's slot by now: it begins at 0. */
			if (!first && now > *told)
				tell_loss(m, t->name, &m->kind->losses[k], now - *told);
			*told = now;
		}
	}
}

/* ---- reading ---- */

static int take(void *arg, void *data, size_t size)
{
	struct monitor *m = arg;
	int taken = m->left ? m->kind->take(m, data, size) : 0;

	if (taken < 0) {
		m->failed = -1;
		return -1;
	}
	if (taken && m->left > 0)
		m->left--;
	return 0;
}

/* Who is stopped still tells what he has, and what was lost, and that he listens no more. */
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static bool goes_on(const struct monitor *m, int64_t start)
{
	return m->left && !m->failed && !stopped &&
	       (m->for_ms < 0 || names_now_ms() - start < m->for_ms);
}

static int follow(struct monitor *m, struct ring_buffer *ring, struct error *e)
{
	int64_t start = names_now_ms(), looked = start;

	/* What is old makes room first. */
	ring_buffer__consume(ring);
	stop_on_signals();
	look_for_losses(m, true);
	while (goes_on(m, start)) {
		int n = m->kind->tick && m->kind->tick(m, e) ? -1 : 0;

		if (n)
			return -1;
		n = ring_buffer__poll(ring, POLL_MS);
		if (!m->failed && n < 0 && n != -EINTR)
			return error_set(e, EXIT_REFUSED, "map %s: %s", m->kind->map, strerror(-n));
		fflush(stdout);
		if (ferror(stdout))
			return error_set(e, EXIT_REFUSED, "nobody takes the output: %s",
					 strerror(errno));
		if (names_now_ms() - looked >= LOSS_EVERY_MS) {
			look_for_losses(m, false);
			looked = names_now_ms();
		}
	}
	if (!m->failed)
		look_for_losses(m, false);
	return m->failed;
}

/* Who reads takes events out, which is writing. */
static int open_ring(struct monitor *m, struct ring_buffer **ring, struct error *e)
{
	struct root writes = m->s.root;
	int fd;

	writes.reads = false;
	fd = root_map(&writes, m->kind->map, e);
	if (fd < 0)
		return -1;
	*ring = ring_buffer__new(fd, take, m, NULL);
	close(fd);
	return *ring ? 0
		     : error_set(e, EXIT_REFUSED, "map %s: cannot be read: %s", m->kind->map,
				 strerror(errno));
}

int monitor_run(struct monitor *m, struct error *e)
{
	struct ring_buffer *ring = NULL;
	int lock = single_take(&m->s.root, m->kind->lock, e), failed = -1;

	if (lock < 0)
		return -1;
	m->stats = root_map(&m->s.root, "tenant_stats", e);
	if (m->stats >= 0 && !open_ring(m, &ring, e))
		failed = follow(m, ring, e);
	ring_buffer__free(ring);
	if (m->stats >= 0)
		close(m->stats);
	close(lock);
	return failed;
}

/* ---- the options ---- */

static int option_ms(const struct command_line *cl, const char *name, long long *ms,
		     struct error *e)
{
	const struct schema_key key = { .min = 1, .max = 30LL * 86400 * 1000 };
	const char *value = cli_option(cl, name);
	char why[256], quoted[ERROR_QUOTE_SIZE];
	json_t *number;

	*ms = -1;
	if (!value)
		return 0;
	number = schema_type_duration.parse(&key, value, why, sizeof(why));
	*ms = json_integer_value(number);
	json_decref(number);
	return number ? 0
		      : error_set(e, EXIT_USAGE, "--%s: %s %s", name,
				  error_quote(quoted, sizeof(quoted), value), why);
}

static int option_count(const struct command_line *cl, long long *n, struct error *e)
{
	const char *value = cli_option(cl, "count");
	char quoted[ERROR_QUOTE_SIZE];

	*n = -1;
	if (!value || (!schema_parse_number(value, n) && *n > 0))
		return 0;
	return error_set(e, EXIT_USAGE, "--count: %s is not a number above 0",
			 error_quote(quoted, sizeof(quoted), value));
}

int monitor_open(struct monitor *m, const struct monitor_kind *kind, struct command_line *cl,
		 const char *tenant, struct error *e)
{
	struct scope scope;

	*m = (struct monitor){ .kind = kind, .cl = cl, .tenant = tenant, .stats = -1, .e = e };
	if (option_count(cl, &m->left, e) || option_ms(cl, "for", &m->for_ms, e) ||
	    show_open(&m->s, cl, e))
		return -1;
	m->tai_ahead = clock_ns(CLOCK_TAI) - clock_ns(CLOCK_REALTIME);
	m->since = cli_option(cl, "buffered") ? 0 : (uint64_t)clock_ns(CLOCK_TAI);
	m->told = alloc_zero(WEFT_TENANTS_MAX * kind->n_losses, sizeof(*m->told));
	names_open(&m->names, &m->s);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	return tenant && show_scope(&m->s, tenant, false, &scope, e) ? -1 : 0;
}

void monitor_close(struct monitor *m)
{
	/* Not even the root was there. */
	if (!m->told)
		return;
	names_close(&m->names);
	free(m->told);
	show_close(&m->s);
}

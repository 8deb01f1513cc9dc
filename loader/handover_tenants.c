// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tenants' records from one version of the maps to another. Version 2 knew fewer idle times, and no seed: what it knew is
 * kept, what it did not has its default until the next apply, which asks the configuration.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "include/flow_versions.h"
#include "include/host.h"
#include "loader/handover.h"

/* Idle times that both versions know. ICMPv6 had ICMP's. */
static const struct {
	enum ct_timeout_2 old;
	enum ct_timeout now;
} same[] = {
	{ CT_2_TCP_SYN, CT_TCP_SYN },
	{ CT_2_TCP_ESTABLISHED, CT_TCP_ESTABLISHED },
	{ CT_2_TCP_FIN, CT_TCP_FIN },
	{ CT_2_TCP_CLOSED, CT_TCP_CLOSED },
	{ CT_2_TCP_TIME_WAIT, CT_TCP_TIME_WAIT },
	{ CT_2_UDP, CT_UDP },
	{ CT_2_UDP_REPLIED, CT_UDP_REPLIED },
	{ CT_2_ICMP, CT_ICMPV6 },
	{ CT_2_ICMP, CT_ICMP },
	{ CT_2_OTHER, CT_OTHER },
};

#define SAME (sizeof(same) / sizeof(same[0]))

static int hz_of(const struct root *root, uint32_t *hz, struct error *e)
{
	struct host_config host = { 0 };
	uint32_t zero = 0;
	int fd = root_map(root, "host", e), failed;

	if (fd < 0)
		return -1;
	failed = bpf_map_lookup_elem(fd, &zero, &host);
	close(fd);
	*hz = host.hz;
	return failed || !host.hz ? error_set(e, EXIT_REFUSED, "map host: jiffies are not known")
				  : 0;
}

static void make_defaults(struct tenant *t, uint32_t hz)
{
#define X(id, name, seconds) t->timeout[CT_##id] = (seconds)*hz;
	CT_TIMEOUTS(X)
#undef X
}

static uint32_t least(const uint32_t *timeouts, size_t n)
{
	uint32_t shortest = UINT32_MAX;

	for (size_t i = 0; i < n; i++)
		if (timeouts[i] < shortest)
			shortest = timeouts[i];
	return shortest;
}

static int from_2(const struct root *root, const struct tenant_2 *old, struct tenant *t,
		  struct error *e)
{
	uint32_t hz;

	if (hz_of(root, &hz, e))
		return -1;
	memset(t, 0, sizeof(*t));
	t->id = old->id;
	t->epoch = old->epoch;
	t->flags = old->flags;
	make_defaults(t, hz);
	for (size_t i = 0; i < SAME; i++)
		t->timeout[same[i].now] = old->timeout[same[i].old];
	t->shortest = least(t->timeout, CT_TIMEOUT_COUNT);
	if (getrandom(&t->seed, sizeof(t->seed), 0) != sizeof(t->seed))
		return error_set(e, EXIT_REFUSED, "no random numbers: %s", strerror(errno));
	return 0;
}

static void to_2(const struct tenant *t, struct tenant_2 *old)
{
	memset(old, 0, sizeof(*old));
	old->id = t->id;
	old->epoch = t->epoch;
	old->flags = t->flags;
	for (size_t i = 0; i < SAME; i++)
		old->timeout[same[i].old] = t->timeout[same[i].now];
	old->shortest = least(old->timeout, CT_2_COUNT);
}

int handover_complete(const struct root *root, const char *map, const void *old, size_t old_size,
		      void *value, size_t size, struct error *e)
{
	struct tenant now;
	struct tenant_2 two;

	if (strcmp(map, HANDOVER_TENANTS))
		return 0;
	if (old_size == sizeof(two) && size == sizeof(now)) {
		memcpy(&two, old, sizeof(two));
		if (!two.id)
			return 0;
		if (from_2(root, &two, &now, e))
			return -1;
		memcpy(value, &now, sizeof(now));
	} else if (old_size == sizeof(now) && size == sizeof(two)) {
		memcpy(&now, old, sizeof(now));
		if (!now.id)
			return 0;
		to_2(&now, &two);
		memcpy(value, &two, sizeof(two));
	}
	return 0;
}

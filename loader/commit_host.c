// SPDX-License-Identifier: BSD-2-Clause
/* Which host of the configuration is this machine? */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

#include "loader/commit.h"

static bool is_local(const struct ifaddrs *all, const char *text)
{
	struct in_addr wanted;

	if (!text || inet_pton(AF_INET, text, &wanted) != 1)
		return false;
	for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
		const struct sockaddr_in *address = (const void *)one->ifa_addr;

		if (address && one->ifa_addr->sa_family == AF_INET &&
		    address->sin_addr.s_addr == wanted.s_addr)
			return true;
	}
	return false;
}

bool host_is_local(const char *address)
{
	struct ifaddrs *all = NULL;
	bool local = !getifaddrs(&all) && is_local(all, address);

	if (all)
		freeifaddrs(all);
	return local;
}

static int refuse(const json_t *hosts, const char *first, const char *second, struct error *e)
{
	const char *name = json_object_iter_key(json_object_iter((json_t *)hosts));

	if (first)
		return error_set(
			e, EXIT_REFUSED,
			"host: the tunnel endpoints of both %s and %s are addresses of this "
			"machine: say which it is with `weft load --host NAME`",
			first, second);
	return error_set(
		e, EXIT_REFUSED,
		"host: no tunnel endpoint of the %zu hosts (%s%s) is an address of this machine: "
		"bring the underlay up, or say which it is with `weft load --host NAME`",
		json_object_size(hosts), name, json_object_size(hosts) > 1 ? ", ..." : "");
}

/*
 * The hosts of the tree whose tunnel endpoint is an address of this machine: the first two of them.
 */
static int find_local(const json_t *hosts, const char **first, const char **second, struct error *e)
{
	struct ifaddrs *all = NULL;
	const char *key;
	json_t *host;

	*first = *second = NULL;
	if (getifaddrs(&all))
		return error_set(e, EXIT_REFUSED, "host: this machine's addresses cannot be read");
	json_object_foreach ((json_t *)hosts, key, host) {
		const json_t *vtep = json_array_get(json_object_get(host, "vtep"), 0);

		if (!is_local(all, json_string_value(vtep)))
			continue;
		if (!*first)
			*first = key;
		else if (!*second)
			*second = key;
	}
	freeifaddrs(all);
	return 0;
}

int commit_pick_host(const struct state *state, const json_t *tree, char name[WEFT_NAME_LEN + 1],
		     struct error *e)
{
	json_t *hosts = json_object_get(tree, "hosts");
	const char *first, *second;

	snprintf(name, WEFT_NAME_LEN + 1, "%.*s", WEFT_NAME_LEN, state->host.name);
	if (!json_object_size(hosts) || (name[0] && json_object_get(hosts, name)))
		return 0;
	if (find_local(hosts, &first, &second, e))
		return -1;
	/* Who was renamed is found by his address; who is nowhere any more keeps his name. */
	if (name[0] && (!first || second))
		return 0;
	if (!first || second)
		return refuse(hosts, first, second, e);
	snprintf(name, WEFT_NAME_LEN + 1, "%s", first);
	return 0;
}

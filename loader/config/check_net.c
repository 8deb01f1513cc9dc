// SPDX-License-Identifier: BSD-2-Clause
/* Hosts, networks and ports: what each of them may have alone. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/config/address.h"
#include "loader/config/checker.h"

/* Every object of a kind in every tenant: `path` and `object` are set, `tenant` is its name. */
struct each {
	const char *tenant;
	char path[CHECK_TEXT];
};

static int each_of_tenants(struct checker *c, const char *kinds,
			   int (*check)(struct checker *, const struct each *, const json_t *))
{
	struct each at;
	json_t *body, *object;
	const char *name;

	json_object_foreach (json_object_get(c->tree, "tenants"), at.tenant, body) {
		json_object_foreach (json_object_get(body, kinds), name, object) {
			snprintf(at.path, sizeof(at.path), "tenants/%s/%s/%s", at.tenant, kinds,
				 name);
			if (check(c, &at, object))
				return -1;
		}
	}
	return 0;
}

static int check_host(struct checker *c, const char *path, const char *name, const json_t *host)
{
	char what[CHECK_TEXT];
	const char *owner;
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(host, "vtep"), i, item) {
		snprintf(what, sizeof(what), "vtep %s", json_string_value(item));
		owner = checker_claim(c, what, path);
		if (owner)
			return checker_refuse(
				c, path, item,
				"vtep %s is that of %s already: give each host its own",
				json_string_value(item), owner);
	}
	json_array_foreach (json_object_get(host, "underlay"), i, item) {
		snprintf(what, sizeof(what), "device %s %s", name, json_string_value(item));
		checker_claim(c, what, path);
	}
	return 0;
}

int check_hosts(struct checker *c)
{
	char path[CHECK_TEXT];
	const char *name;
	json_t *host;

	json_object_foreach (json_object_get(c->tree, "hosts"), name, host) {
		snprintf(path, sizeof(path), "hosts/%s", name);
		if (check_host(c, path, name, host))
			return -1;
	}
	return 0;
}

static int check_network(struct checker *c, const struct each *at, const json_t *network)
{
	const json_t *vni = json_object_get(network, "vni");
	char what[CHECK_TEXT];
	const char *owner;

	snprintf(what, sizeof(what), "vni %lld", (long long)json_integer_value(vni));
	owner = checker_claim(c, what, at->path);
	if (owner)
		return checker_refuse(c, at->path, vni,
				      "vni %lld is that of %s already: give each network its own",
				      (long long)json_integer_value(vni), owner);
	return 0;
}

int check_networks(struct checker *c)
{
	return each_of_tenants(c, "networks", check_network);
}

/*
 * The first and the last address of an IPv4 subnet belong to no machine, but for point-to-point
 * subnets.
 */
static int is_reserved(const struct address *subnet, const struct address *a)
{
	struct address last = *subnet;

	if (a->family != AF_INET || subnet->bits > 30)
		return 0;
	for (unsigned int bit = subnet->bits; bit < 32; bit++)
		last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return !memcmp(a->bytes, subnet->bytes, 4) || !memcmp(a->bytes, last.bytes, 4);
}

static int check_address(struct checker *c, const struct each *at, const char *network_name,
			 const json_t *network, const json_t *item)
{
	const json_t *subnets = json_object_get(network, "subnets"), *subnet;
	const char *text = json_string_value(item), *owner;
	struct address a, prefix;
	int inside = !json_array_size(subnets);
	char what[CHECK_TEXT];
	size_t i;

	address_parse(text, &a);
	/* A link-local address is inside any link. */
	inside |= address_is_link_local(&a);
	json_array_foreach (subnets, i, subnet) {
		prefix_parse(json_string_value(subnet), &prefix);
		if (!prefix_contains(&prefix, &a))
			continue;
		inside = 1;
		if (is_reserved(&prefix, &a))
			return checker_refuse(
				c, at->path, item,
				"address %s is the first or the last of subnet %s, which no "
				"machine can have: write another",
				text, json_string_value(subnet));
	}
	if (!inside)
		return checker_refuse(
			c, at->path, item,
			"address %s lies in no subnet of network %s: correct it, or add the "
			"subnet",
			text, network_name);
	snprintf(what, sizeof(what), "address %s %s %s", at->tenant, network_name, text);
	owner = checker_claim(c, what, at->path);
	if (owner)
		return checker_refuse(
			c, at->path, item,
			"address %s is that of %s already, in the same network %s: give each "
			"port its own",
			text, owner, network_name);
	return 0;
}

static int check_port_device(struct checker *c, const struct each *at, const json_t *port)
{
	const char *host = json_string_value(json_object_get(port, "host"));
	const char *device = json_string_value(json_object_get(port, "device"));
	const char *mode = json_string_value(json_object_get(port, "mode"));
	const json_t *node = json_object_get(port, "device");
	long long vlan = json_integer_value(json_object_get(port, "vlan"));
	char what[CHECK_TEXT];
	const char *owner;

	snprintf(what, sizeof(what), "device %s %s", host, device);
	owner = json_string_value(json_object_get(c->claims, what));
	if (owner)
		return checker_refuse(c, at->path, node,
				      "device %s of host %s is in use by %s: give the port another",
				      device, host, owner);
	snprintf(what, sizeof(what), "port %s %s %lld", host, device, vlan);
	owner = checker_claim(c, what, at->path);
	if (owner)
		return checker_refuse(
			c, at->path, node,
			"device %s of host %s is in use by %s%s: give one of them another "
			"device, or a vlan of its own",
			device, host, owner, vlan ? " with the same vlan" : "");
	snprintf(what, sizeof(what), "mode %s %s", host, device);
	owner = checker_claim(c, what, mode ? mode : "the host's");
	if (owner && strcmp(owner, mode ? mode : "the host's"))
		return checker_refuse(
			c, at->path, node,
			"device %s of host %s has mode %s by another port, %s by this one: a "
			"device has one mode",
			device, host, owner, mode ? mode : "the host's");
	return 0;
}

static int check_port(struct checker *c, const struct each *at, const json_t *port)
{
	const char *network_name = json_string_value(json_object_get(port, "network"));
	const json_t *network = checker_find(c, at->path, "network", network_name);
	const json_t *mac = json_object_get(port, "mac"), *item;
	char what[CHECK_TEXT];
	const char *owner;
	size_t i;

	if (check_port_device(c, at, port))
		return -1;
	snprintf(what, sizeof(what), "mac %s %s %s", at->tenant, network_name,
		 json_string_value(mac));
	owner = checker_claim(c, what, at->path);
	if (owner)
		return checker_refuse(
			c, at->path, mac,
			"mac %s is that of %s already, in the same network %s: give each port "
			"its own",
			json_string_value(mac), owner, network_name);
	json_array_foreach (json_object_get(port, "addresses"), i, item)
		if (check_address(c, at, network_name, network, item))
			return -1;
	return 0;
}

int check_ports(struct checker *c)
{
	return each_of_tenants(c, "ports", check_port);
}

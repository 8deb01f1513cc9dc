// SPDX-License-Identifier: BSD-2-Clause
/*
 * recent: what `ports`, `vteps` and `networks` answered is remembered for a jiffy, and their changes hold from the next on. A
 * slot that was given away and a port that has moved to another device are never taken for what they were, and nothing is
 * delivered to another tenant, not even within that jiffy.
 */
#include <arpa/inet.h>
#include <unistd.h>

#include "selftests/unit/lib/world.h"

#define UDP_OUT A, R, 4, UDP, 1000, 53
#define UDP_IN R, A, 4, UDP, 1000, 53

static void next_jiffy(void)
{
	uint64_t now = jiffies64_now();

	while (jiffies64_now() < now + 2)
		usleep(500);
}

static struct frame tunnelled_as(const struct tunnelled *outer)
{
	struct frame f = packet_frame((struct packet){ UDP_IN });

	frame_wrap(&f, outer);
	return f;
}

static struct frame tunnelled(void)
{
	return tunnelled_as(&(struct tunnelled){ 0 });
}

static struct vtep_key their_address(void)
{
	struct vtep_key key = { 0 };

	inet_pton(AF_INET, "192.168.50.2", key.address);
	return key;
}

static void binding_removed(void **state)
{
	struct frame f = packet_frame((struct packet){ UDP_OUT });
	struct port_key key = { .ifindex = device(DEVICE_A) };
	struct port_binding binding;

	(void)state;
	map_get("ports", &key, &binding);
	for_each_flavour(flavour)
	{
		world_case("a device that is no port's any more", flavour);
		map_put("ports", &key, &binding);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		map_delete("ports", &key);
		next_jiffy();
		if (flavour == IN_TC)
			expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_UNKNOWN_PORT);
		else
			expect(HOOK_PORT, flavour, DEVICE_A, &f, UP, DROP_NONE);
	}
}

/* At once: many times, so that some are within one jiffy. */
static void slot_given_away(void **state)
{
	struct frame f = packet_frame((struct packet){ UDP_OUT });
	struct port a = port_get(A);

	(void)state;
	for (int i = 0; i < 50; i++) {
		world_case("a slot that is another port's now", IN_TC);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
		a.generation++;
		port_put(A, &a);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_UNKNOWN_PORT);
		a.generation--;
		port_put(A, &a);
	}
}

/* Each has the other's device now, or its tag: at once. */
static void devices_swapped(void **state)
{
	struct frame f = packet_frame((struct packet){ UDP_OUT });
	struct port_key key = { .ifindex = device(DEVICE_A) };
	struct port ours = port_get(A), theirs = port_get(B);
	struct port_binding a, b;

	(void)state;
	map_get("ports", &key, &a);
	map_get("ports", &(struct port_key){ .ifindex = device(DEVICE_B) }, &b);
	for_each_flavour(flavour)
	{
		for (int i = 0; i < 50; i++) {
			struct port moved_a = ours, moved_b = theirs;

			world_case("a device that is another port's now", flavour);
			expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			moved_a.ifindex = theirs.ifindex;
			moved_b.ifindex = ours.ifindex;
			port_put(A, &moved_a);
			port_put(B, &moved_b);
			map_put("ports", &key, &b);
			expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_SPOOFED_MAC);
			map_put("ports", &key, &a);
			port_put(A, &ours);
			port_put(B, &theirs);
			next_jiffy();
		}
	}
}

/* What came through the tunnel as long as the entry was there is dropped without it. */
static void entry_removed(const char *name, const char *map, const void *key, const void *value,
			  enum drop_reason reason)
{
	struct frame f = tunnelled();

	acl_allow_all();
	for_each_flavour(flavour)
	{
		world_case(name, flavour);
		map_put(map, key, value);
		next_jiffy();
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, SENT, DROP_NONE);
		map_delete(map, key);
		next_jiffy();
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, DROPPED, reason);
	}
}

static void host_removed(void **state)
{
	struct vtep_key key = their_address();
	struct vtep theirs;

	(void)state;
	map_get("vteps", &key, &theirs);
	entry_removed("a host that is none any more", "vteps", &key, &theirs, DROP_VTEP_UNKNOWN);
}

/* What is remembered lies in one of a few places: these two have that of the host and the network that are known. */
static void same_place(void **state)
{
	struct frame known = tunnelled(), vni = tunnelled_as(&(struct tunnelled){ .vni = VNI ^ 0x20 }),
		     host = tunnelled_as(&(struct tunnelled){ .source = "192.136.50.2" });

	(void)state;
	acl_allow_all();
	for_each_flavour(flavour)
	{
		for (int i = 0; i < 50; i++) {
			world_case("another VNI, another host", flavour);
			expect(HOOK_UNDERLAY, flavour, DEVICE_U, &known, SENT, DROP_NONE);
			expect(HOOK_UNDERLAY, flavour, DEVICE_U, &vni, DROPPED, DROP_VNI_UNKNOWN);
			expect(HOOK_UNDERLAY, flavour, DEVICE_U, &host, DROPPED, DROP_VTEP_UNKNOWN);
		}
	}
}

/* R's MAC is of the other slot: who comes from the address that is now a third host's may not speak for it. */
static void host_changed(void **state)
{
	struct frame f = tunnelled();
	struct vtep_key key = their_address();

	(void)state;
	acl_allow_all();
	for_each_flavour(flavour)
	{
		world_case("an address that is another host's now", flavour);
		flows_clear();
		map_put("vteps", &key, &(struct vtep){ THEIR_HOST });
		next_jiffy();
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, SENT, DROP_NONE);
		map_put("vteps", &key, &(struct vtep){ THEIR_HOST + 1 });
		next_jiffy();
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, DROPPED, DROP_WRONG_HOST);
	}
}

static void network_removed(void **state)
{
	uint32_t vni = VNI;
	struct network n;

	(void)state;
	map_get("networks", &vni, &n);
	entry_removed("a network that is none any more", "networks", &vni, &n, DROP_VNI_UNKNOWN);
}

/* The VNI and its port are another tenant's: what the old one's rules allowed goes nowhere, at once. */
static void network_changed_hands(void **state)
{
	struct frame f = tunnelled();
	struct port ours = port_get(A), theirs = ours;
	uint32_t vni = VNI;
	struct network was, is;

	(void)state;
	acl_allow_all();
	map_get("networks", &vni, &was);
	is = was;
	is.tenant = theirs.tenant = TENANT + 1; /* who has no table for flows, should it be asked */
	for_each_flavour(flavour)
	{
		for (int i = 0; i < 50; i++) {
			struct result r;

			world_case("a VNI that is another tenant's now", flavour);
			expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, SENT, DROP_NONE);
			map_put("networks", &vni, &is);
			port_put(A, &theirs);
			r = world_run(HOOK_UNDERLAY, flavour, DEVICE_U, &f);
			case_assert(r.outcome == DROPPED && r.all_drops == 1);
			map_put("networks", &vni, &was);
			port_put(A, &ours);
			next_jiffy();
		}
	}
}

/* Left behind, or made by hand: a port of another network of the tenant's. */
static void other_network(void **state)
{
	struct frame f = tunnelled();
	struct port ours = port_get(A), theirs = ours;

	(void)state;
	acl_allow_all();
	theirs.network++;
	for_each_flavour(flavour)
	{
		world_case("a port of another network", flavour);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, SENT, DROP_NONE);
		port_put(A, &theirs);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &f, DROPPED, DROP_PORT_UNBOUND);
		port_put(A, &ours);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(binding_removed, world_reset),
		cmocka_unit_test_setup(slot_given_away, world_reset),
		cmocka_unit_test_setup(devices_swapped, world_reset),
		cmocka_unit_test_setup(host_removed, world_reset),
		cmocka_unit_test_setup(same_place, world_reset),
		cmocka_unit_test_setup(host_changed, world_reset),
		cmocka_unit_test_setup(network_removed, world_reset),
		cmocka_unit_test_setup(network_changed_hands, world_reset),
		cmocka_unit_test_setup(other_network, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world in which the packet tests run single programs (BPF_PROG_TEST_RUN): the programs of all
 * hooks in both flavours over one private set of maps, filled by the test itself, with devices in a
 * network namespace of its own.
 *
 *   this host 192.168.50.1: port A (device "a"), port TAGGED ("a", VLAN 20), port B ("b"),
 *                           a function's arms "s" and "t", the underlay "u"
 *   host 192.168.50.2:      workload R
 *   one tenant, one network (VNI 101); ACL: nothing in, all out, but what a test says
 */
#ifndef WEFT_UNIT_WORLD_H
#define WEFT_UNIT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "include/acl.h"
#include "include/chain.h"
#include "include/drop_reasons.h"
#include "include/flow.h"
#include "include/fragment.h"
#include "include/host.h"
#include "include/port.h"
#include "selftests/unit/lib/frame.h"

enum { TENANT = 1, OUR_HOST = 2, THEIR_HOST = 3, NETWORK = 5, CHAIN = 7, CHAIN_2 = 8, VNI = 101, MARK = 0x5eed };
enum { HZ = 1 << 20 }; /* a second that no test outlives: next hops stay fresh */
enum { FUNCTION = 3 }; /* slot of the first step's; the other steps' follow */
enum { CHAIN_TAG = 301, CHAIN_2_TAG = 302, PORT_VLAN = 20, FLOWS_MAX = 64, FRAGMENT_SETS = 4, HITS_MAX = 512 };
enum device_name { DEVICE_A, DEVICE_B, DEVICE_S, DEVICE_T, DEVICE_V, DEVICE_U, DEVICE_COUNT };

enum hook { HOOK_PORT, HOOK_UNDERLAY, HOOK_SF, HOOK_GUARD, HOOK_COUNT };
enum flavour { IN_TC, IN_XDP, FLAVOURS };
#define for_each_flavour(f) for (enum flavour f = IN_TC; f < FLAVOURS; f++)

/* What a program does with a packet, in words that both flavours share. */
enum outcome {
	SENT, /* redirected: TC_ACT_REDIRECT or XDP_REDIRECT */
	DROPPED, /* with a reason, and nothing else is counted as a drop */
	SPENT, /* dropped without a reason: copies or nothing at all went out */
	PASSED, /* to the host's stack, untouched */
	UP, /* XDP: left to TC, untouched, nothing counted. In TC it is a mistake of the test. */
};

struct result {
	enum outcome outcome;
	int action;
	uint32_t mark;
	struct frame out;
	uint64_t drops[DROP_REASONS]; /* by how much each rose */
	uint64_t all_drops;
};

int world_open(void **state); /* cmocka group setup */
int world_close(void **state);
int world_reset(
	void **state); /* cmocka test setup: as described above, all counters and tables empty */

uint32_t device(enum device_name d);
uint32_t jiffies_now(void);
uint64_t jiffies64_now(void);

/* Where a test starts its packet: the hook, and the device it comes in on. */
struct result world_run(enum hook hook, enum flavour flavour, enum device_name from,
			const struct frame *in);
/* Leaves the counters alone: for tests that run very many. Only `action` and `out` are told. */
struct result world_run_uncounted(enum hook hook, enum flavour flavour, enum device_name from,
				  const struct frame *in);
void drops_read(uint64_t drops[DROP_REASONS]);
struct result world_run_marked(enum hook hook, enum device_name from, const struct frame *in,
			       uint32_t mark);

/* Says in every failure which case it was. */
void world_case(const char *name, enum flavour flavour);
#define case_assert(condition)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			world_fail(__FILE__, __LINE__, #condition);                                \
	} while (0)
void world_fail(const char *file, int line, const char *what);

/* Runs and asserts: the verdict, the one counter that may move, and that nothing else did. */
struct result expect(enum hook hook, enum flavour flavour, enum device_name from,
		     const struct frame *in, enum outcome outcome, enum drop_reason reason);
/* As expect, in a case that only TC can do: XDP must leave it to TC. */
struct result expect_tc(enum hook hook, enum flavour flavour, enum device_name from,
			const struct frame *in, enum outcome outcome, enum drop_reason reason);
void expect_bytes(const struct frame *got, const char *hex);
void expect_frame(const struct frame *got, const struct frame *wanted);

/* What comes in again at a device by the program's own doing: opened before, then read frame by frame; false: none. */
int again_open(enum device_name d);
bool again_read(int fd, struct frame *f);

/* The maps, by name; the inner ones are those of TENANT. */
int map_fd(const char *name);
void map_put(const char *name, const void *key, const void *value);
void map_get(const char *name, const void *key, void *value);
void map_delete(const char *name, const void *key);
void per_cpu_sum(const char *name, uint32_t key, uint64_t *sums, uint32_t n);
int inner_fd(const char *name);
void inner_resize(const char *name, uint32_t max_entries);
void inner_remove(const char *name);

struct tenant world_tenant(void);
void tenant_put(const struct tenant *t);
struct tenant_traffic tenant_counted(void);
/* Of a rule; zeroes if none was made. */
struct rule_hits rule_counted(uint32_t rule);
void tenant_bump(void); /* the next epoch */
struct port port_get(enum who w);
void port_put(enum who w, const struct port *p);
struct traffic port_traffic(enum who w);
struct tenant_traffic tenant_traffic(void);
/* A broadcast in the network goes to these ports, until the world is reset. */
void flood_to(const enum who *whom, uint32_t n);
void chain_protect(enum who w, bool two_arms);
/* Several functions, each with one arm; `flags` of the chain. */
void chain_protect_steps(enum who w, uint8_t flags, const enum device_name *functions, uint8_t n);
struct chain_traffic step_traffic(uint8_t step);
/* Each step's function has one instance, at place 0 of its record. */
struct function function_now(uint8_t step);
void function_put(uint8_t step, const struct function *function);
/* At a place, which then has this id, with these devices (0: not there); the masks are those of who is there. */
void instance_put(uint8_t step, uint8_t place, uint32_t id, uint32_t leaving, uint32_t towards);
struct sf_state watch_now(uint8_t step, uint8_t place);
void watch_put(uint8_t step, uint8_t place, const struct sf_state *state);
struct sf_traffic instance_traffic(uint8_t step, uint8_t place);
/* What comes back for the workload from an instance, in all passes. */
void put_returns(enum who w, uint32_t leaving, uint32_t towards, uint8_t step, uint8_t place);
/* CHAIN or CHAIN_2, each with a tag of its own, where rules may choose it for flows of that port; on no wire by itself. */
void chain_offer(uint32_t slot, enum who w, uint8_t flags, const enum device_name *functions, uint8_t n);
struct chain_traffic chain_traffic_of(uint32_t slot, uint8_t step);
struct chain chain_now(void);
void chain_put(const struct chain *chain);

/* A compiled rule that matches everything of a direction. */
#define ACL_ALL .source_last = 65535, .destination_last = 65535
void acl_put(const struct acl_entry *entries, uint32_t n);
/* Those with ACL_INSPECT have the chain of the same place. */
void acl_put_chains(const struct acl_entry *entries, const uint16_t *chains, uint32_t n);
void acl_allow_all(void);

/* The tenant's only flow in that table ("ct4", "half6", ...); fails if there is not exactly one. */
struct flow flow_only(const char *table, void *key);
uint32_t flow_count(const char *table);
void flow_change(const char *table, const struct flow *f); /* of the only flow */
/* One of several, by its key. */
bool flow_get(const char *table, const void *key, struct flow *f);
void flow_set(const char *table, const void *key, const struct flow *f);
/* As if those of a table with buckets, without connections, had begun so many jiffies earlier. */
void flows_grow_older(const char *table, uint32_t jiffies);
void flows_clear(void);
/* No datagram is known, no frame waits; a table of so many sets. */
void fragments_clear(uint32_t sets);
void hits_clear(void);

/* Hands each record that came into the ring buffer since the last call to `take`, as ring_buffer__new() does. */
void ring_read(const char *map, int (*take)(void *arg, void *data, size_t size));

#endif

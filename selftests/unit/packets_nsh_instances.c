// SPDX-License-Identifier: BSD-2-Clause
/* Instances here and on other hosts: which a flow is given, when it goes elsewhere, and what XDP leaves to TC for that. */
#include "selftests/unit/nsh_judge.h"

/* One of this host is preferred, as long as it answers; a flow stays where it is. */
static void rather_local(void **state)
{
	struct frame f = udp(A, B, 4), other = packet_frame((struct packet){ A, B, 4, UDP, 1001, 53 });
	uint32_t s = device(DEVICE_S);

	protected(state);
	instance_put(0, 1, 55, s, s);
	put_returns(A, s, s, 0, 1);
	world_case("the local one", IN_TC);
	for (uint16_t i = 0; i < 50; i++) {
		struct frame one = packet_frame((struct packet){ A, B, 4, UDP, 2000 + i, 53 });

		expect(HOOK_PORT, IN_TC, DEVICE_A, &one, SENT, DROP_NONE);
	}
	case_assert(instance_traffic(0, 1).sent == 50 && !instance_traffic(0, 0).sent);
	world_case("it is silent", IN_TC);
	watch_put(0, 1,
		  &(struct sf_state){ .waiting_since = jiffies_now() - HZ / 2,
				      .outstanding = 100,
				      .last_try = jiffies_now() });
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	case_assert(instance_traffic(0, 0).sent == 1 && instance_traffic(0, 0).flows == 1);
	world_case("it is back", IN_TC);
	watch_put(0, 1, &(struct sf_state){ 0 });
	watch_put(0, 0, &(struct sf_state){ 0 });
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &other, SENT, DROP_NONE);
	case_assert(instance_traffic(0, 0).sent == 2 && instance_traffic(0, 1).sent == 51);
}

/* XDP leads a chain's frames to instances of this host, and leaves to TC the flows that have gone elsewhere. */
static void xdp_near(void **state)
{
	struct frame leaving = udp(A, B, 4), towards = udp(B, A, 4), wrapped = udp(R, A, 4);
	uint32_t s = device(DEVICE_S);
	struct chain chain;

	protected(state);
	instance_put(0, 1, 55, s, s);
	put_returns(A, s, s, 0, 1);
	chain = chain_now();
	chain.flags |= CHAIN_AWAY;
	chain.step[0].flags = STEP_XDP_DELIVER;
	chain_put(&chain);
	frame_wrap(&wrapped, &(struct tunnelled){ 0 });
	world_case("the local one, in XDP", IN_XDP);
	expect(HOOK_PORT, IN_XDP, DEVICE_A, &leaving, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_XDP, DEVICE_B, &towards, SENT, DROP_NONE);
	expect(HOOK_UNDERLAY, IN_XDP, DEVICE_U, &wrapped, SENT, DROP_NONE);
	case_assert(instance_traffic(0, 1).sent == 3 && outstanding(0, 1) == 3 && !outstanding(0, 0));
	world_case("it is silent, in XDP", IN_XDP);
	watch_put(0, 1,
		  &(struct sf_state){ .waiting_since = jiffies_now() - 2 * HZ,
				      .outstanding = 100,
				      .last_try = jiffies_now() });
	expect(HOOK_PORT, IN_XDP, DEVICE_A, &leaving, UP, DROP_NONE);
	expect(HOOK_PORT, IN_XDP, DEVICE_B, &towards, UP, DROP_NONE);
	expect(HOOK_UNDERLAY, IN_XDP, DEVICE_U, &wrapped, UP, DROP_NONE);
	case_assert(!outstanding(0, 0) && !instance_traffic(0, 0).sent);
	/* Of two flows. */
	case_assert(instance_traffic(0, 0).moved == 2 && !instance_traffic(0, 0).flows);
	world_case("and TC sends it", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &leaving, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &towards, SENT, DROP_NONE);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &wrapped, SENT, DROP_NONE);
	case_assert(outstanding(0, 0) == 3 && instance_traffic(0, 0).sent == 3 && instance_traffic(0, 0).moved == 2);
}

/* What is of no flow is judged again by TC: XDP leaves it before a rule has counted it. */
static void xdp_stateless(void **state)
{
	struct frame f = packet_frame((struct packet){ B, A, 4, UDP, 1, 2, .edit = "12=9000" });
	uint32_t s = device(DEVICE_S);
	struct chain chain;

	protected(state);
	hits_clear();
	instance_put(0, 1, 55, s, s);
	put_returns(A, s, s, 0, 1);
	chain = chain_now();
	chain.flags |= CHAIN_AWAY;
	chain.step[0].flags = STEP_XDP_DELIVER;
	chain_put(&chain);
	watch_put(0, 1,
		  &(struct sf_state){ .waiting_since = jiffies_now() - 2 * HZ,
				      .outstanding = 100,
				      .last_try = jiffies_now() });
	world_case("of no flow, in XDP", IN_XDP);
	expect(HOOK_PORT, IN_XDP, DEVICE_B, &f, UP, DROP_NONE);
	case_assert(!rule_counted(77).packets);
	world_case("and TC sends it", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &f, SENT, DROP_NONE);
	case_assert(rule_counted(77).packets == 1);
	world_case("dropped, in XDP", IN_XDP);
	acl_put(NULL, 0);
	expect(HOOK_PORT, IN_XDP, DEVICE_B, &f, DROPPED, DROP_ACL_IN);
}

/* The remote one drains, is dead, or down. */
static void remote_fails(void **state)
{
	struct frame f = udp(A, B, 4), other = packet_frame((struct packet){ A, B, 4, UDP, 1001, 53 });
	struct function function;

	protected(state);
	nsh_remote(0, 1, FAR_INSTANCE + 1, THEIR_HOST);
	function = function_now(0);
	function.instance[0].flags |= INSTANCE_DRAIN;
	function.fresh &= (uint16_t)~1;
	function_put(0, &function);
	world_case("one of two drains", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &other, SENT, DROP_NONE);
	case_assert(instance_traffic(0, 1).flows == 2);

	protected(state);
	function = function_now(0);
	function.instance[0].flags |= INSTANCE_DRAIN;
	function.fresh &= (uint16_t)~1;
	function_put(0, &function);
	world_case("the only one drains", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);

	protected(state);
	function.instance[0].flags |= INSTANCE_DOWN;
	function.remote = 0;
	function_put(0, &function);
	world_case("the only one is down", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_SF_DOWN);

	protected(state);
	watch_put(0, 0,
		  &(struct sf_state){ .waiting_since = jiffies_now() - 2 * HZ,
				      .outstanding = 100,
				      .last_try = jiffies_now() });
	world_case("the only one is silent", IN_TC);
	for (int i = 0, dropped = 0; i < 20; i++) {
		struct result r = world_run(HOOK_PORT, IN_TC, DEVICE_A, &f);

		dropped += r.outcome == DROPPED && r.drops[DROP_SF_DOWN];
		if (i == 19)
			case_assert(dropped > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rather_local, world_reset),
		cmocka_unit_test_setup(xdp_near, world_reset),
		cmocka_unit_test_setup(xdp_stateless, world_reset),
		cmocka_unit_test_setup(remote_fails, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * The egress guard: only what weft vetted (and marked) reaches a workload or a function, and
 * without the mark.
 */
#include "selftests/unit/lib/world.h"

enum { SHOT = 2, NEXT_PROGRAM = -1 };

static void only_the_mark_passes(void **state)
{
	static const struct {
		const char *name;
		uint32_t mark;
		bool passes;
	} cases[] = {
		{ "vetted", MARK, true },
		{ "the host's own", 0, false },
		{ "another mark", MARK + 1, false },
		{ "all bits", UINT32_MAX, false },
	};
	struct frame f = packet_frame((struct packet){ B, A, 4, UDP, 1, 2 });

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct result r = world_run_marked(HOOK_GUARD, DEVICE_A, &f, cases[i].mark);

		world_case(cases[i].name, IN_TC);
		case_assert(r.action == (cases[i].passes ? NEXT_PROGRAM : SHOT));
		case_assert(r.drops[DROP_GUARD] == !cases[i].passes &&
			    r.all_drops == !cases[i].passes);
		case_assert(r.mark == (cases[i].passes ? 0 : cases[i].mark));
		expect_frame(&r.out, &f);
	}
}

/* Before `load` has chosen a mark, an unmarked frame must not look vetted. */
static void no_mark_yet(void **state)
{
	struct frame f = packet_frame((struct packet){ B, A, 4, UDP, 1, 2 });
	struct host_config us;
	uint32_t zero = 0;

	(void)state;
	map_get("host", &zero, &us);
	us.mark = 0;
	map_put("host", &zero, &us);
	world_case("no mark yet", IN_TC);
	expect(HOOK_GUARD, IN_TC, DEVICE_A, &f, DROPPED, DROP_GUARD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_the_mark_passes, world_reset),
		cmocka_unit_test_setup(no_mark_yet, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}

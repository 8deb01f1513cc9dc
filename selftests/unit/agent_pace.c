// SPDX-License-Identifier: BSD-2-Clause
/* When the agent looks: together for what comes together, not for ever put off, never without a rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/pace.h"

static void nobody_asked(void **unused)
{
	struct pace p = { 0 };

	(void)unused;
	assert_int_equal(pace_wait(&p, 1000), -1);
}

static void together(void **unused)
{
	struct pace p = { 0 };

	(void)unused;
	pace_ask(&p, ASK_DEVICE, 1000);
	assert_int_equal(pace_wait(&p, 1000), 50);
	/* Each that comes puts it off... */
	pace_ask(&p, ASK_DEVICE, 1040);
	assert_int_equal(pace_wait(&p, 1040), 50);
	/* ...but not for longer than this since the first. */
	for (int64_t now = 1040; now <= 1490; now += 10)
		pace_ask(&p, ASK_DEVICE, now);
	assert_int_equal(pace_wait(&p, 1490), 10);
	assert_int_equal(pace_wait(&p, 2000), 0);
}

static void the_first_due_counts(void **unused)
{
	struct pace p = { 0 };

	(void)unused;
	pace_ask(&p, ASK_ROOT, 1000);
	assert_int_equal(pace_wait(&p, 1000), 500);
	pace_ask(&p, ASK_DEVICE, 1000);
	assert_int_equal(pace_wait(&p, 1000), 50);
	pace_ask(&p, ASK_NOW, 1000);
	assert_int_equal(pace_wait(&p, 1000), 0);
	pace_begin(&p);
	assert_int_equal(pace_wait(&p, 1000), -1);
}

static void rest(void **unused)
{
	struct pace p = { 0 };

	(void)unused;
	pace_begin(&p);
	pace_end(&p, 1000, 3000);
	/* A look that took two seconds: as long again for devices, four times as long where nothing may be new. */
	pace_ask(&p, ASK_DEVICE, 3000);
	assert_int_equal(pace_wait(&p, 3000), 2000);
	pace_begin(&p);
	pace_ask(&p, ASK_ROOT, 3000);
	assert_int_equal(pace_wait(&p, 3000), 8000);
	/* Who asks for it gets it. */
	pace_ask(&p, ASK_NOW, 3000);
	assert_int_equal(pace_wait(&p, 3000), 0);
}

static void longer_each_time(void **unused)
{
	struct pace p = { 0 };
	int64_t now = 5000, last = 0;

	(void)unused;
	for (int i = 0; i < 10; i++) {
		pace_begin(&p);
		pace_retry(&p, now);
		assert_true(pace_wait(&p, now) >= last);
		last = pace_wait(&p, now);
		/* Looks in between, for other reasons, neither hasten nor delay it. */
		pace_begin(&p);
		pace_retry(&p, now + 100);
		assert_int_equal(pace_wait(&p, now + 100), last - 100);
		now += last;
	}
	assert_int_equal(last, 60000);
	pace_recovered(&p);
	pace_retry(&p, now);
	assert_int_equal(pace_wait(&p, now), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_asked),	       cmocka_unit_test(together),
		cmocka_unit_test(the_first_due_counts), cmocka_unit_test(rest),
		cmocka_unit_test(longer_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

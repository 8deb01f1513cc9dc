// SPDX-License-Identifier: BSD-2-Clause
/* What the agent makes of an instance's probes, link and traffic: look by look, as a function that does this and that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/health.h"

#define BOTH	3 /* passes, a bit each */
#define LEAVING 1
#define TOWARDS 2

static const struct health_rules rules = { .probes = true, .down_after = 3, .up_after = 100 };

/* A function, and what the agent knows of it. */
struct play {
	struct health h;
	struct health_sight s;
};

static struct play begin(void)
{
	struct play p = { .s = { .link = true, .sent = 5000 } };

	health_begin(&p.h, &(struct sf_state){ 0 });
	return p;
}

/* One look: of these passes the probe has come back, and of those traffic. */
static bool look(struct play *p, int probes, int traffic)
{
	p->s.sent++;
	for (int i = 0; i < PASSES; i++) {
		if (probes >> i & 1) {
			p->s.answered[i] = p->s.sent;
			p->s.answers[i]++;
		}
		p->s.returned[i] = (uint16_t)(p->s.returned[i] + (traffic >> i & 1));
	}
	return health_look(&p->h, &rules, &p->s);
}

static void looks(struct play *p, int n, int probes, int traffic)
{
	while (n--)
		look(p, probes, traffic);
}

static struct play healthy(void)
{
	struct play p = begin();

	looks(&p, 10, BOTH, 0);
	assert_int_equal(p.h.down, DOWN_NOT);
	assert_int_equal(p.h.degraded, DEGRADED_NOT);
	return p;
}

static struct play dead(void)
{
	struct play p = healthy();

	looks(&p, 3, 0, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
	return p;
}

static void down_after(void **unused)
{
	struct play p = healthy();

	(void)unused;
	assert_false(look(&p, 0, 0));
	assert_false(look(&p, 0, 0));
	assert_true(look(&p, 0, 0));
	assert_int_equal(p.h.down, DOWN_PROBES);
	/* It is told once. */
	for (int i = 0; i < 1000; i++)
		assert_false(look(&p, 0, 0));
}

static void up_after(void **unused)
{
	struct play p = dead();

	(void)unused;
	looks(&p, 99, BOTH, 0);
	look(&p, LEAVING, 0);
	for (int i = 0; i < 99; i++)
		assert_false(look(&p, BOTH, 0));
	assert_int_equal(p.h.down, DOWN_PROBES);
	assert_true(look(&p, BOTH, 0));
	assert_int_equal(p.h.down, DOWN_NOT);
}

/* Alive and dead by turns, and not for long enough alive: it is told once that it is down. */
static void flapping(void **unused)
{
	struct play p = dead();

	(void)unused;
	for (int i = 0; i < 50; i++) {
		for (int k = 0; k < 60; k++)
			assert_false(look(&p, BOTH, 0));
		for (int k = 0; k < 10; k++)
			assert_false(look(&p, 0, 0));
	}
}

/* Whose traffic comes back is not down, in whichever pass it does. */
static void traffic_returns(void **unused)
{
	struct play p = healthy();

	(void)unused;
	looks(&p, 3, 0, BOTH);
	assert_int_equal(p.h.down, DOWN_NOT);
	assert_int_equal(p.h.degraded, DEGRADED_DEAF);
	looks(&p, 1000, 0, BOTH);
	assert_int_equal(p.h.down, DOWN_NOT);
	p = healthy();
	for (int i = 0; i < 9; i++)
		look(&p, 0, i % 3 ? 0 : TOWARDS);
	assert_int_equal(p.h.down, DOWN_NOT);
	looks(&p, 3, 0, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
}

/* It has begun to refuse probes: for as long as it does they say nothing, also while there is no traffic. */
static void probes_are_refused(void **unused)
{
	struct play p = healthy();

	(void)unused;
	looks(&p, 50, 0, BOTH);
	looks(&p, 1000, 0, 0);
	assert_int_equal(p.h.down, DOWN_NOT);
	assert_int_equal(p.h.degraded, DEGRADED_DEAF);
	/* They come back again, so that they count again. */
	looks(&p, 100, BOTH, 0);
	assert_int_equal(p.h.degraded, DEGRADED_NOT);
	looks(&p, 3, 0, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
}

/* Down, but what is tried comes back, and probes do not. */
static void refused_while_down(void **unused)
{
	struct play p = dead();

	(void)unused;
	looks(&p, 2, 0, BOTH);
	assert_int_equal(p.h.down, DOWN_PROBES);
	looks(&p, 1, 0, BOTH);
	assert_int_equal(p.h.down, DOWN_NOT);
	looks(&p, 1, 0, BOTH);
	assert_int_equal(p.h.degraded, DEGRADED_DEAF);
	/* A frame that comes back with the first answer is none: it is alive again, and has to prove it. */
	p = dead();
	look(&p, 0, BOTH);
	look(&p, BOTH, BOTH);
	looks(&p, 98, BOTH, BOTH);
	assert_int_equal(p.h.down, DOWN_PROBES);
}

/* Who has never answered is not known to. */
static void never_answered(void **unused)
{
	struct play p = begin();

	(void)unused;
	looks(&p, 99, 0, 0);
	assert_int_equal(p.h.degraded, DEGRADED_NOT);
	looks(&p, 1, 0, 0);
	assert_int_equal(p.h.degraded, DEGRADED_DEAF);
	looks(&p, 5000, 0, 0);
	assert_int_equal(p.h.down, DOWN_NOT);
}

/* One wire is cut: that takes ten times as long to tell, with traffic or without. */
static void one_way(void **unused)
{
	for (int traffic = 0; traffic <= LEAVING; traffic++) {
		struct play p = healthy();

		(void)unused;
		looks(&p, 29, LEAVING, traffic);
		assert_int_equal(p.h.down, DOWN_NOT);
		assert_int_equal(p.h.degraded, DEGRADED_LOSS);
		looks(&p, 1, LEAVING, traffic);
		assert_int_equal(p.h.down, DOWN_PROBES);
		assert_int_equal(health_worst(&p.h), 1);
		looks(&p, 1000, LEAVING, traffic);
		assert_int_equal(p.h.down, DOWN_PROBES);
	}
}

static void loss(void **unused)
{
	struct play p = healthy();

	(void)unused;
	look(&p, 0, 0);
	looks(&p, 50, BOTH, 0);
	look(&p, TOWARDS, 0);
	looks(&p, 50, BOTH, 0);
	assert_int_equal(p.h.degraded, DEGRADED_NOT);
	assert_true(look(&p, 0, 0));
	assert_int_equal(p.h.degraded, DEGRADED_LOSS);
	for (int i = 0; i < 99; i++)
		assert_false(look(&p, BOTH, 0));
	assert_true(look(&p, BOTH, 0));
	assert_int_equal(p.h.degraded, DEGRADED_NOT);
	/* Seldom enough it is nothing. */
	for (int i = 0; i < 20; i++) {
		assert_false(look(&p, 0, 0));
		for (int k = 0; k < 100; k++)
			assert_false(look(&p, BOTH, 0));
	}
}

/* Every probe comes back, but so many looks later. */
static void late_by(struct play *p, uint32_t late)
{
	p->s.sent++;
	for (int i = 0; i < PASSES; i++) {
		p->s.answered[i] = p->s.sent - late;
		p->s.answers[i]++;
	}
	health_look(&p->h, &rules, &p->s);
}

static void slow(void **unused)
{
	struct play p = healthy();

	(void)unused;
	for (int i = 0; i < 200; i++)
		late_by(&p, 2);
	assert_int_equal(p.h.degraded, DEGRADED_NOT);
	for (int i = 0; i < 200; i++)
		late_by(&p, 20);
	assert_int_equal(p.h.down, DOWN_NOT);
	assert_int_equal(p.h.degraded, DEGRADED_SLOW);
}

/* An old answer, or one of another agent, is none. */
static void not_an_answer(void **unused)
{
	struct play p = healthy();

	(void)unused;
	for (int i = 0; i < 3; i++) {
		p.s.sent++;
		p.s.answered[0] = p.s.answered[1] = p.s.sent + 77u + (uint32_t)i;
		health_look(&p.h, &rules, &p.s);
	}
	assert_int_equal(p.h.down, DOWN_PROBES);
}

/* Without a CPU to spare nobody is called dead; not until long after. */
static void unsure(void **unused)
{
	struct play p = healthy();

	(void)unused;
	p.s.unsure = true;
	looks(&p, 47, 0, 0);
	assert_int_equal(p.h.down, DOWN_NOT);
	assert_int_equal(p.h.degraded, DEGRADED_NOT);
	looks(&p, 1, 0, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
	p = healthy();
	for (int i = 0; i < 1000; i++) {
		p.s.unsure = i % 10;
		look(&p, i % 20 ? 0 : BOTH, 0);
		assert_int_equal(p.h.down, DOWN_NOT);
	}
}

/* Silent for twenty looks, after which it answers all of them. */
static bool pause_of(struct play *p, int n)
{
	bool was_down = false;

	for (int i = 0; i < n; i++) {
		look(p, 0, 0);
		was_down |= p->h.down != DOWN_NOT;
	}
	p->s.answers[0] = (uint16_t)(p->s.answers[0] + n);
	p->s.answers[1] = (uint16_t)(p->s.answers[1] + n);
	look(p, BOTH, 0);
	return was_down;
}

static void pauses(void **unused)
{
	struct play p = healthy();

	(void)unused;
	/* It is taken for dead once, and at once no longer. */
	assert_true(pause_of(&p, 20));
	assert_int_equal(p.h.down, DOWN_NOT);
	assert_int_equal(health_patience(&p.h, &rules), 40);
	for (int i = 0; i < 50; i++) {
		looks(&p, 9000, BOTH, 0);
		assert_false(pause_of(&p, 20));
	}
	/* Really dead it is all the same; and what was lost it does not answer. */
	looks(&p, 40, 0, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
	looks(&p, 99, BOTH, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
	looks(&p, 10000, BOTH, 0);
	assert_int_equal(health_patience(&p.h, &rules), 3);
	/* A second is no pause. */
	assert_true(pause_of(&p, 500));
	assert_int_equal(p.h.down, DOWN_PROBES);
}

static void link_goes(void **unused)
{
	struct play p = healthy();

	(void)unused;
	assert_true(health_link(&p.h, &rules, false));
	assert_int_equal(p.h.down, DOWN_LINK);
	assert_false(health_link(&p.h, &rules, false));
	/* It is back: probes decide. */
	assert_true(health_link(&p.h, &rules, true));
	assert_int_equal(p.h.down, DOWN_PROBES);
	looks(&p, 99, BOTH, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
	looks(&p, 1, BOTH, 0);
	assert_int_equal(p.h.down, DOWN_NOT);
	/* Where nothing is known of probes, the link does. */
	p = begin();
	health_link(&p.h, &rules, false);
	assert_true(health_link(&p.h, &rules, true));
	assert_int_equal(p.h.down, DOWN_NOT);
}

static void no_probes(void **unused)
{
	const struct health_rules none = { .down_after = 3, .up_after = 100 };
	struct play p = dead();

	(void)unused;
	assert_true(health_look(&p.h, &none, &p.s));
	assert_int_equal(p.h.down, DOWN_NOT);
	for (int i = 0; i < 100; i++)
		assert_false(health_look(&p.h, &none, &p.s));
	assert_true(health_link(&p.h, &none, false));
	assert_true(health_link(&p.h, &none, true));
	assert_int_equal(p.h.down, DOWN_NOT);
}

/* What another agent has found out is not found out again. */
static void taken_over(void **unused)
{
	struct play p = begin();

	(void)unused;
	health_begin(&p.h, &(struct sf_state){ .down = DOWN_PROBES, .answered = { 7, 7 } });
	looks(&p, 99, BOTH, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
	looks(&p, 1, BOTH, 0);
	assert_int_equal(p.h.down, DOWN_NOT);
	p = begin();
	health_begin(&p.h, &(struct sf_state){ .answered = { 7, 7 } });
	looks(&p, 3, 0, 0);
	assert_int_equal(p.h.down, DOWN_PROBES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(down_after),
		cmocka_unit_test(up_after),
		cmocka_unit_test(flapping),
		cmocka_unit_test(traffic_returns),
		cmocka_unit_test(probes_are_refused),
		cmocka_unit_test(refused_while_down),
		cmocka_unit_test(never_answered),
		cmocka_unit_test(one_way),
		cmocka_unit_test(loss),
		cmocka_unit_test(slow),
		cmocka_unit_test(not_an_answer),
		cmocka_unit_test(unsure),
		cmocka_unit_test(pauses),
		cmocka_unit_test(link_goes),
		cmocka_unit_test(no_probes),
		cmocka_unit_test(taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

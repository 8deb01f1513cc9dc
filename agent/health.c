// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "agent/health.h"

#define SURE	    16 /* a look counts so much, an unsure one 1 */
#define ONE_WAY	    10 /* so many times as long must one pass be silent while the other is not */
#define WINDOW	    4096 /* an answer that is older is not one of a probe of this agent */
#define PAUSE_MAX   500 /* looks: who is silent for longer is dead, whatever he says later */
#define PAUSE_LOOKS 10000 /* for which a pause is remembered */

void health_begin(struct health *h, const struct sf_state *state)
{
	*h = (struct health){ .down = state->down, .degraded = state->degraded };
	for (int i = 0; i < PASSES; i++)
		h->pass[i] = (struct health_pass){ .answered = state->answered[i],
						   .answers = state->answers[i],
						   .returned = state->returned[i],
						   .known = state->answered[i] != 0 };
}

uint32_t health_patience(const struct health *h, const struct health_rules *rules)
{
	return h->pause_left && 2 * h->pause > rules->down_after ? 2 * h->pause : rules->down_after;
}

/* ---- one pass ---- */

static uint32_t lag(const struct health_sight *s, int i)
{
	return s->sent - s->answered[i];
}

static void answered(struct health_pass *p)
{
	p->known = true;
	p->missed = p->silent = p->waited = p->against = 0;
}

static void unanswered(struct health_pass *p, const struct health_rules *rules, bool traffic,
		       uint32_t weight)
{
	p->missed += weight;
	p->waited++;
	if (!traffic) {
		p->silent += weight;
		return;
	}
	p->silent = 0;
	/* It may have begun to refuse such frames: then answers say nothing, until one comes again. */
	if (p->missed >= SURE * rules->down_after && ++p->against >= rules->down_after)
		p->known = false;
}

/* Was it silent, and yet has answered most of what it was asked meanwhile? */
static bool was_pause(const struct health_pass *p, const struct health_rules *rules,
		      uint16_t answers)
{
	return p->missed >= SURE * rules->down_after && p->waited < PAUSE_MAX && 2u * answers > p->waited;
}

static void remember_pause(struct health *h, const struct health_pass *p)
{
	if (!h->pause_left || p->waited > h->pause)
		h->pause = p->waited;
	h->pause_left = PAUSE_LOOKS;
	/* What it was taken for, it was not. */
	if (h->down == DOWN_PROBES)
		h->down = DOWN_NOT;
}

/* Returns whether there was an answer. */
static bool look_at_pass(struct health *h, const struct health_rules *rules,
			 const struct health_sight *s, int i)
{
	struct health_pass *p = &h->pass[i];
	bool answer = s->answered[i] != p->answered && lag(s, i) < WINDOW;
	bool traffic = s->returned[i] != p->returned;

	if (answer && was_pause(p, rules, (uint16_t)(s->answers[i] - p->answers)))
		remember_pause(h, p);
	p->answered = s->answered[i];
	p->answers = s->answers[i];
	p->returned = s->returned[i];
	if (answer)
		answered(p);
	else
		unanswered(p, rules, traffic, s->unsure ? 1 : SURE);
	return answer;
}

bool health_waits(const struct health *h)
{
	return h->pass[0].missed || h->pass[1].missed;
}

int health_worst(const struct health *h)
{
	return h->pass[1].missed > h->pass[0].missed;
}

/* ---- both ---- */

static bool is_known(const struct health *h)
{
	return h->pass[0].known || h->pass[1].known;
}

/* As long as one pass shows a sign of life the function lives; but one of its wires may be cut. */
static bool is_dead(const struct health *h, const struct health_rules *rules)
{
	uint32_t silence = SURE * health_patience(h, rules), missed = silence * ONE_WAY;
	bool all = is_known(h);

	for (int i = 0; i < PASSES; i++) {
		if (h->pass[i].known && h->pass[i].silent >= missed)
			return true;
		all &= h->pass[i].silent >= silence;
	}
	return all;
}

/* Probes do not come back, yet it is not dead. Who has never answered may not have had the time. */
static bool is_deaf(const struct health_pass *p, const struct health_rules *rules)
{
	if (!p->known)
		return p->against || p->missed >= SURE * rules->up_after;
	return p->missed >= SURE * rules->down_after && !p->silent;
}

/* What is not as it should be, now. */
static uint32_t trouble(const struct health *h, const struct health_rules *rules,
			const struct health_sight *s)
{
	uint32_t found = DEGRADED_NOT;

	for (int i = 0; i < PASSES; i++) {
		const struct health_pass *p = &h->pass[i];

		if (is_deaf(p, rules))
			return DEGRADED_DEAF;
		if (p->known && p->missed)
			found = DEGRADED_LOSS;
		else if (p->known && lag(s, i) >= rules->down_after && !found)
			found = DEGRADED_SLOW;
	}
	return found;
}

static void count(struct health *h, const struct health_rules *rules, bool answers, bool calm)
{
	h->good = answers ? h->good + 1 : 0;
	h->calm = calm ? h->calm + 1 : 0;
	h->bad += !calm;
	if (h->calm >= rules->up_after)
		h->bad = 0;
	if (h->pause_left)
		h->pause_left--;
}

/* What it was degraded for first stands, until all is well again. */
static void while_up(struct health *h, const struct health_rules *rules, uint32_t found)
{
	if (found == DEGRADED_DEAF)
		h->degraded = found;
	else if (!h->bad)
		h->degraded = DEGRADED_NOT;
	else if (found && !h->degraded && h->bad >= rules->down_after)
		h->degraded = found;
}

/* Nobody who returns traffic is dead, whatever he does with probes. */
static void while_down(struct health *h, const struct health_rules *rules)
{
	if (is_known(h) && h->good < rules->up_after)
		return;
	h->down = DOWN_NOT;
	h->bad = 0;
}

static void go_down(struct health *h, uint32_t why)
{
	h->down = why;
	h->degraded = DEGRADED_NOT;
	h->good = 0;
}

bool health_link(struct health *h, const struct health_rules *rules, bool link)
{
	uint32_t down = h->down;

	if (!link && down != DOWN_LINK)
		go_down(h, DOWN_LINK);
	else if (link && down == DOWN_LINK)
		h->down = rules->probes && is_known(h) ? DOWN_PROBES : DOWN_NOT;
	return h->down != down;
}

static void look(struct health *h, const struct health_rules *rules, const struct health_sight *s)
{
	bool answers = true;
	uint32_t found;

	for (int i = 0; i < PASSES; i++)
		answers &= look_at_pass(h, rules, s, i) || !h->pass[i].known;
	found = trouble(h, rules, s);
	/* Nobody is blamed for what an unsure look has not seen. */
	if (!s->unsure || answers)
		count(h, rules, answers, !found);
	if (h->down)
		while_down(h, rules);
	else if (is_dead(h, rules))
		go_down(h, DOWN_PROBES);
	else
		while_up(h, rules, found);
}

bool health_look(struct health *h, const struct health_rules *rules, const struct health_sight *s)
{
	uint32_t down = h->down, degraded = h->degraded;

	health_link(h, rules, s->link);
	if (!rules->probes) {
		h->degraded = DEGRADED_NOT;
		h->down = h->down == DOWN_LINK ? DOWN_LINK : DOWN_NOT;
	} else if (s->link) {
		look(h, rules, s);
	}
	return h->down != down || h->degraded != degraded;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcp, judged at random: connections of two ends that talk, lose and repeat as real ones do, and of
 * somebody who writes segments of his own between theirs, each through our programs and through
 * nf_conntrack. Where both differ the flow as it stood before tells which difference it is; one
 * that has no name fails, and so does a common one that never shows. Seeded: WEFT_SEED=N plays
 * others.
 */
#include "selftests/unit/lib/duel.h"

enum { CONNECTIONS = 700, SEGMENTS = 60, SAID = 40 };

/* ---- chance ---- */

static uint64_t chance_state;

static uint32_t chance(void)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return chance_state >> 16;
}

static uint32_t below(uint32_t n)
{
	return chance() % n;
}

static bool percent(uint32_t n)
{
	return below(100) < n;
}

/* ---- two ends ---- */

struct end {
	enum who who;
	uint32_t iss, una, next, received; /* `received`: the next number it waits for */
	uint32_t room; /* what the other end allows, from `una` on */
	uint16_t window;
	uint8_t scale;
	bool syn_sent, heard, fin_sent, closed;
	const char *options;
	uint16_t on_syn; /* bytes */
};

static const struct {
	const char *options;
	uint8_t scale;
} offers[] = { { NULL, 0 }, { "02040578", 0 }, { "02040578 01030302", 2 }, { "02040578 01030307", 7 } };

static void end_begin(struct end *e, enum who who)
{
	uint32_t offer = below(4);

	*e = (struct end){ .who = who,
			   .iss = chance(),
			   .window = 200 + below(60000),
			   .scale = offers[offer].scale,
			   .options = offers[offer].options,
			   .on_syn = percent(10) ? below(500) : 0 };
	e->una = e->next = e->iss;
}

static struct segment say(struct end *e, uint8_t flags, uint32_t seq, uint16_t payload)
{
	return (struct segment){ .from = e->who,
				 .flags = flags,
				 .seq = seq,
				 .ack = flags & ACK ? e->received : 0,
				 .payload = payload,
				 .window = e->window };
}

static struct segment say_syn(struct end *e)
{
	struct segment s = say(e, e->heard ? SYN | ACK : SYN, e->iss, e->syn_sent && percent(50) ? 0 : e->on_syn);

	s.options = e->options;
	e->syn_sent = true;
	if (e->next - e->iss < 1u + s.payload)
		e->next = e->iss + 1 + s.payload;
	return s;
}

static struct segment say_data(struct end *e)
{
	uint32_t sent = e->next - e->una, payload = 1 + below(1400);
	struct segment s;

	/* A closed window is tried with a byte. */
	if (sent >= e->room)
		return say(e, ACK, percent(50) ? e->una - 1 : e->next, percent(50));
	if (payload > e->room - sent)
		payload = e->room - sent;
	s = say(e, ACK | PSH, e->next, payload);
	e->next += payload;
	return s;
}

static struct segment say_again(struct end *e)
{
	uint32_t sent = e->next - e->una;

	return say(e, ACK, e->una, sent > 1400 ? 1400 : sent);
}

/* What the end would say now. */
static struct segment speak(struct end *e)
{
	uint32_t what = below(100);
	struct segment s;

	if (!e->syn_sent || !e->heard || e->una == e->iss)
		return say_syn(e);
	if (e->fin_sent)
		return say(e, percent(30) ? FIN | ACK : ACK, e->fin_sent && percent(50) ? e->next - 1 : e->next, 0);
	if (what < 45)
		return say_data(e);
	if (what < 60)
		return say_again(e);
	if (what < 85) {
		e->window = percent(20) ? below(65536) : percent(10) ? 0 : e->window;
		s = say(e, ACK, e->next, 0);
		s.window = e->window ? e->window : NO_WINDOW;
		return s;
	}
	if (what < 89)
		return say(e, ACK, e->next - 1, 0);
	if (what < 91)
		return say(e, RST | (percent(50) ? ACK : 0), percent(50) ? e->next : e->una, 0);
	if (what < 94) {
		s = say(e, FIN | ACK, e->next, 0);
		e->next++;
		e->fin_sent = true;
		return s;
	}
	return say(e, ACK, e->next, 0);
}

static uint32_t end_of(const struct segment *s)
{
	return s->seq + s->payload + !!(s->flags & SYN) + !!(s->flags & FIN);
}

static void hear(struct end *e, const struct end *from, const struct segment *s, bool scaled)
{
	uint32_t window = s->window == NO_WINDOW ? 0 : s->window;

	if (s->flags & RST)
		return;
	if (s->flags & SYN && !e->heard) {
		e->heard = true;
		e->received = end_of(s);
	} else if (s->seq == e->received) {
		e->received = end_of(s);
	}
	if (s->flags & ACK && (int32_t)(s->ack - e->una) >= 0 && (int32_t)(e->next - s->ack) >= 0)
		e->una = s->ack;
	e->room = window << (scaled && !(s->flags & SYN) ? from->scale : 0);
}

/* ---- somebody who meddles ---- */

static uint32_t shifted(uint32_t number, const struct end *e)
{
	static const uint32_t steps[] = { 1, 2, 100, 1400, 8192, 65535, 66000, 66001, 1 << 20, 1 << 30, 0x80000000 };
	uint32_t step = percent(20) ? e->window : percent(10) ? chance() : steps[below(11)];

	return percent(50) ? number + step : number - step;
}

static void meddle(struct segment *s, const struct end *e)
{
	static const uint8_t flags[] = { SYN, SYN | ACK, RST, RST | ACK, FIN | ACK, ACK, ACK | PSH, FIN, 0, SYN | FIN };

	if (percent(45))
		s->seq = shifted(s->seq, e);
	if (percent(35))
		s->ack = shifted(s->ack, e);
	if (percent(30))
		s->flags = flags[below(10)];
	if (percent(10))
		s->window = percent(50) ? NO_WINDOW : (int32_t)(1 + below(65535));
	if (percent(10))
		s->payload = below(1400);
}

/* ---- what differs, and why ---- */

struct before {
	bool flow, half;
	struct flow f;
	bool refused; /* a RST came from an end before its SYN */
	bool renewed; /* a SYN was sent again with other numbers */
};

static bool after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static enum difference of_window(const struct before *b, const struct segment *s)
{
	const int dir = s->from == B;
	const struct flow_dir *us = &b->f.dir[dir], *them = &b->f.dir[!dir];
	uint8_t our_half = FLOW_TCP_HALF(b->f.path[dir].tcp), their_half = FLOW_TCP_HALF(b->f.path[!dir].tcp);
	uint32_t room = (uint32_t)b->f.tcp_max_window[!dir] << FLOW_TCP_SCALE(b->f.path[!dir].tcp);
	uint32_t behind = (uint32_t)b->f.tcp_max_window[dir] << FLOW_TCP_SCALE(b->f.path[dir].tcp);

	if (behind < 66000)
		behind = 66000;
	if (s->flags & RST)
		return RST_NUMBER;
	if (s->flags & SYN)
		return our_half <= TCP_HALF_SYN || their_half == TCP_HALF_SYN ? HANDSHAKE_NUMBER :
										SYN_ACK_AGAIN;
	if (after(s->seq, them->tcp_max_end))
		return BEYOND_WINDOW;
	if (after(us->tcp_end - room, end_of(s)) || after(them->tcp_end - behind, s->ack))
		return OLD_SEGMENT;
	return their_half == TCP_HALF_SYN ? HANDSHAKE_NUMBER : SAME;
}

static enum difference we_dropped(const struct before *b, const struct segment *s, enum drop_reason reason)
{
	enum difference d;

	if (!b->flow)
		return SAME;
	if (reason == DROP_CT_TCP_WINDOW) {
		d = of_window(b, s);
		if (d == SAME && b->refused)
			return RST_NUMBER;
		return d == SAME && b->renewed ? SYN_RENEWED : d;
	}
	if (reason == DROP_CT_TCP_STATE && FLOW_TCP_HALF(b->f.path[s->from == B].tcp) == TCP_HALF_NONE &&
	    s->flags & ACK && s->payload)
		return EARLY_DATA;
	if (reason == DROP_CT_TCP_STATE && b->half && FLOW_TCP_HALF(b->f.path[0].tcp) == TCP_HALF_RESET)
		return AFTER_RESET;
	if (reason == DROP_CT_TCP_STATE && s->from == B && s->flags == SYN && b->f.path[0].flags & FLOW_CLOSING)
		return CLOSED_BY_NUMBER;
	return b->renewed ? SYN_RENEWED : SAME;
}

static enum difference we_passed(const struct before *b, const struct segment *s)
{
	if (!b->flow)
		return SAME;
	if (s->flags & SYN && FLOW_TCP_HALF(b->f.path[0].tcp) == TCP_HALF_RESET)
		return AFTER_RESET;
	if (s->from == A && s->flags == (SYN | ACK))
		return CROSSED_SYN_ACK;
	/* What it learned from that, though it dropped it. */
	if (b->refused)
		return RST_NUMBER;
	if (b->renewed)
		return SYN_RENEWED;
	return SAME;
}

/* ---- the play ---- */

static uint32_t shown[DIFFERENCE_COUNT], segments, passed;

static void tell(const struct bout *b, const struct segment *s, int n)
{
	for (int i = n > SAID ? n - SAID : 0; i <= n; i++)
		print_error("  %d: %c flags %02x seq %u ack %u +%u window %d\n", i, s[i].from == A ? 'A' : 'B',
			    s[i].flags, s[i].seq, s[i].ack, s[i].payload, s[i].window);
	print_error("  IPv%d, %s\n", b->family, b->flavour == IN_XDP ? "xdp" : "tc");
}

/* True: both said the same. */
static bool both_say(const struct bout *b, struct before *before, const struct segment *s, int n, bool *passes)
{
	enum drop_reason reason;
	enum difference d;
	bool kernel;

	before->flow = duel_flow(b, &before->f, &before->half);
	reason = duel_ours(b, &s[n]);
	kernel = duel_kernel_passes(b, &s[n]);
	if (before->flow && s[n].flags & RST && FLOW_TCP_HALF(before->f.path[s[n].from == B].tcp) == TCP_HALF_NONE)
		before->refused = true;
	segments++;
	*passes = kernel;
	passed += kernel;
	if (!reason == kernel)
		return true;
	d = reason ? we_dropped(before, &s[n], reason) : we_passed(before, &s[n]);
	if (d == SAME) {
		tell(b, s, n);
		fail_msg("reason %d, and nf_conntrack %s it: a difference without a name", reason,
			 kernel ? "passes" : "drops");
	}
	shown[d]++;
	return false;
}

/* Both passed it, but what comes of it each sees its own way: rst-number, after-reset. */
static bool part_ways(const struct before *b, const struct segment *s)
{
	if (!b->flow)
		return false;
	if (s->flags & RST)
		return s->payload || s->seq != b->f.dir[s->from == A].tcp_max_ack;
	return s->flags == SYN && FLOW_TCP_HALF(b->f.path[0].tcp) == TCP_HALF_RESET;
}

static void one_connection(const struct bout *b)
{
	struct segment said[SEGMENTS], late = { 0 };
	struct before before = { 0 };
	struct end ends[2];
	bool scaled;

	end_begin(&ends[0], A);
	end_begin(&ends[1], B);
	scaled = ends[0].scale && ends[1].scale;
	for (int n = 0; n < SEGMENTS; n++) {
		struct end *e = &ends[n == 0 ? 0 : below(2)], *other = &ends[e == &ends[0]];
		bool meddled, passes;

		if (!e->syn_sent && !e->heard && e->who == B && percent(95)) {
			other = e;
			e = &ends[0];
		}
		/* Overtaken: said before, and comes now. */
		if (late.from && percent(30)) {
			said[n] = late;
			e = &ends[late.from == B];
			other = &ends[late.from == A];
			late.from = NOBODY;
		} else {
			said[n] = speak(e);
		}
		if (!late.from && n && !(said[n].flags & SYN) && percent(10)) {
			late = said[n--];
			continue;
		}
		meddled = percent(25);
		if (meddled)
			meddle(&said[n], e);
		if (said[n].flags & SYN && (meddled || said[n].payload != e->on_syn))
			before.renewed = true;
		if (!both_say(b, &before, said, n, &passes))
			return;
		if (passes && part_ways(&before, &said[n]))
			return;
		if (passes && !meddled && percent(85))
			hear(other, e, &said[n], scaled);
	}
}

static void at_random(void **state)
{
	static const enum difference common[] = { OLD_SEGMENT,	 BEYOND_WINDOW, HANDSHAKE_NUMBER, RST_NUMBER,
						  SYN_ACK_AGAIN, SYN_RENEWED,	CROSSED_SYN_ACK };
	uint64_t seed = getenv("WEFT_SEED") ? strtoull(getenv("WEFT_SEED"), NULL, 0) : 20241;
	struct bout b = { .port = 30000 };

	chance_state = seed * 0x9e3779b97f4a7c15ull + 1;
	world_reset(state);
	acl_allow_all();
	for (int i = 0; i < CONNECTIONS; i++) {
		b.family = percent(70) ? 4 : 6;
		b.flavour = percent(50) ? IN_TC : IN_XDP;
		b.port++;
		flows_clear();
		one_connection(&b);
	}
	print_message("seed %llu: %u segments, %u passed;", (unsigned long long)seed, segments, passed);
	for (enum difference d = 1; d < DIFFERENCE_COUNT; d++)
		print_message(" %s %u,", difference_name(d), shown[d]);
	print_message("\n");
	assert_true(segments > 5000 && passed > 2500);
	for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++)
		if (!shown[common[i]])
			fail_msg("%s did not show", difference_name(common[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, duel_open, world_close);
}

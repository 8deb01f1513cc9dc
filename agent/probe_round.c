// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/probe_round.h"

#define BEAT_NS	    200000000 /* records say at least so often that the agent lives */
#define SPARE_NS    1000000 /* who waits for longer than this for a CPU shows that there is none to spare */
/* So many times as long as the agent waits for probes, traffic waits for the agent's word, and so many ms at least. */
#define PATIENCE    3
#define PATIENCE_MS 20

static int64_t clock_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int64_t probe_clock(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

int probe_round_open(struct probe_round *r, const struct command_line *cl, struct error *e)
{
	*r = (struct probe_round){ .cl = cl, .witness.call = -1 };
	r->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (r->control < 0)
		return error_set(e, EXIT_REFUSED, "agent: socket: %s", strerror(errno));
	return witness_open(&r->witness, e);
}

void probe_round_close(struct probe_round *r)
{
	probe_round_take(r, NULL);
	witness_close(&r->witness);
	if (r->control >= 0)
		close(r->control);
	r->control = -1;
}

/* ---- the record: words that packets read while they are written ---- */

static struct sf_state *state_of(const struct probe_round *r, const struct probe_target *t)
{
	return &r->set->states[t->index];
}

static void put(uint32_t *word, uint32_t value)
{
	if (__atomic_load_n(word, __ATOMIC_RELAXED) != value)
		__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Whoever cleared the record, since the instance is another, has taken this away. */
static bool is_ours(const struct sf_state *state, const struct probe_target *t)
{
	return __atomic_load_n(&state->nonce, __ATOMIC_RELAXED) == (uint32_t)t->probe[0].nonce;
}

static uint32_t jiffies_at(const struct probe_set *s, int64_t now)
{
	uint64_t passed = (uint64_t)(now - s->at) / 1000 * s->hz / 1000000;
	uint32_t jiffies = (uint32_t)(s->jiffies + passed);

	return jiffies ? jiffies : 1;
}

static void say_alive(const struct probe_round *r, const struct probe_target *t, int64_t now)
{
	put(&state_of(r, t)->looked, jiffies_at(r->set, now));
}

static void publish(const struct probe_round *r, const struct probe_target *t, int64_t now)
{
	struct sf_state *state = state_of(r, t);

	put(&state->since, (uint32_t)(clock_of(CLOCK_BOOTTIME) / 1000000000));
	put(&state->degraded, t->health.degraded);
	say_alive(r, t, now);
	put(&state->down, t->health.down);
}

/* ---- what is told ---- */

static const char *way(int pass)
{
	return pass ? "towards" : "leaving";
}

static const char *reason_of(const struct health *h)
{
	static const char *const down[] = { "", "probes", "link" };
	static const char *const degraded[] = { "", "loss", "slow", "deaf" };

	return h->down ? down[h->down] : degraded[h->degraded];
}

static json_t *details(const struct probe_target *t)
{
	json_t *all = json_pack("{s:s, s:s}", "function", t->function, "instance", t->instance);

	if (t->health.down || t->health.degraded)
		json_object_set_new(all, "reason", json_string(reason_of(&t->health)));
	return all;
}

static void tell_down(const struct probe_round *r, const struct probe_target *t)
{
	int worst = health_worst(&t->health);

	if (t->health.down == DOWN_LINK)
		log_event(r->cl, LOG_WARNING, "down", details(t),
			  "function %s/%s is down: its link is", t->function, t->instance);
	else
		log_event(r->cl, LOG_WARNING, "down", details(t),
			  "function %s/%s is down: %u probes in a row, %s the workload, did not "
			  "come back",
			  t->function, t->instance, t->health.pass[worst].missed, way(worst));
}

static void tell_degraded(const struct probe_round *r, const struct probe_target *t)
{
	static const char *const what[] = {
		[DEGRADED_LOSS] = "probes are lost",
		[DEGRADED_SLOW] = "probes come back late",
		[DEGRADED_DEAF] = "probes do not come back, and its traffic has to tell whether "
				  "it lives",
	};

	log_event(r->cl, LOG_NOTICE, "degraded", details(t), "function %s/%s is degraded: %s",
		  t->function, t->instance, what[t->health.degraded]);
}

static void tell(const struct probe_round *r, const struct probe_target *t)
{
	if (t->health.down)
		tell_down(r, t);
	else if (t->health.degraded)
		tell_degraded(r, t);
	else
		log_event(r->cl, LOG_NOTICE, "up", details(t), "function %s/%s is up", t->function,
			  t->instance);
}

/* ---- links ---- */

static bool device_is_up(const struct probe_round *r, unsigned int ifindex)
{
	struct ifreq request = { .ifr_ifindex = (int)ifindex };

	return !ioctl(r->control, SIOCGIFNAME, &request) &&
	       !ioctl(r->control, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_UP &&
	       request.ifr_flags & IFF_RUNNING;
}

static bool link_is_up(const struct probe_round *r, const struct probe_target *t)
{
	return device_is_up(r, t->probe[0].ifindex) && (t->probe[0].ifindex == t->probe[1].ifindex ||
							device_is_up(r, t->probe[1].ifindex));
}

void probe_round_link(struct probe_round *r, unsigned int ifindex)
{
	for (size_t i = 0; r->set && i < r->set->n; i++) {
		struct probe_target *t = &r->set->target[i];

		if (t->lost || (ifindex && t->probe[0].ifindex != ifindex && t->probe[1].ifindex != ifindex))
			continue;
		t->link = link_is_up(r, t);
		if (!health_link(&t->health, &t->rules, t->link))
			continue;
		publish(r, t, probe_clock());
		tell(r, t);
	}
}

/* ---- who is looked after ---- */

static void begin(const struct probe_round *r, struct probe_target *t, int64_t now)
{
	struct sf_state *state = state_of(r, t), was = *state;
	uint32_t nonce[2];

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		nonce[0] = nonce[1] = (uint32_t)now;
	/* What an agent has said that died long ago is not known any more. */
	if (!instance_is_watched(&was, jiffies_at(r->set, now), r->set->hz))
		was.down = was.degraded = 0;
	health_begin(&t->health, &was);
	t->number = nonce[1];
	for (int i = 0; i < PASSES; i++)
		t->probe[i].nonce = nonce[0] | 1;
	put(&state->nonce, (uint32_t)t->probe[0].nonce);
	if (!was.since || was.down != state->down || was.degraded != state->degraded)
		publish(r, t, now);
}

static void continue_from(const struct probe_target *old, struct probe_target *t)
{
	t->health = old->health;
	t->number = old->number;
	t->sent = old->sent;
	t->link = old->link;
	for (int i = 0; i < PASSES; i++)
		t->probe[i].nonce = old->probe[i].nonce;
}

static struct probe_target *find(struct probe_set *s, const struct probe_target *t)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (s->target[i].index == t->index && s->target[i].id == t->id)
			return &s->target[i];
	return NULL;
}

/* Its traffic alone tells from now on whether it lives. */
static void leave(struct probe_set *s, const struct probe_target *t)
{
	struct sf_state *state = &s->states[t->index];

	if (!is_ours(state, t))
		return;
	put(&state->looked, 0);
	put(&state->down, DOWN_NOT);
	put(&state->degraded, DEGRADED_NOT);
	put(&state->nonce, 0);
}

static int64_t next_turn(const struct probe_target *t, int64_t now)
{
	return (now / t->interval + 1) * t->interval;
}

void probe_round_take(struct probe_round *r, struct probe_set *set)
{
	struct probe_set *old = r->set;
	int64_t now = probe_clock();

	for (size_t i = 0; old && i < old->n; i++)
		if (!old->target[i].lost && !find(set, &old->target[i]))
			leave(old, &old->target[i]);
	r->set = set;
	for (size_t i = 0; set && i < set->n; i++) {
		struct probe_target *t = &set->target[i], *was = find(old, t);

		if (was)
			continue_from(was, t);
		if (!was || !is_ours(state_of(r, t), t))
			begin(r, t, now);
		for (int k = 0; k < PASSES; k++)
			chain_probe_frame(t->frame[k], &t->probe[k], 0);
		t->due = next_turn(t, now);
	}
	r->beat = now;
	probe_set_free(old);
	probe_round_link(r, 0);
}

/* ---- a round ---- */

static void flush(struct probe_round *r)
{
	unsigned int from = 0;

	while (from < r->waiting) {
		int n = sendmmsg(r->set->socket, &r->message[from], r->waiting - from, MSG_DONTWAIT);

		/* The first one cannot be sent: it will not come back either. */
		from += n > 0 ? (unsigned int)n : 1;
	}
	r->waiting = 0;
}

static void send_probe(struct probe_round *r, struct probe_target *t, int pass)
{
	const size_t at = 18 + offsetof(struct probe_body, number);
	unsigned int n = r->waiting++;

	memcpy(&t->frame[pass][at], &t->number, sizeof(t->number));
	r->part[n] = (struct iovec){ t->frame[pass], PROBE_FRAME_SIZE };
	r->to[n] = (struct sockaddr_ll){ .sll_family = AF_PACKET,
					 .sll_ifindex = (int)t->probe[pass].ifindex };
	r->message[n] = (struct mmsghdr){ .msg_hdr = { .msg_name = &r->to[n],
						       .msg_namelen = sizeof(r->to[n]),
						       .msg_iov = &r->part[n],
						       .msg_iovlen = 1 } };
	if (r->waiting == PROBE_BATCH)
		flush(r);
}

static void look(struct probe_round *r, struct probe_target *t, bool unsure, int64_t now)
{
	const struct sf_state *state = state_of(r, t);
	struct health_sight sight = { .link = t->link, .unsure = unsure, .sent = t->number };

	for (int i = 0; i < PASSES; i++) {
		sight.answered[i] = __atomic_load_n(&state->answered[i], __ATOMIC_RELAXED);
		sight.answers[i] = __atomic_load_n(&state->answers[i], __ATOMIC_RELAXED);
		sight.returned[i] = __atomic_load_n(&state->returned[i], __ATOMIC_RELAXED);
	}
	if (health_look(&t->health, &t->rules, &sight)) {
		publish(r, t, now);
		tell(r, t);
	}
}

/* Probes tell more of an instance than its traffic, as long as it answers them. */
static void be_patient(const struct probe_round *r, const struct probe_target *t)
{
	int64_t ms = health_patience(&t->health, &t->rules) * t->interval / 1000000 * PATIENCE;
	bool known = t->health.pass[0].known && t->health.pass[1].known;

	put(&state_of(r, t)->patience, known ? (uint32_t)(ms < PATIENCE_MS ? PATIENCE_MS : ms) : 0);
}

static void turn(struct probe_round *r, struct probe_target *t, bool busy, int64_t now)
{
	bool late = now - t->due >= t->interval;

	t->due = next_turn(t, now);
	t->lost = t->lost || !is_ours(state_of(r, t), t);
	if (t->lost)
		return;
	if (t->sent || !t->rules.probes)
		look(r, t, late || busy, now);
	be_patient(r, t);
	say_alive(r, t, now);
	t->sent = t->rules.probes && t->link && r->set->socket >= 0;
	if (!t->sent)
		return;
	/* 0 is not a number. */
	if (!++t->number)
		t->number++;
	for (int i = 0; i < PASSES; i++)
		send_probe(r, t, i);
}

int64_t probe_round_run(struct probe_round *r)
{
	int64_t now = probe_clock(), next = 0;
	bool beat = now >= r->beat, busy = !witness_came(&r->witness, SPARE_NS), missing = false;

	if (!r->set)
		return 0;
	if (beat)
		r->beat = now + BEAT_NS;
	next = r->beat;
	for (size_t i = 0; i < r->set->n; i++) {
		struct probe_target *t = &r->set->target[i];

		if (now >= t->due)
			turn(r, t, busy, now);
		else if (beat && !t->lost && is_ours(state_of(r, t), t))
			say_alive(r, t, now);
		missing |= t->sent && health_waits(&t->health);
		if (t->due < next)
			next = t->due;
	}
	if (r->waiting)
		flush(r);
	if (missing)
		witness_ask(&r->witness, now);
	else
		r->witness.asked = 0;
	return next;
}

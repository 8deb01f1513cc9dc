// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>

#include "duel.h"

static struct judge *judge;

int duel_open(void **state)
{
	const char *why;

	if (world_open(state))
		return -1;
	judge = judge_open(&why);
	if (!judge) {
		printf("RESULT skip %s\n", why);
		exit(77);
	}
	return 0;
}

struct judge *duel_judge(void)
{
	return judge;
}

struct frame duel_frame(const struct bout *b, const struct segment *s)
{
	bool from_a = s->from == A;

	return packet_frame((struct packet){ .from = s->from,
					     .to = from_a ? B : A,
					     .family = b->family,
					     .protocol = TCP,
					     .sport = from_a ? b->port : 80,
					     .dport = from_a ? 80 : b->port,
					     .flags = s->flags,
					     .seq = s->seq,
					     .ack = s->ack,
					     .payload = s->payload,
					     .window = s->window,
					     .options = s->options });
}

enum drop_reason duel_ours_of(enum flavour flavour, enum who from, const struct frame *f)
{
	struct result r = world_run(HOOK_PORT, flavour, from == A ? DEVICE_A : DEVICE_B, f);

	if (r.outcome == SENT)
		return DROP_NONE;
	for (int reason = 1; reason < DROP_REASONS; reason++)
		if (r.drops[reason])
			return reason;
	fail_msg("neither sent nor dropped for a reason");
	return DROP_REASONS;
}

enum drop_reason duel_ours(const struct bout *b, const struct segment *s)
{
	struct frame f = duel_frame(b, s);

	return duel_ours_of(b->flavour, s->from, &f);
}

bool duel_kernel_passes(const struct bout *b, const struct segment *s)
{
	struct frame f = duel_frame(b, s);

	return judge_passes(judge, s->from == A, &f);
}

static void flow_key_of(const struct bout *b, uint8_t key[40])
{
	struct ct4_key k4 = { .low_port = htons(b->port),
			      .high_port = htons(80),
			      .protocol = TCP,
			      .used = FLOW_USED,
			      .zone = NETWORK };
	struct ct6_key k6 = { .low_port = htons(b->port),
			      .high_port = htons(80),
			      .protocol = TCP,
			      .used = FLOW_USED,
			      .zone = NETWORK };

	memcpy(&k4.low_address, people[A].ip4, 4);
	memcpy(&k4.high_address, people[B].ip4, 4);
	memcpy(k6.low_address, people[A].ip6, 16);
	memcpy(k6.high_address, people[B].ip6, 16);
	memset(key, 0, 40);
	if (b->family == 4)
		memcpy(key, &k4, sizeof(k4));
	else
		memcpy(key, &k6, sizeof(k6));
}

bool duel_flow(const struct bout *b, struct flow *f, bool *half)
{
	uint8_t key[40];

	flow_key_of(b, key);
	*half = false;
	if (flow_get(b->family == 4 ? "ct4" : "ct6", key, f))
		return true;
	*half = true;
	return flow_get(b->family == 4 ? "half4" : "half6", key, f);
}

const char *difference_name(enum difference d)
{
	static const char *const names[] = {
		"none",
#define X(id, name) name,
		DIFFERENCES(X)
#undef X
	};

	return names[d];
}

const char *duel_said(bool passes)
{
	return passes ? "passes" : "drops";
}

void duel_documented(bool sctp, const char *(*name)(int d), const bool *seen, int n)
{
	FILE *doc = fopen("docs/CONNTRACK.md", "r");
	bool *told = calloc((size_t)n, sizeof(*told));
	char line[256];

	if (!doc || !told)
		fail_msg("docs/CONNTRACK.md cannot be opened (run in the top directory)");
	while (fgets(line, sizeof(line), doc)) {
		int d = 1;

		if (strncmp(line, "### ", 4) || !strncmp(line, "### sctp-", 9) != sctp)
			continue;
		line[strcspn(line, "\n")] = 0;
		while (d < n && strcmp(name(d), line + 4))
			d++;
		if (d == n)
			fail_msg("docs/CONNTRACK.md: %s is no difference", line + 4);
		told[d] = true;
	}
	fclose(doc);
	for (int d = 1; d < n; d++)
		if (!told[d] || !seen[d])
			fail_msg("%s is %s", name(d), told[d] ? "never seen" : "not in docs/CONNTRACK.md");
	free(told);
}

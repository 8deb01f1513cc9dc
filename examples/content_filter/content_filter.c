// SPDX-License-Identifier: BSD-2-Clause
/*
 * content_filter: a small service function. Drops TCP segments whose payload contains one of its
 * patterns, and lets all else pass untouched, VLAN tag and PCP included (examples/arm.h says how).
 *
 *   content_filter [-p PATTERN]... DEVICE            one arm: what enters leaves by the same device
 *   content_filter [-p PATTERN]... DEVICE DEVICE2    two arms: what enters one leaves by the other
 *
 * Prints a line for each VLAN ID and PCP that it has seen, on SIGUSR1 and at its end.
 *
 * It reads segments, not streams: a pattern cut in two by a segment's end passes.
 */
#include "examples/arm.h"

#define PATTERNS 16

struct counters {
	unsigned long frames, dropped, lost;
};

static const char *patterns[PATTERNS];
static int n_patterns;
static struct counters seen[UNTAGGED + 1]; /* by tag control information */

static void print_counters(void)
{
	unsigned int tci;

	for (tci = 0; tci <= UNTAGGED; tci++) {
		const struct counters *c = &seen[tci];

		if (!c->frames)
			continue;
		if (tci == UNTAGGED)
			printf("untagged frames=%lu dropped=%lu lost=%lu\n", c->frames, c->dropped,
			       c->lost);
		else
			printf("vid=%u pcp=%u dei=%u frames=%lu dropped=%lu lost=%lu\n",
			       tci & 0xfff, tci >> 13, tci >> 12 & 1, c->frames, c->dropped,
			       c->lost);
	}
	fflush(stdout);
}

static bool forbidden(const struct frame *f)
{
	struct tcp_place t;
	int i;

	for (i = 0; find_tcp(f, &t) && i < n_patterns; i++)
		if (memmem(f->bytes + t.payload, f->len - t.payload, patterns[i], strlen(patterns[i])))
			return true;
	return false;
}

static void pass(const struct arm *arm, int number, struct frame *f)
{
	struct counters *c = &seen[f->tci];

	(void)number;
	c->frames++;
	if (forbidden(f))
		c->dropped++;
	else if (!transmit(arm, f))
		c->lost++;
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:")) != -1) {
		if (c != 'p' || n_patterns == PATTERNS)
			break;
		patterns[n_patterns++] = optarg;
	}
	if (c != -1 || argc - optind < 1 || argc - optind > ARMS) {
		fputs("usage: content_filter [-p PATTERN]... DEVICE [DEVICE2]\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	program = "content_filter";
	parse(argc, argv);
	run_arms(argv + optind, argc - optind, pass, print_counters);
	return 0;
}

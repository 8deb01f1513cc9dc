// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcp, on two CPUs: segments of one direction that are looked at in the same instant, as where a sender writes on one
 * CPU while acknowledgements let it go on on another. What both ends may then say is known as well as from one CPU.
 */
#include "selftests/unit/lib/cpus.h"
#include "selftests/unit/lib/world.h"

enum { ROUNDS = 3000, LEN = 100, WINDOW = 8000, EDGE = 50 };

static enum flavour flavour;
static uint32_t rounds[2], unsent[2], unacknowledged, beyond;

static bool wrong(void)
{
	return unsent[0] || unsent[1] || unacknowledged || beyond;
}

static struct frame said_by(enum who from, uint32_t seq, uint32_t ack, uint16_t payload, int32_t window)
{
	bool a = from == A;

	return packet_frame((struct packet){ .from = from,
					     .to = a ? B : A,
					     .family = 4,
					     .protocol = TCP,
					     .sport = a ? 1000 : 80,
					     .dport = a ? 80 : 1000,
					     .flags = ACK,
					     .seq = seq,
					     .ack = ack,
					     .payload = payload,
					     .window = window });
}

static bool passes(const struct frame *f, enum who from)
{
	return world_run_uncounted(HOOK_PORT, flavour, from == A ? DEVICE_A : DEVICE_B, f).outcome == SENT;
}

static bool says(enum who from, uint32_t seq, uint32_t ack, int32_t window)
{
	struct frame f = said_by(from, seq, ack, 0, window);

	return passes(&f, from);
}

/*
 * A's segments at once, then B's acknowledgements at once. All that A sent may be acknowledged, and A may send up to the
 * edge that B moved last. The later segment is now one CPU's, now the other's.
 */
static void talks(int which)
{
	uint32_t seq = 101;

	/* What went wrong in one round goes on in the next. */
	for (rounds[which] = 0; rounds[which] < ROUNDS && !wrong(); rounds[which]++) {
		bool later = (rounds[which] & 1) == (uint32_t)which;
		struct frame data = said_by(A, seq + later * LEN, 501, LEN, WINDOW);
		struct frame ack = said_by(B, 501, seq + LEN + later * LEN, 0, WINDOW + later * EDGE);
		uint32_t edge = seq + 2 * LEN + WINDOW + EDGE;

		cpus_meet();
		unsent[which] += !passes(&data, A);
		cpus_meet();
		if (!which)
			unacknowledged += !says(B, 501, seq + 2 * LEN, WINDOW - LEN);
		cpus_meet();
		unsent[which] += !passes(&ack, B);
		cpus_meet();
		if (!which) {
			beyond += !says(A, edge, 501, WINDOW);
			says(B, 501, edge, WINDOW);
		}
		cpus_meet();
		seq = edge;
	}
}

static void shake_hands(void)
{
	static const struct packet hands[] = {
		{ A, B, 4, TCP, 1000, 80, SYN, 100 },
		{ B, A, 4, TCP, 80, 1000, SYN | ACK, 500, 101 },
		{ A, B, 4, TCP, 1000, 80, ACK, 101, 501 },
	};

	for (int i = 0; i < 3; i++) {
		struct frame f = packet_frame(hands[i]);

		expect(HOOK_PORT, flavour, i == 1 ? DEVICE_B : DEVICE_A, &f, SENT, DROP_NONE);
	}
}

static void at_once(void **state)
{
	for (flavour = IN_TC; flavour < FLAVOURS; flavour++) {
		world_reset(state);
		acl_allow_all();
		world_case("two CPUs", flavour);
		shake_hands();
		unsent[0] = unsent[1] = unacknowledged = beyond = 0;
		if (!cpus_run(talks))
			skip();
		if (wrong())
			fail_msg("%s, round %u: %u segments did not pass; %u was not known to be sent; %u was not allowed",
				 flavour == IN_XDP ? "xdp" : "tc", rounds[0], unsent[0] + unsent[1], unacknowledged, beyond);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(at_once, world_reset),
	};

	return cmocka_run_group_tests_name("tcp_cpus", tests, world_open, world_close);
}

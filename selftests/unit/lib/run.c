// SPDX-License-Identifier: BSD-2-Clause
/* One packet through one program, and what may have come of it (world.h). */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

static char current_case[128] = "?";

void world_case(const char *name, enum flavour flavour)
{
	snprintf(current_case, sizeof(current_case), "%s (%s)", name,
		 flavour == IN_XDP ? "xdp" : "tc");
}

void world_fail(const char *file, int line, const char *what)
{
	print_error("%s: ", current_case);
	print_error("%s is not so\n", what);
	_fail(file, line);
}

void drops_read(uint64_t drops[DROP_REASONS])
{
	for (uint32_t reason = 0; reason < DROP_REASONS; reason++)
		per_cpu_sum("drops", reason, &drops[reason], 1);
}

static enum outcome outcome_of(enum flavour flavour, int action, uint64_t drops)
{
	if (flavour == IN_XDP) {
		switch (action) {
		case XDP_REDIRECT:
			return SENT;
		case XDP_PASS:
			/*
			 * The underlay's own traffic and what TC is to do look alike here: neither
			 * is touched.
			 */
			return UP;
		}
		return drops ? DROPPED : SPENT;
	}
	switch (action) {
	case TC_ACT_REDIRECT:
		return SENT;
	case TC_ACT_UNSPEC:
		return PASSED;
	}
	return drops ? DROPPED : SPENT;
}

static void run_tc(int fd, uint32_t ifindex, uint32_t mark, const struct frame *in,
		   struct result *r)
{
	struct __sk_buff ctx = { .ifindex = ifindex, .mark = mark }, after = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in->data, .data_size_in = in->len,
		    .data_out = r->out.data, .data_size_out = FRAME_MAX, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .ctx_out = &after, .ctx_size_out = sizeof(after));

	if (bpf_prog_test_run_opts(fd, &run))
		fail_msg("%s: the program does not run: %s", current_case, strerror(errno));
	r->action = run.retval;
	r->out.len = run.data_size_out;
	r->mark = after.mark;
}

static void run_xdp(int fd, uint32_t ifindex, const struct frame *in, struct result *r)
{
	struct xdp_md ctx = { .data_end = in->len, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in->data, .data_size_in = in->len,
		    .data_out = r->out.data, .data_size_out = FRAME_MAX, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));

	if (bpf_prog_test_run_opts(fd, &run))
		fail_msg("%s: the program does not run: %s", current_case, strerror(errno));
	r->action = run.retval;
	r->out.len = run.data_size_out;
}

static void run_one(enum hook hook, enum flavour flavour, enum device_name from, uint32_t mark,
		    const struct frame *in, struct result *r)
{
	int fd = program_fd(hook, flavour);

	if (flavour == IN_XDP)
		run_xdp(fd, device(from), in, r);
	else
		run_tc(fd, device(from), mark, in, r);
}

static struct result run_counted(enum hook hook, enum flavour flavour, enum device_name from,
				 uint32_t mark, const struct frame *in)
{
	uint64_t before[DROP_REASONS];
	struct result r = { 0 };

	drops_read(before);
	run_one(hook, flavour, from, mark, in, &r);
	drops_read(r.drops);
	for (int i = 0; i < DROP_REASONS; i++) {
		r.drops[i] -= before[i];
		r.all_drops += r.drops[i];
	}
	r.outcome = outcome_of(flavour, r.action, r.all_drops);
	return r;
}

struct result world_run(enum hook hook, enum flavour flavour, enum device_name from,
			const struct frame *in)
{
	return run_counted(hook, flavour, from, 0, in);
}

struct result world_run_uncounted(enum hook hook, enum flavour flavour, enum device_name from,
				  const struct frame *in)
{
	struct result r;

	run_one(hook, flavour, from, 0, in, &r);
	r.outcome = outcome_of(flavour, r.action, 1);
	return r;
}

struct result world_run_marked(enum hook hook, enum device_name from, const struct frame *in,
			       uint32_t mark)
{
	return run_counted(hook, IN_TC, from, mark, in);
}

static const char *reason_name(int reason)
{
	static const char *const names[] = {
#define X(id, name, text) name,
		WEFT_DROP_REASONS(X)
#undef X
	};

	return names[reason];
}

static void print_result(const struct result *r)
{
	static const char *const names[] = { "sent", "dropped", "spent", "passed", "up" };

	print_error("%s: %s (action %d), %u bytes", current_case, names[r->outcome], r->action,
		    r->out.len);
	for (int i = 0; i < DROP_REASONS; i++)
		if (r->drops[i])
			print_error(", %s +%d", reason_name(i), (int)r->drops[i]);
	print_error("\n");
}

static bool same_frame(const struct frame *a, const struct frame *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

struct result expect(enum hook hook, enum flavour flavour, enum device_name from,
		     const struct frame *in, enum outcome outcome, enum drop_reason reason)
{
	struct result r = world_run(hook, flavour, from, in);
	/* In XDP both are XDP_PASS. */
	enum outcome wanted = flavour == IN_XDP && outcome == PASSED ? UP : outcome;
	bool right = r.outcome == wanted;

	if (reason)
		right = right && r.drops[reason] == 1 && r.all_drops == 1;
	else
		right = right && !r.all_drops;
	if (wanted == UP || wanted == PASSED)
		right = right && same_frame(&r.out, in);
	if (!right) {
		print_result(&r);
		fail_msg("%s: should be outcome %d, reason %s", current_case, wanted,
			 reason_name(reason));
	}
	return r;
}

struct result expect_tc(enum hook hook, enum flavour flavour, enum device_name from,
			const struct frame *in, enum outcome outcome, enum drop_reason reason)
{
	if (flavour == IN_XDP)
		return expect(hook, flavour, from, in, UP, DROP_NONE);
	return expect(hook, flavour, from, in, outcome, reason);
}

int again_open(enum device_name d)
{
	struct sockaddr_ll here = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = device(d) };
	struct timeval patience = { .tv_usec = 200000 };
	int room = 8 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		fail_msg("no packet socket: %s", strerror(errno));
	return fd;
}

bool again_read(int fd, struct frame *f)
{
	struct sockaddr_ll from;
	socklen_t size;
	ssize_t len;

	do {
		size = sizeof(from);
		memset(f, 0, sizeof(*f));
		len = recvfrom(fd, f->data, FRAME_MAX, 0, (struct sockaddr *)&from, &size);
		/* The devices' own stacks send too. */
	} while (len >= 0 && from.sll_pkttype == PACKET_OUTGOING);
	f->len = len < 0 ? 0 : len;
	return len >= 0;
}

static void print_frame(const char *what, const struct frame *f)
{
	print_error("%s %u:", what, f->len);
	for (uint32_t i = 0; i < f->len; i++)
		print_error("%s%02x", i % 16 ? " " : "\n  ", f->data[i]);
	print_error("\n");
}

void expect_frame(const struct frame *got, const struct frame *wanted)
{
	if (same_frame(got, wanted))
		return;
	print_frame("got", got);
	print_frame("wanted", wanted);
	fail_msg("%s: another frame came out", current_case);
}

void expect_bytes(const struct frame *got, const char *hex)
{
	struct frame wanted = { 0 };

	wanted.len = hex_bytes(hex, wanted.data, FRAME_MAX);
	expect_frame(got, &wanted);
}

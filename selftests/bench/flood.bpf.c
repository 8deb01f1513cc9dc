/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flood.bpf.c: makes a frame of one of many flows and redirects it. Run by flood with live frames.
 *
 * Live frames are reused as their last reader left them, so all headers are written anew each time.
 * The flows are swept once in order, so that every one of them exists, and are then picked at
 * random.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flood.h"

struct flood_state state;

struct pick {
	__u32 sport, dport, src, dst;
};

static __always_inline __u64 throw_dice(void)
{
	__u64 x = state.dice;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return state.dice = x;
}

static __always_inline __u32 scale(__u32 random, __u32 n)
{
	return (__u64)random * n >> 32;
}

static __always_inline void pick_flow(struct pick *p)
{
	__u64 r;

	if (!state.config.random && state.sweep_dport < state.config.n_dport) {
		p->sport = state.sweep_sport++;
		p->dport = state.sweep_dport;
		if (state.sweep_sport >= state.config.n_sport) {
			state.sweep_sport = 0;
			state.sweep_dport++;
		}
	} else {
		r = throw_dice();
		p->sport = scale(r, state.config.n_sport);
		p->dport = scale(r >> 32, state.config.n_dport);
	}
	p->src = p->dst = 0;
	if (state.config.n_src > 1 || state.config.n_dst > 1) {
		r = throw_dice();
		p->src = scale(r, state.config.n_src);
		p->dst = scale(r >> 32, state.config.n_dst);
	}
}

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return bpf_htons(~sum & 0xffff);
}

static __always_inline void put16(__u8 *at, __u16 wire)
{
	*(__u16 *)at = wire;
}

/* Eight bytes at a time: a memcpy of bytes of unknown alignment would go byte by byte. */
static __always_inline void write_head(__u8 *data, int from, int to)
{
	int i;

	for (i = from; i < to; i++)
		((__u64 *)data)[i] = state.config.head[i];
}

static __always_inline void write_l4(__u8 *l4, const __u8 *end, const struct pick *p, __u32 varied)
{
	__u16 sport = state.config.sport + p->sport, dport = state.config.dport + p->dport, check;

	if (state.config.l4 != IPPROTO_UDP && state.config.l4 != IPPROTO_TCP)
		return;
	put16(l4, bpf_htons(state.config.swap ? dport : sport));
	put16(l4 + 2, bpf_htons(state.config.swap ? sport : dport));
	if (!state.config.l4_check)
		return;
	check = fold(state.config.l4_sum + varied + sport + dport);
	if (state.config.l4 == IPPROTO_UDP)
		put16(l4 + 6, check ?: 0xffff);
	else if (l4 + 18 <= end)
		put16(l4 + 16, check);
}

/*
 * The rate is kept in here, since each test run takes milliseconds to begin and to end: a frame that comes too early is
 * dropped. What was missed for longer than a millisecond is not caught up, which would be a burst.
 */
static __always_inline int is_early(void)
{
	__u64 now;

	if (!state.config.gap_ns)
		return 0;
	now = bpf_ktime_get_ns();
	if (now < state.next)
		return 1;
	if (state.next + 1000000 < now)
		state.next = now;
	state.next += state.config.gap_ns;
	return 0;
}

/* The low half of the source address, first of its kind. Who counts by turns has the same clock. */
static __always_inline __u16 source_low(void)
{
	if (state.config.turn_ns && bpf_ktime_get_ns() / state.config.turn_ns & 1)
		return state.config.turn_low;
	return state.config.src_low;
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct pick p;
	__u16 src, dst;

	if (data + FLOOD_MIN > end)
		return XDP_ABORTED;
	if (is_early())
		return XDP_DROP;
	write_head(data, 0, 8);
	if (data + 72 <= end)
		write_head(data, 8, 9);
	pick_flow(&p);
	src = source_low() + p.src;
	dst = state.config.dst_low + p.dst;
	if (state.config.v6) {
		put16(data + 36, bpf_htons(src));
		put16(data + 52, bpf_htons(dst));
		write_l4(data + 54, end, &p, src + dst);
	} else {
		put16(data + 28, bpf_htons(src));
		put16(data + 32, bpf_htons(dst));
		put16(data + 24, fold(state.config.ip_sum + src + dst));
		write_l4(data + 34, end, &p, src + dst);
	}
	/* Also tells the kernel that the frame is not as it was: who has made it shorter is not seen when it comes back. */
	if (state.config.cut && bpf_xdp_adjust_tail(ctx, -(int)state.config.cut))
		return XDP_ABORTED;
	state.sent++;
	return bpf_redirect(state.config.ifindex, 0);
}

/* What bpf_stats themselves cost: run by itself, see flood --empty. */
SEC("xdp")
int empty(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: BSD-2-Clause
/*
 * rewriter: a small service function that alters streams (`rewrites: true`): it puts one word in the place of another, of whatever
 * length, in all TCP payload of both directions, and translates sequence numbers from then on. All else passes untouched.
 *
 *   rewriter -r FROM=TO [-r FROM=TO]... DEVICE [DEVICE2]
 *
 * Prints what it has done on SIGUSR1 and at its end.
 *
 * A word is found where it lies in one segment and comes for the first time; what was replaced once is replaced again when it is
 * sent again. Of SYNs it takes SACK away, whose numbers it would have to translate too, and some of the segment size,
 * so that there is room to grow. A connection is told by its tag, its ends, and the workload in whose wire it is met: between
 * two workloads behind this function it comes by twice, and is altered twice. It needs whole checksums and no super-packets
 * (`offloads: finish`).
 */
#include <arpa/inet.h>

#include "examples/arm.h"

#define WORDS 8
#define STREAMS 256 /* connections, the oldest of which is forgotten for a new one */
#define EDITS 512 /* of one direction; what comes after stays as it is */
#define GROWTH 64 /* bytes that a segment may become longer */
#define NOP 1
#define FIN 1
#define SYN 2

struct word {
	const char *from, *to;
	size_t from_len, to_len;
};

/* A word that was replaced: where it began and ended in the sender's numbers. */
struct edit {
	__u32 begin, end;
	const struct word *word;
};

struct direction {
	bool begun;
	__u32 first, seen; /* the number of its SYN, or of what was met first; and that after the last byte met */
	int n;
	struct edit edits[EDITS];
};

struct key {
	__u8 wire[6]; /* the workload's MAC, if the tag tells whose wire it is */
	__u16 vid;
	__u8 end[2][18]; /* address and port, the smaller one first */
};

struct stream {
	unsigned long used; /* 0: free */
	struct key key;
	struct direction dir[2]; /* [0]: from the smaller end */
};

static struct word words[WORDS];
static int n_words;
static struct stream streams[STREAMS];
static unsigned long clock_, frames, replaced, lost;

static void print_counters(void)
{
	printf("frames=%lu replaced=%lu lost=%lu\n", frames, replaced, lost);
	fflush(stdout);
}

/* ---- numbers ---- */

static __u32 load32(const __u8 *at)
{
	return (__u32)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void store32(__u8 *at, __u32 value)
{
	__be32 wire = htonl(value);

	memcpy(at, &wire, sizeof(wire));
}

static __s32 growth(const struct word *w)
{
	return (__s32)w->to_len - (__s32)w->from_len;
}

/* The receiver's number for the sender's: all that was replaced before it counts. */
static __u32 forward(const struct direction *d, __u32 seq)
{
	__u32 shift = 0;

	for (int i = 0; i < d->n && (__s32)(seq - d->edits[i].end) >= 0; i++)
		shift += (__u32)growth(d->edits[i].word);
	return seq + shift;
}

/* The sender's for the receiver's, as it acknowledges: half a replaced word is none. */
static __u32 backward(const struct direction *d, __u32 ack)
{
	__u32 shift = 0;

	for (int i = 0; i < d->n; i++) {
		const struct edit *e = &d->edits[i];

		if ((__s32)(ack - (e->begin + shift)) <= 0)
			break;
		if ((__s32)(ack - (e->end + shift + (__u32)growth(e->word))) < 0)
			return e->begin;
		shift += (__u32)growth(e->word);
	}
	return ack - shift;
}

/* ---- connections ---- */

static void put_end(__u8 end[18], const __u8 *address, size_t size, const __u8 *port)
{
	memset(end, 0, 18);
	memcpy(end, address, size);
	memcpy(end + 16, port, 2);
}

/* Which direction of which connection the segment is of. */
static struct direction *find(const struct frame *f, const struct tcp_place *t, struct direction **other)
{
	const __u8 *ip = f->bytes + t->ip, *l4 = f->bytes + t->l4;
	size_t size = t->six ? 16 : 4, at = t->six ? 8 : 12;
	unsigned int pcp = f->tci == UNTAGGED ? 0 : f->tci >> 13;
	struct stream *oldest = &streams[0], *s = NULL;
	struct key key = { .vid = f->tci == UNTAGGED ? 0 : f->tci & 0xfff };
	__u8 from[18], to[18];
	int dir;

	put_end(from, ip + at, size, l4);
	put_end(to, ip + at + size, size, l4 + 2);
	dir = memcmp(from, to, sizeof(from)) > 0;
	memcpy(key.end[dir], from, sizeof(from));
	memcpy(key.end[!dir], to, sizeof(to));
	if (pcp == 1 || pcp == 2)
		memcpy(key.wire, f->bytes + (pcp == 1 ? 6 : 0), 6);
	for (int i = 0; i < STREAMS && !s; i++) {
		if (streams[i].used && !memcmp(&streams[i].key, &key, sizeof(key)))
			s = &streams[i];
		if (streams[i].used < oldest->used)
			oldest = &streams[i];
	}
	if (!s) {
		s = oldest;
		memset(s, 0, sizeof(*s));
		s->key = key;
	}
	s->used = ++clock_;
	*other = &s->dir[!dir];
	return &s->dir[dir];
}

/* ---- a segment ---- */

/* Options that would tell of numbers go; the segment size leaves room. */
static void curb_options(__u8 *at, size_t len)
{
	size_t size;

	for (size_t i = 0; i < len && at[i]; i += size) {
		size = at[i] == NOP ? 1 : i + 1 < len ? at[i + 1] : 0;
		if (!size || i + size > len || (at[i] != NOP && size < 2))
			return;
		if (at[i] == 2 && size == 4) {
			int mss = (at[i + 2] << 8 | at[i + 3]) - GROWTH;

			at[i + 2] = (__u8)(mss >> 8);
			at[i + 3] = (__u8)mss;
		} else if (at[i] == 4 && size == 2) {
			memset(at + i, NOP, size);
		}
	}
}

static const struct word *word_at(const __u8 *at, size_t len)
{
	for (int i = 0; i < n_words; i++)
		if (len >= words[i].from_len && !memcmp(at, words[i].from, words[i].from_len))
			return &words[i];
	return NULL;
}

/* The word that was replaced there; or, if there is room, one that is met for the first time, which then has been. */
static const struct word *edit_at(struct direction *d, __u32 seq, const __u8 *at, size_t len, bool room)
{
	const struct word *w;

	for (int i = d->n; i-- > 0;)
		if (d->edits[i].begin == seq)
			return len >= d->edits[i].word->from_len ? d->edits[i].word : NULL;
	w = room && (__s32)(seq - d->seen) >= 0 && d->n < EDITS ? word_at(at, len) : NULL;
	if (w)
		d->edits[d->n++] = (struct edit){ seq, seq + (__u32)w->from_len, w };
	return w;
}

/* Is the number inside of a replaced word, where a segment can neither begin nor end? */
static bool is_inside(const struct direction *d, __u32 seq)
{
	for (int i = 0; i < d->n; i++)
		if ((__s32)(seq - d->edits[i].begin) > 0 && (__s32)(seq - d->edits[i].end) < 0)
			return true;
	return false;
}

/* Returns the payload's new length. */
static size_t rewrite(struct direction *d, __u32 seq, const __u8 *from, size_t len, __u8 *to)
{
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		const struct word *w = edit_at(d, seq + (__u32)i, from + i, len - i, out < i + GROWTH / 2);

		if (!w) {
			to[out++] = from[i++];
			continue;
		}
		memcpy(to + out, w->to, w->to_len);
		out += w->to_len;
		i += w->from_len;
		replaced++;
	}
	return out;
}

static __u32 sum(const __u8 *at, size_t len, __u32 s)
{
	for (size_t i = 0; i < len; i++)
		s += i & 1 ? at[i] : at[i] << 8;
	return s;
}

static void store_sum(__u8 *at, __u32 s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	at[0] = (__u8)(~s >> 8);
	at[1] = (__u8)~s;
}

/* Lengths and checksums, now that the frame is as it shall be. */
static void finish(struct frame *f, const struct tcp_place *t)
{
	size_t l4_len = f->len - t->l4, ip_len = f->len - t->ip - (t->six ? 40 : 0);
	__u8 *ip = f->bytes + t->ip, *l4 = f->bytes + t->l4;
	__u8 *length = ip + (t->six ? 4 : 2);

	length[0] = (__u8)(ip_len >> 8);
	length[1] = (__u8)ip_len;
	if (!t->six) {
		ip[10] = ip[11] = 0;
		store_sum(ip + 10, sum(ip, t->l4 - t->ip, 0));
	}
	l4[16] = l4[17] = 0;
	store_sum(l4 + 16, sum(l4, l4_len, sum(ip + (t->six ? 8 : 12), t->six ? 32 : 8, (__u32)(l4_len + IPPROTO_TCP))));
	f->hdr.flags = 0;
}

/* What is behind the IP packet, to make the frame long enough for a wire, goes. */
static bool cut_padding(struct frame *f, const struct tcp_place *t)
{
	const __u8 *ip = f->bytes + t->ip;
	size_t len = t->six ? 40 + (size_t)(ip[4] << 8 | ip[5]) : (size_t)(ip[2] << 8 | ip[3]);

	if (t->ip + len > f->len || t->ip + len < t->payload)
		return false;
	f->len = t->ip + len;
	return true;
}

/* False: it cannot go on. */
static bool alter(struct frame *f, const struct tcp_place *t)
{
	static __u8 payload[MAX_FRAME];
	struct direction *other, *d = find(f, t, &other);
	__u8 *l4 = f->bytes + t->l4, flags = l4[13];
	__u32 seq = load32(l4 + 4), end;
	size_t len;

	if (f->hdr.gso_type || f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || !cut_padding(f, t))
		return false;
	if (flags & SYN || !d->begun) {
		if (flags & SYN && d->begun && d->first != seq)
			d->n = other->n = other->begun = 0;
		d->begun = true;
		d->first = seq;
		d->seen = d->n ? d->seen : seq + !!(flags & SYN);
	}
	if (flags & SYN)
		curb_options(l4 + 20, t->payload - t->l4 - 20);
	len = f->len - t->payload;
	end = seq + (__u32)len;
	if (is_inside(d, seq) || is_inside(d, end))
		return false;
	store32(l4 + 4, forward(d, seq));
	if (flags & 16)
		store32(l4 + 8, backward(other, load32(l4 + 8)));
	len = rewrite(d, seq, f->bytes + t->payload, len, payload);
	memcpy(f->bytes + t->payload, payload, len);
	f->len = t->payload + len;
	if ((__s32)(end - d->seen) > 0)
		d->seen = end;
	finish(f, t);
	return true;
}

static void pass(const struct arm *arm, int number, struct frame *f)
{
	struct tcp_place t;

	(void)number;
	frames++;
	if ((find_tcp(f, &t) && !alter(f, &t)) || !transmit(arm, f))
		lost++;
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "r:")) != -1) {
		char *to = c == 'r' ? strchr(optarg, '=') : NULL;

		if (!to || to == optarg || n_words == WORDS)
			break;
		*to++ = '\0';
		words[n_words++] = (struct word){ optarg, to, strlen(optarg), strlen(to) };
	}
	if (c != -1 || !n_words || argc - optind < 1 || argc - optind > ARMS) {
		fputs("usage: rewriter -r FROM=TO [-r FROM=TO]... DEVICE [DEVICE2]\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	program = "rewriter";
	parse(argc, argv);
	run_arms(argv + optind, argc - optind, pass, print_counters);
	return 0;
}

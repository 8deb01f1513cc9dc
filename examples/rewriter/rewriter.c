// SPDX-License-Identifier: BSD-2-Clause
/*
 * rewriter: a small service function that alters streams (`rewrites: true`): it puts one word in the place of another, of whatever
 * length, in all TCP payload of both directions, and translates sequence numbers from then on. All else passes untouched.
 *
 *   rewriter -r FROM=TO [-r FROM=TO]... DEVICE [DEVICE2]
 *
 * Prints what it has done on SIGUSR1 and at its end.
 *
 * A word is found wherever segments cut it: the end of a segment that may begin one is held back, and goes before what comes next.
 * The receiver does not acknowledge it, so the sender keeps it as well, and no timer is needed here: if nothing comes next the
 * sender repeats it, and after half a second of that it goes as it is. What was replaced once is replaced again when it is sent
 * again, by the segment in which it begins. A segment behind one that is missing is dropped, for its words cannot be told yet.
 * Of SYNs it takes SACK away, whose numbers it would have to translate too, and some of the segment size,
 * so that there is room to grow. A connection is told by its tag, its ends, and the workload in whose wire it is met: between
 * two workloads behind this function it comes by twice, and is altered twice. It needs whole checksums and no super-packets
 * (`offloads: finish`).
 */
#include <arpa/inet.h>
#include <time.h>

#include "examples/arm.h"

#define WORDS 8
#define STREAMS 256 /* connections, the oldest of which is forgotten for a new one */
#define EDITS 512 /* of one direction; what comes after stays as it is */
#define WORD_MAX 24 /* bytes of a word, and of what takes its place */
#define GROWTH 128 /* bytes that a segment may become longer: what was held back, and its words */
#define HOLD_MS 500 /* of what the sender repeats: a segment that it repeats sooner may merely have been slow */
#define NOP 1
#define FIN 1
#define SYN 2
#define ACK 16

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
	__u32 first; /* the number of its SYN, or of what was met first */
	__u32 decided; /* of all before it is known whether it is a word */
	__u8 held[WORD_MAX]; /* what has come from there on, and may begin one */
	__u32 n_held;
	__u64 held_since; /* ms */
	int n;
	struct edit edits[EDITS]; /* in order */
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

/* How far the second number is behind the first: they wrap. */
static __s32 ahead(__u32 a, __u32 b)
{
	return (__s32)(a - b);
}

static __u32 held_end(const struct direction *d)
{
	return d->decided + d->n_held;
}

/* The receiver's number for the sender's: all that was replaced before it counts. In a replaced word it is as far from its end. */
static __u32 forward(const struct direction *d, __u32 seq)
{
	__u32 shift = 0;

	for (int i = 0; i < d->n && ahead(seq, d->edits[i].begin) > 0; i++)
		shift += (__u32)growth(d->edits[i].word);
	return seq + shift;
}

/* The sender's for the receiver's, as it acknowledges: half a replaced word is none. */
static __u32 backward(const struct direction *d, __u32 ack)
{
	__u32 shift = 0;

	for (int i = 0; i < d->n; i++) {
		const struct edit *e = &d->edits[i];

		if (ahead(ack, e->begin + shift + (__u32)e->word->to_len) >= 0)
			shift += (__u32)growth(e->word);
		else if (ahead(ack, e->begin + shift) > 0)
			return e->begin;
		else
			break;
	}
	return ack - shift;
}

/* What the receiver has got past this function is nothing to wait for. */
static void overtaken(struct direction *d, __u32 ack)
{
	if (!d->begun || ahead(ack, d->decided) <= 0)
		return;
	d->decided = ack;
	d->n_held = 0;
}

static __u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000 + (__u64)now.tv_nsec / 1000000;
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

/* ---- words ---- */

/* The word at the text's beginning. `may_begin`: the text is too short to tell; NULL: there will be no more of it. */
static const struct word *word_at(const __u8 *text, size_t len, bool *may_begin)
{
	for (int i = 0; i < n_words; i++) {
		const struct word *w = &words[i];

		if (len >= w->from_len && !memcmp(text, w->from, w->from_len))
			return w;
		if (may_begin && len < w->from_len && !memcmp(text, w->from, len)) {
			*may_begin = true;
			return NULL;
		}
	}
	return NULL;
}

/* The replaced word in which the number is; NULL: none. */
static const struct edit *edit_at(const struct direction *d, __u32 seq)
{
	for (int i = d->n; i-- > 0;)
		if (ahead(seq, d->edits[i].begin) >= 0)
			return ahead(seq, d->edits[i].end) < 0 ? &d->edits[i] : NULL;
	return NULL;
}

static void hold(struct direction *d, const __u8 *from, size_t len)
{
	if (len > d->n_held)
		d->held_since = now_ms();
	memcpy(d->held, from, len);
	d->n_held = (__u32)len;
}

/* What the sender has sent from one number on, as far as it is known. */
struct text {
	__u32 begin;
	size_t len;
	bool whole; /* nothing comes after it, or not soon */
	__u8 bytes[WORD_MAX + MAX_FRAME];
};

/* Is there a word at that place, where nobody has looked yet? False: perhaps, and it is held back with all behind it. */
static bool decide(struct direction *d, const struct text *t, size_t at, bool room)
{
	__u32 seq = t->begin + (__u32)at;
	bool may_begin = false;
	const struct word *w = NULL;

	if (room && d->n < EDITS)
		w = word_at(t->bytes + at, t->len - at, t->whole ? NULL : &may_begin);
	if (may_begin) {
		hold(d, t->bytes + at, t->len - at);
		return false;
	}
	d->n_held = 0;
	d->decided = seq + (w ? (__u32)w->from_len : 1);
	if (w)
		d->edits[d->n++] = (struct edit){ seq, d->decided, w };
	return true;
}

/*
 * As the receiver gets it; returns its length. A replaced word goes where it begins, also if the text ends in it: the sender has sent
 * the rest of it.
 */
static size_t rewrite(struct direction *d, const struct text *t, __u8 *to)
{
	size_t i = 0, out = 0;

	while (i < t->len) {
		__u32 seq = t->begin + (__u32)i;
		const struct edit *e;

		if (seq == d->decided && !decide(d, t, i, out < i + GROWTH - 2 * WORD_MAX))
			return out;
		e = edit_at(d, seq);
		if (!e) {
			to[out++] = t->bytes[i++];
			continue;
		}
		if (seq == e->begin) {
			memcpy(to + out, e->word->to, e->word->to_len);
			out += e->word->to_len;
			replaced++;
		}
		i += e->end - seq;
	}
	return out;
}

/*
 * The text of a segment: before it goes what was held back before it, behind it what was held back behind it, if it repeats but a part of
 * that. False: something before it is missing.
 */
static bool gather(const struct direction *d, __u32 seq, const __u8 *payload, size_t len, bool fin, struct text *t)
{
	__u32 end = seq + (__u32)len, before = 0, behind = 0;

	if (ahead(seq, held_end(d)) > 0)
		return false;
	if (ahead(seq, d->decided) > 0)
		before = seq - d->decided;
	if (ahead(end, d->decided) >= 0 && ahead(held_end(d), end) > 0 && len)
		behind = held_end(d) - end;
	t->begin = seq - before;
	t->len = before + len + behind;
	t->whole = fin || (d->n_held && len && ahead(end, held_end(d)) <= 0 && now_ms() - d->held_since >= HOLD_MS);
	memcpy(t->bytes, d->held, before);
	memcpy(t->bytes + before, payload, len);
	memcpy(t->bytes + before + len, d->held + d->n_held - behind, behind);
	return true;
}

/* ---- a frame ---- */

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

/* A SYN begins the direction, and so does what is met first. */
static void begin(struct direction *d, struct direction *other, __u32 seq, bool syn)
{
	if (syn && d->begun && d->first != seq) {
		d->n = other->n = 0;
		d->begun = other->begun = false;
	}
	if (d->begun)
		return;
	d->begun = true;
	d->first = seq;
	d->decided = seq + syn;
	d->n_held = 0;
}

/* The payload, and the number that goes with it. False: it cannot go on. */
static bool alter_payload(struct direction *d, struct frame *f, const struct tcp_place *t)
{
	__u8 *l4 = f->bytes + t->l4, *payload = f->bytes + t->payload, flags = l4[13];
	size_t len = f->len - t->payload;
	__u32 seq = load32(l4 + 4);
	static struct text text;

	if (flags & SYN) {
		curb_options(l4 + 20, t->payload - t->l4 - 20);
		return true;
	}
	if (!len && !(flags & FIN)) {
		/* Of what is held back the receiver has not heard. */
		if (ahead(seq, d->decided) > 0 && ahead(seq, held_end(d)) <= 0)
			seq = d->decided;
		store32(l4 + 4, forward(d, seq));
		return true;
	}
	if (!gather(d, seq, payload, len, flags & FIN, &text))
		return false;
	store32(l4 + 4, forward(d, text.begin));
	f->len = t->payload + rewrite(d, &text, payload);
	return true;
}

/* False: it cannot go on. */
static bool alter(struct frame *f, const struct tcp_place *t)
{
	struct direction *other, *d = find(f, t, &other);
	__u8 *l4 = f->bytes + t->l4;

	if (f->hdr.gso_type || f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || !cut_padding(f, t))
		return false;
	begin(d, other, load32(l4 + 4), l4[13] & SYN);
	if (l4[13] & ACK) {
		__u32 ack = backward(other, load32(l4 + 8));

		overtaken(other, ack);
		store32(l4 + 8, ack);
	}
	if (!alter_payload(d, f, t))
		return false;
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

		if (!to || to == optarg || n_words == WORDS || to - optarg > WORD_MAX || strlen(to + 1) > WORD_MAX)
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

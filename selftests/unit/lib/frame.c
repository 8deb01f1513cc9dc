// SPDX-License-Identifier: BSD-2-Clause
/* Builds the frames of the packet tests, on its own: none of the datapath's code is used here. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

const struct somebody people[WHO_COUNT] = {
	[A] = { { 2, 0, 0, 0, 0, 0xa }, { 10, 0, 1, 1 }, { 0xfd, 0, 0, 1, [15] = 1 } },
	[B] = { { 2, 0, 0, 0, 0, 0xb }, { 10, 0, 1, 2 }, { 0xfd, 0, 0, 1, [15] = 2 } },
	[R] = { { 2, 0, 0, 0, 0, 0xc }, { 10, 0, 1, 3 }, { 0xfd, 0, 0, 1, [15] = 3 } },
	[TAGGED] = { { 2, 0, 0, 0, 0, 0xd }, { 10, 0, 1, 4 }, { 0xfd, 0, 0, 1, [15] = 4 } },
	[STRANGER] = { { 2, 0, 0, 0, 0, 0xee }, { 10, 0, 1, 238 }, { 0xfd, 0, 0, 1, [15] = 0xee } },
	[ALL] = { { 255, 255, 255, 255, 255, 255 }, { 255, 255, 255, 255 }, { 0xff, 2, [15] = 1 } },
};

uint32_t sum_bytes(const uint8_t *data, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : data[i] << 8;
	return sum;
}

uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

uint32_t hex_bytes(const char *hex, uint8_t *out, uint32_t max)
{
	uint32_t n = 0;

	for (; n < max; n++) {
		char pair[3] = "";

		while (*hex == ' ')
			hex++;
		if (!isxdigit((unsigned char)hex[0]) || !isxdigit((unsigned char)hex[1]))
			break;
		memcpy(pair, hex, 2);
		out[n] = strtoul(pair, NULL, 16);
		hex += 2;
	}
	return n;
}

void frame_edit(struct frame *f, const char *edit)
{
	while (edit && *edit) {
		char *end;

		if (!strncmp(edit, "len=", 4)) {
			f->len = strtoul(edit + 4, &end, 10);
		} else {
			uint32_t at = strtoul(edit, &end, 10), n = strcspn(end, " ");
			char hex[256] = "";

			if (*end != '=' || n >= sizeof(hex))
				abort();
			memcpy(hex, end + 1, n - 1);
			hex_bytes(hex, f->data + at, FRAME_MAX - at);
			end += n;
		}
		edit = end + strspn(end, " ");
	}
}

static void put(struct frame *f, const void *data, uint32_t len)
{
	memcpy(f->data + f->len, data, len);
	f->len += len;
}

static void put8(struct frame *f, uint8_t value)
{
	put(f, &value, 1);
}

static void put16(struct frame *f, uint16_t value)
{
	value = htons(value);
	put(f, &value, 2);
}

static void put32(struct frame *f, uint32_t value)
{
	value = htonl(value);
	put(f, &value, 4);
}

static void set16(struct frame *f, uint32_t at, uint16_t value)
{
	f->data[at] = value >> 8;
	f->data[at + 1] = value;
}

/* Where the checksum stands in the L4 header; 0: this protocol has none that we know. */
static uint32_t sum_offset(uint8_t protocol)
{
	return protocol == TCP                          ? 16
	       : protocol == UDP                        ? 6
	       : protocol == ICMP4 || protocol == ICMP6 ? 2
							: 0;
}

static uint32_t l4_sum(const struct frame *f, uint32_t l3, uint32_t l4, uint8_t protocol,
		       uint32_t end)
{
	uint32_t sum = 0;

	if (protocol != ICMP4) {
		bool ipv4 = f->data[l3] >> 4 == 4;

		sum = sum_bytes(f->data + l3 + (ipv4 ? 12 : 8), ipv4 ? 8 : 32, protocol + end - l4);
	}
	return sum_bytes(f->data + l4, end - l4, sum);
}

static void put_quote(struct frame *f, const struct packet *quoted)
{
	struct frame q;
	struct packet plain = *quoted;

	plain.tag = plain.inner_tag = 0;
	packet_build(&plain, &q);
	put(f, q.data + 14, (quoted->family == 4 ? 20 : 40) + 8);
}

static void put_payload(struct frame *f, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		put8(f, 'a' + i % 26);
}

/* An INIT, if nothing else is said, that is as long as the payload. */
static void put_init(struct frame *f, uint32_t len)
{
	put16(f, 0x0100);
	put16(f, len);
	put32(f, 0x0a0b0c0d);
	put32(f, 65536);
	put32(f, 0x000a000a);
	put32(f, 1);
	put_payload(f, len - 20);
}

static void put_sctp(struct frame *f, const struct packet *p)
{
	put16(f, p->sport);
	put16(f, p->dport);
	put32(f, p->seq);
	put32(f, 0);
	if (p->options) {
		f->len += hex_bytes(p->options, f->data + f->len, 1024);
		put_payload(f, p->payload);
	} else {
		put_init(f, p->payload > 20 ? p->payload : 20);
	}
}

/* CRC32c (RFC 9260, appendix A), which SCTP stores with its lowest byte first. */
static void sum_sctp(struct frame *f, uint32_t l4)
{
	uint32_t crc = ~0u;

	for (uint32_t i = l4; i < f->len; i++) {
		crc ^= f->data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	for (int i = 0; i < 4; i++)
		f->data[l4 + 8 + i] = ~crc >> 8 * i;
}

static void put_l4(struct frame *f, const struct packet *p)
{
	uint8_t options[40];
	uint32_t n = 0;

	switch (p->protocol) {
	case ICMP4:
	case ICMP6:
		put16(f, p->sport);
		put16(f, 0);
		put16(f, p->dport);
		put16(f, 0);
		if (p->quote)
			put_quote(f, p->quote);
		break;
	case TCP:
		put16(f, p->sport);
		put16(f, p->dport);
		put32(f, p->seq);
		put32(f, p->ack);
		if (p->options)
			n = hex_bytes(p->options, options, sizeof(options));
		put8(f, (5 + n / 4) << 4);
		put8(f, p->flags);
		put16(f, p->window == NO_WINDOW ? 0 : p->window ? p->window : 8192);
		put32(f, 0);
		put(f, options, n);
		break;
	case UDP:
		put16(f, p->sport);
		put16(f, p->dport);
		put16(f, 8 + p->payload);
		put16(f, 0);
		break;
	case SCTP:
		put_sctp(f, p);
		return;
	}
	put_payload(f, p->payload);
}

static void put_arp(struct frame *f, const struct packet *p)
{
	put16(f, 1);
	put16(f, 0x0800);
	put8(f, 6);
	put8(f, 4);
	put16(f, p->protocol);
	put(f, people[p->from].mac, 6);
	put(f, people[p->from].ip4, 4);
	put(f, people[NOBODY].mac, 6);
	put(f, people[p->to].ip4, 4);
}

static void put_ip(struct frame *f, const struct packet *p)
{
	const struct somebody *from = &people[p->from], *to = &people[p->to];
	uint32_t l3 = f->len, l4, at = sum_offset(p->protocol);

	if (p->family == 4) {
		put32(f, 0x45000000);
		put32(f, 0x00004000);
		put8(f, 64);
		put8(f, p->protocol);
		put16(f, 0);
		put(f, from->ip4, 4);
		put(f, to->ip4, 4);
	} else {
		put32(f, 0x60000000);
		put16(f, 0);
		put8(f, p->extensions ? p->first_extension : p->protocol);
		put8(f, 255);
		put(f, from->ip6, 16);
		put(f, to->ip6, 16);
		if (p->extensions)
			f->len += hex_bytes(p->extensions, f->data + f->len, 512);
	}
	l4 = f->len;
	put_l4(f, p);
	if (p->family == 4) {
		set16(f, l3 + 2, f->len - l3);
		set16(f, l3 + 10, sum_fold(sum_bytes(f->data + l3, 20, 0)));
	} else {
		set16(f, l3 + 4, f->len - l3 - 40);
	}
	if (p->protocol == SCTP)
		sum_sctp(f, l4);
	if (at)
		set16(f, l4 + at, sum_fold(l4_sum(f, l3, l4, p->protocol, f->len)));
}

void packet_build(const struct packet *p, struct frame *f)
{
	memset(f, 0, sizeof(*f));
	put(f, people[p->family ? p->to : ALL].mac, 6);
	put(f, people[p->from].mac, 6);
	if (p->tag) {
		put16(f, 0x8100);
		put16(f, p->tag);
	}
	if (p->inner_tag) {
		put16(f, 0x8100);
		put16(f, p->inner_tag);
	}
	put16(f, p->family == 4 ? 0x0800 : p->family == 6 ? 0x86dd : 0x0806);
	if (p->family)
		put_ip(f, p);
	else
		put_arp(f, p);
	frame_edit(f, p->edit);
}

struct frame packet_frame(struct packet p)
{
	struct frame f;

	packet_build(&p, &f);
	return f;
}

void frame_wrap(struct frame *f, const struct tunnelled *t)
{
	struct frame inner = *f;
	uint32_t outer_len = 20 + 8 + 8 + inner.len;

	memset(f, 0, sizeof(*f));
	f->len = hex_bytes("02 00 00 00 00 51  02 00 00 00 00 52  0800", f->data, 14);
	put32(f, 0x45000000 | outer_len);
	put32(f, 0x00004000);
	put32(f, 0x40110000);
	inet_pton(AF_INET, t->source ? t->source : "192.168.50.2", f->data + f->len);
	inet_pton(AF_INET, t->destination ? t->destination : "192.168.50.1", f->data + f->len + 4);
	f->len += 8;
	set16(f, 14 + 10, sum_fold(sum_bytes(f->data + 14, 20, 0)));
	put16(f, 50000);
	put16(f, 4789);
	put16(f, outer_len - 20);
	put16(f, 0);
	put32(f, 0x08000000);
	put32(f, (t->vni ? t->vni : 101) << 8);
	put(f, inner.data, inner.len);
	frame_edit(f, t->edit);
}

struct frame frame_fragment(const struct frame *whole, uint32_t first, uint32_t end, uint32_t id)
{
	bool ipv4 = whole->data[14] >> 4 == 4;
	uint32_t behind = 14 + (ipv4 ? 20 : 40), more = behind + end < whole->len;
	struct frame f = { .len = behind };

	memcpy(f.data, whole->data, behind);
	if (ipv4) {
		set16(&f, 18, id);
		set16(&f, 20, first / 8 | more << 13);
		set16(&f, 16, 20 + end - first);
		set16(&f, 24, 0);
		set16(&f, 24, sum_fold(sum_bytes(f.data + 14, 20, 0)));
	} else {
		put8(&f, f.data[20]);
		put8(&f, 0);
		put16(&f, first | more);
		put32(&f, id);
		f.data[20] = 44;
		set16(&f, 18, 8 + end - first);
	}
	put(&f, whole->data + behind + first, end - first);
	return f;
}

bool frame_sums_right(const struct frame *f, uint32_t l2)
{
	uint32_t l3 = l2 + 14, l4, end;
	uint8_t protocol;

	if (f->data[l3] >> 4 == 4) {
		l4 = l3 + (f->data[l3] & 15) * 4;
		end = l3 + (f->data[l3 + 2] << 8 | f->data[l3 + 3]);
		protocol = f->data[l3 + 9];
		if (sum_fold(sum_bytes(f->data + l3, l4 - l3, 0)))
			return false;
	} else {
		l4 = l3 + 40;
		end = l4 + (f->data[l3 + 4] << 8 | f->data[l3 + 5]);
		protocol = f->data[l3 + 6];
	}
	return end == f->len && sum_offset(protocol) && !sum_fold(l4_sum(f, l3, l4, protocol, end));
}

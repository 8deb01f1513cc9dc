/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for the packet tests: described in a line of a table, built with right checksums, then
 * damaged.
 */
#ifndef WEFT_UNIT_FRAME_H
#define WEFT_UNIT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_MAX 2048

struct frame {
	uint32_t len;
	uint8_t data[FRAME_MAX];
};

/* Who lives in the tests' world (world.h says where). */
enum who {
	NOBODY, /* zero MAC, zero addresses */
	A,
	B, /* ports of this host, one network */
	R, /* behind the other host */
	TAGGED, /* a port of this host behind A's device, VLAN 20 */
	STRANGER, /* in no table at all */
	ALL, /* broadcast, 255.255.255.255, ff02::1 */
	WHO_COUNT
};

struct somebody {
	uint8_t mac[6], ip4[4], ip6[16];
};

extern const struct somebody people[WHO_COUNT];

enum { ICMP4 = 1, TCP = 6, UDP = 17, ICMP6 = 58, SCTP = 132 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/*
 * `edit` is applied last: "14=4f len=60 22=0000" sets bytes (hex) at offsets (decimal), or cuts or
 * pads the frame. For ICMP `sport` is type << 8 | code, and `dport` the id.
 */
struct packet {
	enum who from, to;
	uint8_t family; /* 4, 6; 0: ARP */
	uint8_t protocol; /* 0: TCP is not the default, one must be said; ARP: the operation */
	uint16_t sport, dport;
	uint8_t flags; /* TCP */
	uint32_t seq, ack; /* SCTP: `seq` is the verification tag */
	uint16_t payload; /* bytes after the L4 header */
	uint16_t tag, inner_tag; /* TCI; 0: none */
	const char *extensions; /* hex, between the IPv6 header and L4 */
	uint8_t first_extension; /* type of the first of them */
	const struct packet *quote; /* what an ICMP error quotes: its IP header and 8 bytes */
	const char *edit;
	int32_t window; /* TCP; 0: 8192, NO_WINDOW: 0 */
	const char *options; /* hex; TCP: whole words; SCTP: the chunks, else an INIT */
};

enum { NO_WINDOW = -1 };

void packet_build(const struct packet *p, struct frame *f);
struct frame packet_frame(struct packet p);

/* The frame in VXLAN, as the other host sends it. */
struct tunnelled {
	const char *source, *destination; /* default: the other host and this one */
	uint32_t vni;
	const char *edit;
};

void frame_wrap(struct frame *f, const struct tunnelled *t);

/*
 * A fragment of a frame without a tag: bytes [first, end) of what is behind its IP header; "more" unless they go to its
 * end, or beyond it, where they are zeroes. IPv6: what is behind the fixed header is cut, whatever it is.
 */
struct frame frame_fragment(const struct frame *whole, uint32_t first, uint32_t end, uint32_t id);

void frame_edit(struct frame *f, const char *edit);
/* Hex digits and blanks. Returns the number of bytes. */
uint32_t hex_bytes(const char *hex, uint8_t *out, uint32_t max);
/* Every checksum in the Ethernet frame at `l2` is right. */
bool frame_sums_right(const struct frame *f, uint32_t l2);
/* Ones' complement sum, not yet folded. */
uint32_t sum_bytes(const uint8_t *data, uint32_t len, uint32_t sum);
uint16_t sum_fold(uint32_t sum);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 and IPv6 addresses and prefixes as text, their normal form, and which contains which. */
#ifndef WEFT_CONFIG_ADDRESS_H
#define WEFT_CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address {
	int family;	   /* AF_INET or AF_INET6 */
	unsigned int bits; /* of the prefix: 32 or 128 for a lone address */
	uint8_t bytes[16];
};

#define ADDRESS_TEXT_SIZE 64

/* "10.0.0.1"; returns 0, or -1 when the text is not an address. */
int address_parse(const char *text, struct address *a);

/* "10.0.0.0/8", or a lone address; host bits are kept: see address_mask(). */
int prefix_parse(const char *text, struct address *a);

/* Clears the bits beyond the prefix; returns true if any was set. */
bool address_mask(struct address *a);

/* "10.0.0.1" and "10.0.0.0/8" respectively; returns buf. */
const char *address_text(const struct address *a, char *buf, size_t size);
const char *prefix_text(const struct address *a, char *buf, size_t size);

/* Does `prefix` contain `a`, which may be a prefix itself? */
bool prefix_contains(const struct address *prefix, const struct address *a);

unsigned int address_width(const struct address *a); /* 32 or 128 */
bool address_is_multicast(const struct address *a);
bool address_is_zero(const struct address *a);
bool address_is_loopback(const struct address *a);
bool address_is_link_local(const struct address *a); /* IPv6 fe80::/10 */
bool address_is_mapped(const struct address *a);     /* IPv4 in IPv6, ::ffff:0:0/96 */

#endif

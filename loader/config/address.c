// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/config/address.h"

unsigned int address_width(const struct address *a)
{
	return a->family == AF_INET ? 32 : 128;
}

int address_parse(const char *text, struct address *a)
{
	memset(a, 0, sizeof(*a));
	a->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	a->bits = address_width(a);
	return inet_pton(a->family, text, a->bytes) == 1 ? 0 : -1;
}

int prefix_parse(const char *text, struct address *a)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	unsigned int bits = 0;

	if (!slash)
		return address_parse(text, a);
	if ((size_t)(slash - text) >= sizeof(address))
		return -1;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (address_parse(address, a) || !slash[1] || strlen(slash + 1) > 3)
		return -1;
	for (const char *p = slash + 1; *p; p++) {
		if (*p < '0' || *p > '9')
			return -1;
		bits = bits * 10 + (unsigned int)(*p - '0');
	}
	if (bits > address_width(a))
		return -1;
	a->bits = bits;
	return 0;
}

bool address_mask(struct address *a)
{
	bool any = false;

	for (unsigned int i = 0; i < address_width(a) / 8; i++) {
		unsigned int left = a->bits > i * 8 ? a->bits - i * 8 : 0;
		uint8_t mask = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);

		any |= (a->bytes[i] & ~mask) != 0;
		a->bytes[i] &= mask;
	}
	return any;
}

const char *address_text(const struct address *a, char *buf, size_t size)
{
	if (!inet_ntop(a->family, a->bytes, buf, (socklen_t)size))
		snprintf(buf, size, "?");
	return buf;
}

const char *prefix_text(const struct address *a, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	snprintf(buf, size, "%s/%u", address_text(a, text, sizeof(text)), a->bits);
	return buf;
}

bool prefix_contains(const struct address *prefix, const struct address *a)
{
	struct address masked = *a;

	if (prefix->family != a->family || a->bits < prefix->bits)
		return false;
	masked.bits = prefix->bits;
	address_mask(&masked);
	return !memcmp(masked.bytes, prefix->bytes, sizeof(masked.bytes));
}

bool address_is_multicast(const struct address *a)
{
	/* Class E and the broadcast address are no more a workload's than multicast is. */
	return a->family == AF_INET ? a->bytes[0] >= 224 : a->bytes[0] == 0xff;
}

bool address_is_zero(const struct address *a)
{
	static const uint8_t zero[16];

	return !memcmp(a->bytes, zero, sizeof(zero));
}

bool address_is_loopback(const struct address *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == AF_INET ? a->bytes[0] == 127 : !memcmp(a->bytes, one, sizeof(one));
}

bool address_is_link_local(const struct address *a)
{
	return a->family == AF_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool address_is_mapped(const struct address *a)
{
	static const uint8_t head[12] = { [10] = 0xff, [11] = 0xff };

	return a->family == AF_INET6 && !memcmp(a->bytes, head, sizeof(head));
}

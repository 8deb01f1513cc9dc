// SPDX-License-Identifier: BSD-2-Clause
#include <nettle/sha2.h>
#include <stdio.h>

#include "loader/sha256.h"

int sha256_hex(const void *data, size_t size, char hex[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx context;

	sha256_init(&context);
	sha256_update(&context, size, data);
	sha256_digest(&context, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

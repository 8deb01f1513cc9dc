// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>

#include "loader/digest.h"

void digest_begin(struct digest *d)
{
	sha256_init(&d->context);
}

void digest_add(struct digest *d, const void *data, size_t size)
{
	sha256_update(&d->context, size, data);
}

void digest_end(struct digest *d, char text[DIGEST_TEXT])
{
	uint8_t sum[SHA256_DIGEST_SIZE];

	sha256_digest(&d->context, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		sprintf(text + 2 * i, "%02x", sum[i]);
}

void digest_of(const void *data, size_t size, char text[DIGEST_TEXT])
{
	struct digest d;

	digest_begin(&d);
	digest_add(&d, data, size);
	digest_end(&d, text);
}

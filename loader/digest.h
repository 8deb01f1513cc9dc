/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256, by nettle: what a file or a build is known by. */
#ifndef WEFT_DIGEST_H
#define WEFT_DIGEST_H

#include <nettle/sha2.h>
#include <stddef.h>

#define DIGEST_TEXT (2 * SHA256_DIGEST_SIZE + 1)

struct digest {
	struct sha256_ctx context;
};

void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t size);
void digest_end(struct digest *d, char text[DIGEST_TEXT]); /* in hexadecimal */

/* All of it in one. */
void digest_of(const void *data, size_t size, char text[DIGEST_TEXT]);

#endif

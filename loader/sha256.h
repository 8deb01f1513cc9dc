/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WEFT_SHA256_H
#define WEFT_SHA256_H

#include <stddef.h>

#define SHA256_HEX_SIZE 65

/* The SHA-256 of the bytes in small hex digits, as sha256sum prints it. Returns 0. */
int sha256_hex(const void *data, size_t size, char hex[SHA256_HEX_SIZE]);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The tenants' maps `proxied` (include/syn_proxy.h): what is known of connections that the SYN proxy has answered. */
#ifndef WEFT_PROXIED_H
#define WEFT_PROXIED_H

#include <stdint.h>

#include "loader/error.h"

/*
 * Copies the records of one table into another of another size; what is there already stays. `seed` is the tenant's. A
 * record that finds no room is left out.
 */
int proxied_copy(int from, int to, uint64_t seed, struct error *e);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The tenants' maps `proxied` (include/syn_proxy.h): what is known of connections that the SYN proxy has answered. */
#ifndef WEFT_PROXIED_H
#define WEFT_PROXIED_H

#include <stdbool.h>
#include <stdint.h>

#include "include/flow.h"
#include "loader/error.h"

/*
 * Copies the tenant's records from one table into another of another size; `now`: jiffies. What has expired stays behind, and
 * what finds no room. Once more after the tables were exchanged, it brings what has changed meanwhile.
 */
int proxied_copy(int from, int to, const struct tenant *t, uint32_t now, struct error *e);

/* Is there a connection that would end without the table? */
bool proxied_in_use(int fd, const struct tenant *t, uint32_t now);

#endif

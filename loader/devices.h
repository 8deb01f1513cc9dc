/* SPDX-License-Identifier: BSD-2-Clause */
/* The records in the map `devices`, and properties of devices. See attach.h for the latter. */
#ifndef WEFT_DEVICES_H
#define WEFT_DEVICES_H

#include <net/if.h>

#include "device.h"
#include "loader/root.h"

/* 1: found, 0: there is none, -1: error. */
int device_record_get(const struct root *root, const char *device, struct device *record,
		      struct error *e);
int device_record_put(const struct root *root, const char *device, const struct device *record,
		      struct error *e);
int device_record_delete(const struct root *root, const char *device, struct error *e);

struct device_item {
	char name[IFNAMSIZ + 1];
	struct device record;
};

/* All records, ordered by role and name; *list is malloc'ed. Returns how many, or -1. */
int device_records(const struct root *root, struct device_item **list, struct error *e);

/* Refuses if the root was loaded in another network namespace than the current one. */
int devices_check_netns(const struct root *root, struct error *e);

#endif

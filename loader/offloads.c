// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loader/offloads.h"

#define FEATURES_MAX (DEVICE_FEATURE_BLOCKS * 32)

static int ethtool(const char *device, void *command)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;
	struct ifreq request = { 0 };

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	request.ifr_data = command;
	err = ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* The kernel numbers features as it likes, so they go by name. */
static bool wanted_off(const char *name, unsigned int sets)
{
	size_t len = strnlen(name, ETH_GSTRING_LEN);
	static const char tail[] = "-segmentation";

	if (sets & OFFLOAD_VLAN_RECEIVE && !strcmp(name, "rx-vlan-hw-parse"))
		return true;
	if (!(sets & OFFLOAD_TRANSMIT) || strncmp(name, "tx-", 3))
		return false;
	return !strncmp(name, "tx-checksum-", 12) || !strcmp(name, "tx-gso-list") || !strcmp(name, "tx-vlan-hw-insert") ||
	       (len > sizeof(tail) && !strcmp(name + len - (sizeof(tail) - 1), tail));
}

static int feature_names(const char *device, struct ethtool_gstrings **names)
{
	struct {
		struct ethtool_sset_info info;
		__u32 count;
	} sets = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES } };
	int err = ethtool(device, &sets);

	if (err)
		return err;
	if (sets.count > FEATURES_MAX)
		sets.count = FEATURES_MAX;
	*names = calloc(1, sizeof(**names) + FEATURES_MAX * ETH_GSTRING_LEN);
	if (!*names)
		return -ENOMEM;
	(*names)->cmd = ETHTOOL_GSTRINGS;
	(*names)->string_set = ETH_SS_FEATURES;
	(*names)->len = sets.count;
	err = ethtool(device, *names);
	if (err)
		free(*names);
	return err;
}

/* What must be on and what off, from what is on now, what may be changed, and what was turned off before. */
static void plan_features(const struct ethtool_gstrings *names, const struct ethtool_gfeatures *now,
			  unsigned int sets, __u32 off[DEVICE_FEATURE_BLOCKS],
			  struct ethtool_sfeatures *change)
{
	for (__u32 i = 0; i < names->len; i++) {
		const char *name = (const char *)names->data + i * ETH_GSTRING_LEN;
		const struct ethtool_get_features_block *block = &now->features[i / 32];
		__u32 bit = 1u << i % 32;

		if (wanted_off(name, sets)) {
			if (!(block->requested & bit) || block->never_changed & bit ||
			    !(block->available & bit))
				continue;
			off[i / 32] |= bit;
			change->features[i / 32].valid |= bit;
		} else if (off[i / 32] & bit) {
			off[i / 32] &= ~bit;
			change->features[i / 32].valid |= bit;
			change->features[i / 32].requested |= bit;
		}
	}
}

int offloads_off(const char *device, unsigned int sets, __u32 off[DEVICE_FEATURE_BLOCKS], int plan)
{
	struct {
		struct ethtool_gfeatures head;
		struct ethtool_get_features_block blocks[DEVICE_FEATURE_BLOCKS];
	} now = { .head = { .cmd = ETHTOOL_GFEATURES, .size = DEVICE_FEATURE_BLOCKS } };
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block blocks[DEVICE_FEATURE_BLOCKS];
	} change = { .head = { .cmd = ETHTOOL_SFEATURES } };
	struct ethtool_gstrings *names;
	bool any = false;
	int err = feature_names(device, &names);

	if (err)
		return err;
	err = ethtool(device, &now);
	if (!err) {
		change.head.size = (names->len + 31) / 32;
		plan_features(names, &now.head, sets, off, &change.head);
		for (int i = 0; i < DEVICE_FEATURE_BLOCKS; i++)
			any |= change.blocks[i].valid != 0;
	}
	free(names);
	if (err || plan || !any)
		return err;
	err = ethtool(device, &change);
	return err < 0 ? err : 0;
}

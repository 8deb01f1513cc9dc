// SPDX-License-Identifier: BSD-2-Clause
/*
 * mapcount ROOT: how much is in the maps of a root, a line a map: the entries of a hash, the elements of an array that
 * have an owner, the maps in a map of maps; of a tenant's tables, which change by themselves, the room. What only
 * counts or remembers (statistics, next hops, watches, events) is left out. Two roots with the same configuration
 * print the same.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VALUE_MAX 4096

static const char *const left_out[] = { "stats", "next_hops", "sf_state", "drops", "events", "flow_watch", "scratch", "host", "devices" };

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static bool lookup(int fd, const void *key, void *value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	attr.key = address(key);
	attr.value = address(value);
	return !bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

/* Elements begin with the id of their owner; that of a tenant who has gone remembers an epoch. */
static bool is_free(const unsigned char *value, uint32_t size)
{
	size = size < sizeof(uint64_t) ? size : sizeof(uint64_t);
	while (size && !value[size - 1])
		size--;
	return !size;
}

static unsigned int count_array(int fd, const struct bpf_map_info *info)
{
	static unsigned char value[VALUE_MAX];
	unsigned int n = 0;

	for (uint32_t key = 0; key < info->max_entries; key++)
		n += lookup(fd, &key, value) &&
		     (info->type == BPF_MAP_TYPE_ARRAY_OF_MAPS || !is_free(value, info->value_size));
	return n;
}

static unsigned int count_hash(int fd)
{
	static unsigned char key[VALUE_MAX], next[VALUE_MAX];
	union bpf_attr attr = { .map_fd = (uint32_t)fd };
	unsigned int n = 0;

	attr.next_key = address(next);
	while (!bpf(BPF_MAP_GET_NEXT_KEY, &attr)) {
		memcpy(key, next, sizeof(key));
		attr.key = address(key);
		n++;
	}
	return n;
}

static bool is_left_out(const char *name)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (!strcmp(name, left_out[i]) || (!i && strstr(name, left_out[i])))
			return true;
	return false;
}

static void print(const char *path, const char *name, bool tenants)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr get = { .pathname = address(path) }, ask = { 0 };
	int fd = (int)bpf(BPF_OBJ_GET, &get);

	if (fd < 0 || is_left_out(name))
		goto out;
	ask.info.bpf_fd = (uint32_t)fd;
	ask.info.info_len = sizeof(info);
	ask.info.info = address(&info);
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &ask) || info.value_size > VALUE_MAX || info.key_size > VALUE_MAX)
		goto out;
	if (tenants && strcmp(name, "acl") && strcmp(name, "rules"))
		printf("%s room %u\n", path, info.max_entries);
	else if (info.type == BPF_MAP_TYPE_HASH)
		printf("%s %u\n", path, count_hash(fd));
	else if (info.type == BPF_MAP_TYPE_ARRAY || info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		printf("%s %u\n", path, count_array(fd, &info));
out:
	if (fd >= 0)
		close(fd);
}

static void walk(const char *directory, int depth)
{
	struct dirent **list;
	int n = scandir(directory, &list, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		char path[1024];

		snprintf(path, sizeof(path), "%s/%s", directory, name);
		if (name[0] != '.' && list[i]->d_type == DT_DIR) {
			printf("%s/\n", path);
			if (depth || !strcmp(name, "tenants"))
				walk(path, depth + 1);
		} else if (name[0] != '.') {
			print(path, name, depth);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: mapcount ROOT\n", stderr);
		return 1;
	}
	walk(argv[1], 0);
	return 0;
}

// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "loader/build_id.h"
#include "loader/digest.h"

#define HASH_SHOWN 12

static int no_program(const struct dirent *entry)
{
	/* A pin that a killed load has not yet put in its place begins with "new:". */
	return entry->d_name[0] != '.' && strncmp(entry->d_name, "new:", 4);
}

static int add_program(const struct root *root, const char *name, struct digest *d, struct error *e)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = root_prog(root, name, e), failed;

	if (fd < 0)
		return -1;
	failed = bpf_prog_get_info_by_fd(fd, &info, &len);
	if (failed)
		error_set(e, EXIT_REFUSED, "program %s: cannot be asked: %s", name,
			  strerror(errno));
	close(fd);
	digest_add(d, name, strlen(name) + 1);
	digest_add(d, info.tag, sizeof(info.tag));
	return failed ? -1 : 0;
}

static int hash_programs(const struct root *root, char hash[DIGEST_TEXT], struct error *e)
{
	struct dirent **list;
	struct digest d;
	char path[512];
	int n, failed = 0;

	snprintf(path, sizeof(path), "%s/prog", root->path);
	n = scandir(path, &list, no_program, alphasort);
	if (n < 0)
		return error_set(e, EXIT_REFUSED, "directory %s: %s", path, strerror(errno));
	digest_begin(&d);
	for (int i = 0; i < n; i++) {
		failed = failed || add_program(root, list[i]->d_name, &d, e);
		free(list[i]);
	}
	free(list);
	digest_end(&d, hash);
	return failed ? -1 : 0;
}

int build_id(const struct root *root, char build[BUILD_ID_LEN], struct error *e)
{
	struct abi abi = { 0 };
	char hash[DIGEST_TEXT];
	__u32 zero = 0;
	int fd;

	if (hash_programs(root, hash, e))
		return -1;
	fd = root_map(root, "abi", e);
	if (fd < 0)
		return -1;
	if (bpf_map_lookup_elem(fd, &zero, &abi))
		abi.version = 0;
	close(fd);
	snprintf(build, BUILD_ID_LEN, "%.32s+%.*s", abi.version ? abi.build : "", HASH_SHOWN, hash);
	return 0;
}

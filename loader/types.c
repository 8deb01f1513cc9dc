// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <unistd.h>

#include "loader/objects.h"
#include "loader/rights.h"
#include "loader/types.h"

static __u32 id_of(const struct root *root, const char *program)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int fd = root_prog(root, program, NULL);

	if (fd < 0)
		return 0;
	if (bpf_prog_get_info_by_fd(fd, &info, &size))
		info.btf_id = 0;
	close(fd);
	return info.btf_id;
}

static struct btf *from_kernel(__u32 id, int *fd)
{
	bool raised = rights_raise(CAP_SYS_ADMIN);
	struct btf *btf = btf__load_from_kernel_by_id(id);

	*fd = btf ? bpf_btf_get_fd_by_id(id) : -1;
	if (raised)
		rights_lower(CAP_SYS_ADMIN);
	return btf;
}

struct btf *types_of(const struct root *root, const char *program, int *fd)
{
	__u32 id = id_of(root, program);
	struct btf *btf = id ? from_kernel(id, fd) : NULL;

	if (id && !btf) {
		btf = objects_types(program);
		*fd = btf && !btf__load_into_kernel(btf) ? dup(btf__fd(btf)) : -1;
	}
	if (btf && *fd >= 0)
		return btf;
	btf__free(btf);
	*fd = -1;
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of configuration as operands name them: a directory stands for its *.yaml, in the order of their names. */
#ifndef WEFT_FILES_H
#define WEFT_FILES_H

#include "loader/error.h"

struct files {
	char **names;
	int n; /* 0: nothing but directories without any */
};

int files_expand(struct files *f, int argc, char **argv, struct error *e);
void files_free(struct files *f);

#endif

// SPDX-License-Identifier: BSD-2-Clause
/* Each header compiles by itself, for whom it is meant: whoever includes it need know of no other. */
#include <stdlib.h>

#include "selftests/unit/objects.h"

/* Headers with map definitions are for programs alone, and stand on what every hook includes first. */
static void compile_alone(const char *pattern, const char *format)
{
	char path[PATH_MAX + 64], command[4 * PATH_MAX];
	glob_t list;

	snprintf(path, sizeof(path), "%s/%s", top, pattern);
	assert_int_equal(glob(path, 0, NULL, &list), 0);
	for (size_t i = 0; i < list.gl_pathc; i++) {
		snprintf(command, sizeof(command), format, top, list.gl_pathv[i]);
		if (system(command))
			fail_msg("does not compile alone: %s", command);
	}
	globfree(&list);
}

static void test_headers_on_the_host(void **state)
{
	(void)state;
	compile_alone("include/*.h", "cd '%s' && gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -x c '%s'");
}

#define BPF_COMPILE "cd '%s' && clang-19 -target bpf -O2 -Wall -Wextra -Werror -Wno-unused-parameter " \
		    "-Wno-unused-function -I. -Ibpf -fsyntax-only "

static void test_headers_for_bpf(void **state)
{
	(void)state;
	compile_alone("include/*.h", BPF_COMPILE "-include vmlinux.h -x c '%s'");
	compile_alone("maps/*.bpf.h", BPF_COMPILE "-include vmlinux.h -include bpf/bpf_helpers.h -x c '%s'");
}

/* Stages and libraries bring all that they use, in both flavours. */
static void test_stages_alone(void **state)
{
	(void)state;
	compile_alone("bpf/stages/*.h", BPF_COMPILE "-include bpf/lib/weft.h -x c '%s'");
	compile_alone("bpf/stages/*.h", BPF_COMPILE "-DFLAVOUR_XDP -include bpf/lib/weft.h -x c '%s'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_on_the_host),
		cmocka_unit_test(test_headers_for_bpf),
		cmocka_unit_test(test_stages_alone),
	};

	return cmocka_run_group_tests_name("headers_alone", tests, find_top, NULL);
}

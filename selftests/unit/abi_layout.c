// SPDX-License-Identifier: BSD-2-Clause
/* The shared headers mean the same on both sides: every struct as the host compiler lays it out against the BTF of every object. */
#include <bpf/btf.h>
#include <stdlib.h>

#include "selftests/unit/abi_structs.h"
#include "selftests/unit/objects.h"

static void compare(const struct btf *btf, const struct btf_type *type, const struct layout *l)
{
	const struct btf_member *m = btf_members(type);

	if (type->size != l->size)
		fail_msg("struct %s: %zu bytes here, %u in BPF", l->name, l->size, type->size);
	if (btf_vlen(type) != l->n)
		fail_msg("struct %s: this test lists %zu members, it has %d", l->name, l->n, btf_vlen(type));
	for (size_t i = 0; i < l->n; i++) {
		const char *name = btf__name_by_offset(btf, m[i].name_off);

		/* A union without a name goes by its widest member. */
		if (*name && strcmp(name, l->members[i].name))
			fail_msg("struct %s: member %zu is %s here, %s in BPF", l->name, i, l->members[i].name, name);
		if (btf_member_bit_offset(type, i) != l->members[i].offset * 8)
			fail_msg("struct %s.%s: at %zu here, at %u in BPF", l->name, name, l->members[i].offset,
				 btf_member_bit_offset(type, i) / 8);
		if (btf__resolve_size(btf, m[i].type) != (__s64)l->members[i].size)
			fail_msg("struct %s.%s: %zu bytes here, %lld in BPF", l->name, name, l->members[i].size,
				 (long long)btf__resolve_size(btf, m[i].type));
	}
}

static void test_layout(void **state)
{
	size_t seen[LAYOUTS] = { 0 };
	glob_t list;

	(void)state;
	for (size_t o = 0, n = objects(&list); o < n; o++) {
		struct btf *btf = btf__parse(list.gl_pathv[o], NULL);

		assert_non_null(btf);
		for (size_t i = 0; i < LAYOUTS; i++) {
			struct layout l = layouts[i]();
			int id = btf__find_by_name_kind(btf, l.name, BTF_KIND_STRUCT);

			if (id < 0)
				continue;
			seen[i]++;
			compare(btf, btf__type_by_id(btf, (__u32)id), &l);
		}
		btf__free(btf);
	}
	globfree(&list);
	for (size_t i = 0; i < LAYOUTS; i++)
		if (!seen[i])
			fail_msg("struct %s is in no object's BTF", layouts[i]().name);
}

/* Padding has a name, so that a key written member by member, or read back, has no bytes of chance in it. */
static void test_no_holes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LAYOUTS; i++) {
		struct layout l = layouts[i]();
		size_t end = 0;

		for (size_t m = 0; m < l.n; m++) {
			if (l.members[m].offset != end)
				fail_msg("struct %s: a hole before %s", l.name, l.members[m].name);
			end += l.members[m].size;
		}
		if (end != l.size)
			fail_msg("struct %s: %zu bytes at its end have no name", l.name, l.size - end);
	}
}

/* Every struct whose name is in a header's definitions is listed in abi_structs.h. */
static void test_all_listed(void **state)
{
	char line[512], name[64], path[PATH_MAX + 64];
	glob_t list;

	(void)state;
	snprintf(path, sizeof(path), "%s/include/*.h", top);
	assert_int_equal(glob(path, 0, NULL, &list), 0);
	for (size_t h = 0; h < list.gl_pathc; h++) {
		FILE *in = fopen(list.gl_pathv[h], "re");

		assert_non_null(in);
		while (fgets(line, sizeof(line), in)) {
			bool found = false;
			char brace;

			if (sscanf(line, "struct %63[a-z0-9_] %c", name, &brace) != 2 || brace != '{')
				continue;
			for (size_t i = 0; i < LAYOUTS; i++)
				found |= !strcmp(layouts[i]().name, name);
			if (!found)
				fail_msg("%s: struct %s is not in abi_structs.h", list.gl_pathv[h], name);
		}
		fclose(in);
	}
	globfree(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_no_holes),
		cmocka_unit_test(test_all_listed),
	};

	return cmocka_run_group_tests_name("abi_layout", tests, find_top, NULL);
}

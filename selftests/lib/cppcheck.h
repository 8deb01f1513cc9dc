/* SPDX-License-Identifier: BSD-2-Clause */
/* The macros of libraries that cppcheck must know to read our sources; for `make lint` alone. */
#define LIBBPF_OPTS(type, name, ...) struct type name = { __VA_ARGS__ }
#define json_array_foreach(array, i, value) for (i = 0; (value = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value) \
	for (key = json_first(object); (value = json_object_get(object, key)); key = json_next(object, key))
#define HASH_ITER(hh, head, one, after) for (one = head; one && (after = one->hh.next, 1); one = after)

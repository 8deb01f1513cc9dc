// SPDX-License-Identifier: BSD-2-Clause
/*
 * The map `config` with whatever contents: records of the input become its entries, in any order, with gaps and
 * repetitions. Reading refuses with a message, or gives a tree that commands can go by: it can be checked, compiled
 * into a model, printed and read again.
 *
 * A record: bytes [path's length, part, parts, slot, whether the length is honest, text's length (2)], path, text.
 */
#include "fuzz.h"

#include "loader/model.h"
#include "loader/state.h"

#define RECORD 7

static size_t take(const uint8_t *data, size_t size, struct entries *list)
{
	struct config_key key = { 0 };
	struct config_value value = { 0 };
	size_t path = data[0] % (CONFIG_PATH_LEN + 1), text = (size_t)data[5] << 8 | data[6], at = RECORD;

	path = path < size - at ? path : size - at;
	memcpy(key.path, data + at, path);
	at += path;
	text = text < size - at ? text : size - at;
	memcpy(value.text, data + at, text < CONFIG_TEXT_LEN ? text : CONFIG_TEXT_LEN);
	key.part = data[1];
	value.parts = data[2];
	value.slot = data[3] == 255 ? UINT32_MAX : data[3];
	value.id = 1 + data[3];
	value.length = data[4] ? (__u16)(data[4] << 8 | data[5]) : (__u16)(text < CONFIG_TEXT_LEN ? text : CONFIG_TEXT_LEN);
	entries_add(list, &key, &value);
	return at + text;
}

/* The first host of the tree, or a name that is none. */
static void try_model(const struct state *state, const char *self)
{
	struct model m;

	model_make(&m, state->tree, &state->ids, self);
	for (size_t i = 0; i < m.n_tenants; i++) {
		struct acl_program program = { 0 };
		struct error e = { 0 };

		if (acl_program_make(&m, &m.tenants[i], NULL, &program, &e))
			must_say(&e);
		acl_program_free(&program);
	}
	model_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state state = { .flat = json_object(), .delegated = json_object() };
	struct error e = { 0 };
	struct entries list;

	entries_init(&list, sizeof(struct config_key), sizeof(struct config_value));
	while (size > RECORD) {
		size_t n = take(data, size, &list);

		data += n;
		size -= n;
	}
	if (state_take_objects(&state, &list, &e)) {
		must_say(&e);
	} else {
		state.tree = config_unflatten(state.flat);
		if (config_check(state.tree, NULL, &e))
			must_say(&e);
		else
			must_round_trip(state.tree);
		try_model(&state, "h1");
	}
	entries_free(&list);
	state_free(&state);
	return 0;
}

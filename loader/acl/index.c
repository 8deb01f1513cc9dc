// SPDX-License-Identifier: BSD-2-Clause
/*
 * The index: from a word to the interval that it is in, by a search tree of 16 branches a cell. An IPv6 address is four
 * words: where one word is not enough, its value is the root of a tree for the next. Nothing is stored for words that
 * nothing asks for, so a set of /64s of one site takes one cell for each word before the one that differs.
 */
#include <stdlib.h>
#include <string.h>

#include "loader/acl/classifier.h"
#include "loader/alloc.h"

#define LEAF   8 /* words in a leaf */
#define BRANCH 16

struct pairs {
	uint32_t *key, *value;
	size_t n, key_room, value_room;
};

uint32_t acl_cells_add(struct acl_cells *cells, size_t n)
{
	uint32_t first = (uint32_t)cells->n;

	cells->cell = alloc_grow(cells->cell, &cells->room, cells->n + n, sizeof(*cells->cell));
	memset(cells->cell + cells->n, 0, n * sizeof(*cells->cell));
	cells->n += n;
	return first;
}

static void add_pair(struct pairs *p, uint32_t key, uint32_t value)
{
	if (p->n && p->value[p->n - 1] == value)
		return;
	p->key = alloc_grow(p->key, &p->key_room, p->n + 1, sizeof(*p->key));
	p->value = alloc_grow(p->value, &p->value_room, p->n + 1, sizeof(*p->value));
	p->key[p->n] = key;
	p->value[p->n++] = value;
}

static void write_leaf(struct acl_words *leaf, const struct pairs *p, size_t from)
{
	for (size_t i = 0; i < LEAF; i++) {
		size_t at = from + i < p->n ? from + i : p->n - 1;

		/* A word of all ones meets the padding too: there is the last value again. */
		leaf->key[i] = from + i < p->n ? p->key[at] : UINT32_MAX;
		leaf->value[i] = p->value[at];
	}
}

/* The least word of each cell of a level, for the level above it. */
static uint32_t write_branches(struct acl_cells *cells, uint32_t first, uint32_t *least, size_t n)
{
	size_t above = (n + BRANCH - 1) / BRANCH;
	uint32_t base = acl_cells_add(cells, above);

	for (size_t i = 0; i < above; i++) {
		struct acl_branch *b = &cells->cell[base + i].branch;
		size_t from = i * BRANCH, end = from + BRANCH < n ? from + BRANCH : n;

		b->child = (first + (uint32_t)from) | (uint32_t)(end - from - 1) << 28;
		for (size_t k = 0; k < BRANCH - 1; k++)
			b->key[k] = from + 1 + k < end ? least[from + 1 + k] : UINT32_MAX;
		least[i] = least[from];
	}
	return base;
}

static uint32_t write_tree(struct acl_cells *cells, const struct pairs *p)
{
	size_t n = (p->n + LEAF - 1) / LEAF;
	uint32_t *least = alloc_zero(n, sizeof(*least)), levels = 0;
	uint32_t base = acl_cells_add(cells, n);

	for (size_t i = 0; i < n; i++) {
		write_leaf(&cells->cell[base + i].words, p, i * LEAF);
		least[i] = p->key[i * LEAF];
	}
	for (; n > 1; n = (n + BRANCH - 1) / BRANCH, levels++)
		base = write_branches(cells, base, least, n);
	free(least);
	return base | levels << ACL_ROOT_SHIFT;
}

static uint32_t word_of(acl_position at, int word)
{
	return (uint32_t)(at >> (96 - 32 * word));
}

/* Has the position anything behind this word? */
static bool goes_deeper(acl_position at, int word)
{
	return word < 3 && at << (32 * (word + 1));
}

static void rest_words(acl_position at, int word, uint32_t words[3])
{
	for (int i = 0; i < 3; i++)
		words[i] = word + i < 4 ? word_of(at, word + i) : 0;
}

/* The words from `word` on, where there is but one interval in them, or one that begins and does not end: else 0. */
static uint32_t index_rest(struct acl_cells *cells, const struct acl_space *s, size_t from,
			   size_t end, int word, uint32_t class)
{
	acl_position below = ~(acl_position)0 >> (32 * word), last = s->from[from] | below;
	struct acl_rest *rest;
	uint32_t at;

	/* One that begins with these words is there before the interval. */
	if (!(s->from[from] & below))
		class = s->class[from++];
	if (end - from > 2 || from == end)
		return 0;
	at = acl_cells_add(cells, 1);
	rest = &cells->cell[at].rest;
	rest->before = class;
	rest->within = s->class[from];
	rest->after = s->class[end - 1];
	if (end - from == 2)
		last = s->from[end - 1] - 1;
	rest_words(s->from[from], word, rest->first);
	rest_words(last, word, rest->last);
	return at | (uint32_t)ACL_REST << ACL_ROOT_SHIFT;
}

/* Intervals [from, end) share all words before this one; `class` holds where they begin. */
static uint32_t index_words(struct acl_cells *cells, const struct acl_space *s, size_t from,
			    size_t end, int word, uint32_t class)
{
	struct pairs pairs = { 0 };
	uint32_t root;

	add_pair(&pairs, 0, class);
	for (size_t i = from, next; i < end; i = next) {
		uint32_t w = word_of(s->from[i], word);

		for (next = i + 1; next < end && word_of(s->from[next], word) == w;)
			next++;
		if (next == i + 1 && !goes_deeper(s->from[i], word)) {
			class = s->class[i];
			if (!w)
				pairs.n = 0;
			add_pair(&pairs, w, class);
			continue;
		}
		root = index_rest(cells, s, i, next, word + 1, class);
		if (!root)
			root = index_words(cells, s, i, next, word + 1, class);
		if (!w)
			pairs.n = 0;
		add_pair(&pairs, w, ACL_DEEPER | root);
		class = s->class[next - 1];
		if (w != UINT32_MAX)
			add_pair(&pairs, w + 1, class);
		/* What begins at the next word takes the place of that. */
		if (next < end && w != UINT32_MAX && word_of(s->from[next], word) == w + 1 &&
		    pairs.key[pairs.n - 1] == w + 1)
			pairs.n--;
	}
	root = write_tree(cells, &pairs);
	free(pairs.key);
	free(pairs.value);
	return root;
}

uint32_t acl_index_space(struct acl_cells *cells, const struct acl_space *space)
{
	/* All is of class 0: nothing to look for. */
	return space->n > 1 ? index_words(cells, space, 0, space->n, 0, 0) : 0;
}

uint32_t acl_index_set(struct acl_cells *cells, const struct acl_set *set)
{
	struct pairs pairs = { 0 };
	uint32_t root;

	if (!set->n || set->range[0].first)
		add_pair(&pairs, 0, 0);
	for (size_t i = 0; i < set->n; i++) {
		add_pair(&pairs, set->range[i].first, 1);
		if (set->range[i].last != UINT32_MAX)
			add_pair(&pairs, set->range[i].last + 1, 0);
	}
	root = write_tree(cells, &pairs);
	free(pairs.key);
	free(pairs.value);
	return root;
}

static uint32_t count_not_above(const uint32_t *key, uint32_t n, uint32_t word)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += key[i] <= word;
	return count;
}

static int compare_rest(const uint32_t *words, const uint32_t bound[3], int n)
{
	for (int i = 0; i < n && i < 3; i++)
		if (words[i] != bound[i])
			return words[i] < bound[i] ? -1 : 1;
	return 0;
}

static uint32_t find_rest(const struct acl_rest *rest, const uint32_t *words, int n)
{
	if (compare_rest(words, rest->first, n) < 0)
		return rest->before;
	return compare_rest(words, rest->last, n) > 0 ? rest->after : rest->within;
}

uint32_t acl_index_find(const struct acl_cells *cells, uint32_t root, const uint32_t words[4])
{
	uint32_t value = 0, n;

	if (!root)
		return 0;
	for (int word = 0; word < 4; word++) {
		uint32_t at = root & ACL_ROOT_CELL,
			 levels = root >> ACL_ROOT_SHIFT & ACL_ROOT_LEVELS;

		if (levels == ACL_REST)
			return find_rest(&cells->cell[at].rest, words + word, 4 - word);
		for (; levels; levels--) {
			const struct acl_branch *b = &cells->cell[at].branch;

			n = count_not_above(b->key, BRANCH - 1, words[word]);
			at = (b->child & ((1u << 28) - 1)) +
			     (n < b->child >> 28 ? n : b->child >> 28);
		}
		n = count_not_above(cells->cell[at].words.key, LEAF, words[word]);
		value = cells->cell[at].words.value[n ? n - 1 : 0];
		if (!(value & ACL_DEEPER))
			return value;
		root = value & ~ACL_DEEPER;
	}
	return value;
}

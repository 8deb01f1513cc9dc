/* SPDX-License-Identifier: BSD-2-Clause */
/* Dice for rules at random: the same throws in each run. */
#ifndef WEFT_ACL_DICE_H
#define WEFT_ACL_DICE_H

#include "config_helpers.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A test may begin with another. */
static unsigned int dice_seed = 7;

static inline unsigned int dice(unsigned int n)
{
	return (unsigned int)rand_r(&dice_seed) % n;
}

/* One to `most` of the words. */
static inline json_t *some(const char *const *words, size_t n, unsigned int most)
{
	json_t *list = json_array();

	for (unsigned int i = 1 + dice(most); i > 0; i--)
		json_array_append_new(list, json_string(words[dice((unsigned int)n)]));
	return list;
}

/* What each rule has, its direction aside. */
static inline json_t *rule_that(const char *direction)
{
	static const char *const actions[] = { "allow", "deny", "reject" };

	return json_pack("{s:s, s:s, s:i}", "direction", direction, "action", actions[dice(3)], "priority",
			 dice(4));
}

static inline void maybe_words(json_t *rule, const char *key, const char *const *words, size_t n,
			       unsigned int most)
{
	if (dice(2))
		json_object_set_new(rule, key, some(words, n, most));
}

static inline void maybe_ethertype(json_t *rule)
{
	if (!dice(4))
		json_object_set_new(rule, "ethertype", json_string(dice(2) ? "ipv4" : "ipv6"));
}

#endif

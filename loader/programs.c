// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "build_hash.h"
#include "loader/attach.h"
#include "loader/handover.h"
#include "loader/load.h"
#include "loader/map_fit.h"
#include "loader/pins.h"
#include "loader/programs.h"

_Static_assert(sizeof(WEFT_VERSION "-" WEFT_BUILD_HASH) <= sizeof(((struct abi *)0)->build),
	       "the build's name");

const char *programs_own_build(void)
{
	return WEFT_VERSION "-" WEFT_BUILD_HASH;
}

/* ---- labels ---- */

int programs_label(const struct root *root, const char *directory, struct abi *abi, struct error *e)
{
	char path[64];
	__u32 zero = 0;
	int fd, err = 0;

	memset(abi, 0, sizeof(*abi));
	snprintf(path, sizeof(path), "%s%sabi", directory, *directory ? "/" : "");
	if (!pins_have(root, path))
		return 0;
	fd = root_map(root, path, e);
	if (fd < 0)
		return -1;
	if (bpf_map_lookup_elem(fd, &zero, abi))
		err = error_set(e, EXIT_REFUSED, "map %s: cannot be read: %s", path,
				strerror(errno));
	close(fd);
	return err;
}

static int put_label(const struct root *root, const char *map, const struct abi *abi,
		     struct error *e)
{
	__u32 zero = 0;
	int fd = root_map(root, map, e), err;

	if (fd < 0)
		return -1;
	err = bpf_map_update_elem(fd, &zero, abi, BPF_ANY) ? errno : 0;
	close(fd);
	return err ? error_set(e, EXIT_REFUSED, "map %s: cannot be written: %s", map, strerror(err))
		   : 0;
}

static int make_array(const struct root *root, const char *path, const char *name, __u32 size,
		      struct error *e)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(__u32), size, 1, NULL), err;

	if (fd < 0)
		return error_set(e, EXIT_REFUSED, "map %s: cannot be made: %s", path,
				 strerror(errno));
	err = pins_put(root, path, fd, e);
	close(fd);
	return err;
}

static int make_label(const struct root *root, const char *map, const struct abi *abi,
		      struct error *e)
{
	return make_array(root, map, "abi", sizeof(*abi), e) || put_label(root, map, abi, e) ? -1
											     : 0;
}

static bool same_build(const struct abi *a, const struct abi *b)
{
	return !strncmp(a->build, b->build, sizeof(a->build));
}

int programs_build(const struct root *root, char build[BUILD_SIZE], struct error *e)
{
	struct abi abi;

	if (programs_label(root, "", &abi, e))
		return -1;
	snprintf(build, BUILD_SIZE, "%.*s", (int)sizeof(abi.build), abi.build);
	return 0;
}

int programs_kept(const struct root *root, char build[BUILD_SIZE], unsigned int *version,
		  struct error *e)
{
	struct abi abi;

	if (programs_label(root, PREVIOUS, &abi, e))
		return -1;
	if (!abi.version)
		return error_set(
			e, EXIT_REFUSED,
			"root %s keeps no programs of a build before: there was none since the root was made",
			root->path);
	snprintf(build, BUILD_SIZE, "%.*s", (int)sizeof(abi.build), abi.build);
	*version = abi.version;
	return 0;
}

/* ---- the switch ---- */

int programs_begin(const struct root *root, const struct abi *abi, struct error *e)
{
	if (pins_remove(root, NEXT, e) || pins_make(root, NEXT, e) ||
	    pins_make(root, NEXT_PROG, e) || pins_make(root, NEXT_MAPS, e) ||
	    make_label(root, NEXT "/abi", abi, e))
		return -1;
	return make_array(root, TURNED, "turned", sizeof(__u32), e);
}

/* `turned` first: without it the rest is rubbish, whatever of it is left. */
static int clear_next(const struct root *root, struct error *e)
{
	return pins_drop(root, TURNED, e) || pins_remove(root, NEXT, e) ? -1 : 0;
}

struct keeping {
	const struct root *root;
	struct error *e;
};

/* A map that is about to be taken out of place. One that the old build did not have is not there yet. */
static int keep_map(const char *name, void *arg)
{
	const struct keeping *k = arg;
	char path[64];
	int fd, err;

	if (!pins_have(k->root, name))
		return 0;
	fd = root_map(k->root, name, k->e);
	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), NEXT_PREVIOUS "/maps/%s", name);
	err = pins_put(k->root, path, fd, k->e);
	close(fd);
	return err;
}

static int drop_map(const char *name, void *arg)
{
	const struct keeping *k = arg;

	return pins_drop(k->root, name, k->e);
}

/* Second pins for all that is about to go. The label last: it says that the rest is there. */
static int keep(const struct root *root, const struct abi *abi, const struct abi *new,
		struct error *e)
{
	struct keeping k = { root, e };

	if (pins_make(root, NEXT_PREVIOUS, e) || pins_make(root, NEXT_PREVIOUS "/prog", e) ||
	    pins_make(root, NEXT_PREVIOUS "/maps", e) ||
	    pins_copy(root, "prog", NEXT_PREVIOUS "/prog", e) ||
	    pins_each(root, NEXT_MAPS, keep_map, &k))
		return -1;
	if (abi->version != new->version &&
	    handover_each_gone(abi->version, new->version, keep_map, &k))
		return -1;
	return make_label(root, NEXT_PREVIOUS "/abi", abi, e);
}

static int take_place_as_previous(const struct root *root, struct error *e)
{
	char from[512], to[512];

	if (!pins_have(root, NEXT_PREVIOUS "/abi"))
		return 0;
	if (pins_remove(root, PREVIOUS, e))
		return -1;
	snprintf(from, sizeof(from), "%s/" NEXT_PREVIOUS, root->path);
	snprintf(to, sizeof(to), "%s/" PREVIOUS, root->path);
	return rename(from, to) ? error_set(e, EXIT_REFUSED, "%s: %s", to, strerror(errno)) : 0;
}

/*
 * All after the turn. Each step may have been done before, by a load that was killed. A device that does not get its new
 * program goes on with what it has; if that is the third program, all that it needs stays in `next`.
 */
static int finish(const struct root *root, struct carry *carry, struct error *e)
{
	/* What is `previous` already was the last thing but one to be done. */
	bool handover = handover_begun(root) && pins_have(root, NEXT_PREVIOUS "/abi");
	struct keeping gone = { root, e };
	struct abi abi, old;
	int renewed;

	if (programs_label(root, NEXT, &abi, e) || programs_label(root, NEXT_PREVIOUS, &old, e) ||
	    (handover && handover_carry(root, e)) || pins_move(root, NEXT_MAPS, "", e) ||
	    (handover && handover_each_gone(old.version, abi.version, drop_map, &gone)) ||
	    pins_move(root, NEXT_PROG, "prog", e) ||
	    (abi.version && put_label(root, "abi", &abi, e)))
		return -1;
	renewed = attach_renew(root, e);
	carry_settle(carry);
	if (renewed && handover)
		return -1;
	if ((handover && handover_release(root, e)) || take_place_as_previous(root, e) ||
	    clear_next(root, e))
		return -1;
	return renewed;
}

static int back_out(const struct root *root, struct error *e)
{
	struct abi abi;

	if (programs_label(root, NEXT_PREVIOUS, &abi, e) ||
	    (abi.version && put_label(root, "abi", &abi, e)) ||
	    (handover_begun(root) && attach_renew(root, e)))
		return -1;
	return clear_next(root, e);
}

/* Up to the turn nothing has happened that cannot be taken back. */
static int prepare(const struct root *root, struct carry **carry, struct error *e)
{
	struct abi old, new;

	if (programs_label(root, "", &old, e) || programs_label(root, NEXT, &new, e))
		return -1;
	if (old.version && !same_build(&old, &new) && keep(root, &old, &new, e))
		return -1;
	if (carry_begin(root, carry, e))
		return -1;
	if (old.version && old.version != new.version &&
	    (handover_begin(root, old.version, new.version, e) || put_label(root, "abi", &new, e)))
		return -1;
	return handover_turn(root, e);
}

void programs_abandon(const struct root *root)
{
	struct error unused = { 0 };

	back_out(root, &unused);
}

int programs_switch(const struct root *root, struct error *e)
{
	struct carry *carry = NULL;
	int err = prepare(root, &carry, e);

	if (err)
		programs_abandon(root);
	else
		err = finish(root, carry, e);
	carry_end(carry);
	return err;
}

bool programs_half_switched(const struct root *root)
{
	return handover_turned(root);
}

int programs_recover(const struct root *root, struct error *e)
{
	struct abi old, new;

	/* Of a load that had not begun to do anything, or was done. */
	if (!pins_have(root, TURNED))
		return pins_remove(root, NEXT, e);
	if (programs_label(root, NEXT_PREVIOUS, &old, e) || programs_label(root, NEXT, &new, e))
		return -1;
	if (handover_begun(root) && old.version && !handover_known(old.version, new.version))
		return error_set(
			e, EXIT_REFUSED,
			"root %s: a load of weft %.32s was interrupted, and this weft does not know its maps (version %u): run `weft load` of that one",
			root->path, new.build, new.version);
	return handover_turned(root) ? finish(root, NULL, e) : back_out(root, e);
}

/* ---- back again ---- */

static int put_back(const struct root *root, struct error *e)
{
	struct abi kept, now;

	if (programs_label(root, PREVIOUS, &kept, e) || programs_label(root, "", &now, e))
		return -1;
	if (kept.version != now.version && !handover_known(now.version, kept.version))
		return error_set(
			e, EXIT_REFUSED,
			"root %s: the programs of build %.32s have maps of version %u, and this weft knows no way there from version %u",
			root->path, kept.build, kept.version, now.version);
	if (handover_chains(root, &kept, e) ||
	    (kept.version != now.version && handover_rules(root, kept.version, e)))
		return -1;
	if (programs_begin(root, &kept, e) || pins_copy(root, PREVIOUS "/prog", NEXT_PROG, e) ||
	    pins_copy(root, PREVIOUS "/maps", NEXT_MAPS, e)) {
		programs_abandon(root);
		return -1;
	}
	return programs_switch(root, e);
}

int programs_previous(const struct root *root, struct error *e)
{
	char build[BUILD_SIZE];
	unsigned int version;

	return programs_kept(root, build, &version, e) ? -1 : put_back(root, e);
}

int programs_restore(const struct root *root, const char *build, struct error *e)
{
	char now[BUILD_SIZE], kept[BUILD_SIZE];
	unsigned int version;
	struct abi abi;

	if (programs_build(root, now, e))
		return -1;
	if (!strcmp(now, build))
		return 0;
	if (programs_kept(root, kept, &version, e) || programs_label(root, "", &abi, e))
		return -1;
	if (strcmp(kept, build))
		return error_set(
			e, EXIT_REFUSED,
			"root %s: programs of build %s are not kept, but those of %s: run `weft load` of that build",
			root->path, build, kept);
	if (version != abi.version)
		return error_set(
			e, EXIT_REFUSED,
			"root %s: programs of build %s have maps of version %u, and the root's are of version %u: `weft load --previous` puts them back, maps and all",
			root->path, build, version, abi.version);
	return put_back(root, e);
}

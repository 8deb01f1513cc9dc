/* SPDX-License-Identifier: BSD-2-Clause */
/* What this machine says about the devices that the configuration names for this host. */
#ifndef WEFT_FACTS_H
#define WEFT_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/attach.h"
#include "loader/model.h"
#include "loader/netlink.h"

struct fact {
	char device[IFNAMSIZ];
	char *user; /* "port red/web1": the first object that names it, for messages */
	char path[CONFIG_PATH_LEN]; /* of that object */
	enum role role;
	enum device_mode mode;
	bool finish; /* a function's: finish checksums, cut super-packets */
	bool present;
	bool attached; /* all its hooks are there */
	bool fresh; /* facts_attach() attached it */
	bool switched; /* or gave it another role */
	bool accepted; /* TC programs of others may stay, behind ours: facts_accept() */
	bool xdp; /* XDP among them */
	bool takes_xdp; /* XDP may redirect to it */
	char note[ATTACH_NOTE_SIZE]; /* why not XDP though asked for */
	char *refusal; /* lenient: why it is left as it is, or counts as absent; else NULL */
	struct device_info info;
	UT_hash_handle hh;
};

struct facts {
	struct fact *by_device;
	struct attachment *attachments; /* all that weft has attached here, by device */
	int n_attachments;
	struct nl_links links; /* all devices, while facts are gathered */
	/* What one device is refused for does not concern the others. */
	bool lenient;
	size_t refused; /* lenient: how many were */
	bool beside; /* set by the caller: all are accepted */
};

/*
 * `tree`, or NULL, was in force here: an object that had its device there was not refused for other programs, whichever
 * of them comes first now. That says nothing of the ways to this host, which may lead over other devices since.
 */
void facts_accept(struct facts *facts, const json_t *tree);

/* Refuses a device that two objects want in different roles. */
int facts_gather(struct facts *facts, const struct root *root, const struct model *m,
		 struct error *e);
void facts_free(struct facts *facts);
/* NULL if nothing on this host names the device. */
struct fact *facts_find(const struct facts *facts, const char *device);
/* What weft has attached to the device when the facts were gathered; NULL: nothing. */
const struct attachment *facts_attachment(const struct facts *facts, const char *device);
/* May XDP redirect to it? */
bool facts_takes_xdp(const struct root *root, const struct fact *fact);
/* The ifindex of a device that is there, else 0. */
unsigned int facts_ifindex(const struct facts *facts, const char *device);

/* The underlay device here that carries least; NULL if none is there. */
struct fact *facts_narrowest(const struct facts *facts);

/* The underlay devices that XDP may redirect to. */
void facts_xdp_underlays(const struct facts *facts, uint32_t list[WEFT_UNDERLAYS_MAX]);

/* MTUs fit the underlay and the functions; else refuses with the number that would do. */
int facts_check(struct facts *facts, const struct model *m, struct error *e);

/*
 * For who is lenient: a device that is refused counts as absent, and one that is attached already is left as it is.
 * False: the refusal stands for all.
 */
bool facts_excuse(struct facts *facts, struct fact *fact, const struct error *e);

/* Refuses devices that facts_attach() would refuse, for foreign programs on them; touches nothing. */
int facts_check_foreign(const struct facts *facts, const struct root *root, struct error *e);

/* How many devices the two below are about. */
int facts_to_attach(const struct facts *facts);
int facts_to_detach(const struct facts *facts);

/*
 * Attaches what is not attached yet and updates `facts`. On failure detaches again what it
 * attached. `*changed` counts what it attached.
 */
int facts_attach(struct facts *facts, const struct root *root, int *changed, struct error *e);
/* Detaches again what the last facts_attach() attached. */
void facts_undo_attach(struct facts *facts, const struct root *root);
/* Detaches devices that the configuration names no more or in another role. */
int facts_detach(struct facts *facts, const struct root *root, int *changed, struct error *e);

#endif

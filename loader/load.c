// SPDX-License-Identifier: BSD-2-Clause
/* weft load: from nothing, from a half-made root, or over a loaded one, to all programs and maps in place. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "host.h"
#include "loader/attach.h"
#include "loader/audit.h"
#include "loader/bpf_log.h"
#include "loader/commands.h"
#include "loader/config/schema.h"
#include "loader/confirm.h"
#include "loader/devices.h"
#include "loader/handover.h"
#include "loader/history.h"
#include "loader/load.h"
#include "loader/map_fit.h"
#include "loader/objects.h"
#include "loader/origin.h"
#include "loader/probe.h"
#include "loader/programs.h"
#include "loader/share.h"
#include "loader/system.h"
#include "loader/tunnel.h"
#include "loader/types.h"

#define CONFIG_PARTS_MAX 131072

/* Maps that no program uses. */
static const struct own_map {
	const char *name;
	enum bpf_map_type type;
	__u32 key_size, value_size, entries;
	const char *key_type, *value_type;
} own_maps[] = {
	{ "devices", BPF_MAP_TYPE_HASH, sizeof(struct device_key), sizeof(struct device),
	  DEVICES_MAX, "device_key", "device" },
	{ "config", BPF_MAP_TYPE_HASH, sizeof(struct config_key), sizeof(struct config_value),
	  CONFIG_PARTS_MAX, "config_key", "config_value" },
	{ "abi", BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(struct abi), 1, "unsigned int", "abi" },
};

static bool is_pinned(const struct root *root, const char *name)
{
	int fd = root_map(root, name, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static __u32 type_id(const struct btf *btf, const char *name)
{
	__s32 id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) : 0;

	if (id <= 0 && btf)
		id = btf__find_by_name_kind(btf, name, BTF_KIND_INT);
	return id > 0 ? (__u32)id : 0;
}

static int make_map(const struct root *root, const struct own_map *m, const struct btf *btf,
		    int btf_fd, struct error *e)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		    .map_flags = m->type == BPF_MAP_TYPE_HASH ? BPF_F_NO_PREALLOC : 0);
	char path[512];
	int fd, err = 0;

	opts.btf_key_type_id = type_id(btf, m->key_type);
	opts.btf_value_type_id = type_id(btf, m->value_type);
	if (opts.btf_key_type_id && opts.btf_value_type_id)
		opts.btf_fd = (__u32)btf_fd;
	else
		opts.btf_key_type_id = opts.btf_value_type_id = 0;
	fd = bpf_map_create(m->type, m->name, m->key_size, m->value_size, m->entries, &opts);
	if (fd < 0)
		return error_set(e, EXIT_REFUSED, "map %s: cannot be made: %s", m->name,
				 strerror(errno));
	snprintf(path, sizeof(path), "%s/%s", root->path, m->name);
	if (bpf_obj_pin(fd, path))
		err = error_set(e, EXIT_REFUSED, "map %s: cannot be pinned: %s", m->name,
				strerror(errno));
	close(fd);
	return err;
}

static int make_own_maps(const struct root *root, struct error *e)
{
	struct root fresh = *root;
	int btf_fd, err = 0;
	struct btf *btf;

	fresh.programs = NEXT_PROG "/";
	btf = types_of(&fresh, "clock", &btf_fd); /* it has them for this */

	for (size_t i = 0; i < sizeof(own_maps) / sizeof(own_maps[0]) && !err; i++)
		if (!is_pinned(root, own_maps[i].name))
			err = make_map(root, &own_maps[i], btf, btf_fd, e);
	btf__free(btf);
	if (btf_fd >= 0)
		close(btf_fd);
	return err;
}

static int make_directories(const struct root *root, struct error *e)
{
	static const char *const names[] = { "prog", "link", "tenants" };
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", root->path, names[i]);
		/* Tenants' maps may be delegated, so others may pass. */
		if (mkdir(path, i == 2 ? 0711 : 0700) && errno != EEXIST)
			return error_set(e, EXIT_REFUSED, "root %s: %s", path, strerror(errno));
	}
	return 0;
}

static int array_read(const struct root *root, const char *map, void *value, struct error *e)
{
	__u32 zero = 0;
	int fd = root_map(root, map, e), err;

	if (fd < 0)
		return -1;
	err = bpf_map_lookup_elem(fd, &zero, value) ? errno : 0;
	close(fd);
	return err ? error_set(e, EXIT_REFUSED, "map %s: %s", map, strerror(err)) : 0;
}

static int array_write(const struct root *root, const char *map, const void *value, struct error *e)
{
	__u32 zero = 0;
	int fd = root_map(root, map, e), err;

	if (fd < 0)
		return -1;
	err = bpf_map_update_elem(fd, &zero, value, BPF_ANY) ? errno : 0;
	close(fd);
	return err ? error_set(e, EXIT_REFUSED, "map %s: %s", map, strerror(err)) : 0;
}

/* The record of the tunnel device comes first: it tells whose network namespace the root is. */
static int make_tunnel(const struct root *root, bool clsact, unsigned int *ifindex, struct error *e)
{
	struct device record = { .netns = netns_cookie(), .role = DEVICE_TUNNEL };
	int found = device_record_get(root, TUNNEL_DEVICE, &record, e);

	if (found < 0 || (found && devices_check_netns(root, e)))
		return -1;
	if (found && clsact && !(record.flags & DEVICE_CLSACT))
		return error_set(e, EXIT_REFUSED,
				 "load --clsact: root %s was loaded without: unload first",
				 root->path);
	if (clsact)
		record.flags |= DEVICE_CLSACT;
	if (!found && device_record_put(root, TUNNEL_DEVICE, &record, e))
		return -1;
	if (tunnel_up(root, ifindex, e))
		return -1;
	record.ifindex = *ifindex;
	return device_record_put(root, TUNNEL_DEVICE, &record, e);
}

static int fill_host(const struct root *root, const char *name, unsigned int tunnel,
		     struct error *e)
{
	struct host_config host;

	if (array_read(root, "host", &host, e))
		return -1;
	if (name && host.name[0] && strncmp(host.name, name, sizeof(host.name)))
		return error_set(e, EXIT_REFUSED,
				 "host %s: root %s is loaded as host %.32s: unload first", name,
				 root->path, host.name);
	if (name)
		memcpy(host.name, name, strnlen(name, sizeof(host.name)));
	while (!host.mark)
		if (getrandom(&host.mark, sizeof(host.mark), 0) != sizeof(host.mark))
			return error_set(e, EXIT_REFUSED, "no random numbers: %s", strerror(errno));
	if (!host.next_id)
		host.next_id = 1;
	host.hz = kernel_hz();
	host.fib_ifindex = tunnel;
	return array_write(root, "host", &host, e);
}

/* What this weft makes of it, or cannot make anything of. Nothing is touched if it refuses. */
static int check_loaded(const struct root *root, bool *fresh, bool *converts, struct error *e)
{
	struct abi abi;

	if (programs_label(root, "", &abi, e))
		return -1;
	*fresh = !abi.version;
	*converts = !*fresh && abi.version != WEFT_ABI;
	if (*converts && !handover_known(abi.version, WEFT_ABI))
		return error_set(
			e, EXIT_REFUSED,
			"root %s has maps of version %u, made by weft %.32s, and this weft uses version %d: use that weft (its `load --previous` may lead back), or save, unload, load and apply",
			root->path, abi.version, abi.build, WEFT_ABI);
	for (size_t i = 0; i < sizeof(own_maps) / sizeof(own_maps[0]); i++)
		if (map_fit_own(root, own_maps[i].name, own_maps[i].key_size,
				own_maps[i].value_size, own_maps[i].entries, e))
			return -1;
	return 0;
}

static int load(const struct root *root, const struct command_line *cl, struct objects *objects,
		struct misfits *misfits, struct error *e)
{
	struct abi abi = { .version = WEFT_ABI, .knows = ABI_RULE_CHAINS };
	unsigned int tunnel;

	snprintf(abi.build, sizeof(abi.build), "%s", programs_own_build());
	if (make_directories(root, e) || programs_begin(root, &abi, e))
		return -1;
	if (objects_load(objects, root, map_misfits, misfits, e) || make_own_maps(root, e) ||
	    make_tunnel(root, cli_option(cl, "clsact"), &tunnel, e) ||
	    fill_host(root, cli_option(cl, "host"), tunnel, e)) {
		programs_abandon(root);
		return -1;
	}
	return programs_switch(root, e) || share_root(root, e) ? -1 : 0;
}

static int load_own(const struct root *root, const struct command_line *cl, struct error *e)
{
	bool fresh = false, converts = false;
	struct misfits misfits;
	struct objects objects;
	int err;

	if (check_loaded(root, &fresh, &converts, e) || objects_open(&objects, e))
		return -1;
	err = map_fit(root, &objects, converts, &misfits, e);
	if (!err) {
		err = load(root, cl, &objects, &misfits, e);
		if (err && cl->details)
			bpf_log_print();
		/* Nothing was there before: nothing stays. */
		if (err && fresh)
			root_remove(root, true, NULL);
	}
	objects_close(&objects);
	return err;
}

/* For the log, and for a rollback of the programs. What fails here does not undo a load. */
static void note_load(const struct root *root, const struct command_line *cl, const char *before)
{
	char after[BUILD_SIZE];
	struct error e = { 0 };
	json_t *origin;

	if (programs_build(root, after, NULL))
		return;
	origin = origin_make(cl);
	if (history_note_load(root, origin, &e))
		fprintf(stderr, "weft: note: this load will not be in the history: %s\n", e.text);
	json_decref(origin);
	audit_command(cl, root, "load", "programs", *before ? json_string(before) : NULL,
		      json_string(after));
}

int cmd_load(struct command_line *cl, struct error *e)
{
	const char *host = cli_option(cl, "host");
	char before[BUILD_SIZE] = "";
	struct root root;
	int err;

	if (host && schema_check_name("host", host, e))
		return -1;
	raise_memlock();
	bpf_log_capture();
	if (probe_bpf(e) || root_create(&root, cl->root, e))
		return -1;
	/* In another network namespace the root's devices would be taken for gone. */
	err = is_pinned(&root, "devices") ? devices_check_netns(&root, e) : 0;
	if (!err)
		err = programs_recover(&root, e);
	if (!err) {
		if (programs_build(&root, before, NULL))
			before[0] = '\0';
		err = cli_option(cl, "previous") ? programs_previous(&root, e)
		      : cli_option(cl, "build")
			      ? programs_restore(&root, cli_option(cl, "build"), e)
			      : load_own(&root, cl, e);
	}
	if (!err)
		note_load(&root, cl, before);
	root_close(&root);
	/* After a reboot, what nobody confirmed before it. */
	if (!err)
		confirm_resume(cl->root);
	return err;
}

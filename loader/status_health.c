// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/chain.h"
#include "include/config.h"
#include "loader/applied.h"
#include "loader/compile.h"
#include "loader/config/tree.h"
#include "loader/devices.h"
#include "loader/flows.h"
#include "loader/programs.h"
#include "loader/status_health.h"
#include "loader/verify.h"

/* ---- what was loaded ---- */

static int info_of(const struct root *root, const char *program, struct bpf_prog_info *info)
{
	__u32 len = sizeof(*info);
	int fd = root_prog(root, program, NULL), err;

	memset(info, 0, sizeof(*info));
	if (fd < 0)
		return -1;
	err = bpf_prog_get_info_by_fd(fd, info, &len);
	close(fd);
	return err;
}

/* The kernel counts since boot. */
static json_int_t load_time(const struct root *root)
{
	struct bpf_prog_info info;
	struct timespec up;

	if (info_of(root, "port_tc", &info) || clock_gettime(CLOCK_BOOTTIME, &up))
		return 0;
	return (json_int_t)time(NULL) - up.tv_sec + (json_int_t)(info.load_time / 1000000000u);
}

json_t *status_loaded(const struct root *root)
{
	char build[BUILD_SIZE] = "", kept[BUILD_SIZE] = "";
	struct abi abi = { 0 };
	unsigned int version;

	programs_label(root, "", &abi, NULL);
	programs_build(root, build, NULL);
	programs_kept(root, kept, &version, NULL);
	return json_pack("{s:s%, s:i, s:s, s:s, s:I}", "version", build, strcspn(build, "-"), "abi",
			 (int)abi.version, "build", build, "previous", kept, "time",
			 load_time(root));
}

/* ---- what was applied ---- */

json_t *status_applied(const struct root *root, const struct state *state)
{
	json_t *applied = applied_read(root, &state->host);

	if (!applied)
		return json_null();
	json_object_set_new(applied, "changes",
			    config_diff(json_object_get(applied, "tree"), state->tree));
	json_object_del(applied, "tree");
	json_object_del(applied, "load");
	return applied;
}

static size_t by_hand(const struct root *root, enum sync_map map, size_t origin)
{
	const struct sync_map_type *type = &sync_maps[map];
	int fd = root_map(root, type->name, NULL);
	struct error unused = { 0 };
	struct entries list;
	size_t n = 0;

	if (fd < 0)
		return 0;
	entries_init(&list, type->key_size, type->value_size);
	if (!map_read(fd, type->name, &list, &unused))
		for (size_t i = 0; i < list.n; i++)
			n += ((const uint8_t *)entries_value(&list, i))[origin] == ORIGIN_MANUAL;
	entries_free(&list);
	close(fd);
	return n;
}

size_t status_by_hand(const struct root *root)
{
	return by_hand(root, MAP_FDB, offsetof(struct fdb_entry, origin)) +
	       by_hand(root, MAP_NEIGH, offsetof(struct neigh_entry, origin));
}

/* ---- what is not well ---- */

struct watch {
	int functions, states;
	uint32_t now, hz;
};

/* As the datapath judges it. */
static void find_dead(struct verify *v, const struct model_chain *c, const struct model_step *step,
		      const struct watch *w, const struct function *f, const struct model_instance *one)
{
	uint32_t index = INSTANCE_INDEX(step->sf->slot, one->place);
	bool others = function_has_others(f);
	char object[FINDING_OBJECT_SIZE];
	struct sf_state state;

	if ((!one->here && !one->away) || bpf_map_lookup_elem(w->states, &index, &state) ||
	    !instance_is_dead(&state, others, w->now, w->hz))
		return;
	snprintf(object, sizeof(object), "chain %s/%s", c->tenant, c->name);
	finding_add(v->findings, object,
		    "look at the function, or bypass the chain (`weft chain set NAME bypass on`)",
		    "function %s/%s%s%s has returned nothing for %u s: what the chain protects %s",
		    one->function, one->name, one->here ? "" : " on host ",
		    one->here ? "" : one->host->name, (w->now - state.waiting_since) / w->hz,
		    others	 ? "goes to its other instances" :
		    step->open ? "skips it (on_failure: open)" :
				   "is dropped (sf_down)");
}

static void find_dead_of(struct verify *v, const struct model_chain *c, const struct watch *w)
{
	for (uint8_t n = 0; n < c->steps && !(c->flags & CHAIN_BYPASS); n++) {
		const struct model_step *step = &c->step[n];
		struct function f;

		if (!step->sf || bpf_map_lookup_elem(w->functions, &step->sf->slot, &f))
			continue;
		for (size_t i = 0; i < step->sf->n_instances; i++)
			find_dead(v, c, step, w, &f, &step->sf->instances[i]);
	}
}

static int check_functions(struct verify *v, struct error *e)
{
	struct watch w = { .functions = root_map(v->root, "functions", e), .states = -1 };
	uint64_t now;
	int failed;

	if (w.functions >= 0)
		w.states = root_map(v->root, "sf_state", e);
	failed = w.states < 0 || flows_now(v->root, &now, e);
	if (!failed) {
		w.now = (uint32_t)now;
		w.hz = v->state->host.hz ? v->state->host.hz : 250;
	}
	for (size_t i = 0; i < v->model.n_chains && !failed; i++)
		find_dead_of(v, &v->model.chains[i], &w);
	if (w.states >= 0)
		close(w.states);
	if (w.functions >= 0)
		close(w.functions);
	return failed ? -1 : 0;
}

/* Who may read the root need not be one who may ask devices for their programs, and compare. */
static bool may_look(const struct root *root)
{
	int fd = root_prog(root, "port_tc", NULL);

	if (fd < 0)
		return errno != EACCES;
	close(fd);
	return true;
}

json_t *status_degraded(const struct root *root, const struct state *state, struct error *e)
{
	struct error elsewhere = { 0 };
	json_t *found = NULL;
	struct verify v;

	if (!may_look(root))
		return json_null();
	if (verify_open(&v, root, state, e))
		return NULL;
	verify_rules(&v);
	if (devices_check_netns(root, &elsewhere)) {
		/* From here its devices are not to be seen. */
		finding_add(v.findings, "root", "look from there", "%s", elsewhere.text);
		found = json_incref(v.findings);
	} else if (!verify_devices(&v, e) && !check_functions(&v, e)) {
		verify_underlay(&v);
		found = json_incref(v.findings);
	}
	verify_close(&v);
	return !found && geteuid() ? json_null() : found;
}

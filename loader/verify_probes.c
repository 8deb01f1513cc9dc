// SPDX-License-Identifier: BSD-2-Clause
/* Frames that must come through, and frames that must not. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/drop_reasons.h"
#include "loader/alloc.h"
#include "loader/away.h"
#include "loader/probe_chain.h"
#include "loader/verify.h"

#define ANSWER_MS 200 /* as long as a function may take before it is taken for dead to probes */

/* ---- through chains ---- */

bool verify_protects(const struct verify *v, const struct model_chain *c)
{
	for (size_t i = 0; i < v->model.n_ports; i++)
		if (v->model.ports[i].here && model_protects(c, &v->model.ports[i]))
			return true;
	return false;
}

struct asked {
	const struct model_chain *chain;
	const struct model_instance *instance;
};

struct questions {
	struct chain_probe *probe;
	struct asked *asked; /* of each probe, of whom */
	size_t n, probes_room, asked_room;
};

/* What becomes of frames while the step's function is dead. */
static const char *without(const struct model_step *step)
{
	return step->tap ? "is not copied to it" : step->open ? "skips it" : "gets nothing";
}

/* The device, if it is there to be probed; else says why not. */
static unsigned int device_of(struct verify *v, const struct model_step *step,
			      const struct model_instance *one, const char *object,
			      const char *device)
{
	const struct fact *fact = facts_find(&v->facts, device);

	if (!fact || !fact->present) {
		finding_add(v->notes, object, "apply again once it is there, or bypass the chain",
			    "device %s of function %s/%s is not there: what the chain protects %s",
			    device, one->function, one->name, without(step));
		return 0;
	}
	if (!fact->info.up) {
		finding_add(v->findings, object, "set the device up",
			    "device %s of function %s/%s is down", device, one->function,
			    one->name);
		return 0;
	}
	return fact->info.ifindex;
}

static void ask(struct questions *q, const struct chain_probe *probe, const struct asked *asked)
{
	q->probe = alloc_grow(q->probe, &q->probes_room, q->n + 1, sizeof(*q->probe));
	q->asked = alloc_grow(q->asked, &q->asked_room, q->n + 1, sizeof(*q->asked));
	q->probe[q->n] = *probe;
	q->asked[q->n++] = *asked;
}

/* One instance, both ways: nothing where there is nothing to probe, or nothing to come back. */
static void ask_instance(struct verify *v, const struct model_chain *c, uint8_t n,
			 const struct model_instance *one, const char *object, struct questions *q)
{
	const struct model_step *step = &c->step[n];
	struct asked asked = { .chain = c, .instance = one };
	unsigned int leaving, towards;

	if (!one->here || one->flags & INSTANCE_DOWN)
		return;
	leaving = device_of(v, step, one, object, one->leaving);
	/* With one arm there is one device to complain of. */
	towards = !strcmp(one->towards, one->leaving)
			  ? leaving
			  : device_of(v, step, one, object, one->towards);
	for (int i = 0; leaving && towards && !step->tap && i < 2; i++)
		ask(q,
		    &(struct chain_probe){ .chain = c->slot,
					   .step = n,
					   .tag = c->tag,
					   .instance = one->place,
					   .pcp = i ? PCP_TOWARDS : PCP_LEAVING,
					   .ifindex = i ? towards : leaving },
		    &asked);
}

static void ask_step(struct verify *v, const struct model_chain *c, uint8_t n, const char *object,
		     struct questions *q)
{
	const struct model_step *step = &c->step[n];

	if (!model_step_is_here(step)) {
		if (verify_protects(v, c) && away_any(step->sf))
			finding_add(v->notes, object, "`weft verify` there asks it",
				    "function %s is on other hosts: what comes back tells whether it lives, no probe of this host",
				    step->function);
		else if (verify_protects(v, c))
			finding_add(
				v->notes, object, "give the function an instance on this host",
				"function %s has no instance on this host: what the chain protects %s",
				step->function, without(step));
		return;
	}
	/* Where nobody's frames can come to it the chain is not in the maps. */
	if (!model_tenant(&v->model, c->tenant)->here && !away_serves(&v->model, c))
		return;
	for (size_t i = 0; i < step->sf->n_instances; i++)
		ask_instance(v, c, n, &step->sf->instances[i], object, q);
}

static void ask_chain(struct verify *v, const struct model_chain *c, struct questions *q)
{
	char object[FINDING_OBJECT_SIZE];

	snprintf(object, sizeof(object), "chain %s/%s", c->tenant, c->name);
	if (c->flags & CHAIN_BYPASS) {
		finding_add(v->notes, object, "`weft chain set NAME bypass off` ends it",
			    "bypassed: its functions are not asked");
		return;
	}
	for (uint8_t i = 0; i < c->steps; i++)
		ask_step(v, c, i, object, q);
}

static void judge(struct verify *v, const struct asked *asked, const struct chain_probe *probe)
{
	const struct model_chain *c = asked->chain;
	const struct model_instance *one = asked->instance;
	const char *way = probe->pcp == PCP_LEAVING ? "leaving" : "towards";
	char object[FINDING_OBJECT_SIZE], name[FINDING_OBJECT_SIZE];

	snprintf(name, sizeof(name), "%s/%s", c->tenant, c->name);
	snprintf(object, sizeof(object), "chain %.100s", name);
	if (!probe->answered) {
		finding_add(
			v->findings, object,
			"look at the function, or bypass the chain (`weft chain set NAME bypass on`)",
			"a probe with tag %u%s, %s the workload, did not come back from function %s/%s within %d ms",
			c->tag, c->tag ? "" : " (none)", way, one->function, one->name, ANSWER_MS);
		return;
	}
	json_array_append_new(v->chains,
			      json_pack("{s:s, s:s, s:s, s:s, s:I}", "chain", name, "function",
					one->function, "instance", one->name, "way", way, "us",
					(json_int_t)(probe->answered - probe->asked) / 1000));
}

int verify_chains(struct verify *v, struct error *e)
{
	struct chain_prober prober;
	struct questions q = { 0 };
	int failed = 0;

	for (size_t i = 0; i < v->model.n_chains; i++)
		ask_chain(v, &v->model.chains[i], &q);
	if (q.n) {
		failed = chain_prober_open(&prober, v->root, e);
		if (!failed) {
			chain_probes_ask(&prober, q.probe, q.n, ANSWER_MS);
			chain_prober_close(&prober);
		}
		for (size_t i = 0; i < q.n && !failed; i++)
			judge(v, &q.asked[i], &q.probe[i]);
	}
	free(q.probe);
	free(q.asked);
	return failed;
}

/* ---- forbidden ones ---- */

struct counters {
	int drops, port_stats, program;
	size_t cpus;
	uint64_t *values; /* room for one entry of either */
};

static uint64_t counted(const struct counters *c, int map, uint32_t key, size_t words, size_t word)
{
	uint64_t sum = 0;

	if (bpf_map_lookup_elem(map, &key, c->values))
		return 0;
	for (size_t cpu = 0; cpu < c->cpus; cpu++)
		sum += c->values[cpu * words + word];
	return sum;
}

#define TRAFFIC_WORDS (sizeof(struct traffic) / sizeof(uint64_t))
#define DROPS_WORD    (offsetof(struct traffic, drops) / sizeof(uint64_t))

static uint64_t port_drops(const struct counters *c, uint32_t slot)
{
	return counted(c, c->port_stats, slot, TRAFFIC_WORDS, DROPS_WORD);
}

/* What the host's own stack sends to a workload or a function ends at the guard, which the kernel tells the sender. */
static void check_guard(struct verify *v, const struct counters *c, const struct fact *f,
			int socket)
{
	uint64_t before = counted(c, c->drops, DROP_GUARD, 1, 0);
	char object[FINDING_OBJECT_SIZE];
	int err;

	if (!f->info.up || f->role == ROLE_UNDERLAY)
		return;
	err = probe_unmarked(socket, f->info.ifindex);
	if (err == -ENETDOWN || err == -ENXIO)
		return;
	v->forbidden++;
	if (err == -ENOBUFS && counted(c, c->drops, DROP_GUARD, 1, 0) > before)
		return;
	snprintf(object, sizeof(object), "device %s", f->device);
	finding_add(v->findings, object, "run `weft load`, then apply again",
		    err ? "a frame that weft did not vet was dropped, but not by the guard"
			: "a frame that weft did not vet left by it: the guard does not hold");
}

/* A frame of a stranger's MAC, put into the port's program as if it came from the device. */
static int run_spoofed(const struct counters *c, const struct model_port *p, unsigned int ifindex)
{
	/* Broadcast, from a MAC that is no port's; ARP's ethertype would be looked into. */
	uint8_t frame[64] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 'w', 'e', 'f', 't', 0 };
	uint8_t type[2] = { PROBE_ETHERTYPE >> 8, PROBE_ETHERTYPE & 0xff };
	uint8_t tag[4] = { 0x81, 0, (uint8_t)(p->vid >> 8), (uint8_t)p->vid }, out[128];
	struct __sk_buff context = { .ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));

	if (p->vid)
		memcpy(frame + 12, tag, sizeof(tag));
	memcpy(frame + (p->vid ? 16 : 12), type, sizeof(type));
	return bpf_prog_test_run_opts(c->program, &run) ? -errno : (int)run.retval;
}

#define TC_SHOT 2

static void check_port(struct verify *v, const struct counters *c, const struct model_port *p)
{
	const struct fact *f = p->here ? facts_find(&v->facts, p->device) : NULL;
	char object[FINDING_OBJECT_SIZE];
	uint64_t before;
	int action;

	if (!f || !f->present)
		return;
	before = port_drops(c, p->slot);
	action = run_spoofed(c, p, f->info.ifindex);
	v->forbidden++;
	if (action == TC_SHOT && port_drops(c, p->slot) > before)
		return;
	snprintf(object, sizeof(object), "port %s/%s", p->tenant->name, p->name);
	if (action < 0)
		finding_add(v->findings, object, "run `weft load`",
			    "its program cannot be tried: %s", strerror(-action));
	else
		finding_add(v->findings, object, "run `weft load`, then apply again",
			    action == TC_SHOT
				    ? "a spoofed frame was dropped, but not as this port's"
				    : "a spoofed frame was not dropped");
}

static int open_counters(struct counters *c, const struct root *root, struct error *e)
{
	*c = (struct counters){ .drops = -1, .port_stats = -1, .program = -1 };
	c->cpus = (size_t)libbpf_num_possible_cpus();
	c->values = alloc_zero(c->cpus, sizeof(struct traffic));
	c->drops = root_map(root, "drops", e);
	if (c->drops >= 0)
		c->port_stats = root_map(root, "port_stats", e);
	if (c->port_stats >= 0)
		c->program = root_prog(root, hook_program(ROLE_PORT, HOOK_TC), NULL);
	return c->port_stats < 0 ? -1 : 0;
}

static void close_counters(struct counters *c)
{
	int fds[] = { c->drops, c->port_stats, c->program };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(c->values);
}

int verify_forbidden(struct verify *v, struct error *e)
{
	struct counters c;
	int failed = open_counters(&c, v->root, e), socket = -1;

	if (!failed)
		socket = probe_socket(0, e);
	if (socket >= 0) {
		for (const struct fact *f = v->facts.by_device; f; f = f->hh.next)
			if (f->present && f->attached)
				check_guard(v, &c, f, socket);
		/* Without its pin there is nothing to try; verify_devices() has found that. */
		for (size_t i = 0; i < v->model.n_ports && c.program >= 0; i++)
			check_port(v, &c, &v->model.ports[i]);
		close(socket);
	}
	close_counters(&c);
	return socket < 0 ? -1 : 0;
}

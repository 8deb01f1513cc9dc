/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe: weft's own frame comes back from a function's device. It ends here, answers its question if it is as it was
 * sent, and counts as nobody's traffic; but the watch over the instance learns that it lives.
 * reads:  the packet, struct pkt, the chain
 * writes: probes sf_state
 * maps:   probes chains functions sf_state
 * drops:  sf_probe
 */
#ifndef WEFT_STAGE_PROBE_H
#define WEFT_STAGE_PROBE_H

#include "stages/insert.h"

static __always_inline bool probe_macs(const struct pkt *p)
{
	static const __u8 workload[ETH_ALEN] __attribute__((aligned(4))) = PROBE_MAC_WORKLOAD;
	static const __u8 network[ETH_ALEN] __attribute__((aligned(4))) = PROBE_MAC_NETWORK;

	return (mac_equal(p->source_mac, workload) && mac_equal(p->destination_mac, network)) ||
	       (mac_equal(p->source_mac, network) && mac_equal(p->destination_mac, workload));
}

/* Did the frame come out of the arm that it did not enter, with the tag that it had, if any? */
static __always_inline bool probe_fits(const struct pkt *p, const struct probe *asked)
{
	const struct chain *chain = chain_at(asked->chain);
	const struct chain_step *step;

	if (!chain || asked->step >= CHAIN_STEPS || asked->step >= chain->steps)
		return false;
	step = chain_step(chain, asked->step);
	return (chain->tag ? p->tags && p->tci == (asked->pcp << PCP_SHIFT | chain->tag) : !p->tags) &&
	       p->ifindex == entrance(step, asked->instance, asked->pcp == PCP_LEAVING ? PCP_TOWARDS : PCP_LEAVING);
}

/* One that somebody waits for. */
static __always_inline bool answers_one(const struct pkt *p, const struct probe_body *body)
{
	struct probe_key key = {};
	struct probe *asked;

	__builtin_memcpy(&key.nonce, body->nonce, sizeof(key.nonce));
	asked = bpf_map_lookup_elem(&probes, &key);
	if (!asked || body->chain != asked->chain || body->step != asked->step || body->pcp != asked->pcp ||
	    body->instance != asked->instance || !probe_fits(p, asked))
		return false;
	asked->answered = bpf_ktime_get_ns();
	return true;
}

/* One of the agent's, of which the next one is on its way already. */
static __always_inline bool answers_agent(const struct pkt *p, const struct probe_body *body)
{
	struct probe said = { .chain = body->chain, .step = body->step, .pcp = body->pcp, .instance = body->instance };
	__u32 function = function_of(said.chain, said.step);
	struct sf_state *state;
	__u64 nonce;

	if (!function || said.instance >= FUNCTION_INSTANCES || !probe_fits(p, &said))
		return false;
	__builtin_memcpy(&nonce, body->nonce, sizeof(nonce));
	state = state_of(function, said.instance);
	if (!state || !state->nonce || nonce != state->nonce)
		return false;
	if (said.pcp == PCP_TOWARDS) {
		state->answered[1] = body->number;
		state->answers[1]++;
	} else {
		state->answered[0] = body->number;
		state->answers[0]++;
	}
	return true;
}

__noinline int probe_returned(ctx_t *ctx, struct pkt *p)
{
	const struct probe_body *body;
	__u32 function;

	if (!p)
		return V_DROP;
	if (!probe_macs(p))
		return V_NEXT;
	body = at(ctx, p->l3, sizeof(*body));
	/* Of no function: it proves nothing, and is nobody's loss. */
	if (!p->tags && body && probe_is_of_device(body))
		return V_CONSUMED;
	if (!body || body->magic != PROBE_MAGIC || !(body->number ? answers_agent(p, body) : answers_one(p, body)))
		return drop(p, DROP_SF_PROBE);
	function = function_of(body->chain, body->step);
	if (function)
		function_lives(function, body->instance, body->pcp);
	return V_CONSUMED;
}

/* A workload may use this ethertype like any other; and where XDP sees no tag, TC does. */
static __always_inline enum verdict probe(ctx_t *ctx, struct pkt *p)
{
	return p->ethertype == PROBE_ETHERTYPE && (p->tags == 1 || (!WEFT_XDP && !p->tags)) ? probe_returned(ctx, p) : V_NEXT;
}

#endif

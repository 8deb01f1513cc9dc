/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of weft's own through functions (include/probe.h): sent into a chain's wire as a workload's would be, and
 * waited for. Each question has a random number of its own, so that any number of askers do not disturb each other.
 *
 *	chain_prober_open(&prober, root, e);
 *	chain_probe_send(&prober, &probe);		and again, if there is no answer: the same question
 *	chain_probe_answered(&prober, &probe);		now or later
 *	chain_probe_end(&prober, &probe);		an answer that comes now is dropped and counted as sf_probe
 *
 * Devices are those of the current network namespace, which must be the root's.
 */
#ifndef WEFT_PROBE_CHAIN_H
#define WEFT_PROBE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/chain.h"
#include "include/probe.h"
#include "loader/root.h"

struct chain_prober {
	int probes; /* the map */
	int socket;
	uint32_t mark; /* lets the frame pass the guard */
};

struct chain_probe {
	uint32_t chain; /* slot */
	uint16_t tag;
	uint8_t step;
	uint8_t pcp; /* enum chain_pcp */
	uint8_t instance; /* its place in the step's function */
	unsigned int ifindex; /* where the frame enters the function */

	/* Ours; zero at first. */
	uint64_t nonce, asked, answered; /* the times in ns, 0: not */
};

int chain_prober_open(struct chain_prober *prober, const struct root *root, struct error *e);
void chain_prober_close(struct chain_prober *prober);

/* As it goes into the wire; `number`: of a question that stands in sf_state, else 0. */
#define PROBE_FRAME_SIZE 64
void chain_probe_frame(uint8_t frame[PROBE_FRAME_SIZE], const struct chain_probe *probe,
		       uint32_t number);

/* Returns 0 or -errno: ENETDOWN, the device is down; ENOBUFS, the frame was dropped on its way out. */
int chain_probe_send(const struct chain_prober *prober, struct chain_probe *probe);
bool chain_probe_answered(const struct chain_prober *prober, struct chain_probe *probe);
void chain_probe_end(const struct chain_prober *prober, struct chain_probe *probe);

/*
 * Asks until all have answered, more than once if need be, for `ms` at most; then ends them all. Returns how many have
 * not answered.
 */
size_t chain_probes_ask(const struct chain_prober *prober, struct chain_probe *list, size_t n,
			unsigned int ms);

/* A frame that weft did not vet, out of a device: 0 if it left, or -errno; the guard's refusal is ENOBUFS. */
int probe_unmarked(int socket, unsigned int ifindex);
/* A socket for it, without the mark; -1 with an error. */
int probe_socket(uint32_t mark, struct error *e);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions on other hosts: whose instances a host uses, and whether the underlay carries what goes there (docs/NSH.md).
 * All hosts come to the same, since it follows from names and the configuration alone.
 */
#ifndef WEFT_AWAY_H
#define WEFT_AWAY_H

#include "loader/facts.h"
#include "loader/model.h"

#define AWAY_BYTES 74 /* outer IPv4, UDP, VXLAN-GPE and NSH headers, and the inner Ethernet header */

/*
 * Sets model_function.used and near, and model_instance.away. A function that stands anywhere as a tap, or without a tag,
 * serves its own host alone: copies do not go through the tunnel, and without a tag the workloads of several hosts could not be
 * told apart.
 */
void away_mark(struct model *m);

/* Has the function an instance on the host? */
bool away_has_local(const struct model_function *f, const struct model_host *host);

/* May flows of ports on that host, which is another one, be given to the instance? */
bool away_uses(const struct model_function *f, const struct model_instance *one,
	       const struct model_host *judge);

/* Has the function instances on other hosts that flows of ports here may be given to? */
bool away_any(const struct model_function *f);

/* Does the chain send frames of this host's ports away? Does it get frames of other hosts' here? */
bool away_sends(const struct model *m, const struct model_chain *c);
bool away_serves(const struct model *m, const struct model_chain *c);
/* Do frames of any host's ports go to another host? */
bool away_crosses(const struct model *m, const struct model_chain *c);
/* Could it get frames of ports on that host? */
bool away_serves_host(const struct model_chain *c, const struct model_host *judge);

/*
 * A network of this host's ports behind the function whose packets do not fit the underlay with AWAY_BYTES; NULL: all do.
 * Then its instances on other hosts are not used here.
 */
const struct model_network *away_misfit(const struct facts *facts, const struct model *m,
					const struct model_function *f);

#endif

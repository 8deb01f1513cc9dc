/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live flows and the instances that they go to: flows are in the tenants' tables, and the map sf_flows has a hash of each that
 * went through a function (include/steer.h), which is made here again.
 */
#ifndef WEFT_INSTANCE_FLOWS_H
#define WEFT_INSTANCE_FLOWS_H

#include "loader/flow_view.h"
#include "loader/model.h"
#include "loader/root.h"

/* Which instance's flows; function 0: of all, instance 0: of all of the function. */
struct instance_wanted {
	uint32_t function; /* slot */
	uint32_t instance; /* id */
};

/* Other than 0 ends it, and is what instance_flows() returns. */
typedef int instance_flow_fn(const struct flow_view *v, uint32_t function, uint32_t instance,
			     void *arg);

/*
 * Each live flow with each instance that it goes to: whole packets to one of each function on its way, fragments maybe to
 * another one. Left out are connections that both ends have closed, and flows that take another way by now (their chain is
 * bypassed, say). `hz`: jiffies a second.
 */
int instance_flows(const struct root *root, const struct model *m, uint32_t hz,
		   const struct instance_wanted *wanted, instance_flow_fn *fn, void *arg,
		   struct error *e);

#endif

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains_failover.sh: how long the flows of a function's instance stand still when it dies and another lives. As in
# chains_failopen.sh, but with two instances and a closed step: from the last frame that came through the dead one to the
# first, of a flow that went through it, that came through the other.
#
#	failover_ms_{hole,link,process}_{p50,max}	of each way to die
#	failover_ms_{p50,max}				of all
#	failover_lost					the most frames, of all flows, that any death cost
#	failover_pps					how many were sent a second
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/death_lab.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq

death_lab 2 closed
deaths failover

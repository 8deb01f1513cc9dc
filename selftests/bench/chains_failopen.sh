#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains_failopen.sh: how long traffic stands still when the only instance of a function dies whose step is open.
# death_lab.sh; 100,000 numbered frames a second of 64 flows; the function dies DEATHS times in each of three ways: it becomes a
# black hole, its device goes down, its process is killed. From the last frame that came through it to the first that
# went round it.
#
#	failopen_ms_{hole,link,process}_p50	of each way to die
#	failopen_ms_{hole,link,process}_max
#	failopen_ms_max				of all
#	failopen_lost				the most frames that any death cost
#	failopen_pps				how many were sent a second
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/death_lab.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq

death_lab 1 open
deaths failopen

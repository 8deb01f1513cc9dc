/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RCU grace periods. To attach or detach a program the kernel waits for one, with its network lock held: some 12 ms a
 * hook, four minutes for the ports of 5,000 tenants, in which nobody else may configure the network either. Where
 * many devices are due, weft asks the kernel for expedited ones (a hundredth of that), and takes it back after.
 */
#ifndef WEFT_GRACE_H
#define WEFT_GRACE_H

/*
 * `devices`: how many are due; a few do not hurry. Does nothing where the setting cannot be written, is the
 * administrator's own, or where another weft hurries already. A weft that was killed meanwhile left it set: the next
 * call of these two, with any number, takes that back.
 */
void grace_hurry(int devices);
#define GRACE_AT_ONCE (1 << 20) /* as if very many were due */
/* Each hurry has its relax; the last of nested ones counts. */
void grace_relax(void);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the process may do. Both are called by main(), before other threads
 * exist.
 */
#ifndef EBPFSD_PRIVILEGES_H
#define EBPFSD_PRIVILEGES_H

/* At the very start: no core dumps, no ptrace by others; a client on the same
 * machine that waits for our memory must not make us wait for it. */
void privileges_harden(void);

/* As many descriptors as the limits allow; returns how many. */
unsigned int privileges_raise_files(void);

/* Give up all capabilities but CAP_DAC_READ_SEARCH, for good. 0 or -errno. */
int privileges_drop(void);

#endif /* EBPFSD_PRIVILEGES_H */

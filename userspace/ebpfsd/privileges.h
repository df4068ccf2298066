/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the process may do. Both are called by main(), before other threads
 * exist.
 */
#ifndef EBPFSD_PRIVILEGES_H
#define EBPFSD_PRIVILEGES_H

#include <stdbool.h>

/* At the very start: no core dumps, no ptrace by others; a client on the same
 * machine that waits for our memory must not make us wait for it. */
void privileges_harden(void);

/* As many descriptors as the limits allow; returns how many. */
unsigned int privileges_raise_files(void);

/**
 * privileges_drop() - give up what is not needed to serve, for good
 * @writable: an export is writable
 * @xattrs: on an export root of clients may have privileged attributes
 *
 * Left are CAP_DAC_READ_SEARCH, to open files by handle, and CAP_SETUID and
 * CAP_SETGID, to have the kernel judge what a user may; with @writable also the
 * capabilities over files that root needs to act as root. With @xattrs CAP_SYS_ADMIN and
 * CAP_SETFCAP are permitted, but not in effect: see cred_raise(). No supplementary groups.
 * Return: 0 or -errno.
 */
int privileges_drop(bool writable, bool xattrs);

#endif /* EBPFSD_PRIVILEGES_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which start of the machine this is: what a process wrote survives its death, but what
 * was not on a disk does not survive the machine's.
 *
 * Clients are told a number (struct ebpfs_accept). It stays the same over a start of the
 * machine if the daemon was stopped in order before, and so had everything put on the disk:
 * a file of the state directory has the kernel's identity of the last boot, the number, and
 * whether that was so.
 */
#ifndef EBPFSD_BOOT_H
#define EBPFSD_BOOT_H

#include <stdbool.h>

#include "core/platform.h"

struct config;
struct exports;

#define BOOT_LEN	36	/* bytes of an identity, a UUID as text */

/* The kernel's identity of this start; false and errno: it does not tell. */
bool boot_id(char id[BOOT_LEN]);

/* When the daemon starts: the number for clients, or 0. */
u32 boot_start(const struct config *c);

/* When it ends, and no thread changes anything any more. */
void boot_end(const struct exports *exports);

#endif /* EBPFSD_BOOT_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which start of the machine this is: what a process wrote survives its death, but what
 * was not on a disk does not survive the machine's.
 */
#ifndef EBPFSD_BOOT_H
#define EBPFSD_BOOT_H

#include <stdbool.h>

#include "core/platform.h"

#define BOOT_LEN	36	/* bytes of an identity, a UUID as text */

/* The kernel's identity of this start; false and errno: it does not tell. */
bool boot_id(char id[BOOT_LEN]);

/* The same as a number for clients, or 0. */
u32 boot_number(void);

#endif /* EBPFSD_BOOT_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files that are replaced as a whole and outlast the machine.
 */
#ifndef EBPFSD_DURABLE_H
#define EBPFSD_DURABLE_H

#include <stdbool.h>
#include <stddef.h>

/* @text becomes all of the file @path, on the disk with its name. False and errno: it may be
 * as it was. Any thread, but one at a time for a path. */
bool durable_write(const char *path, const char *text, size_t len);

#endif /* EBPFSD_DURABLE_H */

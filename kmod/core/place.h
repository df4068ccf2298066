/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which node is asked about a file: rendezvous hashing (Thaler and
 * Ravishankar 1998) of the file's handle over the nodes that can be used.
 * A node that goes moves only its own files, one that comes takes its share.
 * Clients that see the same nodes choose alike, so that each server caches
 * its share. Pure and reentrant.
 */
#ifndef EBPFS_CORE_PLACE_H
#define EBPFS_CORE_PLACE_H

#include "core/platform.h"

#define EBPFS_NODES_MAX	64	/* per mount: a set of nodes is one 64-bit word */

/* Hash of a handle, computed once per file. */
u64 ebpfs_place_hash(const void *fh, u32 len);

/**
 * ebpfs_place() - the node for a file
 * @hash: ebpfs_place_hash() of its handle
 * @keys: a number per node that all clients know alike (hash of its address)
 * @n: how many nodes, at most EBPFS_NODES_MAX
 * @usable: set of the nodes that may be chosen
 *
 * Return: index of the node, -ENOENT if none is usable.
 */
int ebpfs_place(u64 hash, const u64 *keys, u32 n, u64 usable);

#endif /* EBPFS_CORE_PLACE_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tags: SipHash-2-4 with 128 bits (Aumasson, Bernstein: "SipHash: a fast short-input
 * PRF", 2012), for what a daemon makes and is shown again, short and often: a quarter of
 * the instructions of ebpfs_mac(). Both ends never share such a key.
 */
#ifndef EBPFS_LIB_TAG_H
#define EBPFS_LIB_TAG_H

#include "core/platform.h"

#define EBPFS_TAG_LEN		16
#define EBPFS_TAG_KEY_LEN	16

/**
 * ebpfs_tag() - the tag of the pieces in order
 * @out: EBPFS_TAG_LEN bytes
 * @key: EBPFS_TAG_KEY_LEN bytes
 * @parts: the pieces
 * @n: how many
 *
 * Any thread.
 */
void ebpfs_tag(u8 out[EBPFS_TAG_LEN], const u8 key[EBPFS_TAG_KEY_LEN],
	       const struct ebpfs_bytes *parts, unsigned int n);

#endif /* EBPFS_LIB_TAG_H */

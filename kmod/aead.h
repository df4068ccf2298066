/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ChaCha20-Poly1305 (RFC 8439) over memory that lies in pieces, with the tag apart: what
 * the kernel's chacha20poly1305_encrypt() does not offer. Made of its ChaCha20 and its
 * Poly1305; see crypt.c.
 *
 *	ebpfs_aead_begin(), ebpfs_aead_clear() ..., ebpfs_aead_encrypt() or
 *	ebpfs_aead_decrypt() ..., ebpfs_aead_end() or ebpfs_aead_verify()
 *
 * Context: process and softirq. No memory is allocated.
 */
#ifndef EBPFS_AEAD_H
#define EBPFS_AEAD_H

#include <crypto/chacha.h>
#include <crypto/poly1305.h>

#include "core/platform.h"

/**
 * struct ebpfs_aead - one message in the making; holds secrets until its end
 * @chacha: state
 * @poly: state
 * @stream: the last block of the key stream that was begun
 * @used: bytes of @stream that are used up; all of them at first
 * @clear: bytes that are only authenticated
 * @text: bytes that are encrypted, too
 */
struct ebpfs_aead {
	u32 chacha[CHACHA_STATE_WORDS];
	struct poly1305_desc_ctx poly;
	u8 stream[CHACHA_BLOCK_SIZE];
	u32 used;
	u64 clear;
	u64 text;
};

void ebpfs_aead_begin(struct ebpfs_aead *a, const u8 key[EBPFS_KEY_LEN], u64 number);
void ebpfs_aead_clear(struct ebpfs_aead *a, const void *p, u32 len);
void ebpfs_aead_encrypt(struct ebpfs_aead *a, u8 *to, const u8 *from, u32 len);
void ebpfs_aead_decrypt(struct ebpfs_aead *a, u8 *p, u32 len);	/* where it lies */
void ebpfs_aead_end(struct ebpfs_aead *a, u8 tag[EBPFS_AEAD_TAG]);
bool ebpfs_aead_verify(struct ebpfs_aead *a, const u8 tag[EBPFS_AEAD_TAG]);

#endif /* EBPFS_AEAD_H */

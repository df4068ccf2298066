/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EBPFS_GCM_SOFT_H
#define EBPFS_GCM_SOFT_H

#include <crypto/aes.h>
#include <crypto/gcm.h>
#include <crypto/gf128mul.h>

#include "core/platform.h"

struct scatterlist;

/**
 * struct ebpfs_gcm_soft - a message of AES256-GCM in the making, without vector registers
 * @aes: the key
 * @h: the hash's key
 * @hash: so far
 * @hashed: bytes of the block that is being hashed
 * @used: bytes of @stream that are used up
 * @counter: block that is encrypted next, less one
 * @stream: what was made of the last
 */
struct ebpfs_gcm_soft {
	struct crypto_aes_ctx aes;
	be128 h;
	be128 hash;
	u32 hashed;
	u32 used;
	struct {
		u8 iv[GCM_AES_IV_SIZE];
		__be32 number;
	} counter;
	u8 stream[AES_BLOCK_SIZE];
};

void ebpfs_gcm_soft_key(struct ebpfs_gcm_soft *s, const u8 key[EBPFS_KEY_LEN]);
void ebpfs_gcm_soft_run(struct ebpfs_gcm_soft *s, const u8 iv[GCM_AES_IV_SIZE],
			struct scatterlist *sg, u32 clear, u32 text, bool seal,
			u8 tag[EBPFS_AEAD_TAG]);

#endif /* EBPFS_GCM_SOFT_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Encrypted and authenticated messages over memory that lies in pieces, with the tag apart.
 *
 *	ebpfs_aead_begin(), ebpfs_aead_clear() ..., ebpfs_aead_encrypt() or
 *	ebpfs_aead_decrypt() ..., ebpfs_aead_end() or ebpfs_aead_verify()
 *
 * ChaCha20-Poly1305 (crypt.c) works on each piece as it comes. AES256-GCM (gcm.c) is what
 * the kernel has for whole messages only: there the pieces are gathered, and everything
 * happens at the end. So what was handed in has to stay where it is until then, except for
 * what is encrypted to another place, which is copied at once.
 *
 * Context: process and softirq. Interrupts are enabled.
 */
#ifndef EBPFS_AEAD_H
#define EBPFS_AEAD_H

#include <crypto/chacha.h>
#include <crypto/poly1305.h>

#include "core/platform.h"

#define EBPFS_GCM_HEAD		96	/* bytes of heads that are copied */
#define EBPFS_GCM_PIECES	20	/* a message of 64 KiB in pages, and its head */

/**
 * struct ebpfs_gcm_piece - of a message, in memory
 * @p: first byte
 * @len: bytes
 */
struct ebpfs_gcm_piece {
	u8 *p;
	u32 len;
};

/**
 * struct ebpfs_gcm - a message of AES256-GCM whose pieces are gathered
 * @key: of the caller's, until the end
 * @number: of the message
 * @head: copies of small pieces
 * @used: bytes of @head
 * @n: pieces
 * @room: for so many
 * @failed: there was no memory for more
 * @pieces: @few, or memory of our own
 * @few: mostly enough
 */
struct ebpfs_gcm {
	const u8 *key;
	u64 number;
	u8 head[EBPFS_GCM_HEAD];
	u32 used;
	u32 n;
	u32 room;
	bool failed;
	struct ebpfs_gcm_piece *pieces;
	struct ebpfs_gcm_piece few[EBPFS_GCM_PIECES];
};

/**
 * struct ebpfs_chachapoly - a message of ChaCha20-Poly1305 in the making
 * @chacha: state
 * @poly: state
 * @stream: the last block of the key stream that was begun
 * @used: bytes of @stream that are used up; all of them at first
 */
struct ebpfs_chachapoly {
	u32 chacha[CHACHA_STATE_WORDS];
	struct poly1305_desc_ctx poly;
	u8 stream[CHACHA_BLOCK_SIZE];
	u32 used;
};

/**
 * struct ebpfs_aead - one message in the making; holds secrets until its end
 * @cipher: enum ebpfs_cipher
 * @clear: bytes that are only authenticated
 * @text: bytes that are encrypted, too
 * @gcm: with EBPFS_CIPHER_AES256_GCM
 * @poly: else
 */
struct ebpfs_aead {
	u8 cipher;
	u32 clear;
	u32 text;
	union {
		struct ebpfs_gcm gcm;
		struct ebpfs_chachapoly poly;
	};
};

void ebpfs_aead_begin(struct ebpfs_aead *a, u8 cipher, const u8 key[EBPFS_KEY_LEN], u64 number);
void ebpfs_aead_clear(struct ebpfs_aead *a, const void *p, u32 len);
void ebpfs_aead_encrypt(struct ebpfs_aead *a, u8 *to, const u8 *from, u32 len);
void ebpfs_aead_decrypt(struct ebpfs_aead *a, u8 *p, u32 len);	/* where it lies */
bool ebpfs_aead_end(struct ebpfs_aead *a, u8 tag[EBPFS_AEAD_TAG]);
bool ebpfs_aead_verify(struct ebpfs_aead *a, const u8 tag[EBPFS_AEAD_TAG]);
void ebpfs_aead_drop(struct ebpfs_aead *a);

int ebpfs_gcm_init(void);
void ebpfs_gcm_exit(void);
bool ebpfs_gcm_fast(void);
void ebpfs_gcm_forget(const u8 key[EBPFS_KEY_LEN]);
void ebpfs_gcm_begin(struct ebpfs_gcm *g, const u8 key[EBPFS_KEY_LEN], u64 number);
void ebpfs_gcm_add(struct ebpfs_gcm *g, const void *p, u32 len);
void ebpfs_gcm_add_clear(struct ebpfs_gcm *g, const void *p, u32 len);
bool ebpfs_gcm_seal(struct ebpfs_gcm *g, u32 clear, u32 text, u8 tag[EBPFS_AEAD_TAG]);
bool ebpfs_gcm_open(struct ebpfs_gcm *g, u32 clear, u32 text, const u8 tag[EBPFS_AEAD_TAG]);
void ebpfs_gcm_drop(struct ebpfs_gcm *g);

#endif /* EBPFS_AEAD_H */

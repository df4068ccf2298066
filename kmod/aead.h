/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Encrypted and authenticated messages over memory that lies in pieces, with the tag apart.
 *
 *	ebpfs_aead_begin(), ebpfs_aead_clear() ..., ebpfs_aead_encrypt() or
 *	ebpfs_aead_decrypt() ..., ebpfs_aead_end() or ebpfs_aead_verify()
 *
 * A processor makes one message at a time, in memory that it has for that: from
 * ebpfs_aead_begin() to the end bottom halves are off and a lock is held, inside of all that
 * the caller has. No other message may be begun meanwhile, and nothing may sleep.
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

#include "core/platform.h"

struct ebpfs_aead;
struct ebpfs_gcm;

int ebpfs_aead_init(void);
void ebpfs_aead_exit(void);
struct ebpfs_aead *ebpfs_aead_begin(u8 cipher, const u8 key[EBPFS_KEY_LEN], u64 number)
	__acquires(aead);
void ebpfs_aead_clear(struct ebpfs_aead *a, const void *p, u32 len);
void ebpfs_aead_encrypt(struct ebpfs_aead *a, u8 *to, const u8 *from, u32 len);
void ebpfs_aead_decrypt(struct ebpfs_aead *a, u8 *p, u32 len);	/* where it lies */
bool ebpfs_aead_end(struct ebpfs_aead *a, u8 tag[EBPFS_AEAD_TAG]) __releases(aead);
int ebpfs_aead_verify(struct ebpfs_aead *a, const u8 tag[EBPFS_AEAD_TAG]) __releases(aead);
void ebpfs_aead_drop(struct ebpfs_aead *a) __releases(aead);

/* Of crypt.c, which has the lock. */
bool ebpfs_gcm_probe(void);
bool ebpfs_gcm_ready(void);
struct ebpfs_gcm *ebpfs_gcm_make(unsigned int cpu);
void ebpfs_gcm_free(struct ebpfs_gcm *g);
void ebpfs_gcm_forget(struct ebpfs_gcm *g, const u8 key[EBPFS_KEY_LEN]);
void ebpfs_gcm_begin(struct ebpfs_gcm *g, const u8 key[EBPFS_KEY_LEN], u64 number);
void ebpfs_gcm_add(struct ebpfs_gcm *g, const void *p, u32 len);
void ebpfs_gcm_add_clear(struct ebpfs_gcm *g, const void *p, u32 len);
bool ebpfs_gcm_seal(struct ebpfs_gcm *g, u32 clear, u32 text, u8 tag[EBPFS_AEAD_TAG]);
int ebpfs_gcm_open(struct ebpfs_gcm *g, u32 clear, u32 text, const u8 tag[EBPFS_AEAD_TAG]);
void ebpfs_gcm_drop(struct ebpfs_gcm *g);

#endif /* EBPFS_AEAD_H */

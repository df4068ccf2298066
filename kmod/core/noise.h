/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s, as the Noise Protocol Framework (revision 34)
 * defines it:
 *
 *	-> psk, e	the first message: nobody without the secret can make or read it
 *	<- e, ee	the second: from here on not even who learns the secret can read
 *
 * Neither end has a key of its own but the shared secret, which proves each to the other;
 * the ephemeral keys give forward secrecy. Whoever takes the first message has verified
 * the sender's secret before it computes anything asymmetric.
 *
 * Pure and reentrant; ephemeral private keys are handed in, random, for one handshake
 * each. A struct ebpfs_noise holds secrets: memzero_explicit() it, or explicit_bzero().
 */
#ifndef EBPFS_CORE_NOISE_H
#define EBPFS_CORE_NOISE_H

#include "core/platform.h"

/**
 * struct ebpfs_noise - a handshake in progress, one end of it; private
 * @ck: chaining key
 * @h: hash of all that was said
 * @k: key of the next payload
 * @own: our ephemeral private key
 * @theirs: their ephemeral public key
 */
struct ebpfs_noise {
	u8 ck[EBPFS_HASH_LEN];
	u8 h[EBPFS_HASH_LEN];
	u8 k[EBPFS_KEY_LEN];
	u8 own[EBPFS_KEY_LEN];
	u8 theirs[EBPFS_KEY_LEN];
};

/**
 * struct ebpfs_noise_msg - where a message lies
 * @e: ephemeral public key, EBPFS_KEY_LEN bytes
 * @payload: @len bytes, encrypted
 * @tag: EBPFS_AEAD_TAG bytes
 * @len: of the payload
 */
struct ebpfs_noise_msg {
	u8 *e;
	u8 *payload;
	u8 *tag;
	u32 len;
};

/* Both ends. @psk: the shared secret. @prologue: what both have to have seen alike. */
void ebpfs_noise_begin(struct ebpfs_noise *n, const u8 psk[EBPFS_SECRET_LEN],
		       struct ebpfs_bytes prologue);

/* The first message: @payload becomes m->payload. False if @own is of no use. */
bool ebpfs_noise_write_first(struct ebpfs_noise *n, const u8 own[EBPFS_KEY_LEN],
			     const void *payload, const struct ebpfs_noise_msg *m);
/* False: it is not by somebody who knows the secret. */
bool ebpfs_noise_read_first(struct ebpfs_noise *n, const struct ebpfs_noise_msg *m,
			    void *payload);

/* The answer. False if the other's key, or @own, is of no use. */
bool ebpfs_noise_write_second(struct ebpfs_noise *n, const u8 own[EBPFS_KEY_LEN],
			      const void *payload, const struct ebpfs_noise_msg *m);
bool ebpfs_noise_read_second(struct ebpfs_noise *n, const struct ebpfs_noise_msg *m,
			     void *payload);

/**
 * ebpfs_noise_split() - what a complete handshake gives
 * @n: after its second message
 * @out: the two keys of Noise's Split(), from client to server and back, and a third that
 *	is made in the same way
 */
void ebpfs_noise_split(const struct ebpfs_noise *n, u8 out[3][EBPFS_KEY_LEN]);

/* Three keys from a chaining key and new material; HKDF of Noise (RFC 5869 without info). */
void ebpfs_hkdf(const u8 ck[EBPFS_HASH_LEN], struct ebpfs_bytes material,
		u8 out[3][EBPFS_KEY_LEN]);

#endif /* EBPFS_CORE_NOISE_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake pattern NNpsk0; see noise.h. The names of the small functions are those of
 * the specification.
 */
#include "core/noise.h"

#define BLOCK	64	/* of BLAKE2s */

static const char name[] = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/* HMAC (RFC 2104) with a key of one hash, over two pieces. */
static void hmac(u8 out[EBPFS_HASH_LEN], const u8 key[EBPFS_HASH_LEN], struct ebpfs_bytes a,
		 struct ebpfs_bytes b)
{
	u8 pad[BLOCK], inner[EBPFS_HASH_LEN];
	struct ebpfs_bytes parts[] = { { pad, sizeof(pad) }, a, b };
	unsigned int i;

	for (i = 0; i < BLOCK; i++)
		pad[i] = 0x36 ^ (i < EBPFS_HASH_LEN ? key[i] : 0);
	ebpfs_hash(inner, parts, 3);
	for (i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	parts[1] = (struct ebpfs_bytes){ inner, sizeof(inner) };
	ebpfs_hash(out, parts, 2);
	ebpfs_wipe(pad, sizeof(pad));
	ebpfs_wipe(inner, sizeof(inner));
}

void ebpfs_hkdf(const u8 ck[EBPFS_HASH_LEN], struct ebpfs_bytes material,
		u8 out[3][EBPFS_KEY_LEN])
{
	const struct ebpfs_bytes nothing = { NULL, 0 };
	u8 temp[EBPFS_HASH_LEN];
	u8 i;

	hmac(temp, ck, material, nothing);
	for (i = 0; i < 3; i++) {
		u8 number = i + 1;

		hmac(out[i], temp, i ? (struct ebpfs_bytes){ out[i - 1], EBPFS_KEY_LEN } : nothing,
		     (struct ebpfs_bytes){ &number, 1 });
	}
	ebpfs_wipe(temp, sizeof(temp));
}

static void mix_hash(struct ebpfs_noise *n, struct ebpfs_bytes a, struct ebpfs_bytes b)
{
	const struct ebpfs_bytes parts[] = { { n->h, sizeof(n->h) }, a, b };

	ebpfs_hash(n->h, parts, 3);
}

static void mix_key(struct ebpfs_noise *n, const u8 material[EBPFS_KEY_LEN])
{
	u8 out[3][EBPFS_KEY_LEN];

	ebpfs_hkdf(n->ck, (struct ebpfs_bytes){ material, EBPFS_KEY_LEN }, out);
	memcpy(n->ck, out[0], sizeof(n->ck));
	memcpy(n->k, out[1], sizeof(n->k));
	ebpfs_wipe(out, sizeof(out));
}

/* An ephemeral public key was sent. Where there is a psk, it is mixed into the keys, too. */
static void mix_ephemeral(struct ebpfs_noise *n, const u8 e[EBPFS_KEY_LEN])
{
	mix_hash(n, (struct ebpfs_bytes){ e, EBPFS_KEY_LEN }, (struct ebpfs_bytes){ NULL, 0 });
	mix_key(n, e);
}

/* Each key encrypts one payload, so all have the number 0. */
static void encrypt_and_hash(struct ebpfs_noise *n, const void *payload,
			     const struct ebpfs_noise_msg *m)
{
	ebpfs_aead_seal(m->payload, m->tag, EBPFS_CIPHER_CHACHA20_POLY1305, n->k, 0,
			(struct ebpfs_bytes){ n->h, sizeof(n->h) }, payload, m->len);
	mix_hash(n, (struct ebpfs_bytes){ m->payload, m->len },
		 (struct ebpfs_bytes){ m->tag, EBPFS_AEAD_TAG });
}

static bool decrypt_and_hash(struct ebpfs_noise *n, const struct ebpfs_noise_msg *m,
			     void *payload)
{
	if (ebpfs_aead_open(payload, m->tag, EBPFS_CIPHER_CHACHA20_POLY1305, n->k, 0,
			    (struct ebpfs_bytes){ n->h, sizeof(n->h) }, m->payload, m->len))
		return false;
	mix_hash(n, (struct ebpfs_bytes){ m->payload, m->len },
		 (struct ebpfs_bytes){ m->tag, EBPFS_AEAD_TAG });
	return true;
}

/* The token ee. */
static bool mix_dh(struct ebpfs_noise *n)
{
	u8 shared[EBPFS_KEY_LEN];
	bool good = ebpfs_dh(shared, n->own, n->theirs);

	if (good)
		mix_key(n, shared);
	ebpfs_wipe(shared, sizeof(shared));
	return good;
}

void ebpfs_noise_begin(struct ebpfs_noise *n, const u8 psk[EBPFS_SECRET_LEN],
		       struct ebpfs_bytes prologue)
{
	const struct ebpfs_bytes protocol = { name, sizeof(name) - 1 };
	u8 out[3][EBPFS_KEY_LEN];

	memset(n, 0, sizeof(*n));
	ebpfs_hash(n->h, &protocol, 1);
	memcpy(n->ck, n->h, sizeof(n->ck));
	mix_hash(n, prologue, (struct ebpfs_bytes){ NULL, 0 });
	/* The token psk, which comes first in the first message. */
	ebpfs_hkdf(n->ck, (struct ebpfs_bytes){ psk, EBPFS_SECRET_LEN }, out);
	memcpy(n->ck, out[0], sizeof(n->ck));
	mix_hash(n, (struct ebpfs_bytes){ out[1], EBPFS_KEY_LEN }, (struct ebpfs_bytes){ NULL, 0 });
	memcpy(n->k, out[2], sizeof(n->k));
	ebpfs_wipe(out, sizeof(out));
}

bool ebpfs_noise_write_first(struct ebpfs_noise *n, const u8 own[EBPFS_KEY_LEN],
			     const void *payload, const struct ebpfs_noise_msg *m)
{
	memcpy(n->own, own, sizeof(n->own));
	if (!ebpfs_dh_public(m->e, own))
		return false;
	mix_ephemeral(n, m->e);
	encrypt_and_hash(n, payload, m);
	return true;
}

bool ebpfs_noise_read_first(struct ebpfs_noise *n, const struct ebpfs_noise_msg *m, void *payload)
{
	memcpy(n->theirs, m->e, sizeof(n->theirs));
	mix_ephemeral(n, n->theirs);
	return decrypt_and_hash(n, m, payload);
}

bool ebpfs_noise_write_second(struct ebpfs_noise *n, const u8 own[EBPFS_KEY_LEN],
			      const void *payload, const struct ebpfs_noise_msg *m)
{
	memcpy(n->own, own, sizeof(n->own));
	if (!ebpfs_dh_public(m->e, own))
		return false;
	mix_ephemeral(n, m->e);
	if (!mix_dh(n))
		return false;
	encrypt_and_hash(n, payload, m);
	return true;
}

bool ebpfs_noise_read_second(struct ebpfs_noise *n, const struct ebpfs_noise_msg *m, void *payload)
{
	memcpy(n->theirs, m->e, sizeof(n->theirs));
	mix_ephemeral(n, n->theirs);
	return mix_dh(n) && decrypt_and_hash(n, m, payload);
}

void ebpfs_noise_split(const struct ebpfs_noise *n, u8 out[3][EBPFS_KEY_LEN])
{
	ebpfs_hkdf(n->ck, (struct ebpfs_bytes){ NULL, 0 }, out);
}

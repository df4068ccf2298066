// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's side of core/platform.h: BLAKE2s, X25519 and ChaCha20-Poly1305, the last
 * of them also for memory in pieces (aead.h). All of it is the kernel's own; what is here
 * puts it together. Any context but hard interrupts; X25519 takes its time, in process
 * context.
 */
#include <crypto/blake2s.h>
#include <crypto/curve25519.h>
#include <crypto/utils.h>

#include "aead.h"

static_assert(EBPFS_MAC_LEN == BLAKE2S_HASH_SIZE && EBPFS_HASH_LEN == BLAKE2S_HASH_SIZE);
static_assert(EBPFS_SECRET_LEN <= BLAKE2S_KEY_SIZE);
static_assert(EBPFS_KEY_LEN == CHACHA_KEY_SIZE && EBPFS_KEY_LEN == CURVE25519_KEY_SIZE);
static_assert(EBPFS_AEAD_TAG == POLY1305_DIGEST_SIZE);

static void ebpfs_blake2s(struct blake2s_state *state, u8 *out, const struct ebpfs_bytes *parts,
			  unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		blake2s_update(state, parts[i].data, parts[i].len);
	blake2s_final(state, out);
}

void ebpfs_mac(u8 out[EBPFS_MAC_LEN], const u8 key[EBPFS_SECRET_LEN],
	       const struct ebpfs_bytes *parts, unsigned int n)
{
	struct blake2s_state state;

	blake2s_init_key(&state, EBPFS_MAC_LEN, key, EBPFS_SECRET_LEN);
	ebpfs_blake2s(&state, out, parts, n);
}

void ebpfs_hash(u8 out[EBPFS_HASH_LEN], const struct ebpfs_bytes *parts, unsigned int n)
{
	struct blake2s_state state;

	blake2s_init(&state, EBPFS_HASH_LEN);
	ebpfs_blake2s(&state, out, parts, n);
}

bool ebpfs_dh_public(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN])
{
	return curve25519_generate_public(out, own);
}

bool ebpfs_dh(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN], const u8 theirs[EBPFS_KEY_LEN])
{
	return curve25519(out, own, theirs);
}

/**
 * ebpfs_aead_begin() - a message
 * @a: out
 * @key: of the messages
 * @number: of this one, see ebpfs_aead_seal()
 */
void ebpfs_aead_begin(struct ebpfs_aead *a, const u8 key[EBPFS_KEY_LEN], u64 number)
{
	__le64 iv[CHACHA_IV_SIZE / sizeof(__le64)] = { 0, cpu_to_le64(number) };
	u32 k[CHACHA_KEY_SIZE / sizeof(u32)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(k); i++)
		k[i] = get_unaligned_le32(key + i * sizeof(u32));
	chacha_init(a->chacha, k, (const u8 *)iv);
	memzero_explicit(k, sizeof(k));
	/* The first block is the key of Poly1305; the text begins with the second. */
	memset(a->stream, 0, sizeof(a->stream));
	chacha20_crypt(a->chacha, a->stream, a->stream, sizeof(a->stream));
	poly1305_init(&a->poly, a->stream);
	a->used = sizeof(a->stream);
	a->clear = 0;
	a->text = 0;
}

/* Zeroes up to a whole block, behind what was authenticated last. */
static void ebpfs_aead_pad(struct ebpfs_aead *a, u64 len)
{
	static const u8 zeroes[POLY1305_BLOCK_SIZE];

	if (len % POLY1305_BLOCK_SIZE)
		poly1305_update(&a->poly, zeroes, -len % POLY1305_BLOCK_SIZE);
}

/* Bytes that are authenticated only; before all that are encrypted. */
void ebpfs_aead_clear(struct ebpfs_aead *a, const void *p, u32 len)
{
	poly1305_update(&a->poly, p, len);
	a->clear += len;
}

/* @to is @from with the key stream. */
static void ebpfs_aead_stream(struct ebpfs_aead *a, u8 *to, const u8 *from, u32 len)
{
	u32 n = min_t(u32, len, sizeof(a->stream) - a->used);

	if (n) {
		crypto_xor_cpy(to, from, a->stream + a->used, n);
		a->used += n;
		to += n;
		from += n;
		len -= n;
	}
	n = round_down(len, sizeof(a->stream));
	if (n) {
		chacha20_crypt(a->chacha, to, from, n);
		to += n;
		from += n;
		len -= n;
	}
	if (len) {
		memset(a->stream, 0, sizeof(a->stream));
		chacha20_crypt(a->chacha, a->stream, a->stream, sizeof(a->stream));
		crypto_xor_cpy(to, from, a->stream, len);
		a->used = len;
	}
}

static void ebpfs_aead_text(struct ebpfs_aead *a, u32 len)
{
	if (!a->text)
		ebpfs_aead_pad(a, a->clear);
	a->text += len;
}

/* The next piece of text, read once. @to may be @from. */
void ebpfs_aead_encrypt(struct ebpfs_aead *a, u8 *to, const u8 *from, u32 len)
{
	if (!len)
		return;
	ebpfs_aead_text(a, len);
	ebpfs_aead_stream(a, to, from, len);
	poly1305_update(&a->poly, to, len);
}

/* The next piece, in place: what is decrypted is what was authenticated, whoever else may
 * be writing to where it came from.
 */
void ebpfs_aead_decrypt(struct ebpfs_aead *a, u8 *p, u32 len)
{
	if (!len)
		return;
	ebpfs_aead_text(a, len);
	poly1305_update(&a->poly, p, len);
	ebpfs_aead_stream(a, p, p, len);
}

/* The message is complete: its tag. */
void ebpfs_aead_end(struct ebpfs_aead *a, u8 tag[EBPFS_AEAD_TAG])
{
	__le64 lens[2] = { cpu_to_le64(a->clear), cpu_to_le64(a->text) };

	ebpfs_aead_pad(a, a->text ?: a->clear);
	poly1305_update(&a->poly, (const u8 *)lens, sizeof(lens));
	poly1305_final(&a->poly, tag);
	memzero_explicit(a, sizeof(*a));
}

/* The message is complete: is this its tag? */
bool ebpfs_aead_verify(struct ebpfs_aead *a, const u8 tag[EBPFS_AEAD_TAG])
{
	u8 real[EBPFS_AEAD_TAG];

	ebpfs_aead_end(a, real);
	return ebpfs_equal(real, tag, sizeof(real));
}

void ebpfs_aead_seal(u8 *to, u8 tag[EBPFS_AEAD_TAG], const u8 key[EBPFS_KEY_LEN], u64 number,
		     struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	struct ebpfs_aead a;

	ebpfs_aead_begin(&a, key, number);
	ebpfs_aead_clear(&a, clear.data, clear.len);
	ebpfs_aead_encrypt(&a, to, from, len);
	ebpfs_aead_end(&a, tag);
}

bool ebpfs_aead_open(u8 *to, const u8 tag[EBPFS_AEAD_TAG], const u8 key[EBPFS_KEY_LEN],
		     u64 number, struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	struct ebpfs_aead a;

	ebpfs_aead_begin(&a, key, number);
	ebpfs_aead_clear(&a, clear.data, clear.len);
	if (to != from)
		memcpy(to, from, len);
	ebpfs_aead_decrypt(&a, to, len);
	return ebpfs_aead_verify(&a, tag);
}

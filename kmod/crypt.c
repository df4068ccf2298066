// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's side of core/platform.h: BLAKE2s, X25519 and ChaCha20-Poly1305, the last
 * of them also for memory in pieces (aead.h), which its chacha20poly1305_encrypt() does not
 * offer. All of it is the kernel's own; what is here puts it together. Any context but hard
 * interrupts; X25519 takes its time, in process context.
 */
#include <crypto/blake2s.h>
#include <crypto/chacha.h>
#include <crypto/curve25519.h>
#include <crypto/poly1305.h>
#include <crypto/utils.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "aead.h"
#include "copy.h"

static_assert(EBPFS_MAC_LEN == BLAKE2S_HASH_SIZE && EBPFS_HASH_LEN == BLAKE2S_HASH_SIZE);
static_assert(EBPFS_SECRET_LEN <= BLAKE2S_KEY_SIZE);
static_assert(EBPFS_KEY_LEN == CHACHA_KEY_SIZE && EBPFS_KEY_LEN == CURVE25519_KEY_SIZE);
static_assert(EBPFS_AEAD_TAG == POLY1305_DIGEST_SIZE);

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
 * struct ebpfs_aead - a processor's message in the making
 * @lock: of all of it, from the message's begin to its end; and of keys that are forgotten
 * @cipher: enum ebpfs_cipher
 * @clear: bytes that are only authenticated
 * @text: bytes that are encrypted, too
 * @poly: with EBPFS_CIPHER_CHACHA20_POLY1305; holds secrets until the end
 * @gcm: with EBPFS_CIPHER_AES256_GCM; NULL if sessions may not have it here
 */
struct ebpfs_aead {
	spinlock_t lock;
	u8 cipher;
	u32 clear;
	u32 text;
	struct ebpfs_chachapoly poly;
	struct ebpfs_gcm *gcm;
};

static DEFINE_PER_CPU(struct ebpfs_aead *, ebpfs_aead_cpu);
static bool ebpfs_gcm_is_fast;	/* every processor has it */

static int ebpfs_aead_make(unsigned int cpu)
{
	struct ebpfs_aead *a = kzalloc_node(sizeof(*a), GFP_KERNEL, cpu_to_node(cpu));
	struct ebpfs_gcm *gcm;

	if (!a)
		return -ENOMEM;
	per_cpu(ebpfs_aead_cpu, cpu) = a;
	spin_lock_init(&a->lock);
	if (!ebpfs_gcm_is_fast)
		return 0;
	gcm = ebpfs_gcm_make(cpu);
	if (IS_ERR(gcm))
		return PTR_ERR(gcm);
	a->gcm = gcm;
	return 0;
}

void ebpfs_aead_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct ebpfs_aead *a = per_cpu(ebpfs_aead_cpu, cpu);

		per_cpu(ebpfs_aead_cpu, cpu) = NULL;
		if (a)
			ebpfs_gcm_free(a->gcm);
		kfree_sensitive(a);
	}
}

/**
 * ebpfs_aead_init() - once, when the module is loaded
 *
 * Return: 0, also where there are no instructions for AES256-GCM; or an error.
 */
int ebpfs_aead_init(void)
{
	unsigned int cpu;
	int err = 0;

	ebpfs_gcm_is_fast = ebpfs_gcm_probe();
	for_each_possible_cpu(cpu) {
		err = ebpfs_aead_make(cpu);
		if (err)
			break;
	}
	if (err)
		ebpfs_aead_exit();
	return err;
}

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

static void ebpfs_poly_begin(struct ebpfs_chachapoly *c, const u8 key[EBPFS_KEY_LEN], u64 number)
{
	__le64 iv[CHACHA_IV_SIZE / sizeof(__le64)] = { 0, cpu_to_le64(number) };
	u32 k[CHACHA_KEY_SIZE / sizeof(u32)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(k); i++)
		k[i] = get_unaligned_le32(key + i * sizeof(u32));
	chacha_init(c->chacha, k, (const u8 *)iv);
	memzero_explicit(k, sizeof(k));
	/* The first block is the key of Poly1305; the text begins with the second. */
	memset(c->stream, 0, sizeof(c->stream));
	chacha20_crypt(c->chacha, c->stream, c->stream, sizeof(c->stream));
	poly1305_init(&c->poly, c->stream);
	c->used = sizeof(c->stream);
}

/* Zeroes up to a whole block, behind what was authenticated last. */
static void ebpfs_poly_pad(struct ebpfs_chachapoly *c, u64 len)
{
	static const u8 zeroes[POLY1305_BLOCK_SIZE];

	if (len % POLY1305_BLOCK_SIZE)
		poly1305_update(&c->poly, zeroes, -len % POLY1305_BLOCK_SIZE);
}

/* @to is @from with the key stream. */
static void ebpfs_poly_stream(struct ebpfs_chachapoly *c, u8 *to, const u8 *from, u32 len)
{
	u32 n = min_t(u32, len, sizeof(c->stream) - c->used);

	if (n) {
		crypto_xor_cpy(to, from, c->stream + c->used, n);
		c->used += n;
		to += n;
		from += n;
		len -= n;
	}
	n = round_down(len, sizeof(c->stream));
	if (n) {
		chacha20_crypt(c->chacha, to, from, n);
		to += n;
		from += n;
		len -= n;
	}
	if (len) {
		memset(c->stream, 0, sizeof(c->stream));
		chacha20_crypt(c->chacha, c->stream, c->stream, sizeof(c->stream));
		crypto_xor_cpy(to, from, c->stream, len);
		c->used = len;
	}
}

static void ebpfs_poly_end(struct ebpfs_chachapoly *c, u32 clear, u32 text,
			   u8 tag[EBPFS_AEAD_TAG])
{
	__le64 lens[2] = { cpu_to_le64(clear), cpu_to_le64(text) };

	ebpfs_poly_pad(c, text ?: clear);
	poly1305_update(&c->poly, (const u8 *)lens, sizeof(lens));
	poly1305_final(&c->poly, tag);
}

static bool ebpfs_aead_gcm(const struct ebpfs_aead *a)
{
	return a->cipher == EBPFS_CIPHER_AES256_GCM;
}

/**
 * ebpfs_aead_begin() - a message
 * @cipher: enum ebpfs_cipher, ebpfs_aead_fast()
 * @key: of the message
 * @number: of it, see ebpfs_aead_seal()
 *
 * Return: this processor's, locked; ebpfs_aead_end(), ebpfs_aead_verify() or ebpfs_aead_drop()
 * has to follow.
 */
struct ebpfs_aead *ebpfs_aead_begin(u8 cipher, const u8 key[EBPFS_KEY_LEN], u64 number)
	__acquires(aead)
{
	struct ebpfs_aead *a;

	local_bh_disable();
	a = this_cpu_read(ebpfs_aead_cpu);
	spin_lock(&a->lock);
	a->cipher = cipher;
	a->clear = 0;
	a->text = 0;
	if (ebpfs_aead_gcm(a))
		ebpfs_gcm_begin(a->gcm, key, number);
	else
		ebpfs_poly_begin(&a->poly, key, number);
	return a;
}

static void ebpfs_aead_unlock(struct ebpfs_aead *a)
	__releases(aead)
{
	if (!ebpfs_aead_gcm(a))
		memzero_explicit(&a->poly, sizeof(a->poly));
	spin_unlock(&a->lock);
	local_bh_enable();
}

/* Bytes that are authenticated only; before all that are encrypted. */
void ebpfs_aead_clear(struct ebpfs_aead *a, const void *p, u32 len)
{
	if (!len)
		return;
	a->clear += len;
	if (ebpfs_aead_gcm(a))
		ebpfs_gcm_add_clear(a->gcm, p, len);
	else
		poly1305_update(&a->poly.poly, p, len);
}

static void ebpfs_aead_text(struct ebpfs_aead *a, u32 len)
{
	if (!a->text && !ebpfs_aead_gcm(a))
		ebpfs_poly_pad(&a->poly, a->clear);
	a->text += len;
}

/* The next piece of text, read once, and now. @to may be @from. */
void ebpfs_aead_encrypt(struct ebpfs_aead *a, u8 *to, const u8 *from, u32 len)
{
	if (!len)
		return;
	ebpfs_aead_text(a, len);
	if (ebpfs_aead_gcm(a)) {
		if (to != from)
			ebpfs_memcpy(to, from, len);
		ebpfs_gcm_add(a->gcm, to, len);
	} else {
		ebpfs_poly_stream(&a->poly, to, from, len);
		poly1305_update(&a->poly.poly, to, len);
	}
}

/* The next piece, in place: what is decrypted is what was authenticated, whoever else may
 * be writing to where it came from.
 */
void ebpfs_aead_decrypt(struct ebpfs_aead *a, u8 *p, u32 len)
{
	if (!len)
		return;
	ebpfs_aead_text(a, len);
	if (ebpfs_aead_gcm(a)) {
		ebpfs_gcm_add(a->gcm, p, len);
	} else {
		poly1305_update(&a->poly.poly, p, len);
		ebpfs_poly_stream(&a->poly, p, p, len);
	}
}

/* The message is complete: its tag. Return: false without memory; it is not encrypted then. */
bool ebpfs_aead_end(struct ebpfs_aead *a, u8 tag[EBPFS_AEAD_TAG])
	__releases(aead)
{
	bool good = true;

	if (ebpfs_aead_gcm(a))
		good = ebpfs_gcm_seal(a->gcm, a->clear, a->text, tag);
	else
		ebpfs_poly_end(&a->poly, a->clear, a->text, tag);
	ebpfs_aead_unlock(a);
	return good;
}

/* The message is complete: is this its tag? Return: as ebpfs_aead_open(). */
int ebpfs_aead_verify(struct ebpfs_aead *a, const u8 tag[EBPFS_AEAD_TAG])
	__releases(aead)
{
	u8 real[EBPFS_AEAD_TAG];
	int err;

	if (ebpfs_aead_gcm(a)) {
		err = ebpfs_gcm_open(a->gcm, a->clear, a->text, tag);
	} else {
		ebpfs_poly_end(&a->poly, a->clear, a->text, real);
		err = ebpfs_equal(real, tag, sizeof(real)) ? 0 : -EBADMSG;
	}
	ebpfs_aead_unlock(a);
	return err;
}

/* The message is given up instead. */
void ebpfs_aead_drop(struct ebpfs_aead *a)
	__releases(aead)
{
	if (ebpfs_aead_gcm(a))
		ebpfs_gcm_drop(a->gcm);
	ebpfs_aead_unlock(a);
}

bool ebpfs_aead_seal(u8 *to, u8 tag[EBPFS_AEAD_TAG], u8 cipher, const u8 key[EBPFS_KEY_LEN],
		     u64 number, struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	struct ebpfs_aead *a = ebpfs_aead_begin(cipher, key, number);

	ebpfs_aead_clear(a, clear.data, clear.len);
	ebpfs_aead_encrypt(a, to, from, len);
	return ebpfs_aead_end(a, tag);
}

int ebpfs_aead_open(u8 *to, const u8 tag[EBPFS_AEAD_TAG], u8 cipher, const u8 key[EBPFS_KEY_LEN],
		    u64 number, struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	struct ebpfs_aead *a = ebpfs_aead_begin(cipher, key, number);

	ebpfs_aead_clear(a, clear.data, clear.len);
	if (to != from)
		memcpy(to, from, len);
	ebpfs_aead_decrypt(a, to, len);
	return ebpfs_aead_verify(a, tag);
}

bool ebpfs_aead_fast(u8 cipher)
{
	return cipher == EBPFS_CIPHER_CHACHA20_POLY1305 ||
	       (cipher == EBPFS_CIPHER_AES256_GCM && ebpfs_gcm_is_fast);
}

void ebpfs_aead_forget(u8 cipher, const u8 key[EBPFS_KEY_LEN])
{
	static const u8 none[EBPFS_KEY_LEN];
	unsigned int cpu;

	/* Some senders have no key. */
	if (cipher != EBPFS_CIPHER_AES256_GCM || !ebpfs_gcm_is_fast || ebpfs_same_key(key, none))
		return;
	for_each_possible_cpu(cpu) {
		struct ebpfs_aead *a = per_cpu(ebpfs_aead_cpu, cpu);

		spin_lock_bh(&a->lock);
		ebpfs_gcm_forget(a->gcm, key);
		spin_unlock_bh(&a->lock);
	}
}

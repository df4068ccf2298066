// SPDX-License-Identifier: GPL-2.0
/*
 * What core/platform.h asks of user space: CRC32C by ISA-L; BLAKE2s, the ciphers and
 * constant-time comparison by OpenSSL; X25519 by libsodium, and tags (tag.h), since
 * OpenSSL takes three times as long around a message as short as a file handle.
 *
 * All of it may be called from any thread. Algorithms are looked up once per process and
 * their working memory is kept per thread. There is no way to go on without it, and the callers
 * have no way to hear of a failure: without memory, or with an OpenSSL that lacks it, the
 * process says so and ends.
 */
#include <stdio.h>
#include <stdlib.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#include <asm/hwcap.h>
#endif

#include <isa-l/crc.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <sodium/core.h>
#include <sodium/crypto_scalarmult.h>
#include <sodium/crypto_shorthash_siphash24.h>

#include "core/platform.h"
#include "tag.h"

#define CIPHERS	2	/* enum ebpfs_cipher */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t memory_key;	/* frees it at the thread's end */
static EVP_MAC *blake2s;
static EVP_MD *blake2s_plain;
static __thread EVP_MAC_CTX *memory;

/**
 * struct keyed - a cipher's context that has a key
 * @ctx: its memory, which is made once
 * @key: that it has
 * @generation: of all keys, when it got this one
 * @set: it has one
 *
 * Of each thread, for each cipher and direction: most messages have the key of the one before.
 */
struct keyed {
	EVP_CIPHER_CTX *ctx;
	u8 key[EBPFS_KEY_LEN];
	unsigned int generation;
	bool set;
};

static EVP_CIPHER *ciphers[CIPHERS];	/* by enum ebpfs_cipher */
static __thread struct keyed keyed[CIPHERS][2];

/* One more whenever a key is forgotten: then no thread goes on with one that it has. */
static unsigned int generation;

static _Noreturn void fail(const char *what)
{
	char reason[160] = "out of memory";

	if (ERR_peek_last_error())
		ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
	fprintf(stderr, "ebpfs: cannot %s: %s. Check libssl3 and memory limits\n",
		what, reason);
	abort();
}

static void free_memory(void *arg)
{
	EVP_MAC_CTX_free(arg);
	for (int i = 0; i < CIPHERS; i++)
		for (int seal = 0; seal < 2; seal++)
			EVP_CIPHER_CTX_free(keyed[i][seal].ctx);
	explicit_bzero(keyed, sizeof(keyed));
}

static void prepare(void)
{
	blake2s = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	if (!blake2s)
		fail("find BLAKE2SMAC in OpenSSL");
	blake2s_plain = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
	if (!blake2s_plain)
		fail("find BLAKE2S-256 in OpenSSL");
	ciphers[EBPFS_CIPHER_CHACHA20_POLY1305] = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	ciphers[EBPFS_CIPHER_AES256_GCM] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (!ciphers[0] || !ciphers[1])
		fail("find ChaCha20-Poly1305 and AES-256-GCM in OpenSSL");
	if (pthread_key_create(&memory_key, free_memory))
		fail("make a thread key");
}

/* It chooses what this processor is best at; without, it takes what any can. */
static __attribute__((constructor)) void begin(void)
{
	if (sodium_init() < 0)
		fail("start libsodium");
}

/* This thread's working memory. */
static EVP_MAC_CTX *thread_memory(void)
{
	if (memory)
		return memory;
	pthread_once(&once, prepare);
	memory = EVP_MAC_CTX_new(blake2s);
	if (!memory || pthread_setspecific(memory_key, memory))
		fail("prepare a thread");
	return memory;
}

/* ISA-L counts in int, and only reads in spite of its prototype. */
#define CRC_MOST	(1u << 30)

static __attribute__((noinline)) u32 crc_of_much(u32 crc, const u8 *p, size_t len)
{
	for (; len > CRC_MOST; p += CRC_MOST, len -= CRC_MOST)
		crc = crc32_iscsi((u8 *)p, CRC_MOST, crc);
	return len ? crc32_iscsi((u8 *)p, (int)len, crc) : crc;
}

u32 ebpfs_crc32c(u32 crc, const void *data, size_t len)
{
	if (!len || len > CRC_MOST)
		return crc_of_much(crc, data, len);
	return crc32_iscsi((u8 *)data, (int)len, crc);
}

bool ebpfs_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void ebpfs_mac(u8 out[EBPFS_MAC_LEN], const u8 key[EBPFS_SECRET_LEN],
	       const struct ebpfs_bytes *parts, unsigned int n)
{
	EVP_MAC_CTX *ctx = thread_memory();
	size_t size = EBPFS_MAC_LEN;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};
	unsigned int i;

	if (!EVP_MAC_init(ctx, key, EBPFS_SECRET_LEN, params))
		fail("start BLAKE2SMAC");
	for (i = 0; i < n; i++)
		if (!EVP_MAC_update(ctx, parts[i].data, parts[i].len))
			fail("compute BLAKE2SMAC");
	if (!EVP_MAC_final(ctx, out, &size, EBPFS_MAC_LEN) || size != EBPFS_MAC_LEN)
		fail("finish BLAKE2SMAC");
}

/* Handshakes only: what it costs to make a context each time does not matter. */
void ebpfs_hash(u8 out[EBPFS_HASH_LEN], const struct ebpfs_bytes *parts, unsigned int n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned int i;

	pthread_once(&once, prepare);
	if (!ctx || !EVP_DigestInit_ex2(ctx, blake2s_plain, NULL))
		fail("start BLAKE2S-256");
	for (i = 0; i < n; i++)
		if (!EVP_DigestUpdate(ctx, parts[i].data, parts[i].len))
			fail("compute BLAKE2S-256");
	if (!EVP_DigestFinal_ex(ctx, out, NULL))
		fail("finish BLAKE2S-256");
	EVP_MD_CTX_free(ctx);
}

bool ebpfs_dh_public(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN])
{
	return !crypto_scalarmult_base(out, own);
}

bool ebpfs_dh(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN], const u8 theirs[EBPFS_KEY_LEN])
{
	return !crypto_scalarmult(out, own, theirs);
}

/* This thread's context for messages of @key. */
static EVP_CIPHER_CTX *with_key(u8 cipher, const u8 key[EBPFS_KEY_LEN], bool seal)
{
	struct keyed *k = &keyed[cipher][seal];
	unsigned int now = READ_ONCE(generation);

	if (!k->ctx) {
		thread_memory();	/* which makes that this is freed, too */
		k->ctx = EVP_CIPHER_CTX_new();
		if (!k->ctx)
			fail("prepare a cipher");
	}
	if (k->set && k->generation == now && ebpfs_same_key(k->key, key))
		return k->ctx;
	if (!EVP_CipherInit_ex2(k->ctx, ciphers[cipher], key, NULL, seal, NULL))
		fail("set a key");
	memcpy(k->key, key, EBPFS_KEY_LEN);
	k->generation = now;
	k->set = true;
	return k->ctx;
}

/* All of a message but its tag; false if that is wrong. */
static bool compute(EVP_CIPHER_CTX *ctx, u8 *to, u64 number, struct ebpfs_bytes clear,
		    const u8 *from, u32 len)
{
	const __le64 n = cpu_to_le64(number);
	u8 nonce[12] = { 0 };
	int done;

	memcpy(nonce + 4, &n, sizeof(n));
	if (!EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) ||
	    (clear.len && !EVP_CipherUpdate(ctx, NULL, &done, clear.data, (int)clear.len)) ||
	    (len && !EVP_CipherUpdate(ctx, to, &done, from, (int)len)))
		fail("compute a message");
	return EVP_CipherFinal_ex(ctx, nonce, &done) > 0;
}

bool ebpfs_aead_seal(u8 *to, u8 tag[EBPFS_AEAD_TAG], u8 cipher, const u8 key[EBPFS_KEY_LEN],
		     u64 number, struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	EVP_CIPHER_CTX *ctx = with_key(cipher, key, true);

	if (!compute(ctx, to, number, clear, from, len) ||
	    !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, EBPFS_AEAD_TAG, tag))
		fail("finish a message");
	return true;
}

int ebpfs_aead_open(u8 *to, const u8 tag[EBPFS_AEAD_TAG], u8 cipher, const u8 key[EBPFS_KEY_LEN],
		    u64 number, struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	EVP_CIPHER_CTX *ctx = with_key(cipher, key, false);

	if (!EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, EBPFS_AEAD_TAG, (u8 *)tag))
		fail("begin a message");
	return compute(ctx, to, number, clear, from, len) ? 0 : -EBADMSG;
}

bool ebpfs_aead_fast(u8 cipher)
{
#if defined(__x86_64__)
	if (cipher == EBPFS_CIPHER_AES256_GCM)
		return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
	if (cipher == EBPFS_CIPHER_AES256_GCM)
		return (getauxval(AT_HWCAP) & (HWCAP_AES | HWCAP_PMULL)) ==
		       (HWCAP_AES | HWCAP_PMULL);
#endif
	return cipher == EBPFS_CIPHER_CHACHA20_POLY1305;
}

/* Each thread overwrites its keys when it has its next message. */
void ebpfs_aead_forget(u8 cipher, const u8 key[EBPFS_KEY_LEN])
{
	(void)cipher;
	(void)key;
	__atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
}

void ebpfs_tag(u8 out[EBPFS_TAG_LEN], const u8 key[EBPFS_TAG_KEY_LEN],
	       const struct ebpfs_bytes *parts, unsigned int n)
{
	u8 few[1024], *all = few;
	size_t len = 0;
	unsigned int i;

	if (n == 1) {
		crypto_shorthash_siphashx24(out, parts[0].data, parts[0].len, key);
		return;
	}
	for (i = 0; i < n; i++)
		len += parts[i].len;
	if (len > sizeof(few))
		all = malloc(len);
	if (!all)
		fail("find memory for a tag");
	*all = 0;	/* there may be nothing */
	for (i = 0, len = 0; i < n; len += parts[i++].len)
		if (parts[i].len)
			memcpy(all + len, parts[i].data, parts[i].len);
	crypto_shorthash_siphashx24(out, all, len, key);
	if (all != few)
		free(all);
}

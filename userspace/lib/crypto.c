// SPDX-License-Identifier: GPL-2.0
/*
 * What core/platform.h asks of user space: CRC32C by ISA-L; BLAKE2s and constant-time
 * comparison by OpenSSL; X25519 and ChaCha20-Poly1305 by libsodium, and tags (tag.h), since
 * OpenSSL takes three times as long around a message as short as a file handle.
 *
 * All of it may be called from any thread. BLAKE2s is looked up once per process and its
 * working memory is kept per thread. There is no way to go on without it, and the callers
 * have no way to hear of a failure: without memory, or with an OpenSSL that lacks it, the
 * process says so and ends.
 */
#include <stdio.h>
#include <stdlib.h>

#include <isa-l/crc.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <sodium/core.h>
#include <sodium/crypto_aead_chacha20poly1305.h>
#include <sodium/crypto_scalarmult.h>
#include <sodium/crypto_shorthash_siphash24.h>

#include "core/platform.h"
#include "tag.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t memory_key;	/* frees it at the thread's end */
static EVP_MAC *blake2s;
static EVP_MD *blake2s_plain;
static __thread EVP_MAC_CTX *memory;

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
}

static void prepare(void)
{
	blake2s = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	if (!blake2s)
		fail("find BLAKE2SMAC in OpenSSL");
	blake2s_plain = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
	if (!blake2s_plain)
		fail("find BLAKE2S-256 in OpenSSL");
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

static void put_nonce(u8 nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], u64 number)
{
	const __le64 n = cpu_to_le64(number);

	memset(nonce, 0, 4);
	memcpy(nonce + 4, &n, sizeof(n));
}

void ebpfs_aead_seal(u8 *to, u8 tag[EBPFS_AEAD_TAG], const u8 key[EBPFS_KEY_LEN], u64 number,
		     struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	u8 nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	put_nonce(nonce, number);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(to, tag, NULL, from, len, clear.data,
							   clear.len, NULL, nonce, key);
}

bool ebpfs_aead_open(u8 *to, const u8 tag[EBPFS_AEAD_TAG], const u8 key[EBPFS_KEY_LEN],
		     u64 number, struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	u8 nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	put_nonce(nonce, number);
	return !crypto_aead_chacha20poly1305_ietf_decrypt_detached(to, NULL, from, len, tag,
								   clear.data, clear.len, nonce,
								   key);
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

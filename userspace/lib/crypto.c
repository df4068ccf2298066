// SPDX-License-Identifier: GPL-2.0
/*
 * What core/platform.h asks of user space: CRC32C by ISA-L, keyed BLAKE2s and
 * constant-time comparison by OpenSSL; and tags (tag.h) by libsodium, since OpenSSL takes
 * three times as long around a message as short as a file handle.
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

#include <sodium/crypto_shorthash_siphash24.h>

#include "core/platform.h"
#include "tag.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t memory_key;	/* frees it at the thread's end */
static EVP_MAC *blake2s;
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
	if (pthread_key_create(&memory_key, free_memory))
		fail("make a thread key");
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

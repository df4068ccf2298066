// SPDX-License-Identifier: GPL-2.0
/*
 * What core/platform.h asks of user space: CRC32C by ISA-L, keyed BLAKE2s and
 * constant-time comparison by OpenSSL.
 *
 * All of it may be called from any thread. The MAC's algorithm is looked up
 * once per process and its working memory is kept per thread, because the
 * daemon computes one MAC for every file handle it sees. There is no way to go
 * on without a MAC, and the callers have no way to hear of a failure: without
 * memory, or with an OpenSSL that lacks BLAKE2s, the process says so and ends.
 */
#include <stdio.h>
#include <stdlib.h>

#include <isa-l/crc.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/platform.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t ctx_key;
static EVP_MAC *algorithm;

static _Noreturn void fail(const char *what)
{
	char reason[160] = "out of memory";

	if (ERR_peek_last_error())
		ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
	fprintf(stderr, "ebpfs: cannot %s: %s. Check libssl3 and memory limits\n",
		what, reason);
	abort();
}

static void free_ctx(void *ctx)
{
	EVP_MAC_CTX_free(ctx);
}

static void prepare(void)
{
	algorithm = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	if (!algorithm)
		fail("find BLAKE2SMAC in OpenSSL");
	if (pthread_key_create(&ctx_key, free_ctx))
		fail("make a thread key");
}

/* This thread's working memory. */
static EVP_MAC_CTX *thread_ctx(void)
{
	EVP_MAC_CTX *ctx;

	pthread_once(&once, prepare);
	ctx = pthread_getspecific(ctx_key);
	if (!ctx) {
		ctx = EVP_MAC_CTX_new(algorithm);
		if (!ctx || pthread_setspecific(ctx_key, ctx))
			fail("prepare BLAKE2SMAC");
	}
	return ctx;
}

u32 ebpfs_crc32c(u32 crc, const void *data, size_t len)
{
	unsigned char *p = (unsigned char *)data;
	const int most = 1 << 30;

	/* ISA-L counts in int, and only reads in spite of its prototype. */
	for (; len > (size_t)most; p += most, len -= (size_t)most)
		crc = crc32_iscsi(p, most, crc);
	return len ? crc32_iscsi(p, (int)len, crc) : crc;
}

bool ebpfs_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void ebpfs_mac(u8 out[EBPFS_MAC_LEN], const u8 key[EBPFS_SECRET_LEN],
	       const struct ebpfs_bytes *parts, unsigned int n)
{
	EVP_MAC_CTX *ctx = thread_ctx();
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

// SPDX-License-Identifier: GPL-2.0
/*
 * AES256-GCM without vector registers, for the few messages of gcm.c that come while those
 * are taken: a softirq that interrupted a task amid dm-crypt, WireGuard or RAID. It is slow,
 * but a message that is given up costs a retransmission.
 *
 * NIST SP 800-38D, with an IV of 96 bits. AES and the multiplication are the kernel's
 * library's, which take the same time whatever the key and the text.
 *
 * Context: any.
 */
#include <crypto/utils.h>
#include <linux/scatterlist.h>
#include <linux/string.h>

#include "gcm_soft.h"

/**
 * ebpfs_gcm_soft_key() - a message's key
 * @s: message
 * @key: of it
 */
void ebpfs_gcm_soft_key(struct ebpfs_gcm_soft *s, const u8 key[EBPFS_KEY_LEN])
{
	BUILD_BUG_ON(EBPFS_KEY_LEN != AES_KEYSIZE_256 || EBPFS_AEAD_TAG != AES_BLOCK_SIZE);
	/* It fails with other lengths of keys only. */
	WARN_ON_ONCE(aes_expandkey(&s->aes, key, EBPFS_KEY_LEN));
	memset(&s->h, 0, sizeof(s->h));
	aes_encrypt(&s->aes, (u8 *)&s->h, (u8 *)&s->h);
	memset(&s->hash, 0, sizeof(s->hash));
	s->hashed = 0;
}

static void ebpfs_ghash_end(struct ebpfs_gcm_soft *s)
{
	if (!s->hashed)
		return;
	gf128mul_lle(&s->hash, &s->h);
	s->hashed = 0;
}

static void ebpfs_ghash(struct ebpfs_gcm_soft *s, const u8 *p, u32 len)
{
	u32 n;

	for (; len; len -= n, p += n) {
		n = min_t(u32, len, AES_BLOCK_SIZE - s->hashed);
		crypto_xor((u8 *)&s->hash + s->hashed, p, n);
		s->hashed += n;
		if (s->hashed == AES_BLOCK_SIZE)
			ebpfs_ghash_end(s);
	}
}

/* With the key stream, of whose last block @s->used bytes are used up. */
static void ebpfs_gcm_soft_ctr(struct ebpfs_gcm_soft *s, u8 *p, u32 len)
{
	u32 n;

	for (; len; len -= n, p += n) {
		if (s->used == AES_BLOCK_SIZE) {
			be32_add_cpu(&s->counter.number, 1);
			aes_encrypt(&s->aes, s->stream, (const u8 *)&s->counter);
			s->used = 0;
		}
		n = min_t(u32, len, AES_BLOCK_SIZE - s->used);
		crypto_xor(p, s->stream + s->used, n);
		s->used += n;
	}
}

static void ebpfs_gcm_soft_text(struct ebpfs_gcm_soft *s, u8 *p, u32 len, bool seal)
{
	if (!seal)
		ebpfs_ghash(s, p, len);
	ebpfs_gcm_soft_ctr(s, p, len);
	if (seal)
		ebpfs_ghash(s, p, len);
}

/**
 * ebpfs_gcm_soft_run() - all of the message, where it lies
 * @s: message, with its key
 * @iv: of it
 * @sg: its pieces, none of them in high memory
 * @clear: its first bytes, which are only authenticated
 * @text: those that follow; becomes ciphertext, or plaintext
 * @seal: which
 * @tag: out: what it is, or should be
 *
 * The caller wipes @s, which still has the key.
 */
void ebpfs_gcm_soft_run(struct ebpfs_gcm_soft *s, const u8 iv[GCM_AES_IV_SIZE],
			struct scatterlist *sg, u32 clear, u32 text, bool seal,
			u8 tag[EBPFS_AEAD_TAG])
{
	__be64 lens[2] = { cpu_to_be64(8ull * clear), cpu_to_be64(8ull * text) };
	u32 n, in = 0, left = clear;

	memcpy(s->counter.iv, iv, sizeof(s->counter.iv));
	s->counter.number = cpu_to_be32(1);
	aes_encrypt(&s->aes, tag, (const u8 *)&s->counter);
	s->used = AES_BLOCK_SIZE;
	for (; left; left -= n, in += n) {
		if (in == sg->length) {
			sg++;
			in = 0;
		}
		n = min(left, sg->length - in);
		ebpfs_ghash(s, sg_virt(sg) + in, n);
	}
	ebpfs_ghash_end(s);
	for (left = text; left; left -= n, in += n) {
		if (in == sg->length) {
			sg++;
			in = 0;
		}
		n = min(left, sg->length - in);
		ebpfs_gcm_soft_text(s, sg_virt(sg) + in, n, seal);
	}
	ebpfs_ghash_end(s);
	ebpfs_ghash(s, (const u8 *)lens, sizeof(lens));
	crypto_xor(tag, (const u8 *)&s->hash, EBPFS_AEAD_TAG);
}

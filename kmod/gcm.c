// SPDX-License-Identifier: GPL-2.0
/*
 * AES256-GCM by the kernel's crypto API, for aead.h.
 *
 * The API makes an object of each key. Sessions have many keys, get others while they go on
 * and use them in softirq, where objects cannot be made. So every processor has two for good,
 * and a message takes the one that has its key, or sets it: a copy of a large file is
 * one key in each direction. What a key left there is overwritten once nobody uses it
 * (ebpfs_gcm_forget()).
 *
 * A message's pieces go into a table that is ready for them, since a datagram may be as short
 * as a packet: what is done around it counts as much as the cipher.
 *
 * Before Linux 6.16 x86 has the instructions behind a wrapper that may put off a message until
 * a thread runs, which is no use here; what it wraps is asked for by its own name, and works
 * where vector registers may be touched. That is nearly always. What a softirq has
 * while it interrupts their use is left to gcm_soft.c.
 *
 * Context: process and softirq, with the lock of the processor's struct ebpfs_aead held, but
 * for ebpfs_gcm_probe(), ebpfs_gcm_make() and ebpfs_gcm_free(), which sleep.
 */
#include <asm/simd.h>
#include <crypto/aead.h>
#include <crypto/internal/simd.h>
#include <linux/kmod.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "aead.h"
#include "gcm_soft.h"
#include "stats.h"

#define EBPFS_GCM_HEAD	96	/* bytes of heads that are copied */
#define EBPFS_GCM_FEW	21	/* a message of 64 KiB in pages, its head and its tag */

/**
 * struct ebpfs_gcm_keyed - one key, as the API wants it
 * @tfm: with it
 * @key: which; zeroes: none
 */
struct ebpfs_gcm_keyed {
	struct crypto_aead *tfm;
	u8 key[EBPFS_KEY_LEN];
};

/**
 * struct ebpfs_gcm - what a processor works with, and its message in the making
 * @keyed: the instructions, with a key each
 * @last: of @keyed was used last
 * @req: for any of them
 * @failed: there was no memory for the message, or its key cannot be set
 * @soft: the message is made without vector registers, in @softly
 * @n: pieces
 * @room: for so many, and for the tag
 * @sg: the pieces: @few, or memory of our own. No entry is marked as the last
 * @end: behind the last piece, if what lies there could be part of it; or NULL
 * @used: bytes of @head
 * @head: copies of small pieces
 * @tag: of the message
 * @iv: of it; the first bytes stay 0
 * @few: mostly enough
 * @softly: holds a key until the message's end
 */
struct ebpfs_gcm {
	struct ebpfs_gcm_keyed keyed[2];
	u8 last;
	struct aead_request *req;
	bool failed;
	bool soft;
	u32 n;
	u32 room;
	struct scatterlist *sg;
	const u8 *end;
	u32 used;
	u8 head[EBPFS_GCM_HEAD];
	u8 tag[EBPFS_AEAD_TAG];
	u8 iv[GCM_AES_IV_SIZE];
	struct scatterlist few[EBPFS_GCM_FEW];
	struct ebpfs_gcm_soft softly;
};

static bool ebpfs_gcm_wrapped;	/* the instructions are used without their wrapper */
static const u8 ebpfs_gcm_no_key[EBPFS_KEY_LEN];

static struct crypto_aead *ebpfs_gcm_alloc(const char *name, u32 type)
{
	struct crypto_aead *tfm = crypto_alloc_aead(name, type, type | CRYPTO_ALG_ASYNC);

	if (!IS_ERR(tfm) && (crypto_aead_ivsize(tfm) != GCM_AES_IV_SIZE ||
			     crypto_aead_setauthsize(tfm, EBPFS_AEAD_TAG))) {
		crypto_free_aead(tfm);
		return ERR_PTR(-ENOENT);
	}
	return tfm;
}

static struct crypto_aead *ebpfs_gcm_alloc_fast(void)
{
	return ebpfs_gcm_wrapped ? ebpfs_gcm_alloc("__gcm(aes)", CRYPTO_ALG_INTERNAL) :
				   ebpfs_gcm_alloc("gcm(aes)", 0);
}

/* What ebpfs_gcm_make() made, or NULL. */
void ebpfs_gcm_free(struct ebpfs_gcm *g)
{
	unsigned int i;

	if (!g)
		return;
	for (i = 0; i < ARRAY_SIZE(g->keyed); i++)
		if (!IS_ERR_OR_NULL(g->keyed[i].tfm))
			crypto_free_aead(g->keyed[i].tfm);
	kfree_sensitive(g->req);
	kfree_sensitive(g);
}

/* A table without an end, into which pieces are put. */
static void ebpfs_gcm_table(struct scatterlist *sg, u32 n)
{
	sg_init_table(sg, n);
	sg_unmark_end(&sg[n - 1]);
}

/**
 * ebpfs_gcm_make() - what processor @cpu works with
 * @cpu: which
 *
 * Return: it is the caller's; or an error pointer.
 */
struct ebpfs_gcm *ebpfs_gcm_make(unsigned int cpu)
{
	struct ebpfs_gcm *g = kzalloc_node(sizeof(*g), GFP_KERNEL, cpu_to_node(cpu));
	unsigned int i, room = 0;
	long err = -ENOMEM;

	if (!g)
		return ERR_PTR(err);
	for (i = 0; i < ARRAY_SIZE(g->keyed); i++) {
		g->keyed[i].tfm = ebpfs_gcm_alloc_fast();
		if (IS_ERR(g->keyed[i].tfm)) {
			err = PTR_ERR(g->keyed[i].tfm);
			goto err_free;
		}
		room = crypto_aead_reqsize(g->keyed[i].tfm);
	}
	g->req = kzalloc_node(sizeof(*g->req) + room, GFP_KERNEL, cpu_to_node(cpu));
	if (!g->req)
		goto err_free;
	g->sg = g->few;
	g->room = ARRAY_SIZE(g->few) - 1;
	ebpfs_gcm_table(g->few, ARRAY_SIZE(g->few));
	return g;

err_free:
	ebpfs_gcm_free(g);
	return ERR_PTR(err);
}

/**
 * ebpfs_gcm_probe() - once, before all else
 *
 * Return: has the processor instructions for it, and the kernel code that uses them?
 */
bool ebpfs_gcm_probe(void)
{
	struct crypto_aead *tfm;
	const char *driver;
	bool fast;

	/* What has the instructions may be a module, which has this name besides. */
	request_module("crypto-aes");
	ebpfs_gcm_wrapped = true;
	tfm = ebpfs_gcm_alloc_fast();
	if (IS_ERR(tfm)) {
		ebpfs_gcm_wrapped = false;
		tfm = ebpfs_gcm_alloc_fast();
	}
	if (IS_ERR(tfm))
		return false;
	/* What is put together of parts, or made of tables, is not meant. */
	driver = crypto_aead_driver_name(tfm);
	fast = !strchr(driver, '(') && !strstr(driver, "lib") &&
	       (!strstr(driver, "generic") || strstr(driver, "aesni") || strstr(driver, "vaes"));
	crypto_free_aead(tfm);
	return fast;
}

static bool ebpfs_gcm_set(struct ebpfs_gcm_keyed *k, const u8 key[EBPFS_KEY_LEN])
{
	if (crypto_aead_setkey(k->tfm, key, EBPFS_KEY_LEN)) {
		memzero_explicit(k->key, sizeof(k->key));
		return false;
	}
	memcpy(k->key, key, sizeof(k->key));
	return true;
}

/**
 * ebpfs_gcm_forget() - a key that nobody uses any more
 * @g: of a processor, any
 * @key: is overwritten if it is known there
 */
void ebpfs_gcm_forget(struct ebpfs_gcm *g, const u8 key[EBPFS_KEY_LEN])
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(g->keyed); i++)
		if (ebpfs_same_key(g->keyed[i].key, key))
			ebpfs_gcm_set(&g->keyed[i], ebpfs_gcm_no_key);
}

/* With this key. False: it cannot be set. */
static bool ebpfs_gcm_with(struct ebpfs_gcm *g, const u8 key[EBPFS_KEY_LEN])
{
	if (likely(ebpfs_same_key(g->keyed[g->last].key, key)))
		return true;
	g->last = !g->last;
	return ebpfs_same_key(g->keyed[g->last].key, key) ||
	       ebpfs_gcm_set(&g->keyed[g->last], key);
}

/* Does the next message on this processor have the instructions? Else it takes very much longer
 * (gcm_soft.c), and who can should leave it.
 */
bool ebpfs_gcm_ready(void)
{
	return !ebpfs_gcm_wrapped || crypto_simd_usable();
}

/**
 * ebpfs_gcm_begin() - a message
 * @g: of this processor
 * @key: of it
 * @number: of it
 */
void ebpfs_gcm_begin(struct ebpfs_gcm *g, const u8 key[EBPFS_KEY_LEN], u64 number)
{
	const __le64 last = cpu_to_le64(number);

	memcpy(g->iv + sizeof(g->iv) - sizeof(last), &last, sizeof(last));
	g->soft = !ebpfs_gcm_ready();
	if (unlikely(g->soft)) {
		ebpfs_gcm_soft_key(&g->softly, key);
		ebpfs_stat_inc(ebpfs_global_stats, aes_soft);
	}
	g->failed = !g->soft && !ebpfs_gcm_with(g, key);
	g->n = 0;
	g->used = 0;
	g->end = NULL;
}

/* Twice the room for pieces. */
static noinline bool ebpfs_gcm_grow(struct ebpfs_gcm *g)
{
	u32 n = 2 * (g->room + 1);
	struct scatterlist *more;

	more = kmalloc_array(n, sizeof(*more), GFP_ATOMIC | __GFP_NOWARN);
	if (!more)
		return false;
	ebpfs_gcm_table(more, n);
	memcpy(more, g->sg, g->n * sizeof(*more));
	if (g->sg != g->few)
		kfree(g->sg);
	g->sg = more;
	g->room = n - 1;
	return true;
}

static inline void ebpfs_gcm_put(struct ebpfs_gcm *g, struct page *page, u32 len, u32 in)
{
	if (unlikely(g->n == g->room) && !ebpfs_gcm_grow(g)) {
		g->failed = true;
		return;
	}
	sg_set_page(&g->sg[g->n++], page, len, in);
}

/* As ebpfs_gcm_add(), where pages that are neighbours have nothing to do with each other. */
static noinline void ebpfs_gcm_add_mapped(struct ebpfs_gcm *g, const u8 *p, u32 len)
{
	u32 n;

	for (; len; len -= n, p += n) {
		n = min_t(u32, len, PAGE_SIZE - offset_in_page(p));
		ebpfs_gcm_put(g, vmalloc_to_page(p), n, offset_in_page(p));
	}
	g->end = NULL;
}

/**
 * ebpfs_gcm_add() - the next piece of the message
 * @g: message
 * @p: stays there until the end
 * @len: bytes, not 0
 */
void ebpfs_gcm_add(struct ebpfs_gcm *g, const void *p, u32 len)
{
	if (p == g->end) {
		g->sg[g->n - 1].length += len;
		g->end += len;
	} else if (unlikely(is_vmalloc_or_module_addr(p))) {
		ebpfs_gcm_add_mapped(g, p, len);
	} else {
		ebpfs_gcm_put(g, virt_to_page(p), len, offset_in_page(p));
		g->end = p + len;
	}
}

/* The same for bytes that only have to be read; they may be gone afterwards if they are few. */
void ebpfs_gcm_add_clear(struct ebpfs_gcm *g, const void *p, u32 len)
{
	if (len <= sizeof(g->head) - g->used) {
		p = memcpy(g->head + g->used, p, len);
		g->used += len;
	}
	ebpfs_gcm_add(g, p, len);
}

/* The message is over. */
void ebpfs_gcm_drop(struct ebpfs_gcm *g)
{
	if (unlikely(g->soft))
		memzero_explicit(&g->softly, sizeof(g->softly));
	if (likely(g->sg == g->few))
		return;
	kfree(g->sg);
	g->sg = g->few;
	g->room = ARRAY_SIZE(g->few) - 1;
}

/* As ebpfs_gcm_run(), without vector registers. */
static noinline int ebpfs_gcm_run_soft(struct ebpfs_gcm *g, u32 clear, u32 text, bool seal)
{
	u8 tag[EBPFS_AEAD_TAG];

	ebpfs_gcm_soft_run(&g->softly, g->iv, g->sg, clear, text, seal, tag);
	if (!seal)
		return ebpfs_equal(tag, g->tag, sizeof(tag)) ? 0 : -EBADMSG;
	memcpy(g->tag, tag, sizeof(tag));
	return 0;
}

/* The whole message, where it lies; @text: its bytes that are encrypted. Return: 0 or an error. */
static int ebpfs_gcm_run(struct ebpfs_gcm *g, u32 clear, u32 text, bool seal)
{
	struct scatterlist *last;
	int err = -ENOMEM;

	if (unlikely(g->failed))
		goto out;
	if (unlikely(g->soft)) {
		err = ebpfs_gcm_run_soft(g, clear, text, seal);
		goto out;
	}
	last = &g->sg[g->n];
	sg_set_buf(last, g->tag, sizeof(g->tag));
	sg_mark_end(last);
	aead_request_set_tfm(g->req, g->keyed[g->last].tfm);
	aead_request_set_callback(g->req, 0, NULL, NULL);
	aead_request_set_ad(g->req, clear);
	aead_request_set_crypt(g->req, g->sg, g->sg, seal ? text : text + sizeof(g->tag), g->iv);
	err = seal ? crypto_aead_encrypt(g->req) : crypto_aead_decrypt(g->req);
	sg_unmark_end(last);
out:
	ebpfs_gcm_drop(g);
	return err;
}

/**
 * ebpfs_gcm_seal() - the message is complete
 * @g: message; is at its end
 * @clear: its first bytes, which are only authenticated
 * @text: those that follow, which are encrypted, too
 * @tag: out
 *
 * Return: false without memory.
 */
bool ebpfs_gcm_seal(struct ebpfs_gcm *g, u32 clear, u32 text, u8 tag[EBPFS_AEAD_TAG])
{
	if (ebpfs_gcm_run(g, clear, text, true))
		return false;
	memcpy(tag, g->tag, sizeof(g->tag));
	return true;
}

/* The same for one that was received. Return: as ebpfs_aead_open(). */
int ebpfs_gcm_open(struct ebpfs_gcm *g, u32 clear, u32 text, const u8 tag[EBPFS_AEAD_TAG])
{
	int err;

	memcpy(g->tag, tag, sizeof(g->tag));
	err = ebpfs_gcm_run(g, clear, text, false);
	return err && err != -EBADMSG ? -ENOMEM : err;
}

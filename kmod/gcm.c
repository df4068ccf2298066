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
 * Before Linux 6.16 x86 has the instructions behind a wrapper that may put off a message until
 * a thread runs, which is no use here; what it wraps is asked for by its own name, and works
 * where vector registers may be touched. That is nearly always. A message that a softirq has
 * while it interrupts their use is given up, and is sent again.
 *
 * Context: process and softirq but for ebpfs_gcm_init() and ebpfs_gcm_exit(), which sleep.
 */
#include <asm/simd.h>
#include <crypto/aead.h>
#include <crypto/internal/simd.h>
#include <linux/kmod.h>
#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "aead.h"

#define EBPFS_GCM_SG	(EBPFS_GCM_PIECES + 2)	/* and the tag, and a piece across pages */
#define EBPFS_GCM_IV	12

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
 * struct ebpfs_gcm_cpu - what a processor works with
 * @lock: of all of it
 * @keyed: the instructions, with a key each
 * @last: of @keyed was used last
 * @req: for any of them
 * @sg: the message
 * @head: its small pieces
 * @tag: of it
 * @iv: of it
 */
struct ebpfs_gcm_cpu {
	spinlock_t lock;
	struct ebpfs_gcm_keyed keyed[2];
	u8 last;
	struct aead_request *req;
	struct scatterlist sg[EBPFS_GCM_SG];
	u8 head[EBPFS_GCM_HEAD];
	u8 tag[EBPFS_AEAD_TAG];
	u8 iv[EBPFS_GCM_IV];
};

static DEFINE_PER_CPU(struct ebpfs_gcm_cpu *, ebpfs_gcm_cpu);
static bool ebpfs_gcm_is_fast;	/* there are all that are possible */
static bool ebpfs_gcm_wrapped;	/* the instructions are used without their wrapper */
static const u8 ebpfs_gcm_no_key[EBPFS_KEY_LEN];

static struct crypto_aead *ebpfs_gcm_alloc(const char *name, u32 type)
{
	struct crypto_aead *tfm = crypto_alloc_aead(name, type, type | CRYPTO_ALG_ASYNC);

	if (!IS_ERR(tfm) && (crypto_aead_ivsize(tfm) != EBPFS_GCM_IV ||
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

static void ebpfs_gcm_free_cpu(unsigned int cpu)
{
	struct ebpfs_gcm_cpu *c = per_cpu(ebpfs_gcm_cpu, cpu);
	unsigned int i;

	per_cpu(ebpfs_gcm_cpu, cpu) = NULL;
	if (!c)
		return;
	for (i = 0; i < ARRAY_SIZE(c->keyed); i++)
		if (!IS_ERR_OR_NULL(c->keyed[i].tfm))
			crypto_free_aead(c->keyed[i].tfm);
	kfree_sensitive(c->req);
	kfree_sensitive(c);
}

static int ebpfs_gcm_make_cpu(unsigned int cpu)
{
	struct ebpfs_gcm_cpu *c = kzalloc_node(sizeof(*c), GFP_KERNEL, cpu_to_node(cpu));
	unsigned int i, room = 0;

	if (!c)
		return -ENOMEM;
	per_cpu(ebpfs_gcm_cpu, cpu) = c;
	spin_lock_init(&c->lock);
	for (i = 0; i < ARRAY_SIZE(c->keyed); i++) {
		c->keyed[i].tfm = ebpfs_gcm_alloc_fast();
		if (IS_ERR(c->keyed[i].tfm))
			return PTR_ERR(c->keyed[i].tfm);
		room = crypto_aead_reqsize(c->keyed[i].tfm);
	}
	c->req = kzalloc_node(sizeof(*c->req) + room, GFP_KERNEL, cpu_to_node(cpu));
	return c->req ? 0 : -ENOMEM;
}

/* Has the processor instructions for it, and the kernel code that uses them? */
static bool ebpfs_gcm_probe(void)
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

/**
 * ebpfs_gcm_init() - once, when the module is loaded
 *
 * Return: 0, also where there are no instructions for it; or -ENOMEM.
 */
int ebpfs_gcm_init(void)
{
	unsigned int cpu;
	int err = 0;

	if (!ebpfs_gcm_probe())
		return 0;
	for_each_possible_cpu(cpu) {
		err = ebpfs_gcm_make_cpu(cpu);
		if (err)
			break;
	}
	ebpfs_gcm_is_fast = !err;
	if (err)
		ebpfs_gcm_exit();
	return err == -ENOMEM ? err : 0;
}

void ebpfs_gcm_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		ebpfs_gcm_free_cpu(cpu);
}

/* May sessions have it here? */
bool ebpfs_gcm_fast(void)
{
	return ebpfs_gcm_is_fast;
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
 * @key: is overwritten wherever it is known
 */
void ebpfs_gcm_forget(const u8 key[EBPFS_KEY_LEN])
{
	unsigned int cpu, i;

	if (!ebpfs_gcm_is_fast)
		return;
	for_each_possible_cpu(cpu) {
		struct ebpfs_gcm_cpu *c = per_cpu(ebpfs_gcm_cpu, cpu);

		spin_lock_bh(&c->lock);
		for (i = 0; i < ARRAY_SIZE(c->keyed); i++)
			if (ebpfs_equal(c->keyed[i].key, key, EBPFS_KEY_LEN))
				ebpfs_gcm_set(&c->keyed[i], ebpfs_gcm_no_key);
		spin_unlock_bh(&c->lock);
	}
}

/* With this key, on this processor. NULL: it cannot be set; or an interrupt found a task amid
 * its vector registers, where the kernel's general code, which may sleep when it gets a key,
 * would be all there is. As without memory, the message is lost, and sent again.
 */
static struct crypto_aead *ebpfs_gcm_with(struct ebpfs_gcm_cpu *c, const u8 key[EBPFS_KEY_LEN])
{
	unsigned int i;

	if (ebpfs_gcm_wrapped && unlikely(!crypto_simd_usable()))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(c->keyed); i++)
		if (ebpfs_equal(c->keyed[i].key, key, EBPFS_KEY_LEN))
			break;
	if (i == ARRAY_SIZE(c->keyed)) {
		i = !c->last;
		if (!ebpfs_gcm_set(&c->keyed[i], key))
			return NULL;
	}
	c->last = i;
	return c->keyed[i].tfm;
}

void ebpfs_gcm_begin(struct ebpfs_gcm *g, const u8 key[EBPFS_KEY_LEN], u64 number)
{
	g->key = key;
	g->number = number;
	g->used = 0;
	g->n = 0;
	g->room = ARRAY_SIZE(g->few);
	g->failed = false;
	g->pieces = g->few;
}

/* Twice the room for pieces. */
static noinline bool ebpfs_gcm_grow(struct ebpfs_gcm *g)
{
	struct ebpfs_gcm_piece *more;

	more = kmalloc_array(2 * g->room, sizeof(*more), GFP_ATOMIC | __GFP_NOWARN);
	if (!more)
		return false;
	memcpy(more, g->pieces, g->n * sizeof(*more));
	if (g->pieces != g->few)
		kfree(g->pieces);
	g->pieces = more;
	g->room *= 2;
	return true;
}

/**
 * ebpfs_gcm_add() - the next piece of the message
 * @g: message
 * @p: stays there until the end; small ones are copied
 * @len: bytes
 */
void ebpfs_gcm_add(struct ebpfs_gcm *g, const void *p, u32 len)
{
	struct ebpfs_gcm_piece *last = g->n ? &g->pieces[g->n - 1] : NULL;

	if (g->failed || !len)
		return;
	if (last && last->p + last->len == p) {
		last->len += len;
		return;
	}
	if (g->n == g->room && !ebpfs_gcm_grow(g)) {
		g->failed = true;
		return;
	}
	g->pieces[g->n++] = (struct ebpfs_gcm_piece){ .p = (u8 *)p, .len = len };
}

/* The same for bytes that only have to be read; they may be gone afterwards if they are few. */
void ebpfs_gcm_add_clear(struct ebpfs_gcm *g, const void *p, u32 len)
{
	if (len > sizeof(g->head) - g->used) {
		ebpfs_gcm_add(g, p, len);
		return;
	}
	memcpy(g->head + g->used, p, len);
	ebpfs_gcm_add(g, g->head + g->used, len);
	g->used += len;
}

void ebpfs_gcm_drop(struct ebpfs_gcm *g)
{
	if (g->pieces != g->few)
		kfree(g->pieces);
}

/* Bytes at @p as entries of the table that begin at @sg; NULL: only count. Returns how many. */
static u32 ebpfs_gcm_map(struct scatterlist *sg, u8 *p, u32 len)
{
	u32 n = 0, here;

	if (!is_vmalloc_or_module_addr(p)) {
		if (sg)
			sg_set_page(sg, virt_to_page(p), len, offset_in_page(p));
		return 1;
	}
	for (; len; len -= here, p += here, n++) {
		here = min_t(u32, len, PAGE_SIZE - offset_in_page(p));
		if (sg)
			sg_set_page(sg + n, vmalloc_to_page(p), here, offset_in_page(p));
	}
	return n;
}

/* The message as a table, @c->tag behind it; NULL without memory. @c is locked. */
static struct scatterlist *ebpfs_gcm_table(struct ebpfs_gcm_cpu *c, struct ebpfs_gcm *g)
{
	struct scatterlist *sg = c->sg;
	u32 i, n = 1;

	memcpy(c->head, g->head, g->used);
	for (i = 0; i < g->n; i++) {
		struct ebpfs_gcm_piece *piece = &g->pieces[i];

		if (piece->p >= g->head && piece->p < g->head + sizeof(g->head))
			piece->p += c->head - g->head;
		n += ebpfs_gcm_map(NULL, piece->p, piece->len);
	}
	if (unlikely(n > ARRAY_SIZE(c->sg))) {
		sg = kmalloc_array(n, sizeof(*sg), GFP_ATOMIC | __GFP_NOWARN);
		if (!sg)
			return NULL;
	}
	sg_init_table(sg, n);
	for (i = 0, n = 0; i < g->n; i++)
		n += ebpfs_gcm_map(sg + n, g->pieces[i].p, g->pieces[i].len);
	sg_set_buf(sg + n, c->tag, sizeof(c->tag));
	return sg;
}

/* The whole message, where it lies. Return: 0 or an error. */
static int ebpfs_gcm_run(struct ebpfs_gcm *g, u32 clear, u32 text, bool seal,
			 u8 tag[EBPFS_AEAD_TAG])
{
	const __le64 number = cpu_to_le64(g->number);
	struct crypto_aead *tfm;
	struct ebpfs_gcm_cpu *c;
	struct scatterlist *sg;
	int err = -ENOMEM;

	local_bh_disable();
	c = this_cpu_read(ebpfs_gcm_cpu);
	spin_lock(&c->lock);
	tfm = ebpfs_gcm_with(c, g->key);
	sg = ebpfs_gcm_table(c, g);
	if (!tfm || !sg || g->failed)
		goto out;
	memcpy(c->iv + sizeof(c->iv) - sizeof(number), &number, sizeof(number));
	aead_request_set_tfm(c->req, tfm);
	aead_request_set_callback(c->req, 0, NULL, NULL);
	aead_request_set_ad(c->req, clear);
	if (seal) {
		aead_request_set_crypt(c->req, sg, sg, text, c->iv);
		err = crypto_aead_encrypt(c->req);
		memcpy(tag, c->tag, sizeof(c->tag));
	} else {
		memcpy(c->tag, tag, sizeof(c->tag));
		aead_request_set_crypt(c->req, sg, sg, text + sizeof(c->tag), c->iv);
		err = crypto_aead_decrypt(c->req);
	}
out:
	if (sg != c->sg)
		kfree(sg);
	spin_unlock(&c->lock);
	local_bh_enable();
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
	return !ebpfs_gcm_run(g, clear, text, true, tag);
}

/* The same for one that was received: is it authentic, and was there memory to find out? */
bool ebpfs_gcm_open(struct ebpfs_gcm *g, u32 clear, u32 text, const u8 tag[EBPFS_AEAD_TAG])
{
	u8 copy[EBPFS_AEAD_TAG];

	memcpy(copy, tag, sizeof(copy));
	return !ebpfs_gcm_run(g, clear, text, false, copy);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A CALL at a server's TC ingress becomes replies out of the page cache.
 *
 *	look	heads, session, checksum; of each call: a READ, the first time, granted
 *	build	the replies, of folios that are uptodate and lent to the packets
 *	take	each call's sequence, so that it is answered here at most once
 *	send
 *
 * Replies of a session with keys are encrypted (or copied, to be authenticated) out of the
 * folios into memory of the packets' own: nothing is lent then.
 *
 * All calls of a datagram are built before the first is taken: if one cannot be, nothing
 * has happened, and ebpfsd answers the datagram. A repetition always goes to ebpfsd,
 * which copies, so that a page that changes while it is sent cannot spoil every attempt:
 * the client finds that its checksum is wrong, and asks again. ebpfsd then executes what
 * it has not seen yet, and its reply has a newer instance than any that is made here, so
 * that a client which has got a part of this one takes that one as a whole.
 *
 * Context: softirq at TC ingress, RCU read lock held; never sleeps.
 */
#include <linux/if_vlan.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/xarray.h>

#include "aead.h"
#include "door.h"
#include "packet.h"

/* Most calls in a datagram that is answered here: more do not fit. */
#define EBPFS_SERVE_CALLS	(EBPFS_UDP_PAYLOAD_BASE / \
				 (sizeof(struct ebpfs_call) + sizeof(struct ebpfs_body)))

/* The datagram that is being answered. One at a time on each CPU: bottom halves are off. */
static DEFINE_PER_CPU(u8 [EBPFS_UDP_PAYLOAD_BASE], ebpfs_serve_calls) __aligned(8);

/**
 * struct ebpfs_lending - walks the folios of a READ
 * @xas: place in the file's page cache
 * @pos: where the walk is in the file, bytes
 * @folio: that @pos is in, if that is below @end; NULL, or we have a reference
 * @base: where the bytes of that folio begin that begins at @start
 * @start: of the folio in the file, bytes
 * @end: of the folio in the file, bytes; 0 at first
 */
struct ebpfs_lending {
	struct xa_state xas;
	u64 pos;
	struct folio *folio;
	const u8 *base;
	u64 start;
	u64 end;
};

static void ebpfs_lending_end(struct ebpfs_lending *l)
{
	if (l->folio)
		folio_put(l->folio);
	l->folio = NULL;
}

/*
 * To the folio that @l->pos is in; false if it cannot be lent. As filemap_get_folios_contig(),
 * but for one at a time, whose reference may be given away.
 */
static noinline bool ebpfs_lending_step(struct ebpfs_lending *l)
{
	pgoff_t index = l->pos >> PAGE_SHIFT;
	struct folio *folio;

	ebpfs_lending_end(l);
	if (l->end) {
		if (l->end - l->start > PAGE_SIZE)
			xas_advance(&l->xas, index - 1);
		folio = xas_next(&l->xas);
	} else {
		folio = xas_load(&l->xas);
	}
	/* Swapped out, or about to move: all of these are rare. */
	if (!folio || xa_is_internal(folio) || xa_is_value(folio) || !folio_try_get(folio))
		return false;
	l->folio = folio;
	if (folio != xas_reload(&l->xas) || !folio_test_uptodate(folio) ||
	    folio_test_hwpoison(folio) ||
	    (folio_test_large(folio) && folio_test_has_hwpoisoned(folio)))
		return false;
	if (!folio_test_referenced(folio))
		folio_set_referenced(folio);
	l->base = folio_address(folio);
	l->start = folio_pos(folio);
	l->end = l->start + folio_size(folio);
	return true;
}

/* The page of @l->folio, with a reference: our own if @last, which is the last time. */
static struct page *ebpfs_lending_page(struct ebpfs_lending *l, bool last)
{
	struct page *page = folio_page(l->folio, 0);

	if (last)
		l->folio = NULL;
	else
		page_ref_inc(page);
	return page;
}

#define EBPFS_SERVE_HEADS	16	/* that are allocated together */

/**
 * struct ebpfs_packing - replies on their way into packets
 * @out: packets that are begun
 * @lists: a packet may be a list of skbs
 * @skb: the last packet; NULL: the next cell needs another
 * @tail: @skb, or the last one of its list
 * @len: bytes of UDP payload in @skb and its list
 * @segs: datagrams in it
 * @size: bytes of UDP payload of its first one
 * @heads: head page of room for heads of further ones; NULL: none. We have a reference,
 *	and one for each head of @left
 * @head: where the next one goes
 * @in: offset of that in the pages
 * @left: heads that still fit there
 * @chunk: memory for datagrams with guards: compound page, of which we have a reference
 * @chunk_at: offset of what is free there
 * @epoch: of the keys that the calls came by
 * @sending: how they are encrypted
 *
 * Neighbouring datagrams share a packet if all but the last have the same length, whether
 * or not they belong to the same reply.
 */
struct ebpfs_packing {
	struct sk_buff_head out;
	bool lists;
	struct sk_buff *skb;
	struct sk_buff *tail;
	u32 len;
	u32 segs;
	u32 size;
	struct page *heads;
	struct ebpfs_reply *head;
	u32 in;
	u32 left;
	struct page *chunk;
	u32 chunk_at;
	u16 epoch;
	struct ebpfs_sending sending;
};

/* The packet gets no further cell. */
static void ebpfs_packing_close(struct ebpfs_packing *p)
{
	struct sk_buff *part;

	if (!p->skb)
		return;
	skb_walk_frags(p->skb, part) {
		p->skb->len += part->len;
		p->skb->data_len += part->len;
		p->skb->truesize += part->truesize;
	}
	ebpfs_skb_super(p->skb, p->segs, p->size);
	p->skb = NULL;
}

static void ebpfs_packing_end(struct ebpfs_packing *p)
{
	ebpfs_packing_close(p);
	if (p->chunk)
		put_page(p->chunk);
	if (!p->heads)
		return;
	page_ref_sub(p->heads, p->left);
	put_page(p->heads);
}

/* Another skb at the end of the packet. */
static noinline bool ebpfs_packing_extend(struct ebpfs_packing *p)
{
	struct sk_buff *part = alloc_skb(0, GFP_ATOMIC | __GFP_NOWARN);

	if (!part)
		return false;
	skb_shinfo(part)->flags |= SKBFL_SHARED_FRAG;
	if (p->tail == p->skb)
		skb_shinfo(p->skb)->frag_list = part;
	else
		p->tail->next = part;
	p->tail = part;
	return true;
}

/* A piece of a page, whose reference goes to the end of the packet; false without memory. */
static inline bool ebpfs_packing_add(struct ebpfs_packing *p, struct page *page, u32 in, u32 len)
{
	if (skb_shinfo(p->tail)->nr_frags == MAX_SKB_FRAGS && !ebpfs_packing_extend(p)) {
		put_page(page);
		return false;
	}
	ebpfs_skb_frag(p->tail, page, in, len);
	return true;
}

/* Room for heads that follow; false without memory. */
static noinline bool ebpfs_packing_heads(struct ebpfs_packing *p)
{
	struct ebpfs_reply *head = netdev_alloc_frag(EBPFS_SERVE_HEADS * sizeof(*head));

	if (!head)
		return false;
	if (p->heads)
		put_page(p->heads);
	p->heads = virt_to_head_page(head);
	p->head = head;
	p->in = (void *)head - page_address(p->heads);
	p->left = EBPFS_SERVE_HEADS;
	page_ref_add(p->heads, p->left);
	return true;
}

/* Room for a head behind what is in the packet; NULL without memory. */
static struct ebpfs_reply *ebpfs_packing_head(struct ebpfs_packing *p)
{
	struct ebpfs_reply *head;

	if (!p->len)
		return skb_put(p->skb, sizeof(*head));
	if (!p->left && !ebpfs_packing_heads(p))
		return NULL;
	p->left--;
	if (!ebpfs_packing_add(p, p->heads, p->in, sizeof(*head)))
		return NULL;
	head = p->head++;
	p->in += sizeof(*head);
	return head;
}

/* Fragments of a packet that @len bytes at @pos take at most. */
static u32 ebpfs_lending_most(u64 pos, u32 len)
{
	return DIV_ROUND_UP(offset_in_page(pos) + len, PAGE_SIZE);
}

/* A packet in which a datagram of @len bytes of payload at @pos has room; 0 or a verdict. */
static int ebpfs_packing_room(struct ebpfs_packing *p, u64 pos, u32 len)
{
	u32 size = sizeof(struct ebpfs_reply) + len;

	if (p->skb && (size > p->size || p->len + size > EBPFS_UDP_PAYLOAD_MAX))
		ebpfs_packing_close(p);
	if (p->skb && !p->lists && skb_shinfo(p->skb)->nr_frags + 1 +
				   ebpfs_lending_most(pos, len) > MAX_SKB_FRAGS)
		ebpfs_packing_close(p);
	if (!p->skb) {
		p->skb = ebpfs_skb_alloc(sizeof(struct ebpfs_reply));
		if (!p->skb)
			return EBPFS_SERVE_PASS_MEMORY;
		skb_shinfo(p->skb)->flags |= SKBFL_SHARED_FRAG;
		__skb_queue_tail(&p->out, p->skb);
		p->tail = p->skb;
		p->len = 0;
		p->segs = 0;
		p->size = size;
	}
	return EBPFS_SERVE_ANSWERED;
}

/*
 * Room for a whole datagram of @len bytes behind what is in the packet, or in another one;
 * NULL without memory. Neighbours in a chunk are one piece of a packet.
 */
static void *ebpfs_packing_whole(struct ebpfs_packing *p, u32 len)
{
	bool grow = p->skb;

	if (p->skb && (len > p->size || p->len + len > EBPFS_UDP_PAYLOAD_MAX))
		ebpfs_packing_close(p);
	if (!p->chunk || p->chunk_at + len > EBPFS_CHUNK) {
		if (p->chunk)
			put_page(p->chunk);
		p->chunk = alloc_pages(GFP_ATOMIC | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY,
				       EBPFS_CHUNK_ORDER);
		if (!p->chunk || len > EBPFS_CHUNK)
			return NULL;
		p->chunk_at = 0;
		grow = false;
	}
	if (!p->skb) {
		p->skb = ebpfs_skb_alloc(0);
		if (!p->skb)
			return NULL;
		__skb_queue_tail(&p->out, p->skb);
		p->len = 0;
		p->segs = 0;
		p->size = len;
		grow = false;
	}
	if (grow)
		skb_coalesce_rx_frag(p->skb, skb_shinfo(p->skb)->nr_frags - 1, len, len);
	else
		ebpfs_skb_add(p->skb, p->chunk, page_address(p->chunk) + p->chunk_at, len);
	p->chunk_at += len;
	return page_address(p->chunk) + p->chunk_at - len;
}

/* As ebpfs_serve_cell(), in a session with keys. */
static int ebpfs_serve_guarded(struct ebpfs_packing *p, const struct ebpfs_serving *s,
			       const struct ebpfs_reply *like, const struct ebpfs_frag *f,
			       struct ebpfs_lending *l)
{
	struct {
		struct ebpfs_hdr hdr;
		struct ebpfs_guard guard;
		u8 rest[sizeof(*like) - sizeof(struct ebpfs_hdr)];
	} *g;
	u32 n, left, len = sizeof(*g) + f->len;
	struct ebpfs_reply head = *like;
	struct ebpfs_aead *a;
	u8 *to;

	g = ebpfs_packing_whole(p, len);
	if (!g)
		return EBPFS_SERVE_PASS_MEMORY;
	head.offset = cpu_to_le32(f->offset);
	head.hdr.crc = cpu_to_le32(p->sending.id);
	head.hdr.type |= EBPFS_GUARDED;
	g->hdr = head.hdr;
	g->guard.number = cpu_to_le64(p->sending.number);
	memcpy(g->rest, (const u8 *)&head + sizeof(head.hdr), sizeof(g->rest));
	a = ebpfs_aead_begin(s->keys.cipher, p->sending.key, p->sending.number++);
	ebpfs_aead_clear(a, &head, sizeof(head));
	to = (u8 *)(g + 1);
	for (left = f->len; left; left -= n, l->pos += n, to += n) {
		const u8 *from;

		if (l->pos >= l->end && !ebpfs_lending_step(l)) {
			ebpfs_aead_drop(a);
			return EBPFS_SERVE_PASS_CACHE;
		}
		from = l->base + (l->pos - l->start);
		n = min_t(u64, left, l->end - l->pos);
		if (s->keys.sec == EBPFS_SEC_PRIVACY) {
			ebpfs_aead_encrypt(a, to, from, n);
		} else {
			ebpfs_memcpy(to, from, n);
			ebpfs_aead_clear(a, to, n);
		}
	}
	if (!ebpfs_aead_end(a, g->guard.tag))
		return EBPFS_SERVE_PASS_MEMORY;
	p->len += len;
	p->segs++;
	if (len < p->size)
		ebpfs_packing_close(p);
	return EBPFS_SERVE_ANSWERED;
}

/* One REPLY, whose head is @like but for its offset and its checksum. */
static int ebpfs_serve_cell(struct ebpfs_packing *p, const struct ebpfs_reply *like,
			    const struct ebpfs_frag *f, struct ebpfs_lending *l)
{
	struct ebpfs_reply *head;
	u32 crc, n, left;
	int verdict;

	verdict = ebpfs_packing_room(p, l->pos, f->len);
	if (verdict != EBPFS_SERVE_ANSWERED)
		return verdict;
	head = ebpfs_packing_head(p);
	if (!head)
		return EBPFS_SERVE_PASS_MEMORY;
	*head = *like;
	head->offset = cpu_to_le32(f->offset);
	crc = ebpfs_crc_head(head, sizeof(*head));
	for (left = f->len; left; left -= n, l->pos += n) {
		u32 in;

		if (l->pos >= l->end && !ebpfs_lending_step(l))
			return EBPFS_SERVE_PASS_CACHE;
		in = l->pos - l->start;
		n = min_t(u64, left, l->end - l->pos);
		crc = ebpfs_crc32c(crc, l->base + in, n);
		if (!ebpfs_packing_add(p, ebpfs_lending_page(l, l->pos + n == l->end), in, n))
			return EBPFS_SERVE_PASS_MEMORY;
	}
	head->hdr.crc = cpu_to_le32(ebpfs_crc_end(crc));
	p->len += sizeof(*head) + f->len;
	p->segs++;
	if (sizeof(*head) + f->len < p->size)
		ebpfs_packing_close(p);
	return EBPFS_SERVE_ANSWERED;
}

/* The reply to a READ. */
static int ebpfs_serve_build(struct ebpfs_serving *s, const struct ebpfs_grant *g,
			     const struct ebpfs_call_info *c, struct ebpfs_packing *p, u32 *bytes)
{
	struct inode *inode = file_inode(g->file);
	u64 size = i_size_read(inode);
	struct ebpfs_lending l = {
		.xas = __XA_STATE(&inode->i_mapping->i_pages, c->arg >> PAGE_SHIFT, 0, 0),
		.pos = c->arg,
	};
	struct ebpfs_frag f = {
		.session = s->client_id,
		.id = c->id,
		.instance = s->instance,
		.cell = c->cell,
		.attempt = c->attempt,
	};
	int verdict = EBPFS_SERVE_ANSWERED;
	struct ebpfs_reply like;

	f.total = c->arg < size ? min_t(u64, c->count, size - c->arg) : 0;
	if (c->arg + f.total >= size)
		f.flags = EBPFS_REPLY_EOF;
	ebpfs_put_reply(&like, &f);
	if (ebpfs_keys_guard(&s->keys) &&
	    !ebpfs_keys_send_by(&s->keys, p->epoch, ebpfs_ncells(f.total, f.cell), &p->sending))
		return EBPFS_SERVE_PASS_KEY;
	do {
		f.len = min_t(u32, f.cell, f.total - f.offset);
		verdict = ebpfs_keys_guard(&s->keys) ? ebpfs_serve_guarded(p, s, &like, &f, &l) :
						       ebpfs_serve_cell(p, &like, &f, &l);
		f.offset += f.len;
	} while (verdict == EBPFS_SERVE_ANSWERED && f.offset < f.total);
	/* If it was cut meanwhile, the folios may hold what is no longer the file's; and if rights
	 * have changed, what was written since. */
	if (verdict == EBPFS_SERVE_ANSWERED && i_size_read(inode) != size)
		verdict = EBPFS_SERVE_PASS_CACHE;
	else if (verdict == EBPFS_SERVE_ANSWERED && !ebpfs_grant_holds(g))
		verdict = EBPFS_SERVE_PASS_GRANT;
	*bytes += f.total;
	ebpfs_lending_end(&l);
	return verdict;
}

static int ebpfs_serve_call(struct ebpfs_serving *s, const struct ebpfs_call_info *c,
			    struct ebpfs_packing *p, u32 *bytes)
{
	u16 slot = EBPFS_ID_SLOT(c->id);
	const struct ebpfs_grant *g;

	if (c->op != EBPFS_OP_READ || slot >= s->slots)
		return EBPFS_SERVE_PASS_OP;
	if (c->attempt || c->instance || EBPFS_ID_SEQ(c->id) <= atomic64_read(&s->seq[slot]))
		return EBPFS_SERVE_PASS_AGAIN;
	g = ebpfs_grant_find(s, c->cred, c->fh, c->fh_len);
	if (!g || !ebpfs_grant_holds(g))
		return EBPFS_SERVE_PASS_GRANT;
	return ebpfs_serve_build(s, g, c, p, bytes);
}

/* Call @id is answered here, unless it, or a later one of its slot, was before. */
static bool ebpfs_serve_take(struct ebpfs_serving *s, u64 id)
{
	atomic64_t *last = &s->seq[EBPFS_ID_SLOT(id)];
	s64 seq = EBPFS_ID_SEQ(id), old = atomic64_read(last);

	do {
		if (old >= seq)
			return false;
	} while (!atomic64_try_cmpxchg(last, &old, seq));
	return true;
}

/* All calls of the datagram that lies at @p. */
static int ebpfs_serve_calls_of(struct ebpfs_serving *s, const u8 *p, u32 len,
				struct ebpfs_packing *packing, struct ebpfs_serve_opts *opts)
{
	u64 ids[EBPFS_SERVE_CALLS];
	struct ebpfs_call_iter it;
	struct ebpfs_call_info c;
	int verdict;
	u32 i;

	if ((!ebpfs_keys_guard(&s->keys) && !ebpfs_sealed(p, len)) ||
	    ebpfs_begin_calls(p, len, &it))
		return EBPFS_SERVE_PASS_OTHER;
	while (ebpfs_next_call(&it, &c)) {
		if (opts->calls >= ARRAY_SIZE(ids))
			return EBPFS_SERVE_PASS_OP;
		verdict = ebpfs_serve_call(s, &c, packing, &opts->bytes);
		if (verdict != EBPFS_SERVE_ANSWERED)
			return verdict;
		ids[opts->calls++] = c.id;
	}
	if (!ebpfs_calls_whole(&it))
		return EBPFS_SERVE_PASS_OTHER;
	for (i = 0; i < opts->calls; i++)
		if (!ebpfs_serve_take(s, ids[i]))
			return EBPFS_SERVE_PASS_AGAIN;
	return EBPFS_SERVE_ANSWERED;
}

/* Is the first call of the datagram at @p a READ, if it is one at all? */
static bool ebpfs_serve_reads(const u8 *p, u32 len)
{
	const struct ebpfs_call *first =
		(const struct ebpfs_call *)(p + sizeof(struct ebpfs_calls));

	return len >= sizeof(struct ebpfs_calls) + sizeof(*first) &&
	       first->op == cpu_to_le16(EBPFS_OP_READ);
}

/*
 * A CALL with a guard, in memory of ours, becomes plain: @p and @len of it. Opened here, it is
 * known here, so a repetition is taken; whoever dealt with it the first time.
 * Return: 0 or a verdict.
 */
static int ebpfs_serve_open(struct ebpfs_serving *s, u8 **p, u32 *len, u16 *epoch)
{
	const struct ebpfs_hdr *hdr = (const struct ebpfs_hdr *)*p;

	*epoch = EBPFS_KEY_EPOCH(le32_to_cpu(hdr->crc));
	switch (ebpfs_guard_open(&s->keys, *p, *len, ebpfs_now())) {
	case 0:
		*p += sizeof(struct ebpfs_guard);
		*len -= sizeof(struct ebpfs_guard);
		return 0;
	case -EKEYREJECTED:
		return EBPFS_SERVE_FORGED;
	case -EALREADY:
		return EBPFS_SERVE_REPLAYED;
	case -ENOMEM:
		return EBPFS_SERVE_PASS_MEMORY;
	default:
		return EBPFS_SERVE_PASS_KEY;
	}
}

/* The type of the datagram at @p without its guard, and its session; or -EBADMSG. */
static int ebpfs_serve_type(u8 *p, u32 len, bool *guarded, u64 *id)
{
	struct ebpfs_hdr *hdr = (struct ebpfs_hdr *)p;
	int type;

	*guarded = hdr->type & EBPFS_GUARDED;
	if (!*guarded)
		return ebpfs_parse_hdr(p, len, id);
	if (len < sizeof(struct ebpfs_guard) + sizeof(struct ebpfs_calls))
		return -EBADMSG;
	hdr->type &= ~EBPFS_GUARDED;
	type = ebpfs_parse_hdr(p, len - sizeof(struct ebpfs_guard), id);
	hdr->type |= EBPFS_GUARDED;
	return type;
}

/* As ebpfs_serve(), of the @len bytes of payload at @off in a packet that came by @flow. */
static int ebpfs_serve_packet(struct ebpfs_packet *pkt, const struct ebpfs_flow *flow, u32 off,
			      u32 len, struct ebpfs_serve_opts *opts)
{
	struct ebpfs_packing packing;
	struct ebpfs_serving *s;
	struct sk_buff *skb;
	bool guarded;
	int verdict;
	u64 id;
	u8 *p;

	/* What goes on to a device above this one comes here again there. */
	if (skb_is_gso(pkt->skb) || skb_vlan_tag_present(pkt->skb) ||
	    rcu_access_pointer(pkt->skb->dev->rx_handler) ||
	    len < sizeof(struct ebpfs_calls) || len > EBPFS_UDP_PAYLOAD_BASE)
		return EBPFS_SERVE_PASS_OTHER;
	p = this_cpu_ptr(ebpfs_serve_calls);
	if (!ebpfs_packet_copy(pkt, off, p, len) ||
	    ebpfs_serve_type(p, len, &guarded, &id) != EBPFS_CALL)
		return EBPFS_SERVE_PASS_OTHER;
	s = ebpfs_serving_find(id);
	if (!s || sock_net(s->sock) != flow->net ||
	    s->path.port != flow->local_port || !ebpfs_addr_equal(&s->path.to, &flow->from))
		return EBPFS_SERVE_PASS_SESSION;
	if (guarded != ebpfs_keys_guard(&s->keys))
		return EBPFS_SERVE_PASS_KEY;
	if (guarded) {
		if (time_after_eq(jiffies, READ_ONCE(s->ticked) + HZ)) {
			WRITE_ONCE(s->ticked, jiffies);
			ebpfs_keys_tick(&s->keys, ebpfs_now());
		}
		/* Without vector registers replies take too long for softirq. */
		if (s->keys.cipher == EBPFS_CIPHER_AES256_GCM && !ebpfs_gcm_ready())
			return EBPFS_SERVE_PASS_MEMORY;
		verdict = ebpfs_serve_open(s, &p, &len, &packing.epoch);
		if (verdict)
			return verdict;
	}
	/* Most of what is for ebpfsd shows without being parsed. */
	if (!ebpfs_serve_reads(p, len))
		return EBPFS_SERVE_PASS_OP;
	if (time_after_eq(jiffies, READ_ONCE(s->turn) + HZ)) {
		WRITE_ONCE(s->turn, jiffies);
		return EBPFS_SERVE_PASS_TURN;
	}
	packing.chunk = NULL;
	packing.lists = READ_ONCE(s->path.lists);
	packing.skb = NULL;
	packing.heads = NULL;
	packing.left = 0;
	__skb_queue_head_init(&packing.out);
	verdict = ebpfs_serve_calls_of(s, p, len, &packing, opts);
	ebpfs_packing_end(&packing);
	if (guarded)
		memzero_explicit(&packing.sending, sizeof(packing.sending));
	if (verdict != EBPFS_SERVE_ANSWERED) {
		__skb_queue_purge(&packing.out);
		opts->bytes = 0;
		opts->calls = 0;
		return verdict;
	}
	ebpfs_stat_add(ebpfs_global_stats, serve_calls, opts->calls);
	ebpfs_stat_add(ebpfs_global_stats, serve_bytes, opts->bytes);
	while ((skb = __skb_dequeue(&packing.out)))
		ebpfs_path_send(&s->path, s->sock, skb);
	return verdict;
}

/**
 * ebpfs_serve() - answer the calls in a packet
 * @skb: at TC ingress; not changed
 * @opts: of the kfunc
 *
 * Context: softirq, RCU read lock held.
 * Return: enum ebpfs_serve_verdict; unless it is ANSWERED, nothing was sent. Sequences of
 * calls may be taken then, too, which leaves those calls to ebpfsd for good.
 */
int ebpfs_serve(struct sk_buff *skb, struct ebpfs_serve_opts *opts)
{
	struct ebpfs_packet pkt = { .skb = skb };
	struct ebpfs_flow flow = { .net = dev_net(skb->dev) };
	enum ebpfs_knocked reason;
	u32 off, len;
	int verdict;

	opts->bytes = 0;
	opts->calls = 0;
	if (ebpfs_packet_look(&pkt, skb->len, opts->l3_off, &flow, &off, &len) >= 0)
		return EBPFS_SERVE_PASS_OTHER;
	verdict = ebpfs_serve_packet(&pkt, &flow, off, len, opts);
	if ((verdict == EBPFS_SERVE_PASS_OTHER || verdict == EBPFS_SERVE_PASS_SESSION) &&
	    opts->flags & EBPFS_DOOR_JUDGE) {
		reason = ebpfs_door(&pkt, &flow, opts->l3_off, off, len, opts->flags,
				    EBPFS_STEER_PASS_TYPE);
		if (reason)
			verdict = EBPFS_SERVE_PASS_STRANGER - EBPFS_DOOR_STRANGER + reason;
	}
	return verdict;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A call's data on their way out. A few bytes go into the CALL datagram itself
 * (request.c), and so does a WRITE that fits there with its pages and has it to itself;
 * what is more follows it in DATA datagrams, cut by the same cell
 * as replies, as UDP super-packets that the stack or the device cuts.
 *
 * Cells of a page and more are not copied: the packets are made of the WRITE's pages,
 * which are under write-back, and stay so, unchanged, until the call is over. A packet
 * may outlive the call by then its pages may hold anything: the checksum no longer fits,
 * and the server has finished with that call anyway.
 *
 * What is encrypted or authenticated is so on its way into memory of the node's, too.
 *
 * Smaller cells are copied, heads and all, one behind the other. A packet has room for
 * 17 pieces, which would be some six cells and their heads; each piece costs more to be
 * added, and to be read by the server, than a copy of so few bytes, and each packet more
 * than all of its pieces.
 *
 * Context: process and softirq, with the lock of the call's node held, which
 * keeps the call. Nothing is sent here.
 */
#include <linux/skbuff.h>

#include "aead.h"
#include "copy.h"
#include "engine.h"
#include "write.h"

/* Bytes of a call's data that lie in memory in one piece: @len from @at on. */
struct ebpfs_piece {
	const u8 *from;
	u32 at;
	u32 len;
};

static void ebpfs_data_find(const struct ebpfs_req *req, u32 at, struct ebpfs_piece *piece)
{
	struct folio *folio;
	size_t in;

	if (!req->write) {
		*piece = (struct ebpfs_piece){ .from = req->data, .len = req->data_len };
		return;
	}
	piece->len = ebpfs_write_piece(req->write, at, req->data_len - at, &folio, &in);
	piece->from = folio_address(folio) + in;
	piece->at = at;
}

/* As ebpfs_data_copy(); @piece: where the bytes before were, empty at first. */
static __always_inline void ebpfs_data_copy_on(const struct ebpfs_req *req, u32 at, u8 *to,
					       u32 len, struct ebpfs_piece *piece)
{
	u32 n;

	for (; len; len -= n, at += n, to += n) {
		if (at - piece->at >= piece->len)
			ebpfs_data_find(req, at, piece);
		n = min(len, piece->at + piece->len - at);
		ebpfs_memcpy(to, piece->from + (at - piece->at), n);
	}
}

/**
 * ebpfs_data_copy() - bytes of a call's data
 * @req: call
 * @at: first byte
 * @to: where to
 * @len: bytes
 */
void ebpfs_data_copy(const struct ebpfs_req *req, u32 at, void *to, u32 len)
{
	struct ebpfs_piece piece = {};

	ebpfs_data_copy_on(req, at, to, len, &piece);
}

#define EBPFS_CHUNKS_MAX	(EBPFS_WINDOW_MAX / EBPFS_CHUNK)	/* all that is in flight */

/* A new chunk at the end of the list: the oldest if no packet is in it any more. */
static bool ebpfs_chunk_begin(struct ebpfs_chunks *chunks)
{
	struct page *page = list_first_entry_or_null(&chunks->pages, struct page, lru);

	if (page && page_ref_count(page) == 1) {
		list_move_tail(&page->lru, &chunks->pages);
	} else {
		if (chunks->count == EBPFS_CHUNKS_MAX)
			return false;
		/* Not the reserves: without it, pages are lent. */
		page = alloc_pages(GFP_ATOMIC | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY |
				   __GFP_NOMEMALLOC, EBPFS_CHUNK_ORDER);
		if (!page)
			return false;
		list_add_tail(&page->lru, &chunks->pages);
		chunks->count++;
	}
	chunks->at = page_address(page);
	chunks->left = EBPFS_CHUNK;
	return true;
}

/* @len bytes, 8-aligned; NULL without. The next that are asked for may follow them. */
static void *ebpfs_chunk_take(struct ebpfs_chunks *chunks, u32 len)
{
	u8 *p;

	if (chunks->left < len && !ebpfs_chunk_begin(chunks))
		return NULL;
	p = chunks->at;
	len = ALIGN(len, 8);
	chunks->at += len;
	chunks->left -= len;
	return p;
}

/**
 * ebpfs_chunks_free() - give them back to the system
 * @chunks: of a node, whose lock is held
 *
 * Packets keep what they lie in.
 */
void ebpfs_chunks_free(struct ebpfs_chunks *chunks)
{
	struct page *page, *tmp;

	list_for_each_entry_safe(page, tmp, &chunks->pages, lru) {
		list_del(&page->lru);
		put_page(page);
	}
	chunks->count = 0;
	chunks->left = 0;
}

/* Bytes of a chunk at the end of a packet that has room for one more fragment. */
static void ebpfs_chunk_add(struct sk_buff *skb, void *p, u32 len)
{
	ebpfs_skb_add(skb, virt_to_head_page(p), p, len);
}

/* How many fragments of an skb the bytes take. */
static u32 ebpfs_data_pieces(const struct ebpfs_req *req, u32 at, u32 len)
{
	struct folio *folio;
	u32 n, pieces = 0;
	size_t in;

	if (!req->write)
		return DIV_ROUND_UP(len, PAGE_SIZE);
	for (; len; len -= n, at += n, pieces++)
		n = ebpfs_write_piece(req->write, at, len, &folio, &in);
	return pieces;
}

/* One datagram's payload at the end of @skb. Returns false without memory. */
static bool ebpfs_data_payload(struct sk_buff *skb, const struct ebpfs_req *req,
			       u32 at, u32 len, u32 *crc)
{
	struct folio *folio;
	size_t in;
	u32 n;

	for (; len; len -= n, at += n) {
		if (req->write) {
			n = ebpfs_write_piece(req->write, at, len, &folio, &in);
			*crc = ebpfs_crc32c(*crc, folio_address(folio) + in, n);
			ebpfs_skb_lend(skb, folio, in, n);
		} else {
			void *p;

			n = min_t(u32, len, PAGE_SIZE);
			p = ebpfs_skb_extend(skb, n);
			if (!p)
				return false;
			memcpy(p, req->data + at, n);
			*crc = ebpfs_crc32c(*crc, p, n);
		}
	}
	return true;
}

/**
 * ebpfs_data_lendable() - has a packet room for the pages of a WRITE?
 * @req: call, with pages
 */
bool ebpfs_data_lendable(const struct ebpfs_req *req)
{
	return ebpfs_data_pieces(req, 0, req->data_len) + !!(req->data_len & 7) <= MAX_SKB_FRAGS;
}

/**
 * ebpfs_data_lend() - all data of a WRITE at the end of a datagram, padded
 * @skb: not more than fits one datagram
 * @req: call, with pages; ebpfs_data_lendable()
 * @crc: goes on over them
 */
void ebpfs_data_lend(struct sk_buff *skb, const struct ebpfs_req *req, u32 *crc)
{
	struct folio *zeroes = page_folio(ZERO_PAGE(0));
	u32 pad = -req->data_len & 7;

	ebpfs_data_payload(skb, req, 0, req->data_len, crc);
	if (!pad)
		return;
	*crc = ebpfs_crc32c(*crc, folio_address(zeroes), pad);
	ebpfs_skb_lend(skb, zeroes, 0, pad);
}

/* One DATA datagram at the end of @skb, whose linear part takes the first head. */
static bool ebpfs_data_add(struct sk_buff *skb, const struct ebpfs_req *req,
			   const struct ebpfs_frag *f, struct ebpfs_chunks *chunks)
{
	struct ebpfs_data *head;
	u32 crc;

	if (!skb->len) {
		head = skb_put(skb, sizeof(*head));
	} else {
		head = ebpfs_chunk_take(chunks, sizeof(*head));
		if (head)
			ebpfs_chunk_add(skb, head, sizeof(*head));
		else
			head = ebpfs_skb_extend(skb, sizeof(*head));
		if (!head)
			return false;
	}
	ebpfs_put_data(head, f);
	crc = ebpfs_crc_head(head, sizeof(*head));
	if (!ebpfs_data_payload(skb, req, f->offset, f->len, &crc))
		return false;
	head->hdr.crc = cpu_to_le32(ebpfs_crc_end(crc));
	return true;
}

/* A packet is ready: @segs datagrams, of @size bytes each but the last. */
static void ebpfs_data_close(struct sk_buff_head *out, struct sk_buff *skb, u32 segs, u32 size)
{
	ebpfs_skb_super(skb, segs, size);
	__skb_queue_tail(out, skb);
}

/* The packet's last fragment gets @more bytes, which lie behind it. */
static void ebpfs_data_grow(struct sk_buff *skb, u32 *more)
{
	if (*more)
		skb_coalesce_rx_frag(skb, skb_shinfo(skb)->nr_frags - 1, *more, *more);
	*more = 0;
}

/*
 * A datagram whose head is @head, at @p, with its data encrypted on their way there. Without
 * memory for that it is none that anybody believes, and will be asked for.
 */
static void ebpfs_data_guard(void *p, const struct ebpfs_data *head, const struct ebpfs_req *req,
			     u32 offset, u32 len, const struct ebpfs_keys *keys,
			     struct ebpfs_sending *s, struct ebpfs_piece *piece)
{
	struct {
		struct ebpfs_hdr hdr;
		struct ebpfs_guard guard;
		u8 rest[sizeof(*head) - sizeof(struct ebpfs_hdr)];
	} *g = p;
	u8 *to = (u8 *)(g + 1);
	struct ebpfs_aead *a;
	u32 n, size = len;

	BUILD_BUG_ON(sizeof(*g) != sizeof(*head) + sizeof(struct ebpfs_guard));
	g->hdr = head->hdr;
	g->hdr.crc = cpu_to_le32(s->id);
	g->hdr.type |= EBPFS_GUARDED;
	memcpy(g->rest, (const u8 *)head + sizeof(head->hdr), sizeof(g->rest));
	a = ebpfs_aead_begin(keys->cipher, s->key, s->number);
	ebpfs_aead_clear(a, &g->hdr, sizeof(g->hdr));
	ebpfs_aead_clear(a, g->rest, sizeof(g->rest));
	for (; len; len -= n, offset += n, to += n) {
		const u8 *from;

		if (offset - piece->at >= piece->len)
			ebpfs_data_find(req, offset, piece);
		from = piece->from + (offset - piece->at);
		n = min(len, piece->at + piece->len - offset);
		if (keys->sec == EBPFS_SEC_PRIVACY) {
			ebpfs_aead_encrypt(a, to, from, n);
		} else {
			ebpfs_memcpy(to, from, n);
			ebpfs_aead_clear(a, to, n);
		}
	}
	g->guard.number = cpu_to_le64(s->number++);
	if (!ebpfs_aead_end(a, g->guard.tag))
		memset(g, 0, sizeof(*g) + size);
}

/*
 * DATA datagrams that are copied, whole, into chunks: @cells of those that @f tells of.
 * @s: how they are encrypted, NULL if they are not.
 * Return: those that there were no chunks for.
 */
static u64 ebpfs_data_copies(struct sk_buff_head *out, const struct ebpfs_session *session,
			     const struct ebpfs_req *req, const struct ebpfs_frag *f, u64 cells,
			     struct ebpfs_sending *s)
{
	u32 room = ebpfs_keys_room(&session->keys);
	u32 offset, len, segs = 0, size = sizeof(struct ebpfs_data) + room + f->cell;
	struct ebpfs_chunks *chunks = &session->node->chunks;
	struct ebpfs_piece piece = {};
	struct sk_buff *skb = NULL;
	struct ebpfs_data head, *p;
	void *end = NULL;		/* of what goes into the skb's last fragment */
	u32 more = 0;			/* bytes of it that are not counted there yet */

	ebpfs_put_data(&head, f);
	for (; cells; cells &= cells - 1) {
		offset = __ffs64(cells) * f->cell;
		len = sizeof(*p) + room + min_t(u32, f->cell, f->total - offset);
		p = ebpfs_chunk_take(chunks, len);
		if (!p)
			break;
		if (skb && skb->len + more + len > EBPFS_UDP_PAYLOAD_MAX) {
			ebpfs_data_grow(skb, &more);
			ebpfs_data_close(out, skb, segs, size);
			skb = NULL;
		}
		if (!skb) {
			skb = ebpfs_skb_alloc(0);
			if (!skb)
				return 0;
			segs = 0;
			end = NULL;
		}
		/* Two chunks may be neighbours in memory; they are two all the same. */
		if (p == end && !IS_ALIGNED((unsigned long)p, EBPFS_CHUNK)) {
			more += len;
		} else {
			/* At once: from then on the chunk is not taken for another. */
			ebpfs_data_grow(skb, &more);
			ebpfs_chunk_add(skb, p, len);
		}
		end = (void *)p + len;
		head.offset = cpu_to_le32(offset);
		if (s) {
			ebpfs_data_guard(p, &head, req, offset, len - sizeof(*p) - room,
					 &session->keys, s, &piece);
		} else {
			*p = head;
			ebpfs_data_copy_on(req, offset, (u8 *)(p + 1), len - sizeof(*p), &piece);
			ebpfs_seal(p, len);
		}
		segs++;
	}
	if (skb) {
		ebpfs_data_grow(skb, &more);
		ebpfs_data_close(out, skb, segs, size);
	}
	return cells;
}

/**
 * ebpfs_data_build() - DATA datagrams of a call
 * @out: they are queued here
 * @session: of the call
 * @req: the call, active
 * @cell: bytes in each but the last
 * @attempt: of the call
 * @cells: which
 *
 * What lacks memory is left to the server, which will ask for it.
 */
void ebpfs_data_build(struct sk_buff_head *out, struct ebpfs_session *session,
		      const struct ebpfs_req *req, u16 cell, u8 attempt, u64 cells)
{
	struct ebpfs_chunks *chunks = &session->node->chunks;
	u8 i, ncells = ebpfs_ncells(req->data_len, cell);
	u32 segs = 0, size = sizeof(struct ebpfs_data) + cell;
	struct sk_buff *skb = NULL;
	struct ebpfs_frag f = {
		.session = session->server_id,
		.id = req->id,
		.total = req->data_len,
		.cell = cell,
		.attempt = attempt,
	};

	cells &= ebpfs_cell_set(ncells);
	if (ebpfs_keys_guard(&session->keys)) {
		struct ebpfs_sending s;

		if (ebpfs_keys_send(&session->keys, hweight64(cells), &s))
			ebpfs_data_copies(out, session, req, &f, cells, &s);
		memzero_explicit(&s, sizeof(s));
		return;
	}
	if (cell < PAGE_SIZE)
		cells = ebpfs_data_copies(out, session, req, &f, cells, NULL);
	for (i = 0; i < ncells; i++) {
		if (!(cells >> i & 1))
			continue;
		f.offset = (u32)i * cell;
		f.len = min_t(u32, cell, req->data_len - f.offset);
		if (skb && (skb->len + sizeof(struct ebpfs_data) + f.len > EBPFS_UDP_PAYLOAD_MAX ||
			    skb_shinfo(skb)->nr_frags + 1 +
			    ebpfs_data_pieces(req, f.offset, f.len) > MAX_SKB_FRAGS)) {
			ebpfs_data_close(out, skb, segs, size);
			skb = NULL;
		}
		if (!skb) {
			skb = ebpfs_skb_alloc(sizeof(struct ebpfs_data));
			segs = 0;
		}
		if (!skb)
			return;
		if (!ebpfs_data_add(skb, req, &f, chunks)) {
			kfree_skb(skb);
			return;
		}
		segs++;
	}
	if (skb)
		ebpfs_data_close(out, skb, segs, size);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A call's data on their way out. A few bytes go into the CALL datagram itself
 * (request.c), and so does a WRITE that fits there with its pages and has it to itself;
 * what is more follows it in DATA datagrams, cut by the same cell
 * as replies, as UDP super-packets that the stack or the device cuts.
 *
 * The pages of a WRITE are not copied: they are under write-back, and stay so,
 * unchanged, until the call is over. A packet may outlive the call by then its
 * pages may hold anything: the checksum no longer fits, and the server has
 * finished with that call anyway.
 *
 * Context: process and softirq, with the lock of the call's node held, which
 * keeps the call. Nothing is sent here.
 */
#include <linux/skbuff.h>

#include "engine.h"
#include "write.h"

/**
 * ebpfs_data_copy() - bytes of a call's data
 * @req: call
 * @at: first byte
 * @to: where to
 * @len: bytes
 */
void ebpfs_data_copy(const struct ebpfs_req *req, u32 at, void *to, u32 len)
{
	struct folio *folio;
	size_t in;
	u32 n;

	if (!req->write) {
		memcpy(to, req->data + at, len);
		return;
	}
	for (; len; len -= n, at += n, to += n) {
		n = ebpfs_write_piece(req->write, at, len, &folio, &in);
		memcpy(to, folio_address(folio) + in, n);
	}
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
 * ebpfs_data_lend() - all data of a WRITE at the end of a datagram
 * @skb: not more than fits one datagram
 * @req: call, with pages
 * @crc: goes on over them
 */
void ebpfs_data_lend(struct sk_buff *skb, const struct ebpfs_req *req, u32 *crc)
{
	ebpfs_data_payload(skb, req, 0, req->data_len, crc);
}

/* One DATA datagram at the end of @skb, whose linear part takes the first head. */
static bool ebpfs_data_add(struct sk_buff *skb, const struct ebpfs_req *req,
			   const struct ebpfs_frag *f)
{
	struct ebpfs_data *head;
	u32 crc;

	if (!skb->len)
		head = skb_put(skb, sizeof(*head));
	else
		head = ebpfs_skb_extend(skb, sizeof(*head));
	if (!head)
		return false;
	ebpfs_put_data(head, f);
	crc = ebpfs_crc_head(head, sizeof(*head));
	if (!ebpfs_data_payload(skb, req, f->offset, f->len, &crc))
		return false;
	head->hdr.crc = cpu_to_le32(ebpfs_crc_end(crc));
	return true;
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
void ebpfs_data_build(struct sk_buff_head *out, const struct ebpfs_session *session,
		      const struct ebpfs_req *req, u16 cell, u8 attempt, u64 cells)
{
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

	for (i = 0; i < ncells; i++) {
		if (!(cells >> i & 1))
			continue;
		f.offset = (u32)i * cell;
		f.len = min_t(u32, cell, req->data_len - f.offset);
		if (skb && (skb->len + sizeof(struct ebpfs_data) + f.len > EBPFS_UDP_PAYLOAD_MAX ||
			    skb_shinfo(skb)->nr_frags + 1 +
			    ebpfs_data_pieces(req, f.offset, f.len) > MAX_SKB_FRAGS)) {
			ebpfs_skb_super(skb, segs, size);
			__skb_queue_tail(out, skb);
			skb = NULL;
		}
		if (!skb) {
			skb = ebpfs_skb_alloc(sizeof(struct ebpfs_data));
			segs = 0;
		}
		if (!skb)
			return;
		if (!ebpfs_data_add(skb, req, &f)) {
			kfree_skb(skb);
			return;
		}
		segs++;
	}
	if (skb) {
		ebpfs_skb_super(skb, segs, size);
		__skb_queue_tail(out, skb);
	}
}

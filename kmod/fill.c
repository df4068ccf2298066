// SPDX-License-Identifier: GPL-2.0
/*
 * A claimed fragment's payload goes to its destination, and is checked there.
 *
 * The checksum is taken over what was written, not over what was received:
 * the packet's pages may be somebody's page cache that changes while we copy.
 * The destination of a READ is a range of locked folios or the reader's own pages,
 * that of any other call a buffer. All stay valid until ebpfs_conn_filled(): the claim sees to
 * that. Context: softirq, RCU read lock held, never sleeps.
 */
#include "engine.h"
#include "packet.h"
#include "read.h"

static __always_inline bool ebpfs_fill_piece(struct ebpfs_packet *pkt, u32 off, void *to, u32 len,
					     u32 *crc)
{
	if (unlikely(pkt->odd) ? !ebpfs_packet_copy(pkt, off, to, len) :
				 !ebpfs_packet_take(pkt, off, to, len))
		return false;
	*crc = ebpfs_crc32c(*crc, to, len);
	return true;
}

/**
 * ebpfs_fill() - write and verify a claimed fragment
 * @pkt: the packet, whose head was read from it
 * @off: of the payload in the packet
 * @crc: checksum of the fragment's head
 * @f: the head, parsed
 * @req: the call; claim() has made sure that f->total fits its destination
 * @folio: of a run of fragments: the folio that was written last, NULL at first
 *
 * Return: is the checksum right.
 */
bool ebpfs_fill(struct ebpfs_packet *pkt, u32 off, u32 crc, const struct ebpfs_frag *f,
		struct ebpfs_req *req, struct ebpfs_read_folio **folio)
{
	u32 end = off + f->len;

	if (req->read) {
		struct ebpfs_read *rd = req->read;
		/* From a place in the packet to that in the range. */
		u32 away = req->arg - rd->pos + f->offset - off;
		struct ebpfs_read_folio *rf = *folio ?: ebpfs_read_find(rd, off + away);

		while (off < end) {
			u32 in = off + away - rf->start, n;

			if (in >= rf->size) {
				rf++;
				continue;
			}
			n = min(end - off, rf->size - in);
			if (!ebpfs_fill_piece(pkt, off, folio_address(rf->folio) + in, n, &crc))
				return false;
			off += n;
		}
		*folio = rf;
	} else if (req->pages) {
		const struct bio_vec *vecs = req->pages->vecs;
		struct bvec_iter at = req->pages->at, from;
		struct bio_vec v;

		bvec_iter_advance(vecs, &at, f->offset);
		at.bi_size = f->len;
		for_each_bvec(v, vecs, from, at) {
			if (!ebpfs_fill_piece(pkt, off, bvec_virt(&v), v.bv_len, &crc))
				return false;
			off += v.bv_len;
		}
	} else if (!ebpfs_fill_piece(pkt, off, req->buf + f->offset, f->len, &crc)) {
		return false;
	}
	return f->crc == ebpfs_crc_end(crc);
}

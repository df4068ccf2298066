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
#include "read.h"

static bool ebpfs_fill_piece(struct ebpfs_packet *pkt, u32 off, void *to, u32 len, u32 *crc)
{
	if (!ebpfs_packet_copy(pkt, off, to, len))
		return false;
	*crc = ebpfs_crc32c(*crc, to, len);
	return true;
}

/**
 * ebpfs_fill() - write and verify a claimed fragment
 * @pkt: the packet
 * @off: of the payload in the packet
 * @crc: checksum of the fragment's head
 * @f: the head, parsed
 * @req: the call; claim() has made sure that f->total fits its destination
 *
 * Return: is the checksum right.
 */
bool ebpfs_fill(struct ebpfs_packet *pkt, u32 off, u32 crc,
		const struct ebpfs_frag *f, struct ebpfs_req *req)
{
	u32 len = f->len;

	if (req->read) {
		struct ebpfs_read *rd = req->read;
		u32 at = req->arg - rd->pos + f->offset;
		struct ebpfs_read_folio *rf;

		for (rf = ebpfs_read_find(rd, at); len; rf++) {
			u32 in = at - rf->start;
			u32 n = min(len, rf->size - in);

			if (!ebpfs_fill_piece(pkt, off, folio_address(rf->folio) + in, n, &crc))
				return false;
			at += n;
			off += n;
			len -= n;
		}
	} else if (req->pages) {
		const struct bio_vec *vecs = req->pages->vecs;
		struct bvec_iter at = req->pages->at, from;
		struct bio_vec v;

		bvec_iter_advance(vecs, &at, f->offset);
		at.bi_size = len;
		for_each_bvec(v, vecs, from, at) {
			if (!ebpfs_fill_piece(pkt, off, bvec_virt(&v), v.bv_len, &crc))
				return false;
			off += v.bv_len;
		}
	} else if (len && !ebpfs_fill_piece(pkt, off, req->buf + f->offset, len, &crc)) {
		return false;
	}
	return f->crc == ebpfs_crc_end(crc);
}

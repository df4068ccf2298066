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
#include "aead.h"
#include "engine.h"
#include "packet.h"
#include "read.h"

/**
 * struct ebpfs_check - what is computed over the bytes that were written
 * @crc: checksum, if there is no @aead
 * @aead: the message, else
 * @decrypt: the bytes are encrypted, too
 */
struct ebpfs_check {
	u32 crc;
	struct ebpfs_aead *aead;
	bool decrypt;
};

static __always_inline bool ebpfs_fill_piece(struct ebpfs_packet *pkt, u32 off, void *to, u32 len,
					     struct ebpfs_check *check)
{
	if (unlikely(pkt->odd) ? !ebpfs_packet_copy(pkt, off, to, len) :
				 !ebpfs_packet_take(pkt, off, to, len))
		return false;
	if (!check->aead)
		check->crc = ebpfs_crc32c(check->crc, to, len);
	else if (check->decrypt)
		ebpfs_aead_decrypt(check->aead, to, len);
	else
		ebpfs_aead_clear(check->aead, to, len);
	return true;
}

/* The payload of the fragment to its destination; false if the packet is shorter. */
static __always_inline bool ebpfs_fill_all(struct ebpfs_packet *pkt, u32 off,
					   const struct ebpfs_frag *f, struct ebpfs_req *req,
					   struct ebpfs_read_folio **folio,
					   struct ebpfs_check *check)
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
			if (!ebpfs_fill_piece(pkt, off, folio_address(rf->folio) + in, n, check))
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
			if (!ebpfs_fill_piece(pkt, off, bvec_virt(&v), v.bv_len, check))
				return false;
			off += v.bv_len;
		}
	} else if (!ebpfs_fill_piece(pkt, off, req->buf + f->offset, f->len, check)) {
		return false;
	}
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
	struct ebpfs_check check = { .crc = crc };

	return ebpfs_fill_all(pkt, off, f, req, folio, &check) &&
	       f->crc == ebpfs_crc_end(check.crc);
}

/**
 * ebpfs_fill_guarded() - the same for one with a guard
 * @pkt: the packet
 * @off: of the payload in it
 * @head: of the fragment as it was read, without EBPFS_GUARDED
 * @guard: of it
 * @key: that it has
 * @keys: of the session, for what they are used
 * @f: the head, parsed
 * @req: the call
 * @folio: as of ebpfs_fill()
 *
 * The bytes are decrypted where they were written: never in the packet, and never by
 * reading it a second time, when it might be another one.
 * Return: 0; -EBADMSG: it is not authentic, or the packet is shorter; -ENOMEM: there was no
 * memory to find out. Whether it came before is another question.
 */
int ebpfs_fill_guarded(struct ebpfs_packet *pkt, u32 off, const struct ebpfs_reply *head,
		       const struct ebpfs_guard *guard, const u8 key[EBPFS_KEY_LEN],
		       const struct ebpfs_keys *keys, const struct ebpfs_frag *f,
		       struct ebpfs_req *req, struct ebpfs_read_folio **folio)
{
	struct ebpfs_aead *aead = ebpfs_aead_begin(keys->cipher, key, le64_to_cpu(guard->number));
	struct ebpfs_check check = { .aead = aead, .decrypt = keys->sec == EBPFS_SEC_PRIVACY };
	struct ebpfs_reply sent = *head;

	sent.hdr.type |= EBPFS_GUARDED;
	ebpfs_aead_clear(aead, &sent, sizeof(sent));
	if (ebpfs_fill_all(pkt, off, f, req, folio, &check))
		return ebpfs_aead_verify(aead, guard->tag);
	ebpfs_aead_drop(aead);
	return -EBADMSG;
}

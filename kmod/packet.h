/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading a received packet: see packet.c. What is done for every piece of one is here.
 */
#ifndef EBPFS_PACKET_H
#define EBPFS_PACKET_H

#include <linux/skbuff.h>

#include "copy.h"
#include "engine.h"

/**
 * struct ebpfs_packet - a received packet; one of the first two is set, the rest is packet.c's
 * @skb: offsets count from skb->data
 * @xdp: offsets count from xdp->data
 * @at: the piece that is being read; NULL: none yet
 * @at_off: offset at which it begins
 * @at_len: its bytes
 * @part: skb of the list behind the first one that @frag is of; NULL: the first one's own
 * @frag: the next piece
 * @end: behind the last one of that skb or frame
 * @odd: there is more than linear part, fragments and skbs of fragments
 */
struct ebpfs_packet {
	struct sk_buff *skb;
	struct xdp_buff *xdp;
	const void *at;
	u32 at_off;
	u32 at_len;
	const struct sk_buff *part;
	const skb_frag_t *frag;
	const skb_frag_t *end;
	bool odd;
};

bool ebpfs_packet_seek(struct ebpfs_packet *pkt, u32 off);
bool ebpfs_packet_copy(struct ebpfs_packet *pkt, u32 off, void *to, u32 len);
const void *ebpfs_packet_peek(struct ebpfs_packet *pkt, u32 off, void *buf, u32 len);

/* To the next fragment of the same skb or frame, which there is. */
static inline void ebpfs_packet_step(struct ebpfs_packet *pkt)
{
	const skb_frag_t *frag = pkt->frag++;

	pkt->at_off += pkt->at_len;
	pkt->at = skb_frag_address(frag);
	pkt->at_len = skb_frag_size(frag);
}

/**
 * ebpfs_packet_piece() - where a byte lies
 * @pkt: the packet, not odd, from which something was read before
 * @off: of the byte
 * @len: out: bytes that lie there in one piece
 *
 * Return: NULL if it is not in the packet.
 */
static __always_inline const void *ebpfs_packet_piece(struct ebpfs_packet *pkt, u32 off, u32 *len)
{
	if (off - pkt->at_off >= pkt->at_len) {
		if (likely(pkt->frag != pkt->end && off == pkt->at_off + pkt->at_len &&
			   skb_frag_size(pkt->frag)))
			ebpfs_packet_step(pkt);
		else if (!ebpfs_packet_seek(pkt, off))
			return NULL;
	}
	*len = pkt->at_len - (off - pkt->at_off);
	return pkt->at + (off - pkt->at_off);
}

/* As ebpfs_packet_copy(), of a packet as ebpfs_packet_piece() takes it. */
static __always_inline bool ebpfs_packet_take(struct ebpfs_packet *pkt, u32 off, void *to, u32 len)
{
	u32 end = off + len, n;
	const void *from;

	for (to -= off; off < end; off += n) {
		from = ebpfs_packet_piece(pkt, off, &n);
		if (!from)
			return false;
		n = min(n, end - off);
		ebpfs_memcpy(to + off, from, n);
	}
	return true;
}

#endif /* EBPFS_PACKET_H */

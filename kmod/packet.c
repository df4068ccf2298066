// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a received packet, which is an skb or a frame at XDP, in one piece, with
 * fragments, or with a list of further skbs: by copies, without changing it. Its pages may
 * be somebody's page cache and change meanwhile, so what is judged is read once.
 *
 * Context: softirq; never sleeps. A packet is one CPU's.
 */
#include <linux/skbuff.h>
#include <net/xdp.h>

#include "packet.h"

/* The cursor is at the linear part. */
static void ebpfs_packet_rewind(struct ebpfs_packet *pkt)
{
	const struct skb_shared_info *shinfo = NULL;

	if (pkt->skb) {
		pkt->at = pkt->skb->data;
		pkt->at_len = skb_headlen(pkt->skb);
		shinfo = skb_shinfo(pkt->skb);
	} else {
		pkt->at = pkt->xdp->data;
		pkt->at_len = pkt->xdp->data_end - pkt->xdp->data;
		if (xdp_buff_has_frags(pkt->xdp))
			shinfo = xdp_get_shared_info_from_buff(pkt->xdp);
	}
	pkt->at_off = 0;
	pkt->part = NULL;
	pkt->frag = shinfo ? shinfo->frags : NULL;
	pkt->end = shinfo ? shinfo->frags + shinfo->nr_frags : NULL;
}

/* Before all else, when the first byte is read. */
static void ebpfs_packet_open(struct ebpfs_packet *pkt)
{
	const struct sk_buff *part;

	if (pkt->skb) {
		pkt->odd = !skb_frags_readable(pkt->skb);
		skb_walk_frags(pkt->skb, part)
			if (skb_headlen(part) || skb_has_frag_list(part) ||
			    !skb_frags_readable(part))
				pkt->odd = true;
	}
	ebpfs_packet_rewind(pkt);
}

/* On to the fragments of the next skb of the list. Returns false at the end. */
static bool ebpfs_packet_next(struct ebpfs_packet *pkt)
{
	const struct sk_buff *next = NULL;

	if (pkt->part)
		next = pkt->part->next;
	else if (pkt->skb)
		next = skb_shinfo(pkt->skb)->frag_list;
	if (!next)
		return false;
	pkt->part = next;
	pkt->frag = skb_shinfo(next)->frags;
	pkt->end = pkt->frag + skb_shinfo(next)->nr_frags;
	return true;
}

/**
 * ebpfs_packet_seek() - to the piece that byte @off is in, which is not the present one
 * @pkt: the packet, not odd
 * @off: of the byte
 *
 * Return: false if there is none.
 */
bool ebpfs_packet_seek(struct ebpfs_packet *pkt, u32 off)
{
	/* Most go through a packet from its begin to its end. */
	if (off < pkt->at_off)
		ebpfs_packet_rewind(pkt);
	while (off - pkt->at_off >= pkt->at_len) {
		if (pkt->frag == pkt->end && !ebpfs_packet_next(pkt))
			return false;
		if (likely(pkt->frag != pkt->end))
			ebpfs_packet_step(pkt);
	}
	return true;
}

/**
 * ebpfs_packet_copy() - bytes of a packet
 * @pkt: the packet; not changed but for its cursor
 * @off: of the first byte
 * @to: where to
 * @len: bytes
 *
 * Return: false if the packet is shorter.
 */
bool ebpfs_packet_copy(struct ebpfs_packet *pkt, u32 off, void *to, u32 len)
{
	if (!pkt->at)
		ebpfs_packet_open(pkt);
	if (unlikely(pkt->odd))
		return !skb_copy_bits(pkt->skb, off, to, len);
	return ebpfs_packet_take(pkt, off, to, len);
}

/**
 * ebpfs_packet_peek() - bytes of a packet, in place if they lie so
 * @pkt: the packet
 * @off: of the first byte
 * @buf: @len bytes of room
 * @len: bytes
 *
 * Return: where they are, at @buf or in the packet; NULL if that is shorter.
 */
const void *ebpfs_packet_peek(struct ebpfs_packet *pkt, u32 off, void *buf, u32 len)
{
	const void *p = NULL;
	u32 n = 0;

	if (!pkt->at)
		ebpfs_packet_open(pkt);
	if (likely(!pkt->odd))
		p = ebpfs_packet_piece(pkt, off, &n);
	if (p && n >= len)
		return p;
	return ebpfs_packet_copy(pkt, off, buf, len) ? buf : NULL;
}

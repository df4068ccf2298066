// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a received packet, which is an skb or a frame at XDP, in one piece or with
 * fragments: by copies, without changing it. Its pages may be somebody's page cache and
 * change meanwhile, so what is judged is read once.
 *
 * Context: softirq; never sleeps. A packet is one CPU's.
 */
#include <linux/skbuff.h>
#include <net/xdp.h>

#include "engine.h"

/*
 * memcpy(), by what the machine does fastest with bytes that are not in a register anyway.
 * Without FSRM memcpy() of these kernels is a loop.
 */
static void ebpfs_copy(void *to, const void *from, u32 len)
{
#ifdef CONFIG_X86_64
	unsigned long words = len / 8;

	if (len >= 128 && !static_cpu_has(X86_FEATURE_FSRM)) {
		asm volatile("rep movsq"
			     : "+D" (to), "+S" (from), "+c" (words) : : "memory");
		len %= 8;
	}
#endif
	if (len)
		memcpy(to, from, len);
}

/* Finds out where the packet's bytes lie. */
static void ebpfs_packet_open(struct ebpfs_packet *pkt)
{
	const struct skb_shared_info *shinfo = NULL;

	if (pkt->skb) {
		pkt->data = pkt->skb->data;
		pkt->head = skb_headlen(pkt->skb);
		pkt->scattered = skb_has_frag_list(pkt->skb) || !skb_frags_readable(pkt->skb);
		shinfo = skb_shinfo(pkt->skb);
	} else {
		pkt->data = pkt->xdp->data;
		pkt->head = pkt->xdp->data_end - pkt->xdp->data;
		if (xdp_buff_has_frags(pkt->xdp))
			shinfo = xdp_get_shared_info_from_buff(pkt->xdp);
	}
	pkt->frags = shinfo ? shinfo->frags : NULL;
	pkt->nr_frags = shinfo ? shinfo->nr_frags : 0;
	pkt->frag = 0;
	pkt->frag_off = pkt->head;
}

/* Where byte @off lies, and in @len how many there are in one piece; NULL: not in the packet. */
static const void *ebpfs_packet_piece(struct ebpfs_packet *pkt, u32 off, u32 *len)
{
	if (off < pkt->head) {
		*len = pkt->head - off;
		return pkt->data + off;
	}
	/* Most go through a packet from its begin to its end. */
	if (off < pkt->frag_off) {
		pkt->frag = 0;
		pkt->frag_off = pkt->head;
	}
	for (; pkt->frag < pkt->nr_frags; pkt->frag++) {
		const skb_frag_t *frag = &pkt->frags[pkt->frag];
		u32 size = skb_frag_size(frag), in = off - pkt->frag_off;

		if (in < size) {
			*len = size - in;
			return skb_frag_address(frag) + in;
		}
		pkt->frag_off += size;
	}
	return NULL;
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
	const void *from;
	u32 n;

	if (!pkt->data)
		ebpfs_packet_open(pkt);
	if (unlikely(pkt->scattered))
		return !skb_copy_bits(pkt->skb, off, to, len);
	for (; len; off += n, to += n, len -= n) {
		from = ebpfs_packet_piece(pkt, off, &n);
		if (!from)
			return false;
		n = min(n, len);
		ebpfs_copy(to, from, n);
	}
	return true;
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

	if (!pkt->data)
		ebpfs_packet_open(pkt);
	if (likely(!pkt->scattered))
		p = ebpfs_packet_piece(pkt, off, &n);
	if (p && n >= len)
		return p;
	return ebpfs_packet_copy(pkt, off, buf, len) ? buf : NULL;
}

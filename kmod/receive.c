// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams in. The plain way (a UDP socket's encap_rcv) starts here; the
 * steered ways start in kfunc.c and meet it in ebpfs_receive_replies(), which
 * walks the fragments of one packet:
 *
 *	head -> session -> claim() -> fill() -> filled() -> completion
 *
 * Everything runs in softirq inside an RCU read-side section. Nothing in the
 * packet is believed before the core's parser saw it, and no folio becomes
 * uptodate before the checksum over what was written is right.
 */
#include <linux/udp.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/xdp.h>

#include "engine.h"

/* As memcpy(), for what often is whole pages: the machine's fastest way for these. */
static void ebpfs_copy(void *to, const void *from, u32 len)
{
	if (IS_ALIGNED((unsigned long)to | (unsigned long)from, PAGE_SIZE))
		for (; len >= PAGE_SIZE; len -= PAGE_SIZE, to += PAGE_SIZE, from += PAGE_SIZE)
			copy_page(to, (void *)from);
	if (len)
		memcpy(to, from, len);
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
	struct skb_shared_info *shinfo = NULL;
	u32 head, n, at;
	void *data;
	int i;

	if (pkt->skb) {
		if (skb_has_frag_list(pkt->skb) || !skb_frags_readable(pkt->skb))
			return !skb_copy_bits(pkt->skb, off, to, len);
		data = pkt->skb->data;
		head = skb_headlen(pkt->skb);
		shinfo = skb_shinfo(pkt->skb);
	} else {
		data = pkt->xdp->data;
		head = pkt->xdp->data_end - pkt->xdp->data;
		if (xdp_buff_has_frags(pkt->xdp))
			shinfo = xdp_get_shared_info_from_buff(pkt->xdp);
	}
	if (off < head) {
		n = min(len, head - off);
		ebpfs_copy(to, data + off, n);
		off += n;
		to += n;
		len -= n;
	}
	if (!len || !shinfo)
		return !len;
	/* Most go through a packet from its begin to its end. */
	i = off >= pkt->frag_off ? pkt->frag : 0;
	at = i ? pkt->frag_off : head;
	for (; i < shinfo->nr_frags; i++) {
		const skb_frag_t *frag = &shinfo->frags[i];
		u32 size = skb_frag_size(frag);

		if (off - at < size) {
			n = min(len, size - (off - at));
			ebpfs_copy(to, skb_frag_address(frag) + (off - at), n);
			off += n;
			to += n;
			len -= n;
			if (!len)
				break;
		}
		at += size;
	}
	pkt->frag = i;
	pkt->frag_off = at;
	return !len;
}

static void ebpfs_count_drop(struct ebpfs_node *node, enum ebpfs_verdict verdict)
{
	switch (verdict) {
	case EBPFS_DROP_STALE:
		ebpfs_stat_inc(node->stats, drop_stale);
		break;
	case EBPFS_DROP_DUPLICATE:
		ebpfs_stat_inc(node->stats, drop_duplicate);
		break;
	case EBPFS_DROP_INSTANCE:
		ebpfs_stat_inc(node->stats, drop_instance);
		break;
	case EBPFS_DROP_GRID:
		ebpfs_stat_inc(node->stats, drop_grid);
		break;
	case EBPFS_DROP_RANGE:
		ebpfs_stat_inc(node->stats, drop_range);
		break;
	case EBPFS_DROP_CANCELLED:
		ebpfs_stat_inc(node->stats, drop_cancelled);
		break;
	default:
		break;
	}
}

/* One fragment: @head is the copied REPLY head, the payload lies at @off. */
static enum ebpfs_steer_verdict
ebpfs_receive_one(struct ebpfs_packet *pkt, struct ebpfs_session *session,
		  const void *head, const struct ebpfs_frag *f, u32 off, enum ebpfs_way way)
{
	struct ebpfs_node *node = session->node;
	struct ebpfs_result res = {};
	enum ebpfs_verdict verdict;
	enum ebpfs_filled filled;
	void *owner;
	bool good;

	verdict = ebpfs_conn_claim(&session->conn, f, &owner);
	if (verdict != EBPFS_CLAIMED) {
		ebpfs_count_drop(node, verdict);
		return EBPFS_STEER_USELESS;
	}
	good = ebpfs_fill(pkt, off, head, f, owner);
	filled = ebpfs_conn_filled(&session->conn, f, good, ebpfs_now(), &res);
	if (filled == EBPFS_FILL_COMPLETE)
		ebpfs_node_renewed(node, res.first_at);
	if (filled == EBPFS_FILL_COMPLETE)
		ebpfs_req_leave_slot(session, owner, EBPFS_ID_SLOT(f->id), &res);
	else if (filled == EBPFS_FILL_RELEASE)
		ebpfs_req_leave_slot(session, owner, EBPFS_ID_SLOT(f->id), NULL);

	if (!good) {
		ebpfs_stat_inc(node->stats, drop_crc);
		return EBPFS_STEER_CORRUPT;
	}
	ebpfs_stat_inc(node->stats, fill_fragments);
	switch (way) {
	case EBPFS_WAY_PLAIN:
		ebpfs_stat_add(node->stats, fill_bytes_plain, f->len);
		break;
	case EBPFS_WAY_TC:
		ebpfs_stat_add(node->stats, fill_bytes_tc, f->len);
		break;
	case EBPFS_WAY_XDP:
		ebpfs_stat_add(node->stats, fill_bytes_xdp, f->len);
		break;
	}
	return EBPFS_STEER_FILLED;
}

/**
 * ebpfs_receive_replies() - the REPLY datagrams of one packet
 * @pkt: the packet
 * @flow: between whom
 * @off: of the first datagram's UDP payload
 * @len: bytes of UDP payload in the whole packet
 * @seg: bytes per datagram of a super-packet, 0 if there is one datagram only
 * @way: by which the packet came
 * @out: what was done; added to
 *
 * Context: softirq, RCU read lock held.
 * Return: a verdict; with EBPFS_STEER_PASS_* nothing was done with the packet.
 */
enum ebpfs_steer_verdict
ebpfs_receive_replies(struct ebpfs_packet *pkt, const struct ebpfs_flow *flow,
		      u32 off, u32 len, u32 seg, enum ebpfs_way way,
		      struct ebpfs_steer_opts *out)
{
	enum ebpfs_steer_verdict result = EBPFS_STEER_USELESS;
	struct ebpfs_session *session = NULL;
	bool first = true;

	do {
		u32 n = seg ? min(seg, len) : len;
		struct ebpfs_reply head;
		enum ebpfs_steer_verdict verdict;
		struct ebpfs_frag f;
		u64 id;
		int type;

		if (n < sizeof(struct ebpfs_hdr) ||
		    !ebpfs_packet_copy(pkt, off, &head, min_t(u32, n, sizeof(head)))) {
			verdict = EBPFS_STEER_PASS_MALFORMED;
			goto next;
		}
		type = ebpfs_parse_hdr(&head, n, &id);
		if (type != EBPFS_REPLY) {
			verdict = type < 0 ? EBPFS_STEER_PASS_MALFORMED : EBPFS_STEER_PASS_TYPE;
			goto next;
		}
		if (!session || session->id != id) {
			session = ebpfs_session_find(id);
			if (!session) {
				/* The plain way comes last, so that it is counted once. */
				if (way == EBPFS_WAY_PLAIN)
					ebpfs_stat_inc(ebpfs_global_stats, drop_session);
				verdict = EBPFS_STEER_PASS_SESSION;
				goto next;
			}
		}
		if (session->node->mnt->net != flow->net ||
		    session->node->path.port != flow->local_port ||
		    !ebpfs_addr_equal(&session->node->path.to, &flow->from)) {
			/* The plain way comes last: it counts, and has nobody to pass to. */
			verdict = EBPFS_STEER_PASS_SESSION;
			if (way == EBPFS_WAY_PLAIN) {
				ebpfs_stat_inc(session->node->stats, drop_address);
				verdict = EBPFS_STEER_USELESS;
			}
			session = NULL;
			goto next;
		}
		/* Generic XDP sees super-packets, but not their segment size. All
		 * segments but the last are as long as their own cell says.
		 */
		if (way == EBPFS_WAY_XDP && first && n > sizeof(head) + le16_to_cpu(head.cell)) {
			seg = sizeof(head) + le16_to_cpu(head.cell);
			n = seg;
		}
		if (ebpfs_parse_reply(&head, n, &f)) {
			verdict = EBPFS_STEER_PASS_MALFORMED;
			goto next;
		}
		f.ce = flow->ce;
		verdict = ebpfs_receive_one(pkt, session, &head, &f, off + sizeof(head), way);
		out->fragments++;
		if (verdict == EBPFS_STEER_FILLED) {
			out->bytes += f.len;
			result = verdict;
		} else if (verdict == EBPFS_STEER_CORRUPT && result == EBPFS_STEER_USELESS) {
			result = verdict;
		}
next:
		/* Once a datagram was used the packet is taken, and the rest of it
		 * has to be of use or is lost.
		 */
		if (verdict >= EBPFS_STEER_PASS_OTHER) {
			if (first)
				return verdict;
			ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
		}
		first = false;
		off += n;
		len -= n;
	} while (len);
	return result;
}

static bool ebpfs_skb_flow(const struct sk_buff *skb, struct ebpfs_flow *flow)
{
	const struct udphdr *uh = udp_hdr(skb);

	flow->net = dev_net(skb->dev);
	flow->local_port = uh->dest;
	memset(&flow->from, 0, sizeof(flow->from));
	if (ip_hdr(skb)->version == 4) {
		flow->from.in.sin_family = AF_INET;
		flow->from.in.sin_addr.s_addr = ip_hdr(skb)->saddr;
		flow->from.in.sin_port = uh->source;
		flow->ce = INET_ECN_is_ce(ip_hdr(skb)->tos);
		return true;
	}
	if (ip_hdr(skb)->version == 6) {
		flow->from.in6.sin6_family = AF_INET6;
		flow->from.in6.sin6_addr = ipv6_hdr(skb)->saddr;
		flow->from.in6.sin6_port = uh->source;
		flow->ce = INET_ECN_is_ce(ipv6_get_dsfield(ipv6_hdr(skb)));
		return true;
	}
	return false;
}

/**
 * ebpfs_encap_rcv() - the plain way in
 * @sk: a node's socket
 * @skb: transport header set, skb->data at the UDP header; may be a UDP
 *	super-packet, since the sockets accept them
 *
 * Context: softirq, RCU read lock held.
 * Return: 0, the skb is consumed.
 */
int ebpfs_encap_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct ebpfs_packet pkt = { .skb = skb };
	struct ebpfs_steer_opts out = {};
	struct ebpfs_node *node;
	struct ebpfs_flow flow;
	u32 seg, len, off = sizeof(struct udphdr);
	struct ebpfs_hdr hdr;
	u64 session;
	int type;

	node = rcu_dereference_sk_user_data(sk);
	if (!node || skb->len <= off || !ebpfs_skb_flow(skb, &flow))
		goto drop;
	len = skb->len - off;
	seg = skb_is_gso(skb) ? skb_shinfo(skb)->gso_size : 0;
	if (len < sizeof(hdr) || skb_copy_bits(skb, off, &hdr, sizeof(hdr)) ||
	    hdr.magic != cpu_to_le16(EBPFS_MAGIC))
		goto malformed;

	if (hdr.type == EBPFS_REPLY) {
		if (ebpfs_receive_replies(&pkt, &flow, off, len, seg, EBPFS_WAY_PLAIN, &out) ==
		    EBPFS_STEER_PASS_MALFORMED)
			goto malformed;
		goto drop;
	}

	if (!ebpfs_addr_equal(&node->path.to, &flow.from)) {
		ebpfs_stat_inc(node->stats, drop_address);
		goto drop;
	}
	if (seg || len > EBPFS_UDP_PAYLOAD_MAX)
		goto malformed;
	/* All else is small and rare, but for PROBE_ACK, whose padding is only
	 * checksummed. These skbs are ours alone: linear data may be made here.
	 */
	if (skb_linearize(skb))
		goto drop;
	type = ebpfs_parse_hdr(skb->data + off, len, &session);
	if (type < 0)
		goto malformed;
	if (!ebpfs_sealed(skb->data + off, len)) {
		ebpfs_stat_inc(node->stats, drop_crc);
		goto drop;
	}
	ebpfs_node_hear(node, skb, off, len, type, session);
	goto drop;

malformed:
	ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
drop:
	consume_skb(skb);
	return 0;
}

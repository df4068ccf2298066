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

#include "engine.h"
#include "packet.h"

/* @n fragments are not wanted. */
static void ebpfs_count_drop(struct ebpfs_node *node, enum ebpfs_verdict verdict, u32 n)
{
	switch (verdict) {
	case EBPFS_DROP_STALE:
		ebpfs_stat_add(node->stats, drop_stale, n);
		break;
	case EBPFS_DROP_DUPLICATE:
		ebpfs_stat_add(node->stats, drop_duplicate, n);
		break;
	case EBPFS_DROP_INSTANCE:
		ebpfs_stat_add(node->stats, drop_instance, n);
		break;
	case EBPFS_DROP_GRID:
		ebpfs_stat_add(node->stats, drop_grid, n);
		break;
	case EBPFS_DROP_RANGE:
		ebpfs_stat_add(node->stats, drop_range, n);
		break;
	case EBPFS_DROP_CANCELLED:
		ebpfs_stat_add(node->stats, drop_cancelled, n);
		break;
	default:
		break;
	}
}

/**
 * struct ebpfs_run - neighbouring fragments of one reply in one packet
 * @head: of the first one, as it came
 * @f: the same, parsed
 * @off: of it in the packet
 * @seg: from one to the next
 * @count: how many
 * @len: bytes of all of them
 * @head_len: bytes of a head, with its guard if there is one
 * @guarded: each has one
 * @guard: of the one whose head is @head
 *
 * Their heads differ in offset and checksum, or guard, only.
 */
struct ebpfs_run {
	struct ebpfs_reply head;
	struct ebpfs_frag f;
	u32 off;
	u32 seg;
	u32 count;
	u32 len;
	u32 head_len;
	bool guarded;
	struct ebpfs_guard guard;
};

/* The next fragment of the run behind @f. */
static void ebpfs_run_next(struct ebpfs_frag *f)
{
	f->index++;
	f->offset += f->cell;
	f->len = min_t(u32, f->cell, f->total - f->offset);
}

/* How many fragments there may be, by the length of what follows the first, @len with it. */
static u32 ebpfs_run_most(const struct ebpfs_run *run, u32 len)
{
	u32 most = run->f.ncells - run->f.index;

	return run->seg ? min(most, DIV_ROUND_UP(len, run->seg)) : 1;
}

/* For one that does not lie in one piece. */
static noinline bool ebpfs_head_follows_apart(struct ebpfs_packet *pkt, u32 off,
					      struct ebpfs_reply *want)
{
	struct ebpfs_reply head;

	if (!ebpfs_packet_copy(pkt, off, &head, sizeof(head)))
		return false;
	want->hdr.crc = head.hdr.crc;
	return !memcmp(want, &head, sizeof(head));
}

/*
 * Is the head at @off, which is read once, that of the fragment at @offset of the reply that
 * @want is a head of? @want becomes that of this one.
 */
static __always_inline bool ebpfs_head_follows(struct ebpfs_packet *pkt, u32 off, u32 offset,
					       struct ebpfs_reply *want)
{
	/* In the first word, but for the checksum. */
	const u64 behind_crc = (__force u64)cpu_to_le64(~0ull << 32);
	const u64 *w = (const u64 *)want, *h = NULL;
	u64 first, differ;
	u32 n, i;

	BUILD_BUG_ON(sizeof(*want) % sizeof(*w) || offsetof(struct ebpfs_reply, hdr.crc));
	want->offset = cpu_to_le32(offset);
	if (likely(!pkt->odd))
		h = ebpfs_packet_piece(pkt, off, &n);
	if (unlikely(!h || n < sizeof(*want)))
		return ebpfs_head_follows_apart(pkt, off, want);
	first = READ_ONCE(h[0]);
	differ = (first ^ w[0]) & behind_crc;
#pragma GCC unroll 6
	for (i = 1; i < sizeof(*want) / sizeof(*w); i++)
		differ |= READ_ONCE(h[i]) ^ w[i];
	memcpy(&want->hdr.crc, &first, sizeof(want->hdr.crc));
	return !differ;
}

/* A head with a guard, as it lies in a packet. */
struct ebpfs_guarded_head {
	struct ebpfs_hdr hdr;
	struct ebpfs_guard guard;
	u8 rest[sizeof(struct ebpfs_reply) - sizeof(struct ebpfs_hdr)];
};

/* The head at @off becomes what it would be without a guard, but for its checksum: that is
 * the key's id. False if the packet is shorter.
 */
static bool ebpfs_guarded_head(struct ebpfs_packet *pkt, u32 off, struct ebpfs_reply *head,
			       struct ebpfs_guard *guard)
{
	struct ebpfs_guarded_head g;

	BUILD_BUG_ON(sizeof(g) != sizeof(*head) + sizeof(*guard));
	if (!ebpfs_packet_copy(pkt, off, &g, sizeof(g)))
		return false;
	head->hdr = g.hdr;
	head->hdr.type &= ~EBPFS_GUARDED;
	memcpy((u8 *)head + sizeof(head->hdr), g.rest, sizeof(g.rest));
	*guard = g.guard;
	return g.hdr.type & EBPFS_GUARDED;
}

/* As ebpfs_head_follows(), in a run with guards. */
static noinline bool ebpfs_guarded_follows(struct ebpfs_packet *pkt, u32 off, u32 offset,
					   struct ebpfs_reply *want, struct ebpfs_guard *guard)
{
	struct ebpfs_reply head;

	want->offset = cpu_to_le32(offset);
	return ebpfs_guarded_head(pkt, off, &head, guard) && !memcmp(want, &head, sizeof(head));
}

/*
 * The fragment with a guard at @off, to where @req says. Return: may it be believed? What is
 * not is counted here.
 */
static noinline bool ebpfs_run_fill_guarded(struct ebpfs_packet *pkt, u32 off,
					    struct ebpfs_session *session,
					    const struct ebpfs_run *run, const u8 *key,
					    const struct ebpfs_frag *f, struct ebpfs_req *req,
					    struct ebpfs_read_folio **folio)
{
	switch (ebpfs_fill_guarded(pkt, off, &run->head, &run->guard, key, &session->keys, f, req,
				   folio)) {
	case 0:
		break;
	case -ENOMEM:
		ebpfs_stat_inc(session->node->stats, drop_memory);
		return false;
	default:
		ebpfs_stat_inc(session->node->stats, drop_tag);
		return false;
	}
	if (!ebpfs_keys_take(&session->keys, f->crc, le64_to_cpu(run->guard.number), ebpfs_now())) {
		ebpfs_stat_inc(session->node->stats, drop_replay);
		return false;
	}
	return true;
}

/*
 * Goes through the run and finds its end, at most @most fragments and @len bytes away.
 * Those of @claimed are written to where @req says; returns which of them are right.
 * A head is read once, and by then compared. @key: of a run with guards.
 */
static u64 ebpfs_run_fill(struct ebpfs_packet *pkt, struct ebpfs_session *session,
			  struct ebpfs_run *run, u32 most, u32 len, u64 claimed, const u8 *key,
			  struct ebpfs_req *req, u32 *bytes)
{
	struct ebpfs_reply *want = &run->head;
	struct ebpfs_read_folio *folio = NULL;
	struct ebpfs_frag f = run->f;
	u32 at = 0, size;
	u64 good = 0;

	for (run->count = 0; run->count < most; run->count++, ebpfs_run_next(&f)) {
		size = run->head_len + f.len;
		if (run->count) {
			if (size != min(run->seg, len - at) ||
			    (unlikely(run->guarded) ?
			     !ebpfs_guarded_follows(pkt, run->off + at, f.offset, want,
						    &run->guard) :
			     !ebpfs_head_follows(pkt, run->off + at, f.offset, want)))
				break;
			f.crc = le32_to_cpu(want->hdr.crc);
		}
		if (claimed >> f.index & 1 &&
		    (unlikely(run->guarded) ?
		     ebpfs_run_fill_guarded(pkt, run->off + at + run->head_len, session, run, key,
					    &f, req, &folio) :
		     ebpfs_fill(pkt, run->off + at + sizeof(*want),
				ebpfs_crc_head(want, sizeof(*want)), &f, req, &folio))) {
			good |= 1ull << f.index;
			*bytes += f.len;
		}
		at += size;
	}
	run->len = at;
	return good;
}

static void ebpfs_count_filled(struct ebpfs_node *node, enum ebpfs_way way, u32 n, u32 bytes)
{
	ebpfs_stat_add(node->stats, fill_fragments, n);
	switch (way) {
	case EBPFS_WAY_PLAIN:
		ebpfs_stat_add(node->stats, fill_bytes_plain, bytes);
		break;
	case EBPFS_WAY_TC:
		ebpfs_stat_add(node->stats, fill_bytes_tc, bytes);
		break;
	case EBPFS_WAY_XDP:
		ebpfs_stat_add(node->stats, fill_bytes_xdp, bytes);
		break;
	}
}

/*
 * A run, from its claim to its end. What is claimed is what may be there; what proves not
 * to be of the run is given back unwritten. @len: bytes of the packet from the run on.
 * @bytes that were taken are added to.
 */
static enum ebpfs_steer_verdict
ebpfs_receive_run(struct ebpfs_packet *pkt, struct ebpfs_session *session, struct ebpfs_run *run,
		  u32 len, enum ebpfs_way way, u32 *bytes)
{
	u32 most = ebpfs_run_most(run, len), filled_bytes = 0;
	u64 cells = ebpfs_cell_set(most) << run->f.index;
	struct ebpfs_node *node = session->node;
	u16 slot = EBPFS_ID_SLOT(run->f.id);
	struct ebpfs_result res = {};
	enum ebpfs_verdict verdict;
	enum ebpfs_filled filled;
	u64 claimed, good, now;
	u8 key[EBPFS_KEY_LEN];
	void *owner;

	/* Before anything is claimed for what cannot be read. */
	if (unlikely(run->guarded) && !ebpfs_keys_find(&session->keys, run->f.crc, key)) {
		ebpfs_run_fill(pkt, session, run, most, len, 0, NULL, NULL, &filled_bytes);
		ebpfs_stat_add(node->stats, drop_key, run->count);
		return EBPFS_STEER_USELESS;
	}
	verdict = ebpfs_conn_claim_cells(&session->conn, &run->f, cells, &owner, &claimed);
	if (verdict != EBPFS_CLAIMED) {
		if (unlikely(run->guarded))
			memzero_explicit(key, sizeof(key));
		ebpfs_run_fill(pkt, session, run, most, len, 0, NULL, NULL, &filled_bytes);
		ebpfs_count_drop(node, verdict, run->count);
		return EBPFS_STEER_USELESS;
	}
	good = ebpfs_run_fill(pkt, session, run, most, len, claimed, key, owner, &filled_bytes);
	if (unlikely(run->guarded))
		memzero_explicit(key, sizeof(key));
	now = ebpfs_now();
	filled = ebpfs_conn_filled_cells(&session->conn, &run->f, claimed, good, now, &res);
	if (filled == EBPFS_FILL_COMPLETE) {
		ebpfs_node_renewed(node, res.first_at);
		ebpfs_req_leave_slot(session, owner, slot, &res, now);
	} else if (filled == EBPFS_FILL_RELEASE) {
		ebpfs_req_leave_slot(session, owner, slot, NULL, now);
	}

	cells = ebpfs_cell_set(run->count) << run->f.index;
	if (likely(good == cells)) {
		ebpfs_count_filled(node, way, run->count, filled_bytes);
	} else {
		ebpfs_count_drop(node, EBPFS_DROP_DUPLICATE, hweight64(cells & ~claimed));
		if (!run->guarded)
			ebpfs_stat_add(node->stats, drop_crc, hweight64(cells & claimed & ~good));
		ebpfs_count_filled(node, way, hweight64(good), filled_bytes);
	}
	*bytes += filled_bytes;
	return good ? EBPFS_STEER_FILLED :
	       cells & claimed ? EBPFS_STEER_CORRUPT : EBPFS_STEER_USELESS;
}

/* Bytes of the datagram that begins so. */
static u32 ebpfs_reply_size(const struct ebpfs_run *run)
{
	const struct ebpfs_reply *head = &run->head;

	return run->head_len + min_t(u32, le16_to_cpu(head->cell),
				     le32_to_cpu(head->total) - le32_to_cpu(head->offset));
}

/* Is the datagram from the session's server, and to its port? */
static bool ebpfs_flow_fits(const struct ebpfs_session *session, const struct ebpfs_flow *flow)
{
	const struct ebpfs_node *node = session->node;

	return node->mnt->net == flow->net && node->path.port == flow->local_port &&
	       ebpfs_addr_equal(&node->path.to, &flow->from);
}

/* What it is that begins with @hdr, and is no REPLY. */
static enum ebpfs_steer_verdict ebpfs_no_reply(const struct ebpfs_hdr *hdr)
{
	if (hdr->magic != cpu_to_le16(EBPFS_MAGIC) || hdr->version != EBPFS_VERSION)
		return EBPFS_STEER_PASS_OTHER;
	return (hdr->type & ~EBPFS_GUARDED) == EBPFS_REPLY ? EBPFS_STEER_PASS_MALFORMED :
							     EBPFS_STEER_PASS_TYPE;
}

/*
 * The head of the datagram at @run->off, which has at most @run->len bytes, and its
 * session, which may be that of the last one. Returns 0, or what to do with the datagram.
 */
static int ebpfs_receive_head(struct ebpfs_packet *pkt, const struct ebpfs_flow *flow,
			      enum ebpfs_way way, struct ebpfs_run *run,
			      struct ebpfs_session **session)
{
	struct ebpfs_reply *head = &run->head;
	u64 id;
	int type;

	if (run->len < sizeof(struct ebpfs_hdr) ||
	    !ebpfs_packet_copy(pkt, run->off, head, min_t(u32, run->len, sizeof(*head))))
		return EBPFS_STEER_PASS_MALFORMED;
	run->guarded = head->hdr.type == (EBPFS_REPLY | EBPFS_GUARDED);
	run->head_len = sizeof(*head) + (run->guarded ? sizeof(run->guard) : 0);
	if (unlikely(run->guarded) &&
	    (run->len < run->head_len || !ebpfs_guarded_head(pkt, run->off, head, &run->guard)))
		return EBPFS_STEER_PASS_MALFORMED;
	type = ebpfs_parse_hdr(head, run->len - (run->head_len - sizeof(*head)), &id);
	if (type != EBPFS_REPLY)
		return ebpfs_no_reply(&head->hdr);
	if (!*session || (*session)->id != id) {
		*session = ebpfs_session_find(id);
		if (!*session) {
			/* The plain way comes last, so that it is counted once. */
			if (way == EBPFS_WAY_PLAIN)
				ebpfs_stat_inc(ebpfs_global_stats, drop_session);
			return EBPFS_STEER_PASS_SESSION;
		}
		if (!ebpfs_flow_fits(*session, flow)) {
			/* It has nobody to pass to, either. */
			if (way == EBPFS_WAY_PLAIN)
				ebpfs_stat_inc((*session)->node->stats, drop_address);
			*session = NULL;
			return way == EBPFS_WAY_PLAIN ? EBPFS_STEER_USELESS :
							EBPFS_STEER_PASS_SESSION;
		}
	}
	if (unlikely(run->guarded != ebpfs_keys_guard(&(*session)->keys))) {
		ebpfs_stat_inc((*session)->node->stats, drop_unguarded);
		return EBPFS_STEER_USELESS;
	}
	/* Generic XDP sees super-packets, but not their segment size: that of the first,
	 * which is as long as its own head says.
	 */
	if (way == EBPFS_WAY_XDP && !run->seg && ebpfs_reply_size(run) < run->len)
		run->seg = run->len = ebpfs_reply_size(run);
	if (ebpfs_parse_reply(head, run->len - (run->head_len - sizeof(*head)), &run->f))
		return EBPFS_STEER_PASS_MALFORMED;
	run->f.ce = flow->ce;
	return 0;
}

/* Is the last datagram of a super-packet, which is shorter than the others, a REPLY, too? GRO
 * joins with replies whatever comes behind them.
 */
static bool ebpfs_tail_is_reply(struct ebpfs_packet *pkt, u32 off, u32 len)
{
	struct ebpfs_hdr hdr;

	return len >= sizeof(hdr) && ebpfs_packet_copy(pkt, off, &hdr, sizeof(hdr)) &&
	       (hdr.type & ~EBPFS_GUARDED) == EBPFS_REPLY;
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
	struct ebpfs_run run;
	bool first = true;
	int verdict;

	run.seg = seg;
	do {
		run.off = off;
		run.len = run.seg ? min(run.seg, len) : len;
		run.count = 1;
		verdict = ebpfs_receive_head(pkt, flow, way, &run, &session);
		if (!verdict && first && run.seg && len % run.seg &&
		    !ebpfs_tail_is_reply(pkt, off + len - len % run.seg, len % run.seg))
			return EBPFS_STEER_PASS_TYPE;
		if (!verdict) {
			verdict = ebpfs_receive_run(pkt, session, &run, len, way, &out->bytes);
			out->fragments += run.count;
		}
		if (verdict == EBPFS_STEER_FILLED ||
		    (verdict == EBPFS_STEER_CORRUPT && result == EBPFS_STEER_USELESS))
			result = verdict;
		/* Once a datagram was used the packet is taken, and the rest of it has to be
		 * of use or is lost.
		 */
		if (verdict >= EBPFS_STEER_PASS_OTHER) {
			if (first)
				return verdict;
			ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
		}
		first = false;
		off += run.len;
		len -= run.len;
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

/* Are datagrams of @type believed in a session with keys only with a guard? */
static bool ebpfs_of_session(u8 type)
{
	return type == EBPFS_PROBE_ACK || type == EBPFS_NEED || type == EBPFS_RECALL ||
	       type == EBPFS_REKEYED;
}

/*
 * A datagram with a guard, and none of a reply, opened in memory of its own. @buf: to be
 * freed. Return: the plain one, or NULL, counted.
 */
static const void *ebpfs_open_guarded(struct ebpfs_node *node, const struct sk_buff *skb, u32 off,
				      u32 *len, void **buf)
{
	struct ebpfs_session *s = rcu_dereference(node->session);
	struct ebpfs_hdr *hdr;
	void *p;

	p = kmalloc(*len, GFP_ATOMIC | __GFP_NOWARN);
	if (!p || skb_copy_bits(skb, off, p, *len))
		goto out;
	hdr = p;
	if (!s || hdr->session != cpu_to_le64(s->id)) {
		ebpfs_stat_inc(node->stats, drop_session);
		goto out;
	}
	if (!ebpfs_keys_guard(&s->keys)) {
		ebpfs_stat_inc(node->stats, drop_unguarded);
		goto out;
	}
	switch (ebpfs_guard_open(&s->keys, p, *len, ebpfs_now())) {
	case 0:
		*buf = p;
		*len -= sizeof(struct ebpfs_guard);
		return p + sizeof(struct ebpfs_guard);
	case -ENOKEY:
		ebpfs_stat_inc(node->stats, drop_key);
		break;
	case -EKEYREJECTED:
		ebpfs_stat_inc(node->stats, drop_tag);
		break;
	case -EALREADY:
		ebpfs_stat_inc(node->stats, drop_replay);
		break;
	case -ENOMEM:
		ebpfs_stat_inc(node->stats, drop_memory);
		break;
	default:
		ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
	}
out:
	kfree(p);
	return NULL;
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
	enum ebpfs_steer_verdict verdict;
	struct ebpfs_node *node;
	struct ebpfs_flow flow;
	u32 seg, len, off = sizeof(struct udphdr);
	struct ebpfs_hdr hdr;
	void *buf = NULL;
	const void *msg;
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

	if (hdr.type == EBPFS_REPLY || hdr.type == (EBPFS_REPLY | EBPFS_GUARDED)) {
		verdict = ebpfs_receive_replies(&pkt, &flow, off, len, seg, EBPFS_WAY_PLAIN, &out);
		if (verdict == EBPFS_STEER_PASS_MALFORMED || verdict == EBPFS_STEER_PASS_OTHER)
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
	msg = skb->data + off;
	if (hdr.type & EBPFS_GUARDED) {
		msg = ebpfs_open_guarded(node, skb, off, &len, &buf);
		if (!msg)
			goto drop;
	}
	type = ebpfs_parse_hdr(msg, len, &session);
	if (type < 0)
		goto malformed;
	if (!buf && !ebpfs_sealed(msg, len)) {
		ebpfs_stat_inc(node->stats, drop_crc);
		goto drop;
	}
	/* What belongs to a session with keys has a guard, and nothing else does. */
	if (ebpfs_of_session(type) ? !buf && node->mnt->sec != EBPFS_SEC_CRC : !!buf) {
		ebpfs_stat_inc(node->stats, drop_unguarded);
		goto drop;
	}
	if (type == EBPFS_REKEYED && !buf)
		goto malformed;
	ebpfs_node_hear(node, msg, len, type, session);
	goto drop;

malformed:
	ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
drop:
	kfree(buf);
	consume_skb(skb);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The kfuncs for XDP and TC programs. Contracts: <ebpfs/steer.h>, for replies that come
 * to a client, and <ebpfs/serve.h>, for calls that come to a server. Thin: find the IP
 * and UDP heads, tell the flow, and hand on to ebpfs_receive_replies(), as the plain way
 * does, or to ebpfs_serve().
 *
 * A program's options are in memory that others may have, too: a value of a map, which other
 * processors and user space write to. So they are read once, and work is done in a copy.
 *
 * Context: softirq, RCU read lock held (both kinds of program run so). The
 * packet is read by copies only, never pulled, linearised or changed: the
 * verifier has not been told that its pointers may move.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/filter.h>
#include <linux/udp.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sch_generic.h>
#include <net/xdp.h>

#include "door.h"
#include "packet.h"

/**
 * ebpfs_packet_look() - between whom a packet goes, and where its payload lies
 * @pkt: packet
 * @len: its bytes
 * @l3_off: of its IP header, as a program says
 * @flow: net is set; the rest is set here
 * @off: out: of the UDP payload
 * @payload: out: its bytes, not 0
 *
 * Return: negative, or a verdict: it has to be passed on.
 */
int ebpfs_packet_look(struct ebpfs_packet *pkt, u32 len, u32 l3_off,
		      struct ebpfs_flow *flow, u32 *off, u32 *payload)
{
	union {
		u8 v4[sizeof(struct iphdr) + sizeof(struct udphdr)];
		u8 v6[sizeof(struct ipv6hdr) + sizeof(struct udphdr)];
	} __aligned(4) buf;
	const struct udphdr *uh;
	const struct iphdr *ih;
	u32 total, udp_len;

	*off = l3_off;
	if (*off > 64 || *off + sizeof(buf.v4) > len)
		return EBPFS_STEER_PASS_OTHER;
	ih = ebpfs_packet_peek(pkt, *off, &buf, sizeof(buf.v4));
	if (!ih)
		return EBPFS_STEER_PASS_OTHER;
	if (ih->version == 4) {
		if (ih->ihl != 5 || ih->protocol != IPPROTO_UDP || ip_is_fragment(ih))
			return EBPFS_STEER_PASS_OTHER;
		flow->from.in.sin_family = AF_INET;
		flow->from.in.sin_addr.s_addr = ih->saddr;
		flow->ce = INET_ECN_is_ce(ih->tos);
		total = ntohs(ih->tot_len);
		*off += sizeof(struct iphdr);
		total -= min_t(u32, total, sizeof(struct iphdr));
		uh = (const struct udphdr *)(ih + 1);
	} else if (ih->version == 6) {
		const struct ipv6hdr *ih6 = ebpfs_packet_peek(pkt, *off, &buf, sizeof(buf.v6));

		if (!ih6 || ih6->nexthdr != IPPROTO_UDP)
			return EBPFS_STEER_PASS_OTHER;
		flow->from.in6.sin6_family = AF_INET6;
		flow->from.in6.sin6_addr = ih6->saddr;
		flow->ce = INET_ECN_is_ce(ipv6_get_dsfield(ih6));
		total = ntohs(ih6->payload_len);
		*off += sizeof(struct ipv6hdr);
		uh = (const struct udphdr *)(ih6 + 1);
	} else {
		return EBPFS_STEER_PASS_OTHER;
	}
	flow->local_port = uh->dest;
	if (flow->from.sa.sa_family == AF_INET)
		flow->from.in.sin_port = uh->source;
	else
		flow->from.in6.sin6_port = uh->source;
	udp_len = ntohs(uh->len);
	/* The frame may be padded, but not cut; the two lengths must agree. */
	if (udp_len != total || udp_len <= sizeof(*uh) || *off + udp_len > len)
		return EBPFS_STEER_PASS_MALFORMED;
	*off += sizeof(*uh);
	*payload = udp_len - sizeof(*uh);
	return -1;
}

/* Judge the packet whose IP header is where @opts says; @len: bytes of the packet. */
static int ebpfs_steer(struct ebpfs_packet *pkt, u32 len, u32 seg, struct net *net,
		       enum ebpfs_way way, struct ebpfs_steer_opts *opts)
{
	struct ebpfs_steer_opts own = {
		.l3_off = READ_ONCE(opts->l3_off),
		.flags = READ_ONCE(opts->flags),
	};
	struct ebpfs_flow flow = { .net = net };
	enum ebpfs_knocked reason;
	u32 off, payload;
	int verdict;

	if (own.flags & ~EBPFS_DOOR_FLAGS)
		return -EINVAL;
	verdict = ebpfs_packet_look(pkt, len, own.l3_off, &flow, &off, &payload);
	if (verdict < 0) {
		verdict = ebpfs_receive_replies(pkt, &flow, off, payload, seg, way, &own);
		if (verdict >= EBPFS_STEER_PASS_OTHER && own.flags & EBPFS_DOOR_JUDGE) {
			reason = ebpfs_door(pkt, &flow, own.l3_off, off, payload, own.flags,
					    verdict);
			if (reason)
				verdict = EBPFS_STEER_PASS_STRANGER - EBPFS_DOOR_STRANGER + reason;
		}
	}
	opts->bytes = own.bytes;
	opts->fragments = own.fragments;
	return verdict;
}

/* The verifier lets pass what a map lookup returns, unchecked, as @opts (6.12). */
static bool ebpfs_opts_bad(const struct ebpfs_steer_opts *opts, u32 size)
{
	return !opts || size != sizeof(*opts);
}

__bpf_kfunc_start_defs();

/**
 * bpf_ebpfs_steer_xdp() - put the REPLY in this frame where it belongs
 * @ctx: frame, native or generic XDP, with or without frags
 * @opts: in and out
 * @opts__sz: sizeof(struct ebpfs_steer_opts)
 *
 * Return: enum ebpfs_steer_verdict or -EINVAL.
 */
__bpf_kfunc int bpf_ebpfs_steer_xdp(struct xdp_md *ctx, struct ebpfs_steer_opts *opts, u32 opts__sz)
{
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;
	struct ebpfs_packet pkt = { .xdp = xdp };

	if (ebpfs_opts_bad(opts, opts__sz))
		return -EINVAL;
	return ebpfs_steer(&pkt, xdp_get_buff_len(xdp), 0, dev_net(xdp->rxq->dev),
			   EBPFS_WAY_XDP, opts);
}

/**
 * bpf_ebpfs_steer_skb() - put the REPLYs in this packet where they belong
 * @ctx: packet at TC ingress, perhaps a UDP super-packet
 * @opts: in and out
 * @opts__sz: sizeof(struct ebpfs_steer_opts)
 *
 * Return: enum ebpfs_steer_verdict or -EINVAL.
 */
__bpf_kfunc int bpf_ebpfs_steer_skb(struct __sk_buff *ctx, struct ebpfs_steer_opts *opts,
				    u32 opts__sz)
{
	struct sk_buff *skb = (struct sk_buff *)ctx;
	struct ebpfs_packet pkt = { .skb = skb };
	u32 seg = 0;

	if (ebpfs_opts_bad(opts, opts__sz) || !skb_at_tc_ingress(skb))
		return -EINVAL;
	if (skb_is_gso(skb)) {
		if (!(skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4))
			return EBPFS_STEER_PASS_OTHER;
		seg = skb_shinfo(skb)->gso_size;
	}
	return ebpfs_steer(&pkt, skb->len, seg, dev_net(skb->dev), EBPFS_WAY_TC, opts);
}

/**
 * bpf_ebpfs_serve_skb() - answer the READs in this packet out of the page cache
 * @ctx: packet at TC ingress
 * @opts: in and out
 * @opts__sz: sizeof(struct ebpfs_serve_opts)
 *
 * Return: enum ebpfs_serve_verdict or -EINVAL; see <ebpfs/serve.h>.
 */
__bpf_kfunc int bpf_ebpfs_serve_skb(struct __sk_buff *ctx, struct ebpfs_serve_opts *opts,
				    u32 opts__sz)
{
	struct sk_buff *skb = (struct sk_buff *)ctx;
	struct ebpfs_serve_opts own = {};
	int verdict;

	if (!opts || opts__sz != sizeof(*opts) || !skb_at_tc_ingress(skb))
		return -EINVAL;
	own.l3_off = READ_ONCE(opts->l3_off);
	own.flags = READ_ONCE(opts->flags);
	if (own.flags & ~EBPFS_DOOR_FLAGS)
		return -EINVAL;
	verdict = ebpfs_serve(skb, &own);
	opts->bytes = own.bytes;
	opts->calls = own.calls;
	return verdict;
}

/**
 * bpf_ebpfs_port() - does a UDP port belong to ebpfs?
 * @port: network order
 *
 * Return: 1 if it does, in some network namespace.
 */
__bpf_kfunc int bpf_ebpfs_port(u32 port)
{
	int known;

	/* The callback of a bpf_wq may call this, too, which has no RCU read lock. */
	rcu_read_lock();
	known = ebpfs_port_known((__force __be16)port);
	rcu_read_unlock();
	return known;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(ebpfs_xdp_kfuncs)
BTF_ID_FLAGS(func, bpf_ebpfs_steer_xdp)
BTF_ID_FLAGS(func, bpf_ebpfs_port)
BTF_KFUNCS_END(ebpfs_xdp_kfuncs)

BTF_KFUNCS_START(ebpfs_tc_kfuncs)
BTF_ID_FLAGS(func, bpf_ebpfs_steer_skb)
BTF_ID_FLAGS(func, bpf_ebpfs_serve_skb)
BTF_ID_FLAGS(func, bpf_ebpfs_port)
BTF_KFUNCS_END(ebpfs_tc_kfuncs)

static const struct btf_kfunc_id_set ebpfs_xdp_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &ebpfs_xdp_kfuncs,
};

static const struct btf_kfunc_id_set ebpfs_tc_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &ebpfs_tc_kfuncs,
};

/* Registration ends with the module's BTF. */
int ebpfs_kfunc_init(void)
{
	int err = register_btf_kfunc_id_set(BPF_PROG_TYPE_XDP, &ebpfs_xdp_kfunc_set);

	return err ?: register_btf_kfunc_id_set(BPF_PROG_TYPE_SCHED_CLS, &ebpfs_tc_kfunc_set);
}

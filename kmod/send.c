// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams out: a route that is cached, no socket lock, no fragmentation.
 *
 * Every datagram is one skb, or several of equal size are, as a super-packet
 * (data.c). The UDP checksum is left to the
 * device (it costs nothing where offloaded); our own CRC32C is what counts.
 * All functions may be called from process and softirq context.
 */
#include <linux/if_ether.h>
#include <net/inet_ecn.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/udp_tunnel.h>

#include "engine.h"

#define EBPFS_HEADROOM	(LL_MAX_HEADER + sizeof(struct ipv6hdr) + sizeof(struct udphdr))

/**
 * ebpfs_skb_alloc() - room for a datagram of @len bytes of UDP payload
 * @len: bytes; skb_put() them
 */
struct sk_buff *ebpfs_skb_alloc(u32 len)
{
	struct sk_buff *skb = alloc_skb(EBPFS_HEADROOM + len, GFP_ATOMIC | __GFP_NOWARN);

	if (skb)
		skb_reserve(skb, EBPFS_HEADROOM);
	return skb;
}

/* Memory at the end of @skb, for a head or for bytes that are copied; NULL without. */
void *ebpfs_skb_extend(struct sk_buff *skb, u32 len)
{
	void *p = netdev_alloc_frag(len);

	if (p) {
		struct page *page = virt_to_head_page(p);

		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page,
				p - page_address(page), len, len);
	}
	return p;
}

/**
 * ebpfs_skb_super() - what was put into a packet is several datagrams
 * @skb: from ebpfs_skb_alloc()
 * @segs: how many
 * @size: bytes of UDP payload in each but the last
 */
void ebpfs_skb_super(struct sk_buff *skb, u32 segs, u32 size)
{
	if (segs < 2)
		return;
	/* udp_set_csum() leaves these to whoever makes super-packets. */
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) - sizeof(struct udphdr);
	skb->csum_offset = offsetof(struct udphdr, check);
	skb_shinfo(skb)->gso_size = size;
	skb_shinfo(skb)->gso_segs = segs;
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
}

/**
 * ebpfs_path_init() - a path whose route is not known yet
 * @path: all but @dst is set, or will be
 *
 * dst_cache_destroy() of path->dst ends it. Process context. Return: 0 or -ENOMEM.
 */
int ebpfs_path_init(struct ebpfs_path *path)
{
	int err = dst_cache_init(&path->dst, GFP_KERNEL);

	/* What is entered within this tick is no older than the cache. */
	if (!err)
		path->dst.reset_ts--;
	return err;
}

static struct rtable *ebpfs_route4(struct ebpfs_path *path, struct sock *sk, __be32 *saddr)
{
	struct flowi4 fl = {
		.daddr = path->to.in.sin_addr.s_addr,
		.saddr = path->from.in.sin_addr.s_addr,
		.fl4_dport = path->to.in.sin_port,
		.fl4_sport = path->port,
		.flowi4_proto = IPPROTO_UDP,
	};
	struct rtable *rt;

	rt = dst_cache_get_ip4(&path->dst, saddr);
	if (likely(rt))
		return rt;
	rt = ip_route_output_flow(sock_net(sk), &fl, sk);
	if (IS_ERR(rt))
		return rt;
	*saddr = fl.saddr;
	dst_cache_set_ip4(&path->dst, &rt->dst, fl.saddr);
	return rt;
}

static struct dst_entry *ebpfs_route6(struct ebpfs_path *path, struct sock *sk,
				      struct in6_addr *saddr)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct flowi6 fl = {
		.daddr = path->to.in6.sin6_addr,
		.saddr = path->from.in6.sin6_addr,
		.flowi6_oif = path->to.in6.sin6_scope_id,
		.fl6_dport = path->to.in6.sin6_port,
		.fl6_sport = path->port,
		.flowi6_proto = IPPROTO_UDP,
	};
	struct dst_entry *dst;

	dst = dst_cache_get_ip6(&path->dst, saddr);
	if (likely(dst))
		return dst;
	dst = ipv6_stub->ipv6_dst_lookup_flow(sock_net(sk), sk, &fl, NULL);
	if (IS_ERR(dst))
		return dst;
	*saddr = fl.saddr;
	dst_cache_set_ip6(&path->dst, dst, saddr);
	return dst;
#else
	return ERR_PTR(-EAFNOSUPPORT);
#endif
}

/*
 * As udp_tunnel_xmit_skb() for a datagram that must not be fragmented, but without an
 * identification: RFC 6864 section 4.1 allows any there, and a random one costs a hash.
 */
static void ebpfs_xmit4(struct rtable *rt, struct sock *sk, struct sk_buff *skb, __be32 saddr,
			const struct ebpfs_path *path)
{
	struct udphdr *uh = skb_push(skb, sizeof(*uh));
	struct iphdr *ih;

	skb_reset_transport_header(skb);
	uh->source = path->port;
	uh->dest = path->to.in.sin_port;
	uh->len = htons(skb->len);
	udp_set_csum(false, skb, saddr, path->to.in.sin_addr.s_addr, skb->len);
	ih = skb_push(skb, sizeof(*ih));
	skb_reset_network_header(skb);
	*ih = (struct iphdr){
		.version = IPVERSION,
		.ihl = sizeof(*ih) / 4,
		.frag_off = htons(IP_DF),
		.ttl = ip4_dst_hoplimit(&rt->dst),
		.protocol = IPPROTO_UDP,
		.saddr = saddr,
		.daddr = path->to.in.sin_addr.s_addr,
	};
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	skb_dst_set(skb, &rt->dst);
	ip_local_out(sock_net(sk), sk, skb);
}

static void ebpfs_path_by(struct ebpfs_path *path, const struct net_device *dev)
{
	const netdev_features_t whole = NETIF_F_FRAGLIST | NETIF_F_GSO_UDP_L4;
	bool lists = (dev->features & whole) == whole;

	if (unlikely(READ_ONCE(path->lists) != lists))
		WRITE_ONCE(path->lists, lists);
}

/**
 * ebpfs_path_send() - send datagrams
 * @path: from where to where
 * @sk: UDP socket that they belong to
 * @skb: from ebpfs_skb_alloc(), its data is the whole UDP payload, or several of
 *	them, see ebpfs_skb_super(); consumed
 *
 * Return: 0 if it was handed to the network, which may still lose it, or an error.
 */
int ebpfs_path_send(struct ebpfs_path *path, struct sock *sk, struct sk_buff *skb)
{
	int err = 0;

	local_bh_disable();
	if (path->to.sa.sa_family == AF_INET) {
		__be32 saddr;
		struct rtable *rt = ebpfs_route4(path, sk, &saddr);

		if (IS_ERR(rt)) {
			err = PTR_ERR(rt);
			goto out;
		}
		ebpfs_path_by(path, rt->dst.dev);
		ebpfs_xmit4(rt, sk, skb, saddr, path);
	} else {
#if IS_ENABLED(CONFIG_IPV6)
		struct in6_addr saddr;
		struct dst_entry *dst = ebpfs_route6(path, sk, &saddr);

		if (IS_ERR(dst)) {
			err = PTR_ERR(dst);
			goto out;
		}
		ebpfs_path_by(path, dst->dev);
		udp_tunnel6_xmit_skb(dst, sk, skb, NULL, &saddr, &path->to.in6.sin6_addr, 0,
				     ip6_dst_hoplimit(dst), 0, path->port,
				     path->to.in6.sin6_port, false);
#else
		err = -EAFNOSUPPORT;
#endif
	}
out:
	local_bh_enable();
	if (unlikely(err))
		kfree_skb(skb);
	return err;
}

/* The same to a node, counted; the caller's retransmission deals with errors. */
int ebpfs_send_skb(struct ebpfs_node *node, struct sk_buff *skb)
{
	int err = ebpfs_path_send(&node->path, node->sock->sk, skb);

	if (unlikely(err))
		ebpfs_stat_inc(node->stats, send_errors);
	else
		ebpfs_stat_inc(node->stats, datagrams_sent);
	return err;
}

/**
 * ebpfs_skb_close() - a datagram of a session is complete
 * @skb: its data is the datagram; has tailroom for ebpfs_keys_room()
 * @session: of which it is
 *
 * It gets its checksum or its guard. Return: false if it cannot be sent: keys are used up.
 */
bool ebpfs_skb_close(struct sk_buff *skb, struct ebpfs_session *session)
{
	u32 len = skb->len;

	if (!ebpfs_keys_guard(&session->keys)) {
		ebpfs_seal(skb->data, len);
		return true;
	}
	skb_put(skb, ebpfs_keys_room(&session->keys));
	return ebpfs_guard_put(&session->keys, skb->data, len);
}

/* A message of a session, which lies ready, to its server. */
int ebpfs_send_session(struct ebpfs_session *session, const void *msg, u32 len)
{
	struct sk_buff *skb = ebpfs_skb_alloc(len + ebpfs_keys_room(&session->keys));

	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, msg, len);
	if (!ebpfs_skb_close(skb, session)) {
		kfree_skb(skb);
		return -EKEYEXPIRED;
	}
	return ebpfs_send_skb(session->node, skb);
}

/* A message that lies ready and belongs to no session. */
int ebpfs_send_copy(struct ebpfs_node *node, const void *msg, u32 len)
{
	struct sk_buff *skb = ebpfs_skb_alloc(len);

	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, msg, len);
	return ebpfs_send_skb(node, skb);
}

/**
 * ebpfs_path_ceiling() - the most UDP payload that the local device takes
 * @node: destination
 *
 * What ICMP said of the path is not asked for: see core/pmtu.h.
 */
u32 ebpfs_path_ceiling(struct ebpfs_node *node)
{
	u32 heads = sizeof(struct udphdr);
	u32 mtu = 1280;

	local_bh_disable();
	if (node->path.to.sa.sa_family == AF_INET) {
		__be32 saddr;
		struct rtable *rt = ebpfs_route4(&node->path, node->sock->sk, &saddr);

		heads += sizeof(struct iphdr);
		if (!IS_ERR(rt)) {
			mtu = READ_ONCE(rt->dst.dev->mtu);
			ip_rt_put(rt);
		}
	} else {
		struct in6_addr saddr;
		struct dst_entry *dst = ebpfs_route6(&node->path, node->sock->sk, &saddr);

		heads += sizeof(struct ipv6hdr);
		if (!IS_ERR(dst)) {
			mtu = READ_ONCE(dst->dev->mtu);
			dst_release(dst);
		}
	}
	local_bh_enable();
	mtu = min_t(u32, mtu, IP_MAX_MTU);
	return clamp_t(u32, mtu - heads, EBPFS_UDP_PAYLOAD_BASE, EBPFS_UDP_PAYLOAD_MAX);
}

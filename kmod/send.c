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

static struct rtable *ebpfs_route4(struct ebpfs_node *node, __be32 *saddr)
{
	struct sock *sk = node->sock->sk;
	struct flowi4 fl = {
		.daddr = node->addr.in.sin_addr.s_addr,
		.fl4_dport = node->addr.in.sin_port,
		.fl4_sport = node->local_port,
		.flowi4_proto = IPPROTO_UDP,
	};
	struct rtable *rt;

	rt = dst_cache_get_ip4(&node->dst, saddr);
	if (likely(rt))
		return rt;
	rt = ip_route_output_flow(sock_net(sk), &fl, sk);
	if (IS_ERR(rt))
		return rt;
	*saddr = fl.saddr;
	dst_cache_set_ip4(&node->dst, &rt->dst, fl.saddr);
	return rt;
}

static struct dst_entry *ebpfs_route6(struct ebpfs_node *node, struct in6_addr *saddr)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct sock *sk = node->sock->sk;
	struct flowi6 fl = {
		.daddr = node->addr.in6.sin6_addr,
		.flowi6_oif = node->addr.in6.sin6_scope_id,
		.fl6_dport = node->addr.in6.sin6_port,
		.fl6_sport = node->local_port,
		.flowi6_proto = IPPROTO_UDP,
	};
	struct dst_entry *dst;

	dst = dst_cache_get_ip6(&node->dst, saddr);
	if (likely(dst))
		return dst;
	dst = ipv6_stub->ipv6_dst_lookup_flow(sock_net(sk), sk, &fl, NULL);
	if (IS_ERR(dst))
		return dst;
	*saddr = fl.saddr;
	dst_cache_set_ip6(&node->dst, dst, saddr);
	return dst;
#else
	return ERR_PTR(-EAFNOSUPPORT);
#endif
}

/**
 * ebpfs_send_skb() - send one datagram to a node
 * @node: destination
 * @skb: from ebpfs_skb_alloc(), its data is the whole UDP payload, or several of
 *	them with skb_shinfo(skb)->gso_size; consumed
 *
 * Return: 0 if it was handed to the network, which may still lose it, or an
 * error; the caller's retransmission deals with either.
 */
int ebpfs_send_skb(struct ebpfs_node *node, struct sk_buff *skb)
{
	struct sock *sk = node->sock->sk;
	int err = 0;

	local_bh_disable();
	if (node->addr.sa.sa_family == AF_INET) {
		__be32 saddr;
		struct rtable *rt = ebpfs_route4(node, &saddr);

		if (IS_ERR(rt)) {
			err = PTR_ERR(rt);
			goto out;
		}
		udp_tunnel_xmit_skb(rt, sk, skb, saddr, node->addr.in.sin_addr.s_addr, 0,
				    ip4_dst_hoplimit(&rt->dst), htons(IP_DF),
				    node->local_port, node->addr.in.sin_port, false, false);
	} else {
#if IS_ENABLED(CONFIG_IPV6)
		struct in6_addr saddr;
		struct dst_entry *dst = ebpfs_route6(node, &saddr);

		if (IS_ERR(dst)) {
			err = PTR_ERR(dst);
			goto out;
		}
		udp_tunnel6_xmit_skb(dst, sk, skb, NULL, &saddr, &node->addr.in6.sin6_addr, 0,
				     ip6_dst_hoplimit(dst), 0, node->local_port,
				     node->addr.in6.sin6_port, false);
#else
		err = -EAFNOSUPPORT;
#endif
	}
out:
	local_bh_enable();
	if (unlikely(err)) {
		kfree_skb(skb);
		ebpfs_stat_inc(node->stats, send_errors);
	} else {
		ebpfs_stat_inc(node->stats, datagrams_sent);
	}
	return err;
}

/* The same for a message that lies ready. */
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
	if (node->addr.sa.sa_family == AF_INET) {
		__be32 saddr;
		struct rtable *rt = ebpfs_route4(node, &saddr);

		heads += sizeof(struct iphdr);
		if (!IS_ERR(rt)) {
			mtu = READ_ONCE(rt->dst.dev->mtu);
			ip_rt_put(rt);
		}
	} else {
		struct in6_addr saddr;
		struct dst_entry *dst = ebpfs_route6(node, &saddr);

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

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recognising a datagram of ebpfs in a frame, in few instructions.
 *
 * This is a sieve, not a parser: what passes it goes to the module's kfunc,
 * which believes nothing and reads all heads again. So nothing is checked here
 * that is rare in foreign traffic, and whatever looks unusual (options,
 * extension headers, IP fragments, a third VLAN tag) is left to the stack.
 * Foreign packets, which are most on many machines, leave at the first field
 * that differs.
 *
 * All functions work on a piece of the frame in memory, from @data (its first
 * byte) to @end: the linear part of a packet, or a copy of the first bytes.
 */
#ifndef EBPFS_BPF_PARSE_H
#define EBPFS_BPF_PARSE_H

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <ebpfs/steer.h>
#include <ebpfs/wire.h>

/* Macros of headers that vmlinux.h, having types only, does not bring. */
#define EBPFS_ETH_P_IP		0x0800
#define EBPFS_ETH_P_IPV6	0x86dd
#define EBPFS_ETH_P_8021Q	0x8100
#define EBPFS_ETH_P_8021AD	0x88a8
#define EBPFS_IP_FRAGMENT	0x3fff	/* more fragments, or an offset */
#define EBPFS_VLAN_DEPTH	2

/* Set by the loader: enum ebpfs_door_flags. */
const volatile __u32 ebpfs_door = 0;

extern int bpf_ebpfs_port(u32 port) __ksym;

/* The shortest frame that can be a reply; all heads before the reply's own are
 * shorter in every form that is recognised, two tags and IPv6 included. */
#define EBPFS_FRAME_MIN	(sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr) + \
			 sizeof(struct ebpfs_reply))

/**
 * enum ebpfs_look - what a look at the first bytes of a frame told
 * @EBPFS_LOOK_OTHER: not ours
 * @EBPFS_LOOK_SHORT: undecided, the heads go on behind @end
 * @EBPFS_LOOK_UDP: UDP
 */
enum ebpfs_look {
	EBPFS_LOOK_OTHER,
	EBPFS_LOOK_SHORT,
	EBPFS_LOOK_UDP,
};

/**
 * struct ebpfs_where - what was found
 * @l3_off: of the IPv4 or IPv6 header, bytes from the start of the frame
 * @payload_off: of the UDP payload, likewise
 * @payload_len: bytes of UDP payload, as the UDP header says
 * @port: that it goes to, network order
 */
struct ebpfs_where {
	__u32 l3_off;
	__u32 payload_off;
	__u32 payload_len;
	__be16 port;
};

/**
 * ebpfs_find_udp() - from Ethernet to UDP
 * @data: first byte of the frame
 * @end: behind the last byte that may be read
 * @port: UDP source port to ask for, host order, 0 for any
 * @where: out if EBPFS_LOOK_UDP
 */
static __always_inline enum ebpfs_look ebpfs_find_udp(void *data, void *end, __u16 port,
						      struct ebpfs_where *where)
{
	struct ethhdr *eth = data;
	void *at = eth + 1;
	__u32 off = sizeof(*eth);
	struct udphdr *udp;
	__be16 proto;
	__u32 len;

	if (at > end)
		return EBPFS_LOOK_SHORT;
	proto = eth->h_proto;
	for (int i = 0; i < EBPFS_VLAN_DEPTH; i++) {
		struct vlan_hdr *tag = at;

		if (proto != bpf_htons(EBPFS_ETH_P_8021Q) && proto != bpf_htons(EBPFS_ETH_P_8021AD))
			break;
		at = tag + 1;
		if (at > end)
			return EBPFS_LOOK_SHORT;
		proto = tag->h_vlan_encapsulated_proto;
		off += sizeof(*tag);
	}
	where->l3_off = off;

	if (proto == bpf_htons(EBPFS_ETH_P_IP)) {
		struct iphdr *ip = at;

		at = ip + 1;
		if (at > end)
			return EBPFS_LOOK_SHORT;
		/* Version 4 and a header of 5 words in one byte. */
		if (*(__u8 *)ip != 0x45 || ip->protocol != IPPROTO_UDP ||
		    ip->frag_off & bpf_htons(EBPFS_IP_FRAGMENT))
			return EBPFS_LOOK_OTHER;
		off += sizeof(*ip);
	} else if (proto == bpf_htons(EBPFS_ETH_P_IPV6)) {
		struct ipv6hdr *ip = at;

		at = ip + 1;
		if (at > end)
			return EBPFS_LOOK_SHORT;
		if (*(__u8 *)ip >> 4 != 6 || ip->nexthdr != IPPROTO_UDP)
			return EBPFS_LOOK_OTHER;
		off += sizeof(*ip);
	} else {
		return EBPFS_LOOK_OTHER;
	}

	udp = at;
	at = udp + 1;
	if (at > end)
		return EBPFS_LOOK_SHORT;
	len = bpf_ntohs(udp->len);
	if (len < sizeof(*udp))
		return EBPFS_LOOK_OTHER;
	if (port && udp->source != bpf_htons(port))
		return EBPFS_LOOK_OTHER;
	where->payload_off = off + sizeof(*udp);
	where->payload_len = len - sizeof(*udp);
	where->port = udp->dest;
	return EBPFS_LOOK_UDP;
}

/* Wire order is little-endian, as the machines of bpf-el are. */
static __always_inline bool ebpfs_is_ours(const struct ebpfs_hdr *head)
{
	return head->magic == EBPFS_MAGIC && head->version == EBPFS_VERSION;
}

/**
 * ebpfs_judge_head() - is it a reply?
 * @head: the datagram's
 * @len: bytes of UDP payload
 *
 * Return: the verdict to let it pass with, or -1 if the kfunc shall judge it.
 */
static __always_inline int ebpfs_judge_head(struct ebpfs_hdr *head, __u32 len)
{
	if (!ebpfs_is_ours(head))
		return EBPFS_STEER_PASS_OTHER;
	if ((head->type & ~EBPFS_GUARDED) != EBPFS_REPLY)
		return EBPFS_STEER_PASS_TYPE;
	if (len < sizeof(struct ebpfs_reply))
		return EBPFS_STEER_PASS_MALFORMED;
	return -1;
}

/* Bytes of a packet that do not lie in its linear part: 0, or negative. */
static __always_inline long ebpfs_load_skb(void *ctx, __u32 off, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, off, to, len);
}

static __always_inline long ebpfs_load_xdp(void *ctx, __u32 off, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(ctx, off, to, len);
}

/**
 * ebpfs_look_at() - find and judge the head of a datagram
 * @ctx: of the program
 * @data: first byte of the linear part
 * @end: behind its last one
 * @port: as in ebpfs_find_udp()
 * @l3_off: out if -1: of the IP header, bytes from the start of the frame
 * @load: ebpfs_load_skb() or ebpfs_load_xdp(), inlined
 * @judge: ebpfs_judge_head() or the like, inlined
 *
 * Linear heads are the rule. Behind drivers that split heads from data, and in
 * super-packets at TC, the payload begins in a page fragment, so its head is fetched by the
 * helper. Packets are not pulled up: that would change them, and cost a copy. Frames
 * shorter than EBPFS_FRAME_MIN are not ours.
 *
 * Return: what @judge says, EBPFS_STEER_PASS_OTHER if there is nothing to judge; -1 also of what
 * @judge does not want if it goes to a port of ours, and there is a filter.
 */
static __always_inline int ebpfs_look_at(void *ctx, void *data, void *end, __u16 port,
					 __u32 *l3_off,
					 long (*load)(void *ctx, __u32 off, void *to, __u32 len),
					 int (*judge)(struct ebpfs_hdr *head, __u32 len))
{
	__u8 copy[EBPFS_FRAME_MIN];
	int verdict = EBPFS_STEER_PASS_OTHER;
	struct ebpfs_where where;
	struct ebpfs_hdr head;
	enum ebpfs_look look;

	look = ebpfs_find_udp(data, end, port, &where);
	if (look == EBPFS_LOOK_SHORT) {
		if (load(ctx, 0, copy, sizeof(copy)))
			return EBPFS_STEER_PASS_OTHER;
		look = ebpfs_find_udp(copy, copy + sizeof(copy), port, &where);
	}
	if (look != EBPFS_LOOK_UDP)
		return EBPFS_STEER_PASS_OTHER;
	*l3_off = where.l3_off;
	data += where.payload_off;
	if (where.payload_len >= sizeof(head)) {
		if (data + sizeof(head) <= end)
			verdict = judge(data, where.payload_len);
		else if (!load(ctx, where.payload_off, &head, sizeof(head)))
			verdict = judge(&head, where.payload_len);
	}
	if (verdict >= 0 && ebpfs_door & EBPFS_DOOR_JUDGE && bpf_ebpfs_port(where.port))
		return -1;
	return verdict;
}

/* The same for the two kinds of context. */
static __always_inline int ebpfs_look_skb(struct __sk_buff *ctx, __u16 port, __u32 *l3_off,
					  int (*judge)(struct ebpfs_hdr *head, __u32 len))
{
	return ebpfs_look_at(ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end, port,
			     l3_off, ebpfs_load_skb, judge);
}

static __always_inline int ebpfs_look_xdp(struct xdp_md *ctx, __u16 port, __u32 *l3_off,
					  int (*judge)(struct ebpfs_hdr *head, __u32 len))
{
	return ebpfs_look_at(ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end, port,
			     l3_off, ebpfs_load_xdp, judge);
}

#endif /* EBPFS_BPF_PARSE_H */

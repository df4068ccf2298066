/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ethernet frames with UDP in them, as tests take them apart and make them. Parsing trusts
 * nothing; IP options and extension headers are not known.
 */
#ifndef FRAME_H
#define FRAME_H

#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include "core/platform.h"

/**
 * struct heard - a datagram as it was on the wire
 * @v6: IPv6
 * @ip: its IP header
 * @udp: its UDP header
 * @payload: of UDP
 * @len: bytes of it
 */
struct heard {
	bool v6;
	const u8 *ip;
	const struct udphdr *udp;
	const u8 *payload;
	u32 len;
};

static u32 sum(u32 total, const void *data, size_t len)
{
	const u8 *p = data;

	for (; len > 1; len -= 2, p += 2)
		total += p[0] << 8 | p[1];
	return len ? total + (p[0] << 8) : total;
}

static u16 fold(u32 total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return htons(~total);
}

static bool dissect(const u8 *frame, size_t len, struct heard *h)
{
	u16 type;

	if (len < sizeof(struct ether_header) + sizeof(struct ip) + sizeof(struct udphdr))
		return false;
	type = frame[12] << 8 | frame[13];
	h->ip = frame + sizeof(struct ether_header);
	h->v6 = type == ETHERTYPE_IPV6;
	if (h->v6) {
		if (len < sizeof(struct ether_header) + sizeof(struct ip6_hdr) +
			  sizeof(struct udphdr) ||
		    h->ip[6] != IPPROTO_UDP)
			return false;
		h->udp = (const struct udphdr *)(h->ip + sizeof(struct ip6_hdr));
	} else {
		if (type != ETHERTYPE_IP || h->ip[0] != 0x45 || h->ip[9] != IPPROTO_UDP)
			return false;
		h->udp = (const struct udphdr *)(h->ip + sizeof(struct ip));
	}
	h->payload = (const u8 *)(h->udp + 1);
	h->len = frame + len - h->payload;
	if (h->len > ntohs(h->udp->len) - sizeof(*h->udp))
		h->len = ntohs(h->udp->len) - sizeof(*h->udp);
	return true;
}

/* Of the @len bytes from @udp on, behind the IP header at @ip. */
static inline void put_checksum(const u8 *ip, bool v6, struct udphdr *udp, u32 len)
{
	/* Both addresses, which follow each other. */
	u32 total = v6 ? sum(len + IPPROTO_UDP, &((const struct ip6_hdr *)ip)->ip6_src, 32) :
			 sum(len + IPPROTO_UDP, &((const struct ip *)ip)->ip_src, 8);

	udp->check = 0;
	udp->check = fold(sum(total, udp, len)) ?: 0xffff;
}

#endif /* FRAME_H */

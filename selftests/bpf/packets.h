/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames for the steering programs, and what the programs must say of each.
 *
 * A fixture is a recipe; packet_build() makes the frame. No session that any of
 * them names exists, so the best that a program can say is PASS_SESSION, which
 * means that the kfunc was called and looked for it. What is wanted is written
 * down apart from how the program decides: by the layout of the protocol.
 */
#ifndef EBPFS_SELFTESTS_PACKETS_H
#define EBPFS_SELFTESTS_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <ebpfs/steer.h>
#include <ebpfs/wire.h>

#define PACKET_MAX	65535
#define PACKET_PORT	EBPFS_PORT
#define PACKET_SESSION	0x1122334455667788ull

/**
 * struct packet - recipe of a frame
 * @name: of the test
 * @want: verdict, if the frame arrives whole
 * @v6: IPv6
 * @tags: VLAN tags, the outer one 802.1ad if there are two or more
 * @ethertype: instead of the right one, 0 for that
 * @version: of the IP header instead of the right one, 0 for that
 * @options: bytes of IPv4 options, or of an IPv6 destination options header
 * @frag: of the IPv4 header, host order: flags and offset
 * @extension: type of an IPv6 extension header of 8 bytes, 0 for none; 256 is
 *	hop-by-hop, whose number is 0
 * @protocol: instead of UDP, 0 for that
 * @port: UDP source port, 0 for PACKET_PORT
 * @payload: bytes of the datagram, its head included; 0 for an ordinary one
 * @udp_more: added to the length in the UDP header
 * @padding: bytes behind the IP packet
 * @magic: instead of the right one, 0 for that
 * @proto_version: of the protocol instead of the right one, 0 for that
 * @type: of the datagram instead of REPLY, 0 for that
 */
struct packet {
	const char *name;
	enum ebpfs_steer_verdict want;
	bool v6;
	unsigned int tags;
	uint16_t ethertype;
	uint8_t version;
	uint8_t options;
	uint16_t frag;
	uint16_t extension;
	uint8_t protocol;
	uint16_t port;
	uint32_t payload;
	int udp_more;
	unsigned int padding;
	uint16_t magic;
	uint8_t proto_version;
	uint8_t type;
};

#define OTHER		EBPFS_STEER_PASS_OTHER
#define TYPE		EBPFS_STEER_PASS_TYPE
#define NO_SESSION	EBPFS_STEER_PASS_SESSION
#define MALFORMED	EBPFS_STEER_PASS_MALFORMED
#define REPLY_HEAD	sizeof(struct ebpfs_reply)

static const struct packet packets[] = {
	{ "IPv4 reply", NO_SESSION, .v6 = false },
	{ "IPv6 reply", NO_SESSION, .v6 = true },
	{ "reply with nothing but its head", NO_SESSION, .payload = REPLY_HEAD },
	{ "reply with DF set", NO_SESSION, .frag = IP_DF },
	{ "reply with padding behind it", NO_SESSION, .padding = 7 },
	{ "reply of MTU 9000", NO_SESSION, .payload = 8972 },
	{ "IPv6 reply of MTU 9000", NO_SESSION, .v6 = true, .payload = 8952 },
	{ "tagged reply", NO_SESSION, .tags = 1 },
	{ "tagged IPv6 reply", NO_SESSION, .v6 = true, .tags = 1 },
	{ "doubly tagged reply", NO_SESSION, .tags = 2 },
	{ "doubly tagged IPv6 reply", NO_SESSION, .v6 = true, .tags = 2 },
	{ "doubly tagged reply of MTU 9000", NO_SESSION, .tags = 2, .payload = 8972 },
	{ "reply with three tags", OTHER, .tags = 3 },
	{ "reply cut behind the datagram's head", MALFORMED, .payload = sizeof(struct ebpfs_hdr) },
	{ "reply one byte short of its head", MALFORMED, .payload = REPLY_HEAD - 1 },
	{ "datagram head one byte short", OTHER, .payload = sizeof(struct ebpfs_hdr) - 1 },
	{ "datagram head one byte short, and padding", OTHER,
	  .payload = sizeof(struct ebpfs_hdr) - 1, .padding = 60 },
	{ "UDP without payload", OTHER, .payload = 1, .udp_more = -1 },
	{ "UDP length over the packet's end", MALFORMED, .udp_more = 1 },
	{ "UDP length under the packet's end", MALFORMED, .udp_more = -1 },
	{ "wrong magic", OTHER, .magic = EBPFS_MAGIC ^ 0x0100 },
	{ "magic in the other byte order", OTHER, .magic = 0x95eb },
	{ "version 2", OTHER, .proto_version = EBPFS_VERSION + 1 },
	{ "CHALLENGE", TYPE, .type = EBPFS_CHALLENGE },
	{ "ACCEPT", TYPE, .type = EBPFS_ACCEPT },
	{ "CALL", TYPE, .type = EBPFS_CALL },
	{ "PROBE_ACK", TYPE, .type = EBPFS_PROBE_ACK },
	{ "UNKNOWN", TYPE, .type = EBPFS_UNKNOWN, .payload = sizeof(struct ebpfs_hdr) },
	{ "a type that is none", TYPE, .type = 255 },
	{ "another source port", NO_SESSION, .port = 53 },
	{ "IPv4 options", OTHER, .options = 4 },
	{ "first IPv4 fragment", OTHER, .frag = IP_MF },
	{ "last IPv4 fragment", OTHER, .frag = 185 },
	{ "IPv4 fragment at 8 bytes", OTHER, .frag = 1 },
	{ "IPv6 hop-by-hop options", OTHER, .v6 = true, .extension = 256 },
	{ "IPv6 fragment", OTHER, .v6 = true, .extension = IPPROTO_FRAGMENT },
	{ "IPv6 destination options", OTHER, .v6 = true, .extension = IPPROTO_DSTOPTS },
	{ "IPv6 routing", OTHER, .v6 = true, .extension = IPPROTO_ROUTING },
	{ "TCP", OTHER, .protocol = IPPROTO_TCP },
	{ "TCP over IPv6", OTHER, .v6 = true, .protocol = IPPROTO_TCP },
	{ "UDP-Lite", OTHER, .protocol = IPPROTO_UDPLITE },
	{ "ARP", OTHER, .ethertype = ETH_P_ARP },
	{ "IEEE 802.3 length", OTHER, .ethertype = 100 },
	{ "MPLS", OTHER, .ethertype = ETH_P_MPLS_UC },
	{ "IPv6 that calls itself IPv4", OTHER, .v6 = true, .version = 4 },
	{ "IPv4 that calls itself IPv6", OTHER, .version = 6 },
	{ "IPv4 with the EtherType of IPv6", OTHER, .ethertype = ETH_P_IPV6 },
};

#define PACKETS		(sizeof(packets) / sizeof(packets[0]))

static inline void packet_put16(uint8_t *p, uint16_t value)
{
	value = htons(value);
	memcpy(p, &value, sizeof(value));
}

/* The sum of RFC 1071, for the IPv4 header: the stack behind the programs checks it. */
static inline uint16_t packet_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Where the UDP payload begins, as far as the recipe has one. */
static inline size_t packet_payload_off(const struct packet *p)
{
	size_t ip = p->v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);

	return ETH_HLEN + 4 * p->tags + ip + p->options + (p->extension ? 8 : 0) +
	       sizeof(struct udphdr);
}

/**
 * packet_build() - make a frame
 * @p: recipe
 * @frame: out, PACKET_MAX bytes
 *
 * Return: bytes of the frame.
 */
static inline size_t packet_build(const struct packet *p, uint8_t *frame)
{
	uint32_t payload = p->payload ? p->payload : 1024 + REPLY_HEAD;
	uint8_t protocol = p->protocol ? p->protocol : IPPROTO_UDP, *at = frame;
	uint16_t ethertype = p->ethertype ? p->ethertype : p->v6 ? ETH_P_IPV6 : ETH_P_IP;
	uint32_t inner = sizeof(struct udphdr) + payload;
	struct ebpfs_reply reply = {
		.hdr = {
			.magic = p->magic ? p->magic : EBPFS_MAGIC,
			.version = p->proto_version ? p->proto_version : EBPFS_VERSION,
			.type = p->type ? p->type : EBPFS_REPLY,
			.session = PACKET_SESSION,
		},
		.id = 1 << 16,
		.instance = 1,
		.cell = EBPFS_CELL_MIN,
	};

	memset(frame, 0, PACKET_MAX);
	memcpy(at, "\x02\0\0\0\0\1\x02\0\0\0\0\2", 2 * ETH_ALEN);
	at += 2 * ETH_ALEN;
	for (unsigned int i = 0; i < p->tags; i++) {
		packet_put16(at, i || p->tags == 1 ? ETH_P_8021Q : ETH_P_8021AD);
		packet_put16(at + 2, 100 + i);
		at += 4;
	}
	packet_put16(at, ethertype);
	at += 2;

	if (p->v6) {
		at[0] = (p->version ? p->version : 6) << 4;
		packet_put16(at + 4, inner + (p->extension ? 8 : 0));
		at[6] = p->extension ? p->extension : protocol;
		at[7] = 64;
		inet_pton(AF_INET6, "fd99::1", at + 8);
		inet_pton(AF_INET6, "fd99::2", at + 24);
		at += sizeof(struct ip6_hdr);
		if (p->extension) {
			at[0] = protocol;
			at += 8;
		}
	} else {
		size_t head = sizeof(struct iphdr) + p->options;

		at[0] = (p->version ? p->version : 4) << 4 | head / 4;
		packet_put16(at + 2, head + inner);
		packet_put16(at + 6, p->frag);
		at[8] = 64;
		at[9] = protocol;
		inet_pton(AF_INET, "10.99.0.1", at + 12);
		inet_pton(AF_INET, "10.99.0.2", at + 16);
		packet_put16(at + 10, packet_sum(at, head));
		at += head;
	}

	packet_put16(at, p->port ? p->port : PACKET_PORT);
	packet_put16(at + 2, 40000);
	packet_put16(at + 4, inner + p->udp_more);
	at += sizeof(struct udphdr);
	for (uint32_t i = 0; i < payload; i++)
		at[i] = i * 7;
	memcpy(at, &reply, payload < sizeof(reply) ? payload : sizeof(reply));
	return at + payload + p->padding - frame;
}

/* What a program must say of the frame if only its first @len bytes arrive. */
static inline enum ebpfs_steer_verdict packet_want(const struct packet *p, size_t whole, size_t len)
{
	/* A field that shows that it is foreign may be cut off, but not become ours. */
	if (len == whole || p->want == EBPFS_STEER_PASS_OTHER)
		return p->want;
	if (len < packet_payload_off(p) + sizeof(struct ebpfs_hdr))
		return EBPFS_STEER_PASS_OTHER;
	/* The type stands in the datagram's head, which is still whole. */
	return p->want == EBPFS_STEER_PASS_TYPE ? p->want : EBPFS_STEER_PASS_MALFORMED;
}

#endif /* EBPFS_SELFTESTS_PACKETS_H */

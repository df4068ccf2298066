// SPDX-License-Identifier: GPL-2.0
/*
 * flood: sends mutated datagrams of ebpfs, as many and as fast as it can.
 *
 * usage: flood -i INTERFACE -t ADDRESS -n COUNT [-s SEED] [-k KIND] [-c]
 *
 * Runs in the network namespace of one side, on its end of the link to ADDRESS (IPv4), the
 * other side. KIND is what it sends:
 *
 *	mutated (default)	first it listens until it has frames of a live session that
 *			this side sent; then it sends what it makes of them: bits turned,
 *			lengths, types, versions and identities changed, whole frames
 *			again, messages of handshakes, noise; from the right address and
 *			from others, with the session's identities and without
 *	hello		HELLO, each from another address
 *	auth		AUTH with a cookie that is none, each from another address
 *
 * Where checksums are all that protects a session (sec=crc), who knows its identities and
 * sends the right checksum is the other side, as far as anybody can tell. So what has both,
 * and the right address, is sent with the right checksum only if it is a frame as it was.
 * With -c, for sessions that have keys, checksums are right three times of four, whatever
 * else is.
 *
 * "N sent" is its last line. Single-threaded, and the same for the same SEED and templates.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/wire.h"
#include "data.h"
#include "frame.h"

#define TEMPLATES	48
#define PER_TYPE	6
#define BATCH		64
#define PAYLOAD_MAX	1200u
#define HEADS		(sizeof(struct ether_header) + sizeof(struct ip) + sizeof(struct udphdr))
#define FOREIGN		0xc6120000u	/* 198.18.0.0/15, for tests of network gear (RFC 2544) */

static struct template {
	u8 frame[HEADS + PAYLOAD_MAX];
	u32 len;	/* of the payload */
	bool whole;	/* it is all of the datagram */
} templates[TEMPLATES];

static u8 frames[BATCH][HEADS + PAYLOAD_MAX];
static struct iovec iov[BATCH];
static struct mmsghdr msgs[BATCH];
static unsigned int known;
static bool keyed;
static int sock;
static u64 state;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "flood: cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

static u32 below(u32 n)
{
	return (u32)(data_random(&state) % n);
}

static bool one_in(u32 n)
{
	return !below(n);
}

static void set_lengths(u8 *frame, u32 len)
{
	struct ip *ip = (struct ip *)(frame + sizeof(struct ether_header));
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	udp->len = htons(sizeof(*udp) + len);
	udp->check = 0;		/* there is none */
	ip->ip_len = htons(sizeof(*ip) + sizeof(*udp) + len);
	ip->ip_sum = 0;
	ip->ip_sum = fold(sum(0, ip, sizeof(*ip)));
}

static void set_source(u8 *frame, u32 addr, u16 port)
{
	struct ip *ip = (struct ip *)(frame + sizeof(struct ether_header));
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	ip->ip_src.s_addr = htonl(addr);
	udp->source = htons(port);
}

static u32 foreign(void)
{
	return FOREIGN + below(1 << 17);
}

static u32 put_hello(u8 *p)
{
	struct ebpfs_hello h = { .version_min = 1, .version_max = 1 };

	ebpfs_put_hdr(&h.hdr, EBPFS_HELLO, 0);
	h.client_session = cpu_to_le64(data_random(&state) | 1);
	data_random(&state);
	memcpy(h.nonce, &state, sizeof(state));
	ebpfs_seal(&h, sizeof(h));
	memcpy(p, &h, sizeof(h));
	return sizeof(h);
}

static u32 put_auth(u8 *p)
{
	struct ebpfs_auth a = { .version_max = 1, .client = "lab-c1" };

	ebpfs_put_hdr(&a.hdr, EBPFS_AUTH, 0);
	a.client_session = cpu_to_le64(data_random(&state) | 1);
	data_random(&state);
	memcpy(a.cookie, &state, sizeof(state));
	ebpfs_seal(&a, sizeof(a));
	memcpy(p, &a, sizeof(a));
	return sizeof(a);
}

/* Turns the payload @p of a template into something else; returns its bytes. */
static u32 mutate(u8 *p, u32 len, bool *is_session)
{
	struct ebpfs_hdr *h = (struct ebpfs_hdr *)p;
	u32 i;

	switch (below(12)) {
	case 0:
		h->session = cpu_to_le64(data_random(&state));
		*is_session = false;
		break;
	case 1:
		len = below(len + 1);
		break;
	case 2:
		len = len + below(PAYLOAD_MAX - len + 1);
		break;
	case 3:
		h->type = (u8)below(256);
		break;
	case 4:
		h->type = 1 + (u8)below(17);
		break;
	case 5:
		h->version = (u8)below(256);
		break;
	case 6:
		h->magic = (u16)below(65536);
		break;
	case 7:
		for (i = sizeof(*h); i < len; i++)
			p[i] = (u8)data_random(&state);
		break;
	case 8:
		*is_session = false;
		return put_hello(p);
	case 9:
		*is_session = false;
		return put_auth(p);
	default:
		for (i = 1 + below(4); i; i--) {
			u32 at = below(len < 64 || one_in(4) ? len : 64);

			p[at] ^= 1 << below(8);
			*is_session = *is_session && (at < 8 || at >= sizeof(*h));
		}
	}
	return len;
}

/* One more datagram at @frame; returns the frame's bytes. */
static u32 make_mutated(u8 *frame)
{
	const struct template *t = &templates[below(known)];
	bool is_session = true, right = true;
	u8 *p = frame + HEADS;
	u32 len = t->len;

	memcpy(frame, t->frame, HEADS + len);
	if (one_in(4)) {
		set_source(frame, foreign(), 1 + below(65535));
		right = false;
	} else if (one_in(8)) {
		struct udphdr *udp = (struct udphdr *)(p - sizeof(*udp));

		udp->source = htons(1 + below(65535));
		right = false;
	}
	if (!t->whole || !one_in(16)) {
		len = mutate(p, len, &is_session);
		if (len >= sizeof(struct ebpfs_hdr) && !one_in(4) &&
		    (keyed || !is_session || !right))
			ebpfs_seal(p, len);
		else if (len >= sizeof(struct ebpfs_hdr) && !keyed && is_session && right)
			((struct ebpfs_hdr *)p)->crc ^= cpu_to_le32(1 + below(~0u - 1));
	}
	set_lengths(frame, len);
	return HEADS + len;
}

static u32 make_handshake(u8 *frame, u8 type)
{
	u32 len;

	memcpy(frame, templates[0].frame, HEADS);
	set_source(frame, foreign(), 1024 + below(60000));
	len = type == EBPFS_HELLO ? put_hello(frame + HEADS) : put_auth(frame + HEADS);
	set_lengths(frame, len);
	return HEADS + len;
}

static void transmit(unsigned int n)
{
	unsigned int done = 0;
	int ret;

	while (done < n) {
		ret = sendmmsg(sock, msgs + done, n - done, 0);
		if (ret > 0)
			done += (unsigned int)ret;
		else if (errno != ENOBUFS && errno != EINTR && errno != EAGAIN)
			die("send");
	}
}

/* Keeps the frame if it is one of a session, and there are not enough of its type. */
static void keep(const u8 *frame, size_t n, struct in_addr to)
{
	static u8 of_type[256];
	struct template *t;
	struct heard h;
	u64 session;
	int type;

	if (!dissect(frame, n, &h) || h.v6 || h.len < sizeof(struct ebpfs_hdr) ||
	    ((const struct ip *)h.ip)->ip_dst.s_addr != to.s_addr)
		return;
	type = h.payload[offsetof(struct ebpfs_hdr, type)];
	if (ebpfs_parse_hdr(h.payload, h.len, &session) < 0 && !(type & EBPFS_GUARDED))
		return;
	/* It would end the session, as it should. */
	if (type == EBPFS_BYE || of_type[type] >= PER_TYPE || known == TEMPLATES)
		return;
	of_type[type]++;
	t = &templates[known++];
	t->whole = h.len <= PAYLOAD_MAX;
	t->len = t->whole ? h.len : PAYLOAD_MAX;
	memcpy(t->frame, frame, HEADS + t->len);
}

/* Listens for two seconds from the first frame on. */
static void gather(struct in_addr to)
{
	static u8 frame[65536 + 64];
	struct pollfd p = { .fd = sock, .events = POLLIN };
	time_t end = time(NULL) + 20;
	bool any = false;

	while (known < TEMPLATES && time(NULL) < end) {
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);
		ssize_t n;

		if (poll(&p, 1, 100) <= 0)
			continue;
		n = recvfrom(sock, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size);
		if (n > 0 && from.sll_pkttype == PACKET_OUTGOING)
			keep(frame, (size_t)n, to);
		if (known && !any) {
			any = true;
			end = time(NULL) + 3;
		}
	}
	if (!known) {
		fprintf(stderr, "flood: nothing was sent to that address for 20 s\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	const char *interface = NULL, *to = "", *kind = "mutated";
	struct in_addr to_addr;
	u8 type = 0;
	int opt, one = 1;
	unsigned int i, n;
	u64 count = 0, sent = 0;

	state = 1;
	while ((opt = getopt(argc, argv, "i:t:n:s:k:c")) != -1) {
		switch (opt) {
		case 'i':
			interface = optarg;
			break;
		case 't':
			to = optarg;
			break;
		case 'n':
			count = strtoull(optarg, NULL, 0);
			break;
		case 's':
			state = strtoull(optarg, NULL, 0) | 1;
			break;
		case 'k':
			kind = optarg;
			break;
		case 'c':
			keyed = true;
			break;
		default:
			goto usage;
		}
	}
	if (!strcmp(kind, "hello"))
		type = EBPFS_HELLO;
	else if (!strcmp(kind, "auth"))
		type = EBPFS_AUTH;
	else if (strcmp(kind, "mutated"))
		goto usage;
	if (!interface || !count || optind != argc || inet_pton(AF_INET, to, &to_addr) != 1)
		goto usage;
	sock = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	addr.sll_ifindex = (int)if_nametoindex(interface);
	if (sock < 0 || !addr.sll_ifindex || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) ||
	    setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die(interface);
	gather(to_addr);
	close(sock);
	/* What is only sent by hears nothing. */
	sock = socket(AF_PACKET, SOCK_RAW, 0);
	addr.sll_protocol = 0;
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) ||
	    setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die(interface);
	printf("%u templates\n", known);
	fflush(stdout);
	for (i = 0; i < BATCH; i++) {
		iov[i].iov_base = frames[i];
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	for (; sent < count; sent += n) {
		n = count - sent < BATCH ? (unsigned int)(count - sent) : BATCH;
		for (i = 0; i < n; i++)
			iov[i].iov_len = type ? make_handshake(frames[i], type) :
						make_mutated(frames[i]);
		transmit(n);
	}
	printf("%llu sent\n", (unsigned long long)sent);
	return 0;
usage:
	fprintf(stderr, "usage: flood -i INTERFACE -t ADDRESS -n COUNT [-s SEED] [-k KIND] [-c]; "
		"see flood.c\n");
	return 2;
}

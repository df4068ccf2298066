// SPDX-License-Identifier: GPL-2.0
/*
 * forge: answers a client's READ calls with forged replies before the server
 * can.
 *
 * usage: forge -i INTERFACE -a ATTACK -n COUNT [-f ADDRESS]
 *
 * Runs in the server's network namespace and listens on its end of the link.
 * For every READ that comes in it sends one forged REPLY, whose payload is 0xEE
 * throughout, past the interface's queueing discipline (with which a test
 * delays what the server says). After COUNT forgeries it ends; "N sent" is its
 * last line. It knows all that an attacker on the path can know; what each
 * ATTACK gets wrong is all that stands between it and the page cache:
 *
 *	session		the client's session identity
 *	crc		the checksum
 *	stale		the sequence: that of the slot's call before
 *	offset		an offset beyond the total
 *	total		a total larger than what was asked for, if replies can be as large
 *	slot		a slot that the session does not have
 *	address		the source address, which is ADDRESS (-f)
 *	port		the source port
 *	short		bytes: less than a head
 *	magic		the magic number
 *	replay		nothing: a frame that the server sent a little earlier, again
 *	result		nothing but what is said, as from a server that is hostile: in answer to
 *			any call but READ, the result of such a call before, with bytes changed,
 *			left out or added
 *
 * Frames are built here, since a socket would not send from foreign addresses.
 * Single-threaded; parsing is that of the pure core.
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

#define KEPT		64	/* frames kept for replay */
#define SMALL_FRAME	9014u

enum attack {
	SESSION, CRC, STALE, OFFSET, TOTAL, SLOT, ADDRESS, PORT, SHORT, MAGIC, REPLAY, RESULT,
	ATTACKS
};

static const char *const names[ATTACKS] = {
	"session", "crc", "stale", "offset", "total", "slot", "address", "port", "short", "magic",
	"replay", "result",
};

#define RESULTS		16		/* kept of each operation */
#define RESULT_MAX	4096u		/* bytes of one */

/**
 * struct result - what the server has said to a call
 * @len: bytes, 0: nothing yet
 * @status: of the reply
 * @flags: likewise
 * @bytes: of it
 */
struct result {
	u32 len;
	u16 status;
	u16 flags;
	u8 bytes[RESULT_MAX];
};

static struct {
	struct result of[RESULTS];
	u32 count;
} results[EBPFS_OP_LAST + 1];
static struct {
	u64 id;
	u16 op;
} asked[EBPFS_SLOTS_MAX];	/* last in each slot */

static enum attack attack;
static struct in_addr foreign4;
static struct in6_addr foreign6;
static int sock;
static u64 sent, state = 1;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "forge: cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

/* The IP header of an answer to @h, with @len bytes of UDP; returns its own. */
static u32 put_ip(u8 *to, const struct heard *h, u32 len, struct udphdr *udp)
{
	if (h->v6) {
		const struct ip6_hdr *call = (const struct ip6_hdr *)h->ip;
		struct ip6_hdr *ip = (struct ip6_hdr *)to;

		memset(ip, 0, sizeof(*ip));
		ip->ip6_flow = htonl(6u << 28);
		ip->ip6_plen = htons(len);
		ip->ip6_nxt = IPPROTO_UDP;
		ip->ip6_hlim = 64;
		ip->ip6_src = attack == ADDRESS ? foreign6 : call->ip6_dst;
		ip->ip6_dst = call->ip6_src;
	} else {
		const struct ip *call = (const struct ip *)h->ip;
		struct ip *ip = (struct ip *)to;

		memset(ip, 0, sizeof(*ip));
		ip->ip_v = 4;
		ip->ip_hl = 5;
		ip->ip_len = htons(sizeof(*ip) + len);
		ip->ip_off = htons(IP_DF);
		ip->ip_ttl = 64;
		ip->ip_p = IPPROTO_UDP;
		ip->ip_src = attack == ADDRESS ? foreign4 : call->ip_dst;
		ip->ip_dst = call->ip_src;
		ip->ip_sum = fold(sum(0, ip, sizeof(*ip)));
	}
	put_checksum(to, h->v6, udp, len);
	return h->v6 ? sizeof(struct ip6_hdr) : sizeof(struct ip);
}

static void transmit(const u8 *frame, size_t len)
{
	if (send(sock, frame, len, 0) != (ssize_t)len)
		die("send a frame");
	sent++;
}

/* A whole reply of the server's, to a call that was heard. */
static void keep_result(const u8 *reply, u32 len)
{
	struct ebpfs_frag f;
	struct result *r;
	u16 op;

	if (ebpfs_parse_reply(reply, len, &f) || EBPFS_ID_SLOT(f.id) >= EBPFS_SLOTS_MAX ||
	    asked[EBPFS_ID_SLOT(f.id)].id != f.id || f.len != f.total || f.len > RESULT_MAX)
		return;
	op = asked[EBPFS_ID_SLOT(f.id)].op;
	r = &results[op].of[results[op].count++ % RESULTS];
	r->len = f.len;
	r->status = f.status;
	r->flags = f.flags;
	memcpy(r->bytes, reply + sizeof(struct ebpfs_reply), f.len);
}

/* One of those of @op, spoilt, to @to. Return: its bytes. */
static u32 spoil(u16 op, u8 *to, struct ebpfs_frag *f)
{
	u32 count = results[op].count < RESULTS ? results[op].count : RESULTS;
	const struct result *r = &results[op].of[data_random(&state) % count];
	u32 len = r->len, n = 1 + data_random(&state) % 4;

	memcpy(to, r->bytes, len);
	memset(to + len, 0, RESULT_MAX + 64 - len);
	f->status = data_random(&state) % 16 ? r->status : data_random(&state);
	f->flags = data_random(&state) % 16 ? r->flags : data_random(&state);
	if (!(data_random(&state) % 8))
		len = data_random(&state) % (len + 64);
	for (; len && n; n--) {
		u32 at = data_random(&state) % len;

		/* Numbers at the edge are as good as any. */
		switch (data_random(&state) % 3) {
		case 0:
			to[at] ^= 1u << data_random(&state) % 8;
			break;
		case 1:
			to[at] = data_random(&state);
			break;
		default:
			memset(to + (at & ~7u), data_random(&state) % 2 ? 0xff : 0,
			       len - (at & ~7u) < 8 ? len - (at & ~7u) : 8);
		}
	}
	return len;
}

/* Can the attack be made on @c, so that nothing else is wrong? */
static bool possible(const struct ebpfs_call_info *c)
{
	if (attack == RESULT)
		return c->op != EBPFS_OP_READ && c->op != EBPFS_OP_CRED && results[c->op].count &&
		       data_random(&state) % 4;
	if (c->op != EBPFS_OP_READ)
		return false;
	switch (attack) {
	case STALE:
		return EBPFS_ID_SEQ(c->id) > 1;
	case TOTAL:
		return c->count < EBPFS_MSG_MAX;
	default:
		return true;
	}
}

/* One forged answer to call @c, which came as @h in a frame beginning at @call. */
static void answer(const u8 *call, const struct heard *h, const struct ebpfs_call_info *c,
		   u64 client_session)
{
	static u8 frame[EBPFS_UDP_PAYLOAD_MAX + 256], spoilt[RESULT_MAX + 64];
	u8 *ip = frame + sizeof(struct ether_header);
	struct udphdr *udp = (struct udphdr *)(ip + (h->v6 ? sizeof(struct ip6_hdr) :
						     sizeof(struct ip)));
	u8 *reply = (u8 *)(udp + 1);
	struct ebpfs_frag f = {
		.session = client_session,
		.id = c->id,
		.instance = 1 + data_random(&state) % 0x7fffffff,
		.total = c->count,
		.cell = c->cell,
	};
	u32 head, len;

	switch (attack) {
	case SESSION:
		f.session ^= 1ull << data_random(&state) % 64;
		break;
	case STALE:
		f.id = EBPFS_ID(EBPFS_ID_SLOT(c->id), EBPFS_ID_SEQ(c->id) - 1);
		break;
	case TOTAL:
		f.total = c->count + 1;
		break;
	case SLOT:
		f.id = EBPFS_ID(EBPFS_SLOTS_MAX + 7, EBPFS_ID_SEQ(c->id));
		break;
	case OFFSET:
		f.offset = (f.total / f.cell + 1) * f.cell;
		break;
	case RESULT:
		f.total = spoil(c->op, spoilt, &f);
		break;
	default:
		break;
	}
	f.len = f.total < f.cell ? f.total : f.cell;
	head = ebpfs_put_reply(reply, &f);
	if (attack == RESULT)
		memcpy(reply + head, spoilt, f.len);
	else
		memset(reply + head, 0xee, f.len);
	len = head + f.len;
	if (attack == SHORT)
		len = sizeof(struct ebpfs_hdr) + 8;
	if (attack == MAGIC)
		((struct ebpfs_hdr *)reply)->magic ^= cpu_to_le16(0x101);
	ebpfs_seal(reply, len);
	if (attack == CRC)
		((struct ebpfs_hdr *)reply)->crc ^= cpu_to_le32(1u << data_random(&state) % 32);

	memcpy(frame, call + 6, 6);	/* back to where it came from */
	memcpy(frame + 6, call, 6);
	memcpy(frame + 12, call + 12, 2);
	udp->source = attack == PORT ? htons(ntohs(h->udp->dest) ^ 1) : h->udp->dest;
	udp->dest = h->udp->source;
	udp->len = htons(sizeof(*udp) + len);
	len += sizeof(*udp);
	len += put_ip(ip, h, len, udp) + sizeof(struct ether_header);
	transmit(frame, len);
}

/*
 * Frames of the server with a REPLY in them, sent again 32 replies later. What
 * is heard of a frame has no checksum yet, which is left to the device.
 */
static void keep_and_replay(const u8 *frame, size_t len)
{
	static u8 kept[KEPT][SMALL_FRAME];
	static size_t lengths[KEPT];
	static u64 count;
	struct udphdr *udp;
	struct heard h;
	u64 old;

	if (len > SMALL_FRAME)
		return;
	memcpy(kept[count % KEPT], frame, len);
	lengths[count % KEPT] = len;
	if (count++ < KEPT / 2)
		return;
	old = (count - 1 - KEPT / 2) % KEPT;
	if (!dissect(kept[old], lengths[old], &h))
		return;
	udp = (struct udphdr *)h.udp;
	put_checksum(h.ip, h.v6, udp, h.len + sizeof(*udp));
	transmit(kept[old], lengths[old]);
}

/* The client's session identity is in every reply, so the first one tells it. */
static void listen_in(u64 count)
{
	static u8 frame[65536 + 64];
	u64 client_session = 0;

	while (sent < count) {
		struct sockaddr_ll from;
		socklen_t fromlen = sizeof(from);
		struct pollfd p = { .fd = sock, .events = POLLIN };
		struct ebpfs_call_iter it;
		struct ebpfs_call_info c;
		struct heard h;
		u64 session;
		ssize_t n;
		int type;

		if (poll(&p, 1, 20000) == 0) {
			printf("%llu sent\n", (unsigned long long)sent);
			fprintf(stderr, "forge: nothing to answer for 20 s\n");
			exit(1);
		}
		n = recvfrom(sock, frame, sizeof(frame), 0, (struct sockaddr *)&from, &fromlen);
		if (n < 0 && errno != EINTR && errno != ENETDOWN)
			die("receive");
		if (n <= 0 || !dissect(frame, n, &h))
			continue;
		type = ebpfs_parse_hdr(h.payload, h.len, &session);
		if (from.sll_pkttype == PACKET_OUTGOING) {
			if (type == EBPFS_REPLY && attack == RESULT)
				keep_result(h.payload, h.len);
			/* What was forged comes by here, too. */
			if (type != EBPFS_REPLY || h.payload[sizeof(struct ebpfs_reply)] == 0xee)
				continue;
			if (attack == REPLAY && session == client_session)
				keep_and_replay(frame, n);
			if (!client_session)
				client_session = session;
			continue;
		}
		if (attack == REPLAY || type != EBPFS_CALL || !client_session ||
		    ebpfs_parse_calls(h.payload, h.len, &it))
			continue;
		while (sent < count && ebpfs_next_call(&it, &c)) {
			if (possible(&c)) {
				asked[EBPFS_ID_SLOT(c.id)].id = 0;
				answer(frame, &h, &c, client_session);
			} else {
				asked[EBPFS_ID_SLOT(c.id)].id = c.id;
				asked[EBPFS_ID_SLOT(c.id)].op = c.op;
			}
		}
	}
	printf("%llu sent\n", (unsigned long long)sent);
}

int main(int argc, char **argv)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	const char *interface = NULL, *name = "", *from = "10.99.0.99";
	int opt, one = 1, room = 8 << 20;
	u64 count = 0;

	while ((opt = getopt(argc, argv, "i:a:n:f:")) != -1) {
		switch (opt) {
		case 'i':
			interface = optarg;
			break;
		case 'a':
			name = optarg;
			break;
		case 'n':
			count = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			from = optarg;
			break;
		default:
			goto usage;
		}
	}
	while (attack < ATTACKS && strcmp(name, names[attack]))
		attack++;
	if (attack == ATTACKS || !interface || !count || optind != argc ||
	    (inet_pton(AF_INET, from, &foreign4) != 1 && inet_pton(AF_INET6, from, &foreign6) != 1))
		goto usage;
	sock = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	addr.sll_ifindex = if_nametoindex(interface);
	if (sock < 0 || !addr.sll_ifindex || bind(sock, (struct sockaddr *)&addr, sizeof(addr)))
		die(interface);
	if (setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) ||
	    setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		die("set up the socket");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("listening\n");
	listen_in(count);
	return 0;
usage:
	fprintf(stderr, "usage: forge -i INTERFACE -a ATTACK -n COUNT [-f ADDRESS]; see forge.c\n");
	return 2;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets and sending; see send.h.
 *
 * A reply of several fragments leaves by UDP GSO: one sendmsg(2), one walk
 * through the stack, heads from this thread's stack and payload straight from
 * the reply's buffer. All segments of a send but the last have the same size,
 * which holds for any subset of a reply's cells, since only its last cell may
 * be shorter.
 */
#include <netinet/udp.h>
#include <sys/uio.h>
#include <unistd.h>

#include "send.h"
#include "session.h"
#include "stats.h"

#define SOCKET_BUFFER	(16 << 20)	/* bytes, each way */
#define SEND_WAIT	100000		/* us, for room in the socket's buffer */
#define SEGMENTS_MAX	64		/* UDP_MAX_SEGMENTS of kernels before 6.9 */
#define HEAD		sizeof(struct ebpfs_reply)

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* DF on every datagram, and no size but the interface's MTU believed: clients
 * find out by probing what the path carries. ECN-capable, too (RFC 3168). */
static int set_ip_options(int fd, const union ebpfs_sockaddr *addr)
{
	int err;

	if (addr->sa.sa_family == AF_INET) {
		err = set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
		if (!err)
			err = set(fd, IPPROTO_IP, IP_TOS, 2);
		if (!err && addr->in.sin_addr.s_addr == htonl(INADDR_ANY))
			err = set(fd, IPPROTO_IP, IP_PKTINFO, 1);
		return err;
	}
	err = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!err)
		err = set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	if (!err)
		err = set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
	if (!err)
		err = set(fd, IPPROTO_IPV6, IPV6_TCLASS, 2);
	if (!err && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr))
		err = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	return err;
}

int listener_open(struct listener *l, const union ebpfs_sockaddr *addr, bool first)
{
	struct timeval wait = { .tv_usec = SEND_WAIT };
	int fd, err;

	memset(l, 0, sizeof(*l));
	l->fd = -1;
	l->family = addr->sa.sa_family;
	l->addr = *addr;
	l->wildcard = l->family == AF_INET ? addr->in.sin_addr.s_addr == htonl(INADDR_ANY) :
		      IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
	fd = socket(l->family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	err = set_ip_options(fd, addr);
	/* Another process that shares the port would get half of our datagrams,
	 * so the first socket does not offer to share before it has the port. */
	if (!err && !first)
		err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && bind(fd, &addr->sa, ebpfs_addr_len(addr)))
		err = -errno;
	if (!err && first)
		err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)))
		err = -errno;
	/* What was sent as one by GSO comes as one. */
	if (!err)
		err = set(fd, IPPROTO_UDP, UDP_GRO, 1);
	if (err) {
		close(fd);
		return err;
	}
	/* Without CAP_NET_ADMIN, what net.core.rmem_max and wmem_max allow. */
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER))
		set(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER))
		set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
	l->fd = fd;
	return 0;
}

void listener_close(struct listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/**
 * struct batch - one send in the making
 * @msg: name, pieces, control
 * @iov: pieces, a head and its payload in turns
 * @len: bytes
 * @segments: datagrams
 * @control: source address and segment size
 * @base: bytes of @control without the segment size
 */
struct batch {
	struct msghdr msg;
	struct iovec iov[2 * SEGMENTS_MAX];
	u32 len;
	u32 segments;
	u32 base;
	union {
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(u16))];
		struct cmsghdr align;
	} control;
};

static void put_control(struct batch *b, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(b->control.bytes + b->base);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
}

static void batch_begin(struct batch *b, const struct route *r)
{
	memset(&b->msg, 0, sizeof(b->msg));
	b->msg.msg_name = (void *)&r->to;
	b->msg.msg_namelen = ebpfs_addr_len(&r->to);
	b->msg.msg_iov = b->iov;
	b->len = 0;
	b->segments = 0;
	b->base = 0;
	if (!r->listener->wildcard)
		return;
	if (r->listener->family == AF_INET) {
		put_control(b, IPPROTO_IP, IP_PKTINFO, &r->local4, sizeof(r->local4));
		b->base = CMSG_SPACE(sizeof(r->local4));
	} else {
		put_control(b, IPPROTO_IPV6, IPV6_PKTINFO, &r->local6, sizeof(r->local6));
		b->base = CMSG_SPACE(sizeof(r->local6));
	}
}

/* One sendmsg() of @pieces; 0 or the error. */
static int send_pieces(struct batch *b, const struct route *r, struct iovec *iov, u32 pieces,
		       u16 gso)
{
	size_t control = b->base;

	if (gso) {
		put_control(b, IPPROTO_UDP, UDP_SEGMENT, &gso, sizeof(gso));
		control += CMSG_SPACE(sizeof(gso));
	}
	b->msg.msg_iov = iov;
	b->msg.msg_iovlen = pieces;
	b->msg.msg_control = control ? b->control.bytes : NULL;
	b->msg.msg_controllen = control;
	for (;;) {
		if (sendmsg(r->listener->fd, &b->msg, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return errno;
	}
}

static void count_sent(u32 datagrams, u32 len)
{
	stats_add(datagrams_out, datagrams);
	stats_add(bytes_out, len);
}

static void count_error(int err)
{
	switch (err) {
	case EAGAIN:
	case ENOBUFS:
		stats_inc(send_full);
		break;
	case EMSGSIZE:
		stats_inc(send_too_big);
		break;
	default:
		stats_inc(send_failed);
	}
}

static u32 piece_len(const struct iovec *iov)
{
	return (u32)(iov[0].iov_len + iov[1].iov_len);
}

/* Send what is in @b and empty it. */
static void batch_send(struct batch *b, const struct route *r)
{
	u32 i;
	int err;

	if (b->segments > 1 && !READ_ONCE(r->listener->no_gso)) {
		stats_inc(gso_sends);
		err = send_pieces(b, r, b->iov, 2 * b->segments, (u16)piece_len(b->iov));
		if (!err)
			count_sent(b->segments, b->len);
		/* No checksum offload, IPsec, or a path too narrow for one segment:
		 * what is wrong with all of it need not be wrong with each. */
		if (err != EIO && err != EINVAL && err != EMSGSIZE) {
			if (err)
				count_error(err);
			goto out;
		}
		stats_inc(gso_refused);
		if (err == EIO)
			WRITE_ONCE(r->listener->no_gso, true);
	}
	for (i = 0; i < b->segments; i++) {
		err = send_pieces(b, r, b->iov + 2 * i, 2, 0);
		if (!err)
			count_sent(1, piece_len(b->iov + 2 * i));
		else
			count_error(err);
	}
out:
	b->len = 0;
	b->segments = 0;
}

void send_datagram(const struct route *r, const void *p, u32 len)
{
	struct batch b;
	int err;

	if (!len)
		return;
	batch_begin(&b, r);
	b.iov[0].iov_base = (void *)p;
	b.iov[0].iov_len = len;
	err = send_pieces(&b, r, b.iov, 1, 0);
	if (!err)
		count_sent(1, len);
	else
		count_error(err);
}

/* A head with a guard, as it goes out. */
struct guarded_head {
	struct ebpfs_hdr hdr;
	struct ebpfs_guard guard;
	u8 rest[HEAD - sizeof(struct ebpfs_hdr)];
};

/* What is encrypted lies here until it is sent: with the heads, as the tag is made of. */
static __thread u8 encrypted[EBPFS_MSG_MAX + EBPFS_CELLS_MAX * (HEAD + 8)]
	__attribute__((aligned(8)));

/* One fragment, encrypted to @to, of which HEAD bytes are used besides. */
static void guard_fragment(const struct ebpfs_keys *k, struct ebpfs_sending *sending,
			   const struct ebpfs_frag *f, const u8 *data, struct guarded_head *out,
			   u8 *to)
{
	struct ebpfs_reply *head = (struct ebpfs_reply *)to;
	u32 clear = ebpfs_guard_clear(k->sec, EBPFS_REPLY, HEAD - sizeof(head->hdr) + f->len);
	u8 *text = to + sizeof(head->hdr) + clear;
	u32 len = HEAD + f->len - (u32)(text - to);

	ebpfs_put_reply(head, f);
	head->hdr.crc = cpu_to_le32(sending->id);
	head->hdr.type |= EBPFS_GUARDED;
	if (!len && f->len)
		memcpy(to + HEAD, data, f->len);
	ebpfs_aead_seal(text, out->guard.tag, k->cipher, sending->key, sending->number,
			(struct ebpfs_bytes){ to, (size_t)(text - to) }, data, len);
	out->hdr = head->hdr;
	out->guard.number = cpu_to_le64(sending->number++);
	memcpy(out->rest, &head->hdr + 1, sizeof(out->rest));
}

/* As send_reply(), of a session with keys. */
static void send_guarded(struct session *s, u16 slot, u64 cells, const u8 *data,
			 const struct route *r)
{
	struct guarded_head heads[SEGMENTS_MAX];
	struct ebpfs_sending sending;
	struct ebpfs_frag f;
	u8 *to = encrypted;
	struct batch b;

	if (!ebpfs_keys_send(&s->keys, hweight64(cells), &sending))
		return;
	batch_begin(&b, r);
	for (; cells; cells &= cells - 1) {
		struct iovec *iov;

		ebpfs_served_frag(&s->served, slot, (u8)__ffs64(cells), &f);
		if (b.segments == SEGMENTS_MAX ||
		    b.len + sizeof(*heads) + f.len > EBPFS_UDP_PAYLOAD_MAX) {
			batch_send(&b, r);
			to = encrypted;
		}
		f.session = s->client_id;
		guard_fragment(&s->keys, &sending, &f, data + f.offset, &heads[b.segments], to);
		iov = &b.iov[2 * b.segments];
		iov[0] = (struct iovec){ &heads[b.segments], sizeof(*heads) };
		iov[1] = (struct iovec){ to + HEAD, f.len };
		to += (HEAD + f.len + 7) & ~7u;
		b.len += sizeof(*heads) + f.len;
		b.segments++;
	}
	if (b.segments)
		batch_send(&b, r);
	explicit_bzero(&sending, sizeof(sending));
}

void send_reply(struct session *s, u16 slot, u64 cells, const u8 *data, const struct route *r)
{
	struct ebpfs_reply heads[SEGMENTS_MAX];
	struct ebpfs_frag f;
	struct batch b;
	u32 crc;

	if (!data)
		data = (const u8 *)"";	/* an error, or nothing: no bytes, no buffer */
	if (ebpfs_keys_guard(&s->keys)) {
		send_guarded(s, slot, cells, data, r);
		return;
	}
	batch_begin(&b, r);
	for (; cells; cells &= cells - 1) {
		struct ebpfs_reply *head = &heads[b.segments];
		struct iovec *iov = &b.iov[2 * b.segments];

		ebpfs_served_frag(&s->served, slot, (u8)__ffs64(cells), &f);
		if (b.segments == SEGMENTS_MAX ||
		    b.len + HEAD + f.len > EBPFS_UDP_PAYLOAD_MAX) {
			batch_send(&b, r);
			head = heads;
			iov = b.iov;
		}
		f.session = s->client_id;
		ebpfs_put_reply(head, &f);
		crc = ebpfs_crc_head(head, HEAD);
		crc = ebpfs_crc32c(crc, data + f.offset, f.len);
		head->hdr.crc = cpu_to_le32(ebpfs_crc_end(crc));
		iov[0].iov_base = head;
		iov[0].iov_len = HEAD;
		iov[1].iov_base = (void *)(data + f.offset);
		iov[1].iov_len = f.len;
		b.len += HEAD + f.len;
		b.segments++;
	}
	if (b.segments)
		batch_send(&b, r);
}

static bool same_way(const struct route *a, const struct route *b)
{
	return a->listener == b->listener &&
	       !memcmp(&a->to, &b->to, ebpfs_addr_len(&b->to)) &&
	       !memcmp(&a->local6, &b->local6, sizeof(b->local6));
}

void replies_send(struct replies *rs)
{
	struct batch b;
	u8 *p = rs->bytes;

	if (!rs->n)
		return;
	batch_begin(&b, &rs->route);
	for (; rs->n; rs->n--, p += rs->len) {
		struct iovec *iov = &b.iov[2 * b.segments++];

		iov[0] = (struct iovec){ p, HEAD };
		iov[1] = (struct iovec){ p + HEAD, rs->len - HEAD };
		b.len += rs->len;
	}
	batch_send(&b, &rs->route);
}

void send_reply_later(struct replies *rs, struct session *s, u16 slot, const u8 *data,
		      const struct route *r)
{
	u32 room = ebpfs_keys_room(&s->keys);
	struct ebpfs_frag f;
	u8 *p;

	ebpfs_served_frag(&s->served, slot, 0, &f);
	if (rs->n && (rs->len != HEAD + f.len + room || !same_way(&rs->route, r)))
		replies_send(rs);
	if (!rs->n) {
		rs->route = *r;
		rs->len = HEAD + f.len + room;
	}
	p = rs->bytes + rs->n * rs->len;
	f.session = s->client_id;
	ebpfs_put_reply(p, &f);
	memcpy(p + HEAD, data, f.len);
	ebpfs_seal(p, HEAD + f.len);
	if (!session_close(s, p, HEAD + f.len))
		return;
	rs->n++;
	if (rs->n == REPLIES_MAX)
		replies_send(rs);
}

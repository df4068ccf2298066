// SPDX-License-Identifier: GPL-2.0
/*
 * The worker's loop and the first look at every datagram.
 *
 * Datagrams arrive by one multishot recvmsg per socket, each in a buffer that
 * the ring picks from those provided; a round takes all completions there are,
 * answers, gives the buffers back and then enters the kernel once, to submit
 * and to wait. Nothing here or below waits for anything but that (a full
 * socket buffer excepted, see SO_SNDTIMEO in send.c).
 *
 * Datagrams of one sender may come as one (UDP GRO): DATA do, which were sent so.
 * The checksum of each is looked at; neighbouring fragments of one call's data are then
 * dealt with as one, all others by themselves.
 *
 * What ebpfs_parse_hdr() and the checksum did not accept is only counted.
 *
 * Datagrams with a guard are opened where they lie, each before it is looked at, all that
 * came together before the first is dealt with; then they are as others, but that their
 * session must be one with keys (w->guarded).
 */
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "cred.h"
#include "grant.h"
#include "hold.h"
#include "lib/tag.h"
#include "log.h"
#include "serve.h"
#include "server.h"
#include "stats.h"
#include "worker.h"

#define RING_ENTRIES	256
#define CQ_ENTRIES	4096
#define BUFFERS		64	/* a power of two */
#define BUFFER_GROUP	0

/* Layout of a buffer: io_uring's head, source address, control data, datagram.
 * Each part is a multiple of 8 long, so that the datagram is 8-aligned. */
#define NAME_ROOM	32
#define CONTROL_ROOM	(CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)))
#define BUFFER_SIZE	((sizeof(struct io_uring_recvmsg_out) + NAME_ROOM + CONTROL_ROOM + \
			  65536 + 63) & ~63ul)

/* user_data: a job, or one of these small numbers */
#define TAG_STOP	0
#define TAG_LISTENER	1	/* and up to TAG_LISTENER + CONFIG_LISTENS_MAX - 1 */
#define TAG_CANCEL	(TAG_LISTENER + CONFIG_LISTENS_MAX)
#define TAG_END		(TAG_CANCEL + 1)

/* UNKNOWN to one class of sources: at most so many in so many ms. */
#define UNKNOWN_COUNT	8
#define UNKNOWN_WINDOW	100
#define HANDSHAKE_WINDOW	1000

void peer_of(const struct route *r, struct peer *peer)
{
	memset(peer, 0, sizeof(*peer));
	peer->family = r->listener->family;
	if (peer->family == AF_INET) {
		peer->addr[10] = 0xff;
		peer->addr[11] = 0xff;
		memcpy(peer->addr + 12, &r->to.in.sin_addr, 4);
		peer->port = r->to.in.sin_port;
	} else {
		memcpy(peer->addr, &r->to.in6.sin6_addr, 16);
		peer->port = r->to.in6.sin6_port;
		peer->scope = r->to.in6.sin6_scope_id;
	}
}

/*
 * Has the source of @r caused this less than @most times in @window ms? Then once more.
 * A source is an IPv4 address or the upper half of an IPv6 address. Some share a count, by
 * a hash that nobody else knows.
 */
static bool source_may(struct worker *w, struct source_count *counts, const struct route *r,
		       u32 most, u32 window)
{
	struct ebpfs_bytes source;
	struct source_count *c;
	struct peer peer;
	u8 tag[EBPFS_TAG_LEN];

	peer_of(r, &peer);
	source.data = peer.addr;
	source.len = peer.family == AF_INET ? sizeof(peer.addr) : sizeof(peer.addr) / 2;
	ebpfs_tag(tag, w->srv->source_key, &source, 1);
	c = &counts[tag[0] % WORKER_SOURCES];
	if (w->now - c->window >= window) {
		c->window = w->now;
		c->count = 0;
	}
	return c->count++ < most;
}

/* May a HELLO or AUTH be dealt with? The programs of ebpfsctl ask the same, earlier. */
static bool handshake_may(struct worker *w, const struct route *r)
{
	u32 rate = w->srv->handshake_rate;

	if (!rate || source_may(w, w->handshakes, r, rate, HANDSHAKE_WINDOW))
		return true;
	stats_inc(drop_rate);
	return false;
}

/* A hint that the session is gone, as short as it can be: it must not be worth
 * forging a source address for. */
static void say_unknown(struct worker *w, const struct route *r, u64 id)
{
	struct ebpfs_hdr h;

	stats_inc(drop_session);
	if (!source_may(w, w->unknowns, r, UNKNOWN_COUNT, UNKNOWN_WINDOW))
		return;
	ebpfs_put_hdr(&h, EBPFS_UNKNOWN, id);
	ebpfs_seal(&h, sizeof(h));
	send_datagram(r, &h, sizeof(h));
	stats_inc(unknowns_sent);
}

static void uncache(struct worker *w, struct session **cached)
{
	session_put(&w->srv->sessions, *cached);
	*cached = NULL;
}

void worker_forget_sessions(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < WORKER_CACHE; i++)
		if (w->cache[i])
			uncache(w, &w->cache[i]);
}

/* The session called @id, if @r is where its client is; the reference is the cache's.
 * NULL: dealt with. */
static struct session *look_up_session(struct worker *w, const struct route *r, u64 id)
{
	struct session **cached = &w->cache[id % WORKER_CACHE], *s = *cached;
	struct peer peer;

	if (!s || s->id != id) {
		s = session_find(&w->srv->sessions, id);
		if (!s) {
			say_unknown(w, r, id);
			return NULL;
		}
		if (*cached)
			uncache(w, cached);
		*cached = s;
	}
	peer_of(r, &peer);
	if (memcmp(&peer, &s->peer, sizeof(peer))) {
		stats_inc(drop_address);
		return NULL;
	}
	return s;
}

/* The same, locked, for a datagram that is as it should be. */
static struct session *enter_session(struct worker *w, const struct route *r, u64 id)
{
	struct session *s = look_up_session(w, r, id);

	if (!s)
		return NULL;
	if (ebpfs_keys_guard(&s->keys) != w->guarded) {
		stats_inc(drop_unguarded);
		return NULL;
	}
	pthread_mutex_lock(&s->lock);
	if (s->dead) {
		pthread_mutex_unlock(&s->lock);
		uncache(w, &w->cache[id % WORKER_CACHE]);
		say_unknown(w, r, id);
		return NULL;
	}
	WRITE_ONCE(s->heard, w->now);
	owner_heard(s->owner, w->now);
	return s;
}

/* The same for what is to be answered: nothing is, as long as a RECALL is not. */
static struct session *enter_to_serve(struct worker *w, const struct route *r, u64 id)
{
	struct session *s = enter_session(w, r, id);

	if (!s || !hold_owner_late(s->owner))
		return s;
	pthread_mutex_unlock(&s->lock);
	stats_inc(drop_silent);
	return NULL;
}

/* The first call of @s, which is locked, and still is if that is true. */
static bool first_use(struct worker *w, struct session *s)
{
	s->used = true;
	pthread_mutex_unlock(&s->lock);
	sessions_end_former(&w->srv->sessions, s);
	pthread_mutex_lock(&s->lock);
	if (!s->dead)
		return true;
	pthread_mutex_unlock(&s->lock);
	return false;
}

static void receive_calls(struct worker *w, const struct route *r, const u8 *p, u32 len, u64 id)
{
	struct ebpfs_call_iter it;
	struct ebpfs_call_info c;
	struct session *s;
	bool good, one;

	/* All of it before any of it is executed; and who is alone need not be read twice. */
	good = !ebpfs_begin_calls(p, len, &it);
	one = good && it.left == 1;
	if (one)
		good = ebpfs_next_call(&it, &c) && ebpfs_calls_whole(&it);
	else if (good)
		good = !ebpfs_parse_calls(p, len, &it);
	if (!good) {
		stats_inc(drop_malformed);
		return;
	}
	s = enter_to_serve(w, r, id);
	if (s && !s->used && !first_use(w, s))
		s = NULL;
	if (!s)
		return;
	if (one)
		serve_call(w, s, r, &c);
	while (ebpfs_next_call(&it, &c))
		serve_call(w, s, r, &c);
	pthread_mutex_unlock(&s->lock);
}

/* How many of the datagrams at @p, @segment bytes from one to the next, are fragments of
 * data that continue the first, which is @f. @over: bytes between them. */
static u32 count_run(const struct worker *w, const u8 *p, u32 left, u32 segment, u32 over,
		     struct ebpfs_frag f)
{
	const u8 *first = p;
	u32 n = 1, len;

	for (; left > segment; n++) {
		p += segment;
		left -= segment;
		len = left < segment - over ? left : segment - over;
		if (!ebpfs_next_data(p, len, first, &f) || (!w->guarded && !ebpfs_sealed(p, len)))
			break;
	}
	return n;
}

/* @left: bytes of this datagram, which has @len, and those of @segment bytes that came
 * with it. Return: bytes dealt with. */
static u32 receive_data(struct worker *w, const struct route *r, const u8 *p, u32 len, u64 id,
			u32 left, u32 segment)
{
	struct data_run run = {
		.first = p + sizeof(struct ebpfs_data),
		.stride = segment,
		.n = 1,
	};
	struct ebpfs_frag f;
	struct session *s;
	u32 all = len, over = w->guarded ? sizeof(struct ebpfs_guard) : 0;

	if (ebpfs_parse_data(p, len, &f)) {
		stats_inc(drop_malformed);
		return len;
	}
	run.cell = f.cell;
	if (left > len) {
		run.n = count_run(w, p, left, segment, over, f);
		all = left < run.n * segment - over ? left : run.n * segment - over;
		stats_add(datagrams_in, run.n - 1);
		stats_add(bytes_in, all - len);
	}
	s = enter_to_serve(w, r, id);
	if (!s)
		return all;
	serve_data(w, s, &f, &run);
	pthread_mutex_unlock(&s->lock);
	return all;
}

static void receive_probe(struct worker *w, const struct route *r, const u8 *p, u64 id)
{
	const struct ebpfs_probe *probe = (const struct ebpfs_probe *)p;
	struct session *s = enter_to_serve(w, r, id);
	u32 len;

	if (!s)
		return;
	stats_inc(probes);
	len = ebpfs_put_probe(w->scratch, EBPFS_PROBE_ACK, s->client_id,
			      le32_to_cpu(probe->serial), le32_to_cpu(probe->size));
	len = session_close(s, w->scratch, len);
	pthread_mutex_unlock(&s->lock);
	send_datagram(r, w->scratch, len);
}

/* The client wants new keys. */
static void receive_rekey(struct worker *w, const struct route *r, const u8 *p, u64 id)
{
	struct session *s = enter_to_serve(w, r, id);
	u8 ephemeral[EBPFS_KEY_LEN];
	struct {
		struct ebpfs_rekey msg;
		u8 room[sizeof(struct ebpfs_guard)];
	} out;
	u32 len = 0;
	int made;

	if (!s)
		return;
	if (!w->guarded || getrandom(ephemeral, sizeof(ephemeral), 0) != sizeof(ephemeral)) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	made = ebpfs_keys_answer(&s->keys, (const struct ebpfs_rekey *)p, ephemeral, s->client_id,
				 w->now * EBPFS_NSEC_PER_MSEC, &out.msg);
	explicit_bzero(ephemeral, sizeof(ephemeral));
	if (made > 0)
		grant_session_rekeyed(s);
	if (made >= 0)
		len = session_close(s, &out, sizeof(out.msg));
	pthread_mutex_unlock(&s->lock);
	if (made > 0) {
		stats_inc(rekeys);
		stats_inc(key_agreements);
	}
	send_datagram(r, &out, len);
}

static void receive_bye(struct worker *w, const struct route *r, const u8 *p, u64 id)
{
	struct session *s = enter_session(w, r, id);
	bool ours;

	if (!s)
		return;
	ours = ebpfs_hs_check_bye((const struct ebpfs_bye *)p, s->key);
	pthread_mutex_unlock(&s->lock);
	if (!ours) {
		stats_inc(drop_mac);
	} else if (session_end(&w->srv->sessions, s, "the client said so")) {
		stats_inc(sessions_ended);
		owner_bye(s->owner);
	}
}

static void receive_recalled(struct worker *w, const struct route *r, const u8 *p, u64 id)
{
	const struct ebpfs_recalled *recalled = (const struct ebpfs_recalled *)p;
	struct session *s = enter_session(w, r, id);
	struct owner *owner;

	if (!s)
		return;
	/* Its session keeps it, and the cache the session. */
	owner = s->owner;
	pthread_mutex_unlock(&s->lock);
	hold_recalled(w->srv, owner, le64_to_cpu(recalled->id));
}

/* As receive_datagram(), of the first of several. Return: bytes dealt with. */
static u32 receive_one(struct worker *w, const struct route *r, const u8 *p, u32 len, u32 left,
		       u32 segment)
{
	int type;
	u64 id;

	stats_inc(datagrams_in);
	stats_add(bytes_in, len);
	type = ebpfs_parse_hdr(p, len, &id);
	if (type < 0) {
		stats_inc(drop_malformed);
		return len;
	}
	if (!w->guarded && !ebpfs_sealed(p, len)) {
		stats_inc(drop_crc);
		return len;
	}
	switch (type) {
	case EBPFS_CALL:
		receive_calls(w, r, p, len, id);
		break;
	case EBPFS_DATA:
		return receive_data(w, r, p, len, id, left, segment);
	case EBPFS_RECALLED:
		receive_recalled(w, r, p, id);
		break;
	case EBPFS_PROBE:
		receive_probe(w, r, p, id);
		break;
	case EBPFS_REKEY:
		receive_rekey(w, r, p, id);
		break;
	case EBPFS_HELLO:
		if (handshake_may(w, r))
			handshake_hello(w, r, p, len);
		break;
	case EBPFS_AUTH:
		if (handshake_may(w, r))
			handshake_auth(w, r, p, len);
		break;
	case EBPFS_BYE:
		receive_bye(w, r, p, id);
		break;
	default:
		stats_inc(drop_type);
	}
	return len;
}

/* Of @len bytes at @p: has the datagram a guard? */
static bool has_guard(const u8 *p, u32 len)
{
	return len >= sizeof(struct ebpfs_hdr) + sizeof(struct ebpfs_guard) &&
	       ((const struct ebpfs_hdr *)p)->magic == cpu_to_le16(EBPFS_MAGIC) &&
	       ((const struct ebpfs_hdr *)p)->type & EBPFS_GUARDED;
}

/* Opens the datagram at @p. What is not good becomes one without a magic number. */
static void open_guard(struct worker *w, const struct route *r, u8 *p, u32 len)
{
	struct ebpfs_hdr *h = (struct ebpfs_hdr *)p;
	struct session *s = look_up_session(w, r, le64_to_cpu(h->session));
	int err = -EBADMSG;

	if (s && !ebpfs_keys_guard(&s->keys))
		stats_inc(drop_unguarded);
	else if (s)
		err = ebpfs_guard_open(&s->keys, p, len, w->now * EBPFS_NSEC_PER_MSEC);
	switch (err) {
	case 0:
		return;
	case -ENOKEY:
		stats_inc(drop_key);
		break;
	case -EKEYREJECTED:
		stats_inc(drop_tag);
		break;
	case -EALREADY:
		stats_inc(drop_replay);
		break;
	}
	((struct ebpfs_hdr *)(p + sizeof(struct ebpfs_guard)))->magic = 0;
}

/* As receive_datagrams(), of those whose first one has a guard: then all have. */
static void receive_guarded(struct worker *w, const struct route *r, u8 *p, u32 len, u32 segment)
{
	const u32 guard = sizeof(struct ebpfs_guard);
	u32 at, one;
	u8 *plain;

	for (at = 0; at < len; at += segment) {
		one = len - at < segment ? len - at : segment;
		if (has_guard(p + at, one)) {
			open_guard(w, r, p + at, one);
			continue;
		}
		/* None of ours; only the last one may be shorter. */
		stats_inc(drop_malformed);
		if (one < sizeof(struct ebpfs_hdr) + guard) {
			len = at;
			break;
		}
		((struct ebpfs_hdr *)(p + at + guard))->magic = 0;
	}
	w->guarded = true;
	for (at = 0; at < len; at += one + guard) {
		one = (len - at < segment ? len - at : segment) - guard;
		plain = p + at + guard;
		if (((struct ebpfs_hdr *)plain)->magic == cpu_to_le16(EBPFS_MAGIC)) {
			one = receive_one(w, r, plain, one, len - at - guard, segment);
		} else {
			stats_inc(datagrams_in);
			stats_add(bytes_in, one);
		}
	}
	w->guarded = false;
}

void receive_datagrams(struct worker *w, const struct route *r, u8 *p, u32 len, u32 segment)
{
	u32 one;

	if (has_guard(p, len)) {
		if (!segment || segment > len)
			segment = len;
		/* Not as they are sent: nothing is aligned, and nobody sends so. */
		if (segment % 8 && segment < len)
			stats_inc(drop_malformed);
		else
			receive_guarded(w, r, p, len, segment);
		return;
	}

	if (!segment || segment >= len) {
		receive_one(w, r, p, len, len, len);
		return;
	}
	stats_inc(gro_receives);
	for (; len; p += one, len -= one) {
		one = len < segment ? len : segment;
		if (segment % 8) {
			/* None of ours: they have whole numbers of words. */
			memcpy(w->scratch, p, one);
			receive_one(w, r, w->scratch, one, one, one);
		} else {
			one = receive_one(w, r, p, one, len, segment);
		}
	}
}

/* Which of our addresses was called, and what length the datagrams have that came
 * together (0: there is one). The interface is kept for link-local addresses only:
 * else the reply's way is the routing table's to choose. */
static u32 read_control(struct route *r, struct io_uring_recvmsg_out *out, struct msghdr *msg)
{
	struct cmsghdr *c;
	int segment = 0;

	for (c = io_uring_recvmsg_cmsg_firsthdr(out, msg); c;
	     c = io_uring_recvmsg_cmsg_nexthdr(out, msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&r->local4, CMSG_DATA(c), sizeof(r->local4));
			r->local4.ipi_ifindex = 0;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&r->local6, CMSG_DATA(c), sizeof(r->local6));
			if (!IN6_IS_ADDR_LINKLOCAL(&r->local6.ipi6_addr))
				r->local6.ipi6_ifindex = 0;
		} else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&segment, CMSG_DATA(c), sizeof(segment));
		}
	}
	return segment > 0 ? (u32)segment : 0;
}

static void take_buffer(struct worker *w, unsigned int listener, void *buffer, int len)
{
	struct msghdr *msg = &w->msg[listener];
	struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, len, msg);
	struct route r;
	u32 segment;

	if (!out || out->flags & MSG_TRUNC) {
		stats_inc(datagrams_in);
		stats_inc(drop_malformed);
		return;
	}
	r.listener = &w->listeners[listener];
	memcpy(&r.to, io_uring_recvmsg_name(out), sizeof(r.to));
	memset(&r.local6, 0, sizeof(r.local6));
	segment = read_control(&r, out, msg);
	receive_datagrams(w, &r, io_uring_recvmsg_payload(out, msg),
			  io_uring_recvmsg_payload_length(out, len, msg), segment);
}

static u8 *buffer_at(struct worker *w, unsigned int index)
{
	return w->memory + index * BUFFER_SIZE;
}

/* One completion of a receive; counts up @given, buffers to be given back. */
static void receive_done(struct worker *w, unsigned int listener, const struct io_uring_cqe *cqe,
			 int *given)
{
	if (!(cqe->flags & IORING_CQE_F_MORE))
		w->armed[listener] = false;
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		unsigned int index = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
		u8 *buffer = buffer_at(w, index);

		if (cqe->res >= 0 && !w->stopping)
			take_buffer(w, listener, buffer, cqe->res);
		io_uring_buf_ring_add(w->buffers, buffer, BUFFER_SIZE, (u16)index,
				      BUFFERS - 1, *given);
		(*given)++;
	} else if (cqe->res < 0 && cqe->res != -ENOBUFS && cqe->res != -EINTR &&
		   cqe->res != -ECANCELED) {
		errno = -cqe->res;
		log_warning_limited("receiving failed: %m (going on)");
	}
}

static void arm(struct worker *w)
{
	struct io_uring_sqe *sqe;
	unsigned int i;

	for (i = 0; i < w->nlisteners; i++) {
		if (w->armed[i])
			continue;
		sqe = io_uring_get_sqe(&w->ring);
		if (!sqe)
			return;		/* in the next round */
		io_uring_prep_recvmsg_multishot(sqe, w->listeners[i].fd, &w->msg[i], 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = BUFFER_GROUP;
		io_uring_sqe_set_data64(sqe, TAG_LISTENER + i);
		w->armed[i] = true;
	}
}

/* Take the receives out of the ring. Left to the end of the process, they would
 * hold the sockets, and with them the port, a little longer than it lives. */
static void disarm(struct worker *w)
{
	struct io_uring_sqe *sqe;
	unsigned int i;

	for (i = 0; i < w->nlisteners; i++) {
		if (!w->armed[i])
			continue;
		sqe = io_uring_get_sqe(&w->ring);
		if (!sqe)
			return;
		io_uring_prep_cancel64(sqe, TAG_LISTENER + i, 0);
		io_uring_sqe_set_data64(sqe, TAG_CANCEL);
	}
}

static bool any_armed(const struct worker *w)
{
	unsigned int i;

	for (i = 0; i < w->nlisteners; i++)
		if (w->armed[i])
			return true;
	return false;
}

static int start_ring(struct worker *w)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = CQ_ENTRIES,
	};
	struct io_uring_sqe *sqe;
	unsigned int i;
	int err;

	err = io_uring_queue_init_params(RING_ENTRIES, &w->ring, &params);
	if (err) {
		errno = -err;
		log_error("io_uring cannot be set up: %m (see kernel.io_uring_disabled in "
			  "sysctl(8); ebpfsd needs Linux 6.6)");
		return err;
	}
	/* One look-up of a descriptor less in each round. */
	io_uring_register_ring_fd(&w->ring);
	w->buffers = io_uring_setup_buf_ring(&w->ring, BUFFERS, BUFFER_GROUP, 0, &err);
	w->memory = mmap(NULL, BUFFERS * BUFFER_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!w->buffers || w->memory == MAP_FAILED) {
		w->memory = NULL;
		err = w->buffers ? -ENOMEM : err;
		errno = -err;
		log_error("receive buffers cannot be set up: %m");
		return err;
	}
	for (i = 0; i < BUFFERS; i++)
		io_uring_buf_ring_add(w->buffers, buffer_at(w, i), BUFFER_SIZE, (u16)i,
				      BUFFERS - 1, (int)i);
	io_uring_buf_ring_advance(w->buffers, BUFFERS);
	for (i = 0; i < w->nlisteners; i++) {
		w->msg[i].msg_namelen = NAME_ROOM;
		w->msg[i].msg_controllen = CONTROL_ROOM;
	}
	sqe = io_uring_get_sqe(&w->ring);
	io_uring_prep_poll_add(sqe, w->stop_fd, POLLIN);
	io_uring_sqe_set_data64(sqe, TAG_STOP);
	return 0;
}

static void loop(struct worker *w)
{
	while (!w->stopping || w->reads || any_armed(w)) {
		struct io_uring_cqe *cqe;
		unsigned int head, taken = 0;
		int given = 0, ret;

		if (!w->stopping)
			arm(w);
		ret = io_uring_submit_and_wait(&w->ring, 1);
		if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY) {
			errno = -ret;
			log_error("io_uring_enter failed: %m; worker %u ends", w->index);
			w->error = ret;
			kill(getpid(), SIGTERM);	/* main() sees the error */
			return;
		}
		w->now = now_ms();
		w->seen.e = NULL;
		io_uring_for_each_cqe(&w->ring, head, cqe) {
			u64 tag = io_uring_cqe_get_data64(cqe);

			taken++;
			if (tag == TAG_STOP) {
				w->stopping = true;
				disarm(w);
			} else if (tag < TAG_CANCEL) {
				receive_done(w, (unsigned int)tag - TAG_LISTENER, cqe, &given);
			} else if (tag >= TAG_END) {
				serve_read_done(w, io_uring_cqe_get_data(cqe), cqe->res);
			}
		}
		replies_send(&w->replies);
		io_uring_buf_ring_cq_advance(&w->ring, w->buffers, given);
		io_uring_cq_advance(&w->ring, taken - (unsigned int)given);
		if (sessions_over_budget(&w->srv->sessions))
			sessions_reclaim(&w->srv->sessions, w->now);
	}
}

void *worker_run(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker/%u", w->index);
	pthread_setname_np(pthread_self(), name);
	(void)stats_thread();
	cred_own_umask();
	w->now = now_ms();
	w->error = start_ring(w);
	sem_post(w->started);
	if (!w->error)
		loop(w);
	worker_forget_sessions(w);
	if (w->buffers)
		io_uring_free_buf_ring(&w->ring, w->buffers, BUFFERS, BUFFER_GROUP);
	if (w->ring.ring_fd > 0)
		io_uring_queue_exit(&w->ring);
	if (w->memory)
		munmap(w->memory, BUFFERS * BUFFER_SIZE);
	return NULL;
}

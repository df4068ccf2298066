// SPDX-License-Identifier: GPL-2.0
/*
 * Guards of datagrams in sessions with sec=integrity and sec=privacy: between what a session
 * sends and the network, and between the network and what a session receives. New keys, too.
 *
 * A datagram is opened before anything else is done with it, and is then sealed as if it had
 * come without a guard: the claim of fragments that prove to be bad only after they were
 * written is what worlds with sec=crc are about.
 *
 * Apart from the core, each datagram that gets a guard is written down: nobody else's is ever
 * opened, none a second time, and it is what it was.
 */
#include "sim.h"

#define SHORT	(sizeof(struct ebpfs_hdr) + sizeof(struct ebpfs_guard))

/*
 * What the clients (@side 0) or the servers offer: both ends have the second cipher in a
 * quarter of the worlds. Of the seed, not drawn: a world is what it was without ciphers.
 */
u32 world_features(const struct world *w, unsigned int side)
{
	return w->seed >> side & 1 ? EBPFS_FEAT_ALL : EBPFS_FEAT_ALL & ~EBPFS_FEAT_AES;
}

static struct sealed **sealed_at(struct world *w, u64 session, u32 id, u64 number)
{
	return &w->sealed[(session ^ id * 0x9e3779b1u ^ number) % SIM_SEALED];
}

static struct sealed *sealed_find(struct world *w, u64 session, u32 id, u64 number)
{
	struct sealed *s = *sealed_at(w, session, id, number);

	while (s && !(s->session == session && s->id == id && s->number == number))
		s = s->next;
	return s;
}

static u32 digest(const u8 *p, u32 len)
{
	return ebpfs_crc32c(~0u, p + offsetof(struct ebpfs_hdr, magic),
			    len - offsetof(struct ebpfs_hdr, magic));
}

/* @data gets a guard, in memory of the world's; its length. 0: no key is left. */
static u32 guard(struct world *w, struct ebpfs_keys *k, const void *data, u32 len)
{
	u32 crc = digest(data, len), id, all;
	struct sealed *s, **at;
	struct ebpfs_guard g;
	u64 session;

	memmove(w->guarded, data, len);
	session = le64_to_cpu(((struct ebpfs_hdr *)w->guarded)->session);
	all = ebpfs_guard_put(k, w->guarded, len);
	CHECK(w, all == len + sizeof(g), "a guard has its size", "%u bytes", all);
	memcpy(&g, w->guarded + sizeof(struct ebpfs_hdr), sizeof(g));
	id = le32_to_cpu(((struct ebpfs_hdr *)w->guarded)->crc);
	CHECK(w, !sealed_find(w, session, id, le64_to_cpu(g.number)),
	      "a key encrypts each number once", "session %lx key %x number %lu", session, id,
	      le64_to_cpu(g.number));
	s = arena_alloc(w, sizeof(*s));
	*s = (struct sealed){ .session = session, .id = id, .number = le64_to_cpu(g.number),
			      .digest = crc };
	at = sealed_at(w, session, id, s->number);
	s->next = *at;
	*at = s;
	return all;
}

void session_send(struct world *w, struct csession *cs, const void *data, u32 len)
{
	const void *p = data;

	if (ebpfs_keys_guard(&cs->keys)) {
		len = guard(w, &cs->keys, data, len);
		p = w->guarded;
	}
	net_send(w, cs->node->client->addr, cs->peer, p, len);
}

void ssession_send(struct world *w, struct ssession *ss, const void *data, u32 len)
{
	const void *p = data;

	if (ebpfs_keys_guard(&ss->keys)) {
		len = guard(w, &ss->keys, data, len);
		p = w->guarded;
	}
	server_send(w, ss->server, ss->peer, p, len);
}

bool guarded(const struct dgram *d)
{
	const struct ebpfs_hdr *h = (const struct ebpfs_hdr *)d->data;

	return d->len >= SHORT && h->magic == cpu_to_le16(EBPFS_MAGIC) &&
	       h->type & EBPFS_GUARDED;
}

/* Is it one that only a guard makes believable, if the session has keys? */
static bool of_session(u8 type)
{
	switch (type) {
	case EBPFS_CALL:
	case EBPFS_REPLY:
	case EBPFS_DATA:
	case EBPFS_NEED:
	case EBPFS_PROBE:
	case EBPFS_PROBE_ACK:
	case EBPFS_BYE:
	case EBPFS_REKEY:
	case EBPFS_REKEYED:
		return true;
	default:
		return false;
	}
}

/* A datagram with a guard becomes a plain one. False: drop it. */
static bool unguard(struct world *w, struct ebpfs_keys *k, struct dgram *d)
{
	struct ebpfs_hdr h = *(struct ebpfs_hdr *)d->data;
	struct ebpfs_guard g;
	struct sealed *s;

	memcpy(&g, d->data + sizeof(h), sizeof(g));
	switch (ebpfs_guard_open(k, d->data, d->len, w->now)) {
	case 0:
		break;
	case -ENOKEY:
		COUNT(w, guard_key);
		return false;
	case -EKEYREJECTED:
		COUNT(w, guard_tag);
		return false;
	case -EALREADY:
		COUNT(w, guard_again);
		return false;
	default:
		return false;
	}
	d->len -= sizeof(g);
	memmove(d->data, d->data + sizeof(g), d->len);
	s = sealed_find(w, le64_to_cpu(h.session), le32_to_cpu(h.crc), le64_to_cpu(g.number));
	CHECK(w, s && s->digest == digest(d->data, d->len),
	      "what is opened is what got the guard", "session %lx key %x number %lu",
	      le64_to_cpu(h.session), le32_to_cpu(h.crc), le64_to_cpu(g.number));
	CHECK(w, !s->opened, "nothing is opened twice", "session %lx key %x number %lu", s->session,
	      s->id, s->number);
	s->opened = true;
	COUNT(w, guard_opened);
	return true;
}

/* @k: of the session that @d names, NULL if there is none. False: drop it. */
static bool open_with(struct world *w, struct ebpfs_keys *k, struct dgram *d, u32 *key)
{
	u8 type = ((struct ebpfs_hdr *)d->data)->type;

	*key = le32_to_cpu(((struct ebpfs_hdr *)d->data)->crc);
	if (guarded(d)) {
		if (!k)
			return true;	/* as if it were of a type that nobody knows */
		if (!ebpfs_keys_guard(k) || !unguard(w, k, d))
			return false;
		ebpfs_seal(d->data, d->len);
		return of_session(((struct ebpfs_hdr *)d->data)->type);
	}
	if (k && ebpfs_keys_guard(k) && d->len >= sizeof(struct ebpfs_hdr) && of_session(type)) {
		COUNT(w, guard_bare);
		return false;
	}
	return d->len < sizeof(struct ebpfs_hdr) ||
	       (type != EBPFS_REKEY && type != EBPFS_REKEYED);
}

static u64 identity(const struct dgram *d)
{
	return d->len >= sizeof(struct ebpfs_hdr) ?
	       le64_to_cpu(((const struct ebpfs_hdr *)d->data)->session) : 0;
}

static void rekeyed(struct world *w, struct csession *cs, const struct dgram *d)
{
	if (d->len == sizeof(struct ebpfs_rekey) &&
	    !ebpfs_keys_answered(&cs->keys, (const struct ebpfs_rekey *)d->data, w->now)) {
		COUNT(w, rekeys);
		TRACE(w, "keys  session %lu: epoch %lu", cs->serial, cs->keys.newest);
	}
	node_arm(w, cs->node);
}

bool client_open(struct world *w, struct client *c, struct dgram *d)
{
	u64 id = identity(d);
	struct csession *cs;
	u32 key;

	for (cs = c->sessions; cs && cs->hs.client_session != id; cs = cs->next)
		;
	if (cs && (cs->peer.host != d->src.host || cs->peer.port != d->src.port))
		cs = NULL;
	if (!open_with(w, cs ? &cs->keys : NULL, d, &key))
		return false;
	if (!cs || d->len < sizeof(struct ebpfs_hdr) ||
	    ((struct ebpfs_hdr *)d->data)->type != EBPFS_REKEYED)
		return true;
	rekeyed(w, cs, d);
	return false;
}

/* The client asks for new keys. */
static void rekey(struct world *w, struct ssession *ss, struct dgram *d, u32 key)
{
	struct ebpfs_rekey ask, out;
	u8 ephemeral[EBPFS_KEY_LEN];
	int made;

	if (d->len != sizeof(ask))
		return;
	memcpy(&ask, d->data, sizeof(ask));
	ask.hdr.crc = cpu_to_le32(key);
	rnd_bytes(w, ephemeral, sizeof(ephemeral));
	made = ebpfs_keys_answer(&ss->keys, &ask, ephemeral, ss->hs.client_session, w->now, &out);
	if (made < 0) {
		COUNT(w, rekeys_refused);
		return;
	}
	if (!made)
		COUNT(w, rekeys_again);
	ssession_send(w, ss, &out, sizeof(out));
}

bool server_open(struct world *w, struct server *s, struct dgram *d)
{
	struct ssession *ss = server_find(s, identity(d));
	u32 key;

	if (ss && (!ss->alive || !same_addr(ss->peer, d->src)))
		ss = NULL;
	if (!open_with(w, ss ? &ss->keys : NULL, d, &key))
		return false;
	if (!ss || d->len < sizeof(struct ebpfs_hdr) ||
	    ((struct ebpfs_hdr *)d->data)->type != EBPFS_REKEY)
		return true;
	ebpfs_keys_tick(&ss->keys, w->now);
	rekey(w, ss, d, key);
	return false;
}

void guard_tick(struct world *w, struct csession *cs)
{
	u8 ephemeral[EBPFS_KEY_LEN];
	struct ebpfs_rekey ask;

	ebpfs_keys_tick(&cs->keys, w->now);
	if (!ebpfs_keys_due(&cs->keys, w->now))
		return;
	rnd_bytes(w, ephemeral, sizeof(ephemeral));
	if (!ebpfs_keys_ask(&cs->keys, w->now, ephemeral, cs->hs.server_session, &ask))
		return;
	COUNT(w, rekeys_asked);
	session_send(w, cs, &ask, sizeof(ask));
}

void guard_configure(struct world *w)
{
	struct config *cfg = &w->cfg;

	cfg->sec = chance(w, 5000) ? EBPFS_SEC_CRC : EBPFS_SEC_INTEGRITY + rnd(w, 2);
	cfg->rekey = chance(w, 3000) ? EBPFS_KEYS_AGE : 20 * MSEC + rnd_time(w, 3000 * MSEC);
	cfg->rekey_after = chance(w, 5000) ? EBPFS_KEYS_DATAGRAMS : 20 + rnd(w, 500);
}

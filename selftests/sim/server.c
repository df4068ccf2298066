// SPDX-License-Identifier: GPL-2.0
/*
 * Servers: starting and crashing, handshakes, who may have a session, and
 * what goes out to whom. Plays userspace/ebpfsd; the calls are in serve.c, data
 * that come apart in gather.c.
 *
 * A crash loses everything but the files and the log of intents (once.c):
 * sessions, kept replies, the key of the cookies, and the executions that were
 * under way. What a server sends to an address that has not yet proved itself
 * is weighed against what came from there, datagram by datagram and in sum.
 */
#include "sim.h"

#define UNKNOWN_GAP	(5 * MSEC)	/* hints are rate limited */
#define IDLE		SEC		/* a session unused for so long may go at any time */

static u32 live_sessions(const struct server *s)
{
	const struct ssession *ss;
	u32 n = 0;

	for (ss = s->sessions; ss; ss = ss->next)
		n += ss->alive;
	return n;
}

/* Any session, dead ones too. */
struct ssession *server_find(struct server *s, u64 identity)
{
	struct ssession *ss;

	for (ss = s->sessions; ss; ss = ss->next) {
		if (ss->hs.server_session == identity)
			return ss;
	}
	return NULL;
}

void server_send(struct world *w, struct server *s, struct addr to, const void *p, u32 len)
{
	if (!s->trusted[to.host]) {
		s->owed[to.host] -= len;
		CHECK(w, s->owed[to.host] >= 0,
		      "an address gets no more than it sent before it has proved itself",
		      "server %u sends %u bytes, %ld too many, to host %u", s->index, len,
		      -s->owed[to.host], to.host);
	}
	net_send(w, s->addr, to, p, len);
}

void server_start(struct world *w, struct server *s)
{
	u32 i;

	s->up = true;
	s->epoch++;
	s->instance = rnd64(w);
	s->challenges = NULL;
	s->unknown_at = 0;
	once_start(w, s);
	rnd_bytes(w, s->hs.cookie_key, sizeof(s->hs.cookie_key));
	for (i = 0; i < SIM_HOSTS_MAX; i++) {
		s->spent[i] = 0;
		s->owed[i] = 0;
		s->trusted[i] = false;
	}
	TRACE(w, "serv  %lu starts, instance %lx", s->index, s->instance);
}

void server_crash(struct world *w, struct server *s)
{
	struct ssession *ss;

	COUNT(w, crashes);
	TRACE(w, "serv  %lu crashes", s->index);
	s->up = false;
	s->epoch++;
	for (ss = s->sessions; ss; ss = ss->next)
		ss->alive = false;
}

/* The challenge of @time, and the proof that answered it, are not good any more. */
static void spend(struct server *s, const struct client *c, u64 time)
{
	if (s->spent[c->index] < time)
		s->spent[c->index] = time;
}

static void session_drop(struct world *w, struct ssession *ss)
{
	TRACE(w, "serv  %lu drops session %lx", ss->server->index, ss->hs.server_session);
	ss->alive = false;
	spend(ss->server, ss->client, ss->challenged);
}

/* A client has an address for each server: it has done with its older sessions. */
static void end_former(struct world *w, struct ssession *ss)
{
	struct ssession *o;

	/* The newest is the first. */
	for (o = ss->next; o; o = o->next) {
		if (o->alive && o->client == ss->client && same_addr(o->peer, ss->peer)) {
			COUNT(w, former);
			session_drop(w, o);
		}
	}
}

/* One that is idle for long, as the server sees it. */
void server_drop_session(struct world *w, struct server *s)
{
	struct ssession *ss;
	u32 n = live_sessions(s), i;

	if (!n)
		return;
	i = rnd(w, n);
	for (ss = s->sessions; ss; ss = ss->next) {
		if (ss->alive && !i--) {
			session_drop(w, ss);
			return;
		}
	}
}

bool same_addr(struct addr a, struct addr b)
{
	return a.host == b.host && a.port == b.port;
}

static void hello(struct world *w, struct server *s, const struct dgram *d)
{
	struct ebpfs_bytes addr = { &d->src, sizeof(d->src) };
	struct challenge *ch = arena_alloc(w, sizeof(*ch));
	struct ebpfs_challenge out;
	int len;

	rnd_bytes(w, ch->nonce, sizeof(ch->nonce));
	len = ebpfs_hs_make_challenge(&s->hs, d->data, d->len, addr, ch->nonce, w->now, &out);
	if (len < 0)
		return;
	CHECK(w, (u32)len <= d->len, "an answer is no longer than what it answers",
	      "%d bytes to HELLO's %u", len, d->len);
	if (out.hdr.type == EBPFS_CHALLENGE) {
		ch->addr = d->src;
		ch->at = w->now;
		ch->next = s->challenges;
		s->challenges = ch;
	}
	server_send(w, s, d->src, &out, len);
}

static void reject(struct world *w, struct server *s, const struct dgram *d, u16 reason)
{
	const struct ebpfs_auth *auth = (const struct ebpfs_auth *)d->data;
	struct ebpfs_reject out;
	u32 len;

	COUNT(w, rejects);
	len = ebpfs_hs_make_reject(le64_to_cpu(auth->client_session), reason, &out);
	CHECK(w, len <= d->len, "an answer is no longer than what it answers", "REJECT");
	TRACE(w, "serv  %lu refuses host %lu: %lu", s->index, d->src.host, reason);
	server_send(w, s, d->src, &out, len);
}

/* The client who is meant by a name, as the server's table has it. */
static struct client *client_by_name(struct world *w, const u8 *name)
{
	u32 i;

	for (i = 0; i < w->nclients; i++) {
		if (!memcmp(w->clients[i].name, name, EBPFS_CLIENT_MAX))
			return &w->clients[i];
	}
	return NULL;
}

/* The secret that the servers hold for a client. */
void server_secret(const struct world *w, const struct client *c, u8 *secret)
{
	u32 i;

	for (i = 0; i < EBPFS_SECRET_LEN; i++)
		secret[i] = (u8)(w->seed >> i % 8 * 8) ^ (u8)(i * 7 + c->index);
}

/* Who is let in: known apart from the core. */
static void check_admission(struct world *w, struct server *s, const struct dgram *d,
			    const struct client *c)
{
	const struct ebpfs_auth *auth = (const struct ebpfs_auth *)d->data;
	const struct identity *id;

	for (id = w->identities; id; id = id->next) {
		if (id->session == le64_to_cpu(auth->client_session))
			break;
	}
	CHECK(w, id && id->client == c && c->member,
	      "a session is made only for who knows the secret", "server %u, host %u", s->index,
	      d->src.host);
}

/* A cookie was believed: is the challenge ours, this address's, and recent? */
static void check_challenge(struct world *w, const struct server *s, const struct dgram *d)
{
	const struct ebpfs_auth *auth = (const struct ebpfs_auth *)d->data;
	const struct challenge *ch;

	for (ch = s->challenges; ch; ch = ch->next) {
		if (!memcmp(ch->nonce, auth->server_nonce, sizeof(ch->nonce)))
			break;
	}
	CHECK(w, ch, "only a challenge of this server's present start is believed", "server %u",
	      s->index);
	CHECK(w, same_addr(ch->addr, d->src), "a challenge is good for the address that got it",
	      "server %u: host %u got it, host %u answers", s->index, ch->addr.host, d->src.host);
	CHECK(w, w->now - ch->at <= EBPFS_COOKIE_LIFE, "a challenge does not live for ever",
	      "server %u: %lu ms old", s->index, (w->now - ch->at) / MSEC);
}

static struct ssession *admit(struct world *w, struct server *s, const struct dgram *d,
			      struct client *c, struct ebpfs_hs_proof *proof)
{
	const struct ebpfs_auth *auth = (const struct ebpfs_auth *)d->data;
	struct ssession *ss = arena_alloc(w, sizeof(*ss)), *former;
	u16 wanted = le16_to_cpu(proof->ask.slots);

	check_admission(w, s, d, c);
	for (former = s->sessions; former; former = former->next)
		CHECK(w, memcmp(former->auth_tag, auth->tag, sizeof(auth->tag)),
		      "a proof makes one session", "server %u: session %lx, once more", s->index,
		      former->hs.server_session);
	ss->server = s;
	ss->client = c;
	ss->peer = d->src;
	ss->alive = true;
	ss->hs.server_session = rnd64(w) | 1;
	ss->hs.server_instance = s->instance;
	ss->hs.features = world_features(w, 1);
	ss->hs.slots = wanted < w->cfg.slots_given ? wanted : w->cfg.slots_given;
	if (!ss->hs.slots)
		ss->hs.slots = 1;
	ss->hs.unit_max = EBPFS_MSG_MAX;
	ss->hs.cell_max = w->cfg.cell_max;
	ss->hs.owner_instance = ss->hs.server_instance;
	ss->hs.lease = 30;
	ss->hs.root_fh_len = w->files[0].fh_len;
	memcpy(ss->hs.root_fh, w->files[0].fh, w->files[0].fh_len);
	memcpy(ss->auth_tag, auth->tag, sizeof(ss->auth_tag));
	ss->challenged = le64_to_cpu(auth->time);
	rnd_bytes(w, ss->ephemeral, sizeof(ss->ephemeral));
	CHECK(w, ebpfs_hs_make_accept(auth, proof, ss->ephemeral, &ss->hs, &ss->accept) ==
	      sizeof(ss->accept),
	      "ACCEPT has its size", "server %u", s->index);
	ebpfs_keys_init(&ss->keys, ss->hs.sec, ss->hs.features, true, ss->hs.secrets, w->now, 0, 0);
	serve_init(w, ss);
	ss->next = s->sessions;
	s->sessions = ss;
	s->trusted[d->src.host] = true;
	TRACE(w, "serv  %lu admits client %lu: session %lx", s->index, c->index,
	      ss->hs.server_session);
	return ss;
}

/* Room for one more session? An idle one may have to go. */
static bool make_room(struct world *w, struct server *s)
{
	struct ssession *ss, *oldest = NULL;

	if (live_sessions(s) < w->cfg.sessions_max)
		return true;
	for (ss = s->sessions; ss; ss = ss->next) {
		if (ss->alive && (!oldest || ss->used_at < oldest->used_at))
			oldest = ss;
	}
	if (w->cfg.evict_busy && w->now - oldest->used_at < IDLE)
		return false;
	session_drop(w, oldest);
	return true;
}

static void auth(struct world *w, struct server *s, const struct dgram *d)
{
	const struct ebpfs_auth *auth = (const struct ebpfs_auth *)d->data;
	struct ebpfs_bytes addr = { &d->src, sizeof(d->src) };
	u8 secret[EBPFS_SECRET_LEN];
	struct ebpfs_hs_proof proof;
	struct ssession *ss;
	struct client *c;
	int ret;

	ret = ebpfs_hs_check_cookie(&s->hs, d->data, d->len, addr, w->now);
	if (ret == -ETIMEDOUT) {
		COUNT(w, old_cookie);
		reject(w, s, d, EBPFS_REJECT_COOKIE);
		return;
	}
	if (ret) {
		COUNT(w, bad_cookie);
		return;
	}
	check_challenge(w, s, d);
	c = client_by_name(w, auth->client);
	if (!c) {
		reject(w, s, d, EBPFS_REJECT_DENIED);
		return;
	}
	server_secret(w, c, secret);
	if (!ebpfs_hs_check_auth(auth, secret, &proof)) {
		COUNT(w, wrong_secret);
		reject(w, s, d, EBPFS_REJECT_DENIED);
		return;
	}
	for (ss = s->sessions; ss; ss = ss->next) {
		if (ss->alive && !memcmp(ss->auth_tag, auth->tag, sizeof(ss->auth_tag)))
			break;
	}
	if (ss) {
		struct ebpfs_hs_session again = ss->hs;
		struct ebpfs_accept out;

		CHECK(w, same_addr(ss->peer, d->src), "a proof is good for one address",
		      "session %lx", ss->hs.server_session);
		ebpfs_hs_make_accept(auth, &proof, ss->ephemeral, &again, &out);
		CHECK(w, !memcmp(&out, &ss->accept, sizeof(out)),
		      "the same proof is answered alike", "session %lx", ss->hs.server_session);
		COUNT(w, accept_again);
	} else if (ebpfs_hs_is_spent(auth, s->spent[c->index])) {
		COUNT(w, spent);
		reject(w, s, d, EBPFS_REJECT_COOKIE);
		return;
	} else if (!make_room(w, s)) {
		spend(s, c, le64_to_cpu(auth->time));
		reject(w, s, d, EBPFS_REJECT_BUSY);
		return;
	} else {
		ss = admit(w, s, d, c, &proof);
	}
	ss->used_at = w->now;
	CHECK(w, sizeof(ss->accept) <= d->len, "an answer is no longer than what it answers",
	      "ACCEPT");
	server_send(w, s, d->src, &ss->accept, sizeof(ss->accept));
}

static void unknown(struct world *w, struct server *s, const struct dgram *d, u64 session)
{
	struct ebpfs_hdr out;

	if (s->unknown_at && w->now - s->unknown_at < UNKNOWN_GAP)
		return;
	s->unknown_at = w->now;
	ebpfs_put_hdr(&out, EBPFS_UNKNOWN, session);
	ebpfs_seal(&out, sizeof(out));
	server_send(w, s, d->src, &out, sizeof(out));
}

static void probe(struct world *w, const struct dgram *d, struct ssession *ss)
{
	const struct ebpfs_probe *p = (const struct ebpfs_probe *)d->data;

	ebpfs_put_probe(w->scratch, EBPFS_PROBE_ACK, ss->hs.client_session,
			le32_to_cpu(p->serial), d->len);
	ssession_send(w, ss, w->scratch, d->len);
}

void server_receive(struct world *w, struct server *s, struct dgram *d)
{
	struct ssession *ss;
	u64 session;
	int type;

	if (!s->up)
		return;
	if (!s->trusted[d->src.host])
		s->owed[d->src.host] += d->len;
	if (!server_open(w, s, d))
		return;
	type = ebpfs_parse_hdr(d->data, d->len, &session);
	if (type < 0 || !ebpfs_sealed(d->data, d->len))
		return;
	if (type != EBPFS_DATA) {
		gather_flush(w, s);
		if (!s->up)	/* killed over a call whose data were there */
			return;
	}
	switch (type) {
	case EBPFS_HELLO:
		hello(w, s, d);
		return;
	case EBPFS_AUTH:
		auth(w, s, d);
		return;
	case EBPFS_CALL:
	case EBPFS_DATA:
	case EBPFS_PROBE:
	case EBPFS_BYE:
		break;
	default:
		return;
	}
	ss = server_find(s, session);
	if (!ss || !ss->alive) {
		if (type == EBPFS_CALL || type == EBPFS_DATA)
			unknown(w, s, d, session);
		return;
	}
	if (!same_addr(ss->peer, d->src))
		return;
	ss->used_at = w->now;
	if (type == EBPFS_CALL && !ss->used) {
		ss->used = true;
		end_former(w, ss);
	}
	if (type == EBPFS_CALL)
		serve_calls(w, ss, d);
	else if (type == EBPFS_DATA)
		gather_data(w, ss, d);
	else if (type == EBPFS_PROBE)
		probe(w, d, ss);
	else if (ebpfs_hs_check_bye((const struct ebpfs_bye *)d->data, ss->hs.key))
		session_drop(w, ss);
}

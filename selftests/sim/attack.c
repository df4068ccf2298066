// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody who means harm. The attacker overhears some datagrams, plays them
 * again later or to others, forges new ones from any address, and may stand in
 * for a server (the impostor) on a link.
 *
 * With sec=crc nothing protects from who knows a session's identity and the
 * current id of a call: such a fragment is as good as the server's. So what is
 * forged here with a right checksum always lacks one of these: another
 * session, an old sequence, a slot that is not there, more bytes than asked
 * for, other data than the call has. With a wrong checksum anything goes.
 */
#include "sim.h"

#define MESSAGE_MAX	16384

static union {
	u8 bytes[MESSAGE_MAX];
	struct ebpfs_hdr hdr;
	struct ebpfs_reply reply;
	struct ebpfs_calls calls;
	struct ebpfs_data data;
	struct ebpfs_need need;
	struct ebpfs_challenge challenge;
	struct ebpfs_auth auth;
	struct ebpfs_accept accept;
	struct ebpfs_reject reject;
	struct ebpfs_hello hello;
} msg;

/* Takes @d. */
void attack_record(struct world *w, struct dgram *d)
{
	u32 i = rnd(w, SIM_RECORDS);

	if (w->records[i])
		net_free(w, w->records[i]);
	w->records[i] = d;
}

static void send_forged(struct world *w, struct addr src, struct addr dst, u32 len, bool seal)
{
	COUNT(w, forgeries);
	if (seal)
		ebpfs_seal(msg.bytes, len);
	TRACE(w, "forge %lu -> %lu: type %lu, %lu bytes, sealed %lu", src.host, dst.host,
	      msg.hdr.type, len, seal);
	net_inject(w, src, dst, msg.bytes, len, rnd_time(w, 2 * w->cfg.delay));
}

static struct csession *session_of(struct client *c, u64 identity)
{
	struct csession *cs;

	for (cs = c->sessions; cs; cs = cs->next) {
		if (cs->hs.client_session == identity)
			return cs;
	}
	return NULL;
}

/* A head for @total bytes in msg, first cell, and a payload of rubbish; returns its length. */
static u32 reply_first_cell(struct world *w, u32 total)
{
	u32 cell = EBPFS_CELL_MIN + rnd(w, 900) * 8, len;

	len = total < cell ? total : cell;
	msg.reply.total = cpu_to_le32(total);
	msg.reply.offset = 0;
	msg.reply.cell = cpu_to_le16(cell);
	msg.reply.status = 0;
	rnd_bytes(w, msg.bytes + sizeof(msg.reply), len);
	return sizeof(msg.reply) + len;
}

/* A REPLY that was overheard becomes one that must not be believed. */
static void forge_reply(struct world *w, const struct dgram *d)
{
	struct client *c = &w->clients[d->dst.host];
	struct csession *cs;
	const struct request *r;
	u32 len = d->len, total;
	u64 id, seq;
	u16 slot;

	memcpy(msg.bytes, d->data, d->len);
	cs = session_of(c, le64_to_cpu(msg.hdr.session));
	if (!cs)
		return;
	id = le64_to_cpu(msg.reply.id);
	slot = EBPFS_ID_SLOT(id);
	seq = cs->last_seq[slot];
	r = cs->reqs[slot];
	switch (rnd(w, 6)) {
	case 0:
		msg.hdr.session = cpu_to_le64(rnd64(w));
		break;
	case 1:		/* an earlier call of the slot */
		if (seq < 2)
			return;
		msg.reply.id = cpu_to_le64(EBPFS_ID(slot, 1 + rnd(w, seq - 1)));
		rnd_bytes(w, msg.bytes + sizeof(msg.reply), len - sizeof(msg.reply));
		break;
	case 2:		/* a call that is far from being made */
		msg.reply.id = cpu_to_le64(EBPFS_ID(slot, seq + (1ull << 40)));
		break;
	case 3:
		slot = cs->conn.nslots + rnd(w, 65536 - cs->conn.nslots);
		msg.reply.id = cpu_to_le64(EBPFS_ID(slot, 1 + rnd(w, 5)));
		break;
	case 4:		/* the right call, but more than its destination holds */
		if (!r || r->limit >= EBPFS_MSG_MAX)
			return;
		total = r->limit + 1 + rnd(w, EBPFS_MSG_MAX - r->limit);
		len = reply_first_cell(w, total);
		msg.reply.id = cpu_to_le64(r->id);
		msg.reply.instance = cpu_to_le32(1 + rnd(w, 0xfffffffe));
		break;
	default:	/* the right call, some instance, some grid: only the checksum tells */
		if (!r)
			return;
		msg.reply.id = cpu_to_le64(r->id);
		if (chance(w, 5000))
			len = reply_first_cell(w, rnd(w, r->limit + 1));
		else if (len > sizeof(msg.reply))
			rnd_bytes(w, msg.bytes + sizeof(msg.reply), 1);
		if (chance(w, 5000) && r->dest.instance)
			msg.reply.instance = cpu_to_le32(r->dest.instance + rnd(w, 3));
		else
			msg.reply.instance = cpu_to_le32(1 + rnd(w, 0xfffffffe));
		ebpfs_seal(msg.bytes, len);
		/* Wrong in all bits: damage on the way must not make it right. */
		msg.hdr.crc = ~msg.hdr.crc;
		send_forged(w, d->src, d->dst, len, false);
		return;
	}
	send_forged(w, d->src, d->dst, len, true);
}

/* A CALL that was overheard asks for a slot that the session does not have. */
static void forge_call(struct world *w, const struct dgram *d)
{
	struct ebpfs_call *call = (struct ebpfs_call *)(msg.bytes + sizeof(msg.calls));
	u16 slot = EBPFS_SLOTS_MAX + rnd(w, 9);
	u64 seq = 1 + rnd(w, 9);

	memcpy(msg.bytes, d->data, d->len);
	call->id = cpu_to_le64(EBPFS_ID(slot, seq));
	send_forged(w, d->src, d->dst, d->len, true);
}

static struct csession *session_with(struct client *c, u64 identity)
{
	struct csession *cs;

	for (cs = c->sessions; cs; cs = cs->next) {
		if (cs->hs.server_session == identity)
			return cs;
	}
	return NULL;
}

/* DATA that were overheard become such as must not be executed. */
static void forge_data(struct world *w, const struct dgram *d)
{
	struct csession *cs;
	const struct request *r;
	u32 total, len = d->len;
	u64 seq;
	u16 slot;

	memcpy(msg.bytes, d->data, d->len);
	cs = session_with(&w->clients[d->src.host], le64_to_cpu(msg.hdr.session));
	slot = EBPFS_ID_SLOT(le64_to_cpu(msg.data.id));
	if (!cs || slot >= cs->conn.nslots)
		return;
	r = cs->reqs[slot];
	rnd_bytes(w, msg.bytes + sizeof(msg.data), len - sizeof(msg.data));
	switch (rnd(w, 5)) {
	case 0:
		msg.hdr.session = cpu_to_le64(rnd64(w));
		break;
	case 1:		/* an earlier call of the slot, as the server knows it */
		seq = cs->other->served.slots[slot].seq;
		if (seq < 2)
			return;
		msg.data.id = cpu_to_le64(EBPFS_ID(slot, 1 + rnd(w, seq - 1)));
		break;
	case 2:
		slot = cs->conn.nslots + rnd(w, 65536 - cs->conn.nslots);
		msg.data.id = cpu_to_le64(EBPFS_ID(slot, 1 + rnd(w, 5)));
		break;
	case 3:		/* the right call, but it has more or less data, or none */
		total = 1 + rnd(w, EBPFS_CELL_MIN);
		if (!r || total == r->data_len)
			return;
		len = sizeof(msg.data) + total;
		msg.data.id = cpu_to_le64(r->id);
		msg.data.total = cpu_to_le32(total);
		msg.data.offset = 0;
		msg.data.cell = cpu_to_le16(EBPFS_CELL_MIN);
		rnd_bytes(w, msg.bytes + sizeof(msg.data), total);
		break;
	default:	/* the right call, some cut: only the checksum tells */
		if (!r)
			return;
		msg.data.id = cpu_to_le64(r->id);
		msg.data.attempt = rnd(w, 4);
		ebpfs_seal(msg.bytes, len);
		/* Wrong in all bits: damage on the way must not make it right. */
		msg.hdr.crc = ~msg.hdr.crc;
		send_forged(w, d->src, d->dst, len, false);
		return;
	}
	send_forged(w, d->src, d->dst, len, true);
}

/* Whoever asks for data in the server's name makes the client send, and no more. */
static void forge_need(struct world *w, const struct dgram *d)
{
	struct csession *cs;
	u16 slot;

	memcpy(msg.bytes, d->data, d->len);
	cs = session_of(&w->clients[d->dst.host], le64_to_cpu(msg.hdr.session));
	slot = EBPFS_ID_SLOT(le64_to_cpu(msg.need.id));
	if (!cs || slot >= cs->conn.nslots)
		return;
	if (cs->reqs[slot] && chance(w, 7000))
		msg.need.id = cpu_to_le64(cs->reqs[slot]->id);
	else
		msg.need.id = cpu_to_le64(EBPFS_ID(chance(w, 5000) ? slot : rnd(w, 65536),
						   1 + rnd(w, 20)));
	if (chance(w, 5000))
		msg.need.missing = cpu_to_le64(chance(w, 5000) ? ~0ull : 1ull << rnd(w, 64));
	if (chance(w, 5000))
		msg.need.cell = cpu_to_le16(EBPFS_CELL_MIN + 8 * rnd(w, 900));
	msg.need.attempt = cs->attempt[slot] + rnd(w, 3) - 1;
	send_forged(w, d->src, d->dst, d->len, true);
}

/* Asks for data of a call that is over, but whose slot is not back yet. */
static void forge_need_late(struct world *w)
{
	const struct request *r;
	u16 slot;

	for (r = w->all; r; r = r->all) {
		if (r->data_len && (r->state == REQ_STOPPING ||
				    (r->state == REQ_ACTIVE && r->finishing)))
			break;
	}
	if (!r)
		return;
	slot = EBPFS_ID_SLOT(r->id);
	memset(&msg.need, 0, sizeof(msg.need));
	ebpfs_put_hdr(&msg.hdr, EBPFS_NEED, r->cs->hs.client_session);
	msg.need.id = cpu_to_le64(r->id);
	msg.need.missing = cpu_to_le64(~0ull);
	msg.need.attempt = r->cs->attempt[slot];
	send_forged(w, r->cs->peer, r->client->addr, sizeof(msg.need), true);
}

/* The proof of another: from elsewhere, or to another server. */
static void forge_auth(struct world *w, const struct dgram *d)
{
	struct addr src = d->src, dst = d->dst;

	memcpy(msg.bytes, d->data, d->len);
	switch (rnd(w, 4)) {
	case 0:
		src.host = w->nclients + w->nservers;
		break;
	case 1:
		src.port++;
		break;
	case 2:
		dst = w->servers[rnd(w, w->nservers)].addr;
		break;
	case 3:		/* taken over for another session */
		msg.auth.client_session = cpu_to_le64(rnd64(w) | 1);
		break;
	}
	send_forged(w, src, dst, d->len, true);
}

/* What a server might say in a handshake, said by somebody else. */
static void forge_answer(struct world *w, struct client *c, struct cnode *n)
{
	u32 len;

	memset(&msg, 0, sizeof(msg.accept));
	switch (rnd(w, 4)) {
	case 0:
		len = sizeof(msg.challenge);
		ebpfs_put_hdr(&msg.hdr, EBPFS_CHALLENGE, n->hs.session);
		rnd_bytes(w, msg.challenge.nonce, sizeof(msg.challenge.nonce));
		rnd_bytes(w, msg.challenge.cookie, sizeof(msg.challenge.cookie));
		msg.challenge.version = EBPFS_VERSION;
		msg.challenge.features = cpu_to_le32(EBPFS_FEAT_ALL);
		break;
	case 1:
		len = sizeof(msg.accept);
		ebpfs_put_hdr(&msg.hdr, EBPFS_ACCEPT, n->hs.session);
		rnd_bytes(w, msg.accept.ephemeral, sizeof(msg.accept.ephemeral));
		rnd_bytes(w, msg.accept.terms, sizeof(msg.accept.terms));
		if (chance(w, 5000))
			rnd_bytes(w, msg.accept.tag, sizeof(msg.accept.tag));
		break;
	case 2:
		len = sizeof(msg.reject);
		ebpfs_hs_make_reject(n->hs.session, 1 + rnd(w, 8), &msg.reject);
		break;
	default:
		len = sizeof(msg.hdr);
		ebpfs_put_hdr(&msg.hdr, EBPFS_UNKNOWN,
			      n->cs && chance(w, 7000) ? n->cs->hs.server_session : rnd64(w));
		break;
	}
	send_forged(w, n->server->addr, c->addr, len, true);
}

/* Anything with a right head and checksum. */
static void forge_noise(struct world *w, struct addr src, struct addr dst)
{
	u8 type = 1 + rnd(w, EBPFS_NEED);
	u32 len = ebpfs_type_min_len(type);

	if (type == EBPFS_CALL || type == EBPFS_REPLY || type == EBPFS_DATA ||
	    type == EBPFS_PROBE || type == EBPFS_PROBE_ACK)
		len += rnd(w, 200);
	rnd_bytes(w, msg.bytes, len);
	ebpfs_put_hdr(&msg.hdr, type, chance(w, 2000) ? 0 : rnd64(w));
	if (chance(w, 5000) && (type == EBPFS_PROBE || type == EBPFS_PROBE_ACK))
		((struct ebpfs_probe *)msg.bytes)->size = cpu_to_le32(len);
	if (chance(w, 1000))
		len = rnd(w, len);
	if (len >= sizeof(msg.hdr))
		send_forged(w, src, dst, len, chance(w, 9000));
}

/* HELLO in somebody else's name: the answer must not be larger. */
static void forge_hello(struct world *w, struct addr src, struct addr dst)
{
	rnd_bytes(w, &msg.hello, sizeof(msg.hello));
	ebpfs_put_hdr(&msg.hdr, EBPFS_HELLO, 0);
	msg.hello.version_min = rnd(w, 3);
	msg.hello.version_max = rnd(w, 3);
	if (chance(w, 8000)) {
		msg.hello.reserved = 0;
		memset(msg.hello.pad, 0, sizeof(msg.hello.pad));
	}
	send_forged(w, src, dst, sizeof(msg.hello), true);
}

/* A datagram with a guard, and something about it changed: the guard, or that it has one. */
static void forge_guarded(struct world *w, const struct dgram *d)
{
	const u32 head = sizeof(struct ebpfs_hdr), room = sizeof(struct ebpfs_guard);
	struct ebpfs_guard *g = (struct ebpfs_guard *)(msg.bytes + head);
	u32 len = d->len;

	memcpy(msg.bytes, d->data, len);
	switch (rnd(w, 5)) {
	case 0:		/* none, but a checksum that is right */
		len -= room;
		memmove(msg.bytes + head, msg.bytes + head + room, len - head);
		msg.hdr.type &= ~EBPFS_GUARDED;
		break;
	case 1:		/* another number, and so another place in the window */
		g->number = cpu_to_le64(le64_to_cpu(g->number) + rnd(w, 10000));
		break;
	case 2:		/* another key */
		msg.hdr.crc = cpu_to_le32(le32_to_cpu(msg.hdr.crc) ^ 1u << rnd(w, 18));
		break;
	case 3:		/* another type */
		msg.hdr.type = EBPFS_GUARDED | (1 + rnd(w, 18));
		break;
	default:
		g->tag[rnd(w, sizeof(g->tag))] ^= 1 << rnd(w, 8);
	}
	send_forged(w, d->src, d->dst, len, !(msg.hdr.type & EBPFS_GUARDED));
}

static void forge(struct world *w)
{
	const struct dgram *d = w->records[rnd(w, SIM_RECORDS)];
	struct client *c = &w->clients[rnd(w, w->nclients)];
	struct server *s = &w->servers[rnd(w, w->nservers)];
	u32 what = rnd(w, 12);
	u64 session;
	int type;

	if (what == 0) {
		forge_answer(w, c, &c->nodes[s->index]);
	} else if (what == 1) {
		forge_noise(w, s->addr, c->addr);
	} else if (what == 2) {
		forge_noise(w, c->addr, s->addr);
	} else if (what == 3) {
		forge_hello(w, c->addr, s->addr);
	} else if (what == 4) {
		forge_need_late(w);
	} else if (d && d->len <= MESSAGE_MAX && guarded(d)) {
		forge_guarded(w, d);
	} else if (d && d->len <= MESSAGE_MAX) {
		type = ebpfs_parse_hdr(d->data, d->len, &session);
		if (type == EBPFS_REPLY && d->dst.host < w->nclients)
			forge_reply(w, d);
		else if (type == EBPFS_CALL)
			forge_call(w, d);
		else if (type == EBPFS_DATA && d->src.host < w->nclients)
			forge_data(w, d);
		else if (type == EBPFS_NEED && d->dst.host < w->nclients)
			forge_need(w, d);
		else if (type == EBPFS_AUTH)
			forge_auth(w, d);
	}
}

static u8 type_of(const struct dgram *d)
{
	return d->data[offsetof(struct ebpfs_hdr, type)];
}

static void replay(struct world *w)
{
	const struct dgram *d = w->records[rnd(w, SIM_RECORDS)];
	u64 delay;

	if (!d)
		return;
	COUNT(w, replays);
	delay = rnd_time(w, chance(w, 7000) ? 50 * MSEC : 2 * SEC);
	if (w->cfg.long_run && (type_of(d) == EBPFS_AUTH || chance(w, 2000)))
		delay += EBPFS_COOKIE_LIFE;
	TRACE(w, "play  %lu -> %lu: type %lu, %lu bytes, in %lu us", d->src.host, d->dst.host,
	      type_of(d), d->len, delay / USEC);
	net_inject(w, d->src, d->dst, d->data, d->len, delay);
}

static void attack(struct world *w, void *obj, u64 arg)
{
	if (w->healed)
		return;
	if (w->cfg.replay && (!w->cfg.forge || chance(w, 5000)))
		replay(w);
	else
		forge(w);
	schedule(w, rnd_time(w, 2 * w->cfg.attack_gap), attack, obj, arg);
}

void attack_start(struct world *w)
{
	if (w->cfg.forge || w->cfg.replay)
		schedule(w, rnd_time(w, 2 * w->cfg.attack_gap), attack, NULL, 0);
}

/* On a link with an impostor: what was sent to the server comes here. */
void impostor_receive(struct world *w, const struct dgram *d)
{
	struct ebpfs_hs_session hs;
	u8 secret[EBPFS_SECRET_LEN], ephemeral[EBPFS_KEY_LEN];
	struct ebpfs_hs_proof proof;
	struct ebpfs_auth auth;
	struct ebpfs_hello hello;
	u64 session;
	u32 len;

	switch (ebpfs_parse_hdr(d->data, d->len, &session)) {
	case EBPFS_HELLO:
		memcpy(&hello, d->data, sizeof(hello));
		len = sizeof(msg.challenge);
		rnd_bytes(w, &msg.challenge, len);
		ebpfs_put_hdr(&msg.hdr, EBPFS_CHALLENGE, le64_to_cpu(hello.client_session));
		msg.challenge.version = EBPFS_VERSION;
		memset(msg.challenge.reserved, 0, sizeof(msg.challenge.reserved));
		msg.challenge.features = cpu_to_le32(le32_to_cpu(hello.features) & EBPFS_FEAT_ALL);
		break;
	case EBPFS_AUTH:	/* a whole ACCEPT, but by another secret */
		memcpy(&auth, d->data, sizeof(auth));
		rnd_bytes(w, secret, sizeof(secret));
		memset(&hs, 0, sizeof(hs));
		hs.server_session = rnd64(w) | 1;
		hs.server_instance = rnd64(w);
		hs.slots = 1;
		hs.unit_max = EBPFS_MSG_MAX;
		hs.cell_max = EBPFS_CELL_MAX;
		hs.owner_instance = 1;
		hs.lease = 30;
		hs.root_fh_len = 8;
		ebpfs_hs_check_auth(&auth, secret, &proof);
		memset(&proof.ask, 0, sizeof(proof.ask));
		proof.ask.sec = EBPFS_SEC_CRC;
		proof.ask.slots = cpu_to_le16(1);
		rnd_bytes(w, ephemeral, sizeof(ephemeral));
		len = ebpfs_hs_make_accept(&auth, &proof, ephemeral, &hs, &msg.accept);
		break;
	case EBPFS_CALL:
		len = sizeof(msg.hdr);
		ebpfs_put_hdr(&msg.hdr, EBPFS_UNKNOWN, session);
		break;
	default:
		return;
	}
	send_forged(w, d->dst, d->src, len, true);
}

/* Answers that the attacker drew to its own address. */
void attacker_receive(struct world *w, const struct dgram *d)
{
	TRACE(w, "forge attacker gets %lu bytes of host %lu", d->len, d->src.host);
}

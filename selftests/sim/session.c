// SPDX-License-Identifier: GPL-2.0
/*
 * A client's nodes: handshakes, sessions that replace each other, the timer,
 * path MTU, and what happens when a node is lost, heard again, added or
 * removed. Plays kmod/node.c.
 *
 * A session that was replaced lives on until its last slot is back: fillers
 * may still be at work for it, and late replies still find it.
 */
#include "sim.h"

#define ASK_SERIAL	(1u << 31)	/* of questions whether a server lives: none of a path */
#define HS_REPEAT	(100 * MSEC)	/* how often clients that do it repeat handshake messages */

bool node_usable(const struct cnode *n)
{
	return n->present && n->cs && n->health.state == EBPFS_NODE_UP;
}

void session_touch(struct world *w, struct csession *cs)
{
	if (!cs->touched && !cs->retired) {
		CHECK(w, w->ntouched < ARRAY_SIZE(w->touched), "the simulator has room", "touched");
		cs->touched = true;
		w->touched[w->ntouched++] = cs;
	}
}

/* The last slot of a replaced session came back. */
void session_retire(struct world *w, struct csession *cs)
{
	struct client *c = cs->node->client;
	struct csession **at = &c->sessions;

	check_session(w, cs);
	INNER(w, !cs->used && !cs->fillers && cs->conn.nfree == cs->conn.nslots &&
	      !cs->conn.win.flight && cs->conn.waiting_since == EBPFS_NEVER,
	      "nothing is left of a session when its last call is over",
	      "session %u: %u slots used, %u fillers, %u of %u free, %u bytes in flight",
	      cs->serial, cs->used, cs->fillers, cs->conn.nfree, cs->conn.nslots,
	      cs->conn.win.flight);
	ebpfs_conn_fini(&cs->conn);
	cs->retired = true;
	while (*at != cs)
		at = &(*at)->next;
	*at = cs->next;
	TRACE(w, "sess  %lu retired", cs->serial);
}

/*
 * The search for the path's size begins anew with every session, and when a
 * lost node is heard again. While nobody answered, probes failed for another
 * reason than their size, and what that search found would stand for minutes.
 * And if silence makes a node LOST before three retransmissions show a black
 * hole, every new session would begin with the size that does not pass.
 */
static void path_search(struct world *w, struct cnode *n)
{
	ebpfs_pmtu_init(&n->pmtu, w->cfg.ceiling, w->now);
	n->search_at = w->now;
}

/* Every call of a session moves, to a newer one or to another node. */
static void session_drain(struct world *w, struct csession *cs)
{
	u32 i;

	for (i = 0; i < cs->conn.nslots && !cs->retired; i++) {
		if (cs->reqs[i])
			request_stop(w, cs->reqs[i], 0);
	}
}

/* Calls of a node that is not used, queued ones too, move to nodes that are. */
void node_move_away(struct world *w, struct cnode *n)
{
	struct request *r;

	if (n->cs)
		session_drain(w, n->cs);
	while ((r = n->queue.first)) {
		request_stop(w, r, 0);
		CHECK(w, n->queue.first != r, "a request leaves a node that is not used",
		      "request %u stays at node %u", r->serial, n->index);
	}
}

/* A node came up: others' calls that wait for a node that is not may move. */
static void node_up(struct world *w, struct cnode *n)
{
	struct client *c = n->client;
	u64 present, up = client_usable(c, &present);
	u32 i;

	TRACE(w, "node  %lu of client %lu is up", n->index, c->index);
	check_placement(w, c, up & ~(1ull << n->index), up);
	node_pump(w, n);
	for (i = 0; i < SIM_SERVERS_MAX; i++) {
		struct cnode *o = &c->nodes[i];

		if (o->present && !node_usable(o))
			node_move_away(w, o);
	}
}

/* A lost node was heard on its old session. */
void node_heard(struct world *w, struct cnode *n)
{
	COUNT(w, heard);
	path_search(w, n);
	node_up(w, n);
	node_arm(w, n);
}

static void node_lost(struct world *w, struct cnode *n)
{
	struct client *c = n->client;
	u64 present, up = client_usable(c, &present);

	COUNT(w, lost);
	n->lost_at = w->now;
	TRACE(w, "node  %lu of client %lu is lost, usable %lx", n->index, c->index, up);
	INNER(w, w->now - n->cs->heard_at >= n->health.lost_after,
	      "only a silent node is lost", "heard %lu ms ago",
	      (w->now - n->cs->heard_at) / MSEC);
	check_placement(w, c, up | 1ull << n->index, up);
	if (up)
		node_move_away(w, n);
}

/* Handshake */

static void hs_send(struct world *w, struct cnode *n)
{
	if (n->hs.state == 1)
		net_send(w, n->client->addr, n->server->addr, &n->hello, sizeof(n->hello));
	else
		net_send(w, n->client->addr, n->server->addr, &n->hs.auth, sizeof(n->hs.auth));
	n->hs_again = w->cfg.hs_repeat ? w->now + HS_REPEAT : EBPFS_NEVER;
}

static void hs_start(struct world *w, struct cnode *n)
{
	struct identity *id = arena_alloc(w, sizeof(*id));
	struct ebpfs_hs_client *hs = &n->hs;
	struct client *c = n->client;

	memset(hs, 0, sizeof(*hs));
	memcpy(hs->secret, c->secret, sizeof(hs->secret));
	memcpy(hs->client, c->name, sizeof(hs->client));
	memcpy(hs->export, "/sim", 4);
	hs->sec = w->cfg.sec;
	hs->features = world_features(w, 0);
	hs->owner = 1;
	hs->slots = w->cfg.slots_wanted;
	hs->began = w->now;
	hs->session = rnd64(w) | 1;
	rnd_bytes(w, hs->nonce, sizeof(hs->nonce));
	rnd_bytes(w, hs->ephemeral, sizeof(hs->ephemeral));
	id->session = hs->session;
	id->client = c;
	id->next = w->identities;
	w->identities = id;
	INNER(w, n->hs_began == EBPFS_NEVER || w->now - n->hs_began >= EBPFS_NODE_RETRY_MIN ||
	      n->lost_at >= n->hs_began, "handshakes are not tried too often",
	      "client %u node %u: %lu ms after the last one", c->index, n->index,
	      (w->now - n->hs_began) / MSEC);
	n->hs_began = w->now;
	CHECK(w, ebpfs_hs_hello(hs, &n->hello) == sizeof(n->hello), "HELLO has its size", "client");
	n->hs_live = true;
	TRACE(w, "hs    client %lu node %lu begins as %lx", c->index, n->index, hs->session);
	hs_send(w, n);
}

/* The server's side of what the client believes to have: it must be there. */
static struct ssession *session_other(struct world *w, struct cnode *n,
				      const struct ebpfs_hs_session *hs)
{
	struct ssession *ss = server_find(n->server, hs->server_session);

	CHECK(w, ss, "a session exists only with a server that knows the secret",
	      "client %u has session %lx, which server %u never made", n->client->index,
	      hs->server_session, n->server->index);
	CHECK(w, n->client->member && ss->client == n->client,
	      "a session exists only with the right secret", "client %u in the session of %u",
	      n->client->index, ss->client->index);
	CHECK(w, !memcmp(ss->hs.key, hs->key, sizeof(hs->key)) &&
	      ss->hs.client_session == hs->client_session &&
	      ss->hs.server_instance == hs->server_instance && ss->hs.slots == hs->slots &&
	      ss->hs.sec == hs->sec && ss->hs.features == hs->features &&
	      ss->hs.unit_max == hs->unit_max && ss->hs.cell_max == hs->cell_max &&
	      ss->hs.root_fh_len == hs->root_fh_len &&
	      !memcmp(ss->hs.root_fh, hs->root_fh, hs->root_fh_len),
	      "both sides of a session agree", "session %lx", hs->server_session);
	return ss;
}

static void session_new(struct world *w, struct cnode *n, const struct ebpfs_hs_session *hs)
{
	struct csession *cs = arena_alloc(w, sizeof(*cs)), *old = n->cs;
	struct client *c = n->client;
	bool up = node_usable(n);

	cs->other = session_other(w, n, hs);
	cs->hs = *hs;
	cs->node = n;
	cs->peer = n->server->addr;
	cs->serial = ++w->session_serial;
	cs->slots = arena_raw(w, hs->slots * sizeof(*cs->slots));
	cs->reqs = arena_alloc(w, hs->slots * sizeof(*cs->reqs));
	cs->last_seq = arena_alloc(w, hs->slots * sizeof(*cs->last_seq));
	cs->due_at = arena_alloc(w, hs->slots * sizeof(*cs->due_at));
	cs->bytes = arena_alloc(w, hs->slots * sizeof(*cs->bytes));
	cs->attempt = arena_alloc(w, hs->slots * sizeof(*cs->attempt));
	cs->needed = arena_alloc(w, hs->slots * sizeof(*cs->needed));
	cs->data_cell = arena_alloc(w, hs->slots * sizeof(*cs->data_cell));
	cs->silent = arena_alloc(w, hs->slots * sizeof(*cs->silent));
	memset(cs->slots, 0xdb, hs->slots * sizeof(*cs->slots));
	ebpfs_keys_init(&cs->keys, hs->sec, hs->features, false, hs->secrets, w->now,
			w->cfg.rekey, w->cfg.rekey_after);
	ebpfs_conn_init(&cs->conn, cs->slots, hs->slots, ebpfs_keys_room(&cs->keys), w->now);
	ebpfs_rtt_guess(&cs->conn.rtt, w->now - n->hs.asked);
	cs->next = c->sessions;
	c->sessions = cs;
	n->cs = cs;
	n->due_next = EBPFS_NEVER;
	n->ask_next = EBPFS_NEVER;
	path_search(w, n);
	ebpfs_health_joined(&n->health);
	CHECK(w, node_usable(n), "a node is up after a handshake", "state %u", n->health.state);
	COUNT(w, sessions);
	TRACE(w, "sess  %lu of client %lu with node %lu, %lu slots, replaces %lu", cs->serial,
	      c->index, n->index, hs->slots, old ? old->serial : 0);
	if (old) {
		COUNT(w, rejoined);
		old->dying = true;
		session_touch(w, old);
		session_drain(w, old);
		if (!old->used && !old->retired)
			session_retire(w, old);
	}
	if (up)
		node_pump(w, n);
	else
		node_up(w, n);
	session_touch(w, cs);
}

/* CHALLENGE, ACCEPT, REJECT or UNKNOWN from the address of node @n. */
void handshake_receive(struct world *w, struct cnode *n, u8 type, struct dgram *d)
{
	struct ebpfs_hs_session hs;
	struct ebpfs_auth auth;
	u64 session;
	int ret;

	if (type == EBPFS_UNKNOWN) {
		ebpfs_parse_hdr(d->data, d->len, &session);
		if (n->cs && session == n->cs->hs.server_session) {
			TRACE(w, "node  %lu of client %lu: session unknown", n->index,
			      n->client->index);
			ebpfs_health_unknown(&n->health);
		}
		goto arm;
	}
	if (!n->hs_live)
		return;
	switch (type) {
	case EBPFS_CHALLENGE:
		ret = ebpfs_hs_challenge(&n->hs, d->data, d->len, &auth);
		if (ret > 0) {
			CHECK(w, !memcmp(&auth, &n->hs.auth, sizeof(auth)),
			      "the AUTH kept is the AUTH sent", "client %u", n->client->index);
			n->hs.asked = w->now;
			hs_send(w, n);
		}
		break;
	case EBPFS_ACCEPT:
		memset(&hs, 0, sizeof(hs));
		ret = ebpfs_hs_accept(&n->hs, d->data, d->len, &hs);
		if (ret == -EKEYREJECTED)
			COUNT(w, impostor);
		if (!ret) {
			n->hs_live = false;
			CHECK(w, hs.slots && hs.slots <= w->cfg.slots_wanted,
			      "a server gives some slots and no more than were asked for",
			      "%u of %u", hs.slots, w->cfg.slots_wanted);
			session_new(w, n, &hs);
		}
		break;
	case EBPFS_REJECT:
		ret = ebpfs_hs_reject(&n->hs, d->data, d->len);
		if (ret > 0) {
			TRACE(w, "hs    client %lu node %lu refused: %lu", n->client->index,
			      n->index, ret);
			n->hs_live = false;	/* again when the node's state says so */
		}
		break;
	}
arm:
	node_arm(w, n);
}

void node_bye(struct world *w, struct cnode *n)
{
	struct ebpfs_bye bye;

	ebpfs_hs_make_bye(n->cs->hs.server_session, n->cs->hs.key, &bye);
	session_send(w, n->cs, &bye, sizeof(bye));
}

/* The timer of a node: retransmission, silence, path MTU, handshakes. */

static void node_tick(struct world *w, void *obj, u64 gen)
{
	struct cnode *n = obj;
	u32 size, serial;
	u64 silence, again;

	if (gen != n->timer_gen || !n->present)
		return;
	n->timer_at = EBPFS_NEVER;
	if (n->cs) {
		struct csession *cs = n->cs;

		node_retransmit(w, n);
		if (cs->conn.blackhole) {
			cs->conn.blackhole = false;
			COUNT(w, blackholes);
			ebpfs_pmtu_blackhole(&n->pmtu, w->now);
			TRACE(w, "pmtu  client %lu node %lu: large datagrams vanish",
			      n->client->index, n->index);
		}
		silence = ebpfs_conn_silence(&cs->conn, w->now);
		check_silence(w, cs, silence);
		ebpfs_health_patience(&n->health, w->cfg.lost_after,
				      ebpfs_rtt_timeout(&cs->conn.rtt, 0));
		if (ebpfs_health_silence(&n->health, silence, w->now))
			node_lost(w, n);
		INNER(w, silence < n->health.lost_after || n->health.state != EBPFS_NODE_UP,
		      "a node that is silent for too long is lost", "node %u", n->index);
		if (ebpfs_health_ask(&n->health, silence, w->now, &again)) {
			COUNT(w, asks);
			ebpfs_put_probe(w->scratch, EBPFS_PROBE, cs->hs.server_session, ASK_SERIAL,
					sizeof(struct ebpfs_probe));
			session_send(w, cs, w->scratch, sizeof(struct ebpfs_probe));
		}
		n->ask_next = again;
		if (ebpfs_pmtu_poll(&n->pmtu, w->now, ebpfs_rtt_timeout(&cs->conn.rtt, 0), &size,
				    &serial)) {
			CHECK(w, size > sizeof(struct ebpfs_probe) && size <= w->cfg.ceiling,
			      "a probe is no larger than the interface allows", "%u bytes", size);
			COUNT(w, probes);
			TRACE(w, "pmtu  client %lu node %lu: probe %lu of %lu bytes",
			      n->client->index, n->index, serial, size);
			size -= ebpfs_keys_room(&cs->keys);
			ebpfs_put_probe(w->scratch, EBPFS_PROBE, cs->hs.server_session, serial,
					size);
			session_send(w, cs, w->scratch, size);
		}
		guard_tick(w, cs);
	}
	if (ebpfs_health_connect(&n->health, w->now)) {
		if (n->hs_live && ebpfs_hs_goes_on(&n->hs, w->now))
			hs_send(w, n);
		else
			hs_start(w, n);
	} else if (n->hs_live && w->now >= n->hs_again) {
		hs_send(w, n);
	}
	node_arm(w, n);
}

static void at_least(u64 *at, u64 t)
{
	if (t < *at)
		*at = t;
}

/* The timer goes off when the next thing is to be done, or a little later. */
void node_arm(struct world *w, struct cnode *n)
{
	u64 at = EBPFS_NEVER, late;

	if (!n->present)
		return;
	at_least(&at, ebpfs_health_next(&n->health));
	if (n->hs_live)
		at_least(&at, n->hs_again);
	if (n->cs) {
		at_least(&at, n->due_next);
		at_least(&at, n->ask_next);
		at_least(&at, n->pmtu.next_at);
		at_least(&at, n->cs->keys.ask_at);
		if (n->health.state == EBPFS_NODE_UP &&
		    n->cs->conn.waiting_since != EBPFS_NEVER)
			at_least(&at, n->cs->conn.waiting_since + n->health.lost_after);
	}
	if (at >= n->timer_at || at == EBPFS_NEVER)
		return;
	n->timer_at = at;
	late = rnd_time(w, chance(w, 9900) ? MSEC : 30 * MSEC);
	schedule(w, (at > w->now ? at - w->now : 0) + late, node_tick, n, ++n->timer_gen);
}

void node_init(struct world *w, struct client *c, struct server *s)
{
	struct cnode *n = &c->nodes[s->index];

	n->client = c;
	n->server = s;
	n->index = s->index;
	n->timer_at = EBPFS_NEVER;
	queue_init(&n->queue);
	c->keys[s->index] = rnd64(w);
}

void node_add(struct world *w, struct cnode *n)
{
	TRACE(w, "node  %lu of client %lu added", n->index, n->client->index);
	n->present = true;
	n->cs = NULL;
	n->hs_live = false;
	n->hs_began = EBPFS_NEVER;
	n->lost_at = 0;
	n->due_next = EBPFS_NEVER;
	n->ask_next = EBPFS_NEVER;
	n->timer_at = EBPFS_NEVER;
	ebpfs_health_init(&n->health, w->cfg.lost_after, w->now);
	node_arm(w, n);
	CHECK(w, n->timer_at != EBPFS_NEVER, "a new node is tried", "node %u", n->index);
}

/* By the administrator; another one is present. */
void node_remove(struct world *w, struct cnode *n)
{
	struct csession *cs = n->cs;

	TRACE(w, "node  %lu of client %lu removed", n->index, n->client->index);
	n->present = false;
	n->timer_gen++;
	n->hs_live = false;
	if (cs) {
		COUNT(w, byes);
		node_bye(w, n);
		cs->dying = true;
		session_touch(w, cs);
	}
	node_move_away(w, n);
	n->cs = NULL;
	if (cs && !cs->used && !cs->retired)
		session_retire(w, cs);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams that reach a client. Plays kmod/receive.c and kmod/fill.c.
 *
 * In the kernel several CPUs run claim, fill and filled at the same time for
 * the same call. Here each of the three is an event of its own, so that
 * anything else (other fragments, cancel, timers, a new session, the kill of
 * the reader) comes between them in every order. A fill writes rubbish first
 * and the payload at its end: whoever looks at a reply too early sees it.
 */
#include "sim.h"

/* A whole reply on its way to the program that waits for it. */
struct finish {
	struct csession *cs;
	struct request *r;
	u32 instance;
	struct ebpfs_result res;
};

static void reply_finish(struct world *w, void *obj, u64 arg)
{
	struct finish *fin = obj;
	struct request *r = fin->r;
	struct csession *cs = fin->cs;
	struct cnode *n = cs->node;
	u16 slot = EBPFS_ID_SLOT(r->id);

	(void)arg;
	CHECK(w, r->state == REQ_ACTIVE && r->cs == cs && r->finishing,
	      "a whole reply is dealt with by one alone", "request %u", r->serial);
	check_reply(w, cs, r, fin->instance, &fin->res);
	r->finishing = false;
	request_let_go(w, r);
	r->cs = NULL;
	if (cs->slots[slot].spurious)
		COUNT(w, undo);
	slot_put(w, cs, slot);
	if (n->cs == cs && n->present && n->health.state != EBPFS_NODE_UP &&
	    ebpfs_health_heard(&n->health)) {
		node_heard(w, n);
	}
	request_end(w, r, fin->res.status ? 1000 + fin->res.status : 0);
}

static void fill_end(struct world *w, void *obj, u64 arg)
{
	struct filler *fl = obj, **at;
	struct request *r = fl->r;
	struct csession *cs = fl->cs;
	struct ebpfs_result res;
	struct finish *fin;
	enum ebpfs_filled what;
	bool good;
	u32 crc;

	(void)arg;
	CHECK(w, !r->dest.gone && r->dest.held_by == cs && r->dest.held_id == fl->id,
	      "a destination is never written after it was let go",
	      "request %u: cell %u of id %lx", r->serial, fl->f.index, fl->id);
	memcpy(r->dest.mem + fl->f.offset, fl->d->data + sizeof(struct ebpfs_reply), fl->f.len);
	crc = ebpfs_crc_head(fl->d->data, sizeof(struct ebpfs_reply));
	crc = ebpfs_crc32c(crc, r->dest.mem + fl->f.offset, fl->f.len);
	good = ebpfs_crc_end(crc) == fl->f.crc;
	if (good)
		cs->heard_at = w->now;
	else
		COUNT(w, bad);
	for (at = &r->dest.fillers; *at != fl; at = &(*at)->next)
		;
	*at = fl->next;
	cs->fillers--;
	net_free(w, fl->d);
	session_touch(w, cs);
	memset(&res, 0xee, sizeof(res));
	what = ebpfs_conn_filled(&cs->conn, &fl->f, good, w->now, &res);
	TRACE(w, "fill  id %lx instance %lx cell %lu: good %lu, then %lu", fl->f.id,
	      fl->f.instance, fl->f.index, good, what);
	check_filled(w, fl, good, what);
	INNER(w, !good || fl->f.attempt <= cs->slots[EBPFS_ID_SLOT(fl->id)].attempt,
	      "a reply echoes an attempt that was made", "id %lx: attempt %u", fl->id,
	      fl->f.attempt);
	switch (what) {
	case EBPFS_FILL_MORE:
		break;
	case EBPFS_FILL_COMPLETE:
		r->finishing = true;
		fin = arena_alloc(w, sizeof(*fin));
		fin->cs = cs;
		fin->r = r;
		fin->instance = fl->f.instance;
		fin->res = res;
		if (chance(w, 5000))
			reply_finish(w, fin, 0);
		else
			schedule(w, rnd_time(w, chance(w, 500) ? 5 * MSEC : 50 * USEC),
				 reply_finish, fin, 0);
		break;
	case EBPFS_FILL_RELEASE:
		request_stopped(w, r);
		break;
	}
}

static void count_verdict(struct world *w, enum ebpfs_verdict v)
{
	static const enum sim_counter counter[EBPFS_VERDICTS] = {
		[EBPFS_CLAIMED]		 = C_claimed,
		[EBPFS_DROP_STALE]	 = C_stale,
		[EBPFS_DROP_DUPLICATE]	 = C_duplicate,
		[EBPFS_DROP_INSTANCE]	 = C_instance,
		[EBPFS_DROP_GRID]	 = C_grid,
		[EBPFS_DROP_RANGE]	 = C_range,
		[EBPFS_DROP_CANCELLED]	 = C_cancelled,
	};

	CHECK(w, v < EBPFS_VERDICTS, "claim gives one of its verdicts", "%d", v);
	w->count[counter[v]]++;
}

static void fragment(struct world *w, struct csession *cs, const struct ebpfs_frag *f,
		     struct dgram *d)
{
	enum ebpfs_verdict v;
	struct filler *fl;
	void *owner = NULL;
	struct request *r;

	session_touch(w, cs);
	v = ebpfs_conn_claim(&cs->conn, f, &owner);
	count_verdict(w, v);
	TRACE(w, "claim id %lx instance %lx cell %lu of %lu: %lu (session %lu)", f->id,
	      f->instance, f->index, f->ncells, v, cs->serial);
	if (v != EBPFS_CLAIMED) {
		net_free(w, d);
		return;
	}
	r = owner;
	check_claim(w, cs, f, r);
	fl = arena_alloc(w, sizeof(*fl));
	fl->cs = cs;
	fl->r = r;
	fl->f = *f;
	fl->d = d;
	fl->id = f->id;
	fl->next = r->dest.fillers;
	r->dest.fillers = fl;
	cs->fillers++;
	memset(r->dest.mem + f->offset, 0xdb, f->len);
	if (chance(w, w->cfg.kill_filled) && !w->healed)
		schedule(w, rnd_time(w, w->cfg.fill_time), request_kill, r, EINTR);
	if (chance(w, w->cfg.slow_fill))
		schedule(w, rnd_time(w, w->cfg.slow_fill_time), fill_end, fl, 0);
	else if (w->cfg.fill_time && chance(w, 7000))
		schedule(w, rnd_time(w, w->cfg.fill_time), fill_end, fl, 0);
	else
		fill_end(w, fl, 0);
}

/* What the parser guarantees, and all that follows relies on. */
static void check_frag(struct world *w, const struct ebpfs_frag *f, u32 len)
{
	u32 rest = f->total - f->offset;

	CHECK(w, f->total <= EBPFS_MSG_MAX && f->cell >= EBPFS_CELL_MIN &&
	      f->cell <= EBPFS_CELL_MAX && f->cell % 8 == 0 && f->offset % f->cell == 0 &&
	      (f->offset < f->total || (!f->total && !f->offset)) &&
	      f->len == (rest < f->cell ? rest : f->cell) &&
	      f->len + sizeof(struct ebpfs_reply) == len && f->index == f->offset / f->cell &&
	      f->ncells == (f->total ? (f->total + f->cell - 1) / f->cell : 1) &&
	      f->ncells <= EBPFS_CELLS_MAX && f->instance && (!f->status || !f->total) &&
	      f->status < 4096 && EBPFS_ID_SEQ(f->id),
	      "a parsed fragment lies on its grid", "id %lx total %u cell %u offset %u len %u",
	      f->id, f->total, f->cell, f->offset, f->len);
}

static void probe_acked(struct world *w, struct cnode *n, struct dgram *d, u64 session)
{
	const struct ebpfs_probe *p = (const struct ebpfs_probe *)d->data;
	struct csession *cs = n->cs;

	if (!cs || !n->present || session != cs->hs.client_session)
		return;
	if (ebpfs_pmtu_acked(&n->pmtu, le32_to_cpu(p->serial), le32_to_cpu(p->size), w->now)) {
		COUNT(w, grown);
		TRACE(w, "pmtu  client %lu node %lu: %lu bytes, cell %lu", n->client->index,
		      n->index, n->pmtu.size, ebpfs_pmtu_cell(&n->pmtu));
		CHECK(w, n->pmtu.size <= w->cfg.ceiling && n->pmtu.size >= EBPFS_UDP_PAYLOAD_BASE,
		      "a path size is between base and ceiling", "%u", n->pmtu.size);
	}
	session_touch(w, cs);
	cs->heard_at = w->now;
	ebpfs_conn_heard(&cs->conn, w->now);
	if (n->health.state != EBPFS_NODE_UP && ebpfs_health_heard(&n->health)) {
		node_heard(w, n);
	}
	node_arm(w, n);
}

void client_receive(struct world *w, struct client *c, struct dgram *d)
{
	struct csession *cs;
	struct ebpfs_frag f;
	struct cnode *n;
	u64 session;
	int type;

	type = ebpfs_parse_hdr(d->data, d->len, &session);
	if (type == EBPFS_REPLY) {
		for (cs = c->sessions; cs; cs = cs->next) {
			if (cs->hs.client_session == session)
				break;
		}
		if (!cs || cs->peer.host != d->src.host || cs->peer.port != d->src.port ||
		    ebpfs_parse_reply(d->data, d->len, &f))
			goto drop;
		check_frag(w, &f, d->len);
		f.ce = d->ce;
		fragment(w, cs, &f, d);
		return;
	}
	if (type < 0 || !ebpfs_sealed(d->data, d->len) || d->src.host < w->nclients ||
	    d->src.host >= w->nclients + w->nservers)
		goto drop;
	n = &c->nodes[d->src.host - w->nclients];
	if (!n->present || d->src.port != n->server->addr.port)
		goto drop;
	switch (type) {
	case EBPFS_CHALLENGE:
	case EBPFS_ACCEPT:
	case EBPFS_REJECT:
	case EBPFS_UNKNOWN:
		if (type == EBPFS_UNKNOWN)
			COUNT(w, unknown);
		handshake_receive(w, n, type, d);
		break;
	case EBPFS_NEED:
		need_receive(w, c, d, session);
		break;
	case EBPFS_PROBE_ACK:
		probe_acked(w, n, d, session);
		break;
	}
drop:
	net_free(w, d);
}

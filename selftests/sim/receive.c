// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams that reach a client. Plays kmod/receive.c and kmod/fill.c.
 *
 * In the kernel several CPUs run claim, fill and filled at the same time for
 * the same call. Here each of the three is an event of its own, so that
 * anything else (other fragments, cancel, timers, a new session, the kill of
 * the reader) comes between them in every order. A fill writes rubbish first
 * and the payload at its end: whoever looks at a reply too early sees it.
 *
 * Fragments that follow each other may come in one packet (GRO): one waits for
 * those that continue it, for a while, and what does not continue it ends that.
 * Then they are a run: one claim, one fill, one report.
 */
#include "sim.h"

u64 run_cells(const struct frag_run *run)
{
	return ebpfs_cell_set(run->count) << run->f.index;
}

struct ebpfs_frag run_frag(const struct ebpfs_frag *f, u8 index)
{
	struct ebpfs_frag cell = *f;

	cell.index = index;
	cell.offset = (u32)index * f->cell;
	cell.len = f->total - cell.offset < f->cell ? f->total - cell.offset : f->cell;
	return cell;
}

static void run_free(struct world *w, struct frag_run *run)
{
	u32 i;

	for (i = 0; i < run->count; i++)
		net_free(w, run->d[i]);
}

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

/* The payload of what was claimed is written; which of it is right? */
static u64 fill_cells(struct world *w, struct filler *fl)
{
	const u32 head = sizeof(struct ebpfs_reply);
	const struct frag_run *run = &fl->run;
	struct request *r = fl->r;
	struct ebpfs_frag f;
	u64 good = 0;
	u32 i, crc;

	for (i = 0; i < run->count; i++) {
		f = run_frag(&run->f, run->f.index + i);
		if (!(fl->claimed >> f.index & 1))
			continue;
		memcpy(r->dest.mem + f.offset, run->d[i]->data + head, f.len);
		crc = ebpfs_crc_head(run->d[i]->data, head);
		crc = ebpfs_crc32c(crc, r->dest.mem + f.offset, f.len);
		if (ebpfs_crc_end(crc) == le32_to_cpu(((struct ebpfs_hdr *)run->d[i]->data)->crc))
			good |= 1ull << f.index;
		else
			COUNT(w, bad);
	}
	return good;
}

static void count_filled(struct world *w, const struct filler *fl, u64 good,
			 enum ebpfs_filled what)
{
	if (fl->run.count == 1)
		return;
	if (!good)
		COUNT(w, run_all_bad);
	else if (good != fl->claimed)
		COUNT(w, run_part_bad);
	if (what == EBPFS_FILL_COMPLETE)
		COUNT(w, run_complete);
	if (what == EBPFS_FILL_RELEASE)
		COUNT(w, run_release);
}

static void fill_end(struct world *w, void *obj, u64 arg)
{
	struct filler *fl = obj, **at;
	const struct ebpfs_frag *f = &fl->run.f;
	struct request *r = fl->r;
	struct csession *cs = fl->cs;
	struct ebpfs_result res;
	struct finish *fin;
	enum ebpfs_filled what;
	u64 good;

	(void)arg;
	CHECK(w, !r->dest.gone && r->dest.held_by == cs && r->dest.held_id == fl->id,
	      "a destination is never written after it was let go",
	      "request %u: cells %lx of id %lx", r->serial, fl->claimed, fl->id);
	good = fill_cells(w, fl);
	if (good)
		cs->heard_at = w->now;
	for (at = &r->dest.fillers; *at != fl; at = &(*at)->next)
		;
	*at = fl->next;
	cs->fillers--;
	run_free(w, &fl->run);
	session_touch(w, cs);
	memset(&res, 0xee, sizeof(res));
	what = ebpfs_conn_filled_cells(&cs->conn, f, fl->claimed, good, w->now, &res);
	TRACE(w, "fill  id %lx instance %lx cells %lx: good %lx, then %lu", f->id, f->instance,
	      fl->claimed, good, what);
	count_filled(w, fl, good, what);
	check_filled(w, fl, good, what);
	INNER(w, !good || f->attempt <= cs->slots[EBPFS_ID_SLOT(fl->id)].attempt,
	      "a reply echoes an attempt that was made", "id %lx: attempt %u", fl->id,
	      f->attempt);
	switch (what) {
	case EBPFS_FILL_MORE:
		break;
	case EBPFS_FILL_COMPLETE:
		r->finishing = true;
		fin = arena_alloc(w, sizeof(*fin));
		fin->cs = cs;
		fin->r = r;
		fin->instance = f->instance;
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

static void count_verdict(struct world *w, const struct frag_run *run, enum ebpfs_verdict v,
			  u64 claimed)
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
	if (v != EBPFS_CLAIMED) {
		w->count[counter[v]] += run->count;
		if (v == EBPFS_DROP_DUPLICATE && run->count > 1)
			COUNT(w, run_duplicate);
		return;
	}
	w->count[C_claimed] += hweight64(claimed);
	w->count[C_duplicate] += run->count - hweight64(claimed);
	if (run->count > 1) {
		COUNT(w, run_claimed);
		if (claimed != run_cells(run))
			COUNT(w, run_part);
	}
}

/* A run, from its claim on; its datagrams are its own. */
static void run_receive(struct world *w, struct csession *cs, struct frag_run *run)
{
	const struct ebpfs_frag *f = &run->f;
	struct ebpfs_frag cell;
	enum ebpfs_verdict v;
	struct filler *fl;
	void *owner = NULL;
	struct request *r;
	u64 claimed = 0, left;

	session_touch(w, cs);
	v = ebpfs_conn_claim_cells(&cs->conn, f, run_cells(run), &owner, &claimed);
	count_verdict(w, run, v, claimed);
	TRACE(w, "claim id %lx instance %lx cells %lx of %lu: %lu (session %lu)", f->id,
	      f->instance, run_cells(run), f->ncells, v, cs->serial);
	if (v != EBPFS_CLAIMED) {
		if (v == EBPFS_DROP_DUPLICATE)
			check_duplicate(w, cs, run);
		run_free(w, run);
		return;
	}
	r = owner;
	check_claim(w, cs, run, claimed, r);
	fl = arena_alloc(w, sizeof(*fl));
	fl->cs = cs;
	fl->r = r;
	fl->run = *run;
	fl->claimed = claimed;
	fl->id = f->id;
	fl->next = r->dest.fillers;
	r->dest.fillers = fl;
	cs->fillers++;
	for (left = claimed; left; left &= left - 1) {
		cell = run_frag(f, __ffs64(left));
		memset(r->dest.mem + cell.offset, 0xdb, cell.len);
	}
	if (chance(w, w->cfg.kill_filled) && !w->healed)
		schedule(w, rnd_time(w, w->cfg.fill_time), request_kill, r, EINTR);
	if (chance(w, w->cfg.slow_fill))
		schedule(w, rnd_time(w, w->cfg.slow_fill_time), fill_end, fl, 0);
	else if (w->cfg.fill_time && chance(w, 7000))
		schedule(w, rnd_time(w, w->cfg.fill_time), fill_end, fl, 0);
	else
		fill_end(w, fl, 0);
}

/* The session of this identity, if it is with the sender. */
static struct csession *find_session(struct client *c, u64 identity, const struct dgram *d)
{
	struct csession *cs;

	for (cs = c->sessions; cs; cs = cs->next) {
		if (cs->hs.client_session == identity)
			break;
	}
	return cs && cs->peer.host == d->src.host && cs->peer.port == d->src.port ? cs : NULL;
}

/* What waited at the node comes in; its session may have gone meanwhile. */
static void run_end(struct world *w, struct cnode *n)
{
	struct frag_run run = n->run;
	struct csession *cs;

	n->run.count = 0;
	n->run_gen++;
	cs = find_session(n->client, run.f.session, run.d[0]);
	if (cs)
		run_receive(w, cs, &run);
	else
		run_free(w, &run);
}

static void run_timer(struct world *w, void *obj, u64 gen)
{
	struct cnode *n = obj;

	if (n->run.count && n->run_gen == gen)
		run_end(w, n);
}

/* Does the fragment continue the run, and does nothing else tell it from the others? */
static bool run_continues(const struct frag_run *run, const struct ebpfs_frag *f,
			  const struct dgram *d)
{
	struct ebpfs_reply want, head;

	memcpy(&want, run->d[0]->data, sizeof(want));
	memcpy(&head, d->data, sizeof(head));
	want.offset = cpu_to_le32((run->f.index + run->count) * run->f.cell);
	want.hdr.crc = head.hdr.crc;
	return run->count < SIM_RUN_MAX && f->ce == run->f.ce &&
	       !memcmp(&want, &head, sizeof(want));
}

/* A fragment; it is given away. */
static void fragment(struct world *w, struct csession *cs, const struct ebpfs_frag *f,
		     struct dgram *d)
{
	struct frag_run one = { .f = *f, .d = { d }, .count = 1 };
	struct cnode *n = cs->node;

	if (n->run.count && run_continues(&n->run, f, d)) {
		n->run.d[n->run.count++] = d;
		return;
	}
	if (n->run.count)
		run_end(w, n);
	if (!chance(w, w->cfg.join)) {
		run_receive(w, cs, &one);
		return;
	}
	n->run = one;
	schedule(w, rnd_time(w, w->cfg.join_time), run_timer, n, n->run_gen);
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
	if (ebpfs_pmtu_acked(&n->pmtu, le32_to_cpu(p->serial),
			     d->len + ebpfs_keys_room(&cs->keys), w->now)) {
		COUNT(w, grown);
		TRACE(w, "pmtu  client %lu node %lu: %lu bytes, cell %lu", n->client->index,
		      n->index, n->pmtu.size,
		      ebpfs_pmtu_cell(&n->pmtu, ebpfs_keys_room(&cs->keys)));
		CHECK(w, n->pmtu.size <= w->cfg.ceiling && n->pmtu.size >= EBPFS_UDP_PAYLOAD_BASE,
		      "a path size is between base and ceiling", "%u", n->pmtu.size);
	}
	session_touch(w, cs);
	cs->heard_at = w->now;
	ebpfs_conn_heard(&cs->conn, w->now);
	if (n->health.state != EBPFS_NODE_UP && ebpfs_health_heard(&n->health))
		node_heard(w, n);
	node_arm(w, n);
}

void client_receive(struct world *w, struct client *c, struct dgram *d)
{
	struct csession *cs;
	struct ebpfs_frag f;
	struct cnode *n;
	u64 session;
	int type;

	if (!client_open(w, c, d))
		goto drop;
	type = ebpfs_parse_hdr(d->data, d->len, &session);
	if (type == EBPFS_REPLY) {
		cs = find_session(c, session, d);
		if (!cs || ebpfs_parse_reply(d->data, d->len, &f))
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

// SPDX-License-Identifier: GPL-2.0
/*
 * The clients of worlds about what is held: programs that open, change and remove files,
 * and what kmod/hold.c does for them, in miniature and in its order: numbers, grants that
 * come late, recalls, lazy releases, what is believed for how long, what is held again
 * when the server has lost it.
 */
#include "held.h"

#define JOIN_AGAIN	(400 * MSEC)

static void call_send(struct world *w, struct held_client *c, u32 i);
static void join(struct world *w, struct held_client *c);

static void to_server(struct world *w, const struct held_client *c, const struct held_msg *m)
{
	net_send(w, c->addr, w->held->server.addr, m, sizeof(*m));
}

/* As ebpfs_node_keeps() */
static bool keeps(const struct world *w, const struct held_client *c)
{
	return w->now < c->renewed_at + w->held->lease / 4 * 3;
}

bool held_leased(struct world *w, const struct held_client *c, u32 file)
{
	return c->files[file].held & EBPFS_HOLD_LEASE && keeps(w, c);
}

static void renewed(struct held_client *c, u64 at)
{
	if (at > c->renewed_at)
		c->renewed_at = at;
}

static struct held_client *of_call(struct world *w, const struct held_call *call)
{
	u32 i;

	for (i = 0; call < w->held->clients[i].calls ||
	     call >= w->held->clients[i].calls + HELD_SLOTS; i++)
		;
	return &w->held->clients[i];
}

static void call_again(struct world *w, void *obj, u64 gen)
{
	struct held_call *call = obj;
	struct held_client *c = of_call(w, call);
	u64 since = call->first_at > c->heard_at ? call->first_at : c->heard_at;

	if (!call->used || gen != call->gen)
		return;
	if (c->session && w->now - since > w->held->lost_after)
		join(w, c);
	call_send(w, c, call - c->calls);
}

static void call_send(struct world *w, struct held_client *c, u32 i)
{
	struct held_call *call = &c->calls[i];
	u64 pause = 200 * MSEC << (call->tries < 4 ? call->tries : 4);

	if (c->session) {
		if (!call->tries++)
			call->first_at = w->now;
		call->m.session = c->session;
		to_server(w, c, &call->m);
	} else {
		join(w, c);
	}
	schedule(w, pause + rnd_time(w, 20 * MSEC), call_again, call, ++call->gen);
}

static void call_kill(struct world *w, void *obj, u64 id)
{
	struct held_call *call = obj;

	if (!call->used || call->m.id != id)
		return;
	COUNT(w, held_killed);
	TRACE(w, "hold  call %lx is killed", id);
	if (call->m.kinds)
		of_call(w, call)->files[0].ignored = true;
	call->used = false;
}

/* Return: false if there is no room now. */
static bool submit(struct world *w, struct held_client *c, const struct held_msg *m, bool open)
{
	struct held_call *call;
	u32 i;

	for (i = 0; i < HELD_SLOTS && c->calls[i].used; i++)
		;
	if (i == HELD_SLOTS)
		return false;
	call = &c->calls[i];
	call->used = true;
	call->open = open;
	call->tries = 0;
	call->m = *m;
	call->m.type = HELD_CALL;
	call->m.id = ++c->seq * HELD_SLOTS + i;
	if (m->kinds)
		call->m.number = ++c->next_hold;
	TRACE(w, "hold  client %lu call %lx op %lu file %lu kinds %lu number %lu", c->index,
	      call->m.id, m->op, m->file, m->kinds, call->m.number);
	call_send(w, c, i);
	if (m->op != EBPFS_OP_RELEASE && chance(w, w->held->kill))
		schedule(w, rnd_time(w, chance(w, 5000) ? SEC : w->held->lease), call_kill, call,
			 call->m.id);
	return true;
}

static void join_again(struct world *w, void *obj, u64 gen)
{
	struct held_client *c = obj;
	struct held_msg m = { .type = HELD_JOIN, .id = c->attempt };

	if (!c->attempt || gen != c->join_gen)
		return;
	to_server(w, c, &m);
	schedule(w, JOIN_AGAIN + rnd_time(w, JOIN_AGAIN), join_again, c, ++c->join_gen);
}

static void join(struct world *w, struct held_client *c)
{
	if (c->attempt)
		return;
	c->attempt = ++c->seq;
	join_again(w, c, ++c->join_gen);
}

static void unhold(struct held_file *f)
{
	f->number = 0;
	f->held = 0;
}

/* The server has lost what it held: open files are to be held again. */
static void lost(struct world *w, struct held_client *c)
{
	u32 i;

	COUNT(w, held_lost);
	TRACE(w, "hold  client %lu has lost all that it held", c->index);
	c->lost_at = w->now;
	for (i = 0; i < HELD_FILES; i++) {
		unhold(&c->files[i]);
		if (c->files[i].opens)
			c->files[i].reclaim = true;
	}
}

static void joined(struct world *w, struct held_client *c, const struct held_msg *m)
{
	u32 i;

	if (m->id != c->attempt)
		return;
	c->attempt = 0;
	c->before = c->session;
	c->session = m->session;
	if (c->instance && c->instance != m->number)
		lost(w, c);
	c->instance = m->number;
	COUNT(w, held_sessions);
	TRACE(w, "hold  client %lu has session %lu instance %lx", c->index, c->session,
	      c->instance);
	for (i = 0; i < HELD_SLOTS; i++) {
		if (!c->calls[i].used)
			continue;
		/* The old session may execute it yet, and nobody hears what it takes. */
		if (c->calls[i].m.kinds)
			c->files[0].ignored = true;
		c->calls[i].m.id = ++c->seq * HELD_SLOTS + i;
		c->calls[i].tries = 0;
		call_send(w, c, i);
	}
}

/* As ebpfs_hold_granted() */
static void granted(struct world *w, struct held_client *c, const struct held_msg *m,
		    const struct held_call *call)
{
	struct held_file *f = &c->files[m->file];
	u8 held = m->kinds;

	if (m->number <= c->recalled && held & EBPFS_HOLD_LEASE) {
		COUNT(w, held_overtaken);
		held &= ~EBPFS_HOLD_LEASE;
	}
	if (call->first_at <= c->lost_at)
		held = 0;
	/* It was let go of under a higher number, be it before or after this was granted. */
	if (m->number <= f->released) {
		COUNT(w, held_after_release);
		held = 0;
	}
	if (!held && !f->number) {
		c->files[0].ignored |= !!m->kinds;
		return;
	}
	if (!f->number)
		f->idle_since = w->now;
	if (m->number > f->number) {
		f->number = m->number;
		f->held &= ~EBPFS_HOLD_LEASE;
	} else {
		COUNT(w, held_disordered);
		/* A RECALL under its number may be on its way, and would not end this one. */
		if (m->number < f->number)
			held &= ~EBPFS_HOLD_LEASE;
	}
	f->held |= held;
	if (held & EBPFS_HOLD_LEASE)
		f->life = m->life;
}

static void replied(struct world *w, struct held_client *c, const struct held_msg *m)
{
	struct held_call *call = &c->calls[m->id % HELD_SLOTS];
	struct held_file *f = &c->files[m->file];

	if (!call->used || call->m.id != m->id || m->session != c->session)
		return;
	renewed(c, call->first_at);
	call->used = false;
	TRACE(w, "hold  client %lu call %lx answered: %lu, file %lu version %lu kinds %lu",
	      c->index, m->id, m->status, m->file, m->version, m->kinds);
	if (m->status || m->op == EBPFS_OP_RELEASE) {
		/* Of two that ask at once for a file that goes, one may leave a hold behind. */
		c->files[0].ignored |= m->status && call->m.kinds;
		if (m->status == ESTALE && call->m.op == EBPFS_OP_GETATTR)
			c->files[call->m.file - 1].reclaim = false;
		return;
	}
	if (m->version > f->known)
		f->known = m->version;
	if (call->m.kinds)
		granted(w, c, m, call);
	if (call->open && !c->leaving)
		f->opens++;
	held_check_lease(w, c, m->file);
}

/* As ebpfs_recall() */
static void recall(struct world *w, struct held_client *c, const struct held_msg *m)
{
	struct held_file *f = &c->files[m->file];
	struct held_msg out = { .type = HELD_RECALLED, .session = m->session, .id = m->id };

	if (m->number > c->recalled)
		c->recalled = m->number;
	if (f->number <= m->number) {
		f->held &= ~EBPFS_HOLD_LEASE;
		if (f->number && !f->opens)
			f->idle_since = 0;
	}
	TRACE(w, "hold  client %lu: recall %lx of file %lu number %lu", c->index, m->id, m->file,
	      m->number);
	to_server(w, c, &out);
}

void held_client_receive(struct world *w, struct held_client *c, const struct held_msg *m)
{
	if (m->type == HELD_JOINED) {
		joined(w, c, m);
		return;
	}
	if (!m->session || (m->session != c->session && m->session != c->before))
		return;
	c->heard_at = w->now;
	switch (m->type) {
	case HELD_REPLY:
		replied(w, c, m);
		break;
	case HELD_PROBED:
		/* One that answers an earlier attempt says nothing of this one. */
		if (!c->probe_at || m->id != c->probe_at)
			break;
		renewed(c, c->probe_at);
		c->probe_at = 0;
		break;
	case HELD_RECALL:
		recall(w, c, m);
		break;
	case HELD_UNKNOWN:
		if (m->session == c->session)
			join(w, c);
		break;
	}
}

/* What is due to be let go of, in one RELEASE or several. */
static void release(struct world *w, struct held_client *c)
{
	struct held_msg m = { .op = EBPFS_OP_RELEASE };
	u32 i;

	for (i = 0; i < HELD_FILES; i++) {
		struct held_file *f = &c->files[i];

		if (!f->number || f->opens || w->now - f->idle_since < w->held->idle)
			continue;
		if (m.n == HELD_BATCH)
			break;
		m.let[m.n].file = i;
		m.let[m.n++].number = f->number;
	}
	if (!m.n || !submit(w, c, &m, false))
		return;
	for (i = 0; i < m.n; i++) {
		struct held_file *f = &c->files[m.let[i].file];

		f->released = f->number;
		unhold(f);
	}
}

/* Keeps the server informed, holds files again, lets go of others. */
static void tick(struct world *w, void *obj, u64 arg)
{
	struct held_client *c = obj;
	struct held_msg m = { .type = HELD_PROBE, .session = c->session };
	bool holding = false;
	u32 i;

	(void)arg;
	for (i = 0; i < HELD_FILES; i++) {
		struct held_file *f = &c->files[i];
		struct held_msg ask = {
			.op = EBPFS_OP_GETATTR, .file = (u8)(i + 1),
			.kinds = EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE,
		};

		if (c->leaving) {
			f->opens = 0;
			f->reclaim = false;
			f->idle_since = 0;
		}
		holding |= f->number || f->opens;
		if (f->reclaim && submit(w, c, &ask, false)) {
			COUNT(w, held_reclaims);
			f->reclaim = false;
		}
	}
	release(w, c);
	if (holding && c->session && w->now >= c->renewed_at + w->held->lease / 3) {
		if (!c->probe_at)
			c->probe_at = w->now;
		COUNT(w, held_probes);
		m.id = c->probe_at;
		to_server(w, c, &m);
	}
	schedule(w, w->held->lease / 20, tick, c, 0);
}

static void closed(struct world *w, struct held_file *f)
{
	if (--f->opens)
		return;
	f->idle_since = f->held & EBPFS_HOLD_LEASE ? w->now : 0;
}

/* One thing that a program does. */
static void step(struct world *w, struct held_client *c)
{
	static const u16 ops[] = {
		EBPFS_OP_CREATE, EBPFS_OP_CREATE, EBPFS_OP_REMOVE, EBPFS_OP_RENAME,
		EBPFS_OP_RENAME, EBPFS_OP_LINK,
	};
	struct held_world *h = w->held;
	u32 file = rnd(w, chance(w, 5000) ? 4 : h->ninodes);
	struct held_file *f = &c->files[file];
	struct held_msg m = {
		.file = (u8)(file + 1),
		.dir = { (u8)rnd(w, HELD_DIRS), (u8)rnd(w, HELD_DIRS) },
		.name = { (u8)rnd(w, HELD_NAMES), (u8)rnd(w, HELD_NAMES) },
	};
	bool open = false;

	switch (rnd(w, 12)) {
	case 0: case 1:
		m.op = EBPFS_OP_GETATTR;
		m.kinds = EBPFS_HOLD_LEASE;
		break;
	case 2: case 3:
		m.op = EBPFS_OP_GETATTR;
		m.kinds = EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE;
		open = file >= HELD_DIRS;
		if (open && f->held & EBPFS_HOLD_OPEN) {	/* no need to ask */
			f->opens++;
			return;
		}
		break;
	case 4:
		m.op = EBPFS_OP_LOOKUP;
		m.kinds = chance(w, 5000) ? EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE : EBPFS_HOLD_LEASE;
		open = m.kinds & EBPFS_HOLD_OPEN;
		break;
	case 5: case 6:
		if (f->opens)
			closed(w, f);
		return;
	case 7: case 8:
		m.op = EBPFS_OP_WRITE;
		if (file < HELD_DIRS)
			return;
		break;
	case 9: case 10:
		m.op = ops[rnd(w, ARRAY_SIZE(ops))];
		if (m.op == EBPFS_OP_LINK && file < HELD_DIRS)
			return;
		if (m.op == EBPFS_OP_CREATE && chance(w, 7000)) {
			m.kinds = EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE;
			open = true;
		}
		break;
	default:
		held_check_lease(w, c, file);
		return;
	}
	submit(w, c, &m, open);
}

static void program(struct world *w, void *obj, u64 arg)
{
	struct held_client *c = obj;
	u32 i;

	(void)arg;
	if (c->leaving || !c->left)
		return;
	c->left--;
	for (i = 1 + rnd(w, 3); i; i--)
		step(w, c);
	schedule(w, rnd_time(w, chance(w, 9000) ? 2 * w->held->gap : w->held->lease), program, c,
		 0);
}

void held_client_start(struct world *w, struct held_client *c)
{
	c->left = w->held->steps;
	schedule(w, rnd_time(w, SEC), program, c, 0);
	schedule(w, rnd_time(w, SEC), tick, c, 0);
}

void held_client_leave(struct world *w, struct held_client *c)
{
	u32 i;

	c->leaving = true;
	for (i = 0; i < HELD_FILES; i++)
		held_check_lease(w, c, i);
}

bool held_client_idle(const struct held_client *c)
{
	u32 i;

	for (i = 0; i < HELD_SLOTS; i++)
		if (c->calls[i].used)
			return false;
	for (i = 0; i < HELD_FILES; i++)
		if (c->files[i].number)
			return false;
	return c->leaving;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A server's calls: new ones are executed, after a while, on the files as they
 * are then; repetitions are answered from the reply that is kept, or executed
 * again when it was dropped. Plays userspace/ebpfsd/serve.c and send.c.
 *
 * Beside the core's slots an account is kept of how often each call was
 * executed, and every reply instance is written down with the execution that
 * it is of: a client's reply is judged by that log (check.c).
 */
#include "sim.h"

/* An execution under way. */
struct pending {
	struct ssession *ss;
	u32 epoch;
	struct exec *x;
};

void serve_init(struct world *w, struct ssession *ss)
{
	u16 n = ss->hs.slots;
	struct ebpfs_served_slot *slots = arena_raw(w, n * sizeof(*slots));
	u32 first;

	ss->kept = arena_alloc(w, n * sizeof(*ss->kept));
	ss->tally = arena_alloc(w, n * sizeof(*ss->tally));
	gather_init(w, ss);
	first = w->cfg.instance_wrap ? ~0u - rnd(w, 40) : (u32)rnd64(w);
	ebpfs_served_init(&ss->served, slots, n, first);
	ss->log_first = first;
}

struct exec *serve_logged(const struct ssession *ss, u32 instance)
{
	u32 i = instance - ss->log_first;

	return i < ss->log_n ? ss->log[i] : NULL;
}

static void serve_log(struct world *w, struct ssession *ss, u32 instance, struct exec *x)
{
	u32 i = instance - ss->log_first;

	CHECK(w, instance, "an instance is not 0", "session %lx", ss->hs.server_session);
	INNER(w, i >= ss->log_n && i < ss->log_n + 16, "a later execution has a higher instance",
	      "session %lx: %x after %u from %x", ss->hs.server_session, instance, ss->log_n,
	      ss->log_first);
	if (i >= ss->log_room) {
		u32 room = ss->log_room ? ss->log_room * 2 : 64;
		struct exec **log = arena_alloc(w, room * sizeof(*log));

		if (ss->log_n)
			memcpy(log, ss->log, ss->log_n * sizeof(*log));
		ss->log = log;
		ss->log_room = room;
	}
	ss->log[i] = x;
	ss->log_n = i + 1;
}

static void send_cells(struct world *w, struct ssession *ss, u16 slot, u64 send)
{
	const struct ebpfs_served_slot *kept = &ss->served.slots[slot];
	const struct exec *x = ss->kept[slot];
	struct ebpfs_frag f;
	u32 head;

	INNER(w, x && serve_logged(ss, kept->instance) == x && x->total == kept->total &&
	      x->status == kept->status && x->flags == kept->flags &&
	      x->id == EBPFS_ID(slot, kept->seq),
	      "the reply that is kept is the one that is sent", "slot %u", slot);
	while (send) {
		u8 i = __ffs64(send);

		send &= send - 1;
		ebpfs_served_frag(&ss->served, slot, i, &f);
		INNER(w, f.id == x->id && f.total == x->total && f.instance == kept->instance &&
		      f.index == i && f.offset == (u32)i * f.cell &&
		      (f.offset < f.total || !f.total), "a fragment's head is its reply's",
		      "slot %u cell %u", slot, i);
		f.session = ss->hs.client_session;
		head = ebpfs_put_reply(w->scratch, &f);
		if (f.len)
			exec_reply(w, x, f.offset, w->scratch + head, f.len);
		ebpfs_seal(w->scratch, head + f.len);
		ssession_send(w, ss, w->scratch, head + f.len);
	}
}

/* Memory is short: a kept reply goes, unless its call must not be repeated. */
static void evict_one(struct world *w, void *obj, u64 id)
{
	struct ssession *ss = obj;
	u16 slot = EBPFS_ID_SLOT(id);
	const struct exec *x = ss->kept[slot];

	if (!ss->alive || !x || x->id != id || x->once)
		return;
	COUNT(w, evicted);
	TRACE(w, "serv  %lu forgets the reply to id %lx", ss->server->index, x->id);
	ebpfs_served_forget(&ss->served, slot);
	ss->kept[slot] = NULL;
	ss->tally[slot].forgets++;
}

/* A call is executed; or, if @busy, it is as if it had not come. */
static void exec_answer(struct world *w, struct ssession *ss, u32 epoch, struct exec *x, bool busy)
{
	u16 slot = EBPFS_ID_SLOT(x->id);
	u64 send, all;

	if (!ss->alive || epoch != ss->server->epoch)
		return;
	if (!ebpfs_served_done(&ss->served, x->id, x->status, x->flags, x->total, &send)) {
		INNER(w, ss->tally[slot].seq > EBPFS_ID_SEQ(x->id) ||
		      gather_seq(ss, slot) > EBPFS_ID_SEQ(x->id),
		      "only the reply of a call that was given up is thrown away", "id %lx", x->id);
		COUNT(w, given_up);
		return;
	}
	if (busy) {
		serve_log(w, ss, ss->served.slots[slot].instance, x);
		ebpfs_served_forget(&ss->served, slot);
		ss->tally[slot].forgets++;
		return;
	}
	INNER(w, ss->tally[slot].seq == EBPFS_ID_SEQ(x->id) && !ss->kept[slot],
	      "the end of an old execution is not the new call's reply", "id %lx", x->id);
	all = ebpfs_cell_set(ebpfs_ncells(x->total, ss->served.slots[slot].cell));
	INNER(w, send == all, "a new reply is sent whole", "id %lx: %lx of %lx", x->id, send, all);
	ss->kept[slot] = x;
	serve_log(w, ss, ss->served.slots[slot].instance, x);
	TRACE(w, "exec  id %lx is instance %lx: version %lu, %lu bytes, status %lu", x->id,
	      ss->served.slots[slot].instance, x->version, x->total, x->status);
	if (w->cfg.evict && !w->healed && chance(w, 200)) {
		/* No memory to answer: the client is to ask again. */
		evict_one(w, ss, x->id);
		if (!x->once)
			return;
	}
	send_cells(w, ss, slot, send);
	if (chance(w, w->cfg.evict_soon) && !w->healed)
		schedule(w, rnd_time(w, w->cfg.delay + 300 * MSEC), evict_one, ss, x->id);
}

static void exec_end(struct world *w, void *obj, u64 arg)
{
	struct pending *p = obj;

	(void)arg;
	if (p->epoch != p->ss->server->epoch)
		return;
	/* That its session has gone does not stop a call which changes something. */
	if (p->x->serial && w->by_serial[p->x->serial]->op_id) {
		once_execute(w, p->ss, p->epoch, p->x, exec_answer);
		return;
	}
	if (!p->ss->alive)
		return;
	exec_run(w, p->x);
	exec_answer(w, p->ss, p->epoch, p->x, false);
}

/* Executes a call; @data are all there, wherever they came. */
void serve_execute(struct world *w, struct ssession *ss, const struct ebpfs_call_info *c, int file,
		   const u8 *data)
{
	u16 slot = EBPFS_ID_SLOT(c->id);
	struct tally *t = &ss->tally[slot];
	struct pending *p = arena_alloc(w, sizeof(*p));
	struct exec *x = arena_alloc(w, sizeof(*x));
	struct request *meant = check_meant(w, ss, c, file, data);
	u64 time;

	INNER(w, EBPFS_ID_SEQ(c->id) >= t->seq, "a stale call is not executed",
	      "id %lx after sequence %lu", c->id, t->seq);
	if (EBPFS_ID_SEQ(c->id) != t->seq)
		*t = (struct tally){ .seq = EBPFS_ID_SEQ(c->id) };
	else
		COUNT(w, again);
	CHECK(w, t->runs <= t->forgets,
	      "a call is executed once, and again only when its reply was dropped",
	      "id %lx: executed %u times already, dropped %u times", c->id, t->runs, t->forgets);
	t->runs++;
	COUNT(w, executed);
	ss->kept[slot] = NULL;
	x->id = c->id;
	x->op = c->op;
	x->file = file;
	x->arg = c->arg;
	x->count = c->count;
	if (c->op == EBPFS_OP_LOOKUP)
		x->arg = file_by_name(w, c->name, c->name_len);
	if (c->apart)
		gather_done(ss, c->id);
	x->serial = meant ? meant->serial : 0;
	x->verifier = ss->server->instance;
	/*
	 * CRED and what only reads may be executed again. A WRITE must not: a late
	 * one would undo what was written there since.
	 */
	x->once = (meant && c->op != EBPFS_OP_CRED) ||
		  (c->op == EBPFS_OP_GETATTR && file == (int)w->nfiles - 1);
	if (x->once)
		COUNT(w, counted);
	p->ss = ss;
	p->epoch = ss->server->epoch;
	p->x = x;
	time = w->cfg.slow_disk ?:
	       rnd_time(w, chance(w, w->cfg.slow_exec) ? w->cfg.slow_exec_time : w->cfg.exec_time);
	TRACE(w, "exec  id %lx op %lu file %lu begins at server %lu", c->id, c->op, (u64)file,
	      ss->server->index);
	if (!w->cfg.slow_disk && chance(w, 3000))
		exec_end(w, p, 0);
	else
		schedule(w, time, exec_end, p, 0);
}

static void one_call(struct world *w, struct ssession *ss, const struct ebpfs_call_info *c)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(c->op);
	bool handle = t && t->flags & EBPFS_TRAIT_FH;
	const struct ebpfs_served_slot *kept;
	u16 slot = EBPFS_ID_SLOT(c->id);
	u32 instance;
	u64 send, all;
	int file = 0;

	CHECK(w, EBPFS_ID_SEQ(c->id) && c->op >= EBPFS_OP_PING && c->op <= EBPFS_OP_LAST &&
	      handle == !!c->fh_len && c->fh_len <= EBPFS_FH_MAX &&
	      c->cell >= EBPFS_CELL_MIN && c->cell <= EBPFS_CELL_MAX && c->cell % 8 == 0,
	      "a parsed call is one that may be made", "id %lx op %u fh %u cell %u", c->id, c->op,
	      c->fh_len, c->cell);
	if (handle) {
		file = file_by_handle(w, c->fh, c->fh_len);
		CHECK(w, file >= 0, "a checked call has the handle that was sent", "id %lx", c->id);
	}
	instance = slot < ss->served.nslots ? ss->served.slots[slot].instance : 0;
	switch (ebpfs_served_call(&ss->served, c, &send)) {
	case EBPFS_SERVE_EXECUTE:
		CHECK(w, slot < ss->served.nslots, "only slots that are there are used", "%u",
		      slot);
		serve_execute(w, ss, c, file, c->apart ? gather_whole(w, ss, c) : c->data);
		break;
	case EBPFS_SERVE_GATHER:
		CHECK(w, c->apart && slot < ss->served.nslots,
		      "only a call whose data come apart waits for them", "id %lx", c->id);
		gather_call(w, ss, c, file, send);
		break;
	case EBPFS_SERVE_RESEND:
		COUNT(w, resent);
		kept = &ss->served.slots[slot];
		INNER(w, kept->seq == EBPFS_ID_SEQ(c->id) && ss->kept[slot],
		      "only the reply of this very call is sent again", "id %lx", c->id);
		INNER(w, kept->cell == c->cell, "a reply is cut as it was asked for", "id %lx",
		      c->id);
		if (kept->instance != instance) {
			COUNT(w, recut);
			serve_log(w, ss, kept->instance, ss->kept[slot]);
		}
		all = ebpfs_cell_set(ebpfs_ncells(kept->total, kept->cell));
		INNER(w, !(send & ~all) &&
		      send == (c->instance == kept->instance ? all & c->want : all),
		      "the cells that are missing are sent again, and no others",
		      "id %lx: want %lx of instance %x, sent %lx of %x", c->id, (u64)c->want,
		      c->instance, send, kept->instance);
		TRACE(w, "exec  id %lx again: instance %lx cells %lx", c->id, kept->instance, send);
		send_cells(w, ss, slot, send);
		break;
	case EBPFS_SERVE_IGNORE:
		COUNT(w, ignored);
		break;
	case EBPFS_SERVE_STALE:
		COUNT(w, served_stale);
		break;
	case EBPFS_SERVE_BAD_SLOT:
		CHECK(w, slot >= ss->served.nslots, "slots that are there are served", "%u", slot);
		COUNT(w, served_slot);
		break;
	}
}

void serve_calls(struct world *w, struct ssession *ss, const struct dgram *d)
{
	struct ebpfs_call_iter it;
	struct ebpfs_call_info c;
	u16 n = 0;

	if (ebpfs_parse_calls(d->data, d->len, &it))
		return;
	while (ebpfs_next_call(&it, &c)) {
		one_call(w, ss, &c);
		n++;
	}
	CHECK(w, n == le16_to_cpu(((const struct ebpfs_calls *)d->data)->count),
	      "a datagram is executed whole or not at all", "%u of its calls", n);
}

/* Memory is very short. */
void serve_evict(struct world *w, struct server *s)
{
	struct ssession *ss;
	u16 slot;

	for (ss = s->sessions; ss; ss = ss->next) {
		if (!ss->alive || chance(w, 5000))
			continue;
		for (slot = 0; slot < ss->served.nslots; slot++) {
			if (ss->kept[slot] && chance(w, 7000))
				evict_one(w, ss, ss->kept[slot]->id);
			if (chance(w, 7000))
				gather_evict(w, ss, slot);
		}
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A client's programs and what the filesystem does for them: requests are
 * submitted, placed on a node, queued there, killed, moved, and end once.
 * Plays kmod/request.c and kmod/place.c; the way to the wire is in calls.c.
 *
 * A request is in one place at a time: in a node's queue (QUEUED), in a slot
 * (ACTIVE), cancelled with a filler still writing (STOPPING), or over (DONE).
 */
#include "sim.h"

void queue_init(struct request_queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void queue_push(struct request_queue *q, struct request *r)
{
	r->next = NULL;
	*q->end = r;
	q->end = &r->next;
}

static void queue_push_front(struct request_queue *q, struct request *r)
{
	r->next = q->first;
	if (!q->first)
		q->end = &r->next;
	q->first = r;
}

struct request *queue_pop(struct request_queue *q)
{
	struct request *r = q->first;

	if (r) {
		q->first = r->next;
		if (!q->first)
			q->end = &q->first;
	}
	return r;
}

static void queue_remove(struct request_queue *q, struct request *r)
{
	struct request **at = &q->first;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (!r->next)
		q->end = at;
}

/* Sets of node indexes: returns the usable ones. */
u64 client_usable(const struct client *c, u64 *present)
{
	u64 up = 0;
	u32 i;

	*present = 0;
	for (i = 0; i < SIM_SERVERS_MAX; i++) {
		if (c->nodes[i].present)
			*present |= 1ull << i;
		if (node_usable(&c->nodes[i]))
			up |= 1ull << i;
	}
	return up;
}

/* A soft request, or one of an aborted mount, may last this much longer: by
 * then every filler that was at work has finished. */
static u64 grace(const struct world *w)
{
	return w->cfg.slow_fill_time + w->cfg.fill_time + 10 * MSEC;
}

void request_end(struct world *w, struct request *r, int error)
{
	struct client *c = r->client;

	CHECK(w, r->state != REQ_DONE, "a request ends once", "request %u ends again with %d",
	      r->serial, error);
	CHECK(w, !r->dest.held_by && !r->dest.fillers,
	      "a request ends after its destination was let go",
	      "request %u ends with %d while it is being written", r->serial, error);
	if (r->deadline != EBPFS_NEVER)
		CHECK(w, w->now <= r->deadline + grace(w), "a soft request ends by its deadline",
		      "request %u is %lu us late", r->serial, (w->now - r->deadline) / USEC);
	TRACE(w, "req   %lu ends with %lu", r->serial, (u64)error);
	r->state = REQ_DONE;
	r->result = error;
	r->dest.gone = true;
	c->open--;
	w->open--;
	c->open_fore -= !r->background;
	switch (error) {
	case 0:
		COUNT(w, done_good);
		break;
	case EINTR:
		COUNT(w, done_killed);
		break;
	case ETIMEDOUT:
		COUNT(w, done_deadline);
		break;
	case EIO:
		COUNT(w, done_aborted);
		break;
	default:
		COUNT(w, done_status);
	}
	if (w->healed && w->now - w->heal_at > w->slowest)
		w->slowest = w->now - w->heal_at;
}

/* To the node that its file belongs to, of those that are usable, else of all. */
static void request_route(struct world *w, struct request *r)
{
	struct client *c = r->client;
	u64 present, up = client_usable(c, &present), choice;
	struct cnode *n;
	int i;

	if (c->aborted) {
		request_end(w, r, EIO);
		return;
	}
	if (!up)
		COUNT(w, waited);
	choice = up ? up : present;
	i = ebpfs_place(w->files[r->file].hash, c->keys, w->nservers, choice);
	CHECK(w, i >= 0 && choice >> i & 1, "a file is placed on a node that may be chosen",
	      "file %u on %d of %lx", r->file, i, choice);
	n = &c->nodes[i];
	r->state = REQ_QUEUED;
	r->node = n;
	queue_push(&n->queue, r);
	node_pump(w, n);
}

/* Nobody writes to the destination any more, and no slot knows the request. */
void request_let_go(struct world *w, struct request *r)
{
	CHECK(w, r->dest.held_by == r->cs && !r->dest.fillers,
	      "a destination is let go once, without fillers", "request %u, %s", r->serial,
	      r->dest.fillers ? "fillers at work" : "held by nobody");
	r->dest.held_by = NULL;
	r->dest.instance = 0;
	r->dest.done = 0;
	r->cs->reqs[EBPFS_ID_SLOT(r->id)] = NULL;
}

/* The request is out of its slot: it ends, or looks for another. */
static void request_leave(struct world *w, struct request *r, int error)
{
	struct csession *cs = r->cs;
	struct cnode *n = cs->node;

	r->cs = NULL;
	if (error) {
		request_end(w, r, error);
		return;
	}
	COUNT(w, moved);
	TRACE(w, "req   %lu leaves session %lu", r->serial, cs->serial);
	if (cs->dying && node_usable(n) && !r->client->aborted) {
		/* Same node, new session: it has waited longest. */
		r->state = REQ_QUEUED;
		r->node = n;
		queue_push_front(&n->queue, r);
		node_pump(w, n);
	} else {
		request_route(w, r);
	}
}

static void put_later(struct world *w, void *obj, u64 slot)
{
	slot_put(w, obj, slot);
}

/* A request's slot is cancelled and let go: give it back, now or a bit later. */
static void request_out(struct world *w, struct request *r, int error)
{
	struct csession *cs = r->cs;
	u16 slot = EBPFS_ID_SLOT(r->id);

	request_let_go(w, r);
	switch (rnd(w, 4)) {
	case 0:		/* others may run between the two */
		request_leave(w, r, error);
		schedule(w, rnd_time(w, 200 * USEC), put_later, cs, slot);
		break;
	case 1:
		request_leave(w, r, error);
		slot_put(w, cs, slot);
		break;
	default:
		slot_put(w, cs, slot);
		request_leave(w, r, error);
	}
}

/**
 * request_stop() - take a request from wherever it is
 * @w: world
 * @r: request
 * @error: that it ends with, or 0: it moves to another session
 */
void request_stop(struct world *w, struct request *r, int error)
{
	enum ebpfs_cancel what;

	switch (r->state) {
	case REQ_QUEUED:
		queue_remove(&r->node->queue, r);
		if (error) {
			request_end(w, r, error);
		} else {
			COUNT(w, moved);
			request_route(w, r);
		}
		break;
	case REQ_ACTIVE:
		session_touch(w, r->cs);
		what = ebpfs_conn_cancel(&r->cs->conn, r->id);
		TRACE(w, "req   %lu cancelled with %lu: %lu (session %lu id %lx)", r->serial,
		      (u64)error, what, r->cs->serial, r->id);
		check_cancel(w, r, what);
		if (what == EBPFS_CANCEL_NOW) {
			COUNT(w, cancel_now);
			request_out(w, r, error);
		} else if (what == EBPFS_CANCEL_FILLER) {
			COUNT(w, cancel_filler);
			r->state = REQ_STOPPING;
			r->after = error;
		} else {
			COUNT(w, cancel_late);
		}
		break;
	case REQ_STOPPING:
		if (!r->after)
			r->after = error;
		break;
	}
}

/* The last filler of a cancelled call was told to let go. */
void request_stopped(struct world *w, struct request *r)
{
	int error = r->after;

	r->after = 0;
	request_out(w, r, error);
}

void request_kill(struct world *w, void *obj, u64 error)
{
	struct request *r = obj;

	if (r->state != REQ_DONE)
		request_stop(w, r, (int)error);
}

static void abort_check(struct world *w, void *obj, u64 arg)
{
	struct client *c = obj;

	(void)arg;
	CHECK(w, !c->open, "an abort ends every request of the mount",
	      "client %u has %u left, and no filler can be at work", c->index, c->open);
}

void client_abort(struct world *w, struct client *c)
{
	struct request *r;

	if (c->aborted)
		return;
	TRACE(w, "mount %lu aborted with %lu open", c->index, c->open);
	c->aborted = true;
	c->left = 0;
	for (r = w->all; r; r = r->all) {
		if (r->client == c && r->state != REQ_DONE)
			request_stop(w, r, EIO);
	}
	schedule(w, grace(w), abort_check, c, 0);
}

/* Around what a datagram carries that every path does, with its head and a guard. */
static u32 edge_size(struct world *w)
{
	u32 room = w->cfg.sec != EBPFS_SEC_CRC ? sizeof(struct ebpfs_guard) : 0;

	return EBPFS_UDP_PAYLOAD_BASE - sizeof(struct ebpfs_reply) - room - 12 + rnd(w, 61 - room);
}

/* Bytes of data that the op's call has. */
static u32 data_size(struct world *w, u16 op)
{
	u8 name[EBPFS_NAME_MAX];

	switch (op) {
	case EBPFS_OP_CREATE:
		return sizeof(struct ebpfs_create) +
		       (chance(w, 5000) ? 0 : 1 + rnd(w, chance(w, 5000) ? 400 : EBPFS_LINK_MAX));
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
		return sizeof(struct ebpfs_target) + ((w->files[0].fh_len + 7) & ~7u) +
		       ((file_name((w->serial + 1) % 41, name) + 7) & ~7u);
	case EBPFS_OP_SETATTR:
		return sizeof(struct ebpfs_setattr);
	case EBPFS_OP_CRED:
		return sizeof(struct ebpfs_cred) +
		       sizeof(__le32) * rnd(w, chance(w, 8000) ? 16 : EBPFS_GROUPS_MAX + 1);
	case EBPFS_OP_FALLOCATE:
		return sizeof(struct ebpfs_range);
	case EBPFS_OP_COPY:
		return sizeof(struct ebpfs_copy) + ((w->files[0].fh_len + 7) & ~7u);
	case EBPFS_OP_SETXATTR:
		return rnd(w, chance(w, 8000) ? 300 : EBPFS_MSG_MAX + 1);
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_APPEND:
		if (w->cfg.edge)
			return edge_size(w);
		switch (rnd(w, 16)) {
		case 0:
			return EBPFS_MSG_MAX;
		case 1:
			return 1 + rnd(w, w->cfg.unit);
		case 2: case 3: case 4: case 5: case 6:
			return 1 + rnd(w, 500);
		case 7: case 8: case 9:		/* the same again: what is mixed up is seen */
			return 4096;
		default:
			return 1 + rnd(w, 9000);
		}
	default:
		return 0;
	}
}

#define INLINE_MAX	600	/* with the longest handle and name it fits a datagram */

static void submit_one(struct world *w, struct client *c, u16 op, u16 file, u64 arg, u32 count,
		       bool background)
{
	struct request *r = arena_alloc(w, sizeof(*r));
	u32 data_len = data_size(w, op);

	r->serial = ++w->serial;
	r->client = c;
	r->op = op;
	r->file = file;
	r->arg = arg;
	r->count = count;
	r->background = background;
	r->counts = op == EBPFS_OP_GETATTR && file == w->nfiles - 1;
	r->data_len = data_len;
	r->apart = data_len > INLINE_MAX || (data_len && chance(w, 2000));
	r->cred = rnd(w, 3);
	request_name(w, r);
	r->limit = request_limit(op, count);
	r->submitted = w->now;
	r->deadline = EBPFS_NEVER;
	r->dest.limit = r->limit;
	r->dest.mem = arena_raw(w, r->limit + 1);
	r->all = w->all;
	w->all = r;
	w->open++;
	c->open++;
	c->open_fore += !background;
	COUNT(w, requests);
	TRACE(w, "req   %lu of client %lu: op %lu file %lu at %lu for %lu", r->serial, c->index, op,
	      file, r->arg, count + data_len);
	if (chance(w, w->cfg.soft)) {
		u64 time = w->cfg.soft_time / 4 + rnd_time(w, w->cfg.soft_time);

		r->deadline = w->now + time;
		schedule(w, time, request_kill, r, ETIMEDOUT);
	}
	if (chance(w, w->cfg.kill)) {
		u64 most = chance(w, 8000) ? 4 * (w->cfg.delay + w->cfg.exec_time) : 2 * SEC;

		schedule(w, rnd_time(w, most), request_kill, r, EINTR);
	}
	request_route(w, r);
}

static u32 read_size(struct world *w)
{
	static const u32 cells[] = { 1024, 1152, 1424, 8920 };	/* what paths carry */
	u32 size;

	if (w->cfg.edge)
		return edge_size(w);
	switch (rnd(w, 8)) {
	case 0: case 1:
		return w->cfg.unit;
	case 2:
		return 1 + rnd(w, w->cfg.unit);
	case 3:
		return 1100 + rnd(w, 200);
	case 4:
		size = cells[rnd(w, ARRAY_SIZE(cells))];
		size *= 1 + rnd(w, 3);
		return size - 1 + rnd(w, 3);
	default:
		return 1 + rnd(w, 4096);
	}
}

/* A call that changes something. */
static void submit_change(struct world *w, struct client *c)
{
	static const u16 ops[] = {
		EBPFS_OP_CREATE, EBPFS_OP_REMOVE, EBPFS_OP_RENAME, EBPFS_OP_LINK,
		EBPFS_OP_SETATTR, EBPFS_OP_COMMIT, EBPFS_OP_ACCESS, EBPFS_OP_CRED,
		EBPFS_OP_SETXATTR, EBPFS_OP_REMOVEXATTR, EBPFS_OP_FALLOCATE, EBPFS_OP_SEEK,
		EBPFS_OP_COPY, EBPFS_OP_APPEND, EBPFS_OP_APPEND, EBPFS_OP_APPEND,
		EBPFS_OP_WRITEATTR,
	};
	u32 file = rnd(w, w->nfiles - 1);
	u16 op = EBPFS_OP_WRITE;

	if (!w->cfg.edge && chance(w, w->cfg.once))
		op = ops[rnd(w, ARRAY_SIZE(ops))];
	if (op == EBPFS_OP_CRED)
		file = 0;
	submit_one(w, c, op, file, 0, op == EBPFS_OP_WRITE ? rnd(w, 2) : 0, false);
}

static void client_submit(struct world *w, void *obj, u64 arg)
{
	struct client *c = obj;
	u32 n, i, count, file;
	u64 pos;

	(void)arg;
	if (!c->left)
		return;
	if (chance(w, w->cfg.writes)) {
		n = 1 + rnd(w, c->left < 4 ? c->left : 4);
		for (i = 0; i < n; i++)
			submit_change(w, c);
		c->left -= n;
		goto again;
	}
	file = rnd(w, w->nfiles - 1);
	switch (w->cfg.edge ? 15 : rnd(w, 16)) {
	default:	/* a range in several units, as readahead asks */
		if (w->cfg.mtu && chance(w, 500)) {
			u64 delay = rnd_time(w, 2 * w->cfg.delay + w->cfg.exec_time);

			schedule(w, delay, chaos_path, c, rnd(w, w->nservers));
		}
		n = 1 + rnd(w, c->left < 6 ? c->left : 6);
		count = read_size(w);
		pos = chance(w, 5000) ? 0 : rnd(w, chance(w, 5000) ? 2048 : 9000);
		for (i = 0; i < n && c->left; i++) {
			c->left--;
			submit_one(w, c, EBPFS_OP_READ, file, pos + (u64)i * count, count, false);
		}
		goto again;
	case 0: case 1:
		submit_one(w, c, EBPFS_OP_GETATTR, w->nfiles - 1, 0, 0, false);
		break;
	case 2: case 3:
		submit_one(w, c, EBPFS_OP_GETATTR, file, 0, 0, false);
		break;
	case 4:
		submit_one(w, c, EBPFS_OP_LOOKUP, 0, rnd(w, w->nfiles), 0, false);
		break;
	case 5:
		pos = rnd(w, 26);
		submit_one(w, c, EBPFS_OP_READDIR, 0, pos, 600 + rnd(w, 8000), false);
		break;
	case 6:
		submit_one(w, c, EBPFS_OP_READLINK, file, 0, 0, false);
		break;
	case 7:
		submit_one(w, c, chance(w, 5000) ? EBPFS_OP_STATFS : EBPFS_OP_PING, file, 0, 0,
			   false);
		break;
	}
	if (c->left)
		c->left--;
again:
	if (c->left)
		schedule(w, rnd_time(w, 2 * w->cfg.submit_gap), client_submit, c, 0);
}

/*
 * Somebody else on the same mount does small things all the time: a session on
 * which small replies arrive is not silent, and is not lost, when large ones
 * do not arrive. Some of them fill more than the smallest path and less than
 * the others.
 */
static void client_background(struct world *w, void *obj, u64 arg)
{
	struct client *c = obj;

	(void)arg;
	if (c->aborted || (!c->left && !c->open_fore))
		return;
	if (c->open - c->open_fore < 4) {
		u32 file = rnd(w, w->nfiles - 1);

		if (w->cfg.background_read)
			submit_one(w, c, EBPFS_OP_READ, file, 0, w->cfg.background_read, true);
		else
			submit_one(w, c, EBPFS_OP_GETATTR, file, 0, 0, true);
	}
	schedule(w, rnd_time(w, 2 * w->cfg.background_gap), client_background, c, 0);
}

void client_start(struct world *w, struct client *c)
{
	if (w->cfg.background_gap)
		schedule(w, 0, client_background, c, 0);

	c->left = w->cfg.requests;
	schedule(w, rnd_time(w, 50 * MSEC), client_submit, c, 0);
}

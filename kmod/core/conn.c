// SPDX-License-Identifier: GPL-2.0
/*
 * The client's slots: what is outstanding, which fragment may be written, what
 * is sent again. Contracts, life of a slot and locking: conn.h.
 *
 * The way of a fragment (claim, filled) takes the slot's lock only, so that
 * fragments of different calls do not meet. What a call has to tell the
 * estimator and the window is kept in its slot until it is put.
 */
#include "core/conn.h"

#define ATTEMPT_MAX	255	/* then the attempt does not tell transmissions apart */
#define BLACKHOLE_TRIES	3

/* The slot that @id is in, if this session has one of that number. */
static struct ebpfs_slot *slot_of(struct ebpfs_conn *conn, u64 id)
{
	return EBPFS_ID_SLOT(id) < conn->nslots ? &conn->slots[EBPFS_ID_SLOT(id)] : NULL;
}

/* Bytes that a call counts in the window. */
static u32 bytes_of(const struct ebpfs_slot *s)
{
	return s->limit > s->data ? s->limit : s->data;
}

/* Lifts a counter that stays at its end. */
static void count_up(u8 *n)
{
	if (*n < ATTEMPT_MAX)
		++*n;
}

/* No cell of any reply is known to be good. */
static void unbind(struct ebpfs_slot *s)
{
	s->instance = 0;
	s->claimed = 0;
	s->done = 0;
}

void ebpfs_conn_init(struct ebpfs_conn *conn, struct ebpfs_slot *slots, u16 nslots, u32 room,
		     u64 now)
{
	u16 i;

	memset(conn, 0, sizeof(*conn));
	memset(slots, 0, nslots * sizeof(*slots));
	ebpfs_lock_init(&conn->lock);
	conn->slots = slots;
	conn->nslots = nslots;
	conn->nfree = nslots;
	for (i = 0; i < nslots; i++) {
		ebpfs_lock_init(&slots[i].lock);
		slots[i].id = EBPFS_ID(i, 0);
		conn->free[i / 64] |= 1ull << i % 64;
	}
	ebpfs_rtt_init(&conn->rtt);
	ebpfs_window_init(&conn->win);
	conn->heard_at = now;
	conn->large_at = now;
	conn->data_at = now;
	conn->small = EBPFS_UDP_PAYLOAD_BASE - sizeof(struct ebpfs_reply) - room;
	conn->waiting_since = EBPFS_NEVER;
}

void ebpfs_conn_fini(struct ebpfs_conn *conn)
{
	u16 i;

	for (i = 0; i < conn->nslots; i++)
		ebpfs_lock_fini(&conn->slots[i].lock);
	ebpfs_lock_fini(&conn->lock);
}

/* Takes a free slot out of the bitmap and its bytes out of the window, or -EAGAIN. */
static int reserve(struct ebpfs_conn *conn, u32 bytes, u64 now)
{
	int slot = -EAGAIN;
	unsigned int w;

	ebpfs_lock_take(&conn->lock);
	if (!conn->nfree || !ebpfs_window_allows(&conn->win, bytes))
		goto out;
	for (w = 0; !conn->free[w]; w++)
		;
	slot = w * 64 + __ffs64(conn->free[w]);
	conn->free[w] &= conn->free[w] - 1;
	if (conn->nfree-- == conn->nslots)
		WRITE_ONCE(conn->waiting_since, now);
	ebpfs_window_take(&conn->win, bytes);
out:
	ebpfs_lock_drop(&conn->lock);
	return slot;
}

int ebpfs_conn_take_data(struct ebpfs_conn *conn, u32 reply, u32 data, void *owner, u64 now)
{
	u32 bytes = reply > data ? reply : data;
	int slot = reserve(conn, bytes, now);
	struct ebpfs_slot *s;

	if (slot < 0)
		return slot;

	/* Ours, but late fragments of its last call still look at it. */
	s = &conn->slots[slot];
	ebpfs_lock_take(&s->lock);
	s->id = EBPFS_ID(slot, EBPFS_ID_SEQ(s->id) + 1);
	s->owner = owner;
	s->limit = reply;
	s->data = data;
	s->data_cell = 0;
	s->missing = ~0ull;
	s->needed = false;
	s->sent_at = now;
	s->first_at = 0;
	s->heard_at = 0;
	s->rtt = 0;
	s->attempt = 0;
	s->backoff = 0;
	s->spurious = false;
	s->ce = false;
	unbind(s);
	s->state = EBPFS_SLOT_ACTIVE;
	ebpfs_lock_drop(&s->lock);
	return slot;
}

bool ebpfs_conn_sending(struct ebpfs_conn *conn, u16 slot, u64 id, u64 now,
			struct ebpfs_call_info *c)
{
	struct ebpfs_slot *s = slot_of(conn, slot);
	bool send;

	if (!s)
		return false;
	ebpfs_lock_take(&s->lock);
	send = s->state == EBPFS_SLOT_ACTIVE && (!id || s->id == id);
	if (send) {
		c->id = s->id;
		c->instance = s->instance;
		/*
		 * Cells that are just being filled are asked for, too: should
		 * they prove corrupt, that would cost one more timeout.
		 */
		c->want = s->instance ? ebpfs_cell_set(s->ncells) & ~s->done : ~0ull;
		c->attempt = s->attempt;
		s->sent_at = now;
		if (!s->first_at)
			s->first_at = now;
	}
	ebpfs_lock_drop(&s->lock);
	return send;
}

/*
 * Do the fragments belong to the reply that the slot, which is locked, is bound to? Those
 * of @cells that nobody has claimed become @fresh.
 */
static enum ebpfs_verdict match(struct ebpfs_slot *s, const struct ebpfs_frag *f, u64 cells,
				u64 *fresh)
{
	if (s->instance && s->instance != f->instance) {
		if ((s32)(f->instance - s->instance) < 0 || s->busy)
			return EBPFS_DROP_INSTANCE;
		unbind(s);
	}
	if (!s->instance) {
		s->instance = f->instance;
		s->total = f->total;
		s->cell = f->cell;
		s->status = f->status;
		s->flags = f->flags;
		s->ncells = f->ncells;
	} else if (s->total != f->total || s->cell != f->cell || s->status != f->status ||
		   s->flags != f->flags) {
		return EBPFS_DROP_GRID;
	}
	*fresh = cells & ~s->claimed;
	return *fresh ? EBPFS_CLAIMED : EBPFS_DROP_DUPLICATE;
}

enum ebpfs_verdict ebpfs_conn_claim_cells(struct ebpfs_conn *conn, const struct ebpfs_frag *f,
					  u64 cells, void **owner, u64 *claimed)
{
	struct ebpfs_slot *s = slot_of(conn, f->id);
	enum ebpfs_verdict verdict;

	if (!s)
		return EBPFS_DROP_RANGE;

	ebpfs_lock_take(&s->lock);
	if (s->state == EBPFS_SLOT_FREE || s->id != f->id)
		verdict = EBPFS_DROP_STALE;
	else if (s->state == EBPFS_SLOT_COMPLETE)
		verdict = EBPFS_DROP_DUPLICATE;
	else if (s->state == EBPFS_SLOT_CANCELLED)
		verdict = EBPFS_DROP_CANCELLED;
	else if (f->total > s->limit)
		verdict = EBPFS_DROP_RANGE;
	else
		verdict = match(s, f, cells, claimed);
	if (verdict == EBPFS_CLAIMED) {
		s->claimed |= *claimed;
		s->busy++;
		*owner = s->owner;
	}
	ebpfs_lock_drop(&s->lock);
	return verdict;
}

/*
 * Of @total bytes, cut by @cell, those cells came: was one of them, if any, larger than
 * what every path carries? A last one is short, unless the bytes fill it.
 */
static bool large_came(const struct ebpfs_conn *conn, u32 total, u64 cells, u16 cell)
{
	if (!total || total % cell)
		cells &= ~(1ull << (ebpfs_ncells(total, cell) - 1));
	return cells && cell > conn->small;
}

/* Something verified was heard: fragments of the slot, which is locked. */
static void heard(struct ebpfs_conn *conn, struct ebpfs_slot *s, const struct ebpfs_frag *f,
		  u64 good, u64 now)
{
	WRITE_ONCE(conn->heard_at, now);
	WRITE_ONCE(conn->waiting_since, now);
	/*
	 * Only a whole cell shows that the path carries what is asked for: a
	 * reply's last fragment may pass where larger ones vanish.
	 */
	if (large_came(conn, f->total, good, f->cell))
		WRITE_ONCE(conn->large_at, now);

	/*
	 * Karn: a round trip is known only from a transmission that the echoed
	 * attempt names without doubt (the call, or the data that NEED asked for
	 * in the same attempt?), and only for the first fragment, since later
	 * ones wait for those before them.
	 */
	if (!s->heard_at) {
		u64 from = 0;

		if (f->attempt == 0)
			from = s->first_at;
		else if (f->attempt == s->attempt && f->attempt < ATTEMPT_MAX && !s->needed)
			from = s->sent_at;
		if (from && now >= from)
			s->rtt = now > from ? now - from : 1;
	}
	s->heard_at = now;
	s->backoff = 0;
	if (f->attempt < s->attempt)
		s->spurious = true;
	if (f->ce)
		s->ce = true;
}

enum ebpfs_filled ebpfs_conn_filled_cells(struct ebpfs_conn *conn, const struct ebpfs_frag *f,
					  u64 claimed, u64 good, u64 now,
					  struct ebpfs_result *res)
{
	struct ebpfs_slot *s = slot_of(conn, f->id);
	enum ebpfs_filled next = EBPFS_FILL_MORE;

	ebpfs_lock_take(&s->lock);
	s->busy--;
	if (good) {
		heard(conn, s, f, good, now);
		s->done |= good;
	}
	if (claimed != good) {
		s->claimed &= ~(claimed ^ good);
		if (!s->claimed)
			unbind(s);
	}

	if (s->state == EBPFS_SLOT_CANCELLED) {
		if (!s->busy)
			next = EBPFS_FILL_RELEASE;
	} else if (good && s->done == ebpfs_cell_set(s->ncells)) {
		s->state = EBPFS_SLOT_COMPLETE;
		res->status = s->status;
		res->flags = s->flags;
		res->total = s->total;
		res->first_at = s->first_at;
		res->attempts = s->attempt < ATTEMPT_MAX ? s->attempt + 1 : ATTEMPT_MAX;
		next = EBPFS_FILL_COMPLETE;
	}
	ebpfs_lock_drop(&s->lock);
	return next;
}

/*
 * Cells of data of the slot's call, which have come since the server last said what
 * it lacks. If it has cut them anew since, those that are there are new.
 */
static u64 came(const struct ebpfs_slot *s, const struct ebpfs_need_info *n)
{
	if (!n->cell)
		return 0;
	return ebpfs_cell_set(ebpfs_ncells(s->data, n->cell)) & ~n->missing &
	       (n->cell == s->data_cell ? s->missing : ~0ull);
}

u64 ebpfs_conn_need(struct ebpfs_conn *conn, const struct ebpfs_need_info *n, u16 cell, u64 now,
		    void **owner)
{
	struct ebpfs_slot *s = slot_of(conn, n->id);
	u64 send = 0, news;

	if (!s)
		return 0;
	ebpfs_lock_take(&s->lock);
	if (s->state != EBPFS_SLOT_ACTIVE || s->id != n->id || s->attempt != n->attempt ||
	    s->needed || !s->data)
		goto out;
	send = ebpfs_cell_set(ebpfs_ncells(s->data, cell));
	if (n->cell == cell)
		send &= n->missing;
	if (!send)
		goto out;
	WRITE_ONCE(conn->heard_at, now);
	WRITE_ONCE(conn->waiting_since, now);
	s->needed = true;
	s->sent_at = now;
	/*
	 * Some of the data have come since: the path works. While none do, the
	 * timeout goes on to grow, and in the end the path is looked at anew.
	 */
	news = came(s, n);
	if (news) {
		s->backoff = 0;
		if (large_came(conn, s->data, news, n->cell))
			WRITE_ONCE(conn->data_at, now);
	}
	s->missing = n->missing;
	s->data_cell = n->cell;
	*owner = s->owner;
out:
	ebpfs_lock_drop(&s->lock);
	return send;
}

enum ebpfs_cancel ebpfs_conn_cancel(struct ebpfs_conn *conn, u64 id)
{
	struct ebpfs_slot *s = slot_of(conn, id);
	enum ebpfs_cancel next = EBPFS_CANCEL_LATE;

	if (!s)
		return next;
	ebpfs_lock_take(&s->lock);
	if (s->id == id && s->state == EBPFS_SLOT_ACTIVE) {
		s->state = EBPFS_SLOT_CANCELLED;
		next = s->busy ? EBPFS_CANCEL_FILLER : EBPFS_CANCEL_NOW;
	}
	ebpfs_lock_drop(&s->lock);
	return next;
}

/* What a call that is over tells the estimator and the window; both locks held. */
static void account(struct ebpfs_conn *conn, const struct ebpfs_slot *s, u64 now)
{
	if (s->rtt)
		ebpfs_rtt_sample(&conn->rtt, s->rtt);
	if (s->spurious)
		ebpfs_window_undo(&conn->win);
	ebpfs_window_give(&conn->win, bytes_of(s), s->state == EBPFS_SLOT_COMPLETE && !s->ce);
	if (s->ce) {
		ebpfs_window_loss(&conn->win, now, conn->rtt.srtt);
		/* A mark is no guess: nothing proves it unfounded later. */
		conn->win.undo_cwnd = 0;
	}
}

void ebpfs_conn_put(struct ebpfs_conn *conn, u16 slot, u64 now)
{
	struct ebpfs_slot *s = &conn->slots[slot];

	ebpfs_lock_take(&conn->lock);
	ebpfs_lock_take(&s->lock);
	account(conn, s, now);
	s->state = EBPFS_SLOT_FREE;
	s->owner = NULL;
	ebpfs_lock_drop(&s->lock);
	conn->free[slot / 64] |= 1ull << slot % 64;
	if (++conn->nfree == conn->nslots)
		WRITE_ONCE(conn->waiting_since, EBPFS_NEVER);
	ebpfs_lock_drop(&conn->lock);
}

/**
 * struct due - what one look at all slots finds
 * @now: ns
 * @next: earliest time at which another call is due, ns
 * @oldest: since when the call that was due first had heard nothing, ns
 * @ids: of the due calls
 * @max: room at @ids
 * @n: how many
 */
struct due {
	u64 now;
	u64 next;
	u64 oldest;
	u64 *ids;
	u32 max;
	u32 n;
};

/*
 * Does the path swallow what is large? Since @quiet nothing such has come of the call, which
 * was sent again more than once, nor of another. Each way by itself: one may have become
 * narrower alone. @needed: the server was sent data meanwhile, so that it is not just slow.
 */
static bool vanishes(const struct ebpfs_conn *conn, const struct ebpfs_slot *s, u64 quiet,
		     bool needed)
{
	bool replies = READ_ONCE(conn->large_at) > quiet;

	if (s->limit > conn->small && !replies)
		return true;
	return s->data > conn->small && READ_ONCE(conn->data_at) <= quiet && (needed || !replies);
}

/* Looks at one slot, which is locked, as is the session. */
static void check(struct ebpfs_conn *conn, struct ebpfs_slot *s, struct due *d)
{
	bool needed = s->needed;
	u64 quiet, at;

	if (s->state != EBPFS_SLOT_ACTIVE)
		return;
	quiet = s->heard_at > s->sent_at ? s->heard_at : s->sent_at;
	at = quiet + ebpfs_rtt_timeout(&conn->rtt, s->backoff);
	if (d->now < at) {
		if (at < d->next)
			d->next = at;
		return;
	}
	if (d->n == d->max) {
		d->next = d->now;
		return;
	}

	d->ids[d->n++] = s->id;
	if (quiet < d->oldest)
		d->oldest = quiet;
	count_up(&s->attempt);
	count_up(&s->backoff);
	s->needed = false;
	s->sent_at = d->now;
	conn->retransmits++;
	if (s->backoff >= BLACKHOLE_TRIES && vanishes(conn, s, quiet, needed))
		WRITE_ONCE(conn->blackhole, true);
	at = d->now + ebpfs_rtt_timeout(&conn->rtt, s->backoff);
	if (at < d->next)
		d->next = at;
}

u32 ebpfs_conn_due(struct ebpfs_conn *conn, u64 now, u64 *ids, u32 max, u64 *next)
{
	struct due d = {
		.now = now,
		.next = EBPFS_NEVER,
		.oldest = EBPFS_NEVER,
		.ids = ids,
		.max = max,
	};
	u16 i;

	ebpfs_lock_take(&conn->lock);
	for (i = 0; i < conn->nslots; i++) {
		struct ebpfs_slot *s = &conn->slots[i];

		if (conn->free[i / 64] >> i % 64 & 1)
			continue;
		ebpfs_lock_take(&s->lock);
		check(conn, s, &d);
		ebpfs_lock_drop(&s->lock);
	}
	if (d.n) {
		if (READ_ONCE(conn->heard_at) <= d.oldest)
			ebpfs_window_timeout(&conn->win);
		else
			ebpfs_window_loss(&conn->win, now, conn->rtt.srtt);
	}
	ebpfs_lock_drop(&conn->lock);
	*next = d.next;
	return d.n;
}

u64 ebpfs_conn_silence(struct ebpfs_conn *conn, u64 now)
{
	u64 since = READ_ONCE(conn->waiting_since);

	return since < now ? now - since : 0;
}

void ebpfs_conn_heard(struct ebpfs_conn *conn, u64 now)
{
	ebpfs_lock_take(&conn->lock);
	WRITE_ONCE(conn->heard_at, now);
	if (conn->nfree < conn->nslots)
		WRITE_ONCE(conn->waiting_since, now);
	ebpfs_lock_drop(&conn->lock);
}

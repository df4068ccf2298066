/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The client's side of a session: slots, claim and fill, retransmission.
 *
 * A *slot* carries one call at a time. Its life:
 *
 *	FREE --take--> ACTIVE --last cell verified--> COMPLETE --put--> FREE
 *	                 |  \--cancel, no filler-----> CANCELLED --put--> FREE
 *	                 \--cancel, fillers running--> CANCELLED; the last filler
 *	                                               is told RELEASE, and puts
 *
 * Exactly one party is told that it may let go of what the call's reply was
 * to be written into (COMPLETE or RELEASE from ebpfs_conn_filled(), NOW from
 * ebpfs_conn_cancel()), and that party calls ebpfs_conn_put().
 *
 * A reply's fragments form a grid of at most 64 cells. A fragment must be
 * *claimed* before a byte of it is written, and reported *filled* after its
 * checksum, taken over what was written, is known. Between the two the cell is
 * busy, nobody else may write there and the owner of the destination must not
 * let go. A cell filled well is done and never written again; one filled badly
 * is free again. Fragments that come in one packet are claimed, and reported,
 * together.
 *
 * Reply instances. The first claim binds the slot to the fragment's instance
 * and to that instance's grid (total, cell, status, flags). A fragment of an
 * older instance is dropped. One of a newer instance takes over, and all cells
 * are free again, but only when no cell is busy; otherwise it is dropped and
 * asked for again. When a claim was bad and leaves the bound instance without
 * any busy or done cell, the binding is forgotten: whatever stood in that head
 * was never verified.
 *
 * Data of a call that come apart are the caller's to send, after the call; the
 * core only tells when: ebpfs_conn_need() judges a server's NEED.
 *
 * Timing. A call is due for retransmission when nothing was heard of it for
 * its timeout (rtt.h, doubled with each retransmission that brought nothing).
 * Then only the missing cells are asked for, by ebpfs_call.want. A call that
 * is never answered stays due for ever: deadlines belong to the caller.
 *
 * Context: any but hard interrupt. All functions take the locks that they
 * need; none is held at return.
 */
#ifndef EBPFS_CORE_CONN_H
#define EBPFS_CORE_CONN_H

#include "core/rtt.h"
#include "core/window.h"
#include "core/wire.h"

enum ebpfs_slot_state {
	EBPFS_SLOT_FREE,
	EBPFS_SLOT_ACTIVE,
	EBPFS_SLOT_COMPLETE,
	EBPFS_SLOT_CANCELLED,
};

/**
 * enum ebpfs_verdict - what becomes of a fragment
 * @EBPFS_CLAIMED: write it, then call ebpfs_conn_filled()
 * @EBPFS_DROP_STALE: the slot has another sequence, or is free: late or replayed
 * @EBPFS_DROP_DUPLICATE: this cell is done or busy, or the reply is complete
 * @EBPFS_DROP_INSTANCE: of an older instance, or a newer one while cells are busy
 * @EBPFS_DROP_GRID: same instance, but total, cell, status or flags differ
 * @EBPFS_DROP_RANGE: no such slot, or total over what the call asked for
 * @EBPFS_DROP_CANCELLED: nobody wants it any more
 */
enum ebpfs_verdict {
	EBPFS_CLAIMED = 0,
	EBPFS_DROP_STALE,
	EBPFS_DROP_DUPLICATE,
	EBPFS_DROP_INSTANCE,
	EBPFS_DROP_GRID,
	EBPFS_DROP_RANGE,
	EBPFS_DROP_CANCELLED,
	EBPFS_VERDICTS
};

/**
 * enum ebpfs_filled - what the filler of a cell has to do next
 * @EBPFS_FILL_MORE: nothing
 * @EBPFS_FILL_COMPLETE: the reply is whole: complete the call, then put the slot
 * @EBPFS_FILL_RELEASE: cancelled meanwhile and this was the last filler: let go
 *	of the destination, then put the slot
 */
enum ebpfs_filled {
	EBPFS_FILL_MORE,
	EBPFS_FILL_COMPLETE,
	EBPFS_FILL_RELEASE,
};

/**
 * enum ebpfs_cancel - what the canceller of a call has to do next
 * @EBPFS_CANCEL_NOW: let go of the destination, then put the slot
 * @EBPFS_CANCEL_FILLER: a filler is still writing; it will be told RELEASE
 * @EBPFS_CANCEL_LATE: the call is complete, was cancelled before, or another
 *	call is in the slot: somebody else was or will be told to deal with it
 */
enum ebpfs_cancel {
	EBPFS_CANCEL_NOW,
	EBPFS_CANCEL_FILLER,
	EBPFS_CANCEL_LATE,
};

/**
 * struct ebpfs_slot - one call in progress, and its reply
 * @lock: protects all of it
 * @id: of the call in the slot; of the last one while FREE
 * @owner: the caller's, handed back by claim; valid unless FREE
 * @claimed: cells busy or done
 * @done: cells verified
 * @sent_at: last transmission of the call, ns; ebpfs_conn_take() counts as one
 * @first_at: first transmission, ns, 0 if none yet
 * @heard_at: last good fragment, ns, 0 if none
 * @rtt: round trip of the first good fragment of the call, ns, 0 if none
 * @missing: cells of data that the server lacked when it last said so, ~0 at first
 * @limit: most bytes the reply may have
 * @data: bytes of data of the call; counted against the window are these or @limit,
 *	whichever are more
 * @data_cell: that @missing is cut by, 0 if none had come
 * @instance: bound reply instance, 0 if none
 * @total: of the bound instance
 * @cell: of the bound instance
 * @status: of the bound instance
 * @flags: of the bound instance
 * @ncells: of the bound instance
 * @busy: fillers at work
 * @attempt: of the last transmission
 * @backoff: retransmissions since something was last heard
 * @needed: NEED was answered in this attempt
 * @spurious: a reply to an earlier attempt arrived after a retransmission
 * @ce: a fragment carried a CE mark
 * @state: enum ebpfs_slot_state
 */
struct ebpfs_slot {
	ebpfs_lock lock;
	u64 id;
	void *owner;
	u64 claimed;
	u64 done;
	u64 sent_at;
	u64 first_at;
	u64 heard_at;
	u64 rtt;
	u64 missing;
	u32 limit;
	u32 data;
	u32 instance;
	u32 total;
	u16 data_cell;
	u16 cell;
	u16 status;
	u16 flags;
	u8 ncells;
	u8 busy;
	u8 attempt;
	u8 backoff;
	bool needed;
	bool spurious;
	bool ce;
	u8 state;
};

#define EBPFS_SLOT_WORDS	(EBPFS_SLOTS_MAX / 64)

/**
 * struct ebpfs_conn - the client's side of one session
 * @lock: protects @free, @nfree, @rtt, @win, @retransmits and the choice of
 *	which slots are due; taken before any slot's lock
 * @slots: @nslots of them, memory owned by the caller
 * @nslots: 1 to EBPFS_SLOTS_MAX
 * @nfree: free ones
 * @free: bitmap of free ones
 * @rtt: estimator
 * @win: window
 * @heard_at: when anything verified was last heard, ns; READ_ONCE/WRITE_ONCE
 * @waiting_since: since when something was outstanding with nothing heard, ns;
 *	EBPFS_NEVER while nothing is outstanding; READ_ONCE/WRITE_ONCE. Moved on by
 *	fillers under a slot's lock only: that is safe because their slot is
 *	outstanding until they are done
 * @retransmits: calls sent again
 * @small: payload of a fragment that every path carries, bytes
 * @large_at: when a fragment was last heard that filled its cell and is larger
 *	than what every path carries, ns; READ_ONCE/WRITE_ONCE
 * @data_at: when the server last said that such a one of a call's data had come, likewise
 * @blackhole: large replies, or large data, seem not to arrive at all: see pmtu.h; the
 *	caller reads and clears it. Set when at least two retransmissions in a row of a
 *	call with a large reply brought nothing (its small last fragment may well
 *	have come before), a third is due, and since the last of them no whole
 *	large cell of another call arrived either; of a call with large data likewise.
 */
struct ebpfs_conn {
	ebpfs_lock lock;
	struct ebpfs_slot *slots;
	u16 nslots;
	u16 nfree;
	u64 free[EBPFS_SLOT_WORDS];
	struct ebpfs_rtt rtt;
	struct ebpfs_window win;
	u64 heard_at;
	u64 waiting_since;
	u64 retransmits;
	u64 large_at;
	u64 data_at;
	u32 small;
	bool blackhole;
};

/**
 * struct ebpfs_result - a complete reply
 * @status: 0 or an error number, positive
 * @flags: EBPFS_REPLY_*
 * @total: bytes of reply
 * @attempts: transmissions it took
 * @first_at: when the call was sent first, ns
 */
struct ebpfs_result {
	u16 status;
	u16 flags;
	u32 total;
	u8 attempts;
	u64 first_at;
};

/**
 * ebpfs_conn_init() - a fresh session
 * @conn: to be set up
 * @slots: @nslots of them, need not be initialised, must outlive @conn
 * @nslots: 1 to EBPFS_SLOTS_MAX
 * @room: bytes that each datagram is longer by, ebpfs_keys_room()
 * @now: ns
 */
void ebpfs_conn_init(struct ebpfs_conn *conn, struct ebpfs_slot *slots, u16 nslots, u32 room,
		     u64 now);
void ebpfs_conn_fini(struct ebpfs_conn *conn);

/**
 * ebpfs_conn_take_data() - a slot for a new call
 * @conn: session
 * @reply: most bytes the reply may have
 * @data: bytes of data of the call; the larger of the two counts against the window
 * @owner: handed back by claim, not NULL
 * @now: ns
 *
 * The slot gets the next sequence number and is ACTIVE at once.
 * Return: its index, or -EAGAIN if no slot is free or the window is full (try
 * again after any ebpfs_conn_put()).
 */
int ebpfs_conn_take_data(struct ebpfs_conn *conn, u32 reply, u32 data, void *owner, u64 now);

/* The same for a call without data to speak of. */
static inline int ebpfs_conn_take(struct ebpfs_conn *conn, u32 reply, void *owner, u64 now)
{
	return ebpfs_conn_take_data(conn, reply, 0, owner, now);
}

/**
 * ebpfs_conn_sending() - what to put into the call, and note that it goes out now
 * @conn: session
 * @slot: an index
 * @id: of the call that the caller means; if the slot carries another by now,
 *	or is not ACTIVE, nothing is noted. 0: whatever is in it (only right
 *	after ebpfs_conn_take()).
 * @now: ns
 * @c: out: id, want, instance, attempt
 *
 * Return: false if there is nothing to send any more.
 */
bool ebpfs_conn_sending(struct ebpfs_conn *conn, u16 slot, u64 id, u64 now,
			struct ebpfs_call_info *c);

/**
 * ebpfs_conn_claim_cells() - may these fragments of one reply be written?
 * @conn: session
 * @f: the first of them, parsed, not yet verified; the others differ in offset, length
 *	and checksum only
 * @cells: which of the grid
 * @owner: out, the call's owner if CLAIMED; stays valid until ebpfs_conn_filled_cells()
 * @claimed: out if CLAIMED: those of @cells that may be written, at least one; the others
 *	are duplicates
 *
 * Whatever was claimed together has to be reported together: it is one filler's.
 */
enum ebpfs_verdict ebpfs_conn_claim_cells(struct ebpfs_conn *conn, const struct ebpfs_frag *f,
					  u64 cells, void **owner, u64 *claimed);

/* The same for one fragment. */
static inline enum ebpfs_verdict ebpfs_conn_claim(struct ebpfs_conn *conn,
						  const struct ebpfs_frag *f, void **owner)
{
	u64 claimed;

	return ebpfs_conn_claim_cells(conn, f, 1ull << f->index, owner, &claimed);
}

/**
 * ebpfs_conn_filled_cells() - the claimed fragments were written
 * @conn: session
 * @f: as claimed
 * @claimed: as claimed
 * @good: those of them whose checksum, over what was written, is right
 * @now: ns
 * @res: out if COMPLETE
 */
enum ebpfs_filled ebpfs_conn_filled_cells(struct ebpfs_conn *conn, const struct ebpfs_frag *f,
					  u64 claimed, u64 good, u64 now,
					  struct ebpfs_result *res);

/* The same for one fragment. */
static inline enum ebpfs_filled ebpfs_conn_filled(struct ebpfs_conn *conn,
						  const struct ebpfs_frag *f, bool good, u64 now,
						  struct ebpfs_result *res)
{
	u64 cell = 1ull << f->index;

	return ebpfs_conn_filled_cells(conn, f, cell, good ? cell : 0, now, res);
}

/**
 * ebpfs_conn_need() - the server says that it lacks data of a call
 * @conn: session
 * @n: what it said, verified
 * @cell: by which data would be cut if they were sent now
 * @now: ns
 * @owner: out: the call's; to use it, the caller must keep the call from ending
 *
 * Return: which cells of data to send, cut by @cell, as part of attempt n->attempt,
 * only such as the data have; 0 for none: the call is over, has no data, or this was
 * answered already.
 */
u64 ebpfs_conn_need(struct ebpfs_conn *conn, const struct ebpfs_need_info *n, u16 cell, u64 now,
		    void **owner);

/* Stop the call @id. May race with anything. */
enum ebpfs_cancel ebpfs_conn_cancel(struct ebpfs_conn *conn, u64 id);

/**
 * ebpfs_conn_put() - give a slot back, by the one who was told to
 * @conn: session
 * @slot: index of a COMPLETE or CANCELLED slot without fillers
 * @now: ns
 *
 * Feeds the estimator and the window.
 */
void ebpfs_conn_put(struct ebpfs_conn *conn, u16 slot, u64 now);

/**
 * ebpfs_conn_due() - which calls must be sent again?
 * @conn: session
 * @now: ns
 * @ids: out, their ids; the caller sends them through ebpfs_conn_sending()
 * @max: room at @ids
 * @next: out: when to ask again, ns, EBPFS_NEVER if nothing is outstanding
 *
 * Counts attempt and backoff up, and tells the window. If more are due than
 * @max, *next is @now.
 * Return: how many.
 */
u32 ebpfs_conn_due(struct ebpfs_conn *conn, u64 now, u64 *ids, u32 max, u64 *next);

/* For how long (ns) something has been outstanding while nothing was heard at all. */
u64 ebpfs_conn_silence(struct ebpfs_conn *conn, u64 now);

/* Note that the other end lives (PROBE_ACK). */
void ebpfs_conn_heard(struct ebpfs_conn *conn, u64 now);

#endif /* EBPFS_CORE_CONN_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server's side of a session: what was asked in each slot, and the last
 * reply of each (RFC 8881 2.10.6, there for whole requests, here for cells).
 *
 * A call with a higher sequence than the slot's is new and replaces what is in
 * the slot, even if that is still being executed: the client has given it up
 * (then the old execution's end is refused by ebpfs_served_done()). The same
 * sequence again is a repetition: while it is executed it is ignored, later
 * the kept reply is sent again, the missing cells only. If the client asks for
 * another cell than the kept reply was cut by, the same bytes go out as a new
 * instance. A lower sequence is stale.
 *
 * A call whose data come apart is executed when both it and all of its data are
 * there, in whatever order they came:
 *
 *	NONE, DONE --call--> GATHERING --last data--> RUNNING --> DONE
 *	     \---data--> EARLY --call, data complete--> RUNNING
 *	                   \--call, data lacking--> GATHERING
 *
 * A repetition of a call that still lacks data tells the client which (NEED). One
 * that the network brings after a later one changes nothing.
 * The bytes are the daemon's to keep, one buffer per slot.
 *
 * Not locked: one user at a time per session (the daemon's session lock).
 */
#ifndef EBPFS_CORE_SERVED_H
#define EBPFS_CORE_SERVED_H

#include "core/wire.h"

enum ebpfs_served_state {
	EBPFS_SERVED_NONE,	/* nothing, or the reply was dropped to save memory */
	EBPFS_SERVED_RUNNING,
	EBPFS_SERVED_DONE,	/* reply is kept */
	EBPFS_SERVED_EARLY,	/* data of a call that has not come yet */
	EBPFS_SERVED_GATHERING,	/* a call some of whose data lack */
};

/**
 * enum ebpfs_serve - what to do with a call
 * @EBPFS_SERVE_EXECUTE: execute it, then ebpfs_served_done(). If its data came
 *	apart, they are all there.
 * @EBPFS_SERVE_GATHER: keep it until ebpfs_served_data() says READY; if *send is
 *	not 0, send NEED for these cells
 * @EBPFS_SERVE_RESEND: send the cells in *send of the kept reply again
 * @EBPFS_SERVE_IGNORE: it is being executed
 * @EBPFS_SERVE_STALE: drop it, count it
 * @EBPFS_SERVE_BAD_SLOT: drop it, count it
 */
enum ebpfs_serve {
	EBPFS_SERVE_EXECUTE,
	EBPFS_SERVE_GATHER,
	EBPFS_SERVE_RESEND,
	EBPFS_SERVE_IGNORE,
	EBPFS_SERVE_STALE,
	EBPFS_SERVE_BAD_SLOT,
};

/**
 * enum ebpfs_take - what to do with a fragment of data
 * @EBPFS_TAKE_MORE: put it into the slot's buffer; more will come
 * @EBPFS_TAKE_READY: put it there; then execute the call that was kept
 * @EBPFS_TAKE_DUPLICATE: drop it: this cell is there, or the call was executed
 * @EBPFS_TAKE_STALE: drop it: of an older call, or cut as in an earlier attempt
 * @EBPFS_TAKE_BAD: drop it: no such slot, or it contradicts the call
 */
enum ebpfs_take {
	EBPFS_TAKE_MORE,
	EBPFS_TAKE_READY,
	EBPFS_TAKE_DUPLICATE,
	EBPFS_TAKE_STALE,
	EBPFS_TAKE_BAD,
};

/**
 * struct ebpfs_served_slot - one slot
 * @seq: of the last call, 0 if none
 * @instance: of its reply
 * @total: bytes of its reply
 * @cell: bytes per fragment
 * @status: of its reply
 * @flags: of its reply
 * @attempt: of the call datagram that the reply answers: the one that started
 *	the execution, or the last one that had the kept reply sent again (not one
 *	that came while it was executed: the echo tells the client whether its
 *	retransmission was needed)
 * @state: enum ebpfs_served_state
 * @data_attempt: of the fragments in @got
 * @data_cell: of the fragments in @got, 0 if there are none
 * @data_total: bytes of data of the call
 * @got: fragments of data that are there
 */
struct ebpfs_served_slot {
	u64 seq;
	u64 got;
	u32 data_total;
	u16 data_cell;
	u8 data_attempt;
	u32 instance;
	u32 total;
	u16 cell;
	u16 status;
	u16 flags;
	u8 attempt;
	u8 state;
};

/**
 * struct ebpfs_served - one session
 * @slots: @nslots of them, memory owned by the caller, zeroed by init
 * @nslots: 1 to EBPFS_SLOTS_MAX
 * @next_instance: the last one given out
 */
struct ebpfs_served {
	struct ebpfs_served_slot *slots;
	u16 nslots;
	u32 next_instance;
};

/* @first_instance: random; instances count up from it and never are 0. */
void ebpfs_served_init(struct ebpfs_served *s, struct ebpfs_served_slot *slots, u16 nslots,
		       u32 first_instance);

/**
 * ebpfs_served_call() - a call arrived
 * @s: session
 * @c: the call
 * @send: out if RESEND: set of cells to send; if GATHER: set of cells of data to
 *	ask for, 0 for none
 */
enum ebpfs_serve ebpfs_served_call(struct ebpfs_served *s, const struct ebpfs_call_info *c,
				   u64 *send);

/**
 * ebpfs_served_data_run() - neighbouring fragments of a call's data arrived together
 * @s: session
 * @f: the first of them, parsed and verified
 * @n: how many, all parsed and verified; 1 to @f->ncells - @f->index
 * @fresh: out: set of those that were not there yet, in MORE and READY only
 *
 * As if each had come by itself: MORE and READY say to put the @fresh ones into the
 * slot's buffer, the others are duplicates.
 */
enum ebpfs_take ebpfs_served_data_run(struct ebpfs_served *s, const struct ebpfs_frag *f,
				      u32 n, u64 *fresh);

/* The same for one fragment. */
enum ebpfs_take ebpfs_served_data(struct ebpfs_served *s, const struct ebpfs_frag *f);

/* Which cells of data @slot, which is GATHERING, lacks. */
u64 ebpfs_served_missing(const struct ebpfs_served_slot *slot);

/**
 * ebpfs_served_done() - an execution has ended
 * @s: session
 * @id: of the call
 * @status: 0 or a positive error number
 * @flags: EBPFS_REPLY_*
 * @total: bytes of reply, 0 with an error
 * @send: out: set of cells to send: all
 *
 * Gives the reply a new instance.
 * Return: false if the slot has gone on to another call: throw the reply away.
 */
bool ebpfs_served_done(struct ebpfs_served *s, u64 id, u16 status, u16 flags, u32 total,
		       u64 *send);

/* An instance that no reply has or will have: newer than those before, older than those
 * that follow. For replies that another makes in this session's name. */
u32 ebpfs_served_instance(struct ebpfs_served *s);

/* The kept reply of @slot is to be dropped to save memory; a repetition will be
 * executed again. Only for calls that may be. */
void ebpfs_served_forget(struct ebpfs_served *s, u16 slot);

/* The data of @slot that are there are to be dropped, for want of memory; a
 * repetition of the call asks for them again. Only while they are gathered. */
void ebpfs_served_forget_data(struct ebpfs_served *s, u16 slot);

/* Head for cell @index of the kept reply of @slot, host order; the caller sets session. */
void ebpfs_served_frag(const struct ebpfs_served *s, u16 slot, u8 index, struct ebpfs_frag *f);

#endif /* EBPFS_CORE_SERVED_H */

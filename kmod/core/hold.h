/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a server's clients hold of its files: open files and leases; and who changes
 * a file meanwhile.
 *
 * A *holder* is whoever holds: one owner of the protocol. It holds a file at most once,
 * under the highest number that it asked with, *open*, under a *lease*, or both.
 *
 * A *change* is the time in which a call changes up to EBPFS_CHANGE_FILES files. From
 * its begin on nobody else gets a lease on them; it may be executed when all leases of
 * others that were there have been recalled, and until its end, and EBPFS_HOLD_REST
 * longer, nobody else gets one. Its own holder's leases stay, and it may get new ones:
 * that client knows what it is doing. Which files are being changed is kept by hash,
 * in EBPFS_HOLD_SLOTS slots, without a record for each file: two files that share a
 * slot cost a lease now and then, nothing else.
 *
 * A lease is recalled by messages that are repeated after 100 ms, doubling to 1 s,
 * until the holder answers, lets go of the file, or is to be fenced since it has said
 * nothing for the time that holders_fence says. Repetitions wait in one queue for each
 * pause, so that finding what is due never walks through what is not.
 *
 * What changes a file without a change here, a local process on the server, say, is
 * reported when it has happened: the leases on the file are recalled then, and nobody
 * waits. Such a recall is like any other: repeated until it is answered, and who does not
 * answer is fenced. (Holders know of no other end of a lease, so the one who is heard of
 * and does not answer would believe in it for good; who is not heard of any more ends
 * anyhow.) Nobody gets that lease anew before the recall was answered, but then at once:
 * a holder that asks after the report reads what is there now, and for as long as it has
 * no lease nobody would tell it of the next change.
 *
 * Limits: entries in all, as many as the caller gave memory for, and for each holder;
 * leases take three quarters of either at most, since without a lease a client is only
 * slower. What is over a limit is not granted.
 *
 * Pure; no allocation. Not locked: one user of a table, its holders and its changes at
 * a time (the daemon's hold.c has a mutex). Files are known by a key, bytes that the
 * caller chooses, equal for the same file only; the hash is keyed, since clients
 * choose among files.
 */
#ifndef EBPFS_CORE_HOLD_H
#define EBPFS_CORE_HOLD_H

#include "core/platform.h"

#define EBPFS_HOLD_KEY_MAX	128	/* bytes of a file's key */
#define EBPFS_CHANGE_FILES	4	/* RENAME: two directories, two files */
#define EBPFS_HOLD_SLOTS	4096	/* a power of two */
#define EBPFS_HOLD_EARLY	256	/* releases remembered that came too early */
#define EBPFS_HOLD_PAUSES	6	/* at once; 100, 200, 400, 800, 1000 ms */
#define EBPFS_HOLD_REST		EBPFS_NSEC_PER_SEC
#define EBPFS_HOLD_WALK		1024	/* holds that are looked at in one go */

struct ebpfs_hold;
struct ebpfs_held_file;

/**
 * struct ebpfs_hold_key - a file
 * @hash: ebpfs_hold_key_set()
 * @len: bytes of @bytes
 * @bytes: of the caller's choice
 */
struct ebpfs_hold_key {
	u64 hash;
	u16 len;
	u8 bytes[EBPFS_HOLD_KEY_MAX];
};

/**
 * struct ebpfs_holder - one who holds; all zero at first, its address is its identity
 * @first: of its holds
 * @count: how many
 * @leases: of these
 * @late: of these, recalled and not answered for too long
 * @ended: gets nothing more
 */
struct ebpfs_holder {
	struct ebpfs_hold *first;
	u32 count;
	u32 leases;
	u32 late;
	bool ended;
};

/**
 * struct ebpfs_hold - one holder's hold of one file; private
 * @holder: whose
 * @file: which
 * @others: the next one of @file
 * @next: of @holder
 * @prev: of @holder
 * @later: in the queue of recalls with the same pause
 * @sooner: likewise
 * @number: highest that it was asked with
 * @made: by which call, as long as no other was granted it; 0: by no matter which
 * @recall: id of the recall that is out, 0: none
 * @asked: when it was
 * @due: when it is to be sent next
 * @pause: index of the queue it is in
 * @open: held open
 * @lease: under a lease
 * @late: counted in holder->late
 */
struct ebpfs_hold {
	struct ebpfs_holder *holder;
	struct ebpfs_held_file *file;
	struct ebpfs_hold *others;
	struct ebpfs_hold *next;
	struct ebpfs_hold *prev;
	struct ebpfs_hold *later;
	struct ebpfs_hold *sooner;
	u64 number;
	u64 made;
	u64 recall;
	u64 asked;
	u64 due;
	u8 pause;
	bool open;
	bool lease;
	bool late;
};

struct ebpfs_change;

/**
 * struct ebpfs_change_part - a change of one file; private
 * @change: of which it is a part
 * @next: another that waits for leases on the same file
 * @file: that it waits for, NULL: none
 * @hash: of the file
 */
struct ebpfs_change_part {
	struct ebpfs_change *change;
	struct ebpfs_change_part *next;
	struct ebpfs_held_file *file;
	u64 hash;
};

/**
 * struct ebpfs_change - a call that changes files; the caller's memory, until its end
 * @holder: by whom; NULL: somebody who never holds anything
 * @next: in the list of those that have become ready
 * @count: files, 0: it has not begun
 * @waiting: files with leases of others
 * @listed: it is in that list
 * @parts: its files
 */
struct ebpfs_change {
	const struct ebpfs_holder *holder;
	struct ebpfs_change *next;
	u8 count;
	u8 waiting;
	bool listed;
	struct ebpfs_change_part parts[EBPFS_CHANGE_FILES];
};

/**
 * struct ebpfs_held_file - a file that somebody holds; private
 * @next: in its bucket, or in the list of free ones
 * @holds: of it
 * @waiters: changes that wait for its leases
 * @opens: holders that have it open
 * @leases: on it
 * @key: which
 */
struct ebpfs_held_file {
	struct ebpfs_held_file *next;
	struct ebpfs_hold *holds;
	struct ebpfs_change_part *waiters;
	u32 opens;
	u32 leases;
	struct ebpfs_hold_key key;
};

/**
 * struct ebpfs_holds - a table
 * @memory: @max holds and as many files, and buckets; the caller's
 * @files: likewise
 * @buckets: @mask + 1 of them, a power of two
 * @max: holds in all
 * @max_one: holds of one holder
 * @fence: ns without an answer to a recall
 * @seed: random
 * @count: holds now
 * @opens: of these
 * @leases: of these
 * @recalls: of these
 */
struct ebpfs_holds {
	struct ebpfs_hold *memory;
	struct ebpfs_held_file *files;
	struct ebpfs_held_file **buckets;
	u32 mask;
	u32 max;
	u32 max_one;
	u64 fence;
	u64 seed;
	u32 count;
	u32 opens;
	u32 leases;
	u32 recalls;

	/* private */
	u32 used_holds;
	u32 used_files;
	struct ebpfs_hold *free_holds;
	struct ebpfs_held_file *free_files;
	u64 made;
	u32 serial;
	struct ebpfs_hold *first[EBPFS_HOLD_PAUSES];
	struct ebpfs_hold *last[EBPFS_HOLD_PAUSES];
	struct ebpfs_change *ready;
	struct {
		const struct ebpfs_holder *holder;
		u64 until;
		u32 running;
		bool several;
	} slots[EBPFS_HOLD_SLOTS];
	struct {
		const struct ebpfs_holder *holder;
		u64 hash;
		u64 number;
	} early[EBPFS_HOLD_EARLY];
};

/* @h: @memory, @files, @buckets (zeroed), @mask, @max, @max_one, @fence and @seed are set,
 * the rest is zero. */
void ebpfs_holds_init(struct ebpfs_holds *h);

/* A file by its key, @len at most EBPFS_HOLD_KEY_MAX. */
void ebpfs_hold_key_set(const struct ebpfs_holds *h, struct ebpfs_hold_key *key,
			const void *bytes, u16 len);

/**
 * ebpfs_hold_take() - hold a file from now on
 * @h: table
 * @holder: for whom
 * @key: which file
 * @number: of the hold; nothing happens if it has a higher one
 * @kinds: EBPFS_HOLD_*: asked for
 * @now: ns
 * @made: the call's, 0 at first: what ebpfs_hold_give_back() takes
 *
 * Return: EBPFS_HOLD_*: what of @kinds is held now, and may be told to the client in a
 * reply with what is read of the file after this.
 */
u32 ebpfs_hold_take(struct ebpfs_holds *h, struct ebpfs_holder *holder,
		    const struct ebpfs_hold_key *key, u64 number, u32 kinds, u64 now, u64 *made);

/**
 * ebpfs_hold_give_back() - end the hold that one call made
 * For a call that failed after that, or that is not answered. What another call of the
 * holder was granted, too, stays: the client may have been told.
 * Return: as ebpfs_hold_release().
 */
bool ebpfs_hold_give_back(struct ebpfs_holds *h, struct ebpfs_holder *holder,
			  const struct ebpfs_hold_key *key, u64 made);

/**
 * ebpfs_hold_release() - hold it no longer, unless under a higher number
 * If there is nothing to release, it is remembered for a while: what asks for a number
 * up to this one comes late and gets nothing.
 * Return: true if nobody has the file open now, and somebody had.
 */
bool ebpfs_hold_release(struct ebpfs_holds *h, struct ebpfs_holder *holder,
			const struct ebpfs_hold_key *key, u64 number);

/**
 * ebpfs_hold_drop() - @holder has ended: let go of one file that it holds
 * Return: true, and in @key which; @closed: nobody has it open now, and somebody had.
 * False: it holds nothing.
 */
bool ebpfs_hold_drop(struct ebpfs_holds *h, struct ebpfs_holder *holder,
		     struct ebpfs_hold_key *key, bool *closed);

/* How many have it open. */
u32 ebpfs_hold_opens(const struct ebpfs_holds *h, const struct ebpfs_hold_key *key);

/* Is it open, and somebody changing it (or, rarely, another)? */
bool ebpfs_hold_in_change(const struct ebpfs_holds *h, const struct ebpfs_hold_key *key);

/**
 * ebpfs_change_begin() - a change begins
 * @h: table
 * @c: change; what is in it does not matter
 * @holder: who changes
 * @keys: files, none twice
 * @count: how many, 1 to EBPFS_CHANGE_FILES
 * @wait: if there are leases of others, recall them and wait; else do not begin then
 * @now: ns
 *
 * Return: true: go on, and then ebpfs_change_end(). False: with @wait, do so when
 * ebpfs_change_ready() returns it (it may also be ended before); without, it has not
 * begun.
 */
bool ebpfs_change_begin(struct ebpfs_holds *h, struct ebpfs_change *c,
			const struct ebpfs_holder *holder, const struct ebpfs_hold_key *keys,
			unsigned int count, bool wait, u64 now);

/* Is @c, which has begun, a change of all of these? By hash: 2^-64 is never. */
bool ebpfs_change_covers(const struct ebpfs_change *c, const struct ebpfs_hold_key *keys,
			 unsigned int count);

/* The change has happened, or will not. */
void ebpfs_change_end(struct ebpfs_holds *h, struct ebpfs_change *c, u64 now);

/* One that waited and may go on now; NULL: no more. To be asked after everything that
 * may have ended a lease: release, drop, recalled. */
struct ebpfs_change *ebpfs_change_ready(struct ebpfs_holds *h);

/**
 * ebpfs_holds_changed() - a file was changed by somebody who is no holder and did not ask
 * @h: table
 * @key: which
 * @now: ns
 *
 * Return: how many leases are recalled now and were not before.
 */
u32 ebpfs_holds_changed(struct ebpfs_holds *h, const struct ebpfs_hold_key *key, u64 now);

/**
 * ebpfs_holds_changed_some() - so may all files have been whose keys begin alike
 * @h: table
 * @bytes: beginning of the keys
 * @len: how many
 * @at: 0 at first; where to go on. What is taken meanwhile may be left out.
 * @recalled: how many leases are recalled now and were not before is added to it
 * @now: ns
 *
 * Return: true: there is more; to be called again.
 */
bool ebpfs_holds_changed_some(struct ebpfs_holds *h, const void *bytes, u16 len, u32 *at,
			      u32 *recalled, u64 now);

/* The holder answers recall @id. False: it knows of no such recall. */
bool ebpfs_hold_recalled(struct ebpfs_holds *h, struct ebpfs_holder *holder, u64 id);

/**
 * ebpfs_holder_late() - does the holder leave a recall unanswered?
 * @holder: holder
 *
 * True at the latest a quarter of h->fence after the first RECALL, as far as
 * ebpfs_hold_due() is asked in time. From then on until it is false again, or the holder
 * has ended, the holder must be answered nothing: a client believes its leases for three
 * quarters of the lease time after the sending of what was answered last, and has to stop
 * before it is fenced, if RECALL alone does not reach it.
 */
static inline bool ebpfs_holder_late(const struct ebpfs_holder *holder)
{
	return holder->late;
}

/**
 * enum ebpfs_hold_due - what has to be done
 * @EBPFS_HOLD_WAIT: nothing before *next
 * @EBPFS_HOLD_SEND: send @recall
 * @EBPFS_HOLD_FENCE: recall.holder does not answer: end it
 */
enum ebpfs_hold_due {
	EBPFS_HOLD_WAIT,
	EBPFS_HOLD_SEND,
	EBPFS_HOLD_FENCE,
};

/**
 * struct ebpfs_hold_recall - a recall to be sent
 * @holder: to whom
 * @id: of it
 * @number: of the hold
 * @again: it is a repetition
 * @key: of the file
 */
struct ebpfs_hold_recall {
	struct ebpfs_holder *holder;
	u64 id;
	u64 number;
	bool again;
	struct ebpfs_hold_key key;
};

/**
 * ebpfs_hold_due() - one thing that has to be done now
 * @h: table
 * @now: ns
 * @recall: out
 * @next: out with WAIT: when something will be, EBPFS_NEVER: nothing is on its way
 */
enum ebpfs_hold_due ebpfs_hold_due(struct ebpfs_holds *h, u64 now,
				   struct ebpfs_hold_recall *recall, u64 *next);

#endif /* EBPFS_CORE_HOLD_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What owners hold of files, open files and leases, around the pure core/hold.c: keys
 * made of handles, calls that wait until leases were given back, RECALLs and the thread
 * that repeats them.
 *
 * Every call that changes something is a change of the core's, from hold_begin(), before
 * the operation looks at anything, to hold_end(). If leases of others are in the way, no
 * thread waits: op_run() says -EINPROGRESS, the call's job is parked, and whoever takes
 * the last answer gives it to the helpers again. Leases that a client asks for are on
 * record before the attributes of the reply are read.
 *
 * What is removed while somebody holds it open is orphan.c's. For its sake calls that make
 * or take names (CREATE, LINK, REMOVE, RENAME) do so one after the other in each
 * directory.
 *
 * What local processes change is watch.c's to find out; it comes to hold_changed() when it
 * has happened.
 *
 * Files are known by device and kernel handle, so that exports that overlap see each
 * other's holds.
 *
 * Locking: names locks (an array by hash of the directory, two of them in the order of
 * the array; helper threads, held across system calls), then orphan.c's, then
 * holds.lock, which is a leaf, held for a look-up or two, and guards the core's table,
 * owner->holds and the list of parked jobs. session.lock may be held around it.
 *
 * Memory: a table of HOLDS_MAX holds, touched as far as it is used, a quarter of them for
 * one owner; and jobs that wait, see waiting-max.
 */
#ifndef EBPFSD_HOLD_H
#define EBPFSD_HOLD_H

#include "core/hold.h"
#include "handle.h"

struct export;
struct file;
struct hold_owner;
struct job;
struct op;
struct op_result;
struct owner;
struct server;

#define HOLD_NAMES		64		/* names locks */

/**
 * struct file_key - what a file is known by
 * @dev_major: of its filesystem
 * @dev_minor: likewise
 * @type: of the kernel's handle
 * @len: bytes of @bytes
 * @kind: file type, as mode >> 12
 * @bytes: the kernel's handle
 */
struct file_key {
	__le32 dev_major;
	__le32 dev_minor;
	__le16 type;
	u8 len;
	u8 kind;
	u8 bytes[HANDLE_KERNEL_MAX];
};

_Static_assert(sizeof(struct file_key) <= EBPFS_HOLD_KEY_MAX, "a file's key fits");

/**
 * struct hold_change - a call's part in this; all zero at first
 * @core: the change
 * @srv: server; NULL: it has not begun
 * @holder: who waits, NULL: none that is counted
 * @job: that is to be parked, NULL: none can be
 * @next: parked jobs
 * @prev: likewise
 * @parked: in that list
 * @ready: it could go on before it was parked
 * @made: the hold that the call made, for ebpfs_hold_give_back()
 * @nlocked: names locks that are held
 * @locked: their indices
 * @has_victim: a file may lose its last name
 * @linked: orphan.c gave it another
 * @victim: it, O_PATH
 * @victim_mode: its type
 * @victim_ino: its number
 * @victim_key: its key
 */
struct hold_change {
	struct ebpfs_change core;
	struct server *srv;
	struct hold_owner *holder;
	struct job *job;
	struct hold_change *next;
	struct hold_change *prev;
	bool parked;
	bool ready;
	u64 made;
	u8 nlocked;
	u8 locked[2];
	bool has_victim;
	bool linked;
	int victim;
	u32 victim_mode;
	u64 victim_ino;
	struct ebpfs_hold_key victim_key;
};

/**
 * struct holds - all that is held
 * @lock: see above
 * @wake: something is to be sent, or @stop
 * @table: the core's
 * @parked: jobs that wait
 * @nparked: how many
 * @max_parked: most of them; of one owner a quarter
 * @names: locks
 * @stop: nothing more is parked
 * @running: the thread exists
 * @thread: sends RECALLs
 * @srv: whose
 */
struct holds {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct ebpfs_holds table;
	struct hold_change *parked;
	u32 nparked;
	u32 max_parked;
	pthread_mutex_t names[HOLD_NAMES];
	bool stop;
	bool running;
	pthread_t thread;
	struct server *srv;
};

/* @lease: ms; @max: holds in all, a power of two. 0 or -ENOMEM. */
int holds_init(struct holds *hs, struct server *srv, u64 lease, u32 max, u32 max_parked);
/* Start the thread. 0 or -errno. */
int holds_start(struct holds *hs);
/* End it, and what is parked. @deadline: on CLOCK_REALTIME. True if it ended by then. */
bool holds_stop(struct holds *hs, const struct timespec *deadline);
/* No thread and no session exists any more. */
void holds_fini(struct holds *hs);

/* owners.drop_holds */
void holds_drop(struct server *srv, struct owner *owner);

/* Does the owner leave a RECALL unanswered? Then nothing that it sends is answered, so that
 * it stops believing its leases before it is fenced (ebpfs_holder_late()). Any thread, no
 * lock; cheap. */
bool hold_owner_late(const struct owner *owner);

/* How many holds there are, and how many of them are leases. */
void holds_count(struct holds *hs, u32 *count, u32 *leases, u32 *parked);

/**
 * hold_take() - hold a file as the call asks for
 * @op: GETATTR, LOOKUP, CREATE or TMPFILE
 * @fh: handle of the file, ours
 *
 * Does not wait. Before the attributes of the reply are read.
 * Return: EBPFS_REPLY_*
 */
u16 hold_take(struct op *op, const u8 *fh);

/* The call failed after all. */
void hold_give_back(struct op *op, const u8 *fh);

/* Nobody hears of @res, the client has given the call up: nor does it know what it holds. */
void hold_late(struct job *job, const struct op_result *res);

/* Flags of a reply that an earlier execution left for @op, its bytes in op->buf. */
u16 hold_replayed(struct op *op, u16 flags, u32 total);

/**
 * hold_begin() - a call is going to change something
 * @op: the call
 * @file: its file
 *
 * Return: 0: it may, and hold_end() must follow; -EINPROGRESS: hold_park() it; -EAGAIN:
 * this thread must not wait, or too many do; or another -errno.
 */
int hold_begin(struct op *op, const struct file *file);
void hold_end(struct op *op);

enum hold_park {
	HOLD_PARKED,	/* it is not the caller's any more */
	HOLD_GO,	/* run it again */
	HOLD_DROP,	/* the daemon stops */
};

enum hold_park hold_park(struct job *job);

/* The job of @ch is not going to be executed. */
void hold_cancel(struct hold_change *ch);

/* A local process has changed the file: tell those with leases. Nobody waits. How many. */
u32 hold_changed(struct server *srv, const struct ebpfs_hold_key *key);

/* It may have changed any file of that filesystem. */
u32 holds_changed(struct server *srv, u32 dev_major, u32 dev_minor);

/* RECALLED. */
void hold_recalled(struct server *srv, struct owner *owner, u64 id);

/* RELEASE: 0 or -errno. In helper threads. */
int op_release(struct op *op);

/* Is the call's file open, and about to lose its name or to have lost it just now? Until
 * that call has ended nobody can say whether it is kept. */
bool hold_in_change(struct op *op);

/* Does it hold anything? A hint. */
bool hold_any(const struct owner *owner);

/* How many owners have it open. */
u32 hold_opens(struct server *srv, const struct ebpfs_hold_key *key);

/* The key of a file by its handle, which was checked. */
void hold_key_of(struct server *srv, const struct export *e, const u8 *fh,
		 struct ebpfs_hold_key *key);

#endif /* EBPFSD_HOLD_H */

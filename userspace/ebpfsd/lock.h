/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Advisory locks of clients, which are locks of the kernel's: local processes, and the
 * other nodes of a clustered filesystem, see them and are seen.
 *
 * For each (owner, lock owner, file, kind) that has something locked there is one open
 * file description: open file description locks of fcntl(2) for POSIX, flock(2) for
 * FLOCK. Nothing is ever waited for. Closing it lets go of all of it.
 *
 * What each has locked is remembered as ranges, too: to bound what the kernel has to
 * keep for a client, to close a description that has nothing locked any more, and to
 * tell who is in the way, which the kernel does not. A description is opened for
 * writing if the daemon can; where it cannot (a program that runs, an immutable file),
 * there are no write locks: ENOLCK.
 *
 * flock(2) cannot turn a shared lock into an exclusive one, or back, without letting go
 * of it first. If then somebody local takes it, the lock is lost and EAGAIN is the
 * answer, as on a local filesystem; clients of ours cannot come in between.
 *
 * A call may arrive when its client has given it up long ago, and even unlocked since.
 * Each has a number; the highest is remembered with the lock, and, when nothing is
 * locked any more, in a ring of LOCK_LATE per owner, which is as many calls as a
 * session can have outstanding.
 *
 * Who is refused and said WAIT is noted with the file, once for each owner, at most
 * LOCK_WAITERS of them, if a client of ours has a lock there. When one lets go of
 * something, all of those are told (RECALL_LOCK), and forgotten.
 *
 * Bounds: ranges of one owner: locks-max; of all: LOCKS_OWNERS times that;
 * descriptions of all: a share of the descriptors. Of the last two one client may have
 * half.
 *
 * Locking: struct lock_file's lock makes its holder the one user of the file's locks,
 * and is held across the system calls on their descriptors (helper threads and the one
 * that ends owners; workers never come here). locks.lock guards tables, lists and
 * counters, and is held for a moment only. Order: lock_file.lock, locks.lock,
 * owners.lock.
 */
#ifndef EBPFSD_LOCK_H
#define EBPFSD_LOCK_H

#include "core/wire.h"

struct export;
struct lock;
struct lock_file;
struct owner;
struct server;

#define LOCK_END	(~0ull >> 1)	/* "to the end of the file, wherever that is" */
#define LOCK_WAITERS	64
#define LOCK_LATE	1024
#define LOCKS_OWNERS	16
#define LOCKS_BUCKETS	4096

/**
 * struct lock_range - locked bytes
 * @start: first
 * @end: last
 * @pid: of who locked them
 * @type: EBPFS_LOCK_READ or WRITE
 */
struct lock_range {
	u64 start;
	u64 end;
	u32 pid;
	u8 type;
};

/**
 * struct lock_ranges - what one lock owner has locked of a file; all zero when empty
 * @list: sorted, without overlaps
 * @count: in use
 * @room: allocated
 */
struct lock_ranges {
	struct lock_range *list;
	u32 count;
	u32 room;
};

/* Memory for one more lock_ranges_set(). 0 or -ENOMEM. */
int lock_ranges_reserve(struct lock_ranges *r);

/**
 * lock_ranges_set() - lock or unlock bytes
 * @r: ranges, reserved
 * @what: replaces what was there; EBPFS_LOCK_NONE as its type: nothing does
 *
 * Adds two ranges at most.
 */
void lock_ranges_set(struct lock_ranges *r, const struct lock_range *what);

/* The first range that is in the way of @what, or NULL. */
const struct lock_range *lock_ranges_conflict(const struct lock_ranges *r,
					      const struct lock_range *what);

/* How many lock_ranges_set() would leave. */
u32 lock_ranges_after(const struct lock_ranges *r, const struct lock_range *what);

void lock_ranges_free(struct lock_ranges *r);

/**
 * struct locks - all of them
 * @lock: protects the rest, and what struct owner says
 * @files: hash table of files with locks
 * @fds: descriptions now
 * @ranges: now
 * @max_fds: most descriptions
 * @max_ranges: most ranges of one owner
 */
struct locks {
	pthread_mutex_t lock;
	struct lock_file *files[LOCKS_BUCKETS];
	u32 fds;
	u32 ranges;
	u32 max_fds;
	u32 max_ranges;
};

/**
 * struct lock_request - a LOCK in host order
 * @owner: whose mount
 * @e: export
 * @fh: handle, checked unless @range.type is NONE
 * @fh_len: its bytes
 * @number: arg of the call
 * @id: lock owner
 * @kind: EBPFS_LOCK_POSIX or FLOCK
 * @wait: note who is refused
 * @range: what, type and pid too; out: lock_test()
 */
struct lock_request {
	struct owner *owner;
	const struct export *e;
	const u8 *fh;
	u16 fh_len;
	u64 number;
	u64 id;
	u8 kind;
	bool wait;
	struct lock_range range;
};

void locks_init(struct locks *ls, u32 max_fds, u32 max_ranges);
/* Every owner has ended or has been given up. */
void locks_fini(struct locks *ls);

/**
 * lock_set() - lock or unlock
 * Waits for a disk, or for the other nodes of the filesystem. Return: 0; -EAGAIN:
 * somebody is in the way, or this comes late; -ENOLCK: over a limit; -EBUSY: for the
 * client to ask again; or another -errno.
 */
int lock_set(struct server *srv, struct lock_request *r);

/* Who is in the way? Of POSIX locks. @r->range and id: who, type NONE: nobody. For
 * somebody who is no client of ours pid and id are 0. 0 or -errno. */
int lock_test(struct server *srv, struct lock_request *r);

/* An owner has ended: let go of its locks. */
void locks_drop(struct server *srv, struct owner *o);

#endif /* EBPFSD_LOCK_H */

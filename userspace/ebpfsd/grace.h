/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The time after a start in which owners claim the locks again that they had before, and
 * nobody else may lock; and the file that tells the next start who they are.
 *
 * The file, owners-HASH in the state directory (HASH: of the addresses that we listen
 * on), has a line for each: client, number, export. An owner is written into it,
 * durably, before it is told that it got its first lock (owner_keep()). It is taken out
 * some time after it has let go of the last, since programs lock and unlock all the
 * time: at the earliest when the lease time has passed. One too many costs a grace
 * period, one too few a lock.
 *
 * If there is such a file at the start and it is not empty, LOCK is answered by
 * EBPFS_STATUS_GRACE, but with RECLAIM, by owners that are in it. It ends when all of
 * them have ended, or have said that they are finished, by RELEASE of number 0 (a LOCK
 * of another program may overtake a RECLAIM, and says nothing); at the latest after the
 * lease time. Until then those that have not finished stay in the file.
 *
 * Files that live on without a name need no such list: they are found in their directory,
 * and stay for the lease time after every start, whoever held them (orphan.h).
 *
 * A file that cannot be written is a warning, and locks are granted all the same.
 *
 * Locking: @file makes its holder the one who writes the file, and is held while the
 * disk is waited for (helper threads, and the one that ends owners). @lock guards the
 * list of those who are waited for, and is held for a moment. Order: file, lock,
 * owners.lock.
 */
#ifndef EBPFSD_GRACE_H
#define EBPFSD_GRACE_H

#include "core/platform.h"

struct config;
struct grace_owner;
struct owner;
struct server;

/**
 * struct grace - see above
 * @file: see above
 * @lock: see above
 * @path: of the file
 * @owners: list of those who are waited for
 * @waiting: it is not empty; READ_ONCE/WRITE_ONCE
 * @end: of it at the latest, ms
 * @stale: the file has to be written, but there is no hurry; READ_ONCE/WRITE_ONCE
 * @failed: when it could not be written, ms; under @file
 * @serial: of the last writing; under @file
 */
struct grace {
	pthread_mutex_t file;
	pthread_mutex_t lock;
	char *path;
	struct grace_owner *owners;
	bool waiting;
	u64 end;
	bool stale;
	u64 failed;
	u64 serial;
};

/* Read the file; @now: ms, from when on the grace period counts. */
void grace_start(struct grace *g, const struct config *c, u64 now);
void grace_stop(struct grace *g);

/**
 * grace_allows() - may it lock now?
 * @reclaim: what it had before
 *
 * Return: 0, -EBPFS_STATUS_GRACE, or -ENOLCK: it cannot have had that.
 */
int grace_allows(struct grace *g, struct owner *o, bool reclaim);

/* @o claims nothing more: it said so, or has ended. */
void grace_finished(struct grace *g, const struct owner *o);

/* Write the file if @o is not in it. May wait. */
void grace_keep(struct grace *g, struct owner *o);

/* owners.tick */
void grace_tick(struct server *srv, u64 now);

/* Is the grace period over, or was there none? */
bool grace_over(struct grace *g);

#endif /* EBPFSD_GRACE_H */

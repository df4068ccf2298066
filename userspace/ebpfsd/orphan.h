/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files without a name that live on because somebody holds them open (hold.h).
 *
 * Before a call may take the last name of a file that is held open, the daemon gives it
 * another, in the directory ORPHAN_DIR of the export's root: made of its handle, so that
 * the file is found by handle as before, also after a restart. The directory belongs to
 * the daemon: no call finds it, lists it or makes something of that name, anywhere. What
 * clients see of such a file has one link less, and so has the root, once it has the
 * directory; the directory is removed when the daemon stops and nothing is in it.
 *
 * After the call, what it did is looked at: if the file has kept a name, the other one is
 * taken away again. If it has none at all (no other could be made, or it was opened
 * meanwhile), and for directories always, a descriptor is kept until nobody holds the
 * file; that does not outlive the daemon. At most ORPHAN_KEPT_MAX are.
 *
 * When nobody holds a file any more its other name is removed, by a helper thread. What
 * an earlier life left is kept for the lease time after the start, for clients to claim.
 *
 * A file that was made without a name (TMPFILE) gets one here at once.
 *
 * A local process on the server may remove names as it likes; then the file is gone.
 *
 * Locking: one lock for changes of the directories, held across system calls in helper
 * threads; then one for the set, a leaf but for holds.lock. One set for the process.
 */
#ifndef EBPFSD_ORPHAN_H
#define EBPFSD_ORPHAN_H

#include "core/hold.h"

struct export;
struct op;
struct server;
struct statx;

#define ORPHAN_DIR	".ebpfs-orphans"
#define ORPHAN_KEPT_MAX	1024		/* descriptors */
#define ORPHAN_MAX	(1u << 16)	/* files */

/* After exports_open(), with all privileges: find what is left. @lease: ms. 0 or -ENOMEM. */
int orphans_start(struct server *srv, u64 lease);
/* No thread is left. */
void orphans_stop(void);

/* About once a second. */
void orphans_tick(struct server *srv, u64 now);

/* Is that a name that clients must not see? */
bool orphan_hidden(const void *name, u32 len);

/* op->change has a file that may lose its last name: before and after the call. The
 * names lock is held. */
void orphan_before(struct op *op);
void orphan_after(struct op *op);

/* The call has opened a file, by @fd, that lost its last name before it was held: keep it.
 * False: it is not kept. In helper threads. */
bool orphan_adopt(struct op *op, int fd, const u8 *fh);

/* TMPFILE has made a file, @fd: it gets a name here if it can, or else orphan_adopt() will
 * keep it; and that was in vain, nobody got it. In helper threads. */
void orphan_born(struct op *op, int fd, const u8 *fh);
void orphan_unborn(struct op *op, const u8 *fh);

/* Nobody has this file open any more. Does not wait. */
void orphan_closed(struct server *srv, const struct ebpfs_hold_key *key);

/* Remove what nobody has open. In helper threads. */
void orphans_sweep(struct server *srv);

/* What clients see of @sx. Cheap. */
void orphan_hide_links(const struct export *e, struct statx *sx);

/**
 * orphan_open() - files.held: a file without any name
 * @arg: the server
 * @e: export
 * @fh: handle, checked
 * @len: its bytes
 * @flags: of open(2)
 *
 * Return: descriptor, or -ESTALE if none is kept, or another -errno.
 */
int orphan_open(void *arg, const struct export *e, const u8 *fh, u16 len, int flags);

/* files.kept: is it such a file, by another name or by a descriptor? */
bool orphan_kept(void *arg, const struct export *e, const u8 *fh, u16 len);

#endif /* EBPFSD_ORPHAN_H */

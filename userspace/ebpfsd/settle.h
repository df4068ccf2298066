/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Effects that are found in the file that they were to change: APPEND, FALLOCATE,
 * COPY, SETXATTR, REMOVEXATTR.
 *
 * Such a call is executed under the lock of its file. Before the change its intent is
 * written (settle_intend()), and, still under the lock, that it was made
 * (settle_done()); so of each file at most one call can have died in between. The next
 * start looks at these files before it serves anybody (settle_log()).
 */
#ifndef EBPFSD_SETTLE_H
#define EBPFSD_SETTLE_H

#include "intent.h"

#define SETTLE_VALUE_MAX	65536	/* the kernel's limit, XATTR_SIZE_MAX */

/**
 * struct settle_note - a note, by which a later life finds the file
 * @fh_len: bytes of the handle, which follows
 * @len: bytes behind that: checksums of APPEND, a name that is not terminated
 */
struct settle_note {
	u16 fh_len;
	u16 len;
};

/* What a call has done, where other calls tell their effect's handle. */
struct settle_done {
	u64 offset;
	u32 count;
	u32 reserved;
};

/**
 * settle_intend() - intent_write() with a note
 * @op: its call
 * @a: EBPFS_INTENT_MARK bytes, as core/intent.h judges them by
 * @more: for the note
 * @len: bytes of it; if they are too many there is no note
 */
void settle_intend(struct op *op, const void *a, const void *more, u32 len);

/* It was done, so far. */
void settle_done(struct op *op, u64 offset, u32 count);

/**
 * settle_again() - has an earlier life done this call?
 * @op: the call
 * @fd: its file; where bytes are looked for, open for reading and writing
 * @name: of the attribute, NULL if there is none
 * @done: out: what it did
 *
 * Under the file's lock. Return: 1: yes. 0: no, or it can be done again. -errno: cannot
 * be found out.
 */
int settle_again(struct op *op, int fd, const char *name, struct settle_done *done);

/* At the start: look at all that is open in a log. Return: how many are settled. */
unsigned int settle_log(struct ebpfs_intents *log, const struct exports *exports);

#endif /* EBPFSD_SETTLE_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What calls do to the exported filesystem. No sessions, no sockets here: a
 * parsed call goes in, bytes of a reply and a status come out. Any thread.
 */
#ifndef EBPFSD_OPS_H
#define EBPFSD_OPS_H

#include <sys/stat.h>

#include "core/wire.h"

struct export;
struct file;
struct server;

/**
 * struct op_result - the outcome of a call
 * @status: 0 or a positive error number
 * @flags: EBPFS_REPLY_*
 * @total: bytes of reply
 */
struct op_result {
	u16 status;
	u16 flags;
	u32 total;
};

/* Most bytes the reply of @c takes. */
u32 op_room(const struct ebpfs_call_info *c);

/**
 * op_run() - execute a call
 * @srv: server
 * @e: export of the session
 * @c: call
 * @buf: for the reply, op_room() bytes, 8-aligned
 * @may_wait: the thread may wait for a disk
 * @now: ms
 * @res: out
 *
 * Return: 0 and @res, which may carry an error number for the client; or
 * -EAGAIN: it would have to wait, or, with @may_wait, it cannot be done just
 * now and the client should ask again.
 */
int op_run(struct server *srv, const struct export *e, const struct ebpfs_call_info *c, u8 *buf,
	   bool may_wait, u64 now, struct op_result *res);

/* READDIR of the open directory @dir; may wait. Return: bytes or -errno. */
int op_readdir(struct server *srv, const struct export *e, const struct ebpfs_call_info *c,
	       struct file *dir, u8 *buf, u64 now, u16 *flags);

/* Is there nothing in @file after byte @end? Costs a system call only near the
 * end, as far as that is known. */
bool op_at_end(struct file *file, u64 end);

/**
 * op_describe() - attributes and handle of an open file
 * @e: export it must lie in
 * @fd: file, O_PATH will do
 * @info: out: attr, fh, fh_len, type and flags
 * @fh: out, EBPFS_FH_MAX bytes
 *
 * Return: 0, -EXDEV if it is on another filesystem, or another -errno.
 */
int op_describe(const struct export *e, int fd, struct ebpfs_entry_info *info, u8 *fh);

#endif /* EBPFSD_OPS_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * LOCK: who may lock, and when; what that does is lock.c's. See ops.h.
 *
 * Who may write to a file may lock it in any way, who may read it in any way but a
 * write lock of fcntl(2), for which the client's file has to be open for writing.
 * Unlocking needs neither permission nor a file that can still be opened.
 */
#include "grace.h"
#include "files.h"
#include "lock.h"
#include "ops.h"
#include "server.h"
#include "stats.h"

static int may_lock(struct op *op, struct file *file, const struct lock_request *r)
{
	int err;

	if (file->mode != S_IFREG && file->mode != S_IFDIR)
		return -EINVAL;
	if (r->kind == EBPFS_LOCK_POSIX && r->range.type == EBPFS_LOCK_WRITE)
		return op->e->writable ? op_allowed(op, file, EBPFS_MAY_WRITE, true) : -EROFS;
	err = op_allowed(op, file, EBPFS_MAY_READ, true);
	if (err == -EACCES)
		err = op_allowed(op, file, EBPFS_MAY_WRITE, true);
	return err;
}

static int put_test(struct op *op, const struct lock_request *r)
{
	struct ebpfs_lock *out = (struct ebpfs_lock *)op->buf;

	memset(out, 0, sizeof(*out));
	out->owner = cpu_to_le64(r->id);
	out->start = cpu_to_le64(r->range.start);
	out->end = cpu_to_le64(r->range.end);
	out->pid = cpu_to_le32(r->range.pid);
	out->kind = r->kind;
	out->type = r->range.type;
	return sizeof(*out);
}

static int lock_or_test(struct op *op, struct lock_request *r, u8 flags)
{
	struct server *srv = op->srv;
	struct file *file;
	int err;

	err = files_open(&srv->files, op->e, r->fh, r->fh_len, FILE_ANY, op->now, &file);
	if (!err) {
		err = may_lock(op, file, r);
		files_put(file);
	}
	if (err == -EAGAIN)
		return -EBUSY;	/* nobody is in the way: for the client to ask again */
	if (!err)
		err = grace_allows(&srv->grace, op->owner, flags & EBPFS_LOCK_RECLAIM);
	if (err)
		return err;
	if (!(flags & EBPFS_LOCK_TEST))
		return lock_set(srv, r);
	err = lock_test(srv, r);
	return err ? err : put_test(op, r);
}

int op_lock(struct op *op)
{
	const struct ebpfs_call_info *c = op->c;
	struct lock_request r = {
		.owner = op->owner, .e = op->e, .fh = c->fh, .fh_len = c->fh_len,
		.number = c->arg,
	};
	struct ebpfs_lock l;
	int err;

	if (!op->may_wait)
		return -EAGAIN;
	if (ebpfs_parse_lock(c->data, &l) ||
	    (l.flags & EBPFS_LOCK_TEST && l.kind != EBPFS_LOCK_POSIX))
		return -EINVAL;
	r.id = le64_to_cpu(l.owner);
	r.kind = l.kind;
	r.wait = l.flags & EBPFS_LOCK_WAIT;
	r.range.start = le64_to_cpu(l.start);
	r.range.end = le64_to_cpu(l.end);
	r.range.pid = le32_to_cpu(l.pid);
	r.range.type = l.type;
	err = l.type == EBPFS_LOCK_NONE ? lock_set(op->srv, &r) : lock_or_test(op, &r, l.flags);
	op->refused = err == -EAGAIN;
	return err == -EBUSY ? -EAGAIN : err;
}

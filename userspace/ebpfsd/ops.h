/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What calls do to the exported filesystem. No sessions, no sockets here: a
 * parsed call goes in, bytes of a reply and a status come out. Any thread.
 *
 *	ops.c		looking: GETATTR, LOOKUP, READLINK, READ, STATFS
 *	readdir.c	READDIR
 *	ops_access.c	ACCESS, and who may look
 *	ops_change.c	CREATE, TMPFILE, REMOVE, RENAME, LINK, SETATTR
 *	ops_write.c	WRITE, WRITEATTR, COMMIT
 *	ops_space.c	FALLOCATE, SEEK, COPY, APPEND
 *	ops_lock.c	LOCK
 *	ops_xattr.c	GETXATTR, LISTXATTR, SETXATTR, REMOVEXATTR
 *
 * The daemon itself may open and read everything. What only looks is done as the
 * daemon once the kernel said that the user may (op_allowed()); what changes
 * something is done as the user, so that all of the kernel's rules hold.
 */
#ifndef EBPFSD_OPS_H
#define EBPFSD_OPS_H

#include <sys/stat.h>

#include "core/wire.h"
#include "tick.h"

struct data_run;
struct ebpfs_serve_file;
struct export;
struct file;
struct hold_change;
struct intent;
struct owner;
struct server;
struct user;

/**
 * struct op_state - what of a file tells whether it was changed
 * @change: its change attribute
 * @raw: the same as the next start of the daemon will see it, too
 * @ctime: ns
 * @size: bytes
 */
struct op_state {
	u64 change;
	u64 raw;
	u64 ctime;
	u64 size;
};

/**
 * struct op_seen - the file that a worker has just written
 * @e: its export; NULL: there is none
 * @ino: its number
 * @tick: the WRITE
 * @state: afterwards
 */
struct op_seen {
	const struct export *e;
	u64 ino;
	struct tick_change tick;
	struct op_state state;
};

/**
 * struct op - a call to be executed
 * @srv: server
 * @e: export of the session
 * @owner: of the session
 * @user: who acts, the export's squashing done; NULL: the daemon's own root
 * @c: the call, its data in one piece
 * @run: WRITE: where its data are if they are not
 * @buf: for the reply, op_room() bytes, 8-aligned
 * @seen: what the thread has written in this round, if nothing else since; NULL: it has no
 *	rounds, or the call is no WRITE
 * @may_wait: the thread may wait for a disk
 * @now: ms
 * @flags: EBPFS_REPLY_* of the reply
 * @refused: EAGAIN is the answer: somebody has a lock
 * @change: what the call has to do with holds (hold.h); NULL: it holds and changes
 *	nothing
 * @intent: the call's record in the log (intent.h), NULL: it has none
 * @made: handle of the regular file that the call has made, of @made_len bytes; 0: it has
 *	made none, or its handle was not needed so far
 * @made_len: its bytes
 */
struct op {
	struct server *srv;
	const struct export *e;
	struct owner *owner;
	const struct user *user;
	const struct ebpfs_call_info *c;
	const struct data_run *run;
	u8 *buf;
	struct op_seen *seen;
	bool may_wait;
	u64 now;
	u16 flags;
	bool refused;
	struct hold_change *change;
	struct intent *intent;
	u16 made_len;
	u8 made[EBPFS_FH_MAX] __attribute__((aligned(8)));
};

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
 * @op: everything but @flags is set
 * @res: out
 *
 * Return: 0 and @res, which may carry an error number for the client; or
 * -EAGAIN: it would have to wait, or, with @may_wait, it cannot be done just
 * now and the client should ask again; or -EINPROGRESS: it has to wait for leases,
 * see hold_park(). Nothing has been changed then.
 */
int op_run(struct op *op, struct op_result *res);

/* Each of these returns bytes of reply or -errno, -EAGAIN as op_run(). @file is
 * the call's, open in whatever way; @dir too. */
int op_readdir(struct op *op, struct file *dir);
int op_access(struct op *op, struct file *file);
/* EBPFS_MAY_*: what the caller may do with @fd, or a negative number if that would cost
 * more than it is worth; -EAGAIN: it has to wait. @asked, out: the kernel was asked, so that
 * the answer is newer than @sx. */
int op_may(struct op *op, int fd, const struct statx *sx, bool *asked);
int op_create(struct op *op, struct file *dir);
int op_tmpfile(struct op *op, struct file *dir);
int op_remove(struct op *op, struct file *dir);
int op_rename(struct op *op, struct file *dir);
int op_link(struct op *op, struct file *file);
int op_setattr(struct op *op, struct file *file);
int op_write(struct op *op, struct file *file);
int op_commit(struct op *op, struct file *file);
int op_getxattr(struct op *op, struct file *file);
int op_listxattr(struct op *op, struct file *file);
int op_setxattr(struct op *op, struct file *file);
int op_removexattr(struct op *op, struct file *file);
int op_fallocate(struct op *op, struct file *file);
int op_seek(struct op *op, struct file *file);	/* open for reading */
int op_copy(struct op *op, struct file *file);
int op_append(struct op *op, struct file *file);
int op_lock(struct op *op);			/* opens what it needs itself */

/**
 * op_parse_setattr() - attributes that are to be set, as this machine has to set them
 * @op: call
 * @from: struct ebpfs_setattr as received
 * @a: out, owner and group mapped
 *
 * Return: 0 or -errno.
 */
int op_parse_setattr(struct op *op, const void *from, struct ebpfs_setattr *a);

/* As the user: those of @valid, but the size. 0 or -1 and errno; *@changed is set with the
 * first thing that was. */
int op_set_attributes(const struct file *file, u32 valid, const struct ebpfs_setattr *a,
		      bool *changed);

/* The call's file, @any, open for writing, if the user may write. 0 or -errno. */
int op_open_to_write(struct op *op, struct file *any, struct file **file);

/**
 * struct op_before - a file that is about to be changed
 * @state: as it is, and after op_after() as it was then
 * @change: its change attribute before
 * @e: export
 * @fd: the file, open until op_after()
 * @tick: how its change attribute gets on
 * @open: op_after() is still to come
 * @blind: it was not looked at now, so the change counts in any case (tick.h)
 */
struct op_before {
	struct op_state state;
	u64 change;
	const struct export *e;
	int fd;
	struct tick_change tick;
	bool open;
	bool blind;
};

/* Before a change: 0 or -errno. If 0, op_after() or op_put_written() must come; if not,
 * op_after() does nothing. */
int op_before(const struct export *e, const struct file *file, struct op_before *b);

/**
 * op_before_write() - the same before a WRITE, which may follow another
 * @op: the call
 * @file: to be written
 * @b: out
 *
 * Of many WRITEs that came together each would be looked at twice, and the second time is
 * the first of the next one, unless another thread has begun a change between. What a local
 * process does in that moment, it might as well have done a moment later, during the WRITE.
 * Hence op_after() counts such a change in any case (tick.h), as if ctime had not moved.
 */
int op_before_write(struct op *op, const struct file *file, struct op_before *b);

/* The WRITE is done, op_after() has looked at @file, and nothing was done since. */
void op_wrote(struct op *op, const struct file *file, const struct op_before *b);

/**
 * op_after() - after a change, or what did not become one
 * @b: from op_before(); done with it once, it is left alone
 * @changed: may anything have changed?
 * @attr: out, may be NULL
 *
 * Return: 0 or -errno.
 */
int op_after(struct op_before *b, bool changed, struct ebpfs_attr *attr);

/* May what returned @ret have changed anything? These come halfway, too. */
static inline bool op_may_have_changed(int ret)
{
	return ret >= 0 || ret == -EIO || ret == -ENOSPC || ret == -EDQUOT || ret == -EFBIG ||
	       ret == -EINTR || ret == -EAGAIN;
}

/* Permissions may have changed. Where @any is no longer in the cache of files, another has
 * taken its place. */
void op_revoke(struct op *op, struct file *any);

/* Is nobody interested in the call any more? Not with its session locked. */
bool op_given_up(const struct op *op);

/* A reply of struct ebpfs_written, after the change (@changed: may it be one?), which
 * ends @b. Bytes of it, or -errno. */
int op_put_written(struct op *op, u64 verifier, u32 count, struct op_before *b, bool changed,
		   struct file *file);

/* -errno of a call that changed nothing; what may pass is for the client to repeat. */
static inline int op_failed(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == EINTR ? -EAGAIN : -err;
}

/* -errno after the change happened: not to be taken for "ask again". */
static inline int op_certain(int err)
{
	return err == -EAGAIN ? -EIO : err;
}

/* Bring what was written through @file to stable storage; nobody asked for it. */
void op_flush(struct server *srv, struct file *file);

/* What was not committed may be lost: clients learn of it by the verifier. */
void op_write_back_failed(struct server *srv, const struct export *e, int err);

/**
 * op_allowed() - may the user?
 * @op: who, and may this thread wait
 * @file: what
 * @may: EBPFS_MAY_*, all of them are needed
 * @use: as a server has to see it that does not know what is open: an owner may
 *	read and write, and what may be executed may be read (NFS servers say so)
 *
 * What the kernel said holds for a moment (see files.h).
 * Return: 0, -EACCES, -EAGAIN: it would have to wait; or another -errno.
 */
int op_allowed(struct op *op, struct file *file, u32 may, bool use);

/* Is there nothing in @file after byte @end? Costs a system call only near the
 * end, as far as that is known. */
bool op_at_end(struct file *file, u64 end);

/**
 * op_describe() - attributes and handle of a file
 * @e: export it must lie in
 * @dir: directory, or the file itself; O_PATH will do
 * @name: the file's in @dir; "" for @dir itself. Two system calls look at it: who may
 *	not rule out that it comes to mean another between them opens it first
 * @info: out: attr, fh, fh_len, type and flags
 * @fh: out, EBPFS_FH_MAX bytes
 *
 * Return: 0, -EXDEV if it is on another filesystem, or another -errno.
 */
int op_describe(const struct export *e, int dir, const char *name,
		struct ebpfs_entry_info *info, u8 *fh);

/* The same of what the kernel has said (grant_describe()); @f is changed. */
int op_described(const struct export *e, struct ebpfs_serve_file *f, struct ebpfs_entry_info *info,
		 u8 *fh);

/* Attributes of an open file that must lie in @e. 0 or -errno. */
int op_attr(const struct export *e, int fd, struct ebpfs_attr *attr);

/* LOOKUP's and CREATE's reply, of @fd, which is consumed, held as the call asks for.
 * @access: FILE_*, how @fd is open. Return: bytes or -errno: -ESTALE: it has lost its
 * name since it was opened. */
int op_put_entry(struct op *op, int fd, u8 access);

/* May @op be tried by a thread that must not wait? */
bool op_quick(const struct export *e, u16 op);

/* A name of a call, NUL terminated. */
static inline void op_name(char to[EBPFS_NAME_MAX + 1], const u8 *name, u16 len)
{
	/* The parser let no '/', NUL, "." or ".." through. */
	memcpy(to, name, len);
	to[len] = '\0';
}

#endif /* EBPFSD_OPS_H */

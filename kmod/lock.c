// SPDX-License-Identifier: GPL-2.0
/*
 * Advisory locks, fcntl(2) and flock(2), which hold between clients.
 *
 * A lock is taken at the server first and then noted in the kernel's own lists, which
 * know what to unlock at close, at exit and at a reclaim; and let go of in the other
 * order. Whoever locks is known to the server by a number made from the kernel's lock
 * owner.
 *
 * Nobody waits at the server: a lock that is not to be had is asked for again, when
 * the server says that it may be free (RECALL of kind LOCK), and from time to time.
 *
 * Taking a lock is a moment of truth as opening is: what others changed before they
 * let go is seen afterwards, and what was changed here is at the server before we
 * let go.
 *
 * If a server has lost our locks they are claimed again (ebpfs_locks_reclaim()). One
 * that somebody else has got meanwhile is lost: reads and writes of the file fail with
 * EIO until nobody here has a lock on it or the file is closed.
 *
 * A server ignores a call that a later one of the same lock owner has overtaken.
 * Therefore the inode's lock_mutex is held over each call, outside of the kernel's
 * locks of lists, but never while a lock is waited for. Only a task that is on its way
 * out does not wait for it: nobody else locks as that owner any more.
 *
 * Context: process, sleeps. Waiting for a lock can be interrupted as POSIX has it;
 * calls can be killed.
 */
#include <linux/delay.h>
#include <linux/filelock.h>
#include <linux/net.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "fs.h"

#define EBPFS_LOCK_AGAIN	(HZ / 20)	/* first; doubled up to ... */
#define EBPFS_LOCK_AGAIN_MAX	(2 * HZ)
#define EBPFS_GRACE_AGAIN	(HZ / 2)

/**
 * struct ebpfs_unlock - an unlock, which goes on when its caller is killed
 * @req: the call
 * @lock: its data
 * @refs: the caller and the call
 * @done: the server has answered
 * @fh: handle
 */
struct ebpfs_unlock {
	struct ebpfs_req req;
	struct ebpfs_lock lock;
	refcount_t refs;
	struct completion done;
	u8 fh[EBPFS_FH_MAX];
};

static siphash_aligned_key_t ebpfs_lock_key;

/* Kernel addresses do not leave the machine. */
static u64 ebpfs_lock_owner(const struct file_lock *fl)
{
	net_get_random_once(&ebpfs_lock_key, sizeof(ebpfs_lock_key));
	return siphash_1u64((uintptr_t)fl->c.flc_owner, &ebpfs_lock_key);
}

static void ebpfs_lock_fill(struct ebpfs_lock *l, const struct file_lock *fl, u8 flags)
{
	bool flock = fl->c.flc_flags & FL_FLOCK;

	memset(l, 0, sizeof(*l));
	l->owner = cpu_to_le64(ebpfs_lock_owner(fl));
	l->start = cpu_to_le64(flock ? 0 : fl->fl_start);
	l->end = cpu_to_le64(flock ? OFFSET_MAX : fl->fl_end);
	l->pid = cpu_to_le32(fl->c.flc_pid);
	l->kind = flock ? EBPFS_LOCK_FLOCK : EBPFS_LOCK_POSIX;
	l->type = lock_is_unlock((struct file_lock *)fl) ? EBPFS_LOCK_NONE :
		  lock_is_write((struct file_lock *)fl) ? EBPFS_LOCK_WRITE : EBPFS_LOCK_READ;
	l->flags = flags;
}

/* One call. @answer: of TEST, or NULL. 0 or the server's error. */
static int ebpfs_lock_call(struct inode *inode, const struct file_lock *fl, u8 flags,
			   struct ebpfs_lock *answer)
{
	struct ebpfs_lock l;
	struct ebpfs_req req = {
		.op = EBPFS_OP_LOCK,
		.data = &l,
		.data_len = sizeof(l),
		.buf = answer,
		.limit = answer ? sizeof(*answer) : 0,
	};
	int err;

	ebpfs_lock_fill(&l, fl, flags);
	ebpfs_req_prepare(&req, ebpfs_mnt(inode));
	req.arg = atomic64_inc_return(&EBPFS_SB(inode->i_sb)->next_hold);
	err = ebpfs_call_req(inode, &req);
	if (!err && answer &&
	    (req.res.total != sizeof(*answer) || ebpfs_parse_lock(answer, &l)))
		err = -EIO;
	return err;
}

static void ebpfs_unlock_put(struct ebpfs_unlock *u)
{
	if (refcount_dec_and_test(&u->refs))
		kfree(u);
}

static void ebpfs_unlock_done(struct ebpfs_req *req, int err)
{
	struct ebpfs_unlock *u = container_of(req, struct ebpfs_unlock, req);

	/* There was no room to remember the two parts of a range: the server has more than
	 * it should, until the rest is let go of, too.
	 */
	if (err == -ENOLCK)
		pr_warn_ratelimited("ebpfs: the server could not let go of a part of a lock\n");
	complete(&u->done);
	ebpfs_unlock_put(u);
}

/* A task that ends, or the kernel's own that closes files for others: waiting could
 * not be ended.
 */
static bool ebpfs_must_not_wait(void)
{
	return current->flags & (PF_EXITING | PF_KTHREAD);
}

/* Let go of @fl's range at the server, and wait for it unless killed. */
static void ebpfs_unlock(struct inode *inode, const struct file_lock *fl)
{
	const struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_unlock *u = kzalloc(sizeof(*u), GFP_KERNEL | __GFP_NOFAIL);

	refcount_set(&u->refs, 2);
	init_completion(&u->done);
	ebpfs_lock_fill(&u->lock, fl, 0);
	u->lock.type = EBPFS_LOCK_NONE;
	ebpfs_req_prepare(&u->req, ebpfs_mnt(inode));
	u->req.deadline = EBPFS_NEVER;
	u->req.op = EBPFS_OP_LOCK;
	u->req.arg = atomic64_inc_return(&EBPFS_SB(inode->i_sb)->next_hold);
	u->req.hash = ei->hash;
	/* The inode may be gone when the call ends. */
	memcpy(u->fh, ei->fh, ei->fh_len);
	u->req.fh = u->fh;
	u->req.fh_len = ei->fh_len;
	u->req.data = &u->lock;
	u->req.data_len = sizeof(u->lock);
	u->req.done = ebpfs_unlock_done;
	ebpfs_req_submit(&u->req);
	if (!ebpfs_must_not_wait())
		wait_for_completion_killable(&u->done);
	ebpfs_unlock_put(u);
}

/* Has nobody here a lock on the file any more? */
static bool ebpfs_unlocked(struct inode *inode)
{
	const struct file_lock_context *ctx = locks_inode_context(inode);

	return !ctx || (list_empty_careful(&ctx->flc_posix) &&
			list_empty_careful(&ctx->flc_flock));
}

static int ebpfs_let_go(struct file *file, struct file_lock *fl)
{
	struct inode *inode = file_inode(file);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	unsigned int flags = fl->c.flc_flags;
	bool mine;
	int err;

	/* Every close by a process asks for this, also of those that never had one: they
	 * are not to wait for a server. Until it is gone there, too, nobody here gets it.
	 */
	fl->c.flc_flags |= FL_EXISTS;
	err = locks_lock_file_wait(file, fl);
	fl->c.flc_flags = flags;
	if (err)
		return err == -ENOENT ? 0 : err;
	if (S_ISREG(inode->i_mode)) {
		ebpfs_append_settle(inode);
		filemap_write_and_wait(inode->i_mapping);
	}
	mine = ebpfs_must_not_wait() ? mutex_trylock(&ei->lock_mutex) :
				       !mutex_lock_killable(&ei->lock_mutex);
	ebpfs_unlock(inode, fl);
	if (ebpfs_unlocked(inode))
		WRITE_ONCE(ei->lock_lost, false);
	if (mine)
		mutex_unlock(&ei->lock_mutex);
	return 0;
}

/* Waits until it is worth while to ask again. 0, or -ERESTARTSYS: a signal. */
static int ebpfs_lock_pause(struct inode *inode, long *jiffies_left)
{
	struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);
	DEFINE_WAIT(wait);
	long left = *jiffies_left;

	prepare_to_wait(&sbi->lock_wait, &wait, TASK_INTERRUPTIBLE);
	if (!signal_pending(current) && !READ_ONCE(sbi->mnt.aborted))
		left = schedule_timeout(left);
	finish_wait(&sbi->lock_wait, &wait);
	*jiffies_left = left > 0 ? EBPFS_LOCK_AGAIN :
				   min(*jiffies_left * 2, (long)EBPFS_LOCK_AGAIN_MAX);
	return signal_pending(current) ? -ERESTARTSYS : 0;
}

/* It may have been done at the server, and is not to be. What was held of the range
 * before is gone with it.
 */
static void ebpfs_lock_undo(struct inode *inode, const struct file_lock *fl)
{
	ebpfs_unlock(inode, fl);
	if (!ebpfs_unlocked(inode))
		ebpfs_reclaim_soon(inode);
}

/* One try, at the server and here. */
static int ebpfs_lock_try(struct file *file, struct file_lock *fl, bool wait)
{
	struct inode *inode = file_inode(file);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	unsigned int flags = fl->c.flc_flags;
	int err;

	if (mutex_lock_killable(&ei->lock_mutex))
		return -EINTR;
	err = ebpfs_lock_call(inode, fl, wait ? EBPFS_LOCK_WAIT : 0, NULL);
	if (!err) {
		/* Nobody here is in the way: they would be there, too. */
		fl->c.flc_flags &= ~FL_SLEEP;
		err = locks_lock_file_wait(file, fl);
		fl->c.flc_flags = flags;
		if (err < 0)
			ebpfs_lock_undo(inode, fl);
	} else if (err == -EINTR || err == -ETIMEDOUT) {
		ebpfs_lock_undo(inode, fl);
	}
	mutex_unlock(&ei->lock_mutex);
	return err;
}

/* Is @err only that others may claim their locks again first? Then waits a while, and
 * makes it -ERESTARTSYS if a signal comes.
 */
static bool ebpfs_lock_grace(struct inode *inode, int *err)
{
	long pause = EBPFS_GRACE_AGAIN;

	if (*err != -EBPFS_STATUS_GRACE)
		return false;
	*err = ebpfs_lock_pause(inode, &pause);
	return !*err;
}

/* Waiting if the caller wants that. */
static int ebpfs_lock_both(struct file *file, struct file_lock *fl, bool wait)
{
	struct inode *inode = file_inode(file);
	long pause = EBPFS_LOCK_AGAIN;
	int err;

	do {
		err = ebpfs_lock_try(file, fl, wait);
	} while (ebpfs_lock_grace(inode, &err) ||
		 (err == -EAGAIN && wait && !(err = ebpfs_lock_pause(inode, &pause))));
	return err;
}

static int ebpfs_take(struct file *file, struct file_lock *fl, bool wait)
{
	struct inode *inode = file_inode(file);
	unsigned int flags = fl->c.flc_flags;
	int err;

	/* First past those who are here, without taking it yet. */
	fl->c.flc_flags |= FL_ACCESS;
	err = locks_lock_file_wait(file, fl);
	fl->c.flc_flags = flags;
	if (err < 0)
		return err;
	err = ebpfs_lock_both(file, fl, wait);
	if (err)
		return err;
	/* What others did before they let go. Clocks of filesystems tick slowly, so that
	 * attributes alone need not tell: without a lease nothing cached is believed.
	 */
	if (S_ISREG(inode->i_mode)) {
		if (!ebpfs_leased(inode))
			ebpfs_make_stale(inode);
		if (!ebpfs_revalidate(inode, true))
			ebpfs_revalidate_data(inode);
	}
	return 0;
}

int ebpfs_file_lock(struct file *file, int cmd, struct file_lock *fl)
{
	struct inode *inode = file_inode(file);
	int type = fl->c.flc_type, err;
	struct ebpfs_lock answer;

	if (IS_GETLK(cmd)) {
		posix_test_lock(file, fl);
		if (!lock_is_unlock(fl))
			return 0;
		/* Nobody here; the question again, to the server. */
		fl->c.flc_type = type;
		do {
			err = ebpfs_lock_call(inode, fl, EBPFS_LOCK_TEST, &answer);
		} while (ebpfs_lock_grace(inode, &err));
		if (err)
			return err;
		fl->c.flc_type = answer.type == EBPFS_LOCK_NONE ? F_UNLCK :
				 answer.type == EBPFS_LOCK_WRITE ? F_WRLCK : F_RDLCK;
		if (answer.type != EBPFS_LOCK_NONE) {
			fl->fl_start = le64_to_cpu(answer.start);
			fl->fl_end = le64_to_cpu(answer.end);
			/* Of another machine: no process here. */
			fl->c.flc_pid = -(pid_t)(le32_to_cpu(answer.pid) & 0x3fffffff);
		}
		return 0;
	}
	if (lock_is_unlock(fl))
		return ebpfs_let_go(file, fl);
	return ebpfs_take(file, fl, IS_SETLKW(cmd));
}

int ebpfs_file_flock(struct file *file, int cmd, struct file_lock *fl)
{
	if (!(fl->c.flc_flags & FL_FLOCK))
		return -ENOLCK;
	if (lock_is_unlock(fl))
		return ebpfs_let_go(file, fl);
	return ebpfs_take(file, fl, IS_SETLKW(cmd));
}

/* A server says that a lock may be free. Softirq. */
void ebpfs_lock_hint(struct ebpfs_mount *mnt)
{
	wake_up_all(&container_of(mnt, struct ebpfs_sb, mnt)->lock_wait);
}

/**
 * struct ebpfs_lock_copy - a lock that is to be claimed again
 * @fl: as the kernel has it
 * @cred: of who opened the file; a reference
 */
struct ebpfs_lock_copy {
	struct file_lock fl;
	const struct cred *cred;
};

static void ebpfs_locks_drop(struct ebpfs_lock_copy *copies, unsigned int n)
{
	while (n--)
		put_cred(copies[n].cred);
	kvfree(copies);
}

/* Copies of at most @max locks of a list; how many there are. */
static unsigned int ebpfs_locks_copy(struct list_head *list, struct file_lock_context *ctx,
				     struct ebpfs_lock_copy *copies, unsigned int max)
{
	struct file_lock *fl, *copy;
	unsigned int n = 0;

	spin_lock(&ctx->flc_lock);
	list_for_each_entry(fl, list, c.flc_list) {
		if (n++ >= max)
			continue;
		copies[n - 1].cred = get_cred(fl->c.flc_file->f_cred);
		copy = &copies[n - 1].fl;
		locks_init_lock(copy);
		copy->c.flc_owner = fl->c.flc_owner;
		copy->c.flc_pid = fl->c.flc_pid;
		copy->c.flc_flags = fl->c.flc_flags;
		copy->c.flc_type = fl->c.flc_type;
		copy->fl_start = fl->fl_start;
		copy->fl_end = fl->fl_end;
	}
	spin_unlock(&ctx->flc_lock);
	return n;
}

static void ebpfs_lock_reclaim(struct inode *inode, const struct ebpfs_lock_copy *copy)
{
	const struct ebpfs_mount *mnt = ebpfs_mnt(inode);
	const struct cred *old = override_creds(copy->cred);
	const struct file_lock *fl = &copy->fl;
	int err;

	err = ebpfs_lock_call(inode, fl, EBPFS_LOCK_RECLAIM, NULL);
	if (err == -ENOLCK) {	/* too late, but it may be free still */
		while ((err = ebpfs_lock_call(inode, fl, 0, NULL)) == -EBPFS_STATUS_GRACE &&
		       !READ_ONCE(mnt->aborted))
			msleep(500);
	}
	revert_creds(old);
	if (!err || READ_ONCE(mnt->aborted))
		return;
	pr_warn_ratelimited("ebpfs: %s: the server gave a lock of file %lu to somebody else (error %d): reading and writing it fails until it is unlocked\n",
			    mnt->source, inode->i_ino, err);
	WRITE_ONCE(EBPFS_I(inode)->lock_lost, true);
}

/**
 * ebpfs_locks_reclaim() - the server lost what it held for us
 * @inode: an open file
 *
 * What is unlocked meanwhile here is unlocked at the server afterwards.
 *
 * Context: process, a work.
 */
void ebpfs_locks_reclaim(struct inode *inode)
{
	struct file_lock_context *ctx = locks_inode_context(inode);
	unsigned int max = 16, posix, all = 0, i;
	struct ebpfs_lock_copy *copies = NULL;

	if (!ctx)
		return;
	mutex_lock(&EBPFS_I(inode)->lock_mutex);
	do {
		ebpfs_locks_drop(copies, min(all, max / 2));
		copies = kvmalloc_array(max, sizeof(*copies), GFP_KERNEL | __GFP_NOFAIL);
		posix = ebpfs_locks_copy(&ctx->flc_posix, ctx, copies, max);
		all = posix;
		if (posix < max)
			all += ebpfs_locks_copy(&ctx->flc_flock, ctx, copies + posix, max - posix);
	} while ((posix >= max || all > max) && (max *= 2));
	for (i = 0; i < all; i++)
		ebpfs_lock_reclaim(inode, &copies[i]);
	mutex_unlock(&EBPFS_I(inode)->lock_mutex);
	ebpfs_locks_drop(copies, all);
}

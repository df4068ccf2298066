// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT: past the page cache, a round of up to EBPFS_DIRECT_BYTES at a time, whose
 * units are all under way together.
 *
 * A READ's bytes go straight into the caller's pages, which a bio holds meanwhile: they
 * are pinned, and marked dirty, with the block layer's functions. A read that fits one
 * round may be asynchronous (io_uring, libaio): it ends in softirq, or in its maker's
 * context if it has ended by the time that its calls are submitted. Any other one is made
 * round by round by whoever waits for it. An asynchronous read of a process that dies is
 * ended by libaio's cancellation; io_uring does not wait for it.
 *
 * A WRITE's bytes are copied, since a page that changes on its way would not match its
 * checksum. It returns when it is on the server's stable storage: a round of several
 * units is committed, and what a server has forgotten by then is written again.
 *
 * The VFS's helpers see to it that what is cached of the range is written back before,
 * and thrown away after. Context: process, sleeps, killable, but where told.
 */
#include <linux/aio.h>
#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "fs.h"
#include "read.h"

#define EBPFS_DIRECT_BYTES	(1u << 20)

/**
 * struct ebpfs_direct_unit - one call of a round
 * @round: of which it is a part
 * @req: the call
 * @pages: of a READ: where its bytes go
 * @buf: of a WRITE: its bytes, owned by the unit
 * @len: bytes of it
 * @err: how it ended
 * @reply: of a WRITE
 */
struct ebpfs_direct_unit {
	struct ebpfs_direct *round;
	struct ebpfs_req req;
	struct ebpfs_pages pages;
	void *buf;
	u32 len;
	int err;
	struct ebpfs_written reply;
};

/**
 * struct ebpfs_direct - a round
 * @iocb: of an asynchronous read, which is told the result; NULL: @done is waited for
 * @bio: of a read: holds the caller's pages
 * @user: of a read: they are a user's, and so made dirty
 * @refs: the round's maker or, if it is asynchronous, its end; and @kill
 * @pending: units that have not ended, and the one who starts them
 * @done: @pending is 0
 * @kill: cancels what is under way
 * @count: of @units
 * @units: in order of their places in the file
 */
struct ebpfs_direct {
	struct kiocb *iocb;
	struct bio *bio;
	bool user;
	refcount_t refs;
	atomic_t pending;
	struct completion done;
	struct work_struct kill;
	u32 count;
	struct ebpfs_direct_unit units[] __counted_by(count);
};

static void ebpfs_direct_kill(struct ebpfs_direct *round)
{
	u32 i;

	for (i = 0; i < round->count; i++)
		ebpfs_req_kill(&round->units[i].req, -EINTR);
}

static void ebpfs_direct_put(struct ebpfs_direct *round)
{
	u32 i;

	if (!refcount_dec_and_test(&round->refs))
		return;
	for (i = 0; i < round->count; i++)
		kvfree(round->units[i].buf);
	kfree(round);
}

static void ebpfs_direct_kill_work(struct work_struct *work)
{
	struct ebpfs_direct *round = container_of(work, struct ebpfs_direct, kill);
	struct ebpfs_mount *mnt = round->units[0].req.mnt;

	ebpfs_direct_kill(round);
	ebpfs_direct_put(round);
	ebpfs_calls_end(mnt);
}

/* A round for @bytes, cut into equal units of whole pages, which are zeroed. */
static struct ebpfs_direct *ebpfs_direct_alloc(u32 unit, u32 bytes)
{
	u32 n = DIV_ROUND_UP(bytes, unit), i;
	struct ebpfs_direct *round = kzalloc(struct_size(round, units, n), GFP_KERNEL);

	if (!round)
		return NULL;
	round->count = n;
	refcount_set(&round->refs, 1);
	init_completion(&round->done);
	for (i = 0; i < n; i++) {
		round->units[i].round = round;
		round->units[i].len = min(unit, bytes - i * unit);
	}
	return round;
}

/* What the units of a READ have brought: bytes, or an error. Any context. */
static ssize_t ebpfs_direct_got(const struct ebpfs_direct *round)
{
	ssize_t total = 0;
	u32 i;

	for (i = 0; i < round->count; i++) {
		const struct ebpfs_direct_unit *u = &round->units[i];
		u32 got = u->req.res.total;

		if (u->err)
			return total ?: u->err;
		total += got;
		if (got == u->len)
			continue;
		/* Only the end of the file makes a reply short. */
		if (!(u->req.res.flags & EBPFS_REPLY_EOF) && !total)
			return -EIO;
		break;
	}
	return total;
}

/* Gives the caller's pages back. Any context. */
static void ebpfs_direct_release(struct ebpfs_direct *round)
{
	if (round->user) {
		bio_check_pages_dirty(round->bio);
		return;
	}
	bio_release_pages(round->bio, false);
	bio_put(round->bio);
}

/* An asynchronous read has ended. Softirq or process context. */
static void ebpfs_direct_end(struct ebpfs_direct *round)
{
	struct kiocb *iocb = round->iocb;
	ssize_t n = ebpfs_direct_got(round);

	ebpfs_direct_release(round);
	if (n > 0)
		iocb->ki_pos += n;
	/* From here on nobody cancels it. */
	iocb->ki_complete(iocb, n);
	ebpfs_direct_put(round);
}

static void ebpfs_direct_done(struct ebpfs_req *req, int err)
{
	struct ebpfs_direct_unit *u = container_of(req, struct ebpfs_direct_unit, req);
	struct ebpfs_direct *round = u->round;

	u->err = err;
	if (!atomic_dec_and_test(&round->pending))
		return;
	if (round->iocb)
		ebpfs_direct_end(round);
	else
		complete(&round->done);
}

/* libaio: somebody cancels it, or dies. Interrupts are off; ki_complete() waits for us. */
static int ebpfs_direct_cancel(struct kiocb *iocb)
{
	struct ebpfs_direct *round = iocb->private;

	refcount_inc(&round->refs);
	/* The file may be closed before the work is done: the mount has to wait for it. */
	atomic_inc(&round->units[0].req.mnt->calls);
	queue_work(ebpfs_wq, &round->kill);
	return 0;
}

/* The unit's call, which is zeroed. */
static void ebpfs_direct_unit_init(struct ebpfs_direct_unit *u, struct inode *inode,
				   struct ebpfs_user *user, loff_t pos, u16 op)
{
	struct ebpfs_req *req = &u->req;

	ebpfs_req_prepare(req, ebpfs_mnt(inode));
	ebpfs_req_file(req, inode);
	req->op = op;
	req->user = user;
	req->arg = pos;
	req->done = ebpfs_direct_done;
	if (op == EBPFS_OP_WRITE) {
		req->data = u->buf;
		req->data_len = u->len;
		req->buf = &u->reply;
		req->limit = sizeof(u->reply);
	} else {
		req->count = u->len;
		req->pages = &u->pages;
		req->limit = u->len;
	}
}

/*
 * Makes the calls of the round, and waits unless it is asynchronous.
 *
 * Return: 0; -EINTR after a fatal signal; -EIOCBQUEUED: the round is no longer ours.
 */
static int ebpfs_direct_run(struct ebpfs_direct *round)
{
	bool async = round->iocb;
	LIST_HEAD(reqs);
	int err;
	u32 i;

	atomic_set(&round->pending, round->count + 1);
	for (i = 0; i < round->count; i++)
		list_add_tail(&round->units[i].req.link, &reqs);
	if (async)
		ebpfs_req_submit_async(&reqs);
	else
		ebpfs_req_submit_batch(&reqs);
	if (atomic_dec_and_test(&round->pending)) {
		if (!async)
			return 0;
		/* It can be cancelled until it is told to have ended. */
		ebpfs_direct_end(round);
	}
	if (async)
		return -EIOCBQUEUED;
	err = wait_for_completion_killable(&round->done);
	if (err) {
		ebpfs_direct_kill(round);
		/* Not for the network: at most for a filler on another CPU. */
		wait_for_completion(&round->done);
		err = -EINTR;
	}
	return err;
}

/* Pins the caller's pages, at most EBPFS_DIRECT_BYTES of them. Advances @to. */
static struct bio *ebpfs_direct_pin(struct iov_iter *to)
{
	size_t all = iov_iter_count(to);
	struct bio *bio;
	int err;

	iov_iter_truncate(to, EBPFS_DIRECT_BYTES);
	all -= iov_iter_count(to);
	bio = bio_alloc(NULL, bio_iov_vecs_to_alloc(to, BIO_MAX_VECS), REQ_OP_READ, GFP_KERNEL);
	err = bio_iov_iter_get_pages(bio, to);
	iov_iter_reexpand(to, iov_iter_count(to) + all);
	if (err) {
		bio_put(bio);
		return ERR_PTR(err);
	}
	if (user_backed_iter(to))
		bio_set_pages_dirty(bio);
	return bio;
}

static ssize_t ebpfs_direct_read(struct kiocb *iocb, loff_t pos, struct iov_iter *to, bool async)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct bio *bio = ebpfs_direct_pin(to);
	u32 unit = ebpfs_unit_size(EBPFS_I(inode), NULL), at = 0, i;
	struct ebpfs_direct *round;
	ssize_t n;

	if (IS_ERR(bio))
		return PTR_ERR(bio);
	round = ebpfs_direct_alloc(unit, bio->bi_iter.bi_size);
	if (!round) {
		bio_release_pages(bio, false);
		bio_put(bio);
		return -ENOMEM;
	}
	round->bio = bio;
	round->user = user_backed_iter(to);
	for (i = 0; i < round->count; i++) {
		struct ebpfs_direct_unit *u = &round->units[i];

		u->pages.vecs = bio->bi_io_vec;
		u->pages.at = bio->bi_iter;
		bvec_iter_advance(bio->bi_io_vec, &u->pages.at, at);
		ebpfs_direct_unit_init(u, inode, iocb->ki_filp->private_data, pos + at,
				       EBPFS_OP_READ);
		at += u->len;
	}
	if (async) {
		INIT_WORK(&round->kill, ebpfs_direct_kill_work);
		round->iocb = iocb;
		iocb->private = round;
		kiocb_set_cancel_fn(iocb, ebpfs_direct_cancel);
	}
	n = ebpfs_direct_run(round);
	if (n == -EIOCBQUEUED)
		return n;
	if (!n)
		n = ebpfs_direct_got(round);
	ebpfs_direct_release(round);
	ebpfs_direct_put(round);
	return n;
}

/* The round's WRITEs are answered: to stable storage with them. Return: bytes. */
static ssize_t ebpfs_direct_written(struct ebpfs_direct *round, struct inode *inode, u64 asked)
{
	__le64 verifier = 0;
	ssize_t total = 0;
	int err = 0;
	u32 i;

	if (round->count > 1)
		err = ebpfs_commit(inode, &verifier, false);
	for (i = 0; i < round->count && !err; i++) {
		struct ebpfs_direct_unit *u = &round->units[i];

		err = u->err;
		if (!err && (u->req.res.total != sizeof(u->reply) ||
			     le32_to_cpu(u->reply.count) != u->len))
			err = -EIO;
		if (!err && round->count > 1 && u->reply.verifier != verifier) {
			ebpfs_stat_inc(ebpfs_global_stats, write_again);
			u->req = (struct ebpfs_req){ .user = u->req.user, .arg = u->req.arg };
			ebpfs_direct_unit_init(u, inode, u->req.user, u->req.arg, EBPFS_OP_WRITE);
			u->req.count = EBPFS_WRITE_STABLE;
			err = ebpfs_call(&u->req);
		}
		if (err)
			break;
		ebpfs_written(inode, &u->reply, asked);
		total += u->len;
	}
	return total ?: err;
}

static ssize_t ebpfs_direct_write(struct kiocb *iocb, loff_t pos, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	u32 bytes = min_t(size_t, iov_iter_count(from), EBPFS_DIRECT_BYTES), i;
	u64 asked = ebpfs_now();
	struct ebpfs_direct *round;
	ssize_t n = 0;

	round = ebpfs_direct_alloc(ebpfs_unit_size(EBPFS_I(inode), NULL), bytes);
	if (!round)
		return -ENOMEM;
	for (i = 0; i < round->count; i++) {
		struct ebpfs_direct_unit *u = &round->units[i];

		u->buf = kvmalloc(u->len, GFP_KERNEL);
		if (!u->buf)
			n = -ENOMEM;
		else if (copy_from_iter(u->buf, u->len, from) < u->len)
			n = -EFAULT;
		if (n)
			goto out;
		ebpfs_direct_unit_init(u, inode, iocb->ki_filp->private_data, pos,
				       EBPFS_OP_WRITE);
		u->req.count = round->count > 1 ? EBPFS_WRITE_UNSTABLE : EBPFS_WRITE_STABLE;
		pos += u->len;
	}
	n = ebpfs_direct_run(round);
	if (!n)
		n = ebpfs_direct_written(round, inode, asked);
out:
	ebpfs_direct_put(round);
	return n;
}

/* Does a read fit one round? */
static bool ebpfs_direct_one_round(const struct iov_iter *iter)
{
	return iov_iter_count(iter) <= EBPFS_DIRECT_BYTES &&
	       (iov_iter_is_bvec(iter) ||
		iov_iter_npages(iter, BIO_MAX_VECS + 1) <= BIO_MAX_VECS);
}

/**
 * ebpfs_direct_io() - read or write past the page cache
 * @iocb: file, place and flags
 * @iter: the caller's memory
 *
 * Return: bytes; 0 at the end of the file; -EIOCBQUEUED: iocb->ki_complete() tells;
 * -EAGAIN: it would have to wait, and is not allowed to; or another error.
 */
ssize_t ebpfs_direct_io(struct kiocb *iocb, struct iov_iter *iter)
{
	bool read = iov_iter_rw(iter) == ITER_DEST;
	ssize_t done = 0, n = 0;

	if (read && !is_sync_kiocb(iocb) && ebpfs_direct_one_round(iter))
		return iov_iter_count(iter) ? ebpfs_direct_read(iocb, iocb->ki_pos, iter, true) : 0;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	while (iov_iter_count(iter)) {
		size_t want = iov_iter_count(iter);

		n = read ? ebpfs_direct_read(iocb, iocb->ki_pos + done, iter, false) :
			   ebpfs_direct_write(iocb, iocb->ki_pos + done, iter);
		if (n <= 0)
			break;
		done += n;
		/* The end of the file, or of what a server could do. */
		if (want - iov_iter_count(iter) > n)
			break;
	}
	return done ?: n;
}

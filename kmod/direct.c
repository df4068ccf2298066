// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT: past the page cache, by way of buffers here, a round of up to
 * EBPFS_DIRECT_UNITS units at a time, all of them under way together.
 *
 * The VFS's helpers see to it that what is cached of the range is written back
 * before, and thrown away after. A write returns when it is on the server's stable
 * storage: a round of several units is committed, and what a server has forgotten
 * by then is written again.
 *
 * Context: process, sleeps, killable.
 */
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "fs.h"

#define EBPFS_DIRECT_UNITS	16

/**
 * struct ebpfs_direct_unit - one call of a round
 * @round: of which it is a part
 * @req: the call
 * @buf: its bytes, owned by the unit
 * @len: bytes of it
 * @err: how it ended
 * @reply: of a WRITE
 */
struct ebpfs_direct_unit {
	struct ebpfs_direct *round;
	struct ebpfs_req req;
	void *buf;
	u32 len;
	int err;
	struct ebpfs_written reply;
};

/**
 * struct ebpfs_direct - a round
 * @pending: units that have not ended, and the one who starts them
 * @done: @pending is 0
 * @count: of @units
 * @units: in order of their places in the file
 */
struct ebpfs_direct {
	atomic_t pending;
	struct completion done;
	u32 count;
	struct ebpfs_direct_unit units[EBPFS_DIRECT_UNITS];
};

static void ebpfs_direct_done(struct ebpfs_req *req, int err)
{
	struct ebpfs_direct_unit *u = container_of(req, struct ebpfs_direct_unit, req);
	struct ebpfs_direct *round = u->round;

	u->err = err;
	if (atomic_dec_and_test(&round->pending))
		complete(&round->done);
}

static void ebpfs_direct_unit_init(struct ebpfs_direct_unit *u, struct inode *inode,
				   struct ebpfs_user *user, loff_t pos, bool write)
{
	struct ebpfs_req *req = &u->req;

	memset(req, 0, sizeof(*req));
	ebpfs_req_prepare(req, ebpfs_mnt(inode));
	ebpfs_req_file(req, inode);
	req->user = user;
	req->arg = pos;
	req->done = ebpfs_direct_done;
	if (write) {
		req->op = EBPFS_OP_WRITE;
		req->data = u->buf;
		req->data_len = u->len;
		req->buf = &u->reply;
		req->limit = sizeof(u->reply);
	} else {
		req->op = EBPFS_OP_READ;
		req->count = u->len;
		req->buf = u->buf;
		req->limit = u->len;
	}
}

/* Makes the calls of the round and waits. Return: 0, or -EINTR after a fatal signal. */
static int ebpfs_direct_run(struct ebpfs_direct *round)
{
	LIST_HEAD(reqs);
	int err;
	u32 i;

	atomic_set(&round->pending, round->count + 1);
	reinit_completion(&round->done);
	for (i = 0; i < round->count; i++)
		list_add_tail(&round->units[i].req.link, &reqs);
	ebpfs_req_submit_batch(&reqs);
	if (atomic_dec_and_test(&round->pending))
		return 0;
	err = wait_for_completion_killable(&round->done);
	if (err) {
		for (i = 0; i < round->count; i++)
			ebpfs_req_kill(&round->units[i].req, -EINTR);
		/* Not for the network: at most for a filler on another CPU. */
		wait_for_completion(&round->done);
		err = -EINTR;
	}
	return err;
}

/* Units for up to @count bytes. Return: bytes that they take, or an error. */
static ssize_t ebpfs_direct_units(struct ebpfs_direct *round, u32 unit, size_t count)
{
	ssize_t total = 0;

	for (round->count = 0; count && round->count < EBPFS_DIRECT_UNITS; round->count++) {
		struct ebpfs_direct_unit *u = &round->units[round->count];

		u->round = round;
		u->len = min_t(size_t, unit, count);
		u->buf = kvmalloc(u->len, GFP_KERNEL);
		if (!u->buf)
			return total ?: -ENOMEM;
		count -= u->len;
		total += u->len;
	}
	return total;
}

static void ebpfs_direct_free(struct ebpfs_direct *round)
{
	while (round->count)
		kvfree(round->units[--round->count].buf);
}

static ssize_t ebpfs_direct_read(struct ebpfs_direct *round, struct iov_iter *to)
{
	ssize_t total = 0;
	u32 i;

	for (i = 0; i < round->count; i++) {
		struct ebpfs_direct_unit *u = &round->units[i];
		u32 got = u->req.res.total;
		size_t n;

		if (u->err)
			return total ?: u->err;
		n = copy_to_iter(u->buf, got, to);
		total += n;
		if (n < got)
			return total ?: -EFAULT;
		if (got < u->len)
			break;
	}
	return total;
}

/* The round's WRITEs are answered: to stable storage with them. Return: bytes. */
static ssize_t ebpfs_direct_written(struct ebpfs_direct *round, struct inode *inode, u64 asked)
{
	__le64 verifier = 0;
	ssize_t total = 0;
	int err = 0;
	u32 i;

	if (round->count > 1)
		err = ebpfs_commit(inode, &verifier);
	for (i = 0; i < round->count && !err; i++) {
		struct ebpfs_direct_unit *u = &round->units[i];

		err = u->err;
		if (!err && (u->req.res.total != sizeof(u->reply) ||
			     le32_to_cpu(u->reply.count) != u->len))
			err = -EIO;
		if (!err && round->count > 1 && u->reply.verifier != verifier) {
			ebpfs_stat_inc(ebpfs_global_stats, write_again);
			ebpfs_direct_unit_init(u, inode, u->req.user, u->req.arg, true);
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

static ssize_t ebpfs_direct_round(struct ebpfs_direct *round, struct kiocb *iocb, loff_t pos,
				  struct iov_iter *iter)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct ebpfs_user *user = iocb->ki_filp->private_data;
	bool write = iov_iter_rw(iter) == ITER_SOURCE;
	u64 asked = ebpfs_now();
	ssize_t n;
	u32 i;

	n = ebpfs_direct_units(round, ebpfs_unit_size(EBPFS_I(inode)), iov_iter_count(iter));
	if (n < 0)
		goto out;
	for (i = 0; i < round->count; i++) {
		struct ebpfs_direct_unit *u = &round->units[i];

		ebpfs_direct_unit_init(u, inode, user, pos, write);
		if (write) {
			u->req.count = round->count > 1 ? EBPFS_WRITE_UNSTABLE : EBPFS_WRITE_STABLE;
			if (copy_from_iter(u->buf, u->len, iter) < u->len) {
				n = -EFAULT;
				goto out;
			}
		}
		pos += u->len;
	}
	n = ebpfs_direct_run(round);
	if (!n)
		n = write ? ebpfs_direct_written(round, inode, asked) :
			    ebpfs_direct_read(round, iter);
out:
	ebpfs_direct_free(round);
	return n;
}

ssize_t ebpfs_direct_io(struct kiocb *iocb, struct iov_iter *iter)
{
	struct ebpfs_direct *round = kmalloc(sizeof(*round), GFP_KERNEL);
	ssize_t done = 0, n = 0;

	if (!round)
		return -ENOMEM;
	init_completion(&round->done);
	while (iov_iter_count(iter)) {
		size_t want = iov_iter_count(iter);

		n = ebpfs_direct_round(round, iocb, iocb->ki_pos + done, iter);
		if (n <= 0)
			break;
		done += n;
		/* The end of the file, or of what a server could do. */
		if (want - iov_iter_count(iter) > n || n % PAGE_SIZE)
			break;
	}
	kfree(round);
	return done ?: n;
}

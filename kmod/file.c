// SPDX-License-Identifier: GPL-2.0
/*
 * Regular files: all data goes through the page cache. Before cached pages
 * are used, attributes that are no longer believed are asked for. What was
 * written goes to the server when the kernel writes back, at fsync and at
 * close (close-to-open).
 *
 * file->private_data is who opened the file (cred.c), with a reference.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <linux/writeback.h>

#include "fs.h"

#define EBPFS_READ_TRIES	4	/* to meet a file that does not change meanwhile */

static int ebpfs_open(struct inode *inode, struct file *file)
{
	struct ebpfs_user *user;
	int err = generic_file_open(inode, file);

	if (err)
		return err;
	user = ebpfs_user_get(ebpfs_mnt(inode), file->f_cred);
	if (IS_ERR(user))
		return PTR_ERR(user);
	file->private_data = user;
	file->f_mode |= FMODE_NOWAIT;
	ebpfs_hold_open(inode);
	/* Most often the name was just looked up for this open, and the file held. */
	if (!ebpfs_held_open(inode))
		err = ebpfs_revalidate_hold(inode, EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE);
	if (!err)
		err = ebpfs_revalidate_data(inode);
	if (err) {
		ebpfs_hold_close(inode);
		ebpfs_user_put(ebpfs_mnt(inode), user);
	}
	return err;
}

static int ebpfs_release(struct inode *inode, struct file *file)
{
	/* Not everybody who lets go of a file closes it. */
	if (file->f_mode & FMODE_WRITE)
		ebpfs_settle_later(inode);
	ebpfs_user_put(ebpfs_mnt(inode), file->private_data);
	ebpfs_hold_close(inode);
	return 0;
}

/* Was the task that closes its files ended by SIGKILL? */
static bool ebpfs_killed(void)
{
	return current->flags & PF_EXITING && (current->exit_code & 0x7f) == SIGKILL;
}

/* close(): an error of this write-back is told here, and once more by fsync. Who is killed
 * waits for no server: what was written stays in the cache, and goes from there.
 */
static int ebpfs_flush(struct file *file, fl_owner_t id)
{
	struct address_space *mapping = file->f_mapping;
	errseq_t since = filemap_sample_wb_err(mapping);

	if (!(file->f_mode & FMODE_WRITE))
		return 0;
	if (ebpfs_killed())
		return filemap_flush(mapping);
	/* What a mapping has changed of what was appended comes after. */
	ebpfs_append_settle(file_inode(file));
	filemap_write_and_wait(mapping);
	ebpfs_settle_later(file_inode(file));
	return filemap_check_wb_err(mapping, since);
}

/* The end of write-back is stable storage (see writeback.c), but for what was never
 * written: a new file's name, attributes.
 */
static int ebpfs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err;

	ebpfs_append_settle(inode);
	err = ebpfs_settle_later(inode) ?: file_write_and_wait_range(file, start, end);
	if (!err)
		err = ebpfs_commit_changes(inode);
	return err ?: file_check_and_advance_wb_err(file);
}

/* Before anything of the page cache is used. */
static int ebpfs_read_begin(struct inode *inode)
{
	if (unlikely(READ_ONCE(EBPFS_I(inode)->lock_lost)))
		return -EIO;
	return ebpfs_revalidate_data(inode);
}

/* Likewise, and how long the file is as far as the page cache goes: attributes that come
 * in meanwhile may say more, but what is cached of its old end ends in zeroes.
 */
static int ebpfs_read_end(struct inode *inode, loff_t *end)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	bool fresh;
	int err, i;

	for (i = 0; i < EBPFS_READ_TRIES; i++) {
		err = ebpfs_read_begin(inode);
		if (err)
			return err;
		spin_lock_bh(&ei->attr_lock);
		fresh = !ei->stale_data && !ei->invalidating;
		*end = i_size_read(inode);
		spin_unlock_bh(&ei->attr_lock);
		if (fresh)
			break;
	}
	return 0;
}

static ssize_t ebpfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t cut = iov_iter_count(to);
	ssize_t n;
	loff_t end;

	if (iocb->ki_flags & IOCB_NOWAIT && !ebpfs_data_fresh(inode))
		return -EAGAIN;
	if (iocb->ki_flags & IOCB_DIRECT)
		return ebpfs_read_begin(inode) ?: generic_file_read_iter(iocb, to);
	n = ebpfs_read_end(inode, &end);
	if (n)
		return n;
	iov_iter_truncate(to, max_t(loff_t, end - iocb->ki_pos, 0));
	cut -= iov_iter_count(to);
	n = generic_file_read_iter(iocb, to);
	iov_iter_reexpand(to, iov_iter_count(to) + cut);
	return n;
}

/* Into the page cache; inode locked. */
static ssize_t ebpfs_write_cached(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t old = i_size_read(inode);
	ssize_t n = 0;

	if (iocb->ki_pos > old)
		ebpfs_zero_tail(inode);
	if (iocb->ki_flags & IOCB_DIRECT)
		n = generic_file_direct_write(iocb, from);
	/* 0: some page could not be thrown away; then through the cache. */
	if (!n)
		n = generic_perform_write(iocb, from);
	ebpfs_protect_tail(inode, old);
	return n;
}

static ssize_t ebpfs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	ssize_t n = 0;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	if (unlikely(READ_ONCE(EBPFS_I(inode)->lock_lost)))
		return -EIO;
	if (READ_ONCE(EBPFS_SB(inode->i_sb)->noac))
		iocb->ki_flags |= IOCB_DSYNC;
	inode_lock(inode);
	n = ebpfs_settle_later(inode);
	/* Limits are judged by where the file is believed to end; where it does, the
	 * server says with each append.
	 */
	if (!n && iocb->ki_flags & IOCB_APPEND)
		n = ebpfs_revalidate(inode, false);
	else if (!n)
		n = ebpfs_append_settle(inode);
	if (!n)
		n = generic_write_checks(iocb, from);
	if (n > 0) {
		ebpfs_set_writer(inode, file);
		n = iocb->ki_flags & IOCB_APPEND ? ebpfs_append(iocb, from) :
						   ebpfs_write_cached(iocb, from);
	}
	inode_unlock(inode);
	return n > 0 ? generic_write_sync(iocb, n) : n;
}

static ssize_t ebpfs_splice_read(struct file *in, loff_t *pos, struct pipe_inode_info *pipe,
				 size_t len, unsigned int flags)
{
	loff_t end;
	int err = ebpfs_read_end(file_inode(in), &end);

	if (err || *pos >= end)
		return err;
	return filemap_splice_read(in, pos, pipe, min_t(loff_t, len, end - *pos), flags);
}

static int ebpfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	int err = ebpfs_read_begin(file_inode(file));

	if (err)
		return err;
	file_accessed(file);
	vma->vm_ops = &ebpfs_vm_ops;
	return 0;
}

static loff_t ebpfs_llseek(struct file *file, loff_t offset, int whence)
{
	if (whence == SEEK_DATA || whence == SEEK_HOLE)
		return ebpfs_seek(file, offset, whence);
	if (whence != SEEK_SET && whence != SEEK_CUR) {
		int err = ebpfs_revalidate(file_inode(file), true);

		if (err)
			return err;
	}
	return generic_file_llseek(file, offset, whence);
}

/* Reads may be asynchronous (FMODE_NOWAIT); what writes waits, in a thread of io_uring's. */
const struct file_operations ebpfs_file_fops = {
	.fop_flags = FOP_BUFFER_RASYNC,
	.open = ebpfs_open,
	.release = ebpfs_release,
	.flush = ebpfs_flush,
	.fsync = ebpfs_fsync,
	.llseek = ebpfs_llseek,
	.read_iter = ebpfs_read_iter,
	.write_iter = ebpfs_write_iter,
	.mmap = ebpfs_mmap,
	.splice_read = ebpfs_splice_read,
	.splice_write = iter_file_splice_write,
	.lock = ebpfs_file_lock,
	.flock = ebpfs_file_flock,
	.setlease = simple_nosetlease,	/* it would not hold between clients */
	.fallocate = ebpfs_fallocate,
	.copy_file_range = ebpfs_copy_file_range,
	.remap_file_range = ebpfs_remap_file_range,
};

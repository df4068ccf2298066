// SPDX-License-Identifier: GPL-2.0
/*
 * What files take up: fallocate, holes, and copies that are made at the server.
 *
 * The server does it to the file as it is there, so what was changed here is
 * written back before, and what is cached of the places that change is thrown
 * away after.
 *
 * Context: process, sleeps, killable.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/splice.h>

#include "fs.h"

/* Bytes @from to @to (exclusive; -1: all behind) are not cached any more. Inode and
 * mapping are locked, and nothing there is dirty. Whole folios go: to cut off a part
 * would make it zeroes, and these be sent if somebody wrote to the rest.
 */
static void ebpfs_forget(struct inode *inode, loff_t from, loff_t to)
{
	if (invalidate_inode_pages2_range(inode->i_mapping, from >> PAGE_SHIFT,
					  to < 0 ? -1 : (to - 1) >> PAGE_SHIFT))
		ebpfs_make_stale(inode);
}

long ebpfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	struct ebpfs_range range = {
		.offset = cpu_to_le64(offset),
		.len = cpu_to_le64(len),
		.mode = cpu_to_le32(mode),
	};
	bool moves = mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE);
	struct ebpfs_written done;
	struct ebpfs_req req = {
		.limit = sizeof(done),
		.buf = &done,
	};
	loff_t old;
	int err;

	inode_lock(inode);
	old = i_size_read(inode);
	err = 0;
	if (!(mode & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)))
		err = inode_newsize_ok(inode, offset + len);
	if (err)
		goto unlock;
	filemap_invalidate_lock(inode->i_mapping);
	err = ebpfs_append_settle(inode);
	if (!err)
		err = filemap_write_and_wait(inode->i_mapping);
	if (!err)
		err = ebpfs_settle_later(inode);
	if (err)
		goto unlock_mapping;
	if (offset + len > i_size_read(inode))
		ebpfs_zero_tail(inode);
	ebpfs_req_prepare_once(&req, ebpfs_mnt(inode));
	req.op = EBPFS_OP_FALLOCATE;
	req.data = &range;
	req.data_len = sizeof(range);
	err = ebpfs_call_change(inode, &req, &done);
	/* A failure may have done a part. Allocation changes no byte. */
	if (mode & ~FALLOC_FL_KEEP_SIZE)
		ebpfs_forget(inode, offset, moves ? -1 : offset + len);
	ebpfs_protect_tail(inode, old);
unlock_mapping:
	filemap_invalidate_unlock(inode->i_mapping);
unlock:
	inode_unlock(inode);
	return err;
}

/* SEEK_DATA and SEEK_HOLE. */
loff_t ebpfs_seek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	struct ebpfs_result res;
	struct ebpfs_offset at;
	int err;

	if (offset < 0)
		return -ENXIO;
	err = filemap_write_and_wait(inode->i_mapping);
	if (!err)
		err = ebpfs_call_inode(inode, EBPFS_OP_SEEK, offset, whence, NULL, &at, sizeof(at),
				       &res);
	if (err)
		return err;
	if (res.total != sizeof(at) || (s64)le64_to_cpu(at.offset) < 0)
		return -EIO;
	return vfs_setpos(file, le64_to_cpu(at.offset), inode->i_sb->s_maxbytes);
}

/* One COPY; both inodes locked. Return: bytes, or an error. */
static ssize_t ebpfs_copy_once(struct inode *from, loff_t pos_in, struct inode *to, loff_t pos_out,
			       u64 len, u32 flags)
{
	struct ebpfs_inode *src = EBPFS_I(from);
	struct {
		struct ebpfs_copy head;
		u8 fh[EBPFS_FH_MAX];
	} data = {
		.head = {
			.from = cpu_to_le64(pos_in),
			.to = cpu_to_le64(pos_out),
			.len = cpu_to_le64(len),
			.flags = cpu_to_le32(flags),
			.fh_len = cpu_to_le16(src->fh_len),
		},
	};
	struct ebpfs_written done;
	struct ebpfs_req req = {
		.limit = sizeof(done),
		.buf = &done,
	};
	__le64 verifier;
	int err;

	memcpy(data.fh, src->fh, src->fh_len);
	ebpfs_req_prepare_once(&req, ebpfs_mnt(to));
	req.op = EBPFS_OP_COPY;
	req.data = &data;
	req.data_len = sizeof(data.head) + round_up(src->fh_len, 8);
	err = ebpfs_call_change(to, &req, &done);
	/* The bytes are not here to be sent again: they must be on stable storage now. */
	if (!err)
		err = ebpfs_commit(to, &verifier, false);
	if (!err && verifier != done.verifier)
		err = -EIO;
	/* Not "?:", whose value would be unsigned. */
	if (err)
		return err;
	return le32_to_cpu(done.count);
}

/* Copies and forgets what was cached of the target. */
static ssize_t ebpfs_copy(struct inode *from, loff_t pos_in, struct inode *to, loff_t pos_out,
			  u64 len, u32 flags)
{
	loff_t old = i_size_read(to);
	ssize_t n;

	filemap_invalidate_lock(to->i_mapping);
	n = filemap_write_and_wait(from->i_mapping);
	if (!n)
		n = ebpfs_append_settle(to);
	if (!n)
		n = filemap_write_and_wait(to->i_mapping);
	if (!n)
		n = ebpfs_settle_later(to);
	if (!n) {
		if (pos_out + (loff_t)len > i_size_read(to))
			ebpfs_zero_tail(to);
		n = ebpfs_copy_once(from, pos_in, to, pos_out, len, flags);
		ebpfs_forget(to, pos_out, len ? pos_out + (loff_t)len : -1);
		ebpfs_protect_tail(to, old);
	}
	filemap_invalidate_unlock(to->i_mapping);
	return n;
}

ssize_t ebpfs_copy_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
			      size_t len, unsigned int flags)
{
	struct inode *from = file_inode(in), *to = file_inode(out);
	ssize_t n = -EXDEV;

	if (from->i_sb == to->i_sb) {
		lock_two_nondirectories(from, to);
		n = ebpfs_copy(from, pos_in, to, pos_out, len, 0);
		unlock_two_nondirectories(from, to);
	}
	if (n == -EXDEV || n == -EOPNOTSUPP)
		n = splice_copy_file_range(in, pos_in, out, pos_out, len);
	return n;
}

loff_t ebpfs_remap_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
			      loff_t len, unsigned int flags)
{
	struct inode *from = file_inode(in), *to = file_inode(out);
	ssize_t n;

	if (flags & ~REMAP_FILE_ADVISORY)
		return -EOPNOTSUPP;
	if (from->i_sb != to->i_sb)
		return -EXDEV;
	lock_two_nondirectories(from, to);
	n = ebpfs_copy(from, pos_in, to, pos_out, len, EBPFS_COPY_CLONE);
	unlock_two_nondirectories(from, to);
	return n < 0 ? n : len;
}

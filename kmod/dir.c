// SPDX-License-Identifier: GPL-2.0
/*
 * Reading directories. Entries come from the server with handle and
 * attributes, so that a listing fills inodes and names and `ls -l` asks
 * nothing more. A position is the server's cookie, as it came with the entry
 * before; "." and ".." are the server's entries too. Each open directory keeps
 * the reply it is walking through.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "fs.h"

#define EBPFS_DIR_BYTES	(56u << 10)	/* of entries per call */

/**
 * struct ebpfs_dir - an open directory
 * @buf: last reply, EBPFS_DIR_BYTES
 * @len: bytes of it
 * @off: of the next entry in it
 * @pos: cookie of the entry before @off: ctx->pos must be this to go on there
 * @asked: ns when it was asked for
 * @eof: nothing follows @buf
 *
 * Protected by the file's position lock, which the VFS takes for directories.
 */
struct ebpfs_dir {
	void *buf;
	u32 len;
	u32 off;
	loff_t pos;
	u64 asked;
	bool eof;
};

static int ebpfs_dir_open(struct inode *inode, struct file *file)
{
	struct ebpfs_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);

	if (!dir)
		return -ENOMEM;
	dir->pos = -1;
	file->private_data = dir;
	ebpfs_hold_open(inode);
	return 0;
}

static int ebpfs_dir_release(struct inode *inode, struct file *file)
{
	struct ebpfs_dir *dir = file->private_data;

	ebpfs_hold_close(inode);
	kvfree(dir->buf);
	kfree(dir);
	return 0;
}

static int ebpfs_dir_fetch(struct inode *inode, struct ebpfs_dir *dir, loff_t pos)
{
	struct ebpfs_result res;
	int err;

	if (!dir->buf)
		dir->buf = kvmalloc(EBPFS_DIR_BYTES, GFP_KERNEL);
	if (!dir->buf)
		return -ENOMEM;
	dir->pos = -1;
	dir->asked = ebpfs_now();
	err = ebpfs_call_inode(inode, EBPFS_OP_READDIR, pos, EBPFS_DIR_BYTES, NULL,
			       dir->buf, EBPFS_DIR_BYTES, &res);
	if (err)
		return err;
	dir->len = res.total;
	dir->off = 0;
	dir->pos = pos;
	dir->eof = res.flags & EBPFS_REPLY_EOF;
	/* A reply without entries that is not the end would be asked for again
	 * and again.
	 */
	return dir->len || dir->eof ? 0 : -EIO;
}

static int ebpfs_iterate(struct file *file, struct dir_context *ctx)
{
	struct inode *inode = file_inode(file);
	struct ebpfs_dir *dir = file->private_data;
	struct ebpfs_entry_info e;
	int err;

	for (;;) {
		if (dir->pos != ctx->pos || dir->off >= dir->len) {
			if (dir->pos == ctx->pos && dir->eof)
				return 0;
			err = ebpfs_dir_fetch(inode, dir, ctx->pos);
			if (err)
				return err;
			continue;
		}
		if (ebpfs_parse_entry(dir->buf + dir->off, dir->len - dir->off, true, &e) ||
		    (s64)e.cookie < 0)
			return -EIO;
		if (!dir_emit(ctx, e.name, e.name_len, le64_to_cpu(e.attr.ino), e.type))
			return 0;
		if ((e.flags & EBPFS_ENTRY_ATTR) && !is_dot_dotdot(e.name, e.name_len))
			ebpfs_prime_dentry(file_dentry(file), &e, dir->asked);
		dir->off += e.len;
		dir->pos = e.cookie;
		ctx->pos = e.cookie;
	}
}

/* Positions are cookies: any that was seen may be gone back to. */
static loff_t ebpfs_dir_llseek(struct file *file, loff_t offset, int whence)
{
	switch (whence) {
	case SEEK_CUR:
		offset += file->f_pos;
		break;
	case SEEK_SET:
		break;
	default:
		return -EINVAL;
	}
	if (offset < 0)
		return -EINVAL;
	if (offset == 0) {	/* rewinddir: what the server has now */
		struct ebpfs_dir *dir = file->private_data;

		dir->pos = -1;
	}
	file->f_pos = offset;
	return offset;
}

/* Names that were made, removed and renamed here are on stable storage. */
static int ebpfs_dir_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	int err = ebpfs_commit(file_inode(file), NULL, false);

	return err ?: file_check_and_advance_wb_err(file);
}

const struct file_operations ebpfs_dir_fops = {
	.open = ebpfs_dir_open,
	.release = ebpfs_dir_release,
	.iterate_shared = ebpfs_iterate,
	.llseek = ebpfs_dir_llseek,
	.fsync = ebpfs_dir_fsync,
	.flock = ebpfs_file_flock,
	.read = generic_read_dir,
};

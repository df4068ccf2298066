// SPDX-License-Identifier: GPL-2.0
/*
 * Regular files: all data goes through the page cache. Before cached pages
 * are used, attributes that are no longer believed are asked for.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "fs.h"

static int ebpfs_open(struct inode *inode, struct file *file)
{
	int err = generic_file_open(inode, file);

	return err ?: ebpfs_revalidate_data(inode);
}

static ssize_t ebpfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	int err = ebpfs_revalidate_data(file_inode(iocb->ki_filp));

	return err ?: generic_file_read_iter(iocb, to);
}

static ssize_t ebpfs_splice_read(struct file *in, loff_t *pos, struct pipe_inode_info *pipe,
				 size_t len, unsigned int flags)
{
	int err = ebpfs_revalidate_data(file_inode(in));

	return err ?: filemap_splice_read(in, pos, pipe, len, flags);
}

static int ebpfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	int err = ebpfs_revalidate_data(file_inode(file));

	return err ?: generic_file_readonly_mmap(file, vma);
}

static loff_t ebpfs_llseek(struct file *file, loff_t offset, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR) {
		int err = ebpfs_revalidate(file_inode(file), true);

		if (err)
			return err;
	}
	return generic_file_llseek(file, offset, whence);
}

const struct file_operations ebpfs_file_fops = {
	.open = ebpfs_open,
	.llseek = ebpfs_llseek,
	.fsync = noop_fsync,	/* read-only: nothing to write back */
	.read_iter = ebpfs_read_iter,
	.mmap = ebpfs_mmap,
	.splice_read = ebpfs_splice_read,
};

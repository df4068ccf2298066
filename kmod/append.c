// SPDX-License-Identifier: GPL-2.0
/*
 * Appending. Where a file ends, with several clients appending to it, only the
 * server knows: each write(2) with O_APPEND is an APPEND, which the server puts
 * behind the end, whole if it has at most EBPFS_MSG_MAX bytes; a larger one may
 * have others' between its parts.
 *
 * What the server has taken need not be on its stable storage. The bytes are kept
 * here, with the place that they got and the server's verifier, until fsync, close,
 * or EBPFS_APPENDED_MAX bytes of them, when a COMMIT follows; after a restart of
 * the server in between they are written again to the same place. So whatever changes
 * the file in another way has them committed before: else they would come back over it.
 * (What is changed by a mapping, and written back before the restart, is not looked after.)
 *
 * Context: process, sleeps, killable. The list is under the inode's lock.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "fs.h"

#define EBPFS_APPENDED_MAX	(1u << 20)	/* bytes kept of one file */

/**
 * struct ebpfs_appended - bytes that were appended and not yet committed
 * @link: in ei->appended
 * @verifier: of the server when it took them
 * @offset: where they are
 * @len: how many
 * @data: the bytes
 */
struct ebpfs_appended {
	struct list_head link;
	__le64 verifier;
	u64 offset;
	u32 len;
	u8 data[];
};

/* Nobody can write to the inode any more. */
void ebpfs_append_forget(struct ebpfs_inode *ei)
{
	struct ebpfs_appended *a, *tmp;

	list_for_each_entry_safe(a, tmp, &ei->appended, link) {
		list_del(&a->link);
		kvfree(a);
	}
	ei->appended_bytes = 0;
}

/* The server has forgotten it. */
static int ebpfs_append_again(struct inode *inode, const struct ebpfs_appended *a)
{
	struct ebpfs_written done;
	struct ebpfs_req req = {
		.op = EBPFS_OP_WRITE,
		.arg = a->offset,
		.count = EBPFS_WRITE_STABLE,
		.limit = sizeof(done),
		.data = a->data,
		.data_len = a->len,
		.buf = &done,
	};

	ebpfs_stat_inc(ebpfs_global_stats, write_again);
	ebpfs_req_prepare(&req, ebpfs_mnt(inode));
	return ebpfs_call_change(inode, &req, &done);
}

/**
 * ebpfs_append_settle() - bring what was appended to stable storage
 * @inode: file, locked
 *
 * A failure is noted for fsync and close of all who have the file open; after a fatal
 * signal the next one tries again.
 *
 * Return: 0 or a negative error.
 */
int ebpfs_append_settle(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_appended *a;
	__le64 verifier;
	int err;

	if (list_empty(&ei->appended))
		return 0;
	err = ebpfs_commit(inode, &verifier);
	if (!err)
		list_for_each_entry(a, &ei->appended, link)
			if (!err && a->verifier != verifier)
				err = ebpfs_append_again(inode, a);
	if (err == -EINTR)
		return err;
	if (err)
		mapping_set_error(inode->i_mapping, err);
	ebpfs_append_forget(ei);
	return err;
}

/**
 * ebpfs_append_sync() - the same, of a file that is not locked
 * @inode: file
 *
 * An error is noted in the mapping.
 */
void ebpfs_append_sync(struct inode *inode)
{
	if (list_empty_careful(&EBPFS_I(inode)->appended))
		return;
	inode_lock(inode);
	ebpfs_append_settle(inode);
	inode_unlock(inode);
}

/* Bytes of @a to the end of the file, wherever that is by now; then @a is kept, *@taken
 * set, and *@len how many they were, whatever comes after. Inode locked.
 */
static int ebpfs_append_one(struct kiocb *iocb, struct ebpfs_appended *a, bool *taken, u32 *len)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct address_space *mapping = inode->i_mapping;
	loff_t end = i_size_read(inode);
	struct ebpfs_written done;
	u64 asked;
	struct ebpfs_req req = {
		.op = EBPFS_OP_APPEND,
		.limit = sizeof(done),
		.data = a->data,
		.data_len = a->len,
		.buf = &done,
	};
	int err = 0;

	/* What was written here comes before, above all behind the end at the server. */
	if (end > READ_ONCE(ei->remote_size))
		err = filemap_write_and_wait(mapping);
	else
		err = filemap_write_and_wait_range(mapping, round_down(end, PAGE_SIZE), LLONG_MAX);
	if (err)
		return err;
	ebpfs_req_prepare_once(&req, ebpfs_mnt(inode));
	asked = ebpfs_now();
	err = ebpfs_call_req(inode, &req);
	if (!err && (req.res.total != sizeof(done) || !done.count ||
		     le32_to_cpu(done.count) > a->len || (s64)le64_to_cpu(done.offset) < 0))
		err = -EIO;
	if (err) {
		ebpfs_expire(inode);
		return err;
	}
	/* Fewer, if the disk is full: a short write, and the next one tells why. */
	a->len = le32_to_cpu(done.count);
	a->verifier = done.verifier;
	a->offset = le64_to_cpu(done.offset);
	list_add_tail(&a->link, &ei->appended);
	ei->appended_bytes += a->len;
	*taken = true;
	*len = a->len;
	iocb->ki_pos = a->offset + a->len;
	/* What is cached of the file's end, and of what others appended, is old: away with it
	 * before anybody here learns of the new end.
	 */
	end = min_t(loff_t, end, a->offset);
	filemap_write_and_wait_range(mapping, round_down(end, PAGE_SIZE), LLONG_MAX);
	if (invalidate_inode_pages2_range(mapping, end >> PAGE_SHIFT, -1))
		ebpfs_make_stale(inode);
	ebpfs_written(inode, &done, asked);
	if (ei->appended_bytes >= EBPFS_APPENDED_MAX)
		return ebpfs_append_settle(inode);
	return 0;
}

/**
 * ebpfs_append() - a write(2) with O_APPEND
 * @iocb: whose position is set behind what was written
 * @from: the bytes
 *
 * The inode is locked. Return: bytes appended, or an error if there are none.
 */
ssize_t ebpfs_append(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t done = 0;
	int err = 0;

	while (!err && iov_iter_count(from)) {
		u32 asked = min_t(size_t, iov_iter_count(from), EBPFS_MSG_MAX), len = asked;
		struct ebpfs_appended *a = kvmalloc(struct_size(a, data, len), GFP_KERNEL);
		bool taken = false;

		if (!a) {
			err = -ENOMEM;
			break;
		}
		a->len = copy_from_iter(a->data, len, from);
		len = a->len;
		err = len ? ebpfs_append_one(iocb, a, &taken, &len) : -EFAULT;
		if (!taken) {
			kvfree(a);
			break;
		}
		done += len;
		if (len < asked)
			break;
	}
	return done ?: err;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Appending. Where a file ends, with several clients appending to it, only the
 * server knows: each write(2) with O_APPEND is an APPEND, which the server puts
 * behind the end, whole if it has at most EBPFS_MSG_MAX bytes; a larger one may
 * have others' between its parts.
 *
 * What the server has taken need not be on its stable storage. The bytes are kept
 * here, with the place that they got and the server's verifier, until fsync, close,
 * or EBPFS_APPENDED_MAX bytes of them, when a COMMIT follows. So whatever changes
 * the file in another way has them committed before: else they would come back over it.
 *
 * A server that is started anew may have forgotten them, and nobody here is to see the file
 * without: they are written again, to the same place, before anything else is asked of it
 * (ebpfs_node_join(), ebpfs_server_forgot()). Calls that do so go ahead of all others.
 *
 * Context: process, sleeps, killable. The list is under attr_lock; only who has append_mutex
 * takes out of it. That is taken inside the inode's lock or the mmap_lock, or by who has
 * neither, and never with a folio locked: all of these may wait for a server that recovers.
 */
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
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

/* The first @n; append_mutex held, or nobody can write to the inode any more. */
static void ebpfs_append_drop(struct ebpfs_inode *ei, unsigned int n)
{
	struct ebpfs_appended *a;

	for (; n; n--) {
		a = list_first_entry(&ei->appended, struct ebpfs_appended, link);
		spin_lock_bh(&ei->attr_lock);
		list_del(&a->link);
		ei->appended_bytes -= a->len;
		spin_unlock_bh(&ei->attr_lock);
		kvfree(a);
	}
}

/* Nobody can write to the inode any more. */
void ebpfs_append_forget(struct ebpfs_inode *ei)
{
	ebpfs_append_drop(ei, list_count_nodes(&ei->appended));
}

/* The server has forgotten it. */
static int ebpfs_append_again(struct inode *inode, const struct ebpfs_appended *a)
{
	struct ebpfs_written done;
	struct ebpfs_req req = {
		.op = EBPFS_OP_WRITE,
		.ahead = true,
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

/* The first @n, which stay meanwhile. */
static int ebpfs_append_commit(struct inode *inode, unsigned int n)
{
	struct ebpfs_appended *a;
	__le64 verifier;
	int err = ebpfs_commit(inode, &verifier, true);

	if (err)
		return err;
	list_for_each_entry(a, &EBPFS_I(inode)->appended, link) {
		if (a->verifier != verifier)
			err = ebpfs_append_again(inode, a);
		/* Others may be added behind the last one. */
		if (err || !--n)
			break;
	}
	return err;
}

/**
 * ebpfs_append_settle() - bring what was appended to stable storage
 * @inode: file, locked or not
 *
 * A failure is noted for fsync and close of all who have the file open; after a fatal
 * signal the next one tries again.
 *
 * Return: 0 or a negative error.
 */
int ebpfs_append_settle(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	unsigned int n;
	int err;

	if (list_empty_careful(&ei->appended))
		return 0;
	if (mutex_lock_killable(&ei->append_mutex))
		return -EINTR;
	spin_lock_bh(&ei->attr_lock);
	n = list_count_nodes(&ei->appended);
	spin_unlock_bh(&ei->attr_lock);
	err = n ? ebpfs_append_commit(inode, n) : 0;
	if (err != -EINTR) {
		if (err)
			mapping_set_error(inode->i_mapping, err);
		ebpfs_append_drop(ei, n);
	}
	mutex_unlock(&ei->append_mutex);
	return err;
}

/* Memory reclaim may wait for write-back, which waits for this. */
static void ebpfs_recover_work(struct work_struct *work)
{
	struct ebpfs_sb *sbi = container_of(work, struct ebpfs_sb, recover);
	unsigned int nofs = memalloc_nofs_save();
	struct ebpfs_inode *ei, *tmp;
	LIST_HEAD(appended);

	ebpfs_nodes_recovery(&sbi->mnt, EBPFS_FORGOT, EBPFS_RECOVERING);
	spin_lock_bh(&sbi->holds_lock);
	list_for_each_entry(ei, &sbi->open, hold_link) {
		if (list_empty_careful(&ei->appended))
			continue;
		ihold(&ei->vfs);	/* an open file has one */
		list_add_tail(&ei->recover_link, &appended);
	}
	spin_unlock_bh(&sbi->holds_lock);
	list_for_each_entry(ei, &appended, recover_link) {
		if (READ_ONCE(sbi->mnt.aborted))
			break;
		if (ebpfs_is_recovering(&sbi->mnt, ei->hash))
			ebpfs_append_settle(&ei->vfs);
	}
	memalloc_nofs_restore(nofs);
	ebpfs_nodes_recovery(&sbi->mnt, EBPFS_RECOVERING, EBPFS_RECOVERED);
	/* Not before: the last reference waits for write-back. */
	list_for_each_entry_safe(ei, tmp, &appended, recover_link) {
		list_del(&ei->recover_link);
		iput(&ei->vfs);
	}
}

/**
 * ebpfs_server_forgot() - a server was started anew since it last had a session with us
 * @mnt: mount
 *
 * Its node is EBPFS_FORGOT, and the work brings it to EBPFS_RECOVERED.
 * Context: process; the node's work.
 */
void ebpfs_server_forgot(struct ebpfs_mount *mnt)
{
	queue_work(system_unbound_wq, &container_of(mnt, struct ebpfs_sb, mnt)->recover);
}

void ebpfs_append_init(struct ebpfs_sb *sbi)
{
	INIT_WORK(&sbi->recover, ebpfs_recover_work);
}

/* The mount was aborted; nothing new is begun. Process context. */
void ebpfs_append_exit(struct ebpfs_sb *sbi)
{
	disable_work_sync(&sbi->recover);
}

/* Bytes of @a to the end of the file, wherever that is by now; then @a is kept, *@taken
 * set, and *@len how many they were, whatever comes after; @a may be gone then. Inode locked.
 */
static int ebpfs_append_one(struct kiocb *iocb, struct ebpfs_appended *a, bool *taken, u32 *len)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct address_space *mapping = inode->i_mapping;
	loff_t end = i_size_read(inode);
	struct ebpfs_written done;
	int forgotten = atomic_read(&ebpfs_mnt(inode)->forgotten);
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
	end = min_t(loff_t, end, a->offset);
	*taken = true;
	*len = a->len;
	iocb->ki_pos = a->offset + a->len;
	spin_lock_bh(&ei->attr_lock);
	list_add_tail(&a->link, &ei->appended);
	ei->appended_bytes += a->len;
	spin_unlock_bh(&ei->attr_lock);
	/* What is cached of the file's end, and of what others appended, is old: away with it
	 * before anybody here learns of the new end.
	 */
	filemap_write_and_wait_range(mapping, round_down(end, PAGE_SIZE), LLONG_MAX);
	if (invalidate_inode_pages2_range(mapping, end >> PAGE_SHIFT, -1))
		ebpfs_make_stale(inode);
	ebpfs_written(inode, &done, asked);
	/* Who wrote again what a server had forgotten meanwhile has not seen this. */
	if (READ_ONCE(ei->appended_bytes) >= EBPFS_APPENDED_MAX ||
	    atomic_read(&ebpfs_mnt(inode)->forgotten) != forgotten)
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

// SPDX-License-Identifier: GPL-2.0
/*
 * Misses of the page cache become READs.
 *
 * The VFS hands over locked folios, one (read_folio) or a range (readahead).
 * The range is cut into units of at most node->unit bytes, whose replies fit
 * one super-packet, but for a page more in the last one; all units of a range
 * are submitted together and so leave in one datagram, slots and window
 * permitting. Units and folios need not have common borders: a folio is
 * ended, uptodate or not, when no byte of it is owed any more. That happens
 * in softirq, in ebpfs_read_done().
 *
 *	readahead -> ebpfs_read_start() -> request.c ... fill.c -> ebpfs_read_done()
 *
 * A short reply means end of file at the server: the rest is zeroes, as for
 * any reader of a file that has just been cut.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "fs.h"
#include "read.h"

static struct kmem_cache *ebpfs_unit_cache;

int ebpfs_read_init(void)
{
	ebpfs_unit_cache = KMEM_CACHE(ebpfs_req, 0);
	return ebpfs_unit_cache ? 0 : -ENOMEM;
}

void ebpfs_read_exit(void)
{
	kmem_cache_destroy(ebpfs_unit_cache);
}

/* @len bytes at @at of the range are dealt with. Any context. */
static void ebpfs_read_settle(struct ebpfs_read *rd, u32 at, u32 len, bool ok)
{
	struct ebpfs_read_folio *rf;

	for (rf = ebpfs_read_find(rd, at); len; rf++) {
		u32 n = min(len, rf->start + rf->size - at);

		if (!ok)
			WRITE_ONCE(rf->failed, true);
		if (atomic_sub_return(n, &rf->left) == 0)
			folio_end_read(rf->folio, !READ_ONCE(rf->failed));
		at += n;
		len -= n;
	}
}

static void ebpfs_read_zero(struct ebpfs_read *rd, u32 at, u32 len)
{
	struct ebpfs_read_folio *rf;

	if (!len)
		return;
	for (rf = ebpfs_read_find(rd, at); len; rf++) {
		u32 n = min(len, rf->start + rf->size - at);

		memset(folio_address(rf->folio) + (at - rf->start), 0, n);
		at += n;
		len -= n;
	}
}

/* A unit, or the submission, is through with @rd. Its inode may be gone by now. */
static void ebpfs_read_put(struct ebpfs_read *rd)
{
	if (!atomic_dec_and_test(&rd->units))
		return;
	ebpfs_user_put(rd->mnt, rd->user);
	kfree(rd);
}

/* A unit has come back. Softirq or process context. */
static void ebpfs_read_done(struct ebpfs_req *req, int err)
{
	struct ebpfs_read *rd = req->read;
	u32 at = req->arg - rd->pos;

	/* Only the end of the file makes a reply short. */
	if (!err && req->res.total < req->count && !(req->res.flags & EBPFS_REPLY_EOF))
		err = -EIO;
	if (!err) {
		ebpfs_stat_add(req->node->stats, read_bytes, req->res.total);
		if (req->res.total < req->count) {
			ebpfs_stat_inc(req->node->stats, read_short);
			ebpfs_read_zero(rd, at + req->res.total, req->count - req->res.total);
		}
	} else if (err == -ETIMEDOUT) {
		WRITE_ONCE(EBPFS_I(rd->inode)->timed_out, jiffies);
	}
	ebpfs_read_settle(rd, at, req->count, !err);
	if (req != &rd->single)
		kmem_cache_free(ebpfs_unit_cache, req);
	ebpfs_read_put(rd);
}

static void ebpfs_unit_init(struct ebpfs_req *req, struct ebpfs_read *rd, u32 at, u32 len)
{
	ebpfs_req_prepare(req, rd->mnt);
	ebpfs_req_file(req, rd->inode);
	req->op = EBPFS_OP_READ;
	req->arg = rd->pos + at;
	req->count = len;
	req->limit = len;
	req->user = rd->user;
	req->read = rd;
	req->done = ebpfs_read_done;
}

/**
 * ebpfs_unit_size() - most bytes of one READ or WRITE of a file
 * @ei: file
 * @most: out: what the server allows, in however many packets; may be NULL
 *
 * Whole pages; what the path to its node carries as one super-packet.
 */
u32 ebpfs_unit_size(struct ebpfs_inode *ei, u32 *most)
{
	struct ebpfs_node *node;
	u32 unit = PAGE_SIZE;

	if (most)
		*most = PAGE_SIZE;
	rcu_read_lock();
	node = ebpfs_place_req(ebpfs_mnt(&ei->vfs), ei->hash);
	if (node) {
		unit = READ_ONCE(node->unit);
		if (most)
			*most = READ_ONCE(node->unit_most);
	}
	rcu_read_unlock();
	return unit;
}

/* Ask for @len bytes of a range whose folios are all in @rd. Consumes @rd. */
static void ebpfs_read_start(struct ebpfs_read *rd, u32 size)
{
	struct inode *inode = rd->inode;
	s64 left = i_size_read(inode) - rd->pos;
	struct ebpfs_req *req;
	u32 unit, most = PAGE_SIZE, at, len, ask, n, asked = 0;
	LIST_HEAD(reqs);

	/* What lies beyond the end of the file's last page need not be asked for. */
	ask = size;
	if (left < size)
		ask = left > 0 ? min_t(u64, size, PAGE_ALIGN(left)) : 0;
	/* And nothing has a byte there. */
	ask = min_t(u64, ask, LLONG_MAX - rd->pos);
	atomic_set(&rd->units, 1);	/* ours */

	/* A page is never too much. */
	unit = ask > PAGE_SIZE ? ebpfs_unit_size(EBPFS_I(inode), &most) : PAGE_SIZE;
	n = DIV_ROUND_UP(ask, unit);
	if (n > 1)	/* units of equal size, whole pages */
		unit = min_t(u32, unit, PAGE_ALIGN(DIV_ROUND_UP(ask, n)));
	for (at = 0; at < ask; at += len) {
		len = min(unit, ask - at);
		/* A page that is left is not worth a READ of its own: the last reply may
		 * take two packets.
		 */
		if (ask - at - len <= PAGE_SIZE && ask - at <= most)
			len = ask - at;
		if (n == 1)
			req = &rd->single;
		else
			req = kmem_cache_zalloc(ebpfs_unit_cache, GFP_NOFS);
		if (!req) {
			ebpfs_read_settle(rd, at, ask - at, false);
			break;
		}
		ebpfs_unit_init(req, rd, at, len);
		atomic_inc(&rd->units);
		list_add_tail(&req->link, &reqs);
		asked++;
	}
	if (asked) {
		ebpfs_stat_add(ebpfs_global_stats, read_units, asked);
		ebpfs_req_submit_batch(&reqs);
	}
	if (ask < size) {
		ebpfs_read_zero(rd, ask, size - ask);
		ebpfs_read_settle(rd, ask, size - ask, true);
	}
	ebpfs_read_put(rd);
}

static struct ebpfs_read *ebpfs_read_alloc(struct inode *inode, const struct file *file,
					   loff_t pos, u32 folios)
{
	struct ebpfs_read *rd = kzalloc(struct_size(rd, folios, folios), GFP_NOFS);

	if (rd) {
		rd->mnt = ebpfs_mnt(inode);
		rd->inode = inode;
		rd->user = file ? ebpfs_user_ref(rd->mnt, file->private_data) : NULL;
		rd->pos = pos;
	}
	return rd;
}

/* The folio follows the last one without a gap. Returns the range's size so far. */
static u32 ebpfs_read_add(struct ebpfs_read *rd, struct folio *folio, u32 size)
{
	struct ebpfs_read_folio *rf = &rd->folios[rd->nr_folios++];

	rf->folio = folio;
	rf->start = size;
	rf->size = folio_size(folio);
	rf->failed = false;
	atomic_set(&rf->left, rf->size);
	return size + rf->size;
}

static int ebpfs_read_folio(struct file *file, struct folio *folio)
{
	unsigned long timed_out = READ_ONCE(EBPFS_I(folio->mapping->host)->timed_out);
	struct ebpfs_read *rd;

	/* After a readahead that failed the VFS tries each folio by itself. A soft
	 * mount's deadline counts for the read as a whole.
	 */
	if (timed_out && time_before(jiffies, timed_out + HZ)) {
		folio_unlock(folio);
		return -ETIMEDOUT;
	}
	rd = ebpfs_read_alloc(folio->mapping->host, file, folio_pos(folio), 1);
	if (!rd) {
		folio_unlock(folio);
		return -ENOMEM;
	}
	ebpfs_read_start(rd, ebpfs_read_add(rd, folio, 0));
	return 0;
}

static void ebpfs_readahead(struct readahead_control *rac)
{
	struct ebpfs_read *rd;
	struct folio *folio;
	u32 size = 0;

	rd = ebpfs_read_alloc(rac->mapping->host, rac->file, readahead_pos(rac),
			      readahead_count(rac));
	if (!rd)	/* the VFS unlocks them, and read_folio will be asked */
		return;
	while ((folio = readahead_folio(rac)))
		size = ebpfs_read_add(rd, folio, size);
	if (size) {
		ebpfs_read_start(rd, size);
	} else {
		atomic_set(&rd->units, 1);
		ebpfs_read_put(rd);
	}
}

const struct address_space_operations ebpfs_aops = {
	.read_folio = ebpfs_read_folio,
	.readahead = ebpfs_readahead,
	.write_begin = ebpfs_write_begin,
	.write_end = ebpfs_write_end,
	.writepages = ebpfs_writepages,
	.direct_IO = ebpfs_direct_io,
	.dirty_folio = filemap_dirty_folio,
	.release_folio = ebpfs_release_folio,
	.invalidate_folio = ebpfs_invalidate_folio,
	.migrate_folio = filemap_migrate_folio,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * Changed pages become WRITEs.
 *
 * A *pass* is what one walk over a file's changed pages finds, or a part of it
 * of at most EBPFS_PASS_UNITS units. A unit is one WRITE of neighbouring bytes,
 * as many as a super-packet holds. When all units of a pass are answered, one
 * COMMIT makes the server put them on stable storage; only then does the
 * write-back of their pages end. So the kernel's own limits of dirty memory and
 * its waiting for write-back say the truth without further account, and what a
 * server forgets when it is restarted is still here, unchanged, to be sent
 * again: COMMIT and WRITE tell the server's verifier, and where the two differ,
 * the unit goes out again. A pass of one unit is one WRITE that is stable; if it is all that
 * is changed of the file, attributes that wait to be sent (later.c) go with it.
 *
 *	writepages -> unit -> request.c ... data.c -> WRITE's reply ->
 *		(all of the pass) -> COMMIT -> its reply -> folio_end_writeback()
 *
 * Memory: passes and units come from pools, so that memory reclaim, which may
 * wait for this, always goes on. Everything behind the submission runs in
 * softirq.
 */
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "fs.h"
#include "write.h"

#define EBPFS_PASS_UNITS	256	/* then the pass is committed, and the next begins */
#define EBPFS_READY_UNITS	16	/* leave together */

/**
 * struct ebpfs_pass - units that are committed together
 * @mnt: mount
 * @inode: held by its folios under write-back, no longer
 * @user: who writes, with a reference
 * @asked: ns when it, or its COMMIT, was sent
 * @later: attributes that go with its only unit, NULL: none
 * @units: so far
 * @ready: units not submitted yet; by the walk only
 * @nready: how many
 * @lock: protects @written
 * @written: units that the server has, not on stable storage
 * @pending: units that are not answered, and the walk
 * @commit: the call
 * @uncommitted: of the inode when it was sent
 * @reply: of the server
 */
struct ebpfs_pass {
	struct ebpfs_mount *mnt;
	struct inode *inode;
	struct ebpfs_user *user;
	u64 asked;
	struct ebpfs_later *later;
	u32 units;
	struct list_head ready;
	u32 nready;
	spinlock_t lock;
	struct list_head written;
	atomic_t pending;
	struct ebpfs_req commit;
	struct ebpfs_uncommitted uncommitted;
	struct ebpfs_written reply;
};

static struct kmem_cache *ebpfs_write_cache;
static struct kmem_cache *ebpfs_pass_cache;
static mempool_t *ebpfs_write_pool;
static mempool_t *ebpfs_pass_pool;

int ebpfs_writeback_init(void)
{
	ebpfs_write_cache = KMEM_CACHE(ebpfs_write, 0);
	ebpfs_pass_cache = KMEM_CACHE(ebpfs_pass, 0);
	if (ebpfs_write_cache)
		ebpfs_write_pool = mempool_create_slab_pool(2 * EBPFS_READY_UNITS,
							    ebpfs_write_cache);
	if (ebpfs_pass_cache)
		ebpfs_pass_pool = mempool_create_slab_pool(4, ebpfs_pass_cache);
	if (ebpfs_write_pool && ebpfs_pass_pool)
		return 0;
	ebpfs_writeback_exit();
	return -ENOMEM;
}

void ebpfs_writeback_exit(void)
{
	mempool_destroy(ebpfs_pass_pool);
	mempool_destroy(ebpfs_write_pool);
	kmem_cache_destroy(ebpfs_pass_cache);
	kmem_cache_destroy(ebpfs_write_cache);
}

/* The unit is over. Any context. */
static void ebpfs_unit_end(struct ebpfs_write *w, int err)
{
	loff_t end = w->pos + w->len;
	u32 i;

	if (err) {
		mapping_set_error(w->pass->inode->i_mapping, err);
		/* No server has what is in the cache now. */
		ebpfs_make_stale(w->pass->inode);
		ebpfs_expire(w->pass->inode);
	}
	/* With its last folio's write-back the inode may go, and each folio with its own. */
	for (i = 0; i < w->nr_folios; i++) {
		struct folio *folio = w->folios[i];
		struct ebpfs_dirt *dirt = folio_get_private(folio);
		/* Within the folio, whose end may be more than a file's. */
		u32 from = max(w->pos, folio_pos(folio)) - folio_pos(folio);
		u32 to = min_t(loff_t, end - folio_pos(folio), folio_size(folio));

		if (atomic_sub_return(to - from, &dirt->left) == 0)
			folio_end_writeback(folio);
	}
	mempool_free(w, ebpfs_write_pool);
}

static void ebpfs_pass_end(struct ebpfs_pass *pass)
{
	ebpfs_user_put(pass->mnt, pass->user);
	mempool_free(pass, ebpfs_pass_pool);
}

static void ebpfs_pass_answered(struct ebpfs_pass *pass);

/* A WRITE was answered, or failed. Softirq or process context. */
static void ebpfs_write_done(struct ebpfs_req *req, int err)
{
	struct ebpfs_write *w = container_of(req, struct ebpfs_write, req);
	struct ebpfs_pass *pass = w->pass;

	if (!err && (req->res.total != sizeof(w->reply) ||
		     le32_to_cpu(w->reply.count) != w->len))
		err = -EIO;
	if (!err)
		ebpfs_stat_add(req->node->stats, write_bytes, w->len);
	if (pass->later) {
		ebpfs_changed(pass->inode, req);
		ebpfs_later_end(pass->later, &w->reply, pass->asked, err);
	} else if (!err) {
		ebpfs_written(pass->inode, &w->reply, pass->asked);
	}
	if (err || req->count == EBPFS_WRITE_STABLE) {
		ebpfs_unit_end(w, err);
	} else {
		spin_lock_bh(&pass->lock);
		list_add_tail(&w->link, &pass->written);
		spin_unlock_bh(&pass->lock);
	}
	if (atomic_dec_and_test(&pass->pending))
		ebpfs_pass_answered(pass);
}

static void ebpfs_write_prepare(struct ebpfs_write *w, u32 stable)
{
	struct ebpfs_pass *pass = w->pass;
	struct ebpfs_req *req = &w->req;

	memset(req, 0, sizeof(*req));
	if (pass->later) {
		ebpfs_req_prepare_once(req, pass->mnt);
		req->op = EBPFS_OP_WRITEATTR;
		req->attr = &pass->later->attr;
	} else {
		ebpfs_req_prepare(req, pass->mnt);
		req->op = EBPFS_OP_WRITE;
	}
	ebpfs_req_file(req, pass->inode);
	req->arg = w->pos;
	req->count = stable;
	req->limit = sizeof(w->reply);
	req->user = pass->user;
	req->data_len = w->len;
	req->write = w;
	req->buf = &w->reply;
	req->done = ebpfs_write_done;
}

/* Hands over units; the pass must be held by something that is pending. */
static void ebpfs_write_submit(struct ebpfs_pass *pass, struct list_head *units, u32 stable)
{
	struct ebpfs_write *w, *tmp;
	LIST_HEAD(reqs);

	list_for_each_entry_safe(w, tmp, units, link) {
		list_del(&w->link);
		ebpfs_write_prepare(w, stable);
		atomic_inc(&pass->pending);
		ebpfs_stat_inc(ebpfs_global_stats, write_units);
		list_add_tail(&w->req.link, &reqs);
	}
	if (!list_empty(&reqs))
		ebpfs_req_submit_batch(&reqs);
}

/* COMMIT was answered, or failed. Softirq or process context. */
static void ebpfs_commit_done(struct ebpfs_req *req, int err)
{
	struct ebpfs_pass *pass = container_of(req, struct ebpfs_pass, commit);
	struct ebpfs_write *w, *tmp;
	LIST_HEAD(lost);

	if (!err && req->res.total != sizeof(pass->reply))
		err = -EIO;
	if (!err) {
		ebpfs_written(pass->inode, &pass->reply, pass->asked);
		ebpfs_committed(pass->inode, &pass->uncommitted, req->boot);
	}
	/* Nobody else is at the pass: all units are answered. */
	list_for_each_entry_safe(w, tmp, &pass->written, link) {
		if (!err && w->reply.verifier != pass->reply.verifier) {
			list_move_tail(&w->link, &lost);
			continue;
		}
		list_del(&w->link);
		ebpfs_unit_end(w, err);
	}
	if (list_empty(&lost)) {
		ebpfs_pass_end(pass);
		return;
	}
	ebpfs_stat_inc(req->node->stats, write_again);
	atomic_set(&pass->pending, 1);
	ebpfs_write_submit(pass, &lost, EBPFS_WRITE_UNSTABLE);
	if (atomic_dec_and_test(&pass->pending))
		ebpfs_pass_answered(pass);
}

/* All units of the pass are answered. */
static void ebpfs_pass_answered(struct ebpfs_pass *pass)
{
	struct ebpfs_req *req = &pass->commit;

	if (list_empty(&pass->written)) {
		ebpfs_pass_end(pass);
		return;
	}
	pass->asked = ebpfs_now();
	pass->uncommitted = ebpfs_commit_begins(pass->inode);
	memset(req, 0, sizeof(*req));
	ebpfs_req_prepare(req, pass->mnt);
	ebpfs_req_file(req, pass->inode);
	req->op = EBPFS_OP_COMMIT;
	req->limit = sizeof(pass->reply);
	req->user = pass->user;
	req->buf = &pass->reply;
	req->done = ebpfs_commit_done;
	ebpfs_req_submit(req);
}

static struct ebpfs_pass *ebpfs_pass_begin(struct inode *inode)
{
	struct ebpfs_pass *pass = mempool_alloc(ebpfs_pass_pool, GFP_NOFS);

	memset(pass, 0, sizeof(*pass));
	pass->mnt = ebpfs_mnt(inode);
	pass->inode = inode;
	pass->user = ebpfs_writer(inode);
	pass->asked = ebpfs_now();
	INIT_LIST_HEAD(&pass->ready);
	INIT_LIST_HEAD(&pass->written);
	spin_lock_init(&pass->lock);
	atomic_set(&pass->pending, 1);
	return pass;
}

/* The walk adds no more to the pass. */
static void ebpfs_pass_close(struct ebpfs_pass *pass)
{
	u32 stable = pass->units == 1 ? EBPFS_WRITE_STABLE : EBPFS_WRITE_UNSTABLE;

	ebpfs_write_submit(pass, &pass->ready, stable);
	if (atomic_dec_and_test(&pass->pending))
		ebpfs_pass_answered(pass);
}

/**
 * struct ebpfs_walk - one walk over changed pages
 * @pass: under construction, NULL if none
 * @w: unit under construction, in @pass->ready, NULL if none
 * @unit: most bytes of one
 * @first: @pass is the first
 * @whole: of the whole file, and nothing that is changed is left out
 */
struct ebpfs_walk {
	struct ebpfs_pass *pass;
	struct ebpfs_write *w;
	u32 unit;
	bool first;
	bool whole;
};

/* A unit that begins at @pos. */
static void ebpfs_walk_unit(struct ebpfs_walk *walk, struct inode *inode, loff_t pos)
{
	struct ebpfs_pass *pass = walk->pass;

	if (pass && pass->units == EBPFS_PASS_UNITS) {
		ebpfs_pass_close(pass);
		pass = NULL;
	}
	walk->first = !walk->pass || (walk->first && pass);
	if (!pass) {
		pass = ebpfs_pass_begin(inode);
	} else if (pass->nready == EBPFS_READY_UNITS) {
		ebpfs_write_submit(pass, &pass->ready, EBPFS_WRITE_UNSTABLE);
		pass->nready = 0;
	}
	walk->w = mempool_alloc(ebpfs_write_pool, GFP_NOWAIT | __GFP_NOWARN);
	if (unlikely(!walk->w)) {
		/* Memory is short, and a pass gives its units back when it is over: so
		 * this one has to end before more are waited for.
		 */
		ebpfs_pass_close(pass);
		pass = ebpfs_pass_begin(inode);
		walk->first = false;
		walk->w = mempool_alloc(ebpfs_write_pool, GFP_NOFS);
	}
	walk->pass = pass;
	walk->w->pass = pass;
	walk->w->pos = pos;
	walk->w->len = 0;
	walk->w->nr_folios = 0;
	list_add_tail(&walk->w->link, &pass->ready);
	pass->nready++;
	pass->units++;
}

/* Bytes @from to @to of a folio, which is under write-back. */
static void ebpfs_walk_add(struct ebpfs_walk *walk, struct folio *folio, u32 from, u32 to)
{
	struct inode *inode = folio->mapping->host;
	struct ebpfs_write *w = walk->w;
	u32 n;

	for (; from < to; from += n) {
		loff_t pos = folio_pos(folio) + from;

		if (!w || w->pos + w->len != pos || w->len >= walk->unit ||
		    (w->folios[w->nr_folios - 1] != folio &&
		     w->nr_folios == EBPFS_WRITE_FOLIOS)) {
			ebpfs_walk_unit(walk, inode, pos);
			w = walk->w;
		}
		n = min(to - from, walk->unit - w->len);
		if (!w->nr_folios || w->folios[w->nr_folios - 1] != folio)
			w->folios[w->nr_folios++] = folio;
		w->len += n;
	}
}

/* A folio that is locked and no longer dirty. Unlocks it. */
static void ebpfs_walk_folio(struct ebpfs_walk *walk, struct folio *folio,
			     struct writeback_control *wbc)
{
	loff_t end = i_size_read(folio->mapping->host) - folio_pos(folio);
	struct ebpfs_dirt *dirt = ebpfs_dirt_of(folio);
	u32 from, to;

	if (unlikely(!dirt)) {
		walk->whole = false;
		mapping_set_error(folio->mapping, -ENOMEM);
		folio_redirty_for_writepage(wbc, folio);
		folio_unlock(folio);
		return;
	}
	from = dirt->from;
	to = dirt->to;
	/* Who has pinned a page of a mapping may write to it after it was sent, as direct I/O of
	 * another file does, and says no more than that it is dirty.
	 */
	if (from == to) {
		from = 0;
		to = folio_size(folio);
	}
	dirt->from = 0;
	dirt->to = 0;
	end = clamp_t(loff_t, end, 0, folio_size(folio));
	/* What a mapping wrote behind the end of the file is nobody's. */
	if (end < folio_size(folio))
		folio_zero_segment(folio, end, folio_size(folio));
	to = min_t(loff_t, to, end);
	folio_start_writeback(folio);
	if (from >= to) {
		folio_unlock(folio);
		folio_end_writeback(folio);
		return;
	}
	atomic_set(&dirt->left, to - from);
	folio_unlock(folio);
	ebpfs_walk_add(walk, folio, from, to);
}

static void ebpfs_walk_begin(struct ebpfs_walk *walk, struct inode *inode,
			     const struct writeback_control *wbc)
{
	walk->pass = NULL;
	walk->w = NULL;
	walk->unit = ebpfs_unit_size(EBPFS_I(inode), NULL);
	walk->first = false;
	walk->whole = wbc->sync_mode == WB_SYNC_ALL && !wbc->range_start &&
		      wbc->range_end == LLONG_MAX;
}

/* Is nothing of the file on its way but @w? Such a walk has waited for all that another was
 * about to send.
 */
static bool ebpfs_write_alone(struct inode *inode, const struct ebpfs_write *w)
{
	struct folio_batch batch;
	pgoff_t first = 0;
	unsigned int n;

	folio_batch_init(&batch);
	n = filemap_get_folios_tag(inode->i_mapping, &first, -1, PAGECACHE_TAG_WRITEBACK, &batch);
	folio_batch_release(&batch);
	return n == w->nr_folios;
}

static void ebpfs_walk_end(struct ebpfs_walk *walk)
{
	struct ebpfs_pass *pass = walk->pass;

	if (!pass)
		return;
	if (walk->whole && walk->first && pass->units == 1 &&
	    unlikely(READ_ONCE(EBPFS_I(pass->inode)->later)) &&
	    ebpfs_write_alone(pass->inode, walk->w))
		pass->later = ebpfs_later_ride(pass->inode, pass->user);
	ebpfs_pass_close(pass);
}

int ebpfs_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct folio *folio = NULL;
	struct ebpfs_walk walk;
	int err;

	ebpfs_walk_begin(&walk, mapping->host, wbc);
	while ((folio = writeback_iter(mapping, wbc, folio, &err)))
		ebpfs_walk_folio(&walk, folio, wbc);
	ebpfs_walk_end(&walk);
	return err;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Writing into the page cache. Each folio remembers which of its bytes were
 * changed here (struct ebpfs_dirt); writeback.c sends those.
 *
 * A folio is whole (uptodate) before a part of it is changed, so that what is
 * changed is always one range: a second change that does not touch the first
 * makes it grow over the bytes between. These are then sent too, as they were
 * read; where somebody holds locks on the file, another client may be changing
 * just those under locks of its own, and so the first change is sent before.
 *
 * Context: process, may sleep; folios are locked where the VFS says so.
 */
#include <linux/filelock.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "fs.h"
#include "write.h"

static struct kmem_cache *ebpfs_dirt_cache;

int ebpfs_write_init(void)
{
	int err;

	ebpfs_dirt_cache = KMEM_CACHE(ebpfs_dirt, SLAB_ACCOUNT);
	if (!ebpfs_dirt_cache)
		return -ENOMEM;
	err = ebpfs_writeback_init();
	if (err)
		kmem_cache_destroy(ebpfs_dirt_cache);
	return err;
}

void ebpfs_write_exit(void)
{
	ebpfs_writeback_exit();
	kmem_cache_destroy(ebpfs_dirt_cache);
}

/* The folio's account, made if it has none; NULL: no memory. Folio locked. */
struct ebpfs_dirt *ebpfs_dirt_of(struct folio *folio)
{
	struct ebpfs_dirt *dirt = folio_get_private(folio);

	if (dirt)
		return dirt;
	dirt = kmem_cache_zalloc(ebpfs_dirt_cache, GFP_NOFS);
	if (dirt)
		folio_attach_private(folio, dirt);
	return dirt;
}

/* Bytes @from to @to were changed. Folio locked. */
static void ebpfs_dirt_add(struct ebpfs_dirt *dirt, u32 from, u32 to)
{
	if (dirt->from == dirt->to) {
		dirt->from = from;
		dirt->to = to;
	} else {
		dirt->from = min(dirt->from, from);
		dirt->to = max(dirt->to, to);
	}
}

static bool ebpfs_is_locked(struct inode *inode)
{
	struct file_lock_context *flc = locks_inode_context(inode);

	return flc && (!list_empty_careful(&flc->flc_posix) ||
		       !list_empty_careful(&flc->flc_flock));
}

/* May the change be joined with what was changed before? Folio locked. */
static bool ebpfs_dirt_fits(struct folio *folio, u32 from, u32 to)
{
	struct ebpfs_dirt *dirt = folio_get_private(folio);

	if (!dirt || dirt->from == dirt->to || (from <= dirt->to && to >= dirt->from))
		return true;
	return !ebpfs_is_locked(folio->mapping->host);
}

/* Locks a folio that nobody may be sending: what is sent stays as it is. */
static int ebpfs_lock_stable(struct folio *folio)
{
	int err = folio_lock_killable(folio);

	if (err)
		return err;
	err = folio_wait_writeback_killable(folio);
	if (err)
		folio_unlock(folio);
	return err;
}

/* Reads a folio, which is locked; it still is if that succeeds, and not otherwise. */
static int ebpfs_read_whole(struct file *file, struct folio *folio)
{
	struct address_space *mapping = folio->mapping;
	int err = ebpfs_aops.read_folio(file, folio);

	if (!err)
		err = ebpfs_lock_stable(folio);
	if (err)
		return err;
	if (folio->mapping != mapping)
		err = -EAGAIN;
	else if (!folio_test_uptodate(folio))
		err = -EIO;
	if (err)
		folio_unlock(folio);
	return err;
}

/* Makes the part of a folio right that a write of @from to @to leaves. The folio is
 * locked; it still is on success, and not otherwise.
 */
static int ebpfs_prepare_folio(struct file *file, struct folio *folio, size_t from, size_t to)
{
	struct inode *inode = folio->mapping->host;
	size_t size = folio_size(folio);
	loff_t end = i_size_read(inode) - folio_pos(folio);

	if (folio_test_uptodate(folio) || (!from && to == size))
		return 0;
	if (end <= 0 || (!from && (loff_t)to >= end)) {
		folio_zero_segments(folio, 0, from, to, size);
		return 0;
	}
	return ebpfs_read_whole(file, folio);
}

/* The folio at @pos, made if there is none, as by ebpfs_lock_stable(); a reference. Waits for
 * an answer of the server's, and so can be killed.
 */
static struct folio *ebpfs_get_folio(struct address_space *mapping, loff_t pos, size_t len)
{
	pgoff_t index = pos >> PAGE_SHIFT;
	struct folio *folio;
	int err;

again:
	folio = __filemap_get_folio(mapping, index, FGP_WRITE, 0);
	if (IS_ERR(folio))
		/* It may be there now, but that is rare. */
		return __filemap_get_folio(mapping, index, FGP_WRITEBEGIN | fgf_set_order(len),
					   mapping_gfp_mask(mapping));
	err = ebpfs_lock_stable(folio);
	if (!err && folio->mapping == mapping)
		return folio;
	if (!err)
		folio_unlock(folio);
	folio_put(folio);
	if (!err)
		goto again;
	return ERR_PTR(err);
}

int ebpfs_write_begin(struct file *file, struct address_space *mapping, loff_t pos,
		      unsigned int len, struct folio **foliop, void **fsdata)
{
	struct folio *folio;
	size_t from, to;
	int err;

again:
	folio = ebpfs_get_folio(mapping, pos, len);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	from = offset_in_folio(folio, pos);
	to = min_t(size_t, from + len, folio_size(folio));
	err = ebpfs_prepare_folio(file, folio, from, to);
	if (err) {
		folio_put(folio);
		if (err == -EAGAIN)
			goto again;
		return err;
	}
	/* The account last: reclaim may have taken it while the folio was read. */
	if (ebpfs_dirt_fits(folio, from, to)) {
		if (ebpfs_dirt_of(folio)) {
			*foliop = folio;
			return 0;
		}
		err = -ENOMEM;
	}
	folio_unlock(folio);
	folio_put(folio);
	if (err)
		return err;
	err = filemap_write_and_wait_range(mapping, pos, pos + len - 1);
	if (err)
		return err;
	goto again;
}

/**
 * ebpfs_zero_tail() - the file is about to grow: what follows its end is zeroes
 * @inode: locked
 *
 * A mapping may have written behind the end in the last folio.
 */
void ebpfs_zero_tail(struct inode *inode)
{
	loff_t end = i_size_read(inode);
	struct folio *folio;
	size_t from;

	folio = filemap_lock_folio(inode->i_mapping, end >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return;
	folio_wait_stable(folio);
	from = offset_in_folio(folio, end);
	if (from && folio_test_uptodate(folio))
		folio_zero_segment(folio, from, folio_size(folio));
	folio_unlock(folio);
	folio_put(folio);
}

int ebpfs_write_end(struct file *file, struct address_space *mapping, loff_t pos,
		    unsigned int len, unsigned int copied, struct folio *folio, void *fsdata)
{
	struct inode *inode = mapping->host;
	size_t from = offset_in_folio(folio, pos);

	if (!folio_test_uptodate(folio)) {
		/* A part that was not written after all would be garbage. */
		if (copied < len)
			copied = 0;
		else
			folio_mark_uptodate(folio);
	}
	if (copied) {
		ebpfs_dirt_add(folio_get_private(folio), from, from + copied);
		/* In this order: attributes that come in spare the size of what is dirty. */
		folio_mark_dirty(folio);
		ebpfs_size_grows(inode, pos + copied);
	}
	folio_unlock(folio);
	folio_put(folio);
	return copied;
}

/**
 * ebpfs_protect_tail() - the file has grown
 * @inode: locked
 * @old: its size before
 *
 * Mappings that could write to its last folio make a fault again when they do: what
 * they store behind the old end has to be noted, too.
 */
void ebpfs_protect_tail(struct inode *inode, loff_t old)
{
	struct folio *folio;

	if (old >= i_size_read(inode) || !mapping_writably_mapped(inode->i_mapping))
		return;
	folio = filemap_lock_folio(inode->i_mapping, old >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return;
	if (folio_mkclean(folio))
		folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
}

/* A mapping is about to write. */
static vm_fault_t ebpfs_page_mkwrite(struct vm_fault *vmf)
{
	struct folio *folio = page_folio(vmf->page);
	struct file *file = vmf->vma->vm_file;
	struct inode *inode = file_inode(file);
	struct address_space *mapping = inode->i_mapping;
	loff_t at = (loff_t)vmf->pgoff << PAGE_SHIFT, end;
	vm_fault_t ret = VM_FAULT_LOCKED;
	struct ebpfs_dirt *dirt;
	size_t size;

	sb_start_pagefault(inode->i_sb);
	/* Here and below, an error ends who is being killed, too: as a fault that may be made
	 * again it could go on for ever in a system call.
	 */
	if (ebpfs_append_settle(inode) || ebpfs_settle_later(inode)) {
		ret = VM_FAULT_SIGBUS;
		goto out;
	}
	ebpfs_set_writer(inode, file);
	/* Not while the server changes the file, and what is cached is thrown away after. */
	if (down_read_killable(&mapping->invalidate_lock)) {
		ret = VM_FAULT_SIGBUS;
		goto out;
	}
again:
	if (ebpfs_lock_stable(folio)) {
		ret = VM_FAULT_SIGBUS;
		goto unlock_mapping;
	}
	/* Once: others may make the file shorter meanwhile. */
	end = i_size_read(inode);
	if (folio->mapping != mapping || at >= end) {
		ret = folio->mapping != mapping ? VM_FAULT_NOPAGE : VM_FAULT_SIGBUS;
		folio_unlock(folio);
		goto unlock_mapping;
	}
	/* Not what is behind the end of the file: should others make it grow, theirs is
	 * there. When it grows here, ebpfs_protect_tail() sees to another fault.
	 */
	size = min_t(loff_t, folio_size(folio), end - folio_pos(folio));
	if (!ebpfs_dirt_fits(folio, 0, size)) {
		loff_t pos = folio_pos(folio);

		folio_unlock(folio);
		if (filemap_write_and_wait_range(mapping, pos, pos + size - 1)) {
			ret = VM_FAULT_SIGBUS;
			goto unlock_mapping;
		}
		goto again;
	}
	dirt = ebpfs_dirt_of(folio);
	if (!dirt) {
		folio_unlock(folio);
		ret = VM_FAULT_OOM;
		goto unlock_mapping;
	}
	ebpfs_dirt_add(dirt, 0, size);
	folio_mark_dirty(folio);
unlock_mapping:
	filemap_invalidate_unlock_shared(mapping);
out:
	sb_end_pagefault(inode->i_sb);
	return ret;
}

const struct vm_operations_struct ebpfs_vm_ops = {
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = ebpfs_page_mkwrite,
};

bool ebpfs_release_folio(struct folio *folio, gfp_t gfp)
{
	if (folio_test_dirty(folio) || folio_test_writeback(folio))
		return false;
	kmem_cache_free(ebpfs_dirt_cache, folio_detach_private(folio));
	return true;
}

/* The file becomes shorter. A part of a folio that goes has become zeroes, and lies behind
 * the end of the file: write-back cuts that off.
 */
void ebpfs_invalidate_folio(struct folio *folio, size_t offset, size_t len)
{
	folio_wait_writeback(folio);
	if (!offset && len == folio_size(folio))
		kmem_cache_free(ebpfs_dirt_cache, folio_detach_private(folio));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Names. A name is believed for actimeo= after the server was asked, or until the
 * directory's lease is recalled; then the parent is asked again whether the name
 * still means the same handle. To open a file its name is asked for in any case
 * (close-to-open), which brings its attributes and has it held open, unless the mount
 * has nocto; and if the file is to be read, is small, and nothing of it is here, its
 * contents. A file that is to be made if it is not there is made without asking before.
 */
#include <linux/highmem.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "copy.h"
#include "fs.h"

/* Room for contents in the answer of a LOOKUP, so that all of it has one of the allocator's
 * sizes: if the file's size is not known, less, because all of it counts in the window
 * until the answer is there.
 */
#define EBPFS_FIRST_ROOM	(EBPFS_FIRST_MAX - sizeof(struct ebpfs_entry_buf))
#define EBPFS_FIRST_GUESS	(8192 - sizeof(struct ebpfs_entry_buf))

/**
 * struct ebpfs_found - a LOOKUP and its answer
 * @req: the call
 * @e: what it said, pointing into @buf
 * @asked: ns when the request left
 * @first: bytes of contents that are wanted
 * @size: index of @buf's size
 * @buf: @small or, if contents are wanted, memory of its own
 * @small: enough without
 */
struct ebpfs_found {
	struct ebpfs_req req;
	struct ebpfs_entry_info e;
	u64 asked;
	u32 first;
	u8 size;
	struct ebpfs_entry_buf *buf;
	struct ebpfs_entry_buf small;
};

/* One buffer of each size is kept: to make another means to have it zeroed, where the kernel
 * is told to do that with all memory (init_on_alloc). NULL without memory.
 */
static void *ebpfs_first_get(struct ebpfs_sb *sbi, u8 size)
{
	void **kept = &sbi->first[size];
	void *buf = READ_ONCE(*kept) ? xchg(kept, NULL) : NULL;

	if (buf)
		return buf;
	/* That many pages in one piece are not worth an effort. */
	return size ? kmalloc(EBPFS_FIRST_MAX, GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY) :
		      kmalloc(8192, GFP_KERNEL | __GFP_NOWARN);
}

static void ebpfs_first_put(struct ebpfs_sb *sbi, u8 size, void *buf)
{
	void **kept = &sbi->first[size];

	if (READ_ONCE(*kept) || cmpxchg(kept, NULL, buf))
		kfree(buf);
}

/* Ask @dir for @name. @flags: LOOKUP_*. @first: bytes of contents that are wanted as well,
 * at most EBPFS_FIRST_ROOM. Return: 0, or an error; ebpfs_found_done() in any case.
 */
static int ebpfs_find(struct inode *dir, const struct qstr *name, unsigned int flags, u32 first,
		      struct ebpfs_found *f)
{
	int err;

	f->buf = &f->small;
	if (name->len > EBPFS_NAME_MAX)
		return -ENAMETOOLONG;
	f->first = first;
	if (first) {
		f->size = first > EBPFS_FIRST_GUESS;
		f->buf = ebpfs_first_get(EBPFS_SB(dir->i_sb), f->size);
		if (!f->buf) {
			f->buf = &f->small;
			f->first = 0;
		}
	}
	f->asked = ebpfs_now();
	f->req = (struct ebpfs_req) {
		.op = EBPFS_OP_LOOKUP,
		.name = name->name,
		.name_len = name->len,
		.limit = sizeof(f->small) + f->first,
		.buf = f->buf,
	};
	ebpfs_lease_names(dir);
	ebpfs_req_prepare(&f->req, ebpfs_mnt(dir));
	ebpfs_hold_ask(&f->req, flags & LOOKUP_OPEN ? EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE :
						      EBPFS_HOLD_LEASE);
	f->req.count |= f->first << EBPFS_FIRST_SHIFT;
	err = ebpfs_call_req(dir, &f->req);
	if (err)
		return err;
	if (ebpfs_parse_entry(f->buf, f->req.res.total, false, &f->e) ||
	    !(f->e.flags & EBPFS_ENTRY_ATTR))
		return -EIO;
	return 0;
}

/* @inode: any of the mount. */
static void ebpfs_found_done(const struct inode *inode, struct ebpfs_found *f)
{
	if (f->buf != &f->small)
		ebpfs_first_put(EBPFS_SB(inode->i_sb), f->size, f->buf);
}

/* Are contents that came with these attributes still those of the file? */
static bool ebpfs_first_holds(struct inode *inode, const struct ebpfs_attr *attr)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	bool holds;

	spin_lock_bh(&ei->attr_lock);
	holds = ei->change == le64_to_cpu(attr->change) && !ei->stale_data &&
		i_size_read(inode) == le64_to_cpu(attr->size) && !ebpfs_has_changes(inode);
	spin_unlock_bh(&ei->attr_lock);
	return holds;
}

/*
 * Contents came along: into the page cache, unless there is something already. They are
 * believed only after their folio is in the cache: whoever changes the file here has its
 * change attribute first, and throws away what is cached then (as direct writes and
 * truncation do), so either that change is seen here, or the folio is seen there.
 */
static void ebpfs_prime_data(struct inode *inode, const struct ebpfs_found *f)
{
	struct address_space *mapping = inode->i_mapping;
	const u8 *data = (const u8 *)f->buf + f->e.len;
	size_t len = f->req.res.total - f->e.len, done = 0;

	if (!len || len > f->first || len != le64_to_cpu(f->e.attr.size) ||
	    !S_ISREG(inode->i_mode) || mapping->nrpages)
		return;
	while (done < len) {
		struct folio *folio;
		size_t size, n = 0;

		/* As large as it can be without a page that nothing comes into. */
		folio = __filemap_get_folio(mapping, done >> PAGE_SHIFT,
					    FGP_LOCK | FGP_CREAT | FGP_NOWAIT |
					    fgf_set_order(PAGE_ALIGN(len - done)),
					    mapping_gfp_mask(mapping) | __GFP_NOWARN);
		if (IS_ERR(folio))
			return;
		size = folio_size(folio);
		if (folio_pos(folio) == done) {
			n = min(len - done, size);
			/* Just made: what somebody reads or writes is locked until it is whole. */
			if (!folio_test_uptodate(folio)) {
				ebpfs_memcpy(folio_address(folio), data + done, n);
				folio_zero_segment(folio, n, size);
				if (ebpfs_first_holds(inode, &f->e.attr))
					folio_mark_uptodate(folio);
			}
		}
		folio_unlock(folio);
		folio_put(folio);
		if (!n)
			return;
		done += n;
	}
}

/* @dentry means what was found, or nothing if @inode is NULL. */
static struct dentry *ebpfs_name_found(struct dentry *dentry, struct inode *inode, u64 asked)
{
	struct dentry *alias;

	dentry->d_time = asked;
	alias = d_splice_alias(inode, dentry);
	if (!IS_ERR_OR_NULL(alias))
		alias->d_time = asked;
	return alias;
}

static struct dentry *ebpfs_look(struct inode *dir, struct dentry *dentry, unsigned int flags,
				 u32 first)
{
	struct inode *inode = NULL;
	struct ebpfs_found f;
	int err;

	err = ebpfs_find(dir, &dentry->d_name, flags, first, &f);
	if (!err) {
		inode = ebpfs_iget(dir->i_sb, f.e.fh, f.e.fh_len, &f.e.attr, f.asked);
		if (!IS_ERR(inode)) {
			ebpfs_asked(inode, &f.req, &f.e.attr, f.asked);
			ebpfs_prime_data(inode, &f);
		}
	}
	ebpfs_found_done(dir, &f);
	if (err && err != -ENOENT)
		return ERR_PTR(err);
	return ebpfs_name_found(dentry, inode, f.asked);
}

struct dentry *ebpfs_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	return ebpfs_look(dir, dentry, flags, 0);
}

/* Errors of making a file that may be there already: then it is to be opened. */
static bool ebpfs_may_be_there(int err)
{
	return err == -EEXIST || err == -EROFS || err == -EACCES || err == -EPERM ||
	       err == -ENOSPC || err == -EDQUOT;
}

/**
 * ebpfs_atomic_open() - open(2) of a name of which nothing is known, or which is free
 * @dir: directory, locked by the VFS
 * @dentry: name
 * @file: to be opened
 * @flags: O_*, without O_CREAT if the VFS says that the user must not make files here
 * @mode: of a new file
 *
 * What is there is left to the VFS to open, with its rules for O_TRUNC, O_DIRECTORY, links
 * and the like; here is only what saves a round trip.
 */
int ebpfs_atomic_open(struct inode *dir, struct dentry *dentry, struct file *file,
		      unsigned int flags, umode_t mode)
{
	bool reads = (flags & O_ACCMODE) != O_WRONLY &&
		     !(flags & (O_TRUNC | O_DIRECT | O_DIRECTORY));
	struct dentry *found = NULL;
	struct inode *inode;
	int err = 0;
	u64 asked;

	if (flags & O_CREAT) {
		inode = ebpfs_make_file(dir, dentry, mode, &asked);
		if (!IS_ERR(inode)) {
			file->f_mode |= FMODE_CREATED;
			dentry->d_time = asked;
			/* A new regular file is no alias of anything. */
			if (d_in_lookup(dentry))
				d_add(dentry, inode);
			else
				d_instantiate(dentry, inode);
			return finish_open(file, dentry, NULL);
		}
		err = PTR_ERR(inode);
		if (!ebpfs_may_be_there(err) || (err == -EEXIST && flags & O_EXCL)) {
			d_drop(dentry);
			return err;
		}
	}
	if (d_in_lookup(dentry)) {
		found = ebpfs_look(dir, dentry, LOOKUP_OPEN, reads ? EBPFS_FIRST_GUESS : 0);
		if (IS_ERR(found))
			return PTR_ERR(found);
	}
	if (err && d_really_is_negative(found ?: dentry)) {
		dput(found);
		/* It is gone again: the VFS tries from the start. */
		return err == -EEXIST ? -ESTALE : err;
	}
	if (err && flags & O_EXCL) {
		dput(found);
		return -EEXIST;
	}
	return finish_no_open(file, found);
}

/**
 * ebpfs_prime_dentry() - READDIR told a name with its file: remember both
 * @parent: directory, opened
 * @e: entry with EBPFS_ENTRY_ATTR
 * @asked: ns when the request left
 *
 * Best effort: an error only means that a lookup will ask.
 */
void ebpfs_prime_dentry(struct dentry *parent, const struct ebpfs_entry_info *e,
			u64 asked)
{
	struct qstr name = QSTR_INIT(e->name, e->name_len);
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(wq);
	struct dentry *dentry, *alias;
	struct inode *inode;

	name.hash = full_name_hash(parent, name.name, name.len);
	dentry = d_lookup(parent, &name);
	if (dentry) {
		inode = d_inode(dentry);
		if (inode && EBPFS_I(inode)->fh_len == e->fh_len &&
		    !memcmp(EBPFS_I(inode)->fh, e->fh, e->fh_len)) {
			if (!ebpfs_update(inode, &e->attr, asked))
				dentry->d_time = asked;
			dput(dentry);
			return;
		}
		d_invalidate(dentry);
		dput(dentry);
	}
	dentry = d_alloc_parallel(parent, &name, &wq);
	if (IS_ERR(dentry))
		return;
	if (d_in_lookup(dentry)) {
		inode = ebpfs_iget(parent->d_sb, e->fh, e->fh_len, &e->attr, asked);
		dentry->d_time = asked;
		alias = d_splice_alias(inode, dentry);
		d_lookup_done(dentry);
		if (!IS_ERR_OR_NULL(alias)) {
			alias->d_time = asked;
			dput(alias);
		}
	}
	dput(dentry);
}

/* Is what the name meant when it was last asked for still believed? @open: to open it,
 * which is a reason to ask (close-to-open). A lease is none not to: of changes that are
 * made on the server itself it does not tell.
 */
static bool ebpfs_name_fresh(const struct dentry *dentry, bool open)
{
	const struct ebpfs_sb *sbi = EBPFS_SB(dentry->d_sb);
	u64 at = READ_ONCE(dentry->d_time);
	const struct inode *dir;
	bool fresh;

	rcu_read_lock();
	dir = d_inode_rcu(READ_ONCE(dentry->d_parent));
	fresh = dir && at >= READ_ONCE(EBPFS_I(dir)->names_at) &&
		at >= READ_ONCE(sbi->lost_at) && ebpfs_now() - at < sbi->actimeo &&
		(!open || sbi->nocto);
	rcu_read_unlock();
	return fresh;
}

/* To open @inode, which is known: how much of its contents is worth asking for? */
static u32 ebpfs_worth_first(const struct inode *inode, unsigned int flags)
{
	loff_t size = i_size_read(inode);

	return flags & LOOKUP_OPEN && !(flags & LOOKUP_CREATE) && S_ISREG(inode->i_mode) &&
	       !inode->i_mapping->nrpages && size <= EBPFS_FIRST_ROOM ? size : 0;
}

static int ebpfs_d_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct dentry *parent;
	struct inode *inode;
	struct name_snapshot name;
	struct ebpfs_found f;
	bool fresh;
	int err;

	inode = d_inode_rcu(dentry);
	fresh = ebpfs_name_fresh(dentry, flags & LOOKUP_OPEN &&
					 (!inode || S_ISREG(inode->i_mode)));
	/* Whether a name is free is asked when it is to be made. */
	if (!inode)
		return fresh && !(flags & (LOOKUP_CREATE | LOOKUP_RENAME_TARGET));
	/* So is whether it is taken. */
	if (flags & (LOOKUP_EXCL | LOOKUP_RENAME_TARGET))
		fresh = false;
	if (fresh)
		return 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;

	parent = dget_parent(dentry);
	take_dentry_name_snapshot(&name, dentry);	/* a rename may free it */
	err = ebpfs_find(d_inode(parent), &name.name, flags, ebpfs_worth_first(inode, flags), &f);
	release_dentry_name_snapshot(&name);
	dput(parent);
	if (!err) {
		if (f.e.fh_len != EBPFS_I(inode)->fh_len ||
		    memcmp(f.e.fh, EBPFS_I(inode)->fh, f.e.fh_len) ||
		    ebpfs_update(inode, &f.e.attr, f.asked)) {
			err = -ESTALE;
		} else {
			ebpfs_asked(inode, &f.req, &f.e.attr, f.asked);
			ebpfs_prime_data(inode, &f);
			dentry->d_time = f.asked;
		}
	}
	ebpfs_found_done(inode, &f);
	return !err ? 1 : err == -ENOENT || err == -ESTALE ? 0 : err;
}

const char *ebpfs_get_link(struct dentry *dentry, struct inode *inode,
			    struct delayed_call *done)
{
	struct ebpfs_result res;
	char *target;
	int err;

	/* A link's target never changes, so it is read once per inode. */
	target = READ_ONCE(inode->i_link);
	if (target)
		return target;
	if (!dentry)
		return ERR_PTR(-ECHILD);
	target = kmalloc(EBPFS_LINK_MAX + 1, GFP_KERNEL);
	if (!target)
		return ERR_PTR(-ENOMEM);
	err = ebpfs_call_inode(inode, EBPFS_OP_READLINK, 0, 0, NULL, target, EBPFS_LINK_MAX, &res);
	if (!err && (!res.total || memchr(target, 0, res.total)))
		err = -EIO;
	if (!err) {
		char *fit = kmemdup_nul(target, res.total, GFP_KERNEL);

		kfree(target);
		if (!fit)
			return ERR_PTR(-ENOMEM);
		target = cmpxchg_release(&inode->i_link, NULL, fit);
		if (!target)
			return fit;
		kfree(fit);	/* somebody else was first */
		return target;
	}
	kfree(target);
	return ERR_PTR(err);
}

const struct dentry_operations ebpfs_dops = {
	.d_revalidate = ebpfs_d_revalidate,
};

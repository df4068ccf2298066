// SPDX-License-Identifier: GPL-2.0
/*
 * Names. A name is believed for actimeo= after the server was asked, or until the
 * directory's lease is recalled; then the parent is asked again whether the name
 * still means the same handle. To open a file its name is asked for in any case
 * (close-to-open), which brings its attributes and has it held open, unless the mount
 * has nocto.
 */
#include <linux/namei.h>
#include <linux/slab.h>

#include "fs.h"

/* Ask @dir for @name, with @req. @flags: LOOKUP_*. Return: 0 and @e (pointing into
 * @buf), or an error.
 */
static int ebpfs_lookup_call(struct inode *dir, const struct qstr *name, unsigned int flags,
			     struct ebpfs_req *req, struct ebpfs_entry_buf *buf,
			     struct ebpfs_entry_info *e)
{
	int err;

	if (name->len > EBPFS_NAME_MAX)
		return -ENAMETOOLONG;
	*req = (struct ebpfs_req) {
		.op = EBPFS_OP_LOOKUP,
		.name = name->name,
		.name_len = name->len,
		.limit = sizeof(*buf),
		.buf = buf,
	};
	ebpfs_lease_names(dir);
	ebpfs_req_prepare(req, ebpfs_mnt(dir));
	ebpfs_hold_ask(req, flags & LOOKUP_OPEN ? EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE :
						  EBPFS_HOLD_LEASE);
	err = ebpfs_call_req(dir, req);
	if (err)
		return err;
	if (ebpfs_parse_entry(buf, req->res.total, false, e) || !(e->flags & EBPFS_ENTRY_ATTR))
		return -EIO;
	return 0;
}

struct dentry *ebpfs_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	u64 asked = ebpfs_now();
	struct ebpfs_entry_buf buf;
	struct ebpfs_entry_info e;
	struct inode *inode = NULL;
	struct dentry *alias;
	struct ebpfs_req req;
	int err;

	err = ebpfs_lookup_call(dir, &dentry->d_name, flags, &req, &buf, &e);
	if (!err) {
		inode = ebpfs_iget(dir->i_sb, e.fh, e.fh_len, &e.attr, asked);
		if (!IS_ERR(inode))
			ebpfs_asked(inode, &req, &e.attr, asked);
	} else if (err != -ENOENT)
		return ERR_PTR(err);
	dentry->d_time = asked;
	alias = d_splice_alias(inode, dentry);
	if (!IS_ERR_OR_NULL(alias))
		alias->d_time = asked;
	return alias;
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

static int ebpfs_d_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct ebpfs_entry_buf buf;
	struct ebpfs_entry_info e;
	struct dentry *parent;
	struct inode *inode, *dir;
	struct name_snapshot name;
	struct ebpfs_req req;
	u64 asked;
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

	asked = ebpfs_now();
	parent = dget_parent(dentry);
	dir = d_inode(parent);
	take_dentry_name_snapshot(&name, dentry);	/* a rename may free it */
	err = ebpfs_lookup_call(dir, &name.name, flags, &req, &buf, &e);
	release_dentry_name_snapshot(&name);
	dput(parent);
	if (err == -ENOENT || err == -ESTALE)
		return 0;
	if (err)
		return err;
	if (e.fh_len != EBPFS_I(inode)->fh_len || memcmp(e.fh, EBPFS_I(inode)->fh, e.fh_len) ||
	    ebpfs_update(inode, &e.attr, asked))
		return 0;
	ebpfs_asked(inode, &req, &e.attr, asked);
	dentry->d_time = asked;
	return 1;
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

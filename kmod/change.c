// SPDX-License-Identifier: GPL-2.0
/*
 * Names are made, removed and renamed, and attributes set. Each is one call
 * that the server executes once, as the user who asked (cred.c): its kernel
 * says what is allowed, and what default ACLs, sticky and setgid directories
 * mean. What it changed beside is asked for when it is next needed.
 *
 * Context: process, with the locks that the VFS holds; sleeps, killable.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "fs.h"

static void ebpfs_once(struct ebpfs_req *req, struct inode *inode, u16 op)
{
	memset(req, 0, sizeof(*req));
	ebpfs_req_prepare_once(req, ebpfs_mnt(inode));
	req->op = op;
}

static void ebpfs_name(struct ebpfs_req *req, const struct dentry *dentry)
{
	req->name = dentry->d_name.name;
	req->name_len = dentry->d_name.len;
}

/* Make a file that is not there, with the name @dentry has, or none if @op is TMPFILE.
 * @target: of a symbolic link. Return: its inode, or an error pointer.
 */
static struct inode *ebpfs_make(struct inode *dir, const struct dentry *dentry, u16 op,
				umode_t mode, dev_t rdev, const char *target, u64 *asked)
{
	u32 target_len = target ? strlen(target) : 0;
	u32 len = sizeof(struct ebpfs_create) + target_len;
	struct ebpfs_entry_buf buf;
	struct ebpfs_entry_info e;
	struct ebpfs_create *c;
	struct ebpfs_req req;
	struct inode *inode;
	int err;

	c = kzalloc(len, GFP_KERNEL);
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->mode = cpu_to_le32(mode);
	c->umask = cpu_to_le32(current_umask());
	c->rdev_major = cpu_to_le32(MAJOR(rdev));
	c->rdev_minor = cpu_to_le32(MINOR(rdev));
	c->flags = cpu_to_le32(EBPFS_CREATE_EXCL);
	c->target_len = cpu_to_le32(target_len);
	memcpy(c + 1, target, target_len);
	ebpfs_once(&req, dir, op);
	if (op == EBPFS_OP_CREATE)
		ebpfs_name(&req, dentry);
	ebpfs_hold_ask(&req, S_ISREG(mode) ? EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE :
					     EBPFS_HOLD_LEASE);
	req.data = c;
	req.data_len = len;
	req.buf = &buf;
	req.limit = sizeof(buf);
	*asked = ebpfs_now();
	err = ebpfs_call_req(dir, &req);
	kfree(c);
	if (op == EBPFS_OP_CREATE)
		ebpfs_changed(dir, &req);
	if (err)
		return ERR_PTR(err);
	if (ebpfs_parse_entry(&buf, req.res.total, false, &e) || !(e.flags & EBPFS_ENTRY_ATTR))
		return ERR_PTR(-EIO);
	inode = ebpfs_iget(dir->i_sb, e.fh, e.fh_len, &e.attr, *asked);
	if (IS_ERR(inode))
		return inode;
	/* Another file: the server talks nonsense. One that has a name here already: so it
	 * does, or somebody else was quick to rename the new directory.
	 */
	err = inode_wrong_type(inode, mode) ? -EIO :
	      (S_ISDIR(mode) || op == EBPFS_OP_TMPFILE) && !hlist_empty(&inode->i_dentry) ?
	      -ESTALE : 0;
	if (err) {
		iput(inode);
		return ERR_PTR(err);
	}
	ebpfs_asked(inode, &req, &e.attr, *asked);
	ebpfs_changed(inode, &req);
	if (S_ISREG(mode)) {
		WRITE_ONCE(EBPFS_I(inode)->made_by, req.acted);
		WRITE_ONCE(EBPFS_I(inode)->made, true);
	}
	return inode;
}

static struct inode *ebpfs_make_named(struct inode *dir, struct dentry *dentry, umode_t mode,
				      dev_t rdev, const char *target, u64 *asked)
{
	struct inode *inode;

	if (dentry->d_name.len > EBPFS_NAME_MAX || (target && strlen(target) > EBPFS_LINK_MAX))
		return ERR_PTR(-ENAMETOOLONG);
	inode = ebpfs_make(dir, dentry, EBPFS_OP_CREATE, mode, rdev, target, asked);
	ebpfs_expire(dir);
	return inode;
}

/**
 * ebpfs_make_file() - make a regular file under a name that must be free
 * @dir: directory, locked
 * @dentry: name; it is left as it is
 * @mode: its permissions
 * @asked: out: ns when the request left
 *
 * Return: its inode, held open, or an error pointer.
 */
struct inode *ebpfs_make_file(struct inode *dir, struct dentry *dentry, umode_t mode, u64 *asked)
{
	return ebpfs_make_named(dir, dentry, (mode & S_IALLUGO) | S_IFREG, 0, NULL, asked);
}

static int ebpfs_make_name(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t rdev,
			   const char *target)
{
	struct inode *inode;
	u64 asked;

	inode = ebpfs_make_named(dir, dentry, mode, rdev, target, &asked);
	if (IS_ERR(inode)) {
		/* It may be there, or have been made all the same: not that it is not. */
		d_drop(dentry);
		return PTR_ERR(inode);
	}
	dentry->d_time = asked;
	d_instantiate(dentry, inode);
	return 0;
}

static int ebpfs_create(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			umode_t mode, bool excl)
{
	int err = ebpfs_make_name(dir, dentry, (mode & S_IALLUGO) | S_IFREG, 0, NULL);

	/* Somebody was quicker. Whoever wants just any file of that name gets theirs:
	 * the VFS looks again, and then O_TRUNC, too, is done as it should.
	 */
	return err == -EEXIST && !excl ? -ESTALE : err;
}

static int ebpfs_mkdir(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		       umode_t mode)
{
	return ebpfs_make_name(dir, dentry, (mode & S_IALLUGO) | S_IFDIR, 0, NULL);
}

static int ebpfs_mknod(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		       umode_t mode, dev_t rdev)
{
	return ebpfs_make_name(dir, dentry, mode, S_ISCHR(mode) || S_ISBLK(mode) ? rdev : 0, NULL);
}

static int ebpfs_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			 const char *target)
{
	return ebpfs_make_name(dir, dentry, S_IFLNK | 0777, 0, target);
}

/* The server keeps the file as long as it is held open. */
static int ebpfs_tmpfile(struct mnt_idmap *idmap, struct inode *dir, struct file *file,
			 umode_t mode)
{
	struct inode *inode;
	u64 asked;

	/* The server that made it holds it; the file's own handle may lead to another. */
	if (READ_ONCE(ebpfs_mnt(dir)->node_count) > 1)
		return -EOPNOTSUPP;
	inode = ebpfs_make(dir, NULL, EBPFS_OP_TMPFILE, (mode & S_IALLUGO) | S_IFREG, 0, NULL,
			   &asked);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	/* One that d_tmpfile() takes away. */
	set_nlink(inode, 1);
	d_tmpfile(file, inode);
	return finish_open_simple(file, 0);
}

/* A name of @inode is gone. @at: the time of its attributes before; others that have come in
 * since may count the name no longer.
 */
static void ebpfs_lost_name(struct inode *inode, u64 at)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	bool ask;

	spin_lock_bh(&ei->attr_lock);
	ask = ei->attr_at != at && !S_ISDIR(inode->i_mode);
	if (S_ISDIR(inode->i_mode))
		clear_nlink(inode);
	else if (!ask && inode->i_nlink)
		drop_nlink(inode);
	spin_unlock_bh(&ei->attr_lock);
	ebpfs_expire(inode);
	if (ask && ebpfs_revalidate(inode, false) == -ESTALE) {
		spin_lock_bh(&ei->attr_lock);
		clear_nlink(inode);
		spin_unlock_bh(&ei->attr_lock);
	}
	if (!inode->i_nlink)
		ebpfs_hold_unlinked(inode);
}

static int ebpfs_remove(struct inode *dir, struct dentry *dentry, u64 what)
{
	struct inode *inode = d_inode(dentry);
	struct ebpfs_req req;
	u64 at;
	int err;

	/* What is still to be written of it must not come after. */
	if (S_ISREG(inode->i_mode) && inode->i_nlink > 1)
		filemap_write_and_wait(inode->i_mapping);
	at = READ_ONCE(EBPFS_I(inode)->attr_at);
	ebpfs_once(&req, dir, EBPFS_OP_REMOVE);
	ebpfs_name(&req, dentry);
	req.arg = what;
	err = ebpfs_call_req(dir, &req);
	ebpfs_expire(dir);
	ebpfs_changed(dir, &req);
	if (err)
		return err;
	ebpfs_lost_name(inode, at);
	dentry->d_time = ebpfs_now();
	return 0;
}

static int ebpfs_unlink(struct inode *dir, struct dentry *dentry)
{
	return ebpfs_remove(dir, dentry, EBPFS_REMOVE_FILE);
}

static int ebpfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	return ebpfs_remove(dir, dentry, EBPFS_REMOVE_DIR);
}

/* The new name, as data of @req. Return: what to free, or an error pointer. */
static void *ebpfs_target(struct ebpfs_req *req, struct inode *dir, const struct dentry *dentry)
{
	struct ebpfs_target_info t = {
		.fh = EBPFS_I(dir)->fh,
		.fh_len = EBPFS_I(dir)->fh_len,
		.name = dentry->d_name.name,
		.name_len = dentry->d_name.len,
	};
	void *data;

	if (dentry->d_name.len > EBPFS_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	data = kmalloc(EBPFS_TARGET_MAX, GFP_KERNEL);
	if (!data)
		return ERR_PTR(-ENOMEM);
	req->data = data;
	req->data_len = ebpfs_put_target(data, &t);
	return data;
}

static int ebpfs_rename(struct mnt_idmap *idmap, struct inode *old_dir, struct dentry *old,
			struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	struct inode *inode = d_inode(old), *there = d_inode(new);
	u64 at = there ? READ_ONCE(EBPFS_I(there)->attr_at) : 0;
	struct ebpfs_req req;
	void *data;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = ebpfs_settle_later(inode);
	if (err)
		return err;
	ebpfs_once(&req, old_dir, EBPFS_OP_RENAME);
	ebpfs_name(&req, old);
	req.arg = flags;
	data = ebpfs_target(&req, new_dir, new);
	if (IS_ERR(data))
		return PTR_ERR(data);
	err = ebpfs_call_req(old_dir, &req);
	kfree(data);
	ebpfs_expire(old_dir);
	ebpfs_expire(new_dir);
	ebpfs_changed(old_dir, &req);
	ebpfs_changed(new_dir, &req);
	if (err)
		return err;
	ebpfs_expire(inode);
	if (there && flags & RENAME_EXCHANGE)
		ebpfs_expire(there);
	else if (there)
		ebpfs_lost_name(there, at);
	/* The VFS moves the names; the new one was just made sure of. */
	old->d_time = ebpfs_now();
	new->d_time = old->d_time;
	return 0;
}

static int ebpfs_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	struct ebpfs_attr attr;
	struct ebpfs_req req;
	u64 asked;
	void *data;
	int err;

	err = ebpfs_settle_later(inode);
	if (err)
		return err;
	ebpfs_once(&req, inode, EBPFS_OP_LINK);
	data = ebpfs_target(&req, dir, dentry);
	if (IS_ERR(data))
		return PTR_ERR(data);
	req.buf = &attr;
	req.limit = sizeof(attr);
	asked = ebpfs_now();
	err = ebpfs_call_req(inode, &req);
	kfree(data);
	ebpfs_expire(dir);
	ebpfs_changed(dir, &req);
	ebpfs_changed(inode, &req);
	if (!err && req.res.total != sizeof(attr))
		err = -EIO;
	if (!err)
		err = ebpfs_update(inode, &attr, asked);
	if (err)
		return err;
	/* The answer to something later may have come before, and be from before. */
	if (READ_ONCE(EBPFS_I(inode)->attr_at) != asked) {
		if (!inode->i_nlink)
			set_nlink(inode, 1);
		ebpfs_expire(inode);
	}
	ihold(inode);
	dentry->d_time = asked;
	d_instantiate(dentry, inode);
	return 0;
}

static void ebpfs_put_setattr(struct ebpfs_setattr *a, const struct iattr *attr)
{
	u32 valid = 0;

	memset(a, 0, sizeof(*a));
	if (attr->ia_valid & ATTR_MODE) {
		valid |= EBPFS_SET_MODE;
		a->mode = cpu_to_le32(attr->ia_mode & S_IALLUGO);
	}
	if (attr->ia_valid & ATTR_UID) {
		valid |= EBPFS_SET_UID;
		a->uid = cpu_to_le32(from_kuid(&init_user_ns, attr->ia_uid));
	}
	if (attr->ia_valid & ATTR_GID) {
		valid |= EBPFS_SET_GID;
		a->gid = cpu_to_le32(from_kgid(&init_user_ns, attr->ia_gid));
	}
	if (attr->ia_valid & ATTR_SIZE) {
		valid |= EBPFS_SET_SIZE;
		a->size = cpu_to_le64(attr->ia_size);
	}
	if (attr->ia_valid & ATTR_ATIME_SET) {
		valid |= EBPFS_SET_ATIME;
		a->atime = cpu_to_le64(attr->ia_atime.tv_sec);
		a->atime_ns = cpu_to_le32(attr->ia_atime.tv_nsec);
	} else if (attr->ia_valid & ATTR_ATIME) {
		valid |= EBPFS_SET_ATIME_NOW;
	}
	if (attr->ia_valid & ATTR_MTIME_SET) {
		valid |= EBPFS_SET_MTIME;
		a->mtime = cpu_to_le64(attr->ia_mtime.tv_sec);
		a->mtime_ns = cpu_to_le32(attr->ia_mtime.tv_nsec);
	} else if (attr->ia_valid & ATTR_MTIME) {
		/* Changing the size sets it, too, at the server. */
		if (!(attr->ia_valid & ATTR_SIZE))
			valid |= EBPFS_SET_MTIME_NOW;
	}
	a->valid = cpu_to_le32(valid);
}

static int ebpfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_written done;
	struct ebpfs_setattr a;
	struct ebpfs_req req;
	loff_t old;
	int err;

	/* Clearing setuid bits for somebody else's change is the server's. */
	if (attr->ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID | ATTR_KILL_PRIV))
		attr->ia_valid &= ~ATTR_MODE;
	if (attr->ia_valid & ATTR_SIZE) {
		err = inode_newsize_ok(inode, attr->ia_size);
		if (err)
			return err;
	}
	ebpfs_put_setattr(&a, attr);
	if (!a.valid || ebpfs_later_note(inode, attr, &a))
		return 0;
	if (attr->ia_valid & ATTR_ATIME) {
		spin_lock_bh(&ei->attr_lock);
		ei->read_at = (struct timespec64){};
		spin_unlock_bh(&ei->attr_lock);
	}
	/* What was written before it was set comes before it at the server. */
	if (S_ISREG(inode->i_mode)) {
		err = attr->ia_valid & ATTR_SIZE ? ebpfs_append_settle(inode) : 0;
		if (!err)
			err = filemap_write_and_wait(inode->i_mapping);
		if (!err)
			err = ebpfs_settle_later(inode);
		if (err)
			return err;
	}
	ebpfs_once(&req, inode, EBPFS_OP_SETATTR);
	req.data = &a;
	req.data_len = sizeof(a);
	req.buf = &done;
	req.limit = sizeof(done);
	old = i_size_read(inode);
	if (attr->ia_valid & ATTR_SIZE && attr->ia_size > old)
		ebpfs_zero_tail(inode);
	err = ebpfs_call_change(inode, &req, &done);
	if (!err && attr->ia_valid & ATTR_SIZE) {
		truncate_setsize(inode, attr->ia_size);
		ebpfs_protect_tail(inode, old);
	}
	return err;
}

/* What is read from the cache moves atime, as the mount's options say, but here only. */
static int ebpfs_update_time(struct inode *inode, int flags)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);

	if (flags & S_ATIME) {
		spin_lock_bh(&ei->attr_lock);
		ei->read_at = current_time(inode);
		inode_set_atime_to_ts(inode, ei->read_at);
		spin_unlock_bh(&ei->attr_lock);
	}
	return 0;
}

const struct inode_operations ebpfs_dir_iops = {
	.lookup = ebpfs_lookup,
	.atomic_open = ebpfs_atomic_open,
	.create = ebpfs_create,
	.mkdir = ebpfs_mkdir,
	.mknod = ebpfs_mknod,
	.symlink = ebpfs_symlink,
	.link = ebpfs_link,
	.unlink = ebpfs_unlink,
	.rmdir = ebpfs_rmdir,
	.rename = ebpfs_rename,
	.tmpfile = ebpfs_tmpfile,
	.setattr = ebpfs_setattr,
	.update_time = ebpfs_update_time,
	.listxattr = ebpfs_listxattr,
	.getattr = ebpfs_getattr,
	.permission = ebpfs_permission,
	.get_acl = ebpfs_get_acl,
	.set_acl = ebpfs_set_acl,
};

const struct inode_operations ebpfs_symlink_iops = {
	.get_link = ebpfs_get_link,
	.setattr = ebpfs_setattr,
	.update_time = ebpfs_update_time,
	.listxattr = ebpfs_listxattr,
	.getattr = ebpfs_getattr,
	.permission = ebpfs_permission,
};

const struct inode_operations ebpfs_other_iops = {
	.setattr = ebpfs_setattr,
	.update_time = ebpfs_update_time,
	.listxattr = ebpfs_listxattr,
	.getattr = ebpfs_getattr,
	.permission = ebpfs_permission,
	.get_acl = ebpfs_get_acl,
	.set_acl = ebpfs_set_acl,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes: found by the server's handle, so that a reused inode number is
 * another inode. Attributes carry the time at which the request left whose
 * answer brought them; an answer that was asked for earlier than what is
 * known is not taken over.
 */
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "fs.h"

static struct kmem_cache *ebpfs_inode_cache;

static void ebpfs_inode_once(void *p)
{
	struct ebpfs_inode *ei = p;

	inode_init_once(&ei->vfs);
	INIT_LIST_HEAD(&ei->hold_link);
	mutex_init(&ei->lock_mutex);
	mutex_init(&ei->append_mutex);
	spin_lock_init(&ei->attr_lock);
}

int ebpfs_inode_init(void)
{
	ebpfs_inode_cache = kmem_cache_create("ebpfs_inode", sizeof(struct ebpfs_inode), 0,
					      SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
					      ebpfs_inode_once);
	return ebpfs_inode_cache ? 0 : -ENOMEM;
}

void ebpfs_inode_exit(void)
{
	rcu_barrier();	/* inodes are freed by RCU */
	kmem_cache_destroy(ebpfs_inode_cache);
}

struct inode *ebpfs_inode_alloc(struct super_block *sb)
{
	struct ebpfs_inode *ei = alloc_inode_sb(sb, ebpfs_inode_cache, GFP_KERNEL);

	if (!ei)
		return NULL;
	ei->change = 0;
	ei->attr_at = 0;
	ei->expired = false;
	ei->stale_data = false;
	ei->invalidating = false;
	ei->own_count = 0;
	ei->writer = NULL;
	INIT_LIST_HEAD(&ei->appended);
	ei->appended_bytes = 0;
	ei->changed_on = 0;
	ei->changed_at = 0;
	ei->later = NULL;
	ei->told = 0;
	ei->made = false;
	ei->settle = false;
	ei->made_by = 0;
	ei->timed_out = 0;
	ei->read_at = (struct timespec64){};
	ei->names_at = 0;
	ei->lease_asked = 0;
	ei->hold = 0;
	ei->released = 0;
	ei->held = 0;
	ei->reclaim = false;
	ei->lock_lost = false;
	ei->opens = 0;
	memset(ei->may, 0, sizeof(ei->may));
	ei->fh_len = 0;
	return &ei->vfs;
}

/* The last use of the inode is over. */
void ebpfs_evict_inode(struct inode *inode)
{
	truncate_inode_pages_final(&inode->i_data);
	ebpfs_later_evict(inode);
	clear_inode(inode);
	ebpfs_hold_evict(inode);
	ebpfs_append_forget(EBPFS_I(inode));
	ebpfs_user_put(ebpfs_mnt(inode), EBPFS_I(inode)->writer);
	EBPFS_I(inode)->writer = NULL;
}

/* RCU callback: the name of a link may be in use by an RCU walk until now. */
void ebpfs_inode_free(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kmem_cache_free(ebpfs_inode_cache, EBPFS_I(inode));
}

static struct timespec64 ebpfs_time(__le64 sec, __le32 nsec)
{
	return (struct timespec64) {
		.tv_sec = (s64)le64_to_cpu(sec),
		.tv_nsec = min_t(u32, le32_to_cpu(nsec), NSEC_PER_SEC - 1),
	};
}

static bool ebpfs_attr_valid(const struct ebpfs_attr *attr)
{
	u32 mode = le32_to_cpu(attr->mode);

	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return false;
	}
	return !(mode & ~(S_IFMT | S_IALLUGO)) && (s64)le64_to_cpu(attr->size) >= 0;
}

/* Are there changes that the server has not put on stable storage? Any context. */
bool ebpfs_has_changes(const struct inode *inode)
{
	return mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY) ||
	       mapping_tagged(inode->i_mapping, PAGECACHE_TAG_WRITEBACK);
}

/* All but the change attribute; attr_lock held. */
static void ebpfs_set_attr(struct inode *inode, const struct ebpfs_attr *attr)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	u32 nlink = le32_to_cpu(attr->nlink);
	loff_t size = le64_to_cpu(attr->size);
	struct ebpfs_attr over;
	struct timespec64 atime;

	if (unlikely(ei->later)) {
		ebpfs_later_over(ei, attr, &over);
		attr = &over;
	}
	atime = ebpfs_time(attr->atime, attr->atime_ns);
	ei->remote_size = size;
	/* What was appended here and is not there yet. */
	if (S_ISREG(inode->i_mode) && size < i_size_read(inode) && ebpfs_has_changes(inode))
		size = i_size_read(inode);
	if (inode->i_mode != le32_to_cpu(attr->mode) ||
	    i_uid_read(inode) != le32_to_cpu(attr->uid) ||
	    i_gid_read(inode) != le32_to_cpu(attr->gid))
		memset(ei->may, 0, sizeof(ei->may));
	inode->i_mode = le32_to_cpu(attr->mode);
	if (nlink)
		set_nlink(inode, nlink);
	else
		clear_nlink(inode);
	i_uid_write(inode, le32_to_cpu(attr->uid));
	i_gid_write(inode, le32_to_cpu(attr->gid));
	/* Of reads from the cache the server knows nothing. */
	if (le64_to_cpu(attr->ctime) != (u64)inode_get_ctime_sec(inode) ||
	    le32_to_cpu(attr->ctime_ns) != inode_get_ctime_nsec(inode) ||
	    timespec64_compare(&atime, &ei->read_at) >= 0)
		ei->read_at = (struct timespec64){};
	inode_set_atime_to_ts(inode, ei->read_at.tv_sec ? ei->read_at : atime);
	inode_set_mtime_to_ts(inode, ebpfs_time(attr->mtime, attr->mtime_ns));
	inode_set_ctime_to_ts(inode, ebpfs_time(attr->ctime, attr->ctime_ns));
	ei->btime = ebpfs_time(attr->btime, attr->btime_ns);
	inode->i_blocks = le64_to_cpu(attr->blocks);
	inode->i_generation = 0;
	i_size_write(inode, size);
}

/* Takes attributes over. @fresh: the inode is new and locked. */
static void ebpfs_take_attr(struct inode *inode, const struct ebpfs_attr *attr,
			    u64 asked, bool fresh)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	u64 change = le64_to_cpu(attr->change);

	spin_lock_bh(&ei->attr_lock);
	if (!fresh && asked < ei->attr_at) {
		spin_unlock_bh(&ei->attr_lock);
		return;
	}
	/* While changes of ours are on their way it cannot be told whose this is:
	 * their answers tell, and the next attributes after them.
	 */
	if (fresh || change == ei->change || !ebpfs_has_changes(inode)) {
		if (!fresh && change != ei->change)
			ebpfs_make_stale(inode);
		ei->change = change;
		ei->own_count = 0;
	}
	ei->attr_at = asked;
	ei->expired = false;
	ebpfs_set_attr(inode, attr);
	spin_unlock_bh(&ei->attr_lock);
}

/* The change attribute goes along what was changed here; attr_lock held. */
static void ebpfs_own_change(struct ebpfs_inode *ei, u64 before, u64 after)
{
	u8 i;

	if (before != ei->change) {
		/* The answer to an earlier change may still come. */
		if (before != after && ei->own_count < EBPFS_OWN_MAX) {
			ei->own[ei->own_count].before = before;
			ei->own[ei->own_count++].after = after;
		}
		return;
	}
	ei->change = after;
	for (i = 0; i < ei->own_count; i++) {
		if (ei->own[i].before == ei->change) {
			ei->change = ei->own[i].after;
			ei->own[i] = ei->own[--ei->own_count];
			i = -1;	/* from the start again */
		}
	}
}

/* ebpfs_written() with attr_lock held. */
void ebpfs_written_locked(struct inode *inode, const struct ebpfs_written *w, u64 asked)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);

	if (!ebpfs_attr_valid(&w->attr) || inode_wrong_type(inode, le32_to_cpu(w->attr.mode)))
		return;
	ebpfs_own_change(ei, le64_to_cpu(w->before), le64_to_cpu(w->attr.change));
	/* What was asked for before this moment may be older than the change; and
	 * if that is so of this answer, the server must be asked.
	 */
	ei->expired = asked < ei->attr_at;
	if (!ei->expired)
		ebpfs_set_attr(inode, &w->attr);
	ei->attr_at = ebpfs_now();
}

/**
 * ebpfs_written() - a change of ours was answered
 * @inode: file
 * @w: as received
 * @asked: ns when the call left, or before
 *
 * Context: any but hard interrupt.
 */
void ebpfs_written(struct inode *inode, const struct ebpfs_written *w, u64 asked)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);

	spin_lock_bh(&ei->attr_lock);
	ebpfs_written_locked(inode, w, asked);
	spin_unlock_bh(&ei->attr_lock);
}

/* An operation of ours has changed attributes in a way that the server has to tell. */
void ebpfs_expire(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);

	spin_lock_bh(&ei->attr_lock);
	ei->attr_at = ebpfs_now();
	ei->expired = true;
	spin_unlock_bh(&ei->attr_lock);
}

/* The file was written up to @end in the page cache; its inode is locked. */
void ebpfs_size_grows(struct inode *inode, loff_t end)
{
	spin_lock_bh(&EBPFS_I(inode)->attr_lock);
	if (end > i_size_read(inode))
		i_size_write(inode, end);
	spin_unlock_bh(&EBPFS_I(inode)->attr_lock);
}

/**
 * ebpfs_make_stale() - what is cached is not what the file has
 * @inode: regular file
 *
 * Who reads next throws it away.
 * Context: any but hard interrupt.
 */
void ebpfs_make_stale(struct inode *inode)
{
	/* What made it so comes before. */
	smp_store_release(&EBPFS_I(inode)->stale_data, true);
}

/**
 * ebpfs_set_writer() - who opened @file writes
 * @inode: its inode
 * @file: an open file
 *
 * What is written back, or written again, is so as they. What another user has changed or
 * appended goes to stable storage before, as that user: the server may not let these ones do it.
 *
 * An error of that is noted for the other's fsync.
 * Context: process, sleeps, no folio locked.
 */
void ebpfs_set_writer(struct inode *inode, const struct file *file)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_user *user = file->private_data, *old;

	if (READ_ONCE(ei->writer) == user)
		return;
	/* NULL is the superuser, or nobody yet. */
	ebpfs_append_settle(inode);
	if (ebpfs_has_changes(inode))
		filemap_write_and_wait(inode->i_mapping);
	user = ebpfs_user_ref(ebpfs_mnt(inode), user);
	spin_lock_bh(&ei->attr_lock);
	old = ei->writer;
	ei->writer = user;
	spin_unlock_bh(&ei->attr_lock);
	ebpfs_user_put(ebpfs_mnt(inode), old);
}

/* A reference to who writes back. */
struct ebpfs_user *ebpfs_writer(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_user *user;

	spin_lock_bh(&ei->attr_lock);
	user = ebpfs_user_ref(ebpfs_mnt(inode), ei->writer);
	spin_unlock_bh(&ei->attr_lock);
	return user;
}

/**
 * ebpfs_update() - attributes of a known file came in
 * @inode: file
 * @attr: as received
 * @asked: ns when the request left
 *
 * Return: 0, or -ESTALE if it is no longer the kind of file it was, -EIO if
 * the server talks nonsense.
 */
int ebpfs_update(struct inode *inode, const struct ebpfs_attr *attr, u64 asked)
{
	if (!ebpfs_attr_valid(attr))
		return -EIO;
	if (inode_wrong_type(inode, le32_to_cpu(attr->mode)))
		return -ESTALE;
	ebpfs_take_attr(inode, attr, asked, false);
	return 0;
}

/**
 * ebpfs_asked() - what GETATTR, LOOKUP, CREATE or TMPFILE say beside attributes
 * @inode: file that they are about
 * @req: the call, made after ebpfs_hold_ask()
 * @attr: as received
 * @asked: ns when the request left
 */
void ebpfs_asked(struct inode *inode, const struct ebpfs_req *req, const struct ebpfs_attr *attr,
		 u64 asked)
{
	ebpfs_hold_granted(inode, req);
	ebpfs_may_told(inode, req->acted, le32_to_cpu(attr->may), asked);
}

struct ebpfs_iget_key {
	const u8 *fh;
	u16 fh_len;
	u32 type;
};

static int ebpfs_iget_test(struct inode *inode, void *p)
{
	const struct ebpfs_iget_key *key = p;
	struct ebpfs_inode *ei = EBPFS_I(inode);

	return ei->fh_len == key->fh_len && !memcmp(ei->fh, key->fh, key->fh_len) &&
	       !inode_wrong_type(inode, key->type);
}

static int ebpfs_iget_set(struct inode *inode, void *p)
{
	const struct ebpfs_iget_key *key = p;
	struct ebpfs_inode *ei = EBPFS_I(inode);

	memcpy(ei->fh, key->fh, key->fh_len);
	ei->fh_len = key->fh_len;
	inode->i_mode = key->type;
	return 0;
}

/**
 * ebpfs_iget() - the inode of a handle
 * @sb: superblock
 * @fh: handle
 * @fh_len: its bytes, 1 to EBPFS_FH_MAX
 * @attr: as received with it
 * @asked: ns when the request left
 *
 * Return: a reference, or an error pointer.
 */
struct inode *ebpfs_iget(struct super_block *sb, const u8 *fh, u16 fh_len,
			 const struct ebpfs_attr *attr, u64 asked)
{
	struct ebpfs_iget_key key = {
		.fh = fh,
		.fh_len = fh_len,
		.type = le32_to_cpu(attr->mode),
	};
	u64 hash = ebpfs_place_hash(fh, fh_len);
	struct inode *inode;

	if (!ebpfs_attr_valid(attr) || !fh_len || fh_len > EBPFS_FH_MAX)
		return ERR_PTR(-EIO);
	inode = iget5_locked_rcu(sb, hash, ebpfs_iget_test, ebpfs_iget_set, &key);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode->i_state & I_NEW)) {
		ebpfs_take_attr(inode, attr, asked, false);
		return inode;
	}

	EBPFS_I(inode)->hash = hash;
	inode->i_ino = le64_to_cpu(attr->ino);
	ebpfs_take_attr(inode, attr, asked, true);
	inode->i_blkbits = PAGE_SHIFT;
	inode->i_acl = ACL_DONT_CACHE;
	inode->i_default_acl = ACL_DONT_CACHE;
	inode->i_flags |= S_NOCMTIME;
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &ebpfs_other_iops;
		inode->i_fop = &ebpfs_file_fops;
		inode->i_mapping->a_ops = &ebpfs_aops;
		mapping_set_large_folios(inode->i_mapping);
		break;
	case S_IFDIR:
		inode->i_op = &ebpfs_dir_iops;
		inode->i_fop = &ebpfs_dir_fops;
		break;
	case S_IFLNK:
		inode->i_op = &ebpfs_symlink_iops;
		break;
	default:
		inode->i_op = &ebpfs_other_iops;
		init_special_inode(inode, inode->i_mode,
				   MKDEV(le32_to_cpu(attr->rdev_major),
					 le32_to_cpu(attr->rdev_minor)));
		break;
	}
	unlock_new_inode(inode);
	return inode;
}

/**
 * ebpfs_call_req() - a call about a file as the current user, waiting for the answer
 * @inode: file
 * @req: prepared; its handle, user and done() are set here. One that goes ahead is for who
 *	wrote to the file, whoever it is that waits.
 *
 * Return: 0 and req->res, or a negative error.
 */
int ebpfs_call_req(struct inode *inode, struct ebpfs_req *req)
{
	int err;

	ebpfs_req_file(req, inode);
	req->user = req->ahead ? ebpfs_writer(inode) : ebpfs_user_get(req->mnt, current_cred());
	if (IS_ERR(req->user))
		return PTR_ERR(req->user);
	req->acted = ebpfs_user_number(req->user);
	err = ebpfs_call(req);
	ebpfs_user_put(req->mnt, req->user);
	return err;
}

/**
 * ebpfs_call_change() - the same for a change that is answered by struct ebpfs_written
 * @inode: file
 * @req: prepared, its buf is @done
 * @done: the answer
 *
 * Takes the attributes over.
 */
int ebpfs_call_change(struct inode *inode, struct ebpfs_req *req,
		      const struct ebpfs_written *done)
{
	u64 asked = ebpfs_now();
	int err;

	err = ebpfs_call_req(inode, req);
	if (req->op_id)
		ebpfs_changed(inode, req);
	if (!err && req->res.total != sizeof(*done))
		err = -EIO;
	if (err)
		ebpfs_expire(inode);
	else
		ebpfs_written(inode, done, asked);
	return err;
}

/**
 * ebpfs_changed() - attributes, or names in a directory, were changed
 * @inode: file
 * @req: by this call, which has ended in whatever way
 */
void ebpfs_changed(struct inode *inode, const struct ebpfs_req *req)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);

	if (!req->boot)
		return;
	spin_lock_bh(&ei->attr_lock);
	if (!ei->changed_on)
		ei->changed_on = req->boot;
	ei->changed_at = atomic64_read(&req->mnt->changes);
	spin_unlock_bh(&ei->attr_lock);
}

/* A COMMIT of the file is going to be sent: what ebpfs_committed() wants to know. */
struct ebpfs_uncommitted ebpfs_commit_begins(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_uncommitted u;

	spin_lock_bh(&ei->attr_lock);
	if (ei->changed_at <= READ_ONCE(ebpfs_mnt(inode)->synced))
		ei->changed_on = 0;
	u.on = ei->changed_on;
	u.at = ei->changed_at;
	spin_unlock_bh(&ei->attr_lock);
	return u;
}

/**
 * ebpfs_committed() - a COMMIT was answered
 * @inode: file
 * @u: of before it
 * @boot: req->boot
 *
 * If the server's machine was started anew since the change, that may be lost: an error of
 * the mapping, so that all who have it open are told.
 *
 * Context: any but hard interrupt.
 */
void ebpfs_committed(struct inode *inode, const struct ebpfs_uncommitted *u, u64 boot)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);

	if (!u->on)
		return;
	spin_lock_bh(&ei->attr_lock);
	if (ei->changed_on)
		ei->changed_on = ei->changed_at == u->at ? 0 : boot;
	spin_unlock_bh(&ei->attr_lock);
	/* Of what another server did this one says nothing; and 0 is not known. */
	if (u->on >> 32 != boot >> 32 || !(u32)u->on || !(u32)boot || u->on == boot)
		return;
	pr_warn_ratelimited("ebpfs: %s: the server's machine was started anew: changes of %s %lu may be lost\n",
			    ebpfs_mnt(inode)->source,
			    S_ISDIR(inode->i_mode) ? "names in directory" : "attributes of file",
			    inode->i_ino);
	mapping_set_error(inode->i_mapping, -EIO);
}

/**
 * ebpfs_commit() - have a file or directory put on the server's stable storage
 * @inode: file
 * @verifier: out, of the server; may be NULL
 * @ahead: of calls that wait for a server to recover; as who wrote
 */
int ebpfs_commit(struct inode *inode, __le64 *verifier, bool ahead)
{
	struct ebpfs_uncommitted u = ebpfs_commit_begins(inode);
	struct ebpfs_written done;
	struct ebpfs_req req = {
		.op = EBPFS_OP_COMMIT,
		.ahead = ahead,
		.limit = sizeof(done),
		.buf = &done,
	};
	int err;

	ebpfs_req_prepare(&req, ebpfs_mnt(inode));
	err = ebpfs_call_change(inode, &req, &done);
	if (err)
		return err;
	ebpfs_committed(inode, &u, req.boot);
	if (verifier)
		*verifier = done.verifier;
	return 0;
}

/* The same for fsync, after its bytes are there: if anything of its attributes is not. */
int ebpfs_commit_changes(struct inode *inode)
{
	return ebpfs_commit_begins(inode).on ? ebpfs_commit(inode, NULL, false) : 0;
}

/**
 * ebpfs_call_inode() - a call about a file, waiting for the answer
 * @inode: file
 * @op: enum ebpfs_op
 * @arg: see struct ebpfs_body
 * @count: see struct ebpfs_body
 * @name: or NULL
 * @buf: where the reply goes
 * @limit: bytes at @buf
 * @res: out, may be NULL
 *
 * Return: 0 or a negative error.
 */
int ebpfs_call_inode(struct inode *inode, u16 op, u64 arg, u32 count, const struct qstr *name,
		     void *buf, u32 limit, struct ebpfs_result *res)
{
	struct ebpfs_req req = {
		.op = op,
		.arg = arg,
		.count = count,
		.limit = limit,
		.buf = buf,
	};
	int err;

	if (name) {
		req.name = name->name;
		req.name_len = name->len;
	}
	ebpfs_req_prepare(&req, ebpfs_mnt(inode));
	err = ebpfs_call_req(inode, &req);
	if (res)
		*res = req.res;
	return err;
}

/* Are the attributes still believed? */
bool ebpfs_attr_fresh(const struct inode *inode)
{
	const struct ebpfs_inode *ei = EBPFS_I(inode);
	const struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);
	u64 at = READ_ONCE(ei->attr_at);

	return !READ_ONCE(ei->expired) && at >= READ_ONCE(sbi->lost_at) &&
	       ebpfs_now() - at < sbi->actimeo;
}

/**
 * ebpfs_revalidate_hold() - ask the server for attributes, and have it hold the file
 * @inode: file
 * @what: EBPFS_HOLD_*
 */
int ebpfs_revalidate_hold(struct inode *inode, u32 what)
{
	u64 asked = ebpfs_now();
	struct ebpfs_attr attr;
	struct ebpfs_req req = {
		.op = EBPFS_OP_GETATTR,
		.limit = sizeof(attr),
		.buf = &attr,
	};
	int err;

	ebpfs_req_prepare(&req, ebpfs_mnt(inode));
	ebpfs_hold_ask(&req, what);
	err = ebpfs_call_req(inode, &req);
	if (err)
		return err;
	if (req.res.total != sizeof(attr))
		return -EIO;
	err = ebpfs_update(inode, &attr, asked);
	ebpfs_asked(inode, &req, &attr, asked);
	return err;
}

/**
 * ebpfs_revalidate() - ask the server for attributes
 * @inode: file
 * @force: even if they are still believed
 */
int ebpfs_revalidate(struct inode *inode, bool force)
{
	u32 what = EBPFS_HOLD_LEASE;

	if (!force && ebpfs_attr_fresh(inode))
		return 0;
	if (READ_ONCE(EBPFS_I(inode)->opens))
		what |= EBPFS_HOLD_OPEN;
	return ebpfs_revalidate_hold(inode, what);
}

/* Would ebpfs_revalidate_data() have nothing to do? */
bool ebpfs_data_fresh(const struct inode *inode)
{
	const struct ebpfs_inode *ei = EBPFS_I(inode);

	if (!ebpfs_attr_fresh(inode))
		return false;
	/* In this order: it is invalidating before it is no longer stale. */
	if (smp_load_acquire(&ei->stale_data))
		return false;
	/* If it is not, the pages are gone. */
	return !smp_load_acquire(&ei->invalidating);
}

/**
 * ebpfs_revalidate_data() - before cached pages are used
 * @inode: regular file
 *
 * Asks for attributes if they are no longer believed, and throws cached pages
 * away if they are older than the attributes, or waits for who is doing that.
 */
int ebpfs_revalidate_data(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	int err = ebpfs_revalidate(inode, false);
	bool mine = false;

	if (err || ebpfs_data_fresh(inode))
		return err;
	while (!mine) {
		bool waits;

		spin_lock_bh(&ei->attr_lock);
		waits = ei->invalidating;
		mine = !waits && ei->stale_data;
		if (mine) {
			WRITE_ONCE(ei->invalidating, true);
			/* In this order, for ebpfs_data_fresh(). A RECALL may make it stale
			 * again from here on.
			 */
			smp_store_release(&ei->stale_data, false);
		}
		spin_unlock_bh(&ei->attr_lock);
		if (!waits && !mine)
			return 0;
		if (waits)
			err = wait_var_event_killable(&ei->invalidating,
						      !READ_ONCE(ei->invalidating));
		if (err)
			return -EINTR;
	}
	/* What was changed here goes to the server first; what that fails to write
	 * is told by fsync and close.
	 */
	filemap_write_and_wait(inode->i_mapping);
	err = invalidate_inode_pages2(inode->i_mapping);
	if (err)	/* some page stayed: try again next time */
		ebpfs_make_stale(inode);
	/* The pages are gone. */
	smp_store_release(&ei->invalidating, false);
	smp_mb();	/* wake_up_var() looks for who waits */
	wake_up_var(&ei->invalidating);
	return err == -EBUSY ? 0 : err;
}

int ebpfs_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	int err = 0;

	/* The server's clock makes the times, when it writes. */
	if (S_ISREG(inode->i_mode) && !(flags & AT_STATX_DONT_SYNC) &&
	    request_mask & (STATX_MTIME | STATX_CTIME | STATX_BLOCKS) && ebpfs_has_changes(inode))
		filemap_write_and_wait(inode->i_mapping);
	if (!(flags & AT_STATX_DONT_SYNC) && request_mask & (STATX_MTIME | STATX_CTIME))
		ebpfs_settle_later(inode);
	if (!(flags & AT_STATX_DONT_SYNC))
		err = ebpfs_revalidate(inode, flags & AT_STATX_FORCE_SYNC);
	/* What the server has forgotten is still open here. */
	if (err == -ESTALE && !inode->i_nlink)
		err = 0;
	if (err)
		return err;
	spin_lock_bh(&ei->attr_lock);
	generic_fillattr(idmap, request_mask, inode, stat);
	if (ei->btime.tv_sec || ei->btime.tv_nsec) {
		stat->btime = ei->btime;
		stat->result_mask |= STATX_BTIME;
	}
	if (request_mask & STATX_CHANGE_COOKIE) {
		stat->change_cookie = ei->change;
		stat->result_mask |= STATX_CHANGE_COOKIE;
	}
	spin_unlock_bh(&ei->attr_lock);
	return 0;
}

/**
 * ebpfs_root() - the root's inode, at mount time
 * @sb: superblock, its first session is made
 */
struct inode *ebpfs_root(struct super_block *sb)
{
	struct ebpfs_mount *mnt = &EBPFS_SB(sb)->mnt;
	u64 asked = ebpfs_now();
	struct ebpfs_attr attr;
	struct ebpfs_req req = {
		.hash = ebpfs_place_hash(mnt->root_fh, mnt->root_fh_len),
		.op = EBPFS_OP_GETATTR,
		.limit = sizeof(attr),
		.fh = mnt->root_fh,
		.fh_len = mnt->root_fh_len,
		.buf = &attr,
	};
	int err;

	ebpfs_req_prepare(&req, mnt);
	err = ebpfs_call(&req);
	if (!err && (req.res.total != sizeof(attr) || !S_ISDIR(le32_to_cpu(attr.mode))))
		err = -EIO;
	if (err)
		return ERR_PTR(err);
	return ebpfs_iget(sb, mnt->root_fh, mnt->root_fh_len, &attr, asked);
}

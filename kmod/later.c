// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes that are set here at once, and at the server a little later.
 *
 * Who unpacks or copies a file sets its times, owner and permissions one after the other
 * before closing it. Each would be a round trip; so they are noted, and go out together,
 * with the file's data if these are one WRITE (WRITEATTR), else by a SETATTR after them.
 *
 * Only what takes nothing from anybody and is not going to be refused waits so: times that
 * the caller names, permissions added to those that are there, and the owner and group that
 * the file has; by the user who made the file, while it is open for writing since, and under
 * a lease, so that nobody else has changed it. Whatever else is set is sent at once, behind
 * what waits.
 *
 * What waits is seen here at once (ebpfs_later_over()). It goes out
 *	- at close, fsync, sync, and when the kernel writes the inode back;
 *	- before the file is changed again in any way, so that the order of changes is kept;
 *	  a file that is mapped for writing is changed without notice, so there nothing waits;
 *	- before anybody here asks who may do what with it, or for times that only the server
 *	  can tell;
 *	- when the lease is recalled, before that is answered: another client's change comes
 *	  after it. A server that lost the lease did not ask; there permissions are added only
 *	  if they are still what they were.
 * If that fails, the error is the mapping's, for close and fsync as one of data, and the
 * server's attributes are seen again.
 *
 * Nothing is allocated on its way out. ei->later and what it says are under attr_lock; who is
 * @sending has it alone until ebpfs_later_end(), in softirq.
 */
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>

#include "fs.h"

#define EBPFS_LATER_RECALLS	2	/* that are not answered: the third one is in any case */

#define EBPFS_SET_OWNER		(EBPFS_SET_UID | EBPFS_SET_GID)

/* May it wait? Inode locked, attr_lock held. */
static bool ebpfs_later_fits(const struct inode *inode, const struct iattr *attr)
{
	const unsigned int known = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_CTIME | ATTR_ATIME |
				   ATTR_ATIME_SET | ATTR_MTIME | ATTR_MTIME_SET | ATTR_TIMES_SET |
				   ATTR_KILL_SUID | ATTR_KILL_SGID | ATTR_KILL_PRIV | ATTR_FILE;
	const umode_t special = S_ISUID | S_ISGID | S_ISVTX;
	unsigned int valid = attr->ia_valid;
	umode_t mode = inode->i_mode & S_IALLUGO;

	if (valid & ~known || mode & special)
		return false;
	if (valid & ATTR_MODE && (attr->ia_mode & special || mode & ~attr->ia_mode))
		return false;
	if (valid & ATTR_UID && !uid_eq(attr->ia_uid, inode->i_uid))
		return false;
	if (valid & ATTR_GID && !gid_eq(attr->ia_gid, inode->i_gid))
		return false;
	return (!(valid & ATTR_ATIME) || valid & ATTR_ATIME_SET) &&
	       (!(valid & ATTR_MTIME) || valid & ATTR_MTIME_SET);
}

/* Is it the file's maker who asks, and nobody else in the way? Inode locked. */
static bool ebpfs_later_allowed(struct inode *inode)
{
	const struct ebpfs_inode *ei = EBPFS_I(inode);
	u32 user;

	return S_ISREG(inode->i_mode) && ebpfs_made_here(inode) &&
	       ebpfs_user_known(ebpfs_mnt(inode), current_cred(), &user) &&
	       user == READ_ONCE(ei->made_by) && inode_is_open_for_write(inode) &&
	       !mapping_writably_mapped(inode->i_mapping) && list_empty(&ei->appended) &&
	       !IS_SYNC(inode) && !READ_ONCE(EBPFS_SB(inode->i_sb)->noac);
}

/* Adds @a to what waits, and lets it be seen. attr_lock held. */
static void ebpfs_later_add(struct inode *inode, const struct ebpfs_setattr *a,
			    const struct iattr *attr)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_later *l = ei->later;
	u32 valid = le32_to_cpu(a->valid);

	if (valid & EBPFS_SET_MODE) {
		if (!(l->attr.valid & cpu_to_le32(EBPFS_SET_MODE)))
			l->base = inode->i_mode;
		l->attr.mode = a->mode;
		inode->i_mode = (inode->i_mode & S_IFMT) | le32_to_cpu(a->mode);
	}
	if (valid & EBPFS_SET_UID)
		l->attr.uid = a->uid;
	if (valid & EBPFS_SET_GID)
		l->attr.gid = a->gid;
	if (valid & EBPFS_SET_ATIME) {
		l->attr.atime = a->atime;
		l->attr.atime_ns = a->atime_ns;
		ei->read_at = (struct timespec64){};
		inode_set_atime_to_ts(inode, attr->ia_atime);
	}
	if (valid & EBPFS_SET_MTIME) {
		l->attr.mtime = a->mtime;
		l->attr.mtime_ns = a->mtime_ns;
		inode_set_mtime_to_ts(inode, attr->ia_mtime);
	}
	l->attr.valid |= a->valid;
}

/**
 * ebpfs_later_note() - attributes are set; need the server be told at once?
 * @inode: locked
 * @attr: as the VFS has them
 * @a: the same, for the wire
 *
 * Return: true if that was all, false if they are to be sent.
 */
bool ebpfs_later_note(struct inode *inode, const struct iattr *attr, const struct ebpfs_setattr *a)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_later *l = NULL;
	bool noted, first = false;

	if (!ebpfs_later_allowed(inode))
		return false;
	if (!READ_ONCE(ei->later)) {
		l = kzalloc(sizeof(*l), GFP_KERNEL);
		if (!l)
			return false;
		l->inode = inode;
		l->mnt = ebpfs_mnt(inode);
		l->user = ebpfs_user_get(ebpfs_mnt(inode), current_cred());
		if (IS_ERR(l->user)) {
			kfree(l);
			return false;
		}
	}
	spin_lock_bh(&ei->attr_lock);
	noted = ebpfs_later_fits(inode, attr) && (ei->later ? !ei->later->sending : !!l);
	if (noted) {
		if (!ei->later) {
			ei->later = l;
			l = NULL;
			first = true;
		}
		ebpfs_later_add(inode, a, attr);
	}
	spin_unlock_bh(&ei->attr_lock);
	if (l) {
		ebpfs_user_put(ebpfs_mnt(inode), l->user);
		kfree(l);
	}
	if (first)
		mark_inode_dirty_sync(inode);
	/* Pairs with the faults of who has mapped it since, and with a recall: one sees the
	 * other.
	 */
	smp_mb();
	if (noted && (mapping_writably_mapped(inode->i_mapping) || !ebpfs_leased(inode)))
		ebpfs_settle(inode);
	return noted;
}

/**
 * ebpfs_later_over() - attributes have come, and some that were set here are to be seen
 * @ei: inode, attr_lock held, with something that waits
 * @attr: as received
 * @over: out
 */
void ebpfs_later_over(struct ebpfs_inode *ei, const struct ebpfs_attr *attr,
		      struct ebpfs_attr *over)
{
	struct ebpfs_later *l = ei->later;
	u32 valid = le32_to_cpu(l->attr.valid);

	*over = *attr;
	if (valid & EBPFS_SET_MODE) {
		if (le32_to_cpu(attr->mode) == l->base)
			over->mode = cpu_to_le32(l->base & S_IFMT) | l->attr.mode;
		else if (!l->sending)
			/* Somebody else has set them since: that came later. */
			l->attr.valid &= ~cpu_to_le32(EBPFS_SET_MODE);
	}
	if (valid & EBPFS_SET_ATIME) {
		over->atime = l->attr.atime;
		over->atime_ns = l->attr.atime_ns;
	}
	if (valid & EBPFS_SET_MTIME) {
		over->mtime = l->attr.mtime;
		over->mtime_ns = l->attr.mtime_ns;
	}
}

/* What waits is the caller's to send from now on. attr_lock held. */
static struct ebpfs_later *ebpfs_later_taken(struct ebpfs_later *l)
{
	l->sending = true;
	/* That the file is whose it is moves only ctime, as all the rest does. */
	if (l->attr.valid & ~cpu_to_le32(EBPFS_SET_OWNER))
		l->attr.valid &= ~cpu_to_le32(EBPFS_SET_OWNER);
	return l;
}

/* The same, if anything waits and nobody else sends it. */
static struct ebpfs_later *ebpfs_later_take(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_later *l = NULL;

	spin_lock_bh(&ei->attr_lock);
	if (ei->later && !ei->later->sending)
		l = ebpfs_later_taken(ei->later);
	spin_unlock_bh(&ei->attr_lock);
	return l;
}

/**
 * ebpfs_later_ride() - all that is changed of a file goes out by one WRITE
 * @inode: file
 * @user: who writes
 *
 * Return: what is to go with it, with ebpfs_later_end() afterwards; or NULL.
 */
struct ebpfs_later *ebpfs_later_ride(struct inode *inode, const struct ebpfs_user *user)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_later *l = NULL;

	if (!READ_ONCE(ei->later) || !ebpfs_leased(inode))
		return NULL;
	spin_lock_bh(&ei->attr_lock);
	if (ei->later && !ei->later->sending && ei->later->user == user)
		l = ebpfs_later_taken(ei->later);
	spin_unlock_bh(&ei->attr_lock);
	return l;
}

/**
 * ebpfs_later_end() - the server was told, or could not be
 * @l: being sent; freed
 * @w: its answer
 * @asked: ns when the call left, or before
 * @err: negative error
 *
 * Context: any but hard interrupt. The inode may go afterwards.
 */
void ebpfs_later_end(struct ebpfs_later *l, const struct ebpfs_written *w, u64 asked, int err)
{
	struct inode *inode = l->inode;
	struct ebpfs_inode *ei = EBPFS_I(inode);

	if (err)
		mapping_set_error(inode->i_mapping, err);
	spin_lock_bh(&ei->attr_lock);
	ei->later = NULL;
	if (err || l->attr.valid & cpu_to_le32(EBPFS_SET_MODE))
		memset(ei->may, 0, sizeof(ei->may));
	if (err) {
		ei->attr_at = ebpfs_now();
		ei->expired = true;
	} else {
		ebpfs_written_locked(inode, w, asked);
	}
	WRITE_ONCE(ei->told, ei->told + 1);
	spin_unlock_bh(&ei->attr_lock);
	smp_mb();	/* wake_up_var() looks for who waits */
	wake_up_var(&ei->told);
	ebpfs_user_put(l->mnt, l->user);
	kfree(l);
}

static void ebpfs_later_done(struct ebpfs_req *req, int err)
{
	struct ebpfs_later *l = container_of(req, struct ebpfs_later, req);

	ebpfs_changed(l->inode, req);
	if (!err && req->res.total != sizeof(l->reply))
		err = -EIO;
	ebpfs_later_end(l, &l->reply, l->asked, err);
}

static void ebpfs_later_send(struct ebpfs_later *l)
{
	struct ebpfs_req *req = &l->req;

	l->asked = ebpfs_now();
	ebpfs_req_prepare_once(req, l->mnt);
	ebpfs_req_file(req, l->inode);
	req->op = EBPFS_OP_SETATTR;
	req->user = l->user;
	req->data = &l->attr;
	req->data_len = sizeof(l->attr);
	req->buf = &l->reply;
	req->limit = sizeof(l->reply);
	req->done = ebpfs_later_done;
	ebpfs_req_submit(req);
}

/**
 * ebpfs_settle() - tell the server what was set here, and wait until it knows
 * @inode: file
 *
 * With everything that was written before. What fails is told as an error of the mapping.
 * Context: process, sleeps, killable; without the locks of folios.
 * Return: 0: nothing waits any more; -EINTR.
 */
int ebpfs_settle(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_later *l;
	u32 told;

	for (;;) {
		told = READ_ONCE(ei->told);
		if (!READ_ONCE(ei->later))
			return 0;
		filemap_write_and_wait(inode->i_mapping);
		if (!ebpfs_leased(inode))
			ebpfs_revalidate(inode, true);
		l = ebpfs_later_take(inode);
		if (l)
			ebpfs_later_send(l);
		if (wait_var_event_killable(&ei->told, READ_ONCE(ei->told) != told ||
					    !READ_ONCE(ei->later)))
			return -EINTR;
	}
}

/**
 * ebpfs_write_inode() - the kernel writes an inode back
 * @inode: file
 * @wbc: how
 */
int ebpfs_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	if (wbc->sync_mode != WB_SYNC_ALL && READ_ONCE(EBPFS_I(inode)->later) &&
	    ebpfs_has_changes(inode)) {
		/* Behind its data, when they are there. */
		mark_inode_dirty_sync(inode);
		return 0;
	}
	return ebpfs_settle_later(inode);
}

/**
 * ebpfs_later_recalled() - a lease is to be given back
 * @inode: file
 *
 * Context: softirq, RCU.
 * Return: true if something has to be sent first: the server will ask again.
 */
bool ebpfs_later_recalled(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	bool wait;

	spin_lock(&ei->attr_lock);
	wait = ei->later && ei->later->recalls < EBPFS_LATER_RECALLS;
	if (wait)
		ei->later->recalls++;
	spin_unlock(&ei->attr_lock);
	return wait;
}

/* The last use of the inode is over: nobody else is at it but who is sending. */
void ebpfs_later_evict(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_later *l = ebpfs_later_take(inode);

	if (l) {
		spin_lock_bh(&ei->attr_lock);	/* ebpfs_later_recalled() may be at it */
		ei->later = NULL;
		spin_unlock_bh(&ei->attr_lock);
		ebpfs_user_put(l->mnt, l->user);
		kfree(l);
		return;
	}
	if (!READ_ONCE(ei->later))
		return;
	/* As for pages under write-back: to the end of the call, which an abort brings. */
	wait_var_event(&ei->told, !READ_ONCE(ei->later));
	spin_lock_bh(&ei->attr_lock);	/* ebpfs_later_end() is out of it */
	spin_unlock_bh(&ei->attr_lock);
}

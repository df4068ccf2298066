// SPDX-License-Identifier: GPL-2.0
/*
 * What this mount holds at its servers: files that are open here, which a server
 * keeps when their last name goes, and leases, under which it changes nothing for
 * others before it has told us (RECALL).
 *
 * A hold costs no call: it is asked for with the GETATTR, LOOKUP, CREATE or TMPFILE that is
 * made anyway, under a number that grows. It is given back lazily (RELEASE): some
 * time after the last close, when the lease was recalled, or when the inode goes.
 *
 *	none --granted--> idle <--open, close--> open
 *	  ^----released----/
 *
 * Without a lease, what another client changes is seen after actimeo=, or by opening.
 * Under a lease we are told: attributes, cached pages and the names in a directory are
 * no longer believed at once. A lease does not make anything believed for longer, since
 * of what is changed on the server itself we are told only if the server watches that.
 *
 * A lease is good for as long as the server surely keeps it: three quarters of its
 * lease time after the sending of what it answered last (ebpfs_node_keeps()).
 *
 * If a server has lost what it held for us (it was started anew, or did not hear of
 * us for too long), open files are held again and locks reclaimed (lock.c).
 *
 * Locking: sbi->holds_lock (bottom halves off) protects all fields of struct
 * ebpfs_inode named hold here, and the lists; nothing is taken inside it.
 */
#include <linux/slab.h>

#include "fs.h"

#define EBPFS_HOLD_IDLE	(20 * EBPFS_NSEC_PER_SEC)	/* held so long after the last close */
#define EBPFS_LEASE_AGAIN	EBPFS_NSEC_PER_SEC	/* a lease that was not to be had */
#define EBPFS_RELEASE_BYTES	8192u			/* of handles in one RELEASE */

/**
 * struct ebpfs_gone - a hold whose inode is gone
 * @link: in sbi->gone
 * @hold: number
 * @hash: of the handle
 * @fh_len: bytes of @fh
 * @fh: handle
 */
struct ebpfs_gone {
	struct list_head link;
	u64 hold;
	u64 hash;
	u16 fh_len;
	u8 fh[];
};

/**
 * struct ebpfs_releases - a RELEASE on its way; frees itself
 * @req: the call
 * @data: of it
 */
struct ebpfs_releases {
	struct ebpfs_req req;
	u8 data[EBPFS_RELEASE_BYTES];
};

static void ebpfs_released(struct ebpfs_req *req, int err)
{
	kfree(container_of(req, struct ebpfs_releases, req));
}

/* Adds a handle to @r. Return: false if it belongs to another node, or there is no room. */
static bool ebpfs_release_add(struct ebpfs_releases *r, struct ebpfs_mount *mnt, u64 hash,
			      u64 hold, const u8 *fh, u16 fh_len)
{
	struct ebpfs_release_info info = { .hold = hold, .fh = fh, .fh_len = fh_len };

	if (r->req.data_len + EBPFS_RELEASE_MAX > sizeof(r->data))
		return false;
	if (r->req.data_len && hash != r->req.hash) {
		bool other;

		rcu_read_lock();
		other = ebpfs_place_req(mnt, hash) != ebpfs_place_req(mnt, r->req.hash);
		rcu_read_unlock();
		if (other)
			return false;
	}
	r->req.hash = hash;
	r->req.data_len += ebpfs_put_release(r->data + r->req.data_len, &info);
	return true;
}

/* Forget that the inode is held; holds_lock held. */
static void ebpfs_unhold(struct ebpfs_sb *sbi, struct ebpfs_inode *ei)
{
	if (!ei->hold)
		return;
	ei->hold = 0;
	ei->held = 0;
	if (!ei->opens)
		list_del_init(&ei->hold_link);
	atomic_dec(&sbi->mnt.holding);
}

/* Fills @r with what is to be released. Return: false if nothing is; else *@next is set
 * if there may be more, to when it is due.
 */
static bool ebpfs_release_collect(struct ebpfs_sb *sbi, struct ebpfs_releases *r, u64 now,
				  u64 *next)
{
	struct ebpfs_inode *ei, *ei_tmp;
	struct ebpfs_gone *g, *g_tmp;
	LIST_HEAD(gone);

	*next = EBPFS_NEVER;
	spin_lock_bh(&sbi->holds_lock);
	list_for_each_entry_safe(g, g_tmp, &sbi->gone, link) {
		if (!ebpfs_release_add(r, &sbi->mnt, g->hash, g->hold, g->fh, g->fh_len)) {
			*next = now;
			break;
		}
		list_move(&g->link, &gone);
	}
	list_for_each_entry_safe(ei, ei_tmp, &sbi->idle, hold_link) {
		u64 due = ei->idle_since + EBPFS_HOLD_IDLE;

		if (due > now) {
			*next = min(*next, due);
			break;
		}
		if (!ebpfs_release_add(r, &sbi->mnt, ei->hash, ei->hold, ei->fh, ei->fh_len)) {
			*next = now;
			break;
		}
		ei->released = ei->hold;
		ebpfs_unhold(sbi, ei);
	}
	spin_unlock_bh(&sbi->holds_lock);
	list_for_each_entry_safe(g, g_tmp, &gone, link)
		kfree(g);
	return r->req.data_len;
}

static void ebpfs_release_send(struct ebpfs_sb *sbi, struct ebpfs_releases *r)
{
	u64 hash = r->req.hash;
	u32 len = r->req.data_len;

	memset(&r->req, 0, sizeof(r->req));
	ebpfs_req_prepare(&r->req, &sbi->mnt);
	r->req.deadline = EBPFS_NEVER;	/* nobody waits for it */
	r->req.op = EBPFS_OP_RELEASE;
	r->req.hash = hash;
	r->req.data = r->data;
	r->req.data_len = len;
	r->req.done = ebpfs_released;
	ebpfs_req_submit(&r->req);
}

/* Process context. Nothing is waited for. */
static void ebpfs_release_work(struct work_struct *work)
{
	struct ebpfs_sb *sbi = container_of(to_delayed_work(work), struct ebpfs_sb, release);
	struct ebpfs_releases *r;
	u64 next, now;

	do {
		now = ebpfs_now();
		r = kmalloc(sizeof(*r), GFP_KERNEL);
		if (!r) {
			next = now + EBPFS_NSEC_PER_SEC;
			break;
		}
		r->req.data_len = 0;
		if (ebpfs_release_collect(sbi, r, now, &next))
			ebpfs_release_send(sbi, r);
		else
			kfree(r);
	} while (next <= now);
	if (next != EBPFS_NEVER && !READ_ONCE(sbi->mnt.aborted))
		schedule_delayed_work(&sbi->release, nsecs_to_jiffies(next - now) + 1);
}

/* Something is to be released within @delay jiffies. Any context. */
static void ebpfs_release_soon(struct ebpfs_sb *sbi, unsigned long delay)
{
	if (READ_ONCE(sbi->mnt.aborted))
		return;
	if (!schedule_delayed_work(&sbi->release, delay) &&
	    time_before(jiffies + delay, READ_ONCE(sbi->release.timer.expires)))
		mod_delayed_work(system_wq, &sbi->release, delay);
}

/**
 * ebpfs_hold_ask() - a call that is to hold its file
 * @req: GETATTR, LOOKUP, CREATE or TMPFILE, prepared
 * @what: EBPFS_HOLD_*
 */
void ebpfs_hold_ask(struct ebpfs_req *req, u32 what)
{
	struct ebpfs_sb *sbi = container_of(req->mnt, struct ebpfs_sb, mnt);

	req->arg = atomic64_inc_return(&sbi->next_hold);
	req->count = what;
}

/**
 * ebpfs_hold_granted() - such a call was answered
 * @inode: its file
 * @req: the call
 */
void ebpfs_hold_granted(struct inode *inode, const struct ebpfs_req *req)
{
	struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	u8 held = 0;

	if (req->res.flags & EBPFS_REPLY_OPEN)
		held |= EBPFS_HOLD_OPEN;
	if (req->res.flags & EBPFS_REPLY_LEASE)
		held |= EBPFS_HOLD_LEASE;
	spin_lock_bh(&sbi->holds_lock);
	/* It may have been recalled before this answer came; or the server, or what it
	 * holds for us, is another by now.
	 */
	if (req->arg <= sbi->recalled)
		held &= ~EBPFS_HOLD_LEASE;
	if (req->res.first_at <= sbi->lost_at || req->arg <= ei->released)
		held = 0;
	/* A later one said that there is no lease; a RECALL under this number does not end
	 * what is held under that.
	 */
	if (req->arg < ei->hold)
		held &= ~EBPFS_HOLD_LEASE;
	if (!held && !ei->hold) {
		spin_unlock_bh(&sbi->holds_lock);
		return;
	}
	if (!ei->hold) {
		atomic_inc(&sbi->mnt.holding);
		ei->idle_since = ebpfs_now();
		if (!ei->opens)
			list_move_tail(&ei->hold_link, &sbi->idle);
	}
	/* Each of these calls asks for a lease: the last answer tells if there is one. */
	if (req->arg > ei->hold) {
		ei->hold = req->arg;
		ei->held &= ~EBPFS_HOLD_LEASE;
	}
	ei->held |= held;
	if (held)
		ei->hold_node = READ_ONCE(req->node->number);
	spin_unlock_bh(&sbi->holds_lock);
	ebpfs_release_soon(sbi, HZ);
}

/* The node that keeps the inode's holds, if it is the one that calls go to. RCU. */
static struct ebpfs_node *ebpfs_hold_node(const struct ebpfs_inode *ei)
{
	struct ebpfs_node *node = ebpfs_place_req(ebpfs_mnt(&ei->vfs), ei->hash);

	return node && READ_ONCE(ei->hold_node) == node->number ? node : NULL;
}

/* Is the file held open at the server? */
bool ebpfs_held_open(const struct inode *inode)
{
	const struct ebpfs_inode *ei = EBPFS_I(inode);
	bool held;

	rcu_read_lock();
	held = READ_ONCE(ei->held) & EBPFS_HOLD_OPEN && ebpfs_hold_node(ei);
	rcu_read_unlock();
	return held;
}

/* Would we have been told if somebody else had changed the file? Any context. */
bool ebpfs_leased(const struct inode *inode)
{
	const struct ebpfs_inode *ei = EBPFS_I(inode);
	const struct ebpfs_node *node;
	bool leased = false;

	if (!(READ_ONCE(ei->held) & EBPFS_HOLD_LEASE))
		return false;
	rcu_read_lock();
	node = ebpfs_hold_node(ei);
	if (node)
		leased = ebpfs_node_keeps(node, ebpfs_now());
	rcu_read_unlock();
	return leased;
}

/* Did we make the file, have it open since, and would we know of others' changes? */
bool ebpfs_made_here(const struct inode *inode)
{
	return READ_ONCE(EBPFS_I(inode)->made) && ebpfs_leased(inode);
}

/**
 * ebpfs_lease_names() - a name in a directory is going to be asked for
 * @dir: directory
 *
 * Only under a lease of the directory are we told when it means something else. It is
 * asked for once in a while, in vain for as long as others work there.
 */
void ebpfs_lease_names(struct inode *dir)
{
	struct ebpfs_inode *ei = EBPFS_I(dir);
	u64 now = ebpfs_now();

	if (!EBPFS_SB(dir->i_sb)->actimeo || now - READ_ONCE(ei->lease_asked) < EBPFS_LEASE_AGAIN ||
	    ebpfs_leased(dir))
		return;
	WRITE_ONCE(ei->lease_asked, now);
	ebpfs_revalidate_hold(dir, EBPFS_HOLD_LEASE);
}

/* Nobody comes back to an inode that is not open: to be released next. holds_lock held;
 * ebpfs_release_soon() afterwards.
 */
static void ebpfs_hold_end(struct ebpfs_sb *sbi, struct ebpfs_inode *ei)
{
	ei->idle_since = 0;
	list_move(&ei->hold_link, &sbi->idle);
}

/* A file is open here, once more. */
void ebpfs_hold_open(struct inode *inode)
{
	struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);
	struct ebpfs_inode *ei = EBPFS_I(inode);

	spin_lock_bh(&sbi->holds_lock);
	if (!ei->opens++) {
		atomic_inc(&sbi->mnt.holding);	/* it may be locked */
		list_move_tail(&ei->hold_link, &sbi->open);
	}
	spin_unlock_bh(&sbi->holds_lock);
}

/* And closed. */
void ebpfs_hold_close(struct inode *inode)
{
	struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	bool now = false;

	spin_lock_bh(&sbi->holds_lock);
	if (!--ei->opens) {
		WRITE_ONCE(ei->made, false);
		atomic_dec(&sbi->mnt.holding);
		ei->idle_since = ebpfs_now();
		if (!ei->hold) {
			list_del_init(&ei->hold_link);
		} else if (inode->i_nlink && ei->held & EBPFS_HOLD_LEASE) {
			list_move_tail(&ei->hold_link, &sbi->idle);
		} else {
			/* Nobody comes back to it, or nothing is gained by holding it. */
			ebpfs_hold_end(sbi, ei);
			now = true;
		}
	}
	spin_unlock_bh(&sbi->holds_lock);
	if (now)
		ebpfs_release_soon(sbi, 0);
}

/* The file's last name was removed here: if nobody has it open, let it go. */
void ebpfs_hold_unlinked(struct inode *inode)
{
	struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	bool now = false;

	spin_lock_bh(&sbi->holds_lock);
	if (ei->hold && !ei->opens) {
		ebpfs_hold_end(sbi, ei);
		now = true;
	}
	spin_unlock_bh(&sbi->holds_lock);
	if (now)
		ebpfs_release_soon(sbi, HZ / 10);
}

/* The inode goes. May be in memory reclaim: without memory the server keeps the hold
 * until it recalls it or we unmount.
 */
void ebpfs_hold_evict(struct inode *inode)
{
	struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	struct ebpfs_gone *g = NULL;

	if (READ_ONCE(ei->hold) && !READ_ONCE(sbi->mnt.aborted))
		g = kmalloc(sizeof(*g) + ei->fh_len, GFP_NOWAIT | __GFP_NOWARN);
	spin_lock_bh(&sbi->holds_lock);
	if (g && ei->hold) {
		g->hold = ei->hold;
		g->hash = ei->hash;
		g->fh_len = ei->fh_len;
		memcpy(g->fh, ei->fh, ei->fh_len);
		list_add_tail(&g->link, &sbi->gone);
		g = NULL;
	}
	ebpfs_unhold(sbi, ei);
	list_del_init(&ei->hold_link);
	spin_unlock_bh(&sbi->holds_lock);
	kfree(g);
	if (!list_empty_careful(&sbi->gone))
		ebpfs_release_soon(sbi, HZ / 10);
}

/* find_inode_rcu() wants to be told so. A handle never changes once it is there. */
static int ebpfs_recall_test(struct inode *inode, void *p)
{
	const struct ebpfs_recall_info *r = p;
	const struct ebpfs_inode *ei = EBPFS_I(inode);

	return !(READ_ONCE(inode->i_state) & I_NEW) && ei->fh_len == r->fh_len &&
	       !memcmp(ei->fh, r->fh, r->fh_len);
}

/* Whoever recalls the lease of an inode waits for what waits in it. Softirq. */
static void ebpfs_settle_soon(struct inode *inode)
{
	struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);

	spin_lock(&sbi->holds_lock);
	EBPFS_I(inode)->settle = true;
	spin_unlock(&sbi->holds_lock);
	queue_work(system_unbound_wq, &sbi->settle);
}

/**
 * ebpfs_recall() - a server takes a lease back
 * @mnt: mount
 * @r: the recall
 *
 * Context: softirq, RCU read lock held.
 * Return: true if it can be answered now, false if the server has to ask again.
 */
bool ebpfs_recall(struct ebpfs_mount *mnt, const struct ebpfs_recall_info *r)
{
	struct ebpfs_sb *sbi = container_of(mnt, struct ebpfs_sb, mnt);
	struct ebpfs_recall_info key = *r;
	struct ebpfs_inode *ei;
	struct inode *inode;
	bool now = false, wait = false;

	inode = find_inode_rcu(sbi->sb, ebpfs_place_hash(r->fh, r->fh_len), ebpfs_recall_test,
			       &key);
	spin_lock(&sbi->holds_lock);
	/* It may be of a grant that has not come yet. */
	sbi->recalled = max(sbi->recalled, r->hold);
	if (inode && EBPFS_I(inode)->hold <= r->hold) {
		ei = EBPFS_I(inode);
		ei->held &= ~EBPFS_HOLD_LEASE;
		if (ei->hold && !ei->opens) {
			ebpfs_hold_end(sbi, ei);
			now = true;
		}
	}
	spin_unlock(&sbi->holds_lock);
	if (inode) {
		wait = ebpfs_later_recalled(inode);
		WRITE_ONCE(EBPFS_I(inode)->made, false);
		WRITE_ONCE(EBPFS_I(inode)->names_at, ebpfs_now());
		ebpfs_make_stale(inode);
		ebpfs_may_forget(inode);
		ebpfs_expire(inode);
	}
	if (now)
		ebpfs_release_soon(sbi, HZ / 10);
	if (wait)
		ebpfs_settle_soon(inode);
	return !wait;
}

/**
 * ebpfs_holds_lost() - a server holds nothing for us any more
 * @node: server
 *
 * Context: process; the node's work.
 */
void ebpfs_holds_lost(struct ebpfs_node *node)
{
	struct ebpfs_sb *sbi = container_of(node->mnt, struct ebpfs_sb, mnt);
	struct ebpfs_inode *ei, *tmp;

	spin_lock_bh(&sbi->holds_lock);
	/* Whatever was believed under a lease, and grants that are on their way. */
	WRITE_ONCE(sbi->lost_at, ebpfs_now());
	list_for_each_entry_safe(ei, tmp, &sbi->idle, hold_link)
		if (ei->hold_node == node->number)
			ebpfs_unhold(sbi, ei);
	list_for_each_entry(ei, &sbi->open, hold_link) {
		WRITE_ONCE(ei->made, false);
		/* One that is not held may be locked. */
		if (!ei->hold || ei->hold_node == node->number) {
			ebpfs_unhold(sbi, ei);
			ei->reclaim = true;
		}
	}
	spin_unlock_bh(&sbi->holds_lock);
	queue_work(system_unbound_wq, &sbi->reclaim);
}

/* The next open file that was held by a server that lost it; a reference, or NULL. */
static struct inode *ebpfs_reclaim_next(struct ebpfs_sb *sbi)
{
	struct inode *inode = NULL;
	struct ebpfs_inode *ei;

	spin_lock_bh(&sbi->holds_lock);
	list_for_each_entry(ei, &sbi->open, hold_link) {
		if (!ei->reclaim)
			continue;
		ei->reclaim = false;
		inode = &ei->vfs;
		ihold(inode);	/* an open file has one */
		break;
	}
	spin_unlock_bh(&sbi->holds_lock);
	return inode;
}

/* Tells the servers that nothing more will be reclaimed. */
static void ebpfs_reclaim_end(struct ebpfs_sb *sbi)
{
	struct ebpfs_mount *mnt = &sbi->mnt;
	struct ebpfs_releases *r = kmalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return;
	r->req.data_len = 0;
	ebpfs_release_add(r, mnt, ebpfs_place_hash(mnt->root_fh, mnt->root_fh_len), 0,
			  mnt->root_fh, mnt->root_fh_len);
	ebpfs_release_send(sbi, r);
}

/* What the server holds of an open file is not what it should be. Any context. */
void ebpfs_reclaim_soon(struct inode *inode)
{
	struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);

	spin_lock_bh(&sbi->holds_lock);
	EBPFS_I(inode)->reclaim = true;
	spin_unlock_bh(&sbi->holds_lock);
	queue_work(system_unbound_wq, &sbi->reclaim);
}

static void ebpfs_reclaim_work(struct work_struct *work)
{
	struct ebpfs_sb *sbi = container_of(work, struct ebpfs_sb, reclaim);
	struct inode *inode;

	while (!READ_ONCE(sbi->mnt.aborted) && (inode = ebpfs_reclaim_next(sbi))) {
		ebpfs_revalidate_hold(inode, EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE);
		ebpfs_locks_reclaim(inode);
		iput(inode);
	}
	if (!READ_ONCE(sbi->mnt.aborted))
		ebpfs_reclaim_end(sbi);
}

/* The next inode that is to be settled, and open; a reference, or NULL. In one that is not
 * open nothing waits that is not on its way.
 */
static struct inode *ebpfs_settle_next(struct ebpfs_sb *sbi)
{
	struct inode *inode = NULL;
	struct ebpfs_inode *ei;

	spin_lock_bh(&sbi->holds_lock);
	list_for_each_entry(ei, &sbi->open, hold_link) {
		if (!ei->settle)
			continue;
		ei->settle = false;
		inode = &ei->vfs;
		ihold(inode);
		break;
	}
	spin_unlock_bh(&sbi->holds_lock);
	return inode;
}

static void ebpfs_settle_work(struct work_struct *work)
{
	struct ebpfs_sb *sbi = container_of(work, struct ebpfs_sb, settle);
	struct inode *inode;

	while (!READ_ONCE(sbi->mnt.aborted) && (inode = ebpfs_settle_next(sbi))) {
		ebpfs_settle(inode);
		iput(inode);
	}
}

void ebpfs_sb_holds_init(struct ebpfs_sb *sbi)
{
	spin_lock_init(&sbi->holds_lock);
	INIT_LIST_HEAD(&sbi->open);
	INIT_LIST_HEAD(&sbi->idle);
	INIT_LIST_HEAD(&sbi->gone);
	INIT_DELAYED_WORK(&sbi->release, ebpfs_release_work);
	INIT_WORK(&sbi->reclaim, ebpfs_reclaim_work);
	INIT_WORK(&sbi->settle, ebpfs_settle_work);
	init_waitqueue_head(&sbi->lock_wait);
}

/* The mount was aborted; nothing new is begun. Process context. */
void ebpfs_holds_exit(struct ebpfs_sb *sbi)
{
	struct ebpfs_gone *g, *tmp;

	disable_work_sync(&sbi->reclaim);
	disable_work_sync(&sbi->settle);
	disable_delayed_work_sync(&sbi->release);
	list_for_each_entry_safe(g, tmp, &sbi->gone, link)
		kfree(g);
	INIT_LIST_HEAD(&sbi->gone);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A mount as the engine sees it: its nodes, from the first handshake to the
 * last datagram. The VFS side is super.c.
 */
#include <linux/random.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "engine.h"

LIST_HEAD(ebpfs_mounts);
LIST_HEAD(ebpfs_mounts_ending);
DEFINE_MUTEX(ebpfs_mounts_lock);
static u32 ebpfs_next_mount = 1;

/**
 * ebpfs_mount_init() - an empty mount
 * @mnt: zeroed
 * @net: network namespace; a reference is taken
 */
void ebpfs_mount_init(struct ebpfs_mount *mnt, struct net *net)
{
	INIT_LIST_HEAD(&mnt->link);
	INIT_LIST_HEAD(&mnt->nodes);
	INIT_LIST_HEAD(&mnt->removed_nodes);
	mutex_init(&mnt->nodes_lock);
	spin_lock_init(&mnt->root_lock);
	init_waitqueue_head(&mnt->wait);
	ebpfs_users_init(mnt);
	atomic64_set(&mnt->op_id, get_random_u64());
	mnt->owner = get_random_u64() | 1;
	mnt->net = get_net(net);
	mnt->next_node = 1;
}

/* A node is UP, or every node has an error, or the mount is aborted. */
static bool ebpfs_mount_settled(struct ebpfs_mount *mnt)
{
	struct ebpfs_node *node;
	bool settled = true;

	if (READ_ONCE(mnt->nodes_up) || READ_ONCE(mnt->aborted))
		return true;
	rcu_read_lock();
	list_for_each_entry_rcu(node, &mnt->nodes, link)
		if (!READ_ONCE(node->error))
			settled = false;
	rcu_read_unlock();
	return settled;
}

/**
 * ebpfs_mount_connect() - wait for the first session
 * @mnt: with its nodes created
 *
 * Context: process; killable, and bounded by timeo * (retrans + 1).
 * Return: 0, or why no node can be used: ETIMEDOUT, or a node's error.
 */
int ebpfs_mount_connect(struct ebpfs_mount *mnt)
{
	long left = nsecs_to_jiffies(mnt->timeo * (mnt->retrans + 1)) + 1;
	struct ebpfs_node *node;
	int err = -ETIMEDOUT;

	left = wait_event_killable_timeout(mnt->wait, ebpfs_mount_settled(mnt), left);
	if (left < 0)
		return -EINTR;
	if (READ_ONCE(mnt->nodes_up)) {
		mutex_lock(&ebpfs_mounts_lock);
		mnt->number = ebpfs_next_mount++;
		list_add_tail(&mnt->link, &ebpfs_mounts);
		mutex_unlock(&ebpfs_mounts_lock);
		return 0;
	}
	mutex_lock(&mnt->nodes_lock);
	list_for_each_entry(node, &mnt->nodes, link)
		if (READ_ONCE(node->error))
			err = READ_ONCE(node->error);
	mutex_unlock(&mnt->nodes_lock);
	return err;
}

/**
 * ebpfs_mount_destroy() - end a mount's traffic and free what the engine has of it
 * @mnt: itself not freed
 */
void ebpfs_mount_destroy(struct ebpfs_mount *mnt)
{
	struct ebpfs_node *node, *tmp;

	mutex_lock(&ebpfs_mounts_lock);
	list_move(&mnt->link, &ebpfs_mounts_ending);
	mutex_unlock(&ebpfs_mounts_lock);

	ebpfs_mount_abort(mnt);
	wait_event(mnt->wait, !atomic_read(&mnt->calls));	/* all were failed above */
	synchronize_rcu();	/* whoever made it 0 is out of ebpfs_req_finish() */

	mutex_lock(&mnt->nodes_lock);
	list_for_each_entry_safe(node, tmp, &mnt->nodes, link) {
		list_del_rcu(&node->link);
		WRITE_ONCE(mnt->nodes_used, mnt->nodes_used & ~BIT_ULL(node->index));
		ebpfs_node_stop(node);
		RCU_INIT_POINTER(mnt->node_at[node->index], NULL);
		list_add(&node->link, &mnt->removed_nodes);
	}
	mutex_unlock(&mnt->nodes_lock);
	synchronize_rcu();
	mutex_lock(&ebpfs_mounts_lock);
	list_for_each_entry(node, &mnt->removed_nodes, link)
		ebpfs_stats_retire(node->stats);
	list_del(&mnt->link);
	mutex_unlock(&ebpfs_mounts_lock);
	list_for_each_entry_safe(node, tmp, &mnt->removed_nodes, link)
		ebpfs_node_free(node);
	ebpfs_users_destroy(mnt);
	memzero_explicit(mnt->secret, sizeof(mnt->secret));
	put_net(mnt->net);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Which node a call goes to. The rule is core/place.c's; here it gets the
 * mount's table of nodes. A node that is UP is preferred; if none is, the call
 * waits in the queue of the node that would serve it if all were.
 */
#include <linux/rcupdate.h>

#include "engine.h"

/**
 * ebpfs_place_req() - the node for a call
 * @mnt: mount
 * @hash: of the handle
 *
 * Context: any but hard interrupt, RCU read lock held; the node outlives the
 * mount's last call.
 * Return: a node, or NULL while the table is being changed under us.
 */
struct ebpfs_node *ebpfs_place_req(struct ebpfs_mount *mnt, u64 hash)
{
	u64 used = READ_ONCE(mnt->nodes_used);
	u64 up = READ_ONCE(mnt->nodes_up) & used;
	int i;

	i = ebpfs_place(hash, mnt->node_keys, READ_ONCE(mnt->node_count), up ?: used);
	return i < 0 ? NULL : rcu_dereference(mnt->node_at[i]);
}

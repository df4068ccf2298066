// SPDX-License-Identifier: GPL-2.0
/*
 * Control by generic netlink. The interface and its manual are in
 * <ebpfs/netlink.h>. Everything runs in process context and under
 * ebpfs_mounts_lock, which keeps mounts from going; nodes are walked under
 * their mount's nodes_lock. Nothing here waits for the network.
 */
#include <linux/types.h>
#include <linux/kdev_t.h>
#include <net/genetlink.h>

#include <ebpfs/netlink.h>

#include "engine.h"

static struct genl_family ebpfs_genl;

static int ebpfs_put_stats(struct sk_buff *skb, const struct ebpfs_stats *stats)
{
	const u64 *value = (const u64 *)stats;
	struct nlattr *all, *one;
	unsigned int i;

	all = nla_nest_start(skb, EBPFS_A_STATS);
	if (!all)
		return -EMSGSIZE;
	for (i = 0; i < EBPFS_STAT_COUNT; i++) {
		one = nla_nest_start(skb, EBPFS_A_STAT);
		if (!one || nla_put_string(skb, EBPFS_A_STAT_NAME, ebpfs_stat_names[i]) ||
		    nla_put_u64_64bit(skb, EBPFS_A_STAT_VALUE, value[i], EBPFS_A_PAD))
			return -EMSGSIZE;
		nla_nest_end(skb, one);
	}
	nla_nest_end(skb, all);
	return 0;
}

static struct ebpfs_mount *ebpfs_find_mount(u32 number)
{
	struct ebpfs_mount *mnt;

	lockdep_assert_held(&ebpfs_mounts_lock);
	list_for_each_entry(mnt, &ebpfs_mounts, link)
		if (mnt->number == number)
			return mnt;
	return NULL;
}

/* Adds all nodes of a mount, also those that were removed. Its nodes_lock is held. */
static void ebpfs_sum_mount(struct ebpfs_stats *sum, const struct ebpfs_mount *mnt)
{
	const struct ebpfs_node *node;

	lockdep_assert_held(&mnt->nodes_lock);
	list_for_each_entry(node, &mnt->nodes, link)
		ebpfs_stats_sum(sum, node->stats);
	list_for_each_entry(node, &mnt->removed_nodes, link)
		ebpfs_stats_sum(sum, node->stats);
}

static int ebpfs_fill_mount(struct sk_buff *skb, struct netlink_callback *cb,
			    struct ebpfs_mount *mnt)
{
	struct ebpfs_stats stats = {};
	struct ebpfs_node *node;
	u32 nodes = 0, waiting = 0;
	void *head;

	head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &ebpfs_genl,
			   NLM_F_MULTI, EBPFS_CMD_MOUNT_GET);
	if (!head)
		return -EMSGSIZE;
	mutex_lock(&mnt->nodes_lock);
	list_for_each_entry(node, &mnt->nodes, link) {
		nodes++;
		waiting += READ_ONCE(node->nqueue);
	}
	ebpfs_sum_mount(&stats, mnt);
	mutex_unlock(&mnt->nodes_lock);

	if (nla_put_u32(skb, EBPFS_A_MOUNT, mnt->number) ||
	    nla_put_u32(skb, EBPFS_A_DEV_MAJOR, MAJOR(mnt->dev)) ||
	    nla_put_u32(skb, EBPFS_A_DEV_MINOR, MINOR(mnt->dev)) ||
	    nla_put_string(skb, EBPFS_A_SOURCE, mnt->source) ||
	    nla_put_string(skb, EBPFS_A_OPTIONS, mnt->options) ||
	    nla_put_u32(skb, EBPFS_A_NODES, nodes) ||
	    (READ_ONCE(mnt->aborted) && nla_put_flag(skb, EBPFS_A_ABORTED)) ||
	    nla_put_u32(skb, EBPFS_A_REQUESTS, atomic_read(&mnt->calls)) ||
	    nla_put_u32(skb, EBPFS_A_REQUESTS_WAITING, waiting) ||
	    ebpfs_put_stats(skb, &stats)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

static int ebpfs_fill_node(struct sk_buff *skb, struct netlink_callback *cb,
			   struct ebpfs_node *node)
{
	u32 slots = 0, in_flight = 0, window = 0, pmtu;
	u64 id = 0, srtt = 0, rto = 0, resent = 0;
	struct ebpfs_stats stats = {};
	struct ebpfs_session *s;
	void *head;
	u8 state;
	int len;

	spin_lock_bh(&node->lock);
	s = rcu_dereference_protected(node->session, lockdep_is_held(&node->lock));
	if (s) {
		id = s->id;
		slots = s->conn.nslots;
		in_flight = READ_ONCE(s->conn.win.flight);
		window = READ_ONCE(s->conn.win.cwnd);
		srtt = READ_ONCE(s->conn.rtt.srtt);
		rto = READ_ONCE(s->conn.rtt.rto);
		resent = READ_ONCE(s->conn.retransmits);
	}
	state = node->health.state;
	pmtu = node->pmtu.size;
	spin_unlock_bh(&node->lock);
	ebpfs_stats_sum(&stats, node->stats);

	head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &ebpfs_genl,
			   NLM_F_MULTI, EBPFS_CMD_NODE_GET);
	if (!head)
		return -EMSGSIZE;
	len = node->path.to.sa.sa_family == AF_INET ? sizeof(node->path.to.in) :
	      sizeof(node->path.to.in6);
	if (nla_put_u32(skb, EBPFS_A_MOUNT, node->mnt->number) ||
	    nla_put_u32(skb, EBPFS_A_NODE, node->number) ||
	    nla_put(skb, EBPFS_A_ADDRESS, len, &node->path.to) ||
	    nla_put_u8(skb, EBPFS_A_STATE, state) ||
	    nla_put_u64_64bit(skb, EBPFS_A_SESSION, id, EBPFS_A_PAD) ||
	    nla_put_u32(skb, EBPFS_A_SLOTS, slots) ||
	    nla_put_u32(skb, EBPFS_A_IN_FLIGHT, in_flight) ||
	    nla_put_u32(skb, EBPFS_A_WINDOW, window) ||
	    nla_put_u64_64bit(skb, EBPFS_A_SRTT_NS, srtt, EBPFS_A_PAD) ||
	    nla_put_u64_64bit(skb, EBPFS_A_RTO_NS, rto, EBPFS_A_PAD) ||
	    nla_put_u32(skb, EBPFS_A_CELL, READ_ONCE(node->cell)) ||
	    nla_put_u32(skb, EBPFS_A_PMTU, pmtu) ||
	    nla_put_u64_64bit(skb, EBPFS_A_RETRANSMITS, resent, EBPFS_A_PAD) ||
	    ebpfs_put_stats(skb, &stats)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

/* Dumps go on after the last number that fitted: cb->args[0] a mount's,
 * cb->args[1] a node's in it.
 */
static int ebpfs_mount_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ebpfs_mount *mnt;
	int err = 0;

	mutex_lock(&ebpfs_mounts_lock);
	list_for_each_entry(mnt, &ebpfs_mounts, link) {
		if (mnt->number <= cb->args[0])
			continue;
		err = ebpfs_fill_mount(skb, cb, mnt);
		if (err)
			break;
		cb->args[0] = mnt->number;
	}
	mutex_unlock(&ebpfs_mounts_lock);
	/* 0 would mean that there are no more. */
	return skb->len ?: err;
}

static int ebpfs_node_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ebpfs_mount *mnt;
	struct ebpfs_node *node;
	int err = 0;

	mutex_lock(&ebpfs_mounts_lock);
	list_for_each_entry(mnt, &ebpfs_mounts, link) {
		if (mnt->number < cb->args[0])
			continue;
		if (mnt->number > cb->args[0])
			cb->args[1] = 0;
		cb->args[0] = mnt->number;
		mutex_lock(&mnt->nodes_lock);
		list_for_each_entry(node, &mnt->nodes, link) {
			if (node->number <= cb->args[1])
				continue;
			err = ebpfs_fill_node(skb, cb, node);
			if (err)
				break;
			cb->args[1] = node->number;
		}
		mutex_unlock(&mnt->nodes_lock);
		if (err)
			break;
	}
	mutex_unlock(&ebpfs_mounts_lock);
	return skb->len ?: err;
}

/* The mount that a request names, with ebpfs_mounts_lock held; else an error
 * pointer, with the lock not held.
 */
static struct ebpfs_mount *ebpfs_lock_mount(struct genl_info *info)
{
	struct ebpfs_mount *mnt;

	if (GENL_REQ_ATTR_CHECK(info, EBPFS_A_MOUNT))
		return ERR_PTR(-EINVAL);
	mutex_lock(&ebpfs_mounts_lock);
	mnt = ebpfs_find_mount(nla_get_u32(info->attrs[EBPFS_A_MOUNT]));
	if (mnt)
		return mnt;
	mutex_unlock(&ebpfs_mounts_lock);
	NL_SET_ERR_MSG_MOD(info->extack, "there is no mount with this number");
	return ERR_PTR(-ENOENT);
}

static int ebpfs_get_addr(struct genl_info *info, union ebpfs_addr *addr)
{
	const struct nlattr *attr = info->attrs[EBPFS_A_ADDRESS];
	size_t len;

	if (GENL_REQ_ATTR_CHECK(info, EBPFS_A_ADDRESS))
		return -EINVAL;
	memset(addr, 0, sizeof(*addr));
	nla_memcpy(addr, attr, sizeof(*addr));
	switch (addr->sa.sa_family) {
	case AF_INET:
		len = sizeof(addr->in);
		break;
	case AF_INET6:
		len = sizeof(addr->in6);
		break;
	default:
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "the address is neither IPv4 nor IPv6");
		return -EAFNOSUPPORT;
	}
	if (nla_len(attr) != len || !addr->in.sin_port) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "the address is malformed or lacks a port");
		return -EINVAL;
	}
	return 0;
}

static int ebpfs_node_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ebpfs_mount *mnt;
	struct ebpfs_node *node;
	union ebpfs_addr addr;
	struct sk_buff *msg;
	void *head;
	int err;

	err = ebpfs_get_addr(info, &addr);
	if (err)
		return err;
	msg = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	mnt = ebpfs_lock_mount(info);
	if (IS_ERR(mnt)) {
		nlmsg_free(msg);
		return PTR_ERR(mnt);
	}
	mutex_lock(&mnt->nodes_lock);
	node = ebpfs_node_create(mnt, &addr, info->extack);
	err = PTR_ERR_OR_ZERO(node);
	if (!err) {
		head = genlmsg_put_reply(msg, info, &ebpfs_genl, 0, EBPFS_CMD_NODE_ADD);
		nla_put_u32(msg, EBPFS_A_NODE, node->number);	/* a fresh message: fits */
		genlmsg_end(msg, head);
	}
	mutex_unlock(&mnt->nodes_lock);
	mutex_unlock(&ebpfs_mounts_lock);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

static int ebpfs_node_remove_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ebpfs_mount *mnt;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, EBPFS_A_NODE))
		return -EINVAL;
	mnt = ebpfs_lock_mount(info);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	mutex_lock(&mnt->nodes_lock);
	err = ebpfs_node_remove(mnt, nla_get_u32(info->attrs[EBPFS_A_NODE]), info->extack);
	mutex_unlock(&mnt->nodes_lock);
	mutex_unlock(&ebpfs_mounts_lock);
	return err;
}

static int ebpfs_abort_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ebpfs_mount *mnt = ebpfs_lock_mount(info);

	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	ebpfs_mount_abort(mnt);
	mutex_unlock(&ebpfs_mounts_lock);
	return 0;
}

static void ebpfs_sum_mounts(struct ebpfs_stats *sum, const struct list_head *list)
{
	struct ebpfs_mount *mnt;

	lockdep_assert_held(&ebpfs_mounts_lock);
	list_for_each_entry(mnt, list, link) {
		mutex_lock(&mnt->nodes_lock);
		ebpfs_sum_mount(sum, mnt);
		mutex_unlock(&mnt->nodes_lock);
	}
}

static int ebpfs_stats_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ebpfs_stats stats = {};
	struct sk_buff *msg;
	void *head;
	int err = -EMSGSIZE;

	msg = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	mutex_lock(&ebpfs_mounts_lock);
	ebpfs_stats_sum(&stats, ebpfs_global_stats);
	ebpfs_sum_mounts(&stats, &ebpfs_mounts);
	ebpfs_sum_mounts(&stats, &ebpfs_mounts_ending);
	mutex_unlock(&ebpfs_mounts_lock);
	head = genlmsg_put_reply(msg, info, &ebpfs_genl, 0, EBPFS_CMD_STATS_GET);
	if (head)
		err = ebpfs_put_stats(msg, &stats);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, head);
	return genlmsg_reply(msg, info);
}

static const struct nla_policy ebpfs_mount_policy[EBPFS_A_MAX + 1] = {
	[EBPFS_A_MOUNT] = { .type = NLA_U32 },
};

static const struct nla_policy ebpfs_node_policy[EBPFS_A_MAX + 1] = {
	[EBPFS_A_MOUNT] = { .type = NLA_U32 },
	[EBPFS_A_NODE] = { .type = NLA_U32 },
	[EBPFS_A_ADDRESS] = NLA_POLICY_RANGE(NLA_BINARY, sizeof(struct sockaddr_in),
					     sizeof(struct sockaddr_in6)),
};

static const struct genl_ops ebpfs_genl_ops[] = {
	{
		.cmd = EBPFS_CMD_MOUNT_GET,
		.flags = GENL_ADMIN_PERM,
		.dumpit = ebpfs_mount_dump,
	}, {
		.cmd = EBPFS_CMD_NODE_GET,
		.flags = GENL_ADMIN_PERM,
		.dumpit = ebpfs_node_dump,
	}, {
		.cmd = EBPFS_CMD_NODE_ADD,
		.flags = GENL_ADMIN_PERM,
		.policy = ebpfs_node_policy,
		.maxattr = EBPFS_A_MAX,
		.doit = ebpfs_node_add_doit,
	}, {
		.cmd = EBPFS_CMD_NODE_REMOVE,
		.flags = GENL_ADMIN_PERM,
		.policy = ebpfs_node_policy,
		.maxattr = EBPFS_A_MAX,
		.doit = ebpfs_node_remove_doit,
	}, {
		.cmd = EBPFS_CMD_ABORT,
		.flags = GENL_ADMIN_PERM,
		.policy = ebpfs_mount_policy,
		.maxattr = EBPFS_A_MAX,
		.doit = ebpfs_abort_doit,
	}, {
		.cmd = EBPFS_CMD_STATS_GET,
		.flags = GENL_ADMIN_PERM,
		.doit = ebpfs_stats_doit,
	},
};

static struct genl_family ebpfs_genl __ro_after_init = {
	.name = EBPFS_GENL_NAME,
	.version = EBPFS_GENL_VERSION,
	.netnsok = true,
	.module = THIS_MODULE,
	.ops = ebpfs_genl_ops,
	.n_ops = ARRAY_SIZE(ebpfs_genl_ops),
	.resv_start_op = EBPFS_CMD_MOUNT_GET,
};

int ebpfs_netlink_init(void)
{
	return genl_register_family(&ebpfs_genl);
}

void ebpfs_netlink_exit(void)
{
	genl_unregister_family(&ebpfs_genl);
}

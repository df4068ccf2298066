// SPDX-License-Identifier: GPL-2.0
/*
 * The door: of what comes to a UDP port of ours, that which its socket would get and throw
 * away is dropped where it comes in, at XDP or TC, and what may be a new client is told
 * apart, for the programs to limit. Why and when: "Filter at the door" in
 * Documentation/design.md.
 *
 * A port is a node's, or one that ebpfsd says it listens at. Whether a datagram is really
 * for that socket is looked at last, since it costs most: its destination is an address of
 * this machine, and nothing on the way there translates addresses. In doubt it passes.
 *
 * Nothing is authenticated here. What is compared are addresses, identities that only the
 * two ends know, and windows of numbers: reasons to drop, and none to believe anything.
 *
 * Context: judging in softirq, RCU read side. Doors of nodes come and go in process context,
 * under ebpfs_doors_lock; those of a daemon, and its peers, under ebpfs_serve_lock, too, which
 * is the outer one.
 */
#include <linux/file.h>
#include <linux/hashtable.h>
#include <linux/if_vlan.h>
#include <linux/net.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/addrconf.h>
#include <net/inet_sock.h>
#include <net/route.h>
#include <net/xdp.h>

#include "door.h"
#include "packet.h"

static DEFINE_HASHTABLE(ebpfs_doors, 8);
static DEFINE_SPINLOCK(ebpfs_doors_lock);
static DEFINE_HASHTABLE(ebpfs_peers, 12);

/**
 * struct ebpfs_peer - the other end of a session of a server here
 * @hash: in the table of peers, by @id, RCU
 * @link: in its daemon's list
 * @daemon: whose
 * @id: the server's identity of the session
 * @addr: the client's address
 * @rcu: frees it
 */
struct ebpfs_peer {
	struct hlist_node hash;
	struct list_head link;
	struct ebpfs_daemon *daemon;
	u64 id;
	union ebpfs_addr addr;
	struct rcu_head rcu;
};

static u32 ebpfs_door_hash(__be16 port)
{
	return hash_32((__force u16)port, HASH_BITS(ebpfs_doors));
}

static void ebpfs_door_add(struct ebpfs_door *door, const struct sock *sk)
{
	door->net = sock_net(sk);
	door->family = sk->sk_family;
	door->port = inet_sk(sk)->inet_sport;
	if (door->family == AF_INET)
		door->local.in.sin_addr.s_addr = inet_sk(sk)->inet_rcv_saddr;
#if IS_ENABLED(CONFIG_IPV6)
	else
		door->local.in6.sin6_addr = sk->sk_v6_rcv_saddr;
#endif
	spin_lock_bh(&ebpfs_doors_lock);
	hlist_add_head_rcu(&door->hash, &ebpfs_doors[ebpfs_door_hash(door->port)]);
	spin_unlock_bh(&ebpfs_doors_lock);
}

static void ebpfs_door_remove(struct ebpfs_door *door)
{
	spin_lock_bh(&ebpfs_doors_lock);
	hlist_del_init_rcu(&door->hash);
	spin_unlock_bh(&ebpfs_doors_lock);
}

/**
 * ebpfs_node_door() - a node's port is ours from now on
 * @node: its socket is there
 */
void ebpfs_node_door(struct ebpfs_node *node)
{
	node->door.node = node;
	ebpfs_door_add(&node->door, node->sock->sk);
}

/* It no longer is; a grace period before the socket is released. */
void ebpfs_node_door_end(struct ebpfs_node *node)
{
	ebpfs_door_remove(&node->door);
}

/* Is @port, in network order, one of ours, in any network namespace? RCU read lock held. */
bool ebpfs_port_known(__be16 port)
{
	const struct ebpfs_door *door;

	hlist_for_each_entry_rcu(door, &ebpfs_doors[ebpfs_door_hash(port)], hash)
		if (door->port == port)
			return true;
	return false;
}

static bool ebpfs_door_is(const struct ebpfs_door *door, const struct ebpfs_flow *flow)
{
	return door->port == flow->local_port && door->net == flow->net &&
	       door->family == flow->from.sa.sa_family;
}

static struct ebpfs_peer *ebpfs_peer_find(u64 id)
{
	struct ebpfs_peer *peer;

	hash_for_each_possible_rcu(ebpfs_peers, peer, hash, id, lockdep_is_held(&ebpfs_serve_lock))
		if (peer->id == id)
			return peer;
	return NULL;
}

/* Does the namespace translate addresses of what comes in? Whoever does so registers this. */
static bool ebpfs_door_nat(const struct net *net, sa_family_t family)
{
#ifdef CONFIG_NETFILTER
	const struct nf_hook_entries *e;
	struct nf_hook_ops **ops;
	int priority;
	u32 i;

	if (family == AF_INET)
		e = rcu_dereference(net->nf.hooks_ipv4[NF_INET_PRE_ROUTING]);
	else
		e = rcu_dereference(net->nf.hooks_ipv6[NF_INET_PRE_ROUTING]);
	if (!e)
		return false;
	ops = nf_hook_entries_get_hook_ops(e);
	for (i = 0; i < e->num_hook_entries; i++) {
		/* One that is being taken away may be freed: the kernel itself looks at these
		 * under a mutex only. Then it translates no more, and any answer is right.
		 */
		if (!get_kernel_nofault(priority, &READ_ONCE(ops[i])->priority) &&
		    priority == NF_IP_PRI_NAT_DST)
			return true;
	}
#endif
	return false;
}

/* May the packet have a VLAN tag that is not in it, since the card has taken it out? What XDP
 * sees does not tell.
 */
static bool ebpfs_door_tagged(const struct ebpfs_packet *pkt)
{
	if (pkt->skb)
		return skb_vlan_tag_present(pkt->skb);
#if IS_ENABLED(CONFIG_VLAN_8021Q)
	return pkt->xdp->rxq->dev->features & (NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX) &&
	       rcu_access_pointer(pkt->xdp->rxq->dev->vlan_info);
#else
	return false;
#endif
}

/*
 * Does the packet whose IP header is at @l3_off get to the socket of @door, if nothing drops
 * it? False: perhaps not.
 */
static bool ebpfs_door_certain(const struct ebpfs_door *door, struct ebpfs_packet *pkt, u32 l3_off,
			       u32 flags)
{
	struct net *net = (struct net *)door->net;
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} ip;

	/* What has a tag goes to another device, perhaps of another namespace. */
	if (l3_off != ETH_HLEN || ebpfs_door_tagged(pkt) ||
	    (!(flags & EBPFS_DOOR_NAT) && ebpfs_door_nat(net, door->family)))
		return false;
	if (door->family == AF_INET)
		return ebpfs_packet_copy(pkt, l3_off, &ip.v4, sizeof(ip.v4)) &&
		       (!door->local.in.sin_addr.s_addr ||
			door->local.in.sin_addr.s_addr == ip.v4.daddr) &&
		       inet_addr_type(net, ip.v4.daddr) == RTN_LOCAL;
#if IS_ENABLED(CONFIG_IPV6)
	return ebpfs_packet_copy(pkt, l3_off, &ip.v6, sizeof(ip.v6)) &&
	       (ipv6_addr_any(&door->local.in6.sin6_addr) ||
		ipv6_addr_equal(&door->local.in6.sin6_addr, &ip.v6.daddr)) &&
	       ipv6_chk_addr(net, &ip.v6.daddr, NULL, 0);
#else
	return false;
#endif
}

/**
 * struct ebpfs_knock - a datagram at the door
 * @hdr: its head
 * @guard: behind it, if its type says so
 * @size: of a probe without a guard, as it says
 * @len: bytes
 * @type: without EBPFS_GUARDED
 * @guarded: it has a guard
 * @many: it may be several, of which this is the first: only who sent it counts
 */
struct ebpfs_knock {
	struct ebpfs_hdr hdr;
	struct ebpfs_guard guard;
	u32 size;
	u32 len;
	u8 type;
	bool guarded;
	bool many;
};

static bool ebpfs_knock_read(struct ebpfs_packet *pkt, u32 off, u32 len, struct ebpfs_knock *k)
{
	struct ebpfs_probe probe;
	bool is_probe;

	k->len = len;
	if (len < sizeof(k->hdr) || !ebpfs_packet_copy(pkt, off, &k->hdr, sizeof(k->hdr)))
		return false;
	k->type = k->hdr.type & ~EBPFS_GUARDED;
	k->guarded = k->hdr.type & EBPFS_GUARDED;
	if (k->guarded)
		return len >= sizeof(k->hdr) + sizeof(k->guard) &&
		       ebpfs_packet_copy(pkt, off + sizeof(k->hdr), &k->guard, sizeof(k->guard));
	is_probe = k->type == EBPFS_PROBE || k->type == EBPFS_PROBE_ACK;
	if (!is_probe)
		return true;
	if (!ebpfs_packet_copy(pkt, off, &probe, sizeof(probe)))
		return false;
	k->size = le32_to_cpu(probe.size);
	return true;
}

/* As ebpfs_parse_hdr(), which the socket's owner asks in any case; PASS: nothing is wrong. */
static enum ebpfs_knocked ebpfs_knock_form(const struct ebpfs_knock *k)
{
	u32 least = ebpfs_type_min_len(k->type);

	if (k->hdr.magic != cpu_to_le16(EBPFS_MAGIC) ||
	    (k->hdr.version != EBPFS_VERSION && k->hdr.type != EBPFS_HELLO &&
	     k->hdr.type != EBPFS_REJECT))
		return EBPFS_DOOR_VERSION;
	if (!least)
		return EBPFS_DOOR_TYPE;
	if (k->guarded)
		least += sizeof(k->guard);
	if (k->len < least)
		return EBPFS_DOOR_FORM;
	switch (k->type) {
	case EBPFS_CALL:
	case EBPFS_REPLY:
	case EBPFS_DATA:
		break;
	case EBPFS_PROBE:
	case EBPFS_PROBE_ACK:
		/* Behind a guard it may be encrypted. */
		if (!k->guarded && k->size != k->len)
			return EBPFS_DOOR_FORM;
		break;
	default:
		if (k->len != least)
			return EBPFS_DOOR_FORM;
	}
	return EBPFS_DOOR_PASS;
}

static bool ebpfs_knock_past(const struct ebpfs_knock *k, struct ebpfs_keys *keys)
{
	return k->guarded && ebpfs_keys_guard(keys) &&
	       ebpfs_keys_past(keys, le32_to_cpu(k->hdr.crc), le64_to_cpu(k->guard.number));
}

/* At a node's port. @said: what was found of it as a REPLY. */
static enum ebpfs_knocked ebpfs_door_client(const struct ebpfs_node *node,
					   const struct ebpfs_flow *flow,
					   const struct ebpfs_knock *k, int said)
{
	const struct ebpfs_session *s = rcu_dereference(node->session);
	u64 id = le64_to_cpu(k->hdr.session);
	enum ebpfs_knocked reason;

	if (!ebpfs_addr_equal(&node->path.to, &flow->from))
		return EBPFS_DOOR_PEER;
	if (k->many)
		return EBPFS_DOOR_PASS;
	reason = ebpfs_knock_form(k);
	if (reason)
		return reason;
	switch (k->type) {
	case EBPFS_REPLY:
		return said == EBPFS_STEER_PASS_SESSION ? EBPFS_DOOR_SESSION :
		       said == EBPFS_STEER_PASS_MALFORMED ? EBPFS_DOOR_FORM : EBPFS_DOOR_PASS;
	case EBPFS_CHALLENGE:
	case EBPFS_ACCEPT:
	case EBPFS_REJECT:
		return id && id == READ_ONCE(node->hello) ? EBPFS_DOOR_PASS : EBPFS_DOOR_SESSION;
	case EBPFS_UNKNOWN:
		return s && s->server_id == id ? EBPFS_DOOR_PASS : EBPFS_DOOR_SESSION;
	case EBPFS_PROBE_ACK:
	case EBPFS_NEED:
	case EBPFS_RECALL:
	case EBPFS_REKEYED:
		if (!s || s->id != id)
			return EBPFS_DOOR_SESSION;
		return ebpfs_knock_past(k, (struct ebpfs_keys *)&s->keys) ? EBPFS_DOOR_REPLAY :
									   EBPFS_DOOR_PASS;
	default:
		return EBPFS_DOOR_TYPE;
	}
}

/* At a port of ebpfsd. */
static enum ebpfs_knocked ebpfs_door_server(const struct ebpfs_door *door,
					   const struct ebpfs_flow *flow,
					   const struct ebpfs_knock *k)
{
	const struct ebpfs_peer *peer;
	struct ebpfs_serving *serving;
	enum ebpfs_knocked reason;

	if (!k->many) {
		reason = ebpfs_knock_form(k);
		if (reason)
			return reason;
	}
	switch (k->type) {
	case EBPFS_HELLO:
	case EBPFS_AUTH:
		return EBPFS_DOOR_STRANGER;
	case EBPFS_CALL:
	case EBPFS_DATA:
	case EBPFS_PROBE:
	case EBPFS_BYE:
	case EBPFS_RECALLED:
	case EBPFS_REKEY:
		break;
	default:
		return k->many ? EBPFS_DOOR_STRANGER : EBPFS_DOOR_TYPE;
	}
	peer = ebpfs_peer_find(le64_to_cpu(k->hdr.session));
	/* Not the daemon's that listens here: then who it talks to is not known. */
	if (!peer || peer->daemon != door->daemon)
		return READ_ONCE(door->daemon->blind) ? EBPFS_DOOR_PASS : EBPFS_DOOR_STRANGER;
	if (!ebpfs_addr_equal(&peer->addr, &flow->from))
		return k->many ? EBPFS_DOOR_STRANGER : EBPFS_DOOR_PEER;
	/* CALLs that come here are opened by serve.c, if their keys are known. */
	if (!k->guarded || k->many || k->type == EBPFS_CALL)
		return EBPFS_DOOR_PASS;
	serving = ebpfs_serving_find(peer->id);
	return serving && ebpfs_knock_past(k, &serving->keys) ? EBPFS_DOOR_REPLAY :
								EBPFS_DOOR_PASS;
}

/* As the plain way counts what it drops. */
static void ebpfs_door_count(const struct ebpfs_node *node, enum ebpfs_knocked reason, bool reply)
{
	switch (reason) {
	case EBPFS_DOOR_PEER:
		ebpfs_stat_inc(node->stats, drop_address);
		break;
	case EBPFS_DOOR_SESSION:
		if (reply)
			ebpfs_stat_inc(ebpfs_global_stats, drop_session);
		else
			ebpfs_stat_inc(node->stats, drop_session);
		break;
	case EBPFS_DOOR_REPLAY:
		ebpfs_stat_inc(node->stats, drop_replay);
		break;
	default:
		ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
	}
}

/* What @door's socket would do with the packet. @k: NULL if it has no head. */
static enum ebpfs_knocked ebpfs_door_judge(const struct ebpfs_door *door,
					   const struct ebpfs_flow *flow,
					   const struct ebpfs_knock *k, bool many, int said)
{
	if (k)
		return door->node ? ebpfs_door_client(door->node, flow, k, said) :
				    ebpfs_door_server(door, flow, k);
	if (door->node && !ebpfs_addr_equal(&door->node->path.to, &flow->from))
		return EBPFS_DOOR_PEER;
	return many ? EBPFS_DOOR_PASS : EBPFS_DOOR_FORM;
}

/**
 * ebpfs_door() - is the packet to be dropped?
 * @pkt: packet
 * @flow: between whom
 * @l3_off: of its IP header
 * @off: of the UDP payload
 * @len: bytes of that
 * @flags: enum ebpfs_door_flags
 * @said: what was found of it as a REPLY, enum ebpfs_steer_verdict
 *
 * Context: softirq, RCU read lock held.
 */
enum ebpfs_knocked ebpfs_door(struct ebpfs_packet *pkt, const struct ebpfs_flow *flow, u32 l3_off,
			     u32 off, u32 len, u32 flags, int said)
{
	struct hlist_head *doors = &ebpfs_doors[ebpfs_door_hash(flow->local_port)];
	const struct ebpfs_door *door;
	struct ebpfs_knock k = {};
	enum ebpfs_knocked reason;
	bool looked = false, good = false;

	/* Several sockets may have a port, each with an address of its own. */
	hlist_for_each_entry_rcu(door, doors, hash) {
		if (!ebpfs_door_is(door, flow))
			continue;
		if (!looked) {
			k.many = pkt->skb ? skb_is_gso(pkt->skb) : flags & EBPFS_DOOR_GENERIC;
			good = ebpfs_knock_read(pkt, off, len, &k);
			looked = true;
		}
		reason = ebpfs_door_judge(door, flow, good ? &k : NULL, k.many, said);
		if (reason == EBPFS_DOOR_PASS || !ebpfs_door_certain(door, pkt, l3_off, flags))
			continue;
		if (door->node)
			ebpfs_door_count(door->node, reason, k.type == EBPFS_REPLY);
		return reason;
	}
	return EBPFS_DOOR_PASS;
}

/* Doors and peers of a daemon. */

int ebpfs_serve_peer(struct ebpfs_daemon *d, const struct ebpfs_serve_peer *arg)
{
	struct ebpfs_peer *peer;
	int err = -ENOSPC;

	if (!arg->server_id || !arg->peer_port || arg->reserved)
		return -EINVAL;
	peer = ebpfs_peer_find(arg->server_id);
	if (peer)
		return peer->daemon == d ? 0 : -EINVAL;
	if (d->npeers >= EBPFS_SERVE_PEERS)
		goto blind;
	err = -ENOMEM;
	peer = kzalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);
	if (!peer)
		goto blind;
	peer->daemon = d;
	peer->id = arg->server_id;
	ebpfs_serve_addr(arg->peer, arg->peer_port, arg->scope, &peer->addr);
	list_add(&peer->link, &d->peers);
	d->npeers++;
	hash_add_rcu(ebpfs_peers, &peer->hash, peer->id);
	return 0;
blind:
	WRITE_ONCE(d->blind, true);
	return err;
}

static void ebpfs_peer_end(struct ebpfs_peer *peer)
{
	hash_del_rcu(&peer->hash);
	list_del(&peer->link);
	peer->daemon->npeers--;
	kfree_rcu(peer, rcu);
}

int ebpfs_serve_left(struct ebpfs_daemon *d, u64 server_id)
{
	struct ebpfs_peer *peer = ebpfs_peer_find(server_id);

	if (!peer || peer->daemon != d)
		return -ENOENT;
	ebpfs_peer_end(peer);
	return 0;
}

int ebpfs_serve_door(struct ebpfs_daemon *d, int fd)
{
	struct ebpfs_door *door;
	struct socket *sock;
	struct file *file;
	int err = -ENOTSOCK;

	file = fget(fd);
	if (!file)
		return -EBADF;
	sock = sock_from_file(file);
	if (!sock || !sk_is_udp(sock->sk))
		goto out;
	err = -ENOSPC;
	if (d->ndoors >= EBPFS_SERVE_DOORS)
		goto out;
	err = -ENOMEM;
	door = kzalloc(sizeof(*door), GFP_KERNEL);
	if (!door)
		goto out;
	door->daemon = d;
	list_add(&door->link, &d->doors);
	d->ndoors++;
	ebpfs_door_add(door, sock->sk);
	err = 0;
out:
	fput(file);
	return err;
}

/* The daemon is gone: nobody judges for it any more. */
void ebpfs_doors_end(struct ebpfs_daemon *d)
{
	struct ebpfs_door *door, *next_door;
	struct ebpfs_peer *peer, *next_peer;

	list_for_each_entry_safe(door, next_door, &d->doors, link) {
		ebpfs_door_remove(door);
		kfree_rcu(door, rcu);
	}
	list_for_each_entry_safe(peer, next_peer, &d->peers, link)
		ebpfs_peer_end(peer);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The request engine: from "this call, this destination" to the wire and back.
 *
 *	request.c  a call's life: queue, slot, completion, cancel, abort
 *	place.c    which node a call goes to
 *	data.c     a call's data on their way out
 *	cred.c     who acts
 *	send.c     datagrams out
 *	receive.c  plain UDP in; walks the fragments of every way in
 *	kfunc.c    XDP and TC in
 *	fill.c     payload to destination, and its checksum
 *	node.c     a server: socket, timer, sessions, handshake, path MTU
 *
 * What the mount holds at its servers (hold.c, lock.c), and has to write again (append.c), is
 * told of by four functions there: ebpfs_recall(), ebpfs_lock_hint(), ebpfs_holds_lost(),
 * ebpfs_server_forgot().
 *
 * Who owns a call. A struct ebpfs_req is always in exactly one of these hands:
 *	NEW      its maker
 *	QUEUED   node->queue, waiting for a slot, for window, or for the node
 *	ACTIVE   node->active and a slot of req->session
 *	TRANSIT  a thread that moves it from one node to another
 *	USER     user->waiting, until its server was told of its user (cred.c)
 *	DONE     its maker again, through req->done()
 * QUEUED and ACTIVE, and the way between them, belong to node->lock. From
 * ACTIVE it is taken by whoever is told so by the core: COMPLETE, RELEASE or
 * CANCEL_NOW. A req on one of a node's lists stays valid while that node's
 * lock is held, since leaving the list takes the lock.
 *
 * Lock order: node->lock, then the core's (ebpfs_conn.lock, ebpfs_slot.lock), or
 * mnt->users_lock, inside which nothing is taken.
 * node->lock is taken with bottom halves off. Nothing is transmitted and no
 * req->done() runs under it.
 *
 * Sessions are found by the receive ways under RCU and freed after a grace
 * period; fillers run wholly inside one RCU read-side section.
 */
#ifndef EBPFS_ENGINE_H
#define EBPFS_ENGINE_H

#include <linux/completion.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/dst_cache.h>
#include <net/sock.h>

#include <ebpfs/steer.h>

#include "core/conn.h"
#include "core/guard.h"
#include "core/handshake.h"
#include "core/node.h"
#include "core/place.h"
#include "core/pmtu.h"
#include "stats.h"

struct ebpfs_mount;
struct ebpfs_node;
struct ebpfs_pages;
struct ebpfs_req;
struct ebpfs_user;
struct ebpfs_write;

/**
 * union ebpfs_addr - address and port of a server
 */
union ebpfs_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/**
 * struct ebpfs_path - from where to where datagrams go
 * @to: the other end
 * @from: our address; unspecified: as the route says. Its port does not count
 * @port: ours, network order
 * @lists: the device that the last datagram left by takes super-packets that are a list of
 *	skbs as they are; READ_ONCE/WRITE_ONCE
 * @dst: cached route
 */
struct ebpfs_path {
	union ebpfs_addr to;
	union ebpfs_addr from;
	__be16 port;
	bool lists;
	struct dst_cache dst;
};

/**
 * struct ebpfs_session - one session with one node
 * @hash: in ebpfs_sessions, by @id, RCU
 * @node: of which it is a session; outlives it
 * @id: the client's identity, in every datagram that comes in
 * @server_id: the server's identity, in every datagram that goes out
 * @server_instance: of the server's start
 * @unit_max: most bytes of a READ
 * @cell_max: most bytes of a fragment
 * @key: of its BYE
 * @keys: of its datagrams
 * @conn: slots, window, timing
 * @rcu: frees it
 * @slots: memory for @conn
 */
struct ebpfs_session {
	struct hlist_node hash;
	struct ebpfs_node *node;
	u64 id;
	u64 server_id;
	u64 server_instance;
	u32 unit_max;
	u32 cell_max;
	u8 key[EBPFS_MAC_LEN];
	struct ebpfs_keys keys;
	struct ebpfs_conn conn;
	struct rcu_head rcu;
	struct ebpfs_slot slots[];
};

/**
 * struct ebpfs_chunks - memory that packets are made of, used again and again
 * @pages: compound pages by lru, the one that was filled last at the end
 * @count: how many
 * @at: what is free of that last one
 * @left: bytes there, a multiple of 8
 *
 * Each has a reference of ours; packets that lie in it have one more. Protected by the
 * node's lock.
 */
struct ebpfs_chunks {
	struct list_head pages;
	u32 count;
	u8 *at;
	u32 left;
};

struct ebpfs_daemon;

/**
 * struct ebpfs_door - a UDP port of ours, see door.c
 * @hash: in the table of doors, by @port, RCU
 * @link: in its daemon's list
 * @net: network namespace; compared only
 * @family: of the socket
 * @port: network order
 * @local: address that the socket is bound to; unspecified: any
 * @node: that it belongs to; NULL: a server's
 * @daemon: that it belongs to, in that case
 * @rcu: frees it, likewise
 */
struct ebpfs_door {
	struct hlist_node hash;
	struct list_head link;
	const struct net *net;
	sa_family_t family;
	__be16 port;
	union ebpfs_addr local;
	struct ebpfs_node *node;
	struct ebpfs_daemon *daemon;
	struct rcu_head rcu;
};

/* What a server that was started anew may have forgotten is written again before anything else
 * is asked of it: until then only calls that go ahead are sent.
 */
enum ebpfs_recovery {
	EBPFS_RECOVERED,	/* or there was nothing */
	EBPFS_FORGOT,
	EBPFS_RECOVERING,	/* forgot before the work began that is under way */
};

/**
 * struct ebpfs_node - one server of one mount
 * @mnt: the mount; outlives it
 * @link: in mnt->nodes; added and removed under mnt->nodes_lock, walked under RCU
 * @number: of the node in its mount
 * @index: in mnt->node_keys, for placement
 * @path: to the server
 * @key: ebpfs_place() key
 * @sock: UDP socket of its own, in the mount's network namespace
 * @door: its port
 * @lock: protects @queue, @nqueue, @active, @session, @health, @removed, @chunks
 * @queue: calls that wait, in order
 * @nqueue: how many
 * @active: calls that are in a slot
 * @session: the one in use, NULL before the first; RCU for readers without @lock
 * @health: is the node used
 * @chunks: for data that are copied on their way out; none while there are no calls
 * @removed: by the administrator, or the mount is going: no new work
 * @timer: retransmission, deadlines, silence; softirq
 * @more: dispatches once what came in together has been received; softirq
 * @work: handshake, path MTU, moving of calls; process context
 * @work_lock: protects @inbox and @inbox_len
 * @inbox: last handshake message that came in
 * @inbox_len: its bytes, 0 if none
 * @hs: handshake in progress; @work only
 * @hello: its identity, 0 if there is none; READ_ONCE/WRITE_ONCE
 * @error: why the last handshake failed, 0 if it did not; READ_ONCE/WRITE_ONCE
 * @pmtu: path MTU search; under @lock
 * @cell: bytes per fragment in use; READ_ONCE/WRITE_ONCE
 * @unit: bytes per READ in use; READ_ONCE/WRITE_ONCE
 * @unit_most: bytes of one READ that the server and the mount allow; likewise
 * @silent: "not responding" was logged
 * @recovery: enum ebpfs_recovery; under @lock, READ_ONCE/WRITE_ONCE
 * @instance: of the server's start, 0 before the first session; work only
 * @owner_instance: of what this mount holds there, likewise
 * @boot: of its machine, see struct ebpfs_accept; READ_ONCE/WRITE_ONCE
 * @lease: for how long that is kept after the server last heard of us, ns
 * @renewed_at: it heard of us at this time or later, ns; READ_ONCE/WRITE_ONCE
 * @keep_at: when the keepalive was sent that no answer has come to, 0: none; @lock
 * @keep_serial: of that one and its repetitions; likewise
 * @keep_again: when to send the next one, ns; timer only
 * @stats: counters
 */
struct ebpfs_node {
	struct ebpfs_mount *mnt;
	struct list_head link;
	u32 number;
	u32 index;
	struct ebpfs_path path;
	u64 key;
	struct socket *sock;
	struct ebpfs_door door;

	spinlock_t lock;
	struct list_head queue;
	u32 nqueue;
	struct list_head active;
	struct ebpfs_session __rcu *session;
	struct ebpfs_health health;
	struct ebpfs_chunks chunks;
	bool removed;

	struct timer_list timer;
	struct tasklet_struct more;
	struct work_struct work;
	spinlock_t work_lock;
	u8 inbox[sizeof(struct ebpfs_accept)];
	u32 inbox_len;
	struct ebpfs_hs_client hs;
	u64 hello;
	int error;

	struct ebpfs_pmtu pmtu;
	u16 cell;
	u32 unit;
	u32 unit_most;
	bool silent;

	u8 recovery;
	u64 instance;
	u64 owner_instance;
	u32 boot;
	u64 lease;
	u64 renewed_at;
	u64 keep_at;
	u32 keep_serial;
	u64 keep_again;

	struct ebpfs_stats __percpu *stats;
};

/**
 * struct ebpfs_mount - what the engine knows of a mount
 * @link: in ebpfs_mounts, or in ebpfs_mounts_ending, whose counters are still its own; under
 *	ebpfs_mounts_lock
 * @number: 1, 2 ... since the module was loaded
 * @net: network namespace, referenced
 * @nodes: struct ebpfs_node, in order of number; never empty after set-up
 * @nodes_lock: mutex for changing @nodes
 * @node_keys: ebpfs_place() keys by index; entries of unused indexes are 0
 * @node_at: node by index, RCU
 * @node_count: highest index in use + 1
 * @nodes_used: indexes in use
 * @nodes_up: indexes of nodes that are UP; atomic bit operations
 * @next_node: number of the next node
 * @removed_nodes: nodes that were removed; freed with the mount
 * @forgotten: how often a server was started anew that there had been a session with
 * @aborted: every call fails with EIO, now and later
 * @changes: calls that changed something and ended
 * @synced: of them, how many are on stable storage by sync_fs(); READ_ONCE/WRITE_ONCE
 * @calls: not finished
 * @op_id: the last one given out; begins at random
 * @owner: identity of this mount at its servers, see struct ebpfs_auth
 * @holding: files held at servers; as long as it is not 0, servers hear of us
 * @users: who acts here, see cred.c; under @users_lock
 * @users_lock: taken with bottom halves off
 * @next_user: number of the next one
 * @dev: of the superblock, to find it in mountinfo
 * @source: as given to mount; the superblock's
 * @options: in force, as shown in mountinfo
 * @wait: woken when @calls falls to 0, and when a node's state changes
 * @client: name
 * @export: name
 * @secret: of the client
 * @sec: EBPFS_SEC_*
 * @features: offered to servers
 * @slots: wanted per session
 * @rsize: limit of a READ unit, bytes
 * @rekey: ns after which there are new keys
 * @rekey_after: datagrams, likewise
 * @timeo: ns
 * @retrans: as the option says
 * @soft: calls fail at their deadline
 * @root_lock: protects @root_fh until the first handshake has set it; a work that
 *	waits for nodes_lock could not be cancelled under it
 * @root_fh: from the first handshake
 * @root_fh_len: its bytes, 0 before
 */
struct ebpfs_mount {
	struct list_head link;
	u32 number;
	struct net *net;
	struct list_head nodes;
	struct mutex nodes_lock;
	u64 node_keys[EBPFS_NODES_MAX];
	struct ebpfs_node __rcu *node_at[EBPFS_NODES_MAX];
	u32 node_count;
	u64 nodes_used;
	unsigned long nodes_up;
	u32 next_node;
	struct list_head removed_nodes;
	atomic_t forgotten;
	bool aborted;
	atomic64_t changes;
	u64 synced;
	atomic_t calls;
	atomic64_t op_id;
	u64 owner;
	atomic_t holding;
	DECLARE_HASHTABLE(users, 6);
	spinlock_t users_lock;
	u32 next_user;
	wait_queue_head_t wait;
	dev_t dev;
	const char *source;
	char options[256];

	char client[EBPFS_CLIENT_MAX];
	char export[EBPFS_EXPORT_MAX];
	u8 secret[EBPFS_SECRET_LEN];
	u8 sec;
	u32 features;
	u16 slots;
	u32 rsize;
	u64 rekey;
	u64 rekey_after;
	u64 timeo;
	u32 retrans;
	bool soft;
	spinlock_t root_lock;
	u8 root_fh[EBPFS_FH_MAX];
	u16 root_fh_len;
};

enum ebpfs_req_state {
	EBPFS_REQ_NEW,
	EBPFS_REQ_QUEUED,
	EBPFS_REQ_ACTIVE,
	EBPFS_REQ_TRANSIT,
	EBPFS_REQ_USER,
	EBPFS_REQ_DONE,
};

/**
 * struct ebpfs_req - one call
 * @link: in node->queue or node->active
 * @mnt: mount
 * @node: where it is or was last; READ_ONCE/WRITE_ONCE
 * @session: while ACTIVE
 * @id: while ACTIVE
 * @hash: of its handle, for placement
 * @deadline: ns, EBPFS_NEVER if hard
 * @state: enum ebpfs_req_state
 * @ahead: goes before all others where the node is recovering
 * @error: negative if the call shall fail instead of being moved; set once
 * @op: enum ebpfs_op
 * @arg: see struct ebpfs_body
 * @op_id: see struct ebpfs_body; set by ebpfs_req_prepare_once()
 * @count: see struct ebpfs_body
 * @limit: most bytes of reply: the size of the destination
 * @fh: handle; must stay valid until done()
 * @fh_len: its bytes
 * @name: likewise
 * @name_len: its bytes
 * @user: who acts, NULL for the superuser; must stay valid until done()
 * @acted: number of @user, set by ebpfs_call_req()
 * @boot: of a change or COMMIT that was done: the node's number << 32 | boot of its
 *	machine; else 0
 * @attr: attributes of a WRITEATTR, else NULL; likewise
 * @data: the call's data, NULL if they are @write's; likewise
 * @data_len: their bytes
 * @write: source of a WRITE, see write.h
 * @buf: destination of metadata replies, NULL for a READ into pages
 * @read: destination of a READ into the page cache, see read.h
 * @pages: of one past it
 * @done: called once, in softirq or process context with no lock held; may free
 *	the req. @res holds what the server said if @err is 0.
 * @waiter: of ebpfs_call()
 * @res: the reply
 */
struct ebpfs_req {
	struct list_head link;
	struct ebpfs_mount *mnt;
	struct ebpfs_node *node;
	struct ebpfs_session *session;
	u64 id;
	u64 hash;
	u64 deadline;
	u8 state;
	bool ahead;
	int error;

	u16 op;
	u64 arg;
	u64 op_id;
	u32 count;
	u32 limit;
	const u8 *fh;
	u16 fh_len;
	const u8 *name;
	u16 name_len;

	struct ebpfs_user *user;
	u32 acted;
	u64 boot;
	const struct ebpfs_setattr *attr;
	const void *data;
	u32 data_len;
	struct ebpfs_write *write;
	void *buf;
	struct ebpfs_read *read;
	const struct ebpfs_pages *pages;
	void (*done)(struct ebpfs_req *req, int err);
	struct completion *waiter;
	struct ebpfs_result res;
};

struct ebpfs_packet;
struct ebpfs_read_folio;

enum ebpfs_way {
	EBPFS_WAY_PLAIN,
	EBPFS_WAY_TC,
	EBPFS_WAY_XDP,
};

/**
 * struct ebpfs_flow - between whom a datagram went
 * @net: network namespace of the device it came in by
 * @from: the sender's address and port
 * @local_port: the port it was sent to
 * @ce: congestion experienced
 */
struct ebpfs_flow {
	struct net *net;
	union ebpfs_addr from;
	__be16 local_port;
	bool ce;
};

/* The time that the core counts in. It goes on while the machine is suspended, as a
 * server's patience does.
 */
static inline u64 ebpfs_now(void)
{
	return ktime_get_boottime_ns();
}

/* request.c APIs */
void ebpfs_req_submit(struct ebpfs_req *req);		/* any context but hardirq */
void ebpfs_req_submit_batch(struct list_head *reqs);	/* the same; all of one file */
void ebpfs_req_submit_async(struct list_head *reqs);	/* the same */
void ebpfs_req_prepare(struct ebpfs_req *req, struct ebpfs_mount *mnt);
void ebpfs_req_prepare_once(struct ebpfs_req *req, struct ebpfs_mount *mnt);
void ebpfs_req_again(struct ebpfs_req *req, int err);	/* any context; req in TRANSIT */
void ebpfs_node_need(struct ebpfs_node *node, struct ebpfs_session *session,
		     const struct ebpfs_need_info *n);	/* softirq, RCU */
void ebpfs_calls_end(struct ebpfs_mount *mnt);	/* any but hard interrupt */
void ebpfs_req_kill(struct ebpfs_req *req, int err);	/* process; req held by the caller */
int ebpfs_call(struct ebpfs_req *req);			/* process, sleeps, killable */
int ebpfs_call_patiently(struct ebpfs_req *req);	/* likewise */
void ebpfs_dispatch(struct ebpfs_node *node);		/* any context but hardirq */
void ebpfs_req_leave_slot(struct ebpfs_session *session, struct ebpfs_req *req,
			  u16 slot, const struct ebpfs_result *res,
			  u64 now);			/* softirq: receive.c */
void ebpfs_node_resend(struct ebpfs_node *node, struct ebpfs_session *session,
		       const u64 *ids, u32 n);		/* softirq, node->lock not held */
void ebpfs_node_drain(struct ebpfs_node *node, int err);	/* any context but hardirq */
void ebpfs_node_expire(struct ebpfs_node *node, u64 now);	/* softirq: timer */
void ebpfs_node_requeue(struct ebpfs_node *node);	/* node->lock held */
void ebpfs_mount_abort(struct ebpfs_mount *mnt);	/* process */

/* data.c APIs */
#define EBPFS_CHUNK_ORDER	PAGE_ALLOC_COSTLY_ORDER
#define EBPFS_CHUNK		(PAGE_SIZE << EBPFS_CHUNK_ORDER)
/* Most payload of a datagram with a guard, which has to fit a chunk. */
#define EBPFS_GUARDED_CELL_MAX	(EBPFS_CHUNK - sizeof(struct ebpfs_reply) - \
				 sizeof(struct ebpfs_guard))
#define EBPFS_INLINE_MAX	640	/* bytes of data that go into the CALL itself */
void ebpfs_data_copy(const struct ebpfs_req *req, u32 at, void *to, u32 len);
bool ebpfs_data_lendable(const struct ebpfs_req *req);
void ebpfs_data_lend(struct sk_buff *skb, const struct ebpfs_req *req, u32 *crc);
void ebpfs_chunks_free(struct ebpfs_chunks *chunks);
void ebpfs_data_build(struct sk_buff_head *out, struct ebpfs_session *session,
		      const struct ebpfs_req *req, u16 cell, u8 attempt, u64 cells);

/* cred.c APIs */
struct ebpfs_user *ebpfs_user_get(struct ebpfs_mount *mnt, const struct cred *cred);
struct ebpfs_user *ebpfs_user_ref(struct ebpfs_mount *mnt, struct ebpfs_user *user);
void ebpfs_user_put(struct ebpfs_mount *mnt, struct ebpfs_user *user);
u32 ebpfs_user_number(const struct ebpfs_user *user);
bool ebpfs_user_known(struct ebpfs_mount *mnt, const struct cred *cred, u32 *number);
bool ebpfs_user_unknown(struct ebpfs_req *req);		/* node->lock held */
void ebpfs_user_tell(struct ebpfs_mount *mnt, struct ebpfs_user *user, u64 hash);
bool ebpfs_user_leave(struct ebpfs_req *req);		/* node->lock held */
void ebpfs_users_init(struct ebpfs_mount *mnt);
void ebpfs_users_destroy(struct ebpfs_mount *mnt);

/* place.c APIs */
struct ebpfs_node *ebpfs_place_req(struct ebpfs_mount *mnt, u64 hash);	/* RCU read lock held */

/* send.c APIs: any context but hardirq; they consume the skb */
struct sk_buff *ebpfs_skb_alloc(u32 len);
void *ebpfs_skb_extend(struct sk_buff *skb, u32 len);
void ebpfs_skb_super(struct sk_buff *skb, u32 segs, u32 size);
int ebpfs_path_init(struct ebpfs_path *path);	/* process */
int ebpfs_path_send(struct ebpfs_path *path, struct sock *sk, struct sk_buff *skb);
int ebpfs_send_skb(struct ebpfs_node *node, struct sk_buff *skb);
int ebpfs_send_copy(struct ebpfs_node *node, const void *msg, u32 len);
int ebpfs_send_session(struct ebpfs_session *session, const void *msg, u32 len);
bool ebpfs_skb_close(struct sk_buff *skb, struct ebpfs_session *session);
u32 ebpfs_path_ceiling(struct ebpfs_node *node);	/* process: UDP payload bytes */

/**
 * ebpfs_skb_frag() - a piece of a page at the end of a packet, without a copy
 * @skb: has room for one more fragment
 * @page: head page of what it lies in; a reference to it goes to the packet
 * @in: offset in it, bytes
 * @len: bytes
 */
static inline void ebpfs_skb_frag(struct sk_buff *skb, struct page *page, u32 in, u32 len)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	__skb_fill_page_desc_noacc(shinfo, shinfo->nr_frags++, page, in, len);
	skb->len += len;
	skb->data_len += len;
	skb->truesize += len;
}

/* The same for memory at @p that lies in pages with the head page @page, which gets one. */
static inline void ebpfs_skb_add(struct sk_buff *skb, struct page *page, const void *p, u32 len)
{
	page_ref_inc(page);
	ebpfs_skb_frag(skb, page, p - page_address(page), len);
}

/**
 * ebpfs_skb_lend() - a piece of a folio at the end of a packet, without a copy
 * @skb: has room for one more fragment
 * @folio: it gets a reference to it
 * @in: offset in it, bytes
 * @len: bytes
 *
 * What the folio holds may change before the packet is read: see SKBFL_SHARED_FRAG.
 */
static inline void ebpfs_skb_lend(struct sk_buff *skb, struct folio *folio, size_t in, u32 len)
{
	folio_get(folio);
	ebpfs_skb_frag(skb, folio_page(folio, 0), in, len);
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
}

/* receive.c APIs */
int ebpfs_encap_rcv(struct sock *sk, struct sk_buff *skb);	/* softirq, RCU */
enum ebpfs_steer_verdict
ebpfs_receive_replies(struct ebpfs_packet *pkt, const struct ebpfs_flow *flow,
		      u32 off, u32 len, u32 seg, enum ebpfs_way way,
		      struct ebpfs_steer_opts *out);	/* softirq, RCU */

/* fill.c APIs */
bool ebpfs_fill(struct ebpfs_packet *pkt, u32 off, u32 crc, const struct ebpfs_frag *f,
		struct ebpfs_req *req, struct ebpfs_read_folio **folio);	/* softirq, RCU */
/* softirq, RCU */
int ebpfs_fill_guarded(struct ebpfs_packet *pkt, u32 off, const struct ebpfs_reply *head,
		       const struct ebpfs_guard *guard, const u8 key[EBPFS_KEY_LEN],
		       const struct ebpfs_keys *keys, const struct ebpfs_frag *f,
		       struct ebpfs_req *req, struct ebpfs_read_folio **folio);

/* kfunc.c APIs */
int ebpfs_packet_look(struct ebpfs_packet *pkt, u32 len, u32 l3_off,
		      struct ebpfs_flow *flow, u32 *off, u32 *payload);	/* softirq */
int ebpfs_kfunc_init(void);

/* node.c APIs: process context */
extern struct workqueue_struct *ebpfs_wq;
struct ebpfs_node *ebpfs_node_create(struct ebpfs_mount *mnt, const union ebpfs_addr *addr,
				     struct netlink_ext_ack *extack);
void ebpfs_node_stop(struct ebpfs_node *node);
void ebpfs_node_free(struct ebpfs_node *node);
int ebpfs_node_remove(struct ebpfs_mount *mnt, u32 number, struct netlink_ext_ack *extack);
void ebpfs_node_hear(struct ebpfs_node *node, const void *msg, u32 len, u8 type,
		     u64 session);				/* softirq, RCU */
bool ebpfs_node_heard(struct ebpfs_node *node, const struct ebpfs_session *s,
		      u64 now);				/* node->lock held */
void ebpfs_node_arm(struct ebpfs_node *node, u64 at);	/* any context */
void ebpfs_node_renewed(struct ebpfs_node *node, u64 at);	/* any context */
bool ebpfs_node_keeps(const struct ebpfs_node *node, u64 now);	/* any context */
struct ebpfs_session *ebpfs_session_find(u64 id);	/* RCU read lock held */
bool ebpfs_addr_equal(const union ebpfs_addr *a, const union ebpfs_addr *b);
u64 ebpfs_node_key(const union ebpfs_addr *addr);
int ebpfs_node_init(void);
void ebpfs_node_exit(void);
bool ebpfs_is_recovering(struct ebpfs_mount *mnt, u64 hash);		/* any context */
void ebpfs_nodes_recovery(struct ebpfs_mount *mnt, enum ebpfs_recovery from,
			  enum ebpfs_recovery to);

/* mount.c APIs: process context */
extern struct list_head ebpfs_mounts;
extern struct list_head ebpfs_mounts_ending;
extern struct mutex ebpfs_mounts_lock;
void ebpfs_mount_init(struct ebpfs_mount *mnt, struct net *net);
int ebpfs_mount_connect(struct ebpfs_mount *mnt);
void ebpfs_mount_destroy(struct ebpfs_mount *mnt);

/* hold.c and lock.c APIs */
bool ebpfs_recall(struct ebpfs_mount *mnt, const struct ebpfs_recall_info *r);	/* softirq, RCU */
void ebpfs_lock_hint(struct ebpfs_mount *mnt);		/* softirq */
void ebpfs_holds_lost(struct ebpfs_node *node);		/* process */

/* append.c APIs */
void ebpfs_server_forgot(struct ebpfs_mount *mnt);	/* process */

/* netlink.c APIs */
int ebpfs_netlink_init(void);
void ebpfs_netlink_exit(void);

#endif /* EBPFS_ENGINE_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Served from the page cache: what the module knows of ebpfsd's sessions.
 *
 *	grant.c		sessions and grants, told by ebpfsd through a device
 *	serve.c		a CALL at TC ingress becomes replies out of the page cache
 *	describe.c	for ebpfsd's READDIR, through the same device
 *
 * Life. One open device is a daemon; with it end its sessions, and with a session its
 * grants. serve.c finds both under RCU; they are freed a grace period after they left
 * their tables. All changes are made under one mutex, ebpfs_serve_lock, in process
 * context; it is the innermost of locks there.
 */
#ifndef EBPFS_SERVE_H
#define EBPFS_SERVE_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>

#include <ebpfs/serve.h>

#include "engine.h"

/**
 * struct ebpfs_daemon - one open device
 * @sessions: list of struct ebpfs_serving
 * @nsessions: how many
 * @ngrants: grants of all of them
 * @peers: list of struct ebpfs_peer
 * @npeers: how many
 * @doors: list of struct ebpfs_door
 * @ndoors: how many
 * @blind: not all peers are known; READ_ONCE/WRITE_ONCE
 * @rcu: frees it
 */
struct ebpfs_daemon {
	struct list_head sessions;
	u32 nsessions;
	u32 ngrants;
	struct list_head peers;
	u32 npeers;
	struct list_head doors;
	u32 ndoors;
	bool blind;
	struct rcu_head rcu;
};

/**
 * struct ebpfs_serving - a session whose calls may be answered here
 * @hash: in the table of sessions, by @server_id, RCU
 * @link: in its daemon's list
 * @daemon: whose; it outlives this while this is in the tables
 * @grants: list of its grants
 * @server_id: in calls
 * @client_id: in replies
 * @path: to the client; calls come from its other end to its port
 * @sock: ebpfsd's, kept by @file
 * @file: of @sock, referenced
 * @turn: when a datagram was last left to ebpfsd, jiffies; READ_ONCE/WRITE_ONCE
 * @ticked: when it was last looked for keys that have had their time; likewise
 * @instance: of replies
 * @slots: entries of @seq
 * @keys: of its datagrams
 * @rcu: frees it
 * @seq: sequence of the last call that was answered here, by slot
 */
struct ebpfs_serving {
	struct hlist_node hash;
	struct list_head link;
	struct ebpfs_daemon *daemon;
	struct list_head grants;
	u64 server_id;
	u64 client_id;
	struct ebpfs_path path;
	struct sock *sock;
	struct file *file;
	unsigned long turn;
	unsigned long ticked;
	u32 instance;
	u16 slots;
	struct ebpfs_keys keys;
	struct rcu_head rcu;
	atomic64_t seq[];
};

/**
 * struct ebpfs_grant - a user of a session may read a file
 * @hash: in the table of grants, by all that it is found by, RCU
 * @hash_fh: in the table of grants by handle
 * @link: in its session's list
 * @session: of it
 * @file: open for reading, referenced
 * @changed: ctime of its inode when this was granted
 * @cred: number of the user
 * @rcu: frees it
 * @fh_len: bytes at @fh
 * @fh: handle
 */
struct ebpfs_grant {
	struct hlist_node hash;
	struct hlist_node hash_fh;
	struct list_head link;
	struct ebpfs_serving *session;
	struct file *file;
	struct timespec64 changed;
	u32 cred;
	struct rcu_head rcu;
	u16 fh_len;
	u8 fh[];
};

/* grant.c APIs; both finders: RCU read lock held */
extern struct mutex ebpfs_serve_lock;
struct ebpfs_serving *ebpfs_serving_find(u64 server_id);
struct ebpfs_grant *ebpfs_grant_find(const struct ebpfs_serving *s, u32 cred,
				     const u8 *fh, u16 fh_len);
bool ebpfs_grant_holds(const struct ebpfs_grant *g);
int ebpfs_grant_init(void);
void ebpfs_grant_exit(void);

void ebpfs_serve_addr(const u8 addr[16], __be16 port, u32 scope, union ebpfs_addr *to);

/* door.c APIs: process, ebpfs_serve_lock held */
int ebpfs_serve_peer(struct ebpfs_daemon *d, const struct ebpfs_serve_peer *arg);
int ebpfs_serve_left(struct ebpfs_daemon *d, u64 server_id);
int ebpfs_serve_door(struct ebpfs_daemon *d, int socket);
void ebpfs_doors_end(struct ebpfs_daemon *d);

/* describe.c APIs: process */
long ebpfs_serve_describe(const struct ebpfs_serve_names *arg);

/* serve.c APIs: softirq, RCU read lock held */
int ebpfs_serve(struct sk_buff *skb, struct ebpfs_serve_opts *opts);

#endif /* EBPFS_SERVE_H */

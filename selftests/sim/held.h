/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Worlds about what clients hold at a server: open files, leases, and changes that have
 * to wait for them. Every seed makes one of these, too.
 *
 * The server's table is kmod/core/hold.c as it is; held_server.c plays ebpfsd's hold.c,
 * owner.c and orphan.c around it, held_client.c kmod/hold.c, held_world.c makes, troubles
 * and judges. Events, virtual time and the network are those of the other worlds. Sessions
 * and calls are plain here: a call is repeated until it is answered or killed, is executed
 * once in a session, and is made again in the next. That all this is so under the real
 * transport is what the other worlds show.
 *
 * A file has a version, one higher with each change, and who made which: what a client
 * uses under a lease must not be older than the last change by anybody else.
 *
 * Ownership: as in sim.h. Owners alone are in memory at a fixed address, since the core
 * hashes a holder's address.
 */
#ifndef EBPFS_SIM_HELD_H
#define EBPFS_SIM_HELD_H

#include "core/hold.h"
#include "sim.h"

#define HELD_CLIENTS	4
#define HELD_DIRS	2	/* the first files */
#define HELD_NAMES	4	/* in each directory */
#define HELD_FILES	32
#define HELD_SLOTS	6	/* calls that a client has outstanding */
#define HELD_OWNERS	32
#define HELD_TABLE	64	/* holds, at most */
#define HELD_BATCH	8	/* files of one RELEASE */
#define HELD_NOBODY	HELD_CLIENTS

enum held_type {
	HELD_JOIN, HELD_JOINED, HELD_CALL, HELD_REPLY, HELD_PROBE, HELD_PROBED, HELD_RECALL,
	HELD_RECALLED, HELD_UNKNOWN, HELD_BYE,
};

/**
 * struct held_msg - a datagram
 * @type: enum held_type
 * @session: that it is of
 * @id: of call, recall, or attempt to join
 * @number: of the hold, or the owner's instance
 * @life: of the server that answers; for the judge alone
 * @op: of the call
 * @kinds: EBPFS_HOLD_*: asked for, or got
 * @status: of the reply
 * @file: that is meant, or was found
 * @dir: where a name comes from and goes to
 * @name: likewise
 * @version: of @file
 * @links: of @file
 * @n: entries of @let
 * @let: what is released
 */
struct held_msg {
	u32 type;
	u32 session;
	u64 id;
	u64 number;
	u32 life;
	u16 op;
	u8 kinds;
	u8 status;
	u8 file;
	u8 dir[2];
	u8 name[2];
	u32 version;
	u32 links;
	u32 n;
	struct {
		u64 number;
		u32 file;
	} let[HELD_BATCH];
};

/**
 * struct held_inode - a file
 * @used: it was made
 * @gone: and is no more
 * @links: names
 * @version: changes so far
 * @by: the last version that each client made
 */
struct held_inode {
	bool used;
	bool gone;
	u32 links;
	u32 version;
	u32 by[HELD_CLIENTS + 1];
};

/**
 * struct held_owner - one mount as the server knows it
 * @core: what it holds
 * @used: in the table
 * @ended: gets nothing more
 * @dead: its sessions have ended, too
 * @client: whose
 * @instance: drawn by the server
 * @heard: when, ns
 * @jobs: calls of it
 * @released: highest number that each file was let go of under; for the judge
 */
struct held_owner {
	struct ebpfs_holder core;
	bool used;
	bool ended;
	bool dead;
	u32 client;
	u64 instance;
	u64 heard;
	u32 jobs;
	u64 released[HELD_FILES];
};

/**
 * struct held_job - a call that is executed
 * @core: its change
 * @session: of the call
 * @owner: who acts
 * @epoch: of the server
 * @call: it
 * @reply: to it
 * @begun: the change has
 * @parked: it waits
 * @read: what it asked for was taken
 * @made: the hold that it made
 * @since: when the change began, ns
 */
struct held_job {
	struct ebpfs_change core;
	struct held_session *session;
	struct held_owner *owner;
	u32 epoch;
	struct held_msg call;
	struct held_msg reply;
	bool begun;
	bool parked;
	bool read;
	u64 made;
	u64 since;
};

/**
 * struct held_session - the server's side of one
 * @next: of this life
 * @id: of it
 * @attempt: of the client to join
 * @owner: whose
 * @alive: not ended
 * @slots: the last call of each: its id, its job while there is one, else its reply
 */
struct held_session {
	struct held_session *next;
	u32 id;
	u64 attempt;
	struct held_owner *owner;
	bool alive;
	struct {
		u64 id;
		struct held_job *job;
		bool kept;
		struct held_msg reply;
	} slots[HELD_SLOTS];
};

struct held_server {
	struct addr addr;
	bool up;
	u32 epoch;
	u64 started;
	struct ebpfs_holds table;
	struct held_session *sessions;
	u64 pump_at;
	u32 pump_gen;
	u32 parked;
};

/**
 * struct held_call - a call of a client
 * @used: there is one
 * @m: as it was sent last
 * @first_at: when it was sent first in this session, ns
 * @tries: so often
 * @gen: older timers do nothing
 * @open: if it is answered the file is opened
 */
struct held_call {
	bool used;
	struct held_msg m;
	u64 first_at;
	u32 tries;
	u32 gen;
	bool open;
};

/**
 * struct held_file - what a client knows of a file; as struct ebpfs_inode
 * @number: of the hold, 0: none
 * @released: highest number that it was let go of under
 * @held: EBPFS_HOLD_*
 * @opens: programs that have it open
 * @idle_since: ns
 * @reclaim: it is to be held again
 * @known: newest version that was read
 * @life: of the server that granted the lease; for the judge
 * @ignored: the server may hold more than is known here; for the judge
 */
struct held_file {
	u64 number;
	u64 released;
	u8 held;
	u32 opens;
	u64 idle_since;
	bool reclaim;
	u32 known;
	u32 life;
	bool ignored;
};

struct held_client {
	u32 index;
	struct addr addr;
	u32 session;		/* 0: none */
	u32 before;		/* the one before */
	u64 attempt;		/* to join, 0: none is under way */
	u64 instance;
	u64 renewed_at;
	u64 lost_at;
	u64 recalled;
	u64 next_hold;
	u64 seq;
	u64 heard_at;
	u64 probe_at;		/* a probe that is not answered was sent, 0: none */
	u32 join_gen;
	u32 left;		/* steps of its programs */
	bool leaving;		/* lets go of everything */
	struct held_file files[HELD_FILES];
	struct held_call calls[HELD_SLOTS];
};

struct held_world {
	u64 lease;
	u64 idle;
	u64 exec;
	u64 gap;
	u64 lost_after;
	u32 kill;
	bool crowded;		/* all files share two slots */
	bool crash;
	bool cut;
	u32 table;
	u32 steps;
	u32 serial;
	u32 nclients;
	u32 ninodes;
	struct held_inode inodes[HELD_FILES];
	u8 names[HELD_DIRS][HELD_NAMES];	/* 0: nothing */
	struct held_server server;
	struct held_client clients[HELD_CLIENTS];
	struct held_owner *owners;
	struct ebpfs_hold memory[HELD_TABLE];
	struct ebpfs_held_file files[HELD_TABLE];
	struct ebpfs_held_file *buckets[HELD_TABLE / 2];
};

/* held_server.c */
void held_start(struct world *w);
void held_crash(struct world *w);
void held_server_receive(struct world *w, const struct held_msg *m, u32 from);
void held_key(struct world *w, u32 file, struct ebpfs_hold_key *key);

/* held_client.c */
void held_client_start(struct world *w, struct held_client *c);
void held_client_receive(struct world *w, struct held_client *c, const struct held_msg *m);
/* Nothing more is begun, everything is closed and let go of. */
void held_client_leave(struct world *w, struct held_client *c);
bool held_client_idle(const struct held_client *c);
/* Does it believe that it would have been told? As ebpfs_leased(). */
bool held_leased(struct world *w, const struct held_client *c, u32 file);

/* held_world.c */
void held_receive(struct world *w, const struct dgram *d);
void held_check_lease(struct world *w, const struct held_client *c, u32 file);
void held_changed(struct world *w, u32 file, u32 client);
void held_gone(struct world *w, u32 file);
void held_run(struct world *w);

#endif /* EBPFS_SIM_HELD_H */

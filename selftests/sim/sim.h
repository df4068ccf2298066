/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The deterministic simulator: what its files share.
 *
 * A *world* is everything that one seed makes: clients (one mount each, with
 * several nodes), servers that export the same files, the network between
 * them, somebody who forges and replays, and a list of things that go wrong.
 * It runs in virtual time on one queue of events. Every decision of the
 * transport is taken by the files of kmod/core, compiled as they are; the
 * files here play the kernel around them (client.c, session.c, receive.c, data.c),
 * the daemon (server.c, serve.c, once.c, gather.c), the wire (net.c) and fate (chaos.c,
 * attack.c), and judge (check.c).
 *
 * Nothing here reads a clock, an address of memory or anything else that
 * differs between two runs: the same seed gives the same events, always.
 *
 * Ownership: all memory of a world comes from its arena and goes with it, so
 * that a pointer kept too long finds the object that it meant, marked as let
 * go. Single-threaded; several worlds run in several processes (main.c).
 */
#ifndef EBPFS_SIM_H
#define EBPFS_SIM_H

#include <setjmp.h>

#include "core/conn.h"
#include "core/guard.h"
#include "core/handshake.h"
#include "core/intent.h"
#include "core/node.h"
#include "core/place.h"
#include "core/pmtu.h"
#include "core/served.h"
#include "counters.h"

#define SIM_CLIENTS_MAX	4
#define SIM_SERVERS_MAX	4
#define SIM_HOSTS_MAX	(SIM_CLIENTS_MAX + SIM_SERVERS_MAX + 1)	/* and the attacker's */
#define SIM_FILES_MAX	8
#define SIM_RECORDS	24	/* datagrams the attacker remembers */
#define SIM_TRACE	64	/* events told when a seed fails */
#define SIM_RUN_MAX	8	/* fragments that come in one packet */

#define USEC		((u64)1000)
#define MSEC		((u64)EBPFS_NSEC_PER_MSEC)
#define SEC		((u64)EBPFS_NSEC_PER_SEC)

struct world;
struct client;
struct cnode;
struct csession;
struct server;
struct ssession;
struct request;
struct shelf;
struct held_world;

/* queue.c */

/**
 * struct event - something that will happen
 * @at: when, ns
 * @order: ties are broken by the order of scheduling
 * @fn: what
 * @obj: handed to @fn
 * @arg: handed to @fn
 */
struct event {
	u64 at;
	u64 order;
	void (*fn)(struct world *w, void *obj, u64 arg);
	void *obj;
	u64 arg;
};

struct event_heap {
	struct event *ev;
	u32 n;
	u32 room;
};

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks;
	struct arena_chunk *spare;
	u8 *pos;
	u8 *end;
};

/* A past event as it was told to trace.c; formatted only when it is printed. */
struct trace_line {
	u64 step;
	u64 now;
	const char *fmt;
	u64 arg[6];
};

/* net.c */

struct addr {
	u32 host;
	u32 port;
};

struct dgram {
	struct dgram *next;
	struct addr src;
	struct addr dst;
	u32 len;
	u8 size_class;
	bool ce;
	bool counted;		/* in its link's queue */
	u8 data[] __attribute__((aligned(8)));
};

/**
 * struct link - one direction between two hosts
 * @cut: swallows everything
 * @impostor: towards a server: the attacker answers in its place
 * @mtu: bytes of UDP payload that pass
 * @extra: delay on top of the world's, ns
 * @queued: datagrams under way
 */
struct link {
	bool cut;
	bool impostor;
	u32 mtu;
	u64 extra;
	u32 queued;
};

/* What can happen in a world; chances are in 1/10000. */
struct config {
	u32 loss, dup, corrupt, reorder, ce;
	u64 delay, jitter, reorder_delay;
	u32 queue;			/* datagrams a link holds, 0: any number */
	u32 slow_fill;			/* chance that a fill takes long */
	u64 fill_time, slow_fill_time;
	u64 exec_time, slow_exec_time;
	u32 slow_exec;
	u64 slow_disk;			/* what every execution takes, to the end; or 0 */
	u32 join;			/* chance that a fragment waits for those that follow it */
	u64 join_time;			/* for so long at most, 0: what comes in the same instant */
	u32 kill, soft;			/* chance per request */
	u32 kill_filled;		/* per fragment: its reader is killed meanwhile */
	u32 evict_soon;			/* per reply: it is soon dropped */
	u64 soft_time;
	u64 lost_after;
	u16 slots_wanted, slots_given;
	u32 sessions_max;
	u8 sec;
	u64 rekey, rekey_after;		/* ns, datagrams */
	u32 unit;			/* bytes of one READ */
	u32 cell_max;			/* of the servers */
	u32 ceiling;			/* of the clients' interfaces */
	u32 requests;			/* per client */
	u64 chaos_time;			/* until the network is healed */
	u64 chaos_gap, attack_gap, submit_gap, version_gap;
	u64 background_gap;		/* between small calls while others are open, 0: none */
	u32 background_read;		/* bytes they read, 0: attributes */
	u32 writes;			/* chance of a call that changes something */
	u32 once;			/* of these, chance of one that is no WRITE */
	u32 once_kill;			/* chance of a kill between two steps of one */
	bool evict_busy;		/* a full server refuses unless a session is idle */
	bool edge;			/* replies that just fit the smallest path or do not */
	bool instance_wrap;
	bool hs_repeat;			/* clients repeat handshake messages */
	/* what goes wrong at all */
	bool partition, crash, mtu, spikes, drop_session, evict, nodes, abort;
	bool forge, replay, impostor;
	bool stranger;			/* the last client's secret is wrong */
	bool long_run;			/* waits until cookies are too old */
	bool outage;			/* for minutes no server can be reached */
	bool search;			/* at the end every path is searched again */
	bool dead_node;			/* the last server stays away when all is healed */
};

/* files.c: what the servers export; all see the same */

struct file {
	u8 fh[EBPFS_FH_MAX];
	u16 fh_len;
	u64 hash;
	u32 version;
	u64 value;		/* of the counter file: times it was incremented */
};

/**
 * struct exec - one execution of a call by a server
 * @id: of the call
 * @op: enum ebpfs_op
 * @file: index
 * @version: of the file when it was read
 * @arg: of the call
 * @count: of the call
 * @total: bytes of its reply
 * @status: of its reply
 * @flags: of its reply
 * @value: of the file's counter, when the call increments it
 * @serial: of the request that was meant, if the call changes something, else 0
 * @once: its reply is not dropped, as it must not be executed again
 * @verifier: of the server's instance
 */
struct exec {
	u64 id;
	u16 op;
	u16 file;
	u32 version;
	u64 arg;
	u32 count;
	u32 total;
	u16 status;
	u16 flags;
	u64 value;
	u32 serial;
	bool once;
	u64 verifier;
};

/* Clients */

enum request_state {
	REQ_QUEUED,	/* at a node, for a slot or for the node to come up */
	REQ_ACTIVE,	/* in a slot */
	REQ_STOPPING,	/* cancelled, a filler still writes */
	REQ_DONE,
};

/**
 * struct deed - what a server has done for a request that must not be done twice
 * @applied: so often
 * @allowed: so often it may have been
 * @changed: the names that are the request's own
 * @handle: of the file that it made
 */
struct deed {
	u32 applied;
	u32 allowed;
	bool changed;
	u64 handle;
};

/**
 * struct frag_run - neighbouring fragments of one reply that came in one packet
 * @f: the first; the others' heads differ in offset and checksum only
 * @d: all of them, in order
 * @count: how many
 */
struct frag_run {
	struct ebpfs_frag f;
	struct dgram *d[SIM_RUN_MAX];
	u32 count;
};

/* A filler at work: between claim and filled. */
struct filler {
	struct csession *cs;
	struct request *r;
	struct frag_run run;
	u64 claimed;		/* cells, of those of the run */
	struct filler *next;	/* of the same destination */
	u64 id;			/* what it was claimed for */
};

/**
 * struct dest - where a reply goes (the folios of a read, or a buffer), and an
 * independent account of what was done to it
 * @mem: @limit bytes and a guard
 * @limit: bytes
 * @held_by: session whose call may write here, NULL if nobody may
 * @held_id: that call
 * @gone: given back to its owner for good
 * @fillers: at work
 * @instance: that cells belong to, 0 if none; with the four that follow
 * @total: of @instance
 * @cell: of @instance
 * @status: of @instance
 * @flags: of @instance
 * @done: cells verified
 */
struct dest {
	u8 *mem;
	u32 limit;
	struct csession *held_by;
	u64 held_id;
	bool gone;
	struct filler *fillers;
	u32 instance;
	u32 total;
	u16 cell;
	u16 status;
	u16 flags;
	u64 done;
};

/**
 * struct request - one read, lookup ... of a client's program
 * @serial: counts up in the world
 * @client: whose
 * @op: enum ebpfs_op
 * @counts: must not be executed twice
 * @apart: its data come in DATA datagrams
 * @background: only submitted while others are open
 * @file: index
 * @arg: as in the call
 * @count: as in the call
 * @data_len: bytes of data; which ones: request_data()
 * @op_id: as in the call
 * @cred: as in the call
 * @deeds: by server
 * @limit: most bytes of reply
 * @submitted: when, ns
 * @deadline: soft: when it has to be over, else EBPFS_NEVER
 * @state: enum request_state
 * @finishing: the reply is whole, the last steps are under way
 * @after: REQ_STOPPING: error to end with, 0 to be queued again
 * @result: REQ_DONE: 0, or what it ended with
 * @node: QUEUED, ACTIVE, STOPPING: where
 * @cs: ACTIVE, STOPPING: session
 * @id: ACTIVE, STOPPING: of its call
 * @dest: of the reply
 * @next: in the queue of a node
 * @all: of the world
 */
struct request {
	u32 serial;
	struct client *client;
	u16 op;
	bool counts;
	bool apart;
	bool background;
	u16 file;
	u64 arg;
	u32 count;
	u32 data_len;
	u64 op_id;
	u32 cred;
	struct deed deeds[SIM_SERVERS_MAX];
	u32 limit;
	u64 submitted;
	u64 deadline;
	u8 state;
	bool finishing;
	int after;
	int result;
	struct cnode *node;
	struct csession *cs;
	u64 id;
	struct dest dest;
	struct request *next;
	struct request *all;
};

struct request_queue {
	struct request *first;
	struct request **end;
};

/**
 * struct csession - the client's side of a session
 * @next: live ones of the client
 * @node: with which
 * @serial: counts up in the world
 * @peer: the server's address
 * @hs: what the handshake gave
 * @conn: the core's
 * @slots: the core's
 * @reqs: by slot: the request whose call is in it, NULL once let go
 * @last_seq: by slot: of the last call
 * @due_at: by slot: when the call was last found due
 * @bytes: by slot: that count against the window
 * @attempt: by slot: of the call, as it was found due
 * @needed: by slot: NEED was answered in this attempt
 * @data_cell: by slot: that its data were cut by when they were sent last
 * @silent: by slot: how often in a row it was due with nothing heard from the node
 * @used: slots taken and not yet put
 * @heard_at: when something good was last heard, or the first slot was taken, ns
 * @fillers: at work
 * @dying: replaced: no new calls
 * @retired: all slots are back, and the core's object is gone
 * @touched: to be checked after this step
 * @other: the server's side
 */
struct csession {
	struct csession *next;
	struct cnode *node;
	u32 serial;
	struct addr peer;
	struct ebpfs_hs_session hs;
	struct ebpfs_keys keys;
	struct ebpfs_conn conn;
	struct ebpfs_slot *slots;
	struct request **reqs;
	u64 *last_seq;
	u64 *due_at;
	u32 *bytes;
	u8 *attempt;
	bool *needed;
	u16 *data_cell;
	u32 *silent;
	u32 used;
	u64 heard_at;
	u32 fillers;
	bool dying;
	bool retired;
	bool touched;
	struct ssession *other;
};

/**
 * struct cnode - one server as one client sees it
 * @client: whose
 * @server: which
 * @index: in the client's table
 * @present: not removed by the administrator
 * @health: the core's
 * @pmtu: the core's
 * @cs: current session, NULL before the first
 * @queue: requests that wait for a slot
 * @run: fragments that wait for those that follow them, none if @count is 0
 * @run_gen: older ones are not waited for any more
 * @hs: handshake under way if @hs_live
 * @hs_live: CHALLENGE or ACCEPT is waited for
 * @hello: for repetition
 * @hs_again: when to repeat the last message of the handshake, ns
 * @hs_began: last HELLO of a new handshake, ns
 * @lost_at: when the node was last found LOST, ns
 * @due_next: when the core wants to be asked for due calls, ns
 * @ask_next: when it may want to ask whether the server lives, ns
 * @search_at: when the search for the path's size began, ns
 * @timer_at: when the timer goes off, ns
 * @timer_gen: older ones do nothing
 */
struct cnode {
	struct client *client;
	struct server *server;
	u32 index;
	bool present;
	struct ebpfs_health health;
	struct ebpfs_pmtu pmtu;
	struct csession *cs;
	struct request_queue queue;
	struct frag_run run;
	u64 run_gen;
	struct ebpfs_hs_client hs;
	bool hs_live;
	struct ebpfs_hello hello;
	u64 hs_again;
	u64 hs_began;
	u64 lost_at;
	u64 due_next;
	u64 ask_next;
	u64 search_at;
	u64 timer_at;
	u32 timer_gen;
};

/**
 * struct client - one mount
 * @index: in the world
 * @addr: its own
 * @name: NUL padded
 * @secret: what it believes
 * @member: the servers know it, and by this secret
 * @nodes: one per server of the world, in use if present
 * @keys: by node, for placement
 * @sessions: live ones
 * @left: requests still to submit
 * @once: op_ids given out
 * @aborted: every request ends at once
 * @open: requests not done
 * @open_fore: of these, not in the background
 */
struct client {
	u32 index;
	struct addr addr;
	u8 name[EBPFS_CLIENT_MAX];
	u8 secret[EBPFS_SECRET_LEN];
	bool member;
	struct cnode nodes[SIM_SERVERS_MAX];
	u64 keys[SIM_SERVERS_MAX];
	struct csession *sessions;
	u32 left;
	u32 once;
	bool aborted;
	u32 open;
	u32 open_fore;
};

/* Servers */

struct gather;

/* Executions of one id, counted apart from the core. */
struct tally {
	u64 seq;
	u32 runs;
	u32 forgets;
};

/**
 * struct ssession - the server's side of a session
 * @next: of the server, dead ones too
 * @server: whose
 * @client: who proved itself
 * @peer: its address
 * @alive: not crashed, dropped or ended
 * @used: a call came in it
 * @auth_tag: of the proof, to recognise its repetition
 * @challenged: time of the challenge that it answered, ns
 * @ephemeral: private key
 * @accept: the answer
 * @hs: what the handshake gave
 * @keys: of its datagrams
 * @served: the core's
 * @kept: by slot: the execution whose reply is kept
 * @tally: by slot
 * @gather: by slot: data that come apart
 * @log: by instance, counted from the first: which execution it is of
 * @log_first: instance at index 0
 * @log_n: entries
 * @log_room: entries that fit
 * @used_at: last datagram, ns
 */
struct ssession {
	struct ssession *next;
	struct server *server;
	struct client *client;
	struct addr peer;
	bool alive;
	bool used;
	u8 auth_tag[EBPFS_AEAD_TAG];
	u64 challenged;
	u8 ephemeral[EBPFS_KEY_LEN];
	struct ebpfs_accept accept;
	struct ebpfs_hs_session hs;
	struct ebpfs_keys keys;
	struct ebpfs_served served;
	struct exec **kept;
	struct tally *tally;
	struct gather *gather;
	struct exec **log;
	u32 log_first;
	u32 log_n;
	u32 log_room;
	u64 used_at;
};

#define SIM_SEALED	4096

/* A datagram that got a guard. */
struct sealed {
	struct sealed *next;
	u64 session;
	u64 number;
	u32 id;
	u32 digest;
	bool opened;
};

/* A challenge that a server made: who may come back with it. */
struct challenge {
	struct challenge *next;
	u8 nonce[EBPFS_NONCE_LEN];
	struct addr addr;
	u64 at;
};

/**
 * struct together - fragments of one call's data that have come and were not looked at
 * @ss: of which session
 * @n: how many, 0 if there are none
 * @gen: counts when they were looked at
 * @first: the first of them
 * @last: the last of them
 * @head: of the first, as it came
 * @payload: of all of them, with room for the most there can be
 */
struct together {
	struct ssession *ss;
	u32 n;
	u64 gen;
	struct ebpfs_frag first;
	struct ebpfs_frag last;
	u8 head[sizeof(struct ebpfs_data)];
	u8 *payload;
};

/**
 * struct server - one node
 * @index: in the world
 * @addr: its own
 * @up: running
 * @epoch: counts starts
 * @instance: of this start
 * @hs: the core's; a new key at each start
 * @sessions: of all starts
 * @shelf: of all starts: the log of intents, and what it is about
 * @challenges: made since this start
 * @together: what one receive brings
 * @unknown_at: last UNKNOWN sent, ns
 * @spent: by client: up to when its challenges are spent, ns
 * @owed: by host: bytes received less bytes sent while it had no session
 * @trusted: by host: a session was made since this start
 */
struct server {
	u32 index;
	struct addr addr;
	bool up;
	u32 epoch;
	u64 instance;
	struct ebpfs_hs_server hs;
	struct ssession *sessions;
	struct shelf *shelf;
	struct challenge *challenges;
	struct together together;
	u64 unknown_at;
	u64 spent[SIM_HOSTS_MAX];
	s64 owed[SIM_HOSTS_MAX];
	bool trusted[SIM_HOSTS_MAX];
};

/* Who drew which identity for a handshake. */
struct identity {
	struct identity *next;
	u64 session;
	struct client *client;
};

/**
 * struct world - everything
 * @seed: that it came from
 * @now: ns
 * @step: events so far
 * @rng: state of the generator
 * @healed: nothing goes wrong any more
 * @heal_at: when that was or will be, ns
 * @open: requests not done
 * @all: requests, newest first
 * @by_serial: requests, with room for @serial_room
 * @touched: sessions to be checked after this step
 * @identities: of all handshakes
 * @records: what the attacker has seen
 * @sealed: all datagrams that got a guard
 * @scratch: for building a datagram
 * @guarded: for the same with a guard
 * @count: what happened
 * @held: of a world about what is held, else NULL
 * @fail: where violate() goes
 * @verbose: tell every event
 * @outside: see INNER()
 */
struct world {
	u64 seed;
	u64 now;
	u64 step;
	u64 order;
	u64 rng;
	struct config cfg;
	struct arena arena;
	struct event_heap heap;
	bool healed;
	u64 heal_at;
	u64 slowest;			/* longest time from healing to an answer */
	u32 nfiles;
	struct file files[SIM_FILES_MAX];
	u32 nservers;
	struct server servers[SIM_SERVERS_MAX];
	u32 nclients;
	struct client clients[SIM_CLIENTS_MAX];
	struct link links[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
	struct dgram *spare[4];
	struct dgram *records[SIM_RECORDS];
	u32 open;
	u32 serial;
	u32 session_serial;
	struct request *all;
	struct request **by_serial;
	u32 serial_room;
	struct csession *touched[SIM_CLIENTS_MAX * SIM_SERVERS_MAX * 2];
	u32 ntouched;
	struct identity *identities;
	struct trace_line trace[SIM_TRACE];
	u64 ntrace;
	u64 count[C_MAX];
	struct held_world *held;
	jmp_buf fail;
	bool verbose;
	bool outside;
	struct sealed *sealed[SIM_SEALED];
	u8 scratch[EBPFS_UDP_PAYLOAD_MAX + 5] __attribute__((aligned(8)));
	u8 guarded[EBPFS_UDP_PAYLOAD_MAX + 5] __attribute__((aligned(8)));
};

#define COUNT(w, name)	((w)->count[C_##name]++)

/*
 * TRACE(w, "format with %lu, %lx only", up to six integers): cheap, because the
 * text is made only when somebody reads it.
 */
#define TRACE_(w, fmt, a, b, c, d, e, f, ...)						\
	trace_add(w, fmt, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))
#define TRACE(w, ...)		TRACE_(w, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* trace.c */
void trace_add(struct world *w, const char *fmt, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
void trace_print(const struct world *w);
/* An invariant does not hold: tells it with the last events and ends the world. */
void violate(struct world *w, const char *invariant, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
#define CHECK(w, cond, invariant, ...)							\
	do {										\
		if (__builtin_expect(!(cond), 0))					\
			violate(w, invariant, __VA_ARGS__);				\
	} while (0)

/*
 * The same for what only the core and its callers know: with --outside it is
 * not looked at, and only what a user would see counts (wrong bytes, calls that
 * end twice or never, memory written too late, somebody let in).
 */
#define INNER(w, cond, ...)							\
	do {										\
		if (!(w)->outside)							\
			CHECK(w, cond, __VA_ARGS__);					\
	} while (0)

/* queue.c */
u64 rnd64(struct world *w);
u32 rnd(struct world *w, u32 n);		/* 0 to n - 1 */
u64 rnd_time(struct world *w, u64 max);		/* 0 to max */
bool chance(struct world *w, u32 in10000);
void rnd_bytes(struct world *w, void *p, u32 len);
void *arena_alloc(struct world *w, size_t size);	/* zeroed */
void *arena_raw(struct world *w, size_t size);		/* not zeroed */
void arena_reset(struct world *w);
void schedule(struct world *w, u64 delay, void (*fn)(struct world *, void *, u64), void *obj,
	      u64 arg);
bool next_event(struct world *w, struct event *ev);

/* net.c */
void net_send(struct world *w, struct addr src, struct addr dst, const void *data, u32 len);
/* The attacker's: past its own rules, but over the same lossy links. */
void net_inject(struct world *w, struct addr src, struct addr dst, const void *data, u32 len,
		u64 delay);
void net_free(struct world *w, struct dgram *d);
struct link *net_link(struct world *w, struct addr src, struct addr dst);

/* guard.c */
/* Of a session, with a guard if it has keys. */
void session_send(struct world *w, struct csession *cs, const void *data, u32 len);
void ssession_send(struct world *w, struct ssession *ss, const void *data, u32 len);
bool guarded(const struct dgram *d);
/* What came becomes plain. False: dealt with. */
bool client_open(struct world *w, struct client *c, struct dgram *d);
bool server_open(struct world *w, struct server *s, struct dgram *d);
void guard_tick(struct world *w, struct csession *cs);
void guard_configure(struct world *w);
u32 world_features(const struct world *w, unsigned int side);

/* files.c */
void files_init(struct world *w);
int file_by_handle(const struct world *w, const u8 *fh, u32 len);
/* Reads the file as it is now. */
void exec_run(struct world *w, struct exec *x);
/* Bytes [off, off + len) of the execution's reply. */
void exec_reply(const struct world *w, const struct exec *x, u32 off, void *to, u32 len);
u32 request_limit(u16 op, u32 count);
/* A file by its name, as LOOKUP gets it; returns its length. */
u32 file_name(u32 file, u8 *to);
int file_by_name(const struct world *w, const u8 *name, u32 len);
/* Does a whole reply make sense to the parsers? */
bool reply_parses(u16 op, const u8 *reply, u32 len);

/* client.c */
void client_start(struct world *w, struct client *c);
void client_abort(struct world *w, struct client *c);
u64 client_usable(const struct client *c, u64 *present);
void request_end(struct world *w, struct request *r, int error);
void request_kill(struct world *w, void *obj, u64 error);
void request_stop(struct world *w, struct request *r, int error);
void request_stopped(struct world *w, struct request *r);
void request_let_go(struct world *w, struct request *r);
void queue_init(struct request_queue *q);

/* calls.c */
u16 session_cell(struct world *w, const struct csession *cs);
void node_pump(struct world *w, struct cnode *n);
void node_retransmit(struct world *w, struct cnode *n);
void slot_put(struct world *w, struct csession *cs, u16 slot);
struct request *queue_pop(struct request_queue *q);

/* data.c */
void request_name(struct world *w, struct request *r);
const u8 *request_data(struct world *w, const struct request *r);
const u8 *request_attr(const struct request *r);
struct request *request_meant(const struct world *w, const struct ebpfs_call_info *c);
void data_send(struct world *w, struct csession *cs, u16 slot, u16 cell, u8 attempt, u64 cells);
void need_receive(struct world *w, struct client *c, const struct dgram *d, u64 session);

/* session.c */
void node_init(struct world *w, struct client *c, struct server *s);
void node_add(struct world *w, struct cnode *n);
void node_remove(struct world *w, struct cnode *n);
bool node_usable(const struct cnode *n);
void node_move_away(struct world *w, struct cnode *n);
void node_heard(struct world *w, struct cnode *n);
void node_arm(struct world *w, struct cnode *n);
void node_bye(struct world *w, struct cnode *n);
void session_touch(struct world *w, struct csession *cs);
void session_retire(struct world *w, struct csession *cs);
void handshake_receive(struct world *w, struct cnode *n, u8 type, struct dgram *d);

/* receive.c */
/* Which cells of the grid a run is. */
u64 run_cells(const struct frag_run *run);
/* The fragment of cell @index of a reply of which @f is another one. */
struct ebpfs_frag run_frag(const struct ebpfs_frag *f, u8 index);
void client_receive(struct world *w, struct client *c, struct dgram *d);

/* server.c */
void server_start(struct world *w, struct server *s);
void server_crash(struct world *w, struct server *s);
void server_receive(struct world *w, struct server *s, struct dgram *d);
void server_drop_session(struct world *w, struct server *s);
void server_send(struct world *w, struct server *s, struct addr to, const void *p, u32 len);
void server_secret(const struct world *w, const struct client *c, u8 *secret);
bool same_addr(struct addr a, struct addr b);
struct ssession *server_find(struct server *s, u64 identity);

/* serve.c */
void serve_init(struct world *w, struct ssession *ss);
void serve_calls(struct world *w, struct ssession *ss, const struct dgram *d);
void serve_execute(struct world *w, struct ssession *ss, const struct ebpfs_call_info *c,
		   int file, const u8 *data);
void serve_evict(struct world *w, struct server *s);
struct exec *serve_logged(const struct ssession *ss, u32 instance);

/* once.c */
/* @busy: it is not answered, but to be asked for again. */
typedef void (*once_answer)(struct world *w, struct ssession *ss, u32 epoch, struct exec *x,
			    bool busy);
void once_start(struct world *w, struct server *s);
void once_execute(struct world *w, struct ssession *ss, u32 epoch, struct exec *x,
		  once_answer fn);
void once_check(struct world *w, const struct request *r, const struct server *s, u16 status);

/* gather.c */
void gather_init(struct world *w, struct ssession *ss);
u64 gather_seq(const struct ssession *ss, u16 slot);
void gather_call(struct world *w, struct ssession *ss, const struct ebpfs_call_info *c, int file,
		 u64 need);
const u8 *gather_whole(struct world *w, struct ssession *ss, const struct ebpfs_call_info *c);
void gather_data(struct world *w, struct ssession *ss, const struct dgram *d);
void gather_flush(struct world *w, struct server *s);
void gather_done(struct ssession *ss, u64 id);
void gather_evict(struct world *w, struct ssession *ss, u16 slot);

/* chaos.c */
void chaos_start(struct world *w);
/* A server dies, and is back after @most at the latest. */
void chaos_crash(struct world *w, struct server *s, u64 most);
void chaos_path(struct world *w, void *obj, u64 server);
void chaos_heal(struct world *w, void *unused, u64 arg);

/* attack.c */
void attack_start(struct world *w);
void attack_record(struct world *w, struct dgram *d);
void impostor_receive(struct world *w, const struct dgram *d);
void attacker_receive(struct world *w, const struct dgram *d);

/* check.c */
void check_claim(struct world *w, struct csession *cs, const struct frag_run *run, u64 claimed,
		 struct request *r);
void check_duplicate(struct world *w, const struct csession *cs, const struct frag_run *run);
void check_filled(struct world *w, struct filler *fl, u64 good, enum ebpfs_filled what);
void check_cancel(struct world *w, struct request *r, enum ebpfs_cancel what);
void check_want(struct world *w, const struct request *r, const struct ebpfs_call_info *c);
void check_reply(struct world *w, struct csession *cs, struct request *r, u32 instance,
		 const struct ebpfs_result *res);
void check_session(struct world *w, struct csession *cs);
void check_touched(struct world *w);
void check_placement(struct world *w, struct client *c, u64 before, u64 after);
/* A call is executed: is it one that its client meant? */
struct request *check_meant(struct world *w, const struct ssession *ss,
			    const struct ebpfs_call_info *c, int file, const u8 *data);
void check_open(struct world *w);
void check_silence(struct world *w, const struct csession *cs, u64 silence);
void check_paths(struct world *w, bool again);

/* world.c */
/* Makes and runs the world of w->seed. */
void world_run(struct world *w);
void run_until(struct world *w, u64 end, bool (*done)(const struct world *w));

#endif /* EBPFS_SIM_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions: who may call, and the replies that are kept for repetitions.
 *
 * Locking: sessions.lock guards the tables and is held for look-ups and
 * changes only. session.lock makes its holder the one user of what struct
 * session says it protects, the slots of core/served.h above all; it is held
 * while a call is executed at once and while replies are sent, but not while
 * something waits for a disk. Order: sessions.lock, then session.lock, and the
 * latter is only tried then; sessions.lock, then owners.lock. Sessions are
 * reference counted; one that has ended stays in memory until nobody uses it,
 * marked dead, without buffers.
 *
 * Reply buffers belong to a slot until its next call, or to a job (serve.h)
 * while that is executed. All of them count against a budget; being over it
 * makes sessions_reclaim() drop kept replies, the oldest first, but never those of
 * calls that must not be executed again. Data of calls on their way in, and calls that
 * wait for theirs (gather.h), have a budget of the same size, and what is over it is not
 * taken in.
 */
#ifndef EBPFSD_SESSION_H
#define EBPFSD_SESSION_H

#include "core/guard.h"
#include "core/handshake.h"
#include "core/served.h"
#include "cred.h"
#include "gather.h"
#include "send.h"

struct clients;
struct export;
struct owner;

#define SESSION_IDLE		(3600 * 1000ull)	/* ms without a datagram */
#define SESSION_RECLAIM		100	/* ms between attempts that free too little */
#define SESSION_EVICT		(60 * 1000ull)	/* ms of silence before a session makes room */

/**
 * struct peer - a client's address in one form for both families, without padding
 * @addr: IPv6, or IPv4 mapped
 * @scope: of a link-local IPv6 address
 * @port: network order
 * @family: AF_INET or AF_INET6
 */
struct peer {
	u8 addr[16];
	u32 scope;
	u16 port;
	u16 family;
};

/**
 * struct reply_buf - memory for a reply; none if @size is 0
 * @data: from malloc()
 * @size: bytes at @data
 * @used: when it was last filled, ms, low 32 bits
 * @once: the reply of a call that must not be executed again: kept until the
 *	slot's next call
 */
struct reply_buf {
	u8 *data;
	u32 size;
	u32 used;
	bool once;
};

/**
 * struct session - one client's session
 * @lock: protects @served, @bufs, @gathers, @creds, @lent, @dead and @used
 * @refs: atomic; one is the table's
 * @id: ours
 * @client_id: the client's, which replies carry
 * @peer: where its calls must come from
 * @route: back to where its AUTH came from, which is @peer
 * @owner: whose, with a reference; NULL before session_add()
 * @export: what it may see
 * @number: of the client's entry in the clients file
 * @client: its name, NUL terminated
 * @heard: when a good datagram last came, ms; READ_ONCE/WRITE_ONCE
 * @key: of its BYE
 * @keys: of its datagrams
 * @auth_tag: of the AUTH that made it, to know that one again
 * @challenged: time of the challenge that this answered, ns
 * @accept: how that was answered
 * @served: slots
 * @bufs: the slots' kept replies
 * @gathers: the slots' data on their way in
 * @creds: users that it told of
 * @lent: the kernel may know of it (grant.c)
 * @lent_instance: of the kernel's replies
 * @dead: it has ended
 * @used: a call has come
 */
struct session {
	pthread_mutex_t lock;
	u32 refs;
	bool dead;
	bool used;
	u64 id;
	u64 client_id;
	struct peer peer;
	struct route route;
	struct owner *owner;
	const struct export *export;
	u64 heard;
	struct ebpfs_served served;
	struct reply_buf *bufs;
	struct gathering *gathers;
	struct creds creds;
	bool lent;
	u32 lent_instance;

	u64 number;
	char client[EBPFS_CLIENT_MAX];
	u8 key[EBPFS_MAC_LEN];
	struct ebpfs_keys keys;
	u8 auth_tag[EBPFS_AEAD_TAG];
	u64 challenged;
	struct ebpfs_accept accept;

	struct session *owner_next;	/* under owners.lock */
	struct session *next_id;	/* these four under sessions.lock */
	struct session *next_client;
	struct session *prev;
	struct session *next;
};

/**
 * struct sessions - all of them
 * @lock: protects @by_id, @by_client, @first, @count
 * @clients: who may have any; told of challenges whose sessions end
 * @by_id: hash table, chained by next_id
 * @by_client: hash table, chained by next_client
 * @mask: of both tables
 * @first: list
 * @count: in the list
 * @max: most of them
 * @budget: bytes of reply buffers to stay below; and that @data_bytes stays below
 * @reply_bytes: bytes of reply buffers, atomic
 * @data_bytes: bytes of calls' data and of calls that wait for theirs, atomic
 * @reclaim_at: not before, ms; READ_ONCE/WRITE_ONCE
 */
struct sessions {
	pthread_mutex_t lock;
	struct clients *clients;
	struct session **by_id;
	struct session **by_client;
	u64 mask;
	struct session *first;
	u32 count;
	u32 max;
	u64 budget;
	u64 reply_bytes;
	u64 data_bytes;
	u64 reclaim_at;
};

/* 0 or -ENOMEM. */
int sessions_init(struct sessions *ss, struct clients *clients, u32 max, u64 budget);
/* No thread may use sessions any more. */
void sessions_fini(struct sessions *ss);

/* The session called @id, to be given back with session_put(), or NULL. */
struct session *session_find(struct sessions *ss, u64 id);
void session_put(struct sessions *ss, struct session *s);

/* The session that this very AUTH made, if it lives; to be given back. */
struct session *session_find_auth(struct sessions *ss, const struct peer *peer,
				  const struct ebpfs_auth *auth);

/**
 * session_new() - a session that nobody knows yet
 * @peer: client's address
 * @export: what it may see
 * @auth: what it was admitted by
 * @nslots: granted
 * @now: ms
 *
 * Set number, key, accept, route and owner (with a reference), session_set_keys(), then
 * session_add(). Return: NULL without memory.
 */
struct session *session_new(const struct peer *peer, const struct export *export,
			    const struct ebpfs_auth *auth, u16 nslots, u64 now);

/* The keys of a new session's datagrams, once. @now: ms. */
void session_set_keys(struct session *s, const struct ebpfs_hs_session *hs, u64 now);

/**
 * session_add() - make a new session known
 * @ss: sessions
 * @s: from session_new(); consumed, in any case
 * @now: ms
 *
 * If the table is full, the session that was silent longest makes room, if that
 * was at least SESSION_EVICT. A client that has half of the table makes room
 * among its own sessions only, so that it cannot keep others out.
 * Return: 0 or -EBUSY.
 */
int session_add(struct sessions *ss, struct session *s, u64 now);

/* End @s and drop what it keeps. The caller has a reference and not its lock.
 * Return: true if it had not ended before. */
bool session_end(struct sessions *ss, struct session *s, const char *why);

/* End all sessions of @owner. */
void sessions_end_owner(struct sessions *ss, struct owner *owner, const char *why);

/**
 * session_close() - a datagram of a session is complete
 * @s: session
 * @p: the datagram, sealed; with room for struct ebpfs_guard behind it
 * @len: bytes
 *
 * It gets a guard if the session has keys. Return: its bytes, 0 if it cannot be sent.
 */
static inline u32 session_close(struct session *s, void *p, u32 len)
{
	return ebpfs_keys_guard(&s->keys) ? ebpfs_guard_put(&s->keys, p, len) : len;
}

/* Tell the kernel of all of them (grant.h). */
void sessions_tell(struct sessions *ss);

/* How many there are. */
u32 sessions_count(struct sessions *ss);

/* Drop sessions that were silent for SESSION_IDLE, and, if memory is short, data
 * that nobody completes. */
void sessions_tick(struct sessions *ss, u64 now);

/* @s is used, the caller has a reference: end those that it replaces. No lock held. */
void sessions_end_former(struct sessions *ss, struct session *s);

/* End the sessions of clients that are not in the table any more as they were. */
void sessions_revoke(struct sessions *ss);

/* Free kept replies until the budget is kept by an eighth. */
void sessions_reclaim(struct sessions *ss, u64 now);

static inline bool sessions_over_budget(const struct sessions *ss)
{
	return READ_ONCE(ss->reply_bytes) > ss->budget;
}

/* How many bytes there are for @need of them. */
u32 reply_buf_size(u32 need);
/* Memory for @need bytes; false without. Any thread, no lock. */
bool reply_buf_alloc(struct sessions *ss, struct reply_buf *b, u32 need);
void reply_buf_free(struct sessions *ss, struct reply_buf *b);

#endif /* EBPFSD_SESSION_H */

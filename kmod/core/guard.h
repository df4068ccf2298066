/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The keys of a session with sec=integrity or sec=privacy: which key a datagram has, its
 * number, whether one came before, and new keys while the session goes on.
 *
 * Keys come in *epochs*. Two are known at a time: the one that is in use, and the one before
 * it, whose datagrams may still be on their way, for EBPFS_KEYS_OLD at most; or the next one,
 * at a server whose client has not used it yet. Each side and each of its senders (the server
 * has two, daemon and kernel) has a key of its own in every epoch, so that nobody has to agree
 * with anybody on numbers.
 *
 *	client					server
 *	ebpfs_keys_ask() -> REKEY		ebpfs_keys_answer() -> REKEYED
 *	ebpfs_keys_answered()			sends by the new key once the client does
 *
 * Nothing waits meanwhile: the old keys are good until the new ones are there. New keys
 * depend on two ephemeral keys and on those before, so whoever gets hold of the keys of an
 * epoch and has missed the exchange, or cannot break X25519, is out again with the next.
 *
 * A datagram's number is marked as seen after its tag was verified. The windows are wide
 * enough for what is reordered between the queues of a network card.
 *
 * Context: any but hard interrupts; struct ebpfs_keys has a lock of its own. ask, answer and
 * answered compute X25519: process context, one at a time.
 */
#ifndef EBPFS_CORE_GUARD_H
#define EBPFS_CORE_GUARD_H

#include "core/wire.h"

#define EBPFS_REPLAY_WINDOW	8192	/* numbers; a power of two */
#define EBPFS_KEYS_OLD		(30 * EBPFS_NSEC_PER_SEC)
#define EBPFS_KEYS_YOUNG	(EBPFS_NSEC_PER_SEC / 10)	/* a server gives no others yet */
#define EBPFS_KEYS_AGE		(120 * EBPFS_NSEC_PER_SEC)	/* as WireGuard's */
#define EBPFS_KEYS_DATAGRAMS	(1ull << 32)	/* under one key, before there is a new one */
#define EBPFS_KEYS_MOST		(1ull << 60)	/* then nothing is sent any more */

/**
 * struct ebpfs_replay - which numbers were seen (RFC 6479)
 * @next: one more than the highest
 * @bits: of the EBPFS_REPLAY_WINDOW - 64 below @next, by number
 */
struct ebpfs_replay {
	u64 next;
	u64 bits[EBPFS_REPLAY_WINDOW / 64];
};

/* False: it was seen before, or is too old to tell. Not locked. */
bool ebpfs_replay_take(struct ebpfs_replay *r, u64 number);

/**
 * struct ebpfs_epoch - keys of one epoch; private
 * @live: they may be used
 * @lent: server: its kernel was told of its own
 * @number: of the epoch
 * @send: ours
 * @receive: theirs, by enum ebpfs_sender
 * @sent: datagrams that were numbered
 * @since: when they came to be, ns
 * @seen: by enum ebpfs_sender
 */
struct ebpfs_epoch {
	bool live;
	bool lent;
	u16 number;
	u8 send[EBPFS_KEY_LEN];
	u8 receive[EBPFS_SENDERS][EBPFS_KEY_LEN];
	u64 sent;
	u64 since;
	struct ebpfs_replay seen[EBPFS_SENDERS];
};

/**
 * struct ebpfs_keys - keys of one side of a session; private
 * @lock: protects @epochs, @newest, @using, @old_until
 * @sec: EBPFS_SEC_*; with EBPFS_SEC_CRC nothing else counts
 * @cipher: enum ebpfs_cipher
 * @server: which side
 * @sender: we are, enum ebpfs_sender
 * @fresh: client: no new keys were asked for; server: the client uses the newest
 * @newest: epoch, the highest that there are keys of
 * @using: epoch to send by
 * @old_until: when the other epoch's keys are forgotten, EBPFS_NEVER if there are none
 * @chain: what the next epoch's keys are made of, besides
 * @epochs: by the lowest bit of their numbers
 * @max_age: ns, after which the client asks for new keys
 * @max_sent: datagrams, likewise
 * @ask_at: client: when to ask, or again; EBPFS_NEVER without keys
 * @since_asked: client: when it asked first, ns
 * @asked: client: ephemeral public key
 * @own: client: ephemeral private key
 * @theirs: server: the client's ephemeral key of the newest epoch
 * @mine: server: the public key that it was answered by
 */
struct ebpfs_keys {
	ebpfs_lock lock;
	u8 sec;
	u8 cipher;
	bool server;
	u8 sender;
	bool fresh;
	u16 newest;
	u16 using;
	u64 old_until;
	u8 chain[EBPFS_KEY_LEN];
	struct ebpfs_epoch epochs[2];
	u64 max_age;
	u64 max_sent;
	u64 ask_at;
	u64 since_asked;
	u8 asked[EBPFS_KEY_LEN];
	u8 own[EBPFS_KEY_LEN];
	u8 theirs[EBPFS_KEY_LEN];
	u8 mine[EBPFS_KEY_LEN];
};

/**
 * ebpfs_keys_init() - of a new session
 * @k: out
 * @sec: EBPFS_SEC_*
 * @features: common, EBPFS_FEAT_*
 * @server: which side
 * @secrets: struct ebpfs_hs_session
 * @now: ns
 * @max_age: ns; client: after which there are new ones
 * @max_sent: datagrams, likewise
 *
 * ebpfs_keys_fini() overwrites them; nobody may use them any more then.
 */
void ebpfs_keys_init(struct ebpfs_keys *k, u8 sec, u32 features, bool server,
		     const u8 secrets[3][EBPFS_KEY_LEN], u64 now, u64 max_age, u64 max_sent);
void ebpfs_keys_fini(struct ebpfs_keys *k);

/**
 * struct ebpfs_lent_keys - of one epoch, for another sender of our side
 * @epoch: number
 * @send: its key
 * @receive: the other side's
 */
struct ebpfs_lent_keys {
	u16 epoch;
	u8 send[EBPFS_KEY_LEN];
	u8 receive[EBPFS_KEY_LEN];
};

/*
 * Server: the newest epoch's keys for its kernel. ebpfs_wipe() them in the end. False: they were
 * lent before. Whoever gets them counts from 0, so that happens once in an epoch.
 */
bool ebpfs_keys_lend(struct ebpfs_keys *k, struct ebpfs_lent_keys *out);

/* The kernel of a server: keys without a chain, to which epochs are added. */
void ebpfs_keys_init_lent(struct ebpfs_keys *k, u8 sec, u8 cipher);
void ebpfs_keys_add_lent(struct ebpfs_keys *k, const struct ebpfs_lent_keys *lent, u64 now);

static inline bool ebpfs_keys_guard(const struct ebpfs_keys *k)
{
	return k->sec != EBPFS_SEC_CRC;
}

/* Bytes that a datagram is longer by. */
static inline u32 ebpfs_keys_room(const struct ebpfs_keys *k)
{
	return ebpfs_keys_guard(k) ? sizeof(struct ebpfs_guard) : 0;
}

/**
 * struct ebpfs_sending - what datagrams that are to be sent need
 * @key: secret, to be overwritten in the end
 * @id: of the key
 * @number: of the first datagram; those that follow count on
 */
struct ebpfs_sending {
	u8 key[EBPFS_KEY_LEN];
	u32 id;
	u64 number;
};

/* Numbers for @n datagrams. False: the key is used up. */
bool ebpfs_keys_send(struct ebpfs_keys *k, u32 n, struct ebpfs_sending *s);
/* The same by the key of epoch @epoch, that a datagram to be answered came by. */
bool ebpfs_keys_send_by(struct ebpfs_keys *k, u16 epoch, u32 n, struct ebpfs_sending *s);

/* The key that a datagram with @id in its head has. False: none that is known. */
bool ebpfs_keys_find(struct ebpfs_keys *k, u32 id, u8 key[EBPFS_KEY_LEN]);

/**
 * ebpfs_keys_take() - a datagram has proved to be authentic
 * @k: keys
 * @id: of its key
 * @number: its number
 * @now: ns
 *
 * Return: false if it came before, or is too old.
 */
bool ebpfs_keys_take(struct ebpfs_keys *k, u32 id, u64 number, u64 now);

/* Would ebpfs_keys_take() be sure to refuse it? No: perhaps, or there is no such key. */
bool ebpfs_keys_past(struct ebpfs_keys *k, u32 id, u64 number);

/* Bytes behind the head of a datagram of @type that are not encrypted, of @len. */
u32 ebpfs_guard_clear(u8 sec, u8 type, u32 len);

/**
 * ebpfs_guard_put() - a plain datagram becomes a guarded one
 * @k: keys
 * @p: the datagram, as it would be sealed, with room for struct ebpfs_guard behind it
 * @len: bytes of it
 *
 * Return: its bytes now, or 0 if the key is used up, or there is no memory.
 */
u32 ebpfs_guard_put(struct ebpfs_keys *k, void *p, u32 len);

/**
 * ebpfs_guard_open() - a guarded datagram becomes a plain one
 * @k: keys of its session
 * @p: the datagram; the plain one then begins sizeof(struct ebpfs_guard) bytes further on
 * @len: bytes of it
 * @now: ns
 *
 * The plain one's head has the id of the key for a checksum.
 * Return: 0; -EBADMSG: too short; -ENOKEY: there is no such key; -EKEYREJECTED: not authentic;
 * -EALREADY: it came before; -ENOMEM: there was no memory to open it. Unless it is 0, the
 * datagram's bytes are unspecified.
 */
int ebpfs_guard_open(struct ebpfs_keys *k, void *p, u32 len, u64 now);

/* Client: would ebpfs_keys_ask() ask? Cheap. */
bool ebpfs_keys_due(const struct ebpfs_keys *k, u64 now);

/**
 * ebpfs_keys_ask() - client: is it time for new keys, or to ask for them again?
 * @k: keys
 * @now: ns
 * @ephemeral: random
 * @session: the server's identity
 * @out: REKEY, plain, to be guarded
 *
 * Return: true and @out; ask again at k->ask_at.
 */
bool ebpfs_keys_ask(struct ebpfs_keys *k, u64 now, const u8 ephemeral[EBPFS_KEY_LEN],
		    u64 session, struct ebpfs_rekey *out);

/* Client: REKEYED came, authentic. 0: the new keys are in use; or -EBADMSG. */
int ebpfs_keys_answered(struct ebpfs_keys *k, const struct ebpfs_rekey *msg, u64 now);

/**
 * ebpfs_keys_answer() - server: REKEY came, authentic
 * @k: keys
 * @msg: REKEY, opened: its checksum is the id of the key that it came by
 * @ephemeral: random
 * @session: the client's identity
 * @now: ns
 * @out: REKEYED, plain, to be guarded
 *
 * Return: 0 and @out, 1 and @out if there are new keys, -EBADMSG.
 */
int ebpfs_keys_answer(struct ebpfs_keys *k, const struct ebpfs_rekey *msg,
		      const u8 ephemeral[EBPFS_KEY_LEN], u64 session, u64 now,
		      struct ebpfs_rekey *out);

/* Now and then: forgets old keys. Return: when to call it again. */
u64 ebpfs_keys_tick(struct ebpfs_keys *k, u64 now);

#endif /* EBPFS_CORE_GUARD_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a session is made: mutual proof of a shared secret, three-way on the
 * server's side without state before the client has proved its address.
 * The messages are in <ebpfs/wire.h>; AUTH and ACCEPT carry a handshake of Noise (noise.h),
 * bound to all that was said before. A server does nothing asymmetric before the client
 * has shown that it hears what is sent to its address and knows the secret. An answer is
 * never longer than what it answers. Secrets are 32 random bytes, so that a MAC
 * cannot be searched for. Pure; random numbers and time are handed in.
 */
#ifndef EBPFS_CORE_HANDSHAKE_H
#define EBPFS_CORE_HANDSHAKE_H

#include "core/noise.h"
#include "core/wire.h"

/**
 * struct ebpfs_hs_client - the client's side of one handshake
 * @secret: shared with the server
 * @client: name, not empty, NUL padded, the last byte is NUL
 * @export: name, likewise
 * @sec: EBPFS_SEC_*
 * @features: offered
 * @slots: wanted, at least 1
 * @owner: the mount, random, not 0
 * @session: own identity, random, not 0
 * @nonce: own, random
 * @ephemeral: private key, random
 * @began: when, ns; 0: it is not to be gone on with
 * @asked: when AUTH was sent first, ns
 * @auth: the AUTH message that was sent last, for repetition
 * @noise: after AUTH, for ACCEPT
 * @state: 0 nothing, 1 HELLO sent, 2 AUTH sent, 3 done
 *
 * Set the first seven (and random @session, @nonce and @ephemeral, and the times) by hand, zero
 * the rest.
 * Each attempt after a failure wants a new @session, @nonce and @ephemeral.
 * ebpfs_wipe() it in the end.
 */
struct ebpfs_hs_client {
	u8 secret[EBPFS_SECRET_LEN];
	u8 client[EBPFS_CLIENT_MAX];
	u8 export[EBPFS_EXPORT_MAX];
	u8 sec;
	u32 features;
	u16 slots;
	u64 owner;
	u64 session;
	u8 nonce[EBPFS_NONCE_LEN];
	u8 ephemeral[EBPFS_KEY_LEN];
	u64 began;
	u64 asked;
	struct ebpfs_auth auth;
	struct ebpfs_noise noise;
	int state;
};

/**
 * struct ebpfs_hs_session - what a successful handshake gave, both sides
 * @client_session: the client's identity
 * @server_session: the server's identity
 * @server_instance: of the server's start
 * @owner: the client's mount
 * @owner_instance: of what it holds at the server, not 0
 * @lease: seconds, at least 1
 * @boot: of the server's machine, 0: not known
 * @features: common
 * @unit_max: most bytes of a READ
 * @cell_max: most bytes of a fragment
 * @slots: allowed
 * @sec: EBPFS_SEC_*
 * @version: protocol version
 * @key: of the session's BYE
 * @secrets: that the keys of its datagrams are made of, see guard.h
 * @root_fh: handle of the root
 * @root_fh_len: its bytes
 */
struct ebpfs_hs_session {
	u64 client_session;
	u64 server_session;
	u64 server_instance;
	u64 owner;
	u64 owner_instance;
	u16 lease;
	u32 boot;
	u32 features;
	u32 unit_max;
	u32 cell_max;
	u16 slots;
	u8 sec;
	u8 version;
	u8 key[EBPFS_MAC_LEN];
	u8 secrets[3][EBPFS_KEY_LEN];
	u8 root_fh[EBPFS_FH_MAX];
	u16 root_fh_len;
};

/*
 * Builders return the bytes written; messages are sealed. What parses a message
 * checks its type, its length and its crc.
 */

#define EBPFS_HS_PATIENCE	(4 * EBPFS_NSEC_PER_SEC)

/*
 * Client: is the attempt to be gone on with, by its last message once more (ebpfs_hs_hello() in
 * state 1, @auth in state 2)? Else another is to begin. It takes two answers, from far away
 * perhaps.
 */
bool ebpfs_hs_goes_on(const struct ebpfs_hs_client *hs, u64 now);

/* Client: the first message; the same again if it is to be repeated. */
u32 ebpfs_hs_hello(struct ebpfs_hs_client *hs, struct ebpfs_hello *out);

/**
 * ebpfs_hs_challenge() - CHALLENGE arrived: make AUTH
 * Return: bytes of @out, or -EBADMSG (not for this handshake, or an unknown
 * version or feature). A repeated CHALLENGE after AUTH was made is -EBADMSG.
 */
int ebpfs_hs_challenge(struct ebpfs_hs_client *hs, const void *msg, u32 len,
		       struct ebpfs_auth *out);

/**
 * ebpfs_hs_accept() - ACCEPT arrived: is the server the right one?
 * Return: 0 and @s; -EBADMSG: not for this handshake or out of range;
 * -EKEYREJECTED: the server does not know the secret. Neither ends the
 * handshake: anybody may have sent the message, the right one may still come.
 * The slots are those that the server grants, no more than were wanted.
 */
int ebpfs_hs_accept(struct ebpfs_hs_client *hs, const void *msg, u32 len,
		    struct ebpfs_hs_session *s);

/* REJECT arrived: enum ebpfs_reason, or -EBADMSG. It proves nothing of who sent it. */
int ebpfs_hs_reject(const struct ebpfs_hs_client *hs, const void *msg, u32 len);

/**
 * struct ebpfs_hs_server - the server's side of all handshakes
 * @cookie_key: random, kept at least EBPFS_COOKIE_LIFE
 */
struct ebpfs_hs_server {
	u8 cookie_key[EBPFS_SECRET_LEN];
};

#define EBPFS_COOKIE_LIFE	(60 * EBPFS_NSEC_PER_SEC)

/**
 * ebpfs_hs_make_challenge() - HELLO arrived
 * @hs: server
 * @msg: HELLO
 * @len: its bytes
 * @addr: the client's address and port in any fixed form
 * @nonce: random, EBPFS_NONCE_LEN bytes, fresh for each call
 * @now: ns
 * @out: CHALLENGE, or REJECT if there is no common version (same memory)
 *
 * Return: bytes of @out, or -EBADMSG.
 */
int ebpfs_hs_make_challenge(const struct ebpfs_hs_server *hs, const void *msg, u32 len,
			    struct ebpfs_bytes addr, const u8 *nonce, u64 now,
			    struct ebpfs_challenge *out);

/**
 * ebpfs_hs_check_cookie() - AUTH arrived: was the challenge ours, recent, for @addr?
 * After 0 everything in AUTH that is not encrypted has its form: the client's name is not
 * empty and ends in NUL, the version is the right one, client_session is not 0. Who sent it
 * is not yet known.
 * Return: 0; -EBADMSG; -ETIMEDOUT if it is too old (answer REJECT_COOKIE).
 */
int ebpfs_hs_check_cookie(const struct ebpfs_hs_server *hs, const void *msg, u32 len,
			  struct ebpfs_bytes addr, u64 now);

/*
 * Has AUTH, which was proved, been used up? @spent is the largest time, ns, of the challenges of
 * this client whose session has ended, or was refused. A session that lives knows its own AUTH
 * and is to be asked first. Then answer REJECT_COOKIE: who is there begins anew, and who only
 * repeats what was overheard cannot.
 */
static inline bool ebpfs_hs_is_spent(const struct ebpfs_auth *auth, u64 spent)
{
	return le64_to_cpu(auth->time) <= spent;
}

/**
 * struct ebpfs_hs_proof - an AUTH that proved to be of somebody who knows the secret
 * @ask: what is asked for, still little-endian; the export's name is not empty and ends in
 *	NUL, slots and owner are not 0
 * @noise: for ACCEPT
 *
 * ebpfs_wipe() it in the end.
 */
struct ebpfs_hs_proof {
	struct ebpfs_ask ask;
	struct ebpfs_noise noise;
};

/**
 * ebpfs_hs_check_auth() - does AUTH prove @secret?
 * Return: true and @proof, or false; in the same time whichever secret is wrong.
 */
bool ebpfs_hs_check_auth(const struct ebpfs_auth *auth, const u8 secret[EBPFS_SECRET_LEN],
			 struct ebpfs_hs_proof *proof);

/**
 * ebpfs_hs_make_accept() - admit the client
 * @auth: its proof, checked
 * @proof: of it; used up
 * @ephemeral: private key, random
 * @s: all but client_session, owner, sec, version, key and secrets are set by the caller;
 *	those are set here
 * @out: the message
 *
 * s->slots is lowered to what the client wants, and s->features to what it offers. A
 * repeated AUTH has to be answered by the same message, which must therefore be kept.
 * Return: its bytes, or -EBADMSG if the client's ephemeral key is of no use.
 */
int ebpfs_hs_make_accept(const struct ebpfs_auth *auth, struct ebpfs_hs_proof *proof,
			 const u8 ephemeral[EBPFS_KEY_LEN], struct ebpfs_hs_session *s,
			 struct ebpfs_accept *out);

u32 ebpfs_hs_make_reject(u64 client_session, u16 reason, struct ebpfs_reject *out);

/* BYE, sealed; and does it prove the session key? */
u32 ebpfs_hs_make_bye(u64 server_session, const u8 key[EBPFS_MAC_LEN], struct ebpfs_bye *out);
bool ebpfs_hs_check_bye(const struct ebpfs_bye *bye, const u8 key[EBPFS_MAC_LEN]);

#endif /* EBPFS_CORE_HANDSHAKE_H */

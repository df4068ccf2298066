/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ebpfs wire protocol, version 1.
 *
 * Used unchanged by the module, the BPF programs and user space; what the
 * fields mean to each other is told in Documentation/protocol.md.
 *
 * Everything travels in UDP datagrams, all integers are little-endian, all
 * structs are naturally aligned and have no implicit padding. Every datagram
 * begins with struct ebpfs_hdr.
 *
 *	client                                   server
 *	HELLO      (padded, no state kept)  -->
 *	                                    <--  CHALLENGE (stateless cookie)
 *	AUTH       (client's proof)         -->
 *	                                    <--  ACCEPT (server's proof, root) or REJECT
 *	CALL       (one or more calls)      -->
 *	DATA       (one fragment of a call's data) ...  -->
 *	                                    <--  NEED (fragments of data that lack)
 *	                                    <--  REPLY (one fragment of one reply) ...
 *	PROBE      (padded)                 -->
 *	                                    <--  PROBE_ACK (same size)
 *	BYE        (MAC)                    -->
 *	                                    <--  UNKNOWN (a hint: session not known)
 *	                                    <--  RECALL (a lease ends, a lock is free)
 *	RECALLED                            -->
 *	REKEY      (an ephemeral key)       -->
 *	                                    <--  REKEYED (the other one)
 *
 * A *call* is identified within its session by a 64-bit id: the slot in the
 * low 16 bits, the slot's sequence number in the upper 48. A *reply* is a
 * message of up to EBPFS_MSG_MAX bytes, cut on a fixed grid: every fragment
 * but the last carries exactly @cell bytes, a fragment's offset is a multiple
 * of @cell, and there are at most EBPFS_CELLS_MAX of them, so that a set of
 * fragments is one 64-bit word. Each execution of a call has its own reply
 * *instance*; fragments of two instances are never combined.
 *
 * A call may have *data* (what is written, the attributes to be set ...) of up
 * to EBPFS_MSG_MAX bytes. They follow its body in the CALL datagram, or, if the
 * call says so, come apart in DATA datagrams, cut on a grid like a reply's.
 *
 * What a client *holds* at a server, files that are open there, leases and locks,
 * belongs not to a session but to its *owner*, one mount of one client, and outlives
 * the session by the time that ACCEPT tells. Each hold has a number that grows.
 *
 * To add a message type: enum ebpfs_type here, ebpfs_type_min_len() in
 * kmod/core/wire.c, the receivers (kmod/receive.c, userspace/ebpfsd/receive.c),
 * Documentation/protocol.md, the fuzz corpus.
 */
#ifndef _UAPI_EBPFS_WIRE_H
#define _UAPI_EBPFS_WIRE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define EBPFS_PORT		20490	/* UDP, server side default */
#define EBPFS_MAGIC		0xeb95
#define EBPFS_VERSION		1	/* the only version so far */

#define EBPFS_MSG_MAX		65536	/* bytes in one reply */
#define EBPFS_CELLS_MAX		64	/* fragments in one reply */
#define EBPFS_CELL_MIN		1024	/* bytes; MSG_MAX / CELLS_MAX */
#define EBPFS_CELL_MAX		65456	/* bytes; multiple of 8, with its head fits a datagram */
#define EBPFS_SLOTS_MAX		1024	/* slots in one session */
#define EBPFS_FH_MAX		128	/* bytes in a file handle */
#define EBPFS_NAME_MAX		255	/* bytes in a name, also of an extended attribute */
#define EBPFS_LINK_MAX		4096	/* bytes in a symbolic link's target */
#define EBPFS_CLIENT_MAX	64	/* bytes of a client's name, NUL padded */
#define EBPFS_EXPORT_MAX	128	/* bytes of an export's name, NUL padded */
#define EBPFS_SECRET_LEN	32	/* bytes of a client's secret */
#define EBPFS_NONCE_LEN		32
#define EBPFS_MAC_LEN		32	/* keyed BLAKE2s-256 (RFC 7693) */
#define EBPFS_COOKIE_LEN	16
#define EBPFS_UDP_PAYLOAD_BASE	1200	/* bytes every path carries (RFC 8899 BASE_PLPMTU) */
#define EBPFS_UDP_PAYLOAD_MAX	65507

/**
 * enum ebpfs_type - what a datagram is
 */
enum ebpfs_type {
	EBPFS_HELLO	= 1,
	EBPFS_CHALLENGE	= 2,
	EBPFS_AUTH	= 3,
	EBPFS_ACCEPT	= 4,
	EBPFS_REJECT	= 5,
	EBPFS_CALL	= 6,
	EBPFS_REPLY	= 7,
	EBPFS_PROBE	= 8,
	EBPFS_PROBE_ACK	= 9,
	EBPFS_BYE	= 10,
	EBPFS_UNKNOWN	= 11,
	EBPFS_DATA	= 12,
	EBPFS_NEED	= 13,
	EBPFS_RECALL	= 14,
	EBPFS_RECALLED	= 15,
	EBPFS_REKEY	= 16,
	EBPFS_REKEYED	= 17,
};

#define EBPFS_GUARDED		0x80	/* ebpfs_hdr.type: struct ebpfs_guard follows the head */

/**
 * struct ebpfs_hdr - first 16 bytes of every datagram
 * @crc: CRC32C (RFC 3720 B.4 polynomial, reflected, initial value and final
 *	XOR ~0) over all bytes of the datagram after this field; of a guarded one: which
 *	key, EBPFS_KEY_ID()
 * @magic: EBPFS_MAGIC
 * @version: EBPFS_VERSION; in HELLO the lowest version the client speaks
 * @type: enum ebpfs_type, and EBPFS_GUARDED if it is
 * @session: the receiver's identity for the session, drawn at random by the
 *	receiver when the session was made; 0 in HELLO and AUTH. In UNKNOWN it
 *	is the identity that was not known, which is the sender's to receive.
 */
struct ebpfs_hdr {
	__le32 crc;
	__le16 magic;
	__u8   version;
	__u8   type;
	__le64 session;
};

/* sec=: what protects the data of a session */
#define EBPFS_SEC_CRC		1	/* CRC32C: accidents and off-path forgers only */
#define EBPFS_SEC_INTEGRITY	2	/* authenticated */
#define EBPFS_SEC_PRIVACY	3	/* authenticated and encrypted */

/*
 * Which key a guarded datagram has: the epoch, counted from 0 and at last from 65535 to 0
 * again, and who of the sending side has numbered it.
 */
#define EBPFS_KEY_ID(epoch, sender)	((__u32)(__u16)(epoch) | (__u32)(sender) << 16)
#define EBPFS_KEY_EPOCH(id)		((__u16)(id))
#define EBPFS_KEY_SENDER(id)		((id) >> 16)

enum ebpfs_sender {
	EBPFS_SENDER_MAIN	= 0,	/* the client; the server's daemon */
	EBPFS_SENDER_KERNEL	= 1,	/* the server's kernel, answering for the daemon */
	EBPFS_SENDERS		= 2,
};

/**
 * struct ebpfs_guard - behind the head of a datagram of a session with sec= integrity or
 * privacy
 * @number: of the datagram, never the same twice under a key
 * @tag: that it is authentic by
 *
 * What follows is what would follow the head without it. The whole is a message of the
 * session's enum ebpfs_cipher with the nonce 0 (32 bits), @number; clear are the head and,
 * for privacy, the rest of struct ebpfs_reply or ebpfs_data; for integrity everything.
 */
struct ebpfs_guard {
	__le64 number;
	__u8   tag[16];
};

/*
 * Feature bits: offered in HELLO and AUTH, the common ones answered. Those in
 * ACCEPT hold: there the offer and the answer are under the secret, whatever
 * was changed on the way of HELLO and CHALLENGE.
 */
#define EBPFS_FEAT_RANGE	(1u << 0)	/* ebpfs_call.want is honoured */
#define EBPFS_FEAT_AES		(1u << 1)	/* guards are made by EBPFS_CIPHER_AES256_GCM */
#define EBPFS_FEAT_ALL		(EBPFS_FEAT_RANGE | EBPFS_FEAT_AES)

/**
 * enum ebpfs_cipher - how the datagrams of a session with keys are encrypted
 * @EBPFS_CIPHER_CHACHA20_POLY1305: RFC 8439; unless both ends have EBPFS_FEAT_AES
 * @EBPFS_CIPHER_AES256_GCM: NIST SP 800-38D, with a tag of 128 bits
 *
 * Either has keys of 256 bits and nonces of 96: four zeroes, then the datagram's number,
 * little-endian.
 */
enum ebpfs_cipher {
	EBPFS_CIPHER_CHACHA20_POLY1305	= 0,
	EBPFS_CIPHER_AES256_GCM		= 1,
};

/**
 * struct ebpfs_hello - the client asks for a challenge
 * @hdr: session is 0
 * @client_session: the client's identity for the coming session, not 0
 * @nonce: random
 * @version_min: lowest version the client speaks
 * @version_max: highest version the client speaks
 * @reserved: 0
 * @features: offered
 * @pad: 0; makes HELLO no smaller than its answer
 */
struct ebpfs_hello {
	struct ebpfs_hdr hdr;
	__le64 client_session;
	__u8   nonce[EBPFS_NONCE_LEN];
	__u8   version_min;
	__u8   version_max;
	__le16 reserved;
	__le32 features;
	__u8   pad[32];
};

/**
 * struct ebpfs_challenge - the server's answer, made without keeping state
 * @hdr: session is the client's
 * @nonce: the server's, random
 * @time: the server's clock when it made @cookie, opaque to the client
 * @cookie: proves to the server that it made this challenge for this address
 * @version: chosen, the highest that both speak
 * @reserved: 0
 * @features: common
 */
struct ebpfs_challenge {
	struct ebpfs_hdr hdr;
	__u8   nonce[EBPFS_NONCE_LEN];
	__le64 time;
	__u8   cookie[EBPFS_COOKIE_LEN];
	__u8   version;
	__u8   reserved[3];
	__le32 features;
};

/**
 * struct ebpfs_ask - what a client wants; encrypted in AUTH
 * @sec: EBPFS_SEC_*
 * @reserved: 0
 * @slots: how many slots the client wants
 * @features: offered, as in HELLO
 * @owner: the mount, drawn at random when it was made; not 0
 * @export: name, not empty, NUL padded, the last byte is NUL
 */
struct ebpfs_ask {
	__u8   sec;
	__u8   reserved;
	__le16 slots;
	__le32 features;
	__le64 owner;
	__u8   export[EBPFS_EXPORT_MAX];
};

/**
 * struct ebpfs_auth - the client proves that it knows the secret
 * @hdr: session is 0; version is the one chosen in CHALLENGE
 * @client_session: as in HELLO
 * @client_nonce: as in HELLO
 * @server_nonce: as in CHALLENGE
 * @time: as in CHALLENGE
 * @cookie: as in CHALLENGE
 * @version_max: as in HELLO; a server that would have chosen another version
 *	from it was lied to, and keeps silent
 * @reserved: 0
 * @client: name, not empty, NUL padded, the last byte is NUL
 * @ephemeral: X25519 public key
 * @ask: struct ebpfs_ask, encrypted
 * @tag: of it
 *
 * The last three are the first message of Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s under the
 * client's secret; its prologue is all bytes from hdr.magic to the end of @client.
 */
struct ebpfs_auth {
	struct ebpfs_hdr hdr;
	__le64 client_session;
	__u8   client_nonce[EBPFS_NONCE_LEN];
	__u8   server_nonce[EBPFS_NONCE_LEN];
	__le64 time;
	__u8   cookie[EBPFS_COOKIE_LEN];
	__u8   version_max;
	__u8   reserved[7];
	__u8   client[EBPFS_CLIENT_MAX];
	__u8   ephemeral[32];
	__u8   ask[sizeof(struct ebpfs_ask)];
	__u8   tag[16];
};

/**
 * struct ebpfs_terms - what the server grants; encrypted in ACCEPT
 * @server_session: the server's identity for the session, not 0
 * @server_instance: drawn at random at each start of the server
 * @slots: how many slots the client may use, at least 1
 * @version: chosen
 * @sec: as asked for
 * @features: common
 * @unit_max: most bytes one READ may ask for, 4096 to EBPFS_MSG_MAX
 * @cell_max: the largest cell that the client may ask for
 * @owner_instance: drawn when the server began to keep what the owner holds, not 0.
 *	If it is not the one that the owner knows, all that was held there is lost.
 * @root_fh_len: bytes of @root_fh in use
 * @lease: seconds for which the server keeps what an owner holds that it does not
 *	hear of, at least 1
 * @boot: another one after each start of the server's machine; 0: not known
 * @root_fh: handle of the export's root
 */
struct ebpfs_terms {
	__le64 server_session;
	__le64 server_instance;
	__le16 slots;
	__u8   version;
	__u8   sec;
	__le32 features;
	__le32 unit_max;
	__le32 cell_max;
	__le64 owner_instance;
	__le16 root_fh_len;
	__le16 lease;
	__le32 boot;
	__u8   root_fh[EBPFS_FH_MAX];
};

/**
 * struct ebpfs_accept - the session exists; the server proves itself
 * @hdr: session is the client's
 * @ephemeral: X25519 public key
 * @terms: struct ebpfs_terms, encrypted
 * @tag: of it
 *
 * The second message of the handshake that AUTH began. Both sides then have the keys of
 * the session, see Documentation/protocol.md.
 */
struct ebpfs_accept {
	struct ebpfs_hdr hdr;
	__u8   ephemeral[32];
	__u8   terms[sizeof(struct ebpfs_terms)];
	__u8   tag[16];
};

/**
 * enum ebpfs_reason - why a server rejects a session
 */
enum ebpfs_reason {
	EBPFS_REJECT_VERSION	= 1,	/* no common version */
	EBPFS_REJECT_DENIED	= 2,	/* unknown client or wrong secret: not said which */
	EBPFS_REJECT_EXPORT	= 3,	/* no such export for this client */
	EBPFS_REJECT_SEC	= 4,	/* the export asks for another sec= */
	EBPFS_REJECT_BUSY	= 5,	/* the server's limit of sessions is reached */
	EBPFS_REJECT_COOKIE	= 6,	/* challenge too old, or spent: start again with HELLO */
};

/**
 * struct ebpfs_reject - no session
 * @hdr: session is the client's
 * @reason: enum ebpfs_reason
 * @version_min: lowest version the server speaks
 * @version_max: highest version the server speaks
 * @reserved: 0
 */
struct ebpfs_reject {
	struct ebpfs_hdr hdr;
	__le16 reason;
	__u8   version_min;
	__u8   version_max;
	__le32 reserved;
};

/**
 * struct ebpfs_calls - head of a CALL datagram, followed by @count calls
 * @hdr: session is the server's
 * @count: calls in this datagram, at least 1
 * @cell: bytes of payload per reply fragment, a multiple of 8 from
 *	EBPFS_CELL_MIN to EBPFS_CELL_MAX; the client found by probing that the
 *	path carries it
 * @reserved: 0
 */
struct ebpfs_calls {
	struct ebpfs_hdr hdr;
	__le16 count;
	__le16 cell;
	__le32 reserved;
};

/**
 * enum ebpfs_op - what a call asks for; body and reply in each line
 */
enum ebpfs_op {
	EBPFS_OP_PING		= 1,	/* nothing -> nothing */
	EBPFS_OP_GETATTR	= 2,	/* fh, hold -> struct ebpfs_attr */
	EBPFS_OP_LOOKUP		= 3,	/* dir fh, name, hold -> struct ebpfs_entry */
	EBPFS_OP_READDIR	= 4,	/* dir fh, arg = cookie, count -> struct ebpfs_entry ... */
	EBPFS_OP_READLINK	= 5,	/* fh -> bytes of the target, no NUL */
	EBPFS_OP_READ		= 6,	/* fh, arg = offset, count -> bytes */
	EBPFS_OP_STATFS		= 7,	/* fh -> struct ebpfs_statfs */
	EBPFS_OP_CRED		= 8,	/* arg = number, struct ebpfs_cred -> nothing */
	EBPFS_OP_ACCESS		= 9,	/* fh, count = EBPFS_MAY_* -> struct ebpfs_access */
	EBPFS_OP_CREATE		= 10,	/* dir fh, name, hold, struct ebpfs_create ->
					 * struct ebpfs_entry */
	EBPFS_OP_REMOVE		= 11,	/* dir fh, name, arg = EBPFS_REMOVE_* -> nothing */
	EBPFS_OP_RENAME		= 12,	/* dir fh, name, arg = RENAME_*, struct ebpfs_target ->
					 * nothing */
	EBPFS_OP_LINK		= 13,	/* fh, struct ebpfs_target -> struct ebpfs_attr */
	EBPFS_OP_SETATTR	= 14,	/* fh, struct ebpfs_setattr -> struct ebpfs_written */
	EBPFS_OP_WRITE		= 15,	/* fh, arg = offset, count = EBPFS_WRITE_*, bytes ->
					 * struct ebpfs_written */
	EBPFS_OP_COMMIT		= 16,	/* fh, arg = offset, count = bytes or 0 for all, or
					 * EBPFS_COMMIT_* -> struct ebpfs_written */
	EBPFS_OP_GETXATTR	= 17,	/* fh, name of the attribute, count -> its value */
	EBPFS_OP_LISTXATTR	= 18,	/* fh, count -> names, each with its NUL */
	EBPFS_OP_SETXATTR	= 19,	/* fh, name of the attribute, arg = XATTR_*, value ->
					 * struct ebpfs_written */
	EBPFS_OP_REMOVEXATTR	= 20,	/* fh, name of the attribute -> struct ebpfs_written */
	EBPFS_OP_FALLOCATE	= 21,	/* fh, struct ebpfs_range -> struct ebpfs_written */
	EBPFS_OP_SEEK		= 22,	/* fh, arg = offset, count = SEEK_DATA or SEEK_HOLE ->
					 * struct ebpfs_offset */
	EBPFS_OP_COPY		= 23,	/* fh, struct ebpfs_copy -> struct ebpfs_written */
	EBPFS_OP_APPEND		= 24,	/* fh, bytes -> struct ebpfs_written */
	EBPFS_OP_RELEASE	= 25,	/* struct ebpfs_release ... -> nothing */
	EBPFS_OP_LOCK		= 26,	/* fh, arg = number, struct ebpfs_lock -> nothing, or
					 * TEST: struct ebpfs_lock */
	EBPFS_OP_TMPFILE	= 27,	/* dir fh, hold, struct ebpfs_create ->
					 * struct ebpfs_entry */
	EBPFS_OP_WRITEATTR	= 28,	/* as WRITE, and struct ebpfs_setattr ->
					 * struct ebpfs_written */
};

#define EBPFS_OP_LAST	EBPFS_OP_WRITEATTR

/* ebpfs_call.flags */
#define EBPFS_CALL_APART	(1u << 0)	/* the data come in DATA datagrams */

/**
 * struct ebpfs_call - one call; its body follows
 * @id: slot | sequence << 16; sequences of a slot start at 1 and grow
 * @want: which cells of the reply the client lacks, ~0 for all; meaningful
 *	only for @instance and only if the reply then has the same cell
 * @instance: reply instance that @want refers to, 0 if none was seen yet
 * @op: enum ebpfs_op
 * @len: bytes of body that follow, a multiple of 8
 * @attempt: 0 for the first sending, then 1, 2 ..., staying at 255; echoed in the
 *	reply
 * @flags: EBPFS_CALL_*
 * @reserved: 0
 * @cred: number of the credentials to act with, see struct ebpfs_cred; 0: the
 *	client's superuser
 */
struct ebpfs_call {
	__le64 id;
	__le64 want;
	__le32 instance;
	__le16 op;
	__le16 len;
	__u8   attempt;
	__u8   flags;
	__le16 reserved;
	__le32 cred;
};

/**
 * struct ebpfs_body - the body of every call but PING
 * @arg: READ, WRITE, COMMIT: byte offset; READDIR: cookie to continue after, 0 at
 *	first; GETATTR, LOOKUP, CREATE: number of the hold, 0 if nothing is to be held;
 *	else see enum ebpfs_op
 * @op_id: of a call that must not be executed twice: a number that the client
 *	never uses again, kept when the call is made anew in another session; 0: none
 * @count: READ: bytes wanted, 1 to unit_max; READDIR: most bytes of reply; GETATTR,
 *	LOOKUP, CREATE: EBPFS_HOLD_*; else see enum ebpfs_op
 * @data_len: bytes of data, at most EBPFS_MSG_MAX
 * @fh_len: bytes of handle that follow, zero padded to a multiple of 8;
 *	0: the handle of the call before in the same datagram, or none (CRED)
 * @name_len: bytes of name that follow the handle, zero padded likewise
 * @reserved: 0
 *
 * WRITEATTR's attributes follow the name, struct ebpfs_setattr. Unless they come apart, the
 * data are last, zero padded likewise.
 */
struct ebpfs_body {
	__le64 arg;
	__le64 op_id;
	__le32 count;
	__le32 data_len;
	__le16 fh_len;
	__le16 name_len;
	__le32 reserved;
};

/**
 * struct ebpfs_data - head of a DATA datagram: one fragment of a call's data
 * @hdr: session is the server's
 * @id: of the call
 * @total: bytes of all of its data, 1 to EBPFS_MSG_MAX
 * @offset: of the payload in the data, a multiple of @cell
 * @cell: bytes in every fragment but the last, as in struct ebpfs_calls
 * @attempt: of the call when this fragment was sent. Fragments of a later attempt
 *	may be cut anew; then those of earlier ones are worth nothing.
 * @flags: 0
 * @reserved: 0
 *
 * The payload follows: min(@cell, @total - @offset) bytes.
 */
struct ebpfs_data {
	struct ebpfs_hdr hdr;
	__le64 id;
	__le32 total;
	__le32 offset;
	__le16 cell;
	__u8   attempt;
	__u8   flags;
	__le32 reserved;
};

/**
 * struct ebpfs_need - the server lacks data of a call that was made again
 * @hdr: session is the client's
 * @id: of the call
 * @missing: which fragments it lacks, by index; never 0
 * @cell: that the fragments were cut by, 0 if none has come yet
 * @attempt: of the call that this answers
 * @reserved: 0
 */
struct ebpfs_need {
	struct ebpfs_hdr hdr;
	__le64 id;
	__le64 missing;
	__le16 cell;
	__u8   attempt;
	__u8   reserved[5];
};

#define EBPFS_GROUPS_MAX	16000	/* supplementary groups of one user */

/**
 * struct ebpfs_cred - who acts: data of CRED
 * @uid: of the user on the client
 * @gid: of the user on the client
 * @ngroups: supplementary groups that follow, __le32 each
 * @reserved: 0
 *
 * A session's credentials have numbers from 1 on, which the client chooses and
 * never uses for others. A server may forget them: it then answers
 * EBPFS_STATUS_CRED, and the client tells them again.
 */
struct ebpfs_cred {
	__le32 uid;
	__le32 gid;
	__le32 ngroups;
	__le32 reserved;
};

/* ebpfs_reply.status beside error numbers */
#define EBPFS_STATUS_CRED	4000	/* the call's credentials are not known (any more) */
#define EBPFS_STATUS_GRACE	4001	/* LOCK: others may still claim theirs again: ask later */

/* ACCESS: what is asked, and what is allowed */
#define EBPFS_MAY_EXEC		(1u << 0)
#define EBPFS_MAY_WRITE		(1u << 1)
#define EBPFS_MAY_READ		(1u << 2)

/**
 * struct ebpfs_access - what the server's kernel allows
 * @allowed: those of the EBPFS_MAY_* asked for that are
 * @reserved: 0
 */
struct ebpfs_access {
	__le32 allowed;
	__le32 reserved;
};

/* ebpfs_create.flags */
#define EBPFS_CREATE_EXCL	(1u << 0)	/* fail if the name exists */

/**
 * struct ebpfs_create - data of CREATE and TMPFILE: what is to be made
 * @mode: type and permissions, as in struct stat, before the umask
 * @umask: of the caller; a default ACL of the directory takes its place
 * @rdev_major: of a device
 * @rdev_minor: of a device
 * @flags: EBPFS_CREATE_*; without EXCL an existing regular file is the answer;
 *	TMPFILE: EXCL
 * @target_len: of a symbolic link: bytes of target that follow, else 0
 */
struct ebpfs_create {
	__le32 mode;
	__le32 umask;
	__le32 rdev_major;
	__le32 rdev_minor;
	__le32 flags;
	__le32 target_len;
};

/* REMOVE: ebpfs_body.arg */
#define EBPFS_REMOVE_FILE	0
#define EBPFS_REMOVE_DIR	1

/**
 * struct ebpfs_target - data of RENAME and LINK: the new name
 * @fh_len: bytes of the directory's handle that follow, zero padded to a multiple of 8
 * @name_len: bytes of name that follow the handle, zero padded likewise
 * @reserved: 0
 */
struct ebpfs_target {
	__le16 fh_len;
	__le16 name_len;
	__le32 reserved;
};

/* ebpfs_setattr.valid */
#define EBPFS_SET_MODE		(1u << 0)
#define EBPFS_SET_UID		(1u << 1)
#define EBPFS_SET_GID		(1u << 2)
#define EBPFS_SET_SIZE		(1u << 3)
#define EBPFS_SET_ATIME		(1u << 4)
#define EBPFS_SET_MTIME		(1u << 5)
#define EBPFS_SET_ATIME_NOW	(1u << 6)
#define EBPFS_SET_MTIME_NOW	(1u << 7)
#define EBPFS_SET_ALL		((1u << 8) - 1)

/**
 * struct ebpfs_setattr - data of SETATTR
 * @size: bytes
 * @atime: seconds since 1970, signed
 * @mtime: likewise
 * @atime_ns: nanoseconds
 * @mtime_ns: nanoseconds
 * @valid: EBPFS_SET_*: which of the fields count
 * @mode: permissions
 * @uid: owner
 * @gid: group
 */
struct ebpfs_setattr {
	__le64 size;
	__le64 atime;
	__le64 mtime;
	__le32 atime_ns;
	__le32 mtime_ns;
	__le32 valid;
	__le32 mode;
	__le32 uid;
	__le32 gid;
};

/* ebpfs_reply.flags */
#define EBPFS_REPLY_EOF		(1u << 0)	/* READ, READDIR: nothing follows */
#define EBPFS_REPLY_OPEN	(1u << 1)	/* GETATTR, LOOKUP, CREATE: held open from now on */
#define EBPFS_REPLY_LEASE	(1u << 2)	/* likewise: under a lease from now on */
#define EBPFS_REPLY_ALL		((1u << 3) - 1)

/**
 * struct ebpfs_reply - head of a REPLY datagram: one fragment of one reply
 * @hdr: session is the client's
 * @id: of the call
 * @instance: which execution this is a fragment of, not 0. Within a session
 *	a later execution has a higher number (serial arithmetic, RFC 1982).
 * @total: bytes of the whole reply, at most EBPFS_MSG_MAX
 * @offset: of the payload in the reply, a multiple of @cell
 * @cell: bytes in every fragment but the last
 * @status: 0, or an error number of asm-generic/errno.h; then @total is 0
 * @flags: EBPFS_REPLY_*
 * @attempt: of the call that caused this fragment to be sent
 * @reserved: 0
 * @reserved2: 0
 *
 * The payload follows: min(@cell, @total - @offset) bytes.
 */
struct ebpfs_reply {
	struct ebpfs_hdr hdr;
	__le64 id;
	__le32 instance;
	__le32 total;
	__le32 offset;
	__le16 cell;
	__le16 status;
	__le16 flags;
	__u8   attempt;
	__u8   reserved;
	__le32 reserved2;
};

/**
 * struct ebpfs_probe - PROBE and PROBE_ACK (PLPMTUD, RFC 8899)
 * @hdr: session is the receiver's
 * @serial: of the probe, echoed
 * @size: bytes of the whole UDP payload, padding included, echoed
 *
 * Zero padding follows up to @size.
 */
struct ebpfs_probe {
	struct ebpfs_hdr hdr;
	__le32 serial;
	__le32 size;
};

/**
 * struct ebpfs_rekey - REKEY: the client wants new keys; REKEYED: there they are
 * @hdr: session is the receiver's
 * @epoch: the next one
 * @reserved: 0
 * @ephemeral: X25519 public key of the sender
 *
 * Guarded by the present keys, in REKEYED by those that REKEY came by.
 */
struct ebpfs_rekey {
	struct ebpfs_hdr hdr;
	__le16 epoch;
	__le16 reserved;
	__le32 reserved2;
	__u8   ephemeral[32];
};

/**
 * struct ebpfs_bye - the client ends its session
 * @hdr: session is the server's
 * @mac: keyed BLAKE2s under the session key over "ebpfs1 bye" and hdr.session
 */
struct ebpfs_bye {
	struct ebpfs_hdr hdr;
	__u8   mac[EBPFS_MAC_LEN];
};

/*
 * What an owner holds of a file: ebpfs_body.count of GETATTR, LOOKUP and CREATE, with
 * a number in arg that is higher than any before from this owner. A server that
 * holds the file for this owner under a higher number already leaves it at that.
 */
#define EBPFS_HOLD_OPEN		(1u << 0)	/* the file stays as long as it is held, with
					 * a name or without */
#define EBPFS_HOLD_LEASE	(1u << 1)	/* nobody else changes it before the owner was
					 * told by RECALL */
#define EBPFS_HOLD_ALL		((1u << 2) - 1)

/*
 * LOOKUP may ask for the contents of a small regular file, too: ebpfs_body.count above
 * EBPFS_FIRST_SHIFT is the most bytes that are wanted, at most EBPFS_FIRST_MAX. They follow
 * the entry, all that there are or none, and are not older than its attributes.
 */
#define EBPFS_FIRST_SHIFT	16
#define EBPFS_FIRST_MAX		32768u

/**
 * struct ebpfs_release - data of RELEASE, one or several: no longer held
 * @hold: the file is let go of, open and lease, unless it is held under a higher number.
 *	0 in the first one, which then lets go of nothing: all that was held before a
 *	restart of the server is claimed again
 * @fh_len: bytes of handle that follow, zero padded to a multiple of 8
 * @reserved: 0
 */
struct ebpfs_release {
	__le64 hold;
	__le16 fh_len;
	__le16 reserved[3];
};

/* ebpfs_recall.kind */
#define EBPFS_RECALL_LEASE	1	/* the lease is over: answer when it is not used any more */
#define EBPFS_RECALL_LOCK	2	/* a lock asked for with WAIT may be free; no answer */

/**
 * struct ebpfs_recall - the server takes a lease back
 * @hdr: session is the client's
 * @id: of this recall, echoed
 * @hold: number that the lease was granted under. It may arrive before the grant
 *	does: no grant for the file up to this number counts any more.
 * @kind: EBPFS_RECALL_*
 * @reserved: 0
 * @fh_len: bytes of @fh in use
 * @reserved2: 0
 * @fh: handle of the file
 *
 * The server sends it again until RECALLED comes. An owner that does not answer
 * within its lease time loses all that it holds.
 */
struct ebpfs_recall {
	struct ebpfs_hdr hdr;
	__le64 id;
	__le64 hold;
	__u8   kind;
	__u8   reserved;
	__le16 fh_len;
	__le32 reserved2;
	__u8   fh[EBPFS_FH_MAX];
};

/**
 * struct ebpfs_recalled - the client has stopped to use a lease, or never had it
 * @hdr: session is the server's
 * @id: of the recall
 */
struct ebpfs_recalled {
	struct ebpfs_hdr hdr;
	__le64 id;
};

/* ebpfs_lock.kind */
#define EBPFS_LOCK_POSIX	1	/* fcntl(2): of a range, by lock owner */
#define EBPFS_LOCK_FLOCK	2	/* flock(2): of the file */

/* ebpfs_lock.type */
#define EBPFS_LOCK_READ		0
#define EBPFS_LOCK_WRITE	1
#define EBPFS_LOCK_NONE		2	/* unlock; TEST's answer: nobody is in the way */

/* ebpfs_lock.flags */
#define EBPFS_LOCK_WAIT		(1u << 0)	/* if refused: RECALL_LOCK when it may be free */
#define EBPFS_LOCK_RECLAIM	(1u << 1)	/* held before the server lost it */
#define EBPFS_LOCK_TEST		(1u << 2)	/* who would be in the way? */

/**
 * struct ebpfs_lock - data of LOCK: an advisory lock
 * @owner: who locks, of the client's choice; the same may lock again what it has
 * @start: first byte
 * @end: last byte, 2^63-1: to the end of the file, wherever that is
 * @pid: of the process, for TEST by others
 * @kind: EBPFS_LOCK_POSIX or EBPFS_LOCK_FLOCK (then of 0 to 2^63-1)
 * @type: EBPFS_LOCK_READ, WRITE or NONE
 * @flags: EBPFS_LOCK_*
 * @reserved: 0
 *
 * Never waited for: EAGAIN if somebody is in the way. arg is a number like those of
 * holds; a server that has seen a higher one from this lock owner for this file does
 * nothing (EAGAIN), since the call was given up long ago.
 */
struct ebpfs_lock {
	__le64 owner;
	__le64 start;
	__le64 end;
	__le32 pid;
	__u8   kind;
	__u8   type;
	__u8   flags;
	__u8   reserved;
};

/* ebpfs_attr.may beside EBPFS_MAY_* */
#define EBPFS_MAY_KNOWN		(1u << 31)

/**
 * struct ebpfs_attr - attributes of a file
 * @ino: number on the server
 * @size: bytes
 * @blocks: of 512 bytes
 * @change: differs whenever data or attributes differ
 * @atime: seconds since 1970, signed; likewise @mtime, @ctime, @btime
 * @mtime: of data
 * @ctime: of attributes
 * @btime: of creation, 0 where the server's filesystem knows none
 * @atime_ns: nanoseconds; likewise the next three
 * @mtime_ns: nanoseconds
 * @ctime_ns: nanoseconds
 * @btime_ns: nanoseconds
 * @mode: type and permissions as in struct stat
 * @nlink: hard links
 * @uid: owner
 * @gid: group
 * @rdev_major: of a device file
 * @rdev_minor: of a device file
 * @blksize: preferred size of I/O
 * @may: GETATTR, LOOKUP, CREATE: what the caller may do, EBPFS_MAY_KNOWN and those of
 *	EBPFS_MAY_* that the server's kernel allows; else, or if it was not asked, 0
 */
struct ebpfs_attr {
	__le64 ino;
	__le64 size;
	__le64 blocks;
	__le64 change;
	__le64 atime;
	__le64 mtime;
	__le64 ctime;
	__le64 btime;
	__le32 atime_ns;
	__le32 mtime_ns;
	__le32 ctime_ns;
	__le32 btime_ns;
	__le32 mode;
	__le32 nlink;
	__le32 uid;
	__le32 gid;
	__le32 rdev_major;
	__le32 rdev_minor;
	__le32 blksize;
	__le32 may;
};

/* WRITE: ebpfs_body.count */
#define EBPFS_WRITE_UNSTABLE	0	/* may be lost until a COMMIT */
#define EBPFS_WRITE_STABLE	1	/* on stable storage before the reply */

/* COMMIT of a directory: ebpfs_body.count */
#define EBPFS_COMMIT_NAMES	0	/* what was made, removed and renamed in it */
#define EBPFS_COMMIT_EXPORT	1	/* whatever was changed in the export */

/**
 * struct ebpfs_written - reply of WRITE, COMMIT, and whatever else changes a file
 * @verifier: of the server's instance. If it differs between a WRITE that was not
 *	STABLE and the COMMIT after it, what was written may be lost: write it again.
 * @before: attr.change before: what lies between is this call's doing. The server
 *	lets no other call change the file in between.
 * @offset: APPEND: where the bytes are; else 0
 * @count: bytes written, appended or copied; else 0
 * @reserved: 0
 * @attr: afterwards
 */
struct ebpfs_written {
	__le64 verifier;
	__le64 before;
	__le64 offset;
	__le32 count;
	__le32 reserved;
	struct ebpfs_attr attr;
};

/**
 * struct ebpfs_range - data of FALLOCATE
 * @offset: bytes
 * @len: bytes, not 0
 * @mode: FALLOC_FL_* of fallocate(2), those that the export's filesystem knows
 * @reserved: 0
 */
struct ebpfs_range {
	__le64 offset;
	__le64 len;
	__le32 mode;
	__le32 reserved;
};

/**
 * struct ebpfs_offset - reply of SEEK
 * @offset: bytes
 */
struct ebpfs_offset {
	__le64 offset;
};

/* ebpfs_copy.flags */
#define EBPFS_COPY_CLONE	(1u << 0)	/* share the blocks (FICLONERANGE), or fail */

/**
 * struct ebpfs_copy - data of COPY: bytes of one file into another, at the server
 * @from: offset in the source
 * @to: offset in the file of the call
 * @len: bytes; 0 with CLONE: to the end of the source. Fewer may be copied.
 * @flags: EBPFS_COPY_*
 * @fh_len: bytes of the source's handle that follow, zero padded to a multiple of 8
 * @reserved: 0
 */
struct ebpfs_copy {
	__le64 from;
	__le64 to;
	__le64 len;
	__le32 flags;
	__le16 fh_len;
	__le16 reserved;
};

/* ebpfs_entry.flags */
#define EBPFS_ENTRY_ATTR	(1u << 0)	/* attr and fh are valid */

/**
 * struct ebpfs_entry - a name's file: LOOKUP's reply, an element of READDIR's
 * @cookie: READDIR: continue after this entry with it; LOOKUP: 0
 * @len: bytes of the whole entry, a multiple of 8
 * @fh_len: bytes of handle
 * @name_len: READDIR: bytes of name; LOOKUP: 0
 * @type: DT_* of the file
 * @flags: EBPFS_ENTRY_*. Without ATTR (file vanished, or "." and "..") only
 *	attr.ino is valid and fh_len is 0
 * @attr: of the file
 *
 * The handle and then the name follow, each zero padded to a multiple of 8.
 */
struct ebpfs_entry {
	__le64 cookie;
	__le16 len;
	__le16 fh_len;
	__le16 name_len;
	__u8   type;
	__u8   flags;
	struct ebpfs_attr attr;
};

/**
 * struct ebpfs_statfs - the filesystem under an export
 * @blocks: in units of @bsize
 * @bfree: free
 * @bavail: free to others than root
 * @files: inodes
 * @ffree: free inodes
 * @fsid: constant for the filesystem
 * @bsize: bytes in a block
 * @namelen: longest name
 */
struct ebpfs_statfs {
	__le64 blocks;
	__le64 bfree;
	__le64 bavail;
	__le64 files;
	__le64 ffree;
	__le64 fsid;
	__le32 bsize;
	__le32 namelen;
};

#endif /* _UAPI_EBPFS_WIRE_H */

/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Served from the page cache: what ebpfsd lets the module answer by itself, and
 * what the serving program is told.
 *
 *	int bpf_ebpfs_serve_skb(struct __sk_buff *ctx,
 *				struct ebpfs_serve_opts *opts, u32 opts__sz);
 *
 * A program at TC ingress finds the IP header of what looks like a CALL of ebpfs
 * and calls the kfunc. If every call in it is a READ that is asked for the first time,
 * of a file that ebpfsd has granted to this user of this session, and all of its bytes
 * are in the page cache, the replies are sent at once, out of these pages, and the
 * program must drop the packet. Else nothing was done, the program must let it pass,
 * and ebpfsd answers. Once a second a datagram of each session passes in any case, so
 * that ebpfsd knows who is alive.
 *
 * ebpfsd opens /dev/ebpfs-serve (mode 0600) and tells by ioctl what it grants. All of
 * that ends when the file is closed, as it is when the daemon dies. Only descriptors
 * of files and sockets that the caller has are taken, and rights are judged as the
 * caller is: nobody can give away by this what he could not read.
 *
 * EBPFS_SERVE_SESSION: calls of this session may be answered. Errors: EEXIST; EINVAL;
 *	EBADF; ENOTSOCK: no UDP socket; ENOSPC: there are EBPFS_SERVE_SESSIONS; EOPNOTSUPP:
 *	the kernel has no fast code for the cipher.
 * EBPFS_SERVE_KEYS: keys of an epoch of a session with sec= integrity or privacy: without
 *	any, nothing of it is answered. The one before is kept for a while. Errors: ENOENT;
 *	EINVAL.
 * EBPFS_SERVE_END: no more of them, and its grants end. Error: ENOENT.
 * EBPFS_SERVE_GRANT: the user may read the file with this handle, until its ctime
 *	changes: rights do not change without. Does nothing if it may already. Errors:
 *	ENOENT: no such session; EINVAL; EBADF: not open for reading; EOPNOTSUPP: not a
 *	regular file of ext4, XFS, btrfs or tmpfs; EACCES: who calls must not read it;
 *	EAGAIN: its ctime is so young that the next change need not move it, or somebody is
 *	changing it; ENOSPC: there are EBPFS_SERVE_GRANTS.
 * EBPFS_SERVE_REVOKE: nobody may any more read the file with this handle, or any file
 *	if fh_len is 0. server_id, cred and file do not count.
 * EBPFS_SERVE_DESCRIBE: what statx(2) and name_to_handle_at(2) say of names of a directory,
 *	as getdents64(2) has listed them, in one call, each pair of answers of one file even
 *	if the name changes meanwhile. Has nothing to do with sessions, and mounts on the names
 *	are not looked at. Returns how many, which are all that fit unless it was interrupted.
 *	Errors: EINVAL; EFAULT; EBADF; ENOTDIR; those of one name are told with it.
 * EBPFS_SERVE_PEER: there is a session with this peer, served here or not. Does nothing if it
 *	was told before. Errors: EINVAL; ENOMEM, ENOSPC: from now on strangers are not told
 *	from peers.
 * EBPFS_SERVE_LEFT: there no longer is. Error: ENOENT.
 * EBPFS_SERVE_DOOR: this socket is where calls come in, and all peers were told: see "Filter
 *	at the door" in Documentation/design.md. Errors: EBADF; ENOTSOCK: no UDP socket;
 *	ENOSPC: there are EBPFS_SERVE_DOORS.
 *
 * END and REVOKE do not wait for a reply that is just being made.
 */
#ifndef _UAPI_EBPFS_SERVE_H
#define _UAPI_EBPFS_SERVE_H

#ifndef __VMLINUX_H__
#include <linux/ioctl.h>
#include <linux/stat.h>
#include <linux/types.h>
#endif

#define EBPFS_SERVE_DEVICE	"ebpfs-serve"
#define EBPFS_SERVE_SESSIONS	4096	/* most sessions of one daemon */
#define EBPFS_SERVE_GRANTS	65536	/* most grants of one daemon */
#define EBPFS_SERVE_FH		128	/* EBPFS_FH_MAX of the protocol */
#define EBPFS_SERVE_PEERS	131072	/* most peers of one daemon */
#define EBPFS_SERVE_DOORS	64	/* most sockets of one daemon */

/**
 * struct ebpfs_serve_session - a session whose calls may be answered
 * @server_id: the server's identity of it, which calls carry
 * @client_id: the client's, which replies carry
 * @peer: the client's address, IPv6 or IPv4 mapped
 * @local: ours, likewise
 * @scope: of a link-local address
 * @peer_port: network order
 * @slots: of the session
 * @socket: descriptor of the UDP socket that the calls go to
 * @instance: of every reply that is made here, older than any that ebpfsd will make
 * @sec: EBPFS_SEC_* of the protocol
 * @cipher: enum ebpfs_cipher, if it has keys
 */
struct ebpfs_serve_session {
	__u64 server_id;
	__u64 client_id;
	__u8  peer[16];
	__u8  local[16];
	__u32 scope;
	__be16 peer_port;
	__u16 slots;
	__s32 socket;
	__u32 instance;
	__u32 sec;
	__u32 cipher;
};

/**
 * struct ebpfs_serve_keys - secret
 * @server_id: session
 * @epoch: of them
 * @reserved: 0
 * @send: of the server's kernel
 * @receive: of the client
 */
struct ebpfs_serve_keys {
	__u64 server_id;
	__u16 epoch;
	__u16 reserved[3];
	__u8  send[32];
	__u8  receive[32];
};

/**
 * struct ebpfs_serve_grant - who may read what
 * @server_id: session
 * @cred: number of the user in it, 0 for the superuser
 * @file: descriptor, open for reading
 * @fh_len: bytes at @fh
 * @reserved: 0
 * @fh: handle
 */
struct ebpfs_serve_grant {
	__u64 server_id;
	__u32 cred;
	__s32 file;
	__u16 fh_len;
	__u16 reserved[3];
	__u8  fh[EBPFS_SERVE_FH];
};

/**
 * struct ebpfs_serve_peer - the other end of a session
 * @server_id: the server's identity of the session
 * @peer: the client's address, IPv6 or IPv4 mapped
 * @scope: of a link-local address
 * @peer_port: network order
 * @reserved: 0
 */
struct ebpfs_serve_peer {
	__u64 server_id;
	__u8  peer[16];
	__u32 scope;
	__be16 peer_port;
	__u16 reserved;
};

#ifndef __VMLINUX_H__
#define EBPFS_SERVE_HANDLE	104	/* bytes of a handle, most */

/**
 * struct ebpfs_serve_names - names of a directory
 * @dents: address of struct linux_dirent64, one behind the other
 * @files: address of struct ebpfs_serve_file, out, one for each
 * @dir: descriptor of the directory
 * @len: bytes at @dents
 * @count: room at @files
 * @reserved: 0
 */
struct ebpfs_serve_names {
	__u64 dents;
	__u64 files;
	__s32 dir;
	__u32 len;
	__u32 count;
	__u32 reserved;
};

/**
 * struct ebpfs_serve_file - what a name means
 * @error: 0, or an error number: then nothing else counts ("." and ".." have one)
 * @type: of the handle
 * @len: bytes of @handle
 * @handle: as in struct file_handle
 * @reserved: 0
 * @stat: STATX_BASIC_STATS, STATX_BTIME if it is known
 */
struct ebpfs_serve_file {
	__s32 error;
	__s32 type;
	__u32 len;
	__u8  handle[EBPFS_SERVE_HANDLE];
	__u32 reserved;
	struct statx stat;
};

#define EBPFS_SERVE_SESSION	_IOW(0xeb, 1, struct ebpfs_serve_session)
#define EBPFS_SERVE_END		_IOW(0xeb, 2, __u64)
#define EBPFS_SERVE_GRANT	_IOW(0xeb, 3, struct ebpfs_serve_grant)
#define EBPFS_SERVE_REVOKE	_IOW(0xeb, 4, struct ebpfs_serve_grant)
#define EBPFS_SERVE_DESCRIBE	_IOW(0xeb, 5, struct ebpfs_serve_names)
#define EBPFS_SERVE_KEYS	_IOW(0xeb, 6, struct ebpfs_serve_keys)
#define EBPFS_SERVE_PEER	_IOW(0xeb, 7, struct ebpfs_serve_peer)
#define EBPFS_SERVE_LEFT	_IOW(0xeb, 8, __u64)
#define EBPFS_SERVE_DOOR	_IOW(0xeb, 9, __s32)
#endif

/**
 * struct ebpfs_serve_opts - what the program tells and is told
 * @l3_off: in: offset of the IPv4 or IPv6 header from the start of the frame
 * @bytes: out: payload bytes of the replies
 * @calls: out: that were answered
 * @flags: in: enum ebpfs_door_flags of <ebpfs/steer.h>
 */
struct ebpfs_serve_opts {
	__u32 l3_off;
	__u32 bytes;
	__u32 calls;
	__u32 flags;
};

/**
 * enum ebpfs_serve_verdict - what the kfunc says; also the index of the program's counter
 * @EBPFS_SERVE_ANSWERED: taken: all of its calls were answered
 * @EBPFS_SERVE_PASS_OTHER: pass: no CALL of ebpfs, or not as it should be
 * @EBPFS_SERVE_PASS_SESSION: pass: no session that is served here
 * @EBPFS_SERVE_PASS_TURN: pass: it is ebpfsd's turn, once a second
 * @EBPFS_SERVE_PASS_OP: pass: holds another call than READ
 * @EBPFS_SERVE_PASS_AGAIN: pass: asked for before
 * @EBPFS_SERVE_PASS_GRANT: pass: not granted, or the file has changed since
 * @EBPFS_SERVE_PASS_CACHE: pass: not all of it is in the page cache
 * @EBPFS_SERVE_PASS_MEMORY: pass: no memory for the replies, or to open a guard, or no vector
 *	registers to encrypt by
 * @EBPFS_SERVE_PASS_KEY: pass: by keys that are not known here, or without a guard in a
 *	session that has keys
 * @EBPFS_SERVE_FORGED: taken: not authentic
 * @EBPFS_SERVE_REPLAYED: taken: came before
 * @EBPFS_SERVE_PASS_STRANGER: this and those that follow are as the verdicts of
 *	<ebpfs/steer.h> of the same names
 * @EBPFS_SERVE_DROP_FORM: drop
 * @EBPFS_SERVE_DROP_VERSION: drop
 * @EBPFS_SERVE_DROP_TYPE: drop
 * @EBPFS_SERVE_DROP_PEER: drop
 * @EBPFS_SERVE_DROP_SESSION: drop
 * @EBPFS_SERVE_DROP_REPLAY: drop
 * @EBPFS_SERVE_DROP_RATE: drop
 * @EBPFS_SERVE_VERDICTS: how many there is room for, a power of two
 */
enum ebpfs_serve_verdict {
	EBPFS_SERVE_ANSWERED		= 0,
	EBPFS_SERVE_PASS_OTHER		= 1,
	EBPFS_SERVE_PASS_SESSION	= 2,
	EBPFS_SERVE_PASS_TURN		= 3,
	EBPFS_SERVE_PASS_OP		= 4,
	EBPFS_SERVE_PASS_AGAIN		= 5,
	EBPFS_SERVE_PASS_GRANT		= 6,
	EBPFS_SERVE_PASS_CACHE		= 7,
	EBPFS_SERVE_PASS_MEMORY		= 8,
	EBPFS_SERVE_PASS_KEY		= 9,
	EBPFS_SERVE_FORGED		= 10,
	EBPFS_SERVE_REPLAYED		= 11,
	EBPFS_SERVE_PASS_STRANGER	= 12,
	EBPFS_SERVE_DROP_FORM		= 13,
	EBPFS_SERVE_DROP_VERSION	= 14,
	EBPFS_SERVE_DROP_TYPE		= 15,
	EBPFS_SERVE_DROP_PEER		= 16,
	EBPFS_SERVE_DROP_SESSION	= 17,
	EBPFS_SERVE_DROP_REPLAY		= 18,
	EBPFS_SERVE_DROP_RATE		= 19,
	EBPFS_SERVE_VERDICTS		= 32
};

/**
 * struct ebpfs_serve_row - one CPU's row in the program's statistics map
 * @packets: by verdict
 * @calls: answered
 * @bytes: payload bytes of replies
 * @errors: kfunc calls that returned a negative number
 * @pad: rows of different CPUs share no cache line
 */
struct ebpfs_serve_row {
	__u64 packets[EBPFS_SERVE_VERDICTS];
	__u64 calls;
	__u64 bytes;
	__u64 errors;
	__u64 pad[5];
};

#endif /* _UAPI_EBPFS_SERVE_H */

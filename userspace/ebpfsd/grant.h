/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel answers for us: READs of files that it has in its page cache, at the
 * network hook, where "ebpfsctl attach --serve" has put a program. Which session, user
 * and file that may be is granted here, through the module's device; the contract is
 * <ebpfs/serve.h>.
 *
 * A file is granted to a user of a session when it is read for the second time in a row
 * by the same, since most files are read once. The module ends a grant itself when the
 * file's attributes change. We take it back when the file's entry leaves the file cache,
 * or its permissions are changed through us; and all grants of a session with it, or when
 * its owner does not answer a recall: then it must not hear of us (hold.h).
 *
 * It is also told who has sessions and where we listen, so that programs may drop what does
 * not come from these ("Filter at the door" in Documentation/design.md).
 *
 * The device is open only while some interface has a program of ebpfs, since it holds the
 * module. They are looked for each second.
 *
 * Locking: a read-write lock around the descriptor, taken inside of all others. A grant
 * is told without any other, by a helper, since the kernel then judges the user and may
 * wait for a disk; all else that is told, and who only looks, does not wait for that. Who
 * closes the device does.
 */
#ifndef EBPFSD_GRANT_H
#define EBPFSD_GRANT_H

#include "core/platform.h"

struct ebpfs_call_info;
struct ebpfs_serve_file;
struct file;
struct job;
struct listener;
struct owner;
struct session;
struct sessions;

/**
 * grant_tick() - look for programs
 * @ss: sessions
 * @listeners: sockets, one for each address
 * @n: how many
 *
 * Call about every second, from one thread.
 */
void grant_tick(struct sessions *ss, const struct listener *listeners, unsigned int n);

/* The kernel may know @s as somebody's, until it has left. Both: sessions.lock held, so that
 * they come in this order. */
void grant_peer(const struct session *s);
void grant_peer_left(const struct session *s);

/* Close the device. */
void grant_stop(void);

/**
 * grant_read() - a READ was answered at once, from the page cache
 * @s: its session, locked
 * @c: the call
 * @file: read
 * @now: ms
 *
 * Return: true if a helper is to call grant_run() for it.
 */
bool grant_read(struct session *s, const struct ebpfs_call_info *c, struct file *file, u64 now);

/* Grants @job->file to the user of @job's call. @job stays the caller's. May wait for a
 * disk; no lock is held. */
void grant_run(struct job *job);

/* @s, locked, has new keys. */
void grant_session_rekeyed(struct session *s);

/* @s has ended. */
void grant_session_end(struct session *s);

/* @owner must not hear of us. owners.lock is held. */
void grant_owner_end(struct owner *owner);

/* Nobody may read @file any more without being asked for it. */
void grant_file_end(struct file *file);

/* Is the device open, so that grant_describe() may be worth a try? */
bool grant_device(void);

/**
 * grant_describe() - have the kernel describe names, EBPFS_SERVE_DESCRIBE
 * @dir: descriptor of the directory
 * @dents: from getdents64()
 * @len: bytes of them
 * @files: out
 * @room: of them
 *
 * May wait for a disk. Return: how many of the first names were, 0: it cannot.
 */
u32 grant_describe(int dir, const void *dents, u32 len, struct ebpfs_serve_file *files, u32 room);

#endif /* EBPFSD_GRANT_H */

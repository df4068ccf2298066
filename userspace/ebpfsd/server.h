/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything one running daemon consists of. Made by main() before threads
 * exist and taken down when they are gone; what changes in between has locks
 * of its own, see the headers of the parts.
 */
#ifndef EBPFSD_SERVER_H
#define EBPFSD_SERVER_H

#include <time.h>

#include "clients.h"
#include "core/handshake.h"
#include "export.h"
#include "files.h"
#include "grace.h"
#include "helper.h"
#include "hold.h"
#include "intent.h"
#include "lock.h"
#include "owner.h"
#include "session.h"
#include "watch.h"

/**
 * struct server - the daemon
 * @exports: directories
 * @clients: names and secrets
 * @files: open files
 * @sessions: of clients
 * @owners: of what is held, mounts of clients
 * @locks: of clients
 * @grace: for locks of before the start
 * @holds: open files and leases
 * @watch: what local processes change
 * @helpers: threads for what may wait
 * @handshake: cookie key
 * @handshake_rate: HELLO and AUTH of one source per second that a worker deals with, 0: all
 * @source_key: by which sources of datagrams are put into classes
 * @instance: random, of this start
 * @boot: of the machine, see struct ebpfs_accept
 * @verifier: of writes: @instance at first, another after each error of write-back;
 *	atomic
 * @intents: log of calls, NULL without one
 * @proc_fds: /proc/self/fd, -1 if nothing is writable
 */
struct server {
	struct exports exports;
	struct clients clients;
	struct files files;
	struct sessions sessions;
	struct owners owners;
	struct locks locks;
	struct grace grace;
	struct holds holds;
	struct watch watch;
	struct helpers helpers;
	struct ebpfs_hs_server handshake;
	u32 handshake_rate;
	u8 source_key[EBPFS_TAG_KEY_LEN];
	u64 instance;
	u32 boot;
	u64 verifier;
	struct intent_log *intents;
	int proc_fds;
};

/* What all that is written from now on is answered with, at least. Any thread. */
static inline u64 server_verifier(const struct server *srv)
{
	return __atomic_load_n(&srv->verifier, __ATOMIC_SEQ_CST);
}

/* Milliseconds of a monotonic clock, to a few of them. */
static inline u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (u64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif /* EBPFSD_SERVER_H */

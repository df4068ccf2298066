/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker: one thread, one io_uring, one UDP socket for each listen address.
 * All of it belongs to its thread, but for the eventfd that tells it to stop
 * and the listeners, through which helpers send too.
 */
#ifndef EBPFSD_WORKER_H
#define EBPFSD_WORKER_H

#include <liburing.h>
#include <semaphore.h>

#include "config.h"
#include "ops.h"
#include "send.h"

struct server;

#define WORKER_CACHE	64	/* sessions found lately */
#define WORKER_SOURCES	256	/* classes of addresses, to limit what they cause */
#define WORKER_READS	1024	/* READs that wait in the ring */

/**
 * struct source_count - what a class of sources caused lately
 * @window: when that began, ms
 * @count: how often since
 */
struct source_count {
	u64 window;
	u32 count;
};

/**
 * struct worker - one worker
 * @srv: server
 * @index: 0 for the first
 * @thread: its thread
 * @listeners: sockets
 * @nlisteners: how many
 * @ring: everything it waits for
 * @buffers: for datagrams, provided to the ring
 * @memory: of the buffers
 * @msg: shape of what a listener's datagrams bring along
 * @armed: listeners whose receive is in the ring
 * @stop_fd: eventfd, readable when the worker is to stop
 * @stopping: no more datagrams
 * @reads: READs waiting in the ring
 * @now: ms, of this round of the loop
 * @cache: sessions found lately, each with a reference
 * @seen: what was just written, in this round
 * @unknowns: UNKNOWN that was said, by source
 * @handshakes: HELLO and AUTH that were dealt with, likewise
 * @replies: that leave at the end of the round at the latest
 * @guarded: the datagram being dealt with had a guard, which was good
 * @scratch: for PROBE_ACK, a datagram that is not aligned, data in small pieces
 * @started: posted once, when the worker serves or has failed
 * @error: -errno if it could not start
 */
struct worker {
	struct server *srv;
	unsigned int index;
	pthread_t thread;
	struct listener listeners[CONFIG_LISTENS_MAX];
	unsigned int nlisteners;

	struct io_uring ring;
	struct io_uring_buf_ring *buffers;
	u8 *memory;
	struct msghdr msg[CONFIG_LISTENS_MAX];
	bool armed[CONFIG_LISTENS_MAX];
	int stop_fd;
	bool stopping;
	unsigned int reads;

	u64 now;
	struct session *cache[WORKER_CACHE];
	struct op_seen seen;
	struct source_count unknowns[WORKER_SOURCES];
	struct source_count handshakes[WORKER_SOURCES];
	struct replies replies;
	bool guarded;
	u8 scratch[65536] __attribute__((aligned(8)));
	sem_t *started;
	int error;
};

/* The thread. @arg: a worker whose srv, index, listeners, stop_fd and started are set. */
void *worker_run(void *arg);

/**
 * receive_datagrams() - everything that datagrams which came together cause
 * @w: worker
 * @r: where they came from
 * @p: their bytes, 8-aligned; what is encrypted is decrypted there
 * @len: how many
 * @segment: bytes of each but the last, 0 if there is one
 */
void receive_datagrams(struct worker *w, const struct route *r, u8 *p, u32 len, u32 segment);

/* Let go of the sessions in the cache. */
void worker_forget_sessions(struct worker *w);

/* handshake.c: each gets a datagram whose length and checksum are right. */
/* The clock of challenges, ns, monotonic. */
u64 handshake_clock(void);
void handshake_hello(struct worker *w, const struct route *r, const u8 *p, u32 len);
void handshake_auth(struct worker *w, const struct route *r, const u8 *p, u32 len);

/* A client's address in the form of struct peer. */
void peer_of(const struct route *r, struct peer *peer);

#endif /* EBPFSD_WORKER_H */

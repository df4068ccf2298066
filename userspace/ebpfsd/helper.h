/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helper threads: they execute the calls that may wait for a disk and that
 * io_uring has no operation for, so that a worker never waits. One bounded
 * queue for all workers, guarded by a mutex.
 */
#ifndef EBPFSD_HELPER_H
#define EBPFSD_HELPER_H

#include "core/platform.h"

struct job;
struct server;

#define HELPERS_MAX	64
#define HELPERS_QUEUE	4096	/* jobs waiting */

/**
 * struct helpers - the pool
 * @lock: protects all of it
 * @wake: something is in the queue, or @stop
 * @first: queue
 * @last: its end
 * @queued: jobs in it
 * @idle: threads that wait
 * @stop: end when the queue is empty
 * @srv: whose
 * @threads: @count of them
 * @count: how many
 */
struct helpers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first;
	struct job **last;
	unsigned int queued;
	unsigned int idle;
	bool stop;
	struct server *srv;
	pthread_t threads[HELPERS_MAX];
	unsigned int count;
};

/* Start @count threads. 0 or -errno. */
int helpers_start(struct helpers *h, struct server *srv, unsigned int count);

/* Queue a job. Return: false if the queue is full; the job is still the caller's. */
bool helpers_submit(struct helpers *h, struct job *job);

/* The same for a job that has been in a queue before, whatever its length, and before
 * all others. Return: false if helpers end; the job is still the caller's. */
bool helpers_resume(struct helpers *h, struct job *job);

/* Let them finish what is queued, and end. @deadline: on CLOCK_REALTIME.
 * Return: true if all have ended by then. */
bool helpers_stop(struct helpers *h, const struct timespec *deadline);

#endif /* EBPFSD_HELPER_H */

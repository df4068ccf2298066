/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls: judged by their session, executed at once, in the ring or by a
 * helper, and answered.
 */
#ifndef EBPFSD_SERVE_H
#define EBPFSD_SERVE_H

#include "hold.h"
#include "send.h"
#include "session.h"

struct file;
struct server;
struct user;
struct worker;

/**
 * struct job - a call whose execution outlives its datagram
 * @next: in the helpers' queue
 * @session: whose, with a reference; NULL: no call: @file is to be flushed or, without
 *	one, orphans are to be removed
 * @grant: @file is to be granted to who made the call, which was answered
 * @route: where the reply goes
 * @call: with copies of handle, name and attributes, and @data
 * @user: who acts, with a reference; NULL: the daemon's own root
 * @data: of the call, from data_alloc(), or NULL
 * @buf: for the reply; the slot's when it is done
 * @file: READ in the ring: with a reference
 * @done: READ in the ring: bytes so far
 * @change: what it holds and changes
 * @fh: the handle
 * @name: the name
 * @attr: attributes of a WRITEATTR
 */
struct job {
	struct job *next;
	struct session *session;
	bool grant;
	struct route route;
	struct ebpfs_call_info call;
	struct user *user;
	u8 *data;
	struct reply_buf buf;
	struct file *file;
	u32 done;
	struct hold_change change;
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
	u8 name[EBPFS_NAME_MAX + 1];
	u8 attr[sizeof(struct ebpfs_setattr)];
};

/* One call of @s, which is locked and alive. */
void serve_call(struct worker *w, struct session *s, const struct route *r,
		const struct ebpfs_call_info *c);

/* Fragments of a call's data, @f the first of @run; @s is locked and alive. Replies go
 * where the call came from. */
void serve_data(struct worker *w, struct session *s, const struct ebpfs_frag *f,
		const struct data_run *run);

/* A READ in @w's ring has ended with @res. */
void serve_read_done(struct worker *w, struct job *job, int res);

/* Execute and answer; consumes @job. In helper threads. */
void job_run(struct server *srv, struct job *job);

/* files.last: have a helper see to the data of a file that is closed. */
void serve_last(void *srv, struct file *file);

/* Drop a job that was not executed. */
void job_free(struct sessions *ss, struct job *job);

#endif /* EBPFSD_SERVE_H */

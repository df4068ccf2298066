// SPDX-License-Identifier: GPL-2.0
/*
 * From a call to its reply.
 *
 * A call of which everything is in memory is executed and answered at once,
 * within the session's lock; that is the short way of a small READ: slot,
 * open file, preadv2() into the slot's own buffer, sendmsg(). A READ that
 * lacks pages goes on in the worker's ring, anything else that might wait to a
 * helper thread. Both take the call along as a job, with a buffer of its own:
 * the slot may go on to another call meanwhile, and then the reply is dropped.
 *
 * A call that cannot be done just now (no memory, no descriptor, queues full)
 * is forgotten rather than answered with an error: the client asks again.
 */
#include <stdlib.h>
#include <sys/uio.h>

#include "ops.h"
#include "serve.h"
#include "server.h"
#include "stats.h"
#include "worker.h"

static void count_call(const struct ebpfs_call_info *c, const struct op_result *res)
{
	switch (c->op) {
	case EBPFS_OP_PING:
		stats_inc(calls_ping);
		break;
	case EBPFS_OP_GETATTR:
		stats_inc(calls_getattr);
		break;
	case EBPFS_OP_LOOKUP:
		stats_inc(calls_lookup);
		break;
	case EBPFS_OP_READDIR:
		stats_inc(calls_readdir);
		break;
	case EBPFS_OP_READLINK:
		stats_inc(calls_readlink);
		break;
	case EBPFS_OP_READ:
		stats_inc(calls_read);
		stats_add(read_bytes, res->total);
		break;
	case EBPFS_OP_STATFS:
		stats_inc(calls_statfs);
		break;
	}
	if (res->status)
		stats_inc(calls_failed);
}

/* Answer a call with what is in its slot's buffer. @s is locked. */
static void finish(struct session *s, const struct ebpfs_call_info *c, const struct op_result *res,
		   const struct route *r, u64 now)
{
	struct reply_buf *b = &s->bufs[EBPFS_ID_SLOT(c->id)];
	u64 cells;

	count_call(c, res);
	/* Only a job can be late, and that was asked before. */
	if (!ebpfs_served_done(&s->served, c->id, res->status, res->flags, res->total, &cells))
		return;
	b->used = (u32)now;
	send_reply(s, EBPFS_ID_SLOT(c->id), cells, b->data, r);
}

/* As if the call had not come. @s is locked. */
static void ask_again(struct session *s, const struct ebpfs_call_info *c)
{
	u64 cells;

	stats_inc(retries);
	if (ebpfs_served_done(&s->served, c->id, EAGAIN, 0, 0, &cells))
		ebpfs_served_forget(&s->served, EBPFS_ID_SLOT(c->id));
}

static bool ensure_buf(struct sessions *ss, struct reply_buf *b, u32 room)
{
	if (b->size >= room)
		return true;
	reply_buf_free(ss, b);
	return reply_buf_alloc(ss, b, room);
}

static struct job *job_new(struct session *s, const struct route *r,
			   const struct ebpfs_call_info *c)
{
	struct job *job = malloc(sizeof(*job));

	if (!job)
		return NULL;
	job->next = NULL;
	job->session = s;
	job->route = *r;
	job->call = *c;
	job->buf = (struct reply_buf){ 0 };
	job->file = NULL;
	job->done = 0;
	memcpy(job->fh, c->fh, c->fh_len);
	job->call.fh = job->fh;
	memcpy(job->name, c->name, c->name_len);
	job->call.name = job->name;
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return job;
}

static void job_free(struct server *srv, struct job *job)
{
	reply_buf_free(&srv->sessions, &job->buf);
	if (job->file)
		files_put(job->file);
	session_put(&srv->sessions, job->session);
	free(job);
}

/* The end of a job; consumes it. @res: NULL if the client is to ask again. */
static void job_end(struct server *srv, struct job *job, const struct op_result *res, u64 now)
{
	struct session *s = job->session;
	u16 slot = EBPFS_ID_SLOT(job->call.id);

	pthread_mutex_lock(&s->lock);
	if (s->dead || s->served.slots[slot].seq != EBPFS_ID_SEQ(job->call.id)) {
		stats_inc(drop_late);
	} else if (!res) {
		ask_again(s, &job->call);
	} else {
		struct reply_buf old = s->bufs[slot];

		s->bufs[slot] = job->buf;
		job->buf = old;
		finish(s, &job->call, res, &job->route, now);
	}
	pthread_mutex_unlock(&s->lock);
	job_free(srv, job);
}

void job_run(struct server *srv, struct job *job)
{
	struct op_result res;
	u64 now = now_ms();

	if (!ensure_buf(&srv->sessions, &job->buf, op_room(&job->call)) ||
	    op_run(srv, job->session->export, &job->call, job->buf.data, true, now, &res))
		job_end(srv, job, NULL, now);
	else
		job_end(srv, job, &res, now);
}

static void defer(struct worker *w, struct session *s, const struct route *r,
		  const struct ebpfs_call_info *c)
{
	struct job *job = job_new(s, r, c);

	if (job && helpers_submit(&w->srv->helpers, job)) {
		stats_inc(deferred);
		return;
	}
	if (job)
		job_free(w->srv, job);
	ask_again(s, c);
}

/* Ask the ring for what is missing of a READ. */
static bool submit_read(struct worker *w, struct job *job)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&w->ring);

	if (!sqe) {
		io_uring_submit(&w->ring);
		sqe = io_uring_get_sqe(&w->ring);
		if (!sqe)
			return false;
	}
	io_uring_prep_read(sqe, job->file->fd, job->buf.data + job->done,
			   job->call.count - job->done, job->call.arg + job->done);
	io_uring_sqe_set_data(sqe, job);
	w->reads++;
	return true;
}

void serve_read_done(struct worker *w, struct job *job, int n)
{
	struct op_result res = { 0 };

	w->reads--;
	if (n == -EAGAIN || n == -EINTR) {
		/* The ring gave up; a helper starts anew. */
		if (!helpers_submit(&w->srv->helpers, job))
			job_end(w->srv, job, NULL, w->now);
		return;
	}
	if (n > 0)
		job->done += (u32)n;
	else if (n < 0)
		res.status = (u16)-n;
	if (!res.status) {
		if (op_at_end(job->file, job->call.arg + job->done))
			res.flags = EBPFS_REPLY_EOF;
		else if (!n)
			/* It shrank, and grew again since: still, here it ended. */
			res.flags = EBPFS_REPLY_EOF;
		else if (job->done < job->call.count) {
			if (!submit_read(w, job))
				job_end(w->srv, job, NULL, w->now);
			return;
		}
		res.total = job->done;
	}
	job_end(w->srv, job, &res, w->now);
}

/* READ, as far as it goes without waiting. @b has room. Return: true if it was answered. */
static bool read_now(struct worker *w, struct session *s, const struct route *r,
		     const struct ebpfs_call_info *c, struct reply_buf *b)
{
	struct op_result res = { 0 };
	struct iovec iov = { b->data, c->count };
	struct file *file;
	struct job *job;
	ssize_t n;
	int err;

	file = files_get(&w->srv->files, s->export, c->fh, c->fh_len, true, w->now);
	if (!file) {
		if (!s->export->local ||
		    !files_expected(&w->srv->files, c->fh, c->fh_len, w->now))
			return false;
		err = files_open(&w->srv->files, s->export, c->fh, c->fh_len, true, w->now, &file);
		if (err == -EAGAIN)
			return false;
		if (err) {
			res.status = (u16)-err;
			finish(s, c, &res, r, w->now);
			return true;
		}
	}
	/* tmpfs knows no RWF_NOWAIT, and needs none. */
	n = preadv2(file->fd, &iov, 1, (off_t)c->arg, s->export->in_memory ? 0 : RWF_NOWAIT);
	if (n < 0 && errno != EAGAIN && errno != EOPNOTSUPP && errno != EINTR) {
		res.status = (u16)errno;
	} else {
		res.total = n < 0 ? 0 : (u32)n;
		if (n >= 0 && op_at_end(file, c->arg + res.total))
			res.flags = EBPFS_REPLY_EOF;
		else if (n != (ssize_t)c->count)
			goto ring;
	}
	files_put(file);
	stats_inc(read_cached);
	finish(s, c, &res, r, w->now);
	return true;
ring:
	job = w->reads < WORKER_READS ? job_new(s, r, c) : NULL;
	if (!job) {
		files_put(file);
		return false;
	}
	job->file = file;
	job->done = res.total;
	job->buf = *b;
	*b = (struct reply_buf){ 0 };
	if (submit_read(w, job)) {
		stats_inc(read_waited);
	} else {
		job_free(w->srv, job);
		ask_again(s, c);
	}
	return true;
}

static void execute(struct worker *w, struct session *s, const struct route *r,
		    const struct ebpfs_call_info *c)
{
	struct reply_buf *b = &s->bufs[EBPFS_ID_SLOT(c->id)];
	struct op_result res;

	if (c->op == EBPFS_OP_READDIR) {
		defer(w, s, r, c);
	} else if (!ensure_buf(&w->srv->sessions, b, op_room(c))) {
		ask_again(s, c);
	} else if (c->op == EBPFS_OP_READ) {
		if (!read_now(w, s, r, c, b))
			defer(w, s, r, c);
	} else if (!op_run(w->srv, s->export, c, b->data, false, w->now, &res)) {
		finish(s, c, &res, r, w->now);
	} else {
		defer(w, s, r, c);
	}
}

void serve_call(struct worker *w, struct session *s, const struct route *r,
		const struct ebpfs_call_info *c)
{
	u16 slot = EBPFS_ID_SLOT(c->id);
	u64 cells;

	switch (ebpfs_served_call(&s->served, c, &cells)) {
	case EBPFS_SERVE_EXECUTE:
		execute(w, s, r, c);
		break;
	case EBPFS_SERVE_GATHER:
		/* No operation that takes data is served yet. */
		stats_inc(drop_type);
		break;
	case EBPFS_SERVE_RESEND:
		stats_inc(resends);
		s->bufs[slot].used = (u32)w->now;
		send_reply(s, slot, cells, s->bufs[slot].data, r);
		break;
	case EBPFS_SERVE_IGNORE:
		stats_inc(repeats_running);
		break;
	case EBPFS_SERVE_STALE:
		stats_inc(drop_stale);
		break;
	case EBPFS_SERVE_BAD_SLOT:
		stats_inc(drop_slot);
		break;
	}
}

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
 * A call whose data come apart waits in gather.c until they are there, and is
 * executed by whatever datagram was the last one. If one receive brought all of a
 * WRITE's data they are not gathered, but written from where they lie.
 *
 * A call that others' leases are in the way of is parked until they were given back
 * (hold.h), and then executed by a helper as if it had just come.
 *
 * A call that cannot be done just now (no memory, no descriptor, queues full)
 * is forgotten rather than answered with an error: the client asks again. That
 * is so only before anything has been changed: once a call that must not be
 * executed twice has been executed, there is a reply, and it is kept.
 */
#include <stdlib.h>
#include <sys/uio.h>

#include "cred.h"
#include "export.h"
#include "gather.h"
#include "grant.h"
#include "ops.h"
#include "orphan.h"
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
	case EBPFS_OP_CRED:
		stats_inc(calls_cred);
		break;
	case EBPFS_OP_ACCESS:
		stats_inc(calls_access);
		break;
	case EBPFS_OP_CREATE:
		stats_inc(calls_create);
		break;
	case EBPFS_OP_TMPFILE:
		stats_inc(calls_tmpfile);
		break;
	case EBPFS_OP_REMOVE:
		stats_inc(calls_remove);
		break;
	case EBPFS_OP_RENAME:
		stats_inc(calls_rename);
		break;
	case EBPFS_OP_LINK:
		stats_inc(calls_link);
		break;
	case EBPFS_OP_SETATTR:
		stats_inc(calls_setattr);
		break;
	case EBPFS_OP_WRITE:
		stats_inc(calls_write);
		break;
	case EBPFS_OP_WRITEATTR:
		stats_inc(calls_writeattr);
		break;
	case EBPFS_OP_COMMIT:
		stats_inc(calls_commit);
		break;
	case EBPFS_OP_GETXATTR:
		stats_inc(calls_getxattr);
		break;
	case EBPFS_OP_LISTXATTR:
		stats_inc(calls_listxattr);
		break;
	case EBPFS_OP_SETXATTR:
		stats_inc(calls_setxattr);
		break;
	case EBPFS_OP_REMOVEXATTR:
		stats_inc(calls_removexattr);
		break;
	case EBPFS_OP_FALLOCATE:
		stats_inc(calls_fallocate);
		break;
	case EBPFS_OP_SEEK:
		stats_inc(calls_seek);
		break;
	case EBPFS_OP_COPY:
		stats_inc(calls_copy);
		break;
	case EBPFS_OP_APPEND:
		stats_inc(calls_append);
		break;
	case EBPFS_OP_RELEASE:
		stats_inc(calls_release);
		break;
	case EBPFS_OP_LOCK:
		stats_inc(calls_lock);
		break;
	}
	if (res->status)
		stats_inc(calls_failed);
}

static bool only_once(u16 op)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(op);

	return t && t->flags & EBPFS_TRAIT_ONCE;
}

/* Is its reply kept until the slot's next call? */
static bool kept_for_good(u16 op)
{
	return only_once(op) || op == EBPFS_OP_WRITE;
}

/* Of a large transfer: there are others like it, before it and behind it. */
static bool may_leave_later(const struct ebpfs_call_info *c, const struct op_result *res)
{
	_Static_assert(sizeof(struct ebpfs_reply) + sizeof(struct ebpfs_written) +
		       sizeof(struct ebpfs_guard) <= REPLIES_LEN &&
		       sizeof(struct ebpfs_written) <= EBPFS_CELL_MIN, "a short reply");

	return c->op == EBPFS_OP_WRITE && c->apart && res->total == sizeof(struct ebpfs_written);
}

/* Answer a call with what is in its slot's buffer. @s is locked. @w: the thread, NULL in a
 * helper. */
static void finish(struct worker *w, struct session *s, const struct ebpfs_call_info *c,
		   const struct op_result *res, const struct route *r, u64 now)
{
	struct reply_buf *b = &s->bufs[EBPFS_ID_SLOT(c->id)];
	u64 cells;

	count_call(c, res);
	/* Only a job can be late, and that was asked before. */
	if (!ebpfs_served_done(&s->served, c->id, res->status, res->flags, res->total, &cells))
		return;
	b->used = (u32)now;
	/* Nor may a WRITE be executed late again, over what was written since. */
	b->once = kept_for_good(c->op) && res->status != EBPFS_STATUS_CRED;
	if (w && may_leave_later(c, res))
		send_reply_later(&w->replies, s, EBPFS_ID_SLOT(c->id), b->data, r);
	else
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

/* @exactly: no larger than need be. */
static bool ensure_buf(struct sessions *ss, struct reply_buf *b, u32 room, bool exactly)
{
	if (b->size >= room && !(exactly && b->size > reply_buf_size(room)))
		return true;
	reply_buf_free(ss, b);
	return reply_buf_alloc(ss, b, room);
}

/**
 * struct incoming - a call that is to be executed, and what goes with it
 * @c: the call
 * @r: where the reply goes
 * @user: who acts, with a reference that is the caller's
 * @data: the call's data if they are memory of their own, else NULL; whoever
 *	keeps it sets this to NULL
 * @run: the call's data if they are not in one piece, else NULL; not to be kept
 */
struct incoming {
	const struct ebpfs_call_info *c;
	const struct route *r;
	struct user *user;
	u8 *data;
	const struct data_run *run;
};

/* @in: its data go to the job, copied if they are part of a datagram. */
static struct job *job_new(struct sessions *ss, struct session *s, struct incoming *in)
{
	const struct ebpfs_call_info *c = in->c;
	struct job *job = malloc(sizeof(*job));

	if (!job)
		return NULL;
	job->next = NULL;
	job->session = s;
	job->grant = false;
	job->route = *in->r;
	job->call = *c;
	job->data = NULL;
	if (c->data || in->run) {
		job->data = in->data ? in->data : data_alloc(ss, c->data_len);
		if (!job->data) {
			free(job);
			return NULL;
		}
		if (in->run)
			data_join(job->data, in->run, c->data_len);
		else if (!in->data)
			memcpy(job->data, c->data, c->data_len);
		in->data = NULL;
	}
	job->call.data = job->data;
	job->user = user_get(in->user);
	job->buf = (struct reply_buf){ 0 };
	job->file = NULL;
	job->done = 0;
	job->change = (struct hold_change){ .job = job };
	if (c->fh_len)
		memcpy(job->fh, c->fh, c->fh_len);
	job->call.fh = job->fh;
	if (c->name_len)
		memcpy(job->name, c->name, c->name_len);
	job->call.name = job->name;
	if (c->attr) {
		memcpy(job->attr, c->attr, sizeof(job->attr));
		job->call.attr = job->attr;
	}
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return job;
}

void job_free(struct sessions *ss, struct job *job)
{
	hold_cancel(&job->change);
	reply_buf_free(ss, &job->buf);
	data_free(ss, job->data, job->call.data_len);
	if (job->file)
		files_put(job->file);
	user_put(job->user);
	session_put(ss, job->session);
	free(job);
}

/* The end of a job; consumes it. @res: NULL if the client is to ask again. */
static void job_end(struct server *srv, struct job *job, const struct op_result *res, u64 now)
{
	struct session *s = job->session;
	u16 slot = EBPFS_ID_SLOT(job->call.id);

	pthread_mutex_lock(&s->lock);
	/* The owner of a session that is dead may live on, in another one. */
	if (s->dead || s->served.slots[slot].seq != EBPFS_ID_SEQ(job->call.id)) {
		stats_inc(drop_late);
		hold_late(job, res);
	} else if (!res) {
		ask_again(s, &job->call);
	} else {
		struct reply_buf old = s->bufs[slot];

		s->bufs[slot] = job->buf;
		job->buf = old;
		finish(NULL, s, &job->call, res, &job->route, now);
	}
	pthread_mutex_unlock(&s->lock);
	job_free(&srv->sessions, job);
}

void serve_last(void *arg, struct file *file)
{
	struct job *job = calloc(1, sizeof(*job));
	struct server *srv = arg;

	if (job) {
		job->file = file;
		if (helpers_submit(&srv->helpers, job))
			return;
		free(job);
	}
	/* Nobody will know whether its data arrive. */
	op_write_back_failed(srv, file->export, EAGAIN);
	files_put(file);
}

static void flush(struct server *srv, struct job *job)
{
	op_flush(srv, job->file);
	files_put(job->file);
	free(job);
}

/* Is nobody interested any more in a call that has waited? Who has lost what he held, or has
 * begun another session, must not change anything with what he sent before. */
static bool given_up(const struct job *job)
{
	struct session *s = job->session;
	bool up;

	pthread_mutex_lock(&s->lock);
	up = s->dead || s->served.slots[EBPFS_ID_SLOT(job->call.id)].seq !=
			EBPFS_ID_SEQ(job->call.id);
	pthread_mutex_unlock(&s->lock);
	return up;
}

bool op_given_up(const struct op *op)
{
	return op->change && op->change->job && given_up(op->change->job);
}

void job_run(struct server *srv, struct job *job)
{
	struct op_result res;
	u64 now = now_ms();
	struct op op = {
		.srv = srv,
		.user = job->user,
		.c = &job->call,
		.may_wait = true,
		.now = now,
		.change = &job->change,
	};
	int err = -ENOMEM;

	if (!job->session) {
		if (job->file) {
			flush(srv, job);
		} else {
			free(job);
			orphans_sweep(srv);
		}
		return;
	}
	if (job->grant) {
		grant_run(job);
		job_free(&srv->sessions, job);
		return;
	}
	op.e = job->session->export;
	op.owner = job->session->owner;
	if (given_up(job)) {
		job_end(srv, job, NULL, now);
		return;
	}
	if (ensure_buf(&srv->sessions, &job->buf, op_room(&job->call), false)) {
		op.buf = job->buf.data;
		do {
			err = intent_run(srv->intents, job->session->client, &op, &res);
			if (err != -EINPROGRESS)
				break;
			switch (hold_park(job)) {
			case HOLD_PARKED:
				return;
			case HOLD_GO:
				break;
			case HOLD_DROP:
				job_end(srv, job, NULL, now);
				return;
			}
		} while (true);
	}
	job_end(srv, job, err ? NULL : &res, now);
}

static void defer(struct worker *w, struct session *s, struct incoming *in)
{
	struct job *job = job_new(&w->srv->sessions, s, in);

	if (job && helpers_submit(&w->srv->helpers, job)) {
		stats_inc(deferred);
		return;
	}
	if (job)
		job_free(&w->srv->sessions, job);
	ask_again(s, in->c);
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
		if (op_at_end(job->file, job->call.arg + job->done)) {
			res.flags = EBPFS_REPLY_EOF;
		} else if (!n) {
			/* It shrank, and grew again since: still, here it ended. */
			res.flags = EBPFS_REPLY_EOF;
		} else if (job->done < job->call.count) {
			if (!submit_read(w, job))
				job_end(w->srv, job, NULL, w->now);
			return;
		}
		res.total = job->done;
	}
	job_end(w->srv, job, &res, w->now);
}

/* Nothing is lost if it is not done. */
static void defer_grant(struct worker *w, struct session *s, struct incoming *in,
			struct file *file)
{
	struct job *job = job_new(&w->srv->sessions, s, in);

	if (!job)
		return;
	job->grant = true;
	job->file = files_ref(file);
	if (!helpers_submit(&w->srv->helpers, job))
		job_free(&w->srv->sessions, job);
}

/* READ, as far as it goes without waiting. @b has room. Return: true if it was answered. */
static bool read_now(struct worker *w, struct session *s, struct incoming *in,
		     struct reply_buf *b)
{
	const struct ebpfs_call_info *c = in->c;
	struct op_result res = { 0 };
	struct iovec iov = { b->data, c->count };
	struct file *file;
	struct job *job;
	ssize_t n;
	int err;

	file = files_get(&w->srv->files, s->export, c->fh, c->fh_len, FILE_READ, w->now);
	if (!file) {
		if (!s->export->local ||
		    !files_expected(&w->srv->files, c->fh, c->fh_len, w->now))
			return false;
		err = files_open(&w->srv->files, s->export, c->fh, c->fh_len, FILE_READ, w->now,
				 &file);
		if (err == -EAGAIN)
			return false;
		if (err) {
			res.status = (u16)-err;
			finish(w, s, c, &res, in->r, w->now);
			return true;
		}
	}
	if (in->user && !file_granted(file, in->user, EBPFS_MAY_READ, w->now)) {
		files_put(file);
		return false;	/* who asks the kernel may have to wait */
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
	stats_inc(read_cached);
	finish(w, s, c, &res, in->r, w->now);
	if (!res.status && grant_read(s, c, file, w->now))
		defer_grant(w, s, in, file);
	files_put(file);
	return true;
ring:
	job = w->reads < WORKER_READS ? job_new(&w->srv->sessions, s, in) : NULL;
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
		job_free(&w->srv->sessions, job);
		ask_again(s, c);
	}
	return true;
}

/* A call without data, or with them in one piece, and a user. */
static void run(struct worker *w, struct session *s, struct incoming *in)
{
	const struct ebpfs_call_info *c = in->c;
	struct reply_buf *b = &s->bufs[EBPFS_ID_SLOT(c->id)];
	struct hold_change change = { 0 };
	struct op_result res;
	struct op op = {
		.srv = w->srv,
		.e = s->export,
		.owner = s->owner,
		.user = in->user,
		.c = c,
		.run = in->run,
		.seen = c->op == EBPFS_OP_WRITE ? &w->seen : NULL,
		.now = w->now,
		.change = &change,
	};

	if (!op.seen)
		w->seen.e = NULL;
	if (c->op != EBPFS_OP_READ && c->op != EBPFS_OP_PING && !op_quick(s->export, c->op)) {
		defer(w, s, in);
		return;
	}
	if (!ensure_buf(&w->srv->sessions, b, op_room(c), kept_for_good(c->op))) {
		ask_again(s, c);
		return;
	}
	op.buf = b->data;
	if (c->op == EBPFS_OP_READ) {
		if (!read_now(w, s, in, b))
			defer(w, s, in);
	} else if (!intent_run(w->srv->intents, s->client, &op, &res)) {
		finish(w, s, c, &res, in->r, w->now);
	} else {
		defer(w, s, in);
	}
}

/* Who acts in @c, with a reference; NULL for the daemon's own root. False: not known. */
static bool find_user(struct session *s, const struct ebpfs_call_info *c, struct user **user)
{
	const struct export *e = s->export;

	*user = NULL;
	if (c->cred && c->op != EBPFS_OP_PING) {
		*user = creds_find(&s->creds, c->cred);
		return *user;
	}
	*user = user_get(e->superuser);
	return true;
}

/* @data: those of @c if they are memory of their own; consumed. @pieces: those of @c if they
 * are not in one piece. */
static void execute(struct worker *w, struct session *s, const struct route *r,
		    const struct ebpfs_call_info *c, u8 *data,
		    const struct data_run *pieces)
{
	struct incoming in = { .c = c, .r = r, .data = data, .run = pieces };
	struct op_result res = { 0 };

	if (c->op == EBPFS_OP_CRED) {
		int err = creds_store(&s->creds, s->export, (u32)c->arg, c->data, c->data_len);

		if (err == -ENOMEM) {
			ask_again(s, c);
		} else {
			res.status = (u16)-err;
			finish(w, s, c, &res, r, w->now);
		}
	} else if (!find_user(s, c, &in.user)) {
		stats_inc(creds_unknown);
		res.status = EBPFS_STATUS_CRED;
		finish(w, s, c, &res, r, w->now);
	} else {
		run(w, s, &in);
		user_put(in.user);
	}
	data_free(&w->srv->sessions, in.data, c->data_len);
}

/* A call came before all of its data; @missing: what to tell the client, 0: nothing. */
static void wait_for_data(struct worker *w, struct session *s, const struct route *r,
			  const struct ebpfs_call_info *c, u64 missing)
{
	struct incoming in = { .c = c, .r = r };
	u8 buf[sizeof(struct ebpfs_need) + sizeof(struct ebpfs_guard)] __attribute__((aligned(8)));
	struct ebpfs_need_info need = {
		.id = c->id,
		.missing = missing,
		.cell = s->served.slots[EBPFS_ID_SLOT(c->id)].data_cell,
		.attempt = c->attempt,
	};

	/* Without memory for the call, its next repetition may be luckier. */
	gather_wait(&w->srv->sessions, s, c->id, job_new(&w->srv->sessions, s, &in), w->now);
	if (!missing)
		return;
	send_datagram(r, buf, session_close(s, buf, ebpfs_put_need(buf, s->client_id, &need)));
	stats_inc(needs_sent);
}

void serve_call(struct worker *w, struct session *s, const struct route *r,
		const struct ebpfs_call_info *c)
{
	struct sessions *ss = &w->srv->sessions;
	u16 slot = EBPFS_ID_SLOT(c->id);
	struct ebpfs_call_info whole;
	u64 cells;
	u8 *data;

	switch (ebpfs_served_call(&s->served, c, &cells)) {
	case EBPFS_SERVE_EXECUTE:
		if (!c->apart) {
			/* Or another attempt had its data apart. */
			gather_give_up(ss, s, slot, EBPFS_ID_SEQ(c->id) + 1);
			execute(w, s, r, c, NULL, NULL);
			break;
		}
		data = gather_take(ss, s, c->id, c->data_len, NULL);
		whole = *c;
		whole.data = data;
		if (data)
			execute(w, s, r, &whole, data, NULL);
		else
			ask_again(s, c);
		break;
	case EBPFS_SERVE_GATHER:
		gather_give_up(ss, s, slot, EBPFS_ID_SEQ(c->id));
		wait_for_data(w, s, r, c, cells);
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

/* The last fragment of data came after its call. */
static void data_complete(struct worker *w, struct session *s, const struct ebpfs_frag *f)
{
	struct sessions *ss = &w->srv->sessions;
	struct ebpfs_call_info c = { .id = f->id };
	struct job *call;
	u8 *data;

	data = gather_take(ss, s, f->id, f->total, &call);
	if (call && data) {
		c = call->call;
		c.data = data;
		execute(w, s, &call->route, &c, data, NULL);
	} else {
		data_free(ss, data, f->total);
		ask_again(s, &c);
	}
	if (call)
		job_free(ss, call);
}

/* Fewer bytes cost the kernel more as a piece of their own than a copy. */
#define PIECE_MIN	4096

/* @run is all of a call's data, and the call is there. Return: false if it has to be
 * gathered all the same. */
static bool data_direct(struct worker *w, struct session *s, const struct ebpfs_frag *f,
			const struct data_run *run)
{
	struct sessions *ss = &w->srv->sessions;
	struct job *call = s->gathers[EBPFS_ID_SLOT(f->id)].call;
	struct ebpfs_call_info c;

	if (!call || call->call.op != EBPFS_OP_WRITE)
		return false;
	data_free(ss, gather_take(ss, s, f->id, f->total, &call), f->total);
	if (!call)
		return false;
	c = call->call;
	if (run->n == 1) {
		c.data = run->first;
	} else if (run->cell < PIECE_MIN) {
		data_join(w->scratch, run, f->total);
		c.data = w->scratch;
	}
	execute(w, s, &call->route, &c, NULL, c.data ? NULL : run);
	job_free(ss, call);
	return true;
}

void serve_data(struct worker *w, struct session *s, const struct ebpfs_frag *f,
		const struct data_run *run)
{
	enum ebpfs_take what;
	u64 cells;

	what = ebpfs_served_data_run(&s->served, f, run->n, &cells);
	stats_add(data_in, hweight64(cells));
	switch (what) {
	case EBPFS_TAKE_MORE:
	case EBPFS_TAKE_READY:
		stats_add(data_duplicate, run->n - hweight64(cells));
		if (what == EBPFS_TAKE_READY && cells == ebpfs_cell_set(f->ncells) &&
		    data_direct(w, s, f, run))
			break;
		if (!gather_put(&w->srv->sessions, s, f, run, cells, w->now))
			stats_inc(data_refused);
		if (what == EBPFS_TAKE_READY)
			data_complete(w, s, f);
		break;
	case EBPFS_TAKE_DUPLICATE:
		stats_add(data_duplicate, run->n);
		break;
	case EBPFS_TAKE_STALE:
		stats_add(drop_stale, run->n);
		break;
	case EBPFS_TAKE_BAD:
		stats_add(drop_data, run->n);
		break;
	}
}

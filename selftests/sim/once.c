// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that must not be executed twice, also across the death of a server: the log of
 * intents, and files that keep what was done to them. Plays userspace/ebpfsd/intent.c,
 * settle.c, ops_change.c and ops_space.c.
 *
 * Each step of such a call is an event of its own: its place in the log, the file's
 * lock, the intent, the change, the note that it is made, the result, the end. Before
 * each of them the server may be killed (and, of course, whenever fate wants it). What
 * the log has, and what was done to the files, is there for its next life.
 *
 * Each server has files of its own. That is what is promised: servers do not know what
 * others have done. What can be confused by others who change the very same name before
 * the call comes again does not happen here: names of CREATE, REMOVE, RENAME and LINK are
 * their call's own. Appends, space and attributes are not, and appended bytes are often
 * the same as those of others.
 */
#include <stddef.h>

#include "sim.h"

#define RECORDS		128	/* of a log: more than a client makes calls */
#define ATTRS		3	/* names of extended attributes */
#define PAGE		EBPFS_APPEND_PAGE

/**
 * struct grown - a file that is appended to
 * @bytes: @size of them
 * @room: for so many
 * @size: as it is
 * @truth: as it is without what a kill has left half written
 */
struct grown {
	u8 *bytes;
	u32 room;
	u32 size;
	u32 truth;
};

/**
 * struct shelf - what outlives a server's death
 * @owners: of the logs
 * @logs: one for each client
 * @records: theirs
 * @busy: theirs
 * @grown: files that are appended to
 * @space: sizes of files that ranges are put into and taken out of
 * @attr: values of extended attributes, 0: none
 * @locked: by a call that is being executed; not what outlives
 * @handles: counts files made
 */
struct shelf {
	struct ebpfs_intent_owner owners[SIM_CLIENTS_MAX];
	struct ebpfs_intents logs[SIM_CLIENTS_MAX];
	struct ebpfs_intent *records[SIM_CLIENTS_MAX];
	u64 *busy[SIM_CLIENTS_MAX];
	struct grown grown[SIM_FILES_MAX];
	u64 space[SIM_FILES_MAX];
	u8 attr[SIM_FILES_MAX][ATTRS];
	bool locked[SIM_FILES_MAX];
	u64 handles;
};

/* The note of an intent: where to look. */
struct note {
	u16 file;
	u16 attr;
	u32 ncuts;
	u32 cuts[EBPFS_APPEND_CUTS];
};

/* A reply as it is kept in the log. */
struct kept_reply {
	u32 serial;
	u32 version;
	u64 value;
	u32 total;
	u32 flags;
};

enum step {
	BEGIN,
	LOCK,
	APPLY,
	NOTE,
	RESULT,
	END,
};

/**
 * struct run - an execution
 * @ss: session
 * @epoch: life of the server
 * @r: the request meant
 * @x: what becomes of it
 * @log: of its client
 * @at: its record
 * @former: what an earlier life wrote, if @begun
 * @begun: there is such
 * @written: an intent was written in this life
 * @answer: tells the server's slots
 */
struct run {
	struct ssession *ss;
	u32 epoch;
	struct request *r;
	struct exec *x;
	struct ebpfs_intents *log;
	u32 at;
	struct ebpfs_intent former;
	bool begun;
	bool written;
	once_answer answer;
};

static void go_on(struct world *w, void *obj, u64 step);

/* The bytes that a request appends: few kinds, so that they are not its own. */
static u32 appended(const struct request *r, u8 *to)
{
	static const u32 lens[] = { 5, 5, 1000, PAGE, 2 * PAGE + 100, 5 };
	u32 kind = r->serial % ARRAY_SIZE(lens), i;

	for (i = 0; i < lens[kind]; i++)
		to[i] = (u8)('a' + kind / 2 + i % 7);
	return lens[kind];
}

static u64 space_after(const struct request *r, u64 size)
{
	return r->serial % 2 ? size + PAGE : size - PAGE;
}

/* What may be done again, as long as it is not known to be done. */
static bool repeatable(u16 op)
{
	return op == EBPFS_OP_COPY || op == EBPFS_OP_SETATTR || op == EBPFS_OP_WRITEATTR;
}

/* What is looked for in files that others change, too, and so at the start. */
static bool settled_at_start(u16 op)
{
	return op == EBPFS_OP_APPEND || op == EBPFS_OP_FALLOCATE || op == EBPFS_OP_SETXATTR ||
	       op == EBPFS_OP_REMOVEXATTR;
}

static void resize(struct world *w, struct grown *g, u32 size)
{
	if (size > g->room) {
		u32 room = 2 * size + 4096;
		u8 *bytes = arena_raw(w, room);

		if (g->size)
			memcpy(bytes, g->bytes, g->size);
		g->bytes = bytes;
		g->room = room;
	}
	g->size = size;
}

/* What the file of an intent says about it. */
static enum ebpfs_intent_verdict look(struct world *w, struct shelf *shelf,
				      const struct ebpfs_intent *f)
{
	struct ebpfs_append_mark append;
	struct ebpfs_shift_mark shift;
	struct ebpfs_value_mark value;
	enum ebpfs_intent_verdict v;
	struct grown *g;
	struct note n;

	memcpy(&n, f->reply, sizeof(n));
	switch (f->op) {
	case EBPFS_OP_APPEND:
		memcpy(&append, f->a, sizeof(append));
		g = &shelf->grown[n.file];
		v = ebpfs_append_judge(&append, n.cuts, n.ncuts, g->size, g->bytes + append.size);
		if (v == EBPFS_WAS_TORN) {
			COUNT(w, once_torn);
			resize(w, g, (u32)append.size);
		}
		return v == EBPFS_WAS_DONE ? v : EBPFS_WAS_NOT_DONE;
	case EBPFS_OP_FALLOCATE:
		memcpy(&shift, f->a, sizeof(shift));
		return ebpfs_shift_judge(&shift, shelf->space[n.file]);
	default:
		memcpy(&value, f->a, sizeof(value));
		return ebpfs_value_judge(&value, shelf->attr[n.file][n.attr] ?
					 &shelf->attr[n.file][n.attr] : NULL, 1);
	}
}

/* A server starts: what did its former life die over? */
void once_start(struct world *w, struct server *s)
{
	struct shelf *shelf = s->shelf;
	u64 done = 1;
	u32 i, j;

	if (!shelf) {
		shelf = arena_alloc(w, sizeof(*shelf));
		s->shelf = shelf;
		for (i = 0; i < SIM_FILES_MAX; i++)
			shelf->space[i] = 1ull << 40;
		return;
	}
	memset(shelf->locked, 0, sizeof(shelf->locked));
	for (i = 0; i < SIM_CLIENTS_MAX; i++) {
		struct ebpfs_intents *log = &shelf->logs[i];

		if (!shelf->records[i])
			continue;
		memset(shelf->busy[i], 0, RECORDS * sizeof(*shelf->busy[i]));
		ebpfs_intents_init(log, shelf->records[i], shelf->busy[i], RECORDS);
		for (j = 0; j < RECORDS; j++) {
			const struct ebpfs_intent *f = &log->records[j];

			if (!ebpfs_intent_open(f) || !settled_at_start(f->op) ||
			    !ebpfs_intent_has_note(f))
				continue;
			COUNT(w, once_settled);
			if (look(w, shelf, f) == EBPFS_WAS_DONE)
				ebpfs_intent_effect(log, j, (u8 *)&done, sizeof(done));
			else
				ebpfs_intent_drop(log, j);
		}
	}
}

static void answer(struct world *w, struct run *run, bool busy)
{
	run->answer(w, run->ss, run->epoch, run->x, busy);
}

/* The next step, if the server lives to see it. */
static void then(struct world *w, struct run *run, enum step step)
{
	if (!w->healed && chance(w, w->cfg.once_kill)) {
		COUNT(w, once_kills);
		TRACE(w, "once  server %lu is killed before step %lu of request %lu",
		      run->ss->server->index, step, run->r->serial);
		chaos_crash(w, run->ss->server, 20 * MSEC);
	} else if (chance(w, 5000)) {
		go_on(w, run, step);
	} else {
		u64 time = chance(w, 9000) ? 50 * USEC : w->cfg.exec_time;

		/* Long enough for the call to come in another session meanwhile. */
		if (chance(w, 50))
			time = w->cfg.slow_exec_time;
		schedule(w, rnd_time(w, time), go_on, run, step);
	}
}

static void begin(struct world *w, struct run *run)
{
	struct server *s = run->ss->server;
	struct shelf *shelf = s->shelf;
	const struct client *c = run->ss->client;
	u8 key[EBPFS_INTENT_MARK] = { 0 };
	struct kept_reply kept;
	bool fresh;
	u32 i;

	memcpy(key, &c->index, sizeof(c->index));
	memcpy(key + 8, &run->r->serial, sizeof(run->r->serial));
	i = ebpfs_intent_owner(shelf->owners, shelf->logs, SIM_CLIENTS_MAX, c->name,
			       w->now / SEC + 1, &fresh);
	if (fresh) {
		CHECK(w, !shelf->records[i], "a client that is there keeps its log",
		      "server %u log %u", s->index, i);
		shelf->records[i] = arena_alloc(w, RECORDS * sizeof(*shelf->records[i]));
		shelf->busy[i] = arena_alloc(w, RECORDS * sizeof(*shelf->busy[i]));
		ebpfs_intents_init(&shelf->logs[i], shelf->records[i], shelf->busy[i], RECORDS);
		ebpfs_intent_owner_set(&shelf->owners[i], c->name, w->now / SEC + 1);
	}
	run->log = &shelf->logs[i];
	switch (ebpfs_intent_begin(run->log, run->r->op_id, key, run->r->op, &run->at,
				   &run->former)) {
	case EBPFS_INTENT_BUSY:
		COUNT(w, once_busy);
		answer(w, run, true);
		return;
	case EBPFS_INTENT_DONE:
		COUNT(w, once_known);
		memcpy(&kept, run->former.reply, sizeof(kept));
		CHECK(w, run->former.status ||
		      (run->former.total == sizeof(kept) && kept.serial == run->r->serial),
		      "the log has the reply of the call that is asked for",
		      "request %u gets that of %u", run->r->serial, kept.serial);
		run->x->status = run->former.status;
		if (!run->x->status) {
			run->x->version = kept.version;
			run->x->value = kept.value;
			run->x->total = kept.total;
			run->x->flags = (u16)kept.flags;
		}
		answer(w, run, false);
		return;
	case EBPFS_INTENT_BEGUN:
		COUNT(w, once_begun);
		run->begun = true;
		break;
	case EBPFS_INTENT_NEW:
		break;
	}
	then(w, run, LOCK);
}

static struct deed *deed_of(const struct run *run)
{
	return &run->r->deeds[run->ss->server->index];
}

static u32 attr_of(const struct request *r)
{
	return r->serial % ATTRS;
}

static u8 value_of(const struct request *r)
{
	return (u8)(1 + r->serial % 2);
}

/* Was it done by an earlier life? */
static bool recognised(struct world *w, struct run *run)
{
	const struct ebpfs_intent *f = &run->former;
	struct deed *d = deed_of(run);
	u64 handle;

	if (!run->begun)
		return false;
	if (run->r->op == EBPFS_OP_CREATE) {
		memcpy(&handle, f->fh, sizeof(handle));
		return ebpfs_intent_has_effect(f) && d->changed && d->handle == handle;
	}
	if (ebpfs_intent_has_effect(f))
		return true;
	if (settled_at_start(run->r->op))
		return look(w, run->ss->server->shelf, f) == EBPFS_WAS_DONE;
	if (repeatable(run->r->op)) {
		d->allowed = d->applied + 1;
		return false;
	}
	return d->changed;
}

/* The error that a call gets before it would change anything. */
static u16 refused(const struct run *run)
{
	const struct shelf *shelf = run->ss->server->shelf;
	const struct request *r = run->r;

	switch (r->op) {
	case EBPFS_OP_CREATE:
	case EBPFS_OP_LINK:
		return deed_of(run)->changed ? EEXIST : 0;
	case EBPFS_OP_REMOVE:
	case EBPFS_OP_RENAME:
		return deed_of(run)->changed ? ENOENT : 0;
	case EBPFS_OP_SETXATTR:
		return shelf->attr[r->file][attr_of(r)] ? EEXIST : 0;
	case EBPFS_OP_REMOVEXATTR:
		return shelf->attr[r->file][attr_of(r)] ? 0 : ENODATA;
	default:
		return 0;
	}
}

static u8 bytes[3 * PAGE];

static void intend(struct run *run)
{
	struct shelf *shelf = run->ss->server->shelf;
	const struct request *r = run->r;
	struct ebpfs_intent i = { .op_id = r->op_id, .op = r->op };
	struct note n = { .file = r->file, .attr = (u16)attr_of(r) };
	struct ebpfs_append_mark append;
	struct ebpfs_shift_mark shift;
	struct ebpfs_value_mark value;
	u8 v = value_of(r);
	u64 handle;

	memcpy(i.key, &r->client->index, sizeof(r->client->index));
	memcpy(i.key + 8, &r->serial, sizeof(r->serial));
	switch (r->op) {
	case EBPFS_OP_APPEND:
		n.ncuts = ebpfs_append_mark(&append, n.cuts, shelf->grown[r->file].size, bytes,
					    appended(r, bytes));
		memcpy(i.a, &append, sizeof(append));
		break;
	case EBPFS_OP_FALLOCATE:
		shift.before = shelf->space[r->file];
		shift.after = space_after(r, shift.before);
		memcpy(i.a, &shift, sizeof(shift));
		break;
	case EBPFS_OP_SETXATTR:
	case EBPFS_OP_REMOVEXATTR:
		ebpfs_value_mark(&value, &v, 1, r->op == EBPFS_OP_REMOVEXATTR);
		memcpy(i.a, &value, sizeof(value));
		break;
	}
	ebpfs_intent_write(run->log, run->at, &i, &n, sizeof(n));
	run->written = true;
	if (r->op == EBPFS_OP_CREATE) {
		/* Made without a name, which comes with the next step. */
		handle = ++shelf->handles;
		deed_of(run)->handle = handle;
		ebpfs_intent_effect(run->log, run->at, (u8 *)&handle, sizeof(handle));
	}
}

static void unlock(struct run *run)
{
	run->ss->server->shelf->locked[run->r->file] = false;
}

static void lock(struct world *w, struct run *run)
{
	struct shelf *shelf = run->ss->server->shelf;

	if (shelf->locked[run->r->file]) {
		COUNT(w, once_waited);
		schedule(w, 20 * USEC + rnd_time(w, MSEC), go_on, run, LOCK);
		return;
	}
	shelf->locked[run->r->file] = true;
	if (recognised(w, run)) {
		COUNT(w, once_recognised);
	} else {
		run->x->status = refused(run);
		if (!run->x->status) {
			intend(run);
			then(w, run, APPLY);
			return;
		}
	}
	unlock(run);
	then(w, run, RESULT);
}

/* Bytes to the end of a file. A kill breaks the write off, or comes afterwards. */
static bool append(struct world *w, struct run *run)
{
	struct grown *g = &run->ss->server->shelf->grown[run->r->file];
	u32 len = appended(run->r, bytes), size = g->size, part;

	CHECK(w, g->size == g->truth, "nothing is left of what was broken off",
	      "server %u file %u: %u bytes, should be %u", run->ss->server->index, run->r->file,
	      g->size, g->truth);
	part = PAGE - size % PAGE + PAGE * rnd(w, 2);
	if (!w->healed && part < len && chance(w, w->cfg.once_kill)) {
		resize(w, g, size + part);
		memcpy(g->bytes + size, bytes, part);
		COUNT(w, once_kills);
		TRACE(w, "once  server %lu is killed amid the append of request %lu",
		      run->ss->server->index, run->r->serial);
		chaos_crash(w, run->ss->server, 20 * MSEC);
		return false;
	}
	resize(w, g, size + len);
	memcpy(g->bytes + size, bytes, len);
	g->truth = g->size;
	return true;
}

static void apply(struct world *w, struct run *run)
{
	struct shelf *shelf = run->ss->server->shelf;
	struct request *r = run->r;
	struct deed *d = deed_of(run);

	switch (r->op) {
	case EBPFS_OP_APPEND:
		if (!append(w, run))
			return;
		break;
	case EBPFS_OP_FALLOCATE:
		shelf->space[r->file] = space_after(r, shelf->space[r->file]);
		break;
	case EBPFS_OP_SETXATTR:
		shelf->attr[r->file][attr_of(r)] = value_of(r);
		break;
	case EBPFS_OP_REMOVEXATTR:
		shelf->attr[r->file][attr_of(r)] = 0;
		break;
	default:
		d->changed = true;
		break;
	}
	d->applied++;
	COUNT(w, once_done);
	TRACE(w, "once  request %lu op %lu is done at server %lu", r->serial, r->op,
	      run->ss->server->index);
	if (!d->allowed)
		d->allowed = 1;
	CHECK(w, d->applied <= d->allowed, "nothing is done twice",
	      "request %u op %u is done again by server %u", r->serial, r->op,
	      run->ss->server->index);
	then(w, run, NOTE);
}

static void note(struct world *w, struct run *run)
{
	u64 done = 1;

	if (settled_at_start(run->r->op) || repeatable(run->r->op))
		ebpfs_intent_effect(run->log, run->at, (u8 *)&done, sizeof(done));
	unlock(run);
	then(w, run, RESULT);
}

static void result(struct world *w, struct run *run)
{
	struct exec *x = run->x;
	struct kept_reply kept = { .serial = run->r->serial };

	if (!x->status)
		exec_run(w, x);
	kept.version = x->version;
	kept.value = x->value;
	kept.total = x->total;
	kept.flags = x->flags;
	if (run->written || run->begun)
		ebpfs_intent_result(run->log, run->at, x->status, 0, &kept, sizeof(kept));
	then(w, run, END);
}

static void go_on(struct world *w, void *obj, u64 step)
{
	struct run *run = obj;

	if (run->epoch != run->ss->server->epoch)
		return;
	switch ((enum step)step) {
	case BEGIN:
		begin(w, run);
		break;
	case LOCK:
		lock(w, run);
		break;
	case APPLY:
		apply(w, run);
		break;
	case NOTE:
		note(w, run);
		break;
	case RESULT:
		result(w, run);
		break;
	case END:
		ebpfs_intent_end(run->log, run->at, false);
		answer(w, run, false);
		break;
	}
}

void once_execute(struct world *w, struct ssession *ss, u32 epoch, struct exec *x,
		  once_answer fn)
{
	struct run *run = arena_alloc(w, sizeof(*run));

	run->ss = ss;
	run->epoch = epoch;
	run->r = w->by_serial[x->serial];
	run->x = x;
	run->answer = fn;
	COUNT(w, once_calls);
	go_on(w, run, BEGIN);
}

/* A request is answered: is what it hears what happened? */
void once_check(struct world *w, const struct request *r, const struct server *s, u16 status)
{
	const struct deed *d = &r->deeds[s->index];

	COUNT(w, once_answered);
	CHECK(w, status || d->applied, "nothing is lost",
	      "request %u op %u is answered as done by server %u, which has not done it",
	      r->serial, r->op, s->index);
	CHECK(w, !status || !d->applied, "what was done is not refused",
	      "request %u op %u: server %u has done it, and answers %u", r->serial, r->op,
	      s->index, status);
}

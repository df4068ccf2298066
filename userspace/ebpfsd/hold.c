// SPDX-License-Identifier: GPL-2.0
/*
 * What is held, and calls that wait for it; see hold.h.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "export.h"
#include "hold.h"
#include "log.h"
#include "ops.h"
#include "orphan.h"
#include "owner.h"
#include "serve.h"
#include "server.h"
#include "stats.h"

#define TICK		1000	/* ms, for orphans */
#define DROP_BATCH	32	/* of an owner that ended, without giving way */
#define VICTIM_MOST	(8 << 20)	/* bytes of a file that a worker removes */

/**
 * struct hold_owner - owner->holds
 * @core: what it holds
 * @owner: whose
 * @parked: jobs of it that wait
 */
struct hold_owner {
	struct ebpfs_holder core;
	struct owner *owner;
	u32 parked;
};

static u64 now_ns(void)
{
	return now_ms() * EBPFS_NSEC_PER_MSEC;
}

int holds_init(struct holds *hs, struct server *srv, u64 lease, u32 max, u32 max_parked)
{
	struct ebpfs_holds *t = &hs->table;
	pthread_condattr_t attr;
	u32 buckets = 1;
	unsigned int i;

	memset(hs, 0, sizeof(*hs));
	hs->srv = srv;
	pthread_mutex_init(&hs->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&hs->wake, &attr);
	pthread_condattr_destroy(&attr);
	for (i = 0; i < HOLD_NAMES; i++)
		pthread_mutex_init(&hs->names[i], NULL);
	t->max = max;
	t->max_one = max / 4;
	while (buckets < max / 2)
		buckets <<= 1;
	t->mask = buckets - 1;
	hs->max_parked = max_parked;
	t->fence = lease * EBPFS_NSEC_PER_MSEC;
	/* Large ones are not touched before they are used. */
	t->memory = calloc(t->max, sizeof(*t->memory));
	t->files = calloc(t->max, sizeof(*t->files));
	t->buckets = calloc(t->mask + 1, sizeof(*t->buckets));
	if (!t->memory || !t->files || !t->buckets ||
	    getrandom(&t->seed, sizeof(t->seed), 0) != sizeof(t->seed))
		return -ENOMEM;
	ebpfs_holds_init(t);
	return 0;
}

void holds_fini(struct holds *hs)
{
	unsigned int i;

	if (!hs->srv)
		return;
	free(hs->table.memory);
	free(hs->table.files);
	free(hs->table.buckets);
	for (i = 0; i < HOLD_NAMES; i++)
		pthread_mutex_destroy(&hs->names[i]);
	pthread_cond_destroy(&hs->wake);
	pthread_mutex_destroy(&hs->lock);
}

bool hold_owner_late(const struct owner *owner)
{
	const struct hold_owner *ho = __atomic_load_n(&owner->holds, __ATOMIC_ACQUIRE);

	return ho && __atomic_load_n(&ho->core.late, __ATOMIC_RELAXED);
}

void holds_count(struct holds *hs, u32 *count, u32 *leases, u32 *parked)
{
	pthread_mutex_lock(&hs->lock);
	*count = hs->table.count;
	*leases = hs->table.leases;
	*parked = hs->nparked;
	pthread_mutex_unlock(&hs->lock);
}

void hold_key_of(struct server *srv, const struct export *e, const u8 *fh,
		 struct ebpfs_hold_key *key)
{
	const struct wire_handle *w = (const struct wire_handle *)fh;
	struct file_key k = {
		.dev_major = cpu_to_le32(e->dev_major),
		.dev_minor = cpu_to_le32(e->dev_minor),
		.type = w->type,
		.len = w->len,
		.kind = w->kind,
	};

	memcpy(k.bytes, w->bytes, w->len);
	ebpfs_hold_key_set(&srv->holds.table, key, &k,
			   (u16)(offsetof(struct file_key, bytes) + k.len));
}

/* What @owner holds; NULL: it has ended, or no memory. Under the lock. */
static struct hold_owner *holder_of(struct owner *owner)
{
	struct hold_owner *ho = owner ? owner->holds : NULL;

	if (ho || !owner || owner_ended(owner))
		return ho;
	ho = calloc(1, sizeof(*ho));
	if (ho)
		ho->owner = owner;
	__atomic_store_n(&owner->holds, ho, __ATOMIC_RELEASE);	/* freed with it */
	return ho;
}

/* Jobs that may go on now, under the lock; they are to be given to resume(). */
static struct job *take_ready(struct holds *hs)
{
	struct job *jobs = NULL;
	struct ebpfs_change *core;

	while ((core = ebpfs_change_ready(&hs->table))) {
		struct hold_change *ch = (struct hold_change *)core;

		if (!ch->parked) {
			ch->ready = true;
			continue;
		}
		*(ch->prev ? &ch->prev->next : &hs->parked) = ch->next;
		if (ch->next)
			ch->next->prev = ch->prev;
		ch->parked = false;
		hs->nparked--;
		if (ch->holder)
			ch->holder->parked--;
		ch->job->next = jobs;
		jobs = ch->job;
	}
	return jobs;
}

/* Without the lock. */
static void resume(struct holds *hs, struct job *jobs)
{
	while (jobs) {
		struct job *job = jobs;

		jobs = job->next;
		if (!helpers_resume(&hs->srv->helpers, job))
			job_free(&hs->srv->sessions, job);
	}
}

u16 hold_take(struct op *op, const u8 *fh)
{
	const struct ebpfs_call_info *c = op->c;
	struct holds *hs = &op->srv->holds;
	struct ebpfs_hold_key key;
	struct hold_owner *ho;
	u32 kinds = c->count & EBPFS_HOLD_ALL, got = 0;
	u64 unused = 0;

	if (!kinds || !op->owner)
		return 0;
	hold_key_of(op->srv, op->e, fh, &key);
	pthread_mutex_lock(&hs->lock);
	ho = owner_ended(op->owner) ? NULL : holder_of(op->owner);
	if (ho)
		got = ebpfs_hold_take(&hs->table, &ho->core, &key, c->arg, kinds, now_ns(),
				      op->change ? &op->change->made : &unused);
	pthread_mutex_unlock(&hs->lock);
	if (got & EBPFS_HOLD_OPEN)
		stats_inc(opens_granted);
	if (got & EBPFS_HOLD_LEASE)
		stats_inc(leases_granted);
	if (got != kinds)
		stats_inc(holds_refused);
	return (got & EBPFS_HOLD_OPEN ? EBPFS_REPLY_OPEN : 0) |
	       (got & EBPFS_HOLD_LEASE ? EBPFS_REPLY_LEASE : 0);
}

/* After the end of a hold, without the lock: @jobs may go on, and if it was the last one
 * that had the file open, @closed, that may be gone. */
static void released(struct server *srv, const struct ebpfs_hold_key *key, struct job *jobs,
		     bool closed)
{
	resume(&srv->holds, jobs);
	if (closed)
		orphan_closed(srv, key);
}

static void release(struct server *srv, struct owner *owner, const struct ebpfs_hold_key *key,
		    u64 number)
{
	struct holds *hs = &srv->holds;
	struct job *jobs = NULL;
	struct hold_owner *ho;
	bool closed = false;

	pthread_mutex_lock(&hs->lock);
	ho = holder_of(owner);
	if (ho) {
		closed = ebpfs_hold_release(&hs->table, &ho->core, key, number);
		jobs = take_ready(hs);
	}
	pthread_mutex_unlock(&hs->lock);
	released(srv, key, jobs, closed);
}

/* What was held before the call, or was granted to another meanwhile, stays. */
static void give_back(struct server *srv, struct owner *owner, const struct export *e,
		      const u8 *fh, u64 made)
{
	struct holds *hs = &srv->holds;
	struct ebpfs_hold_key key;
	struct hold_owner *ho;
	struct job *jobs;
	bool closed;

	hold_key_of(srv, e, fh, &key);
	pthread_mutex_lock(&hs->lock);
	ho = owner->holds;	/* there is one: it got something */
	closed = ebpfs_hold_give_back(&hs->table, &ho->core, &key, made);
	jobs = take_ready(hs);
	pthread_mutex_unlock(&hs->lock);
	released(srv, &key, jobs, closed);
}

void hold_give_back(struct op *op, const u8 *fh)
{
	if (op->change && op->change->made)
		give_back(op->srv, op->owner, op->e, fh, op->change->made);
}

void hold_late(struct job *job, const struct op_result *res)
{
	const struct ebpfs_call_info *c = &job->call;
	struct session *s = job->session;
	struct ebpfs_entry_info entry;
	const u8 *fh = c->fh;

	if (!res || !(res->flags & (EBPFS_REPLY_OPEN | EBPFS_REPLY_LEASE)) || !job->change.made)
		return;
	if (c->op != EBPFS_OP_GETATTR) {
		if (ebpfs_parse_entry(job->buf.data, res->total, false, &entry))
			return;
		fh = entry.fh;
	}
	give_back(s->owner->owners->srv, s->owner, s->export, fh, job->change.made);
}

u16 hold_replayed(struct op *op, u16 flags, u32 total)
{
	struct ebpfs_entry_info entry;
	struct file *file;

	if ((op->c->op != EBPFS_OP_CREATE && op->c->op != EBPFS_OP_TMPFILE) ||
	    !(flags & (EBPFS_REPLY_OPEN | EBPFS_REPLY_LEASE)))
		return flags;
	flags &= (u16)~(EBPFS_REPLY_OPEN | EBPFS_REPLY_LEASE);
	if (ebpfs_parse_entry(op->buf, total, false, &entry))
		return flags;
	/* Its attributes are old: open, if it is still there, but under no lease. */
	if (!(hold_take(op, entry.fh) & EBPFS_REPLY_OPEN))
		return flags;
	if (files_open(&op->srv->files, op->e, entry.fh, entry.fh_len, FILE_ANY, op->now, &file)) {
		hold_give_back(op, entry.fh);
		return flags;
	}
	files_put(file);
	return flags | EBPFS_REPLY_OPEN;
}

/* False: somebody has it, and this thread must not wait: whoever has it may wait for a disk,
 * since directories of other exports have the same locks. */
static bool lock_name(const struct op *op, u8 i)
{
	pthread_mutex_t *lock = &op->srv->holds.names[i];

	if (!op->may_wait)
		return !pthread_mutex_trylock(lock);
	pthread_mutex_lock(lock);
	return true;
}

/* The names locks of one directory or two: 0, or -EAGAIN without them. */
static int lock_names(struct op *op, const struct ebpfs_hold_key *keys, unsigned int n)
{
	struct hold_change *ch = op->change;
	u8 a = keys[0].hash % HOLD_NAMES, b = keys[n - 1].hash % HOLD_NAMES;

	ch->locked[0] = a < b ? a : b;
	ch->locked[1] = a < b ? b : a;
	while (ch->nlocked < (a == b ? 1 : 2)) {
		if (!lock_name(op, ch->locked[ch->nlocked]))
			return -EAGAIN;	/* hold_begin() gives back what there is */
		ch->nlocked++;
	}
	return 0;
}

static void unlock_names(struct op *op)
{
	struct hold_change *ch = op->change;

	while (ch->nlocked)
		pthread_mutex_unlock(&op->srv->holds.names[ch->locked[--ch->nlocked]]);
	if (ch->has_victim)
		close(ch->victim);
	ch->has_victim = false;
}

/* Open what a name means, as the daemon: its key, and whether there is something. */
static bool open_name(struct op *op, int dir, const char *name, struct ebpfs_hold_key *key, int *fd,
		      struct stat *st)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));

	*fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (*fd < 0)
		return false;
	if (fstat(*fd, st) || handle_make_plain(op->e, *fd, st->st_mode, fh) < 0) {
		close(*fd);
		errno = ENOENT;
		return false;
	}
	hold_key_of(op->srv, op->e, fh, key);
	return true;
}

/* Is a file so large that it takes time to free it? That is for threads that may wait. */
static bool takes_long(const struct op *op, const struct stat *st)
{
	return !op->may_wait && S_ISREG(st->st_mode) && st->st_blocks > VICTIM_MOST / 512;
}

/* As far as the daemon has descriptors: without one it cannot say what happens. */
static int victim(struct op *op, int dir, const char *name, struct ebpfs_hold_key *key)
{
	struct hold_change *ch = op->change;
	struct stat st;

	if (!open_name(op, dir, name, key, &ch->victim, &st))
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -EAGAIN : 0;
	if (takes_long(op, &st)) {
		close(ch->victim);
		return -EAGAIN;
	}
	ch->has_victim = true;
	ch->victim_mode = st.st_mode & S_IFMT;
	ch->victim_ino = st.st_ino;
	ch->victim_key = *key;
	return 1;
}

static unsigned int add_key(struct ebpfs_hold_key *keys, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (keys[i].hash == keys[n].hash)
			return n;
	return n + 1;
}

static int rename_files(struct op *op, const struct file *dir, const struct ebpfs_target_info *t,
			struct ebpfs_hold_key *keys)
{
	const struct ebpfs_call_info *c = op->c;
	char name[EBPFS_NAME_MAX + 1];
	struct file *to_dir;
	struct stat st;
	int n, err, fd;

	err = files_open(&op->srv->files, op->e, t->fh, t->fh_len, FILE_ANY, op->now, &to_dir);
	if (err)
		return err;
	hold_key_of(op->srv, op->e, t->fh, &keys[1]);
	err = lock_names(op, keys, 2);
	if (err) {
		files_put(to_dir);
		return err;
	}
	n = (int)add_key(keys, 1);
	op_name(name, c->name, c->name_len);
	if (open_name(op, dir->fd, name, &keys[n], &fd, &st)) {
		close(fd);
		n = (int)add_key(keys, (unsigned int)n);
	}
	op_name(name, t->name, t->name_len);
	if (c->arg & RENAME_EXCHANGE) {
		if (open_name(op, to_dir->fd, name, &keys[n], &fd, &st)) {
			close(fd);
			n = (int)add_key(keys, (unsigned int)n);
		}
	} else if (!(c->arg & RENAME_NOREPLACE)) {
		err = victim(op, to_dir->fd, name, &keys[n]);
		if (err > 0)
			n = (int)add_key(keys, (unsigned int)n);
	}
	files_put(to_dir);
	return err < 0 ? err : n;
}

/* The files that @op changes; 0: none, or nothing that could succeed. With names locks. */
static int changed_files(struct op *op, const struct file *file, struct ebpfs_hold_key *keys)
{
	const struct ebpfs_call_info *c = op->c;
	char name[EBPFS_NAME_MAX + 1];
	struct ebpfs_target_info t;
	int ret;

	hold_key_of(op->srv, op->e, c->fh, &keys[0]);
	switch (c->op) {
	case EBPFS_OP_TMPFILE:
		return 0;
	case EBPFS_OP_CREATE:
		/* Or who removes what is not there yet would not see that it is held. */
		ret = lock_names(op, keys, 1);
		return ret ? ret : 1;
	case EBPFS_OP_REMOVE:
		if (file->mode != S_IFDIR)
			return 0;
		ret = lock_names(op, keys, 1);
		if (ret)
			return ret;
		op_name(name, c->name, c->name_len);
		ret = victim(op, file->fd, name, &keys[1]);
		return ret < 0 ? ret : 1 + ret;
	case EBPFS_OP_RENAME:
		if (file->mode != S_IFDIR || ebpfs_parse_target(c->data, c->data_len, &t))
			return 0;
		return rename_files(op, file, &t, keys);
	case EBPFS_OP_LINK:
		if (ebpfs_parse_target(c->data, c->data_len, &t) ||
		    !handle_check(op->e, t.fh, t.fh_len))
			return 0;
		hold_key_of(op->srv, op->e, t.fh, &keys[1]);
		ret = lock_names(op, &keys[1], 1);
		return ret ? ret : (int)add_key(keys, 1);
	default:
		return 1;
	}
}

/* Begin, or go on with what has waited. Under the lock: 0, -EINPROGRESS or -EAGAIN. */
static int begin(struct holds *hs, struct op *op, const struct ebpfs_hold_key *keys,
		 unsigned int n)
{
	struct hold_change *ch = op->change;
	struct hold_owner *ho;
	bool wait = op->may_wait && ch->job && !hs->stop;

	if (ch->srv) {
		if (!ch->core.waiting && ebpfs_change_covers(&ch->core, keys, n))
			return 0;
		/* A name means something else by now. */
		ebpfs_change_end(&hs->table, &ch->core, now_ns());
		ch->srv = NULL;
	}
	ch->ready = false;
	ho = holder_of(op->owner);
	if (ebpfs_change_begin(&hs->table, &ch->core, ho ? &ho->core : NULL, keys, n, wait,
			       now_ns())) {
		ch->srv = op->srv;
		return 0;
	}
	if (!wait)
		return -EAGAIN;
	pthread_cond_signal(&hs->wake);
	if (hs->nparked >= hs->max_parked || (ho && ho->parked >= (hs->max_parked + 3) / 4)) {
		ebpfs_change_end(&hs->table, &ch->core, now_ns());
		return -EAGAIN;
	}
	ch->srv = op->srv;
	ch->holder = ho;
	return -EINPROGRESS;
}

int hold_begin(struct op *op, const struct file *file)
{
	struct ebpfs_hold_key keys[EBPFS_CHANGE_FILES];
	struct holds *hs = &op->srv->holds;
	struct hold_change *ch = op->change;
	int n, err;

	n = changed_files(op, file, keys);
	if (n <= 0) {
		unlock_names(op);
		return n;
	}
	/* What becomes of it is for a thread that may wait (orphan.c). */
	if (!op->may_wait && ch->has_victim && hold_opens(op->srv, &ch->victim_key)) {
		unlock_names(op);
		return -EAGAIN;
	}
	pthread_mutex_lock(&hs->lock);
	err = begin(hs, op, keys, (unsigned int)n);
	pthread_mutex_unlock(&hs->lock);
	if (err) {
		unlock_names(op);
		if (err == -EINPROGRESS)
			stats_inc(calls_parked);
		else if (op->may_wait)
			stats_inc(parked_full);
		return err;
	}
	ch->linked = false;
	if (ch->has_victim)
		orphan_before(op);
	return 0;
}

void hold_end(struct op *op)
{
	if (op->change->has_victim)
		orphan_after(op);
	unlock_names(op);
	hold_cancel(op->change);
}

void hold_cancel(struct hold_change *ch)
{
	struct holds *hs;

	if (!ch->srv)
		return;
	hs = &ch->srv->holds;
	pthread_mutex_lock(&hs->lock);
	ebpfs_change_end(&hs->table, &ch->core, now_ns());
	pthread_mutex_unlock(&hs->lock);
	ch->srv = NULL;
}

enum hold_park hold_park(struct job *job)
{
	struct hold_change *ch = &job->change;
	struct holds *hs = &ch->srv->holds;
	enum hold_park ret = HOLD_PARKED;

	pthread_mutex_lock(&hs->lock);
	if (hs->stop) {
		ret = HOLD_DROP;
	} else if (ch->ready) {
		ch->ready = false;
		ret = HOLD_GO;
	} else {
		ch->prev = NULL;
		ch->next = hs->parked;
		if (ch->next)
			ch->next->prev = ch;
		hs->parked = ch;
		hs->nparked++;
		if (ch->holder)
			ch->holder->parked++;
		ch->parked = true;
	}
	pthread_mutex_unlock(&hs->lock);
	return ret;
}

u32 hold_changed(struct server *srv, const struct ebpfs_hold_key *key)
{
	struct holds *hs = &srv->holds;
	u32 recalled;

	pthread_mutex_lock(&hs->lock);
	recalled = ebpfs_holds_changed(&hs->table, key, now_ns());
	if (recalled)
		pthread_cond_signal(&hs->wake);
	pthread_mutex_unlock(&hs->lock);
	return recalled;
}

u32 holds_changed(struct server *srv, u32 dev_major, u32 dev_minor)
{
	const struct file_key k = {
		.dev_major = cpu_to_le32(dev_major), .dev_minor = cpu_to_le32(dev_minor),
	};
	struct holds *hs = &srv->holds;
	u32 at = 0, recalled = 0;
	bool more = true;

	while (more) {
		pthread_mutex_lock(&hs->lock);
		more = ebpfs_holds_changed_some(&hs->table, &k, offsetof(struct file_key, type),
						&at, &recalled, now_ns());
		if (!more && recalled)
			pthread_cond_signal(&hs->wake);
		pthread_mutex_unlock(&hs->lock);
	}
	return recalled;
}

void hold_recalled(struct server *srv, struct owner *owner, u64 id)
{
	struct holds *hs = &srv->holds;
	struct job *jobs = NULL;
	struct hold_owner *ho;
	bool known;

	pthread_mutex_lock(&hs->lock);
	ho = owner->holds;
	known = ho && ebpfs_hold_recalled(&hs->table, &ho->core, id);
	if (known)
		jobs = take_ready(hs);
	pthread_mutex_unlock(&hs->lock);
	if (known)
		stats_inc(recalls_answered);
	resume(hs, jobs);
}

void holds_drop(struct server *srv, struct owner *owner)
{
	struct ebpfs_hold_key closed[DROP_BATCH], key;
	struct holds *hs = &srv->holds;
	struct hold_owner *ho;
	unsigned int i, n, all;
	struct job *jobs;
	bool more = true, last;

	while (more) {
		n = all = 0;
		jobs = NULL;
		pthread_mutex_lock(&hs->lock);
		ho = owner->holds;
		while (all < DROP_BATCH) {
			more = ho && ebpfs_hold_drop(&hs->table, &ho->core, &key, &last);
			if (!more)
				break;
			all++;
			if (last)
				closed[n++] = key;
		}
		jobs = take_ready(hs);
		pthread_mutex_unlock(&hs->lock);
		stats_add(holds_dropped, all);
		resume(hs, jobs);
		for (i = 0; i < n; i++)
			orphan_closed(srv, &closed[i]);
	}
}

int op_release(struct op *op)
{
	const struct ebpfs_call_info *c = op->c;
	struct ebpfs_release_info r;
	struct ebpfs_hold_key key;
	u32 pos;
	int n;

	for (pos = 0; pos < c->data_len; pos += (u32)n) {
		n = ebpfs_parse_release(c->data + pos, c->data_len - pos, &r);
		if (n < 0)
			return -EINVAL;
	}
	for (pos = 0; pos < c->data_len; pos += (u32)n) {
		n = ebpfs_parse_release(c->data + pos, c->data_len - pos, &r);
		if (!handle_check(op->e, r.fh, r.fh_len)) {
			stats_inc(bad_handles);
			continue;
		}
		hold_key_of(op->srv, op->e, r.fh, &key);
		release(op->srv, op->owner, &key, r.hold);
		stats_inc(releases);
	}
	return 0;
}

bool hold_in_change(struct op *op)
{
	const struct ebpfs_call_info *c = op->c;
	struct holds *hs = &op->srv->holds;
	struct ebpfs_hold_key key;
	bool busy;

	if (!c->fh_len || !handle_check(op->e, c->fh, c->fh_len))
		return false;
	hold_key_of(op->srv, op->e, c->fh, &key);
	pthread_mutex_lock(&hs->lock);
	busy = ebpfs_hold_in_change(&hs->table, &key);
	pthread_mutex_unlock(&hs->lock);
	return busy;
}

bool hold_any(const struct owner *owner)
{
	const struct hold_owner *ho = __atomic_load_n(&owner->holds, __ATOMIC_ACQUIRE);

	return ho && READ_ONCE(ho->core.count);
}

u32 hold_opens(struct server *srv, const struct ebpfs_hold_key *key)
{
	u32 opens;

	pthread_mutex_lock(&srv->holds.lock);
	opens = ebpfs_hold_opens(&srv->holds.table, key);
	pthread_mutex_unlock(&srv->holds.lock);
	return opens;
}

/* RECALL, or the end of who does not answer. Without the lock; @owner is a reference. */
static void act(enum ebpfs_hold_due due, const struct ebpfs_hold_recall *r, struct owner *owner)
{
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
	struct ebpfs_recall_info info = { .kind = EBPFS_RECALL_LEASE, .fh = fh };
	const struct file_key *k = (const struct file_key *)r->key.bytes;

	if (due == EBPFS_HOLD_FENCE) {
		if (owner_end(owner, "it does not answer a recall")) {
			stats_inc(owners_fenced);
			log_warning_limited("client %s has not answered a recall for the lease time: "
					    "it loses all that it holds", owner->client);
		}
	} else {
		info.id = r->id;
		info.hold = r->number;
		info.fh_len = (u16)handle_build(owner->export, le16_to_cpu(k->type), k->kind,
						k->bytes, k->len, fh);
		owner_recall(owner, &info);
		/* From now on nothing is answered, see hold_owner_late(). */
		if (hold_owner_late(owner))
			owner_unlend(owner);
		stats_inc(leases_recalled);
		if (r->again)
			stats_inc(recalls_repeated);
	}
	owner_put(owner);
}

static void wait_until(struct holds *hs, u64 ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(ns / EBPFS_NSEC_PER_SEC),
		.tv_nsec = (long)(ns % EBPFS_NSEC_PER_SEC),
	};

	pthread_cond_timedwait(&hs->wake, &hs->lock, &t);
}

static void *holds_run(void *arg)
{
	struct ebpfs_hold_recall r;
	struct holds *hs = arg;
	u64 tick = 0;

	(void)stats_thread();
	pthread_mutex_lock(&hs->lock);
	while (!hs->stop) {
		u64 now = now_ns(), next;
		enum ebpfs_hold_due due = ebpfs_hold_due(&hs->table, now, &r, &next);
		struct owner *owner;

		if (due != EBPFS_HOLD_WAIT) {
			/* What it holds is dropped before the table's reference is. */
			owner = owner_ref(((struct hold_owner *)r.holder)->owner);
			pthread_mutex_unlock(&hs->lock);
			act(due, &r, owner);
			pthread_mutex_lock(&hs->lock);
		} else if (now >= tick) {
			tick = now + TICK * EBPFS_NSEC_PER_MSEC;
			pthread_mutex_unlock(&hs->lock);
			orphans_tick(hs->srv, now / EBPFS_NSEC_PER_MSEC);
			pthread_mutex_lock(&hs->lock);
		} else {
			/* The coarse clock may be behind by a tick of the kernel. */
			wait_until(hs, (next < tick ? next : tick) + EBPFS_NSEC_PER_MSEC);
		}
	}
	pthread_mutex_unlock(&hs->lock);
	return NULL;
}

int holds_start(struct holds *hs)
{
	int err = pthread_create(&hs->thread, NULL, holds_run, hs);

	if (err)
		return -err;
	hs->running = true;
	pthread_setname_np(hs->thread, "holds");
	return 0;
}

bool holds_stop(struct holds *hs, const struct timespec *deadline)
{
	struct hold_change *parked, *ch;

	if (!hs->srv)
		return true;
	pthread_mutex_lock(&hs->lock);
	hs->stop = true;
	pthread_cond_signal(&hs->wake);
	parked = hs->parked;
	for (ch = parked; ch; ch = ch->next)
		ch->parked = false;
	hs->parked = NULL;
	hs->nparked = 0;
	pthread_mutex_unlock(&hs->lock);
	while (parked) {
		ch = parked;
		parked = ch->next;
		job_free(&hs->srv->sessions, ch->job);
	}
	return !hs->running || !pthread_timedjoin_np(hs->thread, NULL, deadline);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Locks of clients, as locks of the kernel's; see lock.h.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "handle.h"
#include "lock.h"
#include "owner.h"
#include "server.h"
#include "stats.h"

/**
 * struct lock - what one lock owner has locked of a file, in one way
 * @file: whose lock protects all but the last three
 * @owner: whose mount, with a reference
 * @id: lock owner
 * @kind: EBPFS_LOCK_*
 * @writable: @fd is open for writing
 * @fd: open file description
 * @number: highest seen
 * @ranges: locked
 * @next: of the file's
 * @owned: of the owner's; under locks.lock, as the next
 * @owned_by: what points here
 */
struct lock {
	struct lock_file *file;
	struct owner *owner;
	u64 id;
	u8 kind;
	bool writable;
	int fd;
	u64 number;
	struct lock_ranges ranges;
	struct lock *next;
	struct lock *owned;
	struct lock **owned_by;
};

/**
 * struct lock_file - a file with locks
 * @lock: see lock.h
 * @next: in the hash table; under locks.lock
 * @refs: who uses it, and one for each lock; under locks.lock
 * @e: export
 * @fh: handle
 * @fh_len: its bytes
 * @locks: of it
 * @nwaiters: how many
 * @waiters: to be told, each with a reference
 */
struct lock_file {
	pthread_mutex_t lock;
	struct lock_file *next;
	u32 refs;
	const struct export *e;
	u8 fh[EBPFS_FH_MAX];
	u16 fh_len;
	struct lock *locks;
	u32 nwaiters;
	struct owner *waiters[LOCK_WAITERS];
};

/**
 * struct lock_late - numbers of those that have nothing locked any more
 * @keys: hashes of who and what
 * @numbers: the highest seen
 * @next: to be overwritten
 */
struct lock_late {
	u64 keys[LOCK_LATE];
	u64 numbers[LOCK_LATE];
	u32 next;
};

void locks_init(struct locks *ls, u32 max_fds, u32 max_ranges)
{
	memset(ls, 0, sizeof(*ls));
	pthread_mutex_init(&ls->lock, NULL);
	ls->max_fds = max_fds;
	ls->max_ranges = max_ranges;
}

static struct lock_file **bucket(struct locks *ls, const u8 *fh, u16 len)
{
	return &ls->files[handle_hash(fh, len) % LOCKS_BUCKETS];
}

/* The file of @r, locked, with a reference; NULL: it has no locks (or no memory for it,
 * if it should be made). */
static struct lock_file *file_get(struct locks *ls, const struct lock_request *r, bool make)
{
	struct lock_file **b = bucket(ls, r->fh, r->fh_len), *f;

	pthread_mutex_lock(&ls->lock);
	for (f = *b; f; f = f->next)
		if (f->e == r->e && f->fh_len == r->fh_len && !memcmp(f->fh, r->fh, r->fh_len))
			break;
	if (!f && make) {
		f = calloc(1, sizeof(*f));
		if (f) {
			pthread_mutex_init(&f->lock, NULL);
			f->e = r->e;
			f->fh_len = r->fh_len;
			memcpy(f->fh, r->fh, r->fh_len);
			f->next = *b;
			*b = f;
		}
	}
	if (f)
		f->refs++;
	pthread_mutex_unlock(&ls->lock);
	if (f)
		pthread_mutex_lock(&f->lock);
	return f;
}

/* The last one frees it; under locks.lock. */
static bool file_unref(struct locks *ls, struct lock_file *f)
{
	struct lock_file **p = bucket(ls, f->fh, f->fh_len);

	if (--f->refs)
		return false;
	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	return true;
}

/* Unlock and give back. @told: tell the waiters that something was let go of. */
static void file_put(struct locks *ls, struct lock_file *f, bool tell)
{
	struct owner *waiters[LOCK_WAITERS];
	u32 n = 0, i;
	bool last;
	u8 fh[EBPFS_FH_MAX];
	struct ebpfs_recall_info r = {
		.kind = EBPFS_RECALL_LOCK, .fh_len = f->fh_len, .fh = fh,
	};

	/* Without a lock of ours nobody would tell them. */
	if (tell || !f->locks) {
		n = f->nwaiters;
		memcpy(waiters, f->waiters, n * sizeof(*waiters));
		memcpy(fh, f->fh, f->fh_len);
		f->nwaiters = 0;
	}
	pthread_mutex_unlock(&f->lock);
	pthread_mutex_lock(&ls->lock);
	last = file_unref(ls, f);
	pthread_mutex_unlock(&ls->lock);
	if (last) {
		pthread_mutex_destroy(&f->lock);
		free(f);
	}
	for (i = 0; i < n; i++) {
		if (tell && !owner_ended(waiters[i]) && owner_recall(waiters[i], &r))
			stats_inc(locks_told);
		owner_put(waiters[i]);
	}
}

static void note_waiter(struct lock_file *f, struct owner *o)
{
	u32 i;

	for (i = 0; i < f->nwaiters; i++)
		if (f->waiters[i] == o)
			return;
	if (f->nwaiters < LOCK_WAITERS)
		f->waiters[f->nwaiters++] = owner_ref(o);
}

static u64 late_key(const struct lock_request *r)
{
	u64 h = handle_hash(r->fh, r->fh_len) ^ r->id * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ull ^ r->kind;
	return h ? h : 1;
}

/* The highest number seen of who has nothing locked, 0 if none; under locks.lock. */
static u64 *late_find(struct owner *o, u64 key)
{
	u32 i;

	for (i = 0; o->late && i < LOCK_LATE; i++)
		if (o->late->keys[i] == key)
			return &o->late->numbers[i];
	return NULL;
}

static u64 late_number(struct locks *ls, const struct lock_request *r)
{
	u64 *p, number;

	pthread_mutex_lock(&ls->lock);
	p = late_find(r->owner, late_key(r));
	number = p ? *p : 0;
	pthread_mutex_unlock(&ls->lock);
	return number;
}

static void late_note(struct locks *ls, const struct lock_request *r, u64 number)
{
	struct owner *o = r->owner;
	u64 key = late_key(r), *p;

	pthread_mutex_lock(&ls->lock);
	if (!o->late)
		o->late = calloc(1, sizeof(*o->late));
	p = late_find(o, key);
	if (!p && o->late) {
		u32 i = o->late->next++ % LOCK_LATE;

		o->late->keys[i] = key;
		o->late->numbers[i] = 0;
		p = &o->late->numbers[i];
	}
	if (p && *p < number)
		*p = number;
	pthread_mutex_unlock(&ls->lock);
}

/* What all mounts of @o's client have. */
static void sum_client(struct owner *o, u32 *fds, u32 *ranges)
{
	struct owner *i;

	*fds = *ranges = 0;
	pthread_mutex_lock(&o->owners->lock);
	for (i = o->owners->first; i; i = i->next) {
		if (strcmp(i->client, o->client))
			continue;
		*fds += i->nlocks;
		*ranges += i->nranges;
	}
	pthread_mutex_unlock(&o->owners->lock);
}

/* May @o have @fds and @ranges more? Counts them if so; negative ones always are. */
static bool charge(struct locks *ls, struct owner *o, s32 fds, s32 ranges)
{
	u32 max = ls->max_ranges * LOCKS_OWNERS, own_fds, own_ranges;
	bool ok = true;

	pthread_mutex_lock(&ls->lock);
	if (fds > 0)
		ok = ls->fds + (u32)fds <= ls->max_fds;
	if (ranges > 0)
		ok = ok && o->nranges + (u32)ranges <= ls->max_ranges &&
		     ls->ranges + (u32)ranges <= max;
	if (ok && ((fds > 0 && ls->fds >= ls->max_fds / 2) ||
		   (ranges > 0 && ls->ranges >= max / 2))) {
		sum_client(o, &own_fds, &own_ranges);
		ok = (fds <= 0 || own_fds < ls->max_fds / 2) &&
		     (ranges <= 0 || own_ranges < max / 2);
	}
	if (ok) {
		ls->fds += (u32)fds;
		ls->ranges += (u32)ranges;
		o->nlocks += (u32)fds;
		o->nranges += (u32)ranges;
	}
	pthread_mutex_unlock(&ls->lock);
	if (!ok)
		stats_inc(locks_over);
	return ok;
}

/* Open what is to be locked. Return: descriptor or -errno. */
static int open_for(const struct lock_request *r, bool *writable)
{
	bool dir = handle_mode(r->fh) == S_IFDIR;
	int fd = -EISDIR;

	*writable = false;
	if (!dir && r->e->writable) {
		fd = handle_open(r->e, r->fh, O_RDWR | O_NONBLOCK | O_NOCTTY | O_LARGEFILE);
		*writable = fd >= 0;
	}
	if (fd == -EISDIR || fd == -ETXTBSY || fd == -EACCES || fd == -EPERM || fd == -EROFS)
		fd = handle_open(r->e, r->fh, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_LARGEFILE |
				 (dir ? O_DIRECTORY : 0));
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -EAGAIN || fd == -EINTR)
		return -EBUSY;
	return fd;
}

static struct lock *find_lock(const struct lock_file *f, const struct lock_request *r)
{
	struct lock *l = f->locks;

	while (l && !(l->owner == r->owner && l->id == r->id && l->kind == r->kind))
		l = l->next;
	return l;
}

/* @f is locked. The lock has no ranges yet. */
static int make_lock(struct locks *ls, struct lock_file *f, const struct lock_request *r,
		     struct lock **out)
{
	struct owner *o = r->owner;
	struct lock *l;
	int err;

	if (!charge(ls, o, 1, 0))
		return -ENOLCK;
	l = calloc(1, sizeof(*l));
	err = l ? open_for(r, &l->writable) : -EBUSY;
	if (err < 0) {
		free(l);
		charge(ls, o, -1, 0);
		return err;
	}
	l->fd = err;
	l->file = f;
	l->owner = owner_ref(o);
	l->id = r->id;
	l->kind = r->kind;
	pthread_mutex_lock(&ls->lock);
	err = owner_ended(o) ? -EBUSY : 0;	/* or locks_drop() will find it */
	if (!err) {
		f->refs++;
		l->owned = o->locks;
		l->owned_by = &o->locks;
		if (o->locks)
			o->locks->owned_by = &l->owned;
		o->locks = l;
	}
	pthread_mutex_unlock(&ls->lock);
	if (err) {
		close(l->fd);
		owner_put(o);
		free(l);
		charge(ls, o, -1, 0);
		return err;
	}
	l->next = f->locks;
	f->locks = l;
	*out = l;
	return 0;
}

/* All that it has locked is free then. Its file is locked, and the caller has a
 * reference to that. */
static void free_lock(struct locks *ls, struct lock *l)
{
	struct lock_file *f = l->file;
	struct lock **p = &f->locks;

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	close(l->fd);
	pthread_mutex_lock(&ls->lock);
	*l->owned_by = l->owned;
	if (l->owned)
		l->owned->owned_by = l->owned_by;
	f->refs--;
	pthread_mutex_unlock(&ls->lock);
	charge(ls, l->owner, -1, -(s32)l->ranges.count);
	lock_ranges_free(&l->ranges);
	owner_unkeep(l->owner);
	owner_put(l->owner);
	free(l);
}

static void put_flock(struct flock *fl, const struct lock_range *range)
{
	memset(fl, 0, sizeof(*fl));
	fl->l_type = range->type == EBPFS_LOCK_NONE ? F_UNLCK :
		     range->type == EBPFS_LOCK_WRITE ? F_WRLCK : F_RDLCK;
	fl->l_whence = SEEK_SET;
	fl->l_start = (off_t)range->start;
	fl->l_len = range->end == LOCK_END ? 0 : (off_t)(range->end - range->start + 1);
}

/* Is another client's flock in the way? The kernel would take the old one first. */
static bool flock_taken(const struct lock_file *f, const struct lock *l,
			const struct lock_range *range)
{
	const struct lock *i;

	for (i = f->locks; i; i = i->next)
		if (i != l && i->kind == EBPFS_LOCK_FLOCK &&
		    lock_ranges_conflict(&i->ranges, range))
			return true;
	return false;
}

static int flock_set(struct lock *l, const struct lock_range *range)
{
	static const int how[] = {
		[EBPFS_LOCK_READ] = LOCK_SH, [EBPFS_LOCK_WRITE] = LOCK_EX,
		[EBPFS_LOCK_NONE] = LOCK_UN,
	};
	int err;

	if (range->type != EBPFS_LOCK_NONE && flock_taken(l->file, l, range))
		return -EAGAIN;
	if (!flock(l->fd, how[range->type] | LOCK_NB))
		return 0;
	err = -errno;
	/* What it had it has no more. */
	if (l->ranges.count && flock(l->fd, how[l->ranges.list[0].type] | LOCK_NB))
		l->ranges.count = 0;
	return err;
}

/* Ask the kernel. */
static int apply(struct locks *ls, struct lock *l, const struct lock_range *range)
{
	u32 before = l->ranges.count;
	struct flock fl;
	int err;

	if (l->kind == EBPFS_LOCK_FLOCK) {
		err = flock_set(l, range);
		if (l->ranges.count < before)
			charge(ls, l->owner, 0, (s32)l->ranges.count - (s32)before);
	} else {
		put_flock(&fl, range);
		err = fcntl(l->fd, F_OFD_SETLK, &fl) ? -errno : 0;
	}
	switch (err) {
	case -EACCES:
		return -EAGAIN;
	case -ENOMEM:
	case -EINTR:
		return -EBUSY;
	default:
		return err;
	}
}

/* With its file locked. @freed: out: somebody may get now what was refused before. */
static int change(struct locks *ls, struct lock *l, const struct lock_request *r, bool *freed)
{
	u32 before = l->ranges.count;
	s32 more;
	int err;

	if (r->number < l->number)
		return -EAGAIN;
	l->number = r->number;
	if (r->range.type == EBPFS_LOCK_WRITE && r->kind == EBPFS_LOCK_POSIX && !l->writable)
		return -ENOLCK;
	if (lock_ranges_reserve(&l->ranges))
		return -EBUSY;
	more = (s32)lock_ranges_after(&l->ranges, &r->range) - (s32)before;
	if (more > 0 && !charge(ls, l->owner, 0, more))
		return -ENOLCK;
	err = apply(ls, l, &r->range);
	if (err) {
		*freed = l->ranges.count < before;
		if (more > 0)
			charge(ls, l->owner, 0, -more);
		return err;
	}
	lock_ranges_set(&l->ranges, &r->range);
	if (more < 0)
		charge(ls, l->owner, 0, more);
	*freed = before && r->range.type != EBPFS_LOCK_WRITE;
	return 0;
}

int lock_set(struct server *srv, struct lock_request *r)
{
	bool taking = r->range.type != EBPFS_LOCK_NONE, freed = false, made = false;
	struct locks *ls = &srv->locks;
	struct lock_file *f;
	struct lock *l;
	int err = 0;

	/* May write to the disk; given back where nothing is made for it. */
	if (taking)
		owner_keep(r->owner);
	f = file_get(ls, r, taking);
	if (!f) {
		if (taking)
			owner_unkeep(r->owner);
		else
			late_note(ls, r, r->number);
		return taking ? -EBUSY : 0;
	}
	l = find_lock(f, r);
	if (!l && !taking) {
		late_note(ls, r, r->number);
	} else if (!l && r->number < late_number(ls, r)) {
		err = -EAGAIN;
	} else {
		if (!l) {
			err = make_lock(ls, f, r, &l);
			made = !err;
		}
		if (!err)
			err = change(ls, l, r, &freed);
		if (l && !l->ranges.count) {
			late_note(ls, r, l->number);
			free_lock(ls, l);
		}
	}
	if (taking && !made)
		owner_unkeep(r->owner);
	if (err == -EAGAIN) {
		stats_inc(locks_refused);
		if (r->wait && f->locks)
			note_waiter(f, r->owner);
	} else if (!err && taking) {
		stats_inc(locks_granted);
	}
	file_put(ls, f, freed);
	return err;
}

/* Which client of ours is it? */
static bool find_conflict(const struct lock_file *f, const struct lock *own, struct lock_request *r)
{
	const struct lock_range *c;
	const struct lock *l;

	for (l = f->locks; l; l = l->next) {
		if (l == own || l->kind != EBPFS_LOCK_POSIX)
			continue;
		c = lock_ranges_conflict(&l->ranges, &r->range);
		if (c) {
			r->range = *c;
			r->id = l->id;
			return true;
		}
	}
	return false;
}

int lock_test(struct server *srv, struct lock_request *r)
{
	struct lock_file *f = file_get(&srv->locks, r, true);
	struct lock *own;
	struct flock fl;
	bool writable;
	int fd, err;

	if (!f)
		return -EBUSY;
	own = find_lock(f, r);
	fd = own ? own->fd : open_for(r, &writable);
	put_flock(&fl, &r->range);
	err = fd < 0 ? fd : fcntl(fd, F_OFD_GETLK, &fl) ? -errno : 0;
	if (fd >= 0 && !own)
		close(fd);
	if (!err && fl.l_type == F_UNLCK) {
		r->range.type = EBPFS_LOCK_NONE;
	} else if (!err && !find_conflict(f, own, r)) {
		r->id = 0;
		r->range.pid = 0;
		r->range.type = fl.l_type == F_WRLCK ? EBPFS_LOCK_WRITE : EBPFS_LOCK_READ;
		r->range.start = (u64)fl.l_start;
		r->range.end = fl.l_len ? (u64)fl.l_start + (u64)fl.l_len - 1 : LOCK_END;
	}
	file_put(&srv->locks, f, false);
	return err;
}

void locks_drop(struct server *srv, struct owner *o)
{
	struct locks *ls = &srv->locks;
	struct lock_file *f;
	struct lock **p;

	/* None is added any more. */
	for (;;) {
		pthread_mutex_lock(&ls->lock);
		f = o->locks ? o->locks->file : NULL;
		if (f)
			f->refs++;
		pthread_mutex_unlock(&ls->lock);
		if (!f)
			break;
		pthread_mutex_lock(&f->lock);
		for (p = &f->locks; *p; ) {
			if ((*p)->owner == o) {
				free_lock(ls, *p);
				stats_inc(locks_dropped);
			} else {
				p = &(*p)->next;
			}
		}
		file_put(ls, f, true);
	}
	pthread_mutex_lock(&ls->lock);
	free(o->late);
	o->late = NULL;
	pthread_mutex_unlock(&ls->lock);
}

void locks_fini(struct locks *ls)
{
	struct lock_file *f;
	unsigned int i;

	if (!ls->max_fds)
		return;		/* not initialised */
	for (i = 0; i < LOCKS_BUCKETS; i++) {
		while ((f = ls->files[i])) {
			f->refs++;
			pthread_mutex_lock(&f->lock);
			/* Each goes out of the list, which the analyzer does not know. */
			while (f->locks)
				free_lock(ls, f->locks); /* NOLINT(clang-analyzer-unix.Malloc) */
			file_put(ls, f, false);
		}
	}
	pthread_mutex_destroy(&ls->lock);
}

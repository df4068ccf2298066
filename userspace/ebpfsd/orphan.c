// SPDX-License-Identifier: GPL-2.0
/*
 * Files that live on without a name; see orphan.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "hold.h"
#include "log.h"
#include "ops.h"
#include "orphan.h"
#include "serve.h"
#include "server.h"
#include "stats.h"

#define BUCKETS		1024
#define NAME_FROM	offsetof(struct file_key, type)	/* what a name is made of */
#define NAME_ROOM	(2 * sizeof(struct file_key) + 1)

/**
 * struct orphan - a file that lives on
 * @next_ino: in the bucket by number
 * @next_key: in the bucket by key
 * @next_doomed: to be removed
 * @export: whose directory it is in, or in which it was opened
 * @key: which file
 * @ino: its number
 * @fd: a descriptor that keeps it, -1: none
 * @linked: it has a name in the directory
 * @inherited: from an earlier life
 * @doomed: in the list of those to be removed
 */
struct orphan {
	struct orphan *next_ino;
	struct orphan *next_key;
	struct orphan *next_doomed;
	const struct export *export;
	struct ebpfs_hold_key key;
	u64 ino;
	int fd;
	bool linked;
	bool inherited;
	bool doomed;
};

/* An export's directory, opened when it is needed. */
struct orphan_dir {
	int fd;
	bool exists;	/* READ_ONCE/WRITE_ONCE */
	bool refused;
};

static struct {
	pthread_mutex_t work;		/* changes of the directories */
	pthread_mutex_t lock;		/* of what follows */
	struct orphan *by_ino[BUCKETS];
	struct orphan *by_key[BUCKETS];
	struct orphan *doomed;
	u32 count;			/* READ_ONCE/WRITE_ONCE */
	u32 kept;			/* likewise */
	bool sweeping;
	u64 grace;			/* until then, ms; 0: over */
	struct orphan_dir *dirs;	/* of each export */
	struct server *srv;
} set = {
	.work = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static struct orphan_dir *dir_of(const struct export *e)
{
	return set.dirs ? &set.dirs[e - set.srv->exports.list] : NULL;
}

static struct orphan **ino_bucket(u64 ino)
{
	return &set.by_ino[(ino * 0x9e3779b97f4a7c15ull >> 32) % BUCKETS];
}

static struct orphan **key_bucket(const struct ebpfs_hold_key *key)
{
	return &set.by_key[key->hash % BUCKETS];
}

/* Under the lock. */
static struct orphan *find(const struct ebpfs_hold_key *key)
{
	struct orphan *o = *key_bucket(key);

	while (o && (o->key.hash != key->hash || o->key.len != key->len ||
		     memcmp(o->key.bytes, key->bytes, key->len)))
		o = o->next_key;
	return o;
}

/* Any lock but set.lock. NULL without memory, or room. */
static struct orphan *add(const struct export *e, const struct ebpfs_hold_key *key, u64 ino,
			  int fd)
{
	struct orphan *o = READ_ONCE(set.count) < ORPHAN_MAX ? calloc(1, sizeof(*o)) : NULL;

	if (!o)
		return NULL;
	o->export = e;
	o->key = *key;
	o->ino = ino;
	o->fd = fd;
	o->linked = fd < 0;
	pthread_mutex_lock(&set.lock);
	o->next_ino = *ino_bucket(ino);
	*ino_bucket(ino) = o;
	o->next_key = *key_bucket(key);
	*key_bucket(key) = o;
	WRITE_ONCE(set.count, set.count + 1);
	WRITE_ONCE(set.kept, set.kept + (fd >= 0));
	pthread_mutex_unlock(&set.lock);
	return o;
}

/* Out of the set, under the lock; the caller has the lock of the directories and frees it. */
static void take_out(struct orphan *o)
{
	struct orphan **p = ino_bucket(o->ino);

	while (*p != o)
		p = &(*p)->next_ino;
	*p = o->next_ino;
	p = key_bucket(&o->key);
	while (*p != o)
		p = &(*p)->next_key;
	*p = o->next_key;
	WRITE_ONCE(set.count, set.count - 1);
	WRITE_ONCE(set.kept, set.kept - (o->fd >= 0));
	if (!o->doomed)
		return;
	for (p = &set.doomed; *p != o; )
		p = &(*p)->next_doomed;
	*p = o->next_doomed;
	o->doomed = false;
}

static void name_of(const struct ebpfs_hold_key *key, char name[NAME_ROOM])
{
	u32 i;

	name[0] = '\0';
	for (i = NAME_FROM; i < key->len; i++)
		sprintf(name + 2 * (i - NAME_FROM), "%02x", key->bytes[i]);
}

/* The key of a name; false: it is none of ours. */
static bool key_of_name(const struct export *e, const char *name, struct ebpfs_hold_key *key)
{
	struct file_key k = {
		.dev_major = cpu_to_le32(e->dev_major), .dev_minor = cpu_to_le32(e->dev_minor),
	};
	size_t len = strlen(name), i;
	unsigned int byte;

	if (len % 2 || len / 2 > sizeof(k) - NAME_FROM || len / 2 < 4)
		return false;
	for (i = 0; i < len / 2; i++) {
		if (strspn(name + 2 * i, "0123456789abcdef") < 2 ||
		    sscanf(name + 2 * i, "%2x", &byte) != 1)
			return false;
		((u8 *)&k)[NAME_FROM + i] = (u8)byte;
	}
	if (len / 2 != sizeof(k) - NAME_FROM - sizeof(k.bytes) + k.len)
		return false;
	ebpfs_hold_key_set(&set.srv->holds.table, key, &k, (u16)(NAME_FROM + len / 2));
	return true;
}

/* Open the directory, if it is there. Is it ours alone? Under the lock of the directories. */
static bool open_dir(const struct export *e, struct orphan_dir *d)
{
	struct stat st;

	d->fd = openat(e->root, ORPHAN_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0)
		return false;
	if (fstat(d->fd, &st) || st.st_uid || st.st_mode & 077) {
		log_warning("%s: " ORPHAN_DIR " is not root's own with mode 0700 and not used: what is "
			    "removed while it is open does not outlive a restart of ebpfsd",
			    e->name);
		close(d->fd);
		d->fd = -1;
		d->refused = true;
		return false;
	}
	WRITE_ONCE(d->exists, true);
	return true;
}

/* Likewise; made if need be. */
static bool ready_dir(const struct export *e, struct orphan_dir *d)
{
	if (d->fd >= 0)
		return true;
	if (d->refused)
		return false;
	/* A thread's umask is that of the last CREATE. By a descriptor: whoever may rename
	 * it could put a symbolic link in its place. */
	if (!mkdirat(e->root, ORPHAN_DIR, 0700)) {
		int fd = openat(e->root, ORPHAN_DIR,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		struct stat st;

		if (fd >= 0 && !fstat(fd, &st) && !st.st_uid)
			fchmod(fd, 0700);
		if (fd >= 0)
			close(fd);
	}
	return open_dir(e, d);
}

static void inherit(const struct export *e, struct orphan_dir *d)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct ebpfs_hold_key key;
	struct dirent *entry;
	struct orphan *o;
	struct stat st;

	if (!dir) {
		log_warning("%s: " ORPHAN_DIR " cannot be read: %m", e->name);
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !key_of_name(e, entry->d_name, &key) ||
		    fstatat(d->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		o = add(e, &key, st.st_ino, -1);
		if (o)
			o->inherited = true;
	}
	closedir(dir);
}

int orphans_start(struct server *srv, u64 lease)
{
	unsigned int i;

	set.srv = srv;
	set.dirs = calloc(srv->exports.count ? srv->exports.count : 1, sizeof(*set.dirs));
	if (!set.dirs)
		return -ENOMEM;
	for (i = 0; i < srv->exports.count; i++) {
		set.dirs[i].fd = -1;
		if (srv->exports.list[i].writable && open_dir(&srv->exports.list[i], &set.dirs[i]))
			inherit(&srv->exports.list[i], &set.dirs[i]);
	}
	set.grace = now_ms() + lease;
	return 0;
}

void orphans_stop(void)
{
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		while (set.by_key[i]) {
			struct orphan *o = set.by_key[i];

			take_out(o);
			if (o->fd >= 0)
				close(o->fd);
			free(o);
		}
	}
	for (i = 0; set.dirs && i < set.srv->exports.count; i++) {
		if (set.dirs[i].fd < 0)
			continue;
		close(set.dirs[i].fd);
		/* If it is empty. */
		unlinkat(set.srv->exports.list[i].root, ORPHAN_DIR, AT_REMOVEDIR);
	}
	free(set.dirs);
	set.dirs = NULL;
	set.srv = NULL;
}

bool orphan_hidden(const void *name, u32 len)
{
	return len == sizeof(ORPHAN_DIR) - 1 && !memcmp(name, ORPHAN_DIR, len);
}

void orphan_hide_links(const struct export *e, struct statx *sx)
{
	const struct orphan_dir *d;
	struct orphan *o;

	if (sx->stx_ino == e->root_ino) {
		d = dir_of(e);
		/* btrfs says 1 of every directory. */
		if (d && READ_ONCE(d->exists) && sx->stx_nlink > 2)
			sx->stx_nlink--;
	}
	if (!READ_ONCE(set.count))
		return;
	pthread_mutex_lock(&set.lock);
	o = *ino_bucket(sx->stx_ino);
	while (o && !(o->ino == sx->stx_ino && o->linked &&
		      o->export->dev_major == e->dev_major && o->export->dev_minor == e->dev_minor))
		o = o->next_ino;
	if (o && sx->stx_nlink)
		sx->stx_nlink--;
	pthread_mutex_unlock(&set.lock);
}

/* Give @fd, a file of @e, a name among the orphans. */
static bool give_name(struct server *srv, const struct export *e, struct orphan_dir *d, int fd,
		      u64 ino, const char *name)
{
	char number[16];
	struct stat st;

	if (!ready_dir(e, d))
		return false;
	snprintf(number, sizeof(number), "%d", fd);
	if (!linkat(srv->proc_fds, number, d->fd, name, AT_SYMLINK_FOLLOW))
		return true;
	/* Left behind by a failure to take it away. */
	return errno == EEXIST && !fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) &&
	       st.st_ino == ino;
}

void orphan_before(struct op *op)
{
	struct orphan_dir *d = dir_of(op->e);
	struct hold_change *ch = op->change;
	char name[NAME_ROOM];
	struct stat st;
	bool known;

	if (ch->victim_mode == S_IFDIR || !d || !hold_opens(op->srv, &ch->victim_key) ||
	    fstat(ch->victim, &st) || st.st_nlink != 1)
		return;
	name_of(&ch->victim_key, name);
	pthread_mutex_lock(&set.work);
	pthread_mutex_lock(&set.lock);
	known = find(&ch->victim_key);
	pthread_mutex_unlock(&set.lock);
	if (!known && give_name(op->srv, op->e, d, ch->victim, st.st_ino, name)) {
		/* Until now it had two links for whoever looked, and never none. */
		ch->linked = add(op->e, &ch->victim_key, st.st_ino, -1);
		if (!ch->linked)
			unlinkat(d->fd, name, 0);
	}
	pthread_mutex_unlock(&set.work);
}

/* The name was not needed. */
static void take_back(struct op *op)
{
	struct hold_change *ch = op->change;
	char name[NAME_ROOM];
	struct orphan *o;

	name_of(&ch->victim_key, name);
	pthread_mutex_lock(&set.work);
	pthread_mutex_lock(&set.lock);
	o = find(&ch->victim_key);
	if (o)
		take_out(o);
	pthread_mutex_unlock(&set.lock);
	if (o && unlinkat(dir_of(op->e)->fd, name, 0))
		log_warning_limited("%s: a name of a file in " ORPHAN_DIR " cannot be removed: %m",
				    op->e->name);
	pthread_mutex_unlock(&set.work);
	free(o);
}

/* Keep a descriptor of what has no name, which is consumed. False: it is not kept. Under
 * the lock of the directories, so that there is one for each file. */
static bool keep_locked(struct server *srv, const struct export *e,
			const struct ebpfs_hold_key *key, u64 ino, int fd)
{
	bool known;

	pthread_mutex_lock(&set.lock);
	known = find(key);
	pthread_mutex_unlock(&set.lock);
	if (known) {
		close(fd);
		return true;
	}
	if (READ_ONCE(set.kept) >= ORPHAN_KEPT_MAX || !add(e, key, ino, fd)) {
		close(fd);
		stats_inc(orphans_lost);
		log_warning_limited("%s: a file that is held open was removed and is lost: too many are",
				    e->name);
		return false;
	}
	stats_inc(orphans_kept);
	/* It may have been closed before it was in the set. */
	if (!hold_opens(srv, key))
		orphan_closed(srv, key);
	return true;
}

static bool keep(struct server *srv, const struct export *e, const struct ebpfs_hold_key *key,
		 u64 ino, int fd)
{
	bool kept;

	pthread_mutex_lock(&set.work);
	kept = keep_locked(srv, e, key, ino, fd);
	pthread_mutex_unlock(&set.work);
	return kept;
}

bool orphan_adopt(struct op *op, int fd, const u8 *fh)
{
	struct ebpfs_hold_key key;
	struct stat st;
	int own;

	hold_key_of(op->srv, op->e, fh, &key);
	own = fstat(fd, &st) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return own >= 0 && keep(op->srv, op->e, &key, st.st_ino, own);
}

void orphan_born(struct op *op, int fd, const u8 *fh)
{
	struct orphan_dir *d = dir_of(op->e);
	struct ebpfs_hold_key key;
	char name[NAME_ROOM];
	struct stat st;

	if (!d || fstat(fd, &st))
		return;
	hold_key_of(op->srv, op->e, fh, &key);
	name_of(&key, name);
	pthread_mutex_lock(&set.work);
	if (give_name(op->srv, op->e, d, fd, st.st_ino, name) &&
	    !add(op->e, &key, st.st_ino, -1))
		unlinkat(d->fd, name, 0);
	pthread_mutex_unlock(&set.work);
}

void orphan_unborn(struct op *op, const u8 *fh)
{
	struct ebpfs_hold_key key;

	hold_key_of(op->srv, op->e, fh, &key);
	orphan_closed(op->srv, &key);
}

void orphan_after(struct op *op)
{
	struct hold_change *ch = op->change;
	struct stat st;

	/* Who opens it from now on sees by itself whether it has a name. */
	if (!ch->linked && !hold_opens(op->srv, &ch->victim_key))
		return;
	if (fstat(ch->victim, &st))
		return;
	if (!st.st_nlink) {
		/* Even if it was linked: who had it open may have closed it, and another opened
		 * it before its name went. */
		if (hold_opens(op->srv, &ch->victim_key)) {
			keep(op->srv, op->e, &ch->victim_key, st.st_ino, ch->victim);
			ch->has_victim = false;
		}
	} else if (ch->linked && st.st_nlink > 1) {
		take_back(op);
	} else if (ch->linked) {
		stats_inc(orphans_made);
		if (!hold_opens(op->srv, &ch->victim_key))
			orphan_closed(op->srv, &ch->victim_key);
	}
}

/* Have a helper remove what is doomed. */
static void call_sweeper(struct server *srv)
{
	struct job *job;
	bool needed;

	pthread_mutex_lock(&set.lock);
	needed = set.doomed && !set.sweeping;
	set.sweeping |= needed;
	pthread_mutex_unlock(&set.lock);
	if (!needed)
		return;
	job = calloc(1, sizeof(*job));
	if (job && helpers_submit(&srv->helpers, job))
		return;
	free(job);
	/* At the next tick then. */
	pthread_mutex_lock(&set.lock);
	set.sweeping = false;
	pthread_mutex_unlock(&set.lock);
}

static void doom(struct orphan *o)
{
	if (o->doomed)
		return;
	o->doomed = true;
	o->next_doomed = set.doomed;
	set.doomed = o;
}

void orphan_closed(struct server *srv, const struct ebpfs_hold_key *key)
{
	struct orphan *o;

	if (!READ_ONCE(set.count))
		return;
	pthread_mutex_lock(&set.lock);
	o = find(key);
	/* Others may still come and claim what they held before the start. */
	if (o && !(o->inherited && set.grace))
		doom(o);
	pthread_mutex_unlock(&set.lock);
	if (o)
		call_sweeper(srv);
}

/* Under the lock of the directories: @o is out of the set. */
static void remove_one(struct server *srv, struct orphan *o)
{
	struct orphan_dir *d = dir_of(o->export);
	char name[NAME_ROOM];
	int fd = -1;

	if (o->fd >= 0)
		close(o->fd);
	if (o->linked) {
		name_of(&o->key, name);
		/* Should somebody open it just now. */
		fd = openat(d->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (unlinkat(d->fd, name, 0) && errno != ENOENT)
			log_warning_limited("%s: a file in " ORPHAN_DIR " that nobody has open cannot be "
					    "removed: %m", o->export->name);
	}
	stats_inc(orphans_removed);
	if (fd >= 0 && hold_opens(srv, &o->key))
		keep_locked(srv, o->export, &o->key, o->ino, fd);
	else if (fd >= 0)
		close(fd);
	free(o);
}

void orphans_sweep(struct server *srv)
{
	struct orphan *o;

	pthread_mutex_lock(&set.lock);
	while (set.doomed) {
		/* In the order of the locks. */
		pthread_mutex_unlock(&set.lock);
		pthread_mutex_lock(&set.work);
		pthread_mutex_lock(&set.lock);
		o = set.doomed;
		if (o) {
			set.doomed = o->next_doomed;
			o->doomed = false;
			/* Is it held again? */
			if (hold_opens(srv, &o->key))
				o = NULL;
			else
				take_out(o);
		}
		pthread_mutex_unlock(&set.lock);
		if (o)
			remove_one(srv, o);
		pthread_mutex_unlock(&set.work);
		pthread_mutex_lock(&set.lock);
	}
	set.sweeping = false;
	pthread_mutex_unlock(&set.lock);
}

void orphans_tick(struct server *srv, u64 now)
{
	struct orphan *o;
	unsigned int i;

	pthread_mutex_lock(&set.lock);
	if (set.grace && now >= set.grace) {
		set.grace = 0;
		for (i = 0; i < BUCKETS; i++)
			for (o = set.by_key[i]; o; o = o->next_key)
				if (o->inherited && !hold_opens(srv, &o->key))
					doom(o);
	}
	pthread_mutex_unlock(&set.lock);
	call_sweeper(srv);
}

bool orphan_kept(void *arg, const struct export *e, const u8 *fh, u16 len)
{
	struct ebpfs_hold_key key;
	bool kept;

	(void)len;
	if (!READ_ONCE(set.count))
		return false;
	hold_key_of(arg, e, fh, &key);
	pthread_mutex_lock(&set.lock);
	kept = find(&key);
	pthread_mutex_unlock(&set.lock);
	return kept;
}

int orphan_open(void *arg, const struct export *e, const u8 *fh, u16 len, int flags)
{
	struct server *srv = arg;
	struct ebpfs_hold_key key;
	int fd = -ESTALE, opened;
	struct orphan *o;
	char number[16];

	(void)len;
	if (!READ_ONCE(set.kept))
		return -ESTALE;
	hold_key_of(srv, e, fh, &key);
	pthread_mutex_lock(&set.lock);
	o = find(&key);
	if (o && o->fd >= 0) {
		fd = fcntl(o->fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			fd = -EMFILE;
	}
	pthread_mutex_unlock(&set.lock);
	if (fd < 0 || flags & O_PATH)
		return fd;
	snprintf(number, sizeof(number), "%d", fd);
	opened = openat(srv->proc_fds, number, (flags & ~O_NOFOLLOW) | O_CLOEXEC);
	if (opened < 0)
		opened = -errno;
	close(fd);
	return opened;
}

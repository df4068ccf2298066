// SPDX-License-Identifier: GPL-2.0
/*
 * The intent log's file, and what calls have to do with it; see intent.h.
 *
 * The file: a header with the boot that it belongs to and the owners of the logs, then
 * LOGS logs of RECORDS records. A log's blocks are allocated when it gets its first
 * owner, so that a full disk is an error then, and not a SIGBUS later.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "boot.h"
#include "config.h"
#include "export.h"
#include "handle.h"
#include "hold.h"
#include "intent.h"
#include "log.h"
#include "ops.h"
#include "settle.h"

#define LOGS		64		/* clients that have a log of their own */
#define RECORDS		2048		/* in a log; twice the slots of a session */
#define LOG_BYTES	(RECORDS * sizeof(struct ebpfs_intent))
#define HEADER_BYTES	8192
#define FILE_BYTES	(HEADER_BYTES + LOGS * LOG_BYTES)
#define LOCK_TRIES	40		/* for another that was killed to be gone */
#define LOCK_PAUSE	50		/* ms */
#define KEY_DATA_MAX	8192		/* bytes of a call's data that its key tells of */
#define TEMP_NAME	".ebpfsd-new-"	/* names that are not to stay begin so */

_Static_assert(EBPFS_INTENT_MARK == EBPFS_TAG_LEN, "a key or a mark is a tag");
_Static_assert(sizeof(struct ebpfs_intent) == 512, "records do not cross pages");
_Static_assert(sizeof(struct ebpfs_entry) + EBPFS_FH_MAX <= EBPFS_INTENT_REPLY_MAX,
	       "CREATE's reply is kept");
_Static_assert(sizeof(struct intent_temp) <= EBPFS_INTENT_REPLY_MAX, "a note fits");
_Static_assert(RECORDS >= 2 * EBPFS_SLOTS_MAX, "all that a session can have outstanding");

/**
 * struct header - the first bytes of the file
 * @magic: MAGIC, written last
 * @boot: of the machine
 * @owners: of the logs
 */
struct header {
	u64 magic;
	char boot[BOOT_LEN + 4];
	struct ebpfs_intent_owner owners[LOGS];
};

#define MAGIC	0x32746e65746e6965ull	/* another layout: another number */

_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header fits");

/**
 * struct intent_log - the file
 * @lock: protects the owners, and the way from a client to its log
 * @fd: file, locked
 * @map: all of it
 * @ready: logs that are taken over and have blocks
 * @logs: each with a lock of its own
 * @busy: of the logs, LOGS * RECORDS
 */
struct intent_log {
	pthread_mutex_t lock;
	int fd;
	struct header *map;
	bool ready[LOGS];
	struct ebpfs_intents logs[LOGS];
	u64 *busy;
};

static u64 nonce;	/* of this start: for names */

/* EBPFSD_TEST_DIE */
static int die_point = -1;
static int die_count;

static void test_die_init(void)
{
	static const char *const points[] = {
		[INTENT_POINT_INTENT] = "intent", [INTENT_POINT_MADE] = "made",
		[INTENT_POINT_EXECUTED] = "executed", [INTENT_POINT_RESULT] = "result",
	};
	const char *s = getenv("EBPFSD_TEST_DIE");
	size_t i, len;

	for (i = 0; s && i < ARRAY_SIZE(points); i++) {
		len = strlen(points[i]);
		if (strncmp(s, points[i], len) || s[len] != ':')
			continue;
		die_point = (int)i;
		die_count = atoi(s + len + 1);
		log_warning("EBPFSD_TEST_DIE is set: ebpfsd kills itself at \"%s\", time %d",
			    points[i], die_count);
	}
}

void intent_point(const struct op *op, enum intent_point point)
{
	if ((int)point == die_point && op->intent && op->intent->written &&
	    !__atomic_sub_fetch(&die_count, 1, __ATOMIC_RELAXED))
		kill(getpid(), SIGKILL);
}

static struct ebpfs_intent *records_of(const struct intent_log *log, u32 i)
{
	return (struct ebpfs_intent *)((u8 *)log->map + HEADER_BYTES + i * LOG_BYTES);
}

static u64 now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	/* 0 is for "never". */
	return (u64)t.tv_sec + 1;
}

/* A file for each daemon. */
static int open_file(const struct config *c)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE * 1000000l };
	unsigned int i, flags = 0;
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/intent-%08x.log", c->state_dir, config_id(c));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		log_warning("%s cannot be opened: %m (calls are not kept across a crash of ebpfsd)",
			    path);
		return -1;
	}
	for (i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno == EWOULDBLOCK && i < LOCK_TRIES) {
			nanosleep(&pause, NULL);
			continue;
		}
		log_warning("%s cannot be locked: %m (another ebpfsd with this state-dir and these "
			    "listen addresses runs; calls are not kept across a crash)", path);
		close(fd);
		return -1;
	}
	/* On btrfs only a file that is overwritten in place keeps its room. */
	if (!ioctl(fd, FS_IOC_GETFLAGS, &flags) && !(flags & FS_NOCOW_FL)) {
		flags |= FS_NOCOW_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	if (ftruncate(fd, FILE_BYTES) || posix_fallocate(fd, 0, HEADER_BYTES)) {
		log_warning("%s: no room: %m (calls are not kept across a crash of ebpfsd)", path);
		close(fd);
		return -1;
	}
	return fd;
}

/* Remove a name that was not to stay. What died over it had made it or not, or given
 * it its right name: all the same. No other name goes, whatever the file says. */
static bool clean(const struct exports *exports, const struct ebpfs_intent *r)
{
	struct intent_temp temp = { 0 };
	unsigned int i;
	bool done = false;
	int dir;

	if (!(r->flags & INTENT_TEMP) || !ebpfs_intent_valid(r) || !ebpfs_intent_has_note(r) ||
	    r->note_len != sizeof(temp))
		return false;
	memcpy(&temp, r->reply, sizeof(temp));
	temp.name[sizeof(temp.name) - 1] = '\0';
	if (strncmp(temp.name, TEMP_NAME, sizeof(TEMP_NAME) - 1) || strchr(temp.name, '/'))
		return false;
	for (i = 0; i < exports->count && !done; i++) {
		const struct export *e = &exports->list[i];

		if (!e->writable || !handle_check(e, temp.fh, temp.fh_len))
			continue;
		dir = handle_open(e, temp.fh, O_PATH | O_DIRECTORY);
		if (dir < 0)
			continue;
		done = !unlinkat(dir, temp.name, temp.is_dir ? AT_REMOVEDIR : 0);
		if (!done && errno != ENOENT)
			log_warning("%s: a file %s that is left of a crash cannot be removed: %m",
				    e->name, temp.name);
		close(dir);
	}
	return done;
}

/* Blocks for log @i, so that its memory can be written to. */
static bool make_ready(struct intent_log *log, u32 i)
{
	if (log->ready[i])
		return true;
	errno = posix_fallocate(log->fd, (off_t)(HEADER_BYTES + i * LOG_BYTES), LOG_BYTES);
	if (errno) {
		log_warning_limited("no room in the state-dir for the log of another client: %m "
				    "(its calls are not kept across a crash)");
		return false;
	}
	ebpfs_intents_init(&log->logs[i], records_of(log, i), log->busy + (size_t)i * RECORDS,
			   RECORDS);
	log->ready[i] = true;
	return true;
}

/* What is in the file from before. */
static void take_over(struct intent_log *log, const struct exports *exports, const char *boot)
{
	unsigned int cleaned = 0, settled = 0;
	struct header *h = log->map;
	u32 i, j;

	if (h->magic == MAGIC) {
		for (i = 0; i < LOGS; i++)
			for (j = 0; h->owners[i].client[0] && j < RECORDS; j++)
				cleaned += clean(exports, records_of(log, i) + j);
	}
	if (cleaned)
		log_info("removed %u file%s that a crash had left half made", cleaned,
			 cleaned == 1 ? "" : "s");
	if (h->magic == MAGIC && !memcmp(h->boot, boot, BOOT_LEN)) {
		for (i = 0; i < LOGS; i++)
			if (h->owners[i].client[0] && make_ready(log, i))
				settled += settle_log(&log->logs[i], exports);
		if (settled)
			log_info("settled %u call%s that a crash had broken off", settled,
				 settled == 1 ? "" : "s");
		return;
	}
	/* All zeros, and no blocks. */
	if (ftruncate(log->fd, HEADER_BYTES) || ftruncate(log->fd, FILE_BYTES))
		log_warning("the log of calls cannot be cleared: %m");
	memset(h, 0, sizeof(*h));
	memcpy(h->boot, boot, BOOT_LEN);
	__asm__ __volatile__("" : : : "memory");
	WRITE_ONCE(h->magic, MAGIC);
}

struct intent_log *intent_log_open(const struct config *c, const struct exports *exports)
{
	struct intent_log *log;
	char boot[BOOT_LEN];

	test_die_init();
	if (!boot_id(boot) || getrandom(&nonce, sizeof(nonce), 0) < 0) {
		log_warning("the kernel does not tell which boot this is: %m (calls are not kept "
			    "across a crash of ebpfsd)");
		return NULL;
	}
	log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	pthread_mutex_init(&log->lock, NULL);
	log->fd = open_file(c);
	log->busy = calloc((size_t)LOGS * RECORDS, sizeof(*log->busy));
	log->map = log->fd < 0 || !log->busy ? MAP_FAILED :
		   mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, 0);
	if (log->map == MAP_FAILED) {
		if (log->fd >= 0)
			log_warning("the log of calls cannot be mapped: %m");
		log->map = NULL;
		intent_log_close(log);
		return NULL;
	}
	take_over(log, exports, boot);
	return log;
}

void intent_log_close(struct intent_log *log)
{
	u32 i;

	if (!log)
		return;
	for (i = 0; i < LOGS; i++)
		if (log->ready[i])
			ebpfs_intents_fini(&log->logs[i]);
	if (log->map)
		munmap(log->map, FILE_BYTES);
	if (log->fd >= 0)
		close(log->fd);
	free(log->busy);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

static void make_key(const struct op *op, const char *client, u8 key[EBPFS_INTENT_MARK])
{
	const struct ebpfs_call_info *c = op->c;
	/* What WRITEATTR writes is written again in any case, and a lot to look at. */
	u32 known = c->attr ? 0 : c->data_len < KEY_DATA_MAX ? c->data_len : KEY_DATA_MAX;
	const struct {
		u64 arg;
		u32 count;
		u32 data_len;
		u16 fh_len;
		u16 name_len;
		u32 op;
	} head = { c->arg, c->count, c->data_len, c->fh_len, c->name_len, c->op };
	const struct ebpfs_bytes parts[] = {
		{ client, EBPFS_CLIENT_MAX },
		{ &head, sizeof(head) },
		{ c->fh, c->fh_len },
		{ c->name, c->name_len },
		{ c->attr, c->attr ? sizeof(struct ebpfs_setattr) : 0 },
		{ c->data, known },
	};

	ebpfs_tag(key, op->e->intent_key, parts, ARRAY_SIZE(parts));
}

/* The record of a call; -EAGAIN: not now. -ENOENT: there is no log for it. */
static int begin(struct intent_log *log, const char *client, const struct op *op,
		 struct intent *it, enum ebpfs_intent_state *state)
{
	u64 now = now_s();
	bool fresh;
	u32 i;

	make_key(op, client, it->key);
	/* Who has it may wait for the disk, for the log of a new client; as we might. */
	if (op->may_wait)
		pthread_mutex_lock(&log->lock);
	else if (pthread_mutex_trylock(&log->lock))
		return -EAGAIN;
	i = ebpfs_intent_owner(log->map->owners, log->logs, LOGS, (const u8 *)client, now, &fresh);
	if (!op->may_wait && !log->ready[i]) {
		pthread_mutex_unlock(&log->lock);
		return -EAGAIN;
	}
	if (!make_ready(log, i)) {
		pthread_mutex_unlock(&log->lock);
		return -ENOENT;
	}
	it->log = &log->logs[i];
	if (fresh) {
		memset(records_of(log, i), 0, LOG_BYTES);
		ebpfs_intent_owner_set(&log->map->owners[i], (const u8 *)client, now);
	}
	*state = ebpfs_intent_begin(it->log, op->c->op_id, it->key, op->c->op, &it->at,
				    &it->former);
	pthread_mutex_unlock(&log->lock);
	return *state == EBPFS_INTENT_BUSY ? -EAGAIN : 0;
}

static int run_logged(struct op *op, struct intent *it, struct op_result *res)
{
	bool keep;
	int err;

	op->intent = it;
	err = op_run(op, res);
	intent_point(op, INTENT_POINT_EXECUTED);
	/* Of an operation that is not recognised at least the result is kept. */
	if (!err && !res->status && !it->written && !it->begun)
		intent_write(op, 0, NULL, NULL, NULL, 0);
	/* What an earlier life did has a result, too, when it was recognised. */
	keep = it->written || it->begun;
	if (keep && !err)
		ebpfs_intent_result(it->log, it->at, res->status, res->flags, op->buf, res->total);
	intent_point(op, INTENT_POINT_RESULT);
	op->intent = NULL;
	ebpfs_intent_end(it->log, it->at, err && it->written);
	return err;
}

int intent_run(struct intent_log *log, const char *client, struct op *op, struct op_result *res)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(op->c->op);
	enum ebpfs_intent_state state;
	struct intent it;	/* @former is large, and mostly not there */
	int err;

	if (!log || !t || !(t->flags & EBPFS_TRAIT_ONCE) || !op->e->writable)
		return op_run(op, res);
	err = begin(log, client, op, &it, &state);
	if (err == -ENOENT)
		return op_run(op, res);
	if (err)
		return err;
	if (state == EBPFS_INTENT_DONE) {
		res->status = it.former.status;
		res->total = it.former.total;
		memcpy(op->buf, it.former.reply, it.former.total);
		res->flags = hold_replayed(op, it.former.reply_flags, res->total);
		return 0;
	}
	it.written = false;
	it.begun = state == EBPFS_INTENT_BEGUN;
	return run_logged(op, &it, res);
}

void intent_write(struct op *op, u16 flags, const u8 *a, const u8 *b, const void *note,
		  u32 note_len)
{
	struct ebpfs_intent r = { .op_id = op->c->op_id, .op = op->c->op, .flags = flags };
	struct intent *it = op->intent;

	if (!it)
		return;
	memcpy(r.key, it->key, sizeof(r.key));
	if (a)
		memcpy(r.a, a, sizeof(r.a));
	if (b)
		memcpy(r.b, b, sizeof(r.b));
	ebpfs_intent_write(it->log, it->at, &r, note, note_len);
	it->written = true;
}

void intent_effect(struct op *op, const u8 *fh, u16 fh_len)
{
	if (op->intent)
		ebpfs_intent_effect(op->intent->log, op->intent->at, fh, fh_len);
}

static void mark_of(const struct export *e, u32 type, const u8 *bytes, u32 len, u8 *mark)
{
	const struct ebpfs_bytes parts[] = { { &type, sizeof(type) }, { bytes, len } };

	ebpfs_tag(mark, e->intent_key, parts, ARRAY_SIZE(parts));
}

bool intent_mark(const struct export *e, int dir, const char *name, u8 *mark)
{
	struct {
		struct file_handle h;
		u8 room[HANDLE_KERNEL_MAX];
	} k = { .h.handle_bytes = HANDLE_KERNEL_MAX };
	int mount_id;

	if (name_to_handle_at(dir, name, &k.h, &mount_id, 0))
		return false;
	mark_of(e, (u32)k.h.handle_type, k.h.f_handle, k.h.handle_bytes, mark);
	return true;
}

void intent_mark_fh(const struct export *e, const u8 *fh, u8 *mark)
{
	const struct wire_handle *w = (const struct wire_handle *)fh;

	mark_of(e, le16_to_cpu(w->type), w->bytes, w->len, mark);
}

void intent_mark_key(const struct export *e, const struct ebpfs_hold_key *key, u8 *mark)
{
	const struct file_key *k = (const struct file_key *)key->bytes;

	mark_of(e, le16_to_cpu(k->type), k->bytes, k->len, mark);
}

void intent_temp_name(struct intent_temp *temp)
{
	static u64 count;

	snprintf(temp->name, sizeof(temp->name), TEMP_NAME "%016llx-%llx",
		 (unsigned long long)nonce,
		 (unsigned long long)__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
}

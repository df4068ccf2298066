// SPDX-License-Identifier: GPL-2.0
/*
 * What an earlier life of the daemon began and did not note the end of: was it done?
 * See settle.h.
 *
 * At the start nobody has executed anything since, so that what is found of APPEND,
 * FALLOCATE and the extended attributes is what that life left, be the same done by
 * others a moment later. The answer goes into the record. Where the file cannot be
 * opened then, it is looked for when the call comes again.
 *
 * One thread at the start; then whoever executes the call, under the file's lock.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "export.h"
#include "handle.h"
#include "log.h"
#include "ops.h"
#include "settle.h"

_Static_assert(sizeof(struct ebpfs_append_mark) == EBPFS_INTENT_MARK, "it is a record's a");
_Static_assert(sizeof(struct ebpfs_shift_mark) == EBPFS_INTENT_MARK, "it is a record's a");
_Static_assert(sizeof(struct ebpfs_value_mark) == EBPFS_INTENT_MARK, "it is a record's a");
_Static_assert(sizeof(struct settle_note) + EBPFS_FH_MAX + EBPFS_APPEND_CUTS * sizeof(u32) <=
	       EBPFS_INTENT_REPLY_MAX, "APPEND's note fits");

/**
 * struct noted - a note, taken apart
 * @fh_len: bytes of @fh
 * @len: bytes of @more
 * @fh: the file's handle
 * @more: checksums, or a name
 */
struct noted {
	u16 fh_len;
	u16 len;
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
	u8 more[EBPFS_INTENT_REPLY_MAX + 1] __attribute__((aligned(8)));
};

static bool take_note(const struct ebpfs_intent *r, struct noted *to)
{
	struct settle_note n;

	if (!(r->flags & INTENT_FILE) || !ebpfs_intent_has_note(r) || r->note_len < sizeof(n))
		return false;
	memcpy(&n, r->reply, sizeof(n));
	if (!n.fh_len || n.fh_len > EBPFS_FH_MAX || n.len != r->note_len - sizeof(n) - n.fh_len)
		return false;
	to->fh_len = n.fh_len;
	to->len = n.len;
	memcpy(to->fh, r->reply + sizeof(n), n.fh_len);
	memcpy(to->more, r->reply + sizeof(n) + n.fh_len, n.len);
	to->more[n.len] = '\0';
	return true;
}

void settle_intend(struct op *op, const void *a, const void *more, u32 len)
{
	const struct settle_note n = { .fh_len = op->c->fh_len, .len = (u16)len };
	u8 note[EBPFS_INTENT_REPLY_MAX];

	if (sizeof(n) + n.fh_len + len > sizeof(note)) {
		intent_write(op, 0, a, NULL, NULL, 0);
		return;
	}
	memcpy(note, &n, sizeof(n));
	memcpy(note + sizeof(n), op->c->fh, n.fh_len);
	if (len)
		memcpy(note + sizeof(n) + n.fh_len, more, len);
	intent_write(op, INTENT_FILE, a, NULL, note, sizeof(n) + n.fh_len + len);
}

void settle_done(struct op *op, u64 offset, u32 count)
{
	const struct settle_done done = { .offset = offset, .count = count };

	intent_effect(op, (const u8 *)&done, sizeof(done));
}

/* Verdict or -errno. @done is filled in if it was done. */
static int look_for_append(const struct ebpfs_intent *r, int fd, const struct noted *n,
			   struct settle_done *done)
{
	struct ebpfs_append_mark m;
	u32 cuts[EBPFS_APPEND_CUTS], want, got = 0;
	enum ebpfs_intent_verdict v;
	struct stat st;
	ssize_t some;
	u8 *bytes;

	memcpy(&m, r->a, sizeof(m));
	if (fstat(fd, &st))
		return -errno;
	if ((u64)st.st_size <= m.size || !m.len || m.len > EBPFS_MSG_MAX)
		return EBPFS_WAS_NOT_DONE;
	memcpy(cuts, n->more, sizeof(cuts));
	want = (u64)st.st_size - m.size < m.len ? (u32)((u64)st.st_size - m.size) : m.len;
	bytes = malloc(want);
	if (!bytes)
		return -ENOMEM;
	while (got < want) {
		some = pread(fd, bytes + got, want - got, (off_t)(m.size + got));
		if (some < 0 && errno == EINTR)
			continue;
		if (some <= 0) {
			free(bytes);
			return some ? -errno : -EAGAIN;
		}
		got += (u32)some;
	}
	v = ebpfs_append_judge(&m, cuts, n->len / sizeof(*cuts), (u64)st.st_size, bytes);
	free(bytes);
	*done = (struct settle_done){ .offset = m.size, .count = m.len };
	if (v != EBPFS_WAS_TORN)
		return v;
	/* Nothing is behind it. */
	return ftruncate(fd, (off_t)m.size) ? -errno : EBPFS_WAS_NOT_DONE;
}

static int look_for_shift(const struct ebpfs_intent *r, int fd)
{
	struct ebpfs_shift_mark m;
	struct stat st;

	memcpy(&m, r->a, sizeof(m));
	return fstat(fd, &st) ? -errno : (int)ebpfs_shift_judge(&m, (u64)st.st_size);
}

static int look_for_value(const struct ebpfs_intent *r, int fd, const char *name)
{
	u8 *value = malloc(SETTLE_VALUE_MAX);
	struct ebpfs_value_mark m;
	char path[32];
	ssize_t n;
	int ret;

	if (!value)
		return -ENOMEM;
	memcpy(&m, r->a, sizeof(m));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = getxattr(path, name, value, SETTLE_VALUE_MAX);
	if (n < 0 && errno != ENODATA)
		ret = -errno;
	else
		ret = (int)ebpfs_value_judge(&m, n < 0 ? NULL : value, n < 0 ? 0 : (u32)n);
	free(value);
	return ret;
}

static int look(const struct ebpfs_intent *r, int fd, const struct noted *n, const char *name,
		struct settle_done *done)
{
	*done = (struct settle_done){ 0 };
	switch (r->op) {
	case EBPFS_OP_APPEND:
		return look_for_append(r, fd, n, done);
	case EBPFS_OP_FALLOCATE:
		return look_for_shift(r, fd);
	case EBPFS_OP_SETXATTR:
	case EBPFS_OP_REMOVEXATTR:
		return look_for_value(r, fd, name);
	default:
		return EBPFS_WAS_NOT_DONE;
	}
}

int settle_again(struct op *op, int fd, const char *name, struct settle_done *done)
{
	const struct ebpfs_intent *former = intent_former(op->intent);
	struct noted n = { 0 };
	int ret;

	if (!former)
		return false;
	if (ebpfs_intent_has_effect(former)) {
		if (former->fh_len == sizeof(*done))
			memcpy(done, former->fh, sizeof(*done));
		return former->fh_len == sizeof(*done);
	}
	/* Without a note only a name can be looked for; what else has none is done again. */
	if (!take_note(former, &n) && !name)
		return false;
	ret = look(former, fd, &n, name, done);
	return ret < 0 ? ret : ret == EBPFS_WAS_DONE;
}

static const struct export *export_of(const struct exports *exports, const struct noted *n)
{
	unsigned int i;

	for (i = 0; i < exports->count; i++) {
		const struct export *e = &exports->list[i];

		if (e->writable && handle_check(e, n->fh, n->fh_len))
			return e;
	}
	return NULL;
}

/* Return: was it settled? */
static bool settle_one(struct ebpfs_intents *log, u32 at, const struct exports *exports)
{
	const struct ebpfs_intent *r = &log->records[at];
	bool bytes = r->op == EBPFS_OP_APPEND || r->op == EBPFS_OP_FALLOCATE;
	struct settle_done done;
	const struct export *e;
	struct noted n;
	int fd, ret;

	if (!take_note(r, &n))
		return false;
	e = export_of(exports, &n);
	if (!e)
		return false;
	fd = handle_open(e, n.fh, bytes ? O_RDWR | O_NONBLOCK | O_NOCTTY : O_PATH);
	if (fd < 0) {
		/* A file that is gone is gone when the call comes again, too. */
		ret = fd == -ESTALE ? 0 : fd;
	} else {
		ret = look(r, fd, &n, (const char *)n.more, &done);
		close(fd);
	}
	if (ret < 0) {
		errno = -ret;
		log_warning_limited("%s: a file that a call of an earlier ebpfsd was about to "
				    "change cannot be looked at: %m (if the call comes again, it "
				    "is)", e->name);
		return false;
	}
	if (fd < 0)
		return false;
	if (ret == EBPFS_WAS_DONE)
		ebpfs_intent_effect(log, at, (const u8 *)&done, sizeof(done));
	else
		ebpfs_intent_drop(log, at);
	return true;
}

unsigned int settle_log(struct ebpfs_intents *log, const struct exports *exports)
{
	unsigned int settled = 0;
	u32 i;

	for (i = 0; i < log->count; i++)
		if (ebpfs_intent_open(&log->records[i]))
			settled += settle_one(log, i, exports);
	return settled;
}

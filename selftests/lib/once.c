// SPDX-License-Identifier: GPL-2.0
/*
 * once: operations that fail or do harm when they are done twice, by several processes,
 * against a model of what must come of them
 *
 * usage: once [-n OPERATIONS] [-p PROCESSES] [-s SEED] MOUNTED SERVED
 *
 * MOUNTED and SERVED are one empty directory, at a client and on the server. Each process
 * has a directory in it, and makes random calls there: open with O_EXCL, mkdir, rename,
 * link, unlink, rmdir, write with O_APPEND, setxattr with XATTR_CREATE, removexattr; and
 * appends to a file that all share. The model tells what each call must answer, be it an
 * error, and what the directories must have in the end, on both sides. OPERATIONS (default
 * 400) are those that succeed, of all processes together.
 *
 * The caller kills servers and loses replies meanwhile. Who does anything twice or not at
 * all gets an EEXIST or ENOENT that must not be, or has a record twice, or none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/platform.h"
#include "data.h"

#define PROCESSES_MAX	16
#define NAMES		10
#define BODY_MAX	600
#define ATTR		"user.once"
#define SHARED		"shared"
#define MAGIC		0x6f6e6365u

/* What is appended: this, and @len bytes made of @process and @number. */
struct record {
	u32 magic;
	u16 process;
	u16 len;
	u64 number;
};

/**
 * struct thing - a file or directory
 * @is_dir: which
 * @names: that it has
 * @attr: it has the attribute
 * @numbers: records that were appended
 * @count: how many
 */
struct thing {
	bool is_dir;
	unsigned int names;
	bool attr;
	u64 *numbers;
	u64 count;
};

static struct thing *named[NAMES];
static unsigned int process;
static u64 state, calls, records;
static u64 *shared;
static u64 shared_count;
static const char *mounted, *served;

static u32 draw(u32 below)
{
	return (u32)(data_random(&state) >> 16) % below;
}

static bool wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool wrong(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "once: process %u call %llu: ", process, (unsigned long long)calls);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

static const char *path_of(const char *top, unsigned int name)
{
	static char paths[2][4096];
	static unsigned int next;

	next ^= 1;
	snprintf(paths[next], sizeof(paths[0]), "%s/p%u/n%u", top, process, name);
	return paths[next];
}

/* Did the call answer what it must? @want: errno or 0. */
static bool answered(const char *what, unsigned int a, int ret, int want)
{
	int got = ret < 0 ? errno : 0;

	if (got == want)
		return true;
	return wrong("%s of n%u: %s, should be %s", what, a, got ? strerror(got) : "done",
		     want ? strerror(want) : "done");
}

static void remember(u64 **to, u64 *count, u64 number)
{
	if (!(*count & (*count - 1)))
		*to = realloc(*to, (*count ? 2 * *count : 1) * sizeof(**to));
	if (!*to)
		abort();
	(*to)[(*count)++] = number;
}

static u32 make_record(u8 *to, unsigned int who, u64 number)
{
	u64 body = number * 31 + who;
	struct record r = { MAGIC, (u16)who, (u16)(data_random(&body) % BODY_MAX), number };
	u32 i;

	memcpy(to, &r, sizeof(r));
	for (i = 0; i < r.len; i++)
		to[sizeof(r) + i] = (u8)data_random(&body);
	return (u32)sizeof(r) + r.len;
}

/* What a name meant is not what it means now. */
static void put(unsigned int name, struct thing *t)
{
	struct thing *was = named[name];

	if (t)
		t->names++;
	named[name] = t;
	if (was && !--was->names) {
		free(was->numbers);
		free(was);
	}
}

static bool make(unsigned int a)
{
	bool is_dir = draw(3) == 0;
	int fd, want = named[a] ? EEXIST : 0;

	if (is_dir) {
		if (!answered("mkdir", a, mkdir(path_of(mounted, a), 0755), want))
			return false;
	} else {
		fd = open(path_of(mounted, a), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (!answered("O_EXCL", a, fd, want))
			return false;
		if (fd >= 0)
			close(fd);
	}
	if (!want) {
		put(a, calloc(1, sizeof(struct thing)));
		named[a]->is_dir = is_dir;
	}
	return true;
}

static bool take(unsigned int a)
{
	bool as_dir = named[a] ? named[a]->is_dir : draw(2);
	int ret = as_dir ? rmdir(path_of(mounted, a)) : unlink(path_of(mounted, a));

	if (!answered(as_dir ? "rmdir" : "unlink", a, ret, named[a] ? 0 : ENOENT))
		return false;
	put(a, NULL);
	return true;
}

static bool move(unsigned int a, unsigned int b)
{
	struct thing *x = named[a], *y = named[b];
	int want = 0;

	if (!x)
		want = ENOENT;
	else if (y && y->is_dir != x->is_dir)
		want = x->is_dir ? ENOTDIR : EISDIR;
	if (!answered("rename", a, rename(path_of(mounted, a), path_of(mounted, b)), want))
		return false;
	if (!want && x != y) {
		put(b, x);
		put(a, NULL);
	}
	return true;
}

static bool join(unsigned int a, unsigned int b)
{
	int want = 0;

	if (!named[a])
		want = ENOENT;
	else if (named[b])
		want = EEXIST;
	else if (named[a]->is_dir)
		want = EPERM;
	if (!answered("link", a, link(path_of(mounted, a), path_of(mounted, b)), want))
		return false;
	if (!want)
		put(b, named[a]);
	return true;
}

/* One write(2) to the file of a name, or to the one that all share. */
static bool append(unsigned int a, bool to_shared)
{
	u8 bytes[sizeof(struct record) + BODY_MAX];
	struct thing *t = to_shared ? NULL : named[a];
	char path[4096];
	ssize_t n;
	int fd, want = to_shared ? 0 : !t ? ENOENT : t->is_dir ? EISDIR : 0;
	u32 len;

	if (to_shared)
		snprintf(path, sizeof(path), "%s/" SHARED, mounted);
	else
		snprintf(path, sizeof(path), "%s", path_of(mounted, a));
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (!answered("opening", a, fd, want))
		return false;
	if (want)
		return true;
	len = make_record(bytes, process, records);
	n = write(fd, bytes, len);
	if (n != (ssize_t)len)
		return wrong("append to %s: %s", path, n < 0 ? strerror(errno) : "too short");
	if (close(fd))
		return wrong("closing %s: %s", path, strerror(errno));
	if (to_shared)
		remember(&shared, &shared_count, records);
	else
		remember(&t->numbers, &t->count, records);
	records++;
	return true;
}

static bool mark(unsigned int a)
{
	struct thing *t = named[a];
	int want = !t ? ENOENT : t->attr ? EEXIST : 0;

	if (!answered("setxattr", a, setxattr(path_of(mounted, a), ATTR, "v", 1, XATTR_CREATE),
		      want))
		return false;
	if (!want)
		t->attr = true;
	return true;
}

static bool unmark(unsigned int a)
{
	struct thing *t = named[a];

	if (!answered("removexattr", a, removexattr(path_of(mounted, a), ATTR),
		      !t ? ENOENT : t->attr ? 0 : ENODATA))
		return false;
	if (t)
		t->attr = false;
	return true;
}

/* A call that mostly succeeds; its answer is right in any case. */
static bool one_call(bool *done)
{
	unsigned int a = draw(NAMES), b = (a + 1 + draw(NAMES - 1)) % NAMES, i;
	u32 what = draw(20);

	/* Some are to fail; but most find what they need. */
	for (i = 0; i < NAMES && draw(8) && !named[a] != (what < 6); i++)
		a = (a + 1) % NAMES;
	if (a == b)
		b = (b + 1) % NAMES;
	calls++;
	*done = !named[a] == (what < 6);
	if (what < 6)
		return make(a);
	if (what < 9)
		return take(a);
	if (what < 12) {
		*done = *done && (!named[b] || named[b]->is_dir == named[a]->is_dir);
		return move(a, b);
	}
	if (what < 14) {
		*done = *done && !named[b] && !named[a]->is_dir;
		return join(a, b);
	}
	if (what < 16) {
		*done = *done && !named[a]->is_dir;
		return append(a, false);
	}
	if (what == 16) {
		*done = true;
		return append(a, true);
	}
	if (what < 19) {
		*done = *done && !named[a]->attr;
		return mark(a);
	}
	*done = *done && named[a]->attr;
	return unmark(a);
}

/* Takes the next record of a file; returns its bytes, or 0. */
static u32 next_record(const u8 *all, u64 left, struct record *r)
{
	u8 want[sizeof(*r) + BODY_MAX];
	u32 len;

	if (left < sizeof(*r))
		return 0;
	memcpy(r, all, sizeof(*r));
	if (r->magic != MAGIC)
		return 0;
	len = make_record(want, r->process, r->number);
	return len <= left && !memcmp(all, want, len) ? len : 0;
}

/* All of a file. */
static u8 *read_file(const char *path, u64 *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 0;
	u8 *all;

	*size = 0;
	if (fd < 0 || fstat(fd, &st))
		return NULL;
	all = malloc((size_t)st.st_size + 1);
	while (all && *size < (u64)st.st_size &&
	       (n = read(fd, all + *size, (size_t)st.st_size - *size)) > 0)
		*size += (u64)n;
	close(fd);
	return all;
}

static bool check_file(const char *path, const struct thing *t)
{
	u64 size, at = 0, i;
	u8 *all = read_file(path, &size);
	struct record r;
	u32 len;

	for (i = 0; all && i < t->count; i++, at += len) {
		len = next_record(all + at, size - at, &r);
		if (!len || r.process != process || r.number != t->numbers[i])
			return wrong("%s: record %llu should be number %llu, at byte %llu", path,
				     (unsigned long long)i, (unsigned long long)t->numbers[i],
				     (unsigned long long)at);
	}
	free(all);
	return all && at == size ? true :
	       wrong("%s: %llu bytes are too many", path, (unsigned long long)(size - at));
}

static bool check_tree(const char *top)
{
	unsigned int a, b, want = 0, found = 0;
	struct stat st[NAMES];
	struct dirent *e;
	char path[4096];
	ssize_t n;
	DIR *d;

	for (a = 0; a < NAMES; a++) {
		const struct thing *t = named[a];

		snprintf(path, sizeof(path), "%s", path_of(top, a));
		want += !!t;
		if (lstat(path, &st[a])) {
			if (t || errno != ENOENT)
				return wrong("%s: %s", path, strerror(errno));
			continue;
		}
		if (!t)
			return wrong("%s should not be there", path);
		if (S_ISDIR(st[a].st_mode) != t->is_dir ||
		    (!t->is_dir && st[a].st_nlink != t->names))
			return wrong("%s: mode %o, %lu names, should have %u", path,
				     st[a].st_mode, (unsigned long)st[a].st_nlink, t->names);
		n = getxattr(path, ATTR, NULL, 0);
		if ((n == 1) != t->attr)
			return wrong("%s: the attribute should be %s", path,
				     t->attr ? "there" : "gone");
		if (!t->is_dir && !check_file(path, t))
			return false;
		for (b = 0; b < a; b++)
			if (named[b] && (named[b] == t) != (st[b].st_ino == st[a].st_ino))
				return wrong("%s and n%u: are they one file?", path, b);
	}
	snprintf(path, sizeof(path), "%s/p%u", top, process);
	d = opendir(path);
	while (d && (e = readdir(d)))
		found += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	if (d)
		closedir(d);
	return found == want ? true : wrong("%s: %u names, should be %u", path, found, want);
}

/* The records of this process in the file that all share. */
static bool check_shared(const char *top)
{
	u64 size, at = 0, i = 0;
	char path[4096];
	struct record r;
	u32 len;
	u8 *all;

	snprintf(path, sizeof(path), "%s/" SHARED, top);
	all = read_file(path, &size);
	for (; all && at < size; at += len) {
		len = next_record(all + at, size - at, &r);
		if (!len)
			return wrong("%s: no good record at byte %llu of %llu", path,
				     (unsigned long long)at, (unsigned long long)size);
		if (r.process != process)
			continue;
		if (i >= shared_count || r.number != shared[i])
			return wrong("%s: record %llu is there twice or out of order", path,
				     (unsigned long long)r.number);
		i++;
	}
	free(all);
	return all && i == shared_count ? true :
	       wrong("%s: %llu records of %llu", path, (unsigned long long)i,
		     (unsigned long long)shared_count);
}

static int work(u64 ops)
{
	char path[4096];
	u64 n = 0;
	bool done;

	snprintf(path, sizeof(path), "%s/p%u", mounted, process);
	if (mkdir(path, 0755))
		return wrong("mkdir %s: %s", path, strerror(errno)) + 1;
	while (n < ops) {
		if (!one_call(&done))
			return 1;
		n += done;
	}
	return !check_tree(mounted) || !check_tree(served);
}

/* Children tell when they are done, wait until all are, and look at what they share. */
static int child(u64 ops, int tell, int go)
{
	char c = 0;
	int ret = work(ops);

	close(tell);
	if (read(go, &c, 1) < 0)
		return 1;
	if (!ret && (!check_shared(mounted) || !check_shared(served)))
		ret = 1;
	if (!ret)
		printf("once: process %u made %llu calls, %llu of them done\n", process,
		       (unsigned long long)calls, (unsigned long long)ops);
	return ret;
}

int main(int argc, char **argv)
{
	u64 ops = 400, seed = 1;
	unsigned int processes = 4, i;
	int opt, status, failed = 0, tell[2], go[2], fd;
	char path[4096], c;

	while ((opt = getopt(argc, argv, "n:p:s:")) != -1) {
		if (opt == 'n')
			ops = strtoull(optarg, NULL, 0);
		else if (opt == 'p')
			processes = (unsigned int)strtoul(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			goto usage;
	}
	if (argc - optind != 2 || !processes || processes > PROCESSES_MAX)
		goto usage;
	mounted = argv[optind];
	served = argv[optind + 1];
	snprintf(path, sizeof(path), "%s/" SHARED, mounted);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || close(fd) || pipe(tell) || pipe(go)) {
		perror("once: cannot begin");
		return 1;
	}
	for (i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("once: cannot start a process");
			return 1;
		}
		if (pid)
			continue;
		close(tell[0]);
		close(go[1]);
		process = i;
		state = seed * 1000 + i;
		status = child(ops / processes + (i < ops % processes), tell[1], go[0]);
		fflush(stdout);
		_exit(status);
	}
	close(tell[1]);
	close(go[0]);
	/* Until nobody has the other end. */
	while (read(tell[0], &c, 1) > 0)
		;
	close(go[1]);
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
usage:
	fprintf(stderr, "usage: once [-n OPERATIONS] [-p PROCESSES] [-s SEED] MOUNTED SERVED\n");
	return 2;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * coherence: do several views of one directory agree after each close and open?
 *
 * usage: coherence [-s SEED] [-n STEPS] [-d] DIRECTORY DIRECTORY...
 *
 *	-d	data and attributes only: names are made once and stay
 *
 * The directories are mounts of one export, by several clients, and the exported
 * directory itself. In each step one of them, chosen at random, does something to a
 * file and closes it: writes, appends, truncates, writes through a mapping, creates,
 * links, renames or removes it, sets mode, owner, times or an attribute. Then another
 * one opens it, and must find what a model in memory says: the name or its absence,
 * bytes, size, mode, owner, times, links and the attribute. Now and then all of them
 * compare everything, listings too.
 *
 * Exit status 0 if they agreed, 1 with the first thing they did not agree about, and
 * the last steps. The same seed makes the same steps.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/platform.h"
#include "data.h"

#define NAMES		18
#define DIRECTORIES	3
#define SIZE_MAX_	(160 << 10)
#define VIEWS		4
#define STORY		12

/* A file of the model, with @links names. */
struct file {
	int links;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	time_t mtime;		/* as set, -1 if written since */
	char value[24];		/* of the attribute, empty: none */
	size_t size;
	char *data;
};

static char *view[VIEWS];
static unsigned int views;
static struct file *name[NAMES];
static u64 state, steps = 2000, step;
static bool data_only;
static char story[STORY][200];
static char *buffer;

static u64 below(u64 n)
{
	return data_random(&state) % n;
}

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
	va_list args;
	char *line = story[step % STORY];
	int n = snprintf(line, sizeof(story[0]), "%llu: ", (unsigned long long)step);

	va_start(args, format);
	vsnprintf(line + n, sizeof(story[0]) - n, format, args);
	va_end(args);
}

static void __attribute__((format(printf, 1, 2), noreturn)) wrong(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "coherence: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\ncoherence: the last steps:\n");
	for (u64 i = step < STORY ? 1 : step - STORY + 1; i <= step; i++)
		fprintf(stderr, "\t%s\n", story[i % STORY]);
	exit(1);
}

static const char *path(unsigned int v, unsigned int n)
{
	static char text[4][4096];
	static unsigned int next;
	char *p = text[next++ % 4];

	snprintf(p, sizeof(text[0]), "%s/d%u/n%u", view[v], n % DIRECTORIES, n);
	return p;
}

#define must(what, ...)							\
	do {								\
		if ((what) < 0)						\
			wrong("%s: %s", #what, strerror(errno));	\
	} while (0)

static void drop(unsigned int n)
{
	if (name[n] && !--name[n]->links) {
		free(name[n]->data);
		free(name[n]);
	}
	name[n] = NULL;
}

static struct file *fresh(unsigned int n)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		exit(2);
	f->data = calloc(1, SIZE_MAX_);
	if (!f->data)
		exit(2);
	f->links = 1;
	f->mode = 0644;
	f->mtime = -1;
	name[n] = f;
	return f;
}

static void fill(char *to, size_t n)
{
	u64 seed = data_random(&state);

	for (size_t i = 0; i < n; i++)
		to[i] = (char)(data_mix(seed + i / 8) >> (i % 8 * 8));
}

/* Bytes @at to @at + @n of a file are new; in the model and in @buffer. */
static void renew(struct file *f, size_t at, size_t n)
{
	fill(buffer, n);
	memcpy(f->data + at, buffer, n);
	if (f->size < at + n)
		f->size = at + n;
	f->mtime = -1;
}

static void resize(struct file *f, size_t size)
{
	if (size < f->size)
		memset(f->data + size, 0, f->size - size);
	f->size = size;
	f->mtime = -1;
}

static void write_file(unsigned int v, unsigned int n, int flags)
{
	struct file *f = name[n];
	unsigned int pieces = 1 + below(3);
	int fd;

	if (!f)
		f = fresh(n);
	must(fd = open(path(v, n), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0644));
	if (flags & O_TRUNC)
		resize(f, 0);
	while (pieces--) {
		size_t at = flags & O_APPEND ? f->size : below(SIZE_MAX_ / 2);
		size_t size = 1 + below(below(4) ? 5000 : SIZE_MAX_ / 4);
		ssize_t done;

		if (at + size > SIZE_MAX_)
			break;
		renew(f, at, size);
		done = flags & O_APPEND ? write(fd, buffer, size) : pwrite(fd, buffer, size, at);
		if (done != (ssize_t)size)
			wrong("a write of %zu bytes at %zu returns %zd: %s", size, at, done,
			      strerror(errno));
	}
	must(close(fd));
	tell("%s writes n%u%s%s, now %zu bytes", view[v], n, flags & O_TRUNC ? ", cut," : "",
	     flags & O_APPEND ? " at its end" : "", f->size);
}

static void map_file(unsigned int v, unsigned int n)
{
	struct file *f = name[n];
	unsigned int pieces = 1 + below(4);
	int fd;
	char *map;

	must(fd = open(path(v, n), O_RDWR | O_CLOEXEC));
	if (f->size < 5000) {
		resize(f, 5000 + below(60000));
		must(ftruncate(fd, f->size));
	}
	map = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		wrong("cannot map: %s", strerror(errno));
	while (pieces--) {
		size_t at = below(f->size);
		size_t size = 1 + below(f->size - at < 9000 ? f->size - at : 9000);

		renew(f, at, size);
		memcpy(map + at, buffer, size);
	}
	must(munmap(map, f->size));
	must(close(fd));
	tell("%s writes n%u through a mapping of %zu bytes", view[v], n, f->size);
}

static void set_something(unsigned int v, unsigned int n)
{
	static const mode_t modes[] = { 0600, 0644, 0755, 0640, 04755, 02711, 01666, 0 };
	struct file *f = name[n];
	struct timespec t[2] = { { 0 }, { 0 } };

	switch (below(4)) {
	case 0:
		f->mode = modes[below(ARRAY_SIZE(modes))];
		must(chmod(path(v, n), f->mode));
		tell("%s sets mode %o of n%u", view[v], f->mode, n);
		break;
	case 1:
		f->uid = below(3) * 1000;
		f->gid = below(3) * 100;
		must(chown(path(v, n), f->uid, f->gid));
		if (f->mode & 0111)
			f->mode &= ~(f->mode & 0010 ? 06000 : 04000);
		else
			f->mode &= ~04000;
		tell("%s gives n%u to %u:%u", view[v], n, f->uid, f->gid);
		break;
	case 2:
		f->mtime = below(2000000000);
		t[0].tv_sec = f->mtime / 2;
		t[1].tv_sec = f->mtime;
		t[1].tv_nsec = 987654321;
		must(utimensat(AT_FDCWD, path(v, n), t, 0));
		tell("%s sets times of n%u", view[v], n);
		break;
	case 3:
		if (*f->value && !below(3)) {
			*f->value = 0;
			must(removexattr(path(v, n), "user.value"));
			tell("%s removes n%u's attribute", view[v], n);
			break;
		}
		snprintf(f->value, sizeof(f->value), "%llu",
			 (unsigned long long)data_random(&state));
		must(setxattr(path(v, n), "user.value", f->value, strlen(f->value), 0));
		tell("%s sets n%u's attribute to %s", view[v], n, f->value);
		break;
	}
}

/* Something to name @n; returns another name that it concerns, or @n. */
static unsigned int change_names(unsigned int v, unsigned int n)
{
	unsigned int m = below(NAMES), k;
	int fd;

	switch (below(4)) {
	case 0:
		must(unlink(path(v, n)));
		drop(n);
		tell("%s removes n%u", view[v], n);
		return n;
	case 1:
		must(rename(path(v, n), path(v, m)));
		tell("%s renames n%u to n%u%s", view[v], n, m, name[m] ? ", which was there" : "");
		/* Two names of one file: nothing happens. */
		if (name[n] == name[m])
			return m;
		drop(m);
		name[m] = name[n];
		name[n] = NULL;
		return m;
	case 2:
		if (name[m]) {
			if (!link(path(v, n), path(v, m)) || errno != EEXIST)
				wrong("link to a name that is there: %s", strerror(errno));
			tell("%s is refused to link n%u to n%u", view[v], n, m);
			return m;
		}
		must(link(path(v, n), path(v, m)));
		name[m] = name[n];
		name[m]->links++;
		tell("%s links n%u to n%u", view[v], n, m);
		return m;
	default:
		for (k = 0; k < NAMES && name[m]; k++)
			m = (m + 1) % NAMES;
		fd = open(path(v, m), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (name[m]) {
			if (fd >= 0 || errno != EEXIST)
				wrong("O_EXCL makes n%u, which is there", m);
			return m;
		}
		must(fd);
		must(close(fd));
		fresh(m);
		tell("%s makes n%u", view[v], m);
		return m;
	}
}

/* View @v opens name @n and has to find what the model says. */
static void look(unsigned int v, unsigned int n)
{
	struct file *f = name[n];
	const char *who = view[v];
	char value[64];
	struct stat st;
	ssize_t got;
	int fd = open(path(v, n), O_RDONLY | O_CLOEXEC);

	if (!f) {
		if (fd >= 0)
			wrong("%s still opens n%u, which is gone", who, n);
		if (errno != ENOENT)
			wrong("%s opens n%u, which is gone: %s", who, n, strerror(errno));
		return;
	}
	if (fd < 0)
		wrong("%s cannot open n%u: %s", who, n, strerror(errno));
	must(fstat(fd, &st));
	if (st.st_size != (off_t)f->size)
		wrong("%s: n%u has %lld bytes instead of %zu", who, n, (long long)st.st_size,
		      f->size);
	if ((st.st_mode & 07777) != f->mode || st.st_uid != f->uid || st.st_gid != f->gid)
		wrong("%s: n%u is %o %u:%u instead of %o %u:%u", who, n, st.st_mode & 07777,
		      st.st_uid, st.st_gid, f->mode, f->uid, f->gid);
	if ((int)st.st_nlink != f->links)
		wrong("%s: n%u has %d links instead of %d", who, n, (int)st.st_nlink, f->links);
	if (f->mtime >= 0 && (st.st_mtim.tv_sec != f->mtime || st.st_mtim.tv_nsec != 987654321))
		wrong("%s: n%u was changed at %lld instead of %lld", who, n,
		      (long long)st.st_mtim.tv_sec, (long long)f->mtime);
	if (f->mtime < 0 && st.st_mtim.tv_nsec == 987654321)
		wrong("%s: n%u was changed at an old time", who, n);
	if (below(3)) {
		for (size_t at = 0; at < f->size; at += got) {
			got = pread(fd, buffer + at, SIZE_MAX_ - at, at);
			if (got <= 0)
				wrong("%s: a read of n%u at %zu returns %zd: %s", who, n, at, got,
				      strerror(errno));
		}
	} else if (f->size) {
		char *map = mmap(NULL, f->size, PROT_READ, MAP_SHARED, fd, 0);

		if (map == MAP_FAILED)
			wrong("%s: cannot map n%u: %s", who, n, strerror(errno));
		memcpy(buffer, map, f->size);
		must(munmap(map, f->size));
	}
	for (size_t i = 0; i < f->size; i++)
		if (buffer[i] != f->data[i])
			wrong("%s: n%u differs from byte %zu of %zu on", who, n, i, f->size);
	got = fgetxattr(fd, "user.value", value, sizeof(value) - 1);
	value[got < 0 ? 0 : got] = 0;
	if (got < 0 && errno != ENODATA)
		wrong("%s: n%u's attribute: %s", who, n, strerror(errno));
	if (strcmp(value, f->value))
		wrong("%s: n%u's attribute is \"%s\" instead of \"%s\"", who, n, value, f->value);
	must(close(fd));
}

static void list(unsigned int v)
{
	bool seen[NAMES] = { false };
	unsigned int n;
	struct dirent *e;

	for (unsigned int d = 0; d < DIRECTORIES; d++) {
		char text[4096];
		DIR *dir;

		snprintf(text, sizeof(text), "%s/d%u", view[v], d);
		dir = opendir(text);
		if (!dir)
			wrong("cannot list %s: %s", text, strerror(errno));
		while ((e = readdir(dir))) {
			if (*e->d_name == '.')
				continue;
			if (sscanf(e->d_name, "n%u", &n) != 1 || n >= NAMES ||
			    n % DIRECTORIES != d || !name[n] || seen[n])
				wrong("%s: a listing has %s, which is %s", text, e->d_name,
				      n < NAMES && seen[n] ? "twice there" : "not there");
			seen[n] = true;
		}
		closedir(dir);
	}
	for (n = 0; n < NAMES; n++)
		if (name[n] && !seen[n])
			wrong("%s: a listing lacks n%u", view[v], n);
}

static void act(unsigned int v)
{
	unsigned int n = below(NAMES), other;

	other = n;
	if (!name[n])
		write_file(v, n, 0);
	else if (!data_only && !below(3))
		other = change_names(v, n);
	else
		switch (below(6)) {
		case 0:
			write_file(v, n, O_APPEND);
			break;
		case 1:
			resize(name[n], below(SIZE_MAX_ / 2));
			must(truncate(path(v, n), name[n]->size));
			tell("%s sets the size of n%u to %zu", view[v], n, name[n]->size);
			break;
		case 2:
			map_file(v, n);
			break;
		case 3:
			set_something(v, n);
			break;
		default:
			write_file(v, n, below(3) ? 0 : O_TRUNC);
		}
	for (unsigned int i = 1 + below(views - 1); i; i--) {
		unsigned int w = below(views);

		look(w, n);
		look(w, other);
	}
}

int main(int argc, char **argv)
{
	int option;

	state = 1;
	while ((option = getopt(argc, argv, "ds:n:")) != -1) {
		if (option == 's')
			state = strtoull(optarg, NULL, 10);
		else if (option == 'n')
			steps = strtoull(optarg, NULL, 10);
		else if (option == 'd')
			data_only = true;
		else
			return 2;
	}
	while (optind < argc && views < VIEWS)
		view[views++] = argv[optind++];
	buffer = malloc(SIZE_MAX_);
	if (views < 2 || optind < argc || !buffer) {
		fprintf(stderr, "usage: coherence [-d] [-s SEED] [-n STEPS] DIRECTORY DIRECTORY...\n");
		return 2;
	}
	umask(022);
	for (unsigned int d = 0; d < DIRECTORIES; d++) {
		char text[4096];

		snprintf(text, sizeof(text), "%s/d%u", view[views - 1], d);
		if (mkdir(text, 0755) && errno != EEXIST) {
			fprintf(stderr, "coherence: cannot make %s: %s\n", text, strerror(errno));
			return 2;
		}
	}
	if (data_only)
		for (unsigned int n = 0; n < NAMES; n++)
			write_file(views - 1, n, 0);
	for (step = 1; step <= steps; step++) {
		/* A tick of the clock: within one, changes on the server do not show in
		 * a file's times (before Linux 6.13).
		 */
		usleep(5000);
		tell("?");
		act(below(views));
		if (step % 200 && step != steps)
			continue;
		for (unsigned int v = 0; v < views; v++) {
			for (unsigned int n = 0; n < NAMES; n++)
				look(v, n);
			list(v);
		}
	}
	printf("%llu steps\n", (unsigned long long)steps);
	return 0;
}

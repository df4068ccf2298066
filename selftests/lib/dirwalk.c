// SPDX-License-Identifier: GPL-2.0
/*
 * dirwalk: reads a directory in ways that readdir() of the C library does not.
 *
 * usage: dirwalk [-s BYTES] [-r] DIR
 *
 * The whole directory is listed with a large buffer first. Then
 *	-s	it is listed again with a buffer of so few bytes: same entries, same order
 *	-r	from 200 positions, in random order, the listing goes on with the entry
 *		that followed there, and after rewinding it begins as at first
 *
 * Exit status: 0 if so, 1 if not, 2 if it cannot be tried. For directories that
 * do not change meanwhile.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "data.h"

struct entry {
	uint64_t ino;
	int64_t next;		/* position after it */
	uint8_t type;
	char name[256];
};

struct listing {
	struct entry *entries;
	size_t count, room;
};

struct raw {			/* as the system call gives them */
	uint64_t ino;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "dirwalk: cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Reads entries from the current position: @most of them, at least. */
static void list(int fd, size_t bytes, size_t most, struct listing *l)
{
	char *buf = malloc(bytes);
	long n;

	if (!buf)
		die("find memory");
	l->count = 0;
	while (l->count < most && (n = syscall(SYS_getdents64, fd, buf, bytes)) > 0) {
		for (long at = 0; at < n;) {
			struct raw *r = (struct raw *)(buf + at);
			struct entry *e;

			if (l->count == l->room) {
				l->room = l->room ? 2 * l->room : 256;
				l->entries = realloc(l->entries, l->room * sizeof(*e));
				if (!l->entries)
					die("find memory");
			}
			e = &l->entries[l->count++];
			e->ino = r->ino;
			e->next = r->next;
			e->type = r->type;
			snprintf(e->name, sizeof(e->name), "%s", r->name);
			at += r->len;
		}
	}
	if (l->count < most && n < 0)
		die("list the directory");
	free(buf);
}

static bool same(const struct entry *a, const struct entry *b, size_t index)
{
	if (a->ino == b->ino && a->type == b->type && !strcmp(a->name, b->name))
		return true;
	fprintf(stderr, "dirwalk: entry %zu is '%s' instead of '%s'\n", index, b->name, a->name);
	return false;
}

static bool seek_around(int fd, const struct listing *whole)
{
	struct listing part = {};
	uint64_t state = 1;

	for (int i = 0; i < 200; i++) {
		size_t at = data_random(&state) % (whole->count - 1);

		if (lseek(fd, whole->entries[at].next, SEEK_SET) < 0)
			die("seek");
		list(fd, 4096, 1, &part);
		if (!part.count) {
			fprintf(stderr, "dirwalk: nothing after entry %zu\n", at);
			return false;
		}
		for (size_t j = 0; j < part.count && at + 1 + j < whole->count; j++)
			if (!same(&whole->entries[at + 1 + j], &part.entries[j], at + 1 + j))
				return false;
	}
	if (lseek(fd, 0, SEEK_SET))
		die("rewind");
	list(fd, 65536, 3, &part);
	for (size_t j = 0; j < part.count && j < whole->count; j++)
		if (!same(&whole->entries[j], &part.entries[j], j))
			return false;
	if (lseek(fd, whole->entries[whole->count - 1].next, SEEK_SET) < 0)
		die("seek to the end");
	list(fd, 65536, 1, &part);
	if (part.count) {
		fprintf(stderr, "dirwalk: '%s' after the last entry\n", part.entries[0].name);
		return false;
	}
	free(part.entries);
	return true;
}

int main(int argc, char **argv)
{
	struct listing whole = {}, again = {};
	size_t small = 0;
	bool seek = false;
	int opt, fd;

	while ((opt = getopt(argc, argv, "s:r")) != -1) {
		if (opt == 's')
			small = strtoul(optarg, NULL, 0);
		else if (opt == 'r')
			seek = true;
		else
			goto usage;
	}
	if (optind + 1 != argc)
		goto usage;
	fd = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(argv[optind]);
	list(fd, 1 << 20, SIZE_MAX, &whole);
	if (whole.count < 2) {
		fprintf(stderr, "dirwalk: only %zu entries, not even . and ..\n", whole.count);
		return 1;
	}
	if (small) {
		if (lseek(fd, 0, SEEK_SET))
			die("rewind");
		list(fd, small, SIZE_MAX, &again);
		if (again.count != whole.count) {
			fprintf(stderr, "dirwalk: %zu entries instead of %zu\n", again.count,
				whole.count);
			return 1;
		}
		for (size_t i = 0; i < whole.count; i++)
			if (!same(&whole.entries[i], &again.entries[i], i))
				return 1;
	}
	if (seek && !seek_around(fd, &whole))
		return 1;
	printf("%zu entries\n", whole.count);
	return 0;
usage:
	fprintf(stderr, "usage: dirwalk [-s BYTES] [-r] DIR\n");
	return 2;
}

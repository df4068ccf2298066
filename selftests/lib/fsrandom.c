// SPDX-License-Identifier: GPL-2.0
/*
 * fsrandom: random operations on one file, checked against a model in memory.
 *
 * usage: fsrandom [-n OPERATIONS | -u END] [-s SEED] [-l BYTES] [-b] [-q] PATH [PATH...]
 *
 * Reads, writes, appends, direct reads and writes (O_DIRECT, if the filesystem can),
 * mapped ones, truncates both ways, syncs,
 * and closes and opens the file, the next time by the next PATH: several PATHs
 * are the same file by several mounts, which close-to-open promises to show
 * alike. END is a number of seconds, or a file that ends it (until.h). -l is the largest size
 * (default 256 KiB). Mappings also write behind the end of the file, where nothing may
 * be kept. -b: one PATH is the server's own: that is left out, for tmpfs shows it when
 * the file grows; and between two PATHs a tick of the clock passes, without which an
 * old and a new file of one size look alike to others (before Linux 6.13). Every read
 * is compared with the model, and the whole file after each opening and at the end.
 *
 * A failure names the operation and the first wrong byte and prints the last
 * operations; the same seed repeats it. Exit status 0, 1 (wrong) or 2 (an
 * operation failed). Single-threaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/platform.h"
#include "data.h"
#include "until.h"

#define LOG	40

enum op {
	READ, WRITE, APPEND, DIRECT_READ, DIRECT_WRITE, MAP_READ, MAP_WRITE, CUT, GROW, SYNC,
	REOPEN, OPS
};

static const char *const op_names[OPS] = {
	"read", "write", "append", "direct read", "direct write", "mapped read",
	"mapped write", "truncate", "extend", "sync", "reopen",
};

struct done {
	u64 number;
	u64 when;	/* it began, ms after the first */
	enum op op;
	u64 at;
	u64 len;
};

static u8 *model, *buf;
static u64 size, limit = 256 << 10, state = 1, number;
static struct done done[LOG];
static const char **paths;
static unsigned int npaths, path;
static int fd = -1, direct = -1;	/* the second with O_DIRECT, or the first */
static bool beyond = true;

static u64 begun;

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static u64 below(u64 n)
{
	return n ? data_random(&state) % n : 0;
}

static void __attribute__((noreturn)) give_up(int status)
{
	u64 i = number > LOG ? number - LOG : 0;

	fprintf(stderr, "fsrandom: the last operations:\n");
	for (; i <= number; i++) {
		const struct done *d = &done[i % LOG];

		if (d->number == i)
			fprintf(stderr, "  %8llu %7llu ms %-12s %llu bytes at %llu\n",
				(unsigned long long)i, (unsigned long long)d->when,
				op_names[d->op], (unsigned long long)d->len,
				(unsigned long long)d->at);
	}
	exit(status);
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "fsrandom: operation %llu: cannot %s %s: %s\n",
		(unsigned long long)number, what, paths[path], strerror(errno));
	give_up(2);
}

static void compare(const u8 *got, u64 at, u64 len)
{
	u64 i, last;

	if (!memcmp(got, model + at, len))
		return;
	for (i = 0; got[i] == model[at + i]; i++)
		;
	for (last = len - 1; got[last] == model[at + last]; last--)
		;
	fprintf(stderr, "fsrandom: operation %llu on %s, %llu ms after the first: byte %llu is %02x, should be %02x (size %llu); the last wrong one is %llu\n",
		(unsigned long long)number, paths[path], (unsigned long long)now_ms() - begun,
		(unsigned long long)(at + i), got[i], model[at + i], (unsigned long long)size,
		(unsigned long long)(at + last));
	give_up(1);
}

static void note(enum op op, u64 at, u64 len)
{
	done[number % LOG] = (struct done){ number, now_ms() - begun, op, at, len };
}

static void check_size(void)
{
	struct stat st;

	if (fstat(fd, &st))
		die("stat");
	if ((u64)st.st_size == size)
		return;
	fprintf(stderr, "fsrandom: operation %llu on %s: size is %llu, should be %llu\n",
		(unsigned long long)number, paths[path], (unsigned long long)st.st_size,
		(unsigned long long)size);
	give_up(1);
}

static void read_by(int by, u64 at, u64 len)
{
	u64 there = at >= size ? 0 : size - at < len ? size - at : len;
	u64 got = 0;

	/* What a read leaves out is told from zeroes. */
	memset(buf, 0xa5, len);
	while (got < len) {
		ssize_t n = pread(by, buf + got, len - got, (off_t)(at + got));

		if (n < 0)
			die("read");
		if (!n)
			break;
		got += (u64)n;
	}
	if (got != there) {
		fprintf(stderr, "fsrandom: operation %llu on %s: read %llu bytes at %llu, there are %llu\n",
			(unsigned long long)number, paths[path], (unsigned long long)got,
			(unsigned long long)at, (unsigned long long)there);
		give_up(1);
	}
	compare(buf, at, got);
}

static void read_at(u64 at, u64 len)
{
	read_by(fd, at, len);
}

static void fill(u64 at, u64 len)
{
	u64 i, r = data_random(&state);

	for (i = 0; i < len; i++)
		model[at + i] = (u8)(r >> (i % 8 * 8)) + (u8)(i / 8);
}

static void grow_to(u64 end)
{
	if (end > size) {
		memset(model + size, 0, end - size);
		size = end;
	}
}

static void write_by(int by, u64 at, u64 len)
{
	u64 put = 0;

	grow_to(at);
	if (at + len > size)
		size = at + len;
	fill(at, len);
	while (put < len) {
		ssize_t n = pwrite(by, model + at + put, len - put, (off_t)(at + put));

		if (n <= 0)
			die("write");
		put += (u64)n;
	}
}

static void append(u64 len)
{
	u64 at = size;
	int flags = fcntl(fd, F_GETFL);

	size += len;
	fill(at, len);
	if (fcntl(fd, F_SETFL, flags | O_APPEND) ||
	    write(fd, model + at, len) != (ssize_t)len || fcntl(fd, F_SETFL, flags))
		die("append to");
}

static void mapped(enum op op, u64 at, u64 len)
{
	u64 page = (u64)getpagesize(), from = at / page * page;
	u8 *map;

	if (op == MAP_WRITE) {
		if (at + len > size) {
			grow_to(at + len);
			if (ftruncate(fd, (off_t)size))
				die("extend");
		}
	} else {
		if (at >= size)
			return;
		if (len > size - at)
			len = size - at;
	}
	if (!len)
		return;
	map = mmap(NULL, at + len - from, op == MAP_WRITE ? PROT_READ | PROT_WRITE : PROT_READ,
		   MAP_SHARED, fd, (off_t)from);
	if (map == MAP_FAILED)
		die("map");
	if (op == MAP_WRITE) {
		fill(at, len);
		memcpy(map + (at - from), model + at, len);
		/* Behind the end of the file nothing is kept. */
		if (beyond && at + len == size && size % page)
			memset(map + (size - from), 0x5a, below(page - size % page));
		if (below(2) && msync(map, at + len - from, MS_SYNC))
			die("msync");
	} else {
		compare(map + (at - from), at, len);
	}
	munmap(map, at + len - from);
}

static void reopen(void)
{
	if (direct >= 0 && direct != fd)
		close(direct);
	if (fd >= 0 && close(fd))
		die("close");
	path = (path + 1) % npaths;
	if (!beyond)
		usleep(12000);
	fd = open(paths[path], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("open");
	direct = open(paths[path], O_RDWR | O_CLOEXEC | O_DIRECT);
	if (direct < 0)
		direct = fd;
	check_size();
	read_at(0, limit);
}

static void truncate_to(u64 to)
{
	if (to > size)
		memset(model + size, 0, to - size);
	size = to;
	if (ftruncate(fd, (off_t)to))
		die("truncate");
}

/* Lengths of all orders of magnitude; now and then whole pages. */
static u64 length(void)
{
	u64 len = 1 + below(1ull << below(18));

	if (!below(8))
		len = (len + 4095) & ~4095ull;
	return len < limit ? len : limit;
}

static void one(void)
{
	enum op op = (enum op)below(OPS + 6);
	u64 len = length(), at = below(3) ? below(size + 1) : below(limit);

	if (op >= OPS)
		op = op % 2 ? READ : WRITE;
	if (op == REOPEN && below(4))
		op = WRITE;
	if (!below(8))
		at &= ~4095ull;
	if (at + len > limit)
		len = limit - at;
	if (op == APPEND) {
		at = size;
		len = len < limit - size ? len : limit - size;
	}
	if (op == DIRECT_READ || op == DIRECT_WRITE) {
		at &= ~4095ull;
		len = (len + 4095) & ~4095ull;
		if (at + len > limit)
			len = limit - at;
	}
	if (op == CUT)
		at = below(size + 1);
	if (op == GROW)
		at = size + below(limit - size + 1);
	note(op, at, len);
	switch (op) {
	case READ:
		read_at(at, len);
		break;
	case WRITE:
		if (len)
			write_by(fd, at, len);
		break;
	case DIRECT_READ:
		read_by(direct, at, len);
		break;
	case DIRECT_WRITE:
		if (len)
			write_by(direct, at, len);
		break;
	case APPEND:
		if (len)
			append(len);
		break;
	case MAP_READ:
	case MAP_WRITE:
		mapped(op, at, len);
		break;
	case CUT:
	case GROW:
		truncate_to(at);
		break;
	case SYNC:
		if (below(2) ? fsync(fd) : fdatasync(fd))
			die("sync");
		break;
	case REOPEN:
		reopen();
		break;
	default:
		break;
	}
	if (!below(16))
		check_size();
}

int main(int argc, char **argv)
{
	u64 operations = 1000, seed = 1;
	const char *end = NULL;
	struct until until;
	bool quiet = false;
	int opt;

	while ((opt = getopt(argc, argv, "n:u:s:l:bq")) != -1) {
		switch (opt) {
		case 'n':
			operations = strtoull(optarg, NULL, 0);
			break;
		case 'u':
			end = optarg;
			until = until_parse(end);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			limit = strtoull(optarg, NULL, 0);
			break;
		case 'b':
			beyond = false;
			break;
		case 'q':
			quiet = true;
			break;
		default:
			goto usage;
		}
	}
	if (optind == argc || limit < 8192)
		goto usage;
	paths = (const char **)argv + optind;
	npaths = (unsigned int)(argc - optind);
	state = data_mix(seed);
	limit &= ~4095ull;
	model = aligned_alloc(4096, limit + 4096);
	buf = aligned_alloc(4096, limit + 4096);
	if (!model || !buf)
		die("get memory for");
	memset(model, 0, limit + 4096);
	fd = open(paths[0], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		die("make");
	direct = fd;
	begun = now_ms();
	for (number = 1; end ? !until_over(&until) : number <= operations; number++)
		one();
	operations = --number;
	reopen();
	if (close(fd))
		die("close");
	if (!quiet)
		printf("%llu operations, seed %llu\n", (unsigned long long)operations,
		       (unsigned long long)seed);
	if (end)
		printf("longest %lu ms, %lu ms after the first\n", until_longest, until_from);
	return 0;
usage:
	fprintf(stderr, "usage: fsrandom [-n OPERATIONS | -u END] [-s SEED] [-l BYTES] [-b] [-q] PATH [PATH...]\n");
	return 2;
}

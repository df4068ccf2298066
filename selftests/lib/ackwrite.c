// SPDX-License-Identifier: GPL-2.0
/*
 * ackwrite: writes, syncs, and keeps account of what was acknowledged; and later
 * checks that all of it is there.
 *
 * usage: ackwrite write FILE ACCOUNT END [MOST]
 *	  ackwrite check FILE ACCOUNT [LATER]
 *	  ackwrite make DIRECTORY ACCOUNT END
 *	  ackwrite made DIRECTORY ACCOUNT [LATER]
 *
 * The file is an array of blocks of 4096 bytes. In rounds, some of them are written
 * anew (with the number of the round in every word), by pwrite or a mapping, and
 * then fsync'ed; when that has returned, the round and its blocks are written to
 * ACCOUNT, which is on a filesystem that is not under test. At most MOST of 40 are
 * written in a round: with 1 a client never needs more than one WRITE. check: each block must
 * hold its last acknowledged round or a later one, whole; what was never written is
 * zeroes. What is checked may be of a moment after which writing went on: ACCOUNT
 * is then a copy from before it, and LATER one from after it, which tells what can
 * have been begun.
 *
 * make does the same with names: it makes files, renames some, removes others, and
 * syncs what it made or the directory. made: what was acknowledged is so.
 *
 * END is a number of seconds, or a file that ends it (until.h). write ends then, or with
 * an error of fsync or write; exit status 1 then, and the account tells what was
 * acknowledged until then. A round that failed may have done any part of what it was to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/platform.h"
#include "data.h"
#include "until.h"

#define BLOCK	4096
#define BLOCKS	512

static u64 rounds[BLOCKS];	/* last one that was acknowledged */

static void make(u64 *block, u64 number, u64 round)
{
	for (unsigned int i = 0; i < BLOCK / 8; i++)
		block[i] = data_mix(number * 1000003 + i) ^ round;
}

static int fail(const char *what, const char *path)
{
	fprintf(stderr, "ackwrite: cannot %s %s: %s\n", what, path, strerror(errno));
	return 1;
}

static int write_rounds(const char *path, const char *account, struct until until, u64 most)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int log = open(account, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	u64 block[BLOCK / 8], state = 1, round;
	u8 *map;

	if (fd < 0 || log < 0)
		return fail("open", fd < 0 ? path : account);
	if (ftruncate(fd, BLOCK * BLOCKS))
		return fail("set the size of", path);
	map = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return fail("map", path);
	for (round = 1; !until_over(&until); round++) {
		/* One block needs no COMMIT, many do. */
		u64 n = data_random(&state) % 2 ? 1 : 1 + data_random(&state) % most;
		u64 i, at = data_random(&state) % BLOCKS;
		bool near = data_random(&state) % 2;
		struct { u64 round, block; } entry[40];

		for (i = 0; i < n; i++) {
			u64 b = near ? (at + i) % BLOCKS : data_random(&state) % BLOCKS;

			make(block, b, round);
			entry[i].round = round;
			entry[i].block = b;
			if (round % 3)
				memcpy(map + b * BLOCK, block, BLOCK);
			else if (pwrite(fd, block, BLOCK, (off_t)(b * BLOCK)) != BLOCK)
				return fail("write", path);
		}
		if (fsync(fd))
			return fail("sync", path);
		if (write(log, entry, n * sizeof(entry[0])) != (ssize_t)(n * sizeof(entry[0])))
			return fail("write", account);
	}
	printf("%llu rounds, longest %lu ms, %lu ms after the first\n",
	       (unsigned long long)round - 1, until_longest, until_from);
	return close(fd) ? fail("close", path) : 0;
}

/* The last round that an account tells of. */
static u64 last_of(const char *account)
{
	struct { u64 round, block; } entry;
	int log = open(account, O_RDONLY | O_CLOEXEC);
	u64 last = 0;

	if (log < 0)
		exit(fail("open", account));
	while (read(log, &entry, sizeof(entry)) == sizeof(entry))
		last = entry.round;
	close(log);
	return last;
}

static int check(const char *path, const char *account, const char *later)
{
	u64 block[BLOCK / 8], want[BLOCK / 8], b, last = 0, entries = 0, end = last_of(later);
	int fd = open(path, O_RDONLY | O_CLOEXEC), log = open(account, O_RDONLY | O_CLOEXEC);
	struct { u64 round, block; } entry;

	if (fd < 0 || log < 0)
		return fail("open", fd < 0 ? path : account);
	while (read(log, &entry, sizeof(entry)) == sizeof(entry)) {
		rounds[entry.block] = last = entry.round;
		entries++;
	}
	for (b = 0; b < BLOCKS; b++) {
		u64 round;

		if (pread(fd, block, BLOCK, (off_t)(b * BLOCK)) != BLOCK)
			return fail("read", path);
		/* Never written, nor acknowledged. */
		memset(want, 0, BLOCK);
		if (!rounds[b] && !memcmp(block, want, BLOCK))
			continue;
		round = block[0] ^ data_mix(b * 1000003);
		make(want, b, round);
		if (memcmp(block, want, BLOCK) || round < rounds[b] || round > end + 1) {
			fprintf(stderr, "ackwrite: block %llu of %s is of round %llu, acknowledged were %llu and %llu in all\n",
				(unsigned long long)b, path, (unsigned long long)round,
				(unsigned long long)rounds[b], (unsigned long long)last);
			return 1;
		}
	}
	printf("%llu blocks acknowledged in %llu rounds\n", (unsigned long long)entries,
	       (unsigned long long)last);
	return entries ? 0 : 1;
}

/*
 * Names. Round k makes the file "k", and renames it to "k.r" if k is odd; or it
 * removes what round k - REMOVED_AFTER made, if that was a REMOVED one.
 */
#define REMOVED(k)	((k) % 5 == 2)
#define REMOVED_AFTER	8
#define REMOVES(k)	((k) > REMOVED_AFTER && REMOVED((k) - REMOVED_AFTER))

static const char *name_of(u64 k, bool renamed)
{
	static char name[32];

	snprintf(name, sizeof(name), "%llu%s", (unsigned long long)k, renamed ? ".r" : "");
	return name;
}

static bool renamed(u64 k)
{
	return k % 2 == 1;
}

static size_t fill_of(u64 *text, u64 k)
{
	size_t n = 1 + data_mix(k) % 1000;

	for (size_t i = 0; i < n; i++)
		text[i] = data_mix(k * 1000003 + i);
	return n * 8;
}

static int make_one(int dir, u64 k)
{
	u64 text[1000];
	size_t len = fill_of(text, k);
	char from[32];
	int fd;

	fd = openat(dir, name_of(k, false), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len || fsync(fd) || close(fd))
		return -1;
	if (!renamed(k))
		return 0;
	snprintf(from, sizeof(from), "%s", name_of(k, false));
	return renameat(dir, from, dir, name_of(k, true)) ? -1 : fsync(dir);
}

static int make_names(const char *path, const char *account, struct until until)
{
	int log = open(account, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644), dir;
	u64 k, old;

	if (mkdir(path, 0755))
		return fail("make", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || log < 0)
		return fail("open", dir < 0 ? path : account);
	for (k = 1; !until_over(&until); k++) {
		u64 entry[2] = { k, 0 };

		old = k - REMOVED_AFTER;
		if (REMOVES(k) ? unlinkat(dir, name_of(old, renamed(old)), 0) || fsync(dir) :
				 make_one(dir, k))
			return fail("change names in", path);
		if (write(log, entry, sizeof(entry)) != sizeof(entry))
			return fail("write", account);
	}
	printf("%llu rounds, longest %lu ms, %lu ms after the first\n", (unsigned long long)k - 1,
	       until_longest, until_from);
	return 0;
}

/* Is the file of round @k there, by the name it has when that is over, with its bytes? */
static bool is_there(int dir, u64 k)
{
	static u64 text[1001], want[1001];
	size_t len = fill_of(want, k);
	int fd = openat(dir, name_of(k, renamed(k)), O_RDONLY | O_CLOEXEC);
	bool same = fd >= 0 && read(fd, text, sizeof(text)) == (ssize_t)len &&
		    !memcmp(text, want, len);

	if (fd >= 0)
		close(fd);
	return same;
}

static int check_names(const char *path, const char *account, const char *later)
{
	u64 last = last_of(account), end = last_of(later), k;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail("open", path);
	for (k = 1; k <= last; k++) {
		u64 gone = k + REMOVED_AFTER;
		bool removed = !REMOVES(k) && REMOVED(k) && REMOVES(gone);
		struct stat st;

		if (REMOVES(k) || (removed && gone > last && gone <= end + 1))
			continue;
		if (removed && gone <= last) {
			if (!fstatat(dir, name_of(k, renamed(k)), &st, AT_SYMLINK_NOFOLLOW)) {
				fprintf(stderr, "ackwrite: %s/%s is there, but its removal was acknowledged\n",
					path, name_of(k, renamed(k)));
				return 1;
			}
		} else if (!is_there(dir, k)) {
			fprintf(stderr, "ackwrite: %s/%s is not there or not whole, but was acknowledged\n",
				path, name_of(k, renamed(k)));
			return 1;
		}
		if (renamed(k) && !fstatat(dir, name_of(k, false), &st, AT_SYMLINK_NOFOLLOW)) {
			fprintf(stderr, "ackwrite: %s/%s is still there, but its renaming was acknowledged\n",
				path, name_of(k, false));
			return 1;
		}
	}
	printf("%llu rounds acknowledged\n", (unsigned long long)last);
	return last ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *later = argc == 5 ? argv[4] : argc == 4 ? argv[3] : NULL;

	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "write")) {
		u64 most = argc == 6 ? strtoull(argv[5], NULL, 0) : 40;

		if (most && most <= 40)
			return write_rounds(argv[2], argv[3], until_parse(argv[4]), most);
	}
	if (argc == 5 && !strcmp(argv[1], "make"))
		return make_names(argv[2], argv[3], until_parse(argv[4]));
	if (later && !strcmp(argv[1], "check"))
		return check(argv[2], argv[3], later);
	if (later && !strcmp(argv[1], "made"))
		return check_names(argv[2], argv[3], later);
	fprintf(stderr, "usage: ackwrite write|make PATH ACCOUNT END [MOST] | check|made PATH ACCOUNT [LATER]\n");
	return 2;
}

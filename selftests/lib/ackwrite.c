// SPDX-License-Identifier: GPL-2.0
/*
 * ackwrite: writes, syncs, and keeps account of what was acknowledged; and later
 * checks that all of it is there.
 *
 * usage: ackwrite write FILE ACCOUNT SECONDS
 *	  ackwrite check FILE ACCOUNT
 *
 * The file is an array of blocks of 4096 bytes. In rounds, some of them are written
 * anew (with the number of the round in every word), by pwrite or a mapping, and
 * then fsync'ed; when that has returned, the round and its blocks are written to
 * ACCOUNT, which is on a filesystem that is not under test. check: each block must
 * hold its last acknowledged round or a later one, whole; what was never written is
 * zeroes.
 *
 * write ends after SECONDS or with an error of fsync or write; exit status 1 then,
 * and the account tells what was acknowledged until then. A round that failed may
 * have done any part of what it was to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/platform.h"
#include "data.h"

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

static u64 seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec;
}

static int write_rounds(const char *path, const char *account, u64 limit)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int log = open(account, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	u64 block[BLOCK / 8], state = 1, round, end = seconds() + limit;
	u8 *map;

	if (fd < 0 || log < 0)
		return fail("open", fd < 0 ? path : account);
	if (ftruncate(fd, BLOCK * BLOCKS))
		return fail("set the size of", path);
	map = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return fail("map", path);
	for (round = 1; seconds() < end; round++) {
		u64 n = 1 + data_random(&state) % 40, i, at = data_random(&state) % BLOCKS;
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
	printf("%llu rounds\n", (unsigned long long)round - 1);
	return close(fd) ? fail("close", path) : 0;
}

static int check(const char *path, const char *account)
{
	u64 block[BLOCK / 8], want[BLOCK / 8], b, last = 0, entries = 0;
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
		round = block[0] ^ data_mix(b * 1000003);
		make(want, b, round);
		/* Never written, nor acknowledged. */
		if (!rounds[b] && !block[0] && !block[BLOCK / 8 - 1])
			continue;
		if (memcmp(block, want, BLOCK) || round < rounds[b] || round > last + 1) {
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

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "write"))
		return write_rounds(argv[2], argv[3], strtoull(argv[4], NULL, 0));
	if (argc == 4 && !strcmp(argv[1], "check"))
		return check(argv[2], argv[3]);
	fprintf(stderr, "usage: ackwrite write FILE ACCOUNT SECONDS | check FILE ACCOUNT\n");
	return 2;
}

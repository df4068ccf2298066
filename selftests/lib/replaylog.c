// SPDX-License-Identifier: GPL-2.0
/*
 * replaylog: makes a disk as it was at a moment that a mark in the log of the device
 * mapper's target log-writes tells.
 *
 * usage: replaylog LOG MARK DISK
 *
 * LOG is what log-writes logs to, while it does or later. It holds the writes of the
 * device in the order in which they became durable: what was in the device's cache
 * comes only with the flush that saved it. DISK is a sparse file that reads as zeroes
 * and is at least as large as the device. What is logged before MARK is done to it;
 * what the cache held then is not in it, as after a power failure.
 *
 * The kernel logs a mark after "dmsetup message" has returned: it is waited for.
 * Exit status 0, or 1 and the reason. Single-threaded.
 *
 * The format (drivers/md/dm-log-writes.c): a sector with struct super, and then for
 * each entry a sector that begins with struct entry and the text of a mark, and the
 * data that were written, unless it is a discard. All numbers are little-endian; all
 * sectors are of the size that the super block names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAGIC		0x6a736677736872ull
#define VERSION		1
#define MARK		(1u << 3)
#define DISCARD		(1u << 2)
#define FLAGS		0x1full
#define WAIT_SECONDS	20

struct super {
	uint64_t magic;
	uint64_t version;
	uint64_t entries;
	uint32_t sector_size;
};

struct entry {
	uint64_t sector;
	uint64_t sectors;
	uint64_t flags;
	uint64_t data_len;
};

static const char *log_path, *disk_path;
static int log_fd, disk;

static void die(const char *what, const char *path)
{
	fprintf(stderr, "replaylog: cannot %s %s: %s\n", what, path,
		errno ? strerror(errno) : "its end is too early");
	exit(1);
}

static void take(void *to, size_t len, uint64_t at)
{
	errno = 0;
	if (pread(log_fd, to, len, (off_t)at) != (ssize_t)len)
		die("read", log_path);
}

static void copy(uint64_t from, uint64_t to, uint64_t len)
{
	static char buf[1 << 18];

	while (len) {
		size_t part = len < sizeof(buf) ? len : sizeof(buf);

		take(buf, part, from);
		errno = 0;
		if (pwrite(disk, buf, part, (off_t)to) != (ssize_t)part)
			die("write", disk_path);
		from += part, to += part, len -= part;
	}
}

/* Do one entry of the log at @pos; the position of the next. True at the mark. */
static bool replay(uint64_t *pos, uint32_t size, const char *mark)
{
	struct entry e;
	char text[512] = "";

	take(&e, sizeof(e), *pos);
	if (e.flags & ~FLAGS || (e.flags & MARK && e.data_len > size - sizeof(e))) {
		fprintf(stderr, "replaylog: no entry at byte %llu of %s: not a log of log-writes, or of another version\n",
			(unsigned long long)*pos, log_path);
		exit(1);
	}
	if (e.flags & MARK) {
		size_t len = e.data_len < sizeof(text) ? e.data_len : sizeof(text) - 1;

		take(text, len, *pos + sizeof(e));
		*pos += size;
		return !strcmp(text, mark);
	}
	*pos += size;
	if (e.flags & DISCARD) {
		if (fallocate(disk, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)(e.sector * size), (off_t)(e.sectors * size)))
			die("make a hole in", disk_path);
		return false;
	}
	copy(*pos, e.sector * size, e.sectors * size);
	*pos += e.sectors * size;
	return false;
}

int main(int argc, char **argv)
{
	struct timespec pause = { 0, 20000000 };
	uint64_t done = 0, pos = 0;
	struct super super;
	time_t end = time(NULL) + WAIT_SECONDS;

	if (argc != 4) {
		fprintf(stderr, "usage: replaylog LOG MARK DISK\n");
		return 2;
	}
	log_path = argv[1];
	disk_path = argv[3];
	log_fd = open(log_path, O_RDONLY | O_CLOEXEC);
	if (log_fd < 0)
		die("open", log_path);
	disk = open(disk_path, O_RDWR | O_CLOEXEC);
	if (disk < 0)
		die("open", disk_path);
	for (;;) {
		take(&super, sizeof(super), 0);
		if (super.magic == MAGIC && super.version == VERSION && super.sector_size >= 512) {
			if (!pos)
				pos = super.sector_size;
			for (; done < super.entries; done++) {
				if (!replay(&pos, super.sector_size, argv[2]))
					continue;
				printf("%llu entries, %llu bytes of log\n",
				       (unsigned long long)done, (unsigned long long)pos);
				return 0;
			}
		}
		if (time(NULL) > end) {
			fprintf(stderr, "replaylog: %s has %llu entries, and no mark \"%s\"; is the log full?\n",
				log_path, (unsigned long long)done, argv[2]);
			return 1;
		}
		nanosleep(&pause, NULL);
	}
}

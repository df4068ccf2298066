// SPDX-License-Identifier: GPL-2.0
/*
 * pieces: with a small MTU what is written is copied into chunks of memory, fragment behind
 * fragment (data.c). Files of all sizes, so that a packet ends at every place of a chunk
 * and the next one fills it to its last byte: the bytes that arrive are those that were
 * written, and no packet reaches beyond its memory, which the kernel would tell of.
 *
 * timeout: 300
 */
#include "ktap.h"
#include "lab.h"

#define LARGE	61440u		/* bytes that are sent as one packet */
#define CELL	1424u		/* of an MTU of 1500 */

static unsigned char data[LARGE], back[LARGE];

/* Writes @len bytes as one WRITE, or few, and has them sent. */
static void write_once(int fd, size_t len)
{
	ASSERT_EQ(pwrite(fd, data, len, 0), (ssize_t)len);
	ASSERT_EQ(fsync(fd), 0);
}

static void every_place_of_a_chunk(void)
{
	int fd = open(MNT "/pieces", O_RDWR | O_CREAT | O_CLOEXEC, 0644), there;
	unsigned int rest, round;

	ASSERT(fd >= 0);
	/* Much under way at once takes many chunks, most of them neighbours in memory. */
	for (rest = 0; rest < 256; rest++)
		ASSERT_EQ(pwrite(fd, data, LARGE, rest * LARGE), (ssize_t)LARGE);
	ASSERT_EQ(fsync(fd), 0);
	there = open(SRC "/pieces", O_RDONLY | O_CLOEXEC);
	ASSERT(there >= 0);
	for (round = 0; round < 4; round++) {
		for (rest = 8; rest < CELL; rest += 8) {
			size_t i, len = CELL + rest;

			for (i = 0; i < sizeof(data); i++)
				data[i] = (unsigned char)(i * 7 + i / 251 + rest / 8 + round);
			write_once(fd, len);
			write_once(fd, LARGE);
			ASSERT_EQ(pread(there, back, LARGE, 0), (ssize_t)LARGE);
			EXPECT(!memcmp(back, data, LARGE));
		}
	}
	close(there);
	close(fd);
}

static void left_behind(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(every_place_of_a_chunk),
	KTAP_TEST(left_behind),
};

int main(int argc, char **argv)
{
	if (lab_begin("--mtu 1500 --steer tc --export-opts rw,no_root_squash"))
		return 1;
	return KTAP_MAIN(tests, argc, argv);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/compat/crc32c.c against ISA-L's.
 */
#include <stdlib.h>

#include "core/platform.h"
#include "compat/crc32c.h"
#include "lib/ktap.h"

#define ROOM	20000

static u8 *data;

static void make_data(void)
{
	u32 i, seed = 1;

	data = malloc(ROOM);
	for (i = 0; i < ROOM; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = seed >> 24;
	}
}

/* Whatever is a third of something, a word or a byte more. */
static void every_length(void)
{
	size_t len;

	for (len = 0; len < 9000; len++)
		EXPECT_EQ(ebpfs_crc32c_words(~0u, data, len), ebpfs_crc32c(~0u, data, len));
}

static void every_alignment(void)
{
	static const size_t lengths[] = {
		1, 7, 44, 64, 128, 695, 696, 1391, 1392, 1424, 4031, 4032, 4096, 8192, 16400
	};
	size_t i, at;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (at = 0; at < 64; at++)
			EXPECT_EQ(ebpfs_crc32c_words(at * 77, data + at, lengths[i]),
				  ebpfs_crc32c(at * 77, data + at, lengths[i]));
}

static void goes_on(void)
{
	u32 whole = ebpfs_crc32c(5, data, 12000), crc;
	size_t cut;

	for (cut = 0; cut <= 12000; cut += 11) {
		crc = ebpfs_crc32c_words(5, data, cut);
		EXPECT_EQ(ebpfs_crc32c_words(crc, data + cut, 12000 - cut), whole);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(every_length),
	KTAP_TEST(every_alignment),
	KTAP_TEST(goes_on),
};

int main(int argc, char **argv)
{
	if (!__builtin_cpu_supports("sse4.2")) {
		printf("1..0 # SKIP the processor has no SSE 4.2\n");
		return KTAP_EXIT_SKIP;
	}
	ebpfs_crc32c_tables();
	make_data();
	return KTAP_MAIN(tests, argc, argv);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/place.c, function by function.
 */
#include <stdlib.h>

#include "core/place.h"
#include "lib/ktap.h"

#define FILES	20000

static void make_keys(u64 *keys, u32 n)
{
	u32 i, address;

	/* As clients do: hashes of addresses that differ little. */
	for (i = 0; i < n; i++) {
		address = 0x0a000001 + i;
		keys[i] = ebpfs_place_hash(&address, sizeof(address));
	}
}

static u64 file_hash(u32 file)
{
	u8 fh[24] = { 0 };

	memcpy(fh + 4, &file, sizeof(file));
	return ebpfs_place_hash(fh, sizeof(fh));
}

/* The values are part of the protocol: all clients of all versions agree. */
static void hash_is_fixed(void)
{
	EXPECT_EQ(ebpfs_place_hash("", 0), 0xe220a8397b1dcdafull);
	EXPECT_EQ(ebpfs_place_hash("ebpfs", 5), 0xa37efa193ae07c3dull);
	EXPECT_EQ(ebpfs_place_hash("0123456789abcdef", 16), 0xb2091aaa076739eeull);
}

static void hash_depends_on_all(void)
{
	u8 fh[EBPFS_FH_MAX] = { 0 };
	u32 len, bit, changed, least = 64;
	u64 h;

	for (len = 1; len <= sizeof(fh); len++) {
		/* Zeroes at the end count, too. */
		EXPECT(ebpfs_place_hash(fh, len) != ebpfs_place_hash(fh, len - 1));
		h = ebpfs_place_hash(fh, len);
		for (bit = 0; bit < 8 * len; bit++) {
			fh[bit / 8] ^= 1 << bit % 8;
			changed = hweight64(h ^ ebpfs_place_hash(fh, len));
			if (changed < least)
				least = changed;
			fh[bit / 8] ^= 1 << bit % 8;
		}
	}
	/* 66048 trials of a fair coin thrown 64 times: 8 is 6 standard deviations off. */
	EXPECT(least >= 8);
}

static void hash_stays_inside(void)
{
	u32 len;
	u8 *fh;

	/* The sanitizer sees a byte read behind the end. */
	for (len = 1; len <= 40; len++) {
		fh = malloc(len);
		memset(fh, 7, len);
		EXPECT(ebpfs_place_hash(fh, len) != 0);
		free(fh);
	}
}

static void nothing_usable(void)
{
	u64 keys[2] = { 1, 2 };

	EXPECT_EQ(ebpfs_place(5, keys, 2, 0), -ENOENT);
	EXPECT_EQ(ebpfs_place(5, keys, 0, ~0ull), -ENOENT);
	/* Bits that stand for no node. */
	EXPECT_EQ(ebpfs_place(5, keys, 2, ~3ull), -ENOENT);
}

static void only_usable_ones(void)
{
	u64 keys[EBPFS_NODES_MAX];
	u32 file, i;

	make_keys(keys, EBPFS_NODES_MAX);
	for (i = 0; i < EBPFS_NODES_MAX; i++)
		EXPECT_EQ(ebpfs_place(file_hash(1), keys, EBPFS_NODES_MAX, 1ull << i), i);
	for (file = 0; file < 1000; file++) {
		int n = ebpfs_place(file_hash(file), keys, EBPFS_NODES_MAX, 0x8000000000000005ull);

		EXPECT(n == 0 || n == 2 || n == 63);
	}
}

static void shares_are_even(void)
{
	static const u32 counts[] = { 2, 3, 7, 16, 64 };
	u64 keys[EBPFS_NODES_MAX];
	u32 share[EBPFS_NODES_MAX];
	u32 i, n, file;

	make_keys(keys, EBPFS_NODES_MAX);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		n = counts[i];
		memset(share, 0, sizeof(share));
		for (file = 0; file < FILES; file++)
			share[ebpfs_place(file_hash(file), keys, n, ~0ull)]++;
		for (file = 0; file < n; file++) {
			u32 mean = FILES / n;

			/* 64 nodes: 312 each, standard deviation 18 */
			EXPECT(share[file] > mean - mean / 3 && share[file] < mean + mean / 3);
		}
	}
}

static void only_the_lost_nodes_files_move(void)
{
	u64 keys[5];
	u32 file, moved = 0;
	int before, after;

	make_keys(keys, 5);
	for (file = 0; file < FILES; file++) {
		before = ebpfs_place(file_hash(file), keys, 5, 0x1f);
		after = ebpfs_place(file_hash(file), keys, 5, 0x1b);
		if (before == 2) {
			moved++;
			EXPECT(after != 2);
		} else {
			EXPECT_EQ(before, after);
		}
	}
	EXPECT(moved > FILES / 6);
}

static void order_of_nodes_does_not_matter(void)
{
	u64 keys[8], turned[8];
	u32 file, i;
	int a, b;

	make_keys(keys, 8);
	keys[5] = keys[6];	/* even with equal keys the same key is chosen */
	for (i = 0; i < 8; i++)
		turned[i] = keys[7 - i];
	for (file = 0; file < 2000; file++) {
		a = ebpfs_place(file_hash(file), keys, 8, 0xff);
		b = ebpfs_place(file_hash(file), turned, 8, 0xff);
		EXPECT_EQ(keys[a], turned[b]);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(hash_is_fixed),
	KTAP_TEST(hash_depends_on_all),
	KTAP_TEST(hash_stays_inside),
	KTAP_TEST(nothing_usable),
	KTAP_TEST(only_usable_ones),
	KTAP_TEST(shares_are_even),
	KTAP_TEST(only_the_lost_nodes_files_move),
	KTAP_TEST(order_of_nodes_does_not_matter),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}

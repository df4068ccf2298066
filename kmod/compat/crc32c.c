// SPDX-License-Identifier: GPL-2.0
/*
 * See crc32c.h. Intel's crc32 instruction has a latency of three cycles and a throughput
 * of one, so that three streams at a time keep it busy: a block is taken as three thirds,
 * each with a checksum of its own, and these are joined. The checksum is linear: a's
 * bytes followed by b's have that of a's bytes followed by as many zeroes, exclusive or
 * b's. What zeroes of a fixed length do to a checksum is a table look-up for each byte.
 */
#include "core/platform.h"
#include "compat/crc32c.h"

#ifdef EBPFS_COMPAT_CRC32C

/*
 * Bytes of a third, and how many of them are taken without a jump: three long ones are
 * nearly a page, three middle ones what a packet holds of an MTU of 1500.
 */
#define LONG		1344
#define LONG_STEP	448
#define MIDDLE		464
#define MIDDLE_STEP	464
#define SHORT		232
#define SHORT_STEP	232

/* What as many zeroes do to a checksum, for each byte of it. */
static u32 over_long[4][256];
static u32 over_middle[4][256];
static u32 over_short[4][256];

/* As they may lie in a packet. */
struct word {
	u64 v;
} __attribute__((packed, may_alias));

struct half {
	u32 v;
} __attribute__((packed, may_alias));

static inline u64 crc_word(u64 crc, const u8 *p)
{
	asm("crc32q %1, %0" : "+r" (crc) : "m" (*(const struct word *)p));
	return crc;
}

/* The last bytes, less than 64 of them. */
static inline __attribute__((always_inline)) u32 crc_rest(u64 crc, const u8 *p, size_t len)
{
	if (len & 32) {
		crc = crc_word(crc, p);
		crc = crc_word(crc, p + 8);
		crc = crc_word(crc, p + 16);
		crc = crc_word(crc, p + 24);
		p += 32;
	}
	if (len & 16) {
		crc = crc_word(crc, p);
		crc = crc_word(crc, p + 8);
		p += 16;
	}
	if (len & 8) {
		crc = crc_word(crc, p);
		p += 8;
	}
	if (len & 4) {
		asm("crc32l %1, %k0" : "+r" (crc) : "m" (*(const struct half *)p));
		p += 4;
	}
	for (len &= 3; len; len--, p++)
		asm("crc32b %1, %k0" : "+r" (crc) : "m" (*p));
	return crc;
}

static void make_table(u32 table[4][256], u32 zeroes)
{
	static const u8 zero[8];
	u32 of_bit[32], i, j, k;

	for (i = 0; i < 32; i++) {
		u64 crc = 1u << i;

		for (j = 0; j < zeroes; j += 8)
			crc = crc_word(crc, zero);
		of_bit[i] = crc;
	}
	for (i = 0; i < 4; i++)
		for (j = 0; j < 256; j++)
			for (k = 0, table[i][j] = 0; k < 8; k++)
				if (j >> k & 1)
					table[i][j] ^= of_bit[8 * i + k];
}

void ebpfs_crc32c_tables(void)
{
	make_table(over_long, LONG);
	make_table(over_middle, MIDDLE);
	make_table(over_short, SHORT);
}

static inline u32 over(u32 crc, u32 table[4][256])
{
	return table[0][crc & 0xff] ^ table[1][crc >> 8 & 0xff] ^
	       table[2][crc >> 16 & 0xff] ^ table[3][crc >> 24];
}

/* Three thirds at @p. */
static inline __attribute__((always_inline))
u32 crc_thirds(u32 crc, const u8 *p, const u32 third, const u32 step, u32 table[4][256])
{
	const u8 *end = p + third;
	u64 a = crc, b = 0, c = 0;
	u32 i;

	do {
#pragma GCC unroll 64
		for (i = 0; i < step; i += 8) {
			a = crc_word(a, p + i);
			b = crc_word(b, p + third + i);
			c = crc_word(c, p + 2 * third + i);
		}
		p += step;
	} while (p != end);
	return over(over(a, table) ^ b, table) ^ c;
}

u32 ebpfs_crc32c_words(u32 crc, const void *data, size_t len)
{
	const u8 *p = data;
	u64 wide;

	for (; len >= 3 * LONG; p += 3 * LONG, len -= 3 * LONG)
		crc = crc_thirds(crc, p, LONG, LONG_STEP, over_long);
	for (; len >= 3 * MIDDLE; p += 3 * MIDDLE, len -= 3 * MIDDLE)
		crc = crc_thirds(crc, p, MIDDLE, MIDDLE_STEP, over_middle);
	for (; len >= 3 * SHORT; p += 3 * SHORT, len -= 3 * SHORT)
		crc = crc_thirds(crc, p, SHORT, SHORT_STEP, over_short);
	for (wide = crc; len >= 64; p += 64, len -= 64) {
		wide = crc_word(wide, p);
		wide = crc_word(wide, p + 8);
		wide = crc_word(wide, p + 16);
		wide = crc_word(wide, p + 24);
		wide = crc_word(wide, p + 32);
		wide = crc_word(wide, p + 40);
		wide = crc_word(wide, p + 48);
		wide = crc_word(wide, p + 56);
	}
	return len ? crc_rest(wide, p, len) : wide;
}

#endif /* EBPFS_COMPAT_CRC32C */

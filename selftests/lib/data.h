/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contents that can be checked without a second copy: every aligned 8 bytes of
 * a generated file are a function of the file's seed and their offset, so that
 * bytes of another place or of another file are recognised. Pure.
 */
#ifndef SELFTESTS_DATA_H
#define SELFTESTS_DATA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The finaliser of MurmurHash3 as Stafford tuned it (his variant 13). */
static inline uint64_t data_mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* The next number of a generator whose state any value may start. */
static inline uint64_t data_random(uint64_t *state)
{
	return data_mix(*state += 0x9e3779b97f4a7c15ull);
}

/* What @len bytes at @offset hold in the file of @seed. @offset is a multiple of 8. */
static inline void data_fill(void *to, size_t len, uint64_t offset, uint64_t seed)
{
	char *p = to;

	seed = data_mix(seed + 1);
	for (; len >= 8; len -= 8, p += 8, offset += 8) {
		uint64_t word = data_mix(seed ^ offset);

		memcpy(p, &word, 8);
	}
	if (len) {
		uint64_t word = data_mix(seed ^ offset);

		memcpy(p, &word, len);
	}
}

#endif /* SELFTESTS_DATA_H */

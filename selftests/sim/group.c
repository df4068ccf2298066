// SPDX-License-Identifier: GPL-2.0
/*
 * Key agreement in a small group, in place of X25519.
 *
 * Thousands of handshakes in a second of computing were spent on the curve, which is
 * not what is tested here (unit/crypto.c is for that). The numbers modulo the prime
 * 2^61 - 1 agree on a key just as well: both ends get the same, and who alters a public
 * key on its way gets another. That a listener could compute it does not matter, since
 * nobody in these worlds does. The linker puts these in the place of the real ones
 * (--wrap).
 */
#include "core/platform.h"
#include "sim.h"

#define PRIME		((1ull << 61) - 1)
#define GENERATOR	37u

bool __wrap_ebpfs_dh_public(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN]);
bool __wrap_ebpfs_dh(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN],
		     const u8 theirs[EBPFS_KEY_LEN]);

/* Any 32 bytes are a number, as they are a point of the curve. */
static u64 number(const u8 key[EBPFS_KEY_LEN])
{
	u64 words[EBPFS_KEY_LEN / 8];

	memcpy(words, key, sizeof(words));
	return words[0] ^ words[1] ^ words[2] ^ words[3];
}

static u64 times(u64 a, u64 b)
{
	return (u64)((__uint128_t)a * b % PRIME);
}

static void power(u8 out[EBPFS_KEY_LEN], u64 base, const u8 own[EBPFS_KEY_LEN])
{
	u64 exponent = number(own), n = 1;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			n = times(n, base);
		base = times(base, base);
	}
	memset(out, 0, EBPFS_KEY_LEN);
	memcpy(out, &n, sizeof(n));
}

bool __wrap_ebpfs_dh_public(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN])
{
	power(out, GENERATOR, own);
	return true;
}

bool __wrap_ebpfs_dh(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN],
		     const u8 theirs[EBPFS_KEY_LEN])
{
	u64 base = number(theirs) % PRIME;

	/* Like the points of small order, these give the same whatever @own is. */
	if (base <= 1 || base == PRIME - 1)
		return false;
	power(out, base, own);
	return true;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Rendezvous hashing of files over nodes. Every client must come to the same
 * result, so the hash is part of the protocol: a change here is a change of
 * the protocol. Pure and reentrant, any context.
 */
#include "core/place.h"

/*
 * A bijection of 64 bits in which every bit of the result depends on every bit
 * of the input (finalizer of SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
 */
static u64 mix(u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	x ^= x >> 31;
	return x;
}

u64 ebpfs_place_hash(const void *fh, u32 len)
{
	const u8 *p = fh;
	u64 h = mix(len + 0x9e3779b97f4a7c15ull);
	__le64 word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = mix(h ^ le64_to_cpu(word));
	}
	if (!len)
		return h;
	word = 0;
	memcpy(&word, p, len);
	return mix(h ^ le64_to_cpu(word));
}

int ebpfs_place(u64 hash, const u64 *keys, u32 n, u64 usable)
{
	int best = -ENOENT;
	u64 best_score = 0;
	u64 score;
	u32 i;

	if (n > EBPFS_NODES_MAX)
		n = EBPFS_NODES_MAX;
	/* There is no choice. */
	if (usable && !(usable & (usable - 1)) && __ffs64(usable) < n)
		return __ffs64(usable);
	for (i = 0; i < n; i++) {
		if (!(usable >> i & 1))
			continue;
		score = mix(hash ^ mix(keys[i]));
		/* Clients may list the nodes in different orders: equal scores go by key. */
		if (best < 0 || score > best_score ||
		    (score == best_score && keys[i] > keys[best])) {
			best = i;
			best_score = score;
		}
	}
	return best;
}

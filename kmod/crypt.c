// SPDX-License-Identifier: GPL-2.0
/* The kernel's side of core/platform.h: keyed BLAKE2s. Any context. */
#include <crypto/blake2s.h>

#include "core/platform.h"

static_assert(EBPFS_MAC_LEN == BLAKE2S_HASH_SIZE);
static_assert(EBPFS_SECRET_LEN <= BLAKE2S_KEY_SIZE);

void ebpfs_mac(u8 out[EBPFS_MAC_LEN], const u8 key[EBPFS_SECRET_LEN],
	       const struct ebpfs_bytes *parts, unsigned int n)
{
	struct blake2s_state state;
	unsigned int i;

	blake2s_init_key(&state, EBPFS_MAC_LEN, key, EBPFS_SECRET_LEN);
	for (i = 0; i < n; i++)
		blake2s_update(&state, parts[i].data, parts[i].len);
	blake2s_final(&state, out);
}

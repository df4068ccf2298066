/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of exactly the length that a parser is told, at an odd address if
 * wanted, so that the sanitizers see a read behind the end and an access that
 * needs alignment. Its caller gives it back with let_go().
 */
#ifndef EBPFS_SELFTESTS_EXACT_H
#define EBPFS_SELFTESTS_EXACT_H

#include <stdlib.h>

#include "core/platform.h"

/* Memory for a datagram of @len bytes, a copy of @data if there is any. */
static inline u8 *exact(const void *data, u32 len, bool odd)
{
	u8 *p = malloc(len + odd);

	if (!p)
		abort();
	p += odd;
	if (data)
		memcpy(p, data, len);
	return p;
}

static inline void let_go(u8 *p, bool odd)
{
	free(p - odd);
}

#endif /* EBPFS_SELFTESTS_EXACT_H */

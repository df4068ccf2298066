/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A session for the tests of kmod/core/conn.c, and shorthands to use it.
 * Single threaded; each test begins with begin() and ends with end().
 */
#ifndef EBPFS_SELFTESTS_CONN_H
#define EBPFS_SELFTESTS_CONN_H

#include <stdlib.h>

#include "core/conn.h"
#include "lib/ktap.h"

#define MS	EBPFS_NSEC_PER_MSEC
#define T0	(1000 * MS)
#define KB	1024u
#define CELL	8192

static struct ebpfs_conn conn;
static struct ebpfs_slot *slots;
static int owners[8];
static u32 room;	/* of guards */

static inline void begin(u16 nslots)
{
	/* What was there before must not matter; a leak or overrun is seen. */
	slots = malloc(nslots * sizeof(*slots));
	memset(slots, 0xa5, nslots * sizeof(*slots));
	memset(&conn, 0xa5, sizeof(conn));
	ebpfs_conn_init(&conn, slots, nslots, room, T0);
}

static inline void end(void)
{
	ebpfs_conn_fini(&conn);
	free(slots);
}

/* Takes a slot and sends, at @now. Returns the call's id. */
static inline u64 start(u32 reply, u64 now)
{
	struct ebpfs_call_info c;
	int slot = ebpfs_conn_take(&conn, reply, &owners[0], now);

	if (!EXPECT(slot >= 0))
		return 0;
	EXPECT(ebpfs_conn_sending(&conn, slot, 0, now, &c));
	return c.id;
}

/* Cell @index of a reply of @total bytes, instance 10. */
static inline struct ebpfs_frag frag(u64 id, u32 total, u8 index)
{
	struct ebpfs_frag f = {
		.id = id, .instance = 10, .total = total, .offset = index * CELL,
		.cell = CELL, .index = index, .ncells = ebpfs_ncells(total, CELL),
	};
	u32 left = total - f.offset;

	f.len = left < CELL ? left : CELL;
	return f;
}

static inline enum ebpfs_verdict claim(const struct ebpfs_frag *f)
{
	void *owner = NULL;
	enum ebpfs_verdict v = ebpfs_conn_claim(&conn, f, &owner);

	EXPECT(owner == (v == EBPFS_CLAIMED ? &owners[0] : NULL));
	return v;
}

static inline enum ebpfs_filled filled(const struct ebpfs_frag *f, bool good, u64 now)
{
	struct ebpfs_result res;

	return ebpfs_conn_filled(&conn, f, good, now, &res);
}

/* A good fragment arrives. */
static inline enum ebpfs_filled arrive(const struct ebpfs_frag *f, u64 now)
{
	EXPECT_EQ(claim(f), EBPFS_CLAIMED);
	return filled(f, true, now);
}

/* A call is answered as a whole and its slot given back. */
static inline void answer(u64 id, u32 total, u64 now)
{
	struct ebpfs_frag f;
	u8 i, n = ebpfs_ncells(total, CELL);

	for (i = 0; i < n; i++) {
		f = frag(id, total, i);
		EXPECT_EQ(arrive(&f, now), i == n - 1 ? EBPFS_FILL_COMPLETE : EBPFS_FILL_MORE);
	}
	ebpfs_conn_put(&conn, EBPFS_ID_SLOT(id), now);
}

/* A round trip of @rtt on an otherwise idle session, so that timeouts are known. */
static inline void measure(u64 rtt, u64 now)
{
	answer(start(100, now), 100, now + rtt);
}

#endif /* EBPFS_SELFTESTS_CONN_H */

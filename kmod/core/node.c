// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a node is used, and when a handshake with it is tried. States and
 * locking: node.h.
 */
#include "core/node.h"

/* Doublings from EBPFS_NODE_RETRY_MIN to EBPFS_NODE_RETRY_MAX. */
#define RETRY_DOUBLINGS	2
_Static_assert(EBPFS_NODE_RETRY_MIN << RETRY_DOUBLINGS == EBPFS_NODE_RETRY_MAX,
	       "the doublings lead from the shortest to the longest time");

#define ASKS	4	/* in the time until a node is LOST; the last would be then */

static u64 retry_delay(u8 backoff)
{
	return EBPFS_NODE_RETRY_MIN << (backoff < RETRY_DOUBLINGS ? backoff : RETRY_DOUBLINGS);
}

/* The node is used from now on. */
static void up(struct ebpfs_health *h)
{
	h->state = EBPFS_NODE_UP;
	h->rejoin = false;
	/*
	 * UNKNOWN may ask for a handshake EBPFS_NODE_RETRY_MIN after the last
	 * one, however long the waiting had become before the node came.
	 */
	if (h->backoff)
		h->retry_at -= retry_delay(h->backoff - 1) - EBPFS_NODE_RETRY_MIN;
	h->backoff = 0;
}

void ebpfs_health_init(struct ebpfs_health *h, u64 lost_after, u64 now)
{
	h->state = EBPFS_NODE_DOWN;
	h->rejoin = false;
	h->backoff = 0;
	h->retry_at = now;
	h->ask_at = now;
	h->lost_after = lost_after;
}

void ebpfs_health_patience(struct ebpfs_health *h, u64 wanted, u64 rto)
{
	h->lost_after = wanted < 2 * rto ? 2 * rto : wanted;
}

bool ebpfs_health_silence(struct ebpfs_health *h, u64 silence, u64 now)
{
	if (h->state != EBPFS_NODE_UP || silence < h->lost_after)
		return false;
	h->state = EBPFS_NODE_LOST;
	h->rejoin = false;
	h->backoff = 0;
	h->retry_at = now;
	return true;
}

bool ebpfs_health_ask(struct ebpfs_health *h, u64 silence, u64 now, u64 *next)
{
	const u64 pause = h->lost_after / ASKS;

	*next = EBPFS_NEVER;
	if (h->state != EBPFS_NODE_UP || !silence)
		return false;
	if (silence < pause || now < h->ask_at) {
		*next = silence < pause ? now + pause - silence : h->ask_at;
		return false;
	}
	h->ask_at = now + pause;
	*next = h->ask_at;
	return true;
}

bool ebpfs_health_heard(struct ebpfs_health *h)
{
	bool again = h->state == EBPFS_NODE_LOST;

	if (again)
		up(h);
	else
		h->rejoin = false;
	return again;
}

void ebpfs_health_unknown(struct ebpfs_health *h)
{
	if (h->state == EBPFS_NODE_UP)
		h->rejoin = true;
}

bool ebpfs_health_connect(struct ebpfs_health *h, u64 now)
{
	if (now < ebpfs_health_next(h))
		return false;
	h->retry_at = now + retry_delay(h->backoff);
	if (h->state == EBPFS_NODE_UP)
		h->rejoin = false;
	else if (h->backoff <= RETRY_DOUBLINGS)
		h->backoff++;
	return true;
}

void ebpfs_health_joined(struct ebpfs_health *h)
{
	up(h);
}

u64 ebpfs_health_next(const struct ebpfs_health *h)
{
	if (h->state == EBPFS_NODE_UP && !h->rejoin)
		return EBPFS_NEVER;
	return h->retry_at;
}

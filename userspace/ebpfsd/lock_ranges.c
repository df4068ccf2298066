// SPDX-License-Identifier: GPL-2.0
/*
 * Sorted ranges of locked bytes; see lock.h. Pure.
 */
#include <stdlib.h>

#include "lock.h"

int lock_ranges_reserve(struct lock_ranges *r)
{
	struct lock_range *list;
	u32 room;

	if (r->count + 2 <= r->room)
		return 0;
	room = r->room ? 2 * r->room : 4;
	list = realloc(r->list, room * sizeof(*list));
	if (!list)
		return -ENOMEM;
	r->list = list;
	r->room = room;
	return 0;
}

void lock_ranges_free(struct lock_ranges *r)
{
	free(r->list);
	memset(r, 0, sizeof(*r));
}

/* The first range that ends at @byte or behind it. */
static u32 find(const struct lock_ranges *r, u64 byte)
{
	u32 low = 0, high = r->count;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (r->list[mid].end < byte)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Append to @out, or lengthen its last. */
static u32 append(struct lock_range *out, u32 n, struct lock_range what)
{
	if (n && out[n - 1].type == what.type && out[n - 1].pid == what.pid &&
	    out[n - 1].end + 1 == what.start) {
		out[n - 1].end = what.end;
		return n;
	}
	out[n] = what;
	return n + 1;
}

/* What takes the place of ranges *@first to before *@last. Return: how many. */
static u32 replace(const struct lock_ranges *r, const struct lock_range *what, u32 *first,
		   u32 *last, struct lock_range out[3])
{
	struct lock_range part;
	u32 n = 0;

	/* Neighbours, too: they may become one with it. */
	*first = find(r, what->start ? what->start - 1 : 0);
	for (*last = *first; *last < r->count && r->list[*last].start <= what->end + 1; )
		(*last)++;
	if (*first < *last && r->list[*first].start < what->start) {
		part = r->list[*first];
		if (part.end >= what->start)
			part.end = what->start - 1;
		n = append(out, n, part);
	}
	if (what->type != EBPFS_LOCK_NONE)
		n = append(out, n, *what);
	if (*first < *last && r->list[*last - 1].end > what->end) {
		part = r->list[*last - 1];
		if (part.start <= what->end)
			part.start = what->end + 1;
		n = append(out, n, part);
	}
	return n;
}

void lock_ranges_set(struct lock_ranges *r, const struct lock_range *what)
{
	struct lock_range out[3];
	u32 first, last, n = replace(r, what, &first, &last, out);

	memmove(r->list + first + n, r->list + last, (r->count - last) * sizeof(*out));
	memcpy(r->list + first, out, n * sizeof(*out));
	r->count = r->count - (last - first) + n;
}

u32 lock_ranges_after(const struct lock_ranges *r, const struct lock_range *what)
{
	struct lock_range out[3];
	u32 first, last, n = replace(r, what, &first, &last, out);

	return r->count - (last - first) + n;
}

const struct lock_range *lock_ranges_conflict(const struct lock_ranges *r,
					      const struct lock_range *what)
{
	u32 i;

	for (i = find(r, what->start); i < r->count && r->list[i].start <= what->end; i++)
		if (r->list[i].type == EBPFS_LOCK_WRITE || what->type == EBPFS_LOCK_WRITE)
			return &r->list[i];
	return NULL;
}

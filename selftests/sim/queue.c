// SPDX-License-Identifier: GPL-2.0
/*
 * What a world stands on: random numbers, memory and the queue of events.
 *
 * All three are deterministic. The arena's chunks are kept from one world to
 * the next, because a seed takes less time than the system calls that would
 * give its memory back. Built with AddressSanitizer, each object has its own
 * allocation instead, so that a write past its end is seen.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

#define CHUNK	(1u << 20)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	u8 mem[] __attribute__((aligned(16)));
};

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_SEPARATE	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_SEPARATE	1
#endif
#endif
#ifndef ARENA_SEPARATE
#define ARENA_SEPARATE	0
#endif

/* A counter put through a bijective mixer (the constants are SplitMix64's). */
u64 rnd64(struct world *w)
{
	u64 z = w->rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

u32 rnd(struct world *w, u32 n)
{
	return (u32)((rnd64(w) >> 32) * n >> 32);
}

u64 rnd_time(struct world *w, u64 max)
{
	return max ? rnd64(w) % (max + 1) : 0;
}

bool chance(struct world *w, u32 in10000)
{
	return in10000 && rnd(w, 10000) < in10000;
}

void rnd_bytes(struct world *w, void *p, u32 len)
{
	u8 *to = p;
	u64 r;

	while (len) {
		u32 n = len < sizeof(r) ? len : sizeof(r);

		r = rnd64(w);
		memcpy(to, &r, n);
		to += n;
		len -= n;
	}
}

static struct arena_chunk *chunk_new(size_t size)
{
	struct arena_chunk *c = malloc(sizeof(*c) + size);

	if (!c) {
		fprintf(stderr, "sim: no memory for %zu bytes: use fewer --jobs\n", size);
		exit(2);
	}
	c->size = size;
	return c;
}

void *arena_raw(struct world *w, size_t size)
{
	struct arena *a = &w->arena;
	struct arena_chunk *c;
	void *p;

	if (ARENA_SEPARATE) {
		c = chunk_new(size);
		c->next = a->chunks;
		a->chunks = c;
		return c->mem;
	}
	size = (size + 15) & ~(size_t)15;
	if (size > (size_t)(a->end - a->pos)) {
		if (a->spare && a->spare->size >= size) {
			c = a->spare;
			a->spare = c->next;
		} else {
			c = chunk_new(size > CHUNK ? size : CHUNK);
		}
		c->next = a->chunks;
		a->chunks = c;
		a->pos = c->mem;
		a->end = c->mem + c->size;
	}
	p = a->pos;
	a->pos += size;
	return p;
}

void *arena_alloc(struct world *w, size_t size)
{
	return memset(arena_raw(w, size), 0, size);
}

void arena_reset(struct world *w)
{
	struct arena *a = &w->arena;

	while (a->chunks) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		if (ARENA_SEPARATE || c->size != CHUNK) {
			free(c);
		} else {
			c->next = a->spare;
			a->spare = c;
		}
	}
	a->pos = NULL;
	a->end = NULL;
}

static bool before(const struct event *a, const struct event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void schedule(struct world *w, u64 delay, void (*fn)(struct world *, void *, u64), void *obj,
	      u64 arg)
{
	struct event_heap *h = &w->heap;
	struct event ev = {
		.at = w->now + delay, .order = w->order++, .fn = fn, .obj = obj, .arg = arg,
	};
	u32 i;

	if (h->n == h->room) {
		h->room = h->room ? h->room * 2 : 1024;
		h->ev = realloc(h->ev, h->room * sizeof(*h->ev));
		if (!h->ev) {
			fprintf(stderr, "sim: no memory for %u events: use fewer --jobs\n",
				h->room);
			exit(2);
		}
	}
	for (i = h->n++; i && before(&ev, &h->ev[(i - 1) / 2]); i = (i - 1) / 2)
		h->ev[i] = h->ev[(i - 1) / 2];
	h->ev[i] = ev;
}

bool next_event(struct world *w, struct event *ev)
{
	struct event_heap *h = &w->heap;
	struct event last;
	u32 i = 0, c;

	if (!h->n)
		return false;
	*ev = h->ev[0];
	last = h->ev[--h->n];
	for (;;) {
		c = 2 * i + 1;
		if (c >= h->n)
			break;
		if (c + 1 < h->n && before(&h->ev[c + 1], &h->ev[c]))
			c++;
		if (before(&last, &h->ev[c]))
			break;
		h->ev[i] = h->ev[c];
		i = c;
	}
	h->ev[i] = last;
	return true;
}

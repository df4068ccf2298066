// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers of data on their way in; see gather.h.
 *
 * The core's set of fragments and the bytes here must never disagree: whenever
 * bytes go before their call was executed, ebpfs_served_forget_data() goes with
 * them.
 */
#include <stdlib.h>

#include "gather.h"
#include "serve.h"
#include "session.h"
#include "stats.h"

static void uncharge(struct sessions *ss, u32 len)
{
	__atomic_sub_fetch(&ss->data_bytes, len, __ATOMIC_RELAXED);
}

/* Return: are @len bytes more within the budget? Then they count. */
static bool charge(struct sessions *ss, u32 len)
{
	if (__atomic_add_fetch(&ss->data_bytes, len, __ATOMIC_RELAXED) <= ss->budget)
		return true;
	uncharge(ss, len);
	return false;
}

u8 *data_alloc(struct sessions *ss, u32 len)
{
	u8 *data;

	if (!charge(ss, len))
		return NULL;
	data = malloc(len);
	if (!data)
		uncharge(ss, len);
	return data;
}

void data_free(struct sessions *ss, u8 *data, u32 len)
{
	if (!data)
		return;
	uncharge(ss, len);
	free(data);
}

/* The call that waits in @g, which counts no more; or NULL. */
static struct job *take_call(struct sessions *ss, struct gathering *g)
{
	struct job *call = g->call;

	if (call)
		uncharge(ss, sizeof(*call));
	g->call = NULL;
	return call;
}

static void drop_call(struct sessions *ss, struct gathering *g)
{
	struct job *call = take_call(ss, g);

	if (call)
		job_free(ss, call);
}

static void empty(struct sessions *ss, struct gathering *g)
{
	data_free(ss, g->data, g->len);
	g->data = NULL;
	g->len = 0;
	drop_call(ss, g);
}

/* The slot's gathering, of the call @id. */
static struct gathering *of_call(struct sessions *ss, struct session *s, u64 id, u64 now)
{
	struct gathering *g = &s->gathers[EBPFS_ID_SLOT(id)];

	if (g->seq != EBPFS_ID_SEQ(id)) {
		empty(ss, g);
		g->seq = EBPFS_ID_SEQ(id);
	}
	g->used = (u32)now;
	return g;
}

void data_join(u8 *to, const struct data_run *run, u32 len)
{
	const u8 *from = run->first;
	u32 n;

	for (; len; len -= n, to += n, from += run->stride) {
		n = len < run->cell ? len : run->cell;
		memcpy(to, from, n);
	}
}

bool gather_put(struct sessions *ss, struct session *s, const struct ebpfs_frag *f,
		const struct data_run *run, u64 cells, u64 now)
{
	struct gathering *g = of_call(ss, s, f->id, now);

	/* The core forgot the fragments when the call said another length. */
	if (g->data && g->len != f->total) {
		data_free(ss, g->data, g->len);
		g->data = NULL;
	}
	if (!g->data) {
		g->data = data_alloc(ss, f->total);
		g->len = f->total;
	}
	if (!g->data) {
		ebpfs_served_forget_data(&s->served, EBPFS_ID_SLOT(f->id));
		return false;
	}
	for (; cells; cells &= cells - 1) {
		u32 index = __ffs64(cells), at = index * run->cell, left = f->total - at;

		memcpy(g->data + at, run->first + (index - f->index) * run->stride,
		       left < run->cell ? left : run->cell);
	}
	return true;
}

void gather_wait(struct sessions *ss, struct session *s, u64 id, struct job *call, u64 now)
{
	struct gathering *g = of_call(ss, s, id, now);

	drop_call(ss, g);
	if (call && !charge(ss, sizeof(*call))) {
		stats_inc(data_refused);
		job_free(ss, call);
		return;
	}
	g->call = call;
}

u8 *gather_take(struct sessions *ss, struct session *s, u64 id, u32 len, struct job **call)
{
	struct gathering *g = &s->gathers[EBPFS_ID_SLOT(id)];
	u8 *data = NULL;

	if (call)
		*call = NULL;
	if (g->seq == EBPFS_ID_SEQ(id)) {
		if (call)
			*call = take_call(ss, g);
		if (g->data && g->len == len) {
			data = g->data;
			g->data = NULL;
		}
	}
	empty(ss, g);
	return data;
}

void gather_give_up(struct sessions *ss, struct session *s, u16 slot, u64 seq)
{
	struct gathering *g = &s->gathers[slot];

	if (g->seq < seq)
		empty(ss, g);
}

void gather_end(struct sessions *ss, struct session *s)
{
	unsigned int i;

	for (i = 0; i < s->served.nslots; i++)
		empty(ss, &s->gathers[i]);
}

void gather_tick(struct sessions *ss, struct session *s, u64 now)
{
	unsigned int i;

	for (i = 0; i < s->served.nslots; i++) {
		struct gathering *g = &s->gathers[i];

		if ((!g->data && !g->call) || (u32)now - g->used < GATHER_IDLE)
			continue;
		if (s->served.slots[i].seq == g->seq)
			ebpfs_served_forget_data(&s->served, (u16)i);
		empty(ss, g);
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Changes that a file's times do not show; see tick.h.
 *
 * Whoever writes into a set makes its number odd and then even again; who looks does so
 * again if the number has changed meanwhile.
 */
#include <sched.h>
#include <sys/random.h>
#include <time.h>

#include "tick.h"

#define SPINS	100

/**
 * struct entry - one file
 * @id: 0: free
 * @ctime: ns
 * @count: token while @ctime is the file's
 */
struct entry {
	u64 id;
	u64 ctime;
	u64 count;
};

/**
 * struct set - files whose ids have the same hash
 * @seq: odd while it is written
 * @running: changes
 * @begun: how many ever
 * @asked: somebody looked while one ran; written without the lock
 * @horizon: ns; files whose ctime is not after this may have lost a count
 * @salt: their token
 * @entries: files
 *
 * Two cache lines. Written with @seq odd, but for @asked.
 */
struct set {
	u32 seq;
	u32 running;
	u32 begun;
	u32 asked;
	u64 horizon;
	u64 salt;
	struct entry entries[TICK_WAYS];
} __attribute__((aligned(64)));

static struct set sets[TICK_SETS];
static u64 life;	/* random, of this start */
static u64 counter;	/* of counts and salts, from @life */
static u64 start;	/* ns; horizon of the sets at first */

/* Ordered against @seq on both sides without fences. */
#define GET(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define PUT(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELEASE)

static u64 now_ns(void)
{
	struct timespec t;

	/* The clock of filesystems. */
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return (u64)t.tv_sec * EBPFS_NSEC_PER_SEC + (u64)t.tv_nsec;
}

int tick_start(void)
{
	u64 now = now_ns();

	if (getrandom(&life, sizeof(life), 0) != sizeof(life))
		return -errno;
	life |= 1;	/* not 0 */
	counter = life;
	start = now > TICK_MOST ? now - TICK_MOST : 0;
	return 0;
}

static u64 next(void)
{
	u64 n = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);

	return n ? n : next();
}

static u64 id_of(u64 dev, u64 ino)
{
	u64 id = ino ^ dev * 0x9e3779b97f4a7c15ull;

	return id ? id : 1;
}

static struct set *set_of(u64 id)
{
	return &sets[(id * 0xd6e8feb86659fd93ull >> 32) % TICK_SETS];
}

/* One to one for either argument. */
static u64 mix(u64 raw, u64 token)
{
	if (!token)
		return raw;
	raw = (raw ^ token * 0xa0761d6478bd642full) * 0xff51afd7ed558ccdull;
	return raw ^ raw >> 32;
}

static void relax(unsigned int *spins)
{
	if (++*spins % SPINS == 0)
		sched_yield();
}

static void lock(struct set *s)
{
	unsigned int spins = 0;
	u32 seq;

	for (;;) {
		seq = READ_ONCE(s->seq);
		if (!(seq & 1) && __atomic_compare_exchange_n(&s->seq, &seq, seq + 1, false,
							      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return;
		relax(&spins);
	}
}

static void unlock(struct set *s)
{
	PUT(s->seq, READ_ONCE(s->seq) + 1);
}

static u64 horizon_of(const struct set *s)
{
	u64 horizon = GET(s->horizon);

	return horizon > start ? horizon : start;
}

static u64 token_of(const struct set *s, u64 id, u64 ctime)
{
	unsigned int i;

	for (i = 0; i < TICK_WAYS; i++)
		if (GET(s->entries[i].id) == id && GET(s->entries[i].ctime) == ctime)
			return GET(s->entries[i].count);
	return ctime > horizon_of(s) ? life : GET(s->salt);
}

/* @asking: not for who changes the file. */
static u64 look(u64 id, u64 ctime, u64 raw, bool asking)
{
	struct set *s = set_of(id);
	unsigned int spins = 0;
	u32 seq, running = 0;
	u64 token = 0;

	for (;;) {
		seq = GET(s->seq);
		if (!(seq & 1)) {
			running = GET(s->running);
			token = token_of(s, id, ctime);
			if (READ_ONCE(s->seq) == seq)
				break;
		}
		relax(&spins);
	}
	if (asking && running)
		__atomic_store_n(&s->asked, 1, __ATOMIC_SEQ_CST);
	return mix(raw, token);
}

u64 tick_value(u64 dev, u64 ino, u64 ctime, u64 raw)
{
	return look(id_of(dev, ino), ctime, raw, true);
}

void tick_begin(struct tick_change *c, u64 dev, u64 ino)
{
	struct set *s;

	c->id = id_of(dev, ino);
	s = set_of(c->id);
	lock(s);
	c->shared = s->running;
	if (!s->running)
		__atomic_store_n(&s->asked, 0, __ATOMIC_SEQ_CST);
	PUT(s->running, s->running + 1);
	c->begun = ++s->begun;
	unlock(s);
}

bool tick_next(const struct tick_change *c, const struct tick_change *last)
{
	return c->id == last->id && !c->shared && !last->shared && c->begun == last->begun + 1;
}

u64 tick_before(const struct tick_change *c, u64 ctime, u64 raw)
{
	return look(c->id, ctime, raw, false);
}

/* Under the lock: the file's entry, or NULL. */
static struct entry *find(struct set *s, u64 id)
{
	unsigned int i;

	for (i = 0; i < TICK_WAYS; i++)
		if (s->entries[i].id == id)
			return &s->entries[i];
	return NULL;
}

/* Under the lock: a free entry, the one that has not changed for longest if need be. */
static struct entry *make_room(struct set *s)
{
	struct entry *e = &s->entries[0];
	unsigned int i;

	for (i = 0; i < TICK_WAYS; i++) {
		if (!s->entries[i].id)
			return &s->entries[i];
		if (s->entries[i].ctime < e->ctime)
			e = &s->entries[i];
	}
	if (e->ctime <= horizon_of(s) || e->ctime + TICK_MOST > now_ns())
		PUT(s->salt, next());
	if (e->ctime > horizon_of(s))
		PUT(s->horizon, e->ctime);
	return e;
}

/* Under the lock. @late: another may have changed the file since. */
static void keep(struct set *s, u64 id, u64 ctime, u64 count, bool late)
{
	struct entry *e = find(s, id);

	if (e && late && e->ctime > ctime)
		return;
	if (!e)
		e = make_room(s);
	PUT(e->id, id);
	PUT(e->ctime, ctime);
	PUT(e->count, count);
}

u64 tick_end(struct tick_change *c, bool changed, u64 before, u64 after, u64 raw)
{
	struct set *s = set_of(c->id);
	bool others, asked;
	struct entry *e;
	u64 token;

	lock(s);
	PUT(s->running, s->running - 1);
	others = c->shared || s->begun != c->begun;
	asked = __atomic_load_n(&s->asked, __ATOMIC_SEQ_CST);
	if (changed && (before == after || others || asked)) {
		token = next();
		keep(s, c->id, after, token, others);
	} else {
		/* Worth nothing any more. */
		e = changed ? find(s, c->id) : NULL;
		if (e && e->ctime != after)
			PUT(e->id, 0);
		token = token_of(s, c->id, after);
	}
	unlock(s);
	return mix(raw, token);
}

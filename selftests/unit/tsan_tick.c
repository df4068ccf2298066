// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd's counts of changes within a tick (userspace/ebpfsd/tick.c) with real threads,
 * under ThreadSanitizer, in a table that is much too small.
 *
 *	tsan_tick [--seed N] [--seconds N]
 *
 * Files are a ctime and a word of data. The clock ticks slowly. Who changes a file holds
 * its lock, some by a second lock as for a file's names, moves ctime first and writes the
 * data then, as kernels do. Readers are clients with a cache: they ask for the change
 * attribute, throw away what they have if it is another, and read what they lack.
 *
 * In rounds: when all rest, whoever has data under the attribute that is given out now
 * must have the data that are there now, and no two changes may have got the same answer.
 * The value before a change is what was answered to the last, while the table has room:
 * that is looked at alone. The seed repeats the random choices, not the scheduling.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/place.h"
#include "lib/ktap.h"
#include "tsan.h"

/* The test's clock is the filesystem's and the daemon's. */
static u64 clock_ns;

static int test_clock(struct timespec *t)
{
	u64 now = __atomic_load_n(&clock_ns, __ATOMIC_ACQUIRE);

	t->tv_sec = (time_t)(now / EBPFS_NSEC_PER_SEC);
	t->tv_nsec = (long)(now % EBPFS_NSEC_PER_SEC);
	return 0;
}

#define clock_gettime(id, t)	test_clock(t)
#define TICK_SETS		4
#include "ebpfsd/tick.c"

#define NFILES		64
#define NWRITERS	3
#define NREADERS	3
#define PER_ROUND	200	/* changes by each writer */
#define DEVICE		0x800000001ull
#define STEP		(700 * EBPFS_NSEC_PER_MSEC)	/* of the clock */

/**
 * struct inode - a file
 * @lock: of changes
 * @ctime: ns, atomic
 * @data: atomic
 * @answered: to the last change that took @lock, with it
 * @answers: of this round, atomic
 * @nanswers: how many
 */
struct inode {
	pthread_mutex_t lock;
	u64 ctime;
	u64 data;
	u64 answered;
	u64 answers[NWRITERS * PER_ROUND];
	u32 nanswers;
};

/**
 * struct cache - what a client has of a file
 * @change: attribute that it knows
 * @data: that it read
 * @there: @data is
 */
struct cache {
	u64 change;
	u64 data;
	bool there;
};

static struct inode files[NFILES];
static struct cache caches[NREADERS][NFILES];
static pthread_barrier_t begin_round, end_round;
static u32 stop, working;
static u64 data_next, changes, drifts, seed;
static u64 stale, broken, equal, twice;	/* must stay 0 */

static u64 draw(u64 *state)
{
	++*state;
	return ebpfs_place_hash(state, sizeof(*state));
}

/* ctime alone: what else there is may come back. */
static u64 raw_of(u64 ctime)
{
	return ctime * 0x9e3779b97f4a7c15ull;
}

static u64 ctime_of_file(struct inode *f)
{
	return __atomic_load_n(&f->ctime, __ATOMIC_ACQUIRE);
}

static u64 value_of(unsigned int i)
{
	u64 ctime = ctime_of_file(&files[i]);

	return tick_value(DEVICE, i + 2, ctime, raw_of(ctime));
}

/* Never back, as under the kernel's lock. */
static void move_ctime(struct inode *f)
{
	u64 now = __atomic_load_n(&clock_ns, __ATOMIC_ACQUIRE), old = ctime_of_file(f);

	while (old < now && !__atomic_compare_exchange_n(&f->ctime, &old, now, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static void make_change(unsigned int i, bool locked, u64 *random)
{
	struct inode *f = &files[i];
	struct tick_change c;
	u64 before, after, ctime, value;

	if (locked)
		pthread_mutex_lock(&f->lock);
	tick_begin(&c, DEVICE, i + 2);
	ctime = ctime_of_file(f);
	before = tick_before(&c, ctime, raw_of(ctime));
	/* Changes without the lock come between, and there is no room. */
	if (locked && f->answered && before != f->answered)
		__atomic_add_fetch(&drifts, 1, __ATOMIC_RELAXED);
	move_ctime(f);
	if (draw(random) % 4 == 0)
		sched_yield();
	__atomic_store_n(&f->data, __atomic_add_fetch(&data_next, 1, __ATOMIC_SEQ_CST),
			 __ATOMIC_RELEASE);
	after = ctime_of_file(f);
	if (draw(random) % 8 == 0)
		sched_yield();
	value = tick_end(&c, true, ctime, after, raw_of(after));
	if (value == before)
		__atomic_add_fetch(&equal, 1, __ATOMIC_RELAXED);
	f->answers[__atomic_fetch_add(&f->nanswers, 1, __ATOMIC_RELAXED)] = value;
	__atomic_add_fetch(&changes, 1, __ATOMIC_RELAXED);
	if (locked) {
		f->answered = value;
		pthread_mutex_unlock(&f->lock);
	}
}

static void *writer(void *arg)
{
	u64 random = seed * 1000003 + (u64)(size_t)arg * 0x100000000ull;
	unsigned int n;

	for (;;) {
		pthread_barrier_wait(&begin_round);
		if (__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
			return NULL;
		for (n = 0; n < PER_ROUND; n++) {
			/* Some files are in everybody's hands. */
			u64 i = draw(&random) % 2 ? draw(&random) % 4 : draw(&random) % NFILES;

			make_change((unsigned int)i, draw(&random) % 16 != 0, &random);
			if (draw(&random) % 64 == 0)
				__atomic_add_fetch(&clock_ns, STEP, __ATOMIC_SEQ_CST);
		}
		__atomic_sub_fetch(&working, 1, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&end_round);
	}
}

static void ask(struct cache *c, unsigned int i)
{
	u64 value = value_of(i);

	if (value != c->change)
		c->there = false;
	c->change = value;
}

static void *reader(void *arg)
{
	struct cache *mine = caches[(size_t)arg];
	u64 random = seed * 7919 + (u64)(size_t)arg;

	for (;;) {
		pthread_barrier_wait(&begin_round);
		if (__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
			return NULL;
		while (__atomic_load_n(&working, __ATOMIC_ACQUIRE)) {
			u64 i = draw(&random) % 2 ? draw(&random) % 4 : draw(&random) % NFILES;

			ask(&mine[i], (unsigned int)i);
			if (!mine[i].there)
				mine[i].data = __atomic_load_n(&files[i].data, __ATOMIC_ACQUIRE);
			mine[i].there = true;
		}
		pthread_barrier_wait(&end_round);
	}
}

/* All rest. */
static void look_at_caches(void)
{
	unsigned int r, i, a, b;

	for (i = 0; i < NFILES; i++) {
		struct inode *f = &files[i];

		for (r = 0; r < NREADERS; r++) {
			struct cache *c = &caches[r][i];

			ask(c, i);
			if (c->there && c->data != f->data)
				stale++;
		}
		for (a = 0; a < f->nanswers; a++)
			for (b = 0; b < a; b++)
				twice += f->answers[a] == f->answers[b];
		f->nanswers = 0;
	}
}

/* One thread, and as many files as there is room for: the chain does not break. */
static void chain_holds(void)
{
	u64 random = 1, last = 0;
	unsigned int n;

	for (n = 0; n < 1000; n++) {
		u64 value = value_of(0);

		if (last && value != last)
			broken++;
		make_change(0, true, &random);
		if (files[0].answered == value || value_of(0) != files[0].answered)
			broken++;
		last = files[0].answered;
		files[0].nanswers = 0;
		if (n % 7 == 0)
			clock_ns += STEP;
	}
}

static void nothing_stale_stays(void) { EXPECT_EQ(stale, 0); }
static void a_change_shows(void) { EXPECT_EQ(equal, 0); }
static void no_two_answers_are_alike(void) { EXPECT_EQ(twice, 0); }
static void the_chain_holds(void) { EXPECT_EQ(broken, 0); }

static void the_table_was_full(void)
{
	unsigned int i, salts = 0;

	for (i = 0; i < TICK_SETS; i++)
		salts += sets[i].salt != 0;
	EXPECT_EQ(salts, TICK_SETS);
	for (i = 0; i < TICK_SETS; i++)
		EXPECT_EQ(sets[i].running, 0);
	printf("# %llu changes, the value before %llu was another than after the last\n",
	       (unsigned long long)changes, (unsigned long long)drifts);
	EXPECT(drifts < changes);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(nothing_stale_stays),
	KTAP_TEST(a_change_shows),
	KTAP_TEST(no_two_answers_are_alike),
	KTAP_TEST(the_chain_holds),
	KTAP_TEST(the_table_was_full),
};

int main(int argc, char **argv)
{
	const struct tsan_options o = tsan_begin("tsan_tick", argc, argv);
	pthread_t threads[NWRITERS + NREADERS];
	size_t i, rounds;
	time_t end;

	seed = o.seed;
	clock_ns = (u64)time(NULL) * EBPFS_NSEC_PER_SEC;
	if (tick_start())
		return KTAP_EXIT_FAIL;
	for (i = 0; i < NFILES; i++)
		pthread_mutex_init(&files[i].lock, NULL);
	chain_holds();
	pthread_barrier_init(&begin_round, NULL, NWRITERS + NREADERS + 1);
	pthread_barrier_init(&end_round, NULL, NWRITERS + NREADERS + 1);
	for (i = 0; i < NWRITERS; i++)
		pthread_create(&threads[i], NULL, writer, (void *)(i + 1));
	for (i = 0; i < NREADERS; i++)
		pthread_create(&threads[NWRITERS + i], NULL, reader, (void *)i);
	end = time(NULL) + o.seconds;
	for (rounds = 0; time(NULL) < end || rounds < 3; rounds++) {
		working = NWRITERS;
		pthread_barrier_wait(&begin_round);
		pthread_barrier_wait(&end_round);
		look_at_caches();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_barrier_wait(&begin_round);
	for (i = 0; i < NWRITERS + NREADERS; i++)
		pthread_join(threads[i], NULL);
	return KTAP_MAIN(tests, 1, argv);
}

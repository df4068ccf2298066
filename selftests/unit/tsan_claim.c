// SPDX-License-Identifier: GPL-2.0
/*
 * Claim, fill, cancel, put and retransmission with real threads, under
 * ThreadSanitizer. (The simulator checks far more, but on one thread.)
 *
 *	tsan_claim [--seed N] [--seconds N]
 *
 * Callers take slots and give each call a destination. Fillers make fragments
 * of calls that they see, of several executions of each call, in any order,
 * many times, alone or several neighbours as one packet brings them, some spoilt in
 * head or payload, and do with them what a receiver does: parse, claim, copy, check
 * what was copied, report. A canceller, a
 * retransmitter and two who ask for data that lack get in the way. Whoever is
 * told to let go of a destination overwrites and frees it.
 *
 * A destination is plain memory that nothing but the session's locks protects,
 * so ThreadSanitizer sees a write to it that is not ordered after the claim or
 * before the letting go, and two writes to one cell. Counters in it find the
 * same without ThreadSanitizer. A whole reply must be that of one execution,
 * byte for byte. At the end every path must have been taken and nothing be
 * left. The seed repeats the random choices, not the scheduling.
 */
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/conn.h"
#include "core/place.h"
#include "lib/ktap.h"
#include "tsan.h"

#define NSLOTS		4
#define NCALLERS	2
#define NFILLERS	4
#define NNEEDERS	2
#define DATA_BYTES	5000	/* of each call */
#define REPLY_MAX	(16 * EBPFS_CELL_MIN)
#define INSTANCES	3	/* executions of each call */
#define RUN_MAX		8	/* fragments in one packet */
#define COMPLETED_MIN	200	/* whole replies of a run that shows something */
#define WAIT_MAX	60	/* seconds longer to get there */
#define GUARD		64	/* bytes behind a destination */
#define GUARD_BYTE	0x6b
#define GONE_BYTE	0xdd

/**
 * struct dest - where the reply of one call goes
 * @id: of the call, 0 until it is sent: atomic
 * @limit: bytes
 * @writers: fillers at work in each cell
 * @ended: how often somebody was told to let go
 * @data: @limit bytes and a guard
 */
struct dest {
	u64 id;
	u32 limit;
	u32 writers[EBPFS_CELLS_MAX];
	u32 ended;
	u8 data[];
};

/* What has happened, counted by all threads. */
static struct {
	u64 verdicts[EBPFS_VERDICTS];
	u64 corrupt;
	u64 runs;		/* claims of several fragments */
	u64 runs_part;		/* of these, some were duplicates */
	u64 runs_bad;		/* a part was corrupt */
	u64 runs_completed;
	u64 runs_released;
	u64 completed;
	u64 errors;		/* of these, with a status */
	u64 taken_over;
	u64 retransmitted;
	u64 cancelled_now;
	u64 cancelled_filler;
	u64 cancelled_late;
	u64 released;
	u64 window_full;
	u64 needs_answered;
	u64 needs_ignored;

	/* These must stay 0. */
	u64 after_end;
	u64 two_writers;
	u64 ended_twice;
	u64 wrong_data;
	u64 wrong_call;
	u64 overrun;
	u64 owner_lost;
	u64 wrong_claim;
	u64 needed_twice;
	u64 wrong_need;
} seen;

static struct ebpfs_conn conn;
static struct ebpfs_slot slots[NSLOTS];
static u64 published[NSLOTS];	/* ids of the last calls sent */
static u32 attempts[NSLOTS];	/* of those, as they were sent last */
static u64 needed[NSLOTS];	/* id and attempt for which NEED was answered last */
static u64 clock_ns = EBPFS_NSEC_PER_SEC;
static u32 stop;		/* 1: no new calls; 2: everybody ends */
static u64 seed;

static void count(u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* A thread's own random numbers. */
struct random {
	u64 state;
};

static u64 draw(struct random *r)
{
	r->state++;
	return ebpfs_place_hash(&r->state, sizeof(r->state));
}

static u32 below(struct random *r, u32 n)
{
	return (draw(r) >> 32) * n >> 32;
}

static bool one_in(struct random *r, u32 n)
{
	return below(r, n) == 0;
}

static struct random random_of(u32 thread)
{
	struct random r = { .state = seed * 1000003 + (u64)thread * 0x100000000ull };

	return r;
}

static u64 hash_of(u64 id, u32 instance)
{
	u64 key[2] = { id, instance };

	return ebpfs_place_hash(key, sizeof(key));
}

/* What the 8 bytes at offset @at of the reply with this hash are. */
static u64 word_of(u64 hash, u32 at)
{
	return hash + at * 0x9e3779b97f4a7c15ull;
}

/*
 * The head, but for offset and attempt, of the reply that an execution of a
 * call gives: the same whoever asks.
 */
static struct ebpfs_frag execution(u64 id, u32 which)
{
	struct ebpfs_frag f = { .session = 1, .id = id };
	u64 h;

	f.instance = (u32)(EBPFS_ID_SEQ(id) * INSTANCES + which + 1);
	/*
	 * Half of the calls are cut alike by all executions, so that nothing
	 * but the instance tells their fragments apart.
	 */
	h = hash_of(id, 0);
	if (h >> 60 & 1)
		h = hash_of(id, f.instance);
	f.cell = EBPFS_CELL_MIN + (h & 0xff) * 8;
	f.flags = h >> 8 & 1 ? EBPFS_REPLY_EOF : 0;
	if ((h >> 16 & 0xf) == 0)
		f.status = EIO;
	else
		f.total = (h >> 20) % (REPLY_MAX + 1);
	f.ncells = ebpfs_ncells(f.total, f.cell);
	return f;
}

static struct dest *make_dest(u32 limit)
{
	struct dest *d = calloc(1, sizeof(*d) + limit + GUARD);

	if (!d)
		abort();
	d->limit = limit;
	memset(d->data + limit, GUARD_BYTE, GUARD);
	return d;
}

/* By the one who was told to: from now on nobody may touch it. */
static void let_go(struct dest *d)
{
	u32 i;

	if (__atomic_exchange_n(&d->ended, 1, __ATOMIC_RELAXED))
		count(&seen.ended_twice);
	for (i = 0; i < GUARD; i++)
		if (d->data[d->limit + i] != GUARD_BYTE) {
			count(&seen.overrun);
			break;
		}
	memset(d->data, GONE_BYTE, d->limit + GUARD);
	free(d);
}

/* Is the whole reply that of the execution which this fragment says it is? */
static void check_reply(const struct dest *d, const struct ebpfs_frag *f,
			const struct ebpfs_result *res)
{
	u32 which = f->instance - 1 - (u32)(EBPFS_ID_SEQ(f->id) * INSTANCES);
	u64 hash = hash_of(f->id, f->instance);
	struct ebpfs_frag e;
	u32 at, n;
	u64 word;

	if (__atomic_load_n(&d->id, __ATOMIC_RELAXED) != f->id) {
		count(&seen.wrong_call);
		return;
	}
	if (which >= INSTANCES) {
		count(&seen.wrong_data);
		return;
	}
	e = execution(f->id, which);
	if (res->total != e.total || res->status != e.status || res->flags != e.flags) {
		count(&seen.wrong_data);
		return;
	}
	for (at = 0; at < res->total; at += n) {
		n = res->total - at < 8 ? res->total - at : 8;
		word = word_of(hash, at);
		if (memcmp(d->data + at, &word, n)) {
			count(&seen.wrong_data);
			return;
		}
	}
}

static u64 now_ns(void)
{
	return __atomic_load_n(&clock_ns, __ATOMIC_RELAXED);
}

/* A fragment as it comes in. */
struct packet {
	_Alignas(8) u8 bytes[sizeof(struct ebpfs_reply) + REPLY_MAX + 8];
	u32 len;
};

/* Copies the claimed ones of @n fragments, the first of which is @f; which are right? */
static u64 fill(struct dest *d, const struct packet *packets, u32 n, struct ebpfs_frag f,
		u64 claimed)
{
	const u32 head = sizeof(struct ebpfs_reply);
	const u8 *p;
	u64 good = 0;
	u32 i, crc;

	for (i = 0; i < n; i++, f.index++) {
		if (!(claimed >> f.index & 1))
			continue;
		p = packets[i].bytes;
		f.offset = f.index * f.cell;
		f.len = packets[i].len - head;
		if (__atomic_fetch_add(&d->writers[f.index], 1, __ATOMIC_RELAXED))
			count(&seen.two_writers);
		memcpy(d->data + f.offset, p + head, f.len);
		crc = ebpfs_crc32c(ebpfs_crc_head(p, head), d->data + f.offset, f.len);
		if (le32_to_cpu(((const struct ebpfs_hdr *)p)->crc) == ebpfs_crc_end(crc))
			good |= 1ull << f.index;
		else
			count(&seen.corrupt);
	}
	return good;
}

/* How many of the @n packets belong together: the heads differ in offset and checksum only. */
static u32 run_length(const struct packet *packets, u32 n, const struct ebpfs_frag *f)
{
	struct ebpfs_reply want, head;
	u32 i;

	memcpy(&want, packets[0].bytes, sizeof(want));
	for (i = 1; i < n && f->index + i < f->ncells; i++) {
		memcpy(&head, packets[i].bytes, sizeof(head));
		want.offset = cpu_to_le32((f->index + i) * f->cell);
		want.hdr.crc = head.hdr.crc;
		if (memcmp(&want, &head, sizeof(want)))
			break;
	}
	return i;
}

static void count_run(const struct ebpfs_frag *f, u32 n, u64 claimed, u64 good,
		      enum ebpfs_filled what)
{
	if (n == 1)
		return;
	count(&seen.runs);
	if (claimed != ebpfs_cell_set(n) << f->index)
		count(&seen.runs_part);
	if (good && good != claimed)
		count(&seen.runs_bad);
	if (what == EBPFS_FILL_COMPLETE)
		count(&seen.runs_completed);
	if (what == EBPFS_FILL_RELEASE)
		count(&seen.runs_released);
}

/*
 * What receiver and fill do in the module, up to what the core says, with up to @n
 * fragments that came together. Returns how many were looked at.
 */
static u32 receive(struct random *r, const struct packet *packets, u32 n)
{
	struct ebpfs_result res;
	struct ebpfs_frag f;
	struct dest *d = NULL;
	void *owner = NULL;
	enum ebpfs_verdict verdict;
	enum ebpfs_filled what;
	u64 cells, claimed = 0, good, left;

	if (ebpfs_parse_reply(packets[0].bytes, packets[0].len, &f))
		return 1;
	n = run_length(packets, n, &f);
	cells = ebpfs_cell_set(n) << f.index;
	if (n == 1) {
		verdict = ebpfs_conn_claim(&conn, &f, &owner);
		claimed = cells;
	} else {
		verdict = ebpfs_conn_claim_cells(&conn, &f, cells, &owner, &claimed);
	}
	count(&seen.verdicts[verdict]);
	if (verdict != EBPFS_CLAIMED)
		return n;
	d = owner;
	if (!d) {
		count(&seen.owner_lost);
		return n;
	}
	if (!claimed || claimed & ~cells)
		count(&seen.wrong_claim);
	if (__atomic_load_n(&d->ended, __ATOMIC_RELAXED))
		count(&seen.after_end);
	good = fill(d, packets, n, f, claimed);
	/* On few processors, others rarely come between a claim and its end by themselves. */
	if (one_in(r, 3))
		sched_yield();
	for (left = claimed; left; left &= left - 1)
		__atomic_fetch_sub(&d->writers[__ffs64(left)], 1, __ATOMIC_RELAXED);

	if (n == 1)
		what = ebpfs_conn_filled(&conn, &f, good, now_ns(), &res);
	else
		what = ebpfs_conn_filled_cells(&conn, &f, claimed, good, now_ns(), &res);
	count_run(&f, n, claimed, good, what);
	switch (what) {
	case EBPFS_FILL_MORE:
		return n;
	case EBPFS_FILL_COMPLETE:
		count(&seen.completed);
		if (res.status)
			count(&seen.errors);
		if (f.instance % INSTANCES != 1)
			count(&seen.taken_over);
		check_reply(d, &f, &res);
		break;
	case EBPFS_FILL_RELEASE:
		count(&seen.released);
		break;
	}
	let_go(d);
	ebpfs_conn_put(&conn, EBPFS_ID_SLOT(f.id), now_ns());
	return n;
}

/* Makes a fragment of @e, perhaps spoilt. */
static void make_packet(struct random *r, struct ebpfs_frag e, u32 index, struct packet *packet)
{
	u64 word, hash = hash_of(e.id, e.instance);
	bool other_grid = one_in(r, 16);
	u8 *p = packet->bytes;
	u32 len, left, at;

	if (other_grid) {
		/* A well-formed head that cuts the reply in another way. */
		e.cell = EBPFS_CELL_MIN + below(r, 256) * 8;
		index %= ebpfs_ncells(e.total, e.cell);
	}
	e.index = index;
	e.offset = index * e.cell;
	left = e.total - e.offset;
	e.len = left < e.cell ? left : e.cell;
	len = ebpfs_put_reply(p, &e);
	for (at = 0; at < e.len; at += 8) {
		word = word_of(hash, e.offset + at);
		memcpy(p + len + at, &word, e.len - at < 8 ? e.len - at : 8);
	}
	len += e.len;
	ebpfs_seal(p, len);
	if (other_grid)
		p[0] ^= 1;
	else if (one_in(r, 8))
		p[e.len && one_in(r, 2) ? 48 + below(r, e.len) : 16 + below(r, 28)] ^=
			1 << below(r, 8);
	packet->len = len;
}

/* Fragments of @e, one or several neighbours; they come once or twice. */
static void deliver(struct random *r, struct ebpfs_frag e, struct packet *packets)
{
	u32 i, n = 1, index = below(r, e.ncells), again = one_in(r, 5);

	if (one_in(r, 2))
		n += below(r, RUN_MAX);
	if (n > e.ncells - index)
		n = e.ncells - index;
	e.attempt = below(r, 3);
	for (i = 0; i < n; i++)
		make_packet(r, e, index + i, &packets[i]);
	do {
		for (i = 0; i < n; )
			i += receive(r, &packets[i], n - i);
	} while (again--);
}

static void *filler(void *arg)
{
	static _Thread_local struct packet packets[RUN_MAX];
	struct random r = random_of(10 + (u32)(size_t)arg);
	struct ebpfs_frag e;
	u32 n, which;
	u64 id;

	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) < 2) {
		id = __atomic_load_n(&published[below(&r, NSLOTS)], __ATOMIC_ACQUIRE);
		if (!id) {
			sched_yield();
			continue;
		}
		/* Late ones of the slot's calls before this. */
		if (one_in(&r, 10) && EBPFS_ID_SEQ(id) > 1)
			id -= 1ull << 16;
		/* The later executions are rarer. */
		which = one_in(&r, 4) ? 1 + below(&r, INSTANCES - 1) : 0;
		e = execution(id, which);
		for (n = e.ncells + below(&r, 4); n; n--)
			deliver(&r, e, packets);
	}
	return NULL;
}

static void *caller(void *arg)
{
	struct random r = random_of(20 + (u32)(size_t)arg);
	struct ebpfs_call_info c;
	struct dest *d;
	int slot;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		d = make_dest(one_in(&r, 4) ? below(&r, REPLY_MAX) : REPLY_MAX);
		slot = ebpfs_conn_take_data(&conn, d->limit, DATA_BYTES, d, now_ns());
		if (slot < 0) {
			count(&seen.window_full);
			free(d);
			sched_yield();
			continue;
		}
		if (!ebpfs_conn_sending(&conn, slot, 0, now_ns(), &c))
			continue;
		/* Until it is published no good fragment of it can come. */
		__atomic_store_n(&d->id, c.id, __ATOMIC_RELAXED);
		__atomic_store_n(&published[slot], c.id, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Ends the call @id in the way that a canceller is told to. */
static void cancel(u64 id)
{
	struct dest *d;

	switch (ebpfs_conn_cancel(&conn, id)) {
	case EBPFS_CANCEL_NOW:
		count(&seen.cancelled_now);
		/* The module's canceller knows its call; the slot is ours until put. */
		d = slots[EBPFS_ID_SLOT(id)].owner;
		let_go(d);
		ebpfs_conn_put(&conn, EBPFS_ID_SLOT(id), now_ns());
		break;
	case EBPFS_CANCEL_FILLER:
		count(&seen.cancelled_filler);
		break;
	case EBPFS_CANCEL_LATE:
		count(&seen.cancelled_late);
		break;
	}
}

static void *canceller(void *arg)
{
	struct random r = random_of(30);
	struct timespec pause = { 0 };
	u64 id;

	(void)arg;
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) < 2) {
		id = __atomic_load_n(&published[below(&r, NSLOTS)], __ATOMIC_ACQUIRE);
		if (id)
			cancel(id);
		if (one_in(&r, 3)) {
			pause.tv_nsec = below(&r, 300000);
			nanosleep(&pause, NULL);
		}
	}
	return NULL;
}

/* Says what a server lacks; of two who say it for one attempt one is answered. */
static void *needer(void *arg)
{
	struct random r = random_of(50 + (u32)(size_t)arg);
	struct ebpfs_need_info n = { .cell = EBPFS_CELL_MIN };
	void *owner;
	u64 send, key;
	u32 slot;

	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) < 2) {
		slot = below(&r, NSLOTS);
		n.id = __atomic_load_n(&published[slot], __ATOMIC_ACQUIRE);
		n.attempt = (u8)__atomic_load_n(&attempts[slot], __ATOMIC_RELAXED);
		n.missing = 1 + below(&r, 31);
		owner = NULL;
		send = n.id ? ebpfs_conn_need(&conn, &n, EBPFS_CELL_MIN, now_ns(), &owner) : 0;
		if (!send) {
			count(&seen.needs_ignored);
			sched_yield();
			continue;
		}
		count(&seen.needs_answered);
		if (send != n.missing || !owner)
			count(&seen.wrong_need);
		key = n.id << 8 | n.attempt;
		if (__atomic_exchange_n(&needed[slot], key, __ATOMIC_ACQ_REL) == key &&
		    n.attempt < 255)
			count(&seen.needed_twice);
	}
	return NULL;
}

static void *retransmitter(void *arg)
{
	struct random r = random_of(40);
	struct timespec pause = { 0 };
	struct ebpfs_call_info c;
	u64 ids[NSLOTS], next, now;
	u32 i, n;

	(void)arg;
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) < 2) {
		now = __atomic_add_fetch(&clock_ns, below(&r, 20000000), __ATOMIC_RELAXED);
		n = ebpfs_conn_due(&conn, now, ids, 1 + below(&r, NSLOTS), &next);
		for (i = 0; i < n; i++)
			if (ebpfs_conn_sending(&conn, EBPFS_ID_SLOT(ids[i]), ids[i], now, &c)) {
				count(&seen.retransmitted);
				__atomic_store_n(&attempts[EBPFS_ID_SLOT(ids[i])], c.attempt,
						 __ATOMIC_RELAXED);
			}
		if (one_in(&r, 10))
			ebpfs_conn_heard(&conn, now);
		if (ebpfs_conn_silence(&conn, now) > now)
			abort();
		pause.tv_nsec = below(&r, 200000);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static unsigned int seconds;

/* Has every path been taken, some of them often? */
static bool all_seen(void)
{
	const u64 *once[] = {
		&seen.corrupt, &seen.runs, &seen.runs_part, &seen.runs_bad,
		&seen.runs_completed, &seen.runs_released, &seen.errors,
		&seen.taken_over, &seen.retransmitted,
		&seen.cancelled_now, &seen.cancelled_filler, &seen.cancelled_late,
		&seen.window_full, &seen.needs_answered, &seen.needs_ignored,
	};
	unsigned int i;

	for (i = 0; i < EBPFS_VERDICTS; i++)
		if (!__atomic_load_n(&seen.verdicts[i], __ATOMIC_RELAXED))
			return false;
	for (i = 0; i < ARRAY_SIZE(once); i++)
		if (!__atomic_load_n(once[i], __ATOMIC_RELAXED))
			return false;
	return __atomic_load_n(&seen.completed, __ATOMIC_RELAXED) >= COMPLETED_MIN;
}

static void run_threads(void)
{
	pthread_t threads[NCALLERS + NFILLERS + NNEEDERS + 2];
	unsigned int i, n = 0, others;

	for (i = 0; i < NCALLERS; i++)
		ASSERT_EQ(pthread_create(&threads[n++], NULL, caller, (void *)(size_t)i), 0);
	others = n;
	for (i = 0; i < NFILLERS; i++)
		ASSERT_EQ(pthread_create(&threads[n++], NULL, filler, (void *)(size_t)i), 0);
	for (i = 0; i < NNEEDERS; i++)
		ASSERT_EQ(pthread_create(&threads[n++], NULL, needer, (void *)(size_t)i), 0);
	ASSERT_EQ(pthread_create(&threads[n++], NULL, canceller, NULL), 0);
	ASSERT_EQ(pthread_create(&threads[n++], NULL, retransmitter, NULL), 0);

	sleep(seconds);
	/* A machine that is busy with other things gets more time. */
	for (i = 0; i < WAIT_MAX && !all_seen(); i++)
		sleep(1);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < others; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&stop, 2, __ATOMIC_RELEASE);
	for (; i < n; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < NSLOTS; i++)
		if (published[i])
			cancel(published[i]);
}

static void nothing_is_written_where_it_must_not(void)
{
	run_threads();
	EXPECT_EQ(seen.after_end, 0);
	EXPECT_EQ(seen.two_writers, 0);
	EXPECT_EQ(seen.overrun, 0);
	EXPECT_EQ(seen.owner_lost, 0);
	EXPECT_EQ(seen.wrong_claim, 0);
}

static void every_call_ends_once(void)
{
	EXPECT_EQ(seen.ended_twice, 0);
	EXPECT_EQ(seen.cancelled_filler, seen.released);
	EXPECT_EQ(conn.nfree, NSLOTS);
	EXPECT_EQ(conn.win.flight, 0);
	EXPECT_EQ(conn.waiting_since, EBPFS_NEVER);
}

static void need_is_answered_once(void)
{
	EXPECT_EQ(seen.needed_twice, 0);
	EXPECT_EQ(seen.wrong_need, 0);
}

static void replies_are_those_of_one_execution(void)
{
	EXPECT_EQ(seen.wrong_data, 0);
	EXPECT_EQ(seen.wrong_call, 0);
}

/* A run that came to no end or missed a path has shown nothing. */
static void all_paths_were_taken(void)
{
	unsigned int i;

	EXPECT(all_seen());
	for (i = 0; i < EBPFS_VERDICTS; i++)
		if (!EXPECT(seen.verdicts[i] > 0))
			printf("# verdict %u\n", i);
	EXPECT(seen.completed >= COMPLETED_MIN);
	EXPECT(seen.errors > 0);
	EXPECT(seen.taken_over > 0);
	EXPECT(seen.corrupt > 0);
	EXPECT(seen.runs > 0);
	EXPECT(seen.runs_part > 0);
	EXPECT(seen.runs_bad > 0);
	EXPECT(seen.runs_completed > 0);
	EXPECT(seen.runs_released > 0);
	EXPECT(seen.retransmitted > 0);
	EXPECT(seen.cancelled_now > 0);
	EXPECT(seen.cancelled_filler > 0);
	EXPECT(seen.cancelled_late > 0);
	EXPECT(seen.window_full > 0);
	EXPECT(seen.needs_answered > 0);
	printf("# %llu whole replies, %llu corrupt fragments, ",
	       (unsigned long long)seen.completed, (unsigned long long)seen.corrupt);
	printf("%llu calls cancelled while being filled, %llu sent again, ",
	       (unsigned long long)seen.released, (unsigned long long)seen.retransmitted);
	printf("%llu requests for data answered, ", (unsigned long long)seen.needs_answered);
	printf("%llu runs, %llu in part, %llu partly bad, %llu completed, %llu cancelled\n",
	       (unsigned long long)seen.runs, (unsigned long long)seen.runs_part,
	       (unsigned long long)seen.runs_bad, (unsigned long long)seen.runs_completed,
	       (unsigned long long)seen.runs_released);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(nothing_is_written_where_it_must_not),
	KTAP_TEST(every_call_ends_once),
	KTAP_TEST(need_is_answered_once),
	KTAP_TEST(replies_are_those_of_one_execution),
	KTAP_TEST(all_paths_were_taken),
};

int main(int argc, char **argv)
{
	const struct tsan_options o = tsan_begin("tsan_claim", argc, argv);

	seed = o.seed;
	seconds = o.seconds;
	ebpfs_conn_init(&conn, slots, NSLOTS, 0, now_ns());
	return KTAP_MAIN(tests, 1, argv);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes that a file's times do not show.
 *
 * The change attribute is made of what statx(2) tells (ops.c, the *raw* one), above all
 * of ctime. Many filesystems' clocks tick every few milliseconds, some every second: of
 * two changes within a tick the second leaves all of that as it was, or as it was before
 * the first. So changes made through this daemon are counted where ctime did not move,
 * in a table of bounded size; a number, the *token*, is mixed into the raw value.
 *
 * What is promised, as long as the clock is not set back: two states of a file that differ
 * by a change made here never have the same value, be they of one tick, before and after
 * the table had no room, a restart, or of another server; without a change the value stays,
 * but for those three, when it may be another once. Two hashes being equal by chance is
 * left out of account.
 *
 * The token of a file with ctime T is
 *	a count, if the table has one for the file and T: each is given once;
 *	the life's random number, if T is after the set's horizon: no count was made for
 *	T, or it is in the table;
 *	otherwise the set's salt, at first 0: a count may have been lost. It is a state that
 *	nothing follows within T, since T was over when the horizon passed it; where that is
 *	not sure, or T was behind the horizon before, the set gets a new salt.
 * The horizon begins TICK_MOST before the start, as a former life's counts are lost, and
 * moves to the ctime of what has to leave the table. So who asked in a former life, or
 * another server, has another value for anything young. Counts begin at the life's number.
 *
 * Who asks while a change is made sees the file in between: the kernel moves ctime before
 * it copies the data. Nobody waits for that. Data read before the change must not stay
 * with a client under the value of after it, and there are two ways to that. If ctime has
 * moved already and nothing would be counted, the value is that of after the change, and
 * old data may still be read: so who asks while a change runs leaves a mark, and that
 * change is counted in any case: the value seen in between is nobody's for good. If ctime
 * does not move, the value is the old one until the change is counted, when it is done. New
 * data under an old value only cost another READ. A mark that comes too late to be seen
 * does no harm: then the answer leaves after the change, so what is read upon it is new,
 * and what was read before was under an older value. Changes that overlap are counted too,
 * since each may have seen the other's ctime as its own before; those of one file's data
 * and of one directory's names do not (files_lock(), hold_begin()).
 *
 * A file is its device and its inode number, not a handle: exports of one filesystem share
 * it. An inode number's next file may inherit a count, which does no harm.
 *
 * One table for the process. Any thread; nothing here waits but for a few instructions of
 * another thread. Looking writes nothing, unless a change runs in the same set.
 */
#ifndef EBPFSD_TICK_H
#define EBPFSD_TICK_H

#include "core/platform.h"

#ifndef TICK_SETS
#define TICK_SETS	16384	/* a power of 2 */
#endif
#define TICK_WAYS	4	/* files in a set */
#define TICK_MOST	(2 * EBPFS_NSEC_PER_SEC)	/* of a filesystem's clock */

/**
 * struct tick_change - a change that runs
 * @id: of the file, as in the table
 * @begun: its set's number of it
 * @shared: others ran when it began
 */
struct tick_change {
	u64 id;
	u32 begun;
	bool shared;
};

/* At the start, by one thread. 0 or -errno. */
int tick_start(void);

/**
 * tick_value() - the change attribute of a file as somebody sees it
 * @dev: its device
 * @ino: its number
 * @ctime: ns, looked at before this is called
 * @raw: change attribute as statx() told at the same time
 */
u64 tick_value(u64 dev, u64 ino, u64 ctime, u64 raw);

/* Before the file is looked at that is to be changed; ended by tick_end(). */
void tick_begin(struct tick_change *c, u64 dev, u64 ino);

/* Was no change of the file, or of others in its set, begun or running between @last, which
 * has ended, and @c? */
bool tick_next(const struct tick_change *c, const struct tick_change *last);

/* The same as tick_value(), for who changes it: what was before. */
u64 tick_before(const struct tick_change *c, u64 ctime, u64 raw);

/**
 * tick_end() - a change was made, or not
 * @c: from tick_begin()
 * @changed: may anything have changed?
 * @before: ctime in ns as it was between tick_begin() and the change; @after, if nobody has
 *	looked, so that it is counted
 * @after: ctime as it is
 * @raw: change attribute as statx() told together with @after
 *
 * Return: the change attribute after it.
 */
u64 tick_end(struct tick_change *c, bool changed, u64 before, u64 after, u64 raw);

#endif /* EBPFSD_TICK_H */

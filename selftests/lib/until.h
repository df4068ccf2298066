/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For how long a program works: so many seconds, or until a file is there, which a script
 * makes when it has seen enough. And how long the longest of what it did meanwhile took: it
 * asks after each thing whether it is over.
 */
#ifndef SELFTESTS_UNTIL_H
#define SELFTESTS_UNTIL_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/**
 * struct until - an end
 * @file: its path, or NULL
 * @at: seconds of a clock that goes on, if there is no @file
 */
struct until {
	const char *file;
	time_t at;
};

static unsigned long until_longest;	/* ms between two times of asking, in one thread */
static unsigned long until_from;	/* the first of these two, ms after the first of all */

static inline time_t until_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static inline void until_note(void)
{
	static __thread unsigned long last;
	static unsigned long begun;
	struct timespec t;
	unsigned long now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (unsigned long)t.tv_sec * 1000 + (unsigned long)t.tv_nsec / 1000000;
	if (!__atomic_load_n(&begun, __ATOMIC_RELAXED))
		__atomic_store_n(&begun, now, __ATOMIC_RELAXED);
	if (last && now - last > __atomic_load_n(&until_longest, __ATOMIC_RELAXED)) {
		__atomic_store_n(&until_longest, now - last, __ATOMIC_RELAXED);
		__atomic_store_n(&until_from, last - begun, __ATOMIC_RELAXED);
	}
	last = now;
}

/* A number of seconds from now, or a path with a slash. */
static inline struct until until_parse(const char *text)
{
	struct until u = { 0 };

	if (strchr(text, '/'))
		u.file = text;
	else
		u.at = until_now() + (time_t)strtoull(text, NULL, 0);
	return u;
}

static inline bool until_over(const struct until *u)
{
	until_note();
	return u->file ? !access(u->file, F_OK) : until_now() >= u->at;
}

#endif /* SELFTESTS_UNTIL_H */

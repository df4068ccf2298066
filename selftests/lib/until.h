/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For how long a program works: so many seconds, or until a file is there, which a script
 * makes when it has seen enough.
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

static inline time_t until_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
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
	return u->file ? !access(u->file, F_OK) : until_now() >= u->at;
}

#endif /* SELFTESTS_UNTIL_H */

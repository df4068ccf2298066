/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lines for the administrator, on stderr, one write(2) each so that threads do
 * not mix theirs. Under systemd each line carries its syslog priority.
 *
 * What a peer on the network can cause is logged through the *_limited macros
 * only, so that nobody fills a disk from outside.
 */
#ifndef EBPFSD_LOG_H
#define EBPFSD_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_VERBOSE,	/* only with -v */
};

/**
 * struct log_limit - one place's share of the log; zero it before use
 * @window: when the running window began, s of CLOCK_MONOTONIC plus 1
 * @lines: written in the window
 * @held: not written since the last line that was
 */
struct log_limit {
	uint64_t window;
	uint32_t lines;
	uint32_t held;
};

#define LOG_LIMIT_LINES		5	/* per place and window */
#define LOG_LIMIT_WINDOW	10	/* seconds */

void log_set_verbose(bool verbose);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Like log_line(), but at most LOG_LIMIT_LINES in LOG_LIMIT_WINDOW per @limit. Any thread. */
void log_line_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Would a line of at most 4096 bytes be written to @fd without waiting? */
bool log_writable(int fd);

/**
 * log_quote() - bytes from the network, made harmless for a terminal
 * @out: receives a NUL terminated string
 * @size: bytes at @out, at least 1
 * @bytes: may hold anything
 * @len: at most so many of them, less if a NUL comes
 *
 * Return: @out
 */
const char *log_quote(char *out, size_t size, const void *bytes, size_t len);

#define log_error(...)		log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...)	log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)		log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_verbose(...)	log_line(LOG_LEVEL_VERBOSE, __VA_ARGS__)

#define log_limited(level, ...)						\
	do {								\
		static struct log_limit here;				\
		log_line_limited(&here, level, __VA_ARGS__);		\
	} while (0)
#define log_warning_limited(...)	log_limited(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info_limited(...)		log_limited(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_verbose_limited(...)	log_limited(LOG_LEVEL_VERBOSE, __VA_ARGS__)

#endif /* EBPFSD_LOG_H */

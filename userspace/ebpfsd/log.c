// SPDX-License-Identifier: GPL-2.0
/*
 * The log: formatting and rate limits.
 *
 * Any thread, any time after main() has begun. Limits are kept with relaxed
 * atomics: under a race a line too many or too few is written, no more.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static bool verbose_on;

void log_set_verbose(bool verbose)
{
	verbose_on = verbose;
}

bool log_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	/* A pipe that says so takes PIPE_BUF bytes, which is more than a line. */
	return poll(&p, 1, 0) == 1 && p.revents & POLLOUT;
}

static void write_line(enum log_level level, const char *note, const char *fmt, va_list ap)
{
	static const struct {
		int syslog;
		const char *word;
	} levels[] = {
		[LOG_LEVEL_ERROR]	= { 3, "error: " },
		[LOG_LEVEL_WARNING]	= { 4, "warning: " },
		[LOG_LEVEL_INFO]	= { 6, "" },
		[LOG_LEVEL_VERBOSE]	= { 7, "" },
	};
	char line[1024];
	size_t len = 0;
	ssize_t done;
	int n;

	if (getenv("JOURNAL_STREAM"))
		len = snprintf(line, sizeof(line), "<%d>", levels[level].syslog);
	len += snprintf(line + len, sizeof(line) - len, "ebpfsd: %s", levels[level].word);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	if (n > 0)
		len += (size_t)n < sizeof(line) - len - 1 ? (size_t)n : sizeof(line) - len - 2;
	n = snprintf(line + len, sizeof(line) - len - 1, "%s", note);
	if (n > 0)
		len += (size_t)n < sizeof(line) - len - 1 ? (size_t)n : sizeof(line) - len - 2;
	line[len++] = '\n';
	/* A log that nobody reads or that cannot be written is no reason to stop serving. */
	if (log_writable(STDERR_FILENO)) {
		done = write(STDERR_FILENO, line, len);
		(void)done;
	}
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level == LOG_LEVEL_VERBOSE && !verbose_on)
		return;
	va_start(ap, fmt);
	write_line(level, "", fmt, ap);
	va_end(ap);
}

void log_line_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	struct timespec now;
	uint64_t second, window;
	char note[64] = "";
	uint32_t held;
	va_list ap;

	if (level == LOG_LEVEL_VERBOSE && !verbose_on)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	second = now.tv_sec + 1;
	window = __atomic_load_n(&limit->window, __ATOMIC_RELAXED);
	if (!window || second - window >= LOG_LIMIT_WINDOW) {
		__atomic_store_n(&limit->window, second, __ATOMIC_RELAXED);
		__atomic_store_n(&limit->lines, 0, __ATOMIC_RELAXED);
	}
	if (__atomic_fetch_add(&limit->lines, 1, __ATOMIC_RELAXED) >= LOG_LIMIT_LINES) {
		__atomic_fetch_add(&limit->held, 1, __ATOMIC_RELAXED);
		return;
	}
	held = __atomic_exchange_n(&limit->held, 0, __ATOMIC_RELAXED);
	if (held)
		snprintf(note, sizeof(note), " (%u such lines held back)", held);
	va_start(ap, fmt);
	write_line(level, note, fmt, ap);
	va_end(ap);
}

const char *log_quote(char *out, size_t size, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t n = 0;

	while (len-- && *p && n + 5 <= size) {
		if (*p > ' ' && *p < 0x7f && *p != '\\')
			out[n++] = (char)*p;
		else
			n += snprintf(out + n, size - n, "\\x%02x", *p);
		p++;
	}
	out[n] = '\0';
	return out;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What ebpfsctl's main.c gives the rest of it; see ctl.h. ebpfsctl is compiled with
 * fuzz_free() for free() (ctl.mk).
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/ctl.h"
#include "fuzz/must.h"

bool ctl_json, ctl_verbose, fuzz_complained;
const char *ctl_name = "fuzz";

static void **live;
static size_t nlive, room;

static void *keep(void *p)
{
	MUST(p);
	if (nlive == room) {
		room = room ? room * 2 : 64;
		live = realloc(live, room * sizeof(*live));
		MUST(live);
	}
	live[nlive++] = p;
	return p;
}

void fuzz_free(void *p);
void fuzz_free(void *p)
{
	/* What is freed is mostly young. */
	for (size_t i = nlive; i--;) {
		if (live[i] == p) {
			live[i] = live[--nlive];
			break;
		}
	}
	free(p);
}

void fuzz_ctl_begin(void)
{
	fuzz_complained = false;
	ctl_verbose = true;
}

void fuzz_ctl_end(void)
{
	while (nlive)
		free(live[--nlive]);
}

/* Formatted, for the sanitizers to look at, and dropped. */
static void say(const char *format, va_list ap)
{
	char text[512];

	MUST(vsnprintf(text, sizeof(text), format, ap) >= 0);
}

void ctl_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	fuzz_complained = true;
}

void ctl_debug(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
}

void *ctl_grow(void *array, size_t count, size_t size)
{
	char *bigger = keep(calloc(count + 1, size));

	if (count)
		memcpy(bigger, array, count * size);
	fuzz_free(array);
	return bigger;
}

char *ctl_strdup(const char *text)
{
	return keep(strdup(text));
}

char *ctl_format(const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	MUST(vasprintf(&text, format, ap) >= 0);
	va_end(ap);
	return keep(text);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What happened last, and the end of a world in which something is wrong.
 *
 * Events are kept as a format and its integers; text is made of them when a
 * seed fails, or at once with --trace. Both tell the same lines.
 */
#include <stdarg.h>
#include <stdio.h>

#include "sim.h"

static void line_print(const struct trace_line *l)
{
	printf("# %7lu %4lu.%09lu  ", l->step, l->now / SEC, l->now % SEC);
	printf(l->fmt, l->arg[0], l->arg[1], l->arg[2], l->arg[3], l->arg[4], l->arg[5]);
	putchar('\n');
}

void trace_add(struct world *w, const char *fmt, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct trace_line *l = &w->trace[w->ntrace++ % SIM_TRACE];

	*l = (struct trace_line){
		.step = w->step, .now = w->now, .fmt = fmt, .arg = { a, b, c, d, e, f },
	};
	if (w->verbose)
		line_print(l);
}

void trace_print(const struct world *w)
{
	u64 i = w->ntrace > SIM_TRACE ? w->ntrace - SIM_TRACE : 0;

	if (w->verbose)
		return;		/* they have been told */
	printf("# the last events (step, virtual seconds):\n");
	for (; i < w->ntrace; i++)
		line_print(&w->trace[i % SIM_TRACE]);
}

void violate(struct world *w, const char *invariant, const char *fmt, ...)
{
	va_list args;

	trace_print(w);
	printf("# FAILED seed %lu step %lu time %lu.%09lu s\n", w->seed, w->step, w->now / SEC,
	       w->now % SEC);
	printf("# invariant: %s\n# found: ", invariant);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n# to see all of it: sim --seed %lu --trace\n", w->seed);
	fflush(stdout);
	longjmp(w->fail, 1);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl stats: counters of the module, by netlink, and of the programs, which
 * are mapped into memory once and then read without a system call.
 *
 * With --watch, interfaces that get a program later are not seen.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/netlink.h"
#include "ebpfsctl/pins.h"

static const char help[] =
	"usage: ebpfsctl stats [OPTION...]\n"
	"\n"
	"Prints the counters of the module since it was loaded, and of the steering\n"
	"programs of all interfaces since they were attached. What each counts is told\n"
	"in ebpfsctl(8).\n"
	"\n"
	"  -w, --watch            go on: rates since the sample before (JSON: totals, one\n"
	"                         line per sample)\n"
	"  -i, --interval SECONDS between samples (default 1)\n"
	"  -c, --count N          end after N samples\n"
	"  -p, --programs         only the programs' counters: no system call per sample\n"
	"  -j, --json             print JSON\n"
	"  -v, --verbose          say more\n"
	"  -h, --help             this text\n";

/**
 * struct source - where samples come from
 * @module: ask the module
 * @counters: of the programs, by interface
 * @pins: their interfaces
 * @count: how many
 */
struct source {
	bool module;
	struct counters *counters;
	struct pin *pins;
	size_t count;
};

/**
 * struct sample - all counters at one time
 * @time: CLOCK_MONOTONIC, seconds
 * @programs: sum over all interfaces
 * @module: the module's
 */
struct sample {
	double time;
	struct ebpfs_steer_row programs;
	struct nl_stats module;
};

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* False if it is not all of it. */
static bool open_source(struct source *source)
{
	size_t pins;
	bool good = pins_list(&source->pins, &pins);

	for (size_t i = 0; i < pins; i++) {
		source->counters = ctl_grow(source->counters, source->count,
					    sizeof(*source->counters));
		if (!counters_map(&source->pins[i], &source->counters[source->count]))
			continue;
		source->pins[source->count++] = source->pins[i];
	}
	return good;
}

static bool take_sample(const struct source *source, struct sample *sample)
{
	memset(&sample->programs, 0, sizeof(sample->programs));
	sample->time = now(CLOCK_MONOTONIC);
	for (size_t i = 0; i < source->count; i++) {
		struct ebpfs_steer_row sum;

		counters_sum(&source->counters[i], &sum);
		for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
			sample->programs.packets[v] += sum.packets[v];
		sample->programs.bytes += sum.bytes;
		sample->programs.errors += sum.errors;
	}
	return !source->module || nl_module_stats(&sample->module);
}

static struct json_object *row_json(const struct ebpfs_steer_row *row)
{
	struct json_object *out = json_object_new_object();

	for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
		json_add_u64(out, verdict_names[v], row->packets[v]);
	json_add_u64(out, "bytes", row->bytes);
	json_add_u64(out, "errors", row->errors);
	return out;
}

static struct json_object *sample_json(const struct source *source, const struct sample *sample)
{
	struct json_object *out = json_object_new_object(), *list;
	double share = nl_steered_share(&sample->module);

	json_add_double(out, "time", now(CLOCK_REALTIME));
	if (source->module) {
		json_object_object_add(out, "module", nl_stats_json(&sample->module));
		if (share >= 0)
			json_add_double(out, "steered_share", share);
		else
			json_object_object_add(out, "steered_share", NULL);
	}
	json_object_object_add(out, "programs", row_json(&sample->programs));
	list = json_object_new_array();
	for (size_t i = 0; i < source->count; i++) {
		struct ebpfs_steer_row sum;
		struct json_object *one;

		counters_sum(&source->counters[i], &sum);
		one = row_json(&sum);
		json_add_u64(one, "netns", source->pins[i].netns);
		json_add_u64(one, "ifindex", source->pins[i].ifindex);
		json_object_array_add(list, one);
	}
	json_object_object_add(out, "interfaces", list);
	return out;
}

static void sample_text(const struct source *source, const struct sample *sample)
{
	char text[TEXT_SIZE];

	if (source->module) {
		printf("module\n");
		for (size_t i = 0; i < sample->module.count; i++)
			printf("    %-20s %" PRIu64 "\n", sample->module.at[i].name,
			       sample->module.at[i].value);
		printf("    %-20s %s\n", "(steered share)",
		       text_share(text, nl_steered_share(&sample->module)));
	}
	printf("programs on %zu interfaces\n", source->count);
	for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
		printf("    %-20s %llu\n", verdict_names[v], sample->programs.packets[v]);
	printf("    %-20s %llu\n", "bytes", sample->programs.bytes);
	printf("    %-20s %llu\n", "errors", sample->programs.errors);
}

static uint64_t passed(const struct ebpfs_steer_row *row)
{
	uint64_t sum = 0;

	for (int v = VERDICTS_TAKEN; v < EBPFS_STEER_DROP_FORM; v++)
		sum += row->packets[v];
	return sum;
}

static char *rate(char *text, uint64_t after, uint64_t before, double seconds, bool bytes)
{
	/* Counters of interfaces that went away may fall. */
	double value = after > before && seconds > 0 ? (after - before) / seconds : 0;

	if (bytes)
		return text_bytes(text, value);
	snprintf(text, TEXT_SIZE, "%.0f", value);
	return text;
}

static void rates_text(const struct source *source, const struct sample *before,
		       const struct sample *after, unsigned long line)
{
	const struct ebpfs_steer_row *old = &before->programs, *new = &after->programs;
	double seconds = after->time - before->time;
	char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE], d[TEXT_SIZE];

	if (line % 20 == 0) {
		printf("%12s %12s %12s", "STEERED/s", "BYTES/s", "PASSED/s");
		if (source->module)
			printf(" %12s %12s %12s %12s", "PLAIN B/s", "CALLS/s", "RESENT/s",
			       "READ B/s");
		putchar('\n');
	}
	printf("%12s %12s %12s",
	       rate(a, new->packets[EBPFS_STEER_FILLED], old->packets[EBPFS_STEER_FILLED],
		    seconds, false),
	       rate(b, new->bytes, old->bytes, seconds, true),
	       rate(c, passed(new), passed(old), seconds, false));
	if (source->module)
		printf(" %12s %12s %12s %12s",
		       rate(a, nl_stat(&after->module, "fill_bytes_plain"),
			    nl_stat(&before->module, "fill_bytes_plain"), seconds, true),
		       rate(b, nl_stat(&after->module, "calls"),
			    nl_stat(&before->module, "calls"), seconds, false),
		       rate(c, nl_stat(&after->module, "calls_resent"),
			    nl_stat(&before->module, "calls_resent"), seconds, false),
		       rate(d, nl_stat(&after->module, "read_bytes"),
			    nl_stat(&before->module, "read_bytes"), seconds, true));
	putchar('\n');
}

static int watch(const struct source *source, double interval, unsigned long count)
{
	struct timespec pause = {
		.tv_sec = interval,
		.tv_nsec = (interval - (time_t)interval) * 1e9,
	};
	/* Each keeps its memory, so they are used in turns. */
	struct sample samples[2] = {};

	if (!ctl_json && !take_sample(source, &samples[1]))
		return EXIT_FAILURE;
	for (unsigned long n = 0; !count || n < count; n++) {
		struct sample *sample = &samples[n % 2];

		if (n || !ctl_json)
			nanosleep(&pause, NULL);
		if (!take_sample(source, sample))
			return EXIT_FAILURE;
		if (ctl_json)
			json_line(sample_json(source, sample));
		else
			rates_text(source, &samples[!(n % 2)], sample, n);
		fflush(stdout);
		if (ferror(stdout))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "watch", no_argument, NULL, 'w' },
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'c' },
		{ "programs", no_argument, NULL, 'p' },
		CTL_LONG
	};
	struct source source = { .module = true };
	struct sample sample = {};
	unsigned long count = 0;
	bool watching = false, good;
	double interval = 1;
	int opt, status;
	char *end;

	while ((opt = getopt_long(argc, argv, "wi:c:p" CTL_SHORT, options, NULL)) >= 0) {
		switch (opt) {
		case 'w':
			watching = true;
			break;
		case 'i':
			interval = strtod(optarg, &end);
			if (*end || end == optarg || !(interval >= 0.001 && interval <= 86400))
				return ctl_usage(cmd, "'%s' is not a number of seconds from 0.001 "
						 "to 86400", optarg);
			break;
		case 'c':
			count = strtoul(optarg, &end, 10);
			if (*end || end == optarg || !count)
				return ctl_usage(cmd, "'%s' is not a number of samples", optarg);
			break;
		case 'p':
			source.module = false;
			break;
		default:
			status = ctl_option(cmd, opt);
			if (status >= 0)
				return status;
		}
	}
	if (optind != argc)
		return ctl_usage(cmd, "unexpected argument '%s'", argv[optind]);
	if (source.module && !nl_open(true))
		return EXIT_FAILURE;
	good = open_source(&source);
	if (watching) {
		status = watch(&source, interval, count);
		return good ? status : EXIT_FAILURE;
	}
	if (!take_sample(&source, &sample))
		return EXIT_FAILURE;
	if (ctl_json)
		json_print(sample_json(&source, &sample));
	else
		sample_text(&source, &sample);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command cmd_stats = {
	.name = "stats",
	.summary = "counters of the module and the programs",
	.help = help,
	.run = run,
};

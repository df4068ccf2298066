/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line of tests with threads: [--seed N] [--seconds N]. What they draw at
 * random is repeated by the seed, what the scheduler does is not.
 */
#ifndef EBPFS_SELFTESTS_TSAN_H
#define EBPFS_SELFTESTS_TSAN_H

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/platform.h"

/**
 * struct tsan_options - what was asked for
 * @seed: drawn if it was not given; already printed
 * @seconds: how long
 */
struct tsan_options {
	u64 seed;
	unsigned int seconds;
};

static u64 tsan_number(const char *test, const char *name, const char *text)
{
	char *end;
	u64 value = strtoull(text, &end, 0);

	if (!*text || *end) {
		fprintf(stderr, "%s: --%s '%s' is not a number\n", test, name, text);
		exit(2);
	}
	return value;
}

/* Ends the process if the command line is wrong. */
static struct tsan_options tsan_begin(const char *test, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct tsan_options o = { .seconds = 5 };
	int opt;

	o.seed = (u64)time(NULL) ^ (u64)getpid() << 8;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			o.seed = tsan_number(test, "seed", optarg);
			break;
		case 't':
			o.seconds = (unsigned int)tsan_number(test, "seconds", optarg);
			break;
		default:
			fprintf(stderr, "usage: %s [--seed N] [--seconds N]\n", test);
			exit(2);
		}
	}
	printf("# seed %llu; again with --seed %llu\n", (unsigned long long)o.seed,
	       (unsigned long long)o.seed);
	return o;
}

#endif /* EBPFS_SELFTESTS_TSAN_H */

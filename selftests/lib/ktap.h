/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests in C that run in user space and report in KTAP
 * (https://docs.kernel.org/dev-tools/ktap.html).
 *
 * A test program has a table of tests and gives it to ktap_main():
 *
 *	static void take_gives_lowest(void) { EXPECT_EQ(f(1), 2); }
 *	static const struct ktap_test tests[] = { KTAP_TEST(take_gives_lowest) };
 *	int main(int argc, char **argv) { return KTAP_MAIN(tests, argc, argv); }
 *
 * EXPECT* note a failure, with place and values, and go on; ASSERT* return from
 * the function they stand in, which must return void (a helper's caller goes
 * on). Single threaded: only the thread that runs the test may use them. With
 * arguments only the tests that they name are run.
 */
#ifndef EBPFS_SELFTESTS_KTAP_H
#define EBPFS_SELFTESTS_KTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/**
 * struct ktap_test - one test
 * @name: as reported
 * @run: the test
 */
struct ktap_test {
	const char *name;
	void (*run)(void);
};

#define KTAP_TEST(function)	{ #function, function }
#define KTAP_MAIN(tests, argc, argv) \
	ktap_main(tests, sizeof(tests) / sizeof((tests)[0]), argc, argv)

/* kselftest's exit codes */
#define KTAP_EXIT_PASS	0
#define KTAP_EXIT_FAIL	1
#define KTAP_EXIT_SKIP	4

#define KTAP_SHOWN_MAX	20	/* failures of one test that are printed */

static struct {
	unsigned int failures;
	const char *skipped;
} ktap;

/* Notes a failure of the test that runs; true if it should be printed. */
static inline bool ktap_fail(void)
{
	return ++ktap.failures <= KTAP_SHOWN_MAX;
}

static inline bool ktap_check(bool ok, const char *file, int line, const char *what)
{
	if (!ok && ktap_fail())
		printf("# %s:%d: expected %s\n", file, line, what);
	return ok;
}

static inline bool ktap_equal(unsigned long long a, unsigned long long b, const char *file,
			      int line, const char *what_a, const char *what_b)
{
	if (a != b && ktap_fail())
		printf("# %s:%d: %s is %llu (0x%llx), expected %s, %llu (0x%llx)\n",
		       file, line, what_a, a, a, what_b, b, b);
	return a == b;
}

static inline bool ktap_memory(const void *a, const void *b, size_t len, const char *file,
			       int line, const char *what_a, const char *what_b)
{
	const unsigned char *x = a, *y = b;
	size_t i;

	for (i = 0; i < len; i++) {
		if (x[i] == y[i])
			continue;
		if (ktap_fail())
			printf("# %s:%d: %s and %s differ at byte %zu of %zu: 0x%02x, 0x%02x\n",
			       file, line, what_a, what_b, i, len, x[i], y[i]);
		return false;
	}
	return true;
}

#define EXPECT(cond)		ktap_check(!!(cond), __FILE__, __LINE__, #cond)
#define EXPECT_EQ(a, b) \
	ktap_equal((unsigned long long)(a), (unsigned long long)(b), __FILE__, __LINE__, #a, #b)
#define EXPECT_MEM(a, b, len)	ktap_memory(a, b, len, __FILE__, __LINE__, #a, #b)

#define ASSERT(cond)		do { if (!EXPECT(cond)) return; } while (0)
#define ASSERT_EQ(a, b)		do { if (!EXPECT_EQ(a, b)) return; } while (0)
#define ASSERT_MEM(a, b, len)	do { if (!EXPECT_MEM(a, b, len)) return; } while (0)

/* The test cannot run here. @why: what is missing. */
#define SKIP(why)		do { ktap.skipped = (why); return; } while (0)

static inline bool ktap_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

/**
 * ktap_main() - run tests and report
 * @tests: table
 * @n: how many
 * @argc: of main()
 * @argv: of main(); names of tests to be run, none for all
 *
 * Return: the process's exit code.
 */
static inline int ktap_main(const struct ktap_test *tests, size_t n, int argc, char **argv)
{
	size_t i, failed = 0, skipped = 0, chosen = 0, number = 0;

	for (i = 0; i < n; i++)
		chosen += ktap_wanted(tests[i].name, argc, argv);
	if (!chosen) {
		fprintf(stderr, "%s: no test of that name; it has:\n", argv[0]);
		for (i = 0; i < n; i++)
			fprintf(stderr, "  %s\n", tests[i].name);
		return KTAP_EXIT_FAIL;
	}

	printf("KTAP version 1\n1..%zu\n", chosen);
	for (i = 0; i < n; i++) {
		if (!ktap_wanted(tests[i].name, argc, argv))
			continue;
		ktap.failures = 0;
		ktap.skipped = NULL;
		tests[i].run();
		number++;
		if (ktap.failures > KTAP_SHOWN_MAX)
			printf("# %u further failures\n", ktap.failures - KTAP_SHOWN_MAX);
		if (ktap.failures) {
			failed++;
			printf("not ok %zu %s\n", number, tests[i].name);
		} else if (ktap.skipped) {
			skipped++;
			printf("ok %zu %s # SKIP %s\n", number, tests[i].name, ktap.skipped);
		} else {
			printf("ok %zu %s\n", number, tests[i].name);
		}
		fflush(stdout);
	}
	if (failed)
		return KTAP_EXIT_FAIL;
	return skipped == chosen ? KTAP_EXIT_SKIP : KTAP_EXIT_PASS;
}

#endif /* EBPFS_SELFTESTS_KTAP_H */

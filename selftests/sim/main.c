// SPDX-License-Identifier: GPL-2.0
/*
 * The simulator's command line: many seeds in several processes, or one seed
 * told event by event. Speaks KTAP.
 *
 * A child runs every n-th seed and keeps its counters in memory that the
 * parent shares, so that a seed that crashes or hangs the child is known too.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "held.h"

#define JOBS_MAX	64
#define HANG_SECONDS	30	/* of computing, for 64 seeds */
#define COVER_SEEDS	5000	/* so many seeds have to have met everything */

static const struct {
	const char *name;
	const char *text;
} counters[C_MAX] = {
#define X(name, text) [C_##name] = { #name, text },
	SIM_COUNTERS(X)
#undef X
};

/**
 * struct job - what a child tells
 * @seed: the one it runs
 * @done: seeds without a fault
 * @steps: events of all seeds
 * @slowest: longest time from healing to an answer, ns
 * @failed: @seed violated an invariant
 * @count: as in struct world
 */
struct job {
	volatile u64 seed;
	u64 done;
	u64 steps;
	u64 slowest;
	bool failed;
	u64 count[C_MAX];
};

struct options {
	u64 seeds;
	u64 first;
	u32 jobs;
	bool single;
	bool trace;
	bool verbose;
	bool outside;
	bool held;
	const char *fault;
};

static struct world *the_world;

/* One world of a seed. Return: false if an invariant was violated; it was told. */
static bool run_world(struct job *job, u64 seed, const struct options *o, bool held)
{
	struct world *w = the_world;
	struct event_heap heap = w->heap;
	struct arena arena = w->arena;
	volatile bool ok = false;
	u32 i;

	memset(w, 0, sizeof(*w));
	w->heap = heap;
	w->heap.n = 0;
	w->arena = arena;
	w->seed = seed;
	w->rng = seed * 0xd1342543de82ef95ull + held;
	w->verbose = o->trace;
	w->outside = o->outside;
	if (!setjmp(w->fail)) {
		if (held)
			held_run(w);
		else
			world_run(w);
		ok = true;
	}
	arena_reset(w);
	job->steps += w->step;
	if (!held && w->slowest > job->slowest)
		job->slowest = w->slowest;
	for (i = 0; i < C_MAX; i++)
		job->count[i] += w->count[i];
	return ok;
}

/* One seed: a world of the transport, and one about what is held. */
static bool run_seed(struct job *job, u64 seed, const struct options *o)
{
	job->seed = seed;
	return run_world(job, seed, o, true) && (o->held || run_world(job, seed, o, false));
}

static void hang(int sig)
{
	(void)sig;
	abort();
}

static void child(const struct options *o, struct job *job, u32 index)
{
	struct itimerval watch = { .it_value.tv_sec = HANG_SECONDS };
	struct itimerval off = { 0 };
	u64 i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPROF, hang);
	for (i = index; i < o->seeds; i += o->jobs) {
		if (!(i / o->jobs % 64))	/* far cheaper than for each */
			setitimer(ITIMER_PROF, &watch, NULL);
		if (!run_seed(job, o->first + i, o)) {
			job->failed = true;
			break;
		}
		job->done++;
	}
	setitimer(ITIMER_PROF, &off, NULL);
	fflush(stdout);
	_exit(job->failed);
}

/* Waits for the children; the first that fails stops the others. */
static bool wait_all(const pid_t *pids, struct job *jobs, u32 n)
{
	bool ok = true;
	int status;
	pid_t pid;
	u32 i, j;

	while ((pid = wait(&status)) > 0) {
		for (i = 0; i < n && pids[i] != pid; i++)
			;
		if (i == n || (WIFEXITED(status) && !WEXITSTATUS(status)))
			continue;
		if (!ok)
			continue;	/* stopped by us */
		ok = false;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
			printf("# FAILED seed %lu: it hangs or was aborted\n", jobs[i].seed);
		else if (WIFSIGNALED(status))
			printf("# FAILED seed %lu: it ended by signal %d\n", jobs[i].seed,
			       WTERMSIG(status));
		else if (!jobs[i].failed)
			printf("# FAILED seed %lu: it ended with status %d\n", jobs[i].seed,
			       WEXITSTATUS(status));
		if (!jobs[i].failed)
			printf("# to see all of it: sim --seed %lu --trace\n", jobs[i].seed);
		for (j = 0; j < n; j++) {
			if (j != i)
				kill(pids[j], SIGKILL);
		}
	}
	return ok;
}

static void add_up(struct job *sum, const struct job *jobs, u32 n)
{
	u32 i, j;

	for (i = 0; i < n; i++) {
		sum->done += jobs[i].done;
		sum->steps += jobs[i].steps;
		if (jobs[i].slowest > sum->slowest)
			sum->slowest = jobs[i].slowest;
		for (j = 0; j < C_MAX; j++)
			sum->count[j] += jobs[i].count[j];
	}
}

/* Was everything met that the simulator says it tests? */
static bool covered(const struct job *sum, bool verbose)
{
	bool ok = true;
	u32 i;

	for (i = 0; i < C_MAX; i++) {
		if (verbose)
			printf("# %12lu %s\n", sum->count[i], counters[i].text);
		if (!sum->count[i]) {
			printf("# never: %s\n", counters[i].text);
			ok = false;
		}
	}
	return ok;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int run_many(const struct options *o)
{
	size_t size = sizeof(struct job) * JOBS_MAX;
	struct job *jobs, sum = { 0 };
	double begin = seconds(), time;
	pid_t pids[JOBS_MAX];
	bool ok, cover;
	u32 i;

	jobs = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (jobs == MAP_FAILED) {
		perror("sim: cannot get memory to share with the jobs");
		return 2;
	}
	printf("KTAP version 1\n1..2\n");
	fflush(stdout);
	for (i = 0; i < o->jobs; i++) {
		pids[i] = fork();
		if (pids[i] < 0) {
			perror("sim: cannot start a job (use fewer --jobs)");
			return 2;
		}
		if (!pids[i])
			child(o, &jobs[i], i);
	}
	ok = wait_all(pids, jobs, o->jobs);
	time = seconds() - begin;
	add_up(&sum, jobs, o->jobs);
	printf("# %lu seeds, %lu events in %.1f s: %.0f seeds a second\n", sum.done, sum.steps,
	       time, sum.done / time);
	printf("# the last answer came at most %.1f s after the network was healed\n",
	       sum.slowest / 1e9);
	printf("# %lu operations that must not be done twice, %lu kills between their steps\n",
	       sum.count[C_once_done], sum.count[C_once_kills]);
	printf("%s 1 - sim %lu seeds from %lu\n", ok ? "ok" : "not ok", o->seeds, o->first);
	if (!ok || o->held || sum.done < COVER_SEEDS) {
		if (o->verbose)
			covered(&sum, true);
		printf("ok 2 - every situation was met # SKIP %s\n",
		       !ok ? "a seed failed" : o->held ? "--held" : "too few seeds");
		return !ok;
	}
	cover = covered(&sum, o->verbose);
	printf("%s 2 - every situation was met\n", cover ? "ok" : "not ok");
	return !cover;
}

static int run_single(const struct options *o)
{
	static struct job job;
	bool ok;

	printf("KTAP version 1\n1..1\n");
	ok = run_seed(&job, o->first, o);
	printf("# %lu events\n%s 1 - sim seed %lu\n", job.steps, ok ? "ok" : "not ok", o->first);
	return !ok;
}

/* A core with a planted fault is another program: see ../mutants.sh. */
static int exec_fault(const char *self, const char *fault, char **argv)
{
	const char *slash = strrchr(self, '/');
	char path[4096];

	snprintf(path, sizeof(path), "%.*sfaults/%s/sim", slash ? (int)(slash - self + 1) : 0, self,
		 fault);
	execv(path, argv);
	fprintf(stderr, "sim: cannot run %s: build it with \"make -C selftests/sim faults\"; "
		"faults/*.patch are the names that there are\n", path);
	return 2;
}

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: sim [OPTIONS]\n"
		"Runs the transport's core in simulated worlds, one for each seed.\n"
		"  --seeds N     so many seeds (default 1000)\n"
		"  --first S     beginning with this one (default 1)\n"
		"  --jobs N      in so many processes (default 2)\n"
		"  --seed S      only this one\n"
		"  --trace       tell every event\n"
		"  --fault NAME  with this fault planted in the core (faults/NAME.patch)\n"
		"  --verbose     tell how often what was met\n"
		"  --outside     judge only what a user would see, not the core's own account\n"
		"  --held        only the worlds about what is held, not those of the transport\n"
		"  --help        this text\n");
}

static bool number(const char *text, u64 *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, 0);
	return !errno && *text && !*end;
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "seed", required_argument, NULL, 's' },
		{ "trace", no_argument, NULL, 't' },
		{ "fault", required_argument, NULL, 'F' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "outside", no_argument, NULL, 'o' },
		{ "held", no_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	u64 n = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (strchr("nfjs", c) && !number(optarg, &n)) {
			fprintf(stderr, "sim: \"%s\" is not a number\n", optarg);
			return false;
		}
		switch (c) {
		case 'n':
			o->seeds = n;
			break;
		case 'f':
			o->first = n;
			break;
		case 'j':
			o->jobs = n && n <= JOBS_MAX ? n : 1;
			break;
		case 's':
			o->first = n;
			o->single = true;
			break;
		case 't':
			o->trace = true;
			break;
		case 'F':
			o->fault = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'o':
			o->outside = true;
			break;
		case 'H':
			o->held = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			return false;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "sim: what is \"%s\"?\n", argv[optind]);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options o = { .seeds = 1000, .first = 1, .jobs = 2 };
	char **rest;
	int i, n = 1;

	if (!parse(argc, argv, &o))
		return 2;
	if (o.fault) {
		/* The other program gets all but the name of its fault. */
		rest = calloc(argc + 1, sizeof(*rest));
		if (!rest)
			return 2;
		rest[0] = argv[0];
		for (i = 1; i < argc; i++) {
			if (!strcmp(argv[i], "--fault"))
				i++;
			else if (strncmp(argv[i], "--fault=", 8))
				rest[n++] = argv[i];
		}
		return exec_fault(argv[0], o.fault, rest);
	}
	the_world = calloc(1, sizeof(*the_world));
	if (!the_world) {
		fprintf(stderr, "sim: no memory for a world\n");
		return 2;
	}
	return o.single ? run_single(&o) : run_many(&o);
}

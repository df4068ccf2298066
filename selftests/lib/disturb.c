// SPDX-License-Identifier: GPL-2.0
/*
 * disturb: a schedule of disturbances that depends on a number alone, and its carrying out.
 *
 * usage: disturb plan SEED SECONDS MODE [CGROUP]
 *	  disturb run LOG < PLAN
 *
 * plan prints lines of a time in milliseconds, a lane, and a command. Lanes go on beside
 * each other; within a lane a disturbance ends before the next one begins, and all have
 * ended at SECONDS. MODE is the steering that is gone back to, CGROUP the directory of a
 * control group whose memory gets scarce. The same arguments give the same plan.
 *
 * Of an odd SEED programs come and go, of an even one a processor: both make the kernel
 * change code of its own, and QEMU's emulation of that is only right where one processor
 * runs (selftests/lib/lib.sh), which the caller sees to.
 *
 * run starts each lane's commands at their times, by the clock that goes on, one process
 * per lane. Where the machine is too slow for that, a lane gets late, and its pauses
 * become short, but not shorter than SHORTEST. Commands are those of scripts/lab, but for
 *
 *	clock SECONDS		the clock of the day jumps
 *	put FILE TEXT		TEXT is written into a file of the kernel
 *
 * LOG gets a line for each: when it began and how long it took, in milliseconds. What
 * this kernel has no file for is logged as "cannot", and its end, too; exit status 1 if
 * anything else fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/platform.h"
#include "data.h"

#define LANES		10
#define LINES		4000
#define SHORTEST	1000	/* ms */
#define DROP		"put /proc/sys/vm/drop_caches"
#define PROCESSOR	"put /sys/devices/system/cpu/cpu1/online"

static u64 state;

static unsigned int from_to(unsigned int least, unsigned int most)
{
	return least + (unsigned int)(data_random(&state) % (most - least + 1));
}

#define ONE_OF(list)	((list)[from_to(0, sizeof(list) / sizeof((list)[0]) - 1)])

struct event {
	unsigned int at;	/* ms */
	unsigned int number;	/* of those of one time the first is done first */
	char lane[12];
	char command[160];
};

static struct event events[LINES];
static unsigned int nevents;

/* Where the lane that is being planned has got to, ms. */
static const char *lane;
static unsigned int at, end;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("disturb: ", stderr);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

static void __attribute__((format(printf, 1, 2))) plan(const char *fmt, ...)
{
	struct event *e = &events[nevents];
	va_list args;

	if (nevents == LINES)
		die("more than %d lines", LINES);
	e->at = at;
	e->number = nevents++;
	snprintf(e->lane, sizeof(e->lane), "%s", lane);
	va_start(args, fmt);
	vsnprintf(e->command, sizeof(e->command), fmt, args);
	va_end(args);
}

/*
 * Goes on in the lane by a pause. Is there room for a disturbance that takes so many
 * milliseconds at most, and for its end?
 */
static bool room(unsigned int least_pause, unsigned int most_pause, unsigned int takes)
{
	at += from_to(least_pause, most_pause);
	return at + takes <= end;
}

static void lane_begins(const char *name, u64 seed)
{
	/* What one lane does depends on no other. */
	state = seed;
	for (const char *c = name; *c; c++)
		state = data_mix(state) + (u8)*c;
	lane = name;
	at = 0;
}

/* Losing, repeating, reordering, corrupting, delaying; and partitions. */
static void plan_wire(u64 seed)
{
	static const char *const ways[] = { "in", "out", "both" };

	lane_begins("wire", seed);
	while (room(1000, 5000, 9000)) {
		const char *way = ONE_OF(ways);
		unsigned int some = from_to(1, 4), more = from_to(1, 40), kind = from_to(0, 7);

		switch (kind) {
		case 0:
			plan("netem all %s loss %u%%", way, (more + 1) / 2);
			break;
		case 1:
			plan("netem all %s duplicate %u%%", way, more);
			break;
		case 2:
			plan("netem all %s delay %ums 1ms reorder %u%%", way, some, more + 10);
			break;
		case 3:
			plan("netem all %s corrupt %u%%", way, some);
			break;
		case 4:
			plan("netem all %s delay %ums", way, more + 5);
			break;
		case 5:
			plan("netem all both delay 1ms 300us loss %u%% duplicate %u%% corrupt 1%% reorder 25%%",
			     some, some);
			break;
		default:
			plan("netem all %s loss 100%%", way);
		}
		at += from_to(2000, 9000);
		plan("netem all both off");
	}
}

/* Of the link; if only the client's end has it, nobody says what became of a datagram. */
static void plan_path(u64 seed)
{
	static const char *const ends[] = { "in", "both", "both" };
	static const unsigned int sizes[] = { 1280, 1400, 1500, 2048, 4096, 6000 };

	lane_begins("path", seed);
	while (room(4000, 15000, 15000)) {
		const char *which = ONE_OF(ends);

		plan("mtu all %s %u", which, ONE_OF(sizes));
		at += from_to(4000, 15000);
		plan("mtu all both 9000");
	}
}

/* The server is killed, stands still, or loses its address or gets another one. */
static void plan_server(u64 seed)
{
	lane_begins("server", seed);
	while (room(3000, 12000, 14000)) {
		switch (from_to(0, 6)) {
		case 0:
		case 1:
			plan("kill 1");
			at += from_to(200, 4000);
			plan("start 1");
			break;
		case 2:
			/* As soon as it is there again. */
			plan("kill 1");
			at += from_to(200, 1000);
			plan("start 1");
			at += from_to(0, 1500);
			plan("kill 1");
			at += 1;
			plan("start 1");
			break;
		case 3:
			plan("stop 1");
			at += from_to(300, 7000);
			plan("cont 1");
			break;
		case 4:
			plan("stop 1");
			at += from_to(300, 2000);
			plan("kill 1");
			at += from_to(200, 1000);
			plan("start 1");
			break;
		case 5:
			plan("address 1 off");
			at += from_to(300, 6000);
			plan("address 1 on");
			break;
		default:
			plan("move 1 6");
			at += from_to(3000, 9000);
			plan("move 1 4");
			at += 3000;
		}
	}
}

/* Programs of clients and of the server. */
static void plan_programs(u64 seed, const char *mode)
{
	static const char *const modes[] = { "off", "tc", "xdp", "xdp-generic" };

	lane_begins("steer", seed);
	while (room(2000, 9000, 16000)) {
		unsigned int n = from_to(1, 3);

		while (n--) {
			plan("steer %s", ONE_OF(modes));
			at += from_to(2000, 5000);
		}
		plan("steer %s", mode);
		at += 1000;
		if (!from_to(0, 2))	/* the same again is a replacement */
			plan("steer %s", mode);
	}
	lane_begins("serve", seed);
	while (room(5000, 20000, 10000)) {
		plan("serve %s", strcmp(mode, "off") ? "off" : "on");
		at += from_to(500, 10000);
		plan("serve %s", strcmp(mode, "off") ? "on" : "off");
	}
}

static void plan_machine(u64 seed, const char *cgroup)
{
	lane_begins("clock", seed);
	while (room(3000, 20000, 10000)) {
		static const long long jumps[] = { 1, 30, 3600, 86400, 400ll * 86400 };
		long long jump = ONE_OF(jumps);

		if (from_to(0, 1))
			jump = -jump;
		plan("clock %lld", jump);
		at += from_to(100, 10000);
		plan("clock %lld", -jump);
	}
	lane_begins("caches", seed);
	while (room(300, 7000, 0))
		plan(DROP " %u", from_to(1, 3));
	lane_begins("memory", seed);
	while (cgroup && room(2000, 12000, 12000)) {
		plan("put %s/memory.high %uM", cgroup, from_to(3, 12));
		at += from_to(1000, 12000);
		plan("put %s/memory.high max", cgroup);
	}
}

static void plan_processor(u64 seed)
{
	lane_begins("processor", seed);
	while (room(1000, 9000, 8000)) {
		plan(PROCESSOR " 0");
		at += from_to(200, 8000);
		plan(PROCESSOR " 1");
	}
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static int print_plan(u64 seed, unsigned int seconds, const char *mode, const char *cgroup)
{
	end = seconds * 1000;
	plan_wire(seed);
	plan_path(seed);
	plan_server(seed);
	if (seed % 2)
		plan_programs(seed, mode);
	else
		plan_processor(seed);
	plan_machine(seed, cgroup);
	qsort(events, nevents, sizeof(events[0]), by_time);
	for (unsigned int i = 0; i < nevents; i++)
		printf("%6u %-9s %s\n", events[i].at, events[i].lane, events[i].command);
	return 0;
}

/* Carrying out. */

static u64 begun;	/* ms */

static u64 clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static unsigned int now(void)
{
	return (unsigned int)(clock_ms() - begun);
}

static void sleep_until(unsigned int when)
{
	u64 ms = begun + when;
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* What the day's clock says is @seconds more than it did. 0 or an error. */
static int jump(long long seconds)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t))
		return errno;
	t.tv_sec += seconds;
	return clock_settime(CLOCK_REALTIME, &t) ? errno : 0;
}

static int put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

/* scripts/lab with these arguments; its exit status. What it says goes to our output. */
static int lab(char **args)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return 255;
	if (!pid) {
		execvp("lab", args);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* One command; writes what became of it to @said. False if it failed. */
static bool carry_out(const char *command, char said[80])
{
	char words[160], *args[20] = { "lab" }, *word, *rest = words;
	int n = 1, err;

	snprintf(words, sizeof(words), "%s", command);
	while (n < 19 && (word = strsep(&rest, " ")))
		args[n++] = word;
	args[n] = NULL;
	if (!strcmp(args[1], "clock") && n == 3) {
		err = jump(atoll(args[2]));
	} else if (!strcmp(args[1], "put") && n == 4) {
		err = put(args[2], args[3]);
		if (err == ENOENT) {
			snprintf(said, 80, "cannot: there is no such file");
			return true;
		}
	} else {
		err = lab(args);
		snprintf(said, 80, err ? "FAILED with status %d" : "done", err);
		return !err;
	}
	snprintf(said, 80, err ? "FAILED: %s" : "done", strerror(err));
	return !err;
}

static int run_lane(const char *name, int log)
{
	unsigned int last = 0, ended = 0;	/* planned, and in fact */
	int status = 0;

	for (unsigned int i = 0; i < nevents; i++) {
		const struct event *e = &events[i];
		char said[80], line[320];
		unsigned int start, pause;
		int len;

		if (strcmp(e->lane, name))
			continue;
		pause = e->at - last < SHORTEST ? e->at - last : SHORTEST;
		sleep_until(e->at > ended + pause ? e->at : ended + pause);
		last = e->at;
		start = now();
		if (!carry_out(e->command, said))
			status = 1;
		len = snprintf(line, sizeof(line), "%6u +%-5u %-9s %s: %s\n", start,
			       now() - start, name, e->command, said);
		ended = now();
		if (write(log, line, (size_t)len) != len)
			status = 1;
	}
	return status;
}

static int run(const char *log_path)
{
	int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int failed = 0, started = 0;
	const char *lanes[LANES];
	char line[256];

	if (log < 0)
		die("cannot open %s: %s", log_path, strerror(errno));
	while (nevents < LINES && fgets(line, sizeof(line), stdin)) {
		struct event *e = &events[nevents];

		if (sscanf(line, "%u %11s %159[^\n]", &e->at, e->lane, e->command) != 3)
			die("not a line of a plan: %s", line);
		nevents++;
	}
	begun = clock_ms();
	for (unsigned int i = 0; i < nevents; i++) {
		int known = 0;
		pid_t pid;

		while (known < started && strcmp(lanes[known], events[i].lane))
			known++;
		if (known < started)
			continue;
		if (started == LANES)
			die("more than %d lanes", LANES);
		lanes[started++] = events[i].lane;
		pid = fork();
		if (pid < 0)
			die("cannot fork: %s", strerror(errno));
		if (!pid)
			_exit(run_lane(events[i].lane, log));
	}
	while (started--) {
		int status = 0;

		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
			failed = 1;
	}
	return failed || !nevents;
}

int main(int argc, char **argv)
{
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "plan"))
		return print_plan(strtoull(argv[2], NULL, 0), (unsigned int)atoi(argv[3]),
				  argv[4], argc == 6 ? argv[5] : NULL);
	if (argc == 3 && !strcmp(argv[1], "run"))
		return run(argv[2]);
	fprintf(stderr, "usage: disturb plan SEED SECONDS MODE [CGROUP] | disturb run LOG < PLAN\n");
	return 2;
}

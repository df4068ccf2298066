// SPDX-License-Identifier: GPL-2.0
/*
 * bench: what something costs the whole machine.
 *
 * usage: bench [-dpw] [-j JOBS] [-q DEPTH] [-r ADDRESS] [-s SEED]
 *		WORKLOAD COUNT FILE|DIRECTORY
 *	  bench [-r ADDRESS] run COUNT COMMAND [ARGUMENT...]
 *	  bench copy COUNT
 *	  bench [-r ADDRESS] rtt COUNT ADDRESS
 *	  bench echo ADDRESS
 *	  bench tell ADDRESS
 *
 * of a file, which is there, and is dropped from this machine's page cache first
 * (proved by mincore; a server's page cache stays as it is):
 *	rand	  COUNT reads of 4 KiB at different random places, no readahead
 *	seq	  COUNT reads of 1 MiB from the start, with readahead
 *	randsync  COUNT writes of 4 KiB at different random places, fsync after each
 * of a file that is made, or is made anew:
 *	write	  COUNT writes of 1 MiB from the start, and one fsync
 * of a directory, COUNT files f0, f1, ... of 4 KiB in it:
 *	create	  make, write, close
 *	stat	  ask for the attributes of each by its name
 *	read	  open, read, close
 *	unlink	  remove
 *	run	  COMMAND does COUNT things, which has to be true: only the division is
 *		  done here. What it prints goes to memory
 * of the machine:
 *	copy	  COUNT copies of 4 KiB within memory
 *	rtt	  COUNT datagrams of 64 bytes to "bench echo" at ADDRESS and back
 *
 *	-d	O_DIRECT, for what reads and writes a file
 *	-j	so many threads share the work, all but that of "seq", "write", "run", and of
 *		"rand" with -q (default 1)
 *	-p	mark begin and end of the loop for scripts/vm --count or --tally
 *	-r	count on the remote machine, too, where "bench tell ADDRESS" runs
 *	-q	so many reads of "rand" under way at a time, by io_uring (default 1,
 *		by pread)
 *	-w	the file may be in the page cache: a local one in memory has no other place
 *
 * The result is one line of JSON:
 *
 *	ops, bytes, ns		of the loop
 *	idle_ns			of that, spent idle; exact, from /proc/timer_list
 *	busy_ns_per_op		(ns - idle_ns) / ops. In the counted mode of scripts/vm
 *				(one processor, one instruction is one nanosecond) this
 *				is instructions of the whole system, client and server.
 *				null on more than one processor, where it means nothing
 *	p50_ns, p99_ns		latency of one operation; null for "run"
 *	context_switches	of the whole system
 *	frames			received and sent in this network namespace by all interfaces
 *				but lo; one of 64 KiB that is cut up later counts as one
 *	tcp_retransmits		of this network namespace
 *	remote_NAME		ns, idle_ns, context_switches and tcp_retransmits of the
 *				remote machine, by its own clock, without what asking it
 *				costs. It marks the three times at which it was asked
 *
 * Figures are taken around the loop, inside this process, whose memory is
 * touched before: starting a process and opening the file stay outside, except
 * with "run".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profile/marks.h"

#define SMALL		4096u
#define LARGE		(1u << 20)
#define DEPTH_MAX	256u
#define JOBS_MAX	64u
#define ECHO_PORT	7007
#define ECHO_SIZE	64
#define TELL_PORT	7008

static const char *path;
static char **command;
static char *buf;			/* LARGE bytes, aligned */
static uint64_t *offsets, *latencies;
static uint64_t count, seed = 1;
static unsigned int depth = 1, jobs = 1;
static int direct;			/* O_DIRECT, or 0 */
static bool marked;			/* for selftests/profile/count.c */
static bool warm;			/* the file may be in the page cache */
static int fd = -1;

/* What a machine has counted. */
struct tally {
	uint64_t ns, idle_ns, switches, retransmits;
};

static const char *remote;		/* address of who tells what it counts, or NULL */
static int remote_fd;
static struct tally start, remote_start;	/* when the loop began */
static uint64_t frames;				/* then */
static bool each;			/* latencies are known */

static void die(const char *what)
{
	fprintf(stderr, "bench: cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

/* @n is what a call gave that was to give @expected. */
static void expect(ssize_t n, size_t expected, const char *what)
{
	if (n == (ssize_t)expected)
		return;
	if (n >= 0)
		errno = ENODATA;
	die(what);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Sum over the lines of a file in /proc that have @name, of the number there. */
static uint64_t sum_of(const char *file, const char *name)
{
	char line[512];
	uint64_t sum = 0;
	FILE *f = fopen(file, "r");

	if (!f)
		die(file);
	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, name);

		if (at)
			sum += strtoull(at + strcspn(at, "0123456789"), NULL, 10);
	}
	fclose(f);
	return sum;
}

static uint64_t idle_ns(void)
{
	return sum_of("/proc/timer_list", ".idle_sleeptime") +
	       sum_of("/proc/timer_list", ".iowait_sleeptime");
}

/* Packets received and sent, the 2nd and the 10th number of an interface's line. */
static uint64_t count_frames(void)
{
	unsigned long long received, sent;
	uint64_t sum = 0;
	char line[512];
	FILE *f = fopen("/proc/net/dev", "r");

	if (!f)
		die("read /proc/net/dev");
	while (fgets(line, sizeof(line), f)) {
		char *numbers = strchr(line, ':');

		if (!numbers || strstr(line, "lo:"))
			continue;
		if (sscanf(numbers + 1, "%*u %llu %*u %*u %*u %*u %*u %*u %*u %llu",
			   &received, &sent) != 2) {
			errno = EPROTO;
			die("understand /proc/net/dev");
		}
		sum += received + sent;
	}
	fclose(f);
	return sum;
}

/* RetransSegs is the 12th number of the second line that begins with "Tcp:". */
static uint64_t count_retransmits(void)
{
	unsigned long long n = 0;
	char line[512];
	FILE *f = fopen("/proc/net/snmp", "r");

	if (!f)
		die("read /proc/net/snmp");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Tcp: %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %llu", &n) == 1)
			break;
	fclose(f);
	return n;
}

static struct tally take_tally(void)
{
	struct tally t;

	t.retransmits = count_retransmits();
	t.switches = sum_of("/proc/stat", "ctxt ");
	t.idle_ns = idle_ns();
	t.ns = now();
	return t;
}

static struct tally between(const struct tally *then, const struct tally *t)
{
	return (struct tally){ t->ns - then->ns, t->idle_ns - then->idle_ns,
			       t->switches - then->switches, t->retransmits - then->retransmits };
}

static int udp_socket(const char *name, uint16_t port, struct sockaddr_in *address)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	if (s < 0 || inet_pton(AF_INET, name, &address->sin_addr) != 1)
		die(name);
	return s;
}

/* A socket whose other end is at @port of the machine called @name. */
static int udp_connected(const char *name, uint16_t port)
{
	struct timeval patience = { .tv_sec = 5 };
	struct sockaddr_in to;
	int s = udp_socket(name, port, &to);

	if (connect(s, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die(name);
	return s;
}

/* Asks the remote machine, and lets it come to rest from having answered. */
static struct tally ask(void)
{
	struct tally t;

	expect(send(remote_fd, "?", 1, 0), 1, "ask the remote machine");
	expect(recv(remote_fd, &t, sizeof(t), 0), sizeof(t), "hear from the remote machine");
	usleep(20000);
	return t;
}

/*
 * The remote machine is asked twice before the loop and once behind it: what is between
 * the first two is the price of being asked, which is in the rest, too. It is no part of
 * what is counted here.
 */
static struct tally asking;

static void begin(void)
{
	if (remote) {
		remote_fd = udp_connected(remote, TELL_PORT);
		asking = ask();
		remote_start = ask();
		asking = between(&asking, &remote_start);
	}
	frames = count_frames();
	start = take_tally();
	if (marked)
		mark(MARK_BEGIN);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void end(uint64_t bytes)
{
	struct tally t, r;

	if (marked)
		mark(MARK_END);
	/* The clock first, as it was read last. */
	t.ns = now();
	t.idle_ns = idle_ns();
	t.switches = sum_of("/proc/stat", "ctxt ");
	t.retransmits = count_retransmits();
	t = between(&start, &t);
	frames = count_frames() - frames;
	printf("{\"ops\": %llu, \"bytes\": %llu, \"ns\": %llu, \"idle_ns\": %llu, ",
	       (unsigned long long)count, (unsigned long long)bytes, (unsigned long long)t.ns,
	       (unsigned long long)t.idle_ns);
	if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
		printf("\"busy_ns_per_op\": %llu, ",
		       (unsigned long long)((t.ns - t.idle_ns) / count));
	else
		printf("\"busy_ns_per_op\": null, ");
	if (each) {
		qsort(latencies, count, sizeof(*latencies), by_value);
		printf("\"p50_ns\": %llu, \"p99_ns\": %llu, ",
		       (unsigned long long)latencies[count / 2],
		       (unsigned long long)latencies[count * 99 / 100]);
	} else {
		printf("\"p50_ns\": null, \"p99_ns\": null, ");
	}
	if (remote) {
		r = ask();
		r = between(&remote_start, &r);
		r = between(&asking, &r);
		printf("\"remote_ns\": %lld, \"remote_idle_ns\": %lld, "
		       "\"remote_context_switches\": %lld, \"remote_tcp_retransmits\": %lld, ",
		       (long long)r.ns, (long long)r.idle_ns, (long long)r.switches,
		       (long long)r.retransmits);
	}
	printf("\"context_switches\": %llu, \"frames\": %llu, \"tcp_retransmits\": %llu}\n",
	       (unsigned long long)t.switches, (unsigned long long)frames,
	       (unsigned long long)t.retransmits);
}

/* Work that is done for each number below count, by one thread or by several. */

struct job {
	pthread_t thread;
	void (*one)(uint64_t i, char *buf);
	pthread_barrier_t *start;
	uint64_t first;
	char *buf;			/* SMALL bytes */
};

static void do_job(const struct job *job)
{
	for (uint64_t i = job->first; i < count; i += jobs) {
		uint64_t since = now();

		job->one(i, job->buf);
		latencies[i] = now() - since;
	}
}

static void *job_thread(void *arg)
{
	const struct job *job = arg;

	pthread_barrier_wait(job->start);
	do_job(job);
	return NULL;
}

static void for_each(void (*one)(uint64_t i, char *buf))
{
	struct job job[JOBS_MAX];
	pthread_barrier_t start_line;

	pthread_barrier_init(&start_line, NULL, jobs);
	for (unsigned int j = 0; j < jobs; j++) {
		job[j] = (struct job){ .one = one, .start = &start_line, .first = j,
				       .buf = j ? aligned_alloc(SMALL, SMALL) : buf };
		if (!job[j].buf)
			die("find memory");
		memset(job[j].buf, 1, SMALL);
		errno = j ? pthread_create(&job[j].thread, NULL, job_thread, &job[j]) : 0;
		if (errno)
			die("start a thread");
	}
	begin();
	if (jobs > 1)
		pthread_barrier_wait(&start_line);
	do_job(&job[0]);
	for (unsigned int j = 1; j < jobs; j++) {
		pthread_join(job[j].thread, NULL);
		free(job[j].buf);
	}
	end(count * SMALL);
}

/* Files that are there. */

static void make_cold(size_t len)
{
	size_t pages = (len + 4095) / 4096, resident = 0;
	unsigned char *map = malloc(pages);
	void *p;

	/* What is dirty stays. */
	if (!map || fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("drop the file from the page cache");
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || mincore(p, len, map))
		die("ask what is in the page cache");
	for (size_t i = 0; i < pages; i++)
		resident += map[i] & 1;
	munmap(p, len);
	free(map);
	if (resident) {
		fprintf(stderr, "bench: %zu pages of %s stay in the page cache; "
				"is it in use by somebody else?\n", resident, path);
		exit(1);
	}
}

/* A different block for each operation, in random order: Fisher and Yates. */
static void choose_blocks(uint64_t blocks)
{
	uint64_t *all = malloc(blocks * sizeof(*all));

	if (!all)
		die("find memory");
	for (uint64_t i = 0; i < blocks; i++)
		all[i] = i;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t j = i + next_random(&seed) % (blocks - i), t = all[i];

		all[i] = all[j];
		all[j] = t;
		offsets[i] = all[i] * SMALL;
	}
	free(all);
}

/* Opens the file for operations of @size bytes. */
static void open_file(int flags, size_t size)
{
	struct stat st;

	fd = open(path, flags | direct | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die(path);
	if (count > (uint64_t)st.st_size / size) {
		fprintf(stderr, "bench: %s has %llu bytes: room for %llu times %zu, not %llu\n",
			path, (unsigned long long)st.st_size,
			(unsigned long long)st.st_size / size, size, (unsigned long long)count);
		exit(2);
	}
	if (size == SMALL)
		choose_blocks(st.st_size / SMALL);
	if (!warm)
		make_cold(st.st_size);
	if (size == SMALL && posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM))
		die("set POSIX_FADV_RANDOM");
}

/* Up to @depth reads under way at a time, submitted and taken one by one. */
static void read_queued(void)
{
	uint64_t begun[DEPTH_MAX], next = 0, done = 0;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	unsigned int slot;
	char *bufs;

	bufs = aligned_alloc(SMALL, (size_t)SMALL * depth);
	errno = -io_uring_queue_init(depth, &ring, 0);
	if (!bufs || errno)
		die("make an io_uring");
	memset(bufs, 1, (size_t)SMALL * depth);
	begin();
	while (done < count) {
		/* What has ended makes room, one for one. */
		slot = depth;
		if (next >= depth || next == count) {
			errno = -io_uring_wait_cqe(&ring, &cqe);
			if (errno)
				die("wait for an io_uring");
			if (cqe->res < 0)
				errno = -cqe->res;
			expect(cqe->res < 0 ? -1 : cqe->res, SMALL, "read");
			slot = (unsigned int)io_uring_cqe_get_data64(cqe);
			latencies[done++] = now() - begun[slot];
			io_uring_cqe_seen(&ring, cqe);
		}
		if (next < count) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			if (slot == depth)
				slot = (unsigned int)next;
			begun[slot] = now();
			io_uring_prep_read(sqe, fd, bufs + (size_t)slot * SMALL, SMALL,
					   offsets[next++]);
			io_uring_sqe_set_data64(sqe, slot);
			expect(io_uring_submit(&ring), 1, "submit to an io_uring");
		}
	}
	end(count * SMALL);
	io_uring_queue_exit(&ring);
	free(bufs);
}

static void read_block(uint64_t i, char *to)
{
	expect(pread(fd, to, SMALL, offsets[i]), SMALL, "read");
}

static void bench_rand(void)
{
	open_file(O_RDONLY, SMALL);
	if (depth > 1)
		read_queued();
	else
		for_each(read_block);
}

static void bench_seq(void)
{
	open_file(O_RDONLY, LARGE);
	begin();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t since = now();

		expect(pread(fd, buf, LARGE, i * LARGE), LARGE, "read");
		latencies[i] = now() - since;
	}
	end(count * LARGE);
}

static void write_block(uint64_t i, char *from)
{
	expect(pwrite(fd, from, SMALL, offsets[i]), SMALL, "write");
	expect(fsync(fd), 0, "fsync");
}

static void bench_randsync(void)
{
	open_file(O_RDWR, SMALL);
	for_each(write_block);
}

static void bench_write(void)
{
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | direct | O_CLOEXEC, 0644);
	if (fd < 0)
		die(path);
	begin();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t since = now();

		expect(pwrite(fd, buf, LARGE, i * LARGE), LARGE, "write");
		latencies[i] = now() - since;
	}
	expect(fsync(fd), 0, "fsync");
	end(count * LARGE);
}

/* Many files. */

static const char *name_of(uint64_t i)
{
	static _Thread_local char name[32];

	snprintf(name, sizeof(name), "f%llu", (unsigned long long)i);
	return name;
}

static void create_one(uint64_t i, char *data)
{
	int f = openat(fd, name_of(i), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (f < 0)
		die("create a file");
	expect(write(f, data, SMALL), SMALL, "write");
	expect(close(f), 0, "close");
}

static void stat_one(uint64_t i, char *data)
{
	struct stat st;

	(void)data;
	expect(fstatat(fd, name_of(i), &st, AT_SYMLINK_NOFOLLOW), 0, "stat");
}

static void read_one(uint64_t i, char *data)
{
	int f = openat(fd, name_of(i), O_RDONLY | O_CLOEXEC);

	if (f < 0)
		die("open a file");
	expect(read(f, data, SMALL), SMALL, "read");
	close(f);
}

static void unlink_one(uint64_t i, char *data)
{
	(void)data;
	expect(unlinkat(fd, name_of(i), 0), 0, "unlink");
}

static void each_file(void (*one)(uint64_t i, char *data))
{
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	for_each(one);
}

static void bench_create(void)
{
	each_file(create_one);
}

static void bench_stat(void)
{
	each_file(stat_one);
}

static void bench_read(void)
{
	each_file(read_one);
}

static void bench_unlink(void)
{
	each_file(unlink_one);
}

/* Programs. */

static void bench_run(void)
{
	int status;
	pid_t pid;

	each = false;
	begin();
	pid = fork();
	if (!pid) {
		/* Some programs do less if nobody reads them: grep, into /dev/null. */
		int output = memfd_create("output", 0);

		if (output < 0 || dup2(output, 1) < 0)
			_exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("run a program");
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "bench: %s failed\n", command[0]);
		exit(1);
	}
	end(0);
}

/* The machine. */

static void bench_copy(void)
{
	begin();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t since = now();

		memcpy(buf + SMALL, buf, SMALL);
		__asm__ volatile("" : : "r"(buf) : "memory");
		latencies[i] = now() - since;
	}
	end(count * SMALL);
}

static void bench_rtt(void)
{
	fd = udp_connected(path, ECHO_PORT);
	expect(send(fd, buf, ECHO_SIZE, 0), ECHO_SIZE, "send");
	expect(recv(fd, buf, ECHO_SIZE, 0), ECHO_SIZE, "hear an echo");
	begin();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t since = now();

		expect(send(fd, buf, ECHO_SIZE, 0), ECHO_SIZE, "send");
		expect(recv(fd, buf, ECHO_SIZE, 0), ECHO_SIZE, "hear an echo");
		latencies[i] = now() - since;
	}
	end(count * ECHO_SIZE);
}

/* The other machine's part: an echo of what comes, or what this machine has counted. */
static void __attribute__((noreturn)) answer(bool echo)
{
	struct sockaddr_in from;
	int s = udp_socket(path, echo ? ECHO_PORT : TELL_PORT, &from);

	if (bind(s, (struct sockaddr *)&from, sizeof(from)))
		die(path);
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(s, buf, ECHO_SIZE, 0, (struct sockaddr *)&from, &len);

		if (n > 0 && !echo) {
			*(struct tally *)buf = take_tally();
			mark(MARK_STAND);
			n = sizeof(struct tally);
		}
		if (n > 0)
			sendto(s, buf, n, 0, (struct sockaddr *)&from, len);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} workloads[] = {
	{ "rand", bench_rand },
	{ "seq", bench_seq },
	{ "randsync", bench_randsync },
	{ "write", bench_write },
	{ "create", bench_create },
	{ "stat", bench_stat },
	{ "read", bench_read },
	{ "unlink", bench_unlink },
	{ "run", bench_run },
	{ "copy", bench_copy },
	{ "rtt", bench_rtt },
};

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: bench [-dpw] [-j JOBS] [-q DEPTH] [-r ADDRESS] [-s SEED]\n"
			"		WORKLOAD COUNT FILE|DIRECTORY\n"
			"       bench [-r ADDRESS] run COUNT COMMAND [ARGUMENT...]\n"
			"       bench copy COUNT\n"
			"       bench [-r ADDRESS] rtt COUNT ADDRESS\n"
			"       bench echo ADDRESS\n"
			"       bench tell ADDRESS\n"
			"workloads: rand seq randsync write create stat read unlink\n");
	exit(2);
}

int main(int argc, char **argv)
{
	bool program;
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "+dj:pq:r:s:w")) != -1) {
		switch (opt) {
		case 'd':
			direct = O_DIRECT;
			break;
		case 'j':
			jobs = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'p':
			marked = true;
			break;
		case 'q':
			depth = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'r':
			remote = optarg;
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'w':
			warm = true;
			break;
		default:
			usage();
		}
	}
	argv += optind;
	argc -= optind;
	if (argc < 2 || depth < 1 || depth > DEPTH_MAX || jobs < 1 || jobs > JOBS_MAX)
		usage();
	buf = aligned_alloc(SMALL, LARGE);
	if (!buf)
		die("find memory");
	memset(buf, 1, LARGE);
	path = argv[argc > 2 ? 2 : 1];
	if (argc == 2 && (!strcmp(argv[0], "echo") || !strcmp(argv[0], "tell")))
		answer(argv[0][0] == 'e');
	command = argv + 2;
	count = strtoull(argv[1], NULL, 0);
	for (i = 0; strcmp(workloads[i].name, argv[0]); )
		if (++i == sizeof(workloads) / sizeof(*workloads))
			usage();
	program = workloads[i].run == bench_run;
	if (!count || (program ? argc < 3 : argc != (workloads[i].run == bench_copy ? 2 : 3)))
		usage();
	offsets = calloc(count, sizeof(*offsets));
	latencies = malloc(count * sizeof(*latencies));
	if (!offsets || !latencies)
		die("find memory");
	memset(latencies, 1, count * sizeof(*latencies));
	each = true;
	workloads[i].run();
	return 0;
}

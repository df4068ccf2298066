// SPDX-License-Identifier: GPL-2.0
/*
 * reclaim: memory is taken back while a file is read and written
 *
 * timeout: 180
 *
 * A folio that is read, so that a part of it can be written, is not locked for a
 * moment, and reclaim may strip it of what the module keeps with it. Reclaim here works
 * without a pause, and on the writer's processor, who is not in a hurry: whenever a
 * folio has come it is there first.
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "ktap.h"
#include "lab.h"

#define GROUPS	"/sys/fs/cgroup"
#define GROUP	GROUPS "/ebpfs-reclaim"
#define PAGES	300u
#define PAGE	4096u
#define PART	100u

static pid_t reclaimer;

static void stop_reclaim(void)
{
	if (reclaimer > 0) {
		kill(reclaimer, SIGKILL);
		waitpid(reclaimer, NULL, 0);
	}
	reclaimer = 0;
}

/* On the first processor, with all memory of the group's as its prey. */
static bool start_reclaim(void)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		return false;
	reclaimer = fork();
	if (!reclaimer) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* There is seldom as much to be had: that this fails is right. */
		while (put(GROUP "/memory.reclaim", "1G") != ENOENT)
			;
		_exit(1);
	}
	return reclaimer > 0 && !setpriority(PRIO_PROCESS, 0, 10);
}

/* What the file has at @at in the beginning. */
static char byte(size_t at)
{
	return (char)(at * 31 + at / PAGE);
}

static void parts_are_written(void)
{
	static char buf[PAGES * PAGE], got[PAGES * PAGE];
	char part[PART];
	int fd;

	begin("parts");
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = byte(i);
	fd = open(S("f"), O_RDWR | O_CREAT, 0644);
	ASSERT(fd >= 0);
	EXPECT_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);

	memset(part, '#', sizeof(part));
	fd = open(C("f"), O_RDWR);
	ASSERT(fd >= 0);
	ASSERT(start_reclaim());
	for (unsigned int i = 0; i < PAGES; i++) {
		size_t at = (size_t)i * PAGE + i % (PAGE - PART);

		memcpy(buf + at, part, PART);
		if (pwrite(fd, part, PART, (off_t)at) != PART) {
			EXPECT_EQ(errno, 0);
			break;
		}
	}
	EXPECT_EQ(pread(fd, got, sizeof(got), 0), sizeof(got));
	EXPECT_MEM(got, buf, sizeof(buf));
	EXPECT_EQ(fsync(fd), 0);
	stop_reclaim();
	close(fd);
	fd = open(S("f"), O_RDONLY);
	ASSERT(fd >= 0);
	EXPECT_EQ(pread(fd, got, sizeof(got), 0), sizeof(got));
	EXPECT_MEM(got, buf, sizeof(buf));
	close(fd);
}

static void lab_goes_down(void)
{
	char pid[20];

	snprintf(pid, sizeof(pid), "%d", getpid());
	EXPECT_EQ(put(GROUPS "/cgroup.procs", pid), 0);
	EXPECT_EQ(rmdir(GROUP), 0);
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(parts_are_written),
	KTAP_TEST(lab_goes_down),
};

/* Into a group of its own. */
static bool join_group(void)
{
	char pid[20];

	snprintf(pid, sizeof(pid), "%d", getpid());
	return !put(GROUPS "/cgroup.subtree_control", "+memory") &&
	       (!mkdir(GROUP, 0755) || errno == EEXIST) &&
	       !put(GROUP "/cgroup.procs", pid);
}

int main(int argc, char **argv)
{
	int ret = lab_begin("--steer tc");

	if (ret)
		return ret;
	if (!join_group()) {
		printf("1..0 # SKIP no control groups for memory\n");
		return KTAP_EXIT_SKIP;
	}
	atexit(stop_reclaim);
	return KTAP_MAIN(tests, argc, argv);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * killed: who writes, and waits for a server that does not answer, can be killed
 *
 * timeout: 120
 *
 * A page that is being sent, or read, cannot be written meanwhile. net/abort has those who
 * read.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "ktap.h"
#include "lab.h"

#define PAGE	4096

static pid_t server;

/* What a child does with the first page of the file @fd, mapped at @map. */
enum deed { SEND, READ, WRITE, WRITE_PART, STORE };

static pid_t child(enum deed deed, int fd, volatile char *map)
{
	pid_t pid = fork();
	char buf[PAGE];

	if (pid)
		return pid;
	memset(buf, 'a' + (int)deed, sizeof(buf));
	switch (deed) {
	case SEND:
		_exit(pwrite(fd, buf, PAGE, 0) != PAGE || fsync(fd));
	case READ:
		_exit(pread(fd, buf, PAGE, 0) != PAGE);
	case WRITE:
		_exit(pwrite(fd, buf, PAGE, 0) != PAGE);
	case WRITE_PART:
		_exit(pwrite(fd, buf, 100, 50) != 100);
	case STORE:
		*map = buf[0];
		_exit(0);
	}
	_exit(1);
}

/* Ends it, and says whether it was gone within five seconds. */
static bool dies(pid_t pid)
{
	double end = now() + 5;
	int status;

	kill(pid, SIGKILL);
	do {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		usleep(20000);
	} while (now() < end);
	return false;
}

static bool lives(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

/* @holder has the page, and @waiter wants it; then the server goes on. */
static void one(const char *name, enum deed holder, enum deed waiter)
{
	char buf[PAGE], got[PAGE];
	pid_t first, second;
	unsigned char there = 1;
	int fd, status;
	char *map;

	begin(name);
	memset(buf, '-', sizeof(buf));
	fd = open(S("f"), O_RDWR | O_CREAT, 0644);
	ASSERT(fd >= 0);
	EXPECT_EQ(write(fd, buf, PAGE), PAGE);
	close(fd);
	fd = open(C("f"), O_RDWR);
	ASSERT(fd >= 0);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT(map != MAP_FAILED);
	/* Nothing but the page itself may have to be waited for. */
	if (holder == READ) {
		/* It came when the file was opened, and may have to get to its list first. */
		for (int i = 0; i < 200 && there & 1; i++) {
			usleep(10000);
			EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
			EXPECT_EQ(mincore(map, PAGE, &there), 0);
		}
		ASSERT(!(there & 1));
	} else {
		EXPECT_EQ(*map, '-');
	}
	/* Not by the lab: it has the file open, too, and waits for it when it ends. */
	kill(server, SIGSTOP);
	first = child(holder, fd, map);
	sleep(1);
	second = child(waiter, fd, map);
	sleep(1);
	EXPECT(lives(first));
	EXPECT(lives(second));
	EXPECT(dies(second));
	kill(server, SIGCONT);
	EXPECT_EQ(waitpid(first, &status, 0), first);
	EXPECT_EQ(status, 0);
	memset(buf, holder == SEND ? 'a' + SEND : '-', sizeof(buf));
	EXPECT_EQ(pread(fd, got, PAGE, 0), PAGE);
	EXPECT_MEM(got, buf, PAGE);
	munmap(map, PAGE);
	close(fd);
}

static void written_while_it_is_sent(void)
{
	one("write", SEND, WRITE);
}

static void stored_while_it_is_sent(void)
{
	one("store", SEND, STORE);
}

static void written_while_it_is_read(void)
{
	one("read", READ, WRITE_PART);
}

static void lab_goes_down(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(written_while_it_is_sent),
	KTAP_TEST(stored_while_it_is_sent),
	KTAP_TEST(written_while_it_is_read),
	KTAP_TEST(lab_goes_down),
};

int main(int argc, char **argv)
{
	int ret = lab_begin("--steer tc");
	FILE *pids;

	if (ret)
		return ret;
	pids = popen("pidof ebpfsd", "r");
	if (!pids || fscanf(pids, "%d", &server) != 1) {
		printf("Bail out! ebpfsd is not found\n");
		return KTAP_EXIT_FAIL;
	}
	pclose(pids);
	return KTAP_MAIN(tests, argc, argv);
}

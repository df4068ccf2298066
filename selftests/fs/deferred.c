// SPDX-License-Identifier: GPL-2.0
/*
 * deferred: attributes that the maker of a file sets before closing it go to the server with
 * the file's data, and are seen here at once; what takes something from somebody, or may be
 * refused, goes there at once; the order of changes is kept, also with another client, and
 * what fails is told by fsync and close.
 *
 * timeout: 240
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "ktap.h"
#include "lab.h"

#define LEASE	4
#define NOBODY	65534

static const struct timespec then[2] = { { 1000000000, 0 }, { 1234567890, 123456789 } };

/* A counter of the module. */
static long counter(const char *name)
{
	char line[LAB_COMMAND], key[100];
	long value, found = -1;
	FILE *f = NULL;

	if (!lab_command(line, "userspace/ebpfsctl/ebpfsctl", "stats"))
		f = popen(line, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%99s %ld", key, &value) == 2 && !strcmp(key, name))
			found = value;
	if (f)
		pclose(f);
	return found;
}

/* system() and lab() by a process that was there before: one that is started now would close
 * what is open here, and each close sends what waits.
 */
static struct {
	int to;
	int from;
} helper;

struct errand {
	bool lab;
	char text[200];
};

static int helper_start(void)
{
	struct errand e;
	int to[2], from[2], status;

	if (pipe(to) || pipe(from))
		return -1;
	helper.to = to[1];
	helper.from = from[0];
	if (fork()) {
		close(to[0]);
		close(from[1]);
		return 0;
	}
	close(to[1]);
	close(from[0]);
	while (read(to[0], &e, sizeof(e)) == sizeof(e)) {
		status = e.lab ? lab(e.text) : system(e.text);
		if (write(from[1], &status, sizeof(status)) != sizeof(status))
			break;
	}
	_exit(0);
}

static int errand(bool for_lab, const char *text)
{
	struct errand e = { .lab = for_lab };
	int status = -1;

	snprintf(e.text, sizeof(e.text), "%s", text);
	if (write(helper.to, &e, sizeof(e)) != sizeof(e) ||
	    read(helper.from, &status, sizeof(status)) != sizeof(status))
		return -1;
	return status;
}

static int make(const char *name)
{
	return open(C(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int make_with(const char *name, const char *text)
{
	int fd = make(name);
	ssize_t len = (ssize_t)strlen(text);

	EXPECT_EQ(write(fd, text, (size_t)len), len);
	return fd;
}

static bool is(const char *path, mode_t mode, const struct timespec *mtime)
{
	struct stat st = look(path);

	if ((st.st_mode & 07777) == mode &&
	    (!mtime || (st.st_mtim.tv_sec == mtime->tv_sec &&
			st.st_mtim.tv_nsec == mtime->tv_nsec)))
		return true;
	printf("# %s: mode %o, mtime %lld.%09ld\n", path, st.st_mode, (long long)st.st_mtim.tv_sec,
	       st.st_mtim.tv_nsec);
	return false;
}

/* Times, owner and permissions, as tar, cp -p and install set them. */
static void set_all(int fd, mode_t mode)
{
	EXPECT_EQ(futimens(fd, then), 0);
	EXPECT_EQ(fchown(fd, geteuid(), getegid()), 0);
	EXPECT_EQ(fchmod(fd, mode), 0);
}

/* One call makes the file, and one does all the rest. */
static void they_go_with_the_data(void)
{
	static char text[3000];
	char name[16];
	long calls;
	int i, fd;

	begin("with");
	memset(text, 't', sizeof(text));
	EXPECT_EQ(put(C("first"), "x"), 0);
	calls = counter("calls");
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%d", i);
		fd = make(name);
		EXPECT_EQ(write(fd, text, sizeof(text) - (size_t)i), (ssize_t)sizeof(text) - i);
		set_all(fd, 0644);
		EXPECT_EQ(close(fd), 0);
	}
	calls = counter("calls") - calls;
	printf("# %ld calls for 20 files\n", calls);
	EXPECT(calls >= 40 && calls < 50);	/* some are of no file */
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%d", i);
		EXPECT(is(S(name), 0644, &then[1]));
		EXPECT(is(C(name), 0644, &then[1]));
		EXPECT(is(C2(name), 0644, &then[1]));
		EXPECT_EQ(look(S(name)).st_size, (off_t)sizeof(text) - i);
	}
	/* Without data, and with more than one call carries: by themselves, afterwards. */
	fd = make("empty");
	set_all(fd, 0755);
	EXPECT_EQ(close(fd), 0);
	EXPECT(is(S("empty"), 0755, &then[1]));
	fd = make("large");
	for (i = 0; i < 100; i++)
		EXPECT_EQ(write(fd, text, sizeof(text)), sizeof(text));
	set_all(fd, 0755);
	EXPECT_EQ(close(fd), 0);
	EXPECT(is(S("large"), 0755, &then[1]));
	EXPECT_EQ(look(S("large")).st_size, 100 * (off_t)sizeof(text));
	EXPECT(is(C2("large"), 0755, &then[1]));
}

static void they_are_seen_here_at_once(void)
{
	struct stat st;
	int fd, again;

	begin("seen");
	fd = make_with("f", "text");
	set_all(fd, 0644);
	EXPECT(is(S("f"), 0600, NULL));
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0644);
	EXPECT_EQ(st.st_mtim.tv_sec, then[1].tv_sec);
	EXPECT_EQ(st.st_atim.tv_sec, then[0].tv_sec);
	/* ctime is the server's, so it was asked, and knows. */
	EXPECT(is(S("f"), 0644, &then[1]));
	EXPECT_EQ(close(fd), 0);

	/* Who may what is asked of the server, when it knows. */
	fd = make_with("g", "for all");
	EXPECT_EQ(fchmod(fd, 0644), 0);
	EXPECT(is(S("g"), 0600, NULL));
	EXPECT_EQ(seteuid(NOBODY), 0);
	again = open(C("g"), O_RDONLY | O_CLOEXEC);
	EXPECT(again >= 0);
	EXPECT_EQ(seteuid(0), 0);
	close(again);
	EXPECT_EQ(close(fd), 0);
}

static void fsync_and_sync_bring_them(void)
{
	int fd;

	begin("sync");
	fd = make_with("f", "text");
	set_all(fd, 0644);
	EXPECT(is(S("f"), 0600, NULL));
	EXPECT_EQ(fsync(fd), 0);
	EXPECT(is(S("f"), 0644, &then[1]));
	EXPECT_EQ(fchmod(fd, 0666), 0);
	EXPECT(is(S("f"), 0644, NULL));
	EXPECT_EQ(syncfs(fd), 0);
	EXPECT(is(S("f"), 0666, &then[1]));
	EXPECT_EQ(fchmod(fd, 0777), 0);
	EXPECT(is(S("f"), 0666, NULL));
	sync();
	EXPECT(is(S("f"), 0777, &then[1]));
	EXPECT_EQ(close(fd), 0);
}

/* Whatever changes the file next comes after them, at the server, too. */
static void the_order_is_kept(void)
{
	struct timespec before;
	char *p;
	int fd;

	begin("order");
	fd = make_with("write", "old");
	set_all(fd, 0644);
	EXPECT_EQ(pwrite(fd, "new", 3, 0), 3);
	EXPECT(is(S("write"), 0644, &then[1]));
	EXPECT(holds(S("write"), "old"));
	EXPECT_EQ(close(fd), 0);
	EXPECT(holds(S("write"), "new"));
	EXPECT(look(S("write")).st_mtime != then[1].tv_sec);

	fd = make_with("map", "old");
	set_all(fd, 0644);
	p = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT(p != MAP_FAILED);
	p[0] = 'b';
	EXPECT(is(S("map"), 0644, &then[1]));
	/* From here on it is changed without notice: nothing waits. */
	EXPECT_EQ(futimens(fd, then), 0);
	EXPECT(holds(S("map"), "bld"));
	EXPECT(is(S("map"), 0644, &then[1]));
	before = look(S("map")).st_mtim;
	p[0] = 'c';
	munmap(p, 3);
	EXPECT_EQ(close(fd), 0);
	EXPECT(holds(S("map"), "cld"));
	EXPECT(look(S("map")).st_mtim.tv_sec != before.tv_sec);

	fd = make_with("cut", "long");
	set_all(fd, 0644);
	EXPECT_EQ(ftruncate(fd, 1), 0);
	EXPECT_EQ(look(S("cut")).st_size, 1);
	EXPECT_EQ(look(S("cut")).st_mode & 07777, 0644);
	EXPECT(look(S("cut")).st_mtime != then[1].tv_sec);
	EXPECT_EQ(close(fd), 0);

	fd = make_with("named", "text");
	set_all(fd, 0644);
	EXPECT_EQ(link(C("named"), C("linked")), 0);
	EXPECT(is(S("linked"), 0644, &then[1]));
	EXPECT_EQ(fchmod(fd, 0666), 0);
	EXPECT_EQ(rename(C("named"), C("renamed")), 0);
	EXPECT(is(S("renamed"), 0666, &then[1]));
	EXPECT_EQ(close(fd), 0);
}

/* What takes something away, may be refused, or is not the maker's, does not wait. */
static void others_go_at_once(void)
{
	int fd;

	begin("once");
	fd = make_with("f", "text");
	set_all(fd, 0666);
	EXPECT(is(S("f"), 0600, NULL));
	EXPECT_EQ(fchmod(fd, 0640), 0);
	EXPECT(is(S("f"), 0640, &then[1]));
	EXPECT(holds(S("f"), "text"));
	EXPECT_EQ(fchmod(fd, 04755), 0);
	EXPECT(is(S("f"), 04755, NULL));
	EXPECT_EQ(fchmod(fd, 0640), 0);
	EXPECT_EQ(fchown(fd, 1, 2), 0);
	EXPECT_EQ(look(S("f")).st_uid, 1);
	EXPECT_EQ(look(S("f")).st_gid, 2);
	EXPECT_EQ(fchown(fd, 0, 0), 0);
	EXPECT_EQ(futimens(fd, NULL), 0);
	EXPECT(look(S("f")).st_mtime != then[1].tv_sec);
	EXPECT_EQ(close(fd), 0);

	/* Not open for writing, or not made here and now. */
	EXPECT_EQ(chmod(C("f"), 0644), 0);
	EXPECT(is(S("f"), 0644, NULL));
	fd = open(C("f"), O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(fchmod(fd, 0666), 0);
	EXPECT(is(S("f"), 0666, NULL));
	EXPECT_EQ(close(fd), 0);

	/* Another user is refused at once. */
	fd = make("root");
	EXPECT_EQ(seteuid(NOBODY), 0);
	EXPECT_EQ(ERRNO_OF(fchmod(fd, 0666)), EPERM);
	EXPECT_EQ(ERRNO_OF(futimens(fd, then)), EPERM);
	EXPECT_EQ(seteuid(0), 0);
	EXPECT_EQ(close(fd), 0);
}

/* Another client changes the file: that comes after what waited here. */
static void another_client_comes_after(void)
{
	double began;
	int fd;

	begin("recall");
	fd = make_with("f", "text");
	set_all(fd, 0666);
	EXPECT(is(S("f"), 0600, NULL));
	began = now();
	EXPECT_EQ(chmod(C2("f"), 0640), 0);
	EXPECT(now() - began < LEASE / 2.0);
	EXPECT(is(S("f"), 0640, &then[1]));
	EXPECT(holds(S("f"), "text"));
	EXPECT(is(C("f"), 0640, &then[1]));
	EXPECT_EQ(close(fd), 0);
	EXPECT(is(S("f"), 0640, &then[1]));

	fd = make_with("g", "text");
	set_all(fd, 0644);
	EXPECT_EQ(unlink(C2("g")), 0);
	EXPECT_EQ(close(fd), 0);
	EXPECT_EQ(ERRNO_OF(open(C("g"), O_RDONLY)), ENOENT);
}

/* Another client that may read what has been made readable reads what it says then. */
static void nobody_reads_too_early(void)
{
	int fd, i, seen = 0, status;
	char name[16];
	pid_t pid;

	begin("early");
	pid = fork();
	if (!pid) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(3);
		for (i = 0; i < 30; ) {
			char text[32] = "";
			ssize_t n;

			snprintf(name, sizeof(name), "%d", i);
			fd = open(C2(name), O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			n = read(fd, text, sizeof(text));
			close(fd);
			if (n != 8 || memcmp(text, "complete", 8)) {
				dprintf(1, "# %s: %zd bytes: \"%s\"\n", name, n, text);
				_exit(2);
			}
			i++;
		}
		_exit(0);
	}
	for (i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "%d", i);
		fd = make_with(name, "complete");
		EXPECT_EQ(fchmod(fd, 0644), 0);
		EXPECT_EQ(close(fd), 0);
	}
	for (i = 0; i < 300 && !seen; i++) {
		seen = waitpid(pid, &status, WNOHANG);
		usleep(100000);
	}
	EXPECT(seen && WIFEXITED(status) && !WEXITSTATUS(status));
	if (!seen) {
		printf("# the reader was still at it\n");
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
}

/* The server is killed, and knows nothing of what waits; nor of what was a lease. */
static void the_server_dies_between(void)
{
	int fd;

	begin("dies");
	fd = make_with("f", "text");
	set_all(fd, 0666);
	EXPECT(is(S("f"), 0600, NULL));
	EXPECT_EQ(errand(true, "kill 1"), 0);
	EXPECT_EQ(errand(true, "start 1"), 0);
	EXPECT_EQ(close(fd), 0);
	EXPECT(is(S("f"), 0666, &then[1]));
	EXPECT(holds(S("f"), "text"));

	/* Others set permissions meanwhile, and it is known: theirs came later. */
	fd = make_with("g", "text");
	set_all(fd, 0666);
	EXPECT(is(S("g"), 0600, NULL));
	EXPECT_EQ(errand(true, "kill 1"), 0);
	EXPECT_EQ(chmod(S("g"), 0640), 0);
	EXPECT_EQ(errand(true, "start 1"), 0);
	EXPECT_EQ(put(C("other"), "here again"), 0);
	sleep(1);
	EXPECT_EQ(close(fd), 0);
	EXPECT(is(S("g"), 0640, &then[1]));
	EXPECT(holds(S("g"), "text"));
}

/* What the server refuses in the end, close and fsync tell, and then it is as it is there. */
static void errors_are_told(void)
{
	int fd;

	begin("errors");
	fd = make_with("f", "text");
	EXPECT_EQ(fsync(fd), 0);
	EXPECT_EQ(fchmod(fd, 0666), 0);
	EXPECT_EQ(errand(false, "chattr +i " SRC "/errors/f"), 0);
	EXPECT_EQ(ERRNO_OF(fsync(fd)), EPERM);
	EXPECT_EQ(fsync(fd), 0);
	EXPECT(is(C("f"), 0600, NULL));
	EXPECT_EQ(errand(false, "chattr -i " SRC "/errors/f"), 0);
	EXPECT_EQ(fchmod(fd, 0666), 0);
	EXPECT_EQ(errand(false, "chattr +i " SRC "/errors/f"), 0);
	EXPECT_EQ(ERRNO_OF(close(fd)), EPERM);
	EXPECT_EQ(errand(false, "chattr -i " SRC "/errors/f"), 0);
	EXPECT(is(C("f"), 0600, NULL));
}

/* On a soft mount a server that is away costs an error, not a wait for ever. */
static void a_soft_mount_gives_up(void)
{
	int fd;

	begin("soft");
	fd = open(C2("f"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	EXPECT_EQ(write(fd, "text", 4), 4);
	EXPECT_EQ(fsync(fd), 0);
	EXPECT_EQ(fchmod(fd, 0666), 0);
	EXPECT_EQ(errand(false, "mount -o remount,soft,timeo=5,retrans=1 " MNT2), 0);
	EXPECT_EQ(fchmod(fd, 0666), 0);
	EXPECT_EQ(fchmod(fd, 0777), 0);
	EXPECT(is(S("f"), 0666, NULL));
	EXPECT_EQ(errand(true, "kill 1"), 0);
	EXPECT_EQ(ERRNO_OF(close(fd)), ETIMEDOUT);
	EXPECT_EQ(errand(true, "start 1"), 0);
	EXPECT_EQ(errand(false, "mount -o remount,hard,timeo=50 " MNT2), 0);
	EXPECT_EQ(look(S("f")).st_mode & 07777, look(C2("f")).st_mode & 07777);
}

static void left_behind(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(they_go_with_the_data),
	KTAP_TEST(they_are_seen_here_at_once),
	KTAP_TEST(fsync_and_sync_bring_them),
	KTAP_TEST(the_order_is_kept),
	KTAP_TEST(others_go_at_once),
	KTAP_TEST(another_client_comes_after),
	KTAP_TEST(nobody_reads_too_early),
	KTAP_TEST(the_server_dies_between),
	KTAP_TEST(errors_are_told),
	KTAP_TEST(a_soft_mount_gives_up),
	KTAP_TEST(left_behind),
};

int main(int argc, char **argv)
{
	if (lab_begin("--steer tc --clients 2 --lease 4 --export-opts rw,no_root_squash"))
		return 1;
	if (helper_start()) {
		printf("Bail out! no pipes\n");
		return 1;
	}
	return KTAP_MAIN(tests, argc, argv);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd as its administrator sees it: configuration and its mistakes, keys,
 * privileges, signals, and a stop that is quick whatever goes on.
 *
 * timeout: 120
 * native
 */
#include <grp.h>

#include "ebpfsd_client.h"

#define ADDR	"127.0.0.1:20490"

static u8 secret[EBPFS_SECRET_LEN];
static u8 buf[65536] __attribute__((aligned(8)));

/* A configuration that is right, in @name. */
static void write_conf(const char *name, const char *more)
{
	write_file(at("%s", name), 0644,
		   "listen = " ADDR "\nclients = %s/clients\nstate-dir = %s/state\n%s\n"
		   "[export /data]\npath = %s/data\nclients = *\n", work, work, more, work);
}

static bool start(void)
{
	const char *args[] = { "-v", "-c", at("conf"), NULL };

	write_conf("conf", "");
	return EXPECT(daemon_start(&daemon_, args));
}

/* Run the daemon with @args to its end; its status, what it said is in the log. */
static int run(const char *const *args)
{
	int status;

	daemon_exec(&daemon_, args);
	status = daemon_wait(&daemon_, 10000);
	if (daemon_.pid) {
		kill(daemon_.pid, SIGKILL);
		daemon_wait(&daemon_, 10000);
		return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void said(const char *what)
{
	if (!EXPECT(strstr(daemon_.log, what)))
		printf("# \"%s\" is not in: %s\n", what, daemon_.log);
}

static void a_right_configuration_is_right(void)
{
	const char *args[] = { "--check-config", "-c", at("right"), NULL };

	write_conf("right", "threads = 3\nsessions-max = 10\nreply-cache = 64M\n# remark\n");
	EXPECT_EQ(run(args), 0);
}

static void every_mistake_is_told_with_its_line(void)
{
	const char *args[] = { "--check-config", "-c", at("wrong"), NULL };

	write_file(at("wrong"), 0644,
		   "listen = nowhere\n"			/* 1 */
		   "threads = 0\n"			/* 2 */
		   "threads = many\n"			/* 3 */
		   "sessions-max =\n"			/* 4 */
		   "reply-cache = 12\n"			/* 5 */
		   "colour = blue\n"			/* 6 */
		   "not a line\n"			/* 7 */
		   "state-dir = relative\n"		/* 8 */
		   "[export data]\n"			/* 9 */
		   "[export /a]\n"			/* 10 */
		   "path = %s/data\n"			/* 11 */
		   "clients = ok no#t\n"		/* 12 */
		   "[export /a]\n"			/* 13 */
		   "threads = 2\n"			/* 14 */
		   "[export /b]\n"			/* 15 */
		   "clients = *\n"			/* 16 */
		   "[export /c]\n"			/* 17 */
		   "path = /does/not/exist\n"		/* 18 */
		   "[exports]\n"			/* 19 */
		   "[export /d]\n"			/* 20 */
		   "path = %s/clients\n"		/* 21 */
		   "clients = *\n"			/* 22 */
		   "listen = 127.0.0.1:99999\n"		/* 23 */
		   "access = rx\n"			/* 24 */
		   "squash = some\n"			/* 25 */
		   "anonuid = 0\n"			/* 26 */
		   "anongid = nogroup\n"		/* 27 */
		   "privileged-xattrs = maybe\n"	/* 28 */
		   "[export /e]\n"			/* 29 */
		   "path = %s/data\n"			/* 30 */
		   "clients = *\n"			/* 31 */
		   "privileged-xattrs = yes\n"		/* 32 */
		   "[export /f]\n"			/* 33 */
		   "path = %s/data\n"			/* 34 */
		   "clients = *\n"			/* 35 */
		   "privileged-xattrs = yes\n"		/* 36 */
		   "privileged-xattrs = no\n"		/* 37 */
		   "watch = often\n"			/* 38 */
		   "", work, work, work, work);
	EXPECT_EQ(run(args), 1);
	for (int line = 1; line <= 38; line++) {
		char place[64];
		/* What an export lacks is told at its first line, and so is a path
		 * that does not exist; and that root is squashed. */
		bool right = line == 10 || line == 11 || line == 16 || line == 18 ||
			     line == 21 || line == 22 || (line >= 30 && line <= 37);

		snprintf(place, sizeof(place), "/wrong:%d: ", line);
		if (right)
			EXPECT(!strstr(daemon_.log, place));
		else
			said(place);
	}
	said("/does/not/exist");
}

static void mistakes_in_the_clients_file_are_told(void)
{
	static const char good[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	const char *args[] = { "--check-config", "-c", at("conf"), "-k", at("bad-clients"), NULL };

	write_conf("conf", "");
	write_file(at("bad-clients"), 0600, "# none\n\na %s\nb\nc AAAA\nx* %s\na %s\ny %s more\n",
		   good, good, good, good);
	EXPECT_EQ(run(args), 1);
	for (int line = 4; line <= 8; line++) {
		char place[64];

		snprintf(place, sizeof(place), "/bad-clients:%d: ", line);
		said(place);
	}
	EXPECT(!strstr(daemon_.log, good));

	write_file(at("bad-clients"), 0644, "a %s\n", good);
	EXPECT_EQ(run(args), 1);
	said("chmod");
	/* Not only when asked. */
	EXPECT_EQ(run(args + 1), 1);
	said("chmod");
}

static void flags_do_without_a_file(void)
{
	char export[PATH_MAX + 16];
	const char *args[] = {
		"-e", export, "-l", ADDR, "-k", at("clients"), "-s", at("state"), "-t", "1", NULL
	};
	struct client c;

	snprintf(export, sizeof(export), "/flags=%s/data", work);
	ASSERT(daemon_start(&daemon_, args));
	client_init(&c, ADDR, "alice", secret, "/flags");
	EXPECT_EQ(client_join(&c), 0);
	client_close(&c);
	EXPECT(daemon_stop(&daemon_));
	args[0] = "--nonsense";
	EXPECT_EQ(run(args), 2);
}

static void the_handle_key_is_made_once(void)
{
	u8 first[64], second[64];
	struct stat st;
	int fd;

	unlink(at("state/handle.key"));
	ASSERT(start());
	EXPECT(daemon_stop(&daemon_));
	ASSERT_EQ(stat(at("state/handle.key"), &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0600);
	EXPECT_EQ(st.st_size, EBPFS_SECRET_LEN);
	fd = open(at("state/handle.key"), O_RDONLY);
	EXPECT_EQ(read(fd, first, sizeof(first)), 32);
	close(fd);
	ASSERT(start());
	EXPECT(daemon_stop(&daemon_));
	fd = open(at("state/handle.key"), O_RDONLY);
	EXPECT_EQ(read(fd, second, sizeof(second)), 32);
	close(fd);
	EXPECT_MEM(first, second, 32);
	/* One that others may have read is no secret. */
	chmod(at("state/handle.key"), 0644);
	EXPECT_EQ(run((const char *const[]){ "-c", at("conf"), NULL }), 1);
	said("handle.key");
	chmod(at("state/handle.key"), 0600);
}

static void a_second_daemon_is_refused_the_port(void)
{
	struct daemon first;

	ASSERT(start());
	first = daemon_;
	EXPECT_EQ(run((const char *const[]){ "-c", at("conf"), NULL }), 1);
	said(ADDR);
	daemon_ = first;
	EXPECT(daemon_stop(&daemon_));
}

static void privileges_are(unsigned long long want, unsigned long long permitted)
{
	char path[64], line[256];
	unsigned int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", daemon_.pid);
	f = fopen(path, "r");
	ASSERT(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long long caps;
		char name[16];

		if (sscanf(line, "Cap%15[A-Za-z]: %llx", name, &caps) == 2) {
			bool effective = !strcmp(name, "Eff"), kept = !strcmp(name, "Prm");

			if (!EXPECT_EQ(caps, effective ? want : kept ? want | permitted : 0))
				printf("# %s", line);
			found++;
		} else if (!strncmp(line, "NoNewPrivs:", 11)) {
			EXPECT_EQ(atoi(line + 11), 1);
			found++;
		} else if (!strncmp(line, "Groups:", 7)) {
			EXPECT_EQ(strspn(line + 7, " \t\n"), strlen(line + 7));
			found++;
		}
	}
	fclose(f);
	EXPECT_EQ(found, 7);
}

#define CAP(n)	(1ull << (n))

/* Numbers of linux/capability.h. */
static void few_privileges_are_left(void)
{
	static const gid_t groups[] = { 1, 2, 3 };
	/* DAC_READ_SEARCH, SETGID, SETUID */
	unsigned long long caps = CAP(2) | CAP(6) | CAP(7);
	const char *args[] = {
		"-e", NULL, "-l", ADDR, "-k", at("clients"), "-s", at("state"), NULL
	};
	char export[PATH_MAX];

	setgroups(3, groups);
	ASSERT(start());
	privileges_are(caps, 0);
	EXPECT(daemon_stop(&daemon_));
	/* CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD */
	caps |= CAP(0) | CAP(1) | CAP(3) | CAP(4) | CAP(27);
	snprintf(export, sizeof(export), "/data=%s/data,rw", work);
	args[1] = export;
	ASSERT(daemon_start(&daemon_, args));
	privileges_are(caps, 0);
	EXPECT(daemon_stop(&daemon_));
	/* SYS_ADMIN, SETFCAP */
	strcat(export, ",no_root_squash,privileged_xattrs");
	ASSERT(daemon_start(&daemon_, args));
	privileges_are(caps, CAP(21) | CAP(31));
	EXPECT(daemon_stop(&daemon_));
	setgroups(0, NULL);
}

static void mistakes_in_options_are_told(void)
{
	static const char *const cases[][2] = {
		{ "rx", "unknown option \"rx\"" },
		{ "rw,sync", "unknown option \"sync\"" },
		{ "anonuid=0", "anonuid \"0\"" },
		{ "anongid=x", "anongid \"x\"" },
		{ "privileged_xattrs", "needs squash = none" },
		{ "privileged_xattrs,all_squash", "needs squash = none" },
	};
	const char *args[] = { "--check-config", "-e", NULL, "-k", at("clients"), NULL };
	char export[PATH_MAX];
	size_t i;

	args[2] = export;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(export, sizeof(export), "/data=%s/data,%s", work, cases[i][0]);
		EXPECT_EQ(run(args), 1);
		said(cases[i][1]);
	}
	snprintf(export, sizeof(export), "/data=%s/data,rw,all_squash,anonuid=1,anongid=2", work);
	EXPECT_EQ(run(args), 0);
}

static void statistics_are_one_line_of_json(void)
{
	char line[8192];
	struct client c;
	ssize_t n;

	ASSERT(start());
	client_init(&c, ADDR, "alice", secret, "/data");
	ASSERT_EQ(client_join(&c), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "accepts"), 1);
	EXPECT_EQ(daemon_stat(&daemon_, "sessions"), 1);
	kill(daemon_.pid, SIGUSR1);
	n = read(daemon_.out, line, sizeof(line) - 1);
	ASSERT(n > 2);
	EXPECT(line[0] == '{' && line[n - 2] == '}' && line[n - 1] == '\n');
	line[n] = '\0';
	EXPECT(strchr(line, '\n') == line + n - 1);
	client_close(&c);
	EXPECT(daemon_stop(&daemon_));
}

/* After SIGHUP a new client may come in and one that was removed is put out. */
static void the_clients_file_is_read_again(void)
{
	struct ebpfs_call_info ping = { .op = EBPFS_OP_PING };
	struct client alice, carol;
	struct ebpfs_auth auth;
	u8 new_secret[EBPFS_SECRET_LEN];

	ASSERT(start());
	client_init(&alice, ADDR, "alice", secret, "/data");
	ASSERT(client_hello(&alice, &auth));
	ASSERT_EQ(client_auth(&alice, &auth, TRIES), 0);
	memset(new_secret, 1, sizeof(new_secret));
	client_init(&carol, ADDR, "carol", new_secret, "/data");
	EXPECT_EQ(client_join(&carol), EBPFS_REJECT_DENIED);
	client_close(&carol);

	rename(at("clients"), at("clients-before"));
	add_client(at("clients"), "carol", new_secret);
	kill(daemon_.pid, SIGHUP);
	ASSERT(daemon_listen(&daemon_, 5000, "again"));
	client_init(&carol, ADDR, "carol", new_secret, "/data");
	EXPECT_EQ(client_join(&carol), 0);
	EXPECT_EQ(client_call(&carol, &ping, buf, sizeof(buf)), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "sessions_revoked"), 1);
	EXPECT_EQ(daemon_stat(&daemon_, "sessions"), 1);
	alice.hs.state = 2;	/* AUTH sent */
	EXPECT_EQ(client_auth(&alice, &auth, TRIES), EBPFS_REJECT_DENIED);
	EXPECT_EQ(client_join(&alice), EBPFS_REJECT_DENIED);

	/* A file with a mistake changes nothing; an unchanged client stays. */
	write_file(at("clients"), 0600, "carol nonsense\n");
	kill(daemon_.pid, SIGHUP);
	ASSERT(daemon_listen(&daemon_, 5000, "not taken over"));
	EXPECT_EQ(client_call(&carol, &ping, buf, sizeof(buf)), 0);

	/* Who comes back is let in, but not by what was said before. */
	rename(at("clients-before"), at("clients"));
	daemon_.len = 0;
	kill(daemon_.pid, SIGHUP);
	ASSERT(daemon_listen(&daemon_, 5000, "again"));
	alice.hs.state = 2;
	EXPECT_EQ(client_auth(&alice, &auth, TRIES), EBPFS_REJECT_COOKIE);
	EXPECT_EQ(client_join(&alice), 0);
	client_close(&carol);
	client_close(&alice);
	EXPECT(daemon_stop(&daemon_));
}

static void it_stops_under_load(void)
{
	struct ebpfs_call_info call = { .op = EBPFS_OP_READ, .count = 61440, .want = ~0ull };
	static u8 out[65536];
	struct client c;
	struct fh root, fh;
	u32 len, i;
	u64 begin;

	ASSERT(start());
	client_init(&c, ADDR, "alice", secret, "/data");
	ASSERT_EQ(client_join(&c), 0);
	root = root_of(&c);
	ASSERT_EQ(do_lookup(&c, &root, "file", &fh, NULL), 0);
	call.fh = fh.bytes;
	call.fh_len = fh.len;
	for (i = 1; i <= 20000; i++) {
		call.op = i % 4 ? EBPFS_OP_READ : EBPFS_OP_READDIR;
		if (call.op == EBPFS_OP_READDIR) {
			call.fh = root.bytes;
			call.fh_len = root.len;
		} else {
			call.fh = fh.bytes;
			call.fh_len = fh.len;
		}
		call.id = EBPFS_ID(i % 64, i);
		len = build_call(&c, &call, out);
		send(c.fd, out, len, MSG_DONTWAIT);
		if (i == 15000)
			kill(daemon_.pid, SIGTERM);
	}
	begin = clock_ms();
	EXPECT(daemon_stop(&daemon_));
	EXPECT(clock_ms() - begin < 2000);
	client_close(&c);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(a_right_configuration_is_right),
	KTAP_TEST(every_mistake_is_told_with_its_line),
	KTAP_TEST(mistakes_in_the_clients_file_are_told),
	KTAP_TEST(flags_do_without_a_file),
	KTAP_TEST(the_handle_key_is_made_once),
	KTAP_TEST(a_second_daemon_is_refused_the_port),
	KTAP_TEST(few_privileges_are_left),
	KTAP_TEST(mistakes_in_options_are_told),
	KTAP_TEST(statistics_are_one_line_of_json),
	KTAP_TEST(the_clients_file_is_read_again),
	KTAP_TEST(it_stops_under_load),
};

int main(int argc, char **argv)
{
	int fd;

	set_up();
	mkdir(at("data"), 0755);
	fd = open(at("data/file"), O_WRONLY | O_CREAT, 0644);
	if (fd < 0 || ftruncate(fd, 1 << 20))
		return KTAP_EXIT_FAIL;
	close(fd);
	add_client(at("clients"), "alice", secret);
	return KTAP_MAIN(tests, argc, argv);
}

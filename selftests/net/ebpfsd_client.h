/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of ebpfsd share: a daemon to test, and a client of the wire
 * protocol in user space, which is not the module's: one call at a time, every
 * field of every fragment looked at, and any datagram can be sent.
 *
 * Each test program runs in network and mount namespaces of its own, with a
 * directory that is removed at exit. Single threaded.
 */
#ifndef EBPFS_SELFTESTS_EBPFSD_CLIENT_H
#define EBPFS_SELFTESTS_EBPFSD_CLIENT_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/handshake.h"
#include "ktap.h"
#include "lib/addr.h"
#include "lib/secret.h"

#define ANSWER_MS	300	/* before a call is sent again */
#define SILENCE_MS	150	/* without an answer: there is none */
#define TRIES		20

/**
 * struct daemon - an ebpfsd under test
 * @pid: 0 if none runs
 * @out: its stdout
 * @err: its stderr
 * @log: what it said on stderr so far
 * @len: bytes of @log
 */
struct daemon {
	pid_t pid;
	int out;
	int err;
	char log[65536];
	size_t len;
};

static struct daemon daemon_;
static char work[] = "/var/tmp/ebpfsd-test-XXXXXX";
static char program[PATH_MAX];

static u64 clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void nap(unsigned int ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000l };

	nanosleep(&t, NULL);
}

/* A path under the work directory; good for a few calls. */
__attribute__((format(printf, 1, 2)))
static char *at(const char *fmt, ...)
{
	static char paths[8][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % 8];
	int n = sprintf(path, "%s/", work);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + n, PATH_MAX - n, fmt, ap);
	va_end(ap);
	return path;
}

__attribute__((format(printf, 3, 4), unused))
static void write_file(const char *path, mode_t mode, const char *fmt, ...)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	va_list ap;

	va_start(ap, fmt);
	if (fd < 0 || fchmod(fd, mode) || vdprintf(fd, fmt, ap) < 0) {
		printf("Bail out! cannot write %s: %s\n", path, strerror(errno));
		exit(1);
	}
	va_end(ap);
	close(fd);
}

/* Take in what the daemon says, for at most @ms or until @until appears. */
static bool daemon_listen(struct daemon *d, unsigned int ms, const char *until)
{
	u64 end = clock_ms() + ms;

	for (;;) {
		struct pollfd p = { .fd = d->err, .events = POLLIN };
		u64 now = clock_ms();
		ssize_t n;

		d->log[d->len] = '\0';
		if (until && strstr(d->log, until))
			return true;
		if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
			return false;
		n = read(d->err, d->log + d->len, sizeof(d->log) - 1 - d->len);
		if (n <= 0)
			return false;
		d->len += (size_t)n;
	}
}

/* Start the program with @argv after its name, a NULL at the end. */
static void daemon_exec(struct daemon *d, const char *const *argv)
{
	const char *all[64] = { program };
	int out[2], err[2], i;

	for (i = 0; argv[i] && i < 62; i++)
		all[i + 1] = argv[i];
	if (pipe(out) || pipe(err)) {
		printf("Bail out! no pipe: %s\n", strerror(errno));
		exit(1);
	}
	fflush(stdout);
	d->pid = fork();
	if (!d->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		dup2(err[1], 2);
		for (i = 3; i < 64; i++)
			close(i);
		execv(program, (char **)all);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	d->out = out[0];
	d->err = err[0];
	d->len = 0;
	d->log[0] = '\0';
}

/* Wait for its end; its status as of waitpid(), or -1 if it lives after @ms. */
static int daemon_wait(struct daemon *d, unsigned int ms)
{
	u64 end = clock_ms() + ms;
	int status = -1;

	while (d->pid && waitpid(d->pid, &status, WNOHANG) == 0) {
		if (clock_ms() >= end)
			return -1;
		nap(5);
	}
	daemon_listen(d, 50, NULL);
	close(d->out);
	close(d->err);
	d->pid = 0;
	return status;
}

/* Start it and wait until it serves. */
__attribute__((unused))
static bool daemon_start(struct daemon *d, const char *const *argv)
{
	daemon_exec(d, argv);
	if (daemon_listen(d, 10000, "ready: "))
		return true;
	kill(d->pid, SIGKILL);
	daemon_wait(d, 10000);
	printf("# ebpfsd did not get ready and said: %s\n", d->log);
	return false;
}

/* Stop it as an administrator would; false if it does not exit with 0 within 2 s. */
__attribute__((unused))
static bool daemon_stop(struct daemon *d)
{
	int status;

	if (!d->pid)
		return true;
	kill(d->pid, SIGTERM);
	status = daemon_wait(d, 2000);
	if (d->pid) {
		kill(d->pid, SIGKILL);
		daemon_wait(d, 10000);
	}
	if (status)
		printf("# ebpfsd ended with status 0x%x and said: %s\n", status, d->log);
	return !status;
}

/* A number of its statistics, -1 if there is none, which is a failure. */
__attribute__((unused))
static long long daemon_stat(struct daemon *d, const char *name)
{
	char line[8192], key[64], *at_key;
	size_t len = 0;

	kill(d->pid, SIGUSR1);
	while (len < sizeof(line) - 1) {
		struct pollfd p = { .fd = d->out, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, 5000) <= 0)
			break;
		n = read(d->out, line + len, sizeof(line) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		if (line[len - 1] == '\n')
			break;
	}
	line[len] = '\0';
	snprintf(key, sizeof(key), "\"%s\":", name);
	at_key = strstr(line, key);
	if (!EXPECT(at_key))
		printf("# ebpfsd does not tell \"%s\"\n", name);
	return at_key ? atoll(at_key + strlen(key)) : -1;
}

/**
 * struct client - a client and its session
 * @fd: UDP socket, connected to the server
 * @hs: handshake
 * @s: session
 * @cell: that calls ask for, and that their data are cut by
 * @cred: that calls act with
 * @seq: of each slot
 * @fragments: that made up the last reply
 * @repeats: calls that had to be sent again
 * @needs: NEEDs that came
 * @needed: what the last one said
 * @recalls: RECALLs that came
 * @recalled: the last one
 * @recall: gets each of them, may be NULL
 * @instance: of the last reply
 * @flags: of the last reply
 */
struct client {
	int fd;
	struct ebpfs_hs_client hs;
	struct ebpfs_hs_session s;
	u16 cell;
	u32 cred;
	u64 seq[EBPFS_SLOTS_MAX];
	unsigned int fragments;
	unsigned int repeats;
	unsigned int needs;
	struct ebpfs_need_info needed;
	unsigned int recalls;
	struct ebpfs_recall recalled;
	void (*recall)(struct client *c, const u8 *p, u32 len);
	u32 instance;
	u16 flags;
};

/* A socket that talks to the server at @addr. */
static int talk_to(const char *addr)
{
	union ebpfs_sockaddr to;
	int fd, size = 8 << 20;

	if (ebpfs_addr_parse(addr, EBPFS_PORT, &to))
		return -1;
	fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd >= 0 && connect(fd, &to.sa, ebpfs_addr_len(&to))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* One datagram within @ms; bytes, 0 if none came. */
static u32 hear(int fd, void *buf, u32 size, unsigned int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, (int)ms) <= 0)
		return 0;
	n = recv(fd, buf, size, MSG_DONTWAIT);
	return n > 0 ? (u32)n : 0;
}

/* Is nothing said within SILENCE_MS? */
__attribute__((unused))
static bool silent(int fd)
{
	u8 buf[64];

	return !hear(fd, buf, sizeof(buf), SILENCE_MS);
}

static void client_init(struct client *c, const char *addr, const char *name,
			const u8 *secret, const char *export)
{
	memset(c, 0, sizeof(*c));
	c->fd = talk_to(addr);
	c->cell = 8192;
	memcpy(c->hs.secret, secret, EBPFS_SECRET_LEN);
	snprintf((char *)c->hs.client, sizeof(c->hs.client), "%s", name);
	snprintf((char *)c->hs.export, sizeof(c->hs.export), "%s", export);
	c->hs.sec = EBPFS_SEC_CRC;
	c->hs.features = EBPFS_FEAT_ALL;
	c->hs.slots = 64;
	if (getrandom(&c->hs.owner, sizeof(c->hs.owner), 0) < 0 || !c->hs.owner)
		c->hs.owner = 1;
	if (getrandom(&c->hs.session, sizeof(c->hs.session), 0) < 0 ||
	    getrandom(c->hs.nonce, sizeof(c->hs.nonce), 0) < 0 ||
	    getrandom(c->hs.ephemeral, sizeof(c->hs.ephemeral), 0) < 0)
		abort();
	c->hs.session |= 1;
}

__attribute__((unused))
static void client_close(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

/* HELLO and CHALLENGE; the AUTH to be sent. False if there was no answer. */
static bool client_hello(struct client *c, struct ebpfs_auth *auth)
{
	struct ebpfs_hello hello;
	u8 buf[1024];
	u32 len = ebpfs_hs_hello(&c->hs, &hello), n;
	int i;

	for (i = 0; i < TRIES; i++) {
		if (send(c->fd, &hello, len, 0) != (ssize_t)len)
			return false;
		n = hear(c->fd, buf, sizeof(buf), ANSWER_MS);
		if (n && EXPECT(n <= len) && ebpfs_hs_challenge(&c->hs, buf, n, auth) > 0)
			return true;
	}
	return false;
}

/* AUTH: 0 and a session, or enum ebpfs_reason, or -ETIMEDOUT without an answer. */
static int client_auth(struct client *c, const struct ebpfs_auth *auth, unsigned int tries)
{
	u8 buf[1024];
	unsigned int i;
	int ret;
	u32 n;

	for (i = 0; i < tries; i++) {
		if (send(c->fd, auth, sizeof(*auth), 0) != sizeof(*auth))
			return -errno;
		n = hear(c->fd, buf, sizeof(buf), ANSWER_MS);
		if (!n)
			continue;
		EXPECT(n <= sizeof(*auth));
		ret = ebpfs_hs_accept(&c->hs, buf, n, &c->s);
		if (ret != -EBADMSG)
			return ret;
		ret = ebpfs_hs_reject(&c->hs, buf, n);
		if (ret > 0)
			return ret;
	}
	return -ETIMEDOUT;
}

static int client_join(struct client *c)
{
	struct ebpfs_auth auth;

	return client_hello(c, &auth) ? client_auth(c, &auth, TRIES) : -ETIMEDOUT;
}

/* A CALL datagram with one call; its bytes. */
static u32 build_call(const struct client *c, const struct ebpfs_call_info *call, u8 *p)
{
	u32 len = ebpfs_put_calls(p, c->s.server_session, 1, c->cell);

	len += ebpfs_put_call(p + len, call, false);
	ebpfs_seal(p, len);
	return len;
}

/**
 * struct gather - a reply coming in
 * @have: cells that are there
 * @first: the head that decided the grid
 */
struct gather {
	u64 have;
	struct ebpfs_frag first;
};

/* One datagram of a reply into @buf. Return: true if the reply is whole now. */
static bool gather(struct client *c, u64 id, const u8 *p, u32 len, u8 *buf, u32 size,
		   struct gather *g)
{
	struct ebpfs_frag f;
	u64 session;

	if (!EXPECT_EQ(ebpfs_parse_hdr(p, len, &session), EBPFS_REPLY) ||
	    !EXPECT_EQ(session, c->s.client_session) || !EXPECT(ebpfs_sealed(p, len)) ||
	    !EXPECT_EQ(ebpfs_parse_reply(p, len, &f), 0))
		return false;
	if (f.id != id)
		return false;	/* late, of a call before */
	if (!EXPECT(f.total <= size))
		return false;
	if (!g->have || g->first.instance != f.instance) {
		g->have = 0;
		g->first = f;
	}
	EXPECT_EQ(f.total, g->first.total);
	EXPECT_EQ(f.cell, c->cell);
	EXPECT_EQ(f.status, g->first.status);
	EXPECT_EQ(f.flags, g->first.flags);
	memcpy(buf + f.offset, p + sizeof(struct ebpfs_reply), f.len);
	g->have |= 1ull << f.index;
	c->fragments++;
	return g->have == ebpfs_cell_set(f.ncells);
}

/* Send fragments @cells of @call's data, together if the kernel can. */
static void send_data(struct client *c, const struct ebpfs_call_info *call, u64 cells)
{
	static u8 out[65536 + 64 * sizeof(struct ebpfs_data)] __attribute__((aligned(8)));
	struct ebpfs_frag f = {
		.session = c->s.server_session, .id = call->id, .total = call->data_len,
		.cell = c->cell, .attempt = call->attempt,
	};
	u8 ncells = ebpfs_ncells(call->data_len, c->cell);
	u32 len = 0, head = sizeof(struct ebpfs_data);

	for (cells &= ebpfs_cell_set(ncells); cells; cells &= cells - 1) {
		f.index = (u8)__ffs64(cells);
		f.offset = f.index * c->cell;
		f.len = call->data_len - f.offset < c->cell ? call->data_len - f.offset : c->cell;
		ebpfs_put_data(out + len, &f);
		memcpy(out + len + head, call->data + f.offset, f.len);
		ebpfs_seal(out + len, head + f.len);
		len += head + f.len;
		if (len + head + c->cell > 60000 || !(cells & (cells - 1))) {
			union {
				char bytes[CMSG_SPACE(sizeof(u16))];
				struct cmsghdr align;
			} control = { 0 };
			struct iovec iov = { out, len };
			struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

			if (len > head + c->cell) {
				m.msg_control = control.bytes;
				m.msg_controllen = sizeof(control.bytes);
				control.align.cmsg_level = IPPROTO_UDP;
				control.align.cmsg_type = UDP_SEGMENT;
				control.align.cmsg_len = CMSG_LEN(sizeof(u16));
				*(u16 *)CMSG_DATA(&control.align) = (u16)(head + c->cell);
			}
			EXPECT_EQ(sendmsg(c->fd, &m, 0), len);
			len = 0;
		}
	}
}

/* A new id for a call in the slot that its id names. */
static void client_begin(struct client *c, struct ebpfs_call_info *call)
{
	u16 slot = EBPFS_ID_SLOT(call->id);

	call->id = EBPFS_ID(slot, ++c->seq[slot]);
	call->want = ~0ull;
	call->attempt = 0;
}

static void client_send(struct client *c, const struct ebpfs_call_info *call)
{
	static u8 out[65536] __attribute__((aligned(8)));
	u32 len = build_call(c, call, out);

	EXPECT_EQ(send(c->fd, out, len, 0), len);
}

/* Is this a RECALL? Noted then. */
static bool take_recall(struct client *c, const u8 *p, u32 len)
{
	struct ebpfs_recall_info r;
	u64 session;

	if (ebpfs_parse_hdr(p, len, &session) != EBPFS_RECALL)
		return false;
	if (EXPECT_EQ(len, sizeof(c->recalled)) && EXPECT(ebpfs_sealed(p, len)) &&
	    EXPECT_EQ(session, c->s.client_session) && EXPECT_EQ(ebpfs_parse_recall(p, &r), 0)) {
		memcpy(&c->recalled, p, sizeof(c->recalled));
		c->recalls++;
		if (c->recall)
			c->recall(c, p, len);
	}
	return true;
}

/* Wait @ms for a RECALL; false if none comes. */
__attribute__((unused))
static bool hear_recall(struct client *c, unsigned int ms)
{
	u8 in[2048] __attribute__((aligned(8)));
	u64 end = clock_ms() + ms, now;
	u32 n;

	while ((now = clock_ms()) < end) {
		n = hear(c->fd, in, sizeof(in), (unsigned int)(end - now));
		if (n && take_recall(c, in, n))
			return true;
	}
	return false;
}

/* Answer the RECALL called @id. */
__attribute__((unused))
static void client_answer(struct client *c, u64 id)
{
	u8 p[sizeof(struct ebpfs_recalled)];

	EXPECT_EQ(send(c->fd, p, ebpfs_put_recalled(p, c->s.server_session, id), 0), sizeof(p));
}

/* Say BYE, and close. */
__attribute__((unused))
static void client_leave(struct client *c)
{
	struct ebpfs_bye bye;

	EXPECT_EQ(send(c->fd, &bye, ebpfs_hs_make_bye(c->s.server_session, c->s.key, &bye), 0),
		  sizeof(bye));
	client_close(c);
}

/* Wait @ms for the reply of @call, and send data that the server says it lacks.
 * Return: as client_call(). */
static int client_hear(struct client *c, const struct ebpfs_call_info *call, void *buf, u32 size,
		       unsigned int ms)
{
	static u8 in[65536] __attribute__((aligned(8)));
	struct gather g = { 0 };
	struct ebpfs_need_info need;
	u64 end = clock_ms() + ms, session;
	u32 n;

	c->fragments = 0;
	while (clock_ms() < end) {
		n = hear(c->fd, in, sizeof(in), (unsigned int)(end - clock_ms()));
		if (n && take_recall(c, in, n))
			continue;
		if (n && ebpfs_parse_hdr(in, n, &session) == EBPFS_NEED) {
			if (EXPECT(ebpfs_sealed(in, n)) && EXPECT(call->apart) &&
			    EXPECT_EQ(session, c->s.client_session) &&
			    EXPECT_EQ(ebpfs_parse_need(in, &need), 0) && need.id == call->id) {
				c->needs++;
				c->needed = need;
				send_data(c, call, need.cell == c->cell ? need.missing : ~0ull);
			}
		} else if (n && gather(c, call->id, in, n, buf, size, &g)) {
			c->instance = g.first.instance;
			c->flags = g.first.flags;
			return g.first.status ? -g.first.status : (int)g.first.total;
		}
	}
	return -ETIMEDOUT;
}

/**
 * client_call() - one call and its reply
 * @c: client
 * @call: op, body and slot (in id) are set
 * @buf: for the reply
 * @size: most bytes it may have
 *
 * Return: bytes of reply, -error number of the reply, or -ETIMEDOUT.
 */
static int client_call(struct client *c, struct ebpfs_call_info *call, void *buf, u32 size)
{
	int i, ret;

	client_begin(c, call);
	for (i = 0; i < TRIES; i++) {
		call->attempt = (u8)i;
		client_send(c, call);
		if (call->apart && !i)
			send_data(c, call, ~0ull);
		c->repeats += i > 0;
		ret = client_hear(c, call, buf, size, ANSWER_MS);
		if (ret != -ETIMEDOUT)
			return ret;
	}
	return -ETIMEDOUT;
}

/**
 * struct fh - a handle
 * @bytes: of it
 * @len: how many
 */
struct fh {
	u8 bytes[EBPFS_FH_MAX];
	u16 len;
};

__attribute__((unused))
static struct fh root_of(const struct client *c)
{
	struct fh fh = { .len = c->s.root_fh_len };

	memcpy(fh.bytes, c->s.root_fh, fh.len);
	return fh;
}

__attribute__((unused))
static int do_op(struct client *c, u16 op, const struct fh *fh, u64 arg, u32 count, void *buf,
		 u32 size)
{
	struct ebpfs_call_info call = {
		.op = op, .arg = arg, .count = count, .fh = fh->bytes, .fh_len = fh->len,
		.cred = c->cred,
	};

	return client_call(c, &call, buf, size);
}

__attribute__((unused))
static int do_getattr(struct client *c, const struct fh *fh, struct ebpfs_attr *attr)
{
	int n = do_op(c, EBPFS_OP_GETATTR, fh, 0, 0, attr, sizeof(*attr));

	attr->may = 0;	/* not in every reply: ebpfsd_hold.c looks at it */
	return n == sizeof(*attr) ? 0 : n < 0 ? n : -EPROTO;
}

/* A reply of one entry; 0 or -EPROTO. */
__attribute__((unused))
static int take_entry(const u8 *buf, int n, struct fh *fh, struct ebpfs_attr *attr)
{
	struct ebpfs_entry_info e;

	if (!EXPECT_EQ(ebpfs_parse_entry(buf, (u32)n, false, &e), 0) || !EXPECT_EQ(e.len, n))
		return -EPROTO;
	if (fh) {
		memcpy(fh->bytes, e.fh, e.fh_len);
		fh->len = e.fh_len;
	}
	if (attr) {
		*attr = e.attr;
		attr->may = 0;
	}
	return 0;
}

__attribute__((unused))
static int do_lookup(struct client *c, const struct fh *dir, const char *name, struct fh *fh,
		     struct ebpfs_attr *attr)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_LOOKUP, .fh = dir->bytes, .fh_len = dir->len,
		.name = (const u8 *)name, .name_len = (u16)strlen(name), .cred = c->cred,
	};
	u8 buf[1024];
	int n = client_call(c, &call, buf, sizeof(buf));

	return n < 0 ? n : take_entry(buf, n, fh, attr);
}

__attribute__((unused))
static int do_read(struct client *c, const struct fh *fh, u64 offset, u32 count, void *buf)
{
	return do_op(c, EBPFS_OP_READ, fh, offset, count, buf, count);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

static void clean_up(void)
{
	if (daemon_.pid) {
		kill(daemon_.pid, SIGKILL);
		daemon_wait(&daemon_, 10000);
	}
	nftw(work, remove_one, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Find the program, make the work directory and the namespaces. */
__attribute__((unused))
static void set_up(void)
{
	const char *given = getenv("EBPFSD");
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	char self[PATH_MAX];
	ssize_t n;
	int fd;

	if (given) {
		snprintf(program, sizeof(program), "%s", given);
	} else {
		/* This is selftests/build/net/NAME. */
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		self[n > 0 ? n : 0] = '\0';
		for (int i = 0; i < 4 && strrchr(self, '/'); i++)
			*strrchr(self, '/') = '\0';
		snprintf(program, sizeof(program), "%.4000s/userspace/ebpfsd/ebpfsd", self);
	}
	if (access(program, X_OK)) {
		printf("1..0 # SKIP there is no %s\n", program);
		exit(KTAP_EXIT_PASS);
	}
	if (geteuid() || unshare(CLONE_NEWNET | CLONE_NEWNS)) {
		printf("1..0 # SKIP needs root, to make namespaces\n");
		exit(KTAP_EXIT_PASS);
	}
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo)) {
		printf("Bail out! the loopback interface does not come up: %s\n", strerror(errno));
		exit(1);
	}
	close(fd);
	if (!mkdtemp(work)) {
		printf("Bail out! no directory %s: %s\n", work, strerror(errno));
		exit(1);
	}
	atexit(clean_up);
	signal(SIGPIPE, SIG_IGN);
}

/* A clients file with one more line; the secret. */
__attribute__((unused))
static void add_client(const char *path, const char *name, u8 secret[EBPFS_SECRET_LEN])
{
	char text[EBPFS_SECRET_TEXT];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	ebpfs_secret_generate(secret);
	ebpfs_secret_encode(secret, text);
	if (fd < 0 || dprintf(fd, "%s %s\n", name, text) < 0)
		abort();
	close(fd);
}

#endif /* EBPFS_SELFTESTS_EBPFSD_CLIENT_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * Clients that do anything, against the whole of ebpfsd behind its sockets:
 * parsing, sessions, slots, handles, operations, replies (all but main() and
 * the loop around the ring).
 *
 * Demanded of whatever the input is: every datagram that leaves is a right one
 * of a type that servers send, goes to where one came from, and is no longer
 * than what came unless its session was proved; a READ's bytes are the file's;
 * nothing is left over at the end. The linker puts functions of this file
 * between the daemon and some system calls (--wrap): sendmsg() checks, handles
 * and random numbers are the same in every run, what helpers and the ring do
 * happens here, when the input says so, and what would change files does not
 * (change_ebpfsd.c). One thread; a directory with a few files is the only thing
 * outside.
 */
#include <fcntl.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz/ebpfsd.h"
#include "fuzz/must.h"
#include "ebpfsd/handle.h"
#include "ebpfsd/orphan.h"
#include "ebpfsd/serve.h"
#include "ebpfsd/server.h"
#include "ebpfsd/stats.h"
#include "ebpfsd/worker.h"

#define SLOTS	32
#define RING	64

/* Files of the export; the last is a handle that was not made here. */
static const char *const names[] = { ".", "file", "empty", "dir", "link", "fifo", "gone" };
#define NAMES	ARRAY_SIZE(names)
#define FILE_SIZE	150000

static struct {
	ino_t ino;
	u32 mode;
	u8 fh[EBPFS_FH_MAX];
	u16 fh_len;
} known[NAMES];

static struct export export;
static struct server server;
static struct worker *worker;
static struct route here, elsewhere;
static u8 secret[EBPFS_SECRET_LEN];
static int directory;

static struct io_uring_sqe sqes[RING];
static unsigned int sq_head, sq_tail, sq_flags;

/* Of the running input. */
static struct ebpfs_hs_client hs;
static struct ebpfs_hs_session session;
static struct ebpfs_auth auth;
static u64 proved[64];			/* sessions of this input, the client's numbers */
static unsigned int nproved;
static struct job *jobs, **last_job;
static u64 random_state;
static unsigned int cold;
static u64 proved_budget, answered;	/* bytes in and out without a session */
/* What was asked by this session under each id, if @age is ::calls_age and it was
 * always the same (else @op is 0). */
static struct {
	u64 age;
	u64 arg;
	u32 count;
	u8 op;
	u8 handle;
} calls[SLOTS][256];
static u64 calls_age;
static u32 instances[SLOTS];		/* of the last reply in each slot */
static u8 heard[65536] __attribute__((aligned(8)));
static u32 heard_len;

/* A wrong size of a READ is worse than none: what stands in @p is the reply. */
static void check_reply(const u8 *p, u32 len)
{
	u32 i, slot, seq;
	struct ebpfs_frag f;
	u64 left, arg;

	MUST(!ebpfs_parse_reply(p, len, &f));
	slot = EBPFS_ID_SLOT(f.id);
	seq = (u32)EBPFS_ID_SEQ(f.id);
	MUST(slot < SLOTS);
	instances[slot] = f.instance;
	if (f.status || seq > 255 || calls[slot][seq].age != calls_age ||
	    calls[slot][seq].op != EBPFS_OP_READ)
		return;
	/* Of the regular files two are there, and one is empty. */
	arg = calls[slot][seq].arg;
	left = calls[slot][seq].handle == 1 && arg < FILE_SIZE ? FILE_SIZE - arg : 0;
	MUST(f.total == (left < calls[slot][seq].count ? left : calls[slot][seq].count));
	MUST(!(f.flags & EBPFS_REPLY_EOF) == (calls[slot][seq].count < left));
	for (i = 0; i < f.len; i++)
		MUST(p[sizeof(struct ebpfs_reply) + i] == fuzz_pattern(arg + f.offset + i));
}

/* Write down what is asked. Who says two things under one id may mean either. */
static void note_call(u32 slot, u8 seq, u8 op, u8 handle, u64 arg, u32 count)
{
	if (calls[slot][seq].age == calls_age &&
	    (calls[slot][seq].op != op || calls[slot][seq].arg != arg))
		fuzz_honest = false;
	if (calls[slot][seq].age != calls_age) {
		calls[slot][seq].age = calls_age;
		calls[slot][seq].op = op;
		calls[slot][seq].handle = handle;
		calls[slot][seq].arg = arg;
		calls[slot][seq].count = count;
	} else if (calls[slot][seq].op != op || calls[slot][seq].handle != handle ||
		   calls[slot][seq].arg != arg || calls[slot][seq].count != count) {
		/* Another call under the same id: either may be answered. */
		calls[slot][seq].op = 0;
	}
}

static bool is_proved(u64 id)
{
	unsigned int i;

	for (i = 0; i < nproved && i < ARRAY_SIZE(proved); i++)
		if (proved[i] == id)
			return true;
	return false;
}

static void check_datagram(const u8 *p, u32 len)
{
	u64 id;
	int type = ebpfs_parse_hdr(p, len, &id);

	MUST(type > 0 && ebpfs_sealed(p, len) && len <= EBPFS_UDP_PAYLOAD_MAX);
	switch (type) {
	case EBPFS_REPLY:
		MUST(is_proved(id));
		/* Of older sessions the calls were not kept. */
		if (id == session.client_session)
			check_reply(p, len);
		return;
	case EBPFS_PROBE_ACK:
	case EBPFS_NEED:
	case EBPFS_RECALL:
		MUST(is_proved(id));
		return;
	case EBPFS_CHALLENGE:
	case EBPFS_ACCEPT:
	case EBPFS_REJECT:
	case EBPFS_UNKNOWN:
		answered += len;
		MUST(answered <= proved_budget);
		return;
	default:
		MUST(!"a type that servers send");
	}
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	static u8 whole[65536] __attribute__((aligned(8))), one[65536] __attribute__((aligned(8)));
	u32 len = 0, pos, segment;
	struct cmsghdr *c;
	size_t i;

	(void)flags;
	MUST(fd == here.listener->fd);
	MUST(msg->msg_namelen == sizeof(here.to.in));
	for (i = 0; i < msg->msg_iovlen; i++) {
		MUST(len + msg->msg_iov[i].iov_len <= EBPFS_UDP_PAYLOAD_MAX);
		memcpy(whole + len, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
		len += (u32)msg->msg_iov[i].iov_len;
	}
	segment = len;
	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
			segment = *(u16 *)CMSG_DATA(c);
	MUST(segment && (len + segment - 1) / segment <= 64);
	for (pos = 0; pos < len; pos += segment) {
		heard_len = len - pos < segment ? len - pos : segment;
		memcpy(one, whole + pos, heard_len);
		check_datagram(one, heard_len);
	}
	memcpy(heard, one, heard_len);
	return (ssize_t)len;
}

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
	u8 *p = buf;
	size_t i;

	(void)flags;
	for (i = 0; i < len; i++) {
		random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
		p[i] = (u8)(random_state >> 56);
	}
	return (ssize_t)len;
}

int __wrap_name_to_handle_at(int fd, const char *path, struct file_handle *h, int *mount_id,
			     int flags);
int __wrap_name_to_handle_at(int fd, const char *path, struct file_handle *h, int *mount_id,
			     int flags)
{
	struct stat st;
	u32 i;

	MUST(flags == (*path ? 0 : AT_EMPTY_PATH) && h->handle_bytes >= sizeof(i));
	if (*path && fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW))
		return -1;
	MUST(*path || !fstat(fd, &st));
	*mount_id = 1;
	for (i = 0; i < NAMES && known[i].ino != st.st_ino; i++)
		;
	/* One just made without a name. */
	if (i == NAMES && S_ISREG(st.st_mode) && !st.st_nlink) {
		errno = EOPNOTSUPP;
		return -1;
	}
	MUST(i < NAMES);
	h->handle_bytes = sizeof(i);
	h->handle_type = 1;
	memcpy(h->f_handle, &i, sizeof(i));
	return 0;
}

int __wrap_open_by_handle_at(int mount_fd, struct file_handle *h, int flags);
int __wrap_open_by_handle_at(int mount_fd, struct file_handle *h, int flags)
{
	u32 i;

	/* Only handles with our MAC come this far. */
	MUST(mount_fd == directory && h->handle_bytes == sizeof(i) && h->handle_type == 1);
	memcpy(&i, h->f_handle, sizeof(i));
	MUST(i < NAMES);
	if (flags & O_PATH)
		return openat(directory, names[i], flags);
	/* Opened is what is a regular file, or, for its lock, a directory. */
	MUST(flags & O_NONBLOCK);
	MUST(S_ISREG(known[i].mode) || (S_ISDIR(known[i].mode) && flags & O_DIRECTORY));
	return openat(directory, names[i], flags);
}

ssize_t __real_preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	struct iovec half = { iov->iov_base, iov->iov_len / 2 };

	MUST(n == 1 && flags == RWF_NOWAIT);
	if (cold == 1 || (cold == 2 && !half.iov_len)) {
		errno = EAGAIN;
		return -1;
	}
	/* Whether this file's pages are in memory is not the input's choice. */
	return __real_preadv2(fd, cold == 2 ? &half : iov, 1, offset, 0);
}

bool helpers_resume(struct helpers *h, struct job *job)
{
	return helpers_submit(h, job);
}

bool helpers_submit(struct helpers *h, struct job *job)
{
	(void)h;
	job->next = NULL;
	*last_job = job;
	last_job = &job->next;
	return true;
}

/* The ring is memory here: nobody takes what is in it but do_jobs(). */
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring)
{
	(void)ring;
	return 0;
}

static void do_jobs(u8 flags)
{
	unsigned int left = 1000;

again:
	while (owners_work(&server.owners))
		;
	while (jobs) {
		struct job *job = jobs;

		jobs = job->next;
		if (!jobs)
			last_job = &jobs;
		job_run(&server, job);
	}
	while (sq_head != worker->ring.sq.sqe_tail) {
		const struct io_uring_sqe sqe = sqes[sq_head++ % RING];
		struct job *job = (struct job *)(uintptr_t)sqe.user_data;
		ssize_t n;

		MUST(sqe.opcode == IORING_OP_READ && sqe.len <= EBPFS_MSG_MAX);
		MUST(left--);
		if (flags & FUZZ_ERROR) {
			n = -EIO;
		} else if (flags & FUZZ_AGAIN) {
			n = -EINTR;
			flags &= ~FUZZ_AGAIN;
		} else {
			u32 len = flags & FUZZ_SHORT && sqe.len > 1 ? sqe.len / 2 : sqe.len;

			n = pread(sqe.fd, (void *)(uintptr_t)sqe.addr, len, (off_t)sqe.off);
		}
		serve_read_done(worker, job, (int)n);
	}
	if (jobs)
		goto again;
	MUST(!worker->reads);
}

static void fake_ring(struct io_uring *ring)
{
	memset(ring, 0, sizeof(*ring));
	sq_head = 0;
	sq_tail = 0;
	ring->sq.khead = &sq_head;
	ring->sq.ktail = &sq_tail;
	ring->sq.kflags = &sq_flags;
	ring->sq.sqes = sqes;
	ring->sq.ring_mask = RING - 1;
	ring->sq.ring_entries = RING;
}

int __real_mkdirat(int dir, const char *name, mode_t mode);
int __real_symlinkat(const char *target, int dir, const char *name);
int __real_unlinkat(int dir, const char *name, int flags);

static void make_files(void)
{
	static u8 data[FILE_SIZE];
	char path[] = "/tmp/fuzz-ebpfsd-XXXXXX";
	size_t i;
	int fd;

	MUST(mkdtemp(path));
	directory = open(path, O_RDONLY | O_DIRECTORY);
	MUST(directory >= 0);
	for (i = 0; i < FILE_SIZE; i++)
		data[i] = fuzz_pattern(i);
	fd = openat(directory, "file", O_WRONLY | O_CREAT, 0644);
	MUST(write(fd, data, FILE_SIZE) == FILE_SIZE);
	close(fd);
	close(openat(directory, "empty", O_WRONLY | O_CREAT, 0644));
	MUST(!__real_mkdirat(directory, "dir", 0755));
	MUST(!__real_symlinkat("nowhere", directory, "link"));
	MUST(!mkfifoat(directory, "fifo", 0644));
	close(openat(directory, "gone", O_WRONLY | O_CREAT, 0644));
}

static void remove_files(void)
{
	char path[64], link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
	n = readlink(link, path, sizeof(path) - 1);
	for (size_t i = 1; i < NAMES; i++)
		__real_unlinkat(directory, names[i], i == 3 ? AT_REMOVEDIR : 0);
	if (n > 0) {
		path[n] = '\0';
		rmdir(path);
	}
}

static void make_export(void)
{
	struct statx sx;
	struct stat st;
	size_t i;

	MUST(!statx(directory, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
	strcpy(export.name, "/data");
	handle_export_keys(secret, export.name, &export);
	export.id = handle_export_id(export.name);
	export.root = directory;
	export.local = true;
	export.writable = true;
	export.dev_major = sx.stx_dev_major;
	export.dev_minor = sx.stx_dev_minor;
	export.root_ino = sx.stx_ino;
	export.clients = "*";
	for (i = 0; i < NAMES; i++) {
		MUST(!fstatat(directory, names[i], &st, AT_SYMLINK_NOFOLLOW));
		known[i].ino = st.st_ino;
		known[i].mode = st.st_mode;
	}
	for (i = 0; i < NAMES; i++) {
		int fd = openat(directory, names[i], O_PATH | O_NOFOLLOW);
		int len = handle_make(&export, fd, known[i].mode, known[i].fh);

		MUST(len > 0);
		known[i].fh_len = (u16)len;
		close(fd);
	}
	memcpy(export.root_fh, known[0].fh, known[0].fh_len);
	export.root_fh_len = known[0].fh_len;
	/* The last exists no more. */
	__real_unlinkat(directory, "gone", 0);
	server.exports.list = &export;
	server.exports.count = 1;
	server.proc_fds = directory;
}

static void write_clients(const char *name)
{
	char path[] = "/tmp/fuzz-clients-XXXXXX", text[128];
	int fd = mkstemp(path), n;

	/* The base64 of 32 bytes 0. */
	n = snprintf(text, sizeof(text), "%s %.43s=\n", name,
		     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	MUST(fd >= 0 && write(fd, text, (size_t)n) == n);
	close(fd);
	MUST(!clients_read(&server.clients, path, handshake_clock()));
	unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	make_files();
	atexit(remove_files);
	make_export();
	MUST(!clients_init(&server.clients));
	worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~63ul);
	MUST(worker);
	here.listener = elsewhere.listener = &worker->listeners[0];
	here.to.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(1000),
					   .sin_addr.s_addr = htonl(0x0a000001) };
	elsewhere.to = here.to;
	elsewhere.to.in.sin_port = htons(1001);
	return 0;
}

/* What one receive brings, in memory of exactly its size: datagrams of @segment bytes each
 * but the last, or, if that is 0, one. */
static void deliver_segments(const void *p, u32 len, u32 segment, u8 flags)
{
	u8 *copy = malloc(len ? len : 1);

	memcpy(copy, p, len);
	proved_budget += len;
	heard_len = 0;
	receive_datagrams(worker, flags & FUZZ_ELSEWHERE ? &elsewhere : &here, copy, len,
			  segment);
	free(copy);
	replies_send(&worker->replies);
}

static void deliver(const void *p, u32 len, u8 flags)
{
	deliver_segments(p, len, 0, flags);
}

static void join(u8 flags)
{
	struct ebpfs_hello hello;
	u32 len;

	memset(&hs, 0, sizeof(hs));
	memcpy(hs.secret, secret, sizeof(secret));
	strcpy((char *)hs.client, "alice");
	strcpy((char *)hs.export, "/data");
	hs.sec = EBPFS_SEC_CRC;
	hs.features = EBPFS_FEAT_ALL;
	hs.slots = SLOTS;
	hs.owner = flags & FUZZ_OTHER ? 2 : 1;
	__wrap_getrandom(&hs.session, sizeof(hs.session), 0);
	__wrap_getrandom(hs.nonce, sizeof(hs.nonce), 0);
	__wrap_getrandom(hs.ephemeral, sizeof(hs.ephemeral), 0);
	hs.session |= 1;
	len = ebpfs_hs_hello(&hs, &hello);
	deliver(&hello, len, flags);
	MUST(heard_len);
	MUST(ebpfs_hs_challenge(&hs, heard, heard_len, &auth) == sizeof(auth));
	deliver(&auth, sizeof(auth), flags);
	/* Not if the client was revoked. */
	MUST(heard_len);
	if (!ebpfs_hs_accept(&hs, heard, heard_len, &session)) {
		proved[nproved++ % ARRAY_SIZE(proved)] = session.client_session;
		calls_age++;
		memset(instances, 0, sizeof(instances));
	}
}

static void raw(const struct fuzz_record *r, const u8 *bytes)
{
	static u8 p[65536];
	struct ebpfs_hdr *h = (struct ebpfs_hdr *)p;
	u32 slot, seq;

	memcpy(p, bytes, r->len);
	if (r->len >= sizeof(*h)) {
		if (r->flags & FUZZ_MEND_HEAD) {
			h->magic = cpu_to_le16(EBPFS_MAGIC);
			h->version = EBPFS_VERSION;
		}
		if (r->flags & FUZZ_MEND_SESSION)
			h->session = cpu_to_le64(session.server_session);
		if (r->flags & FUZZ_MEND_CRC)
			ebpfs_seal(p, r->len);
	}
	/* What this asks for is not written down: nothing is known from here. */
	fuzz_honest = false;
	for (slot = 0; slot < SLOTS; slot++)
		for (seq = 0; seq < 256; seq++)
			calls[slot][seq] = (typeof(calls[0][0])){ .age = calls_age };
	deliver(p, r->len, r->flags);
}

static u8 datagram[3 * 65536];
static u32 datagram_len;
static u16 datagram_calls;

static bool writes(u8 op)
{
	return op == EBPFS_OP_WRITE || op == EBPFS_OP_WRITEATTR;
}

/* @len bytes of data from @at on: of a WRITE at @offset, or as the input has them. */
static void make_data(u8 op, u64 offset, u32 at, const u8 *bytes, u32 nbytes, u8 *to, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++, at++) {
		if (writes(op))
			to[i] = fuzz_pattern(offset + at);
		else
			to[i] = at < nbytes ? bytes[at] : 0;
	}
}

/* The new name that @bytes are, in a known directory; returns the target's bytes. */
static u32 make_target(const struct fuzz_record *r, const u8 *bytes, u32 nbytes, u8 *to)
{
	struct ebpfs_target_info t = {
		.fh = known[r->count % NAMES].fh, .fh_len = known[r->count % NAMES].fh_len,
		.name = bytes, .name_len = nbytes < EBPFS_NAME_MAX ? nbytes : EBPFS_NAME_MAX,
	};

	return ebpfs_put_target(to, &t);
}

/* Fragments of the data of a call. */
static void data(const struct fuzz_record *r, const u8 *bytes)
{
	static u8 p[65536 + EBPFS_CELLS_MAX * sizeof(struct ebpfs_data)];
	u32 total = writes(r->op) ? r->data % (EBPFS_MSG_MAX + 1) : r->len;
	u16 cell = (u16)(r->cell * 8);
	struct ebpfs_frag f = {
		.session = session.server_session, .id = EBPFS_ID(r->slot % SLOTS, r->seq),
		.total = total, .offset = (u32)r->handle * cell, .cell = cell,
		.attempt = r->attempt,
	};
	u32 n = r->flags & FUZZ_MORE ? r->count % EBPFS_CELLS_MAX + 1 : 1;
	u32 i, head = 0, len = 0;

	if (f.offset >= total)
		return;
	if (calls[r->slot % SLOTS][r->seq].age == calls_age)
		note_call(r->slot % SLOTS, r->seq, r->op,
			  calls[r->slot % SLOTS][r->seq].handle, r->arg,
			  calls[r->slot % SLOTS][r->seq].count);
	else
		note_call(r->slot % SLOTS, r->seq, r->op, 0, r->arg, 0);
	for (i = 0; i < n && f.offset < total && len + cell < 65536; i++, f.offset += cell) {
		head = ebpfs_put_data(p + len, &f);
		f.len = total - f.offset < cell ? total - f.offset : cell;
		make_data(r->op, r->arg, f.offset, bytes, r->len, p + len + head, f.len);
		if (!(r->want >> i & 1))
			ebpfs_seal(p + len, head + f.len);
		len += head + f.len;
	}
	deliver_segments(p, len, i > 1 ? head + cell : 0, r->flags);
}

static void call(const struct fuzz_record *r, const u8 *bytes)
{
	static u8 inlined[EBPFS_MSG_MAX], attr[sizeof(struct ebpfs_setattr)];
	const struct ebpfs_op_traits *t = ebpfs_op_traits(r->op);
	struct ebpfs_call_info c = {
		.id = EBPFS_ID(r->slot % SLOTS, r->seq), .want = r->want, .op = r->op,
		.cell = (u16)(r->cell * 8), .attempt = r->attempt, .arg = r->arg,
		.count = r->count, .name = bytes, .cred = !!(r->flags & FUZZ_USER),
	};
	u16 name_len = r->name_len < r->len ? r->name_len : r->len;
	u32 slot = r->slot % SLOTS;
	bool reuse = r->flags & FUZZ_REUSE && datagram_len;

	c.instance = r->instance == 1 ? instances[slot] : r->instance;
	c.fh = known[r->handle % NAMES].fh;
	c.fh_len = known[r->handle % NAMES].fh_len;
	if (t && !(t->flags & EBPFS_TRAIT_FH))
		c.fh_len = 0;
	if (t && t->flags & (EBPFS_TRAIT_NAME | EBPFS_TRAIT_XATTR))
		c.name_len = name_len;
	else
		name_len = 0;
	if (t && t->flags & EBPFS_TRAIT_ONCE)
		c.op_id = 1ull + c.id;
	if (t && t->flags & EBPFS_TRAIT_ATTR) {
		memset(attr, 0, sizeof(attr));
		memcpy(attr, bytes, r->len < sizeof(attr) ? r->len : sizeof(attr));
		c.attr = attr;
	}
	if (t && t->data_max) {
		c.apart = r->flags & FUZZ_APART;
		c.data_len = writes(r->op) ? r->data % (EBPFS_MSG_MAX + 1) : r->len - name_len;
		if (r->flags & FUZZ_TARGET && !writes(r->op) && !c.apart) {
			c.data_len = make_target(r, bytes + name_len, r->len - name_len, inlined);
			c.data = inlined;
		} else if (!c.apart) {
			if (c.data_len > 60000)
				c.data_len = 60000;
			make_data(r->op, r->arg, 0, bytes + name_len, r->len - name_len, inlined,
				  c.data_len);
			c.data = inlined;
		}
	}
	if (datagram_len + ebpfs_call_size(&c, false) > EBPFS_UDP_PAYLOAD_MAX) {
		datagram_len = 0;
		datagram_calls = 0;
		reuse = false;
	}
	if (!datagram_len)
		datagram_len = ebpfs_put_calls(datagram, session.server_session, 0, c.cell);
	datagram_len += ebpfs_put_call(datagram + datagram_len, &c, reuse);
	datagram_calls++;
	/* Whose handle is reused, this does not know. */
	note_call(slot, r->seq, reuse ? 0 : r->op, r->handle % NAMES, r->arg, r->count);
	if (r->flags & FUZZ_MORE && datagram_len < 40000)
		return;
	((struct ebpfs_calls *)datagram)->count = cpu_to_le16(datagram_calls);
	ebpfs_seal(datagram, datagram_len);
	deliver(datagram, datagram_len, r->flags);
	datagram_len = 0;
	datagram_calls = 0;
}

static void act(const struct fuzz_record *r, const u8 *bytes)
{
	static u8 p[65536];
	struct ebpfs_bye bye;
	u32 len;

	switch (r->kind % FUZZ_KINDS) {
	case FUZZ_RAW:
		raw(r, bytes);
		break;
	case FUZZ_CALL:
		call(r, bytes);
		break;
	case FUZZ_JOIN:
		join(r->flags);
		break;
	case FUZZ_AUTH:
		((u8 *)&auth)[r->arg % sizeof(auth)] ^= r->seq;
		ebpfs_seal(&auth, sizeof(auth));
		deliver(&auth, sizeof(auth), r->flags);
		break;
	case FUZZ_PROBE:
		len = r->count % EBPFS_UDP_PAYLOAD_MAX;
		if (len < sizeof(struct ebpfs_probe))
			len = sizeof(struct ebpfs_probe);
		ebpfs_put_probe(p, EBPFS_PROBE, session.server_session, r->seq, len);
		deliver(p, len, r->flags);
		break;
	case FUZZ_BYE:
		len = ebpfs_hs_make_bye(session.server_session, session.key, &bye);
		deliver(&bye, len, r->flags);
		break;
	case FUZZ_TIME:
		worker->now += r->arg % (2 * SESSION_IDLE);
		files_tick(&server.files, worker->now);
		sessions_tick(&server.sessions, worker->now);
		owners_tick(&server.owners, worker->now);
		break;
	case FUZZ_JOBS:
		do_jobs(r->flags);
		break;
	case FUZZ_COLD:
		cold = r->flags % 3;
		fuzz_half = cold == 2;
		break;
	case FUZZ_DATA:
		data(r, bytes);
		break;
	case FUZZ_REVOKE:
		write_clients(r->flags & 1 ? "alice" : "bob");
		sessions_revoke(&server.sessions);
		owners_revoke(&server.owners, &server.clients);
		break;
	}
	MUST(fuzz_acts_as_itself());
	if (sessions_over_budget(&server.sessions))
		sessions_reclaim(&server.sessions, worker->now);
}

static void begin(void)
{
	random_state = 1;
	cold = 0;
	fuzz_honest = true;
	fuzz_half = false;
	nproved = 0;
	proved_budget = 0;
	answered = 0;
	datagram_len = 0;
	datagram_calls = 0;
	jobs = NULL;
	last_job = &jobs;
	calls_age++;
	memset(&session, 0, sizeof(session));
	memset(&auth, 0, sizeof(auth));
	memset(worker, 0, sizeof(*worker));
	worker->srv = &server;
	worker->now = 100000;
	worker->listeners[0].fd = 12345;
	worker->listeners[0].family = AF_INET;
	fake_ring(&worker->ring);
	server.instance = 7;
	server.verifier = 7;
	write_clients("alice");
	MUST(!files_init(&server.files, 64));
	MUST(!sessions_init(&server.sessions, &server.clients, 4, 200000));
	owners_init(&server.owners, &server, 4, 30);
	locks_init(&server.locks, 8, 8);
	server.owners.drop_locks = locks_drop;
	MUST(!holds_init(&server.holds, &server, 30000, 64, 1024));
	server.owners.drop_holds = holds_drop;
	server.files.held = orphan_open;
	server.files.kept = orphan_kept;
	server.files.last_arg = &server;
	join(0);
	MUST(nproved);
}

static void end(void)
{
	struct stats sum;

	do_jobs(0);
	MUST(holds_stop(&server.holds, NULL));
	worker_forget_sessions(worker);
	sessions_fini(&server.sessions);
	MUST(!server.sessions.reply_bytes && !server.sessions.data_bytes);
	locks_fini(&server.locks);
	MUST(!server.locks.fds && !server.locks.ranges);
	owners_fini(&server.owners);
	holds_fini(&server.holds);
	orphans_stop();
	files_fini(&server.files);
	stats_sum(&sum);
	MUST(sum.files_opened == sum.files_closed);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_record r;

	begin();
	while (size >= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		data += sizeof(r);
		size -= sizeof(r);
		if (r.len > size)
			r.len = (u16)size;
		act(&r, data);
		data += r.len;
		size -= r.len;
	}
	end();
	return 0;
}

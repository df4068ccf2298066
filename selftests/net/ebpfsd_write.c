// SPDX-License-Identifier: GPL-2.0
/*
 * Data on their way into ebpfsd: in the CALL or apart, in any order, lost, early,
 * twice, cut anew, damaged; and what WRITE and COMMIT promise. What was written is
 * looked at on the server's side.
 *
 * timeout: 180
 * native
 *
 * Each test of the data's way runs on an export on disk, whose WRITEs go through
 * helper threads, and on one in memory, whose WRITEs are executed at once.
 */
#include <sys/statfs.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define EXCL	EBPFS_CREATE_EXCL
#define BIG	60000

static u8 secret[EBPFS_SECRET_LEN];
static struct client c, disk, memory;
static const char *where;		/* the directory of c's export */
static u8 data[65536], other[65536], buf[65536] __attribute__((aligned(8)));
static struct ebpfs_written written;
static const char *daemon_args[] = { "-c", NULL, NULL };

static bool join(struct client *client, const char *export)
{
	client_init(client, ADDR, "alice", secret, export);
	client->cell = 4096;
	return EXPECT_EQ(client_join(client), 0);
}

/* A new empty file. */
static struct fh new_file(const char *name)
{
	struct fh root = root_of(&c), fh = { .len = 0 };

	do_remove(&c, &root, name, EBPFS_REMOVE_FILE);
	EXPECT_EQ(do_create(&c, &root, name, S_IFREG | 0644, 0, EXCL, &fh, NULL), 0);
	return fh;
}

/* Does the server's file @name have @want at @offset, and end there? */
static void has(const char *name, u64 offset, const void *want, u32 len)
{
	int fd = open(at("%s/%s", where, name), O_RDONLY);
	static u8 got[65537];

	EXPECT_EQ(pread(fd, got, sizeof(got), (off_t)offset), len);
	EXPECT_MEM(got, want, len);
	close(fd);
}

/* A WRITE of @len bytes that come apart. */
static void prepare_apart(struct ebpfs_call_info *call, const struct fh *fh, const u8 *from,
			  u32 len)
{
	*call = (struct ebpfs_call_info){
		.op = EBPFS_OP_WRITE, .fh = fh->bytes, .fh_len = fh->len, .data = from,
		.data_len = len, .apart = true,
	};
	client_begin(&c, call);
}

/* What the server sends within SILENCE_MS: NEED, or nothing (0). */
static u64 need_heard(struct ebpfs_need_info *need)
{
	u64 session;
	u32 n = hear(c.fd, buf, sizeof(buf), SILENCE_MS);

	if (!n)
		return 0;
	if (!EXPECT_EQ(ebpfs_parse_hdr(buf, n, &session), EBPFS_NEED) ||
	    !EXPECT(ebpfs_sealed(buf, n)) || !EXPECT_EQ(ebpfs_parse_need(buf, need), 0))
		return 0;
	return need->missing;
}

static bool answered(const struct ebpfs_call_info *call)
{
	return EXPECT_EQ(client_hear(&c, call, &written, sizeof(written), 2000),
			 sizeof(written)) &&
	       EXPECT_EQ(le32_to_cpu(written.count), call->data_len);
}

/* The reply leaves before its call's memory is freed. */
static void no_data_is_left(void)
{
	u64 end = clock_ms() + 1000;
	long long left;

	while ((left = daemon_stat(&daemon_, "data_bytes")) && clock_ms() < end)
		nap(1);
	EXPECT_EQ(left, 0);
}

static void written_bytes_are_there(void)
{
	struct fh fh = new_file("bytes");
	struct ebpfs_written w, v;
	struct ebpfs_attr attr;

	EXPECT_EQ(do_write(&c, &fh, 0, data, 1000, EBPFS_WRITE_UNSTABLE, false, &w), 0);
	EXPECT_EQ(le32_to_cpu(w.count), 1000);
	EXPECT_EQ(le64_to_cpu(w.attr.size), 1000);
	EXPECT_EQ(do_getattr(&c, &fh, &attr), 0);
	EXPECT_MEM(&w.attr, &attr, sizeof(attr));
	has("bytes", 0, data, 1000);
	nap(20);
	EXPECT_EQ(do_write(&c, &fh, 500, data + 5000, 20000, EBPFS_WRITE_STABLE, false, &v), 0);
	EXPECT_EQ(v.before, w.attr.change);
	EXPECT(v.attr.change != v.before);
	EXPECT_EQ(v.verifier, w.verifier);
	EXPECT_EQ(le64_to_cpu(v.verifier), c.s.server_instance);
	EXPECT_EQ(do_read(&c, &fh, 0, 500, buf), 500);
	EXPECT_MEM(buf, data, 500);
	has("bytes", 500, data + 5000, 20000);
	/* Far behind the end. */
	EXPECT_EQ(do_write(&c, &fh, 1ull << 33, "end", 3, EBPFS_WRITE_UNSTABLE, false, &v), 0);
	EXPECT_EQ(le64_to_cpu(v.attr.size), (1ull << 33) + 3);
	EXPECT_EQ(do_read(&c, &fh, (1ull << 33) - 2, 100, buf), 5);
	EXPECT_MEM(buf, "\0\0end", 5);
	EXPECT_EQ(do_commit(&c, &fh, &w), 0);
	EXPECT_EQ(w.verifier, v.verifier);
	EXPECT_EQ(w.attr.change, v.attr.change);
	EXPECT_EQ(w.before, v.attr.change);
	EXPECT_EQ(do_truncate(&c, &fh, 7), 0);
	has("bytes", 0, data, 7);
}

/* With attributes: they are set when the bytes are there. */
static void written_bytes_with_attributes(void)
{
	struct ebpfs_setattr a = {
		.valid = cpu_to_le32(EBPFS_SET_MODE | EBPFS_SET_MTIME | EBPFS_SET_ATIME |
				     EBPFS_SET_UID | EBPFS_SET_GID),
		.mode = cpu_to_le32(0755), .mtime = cpu_to_le64(1234567890),
		.mtime_ns = cpu_to_le32(987654321), .atime = cpu_to_le64(1000000000),
	};
	struct fh fh = new_file("attributes");
	struct ebpfs_written w, v;
	struct ebpfs_attr attr;
	struct stat st;

	EXPECT_EQ(do_write(&c, &fh, 0, data, 10, EBPFS_WRITE_STABLE, false, &v), 0);
	EXPECT_EQ(do_writeattr(&c, &fh, 10, data + 10, 1003, false, &a, &w), 0);
	EXPECT_EQ(w.before, v.attr.change);
	EXPECT_EQ(w.verifier, v.verifier);
	EXPECT_EQ(le32_to_cpu(w.count), 1003);
	EXPECT_EQ(le32_to_cpu(w.attr.mode), S_IFREG | 0755);
	EXPECT_EQ(le64_to_cpu(w.attr.mtime), 1234567890);
	EXPECT_EQ(le32_to_cpu(w.attr.mtime_ns), 987654321);
	EXPECT_EQ(do_getattr(&c, &fh, &attr), 0);
	EXPECT_MEM(&w.attr, &attr, sizeof(attr));
	EXPECT_EQ(stat(at("%s/attributes", where), &st), 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0755);
	EXPECT_EQ(st.st_mtim.tv_sec, 1234567890);
	EXPECT_EQ(st.st_mtim.tv_nsec, 987654321);
	EXPECT_EQ(st.st_atim.tv_sec, 1000000000);
	EXPECT_EQ(st.st_size, 1013);

	/* The data apart; some attributes only. */
	a.valid = cpu_to_le32(EBPFS_SET_MTIME);
	a.mtime = cpu_to_le64(5);
	nap(20);
	EXPECT_EQ(do_writeattr(&c, &fh, 0, data, BIG, true, &a, &v), 0);
	EXPECT_EQ(v.before, w.attr.change);
	EXPECT(v.attr.change != v.before);
	EXPECT_EQ(le64_to_cpu(v.attr.mtime), 5);
	EXPECT_EQ(le32_to_cpu(v.attr.mode), S_IFREG | 0755);
	EXPECT_EQ(le64_to_cpu(v.attr.atime), 1000000000);
	has("attributes", 0, data, BIG);

	/* None: that is a WRITE. */
	a.valid = 0;
	EXPECT_EQ(do_writeattr(&c, &fh, 0, "none", 4, false, &a, &v), 0);
	EXPECT(le64_to_cpu(v.attr.mtime) != 5);
	memcpy(buf, data, BIG);
	memcpy(buf, "none", 4);
	has("attributes", 0, buf, BIG);
}

/* What cannot be asked for is refused before anything is done. */
static void attributes_that_cannot_be_set(void)
{
	struct ebpfs_setattr a = { .valid = cpu_to_le32(EBPFS_SET_SIZE) };
	struct fh fh = new_file("refused"), root = root_of(&c), fifo;
	struct stat st;
	u32 cred;

	EXPECT_EQ(do_writeattr(&c, &fh, 0, "size", 4, false, &a, NULL), -EINVAL);
	a.valid = cpu_to_le32(EBPFS_SET_ALL + 1);
	EXPECT_EQ(do_writeattr(&c, &fh, 0, "bits", 4, false, &a, NULL), -EINVAL);
	a.valid = cpu_to_le32(EBPFS_SET_MTIME | EBPFS_SET_MTIME_NOW);
	EXPECT_EQ(do_writeattr(&c, &fh, 0, "both", 4, false, &a, NULL), -EINVAL);
	a.valid = cpu_to_le32(EBPFS_SET_UID);
	a.uid = cpu_to_le32(~0u);
	EXPECT_EQ(do_writeattr(&c, &fh, 0, "none", 4, false, &a, NULL), -EINVAL);
	has("refused", 0, "", 0);
	a.valid = cpu_to_le32(EBPFS_SET_MODE);
	EXPECT_EQ(do_writeattr(&c, &root, 0, "dir", 3, false, &a, NULL), -EISDIR);
	EXPECT_EQ(do_create(&c, &root, "fifo-too", S_IFIFO | 0600, 0, EXCL, &fifo, NULL), 0);
	EXPECT_EQ(do_writeattr(&c, &fifo, 0, "x", 1, false, &a, NULL), -EINVAL);
	EXPECT_EQ(do_remove(&c, &root, "fifo-too", EBPFS_REMOVE_FILE), 0);

	/* Who may write need not be who may set attributes: then the bytes are there. */
	EXPECT_EQ(do_chmod(&c, &fh, 0666), 0);
	EXPECT_EQ(do_cred(&c, 7, 1234, 1234, NULL, 0), 0);
	cred = c.cred;
	c.cred = 7;
	a.mode = cpu_to_le32(0777);
	EXPECT_EQ(do_writeattr(&c, &fh, 0, "bytes", 5, false, &a, NULL), -EPERM);
	c.cred = cred;
	has("refused", 0, "bytes", 5);
	EXPECT_EQ(stat(at("%s/refused", where), &st), 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0666);
}

static void data_come_apart_in_any_length(void)
{
	static const u32 lengths[] = { 1, 4095, 4096, 4097, 8192, BIG, EBPFS_MSG_MAX };
	static const u16 cells[] = { 1024, 4096, 8192, 65456 };
	struct fh fh = new_file("apart");
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (j = 0; j < ARRAY_SIZE(cells); j++) {
			c.cell = cells[j];
			EXPECT_EQ(do_truncate(&c, &fh, 0), 0);
			EXPECT_EQ(do_write(&c, &fh, 0, data + j, lengths[i] - (j && lengths[i] > 4),
					   EBPFS_WRITE_UNSTABLE, true, &written), 0);
			has("apart", 0, data + j, lengths[i] - (j && lengths[i] > 4));
		}
	}
	c.cell = 4096;
}

static void data_come_in_any_order(void)
{
	struct fh fh = new_file("order");
	struct ebpfs_call_info call;
	int i;

	prepare_apart(&call, &fh, data, BIG);
	client_send(&c, &call);
	for (i = 14; i >= 0; i--)
		send_data(&c, &call, 1ull << (i * 7 % 15));
	EXPECT(answered(&call));
	has("order", 0, data, BIG);
}

static void data_come_before_their_call(void)
{
	struct fh fh = new_file("early");
	struct ebpfs_call_info call;
	struct ebpfs_need_info need;

	prepare_apart(&call, &fh, data, BIG);
	send_data(&c, &call, ~0ull);
	EXPECT(!need_heard(&need));
	client_send(&c, &call);
	EXPECT(answered(&call));
	has("early", 0, data, BIG);
	/* Some before, some after. */
	prepare_apart(&call, &fh, other, BIG);
	send_data(&c, &call, 0x5555);
	client_send(&c, &call);
	EXPECT(!need_heard(&need));
	send_data(&c, &call, 0xaaaa);
	EXPECT(answered(&call));
	has("early", 0, other, BIG);
}

static void lost_data_are_asked_for(void)
{
	struct fh fh = new_file("lost");
	struct ebpfs_call_info call;
	struct ebpfs_need_info need;

	prepare_apart(&call, &fh, data, BIG);
	client_send(&c, &call);
	send_data(&c, &call, ~0x0888ull);
	/* A first attempt is not answered: the data are on their way. */
	EXPECT(!need_heard(&need));
	call.attempt = 1;
	client_send(&c, &call);
	EXPECT_EQ(need_heard(&need), 0x0888);
	EXPECT_EQ(need.id, call.id);
	EXPECT_EQ(need.cell, 4096);
	EXPECT_EQ(need.attempt, 1);
	send_data(&c, &call, 0x0880);
	call.attempt = 2;
	client_send(&c, &call);
	EXPECT_EQ(need_heard(&need), 0x0008);
	EXPECT_EQ(need.attempt, 2);
	send_data(&c, &call, 0x0008);
	EXPECT(answered(&call));
	has("lost", 0, data, BIG);

	/* All of them, and the call, too. */
	prepare_apart(&call, &fh, other, BIG);
	call.attempt = 1;
	client_send(&c, &call);
	EXPECT_EQ(need_heard(&need), ~0ull);
	EXPECT_EQ(need.cell, 0);
	send_data(&c, &call, ~0ull);
	EXPECT(answered(&call));
	has("lost", 0, other, BIG);
}

static void data_may_be_cut_anew(void)
{
	struct fh fh = new_file("cut");
	struct ebpfs_call_info call;
	struct ebpfs_need_info need;

	prepare_apart(&call, &fh, data, BIG);
	client_send(&c, &call);
	send_data(&c, &call, 0x7ffe);
	call.attempt = 1;
	c.cell = 2048;
	client_send(&c, &call);
	EXPECT_EQ(need_heard(&need), 1);
	EXPECT_EQ(need.cell, 4096);
	send_data(&c, &call, 0xfffff);
	/* What was cut by the old grid comes late, and must not be mixed in. */
	c.cell = 4096;
	call.attempt = 0;
	call.data = other;
	send_data(&c, &call, ~0ull);
	call.data = data;
	call.attempt = 2;
	c.cell = 2048;
	client_send(&c, &call);
	EXPECT_EQ(need_heard(&need), ebpfs_cell_set(30) & ~0xfffffull);
	send_data(&c, &call, need.missing);
	EXPECT(answered(&call));
	has("cut", 0, data, BIG);
	c.cell = 4096;
}

/* Nor are they written again when they come again. */
static void data_come_twice(void)
{
	struct fh fh = new_file("twice");
	long long twice = daemon_stat(&daemon_, "data_duplicate"), writes;
	struct ebpfs_call_info call;
	int fd;

	prepare_apart(&call, &fh, data, BIG);
	client_send(&c, &call);
	send_data(&c, &call, 0x00ff);
	send_data(&c, &call, 0x0ff0);
	send_data(&c, &call, 0x7fff);
	EXPECT(answered(&call));
	EXPECT_EQ(daemon_stat(&daemon_, "data_duplicate"), twice + 4 + 12);
	writes = daemon_stat(&daemon_, "calls_write");
	fd = open(at("%s/twice", where), O_WRONLY);
	EXPECT_EQ(pwrite(fd, other, 100, 0), 100);
	close(fd);
	send_data(&c, &call, ~0ull);
	call.attempt = 1;
	client_send(&c, &call);
	EXPECT(answered(&call));
	EXPECT_EQ(daemon_stat(&daemon_, "calls_write"), writes);
	memcpy(buf, data, BIG);
	memcpy(buf, other, 100);
	has("twice", 0, buf, BIG);
}

static void damaged_data_are_dropped(void)
{
	struct fh fh = new_file("damaged");
	long long bad = daemon_stat(&daemon_, "drop_crc");
	static u8 out[8192] __attribute__((aligned(8)));
	struct ebpfs_call_info call;
	struct ebpfs_need_info need;
	struct ebpfs_frag f;
	u32 len = sizeof(struct ebpfs_data) + 4096;

	prepare_apart(&call, &fh, data, BIG);
	client_send(&c, &call);
	send_data(&c, &call, 0x7ffe);
	f = (struct ebpfs_frag){ .session = c.s.server_session, .id = call.id, .total = BIG,
				 .cell = 4096, .len = 4096 };
	ebpfs_put_data(out, &f);
	memcpy(out + sizeof(struct ebpfs_data), data, 4096);
	ebpfs_seal(out, len);
	out[1000] ^= 4;
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	/* Another length than the call says, another session, off the grid. */
	out[1000] ^= 4;
	f.total = BIG - 1;
	ebpfs_put_data(out, &f);
	ebpfs_seal(out, len);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	f.total = BIG;
	f.offset = 8;
	ebpfs_put_data(out, &f);
	ebpfs_seal(out, len);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	EXPECT(!need_heard(&need));
	EXPECT_EQ(daemon_stat(&daemon_, "drop_crc"), bad + 1);
	EXPECT(daemon_stat(&daemon_, "drop_data") > 0);
	call.attempt = 1;
	client_send(&c, &call);
	EXPECT_EQ(need_heard(&need), 1);
	send_data(&c, &call, 1);
	EXPECT(answered(&call));
	has("damaged", 0, data, BIG);
}

/* Together in one buffer (GRO), one of them bad. */
static void each_of_many_is_judged_by_itself(void)
{
	struct fh fh = new_file("judged");
	long long bad = daemon_stat(&daemon_, "drop_crc"), together;
	struct ebpfs_call_info call;
	struct ebpfs_need_info need;
	union {
		char bytes[CMSG_SPACE(sizeof(u16))];
		struct cmsghdr align;
	} control = { 0 };
	static u8 out[65536] __attribute__((aligned(8)));
	struct iovec iov = { out, 0 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	u32 i, head = sizeof(struct ebpfs_data);

	together = daemon_stat(&daemon_, "gro_receives");
	prepare_apart(&call, &fh, data, 10 * 4096);
	client_send(&c, &call);
	for (i = 0; i < 10; i++) {
		struct ebpfs_frag f = {
			.session = c.s.server_session, .id = call.id, .total = call.data_len,
			.cell = 4096, .len = 4096, .offset = i * 4096,
		};

		ebpfs_put_data(out + iov.iov_len, &f);
		memcpy(out + iov.iov_len + head, data + i * 4096, 4096);
		ebpfs_seal(out + iov.iov_len, head + 4096);
		if (i == 3)
			out[iov.iov_len + head + 77] ^= 1;
		iov.iov_len += head + 4096;
	}
	control.align.cmsg_level = IPPROTO_UDP;
	control.align.cmsg_type = UDP_SEGMENT;
	control.align.cmsg_len = CMSG_LEN(sizeof(u16));
	*(u16 *)CMSG_DATA(&control.align) = (u16)(head + 4096);
	EXPECT_EQ(sendmsg(c.fd, &m, 0), iov.iov_len);
	EXPECT(!need_heard(&need));
	EXPECT_EQ(daemon_stat(&daemon_, "drop_crc"), bad + 1);
	EXPECT(daemon_stat(&daemon_, "gro_receives") > together);
	call.attempt = 1;
	client_send(&c, &call);
	EXPECT_EQ(need_heard(&need), 1 << 3);
	send_data(&c, &call, 1 << 3);
	EXPECT(answered(&call));
	has("judged", 0, data, 10 * 4096);
}

/* All data of a call together, in small pieces and in large ones, twice, and after some of
 * them have come alone. */
static void data_of_one_receive_are_written(void)
{
	static const u16 cells[] = { 1024, 1408, 4096, 8192, 54000 };
	struct fh fh = new_file("one-receive");
	struct ebpfs_call_info call;
	u16 cell = c.cell;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		const u8 *from = i & 1 ? other : data;
		u32 len = 54000 - i;

		c.cell = cells[i];
		prepare_apart(&call, &fh, from, len);
		call.arg = 3 + i;
		client_send(&c, &call);
		send_data(&c, &call, ~0ull);
		send_data(&c, &call, ~0ull);
		EXPECT(answered(&call));
		has("one-receive", 3 + i, from, len);

		prepare_apart(&call, &fh, from + 5000, len);
		call.arg = 3 + i;
		client_send(&c, &call);
		send_data(&c, &call, 1);
		send_data(&c, &call, ~0ull);
		EXPECT(answered(&call));
		has("one-receive", 3 + i, from + 5000, len);
	}
	c.cell = cell;
	no_data_is_left();
}

/* Their replies may come together, too. */
static void many_at_a_time_are_all_answered(void)
{
	struct fh fh = new_file("many");
	struct ebpfs_call_info calls[21];
	bool done[ARRAY_SIZE(calls)] = { false };
	unsigned int i, left = ARRAY_SIZE(calls);
	struct ebpfs_frag f;
	u64 session;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		calls[i] = (struct ebpfs_call_info){
			.op = EBPFS_OP_WRITE, .fh = fh.bytes, .fh_len = fh.len, .arg = i * 9000ull,
			.data = data + i, .data_len = 9000, .apart = true, .id = i,
		};
		client_begin(&c, &calls[i]);
		client_send(&c, &calls[i]);
		send_data(&c, &calls[i], ~0ull);
	}
	while (left && (n = hear(c.fd, buf, sizeof(buf), 2000))) {
		ASSERT_EQ(ebpfs_parse_hdr(buf, n, &session), EBPFS_REPLY);
		EXPECT(ebpfs_sealed(buf, n));
		ASSERT_EQ(ebpfs_parse_reply(buf, n, &f), 0);
		i = EBPFS_ID_SLOT(f.id);
		ASSERT(i < ARRAY_SIZE(calls));
		EXPECT_EQ(f.id, calls[i].id);
		EXPECT_EQ(f.status, 0);
		EXPECT_EQ(f.total, sizeof(written));
		EXPECT(!done[i]);
		left -= !done[i];
		done[i] = true;
	}
	EXPECT_EQ(left, 0);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_EQ(do_read(&c, &fh, i * 9000ull, 9000, buf), 9000);
		EXPECT_MEM(buf, data + i, 9000);
	}
}

/*
 * Many WRITEs that the daemon finds waiting for it: what their answers say of before and after
 * is one chain, from what was known to what is, and each state has its own value.
 */
static void many_at_a_time_are_one_chain(void)
{
	struct fh fh = new_file("chain");
	struct ebpfs_call_info calls[12];
	struct { u64 before, after; } links[ARRAY_SIZE(calls)];
	long long followed = daemon_stat(&daemon_, "writes_followed");
	struct ebpfs_attr attr;
	unsigned int i, j, n = 0;
	u64 known;

	EXPECT_EQ(do_write(&c, &fh, 0, "first", 5, EBPFS_WRITE_UNSTABLE, false, &written), 0);
	known = written.attr.change;
	kill(daemon_.pid, SIGSTOP);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		calls[i] = (struct ebpfs_call_info){
			.op = EBPFS_OP_WRITE, .fh = fh.bytes, .fh_len = fh.len, .data = data + i,
			.data_len = 800, .id = i,
		};
		client_begin(&c, &calls[i]);
		client_send(&c, &calls[i]);
	}
	kill(daemon_.pid, SIGCONT);
	while (n < ARRAY_SIZE(calls)) {
		struct ebpfs_frag f;
		u32 len = hear(c.fd, buf, sizeof(buf), 2000);

		ASSERT(len && !ebpfs_parse_reply(buf, len, &f) && f.total == sizeof(written));
		memcpy(&written, buf + sizeof(struct ebpfs_reply), sizeof(written));
		links[n].before = written.before;
		links[n++].after = written.attr.change;
	}
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (j = i; j < ARRAY_SIZE(calls) && links[j].before != known; j++)
			;
		ASSERT(j < ARRAY_SIZE(calls));
		known = links[j].after;
		links[j] = links[i];
		for (; j > i; j--)
			EXPECT(links[j].after != known);
	}
	EXPECT_EQ(do_getattr(&c, &fh, &attr), 0);
	EXPECT_EQ(attr.change, known);
	followed = daemon_stat(&daemon_, "writes_followed") - followed;
	printf("# %lld of them followed another\n", followed);
	EXPECT(followed > 0 || strcmp(where, "memory"));
}

/* What a process on the server changes between two WRITEs is seen in the second answer. */
static void local_changes_break_the_chain(void)
{
	struct fh fh = new_file("local");
	int fd = open(at("%s/local", where), O_WRONLY);
	struct ebpfs_written first;

	EXPECT_EQ(do_write(&c, &fh, 0, "first", 5, EBPFS_WRITE_UNSTABLE, false, &first), 0);
	nap(20);
	EXPECT_EQ(pwrite(fd, "local", 5, 0), 5);
	EXPECT_EQ(do_write(&c, &fh, 10, "next", 4, EBPFS_WRITE_UNSTABLE, false, &written), 0);
	EXPECT(written.before != first.attr.change);
	/* By its size even within a tick. */
	EXPECT_EQ(ftruncate(fd, 100), 0);
	first = written;
	EXPECT_EQ(do_write(&c, &fh, 10, "last", 4, EBPFS_WRITE_UNSTABLE, false, &written), 0);
	EXPECT(written.before != first.attr.change);
	close(fd);
}

/* The client gives a call up; its data are not the next one's. */
static void given_up_data_are_forgotten(void)
{
	struct fh fh = new_file("given-up");
	struct ebpfs_call_info old, call;
	struct ebpfs_need_info need;

	prepare_apart(&old, &fh, other, BIG);
	client_send(&c, &old);
	send_data(&c, &old, 0x7ffe);
	prepare_apart(&call, &fh, data, BIG);
	client_send(&c, &call);
	send_data(&c, &old, ~0ull);
	send_data(&c, &call, 0x0fff);
	EXPECT(!need_heard(&need));
	call.attempt = 1;
	client_send(&c, &call);
	EXPECT_EQ(need_heard(&need), 0x7000);
	send_data(&c, &call, 0x7000);
	EXPECT(answered(&call));
	has("given-up", 0, data, BIG);
	/* Given up for a call without data. */
	prepare_apart(&old, &fh, other, BIG);
	client_send(&c, &old);
	send_data(&c, &old, 0x7ffe);
	EXPECT_EQ(do_read(&c, &fh, 0, 1, buf), 1);
	no_data_is_left();
}

/* More than the daemon will keep at a time: it drops, and asks, and gets it done. */
static void too_much_at_once_is_done_in_turn(void)
{
	long long refused = daemon_stat(&daemon_, "data_refused");
	struct fh fh = new_file("much");
	struct ebpfs_call_info calls[40];
	struct ebpfs_need_info need;
	bool done[ARRAY_SIZE(calls)] = { false };
	unsigned int i, left = ARRAY_SIZE(calls), round;
	struct ebpfs_frag f;
	u64 session, end;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		calls[i] = (struct ebpfs_call_info){
			.op = EBPFS_OP_WRITE, .fh = fh.bytes, .fh_len = fh.len, .arg = i * 65536ull,
			.data = data, .data_len = 65536, .apart = true, .id = i,
		};
		client_begin(&c, &calls[i]);
		client_send(&c, &calls[i]);
		send_data(&c, &calls[i], 0x7fff);
	}
	for (end = clock_ms() + 5000; clock_ms() < end; nap(10))
		if (daemon_stat(&daemon_, "data_refused") > refused)
			break;
	EXPECT(daemon_stat(&daemon_, "data_refused") > refused);
	EXPECT(daemon_stat(&daemon_, "data_bytes") <= 1 << 20);
	for (round = 1; left && round < 30; round++) {
		for (i = 0; i < ARRAY_SIZE(calls); i++) {
			calls[i].attempt = (u8)round;
			if (!done[i])
				client_send(&c, &calls[i]);
		}
		while (left && (n = hear(c.fd, buf, sizeof(buf), SILENCE_MS))) {
			if (ebpfs_parse_hdr(buf, n, &session) == EBPFS_NEED) {
				ASSERT_EQ(ebpfs_parse_need(buf, &need), 0);
				i = EBPFS_ID_SLOT(need.id);
				ASSERT(i < ARRAY_SIZE(calls));
				send_data(&c, &calls[i], need.missing);
			} else {
				ASSERT_EQ(ebpfs_parse_reply(buf, n, &f), 0);
				i = EBPFS_ID_SLOT(f.id);
				ASSERT(i < ARRAY_SIZE(calls));
				EXPECT_EQ(f.status, 0);
				left -= !done[i];
				done[i] = true;
			}
		}
	}
	EXPECT_EQ(left, 0);
	for (i = 0; i < ARRAY_SIZE(calls) - 1; i++) {
		EXPECT_EQ(do_read(&c, &fh, i * 65536ull, 65536, buf), 65536);
		EXPECT_MEM(buf, data, 65536);
	}
	no_data_is_left();
}

static void writes_fail_as_they_should(void)
{
	struct fh fh = new_file("fails"), root = root_of(&c), fifo, bad;

	EXPECT_EQ(do_write(&c, &root, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), -EISDIR);
	EXPECT_EQ(do_create(&c, &root, "a-fifo", S_IFIFO | 0600, 0, EXCL, &fifo, NULL), 0);
	EXPECT_EQ(do_write(&c, &fifo, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), -EINVAL);
	/* What is in memory may be that large. */
	EXPECT_EQ(do_write(&c, &fh, (~0ull >> 1) - 10, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL),
		  c.fd == memory.fd ? 0 : -EFBIG);
	bad = fh;
	bad.bytes[20] ^= 1;
	EXPECT_EQ(do_write(&c, &bad, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), -ESTALE);
	EXPECT_EQ(do_write(&c, &bad, 0, data, BIG, EBPFS_WRITE_UNSTABLE, true, NULL), -ESTALE);
	EXPECT_EQ(do_commit(&c, &fifo, &written), -EINVAL);
	EXPECT_EQ(do_commit(&c, &root, &written), 0);
	EXPECT_EQ(do_remove(&c, &root, "a-fifo", EBPFS_REMOVE_FILE), 0);
	no_data_is_left();
}

static void a_full_disk_is_told(void)
{
	struct fh fh;
	unsigned int i;
	int err = 0;

	if (c.fd != memory.fd)
		SKIP("only the export in memory has an end that is near");
	fh = new_file("full");
	for (i = 0; i < 200 && !err; i++)
		err = do_write(&c, &fh, i * 65536ull, data, 65536, EBPFS_WRITE_UNSTABLE, true,
			       NULL);
	EXPECT_EQ(err, -ENOSPC);
	EXPECT_EQ(do_truncate(&c, &fh, 0), 0);
	EXPECT_EQ(do_write(&c, &fh, 0, data, 65536, EBPFS_WRITE_UNSTABLE, true, NULL), 0);
	EXPECT_EQ(do_truncate(&c, &fh, 0), 0);
}

/* Until no file is open that is not in use. */
static void wait_for_closing(void)
{
	u64 end = clock_ms() + 10000;

	while (daemon_stat(&daemon_, "files") > 0 && clock_ms() < end)
		nap(100);
	nap(200);
}

/* Else an error of write-back would be told to nobody. */
static void what_nobody_commits_is_flushed(void)
{
	struct fh lazy, proper;
	long long flushes;

	wait_for_closing();
	flushes = daemon_stat(&daemon_, "flushes");
	lazy = new_file("lazy");
	proper = new_file("proper");
	EXPECT_EQ(do_write(&c, &lazy, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	EXPECT_EQ(do_write(&c, &proper, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	EXPECT_EQ(do_commit(&c, &proper, &written), 0);
	wait_for_closing();
	EXPECT_EQ(daemon_stat(&daemon_, "flushes"), flushes + 1);
}

/* Large sets of groups come apart, too. */
static void users_come_apart(void)
{
	static u32 groups[EBPFS_GROUPS_MAX];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		groups[i] = i;
	EXPECT_EQ(do_cred(&c, 1, 1000, 1000, groups, ARRAY_SIZE(groups)), 0);
	no_data_is_left();
}

static void another_instance_has_another_verifier(void)
{
	struct fh fh = new_file("verifier");
	struct ebpfs_written w;

	EXPECT_EQ(do_write(&c, &fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, &w), 0);
	EXPECT(daemon_stop(&daemon_));
	ASSERT(daemon_start(&daemon_, daemon_args));
	ASSERT(join(&disk, "/disk") && join(&memory, "/memory"));
	c = c.hs.export[1] == 'd' ? disk : memory;
	EXPECT_EQ(do_commit(&c, &fh, &written), 0);
	EXPECT(written.verifier != w.verifier);
}

#define ON(export, name)						\
	static void name##_on_##export(void)				\
	{								\
		c = export;						\
		where = #export;					\
		name();							\
		export = c;						\
	}
#define BOTH(name) ON(disk, name) ON(memory, name)
#define TESTS(name) KTAP_TEST(name##_on_disk), KTAP_TEST(name##_on_memory)

BOTH(written_bytes_are_there)
BOTH(written_bytes_with_attributes)
BOTH(attributes_that_cannot_be_set)
BOTH(data_come_apart_in_any_length)
BOTH(data_come_in_any_order)
BOTH(data_come_before_their_call)
BOTH(lost_data_are_asked_for)
BOTH(data_may_be_cut_anew)
BOTH(data_come_twice)
BOTH(damaged_data_are_dropped)
BOTH(each_of_many_is_judged_by_itself)
BOTH(data_of_one_receive_are_written)
BOTH(many_at_a_time_are_all_answered)
BOTH(many_at_a_time_are_one_chain)
BOTH(local_changes_break_the_chain)
BOTH(given_up_data_are_forgotten)
BOTH(too_much_at_once_is_done_in_turn)
BOTH(writes_fail_as_they_should)
BOTH(users_come_apart)
ON(memory, a_full_disk_is_told)
ON(disk, what_nobody_commits_is_flushed)
BOTH(another_instance_has_another_verifier)

static const struct ktap_test tests[] = {
	TESTS(written_bytes_are_there),
	TESTS(written_bytes_with_attributes),
	TESTS(attributes_that_cannot_be_set),
	TESTS(data_come_apart_in_any_length),
	TESTS(data_come_in_any_order),
	TESTS(data_come_before_their_call),
	TESTS(lost_data_are_asked_for),
	TESTS(data_may_be_cut_anew),
	TESTS(data_come_twice),
	TESTS(damaged_data_are_dropped),
	TESTS(each_of_many_is_judged_by_itself),
	TESTS(data_of_one_receive_are_written),
	TESTS(many_at_a_time_are_all_answered),
	TESTS(many_at_a_time_are_one_chain),
	TESTS(local_changes_break_the_chain),
	TESTS(given_up_data_are_forgotten),
	TESTS(too_much_at_once_is_done_in_turn),
	TESTS(writes_fail_as_they_should),
	TESTS(users_come_apart),
	KTAP_TEST(a_full_disk_is_told_on_memory),
	KTAP_TEST(what_nobody_commits_is_flushed_on_disk),
	TESTS(another_instance_has_another_verifier),
};

int main(int argc, char **argv)
{
	struct statfs fs;
	size_t i;

	set_up();
	daemon_args[1] = set_up_exports("8m", "listen = " ADDR "\nreply-cache = 1M\n", secret);
	if (!statfs(at("disk"), &fs) && fs.f_type == 0x01021994)
		printf("# /var/tmp is in memory: both exports are\n");
	for (i = 0; i < sizeof(data); i++) {
		data[i] = (u8)(i * 2654435761u >> 13);
		other[i] = (u8)~data[i];
	}
	if (!daemon_args[1] || !daemon_start(&daemon_, daemon_args) || !join(&disk, "/disk") ||
	    !join(&memory, "/memory"))
		return KTAP_EXIT_FAIL;
	return tear_down_exports(KTAP_MAIN(tests, argc, argv));
}

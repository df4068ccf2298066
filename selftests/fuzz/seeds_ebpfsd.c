// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the seeds of fuzz_ebpfsd: each operation on each kind of file, and
 * stories with repetitions, cold files, late jobs, handshakes and departures.
 *
 *	seeds_ebpfsd DIR
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz/ebpfsd.h"

static const char *dir;
static u8 story[65536];
static size_t story_len;

static void add(struct fuzz_record r, const void *bytes)
{
	memcpy(story + story_len, &r, sizeof(r));
	story_len += sizeof(r);
	memcpy(story + story_len, bytes, r.len);
	story_len += r.len;
}

static void save(const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(story, 1, story_len, f) != story_len || fclose(f)) {
		fprintf(stderr, "seeds_ebpfsd: cannot write %s: %s\n", path, strerror(errno));
		exit(1);
	}
	story_len = 0;
}

static struct fuzz_record call(u8 op, u8 handle, u8 slot, u8 seq, u64 arg, u32 count)
{
	return (struct fuzz_record){
		.kind = FUZZ_CALL, .op = op, .handle = handle, .slot = slot, .seq = seq,
		.cell = 8192 / 8, .want = ~0ull, .arg = op == EBPFS_OP_PING ? 0 : arg,
		.count = count,
	};
}

static void plain(u8 kind, u8 flags, u64 arg)
{
	add((struct fuzz_record){ .kind = kind, .flags = flags, .arg = arg }, "");
}

/* "file" as far as the op has a name, then its data; returns the bytes of both. */
static u16 name_and_data(u8 op, u8 *to, u8 *name_len)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(op);
	struct ebpfs_create create = { .mode = cpu_to_le32(0100644) };
	struct ebpfs_setattr set = { .valid = cpu_to_le32(EBPFS_SET_ALL & ~0x30u) };
	struct ebpfs_cred cred = { .uid = cpu_to_le32(1000), .ngroups = cpu_to_le32(1) };
	struct ebpfs_lock lock = { .owner = 5, .end = cpu_to_le64(99), .kind = EBPFS_LOCK_POSIX };
	u8 *p = to;

	*name_len = 0;
	if (t && t->flags & EBPFS_TRAIT_NAME) {
		*name_len = 4;
		memcpy(p, "file", 4);
		p += 4;
	}
	switch (op) {
	case EBPFS_OP_CREATE:
	case EBPFS_OP_TMPFILE:
		create.flags = cpu_to_le32(op == EBPFS_OP_TMPFILE ? EBPFS_CREATE_EXCL : 0);
		memcpy(p, &create, sizeof(create));
		p += sizeof(create);
		break;
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
		/* Only the daemon can make a directory's handle: FUZZ_TARGET. */
		memcpy(p, "new", 3);
		p += 3;
		break;
	case EBPFS_OP_WRITEATTR:
		set.valid &= ~cpu_to_le32(EBPFS_SET_SIZE);
		/* fall through */
	case EBPFS_OP_SETATTR:
		memcpy(p, &set, sizeof(set));
		p += sizeof(set);
		break;
	case EBPFS_OP_LOCK:
		memcpy(p, &lock, sizeof(lock));
		p += sizeof(lock);
		break;
	case EBPFS_OP_CRED:
		memcpy(p, &cred, sizeof(cred));
		memset(p + sizeof(cred), 7, 4);
		p += sizeof(cred) + 4;
		break;
	}
	return (u16)(p - to);
}

static struct fuzz_record cred_call(u8 seq, u8 *bytes)
{
	struct fuzz_record r = call(EBPFS_OP_CRED, 0, 31, seq, 1, 0);

	r.len = name_and_data(EBPFS_OP_CRED, bytes, &r.name_len);
	return r;
}

static void each_op_on_each_file(void)
{
	u8 op, handle, bytes[512] = { 0 };
	char name[64];

	for (op = EBPFS_OP_PING; op <= EBPFS_OP_LAST; op++) {
		for (handle = 0; handle < 7; handle++) {
			struct fuzz_record r = call(op, handle, op, 1, 0, 61440);

			if (op == EBPFS_OP_CRED || op == EBPFS_OP_LOCK)
				r.arg = 1;
			if (op == EBPFS_OP_GETATTR || op == EBPFS_OP_LOOKUP ||
			    op == EBPFS_OP_CREATE) {
				r.arg = handle & 1;
				r.count = handle & 1 ? 1 + handle % EBPFS_HOLD_ALL : 0;
			}
			if (op == EBPFS_OP_TMPFILE) {
				r.arg = 1;
				r.count = EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE;
			}
			add(cred_call(1, bytes), bytes);
			r.len = name_and_data(op, bytes, &r.name_len);
			if (op >= EBPFS_OP_ACCESS) {
				r.flags = handle & 1 ? FUZZ_USER : 0;
				r.count = handle & 1;
			}
			r.data = 5000;
			if (op == EBPFS_OP_RENAME || op == EBPFS_OP_LINK) {
				r.flags |= FUZZ_TARGET;
				r.count = handle & 2 ? 3 : 0;
				r.arg = handle & 3;
			}
			add(r, bytes);
			plain(FUZZ_JOBS, 0, 0);
			plain(FUZZ_JOBS, 0, 0);
			snprintf(name, sizeof(name), "op-%u-%u", op, handle);
			save(name);
		}
	}
}

static void reads(void)
{
	struct fuzz_record r;
	u8 i;

	for (i = 1; i < 5; i++)
		add(call(EBPFS_OP_READ, 1, i, 1, i * 40000, 65536), "");
	r = call(EBPFS_OP_READ, 1, 1, 1, 40000, 65536);
	r.instance = 1;
	r.want = 0x14;
	r.attempt = 1;
	add(r, "");
	r.cell = 1024 / 8;
	add(r, "");
	plain(FUZZ_TIME, 0, 20000);
	add(r, "");
	save("read-again");

	for (i = 0; i < 3; i++) {
		plain(FUZZ_COLD, i, 0);
		add(call(EBPFS_OP_READ, 1, i, 1, i * 1000, 50000), "");
		add(call(EBPFS_OP_READ, 1, i, 1, i * 1000, 50000), "");
		plain(FUZZ_JOBS, 1 << i, 0);
		add(call(EBPFS_OP_READ, 1, i, 2, 149000, 50000), "");
		add(call(EBPFS_OP_READ, 1, i, 3, 150000, 10), "");
	}
	plain(FUZZ_JOBS, FUZZ_SHORT, 0);
	save("read-cold");

	/* Up to the end exactly, from memory, from the ring, by a helper. */
	add(call(EBPFS_OP_READ, 1, 1, 1, 149000, 1000), "");
	plain(FUZZ_JOBS, 0, 0);
	add(call(EBPFS_OP_READ, 1, 1, 2, 149000, 1000), "");
	plain(FUZZ_COLD, 1, 0);
	add(call(EBPFS_OP_READ, 1, 1, 3, 149000, 1000), "");
	plain(FUZZ_JOBS, 0, 0);
	save("read-exact");

	/* A slot goes on while the ring still works for the call before. */
	add(call(EBPFS_OP_READ, 1, 1, 1, 0, 100), "");
	plain(FUZZ_JOBS, 0, 0);
	plain(FUZZ_COLD, 1, 0);
	add(call(EBPFS_OP_READ, 1, 1, 2, 10000, 5000), "");
	plain(FUZZ_COLD, 0, 0);
	add(call(EBPFS_OP_READ, 1, 1, 3, 20000, 5000), "");
	plain(FUZZ_JOBS, 0, 0);
	add(call(EBPFS_OP_READ, 1, 1, 3, 20000, 5000), "");
	save("read-overtaken");

	for (i = 0; i < 8; i++) {
		r = call(EBPFS_OP_READ, 1, i, 1, i * 4096, 4096);
		r.flags = (i < 7 ? FUZZ_MORE : 0) | (i ? FUZZ_REUSE : 0);
		add(r, "");
	}
	plain(FUZZ_JOBS, 0, 0);
	save("read-many");
}

static void kinds_of_files(void)
{
	static const u32 modes[] = {
		S_IFDIR, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFLNK, S_IFREG
	};
	u8 bytes[64], i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct ebpfs_create create = {
			.mode = cpu_to_le32(modes[i] | 0755), .umask = cpu_to_le32(022),
			.target_len = cpu_to_le32(modes[i] == S_IFLNK ? 6 : 0),
		};
		struct fuzz_record r = call(EBPFS_OP_CREATE, 0, i, 1, 0, 0);

		memcpy(bytes, "fifo", 4);
		memcpy(bytes + 4, &create, sizeof(create));
		memcpy(bytes + 4 + sizeof(create), "target", 6);
		r.name_len = 4;
		r.len = 4 + sizeof(create) + (modes[i] == S_IFLNK ? 6 : 0);
		add(r, bytes);
	}
	plain(FUZZ_JOBS, 0, 0);
	save("create");
}

static struct fuzz_record data(u8 slot, u8 seq, u8 attempt, u64 arg, u32 total, u16 cell,
			       u8 index)
{
	return (struct fuzz_record){
		.kind = FUZZ_DATA, .op = EBPFS_OP_WRITE, .handle = index, .slot = slot,
		.seq = seq, .attempt = attempt, .arg = arg, .data = total, .cell = cell / 8,
	};
}

static struct fuzz_record write_call(u8 slot, u8 seq, u8 attempt, u64 arg, u32 total)
{
	struct fuzz_record r = call(EBPFS_OP_WRITE, 1, slot, seq, arg, 0);

	r.flags = FUZZ_APART;
	r.attempt = attempt;
	r.data = total;
	return r;
}

/* The same with @more fragments behind it, of which @bad are. */
static struct fuzz_record run(struct fuzz_record r, u32 more, u64 bad)
{
	r.flags |= FUZZ_MORE;
	r.count = more;
	r.want = bad;
	return r;
}

/* Data that come together. */
static void runs(void)
{
	add(write_call(1, 1, 0, 4096, 20000), "");
	add(run(data(1, 1, 0, 4096, 20000, 1408, 0), 14, 0), "");
	plain(FUZZ_JOBS, 0, 0);
	save("run-direct");

	plain(FUZZ_COLD, 2, 0);
	add(run(data(1, 1, 0, 0, 60000, 8192, 0), 7, 0), "");
	add(write_call(1, 1, 0, 0, 60000), "");
	plain(FUZZ_JOBS, 0, 0);
	save("run-early");

	add(write_call(1, 1, 0, 0, 60000), "");
	add(run(data(1, 1, 0, 0, 60000, 8192, 0), 3, 4), "");
	add(run(data(1, 1, 0, 0, 60000, 8192, 1), 6, 1), "");
	add(write_call(1, 1, 1, 0, 60000), "");
	add(run(data(1, 1, 1, 0, 60000, 1024, 0), 58, 1ull << 30), "");
	add(run(data(1, 1, 1, 0, 60000, 1024, 20), 20, 0), "");
	plain(FUZZ_JOBS, 0, 0);
	save("run-holes");
}

/* Data that come apart, in several orders. */
static void writes(void)
{
	struct fuzz_record r;
	u8 i, bytes[64];

	add(write_call(1, 1, 0, 4096, 20000), "");
	for (i = 0; i < 3; i++)
		add(data(1, 1, 0, 4096, 20000, 8192, i), "");
	plain(FUZZ_JOBS, 0, 0);
	add(write_call(1, 1, 1, 4096, 20000), "");
	add(data(1, 1, 1, 4096, 20000, 8192, 1), "");
	save("write-after");

	/* The same with attributes. */
	r = write_call(1, 1, 0, 4096, 20000);
	r.op = EBPFS_OP_WRITEATTR;
	r.len = name_and_data(EBPFS_OP_WRITEATTR, bytes, &r.name_len);
	add(r, bytes);
	for (i = 0; i < 3; i++) {
		struct fuzz_record d = data(1, 1, 0, 4096, 20000, 8192, i);

		d.op = EBPFS_OP_WRITEATTR;
		add(d, "");
	}
	plain(FUZZ_JOBS, 0, 0);
	r.attempt = 1;
	add(r, bytes);
	save("write-attributes");

	plain(FUZZ_COLD, 2, 0);
	for (i = 3; i; i--)
		add(data(1, 1, 0, 0, 20000, 8192, i - 1), "");
	add(write_call(1, 1, 0, 0, 20000), "");
	plain(FUZZ_JOBS, 0, 0);
	save("write-before");

	add(data(1, 1, 0, 0, 65536, 1024, 63), "");
	add(write_call(1, 1, 0, 0, 65536), "");
	add(write_call(1, 1, 1, 0, 65536), "");
	for (i = 0; i < 4; i++)
		add(data(1, 1, 1, 0, 65536, 16384, i), "");
	add(data(1, 1, 0, 0, 65536, 1024, 5), "");
	plain(FUZZ_JOBS, 0, 0);
	save("write-recut");

	/* Lengths that contradict each other, before and after the call. */
	add(data(1, 1, 0, 0, 30000, 8192, 0), "");
	add(write_call(1, 1, 0, 0, 10000), "");
	add(data(1, 1, 0, 0, 30000, 8192, 1), "");
	add(data(1, 1, 0, 0, 10000, 8192, 1), "");
	add(data(1, 1, 0, 0, 10000, 8192, 0), "");
	plain(FUZZ_JOBS, 0, 0);
	add(data(1, 2, 0, 0, 100, 8192, 0), "");
	add(data(1, 3, 0, 0, 64000, 8192, 0), "");
	plain(FUZZ_JOBS, 0, 0);
	save("write-contradiction");

	/* More than there is memory for; left behind; the session goes. */
	for (i = 0; i < 8; i++) {
		add(write_call(i, 1, 1, 0, 65536), "");
		add(data(i, 1, 1, 0, 65536, 16384, 0), "");
	}
	plain(FUZZ_TIME, 0, 200000);
	add(data(2, 1, 1, 0, 65536, 16384, 1), "");
	add(write_call(2, 1, 2, 0, 65536), "");
	plain(FUZZ_BYE, 0, 0);
	save("write-memory");

	/* Credentials that nobody told, that come apart, that are told again. */
	add((struct fuzz_record){
		.kind = FUZZ_CALL, .op = EBPFS_OP_ACCESS, .handle = 1, .slot = 1, .seq = 1,
		.cell = 1024, .want = ~0ull, .count = 7, .flags = FUZZ_USER,
	}, "");
	for (i = 1; i < 4; i++) {
		struct fuzz_record r = cred_call(i, bytes);

		r.flags = i == 2 ? FUZZ_APART : 0;
		add(r, bytes);
		r.kind = FUZZ_DATA;
		r.handle = 0;
		if (i == 2)
			add(r, bytes);
		add((struct fuzz_record){
			.kind = FUZZ_CALL, .op = EBPFS_OP_ACCESS, .handle = 1, .slot = 1,
			.seq = 1 + i, .cell = 1024, .want = ~0ull, .count = 7,
			.flags = FUZZ_USER,
		}, "");
		plain(FUZZ_JOBS, 0, 0);
	}
	save("cred");
}

static void directories(void)
{
	struct fuzz_record r;

	add(call(EBPFS_OP_READDIR, 0, 0, 1, 0, 400), "");
	add(call(EBPFS_OP_READDIR, 0, 1, 1, 0, 100), "");
	add(call(EBPFS_OP_READDIR, 3, 2, 1, 0, 4096), "");
	plain(FUZZ_BYE, 0, 0);
	plain(FUZZ_JOBS, 0, 0);
	save("readdir-late");

	r = call(EBPFS_OP_LOOKUP, 0, 0, 1, 0, 0);
	r.len = 4;
	r.name_len = 4;
	add(r, "link");
	add(call(EBPFS_OP_READLINK, 4, 1, 1, 0, 0), "");
	r.seq = 2;
	r.len = 5;
	r.name_len = 5;
	add(r, "where");
	plain(FUZZ_JOBS, 0, 0);
	save("lookup");
}

static void sessions(void)
{
	u8 i;

	for (i = 0; i < 6; i++)
		plain(FUZZ_JOIN, i & 1 ? FUZZ_ELSEWHERE : 0, 0);
	plain(FUZZ_TIME, 0, 100000);
	plain(FUZZ_JOIN, 0, 0);
	plain(FUZZ_AUTH, 0, 0);
	add((struct fuzz_record){ .kind = FUZZ_AUTH, .arg = 100, .seq = 1 }, "");
	plain(FUZZ_BYE, FUZZ_ELSEWHERE, 0);
	plain(FUZZ_BYE, 0, 0);
	plain(FUZZ_REVOKE, 0, 0);
	plain(FUZZ_JOIN, 0, 0);
	plain(FUZZ_REVOKE, 1, 0);
	plain(FUZZ_JOIN, 0, 0);
	plain(FUZZ_TIME, 0, 4000000);
	save("sessions");

	add((struct fuzz_record){ .kind = FUZZ_PROBE, .count = 1472 }, "");
	add((struct fuzz_record){ .kind = FUZZ_PROBE, .count = 65506 }, "");
	add((struct fuzz_record){ .kind = FUZZ_PROBE, .flags = FUZZ_ELSEWHERE, .count = 99 }, "");
	save("probes");
}

static void lock_call(u8 slot, u8 handle, u64 number, struct ebpfs_lock l)
{
	struct fuzz_record r = call(EBPFS_OP_LOCK, handle, slot, (u8)number, number, 0);

	r.len = sizeof(l);
	add(r, &l);
	plain(FUZZ_JOBS, 0, 0);
}

/* Locks that are granted, refused, split, let go of, and over the limit; waiters; ends. */
static void locks(void)
{
	const u64 end = cpu_to_le64(~0ull >> 1);
	struct ebpfs_lock all = { .owner = 1, .end = end, .kind = EBPFS_LOCK_POSIX,
				  .type = EBPFS_LOCK_WRITE, .flags = EBPFS_LOCK_WAIT };
	struct ebpfs_lock l;
	u8 i;

	lock_call(1, 1, 1, all);
	l = all;
	l.type = EBPFS_LOCK_READ;
	l.flags = EBPFS_LOCK_TEST;
	l.owner = 2;
	lock_call(1, 1, 2, l);
	plain(FUZZ_JOIN, FUZZ_OTHER, 0);
	lock_call(1, 1, 1, all);
	lock_call(1, 1, 2, l);
	plain(FUZZ_TIME, 0, 20000);
	lock_call(1, 1, 3, all);
	plain(FUZZ_TIME, 0, 11000);
	plain(FUZZ_JOBS, 0, 0);
	lock_call(1, 1, 4, all);
	lock_call(1, 1, 2, all);
	l = all;
	l.type = EBPFS_LOCK_NONE;
	l.flags = 0;
	lock_call(2, 1, 5, l);
	lock_call(3, 1, 3, all);
	plain(FUZZ_BYE, 0, 0);
	save("lock-wait");

	for (i = 1; i < 12; i++) {
		l = (struct ebpfs_lock){ .owner = i / 8, .start = cpu_to_le64(i * 2u),
					 .end = cpu_to_le64(i * 2u), .kind = EBPFS_LOCK_POSIX };
		lock_call(1, 1, i, l);
	}
	l.start = 0;
	l.type = EBPFS_LOCK_NONE;
	lock_call(1, 1, 12, l);
	l.end = end;
	lock_call(1, 1, 13, l);
	save("lock-limit");

	for (i = 0; i < 9; i++) {
		l = (struct ebpfs_lock){ .owner = 1, .end = end, .kind = EBPFS_LOCK_FLOCK,
					 .type = i % 3 };
		lock_call(i, i % 7, 1 + i, l);
		lock_call(i, 1, 20 + i, l);
	}
	plain(FUZZ_REVOKE, 0, 0);
	plain(FUZZ_JOBS, 0, 0);
	save("lock-flock");
}

static void raws(void)
{
	u8 bytes[256] __attribute__((aligned(8)));
	char name[32];
	u8 type;

	for (type = 1; type <= EBPFS_RECALLED; type++) {
		u32 len = ebpfs_type_min_len(type);

		memset(bytes, 0, sizeof(bytes));
		if (len > sizeof(bytes))
			continue;
		ebpfs_put_hdr((struct ebpfs_hdr *)bytes, type, 0);
		add((struct fuzz_record){
			.kind = FUZZ_RAW, .len = (u16)len,
			.flags = FUZZ_MEND_HEAD | FUZZ_MEND_SESSION | FUZZ_MEND_CRC,
		}, bytes);
		snprintf(name, sizeof(name), "raw-%u", type);
		save(name);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds_ebpfsd DIR\n");
		return 2;
	}
	dir = argv[1];
	if (mkdir(dir, 0777) && errno != EEXIST) {
		fprintf(stderr, "seeds_ebpfsd: cannot make %s: %s\n", dir, strerror(errno));
		return 1;
	}
	each_op_on_each_file();
	reads();
	kinds_of_files();
	writes();
	runs();
	directories();
	sessions();
	locks();
	raws();
	return 0;
}

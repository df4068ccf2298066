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

static void each_op_on_each_file(void)
{
	char name[64];
	u8 op, handle;

	for (op = EBPFS_OP_PING; op <= EBPFS_OP_STATFS; op++) {
		for (handle = 0; handle < 7; handle++) {
			struct fuzz_record r = call(op, handle, op, 1, 0, 61440);

			if (op == EBPFS_OP_LOOKUP)
				r.len = 4;
			add(r, "file");
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
	add(r, "link");
	add(call(EBPFS_OP_READLINK, 4, 1, 1, 0, 0), "");
	r.seq = 2;
	r.len = 5;
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

static void raws(void)
{
	u8 bytes[256] __attribute__((aligned(8)));
	char name[32];
	u8 type;

	for (type = 1; type <= EBPFS_UNKNOWN; type++) {
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
	directories();
	sessions();
	raws();
	return 0;
}

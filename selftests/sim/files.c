// SPDX-License-Identifier: GPL-2.0
/*
 * What the servers export, as arithmetic: every byte of every version of every
 * file is a function of (seed, file, version, position), so that a reply can
 * be judged byte by byte without keeping a copy of anything.
 *
 * File 0 is a directory; the last one is a counter: a GETATTR of it stands for
 * an operation that must not be executed twice, and its reply tells the count, as
 * do the replies of calls that change something; what they change is nothing but
 * their file's count.
 * All other files change now and then, which makes a new version; some
 * versions are a file that is gone (ESTALE). No two versions share bytes, so a
 * reply put together from two executions is always seen.
 */
#include "sim.h"

#define DIR_ENTRIES	24
#define DT_REG		8	/* <dirent.h>, without the rest of it */

static u64 mix(u64 x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

static u64 version_key(const struct world *w, u32 file, u32 version)
{
	return mix(w->seed ^ mix((u64)file << 32 | version));
}

static u64 word(u64 key, u64 i)
{
	return mix(key + i * 0x9e3779b97f4a7c15ull);
}

static u64 version_size(const struct world *w, u32 file, u32 version)
{
	u64 k = word(version_key(w, file, version), ~0ull);

	switch (k & 15) {
	case 0:
		return 0;
	case 1:
		return (k >> 8) % (256u << 10);
	case 2: case 3: case 4:
		return (k >> 8) % (20u << 10);
	default:
		return 1024 + (k >> 8) % (7u << 10);
	}
}

static bool version_gone(const struct world *w, u32 file, u32 version)
{
	return file != 0 && file != w->nfiles - 1 &&
	       word(version_key(w, file, version), ~1ull) % 12 == 0;
}

static void content(u64 key, u64 pos, u8 *to, u32 len)
{
	u64 i = pos / 8, v;
	u32 skip = pos % 8, n;

	if (skip) {
		v = word(key, i++) >> 8 * skip;
		n = 8 - skip < len ? 8 - skip : len;
		memcpy(to, &v, n);
		to += n;
		len -= n;
	}
	for (; len >= 8; len -= 8, to += 8) {
		v = word(key, i++);
		memcpy(to, &v, 8);
	}
	if (len) {
		v = word(key, i);
		memcpy(to, &v, len);
	}
}

u32 file_name(u32 file, u8 *to)
{
	u32 len = 1 + file * 36 % EBPFS_NAME_MAX, i;

	for (i = 0; i < len; i++)
		to[i] = 'a' + (file + i) % 26;
	return len;
}

int file_by_name(const struct world *w, const u8 *name, u32 len)
{
	u8 want[EBPFS_NAME_MAX];
	u32 i;

	for (i = 0; i < w->nfiles; i++) {
		if (file_name(i, want) == len && !memcmp(name, want, len))
			return i;
	}
	return -1;
}

int file_by_handle(const struct world *w, const u8 *fh, u32 len)
{
	u32 i;

	for (i = 0; i < w->nfiles; i++) {
		if (w->files[i].fh_len == len && !memcmp(w->files[i].fh, fh, len))
			return i;
	}
	return -1;
}

void files_init(struct world *w)
{
	u32 i;

	w->nfiles = 3 + rnd(w, SIM_FILES_MAX - 2);
	for (i = 0; i < w->nfiles; i++) {
		struct file *f = &w->files[i];

		f->fh_len = 8 + rnd(w, EBPFS_FH_MAX - 7);
		rnd_bytes(w, f->fh, f->fh_len);
		f->fh[0] = i;		/* no two alike */
		f->hash = ebpfs_place_hash(f->fh, f->fh_len);
		f->version = 1;
	}
}

static void fill_attr(const struct world *w, const struct exec *x, u32 file, struct ebpfs_attr *a)
{
	content(version_key(w, file, x->version), 1ull << 40, (u8 *)a, sizeof(*a));
	a->ino = cpu_to_le64(file + 1);
	a->change = cpu_to_le64(x->version);
	a->size = cpu_to_le64(x->value ? x->value : version_size(w, file, x->version));
	a->may = 0;
}

static u32 fill_dir(const struct world *w, const struct exec *x, u8 *to, bool *eof)
{
	u8 name[EBPFS_NAME_MAX], fh[EBPFS_FH_MAX];
	u64 key = version_key(w, x->file, x->version);
	struct ebpfs_entry_info e;
	u32 n = 0, step;
	u64 i;

	*eof = false;
	for (i = x->arg; i < DIR_ENTRIES; i++) {
		u64 k = word(key, i);

		memset(&e, 0, sizeof(e));
		e.cookie = i + 1;
		e.type = DT_REG;
		e.name_len = file_name(k % 37, name);
		e.name = name;
		fill_attr(w, x, i, &e.attr);
		if (k >> 32 & 3) {
			e.flags = EBPFS_ENTRY_ATTR;
			e.fh_len = 1 + (k >> 40) % EBPFS_FH_MAX;
			content(key, i << 20, fh, e.fh_len);
			e.fh = fh;
		}
		step = ebpfs_put_entry(to + n, x->count - n, &e);
		if (!step)
			return n;
		n += step;
	}
	*eof = true;
	return n;
}

/* The whole reply of anything but READ; returns its bytes. */
static u32 fill_other(const struct world *w, const struct exec *x, u8 *to, bool *eof)
{
	u64 key = version_key(w, x->file, x->version);
	struct ebpfs_entry_info e;

	*eof = false;
	switch (x->op) {
	case EBPFS_OP_GETATTR:
		fill_attr(w, x, x->file, (struct ebpfs_attr *)to);
		return sizeof(struct ebpfs_attr);
	case EBPFS_OP_LOOKUP:
		memset(&e, 0, sizeof(e));
		e.type = DT_REG;
		e.flags = EBPFS_ENTRY_ATTR;
		e.fh = w->files[x->arg].fh;
		e.fh_len = w->files[x->arg].fh_len;
		fill_attr(w, x, x->arg, &e.attr);
		return ebpfs_put_entry(to, EBPFS_MSG_MAX, &e);
	case EBPFS_OP_READDIR:
		return fill_dir(w, x, to, eof);
	case EBPFS_OP_READLINK:
		content(key, 1ull << 41, to, EBPFS_LINK_MAX);
		return 1 + word(key, ~2ull) % EBPFS_LINK_MAX;
	case EBPFS_OP_STATFS:
		content(key, 1ull << 42, to, sizeof(struct ebpfs_statfs));
		return sizeof(struct ebpfs_statfs);
	case EBPFS_OP_CREATE:
		memset(&e, 0, sizeof(e));
		e.type = DT_REG;
		e.flags = EBPFS_ENTRY_ATTR;
		e.fh = w->files[x->serial % w->nfiles].fh;
		e.fh_len = w->files[x->serial % w->nfiles].fh_len;
		fill_attr(w, x, x->file, &e.attr);
		return ebpfs_put_entry(to, EBPFS_MSG_MAX, &e);
	case EBPFS_OP_LINK:
		fill_attr(w, x, x->file, (struct ebpfs_attr *)to);
		return sizeof(struct ebpfs_attr);
	case EBPFS_OP_SETATTR:
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_COMMIT:
	case EBPFS_OP_SETXATTR:
	case EBPFS_OP_REMOVEXATTR:
	case EBPFS_OP_FALLOCATE:
	case EBPFS_OP_COPY:
	case EBPFS_OP_APPEND:
		memset(to, 0, sizeof(struct ebpfs_written));
		((struct ebpfs_written *)to)->verifier = cpu_to_le64(x->verifier);
		((struct ebpfs_written *)to)->count = cpu_to_le32(x->serial);
		fill_attr(w, x, x->file, &((struct ebpfs_written *)to)->attr);
		return sizeof(struct ebpfs_written);
	case EBPFS_OP_SEEK:
		((struct ebpfs_offset *)to)->offset = cpu_to_le64(key >> 1);
		return sizeof(struct ebpfs_offset);
	case EBPFS_OP_ACCESS:
		memset(to, 0, sizeof(struct ebpfs_access));
		((struct ebpfs_access *)to)->allowed = cpu_to_le32(key & 7);
		return sizeof(struct ebpfs_access);
	default:
		return 0;
	}
}

u32 request_limit(u16 op, u32 count)
{
	switch (op) {
	case EBPFS_OP_GETATTR:
		return sizeof(struct ebpfs_attr);
	case EBPFS_OP_LOOKUP:
		return sizeof(struct ebpfs_entry) + EBPFS_FH_MAX;
	case EBPFS_OP_READLINK:
		return EBPFS_LINK_MAX;
	case EBPFS_OP_STATFS:
		return sizeof(struct ebpfs_statfs);
	case EBPFS_OP_READ:
	case EBPFS_OP_READDIR:
		return count;
	case EBPFS_OP_CREATE:
		return sizeof(struct ebpfs_entry) + EBPFS_FH_MAX;
	case EBPFS_OP_LINK:
		return sizeof(struct ebpfs_attr);
	case EBPFS_OP_SETATTR:
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_COMMIT:
	case EBPFS_OP_SETXATTR:
	case EBPFS_OP_REMOVEXATTR:
	case EBPFS_OP_FALLOCATE:
	case EBPFS_OP_COPY:
	case EBPFS_OP_APPEND:
		return sizeof(struct ebpfs_written);
	case EBPFS_OP_SEEK:
		return sizeof(struct ebpfs_offset);
	case EBPFS_OP_ACCESS:
		return sizeof(struct ebpfs_access);
	default:
		return 0;
	}
}

/* Does it go through the log of intents? */
static bool logged(u16 op)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(op);

	return t && t->flags & EBPFS_TRAIT_ONCE;
}

static u8 reply_buffer[EBPFS_MSG_MAX] __attribute__((aligned(8)));

void exec_run(struct world *w, struct exec *x)
{
	struct file *f = &w->files[x->file];
	u64 size;
	bool eof;

	if (x->op == EBPFS_OP_GETATTR && x->file == w->nfiles - 1) {
		x->value = ++f->value;
		x->version = f->version;
		x->total = sizeof(struct ebpfs_attr);
		return;
	}
	x->version = f->version;
	/* What was done to a file is not refused because it goes now. */
	if (x->op != EBPFS_OP_PING && x->op != EBPFS_OP_CRED && !logged(x->op) &&
	    version_gone(w, x->file, x->version)) {
		x->status = ESTALE;
		return;
	}
	if (x->serial && x->op != EBPFS_OP_CRED)
		x->value = ++f->value;
	if (x->op != EBPFS_OP_READ) {
		x->total = fill_other(w, x, reply_buffer, &eof);
		x->flags = eof ? EBPFS_REPLY_EOF : 0;
		return;
	}
	size = version_size(w, x->file, x->version);
	if (x->arg < size)
		x->total = x->count < size - x->arg ? x->count : size - x->arg;
	x->flags = x->arg + x->total >= size ? EBPFS_REPLY_EOF : 0;
}

void exec_reply(const struct world *w, const struct exec *x, u32 off, void *to, u32 len)
{
	bool eof;

	if (x->op == EBPFS_OP_READ) {
		content(version_key(w, x->file, x->version), x->arg + off, to, len);
	} else {
		fill_other(w, x, reply_buffer, &eof);
		memcpy(to, reply_buffer + off, len);
	}
}

bool reply_parses(u16 op, const u8 *reply, u32 len)
{
	struct ebpfs_entry_info e;
	u32 at = 0;

	switch (op) {
	case EBPFS_OP_LOOKUP:
	case EBPFS_OP_CREATE:
		return !ebpfs_parse_entry(reply, len, false, &e) && e.len == len;
	case EBPFS_OP_READDIR:
		for (; at < len; at += e.len) {
			if (ebpfs_parse_entry(reply + at, len - at, true, &e))
				return false;
		}
		return at == len;
	default:
		return true;
	}
}

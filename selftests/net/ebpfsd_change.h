/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls that change something, for the tests of ebpfsd: ebpfsd_client.h's
 * client, taught the operations with an op_id or with data.
 */
#ifndef EBPFS_SELFTESTS_EBPFSD_CHANGE_H
#define EBPFS_SELFTESTS_EBPFSD_CHANGE_H

#include <linux/fs.h>

#include "ebpfsd_client.h"

static u64 op_id_base;	/* of one of several processes */

/* Never used again. */
static u64 next_op_id(void)
{
	static u64 id;

	return op_id_base + ++id;
}

/**
 * struct change - a call and the memory it points to
 * @call: to be sent
 * @data: its data
 * @fh: its handle
 * @name: its name
 */
struct change {
	struct ebpfs_call_info call;
	u8 data[8192] __attribute__((aligned(8)));
	struct fh fh;
	char name[256];
};

static void prepare(struct client *c, struct change *ch, u16 op, const struct fh *fh,
		    const char *name)
{
	memset(&ch->call, 0, sizeof(ch->call));
	ch->fh = *fh;
	ch->call.op = op;
	ch->call.cred = c->cred;
	ch->call.op_id = ebpfs_op_traits(op)->flags & EBPFS_TRAIT_ONCE ? next_op_id() : 0;
	ch->call.fh = ch->fh.bytes;
	ch->call.fh_len = fh->len;
	if (name) {
		snprintf(ch->name, sizeof(ch->name), "%s", name);
		ch->call.name = (u8 *)ch->name;
		ch->call.name_len = (u16)strlen(name);
	}
}

static void set_data(struct change *ch, u32 len)
{
	ch->call.data = ch->data;
	ch->call.data_len = len;
}

__attribute__((unused))
static void prepare_create(struct client *c, struct change *ch, const struct fh *dir,
			   const char *name, u32 mode, u32 mask, u32 flags)
{
	struct ebpfs_create create = {
		.mode = cpu_to_le32(mode), .umask = cpu_to_le32(mask), .flags = cpu_to_le32(flags),
	};

	prepare(c, ch, EBPFS_OP_CREATE, dir, name);
	memcpy(ch->data, &create, sizeof(create));
	set_data(ch, sizeof(create));
}

/* -error of the reply, or 0. */
__attribute__((unused))
static int do_change(struct client *c, struct change *ch)
{
	u8 buf[1024] __attribute__((aligned(8)));
	int n = client_call(c, &ch->call, buf, sizeof(buf));

	return n < 0 ? n : 0;
}

__attribute__((unused))
static int do_create(struct client *c, const struct fh *dir, const char *name, u32 mode, u32 mask,
		     u32 flags, struct fh *fh, struct ebpfs_attr *attr)
{
	u8 buf[1024] __attribute__((aligned(8)));
	struct change ch;
	int n;

	prepare_create(c, &ch, dir, name, mode, mask, flags);
	n = client_call(c, &ch.call, buf, sizeof(buf));
	return n < 0 ? n : take_entry(buf, n, fh, attr);
}

__attribute__((unused))
static int do_symlink(struct client *c, const struct fh *dir, const char *name,
		      const char *target, struct fh *fh, struct ebpfs_attr *attr)
{
	struct ebpfs_create create = { .mode = cpu_to_le32(S_IFLNK | 0777) };
	u8 buf[1024] __attribute__((aligned(8)));
	u32 len = (u32)strlen(target);
	struct change ch;
	int n;

	prepare(c, &ch, EBPFS_OP_CREATE, dir, name);
	create.target_len = cpu_to_le32(len);
	memcpy(ch.data, &create, sizeof(create));
	memcpy(ch.data + sizeof(create), target, len);
	set_data(&ch, sizeof(create) + len);
	n = client_call(c, &ch.call, buf, sizeof(buf));
	return n < 0 ? n : take_entry(buf, n, fh, attr);
}

__attribute__((unused))
static int do_mknod(struct client *c, const struct fh *dir, const char *name, u32 mode,
		    u32 major, u32 minor, struct fh *fh, struct ebpfs_attr *attr)
{
	struct ebpfs_create create = {
		.mode = cpu_to_le32(mode), .rdev_major = cpu_to_le32(major),
		.rdev_minor = cpu_to_le32(minor),
	};
	u8 buf[1024] __attribute__((aligned(8)));
	struct change ch;
	int n;

	prepare(c, &ch, EBPFS_OP_CREATE, dir, name);
	memcpy(ch.data, &create, sizeof(create));
	set_data(&ch, sizeof(create));
	n = client_call(c, &ch.call, buf, sizeof(buf));
	return n < 0 ? n : take_entry(buf, n, fh, attr);
}

__attribute__((unused))
static int do_remove(struct client *c, const struct fh *dir, const char *name, u64 what)
{
	struct change ch;

	prepare(c, &ch, EBPFS_OP_REMOVE, dir, name);
	ch.call.arg = what;
	return do_change(c, &ch);
}

static void put_target(struct change *ch, const struct fh *dir, const char *name)
{
	const struct ebpfs_target_info t = {
		.fh = dir->bytes, .fh_len = dir->len,
		.name = (const u8 *)name, .name_len = (u16)strlen(name),
	};

	set_data(ch, ebpfs_put_target(ch->data, &t));
}

__attribute__((unused))
static void prepare_rename(struct client *c, struct change *ch, const struct fh *from_dir,
			   const char *from, const struct fh *to_dir, const char *to, u64 flags)
{
	prepare(c, ch, EBPFS_OP_RENAME, from_dir, from);
	ch->call.arg = flags;
	put_target(ch, to_dir, to);
}

__attribute__((unused))
static int do_rename(struct client *c, const struct fh *from_dir, const char *from,
		     const struct fh *to_dir, const char *to, u64 flags)
{
	struct change ch;

	prepare_rename(c, &ch, from_dir, from, to_dir, to, flags);
	return do_change(c, &ch);
}

__attribute__((unused))
static int do_link(struct client *c, const struct fh *file, const struct fh *dir,
		   const char *name, struct ebpfs_attr *attr)
{
	struct change ch;
	int n;

	prepare(c, &ch, EBPFS_OP_LINK, file, NULL);
	put_target(&ch, dir, name);
	n = client_call(c, &ch.call, attr, sizeof(*attr));
	return n == sizeof(*attr) ? 0 : n < 0 ? n : -EPROTO;
}

__attribute__((unused))
static int do_setattr(struct client *c, const struct fh *fh, const struct ebpfs_setattr *a,
		      struct ebpfs_attr *attr)
{
	struct ebpfs_written done;
	struct change ch;
	int n;

	prepare(c, &ch, EBPFS_OP_SETATTR, fh, NULL);
	memcpy(ch.data, a, sizeof(*a));
	set_data(&ch, sizeof(*a));
	n = client_call(c, &ch.call, &done, sizeof(done));
	if (n < 0)
		return n;
	*attr = done.attr;
	return n == sizeof(done) ? 0 : -EPROTO;
}

__attribute__((unused))
static int do_chmod(struct client *c, const struct fh *fh, u32 mode)
{
	struct ebpfs_setattr a = {
		.valid = cpu_to_le32(EBPFS_SET_MODE), .mode = cpu_to_le32(mode),
	};
	struct ebpfs_attr attr;

	return do_setattr(c, fh, &a, &attr);
}

__attribute__((unused))
static int do_truncate(struct client *c, const struct fh *fh, u64 size)
{
	struct ebpfs_setattr a = {
		.valid = cpu_to_le32(EBPFS_SET_SIZE), .size = cpu_to_le64(size),
	};
	struct ebpfs_attr attr;

	return do_setattr(c, fh, &a, &attr);
}

/* With the data in the CALL, or, if it says so, @apart. */
__attribute__((unused))
static int do_write(struct client *c, const struct fh *fh, u64 offset, const void *data, u32 len,
		    u32 how, bool apart, struct ebpfs_written *out)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_WRITE, .arg = offset, .count = how, .fh = fh->bytes,
		.fh_len = fh->len, .data = data, .data_len = len, .cred = c->cred, .apart = apart,
	};
	struct ebpfs_written w;
	int n = client_call(c, &call, &w, sizeof(w));

	if (n < 0)
		return n;
	if (!EXPECT_EQ(n, sizeof(w)))
		return -EPROTO;
	if (out)
		*out = w;
	return 0;
}

/* WRITEATTR: bytes, then attributes. */
__attribute__((unused))
static int do_writeattr(struct client *c, const struct fh *fh, u64 offset, const void *data,
			u32 len, bool apart, const struct ebpfs_setattr *a,
			struct ebpfs_written *out)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_WRITEATTR, .arg = offset, .count = EBPFS_WRITE_STABLE,
		.fh = fh->bytes, .fh_len = fh->len, .data = data, .data_len = len,
		.attr = (const u8 *)a, .cred = c->cred, .apart = apart, .op_id = next_op_id(),
	};
	struct ebpfs_written w;
	int n = client_call(c, &call, &w, sizeof(w));

	if (n < 0)
		return n;
	if (!EXPECT_EQ(n, sizeof(w)))
		return -EPROTO;
	if (out)
		*out = w;
	return 0;
}

__attribute__((unused))
static int do_commit(struct client *c, const struct fh *fh, struct ebpfs_written *w)
{
	int n = do_op(c, EBPFS_OP_COMMIT, fh, 0, 0, w, sizeof(*w));

	return n == sizeof(*w) ? 0 : n < 0 ? n : -EPROTO;
}

/* What of @asked is allowed, or -error. */
__attribute__((unused))
static int do_access(struct client *c, const struct fh *fh, u32 asked)
{
	struct ebpfs_access a;
	int n = do_op(c, EBPFS_OP_ACCESS, fh, 0, asked, &a, sizeof(a));

	return n == sizeof(a) ? (int)le32_to_cpu(a.allowed) : n < 0 ? n : -EPROTO;
}

/* Tell of a user under @number. */
__attribute__((unused))
static int do_cred(struct client *c, u32 number, u32 uid, u32 gid, const u32 *groups, u32 ngroups)
{
	static struct {
		struct ebpfs_cred cred;
		__le32 groups[EBPFS_GROUPS_MAX];
	} data;
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_CRED, .arg = number, .data = (u8 *)&data,
		.data_len = (u32)(sizeof(data.cred) + ngroups * sizeof(__le32)),
	};
	u8 buf[8];
	u32 i;

	call.apart = call.data_len > 4096;
	data.cred = (struct ebpfs_cred){
		cpu_to_le32(uid), cpu_to_le32(gid), cpu_to_le32(ngroups), 0
	};
	for (i = 0; i < ngroups; i++)
		data.groups[i] = cpu_to_le32(groups[i]);
	return client_call(c, &call, buf, sizeof(buf));
}

/* A directory of the work directory as an export without squashing, with further @keys. */
__attribute__((unused))
static void add_export(const char *conf, const char *name, const char *dir, const char *keys)
{
	FILE *f = fopen(conf, "a");

	if (!f || fprintf(f, "[export %s]\npath = %s/%s\nclients = *\nsquash = none\n%s", name,
			  work, dir, keys) < 0 || fclose(f))
		abort();
}

/**
 * set_up_exports() - after set_up(): exports on disk and in memory, and a configuration
 * @size: of the filesystem in memory
 * @global: first lines of the configuration
 * @secret: out: of client alice
 *
 * Exports /disk and /memory of directories disk and memory, and /ro-disk and /ro-memory of
 * the same. The umask is 0 from then on.
 * Return: path of the configuration; NULL if there is no filesystem in memory.
 */
__attribute__((unused))
static const char *set_up_exports(const char *size, const char *global,
				  u8 secret[EBPFS_SECRET_LEN])
{
	const char *conf = strdup(at("conf"));
	char options[64];

	umask(0);
	mkdir(at("disk"), 0755);
	mkdir(at("memory"), 0755);
	snprintf(options, sizeof(options), "size=%s,mode=755", size);
	if (mount("none", at("memory"), "tmpfs", 0, options))
		return NULL;
	add_client(at("clients"), "alice", secret);
	write_file(conf, 0644, "%sclients = %s/clients\nstate-dir = %s/state\n", global, work,
		   work);
	add_export(conf, "/disk", "disk", "access = rw\n");
	add_export(conf, "/memory", "memory", "access = rw\n");
	add_export(conf, "/ro-disk", "disk", "");
	add_export(conf, "/ro-memory", "memory", "");
	return conf;
}

/* At the end of main(), which is to return @ret if the daemon can still be stopped. */
__attribute__((unused))
static int tear_down_exports(int ret)
{
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	umount(at("memory"));
	return ret;
}

#endif /* EBPFS_SELFTESTS_EBPFSD_CHANGE_H */

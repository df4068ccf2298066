// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the seeds that the fuzz targets start from: one message of each kind,
 * calls of each op, replies and entries of different shapes, programs for
 * fuzz_reply that reach each of its outcomes, and files and answers of the kernel that
 * are right and wrong.
 *
 *	make_corpus DIR		into DIR/wire, DIR/handshake, DIR/reply and so on
 *
 * With this generator no binary need lie in the repository.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <ebpfs/netlink.h>

#include "core/handshake.h"
#include "core/wire.h"
#include "fuzz/state.h"

#define SESSION	0x1122334455667788ull

static const char *top;

static void fail(const char *what, const char *name)
{
	fprintf(stderr, "make_corpus: cannot %s %s: %s\n", what, name, strerror(errno));
	exit(1);
}

static void save(const char *target, const char *name, const void *data, size_t len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, target);
	if (mkdir(path, 0777) && errno != EEXIST)
		fail("make the directory", path);
	snprintf(path, sizeof(path), "%s/%s/%s", top, target, name);
	f = fopen(path, "wb");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f))
		fail("write", path);
}

static const u8 handle[EBPFS_FH_MAX] = "\x02\x01some handle that a server made";

static const u8 name[] = "README.md";

/* The data of a call; returns their bytes. */
static u32 make_data(u16 op, u8 *p)
{
	const struct ebpfs_target_info target = {
		.fh = handle, .fh_len = 20, .name = name, .name_len = 9,
	};
	struct ebpfs_create create = { .mode = cpu_to_le32(S_IFLNK | 0777), .target_len = 6 };
	struct ebpfs_cred cred = { .uid = cpu_to_le32(1000), .ngroups = cpu_to_le32(2) };
	const struct ebpfs_release_info release = { .hold = 9, .fh = handle, .fh_len = 31 };
	const struct ebpfs_release_info other = { .hold = 10, .fh = handle, .fh_len = 3 };
	struct ebpfs_lock lock = {
		.owner = cpu_to_le64(77), .end = cpu_to_le64(~0ull >> 1), .pid = cpu_to_le32(4711),
		.kind = EBPFS_LOCK_POSIX, .type = EBPFS_LOCK_WRITE, .flags = EBPFS_LOCK_WAIT,
	};
	u32 len;

	switch (op) {
	case EBPFS_OP_CRED:
		memcpy(p, &cred, sizeof(cred));
		memset(p + sizeof(cred), 4, 8);
		return sizeof(cred) + 8;
	case EBPFS_OP_CREATE:
		memcpy(p, &create, sizeof(create));
		memcpy(p + sizeof(create), "target", 6);
		return sizeof(create) + 6;
	case EBPFS_OP_TMPFILE:
		create = (struct ebpfs_create){
			.mode = cpu_to_le32(S_IFREG | 0600),
			.flags = cpu_to_le32(EBPFS_CREATE_EXCL),
		};
		memcpy(p, &create, sizeof(create));
		return sizeof(create);
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
		return ebpfs_put_target(p, &target);
	case EBPFS_OP_SETATTR:
		memset(p, 0, sizeof(struct ebpfs_setattr));
		p[offsetof(struct ebpfs_setattr, valid)] = EBPFS_SET_MODE | EBPFS_SET_MTIME_NOW;
		return sizeof(struct ebpfs_setattr);
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_APPEND:
	case EBPFS_OP_SETXATTR:
		memset(p, 'w', 77);
		return 77;
	case EBPFS_OP_FALLOCATE:
		memset(p, 0, sizeof(struct ebpfs_range));
		p[offsetof(struct ebpfs_range, len)] = 100;
		return sizeof(struct ebpfs_range);
	case EBPFS_OP_COPY:
		memset(p, 0, sizeof(struct ebpfs_copy));
		p[offsetof(struct ebpfs_copy, len)] = 100;
		p[offsetof(struct ebpfs_copy, fh_len)] = 32;
		memcpy(p + sizeof(struct ebpfs_copy), handle, 32);
		return sizeof(struct ebpfs_copy) + 32;
	case EBPFS_OP_RELEASE:
		len = ebpfs_put_release(p, &release);
		return len + ebpfs_put_release(p + len, &other);
	case EBPFS_OP_LOCK:
		memcpy(p, &lock, sizeof(lock));
		return sizeof(lock);
	default:
		return 0;
	}
}

static struct ebpfs_call_info make_call(u16 op, u8 *data)
{
	static struct ebpfs_setattr attr;	/* for as long as the call */
	const struct ebpfs_op_traits *t = ebpfs_op_traits(op);
	struct ebpfs_call_info c = {
		.id = EBPFS_ID(op, 3), .want = ~0ull, .op = op, .cell = 8920,
	};

	if (!t)
		return c;
	c.cred = op == EBPFS_OP_CRED ? 0 : 1;
	c.arg = op == EBPFS_OP_CRED || op == EBPFS_OP_LOCK;
	if (op == EBPFS_OP_GETATTR || op == EBPFS_OP_LOOKUP || op == EBPFS_OP_TMPFILE) {
		c.arg = 5;
		c.count = EBPFS_HOLD_OPEN | EBPFS_HOLD_LEASE;
	}
	if (t->flags & EBPFS_TRAIT_FH) {
		c.fh = handle;
		c.fh_len = 32;
	}
	if (t->flags & EBPFS_TRAIT_COUNT)
		c.count = 61440;
	if (t->flags & EBPFS_TRAIT_ONCE)
		c.op_id = 0x100000000ull + op;
	attr.valid = cpu_to_le32(EBPFS_SET_MODE | EBPFS_SET_MTIME);
	if (t->flags & EBPFS_TRAIT_ATTR)
		c.attr = (const u8 *)&attr;
	if (op == EBPFS_OP_READ || op == EBPFS_OP_WRITE || op == EBPFS_OP_WRITEATTR)
		c.arg = 1 << 20;
	if (t->flags & (EBPFS_TRAIT_NAME | EBPFS_TRAIT_XATTR)) {
		c.name = name;
		c.name_len = 9;
	}
	c.data_len = make_data(op, data);
	c.data = c.data_len ? data : NULL;
	return c;
}

static void calls(void)
{
	struct ebpfs_call_info c;
	u8 p[4096], many[4096], data[512];
	char file[32];
	u32 len, all;
	u16 op;

	all = ebpfs_put_calls(many, SESSION, EBPFS_OP_LAST, 8920);
	for (op = EBPFS_OP_PING; op <= EBPFS_OP_LAST; op++) {
		c = make_call(op, data + 1);
		len = ebpfs_put_calls(p, SESSION, 1, 8920);
		len += ebpfs_put_call(p + len, &c, false);
		ebpfs_seal(p, len);
		snprintf(file, sizeof(file), "call_%u", op);
		save("wire", file, p, len);
		all += ebpfs_put_call(many + all, &c, c.fh_len && op > EBPFS_OP_GETATTR);
		if (!c.data_len)
			continue;
		data[0] = op;
		snprintf(file, sizeof(file), "data_%u", op);
		save("wire", file, data, 1 + c.data_len);
		c.apart = true;
		len = ebpfs_put_calls(p, SESSION, 1, 8920);
		len += ebpfs_put_call(p + len, &c, false);
		ebpfs_seal(p, len);
		snprintf(file, sizeof(file), "call_apart_%u", op);
		save("wire", file, p, len);
	}
	ebpfs_seal(many, all);
	save("wire", "call_all", many, all);

	/* A readahead of a megabyte in one datagram. */
	all = ebpfs_put_calls(many, SESSION, 17, 8920);
	for (op = 0; op < 17; op++) {
		c = make_call(EBPFS_OP_READ, data);
		c.id = EBPFS_ID(op, 9);
		c.arg = op * 61440;
		all += ebpfs_put_call(many + all, &c, op > 0);
	}
	ebpfs_seal(many, all);
	save("wire", "call_readahead", many, all);
}

/* Data that come apart, and what a server says when some lack. */
static void apart(void)
{
	static const struct {
		const char *name;
		u32 total;
		u16 cell;
		u8 index;
	} shapes[] = {
		{ "data_whole", 1, 8920, 0 },
		{ "data_first", 61440, 1152, 0 },
		{ "data_tail", 2000, 1024, 1 },
		{ "data_last", 65536, 1024, 63 },
	};
	struct ebpfs_need_info n = { .id = EBPFS_ID(4, 7), .missing = ~0ull, .attempt = 1 };
	static u8 p[sizeof(struct ebpfs_data) + 8920];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct ebpfs_frag f = {
			.session = SESSION, .id = EBPFS_ID(4, 7), .total = shapes[i].total,
			.cell = shapes[i].cell, .offset = shapes[i].index * shapes[i].cell,
			.attempt = 2,
		};
		u32 left = f.total - f.offset, len;

		memset(p, 'w', sizeof(p));
		len = ebpfs_put_data(p, &f) + (left < f.cell ? left : f.cell);
		ebpfs_seal(p, len);
		save("wire", shapes[i].name, p, len);
	}
	save("wire", "need_all", p, ebpfs_put_need(p, SESSION, &n));
	n.missing = 0x8000000000000005ull;
	n.cell = 1024;
	save("wire", "need_some", p, ebpfs_put_need(p, SESSION, &n));
}

/* What a server says about what is held, and the answer. */
static void recalls(void)
{
	struct ebpfs_recall_info r = {
		.id = 12, .hold = 9, .kind = EBPFS_RECALL_LEASE, .fh = handle, .fh_len = 31,
	};
	u8 p[sizeof(struct ebpfs_recall)];

	save("wire", "recall_lease", p, ebpfs_put_recall(p, SESSION, &r));
	r.kind = EBPFS_RECALL_LOCK;
	r.hold = 0;
	r.fh_len = EBPFS_FH_MAX;
	save("wire", "recall_lock", p, ebpfs_put_recall(p, SESSION, &r));
	save("wire", "recalled", p, ebpfs_put_recalled(p, SESSION, 12));
}

static void replies(void)
{
	static const struct {
		const char *name;
		u32 total;
		u16 cell;
		u8 index;
		u16 status;
		u16 flags;
	} shapes[] = {
		{ "reply_empty", 0, 8920, 0, 0, 0 },
		{ "reply_error", 0, 8920, 0, ENOENT, 0 },
		{ "reply_attr", 112, 8920, 0, 0, 0 },
		{ "reply_tail", 2000, 1024, 1, 0, EBPFS_REPLY_EOF },
		{ "reply_first", 61440, 1152, 0, 0, 0 },
		{ "reply_last", 65536, 1024, 63, 0, 0 },
	};
	static u8 p[sizeof(struct ebpfs_reply) + 8920];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct ebpfs_frag f = {
			.session = SESSION, .id = EBPFS_ID(4, 7), .instance = 77,
			.total = shapes[i].total, .cell = shapes[i].cell,
			.offset = shapes[i].index * shapes[i].cell,
			.status = shapes[i].status, .flags = shapes[i].flags,
		};
		u32 left = f.total - f.offset, len;

		memset(p, 'd', sizeof(p));
		len = ebpfs_put_reply(p, &f) + (left < f.cell ? left : f.cell);
		ebpfs_seal(p, len);
		save("wire", shapes[i].name, p, len);
	}
}

static void entries(void)
{
	struct ebpfs_entry_info e = { .type = 8, .flags = EBPFS_ENTRY_ATTR, .fh = handle,
				      .fh_len = 32 };
	u8 p[1024];

	memset(&e.attr, 0x11, sizeof(e.attr));
	save("wire", "entry_lookup", p, ebpfs_put_entry(p, sizeof(p), &e));
	e.cookie = 12;
	e.name = (const u8 *)"Makefile";
	e.name_len = 8;
	save("wire", "entry_readdir", p, ebpfs_put_entry(p, sizeof(p), &e));
	e.flags = 0;
	e.name = (const u8 *)"..";
	e.name_len = 2;
	save("wire", "entry_dotdot", p, ebpfs_put_entry(p, sizeof(p), &e));
}

/* The handshake's messages as datagrams, for the header's parser. */
static void handshake_messages(void)
{
	static const u8 secret[EBPFS_SECRET_LEN] = "seeds need no secret that is one";
	static const u8 nonce[EBPFS_NONCE_LEN] = "nor a nonce that nobody can know";
	struct ebpfs_hs_client client = { .sec = EBPFS_SEC_CRC, .features = EBPFS_FEAT_ALL,
					  .slots = 64, .owner = 1, .session = SESSION };
	struct ebpfs_hs_server server = { .cookie_key = { 1 } };
	struct ebpfs_bytes addr = { "192.0.2.1:777", 13 };
	struct ebpfs_hs_session s = {
		.server_session = 5, .server_instance = 6, .features = EBPFS_FEAT_ALL,
		.unit_max = 65536, .cell_max = 8920,
		.slots = 64, .owner_instance = 1, .lease = 30, .root_fh_len = 32,
	};
	struct ebpfs_challenge challenge;
	struct ebpfs_hs_proof proof;
	struct ebpfs_accept accept;
	struct ebpfs_reject reject;
	struct ebpfs_hello hello;
	struct ebpfs_auth auth;
	struct ebpfs_bye bye;
	_Alignas(8) u8 p[1200];

	memcpy(client.secret, secret, sizeof(secret));
	memcpy(client.client, "one", 4);
	memcpy(client.export, "/data", 6);
	ebpfs_hs_hello(&client, &hello);
	ebpfs_hs_make_challenge(&server, &hello, sizeof(hello), addr, nonce, 1, &challenge);
	ebpfs_hs_challenge(&client, &challenge, sizeof(challenge), &auth);
	ebpfs_hs_check_auth(&auth, secret, &proof);
	ebpfs_hs_make_accept(&auth, &proof, nonce, &s, &accept);
	ebpfs_hs_make_reject(SESSION, EBPFS_REJECT_EXPORT, &reject);
	ebpfs_hs_make_bye(5, s.key, &bye);
	save("wire", "hello", &hello, sizeof(hello));
	save("wire", "challenge", &challenge, sizeof(challenge));
	save("wire", "auth", &auth, sizeof(auth));
	save("wire", "accept", &accept, sizeof(accept));
	save("wire", "reject", &reject, sizeof(reject));
	save("wire", "bye", &bye, sizeof(bye));
	save("wire", "probe", p, ebpfs_put_probe(p, EBPFS_PROBE, SESSION, 1, sizeof(p)));
	ebpfs_put_hdr((struct ebpfs_hdr *)p, EBPFS_UNKNOWN, SESSION);
	ebpfs_seal(p, sizeof(struct ebpfs_hdr));
	save("wire", "unknown", p, sizeof(struct ebpfs_hdr));
}

/* For each step of fuzz_handshake.c: the genuine message, and one that is changed a little. */
static void handshake_steps(void)
{
	static const char *const names[] = {
		"hello", "challenge", "auth", "accept", "reject", "bye",
	};
	/* The genuine message changed, by somebody without and with the secret. */
	static const u8 hows[] = { 0x40, 0xc0 };
	u8 p[512] = { 0 };
	char name[32];
	u8 step, how, flags;

	for (step = 0; step < ARRAY_SIZE(names); step++) {
		for (how = 0; how < ARRAY_SIZE(hows); how++) {
			flags = hows[how];
			p[0] = step | flags;
			snprintf(name, sizeof(name), "%s_%02x", names[step], flags);
			save("handshake", name, p, 2 + sizeof(struct ebpfs_auth));
			p[2 + 100] = 1;
			snprintf(name, sizeof(name), "%s_%02x_changed", names[step], flags);
			save("handshake", name, p, 2 + sizeof(struct ebpfs_auth));
			p[2 + 100] = 0;
		}
	}
	p[0] = 0x42;
	p[1] = 61;
	save("handshake", "auth_late", p, 2 + sizeof(struct ebpfs_auth));
}

/* Programs of fuzz_guard.c: datagrams both ways, changed, again, and by new keys. */
static void guard_steps(void)
{
	static const u8 plain[] = {
		1, 0, 0, 5, 100, 0, 1, 6, 100, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0,
		2, 0, 0, 60, 4, 4, 1, 0, 30,
	};
	/* A second passes, the client asks, both messages arrive, and both ends use the keys. */
	static const u8 rekey[] = {
		1, 0, 0, 5, 9, 6, 0, 20, 0, 5, 0, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 5, 9,
		1, 0, 2, 0, 1, 0, 0, 0, 0, 1, 6, 9, 1, 1, 1, 0, 6, 0, 255, 0, 6, 0, 255, 0,
		6, 0, 255, 0, 1, 0, 0, 0,
	};
	u8 integrity[sizeof(rekey)];

	memcpy(integrity, rekey, sizeof(rekey));
	integrity[0] = 0;
	save("guard", "plain", plain, sizeof(plain));
	save("guard", "rekey", rekey, sizeof(rekey));
	save("guard", "rekey_integrity", integrity, sizeof(integrity));
}

/* Programs of fuzz_reply.c; its table of operations gives the numbers. */
#define TAKE(limit)			0, limit
#define FRAG(slot, how, what, cell)	1, slot, how, what, cell
#define FILL_GOOD			2, 0
#define FILL_BAD			2, 204
#define CANCEL(slot)			5, slot
#define PUT(slot)			6, slot
#define SEND(slot)			7, slot
#define DUE(how)			8, how
#define TAKE_DATA(sizes)		10, sizes
#define NEED(slot, how, bits)		11, slot, how, bits
#define RUN(slot, how, what, cell, more) 12, (more) - 1, slot, how, what, cell
#define FILL_HALF(odd)			2, 228 + (odd)

static void programs(void)
{
	/* what: total in the low half, cell in the high one; 0x14 + cell 1: 2000 in two cells */
	static const u8 complete[] = {
		TAKE(5), SEND(0), FRAG(0, 1, 0x04, 0), FRAG(0, 1, 0x04, 1), FILL_GOOD, FILL_GOOD,
		FRAG(0, 1, 0x04, 1), PUT(0), FRAG(0, 1, 0x04, 1),
	};
	static const u8 error[] = { TAKE(5), FRAG(0, 0x71, 0, 0), FILL_GOOD, PUT(0) };
	static const u8 corrupt[] = {
		TAKE(5), FRAG(0, 1, 0x04, 0), FILL_BAD, FRAG(0, 1, 0x04, 0), FILL_GOOD,
		FRAG(0, 1, 0x04, 1), FILL_BAD, DUE(255), SEND(0),
	};
	static const u8 newer[] = {
		TAKE(5), FRAG(0, 3, 0x04, 0), FILL_GOOD, FRAG(0, 5, 0x04, 1), FRAG(0, 3, 0x04, 1),
		FILL_GOOD, FRAG(0, 5, 0x04, 0), FILL_GOOD, PUT(0),
	};
	static const u8 cancelled[] = {
		TAKE(5), FRAG(0, 1, 0x04, 0), FRAG(0, 1, 0x04, 1), CANCEL(0), FRAG(0, 1, 0x04, 1),
		FILL_GOOD, FILL_BAD, PUT(0), TAKE(5), CANCEL(0), CANCEL(0), PUT(0),
	};
	static const u8 full[] = {
		TAKE(8), TAKE(8), TAKE(8), DUE(200), DUE(255), DUE(255), FRAG(1, 1, 0x09, 63),
		FILL_GOOD, FRAG(0, 0x89, 0x39, 7), FILL_GOOD, CANCEL(1), PUT(1), TAKE(2), TAKE(2),
	};

	/* how: the client's cell in the low bits, the server's three above, 4: none has come */
	static const u8 lacking[] = {
		TAKE_DATA(0x72), SEND(0), NEED(0, 0, 1), DUE(255), NEED(0, 4, 1), NEED(0, 4, 1),
		DUE(255), NEED(0, 0x12, 9), DUE(255), NEED(0, 0x91, 8), DUE(255), NEED(0, 0x12, 8),
		FRAG(0, 1, 0x01, 0), FILL_GOOD, NEED(0, 0x12, 8), PUT(0), TAKE_DATA(0x82),
		TAKE_DATA(0x82), TAKE_DATA(0x62), CANCEL(0), NEED(0, 4, 1), PUT(0),
	};

	/* 0x06: 8 cells of 1024; 0x09: 64 */
	static const u8 run[] = {
		TAKE(8), SEND(0), FRAG(0, 1, 0x06, 2), RUN(0, 1, 0x06, 1, 4), FILL_GOOD,
		FILL_HALF(0), RUN(0, 1, 0x06, 0, 7), RUN(0, 1, 0x06, 0, 7), FILL_GOOD, PUT(0),
		TAKE(8), RUN(0, 2, 0x09, 0, 63), RUN(0, 3, 0x06, 0, 2), FILL_BAD,
		RUN(0, 3, 0x06, 0, 2), FILL_HALF(1), RUN(0, 4, 0x06, 3, 2), CANCEL(0), FILL_GOOD,
		PUT(0), TAKE(8), RUN(0, 1, 0x09, 0, 63), FILL_GOOD, PUT(0),
	};

	save("reply", "run", run, sizeof(run));
	save("reply", "lacking", lacking, sizeof(lacking));
	save("reply", "complete", complete, sizeof(complete));
	save("reply", "error", error, sizeof(error));
	save("reply", "corrupt", corrupt, sizeof(corrupt));
	save("reply", "newer", newer, sizeof(newer));
	save("reply", "cancelled", cancelled, sizeof(cancelled));
	save("reply", "full", full, sizeof(full));
}

static void text(const char *target, const char *name, const char *bytes)
{
	save(target, name, bytes, strlen(bytes));
}

static void configurations(void)
{
	text("config", "all",
	     "f# all that there is\n"
	     "listen = 192.0.2.1 [2001:db8::1]:4711\n"
	     "threads = 4\nclients = /etc/clients\nstate-dir = /var/lib/x\n"
	     "sessions-max = 10\nreply-cache = 64M\nlease = 5\nlocks-max = 1K\n"
	     "\n[export /data]\n"
	     "path = /srv/data\nclients = alice  bob\taccess=rw\n"
	     "access = rw\nsquash = all\nanonuid = 99\nanongid = 98\n"
	     "watch = yes\nsec = privacy\nidmap = /etc/map\n"
	     "[export /more]\npath=/srv/more\nclients=*\nsquash=none\n"
	     "privileged-xattrs=yes\naccess=ro\nsec=integrity\n");
	text("config", "least", "f[export /]\npath=/\nclients=*\nsec=crc\nsquash=root\n");
	text("config", "mistakes",
	     "flisten = 1.2.3 ::1 ::1 [::1\nthreads=0\nreply-cache=1\nwhat\n=  x\nx=\n"
	     "[export data]\npath=x\n[export /a]\n[export /a]\n[export\n]\n"
	     "clients=a#b\nsquash=no\nanonuid=0\nanongid=4294967295\nidmap=x\nwatch=1\n");
	text("config", "options",
	     "oe/data=/srv/data,rw,no_root_squash,privileged_xattrs,watch,sec=privacy\n"
	     "e/b=/b,ro,all_squash,root_squash,anonuid=5,anongid=6\nl0.0.0.0:1\nl[::1]\n"
	     "t3\ns/state\n");
	text("config", "wrong-options", "oex\ne/a=b,c\nt65\ns.\nl%\nlfe80::1%lo\n");
}

#define SECRET	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void files(void)
{
	static const char acl[] =
		"a\x14\x02\0\0\0\x02\0\x07\0\xe8\x03\0\0\x08\0\x07\0\x64\0\0\0"
		"u 1000 500\ng 100 200\n";
	/* More than is read at once. */
	char large[400] = "s" SECRET "\n";

	memset(large + strlen(large), ' ', sizeof(large) - strlen(large) - 2);
	large[sizeof(large) - 2] = 'x';
	large[sizeof(large) - 1] = '\0';
	text("files", "secret", "s" SECRET "\n");
	text("files", "secret-spaces", "s \t" SECRET "\t\r\n\n");
	text("files", "secret-large", large);
	text("files", "secret-short", "sAAEC");
	text("files", "clients", "c# who may\nalice " SECRET "\n\nbob\t" SECRET "\r\n");
	text("files", "clients-twice", "calice " SECRET "\nalice " SECRET "\n");
	text("files", "clients-wrong", "c* " SECRET "\nbob\na#b x\nbob " SECRET " more\n");
	text("files", "idmap", "i# numbers\nu 1000 500\nu 2000 3000 100\ng 100 100 10\ng 7 8\n");
	text("files", "idmap-end", "iu 0 4294967294\ng 4294967290 0 5\n");
	text("files", "idmap-twice", "iu 1 10 5\nu 3 20\ng 1 10 5\ng 20 14\n");
	text("files", "idmap-wrong", "ix 1 2\nu 1\nu 1 2 0\nu 4294967295 1\nu 1 2 3 4\n");
	save("files", "acl", acl, sizeof(acl) - 1);
}

static u8 *put_intent(u8 *p, struct fuzz_intent f, const void *bytes, u8 len)
{
	f.len = len;
	memcpy(p, &f, sizeof(f));
	memcpy(p + sizeof(f), bytes, len);
	return p + sizeof(f) + len;
}

/* An append of which the file has @there bytes from @size on, of @len. */
static u8 *put_append(u8 *p, u64 size, u32 len)
{
	struct fuzz_intent f = {
		.op = EBPFS_OP_APPEND, .flags = 1 << 4, .op_id = 9, .parts = FUZZ_NOTE,
		.note = FUZZ_NOTE_FILE, .at = 3,
	};
	u32 cuts[EBPFS_APPEND_CUTS], n;
	struct ebpfs_append_mark m;
	u8 bytes[8192];

	for (n = 0; n < len; n++)
		bytes[n] = fuzz_byte(size + n);
	n = ebpfs_append_mark(&m, cuts, size, bytes, len);
	memcpy(f.a, &m, sizeof(m));
	return put_intent(p, f, cuts, (u8)(n * sizeof(*cuts)));
}

static void calls_of_before(void)
{
	struct fuzz_intent temp = {
		.op = EBPFS_OP_CREATE, .flags = 1 << 2, .op_id = 1, .parts = FUZZ_NOTE,
		.note = FUZZ_NOTE_TEMP, .file = 1,
	};
	struct fuzz_intent value = {
		.op = EBPFS_OP_SETXATTR, .flags = 1 << 4, .op_id = 2, .parts = FUZZ_NOTE, .at = 1,
		.note = FUZZ_NOTE_FILE,
	};
	struct fuzz_intent shift = {
		.op = EBPFS_OP_FALLOCATE, .flags = 1 << 4, .op_id = 3, .parts = FUZZ_NOTE, .at = 2,
		.note = FUZZ_NOTE_FILE, .a = { FUZZ_FILE_SIZE & 255, FUZZ_FILE_SIZE >> 8 },
	};
	struct fuzz_intent done = {
		.op = EBPFS_OP_RENAME, .op_id = 4, .parts = FUZZ_EFFECT | FUZZ_RESULT, .at = 4,
		.log = 1,
	};
	u8 seed[4096] = "i", *p = seed + 1;

	p = put_intent(p, temp, ".ebpfsd-new-0123456789abcdef-1", 31);
	p = put_intent(p, value, "user.x", 6);
	p = put_intent(p, shift, "", 0);
	p = put_append(p, FUZZ_FILE_SIZE - 500, 500);
	p = put_intent(p, done, "reply", 5);
	save("state", "calls", seed, (size_t)(p - seed));
	/* A name that is not ours, and the file itself. */
	p = put_intent(seed + 1, temp, "kept", 5);
	p = put_intent(p, temp, "../file", 8);
	save("state", "foreign", seed, (size_t)(p - seed));
	/* Broken off at a page, and one that has come in whole. */
	p = put_append(seed + 1, FUZZ_FILE_SIZE - 904, 3000);
	save("state", "torn", seed, (size_t)(p - seed));
	temp.parts |= FUZZ_BROKEN;
	value.note = FUZZ_NOTE_RAW;
	value.file = 2;
	p = put_intent(seed + 1, temp, ".ebpfsd-new-0123456789abcdef-1", 31);
	p = put_intent(p, value, "\x40\0\xff\xff", 4);
	save("state", "broken", seed, (size_t)(p - seed));
}

static void states(void)
{
	text("state", "boot-open", "b00000000-0000-0000-0000-000000000000 12345678 open\n");
	text("state", "boot-clean", "b00000000-0000-0000-0000-000000000000 12345678 clean\n");
	text("state", "boot-other", "b00000000-0000-0000-0000-000000000001 87654321 open");
	text("state", "boot-cut", "b00000000-0000-0000");
	text("state", "owners", "oalice 0123456789abcdef /data\nbob 0000000000000001 /\n");
	text("state", "owners-wrong", "oalice 1 /data\nbob 0000000000000001 /");
	text("state", "header", "h");
	text("state", "orphans", "n01000000810203040506070801000000\n0100000004810a0b0c0d\nx\n0102\n");
	calls_of_before();
}

static u8 *put_attr(u8 *p, u16 type, const void *bytes, u16 len)
{
	const u16 head[2] = { (u16)(4 + len), type };

	memset(p, 0, 4u + (len + 3u) / 4 * 4);
	memcpy(p, head, sizeof(head));
	memcpy(p + 4, bytes, len);
	return p + 4 + (len + 3u) / 4 * 4;
}

/* A message around what lies from @p + 20 to @end. */
static u8 *put_message(u8 *p, u8 *end, u16 type, u16 flags)
{
	const u32 len = (u32)(end - p);

	memset(p, 0, 20);
	memcpy(p, &len, sizeof(len));
	memcpy(p + 4, &type, sizeof(type));
	memcpy(p + 6, &flags, sizeof(flags));
	return end;
}

static void save_answer(const char *name, u8 what, u8 *seed, const u8 *end)
{
	const u16 len = (u16)(end - seed - 3);

	seed[0] = what;
	memcpy(seed + 1, &len, sizeof(len));
	save("netlink", name, seed, (size_t)(end - seed));
}

static u8 *put_stats(u8 *p)
{
	u8 stat[64], *q = put_attr(stat, EBPFS_A_STAT_NAME, "fill_bytes_xdp", 15);
	u8 nest[80], *n;

	q = put_attr(q, EBPFS_A_STAT_VALUE, "\1\2\3\0\0\0\0", 8);
	n = put_attr(nest, EBPFS_A_STAT | 0x8000, stat, (u16)(q - stat));
	return put_attr(p, EBPFS_A_STATS | 0x8000, nest, (u16)(n - nest));
}

static void answers(void)
{
	static u8 seed[2048];
	u8 *first = seed + 3, *p;

	p = put_attr(first + 20, 1, "\x21", 2);
	p = put_message(first, p, 16, 0);
	p = put_message(p, p + 20, 2, 0);
	save_answer("family", 0, seed, p);

	p = first + 20;
	for (u16 type = EBPFS_A_MOUNT; type <= EBPFS_A_REQUESTS_WAITING; type++)
		p = put_attr(p, type, "\1\0\0\0\0\0\0", 8);
	p = put_attr(p, EBPFS_A_SOURCE, "192.0.2.1:/data", 16);
	p = put_attr(p, EBPFS_A_OPTIONS, "rw,name=web1", 13);
	p = put_stats(p);
	p = put_message(first, p, 33, 2);
	p = put_message(p, p + 20, 3, 2);
	save_answer("mounts", 1, seed, p);

	p = first + 20;
	for (u16 type = 1; type <= EBPFS_A_MAX; type++)
		p = put_attr(p, type, "\2\0\x50\x0a\xc0\0\2\1\0\0\0\0\0\0\0", 16);
	p = put_stats(p);
	p = put_message(first, p, 33, 2);
	p = put_message(p, p + 20, 3, 2);
	save_answer("nodes", 2, seed, p);

	p = put_message(first, put_stats(first + 20), 33, 0);
	save_answer("counters", 3, seed, p);

	/* An error with its message in words: errno 22, what it is about, attribute 1. */
	memset(first, 0, 64);
	first[16] = 0xea;
	memset(first + 17, 0xff, 3);
	first[20] = 16;
	p = put_attr(first + 36, 1, "no such node", 13);
	p = put_message(first, p, 2, 0x200);
	first[16] = 0xea;
	memset(first + 17, 0xff, 3);
	save_answer("error", 4, seed, p);
	/* Of more than there is, and of no error that there is. */
	memset(first + 20, 0xff, 4);
	save_answer("error-long", 4, seed, p);
	memcpy(first + 16, "\0\0\0\x80", 4);
	save_answer("error-none", 4, seed, p);
	p = put_message(first, first + 20, 3, 2);
	memcpy(first + 16, "\0\0\0\x80", 4);
	save_answer("done-none", 1, seed, p);

	/* Attributes that are too short. */
	p = put_message(first, put_attr(first + 20, 1, "\x21", 1), 16, 0);
	save_answer("family-short", 0, seed, p);
	p = first + 20;
	for (u16 type = 1; type <= EBPFS_A_MAX; type++)
		p = put_attr(p, type, "", 0);
	p = put_message(first, p, 33, 2);
	save_answer("nodes-short", 2, seed, p);
}

static void mounts(void)
{
	text("mount", "options",
	     "oro,nosuid,nodev,noexec,noatime,name=web1,secretfile=/x,sec=privacy,hard\n"
	     "_netdev,x-systemd.automount,comment=\"a,b\",remount,bind,user,nofail,port=5\n");
	text("mount", "options-wrong", "osecret=x");
	text("mount", "options-quote", "ox=\"a,name=\"");
	text("mount", "source", "sfour:1,six,192.0.2.9,[2001:db8::9]:80:/data/x");
	text("mount", "source-wrong", "sfour,:/x");
	text("mount", "address", "a[fe80::1%lo]:20490");
	text("mount", "address-four", "a192.0.2.1");
	text("mount", "path", "pa/./b//../c/../../d/");
	text("mount", "mountinfo",
	     "m/mnt/a b/../a b\n"
	     "36 35 0:50 / /mnt/a\\040b rw,noatime master:1 - ebpfs 192.0.2.1:/x rw\n"
	     "37 35 8:1 / / rw - ext4 /dev/sda1 rw\n"
	     "38 35 0:51 / /mnt/c rw - ebpfs x rw\n");
	text("mount", "mount-number", "m2\n");
	text("mount", "mount-device", "m0:50\n");
	text("mount", "pins", "d.\n..\n4026531840-2\n4026531840-1\n1-2x\n7-\n");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: make_corpus DIR\n");
		return 2;
	}
	top = argv[1];
	if (mkdir(top, 0777) && errno != EEXIST)
		fail("make the directory", top);
	calls();
	apart();
	recalls();
	replies();
	entries();
	handshake_messages();
	handshake_steps();
	guard_steps();
	programs();
	configurations();
	files();
	states();
	answers();
	mounts();
	return 0;
}

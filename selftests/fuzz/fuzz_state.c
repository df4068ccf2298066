// SPDX-License-Identifier: GPL-2.0
/*
 * What ebpfsd reads at its start of what an earlier life left on the disk.
 *
 *	byte 0		'b': the rest is the file that tells which start of the machine it was
 *			'o': the rest is the file of owners, of whom the grace period is about
 *			'i': the rest are records of the log of calls (state.h)
 *			'h': the rest is the header of the log, and what follows it
 *			'n': the rest are names in the directory of orphans, one in a line
 *
 * Nothing is removed, cut or believed but what is to be: files of an export go only if
 * their names are those that ebpfsd makes, a file is only cut where an append was broken
 * off, who is not in the file of owners may claim nothing. What ebpfsd writes in turn it
 * reads again. Private to this target: a directory, with an export and a state directory.
 * The linker puts open_by_handle_at() of this file between ebpfsd and the kernel.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* For the layout of its file, which nobody else is to know. */
#include "ebpfsd/intent.c"

#include "ebpfsd/grace.h"
#include "ebpfsd/orphan.h"
#include "ebpfsd/serve.h"
#include "ebpfsd/server.h"
#include "fuzz/must.h"
#include "fuzz/state.h"

#define NAMES_MAX	64
#define CLIENTS		2	/* with a log; each has to be looked through */

/* Files of the export; handles of these are known. */
static const char *const names[] = { "file", "dir", "gone" };
#define TEMP "dir/.ebpfsd-new-0123456789abcdef-1"
#define FOREIGN "dir/kept"

static struct export export;
static struct server server;
static struct config config;
static int directory, state;
static u8 fhs[ARRAY_SIZE(names)][EBPFS_FH_MAX];
static u16 fh_lens[ARRAY_SIZE(names)];

int __wrap_open_by_handle_at(int mount_fd, struct file_handle *h, int flags);
int __wrap_open_by_handle_at(int mount_fd, struct file_handle *h, int flags)
{
	u32 i;

	/* Only handles with our tag come this far. */
	MUST(mount_fd == directory && h->handle_bytes == sizeof(i) && h->handle_type == 1);
	memcpy(&i, h->f_handle, sizeof(i));
	MUST(i < ARRAY_SIZE(names));
	if (i == 2) {
		errno = ESTALE;
		return -1;
	}
	return openat(directory, names[i], flags);
}

bool helpers_resume(struct helpers *h, struct job *job)
{
	return helpers_submit(h, job);
}

/* There are none: what is doomed is removed when this target says so. */
bool helpers_submit(struct helpers *h, struct job *job)
{
	(void)h;
	(void)job;
	return false;
}

static void write_file(int dir, const char *name, const void *bytes, size_t len)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && !close(fd));
}

static bool is_there(int dir, const char *name)
{
	return !faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static const char *state_file(const char *fmt)
{
	static char name[64];

	snprintf(name, sizeof(name), fmt, config_id(&config));
	return name;
}

static void boot(const u8 *bytes, size_t len)
{
	char id[BOOT_LEN + 1] = "", line[64] = "", want[64];
	const char *name = state_file("boot-%08x");
	u32 number;
	int fd;

	MUST(boot_id(id));
	write_file(state, name, bytes, len);
	number = boot_start(&config);
	/* Another number than this start's own is of one that everything outlasted. */
	if (number != (u32)strtoul(id, NULL, 16) && !memchr(bytes, '\0', len))
		MUST(memmem(bytes, len, " clean", 6) || memmem(bytes, len, id, BOOT_LEN));
	fd = openat(state, name, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	snprintf(want, sizeof(want), "%s %08x open\n", id, number);
	MUST(!strcmp(line, want));
	/* Started again on the same machine, it is the same. */
	MUST(boot_start(&config) == number);
	boot_end(&server.exports);
	MUST(boot_start(&config) == number);
}

/* The owners of a file, as the manual describes its lines; returns how many. */
static unsigned int check_owners(struct grace *g, char *text)
{
	char *rest = text, *line, client[EBPFS_CLIENT_MAX], name[EBPFS_EXPORT_MAX];
	unsigned int good = 0;

	while ((line = strsep(&rest, "\n"))) {
		static struct export of;
		struct owner o = { .export = &of };
		unsigned long long number;
		char digits[17], again[256];

		/* Not ended by a newline: it was being written. */
		if (!rest ||
		    sscanf(line, "%63[^ \t\r\n\v\f] %16[0-9a-f] %127[^ \t\r\n\v\f]", client,
			   digits, name) != 3 || strlen(digits) != 16)
			continue;
		number = strtoull(digits, NULL, 16);
		snprintf(again, sizeof(again), "%s %016llx %s", client, number, name);
		if (strcmp(again, line))
			continue;
		good++;
		o.id = number;
		strcpy(o.client, client);
		strcpy(of.name, name);
		MUST(!grace_allows(g, &o, true));
		o.id = ~number;
		if (grace_allows(g, &o, true))
			MUST(grace_allows(g, &o, false) == -EBPFS_STATUS_GRACE);
	}
	return good;
}

static void owners(const u8 *bytes, size_t len)
{
	struct grace *g = &server.grace;
	unsigned int good;
	char *text;

	write_file(state, state_file("owners-%08x"), bytes, len);
	server.owners.lease = 1000;
	grace_start(g, &config, 1000);
	if (!memchr(bytes, '\0', len)) {
		text = malloc(len + 1);
		MUST(text);
		memcpy(text, bytes, len);
		text[len] = '\0';
		good = check_owners(g, text);
		MUST(!good == grace_over(g));
		free(text);
	}
	/* They have their time, and then it is over: the file is empty. */
	grace_tick(&server, 1000);
	grace_tick(&server, 1000 + config.lease * 1000ull);
	MUST(grace_over(g));
	grace_stop(g);
	grace_start(g, &config, 1000);
	MUST(grace_over(g));
	grace_stop(g);
}

static u32 make_note(const struct fuzz_intent *f, const u8 *bytes, u8 note[EBPFS_INTENT_REPLY_MAX])
{
	struct settle_note n;
	struct intent_temp t;
	u32 file = f->file % ARRAY_SIZE(names);

	switch (f->note % FUZZ_NOTES) {
	case FUZZ_NOTE_TEMP:
		memset(&t, 0, sizeof(t));
		t.fh_len = fh_lens[file];
		memcpy(t.fh, fhs[file], fh_lens[file]);
		t.is_dir = f->file & 128;
		memcpy(t.name, bytes, f->len < sizeof(t.name) ? f->len : sizeof(t.name));
		memcpy(note, &t, sizeof(t));
		return sizeof(t);
	case FUZZ_NOTE_FILE:
		n = (struct settle_note){ .fh_len = fh_lens[file], .len = f->len };
		if (sizeof(n) + n.fh_len + n.len > EBPFS_INTENT_REPLY_MAX)
			n.len = (u16)(EBPFS_INTENT_REPLY_MAX - sizeof(n) - n.fh_len);
		memcpy(note, &n, sizeof(n));
		memcpy(note + sizeof(n), fhs[file], n.fh_len);
		memcpy(note + sizeof(n) + n.fh_len, bytes, n.len);
		return sizeof(n) + n.fh_len + n.len;
	default:
		memcpy(note, bytes, f->len);
		return f->len;
	}
}

/* The file of calls, as this machine's present life would have written it. */
static void write_records(const u8 *data, size_t size)
{
	static struct ebpfs_intent records[CLIENTS][16];
	static struct header h;
	struct ebpfs_intents log = { 0 };
	u8 note[EBPFS_INTENT_REPLY_MAX];
	struct fuzz_intent f;
	u64 busy[16] = { 0 };
	int fd;
	u32 i;

	memset(records, 0, sizeof(records));
	memset(&h, 0, sizeof(h));
	h.magic = MAGIC;
	MUST(boot_id(h.boot));
	for (; size >= sizeof(f); data += f.len, size -= f.len) {
		struct ebpfs_intent r = { 0 };
		u32 at, n;

		memcpy(&f, data, sizeof(f));
		data += sizeof(f);
		size -= sizeof(f);
		if (f.len > size)
			f.len = (u8)size;
		at = f.at % 16;
		h.owners[f.log % CLIENTS].client[0] = 'a';
		ebpfs_intents_init(&log, records[f.log % CLIENTS], busy, 16);
		r.op_id = f.op_id;
		r.op = f.op;
		r.flags = f.flags;
		memcpy(r.a, f.a, sizeof(r.a));
		n = f.parts & FUZZ_NOTE ? make_note(&f, data, note) : 0;
		ebpfs_intent_write(&log, at, &r, n ? note : NULL, n);
		if (f.parts & FUZZ_EFFECT)
			ebpfs_intent_effect(&log, at, data, f.len < EBPFS_FH_MAX ? f.len :
					    EBPFS_FH_MAX);
		if (f.parts & FUZZ_RESULT)
			ebpfs_intent_result(&log, at, f.flags, f.op_id, data, f.len);
		if (f.parts & FUZZ_BROKEN)
			((u8 *)&records[f.log % CLIENTS][at])[(f.op_id * 256u + f.op) %
							sizeof(r)] ^= 1;
		ebpfs_intents_fini(&log);
	}
	fd = openat(state, state_file("intent-%08x.log"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	MUST(fd >= 0 && pwrite(fd, &h, sizeof(h), 0) == sizeof(h));
	for (i = 0; i < CLIENTS; i++)
		if (h.owners[i].client[0])
			MUST(pwrite(fd, records[i], sizeof(records[i]), HEADER_BYTES +
				    (off_t)(i * LOG_BYTES)) == sizeof(records[i]));
	close(fd);
}

static void make_files(void)
{
	static u8 bytes[FUZZ_FILE_SIZE];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = fuzz_byte(i);
	write_file(directory, "file", bytes, sizeof(bytes));
	write_file(directory, TEMP, bytes, 1);
	write_file(directory, FOREIGN, bytes, 1);
}

/* The log is taken over; what may have changed is what a call was about. */
static void take_calls_over(bool may_cut)
{
	u8 bytes[FUZZ_FILE_SIZE];
	struct intent_log *log;
	struct stat st;
	ssize_t n;
	int fd;

	log = intent_log_open(&config, &server.exports);
	MUST(log);
	intent_log_close(log);
	MUST(is_there(directory, FOREIGN));
	fd = openat(directory, "file", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && !fstat(fd, &st));
	MUST(st.st_size == FUZZ_FILE_SIZE || (may_cut && st.st_size < FUZZ_FILE_SIZE));
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	MUST(n == st.st_size);
	while (n--)
		MUST(bytes[n] == fuzz_byte((size_t)n));
	/* Once more: it is in the state that it says it is. */
	log = intent_log_open(&config, &server.exports);
	MUST(log);
	intent_log_close(log);
}

static bool has_append(const u8 *data, size_t size)
{
	struct fuzz_intent f;

	for (; size >= sizeof(f); data += f.len, size -= f.len) {
		memcpy(&f, data, sizeof(f));
		data += sizeof(f);
		size -= sizeof(f);
		if (f.op == EBPFS_OP_APPEND)
			return true;
		if (f.len > size)
			break;
	}
	return false;
}

static void calls(const u8 *data, size_t size)
{
	make_files();
	write_records(data, size);
	take_calls_over(has_append(data, size));
}

/* Bytes as they are, at the beginning of the file and of its first log. */
static void header(const u8 *bytes, size_t len)
{
	size_t head = len < sizeof(struct header) ? len : sizeof(struct header);
	int fd = openat(state, state_file("intent-%08x.log"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	MUST(fd >= 0 && pwrite(fd, bytes, head, 0) == (ssize_t)head);
	MUST(pwrite(fd, bytes + head, len - head, HEADER_BYTES) == (ssize_t)(len - head));
	close(fd);
	make_files();
	take_calls_over(false);
}

static bool may_be_ours(const char *name)
{
	return strlen(name) >= 8 && strspn(name, "0123456789abcdef") == strlen(name);
}

static void orphans(char *text)
{
	char *line, *save, *made[NAMES_MAX];
	unsigned int n = 0, i;
	int dir;

	MUST(!mkdirat(directory, ORPHAN_DIR, 0700));
	dir = openat(directory, ORPHAN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(dir >= 0);
	for (line = strtok_r(text, "\n", &save); line && n < NAMES_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		int fd;

		if (strchr(line, '/') || strlen(line) > 255)
			continue;
		fd = openat(dir, line, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			continue;
		close(fd);
		made[n++] = line;
	}
	MUST(!holds_init(&server.holds, &server, 30000, 64, 1024));
	MUST(!orphans_start(&server, 1000));
	/* Somebody may still come and hold them. */
	orphans_sweep(&server);
	for (i = 0; i < n; i++)
		MUST(is_there(dir, made[i]));
	orphans_tick(&server, now_ms() + 2000);
	orphans_sweep(&server);
	for (i = 0; i < n; i++) {
		bool left = is_there(dir, made[i]);

		MUST(left || may_be_ours(made[i]));
		if (left)
			unlinkat(dir, made[i], 0);
	}
	close(dir);
	orphans_stop();
	MUST(!is_there(directory, ORPHAN_DIR));
	MUST(holds_stop(&server.holds, NULL));
	holds_fini(&server.holds);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char top[] = "/tmp/fuzz_state-XXXXXX";
	static const u8 key[EBPFS_SECRET_LEN] = { 1 };
	char path[64];
	u32 i;

	(void)argc;
	(void)argv;
	MUST(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/export", top);
	MUST(!mkdir(path, 0700));
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(directory >= 0 && !mkdirat(directory, "dir", 0700));
	snprintf(path, sizeof(path), "%s/state", top);
	MUST(!mkdir(path, 0700));
	state = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(state >= 0);
	config_init(&config);
	config_set_path(&config, &config.state_dir, path, "fuzz");
	config_add_listen(&config, "127.0.0.1", "fuzz");
	config_finish(&config);
	strcpy(export.name, "/x");
	export.id = handle_export_id(export.name);
	export.root = directory;
	export.writable = true;
	export.in_memory = true;
	handle_export_keys(key, export.name, &export);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		fh_lens[i] = (u16)handle_build(&export, 1, i == 1 ? S_IFDIR >> 12 : S_IFREG >> 12,
					       (const u8 *)&i, sizeof(i), fhs[i]);
	server.exports.list = &export;
	server.exports.count = 1;
	pthread_mutex_init(&server.owners.lock, NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	switch (data[0]) {
	case 'b':
		boot(data + 1, size - 1);
		break;
	case 'o':
		owners(data + 1, size - 1);
		break;
	case 'i':
		calls(data + 1, size - 1);
		break;
	case 'h':
		header(data + 1, size - 1);
		break;
	case 'n':
		text = malloc(size);
		MUST(text);
		memcpy(text, data + 1, size - 1);
		text[size - 1] = '\0';
		orphans(text);
		free(text);
		break;
	}
	return 0;
}

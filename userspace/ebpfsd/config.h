/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the administrator wants: ebpfsd.conf(5) and the command line, checked
 * as far as that goes without opening exports or sockets. Filled once at
 * start by one thread, read-only afterwards.
 */
#ifndef EBPFSD_CONFIG_H
#define EBPFSD_CONFIG_H

#include "core/platform.h"
#include "lib/addr.h"

#define CONFIG_FILE		"/etc/ebpfs/ebpfsd.conf"
#define CONFIG_CLIENTS		"/etc/ebpfs/clients"
#define CONFIG_STATE_DIR	"/var/lib/ebpfs"

#define CONFIG_LISTENS_MAX	16
#define CONFIG_EXPORTS_MAX	256
#define CONFIG_THREADS_MAX	64
#define CONFIG_SESSIONS		1024	/* default of sessions-max */
#define CONFIG_SESSIONS_MAX	65536
#define CONFIG_REPLY_CACHE	(128ull << 20)	/* bytes, default of reply-cache */
#define CONFIG_REPLY_CACHE_MIN	(1ull << 20)

#define CONFIG_LEASE		30		/* s, default of lease */
#define CONFIG_LEASE_MAX	3600
#define CONFIG_LOCKS		4096		/* default of locks-max */
#define CONFIG_LOCKS_MAX	(1u << 20)
#define CONFIG_HANDSHAKES	1000		/* default of handshake-rate */
#define CONFIG_HANDSHAKES_MAX	1000000
#define CONFIG_HOLDS		(1u << 18)	/* default of holds-max */
#define CONFIG_HOLDS_MAX	(1u << 24)
#define CONFIG_WAITING		1024		/* default of waiting-max */
#define CONFIG_WAITING_MAX	65536
#define CONFIG_USERS		1024		/* default of users-max */
#define CONFIG_USERS_MAX	65536
#define CONFIG_OWNERS(sessions)	(2 * (sessions))

#define CONFIG_NOBODY		65534		/* default of anonuid and anongid */

/* Whose users the daemon does not believe in; they become the anonymous user. */
enum squash {
	SQUASH_NONE,
	SQUASH_ROOT,	/* user 0 and group 0 */
	SQUASH_ALL,
};

/**
 * struct config_export - an export as it was written down
 * @name: begins with '/', at most EBPFS_EXPORT_MAX - 1 bytes
 * @path: directory, absolute
 * @clients: names that may use it, space separated; "*" for all
 * @writable: clients may change what is in it
 * @squash: who becomes anonymous
 * @privileged_xattrs: root of clients may have attributes that need more than the
 *	capabilities over files
 * @watch: clients are told what local processes change
 * @sec: EBPFS_SEC_*, the least that a client must mount with
 * @anonuid: user number of the anonymous user
 * @anongid: its group
 * @idmap: path of the file with users' other numbers, NULL: they have the same
 * @where: "file:line" or the option, for messages
 */
struct config_export {
	char name[EBPFS_EXPORT_MAX];
	char *path;
	char *clients;
	bool writable;
	enum squash squash;
	bool privileged_xattrs;
	bool watch;
	u8 sec;
	u32 anonuid;
	u32 anongid;
	char *idmap;
	char *where;
};

/**
 * struct config - everything that can be configured
 * @listens: addresses
 * @nlistens: how many; never 0 after config_finish()
 * @listens_default: nobody asked for them, so one that cannot be had may be left out
 * @exports: directories
 * @nexports: how many
 * @threads: workers; never 0 after config_finish()
 * @sessions_max: sessions at a time
 * @reply_cache: bytes of replies kept
 * @lease: seconds for which what a client holds outlives its silence
 * @locks_max: ranges of bytes that one owner may have locked
 * @handshake_rate: of one source per second, 0: no limit
 * @holds_max: open files and leases of all clients
 * @waiting_max: calls that wait for leases
 * @users_max: users of one session
 * @clients: path of the clients file
 * @state_dir: path of the directory with handle.key
 * @mistakes: found so far; each was logged with its place
 */
struct config {
	union ebpfs_sockaddr listens[CONFIG_LISTENS_MAX];
	unsigned int nlistens;
	bool listens_default;
	struct config_export exports[CONFIG_EXPORTS_MAX];
	unsigned int nexports;
	unsigned int threads;
	unsigned int sessions_max;
	u64 reply_cache;
	unsigned int lease;
	unsigned int locks_max;
	unsigned int handshake_rate;
	unsigned int holds_max;
	unsigned int waiting_max;
	unsigned int users_max;
	char *clients;
	char *state_dir;
	unsigned int mistakes;
};

/* Defaults. */
void config_init(struct config *c);

/**
 * config_read() - take a configuration file in
 * @c: configuration
 * @path: file
 * @must_exist: it is a mistake if the file does not exist
 *
 * Goes on after a mistake, so that all of them are told at once.
 */
void config_read(struct config *c, const char *path, bool must_exist);

/* Options of the command line; @arg as given. The first -l and -e replace what
 * the file says, so call config_forget_*() before. */
void config_add_listen(struct config *c, const char *arg, const char *where);
void config_add_export(struct config *c, const char *arg);
void config_set_threads(struct config *c, const char *arg, const char *where);
/* @to: &clients or &state_dir */
void config_set_path(struct config *c, char **to, const char *path, const char *where);
void config_forget_listens(struct config *c);
void config_forget_exports(struct config *c);

/* Fill in what nobody said, and check what can only be checked at the end. */
void config_finish(struct config *c);

/* A number for this daemon among those with the same state directory, which tells their
 * files apart: of where it listens. After config_finish(). */
u32 config_id(const struct config *c);

/* May a client of this name use an export with this list? */
bool config_client_listed(const char *list, const char *name);

/* Is @name what a client may be called: 1 to EBPFS_CLIENT_MAX - 1 printable
 * bytes without space, '*' and '#'? */
bool config_client_name_ok(const char *name);

void config_free(struct config *c);

#endif /* EBPFSD_CONFIG_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The directories that are served, opened, and the key of their file handles.
 *
 * Each export is reached through a private clone of the mount it lies on
 * (open_tree(2)): without the mounts beneath it, so that no request reaches
 * them (what they hide is shown), read-only unless the export is writable, and
 * unaffected by later mounts and unmounts. Opened at start by one thread with all capabilities,
 * read-only afterwards.
 */
#ifndef EBPFSD_EXPORT_H
#define EBPFSD_EXPORT_H

#include "config.h"
#include "lib/tag.h"

struct idmap;
struct user;

/**
 * struct export - one served directory
 * @name: as clients ask for it
 * @id: hash of @name, first thing in its handles; unique here
 * @root: descriptor of the directory on the private clone, O_RDONLY
 * @dev_major: of the filesystem; nothing else is shown
 * @dev_minor: likewise
 * @root_ino: of the directory
 * @root_fh: its handle
 * @root_fh_len: its bytes
 * @handle_key: of the tags of its handles, from handle.key and @name
 * @intent_key: of those in the log of calls, likewise
 * @local: what is in memory is known to be valid there: attributes and names do
 *	not wait for another machine
 * @in_memory: so are data; there is no disk to wait for
 * @writable: its clone of the mount is not read-only
 * @squash: who becomes @anonymous
 * @privileged_xattrs: who acts as root here may have trusted.* attributes and those of
 *	files' capabilities
 * @watch: what local processes change is to be watched (watch.c)
 * @sec: EBPFS_SEC_*, the least that a client must mount with
 * @anonymous: the user for those, and who is not in @idmap; NULL if there are none
 * @superuser: who a client's superuser is here; NULL: the daemon's own root
 * @idmap: from clients' users to ours; NULL: they have the same numbers
 * @clients: list of names, as in struct config_export
 */
struct export {
	char name[EBPFS_EXPORT_MAX];
	u32 id;
	bool local;
	bool in_memory;
	bool writable;
	enum squash squash;
	bool privileged_xattrs;
	bool watch;
	u8 sec;
	struct user *anonymous;
	struct user *superuser;
	struct idmap *idmap;
	int root;
	u32 dev_major;
	u32 dev_minor;
	u64 root_ino;
	u8 root_fh[EBPFS_FH_MAX];
	u16 root_fh_len;
	u8 handle_key[EBPFS_TAG_KEY_LEN];
	u8 intent_key[EBPFS_TAG_KEY_LEN];
	const char *clients;
};

/**
 * struct exports - all of them
 * @list: @count entries
 * @count: how many
 */
struct exports {
	struct export *list;
	unsigned int count;
};

/**
 * exports_open() - open what is configured
 * @e: to be filled
 * @c: configuration without mistakes; must outlive @e
 * @check_only: look, but change nothing: handle.key is not made, and what
 *	only the daemon's privileges show is not tried
 *
 * Every failure is logged. Return: number of mistakes.
 */
unsigned int exports_open(struct exports *e, const struct config *c, bool check_only);
void exports_close(struct exports *e);

/* Is any of them writable? */
bool exports_writable(const struct exports *e);

/* Has any of them privileged attributes? */
bool exports_privileged_xattrs(const struct exports *e);

/* By name, NULL if there is none. */
const struct export *exports_find(const struct exports *e, const char *name);

#endif /* EBPFSD_EXPORT_H */

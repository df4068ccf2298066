// SPDX-License-Identifier: GPL-2.0
/*
 * Opening the exports and the handle key. Start only, one thread.
 *
 * The key decides which file handles are ours. It is made once and kept, so
 * that handles survive a restart of the daemon; servers of one cluster need
 * the same key, else a client's handles are worth nothing on another server.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cred.h"
#include "export.h"
#include "forget.h"
#include "handle.h"
#include "idmap.h"
#include "lib/secret.h"
#include "log.h"

#define KEY_FILE	"handle.key"

/* A new key appears under its name complete or not at all. */
static int make_key(int dir, const char *state_dir, u8 key[EBPFS_SECRET_LEN])
{
	bool made = false;
	char temp[64];
	int fd, err;

	snprintf(temp, sizeof(temp), "." KEY_FILE ".%d", (int)getpid());
	unlinkat(dir, temp, 0);	/* of a start that was killed */
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		goto fail;
	if (!ebpfs_secret_generate(key) ||
	    write(fd, key, EBPFS_SECRET_LEN) != EBPFS_SECRET_LEN || fsync(fd)) {
		err = errno;
	} else {
		made = !linkat(dir, temp, dir, KEY_FILE, 0);
		err = made || errno == EEXIST ? 0 : errno;
	}
	unlinkat(dir, temp, 0);
	close(fd);
	errno = err;
	if (err)
		goto fail;
	fsync(dir);
	if (made)
		log_info("made a new %s/" KEY_FILE "; servers of the same directory need a copy of it",
			 state_dir);
	return 0;
fail:
	log_error("%s/" KEY_FILE " cannot be made: %m (choose another directory with state-dir "
		  "or -s)", state_dir);
	return -1;
}

static int load_key(const char *state_dir, u8 key[EBPFS_SECRET_LEN], bool check_only)
{
	char path[PATH_MAX], error[PATH_MAX + 128];
	int dir, fd, ret = -1;
	u8 more;

	if (!check_only && mkdir(state_dir, 0700) && errno != EEXIST) {
		log_error("state-dir %s cannot be made: %m (make it, or choose another with "
			  "state-dir or -s)", state_dir);
		return -1;
	}
	dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		/* Will be made at the first start. */
		if (check_only && errno == ENOENT)
			return 0;
		log_error("state-dir %s cannot be opened: %m", state_dir);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/" KEY_FILE, state_dir);
	if (faccessat(dir, KEY_FILE, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT) {
		/* If another ebpfsd is quicker, its key is taken. */
		if (check_only || make_key(dir, state_dir, key)) {
			close(dir);
			return check_only ? 0 : -1;
		}
	}
	close(dir);
	fd = ebpfs_private_open(path, error, sizeof(error));
	if (fd < 0) {
		log_error("the key of the file handles: %s", error);
		return -1;
	}
	if (read(fd, key, EBPFS_SECRET_LEN) != EBPFS_SECRET_LEN || read(fd, &more, 1)) {
		log_error("%s has not exactly %d bytes: copy it again from where it "
			  "came, or remove it (clients must then mount again)", path,
			  EBPFS_SECRET_LEN);
	} else {
		ret = 0;
	}
	close(fd);
	return ret;
}

/* A descriptor on a private clone of the mount under @path. Not MOUNT_ATTR_NOEXEC,
 * and cleared where it is: it would make the kernel say of every file that nobody
 * may execute it, which clients ask (ACCESS). The daemon executes nothing. */
static int clone_mount(const char *path, bool writable, const char *where)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    (writable ? 0 : MOUNT_ATTR_RDONLY),
		.attr_clr = MOUNT_ATTR_NOEXEC,
	};
	int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int fd;

	if (tree < 0) {
		log_error("%s: %s cannot be exported: %m%s", where, path,
			  errno == EPERM ? " (ebpfsd must start as root, with CAP_SYS_ADMIN)" : "");
		return -1;
	}
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr))) {
		log_error("%s: %s cannot be exported%s: %m", where, path,
			  writable ? "" : " read-only");
		close(tree);
		return -1;
	}
	/* open_by_handle_at() refuses O_PATH descriptors, which a tree is. */
	fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		log_error("%s: %s cannot be opened: %m", where, path);
	close(tree);
	return fd;
}

/* Is a file found again by its handle? Some filesystems have none. */
static bool try_handle(struct export *e, const char *where, const char *path, bool check_only)
{
	int fd = -1, ret = handle_make(e, e->root, S_IFDIR, e->root_fh);

	/* Opening it takes the daemon's privileges. */
	if (ret > 0 && check_only)
		return true;
	if (ret > 0) {
		e->root_fh_len = (u16)ret;
		fd = handle_open(e, e->root_fh, O_PATH | O_DIRECTORY);
		ret = fd;
	}
	if (ret < 0) {
		errno = -ret;
		if (ret == -EPERM)
			log_error("%s: %s: files cannot be opened by handle: %m (ebpfsd needs "
				  "CAP_DAC_READ_SEARCH in the initial user namespace)",
				  where, path);
		else
			log_error("%s: %s: its filesystem has no lasting file handles: %m (ext4, "
				  "xfs, btrfs, tmpfs and CephFS have; overlayfs with nfs_export=on)",
				  where, path);
		return false;
	}
	close(fd);
	return true;
}

/* Filesystems that never ask anybody about an inode they have in memory. */
static bool is_local(unsigned long type)
{
	switch (type) {
	case BTRFS_SUPER_MAGIC:
	case EXT4_SUPER_MAGIC:	/* ext2 and ext3 too */
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case XFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

static unsigned int open_one(struct export *e, const struct config_export *c,
			     const u8 key[EBPFS_SECRET_LEN], bool check_only)
{
	struct statfs fs;
	struct statx sx;

	strcpy(e->name, c->name);
	e->id = handle_export_id(e->name);
	handle_export_keys(key, e->name, e);
	e->clients = c->clients;
	e->writable = c->writable;
	e->squash = c->squash;
	e->privileged_xattrs = c->privileged_xattrs;
	e->watch = c->watch;
	e->sec = c->sec;
	if (c->idmap && idmap_read(c->idmap, &e->idmap)) {
		log_error("%s: the idmap of export %s has to be mended", c->where, e->name);
		return 1;
	}
	if (e->squash != SQUASH_NONE || e->idmap) {
		e->anonymous = user_new(c->anonuid, c->anongid, NULL, 0);
		e->superuser = e->anonymous ? user_here(e, 0, 0, NULL, 0) : NULL;
		if (!e->superuser) {
			log_error("%s: no memory for an export", c->where);
			return 1;
		}
		if (!e->superuser->uid && !e->superuser->gid) {
			user_put(e->superuser);
			e->superuser = NULL;
		}
	}
	e->root = check_only ? open(c->path, O_PATH | O_DIRECTORY | O_CLOEXEC) :
			       clone_mount(c->path, c->writable, c->where);
	if (e->root < 0) {
		if (check_only)
			log_error("%s: %s cannot be exported: %m", c->where, c->path);
		return 1;
	}
	if (statx(e->root, "", AT_EMPTY_PATH, STATX_INO | STATX_TYPE, &sx) ||
	    fstatfs(e->root, &fs)) {
		log_error("%s: %s cannot be examined: %m", c->where, c->path);
		return 1;
	}
	if (!S_ISDIR(sx.stx_mode)) {
		log_error("%s: %s is no directory", c->where, c->path);
		return 1;
	}
	if (e->writable && fs.f_flags & ST_RDONLY)
		log_warning("%s: the filesystem under %s is mounted read-only: clients cannot write "
			    "although access is rw", c->where, c->path);
	e->dev_major = sx.stx_dev_major;
	e->dev_minor = sx.stx_dev_minor;
	e->root_ino = sx.stx_ino;
	e->local = is_local((unsigned long)fs.f_type);
	e->in_memory = (unsigned long)fs.f_type == TMPFS_MAGIC;
	return !try_handle(e, c->where, c->path, check_only);
}

unsigned int exports_open(struct exports *e, const struct config *c, bool check_only)
{
	u8 key[EBPFS_SECRET_LEN] = { 0 };
	unsigned int i, j, mistakes = 0;

	memset(e, 0, sizeof(*e));
	e->list = calloc(c->nexports ? c->nexports : 1, sizeof(*e->list));
	if (!e->list) {
		log_error("no memory for %u exports", c->nexports);
		return 1;
	}
	if (load_key(c->state_dir, key, check_only))
		mistakes++;
	for (i = 0; i < c->nexports; i++) {
		e->list[i].root = -1;
		e->count = i + 1;
		if (!c->exports[i].path)
			continue;
		mistakes += open_one(&e->list[i], &c->exports[i], key, check_only);
		for (j = 0; j < i; j++) {
			if (e->list[j].id == e->list[i].id) {
				log_error("%s: the names %s and %s have the same hash by accident: "
					  "rename one of them", c->exports[i].where,
					  e->list[j].name, e->list[i].name);
				mistakes++;
			}
		}
	}
	explicit_bzero(key, sizeof(key));
	if (!mistakes && !check_only && forget_begin(e, c->state_dir))
		mistakes++;
	return mistakes;
}

void exports_close(struct exports *e)
{
	unsigned int i;

	for (i = 0; i < e->count; i++) {
		if (e->list[i].root >= 0)
			close(e->list[i].root);
		user_put(e->list[i].anonymous);
		user_put(e->list[i].superuser);
		idmap_free(e->list[i].idmap);
	}
	if (e->list)
		explicit_bzero(e->list, e->count * sizeof(*e->list));
	free(e->list);
	memset(e, 0, sizeof(*e));
}

bool exports_writable(const struct exports *e)
{
	unsigned int i;

	for (i = 0; i < e->count; i++)
		if (e->list[i].writable)
			return true;
	return false;
}

bool exports_privileged_xattrs(const struct exports *e)
{
	unsigned int i;

	for (i = 0; i < e->count; i++)
		if (e->list[i].privileged_xattrs)
			return true;
	return false;
}

const struct export *exports_find(const struct exports *e, const char *name)
{
	unsigned int i;

	for (i = 0; i < e->count; i++)
		if (!strcmp(e->list[i].name, name))
			return &e->list[i];
	return NULL;
}

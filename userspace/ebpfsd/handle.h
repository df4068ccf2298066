/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File handles on the wire: the kernel's handle of an inode, with the export
 * it belongs to and a tag, because open_by_handle_at(2) opens any inode of the
 * filesystem: who has not been given a handle guesses one with probability 2^-128.
 * Clients see opaque bytes that are the same for the same file every time, also
 * after a restart and on every server with the same key.
 *
 * Pure but for the system calls; any thread.
 */
#ifndef EBPFSD_HANDLE_H
#define EBPFSD_HANDLE_H

#include "lib/tag.h"

struct export;

/**
 * struct wire_handle - what the bytes of a handle mean to us
 * @export: struct export.id
 * @type: of the kernel's handle
 * @len: bytes of the kernel's handle, which follow
 * @kind: file type, as mode >> 12: known before the file is opened, so that a
 *	FIFO or a device never is
 *
 * HANDLE_TAG_LEN bytes of tag follow the kernel's handle.
 */
struct wire_handle {
	__le32 export;
	__le16 type;
	u8 len;
	u8 kind;
	u8 bytes[];
};

#define HANDLE_TAG_LEN	EBPFS_TAG_LEN
#define HANDLE_KERNEL_MAX \
	(EBPFS_FH_MAX - sizeof(struct wire_handle) - HANDLE_TAG_LEN)	/* 104 */

u32 handle_export_id(const char *name);

/* The keys of an export, from that of the daemon: not even exports whose ids are equal
 * by accident share a handle. */
void handle_export_keys(const u8 key[EBPFS_SECRET_LEN], const char *name, struct export *e);

/**
 * handle_make() - the handle of an open file
 * @e: export the file lies in
 * @fd: the file, O_PATH will do
 * @mode: its type, as in struct stat
 * @fh: out, EBPFS_FH_MAX bytes
 *
 * Return: bytes of the handle; -EOPNOTSUPP or -EOVERFLOW if the filesystem
 * has none (or a longer one), or another -errno of name_to_handle_at(2).
 */
int handle_make(const struct export *e, int fd, u32 mode, u8 fh[EBPFS_FH_MAX]);

/* The same for what @name means in @dir, itself if it is a symbolic link. */
int handle_make_at(const struct export *e, int dir, const char *name, u32 mode,
		   u8 fh[EBPFS_FH_MAX]);

/* The same without the tag, for who only wants to know which file it is: the bytes before
 * it, or -errno. */
int handle_make_plain(const struct export *e, int fd, u32 mode, u8 fh[EBPFS_FH_MAX]);

/**
 * handle_build() - a handle of its parts
 * @e: export
 * @type: of the kernel's handle
 * @kind: file type, as mode >> 12
 * @bytes: the kernel's handle
 * @len: its bytes, at most HANDLE_KERNEL_MAX
 * @fh: out, EBPFS_FH_MAX bytes
 *
 * Return: bytes of the handle.
 */
int handle_build(const struct export *e, u16 type, u8 kind, const u8 *bytes, u8 len,
		 u8 fh[EBPFS_FH_MAX]);

/**
 * handle_check() - did we make this handle, for this export?
 * @e: export of the session
 * @fh: bytes from the network
 * @len: how many
 *
 * In constant time for handles of equal length.
 */
bool handle_check(const struct export *e, const u8 *fh, u16 len);

/* File type of a checked handle, as S_IFMT of a mode. */
static inline u32 handle_mode(const u8 *fh)
{
	return (u32)((const struct wire_handle *)fh)->kind << 12;
}

/* A well spread hash of a handle, even of an unchecked one (any 8 bytes of the
 * tag are); 0 if it is too short to be one of ours. */
static inline u64 handle_hash(const u8 *fh, u16 len)
{
	u64 h;

	if (len < sizeof(struct wire_handle) + HANDLE_TAG_LEN)
		return 0;
	memcpy(&h, fh + len - sizeof(h), sizeof(h));
	return h;
}

/**
 * handle_open() - open the file of a checked handle
 * @e: export
 * @fh: handle
 * @flags: of open(2); O_CLOEXEC is added
 *
 * May wait for the disk.
 * Return: descriptor, -ESTALE if the file is gone, or another -errno.
 */
int handle_open(const struct export *e, const u8 *fh, int flags);

#endif /* EBPFSD_HANDLE_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * File handles: made, checked, opened. See handle.h.
 */
#include <fcntl.h>

#include "export.h"
#include "handle.h"

/* The kernel's struct file_handle with room for the longest that we take. */
struct kernel_handle {
	struct file_handle h;
	u8 room[HANDLE_KERNEL_MAX];
};

static void make_tag(const struct export *e, const void *data, size_t len, u8 tag[EBPFS_TAG_LEN])
{
	const struct ebpfs_bytes part = { data, len };

	ebpfs_tag(tag, e->handle_key, &part, 1);
}

void handle_export_keys(const u8 key[EBPFS_SECRET_LEN], const char *name, struct export *e)
{
	const struct ebpfs_bytes parts[] = {
		{ "ebpfsd handles of ", 18 },
		{ name, strlen(name) },
	};

	u8 keys[EBPFS_MAC_LEN];

	ebpfs_mac(keys, key, parts, ARRAY_SIZE(parts));
	memcpy(e->handle_key, keys, sizeof(e->handle_key));
	memcpy(e->intent_key, keys + sizeof(e->handle_key), sizeof(e->intent_key));
	explicit_bzero(keys, sizeof(keys));
}

u32 handle_export_id(const char *name)
{
	return ~ebpfs_crc32c(~0u, name, strlen(name));
}

/* All but the tag. Return: bytes. */
static size_t put_plain(const struct export *e, u16 type, u8 kind, const u8 *bytes, u8 len,
			u8 fh[EBPFS_FH_MAX])
{
	struct wire_handle *w = (struct wire_handle *)fh;

	w->export = cpu_to_le32(e->id);
	w->type = cpu_to_le16(type);
	w->len = len;
	w->kind = kind;
	memcpy(w->bytes, bytes, len);
	return sizeof(*w) + len;
}

int handle_build(const struct export *e, u16 type, u8 kind, const u8 *bytes, u8 len,
		 u8 fh[EBPFS_FH_MAX])
{
	size_t all = put_plain(e, type, kind, bytes, len, fh);

	make_tag(e, fh, all, fh + all);
	return (int)all + HANDLE_TAG_LEN;
}

/* @name: "" for @fd itself. */
static int ask_kernel(int fd, const char *name, struct kernel_handle *k)
{
	int mount_id;

	k->h.handle_bytes = HANDLE_KERNEL_MAX;
	if (name_to_handle_at(fd, name, &k->h, &mount_id, *name ? 0 : AT_EMPTY_PATH))
		return -errno;
	return k->h.handle_type < 0 || k->h.handle_type > 0xffff ? -EOVERFLOW : 0;
}

int handle_make(const struct export *e, int fd, u32 mode, u8 fh[EBPFS_FH_MAX])
{
	return handle_make_at(e, fd, "", mode, fh);
}

int handle_make_at(const struct export *e, int dir, const char *name, u32 mode,
		   u8 fh[EBPFS_FH_MAX])
{
	struct kernel_handle k;
	int err = ask_kernel(dir, name, &k);

	return err ? err : handle_build(e, (u16)k.h.handle_type, (u8)(mode >> 12), k.h.f_handle,
					(u8)k.h.handle_bytes, fh);
}

int handle_make_plain(const struct export *e, int fd, u32 mode, u8 fh[EBPFS_FH_MAX])
{
	struct kernel_handle k;
	int err = ask_kernel(fd, "", &k);

	return err ? err : (int)put_plain(e, (u16)k.h.handle_type, (u8)(mode >> 12),
					  k.h.f_handle, (u8)k.h.handle_bytes, fh);
}

bool handle_check(const struct export *e, const u8 *fh, u16 len)
{
	const struct wire_handle *w = (const struct wire_handle *)fh;
	u8 tag[EBPFS_TAG_LEN];

	if (len < sizeof(*w) + HANDLE_TAG_LEN || len > EBPFS_FH_MAX ||
	    len != sizeof(*w) + w->len + HANDLE_TAG_LEN)
		return false;
	make_tag(e, fh, len - HANDLE_TAG_LEN, tag);
	/* The key is the export's own: its id need not be compared. */
	return ebpfs_equal(tag, fh + len - HANDLE_TAG_LEN, HANDLE_TAG_LEN);
}

int handle_open(const struct export *e, const u8 *fh, int flags)
{
	const struct wire_handle *w = (const struct wire_handle *)fh;
	struct kernel_handle k = {
		.h.handle_bytes = w->len,
		.h.handle_type = le16_to_cpu(w->type),
	};
	int fd;

	memcpy(k.h.f_handle, w->bytes, w->len);
	fd = open_by_handle_at(e->root, &k.h, flags | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

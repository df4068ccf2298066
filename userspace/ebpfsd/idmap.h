/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Users and groups that have other numbers on the clients: `idmap = FILE` of an export,
 * see ebpfsd.conf(5). Ranges of numbers, one to one in both directions. Read at start by
 * one thread, read-only afterwards.
 *
 * Numbers of clients are mapped where they come in (CRED, SETATTR, ACLs), those of
 * the server where they go out (attributes, ACLs). In between there are the server's
 * alone, and the squashing of an export is of these.
 */
#ifndef EBPFSD_IDMAP_H
#define EBPFSD_IDMAP_H

#include "core/wire.h"

#define IDMAP_NOBODY	65534		/* what a client sees of who is not listed */
#define IDMAP_LINES_MAX	65536

enum idmap_kind {
	IDMAP_USER,
	IDMAP_GROUP,
	IDMAP_KINDS
};

/**
 * struct idmap_range - numbers that go together
 * @client: the first at the clients
 * @server: the first here
 * @count: how many, at least 1
 */
struct idmap_range {
	u32 client;
	u32 server;
	u32 count;
};

/**
 * struct idmap - a file of them
 * @by_client: sorted by @client, without overlaps
 * @by_server: the same sorted by @server, likewise
 * @count: of each
 */
struct idmap {
	struct idmap_range *by_client[IDMAP_KINDS];
	struct idmap_range *by_server[IDMAP_KINDS];
	u32 count[IDMAP_KINDS];
};

/**
 * idmap_read() - read a file
 * @path: of it
 * @out: out: from idmap_read(), for idmap_free(); NULL if there was a mistake
 *
 * Return: number of mistakes, each logged with its place.
 */
unsigned int idmap_read(const char *path, struct idmap **out);
void idmap_free(struct idmap *m);

/* A client's number as ours; false if it is not listed. @m NULL: as it is. */
bool idmap_in(const struct idmap *m, enum idmap_kind kind, u32 id, u32 *out);

/* Ours as a client's. @m NULL: as it is. */
u32 idmap_out(const struct idmap *m, enum idmap_kind kind, u32 id);

/* Owner and group in attributes that go out. */
void idmap_attr(const struct idmap *m, struct ebpfs_attr *attr);

/* Owner and group that are to be set. 0, or -EINVAL: there is nobody of that number. */
int idmap_setattr(const struct idmap *m, struct ebpfs_setattr *a);

/* Is @name an attribute with numbers in it, an ACL? */
bool idmap_is_acl(const char *name);

/* The numbers in an ACL of @len bytes, on its way in or out. 0, or -EINVAL: one that
 * comes in is not listed. What is no ACL is left to the kernel to judge. */
int idmap_acl(const struct idmap *m, bool in, u8 *acl, u32 len);

#endif /* EBPFSD_IDMAP_H */

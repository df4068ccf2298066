// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers of users and groups, from the clients' to ours and back; see idmap.h.
 */
#include <ctype.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idmap.h"
#include "log.h"

static const char *const names[IDMAP_KINDS] = { "user", "group" };

/* A decimal number of at most @max, and nothing else. */
static bool parse_id(const char *s, u32 max, u32 *out)
{
	unsigned long long n;
	char *end;

	if (!s || !isdigit((unsigned char)*s))
		return false;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno || *end || n > max)
		return false;
	*out = (u32)n;
	return true;
}

/* One line; NULL, or what is wrong with it. */
static const char *parse_line(char *line, enum idmap_kind *kind, struct idmap_range *r)
{
	char *save, *word[5] = { NULL };
	unsigned int n;

	word[0] = strtok_r(line, " \t\r\n", &save);
	for (n = 1; n < ARRAY_SIZE(word) && word[n - 1]; n++)
		word[n] = strtok_r(NULL, " \t\r\n", &save);
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): the line is not blank */
	if (!strcmp(word[0], "u"))
		*kind = IDMAP_USER;
	else if (!strcmp(word[0], "g"))
		*kind = IDMAP_GROUP;
	else
		return "a line begins with u or g";
	r->count = 1;
	if (!parse_id(word[1], ~0u - 1, &r->client) || !parse_id(word[2], ~0u - 1, &r->server) ||
	    (word[3] && !parse_id(word[3], ~0u, &r->count)) || word[4])
		return "write: u (or g), the client's number, the server's number, and, if they are "
		       "several, how many";
	/* All ones is nobody's. */
	if (!r->count || r->count > ~0u - r->client || r->count > ~0u - r->server)
		return "there are no so many numbers from there on";
	return NULL;
}

static int compare_client(const void *a, const void *b)
{
	const struct idmap_range *x = a, *y = b;

	return x->client < y->client ? -1 : x->client > y->client;
}

static int compare_server(const void *a, const void *b)
{
	const struct idmap_range *x = a, *y = b;

	return x->server < y->server ? -1 : x->server > y->server;
}

static struct idmap_range *sorted(const struct idmap_range *list, u32 count,
				  int (*compare)(const void *, const void *))
{
	struct idmap_range *copy = malloc((count ? count : 1) * sizeof(*copy));

	if (copy && count) {
		memcpy(copy, list, count * sizeof(*copy));
		qsort(copy, count, sizeof(*copy), compare);
	}
	return copy;
}

/* Two lines about one number. */
static unsigned int overlaps(const struct idmap *m, enum idmap_kind kind, const char *path)
{
	const struct idmap_range *c = m->by_client[kind], *s = m->by_server[kind];
	unsigned int mistakes = 0;
	u32 i;

	for (i = 1; i < m->count[kind]; i++) {
		if (c[i].client - c[i - 1].client < c[i - 1].count) {
			log_error("%s: %s %u of the clients is listed twice", path, names[kind],
				  c[i].client);
			mistakes++;
		}
		if (s[i].server - s[i - 1].server < s[i - 1].count) {
			log_error("%s: %s %u of the server is listed twice: it could not be told which "
				  "of the clients' it is", path, names[kind], s[i].server);
			mistakes++;
		}
	}
	return mistakes;
}

static unsigned int read_lines(FILE *f, const char *path,
			       struct idmap_range *list[IDMAP_KINDS], u32 count[IDMAP_KINDS])
{
	unsigned int number = 0, mistakes = 0;
	const char *wrong;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, f) >= 0) {
		enum idmap_kind kind;
		struct idmap_range r;
		char *s = line + strspn(line, " \t\r\n");

		number++;
		if (!*s || *s == '#')
			continue;
		wrong = parse_line(s, &kind, &r);
		if (!wrong && count[kind] == IDMAP_LINES_MAX)
			wrong = "there are too many lines";
		if (wrong) {
			log_error("%s:%u: %s", path, number, wrong);
			mistakes++;
			continue;
		}
		list[kind][count[kind]++] = r;
	}
	if (ferror(f)) {
		log_error("%s cannot be read: %m", path);
		mistakes++;
	}
	free(line);
	return mistakes;
}

/* Who can write it can become anybody but root here. */
static bool trusted(FILE *f, const char *path)
{
	struct stat st;

	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode)) {
		log_error("%s is no regular file", path);
		return false;
	}
	if ((st.st_uid && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH)) {
		log_error("%s must belong to root, and nobody else may write it: chown root and "
			  "chmod go-w it", path);
		return false;
	}
	return true;
}

unsigned int idmap_read(const char *path, struct idmap **out)
{
	struct idmap_range *list[IDMAP_KINDS] = { NULL };
	struct idmap *m = calloc(1, sizeof(*m));
	unsigned int mistakes = 0;
	FILE *f = fopen(path, "re");
	int kind;

	*out = NULL;
	if (!f)
		log_error("%s cannot be read: %m", path);
	if (!f || !m || !trusted(f, path)) {
		if (f)
			fclose(f);
		free(m);
		return 1;
	}
	for (kind = 0; kind < IDMAP_KINDS; kind++) {
		list[kind] = malloc(IDMAP_LINES_MAX * sizeof(*list[kind]));
		mistakes += !list[kind];
	}
	if (!mistakes)
		mistakes = read_lines(f, path, list, m->count);
	fclose(f);
	for (kind = 0; kind < IDMAP_KINDS && !mistakes; kind++) {
		m->by_client[kind] = sorted(list[kind], m->count[kind], compare_client);
		m->by_server[kind] = sorted(list[kind], m->count[kind], compare_server);
		if (m->by_client[kind] && m->by_server[kind])
			mistakes += overlaps(m, kind, path);
		else
			mistakes++;
	}
	for (kind = 0; kind < IDMAP_KINDS; kind++)
		free(list[kind]);
	if (mistakes)
		idmap_free(m);
	else
		*out = m;
	return mistakes;
}

void idmap_free(struct idmap *m)
{
	int kind;

	for (kind = 0; m && kind < IDMAP_KINDS; kind++) {
		free(m->by_client[kind]);
		free(m->by_server[kind]);
	}
	free(m);
}

bool idmap_in(const struct idmap *m, enum idmap_kind kind, u32 id, u32 *out)
{
	u32 low = 0, high;

	*out = id;
	if (!m)
		return true;
	for (high = m->count[kind]; low < high; ) {
		u32 mid = low + (high - low) / 2;
		const struct idmap_range *r = &m->by_client[kind][mid];

		if (id < r->client) {
			high = mid;
		} else if (id - r->client >= r->count) {
			low = mid + 1;
		} else {
			*out = r->server + (id - r->client);
			return true;
		}
	}
	return false;
}

u32 idmap_out(const struct idmap *m, enum idmap_kind kind, u32 id)
{
	u32 low = 0, high;

	if (!m)
		return id;
	for (high = m->count[kind]; low < high; ) {
		u32 mid = low + (high - low) / 2;
		const struct idmap_range *r = &m->by_server[kind][mid];

		if (id < r->server)
			high = mid;
		else if (id - r->server >= r->count)
			low = mid + 1;
		else
			return r->client + (id - r->server);
	}
	return IDMAP_NOBODY;
}

void idmap_attr(const struct idmap *m, struct ebpfs_attr *attr)
{
	if (!m)
		return;
	attr->uid = cpu_to_le32(idmap_out(m, IDMAP_USER, le32_to_cpu(attr->uid)));
	attr->gid = cpu_to_le32(idmap_out(m, IDMAP_GROUP, le32_to_cpu(attr->gid)));
}

int idmap_setattr(const struct idmap *m, struct ebpfs_setattr *a)
{
	u32 valid = le32_to_cpu(a->valid), id;

	if (valid & EBPFS_SET_UID) {
		if (!idmap_in(m, IDMAP_USER, le32_to_cpu(a->uid), &id))
			return -EINVAL;
		a->uid = cpu_to_le32(id);
	}
	if (valid & EBPFS_SET_GID) {
		if (!idmap_in(m, IDMAP_GROUP, le32_to_cpu(a->gid), &id))
			return -EINVAL;
		a->gid = cpu_to_le32(id);
	}
	return 0;
}

bool idmap_is_acl(const char *name)
{
	return !strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default");
}

int idmap_acl(const struct idmap *m, bool in, u8 *acl, u32 len)
{
	struct posix_acl_xattr_entry e;
	enum idmap_kind kind;
	u32 at, id;

	if (!m)
		return 0;
	for (at = sizeof(struct posix_acl_xattr_header); at + sizeof(e) <= len; at += sizeof(e)) {
		memcpy(&e, acl + at, sizeof(e));
		if (le16_to_cpu(e.e_tag) == ACL_USER)
			kind = IDMAP_USER;
		else if (le16_to_cpu(e.e_tag) == ACL_GROUP)
			kind = IDMAP_GROUP;
		else
			continue;
		if (!in)
			id = idmap_out(m, kind, le32_to_cpu(e.e_id));
		else if (!idmap_in(m, kind, le32_to_cpu(e.e_id), &id))
			return -EINVAL;
		e.e_id = cpu_to_le32(id);
		memcpy(acl + at, &e, sizeof(e));
	}
	return 0;
}

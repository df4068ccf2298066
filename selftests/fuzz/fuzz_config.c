// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd.conf(5), and the options that say the same.
 *
 *	byte 0		'f': the rest is a file
 *			'o': the rest are options, one in a line: its first byte is e, l, t
 *			or s, as of ebpfsd's options, what follows is the argument
 *
 * Whatever it is, what is taken over is within its bounds. A file without a mistake,
 * written down from what was understood, is understood likewise.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ebpfsd/config.h"
#include "fuzz/must.h"
#include "fuzz/text.h"

static void check_export(const struct config *c, const struct config_export *e)
{
	const struct config_export *other;
	char name[EBPFS_CLIENT_MAX];
	const char *p;
	size_t len;

	MUST(e->name[0] == '/' && memchr(e->name, '\0', sizeof(e->name)));
	for (p = e->name; *p; p++)
		MUST(isgraph((unsigned char)*p) && *p != ']');
	for (other = c->exports; other < e; other++)
		MUST(strcmp(other->name, e->name));
	MUST(!e->path || e->path[0] == '/');
	MUST(!e->idmap || e->idmap[0] == '/');
	MUST(e->squash <= SQUASH_ALL);
	MUST(e->sec == EBPFS_SEC_CRC || e->sec == EBPFS_SEC_INTEGRITY ||
	     e->sec == EBPFS_SEC_PRIVACY);
	MUST(e->anonuid && e->anonuid != ~0u && e->anongid && e->anongid != ~0u);
	for (p = e->clients ? e->clients : ""; *p; p += len + !!p[len]) {
		len = strcspn(p, " ");
		MUST(len && len < sizeof(name));
		memcpy(name, p, len);
		name[len] = '\0';
		MUST(!strcmp(name, "*") || config_client_name_ok(name));
		MUST(config_client_listed(e->clients, name));
	}
	if (c->mistakes)
		return;
	MUST(e->path && e->clients);
	MUST(!e->privileged_xattrs || e->squash == SQUASH_NONE);
}

static void check(const struct config *c)
{
	unsigned int i;

	MUST(c->nlistens && c->nlistens <= CONFIG_LISTENS_MAX);
	MUST(c->threads && c->threads <= CONFIG_THREADS_MAX);
	MUST(c->sessions_max && c->sessions_max <= CONFIG_SESSIONS_MAX);
	MUST(c->reply_cache >= CONFIG_REPLY_CACHE_MIN && c->reply_cache <= 1ull << 40);
	MUST(c->lease && c->lease <= CONFIG_LEASE_MAX);
	MUST(c->locks_max && c->locks_max <= CONFIG_LOCKS_MAX);
	MUST(c->clients[0] == '/' && c->state_dir[0] == '/');
	MUST(c->nexports <= CONFIG_EXPORTS_MAX && (c->nexports || c->mistakes));
	for (i = 0; i < c->nexports; i++)
		check_export(c, &c->exports[i]);
	config_id(c);
}

static void put_export(FILE *f, const struct config_export *e)
{
	static const char *const squash[] = { "none", "root", "all" };
	static const char *const sec[] = {
		[EBPFS_SEC_CRC] = "crc", [EBPFS_SEC_INTEGRITY] = "integrity",
		[EBPFS_SEC_PRIVACY] = "privacy",
	};

	fprintf(f, "[export %s]\npath=%s\n", e->name, e->path);
	if (*e->clients)
		fprintf(f, "clients=%s\n", e->clients);
	fprintf(f, "access=%s\nsquash=%s\n", e->writable ? "rw" : "ro", squash[e->squash]);
	fprintf(f, "privileged-xattrs=%s\n", e->privileged_xattrs ? "yes" : "no");
	fprintf(f, "watch=%s\nsec=%s\n", e->watch ? "yes" : "no", sec[e->sec]);
	fprintf(f, "anonuid=%u\nanongid=%u\n", e->anonuid, e->anongid);
	if (e->idmap)
		fprintf(f, "idmap=%s\n", e->idmap);
}

static char *put(const struct config *c, size_t *len)
{
	char *text = NULL, addr[EBPFS_ADDR_TEXT];
	FILE *f = open_memstream(&text, len);
	unsigned int i;

	MUST(f);
	for (i = 0; i < c->nlistens && !c->listens_default; i++)
		fprintf(f, "listen=%s\n", ebpfs_addr_format(&c->listens[i], true, addr));
	fprintf(f, "threads=%u\nsessions-max=%u\n", c->threads, c->sessions_max);
	fprintf(f, "reply-cache=%llu\nlease=%u\n", (unsigned long long)c->reply_cache, c->lease);
	fprintf(f, "locks-max=%u\n", c->locks_max);
	fprintf(f, "clients=%s\nstate-dir=%s\n", c->clients, c->state_dir);
	for (i = 0; i < c->nexports; i++)
		put_export(f, &c->exports[i]);
	MUST(!fclose(f));
	return text;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void must_be_the_same(const struct config *a, const struct config *b)
{
	unsigned int i;

	MUST(!b->mistakes);
	MUST(a->nlistens == b->nlistens && a->listens_default == b->listens_default);
	for (i = 0; i < a->nlistens; i++)
		MUST(!memcmp(&a->listens[i], &b->listens[i], sizeof(a->listens[i])));
	MUST(a->threads == b->threads && a->sessions_max == b->sessions_max);
	MUST(a->reply_cache == b->reply_cache && a->lease == b->lease);
	MUST(a->locks_max == b->locks_max && config_id(a) == config_id(b));
	MUST(!strcmp(a->clients, b->clients) && !strcmp(a->state_dir, b->state_dir));
	MUST(a->nexports == b->nexports);
	for (i = 0; i < a->nexports; i++) {
		const struct config_export *x = &a->exports[i], *y = &b->exports[i];

		MUST(!strcmp(x->name, y->name) && same_text(x->path, y->path));
		MUST(same_text(x->clients, y->clients) && same_text(x->idmap, y->idmap));
		MUST(x->writable == y->writable && x->squash == y->squash && x->sec == y->sec);
		MUST(x->privileged_xattrs == y->privileged_xattrs && x->watch == y->watch);
		MUST(x->anonuid == y->anonuid && x->anongid == y->anongid);
	}
}

static void file(const void *bytes, size_t len)
{
	static struct config c, again;
	char *text;
	size_t n;

	config_init(&c);
	config_read(&c, fuzz_file(FUZZ_FILE, bytes, len), true);
	config_finish(&c);
	check(&c);
	if (!c.mistakes) {
		text = put(&c, &n);
		config_init(&again);
		config_read(&again, fuzz_file(FUZZ_FILE_AGAIN, text, n), true);
		config_finish(&again);
		must_be_the_same(&c, &again);
		config_free(&again);
		free(text);
	}
	config_free(&c);
}

static void options(char *text)
{
	static struct config c;
	char *arg, *save;

	config_init(&c);
	for (arg = strtok_r(text, "\n", &save); arg; arg = strtok_r(NULL, "\n", &save)) {
		switch (*arg) {
		case 'e':
			config_add_export(&c, arg + 1);
			break;
		case 'l':
			config_add_listen(&c, arg + 1, "-l");
			break;
		case 't':
			config_set_threads(&c, arg + 1, "-t");
			break;
		case 's':
			config_set_path(&c, &c.state_dir, arg + 1, "-s");
			break;
		}
	}
	config_finish(&c);
	check(&c);
	config_free(&c);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	if (data[0] == 'f') {
		file(data + 1, size - 1);
	} else if (data[0] == 'o') {
		text = fuzz_text(data + 1, size - 1);
		options(text);
		free(text);
	}
	return 0;
}

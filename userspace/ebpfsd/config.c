// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd.conf(5) and the options that say the same.
 *
 * A parser of lines, written so that a file with ten mistakes tells ten
 * mistakes: a bad line is logged, counted and left out. Runs in one thread
 * before anything is opened.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "log.h"

/* A mistake in the configuration: where, and what is to be done. */
#define mistake(c, where, fmt, ...)						\
	do {									\
		log_error("%s: " fmt, where __VA_OPT__(,) __VA_ARGS__);		\
		(c)->mistakes++;						\
	} while (0)

static char *copy(const char *s)
{
	char *p = strdup(s);

	if (!p) {
		log_error("no memory for the configuration");
		exit(1);
	}
	return p;
}

static void set_string(char **to, const char *s)
{
	free(*to);
	*to = copy(s);
}

void config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->sessions_max = CONFIG_SESSIONS;
	c->reply_cache = CONFIG_REPLY_CACHE;
	c->lease = CONFIG_LEASE;
	c->locks_max = CONFIG_LOCKS;
	c->handshake_rate = CONFIG_HANDSHAKES;
	c->holds_max = CONFIG_HOLDS;
	c->waiting_max = CONFIG_WAITING;
	c->users_max = CONFIG_USERS;
	c->clients = copy(CONFIG_CLIENTS);
	c->state_dir = copy(CONFIG_STATE_DIR);
}

void config_free(struct config *c)
{
	config_forget_exports(c);
	free(c->clients);
	free(c->state_dir);
	memset(c, 0, sizeof(*c));
}

void config_forget_listens(struct config *c)
{
	c->nlistens = 0;
}

void config_forget_exports(struct config *c)
{
	while (c->nexports) {
		struct config_export *e = &c->exports[--c->nexports];

		free(e->path);
		free(e->clients);
		free(e->idmap);
		free(e->where);
	}
}

/* A number with an optional suffix K, M or G; false if it is none or out of range. */
static bool parse_number(const char *s, u64 min, u64 max, u64 *out)
{
	unsigned long long n;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno)
		return false;
	switch (*end) {
	case 'G': case 'g':
		shift += 10;
		/* fall through */
	case 'M': case 'm':
		shift += 10;
		/* fall through */
	case 'K': case 'k':
		shift += 10;
		end++;
	}
	if (*end || n > max >> shift || n << shift < min)
		return false;
	*out = n << shift;
	return true;
}

void config_add_listen(struct config *c, const char *arg, const char *where)
{
	char host[EBPFS_HOST_TEXT];
	union ebpfs_sockaddr addr;
	const char *error;
	unsigned int i;
	u16 port;

	error = ebpfs_addr_split(arg, strlen(arg), host, &port);
	if (!error)
		error = ebpfs_addr_resolve(host, port ? port : EBPFS_PORT, true, &addr);
	if (error) {
		mistake(c, where, "\"%s\": %s (write a numeric address: 192.0.2.1, "
			"192.0.2.1:%d, [2001:db8::1] or [2001:db8::1]:%d)", arg, error,
			EBPFS_PORT, EBPFS_PORT);
		return;
	}
	for (i = 0; i < c->nlistens; i++) {
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): made from zeroes */
		if (!memcmp(&c->listens[i], &addr, sizeof(addr))) {
			mistake(c, where, "listen address %s is there twice", arg);
			return;
		}
	}
	if (c->nlistens == CONFIG_LISTENS_MAX)
		mistake(c, where, "more than %d listen addresses", CONFIG_LISTENS_MAX);
	else
		c->listens[c->nlistens++] = addr;
}

void config_set_threads(struct config *c, const char *arg, const char *where)
{
	u64 n;

	if (parse_number(arg, 1, CONFIG_THREADS_MAX, &n))
		c->threads = (unsigned int)n;
	else
		mistake(c, where, "threads \"%s\" is not a number from 1 to %d", arg,
			CONFIG_THREADS_MAX);
}

/* A new export, or NULL if its name cannot be. */
static struct config_export *new_export(struct config *c, const char *name, const char *where)
{
	struct config_export *e;
	const char *p;
	unsigned int i;

	if (name[0] != '/' || strlen(name) >= EBPFS_EXPORT_MAX) {
		mistake(c, where, "export name \"%s\" must begin with / and have at most %d bytes",
			name, EBPFS_EXPORT_MAX - 1);
		return NULL;
	}
	for (p = name; *p; p++) {
		if (!isgraph((unsigned char)*p) || *p == ']') {
			mistake(c, where, "export name \"%s\" must have printable ASCII only, "
				"no space and no ]", name);
			return NULL;
		}
	}
	for (i = 0; i < c->nexports; i++) {
		if (!strcmp(c->exports[i].name, name)) {
			mistake(c, where, "export %s is there already, at %s", name,
				c->exports[i].where);
			return NULL;
		}
	}
	if (c->nexports == CONFIG_EXPORTS_MAX) {
		mistake(c, where, "more than %d exports", CONFIG_EXPORTS_MAX);
		return NULL;
	}
	e = &c->exports[c->nexports++];
	memset(e, 0, sizeof(*e));
	strcpy(e->name, name);
	e->squash = SQUASH_ROOT;
	e->sec = EBPFS_SEC_CRC;
	e->anonuid = CONFIG_NOBODY;
	e->anongid = CONFIG_NOBODY;
	e->where = copy(where);
	return e;
}

void config_set_path(struct config *c, char **to, const char *path, const char *where)
{
	if (path[0] != '/')
		mistake(c, where, "\"%s\" must be an absolute path", path);
	else
		set_string(to, path);
}

/* A user or group number; 0 is as good as no squashing, and ~0 is nobody's. */
static void set_id(struct config *c, u32 *id, const char *key, const char *value,
		   const char *where)
{
	u64 n;

	if (parse_number(value, 1, ~0u - 1, &n))
		*id = (u32)n;
	else
		mistake(c, where, "%s \"%s\" is not a number from 1 to %u", key, value, ~0u - 1);
}

static void set_sec(struct config *c, struct config_export *e, const char *value,
		    const char *where)
{
	if (!strcmp(value, "crc"))
		e->sec = EBPFS_SEC_CRC;
	else if (!strcmp(value, "integrity"))
		e->sec = EBPFS_SEC_INTEGRITY;
	else if (!strcmp(value, "privacy"))
		e->sec = EBPFS_SEC_PRIVACY;
	else
		mistake(c, where, "sec \"%s\" is none of crc, integrity and privacy", value);
}

/* An option after the path in -e, called as in exports(5). */
static void set_option(struct config *c, struct config_export *e, const char *option,
		       const char *where)
{
	if (!strcmp(option, "ro"))
		e->writable = false;
	else if (!strcmp(option, "rw"))
		e->writable = true;
	else if (!strcmp(option, "root_squash"))
		e->squash = SQUASH_ROOT;
	else if (!strcmp(option, "no_root_squash"))
		e->squash = SQUASH_NONE;
	else if (!strcmp(option, "all_squash"))
		e->squash = SQUASH_ALL;
	else if (!strcmp(option, "privileged_xattrs"))
		e->privileged_xattrs = true;
	else if (!strcmp(option, "watch"))
		e->watch = true;
	else if (!strncmp(option, "sec=", 4))
		set_sec(c, e, option + 4, where);
	else if (!strncmp(option, "anonuid=", 8))
		set_id(c, &e->anonuid, "anonuid", option + 8, where);
	else if (!strncmp(option, "anongid=", 8))
		set_id(c, &e->anongid, "anongid", option + 8, where);
	else
		mistake(c, where, "unknown option \"%s\": ro, rw, root_squash, no_root_squash, "
			"all_squash, privileged_xattrs, watch, sec=SEC, anonuid=N and anongid=N are "
			"known (a path with a comma goes into the configuration file)", option);
}

void config_add_export(struct config *c, const char *arg)
{
	const char *equal = strchr(arg, '=');
	struct config_export *e;
	char where[64 + EBPFS_EXPORT_MAX];
	char *name, *path, *option, *save;

	if (!equal) {
		mistake(c, "-e", "\"%s\": write -e /NAME=PATH[,OPTION...]", arg);
		return;
	}
	name = copy(arg);
	name[equal - arg] = '\0';
	snprintf(where, sizeof(where), "-e %.*s", EBPFS_EXPORT_MAX, name);
	e = new_export(c, name, where);
	if (e) {
		e->clients = copy("*");
		path = name + (equal - arg) + 1;
		option = strchr(path, ',');
		if (option)
			*option++ = '\0';
		config_set_path(c, &e->path, path, where);
		for (option = option ? strtok_r(option, ",", &save) : NULL; option;
		     option = strtok_r(NULL, ",", &save))
			set_option(c, e, option, where);
	}
	free(name);
}

bool config_client_name_ok(const char *name)
{
	size_t len = strlen(name), i;

	if (!len || len >= EBPFS_CLIENT_MAX)
		return false;
	for (i = 0; i < len; i++)
		if (!isgraph((unsigned char)name[i]) || name[i] == '*' || name[i] == '#')
			return false;
	return true;
}

bool config_client_listed(const char *list, const char *name)
{
	size_t want = strlen(name);

	while (*list) {
		size_t len = strcspn(list, " ");

		if ((len == 1 && *list == '*') || (len == want && !memcmp(list, name, len)))
			return true;
		list += len;
		list += strspn(list, " ");
	}
	return false;
}

/* "a  b\tc" to "a b c", each checked. */
static void set_clients(struct config *c, struct config_export *e, char *value, const char *where)
{
	char *list = copy(value);
	char *save, *name;
	size_t len = 0;

	list[0] = '\0';
	for (name = strtok_r(value, " \t", &save); name; name = strtok_r(NULL, " \t", &save)) {
		if (strcmp(name, "*") && !config_client_name_ok(name)) {
			mistake(c, where, "\"%s\" is no client name: 1 to %d printable bytes "
				"without space, * and #", name, EBPFS_CLIENT_MAX - 1);
			continue;
		}
		len += sprintf(list + len, "%s%s", len ? " " : "", name);
	}
	free(e->clients);
	e->clients = list;
}

static void set_limit(struct config *c, unsigned int *to, const char *key, const char *value,
		      unsigned int least, unsigned int most, const char *where)
{
	u64 n;

	if (parse_number(value, least, most, &n))
		*to = (unsigned int)n;
	else
		mistake(c, where, "%s \"%s\" is not a number from %u to %u", key, value, least,
			most);
}

static void set_global(struct config *c, const char *key, char *value, const char *where)
{
	char *save, *addr;
	u64 n;

	if (!strcmp(key, "listen")) {
		for (addr = strtok_r(value, " \t", &save); addr;
		     addr = strtok_r(NULL, " \t", &save))
			config_add_listen(c, addr, where);
	} else if (!strcmp(key, "threads")) {
		config_set_threads(c, value, where);
	} else if (!strcmp(key, "clients")) {
		config_set_path(c, &c->clients, value, where);
	} else if (!strcmp(key, "state-dir")) {
		config_set_path(c, &c->state_dir, value, where);
	} else if (!strcmp(key, "sessions-max")) {
		set_limit(c, &c->sessions_max, key, value, 1, CONFIG_SESSIONS_MAX, where);
	} else if (!strcmp(key, "reply-cache")) {
		if (parse_number(value, CONFIG_REPLY_CACHE_MIN, 1ull << 40, &n))
			c->reply_cache = n;
		else
			mistake(c, where, "reply-cache \"%s\" is not a number of bytes from %lluM "
				"to 1024G", value, CONFIG_REPLY_CACHE_MIN >> 20);
	} else if (!strcmp(key, "lease")) {
		if (parse_number(value, 1, CONFIG_LEASE_MAX, &n))
			c->lease = (unsigned int)n;
		else
			mistake(c, where, "lease \"%s\" is not a number of seconds from 1 to %d",
				value, CONFIG_LEASE_MAX);
	} else if (!strcmp(key, "locks-max")) {
		set_limit(c, &c->locks_max, key, value, 1, CONFIG_LOCKS_MAX, where);
	} else if (!strcmp(key, "handshake-rate")) {
		set_limit(c, &c->handshake_rate, key, value, 0, CONFIG_HANDSHAKES_MAX, where);
	} else if (!strcmp(key, "holds-max")) {
		set_limit(c, &c->holds_max, key, value, 64, CONFIG_HOLDS_MAX, where);
	} else if (!strcmp(key, "waiting-max")) {
		set_limit(c, &c->waiting_max, key, value, 1, CONFIG_WAITING_MAX, where);
	} else if (!strcmp(key, "users-max")) {
		set_limit(c, &c->users_max, key, value, 1, CONFIG_USERS_MAX, where);
	} else {
		mistake(c, where, "unknown key \"%s\": here listen, threads, clients, state-dir, "
			"sessions-max, reply-cache, lease, locks-max, handshake-rate, holds-max, "
			"waiting-max and users-max are known", key);
	}
}

static void set_access(struct config *c, struct config_export *e, const char *value,
		       const char *where)
{
	if (!strcmp(value, "ro"))
		e->writable = false;
	else if (!strcmp(value, "rw"))
		e->writable = true;
	else
		mistake(c, where, "access \"%s\" is neither ro nor rw", value);
}

static void set_squash(struct config *c, struct config_export *e, const char *value,
		       const char *where)
{
	if (!strcmp(value, "none"))
		e->squash = SQUASH_NONE;
	else if (!strcmp(value, "root"))
		e->squash = SQUASH_ROOT;
	else if (!strcmp(value, "all"))
		e->squash = SQUASH_ALL;
	else
		mistake(c, where, "squash \"%s\" is none of none, root and all", value);
}

static void set_yes(struct config *c, bool *to, const char *key, const char *value,
		    const char *where)
{
	if (!strcmp(value, "yes"))
		*to = true;
	else if (!strcmp(value, "no"))
		*to = false;
	else
		mistake(c, where, "%s \"%s\" is neither yes nor no", key, value);
}

static void set_export(struct config *c, struct config_export *e, const char *key, char *value,
		       const char *where)
{
	if (!strcmp(key, "path"))
		config_set_path(c, &e->path, value, where);
	else if (!strcmp(key, "clients"))
		set_clients(c, e, value, where);
	else if (!strcmp(key, "access"))
		set_access(c, e, value, where);
	else if (!strcmp(key, "squash"))
		set_squash(c, e, value, where);
	else if (!strcmp(key, "privileged-xattrs"))
		set_yes(c, &e->privileged_xattrs, key, value, where);
	else if (!strcmp(key, "watch"))
		set_yes(c, &e->watch, key, value, where);
	else if (!strcmp(key, "sec"))
		set_sec(c, e, value, where);
	else if (!strcmp(key, "anonuid"))
		set_id(c, &e->anonuid, key, value, where);
	else if (!strcmp(key, "anongid"))
		set_id(c, &e->anongid, key, value, where);
	else if (!strcmp(key, "idmap"))
		config_set_path(c, &e->idmap, value, where);
	else
		mistake(c, where, "unknown key \"%s\": in an export path, clients, access, "
			"squash, privileged-xattrs, watch, sec, anonuid, anongid and idmap are known "
			"(global keys stand before the first export)", key);
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r\n");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return s;
}

void config_read(struct config *c, const char *path, bool must_exist)
{
	struct config_export scrap;	/* takes the keys of an export that was refused */
	struct config_export *e = NULL;
	char where[4096];
	char *line = NULL;
	unsigned int number = 0;
	size_t size = 0;
	FILE *f = fopen(path, "re");

	if (!f) {
		if (errno != ENOENT || must_exist)
			mistake(c, path, "cannot be read: %m");
		return;
	}
	memset(&scrap, 0, sizeof(scrap));
	while (getline(&line, &size, f) >= 0) {
		char *s = trim(line), *value;

		snprintf(where, sizeof(where), "%s:%u", path, ++number);
		if (!*s || *s == '#')
			continue;
		if (*s == '[') {
			char *close = strchr(s, ']');

			if (close && !close[1] && !strncmp(s, "[export", 7) && isblank(s[7])) {
				*close = '\0';
				e = new_export(c, trim(s + 7), where);
			} else {
				mistake(c, where, "\"%s\": a section is [export /NAME]", s);
				e = NULL;
			}
			if (!e)
				e = &scrap;
			continue;
		}
		value = strchr(s, '=');
		if (!value) {
			mistake(c, where, "\"%s\" is neither key = value nor [export /NAME]", s);
			continue;
		}
		*value++ = '\0';
		s = trim(s);
		value = trim(value);
		if (!*value)
			mistake(c, where, "%s has no value", s);
		else if (e)
			set_export(c, e, s, value, where);
		else
			set_global(c, s, value, where);
	}
	if (ferror(f))
		mistake(c, path, "cannot be read: %m");
	fclose(f);
	free(line);
	free(scrap.path);
	free(scrap.clients);
	free(scrap.idmap);
}

void config_finish(struct config *c)
{
	unsigned int i;

	if (!c->nexports && !c->mistakes)
		mistake(c, "configuration", "nothing is exported: write [export /NAME] with a path "
			"into %s, or use -e /NAME=PATH", CONFIG_FILE);
	for (i = 0; i < c->nexports; i++) {
		struct config_export *e = &c->exports[i];

		if (!e->path)
			mistake(c, e->where, "export %s has no path", e->name);
		if (!e->clients)
			mistake(c, e->where, "export %s says no clients: list their names, or * "
				"for every name in the clients file", e->name);
		if (e->privileged_xattrs && e->squash != SQUASH_NONE)
			mistake(c, e->where, "export %s has privileged-xattrs, which are for root of "
				"clients, but squashes root: it needs squash = none", e->name);
	}
	if (!c->threads) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);

		c->threads = cpus < 1 ? 1 : cpus > 16 ? 16 : (unsigned int)cpus;
	}
	if (!c->nlistens) {
		/* Two sockets, not one for both families: IPv4 then takes IPv4's short way. */
		c->listens_default = true;
		config_add_listen(c, "0.0.0.0", "default");
		config_add_listen(c, "[::]", "default");
	}
}

u32 config_id(const struct config *c)
{
	char addr[EBPFS_ADDR_TEXT];
	u32 id = ~0u;
	unsigned int i;

	for (i = 0; i < c->nlistens; i++) {
		ebpfs_addr_format(&c->listens[i], true, addr);
		id = ebpfs_crc32c(id, addr, strlen(addr) + 1);
	}
	return id;
}

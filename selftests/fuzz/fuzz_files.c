// SPDX-License-Identifier: GPL-2.0
/*
 * The files that ebpfsd and mount.ebpfs trust: a secret, the secrets of all clients,
 * the numbers of users.
 *
 *	byte 0		's': the rest is a file with a secret
 *			'c': the rest is a file of clients
 *			'i': the rest is an idmap
 *			'a': byte 1: so many bytes of an ACL follow, the rest is an idmap
 *
 * A file that is taken over says what was taken over, read in another way here.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ebpfsd/clients.h"
#include "ebpfsd/config.h"
#include "ebpfsd/idmap.h"
#include "fuzz/must.h"
#include "fuzz/text.h"
#include "lib/secret.h"

#define SPACE " \t\r\n"

static void one_secret(const u8 *bytes, size_t len)
{
	char error[256], text[EBPFS_SECRET_TEXT];
	u8 secret[EBPFS_SECRET_LEN];

	if (!ebpfs_secret_read(fuzz_file(FUZZ_FILE, bytes, len), secret, error, sizeof(error))) {
		MUST(errno == EINVAL && *error);
		return;
	}
	while (len && isspace(*bytes)) {
		bytes++;
		len--;
	}
	while (len && isspace(bytes[len - 1]))
		len--;
	ebpfs_secret_encode(secret, text);
	MUST(len == strlen(text) && !memcmp(text, bytes, len));
}

/* A line with a client, taken apart. */
static bool client_of(char *line, char **name, char **secret)
{
	char *save;

	*name = strtok_r(line, SPACE, &save);
	*secret = strtok_r(NULL, SPACE, &save);
	return *name && **name != '#';
}

static void check_clients(struct clients *c, const u8 *bytes, size_t len, u64 number)
{
	char *text = fuzz_text(bytes, len), *rest = text, *line, *name, *encoded;
	char again[EBPFS_SECRET_TEXT];
	u8 secret[EBPFS_SECRET_LEN];
	size_t count = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (!client_of(line, &name, &encoded))
			continue;
		count++;
		MUST(config_client_name_ok(name) && encoded);
		/* Entries that stayed as they were keep their numbers. */
		MUST(clients_find(c, name, secret));
		MUST(clients_find(c, name, secret) <= number);
		ebpfs_secret_encode(secret, again);
		MUST(!strcmp(again, encoded));
	}
	MUST(count == clients_count(c));
	free(text);
}

static void all_clients(const u8 *bytes, size_t len)
{
	const char *path = fuzz_file(FUZZ_FILE, bytes, len);
	u8 secret[EBPFS_SECRET_LEN], other[EBPFS_SECRET_LEN];
	struct clients c;

	MUST(!clients_init(&c));
	MUST(!clients_find(&c, "alice", secret));
	if (!clients_read(&c, path, 1)) {
		size_t count = clients_count(&c);

		/* A line with a NUL in it ends there. */
		if (!memchr(bytes, '\0', len)) {
			check_clients(&c, bytes, len, count);
			MUST(!clients_read(&c, path, 1));
			check_clients(&c, bytes, len, count);
		}
	} else {
		MUST(!clients_count(&c));
	}
	/* Who is not there has a secret nobody knows, and the same every time. */
	MUST(!clients_find(&c, "no such client", secret));
	MUST(!clients_find(&c, "nor this one", other));
	MUST(!memcmp(secret, other, sizeof(secret)));
	clients_fini(&c);
}

static void check_range(const struct idmap *m, enum idmap_kind kind, u32 client, u32 server,
			u32 count)
{
	const u32 steps[] = { 0, count / 2, count - 1 };
	u32 id;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		MUST(idmap_in(m, kind, client + steps[i], &id) && id == server + steps[i]);
		MUST(idmap_out(m, kind, server + steps[i]) == client + steps[i]);
	}
}

static void check_idmap(const struct idmap *m, const u8 *bytes, size_t len)
{
	char *text = fuzz_text(bytes, len), *rest = text, *line, *word[4], *save;

	while ((line = strsep(&rest, "\n"))) {
		for (size_t i = 0; i < ARRAY_SIZE(word); i++)
			word[i] = strtok_r(i ? NULL : line, SPACE, &save);
		if (!word[0] || *word[0] == '#')
			continue;
		check_range(m, *word[0] == 'u' ? IDMAP_USER : IDMAP_GROUP,
			    (u32)strtoul(word[1], NULL, 10), (u32)strtoul(word[2], NULL, 10),
			    word[3] ? (u32)strtoul(word[3], NULL, 10) : 1);
	}
	free(text);
}

static void check_acl(const struct idmap *m, const u8 *bytes, u32 len)
{
	u8 *acl = malloc(len + 1), *was = malloc(len + 1);
	int err;

	MUST(acl && was);
	memcpy(acl, bytes, len);
	err = idmap_acl(m, true, acl, len);
	MUST(!err || err == -EINVAL);
	memcpy(was, acl, len);
	/* One to one: what came in goes out as it came, and comes in the same. */
	if (!err) {
		MUST(!idmap_acl(m, false, acl, len));
		MUST(!memcmp(acl, bytes, len));
		MUST(!idmap_acl(m, true, acl, len) && !memcmp(acl, was, len));
	}
	free(acl);
	free(was);
}

static void users(const u8 *bytes, size_t len, const u8 *acl, u32 acl_len)
{
	struct idmap *m;
	u32 id;

	if (idmap_read(fuzz_file(FUZZ_FILE, bytes, len), &m)) {
		MUST(!m);
		return;
	}
	/* Nobody's number is nobody's. */
	MUST(!idmap_in(m, IDMAP_USER, ~0u, &id) && !idmap_in(m, IDMAP_GROUP, ~0u, &id));
	MUST(idmap_out(m, IDMAP_USER, ~0u) == IDMAP_NOBODY);
	if (!memchr(bytes, '\0', len))
		check_idmap(m, bytes, len);
	if (acl_len)
		check_acl(m, acl, acl_len);
	idmap_free(m);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u32 len;

	if (!size)
		return 0;
	switch (data[0]) {
	case 's':
		one_secret(data + 1, size - 1);
		break;
	case 'c':
		all_clients(data + 1, size - 1);
		break;
	case 'i':
		users(data + 1, size - 1, NULL, 0);
		break;
	case 'a':
		if (size < 2)
			break;
		len = data[1] < size - 2 ? data[1] : (u32)(size - 2);
		users(data + 2 + len, size - 2 - len, data + 2, len);
		break;
	}
	return 0;
}

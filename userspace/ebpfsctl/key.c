// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl key: secrets of clients, made, and kept in keyrings of the kernel.
 *
 * A secret in a keyring is a key of type logon named ebpfs:CLIENT, which no process can
 * read back. It is added to the keyring of the user, which lives as long as that user
 * has processes and is not bound to a session. Looked for is what mount.ebpfs finds: the
 * keyring of the session, that of the user, and what is linked there.
 */
#include <errno.h>
#include <keyutils.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/mount.h"
#include "lib/secret.h"

#define KEY_TYPE	"logon"
#define KEY_PREFIX	"ebpfs:"

static const char help[] =
	"usage: ebpfsctl key generate [OPTION...]\n"
	"       ebpfsctl key add [OPTION...] [NAME]\n"
	"       ebpfsctl key list [OPTION...]\n"
	"       ebpfsctl key remove [OPTION...] NAME\n"
	"\n"
	"Prints a new random secret of a client: base64 of 32 bytes, one line. It belongs\n"
	"into /etc/ebpfs/secret on the client and, behind the client's name, into\n"
	"/etc/ebpfs/clients on the servers, both of mode 0600:\n"
	"\n"
	"	(umask 077; ebpfsctl key generate > /etc/ebpfs/secret)\n"
	"\n"
	"Or it is added to the user's keyring, as that of the client NAME (default: host\n"
	"name), until it is removed or the machine stops. mount.ebpfs takes it from there\n"
	"if neither secretfile= nor /etc/ebpfs/secret is there:\n"
	"\n"
	"	ebpfsctl key add NAME < FILE\n"
	"\n"
	"  -f, --file FILE  add: the secret is in FILE (root's, mode 0600), not in standard\n"
	"                   input\n"
	"  -j, --json       print JSON\n"
	"  -v, --verbose    say more\n"
	"  -h, --help       this text\n";

/**
 * struct found - a link to a key of ours
 * @key: its number
 * @keyring: that has the link
 * @uid: who owns the key
 * @permissions: as in keyctl_setperm(3)
 * @name: the client's
 */
struct found {
	key_serial_t key;
	key_serial_t keyring;
	unsigned int uid;
	unsigned int permissions;
	char *name;
};

struct finds {
	struct found *found;
	size_t count;
};

static int generate(void)
{
	uint8_t secret[EBPFS_SECRET_LEN];
	char text[EBPFS_SECRET_TEXT];

	if (!ebpfs_secret_generate(secret)) {
		ctl_error("the kernel gives no random numbers: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	ebpfs_secret_encode(secret, text);
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_string(out, "secret", text);
		json_print(out);
	} else {
		puts(text);
	}
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return EXIT_SUCCESS;
}

static int add(const char *given, const char *file)
{
	char *name = mount_client_name(given), *description, error[512];
	uint8_t secret[EBPFS_SECRET_LEN];
	key_serial_t key;
	bool good;

	if (!name)
		return EXIT_FAILURE;
	if (!file && isatty(STDIN_FILENO)) {
		ctl_error("a terminal would show the secret: use --file FILE, or a pipe");
		return EXIT_FAILURE;
	}
	good = file ? ebpfs_secret_read(file, secret, error, sizeof(error)) :
		      ebpfs_secret_read_fd(STDIN_FILENO, "standard input", secret, error,
					   sizeof(error));
	if (!good) {
		explicit_bzero(secret, sizeof(secret));
		ctl_error("%s", error);
		return EXIT_FAILURE;
	}
	description = ctl_format(KEY_PREFIX "%s", name);
	/* One that is there gets the new secret and keeps its number. */
	key = add_key(KEY_TYPE, description, secret, sizeof(secret), KEY_SPEC_USER_KEYRING);
	explicit_bzero(secret, sizeof(secret));
	if (key < 0) {
		ctl_error("cannot add the key %s to the user's keyring: %s", description,
			  strerror(errno));
		return EXIT_FAILURE;
	}
	ctl_debug("key %d is %s", key, description);
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_string(out, "name", name);
		json_add_u64(out, "key", key);
		json_print(out);
	}
	return EXIT_SUCCESS;
}

/* Called for each key that is seen; what it returns is added up, and no use here. */
static int note(key_serial_t keyring, key_serial_t key, char *text, int len, void *data)
{
	struct finds *finds = data;
	struct found found = { .key = key, .keyring = keyring };
	int at = 0;

	/* TYPE;UID;GID;PERMISSIONS;DESCRIPTION, or none if it has expired or may not be seen. */
	if (!text || len < 0 ||
	    sscanf(text, KEY_TYPE ";%u;%*u;%x;" KEY_PREFIX "%n", &found.uid,
		   &found.permissions, &at) != 2 || !at)
		return 0;
	for (size_t i = 0; i < finds->count; i++)
		if (finds->found[i].key == key && finds->found[i].keyring == keyring)
			return 0;
	found.name = ctl_strdup(text + at);
	finds->found = ctl_grow(finds->found, finds->count, sizeof(found));
	finds->found[finds->count++] = found;
	return 0;
}

static struct finds find(void)
{
	static const key_serial_t where[] = { KEY_SPEC_SESSION_KEYRING, KEY_SPEC_USER_KEYRING };
	struct finds finds = {};

	/* By their numbers: one is often linked in the other, and is then seen twice. */
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		key_serial_t keyring = keyctl_get_keyring_ID(where[i], 0);

		if (keyring >= 0)
			recursive_key_scan(keyring, note, &finds);
	}
	return finds;
}

/* The name of a keyring, such as _uid.0; never NULL. */
static char *keyring_name(key_serial_t keyring)
{
	char *text, *name = NULL;

	if (keyctl_describe_alloc(keyring, &text) >= 0)
		name = strrchr(text, ';');
	return name ? name + 1 : ctl_format("%d", keyring);
}

static int list(void)
{
	struct json_object *out = ctl_json ? json_object_new_array() : NULL;
	struct finds finds = find();

	for (size_t i = 0; i < finds.count; i++) {
		const struct found *found = &finds.found[i];
		char *keyring = keyring_name(found->keyring);
		struct json_object *one;

		if (!out) {
			printf("%s: key %d of user %u in keyring %s, permissions %08x\n",
			       found->name, found->key, found->uid, keyring, found->permissions);
			continue;
		}
		one = json_object_new_object();
		json_add_string(one, "name", found->name);
		json_add_u64(one, "key", found->key);
		json_add_string(one, "keyring", keyring);
		json_add_u64(one, "uid", found->uid);
		json_add_u64(one, "permissions", found->permissions);
		json_object_array_add(out, one);
	}
	if (out)
		json_print(out);
	return EXIT_SUCCESS;
}

/* Who has another link to it is left with a key that is of no use any more. */
static int forget(const char *name)
{
	struct finds finds = find();
	size_t removed = 0;

	for (size_t i = 0; i < finds.count; i++) {
		const struct found *found = &finds.found[i];

		if (strcmp(found->name, name))
			continue;
		if (keyctl_revoke(found->key) && errno != EKEYREVOKED) {
			ctl_error("cannot revoke key %d of client '%s': %s", found->key, name,
				  strerror(errno));
			return EXIT_FAILURE;
		}
		/* Else it is there until the kernel collects what is revoked. */
		if (keyctl_unlink(found->key, found->keyring))
			ctl_debug("key %d stays in keyring %d, revoked: %s", found->key,
				  found->keyring, strerror(errno));
		removed++;
	}
	if (!removed) {
		ctl_error("there is no key of client '%s'; see: ebpfsctl key list", name);
		return EXIT_FAILURE;
	}
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_string(out, "removed", name);
		json_print(out);
	}
	return EXIT_SUCCESS;
}

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' },
		CTL_LONG
	};
	const char *verb, *file = NULL;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "f:" CTL_SHORT, options, NULL)) >= 0) {
		if (opt == 'f') {
			file = optarg;
			continue;
		}
		status = ctl_option(cmd, opt);
		if (status >= 0)
			return status;
	}
	argc -= optind;
	argv += optind;
	if (!argc)
		return ctl_usage(cmd, "expected generate, add, list or remove");
	verb = argv[0];
	if (file && strcmp(verb, "add"))
		return ctl_usage(cmd, "key %s: reads no file", verb);
	ebpfs_secret_protect();
	if (!strcmp(verb, "generate") && argc == 1)
		return generate();
	if (!strcmp(verb, "add") && argc <= 2)
		return add(argv[1], file);
	if (!strcmp(verb, "list") && argc == 1)
		return list();
	if (!strcmp(verb, "remove") && argc == 2)
		return forget(argv[1]);
	if (!strcmp(verb, "remove"))
		return ctl_usage(cmd, "key remove: expected a client's name");
	if (strcmp(verb, "generate") && strcmp(verb, "add") && strcmp(verb, "list"))
		return ctl_usage(cmd, "unknown command '%s': generate, add, list or remove", verb);
	return ctl_usage(cmd, "key %s: too many arguments", verb);
}

const struct command cmd_key = {
	.name = "key",
	.summary = "make, keep, list and remove secrets",
	.help = help,
	.run = run,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * Options and source of mount.ebpfs; see mount.h.
 *
 * Three kinds of words: those about the mount (MOUNT_ATTR_*), those about the
 * filesystem, which the kernel gets by fsconfig(), and those of user space. The
 * kernel validates its own, so that its messages are the only ones about them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/mount.h"
#include "lib/addr.h"

#define SECURE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/**
 * struct word - an option that is not passed through as it is
 * @name: word
 * @clear: attributes that it decides
 * @set: of these, those that it sets
 * @fs: it is a flag of the superblock too
 */
static const struct word {
	const char *name;
	uint64_t clear;
	uint64_t set;
	bool fs;
} words[] = {
	{ "ro", MOUNT_ATTR_RDONLY, MOUNT_ATTR_RDONLY, true },
	{ "rw", MOUNT_ATTR_RDONLY, 0, true },
	{ "nosuid", MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSUID, false },
	{ "suid", MOUNT_ATTR_NOSUID, 0, false },
	{ "nodev", MOUNT_ATTR_NODEV, MOUNT_ATTR_NODEV, false },
	{ "dev", MOUNT_ATTR_NODEV, 0, false },
	{ "noexec", MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOEXEC, false },
	{ "exec", MOUNT_ATTR_NOEXEC, 0, false },
	{ "noatime", MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, false },
	{ "atime", MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME, false },
	{ "relatime", MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME, false },
	{ "norelatime", MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME, false },
	{ "strictatime", MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME, false },
	{ "nostrictatime", MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME, false },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NODIRATIME, false },
	{ "diratime", MOUNT_ATTR_NODIRATIME, 0, false },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW, false },
	{ "symfollow", MOUNT_ATTR_NOSYMFOLLOW, 0, false },
	/* What mount(8) lets others mount is made harmless, unless a later word differs. */
	{ "user", SECURE | MOUNT_ATTR_NOEXEC, SECURE | MOUNT_ATTR_NOEXEC, false },
	{ "users", SECURE | MOUNT_ATTR_NOEXEC, SECURE | MOUNT_ATTR_NOEXEC, false },
	{ "owner", SECURE, SECURE, false },
	{ "group", SECURE, SECURE, false },
	/* Words for mount(8), fstab and systemd. */
	{ "defaults", 0, 0, false },
	{ "auto", 0, 0, false },
	{ "noauto", 0, 0, false },
	{ "nouser", 0, 0, false },
	{ "nousers", 0, 0, false },
	{ "noowner", 0, 0, false },
	{ "nogroup", 0, 0, false },
	{ "nofail", 0, 0, false },
	{ "_netdev", 0, 0, false },
	{ "_rnetdev", 0, 0, false },
	{ "silent", 0, 0, false },
	{ "loud", 0, 0, false },
};

/* Beginnings of words for mount(8), fstab and systemd. */
static const char *const ignored[] = { "x-", "X-", "comment=", "user=", "uhelper=", "helper=" };

static void set_string(char **to, const char *value)
{
	free(*to);
	*to = ctl_strdup(value);
}

static bool has_value(const char *key, const char *value)
{
	if (value && *value)
		return true;
	ctl_error("option %s= needs a value", key);
	return false;
}

static void add_fs(struct mount_options *options, const char *key, const char *value)
{
	struct mount_fs_option *fs;

	options->fs = ctl_grow(options->fs, options->fs_count, sizeof(*options->fs));
	fs = &options->fs[options->fs_count++];
	fs->key = ctl_strdup(key);
	fs->value = value ? ctl_strdup(value) : NULL;
}

static bool parse_word(struct mount_options *options, char *key)
{
	char *value;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (!strncmp(key, ignored[i], strlen(ignored[i])))
			return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct word *word = &words[i];

		if (strcmp(key, word->name))
			continue;
		options->attr_clear |= word->clear;
		options->attr_set = (options->attr_set & ~word->clear) | word->set;
		if (word->fs)
			add_fs(options, key, NULL);
		return true;
	}
	value = strchr(key, '=');
	if (value)
		*value++ = '\0';
	if (!strcmp(key, "remount") && !value) {
		options->remount = true;
	} else if (!strcmp(key, "bind") && !value) {
		options->bind = true;
	} else if (!strcmp(key, "secretfile")) {
		if (!has_value(key, value))
			return false;
		set_string(&options->secretfile, value);
	} else if (!strcmp(key, "secret")) {
		ctl_error("option secret=: everybody could read it in the list of processes; put "
			  "the secret into a file of mode 0600 and give secretfile=FILE");
		return false;
	} else if (!strcmp(key, "name")) {
		if (!has_value(key, value))
			return false;
		set_string(&options->name, value);
	} else {
		add_fs(options, key, value);
	}
	return true;
}

bool mount_options_parse(struct mount_options *options, const char *text)
{
	char *copy = ctl_strdup(text), *word = copy, *out = copy;
	bool quoted = false, good = true;

	for (const char *in = text;; in++) {
		if (*in == '"') {
			quoted = !quoted;
			continue;
		}
		if (*in && (*in != ',' || quoted)) {
			*out++ = *in;
			continue;
		}
		*out++ = '\0';
		if (*word && !parse_word(options, word)) {
			good = false;
			break;
		}
		word = out;
		if (!*in)
			break;
	}
	if (good && quoted) {
		ctl_error("options '%s': a quote (\") lacks its partner", text);
		good = false;
	}
	free(copy);
	return good;
}

int mount_source_resolve(const char *source, char **numeric)
{
	const char *export = strstr(source, ":/"), *at = source;
	char *out = ctl_strdup(""), *longer;

	if (export == source) {
		ctl_error("source '%s' names no server: expected HOST[:PORT]:/EXPORT", source);
		return MOUNT_USAGE;
	}
	if (!export) {
		ctl_error("source '%s' is not HOST[:PORT][,HOST[:PORT]]...:/EXPORT; an IPv6 "
			  "address stands in [brackets]", source);
		return MOUNT_USAGE;
	}
	while (at < export) {
		const char *end = memchr(at, ',', export - at);
		char host[EBPFS_HOST_TEXT], text[EBPFS_ADDR_TEXT];
		union ebpfs_sockaddr addr;
		const char *wrong;
		bool brackets;
		uint16_t port;

		if (!end)
			end = export;
		wrong = ebpfs_addr_split(at, end - at, host, &port);
		if (wrong) {
			ctl_error("source '%s': '%.*s': %s", source, (int)(end - at), at, wrong);
			return MOUNT_USAGE;
		}
		wrong = ebpfs_addr_resolve(host, port, false, &addr);
		if (wrong) {
			ctl_error("source '%s': cannot find the address of '%s': %s", source, host,
				  wrong);
			return MOUNT_FAILED;
		}
		/* Without a port of its own, the kernel takes port=, or the default. */
		brackets = !port && addr.sa.sa_family == AF_INET6;
		longer = ctl_format("%s%s%s%s%s", out, *out ? "," : "", brackets ? "[" : "",
				    ebpfs_addr_format(&addr, port, text), brackets ? "]" : "");
		free(out);
		out = longer;
		at = end + 1;
		if (at == export) {
			ctl_error("source '%s': no host behind the last comma", source);
			return MOUNT_USAGE;
		}
	}
	*numeric = ctl_format("%s%s", out, export);
	free(out);
	if (strlen(*numeric) >= FSCONFIG_STRING_MAX) {
		ctl_error("source '%s' has %zu bytes with addresses, the kernel takes %d: mount "
			  "with some of the servers, add the others with: ebpfsctl node add",
			  *numeric, strlen(*numeric), FSCONFIG_STRING_MAX - 1);
		return MOUNT_USAGE;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options and source of mount.ebpfs, from text to what the system calls take
 * (no system calls there but those of name services), and the client's name.
 */
#ifndef EBPFSCTL_MOUNT_H
#define EBPFSCTL_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes of mount(8). */
#define MOUNT_USAGE	1
#define MOUNT_SYSTEM	2
#define MOUNT_FAILED	32

/* The most fsconfig() takes for a string, with its NUL. */
#define FSCONFIG_STRING_MAX	256

/**
 * struct mount_options - what the words of -o ask for
 * @remount: change an existing mount
 * @bind: with @remount: only the mount's attributes, not the filesystem's
 * @attr_set: MOUNT_ATTR_* to set
 * @attr_clear: MOUNT_ATTR_* that were named or implied, to be cleared before
 * @name: of the client, NULL if not given
 * @secretfile: NULL if not given
 * @fs: for fsconfig(), in order; a flag has no value
 * @fs_count: how many
 */
struct mount_options {
	bool remount;
	bool bind;
	uint64_t attr_set;
	uint64_t attr_clear;
	char *name;
	char *secretfile;
	struct mount_fs_option {
		char *key;
		char *value;
	} *fs;
	size_t fs_count;
};

/**
 * mount_options_parse() - sort the words of one -o
 * @options: in and out, so that several -o add up; zero at first
 * @text: words with commas between, of which quotes (") hide some
 *
 * Words that mean something to mount(8) or systemd only are dropped, those that
 * nobody here knows are the kernel's to judge. Says what is wrong.
 */
bool mount_options_parse(struct mount_options *options, const char *text);

/**
 * mount_source_resolve() - host names to addresses
 * @source: HOST[:PORT][,HOST[:PORT]]...:/EXPORT
 * @numeric: out, the same with addresses, the caller's
 *
 * Return: 0, or an exit code of mount(8): says what is wrong.
 */
int mount_source_resolve(const char *source, char **numeric);

/**
 * mount_client_name() - what the servers know this client as
 * @given: by the user, NULL for the host's name
 *
 * Return: the caller's, or NULL: says what is wrong.
 */
char *mount_client_name(const char *given);

#endif /* EBPFSCTL_MOUNT_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * What ebpfsctl and mount.ebpfs make of texts: options and sources of mounts, the
 * kernel's list of mounts, names of pins, addresses.
 *
 *	byte 0		'o': the rest are options, several -o in lines
 *			's': the rest is a source
 *			'a': the rest is an address
 *			'p': the rest is a path
 *			'm': a line with what the user says, the rest is a mountinfo
 *			'd': the rest are names in the directory of pins, one in a line
 *
 * The linker puts functions of this file between ebpfsctl and the C library: names of
 * hosts are not asked for, and what is read of the system is the input's.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "ebpfsctl/mount.h"
#include "ebpfsctl/mountref.h"
#include "ebpfsctl/pins.h"
#include "fuzz/ctl.h"
#include "fuzz/must.h"
#include "fuzz/text.h"

static const char *mountinfo;
static char *entries;

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **res);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **res);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **res)
{
	struct addrinfo numeric = *hints;

	MUST(node && *node && strlen(node) < EBPFS_HOST_TEXT);
	numeric.ai_flags |= AI_NUMERICHOST;
	/* There are two hosts, one of them with two families. */
	if (!(hints->ai_flags & AI_NUMERICHOST) && !strcmp(node, "four"))
		node = "192.0.2.4";
	else if (!(hints->ai_flags & AI_NUMERICHOST) && !strcmp(node, "six"))
		node = "2001:db8::6";
	return __real_getaddrinfo(node, service, &numeric, res);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	if (!mountinfo)
		return __real_fopen(path, mode);
	MUST(!strcmp(path, "/proc/self/mountinfo"));
	return __real_fopen(mountinfo, mode);
}

/* The module's list: what mounts are there by number, and by device. */
bool nl_mounts(struct nl_mount **mounts, size_t *count)
{
	static struct nl_mount list[] = {
		{ .number = 1, .major = 0, .minor = 50 }, { .number = 2, .major = 0, .minor = 51 },
	};

	*mounts = list;
	*count = sizeof(list) / sizeof(list[0]);
	return true;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
	/* The fuzzer's own. */
	if (!entries)
		return __real_opendir(path);
	MUST(!strcmp(path, PINS_DIR));
	return (DIR *)&entries;
}

struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir)
{
	static struct dirent entry;
	char *name;

	if (dir != (DIR *)&entries)
		return __real_readdir(dir);
	do {
		name = strsep(&entries, "\n");
	} while (name && strlen(name) >= sizeof(entry.d_name));
	if (!name)
		return NULL;
	strcpy(entry.d_name, name);
	return &entry;
}

int __real_closedir(DIR *dir);
int __wrap_closedir(DIR *dir);
int __wrap_closedir(DIR *dir)
{
	return dir != (DIR *)&entries ? __real_closedir(dir) : 0;
}

/* There is a BPF filesystem. */
int __wrap_statfs(const char *path, struct statfs *fs);
int __wrap_statfs(const char *path, struct statfs *fs)
{
	MUST(!strcmp(path, BPFFS_DIR));
	memset(fs, 0, sizeof(*fs));
	fs->f_type = BPF_FS_MAGIC;
	return 0;
}

/* Nothing is pinned, wherever it is looked for. */
int __wrap_bpf_obj_get(const char *path);
int __wrap_bpf_obj_get(const char *path)
{
	MUST(!strncmp(path, PINS_DIR "/", sizeof(PINS_DIR)) && strlen(path) < 95);
	errno = ENOENT;
	return -1;
}

static void options(char *text)
{
	struct mount_options o = {};
	bool good = true;
	char *line;

	while (good && (line = strsep(&text, "\n")))
		good = mount_options_parse(&o, line);
	MUST(good || fuzz_complained);
	MUST(!(o.attr_set & ~o.attr_clear));
	MUST(!o.name || *o.name);
	MUST(!o.secretfile || *o.secretfile);
	/* The secret itself would be shown to everybody; the name goes another way. */
	for (size_t i = 0; i < o.fs_count; i++) {
		const char *key = o.fs[i].key;

		MUST(key && !strchr(key, '='));
		MUST(strcmp(key, "secret") && strcmp(key, "secretfile") && strcmp(key, "name"));
		/* With a value these are not what mount(8) knows, and the kernel's to refuse. */
		MUST(strncmp(key, "x-", 2) &&
		     (o.fs[i].value || (strcmp(key, "defaults") && strcmp(key, "noauto"))));
	}
}

static void source(const char *text)
{
	char *numeric, *again;

	if (mount_source_resolve(text, &numeric)) {
		MUST(fuzz_complained);
		return;
	}
	MUST(strlen(numeric) < FSCONFIG_STRING_MAX);
	MUST(!strcmp(strstr(numeric, ":/"), strstr(text, ":/")));
	MUST(!mount_source_resolve(numeric, &again) && !strcmp(again, numeric));
}

static void address(const char *text)
{
	union ebpfs_sockaddr addr, again;
	char form[EBPFS_ADDR_TEXT];

	if (ebpfs_addr_parse(text, 20490, &addr))
		return;
	MUST(addr.sa.sa_family == AF_INET || addr.sa.sa_family == AF_INET6);
	ebpfs_addr_format(&addr, true, form);
	MUST(!ebpfs_addr_parse(form, 1, &again));
	MUST(!memcmp(&again, &addr, sizeof(addr)));
	ebpfs_addr_format(&addr, false, form);
	MUST(!ebpfs_addr_parse(form, addr.sa.sa_family == AF_INET6 ? ntohs(addr.in6.sin6_port) :
			       ntohs(addr.in.sin_port), &again));
	MUST(!memcmp(&again, &addr, sizeof(addr)));
}

static void path(const char *text)
{
	char *normal = path_normalize(text, "/some/where"), *part, *rest;
	char *twice = path_normalize(normal, "/else");

	MUST(normal[0] == '/' && !strcmp(normal, twice));
	MUST(!normal[1] || normal[strlen(normal) - 1] != '/');
	rest = normal[1] ? normal + 1 : NULL;
	while ((part = strsep(&rest, "/")))
		MUST(*part && strcmp(part, ".") && strcmp(part, ".."));
}

static void mount_ref(char *text)
{
	char *rest = strchr(text, '\n'), *point;
	struct nl_mount mount = {};

	if (rest)
		*rest++ = '\0';
	else
		rest = text + strlen(text);
	mountinfo = fuzz_file(FUZZ_FILE, rest, strlen(rest));
	if (mount_find(text, &mount))
		MUST(mount.number == 1 || mount.number == 2);
	else
		MUST(fuzz_complained);
	/* What is visible at a place can be found by this place, if nothing lies above. */
	point = mount_point(0, 50);
	if (point)
		MUST(strlen(point) <= strlen(rest));
	mountinfo = NULL;
}

static void pins(char *text)
{
	struct pin *list;
	size_t count;

	entries = text;
	MUST(pins_list(&list, &count));
	for (size_t i = 0; i < count; i++) {
		MUST(!i || list[i - 1].netns < list[i].netns ||
		     (list[i - 1].netns == list[i].netns &&
		      list[i - 1].ifindex <= list[i].ifindex));
		MUST(pin_mode(&list[i]) == MODES && pin_is_stale(&list[i]));
		MUST(memchr(list[i].dir, '\0', sizeof(list[i].dir)));
		pin_close(&list[i]);
	}
	entries = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	fuzz_ctl_begin();
	switch (data[0]) {
	case 'o':
		options(text);
		break;
	case 's':
		source(text);
		break;
	case 'a':
		address(text);
		break;
	case 'p':
		path(text);
		break;
	case 'm':
		mount_ref(text);
		break;
	case 'd':
		pins(text);
		break;
	}
	fuzz_ctl_end();
	free(text);
	return 0;
}

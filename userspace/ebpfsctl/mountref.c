// SPDX-License-Identifier: GPL-2.0
/*
 * Finding a mount in /proc/self/mountinfo and in the module's list; see
 * mountref.h.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/mountref.h"

#define MOUNTINFO "/proc/self/mountinfo"

void mountinfo_unescape(char *text)
{
	char *out = text;

	while (*text) {
		unsigned int value = 0;
		int i;

		for (i = 1; i <= 3 && *text == '\\' && text[i] >= '0' && text[i] <= '7'; i++)
			value = value * 8 + text[i] - '0';
		if (i == 4) {
			*out++ = value;
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

char *path_normalize(const char *path, const char *cwd)
{
	char *full = *path == '/' ? ctl_strdup(path) : ctl_format("%s/%s", cwd, path);
	char *out = full, *in = full;

	/* Parts are moved to the front, which never is behind where they are read. */
	while (*in) {
		size_t len = strcspn(in, "/");

		if (!len) {
			in++;
			continue;
		}
		if (len == 2 && !strncmp(in, "..", 2)) {
			while (out > full && *--out != '/')
				;
		} else if (len != 1 || *in != '.') {
			char *part = in;

			*out++ = '/';
			/* "out" may have reached the slash in front of the part, not more. */
			memmove(out, part, len);
			out += len;
		}
		in += len;
	}
	if (out == full)
		*out++ = '/';
	*out = '\0';
	return full;
}

/**
 * struct entry - a line of mountinfo
 * @major: device
 * @minor: device
 * @point: mount point, unescaped
 */
struct entry {
	uint32_t major;
	uint32_t minor;
	char *point;
};

/* Calls @want for every mount of ebpfs, in mounting order; it returns false to stop. */
static void walk(bool (*want)(const struct entry *entry, void *data), void *data)
{
	FILE *file = fopen(MOUNTINFO, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file) {
		ctl_error("cannot read " MOUNTINFO ": %s", strerror(errno));
		return;
	}
	/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw */
	while (getline(&line, &size, file) > 0) {
		char *type = strstr(line, " - ");
		struct entry entry;
		int start = 0, end = 0;

		if (!type || strncmp(type + 3, "ebpfs ", 6))
			continue;
		if (sscanf(line, "%*u %*u %" SCNu32 ":%" SCNu32 " %*s %n%*s%n", &entry.major,
			   &entry.minor, &start, &end) != 2 || !end)
			continue;
		line[end] = '\0';
		entry.point = line + start;
		mountinfo_unescape(entry.point);
		if (!want(&entry, data))
			break;
	}
	free(line);
	fclose(file);
}

struct search {
	uint32_t major;
	uint32_t minor;
	const char *point;
	char *found;
};

static bool by_device(const struct entry *entry, void *data)
{
	struct search *search = data;

	if (entry->major != search->major || entry->minor != search->minor)
		return true;
	search->found = ctl_strdup(entry->point);
	return false;
}

char *mount_point(uint32_t major, uint32_t minor)
{
	struct search search = { .major = major, .minor = minor };

	walk(by_device, &search);
	return search.found;
}

static bool by_point(const struct entry *entry, void *data)
{
	struct search *search = data;

	/* The last one lies on top. */
	if (!strcmp(entry->point, search->point)) {
		search->major = entry->major;
		search->minor = entry->minor;
		search->found = (char *)search->point;
	}
	return true;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

bool mount_find(const char *text, struct nl_mount *mount)
{
	struct search search = {};
	struct nl_mount *mounts;
	bool numbered = is_number(text);
	char cwd[4096], rest;
	size_t count;

	if (numbered) {
		;
	} else if (sscanf(text, "%" SCNu32 ":%" SCNu32 "%c", &search.major, &search.minor,
			  &rest) == 2) {
		;
	} else {
		if (*text != '/' && !getcwd(cwd, sizeof(cwd))) {
			ctl_error("cannot tell the current directory (%s): give %s as an absolute "
				  "path", strerror(errno), text);
			return false;
		}
		search.point = path_normalize(text, cwd);
		walk(by_point, &search);
		if (!search.found) {
			ctl_error("nothing of type ebpfs is mounted at %s here; give the number of "
				  "a mount that was unmounted lazily or is in another mount "
				  "namespace, see: ebpfsctl mounts", search.point);
			return false;
		}
	}
	if (!nl_mounts(&mounts, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (numbered ? mounts[i].number == strtoul(text, NULL, 10) :
			       mounts[i].major == search.major && mounts[i].minor == search.minor) {
			*mount = mounts[i];
			return true;
		}
	}
	ctl_error("the module knows no mount %s; see: ebpfsctl mounts", text);
	return false;
}

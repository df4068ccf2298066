// SPDX-License-Identifier: GPL-2.0
/*
 * Which start of the machine this is; see boot.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "config.h"
#include "durable.h"
#include "export.h"
#include "log.h"

#define LINE	"%s %08x %s\n"

static struct {
	char path[PATH_MAX];	/* empty: there is none */
	char id[BOOT_LEN + 1];
	u32 number;
} now;

bool boot_id(char id[BOOT_LEN])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, id, BOOT_LEN) == BOOT_LEN;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* @how: "open" while the daemon runs, "clean" if everything was put on the disk. */
static bool note(const char *how)
{
	char line[BOOT_LEN + 32];

	snprintf(line, sizeof(line), LINE, now.id, now.number, how);
	return durable_write(now.path, line, strlen(line));
}

u32 boot_start(const struct config *c)
{
	char id[BOOT_LEN + 1] = "", how[8] = "";
	u32 number = 0;
	FILE *f;

	if (!boot_id(now.id))
		return 0;
	/* All of the first group is random. */
	now.number = (u32)strtoul(now.id, NULL, 16);
	snprintf(now.path, sizeof(now.path), "%s/boot-%08x", c->state_dir, config_id(c));
	f = fopen(now.path, "re");
	if (f) {
		if (fscanf(f, "%36s %8x %7s", id, &number, how) == 3 &&
		    (!strcmp(id, now.id) || !strcmp(how, "clean")))
			now.number = number;
		fclose(f);
	}
	if (!note("open")) {
		log_warning("%s cannot be written: %m (clients are not told when this machine fails)",
			    now.path);
		/* Or it would be believed another time. */
		unlink(now.path);
		now.path[0] = '\0';
		now.number = 0;
	}
	return now.number;
}

void boot_end(const struct exports *exports)
{
	bool ok = true;
	unsigned int i;

	if (!now.path[0])
		return;
	for (i = 0; ok && i < exports->count; i++) {
		const struct export *e = &exports->list[i];
		int fd;

		if (!e->writable || e->in_memory)
			continue;
		fd = openat(e->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ok = fd >= 0 && !syncfs(fd);
		if (fd >= 0)
			close(fd);
	}
	if (!ok || !note("clean"))
		log_warning("not everything could be put on the disk: clients are told so if this machine "
			    "stops now");
	now.path[0] = '\0';
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Which start of the machine this is; see boot.h.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "boot.h"

bool boot_id(char id[BOOT_LEN])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, id, BOOT_LEN) == BOOT_LEN;

	if (fd >= 0)
		close(fd);
	return ok;
}

u32 boot_number(void)
{
	char id[BOOT_LEN + 1] = "";

	/* All of its first group is random. */
	return boot_id(id) ? (u32)strtoul(id, NULL, 16) : 0;
}

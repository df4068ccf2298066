// SPDX-License-Identifier: GPL-2.0
/*
 * Files in memory and copies of texts, for the targets that read them; and what is
 * said of mistakes in them is formatted and then dropped: the linker leads write()
 * here.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/must.h"
#include "fuzz/text.h"

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
	/* What the sanitizers say goes another way. */
	return fd == STDERR_FILENO ? (ssize_t)len : __real_write(fd, bytes, len);
}

const char *fuzz_file(enum fuzz_file_name name, const void *bytes, size_t len)
{
	static struct {
		int fd;
		char path[32];
	} files[FUZZ_FILES];

	if (!files[name].fd) {
		files[name].fd = memfd_create("fuzz", MFD_CLOEXEC);
		MUST(files[name].fd > 0 && !fchmod(files[name].fd, 0600));
		snprintf(files[name].path, sizeof(files[name].path), "/proc/self/fd/%d",
			 files[name].fd);
	}
	MUST(!ftruncate(files[name].fd, 0));
	MUST(pwrite(files[name].fd, bytes, len, 0) == (ssize_t)len);
	return files[name].path;
}

char *fuzz_text(const void *bytes, size_t len)
{
	char *text = malloc(len + 1);

	MUST(text);
	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

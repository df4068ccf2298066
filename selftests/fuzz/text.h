/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fuzz targets of texts and files share.
 */
#ifndef EBPFS_SELFTESTS_FUZZ_TEXT_H
#define EBPFS_SELFTESTS_FUZZ_TEXT_H

#include <stddef.h>

/**
 * fuzz_file() - a file in memory with these bytes
 * @name: of which file; the same again has the same descriptor and loses what it had
 * @bytes: of it
 * @len: how many
 *
 * Private, as the files of secrets have to be. Return: its path.
 */
enum fuzz_file_name { FUZZ_FILE, FUZZ_FILE_AGAIN, FUZZ_FILES };
const char *fuzz_file(enum fuzz_file_name name, const void *bytes, size_t len);

/* A copy with a NUL behind it, for free(). */
char *fuzz_text(const void *bytes, size_t len);

#endif /* EBPFS_SELFTESTS_FUZZ_TEXT_H */

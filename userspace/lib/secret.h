/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Secrets of clients: EBPFS_SECRET_LEN random bytes, in files as one line of
 * base64 (RFC 4648), and the files that hold them.
 *
 * Reentrant, no state. Callers clear secrets after use (explicit_bzero()).
 */
#ifndef EBPFS_LIB_SECRET_H
#define EBPFS_LIB_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebpfs/wire.h>

/* Bytes of a secret in base64, with the NUL. */
#define EBPFS_SECRET_TEXT	(((EBPFS_SECRET_LEN + 2) / 3) * 4 + 1)

void ebpfs_secret_encode(const uint8_t secret[EBPFS_SECRET_LEN], char text[EBPFS_SECRET_TEXT]);

/**
 * ebpfs_secret_decode() - base64 to a secret
 * @text: need not be NUL terminated
 * @len: bytes of @text, without white space around
 * @secret: out
 *
 * Return: false if it is not the base64 of exactly EBPFS_SECRET_LEN bytes.
 */
bool ebpfs_secret_decode(const char *text, size_t len, uint8_t secret[EBPFS_SECRET_LEN]);

/* Draws a secret; false with errno if the kernel gives no random numbers. */
bool ebpfs_secret_generate(uint8_t secret[EBPFS_SECRET_LEN]);

/* Before a process has a secret in its memory: no core dump of it, no look into it by
 * others of the same user. Cannot fail in a way that matters. */
void ebpfs_secret_protect(void);

/**
 * ebpfs_private_open() - open a file that nobody else may read or change
 * @path: of a regular file, which belongs to root or to the effective user and
 *	has no permissions for group and others
 * @error: out, what is wrong and what to do, with @path in it
 * @size: of @error
 *
 * Return: a file descriptor for reading, or -1 with @error, and errno (EPERM
 * if the file is not private).
 */
int ebpfs_private_open(const char *path, char *error, size_t size);

/**
 * ebpfs_secret_read() - a secret from a file that has nothing else in it
 * @path: see ebpfs_private_open()
 * @secret: out
 * @error: out, as there
 * @size: of @error
 *
 * Return: false with @error and errno.
 */
bool ebpfs_secret_read(const char *path, uint8_t secret[EBPFS_SECRET_LEN],
		       char *error, size_t size);

/**
 * ebpfs_secret_read_fd() - the same from what is open, up to its end
 * @fd: file, pipe or socket, whoever it belongs to
 * @name: of it, for @error
 * @secret: out
 * @error: out
 * @size: of @error
 *
 * Return: false with @error and errno.
 */
bool ebpfs_secret_read_fd(int fd, const char *name, uint8_t secret[EBPFS_SECRET_LEN],
			  char *error, size_t size);

#endif /* EBPFS_LIB_SECRET_H */

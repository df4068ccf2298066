// SPDX-License-Identifier: GPL-2.0
/*
 * Secrets of clients and the files that hold them; see secret.h. Used by
 * ebpfsctl, mount.ebpfs and ebpfsd. No state, no locking.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/secret.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ebpfs_secret_encode(const uint8_t secret[EBPFS_SECRET_LEN], char text[EBPFS_SECRET_TEXT])
{
	char *out = text;

	for (size_t i = 0; i < EBPFS_SECRET_LEN; i += 3) {
		size_t left = EBPFS_SECRET_LEN - i;
		uint32_t word = secret[i] << 16;

		if (left > 1)
			word |= secret[i + 1] << 8;
		if (left > 2)
			word |= secret[i + 2];
		*out++ = digits[word >> 18];
		*out++ = digits[word >> 12 & 63];
		*out++ = left > 1 ? digits[word >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[word & 63] : '=';
	}
	*out = '\0';
}

bool ebpfs_secret_decode(const char *text, size_t len, uint8_t secret[EBPFS_SECRET_LEN])
{
	size_t pad = EBPFS_SECRET_TEXT - 1 - (EBPFS_SECRET_LEN * 8 + 5) / 6, done = 0;
	uint32_t word = 0;
	int bits = 0;

	if (len != EBPFS_SECRET_TEXT - 1)
		return false;
	for (size_t i = 0; i < len - pad; i++) {
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit)
			return false;
		word = word << 6 | (uint32_t)(digit - digits);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			secret[done++] = word >> bits;
			word &= (1u << bits) - 1;
		}
	}
	/* Bits over mean that the text was cut or mistyped. */
	if (word)
		return false;
	for (size_t i = len - pad; i < len; i++)
		if (text[i] != '=')
			return false;
	return true;
}

bool ebpfs_secret_generate(uint8_t secret[EBPFS_SECRET_LEN])
{
	/* Requests of up to 256 bytes are never cut short. */
	return getrandom(secret, EBPFS_SECRET_LEN, 0) == EBPFS_SECRET_LEN;
}

void ebpfs_secret_protect(void)
{
	static const struct rlimit none;
	int fd;

	/* The first also keeps other processes of the same user out of /proc/PID/mem and
	 * ptrace(2), and holds where cores go to a program, which the limit does not; the
	 * second can be seen from outside. Where fs.suid_dumpable is set, the first is undone
	 * by acting as a user: then a core has no memory in it. */
	fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "0", 1) != 1)
			errno = 0;	/* there are two more */
		close(fd);
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
}

int ebpfs_private_open(const char *path, char *error, size_t size)
{
	struct stat st;
	int fd;

	/* Not to be stuck on a FIFO that somebody put there. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		snprintf(error, size, "cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) < 0) {
		snprintf(error, size, "cannot stat %s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(error, size, "%s is not a regular file", path);
		errno = EPERM;
	} else if (st.st_uid != 0 && st.st_uid != geteuid()) {
		snprintf(error, size, "%s belongs to user %u: secrets must be root's; "
			 "run: chown root %s", path, st.st_uid, path);
		errno = EPERM;
	} else if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		snprintf(error, size, "%s can be read or changed by others (mode %04o); "
			 "run: chmod 600 %s", path, st.st_mode & 07777, path);
		errno = EPERM;
	} else {
		return fd;
	}
	close(fd);
	return -1;
}

bool ebpfs_secret_read_fd(int fd, const char *name, uint8_t secret[EBPFS_SECRET_LEN],
			  char *error, size_t size)
{
	char text[256], *start = text;
	size_t len = 0;
	ssize_t got;
	bool full, good;

	/* A pipe gives what was written at a time. */
	do {
		got = read(fd, text + len, sizeof(text) - len);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0) {
		snprintf(error, size, "cannot read %s: %s", name, strerror(errno));
		explicit_bzero(text, sizeof(text));
		return false;
	}
	full = len == sizeof(text);
	while (len && isspace((unsigned char)*start)) {
		start++;
		len--;
	}
	while (len && isspace((unsigned char)start[len - 1]))
		len--;
	/* What did not fit is not nothing. */
	good = !full && ebpfs_secret_decode(start, len, secret);
	explicit_bzero(text, sizeof(text));
	if (!good) {
		snprintf(error, size, "%s does not hold a secret (one line, base64 of %d bytes); "
			 "make one with: ebpfsctl key generate", name, EBPFS_SECRET_LEN);
		errno = EINVAL;
	}
	return good;
}

bool ebpfs_secret_read(const char *path, uint8_t secret[EBPFS_SECRET_LEN],
		       char *error, size_t size)
{
	bool good;
	int fd, err;

	fd = ebpfs_private_open(path, error, size);
	if (fd < 0)
		return false;
	good = ebpfs_secret_read_fd(fd, path, secret, error, size);
	err = errno;
	close(fd);
	errno = err;
	return good;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A daemon that loses at its death what was not committed: for tests of clients.
 *
 * When only the daemon is killed, the kernel's page cache keeps what was written,
 * and no client has ever to send it again. With EBPFSD_FORGETFUL=1 in its
 * environment the daemon writes down what each WRITE that is not stable, and each
 * APPEND, overwrites, and forgets that when the file is committed; at its start it
 * undoes what is still written down, as a crash of the machine would have.
 *
 * One file per file that was written, in the directory "undo" beside handle.key.
 * Writing is guarded by files_lock() of the file written to.
 */
#ifndef EBPFSD_FORGET_H
#define EBPFSD_FORGET_H

#include "core/platform.h"

struct exports;

/* At the start, by one thread: undo. 0 or -errno, which is logged. */
int forget_begin(const struct exports *exports, const char *state_dir);

/**
 * forget_note() - bytes are about to be overwritten
 * @fh: handle of the file
 * @fh_len: its bytes
 * @fd: the file, open for reading
 * @offset: of the first byte
 * @len: how many
 *
 * Return: 0 or -errno: then do not write.
 */
int forget_note(const u8 *fh, u16 fh_len, int fd, u64 offset, u32 len);

/* The file is on stable storage. */
void forget_committed(const u8 *fh, u16 fh_len);

#endif /* EBPFSD_FORGET_H */

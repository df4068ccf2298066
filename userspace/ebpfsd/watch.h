/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What local processes change: clients are told, by recalling their leases (hold.h).
 *
 * For exports with watch = yes the daemon asks fanotify(7) about changes on their
 * filesystems: one mark for each filesystem, made at the start, with all privileges. A
 * thread reads the events. Each names a file by its kernel handle, as name_to_handle_at(2)
 * does, which is what holds are known by; so nothing is opened. Those of this process are
 * thrown away: its own changes have recalled what was to be before they happened. An
 * event comes when the change has happened; no call waits for it.
 *
 * Leases are granted before the attributes of the reply are read, so that whatever an
 * event tells is in them, or the lease is there and recalled.
 *
 * A filesystem is watched as a whole: leases through other exports of it are recalled,
 * too. Processes in other containers, and another ebpfsd here, are local processes.
 *
 * The kernel keeps at most fs.fanotify.max_queued_events that have not been read, alike
 * ones by the same process once. Beyond that some are lost, and it says so: every lease on
 * all filesystems that are watched is recalled then.
 *
 * Not seen: bytes written through mmap(2), before the mapping and its descriptor are gone
 * (FAN_CLOSE_WRITE); what other machines change in a clustered or network filesystem; what
 * a filesystem does by itself, or is done beneath it. Of a directory that is removed the
 * parent is reported, not the directory itself.
 *
 * One thread; no lock but holds.lock.
 */
#ifndef EBPFSD_WATCH_H
#define EBPFSD_WATCH_H

#include <pthread.h>
#include <sys/statfs.h>
#include <time.h>

#include "config.h"

struct server;

/**
 * struct watched - a filesystem
 * @fsid: as in its events
 * @dev_major: as in the keys of holds
 * @dev_minor: likewise
 */
struct watched {
	fsid_t fsid;
	u32 dev_major;
	u32 dev_minor;
};

/**
 * struct watch - all that is watched
 * @srv: whose
 * @fd: of fanotify; -1: nothing is watched
 * @stop_fd: eventfd that ends the thread; -1 likewise
 * @list: filesystems
 * @count: how many
 * @pid: ours
 * @running: the thread exists
 * @thread: that reads
 */
struct watch {
	struct server *srv;
	int fd;
	int stop_fd;
	struct watched list[CONFIG_EXPORTS_MAX];
	unsigned int count;
	int pid;
	bool running;
	pthread_t thread;
};

/**
 * watch_open() - have changes reported from now on
 * @w: @fd and @stop_fd are -1
 * @srv: with exports
 *
 * Before any lease is granted, with CAP_SYS_ADMIN. Failures are logged.
 * Return: 0, also if no export wants it, or -errno.
 */
int watch_open(struct watch *w, struct server *srv);

/* Start the thread, if something is watched. 0 or -errno. */
int watch_start(struct watch *w);
/* End it. @deadline: on CLOCK_REALTIME. True if it ended by then. */
bool watch_stop(struct watch *w, const struct timespec *deadline);
/* The thread has ended. */
void watch_close(struct watch *w);

#endif /* EBPFSD_WATCH_H */

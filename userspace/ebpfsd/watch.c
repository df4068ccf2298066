// SPDX-License-Identifier: GPL-2.0
/*
 * What local processes change; see watch.h.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "log.h"
#include "server.h"
#include "stats.h"
#include "watch.h"

#define NAMES	(FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO)
/* A new name and the loss of one are FAN_ATTRIB of the file itself. */
#define CHANGES	(FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE | FAN_MOVE_SELF | NAMES | FAN_ONDIR)

#define READ_SIZE	65536
#define AGAIN		100	/* ms, after an error */

/* One mark on the filesystem of @e, if there is none yet. */
static int add(struct watch *w, const struct export *e)
{
	struct watched *fs;
	struct statfs sf;
	unsigned int i;

	for (i = 0; i < w->count; i++)
		if (w->list[i].dev_major == e->dev_major && w->list[i].dev_minor == e->dev_minor)
			return 0;
	if (fstatfs(e->root, &sf) ||
	    fanotify_mark(w->fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, CHANGES, e->root, NULL)) {
		int err = errno;

		log_error("export %s: changes on its filesystem cannot be watched: %m%s", e->name,
			  err == EPERM ? " (ebpfsd must start as root, with CAP_SYS_ADMIN)" :
			  err == EXDEV ? " (it is a subvolume, which fanotify cannot watch by itself; "
					 "without watch = yes it can be exported)" :
			  err == ENODEV || err == EOPNOTSUPP ?
					 " (fanotify cannot name its files; without watch = yes it can "
					 "be exported)" : "");
		return -err;
	}
	fs = &w->list[w->count++];
	fs->fsid = sf.f_fsid;
	fs->dev_major = e->dev_major;
	fs->dev_minor = e->dev_minor;
	return 0;
}

int watch_open(struct watch *w, struct server *srv)
{
	unsigned int i;
	int err;

	w->srv = srv;
	w->pid = getpid();
	for (i = 0; i < srv->exports.count; i++) {
		const struct export *e = &srv->exports.list[i];

		if (!e->watch)
			continue;
		if (w->fd < 0) {
			w->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
					      FAN_REPORT_FID, O_RDONLY);
			if (w->fd < 0) {
				err = errno;
				log_error("export %s: watch = yes needs fanotify: %m%s", e->name,
					  err == EPERM ? " (ebpfsd must start as root, with "
							 "CAP_SYS_ADMIN)" :
					  err == ENOSYS ? " (this kernel has none)" : "");
				return -err;
			}
		}
		err = add(w, e);
		if (err)
			return err;
	}
	if (w->fd < 0)
		return 0;
	w->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (w->stop_fd < 0) {
		err = errno;
		log_error("no eventfd for what is watched: %m");
		return -err;
	}
	return 0;
}

/* Which kinds of file an event may be of; 0 at the end. One of names is the directory's,
 * and of what is no directory it does not say more. */
static const u8 *kinds_of(u64 mask)
{
	static const u8 directory[] = { S_IFDIR >> 12, 0 };
	static const u8 others[] = {
		S_IFREG >> 12, S_IFLNK >> 12, S_IFIFO >> 12, S_IFSOCK >> 12, S_IFCHR >> 12,
		S_IFBLK >> 12, 0,
	};

	return mask & (NAMES | FAN_ONDIR) ? directory : others;
}

static void changed(struct watch *w, u64 mask, const struct fanotify_event_info_fid *info,
		    u32 room)
{
	const struct file_handle *h = (const struct file_handle *)info->handle;
	struct ebpfs_hold_key key;
	const struct watched *fs;
	struct file_key k;
	const u8 *kind;
	u32 n = 0;

	if (room < sizeof(*info) + sizeof(*h) || h->handle_bytes > sizeof(k.bytes) ||
	    h->handle_bytes > room - sizeof(*info) - sizeof(*h) || h->handle_type < 0 ||
	    h->handle_type > 0xffff)
		return;
	memset(&k, 0, offsetof(struct file_key, bytes));
	k.type = cpu_to_le16((u16)h->handle_type);
	k.len = (u8)h->handle_bytes;
	memcpy(k.bytes, h->f_handle, h->handle_bytes);
	/* Clones of a filesystem may have one fsid. */
	for (fs = w->list; fs < w->list + w->count; fs++) {
		if (memcmp(&fs->fsid, &info->fsid, sizeof(fs->fsid)))
			continue;
		k.dev_major = cpu_to_le32(fs->dev_major);
		k.dev_minor = cpu_to_le32(fs->dev_minor);
		for (kind = kinds_of(mask); *kind && !n; kind++) {
			k.kind = *kind;
			ebpfs_hold_key_set(&w->srv->holds.table, &key, &k,
					   (u16)(offsetof(struct file_key, bytes) + k.len));
			n = hold_changed(w->srv, &key);
		}
		stats_add(watch_recalls, n);
		n = 0;
	}
}

static void lost(struct watch *w)
{
	unsigned int i;

	stats_inc(watch_overflows);
	log_warning_limited("too many changes by local processes at once: all leases on what is "
			    "watched are recalled (fs.fanotify.max_queued_events)");
	for (i = 0; i < w->count; i++)
		stats_add(watch_recalls, holds_changed(w->srv, w->list[i].dev_major,
						       w->list[i].dev_minor));
}

static void take(struct watch *w, const struct fanotify_event_metadata *m)
{
	const u8 *p = (const u8 *)m + m->metadata_len, *end = (const u8 *)m + m->event_len;

	if (m->mask & FAN_Q_OVERFLOW) {
		lost(w);
		return;
	}
	stats_inc(watch_events);
	while (p + sizeof(struct fanotify_event_info_header) <= end) {
		const struct fanotify_event_info_header *i = (const void *)p;

		if (i->len < sizeof(*i) || i->len > end - p)
			break;
		if (i->info_type == FAN_EVENT_INFO_TYPE_FID)
			changed(w, m->mask, (const void *)p, i->len);
		p += i->len;
	}
}

static void *watch_run(void *arg)
{
	static u8 buf[READ_SIZE] __attribute__((aligned(8)));
	struct watch *w = arg;
	struct pollfd fds[] = {
		{ .fd = w->fd, .events = POLLIN }, { .fd = w->stop_fd, .events = POLLIN },
	};

	(void)stats_thread();
	for (;;) {
		const struct fanotify_event_metadata *m = (const void *)buf;
		ssize_t n;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		n = read(w->fd, buf, sizeof(buf));
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			/* What was in it is lost. */
			log_warning_limited("changes by local processes cannot be read: %m");
			lost(w);
			poll(&fds[1], 1, AGAIN);
			continue;
		}
		for (; FAN_EVENT_OK(m, n); m = FAN_EVENT_NEXT(m, n))
			if (m->pid != w->pid)
				take(w, m);
	}
	return NULL;
}

int watch_start(struct watch *w)
{
	int err;

	if (w->fd < 0)
		return 0;
	err = pthread_create(&w->thread, NULL, watch_run, w);
	if (err)
		return -err;
	w->running = true;
	pthread_setname_np(w->thread, "watch");
	return 0;
}

bool watch_stop(struct watch *w, const struct timespec *deadline)
{
	const u64 one = 1;

	if (!w->running)
		return true;
	if (write(w->stop_fd, &one, sizeof(one)) < 0)
		return false;
	return !pthread_timedjoin_np(w->thread, NULL, deadline);
}

void watch_close(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->stop_fd >= 0)
		close(w->stop_fd);
	w->fd = -1;
	w->stop_fd = -1;
}

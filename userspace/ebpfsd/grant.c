// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions and grants of the kernel's serve path; see grant.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ebpfs/serve.h>

#include "cred.h"
#include "files.h"
#include "grant.h"
#include "hold.h"
#include "log.h"
#include "owner.h"
#include "serve.h"
#include "server.h"
#include "stats.h"

#define DEVICE		"/dev/" EBPFS_SERVE_DEVICE
#define PINS		"/sys/fs/bpf/ebpfs"	/* NETNS-IFINDEX/NAME, of ebpfsctl */
#define PAUSE		200	/* ms before a file is tried again whose change is too young */
#define PAUSE_LONG	60000	/* ms, if it cannot be granted */
#define INSTANCES	(1u << 30)	/* after so many replies the kernel's may look newer */

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int device = -1;
static bool serving;	/* somebody is there to answer for us; READ_ONCE/WRITE_ONCE */

/* What programs interfaces have. */
enum there {
	THERE_SERVING	= 1,
	THERE_STEERING	= 2,	/* filters, if not more */
};

static unsigned int programs_there(void)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} pins[] = {
		{ "serve", THERE_SERVING }, { "tc", THERE_STEERING }, { "xdp", THERE_STEERING },
		{ "xdp-generic", THERE_STEERING },
	};
	unsigned int found = 0, i;
	struct dirent *entry;
	char path[300];
	DIR *dir = opendir(PINS);

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		for (i = 0; i < ARRAY_SIZE(pins) && entry->d_name[0] != '.'; i++) {
			snprintf(path, sizeof(path), PINS "/%s/%s", entry->d_name, pins[i].name);
			if (!access(path, F_OK))
				found |= pins[i].bit;
		}
	}
	closedir(dir);
	return found;
}

static int tell(unsigned long what, const void *arg);

/* Who has a session, and then where we listen: by then all peers are known. */
static void tell_door(struct sessions *ss, const struct listener *listeners, unsigned int n)
{
	unsigned int i;

	sessions_tell(ss);
	for (i = 0; i < n; i++)
		tell(EBPFS_SERVE_DOOR, &listeners[i].fd);
}

void grant_tick(struct sessions *ss, const struct listener *listeners, unsigned int n)
{
	static int failed;
	static unsigned int opened_for;
	unsigned int there = programs_there();
	bool was_serving = serving;
	int fd = -1, err = 0;

	if (there == opened_for)
		return;
	if (there) {
		fd = open(DEVICE, O_RDWR | O_CLOEXEC);
		err = fd < 0 ? errno : 0;
		if (err && err != failed)
			log_warning(DEVICE " cannot be opened: %m; READs are not answered by the "
				    "kernel, and it filters nothing");
		failed = err;
		if (err)
			return;
	}
	pthread_rwlock_wrlock(&lock);
	if (device >= 0)
		close(device);
	WRITE_ONCE(device, fd);
	WRITE_ONCE(serving, there & THERE_SERVING);
	pthread_rwlock_unlock(&lock);
	opened_for = there;
	if (there)
		tell_door(ss, listeners, n);
	if (serving != was_serving)
		log_info(serving ? "READs of what is in memory are answered by the kernel" :
				   "READs are no longer answered by the kernel");
}

void grant_peer(const struct session *s)
{
	struct ebpfs_serve_peer arg = {
		.server_id = s->id,
		.scope = s->peer.scope,
		.peer_port = s->peer.port,
	};

	if (READ_ONCE(device) < 0)
		return;
	memcpy(arg.peer, s->peer.addr, sizeof(arg.peer));
	tell(EBPFS_SERVE_PEER, &arg);
}

void grant_peer_left(const struct session *s)
{
	const __u64 id = s->id;

	if (READ_ONCE(device) >= 0)
		tell(EBPFS_SERVE_LEFT, &id);
}

void grant_stop(void)
{
	if (device >= 0)
		close(device);
	device = -1;
}

/* 0 or the error. */
static int tell(unsigned long what, const void *arg)
{
	int err = ENODEV;

	pthread_rwlock_rdlock(&lock);
	if (device >= 0)
		err = ioctl(device, what, arg) ? errno : 0;
	pthread_rwlock_unlock(&lock);
	return err;
}

bool grant_device(void)
{
	return READ_ONCE(device) >= 0;
}

u32 grant_describe(int dir, const void *dents, u32 len, struct ebpfs_serve_file *files, u32 room)
{
	const struct ebpfs_serve_names arg = {
		.dents = (uintptr_t)dents, .files = (uintptr_t)files, .dir = dir, .len = len,
		.count = room,
	};
	int n = 0;

	pthread_rwlock_rdlock(&lock);
	if (device >= 0)
		n = ioctl(device, EBPFS_SERVE_DESCRIBE, &arg);
	pthread_rwlock_unlock(&lock);
	return n > 0 ? (u32)n : 0;
}

static void end_session(const struct session *s)
{
	const __u64 id = s->id;

	tell(EBPFS_SERVE_END, &id);
}

static void put_v4(u8 *to, struct in_addr addr)
{
	memset(to, 0, 16);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, &addr, 4);
}

/*
 * The newest keys of @s, if it has any; 0 or the error. Not twice: a kernel that was told of
 * the session anew would use numbers again. Without keys it answers nothing until there are
 * new ones.
 */
static int tell_keys(struct session *s)
{
	struct ebpfs_serve_keys arg = { .server_id = s->id };
	struct ebpfs_lent_keys lent;
	int err = 0;

	if (!ebpfs_keys_guard(&s->keys))
		return 0;
	if (ebpfs_keys_lend(&s->keys, &lent)) {
		arg.epoch = lent.epoch;
		memcpy(arg.send, lent.send, sizeof(arg.send));
		memcpy(arg.receive, lent.receive, sizeof(arg.receive));
		err = tell(EBPFS_SERVE_KEYS, &arg);
	}
	explicit_bzero(&lent, sizeof(lent));
	explicit_bzero(&arg, sizeof(arg));
	return err;
}

void grant_session_rekeyed(struct session *s)
{
	if (s->lent)
		tell_keys(s);
}

/* Not twice: another thread may just have done it. @s is not locked. */
static int begin_session(struct session *s, const struct route *r)
{
	const struct listener *l = r->listener;
	struct ebpfs_serve_session arg = {
		.server_id = s->id,
		.client_id = s->client_id,
		.scope = s->peer.scope,
		.peer_port = s->peer.port,
		.slots = s->served.nslots,
		.socket = l->fd,
		.sec = s->keys.sec,
		.cipher = s->keys.cipher,
	};
	int err = ENOENT;

	memcpy(arg.peer, s->peer.addr, sizeof(arg.peer));
	if (l->family == AF_INET)
		put_v4(arg.local, l->wildcard ? r->local4.ipi_addr : l->addr.in.sin_addr);
	else
		memcpy(arg.local, l->wildcard ? &r->local6.ipi6_addr : &l->addr.in6.sin6_addr,
		       sizeof(arg.local));
	pthread_mutex_lock(&s->lock);
	if (!s->dead) {
		arg.instance = ebpfs_served_instance(&s->served);
		err = tell(EBPFS_SERVE_SESSION, &arg);
		if (!err) {
			s->lent = true;
			s->lent_instance = arg.instance;
			err = tell_keys(s);
		}
	}
	pthread_mutex_unlock(&s->lock);
	if (err == EEXIST)
		return 0;
	/* See hold.h; who is late from now on is ended by grant_owner_end(). */
	if (!err && hold_owner_late(s->owner)) {
		end_session(s);
		err = EBUSY;
	}
	return err;
}

bool grant_read(struct session *s, const struct ebpfs_call_info *c, struct file *file, u64 now)
{
	u64 reader = s->id + c->cred * 0x9e3779b97f4a7c15ull;

	if (!READ_ONCE(serving))
		return false;
	if (s->lent && s->served.next_instance - s->lent_instance > INSTANCES) {
		s->lent = false;
		end_session(s);
	}
	if (READ_ONCE(file->reader) != reader) {
		WRITE_ONCE(file->reader, reader);
		return false;
	}
	if (now < READ_ONCE(file->lend_at))
		return false;
	WRITE_ONCE(file->lend_at, now + PAUSE);
	return true;
}

/* Does an error say nothing of the file, but that its session just ended, its owner is late,
 * or the kernel could not be asked? Others may have it, and soon. */
static bool of_session(int err)
{
	return err == EAGAIN || err == ENOENT || err == EBUSY || err == ENODEV;
}

/* What the kernel says to the grant when @user asks for it; EAGAIN if it cannot ask now. */
static int tell_as(const struct user *user, const struct ebpfs_serve_grant *arg)
{
	int err;

	if (cred_become(user))
		return EAGAIN;
	err = tell(EBPFS_SERVE_GRANT, arg);
	cred_return(user);
	return err;
}

void grant_run(struct job *job)
{
	struct session *s = job->session;
	struct file *file = job->file;
	struct ebpfs_serve_grant arg = {
		.server_id = s->id,
		.cred = job->call.cred,
		.file = file->fd,
		.fh_len = file->fh_len,
	};
	int err;

	if (hold_owner_late(s->owner))
		return;
	memcpy(arg.fh, file->fh, file->fh_len);
	/* Before the kernel knows of it, so that its end is told. */
	WRITE_ONCE(file->lent, true);
	err = tell_as(job->user, &arg);
	if (err == ENOENT) {
		err = begin_session(s, &job->route);
		if (!err)
			err = tell_as(job->user, &arg);
	}
	if (!err)
		stats_inc(grants);
	else if (!of_session(err))
		WRITE_ONCE(file->lend_at, now_ms() + PAUSE_LONG);
}

void grant_session_end(struct session *s)
{
	if (s->lent)
		end_session(s);
}

void grant_owner_end(struct owner *owner)
{
	struct session *s;

	for (s = owner->first; s; s = s->owner_next)
		end_session(s);
}

void grant_file_end(struct file *file)
{
	struct ebpfs_serve_grant arg = { .fh_len = file->fh_len };

	if (!READ_ONCE(file->lent))
		return;
	memcpy(arg.fh, file->fh, file->fh_len);
	tell(EBPFS_SERVE_REVOKE, &arg);
}

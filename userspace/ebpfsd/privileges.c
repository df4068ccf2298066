// SPDX-License-Identifier: GPL-2.0
/*
 * Capabilities and process settings; see privileges.h.
 *
 * After the start the daemon opens files by handle and reads them, whoever
 * owns them, acts as users (cred.h), and on writable exports as root. CAP_SYS_RESOURCE
 * is not kept: it would let everybody exceed quotas.
 */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/secret.h"
#include "log.h"
#include "privileges.h"

void privileges_harden(void)
{
	ebpfs_secret_protect();
	/* With a client on this machine (a lab, a node that mounts its cluster):
	 * memory that is written back to us must not have to wait for memory of
	 * ours. Needs CAP_SYS_RESOURCE; without such a client it does not matter. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

unsigned int privileges_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	return limit.rlim_cur > 1 << 20 ? 1 << 20 : (unsigned int)limit.rlim_cur;
}

static const unsigned int always[] = {
	CAP_DAC_READ_SEARCH, CAP_SETUID, CAP_SETGID,
};

/* Threads that act as a user lose these as long as they do: all of them are in
 * what setfsuid(2) calls the file capabilities. */
static const unsigned int to_write[] = {
	CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER, CAP_FSETID, CAP_MKNOD,
};

/* Leaving user 0 does not take these: they are permitted only. */
static const unsigned int for_xattrs[] = {
	CAP_SYS_ADMIN, CAP_SETFCAP,
};

/* @sets: of CAPNG_*, in which the @n capabilities are to stay. */
static bool keep(const bool *had, const unsigned int *caps, size_t n, unsigned int sets)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!had[caps[i]]) {
			log_error("%s is missing: ebpfsd must start as root",
				  capng_capability_to_name(caps[i]));
			return false;
		}
		capng_update(CAPNG_ADD, (capng_type_t)sets, caps[i]);
	}
	return true;
}

int privileges_drop(bool writable, bool xattrs)
{
	const unsigned int both = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
	bool had[CAP_LAST_CAP + 1];
	unsigned int i;
	bool bounds;

	/* Leaving user 0 is what takes a user's thread its capabilities. */
	if (geteuid() || capng_get_caps_process()) {
		log_error("ebpfsd must start as root");
		return -EPERM;
	}
	for (i = 0; i <= CAP_LAST_CAP; i++)
		had[i] = capng_have_capability(CAPNG_EFFECTIVE, i);
	bounds = had[CAP_SETPCAP];
	if (had[CAP_SETGID] && setgroups(0, NULL)) {
		log_error("supplementary groups cannot be dropped: %m");
		return -errno;
	}
	capng_clear(CAPNG_SELECT_ALL);
	if (!keep(had, always, sizeof(always) / sizeof(always[0]), both) ||
	    (writable && !keep(had, to_write, sizeof(to_write) / sizeof(to_write[0]), both)) ||
	    (xattrs && !keep(had, for_xattrs, sizeof(for_xattrs) / sizeof(for_xattrs[0]),
			     CAPNG_PERMITTED)))
		return -EPERM;
	/* Who started us without CAP_SETPCAP has set the bounds. */
	if (capng_apply(bounds ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS)) {
		log_error("capabilities cannot be dropped: %m");
		return -EPERM;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		log_error("no_new_privs cannot be set: %m");
		return -errno;
	}
	/* Changing credentials may have set it again. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

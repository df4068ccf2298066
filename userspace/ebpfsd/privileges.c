// SPDX-License-Identifier: GPL-2.0
/*
 * Capabilities and process settings; see privileges.h.
 *
 * After the start the daemon opens files by handle and reads them, whoever
 * owns them, and does nothing else that would need a privilege.
 */
#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "log.h"
#include "privileges.h"

void privileges_harden(void)
{
	/* Secrets are in our memory. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
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

int privileges_drop(void)
{
	bool bounds;

	if (capng_get_caps_process())
		return -EPERM;
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_DAC_READ_SEARCH)) {
		log_error("CAP_DAC_READ_SEARCH is missing: ebpfsd must start as root");
		return -EPERM;
	}
	bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_ALL);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_READ_SEARCH);
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

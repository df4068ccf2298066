// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl abort: end every request of a mount whose servers do not answer.
 * Finds the mount by text, so that it never waits for those servers itself.
 */
#include <stdlib.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/mountref.h"

static const char help[] =
	"usage: ebpfsctl abort [OPTION...] MOUNT\n"
	"\n"
	"Ends every request of a mount, now and later, with an I/O error, so that every\n"
	"task that waits for it goes on. Then unmount it. MOUNT is a mount point, or the\n"
	"number of a mount (see: ebpfsctl mounts), or the MAJOR:MINOR of its device.\n"
	"\n"
	"  -j, --json     print the number of the mount as JSON\n"
	"  -v, --verbose  say more\n"
	"  -h, --help     this text\n";

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = { CTL_LONG };
	struct nl_mount mount;
	int opt, status;

	while ((opt = getopt_long(argc, argv, CTL_SHORT, options, NULL)) >= 0) {
		status = ctl_option(cmd, opt);
		if (status >= 0)
			return status;
	}
	if (argc - optind != 1)
		return ctl_usage(cmd, "expected one mount");
	if (!nl_open(true) || !mount_find(argv[optind], &mount) || !nl_abort(mount.number))
		return EXIT_FAILURE;
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_u64(out, "aborted", mount.number);
		json_print(out);
	}
	ctl_debug("mount %u (%s) was aborted", mount.number, mount.source);
	return EXIT_SUCCESS;
}

const struct command cmd_abort = {
	.name = "abort",
	.summary = "end all requests of a mount with an error",
	.help = help,
	.run = run,
};

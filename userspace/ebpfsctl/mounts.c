// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl mounts: the mounts that the module knows, also those that are
 * visible nowhere any more.
 */
#include <stdlib.h>
#include <string.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/show.h"

static const char help[] =
	"usage: ebpfsctl mounts [list] [OPTION...]\n"
	"\n"
	"Lists the mounted filesystems with their numbers, by which other commands find\n"
	"those that were unmounted lazily or are in another mount namespace.\n"
	"\n"
	"  -j, --json     print them as JSON\n"
	"  -v, --verbose  show their options\n"
	"  -h, --help     this text\n";

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = { CTL_LONG };
	struct json_object *list = NULL;
	struct nl_mount *mounts;
	int opt, status;
	size_t count;

	while ((opt = getopt_long(argc, argv, CTL_SHORT, options, NULL)) >= 0) {
		status = ctl_option(cmd, opt);
		if (status >= 0)
			return status;
	}
	if (optind < argc && !strcmp(argv[optind], "list"))
		optind++;
	if (optind != argc)
		return ctl_usage(cmd, "unexpected argument '%s'", argv[optind]);
	if (!nl_open(true) || !nl_mounts(&mounts, &count))
		return EXIT_FAILURE;
	if (ctl_json)
		list = json_object_new_array();
	for (size_t i = 0; i < count; i++) {
		if (list)
			json_object_array_add(list, mount_json(&mounts[i]));
		else
			mount_text(&mounts[i]);
	}
	if (list)
		json_print(list);
	return EXIT_SUCCESS;
}

const struct command cmd_mounts = {
	.name = "mounts",
	.summary = "list the mounts",
	.help = help,
	.run = run,
};

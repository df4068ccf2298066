// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl detach: take the steering programs off. Detaching takes effect
 * before the command returns; the module can be unloaded when the kernel has
 * freed the programs, which takes an RCU grace period or two.
 */
#include <stdlib.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/iface.h"
#include "ebpfsctl/pins.h"

static const char help[] =
	"usage: ebpfsctl detach [OPTION...] IFACE\n"
	"       ebpfsctl detach [OPTION...] --all | --gone\n"
	"\n"
	"Takes the steering program off IFACE. Replies then arrive by the plain way;\n"
	"no request is lost.\n"
	"\n"
	"  -a, --all         off all interfaces, in all network namespaces\n"
	"  -g, --gone        only clear away what is left of interfaces that were deleted\n"
	"  -n, --netns NAME  IFACE is in this network namespace (a name, or a path)\n"
	"  -j, --json        print how many interfaces there were as JSON\n"
	"  -v, --verbose     say more\n"
	"  -h, --help        this text\n";

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "gone", no_argument, NULL, 'g' },
		{ "netns", required_argument, NULL, 'n' },
		CTL_LONG
	};
	bool all = false, gone = false, good = true;
	size_t count = 0, done = 0;
	struct iface iface;
	struct pin *pins;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "agn:" CTL_SHORT, options, NULL)) >= 0) {
		switch (opt) {
		case 'a':
			all = true;
			break;
		case 'g':
			gone = true;
			break;
		case 'n':
			if (!netns_enter(optarg))
				return EXIT_FAILURE;
			break;
		default:
			status = ctl_option(cmd, opt);
			if (status >= 0)
				return status;
		}
	}
	if (argc - optind != !(all || gone))
		return ctl_usage(cmd, all || gone ? "--all and --gone take no interface" :
				 "expected one interface, or --all, or --gone");
	if (!all && !gone && !iface_get(argv[optind], &iface))
		return EXIT_FAILURE;
	if (!pins_lock())
		return EXIT_FAILURE;
	if (all || gone) {
		pins = pins_list(&count);
	} else {
		count = 1;
		pins = ctl_grow(NULL, 0, sizeof(*pins));
		pin_open(pins, netns_current(), iface.index);
		if (pin_mode(pins) == MODES) {
			ctl_error("no program of ebpfs is on %s; see: ebpfsctl status", iface.name);
			return EXIT_FAILURE;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (gone && !all && !pin_is_stale(&pins[i]))
			continue;
		if (pin_remove(&pins[i]))
			done++;
		else
			good = false;
	}
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_u64(out, "detached", done);
		json_print(out);
	}
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command cmd_detach = {
	.name = "detach",
	.summary = "take the steering program off an interface",
	.help = help,
	.run = run,
};

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
	"Takes the programs off IFACE. Replies then arrive by the plain way, and ebpfsd answers\n"
	"all calls itself; no request is lost.\n"
	"\n"
	"  -a, --all         off all interfaces, in all network namespaces\n"
	"  -g, --gone        only clear away what is left of interfaces that were deleted\n"
	"  -s, --serve       only the program that serves\n"
	"  -S, --steer       only the program that steers\n"
	"  -n, --netns NAME  IFACE is in this network namespace (a name, or a path)\n"
	"  -j, --json        print how many interfaces there were as JSON\n"
	"  -v, --verbose     say more\n"
	"  -h, --help        this text\n";

/* Has it a program that is to be taken off? */
static bool wanted(const struct pin *pin, bool steer, bool serve)
{
	return (steer && pin_mode(pin) < MODES) || (serve && pin->serve.fd >= 0);
}

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "gone", no_argument, NULL, 'g' },
		{ "netns", required_argument, NULL, 'n' },
		{ "serve", no_argument, NULL, 's' },
		{ "steer", no_argument, NULL, 'S' },
		CTL_LONG
	};
	bool all = false, gone = false, serve = false, steer = false, in_netns = false;
	bool good = true, had;
	size_t count = 0, done = 0;
	struct iface iface;
	struct pin *pins;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "agn:sS" CTL_SHORT, options, NULL)) >= 0) {
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
			in_netns = true;
			break;
		case 's':
			serve = true;
			break;
		case 'S':
			steer = true;
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
	if (in_netns && (all || gone))
		return ctl_usage(cmd, "--all and --gone look at every network namespace: they go "
				 "without --netns");
	if (serve == steer)
		serve = steer = true;
	if (!all && !gone && !iface_get(argv[optind], &iface))
		return EXIT_FAILURE;
	if (!pins_lock())
		return EXIT_FAILURE;
	if (all || gone) {
		good = pins_list(&pins, &count);
	} else {
		count = 1;
		pins = ctl_grow(NULL, 0, sizeof(*pins));
		if (!pin_open(pins, netns_current(), iface.index))
			return EXIT_FAILURE;
		if (!wanted(pins, steer, serve)) {
			ctl_error("no %sprogram of ebpfs is on %s; see: ebpfsctl status",
				  !steer ? "serving " : !serve ? "steering " : "", iface.name);
			return EXIT_FAILURE;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (pins[i].unknown || (gone && !all && !pin_is_stale(&pins[i])))
			continue;
		/* A pin without any program is cleared away, too. */
		if (steer != serve && !wanted(&pins[i], steer, serve))
			continue;
		had = wanted(&pins[i], steer, serve);
		if ((!steer || pin_remove_steer(&pins[i])) &&
		    (!serve || pin_remove_serve(&pins[i])))
			done += had;
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
	.summary = "take programs off an interface",
	.help = help,
	.run = run,
};

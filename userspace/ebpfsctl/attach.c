// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl attach: put a steering program, or the serving one, on an interface.
 *
 * The program is loaded first, so that nothing changes if it cannot be. Then,
 * if the interface has our link in the same mode, the link gets the new program
 * in one step. Another mode is attached before the old one is detached, except
 * between native and generic XDP, which the kernel does not let coexist: there
 * replies take the plain way for a moment. A program of somebody else is never
 * replaced; at TC ours goes first and leaves all other packets to the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if_arp.h>
#include <linux/if_link.h>
#include <sys/stat.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/iface.h"
#include "ebpfsctl/programs.h"

/* Of strangers' datagrams in a second: what many clients behind one address need when they
 * come back together, and what ebpfsd deals with along the way. The most is what is told from
 * no limit by a clock of nanoseconds.
 */
#define RATE_SOURCE	1000
#define RATE_ALL	10000
#define RATE_MOST	100000000

static const char help[] =
	"usage: ebpfsctl attach [OPTION...] IFACE\n"
	"\n"
	"Attaches the program that steers block replies arriving on IFACE into the page\n"
	"cache. It stays attached after ebpfsctl exits. Attaching again replaces it\n"
	"without a loss, also by another mode. With --serve: the program that has the kernel\n"
	"answer READs for ebpfsd.\n"
	"\n"
	"  -m, --mode MODE   tc           TC ingress (default): on every Ethernet interface;\n"
	"                                 takes super-packets (GSO, on veth) in one piece\n"
	"                    xdp          in the driver: on real network cards\n"
	"                    xdp-generic  as xdp, without help of the driver: for tests\n"
	"  -s, --serve       on a server: answer READs of what is in memory there, without ebpfsd;\n"
	"                    besides steering, if the machine is a client, too\n"
	"  -f, --filter WHEN drop what comes to ports of ebpfs and would be thrown away there:\n"
	"                    auto (default): unless the machine translates addresses (NAT)\n"
	"                    always, off\n"
	"  -r, --rate N      on a server: pass N datagrams a second of one address that has no\n"
	"                    session (default: 1000); 0: no limit\n"
	"  -R, --rate-all N  the same of all such addresses (default: 10000)\n"
	"  -n, --netns NAME  IFACE is in this network namespace (a name, or a path)\n"
	"  -p, --port PORT   look at UDP from this port only (default: any)\n"
	"  -j, --json        print what was attached as JSON\n"
	"  -v, --verbose     show the messages of libbpf\n"
	"  -h, --help        this text\n";

/**
 * struct target - what the programs go onto
 * @iface: interface, in the current network namespace
 * @pin: what is pinned for it
 * @port: option
 * @filter: options
 */
struct target {
	struct iface iface;
	struct pin pin;
	uint16_t port;
	struct filter filter;
};

/* What an errno of attaching means here. */
static const char *explain(const struct iface *iface, enum mode mode, int err)
{
	switch (err) {
	case EOPNOTSUPP:
		if (mode == MODE_XDP)
			return ctl_format("its driver (%s) has no XDP; use --mode tc, or "
					  "--mode xdp-generic for a test",
					  *iface->driver ? iface->driver : "unknown");
		break;
	case EINVAL:
	case ERANGE:
		if (mode != MODE_TC && iface->mtu > 1500)
			return ctl_format("at MTU %u its driver (%s) may not take programs, even "
					  "such that understand packets in several buffers; lower "
					  "the MTU, or use --mode tc; the kernel log may say more",
					  iface->mtu, *iface->driver ? iface->driver : "unknown");
		if (mode == MODE_TC)
			return "the kernel may be older than 6.6, which brought tcx links; "
			       "see: ebpfsctl doctor";
		break;
	case EBUSY:
	case EEXIST:
		return "another program came meanwhile, or an interface above this one (bond, "
		       "bridge) has one; see: ip link, bpftool net";
	case EPERM:
		return "this needs root, or CAP_BPF and CAP_NET_ADMIN";
	}
	return "see the kernel log";
}

/* A link of the given program, pinned as @name; its file descriptor or -1, said why. */
static int attach_link(struct target *target, enum mode mode, const char *name, int prog_fd)
{
	static const __u32 xdp_flags[MODES] = {
		[MODE_XDP] = XDP_FLAGS_DRV_MODE,
		[MODE_XDP_GENERIC] = XDP_FLAGS_SKB_MODE,
	};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = xdp_flags[mode]);
	const struct iface *iface = &target->iface;
	char path[96];
	int fd;

	/* In front of other programs: what they see of us is a packet less. */
	if (mode == MODE_TC)
		opts.flags = BPF_F_BEFORE;
	fd = bpf_link_create(prog_fd, iface->index, mode == MODE_TC ? BPF_TCX_INGRESS : BPF_XDP,
			     &opts);
	if (fd < 0) {
		ctl_error("cannot attach to %s in mode %s: %s: %s", iface->name, mode_names[mode],
			  strerror(errno), explain(iface, mode, errno));
		return -1;
	}
	snprintf(path, sizeof(path), "%s/%s", target->pin.dir, name);
	if (bpf_obj_pin(fd, path)) {
		ctl_error("cannot pin the link as %s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/* Refuses to take the place of somebody else's program. */
static bool xdp_is_free(const struct target *target, enum mode mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	const struct pinned_link *links = target->pin.links;
	char name[PROGRAM_NAME];
	__u32 id;

	if (mode == MODE_TC)
		return true;
	if (bpf_xdp_query(target->iface.index, 0, &query)) {
		ctl_debug("cannot ask for XDP programs on %s: %s", target->iface.name,
			  strerror(errno));
		return true;	/* attaching never replaces either */
	}
	id = query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	if (!id)
		id = query.hw_prog_id ? query.hw_prog_id : query.prog_id;
	if (!id || (links[MODE_XDP].fd >= 0 && links[MODE_XDP].prog_id == id) ||
	    (links[MODE_XDP_GENERIC].fd >= 0 && links[MODE_XDP_GENERIC].prog_id == id))
		return true;
	ctl_error("%s has the XDP program %u (%s) of somebody else, which is left alone; use "
		  "--mode tc, which works beside it, or remove it (bpftool net detach xdp dev %s, "
		  "or by the tool that attached it), or let a dispatcher such as libxdp run both",
		  target->iface.name, id, program_name(id, name), target->iface.name);
	return false;
}

/* Native and generic XDP exclude each other: one goes, the other comes, or comes back. */
static bool swap_xdp(struct target *target, enum mode old, enum mode mode, int prog_fd)
{
	int old_prog = bpf_prog_get_fd_by_id(target->pin.links[old].prog_id);
	int fd;

	if (!pin_detach(&target->pin, old))
		return false;
	fd = attach_link(target, mode, mode_names[mode], prog_fd);
	if (fd < 0 && old_prog >= 0) {
		fd = attach_link(target, old, mode_names[old], old_prog);
		close(old_prog);
		if (fd >= 0) {
			/* Another link of the same program, with the same counters. */
			target->pin.links[old].fd = fd;
			ctl_error("%s is left as it was, in mode %s", target->iface.name,
				  mode_names[old]);
		}
		return false;
	}
	if (old_prog >= 0)
		close(old_prog);
	return fd >= 0;
}

/* The directory, and in it the counters, unless they are those that are pinned there. */
static bool pin_counters(const struct pin *pin, const char *name, const struct loaded *l)
{
	char path[96];

	if (mkdir(pin->dir, 0700) && errno != EEXIST) {
		ctl_error("cannot make the directory %s: %s", pin->dir, strerror(errno));
		return false;
	}
	snprintf(path, sizeof(path), "%s/%s", pin->dir, name);
	if (!l->reused && unlink(path) && errno != ENOENT) {
		ctl_error("cannot remove %s: %s", path, strerror(errno));
		return false;
	}
	if (!l->reused && bpf_obj_pin(l->map_fd, path)) {
		ctl_error("cannot pin the counters as %s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

static bool update_link(const struct target *target, const struct pinned_link *link, int prog_fd,
			enum mode mode)
{
	if (!bpf_link_update(link->fd, prog_fd, NULL))
		return true;
	ctl_error("cannot replace the program on %s: %s: %s", target->iface.name, strerror(errno),
		  explain(&target->iface, mode, errno));
	return false;
}

static bool attach(struct target *target, enum mode mode, const struct loaded *l)
{
	struct pin *pin = &target->pin;
	struct pinned_link *same = &pin->links[mode];

	/* The counters first: a link without them would count for nobody. */
	if (!pin_counters(pin, "stats", l))
		return false;
	if (same->fd >= 0) {
		if (!update_link(target, same, l->prog_fd, mode))
			return false;
	} else if (mode == MODE_XDP && pin->links[MODE_XDP_GENERIC].fd >= 0) {
		if (!swap_xdp(target, MODE_XDP_GENERIC, mode, l->prog_fd))
			return false;
	} else if (mode == MODE_XDP_GENERIC && pin->links[MODE_XDP].fd >= 0) {
		if (!swap_xdp(target, MODE_XDP, mode, l->prog_fd))
			return false;
	} else if (attach_link(target, mode, mode_names[mode], l->prog_fd) < 0) {
		return false;
	}
	for (enum mode other = 0; other < MODES; other++)
		if (other != mode && !pin_detach(pin, other))
			return false;
	return true;
}

/* @mode: of steering, or "serve" */
static void print_result(const struct target *target, const char *mode, int prog_fd)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	bpf_prog_get_info_by_fd(prog_fd, &info, &size);
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_string(out, "interface", target->iface.name);
		json_add_u64(out, "ifindex", target->iface.index);
		json_add_u64(out, "netns", target->pin.netns);
		json_add_string(out, "mode", mode);
		json_add_u64(out, "program", info.id);
		json_print(out);
	} else if (!strcmp(mode, "serve")) {
		printf("%s: serving (program %u)\n", target->iface.name, info.id);
	} else {
		printf("%s: steering in mode %s (program %u)\n", target->iface.name, mode, info.id);
	}
}

static int run_steer(struct target *target, enum mode mode)
{
	struct loaded l;

	if (!xdp_is_free(target, mode) ||
	    !steering_load(&l, mode, target->port, &target->filter,
			   pin_mode(&target->pin) < MODES ? target->pin.map_fd : -1))
		return EXIT_FAILURE;
	if (!attach(target, mode, &l)) {
		/* Nothing of ours on it: leave no empty directory. */
		if (pin_mode(&target->pin) == MODES)
			pin_remove_steer(&target->pin);
		return EXIT_FAILURE;
	}
	print_result(target, mode_names[mode], l.prog_fd);
	return EXIT_SUCCESS;
}

static int run_serve(struct target *target)
{
	struct pin *pin = &target->pin;
	struct loaded l;
	bool good;

	if (!serving_load(&l, &target->filter, pin->serve.fd >= 0 ? pin->serve_map_fd : -1))
		return EXIT_FAILURE;
	good = pin_counters(pin, "serve-stats", &l);
	if (good && pin->serve.fd >= 0)
		good = update_link(target, &pin->serve, l.prog_fd, MODE_TC);
	else if (good)
		good = attach_link(target, MODE_TC, "serve", l.prog_fd) >= 0;
	if (!good) {
		if (pin->serve.fd < 0)
			pin_remove_serve(pin);
		return EXIT_FAILURE;
	}
	print_result(target, "serve", l.prog_fd);
	return EXIT_SUCCESS;
}

static bool filter_find(const char *name, uint32_t *flags)
{
	if (!strcmp(name, "auto"))
		*flags = EBPFS_DOOR_JUDGE;
	else if (!strcmp(name, "always"))
		*flags = EBPFS_DOOR_JUDGE | EBPFS_DOOR_NAT;
	else if (!strcmp(name, "off"))
		*flags = 0;
	else
		return false;
	return true;
}

static bool rate_parse(const char *text, uint32_t *rate)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (*end || end == text || *text == '-' || errno || n > RATE_MOST)
		return false;
	*rate = n;
	return true;
}

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "filter", required_argument, NULL, 'f' },
		{ "mode", required_argument, NULL, 'm' },
		{ "netns", required_argument, NULL, 'n' },
		{ "port", required_argument, NULL, 'p' },
		{ "rate", required_argument, NULL, 'r' },
		{ "rate-all", required_argument, NULL, 'R' },
		{ "serve", no_argument, NULL, 's' },
		CTL_LONG
	};
	enum mode mode = MODES;
	struct target target = {
		.filter = { EBPFS_DOOR_JUDGE, RATE_SOURCE, RATE_ALL },
	};
	bool serve = false;
	char *end;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "f:m:n:p:r:R:s" CTL_SHORT, options, NULL)) >= 0) {
		unsigned long port;

		switch (opt) {
		case 'f':
			if (!filter_find(optarg, &target.filter.flags))
				return ctl_usage(cmd, "unknown filter '%s': auto, always or off",
						 optarg);
			break;
		case 'm':
			mode = mode_find(optarg);
			if (mode == MODES)
				return ctl_usage(cmd, "unknown mode '%s': tc, xdp or xdp-generic",
						 optarg);
			break;
		case 'n':
			if (!netns_enter(optarg))
				return EXIT_FAILURE;
			break;
		case 'p':
			port = strtoul(optarg, &end, 10);
			if (*end || end == optarg || port > UINT16_MAX)
				return ctl_usage(cmd, "'%s' is not a port from 0 to 65535", optarg);
			target.port = port;
			break;
		case 'r':
		case 'R':
			if (!rate_parse(optarg, opt == 'r' ? &target.filter.rate :
							     &target.filter.rate_all))
				return ctl_usage(cmd, "'%s' is not a number of datagrams from 0 to "
						 "%u", optarg, RATE_MOST);
			break;
		case 's':
			serve = true;
			break;
		default:
			status = ctl_option(cmd, opt);
			if (status >= 0)
				return status;
		}
	}
	if (argc - optind != 1)
		return ctl_usage(cmd, "expected one interface");
	if (serve && (mode < MODES || target.port))
		return ctl_usage(cmd, "--serve goes without --mode and --port: it is a program of "
				 "its own, at TC, which sees the ports that ebpfsd listens on");
	if (!iface_get(argv[optind], &target.iface))
		return EXIT_FAILURE;
	if (target.iface.type != ARPHRD_ETHER && target.iface.type != ARPHRD_LOOPBACK) {
		ctl_error("%s has no Ethernet heads (type %u): its packets cannot be steered, and "
			  "arrive by the plain way", target.iface.name, target.iface.type);
		return EXIT_FAILURE;
	}
	if (!pins_lock())
		return EXIT_FAILURE;
	if (!pin_open(&target.pin, netns_current(), target.iface.index))
		return EXIT_FAILURE;
	/* Left over from a deleted interface, or a whole namespace, that had these numbers. */
	for (enum mode m = 0; m < MODES; m++)
		if (target.pin.links[m].fd >= 0 && !target.pin.links[m].ifindex &&
		    !pin_detach(&target.pin, m))
			return EXIT_FAILURE;
	if (target.pin.serve.fd >= 0 && !target.pin.serve.ifindex && !pin_remove_serve(&target.pin))
		return EXIT_FAILURE;
	return serve ? run_serve(&target) : run_steer(&target, mode < MODES ? mode : MODE_TC);
}

const struct command cmd_attach = {
	.name = "attach",
	.summary = "put a program on an interface",
	.help = help,
	.run = run,
};

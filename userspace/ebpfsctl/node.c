// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl node: the servers of a mount, listed, added and removed while it is
 * in use.
 */
#include <stdlib.h>
#include <string.h>
#include <ebpfs/wire.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/mountref.h"
#include "ebpfsctl/show.h"

static const char help[] =
	"usage: ebpfsctl node list [OPTION...] MOUNT\n"
	"       ebpfsctl node add [OPTION...] MOUNT ADDRESS[:PORT]\n"
	"       ebpfsctl node remove [OPTION...] MOUNT NODE\n"
	"\n"
	"Lists, adds or removes servers of a mount while it is in use. MOUNT is a mount\n"
	"point, or the number of a mount (see: ebpfsctl mounts), or the MAJOR:MINOR of\n"
	"its device. An added server has to export the same directory with the same\n"
	"handle key; ADDRESS is a name, an IPv4 or a [bracketed] IPv6 address. NODE is a\n"
	"number that list shows, or an address with port as shown there.\n"
	"\n"
	"  -j, --json     print JSON\n"
	"  -v, --verbose  say more\n"
	"  -h, --help     this text\n";

static int list(const struct nl_mount *mount)
{
	struct json_object *out;
	struct nl_node *nodes;
	size_t count;

	if (!nl_nodes(&nodes, &count))
		return EXIT_FAILURE;
	if (!ctl_json) {
		nodes_text(nodes, count, mount->number, "");
		return EXIT_SUCCESS;
	}
	out = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		if (nodes[i].mount == mount->number)
			json_object_array_add(out, node_json(&nodes[i]));
	json_print(out);
	return EXIT_SUCCESS;
}

static int add(const struct nl_mount *mount, const char *text)
{
	union ebpfs_sockaddr addr;
	char address[EBPFS_ADDR_TEXT];
	uint32_t node = 0;
	const char *wrong;

	wrong = ebpfs_addr_parse(text, EBPFS_PORT, &addr);
	if (wrong) {
		ctl_error("cannot use the address '%s': %s", text, wrong);
		return EXIT_FAILURE;
	}
	if (!nl_node_add(mount->number, &addr, &node))
		return EXIT_FAILURE;
	ebpfs_addr_format(&addr, true, address);
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_u64(out, "mount", mount->number);
		json_add_u64(out, "node", node);
		json_add_string(out, "address", address);
		json_print(out);
	} else {
		printf("node %u: %s\n", node, address);
	}
	return EXIT_SUCCESS;
}

/* Is @node at the address @wanted, whose port is 0 where the user gave none? */
static bool is_at(const union ebpfs_sockaddr *node, const union ebpfs_sockaddr *wanted)
{
	char a[EBPFS_ADDR_TEXT], b[EBPFS_ADDR_TEXT];
	bool port = wanted->sa.sa_family == AF_INET ? wanted->in.sin_port : wanted->in6.sin6_port;

	return !strcmp(ebpfs_addr_format(node, port, a), ebpfs_addr_format(wanted, port, b));
}

/* A node's number from what the user wrote: that, or an address as "add" takes it, also
 * without brackets; says what is wrong.
 */
static bool find_node(const struct nl_mount *mount, const char *text, uint32_t *number)
{
	union ebpfs_sockaddr wanted;
	unsigned int found = 0;
	struct nl_node *nodes;
	size_t count;

	if (!nl_nodes(&nodes, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		char address[EBPFS_ADDR_TEXT], id[16];

		if (nodes[i].mount != mount->number)
			continue;
		snprintf(id, sizeof(id), "%u", nodes[i].number);
		if (!strcmp(text, id) ||
		    !strcmp(text, ebpfs_addr_format(&nodes[i].addr, false, address))) {
			*number = nodes[i].number;
			return true;
		}
	}
	if (ebpfs_addr_parse(text, 0, &wanted))
		count = 0;
	for (size_t i = 0; i < count; i++) {
		if (nodes[i].mount == mount->number && is_at(&nodes[i].addr, &wanted)) {
			*number = nodes[i].number;
			found++;
		}
	}
	if (found == 1)
		return true;
	if (found) {
		ctl_error("mount %u has %u nodes at %s: say the port, too, or the number; see: "
			  "ebpfsctl node list %u", mount->number, found, text, mount->number);
		return false;
	}
	ctl_error("mount %u has no node %s; see: ebpfsctl node list %u", mount->number, text,
		  mount->number);
	return false;
}

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = { CTL_LONG };
	const char *verb, *what = NULL;
	struct nl_mount mount;
	int opt, status;
	uint32_t number;

	while ((opt = getopt_long(argc, argv, CTL_SHORT, options, NULL)) >= 0) {
		status = ctl_option(cmd, opt);
		if (status >= 0)
			return status;
	}
	argc -= optind;
	argv += optind;
	if (!argc)
		return ctl_usage(cmd, "expected list, add or remove");
	verb = argv[0];
	if (!strcmp(verb, "add"))
		what = "an address";
	else if (!strcmp(verb, "remove"))
		what = "a node";
	else if (strcmp(verb, "list"))
		return ctl_usage(cmd, "unknown command '%s': list, add or remove", verb);
	if (argc != (what ? 3 : 2))
		return ctl_usage(cmd, "node %s: expected a mount%s%s", verb, what ? " and " : "",
				 what ? what : "");
	if (!nl_open(true) || !mount_find(argv[1], &mount))
		return EXIT_FAILURE;
	if (!what)
		return list(&mount);
	if (*verb == 'a')
		return add(&mount, argv[2]);
	if (!find_node(&mount, argv[2], &number) || !nl_node_remove(mount.number, number))
		return EXIT_FAILURE;
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_u64(out, "mount", mount.number);
		json_add_u64(out, "removed", number);
		json_print(out);
	}
	return EXIT_SUCCESS;
}

const struct command cmd_node = {
	.name = "node",
	.summary = "list, add and remove the servers of a mount",
	.help = help,
	.run = run,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl status: what is attached and mounted, and how well it goes.
 *
 * Without the module there are no mounts to tell about, but perhaps pins of
 * programs, since those hold the module's functions, not its name.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/iface.h"
#include "ebpfsctl/mountref.h"
#include "ebpfsctl/pins.h"
#include "ebpfsctl/programs.h"
#include "ebpfsctl/show.h"

static const char help[] =
	"usage: ebpfsctl status [OPTION...]\n"
	"\n"
	"Shows the interfaces with programs of ebpfs, in all network namespaces, what\n"
	"the programs did with packets, and the mounts with their nodes.\n"
	"\n"
	"  -j, --json     print it as JSON\n"
	"  -v, --verbose  show all counters of the programs, and mount options\n"
	"  -h, --help     this text\n";

/**
 * struct where - an interface's name, if it can be found
 * @index: its number
 * @name: out, empty if it cannot
 */
struct where {
	uint32_t index;
	char name[IF_NAMESIZE];
};

static void find_name(void *data)
{
	struct where *where = data;

	if (!if_indextoname(where->index, where->name))
		where->name[0] = '\0';
}

static struct json_object *serve_json(const struct pin *pin)
{
	struct json_object *out = json_object_new_object(), *verdicts;
	struct ebpfs_serve_row sum;

	json_add_bool(out, "attached", pin->serve.ifindex);
	json_add_u64(out, "program", pin->serve.prog_id);
	if (!serve_sum(pin, &sum))
		return out;
	verdicts = json_object_new_object();
	for (int i = 0; i < EBPFS_SERVE_VERDICTS && serve_verdict_names[i]; i++)
		json_add_u64(verdicts, serve_verdict_names[i], sum.packets[i]);
	json_object_object_add(out, "verdicts", verdicts);
	json_add_u64(out, "calls", sum.calls);
	json_add_u64(out, "bytes", sum.bytes);
	json_add_u64(out, "errors", sum.errors);
	return out;
}

static void interface_json(struct json_object *list, const struct pin *pin,
			   const struct where *where, const char *netns, bool counted,
			   const struct ebpfs_steer_row *sum)
{
	struct json_object *out = json_object_new_object(), *verdicts;
	enum mode mode = pin_mode(pin);

	json_add_string(out, "interface", *where->name ? where->name : NULL);
	json_add_u64(out, "ifindex", pin->ifindex);
	json_add_u64(out, "netns", pin->netns);
	json_add_string(out, "netns_name", *netns ? netns : NULL);
	json_add_string(out, "mode", mode < MODES ? mode_names[mode] : NULL);
	json_add_bool(out, "attached", !pin_is_stale(pin));
	if (mode < MODES) {
		char name[PROGRAM_NAME];

		json_add_u64(out, "program", pin->links[mode].prog_id);
		json_add_string(out, "program_name",
				program_name(pin->links[mode].prog_id, name));
	}
	if (counted) {
		verdicts = json_object_new_object();
		for (int i = 0; i < EBPFS_STEER_VERDICTS; i++)
			json_add_u64(verdicts, verdict_names[i], sum->packets[i]);
		json_object_object_add(out, "verdicts", verdicts);
		json_add_u64(out, "bytes", sum->bytes);
		json_add_u64(out, "errors", sum->errors);
	}
	if (pin->serve.fd >= 0)
		json_object_object_add(out, "serve", serve_json(pin));
	json_object_array_add(list, out);
}

static bool serve_verdict_drops(int verdict)
{
	return verdict == EBPFS_SERVE_FORGED || verdict == EBPFS_SERVE_REPLAYED ||
	       verdict >= EBPFS_SERVE_DROP_FORM;
}

static void serve_text(const struct pin *pin)
{
	struct ebpfs_serve_row sum;
	char text[TEXT_SIZE];
	uint64_t passed = 0, dropped = 0;

	if (!pin->serve.ifindex)
		return;
	printf("    serving, program %u\n", pin->serve.prog_id);
	if (!serve_sum(pin, &sum))
		return;
	for (int i = 1; i < EBPFS_SERVE_VERDICTS; i++)
		*(serve_verdict_drops(i) ? &dropped : &passed) += sum.packets[i];
	printf("    answered %llu calls, %s; passed %" PRIu64 ", dropped %" PRIu64 "\n", sum.calls,
	       text_bytes(text, sum.bytes), passed, dropped);
	for (int i = 0; i < EBPFS_SERVE_VERDICTS && serve_verdict_names[i]; i++)
		if (ctl_verbose || (serve_verdict_drops(i) && sum.packets[i]))
			printf("    %-14s %llu\n", serve_verdict_names[i], sum.packets[i]);
	if (ctl_verbose || sum.errors)
		printf("    %-14s %llu\n", "errors", sum.errors);
}

static void interface_text(const struct pin *pin, const struct where *where, const char *netns,
			   bool counted, const struct ebpfs_steer_row *sum)
{
	enum mode mode = pin_mode(pin);
	char text[TEXT_SIZE];
	uint64_t passed = 0, dropped = 0;

	if (*where->name)
		printf("interface %s", where->name);
	else
		printf("interface number %u", pin->ifindex);
	if (*netns)
		printf(" in %s", netns);
	else if (pin->netns != netns_current())
		printf(" in network namespace %" PRIu64, pin->netns);
	if (mode == MODES && pin->serve.fd >= 0 && pin->serve.ifindex)
		printf(": not steering\n");
	else if (mode == MODES && pin->serve.fd < 0)
		printf(": no program (an interrupted attach; run: ebpfsctl detach --gone)\n");
	else if (mode == MODES || !pin->links[mode].ifindex)
		printf(": deleted (clear away with: ebpfsctl detach --gone)\n");
	else
		printf(": steering in mode %s, program %u\n", mode_names[mode],
		       pin->links[mode].prog_id);
	if (pin->serve.fd >= 0)
		serve_text(pin);
	if (!counted)
		return;
	for (int i = VERDICTS_TAKEN; i < EBPFS_STEER_VERDICTS; i++)
		*(i >= EBPFS_STEER_DROP_FORM ? &dropped : &passed) += sum->packets[i];
	printf("    steered %llu packets, %s; passed %" PRIu64 ", dropped %" PRIu64 "\n",
	       sum->packets[EBPFS_STEER_FILLED], text_bytes(text, sum->bytes), passed, dropped);
	for (int i = 0; i < EBPFS_STEER_VERDICTS; i++)
		if (ctl_verbose || (sum->packets[i] && i != EBPFS_STEER_FILLED &&
				    i != EBPFS_STEER_PASS_OTHER))
			printf("    %-14s %llu\n", verdict_names[i], sum->packets[i]);
	if (ctl_verbose || sum->errors)
		printf("    %-14s %llu\n", "errors", sum->errors);
}

static bool show_interfaces(struct json_object *list)
{
	struct pin *pins;
	size_t count;
	bool good = pins_list(&pins, &count);

	for (size_t i = 0; i < count; i++) {
		struct where where = { .index = pins[i].ifindex };
		struct ebpfs_steer_row sum = {};
		struct counters counters;
		char netns[256] = "";
		bool counted;

		if (!pin_is_stale(&pins[i]))
			netns_visit(pins[i].netns, netns, sizeof(netns), find_name, &where);
		counted = counters_map(&pins[i], &counters);
		if (counted)
			counters_sum(&counters, &sum);
		if (list)
			interface_json(list, &pins[i], &where, netns, counted, &sum);
		else
			interface_text(&pins[i], &where, netns, counted, &sum);
	}
	if (good && !count && !list)
		printf("no interface has a program (attach one with: ebpfsctl attach IFACE)\n");
	return good;
}

struct json_object *node_json(const struct nl_node *node)
{
	struct json_object *out = json_object_new_object();
	char text[EBPFS_ADDR_TEXT];
	double share = nl_steered_share(&node->stats);

	json_add_u64(out, "node", node->number);
	json_add_string(out, "address", ebpfs_addr_format(&node->addr, true, text));
	json_add_string(out, "state", nl_state_name(node->state));
	snprintf(text, sizeof(text), "%016" PRIx64, node->session);
	json_add_string(out, "session", node->session ? text : NULL);
	json_add_u64(out, "slots", node->slots);
	json_add_u64(out, "in_flight", node->in_flight);
	json_add_u64(out, "window", node->window);
	json_add_u64(out, "srtt_ns", node->srtt_ns);
	json_add_u64(out, "rto_ns", node->rto_ns);
	json_add_u64(out, "cell", node->cell);
	json_add_u64(out, "pmtu", node->pmtu);
	json_add_u64(out, "retransmits", node->retransmits);
	if (share >= 0)
		json_add_double(out, "steered_share", share);
	else
		json_object_object_add(out, "steered_share", NULL);
	json_object_object_add(out, "stats", nl_stats_json(&node->stats));
	return out;
}

void nodes_text(const struct nl_node *nodes, size_t count, uint32_t mount, const char *indent)
{
	bool first = true;

	for (size_t i = 0; i < count; i++) {
		const struct nl_node *n = &nodes[i];
		char address[EBPFS_ADDR_TEXT], srtt[TEXT_SIZE], window[TEXT_SIZE];
		char flight[TEXT_SIZE], share[TEXT_SIZE];

		if (n->mount != mount)
			continue;
		if (first)
			printf("%s%4s  %-24s %-5s %10s %10s %10s %6s %7s %9s\n", indent, "NODE",
			       "ADDRESS", "STATE", "SRTT", "WINDOW", "IN FLIGHT", "PMTU", "RESENT",
			       "STEERED");
		first = false;
		printf("%s%4u  %-24s %-5s %10s %10s %10s %6u %7" PRIu64 " %9s\n", indent, n->number,
		       ebpfs_addr_format(&n->addr, true, address), nl_state_name(n->state),
		       text_time(srtt, n->srtt_ns), text_bytes(window, n->window),
		       text_bytes(flight, n->in_flight), n->pmtu, n->retransmits,
		       text_share(share, nl_steered_share(&n->stats)));
	}
}

struct json_object *mount_json(const struct nl_mount *mount)
{
	struct json_object *out = json_object_new_object();
	char *point = mount_point(mount->major, mount->minor), device[32];
	double share = nl_steered_share(&mount->stats);

	snprintf(device, sizeof(device), "%u:%u", mount->major, mount->minor);
	json_add_u64(out, "mount", mount->number);
	json_add_string(out, "mount_point", point);
	json_add_string(out, "device", device);
	json_add_string(out, "source", mount->source);
	json_add_string(out, "options", mount->options);
	json_add_bool(out, "aborted", mount->aborted);
	json_add_u64(out, "requests", mount->requests);
	json_add_u64(out, "waiting", mount->waiting);
	json_add_u64(out, "node_count", mount->nodes);
	if (share >= 0)
		json_add_double(out, "steered_share", share);
	else
		json_object_object_add(out, "steered_share", NULL);
	json_object_object_add(out, "stats", nl_stats_json(&mount->stats));
	return out;
}

void mount_text(const struct nl_mount *mount)
{
	char *point = mount_point(mount->major, mount->minor), share[TEXT_SIZE];

	printf("mount %u: %s at %s%s\n", mount->number, mount->source,
	       point ? point : "(not visible here)", mount->aborted ? ", aborted" : "");
	if (ctl_verbose)
		printf("    device %u:%u, options %s\n", mount->major, mount->minor,
		       mount->options);
	printf("    %u nodes, %u requests (%u waiting), steered %s\n", mount->nodes,
	       mount->requests, mount->waiting,
	       text_share(share, nl_steered_share(&mount->stats)));
}

static bool show_mounts(struct json_object *list)
{
	size_t mount_count, node_count;
	struct nl_mount *mounts;
	struct nl_node *nodes;

	if (!nl_mounts(&mounts, &mount_count) || !nl_nodes(&nodes, &node_count))
		return false;
	for (size_t i = 0; i < mount_count; i++) {
		struct json_object *out, *array;

		if (!list) {
			mount_text(&mounts[i]);
			nodes_text(nodes, node_count, mounts[i].number, "    ");
			continue;
		}
		out = mount_json(&mounts[i]);
		array = json_object_new_array();
		for (size_t j = 0; j < node_count; j++)
			if (nodes[j].mount == mounts[i].number)
				json_object_array_add(array, node_json(&nodes[j]));
		json_object_object_add(out, "nodes", array);
		json_object_array_add(list, out);
	}
	if (!mount_count && !list)
		printf("no ebpfs is mounted\n");
	return true;
}

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = { CTL_LONG };
	struct json_object *out = NULL, *interfaces = NULL, *mounts = NULL;
	bool loaded, good;
	int opt, status;

	while ((opt = getopt_long(argc, argv, CTL_SHORT, options, NULL)) >= 0) {
		status = ctl_option(cmd, opt);
		if (status >= 0)
			return status;
	}
	if (optind != argc)
		return ctl_usage(cmd, "unexpected argument '%s'", argv[optind]);
	loaded = nl_open(false);
	if (ctl_json) {
		out = json_object_new_object();
		interfaces = json_object_new_array();
		mounts = json_object_new_array();
		json_add_bool(out, "module", loaded);
		json_object_object_add(out, "interfaces", interfaces);
		json_object_object_add(out, "mounts", mounts);
	} else if (!loaded) {
		printf("the module ebpfs is not loaded\n");
	}
	good = show_interfaces(interfaces);
	if (loaded)
		good &= show_mounts(mounts);
	if (out)
		json_print(out);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command cmd_status = {
	.name = "status",
	.summary = "interfaces, mounts and nodes",
	.help = help,
	.run = run,
};

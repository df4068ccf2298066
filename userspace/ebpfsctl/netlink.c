// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink with the module, over libmnl; see netlink.h. Attributes that
 * are not known, of a newer module, are skipped; such that are missing, of an
 * older one, stay 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <json-c/json.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/netlink.h"

#define MAX_ERRNO	4095	/* the kernel's, <linux/err.h> */

static struct mnl_socket *sock;
static uint16_t family;
/* What the kernel said in words about the last error. */
static char said[256];

/* Attributes of one level, by type; the highest that anybody may send is higher. */
struct attrs {
	const struct nlattr *at[EBPFS_A_MAX + 1];
};

static int collect(const struct nlattr *attr, void *data)
{
	struct attrs *attrs = data;

	if (mnl_attr_get_type(attr) <= EBPFS_A_MAX)
		attrs->at[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static uint8_t get_u8(const struct attrs *attrs, int type)
{
	const struct nlattr *attr = attrs->at[type];

	return attr && mnl_attr_get_payload_len(attr) ? mnl_attr_get_u8(attr) : 0;
}

static uint32_t get_u32(const struct attrs *attrs, int type)
{
	const struct nlattr *attr = attrs->at[type];

	return attr && mnl_attr_get_payload_len(attr) >= sizeof(uint32_t) ?
	       mnl_attr_get_u32(attr) : 0;
}

static uint64_t get_u64(const struct attrs *attrs, int type)
{
	const struct nlattr *attr = attrs->at[type];

	return attr && mnl_attr_get_payload_len(attr) >= sizeof(uint64_t) ?
	       mnl_attr_get_u64(attr) : 0;
}

static char *get_string(const struct attrs *attrs, int type)
{
	const struct nlattr *attr = attrs->at[type];

	if (!attr)
		return ctl_strdup("");
	return ctl_format("%.*s", (int)mnl_attr_get_payload_len(attr),
			  (const char *)mnl_attr_get_payload(attr));
}

static void get_stats(const struct attrs *attrs, struct nl_stats *stats)
{
	const struct nlattr *nest = attrs->at[EBPFS_A_STATS], *attr;

	if (!nest)
		return;
	mnl_attr_for_each_nested(attr, nest) {
		struct attrs stat = {};

		if (mnl_attr_get_type(attr) != EBPFS_A_STAT)
			continue;
		mnl_attr_parse_nested(attr, collect, &stat);
		stats->at = ctl_grow(stats->at, stats->count, sizeof(*stats->at));
		stats->at[stats->count].name = get_string(&stat, EBPFS_A_STAT_NAME);
		stats->at[stats->count++].value = get_u64(&stat, EBPFS_A_STAT_VALUE);
	}
}

/* Text of the extended acknowledgement that follows an error, if there is one. */
static void keep_said(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*err);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) {
		if (err->msg.nlmsg_len < sizeof(err->msg) ||
		    err->msg.nlmsg_len > mnl_nlmsg_get_payload_len(nlh))
			return;
		offset += err->msg.nlmsg_len - sizeof(err->msg);
	}
	mnl_attr_for_each(attr, nlh, offset)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			snprintf(said, sizeof(said), "%.*s", (int)mnl_attr_get_payload_len(attr),
				 (const char *)mnl_attr_get_payload(attr));
}

/* The kernel's are negative, and small. */
static int error_of(int number)
{
	return number < 0 && number >= -MAX_ERRNO ? -number : EBADMSG;
}

static int got_error(const struct nlmsghdr *nlh, void *data)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	(void)data;
	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*err))) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (!err->error)
		return MNL_CB_STOP;
	keep_said(nlh);
	errno = error_of(err->error);
	return MNL_CB_ERROR;
}

static int got_done(const struct nlmsghdr *nlh, void *data)
{
	const int *error = mnl_nlmsg_get_payload(nlh);

	(void)data;
	if (nlh->nlmsg_len >= mnl_nlmsg_size(sizeof(*error)) && *error < 0) {
		errno = error_of(*error);
		return MNL_CB_ERROR;
	}
	return MNL_CB_STOP;
}

/*
 * Sends a request and hands each answer to @got. Returns 0, or an errno with
 * the kernel's words, if any, in said[].
 */
static int talk(struct nlmsghdr *nlh, mnl_cb_t got, void *data)
{
	static const mnl_cb_t control[NLMSG_MIN_TYPE] = {
		[NLMSG_ERROR] = got_error,
		[NLMSG_DONE] = got_done,
	};
	static unsigned int seq;
	/* A dump's messages are as large as the receive buffer allows. */
	static char buf[64 << 10] __attribute__((aligned(8)));
	unsigned int port = mnl_socket_get_portid(sock);
	ssize_t len;
	int ret;

	said[0] = '\0';
	nlh->nlmsg_seq = ++seq;
	if (!(nlh->nlmsg_flags & NLM_F_DUMP))
		nlh->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		return errno;
	do {
		len = mnl_socket_recvfrom(sock, buf, sizeof(buf));
		if (len < 0)
			return errno;
		ret = mnl_cb_run2(buf, len, nlh->nlmsg_seq, port, got, data, control,
				  NLMSG_MIN_TYPE);
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? errno : 0;
}

static struct nlmsghdr *begin(void *buf, uint16_t type, uint8_t cmd, uint8_t version, bool dump)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0);
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

#define REQUEST_SIZE 512

static struct nlmsghdr *request(void *buf, uint8_t cmd, bool dump)
{
	return begin(buf, family, cmd, EBPFS_GENL_VERSION, dump);
}

static bool complain(int err, const char *what)
{
	const char *hint = "";

	if (!err)
		return true;
	if (err == EPERM)
		hint = "; this needs root, or CAP_NET_ADMIN";
	if (*said)
		ctl_error("cannot %s: %s (%s)%s", what, said, strerror(err), hint);
	else
		ctl_error("cannot %s: %s%s", what, strerror(err), hint);
	return false;
}

static int got_family(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	(void)data;
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
		    mnl_attr_get_payload_len(attr) >= sizeof(family))
			family = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

bool nl_open(bool want)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh;
	int on = 1, err;

	sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!sock || mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		if (want)
			ctl_error("cannot open a netlink socket: %s", strerror(errno));
		return false;
	}
	/* Older kernels give no words; errors have none then. */
	mnl_socket_setsockopt(sock, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(sock, NETLINK_CAP_ACK, &on, sizeof(on));
	nlh = begin(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, false);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, EBPFS_GENL_NAME);
	err = talk(nlh, got_family, NULL);
	if (!err)
		return true;
	mnl_socket_close(sock);
	sock = NULL;
	if (want && err == ENOENT)
		ctl_error("the module ebpfs is not loaded; run: modprobe ebpfs, or insmod ebpfs.ko");
	else if (want)
		complain(err, "find the module ebpfs");
	return false;
}

struct list {
	void *at;
	size_t count;
};

static int got_mount(const struct nlmsghdr *nlh, void *data)
{
	struct attrs attrs = {};
	struct list *list = data;
	struct nl_mount *m;

	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), collect, &attrs);
	list->at = ctl_grow(list->at, list->count, sizeof(*m));
	m = (struct nl_mount *)list->at + list->count++;
	m->number = get_u32(&attrs, EBPFS_A_MOUNT);
	m->major = get_u32(&attrs, EBPFS_A_DEV_MAJOR);
	m->minor = get_u32(&attrs, EBPFS_A_DEV_MINOR);
	m->nodes = get_u32(&attrs, EBPFS_A_NODES);
	m->requests = get_u32(&attrs, EBPFS_A_REQUESTS);
	m->waiting = get_u32(&attrs, EBPFS_A_REQUESTS_WAITING);
	m->aborted = attrs.at[EBPFS_A_ABORTED];
	m->source = get_string(&attrs, EBPFS_A_SOURCE);
	m->options = get_string(&attrs, EBPFS_A_OPTIONS);
	get_stats(&attrs, &m->stats);
	return MNL_CB_OK;
}

/* A dump; begun anew if the kernel says that the list changed meanwhile. */
static int dump(uint8_t cmd, mnl_cb_t got, struct list *list)
{
	char buf[REQUEST_SIZE];
	int err;

	for (int tries = 0; tries < 10; tries++) {
		memset(list, 0, sizeof(*list));
		err = talk(request(buf, cmd, true), got, list);
		if (err != EINTR)
			break;
	}
	return err;
}

bool nl_mounts(struct nl_mount **mounts, size_t *count)
{
	struct list list;
	bool good = complain(dump(EBPFS_CMD_MOUNT_GET, got_mount, &list), "list the mounts");

	*mounts = list.at;
	*count = list.count;
	return good;
}

static int got_node(const struct nlmsghdr *nlh, void *data)
{
	struct attrs attrs = {};
	struct list *list = data;
	const struct nlattr *addr;
	struct nl_node *n;

	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), collect, &attrs);
	list->at = ctl_grow(list->at, list->count, sizeof(*n));
	n = (struct nl_node *)list->at + list->count++;
	n->mount = get_u32(&attrs, EBPFS_A_MOUNT);
	n->number = get_u32(&attrs, EBPFS_A_NODE);
	addr = attrs.at[EBPFS_A_ADDRESS];
	if (addr && mnl_attr_get_payload_len(addr) <= sizeof(n->addr))
		memcpy(&n->addr, mnl_attr_get_payload(addr), mnl_attr_get_payload_len(addr));
	n->state = get_u8(&attrs, EBPFS_A_STATE);
	n->session = get_u64(&attrs, EBPFS_A_SESSION);
	n->slots = get_u32(&attrs, EBPFS_A_SLOTS);
	n->in_flight = get_u32(&attrs, EBPFS_A_IN_FLIGHT);
	n->window = get_u32(&attrs, EBPFS_A_WINDOW);
	n->srtt_ns = get_u64(&attrs, EBPFS_A_SRTT_NS);
	n->rto_ns = get_u64(&attrs, EBPFS_A_RTO_NS);
	n->cell = get_u32(&attrs, EBPFS_A_CELL);
	n->pmtu = get_u32(&attrs, EBPFS_A_PMTU);
	n->retransmits = get_u64(&attrs, EBPFS_A_RETRANSMITS);
	get_stats(&attrs, &n->stats);
	return MNL_CB_OK;
}

bool nl_nodes(struct nl_node **nodes, size_t *count)
{
	struct list list;
	bool good = complain(dump(EBPFS_CMD_NODE_GET, got_node, &list), "list the nodes");

	*nodes = list.at;
	*count = list.count;
	return good;
}

static int got_stats(const struct nlmsghdr *nlh, void *data)
{
	struct attrs attrs = {};

	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), collect, &attrs);
	get_stats(&attrs, data);
	return MNL_CB_OK;
}

bool nl_module_stats(struct nl_stats *stats)
{
	char buf[REQUEST_SIZE];

	for (size_t i = 0; i < stats->count; i++)
		free(stats->at[i].name);
	free(stats->at);
	memset(stats, 0, sizeof(*stats));
	return complain(talk(request(buf, EBPFS_CMD_STATS_GET, false), got_stats, stats),
			"read the counters");
}

static int got_number(const struct nlmsghdr *nlh, void *data)
{
	struct attrs attrs = {};

	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), collect, &attrs);
	*(uint32_t *)data = get_u32(&attrs, EBPFS_A_NODE);
	return MNL_CB_OK;
}

bool nl_node_add(uint32_t mount, const union ebpfs_sockaddr *addr, uint32_t *node)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh = request(buf, EBPFS_CMD_NODE_ADD, false);

	mnl_attr_put_u32(nlh, EBPFS_A_MOUNT, mount);
	mnl_attr_put(nlh, EBPFS_A_ADDRESS, ebpfs_addr_len(addr), addr);
	return complain(talk(nlh, got_number, node), "add the node");
}

bool nl_node_remove(uint32_t mount, uint32_t node)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh = request(buf, EBPFS_CMD_NODE_REMOVE, false);

	mnl_attr_put_u32(nlh, EBPFS_A_MOUNT, mount);
	mnl_attr_put_u32(nlh, EBPFS_A_NODE, node);
	return complain(talk(nlh, NULL, NULL), "remove the node");
}

bool nl_abort(uint32_t mount)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh = request(buf, EBPFS_CMD_ABORT, false);

	mnl_attr_put_u32(nlh, EBPFS_A_MOUNT, mount);
	return complain(talk(nlh, NULL, NULL), "abort the mount");
}

uint64_t nl_stat(const struct nl_stats *stats, const char *name)
{
	for (size_t i = 0; i < stats->count; i++)
		if (!strcmp(stats->at[i].name, name))
			return stats->at[i].value;
	return 0;
}

double nl_steered_share(const struct nl_stats *stats)
{
	double steered = nl_stat(stats, "fill_bytes_xdp") + nl_stat(stats, "fill_bytes_tc");
	double all = steered + nl_stat(stats, "fill_bytes_plain");

	return all > 0 ? steered / all : -1;
}

struct json_object *nl_stats_json(const struct nl_stats *stats)
{
	struct json_object *out = json_object_new_object();

	for (size_t i = 0; i < stats->count; i++)
		json_add_u64(out, stats->at[i].name, stats->at[i].value);
	return out;
}

const char *nl_state_name(uint8_t state)
{
	static const char *const names[] = { "down", "up", "lost" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

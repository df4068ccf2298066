// SPDX-License-Identifier: GPL-2.0
/*
 * door: what the filter drops, by its reason, and for each the opposite, which it lets pass
 *
 * Frames go through the XDP program by BPF_PROG_TEST_RUN. Two ports are ours: that of a
 * server, which this test is, by /dev/ebpfs-serve; and that of a mount, whose server this
 * test is, too: it never answers, so that the mount's handshake goes on. What becomes of
 * real packets at both hooks is for net/flood and net/forge.
 *
 * timeout: 180
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <ebpfs/serve.h>

#include "ebpfs_steer.skel.h"
#include "ktap.h"
#include "packets.h"

#define ADDR(d)		(0x7f000000u | (d))	/* 127.0.0.d */
#define CLIENT		ADDR(5)
#define CLIENT_PORT	4000
#define SESSION		0x5e55105e55100001ull

static struct ebpfs_steer *filter, *nat, *generic, *off, *slow, *slow_all;
static char mounter[4096];
static int device = -1, server;
static uint16_t server_port;
static int cpus;

/**
 * struct frame - recipe of one
 * @from: IPv4 address, host order
 * @to: likewise, 0: 127.0.0.1
 * @from_port: host order
 * @to_port: host order, 0: the server's
 * @session: of its head
 * @magic: added to the right one
 * @version: 0: the right one
 * @type: of the datagram
 * @len: bytes of the datagram
 * @tag: a VLAN's
 * @number: of its guard
 */
struct frame {
	uint32_t from;
	uint32_t to;
	uint16_t from_port;
	uint16_t to_port;
	uint64_t session;
	uint16_t magic;
	uint8_t version;
	uint8_t type;
	uint32_t len;
	bool tag;
	uint64_t number;
};

static size_t build(const struct frame *f, uint8_t *at)
{
	struct ebpfs_hdr head = {
		.magic = EBPFS_MAGIC + f->magic,
		.version = f->version ? f->version : EBPFS_VERSION,
		.type = f->type,
		.session = f->session,
	};
	struct ebpfs_guard guard = { .number = f->number };
	uint32_t size = f->len, addr;
	uint8_t *begin = at, *ip;

	memset(at, 0, 2048);
	at += 2 * ETH_ALEN;
	if (f->tag) {
		packet_put16(at, ETH_P_8021Q);
		at += 4;
	}
	packet_put16(at, ETH_P_IP);
	ip = at + 2;
	ip[0] = 0x45;
	packet_put16(ip + 2, sizeof(struct iphdr) + sizeof(struct udphdr) + f->len);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	addr = htonl(f->from ? f->from : CLIENT);
	memcpy(ip + 12, &addr, 4);
	addr = htonl(f->to ? f->to : ADDR(1));
	memcpy(ip + 16, &addr, 4);
	packet_put16(ip + 10, packet_sum(ip, sizeof(struct iphdr)));
	at = ip + sizeof(struct iphdr);
	packet_put16(at, f->from_port ? f->from_port : CLIENT_PORT);
	packet_put16(at + 2, f->to_port ? f->to_port : server_port);
	packet_put16(at + 4, sizeof(struct udphdr) + f->len);
	at += sizeof(struct udphdr);
	memcpy(at, &head, sizeof(head));
	if (f->type & EBPFS_GUARDED)
		memcpy(at + sizeof(head), &guard, sizeof(guard));
	else if (f->type == EBPFS_PROBE)
		memcpy(at + offsetof(struct ebpfs_probe, size), &size, sizeof(size));
	return at + f->len - begin;
}

static struct ebpfs_steer_row sum(struct ebpfs_steer *skel)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = (cpus * sizeof(struct ebpfs_steer_row) + page - 1) / page * page;
	const struct ebpfs_steer_row *rows;
	struct ebpfs_steer_row sum = {};

	rows = mmap(NULL, size, PROT_READ, MAP_SHARED, bpf_map__fd(skel->maps.ebpfs_stats), 0);
	if (rows == MAP_FAILED)
		return sum;
	for (int cpu = 0; cpu < cpus; cpu++) {
		for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
			sum.packets[v] += rows[cpu].packets[v];
		sum.errors += rows[cpu].errors;
	}
	munmap((void *)rows, size);
	return sum;
}

/* The program says @want of the frame, counts it so, and drops or passes it accordingly. */
static void expect(struct ebpfs_steer *skel, struct frame f, int want, const char *what)
{
	uint8_t frame[2048], back[2048];
	struct ebpfs_steer_row before = sum(skel), after;
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .data_in = frame, .data_size_in = build(&f, frame),
		    .data_out = back, .data_size_out = sizeof(back), .repeat = 1);

	if (!EXPECT(!bpf_prog_test_run_opts(bpf_program__fd(skel->progs.ebpfs_steer_xdp), &opts)))
		return;
	after = sum(skel);
	for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
		if (after.packets[v] - before.packets[v] != (v == want) && ktap_fail())
			printf("# %s: verdict %d counted %llu times, wanted %d\n", what, v,
			       (unsigned long long)(after.packets[v] - before.packets[v]), want);
	EXPECT_EQ(after.errors, before.errors);
	if (opts.retval != (want >= EBPFS_STEER_DROP_FORM ? XDP_DROP : XDP_PASS) && ktap_fail())
		printf("# %s: the program returned %u\n", what, opts.retval);
}

#define DROP(reason, what, ...)		\
	expect(filter, (struct frame){ __VA_ARGS__ }, EBPFS_STEER_DROP_##reason, what)
#define PASS(verdict, what, ...)	\
	expect(filter, (struct frame){ __VA_ARGS__ }, EBPFS_STEER_PASS_##verdict, what)
#define HELLO		.type = EBPFS_HELLO, .len = sizeof(struct ebpfs_hello)
#define CALL		.type = EBPFS_CALL, .len = 120
#define PEERS_CALL	CALL, .session = SESSION

static int tell(unsigned long what, const void *arg)
{
	return ioctl(device, what, arg) ? errno : 0;
}

static int tell_peer(uint64_t id)
{
	const struct ebpfs_serve_peer peer = {
		.server_id = id,
		.peer = { [10] = 0xff, 0xff, 127, 0, 0, 5 },
		.peer_port = htons(CLIENT_PORT),
	};

	return tell(EBPFS_SERVE_PEER, &peer);
}

static void open_door(void)
{
	device = open("/dev/" EBPFS_SERVE_DEVICE, O_RDWR | O_CLOEXEC);
	EXPECT(device >= 0);
	EXPECT_EQ(tell_peer(SESSION), 0);
	EXPECT_EQ(tell(EBPFS_SERVE_DOOR, &server), 0);
}

static void close_door(void)
{
	close(device);
	device = -1;
	usleep(100000);	/* a grace period is not waited for */
}

static void only_a_daemons_port_is_judged(void)
{
	PASS(OTHER, "nobody's port", .len = 40, .magic = 1);
	open_door();
	DROP(VERSION, "a daemon's port", .len = 40, .magic = 1);
	PASS(OTHER, "another port", .len = 40, .magic = 1, .to_port = server_port ^ 1);
	close_door();
	PASS(OTHER, "the daemon is gone", .len = 40, .magic = 1);
	PASS(TYPE, "and so are its peers", PEERS_CALL, .from = ADDR(6));
}

static void forms(void)
{
	open_door();
	PASS(STRANGER, "HELLO", HELLO);
	PASS(MALFORMED, "nothing", .len = 0);
	DROP(FORM, "one byte", .len = 1);
	DROP(FORM, "half a head", .type = EBPFS_HELLO, .len = 15);
	DROP(FORM, "a short HELLO", .type = EBPFS_HELLO, .len = sizeof(struct ebpfs_hello) - 1);
	DROP(FORM, "a long HELLO", .type = EBPFS_HELLO, .len = sizeof(struct ebpfs_hello) + 1);
	PASS(STRANGER, "AUTH", .type = EBPFS_AUTH, .len = sizeof(struct ebpfs_auth));
	DROP(FORM, "a short AUTH", .type = EBPFS_AUTH, .len = sizeof(struct ebpfs_auth) - 8);
	PASS(TYPE, "the shortest CALL", .type = EBPFS_CALL, .session = SESSION, .len = 56);
	DROP(FORM, "a short CALL", .type = EBPFS_CALL, .session = SESSION, .len = 55);
	PASS(TYPE, "a PROBE", .type = EBPFS_PROBE, .session = SESSION, .len = 1000);
	DROP(FORM, "a short PROBE", .type = EBPFS_PROBE, .session = SESSION, .len = 20);
	PASS(TYPE, "a CALL with a guard", .type = EBPFS_CALL | EBPFS_GUARDED, .session = SESSION,
	     .len = 80);
	DROP(FORM, "a short one", .type = EBPFS_CALL | EBPFS_GUARDED, .session = SESSION,
	     .len = 79);
	close_door();
}

static void versions(void)
{
	open_door();
	DROP(VERSION, "another magic", PEERS_CALL, .magic = 1);
	DROP(VERSION, "another version", PEERS_CALL, .version = EBPFS_VERSION + 1);
	PASS(STRANGER, "a HELLO may have any", HELLO, .version = EBPFS_VERSION + 1);
	close_door();
}

static void types(void)
{
	open_door();
	DROP(TYPE, "what clients are sent", .type = EBPFS_CHALLENGE, .session = SESSION,
	     .len = sizeof(struct ebpfs_challenge));
	DROP(TYPE, "REPLY", .type = EBPFS_REPLY, .session = SESSION, .len = 100);
	DROP(TYPE, "none", .type = 99, .session = SESSION, .len = 100);
	PASS(TYPE, "DATA", .type = EBPFS_DATA, .session = SESSION, .len = 100);
	PASS(TYPE, "RECALLED", .type = EBPFS_RECALLED, .session = SESSION,
	     .len = sizeof(struct ebpfs_recalled));
	PASS(TYPE, "BYE", .type = EBPFS_BYE, .session = SESSION, .len = sizeof(struct ebpfs_bye));
	close_door();
}

static void peers(void)
{
	uint64_t id = SESSION;

	open_door();
	PASS(TYPE, "from the peer", PEERS_CALL);
	DROP(PEER, "from another address", PEERS_CALL, .from = ADDR(6));
	DROP(PEER, "from another port", PEERS_CALL, .from_port = CLIENT_PORT + 1);
	PASS(STRANGER, "of no session", CALL, .session = SESSION + 1);
	/* A client whose address has changed comes with a handshake. */
	PASS(STRANGER, "AUTH from another address", .type = EBPFS_AUTH,
	     .len = sizeof(struct ebpfs_auth), .from = ADDR(6));
	EXPECT_EQ(tell_peer(SESSION), 0);
	EXPECT_EQ(tell(EBPFS_SERVE_LEFT, &id), 0);
	EXPECT_EQ(tell(EBPFS_SERVE_LEFT, &id), ENOENT);
	PASS(STRANGER, "a session that has ended", PEERS_CALL);
	PASS(STRANGER, "and from elsewhere", PEERS_CALL, .from = ADDR(6));
	close_door();
}

static void replays(void)
{
	struct ebpfs_serve_session s = {
		.server_id = SESSION, .client_id = 1,
		.peer = { [10] = 0xff, 0xff, 127, 0, 0, 5 },
		.local = { [10] = 0xff, 0xff, 127, 0, 0, 1 },
		.peer_port = htons(CLIENT_PORT),
		.slots = 8, .socket = server, .instance = 1, .sec = EBPFS_SEC_PRIVACY,
	};
	struct ebpfs_serve_keys k = { .server_id = SESSION };

	open_door();
	EXPECT_EQ(tell(EBPFS_SERVE_SESSION, &s), 0);
	PASS(TYPE, "no keys are known", .type = EBPFS_DATA | EBPFS_GUARDED, .session = SESSION,
	     .len = 100, .number = 1ull << 62);
	EXPECT_EQ(tell(EBPFS_SERVE_KEYS, &k), 0);
	PASS(TYPE, "a number to come", .type = EBPFS_DATA | EBPFS_GUARDED, .session = SESSION,
	     .len = 100, .number = 17);
	DROP(REPLAY, "one that never comes", .type = EBPFS_DATA | EBPFS_GUARDED,
	     .session = SESSION, .len = 100, .number = 1ull << 62);
	close_door();
}

static void rates(void)
{
	const struct frame hello = { HELLO }, call = { CALL, .session = SESSION + 1 };
	struct frame f = hello;

	open_door();
	/* Slow enough that none comes back meanwhile: 4 in a second are 4. */
	for (int i = 0; i < 4; i++)
		expect(slow, i % 2 ? hello : call, EBPFS_STEER_PASS_STRANGER, "the first");
	expect(slow, hello, EBPFS_STEER_DROP_RATE, "too many");
	expect(slow, call, EBPFS_STEER_DROP_RATE, "of whatever kind");
	expect(slow, (struct frame){ PEERS_CALL }, EBPFS_STEER_PASS_TYPE, "who has a session");
	f.from = ADDR(7);
	expect(slow, f, EBPFS_STEER_PASS_STRANGER, "another source");
	usleep(1300000);
	expect(slow, hello, EBPFS_STEER_PASS_STRANGER, "a second later");
	for (int i = 0; i < 4; i++) {
		f.from = ADDR(10 + i);
		expect(slow_all, f, EBPFS_STEER_PASS_STRANGER, "the first of all");
	}
	f.from = ADDR(20);
	expect(slow_all, f, EBPFS_STEER_DROP_RATE, "too many of all");
	close_door();
}

static void whose_it_is_not(void)
{
	open_door();
	DROP(VERSION, "for this machine", .len = 40, .magic = 1);
	PASS(OTHER, "for another one", .len = 40, .magic = 1, .to = 0x0a630002);
	PASS(OTHER, "of a VLAN", .len = 40, .magic = 1, .tag = true);
	expect(off, (struct frame){ .len = 40, .magic = 1 }, EBPFS_STEER_PASS_OTHER, "no filter");
	expect(off, (struct frame){ PEERS_CALL, .from = ADDR(6) }, EBPFS_STEER_PASS_TYPE,
	       "no filter");
	close_door();
}

/* Several datagrams that generic XDP is shown as one. */
static void super_packets(void)
{
	struct frame f = { .type = EBPFS_HELLO, .len = 2 * sizeof(struct ebpfs_hello) };

	open_door();
	expect(filter, f, EBPFS_STEER_DROP_FORM, "two HELLOs");
	expect(generic, f, EBPFS_STEER_PASS_STRANGER, "where they may be two");
	f = (struct frame){ PEERS_CALL, .from = ADDR(6) };
	expect(generic, f, EBPFS_STEER_PASS_STRANGER, "the second may be its own");
	f = (struct frame){ PEERS_CALL };
	expect(generic, f, EBPFS_STEER_PASS_TYPE, "from the peer");
	close_door();
}

static void put_nft(struct mnl_nlmsg_batch *b, uint16_t type, uint16_t flags, uint8_t family,
		    uint32_t seq, struct nlmsghdr **h)
{
	struct nfgenmsg *nfg;

	*h = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(b));
	(*h)->nlmsg_type = type;
	(*h)->nlmsg_flags = NLM_F_REQUEST | flags;
	(*h)->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(*h, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
}

/* A table with a chain of a type at the input's hook, as "nft" makes it; 0 or the error. */
static int add_chain(const char *table, const char *type)
{
	char buf[MNL_SOCKET_BUFFER_SIZE], in[MNL_SOCKET_BUFFER_SIZE];
	struct mnl_nlmsg_batch *b = mnl_nlmsg_batch_start(buf, sizeof(buf));
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	const uint16_t subsys = NFNL_SUBSYS_NFTABLES << 8;
	struct nlmsghdr *h;
	struct nlattr *nest;
	int err = EIO, n;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return errno;
	put_nft(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, 1, &h);
	mnl_nlmsg_batch_next(b);
	put_nft(b, subsys | NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_IPV4, 2, &h);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	mnl_nlmsg_batch_next(b);
	put_nft(b, subsys | NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK, NFPROTO_IPV4, 3, &h);
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, "c");
	nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(NF_INET_PRE_ROUTING));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl(strcmp(type, "nat") ? 5 : -90));
	mnl_attr_nest_end(h, nest);
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, type);
	mnl_nlmsg_batch_next(b);
	put_nft(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, 4, &h);
	mnl_nlmsg_batch_next(b);
	if (mnl_socket_sendto(nl, mnl_nlmsg_batch_head(b), mnl_nlmsg_batch_size(b)) < 0)
		err = errno;
	while (err == EIO) {
		const struct nlmsghdr *got = (const struct nlmsghdr *)in;

		n = mnl_socket_recvfrom(nl, in, sizeof(in));
		if (n < 0)
			err = errno;
		else if (got->nlmsg_type == NLMSG_ERROR)
			err = -((const struct nlmsgerr *)mnl_nlmsg_get_payload(got))->error;
	}
	mnl_nlmsg_batch_stop(b);
	mnl_socket_close(nl);
	return err;
}

/* Where addresses are translated, a port of ours may be somebody else's. The last test of
 * the server's port. */
static void translated_addresses(void)
{
	int err;

	open_door();
	err = add_chain("filtering", "filter");
	if (err == EPROTONOSUPPORT) {
		close_door();
		SKIP("this kernel has no nf_tables");
	}
	EXPECT_EQ(err, 0);
	DROP(VERSION, "a filter translates nothing", .len = 40, .magic = 1);
	EXPECT_EQ(add_chain("translating", "nat"), 0);
	PASS(OTHER, "it may be another's", .len = 40, .magic = 1);
	PASS(TYPE, "likewise", PEERS_CALL, .from = ADDR(6));
	expect(nat, (struct frame){ .len = 40, .magic = 1 }, EBPFS_STEER_DROP_VERSION,
	       "who attached says that it is not");
	close_door();
}

static void too_many_peers(void)
{
	int err = 0;

	open_door();
	PASS(STRANGER, "all are known", CALL, .session = SESSION + 1);
	for (uint64_t i = 1; !err && i <= EBPFS_SERVE_PEERS; i++)
		err = tell_peer(SESSION + 100 + i);
	EXPECT_EQ(err, ENOSPC);
	PASS(TYPE, "not all are known", CALL, .session = SESSION + 1);
	DROP(PEER, "who is, is", PEERS_CALL, .from = ADDR(6));
	close_door();
}

static void refused(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), none = -1, err = 0;
	struct ebpfs_serve_peer peer = { .server_id = 9, .peer_port = 1 }, bad;
	int other = open("/dev/" EBPFS_SERVE_DEVICE, O_RDWR | O_CLOEXEC);
	uint64_t id = SESSION;

	open_door();
	EXPECT_EQ(tell(EBPFS_SERVE_DOOR, &none), EBADF);
	EXPECT_EQ(tell(EBPFS_SERVE_DOOR, &tcp), ENOTSOCK);
	bad = peer;
	bad.server_id = 0;
	EXPECT_EQ(tell(EBPFS_SERVE_PEER, &bad), EINVAL);
	bad = peer;
	bad.peer_port = 0;
	EXPECT_EQ(tell(EBPFS_SERVE_PEER, &bad), EINVAL);
	bad = peer;
	bad.reserved = 1;
	EXPECT_EQ(tell(EBPFS_SERVE_PEER, &bad), EINVAL);
	EXPECT(ioctl(other, EBPFS_SERVE_LEFT, &id) && errno == ENOENT);
	for (int i = 0; !err && i <= EBPFS_SERVE_DOORS; i++)
		err = tell(EBPFS_SERVE_DOOR, &server);
	EXPECT_EQ(err, ENOSPC);
	close(other);
	close(tcp);
	close_door();
}

/* The port of a mount that waits for its server. */
static void at_a_client(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ADDR(1)) };
	socklen_t size = sizeof(here);
	int silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd readable = { .fd = silent, .events = POLLIN };
	char dir[] = "/tmp/ebpfs-door.XXXXXX", source[64], options[128], secret[64];
	struct ebpfs_hello hello;
	struct sockaddr_in from;
	uint16_t port, mounts = 1;
	int status, fd;
	pid_t pid;

	ASSERT(!bind(silent, (struct sockaddr *)&here, sizeof(here)));
	ASSERT(!getsockname(silent, (struct sockaddr *)&here, &size));
	port = ntohs(here.sin_port);
	ASSERT(mkdtemp(dir));
	snprintf(secret, sizeof(secret), "%s.secret", dir);
	fd = open(secret, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	dprintf(fd, "%042dA=\n", 0);
	close(fd);
	snprintf(source, sizeof(source), "127.0.0.1:%u:/x", port);
	snprintf(options, sizeof(options), "name=door,secretfile=%s", secret);
	pid = fork();
	if (!pid) {
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execl(mounter, "mount.ebpfs", source, dir, "-o", options, NULL);
		_exit(127);
	}
	size = sizeof(from);
	if (!EXPECT_EQ(poll(&readable, 1, 10000), 1) ||
	    !EXPECT_EQ(recvfrom(silent, &hello, sizeof(hello), 0, (struct sockaddr *)&from, &size),
		       sizeof(hello)))
		goto out;
	mounts = ntohs(from.sin_port);
#define MOUNTS	.to_port = mounts, .from = ADDR(1), .from_port = port
#define CHALLENGE .type = EBPFS_CHALLENGE, .len = sizeof(struct ebpfs_challenge)
	PASS(TYPE, "an answer", MOUNTS, CHALLENGE, .session = hello.client_session);
	DROP(SESSION, "no answer", MOUNTS, CHALLENGE, .session = hello.client_session ^ 1);
	DROP(SESSION, "no handshake is 0", MOUNTS, CHALLENGE);
	DROP(PEER, "from another address", .to_port = mounts, .from = ADDR(9), .from_port = port,
	     CHALLENGE, .session = hello.client_session);
	DROP(PEER, "from another port", .to_port = mounts, .from = ADDR(1),
	     .from_port = port ^ 1, CHALLENGE, .session = hello.client_session);
	DROP(PEER, "a short one from elsewhere", .to_port = mounts, .from = ADDR(9), .len = 3);
	DROP(FORM, "short", MOUNTS, .type = EBPFS_CHALLENGE, .len = 20);
	DROP(FORM, "a short REPLY", MOUNTS, .type = EBPFS_REPLY, .len = 47);
	DROP(SESSION, "REPLY", MOUNTS, .type = EBPFS_REPLY, .len = 100, .session = 5);
	DROP(SESSION, "NEED", MOUNTS, .type = EBPFS_NEED, .len = sizeof(struct ebpfs_need),
	     .session = 5);
	DROP(SESSION, "UNKNOWN", MOUNTS, .type = EBPFS_UNKNOWN, .len = sizeof(struct ebpfs_hdr),
	     .session = 5);
	DROP(TYPE, "what servers are sent", MOUNTS, HELLO);
	DROP(VERSION, "another version", MOUNTS, CHALLENGE, .version = EBPFS_VERSION + 1,
	     .session = hello.client_session);
	PASS(OTHER, "REJECT may have any", MOUNTS, .type = EBPFS_REJECT,
	     .len = sizeof(struct ebpfs_reject), .version = EBPFS_VERSION + 1,
	     .session = hello.client_session);
	PASS(OTHER, "not for us", .to = 0x0a630002, .to_port = mounts, .len = 40, .magic = 1);
out:
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	unlink(secret);
	close(silent);
	for (int i = 0; i < 20; i++)
		usleep(50000);
	PASS(OTHER, "the mount is gone", MOUNTS, .len = 40, .magic = 1);
}

static struct ebpfs_steer *load(uint32_t flags, uint64_t rate, uint64_t rate_all)
{
	struct ebpfs_steer *skel = ebpfs_steer__open();

	if (!skel)
		return NULL;
	skel->rodata->ebpfs_door = flags;
	skel->rodata->ebpfs_rate_source = rate;
	skel->rodata->ebpfs_rate_all = rate_all;
	skel->rodata->ebpfs_rate_random[0] = 0x9a3c5f17d2e84b61ull;
	skel->rodata->ebpfs_rate_random[1] = 0x1f83d9abfb41bd6bull;
	bpf_program__set_autoload(skel->progs.ebpfs_steer_tc, false);
	if (bpf_map__set_max_entries(skel->maps.ebpfs_stats, cpus) || ebpfs_steer__load(skel)) {
		ebpfs_steer__destroy(skel);
		return NULL;
	}
	return skel;
}

static bool set_up(void)
{
	struct sockaddr_in local = { .sin_family = AF_INET };
	socklen_t size = sizeof(local);
	char *slash;
	ssize_t len;

	len = readlink("/proc/self/exe", mounter, sizeof(mounter) - 64);
	slash = len > 0 ? memrchr(mounter, '/', len) : NULL;
	if (!slash)
		return false;
	strcpy(slash, "/../../../userspace/ebpfsctl/ebpfsctl");
	if (unshare(CLONE_NEWNET) || system("ip link set lo up"))
		return false;
	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (server < 0 || bind(server, (struct sockaddr *)&local, sizeof(local)) ||
	    getsockname(server, (struct sockaddr *)&local, &size))
		return false;
	server_port = ntohs(local.sin_port);
	cpus = libbpf_num_possible_cpus();
	filter = load(EBPFS_DOOR_JUDGE, 0, 0);
	nat = load(EBPFS_DOOR_JUDGE | EBPFS_DOOR_NAT, 0, 0);
	generic = load(EBPFS_DOOR_JUDGE | EBPFS_DOOR_GENERIC, 0, 0);
	off = load(0, 0, 0);
	slow = load(EBPFS_DOOR_JUDGE, 250000000, 0);
	slow_all = load(EBPFS_DOOR_JUDGE, 0, 250000000);
	return filter && nat && generic && off && slow && slow_all;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(only_a_daemons_port_is_judged),
		KTAP_TEST(forms),
		KTAP_TEST(versions),
		KTAP_TEST(types),
		KTAP_TEST(peers),
		KTAP_TEST(replays),
		KTAP_TEST(rates),
		KTAP_TEST(whose_it_is_not),
		KTAP_TEST(super_packets),
		KTAP_TEST(refused),
		KTAP_TEST(too_many_peers),
		KTAP_TEST(at_a_client),
		KTAP_TEST(translated_addresses),
	};
	bool ours = access("/sys/module/ebpfs", F_OK) && !system("modprobe ebpfs");
	int status;

	if (!set_up()) {
		printf("# %s\nKTAP version 1\n1..1\nnot ok 1 the programs are loaded\n",
		       strerror(errno));
		return KTAP_EXIT_FAIL;
	}
	status = KTAP_MAIN(tests, argc, argv);
	ebpfs_steer__destroy(filter);
	ebpfs_steer__destroy(nat);
	ebpfs_steer__destroy(generic);
	ebpfs_steer__destroy(off);
	ebpfs_steer__destroy(slow);
	ebpfs_steer__destroy(slow_all);
	/* As it was; the programs hold it for a moment more. */
	for (int i = 0; ours && i < 50 && system("rmmod ebpfs 2> /dev/null"); i++)
		usleep(100000);
	return status;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * hooks: real packets through programs that ebpfsctl attached, in every mode
 *
 *	network namespace of the test
 *	  v1 ---- veth ---- v0  10.99.0.2, programs at its ingress
 *	  AF_PACKET out         UDP socket on port 40000
 *
 * The fixtures of packets.h are sent one by one; each must be counted once, by
 * its verdict, in the map that ebpfsctl pinned. At TC this shows what test runs
 * cannot: the kfunc at work, packets with little or nothing in their linear
 * part, and super-packets. What is not taken has to reach the stack unchanged,
 * also while programs are replaced.
 *
 * timeout: 240
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <json-c/json.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <ebpfs/serve.h>

#include "ktap.h"
#include "packets.h"

#define MTU		"9100"	/* room for 9000 and two tags */
#define SPARSE_MAX	9000

static char ebpfsctl[4096];
static unsigned int v0;
static int out, plain, udp;
static int cpus;
static uint8_t frame[PACKET_MAX], got[PACKET_MAX];

/* Runs a program to its end, without what it prints; its exit status, or -1. */
static int call(char *const argv[])
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int status, err;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	err = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (err || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int attach(const char *mode)
{
	return call((char *[]){ ebpfsctl, "attach", "v0", "--mode", (char *)mode, NULL });
}

static int detach(void)
{
	return call((char *[]){ ebpfsctl, "detach", "v0", NULL });
}

/* Rows of @row bytes as anybody may map them; NULL if nothing is pinned. */
static const volatile void *map_rows(const char *name, size_t row)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	struct stat st;
	char path[128];
	void *rows;
	int fd;

	if (stat("/proc/self/ns/net", &st))
		return NULL;
	snprintf(path, sizeof(path), "/sys/fs/bpf/ebpfs/%llu-%u/%s",
		 (unsigned long long)st.st_ino, v0, name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_get_info_by_fd(fd, &info, &size))
		return NULL;
	cpus = info.max_entries;
	rows = mmap(NULL, cpus * row, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return rows == MAP_FAILED ? NULL : rows;
}

static const volatile struct ebpfs_steer_row *map_counters(void)
{
	return map_rows("stats", sizeof(struct ebpfs_steer_row));
}

static struct ebpfs_steer_row sum(const volatile struct ebpfs_steer_row *rows)
{
	struct ebpfs_steer_row sum = {};

	for (int cpu = 0; cpu < cpus; cpu++) {
		for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
			sum.packets[v] += rows[cpu].packets[v];
		sum.bytes += rows[cpu].bytes;
		sum.errors += rows[cpu].errors;
	}
	return sum;
}

static uint64_t all_of(const struct ebpfs_steer_row *row)
{
	uint64_t all = row->errors;

	for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
		all += row->packets[v];
	return all;
}

/*
 * Sends one frame. @linear: bytes of it in the linear part of the packet, the
 * rest is in page fragments; 0: all of it, as the kernel likes. @segment: bytes
 * of UDP payload per datagram of a super-packet, 0 if it is none.
 */
static bool send_frame(size_t len, uint16_t linear, size_t l4_off, uint16_t segment)
{
	struct virtio_net_hdr head = {
		.hdr_len = linear,
	};
	uint8_t both[sizeof(head) + SPARSE_MAX * 4];
	ssize_t sent;

	if (!linear && !segment) {
		sent = send(plain, frame, len, 0);
		return EXPECT_EQ(sent, len);
	}
	if (segment) {
		head.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		head.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		head.gso_size = segment;
		head.csum_start = l4_off;
		head.csum_offset = offsetof(struct udphdr, check);
	}
	if (!EXPECT(len <= SPARSE_MAX * 4))
		return false;
	memcpy(both, &head, sizeof(head));
	memcpy(both + sizeof(head), frame, len);
	sent = send(out, both, sizeof(head) + len, 0);
	return EXPECT_EQ(sent, sizeof(head) + len);
}

/* Waits until one packet more was counted, and looks as what. */
static void expect_counted(const volatile struct ebpfs_steer_row *rows,
			   const struct ebpfs_steer_row *before,
			   enum ebpfs_steer_verdict want, const char *what)
{
	struct ebpfs_steer_row after = sum(rows);

	for (int i = 0; i < 2000 && all_of(&after) == all_of(before); i++) {
		usleep(1000);
		after = sum(rows);
	}
	for (int v = 0; v < EBPFS_STEER_VERDICTS; v++) {
		uint64_t count = after.packets[v] - before->packets[v];

		if (count != (v == (int)want) && ktap_fail())
			printf("# %s: verdict %d counted %llu times, wanted %d\n", what, v,
			       (unsigned long long)count, want);
	}
	if (after.errors != before->errors && ktap_fail())
		printf("# %s: %llu errors\n", what,
		       (unsigned long long)(after.errors - before->errors));
	EXPECT_EQ(after.bytes, before->bytes);
}

static void each_packet(const char *mode)
{
	bool tc = !strcmp(mode, "tc");
	const volatile struct ebpfs_steer_row *rows;

	ASSERT_EQ(attach(mode), 0);
	rows = map_counters();
	ASSERT(rows);
	for (size_t i = 0; i < PACKETS; i++) {
		const struct packet *p = &packets[i];
		struct ebpfs_steer_row before = sum(rows);
		size_t len = packet_build(p, frame);
		enum ebpfs_steer_verdict want = p->want;

		/* The stack takes the outer tag off before TC sees the packet. */
		if (tc && p->tags == 3)
			want = NO_SESSION;
		if (send_frame(len, 0, 0, 0))
			expect_counted(rows, &before, want, p->name);
		if (len < 5000 || len > SPARSE_MAX + 22)
			continue;
		/* Only heads, then only Ethernet, in the linear part. */
		before = sum(rows);
		if (send_frame(len, packet_payload_off(p), 0, 0))
			expect_counted(rows, &before, want, p->name);
		before = sum(rows);
		if (send_frame(len, ETH_HLEN, 0, 0))
			expect_counted(rows, &before, want, p->name);
	}
	munmap((void *)rows, cpus * sizeof(*rows));
}

static void in_mode_tc(void)
{
	each_packet("tc");
}

static void in_mode_xdp(void)
{
	each_packet("xdp");
}

static void in_mode_xdp_generic(void)
{
	each_packet("xdp-generic");
}

/* One more of @verdict within a second, by a serving program. */
static void expect_served(const volatile struct ebpfs_serve_row *rows,
			  enum ebpfs_serve_verdict verdict, uint16_t linear, size_t len)
{
	uint64_t before = 0, after;
	int cpu, i;

	for (cpu = 0; cpu < cpus; cpu++)
		before += rows[cpu].packets[verdict];
	if (!send_frame(len, linear, 0, 0))
		return;
	for (after = before, i = 0; after == before && i < 1000; i++) {
		usleep(1000);
		for (after = 0, cpu = 0; cpu < cpus; cpu++)
			after += rows[cpu].packets[verdict];
	}
	EXPECT_EQ(after, before + 1);
}

/* A CALL is seen wherever its bytes lie; of those that are so long that they lie in
 * fragments, the kfunc says that they are none. */
static void calls_of_all_forms(void)
{
	static const struct packet small = { .type = EBPFS_CALL, .payload = 600 },
		large = { .type = EBPFS_CALL, .payload = 6000 };
	const volatile struct ebpfs_serve_row *rows;
	size_t len;

	/* Generic XDP copies packets, and in the copy TC programs do not find the Ethernet
	 * header (6.12). */
	detach();
	ASSERT_EQ(call((char *[]){ ebpfsctl, "attach", "v0", "--serve", NULL }), 0);
	rows = map_rows("serve-stats", sizeof(*rows));
	ASSERT(rows);
	len = packet_build(&small, frame);
	expect_served(rows, EBPFS_SERVE_PASS_SESSION, 0, len);
	len = packet_build(&large, frame);
	expect_served(rows, EBPFS_SERVE_PASS_OTHER, 0, len);
	expect_served(rows, EBPFS_SERVE_PASS_OTHER, packet_payload_off(&large), len);
	expect_served(rows, EBPFS_SERVE_PASS_OTHER, ETH_HLEN, len);
	munmap((void *)rows, cpus * sizeof(*rows));
	EXPECT_EQ(detach(), 0);
}

static void empty_socket(void)
{
	while (recv(udp, got, sizeof(got), MSG_DONTWAIT) >= 0)
		;
}

/* A super-packet is one packet at TC, and passes as a whole. */
static void super_packet(void)
{
	const struct packet p = { "super-packet", NO_SESSION, .payload = 24000 };
	const volatile struct ebpfs_steer_row *rows;
	struct ebpfs_steer_row before;
	size_t len, l4_off = packet_payload_off(&p) - sizeof(struct udphdr);

	ASSERT_EQ(attach("tc"), 0);
	rows = map_counters();
	ASSERT(rows);
	empty_socket();
	before = sum(rows);
	len = packet_build(&p, frame);
	if (send_frame(len, packet_payload_off(&p), l4_off, 8000))
		expect_counted(rows, &before, NO_SESSION, p.name);
	/* Segmented behind the program, for a socket that takes no super-packets. */
	for (int i = 0; i < 3; i++) {
		struct pollfd pollfd = { .fd = udp, .events = POLLIN };

		ASSERT_EQ(poll(&pollfd, 1, 2000), 1);
		ASSERT_EQ(recv(udp, got, sizeof(got), 0), 8000);
		EXPECT_MEM(got, frame + packet_payload_off(&p) + i * 8000, 8000);
	}
	munmap((void *)rows, cpus * sizeof(*rows));
}

/* One reply of no session: it has to come out of the UDP socket as it was. */
static bool echo(void)
{
	struct pollfd pollfd = { .fd = udp, .events = POLLIN };
	size_t len = packet_build(&packets[0], frame);
	size_t off = packet_payload_off(&packets[0]);

	return send_frame(len, 0, 0, 0) && EXPECT_EQ(poll(&pollfd, 1, 2000), 1) &&
	       EXPECT_EQ(recv(udp, got, sizeof(got), 0), len - off) &&
	       EXPECT_MEM(got, frame + off, len - off);
}

static void passed_packets_arrive(void)
{
	static const char *const modes[] = { "tc", "xdp", "xdp-generic" };

	empty_socket();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ASSERT_EQ(attach(modes[i]), 0);
		EXPECT(echo());
	}
	ASSERT_EQ(detach(), 0);
	EXPECT(echo());
}

/* The program is replaced again and again: no packet is lost, none uncounted. */
static void replaced_under_load(void)
{
	const volatile struct ebpfs_steer_row *rows;
	struct ebpfs_steer_row before, after;
	unsigned int sent = 0;
	int status;
	pid_t pid;

	ASSERT_EQ(attach("tc"), 0);
	rows = map_counters();
	ASSERT(rows);
	empty_socket();
	before = sum(rows);
	fflush(stdout);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		for (int i = 0; i < 10; i++)
			if (attach("tc"))
				_exit(1);
		_exit(0);
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		if (!echo())
			break;
		sent++;
	}
	if (ktap.failures)
		waitpid(pid, &status, 0);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status));
	EXPECT(sent > 10);
	after = sum(rows);
	EXPECT_EQ(after.packets[NO_SESSION] - before.packets[NO_SESSION], sent);
	EXPECT_EQ(all_of(&after) - all_of(&before), sent);
	printf("# %u packets while the program was replaced 10 times\n", sent);
	munmap((void *)rows, cpus * sizeof(*rows));
}

/* Counters are kept when the mode changes, and gone after detach. */
static void counters_live_on(void)
{
	const volatile struct ebpfs_steer_row *rows;
	struct ebpfs_steer_row before, after;

	ASSERT_EQ(attach("tc"), 0);
	EXPECT(echo());
	rows = map_counters();
	ASSERT(rows);
	before = sum(rows);
	EXPECT(before.packets[NO_SESSION] > 0);
	ASSERT_EQ(attach("xdp-generic"), 0);
	EXPECT(echo());
	after = sum(rows);
	EXPECT_EQ(after.packets[NO_SESSION], before.packets[NO_SESSION] + 1);
	munmap((void *)rows, cpus * sizeof(*rows));
	ASSERT_EQ(detach(), 0);
	EXPECT(!map_counters());
}

/* What status says is what the map holds. */
static void status_tells_the_counters(void)
{
	const volatile struct ebpfs_steer_row *rows;
	struct json_object *status, *list, *one, *value;
	struct ebpfs_steer_row now;
	char command[sizeof(ebpfsctl) + 32], *text;
	size_t len;
	FILE *pipe;

	ASSERT_EQ(attach("tc"), 0);
	EXPECT(echo());
	rows = map_counters();
	ASSERT(rows);
	now = sum(rows);
	munmap((void *)rows, cpus * sizeof(*rows));

	snprintf(command, sizeof(command), "%s -j status", ebpfsctl);
	pipe = popen(command, "re");
	ASSERT(pipe);
	text = calloc(1, 1 << 20);
	len = fread(text, 1, (1 << 20) - 1, pipe);
	EXPECT_EQ(pclose(pipe), 0);
	EXPECT(len > 0);
	status = json_tokener_parse(text);
	ASSERT(status);
	ASSERT(json_object_object_get_ex(status, "interfaces", &list));
	ASSERT_EQ(json_object_array_length(list), 1);
	one = json_object_array_get_idx(list, 0);
	ASSERT(json_object_object_get_ex(one, "interface", &value));
	EXPECT(!strcmp(json_object_get_string(value), "v0"));
	ASSERT(json_object_object_get_ex(one, "mode", &value));
	EXPECT(!strcmp(json_object_get_string(value), "tc"));
	ASSERT(json_object_object_get_ex(one, "ifindex", &value));
	EXPECT_EQ(json_object_get_int64(value), v0);
	ASSERT(json_object_object_get_ex(one, "verdicts", &list));
	ASSERT(json_object_object_get_ex(list, "pass_session", &value));
	EXPECT_EQ(json_object_get_int64(value), now.packets[NO_SESSION]);
	ASSERT(json_object_object_get_ex(list, "pass_other", &value));
	EXPECT_EQ(json_object_get_int64(value), now.packets[OTHER]);
	json_object_put(status);
	free(text);
	EXPECT_EQ(detach(), 0);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static int packet_socket(bool with_head)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_ifindex = if_nametoindex("v1"),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    (with_head && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on))))
		return -1;
	return fd;
}

static bool set_up(void)
{
	struct sockaddr_in local = {
		.sin_family = AF_INET,
		.sin_port = htons(40000),
	};
	char *slash;
	ssize_t len;

	len = readlink("/proc/self/exe", ebpfsctl, sizeof(ebpfsctl) - 64);
	slash = len > 0 ? memrchr(ebpfsctl, '/', len) : NULL;
	if (!slash)
		return false;
	strcpy(slash, "/../../../userspace/ebpfsctl/ebpfsctl");
	/* Nothing but the test may send: no address configuration of IPv6. */
	if (unshare(CLONE_NEWNET) ||
	    !write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1") ||
	    system("ip -batch - << END\n"
		   "link add v0 address 02:00:00:00:00:01 mtu " MTU " type veth"
		   " peer name v1 address 02:00:00:00:00:02 mtu " MTU "\n"
		   "link set lo up\n"
		   "link set v0 up\n"
		   "link set v1 up\n"
		   "addr add 10.99.0.2/24 dev v0\n"
		   "END"))
		return false;
	v0 = if_nametoindex("v0");
	plain = packet_socket(false);
	out = packet_socket(true);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return v0 && plain >= 0 && out >= 0 && udp >= 0 &&
	       !bind(udp, (struct sockaddr *)&local, sizeof(local));
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(in_mode_tc),
		KTAP_TEST(in_mode_xdp),
		KTAP_TEST(in_mode_xdp_generic),
		KTAP_TEST(calls_of_all_forms),
		KTAP_TEST(super_packet),
		KTAP_TEST(passed_packets_arrive),
		KTAP_TEST(replaced_under_load),
		KTAP_TEST(counters_live_on),
		KTAP_TEST(status_tells_the_counters),
	};
	bool ours = access("/sys/module/ebpfs", F_OK) && !system("modprobe ebpfs");
	int status;

	if (!set_up()) {
		printf("# %s\nKTAP version 1\n1..1\nnot ok 1 the network is set up\n",
		       strerror(errno));
		return KTAP_EXIT_FAIL;
	}
	status = KTAP_MAIN(tests, argc, argv);
	for (int i = 0; ours && i < 50 && system("rmmod ebpfs 2> /dev/null"); i++)
		usleep(100000);
	return status;
}

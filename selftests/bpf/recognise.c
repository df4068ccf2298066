// SPDX-License-Identifier: GPL-2.0
/*
 * recognise: what the steering programs say of well and ill formed frames
 *
 * Runs both programs by BPF_PROG_TEST_RUN, with the module loaded, over the
 * fixtures of packets.h. The XDP program's kfunc does its whole work there. The
 * TC program's kfunc refuses to work anywhere but at ingress, where test runs
 * are not; so each frame that the program recognises counts as an error, and
 * what the kfunc thinks of it is left to hooks.c, which sends real packets.
 *
 * timeout: 240
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpfs_steer.skel.h"
#include "ktap.h"
#include "packets.h"

#define TCX_NEXT_CODE	((uint32_t)-1)

static struct ebpfs_steer *loaded, *filtered;
static int cpus;
static uint8_t frame[PACKET_MAX], back[PACKET_MAX];

/**
 * struct counts - the counters of a program, mapped
 */
struct counts {
	const volatile struct ebpfs_steer_row *rows;
};

static struct counts counts_of(struct ebpfs_steer *skel)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = (cpus * sizeof(struct ebpfs_steer_row) + page - 1) / page * page;
	struct counts counts;

	counts.rows = mmap(NULL, size, PROT_READ, MAP_SHARED,
			   bpf_map__fd(skel->maps.ebpfs_stats), 0);
	if (counts.rows == MAP_FAILED) {
		perror("# cannot map the counters");
		exit(KTAP_EXIT_FAIL);
	}
	return counts;
}

static struct ebpfs_steer_row sum(const struct counts *counts)
{
	struct ebpfs_steer_row sum = {};

	for (int cpu = 0; cpu < cpus; cpu++) {
		for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
			sum.packets[v] += counts->rows[cpu].packets[v];
		sum.bytes += counts->rows[cpu].bytes;
		sum.errors += counts->rows[cpu].errors;
	}
	return sum;
}

static struct counts loaded_counts, filtered_counts;

static struct ebpfs_steer *load(uint16_t port)
{
	struct ebpfs_steer *skel = ebpfs_steer__open();

	if (!skel)
		return NULL;
	skel->rodata->ebpfs_port = port;
	if (bpf_map__set_max_entries(skel->maps.ebpfs_stats, cpus) || ebpfs_steer__load(skel)) {
		ebpfs_steer__destroy(skel);
		return NULL;
	}
	return skel;
}

/* Runs a program over the first @len bytes of frame; false if the kernel refuses the run. */
static bool run(const struct bpf_program *prog, size_t len, uint32_t *code)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .data_in = frame, .data_size_in = len,
		    .data_out = back, .data_size_out = sizeof(back), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return false;
	*code = opts.retval;
	/* Packets are never changed. */
	if (EXPECT_EQ(opts.data_size_out, len))
		EXPECT_MEM(back, frame, len);
	return true;
}

/* Runs and checks: one packet counted, by @want, negative: as an error; and let pass. */
static void expect(struct ebpfs_steer *skel, const struct counts *counts, bool xdp, size_t len,
		   int want, const char *what)
{
	struct ebpfs_steer_row before = sum(counts), after;
	uint32_t code;

	if (!run(xdp ? skel->progs.ebpfs_steer_xdp : skel->progs.ebpfs_steer_tc, len, &code)) {
		if (!EXPECT(!"a test run"))
			printf("# %s, %zu bytes: %s\n", what, len, strerror(errno));
		return;
	}
	after = sum(counts);
	if (code != (xdp ? XDP_PASS : TCX_NEXT_CODE) && ktap_fail())
		printf("# %s, %zu bytes: the program returned %d\n", what, len, (int)code);
	for (int v = 0; v < EBPFS_STEER_VERDICTS; v++) {
		uint64_t got = after.packets[v] - before.packets[v];

		if (got != (v == want) && ktap_fail())
			printf("# %s, %zu bytes: verdict %d counted %llu times, wanted %d\n",
			       what, len, v, (unsigned long long)got, want);
	}
	if (after.errors - before.errors != (want < 0) && ktap_fail())
		printf("# %s, %zu bytes: %llu errors, wanted %d\n", what, len,
		       (unsigned long long)(after.errors - before.errors), want < 0);
	EXPECT_EQ(after.bytes, before.bytes);
}

/* What a test run of the TC program counts: recognised frames are errors there. */
static int tc_want(const struct packet *p, int want)
{
	if (want == EBPFS_STEER_PASS_OTHER || want == EBPFS_STEER_PASS_TYPE)
		return want;
	/* Too short for a reply by its UDP header is the program's own verdict. */
	return p->payload && p->payload < REPLY_HEAD ? want : -1;
}

static void each_packet(bool xdp)
{
	for (size_t i = 0; i < PACKETS; i++) {
		size_t len = packet_build(&packets[i], frame);
		int want = packets[i].want;

		/* One page is the most that a test run puts into an skb. */
		if (!xdp && len > 3000)
			continue;
		if (!xdp)
			want = tc_want(&packets[i], want);
		expect(loaded, &loaded_counts, xdp, len, want, packets[i].name);
	}
}

static void xdp_fixtures(void)
{
	each_packet(true);
}

static void tc_fixtures(void)
{
	each_packet(false);
}

/* The shortest run that the kernel makes: Ethernet, and for an skb a whole IP header. */
static size_t shortest(const struct packet *p, bool xdp)
{
	if (xdp || p->tags || (p->ethertype && p->ethertype != ETH_P_IPV6))
		return ETH_HLEN;
	return ETH_HLEN + (p->v6 || p->ethertype ? sizeof(struct ip6_hdr) : sizeof(struct iphdr));
}

static void each_length(bool xdp)
{
	for (size_t i = 0; i < PACKETS; i++) {
		struct packet p = packets[i];
		size_t whole;

		if (p.payload > 3000)
			continue;
		/* Behind the heads nothing is decided: a short payload will do. */
		if (!p.payload)
			p.payload = REPLY_HEAD + 8;
		whole = packet_build(&p, frame) - p.padding;
		for (size_t len = shortest(&p, xdp); len <= whole; len++) {
			int want = packet_want(&p, whole, len);

			if (!xdp)
				want = tc_want(&p, want);
			expect(loaded, &loaded_counts, xdp, len, want, p.name);
		}
	}
}

static void xdp_every_length(void)
{
	each_length(true);
}

static void tc_every_length(void)
{
	each_length(false);
}

/* A frame in many buffers, cut at lengths around their borders. */
static void xdp_many_buffers(void)
{
	const struct packet p = { "reply in many buffers", NO_SESSION, .payload = 40000 };
	size_t whole = packet_build(&p, frame);

	for (size_t len = 3000; len <= whole; len += 509)
		expect(loaded, &loaded_counts, true, len, MALFORMED, p.name);
	expect(loaded, &loaded_counts, true, whole, NO_SESSION, p.name);
}

static void port_filter(void)
{
	struct packet p = packets[0];
	size_t len = packet_build(&p, frame);

	expect(filtered, &filtered_counts, true, len, NO_SESSION, "from the port");
	expect(filtered, &filtered_counts, false, len, -1, "from the port");
	p.port = PACKET_PORT + 1;
	len = packet_build(&p, frame);
	expect(filtered, &filtered_counts, true, len, OTHER, "from another port");
	expect(filtered, &filtered_counts, false, len, OTHER, "from another port");
	expect(loaded, &loaded_counts, true, len, NO_SESSION, "from another port, unfiltered");
}

/* Each CPU has a row of its own. */
static void rows_by_cpu(void)
{
	size_t len = packet_build(&packets[0], frame);
	unsigned int tested = 0;
	cpu_set_t before, one;
	uint32_t code;

	ASSERT(!sched_getaffinity(0, sizeof(before), &before));
	for (int cpu = 0; cpu < cpus; cpu++) {
		uint64_t own, all;

		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (!CPU_ISSET(cpu, &before) || sched_setaffinity(0, sizeof(one), &one))
			continue;
		own = loaded_counts.rows[cpu].packets[NO_SESSION];
		all = sum(&loaded_counts).packets[NO_SESSION];
		EXPECT(run(loaded->progs.ebpfs_steer_xdp, len, &code));
		EXPECT_EQ(loaded_counts.rows[cpu].packets[NO_SESSION], own + 1);
		EXPECT_EQ(sum(&loaded_counts).packets[NO_SESSION], all + 1);
		tested++;
	}
	sched_setaffinity(0, sizeof(before), &before);
	EXPECT(tested > 0);
}

/*
 * Frames with random bytes changed: whatever they are, they pass unchanged and
 * are counted once. The seed is fixed, so that a failure can be seen again.
 */
static void random_changes(void)
{
	struct ebpfs_steer_row before = sum(&loaded_counts), after;
	unsigned int runs = 0, passed = 0;
	uint64_t counted = 0;

	srandom(4711);
	for (size_t i = 0; i < PACKETS; i++) {
		for (int round = 0; round < 60; round++) {
			size_t len = packet_build(&packets[i], frame);
			uint32_t code;

			for (int n = random() % 4 + 1; n; n--)
				frame[12 + random() % 80] ^= 1 << random() % 8;
			if (len > 200 && random() % 2)
				len = ETH_HLEN + random() % 186;
			ASSERT(run(loaded->progs.ebpfs_steer_xdp, len, &code));
			runs++;
			passed += code == XDP_PASS;
		}
	}
	after = sum(&loaded_counts);
	for (int v = 0; v < EBPFS_STEER_VERDICTS; v++)
		counted += after.packets[v] - before.packets[v];
	EXPECT_EQ(passed, runs);
	EXPECT_EQ(counted, runs);
	EXPECT_EQ(after.errors, before.errors);
	EXPECT_EQ(after.bytes, before.bytes);
	/* No session exists, so nothing may have been taken. */
	for (int v = EBPFS_STEER_FILLED; v <= EBPFS_STEER_CORRUPT; v++)
		EXPECT_EQ(after.packets[v], before.packets[v]);
}

static void both_loaded(void)
{
	ASSERT(loaded);
	ASSERT(filtered);
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(both_loaded),
		KTAP_TEST(xdp_fixtures),
		KTAP_TEST(tc_fixtures),
		KTAP_TEST(xdp_every_length),
		KTAP_TEST(tc_every_length),
		KTAP_TEST(xdp_many_buffers),
		KTAP_TEST(port_filter),
		KTAP_TEST(rows_by_cpu),
		KTAP_TEST(random_changes),
	};
	bool ours = access("/sys/module/ebpfs", F_OK) && !system("modprobe ebpfs");
	int status;

	cpus = libbpf_num_possible_cpus();
	loaded = load(0);
	filtered = load(PACKET_PORT);
	if (!loaded || !filtered) {
		printf("KTAP version 1\n1..1\nnot ok 1 the programs load\n");
		return KTAP_EXIT_FAIL;
	}
	loaded_counts = counts_of(loaded);
	filtered_counts = counts_of(filtered);
	status = KTAP_MAIN(tests, argc, argv);
	ebpfs_steer__destroy(loaded);
	ebpfs_steer__destroy(filtered);
	/* As it was; the programs hold it for a moment more. */
	for (int i = 0; ours && i < 50 && system("rmmod ebpfs 2> /dev/null"); i++)
		usleep(100000);
	return status;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * verifier: programs that misuse the module's kfuncs are refused before they run
 *
 * Loads the programs of verifier.bpf.c, one at a time. Those that do as they should must
 * load, so that no other is refused for a reason of ours; each of the others must be
 * refused, with words of the verifier that tell why. What the verifier lets pass, because
 * it does not know better, the kfunc has to refuse when it is called: a size that is not
 * that of the options, options that may be NULL and are, or a hook other than ingress.
 *
 * Loaded with all capabilities. Two things load that might not: a call with options that
 * were never written, since whoever has CAP_PERFMON may read his own stack; and
 * packet pointers after the call, since the kfuncs change no packet.
 *
 * timeout: 400
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <ebpfs/serve.h>
#include <ebpfs/steer.h>

#include "build/bpf/verifier.skel.h"
#include "ktap.h"

static char said[1 << 16];

/*
 * Loads one of the programs; NULL with errno and what the kernel said. EPROTONOSUPPORT:
 * the kernel has no programs of this kind, as kernels that trace nothing.
 */
static struct verifier *load(const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = said,
		    .kernel_log_size = sizeof(said), .kernel_log_level = 1);
	struct bpf_program *prog;
	struct verifier *skel;
	int err;

	said[0] = '\0';
	skel = verifier__open_opts(&opts);
	if (!skel)
		return NULL;
	prog = bpf_object__find_program_by_name(skel->obj, name);
	err = prog ? bpf_program__set_autoload(prog, true) : -ENOENT;
	if (!err)
		err = verifier__load(skel);
	if (!err)
		return skel;
	if (prog && libbpf_probe_bpf_prog_type(bpf_program__type(prog), NULL) == 0)
		err = -EPROTONOSUPPORT;
	verifier__destroy(skel);
	errno = -err;
	return NULL;
}

static void expect_good(const char *name)
{
	struct verifier *skel = load(name);

	if (!skel && ktap_fail())
		printf("# %s is refused: %s\n%s\n", name, strerror(errno), said);
	verifier__destroy(skel);
}

static void good_programs_load(void)
{
	expect_good("good_xdp");
	expect_good("good_tc");
	expect_good("good_opts_in_a_map");
	expect_good("good_packet_after_the_call");
}

/**
 * struct bad - a program that must not load
 * @name: of it
 * @why: part of what the verifier says
 */
struct bad {
	const char *name;
	const char *why;
};

#define NOT_ALLOWED(kfunc)	"calling kernel function bpf_ebpfs_" kfunc " is not allowed"

static const struct bad kinds[] = {
	{ "kind_xdp_steer_skb", NOT_ALLOWED("steer_skb") },
	{ "kind_xdp_serve_skb", NOT_ALLOWED("serve_skb") },
	{ "kind_tc_steer_xdp", NOT_ALLOWED("steer_xdp") },
	{ "kind_action_steer_skb", NOT_ALLOWED("steer_skb") },
	{ "kind_socket_steer_skb", NOT_ALLOWED("steer_skb") },
	{ "kind_cgroup_serve_skb", NOT_ALLOWED("serve_skb") },
	{ "kind_lwt_steer_skb", NOT_ALLOWED("steer_skb") },
	{ "kind_sk_skb_steer_skb", NOT_ALLOWED("steer_skb") },
	{ "kind_kprobe_steer_xdp", NOT_ALLOWED("steer_xdp") },
	{ "kind_tracepoint_steer_skb", NOT_ALLOWED("steer_skb") },
	{ "kind_raw_tp_serve_skb", NOT_ALLOWED("serve_skb") },
	{ "kind_tracing_steer_skb", NOT_ALLOWED("steer_skb") },
	{ "kind_syscall_steer_xdp", NOT_ALLOWED("steer_xdp") },
}, contexts[] = {
	{ "ctx_scalar", "arg#0 expected pointer to ctx, but got scalar" },
	{ "ctx_null", "arg#0 expected pointer to ctx, but got scalar" },
	{ "ctx_serve_null", "arg#0 expected pointer to ctx, but got scalar" },
	{ "ctx_moved", "dereference of modified ctx ptr R1 off=8 disallowed" },
	{ "ctx_moved_by_a_variable", "variable ctx access" },
	{ "ctx_stack", "arg#0 expected pointer to ctx, but got fp" },
	{ "ctx_packet", "arg#0 expected pointer to ctx, but got pkt" },
	{ "ctx_of_a_map", "arg#0 expected pointer to ctx, but got map_value" },
}, options[] = {
	{ "opts_shorter_than_told", "arg#1 arg#2 memory, len pair leads to invalid memory access" },
	{ "opts_map_value_too_small", "invalid access to map value, value_size=8 off=0 size=16" },
	{ "opts_behind_a_map_value", "invalid access to map value, value_size=16 off=16 size=16" },
	{ "opts_constant", "write into map forbidden" },
	{ "opts_null", "arg#1 arg#2 memory, len pair" },
	{ "opts_serve_null", "arg#1 arg#2 memory, len pair" },
	{ "opts_scalar", "arg#1 arg#2 memory, len pair" },
	{ "opts_unchecked_packet", "invalid access to packet" },
}, sizes[] = {
	{ "opts_size_of_anything", "R3 unbounded memory access" },
	{ "opts_size_variable_and_too_large", "arg#1 arg#2 memory, len pair" },
	{ "opts_size_too_large", "value_size=16 off=0 size=1048576" },
	{ "opts_size_negative", "R3 min value is negative" },
}, results[] = {
	{ "back_is_no_pointer", "invalid mem access 'scalar'" },
	{ "back_is_not_written_to", "invalid mem access 'scalar'" },
	{ "back_is_no_index", "makes map_value pointer be out of bounds" },
};

static void each_is_refused(const struct bad *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct verifier *skel = load(bad[i].name);

		if (skel) {
			if (ktap_fail())
				printf("# %s loads\n", bad[i].name);
			verifier__destroy(skel);
		} else if (errno == EPROTONOSUPPORT) {
			printf("# %s: not in this kernel\n", bad[i].name);
		} else if (!strstr(said, bad[i].why) ||
			   (errno != EACCES && errno != EINVAL && errno != EPERM)) {
			if (ktap_fail())
				printf("# %s: expected \"%s\", is refused with: %s\n%s\n",
				       bad[i].name, bad[i].why, strerror(errno), said);
		}
	}
}

#define EACH_IS_REFUSED(list)	each_is_refused(list, sizeof(list) / sizeof((list)[0]))

static void other_kinds_of_programs(void)
{
	EACH_IS_REFUSED(kinds);
}

static void other_contexts(void)
{
	EACH_IS_REFUSED(contexts);
}

static void wrong_options(void)
{
	EACH_IS_REFUSED(options);
}

static void wrong_sizes(void)
{
	EACH_IS_REFUSED(sizes);
}

static void use_of_the_result(void)
{
	EACH_IS_REFUSED(results);
}

/* Runs a program that returns what the kfunc says. */
static void expect_said(const char *name, int want)
{
	uint8_t frame[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);
	struct verifier *skel = load(name);

	if (!skel) {
		if (ktap_fail())
			printf("# %s is refused: %s\n%s\n", name, strerror(errno), said);
		return;
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(skel->obj,
										    name)),
				   &opts)) {
		if (ktap_fail())
			printf("# %s does not run: %s\n", name, strerror(errno));
	} else if ((int)opts.retval != want && ktap_fail()) {
		printf("# %s: %d, wanted %d\n", name, (int)opts.retval, want);
	}
	verifier__destroy(skel);
}

static void refused_when_called(void)
{
	expect_said("said_size_less", -EINVAL);
	expect_said("said_size_more", -EINVAL);
	expect_said("said_opts_null", -EINVAL);
	expect_said("said_opts_of_no_element", -EINVAL);
	expect_said("said_flags", -EINVAL);
	expect_said("said_serve_opts_null", -EINVAL);
	expect_said("said_serve_opts_of_no_element", -EINVAL);
	/* The opposite: nothing is refused, and zeros are no packet of ours. */
	expect_said("good_xdp", XDP_PASS);
}

/* One packet by the loopback interface, past a program at a hook there. */
static void at_hook(const char *name, int *steer_said, int *serve_said)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct verifier *skel = load(name);
	struct bpf_link *link;
	int fd;

	ASSERT(skel);
	link = bpf_program__attach_tcx(bpf_object__find_program_by_name(skel->obj, name),
				       if_nametoindex("lo"), NULL);
	EXPECT(link);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	EXPECT(fd >= 0);
	EXPECT_EQ(sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)), 1);
	for (int i = 0; i < 2000 && *(volatile int *)&skel->data->serve_said == 1; i++)
		usleep(1000);
	*steer_said = skel->data->steer_said;
	*serve_said = skel->data->serve_said;
	close(fd);
	bpf_link__destroy(link);
	verifier__destroy(skel);
}

static void egress_is_no_place(void)
{
	int steer = 0, serve = 0;

	at_hook("said_egress", &steer, &serve);
	EXPECT_EQ(steer, -EINVAL);
	EXPECT_EQ(serve, -EINVAL);
	/* The opposite: at ingress they look at the packet. */
	at_hook("good_tc", &steer, &serve);
	EXPECT(steer >= 0 && steer < EBPFS_STEER_VERDICTS);
	EXPECT(serve >= 0 && serve < EBPFS_SERVE_VERDICTS);
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(good_programs_load),
		KTAP_TEST(other_kinds_of_programs),
		KTAP_TEST(other_contexts),
		KTAP_TEST(wrong_options),
		KTAP_TEST(wrong_sizes),
		KTAP_TEST(use_of_the_result),
		KTAP_TEST(refused_when_called),
		KTAP_TEST(egress_is_no_place),
	};
	bool ours = access("/sys/module/ebpfs", F_OK) && !system("modprobe ebpfs");
	int status;

	/* Its words come with the failures. */
	libbpf_set_print(NULL);
	if (unshare(CLONE_NEWNET) || system("ip link set lo up")) {
		printf("KTAP version 1\n1..1\nnot ok 1 a network namespace\n");
		return KTAP_EXIT_FAIL;
	}
	status = KTAP_MAIN(tests, argc, argv);
	/* As it was; the programs hold it for a moment more. */
	for (int i = 0; ours && i < 50 && system("rmmod ebpfs 2> /dev/null"); i++)
		usleep(100000);
	return status;
}

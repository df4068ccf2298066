// SPDX-License-Identifier: GPL-2.0
/*
 * Loading the steering programs; see programs.h.
 *
 * The object is loaded before anything on an interface is touched, and it needs
 * the module's BTF. Only when that fails are probe programs loaded to find out
 * why, since each of them costs reading the kernel's whole BTF once more. The
 * messages of libbpf are kept, and shown with the verifier's log if they matter.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "ebpfs_serve.skel.h"
#include "ebpfs_steer.skel.h"
#include "ebpfsctl/ctl.h"
#include "ebpfsctl/programs.h"

static char *kept;
static size_t kept_len;

/* Keeps what libbpf says, up to a size no useful message has. */
static int keep_message(enum libbpf_print_level level, const char *format, va_list args)
{
	char *line, *bigger;
	int len;

	if (level == LIBBPF_DEBUG && !ctl_verbose)
		return 0;
	len = vasprintf(&line, format, args);
	if (len < 0)
		return 0;
	if (ctl_verbose)
		fputs(line, stderr);
	if (kept_len + len < 256 << 10) {
		bigger = realloc(kept, kept_len + len + 1);
		if (bigger) {
			kept = bigger;
			memcpy(kept + kept_len, line, len + 1);
			kept_len += len;
		}
	}
	free(line);
	return len;
}

static void forget_messages(void)
{
	kept_len = 0;
	if (kept)
		*kept = '\0';
	libbpf_set_print(keep_message);
}

/* The end of what libbpf said: a verifier's log is long, and what was wrong is last. */
static const char *last_messages(void)
{
	const char *start;

	if (!kept || kept_len <= 2000)
		return kept ? kept : "(nothing)";
	start = strchr(kept + kept_len - 2000, '\n');
	return start ? start + 1 : kept;
}

/* BTF of the module: an open file descriptor and the number in *id, or -1: errno is ENOENT if
 * the module has none.
 */
static int open_module_btf(__u32 *id)
{
	*id = 0;
	while (!bpf_btf_get_next_id(*id, id)) {
		char name[64] = "";
		struct bpf_btf_info info = {
			.name = (uintptr_t)name,
			.name_len = sizeof(name),
		};
		__u32 size = sizeof(info);
		int fd = bpf_btf_get_fd_by_id(*id);

		if (fd < 0 && errno == ENOENT)
			continue;	/* gone meanwhile */
		if (fd < 0)
			return -1;
		if (!bpf_btf_get_info_by_fd(fd, &info, &size) && info.kernel_btf &&
		    !strcmp(name, "ebpfs"))
			return fd;
		close(fd);
	}
	return -1;
}

/* Number of the function in the module's BTF, negative if it is not there. */
static int find_kfunc(__u32 module_id, const char *name)
{
	struct btf *kernel, *module;
	int id;

	kernel = btf__load_vmlinux_btf();
	if (!kernel)
		return -errno;
	module = btf__load_from_kernel_by_id_split(module_id, kernel);
	id = module ? btf__find_by_name_kind(module, name, BTF_KIND_FUNC) : -errno;
	btf__free(module);
	btf__free(kernel);
	return id;
}

static int load_probe(enum bpf_prog_type type, int btf_fd, int kfunc, char *log, size_t size)
{
	/* opts = {}; kfunc(ctx, &opts, sizeof(opts)); return 0; */
	const struct bpf_insn code[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -16 },
		{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -16 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 16 },
		{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL,
		  .off = 1, .imm = kfunc },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	/* The instruction's offset is an index here; 0 stands for the kernel itself. */
	const int fd_array[] = { -1, btf_fd };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .fd_array = fd_array,
		    .log_buf = log, .log_size = size, .log_level = 1);

	_Static_assert(sizeof(struct ebpfs_steer_opts) == 16 &&
		       sizeof(struct ebpfs_serve_opts) == 16, "the probe's stack layout");
	return bpf_prog_load(type, "ebpfs_probe", "GPL", code,
			     sizeof(code) / sizeof(code[0]), &opts);
}

static enum kfunc_state probe(enum bpf_prog_type type, const char *name, char *why, size_t size)
{
	char log[2048] = "";
	int btf_fd, kfunc, prog_fd;
	__u32 btf_id;

	why[0] = '\0';
	if (access("/sys/module/ebpfs", F_OK)) {
		snprintf(why, size, "the module ebpfs is not loaded; run: modprobe ebpfs, "
			 "or insmod ebpfs.ko");
		return KFUNC_NO_MODULE;
	}
	btf_fd = open_module_btf(&btf_id);
	if (btf_fd < 0 && errno != ENOENT) {
		snprintf(why, size, "the kernel does not show its modules' BTF: %s%s",
			 strerror(errno), errno == EPERM ?
			 "; that needs root, or CAP_BPF and CAP_SYS_ADMIN" : "");
		return KFUNC_REFUSED;
	}
	if (btf_fd < 0) {
		snprintf(why, size, "the module ebpfs was loaded without BTF, so that programs "
			 "cannot call it; install pahole and the kernel's BTF vmlinux (Debian: in "
			 "linux-headers), build the module anew and look for \"BTF [M]\"");
		return KFUNC_NO_BTF;
	}
	forget_messages();
	kfunc = find_kfunc(btf_id, name);
	if (kfunc < 0) {
		snprintf(why, size, "the BTF of the module ebpfs does not have %s; module and "
			 "ebpfsctl are of different versions, or it was built for another kernel: "
			 "build both from one tree, for this kernel", name);
		close(btf_fd);
		return KFUNC_UNKNOWN;
	}
	prog_fd = load_probe(type, btf_fd, kfunc, log, sizeof(log));
	if (prog_fd < 0) {
		snprintf(why, size, "the kernel refused a program that calls %s: %s; see the "
			 "kernel log for why the module could not register it. The verifier "
			 "said:\n%s", name, strerror(errno), log);
		close(btf_fd);
		return KFUNC_REFUSED;
	}
	close(prog_fd);
	close(btf_fd);
	return KFUNC_WORKS;
}

enum kfunc_state kfunc_probe(enum mode mode, char *why, size_t size)
{
	return mode == MODE_TC ?
	       probe(BPF_PROG_TYPE_SCHED_CLS, "bpf_ebpfs_steer_skb", why, size) :
	       probe(BPF_PROG_TYPE_XDP, "bpf_ebpfs_steer_xdp", why, size);
}

enum kfunc_state kfunc_probe_serve(char *why, size_t size)
{
	return probe(BPF_PROG_TYPE_SCHED_CLS, "bpf_ebpfs_serve_skb", why, size);
}

/* Whether counters that were pinned by an earlier run can be gone on with. */
static bool counters_fit(int map_fd, __u32 cpus, size_t row)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return map_fd >= 0 && !bpf_map_get_info_by_fd(map_fd, &info, &size) &&
	       info.type == BPF_MAP_TYPE_ARRAY && info.max_entries == cpus &&
	       info.value_size == row &&
	       info.map_flags & BPF_F_MMAPABLE;
}

/* Says why programs were not loaded: the probe has found @state, because of @why. */
static void say_refused(int err, enum kfunc_state state, const char *why, const char *said)
{
	if (err == -EPERM && geteuid())
		ctl_error("cannot load the programs: this needs root, or CAP_BPF, "
			  "CAP_PERFMON and CAP_NET_ADMIN");
	else if (state != KFUNC_WORKS)
		ctl_error("cannot load the programs: %s", why);
	else
		ctl_error("cannot load the programs: %s; libbpf said (all of it: "
			  "--verbose):\n%s", strerror(-err), said);
}

/* Nanoseconds from one datagram to the next. */
static uint64_t interval(uint32_t rate)
{
	return rate ? 1000000000ull / rate : 0;
}

/* The constants of a program's filter; false without random numbers. */
#define set_filter(rodata, filter, generic) ({					\
	(rodata)->ebpfs_door = (filter)->flags;					\
	if ((generic) && (filter)->flags)					\
		(rodata)->ebpfs_door |= EBPFS_DOOR_GENERIC;			\
	(rodata)->ebpfs_rate_source = interval((filter)->rate);			\
	(rodata)->ebpfs_rate_all = interval((filter)->rate_all);		\
	getrandom((void *)(rodata)->ebpfs_rate_random,				\
		  sizeof((rodata)->ebpfs_rate_random), 0) ==			\
		(ssize_t)sizeof((rodata)->ebpfs_rate_random);			\
})

bool steering_load(struct loaded *l, enum mode mode, uint16_t port, const struct filter *filter,
		   int map_fd)
{
	struct ebpfs_steer *object;
	struct bpf_program *prog;
	char why[4096];
	int cpus, err;

	forget_messages();
	object = ebpfs_steer__open();
	cpus = libbpf_num_possible_cpus();
	if (!object || cpus < 0) {
		ctl_error("cannot open the programs: %s", strerror(object ? -cpus : errno));
		return false;
	}
	prog = mode == MODE_TC ? object->progs.ebpfs_steer_tc : object->progs.ebpfs_steer_xdp;
	bpf_program__set_autoload(object->progs.ebpfs_steer_tc, mode == MODE_TC);
	bpf_program__set_autoload(object->progs.ebpfs_steer_xdp, mode != MODE_TC);
	object->rodata->ebpfs_port = port;
	if (!set_filter(object->rodata, filter, mode == MODE_XDP_GENERIC)) {
		ctl_error("the kernel gives no random numbers: %s", strerror(errno));
		ebpfs_steer__destroy(object);
		return false;
	}
	err = bpf_map__set_max_entries(object->maps.ebpfs_stats, cpus);
	l->reused = counters_fit(map_fd, cpus, sizeof(struct ebpfs_steer_row));
	if (!err && l->reused)
		err = bpf_map__reuse_fd(object->maps.ebpfs_stats, map_fd);
	if (!err)
		err = ebpfs_steer__load(object);
	if (err) {
		char *said = ctl_strdup(last_messages());

		say_refused(err, kfunc_probe(mode, why, sizeof(why)), why, said);
		free(said);
		ebpfs_steer__destroy(object);
		return false;
	}
	l->prog_fd = bpf_program__fd(prog);
	l->map_fd = bpf_map__fd(object->maps.ebpfs_stats);
	return true;
}

bool serving_load(struct loaded *l, const struct filter *filter, int map_fd)
{
	int cpus = libbpf_num_possible_cpus(), err;
	struct ebpfs_serve *object;
	char why[4096];

	forget_messages();
	object = ebpfs_serve__open();
	if (!object || cpus < 0) {
		ctl_error("cannot open the programs: %s", strerror(object ? -cpus : errno));
		return false;
	}
	if (!set_filter(object->rodata, filter, false)) {
		ctl_error("the kernel gives no random numbers: %s", strerror(errno));
		ebpfs_serve__destroy(object);
		return false;
	}
	err = bpf_map__set_max_entries(object->maps.ebpfs_serve_rows, cpus);
	l->reused = counters_fit(map_fd, cpus, sizeof(struct ebpfs_serve_row));
	if (!err && l->reused)
		err = bpf_map__reuse_fd(object->maps.ebpfs_serve_rows, map_fd);
	if (!err)
		err = ebpfs_serve__load(object);
	if (err) {
		char *said = ctl_strdup(last_messages());

		say_refused(err, kfunc_probe_serve(why, sizeof(why)), why, said);
		free(said);
		ebpfs_serve__destroy(object);
		return false;
	}
	l->prog_fd = bpf_program__fd(object->progs.ebpfs_serve_tc);
	l->map_fd = bpf_map__fd(object->maps.ebpfs_serve_rows);
	return true;
}

char *program_name(uint32_t id, char *name)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	_Static_assert(PROGRAM_NAME == BPF_OBJ_NAME_LEN, "what the kernel calls a program");
	strcpy(name, "?");
	if (fd < 0)
		return name;
	if (!bpf_prog_get_info_by_fd(fd, &info, &size) && info.name[0])
		snprintf(name, PROGRAM_NAME, "%s", info.name);
	close(fd);
	return name;
}

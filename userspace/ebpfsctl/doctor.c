// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl doctor: is everything here that ebpfs needs, and what to do if not.
 *
 * A check looks at one thing and adds one line: ok, warn (works, but slower or
 * only in part) or fail (does not work). Whether programs can call the module
 * is not concluded from signs but tried, by loading one; nothing is attached.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <net/if_arp.h>
#include <sys/utsname.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/iface.h"
#include "ebpfsctl/netlink.h"
#include "ebpfsctl/programs.h"
#include "lib/secret.h"

static const char help[] =
	"usage: ebpfsctl doctor [OPTION...] [IFACE...]\n"
	"\n"
	"Checks what ebpfs needs of this machine, and says what to do about what is\n"
	"wrong. Of interfaces it looks at those with a steering program and at IFACE...;\n"
	"without either, at all that are up. Exit status 1 if a check failed.\n"
	"\n"
	"  -n, --netns NAME  look at the interfaces of this network namespace\n"
	"  -j, --json        print the checks as JSON\n"
	"  -v, --verbose     show the messages of libbpf\n"
	"  -h, --help        this text\n";

enum level {
	LEVEL_OK,
	LEVEL_WARN,
	LEVEL_FAIL,
};

static const char *const level_names[] = { "ok", "warn", "fail" };
static struct json_object *report;
static unsigned int found[3];

/* One line of the report; @advice may be NULL. */
static void add(enum level level, const char *check, const char *advice, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void add(enum level level, const char *check, const char *advice, const char *format, ...)
{
	struct json_object *line;
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	found[level]++;
	if (!ctl_json) {
		printf("%-4s  %-12s %s\n", level_names[level], check, text);
		if (advice && level != LEVEL_OK)
			printf("      %-12s -> %s\n", "", advice);
		return;
	}
	line = json_object_new_object();
	json_add_string(line, "check", check);
	json_add_string(line, "level", level_names[level]);
	json_add_string(line, "text", text);
	json_add_string(line, "advice", level == LEVEL_OK ? NULL : advice);
	json_object_array_add(report, line);
}

/* First line of a small file, NULL if it cannot be read. */
static char *read_line(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (!file)
		return NULL;
	len = getline(&line, &size, file);
	fclose(file);
	if (len < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void check_kernel(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname uts;

	uname(&uts);
	if (sscanf(uts.release, "%u.%u", &major, &minor) != 2 ||
	    major < 6 || (major == 6 && minor < 6))
		add(LEVEL_FAIL, "kernel", "use kernel 6.12",
		    "%s is too old: tcx links came with 6.6", uts.release);
	else if (major == 6 && minor < 12)
		add(LEVEL_WARN, "kernel", "use kernel 6.12",
		    "%s is older than 6.12, the oldest that is tested", uts.release);
	else
		add(LEVEL_OK, "kernel", NULL, "%s", uts.release);
	if (geteuid())
		add(LEVEL_FAIL, "user", "run this as root", "not root: most checks below cannot tell");
}

static FILE *open_config(char *path, size_t size, bool *pipe)
{
	static const char *const places[] = {
		"/boot/config-%s", "/lib/modules/%s/config", "/lib/modules/%s/build/.config",
	};
	struct utsname uts;
	FILE *file;

	*pipe = false;
	uname(&uts);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t start = strcspn(places[i], "%");

		snprintf(path, size, "%.*s%s%s", (int)start, places[i], uts.release,
			 places[i] + start + 2);
		file = fopen(path, "re");
		if (file)
			return file;
	}
	snprintf(path, size, "/proc/config.gz");
	if (access(path, R_OK))
		return NULL;
	*pipe = true;
	return popen("zcat /proc/config.gz", "re");
}

static void check_config(void)
{
	static const struct {
		const char *name;
		const char *why;
	} needed[] = {
		{ "CONFIG_BPF_SYSCALL", "programs" },
		{ "CONFIG_BPF_JIT", "fast programs" },
		{ "CONFIG_DEBUG_INFO_BTF", "programs that call a module" },
		{ "CONFIG_DEBUG_INFO_BTF_MODULES", "programs that call a module" },
		{ "CONFIG_NET_XGRESS", "TC programs" },
		{ "CONFIG_NET_UDP_TUNNEL", "the module's sockets" },
		{ "CONFIG_KEYS", "secrets" },
	};
	size_t count = sizeof(needed) / sizeof(needed[0]), missing = 0;
	bool have[sizeof(needed) / sizeof(needed[0])] = {};
	char path[256], *line = NULL;
	size_t size = 0;
	bool pipe;
	FILE *file = open_config(path, sizeof(path), &pipe);

	if (!file) {
		add(LEVEL_WARN, "config", "install the kernel's package that has /boot/config-*",
		    "the kernel's configuration is not here to look at");
		return;
	}
	while (getline(&line, &size, file) > 0) {
		for (size_t i = 0; i < count; i++) {
			size_t len = strlen(needed[i].name);

			if (!strncmp(line, needed[i].name, len) && line[len] == '=' &&
			    (line[len + 1] == 'y' || line[len + 1] == 'm'))
				have[i] = true;
		}
	}
	free(line);
	if (pipe)
		pclose(file);
	else
		fclose(file);
	for (size_t i = 0; i < count; i++) {
		if (have[i])
			continue;
		missing++;
		add(LEVEL_FAIL, "config", "use a kernel that has it",
		    "%s is not set in %s: needed for %s", needed[i].name, path, needed[i].why);
	}
	if (!missing)
		add(LEVEL_OK, "config", NULL, "%s has the %zu options that are needed", path,
		    count);
}

static void check_bpf(void)
{
	char *jit;

	if (pins_available(false))
		add(LEVEL_OK, "bpffs", NULL, BPFFS_DIR " is mounted");
	else
		add(LEVEL_FAIL, "bpffs", "mount -t bpf -o mode=0700 bpf " BPFFS_DIR
		    "; \"ip netns exec\" hides it, \"nsenter --net\" and --netns do not",
		    "no BPF filesystem on " BPFFS_DIR ", where links are kept");

	jit = read_line("/proc/sys/net/core/bpf_jit_enable");
	if (!jit)
		add(LEVEL_WARN, "jit", "mount /proc, or look at CONFIG_BPF_JIT",
		    "cannot tell whether programs are compiled");
	else if (*jit == '0')
		add(LEVEL_WARN, "jit", "sysctl -w net.core.bpf_jit_enable=1",
		    "programs are interpreted, and slow");
	else
		add(LEVEL_OK, "jit", NULL, "programs are compiled");
	free(jit);

	if (access("/sys/kernel/btf/vmlinux", R_OK))
		add(LEVEL_FAIL, "btf", "use a kernel with CONFIG_DEBUG_INFO_BTF",
		    "the kernel has no BTF (/sys/kernel/btf/vmlinux: %s)", strerror(errno));
	else
		add(LEVEL_OK, "btf", NULL, "the kernel has BTF");
}

static void check_module(void)
{
	static const struct {
		enum mode mode;
		const char *what;
	} hooks[] = { { MODE_TC, "TC" }, { MODE_XDP, "XDP" } };
	char why[4096], *srcversion;

	if (access("/sys/module/ebpfs", F_OK)) {
		add(LEVEL_FAIL, "module", "modprobe ebpfs, or insmod ebpfs.ko",
		    "the module ebpfs is not loaded");
		return;
	}
	srcversion = read_line("/sys/module/ebpfs/srcversion");
	add(LEVEL_OK, "module", NULL, "ebpfs is loaded%s%s", srcversion ? ", srcversion " : "",
	    srcversion ? srcversion : "");
	free(srcversion);
	if (nl_open(false))
		add(LEVEL_OK, "netlink", NULL, "the module answers");
	else
		add(LEVEL_FAIL, "netlink", "see the kernel log; unload and load the module",
		    "the module does not answer");
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (kfunc_probe(hooks[i].mode, why, sizeof(why)) == KFUNC_WORKS)
			add(LEVEL_OK, "kfuncs", NULL, "%s programs can call the module (one was "
			    "loaded)", hooks[i].what);
		else
			add(LEVEL_FAIL, "kfuncs", "reads work, but nothing is steered at this hook",
			    "%s programs cannot call the module: %s", hooks[i].what, why);
	}
}

/* An interface of the current network namespace; @mode: of our program, or MODES. */
static void check_interface(const char *name, enum mode mode)
{
	struct iface iface;
	int gso;

	if (!iface_get(name, &iface)) {
		add(LEVEL_FAIL, "interface", "see: ip link", "there is no interface %s", name);
		return;
	}
	if (iface.type != ARPHRD_ETHER && iface.type != ARPHRD_LOOPBACK) {
		add(LEVEL_WARN, "interface", "replies arrive there by the plain way",
		    "%s has no Ethernet heads: its packets cannot be steered", name);
		return;
	}
	if (iface.mtu < 1280)
		add(LEVEL_FAIL, "mtu", ctl_format("ip link set %s mtu 1500, or more", name),
		    "%s: MTU %u is less than any path of ebpfs may have (1280)", name, iface.mtu);
	else if (iface.mtu < 9000)
		add(LEVEL_OK, "mtu", NULL, "%s: MTU %u; 9000, if all between can, saves much work "
		    "per byte", name, iface.mtu);
	else
		add(LEVEL_OK, "mtu", NULL, "%s: MTU %u", name, iface.mtu);

	gso = iface_feature(name, ETHTOOL_GGSO);
	if (!gso && mode == MODE_TC)
		add(LEVEL_WARN, "offloads", ctl_format("ethtool -K %s gso on (and tso on); on a "
		    "veth also at its other end", name),
		    "%s: GSO is off: no super-packets, each datagram passes TC alone", name);
	else if (!gso)
		add(LEVEL_WARN, "offloads", ctl_format("ethtool -K %s gso on", name),
		    "%s: GSO is off: a server sends each datagram alone", name);
	else
		add(LEVEL_OK, "offloads", NULL, "%s: GSO is %s", name, gso < 0 ? "not told" : "on");
	if (mode == MODE_XDP && !strcmp(iface.driver, "veth"))
		add(LEVEL_WARN, "steering", "use --mode tc on veth",
		    "%s: XDP on a veth copies every packet, and switches GSO off at its other end",
		    name);
	else if (mode == MODE_XDP_GENERIC)
		add(LEVEL_WARN, "steering", "use --mode tc, or xdp if the driver has it",
		    "%s: generic XDP is for tests: it copies packets first", name);
	else if (mode < MODES)
		add(LEVEL_OK, "steering", NULL, "%s: mode %s", name, mode_names[mode]);
}

/**
 * struct visit - an interface with a program, in its network namespace
 */
struct visit {
	const struct pin *pin;
	bool done;
};

static void visit_interface(void *data)
{
	struct visit *visit = data;
	char name[IF_NAMESIZE];

	if (!if_indextoname(visit->pin->ifindex, name))
		return;
	check_interface(name, pin_mode(visit->pin));
	visit->done = true;
}

static void check_interfaces(int count, char **names)
{
	size_t pin_count;
	struct pin *pins;
	struct ifaddrs *addrs, *addr;
	unsigned int looked = 0;
	char last[IF_NAMESIZE] = "";

	pins_list(&pins, &pin_count);
	for (int i = 0; i < count; i++, looked++)
		check_interface(names[i], MODES);
	for (size_t i = 0; i < pin_count; i++) {
		struct visit visit = { .pin = &pins[i] };
		char netns[256] = "";

		if (pin_is_stale(&pins[i])) {
			add(LEVEL_WARN, "steering", "ebpfsctl detach --gone",
			    "a program is left over from interface number %u, which was deleted; it "
			    "keeps the module from being unloaded", pins[i].ifindex);
			continue;
		}
		netns_visit(pins[i].netns, netns, sizeof(netns), visit_interface, &visit);
		looked += visit.done;
	}
	if (looked || getifaddrs(&addrs))
		return;
	for (addr = addrs; addr; addr = addr->ifa_next) {
		/* One entry per address; those of one interface of AF_PACKET come once. */
		if (!(addr->ifa_flags & IFF_UP) || addr->ifa_flags & IFF_LOOPBACK ||
		    !addr->ifa_addr || addr->ifa_addr->sa_family != AF_PACKET ||
		    !strcmp(last, addr->ifa_name))
			continue;
		snprintf(last, sizeof(last), "%s", addr->ifa_name);
		check_interface(addr->ifa_name, MODES);
	}
	freeifaddrs(addrs);
}

static void check_machine(void)
{
	static const char *const slow[] = {
		"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"
	};
	char *clock = read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
	static const char *const buffers[] = { "rmem_max", "wmem_max" };
	bool is_slow = false;

	for (size_t i = 0; clock && i < sizeof(slow) / sizeof(slow[0]); i++)
		is_slow |= !strcmp(clock, slow[i]);
	if (!clock)
		add(LEVEL_WARN, "clock", "mount /sys", "cannot tell the clock source");
	else if (is_slow)
		add(LEVEL_WARN, "clock", "boot with tsc=reliable if the processor's TSC is sound; see "
		    "available_clocksource beside it in /sys",
		    "%s takes a microsecond and more to read, and every call reads it", clock);
	else
		add(LEVEL_OK, "clock", NULL, "%s", clock);
	free(clock);

	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		char path[64], *value;

		snprintf(path, sizeof(path), "/proc/sys/net/core/%s", buffers[i]);
		value = read_line(path);
		if (!value)
			add(LEVEL_OK, buffers[i], NULL, "not told in this network namespace");
		else if (strtoul(value, NULL, 10) < 212992)
			add(LEVEL_WARN, buffers[i],
			    ctl_format("sysctl -w net.core.%s=8388608", buffers[i]),
			    "%s bytes are less than the kernel's default: servers may drop bursts",
			    value);
		else
			add(LEVEL_OK, buffers[i], NULL, "%s bytes; ebpfsd started by root goes beyond",
			    value);
		free(value);
	}
}

static void check_installation(void)
{
	static const char *const places[] = { "/sbin/mount.ebpfs", "/sbin/fs.d/mount.ebpfs",
					      "/sbin/fs/mount.ebpfs" };
	static const char secret_file[] = "/etc/ebpfs/secret";
	uint8_t secret[EBPFS_SECRET_LEN];
	const char *helper = NULL;
	char error[512];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !helper; i++)
		if (!access(places[i], X_OK))
			helper = places[i];
	if (helper)
		add(LEVEL_OK, "mount.ebpfs", NULL, "%s", helper);
	else
		add(LEVEL_FAIL, "mount.ebpfs", "make install, or: ln -s $(command -v ebpfsctl) "
		    "/sbin/mount.ebpfs", "%s is not there: mount -t ebpfs cannot find its helper",
		    places[0]);

	ebpfs_secret_protect();
	if (access(secret_file, F_OK))
		add(LEVEL_OK, "secret", NULL, "%s is not there: give secretfile= when mounting, "
		    "or have a key (ebpfsctl key)", secret_file);
	else if (ebpfs_secret_read(secret_file, secret, error, sizeof(error)))
		add(LEVEL_OK, "secret", NULL, "%s holds one", secret_file);
	else
		add(LEVEL_FAIL, "secret", "repair it as said, or give secretfile= when mounting",
		    "%s", error);
	explicit_bzero(secret, sizeof(secret));
}

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "netns", required_argument, NULL, 'n' },
		CTL_LONG
	};
	int opt, status;

	while ((opt = getopt_long(argc, argv, "n:" CTL_SHORT, options, NULL)) >= 0) {
		switch (opt) {
		case 'n':
			if (!netns_enter(optarg))
				return EXIT_FAILURE;
			break;
		default:
			status = ctl_option(cmd, opt);
			if (status >= 0)
				return status;
		}
	}
	if (ctl_json)
		report = json_object_new_array();
	check_kernel();
	check_config();
	check_bpf();
	check_module();
	check_interfaces(argc - optind, argv + optind);
	check_machine();
	check_installation();
	if (report)
		json_print(report);
	else
		printf("%u ok, %u to look at, %u failed\n", found[LEVEL_OK], found[LEVEL_WARN],
		       found[LEVEL_FAIL]);
	return found[LEVEL_FAIL] ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.summary = "what is missing here, and what to do about it",
	.help = help,
	.run = run,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * mount.ebpfs: the helper that mount(8) calls for type ebpfs.
 *
 * What the kernel cannot or should not do: host names become addresses, and the
 * client's secret goes from its file into the process keyring, where the kernel
 * finds it while this process mounts, and which ends with this process.
 * Everything else is passed on, and the kernel's words come back through the
 * filesystem context.
 */
#include <errno.h>
#include <fcntl.h>
#include <keyutils.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>

#include <ebpfs/wire.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/mount.h"
#include "lib/secret.h"

#define DEFAULT_SECRET	"/etc/ebpfs/secret"

static const char help[] =
	"usage: mount.ebpfs HOST[:PORT][,HOST[:PORT]]...:/EXPORT DIR [-fnsvh] [-N NS] [-o OPTIONS]\n"
	"\n"
	"Mounts a directory that ebpfsd exports. Usually called by mount(8):\n"
	"\n"
	"	mount -t ebpfs HOST:/EXPORT DIR\n"
	"\n"
	"  -o OPTIONS  of ebpfs:\n"
	"     name=CLIENT        what the servers know this client as (default: host name)\n"
	"     secretfile=FILE    its secret (default: " DEFAULT_SECRET ")\n"
	"     sec=crc|integrity|privacy  protection of the data (default: crc);\n"
	"     cipher= rekey= rekeydatagrams=  of the last two\n"
	"     timeo=N retrans=N  a soft request fails after timeo*(retrans+1) tenths of a second;\n"
	"                        a server that is silent for timeo, at most 2 s, is left\n"
	"     hard | soft        wait for silent servers, or fail\n"
	"     actimeo=SECONDS    trust attributes for so long\n"
	"     noac               ask each time, and write synchronously\n"
	"     nocto              open without asking, while attributes are trusted\n"
	"     port=N slots=N rsize=BYTES\n"
	"              and those of every filesystem: ro, nosuid, nodev, noexec, remount ...\n"
	"  -f          everything but the mount itself\n"
	"  -n          accepted for mount(8)'s sake\n"
	"  -s          options that the kernel does not know are no error\n"
	"  -N NS       DIR is in this mount namespace (a path or a process number)\n"
	"  -v          say what is done\n"
	"\n"
	"See mount.ebpfs(8).\n";

/* Prints what the kernel says of the context. Returns true if it said something wrong. */
static bool print_kernel_messages(int fs)
{
	bool wrong = false;
	char text[4096];
	ssize_t len;

	/* One message per read: "e why", "w beware", "i by the way". */
	while ((len = read(fs, text, sizeof(text) - 1)) > 0) {
		const char *start = text;

		text[len] = '\0';
		text[strcspn(text, "\n")] = '\0';
		if (len > 2 && text[1] == ' ')
			start += 2;
		if (!strncmp(start, "ebpfs: ", 7))
			start += 7;
		if (*text != 'i' || ctl_verbose)
			ctl_error("%s", start);
		wrong |= *text == 'e';
	}
	return wrong;
}

/* The last thing on a way that failed: what was tried, and why not. */
static int failed(int fs, int err, const char *what, const char *with)
{
	/* The kernel's own words say more than the number. */
	if (fs >= 0 && print_kernel_messages(fs))
		ctl_error("cannot %s %s", what, with);
	else if (err == EPERM)
		ctl_error("cannot %s %s: not permitted; this needs root", what, with);
	else
		ctl_error("cannot %s %s: %s", what, with, strerror(err));
	return MOUNT_FAILED;
}

/* With -v: everything that the kernel is told, also if it is not to be told (-f). */
static void tell(const struct mount_options *options)
{
	static const struct {
		uint64_t mask;
		uint64_t attr;
		const char *name;
	} names[] = {
		{ MOUNT_ATTR_RDONLY, MOUNT_ATTR_RDONLY, "ro" },
		{ MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSUID, "nosuid" },
		{ MOUNT_ATTR_NODEV, MOUNT_ATTR_NODEV, "nodev" },
		{ MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOEXEC, "noexec" },
		{ MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, "noatime" },
		{ MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME, "strictatime" },
		{ MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NODIRATIME, "nodiratime" },
		{ MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow" },
	};

	if (options->name)
		ctl_debug("option name=%s", options->name);
	for (size_t i = 0; i < options->fs_count; i++)
		ctl_debug("option %s%s%s", options->fs[i].key, options->fs[i].value ? "=" : "",
			  options->fs[i].value ? options->fs[i].value : "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((options->attr_set & names[i].mask) == names[i].attr)
			ctl_debug("attribute %s", names[i].name);
}

static int configure(int fs, const char *key, const char *value, bool sloppy)
{
	char text[4096], *option;
	ssize_t len;
	int err;

	if (!fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0))
		return 0;
	err = errno;
	option = value ? ctl_format("%s=%s", key, value) : ctl_strdup(key);
	if (err != EINVAL || !sloppy)
		return failed(fs, err, "use the option", option);
	/* Only those that nobody knows are forgiven, not those with a wrong value. */
	len = read(fs, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	if (strstr(text, "Unknown parameter")) {
		ctl_debug("option %s is not known, and left out", option);
		return 0;
	}
	ctl_error("%s", len > 2 ? text + 2 : "wrong value");
	return failed(-1, EINVAL, "use the option", option);
}

static int configure_all(int fs, const struct mount_options *options, bool sloppy)
{
	int status;

	for (size_t i = 0; i < options->fs_count; i++) {
		status = configure(fs, options->fs[i].key, options->fs[i].value, sloppy);
		if (status)
			return status;
	}
	return 0;
}

static int remount(const char *dir, const struct mount_options *options, bool sloppy)
{
	struct mount_attr attr = {
		.attr_set = options->attr_set,
		.attr_clr = options->attr_clear,
	};
	int fs, status;

	if (!options->bind) {
		fs = fspick(AT_FDCWD, dir, FSPICK_CLOEXEC);
		if (fs < 0)
			return failed(-1, errno, "remount", dir);
		status = configure_all(fs, options, sloppy);
		if (!status && options->name)
			status = configure(fs, "name", options->name, sloppy);
		if (status)
			return status;
		if (fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0))
			return failed(fs, errno, "remount", dir);
		print_kernel_messages(fs);
		close(fs);
	}
	if ((attr.attr_set || attr.attr_clr) &&
	    mount_setattr(AT_FDCWD, dir, 0, &attr, sizeof(attr)))
		return failed(-1, errno, "change the mount at", dir);
	return 0;
}

/* The secret from the file into the keyring of this process. */
static int add_secret(const char *client, const char *file)
{
	char *description = ctl_format("ebpfs:%s", client), error[PATH_MAX + 256];
	uint8_t secret[EBPFS_SECRET_LEN];
	key_serial_t key;

	ebpfs_secret_protect();
	/* The user's keyring is asked beside: a session's need not have a link to it. What
	 * is found there gets one in the process's, where the kernel looks. */
	if (!file && access(DEFAULT_SECRET, F_OK) &&
	    (request_key("logon", description, NULL, 0) >= 0 ||
	     keyctl_search(KEY_SPEC_USER_KEYRING, "logon", description,
			   KEY_SPEC_PROCESS_KEYRING) >= 0)) {
		ctl_debug("using the key %s that the keyring has", description);
		return 0;
	}
	if (!file)
		file = DEFAULT_SECRET;
	if (!ebpfs_secret_read(file, secret, error, sizeof(error))) {
		ctl_error("no secret for client '%s': %s%s", client, error, errno == ENOENT ?
			  "; put the secret there that the servers have for this client (mode 0600), "
			  "or give secretfile=FILE, or add a key with: ebpfsctl key add NAME" : "");
		return MOUNT_FAILED;
	}
	key = add_key("logon", description, secret, sizeof(secret), KEY_SPEC_PROCESS_KEYRING);
	explicit_bzero(secret, sizeof(secret));
	if (key < 0) {
		ctl_error("cannot add the key %s to the keyring: %s", description,
			  strerror(errno));
		return MOUNT_SYSTEM;
	}
	ctl_debug("key %s is from %s", description, file);
	return 0;
}

static int enter_namespace(const char *ns)
{
	bool number = *ns && strspn(ns, "0123456789") == strlen(ns);
	char *path = number ? ctl_format("/proc/%s/ns/mnt", ns) : ctl_strdup(ns);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNS)) {
		ctl_error("cannot enter the mount namespace %s: %s", path, strerror(errno));
		return MOUNT_SYSTEM;
	}
	close(fd);
	return 0;
}

char *mount_client_name(const char *given)
{
	char host[HOST_NAME_MAX + 1] = "";

	if (!given && (gethostname(host, sizeof(host) - 1) || !*host)) {
		ctl_error("this host has no name; name the client");
		return NULL;
	}
	given = given ? given : host;
	if (!*given || strlen(given) >= EBPFS_CLIENT_MAX) {
		ctl_error("'%s': a client's name has 1 to %d bytes", given, EBPFS_CLIENT_MAX - 1);
		return NULL;
	}
	if (strpbrk(given, ", \t\n\\")) {
		ctl_error("'%s': a client's name has no commas, blanks and backslashes", given);
		return NULL;
	}
	return ctl_strdup(given);
}

static int do_mount(const char *source, const char *dir, const struct mount_options *options,
		    bool sloppy)
{
	int fs, mnt, at, status;

	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return failed(-1, errno, "mount at", dir);
	fs = fsopen("ebpfs", FSOPEN_CLOEXEC);
	if (fs < 0 && errno == ENODEV) {
		ctl_error("the kernel does not know the filesystem ebpfs; load the module: modprobe "
			  "ebpfs, or insmod ebpfs.ko");
		return MOUNT_FAILED;
	}
	if (fs < 0)
		return failed(-1, errno, "mount", source);
	status = configure(fs, "source", source, false);
	if (!status)
		status = configure(fs, "name", options->name, false);
	if (!status)
		status = configure_all(fs, options, sloppy);
	if (status)
		return status;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return failed(fs, errno, "mount", source);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, options->attr_set);
	if (mnt < 0)
		return failed(fs, errno, "mount", source);
	print_kernel_messages(fs);
	if (move_mount(mnt, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return failed(-1, errno, "mount at", dir);
	return 0;
}

int mount_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	struct mount_options options = {};
	bool fake = false, sloppy = false;
	const char *namespace = NULL;
	char *numeric;
	int opt, status;

	ctl_name = "mount.ebpfs";
	while ((opt = getopt_long(argc, argv, "fhnsvN:o:t:", long_options, NULL)) >= 0) {
		switch (opt) {
		case 'f':
			fake = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_SUCCESS;
		case 'n':	/* no mtab: there is none any more */
		case 't':	/* the type, with a subtype: ours has none */
			break;
		case 's':
			sloppy = true;
			break;
		case 'v':
			ctl_verbose = true;
			break;
		case 'N':
			namespace = optarg;
			break;
		case 'o':
			if (!mount_options_parse(&options, optarg))
				return MOUNT_USAGE;
			break;
		default:
			fputs(help, stderr);
			return MOUNT_USAGE;
		}
	}
	if (argc - optind != 2) {
		ctl_error("expected a source and a directory");
		fputs(help, stderr);
		return MOUNT_USAGE;
	}

	if (options.remount) {
		tell(&options);
		status = namespace ? enter_namespace(namespace) : 0;
		if (status)
			return status;
		return fake ? 0 : remount(argv[optind + 1], &options, sloppy);
	}
	status = mount_source_resolve(argv[optind], &numeric);
	if (status)
		return status;
	ctl_debug("source %s", numeric);
	options.name = mount_client_name(options.name);
	if (!options.name)
		return MOUNT_USAGE;
	tell(&options);
	status = add_secret(options.name, options.secretfile);
	if (status || fake)
		return status;
	/* Files and names were this namespace's, the directory is the other's. */
	status = namespace ? enter_namespace(namespace) : 0;
	if (status)
		return status;
	return do_mount(numeric, argv[optind + 1], &options, sloppy);
}

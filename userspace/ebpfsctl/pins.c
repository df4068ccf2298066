// SPDX-License-Identifier: GPL-2.0
/*
 * Pinned links and counters; see pins.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <bpf/bpf.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/pins.h"

const char *const mode_names[MODES] = {
	[MODE_TC] = "tc",
	[MODE_XDP] = "xdp",
	[MODE_XDP_GENERIC] = "xdp-generic",
};

const char *const verdict_names[EBPFS_STEER_VERDICTS] = {
	[EBPFS_STEER_FILLED] = "filled",
	[EBPFS_STEER_USELESS] = "useless",
	[EBPFS_STEER_CORRUPT] = "corrupt",
	[EBPFS_STEER_PASS_OTHER] = "pass_other",
	[EBPFS_STEER_PASS_TYPE] = "pass_type",
	[EBPFS_STEER_PASS_SESSION] = "pass_session",
	[EBPFS_STEER_PASS_MALFORMED] = "pass_malformed",
	[EBPFS_STEER_PASS_BUSY] = "pass_busy",
	[EBPFS_STEER_PASS_STRANGER] = "pass_stranger",
	[EBPFS_STEER_DROP_FORM] = "drop_form",
	[EBPFS_STEER_DROP_VERSION] = "drop_version",
	[EBPFS_STEER_DROP_TYPE] = "drop_type",
	[EBPFS_STEER_DROP_PEER] = "drop_peer",
	[EBPFS_STEER_DROP_SESSION] = "drop_session",
	[EBPFS_STEER_DROP_REPLAY] = "drop_replay",
	[EBPFS_STEER_DROP_RATE] = "drop_rate",
};

const char *const serve_verdict_names[EBPFS_SERVE_VERDICTS] = {
	[EBPFS_SERVE_ANSWERED] = "answered",
	[EBPFS_SERVE_PASS_OTHER] = "pass_other",
	[EBPFS_SERVE_PASS_SESSION] = "pass_session",
	[EBPFS_SERVE_PASS_TURN] = "pass_turn",
	[EBPFS_SERVE_PASS_OP] = "pass_op",
	[EBPFS_SERVE_PASS_AGAIN] = "pass_again",
	[EBPFS_SERVE_PASS_GRANT] = "pass_grant",
	[EBPFS_SERVE_PASS_CACHE] = "pass_cache",
	[EBPFS_SERVE_PASS_MEMORY] = "pass_memory",
	[EBPFS_SERVE_PASS_KEY] = "pass_key",
	[EBPFS_SERVE_FORGED] = "forged",
	[EBPFS_SERVE_REPLAYED] = "replayed",
	[EBPFS_SERVE_PASS_STRANGER] = "pass_stranger",
	[EBPFS_SERVE_DROP_FORM] = "drop_form",
	[EBPFS_SERVE_DROP_VERSION] = "drop_version",
	[EBPFS_SERVE_DROP_TYPE] = "drop_type",
	[EBPFS_SERVE_DROP_PEER] = "drop_peer",
	[EBPFS_SERVE_DROP_SESSION] = "drop_session",
	[EBPFS_SERVE_DROP_REPLAY] = "drop_replay",
	[EBPFS_SERVE_DROP_RATE] = "drop_rate",
};

enum mode mode_find(const char *name)
{
	enum mode mode;

	for (mode = 0; mode < MODES; mode++)
		if (!strcmp(name, mode_names[mode]))
			break;
	return mode;
}

bool pins_available(bool complain)
{
	struct statfs fs;

	if (!statfs(BPFFS_DIR, &fs) && fs.f_type == BPF_FS_MAGIC)
		return true;
	if (complain)
		ctl_error("no BPF filesystem on " BPFFS_DIR ", where links are kept; run: "
			  "mount -t bpf -o mode=0700 bpf " BPFFS_DIR " (\"ip netns exec\" hides it: use "
			  "--netns NAME instead)");
	return false;
}

bool pins_lock(void)
{
	struct stat st;
	int fd;

	if (!pins_available(true))
		return false;
	if (mkdir(PINS_DIR, 0700) && errno != EEXIST) {
		ctl_error("cannot make the directory " PINS_DIR ": %s%s", strerror(errno),
			  geteuid() ? "; this needs root" : "");
		return false;
	}
	fd = open(PINS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		ctl_error("cannot open the directory " PINS_DIR ": %s%s", strerror(errno),
			  geteuid() ? "; this needs root" : "");
		return false;
	}
	/* A BPF filesystem may be everybody's to write. */
	if (st.st_uid || st.st_mode & (S_IWGRP | S_IWOTH)) {
		ctl_error("the directory " PINS_DIR " could be changed by others than root (owner "
			  "%u, mode %04o); if that is a mistake, say: chown root " PINS_DIR "; "
			  "chmod 0700 " PINS_DIR, st.st_uid, st.st_mode & 07777);
		return false;
	}
	if (flock(fd, LOCK_EX)) {
		ctl_error("cannot lock the directory " PINS_DIR ": %s", strerror(errno));
		return false;
	}
	return true;	/* the lock goes with the process */
}

static void pin_path(const struct pin *pin, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", pin->dir, name);
}

/* What is pinned as @name; -1: nothing, or it cannot be opened, which is said and noted. */
static int open_pinned(struct pin *pin, const char *name)
{
	char path[96];
	int fd;

	pin_path(pin, name, path, sizeof(path));
	fd = bpf_obj_get(path);
	if (fd >= 0 || errno == ENOENT)
		return fd;
	ctl_error("cannot open %s: %s", path, strerror(errno));
	pin->unknown = true;
	return -1;
}

static void open_link(struct pin *pin, const char *name, struct pinned_link *link)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	link->fd = open_pinned(pin, name);
	if (link->fd < 0)
		return;
	if (bpf_link_get_info_by_fd(link->fd, &info, &size)) {
		ctl_error("cannot read the link %s/%s: %s", pin->dir, name, strerror(errno));
		close(link->fd);
		link->fd = -1;
		pin->unknown = true;
		return;
	}
	link->prog_id = info.prog_id;
	if (info.type == BPF_LINK_TYPE_XDP)
		link->ifindex = info.xdp.ifindex;
	else if (info.type == BPF_LINK_TYPE_TCX)
		link->ifindex = info.tcx.ifindex;
}

bool pin_open(struct pin *pin, uint64_t netns, uint32_t ifindex)
{
	memset(pin, 0, sizeof(*pin));
	pin->netns = netns;
	pin->ifindex = ifindex;
	snprintf(pin->dir, sizeof(pin->dir), PINS_DIR "/%" PRIu64 "-%" PRIu32, netns, ifindex);
	for (enum mode mode = 0; mode < MODES; mode++)
		open_link(pin, mode_names[mode], &pin->links[mode]);
	pin->map_fd = open_pinned(pin, "stats");
	open_link(pin, "serve", &pin->serve);
	pin->serve_map_fd = open_pinned(pin, "serve-stats");
	return !pin->unknown;
}

void pin_close(struct pin *pin)
{
	for (enum mode mode = 0; mode < MODES; mode++)
		if (pin->links[mode].fd >= 0)
			close(pin->links[mode].fd);
	if (pin->map_fd >= 0)
		close(pin->map_fd);
	if (pin->serve.fd >= 0)
		close(pin->serve.fd);
	if (pin->serve_map_fd >= 0)
		close(pin->serve_map_fd);
}

enum mode pin_mode(const struct pin *pin)
{
	enum mode mode;

	for (mode = 0; mode < MODES; mode++)
		if (pin->links[mode].fd >= 0)
			break;
	return mode;
}

bool pin_is_stale(const struct pin *pin)
{
	for (enum mode mode = 0; mode < MODES; mode++)
		if (pin->links[mode].fd >= 0 && pin->links[mode].ifindex)
			return false;
	return pin->serve.fd < 0 || !pin->serve.ifindex;
}

static bool detach(const struct pin *pin, struct pinned_link *link, const char *name)
{
	char path[96];

	if (link->fd < 0)
		return true;
	/*
	 * Removing the pin would do, some time later; detaching is done when
	 * the call returns. An interface that is gone took its link along.
	 */
	if (link->ifindex && bpf_link_detach(link->fd) && errno != ENOLINK) {
		ctl_error("cannot detach the %s program of interface %u: %s", name, pin->ifindex,
			  strerror(errno));
		return false;
	}
	pin_path(pin, name, path, sizeof(path));
	if (unlink(path) && errno != ENOENT) {
		ctl_error("cannot remove %s: %s", path, strerror(errno));
		return false;
	}
	close(link->fd);
	link->fd = -1;
	return true;
}

bool pin_detach(struct pin *pin, enum mode mode)
{
	return detach(pin, &pin->links[mode], mode_names[mode]);
}

/* The counters @name, and the directory if it is empty then. */
static bool remove_counters(const struct pin *pin, int *map_fd, const char *name)
{
	char path[96];

	if (*map_fd >= 0)
		close(*map_fd);
	*map_fd = -1;
	pin_path(pin, name, path, sizeof(path));
	if (unlink(path) && errno != ENOENT) {
		ctl_error("cannot remove %s: %s", path, strerror(errno));
		return false;
	}
	if (rmdir(pin->dir) && errno != ENOENT && errno != ENOTEMPTY) {
		ctl_error("cannot remove %s: %s", pin->dir, strerror(errno));
		return false;
	}
	return true;
}

bool pin_remove_steer(struct pin *pin)
{
	for (enum mode mode = 0; mode < MODES; mode++)
		if (!pin_detach(pin, mode))
			return false;
	return remove_counters(pin, &pin->map_fd, "stats");
}

bool pin_remove_serve(struct pin *pin)
{
	return detach(pin, &pin->serve, "serve") &&
	       remove_counters(pin, &pin->serve_map_fd, "serve-stats");
}

static int compare_pins(const void *left, const void *right)
{
	const struct pin *a = left, *b = right;

	if (a->netns != b->netns)
		return a->netns < b->netns ? -1 : 1;
	return (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}

/* Each interface takes some descriptors. */
static void allow_many(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

bool pins_list(struct pin **pins, size_t *count)
{
	struct dirent *entry;
	bool good = true;
	DIR *dir;

	*pins = NULL;
	*count = 0;
	if (!pins_available(true))
		return false;
	dir = opendir(PINS_DIR);
	if (!dir) {
		if (errno == ENOENT)
			return true;
		ctl_error("cannot look into " PINS_DIR ": %s%s", strerror(errno),
			  errno == EACCES ? "; this needs root" : "");
		return false;
	}
	allow_many();
	while ((entry = readdir(dir))) {
		uint64_t netns;
		uint32_t ifindex;
		int end = 0;

		if (sscanf(entry->d_name, "%" SCNu64 "-%" SCNu32 "%n", &netns, &ifindex,
			   &end) != 2 ||
		    entry->d_name[end])
			continue;
		*pins = ctl_grow(*pins, *count, sizeof(**pins));
		good &= pin_open(&(*pins)[(*count)++], netns, ifindex);
	}
	closedir(dir);
	if (*count)
		qsort(*pins, *count, sizeof(**pins), compare_pins);
	return good;
}

/* The rows of a map, of @row bytes each, or NULL; @cpus: out, how many. */
static const void *map_rows(const struct pin *pin, int map_fd, size_t row, size_t *cpus)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	size_t page = sysconf(_SC_PAGESIZE), bytes;
	void *rows;

	if (map_fd < 0 || bpf_map_get_info_by_fd(map_fd, &info, &size))
		return NULL;
	if (info.value_size != row) {
		ctl_debug("the counters of interface %u are of another version", pin->ifindex);
		return NULL;
	}
	bytes = (size_t)info.max_entries * info.value_size;
	bytes = (bytes + page - 1) / page * page;
	rows = mmap(NULL, bytes, PROT_READ, MAP_SHARED, map_fd, 0);
	if (rows == MAP_FAILED) {
		ctl_debug("cannot map the counters of interface %u: %s", pin->ifindex,
			  strerror(errno));
		return NULL;
	}
	*cpus = info.max_entries;
	return rows;
}

bool counters_map(const struct pin *pin, struct counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	counters->rows = map_rows(pin, pin->map_fd, sizeof(*counters->rows), &counters->cpus);
	return counters->rows;
}

bool serve_sum(const struct pin *pin, struct ebpfs_serve_row *sum)
{
	const volatile struct ebpfs_serve_row *row;
	size_t cpus;

	memset(sum, 0, sizeof(*sum));
	row = map_rows(pin, pin->serve_map_fd, sizeof(*row), &cpus);
	if (!row)
		return false;
	for (size_t cpu = 0; cpu < cpus; cpu++, row++) {
		for (int i = 0; i < EBPFS_SERVE_VERDICTS; i++)
			sum->packets[i] += row->packets[i];
		sum->calls += row->calls;
		sum->bytes += row->bytes;
		sum->errors += row->errors;
	}
	return true;
}

void counters_sum(const struct counters *counters, struct ebpfs_steer_row *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (size_t cpu = 0; cpu < counters->cpus; cpu++) {
		/* The kernel writes meanwhile: every word is read once. */
		const volatile struct ebpfs_steer_row *row = &counters->rows[cpu];

		for (int i = 0; i < EBPFS_STEER_VERDICTS; i++)
			sum->packets[i] += row->packets[i];
		sum->bytes += row->bytes;
		sum->errors += row->errors;
	}
}

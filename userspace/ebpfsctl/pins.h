/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What ebpfsctl keeps between its runs: links and counters, pinned in bpffs.
 *
 *	/sys/fs/bpf/ebpfs/NETNS-IFINDEX/tc|xdp|xdp-generic	the link
 *	/sys/fs/bpf/ebpfs/NETNS-IFINDEX/stats			its counters
 *	/sys/fs/bpf/ebpfs/NETNS-IFINDEX/serve			the link of the serving program
 *	/sys/fs/bpf/ebpfs/NETNS-IFINDEX/serve-stats		its counters
 *
 * NETNS is the inode number of the network namespace. A link that steers has one mode,
 * and an interface one such link, except for a moment while the mode is changed. ebpfsd
 * looks for links that serve. The link of an interface that was deleted stays pinned,
 * bound to nothing. All changes are made under an exclusive flock() of the top directory.
 */
#ifndef EBPFSCTL_PINS_H
#define EBPFSCTL_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebpfs/serve.h>
#include <ebpfs/steer.h>

#define BPFFS_DIR	"/sys/fs/bpf"
#define PINS_DIR	BPFFS_DIR "/ebpfs"

enum mode {
	MODE_TC,
	MODE_XDP,
	MODE_XDP_GENERIC,
	MODES
};

extern const char *const mode_names[MODES];

/* The mode of that name, or MODES. */
enum mode mode_find(const char *name);

/**
 * struct pinned_link - a link of ours
 * @fd: -1 if there is none
 * @prog_id: the program it runs
 * @ifindex: of the interface, 0 if that was deleted
 */
struct pinned_link {
	int fd;
	uint32_t prog_id;
	uint32_t ifindex;
};

/**
 * struct pin - an interface with programs of ours
 * @netns: inode number of its network namespace
 * @ifindex: its number there
 * @dir: directory of its pins
 * @links: by mode
 * @map_fd: counters, -1 if there are none
 * @serve: link of the serving program
 * @serve_map_fd: its counters, -1 if there are none
 * @unknown: some of it could not be opened: it may be more than what is here
 */
struct pin {
	uint64_t netns;
	uint32_t ifindex;
	char dir[64];
	struct pinned_link links[MODES];
	int map_fd;
	struct pinned_link serve;
	int serve_map_fd;
	bool unknown;
};

/* Is bpffs there? If not and @complain, says what to do. */
bool pins_available(bool complain);

/* Makes the top directory and locks it until exit. Says what is wrong. */
bool pins_lock(void);

/* Opens what is pinned for an interface, which may be nothing. Says what is wrong. */
bool pin_open(struct pin *pin, uint64_t netns, uint32_t ifindex);
void pin_close(struct pin *pin);

/* Is it left over from an interface that was deleted, or an interrupted attach? */
bool pin_is_stale(const struct pin *pin);

/* The mode in use, MODES if none. */
enum mode pin_mode(const struct pin *pin);

/* Detaches one link, at once, and removes its pin. Says what is wrong. */
bool pin_detach(struct pin *pin, enum mode mode);

/* Detach what steers, or what serves, and remove its counters, and the directory if
 * nothing is left. They say what is wrong. */
bool pin_remove_steer(struct pin *pin);
bool pin_remove_serve(struct pin *pin);

/**
 * pins_list() - every interface with programs of ours
 * @pins: out, an array, NULL if there are none
 * @count: out
 *
 * Return: false if not all of them could be seen, after saying why.
 */
bool pins_list(struct pin **pins, size_t *count);

/**
 * struct counters - the counters of an interface's programs
 * @rows: mapped from the kernel, NULL if there are none; read-only
 * @cpus: number of rows
 */
struct counters {
	const struct ebpfs_steer_row *rows;
	size_t cpus;
};

/* Maps the counters; false if that cannot be done (another layout, no map). */
bool counters_map(const struct pin *pin, struct counters *counters);

/* The sum over all CPUs; no system call. */
void counters_sum(const struct counters *counters, struct ebpfs_steer_row *sum);

/* The sum of the serving program's counters over all CPUs; false if there are none. */
bool serve_sum(const struct pin *pin, struct ebpfs_serve_row *sum);

/* Names of the serving program's verdicts, NULL behind the last. */
extern const char *const serve_verdict_names[EBPFS_SERVE_VERDICTS];

#define VERDICTS_TAKEN (EBPFS_STEER_CORRUPT + 1)
/* Names of the verdicts, as they are shown. */
extern const char *const verdict_names[EBPFS_STEER_VERDICTS];

#endif /* EBPFSCTL_PINS_H */

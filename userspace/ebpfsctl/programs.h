/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading the steering programs, and finding out why they do not load.
 */
#ifndef EBPFSCTL_PROGRAMS_H
#define EBPFSCTL_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <net/if.h>

#include "ebpfsctl/pins.h"

/**
 * enum kfunc_state - can programs call the module?
 * @KFUNC_WORKS: a program that does was loaded
 * @KFUNC_NO_MODULE: the module is not there
 * @KFUNC_NO_BTF: it is, without BTF
 * @KFUNC_UNKNOWN: it has BTF that does not name the kfunc
 * @KFUNC_REFUSED: the kernel refused the program, the log says why
 */
enum kfunc_state {
	KFUNC_WORKS,
	KFUNC_NO_MODULE,
	KFUNC_NO_BTF,
	KFUNC_UNKNOWN,
	KFUNC_REFUSED,
};

/**
 * kfunc_probe() - load a program of a few instructions that calls a kfunc
 * @mode: which one: of the XDP modes, or of TC
 * @why: out, what was found and what to do, empty if KFUNC_WORKS
 * @size: of @why
 *
 * Nothing is attached.
 */
enum kfunc_state kfunc_probe(enum mode mode, char *why, size_t size);

/* The same for the kfunc that serves. */
enum kfunc_state kfunc_probe_serve(char *why, size_t size);

/**
 * struct loaded - a loaded program; what it needs lives as long as the process
 * @prog_fd: program
 * @map_fd: its counters
 * @reused: they are those that were asked for
 */
struct loaded {
	int prog_fd;
	int map_fd;
	bool reused;
};

/**
 * struct filter - what a program does at the door
 * @flags: enum ebpfs_door_flags
 * @rate: datagrams of strangers per second from one source, 0: no limit
 * @rate_all: from all sources
 */
struct filter {
	uint32_t flags;
	uint32_t rate;
	uint32_t rate_all;
};

/**
 * steering_load() - load the program of a mode
 * @l: out
 * @mode: which
 * @port: UDP source port to look at, 0 for any
 * @filter: at the door
 * @map_fd: counters to go on with, -1 for new ones; not used if they do not fit
 *
 * Attaches nothing. Says what is wrong and what to do; false on failure.
 */
bool steering_load(struct loaded *l, enum mode mode, uint16_t port, const struct filter *filter,
		   int map_fd);

/* The same for the program that serves. */
bool serving_load(struct loaded *l, const struct filter *filter, int map_fd);

#define PROGRAM_NAME	16	/* bytes, BPF_OBJ_NAME_LEN */
/* What a program is called, "?" if it is gone; into @name of PROGRAM_NAME bytes. */
char *program_name(uint32_t id, char *name);

#endif /* EBPFSCTL_PROGRAMS_H */

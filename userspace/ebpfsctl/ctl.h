/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all subcommands of ebpfsctl share: the command table, options, messages
 * and output. ebpfsctl is one thread and exits after one command; memory that
 * lives until then is not freed.
 */
#ifndef EBPFSCTL_CTL_H
#define EBPFSCTL_CTL_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <json-c/json.h>

#define EBPFSCTL_VERSION	"0.1"

/* Exit codes; success and failure are those of stdlib.h. */
#define EXIT_USAGE		2

/**
 * struct command - a line of the command table
 * @name: first argument that selects it
 * @summary: one line for the list of commands
 * @help: usage and options, for --help
 * @run: does it; @argv[0] is the command's name. Returns an exit code.
 */
struct command {
	const char *name;
	const char *summary;
	const char *help;
	int (*run)(const struct command *cmd, int argc, char **argv);
};

extern const struct command cmd_attach, cmd_detach, cmd_status, cmd_stats, cmd_doctor, cmd_node,
	cmd_abort, cmd_mounts, cmd_key;

int mount_main(int argc, char **argv);

/* Set by the common options. */
extern bool ctl_json, ctl_verbose;
/* What messages begin with: "ebpfsctl" or "mount.ebpfs". */
extern const char *ctl_name;

/* The common options, to stand in every command's tables. */
#define CTL_SHORT	"hjv"
#define CTL_LONG							\
	{ "help", no_argument, NULL, 'h' },				\
	{ "json", no_argument, NULL, 'j' },				\
	{ "verbose", no_argument, NULL, 'v' },				\
	{}

/**
 * ctl_option() - an option that the command itself does not know
 * @cmd: the command
 * @opt: what getopt_long() returned
 *
 * Return: -1 to go on, else the exit code to return at once.
 */
int ctl_option(const struct command *cmd, int opt);

/* Says what is wrong with the arguments; returns EXIT_USAGE. */
int ctl_usage(const struct command *cmd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "ebpfsctl: ..." on standard error. */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, only with --verbose. */
void ctl_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* These do not fail: out of memory ends the program. */
void *ctl_grow(void *array, size_t count, size_t size);	/* room for one more, zeroed */
char *ctl_strdup(const char *text);
char *ctl_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* output.c */
/* Prints an object in a form fit for people and programs, and frees it. */
void json_print(struct json_object *object);
void json_line(struct json_object *object);	/* the same in one line */
void json_add_string(struct json_object *object, const char *key, const char *value);
void json_add_u64(struct json_object *object, const char *key, uint64_t value);
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_double(struct json_object *object, const char *key, double value);

#define TEXT_SIZE 32
/* Numbers for people; they write into and return @text of TEXT_SIZE bytes. */
char *text_bytes(char *text, uint64_t bytes);
char *text_time(char *text, uint64_t ns);
char *text_share(char *text, double share);	/* negative: "-" */

#endif /* EBPFSCTL_CTL_H */

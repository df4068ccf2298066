// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl: administration of ebpfs. This file is the table of commands; each
 * command is a file. Called as mount.ebpfs, it is the helper of mount(8).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <ebpfs/wire.h>

#include "ebpfsctl/ctl.h"

bool ctl_json, ctl_verbose;
const char *ctl_name = "ebpfsctl";

static const struct command *const commands[] = {
	&cmd_attach,
	&cmd_detach,
	&cmd_status,
	&cmd_stats,
	&cmd_doctor,
	&cmd_mounts,
	&cmd_node,
	&cmd_abort,
	&cmd_key,
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
	fprintf(out, "usage: ebpfsctl [-j] [-v] COMMAND [ARGUMENT...]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\n"
		"  -j, --json     print JSON instead of text\n"
		"  -v, --verbose  say more, such as the messages of libbpf\n"
		"  -V, --version  print the version\n"
		"  -h, --help     this text; after COMMAND: how to use it\n"
		"\n"
		"Exit status: 0 success, 1 failure, 2 wrong usage. See ebpfsctl(8).\n");
}

static void print_message(const char *format, va_list args)
{
	/* Text on standard output, if any, belongs before it. */
	fflush(stdout);
	fprintf(stderr, "%s: ", ctl_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void ctl_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message(format, args);
	va_end(args);
}

void ctl_debug(const char *format, ...)
{
	va_list args;

	if (!ctl_verbose)
		return;
	va_start(args, format);
	print_message(format, args);
	va_end(args);
}

int ctl_usage(const struct command *cmd, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message(format, args);
	va_end(args);
	fprintf(stderr, "%s: see: ebpfsctl %s --help\n", ctl_name, cmd->name);
	return EXIT_USAGE;
}

int ctl_option(const struct command *cmd, int opt)
{
	switch (opt) {
	case 'j':
		ctl_json = true;
		return -1;
	case 'v':
		ctl_verbose = true;
		return -1;
	case 'h':
		fputs(cmd->help, stdout);
		return EXIT_SUCCESS;
	}
	/* getopt_long() has said what is wrong. */
	fprintf(stderr, "%s: see: ebpfsctl %s --help\n", ctl_name, cmd->name);
	return EXIT_USAGE;
}

static void *must(void *memory)
{
	if (!memory) {
		ctl_error("out of memory");
		exit(EXIT_FAILURE);
	}
	return memory;
}

void *ctl_grow(void *array, size_t count, size_t size)
{
	array = must(reallocarray(array, count + 1, size));
	memset((char *)array + count * size, 0, size);
	return array;
}

char *ctl_strdup(const char *text)
{
	return must(strdup(text));
}

char *ctl_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return must(text);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "version", no_argument, NULL, 'V' },
		CTL_LONG
	};
	const char *base = strrchr(argv[0] ? argv[0] : "", '/');
	int opt;

	base = base ? base + 1 : argv[0] ? argv[0] : "";
	if (!strcmp(base, "mount.ebpfs"))
		return mount_main(argc, argv);

	/* "+": options behind the command are the command's. */
	while ((opt = getopt_long(argc, argv, "+V" CTL_SHORT, options, NULL)) >= 0) {
		switch (opt) {
		case 'V':
			printf("ebpfsctl " EBPFSCTL_VERSION ", protocol %d\n", EBPFS_VERSION);
			return EXIT_SUCCESS;
		case 'j':
			ctl_json = true;
			break;
		case 'v':
			ctl_verbose = true;
			break;
		case 'h':
			print_help(stdout);
			return EXIT_SUCCESS;
		default:
			print_help(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; i < COMMANDS; i++) {
		int status;

		if (strcmp(argv[0], commands[i]->name))
			continue;
		optind = 0;	/* glibc: begin anew, also with the "+" of before */
		status = commands[i]->run(commands[i], argc, argv);
		if (fflush(stdout) || ferror(stdout)) {
			ctl_error("cannot write the output: %s", strerror(errno));
			return EXIT_FAILURE;
		}
		return status;
	}
	ctl_error("unknown command '%s'; see: ebpfsctl --help", argv[0]);
	return EXIT_USAGE;
}

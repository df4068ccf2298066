// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsctl key: secrets of clients.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpfsctl/ctl.h"
#include "lib/secret.h"

static const char help[] =
	"usage: ebpfsctl key generate [OPTION...]\n"
	"\n"
	"Prints a new random secret of a client: base64 of 32 bytes, one line. It belongs\n"
	"into /etc/ebpfs/secret on the client and, behind the client's name, into\n"
	"/etc/ebpfs/clients on the servers, both of mode 0600:\n"
	"\n"
	"	(umask 077; ebpfsctl key generate > /etc/ebpfs/secret)\n"
	"\n"
	"  -j, --json     print it as JSON\n"
	"  -v, --verbose  say more\n"
	"  -h, --help     this text\n";

static int run(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = { CTL_LONG };
	uint8_t secret[EBPFS_SECRET_LEN];
	char text[EBPFS_SECRET_TEXT];
	int opt, status;

	while ((opt = getopt_long(argc, argv, CTL_SHORT, options, NULL)) >= 0) {
		status = ctl_option(cmd, opt);
		if (status >= 0)
			return status;
	}
	if (argc - optind != 1 || strcmp(argv[optind], "generate"))
		return ctl_usage(cmd, "expected: generate");
	if (!ebpfs_secret_generate(secret)) {
		ctl_error("the kernel gives no random numbers: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	ebpfs_secret_encode(secret, text);
	if (ctl_json) {
		struct json_object *out = json_object_new_object();

		json_add_string(out, "secret", text);
		json_print(out);
	} else {
		puts(text);
	}
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return EXIT_SUCCESS;
}

const struct command cmd_key = {
	.name = "key",
	.summary = "make a secret",
	.help = help,
	.run = run,
};

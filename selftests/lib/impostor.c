// SPDX-License-Identifier: GPL-2.0
/*
 * impostor: pretends to be a server without knowing any secret.
 *
 * usage: impostor ADDRESS [PORT]
 *
 * Answers HELLO with a CHALLENGE and every AUTH, whoever sends it, with an
 * ACCEPT under a secret of its own invention. A client that takes it for a
 * server has not asked for the server's proof. Prints a line per message, and
 * one for each CALL that it is sent, which must never come. Single-threaded.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/handshake.h"

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "impostor: cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET }, from;
	u8 secret[EBPFS_SECRET_LEN], nonce[EBPFS_NONCE_LEN];
	static u8 msg[65536];
	struct ebpfs_hs_server hs;
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc < 2 || argc > 3 || inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1) {
		fprintf(stderr, "usage: impostor ADDRESS [PORT]\n");
		return 2;
	}
	addr.sin_port = htons(argc > 2 ? atoi(argv[2]) : EBPFS_PORT);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)))
		die(argv[1]);
	if (getrandom(secret, sizeof(secret), 0) < 0 ||
	    getrandom(hs.cookie_key, sizeof(hs.cookie_key), 0) < 0)
		die("get random numbers");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("listening\n");
	for (;;) {
		socklen_t fromlen = sizeof(from);
		ssize_t n = recvfrom(sock, msg, sizeof(msg), 0, (struct sockaddr *)&from, &fromlen);
		struct ebpfs_bytes who = { &from, sizeof(from) };
		union {
			struct ebpfs_challenge challenge;
			struct ebpfs_accept accept;
		} out;
		int len = 0;
		u64 session;

		if (n < 0)
			die("receive");
		switch (ebpfs_parse_hdr(msg, n, &session)) {
		case EBPFS_HELLO:
			printf("HELLO\n");
			if (getrandom(nonce, sizeof(nonce), 0) < 0)
				die("get random numbers");
			len = ebpfs_hs_make_challenge(&hs, msg, n, who, nonce, 0, &out.challenge);
			break;
		case EBPFS_AUTH: {
			struct ebpfs_hs_session s = {
				.server_session = 1,
				.server_instance = 1,
				.unit_max = EBPFS_MSG_MAX,
				.cell_max = EBPFS_CELL_MIN,
				.slots = 1,
				.owner_instance = 1,
				.lease = 30,
				.root_fh_len = 8,
			};
			struct ebpfs_hs_proof proof;
			u8 ephemeral[EBPFS_KEY_LEN];

			printf("AUTH\n");
			if (getrandom(ephemeral, sizeof(ephemeral), 0) < 0)
				die("get random numbers");
			/* It cannot be read without the right secret, so it is guessed. */
			ebpfs_hs_check_auth((struct ebpfs_auth *)msg, secret, &proof);
			proof.ask = (struct ebpfs_ask){ .sec = EBPFS_SEC_CRC,
							.slots = cpu_to_le16(1) };
			len = ebpfs_hs_make_accept((struct ebpfs_auth *)msg, &proof, ephemeral, &s,
						   &out.accept);
			break;
		}
		case EBPFS_CALL:
			printf("CALL\n");
			break;
		}
		if (len > 0 && sendto(sock, &out, len, 0, (struct sockaddr *)&from, fromlen) != len)
			die("send");
	}
}

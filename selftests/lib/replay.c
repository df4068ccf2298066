// SPDX-License-Identifier: GPL-2.0
/*
 * replay: sends what was captured again.
 *
 * usage: replay -i INTERFACE -s ADDRESS [-n TIMES] FILE
 *
 * Of FILE, which tcpdump wrote, those frames with UDP that ADDRESS (IPv4) sent go out by
 * INTERFACE, in order, TIMES times (1), as they were but for their UDP checksums: a capture
 * at the sender has none yet. "N sent, M too long" is its last line; what is longer than the
 * interface takes was a super-packet. Single-threaded.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"

#define MAGIC	0xa1b2c3d4

struct file_head {
	u32 magic;
	u16 major, minor;
	u32 zone, accuracy, most, link;
};

struct frame_head {
	u32 seconds, fraction, kept, len;
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, errno ? strerror(errno) : "not a capture");
	exit(2);
}

static int open_interface(const char *name, u32 *mtu)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int sock = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
	struct ifreq req = { 0 };

	strncpy(req.ifr_name, name, sizeof(req.ifr_name) - 1);
	if (sock < 0 || !addr.sll_ifindex || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) ||
	    ioctl(sock, SIOCGIFMTU, &req) ||
	    setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die(name);
	*mtu = (u32)req.ifr_mtu;
	return sock;
}

static bool sent_by(const struct heard *h, struct in_addr from)
{
	return !h->v6 && ((const struct ip *)h->ip)->ip_src.s_addr == from.s_addr;
}

int main(int argc, char **argv)
{
	const char *interface = NULL, *from = NULL;
	static u8 frame[65536 + 64];
	u64 sent = 0, long_ones = 0;
	struct in_addr addr = { 0 };
	struct file_head file;
	struct frame_head h;
	u32 mtu, times = 1;
	struct heard heard;
	int opt, sock;
	FILE *f;

	while ((opt = getopt(argc, argv, "i:s:n:")) != -1) {
		switch (opt) {
		case 'i':
			interface = optarg;
			break;
		case 's':
			from = optarg;
			break;
		case 'n':
			times = (u32)strtoul(optarg, NULL, 0);
			break;
		default:
			goto usage;
		}
	}
	if (!interface || !from || inet_pton(AF_INET, from, &addr) != 1 || optind != argc - 1)
		goto usage;
	sock = open_interface(interface, &mtu);
	f = fopen(argv[optind], "r");
	if (!f)
		die(argv[optind]);
	for (; times; times--) {
		errno = 0;
		if (fseek(f, 0, SEEK_SET) || fread(&file, sizeof(file), 1, f) != 1 ||
		    file.magic != MAGIC)
			die(argv[optind]);
		while (fread(&h, sizeof(h), 1, f) == 1 && h.kept <= sizeof(frame) &&
		       fread(frame, 1, h.kept, f) == h.kept) {
			struct udphdr *udp;

			if (h.kept != h.len || !dissect(frame, h.kept, &heard) ||
			    !sent_by(&heard, addr))
				continue;
			if (h.kept > mtu + sizeof(struct ether_header)) {
				long_ones++;
				continue;
			}
			udp = (struct udphdr *)heard.udp;
			put_checksum(heard.ip, heard.v6, udp, heard.len + sizeof(*udp));
			if (send(sock, frame, h.kept, 0) == (ssize_t)h.kept)
				sent++;
			else if (errno != ENOBUFS)
				die("send");
		}
	}
	printf("%llu sent, %llu too long\n", (unsigned long long)sent,
	       (unsigned long long)long_ones);
	return 0;
usage:
	fprintf(stderr, "usage: replay -i INTERFACE -s ADDRESS [-n TIMES] FILE; see replay.c\n");
	return 2;
}

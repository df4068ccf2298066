// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel answers ebpfsctl by netlink.
 *
 *	byte 0		what is asked for, see below
 *	the rest	datagrams: two bytes of length, little endian, and so many bytes.
 *			The messages in them get the number of the question and the port,
 *			as far as they are messages.
 *
 * A datagram lies in ebpfsctl's buffer with nothing behind it that may be read. The
 * functions of libmnl that read an attribute are led here by the linker: only one that
 * is long enough is read.
 */
#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "ebpfsctl/netlink.h"
#include "fuzz/ctl.h"
#include "fuzz/must.h"

#define PORT	4711

static const uint8_t *input, *input_end;
static uint32_t seq;
static char *poisoned;
static size_t npoisoned;

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags);
struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags)
{
	static int one;

	MUST(bus == NETLINK_GENERIC);
	(void)flags;
	return (struct mnl_socket *)&one;
}

int __wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid);
int __wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	(void)nl;
	MUST(!groups && pid == MNL_SOCKET_AUTOPID);
	return 0;
}

int __wrap_mnl_socket_close(struct mnl_socket *nl);
int __wrap_mnl_socket_close(struct mnl_socket *nl)
{
	(void)nl;
	return 0;
}

int __wrap_mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len);
int __wrap_mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len)
{
	(void)nl;
	(void)type;
	(void)buf;
	MUST(len == sizeof(int));
	return 0;
}

unsigned int __wrap_mnl_socket_get_portid(const struct mnl_socket *nl);
unsigned int __wrap_mnl_socket_get_portid(const struct mnl_socket *nl)
{
	(void)nl;
	return PORT;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t size);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t size)
{
	const struct nlmsghdr *nlh = req;
	const struct nlattr *attr;

	(void)nl;
	/* What is asked is right. */
	MUST(size == nlh->nlmsg_len && nlh->nlmsg_flags & NLM_F_REQUEST);
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		MUST((const char *)attr + attr->nla_len <= (const char *)req + size);
	seq = nlh->nlmsg_seq;
	return (ssize_t)size;
}

static void unpoison(void)
{
	ASAN_UNPOISON_MEMORY_REGION(poisoned, npoisoned);
	npoisoned = 0;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	struct nlmsghdr *nlh = buf;
	size_t len;
	int left;

	(void)nl;
	unpoison();
	if (input_end - input < 2) {
		errno = EAGAIN;
		return -1;
	}
	len = (size_t)(input[0] | input[1] << 8);
	input += 2;
	if (len > (size_t)(input_end - input))
		len = (size_t)(input_end - input);
	if (len > size)
		len = size;
	memcpy(buf, input, len);
	input += len;
	for (left = (int)len; left >= (int)sizeof(*nlh); nlh = mnl_nlmsg_next(nlh, &left)) {
		/* No message of the kernel is as long as libmnl takes for a negative number. */
		nlh->nlmsg_len &= INT32_MAX;
		if (!mnl_nlmsg_ok(nlh, left))
			break;
		nlh->nlmsg_seq = seq;
		nlh->nlmsg_pid = PORT;
	}
	poisoned = (char *)buf + len;
	npoisoned = size - len;
	ASAN_POISON_MEMORY_REGION(poisoned, npoisoned);
	return (ssize_t)len;
}

#define READS(type, name, bytes)						\
	type __real_mnl_attr_get_##name(const struct nlattr *attr);		\
	type __wrap_mnl_attr_get_##name(const struct nlattr *attr);		\
	type __wrap_mnl_attr_get_##name(const struct nlattr *attr)		\
	{									\
		MUST(mnl_attr_get_payload_len(attr) >= (bytes));		\
		return __real_mnl_attr_get_##name(attr);			\
	}

READS(uint8_t, u8, 1)
READS(uint16_t, u16, 2)
READS(uint32_t, u32, 4)
READS(uint64_t, u64, 8)

static void stats(const struct nl_stats *s)
{
	for (size_t i = 0; i < s->count; i++)
		MUST(strlen(s->at[i].name) < 65536);
	nl_stat(s, "fill_bytes_xdp");
	nl_steered_share(s);
	json_object_put(nl_stats_json(s));
}

static void mounts(void)
{
	struct nl_mount *m;
	size_t count, i;

	nl_mounts(&m, &count);
	for (i = 0; i < count; i++) {
		MUST(m[i].source && m[i].options);
		MUST(strlen(m[i].source) < 65536 && strlen(m[i].options) < 65536);
		stats(&m[i].stats);
	}
}

static void nodes(void)
{
	char text[EBPFS_ADDR_TEXT];
	struct nl_node *n;
	size_t count, i;

	nl_nodes(&n, &count);
	for (i = 0; i < count; i++) {
		MUST(strlen(ebpfs_addr_format(&n[i].addr, true, text)) < sizeof(text));
		MUST(nl_state_name(n[i].state));
		stats(&n[i].stats);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union ebpfs_sockaddr addr = { .in = { .sin_family = AF_INET } };
	struct nl_stats s = {};
	uint32_t node = 0;
	uint8_t what;

	if (!size)
		return 0;
	fuzz_ctl_begin();
	what = data[0] % 7;
	input = data + 1;
	input_end = data + size;
	switch (what) {
	case 0:
		if (!nl_open(true))
			MUST(fuzz_complained);
		break;
	case 1:
		mounts();
		break;
	case 2:
		nodes();
		break;
	case 3:
		/* The second takes the place of the first. */
		nl_module_stats(&s);
		nl_module_stats(&s);
		stats(&s);
		break;
	case 4:
		if (!nl_node_add(1, &addr, &node))
			MUST(fuzz_complained);
		break;
	case 5:
		nl_node_remove(1, 2);
		break;
	case 6:
		nl_abort(1);
		break;
	}
	unpoison();
	fuzz_ctl_end();
	return 0;
}

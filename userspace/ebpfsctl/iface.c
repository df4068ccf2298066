// SPDX-License-Identifier: GPL-2.0
/*
 * Network namespaces and interfaces; see iface.h. Interfaces are asked by
 * ioctl() on a socket, which belongs to the namespace that it was made in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "ebpfsctl/ctl.h"
#include "ebpfsctl/iface.h"

#define NETNS_DIR "/run/netns"

static void set_name(struct ifreq *ifr, const char *name)
{
	memset(ifr, 0, sizeof(*ifr));
	strncpy(ifr->ifr_name, name, sizeof(ifr->ifr_name) - 1);
}

bool iface_get(const char *name, struct iface *iface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr;
	int sock;

	memset(iface, 0, sizeof(*iface));
	iface->index = strlen(name) < IF_NAMESIZE ? if_nametoindex(name) : 0;
	if (!iface->index) {
		ctl_error("no interface '%s' in this network namespace; see: ip link", name);
		return false;
	}
	strcpy(iface->name, name);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0) {
		ctl_error("cannot make a socket: %s", strerror(errno));
		return false;
	}
	set_name(&ifr, name);
	if (!ioctl(sock, SIOCGIFMTU, &ifr))
		iface->mtu = ifr.ifr_mtu;
	set_name(&ifr, name);
	if (!ioctl(sock, SIOCGIFHWADDR, &ifr))
		iface->type = ifr.ifr_hwaddr.sa_family;
	set_name(&ifr, name);
	ifr.ifr_data = (char *)&info;
	if (!ioctl(sock, SIOCETHTOOL, &ifr))
		snprintf(iface->driver, sizeof(iface->driver), "%s", info.driver);
	close(sock);
	return true;
}

int iface_feature(const char *name, uint32_t get)
{
	struct ethtool_value value = { .cmd = get };
	struct ifreq ifr;
	int sock, err;

	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -1;
	set_name(&ifr, name);
	ifr.ifr_data = (char *)&value;
	err = ioctl(sock, SIOCETHTOOL, &ifr);
	close(sock);
	return err ? -1 : !!value.data;
}

uint64_t netns_current(void)
{
	struct stat st;

	/* /proc/thread-self needs no knowledge of the PID namespace. */
	return stat("/proc/thread-self/ns/net", &st) ? 0 : st.st_ino;
}

bool netns_enter(const char *name)
{
	char *path = strchr(name, '/') ? ctl_strdup(name) : ctl_format(NETNS_DIR "/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		ctl_error("cannot open the network namespace %s: %s; see: ip netns list", path,
			  strerror(errno));
	else if (setns(fd, CLONE_NEWNET))
		ctl_error("cannot enter the network namespace %s: %s", path, strerror(errno));
	else
		return true;
	return false;
}

static int open_if_same(const char *path, uint64_t inode)
{
	struct stat st;

	if (stat(path, &st) || st.st_ino != inode)
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

int netns_open(uint64_t inode, char *name, size_t size)
{
	char path[512];
	struct dirent *entry;
	int fd = -1;
	DIR *dir;

	name[0] = '\0';
	dir = opendir(NETNS_DIR);
	while (dir && fd < 0 && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), NETNS_DIR "/%s", entry->d_name);
		fd = open_if_same(path, inode);
		if (fd >= 0)
			snprintf(name, size, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	/* Namespaces of containers have no name, but processes. */
	dir = fd < 0 ? opendir("/proc") : NULL;
	while (dir && fd < 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		fd = open_if_same(path, inode);
	}
	if (dir)
		closedir(dir);
	return fd;
}

bool netns_visit(uint64_t inode, char *name, size_t size, void (*visit)(void *data), void *data)
{
	int there, back;

	there = netns_open(inode, name, size);
	if (inode == netns_current()) {
		visit(data);
		if (there >= 0)
			close(there);
		return true;
	}
	if (there < 0)
		return false;
	back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (back < 0 || setns(there, CLONE_NEWNET)) {
		ctl_debug("cannot enter the network namespace %s: %s", name, strerror(errno));
		close(there);
		if (back >= 0)
			close(back);
		return false;
	}
	visit(data);
	if (setns(back, CLONE_NEWNET))
		ctl_error("cannot return to the network namespace: %s", strerror(errno));
	close(there);
	close(back);
	return true;
}

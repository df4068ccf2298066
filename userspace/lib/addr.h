/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses as users write them: HOST, HOST:PORT, [IPV6], [IPV6]:PORT.
 *
 * Reentrant, no state. Errors are told in words, because a number cannot say
 * which part of a list of addresses was wrong.
 */
#ifndef EBPFS_LIB_ADDR_H
#define EBPFS_LIB_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Bytes for ebpfs_addr_format(): [address%interface]:port and NUL. */
#define EBPFS_ADDR_TEXT	(2 + INET6_ADDRSTRLEN + 1 + 16 + 1 + 5 + 1)
#define EBPFS_HOST_TEXT	256	/* longest name of DNS and NUL */

/**
 * union ebpfs_sockaddr - an address and port of either family
 */
union ebpfs_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Bytes of the address, for bind(), sendto() and netlink. */
static inline socklen_t ebpfs_addr_len(const union ebpfs_sockaddr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? sizeof(addr->in6) : sizeof(addr->in);
}

/**
 * ebpfs_addr_split() - host and port apart
 * @text: not NUL terminated
 * @len: bytes of @text
 * @host: out, EBPFS_HOST_TEXT bytes, without brackets
 * @port: out, 0 if @text has none
 *
 * An IPv6 address without brackets is taken as such, and has no port.
 * Return: NULL, or what is wrong.
 */
const char *ebpfs_addr_split(const char *text, size_t len, char *host, uint16_t *port);

/**
 * ebpfs_addr_resolve() - the address of a host
 * @host: name or numeric address, an IPv6 address may have a %zone; NULL: any
 *	address, to listen at
 * @port: host order
 * @numeric: do not ask name services
 * @addr: out, the first address of several
 *
 * Return: NULL, or what is wrong (static memory).
 */
const char *ebpfs_addr_resolve(const char *host, uint16_t port, bool numeric,
			       union ebpfs_sockaddr *addr);

/**
 * ebpfs_addr_parse() - HOST[:PORT] to an address
 * @text: NUL terminated
 * @port: if @text has none
 * @addr: out
 *
 * Return: NULL, or what is wrong.
 */
const char *ebpfs_addr_parse(const char *text, uint16_t port, union ebpfs_sockaddr *addr);

/**
 * ebpfs_addr_format() - as users write it
 * @addr: IPv4 or IPv6
 * @with_port: append :PORT, and put IPv6 into brackets
 * @text: out, EBPFS_ADDR_TEXT bytes
 *
 * Return: @text.
 */
char *ebpfs_addr_format(const union ebpfs_sockaddr *addr, bool with_port, char *text);

#endif /* EBPFS_LIB_ADDR_H */

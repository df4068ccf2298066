// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses as users write them; see addr.h. Used by ebpfsctl, mount.ebpfs and
 * ebpfsd. No state, no locking; ebpfs_addr_resolve() may block on name services.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <net/if.h>

#include "lib/addr.h"

static bool parse_port(const char *text, size_t len, uint16_t *port)
{
	unsigned int value = 0;

	if (len < 1 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + text[i] - '0';
	}
	if (value < 1 || value > UINT16_MAX)
		return false;
	*port = value;
	return true;
}

const char *ebpfs_addr_split(const char *text, size_t len, char *host, uint16_t *port)
{
	const char *end = text + len, *name = text, *name_end = end, *colon = NULL;
	bool bracketed = len && *text == '[';

	*port = 0;
	if (bracketed) {
		name = text + 1;
		name_end = memchr(name, ']', end - name);
		if (!name_end)
			return "no ']' after the IPv6 address";
		if (name_end + 1 < end) {
			if (name_end[1] != ':')
				return "expected ':PORT' after ']'";
			colon = name_end + 1;
		}
	} else {
		colon = memchr(text, ':', len);
		if (colon && memchr(colon + 1, ':', end - colon - 1))
			colon = NULL;	/* several: IPv6 without brackets, checked below */
		if (colon)
			name_end = colon;
	}
	if (colon && !parse_port(colon + 1, end - colon - 1, port))
		return "the port is not a number from 1 to 65535";
	if (name_end == name)
		return "no host name or address";
	if (name_end - name >= EBPFS_HOST_TEXT)
		return "host name too long";
	memcpy(host, name, name_end - name);
	host[name_end - name] = '\0';
	if (bracketed || strchr(host, ':')) {
		char bare[EBPFS_HOST_TEXT];
		struct in6_addr in6;

		strcpy(bare, host);
		bare[strcspn(bare, "%")] = '\0';
		if (inet_pton(AF_INET6, bare, &in6) != 1)
			return bracketed ? "not an IPv6 address between '[' and ']'" :
					   "neither HOST:PORT nor an IPv6 address";
	}
	return NULL;
}

const char *ebpfs_addr_resolve(const char *host, uint16_t port, bool numeric,
			       union ebpfs_sockaddr *addr)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = (numeric ? AI_NUMERICHOST : 0) | (host ? 0 : AI_PASSIVE) |
			    AI_NUMERICSERV,
	};
	struct addrinfo *list, *ai;
	char service[8];
	int err;

	snprintf(service, sizeof(service), "%u", port);
	err = getaddrinfo(host, service, &hints, &list);
	if (err)
		return err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err);
	for (ai = list; ai; ai = ai->ai_next)
		if (ai->ai_addrlen <= sizeof(*addr) &&
		    (ai->ai_family == AF_INET || ai->ai_family == AF_INET6))
			break;
	if (ai) {
		memset(addr, 0, sizeof(*addr));
		memcpy(addr, ai->ai_addr, ai->ai_addrlen);
	}
	freeaddrinfo(list);
	return ai ? NULL : "it has neither an IPv4 nor an IPv6 address";
}

const char *ebpfs_addr_parse(const char *text, uint16_t port, union ebpfs_sockaddr *addr)
{
	char host[EBPFS_HOST_TEXT];
	const char *error;
	uint16_t own;

	error = ebpfs_addr_split(text, strlen(text), host, &own);
	return error ? error : ebpfs_addr_resolve(host, own ? own : port, false, addr);
}

char *ebpfs_addr_format(const union ebpfs_sockaddr *addr, bool with_port, char *text)
{
	char ip[INET6_ADDRSTRLEN] = "?", zone[1 + IF_NAMESIZE] = "";

	if (addr->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &addr->in.sin_addr, ip, sizeof(ip));
		if (with_port)
			snprintf(text, EBPFS_ADDR_TEXT, "%s:%u", ip, ntohs(addr->in.sin_port));
		else
			snprintf(text, EBPFS_ADDR_TEXT, "%s", ip);
		return text;
	}
	if (addr->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, ip, sizeof(ip));
		if (addr->in6.sin6_scope_id)
			snprintf(zone, sizeof(zone), "%%%u", addr->in6.sin6_scope_id);
	}
	if (with_port)
		snprintf(text, EBPFS_ADDR_TEXT, "[%s%s]:%u", ip, zone,
			 ntohs(addr->in6.sin6_port));
	else
		snprintf(text, EBPFS_ADDR_TEXT, "%s%s", ip, zone);
	return text;
}

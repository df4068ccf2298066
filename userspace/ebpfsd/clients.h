/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may make sessions: names and secrets, from the clients file.
 *
 * The table is replaced as a whole when the file is read again; a mutex
 * guards it, held for look-ups of handshakes only. An entry that is the same
 * in the new file keeps its number, so that sessions know whether the client
 * they belong to is still there with the secret they were made with.
 *
 * For each client one number is kept that stops replays: an AUTH is good until the session that
 * it made ends, or it was refused. Challenges have a time, and those up to the latest that is
 * spent in this way are answered no more. A handshake that was begun before such a one and is
 * still under way is refused, too; its client begins anew.
 */
#ifndef EBPFSD_CLIENTS_H
#define EBPFSD_CLIENTS_H

#include "core/platform.h"

#define CLIENTS_MAX	65536

struct client;

/**
 * struct clients - the table
 * @lock: protects the rest
 * @list: @count entries sorted by name, owned
 * @count: how many
 * @next_number: for the next new entry
 * @nobody: random secret against which proofs of unknown names are checked
 */
struct clients {
	pthread_mutex_t lock;
	struct client *list;
	size_t count;
	u64 next_number;
	u8 nobody[EBPFS_SECRET_LEN];
};

/* 0, or -errno if there is no randomness. */
int clients_init(struct clients *c);
void clients_fini(struct clients *c);

/**
 * clients_read() - take the clients file in
 * @c: table; unchanged if the file has a mistake
 * @path: of the file; every mistake is logged with its line
 * @now: of the clock of challenges, ns
 *
 * Return: number of mistakes.
 */
unsigned int clients_read(struct clients *c, const char *path, u64 now);

/**
 * clients_find() - the secret of a client
 * @c: table
 * @name: of the client
 * @secret: out, to be wiped by the caller; a random one for an unknown name, so
 *	that both cases take the same steps
 *
 * Return: the entry's number, 0 if there is no such client.
 */
u64 clients_find(struct clients *c, const char *name, u8 secret[EBPFS_SECRET_LEN]);

/* Is entry @number, called @name, still there? */
bool clients_has(struct clients *c, const char *name, u64 number);

/*
 * The challenge of @time, ns, and with it the AUTH that answered it, is not to be good any more
 * for entry @number, called @name. Any thread.
 */
void clients_spend(struct clients *c, const char *name, u64 number, u64 time);

/* Up to what time its challenges are spent: for ebpfs_hs_is_spent(). All, if it is not there. */
u64 clients_spent(struct clients *c, const char *name, u64 number);

size_t clients_count(struct clients *c);

#endif /* EBPFSD_CLIENTS_H */

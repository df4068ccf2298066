// SPDX-License-Identifier: GPL-2.0
/*
 * The clients file: lines "NAME BASE64SECRET", '#' comments.
 *
 * Secrets pass through as few buffers as possible and each is wiped: the line
 * buffer, the table that was replaced, the copies handed to handshakes.
 * A file with any mistake is not taken over at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients.h"
#include "config.h"
#include "lib/secret.h"
#include "log.h"

struct client {
	char name[EBPFS_CLIENT_MAX];
	u8 secret[EBPFS_SECRET_LEN];
	u64 number;
	u64 spent;		/* see clients_spend() */
	unsigned int line;
};

int clients_init(struct clients *c)
{
	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	c->next_number = 1;
	return ebpfs_secret_generate(c->nobody) ? 0 : -errno;
}

static void free_list(struct client *list, size_t count)
{
	if (list)
		explicit_bzero(list, count * sizeof(*list));
	free(list);
}

void clients_fini(struct clients *c)
{
	free_list(c->list, c->count);
	explicit_bzero(c->nobody, sizeof(c->nobody));
	pthread_mutex_destroy(&c->lock);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct client *)a)->name, ((const struct client *)b)->name);
}

static struct client *find(struct client *list, size_t count, const char *name)
{
	struct client key;

	if (!count || strlen(name) >= sizeof(key.name))
		return NULL;
	strcpy(key.name, name);
	return bsearch(&key, list, count, sizeof(*list), by_name);
}

/* One line into @out; 1 client, 0 nothing, -1 a mistake. */
static int parse_line(char *line, const char *path, unsigned int number, struct client *out)
{
	char *save, *name = strtok_r(line, " \t\r\n", &save);
	char *secret, *more;

	if (!name || *name == '#')
		return 0;
	secret = strtok_r(NULL, " \t\r\n", &save);
	more = strtok_r(NULL, " \t\r\n", &save);
	memset(out, 0, sizeof(*out));
	out->line = number;
	if (!config_client_name_ok(name)) {
		log_error("%s:%u: a client name has 1 to %d printable bytes without space, * and #",
			  path, number, EBPFS_CLIENT_MAX - 1);
		return -1;
	}
	strcpy(out->name, name);
	if (!secret || more || !ebpfs_secret_decode(secret, strlen(secret), out->secret)) {
		log_error("%s:%u: after the name %s must stand the base64 of %d bytes, nothing "
			  "else (\"ebpfsctl key generate\" makes one)", path, number, name,
			  EBPFS_SECRET_LEN);
		explicit_bzero(out, sizeof(*out));
		return -1;
	}
	return 1;
}

/* All lines of @fd into a sorted list; returns the number of mistakes. */
static unsigned int read_list(int fd, const char *path, struct client **list, size_t *count)
{
	unsigned int mistakes = 0, number = 0;
	struct client *l = NULL;
	size_t n = 0, room = 0, size = 256, i;
	char *line = malloc(size), *stream = malloc(BUFSIZ);
	FILE *f = fdopen(fd, "r");

	if (!line || !stream || !f || setvbuf(f, stream, _IOFBF, BUFSIZ)) {
		log_error("%s: cannot be read: %m", path);
		mistakes++;
		if (!f)
			close(fd);
		goto out;
	}
	/* fgets, not getline: the latter leaves copies behind when it grows. */
	while (fgets(line, (int)size, f)) {
		number++;
		if (!strchr(line, '\n') && !feof(f)) {
			log_error("%s:%u: the line is too long", path, number);
			mistakes++;
			break;
		}
		if (n == room) {
			size_t grown = room ? room * 2 : 16;
			struct client *bigger = grown <= CLIENTS_MAX ?
						calloc(grown, sizeof(*l)) : NULL;

			if (!bigger) {
				log_error("%s:%u: too many clients, %d are possible", path, number,
					  CLIENTS_MAX);
				mistakes++;
				break;
			}
			if (n)
				memcpy(bigger, l, n * sizeof(*l));
			free_list(l, n);
			l = bigger;
			room = grown;
		}
		switch (parse_line(line, path, number, &l[n])) {
		case 1:
			n++;
			break;
		case -1:
			mistakes++;
		}
	}
	if (ferror(f)) {
		log_error("%s: cannot be read: %m", path);
		mistakes++;
	}
	if (n)
		qsort(l, n, sizeof(*l), by_name);
	for (i = 1; i < n; i++) {
		if (!strcmp(l[i - 1].name, l[i].name)) {
			log_error("%s:%u: client %s is there already, at line %u", path,
				  l[i].line > l[i - 1].line ? l[i].line : l[i - 1].line,
				  l[i].name,
				  l[i].line > l[i - 1].line ? l[i - 1].line : l[i].line);
			mistakes++;
		}
	}
out:
	if (line)
		explicit_bzero(line, size);
	free(line);
	if (f)
		fclose(f);
	if (stream)
		explicit_bzero(stream, BUFSIZ);
	free(stream);
	*list = l;
	*count = n;
	return mistakes;
}

unsigned int clients_read(struct clients *c, const char *path, u64 now)
{
	char error[512];
	int fd = ebpfs_private_open(path, error, sizeof(error));
	struct client *list = NULL;
	size_t count = 0, i;
	unsigned int mistakes;

	if (fd < 0) {
		log_error("clients file: %s (lines \"NAME SECRET\", see ebpfsd.conf(5))", error);
		return 1;
	}
	mistakes = read_list(fd, path, &list, &count);
	if (mistakes) {
		free_list(list, count);
		return mistakes;
	}
	pthread_mutex_lock(&c->lock);
	for (i = 0; i < count; i++) {
		const struct client *old = find(c->list, c->count, list[i].name);

		if (old && ebpfs_equal(old->secret, list[i].secret, EBPFS_SECRET_LEN)) {
			list[i].number = old->number;
			list[i].spent = old->spent;
			continue;
		}
		/* It may have been here before: what it was challenged by then is spent. */
		list[i].number = c->next_number++;
		list[i].spent = now;
	}
	free_list(c->list, c->count);
	c->list = list;
	c->count = count;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

u64 clients_find(struct clients *c, const char *name, u8 secret[EBPFS_SECRET_LEN])
{
	const struct client *client;
	u64 number = 0;

	pthread_mutex_lock(&c->lock);
	client = find(c->list, c->count, name);
	memcpy(secret, client ? client->secret : c->nobody, EBPFS_SECRET_LEN);
	if (client)
		number = client->number;
	pthread_mutex_unlock(&c->lock);
	return number;
}

/* Entry @number, if it is still there; under the lock. */
static struct client *find_number(struct clients *c, const char *name, u64 number)
{
	struct client *client = find(c->list, c->count, name);

	return client && client->number == number ? client : NULL;
}

bool clients_has(struct clients *c, const char *name, u64 number)
{
	bool has;

	pthread_mutex_lock(&c->lock);
	has = find_number(c, name, number);
	pthread_mutex_unlock(&c->lock);
	return has;
}

void clients_spend(struct clients *c, const char *name, u64 number, u64 time)
{
	struct client *client;

	pthread_mutex_lock(&c->lock);
	client = find_number(c, name, number);
	if (client && client->spent < time)
		client->spent = time;
	pthread_mutex_unlock(&c->lock);
}

u64 clients_spent(struct clients *c, const char *name, u64 number)
{
	const struct client *client;
	u64 spent;

	pthread_mutex_lock(&c->lock);
	client = find_number(c, name, number);
	spent = client ? client->spent : ~0ull;
	pthread_mutex_unlock(&c->lock);
	return spent;
}

size_t clients_count(struct clients *c)
{
	size_t count;

	pthread_mutex_lock(&c->lock);
	count = c->count;
	pthread_mutex_unlock(&c->lock);
	return count;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The grace period and the file of owners; see grace.h.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "durable.h"
#include "export.h"
#include "grace.h"
#include "log.h"
#include "owner.h"
#include "server.h"
#include "stats.h"

#define LINES_MAX	(2 * CONFIG_OWNERS(CONFIG_SESSIONS_MAX))
#define LINE		"%s %016" PRIx64 " %s\n"	/* client, number, export */
#define FAILED_PAUSE	1000	/* ms before it is tried again */

/**
 * struct grace_owner - one of whom we wait for
 * @next: in the list
 * @id: of the owner
 * @client: name
 * @export: name
 */
struct grace_owner {
	struct grace_owner *next;
	u64 id;
	char client[EBPFS_CLIENT_MAX];
	char export[EBPFS_EXPORT_MAX];
};

static char *path_of(const struct config *c)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/owners-%08x", c->state_dir, config_id(c));
	return strdup(path);
}

static bool take_line(struct grace *g, const char *line)
{
	struct grace_owner *o = calloc(1, sizeof(*o));
	char again[EBPFS_CLIENT_MAX + EBPFS_EXPORT_MAX + 32];

	_Static_assert(EBPFS_CLIENT_MAX == 64 && EBPFS_EXPORT_MAX == 128, "the widths below");
	if (!o || sscanf(line, "%63s %16" SCNx64 " %127s", o->client, &o->id, o->export) != 3 ||
	    snprintf(again, sizeof(again), LINE, o->client, o->id, o->export) < 0 ||
	    strcmp(line, again)) {
		free(o);
		return false;
	}
	o->next = g->owners;
	g->owners = o;
	return true;
}

void grace_start(struct grace *g, const struct config *c, u64 now)
{
	unsigned int lines = 0, bad = 0;
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->file, NULL);
	pthread_mutex_init(&g->lock, NULL);
	g->path = path_of(c);
	f = g->path ? fopen(g->path, "re") : NULL;
	if (!f) {
		if (!g->path || errno != ENOENT)
			log_warning("%s cannot be read: %m (locks of before are not given back)",
				    g->path ? g->path : c->state_dir);
		return;
	}
	while (lines < LINES_MAX && getline(&line, &size, f) >= 0) {
		lines++;
		bad += !take_line(g, line);
	}
	free(line);
	fclose(f);
	if (bad)
		log_warning("%s has %u bad line%s, which do not count", g->path, bad,
			    bad == 1 ? "" : "s");
	if (!g->owners)
		return;
	g->waiting = true;
	g->end = now + c->lease * 1000ull;
	log_info("%u mount%s held something when ebpfsd ended: for at most %u s nobody else gets a "
		 "lock", lines - bad, lines - bad == 1 ? "" : "s", c->lease);
}

static void forget(struct grace *g)
{
	struct grace_owner *o;

	while ((o = g->owners)) {
		g->owners = o->next;
		free(o);
	}
}

void grace_stop(struct grace *g)
{
	if (!g->path)
		return;
	forget(g);
	free(g->path);
	pthread_mutex_destroy(&g->file);
	pthread_mutex_destroy(&g->lock);
}

bool grace_over(struct grace *g)
{
	return !READ_ONCE(g->waiting);
}

/* Under the lock. */
static struct grace_owner **find(struct grace *g, const struct owner *o)
{
	struct grace_owner **p = &g->owners;

	while (*p && !((*p)->id == o->id && !strcmp((*p)->client, o->client) &&
		       !strcmp((*p)->export, o->export->name)))
		p = &(*p)->next;
	return p;
}

void grace_finished(struct grace *g, const struct owner *o)
{
	struct grace_owner **p, *gone;

	if (grace_over(g))
		return;
	pthread_mutex_lock(&g->lock);
	p = find(g, o);
	gone = *p;
	if (gone) {
		*p = gone->next;
		free(gone);
		WRITE_ONCE(g->stale, true);
		if (!g->owners) {
			WRITE_ONCE(g->waiting, false);
			log_info("all have claimed their locks again");
		}
	}
	pthread_mutex_unlock(&g->lock);
}

int grace_allows(struct grace *g, struct owner *o, bool reclaim)
{
	int err = 0;

	if (grace_over(g))
		return reclaim ? -ENOLCK : 0;
	pthread_mutex_lock(&g->lock);
	if (reclaim)
		err = *find(g, o) ? 0 : -ENOLCK;
	else if (g->owners)
		err = -EBPFS_STATUS_GRACE;
	pthread_mutex_unlock(&g->lock);
	return err;
}

/* Can it be left out of the file? Who stops properly need not be patient. Under
 * owners.lock. */
static bool holds_nothing(const struct owners *os, const struct owner *o, u64 now)
{
	return !o->kept && (os->stop || now - o->idle >= os->lease);
}

/* The lines of those who are waited for, and of those who hold something. */
static bool put_lines(struct grace *g, struct owners *os, FILE *f)
{
	u64 now = now_ms();
	struct grace_owner *w;
	struct owner *o;

	pthread_mutex_lock(&g->lock);
	for (w = g->owners; w; w = w->next)
		fprintf(f, LINE, w->client, w->id, w->export);
	pthread_mutex_lock(&os->lock);
	for (o = os->first; o; o = o->next) {
		o->listed = false;
		o->written = 0;
		if (holds_nothing(os, o, now))
			continue;
		o->written = g->serial;
		if (!*find(g, o))
			fprintf(f, LINE, o->client, o->id, o->export->name);
	}
	pthread_mutex_unlock(&os->lock);
	pthread_mutex_unlock(&g->lock);
	return !ferror(f);
}

/* In memory first: nobody waits for the disk with the locks held. */
static char *make_text(struct grace *g, struct owners *os, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);
	bool ok;

	if (!f)
		return NULL;
	ok = put_lines(g, os, f);
	if (fclose(f) || !ok) {
		free(text);
		return NULL;
	}
	return text;
}

/* Write the file; with @file held. */
static void rewrite(struct grace *g, struct owners *os)
{
	struct owner *o;
	size_t len = 0;
	char *text;
	bool ok;

	g->serial++;
	WRITE_ONCE(g->stale, false);
	text = make_text(g, os, &len);
	ok = text && durable_write(g->path, text, len);
	free(text);
	if (!ok) {
		WRITE_ONCE(g->stale, true);
		g->failed = now_ms();
		log_warning_limited("%s cannot be written: %m (after a crash of ebpfsd not all locks "
				    "will be given back)", g->path);
		return;
	}
	g->failed = 0;
	stats_inc(grace_writes);
	pthread_mutex_lock(&os->lock);
	for (o = os->first; o; o = o->next)
		if (o->written == g->serial)
			o->listed = true;
	pthread_mutex_unlock(&os->lock);
}

void grace_keep(struct grace *g, struct owner *o)
{
	if (!g->path)
		return;
	pthread_mutex_lock(&g->file);
	/* Who held the lock before us may have written it. */
	if (!READ_ONCE(o->listed) && (!g->failed || now_ms() - g->failed >= FAILED_PAUSE))
		rewrite(g, o->owners);
	pthread_mutex_unlock(&g->file);
}

void grace_tick(struct server *srv, u64 now)
{
	struct grace *g = &srv->grace;
	struct owners *os = &srv->owners;
	struct owner *o;
	bool write;

	if (!g->path)
		return;
	if (!grace_over(g) && now >= g->end) {
		pthread_mutex_lock(&g->lock);
		forget(g);
		WRITE_ONCE(g->waiting, false);
		pthread_mutex_unlock(&g->lock);
		WRITE_ONCE(g->stale, true);
		log_info("who has not claimed its locks again by now has lost them");
	}
	write = READ_ONCE(g->stale);
	pthread_mutex_lock(&os->lock);
	for (o = os->first; o && !write; o = o->next)
		write = o->listed && holds_nothing(os, o, now);
	pthread_mutex_unlock(&os->lock);
	if (!write)
		return;
	pthread_mutex_lock(&g->file);
	if (!g->failed || now - g->failed >= FAILED_PAUSE)
		rewrite(g, os);
	pthread_mutex_unlock(&g->file);
}

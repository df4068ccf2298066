// SPDX-License-Identifier: GPL-2.0
/*
 * The helper threads; see helper.h. What they do to a job is serve.c's.
 */
#include <stdio.h>
#include <time.h>

#include "cred.h"
#include "helper.h"
#include "serve.h"
#include "stats.h"

static void *helper_run(void *arg)
{
	struct helpers *h = arg;
	struct job *job;

	/* Without a block of its own it counts in the spare one. */
	(void)stats_thread();
	cred_own_umask();
	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (!h->first && !h->stop) {
			h->idle++;
			pthread_cond_wait(&h->wake, &h->lock);
			h->idle--;
		}
		job = h->first;
		if (!job)
			break;
		h->first = job->next;
		if (!h->first)
			h->last = &h->first;
		h->queued--;
		pthread_mutex_unlock(&h->lock);
		job_run(h->srv, job);
		pthread_mutex_lock(&h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

int helpers_start(struct helpers *h, struct server *srv, unsigned int count)
{
	char name[16];
	int err;

	memset(h, 0, sizeof(*h));
	h->last = &h->first;
	h->srv = srv;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
	while (h->count < count && h->count < HELPERS_MAX) {
		err = pthread_create(&h->threads[h->count], NULL, helper_run, h);
		if (err)
			return -err;
		snprintf(name, sizeof(name), "helper/%u", h->count);
		pthread_setname_np(h->threads[h->count++], name);
	}
	return 0;
}

bool helpers_submit(struct helpers *h, struct job *job)
{
	bool room, wake;

	job->next = NULL;
	pthread_mutex_lock(&h->lock);
	room = h->queued < HELPERS_QUEUE && !h->stop;
	if (room) {
		*h->last = job;
		h->last = &job->next;
		h->queued++;
	}
	wake = room && h->idle;
	pthread_mutex_unlock(&h->lock);
	if (wake)
		pthread_cond_signal(&h->wake);
	return room;
}

bool helpers_resume(struct helpers *h, struct job *job)
{
	bool wake, taken;

	pthread_mutex_lock(&h->lock);
	taken = !h->stop;
	if (taken) {
		job->next = h->first;
		h->first = job;
		if (!job->next)
			h->last = &job->next;
		h->queued++;
	}
	wake = taken && h->idle;
	pthread_mutex_unlock(&h->lock);
	if (wake)
		pthread_cond_signal(&h->wake);
	return taken;
}

bool helpers_stop(struct helpers *h, const struct timespec *deadline)
{
	bool all = true;
	unsigned int i;

	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_mutex_unlock(&h->lock);
	pthread_cond_broadcast(&h->wake);
	for (i = 0; i < h->count; i++)
		if (pthread_timedjoin_np(h->threads[i], NULL, deadline))
			all = false;
	return all;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Counters: a list of per-thread blocks that only grows, guarded by a mutex;
 * the numbers in them are read without it, each being a whole 64-bit word.
 */
#include <stdlib.h>

#include "stats.h"

struct block {
	struct stats stats;
	struct block *next;
};

static struct block spare;
static struct block *blocks = &spare;
static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;

__thread struct stats *stats_mine = &spare.stats;

int stats_thread(void)
{
	struct block *b = aligned_alloc(64, sizeof(*b));

	if (!b)
		return -ENOMEM;
	memset(b, 0, sizeof(*b));
	pthread_mutex_lock(&blocks_lock);
	b->next = blocks;
	blocks = b;
	pthread_mutex_unlock(&blocks_lock);
	stats_mine = &b->stats;
	return 0;
}

void stats_sum(struct stats *sum)
{
	const struct block *b;

	memset(sum, 0, sizeof(*sum));
	pthread_mutex_lock(&blocks_lock);
	for (b = blocks; b; b = b->next) {
#define X(name) sum->name += READ_ONCE(b->stats.name);
		EBPFSD_STATS(X)
#undef X
	}
	pthread_mutex_unlock(&blocks_lock);
}

void stats_print(FILE *out, u64 sessions, u64 reply_bytes, u64 data_bytes, u64 files,
		 u64 holds, u64 leases, u64 parked)
{
	struct stats sum;

	stats_sum(&sum);
	fprintf(out, "{\"sessions\":%llu,\"reply_bytes\":%llu,\"data_bytes\":%llu,\"files\":%llu,"
		"\"holds\":%llu,\"leases\":%llu,\"parked\":%llu",
		(unsigned long long)sessions, (unsigned long long)reply_bytes,
		(unsigned long long)data_bytes, (unsigned long long)files,
		(unsigned long long)holds, (unsigned long long)leases,
		(unsigned long long)parked);
#define X(name) fprintf(out, ",\"" #name "\":%llu", (unsigned long long)sum.name);
	EBPFSD_STATS(X)
#undef X
	fprintf(out, "}\n");
	fflush(out);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The network: what may become of a datagram between two hosts.
 *
 * It is lost, repeated, delayed, overtaken, damaged, too large for the path,
 * cut off by a partition, or dropped because too many are under way. Damage is
 * of the kind that CRC32C always sees (up to three single bits, or one burst
 * of at most 32 bits), so that a wrong byte that gets through is a mistake in
 * the code and not bad luck.
 */
#include <stdlib.h>

#include "held.h"

static const u32 class_size[] = { 512, 2048, 16384, EBPFS_UDP_PAYLOAD_MAX + 5 };

struct link *net_link(struct world *w, struct addr src, struct addr dst)
{
	return &w->links[src.host][dst.host];
}

static struct dgram *dgram_new(struct world *w, u32 len)
{
	struct dgram *d;
	u8 k = 0;

	while (class_size[k] < len)
		k++;
	d = w->spare[k];
	if (d)
		w->spare[k] = d->next;
	else
		d = arena_raw(w, sizeof(*d) + class_size[k]);
	d->size_class = k;
	d->len = len;
	d->next = NULL;
	return d;
}

void net_free(struct world *w, struct dgram *d)
{
	d->next = w->spare[d->size_class];
	w->spare[d->size_class] = d;
}

static void net_damage(struct world *w, struct dgram *d)
{
	u32 bits = d->len * 8, at, n, i;

	COUNT(w, net_corrupted);
	/* Heads are a small part of the bytes and the larger part of the code. */
	if (chance(w, 5000) && d->len > sizeof(struct ebpfs_reply))
		bits = sizeof(struct ebpfs_reply) * 8;
	if (chance(w, 7000)) {
		n = 1 + rnd(w, 3);
		for (i = 0; i < n; i++) {
			at = rnd(w, bits);
			d->data[at / 8] ^= 1 << at % 8;
		}
	} else {
		u32 burst = 1 + rnd(w, 0xffffffff);

		/* A burst is contiguous in the code only if it is on one side of the checksum. */
		at = rnd(w, d->len);
		if (at < sizeof(__le32))
			at = chance(w, 5000) ? 0 : sizeof(__le32);
		for (i = 0; i < 4 && at + i < d->len; i++)
			d->data[at + i] ^= burst >> 8 * i;
	}
}

static void net_arrive(struct world *w, void *obj, u64 arg)
{
	struct dgram *d = obj;
	struct link *l = net_link(w, d->src, d->dst);

	(void)arg;
	if (d->counted)
		l->queued--;
	if (l->cut) {
		COUNT(w, net_cut_off);
		net_free(w, d);
		return;
	}
	if (w->held) {
		held_receive(w, d);
		net_free(w, d);
		return;
	}
	if (d->dst.host < w->nclients) {
		client_receive(w, &w->clients[d->dst.host], d);
		return;
	}
	if (d->dst.host < w->nclients + w->nservers) {
		if (l->impostor)
			impostor_receive(w, d);
		else
			server_receive(w, &w->servers[d->dst.host - w->nclients], d);
	} else {
		attacker_receive(w, d);
	}
	net_free(w, d);
}

static void net_transmit(struct world *w, struct addr src, struct addr dst, const void *data,
			 u32 len, u64 delay)
{
	struct link *l = net_link(w, src, dst);
	struct dgram *d;

	if (w->cfg.queue && l->queued >= w->cfg.queue) {
		COUNT(w, net_overflow);
		return;
	}
	d = dgram_new(w, len);
	memcpy(d->data, data, len);
	d->src = src;
	d->dst = dst;
	d->counted = true;
	d->ce = chance(w, w->cfg.ce);
	l->queued++;
	if (chance(w, w->cfg.corrupt))
		net_damage(w, d);
	delay += w->cfg.delay + rnd_time(w, w->cfg.jitter) + l->extra;
	if (chance(w, w->cfg.reorder))
		delay += rnd_time(w, w->cfg.reorder_delay);
	schedule(w, delay, net_arrive, d, 0);
}

static void net_out(struct world *w, struct addr src, struct addr dst, const void *data, u32 len,
		    u64 delay)
{
	struct link *l = net_link(w, src, dst);

	COUNT(w, datagrams);
	if (l->cut) {
		COUNT(w, net_cut_off);
		return;
	}
	if (len > l->mtu) {
		COUNT(w, net_too_large);
		TRACE(w, "net   %lu -> %lu: %lu bytes are more than the path's %lu", src.host,
		      dst.host, len, l->mtu);
		return;
	}
	if (chance(w, w->cfg.loss)) {
		COUNT(w, net_lost);
		TRACE(w, "net   %lu -> %lu: %lu bytes lost", src.host, dst.host, len);
	} else {
		net_transmit(w, src, dst, data, len, delay);
	}
	while (chance(w, w->cfg.dup)) {
		COUNT(w, net_repeated);
		net_transmit(w, src, dst, data, len, delay);
	}
}

void net_send(struct world *w, struct addr src, struct addr dst, const void *data, u32 len)
{
	if ((w->cfg.replay || w->cfg.forge) && !w->healed && chance(w, 1000)) {
		struct dgram *d = dgram_new(w, len);

		memcpy(d->data, data, len);
		d->src = src;
		d->dst = dst;
		attack_record(w, d);
	}
	net_out(w, src, dst, data, len, 0);
}

void net_inject(struct world *w, struct addr src, struct addr dst, const void *data, u32 len,
		u64 delay)
{
	net_out(w, src, dst, data, len, delay);
}

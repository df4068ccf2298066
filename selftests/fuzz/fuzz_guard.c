// SPDX-License-Identifier: GPL-2.0
/*
 * Two ends of a session with keys, and everything in between in the hands of the input.
 *
 *	byte 0		bit 0: privacy, else integrity
 *	the rest	steps, a byte each and what it needs behind it:
 *		0 SEND		side, type, length: a datagram gets a guard and is kept
 *		1 DELIVER	side, which: one that was kept arrives
 *		2 CHANGE	side, which, place, XOR: it arrives changed
 *		3 FORGE		side, length, bytes: what the input says arrives
 *		4 CUT		side, which, length: only its beginning arrives
 *		5 ASK		the client asks for new keys, if it may
 *		6 PASS		milliseconds * 50 pass
 *
 * "side" is who sends. REKEY and REKEYED travel like all else. What is opened must be what
 * was kept for that side, unchanged, not opened before; what arrives unchanged for the first
 * time by keys that both have must be opened, unless it is older than the window.
 */
#include <stdlib.h>
#include <string.h>

#include "core/guard.h"
#include "fuzz/must.h"

#define KEPT	64
#define MOST	256
#define GUARD	sizeof(struct ebpfs_guard)
#define HEAD	sizeof(struct ebpfs_hdr)

/**
 * struct kept - a datagram on its way
 * @bytes: with its guard
 * @len: of it, 0: none
 * @plain: as it was before
 * @opened: by the other side
 */
struct kept {
	u8 bytes[MOST];
	u32 len;
	u8 plain[MOST];
	bool opened;
};

static struct ebpfs_keys ends[2];		/* client, server */
static struct kept kept[2][KEPT];
static u32 nkept[2];
static u64 now;
static u8 drawn;

static const u8 secrets[3][EBPFS_KEY_LEN] = { { 1 }, { 2 }, { 3 } };

static void draw(u8 ephemeral[EBPFS_KEY_LEN])
{
	memset(ephemeral, ++drawn, EBPFS_KEY_LEN);
}

static void send(unsigned int side, const void *plain, u32 len)
{
	struct kept *k = &kept[side][nkept[side]++ % KEPT];
	u32 all;

	memcpy(k->plain, plain, len);
	memcpy(k->bytes, plain, len);
	all = ebpfs_guard_put(&ends[side], k->bytes, len);
	MUST(all == len + GUARD);
	k->len = all;
	k->opened = false;
}

static void rekey_came(unsigned int side, u8 *plain, u32 len)
{
	struct ebpfs_rekey *msg = (struct ebpfs_rekey *)plain, out;
	u8 ephemeral[EBPFS_KEY_LEN];

	if (len != sizeof(*msg))
		return;
	if (side == 1 && msg->hdr.type == EBPFS_REKEYED) {
		ebpfs_keys_answered(&ends[0], msg, now);
	} else if (side == 0 && msg->hdr.type == EBPFS_REKEY) {
		draw(ephemeral);
		if (ebpfs_keys_answer(&ends[1], msg, ephemeral, 1, now, &out) >= 0)
			send(1, &out, sizeof(out));
	}
}

/* Does the receiver know the keys of a datagram that its peer sent? */
static bool knows(unsigned int receiver, const u8 *bytes)
{
	u8 key[EBPFS_KEY_LEN];
	struct ebpfs_hdr h;

	memcpy(&h, bytes, sizeof(h));
	return ebpfs_keys_find(&ends[receiver], le32_to_cpu(h.crc), key);
}

/* @from: the datagram that it is a copy of, NULL if it is none. */
static void arrive(unsigned int side, const u8 *bytes, u32 len, struct kept *from)
{
	bool known = from && knows(!side, bytes);
	u8 *copy = malloc(len ? len : 1);
	u32 i;
	int r;

	memcpy(copy, bytes, len);
	r = ebpfs_guard_open(&ends[!side], copy, len, now);
	if (from) {
		MUST(r == (!known ? -ENOKEY : from->opened ? -EALREADY : 0));
	} else if (!r) {
		/* It was changed, but into one that is there all the same. */
		for (i = 0; i < KEPT; i++) {
			from = &kept[side][i];
			if (from->len == len && !memcmp(from->bytes, bytes, len))
				break;
		}
		MUST(i < KEPT && !from->opened);
	}
	if (!r) {
		from->opened = true;
		MUST(!memcmp(copy + GUARD + 4, from->plain + 4, len - GUARD - 4));
		rekey_came(side, copy + GUARD, len - GUARD);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const u8 *end = data + size;
	struct ebpfs_rekey ask;
	u8 sec, buf[MOST], ephemeral[EBPFS_KEY_LEN];
	unsigned int side;
	struct kept *k;
	u32 len, features;

	if (!size)
		return 0;
	sec = *data & 1 ? EBPFS_SEC_PRIVACY : EBPFS_SEC_INTEGRITY;
	features = *data++ & 2 ? EBPFS_FEAT_AES : 0;
	now = 100 * EBPFS_NSEC_PER_SEC;
	drawn = 0;
	memset(kept, 0, sizeof(kept));
	memset(nkept, 0, sizeof(nkept));
	ebpfs_keys_init(&ends[0], sec, features, false, secrets, now, EBPFS_NSEC_PER_SEC, 40);
	ebpfs_keys_init(&ends[1], sec, features, true, secrets, now, 0, 0);
	while (end - data >= 4) {
		u8 step = *data++ % 7;

		side = *data++ & 1;
		k = &kept[side][*data % KEPT];
		switch (step) {
		case 0:
			len = HEAD + data[1] % (MOST - HEAD - GUARD);
			memset(buf, data[1], len);
			ebpfs_put_hdr((struct ebpfs_hdr *)buf, 1 + data[0] % 17, 7);
			/* Those two are not for anybody to make up. */
			if (buf[7] != EBPFS_REKEY && buf[7] != EBPFS_REKEYED)
				send(side, buf, len);
			break;
		case 1:
			if (k->len)
				arrive(side, k->bytes, k->len, k);
			break;
		case 2:
			memcpy(buf, k->bytes, k->len);
			if (k->len && end - data > 2 && data[2]) {
				buf[data[1] % k->len] ^= data[2];
				arrive(side, buf, k->len, NULL);
			}
			break;
		case 3:
			len = data[0];
			if ((size_t)(end - data - 1) < len)
				len = (u32)(end - data - 1);
			arrive(side, data + 1, len, NULL);
			data += len;
			break;
		case 4:
			if (k->len)
				arrive(side, k->bytes, data[1] % k->len, NULL);
			break;
		case 5:
			draw(ephemeral);
			if (ebpfs_keys_ask(&ends[0], now, ephemeral, 1, &ask))
				send(0, &ask, sizeof(ask));
			break;
		case 6:
			now += data[0] * 50 * EBPFS_NSEC_PER_MSEC;
			ebpfs_keys_tick(&ends[0], now);
			ebpfs_keys_tick(&ends[1], now);
			break;
		}
		data += 2;
		if (data > end)
			break;
	}
	ebpfs_keys_fini(&ends[0]);
	ebpfs_keys_fini(&ends[1]);
	return 0;
}

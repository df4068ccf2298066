// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/noise.c against the published test vector of its pattern (cacophony's, which the
 * implementations of Noise share), and what it refuses.
 */
#include <stdlib.h>

#include "core/noise.h"
#include "lib/ktap.h"

static const u8 psk[EBPFS_SECRET_LEN] = "This is my Austrian perspective!";
static const struct ebpfs_bytes prologue = { "John Galt", 9 };

static u32 unhex(const char *hex, u8 *out)
{
	u32 n = 0;
	unsigned int byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[n++] = byte;
	return n;
}

/**
 * struct talk - both ends of one handshake, and its messages
 */
struct talk {
	struct ebpfs_noise client, server;
	u8 client_key[32], server_key[32];
	u8 e[2][32], payload[2][64], tag[2][16], read[2][64];
	struct ebpfs_noise_msg first, second;
};

static void begin(struct talk *t, const char *first, const char *second)
{
	memset(t, 0, sizeof(*t));
	unhex("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a", t->client_key);
	unhex("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b", t->server_key);
	t->first = (struct ebpfs_noise_msg){ t->e[0], t->payload[0], t->tag[0], strlen(first) };
	t->second = (struct ebpfs_noise_msg){ t->e[1], t->payload[1], t->tag[1], strlen(second) };
	ebpfs_noise_begin(&t->client, psk, prologue);
	ebpfs_noise_begin(&t->server, psk, prologue);
}

static void expect_message(const struct ebpfs_noise_msg *m, const char *hex)
{
	u8 want[256];

	ASSERT_EQ(unhex(hex, want), 32 + m->len + 16);
	EXPECT_MEM(m->e, want, 32);
	EXPECT_MEM(m->payload, want + 32, m->len);
	EXPECT_MEM(m->tag, want + 32 + m->len, 16);
}

static void vector(void)
{
	static const struct {
		const char *text, *cipher;
	} after[] = {
		{ "F. A. Hayek", "bc44da303ae0beb08075fc4eb4e58235c67c2d1f53a4f2fff0bca7" },
		{ "Carl Menger", "416d1af83e9fa6966ce4e871156b131aa9bd7e9a1d6f8794f4872a" },
		{ "Jean-Baptiste Say",
		  "8a7d81b77bcc6c072f2b807da066efba6b5fab9edf71a7faceb2c8454b0cfef608" },
		{ "Eugen B\366hm von Bawerk",
		  "1e2ee010f72894824a25a867664ff298f2548a145dc4e9d27b1cad83f32fa7c54d69dc3279" },
	};
	u8 keys[3][32], server_keys[3][32], want[256], out[64], tag[16];
	struct talk t;
	size_t i;

	begin(&t, "Ludwig von Mises", "Murray Rothbard");
	ASSERT(ebpfs_noise_write_first(&t.client, t.client_key, "Ludwig von Mises", &t.first));
	expect_message(&t.first,
		       "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944fda936bec35a8adfdff198386f7d5475880897edaaf7495314c99095a2e4d66a");
	ASSERT(ebpfs_noise_read_first(&t.server, &t.first, t.read[0]));
	EXPECT_MEM(t.read[0], "Ludwig von Mises", 16);
	ASSERT(ebpfs_noise_write_second(&t.server, t.server_key, "Murray Rothbard", &t.second));
	expect_message(&t.second,
		       "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088434cd2a371993ba41ea11448024fca32766b169183c9e691a7a433279da7e729");
	ASSERT(ebpfs_noise_read_second(&t.client, &t.second, t.read[1]));
	EXPECT_MEM(t.read[1], "Murray Rothbard", 15);
	EXPECT_MEM(t.client.h, t.server.h, 32);

	ebpfs_noise_split(&t.client, keys);
	ebpfs_noise_split(&t.server, server_keys);
	EXPECT_MEM(keys, server_keys, sizeof(keys));
	for (i = 0; i < ARRAY_SIZE(after); i++) {
		u32 len = strlen(after[i].text);

		/* In turns, client first, each way numbered by itself. */
		ebpfs_aead_seal(out, tag, EBPFS_CIPHER_CHACHA20_POLY1305, keys[i % 2], i / 2,
				(struct ebpfs_bytes){ NULL, 0 }, (const u8 *)after[i].text, len);
		ASSERT_EQ(unhex(after[i].cipher, want), len + 16);
		EXPECT_MEM(out, want, len);
		EXPECT_MEM(tag, want + len, 16);
	}
}

/* Whatever is changed in the first message, it is not read; nor with another prologue. */
static void first_is_authentic(void)
{
	struct ebpfs_noise before;
	struct talk t;
	u32 bit;

	begin(&t, "payload", "");
	before = t.server;
	ASSERT(ebpfs_noise_write_first(&t.client, t.client_key, "payload", &t.first));
#define FLIP(field, reader)							\
	for (bit = 0; bit < 8 * sizeof(field); bit++) {				\
		(field)[bit / 8] ^= 1 << bit % 8;				\
		EXPECT(!(reader));						\
		(field)[bit / 8] ^= 1 << bit % 8;				\
	}
#define READ_FIRST (t.server = before, ebpfs_noise_read_first(&t.server, &t.first, t.read[0]))
	FLIP(t.e[0], READ_FIRST);
	FLIP(t.tag[0], READ_FIRST);
	for (bit = 0; bit < 8 * t.first.len; bit++) {
		t.payload[0][bit / 8] ^= 1 << bit % 8;
		EXPECT(!READ_FIRST);
		t.payload[0][bit / 8] ^= 1 << bit % 8;
	}
	EXPECT(READ_FIRST);
	ebpfs_noise_begin(&t.server, psk, (struct ebpfs_bytes){ "John Gald", 9 });
	EXPECT(!ebpfs_noise_read_first(&t.server, &t.first, t.read[0]));
	ebpfs_noise_begin(&t.server, (const u8 *)"This is my Prussian perspective!", prologue);
	EXPECT(!ebpfs_noise_read_first(&t.server, &t.first, t.read[0]));
}

static void second_is_authentic(void)
{
	struct ebpfs_noise before;
	struct talk t;
	u32 bit;

	begin(&t, "payload", "answer");
	ASSERT(ebpfs_noise_write_first(&t.client, t.client_key, "payload", &t.first));
	before = t.client;
	ASSERT(ebpfs_noise_read_first(&t.server, &t.first, t.read[0]));
	ASSERT(ebpfs_noise_write_second(&t.server, t.server_key, "answer", &t.second));
#define READ_SECOND (t.client = before, ebpfs_noise_read_second(&t.client, &t.second, t.read[1]))
	FLIP(t.e[1], READ_SECOND);
	FLIP(t.tag[1], READ_SECOND);
	EXPECT(READ_SECOND);
	EXPECT_MEM(t.read[1], "answer", 6);
	/* The first message is no second one. */
	t.client = before;
	EXPECT(!ebpfs_noise_read_second(&t.client, &t.first, t.read[1]));
}

/* Who records everything and gets the secret afterwards lacks the ephemeral keys. */
static void keys_need_more_than_the_secret(void)
{
	u8 keys[3][32], guess[3][32];
	struct ebpfs_noise spy;
	struct talk t;

	begin(&t, "payload", "answer");
	ASSERT(ebpfs_noise_write_first(&t.client, t.client_key, "payload", &t.first));
	ASSERT(ebpfs_noise_read_first(&t.server, &t.first, t.read[0]));
	ASSERT(ebpfs_noise_write_second(&t.server, t.server_key, "answer", &t.second));
	ASSERT(ebpfs_noise_read_second(&t.client, &t.second, t.read[1]));
	ebpfs_noise_split(&t.client, keys);
	ebpfs_noise_begin(&spy, psk, prologue);
	EXPECT(ebpfs_noise_read_first(&spy, &t.first, t.read[0]));
	memset(spy.own, 7, sizeof(spy.own));
	EXPECT(!ebpfs_noise_read_second(&spy, &t.second, t.read[1]));
	ebpfs_noise_split(&spy, guess);
	EXPECT(memcmp(keys, guess, sizeof(keys)) != 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(vector),
	KTAP_TEST(first_is_authentic),
	KTAP_TEST(second_is_authentic),
	KTAP_TEST(keys_need_more_than_the_secret),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}

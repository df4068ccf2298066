// SPDX-License-Identifier: GPL-2.0
/*
 * userspace/lib/crypto.c against published test vectors, and from many threads.
 */
#include <stdlib.h>

#include <openssl/evp.h>
#include <sodium/crypto_aead_aes256gcm.h>
#include <sodium/crypto_aead_chacha20poly1305.h>

#include "core/platform.h"
#include "lib/ktap.h"
#include "lib/tag.h"
#include "unit/aead.h"

static u32 crc_of(const void *data, size_t len)
{
	return ~ebpfs_crc32c(~0u, data, len);
}

/* RFC 3720 B.4 */
static void crc_vectors(void)
{
	u8 data[32];
	unsigned int i;

	EXPECT_EQ(crc_of("123456789", 9), 0xe3069283);
	memset(data, 0, sizeof(data));
	EXPECT_EQ(crc_of(data, sizeof(data)), 0x8a9136aa);
	memset(data, 0xff, sizeof(data));
	EXPECT_EQ(crc_of(data, sizeof(data)), 0x62a8ab43);
	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	EXPECT_EQ(crc_of(data, sizeof(data)), 0x46dd794e);
	for (i = 0; i < sizeof(data); i++)
		data[i] = 31 - i;
	EXPECT_EQ(crc_of(data, sizeof(data)), 0x113fdb5c);
}

static void crc_goes_on(void)
{
	u8 *data = malloc(5000);
	u32 whole, crc;
	size_t cut;

	for (cut = 0; cut < 5000; cut++)
		data[cut] = cut * 7 + cut / 256;
	whole = ebpfs_crc32c(~0u, data, 5000);
	for (cut = 0; cut <= 5000; cut += 13) {
		crc = ebpfs_crc32c(~0u, data, cut);
		crc = ebpfs_crc32c(crc, data + cut, 5000 - cut);
		EXPECT_EQ(crc, whole);
	}
	EXPECT_EQ(ebpfs_crc32c(5, data, 0), 5);
	free(data);
}

static void equal(void)
{
	u8 a[32] = { 1, 2, 3 }, b[32] = { 1, 2, 3 };
	unsigned int i;

	EXPECT(ebpfs_equal(a, b, sizeof(a)));
	for (i = 0; i < 8 * sizeof(a); i++) {
		b[i / 8] ^= 1 << i % 8;
		EXPECT(!ebpfs_equal(a, b, sizeof(a)));
		b[i / 8] ^= 1 << i % 8;
	}
	b[31] = 9;
	EXPECT(ebpfs_equal(a, b, 31));
	EXPECT(ebpfs_equal(a, b, 0));
}

static const u8 key[EBPFS_SECRET_LEN] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
};

/* Keyed BLAKE2s-256 of the bytes 0, 1, 2 ...: known-answer tests of BLAKE2's authors. */
static void mac_vectors(void)
{
	static const struct {
		u32 len;
		u8 mac[EBPFS_MAC_LEN];
	} known[] = {
		{ 0, {
			0x48, 0xa8, 0x99, 0x7d, 0xa4, 0x07, 0x87, 0x6b,
			0x3d, 0x79, 0xc0, 0xd9, 0x23, 0x25, 0xad, 0x3b,
			0x89, 0xcb, 0xb7, 0x54, 0xd8, 0x6a, 0xb7, 0x1a,
			0xee, 0x04, 0x7a, 0xd3, 0x45, 0xfd, 0x2c, 0x49,
		} },
		{ 1, {
			0x40, 0xd1, 0x5f, 0xee, 0x7c, 0x32, 0x88, 0x30,
			0x16, 0x6a, 0xc3, 0xf9, 0x18, 0x65, 0x0f, 0x80,
			0x7e, 0x7e, 0x01, 0xe1, 0x77, 0x25, 0x8c, 0xdc,
			0x0a, 0x39, 0xb1, 0x1f, 0x59, 0x80, 0x66, 0xf1,
		} },
		{ 64, {
			0x89, 0x75, 0xb0, 0x57, 0x7f, 0xd3, 0x55, 0x66,
			0xd7, 0x50, 0xb3, 0x62, 0xb0, 0x89, 0x7a, 0x26,
			0xc3, 0x99, 0x13, 0x6d, 0xf0, 0x7b, 0xab, 0xab,
			0xbd, 0xe6, 0x20, 0x3f, 0xf2, 0x95, 0x4e, 0xd4,
		} },
		{ 255, {
			0x3f, 0xb7, 0x35, 0x06, 0x1a, 0xbc, 0x51, 0x9d,
			0xfe, 0x97, 0x9e, 0x54, 0xc1, 0xee, 0x5b, 0xfa,
			0xd0, 0xa9, 0xd8, 0x58, 0xb3, 0x31, 0x5b, 0xad,
			0x34, 0xbd, 0xe9, 0x99, 0xef, 0xd7, 0x24, 0xdd,
		} },
	};
	u8 data[256], out[EBPFS_MAC_LEN];
	struct ebpfs_bytes part = { data, 0 };
	unsigned int i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		part.len = known[i].len;
		ebpfs_mac(out, key, &part, 1);
		EXPECT_MEM(out, known[i].mac, sizeof(out));
	}
	ebpfs_mac(out, key, NULL, 0);
	EXPECT_MEM(out, known[0].mac, sizeof(out));
}

static void mac_joins_parts(void)
{
	u8 data[200], whole[EBPFS_MAC_LEN], out[EBPFS_MAC_LEN];
	struct ebpfs_bytes parts[3] = { { data, sizeof(data) } };
	unsigned int i, j;

	memset(data, 0xa7, sizeof(data));
	ebpfs_mac(whole, key, parts, 1);
	for (i = 0; i <= 200; i += 25) {
		for (j = i; j <= 200; j += 25) {
			parts[0] = (struct ebpfs_bytes){ data, i };
			parts[1] = (struct ebpfs_bytes){ data + i, j - i };
			parts[2] = (struct ebpfs_bytes){ data + j, 200 - j };
			ebpfs_mac(out, key, parts, 3);
			EXPECT_MEM(out, whole, sizeof(out));
		}
	}
}

static void mac_depends_on_key(void)
{
	u8 other[EBPFS_SECRET_LEN], a[EBPFS_MAC_LEN], b[EBPFS_MAC_LEN];
	struct ebpfs_bytes part = { "text", 4 };
	unsigned int i;

	ebpfs_mac(a, key, &part, 1);
	for (i = 0; i < 8 * sizeof(other); i++) {
		memcpy(other, key, sizeof(other));
		other[i / 8] ^= 1 << i % 8;
		ebpfs_mac(b, other, &part, 1);
		EXPECT(!ebpfs_equal(a, b, sizeof(a)));
	}
}

static void *mac_thread(void *arg)
{
	u8 secret[EBPFS_SECRET_LEN], first[EBPFS_MAC_LEN], out[EBPFS_MAC_LEN];
	struct ebpfs_bytes part = { "text", 4 };
	unsigned long wrong = 0;
	int i;

	memset(secret, (int)(size_t)arg, sizeof(secret));
	ebpfs_mac(first, secret, &part, 1);
	for (i = 0; i < 2000; i++) {
		ebpfs_mac(out, secret, &part, 1);
		wrong += !ebpfs_equal(out, first, sizeof(out));
	}
	return (void *)wrong;
}

static void mac_from_threads(void)
{
	pthread_t threads[8];
	void *wrong;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, mac_thread, (void *)i), 0);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &wrong);
		EXPECT_EQ((size_t)wrong, 0);
	}
}

/* SipHash-2-4-128 of the bytes 0, 1, 2 ...: of SipHash's authors. */
static void tag_vectors(void)
{
	static const struct {
		u32 len;
		u8 tag[EBPFS_TAG_LEN];
	} known[] = {
		{ 0, {
			0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
			0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93,
		} },
		{ 1, {
			0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
			0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45,
		} },
		{ 15, {
			0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11,
			0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9,
		} },
		{ 16, {
			0x6e, 0xe2, 0xa4, 0xca, 0x67, 0xb0, 0x54, 0xbb,
			0xfd, 0x33, 0x15, 0xbf, 0x85, 0x23, 0x05, 0x77,
		} },
	};
	u8 data[16], out[EBPFS_TAG_LEN];
	struct ebpfs_bytes parts[2];
	unsigned int i;
	u32 cut;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		for (cut = 0; cut <= known[i].len; cut++) {
			parts[0] = (struct ebpfs_bytes){ data, cut };
			parts[1] = (struct ebpfs_bytes){ data + cut, known[i].len - cut };
			ebpfs_tag(out, key, parts, 2);
			EXPECT_MEM(out, known[i].tag, sizeof(out));
		}
	}
	ebpfs_tag(out, key, NULL, 0);
	EXPECT_MEM(out, known[0].tag, sizeof(out));
}

/* Longer ones, in several pieces, as OpenSSL has it. */
static void tag_is_siphash(void)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	u8 data[300], out[EBPFS_TAG_LEN], want[EBPFS_TAG_LEN];
	size_t len, a, b, size;

	for (len = 0; len < sizeof(data); len++)
		data[len] = (u8)(len * 167 + 13);
	for (len = 0; len <= sizeof(data); len++) {
		ASSERT_EQ(EVP_MAC_init(ctx, key, EBPFS_TAG_KEY_LEN, NULL), 1);
		ASSERT_EQ(EVP_MAC_update(ctx, data, len), 1);
		ASSERT_EQ(EVP_MAC_final(ctx, want, &size, sizeof(want)), 1);
		for (a = 0; a <= len; a += 1 + len / 17) {
			for (b = a; b <= len; b += 1 + len / 13) {
				const struct ebpfs_bytes parts[] = {
					{ data, a }, { data + a, b - a }, { NULL, 0 },
					{ data + b, len - b },
				};

				ebpfs_tag(out, key, parts, ARRAY_SIZE(parts));
				EXPECT_MEM(out, want, sizeof(out));
			}
		}
	}
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void tag_depends_on_key(void)
{
	u8 other[EBPFS_TAG_KEY_LEN], a[EBPFS_TAG_LEN], b[EBPFS_TAG_LEN];
	struct ebpfs_bytes part = { "text", 4 };
	unsigned int i;

	ebpfs_tag(a, key, &part, 1);
	for (i = 0; i < 8 * sizeof(other); i++) {
		memcpy(other, key, sizeof(other));
		other[i / 8] ^= 1 << i % 8;
		ebpfs_tag(b, other, &part, 1);
		EXPECT(!ebpfs_equal(a, b, sizeof(a)));
	}
}

static void from_hex(u8 *to, const char *hex)
{
	unsigned int byte;

	for (; *hex; hex += 2) {
		ASSERT_EQ(sscanf(hex, "%2x", &byte), 1);
		*to++ = (u8)byte;
	}
}

/* RFC 7748 6.1 */
static void dh_vectors(void)
{
	u8 a[EBPFS_KEY_LEN], b[EBPFS_KEY_LEN], want[EBPFS_KEY_LEN], out[EBPFS_KEY_LEN];
	u8 public[2][EBPFS_KEY_LEN];

	from_hex(a, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	from_hex(b, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
	EXPECT(ebpfs_dh_public(public[0], a));
	from_hex(want, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	EXPECT_MEM(public[0], want, sizeof(want));
	EXPECT(ebpfs_dh_public(public[1], b));
	from_hex(want, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	EXPECT_MEM(public[1], want, sizeof(want));
	from_hex(want, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	EXPECT(ebpfs_dh(out, a, public[1]));
	EXPECT_MEM(out, want, sizeof(want));
	EXPECT(ebpfs_dh(out, b, public[0]));
	EXPECT_MEM(out, want, sizeof(want));
}

/* Points of small order, whose product with any secret is known: 0, 1, and one of eight. */
static void dh_with_nobody(void)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	};
	u8 own[EBPFS_KEY_LEN], theirs[EBPFS_KEY_LEN], out[EBPFS_KEY_LEN];
	size_t i;

	memset(own, 0x5a, sizeof(own));
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		from_hex(theirs, points[i]);
		EXPECT(!ebpfs_dh(out, own, theirs));
	}
}

#define CLEAR	40

static const u8 aeads[] = { EBPFS_CIPHER_CHACHA20_POLY1305, EBPFS_CIPHER_AES256_GCM };

/* As libsodium has it, if it does: the nonce is 32 bits of zero and @number. */
static bool seal_by_sodium(u8 *to, u8 tag[EBPFS_AEAD_TAG], u8 aead, u64 number,
			   struct ebpfs_bytes clear, const u8 *from, u32 len)
{
	u8 nonce[12] = { 0 };
	int i;

	for (i = 0; i < 8; i++)
		nonce[4 + i] = (u8)(number >> 8 * i);
	if (aead == EBPFS_CIPHER_CHACHA20_POLY1305)
		return !crypto_aead_chacha20poly1305_ietf_encrypt_detached(to, tag, NULL, from, len,
				clear.data, clear.len, NULL, nonce, key);
	return crypto_aead_aes256gcm_is_available() &&
	       !crypto_aead_aes256gcm_encrypt_detached(to, tag, NULL, from, len, clear.data,
						       clear.len, NULL, nonce, key);
}

static void aeads_are_as_others_have_them(void)
{
	static const u64 numbers[] = { 0, 1, ~0u, 1ull << 32, 0x0123456789abcdefull, ~0ull };
	u8 from[200], out[200], want[200], back[200], tag[EBPFS_AEAD_TAG], good[EBPFS_AEAD_TAG];
	u32 len, clear_len, n;

	for (len = 0; len < sizeof(from); len++)
		from[len] = (u8)(len * 59 + 7);
	for (n = 0; n < ARRAY_SIZE(numbers) * ARRAY_SIZE(aeads); n++) {
		const u64 number = numbers[n / ARRAY_SIZE(aeads)];
		const u8 aead = aeads[n % ARRAY_SIZE(aeads)];

		for (len = 1; len < sizeof(from); len += 13) {
			for (clear_len = 1; clear_len < CLEAR; clear_len += 11) {
				const struct ebpfs_bytes clear = { from + 3, clear_len };

				EXPECT(ebpfs_aead_seal(out, tag, aead, key, number, clear, from,
						       len));
				if (seal_by_sodium(want, good, aead, number, clear, from, len)) {
					EXPECT_MEM(out, want, len);
					EXPECT_MEM(tag, good, sizeof(tag));
				}
				EXPECT_OPENS(back, tag, aead, key, number, clear, out, len);
				EXPECT_MEM(back, from, len);
			}
		}
	}
}

/* Not one bit of anything may differ, nor the number. */
static void aead_is_authentic(u8 aead)
{
	u8 from[64] = "what is secret", clear[CLEAR] = "what is not", out[64], back[64];
	u8 tag[EBPFS_AEAD_TAG];
	const struct ebpfs_bytes aad = { clear, sizeof(clear) }, less = { clear, CLEAR - 1 };
	unsigned int i;

	EXPECT(ebpfs_aead_seal(out, tag, aead, key, 5, aad, from, sizeof(from)));
	for (i = 0; i < 8 * sizeof(out); i++) {
		out[i / 8] ^= 1 << i % 8;
		EXPECT_FORGED(back, tag, aead, key, 5, aad, out, sizeof(out));
		out[i / 8] ^= 1 << i % 8;
	}
	for (i = 0; i < 8 * sizeof(clear); i++) {
		clear[i / 8] ^= 1 << i % 8;
		EXPECT_FORGED(back, tag, aead, key, 5, aad, out, sizeof(out));
		clear[i / 8] ^= 1 << i % 8;
	}
	for (i = 0; i < 8 * sizeof(tag); i++) {
		tag[i / 8] ^= 1 << i % 8;
		EXPECT_FORGED(back, tag, aead, key, 5, aad, out, sizeof(out));
		tag[i / 8] ^= 1 << i % 8;
	}
	for (i = 0; i < 64; i++)
		EXPECT_FORGED(back, tag, aead, key, 5 ^ 1ull << i, aad, out, sizeof(out));
	EXPECT_FORGED(back, tag, aead, key, 5, less, out, sizeof(out));
	EXPECT_OPENS(back, tag, aead, key, 5, aad, out, sizeof(out));
}

/* Nor of the key, be it the one that the message before had. */
static void keys_differ_by_any_bit(void)
{
	u8 other[EBPFS_KEY_LEN], out[16], back[16], tag[EBPFS_AEAD_TAG];
	const struct ebpfs_bytes none = { NULL, 0 };
	unsigned int i;

	memcpy(other, key, sizeof(other));
	EXPECT(ebpfs_same_key(key, other));
	EXPECT(ebpfs_aead_seal(out, tag, EBPFS_CIPHER_AES256_GCM, key, 5, none, other,
			       sizeof(out)));
	for (i = 0; i < 8 * sizeof(other); i++) {
		other[i / 8] ^= 1 << i % 8;
		EXPECT(!ebpfs_same_key(key, other));
		EXPECT_OPENS(back, tag, EBPFS_CIPHER_AES256_GCM, key, 5, none, out, sizeof(out));
		EXPECT_FORGED(back, tag, EBPFS_CIPHER_AES256_GCM, other, 5, none, out, sizeof(out));
		other[i / 8] ^= 1 << i % 8;
	}
}

static void aeads_are_authentic(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(aeads); i++)
		aead_is_authentic(aeads[i]);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(crc_vectors),
	KTAP_TEST(crc_goes_on),
	KTAP_TEST(equal),
	KTAP_TEST(mac_vectors),
	KTAP_TEST(mac_joins_parts),
	KTAP_TEST(mac_depends_on_key),
	KTAP_TEST(mac_from_threads),
	KTAP_TEST(tag_vectors),
	KTAP_TEST(tag_is_siphash),
	KTAP_TEST(tag_depends_on_key),
	KTAP_TEST(dh_vectors),
	KTAP_TEST(dh_with_nobody),
	KTAP_TEST(aeads_are_as_others_have_them),
	KTAP_TEST(aeads_are_authentic),
	KTAP_TEST(keys_differ_by_any_bit),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the pure core needs from the world it is compiled into.
 *
 * The files in kmod/core/ decide and do nothing else: state, an event and the
 * time go in, a decision comes out. They call no kernel and no libc function
 * but those named here, never allocate, never sleep, never read a clock and
 * never send. Time is a u64 of nanoseconds of a monotonic clock that the
 * caller hands in. The module, ebpfsd, the unit tests and the simulator
 * compile the same files.
 *
 * Locks: a core object that several CPUs reach has an ebpfs_lock in it, taken
 * only inside the core and never held across a return. In the module it is a
 * spinlock that disables bottom halves, so every core function may run in
 * process and in softirq context, and none in hard interrupts. Order:
 * ebpfs_conn.lock, then ebpfs_slot.lock.
 */
#ifndef EBPFS_CORE_PLATFORM_H
#define EBPFS_CORE_PLATFORM_H

#ifdef __KERNEL__

#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/spinlock.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/types.h>
#include <crypto/utils.h>
#include "compat/crc32c.h"	/* ebpfs_crc32c() */

typedef struct { spinlock_t raw; } ebpfs_lock;

/* A macro, so that lockdep gives each place its own class. */
#define ebpfs_lock_init(l)	spin_lock_init(&(l)->raw)
static inline void ebpfs_lock_take(ebpfs_lock *l) { spin_lock_bh(&l->raw); }
static inline void ebpfs_lock_drop(ebpfs_lock *l) { spin_unlock_bh(&l->raw); }
static inline void ebpfs_lock_fini(ebpfs_lock *l) { }

/* Equal, in a time that does not depend on where they differ. */
static inline bool ebpfs_equal(const void *a, const void *b, size_t len)
{
	return !crypto_memneq(a, b, len);
}

/* Overwrite a secret that is not needed any more. */
static inline void ebpfs_wipe(void *p, size_t len) { memzero_explicit(p, len); }

#else /* user space */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <endian.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define cpu_to_le16(x)	htole16(x)
#define cpu_to_le32(x)	htole32(x)
#define cpu_to_le64(x)	htole64(x)
#define le16_to_cpu(x)	le16toh(x)
#define le32_to_cpu(x)	le32toh(x)
#define le64_to_cpu(x)	le64toh(x)

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

static inline unsigned int hweight64(u64 w) { return __builtin_popcountll(w); }
/* Index of the lowest set bit; @w is not 0. */
static inline unsigned int __ffs64(u64 w) { return __builtin_ctzll(w); }

typedef struct { pthread_mutex_t raw; } ebpfs_lock;

static inline void ebpfs_lock_init(ebpfs_lock *l) { pthread_mutex_init(&l->raw, NULL); }
static inline void ebpfs_lock_take(ebpfs_lock *l) { pthread_mutex_lock(&l->raw); }
static inline void ebpfs_lock_drop(ebpfs_lock *l) { pthread_mutex_unlock(&l->raw); }
static inline void ebpfs_lock_fini(ebpfs_lock *l) { pthread_mutex_destroy(&l->raw); }

/* userspace/lib/crypto.c: CRC32C without the initial and the final inversion */
u32 ebpfs_crc32c(u32 crc, const void *data, size_t len);
/* userspace/lib/crypto.c */
bool ebpfs_equal(const void *a, const void *b, size_t len);

static inline void ebpfs_wipe(void *p, size_t len) { explicit_bzero(p, len); }

#endif /* __KERNEL__ */

#include <ebpfs/wire.h>

#define EBPFS_NSEC_PER_MSEC	1000000ull
#define EBPFS_NSEC_PER_SEC	1000000000ull
#define EBPFS_NEVER		(~0ull)		/* a time that does not come */

/**
 * struct ebpfs_bytes - a piece of memory, not owned
 * @data: first byte
 * @len: in bytes
 */
struct ebpfs_bytes {
	const void *data;
	size_t len;
};

/*
 * What follows is given by the platform: kmod/crypt.c, userspace/lib/crypto.c. Any context
 * but hard interrupts.
 */

#define EBPFS_HASH_LEN	32	/* bytes: BLAKE2s-256 (RFC 7693) */
#define EBPFS_KEY_LEN	32	/* bytes: of every cipher, and of X25519 (RFC 7748) */
#define EBPFS_AEAD_TAG	16	/* bytes */

/**
 * ebpfs_mac() - keyed BLAKE2s-256 (RFC 7693) over the pieces in order
 * @out: the result, EBPFS_MAC_LEN bytes
 * @key: EBPFS_SECRET_LEN bytes
 * @parts: the pieces
 * @n: how many
 */
void ebpfs_mac(u8 out[EBPFS_MAC_LEN], const u8 key[EBPFS_SECRET_LEN],
	       const struct ebpfs_bytes *parts, unsigned int n);

/* BLAKE2s-256 over the pieces in order; @out may be one of them. */
void ebpfs_hash(u8 out[EBPFS_HASH_LEN], const struct ebpfs_bytes *parts, unsigned int n);

/* Are two keys the same? Takes as long whatever they are; for each message. */
static inline bool ebpfs_same_key(const u8 a[EBPFS_KEY_LEN], const u8 b[EBPFS_KEY_LEN])
{
	u64 x[EBPFS_KEY_LEN / sizeof(u64)], y[EBPFS_KEY_LEN / sizeof(u64)];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

/* X25519: the public key of @own, and what @own and @theirs share. False: not a key. */
bool ebpfs_dh_public(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN]);
bool ebpfs_dh(u8 out[EBPFS_KEY_LEN], const u8 own[EBPFS_KEY_LEN], const u8 theirs[EBPFS_KEY_LEN]);

/**
 * ebpfs_aead_seal() - encrypt and authenticate a message
 * @to: @len bytes of ciphertext; may be @from
 * @tag: EBPFS_AEAD_TAG bytes
 * @cipher: enum ebpfs_cipher
 * @key: EBPFS_KEY_LEN bytes
 * @number: never the same twice with one key; the last 64 bits of the nonce,
 *	little-endian, the others are 0
 * @clear: what is authenticated and not encrypted
 * @from: what is both
 * @len: bytes
 *
 * Return: false: there was no memory, and nothing may be sent. EBPFS_CIPHER_CHACHA20_POLY1305
 * needs none.
 */
bool ebpfs_aead_seal(u8 *to, u8 tag[EBPFS_AEAD_TAG], u8 cipher, const u8 key[EBPFS_KEY_LEN],
		     u64 number, struct ebpfs_bytes clear, const u8 *from, u32 len);

/* The reverse. Return: 0; -EBADMSG: it is not authentic; -ENOMEM: there was no memory to find
 * out. If it is not 0, @to is unspecified. */
int ebpfs_aead_open(u8 *to, const u8 tag[EBPFS_AEAD_TAG], u8 cipher, const u8 key[EBPFS_KEY_LEN],
		    u64 number, struct ebpfs_bytes clear, const u8 *from, u32 len);

/* Is @cipher one of those that this machine has instructions for, or needs none? */
bool ebpfs_aead_fast(u8 cipher);

/* Nobody uses @key any more: the platform may have kept what was made of it. */
void ebpfs_aead_forget(u8 cipher, const u8 key[EBPFS_KEY_LEN]);

#endif /* EBPFS_CORE_PLATFORM_H */

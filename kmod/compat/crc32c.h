/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CRC32C on kernels whose crc32c() is not made for the machine.
 *
 * From Linux 6.14 on crc32c() is the processor's best way, called directly. Before, it
 * goes through the crypto API, saves the state of the vector registers for it and, for a
 * few bytes, costs many times what they do. A fragment of a reply takes several checksums,
 * so that is a sixth of what a read costs. Kbuild defines EBPFS_COMPAT_CRC32C for those
 * kernels; then this stands in on x86-64 with SSE 4.2, whose crc32 instruction works on
 * general registers. Without it, and on later kernels, crc32c() is called as it is.
 */
#ifndef EBPFS_COMPAT_CRC32C_H
#define EBPFS_COMPAT_CRC32C_H

#ifdef EBPFS_COMPAT_CRC32C

/* Make the tables. Once, before ebpfs_crc32c_words(); the processor has SSE 4.2. */
void ebpfs_crc32c_tables(void);

/**
 * ebpfs_crc32c_words() - CRC32C without the initial and the final inversion
 * @crc: of what came before
 * @data: bytes, not necessarily aligned
 * @len: how many
 *
 * Context: any; no vector register is used.
 */
u32 ebpfs_crc32c_words(u32 crc, const void *data, size_t len);

#endif /* EBPFS_COMPAT_CRC32C */

#ifdef __KERNEL__

#include <linux/crc32c.h>
#include <asm/cpufeature.h>

/* When the module is loaded, before any checksum. */
static inline void ebpfs_crc32c_init(void)
{
#ifdef EBPFS_COMPAT_CRC32C
	if (boot_cpu_has(X86_FEATURE_XMM4_2))
		ebpfs_crc32c_tables();
#endif
}

#ifdef EBPFS_COMPAT_CRC32C
/* The same for the few bytes of a head, whose number is known; a multiple of 4. */
static __always_inline u32 ebpfs_crc32c_head(u32 crc, const u8 *p, const size_t len)
{
	u64 wide = crc;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8)
		asm("crc32q %1, %0" : "+r" (wide) : "m" (*(const u8 (*)[8])(p + i)));
	if (i < len)
		asm("crc32l %1, %k0" : "+r" (wide) : "m" (*(const u8 (*)[4])(p + i)));
	return wide;
}
#endif

static __always_inline u32 ebpfs_crc32c(u32 crc, const void *data, size_t len)
{
#ifdef EBPFS_COMPAT_CRC32C
	if (static_cpu_has(X86_FEATURE_XMM4_2)) {
		if (__builtin_constant_p(len) && len <= 64 && !(len & 3))
			return ebpfs_crc32c_head(crc, data, len);
		return ebpfs_crc32c_words(crc, data, len);
	}
#endif
	return crc32c(crc, data, len);
}

#endif /* __KERNEL__ */

#endif /* EBPFS_COMPAT_CRC32C_H */

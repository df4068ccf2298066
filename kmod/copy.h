/* SPDX-License-Identifier: GPL-2.0 */
/* Copying many bytes within the kernel. */
#ifndef EBPFS_COPY_H
#define EBPFS_COPY_H

#include <linux/string.h>
#include <linux/types.h>

/* As memcpy(), which is a loop in these kernels on processors without FSRM. Any context. */
static __always_inline void ebpfs_memcpy(void *to, const void *from, u32 len)
{
#ifdef CONFIG_X86_64
	unsigned long words = len / 8;

	if (len >= 128 && !static_cpu_has(X86_FEATURE_FSRM)) {
		asm volatile("rep movsq"
			     : "+D" (to), "+S" (from), "+c" (words) : : "memory");
		len %= 8;
	}
#endif
	if (len)
		memcpy(to, from, len);
}

#endif /* EBPFS_COPY_H */

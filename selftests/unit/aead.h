/* SPDX-License-Identifier: GPL-2.0 */
/* A message is opened, or is not authentic. */
#ifndef EBPFS_SELFTESTS_AEAD_H
#define EBPFS_SELFTESTS_AEAD_H

#include "core/platform.h"
#include "lib/ktap.h"

#define EXPECT_OPENS(...)	EXPECT_EQ(ebpfs_aead_open(__VA_ARGS__), 0)
#define EXPECT_FORGED(...)	EXPECT_EQ(ebpfs_aead_open(__VA_ARGS__), -EBADMSG)

#endif /* EBPFS_SELFTESTS_AEAD_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ebpfsctl for fuzz targets: without main(), and with memory that is taken back, since
 * it leaves that to its end.
 */
#ifndef EBPFS_SELFTESTS_FUZZ_CTL_H
#define EBPFS_SELFTESTS_FUZZ_CTL_H

#include "ebpfsctl/ctl.h"

/* Whether something was said to be wrong since fuzz_ctl_begin(). */
extern bool fuzz_complained;

void fuzz_ctl_begin(void);
/* Frees what ebpfsctl got and did not free. */
void fuzz_ctl_end(void);

#endif /* EBPFS_SELFTESTS_FUZZ_CTL_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a fuzz target demands: if it does not hold, the input is a finding.
 */
#ifndef EBPFS_SELFTESTS_MUST_H
#define EBPFS_SELFTESTS_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(cond)								\
	do {									\
		if (!(cond)) {							\
			fprintf(stderr, "%s:%d: does not hold: %s\n",		\
				__FILE__, __LINE__, #cond);			\
			abort();						\
		}								\
	} while (0)

#endif /* EBPFS_SELFTESTS_MUST_H */

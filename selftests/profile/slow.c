// SPDX-License-Identifier: GPL-2.0
/*
 * slow - for a QEMU whose guest waits for another one: idle time passes in tenths
 *
 *	LD_PRELOAD=slow.so qemu-system-x86_64 -icount shift=0,sleep=on ...
 *
 * In counted mode an instruction takes the guest one nanosecond, but an emulated one
 * takes the host some ten. A guest that is idle, whose clock goes with the host's, would
 * thus see others work at a tenth of its own speed, and would send again what they had
 * no time to answer. Here ten nanoseconds of the host are one for QEMU and what it
 * emulates, so that guests are about as fast as they take each other to be. What they
 * count is not touched.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLOWER	10

/* The C library's name; QEMU takes every time that a guest could see from here. */
__attribute__((visibility("default")))
int clock_gettime(clockid_t clock, struct timespec *t)
{
	long status = syscall(SYS_clock_gettime, clock, t);
	unsigned long long ns;

	if (!status && clock == CLOCK_MONOTONIC) {
		ns = ((unsigned long long)t->tv_sec * 1000000000 + (unsigned long long)t->tv_nsec) /
		     SLOWER;
		t->tv_sec = (time_t)(ns / 1000000000);
		t->tv_nsec = (long)(ns % 1000000000);
	}
	return (int)status;
}

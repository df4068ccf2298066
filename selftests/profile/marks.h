/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a program in the guest tells count.c, outside of it, what to count: by two
 * instructions that do nothing and that nobody else uses, "nopl MARK(%rax,%rax,1)".
 */
#ifndef MARKS_H
#define MARKS_H

#define MARK_BEGIN	0x65627031
#define MARK_END	0x65627032
#define MARK_STAND	0x65627033	/* only tells how far it is */
#define MARK_SIZE	8

#define mark_text_(n)	#n
#define mark_text(n)	mark_text_(n)
#if defined(__x86_64__)
#define mark(n)	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n.long " mark_text(n) ::: "memory")
#else
#define mark(n)	((void)0)
#endif

#endif

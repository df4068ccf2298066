// SPDX-License-Identifier: GPL-2.0
/*
 * count - a plugin of QEMU that counts the guest's instructions, each where it lies
 *
 *	-plugin count.so[,out=FILE][,skip=N][,take=N][,tally=FILE]
 *
 * Nothing in the guest is slower, or other, for it: in counted mode the figures are
 * the same to the instruction. Counted is what one processor executes between the
 * two marks of marks.h. At the second one FILE is written:
 *
 *	block ADDRESS INSTRUCTIONS RUNS
 *		a piece of code without a jump into or out of it
 *	step ADDRESS INSTRUCTIONS
 *		what ran, in its order: @take instructions (default 0), after the
 *		first @skip (default 0)
 *
 * scripts/bench-profile gives the addresses their names.
 *
 * To the file of @tally a line "MARK INSTRUCTIONS" is added at every mark: what was
 * executed since the guest was switched on, as hexadecimal and decimal number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "qemu.h"

struct block {
	struct block *next;
	uint64_t address;
	uint64_t runs;
	uint64_t instructions;
};

QEMU_EXPORT int qemu_plugin_version = 1;

static const char *out;
static FILE *tally;
static uint64_t executed;
static uint64_t skip, take;
static struct block *blocks;		/* of all code that was translated; never freed */
static int counting;
static uint64_t counted;
static const struct block **steps;	/* @nsteps of room for @take */
static uint64_t nsteps;

static void tell(uint32_t mark)
{
	if (!tally)
		return;
	fprintf(tally, "%x %llu\n", mark, (unsigned long long)executed);
	fflush(tally);
}

static void stand(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	tell(MARK_STAND);
}

static void begin(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	tell(MARK_BEGIN);
	for (struct block *b = blocks; b; b = b->next)
		b->runs = 0;
	counting = 1;
	counted = 0;
	nsteps = 0;
}

static void end(unsigned int vcpu, void *data)
{
	FILE *f;

	(void)vcpu;
	(void)data;
	tell(MARK_END);
	if (!counting)
		return;
	counting = 0;
	if (!out)
		return;
	f = fopen(out, "w");
	if (!f) {
		perror(out);
		return;
	}
	for (struct block *b = blocks; b; b = b->next)
		if (b->runs)
			fprintf(f, "block %llx %llu %llu\n", (unsigned long long)b->address,
				(unsigned long long)b->instructions, (unsigned long long)b->runs);
	for (uint64_t i = 0; i < nsteps; i++)
		fprintf(f, "step %llx %llu\n", (unsigned long long)steps[i]->address,
			(unsigned long long)steps[i]->instructions);
	fclose(f);
}

static void run(unsigned int vcpu, void *data)
{
	struct block *b = data;

	(void)vcpu;
	executed += b->instructions;
	if (!counting)
		return;
	b->runs++;
	if (counted >= skip && counted < skip + take)
		steps[nsteps++] = b;
	counted += b->instructions;
}

static uint32_t mark_of(const struct qemu_plugin_insn *insn)
{
	static const unsigned char head[4] = { 0x0f, 0x1f, 0x84, 0x00 };
	const unsigned char *code = qemu_plugin_insn_data(insn);
	uint32_t mark;

	if (qemu_plugin_insn_size(insn) != MARK_SIZE || memcmp(code, head, sizeof(head)))
		return 0;
	memcpy(&mark, code + sizeof(head), sizeof(mark));
	return mark;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = calloc(1, sizeof(*b));
	size_t i;

	(void)id;
	if (!b)
		abort();
	b->address = qemu_plugin_tb_vaddr(tb);
	b->instructions = qemu_plugin_tb_n_insns(tb);
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, run, QEMU_PLUGIN_CB_NO_REGS, b);
	for (i = 0; i < b->instructions; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t mark = mark_of(insn);

		if (mark == MARK_BEGIN || mark == MARK_END || mark == MARK_STAND)
			qemu_plugin_register_vcpu_insn_exec_cb(insn,
				mark == MARK_BEGIN ? begin : mark == MARK_END ? end : stand,
				QEMU_PLUGIN_CB_NO_REGS, NULL);
	}
}

/* Without strtoull(), which would ask for a newer C library than the host may have. */
static uint64_t number(const char *s)
{
	uint64_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (uint64_t)(*s++ - '0');
	return n;
}

QEMU_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info,
				    int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
		else if (!strncmp(argv[i], "skip=", 5))
			skip = number(argv[i] + 5);
		else if (!strncmp(argv[i], "take=", 5))
			take = number(argv[i] + 5);
		else if (!strncmp(argv[i], "tally=", 6))
			tally = fopen(argv[i] + 6, "a");
		else
			goto bad;
	}
	steps = take ? calloc(take, sizeof(*steps)) : NULL;
	if ((!out && !tally) || (take && !steps))
		goto bad;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
bad:
	fprintf(stderr, "count: say out=FILE, and perhaps skip=N and take=N, or tally=FILE\n");
	return -1;
}

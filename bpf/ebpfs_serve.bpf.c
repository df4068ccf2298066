// SPDX-License-Identifier: GPL-2.0
/*
 * Serving: READs leave a server's network way at its first hook, and come back as
 * replies out of the page cache.
 *
 *	ebpfs_serve_tc	tcx ingress of a server's interface
 *
 * A datagram of calls is handed to the module's kfunc. If that has answered all of it,
 * the packet is used up. Every other packet goes on as if no program were there: what
 * the kfunc does not answer reaches ebpfsd's socket. What may be answered is ebpfsd's to
 * grant, see <ebpfs/serve.h>; the program only recognises. What nobody at ebpfsd's port would
 * take is dropped, as by the steering programs.
 *
 * Context: softirq. The program needs the module's BTF and is refused by the kernel while
 * the module is not loaded; while it is loaded, it holds the module.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <ebpfs/wire.h>
#include <ebpfs/serve.h>
#include "parse.h"
#include "rate.h"

char LICENSE[] SEC("license") = "GPL";

extern int bpf_ebpfs_serve_skb(struct __sk_buff *ctx, struct ebpfs_serve_opts *opts,
			       u32 opts__sz) __ksym;

/* One row per CPU, as in maps.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebpfs_serve_row);
} ebpfs_serve_rows SEC(".maps");

/* -1 if the kfunc shall judge it. */
static __always_inline int judge_call(struct ebpfs_hdr *head, __u32 len)
{
	return ebpfs_is_ours(head) && (head->type & ~EBPFS_GUARDED) == EBPFS_CALL ?
	       -1 : EBPFS_SERVE_PASS_OTHER;
}

static __always_inline void count(__u32 verdict, const struct ebpfs_serve_opts *opts)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct ebpfs_serve_row *row = bpf_map_lookup_elem(&ebpfs_serve_rows, &cpu);

	_Static_assert((EBPFS_SERVE_VERDICTS & (EBPFS_SERVE_VERDICTS - 1)) == 0, "a mask");
	if (!row)
		return;
	if (verdict < EBPFS_SERVE_VERDICTS) {
		/* The verifier believes the mask only. */
		asm volatile("" : "+r"(verdict));
		row->packets[verdict & (EBPFS_SERVE_VERDICTS - 1)]++;
	} else {
		row->errors++;
	}
	row->calls += opts->calls;
	row->bytes += opts->bytes;
}

SEC("tcx/ingress")
int ebpfs_serve_tc(struct __sk_buff *ctx)
{
	struct ebpfs_serve_opts opts = { .flags = ebpfs_door };
	int verdict;

	if (ebpfs_look_skb(ctx, 0, &opts.l3_off, judge_call) >= 0)
		return TCX_NEXT;
	verdict = bpf_ebpfs_serve_skb(ctx, &opts, sizeof(opts));
	if (verdict == EBPFS_SERVE_PASS_STRANGER &&
	    !ebpfs_rate_pass(ctx, opts.l3_off, ebpfs_load_skb))
		verdict = EBPFS_SERVE_DROP_RATE;
	count(verdict, &opts);
	return verdict == EBPFS_SERVE_ANSWERED || verdict == EBPFS_SERVE_FORGED ||
	       verdict == EBPFS_SERVE_REPLAYED ||
	       (verdict >= EBPFS_SERVE_DROP_FORM && verdict <= EBPFS_SERVE_DROP_RATE) ?
	       TCX_DROP : TCX_NEXT;
}
